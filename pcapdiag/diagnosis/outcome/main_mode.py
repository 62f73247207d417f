"""Where a Main Mode exchange stopped (RFC 2409 §5)."""

from collections.abc import Sequence
from itertools import pairwise

from pcapdiag.diagnosis.outcome.stop import (
    CROSSING,
    REFUSAL,
    RESTART,
    SILENCE,
    Outcome,
    Refusal,
    Setting,
    Stop,
    answered,
    answered_both_ways,
    completed,
    followed_by,
    frames_of,
    goes_on,
    informational,
    may_be_sa_delete,
    opened_of,
    outside_phase1,
    refusal_of,
    repeated_after,
    sent_again_after,
    third_of_quick_mode,
    undelivered_to,
    waiting_outcome,
)
from pcapdiag.diagnosis.outcome.vantage import vantage_of
from pcapdiag.exchange.model import Exchange, Side, Step
from pcapdiag.exchange.modes import SENDER
from pcapdiag.ike.payloads import Delete
from pcapdiag.ike.registry import ExchangeType
from pcapdiag.ike.vendor_ids import Feature
from pcapdiag.units import SECOND


def stop(exchange: Exchange, setting: Setting) -> Stop:
    """Where this Main Mode exchange stopped."""
    top = exchange.last_message or 0
    finished = _finished(exchange, setting)
    if finished is not None:
        return finished
    if not top:
        return outside_phase1(exchange, setting)
    refusal = refusal_of(exchange, top)
    if not exchange.roles_known:
        return _roles_unknown(exchange, setting, top, refusal)
    if refusal is not None and top == 6 and _too_early(exchange, setting, refusal):
        refusal = None
    if refusal is not None and top >= 5 and refusal.step.encrypted and _is_one_of_two(exchange, setting):
        refusal = None
    if refusal is not None:
        return _rejected(exchange, top, refusal)
    if top == 6:
        return _after_6(exchange, setting)
    return _waiting(exchange, setting, top)


def _too_early(exchange: Exchange, setting: Setting, refusal: Refusal) -> bool:
    """The capture ends with what may refuse message 6: INITIAL-CONTACT is as long as a delete, and Quick Mode follows.

    Cisco and racoon tell INITIAL-CONTACT in an Informational of its own (RFC 2407 §4.6.3.3); of others none is known.
    """
    step = refusal.step
    if refusal.by is not Side.INITIATOR or not step.encrypted or opened_of(step, Delete):
        return False
    ids = [v for s in exchange.sent_by(Side.INITIATOR) for v in s.vendor_ids]
    if not any(v.feature is Feature.UNITY or (v.vendor or "").startswith(("Cisco", "racoon")) for v in ids):
        return False
    repeated = sent_again_after(exchange.numbered(5), exchange.numbered(6)[0].first.time)
    return not repeated and setting.silence_after(step.first.time) < GOES_ON


def _is_one_of_two(exchange: Exchange, setting: Setting) -> bool:
    """Both ends began at once and use what the other exchange made: an end that deletes this one refuses nothing.

    strongSwan does so where there may be one SA only; the proofs that the other exchange took are those of this one.
    """
    return any(
        other.initiator.address in exchange.responder.addresses
        and abs(other.first_time - exchange.first_time) <= REFUSAL
        and other.numbered(6)
        and answered_both_ways(followed_by(other))
        for other in setting.near(exchange)
        if other.id != exchange.id
    )


GOES_ON = SECOND
"""An initiator that has message 6, and traffic to protect, begins Quick Mode at once."""


# --- whether it finished -----------------------------------------------------------------------------------------


def _finished(exchange: Exchange, setting: Setting) -> Stop | None:
    """Phase 1 completed: what shows it, from both ends.

    What follows phase 1 is made with its keys, so an end that sends it has finished (RFC 2409 §5.5). One end's message
    alone is no more than a packet with the right cookies, which stand on the wire in clear. So the other end has to
    answer it, or message 6 has to be there, or the sender has to go on as only an answer lets it. An initiator that
    repeats message 5 behind all that has not had message 6, whatever else appears.
    """
    after = followed_by(exchange)
    if not after:
        return _both_informed(exchange)
    fives = exchange.numbered(5)
    shown = answered_both_ways(after) or third_of_quick_mode(after)
    missing = "" if exchange.numbered(6) or not fives else " Message 6 itself is not in the capture."
    if not shown:
        shown = _went_on(exchange, setting, after)
        if shown and _taken_back(exchange):
            return _doubtful(exchange, shown)
    if not shown or repeated_after(fives, max(s.first.time for s in shown)):
        return None
    name = "Quick Mode" if any(s.exchange_type == ExchangeType.QUICK for s in shown) else "a Transaction exchange"
    reason = f"Phase 1 finished: {name} followed under the same cookies.{missing}"
    return completed(exchange, "MM_ACTIVE", reason, shown[0].frames)


