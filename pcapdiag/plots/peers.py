"""Outcomes by peer over time: which peers fail, and when."""

from collections import Counter
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Folded
from pcapdiag.plots.outcomes import (
    INK,
    LOOKS,
    PALE,
    Ending,
    Source,
    axes,
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
from pcapdiag.record import Record
from pcapdiag.report.wording import counted, lifetime
from pcapdiag.units import SECOND

MOST_PEERS = 40
"""Rows of peers; the others share one."""
BOTH = " ↔ "
"""Between two ends of which neither takes part in everything."""
MOST_SINGLE = 400
"""Exchanges that have a marker each; beyond it a marker stands for those of one peer within a while."""


class PeerRow(Record, frozen=True):
    """One peer: what is told of it one by one, and what the report only counts."""

    name: str
    diagnoses: tuple[Diagnosis, ...]
    folded: tuple[Folded, ...]

    @property
    def failures(self) -> int:
        """Exchanges that failed; those that are only counted are not judged."""
        return sum(ending(d).failed for d in self.diagnoses)


def peer_rows(source: Source) -> tuple[PeerRow, ...]:
    """A row for each peer, most failures first.

    Where one address takes part in everything, the peer is the other one; else it is both: `10.1.0.2 ↔ 10.2.0.2`.
    """
    diagnoses, folded = diagnoses_of(source), folded_of(source)
    pairs = [d.exchange.conversation for d in diagnoses] + [_pair(f) for f in folded if f.initiator and f.responder]
    common = set(pairs[0]).intersection(*pairs[1:]) if pairs else set()
    hub = common.pop() if len(common) == 1 else None
    told: dict[str, list[Diagnosis]] = {}
    for diagnosis in diagnoses:
        told.setdefault(_name(diagnosis.exchange.conversation, hub), []).append(diagnosis)
    only_counted: dict[str, list[Folded]] = {}
    for row in folded:
        name = _name(_pair(row), hub) if row.initiator and row.responder else f"to {row.responder or 'many'}"
        only_counted.setdefault(name, []).append(row)
    names = dict.fromkeys((*told, *only_counted))
    rows = [PeerRow(n, tuple(told.get(n, ())), tuple(only_counted.get(n, ()))) for n in names]
    return tuple(sorted(rows, key=lambda row: -row.failures))


def _pair(folded: Folded) -> tuple[str, str]:
    first, second = sorted((folded.initiator or "", folded.responder or ""))
    return first, second


def _name(pair: tuple[str, str], hub: str | None) -> str:
    first, second = pair
    if hub is None:
        return f"{first}{BOTH}{second}"
    return second if first == hub else first


def outcomes_by_peer(source: Source, ax: Axes | None = None) -> Axes:
    """Draw how the exchanges of each peer ended, over time: a row for each peer, those that fail most on top.

    source -- a Report, a Diagnosis, or several; ax -- where to draw

    A marker stands at the beginning of an exchange; with more than MOST_SINGLE of them, for all that one peer began
    within a while and that ended alike, the larger the more. Beyond MOST_PEERS rows the other peers share the last one.
    What the report only counts is a hatched bar, with the number.
    """
    rows = peer_rows(source)
    shown = rows if len(rows) <= MOST_PEERS + 1 else (*rows[:MOST_PEERS], _together(rows[MOST_PEERS:]))
    ax = axes(ax, 9, 1.4 + 0.24 * max(len(shown), 4))
    if not rows:
        return nothing(ax, "Outcomes by peer", "There is no exchange.")
    said = [d for row in shown for d in row.diagnoses]
    dated = [d for d in said if in_calendar(d.exchange.first_time)]
    times = [d.exchange.first_time for d in dated]
    step = step_of(max(times) - min(times)) if len(dated) > MOST_SINGLE else 0
    kinds = _draw(ax, shown, step)
    counted_only = sum(_folded(ax, y, row.folded) for y, row in enumerate(shown))
    times += [t for row in shown for f in row.folded for t in (f.first_time, f.last_time) if in_calendar(t)]
    if times:
        time_axis(ax, min(times), max(times))
    _names(ax, shown)
    noun = "conversation" if any(BOTH in row.name for row in rows) else "peer"
    width = lifetime(step // SECOND)
    title(
        ax,
        f"{counted(len(said), 'exchange')} of {counted(len(rows), noun)}",
        f"a marker stands for what ended alike within {width}, the larger the more" if step else "",
        f"{counted(counted_only, 'exchange')} more are only counted (hatched)" if counted_only else "",
        f"{len(said) - len(dated)} not drawn: their times are in no calendar" if len(dated) < len(said) else "",
    )
    hatched = Patch(facecolor="none", edgecolor=PALE, hatch="///", label="only counted")
    legend(ax, kinds, [hatched] if counted_only else [])
    return ax


def _names(ax: Axes, rows: Sequence[PeerRow]) -> None:
    ax.set_yticks(range(len(rows)), [row.name for row in rows], fontsize="small")
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.grid(axis="y", color="#ececec", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _together(rows: Sequence[PeerRow]) -> PeerRow:
    failing = sum(bool(row.failures) for row in rows)
    if failing:
        how = f"{failing} with failures"
    else:
        how = "none fails" if not any(row.folded for row in rows) else "some only counted"
    return PeerRow(
        f"{len(rows)} more peers: {how}",
        tuple(d for row in rows for d in row.diagnoses),
        tuple(f for row in rows for f in row.folded),
    )


def _draw(ax: Axes, rows: Sequence[PeerRow], step: int) -> set[Ending]:
    """The markers, of each ending together: good ones first, so that what failed lies on top. step -- 0: one each."""
    seen: dict[Ending, Counter[tuple[int, int]]] = {}
    for y, row in enumerate(rows):
        for diagnosis in row.diagnoses:
            time = diagnosis.exchange.first_time
            if in_calendar(time):
                place = time // step * step + step // 2 if step else time
                seen.setdefault(ending(diagnosis), Counter())[y, place] += 1
    for kind in reversed(LOOKS):
        if kind in seen:
            counts = seen[kind]
            sizes = [24 * min(count, 9) ** 0.5 for count in counts.values()]
            draw_markers(ax, utc([place for _, place in counts]), [y for y, _ in counts], kind, sizes)
    return set(seen)


def _folded(ax: Axes, y: int, rows: Sequence[Folded]) -> int:
    """A bar from the first to the last of those that are only counted; how many there are."""
    dated = [row for row in rows if in_calendar(row.first_time) and in_calendar(row.last_time)]
    if dated:
        begin, end = utc([min(r.first_time for r in dated), max(r.last_time for r in dated)])
        ax.barh(
            y,
            end - begin,
            left=begin,
            height=0.55,
            facecolor="none",
            edgecolor=PALE,
            hatch="///",
            linewidth=0.8,
            zorder=2,
        )
        total = sum(r.exchanges for r in dated)
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        ax.text(
            (begin + end) / 2, y, f"{total:,} counted", ha="center", va="center", fontsize="x-small", color=INK,
            bbox=ground, zorder=4,
        )  # fmt: skip
    return sum(row.exchanges for row in rows)
