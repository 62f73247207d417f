"""What text, HTML and Markdown say alike."""

import pytest
from msgspec.structs import replace

import pcapdiag
from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.causes.checks import next_checks
from pcapdiag.exchange.model import Folded, Mode
from pcapdiag.exchange.tracker import TrackerCounts
from pcapdiag.report.phrases import MAX_CROWDS, any_of_many, in_brief, loss_lines, summary
from tests import CAPTURES
from tests.report.reports import as_text


def _report(name: str, **given: object) -> pcapdiag.Report:
    return pcapdiag.analyze(CAPTURES / name, **given)  # type: ignore[arg-type]


def test_of_an_unknown_end_each_platform_is_told_once_and_in_one_line() -> None:
    (found,) = _report("phase2-refused.pcap").diagnoses
    whole = next_checks(found)
    brief = in_brief(whole)
    assert sum(any_of_many(placed) for placed in whole) > 1
    assert [placed.check for placed in brief] == [placed.check for placed in whole]
    (only,) = (placed for placed in brief if placed.by_platform)
    assert all(check.does == "show" and not check.first for check in only.by_platform)
    assert len({check.platform for check in only.by_platform}) == len(only.by_platform)


def test_what_the_end_is_known_to_be_keeps_its_commands() -> None:
    (found,) = _report("phase2-refused.pcap", platforms={"responder": "ios"}).diagnoses
    whole = next_checks(found)
    assert in_brief(whole) == list(whole)
    assert any(placed.check.command for placed in whole)


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_the_rest_is_behind_an_option(form: str) -> None:
    report = _report("phase2-refused.pcap")
    text = as_text(report) if form == "text" else report.to_markdown()
    assert text.count("fortigate ") == 1 or text.count("fortigate\n") == 1
    assert "every check has its command" in " ".join(text.split())


def test_a_page_has_them_all_and_opens_the_first() -> None:
    page = _report("phase2-refused.pcap").to_html()
    assert page.count("In the commands of") > 1
    assert page.count("<details open><summary>In the commands of") == 1


def test_a_completed_phase_1_without_a_tunnel_is_not_green() -> None:
    page = _report("phase2-refused.pcap").to_html()
    assert page.count('<span class="outcome completed trouble">') == 2
    assert "<td>no tunnel: " in page
    assert "completed trouble" not in _report("completed-psk.pcap").to_html().split("</style>")[1]


def _crowd(initiator: str, outcome: str | None, exchanges: int) -> Folded:
    return Folded(initiator, "198.51.100.2", Mode.MAIN, "MM5", outcome, exchanges, 5, Frame(1, 0), Frame(9, 0), 0, 9)


def test_what_is_only_counted_is_counted_among_all() -> None:
    diagnoses = _report("completed-psk.pcap").diagnoses
    folded = (
        _crowd("203.0.113.1", "completed", 7),
        _crowd("203.0.113.2", "stalled", 2),
        _crowd("203.0.113.3", None, 1),
    )
    assert summary(diagnoses, folded) == "11 exchanges, 10 of them only counted: 8 completed, 2 stalled, 1 not judged"


def test_of_what_is_only_counted_those_that_failed_come_first() -> None:
    crowds = [_crowd(f"203.0.113.{n}", "completed", 100 - n) for n in range(MAX_CROWDS + 2)]
    crowds += [replace(_crowd("192.0.2.1", "stalled", 1), last_message="MM1")]
    lines = list(loss_lines(crowds, TrackerCounts()))
    assert lines[1].startswith("  1 × 192.0.2.1 → 198.51.100.2, Main Mode: stalled")
    assert len(lines) == 1 + 1 + MAX_CROWDS + 1
    assert (
        lines[-1]
        == f"  {sum(100 - n for n in range(MAX_CROWDS, MAX_CROWDS + 2))} others, between 2 pairs of ends: see --json"
    )
