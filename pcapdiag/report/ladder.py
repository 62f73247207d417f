"""The ladder of an exchange: its rows from top to bottom, whatever draws them.

Phase 1 is told message by message. Behind it come hours of DPD and rekeys at times: of these the first and the last few
messages are told, and those that evidence is about; the others are folded into rows that count them.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

from pcapdiag.capture.datagram import Frame, IcmpError
from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.diagnosis.evidence.case import Evidence
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Exchange, Side, Step
from pcapdiag.ike.registry import ExchangeType
from pcapdiag.record import Record
from pcapdiag.report.wording import missing_text, payload_summary

FIRST_RUNGS, LATER_RUNGS, LAST_RUNGS = 32, 6, 3
"""Rungs that are never folded: of phase 1, of what follows it, and at the end."""
CITED_RUNGS = 24
"""Rungs behind phase 1 that stay because evidence is about them."""
QUICK_MODES = 4
"""Quick Modes of which the message that is missing is told."""


class Rung(Record, frozen=True):
    """One message, with its retransmissions.

    ports -- of the initiator and of the responder, where they are not those of the rung before; else None
    rest -- messages right after it that look alike, each its own message
    """

    step: Step
    ports: tuple[int, int] | None
    rest: tuple[Step, ...] = ()

    @property
    def frames(self) -> tuple[Frame, ...]:
        """All frames of it and of those that look alike."""
        return tuple(f for s in (self.step, *self.rest) for f in s.frames)


class Fold(Record, frozen=True):
    """Messages that are counted and not told one by one; never empty."""

    steps: tuple[Step, ...]

    @property
    def frames(self) -> tuple[Frame, ...]:
        """All their frames."""
        return tuple(f for s in self.steps for f in s.frames)

    @property
    def counts(self) -> dict[str, int]:
        """How many of each exchange type, the first seen first."""
        counts: dict[str, int] = {}
        for step in self.steps:
            label = step.exchange_type.label
            counts[label] = counts.get(label, 0) + 1
        return counts


class Missing(Record, frozen=True):
    """The message that was due, from whom, and what is to say of it."""

    name: str
    sender: Side
    text: str


class Bounce(Record, frozen=True):
    """ICMP errors of one kind from one sender about what one end sent; never empty.

    source -- the end that sent them; None where it is neither
    towards -- the end that they are about, to which they go
    """

    errors: tuple[IcmpError, ...]
    source: Side | None
    towards: Side

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The frames that carried them."""
        return tuple(e.frame for e in self.errors)


Row = Rung | Fold | Missing | Bounce


def rows(exchange: Exchange, diagnosis: Diagnosis | None = None) -> tuple[Row, ...]:
    """The rows of a ladder, in order; with a diagnosis also what did not come, and what evidence is about is told."""
    runs = list(alike(exchange.steps))
    told = told_of(runs, diagnosis)
    timed: list[tuple[int, Row]] = [(b.errors[0].time, b) for b in _bounces(exchange)]
    ports: tuple[int, int] | None = None
    folded: list[Step] = []
    for number, run in enumerate(runs):
        if number not in told:
            folded += run
            continue
        if folded:
            timed.append((folded[0].first.time, Fold(tuple(folded))))
            folded = []
        now = _ports(run[0])
        timed.append((run[0].first.time, Rung(run[0], now if now != ports else None, tuple(run[1:]))))
        ports = now
    if folded:
        timed.append((folded[0].first.time, Fold(tuple(folded))))
    timed.sort(key=lambda item: item[0])
    return _with_missing([row for _, row in timed], exchange, diagnosis)


def told_of(runs: Sequence[Sequence[Step]], diagnosis: Diagnosis | None) -> set[int]:
    """Which runs are told one by one. A gap of one is told as well: a row that counts it would be no shorter."""
    evidence = [i for i in diagnosis.evidence if i.id in cited(diagnosis.causes)] if diagnosis is not None else []
    frames = {f for item in evidence for f in item.frames}
    behind = next((n for n, run in enumerate(runs) if not of_phase1(run[0])), len(runs))
    informational = [n for n in range(behind, len(runs)) if runs[n][0].exchange_type == ExchangeType.INFORMATIONAL]
    later = sorted({*informational, *(n for n, run in enumerate(runs) if not of_phase1(run[0]))})
    first = sorted({*range(len(runs))} - {*later})
    about = [n for n in later if any(f in frames for step in runs[n] for f in step.frames)]
    told = {*first[:FIRST_RUNGS], *later[:LATER_RUNGS], *about[:CITED_RUNGS], *range(len(runs))[-LAST_RUNGS:]}
    return told | {n for n in range(len(runs)) if {n - 1, n + 1} <= told and len(runs[n]) == 1}


