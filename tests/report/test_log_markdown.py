"""Markdown of logs: everything that text has, in a form for a ticket; nothing of a log acts in it."""

import io

from markdown_it import MarkdownIt

from pcapdiag.logs.log import LogReport, read_log
from pcapdiag.report import log_markdown

ASA = b"""\
Nov 27 2026 12:00:00: %ASA-7-715047: Group = 198.51.100.7, IP = 198.51.100.7, processing SA payload
Nov 27 2026 12:00:00: %ASA-3-713048: Group = 198.51.100.7, IP = 198.51.100.7, Error processing payload: Payload ID: 1
Nov 27 2026 12:00:00: %ASA-5-713904: IP = 198.51.100.7, All SA proposals found unacceptable
"""


def of(octets: bytes) -> LogReport:
    return read_log(io.BytesIO(octets))


def test_a_failure_has_its_cause_and_the_lines_that_say_so() -> None:
    text = log_markdown.render(of(ASA))
    assert "phase1-policy-mismatch" in text
    assert "All SA proposals found unacceptable" in text
    assert ":3" in text
    assert MarkdownIt().render(text).count("<h3>") == 1


def test_what_a_log_says_does_not_act() -> None:
    report = of(ASA.replace(b"processing SA payload", b"<script>x</script> ![x](http://e) | ``` payload"))
    rendered = MarkdownIt("commonmark", {"html": True}).render(log_markdown.render(report))
    assert "<script>" not in rendered
    assert "<img" not in rendered


def test_no_exchange_at_all() -> None:
    assert log_markdown.render(of(b"nothing\n")).startswith("- ")
