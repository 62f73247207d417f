"""Where an exchange stopped: its outcome, the state that leaves each end in, and the frames that say so.

States are sets: what one capture point sees often leaves two possible. The rules follow from who sends again: an end
that repeats a message has not had the answer to it, and an end that does not repeat it either had the answer or gave
up (RFC 2408 §5.1 leaves timers to the sender, so "how long" is judged by the silence, see SILENCE).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pcapdiag.capture.datagram import Frame
from pcapdiag.exchange.model import Exchange, Mode, Side, Step
from pcapdiag.exchange.modes import SENDER
from pcapdiag.ike.message import HEADER_LENGTH
from pcapdiag.ike.payloads import Delete, Encrypted, SecurityAssociation, Transform
from pcapdiag.ike.registry import (
    EncryptionAlgorithm,
    ExchangeType,
    HashAlgorithm,
    NotifyType,
    NotifyTypeV2,
    OakleyAttribute,
    PayloadType,
)

SECOND = 1_000_000_000

SILENCE = 20 * SECOND
"""After this long without the reply that is due, an exchange has stalled.

Every known sender has sent twice more by then (8 s apart on an ASA, 10 s on IOS, 4 and 7 s on strongSwan), and a
round trip takes milliseconds; before it, the reply may just be late.
"""
CROSSING = SECOND // 2
"""A message that is sent again within this time may have crossed its answer on the way."""
REFUSAL = 5 * SECOND
"""An end that refuses what it was sent says so at once; what comes later is another matter (DPD, a new attempt)."""
RESTART = 60 * SECOND
"""A new message 1 within this time after message 6 without Quick Mode: the initiator began anew."""
SUPERSEDED_WITHIN = 300 * SECOND
"""The same peers finished another exchange within this time: the one that stopped does no harm."""


class Outcome(StrEnum):
    """How an exchange ended."""

    COMPLETED = "completed"
    STALLED = "stalled"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    INCONCLUSIVE = "inconclusive"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class Stop:
    """Where an exchange stopped.

    missing -- the message that is due next and was not seen ("MM4"), None when none is
    waits_for -- who has to send it
    refused_by -- who ended it, of a rejected exchange
    initiator_state, responder_state -- the states that are possible, most probable first; empty when the mode has none
    reason -- one sentence; frames -- what shows it
    before -- the outcome without the exchange that superseded this one
    superseded_by -- the id of that exchange
    """

    outcome: Outcome
    missing: str | None
    waits_for: Side | None
    refused_by: Side | None
    initiator_state: tuple[str, ...]
    responder_state: tuple[str, ...]
    reason: str
    frames: tuple[Frame, ...]
    before: Outcome | None = None
    superseded_by: int | None = None


class Setting:
    """What is around an exchange: when the capture ended, and every exchange between the same peers.

    One for each conversation; looking something up in it does not walk over all exchanges, so that a flood between
    two peers takes no more than its share.
    """

    def __init__(self, capture_end: int, conversation: Sequence[Exchange] = ()) -> None:
        self.capture_end = capture_end
        self.conversation = conversation
        self._begun: dict[str, list[tuple[int, int, Exchange]]] = {}
        for exchange in conversation:
            if exchange.last_message is not None:
                row = (exchange.first_time, exchange.id, exchange)
                self._begun.setdefault(exchange.initiator.address, []).append(row)
        for rows in self._begun.values():
            rows.sort(key=lambda row: row[:2])

    def next_attempt(self, exchange: Exchange, after: int) -> Exchange | None:
        """The next phase 1 that the same initiator began with the same responder, later than `after`."""
        rows = self._begun.get(exchange.initiator.address, [])
        for place in range(bisect_right(rows, after, key=lambda row: row[0]), len(rows)):
            if rows[place][1] != exchange.id:
                return rows[place][2]
        return None


def find_stop(exchange: Exchange, setting: Setting) -> Stop:
    """Where this exchange stopped, regardless of what the same peers did later."""
    if exchange.mode is Mode.MAIN:
        return _main(exchange, setting)
    if exchange.mode is Mode.AGGRESSIVE:
        return _aggressive(exchange, setting)
    if exchange.mode is Mode.IKEV2:
        return _ikev2(exchange, setting)
    return _outside_phase1(exchange)


def conversations(exchanges: Sequence[Exchange], capture_end: int) -> list[Setting]:
    """The exchanges by the two peers between which they went."""
    members: dict[tuple[str, str], list[Exchange]] = {}
    for exchange in exchanges:
        members.setdefault(exchange.conversation, []).append(exchange)
    return [Setting(capture_end, found) for found in members.values()]


def find_stops(setting: Setting) -> dict[int, Stop]:
    """Where each exchange of a conversation stopped, by id; what a later one made good is superseded."""
    found = {e.id: find_stop(e, setting) for e in setting.conversation}
    finished = sorted((_finished_at(e), e.id) for e in setting.conversation if found[e.id].outcome is Outcome.COMPLETED)
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


def _finished_at(exchange: Exchange) -> int:
    """When phase 1 of a completed exchange was over: its last phase 1 message, first transmission."""
    numbered = [s.first.time for s in exchange.steps if s.number]
    auth = [s.first.time for s in exchange.steps if s.exchange_type == ExchangeType.IKE_AUTH]
    return max(numbered or auth or [exchange.first_time])


# --- what both IKEv1 modes need --------------------------------------------------------------------------------


def followed_by(exchange: Exchange) -> tuple[Step, ...]:
    """What shows that phase 1 is over: Quick Mode, Transaction or New Group under the same cookies."""
    after = (ExchangeType.QUICK, ExchangeType.TRANSACTION, ExchangeType.NEW_GROUP)
    return tuple(s for s in exchange.steps if s.exchange_type in after)


def informational(exchange: Exchange) -> tuple[Step, ...]:
    """The Informational messages of IKEv1."""
    return tuple(s for s in exchange.steps if s.exchange_type == ExchangeType.INFORMATIONAL)


def error_notifies(step: Step) -> tuple[NotifyType | NotifyTypeV2, ...]:
    """The error types that this message carries in clear."""
    return tuple(n.notify_type for n in step.notifications if n.notify_type.is_error)


def sent_again_after(steps: Iterable[Step], time: int) -> tuple[Frame, ...]:
    """The frames of transmissions later than `time`, by more than what messages that cross may take."""
    return tuple(
        frame for s in steps for sighting in s.sent if sighting.time > time + CROSSING for frame in sighting.frames
    )


def chosen_transform(exchange: Exchange) -> Transform | None:
    """The transform that the responder chose for phase 1 (the only one in message 2), if it can be read."""
    for step in exchange.numbered(2):
        for proposal in step.proposals:
            if proposal.transforms:
                return proposal.transforms[0]
    return None


def may_be_sa_delete(step: Step, exchange: Exchange) -> bool:
    """Whether an encrypted Informational is long enough to delete the ISAKMP SA, or to name it in a notify.

    HASH has the length of the negotiated hash and a generic header of 4, DELETE of an ISAKMP SA has 28 octets
    (RFC 2408 §3.15 with two cookies as SPI), and the cipher pads to its block. Shorter: it is something else.
    """
    transform = chosen_transform(exchange)
    digest, block = 16, 8
    if transform is not None:
        hash_attribute = transform.attribute(OakleyAttribute.HASH)
        cipher = transform.attribute(OakleyAttribute.ENCRYPTION)
        digest = _DIGEST_LENGTH.get(hash_attribute.value if hash_attribute else 0, digest)
        block = 16 if cipher and cipher.value in _BLOCK_16 else 8
    least = 4 + digest + 28
    return step.message.header.length >= HEADER_LENGTH + -(-least // block) * block


_DIGEST_LENGTH: dict[int | bytes, int] = {
    HashAlgorithm.MD5: 16,
    HashAlgorithm.SHA1: 20,
    HashAlgorithm.TIGER: 24,
    HashAlgorithm.SHA2_256: 32,
    HashAlgorithm.SHA2_384: 48,
    HashAlgorithm.SHA2_512: 64,
}
_BLOCK_16 = (EncryptionAlgorithm.AES_CBC, EncryptionAlgorithm.CAMELLIA_CBC)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A message that ended the exchange, and who sent it."""

    step: Step
    by: Side
    reason: str


