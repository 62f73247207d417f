"""What a stream tells of an exchange, and what of that is its verdict."""

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.record import Record

ASPECTS = (
    "outcome",
    "outcome_alone",
    "missing",
    "refused_by",
    "initiator_state",
    "responder_state",
    "superseded_by",
    "tunnel",
    "phase2",
    "causes",
)
"""What a verdict is made of, by the names that JSON has for it."""

Verdict = tuple[str | int | tuple[str, ...] | None, ...]


class Told(Record, frozen=True):
    """One exchange, as it stands when it is told.

    revision -- 1 the first time; more where messages came behind what was told, or the verdict is another one
    corrects -- which of ASPECTS are not what was told before; empty the first time, and where only messages were added
    since -- the last frame that was told of it before; its messages up to there are known. None the first time
    """

    diagnosis: Diagnosis
    revision: int = 1
    corrects: tuple[str, ...] = ()
    since: Frame | None = None


def verdict_of(diagnosis: Diagnosis) -> Verdict:
    """What is held against what was told before, in the order of ASPECTS: plain values."""
    stop = diagnosis.stop
    return (
        stop.outcome.value,
        (stop.before or stop.outcome).value,
        stop.missing,
        stop.refused_by.value if stop.refused_by else None,
        stop.initiator_state,
        stop.responder_state,
        stop.superseded_by,
        diagnosis.tunnel.state.value,
        tuple([p.outcome.value for p in diagnosis.phase2]),
        tuple([f"{c.cause.id} {c.status.value}" for c in diagnosis.causes]),
    )


def changes(before: Verdict, now: Verdict) -> tuple[str, ...]:
    """Which of ASPECTS differ."""
    return tuple([name for name, old, new in zip(ASPECTS, before, now, strict=True) if old != new])
