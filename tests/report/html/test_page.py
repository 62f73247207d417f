"""The HTML page as octets: structure, policy, escaping, bounds. (test_page_in_browser.py has it in one.)"""

import hashlib
import os
import re
import subprocess
import sys
from base64 import b64encode

import html5lib
import pytest
from msgspec.structs import replace

from pcapdiag.pipeline import analyze
from pcapdiag.report.html import page
from pcapdiag.report.html.exchange_view import MAX_MESSAGES
from tests import CAPTURES
from tests.diagnosis.scenarios import TRUTH, offer
from tests.messages import Wire, informational
from tests.report.hostile import STRINGS, UNPRINTABLE, of_hostile_capture, of_hostile_words
from tests.report.pages import Parsed, peers
from tests.report.reports import of_capture, of_items

NAMES = [r["capture"] for r in TRUTH]

# --- what it says ----------------------------------------------------------------------------------------------


def test_everything_that_is_found_is_told() -> None:
    for name in NAMES:
        report = of_capture(name)
        found = Parsed(page.render(report))
        for d in report.diagnoses[:1]:
            assert d.stop.reason in found.text
            for item in d.evidence:
                assert item.text in found.text
                assert item.display_filter in found.text
            for ranked in d.causes:
                assert ranked.cause.title in found.text
                assert ranked.cause.id in found.text
                assert ranked.says in found.text
                assert all(f"{state}, item {item}" in found.text for state, item in ranked.document)
            for step in d.exchange.steps:
                assert step.name in found.text


def test_a_strict_parser_finds_nothing_wrong() -> None:
    """Neither in pages of real captures nor in those of hostile ones (HTML Living Standard §13.2, parse errors)."""
    reports = [of_capture(NAMES[0]), *(of_hostile_words(text) for text in (*STRINGS, *UNPRINTABLE))]
    for report in reports:
        html5lib.HTMLParser(strict=True).parse(page.render(report))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_well_formed_and_refers_to_what_is_there(name: str) -> None:
    found = Parsed(page.render(of_capture(name)))
    assert len(found.ids) == len(set(found.ids))
    assert found.refers <= set(found.ids)
    assert "style" not in found.attributes
    assert not [a for a in found.attributes if a.startswith("on")]
    assert found.tags["h1"] == found.tags["main"] == found.tags["style"] == found.tags["script"] == 1
    assert not {"img", "link", "iframe", "object"} & set(found.tags)


def test_without_an_exchange_it_says_what_there_is() -> None:
    text = Parsed(page.render(of_capture("no-ike-arp-only.pcap"))).text
    assert "no IKE in 12 frames; there is: 12 ARP" in text
    peer = analyze(CAPTURES / "completed-psk.pcap", peer="192.0.2.99")
    assert "15 IKE messages, none of an exchange that was asked for." in Parsed(page.render(peer)).text


def test_frames_of_several_captures_are_named_with_the_capture() -> None:
    text = Parsed(analyze([CAPTURES / "mm1-no-reply.pcap", CAPTURES / "completed-psk.pcap"]).to_html()).text
    assert "E1 : frames 2:3–7, 2:10" in text
    assert "E1, in capture 2" in text


def test_warnings_and_what_is_only_counted_stand_in_the_head() -> None:
    report = of_hostile_words("one warning")
    assert "one warning" in Parsed(page.render(report)).text


# --- nothing acts ----------------------------------------------------------------------------------------------


