"""The diagnosis of an exchange: where it stopped, what proves it, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from pcapdiag.diagnosis.phase2 import Phase2, phase2_of
from pcapdiag.diagnosis.stop import Outcome, Setting, Stop, chosen_transform, find_stops
from pcapdiag.exchange.model import Exchange
from pcapdiag.ike.payloads import Proposal, Transform


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that is said of one exchange.

    offered -- the proposals of message 1; chosen -- the transform of message 2, None while there is none
    """

    exchange: Exchange
    stop: Stop
    offered: tuple[Proposal, ...]
    chosen: Transform | None
    phase2: tuple[Phase2, ...]


def diagnose(exchanges: Sequence[Exchange], capture_end: int) -> tuple[Diagnosis, ...]:
    """Diagnose every exchange of a capture that ended at `capture_end` (nanoseconds since the Unix epoch).

    In the order of first sight; but an exchange that another one made good stands behind that one, so that the first
    thing said of two peers is how it ended between them.
    """
    stops = find_stops(exchanges, capture_end)
    conversations: dict[tuple[str, str], list[Exchange]] = {}
    for exchange in exchanges:
        conversations.setdefault(exchange.conversation, []).append(exchange)
    place = {e.id: number for number, e in enumerate(exchanges)}

    def order(exchange: Exchange) -> tuple[int, int]:
        by = stops[exchange.id].superseded_by
        return (place[by], 1) if by is not None and place[by] > place[exchange.id] else (place[exchange.id], 0)

    return tuple(
        _diagnose(e, stops[e.id], Setting(capture_end, conversations[e.conversation]))
        for e in sorted(exchanges, key=order)
    )


def _diagnose(exchange: Exchange, stop: Stop, setting: Setting) -> Diagnosis:
    firsts = [s for s in exchange.steps if s.proposals]
    offered = firsts[0].proposals if firsts and firsts[0].sender.value == "initiator" else ()
    return Diagnosis(exchange, stop, offered, chosen_transform(exchange), phase2_of(exchange, setting))


def all_well(diagnoses: Sequence[Diagnosis]) -> bool:
    """Whether every exchange completed: seen to, or begun before the capture and in use."""
    return all(
        d.stop.outcome is Outcome.COMPLETED or (d.stop.outcome is Outcome.PARTIAL and not d.stop.missing)
        for d in diagnoses
    )
