"""Where an Aggressive Mode exchange stopped (RFC 2409 §5)."""

from collections.abc import Sequence

from pcapdiag.diagnosis.outcome.stop import (
    Outcome,
    Refusal,
    Setting,
    Stop,
    answered_both_ways,
    completed,
    followed_by,
    frames_of,
    goes_on,
    outside_phase1,
    refusal_of,
    sent_again_after,
    third_of_quick_mode,
    undelivered_to,
    waiting_outcome,
)
from pcapdiag.diagnosis.outcome.vantage import vantage_of
from pcapdiag.exchange.model import Exchange, Side, Step
from pcapdiag.exchange.modes import SENDER
from pcapdiag.ike.message import ZERO_SPI


def stop(exchange: Exchange, setting: Setting) -> Stop:
    """Where this Aggressive Mode exchange stopped."""
    top = exchange.last_message or 0
    after = followed_by(exchange)
    shown = _went_on(exchange, after)
    if shown:
        reason = "Phase 1 finished: the responder went on under the same cookies."
        if all(s.sender is Side.INITIATOR for s in shown):
            reason = "Phase 1 finished: the initiator went on with Quick Mode as only an answer lets it."
        return completed(exchange, "AM_ACTIVE", reason, next(reversed(shown)).frames)
    if not top:
        return outside_phase1(exchange, setting)
    refusal = refusal_of(exchange, top)
    if refusal is not None:
        return _rejected(top, refusal)
    reached = exchange.numbered(top)[0].first.time
    outcome = waiting_outcome(exchange, setting, reached)
    if top == 3:
        return _after_3(exchange, setting, outcome)
    long = outcome is Outcome.STALLED
    reason = f"AM{top} was sent; AM{top + 1} was not seen"
    frames = frames_of(exchange.numbered(top))
    if top == 1:
        initiator: tuple[str, ...] = ("AM_WAIT_MSG2",)
        responder: tuple[str, ...] = ("NONE",) if undelivered_to(exchange, Side.RESPONDER) else ("NONE", "AM_WAIT_MSG3")
    else:
        responder = ("AM_WAIT_MSG3",)
        again = sent_again_after(exchange.numbered(1), reached)
        initiator = ("AM_WAIT_MSG2",) if again else ("AM_WAIT_MSG2", "AM_ACTIVE")
        if again:
            reason, frames = "AM2 was sent and AM1 is still repeated: AM2 does not reach the initiator", again
    reason += "." if long else ", and the capture ends before that means anything."
    return Stop(outcome, f"AM{top + 1}", SENDER[top + 1], None, initiator, responder, reason, frames)


def _went_on(exchange: Exchange, after: Sequence[Step]) -> Sequence[Step]:
    """What shows that the responder took message 3: it goes on, and the initiator does so with it.

    The initiator may begin Quick Mode right behind message 3, so its own message alone shows nothing; and one of the
    responder alone is no more than a packet with the right cookies, which stand on the wire in clear.
    """
    both = answered_both_ways(after) or third_of_quick_mode(after) or _asks_on(exchange, after)
    alone = vantage_of(exchange).one_way is Side.RESPONDER or not exchange.numbered(1)
    return both or ([s for s in after if s.sender is Side.RESPONDER] if alone else ())


def _asks_on(exchange: Exchange, after: Sequence[Step]) -> Sequence[Step]:
    """The responder sends what follows phase 1 again and again, and message 2 no more: it has message 3.

    As where it asks for a user, who does not type.
    """
    own = [s for s in after if s.sender is Side.RESPONDER]
    return own if goes_on(own, exchange.numbered(2)) else ()


def _rejected(top: int, refusal: Refusal) -> Stop:
    by_initiator = refusal.by is Side.INITIATOR
    states: dict[tuple[int, bool], tuple[tuple[str, ...], tuple[str, ...]]] = {
        (1, False): (("AM_WAIT_MSG2",), ("NONE",)),
        (1, True): (("NONE",), ("NONE", "AM_WAIT_MSG3")),
        (2, False): (("AM_WAIT_MSG2", "AM_ACTIVE"), ("AM_WAIT_MSG3", "NONE")),
        (2, True): (("AM_WAIT_MSG2",), ("AM_WAIT_MSG3",)),
        (3, False): (("AM_ACTIVE",), ("AM_WAIT_MSG3", "NONE")),
        (3, True): (("NONE",), ("AM_ACTIVE", "AM_WAIT_MSG3")),
    }
    initiator, responder = states[(top, by_initiator)]
    if top == 1 and by_initiator and refusal.step.message.header.responder_spi != ZERO_SPI:
        initiator, responder = states[(2, True)]  # it names the responder's cookie: message 2 came
    reason = f"The {refusal.reason}."
    missing = f"AM{top + 1}" if top < 3 else None
    waits_for = SENDER[top + 1] if top < 3 else None
    frames = refusal.step.frames
    return Stop(Outcome.REJECTED, missing, waits_for, refusal.by, initiator, responder, reason, frames)


def _after_3(exchange: Exchange, setting: Setting, outcome: Outcome) -> Stop:
    thirds = exchange.numbered(3)
    reached = thirds[0].first.time
    again = sent_again_after(exchange.numbered(2), reached)
    if again:
        reason = "AM3 was sent and AM2 is still repeated: AM3 does not reach the responder"
        reason += "." if outcome is Outcome.STALLED else ", and the capture ends before that means anything."
        return Stop(outcome, "AM3", Side.INITIATOR, None, ("AM_ACTIVE",), ("AM_WAIT_MSG3",), reason, again)
    reason = "All three messages went by; whether the responder accepted AM3 does not show."
    if outcome is Outcome.STALLED and not any(s.sender is Side.INITIATOR for s in followed_by(exchange)):
        # Nothing answers message 3 (RFC 2409 §5.4): that the responder took it only what follows can show.
        if not followed_by(exchange):
            reason = "All three messages went by, nothing followed; whether the responder accepted AM3 does not show."
        outcome = Outcome.INCONCLUSIVE
    states = ("AM_ACTIVE", "AM_WAIT_MSG3")
    return Stop(outcome, "Quick Mode", None, None, ("AM_ACTIVE",), states, reason, frames_of(thirds))