def _went_on(exchange: Exchange, setting: Setting, after: Sequence[Step]) -> tuple[Step, ...]:
    """What one end sent that it could not have sent without the other's answer.

    The initiator's Quick Mode behind message 6; of a capture of one direction, what followed the messages of phase 1
    that it sees.
    """
    sixes, fives = exchange.numbered(6), exchange.numbered(5)
    of_initiator = [s for s in after if s.sender is Side.INITIATOR]
    if sixes and of_initiator:
        reached = min(s.first.time for s in sixes)
        later = [s for s in of_initiator if s.first.time >= reached - CROSSING]
        if later and not _refused_before(exchange, reached, later[0]) and not repeated_after(fives, reached):
            return (later[0],)
    if fives and not sixes and _without_6(exchange, setting, fives, of_initiator):
        return tuple(of_initiator)
    of_responder = [s for s in after if s.sender is Side.RESPONDER]
    if fives and not sixes and goes_on(of_responder, fives):
        return tuple(of_responder)
    sender = vantage_of(exchange).one_way
    return _one_way(exchange, sender, after) if sender is not None else ()


def _without_6(exchange: Exchange, setting: Setting, fives: Sequence[Step], of_initiator: Sequence[Step]) -> bool:
    """Message 6 is not in the capture, and the initiator had it: it stopped asking for it, and sends Quick Mode.

    An initiator that waits for message 6 repeats message 5 (RFC 2408 §5.1), not what comes behind. One or two packets
    of Quick Mode anybody can send; it takes three transmissions, over longer than any known sender waits before it
    repeats, or an answer of the responder and that long without another message 5.
    """
    sent = sorted(time for s in of_initiator for time in s.times)
    if not sent or any(s.last.time >= sent[0] for s in fives):
        return False
    return goes_on(of_initiator, fives) or _answered_for_good(exchange, setting, fives, sent[0])


def _answered_for_good(exchange: Exchange, setting: Setting, fives: Sequence[Step], begun: int) -> bool:
    """The responder said something encrypted at once behind Quick Mode, and message 5 was sent once and never again.

    An initiator that waits for message 6 would have repeated it by then, whatever else anybody sends.
    """
    told = [s for s in informational(exchange) if s.encrypted and s.sender is Side.RESPONDER]
    at_once = any(0 <= s.first.time - begun <= REFUSAL for s in told)
    return at_once and all(setting.silence_after(s.last.time) >= SILENCE for s in fives)


def _one_way(exchange: Exchange, sender: Side, after: Sequence[Step]) -> tuple[Step, ...]:
    """What followed phase 1 from the one end that is seen.

    One packet shows little: its last message of phase 1 is there too, where the capture has the first one, or another
    one follows; and it repeats none of phase 1 behind that.
    """
    first, last = (1, 5) if sender is Side.INITIATOR else (2, 6)
    shown = exchange.numbered(last) or not exchange.numbered(first) or len(after) > 1
    begun = after[0].first.time
    if not shown or any(time > begun for s in exchange.steps if s.number for time in s.times[1:]):
        return ()
    return (after[0],)


def _refused_before(exchange: Exchange, reached: int, step: Step) -> bool:
    """The initiator sent what may be a delete of the SA between message 6 and this, which nobody answered."""
    return any(reached <= s.first.time < step.first.time for s in _may_take_back(exchange))


def _may_take_back(exchange: Exchange) -> list[Step]:
    return [
        s
        for s in informational(exchange)
        if s.encrypted and s.sender is Side.INITIATOR and may_be_sa_delete(s, exchange) and not answered(exchange, s)
    ]


def _taken_back(exchange: Exchange) -> bool:
    """Right behind message 6 the initiator sent what may be a delete of the SA, before the responder said more."""
    sixes = exchange.numbered(6)
    if not sixes:
        return False
    reached = min(s.first.time for s in sixes)
    for step in _may_take_back(exchange):
        heard = any(
            s.sender is Side.RESPONDER and reached < s.first.time < step.first.time and s not in sixes
            for s in exchange.steps
        )
        if reached <= step.first.time <= reached + REFUSAL and not heard:
            return True
    return False


def _doubtful(exchange: Exchange, shown: Sequence[Step]) -> Stop:
    reason = (
        "MM6 went by, then one message of Quick Mode and an encrypted Informational of the initiator, and no answer of "
        "the responder: whether the initiator accepted MM6 does not show."
    )
    states = ("MM_ACTIVE", "MM_WAIT_MSG6")
    frames = frames_of((*exchange.numbered(6), *shown))
    return Stop(Outcome.INCONCLUSIVE, "QM2", Side.RESPONDER, None, states, ("MM_ACTIVE",), reason, frames)


