"""Whether two analyses say the same: outcome, states, causes with their status, and which facts speak for them."""

from collections.abc import Iterator, Sequence

from pcapdiag.diagnosis.verdict import Diagnosis


def differences(before: Sequence[Diagnosis], after: Sequence[Diagnosis]) -> Iterator[str]:
    """A line for each thing that an exchange is said to be after and was not before, or the other way."""
    if len(before) != len(after):
        yield f"{len(before)} exchanges were chosen, {len(after)} are in the result"
    found: dict[tuple[bytes, bytes, int], list[Diagnosis]] = {}
    for diagnosis in reversed(after):
        found.setdefault(_identity(diagnosis), []).append(diagnosis)
    for diagnosis in before:
        alike = found.get(_identity(diagnosis))
        if not alike:
            yield f"exchange {diagnosis.exchange.id} is not in the result"
            continue
        for what, was, now in _compared(diagnosis, alike.pop()):
            yield f"exchange {diagnosis.exchange.id}: {what}: {was}, now {now}"


def _identity(diagnosis: Diagnosis) -> tuple[bytes, bytes, int]:
    e = diagnosis.exchange
    return e.initiator_spi, e.responder_spi or b"", e.first_time


def _compared(before: Diagnosis, after: Diagnosis) -> Iterator[tuple[str, str, str]]:
    one, other = verdict(before), verdict(after)
    for what in one:
        if what != "causes" and one[what] != other[what]:
            gone, new = (_without(one[what], other[what]), _without(other[what], one[what]))
            yield what, gone or "nothing", new or "nothing"
    if one["causes"] != other["causes"]:
        yield "causes", ", ".join(one["causes"][:3]) or "none", ", ".join(other["causes"][:3]) or "none"


def _without(these: Sequence[str], those: Sequence[str]) -> str:
    return ", ".join(t for t in these if t not in those)


def verdict(diagnosis: Diagnosis) -> dict[str, tuple[str, ...]]:
    """What is compared, by its name."""
    stop = diagnosis.stop
    return {
        "outcome": (stop.outcome.value, stop.missing or ""),
        "initiator": stop.initiator_state,
        "responder": stop.responder_state,
        "causes": tuple(f"{c.cause.id} {c.status.value}" for c in diagnosis.causes),
        "evidence": tuple(sorted({kind for e in diagnosis.evidence for kind in e.kinds})),
    }
