"""The page of logs: whole, strict, the same each time, and nothing of a log acts in it."""

import html5lib

from pcapdiag.report.html import log_page
from tests.report.test_log_markdown import ASA, of


def test_a_strict_parser_finds_nothing_wrong_and_the_cause_is_told() -> None:
    page = log_page.render(of(ASA * 3))
    html5lib.HTMLParser(strict=True).parse(page)
    assert "phase1-policy-mismatch" in page
    assert "All SA proposals found unacceptable" in page
    assert "script" not in page.partition("<body")[2]


def test_the_same_report_gives_the_same_octets() -> None:
    assert log_page.render(of(ASA)) == log_page.render(of(ASA))


def test_what_a_log_says_is_text() -> None:
    page = log_page.render(of(ASA.replace(b"198.51.100.7,", b"<img src=x onerror=alert(1)>,")))
    assert "<img" not in page


def test_no_exchange_at_all() -> None:
    page = log_page.render(of(b"nothing\n"))
    html5lib.HTMLParser(strict=True).parse(page)
    assert "The logs tell of no exchange." in page
