"""The report for a terminal: 80 columns or more, readable without colour.

One block an exchange: what happened in one line that can go into a ticket, then the ladder with the frames.
"""

import textwrap
from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from pcapdiag.capture.datagram import Frame
from pcapdiag.capture.icmp import icmp_name
from pcapdiag.diagnosis.grouping import Group, failing_first, group
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.tunnel import TunnelState
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Folded, Side, Step
from pcapdiag.exchange.tracker import TrackerCounts
from pcapdiag.findings import Findings
from pcapdiag.ike.registry import ExchangeType
from pcapdiag.report.ladder import Fold, alike, cited, marks_of, of_phase1, short_name, told_of
from pcapdiag.report.phrases import (
    again,
    capture_line,
    failing_line,
    leading_cause,
    loss_lines,
    one_line,
    peer_text,
    states,
    stopped_after,
    summary,
    tunnel_trouble,
)
from pcapdiag.report.terminal.colours import OUTCOME_COLOURS
from pcapdiag.report.terminal.layout import Layout, wrapped
from pcapdiag.report.terminal.why import why
from pcapdiag.report.wording import (
    MODE_NAMES,
    frame_list,
    frame_number,
    missing_text,
    offset,
    payload_details,
    payload_summary,
    proposal_lines,
    safe,
    spi_word,
    transform_text,
)

MAX_BLOCKS = 50


NARROW = 20
"""Columns of a rung: where there are fewer, a message that does not fit is its name alone."""


def render(report: Findings, layout: Layout) -> str:
    """The whole report."""
    layout = replace(layout, several=len(report.captures) > 1)
    return "".join(f"{line.rstrip()}\n" for line in _lines(report, layout))


def _lines(report: Findings, layout: Layout) -> Iterator[str]:
    if layout.detail < 0:
        for found in group(report.diagnoses):
            yield one_line(found, layout.called)
        return
    for number, capture in enumerate(report.captures, 1):
        prefix = f"{number}: " if len(report.captures) > 1 else ""
        yield from wrapped(prefix + capture_line(capture), layout)
    yield from losses(report.folded, report.counts, layout)
    groups = group(report.diagnoses)
    failing, rest = failing_first(groups)
    fold = layout.detail <= 0 and len(groups) > FOLDED_FROM
    if fold:
        yield ""
        yield from overview(report, failing, layout)
    told = [*failing, *([] if fold else rest)] if failing else groups[: 1 if fold else None]
    explained: set[tuple[str, str]] = set()
    for found in told[:MAX_BLOCKS]:
        yield ""
        yield from block(found, layout, explained)
    if len(told) > MAX_BLOCKS:
        yield ""
        text = f"And {len(told) - MAX_BLOCKS} more groups of exchanges, not shown one by one: see -q, --json or --peer."
        yield from wrapped(text, layout)
    if fold:
        yield from _folded_to_lines([g for g in groups if g not in told], layout)
    elif len(groups) > 1:
        yield ""
        yield from wrapped(summary(report.diagnoses, report.folded), layout)


FOLDED_FROM = 3
"""Of more groups of exchanges than this, those that work are a line each, behind those that fail."""
MAX_LINES_SHOWN = 40
"""So many of these lines, and rows of the table of peers that fail."""


def overview(report: Findings, failing: Sequence[Group], layout: Layout) -> Iterator[str]:
    """The first page of many exchanges: counts, and who fails: how often, since when, where, why."""
    yield from wrapped(summary(report.diagnoses, report.folded), layout)
    tunnels: dict[TunnelState, int] = {}
    for d in report.diagnoses:
        tunnels[d.tunnel.state] = tunnels.get(d.tunnel.state, 0) + 1
    of_those = " of those told" if report.folded else ""
    yield from wrapped(f"tunnels{of_those}: {', '.join(f'{n} {s.value}' for s, n in sorted(tunnels.items()))}", layout)
    if not failing:
        return
    yield ""
    yield layout.paint("  What fails", bold=True)
    for found in failing[:MAX_LINES_SHOWN]:
        yield from wrapped(f"  {failing_line(found, layout.called)}", layout, 4)
    if len(failing) > MAX_LINES_SHOWN:
        yield f"  and {len(failing) - MAX_LINES_SHOWN} more"


