"""The knowledge base as a reader meets it: every entry, at every width, with and without colour."""

import json
import re

import pytest

from pcapdiag.knowledge.base import KnowledgeBase, LogReading, Topic
from pcapdiag.knowledge.loading import load
from pcapdiag.knowledge.records import PLATFORMS
from pcapdiag.report import both_ends
from pcapdiag.report.terminal import explain
from pcapdiag.report.terminal.layout import Layout

PASTED = (
    "Apr 01 15:11:47 [IKEv1]: Group = 1.2.3.4, IP = 1.2.3.4, Received an un-encrypted PAYLOAD_MALFORMED notify "
    "message, dropping"
)


def _entries() -> list[Topic]:
    base = load()
    notifies = dict.fromkeys(base.find(str(entry.number)) for entry in base.notifies)
    lines = {line.platform: line for line in base.debug_lines}
    return [*base.states, *base.causes, *(entry for entry in notifies if entry), *lines.values()]


def _name(entry: Topic) -> str:
    if isinstance(entry, tuple):
        return f"notify {entry[0].number}"
    return getattr(entry, "id", "") or entry.contains[0]  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def base() -> KnowledgeBase:
    return load()


def _shown(base: KnowledgeBase, topic: str, layout: Layout | None = None, platform: str | None = None) -> str:
    entry = base.find(topic)
    assert entry is not None
    return explain.render(entry, base, layout or Layout(), platform)


def _commands(base: KnowledgeBase) -> set[str]:
    checks = [check.fill(peer="<peer address>", local="<local address>") for c in base.causes for check in c.checks]
    return {line for check in checks if check.command for line in (*check.first, check.command)}


def _of_commands(base: KnowledgeBase) -> set[str]:
    """What is said of commands: two that are alike may be read, and ended, alike."""
    checks = [check.fill(peer="<peer address>", local="<local address>") for c in base.causes for check in c.checks]
    return {f"→ {c.expect}" for c in checks} | {
        f"To {w} it: {'; '.join(c.undo)}" for c in checks for w in ("end", "undo")
    }


@pytest.mark.parametrize("entry", _entries(), ids=_name)
@pytest.mark.parametrize("width", [60, 80, 110])
def test_every_entry_fits(base: KnowledgeBase, entry: Topic, width: int) -> None:
    """Only a command that is longer than the line may be: cut in two it could not be copied."""
    text = explain.render(entry, base, Layout(width))
    too_long = [line for line in text.splitlines() if len(line) > width]
    both = {f"    {line.strip()}" for line in both_ends.lines() if line.startswith("  ")}
    assert set(too_long) <= _commands(base) | both
    assert not re.search(r"[{}]|\n\n\n|[ \t]\n|\n\n\\Z", text)
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [60, 80])
def test_every_line_of_a_log_fits(base: KnowledgeBase, width: int) -> None:
    for entry in base.debug_lines:
        text = explain.render(entry, base, Layout(width))
        assert max(map(len, text.splitlines())) <= width, entry.id
        assert entry.meaning.split()[0] in text
        assert not re.search(r"\n\n\n|[ \t]\n", text), entry.id


@pytest.mark.parametrize("entry", _entries(), ids=_name)
def test_colour_changes_nothing_but_colour(base: KnowledgeBase, entry: Topic) -> None:
    painted = explain.render(entry, base, Layout(80, colour=True))
    bare = "".join(f"{line.rstrip()}\n" for line in re.sub(r"\x1b\[[0-9;]*m", "", painted).splitlines())
    assert bare == explain.render(entry, base, Layout(80))
    assert painted != bare


@pytest.mark.parametrize("entry", _entries(), ids=_name)
def test_nothing_is_said_twice(base: KnowledgeBase, entry: Topic) -> None:
    lines = [line.strip() for line in explain.render(entry, base, Layout(200)).splitlines()]
    long = [line for line in lines if len(line) > 40 and line not in _commands(base) | _of_commands(base)]
    assert sorted(set(long)) == sorted(long)


def test_state(base: KnowledgeBase) -> None:
    text = _shown(base, "MM_WAIT_MSG6")
    assert text.startswith("━━ MM_WAIT_MSG6, the initiator ━")
    assert [m[1] for m in re.finditer(r"^  \d  ([a-z0-9-]+)$", text, re.M)] == [
        "udp-4500-blocked",
        "psk-mismatch",
        "pfs-mismatch",
    ]
    assert "\n       more system:running-config | begin tunnel-group <peer address>\n" in text
    assert "\n     → tunnel-group <peer address> ipsec-attributes" in text
    assert text.endswith("In full: pcapdiag explain udp-4500-blocked, and so on\n")


def test_state_without_causes(base: KnowledgeBase) -> None:
    assert _shown(base, "IKE_AUTH").endswith("The document gives no cause for this state.\n")


def test_state_checks_of_another_platform(base: KnowledgeBase) -> None:
    text = _shown(base, "MM_WAIT_MSG2", platform="ios")
    assert "Check first on IOS" in text
    assert "ping <peer address> source <local address>" in text
    assert "show run tunnel-group\n" not in text.split("Check first")[1]


