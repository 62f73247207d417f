"""The report for a terminal, as it is read: lines, widths, folding, colour, and hostile input."""

import re

import pytest
from msgspec.structs import replace

from pcapdiag.exchange.tracker import MAX_OPENINGS_TOLD, MAX_STEPS
from pcapdiag.pipeline import Report, analyze
from tests import CAPTURES
from tests.diagnosis.scenarios import TRUTH, offer
from tests.diagnosis.scenes import SCENES, made
from tests.messages import SECOND, Wire, informational, main_mode
from tests.report.reports import as_text, of_capture, of_items

NAMES = [r["capture"] for r in TRUTH if r["ike_messages"]]
LONG_LEFT = "2001:db8:1111:2222:3333:4444:5555:6666"
LONG_RIGHT = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"


def _wide(text: str, width: int) -> list[str]:
    """Lines that are wider than they may be; a command stands alone on its line, to be copied."""
    return [line for line in text.splitlines() if len(line) > width and not re.match(r" {7}[^ \d]", line)]


def _section(text: str, title: str) -> list[str]:
    """The lines under a heading, as far as the next empty line."""
    lines = text.splitlines()
    start = lines.index(f"  {title}") + 1
    end = next((n for n, line in enumerate(lines[start:], start) if not line.strip()), len(lines))
    return lines[start:end]


# --- what it says ----------------------------------------------------------------------------------------------


def test_stalled_exchange() -> None:
    text = as_text(of_capture("mm5-udp-4500-blocked.pcap"))
    assert " Exchange 1: Main Mode, 10.1.0.2 → 10.2.0.2 " in text
    assert "STALLED after MM5: initiator MM_WAIT_MSG6, responder MM_WAIT_MSG5" in text
    assert "Likely: " in text
    assert "✗ MM6 from the responder was not seen" in text
    for title in ("What the wire shows", "What may be the cause", "What to check next", "What would decide"):
        assert text.count(f"  {title}\n") == 1
    assert "  Wireshark: isakmp.ispi == " in text


def test_ladder_has_a_rung_for_each_message_in_order() -> None:
    text = as_text(of_capture("mm5-psk-mismatch.pcap"))
    rungs = [line for line in text.splitlines() if "▶" in line or "◀" in line]
    assert [re.search(r"(MM\d|Informational)", line)[0] for line in rungs[:6]] == [
        "MM1",
        "MM2",
        "MM3",
        "MM4",
        "MM5",
        "Informational",
    ]
    for line in rungs:
        to_right = re.search(r"MM[135]", line) is not None
        assert ("▶" in line) is to_right
        assert re.match(r" +\d+ +(0|[+]\d+\.\d+) +\d+ ", line)


def test_retransmissions_stand_under_their_message() -> None:
    lines = as_text(of_capture("mm1-no-reply.pcap")).splitlines()
    first = next(n for n, line in enumerate(lines) if " MM1 " in line and "▶" in line)
    assert "sent again 5×: +4." in lines[first + 1]


def test_icmp_errors_stand_in_the_ladder() -> None:
    text = as_text(of_capture("mm1-host-unreachable.pcap"))
    assert "! ICMP host unreachable from 10.1.0.1" in text


def test_completed_exchange_has_no_causes() -> None:
    text = as_text(of_capture("completed-psk.pcap"))
    assert "COMPLETED" in text
    assert "What may be the cause" not in text
    assert "What to check next" not in text


def test_evidence_that_is_cited_is_shown() -> None:
    for name in NAMES:
        text = as_text(of_capture(name))
        for block in text.split("━━ ")[1:]:
            shown = set(re.findall(r"^  (E\d+) ", block, re.M)) | {"E1"}
            cited = {i for found in re.findall(r"\[((?:E\d+(?:, )?)+)\]", block) for i in found.split(", ")}
            assert cited <= shown, name


def test_causes_of_the_document_are_all_named() -> None:
    report = of_capture("mm1-no-reply.pcap")
    text = " ".join(as_text(report).split())
    for ranked in report.diagnoses[0].causes:
        assert ranked.cause.id in text
        for state, item in ranked.document:
            assert f"{state} #{item}" in text


