"""What text, HTML and Markdown say alike."""

import pytest

import pcapdiag
from pcapdiag.diagnosis.causes.checks import next_checks
from pcapdiag.report.phrases import any_of_many, in_brief
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