def _refusal(exchange: Exchange, top: int) -> _Refusal | None:
    """The notify or delete after which nothing went on, if there is one.

    A notify in clear is not authenticated: it counts only when phase 1 made no progress after it. An encrypted
    Informational counts where it stands in the place of a reply.
    """
    reached = min((s.first.time for s in exchange.numbered(top)), default=exchange.first_time)
    due = "going on" if top == (6 if exchange.mode is Mode.MAIN else 3) else "a reply"
    for step in informational(exchange):
        if step.first.time < reached:
            continue
        if not step.encrypted:
            names = [n.name for n in error_notifies(step)]
            if any(isinstance(p, Delete) for p in step.message.payloads):
                names.append("DELETE")
            if names:
                return _Refusal(step, step.sender, f"{step.sender} answered with {', '.join(names)} in clear")
        elif _in_place_of_reply(exchange, step, top):
            return _Refusal(
                step,
                step.sender,
                f"{step.sender} sent an encrypted Informational instead of {due}",
            )
    return None


def _in_place_of_reply(exchange: Exchange, step: Step, top: int) -> bool:
    due_from = SENDER[top].other
    last = SENDER[6] if exchange.mode is Mode.MAIN else Side.INITIATOR
    final = 6 if exchange.mode is Mode.MAIN else 3
    if top < final:
        # The reply is due from the other end; who sent the last message has nothing to say but that it gives up.
        return step.sender is due_from
    reached = min(s.first.time for s in exchange.numbered(top))
    if step.first.time > reached + REFUSAL or not may_be_sa_delete(step, exchange):
        return False
    return step.sender is last.other or not _answered(exchange, step)


