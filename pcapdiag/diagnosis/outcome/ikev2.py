"""Where an IKEv2 exchange stopped (RFC 7296 §1.2): IKE_SA_INIT, then IKE_AUTH once or, with EAP, several times.

Without keys what is inside SK cannot be read, but it has a size: a response that completes IKE_AUTH holds IDr and AUTH,
and one that is smaller does not, whichever payload comes first. What follows is weighed with it: requests that the
other end answers, ESP or AH both ways, deletes. What keys opened says it itself.
"""

from collections.abc import Iterable, Sequence

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.outcome.quick_mode import MAX_LOOK_BACK, REKEYED
from pcapdiag.diagnosis.outcome.retransmission import outlook
from pcapdiag.diagnosis.outcome.room import (
    chosen_transforms,
    first_inside,
    holds_proof,
    is_lone_notify,
    room,
    surely_holds_proof,
)
from pcapdiag.diagnosis.outcome.stop import (
    BEGINS,
    CROSSING,
    REFUSAL,
    Outcome,
    Setting,
    Stop,
    error_notifies,
    frames_of,
    harmless,
    how_often,
    refusal_text,
    repeated_after,
    sent_again_after,
    unanswered_auth,
    waiting_outcome,
)
from pcapdiag.diagnosis.outcome.vantage import one_way_of, vantage_of
from pcapdiag.exchange.model import Exchange, Side, Step
from pcapdiag.ike.payloads import Delete, SecurityAssociation, identity_text
from pcapdiag.ike.printing import printable
from pcapdiag.ike.registry import ExchangeType, IdentificationType, NotifyTypeV2, PayloadType
from pcapdiag.record import Record
from pcapdiag.units import MILLISECOND, SECOND


def stop(exchange: Exchange, setting: Setting) -> Stop:
    """Where this IKEv2 exchange stopped."""
    init = [s for s in exchange.steps if s.exchange_type in BEGINS]
    auth = auth_of(exchange)
    later = [s for s in exchange.steps if s.exchange_type in AFTER_AUTH and s.encrypted]
    refused = (
        _refused_at_init(exchange, init, auth)
        or _refused_between(exchange, auth, later)
        or _refused(exchange, setting, auth, later)
    )
    if refused is not None:
        step, by, reason = refused
        if step in later and first_inside(step) == PayloadType.DELETE2 and untimed(exchange):
            reason = f"The {by} deleted the IKE SA; whether at once or later the times of this capture do not tell."
            return Stop(Outcome.INCONCLUSIVE, None, None, None, (), (), reason, step.frames)
        missing = "IKE_AUTH response" if step in auth else None
        return Stop(Outcome.REJECTED, missing, None, by, (), (), reason, step.frames)
    answered = _answered(_without_refusals(exchange, auth, later))
    unheeded = _answer_lost(exchange, auth, setting) if not answered else None
    if unheeded is not None:
        return unheeded
    asked_again = _asked_again(exchange, setting, auth) if not answered else None
    if asked_again is not None:
        return asked_again
    unasked = _unasked_answer(exchange, setting, auth, later) if not answered else None
    unasked = unasked or (_unasked_proof(exchange, setting, auth) if not answered else None)
    if unasked is not None:
        return unasked
    carried = _carried(exchange, setting) or (_asked_by_eap(exchange, setting, auth) if not later else None)
    if carried is not None:
        return carried
    hidden = _hidden(exchange, setting, auth, later)
    if hidden is not None:
        return hidden
    if answered or _authenticated(exchange, auth) or _one_way(exchange, later):
        return _up(exchange, setting, init, auth, answered or later[:1])
    return _waiting(exchange, setting)


def untimed(exchange: Exchange) -> bool:
    """Whether the times of the capture tell nothing of what comes at once: whole seconds, or none, as of a hex dump.

    A tool that has no times numbers the frames by microseconds; a Diffie-Hellman exchange takes far longer than that.
    """
    times = [t for s in exchange.steps for t in s.times]
    return all(t % SECOND == 0 for t in times) or max(times) - min(times) <= len(times) * MILLISECOND // 1000


AFTER_AUTH = (ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL_V2, ExchangeType.IKE_FOLLOWUP_KE)
"""Exchanges of an IKE SA that is up (RFC 7296 §1.3, §1.4; RFC 9370 §2.2.4)."""
AT_ONCE = SECOND
"""An end that does not take what it was sent, or deletes what was just made, says so within this time."""


