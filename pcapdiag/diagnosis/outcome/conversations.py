"""Where every exchange of a conversation stopped, and which of them another one made good."""

from bisect import bisect_left
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from pcapdiag.capture.datagram import EspFlow
from pcapdiag.diagnosis.outcome import aggressive_mode, ikev2, main_mode
from pcapdiag.diagnosis.outcome.stop import Outcome, Setting, Stop, outside_phase1, same_initiator
from pcapdiag.exchange.model import Exchange, Mode
from pcapdiag.units import SECOND

SUPERSEDED_WITHIN = 300 * SECOND
"""The same peers finished another exchange within this time: the one that stopped does no harm."""


def find_stop(exchange: Exchange, setting: Setting) -> Stop:
    """Where this exchange stopped, regardless of what the same peers did later."""
    if exchange.mode is Mode.MAIN:
        return main_mode.stop(exchange, setting)
    if exchange.mode is Mode.AGGRESSIVE:
        return aggressive_mode.stop(exchange, setting)
    if exchange.mode is Mode.IKEV2:
        return ikev2.stop(exchange, setting)
    return outside_phase1(exchange, setting)


def conversations(
    exchanges: Sequence[Exchange],
    capture_end: int,
    gaps: Sequence[int] = (),
    traffic: Callable[[Exchange], Sequence[EspFlow]] = lambda exchange: (),
) -> list[Setting]:
    """The exchanges by the two peers between which they went.

    gaps -- as `Setting` has them; traffic -- the flows of ESP and AH between the ends of an exchange
    """
    members: dict[tuple[str, str], list[Exchange]] = {}
    for exchange in exchanges:
        members.setdefault(exchange.conversation, []).append(exchange)
    return [Setting(capture_end, found, gaps, _flows(found, traffic)) for found in members.values()]


def _flows(conversation: Sequence[Exchange], traffic: Callable[[Exchange], Sequence[EspFlow]]) -> tuple[EspFlow, ...]:
    """The flows between the two peers, under each address that they were seen with; each once."""
    ends = {(e.initiator.addresses, e.responder.addresses): e for e in conversation}
    return tuple(dict.fromkeys(flow for e in ends.values() for flow in traffic(e)))


def find_stops(setting: Setting) -> dict[int, Stop]:
    """Where each exchange of a conversation stopped, by id; what a later one made good is superseded."""
    found = {e.id: find_stop(e, setting) for e in setting.conversation}
    completed = {e.id: e for e in setting.conversation if found[e.id].outcome is Outcome.COMPLETED}
    finished = sorted((e.phase1_end, e.id) for e in completed.values())
    return {e.id: _superseded(e, found[e.id], finished, completed) for e in setting.conversation}


def _superseded(
    exchange: Exchange, stop: Stop, finished: list[tuple[int, int]], completed: dict[int, Exchange]
) -> Stop:
    if stop.outcome not in (Outcome.STALLED, Outcome.REJECTED, Outcome.INCONCLUSIVE):
        return stop
    until = exchange.last_time + SUPERSEDED_WITHIN
    other = None
    for time, number in finished[bisect_left(finished, (exchange.first_time, 0)) :]:
        if time > until:
            break
        if same_initiator(exchange, completed[number]):
            other = number
            break
    if other is None:
        return stop
    return replace(
        stop,
        outcome=Outcome.SUPERSEDED,
        before=stop.outcome,
        superseded_by=other,
        reason=f"{stop.reason} Exchange {other} of the same peers completed.",
    )