def test_the_policy_allows_what_stands_in_the_page_and_nothing_else() -> None:
    text = page.render(of_capture("mm5-lost.pcap"))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].replace("&#39;", "'").split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for rule, tag in (("style-src", "style"), ("script-src", "script")):
        body = re.search(rf"<{tag}>(.*)</{tag}>", text, re.DOTALL)
        assert body is not None
        digest = b64encode(hashlib.sha256(body[1].encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


@pytest.mark.parametrize("text", [*STRINGS, *UNPRINTABLE])
def test_hostile_octets_stay_text(text: str) -> None:
    plain = Parsed(page.render(of_hostile_capture("plain")))
    for report in (of_hostile_capture(text), of_hostile_words(text)):
        made = page.render(report)
        found = Parsed(made)
        assert set(found.tags) <= set(plain.tags) | {"details", "summary"}
        assert found.attributes <= plain.attributes | {"data-evidence"}
        assert found.tags["script"] == found.tags["style"] == 1
        assert all(c.isprintable() for c in made.replace("\n", ""))
    if text in STRINGS:
        assert " ".join(text.split()) in found.text


def test_the_same_report_gives_the_same_octets() -> None:
    code = "import sys, pcapdiag; sys.stdout.write(pcapdiag.analyze(sys.argv[1]).to_html())"
    made = {
        subprocess.run(
            [sys.executable, "-c", code, str(CAPTURES / "mm5-udp-4500-blocked.pcap")],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(made) == 1


# --- it stays of a size ----------------------------------------------------------------------------------------


def test_exchanges_beyond_the_bounds_have_a_row_and_beyond_that_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    report = peers(40)
    monkeypatch.setattr(page, "MAX_TOLD", 5)
    monkeypatch.setattr(page, "MAX_ROWS", 12)
    found = Parsed(page.render(report))
    assert found.tags["article"] == 5
    assert found.tags["form"] == 1
    assert page.render(report).count("<tr data-outcome=") == 12
    assert "28 of 40 rows are left out here: see --json. 5 of 40 are told in full below" in found.text


def test_articles_are_left_out_where_they_would_be_too_many_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    report = peers(10)
    whole = Parsed(page.render(report))
    assert whole.tags["article"] == 10
    monkeypatch.setattr(page, "MAX_OCTETS", 60_000)
    found = Parsed(page.render(report))
    assert 1 <= found.tags["article"] < 10
    assert f"{found.tags['article']} of 10 are told in full below" in found.text


def test_those_that_did_not_complete_are_told_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_TOLD", 1)
    report = analyze([CAPTURES / "completed-ipv6.pcap", CAPTURES / "scan-main-mode.pcap"])
    assert report.diagnoses[0].completed
    found = Parsed(page.render(report))
    assert found.tags["article"] == 1
    assert report.diagnoses[1].stop.reason in found.text


def test_exchanges_that_ended_alike_share_a_row() -> None:
    report = peers(1, each=30)
    found = Parsed(page.render(report))
    assert len(report.diagnoses) == 30
    assert found.tags["article"] == 1
    assert "The 30 exchanges that ended alike" in found.text


def test_thousands_of_long_payloads_stay_within_bounds() -> None:
    wire = Wire()
    long = [(13, bytes([n % 251]) * 2000) for n in range(30)]
    items = [
        wire.datagram(n * 2.0, offer(*long, cookies=(bytes([n + 1]) * 8, bytes(8))), source=f"10.9.0.{n}")
        for n in range(15)
    ]
    made = page.render(of_items(items, 300))
    assert len(made) < 1_000_000
    assert "more characters)" in made
    assert "more payloads, not shown here" in made


def test_a_long_exchange_lists_some_messages_and_counts_the_others() -> None:
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4, 5, 6)
    items += [wire.datagram(10 + n, informational(n % 250, 1000 + n), left=n % 2 == 0) for n in range(500)]
    report = of_items(items, 1000)
    made = page.render(report)
    left = len(report.diagnoses[0].exchange.steps) - MAX_MESSAGES + report.diagnoses[0].exchange.uncounted
    assert f"{left} more messages are not listed here." in made
    assert len(made) < 200_000


def test_an_exchange_with_a_thousand_facts_shows_some_and_counts_the_others() -> None:
    report = of_capture("phase2-no-reply.pcap")
    d = report.diagnoses[0]
    many = tuple(replace(d.evidence[0], id=f"E{n}", text=f"fact {n}") for n in range(1, 1001))
    causes = tuple(replace(c, because=tuple(e.id for e in many[::-1])) for c in d.causes)
    made = page.render(replace(report, diagnoses=(replace(d, evidence=many, causes=causes),)))
    found = Parsed(made)
    assert found.refers <= set(found.ids)
    assert "and 988 more." in found.text
    shown = len(re.findall(r'id="x1-E\d+"', made))
    assert f"And {1000 - shown} more facts, not shown here" in found.text
    assert len(made) < 300_000