def _folded_to_lines(groups: Sequence[Group], layout: Layout) -> Iterator[str]:
    if not groups:
        return
    yield ""
    yield layout.paint("  The others, a line each (-v shows them in full)", bold=True)
    for found in groups[:MAX_LINES_SHOWN]:
        yield from wrapped(f"  {one_line(found, layout.called)}", layout, 4)
    if len(groups) > MAX_LINES_SHOWN:
        yield f"  and {len(groups) - MAX_LINES_SHOWN} more groups of exchanges (-q shows a line of each)"


Draw = Callable[[Diagnosis, Layout], Iterator[str]]
"""What draws the ladder of an exchange, line by line."""


def block(found: Group, layout: Layout, explained: set[tuple[str, str]], draw: Draw | None = None) -> Iterator[str]:
    """All that is said of exchanges that ended alike; explained -- see `why`; draw -- by default `ladder`."""
    yield from _exchange(found, layout, draw or ladder)
    yield from why(found.first, layout, explained)


def losses(folded: Sequence[Folded], counts: TrackerCounts, layout: Layout) -> Iterator[str]:
    """What is counted and not told one by one."""
    for line in loss_lines(folded, counts):
        yield from wrapped(line, layout, 4 if line.startswith(" ") else 2)


# --- one line --------------------------------------------------------------------------------------------------


# --- one exchange ----------------------------------------------------------------------------------------------


def _exchange(found: Group, layout: Layout, draw: Draw) -> Iterator[str]:
    diagnosis = found.first
    e, stop = diagnosis.exchange, diagnosis.stop
    ends = f"{layout.called(e.initiator.address)} → {layout.called(e.responder.address)}"
    title = wrapped(f"━━ Exchange {e.id}: {MODE_NAMES[e.mode]}, {ends} ", layout, 3)
    title[-1] += " " + "━" * (layout.width - len(title[-1]) - 1)
    for line in title:
        yield layout.paint(line, bold=True)
    verdict, colour = stop.outcome.value.upper(), OUTCOME_COLOURS[stop.outcome]
    trouble = tunnel_trouble(diagnosis)
    if trouble:
        verdict, colour = f"PHASE 1 UP, {trouble.upper()}", "red"
    where = f" after {stopped_after(e)}" if not diagnosis.completed else ""
    said = states(diagnosis)
    lines = wrapped(f"{verdict}{where}{': ' if said else ''}{said}", layout)
    yield lines[0].replace(verdict, layout.paint(verdict, fg=colour, bold=True), 1)
    yield from lines[1:]
    label = f"{diagnosis.evidence[0].id}: " if diagnosis.causes else ""
    yield from wrapped(f"{stop.reason} ({label}{frame_list(stop.frames, several=layout.several)})", layout, 2, "  ")
    cause = leading_cause(diagnosis)
    if cause:
        yield from wrapped(f"{cause[0].upper()}{cause[1:]}.", layout, 2, "  ")
    if len(found.members) > 1:
        yield from wrapped(again(found), layout, 2, "  ")
    yield ""
    yield from _facts(diagnosis, layout)
    yield ""
    yield from draw(diagnosis, layout)
    if diagnosis.exchange.uncounted:
        more = f"{diagnosis.exchange.uncounted} more messages, fragments and ICMP errors of this exchange"
        yield from wrapped(f"    {more} are only counted.", layout, 4)
    yield from after_phase1(diagnosis, layout)


