"""A comparison for a terminal: the points and their clocks, then each exchange with a line for each point."""

from collections.abc import Iterator

from pcapdiag.capture.icmp import icmp_name
from pcapdiag.comparison.fates import Fate, Transmission
from pcapdiag.comparison.points import letter
from pcapdiag.comparison.results import Compared
from pcapdiag.diagnosis.grouping import group
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Side
from pcapdiag.report import phrases
from pcapdiag.report.compare_rows import Arrow, fate_text, frames_at, order, path_lines, point_lines, rows
from pcapdiag.report.terminal import text
from pcapdiag.report.terminal.layout import Layout, wrapped
from pcapdiag.report.wording import frame_list, missing_text, offset, safe

MAX_BLOCKS = 50
_CELL = 7
"""Columns for a frame number at a point."""
_TIME = 12
_TAIL = 11
_LEAST = 12
"""Columns of a stretch between two points, at least."""


def render(comparison: Compared, layout: Layout) -> str:
    """The whole report."""
    return "".join(f"{line.rstrip()}\n" for line in _lines(comparison, layout))


def _lines(comparison: Compared, layout: Layout) -> Iterator[str]:
    groups = group(comparison.diagnoses)
    if layout.detail < 0:
        for found in groups:
            yield phrases.one_line(found, layout.called)
        return
    for line in point_lines(comparison):
        yield from _wrapped(line, layout)
    for line in path_lines(comparison):
        yield from _wrapped(line, layout)
    report = comparison.report
    yield from text.losses(report.folded, report.counts, layout)
    explained: set[tuple[str, str]] = set()

    def draw(diagnosis: Diagnosis, drawn: Layout) -> Iterator[str]:
        return ladder(comparison, diagnosis, drawn)

    for found in groups[:MAX_BLOCKS]:
        yield ""
        yield from text.block(found, layout, explained, draw)
    if len(groups) > MAX_BLOCKS:
        yield ""
        yield f"And {len(groups) - MAX_BLOCKS} more groups of exchanges: see -q, --json or --peer."
    if len(groups) > 1:
        yield ""
        yield from wrapped(phrases.summary(report.diagnoses), layout)


def _wrapped(line: str, layout: Layout) -> Iterator[str]:
    inner = line.startswith("  ")
    yield from wrapped(safe(line.strip()), layout, 4 if inner else 2, "  " if inner else "")


def ladder(comparison: Compared, diagnosis: Diagnosis, layout: Layout) -> Iterator[str]:
    """The ladder: a column for each point, an arrow for each transmission, which ends where it was last seen."""
    exchange = diagnosis.exchange
    points = order(comparison, exchange)
    stretch = max((layout.width - _TIME - 2 - _CELL * len(points) - _TAIL) // max(len(points) - 1, 1), _LEAST)
    head = "".join(f"{letter(p):^{_CELL}}{_nat(comparison, p, q, stretch)}" for p, q in _pairs(points))
    yield layout.paint(f"  {'time':>{_TIME - 2}}  {head}", dim=True)
    found, left = rows(comparison, diagnosis, everything=layout.detail > 0)
    start = exchange.first_time
    for row in found:
        if isinstance(row, Arrow):
            line = _arrow(row, points, stretch, row.step.sender is Side.INITIATOR)
            colour = "red" if row.sent.lost else "cyan" if row.step.sender is Side.INITIATOR else "magenta"
            yield f"  {offset(row.sent.time - start):>{_TIME - 2}}  {layout.paint(line, fg=colour)}"
            notes = [row.after]
            if row.sent.fate is Fate.LOST and not row.sent.proven:
                notes.insert(0, f"it is {row.sent.why}" if row.sent.why.startswith("behind") else row.sent.why)
            if row.sent.fate in (Fate.UNSEEN, Fate.ELSEWHERE):
                notes.insert(0, fate_text(row.sent))
            for note in filter(None, notes):
                yield from wrapped(safe(note), layout, _TIME + 4, " " * (_TIME + 4))
        else:
            first = row.errors[0]
            again = f" ({len(row.errors)}×)" if len(row.errors) > 1 else ""
            frames = frame_list((e.frame for e in row.errors), several=True)
            note = f"! ICMP {icmp_name(first)} from {first.source}{again}, {frames}"
            yield from wrapped(note, layout, _TIME + 4, f"  {offset(first.time - start):>{_TIME - 2}}  ")
    stop = diagnosis.stop
    if stop.missing and stop.waits_for and stop.outcome is not Outcome.REJECTED:
        note = f"✗ {missing_text(exchange, stop)}"
        for line in wrapped(note, layout, _TIME + 4, " " * (_TIME + 2)):
            yield layout.paint(line, fg="red")
    if left:
        yield from wrapped(f"{left} more packets are not drawn (-v shows them).", layout, 4, "  ")


def _pairs(points: tuple[int, ...]) -> Iterator[tuple[int, int | None]]:
    for place, point in enumerate(points):
        yield point, points[place + 1] if place + 1 < len(points) else None


def _nat(comparison: Compared, one: int, other: int | None, width: int) -> str:
    """What stands over the stretch between two points: NAT, where addresses change there."""
    if other is None:
        return ""
    changed = any({c.first, c.then} == {one, other} and c.kind in ("source", "destination") for c in comparison.changes)
    return f"{'NAT' if changed else '':^{width}}"


def _arrow(row: Arrow, points: tuple[int, ...], stretch: int, to_right: bool) -> str:
    """One transmission on one line."""
    sent = row.sent
    cells = [f"{frames_at(sent, p):^{_CELL}}" for p in points]
    seen = [bool(sent.passages[p].frames) for p in points]
    label = row.label
    stretches = []
    order_of = range(len(points) - 1) if to_right else range(len(points) - 2, -1, -1)
    drawn: dict[int, str] = {}
    for place in order_of:
        near, far = (place, place + 1) if to_right else (place + 1, place)
        if not seen[near] and not seen[far]:
            drawn[place] = " " * stretch
            continue
        end = _end(sent, seen[far], to_right)
        drawn[place] = _stretch(label, end, stretch, to_right, dotted=not seen[near])
        label = ""
    stretches = [drawn[place] for place in range(len(points) - 1)]
    line = cells[0] + "".join(s + c for s, c in zip(stretches, cells[1:], strict=True))
    return f"{line} {_tail(sent)}"


def _end(sent: Transmission, far: bool, to_right: bool) -> str:
    if far:
        return "▶" if to_right else "◀"
    if sent.fate is Fate.LOST:
        return "✗"
    return "?"


def _stretch(label: str, end: str, width: int, to_right: bool, dotted: bool) -> str:
    """The line of an arrow between two points, with its label, and its head or where it is lost."""
    line = "┄" if dotted else "─"
    lost = end in "✗?"
    room = width - 5 - (6 if lost else 0)
    label = label if len(label) <= room else f"{label[: max(room - 1, 0)]}…"
    words = f" {label} " if label else ""
    gap = " " * (6 if lost else 0)
    if to_right:
        return f"{line}{words}".ljust(width - len(gap) - 1, line) + end + gap
    return gap + end + f"{words}{line}".rjust(width - len(gap) - 1, line)


def _tail(sent: Transmission) -> str:
    if sent.fate is Fate.LOST:
        return "lost" if sent.proven else "lost?"
    if sent.delay is None:
        return ""
    value = sent.delay / 1e6
    return f"{value:.2f} ms" if abs(value) < 100 else f"{value / 1000:.2f} s"
