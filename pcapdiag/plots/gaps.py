"""Retransmission gaps beside the schedules of known senders: how a sender repeats tells who it may be."""

from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from pcapdiag.diagnosis.outcome.retransmission import SCHEDULES, Schedule, schedule_of
from pcapdiag.exchange.model import Step
from pcapdiag.plots.outcomes import INK, PALE, Source, axes, diagnoses_of, nothing, title
from pcapdiag.record import Record
from pcapdiag.report.wording import counted

MOST_SENDERS = 6
"""Senders that are drawn; the others are counted in the title."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = "osXPD^"


class Sender(Record, frozen=True):
    """One address, and how it repeats messages.

    gaps -- for each message that was sent again, the times between its transmissions, in seconds
    hints -- the known schedules that they follow, in the order of SCHEDULES; a hint at the software, no proof
    """

    address: str
    gaps: tuple[tuple[float, ...], ...]
    hints: tuple[str, ...]

    def at(self, place: int) -> list[float]:
        """The gaps at that place, from 0, in order of length."""
        return sorted(gaps[place] for gaps in self.gaps if place < len(gaps))


def senders(source: Source) -> tuple[Sender, ...]:
    """Who repeats what it has no answer to; who does so most often comes first."""
    found: dict[str, list[Step]] = {}
    for diagnosis in diagnoses_of(source):
        for step in diagnosis.exchange.steps:
            if len(step.sent) > 1:
                found.setdefault(step.first.source, []).append(step)
    rows = []
    for address, steps in found.items():
        gaps = tuple(tuple((b - a) / 1e9 for a, b in pairwise(step.times)) for step in steps)
        hints = {known.name for step in steps if (known := schedule_of(step.times)) is not None}
        rows.append(Sender(address, gaps, tuple(s.name for s in SCHEDULES if s.name in hints)))
    return tuple(sorted(rows, key=lambda row: (-len(row.gaps), row.address)))


def gaps(source: Source, ax: Axes | None = None) -> Axes:
    """Draw the gaps between the transmissions of messages that were sent again, by sender.

    source -- a Report, a Diagnosis, or several; ax -- where to draw

    The nth gap is the time from the nth transmission to the next, in seconds, on a logarithmic axis; of several
    messages of one sender the median, with a bar from the shortest to the longest. The schedules of known senders in
    their default settings (`diagnosis.outcome.retransmission`) stand beside; one that fits hints at the software, and
    proves nothing.
    """
    ax = axes(ax, 8, 4.5)
    found = senders(source)
    if not found:
        return nothing(ax, "Retransmission gaps", "Nothing was sent twice.")
    shown = found[:MOST_SENDERS]
    most = max(len(g) for g in (*(g for sender in shown for g in sender.gaps), *(s.gaps for s in SCHEDULES)))
    named = {hint for sender in shown for hint in sender.hints}
    for number, schedule in enumerate(SCHEDULES, 1):
        _schedule(ax, number, schedule, fits=schedule.name in named)
    for place, sender in enumerate(shown):
        _sender(ax, sender, place, 0.09 * (place - (len(shown) - 1) / 2))
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(FixedLocator([0.1, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_locator(FixedLocator([]))
    ax.set_xlim(0.7, most + 0.3)
    ax.set_xticks(range(1, most + 1, 1 + most // 20))
    ax.set_xlabel("gap: from the nth transmission to the next")
    ax.set_ylabel("seconds")
    ax.grid(axis="y", color="#e5e5e5", linewidth=0.6)
    messages = sum(len(sender.gaps) for sender in found)
    head = f"Retransmission gaps of {counted(messages, 'message')} from {counted(len(found), 'sender')}"
    rest = f"the {MOST_SENDERS} that repeat most often are drawn" if len(found) > MOST_SENDERS else ""
    title(ax, head, *(_says(sender) for sender in shown[:2]), rest)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, frameon=False, fontsize="small")
    return ax


def _says(sender: Sender) -> str:
    if not sender.hints:
        return f"{sender.address}: like none of the known schedules"
    return f"{sender.address}: like {' or '.join(sender.hints)}"


def _schedule(ax: Axes, number: int, known: Schedule, *, fits: bool) -> None:
    """A known schedule, with its number in the legend at each gap."""
    ax.plot(
        range(1, len(known.gaps) + 1), known.gaps, color=INK if fits else PALE, linewidth=1.6 if fits else 0.8,
        linestyle=(0, (1, 1)) if fits else (0, (4, 3)), marker=f"${number}$", markersize=6, zorder=4 if fits else 1,
        label=f"known: {known.name}",
    )  # fmt: skip


def _sender(ax: Axes, sender: Sender, place: int, shift: float) -> None:
    """What one sender does; shift -- to the side, so that senders that do alike do not hide each other."""
    most = max(len(g) for g in sender.gaps)
    at = [sender.at(place) for place in range(most)]
    middle = [values[len(values) // 2] for values in at]
    below = [m - values[0] for m, values in zip(middle, at, strict=True)]
    above = [values[-1] - m for m, values in zip(middle, at, strict=True)]
    times = f", {counted(len(sender.gaps), 'message')}" if len(sender.gaps) > 1 else ""
    ax.errorbar(
        [number + shift for number in range(1, most + 1)], middle, yerr=[below, above], color=COLOURS[place],
        marker=MARKERS[place], markersize=7, linewidth=1.2, capsize=3, zorder=3, label=f"seen: {sender.address}{times}",
    )  # fmt: skip