def _facts(diagnosis: Diagnosis, layout: Layout) -> Iterator[str]:
    e = diagnosis.exchange
    answer = e.responder_spi.hex() if e.responder_spi else "none seen"
    yield f"  {spi_word(e):<9}  {e.initiator_spi.hex()} → {answer}"
    if e.other_responder_spis:
        others = ", ".join(s.hex() for s in e.other_responder_spis)
        yield from wrapped(f"  the responder also answered with {others}", layout, 13)
    for name, peer in (("initiator", e.initiator), ("responder", e.responder)):
        yield from wrapped(f"  {name}  {peer_text(peer, layout.called(peer.address))}", layout, 13)
    if not e.roles_certain:
        yield from wrapped("  The beginning is not in the capture; who is the initiator is inferred.", layout, 2)
    if diagnosis.chosen:
        suite = ", ".join(transform_text(t) for t in diagnosis.chosen)
        yield from wrapped(f"  chosen     {suite}", layout, 13)
    if diagnosis.offered and (not diagnosis.chosen or layout.detail > 0):
        lines = proposal_lines(diagnosis.offered)
        for number, line in enumerate(lines[: None if layout.detail > 0 else 6]):
            yield from wrapped(f"  {'offered' if number == 0 else '':9}  {line}", layout, 13)
        if layout.detail <= 0 and len(lines) > 6:
            yield f"             and {len(lines) - 6} more (-v shows all)"


# --- the ladder ------------------------------------------------------------------------------------------------


def ladder(diagnosis: Diagnosis, layout: Layout) -> Iterator[str]:
    """Phase 1, message by message, with the frames; everything where more is asked for."""
    exchange, stop = diagnosis.exchange, diagnosis.stop
    marks = marks_of(i for i in diagnosis.evidence if i.id in cited(diagnosis.causes))
    shown = [s for s in exchange.steps if of_phase1(s)] if layout.detail <= 0 else list(exchange.steps)
    start = exchange.first_time
    width = layout.width - 46
    left, right = exchange.initiator.address, exchange.responder.address
    if len(left) + len(right) > width + 10:
        left, right = "initiator", "responder"
    yield layout.paint(f"  {'frame':>7}  {'time':>11}   {left}{right:>{width + 12 - len(left)}}", dim=True)
    runs = list(alike(shown))
    told = told_of(runs, diagnosis) if layout.detail <= 0 else range(len(runs))
    folded: list[Step] = []
    for number, (first, *rest) in enumerate(runs):
        if number not in told:
            folded += (first, *rest)
            continue
        yield from _folded(folded, start, layout)
        folded = []
        yield _rung(first, start, width, layout) + _mark(first, marks)
        yield from _repeats(first, layout)
        if rest:
            frames = frame_list((f for s in rest for f in s.frames), several=layout.several)
            text = f"{len(rest)} more like it, each its own message ({frames})"
            yield from textwrap.wrap(text, layout.width, initial_indent=" " * 23, subsequent_indent=" " * 23)
    yield from _folded(folded, start, layout)
    if stop.missing and stop.waits_for and stop.outcome is not Outcome.REJECTED:
        for line in _noted("", "", f"✗ {missing_text(exchange, stop)}", layout):
            yield layout.paint(line, fg=OUTCOME_COLOURS[stop.outcome])
    for error in exchange.icmp_errors[:3]:
        text = f"! ICMP {icmp_name(error)} from {error.source}"
        yield from _noted(frame_number(error.frame, several=layout.several), offset(error.time - start), text, layout)
    if len(exchange.icmp_errors) > 3:
        yield from _noted("", "", f"! and {len(exchange.icmp_errors) - 3} more such errors", layout)


def _folded(steps: Sequence[Step], start: int, layout: Layout) -> Iterator[str]:
    """A line for messages that are not told one by one."""
    if not steps:
        return
    fold = Fold(tuple(steps))
    counts = ", ".join(f"{count} {label}" for label, count in fold.counts.items())
    first = fold.steps[0].first
    text = f"⋮ {counts}, until {offset(fold.steps[-1].last.time - start)} s (-v shows each)"
    yield from _noted(frame_number(first.frame, several=layout.several), offset(first.time - start), text, layout)