def test_cause(base: KnowledgeBase) -> None:
    text = _shown(base, "psk-mismatch")
    order = ["speaks for", "against", "decides", "document", "What to check", "── ASA", "── IOS", "── Palo Alto"]
    places = [text.index(word) for word in order]
    assert places == sorted(places)
    assert "MM_WAIT_MSG5 item 1, MM_WAIT_MSG6 item 2" in text
    numbers = [int(m[1]) for m in re.finditer(r"^ {1,2}(\d+)\. ", text, re.M)]
    assert numbers == list(range(1, len(base.find("psk-mismatch").checks) + 1))  # type: ignore[union-attr]


def test_cause_with_a_remark_one_that_no_capture_shows_and_one_not_in_the_document(base: KnowledgeBase) -> None:
    assert "  remark  " in _shown(base, "pfs-mismatch")
    assert "  not visible  " in _shown(base, "no-interesting-traffic")
    assert "  document     does not list it\n" in _shown(base, "scanner")


@pytest.mark.parametrize("platform", [p for p in PLATFORMS if p != "any"])
def test_only_one_platform(base: KnowledgeBase, platform: str) -> None:
    for cause in base.causes:
        text = explain.render(cause, base, Layout(), platform)
        named = {m[1] for m in re.finditer(r"^── (.*)$", text, re.M)}
        assert named <= {explain.PLATFORM_NAMES[platform], "Any device"}
        assert named or "Nothing is known for this platform." in text


def test_notify_in_both_versions(base: KnowledgeBase) -> None:
    text = _shown(base, "24")
    assert "AUTHENTICATION_FAILED (24), IKEv1" in text
    assert "AUTHENTICATION_FAILED (24), IKEv2" in text
    assert text.count("The pre-shared keys differ") == 1


def test_debug_line(base: KnowledgeBase) -> None:
    text = _shown(base, PASTED)
    assert text.startswith("━━ Log line, ASA ━")
    assert "… un-encrypted PAYLOAD_MALFORMED notify …" in text
    assert "Message 5, then a clear Informational" in text
    assert text.endswith("What to check: pcapdiag explain psk-mismatch, and so on\n")


def test_log(base: KnowledgeBase) -> None:
    reading = base.read_log([f"{PASTED}\n", "noise\n", "a PHASE 1 COMPLETED", PASTED, "\n", "State : MM_WAIT_MSG5"])
    text = explain.render_log(reading, base, Layout())
    assert "━━ line 1, 2 times: Log line, ASA ━" in text
    assert "━━ line 6: MM_WAIT_MSG5, the responder ━" in text
    assert text.endswith("\n1 line was not recognised.\nWhat to check: pcapdiag explain CAUSE\n")
    assert text.count("pcapdiag explain") == 1
    assert {line for line in text.splitlines() if len(line) > 80} <= _commands(base)


def test_whole_knowledge_as_a_log(base: KnowledgeBase) -> None:
    lines = [" … ".join(entry.contains) for entry in base.debug_lines]
    text = explain.render_log(base.read_log(lines), base, Layout())
    assert "\n0 lines were not recognised.\n" in text
    assert max(map(len, text.splitlines())) <= 80
    for cause in base.causes:
        assert text.count(f"  {cause.title}\n") <= 1


def test_hostile_log(base: KnowledgeBase) -> None:
    nasty = "\x1b]0;owned\x07\x9b31m\u202eevil\udcff\x00\t " + "A" * 5000
    text = explain.render_log(base.read_log([f"{nasty[:40]} QM FSM error {nasty}", nasty]), base, Layout())
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    assert "\\x1b]0;owned\\x07" in text
    assert len(text) < 2500


def test_overview(base: KnowledgeBase) -> None:
    text = explain.overview(base, Layout())
    for entry in (*base.states, *base.causes):
        assert re.search(rf"^{entry.id} ", text, re.M)
    assert max(map(len, text.splitlines())) <= 80
    assert len(text.splitlines()) <= 60


def test_json(base: KnowledgeBase) -> None:
    found = json.loads(explain.render_json(_entries(), base))
    assert found["schema_version"] == 1
    assert {entry["kind"] for entry in found["entries"]} == {"state", "cause", "notify", "debug"}
    cause = next(entry for entry in found["entries"] if entry.get("id") == "psk-mismatch")
    assert cause["document"] == [{"state": "MM_WAIT_MSG5", "item": 1}, {"state": "MM_WAIT_MSG6", "item": 2}]
    assert cause["checks"][0]["platform"] == "asa"
    (one,) = json.loads(explain.render_json([base.find("psk-mismatch")], base, "ios"))["entries"]  # type: ignore[list-item]
    assert {check["platform"] for check in one["checks"]} == {"ios"}


def test_log_json(base: KnowledgeBase) -> None:
    found = json.loads(explain.render_log_json(base.read_log(["noise", PASTED, PASTED]), base))
    assert found["unknown_lines"] == 1
    (entry,) = found["entries"]
    assert (entry["kind"], entry["line"], entry["count"]) == ("debug", 2, 2)
    assert json.loads(explain.render_log_json(LogReading((), 0), base))["entries"] == []