def _answered(exchange: Exchange, step: Step) -> bool:
    """Whether the other end sent an Informational right after this one, as in DPD (RFC 3706 §5.2)."""
    return any(
        s.sender is not step.sender and 0 <= s.first.time - step.first.time <= 2 * SECOND
        for s in informational(exchange)
    )


def _began_in_the_middle(exchange: Exchange) -> bool:
    return not exchange.numbered(1)


def _completed(exchange: Exchange, active: str, reason: str, frames: tuple[Frame, ...]) -> Stop:
    outcome = Outcome.COMPLETED
    if _began_in_the_middle(exchange):
        outcome = Outcome.PARTIAL
        reason = f"The beginning is not in the capture; {reason[0].lower()}{reason[1:]}"
    return Stop(outcome, None, None, None, (active,), (active,), reason, frames)


def _frames(steps: Iterable[Step]) -> tuple[Frame, ...]:
    return tuple(sorted(f for s in steps for f in s.frames))


# --- Main Mode -------------------------------------------------------------------------------------------------


def _main(exchange: Exchange, setting: Setting) -> Stop:
    top = exchange.last_message or 0
    after = followed_by(exchange)
    if after and not _reply_lost(exchange, after):
        name = "Quick Mode" if any(s.exchange_type == ExchangeType.QUICK for s in after) else "a Transaction exchange"
        reason = f"Phase 1 finished: {name} followed under the same cookies."
        return _completed(exchange, "MM_ACTIVE", reason, after[0].frames)
    if not top:
        return _outside_phase1(exchange)
    refusal = _refusal(exchange, top)
    if refusal is not None:
        return _main_rejected(exchange, top, refusal)
    if top == 6:
        return _main_after_6(exchange, setting)
    return _main_waiting(exchange, setting, top)