def _ports(step: Step) -> tuple[int, int]:
    sight = step.first
    if step.sender is Side.INITIATOR:
        return sight.source_port, sight.destination_port
    return sight.destination_port, sight.source_port


def _bounces(exchange: Exchange) -> Iterator[Bounce]:
    alike: dict[tuple[object, ...], list[IcmpError]] = {}
    for error in exchange.icmp_errors:
        about = (error.source, error.quoted.source, error.version, error.type, error.code)
        alike.setdefault(about, []).append(error)
    for errors in alike.values():
        quoted = errors[0].quoted
        towards = Side.RESPONDER if quoted.source in exchange.responder.addresses else Side.INITIATOR
        source = next((s for s in Side if errors[0].source in exchange.peer(s).addresses), None)
        yield Bounce(tuple(errors), source, towards)


def _with_missing(found: list[Row], exchange: Exchange, diagnosis: Diagnosis | None) -> tuple[Row, ...]:
    """Messages that were due stand behind those that they would have answered."""
    if diagnosis is None:
        return tuple(found)
    stop = diagnosis.stop
    if stop.missing and stop.waits_for and stop.outcome is not Outcome.REJECTED:
        last = exchange.numbered(exchange.last_message) if exchange.last_message is not None else ()
        found = _inserted(found, Missing(stop.missing, stop.waits_for, missing_text(exchange, stop)), last)
    stalled = [quick for quick in diagnosis.phase2 if quick.outcome is Outcome.STALLED]
    for quick in stalled[:QUICK_MODES]:
        latest = max(quick.steps, key=lambda step: step.first.time)
        name, sender = quick.next_message, latest.sender.other
        found = _inserted(found, Missing(name, sender, f"{name} from the {sender} was not seen"), quick.steps)
    return tuple(found)


def _inserted(found: Sequence[Row], missing: Missing, behind: Collection[Step]) -> list[Row]:
    """The rows with it behind the last of these steps; at the end where none of them is told."""
    places = [n for n, row in enumerate(found) if isinstance(row, Rung) and any(row.step is s for s in behind)]
    place = places[-1] + 1 if places else len(found)
    return [*found[:place], missing, *found[place:]]


def of_phase1(step: Step) -> bool:
    """Phase 1, and what is read as its answer."""
    later = (ExchangeType.QUICK, ExchangeType.TRANSACTION, ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL_V2)
    return step.exchange_type not in later


def alike(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Messages that follow each other and look alike, together: an Informational that is sent again is a new one."""
    run: list[Step] = []
    looks: tuple[str, Side, str] | None = None
    for step in steps:
        now = (step.name, step.sender, payload_summary(step))
        if run and now != looks:
            yield run
            run = []
        looks = now
        run.append(step)
    if run:
        yield run


def short_name(step: Step) -> str:
    """The name of a message; before the IKE SA is up the arrow tells requests from responses."""
    if step.exchange_type in (ExchangeType.IKE_SA_INIT, ExchangeType.IKE_INTERMEDIATE, ExchangeType.IKE_AUTH):
        return step.exchange_type.label
    return step.name


def cited(causes: Iterable[RankedCause]) -> set[str]:
    """The ids of the evidence that speaks for or against a cause."""
    return {i for c in causes for i in (*c.because, *c.against)}


def marks_of(evidence: Iterable[Evidence]) -> dict[Frame, list[str]]:
    """Which evidence cites which frame, for the margin."""
    marks: dict[Frame, list[str]] = {}
    for item in evidence:
        for frame in item.frames:
            marks.setdefault(frame, []).append(item.id)
    return marks
