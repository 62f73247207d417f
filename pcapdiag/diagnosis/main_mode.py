"""Where a Main Mode exchange stopped (RFC 2409 §5)."""

from pcapdiag.diagnosis.stop import (
    RESTART,
    SILENCE,
    Outcome,
    Refusal,
    Setting,
    Stop,
    completed,
    followed_by,
    frames_of,
    outside_phase1,
    refusal_of,
    sent_again_after,
    waiting_outcome,
)
from pcapdiag.exchange.model import Exchange, Side, Step
from pcapdiag.exchange.modes import SENDER
from pcapdiag.ike.registry import ExchangeType


def stop(exchange: Exchange, setting: Setting) -> Stop:
    """Where this Main Mode exchange stopped."""
    top = exchange.last_message or 0
    after = followed_by(exchange)
    if after and not _reply_lost(exchange, after):
        name = "Quick Mode" if any(s.exchange_type == ExchangeType.QUICK for s in after) else "a Transaction exchange"
        reason = f"Phase 1 finished: {name} followed under the same cookies."
        return completed(exchange, "MM_ACTIVE", reason, after[0].frames)
    if not top:
        return outside_phase1(exchange)
    refusal = refusal_of(exchange, top)
    if refusal is not None:
        return _rejected(exchange, top, refusal)
    if top == 6:
        return _after_6(exchange, setting)
    return _waiting(exchange, setting, top)


def _reply_lost(exchange: Exchange, after: tuple[Step, ...]) -> bool:
    """Message 5 is repeated behind message 6 and the initiator went no further: message 6 never reached it."""
    answers = exchange.numbered(6)
    if not answers or any(s.sender is Side.INITIATOR for s in after):
        return False
    return bool(sent_again_after(exchange.numbered(5), answers[0].first.time))


def _rejected(exchange: Exchange, top: int, refusal: Refusal) -> Stop:
    by_initiator = refusal.by is Side.INITIATOR
    states: dict[tuple[int, bool], tuple[tuple[str, ...], tuple[str, ...]]] = {
        (1, False): (("MM_WAIT_MSG2",), ("NONE",)),
        (1, True): (("NONE",), ("NONE", "MM_WAIT_MSG3")),
        (2, False): (("MM_WAIT_MSG2", "MM_WAIT_MSG4"), ("NONE",)),
        (2, True): (("MM_WAIT_MSG2", "NONE"), ("MM_WAIT_MSG3",)),
        (3, False): (("MM_WAIT_MSG4",), ("MM_WAIT_MSG3", "NONE")),
        (3, True): (("NONE",), ("MM_WAIT_MSG3", "MM_WAIT_MSG5")),
        (4, False): (("MM_WAIT_MSG6", "MM_WAIT_MSG4"), ("MM_WAIT_MSG5", "NONE")),
        (4, True): (("MM_WAIT_MSG4", "NONE"), ("MM_WAIT_MSG5",)),
        (5, False): (("MM_WAIT_MSG6",), ("MM_WAIT_MSG5",)),
        (5, True): (("NONE",), ("MM_WAIT_MSG5", "MM_ACTIVE")),
        (6, False): (("MM_ACTIVE", "MM_WAIT_MSG6"), ("NONE",)),
        (6, True): (("MM_WAIT_MSG6",), ("MM_ACTIVE",)),
    }
    initiator, responder = states[(top, by_initiator)]
    reason = f"The {refusal.reason}."
    missing = f"MM{top + 1}" if top < 6 else None
    waits_for = SENDER[top + 1] if top < 6 else None
    frames = refusal.step.frames
    return Stop(Outcome.REJECTED, missing, waits_for, refusal.by, initiator, responder, reason, frames)


def _after_6(exchange: Exchange, setting: Setting) -> Stop:
    answers = exchange.numbered(6)
    reached = answers[0].first.time
    again = sent_again_after(exchange.numbered(5), reached)
    if again:
        reason = "MM6 was sent and MM5 is still repeated: MM6 does not reach the initiator."
        outcome = waiting_outcome(exchange, setting, reached)
        return Stop(outcome, "MM6", Side.RESPONDER, None, ("MM_WAIT_MSG6",), ("MM_ACTIVE",), reason, again)
    restart = setting.next_attempt(exchange, reached)
    if restart is not None and restart.first_time <= reached + RESTART:
        reason = (
            f"MM6 was sent, no Quick Mode followed, and the initiator began anew (exchange {restart.id}): "
            "it did not accept MM6."
        )
        frames = (*frames_of(answers), restart.steps[0].first.frame)
        return Stop(Outcome.REJECTED, None, None, Side.INITIATOR, ("MM_WAIT_MSG6",), ("MM_ACTIVE",), reason, frames)
    if setting.silence_after(reached) >= SILENCE:
        reason = "All six messages went by; nothing followed them in the capture, no Quick Mode either."
        return completed(exchange, "MM_ACTIVE", reason, frames_of(answers))
    reason = "All six messages went by and the capture ends; whether MM6 was accepted does not show."
    return Stop(
        Outcome.INCONCLUSIVE,
        "Quick Mode",
        Side.INITIATOR,
        None,
        ("MM_ACTIVE", "MM_WAIT_MSG6"),
        ("MM_ACTIVE",),
        reason,
        frames_of(answers),
    )


def _waiting(exchange: Exchange, setting: Setting, top: int) -> Stop:
    steps = exchange.numbered(top)
    reached = steps[0].first.time
    outcome = waiting_outcome(exchange, setting, reached)
    long = outcome is Outcome.STALLED
    missing = top + 1
    reason = f"MM{top} was sent; MM{missing} was not seen"
    frames = frames_of(steps)
    if top == 1:
        initiator: tuple[str, ...] = ("MM_WAIT_MSG2",)
        responder: tuple[str, ...] = (
            ("NONE",) if any(i.undelivered for i in exchange.icmp_errors) else ("NONE", "MM_WAIT_MSG3")
        )
    elif top == 3:
        initiator = ("MM_WAIT_MSG4",)
        again = sent_again_after(exchange.numbered(2), reached)
        responder = ("MM_WAIT_MSG3",) if again else ("MM_WAIT_MSG3", "MM_WAIT_MSG5")
        if again:
            reason, frames = "MM3 was sent and MM2 is still repeated: MM3 does not reach the responder", again
    elif top == 5:
        initiator = ("MM_WAIT_MSG6",)
        again = sent_again_after(exchange.numbered(4), reached)
        lost = again or not any(s.whole for s in steps)
        responder = ("MM_WAIT_MSG5",) if lost else ("MM_WAIT_MSG5", "MM_ACTIVE")
        if again:
            reason = "MM5 was sent and MM4 is still repeated: the responder has not accepted MM5"
            frames = again
    else:
        # Messages 2 and 4 come from the responder, which now waits; the initiator shows by what it repeats.
        responder = (f"MM_WAIT_MSG{top + 1}",)
        again = sent_again_after(exchange.numbered(top - 1), reached)
        earlier, later = f"MM_WAIT_MSG{top}", f"MM_WAIT_MSG{top + 2}"
        if again:
            initiator, frames = (earlier,), again
            reason = f"MM{top} was sent and MM{top - 1} is still repeated: MM{top} does not reach the initiator"
        elif long:
            initiator = (later,) if top == 4 else (later, "NONE")
            reason = f"MM{top} was sent and MM{top - 1} not repeated; MM{missing} was not seen"
        else:
            initiator = (later, earlier)
    reason += "." if long else ", and the capture ends before that means anything."
    return Stop(outcome, f"MM{missing}", SENDER[missing], None, initiator, responder, reason, frames)