def _both_informed(exchange: Exchange) -> Stop | None:
    """Encrypted Informational messages of both ends behind message 6, one right behind the other, as DPD is.

    Both are made with the keys of a phase 1 that finished (RFC 2409 §5.7), and a refusal is not answered. Where message
    6 is not in the capture, it takes a pair that the initiator begins, which repeats message 5 until it has that; or
    two pairs, long after the last message 5: a refusal comes sooner.
    """
    fives, sixes = exchange.numbered(5), exchange.numbered(6)
    if not sixes and not fives:
        return None
    reached = min(s.first.time for s in sixes) if sixes else max(s.last.time for s in fives)
    rows = [s for s in informational(exchange) if s.encrypted and s.first.time > reached]
    pairs, enough = [], bool(sixes)
    for asked, answer in pairwise(rows):
        at_once = 0 <= answer.first.time - asked.first.time <= 2 * CROSSING
        equal = asked.message.header.length == answer.message.header.length
        by_initiator = asked.sender is Side.INITIATOR or not exchange.roles_known
        later = 2 * CROSSING if sixes or by_initiator else REFUSAL
        if asked.sender is not answer.sender and at_once and equal and asked.first.time - reached > later:
            pairs.append((asked, answer))
            enough = enough or by_initiator
    if len(pairs) < (1 if enough else 2) or repeated_after(fives, pairs[0][1].first.time):
        return None
    reason = "Phase 1 finished: both ends sent encrypted Informational messages under it, as DPD does."
    if not sixes:
        reason += " Message 6 itself is not in the capture."
    return completed(exchange, "MM_ACTIVE", reason, (*pairs[0][0].frames, *pairs[0][1].frames))


# --- where it stopped --------------------------------------------------------------------------------------------


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


def _roles_unknown(exchange: Exchange, setting: Setting, top: int, refusal: Refusal | None) -> Stop:
    """Messages of one kind alone, between ends of which nothing tells who began: both places that they can have."""
    steps = exchange.numbered(top)
    keying = top in (3, 4)
    names = ("MM3 or MM4", "MM5", "MM6") if keying else ("MM5 or MM6", "MM6", "Quick Mode")
    initiator = ("MM_WAIT_MSG4", "MM_WAIT_MSG6") if keying else ("MM_WAIT_MSG6", "MM_ACTIVE")
    responder = ("MM_WAIT_MSG3", "MM_WAIT_MSG5") if keying else ("MM_WAIT_MSG5", "MM_ACTIVE")
    missing = f"{names[1]} or {names[2]}"
    reason = f"{names[0]} alone is in the capture, and nothing tells which end began."
    if refusal is not None:
        what = refusal.reason.partition(" ")[2]
        reason = f"{reason} {refusal.step.first.source} {what}."
        return Stop(Outcome.REJECTED, missing, None, None, initiator, responder, reason, refusal.step.frames)
    outcome = waiting_outcome(exchange, setting, steps[0].first.time)
    if outcome is Outcome.STALLED and all(len(s.sent) == 1 for s in steps) and not exchange.icmp_errors:
        # Who waits repeats (RFC 2408 §5.1); behind message 6 nothing is due.
        outcome = Outcome.INCONCLUSIVE
        reason += " It is not sent again, as what has no answer is."
    elif outcome is Outcome.STALLED:
        reason += " Nothing followed it."
    return Stop(outcome, missing, None, None, initiator, responder, reason, frames_of(steps))