def _up(
    exchange: Exchange, setting: Setting, init: Sequence[Step], auth: Sequence[Step], later: Sequence[Step]
) -> Stop:
    shown: Sequence[Step] = auth[-1:]
    reason = "The responder answered IKE_AUTH; the answer has room for its identity and proof."
    if auth and auth[-1].opened is not None:
        reason = "The responder answered IKE_AUTH with its own identity or authentication."
    if later:
        reason, shown = "The IKE SA was up: an end deleted it, or a Child SA of it.", later
        if first_inside(later[0]) != PayloadType.DELETE2:
            names = " and ".join(dict.fromkeys(s.exchange_type.label for s in later))
            reason = f"The IKE SA is up: {names} messages follow under it."
    before = None if init else _rekeyed(exchange, setting)
    if before is not None:
        reason = f"It has no IKE_SA_INIT: the same peers rekeyed the IKE SA of exchange {before.id} just before."
    if init or before is not None:
        return Stop(Outcome.COMPLETED, None, None, None, (), (), reason, frames_of(shown))
    reason = f"The beginning is not in the capture; {reason[0].lower()}{reason[1:]}"
    return Stop(Outcome.PARTIAL, None, None, None, (), (), reason, frames_of(shown))


def _carried(exchange: Exchange, setting: Setting) -> Stop | None:
    """The answer to IKE_AUTH is not in the capture, and ESP or AH goes both ways behind the last request."""
    for request in unanswered_auth(exchange):
        flows = setting.traffic_of(exchange, request.last.time)
        if len({flow.source for flow in flows}) < 2:
            return None
        outcome = Outcome.COMPLETED if any(s.exchange_type in BEGINS for s in exchange.steps) else Outcome.PARTIAL
        reason = "The answer to IKE_AUTH is not in the capture; ESP or AH goes both ways behind the request."
        frames = (*request.frames, *(flow.first_frame for flow in flows[:2]))
        return Stop(outcome, None, None, None, (), (), reason, tuple(sorted(frames)))
    return None


def _rekeyed(exchange: Exchange, setting: Setting) -> Exchange | None:
    """The exchange whose IKE SA this one goes on with, under new SPIs (RFC 7296 §1.3.2), if the capture shows it."""
    for other in setting.conversation[:MAX_LOOK_BACK]:
        answers = other.named("CREATE_CHILD_SA response")
        if other.id != exchange.id and any(0 <= exchange.first_time - s.first.time <= REKEYED for s in answers):
            return other
    return None


# --- which messages count -----------------------------------------------------------------------------------------


def auth_of(exchange: Exchange) -> list[Step]:
    """The messages of IKE_AUTH in the order of their exchange, those that can be.

    The initiator asks and the responder answers (RFC 7296 §1.2), one message ID after another from 1 on (§2.2), and an
    answer comes behind what it answers (§2.1). One whose request is not in the capture counts where no other can be
    the last one.
    """
    steps = [
        s
        for s in exchange.steps
        if s.exchange_type == ExchangeType.IKE_AUTH
        and s.message.header.message_id > 0
        and (s.sender is Side.RESPONDER) is s.message.header.response
    ]
    ends_with = _last_id(exchange)
    steps = [s for s in steps if ends_with is None or s.message.header.message_id <= ends_with]
    ids = sorted({s.message.header.message_id for s in steps})
    answers = {s.message.header.message_id for s in steps if s.sender is Side.RESPONDER}
    # A request behind a gap that nobody answers is none of the next ones.
    steps = [s for s in steps if (n := s.message.header.message_id) in answers or n - 1 in ids or n == ids[0]]
    asked: dict[int, int] = {}
    for step in steps:
        if step.sender is Side.INITIATOR:
            asked.setdefault(step.message.header.message_id, min(step.times))
    found = [s for s in steps if s.sender is Side.INITIATOR]
    latest = max((max(s.times) for s in found), default=0)
    unasked: list[Step] = []
    for step in steps:
        if step.sender is Side.RESPONDER:
            time = asked.get(step.message.header.message_id)
            if time is None:
                if latest <= min(step.times) + CROSSING:  # it goes on only when it was answered
                    unasked.append(step)
            elif time <= max(step.times) + CROSSING:
                found.append(step)
    found = _first_answers(found)
    found.sort(key=_place)
    last = next((s for s in reversed(found) if s.sender is Side.RESPONDER), None)
    if last is None or ends_with is not None or not _proves(exchange, last):
        found = sorted((*found, *unasked), key=_place)
    return found


def _last_id(exchange: Exchange) -> int | None:
    """The last message ID of IKE_AUTH, told by the first request that the initiator sent behind it (RFC 7296 §2.2)."""
    asked = [s for s in exchange.steps if s.sender is Side.INITIATOR and not s.message.header.response]
    own = max((s.message.header.message_id for s in asked if s.exchange_type == ExchangeType.IKE_AUTH), default=0)
    later = [s.message.header.message_id for s in asked if s.exchange_type in AFTER_AUTH and s.encrypted]
    return min((number - 1 for number in later if number > own), default=None)


