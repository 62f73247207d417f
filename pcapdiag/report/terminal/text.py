"""The report for a terminal: 80 columns or more, readable without colour.

One block an exchange: what happened in one line that can go into a ticket, then the ladder with the frames.
"""

import textwrap
from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.evidence.path_facts import icmp_name
from pcapdiag.diagnosis.grouping import Crowd, Group, crowds, failing_first, group
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.tunnel import TunnelState
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Exchange, Folded, Mode, Peer, Side, Step
from pcapdiag.exchange.tracker import TrackerCounts
from pcapdiag.findings import CaptureReport, Findings
from pcapdiag.ike.registry import ExchangeType
from pcapdiag.report.ladder import alike, cited, marks_of, of_phase1, short_name
from pcapdiag.report.terminal.layout import Layout, wrapped
from pcapdiag.report.terminal.why import leading_cause, why
from pcapdiag.report.wording import (
    MODE_NAMES,
    contents,
    frame_list,
    frame_number,
    instant,
    missing_text,
    number_ranges,
    offset,
    payload_details,
    payload_summary,
    proposal_lines,
    safe,
    seconds,
    spi_word,
    transform_text,
)

MAX_BLOCKS = 50
MAX_CROWDS = 8
"""Groups of exchanges that are shown one by one; the rest is counted."""

_COLOURS = {
    Outcome.COMPLETED: "green",
    Outcome.STALLED: "red",
    Outcome.REJECTED: "red",
    Outcome.SUPERSEDED: "yellow",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.PARTIAL: "cyan",
}


def render(report: Findings, layout: Layout) -> str:
    """The whole report."""
    layout = replace(layout, several=len(report.captures) > 1)
    return "".join(f"{line.rstrip()}\n" for line in _lines(report, layout))


def _lines(report: Findings, layout: Layout) -> Iterator[str]:
    if layout.detail < 0:
        for found in group(report.diagnoses):
            yield one_line(found)
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
        yield from overview(report.diagnoses, failing, layout)
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
        yield from wrapped(summary(report.diagnoses), layout)


FOLDED_FROM = 3
"""Of more groups of exchanges than this, those that work are a line each, behind those that fail."""
MAX_LINES_SHOWN = 40
"""So many of these lines, and rows of the table of peers that fail."""


def overview(diagnoses: Sequence[Diagnosis], failing: Sequence[Group], layout: Layout) -> Iterator[str]:
    """The first page of many exchanges: counts, and who fails: how often, since when, where, why."""
    yield from wrapped(summary(diagnoses), layout)
    tunnels: dict[TunnelState, int] = {}
    for d in diagnoses:
        tunnels[d.tunnel.state] = tunnels.get(d.tunnel.state, 0) + 1
    yield from wrapped(f"tunnels: {', '.join(f'{n} {s.value}' for s, n in sorted(tunnels.items()))}", layout)
    if not failing:
        return
    yield ""
    yield layout.paint("  What fails", bold=True)
    for found in failing[:MAX_LINES_SHOWN]:
        yield from wrapped(f"  {_failing_line(found)}", layout, 4)
    if len(failing) > MAX_LINES_SHOWN:
        yield f"  and {len(failing) - MAX_LINES_SHOWN} more"


def _failing_line(found: Group) -> str:
    first, last = found.first.exchange, found.members[-1].exchange
    ends = f"{first.initiator.address} → {first.responder.address}"
    if found.responders > 1:
        ends = f"{first.initiator.address} → {found.responders} responders"
    elif found.initiators > 1:
        ends = f"{found.initiators} initiators → {first.responder.address}"
    times = f"{len(found.members)} times since {instant(first.first_time)}, last {instant(last.first_time)}"
    when = times if len(found.members) > 1 else f"once, {instant(first.first_time)}"
    stopped = tunnel_trouble(found.first) or f"{found.first.stop.outcome.value} after {stopped_after(first)}"
    cause = leading_cause(found.first)
    return f"{ends}: {when}; {stopped}{f'; {cause}' if cause else ''} (exchange {first.id})"


def _folded_to_lines(groups: Sequence[Group], layout: Layout) -> Iterator[str]:
    if not groups:
        return
    yield ""
    yield layout.paint("  The others, a line each (-v shows them in full)", bold=True)
    for found in groups[:MAX_LINES_SHOWN]:
        yield from wrapped(f"  {one_line(found)}", layout, 4)
    if len(groups) > MAX_LINES_SHOWN:
        yield f"  and {len(groups) - MAX_LINES_SHOWN} more groups of exchanges (-q shows a line of each)"


Draw = Callable[[Diagnosis, Layout], Iterator[str]]
"""What draws the ladder of an exchange, line by line."""