def test_checks_are_numbered_from_one() -> None:
    lines = _section(as_text(of_capture("mm1-no-reply.pcap")), "What to check next")
    numbers = [int(m[1]) for line in lines if (m := re.match(r"  +(\d+) (?:At|On) ", line))]
    assert numbers
    assert numbers == list(range(1, len(numbers) + 1))


# --- many exchanges --------------------------------------------------------------------------------------------


def test_alike_exchanges_are_folded_into_one_block() -> None:
    text = as_text(of_items(*made("repeated_attempts")))
    assert text.count("━━ Exchange ") == 1
    assert "The same 3 times more (exchanges 2–4), mostly 2 min apart" in " ".join(text.split())


def test_one_line_each_has_the_count() -> None:
    (line,) = as_text(of_items(*made("repeated_attempts")), detail=-1).splitlines()
    assert line.endswith(" (4 times)")
    assert "stalled after MM1; initiator MM_WAIT_MSG2" in line


def test_exchanges_that_ended_otherwise_are_not_folded() -> None:
    text = as_text(of_items(*made("completed_later")))
    assert text.count("━━ Exchange ") == 2
    assert "2 exchanges in 1 conversations: " in text or "2 exchanges in 1 conversation: " in text


def test_checks_are_explained_once() -> None:
    items, _ = made("silence_after_mm1")
    later = [replace(i, time=i.time + 400 * SECOND) for i in made("ikev2_silence")[0]]
    text = as_text(of_items([*items, *later], 1000))
    assert text.count("━━ Exchange ") == 2
    headings = re.findall(r"^  What to check next\n(.*)$", text, re.M)
    assert len(headings) == 2
    assert headings[1].strip() == "The same as for the exchange above."


def test_several_captures_are_numbered() -> None:
    text = as_text(analyze([CAPTURES / "mm1-no-reply.pcap", CAPTURES / "completed-psk.pcap"]))
    assert text.startswith("1: ")
    assert "\n2: " in text
    assert "(frame 1:9)" in text
    assert re.search(r"^ +2:3 +0 +500 ─ MM1 ", text, re.M)
    assert "(frames 2:3–7, 2:10)" in text


# --- how it looks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [60, 72, 80, 100, 110])
@pytest.mark.parametrize("detail", [0, 1])
def test_width_is_kept(width: int, detail: int) -> None:
    for name in NAMES:
        text = as_text(of_capture(name), width, detail=detail)
        assert not _wide(text, width), name


@pytest.mark.parametrize("width", [60, 80, 110])
def test_width_is_kept_by_what_is_made_by_hand(width: int) -> None:
    for name in SCENES:
        text = as_text(of_items(*made(name), path="a/rather/long/path/" * 6 + "made.pcap"), width)
        assert not _wide(text, width), name


@pytest.mark.parametrize("name", ["host_unreachable", "mm5_repeats_alone", "reassembly_timeout", "answered_elsewhere"])
def test_width_is_kept_with_long_addresses(name: str) -> None:
    items, end = made(name)

    def long(item: object) -> object:
        moved = {"192.0.2.1": LONG_LEFT, "198.51.100.2": LONG_RIGHT, "203.0.113.9": LONG_RIGHT[:-1] + "1"}
        changed = {field: moved.get(getattr(item, field), getattr(item, field)) for field in ("source", "destination")}
        if hasattr(item, "quoted"):
            changed["quoted"] = long(item.quoted)
        return replace(item, **changed)

    text = as_text(of_items([long(i) for i in items], end), 80)
    assert not _wide(text, 80)


@pytest.mark.parametrize("detail", [-1, 0, 1])
def test_no_blanks_at_the_end_of_a_line(detail: int) -> None:
    for name in NAMES:
        text = as_text(of_capture(name), detail=detail)
        assert not re.search(r"[ \t]+$", text, re.M)
        assert text.endswith("\n")
        assert "\n\n\n" not in text