def _first_answers(steps: Sequence[Step]) -> list[Step]:
    """Of several answers to one request under the same SPIs the first one: it is what is sent again (RFC 7296 §2.1).

    What is in clear comes after what is encrypted, as anybody can write it (§2.21.4), and what was recorded before the
    request after what was recorded behind it.
    """
    asked = {s.message.header.message_id: min(s.times) for s in reversed(steps) if s.sender is Side.INITIATOR}

    def place(step: Step) -> tuple[bool, bool, int]:
        time = min(step.times)
        return not step.encrypted, time < asked.get(step.message.header.message_id, 0), time

    first: dict[tuple[int, bytes], Step] = {}
    for step in sorted(steps, key=place):
        if step.sender is Side.RESPONDER:
            first.setdefault((step.message.header.message_id, step.message.header.responder_spi), step)
    return [s for s in steps if s.sender is Side.INITIATOR or s in first.values()]


def _place(step: Step) -> tuple[int, bool, int]:
    """The place of a message of IKE_AUTH: by its ID, a question before its answer."""
    header = step.message.header
    return header.message_id, header.response, min(step.times)


def _without_refusals(exchange: Exchange, auth: Sequence[Step], later: Sequence[Step]) -> list[Step]:
    """What goes on behind IKE_AUTH, without what may refuse its answer: a notify or a delete alone (RFC 7296 §2.21.2).

    It follows the answer at once; where the answer is not in the capture, it is the next that the initiator sends, a
    round trip behind its last request.
    """
    if not auth:
        return list(later)
    last, chosen = auth[-1], chosen_transforms(exchange)
    behind = last.message.header.message_id + 1
    unanswered = not last.message.header.response

    def answer_missing(step: Step) -> bool:
        gap = step.sender is Side.INITIATOR and step.message.header.message_id > behind
        behind_it = step.first.time - last.last.time
        return behind_it <= AT_ONCE or ((unanswered or gap) and behind_it <= REFUSAL)

    return [
        s
        for s in later
        if s.message.header.response
        or first_inside(s) not in (PayloadType.NOTIFY2, PayloadType.DELETE2)
        or not is_lone_notify(s, chosen)
        or not answer_missing(s)
    ]


# --- whether it is up --------------------------------------------------------------------------------------------


def _answered(later: Sequence[Step]) -> tuple[Step, ...]:
    """The first request under the keys of the IKE SA that the other end answered, and the answer.

    A response alone proves nothing: only one to a request can be real (RFC 7296 §2.1), and the request is not there.
    """
    asked: dict[tuple[int, int, Side], Step] = {}
    for step in later:
        key = (int(step.exchange_type), step.message.header.message_id, step.sender)
        if not step.message.header.response:
            asked.setdefault(key, step)
            continue
        request = asked.get((*key[:2], step.sender.other))
        if request is not None:
            return request, step
    return ()


def _unasked_answer(exchange: Exchange, setting: Setting, auth: Sequence[Step], later: Sequence[Step]) -> Stop | None:
    """One end answers at once a request of the other that is not in the capture, and nothing follows.

    That request may have been a refusal: its sender alone says what it was.
    """
    if not _authenticated(exchange, auth) or not later:
        return None
    last = auth[-1]
    close = [s for s in later if _at_once(s, last)]
    number = last.message.header.message_id + 1
    unasked = [
        s
        for s in close
        if s.exchange_type == ExchangeType.INFORMATIONAL_V2
        and s.message.header.response
        and s.message.header.message_id == (number if s.sender is Side.RESPONDER else 0)
    ]
    if len(close) != len(later) or not unasked or setting.traffic_both_ways(exchange, last.first.time):
        return None
    asked_by = unasked[0].sender.other
    reason = (
        f"IKE_AUTH was answered, and the {asked_by} sent a request at once, which is not in the capture; it was "
        f"answered and nothing followed: whether the {asked_by} kept the IKE SA does not show."
    )
    return Stop(Outcome.INCONCLUSIVE, None, None, None, (), (), reason, frames_of([last, *unasked]))


def answers_again(exchange: Exchange) -> Step | None:
    """The last answer of phase 1, where it was sent again and the capture has nothing of the initiator.

    A responder sends an answer again only when it is asked again (RFC 7296 §2.1).
    """
    if one_way_of(exchange.steps) is not Side.RESPONDER:
        return None
    answers = [s for s in exchange.steps if s.exchange_type in (*BEGINS, *IN_BETWEEN) and s.message.header.response]
    last = furthest(answers) if answers else None
    return last if last is not None and sent_again_after([last], last.first.time) else None


