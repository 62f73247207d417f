"""What a watch tells, for a terminal: a line for each message, a block for each verdict, a summary at the end."""

from collections.abc import Iterator, Sequence

from pcapdiag.capture.icmp import icmp_name
from pcapdiag.capture.source import InterfaceCounts
from pcapdiag.diagnosis.grouping import Group, group
from pcapdiag.diagnosis.outcome.retransmission import Pending
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Folded
from pcapdiag.live.events import Bounced, Event, Evicted, Notice, Seen, Summary, Unlisted, Verdict, Waiting
from pcapdiag.report.phrases import Called, headline, one_line
from pcapdiag.report.terminal.colours import OUTCOME_COLOURS
from pcapdiag.report.terminal.layout import Layout, wrapped
from pcapdiag.report.terminal.text import MAX_BLOCKS, block, losses
from pcapdiag.report.wording import clock, contents, day, instant, payload_summary, safe, seconds
from pcapdiag.units import SECOND


class LiveText:
    """Turns events into lines. Layout.detail below 0: verdicts only, a line each."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._day = ""

    def render(self, events: Sequence[Event]) -> str:
        """The lines for these events."""
        shown = [e for e in events if not (isinstance(e, Verdict) and e.last)]
        lines = [line for event in shown for line in self._event(event)]
        left = [e for e in events if isinstance(e, Verdict) and e.last]
        if left:
            lines += self._left([e.diagnosis for e in left], left[0].time)
        return "".join(f"{line.rstrip()}\n" for line in lines)

    def _event(self, event: Event) -> Iterator[str]:
        quiet = self._layout.detail < 0
        if isinstance(event, Verdict):
            yield from self._verdict(event)
        elif isinstance(event, Notice):
            yield from self._note(event.time, safe(event.text))
        elif quiet:
            return
        elif isinstance(event, Seen):
            yield from self._seen(event)
        elif isinstance(event, Bounced):
            error = event.error
            quoted = f"{error.quoted.source} → {error.quoted.destination}"
            text = f"ICMP {icmp_name(error)} from {error.source}, about {quoted} (exchange {event.exchange})"
            yield from self._note(event.time, text, "! ", "yellow")
        elif isinstance(event, Waiting):
            yield from self._note(event.time, _waiting(event, self._layout.called), "… ", "yellow")
        elif isinstance(event, Unlisted):
            yield from self._note(
                event.time, f"{event.messages} more messages, too many to list; all are analysed", "+ "
            )
        elif isinstance(event, Evicted):
            yield from self._note(event.time, _evicted(event), "+ ")

    def _clock(self, time: int) -> str:
        return f"{clock(time)}.{time % SECOND // 1_000_000:03d}"

    def _stamp(self, time: int) -> str:
        return f"{day(time)} {self._clock(time)}"

    def _dated(self, time: int) -> Iterator[str]:
        """The date, before the first line of each day."""
        today = day(time)
        if today != self._day:
            self._day = today
            if self._layout.detail >= 0:
                yield self._layout.paint(f"── {today} UTC ──", dim=True)

    def _note(self, time: int, text: str, mark: str = "", colour: str | None = None) -> Iterator[str]:
        yield from self._dated(time)
        line = f"{self._clock(time)}  {mark}{text}"
        yield self._layout.paint(line, fg=colour) if colour else line

    def _seen(self, event: Seen) -> Iterator[str]:
        ends = f"{event.source}:{event.source_port} → {event.destination}:{event.destination_port}"
        again = ""
        if event.duplicate:
            again = ", the same packet once more"
        elif event.times > 1:
            since = seconds(event.time - event.step.first.time)
            again = f", sent for the {_ordinal(event.times)} time, {since} after the first"
        pieces = "" if event.whole else "; only some of its fragments"
        text = f"{ends}  {event.step.name}{again} ({payload_summary(event.step)}{pieces})"
        yield from self._dated(event.time)
        line = f"{self._clock(event.time)}  {text}"
        yield self._layout.paint(line, dim=True) if again else line

    def _verdict(self, event: Verdict) -> Iterator[str]:
        yield from self._dated(event.time)
        diagnosis = event.diagnosis
        outcome, called = diagnosis.stop.outcome, self._layout.called
        if self._layout.detail < 0:
            line = f"{self._stamp(event.time)} {headline(diagnosis, not event.settles_at, called)}{_change(event)}"
            if event.settles_at:
                line += f"; {_open_question(event)}"
            yield self._layout.paint(line, fg=OUTCOME_COLOURS[outcome])
            return
        if event.settles_at:
            text = f"{headline(diagnosis, False, called)}{_change(event)}; {_open_question(event)}"
            yield from self._note(event.time, text, "━━ ", OUTCOME_COLOURS[outcome])
            return
        if event.attempt > 1 or outcome is Outcome.SUPERSEDED:
            times = f" ({_ordinal(event.attempt)} in a row; the report of the first stands above)"
            text = f"{headline(diagnosis, called=called)}{times if event.attempt > 1 else ''}{_change(event)}"
            yield from self._note(event.time, text, "━━ ", OUTCOME_COLOURS[outcome])
            return
        yield ""
        if event.before is not None:
            yield from self._note(event.time, f"Exchange {diagnosis.exchange.id}{_change(event)}.", "━━ ")
        yield from block(Group((diagnosis,), 1, 1), self._layout, set())
        yield ""

    def _left(self, left: Sequence[Diagnosis], time: int) -> Iterator[str]:
        """What the end of the watch cut short, alike ones together."""
        groups = group(left)
        if self._layout.detail < 0:
            yield from (f"{self._stamp(time)} {one_line(found, self._layout.called)}" for found in groups)
            return
        yield ""
        yield "Not decided when the watch ended:"
        for found in groups[:MAX_BLOCKS]:
            yield from wrapped(one_line(found, self._layout.called), self._layout, 4, "  ")
        if len(groups) > MAX_BLOCKS:
            yield f"  and {len(groups) - MAX_BLOCKS} more groups of exchanges"

    def summary(self, found: Summary, folded: Sequence[Folded]) -> str:
        """The last lines: how long, what came of it, and what was lost."""
        lines = ["", *_summary(found, self._layout)]
        if self._layout.detail >= 0:
            lines += losses(folded, found.counts, self._layout)
        return "".join(f"{line.rstrip()}\n" for line in lines)


def _waiting(event: Waiting, called: Called) -> str:
    """What it waits for, and what the sender's schedule says of that."""
    e = event.exchange
    whom = f" from {called(e.peer(event.waits_for).address)}" if event.waits_for else ""
    text = f"{called(e.initiator.address)} → {called(e.responder.address)} waits for {event.missing}{whom}"
    return f"{text}; {_schedule(event.pending, event.time)}" if event.pending else text


