"""The ladder of an exchange: its messages from top to bottom, who sent them again, and what did not come."""

from collections.abc import Iterator, Sequence
from enum import Enum

from matplotlib.axes import Axes

from pcapdiag.capture.datagram import Frame
from pcapdiag.capture.icmp import icmp_name
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Exchange, Side, Sighting, Step
from pcapdiag.pipeline import Report
from pcapdiag.plots.outcomes import INK, LOOKS, PALE, axes, ending, nothing, title
from pcapdiag.record import Record
from pcapdiag.report.ladder import Bounce, Fold, Missing, Row, cited, marks_of, rows, short_name
from pcapdiag.report.phrases import headline
from pcapdiag.report.wording import counted, frame_list, frame_number, instant, offset, payload_summary

WHERE = {Side.INITIATOR: 0.0, Side.RESPONDER: 1.0}
"""Where the lines of the two ends stand."""
MOST_REPEATS = 8
"""Retransmissions of a message that have an arrow each; the others share one."""
WIDEST = 58
"""Characters of a label."""


class Kind(Enum):
    """What a line of the ladder is about."""

    SENT = "sent"
    AGAIN = "sent again"
    FOLD = "not drawn one by one"
    ICMP = "ICMP error"
    MISSING = "not seen"


class Line(Record, frozen=True):
    """One line of the ladder.

    sender -- from whose line the arrow comes; None: from neither, but to `towards`; both None: there is no arrow
    ports -- of the initiator and of the responder; frames -- of this line, the first of which stands at the left
    """

    kind: Kind
    time: int | None
    text: str
    sender: Side | None = None
    towards: Side | None = None
    ports: tuple[int, int] | None = None
    frames: tuple[Frame, ...] = ()

    @property
    def height(self) -> float:
        """Of the line, where that of a first transmission is 1."""
        return 0.75 if self.kind is Kind.AGAIN else 1.4 if self.several else 1.0

    @property
    def several(self) -> bool:
        """It stands for more frames than those of one message."""
        return self.kind is not Kind.SENT and len(self.frames) > 1


def lines(diagnosis: Diagnosis) -> tuple[Line, ...]:
    """The ladder line by line, in the order of time.

    What phase 1 stopped for stands last; another message that did not come, behind the last try of what it would have
    answered.
    """
    found: list[tuple[bool, int, Line]] = []
    last = 0
    for row in rows(diagnosis.exchange, diagnosis):
        several = list(_lines(row))
        stopped = isinstance(row, Missing) and row.name == diagnosis.stop.missing
        found += [(stopped, last if line.time is None else line.time, line) for line in several]
        last = max((line.time for line in several if line.time is not None), default=last)
    return tuple(line for _, _, line in sorted(found, key=lambda item: item[:2]))


def _lines(row: Row) -> Iterator[Line]:
    if isinstance(row, Missing):
        yield Line(Kind.MISSING, None, row.text, row.sender, row.sender.other)
    elif isinstance(row, Bounce):
        first = row.errors[0]
        more = f", {len(row.errors) - 1}× more" if len(row.errors) > 1 else ""
        text = f"ICMP {icmp_name(first)} from {first.source}{more}"
        yield Line(Kind.ICMP, first.time, text, row.source, row.towards, frames=row.frames)
    elif isinstance(row, Fold):
        counts = ", ".join(f"{count} {label}" for label, count in row.counts.items())
        yield Line(Kind.FOLD, row.steps[0].first.time, f"⋮ {counts}, not drawn one by one", frames=row.frames)
    else:
        for step in (row.step, *row.rest):
            yield from _transmissions(step)


def _transmissions(step: Step) -> Iterator[Line]:
    first, again = step.first, step.sent[1:]
    pieces = "" if step.whole else " (fragments missing)"
    text = f"{short_name(step)} {payload_summary(step)}{pieces}"
    yield Line(Kind.SENT, first.time, text, step.sender, step.sender.other, _ports(first, step.sender), first.frames)
    single = again if len(again) + step.uncounted <= MOST_REPEATS else again[: MOST_REPEATS - 1]
    for place, sighting in enumerate(single, 2):
        text = f"{short_name(step)}, sent for the {_ordinal(place)} time"
        yield Line(Kind.AGAIN, sighting.time, text, step.sender, step.sender.other, None, sighting.frames)
    rest = again[len(single) :]
    if rest:
        text = f"{short_name(step)}, sent {len(rest) + step.uncounted}× more"
        frames = tuple(f for sighting in rest for f in sighting.frames)
        yield Line(Kind.AGAIN, rest[0].time, text, step.sender, step.sender.other, None, frames)


def _ports(sighting: Sighting, sender: Side) -> tuple[int, int]:
    ports = (sighting.source_port, sighting.destination_port)
    return ports if sender is Side.INITIATOR else ports[::-1]


def _ordinal(number: int) -> str:
    return f"{number}{ {2: 'nd', 3: 'rd'}.get(number, 'th') }"