def _asked_again(exchange: Exchange, setting: Setting, auth: Sequence[Step]) -> Stop | None:
    """The responder's last answer in phase 1 was asked for again and again, by an initiator that is not seen."""
    last = answers_again(exchange)
    if last is None or len(last.sent) <= UNHEEDED or setting.traffic_both_ways(exchange, last.first.time):
        return None
    if any(s.exchange_type in AFTER_AUTH for s in exchange.steps):
        return None
    outcome = waiting_outcome(exchange, setting, last.first.time)
    asked = last.name.replace("response", "request")
    reason = (
        f"{last.name} was sent {how_often(len(last.sent))}, as a responder does only when it is asked again: the "
        f"initiator, of which the capture sees nothing, has not had it, or could not use it."
    )
    return Stop(outcome, last.name, Side.RESPONDER, None, (asked.split()[0],), (), reason, last.frames)


def _hidden(exchange: Exchange, setting: Setting, auth: Sequence[Step], later: Sequence[Step]) -> Stop | None:
    """What comes right behind the answer is as small as a refusal or a delete, and the capture cut what is inside.

    A liveness check is no larger. Whatever else follows shows that the IKE SA was kept.
    """
    if not auth or not auth[-1].message.header.response:
        return None
    last, chosen = auth[-1], chosen_transforms(exchange)
    cut = [s for s in later if _at_once(s, last) and first_inside(s) is None and is_lone_notify(s, chosen)]
    asked = [s for s in cut if not s.message.header.response]
    if not asked or len(cut) != len(later) or setting.traffic_both_ways(exchange, last.first.time):
        return None
    by = asked[0].sender
    reason = (
        f"IKE_AUTH was answered, and the {by} asked something small at once, of which the capture cut what is inside: "
        "whether it refuses does not show."
    )
    return Stop(Outcome.INCONCLUSIVE, None, None, None, (), (), reason, frames_of([last, *asked]))


def _unasked_proof(exchange: Exchange, setting: Setting, auth: Sequence[Step]) -> Stop | None:
    """The responder's last answer, without the request that it answers, in a capture that has the beginning."""
    init = any(s.exchange_type in BEGINS for s in exchange.steps)
    if not init or not auth or not auth[-1].message.header.response or not _proves(exchange, auth[-1]):
        return None
    last = auth[-1]
    number = last.message.header.message_id
    asked = any(s.sender is Side.INITIATOR and s.message.header.message_id == number for s in auth)
    if asked or setting.traffic_both_ways(exchange, last.first.time):
        return None
    reason = "The responder answered IKE_AUTH with room for a proof; what asked for it is not in the capture."
    return Stop(Outcome.INCONCLUSIVE, None, None, None, (), (), reason, last.frames)


def may_ask_eap(exchange: Exchange, auth: Sequence[Step]) -> bool:
    """Whether the only answer to IKE_AUTH can be the first of EAP: IDr, CERT, AUTH, EAP (RFC 7296 §2.16).

    A responder that shows a certificate and asks for none (§1.2, CERTREQ) expects another proof of the initiator. Where
    it asks, or shows none as far as the size goes, its answer is taken for the last one.
    """
    answers = [s for s in auth if s.message.header.response]
    begun = [s for s in exchange.of_type(ExchangeType.IKE_SA_INIT) if s.sender is Side.RESPONDER and s.proposals]
    if len(answers) != 1 or answers[0] is not auth[-1] or answers[0].opened is not None or not begun:
        return False
    if any(s.message.cut or PayloadType.CERTREQ2 in s.message.payload_types for s in begun):
        return False
    return room(answers[0], chosen_transforms(exchange)) >= WITH_CERTIFICATE


WITH_CERTIFICATE = 600
"""Octets of payloads that an answer with a certificate has, and one with a shared key does not come near."""


def may_ask_by_eap_alone(exchange: Exchange, auth: Sequence[Step]) -> bool:
    """Whether the only answer to IKE_AUTH is IDr without AUTH, as where EAP proves both ends (RFC 5998 §3).

    A refusal is usually alone in its message (RFC 7296 §2.21.2), and IDr before it is not ruled out.
    """
    answers = [s for s in auth if s.message.header.response]
    if len(answers) != 1 or answers[0] is not auth[-1] or answers[0].opened is not None or not answers[0].encrypted:
        return False
    return first_inside(answers[0]) == PayloadType.IDR and not holds_proof(answers[0], chosen_transforms(exchange))


def _asked_by_eap(exchange: Exchange, setting: Setting, auth: Sequence[Step]) -> Stop | None:
    if may_ask_by_eap_alone(exchange, auth):
        reason = (
            "The responder answered IKE_AUTH with its identity and no room for a proof, as one that asks by EAP alone; "
            "nothing follows, so whether it asks or refuses does not show."
        )
        return Stop(Outcome.INCONCLUSIVE, None, None, None, (), (), reason, auth[-1].frames)
    if not auth or not may_ask_eap(exchange, auth) or setting.traffic_both_ways(exchange, auth[-1].first.time):
        return None
    reason = (
        "The responder answered IKE_AUTH with room for a certificate, and asks for none; nothing follows, so whether "
        "it was the last answer or the first of EAP does not show."
    )
    return Stop(Outcome.INCONCLUSIVE, None, None, None, (), (), reason, auth[-1].frames)