def block(found: Group, layout: Layout, explained: set[tuple[str, str]], draw: Draw | None = None) -> Iterator[str]:
    """All that is said of exchanges that ended alike; explained -- see `why`; draw -- by default `ladder`."""
    yield from _exchange(found, layout, draw or ladder)
    yield from why(found.first, layout, explained)


def one_line(found: Group) -> str:
    """Exchanges that ended alike in one line, with how many there are."""
    return headline(found.first) + how_many(found)


def how_many(found: Group) -> str:
    """How often that was, for the end of a line; empty for once."""
    if len(found.members) == 1:
        return ""
    peers = ""
    if found.responders > 1:
        peers = f" to {found.responders} responders"
    elif found.initiators > 1:
        peers = f" from {found.initiators} initiators"
    return f" ({len(found.members)} times{peers})"


def capture_line(capture: CaptureReport) -> str:
    """One capture, and what it held."""
    s = capture.summary
    span = ""
    if s.first_time is not None and s.last_time is not None:
        span = f" in {seconds(s.last_time - s.first_time)} from {instant(s.first_time)}"
    held = contents(s, capture.ike_messages, capture.not_ike)
    cut = "; the file is cut or damaged" if s.truncated else ""
    snapped = f"; {s.snapped} frames only captured in part" if s.snapped else ""
    return f"{safe(s.path)}: {s.frames} frames{span}: {held}{snapped}{cut}"


def losses(folded: Sequence[Folded], counts: TrackerCounts, layout: Layout) -> Iterator[str]:
    """What is counted and not told one by one."""
    for line in loss_lines(folded, counts):
        yield from wrapped(line, layout, 4 if line.startswith(" ") else 2)


def loss_lines(folded: Sequence[Folded], counts: TrackerCounts) -> Iterator[str]:
    """The same, each sentence on a line however long; what belongs to the one above is indented."""
    if folded:
        total = sum(f.exchanges for f in folded)
        yield f"More exchanges than are told one by one; {total} are only counted:"
        found = crowds(folded)
        for crowd in found[:MAX_CROWDS]:
            yield f"  {_crowd(crowd)}"
        if len(found) > MAX_CROWDS:
            rest = sum(c.exchanges for c in found[MAX_CROWDS:])
            yield f"  {rest} others, between {len(found) - MAX_CROWDS} pairs of ends: see --json"
    if counts.icmp_unmatched:
        yield f"{counts.icmp_unmatched} ICMP errors quote datagrams on IKE ports that belong to no exchange here."


def _crowd(crowd: Crowd) -> str:
    first = crowd.first
    source = _ends(first.initiator, crowd.initiators, crowd.more_initiators, "initiators")
    target = _ends(first.responder, crowd.responders, crowd.more_responders, "responders")
    how = f"{first.outcome}, last seen {first.last_message}" if first.outcome else f"nothing after {first.last_message}"
    return (
        f"{crowd.exchanges} × {source} → {target}, {MODE_NAMES[first.mode]}: {how}; {crowd.messages} messages in "
        f"{seconds(crowd.last_time - crowd.first_time)} from frame {first.first_frame.number} on"
    )


def _ends(name: str | None, known: int, more: bool, what: str) -> str:
    if known == 1 and name and not more:
        return name
    return f"{'more than ' if more else ''}{known} {what}" if known else f"many {what}"


# --- one line --------------------------------------------------------------------------------------------------


def headline(diagnosis: Diagnosis, with_cause: bool = True) -> str:
    """The exchange in one line that can be pasted into a ticket."""
    e, stop = diagnosis.exchange, diagnosis.stop
    mode = MODE_NAMES[e.mode]
    where = f" after {stopped_after(e)}" if not diagnosis.completed else ""
    cause = leading_cause(diagnosis) if with_cause else None
    why_ = f"; {cause}" if cause else ""
    said = states(diagnosis) or f"{stop.reason[0].lower()}{stop.reason[1:].rstrip('.')}"
    trouble = tunnel_trouble(diagnosis)
    how = f"{stop.outcome.value}, {trouble}" if trouble else f"{stop.outcome.value}{where}"
    return f"{e.initiator.address} → {e.responder.address} {mode}: {how}; {said}{why_}"


def tunnel_trouble(diagnosis: Diagnosis) -> str:
    """What is wrong with the tunnel of a phase 1 that completed: "no tunnel"; empty where nothing says so."""
    return _TROUBLE.get(diagnosis.tunnel.state, "") if diagnosis.completed else ""


_TROUBLE = {
    TunnelState.NO_CHILD: "no tunnel",
    TunnelState.LOST: "tunnel lost",
    TunnelState.ONE_WAY: "traffic one way only",
}


