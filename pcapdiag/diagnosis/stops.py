"""Where every exchange of a conversation stopped, and which of them another one made good."""

from bisect import bisect_left
from collections.abc import Sequence

from msgspec.structs import replace

from pcapdiag.diagnosis import aggressive_mode, ikev2, main_mode
from pcapdiag.diagnosis.stop import SECOND, Outcome, Setting, Stop, outside_phase1
from pcapdiag.exchange.model import Exchange, Mode
from pcapdiag.ike.registry import ExchangeType

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
    return outside_phase1(exchange)


def conversations(exchanges: Sequence[Exchange], capture_end: int, gaps: Sequence[int] = ()) -> list[Setting]:
    """The exchanges by the two peers between which they went; `gaps` as `Setting` has them."""
    members: dict[tuple[str, str], list[Exchange]] = {}
    for exchange in exchanges:
        members.setdefault(exchange.conversation, []).append(exchange)
    return [Setting(capture_end, found, gaps) for found in members.values()]


def find_stops(setting: Setting) -> dict[int, Stop]:
    """Where each exchange of a conversation stopped, by id; what a later one made good is superseded."""
    found = {e.id: find_stop(e, setting) for e in setting.conversation}
    finished = sorted((finished_at(e), e.id) for e in setting.conversation if found[e.id].outcome is Outcome.COMPLETED)
    return {e.id: _superseded(e, found[e.id], finished) for e in setting.conversation}


def _superseded(exchange: Exchange, stop: Stop, finished: list[tuple[int, int]]) -> Stop:
    if stop.outcome not in (Outcome.STALLED, Outcome.REJECTED, Outcome.INCONCLUSIVE):
        return stop
    place = bisect_left(finished, (exchange.first_time, 0))
    if place == len(finished) or finished[place][0] > exchange.last_time + SUPERSEDED_WITHIN:
        return stop
    other = finished[place][1]
    return replace(
        stop,
        outcome=Outcome.SUPERSEDED,
        before=stop.outcome,
        superseded_by=other,
        reason=f"{stop.reason} Exchange {other} of the same peers completed.",
    )


def finished_at(exchange: Exchange) -> int:
    """When phase 1 of a completed exchange was over: its last phase 1 message, first transmission."""
    numbered = [s.first.time for s in exchange.steps if s.number]
    auth = [s.first.time for s in exchange.steps if s.exchange_type == ExchangeType.IKE_AUTH]
    return max(numbered or auth or [exchange.first_time])