def _at_once(step: Step, last: Step) -> bool:
    """Right behind it, or recorded in the place of it: packets cross on their way to the file."""
    return -CROSSING <= step.first.time - last.first.time <= AT_ONCE


def _authenticated(exchange: Exchange, auth: Sequence[Step]) -> bool:
    """The last word in IKE_AUTH is the responder's, and it is not a question (EAP).

    With EAP the first answer begins with IDr as well (RFC 7296 §2.16): without keys only a further request tells that
    it was not the last.
    """
    if not auth or not auth[-1].message.header.response:
        return False
    return _proves(exchange, auth[-1])


def _proves(exchange: Exchange, last: Step) -> bool:
    """Whether this answer can hold the responder's proof."""
    if last.opened is not None:
        kinds = {p.type for p in last.opened.payloads}
        return PayloadType.AUTH in kinds and PayloadType.EAP not in kinds
    first = first_inside(last)
    if first == PayloadType.EAP or (first is not None and not first.is_listed):
        return False  # a number that no registry lists is damage, not a payload
    return last.encrypted and surely_holds_proof(last, chosen_transforms(exchange))


def _one_way(exchange: Exchange, later: Sequence[Step]) -> bool:
    """Of a capture that sees one direction: this end goes on under the keys of the IKE SA, so it is up for it.

    Requests of the initiator, or of the responder; what may be a refusal or a delete is none of these.
    """
    if vantage_of(exchange).one_way is None:
        return False
    asked = [s for s in later if not s.message.header.response]
    if not asked:
        return False
    begun = [s for s in exchange.steps if s.exchange_type in (*BEGINS, *IN_BETWEEN)]
    authenticated = any(s.exchange_type == ExchangeType.IKE_AUTH for s in begun)
    if begun and (repeated_after(begun, asked[0].first.time) or not (authenticated or len(asked) > 1)):
        return False  # one packet shows little, and an end that repeats its first ones has had no answer
    # A CREATE_CHILD_SA that begins with a Notify rekeys a Child SA (RFC 7296 §1.3.3): neither refuses nor deletes.
    kinds = (PayloadType.NOTIFY2, PayloadType.DELETE2)
    goes_on = [s for s in asked if s.exchange_type != ExchangeType.INFORMATIONAL_V2 or first_inside(s) not in kinds]
    return bool(goes_on) or len(asked) > 1


# --- whether it was refused --------------------------------------------------------------------------------------


Refused = tuple[Step, Side | None, str]


def _refused_at_init(exchange: Exchange, init: Sequence[Step], auth: Sequence[Step]) -> Refused | None:
    """IKE_SA_INIT answered with an error, or with another gateway's name (RFC 5685); nothing went on.

    What is encrypted shows that both ends have the keys that IKE_SA_INIT makes.
    """
    if auth or not init or any(s.encrypted and s.sender is Side.INITIATOR for s in exchange.steps):
        return None
    clear = [
        s
        for s in exchange.steps
        if s.sender is Side.RESPONDER and not s.encrypted and s.exchange_type != ExchangeType.IKE_SA_INIT
    ]
    last = init[-1]
    # An answer is whose it is: some set no flag for a response in it.
    answered = last.sender is Side.RESPONDER
    answers = [*([last] if answered else []), *clear]
    for step in answers:
        if step is not last and answered:
            continue  # an answer to IKE_SA_INIT proper is there
        for notify in step.notifications:
            kind = notify.notify_type
            if kind == NotifyTypeV2.REDIRECT:
                reason = f"The responder redirects the initiator to {redirect_target(notify.data)}."
                return step, step.sender, reason
            if kind.is_error and kind != NotifyTypeV2.INVALID_KE_PAYLOAD:
                return step, step.sender, f"The responder answered IKE_SA_INIT with {kind.name}."
    return None


def _refused_between(exchange: Exchange, auth: Sequence[Step], later: Sequence[Step]) -> Refused | None:
    """A key exchange in IKE_INTERMEDIATE that is answered by a notify alone, and nothing goes on (RFC 9370 §2.2.2)."""
    rows = exchange.of_type(ExchangeType.IKE_INTERMEDIATE)
    if not rows or auth or later or not rows[-1].message.header.response:
        return None
    last, number = rows[-1], rows[-1].message.header.message_id
    asked = [s for s in rows if s.sender is Side.INITIATOR and s.message.header.message_id == number]
    keyed = any(first_inside(s) == PayloadType.KE2 for s in asked)
    lone = first_inside(last) == PayloadType.NOTIFY2 and is_lone_notify(last, chosen_transforms(exchange))
    if not keyed or not lone or harmless(last):
        return None
    return last, last.sender, "The responder answered the key exchange of IKE_INTERMEDIATE with a notify alone."


