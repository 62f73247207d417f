"""Exchanges that ended alike, together: a tunnel that is tried all day, a sweep over addresses, a flood."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from pcapdiag.diagnosis.evidence.case import MANY
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Folded
from pcapdiag.record import Record


class Group(Record, frozen=True):
    """Exchanges that ended alike, in order; between the same two peers, or between one end and many.

    initiators, responders -- how many different addresses there are at each end
    """

    members: tuple[Diagnosis, ...]
    initiators: int
    responders: int

    @property
    def first(self) -> Diagnosis:
        """The one that stands for all."""
        return self.members[0]

    @property
    def usual_gap(self) -> int:
        """The median of the times between their beginnings, in nanoseconds; 0 for a single one."""
        starts = sorted(d.exchange.first_time for d in self.members)
        gaps = sorted(b - a for a, b in pairwise(starts))
        return gaps[len(gaps) // 2] if gaps else 0


def group(diagnoses: Sequence[Diagnosis]) -> list[Group]:
    """Every exchange in exactly one group, in the order of the first of each.

    Between the same two peers first; then what one initiator met at `MANY` responders or more, then what `MANY`
    initiators or more met at one responder.
    """
    pairs = _by(diagnoses, lambda d: (_initiator(d), _responder(d), _ending(d)))
    swept, rest = _merged(pairs, _initiator)
    flooded, rest = _merged(rest, _responder)
    place = {d.exchange.id: number for number, d in enumerate(diagnoses)}
    found = sorted(swept + flooded + rest, key=lambda members: place[members[0].exchange.id])
    return [
        Group(tuple(members), len({_initiator(d) for d in members}), len({_responder(d) for d in members}))
        for members in found
    ]


def failing_first(groups: Sequence[Group]) -> tuple[list[Group], list[Group]]:
    """Those that need somebody, and those that do not: what completed, and what another exchange made good."""
    failing = [g for g in groups if not g.first.well and g.first.stop.outcome is not Outcome.SUPERSEDED]
    return failing, [g for g in groups if g not in failing]


def _merged(
    groups: list[list[Diagnosis]], end: Callable[[Diagnosis], str]
) -> tuple[list[list[Diagnosis]], list[list[Diagnosis]]]:
    """Groups with the same address at one end and the same ending, together where there are many; and the others."""
    alike: dict[tuple[object, ...], list[list[Diagnosis]]] = {}
    for members in groups:
        alike.setdefault((end(members[0]), _ending(members[0])), []).append(members)
    many = [[d for members in found for d in members] for found in alike.values() if len(found) >= MANY]
    few = [members for found in alike.values() if len(found) < MANY for members in found]
    return many, few


def _by(diagnoses: Sequence[Diagnosis], key: Callable[[Diagnosis], tuple[object, ...]]) -> list[list[Diagnosis]]:
    found: dict[tuple[object, ...], list[Diagnosis]] = {}
    for diagnosis in diagnoses:
        found.setdefault(key(diagnosis), []).append(diagnosis)
    return list(found.values())


class Crowd(Record, frozen=True):
    """Folded exchanges that went equally far: between the same two ends, or between one end and many.

    initiators, responders -- how many different addresses of each are known
    more_initiators, more_responders -- there are others, too many to name
    first -- one of them; exchanges, messages, first_time, last_time (nanoseconds) -- of all
    """

    first: Folded
    initiators: int
    responders: int
    more_initiators: bool
    more_responders: bool
    exchanges: int
    messages: int
    first_time: int
    last_time: int


def crowds(folded: Sequence[Folded]) -> list[Crowd]:
    """Every folded exchange in exactly one crowd, the largest first."""
    rest = [[row] for row in folded]
    found: list[list[Folded]] = []
    ends: tuple[Callable[[Folded], object], ...] = (lambda r: r.responder, lambda r: r.initiator, lambda r: None)
    for end in ends:
        alike: dict[tuple[object, ...], list[Folded]] = {}
        for (row,) in rest:
            alike.setdefault((end(row), row.mode, row.last_message, row.outcome), []).append(row)
        found += [rows for rows in alike.values() if len(rows) >= MANY]
        rest = [[row] for rows in alike.values() if len(rows) < MANY for row in rows]
    return sorted((_crowd(rows) for rows in found + rest), key=lambda c: -c.exchanges)


def _crowd(rows: list[Folded]) -> Crowd:
    return Crowd(
        first=min(rows, key=lambda row: row.first_time),
        initiators=len({row.initiator for row in rows} - {None}),
        responders=len({row.responder for row in rows} - {None}),
        more_initiators=any(row.initiator is None for row in rows),
        more_responders=any(row.responder is None for row in rows),
        exchanges=sum(row.exchanges for row in rows),
        messages=sum(row.messages for row in rows),
        first_time=min(row.first_time for row in rows),
        last_time=max(row.last_time for row in rows),
    )


def _initiator(diagnosis: Diagnosis) -> str:
    return diagnosis.exchange.initiator.address


def _responder(diagnosis: Diagnosis) -> str:
    return diagnosis.exchange.responder.address


def _ending(diagnosis: Diagnosis) -> tuple[object, ...]:
    stop = diagnosis.stop
    return (
        diagnosis.exchange.mode,
        stop.outcome,
        stop.missing,
        stop.initiator_state,
        stop.responder_state,
        stop.refused_by,
        tuple(p.outcome for p in diagnosis.phase2[:1]),
        diagnosis.causes[0].cause.id if diagnosis.causes else None,
    )