def _reply_lost(exchange: Exchange, after: tuple[Step, ...]) -> bool:
    """Message 5 is repeated behind message 6 and the initiator went no further: message 6 never reached it."""
    answers = exchange.numbered(6)
    if not answers or any(s.sender is Side.INITIATOR for s in after):
        return False
    return bool(sent_again_after(exchange.numbered(5), answers[0].first.time))


def _main_rejected(exchange: Exchange, top: int, refusal: _Refusal) -> Stop:
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


def _main_after_6(exchange: Exchange, setting: Setting) -> Stop:
    answers = exchange.numbered(6)
    reached = answers[0].first.time
    again = sent_again_after(exchange.numbered(5), reached)
    if again:
        reason = "MM6 was sent and MM5 is still repeated: MM6 does not reach the initiator."
        outcome = _waiting_outcome(exchange, setting, reached)
        return Stop(outcome, "MM6", Side.RESPONDER, None, ("MM_WAIT_MSG6",), ("MM_ACTIVE",), reason, again)
    restart = setting.next_attempt(exchange, reached)
    if restart is not None and restart.first_time <= reached + RESTART:
        reason = (
            f"MM6 was sent, no Quick Mode followed, and the initiator began anew (exchange {restart.id}): "
            "it did not accept MM6."
        )
        frames = (*_frames(answers), restart.steps[0].first.frame)
        return Stop(Outcome.REJECTED, None, None, Side.INITIATOR, ("MM_WAIT_MSG6",), ("MM_ACTIVE",), reason, frames)
    if setting.capture_end - reached >= SILENCE:
        reason = "All six messages went by; nothing followed them in the capture, no Quick Mode either."
        return _completed(exchange, "MM_ACTIVE", reason, _frames(answers))
    reason = "All six messages went by and the capture ends; whether MM6 was accepted does not show."
    return Stop(
        Outcome.INCONCLUSIVE,
        "Quick Mode",
        Side.INITIATOR,
        None,
        ("MM_ACTIVE", "MM_WAIT_MSG6"),
        ("MM_ACTIVE",),
        reason,
        _frames(answers),
    )


def _main_waiting(exchange: Exchange, setting: Setting, top: int) -> Stop:
    steps = exchange.numbered(top)
    reached = steps[0].first.time
    outcome = _waiting_outcome(exchange, setting, reached)
    long = outcome is Outcome.STALLED
    missing = top + 1
    reason = f"MM{top} was sent; MM{missing} was not seen"
    frames = _frames(steps)
    if top == 1:
        initiator: tuple[str, ...] = ("MM_WAIT_MSG2",)
        responder: tuple[str, ...] = ("NONE",) if exchange.icmp_errors else ("NONE", "MM_WAIT_MSG3")
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


def _waiting_outcome(exchange: Exchange, setting: Setting, reached: int) -> Outcome:
    """Stalled, once it is certain that the reply is not just late; else inconclusive."""
    if setting.capture_end - reached >= SILENCE:
        return Outcome.STALLED
    if any(error.time >= reached for error in exchange.icmp_errors):
        return Outcome.STALLED
    restart = setting.next_attempt(exchange, reached + REFUSAL)
    return Outcome.STALLED if restart is not None else Outcome.INCONCLUSIVE


# --- Aggressive Mode -------------------------------------------------------------------------------------------