def redirect_target(data: bytes) -> str:
    """The new gateway of a REDIRECT notify (RFC 5685 §8): its address or name, printable."""
    if len(data) < 2:
        return "another gateway"
    kind, length = data[0], data[1]
    identity = data[2 : 2 + length]
    if kind in (1, 2) and len(identity) in (4, 16):
        return identity_text(IdentificationType.IPV4_ADDR, identity)
    return printable(identity) or "another gateway"


def _refused(exchange: Exchange, setting: Setting, auth: Sequence[Step], later: Sequence[Step]) -> Refused | None:
    """IKE_AUTH answered with what can hold no proof, or one end's notify or delete right behind the answer."""
    if not auth or not auth[-1].message.header.response:
        return None
    last = auth[-1]
    if _carries_on(exchange, setting, last, later):
        return None
    refusal = _refusal_in(exchange, last)
    if refusal is not None:
        return last, last.sender, refusal
    return _taken_back(exchange, last, later)


def _carries_on(exchange: Exchange, setting: Setting, last: Step, later: Sequence[Step]) -> bool:
    """Something shows that the IKE SA is in use after the answer, whatever that looks like.

    An answered request later than what an end says at once; a new Child SA; ESP or AH in both directions.
    """
    since = last.first.time
    answered = _answered([s for s in later if s.first.time > since + AT_ONCE])
    children = _answered([s for s in later if s.exchange_type != ExchangeType.INFORMATIONAL_V2])
    if any(first_inside(s) != PayloadType.DELETE2 for s in answered[:1]) or children:
        return True
    return setting.traffic_both_ways(exchange, since)


def _refusal_in(exchange: Exchange, last: Step) -> str | None:
    """What the last IKE_AUTH response refuses with; None where it can be the proof, or is a question."""
    if last.opened is not None:
        proves = any(p.type == PayloadType.AUTH for p in last.opened.payloads)
        asks = any(p.type == PayloadType.EAP for p in last.opened.payloads)
        if harmless(last) or proves or asks:
            return None
        return f"The responder answered IKE_AUTH with {refusal_text(last)}."
    if not last.encrypted:
        names = [n.name for n in error_notifies(last)]
        return f"The responder answered IKE_AUTH with {', '.join(names)} in clear." if names else None
    if first_inside(last) in (PayloadType.EAP, PayloadType.IDR) or holds_proof(last, chosen_transforms(exchange)):
        return None
    inside = first_inside(last)
    label = "a notify" if inside == PayloadType.NOTIFY2 else inside.label if inside is not None else ""
    first = f", and {label} comes first" if label else ""
    return f"The responder answered IKE_AUTH with a message too short for its identity and proof{first}: it refuses."


def _taken_back(exchange: Exchange, last: Step, later: Sequence[Step]) -> Refused | None:
    """A notify, or a delete, of one end right behind the answer: what was just made is not kept.

    Both go in an INFORMATIONAL exchange (RFC 7296 §1.4, §2.21.2).
    """
    chosen = chosen_transforms(exchange)
    for step in later:
        if step.exchange_type != ExchangeType.INFORMATIONAL_V2:
            continue
        who = step.sender
        # Each end counts its own requests: the initiator's go on behind IKE_AUTH, the responder has had none (§2.2).
        number = last.message.header.message_id + 1 if who is Side.INITIATOR else 0
        if step.message.header.response or step.message.header.message_id != number or not _at_once(step, last):
            continue
        if step.opened is not None:
            if harmless(step):
                continue
            return step, who, f"The {who} answered IKE_AUTH with {refusal_text(step)} at once, and nothing followed."
        first = first_inside(step)
        if first == PayloadType.DELETE2:
            return step, who, f"The {who} deleted what IKE_AUTH had just made (D is the first payload inside SK)."
        if first == PayloadType.NOTIFY2 and who is Side.INITIATOR and is_lone_notify(step, chosen):
            return step, who, f"The {who} answered IKE_AUTH with a notify at once, and nothing followed."
    return None


# --- who has not had what ----------------------------------------------------------------------------------------


