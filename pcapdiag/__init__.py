"""pcapdiag reads packet captures of IKE and says where the exchange stopped, what proves it, and why.

    import pcapdiag

    report = pcapdiag.analyze("capture.pcapng")
    report.exchanges                            # pandas DataFrames, also: messages, evidence, causes
    for found in report.diagnoses:              # the same as records
        print(found.exchange.initiator.address, found.stop.outcome)

    for event in pcapdiag.sniff("eth0"):        # also `async for`
        if isinstance(event, pcapdiag.Verdict):
            print(event.diagnosis.stop.outcome)

What it does
    analyze -- reads captures; gives a Report
    compare -- joins captures of one failure from several points; gives a Comparison
    stream -- the same exchange by exchange, in memory that does not grow; gives a Stream, an iterator of Told
    sniff -- watches interfaces, or a capture that is being written; gives a Sniffer, an iterator of events
    columns -- what the columns of the tables of a Report are
    interfaces -- the interfaces that can be watched, each as Listed
    read_log -- reads what devices logged of IKE; gives a LogReport

What it finds in captures
    Report -- of all that was read: CaptureReport and CaptureSummary of each capture, a Diagnosis of each exchange,
        Folded for exchanges that had to make room, KeepaliveFlow and EspFlow
    Diagnosis -- of an exchange: the Exchange, the Stop with its Outcome, Phase2, Evidence, and each RankedCause, which
        is a Cause with its Status. Its `checks` are what to check next, each a Check that is placed at an end
        (PlacedCheck), in the commands of the Platform that the end is; `request` is what to ask at the other end
    Exchange -- two Peers, the Mode, and the messages: a Step has the Side that sent it, the Message as it was decoded,
        Opened or Unopened where there were keys, and a Sighting for each time that it was sent; IcmpErrors quote it. A
        Frame is a place in a capture

What it finds in captures from several points
    Comparison -- the joined Report, each PointReport with its Clock, and of every message each Transmission with its
        Fate, and a Passage for each point; Change, Gap and EspPassage say what is changed and missed on the way

What it finds in logs
    LogReport -- of all logs: a LogSummary of each, and a LogDiagnosis of each LogExchange, with the lines that say so

What a watch tells (Event is any of these)
    Seen, Bounced -- a message went by, an ICMP error did; Waiting -- an answer is late
    Verdict -- the Diagnosis, when it is known
    Unlisted, Evicted -- what was only counted; Notice -- something about the capture itself
    Summary -- at the end, of all of it, with Totals, and InterfaceCounts of what was received and dropped

Errors, each one line that says what to do
    CaptureError, KeyTableError, LogError, CryptographyMissingError, PlatformError, SelectionError (of peer and spi),
    WiresharkMissingError; DifferentFailuresError where captures that are compared have nothing in common

Nothing is global: any number of analyses and watches go on in any threads, and within a running event loop. Times are
integer nanoseconds since the Unix epoch, in the tables UTC timestamps.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from pcapdiag.version import VERSION

if TYPE_CHECKING:
    from pcapdiag.capture.datagram import CaptureError, CaptureSummary, EspFlow, Frame, IcmpError
    from pcapdiag.capture.interface import Listed, interfaces
    from pcapdiag.capture.source import InterfaceCounts
    from pcapdiag.capture.wireshark import WiresharkMissingError
    from pcapdiag.comparing import Comparison, DifferentFailuresError, compare
    from pcapdiag.comparison.clocks import Clock
    from pcapdiag.comparison.fates import Fate, Gap, Passage, Transmission
    from pcapdiag.comparison.results import PointReport
    from pcapdiag.comparison.translations import Change
    from pcapdiag.comparison.tunnel import EspPassage
    from pcapdiag.diagnosis.causes.checks import PlacedCheck
    from pcapdiag.diagnosis.causes.platforms import Platform, PlatformError
    from pcapdiag.diagnosis.causes.ranking import RankedCause
    from pcapdiag.diagnosis.evidence.case import Evidence
    from pcapdiag.diagnosis.outcome.quick_mode import Phase2
    from pcapdiag.diagnosis.outcome.stop import Outcome, Stop
    from pcapdiag.diagnosis.verdict import Diagnosis
    from pcapdiag.exchange.model import (
        Exchange,
        Folded,
        KeepaliveFlow,
        Mode,
        Peer,
        Side,
        Sighting,
        Step,
        Unopened,
    )
    from pcapdiag.findings import CaptureReport
    from pcapdiag.ike.decryption import CryptographyMissingError
    from pcapdiag.ike.decryption_keys import KeyTableError
    from pcapdiag.ike.message import Message, Opened
    from pcapdiag.knowledge.records import Cause, Check, Status
    from pcapdiag.live.events import (
        Bounced,
        Event,
        Evicted,
        Notice,
        Seen,
        Summary,
        Totals,
        Unlisted,
        Verdict,
        Waiting,
    )
    from pcapdiag.live.sniffer import Sniffer, sniff
    from pcapdiag.logs.attempts import LogExchange
    from pcapdiag.logs.judging import LogDiagnosis
    from pcapdiag.logs.log import LogError, LogReport, LogSummary, read_log
    from pcapdiag.pipeline import Report, Stream, analyze, stream
    from pcapdiag.report.tables.dataframes import columns
    from pcapdiag.selection import SelectionError
    from pcapdiag.streaming.told import Told

__version__ = VERSION

__all__ = [
    "Bounced",
    "CaptureError",
    "CaptureReport",
    "CaptureSummary",
    "Cause",
    "Change",
    "Check",
    "Clock",
    "Comparison",
    "CryptographyMissingError",
    "Diagnosis",
    "DifferentFailuresError",
    "EspFlow",
    "EspPassage",
    "Event",
    "Evicted",
    "Evidence",
    "Exchange",
    "Fate",
    "Folded",
    "Frame",
    "Gap",
    "IcmpError",
    "InterfaceCounts",
    "KeepaliveFlow",
    "KeyTableError",
    "Listed",
    "LogDiagnosis",
    "LogError",
    "LogExchange",
    "LogReport",
    "LogSummary",
    "Message",
    "Mode",
    "Notice",
    "Opened",
    "Outcome",
    "Passage",
    "Peer",
    "Phase2",
    "PlacedCheck",
    "Platform",
    "PlatformError",
    "PointReport",
    "RankedCause",
    "Report",
    "Seen",
    "SelectionError",
    "Side",
    "Sighting",
    "Sniffer",
    "Status",
    "Step",
    "Stop",
    "Stream",
    "Summary",
    "Told",
    "Totals",
    "Transmission",
    "Unlisted",
    "Unopened",
    "Verdict",
    "Waiting",
    "WiresharkMissingError",
    "__version__",
    "analyze",
    "columns",
    "compare",
    "interfaces",
    "read_log",
    "sniff",
    "stream",
]

_HOMES = {
    "capture.datagram": ("CaptureError", "CaptureSummary", "EspFlow", "Frame", "IcmpError"),
    "capture.interface": ("Listed", "interfaces"),
    "capture.source": ("InterfaceCounts",),
    "capture.wireshark": ("WiresharkMissingError",),
    "comparison.clocks": ("Clock",),
    "comparing": ("Comparison", "DifferentFailuresError", "compare"),
    "comparison.fates": ("Fate", "Gap", "Passage", "Transmission"),
    "comparison.results": ("PointReport",),
    "comparison.translations": ("Change",),
    "comparison.tunnel": ("EspPassage",),
    "diagnosis.evidence.case": ("Evidence",),
    "knowledge.records": ("Cause", "Check", "Status"),
    "diagnosis.causes.checks": ("PlacedCheck",),
    "diagnosis.outcome.quick_mode": ("Phase2",),
    "diagnosis.causes.platforms": ("Platform", "PlatformError"),
    "diagnosis.causes.ranking": ("RankedCause",),
    "diagnosis.outcome.stop": ("Outcome", "Stop"),
    "diagnosis.verdict": ("Diagnosis",),
    "exchange.model": ("Exchange", "Folded", "KeepaliveFlow", "Mode", "Peer", "Side", "Sighting", "Step", "Unopened"),
    "ike.decryption": ("CryptographyMissingError",),
    "ike.decryption_keys": ("KeyTableError",),
    "ike.message": ("Message", "Opened"),
    "live.events": (
        "Bounced",
        "Event",
        "Evicted",
        "Notice",
        "Seen",
        "Summary",
        "Totals",
        "Unlisted",
        "Verdict",
        "Waiting",
    ),
    "live.sniffer": ("Sniffer", "sniff"),
    "logs.attempts": ("LogExchange",),
    "logs.judging": ("LogDiagnosis",),
    "logs.log": ("LogError", "LogReport", "LogSummary", "read_log"),
    "findings": ("CaptureReport",),
    "pipeline": ("Report", "Stream", "analyze", "stream"),
    "selection": ("SelectionError",),
    "streaming.told": ("Told",),
    "report.tables.dataframes": ("columns",),
}
"""Where the public names live. They are imported when they are asked for: `pcapdiag --help` needs none of them."""


def __getattr__(name: str) -> object:
    """Import what is asked for."""
    for home, names in _HOMES.items():
        if name in names:
            import_module("pcapdiag.display")
            return getattr(import_module(f"pcapdiag.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, those that are not imported yet too."""
    return sorted({*globals(), *__all__})
