"""The ladder of a comparison: its rows from top to bottom, and what is said of points and clocks, whatever draws them.

A line stands for each point, in the order in which the initiator's packets pass them. Every transmission is an arrow
that ends where it was last seen.
"""

from collections.abc import Iterator, Sequence

from pcapdiag.capture.datagram import Frame, IcmpError
from pcapdiag.comparison.clocks import Clock
from pcapdiag.comparison.fates import Fate, Transmission
from pcapdiag.comparison.points import letter
from pcapdiag.comparison.results import Compared, PointReport
from pcapdiag.comparison.translations import Change
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Exchange, Side, Step
from pcapdiag.ike.registry import ExchangeType
from pcapdiag.record import Record
from pcapdiag.report.ladder import of_phase1, short_name
from pcapdiag.report.wording import frame_list, payload_summary, seconds

TOLD = 6
"""Transmissions of one message that are drawn; where there are more, the first and those that fared otherwise are."""
MOST_ROWS = 60
"""Arrows of one ladder."""


class Arrow(Record, frozen=True):
    """One transmission.

    label -- what it carries; after -- how many follow that are not drawn, and how they fared
    """

    step: Step
    sent: Transmission
    label: str
    after: str = ""


class Bounced(Record, frozen=True):
    """ICMP errors of one kind."""

    errors: tuple[IcmpError, ...]


Row = Arrow | Bounced


def order(comparison: Compared, exchange: Exchange) -> tuple[int, ...]:
    """The points in the order in which the initiator's packets pass them."""
    for place, step in enumerate(exchange.steps):
        for sent in comparison.sent(exchange, place):
            if len(sent.path) == len(comparison.points):
                return sent.path if step.sender is Side.INITIATOR else sent.path[::-1]
    return tuple(range(len(comparison.points)))


def rows(comparison: Compared, diagnosis: Diagnosis, *, everything: bool = False) -> tuple[tuple[Row, ...], int]:
    """The rows in the order of time, and how many transmissions they leave out."""
    exchange = diagnosis.exchange
    found: list[tuple[int, Row]] = []
    left = 0
    for place, step in enumerate(exchange.steps):
        sent = comparison.sent(exchange, place)
        if not sent:
            continue
        told = everything or of_phase1(step) or step.exchange_type == ExchangeType.QUICK
        if not told and not any(t.fate in (Fate.LOST, Fate.UNSEEN) for t in sent):
            left += len(sent)
            continue
        for arrow in _arrows(step, sent, everything):
            found.append((arrow.sent.time, arrow))
    grouped: dict[tuple[object, ...], list[IcmpError]] = {}
    for error in exchange.icmp_errors:
        grouped.setdefault((error.source, error.version, error.type, error.code), []).append(error)
    found += [(errors[0].time, Bounced(tuple(errors))) for errors in grouped.values()]
    found.sort(key=lambda row: row[0])
    most = MOST_ROWS * (10 if everything else 1)
    left += max(len(found) - most, 0)
    return tuple(row for _, row in found[:most]), left


def _arrows(step: Step, sent: Sequence[Transmission], everything: bool) -> Iterator[Arrow]:
    name = f"{short_name(step)} {payload_summary(step)}".rstrip()
    pieces = len({t.size for t in sent}) > 1 and bool(step.pieces or step.missing)
    shown = list(range(len(sent))) if everything else _shown(sent)
    for position, number in enumerate(shown):
        following = shown[position + 1] if position + 1 < len(shown) else len(sent)
        between = sent[number + 1 : following]
        label = name if number == 0 else f"{short_name(step)}{' piece' if pieces else ' again'}"
        yield Arrow(step, sent[number], label, _more(between))


def _shown(sent: Sequence[Transmission]) -> list[int]:
    """Which are drawn: all of a few; else those that fare otherwise than the one before."""
    if len(sent) <= TOLD:
        return list(range(len(sent)))
    changes = [n for n in range(1, len(sent)) if _how(sent[n]) != _how(sent[n - 1])]
    return sorted({0, 1, *changes[: TOLD - 2]})


def _how(sent: Transmission) -> tuple[object, ...]:
    return sent.fate, sent.lost_after, sent.lost_before


def _more(sent: Sequence[Transmission]) -> str:
    if not sent:
        return ""
    counts: dict[str, int] = {}
    for t in sent:
        counts[fate_text(t)] = counts.get(fate_text(t), 0) + 1
    told = ", ".join(f"{n} {what}" for what, n in counts.items())
    frames = frame_list((f for t in sent for f in t.frames), several=True)
    return f"{len(sent)} more: {told} ({frames})"


def fate_text(sent: Transmission) -> str:
    """What became of it, in a word or two."""
    if sent.fate is Fate.LOST and sent.lost_after is not None and sent.lost_before is not None:
        sure = "lost" if sent.proven else "lost, it seems,"
        return f"{sure} between {letter(sent.lost_after)} and {letter(sent.lost_before)}"
    if sent.fate is Fate.UNSEEN:
        return f"not seen further on: {sent.why}"
    if sent.fate is Fate.ELSEWHERE:
        return sent.why
    return "arrived"


# -- points and clocks