def _answer_lost(exchange: Exchange, auth: Sequence[Step], setting: Setting) -> Stop | None:
    """The responder's last word is asked for again and again: it does not get to the initiator.

    The very last answer may have got there, as nothing has to follow it: a sender that stops before its schedule ends
    has had it.
    """
    if not auth or not auth[-1].message.header.response or setting.traffic_both_ways(exchange, auth[-1].first.time):
        return None
    unheard = repeated_behind_answer(exchange, auth[-1])
    if unheard is None:
        return None
    ahead = outlook(sorted(unheard.request.times))
    watched = setting.silence_after(ahead.last)
    gave_in = ahead.due is not None and watched > ahead.over_at - ahead.last
    gave_in = gave_in and not _leaves_unanswered(exchange, ahead.last)
    in_pieces = not unheard.answer.whole and not _goes_on(exchange, unheard)
    if len(unheard.again) < UNHEEDED or (gave_in and not in_pieces):
        if in_pieces and watched >= FIRST_REPEAT:
            reason = f"{unheard.reason[:-1]}; whether the last one got there as a whole does not show."
            frames = (*unheard.answer.first.frames, *unheard.again)
            return Stop(Outcome.INCONCLUSIVE, unheard.answer.name, Side.RESPONDER, None, (), (), reason, frames)
        if watched >= FIRST_REPEAT or _goes_on(exchange, unheard):
            return None
        reason = f"{unheard.reason[:-1]}; the capture ends before it shows whether the last answer got there."
        return Stop(Outcome.INCONCLUSIVE, unheard.answer.name, Side.RESPONDER, None, (), (), reason, unheard.again)
    outcome = waiting_outcome(exchange, setting, min(unheard.answer.times))
    state = (unheard.request.exchange_type.label,)
    return Stop(outcome, unheard.answer.name, Side.RESPONDER, None, state, (), unheard.reason, unheard.again)


UNHEEDED = 3
"""A request is sent again this often behind its answer before the answer counts as lost: one or two lost do happen."""


FIRST_REPEAT = 2 * SECOND
"""A request whose second answer is lost as well is sent again by then, or not for long: most begin with less."""


def _leaves_unanswered(exchange: Exchange, since: int) -> bool:
    """The responder asks something under the IKE SA, again and again, and the initiator says nothing more.

    One that had the answer answers in its turn (RFC 7296 §2.1).
    """
    own = exchange.sent_by(Side.INITIATOR)
    return any(
        len(s.sent) > 1 and s.first.time > since and all(o.last.time <= since for o in own)
        for s in exchange.sent_by(Side.RESPONDER)
        if s.encrypted and not s.message.header.response
    )


def _goes_on(exchange: Exchange, unheard: "Unheard") -> bool:
    """The initiator sent its next request: it has had the answer (RFC 7296 §2.3)."""
    number = unheard.request.message.header.message_id
    return any(
        s.sender is Side.INITIATOR and not s.message.header.response and s.message.header.message_id > number
        for s in exchange.steps
    )


class Unheard(Record, frozen=True):
    """A request of the initiator that was sent again although its answer went by; `again` -- the frames of that.

    at -- the end where the capture was taken, where that shows and the answer is there as a whole
    """

    request: Step
    answer: Step
    again: tuple[Frame, ...]
    at: Side | None

    @property
    def reason(self) -> str:
        """What that means."""
        said = f"{self.answer.name} was sent and {self.request.name} is still repeated: "
        if self.at is Side.INITIATOR:
            return f"{said}the answer reaches the initiator's own interface, and the initiator does not take it."
        if not self.answer.whole:
            return f"{said}not all fragments of the answer are in the capture."
        return f"{said}the initiator has not had the answer, or could not use it."


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
    at = vantage_of(exchange).at if answer.whole else None  # what comes in part has not got anywhere
    return Unheard(request, answer, again, at) if again else None


def _waiting(exchange: Exchange, setting: Setting) -> Stop:
    steps = [s for s in exchange.steps if s.exchange_type in (*BEGINS, *IN_BETWEEN)]
    last = furthest(steps) if steps else exchange.steps[-1]
    if _undecided(exchange, last):
        reason = "IKE_AUTH was answered; without the negotiated algorithms the size does not tell whether with a proof."
        return Stop(Outcome.INCONCLUSIVE, None, None, None, (), (), reason, last.frames)
    unheard = repeated_behind_answer(exchange, last) if last.message.header.response else None
    reached = last.first.time if unheard is None else unheard.answer.first.time
    outcome = waiting_outcome(exchange, setting, reached)
    if not steps:
        return _only_later(exchange, last)
    if not last.message.header.response:
        missing, side = last.name.replace("request", "response"), last.sender.other
        state, waiting = last.exchange_type.label, last.sender
    else:
        missing, side, waiting = _next_request(last), Side.INITIATOR, Side.RESPONDER
        state = missing.split()[0]
    reason = f"{which_of(exchange, last)} was sent; {missing} was not seen"
    if missing == last.name.replace("request", "response") and exchange.named(missing):
        reason = f"{which_of(exchange, last)} was sent; its response was not seen"
    if vantage_of(exchange).one_way is side.other:
        reason = (
            f"{last.name} was sent; the capture sees nothing of the {side}, so whether {missing} came does not show"
        )
    reason += "." if outcome is Outcome.STALLED else ", and the capture ends before that means anything."
    states = {waiting: (state,)}
    frames = last.frames
    if unheard is not None and outcome is Outcome.STALLED:
        states[Side.INITIATOR] = (unheard.request.exchange_type.label,)
        reason, frames = unheard.reason, unheard.again
    of_initiator, of_responder = states.get(Side.INITIATOR, ()), states.get(Side.RESPONDER, ())
    return Stop(outcome, missing, side, None, of_initiator, of_responder, reason, frames)