def _aggressive(exchange: Exchange, setting: Setting) -> Stop:
    top = exchange.last_message or 0
    after = followed_by(exchange)
    # The initiator may begin Quick Mode right behind message 3: only the responder's answer shows that it got it.
    answered = [s for s in after if s.sender is Side.RESPONDER]
    if answered:
        reason = "Phase 1 finished: the responder went on under the same cookies."
        return _completed(exchange, "AM_ACTIVE", reason, answered[0].frames)
    if not top:
        return _outside_phase1(exchange)
    refusal = _refusal(exchange, top)
    if refusal is not None:
        return _aggressive_rejected(top, refusal)
    reached = exchange.numbered(top)[0].first.time
    outcome = _waiting_outcome(exchange, setting, reached)
    if top == 3:
        return _aggressive_after_3(exchange, setting, outcome)
    long = outcome is Outcome.STALLED
    reason = f"AM{top} was sent; AM{top + 1} was not seen"
    frames = _frames(exchange.numbered(top))
    if top == 1:
        initiator: tuple[str, ...] = ("AM_WAIT_MSG2",)
        responder: tuple[str, ...] = ("NONE",) if exchange.icmp_errors else ("NONE", "AM_WAIT_MSG3")
    else:
        responder = ("AM_WAIT_MSG3",)
        again = sent_again_after(exchange.numbered(1), reached)
        initiator = ("AM_WAIT_MSG2",) if again else ("AM_WAIT_MSG2", "AM_ACTIVE")
        if again:
            reason, frames = "AM2 was sent and AM1 is still repeated: AM2 does not reach the initiator", again
    reason += "." if long else ", and the capture ends before that means anything."
    return Stop(outcome, f"AM{top + 1}", SENDER[top + 1], None, initiator, responder, reason, frames)


def _aggressive_rejected(top: int, refusal: _Refusal) -> Stop:
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
    reason = f"The {refusal.reason}."
    missing = f"AM{top + 1}" if top < 3 else None
    waits_for = SENDER[top + 1] if top < 3 else None
    frames = refusal.step.frames
    return Stop(Outcome.REJECTED, missing, waits_for, refusal.by, initiator, responder, reason, frames)


def _aggressive_after_3(exchange: Exchange, setting: Setting, outcome: Outcome) -> Stop:
    thirds = exchange.numbered(3)
    reached = thirds[0].first.time
    again = sent_again_after(exchange.numbered(2), reached)
    if again:
        reason = "AM3 was sent and AM2 is still repeated: AM3 does not reach the responder"
        reason += "." if outcome is Outcome.STALLED else ", and the capture ends before that means anything."
        return Stop(outcome, "AM3", Side.INITIATOR, None, ("AM_ACTIVE",), ("AM_WAIT_MSG3",), reason, again)
    if outcome is Outcome.STALLED and not followed_by(exchange):
        reason = "All three messages went by; nothing followed them in the capture, no Quick Mode either."
        return _completed(exchange, "AM_ACTIVE", reason, _frames(thirds))
    reason = "All three messages went by; whether the responder accepted AM3 does not show."
    states = ("AM_ACTIVE", "AM_WAIT_MSG3")
    return Stop(outcome, "Quick Mode", None, None, ("AM_ACTIVE",), states, reason, _frames(thirds))


# --- IKEv2 -----------------------------------------------------------------------------------------------------


def _ikev2(exchange: Exchange, setting: Setting) -> Stop:
    """RFC 7296 §1.2: IKE_SA_INIT, then IKE_AUTH once or, with EAP, several times."""
    later = [
        s for s in exchange.steps if s.exchange_type in (ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL_V2)
    ]
    auth = [s for s in exchange.steps if s.exchange_type == ExchangeType.IKE_AUTH]
    init = [s for s in exchange.steps if s.exchange_type == ExchangeType.IKE_SA_INIT]
    refused = _ikev2_refusal(init, auth, later)
    if refused is not None:
        step, reason = refused
        missing = "IKE_AUTH response" if step in auth else None
        return Stop(Outcome.REJECTED, missing, None, step.sender, (), (), reason, step.frames)
    done = [s for s in auth if s.message.header.response and _inner(s) not in (PayloadType.EAP, None)]
    if done or (auth and later):
        shown = done or later
        reason = "The responder answered IKE_AUTH with its own identity or authentication."
        if not done:
            reason = "The IKE SA is in use after IKE_AUTH."
        outcome = Outcome.COMPLETED
        if not init:
            outcome, reason = Outcome.PARTIAL, "The beginning is not in the capture; the IKE SA is in use."
        return Stop(outcome, None, None, None, (), (), reason, shown[-1].frames)
    if not init and not auth:
        reason = "The beginning is not in the capture; an IKE SA is in use."
        return Stop(Outcome.PARTIAL, None, None, None, (), (), reason, _frames(later[:1]))
    return _ikev2_waiting(exchange, setting)


