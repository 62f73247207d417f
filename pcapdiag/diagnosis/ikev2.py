"""Where an IKEv2 exchange stopped (RFC 7296 §1.2): IKE_SA_INIT, then IKE_AUTH once or, with EAP, several times.

Without keys what is inside SK cannot be read, but SK says in clear which payload comes first (§3.14): IDr or AUTH where
the responder proves itself, EAP where it goes on asking, N alone where it refuses. What keys opened says it itself.
"""

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.schedule import outlook
from pcapdiag.diagnosis.stop import (
    REFUSAL,
    SECOND,
    Outcome,
    Setting,
    Stop,
    frames_of,
    harmless,
    refusal_text,
    sent_again_after,
    waiting_outcome,
)
from pcapdiag.exchange.model import Exchange, Side, Step
from pcapdiag.ike.payloads import Encrypted, SecurityAssociation, identity_text, printable
from pcapdiag.ike.registry import ExchangeType, IdentificationType, NotifyTypeV2, PayloadType
from pcapdiag.record import Record


def stop(exchange: Exchange, setting: Setting) -> Stop:
    """Where this IKEv2 exchange stopped."""
    init = [s for s in exchange.steps if s.exchange_type == ExchangeType.IKE_SA_INIT]
    auth = [s for s in exchange.steps if s.exchange_type == ExchangeType.IKE_AUTH]
    later = [s for s in exchange.steps if s.exchange_type in AFTER_AUTH]
    refused = _refused_at_init(init, auth) or _refused_at_auth(auth, later)
    if refused is not None:
        step, reason = refused
        missing = "IKE_AUTH response" if step in auth else None
        return Stop(Outcome.REJECTED, missing, None, step.sender, (), (), reason, step.frames)
    unheeded = _answer_lost(exchange, auth, setting) if not later else None
    if unheeded is not None:
        return unheeded
    if later or _authenticated(auth):
        shown = later[:1] or auth[-1:]
        reason = "The responder answered IKE_AUTH with its own identity or authentication."
        if later:
            reason = "The IKE SA is up: CREATE_CHILD_SA or INFORMATIONAL exchanges go on under it."
        before = None if init else _rekeyed(exchange, setting)
        if before is not None:
            reason = f"It has no IKE_SA_INIT: the same peers rekeyed the IKE SA of exchange {before.id} just before."
        if init or before is not None:
            return Stop(Outcome.COMPLETED, None, None, None, (), (), reason, frames_of(shown))
        reason = f"The beginning is not in the capture; {reason[0].lower()}{reason[1:]}"
        return Stop(Outcome.PARTIAL, None, None, None, (), (), reason, frames_of(shown))
    return _waiting(exchange, setting)


AFTER_AUTH = (ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL_V2, ExchangeType.IKE_FOLLOWUP_KE)
"""Exchanges of an IKE SA that is up (RFC 7296 §1.3, §1.4; RFC 9370 §2.2.4)."""


def _rekeyed(exchange: Exchange, setting: Setting) -> Exchange | None:
    """The exchange whose IKE SA this one goes on with, under new SPIs (RFC 7296 §1.3.2), if the capture shows it."""
    for other in setting.conversation[:MAX_LOOK_BACK]:
        answers = other.named("CREATE_CHILD_SA response")
        if other.id != exchange.id and any(0 <= exchange.first_time - s.first.time <= REKEYED for s in answers):
            return other
    return None


REKEYED = 300 * SECOND
"""The new IKE SA is used this soon after the rekey, if only by a DPD."""
MAX_LOOK_BACK = 100
"""Exchanges that are looked at for the rekey: two peers rarely have more, and a flood must not take longer."""


def first_inside(step: Step) -> PayloadType | None:
    """The type of the first payload inside SK, or inside SKF where the first piece is there."""
    sealed = next((p for p in step.message.payloads if isinstance(p, Encrypted)), None)
    return sealed.inner if sealed else None


def _authenticated(auth: list[Step]) -> bool:
    """The last word in IKE_AUTH is the responder's, and it is not a question (EAP).

    With EAP the first answer begins with IDr as well (RFC 7296 §2.16): without keys only a further request tells that
    it was not the last.
    """
    if not auth or not auth[-1].message.header.response:
        return False
    opened = auth[-1].opened
    if opened is not None:
        kinds = {p.type for p in opened.payloads}
        return PayloadType.AUTH in kinds and PayloadType.EAP not in kinds
    first = first_inside(auth[-1])
    # A number that no registry lists is damage, not an identity.
    return first is not None and first.is_listed and first != PayloadType.EAP


def _answer_lost(exchange: Exchange, auth: list[Step], setting: Setting) -> Stop | None:
    """The responder's last word is asked for again and again: it does not get to the initiator.

    The very last answer may have got there, as nothing has to follow it: a sender that stops before its schedule ends
    has had it.
    """
    if not auth or not auth[-1].message.header.response:
        return None
    unheard = repeated_behind_answer(exchange, auth[-1])
    if unheard is None:
        return None
    ahead = outlook(sorted(unheard.request.times))
    gave_in = ahead.due is not None and setting.silence_after(ahead.last) > ahead.over_at - ahead.last
    if len(unheard.again) < UNHEEDED or gave_in:
        return None
    outcome = waiting_outcome(exchange, setting, min(unheard.answer.times))
    state = (unheard.request.exchange_type.label,)
    return Stop(outcome, unheard.answer.name, Side.RESPONDER, None, state, (), unheard.reason, unheard.again)


UNHEEDED = 3
"""A request is sent again this often behind its answer before the answer counts as lost: one or two lost do happen."""