def _schedule(pending: Pending, now: int) -> str:
    ahead, name = pending.outlook, pending.repeated.name
    left = seconds(max(pending.over_at - now, 0))
    if ahead.final:
        whose = f" (like {ahead.schedule})" if ahead.schedule else ""
        return f"{name} was sent {ahead.sent}×, and that was the last try{whose}; decided in {left}"
    if ahead.due is not None:
        whose = f" (like {ahead.schedule})" if ahead.schedule else ""
        return f"{name} was sent {ahead.sent}×, again in {seconds(max(ahead.due - now, 0))}{whose}"
    if ahead.sent == 1:
        return f"{name} was sent once; decided in {left} if it is not sent again"
    return f"{name} was sent {ahead.sent}×, on no schedule that is known; decided in {left} if it is not sent again"


def _change(event: Verdict) -> str:
    if event.before is None:
        return ""
    now = event.diagnosis.stop.outcome
    if event.before is now:
        return "; more is known than before"
    return f"; it was {event.before.value} before"


def _open_question(event: Verdict) -> str:
    """What decides between the causes of a refusal that nobody but its receiver can read."""
    e = event.diagnosis.exchange
    left = seconds(event.settles_at - event.time)
    return f"why shows in whether {e.initiator.address} sends its message again, which is known in {left} at most"


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _evicted(event: Evicted) -> str:
    parts = []
    if event.openings:
        parts.append(f"{event.openings} exchanges with nothing but a first message")
    if event.exchanges:
        parts.append(f"{event.exchanges} others")
    return f"{' and '.join(parts)} made room for newer ones; they are only counted"


def _summary(found: Summary, layout: Layout) -> Iterator[str]:
    span = seconds(found.ended - found.began)
    yield from wrapped(f"Ended by {_reason(found.reason)} after {span}, {instant(found.ended)}.", layout)
    for interface in found.interfaces:
        yield from wrapped(f"  {_interface(interface)}", layout, 4)
    capture, counts = found.capture, found.counts
    held = contents(capture, counts.messages, counts.not_ike)
    not_read = f"; {found.unread} were not analysed any more" if found.unread else ""
    yield from wrapped(f"  {capture.frames} frames analysed: {held}{not_read}", layout, 4)
    totals = found.totals
    outcomes = ", ".join(f"{n} {name}" for name, n in sorted(totals.outcomes.items(), key=lambda x: -x[1]))
    yield from wrapped(f"  exchanges: {outcomes or 'none'}", layout, 4)
    lost = [
        (totals.evicted_openings, "first messages made room and were only counted"),
        (totals.evicted_exchanges, "exchanges made room and were only counted"),
        (totals.unlisted, "messages were analysed and not listed"),
    ]
    for number, text in lost:
        if number:
            yield f"  {number} {text}"


def _reason(reason: str) -> str:
    if reason.endswith((" s", " messages")):
        return f"{'--duration' if reason.endswith(' s') else '--count'} ({reason})"
    return {"SIGINT": "Ctrl-C", "the capture ended": "the end of the capture"}.get(reason, reason)


def _interface(counts: InterfaceCounts) -> str:
    if counts.received is None or counts.dropped is None:
        return f"{safe(counts.name)}: {counts.taken} frames; what was lost before, the program that captured knows"
    text = (
        f"{safe(counts.name)}: {counts.received} packets passed the filter, the kernel dropped {counts.dropped} of them"
    )
    if counts.interface_dropped:
        text += f", {counts.interface_dropped} dropped by the interface"
    return text