def _after_6(exchange: Exchange, setting: Setting) -> Stop:
    answers = exchange.numbered(6)
    reached = answers[0].first.time
    again = repeated_after(exchange.numbered(5), reached)
    if again:
        reason = "MM6 was sent and MM5 is still repeated: MM6 does not reach the initiator, or it does not take it."
        if vantage_of(exchange).at is Side.INITIATOR:
            reason = "MM6 reaches the initiator's own interface, and it repeats MM5 all the same: it does not take MM6."
        elif vantage_of(exchange).at is Side.RESPONDER:
            reason = "MM6 leaves the responder and MM5 is still repeated: MM6 does not get through, or is not taken."
        outcome = waiting_outcome(exchange, setting, reached)
        return Stop(outcome, "MM6", Side.RESPONDER, None, ("MM_WAIT_MSG6",), ("MM_ACTIVE",), reason, again)
    if vantage_of(exchange).one_way is Side.RESPONDER:
        reason = "The responder sent MM6; the capture sees nothing of the initiator, so what it did does not show."
        states = ("MM_ACTIVE", "MM_WAIT_MSG6")
        return Stop(Outcome.INCONCLUSIVE, None, None, None, states, ("MM_ACTIVE",), reason, frames_of(answers))
    told = [s for s in informational(exchange) if s.encrypted and 0 <= s.first.time - reached <= REFUSAL]
    # What the responder itself says behind message 6 answers what is not in the capture, a Quick Mode perhaps.
    ended = any(s.sender is Side.RESPONDER for s in told)
    restart = setting.next_attempt(exchange, reached)
    if restart is not None and restart.first_time <= reached + RESTART and not ended:
        reason = (
            f"MM6 was sent, no Quick Mode followed, and the initiator began anew (exchange {restart.id}): "
            "it did not accept MM6."
        )
        frames = (*frames_of(answers), restart.steps[0].first.frame)
        return Stop(Outcome.REJECTED, None, None, Side.INITIATOR, ("MM_WAIT_MSG6",), ("MM_ACTIVE",), reason, frames)
    asked = any(s.first.time <= reached + CROSSING for s in exchange.numbered(5))
    if exchange.numbered(1) and not asked:
        reason = "MM6 went by; MM5, which it answers, is not in the capture, and nothing shows that MM6 was accepted."
        states = ("MM_ACTIVE", "MM_WAIT_MSG6")
        return Stop(Outcome.INCONCLUSIVE, None, None, None, states, ("MM_ACTIVE",), reason, frames_of(answers))
    crossed = [one.frame for s in exchange.numbered(5) for one in s.sent if one.time > reached]
    if crossed and not told:
        reason = "MM6 crossed another MM5, and nothing behind both shows that the initiator has it."
        states = ("MM_ACTIVE", "MM_WAIT_MSG6")
        return Stop(Outcome.INCONCLUSIVE, None, None, None, states, ("MM_ACTIVE",), reason, tuple(crossed))
    if setting.silence_after(reached) >= SILENCE and not told:
        reason = "All six messages went by; nothing followed them in the capture, no Quick Mode either."
        if not exchange.numbered(5) or not exchange.numbered(1):
            reason = "MM6 went by; nothing followed it in the capture, no Quick Mode either."
        return completed(exchange, "MM_ACTIVE", reason, frames_of(answers))
    reason = "MM6 went by and the capture ends; whether it was accepted does not show."
    if told:
        reason = "MM6 went by, then an encrypted Informational; whether the initiator accepted MM6 does not show."
    return Stop(
        Outcome.INCONCLUSIVE,
        "Quick Mode",
        Side.INITIATOR,
        None,
        ("MM_ACTIVE", "MM_WAIT_MSG6"),
        ("MM_ACTIVE",),
        reason,
        frames_of((*answers, *told)),
    )


def _waiting(exchange: Exchange, setting: Setting, top: int) -> Stop:
    steps = exchange.numbered(top)
    reached = steps[0].first.time
    outcome = waiting_outcome(exchange, setting, reached)
    long = outcome is Outcome.STALLED
    missing = top + 1
    vantage = vantage_of(exchange)
    reason = f"MM{top} was sent; MM{missing} was not seen"
    frames = frames_of(steps)
    if vantage.one_way is not None and vantage.one_way is not SENDER[missing]:
        reason = (
            f"MM{top} was sent; the capture sees nothing of the {SENDER[missing]}, so whether MM{missing} came does "
            "not show"
        )
    if top == 1:
        initiator: tuple[str, ...] = ("MM_WAIT_MSG2",)
        unreached = undelivered_to(exchange, Side.RESPONDER)
        responder: tuple[str, ...] = ("NONE",) if unreached else ("NONE", "MM_WAIT_MSG3")
    elif top == 3:
        initiator = ("MM_WAIT_MSG4",)
        again = sent_again_after(exchange.numbered(2), reached)
        responder = ("MM_WAIT_MSG3",) if again else ("MM_WAIT_MSG3", "MM_WAIT_MSG5")
        if again:
            reason, frames = f"MM3 was sent and MM2 is still repeated: {_not_through(3, vantage.at)}", again
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
            reason = f"MM{top} was sent and MM{top - 1} is still repeated: {_not_through(top, vantage.at)}"
        elif long and vantage.at is Side.INITIATOR:
            initiator = (later,) if top == 4 else (later, "NONE")
            reason = f"MM{top} was sent and MM{top - 1} not repeated; MM{missing} was not seen"
        else:
            initiator = (later, earlier)
    if not long:
        reason += ", and the capture ends before that means anything"
    return Stop(outcome, f"MM{missing}", SENDER[missing], None, initiator, responder, f"{reason}.", frames)


def _not_through(number: int, at: Side | None) -> str:
    """What it means that the end to which this message goes still repeats the one before."""
    to = SENDER[number].other
    if at is to:
        return f"MM{number} reaches the {to}'s own interface, and the {to} does not take it"
    return f"the {to} has not had MM{number}, or could not use it"
