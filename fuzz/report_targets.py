"""Targets that go all the way to what people and programs read."""

import io
import json
import re
import struct
from collections.abc import Iterator, Sequence
from functools import cache
from zlib import crc32

from fuzz import seeds
from fuzz.ike_targets import tracker_items
from pcapdiag.capture.datagram import Captured, CaptureError, CaptureSummary
from pcapdiag.capture.savefile import Savefile
from pcapdiag.capture.source import InterfaceCounts
from pcapdiag.knowledge import loading
from pcapdiag.live.session import Watch
from pcapdiag.pipeline import Report, analyze
from pcapdiag.report import json_report
from pcapdiag.report.live import metrics, ndjson
from pcapdiag.report.live.screen import View
from pcapdiag.report.live.text import LiveText
from pcapdiag.report.tables import export as formats
from pcapdiag.report.terminal import explain as explain_report
from pcapdiag.report.terminal import text
from pcapdiag.report.terminal.layout import Layout
from pcapdiag.report.terminal.message_list import message_lines
from pcapdiag.report.terminal.nothing import nothing_found
from pcapdiag.report.wording import safe

# --- what may come out -----------------------------------------------------------------------------------------

_SGR = re.compile(r"\x1b\[[0-9;]*m")


def shows_nothing_hostile(lines: str) -> None:
    """Line feeds and colours are the only controls; no direction marks, no invisible characters, no lone surrogates."""
    if lines.isascii() and lines.replace("\n", "").isprintable():
        return
    plain = _SGR.sub("", lines).replace("\n", "")
    assert plain.isprintable(), next(c for c in plain if not c.isprintable()).encode("unicode-escape")
    plain.encode()


def is_json(lines: str) -> None:
    """JSON on one line or several that any reader takes: nothing but ASCII controls escaped, no lone surrogates."""
    for line in lines.splitlines():
        assert line.isprintable(), line
    json.loads(lines, parse_constant=lambda name: _fail(name))


