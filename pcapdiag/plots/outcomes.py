"""What the plots share: which exchanges they are given, how an outcome looks, and the axis of time."""

from collections.abc import Iterable, Sequence
from datetime import UTC
from enum import StrEnum
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.lines import Line2D

from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Folded
from pcapdiag.pipeline import Report
from pcapdiag.record import Record
from pcapdiag.units import SECOND

Source = Report | Diagnosis | Sequence[Diagnosis]
"""What can be plotted: a report, one diagnosis, or some of a report's."""

INK, PALE = "#222222", "#8a8a8a"


class Ending(StrEnum):
    """How an exchange ended, as the plots tell it: its outcome, and also trouble behind a phase 1 that is up."""

    REJECTED = "rejected"
    STALLED = "stalled"
    TROUBLED = "completed, then trouble"
    INCONCLUSIVE = "inconclusive"
    SUPERSEDED = "superseded"
    PARTIAL = "partial"
    COMPLETED = "completed"

    @property
    def failed(self) -> bool:
        """The tunnel did not come up, or does not work."""
        return self in (Ending.REJECTED, Ending.STALLED, Ending.TROUBLED)


class Look(Record, frozen=True):
    """How an ending is drawn. filled -- the marker is; the colours are those of Okabe and Ito."""

    colour: str
    marker: str
    hatch: str
    filled: bool = True


LOOKS = {
    Ending.REJECTED: Look("#0072B2", "s", "xxx"),
    Ending.STALLED: Look("#D55E00", "X", "///"),
    Ending.TROUBLED: Look("#CC79A7", "P", "+++"),
    Ending.INCONCLUSIVE: Look("#777777", "D", "---", filled=False),
    Ending.SUPERSEDED: Look("#E69F00", "^", "...", filled=False),
    Ending.PARTIAL: Look("#56B4E9", "<", "\\\\\\", filled=False),
    Ending.COMPLETED: Look("#009E73", "o", ""),
}
"""In the order of a legend: the worst first."""


def bar_style(look: Look) -> dict[str, Any]:
    """How a bar looks: filled with hatches in white, or white with hatches in its colour."""
    face, edge = (look.colour, "white") if look.filled else ("white", look.colour)
    return {"facecolor": face, "edgecolor": edge, "hatch": look.hatch}


def ending(diagnosis: Diagnosis) -> Ending:
    """How this exchange ended."""
    if diagnosis.stop.outcome is Outcome.COMPLETED and diagnosis.causes:
        return Ending.TROUBLED
    return Ending(diagnosis.stop.outcome.value)


def diagnoses_of(source: Source) -> tuple[Diagnosis, ...]:
    """The diagnoses that are to be plotted, in the order of their first messages."""
    if isinstance(source, Report):
        found: Iterable[Diagnosis] = source.diagnoses
    elif isinstance(source, Diagnosis):
        found = (source,)
    else:
        found = source
    return tuple(sorted(found, key=lambda d: (d.exchange.first_time, d.exchange.id)))


def folded_of(source: Source) -> tuple[Folded, ...]:
    """What the report only counts; only a report says so."""
    return source.folded if isinstance(source, Report) else ()


# --- axes ------------------------------------------------------------------------------------------------------


def axes(ax: Axes | None, width: float, height: float) -> Axes:
    """The Axes that were given; else those of a new figure of pyplot, of this size in inches."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(width, height), layout="constrained")[1]


def nothing(ax: Axes, title: str, why: str) -> Axes:
    """Axes that say that there is nothing to draw."""
    ax.set_title(title, loc="left", fontsize="medium")
    ax.text(0.5, 0.5, why, transform=ax.transAxes, ha="center", va="center", color=INK)
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def title(ax: Axes, *lines: str) -> None:
    """The title: what is drawn, then what is not."""
    ax.set_title("\n".join(line.replace("$", r"\$") for line in lines if line), loc="left", fontsize="medium")


FIRST_TIME, END_OF_TIME = 0, 253_402_300_800_000_000_000
"""From 1970 to the year 10000, in nanoseconds: a damaged pcapng can hold times that no calendar has."""


def in_calendar(time: int) -> bool:
    """Whether this time can be drawn."""
    return FIRST_TIME <= time < END_OF_TIME


def utc(times: Sequence[int] | int) -> Any:
    """Times (nanoseconds since the Unix epoch) as matplotlib has them: days since its own epoch."""
    return date2num(np.asarray(times, dtype=np.int64).astype("datetime64[ns]"))


def time_axis(ax: Axes, first: int, last: int) -> None:
    """Make the x axis one of times in UTC, whatever the time zone of matplotlib's settings is.

    first, last -- what it has to show, in nanoseconds since the Unix epoch; a little more stands around it
    """
    beside = max((last - first) // 30, 5_000_000_000)
    ax.set_xlim(*utc([first - beside, last + beside]))
    locator = AutoDateLocator(tz=UTC, minticks=4, maxticks=10)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
    ax.set_xlabel("UTC")


STEPS = (1, 5, 15, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 604_800)


def step_of(span: int, most: int = 96) -> int:
    """The width of a bin, nanoseconds in whole seconds, of which no more than `most` make up the span (nanoseconds)."""
    for seconds in STEPS:
        if span <= most * seconds * SECOND:
            return seconds * SECOND
    return -(-span // (most * SECOND)) * SECOND


def draw_markers(ax: Axes, x: Any, y: Any, kind: Ending, sizes: Any = 36) -> None:
    """Exchanges that ended like this."""
    look = LOOKS[kind]
    face = look.colour if look.filled else "white"
    ax.scatter(
        x, y, s=sizes, marker=look.marker, facecolors=face, edgecolors=look.colour, linewidths=1.1, label=kind.value,
        zorder=3,
    )  # fmt: skip


def legend(ax: Axes, kinds: Iterable[Ending], more: Sequence[Artist] = ()) -> None:
    """What the markers are, the worst first, beneath the plot."""
    wanted = set(kinds)
    handles: list[Artist] = [
        Line2D(
            [], [], linestyle="none", marker=look.marker, color=look.colour, label=kind.value,
            markerfacecolor=look.colour if look.filled else "white",
        )
        for kind, look in LOOKS.items()
        if kind in wanted
    ]  # fmt: skip
    handles += more
    if handles:
        ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, frameon=False)
