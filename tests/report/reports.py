"""Reports for the tests, from captures or from items put together by hand."""

from collections.abc import Iterable

from pcapdiag.capture.datagram import Captured, CaptureSummary
from pcapdiag.diagnosis.verdict import diagnose
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.findings import CaptureReport
from pcapdiag.pipeline import Report, analyze
from pcapdiag.report import json_report
from pcapdiag.report.terminal import text
from pcapdiag.report.terminal.layout import Layout
from tests import CAPTURES
from tests.messages import SECOND


def of_capture(name: str) -> Report:
    """Of a capture of the project."""
    return analyze(CAPTURES / name)


def of_items(items: Iterable[Captured], end: float, path: str = "made.pcap") -> Report:
    """Of what a capture of that name would yield, ending after `end` seconds."""
    found = list(items)
    tracker = Tracker()
    for item in found:
        tracker.feed(item)
    last = round(end * SECOND)
    summary = CaptureSummary(
        path=path,
        format="pcap",
        frames=len(found),
        datagrams=len(found),
        icmp_errors=0,
        ip_fragments=0,
        nat_keepalives=0,
        esp=0,
        other=0,
        unreadable=0,
        snapped=0,
        first_time=0,
        last_time=last,
        truncated=False,
    )
    keepalives = tuple(tracker.keepalives.values())
    diagnoses = diagnose(list(tracker.exchanges()), last, keepalives=keepalives)
    capture = CaptureReport(summary, tracker.counts.messages, tracker.counts.not_ike)
    return Report((capture,), (), diagnoses, keepalives, tracker.counts, tracker.folded())


def as_text(report: Report, width: int = 80, *, colour: bool = False, detail: int = 0) -> str:
    """The report for a terminal."""
    return text.render(report, Layout(width, colour, detail))


def as_json(report: Report) -> str:
    """The JSON report in one piece."""
    return "".join(json_report.render(report))