def _fail(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


# --- the pipeline ----------------------------------------------------------------------------------------------


def _reported(report: Report, lines: bool, detail: int = 1) -> None:
    is_json("".join(json_report.render(report)))
    for diagnosis in report.diagnoses:
        assert diagnosis.evidence
        for item in diagnosis.evidence:
            assert item.frames
    for warning in (w for c in report.captures for w in c.summary.warnings):
        assert "\n" not in warning
    if report.diagnoses:
        if lines:
            shows_nothing_hostile(text.render(report, Layout(80, True, detail)))
    else:
        for line in nothing_found(report, None, None):
            shows_nothing_hostile(safe(line))


def pipeline(data: bytes) -> None:
    """From the octets of a file to the reports."""
    try:
        report = analyze(io.BytesIO(data))
    except CaptureError as error:
        assert "\n" not in str(error)
        return
    choice = crc32(data)
    _reported(report, choice % 4 == 0, (choice >> 2) % 3 - 1)


def opened(data: bytes) -> None:
    """The same with keys and a pre-shared key."""
    try:
        report = analyze(io.BytesIO(data), keys=seeds.KEYS, psks=[b"secret"])
    except CaptureError:
        return
    _reported(report, True)


# --- live ------------------------------------------------------------------------------------------------------


class _Source:
    """Just enough of a live source for what is printed of one."""

    names = ("\x1b]0;fuzz\x07", 'a"b\\\n\u202e')
    backlog = 0
    over = False

    def __init__(self, summary: CaptureSummary) -> None:
        self._summary = summary

    def summary(self) -> CaptureSummary:
        """What came."""
        return self._summary

    def counts(self) -> tuple[InterfaceCounts, ...]:
        """What was lost."""
        return tuple(InterfaceCounts(name, 1, 2, 3, 4) for name in self.names)


_METRIC = re.compile(r'[a-z_]+(\{([a-z_]+="([^"\\\n]|\\["\\n])*",?)+\})? [0-9.e+-]+')


def _watched(items: Sequence[Captured], summary: CaptureSummary) -> None:
    watch = Watch(max_watched=20)
    shown = LiveText(Layout(80, True))
    view = View()
    source = _Source(summary)
    last = 0
    for item in items:
        last = max(last, item.time)
        _events(watch.feed(item), shown, view)
    last = max(last, summary.last_time or 0)
    for seconds in (1, 30, 200):
        _events(watch.tick(last + seconds * 1_000_000_000), shown, view)
    view.press("enter", 40)
    for _ in range(2):
        for _style, line in view.lines(watch, source, 80, 40):  # type: ignore[arg-type]
            shows_nothing_hostile(line)
            assert "\n" not in line
        view.press("escape", 40)
    for line in metrics.render(watch, source, 0.0).splitlines():  # type: ignore[arg-type]
        assert line.startswith("# ") or _METRIC.fullmatch(line), line
    _events(watch.finish(last + 900 * 1_000_000_000), shown, view)


def _events(events: Sequence[object], shown: LiveText, view: View) -> None:
    view.note(events)  # type: ignore[arg-type]
    shows_nothing_hostile(shown.render(events))  # type: ignore[arg-type]
    for line in ndjson.render(events).splitlines():  # type: ignore[arg-type]
        is_json(line)


def live(data: bytes) -> None:
    """A capture as if it happened."""
    file = Savefile(io.BytesIO(data), name="fuzz")
    try:
        items = list(file)
    except CaptureError:
        return
    _watched(items, file.summary())


# --- the reports on what wants to act --------------------------------------------------------------------------

_HOSTILE = (
    b"\x1b]0;title\x07",
    b"\x1b]52;c;cm0gLXJmIH4=\x07",
    b"\x1b]8;;http://example.net\x1b\\link\x1b]8;;\x1b\\",
    b"\x1b[2J\x1b[H",
    b"\x9b31m\xc2\x9b31m",
    b"line\nfeed\rreturn\tand\x0b\x0c\x08\x7f",
    "\u202egnp.exe\u2066\u200b\u2028\u2029\ufeff".encode(),
    b"\xed\xa0\x80\xff\xfe\xc0\x80",
    b"<script>alert(1)</script>&\"'",
    b"=cmd|' /C calc'!A0",
    b"| `a` | **b** [c](javascript:d)",
    b"\0" * 8,
)
"""Octets that act where nobody keeps them from it."""


def reports(data: bytes) -> None:
    """Items as for the tracker; what they hold, and a file name that is made of the same octets, is printed safely."""
    items = list(tracker_items(data))
    name = data[-40:].decode("utf-8", "surrogateescape")
    from pcapdiag.diagnosis.verdict import diagnose
    from pcapdiag.exchange.tracker import Tracker
    from pcapdiag.findings import CaptureReport

    tracker = Tracker()
    for item in items:
        tracker.feed(item)
    last = max((item.time for item in items), default=0) + 60 * 1_000_000_000
    summary = CaptureSummary(
        name, "pcap", len(items), len(items), 0, 0, 0, 0, 0, 0, 0, 0 if items else None, last if items else None, True,
        (f"{name}: frame 1: cut",),
    )  # fmt: skip
    capture = CaptureReport(summary, tracker.counts.messages, tracker.counts.not_ike)
    keepalives = tuple(tracker.keepalives.values())
    diagnoses = diagnose(list(tracker.exchanges()), last, keepalives=keepalives)
    report = Report((capture,), (), diagnoses, keepalives, tracker.counts, tracker.folded())
    is_json("".join(json_report.render(report)))
    for detail in (-1, 0, 1):
        shows_nothing_hostile(text.render(report, Layout(80, True, detail)))
    for line in nothing_found(report, name, None):
        shows_nothing_hostile(safe(line))
    shows_nothing_hostile("".join(formats.csv_lines(report)).replace("\r\n", "\n"))
    shows_nothing_hostile("\n".join(message_lines(report, Layout(80, True, 1))))
    for line in formats.ndjson_lines(report):
        is_json(line)
    _watched(items, summary)


def _payload(following: int, body: bytes) -> bytes:
    return struct.pack("!BBH", following, 0, 4 + len(body)) + body


def _aggressive(octets: bytes) -> bytes:
    """An Aggressive Mode message 1 with an identity, a vendor ID, a notify and a certificate of these octets."""
    bodies = [
        (1, struct.pack("!II", 1, 1)),
        (5, b"\x02\x11\x01\xf4" + octets),
        (13, octets),
        (11, struct.pack("!IBBH", 1, 1, 0, 24) + octets),
        (6, b"\x04" + octets),
        (7, b"\x04" + octets),
    ]
    types = [kind for kind, _ in bodies[1:]] + [0]
    body = b"".join(_payload(after, octets) for after, (_, octets) in zip(types, bodies, strict=True))
    return struct.pack("!8s8sBBBBII", b"cookie-1", bytes(8), 1, 0x10, 4, 0, 0, 28 + len(body)) + body


@cache
def reports_seeds() -> Sequence[bytes]:
    """Aggressive Mode with octets that act, in every text field that it has."""
    from fuzz.ike_targets import join, tracker_seeds

    hostile = tuple(join([b"\0\x28" + _aggressive(octets), b"\0\x50" + _aggressive(octets)]) for octets in _HOSTILE)
    return (*hostile, *tracker_seeds())


# --- the knowledge base ----------------------------------------------------------------------------------------


def knowledge(data: bytes) -> None:
    """A knowledge base that is damaged is refused in one line, or it can be printed whole."""
    try:
        found = loading.parse(_files(data))
    except loading.KnowledgeError as error:
        assert str(error)
        return
    layout = Layout(80)
    explain_report.overview(found, layout)
    for entry in (*found.states, *found.causes, *found.notifies):
        explain_report.render(entry, found, layout)
        explain_report.render_json([entry], found)


_FILE = re.compile(r"^#### (\S+)$", re.MULTILINE)
"""What stands between two files of a knowledge base in one input: the name of the second."""


def _files(data: bytes) -> dict[str, str]:
    _, *rest = _FILE.split(data.decode("utf-8", "replace"))
    return dict(zip(rest[::2], rest[1::2], strict=True))


@cache
def knowledge_seeds() -> Sequence[bytes]:
    """A few entries of each kind with what they refer to, cut out of the real ones."""
    room = seeds.ROOT / "pcapdiag" / "knowledge"
    causes = ("psk-missing", "no-interesting-traffic", "pfs-mismatch")
    entries = re.split(r"^(?=\[\[notify\]\])", (room / "notifies.toml").read_text(), flags=re.MULTILINE)
    notify = next(e for e in entries if "causes = []" in e or "'pfs-mismatch'" in e)
    files = {f"causes/{name}.toml": (room / "causes" / f"{name}.toml").read_text() for name in causes}
    states = (room / "states.toml").read_text()
    found = []
    for names in _chunks(causes, 1):
        index = f"schema_version = 1\ncauses = {json.dumps(names)}\n"
        whole = {"index.toml": index, "notifies.toml": "notify = []", "states.toml": states}
        whole |= {f"causes/{name}.toml": files[f"causes/{name}.toml"] for name in names}
        if "pfs-mismatch" in names:
            whole["notifies.toml"] = notify
        found.append("".join(f"#### {name}\n{text}\n" for name, text in whole.items()).encode())
    return tuple(found)


def _chunks(parts: Sequence[str], least: int) -> Iterator[Sequence[str]]:
    for count in range(least, len(parts) + 1):
        yield parts[:count]


def explain(data: bytes) -> None:
    """Any text as a topic, and as a log."""
    found = loading.load()
    topic = data.decode("utf-8", "replace")
    entry = found.find(topic)
    if entry is None:
        assert len(found.suggest(topic[:500])) <= 5
    layout = Layout(80, True)
    reading = found.read_log(topic.splitlines())
    shows_nothing_hostile(explain_report.render_log(reading, found, layout))
    is_json(explain_report.render_log_json(reading, found))
    if entry is not None:
        shows_nothing_hostile(explain_report.render(entry, found, layout))


@cache
def explain_seeds() -> Sequence[bytes]:
    """Names and log lines that are known."""
    found = loading.load()
    names = [entry.id for entry in (*found.states, *found.causes)] + [entry.name for entry in found.notifies]
    lines = [" ".join(entry.contains) for entry in found.debug_lines]
    log = "\n".join(lines[:20])
    return tuple(line.encode() for line in (*names, *lines, log))