def _inner(step: Step) -> PayloadType | None:
    """The type of the first payload inside SK, which SK says in clear (RFC 7296 §3.14); of SKF, in piece 1."""
    sealed = next((p for p in step.message.payloads if isinstance(p, Encrypted)), None)
    return sealed.inner if sealed else None


def _ikev2_refusal(init: list[Step], auth: list[Step], later: list[Step]) -> tuple[Step, str] | None:
    """The message that ended it: an error notify instead of an answer, or the initiator's right after IKE_AUTH."""
    retry = (NotifyTypeV2.INVALID_KE_PAYLOAD, NotifyTypeV2.COOKIE)
    for step in init:
        errors = [n for n in error_notifies(step) if n not in retry]
        if step.message.header.response and errors and not auth:
            names = ", ".join(n.name for n in errors)
            return step, f"The responder answered IKE_SA_INIT with {names}."
    answers = [s for s in auth if s.message.header.response]
    if not answers:
        return None
    last = answers[-1]
    requests = [s for s in later if not s.message.header.response]
    if _inner(last) == PayloadType.NOTIFY2 and not requests:
        return last, (
            "The responder answered IKE_AUTH with a notify alone (the first payload inside SK is N, not IDr): "
            "it refused."
        )
    first = requests[0] if requests else None
    if (
        first is not None
        and first.sender is Side.INITIATOR
        and _inner(first) == PayloadType.NOTIFY2
        and first.first.time - last.first.time <= REFUSAL
        and len(requests) == 1
    ):
        return first, "The initiator answered IKE_AUTH with a notify (INFORMATIONAL): it refused the responder."
    return None


def _ikev2_waiting(exchange: Exchange, setting: Setting) -> Stop:
    steps = [s for s in exchange.steps if s.exchange_type in (ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH)]
    last = steps[-1]
    outcome = _waiting_outcome(exchange, setting, last.first.time)
    if not last.message.header.response:
        missing, side = last.name.replace("request", "response"), last.sender.other
        state, waiting = last.exchange_type.label, last.sender
    elif last.exchange_type == ExchangeType.IKE_SA_INIT:
        complete = any(isinstance(p, SecurityAssociation) for p in last.message.payloads)
        missing = "IKE_AUTH request" if complete else "IKE_SA_INIT request"
        side, state, waiting = Side.INITIATOR, missing.split()[0], Side.RESPONDER
    else:
        missing, side, state, waiting = "IKE_AUTH request", Side.INITIATOR, "IKE_AUTH", Side.RESPONDER
    reason = f"{last.name} was sent; {missing} was not seen"
    reason += "." if outcome is Outcome.STALLED else ", and the capture ends before that means anything."
    states = {waiting: (state,)}
    return Stop(
        outcome,
        missing,
        side,
        None,
        states.get(Side.INITIATOR, ()),
        states.get(Side.RESPONDER, ()),
        reason,
        last.frames,
    )


# --- what began before the capture -----------------------------------------------------------------------------


def _outside_phase1(exchange: Exchange) -> Stop:
    after = followed_by(exchange)
    reason = "Phase 1 is not in the capture."
    if after:
        reason = "Phase 1 is not in the capture; what followed it is."
    states = ("MM_ACTIVE", "AM_ACTIVE") if after else ()
    return Stop(Outcome.PARTIAL, None, None, None, states, states, reason, exchange.steps[0].frames)