def _noted(frame: str, offset: str, text: str, layout: Layout) -> list[str]:
    """A line of the ladder that is no message."""
    return wrapped(text, layout, 26, f"  {frame:>7}  {offset:>11}   ")


def _mark(step: Step, marks: dict[Frame, list[str]]) -> str:
    found = list(dict.fromkeys(i for frame in step.frames for i in marks.get(frame, ())))
    return f"  {' '.join(found[:2])}{'…' if len(found) > 2 else ''}" if found else ""


def _rung(step: Step, start: int, width: int, layout: Layout) -> str:
    label = f"{short_name(step)} {payload_summary(step)}"
    if not step.whole:
        pieces = f"fragments missing: {', '.join(map(str, step.missing))}" if step.missing else "IP fragments missing"
        label += f" ({pieces})"
    if width < NARROW and len(label) > width - 6:
        label = short_name(step)
    label = label if len(label) <= width - 6 else label[: width - 7] + "…"
    to_right = step.sender is Side.INITIATOR
    sight = step.first
    near, far = (sight.source_port, sight.destination_port) if to_right else (sight.destination_port, sight.source_port)
    line = f"─ {label} ".ljust(width - 1, "─") + "▶" if to_right else "◀" + f" {label} ─".rjust(width - 1, "─")
    return (
        f"  {frame_number(sight.frame, several=layout.several):>7}  {offset(sight.time - start):>11}  {near:>5} "
        f"{layout.paint(line, fg='cyan' if to_right else 'magenta')} {far}"
    )


def _repeats(step: Step, layout: Layout) -> Iterator[str]:
    indent = " " * 23
    repeats = step.sent[1:]
    if repeats:
        offsets = ", ".join(offset(s.time - step.first.time) for s in repeats[:6])
        more = f" and {len(repeats) - 6 + step.uncounted} more" if len(repeats) > 6 or step.uncounted else ""
        frames = frame_list((f for s in repeats for f in s.frames), several=layout.several)
        text = f"sent again {len(repeats) + step.uncounted}×: {offsets}{more} ({frames})"
        yield from textwrap.wrap(text, layout.width, initial_indent=indent, subsequent_indent=indent)
    for detail in payload_details(step) if layout.detail > 0 else ():
        yield from textwrap.wrap(safe(detail), layout.width, initial_indent=indent, subsequent_indent=f"{indent}  ")
    if step.duplicates and layout.detail > 0:
        frames = frame_list((f for s in step.duplicates for f in s.frames), several=layout.several)
        yield f"{indent}recorded twice ({frames})"


def after_phase1(diagnosis: Diagnosis, layout: Layout) -> Iterator[str]:
    """What followed phase 1, summed up; nothing where the ladder has it all."""
    e = diagnosis.exchange
    if layout.detail > 0:
        return
    rest = [s for s in e.steps if not of_phase1(s) and s.exchange_type != ExchangeType.QUICK]
    if diagnosis.phase2 or rest:
        yield ""
    for quick in diagnosis.phase2[:4]:
        frames = frame_list(quick.frames, several=layout.several)
        text = f"  {quick.title}: {quick.outcome.value}. {quick.reason} ({frames})"
        yield from wrapped(text, layout, 4)
    if len(diagnosis.phase2) > 4:
        yield f"  and {len(diagnosis.phase2) - 4} more (-v shows all)"
    names = dict.fromkeys(s.exchange_type.label for s in rest)
    for name in names:
        steps = [s for s in rest if s.exchange_type.label == name]
        frames = frame_list((f for s in steps for f in s.frames), several=layout.several)
        yield from wrapped(f"  {len(steps)} {name} message{'s' * (len(steps) > 1)} ({frames})", layout, 4)


# --- many exchanges --------------------------------------------------------------------------------------------