def ladder(source: Report | Diagnosis, ax: Axes | None = None, *, exchange: int | None = None) -> Axes:
    """Draw the messages of one exchange.

    source -- a Diagnosis; or a Report, of which the first exchange that failed is drawn, else the first
    exchange -- the id of another exchange of the report; ax -- where to draw

    Time goes down a line for each transmission, and is not to scale: at the left stand the frame and the seconds since
    the first message. Dashed arrows are retransmissions, a dotted one with a cross is a message that was due and not
    seen; E1, E2 … at the right is the evidence that speaks for or against a cause. What is folded is said in its place.

    Raises ValueError for an exchange that the report does not have.
    """
    diagnosis = _chosen(source, exchange)
    if diagnosis is None:
        return nothing(axes(ax, 8, 3), "Ladder", "There is no exchange.")
    found = lines(diagnosis)
    bottom = sum(line.height for line in found) + 0.4
    ax = axes(ax, 8, 1.2 + 0.3 * bottom)
    _ends(ax, diagnosis.exchange, bottom)
    marks = marks_of(i for i in diagnosis.evidence if i.id in cited(diagnosis.causes))
    y, ports = 0.0, None
    for line in found:
        y += line.height
        about = list(dict.fromkeys(i for frame in line.frames for i in marks.get(frame, ())))
        _draw(ax, y, line, diagnosis, " ".join(about[:3]) + ("…" if len(about) > 3 else ""))
        if line.ports is not None and line.ports != ports:
            ports = line.ports
            ax.text(-0.02, y, str(ports[0]), ha="right", va="center", fontsize="x-small", color=PALE)
            ax.text(1.02, y, str(ports[1]), ha="left", va="center", fontsize="x-small", color=PALE)
    ax.set_xlim(-0.44, 1.32)
    ax.set_ylim(bottom, -1.2)
    ax.set_axis_off()
    whole, _, cause = headline(diagnosis).partition("; ")
    title(ax, f"{whole}, from {instant(diagnosis.exchange.first_time)}", *cause.split("; "))
    ax.title.set_color(LOOKS[ending(diagnosis)].colour if ending(diagnosis).failed else INK)
    return ax


def _chosen(source: Report | Diagnosis, exchange: int | None) -> Diagnosis | None:
    diagnoses: Sequence[Diagnosis] = source.diagnoses if isinstance(source, Report) else (source,)
    if exchange is not None:
        for diagnosis in diagnoses:
            if diagnosis.exchange.id == exchange:
                return diagnosis
        raise ValueError(f"no exchange {exchange}")
    return next((d for d in diagnoses if ending(d).failed), diagnoses[0] if diagnoses else None)


def _ends(ax: Axes, exchange: Exchange, bottom: float) -> None:
    for side, x in WHERE.items():
        role = side.value if exchange.roles_certain else f"{side.value} (inferred)"
        ax.text(
            x, -0.2, f"{exchange.peer(side).address}\n{role}", ha="center", va="bottom", fontsize="small", color=INK
        )
        ax.plot([x, x], [0, bottom], color=INK, linewidth=1, zorder=1)
    ax.text(-0.36, -0.2, "frame", ha="right", va="bottom", fontsize="x-small", color=PALE)
    ax.text(-0.12, -0.2, "s", ha="right", va="bottom", fontsize="x-small", color=PALE)
    uncounted = exchange.uncounted
    if uncounted:
        ax.text(0.5, bottom, f"{counted(uncounted, 'message')} more only counted", ha="center", fontsize="x-small")


ARROW = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0}
STYLES = {Kind.SENT: "-", Kind.AGAIN: (0, (5, 3)), Kind.ICMP: "-", Kind.MISSING: (0, (1, 2))}


def _draw(ax: Axes, y: float, line: Line, diagnosis: Diagnosis, marks: str) -> None:
    text = line.text if len(line.text) <= WIDEST else line.text[: WIDEST - 1] + "…"
    small = "x-small" if line.kind is Kind.AGAIN else "small"
    ax.text(0.5, y - 0.08, text, ha="center", va="bottom", fontsize=small, color=INK)
    if line.towards is not None:
        begin = WHERE[line.sender] if line.sender not in (None, line.towards) else 0.5
        missing = line.kind is Kind.MISSING
        colour = LOOKS[ending(diagnosis)].colour if missing else PALE if line.kind is Kind.AGAIN else INK
        ax.annotate(
            "", xy=(WHERE[line.towards], y), xytext=(begin, y),
            arrowprops=ARROW | {"linestyle": STYLES[line.kind], "color": colour},
        )  # fmt: skip
        if missing:
            ax.plot([0.5], [y], "x", color=colour, markersize=9, markeredgewidth=2.5)
    if line.frames:
        several = len({f.capture for step in diagnosis.exchange.steps for f in step.frames}) > 1
        number = frame_number(line.frames[0], several=several)
        ax.text(-0.36, y, number, ha="right", va="center", fontsize=small, color=INK)
    if line.time is not None:
        after = offset(line.time - diagnosis.exchange.first_time)
        ax.text(-0.12, y, after, ha="right", va="center", fontsize=small, color=INK)
    if line.several:
        ax.text(0.5, y + 0.08, frame_list(line.frames, 6), ha="center", va="top", fontsize="x-small", color=PALE)
    if marks:
        ax.text(1.14, y, marks, ha="left", va="center", fontsize="x-small", color=INK)
