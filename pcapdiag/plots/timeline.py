"""A conversation over time: when its two peers began, what was sent again, and how each exchange ended."""

from collections import Counter
from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Side
from pcapdiag.plots.outcomes import (
    INK,
    LOOKS,
    Source,
    axes,
    bar_style,
    diagnoses_of,
    draw_markers,
    ending,
    folded_of,
    in_calendar,
    legend,
    nothing,
    step_of,
    time_axis,
    title,
    utc,
)
from pcapdiag.report.wording import counted, lifetime
from pcapdiag.units import SECOND

MOST_LANES = 30
"""Exchanges that have a lane each; more are counted by time."""
FIRST, AGAIN, ICMP = "|", "x", "*"
"""Markers of first transmissions, retransmissions, and ICMP errors that quote a message."""


def timeline(source: Source, ax: Axes | None = None, *, peer: str | None = None) -> Axes:
    """Draw the exchanges of two peers over time.

    source -- a Report, a Diagnosis, or several; ax -- where to draw
    peer -- an address of one of the two, where there are more conversations than one: without it, the first that has a
        failure, else the first

    Up to MOST_LANES exchanges have a lane each, from the first message to the last, with a mark for every transmission:
    those of the initiator above the line, those of the responder beneath, retransmissions as crosses; the outcome
    stands at the end. More of them are counted: upwards the exchanges that began within a while, by how they ended,
    downwards the retransmissions in that time.

    Raises ValueError for a peer that is in no exchange.
    """
    found, conversations = _conversation(diagnoses_of(source), peer)
    if not found:
        if peer is not None:
            raise ValueError(f"no exchange with {peer}")
        return nothing(axes(ax, 9, 2.5), "Timeline", "There is no exchange.")
    ax = axes(ax, 9, 1.6 + 0.25 * len(found) if len(found) <= MOST_LANES else 4.2)
    pair = found[0].exchange.conversation
    dated = [d for d in found if in_calendar(d.exchange.first_time) and in_calendar(d.exchange.last_time)]
    step = _counted(ax, dated) if len(dated) > MOST_LANES else 0
    if not step:
        _lanes(ax, dated)
    if dated:
        time_axis(ax, min(d.exchange.first_time for d in dated), max(_until(d) for d in dated))
    ax.spines[["top", "right"]].set_visible(False)
    failed = sum(ending(d).failed for d in found)
    folded = sum(f.exchanges for f in folded_of(source) if {f.initiator, f.responder} == set(pair))
    title(
        ax,
        f"{pair[0]} ↔ {pair[1]}: {counted(len(found), 'exchange')}, {failed:,} of them failed",
        f"counted in steps of {lifetime(step // SECOND)}" if step else "",
        f"{counted(folded, 'exchange')} more are only counted, and not drawn" if folded else "",
        f"{len(found) - len(dated)} not drawn: their times are in no calendar" if len(dated) < len(found) else "",
        f"1 of {conversations:,} conversations" if conversations > 1 else "",
    )
    return ax


def _conversation(diagnoses: Sequence[Diagnosis], peer: str | None) -> tuple[list[Diagnosis], int]:
    """The exchanges of one conversation, and how many conversations there are to choose from."""
    if peer is not None:
        ends = [d for d in diagnoses if peer in (*d.exchange.initiator.addresses, *d.exchange.responder.addresses)]
        diagnoses = ends
    if not diagnoses:
        return [], 0
    first = next((d for d in diagnoses if ending(d).failed), diagnoses[0])
    pair = first.exchange.conversation
    pairs = {d.exchange.conversation for d in diagnoses}
    return [d for d in diagnoses if d.exchange.conversation == pair], len(pairs)


# --- a lane for each exchange ----------------------------------------------------------------------------------


def _lanes(ax: Axes, diagnoses: Sequence[Diagnosis]) -> None:
    seen = set()
    for y, diagnosis in enumerate(diagnoses):
        seen |= _lane(ax, y, diagnosis)
    ax.set_yticks(range(len(diagnoses)), [f"exchange {d.exchange.id}" for d in diagnoses], fontsize="small")
    ax.set_ylim(len(diagnoses) - 0.4, -0.6)
    names = {FIRST: "sent (by the initiator above)", AGAIN: "sent again", ICMP: "ICMP error"}
    marks = [
        Line2D([], [], linestyle="none", marker=m, color=INK, markersize=7, label=names[m]) for m in names if m in seen
    ]
    legend(ax, {ending(d) for d in diagnoses}, marks)


def _lane(ax: Axes, y: int, diagnosis: Diagnosis) -> set[str]:
    """One exchange; which marks it has."""
    e, kind = diagnosis.exchange, ending(diagnosis)
    times: dict[tuple[str, float], list[int]] = {}
    for step in e.steps:
        beside = y - 0.17 if step.sender is Side.INITIATOR else y + 0.17
        times.setdefault((FIRST, beside), []).append(step.first.time)
        if len(step.sent) > 1:
            times.setdefault((AGAIN, beside), []).extend(step.times[1:])
    if e.icmp_errors:
        times[ICMP, y] = [error.time for error in e.icmp_errors]
    last = _until(diagnosis)
    ax.hlines(y, *utc([e.first_time, last]), color=LOOKS[kind].colour, linewidth=1.4, zorder=1)
    for (mark, beside), at in times.items():
        drawn = [t for t in at if in_calendar(t)]
        ax.plot(utc(drawn), [beside] * len(drawn), mark, color=INK, markersize=7 if mark == FIRST else 5, zorder=2)
    draw_markers(ax, utc([last]), [y], kind, 60)
    return {mark for mark, _ in times}


def _until(diagnosis: Diagnosis) -> int:
    """When the last of what belongs to an exchange was seen."""
    times = (diagnosis.exchange.last_time, *(error.time for error in diagnosis.exchange.icmp_errors))
    return max(time for time in times if in_calendar(time))


# --- many, counted ---------------------------------------------------------------------------------------------


def _counted(ax: Axes, diagnoses: Sequence[Diagnosis]) -> int:
    """Bars of what began, by how it ended, and of what was sent again; the width of a bar in nanoseconds."""
    again = [t for d in diagnoses for s in d.exchange.steps for t in s.times[1:] if in_calendar(t)]
    begun = [d.exchange.first_time for d in diagnoses]
    step = step_of(max(begun + again) - min(begun + again))
    width = step / 86_400e9
    below: Counter[int] = Counter()
    for kind, look in LOOKS.items():
        counts = Counter(d.exchange.first_time // step for d in diagnoses if ending(d) is kind)
        places = sorted(counts)
        ax.bar(
            utc([place * step for place in places]), [counts[p] for p in places], width, [below[p] for p in places],
            align="edge", linewidth=0.6, **bar_style(look),
        )  # fmt: skip
        below.update(counts)
    repeats = Counter(time // step for time in again)
    places = sorted(repeats)
    ax.bar(
        utc([p * step for p in places]), [-repeats[p] for p in places], width, align="edge", facecolor="#bbbbbb",
        edgecolor="white", linewidth=0.6,
    )  # fmt: skip
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):g}"))
    ax.set_ylabel("↓ sent again    exchanges begun ↑" if again else "exchanges begun")
    handles: list[Artist] = [
        Patch(label=kind.value, **bar_style(look))
        for kind, look in LOOKS.items()
        if any(ending(d) is kind for d in diagnoses)
    ]  # fmt: skip
    if again:
        handles.append(Patch(facecolor="#bbbbbb", label="sent again"))
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, frameon=False)
    return step