def point_lines(comparison: Compared) -> Iterator[str]:
    """A line for each point and its files, and what is known of its clock."""
    from pcapdiag.report.phrases import capture_line

    several = any(len(p.captures) > 1 for p in comparison.points)
    for point in comparison.points:
        for number, capture in enumerate(point.captures, point.first_file + 1):
            label = f"{point.letter} ({number})" if several or point.first_file + 1 == number else point.letter
            yield f"{label}: {capture_line(capture)}"
        yield from (f"  {line}" for line in _point(point))


def _point(point: PointReport) -> Iterator[str]:
    if point.clock is None:
        yield (
            f"No packet of {point.letter} is in another capture: its clock cannot be compared, and what is said of "
            "losses rests on that it was capturing."
        )
    elif point.clock.pairs:
        yield clock_text(point.letter, point.clock)
    dropped = sum(c.summary.dropped for c in point.captures)
    if dropped:
        yield f"The capturing at {point.letter} dropped {dropped} packets: no loss is told there."
    filters = list(dict.fromkeys(f for c in point.captures for f in c.summary.filters))
    if filters:
        yield f"The filter at {point.letter}: {'; '.join(filters)}"


def clock_text(name: str, clock: Clock) -> str:
    """The clock of a point against the first one's, and what that rests on."""
    ahead = "ahead of" if clock.offset >= 0 else "behind"
    much = _precise(abs(clock.offset))
    text = f"{name}'s clock is {much} {ahead} A's"
    packets = "packet" if clock.pairs == 1 else "packets"
    if clock.one_way:
        text += f", the delay included ({clock.pairs} {packets}, one direction: the two cannot be told apart)"
    else:
        text += f", ±{_precise(clock.uncertainty or 0)} ({clock.pairs} {packets}, {clock.forward} one way and "
        text += f"{clock.backward} the other)"
    if abs(clock.drift) > (clock.drift_uncertainty or 0) and abs(clock.drift) >= 0.05:
        gains = "gains" if clock.drift > 0 else "loses"
        bound = f" ± {clock.drift_uncertainty:.1f}" if clock.drift_uncertainty is not None else ""
        text += f"; it {gains} {abs(clock.drift):.1f}{bound} parts in a million"
    for jump in clock.jumps:
        way = "forward" if jump.change > 0 else "back"
        text += f"; against A's it jumps {way} by {_precise(abs(jump.change))}"
    return text + "."


def _precise(nanoseconds: int) -> str:
    value = nanoseconds / 1e9
    if value < 0.001:
        return f"{value * 1e6:.0f} µs"
    if value < 1:
        return f"{value * 1e3:.2f} ms"
    return f"{value:.3f} s" if value < 100_000 else seconds(nanoseconds)


def path_lines(comparison: Compared) -> Iterator[str]:
    """What is changed between the points, what the captures miss, and what became of ESP."""
    for change in comparison.changes:
        text = change_text(change)
        if text:
            yield text
    for gap in comparison.gaps:
        here = letter(gap.point)
        way = "→".join(letter(p) for p in gap.path)
        frames = frame_list(gap.frames, several=True)
        if gap.whole_direction:
            yield f"{here} has nothing of the direction {way}, though packets of it passed there ({frames})."
        else:
            yield f"{here} misses packets that must have passed there ({way}; {frames}): no loss is told at {here}."
    for e in comparison.esp:
        way = f"ESP {e.spi:08x} from {e.source} to {e.destination}, {letter(e.first)} → {letter(e.then)}"
        frames = f" ({frame_list((e.flow.first_frame, e.flow.last_frame), several=True)})" if e.flow else ""
        if e.lost:
            yield f"{way}: {e.lost} of {e.sent} packets are lost{frames}."
        elif e.lost == 0 and e.came:
            yield f"{way}: {e.came} packets, none lost{frames}."
        elif not e.came:
            yield f"{way}: {e.sent} packets, none seen at {letter(e.then)}, which may not have captured them{frames}."


def change_text(change: Change) -> str:
    """One thing that is changed between two points; empty where that is not worth a line."""
    one, other = letter(change.first), letter(change.then)
    frames = f"({change.packets} packet{'s' * (change.packets != 1)}; {frame_list(change.frames[:2], several=True)})"
    if change.kind in ("source", "destination"):
        return f"From {one} to {other} the {change.kind} {change.before} becomes {change.after}: NAT {frames}."
    if change.kind == "routers":
        count = int(change.after)
        if count <= 0:
            return f"No router shows between {one} and {other} by the TTLs {frames}." if count == 0 else ""
        return f"{count} router{'s' * (count > 1)} from {one} to {other}, by the TTLs {frames}."
    if change.kind == "dscp":
        return f"From {one} to {other} DSCP {change.before} becomes {change.after} {frames}."
    if change.kind == "df":
        return f"From {one} to {other} the DF bit, {change.before}, is {change.after} {frames}."
    if change.kind == "fragments":
        return f"What has {change.before} IP fragments at {one} has {change.after} at {other} {frames}."
    return f"The octets of messages differ between {one} and {other} {frames}."


def frames_at(sent: Transmission, point: int) -> str:
    """Its frame at a point: "7", "7–9" where fragments carried it, "" where it was not seen."""
    frames: tuple[Frame, ...] = sent.passages[point].frames
    if not frames:
        return ""
    return str(frames[0].number) if len(frames) == 1 else f"{frames[0].number}–{frames[-1].number}"
