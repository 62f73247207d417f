"""Every IKE message, a line each, for people: `pcapdiag messages` without a format."""

import textwrap
from collections.abc import Iterator, Sequence

from pcapdiag.exchange.model import Side
from pcapdiag.findings import Findings
from pcapdiag.report.tables.columns import MESSAGES, TABLES, Kind
from pcapdiag.report.tables.rows import PlacedSighting, Row, capture_names, message_row, placed_sightings
from pcapdiag.report.terminal.layout import Layout, wrapped
from pcapdiag.report.wording import clock, day, payload_summary, seconds

TOLD = frozenset(
    (
        *("exchange", "name", "transmission", "duplicate", "gap", "time", "capture", "file", "frame", "source"),
        *("source_port", "destination", "destination_port", "transport", "encrypted", "decrypted", "whole", "problem"),
    )
)
"""Columns that a line tells in its own way; the others stand below it where all is wanted."""
LEAST = 28
"""Columns that what a message holds gets. Where the addresses leave less, a heading names those of an exchange, and its
rows have arrows."""


def message_lines(report: Findings, layout: Layout) -> Iterator[str]:
    """A table with a heading for each day; of a verbose layout with the other columns below each row."""
    found = placed_sightings(report)
    if not found:
        return
    names = capture_names(report)
    for number, name in enumerate(names, 1):
        yield from wrapped(f"{number}: {name}" if len(names) > 1 else name, layout)
    table = _Table(found, layout)
    yield layout.paint(table.head("frame", "time", "ex", "from → to", "port") + "  message", bold=True)
    today = ""
    for placed in found:
        date = day(placed.sighting.time)
        if date != today:
            yield f"── {date} UTC ──"
            today = date
        yield from table.row(placed)
        if layout.detail > 0:
            indent = table.frame + 2
            yield from wrapped(_rest(message_row(placed, names)), layout, indent, " " * indent)


class _Table:
    """The rows, whose columns have the same widths throughout."""

    def __init__(self, found: Sequence[PlacedSighting], layout: Layout) -> None:
        self._layout = layout
        self._several = len({c.sighting.frame.capture for c in found}) > 1
        self.frame = max(5, *(len(self._frame(c)) for c in found))
        self._exchange = max(2, len(str(max(c.exchange.id for c in found))))
        self._port = max(4, *(len(_port(c)) for c in found))
        self._ends = max(len(_ends(c)) for c in found)
        self._arrows = False
        self._arrows = len(self.head("", "", "", "", "")) + 2 + LEAST > layout.width
        self._named: set[int] = set()

    def head(self, frame: str, time: str, exchange: str, ends: str, port: str) -> str:
        """A row without what the message holds."""
        left = f"{frame:>{self.frame}}  {time:<12}  {exchange:>{self._exchange}}"
        ends = (ends if len(ends) == 1 else " ") if self._arrows else f" {ends:<{self._ends}}"
        return f"{left} {ends}  {port:<{self._port}}"

    def row(self, placed: PlacedSighting) -> Iterator[str]:
        """The lines of one message."""
        exchange, time = placed.exchange, placed.sighting.time
        if self._arrows and exchange.id not in self._named:
            self._named.add(exchange.id)
            yield f"── exchange {exchange.id}: {exchange.initiator.address} → {exchange.responder.address} ──"
        instant = f"{clock(time)}.{time // 1_000_000 % 1000:03d}"
        ends = ("▶" if placed.step.sender is Side.INITIATOR else "◀") if self._arrows else _ends(placed)
        head = self.head(self._frame(placed), instant, str(exchange.id), ends, _port(placed))
        again = placed.duplicate or placed.transmission > 1
        text = _text(placed) + (_elsewhere(placed) if self._arrows else "")
        room = max(LEAST, self._layout.width - len(head) - 2)
        for line in textwrap.wrap(text, room, subsequent_indent="  ", break_on_hyphens=False):
            yield f"{head}  {self._layout.paint(line, dim=True) if again else line}"
            head = " " * len(head)

    def _frame(self, placed: PlacedSighting) -> str:
        """The frame, with the number of its capture in front where there are several."""
        frame = placed.sighting.frame
        return f"{frame.capture + 1}:{frame.number}" if self._several else str(frame.number)


def _elsewhere(placed: PlacedSighting) -> str:
    """The addresses that are not those of the heading: before or behind a NAT."""
    sender = placed.exchange.peer(placed.step.sender)
    receiver = placed.exchange.peer(placed.step.sender.other)
    sighting = placed.sighting
    source = f", from {sighting.source}" if sighting.source != sender.address else ""
    return source + (f", to {sighting.destination}" if sighting.destination != receiver.address else "")


def _ends(placed: PlacedSighting) -> str:
    return f"{placed.sighting.source} → {placed.sighting.destination}"


def _port(placed: PlacedSighting) -> str:
    sighting = placed.sighting
    transport = "" if sighting.transport == "udp" else f"{sighting.transport} "
    if sighting.source_port == sighting.destination_port:
        return f"{transport}{sighting.source_port}"
    return f"{transport}{sighting.source_port}→{sighting.destination_port}"


def _text(placed: PlacedSighting) -> str:
    """What it is and holds; of a repetition, of what it is one."""
    step = placed.step
    if placed.duplicate:
        return f"{step.name} recorded again" + (f" ({placed.transmission})" if placed.transmission > 1 else "")
    if placed.gap is not None:
        return f"{step.name} again ({placed.transmission}), after {seconds(placed.gap)}"
    marks = ["" if step.whole else "; pieces are missing", f"; {step.message.problem}" if step.message.problem else ""]
    return f"{step.name}  {payload_summary(step)}{''.join(marks)}"


def _rest(row: Row) -> str:
    """The columns that the line does not tell, by their names, as far as they hold something."""
    parts = []
    for column, value in zip(MESSAGES, row, strict=True):
        if column.name in TOLD or value is None or value == () or value is False:
            continue
        values = value if isinstance(value, tuple) else () if value is True else (value,)
        parts.append(f"{column.name} {', '.join(map(str, values))}".rstrip())
    return "; ".join(parts)


def column_lines(table: str, layout: Layout) -> Iterator[str]:
    """What the columns of a table are, for people: name, dtype, meaning."""
    columns = TABLES[table]
    name, dtype = (
        max(len(text) for text in texts) for texts in zip(*((c.name, c.dtype) for c in columns), strict=True)
    )
    for column in columns:
        values = f" ({', '.join(column.categories)})" if column.kind is Kind.CATEGORY else ""
        first = f"{column.name:<{name}}  {column.dtype:<{dtype}}  "
        yield from wrapped(column.meaning + values, layout, len(first), first)