def test_without_colour_there_is_no_escape_and_with_it_the_words_are_the_same() -> None:
    for name in NAMES:
        report = of_capture(name)
        plain, painted = as_text(report), as_text(report, colour=True)
        assert "\x1b" not in plain
        assert "\x1b[" in painted
        stripped = re.sub(r"\x1b\[[0-9;]*m", "", painted)
        assert [line.rstrip() for line in stripped.splitlines()] == plain.splitlines()


def test_verbose_shows_everything() -> None:
    for name in ("mm5-udp-4500-blocked.pcap", "mm1-no-reply.pcap"):
        report = of_capture(name)
        (found,) = report.diagnoses
        text = as_text(report, detail=1)
        words = " ".join(text.split())
        for item in found.evidence[1:]:
            assert f"  {item.id:<4} " in text
        for ranked in found.causes:
            assert f"[{ranked.cause.id}]" in words
            assert ranked.says in words
        for step in found.exchange.steps:
            assert f" {step.name} " in text


def test_normal_is_shorter_than_verbose() -> None:
    report = of_capture("mm5-udp-4500-blocked.pcap")
    assert len(as_text(report, detail=-1)) < len(as_text(report)) < len(as_text(report, detail=1))


# --- hostile input ---------------------------------------------------------------------------------------------

HOSTILE = "evil\x1b[31m\r\n\u202e\u009b.pcap"


def test_file_names_cannot_act_in_the_terminal() -> None:
    text = as_text(of_items(*made("silence_after_mm1"), path=HOSTILE))
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    assert "\\x1b[31m" in text


@pytest.mark.parametrize("detail", [-1, 0, 1])
def test_vendor_ids_cannot_act_in_the_terminal(detail: int) -> None:
    wire = Wire()
    hostile = [
        b"\x1b]0;owned\x07" + bytes(4),
        b"OE-Libreswan-\x1b[2J\n",
        "strongSwan \u202e".encode(),
        bytes(range(256)),
    ]
    items = [
        wire.datagram(0, offer(*[(13, v) for v in hostile])),
        wire.datagram(0.1, main_mode(2), left=False),
        *wire.main_mode(1, 3),
    ]
    text = as_text(of_items(items, 60), detail=detail)
    assert not [c for c in text if not c.isprintable() and c != "\n"]


# --- more than is told one by one ------------------------------------------------------------------------------


def _flood(count: int, initiators: int = 1) -> Report:
    """Openings of an initiator, or of many, beyond what is told one by one."""
    wire = Wire()
    items = [
        wire.datagram(n / 1000, main_mode(1, (n.to_bytes(8, "big"), bytes(8))), source=f"203.0.113.{n % initiators}")
        for n in range(1, count + 1)
    ]
    return of_items(items, 60)


def test_a_flood_is_reported_as_a_flood() -> None:
    text = " ".join(as_text(_flood(MAX_OPENINGS_TOLD + 500)).split())
    assert "More exchanges than are told one by one; 500 are only counted: 500 × 203.0.113.0 → 198.51.100.2" in text
    assert "nothing after MM1; 500 messages" in text


def test_a_flood_from_many_initiators_is_one_line() -> None:
    text = " ".join(as_text(_flood(MAX_OPENINGS_TOLD + 500, 250)).split())
    assert "500 × 250 initiators → 198.51.100.2, Main Mode: nothing after MM1" in text


def test_what_is_only_counted_of_an_exchange_is_said() -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6)]
    items += [wire.datagram(1 + n / 1000, informational(7, n), left=n % 2 == 0) for n in range(MAX_STEPS + 20)]
    report = of_items(items, 60)
    uncounted = report.diagnoses[0].exchange.uncounted
    assert uncounted > MAX_STEPS // 2
    text = as_text(report)
    said = " ".join(text.split())
    assert f"{uncounted} more messages, fragments and ICMP errors of this exchange are only counted." in said
    assert len(text.splitlines()) < 80
    assert f"⋮ {len(report.diagnoses[0].exchange.steps) - 32 - 3} Informational, until +5.112 s (-v shows each)" in said
