"""How records show themselves in a notebook: whole, without ids and script, and with a style that stays inside."""

import re

import pytest

import pcapdiag.display  # noqa: F401 -- what any public name brings with it
from pcapdiag.pipeline import analyze
from pcapdiag.report.html import notebook
from tests import CAPTURES
from tests.report.hostile import STRINGS, UNPRINTABLE, of_hostile_capture, of_hostile_words
from tests.report.pages import Parsed, peers
from tests.report.reports import of_capture


def test_a_report_shows_a_table_and_its_exchanges() -> None:
    report = of_capture("mm5-udp-4500-blocked.pcap")
    made = report._repr_html_()
    assert made is not None
    found = Parsed(made)
    assert "1 exchange in 1 conversation: 1 stalled" in found.text
    assert found.tags["details"] == found.tags["svg"] == 1
    assert "likely: UDP 4500 is filtered on the path" in found.text


def test_a_diagnosis_shows_outcome_ladder_evidence_and_causes() -> None:
    d = of_capture("mm5-udp-4500-blocked.pcap").diagnoses[0]
    found = Parsed(d._repr_html_() or "")
    assert found.tags["svg"] == 1
    assert "stalled after MM5: initiator MM_WAIT_MSG6" in found.text
    assert "MM6 from the responder was not seen" in found.text
    for ranked in d.causes:
        assert ranked.cause.title in found.text
    assert "UDP port 4500 is used in one direction only" in found.text


def test_an_exchange_shows_its_ladder() -> None:
    found = Parsed(of_capture("completed-psk.pcap").diagnoses[0].exchange._repr_html_() or "")
    assert found.tags["svg"] == 1
    assert "Exchange 1: Main Mode, 10.1.0.2 → 10.2.0.2" in found.text
    assert "MM6" in found.text


def test_a_report_without_an_exchange() -> None:
    found = Parsed(of_capture("no-ike-arp-only.pcap")._repr_html_() or "")
    assert "No IKE exchange" in found.text
    assert "12 ARP" in found.text or "12 other" in found.text


def test_other_records_show_their_text() -> None:
    report = of_capture("completed-psk.pcap")
    assert notebook.shown(report.counts) is None
    assert not hasattr(report.counts, "_repr_html_")


def test_it_holds_no_ids_no_script_and_no_style_that_reaches_the_notebook() -> None:
    report = of_capture("mm5-udp-4500-blocked.pcap")
    for record in (report, report.diagnoses[0], report.diagnoses[0].exchange):
        made = record._repr_html_()
        assert made is not None
        found = Parsed(made)
        assert not found.ids
        assert "script" not in found.tags
        assert "style" not in found.attributes
        styles = re.findall(r"<style>(.*?)</style>", made, re.DOTALL)
        assert len(styles) == 1
        assert all(".pcapdiag" in selector for selector in _selectors(styles[0]))


def _selectors(style: str) -> list[str]:
    """Those that stand at the top, or at the top of a media query."""
    found, open_ones = [], list[bool]()
    for part in re.findall(r"[^{}]+\{|\}", re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)):
        if part == "}":
            open_ones.pop()
            continue
        query = part.strip().startswith("@media")
        if not query and all(open_ones):
            found.append(part)
        open_ones.append(query)
    assert not open_ones
    return found


def test_the_same_record_gives_the_same_text() -> None:
    first, second = analyze(CAPTURES / "mm1-no-reply.pcap"), analyze(CAPTURES / "mm1-no-reply.pcap")
    assert first._repr_html_() == second._repr_html_()


def test_many_exchanges_are_counted() -> None:
    report = peers(60)
    made = report._repr_html_() or ""
    found = Parsed(made)
    assert found.tags["tr"] == 1 + notebook.MAX_ROWS
    assert found.tags["details"] == notebook.MAX_TOLD
    assert f"And {60 - notebook.MAX_ROWS} more that ended otherwise or between others" in found.text
    assert len(made) < 200_000


@pytest.mark.parametrize("text", [*STRINGS, *UNPRINTABLE])
def test_hostile_octets_stay_text(text: str) -> None:
    plain = Parsed(of_hostile_capture("plain")._repr_html_() or "")
    for report in (of_hostile_capture(text), of_hostile_words(text)):
        for record in (report, *report.diagnoses):
            made = record._repr_html_() or ""
            found = Parsed(made)
            assert set(found.tags) <= set(plain.tags)
            assert found.attributes <= plain.attributes
            assert all(c.isprintable() for c in made.replace("\n", ""))