class Unheard(Record, frozen=True):
    """A request of the initiator that was sent again although its answer went by; `again` -- the frames of that."""

    request: Step
    answer: Step
    again: tuple[Frame, ...]

    @property
    def reason(self) -> str:
        """What that means."""
        return (
            f"{self.answer.name} was sent and {self.request.name} is still repeated: the answer does not reach the "
            "initiator."
        )


def repeated_behind_answer(exchange: Exchange, response: Step) -> Unheard | None:
    """Whether the request that this responds to was sent again behind the first of its answers.

    There can be several, under other SPIs, of a responder that has forgotten the first in the meantime.
    """
    kind, number = response.exchange_type, response.message.header.message_id
    own = [s for s in exchange.steps if s.exchange_type == kind and s.message.header.message_id == number]
    # By the times, which a capture may have out of order.
    asked = [s for s in own if s.sender is Side.INITIATOR and min(s.times) <= max(response.times)]
    if not asked:
        return None
    request = max(asked, key=lambda s: min(s.times))
    answers = [s for s in own if s.sender is Side.RESPONDER and max(s.times) >= min(request.times)]
    if not answers:
        return None  # the flag for a response can stand in what the initiator sends
    answer = min(answers, key=lambda s: min(s.times))
    again = sent_again_after([request], max(min(answer.times), min(request.times)))
    return Unheard(request, answer, again) if again else None


def _refused_at_init(init: list[Step], auth: list[Step]) -> tuple[Step, str] | None:
    """IKE_SA_INIT answered with an error, or with another gateway's name (RFC 5685); nothing went on."""
    if auth or not init:
        return None
    last = init[-1]
    if not last.message.header.response:
        return None
    for notify in last.notifications:
        kind = notify.notify_type
        if kind == NotifyTypeV2.REDIRECT:
            return last, f"The responder redirects the initiator to {redirect_target(notify.data)}."
        if kind.is_error and kind != NotifyTypeV2.INVALID_KE_PAYLOAD:
            return last, f"The responder answered IKE_SA_INIT with {kind.name}."
    return None


def redirect_target(data: bytes) -> str:
    """The new gateway of a REDIRECT notify (RFC 5685 §8): its address or name, printable."""
    if len(data) < 2:
        return "another gateway"
    kind, length = data[0], data[1]
    identity = data[2 : 2 + length]
    if kind in (1, 2) and len(identity) in (4, 16):
        return identity_text(IdentificationType.IPV4_ADDR, identity)
    return printable(identity) or "another gateway"


def _refused_at_auth(auth: list[Step], later: list[Step]) -> tuple[Step, str] | None:
    """IKE_AUTH answered with a notify alone, or the initiator's notify right behind the answer."""
    if not auth or not auth[-1].message.header.response:
        return None
    last = auth[-1]
    requests = [s for s in later if not s.message.header.response]
    if last.opened is not None:
        proves = any(p.type == PayloadType.AUTH for p in last.opened.payloads)
        if not harmless(last) and not proves and not requests:
            return last, f"The responder answered IKE_AUTH with {refusal_text(last)}."
    elif first_inside(last) == PayloadType.NOTIFY2 and not requests:
        return last, "The responder answered IKE_AUTH with a notify (N is the first payload inside SK, not IDr)."
    if len(requests) != 1 or requests[0].sender is not Side.INITIATOR:
        return None
    only = requests[0]
    if (
        first_inside(only) == PayloadType.NOTIFY2
        and only.first.time - last.first.time <= REFUSAL
        and not harmless(only)
    ):
        what = refusal_text(only) if only.opened is not None else "a notify"
        return only, f"The initiator answered IKE_AUTH with {what} at once, and nothing followed."
    return None


def _waiting(exchange: Exchange, setting: Setting) -> Stop:
    steps = [s for s in exchange.steps if s.exchange_type in (ExchangeType.IKE_SA_INIT, *IN_BETWEEN)]
    last = steps[-1] if steps else exchange.steps[-1]
    unheard = repeated_behind_answer(exchange, last) if last.message.header.response else None
    reached = last.first.time if unheard is None else unheard.answer.first.time
    outcome = waiting_outcome(exchange, setting, reached)
    if not last.message.header.response:
        missing, side = last.name.replace("request", "response"), last.sender.other
        state, waiting = last.exchange_type.label, last.sender
    else:
        missing, side, waiting = _next_request(last), Side.INITIATOR, Side.RESPONDER
        state = missing.split()[0]
    reason = f"{last.name} was sent; {missing} was not seen"
    reason += "." if outcome is Outcome.STALLED else ", and the capture ends before that means anything."
    states = {waiting: (state,)}
    frames = last.frames
    if unheard is not None and outcome is Outcome.STALLED:
        states[Side.INITIATOR] = (unheard.request.exchange_type.label,)
        reason, frames = unheard.reason, unheard.again
    of_initiator, of_responder = states.get(Side.INITIATOR, ()), states.get(Side.RESPONDER, ())
    return Stop(outcome, missing, side, None, of_initiator, of_responder, reason, frames)


IN_BETWEEN = (ExchangeType.IKE_INTERMEDIATE, ExchangeType.IKE_AUTH)
"""What follows IKE_SA_INIT before the IKE SA is up (RFC 9242 §3.1)."""


def _next_request(answer: Step) -> str:
    """What the initiator has to send after this answer."""
    if answer.exchange_type != ExchangeType.IKE_SA_INIT:
        return "IKE_AUTH request"
    # COOKIE (RFC 7296 §2.6) and INVALID_KE_PAYLOAD (§1.3) ask for the first request once more.
    whole = any(isinstance(p, SecurityAssociation) for p in answer.message.payloads)
    return "IKE_AUTH request" if whole else "IKE_SA_INIT request"