def furthest(steps: Sequence[Step]) -> Step:
    """The last of these by its place, where neighbours were recorded the other way round (RFC 7296 §2.2)."""
    last = steps[-1]
    number = last.message.header.message_id
    ahead = [s for s in steps if s.message.header.message_id > number and s.first.time >= last.first.time - CROSSING]
    return max(ahead, key=_place, default=last)


def which_of(exchange: Exchange, step: Step) -> str:
    """The name of a message, with its message ID where several have that name, as with EAP (RFC 7296 §2.16)."""
    number = step.message.header.message_id
    several = any(s.message.header.message_id != number for s in exchange.named(step.name))
    return f"{step.name} {number}" if several else step.name


def _undecided(exchange: Exchange, last: Step) -> bool:
    """The answer to IKE_AUTH may be a proof or a refusal: which algorithms were negotiated is not in the capture."""
    return (
        last.exchange_type == ExchangeType.IKE_AUTH
        and last.message.header.response
        and last.encrypted
        and last.opened is None
        and first_inside(last) != PayloadType.EAP
        and holds_proof(last, chosen_transforms(exchange))
    )


def _only_later(exchange: Exchange, last: Step) -> Stop:
    """Nothing of IKE_SA_INIT and IKE_AUTH is in the capture, and what is there does not show that the IKE SA is up."""
    refused = next((s for s in exchange.steps if not s.encrypted and error_notifies(s)), None)
    if refused is not None and len({s.sender for s in exchange.steps}) == 1:
        names = ", ".join(n.name for n in error_notifies(refused))
        reason = f"{refused.first.source} answered with {names} in clear; what it answers is not in the capture."
        if NotifyTypeV2.INVALID_SPI in error_notifies(refused):
            reason = f"{refused.first.source} says in clear that it does not know the SPI of an ESP or AH packet."
        return Stop(Outcome.REJECTED, None, None, refused.sender, (), (), reason, refused.frames)
    if refused is not None:
        names = ", ".join(n.name for n in error_notifies(refused))
        reason = f"The beginning is not in the capture; the {refused.sender} answers with {names} in clear."
        return Stop(Outcome.PARTIAL, None, None, None, (), (), reason, frames_of(exchange.steps))
    reason = f"Only {last.name} of one end is in the capture: whether the IKE SA stands does not show."
    if last.message.header.response and first_inside(last) == PayloadType.NOTIFY2:
        reason += " A notify comes first in it, as where the request is refused."
    return Stop(Outcome.PARTIAL, None, None, None, (), (), reason, frames_of(exchange.steps))


IN_BETWEEN = (ExchangeType.IKE_INTERMEDIATE, ExchangeType.IKE_AUTH)
"""What follows IKE_SA_INIT before the IKE SA is up (RFC 9242 §3.1)."""


def _next_request(answer: Step) -> str:
    """What the initiator has to send after this answer."""
    if answer.exchange_type == ExchangeType.IKE_SESSION_RESUME and any(
        n.notify_type == NotifyTypeV2.TICKET_NACK for n in answer.notifications
    ):
        return "IKE_SA_INIT request"  # RFC 5723 §4.3.2
    if answer.exchange_type != ExchangeType.IKE_SA_INIT:
        return "IKE_AUTH request"
    # COOKIE (RFC 7296 §2.6) and INVALID_KE_PAYLOAD (§1.3) ask for the first request once more.
    whole = any(isinstance(p, SecurityAssociation) for p in answer.message.payloads)
    # Of what a short snaplen cut the header still says what comes first.
    whole = whole or answer.message.header.next_payload == PayloadType.SA2
    return "IKE_AUTH request" if whole else "IKE_SA_INIT request"


def deletes(steps: Iterable[Step]) -> list[Step]:
    """Requests that delete an SA, told by the first payload inside SK, or by what keys show (RFC 7296 §1.4.1)."""
    return [
        s
        for s in steps
        if s.exchange_type == ExchangeType.INFORMATIONAL_V2
        and not s.message.header.response
        and (
            first_inside(s) == PayloadType.DELETE2
            or (s.opened is not None and any(isinstance(p, Delete) for p in s.opened.payloads))
        )
    ]