def states(diagnosis: Diagnosis) -> str:
    """The states of both ends in words, and phase 2 where it fails; empty where the mode has none and nobody waits."""
    stop = diagnosis.stop
    parts = []
    for name, found in (("initiator", stop.initiator_state), ("responder", stop.responder_state)):
        if found:
            waits = " waits in" if found[0].startswith("IKE_") else ""
            parts.append(f"{name}{waits} {' or '.join(found)}")
    outcomes = [p.outcome for p in diagnosis.phase2]
    if outcomes and Outcome.COMPLETED not in outcomes:
        parts.append(f"{diagnosis.phase2[0].name} {outcomes[0].value}")
    return ", ".join(parts)


def stopped_after(exchange: Exchange) -> str:
    """The message that it got to: "MM5", "IKE_AUTH response"."""
    last = exchange.last_message
    if last is not None and exchange.mode in (Mode.MAIN, Mode.AGGRESSIVE):
        return f"{'MM' if exchange.mode is Mode.MAIN else 'AM'}{last}"
    return exchange.steps[-1].name


# --- one exchange ----------------------------------------------------------------------------------------------


def _exchange(found: Group, layout: Layout, draw: Draw) -> Iterator[str]:
    diagnosis = found.first
    e, stop = diagnosis.exchange, diagnosis.stop
    title = wrapped(
        f"━━ Exchange {e.id}: {MODE_NAMES[e.mode]}, {e.initiator.address} → {e.responder.address} ", layout, 3
    )
    title[-1] += " " + "━" * (layout.width - len(title[-1]) - 1)
    for line in title:
        yield layout.paint(line, bold=True)
    verdict, colour = stop.outcome.value.upper(), _COLOURS[stop.outcome]
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
        yield from wrapped(f"  {name}  {peer_text(peer)}", layout, 13)
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


def peer_text(peer: Peer) -> str:
    """An end: its address, others that it was seen with, what it calls itself and what it is."""
    also = f" (also seen as {', '.join(peer.aliases)})" if peer.aliases else ""
    vendors = f"  {safe(_some(peer.vendors))}" if peer.vendors else ""
    identities = f", calls itself {safe(_some(peer.identities))}" if peer.identities else ""
    return f"{peer.address}{also}{vendors}{identities}"


def _some(names: Sequence[str], limit: int = 8) -> str:
    """Names with commas; of more than anybody has, a few."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def again(group: Group) -> str:
    """How often the first of a group happened again, and when."""
    first, last = group.first.exchange, group.members[-1].exchange
    others = len(group.members) - 1
    whom = ""
    if group.responders > 1:
        whom = f", to {group.responders} responders in all"
    elif group.initiators > 1:
        whom = f", from {group.initiators} initiators in all"
    span = seconds(last.first_time - first.first_time)
    if others == 1:
        return f"The same once more (exchange {last.id}{whom}), {span} after it began."
    ids = f"exchanges {number_ranges(d.exchange.id for d in group.members[1:])}"
    gap = seconds(group.usual_gap)
    return f"The same {others} times more{whom} ({ids}), mostly {gap} apart; the last began {span} after the first."


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
    for first, *rest in alike(shown):
        yield _rung(first, start, width, layout) + _mark(first, marks)
        yield from _repeats(first, layout)
        if rest:
            frames = frame_list((f for s in rest for f in s.frames), several=layout.several)
            text = f"{len(rest)} more like it, each its own message ({frames})"
            yield from textwrap.wrap(text, layout.width, initial_indent=" " * 23, subsequent_indent=" " * 23)
    if stop.missing and stop.waits_for and stop.outcome is not Outcome.REJECTED:
        for line in _noted("", "", f"✗ {missing_text(exchange, stop)}", layout):
            yield layout.paint(line, fg=_COLOURS[stop.outcome])
    for error in exchange.icmp_errors[:3]:
        text = f"! ICMP {icmp_name(error)} from {error.source}"
        yield from _noted(frame_number(error.frame, several=layout.several), offset(error.time - start), text, layout)
    if len(exchange.icmp_errors) > 3:
        yield from _noted("", "", f"! and {len(exchange.icmp_errors) - 3} more such errors", layout)


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
        yield from wrapped(f"  {len(steps)} {name} messages ({frames})", layout, 4)


# --- many exchanges --------------------------------------------------------------------------------------------


def summary(diagnoses: Sequence[Diagnosis]) -> str:
    """How many exchanges there are, and how they ended."""
    counts: dict[Outcome, int] = {}
    for d in diagnoses:
        counts[d.stop.outcome] = counts.get(d.stop.outcome, 0) + 1
    parts = ", ".join(f"{n} {o.value}" for o, n in sorted(counts.items(), key=lambda x: -x[1]))
    total = len(diagnoses)
    conversations = len({d.exchange.conversation for d in diagnoses})
    return f"{total} exchange{'s' * (total > 1)} in {conversations} conversation{'s' * (conversations > 1)}: {parts}"
