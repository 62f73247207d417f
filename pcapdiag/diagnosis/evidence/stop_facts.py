"""Facts about the stop: silence and for how long, who repeats behind whom, notifies and refusals."""

from collections.abc import Iterator

from pcapdiag.diagnosis.evidence.case import Case, Fact, slug, span
from pcapdiag.diagnosis.outcome import ikev2
from pcapdiag.diagnosis.outcome.retransmission import heeded_by, schedule_of, timed_by
from pcapdiag.diagnosis.outcome.room import (
    MOST_AROUND,
    chosen_transforms,
    first_inside,
    is_known,
    is_lone_notify,
    room,
)
from pcapdiag.diagnosis.outcome.stop import (
    AFTER_PHASE_1,
    CROSSING,
    SILENCE,
    Outcome,
    chosen_transform,
    error_notifies,
    frames_of,
    harmless,
    how_often,
    informational,
    is_plausible,
    may_be_bare_notify,
    may_be_sa_delete,
    sent_again_after,
)
from pcapdiag.exchange.model import Mode, Side, Step
from pcapdiag.exchange.modes import PHASE_1
from pcapdiag.ike.message import ZERO_SPI
from pcapdiag.ike.registry import ExchangeType, NotifyTypeV2, PayloadType
from pcapdiag.units import SECOND


def stop(case: Case) -> Iterator[Fact]:
    """Where it stopped: the first fact, which heads the report."""
    top, last = case.exchange.last_message, case.last_step
    after = str(top) if top else slug(last.name) if last else "nothing"
    reason, frames, by = case.stop.reason, case.stop.frames, case.stop.refused_by
    also = [] if by is None else [f"refused-by-{by}"]
    if by is None and Outcome.REJECTED in (case.stop.outcome, case.stop.before) and not case.exchange.roles_known:
        also = ["refused-by-either"]
    at_auth = by is not None and case.exchange.mode is Mode.IKEV2 and case.exchange.steps[0].first.frames
    how = _refused_at_auth(case, by) if by is not None and at_auth else None
    if case.stop.missing == "IKE_SA_INIT request":
        also.append("ike-sa-init-due-again")
    yield Fact(f"stopped-after-{after}", reason, frames, (*also, *([how] if how else [])))
    if how is not None and how.startswith("v2-auth-refused"):
        yield from _eap_rounds(case)
    if by is Side.INITIATOR and how is not None:
        yield from _certificate_by_size(case)


def _refused_at_auth(case: Case, by: Side) -> str | None:
    """How IKE_AUTH was refused: by a delete of what it made, or by a response without proof or a notify."""
    e = case.exchange
    if not e.of_type(ExchangeType.IKE_AUTH):
        return None
    step = next((s for s in e.steps if set(s.frames) & set(case.stop.frames)), None)
    if step in ikev2.deletes([step] if step is not None else []) and e.named("IKE_AUTH response"):
        return f"deleted-at-once-by-{by}"
    if step is not None and not step.encrypted and NotifyTypeV2.AUTHENTICATION_FAILED not in error_notifies(step):
        return None  # in clear it says what it is about, and that is no proof (RFC 7296 §2.21.2–2.21.4, §3.10.1)
    return "v2-auth-refused" if by is Side.RESPONDER else "v2-auth-refused-by-initiator"


def _certificate_by_size(case: Case) -> Iterator[Fact]:
    """The initiator refuses an answer that is large enough for a certificate: its proof is a signature."""
    answers = case.exchange.named("IKE_AUTH response")
    chosen = chosen_transforms(case.exchange)
    around = 0 if is_known(chosen) else MOST_AROUND
    if answers and answers[0].opened is None and room(answers[0], chosen) - around >= ikev2.WITH_CERTIFICATE:
        text = f"{answers[0].name} is large enough for a certificate, far larger than one with a proof by shared key."
        yield Fact("answer-with-certificate", text, answers[0].frames)


def _eap_rounds(case: Case) -> Iterator[Fact]:
    auth = case.exchange.of_type(ExchangeType.IKE_AUTH)
    rounds = [s for s in auth if s.message.header.response]
    if len(rounds) > 1 or any(first_inside(s) == PayloadType.EAP for s in auth):
        asked = [s for s in auth if not s.message.header.response]
        text = f"IKE_AUTH took {len(asked)} requests, as user authentication by EAP does (RFC 7296 §2.16)."
        yield Fact("eap-rounds", text, frames_of(asked))


def eap(case: Case) -> Iterator[Fact]:
    """The initiator does not go on in EAP (RFC 7296 §2.16), or may have been asked by EAP and does not answer."""
    e = case.exchange
    if not case.unfinished or case.stop.outcome is Outcome.REJECTED:
        return
    answers = e.named("IKE_AUTH response")
    step = case.last_step
    if answers and step is not None and step.sender is Side.INITIATOR and step.exchange_type == ExchangeType.IKE_AUTH:
        if case.vantage.one_way is None and case.setting.silence_after(step.first.time) >= SILENCE:
            text = (
                f"{ikev2.which_of(e, step)} gets no answer, though the responder answered {len(answers)} of IKE_AUTH "
                "before: with EAP it may wait for a server that authenticates its users."
            )
            yield Fact("eap-round-unanswered", text, step.frames)
        return
    if not answers or answers[-1] is not case.last_step:
        return
    last = answers[-1]
    if first_inside(last) == PayloadType.EAP:
        quiet = case.setting.silence_after(last.first.time)
        if quiet < SILENCE:
            return
        text = (
            "EAP is the first payload of the last IKE_AUTH response; the initiator sends nothing in the "
            f"{span(quiet)} behind it."
        )
        short = is_lone_notify(last, chosen_transforms(e))
        if short:
            text += " It has room for little more than EAP's success or failure (RFC 3748 §4.2)."
        yield Fact("eap-stops", text, last.frames, ("eap-ends-short",) if short else ())
        yield from _eap_rounds(case)
    elif ikev2.may_ask_by_eap_alone(e, ikev2.auth_of(e)):
        text = (
            "The IKE_AUTH response begins with IDr and has no room for AUTH: it may ask for EAP that proves both ends "
            "(RFC 5998 §3), which the initiator does not go on with."
        )
        yield Fact("eap-stops", text, last.frames)
    elif ikev2.may_ask_eap(e, ikev2.auth_of(e)):
        text = (
            "The IKE_AUTH response is large enough for a certificate, and the responder asks for none: it may be the "
            "first of several with EAP (RFC 7296 §2.16), which the initiator does not answer."
        )
        yield Fact("eap-may-go-on", text, last.frames)


def silence(case: Case) -> Iterator[Fact]:
    """How long the reply that is due has been missing."""
    step = case.last_step
    if not case.unfinished or step is None or case.stop.outcome is Outcome.REJECTED:
        return
    if case.stop.before is Outcome.REJECTED or not case.stop.missing:
        return
    for_long = case.setting.silence_after(step.first.time)
    whole = for_long >= SILENCE
    after = [e for e in case.exchange.icmp_errors if e.time >= step.first.time and e.undelivered]
    name = ikev2.which_of(case.exchange, step) if case.exchange.mode is Mode.IKEV2 else step.name
    due = case.stop.missing
    if case.exchange.mode is Mode.IKEV2 and case.exchange.named(due):
        due = f"further {due}"
    text = f"{name} was sent {how_often(len(step.sent) + step.uncounted)}; "
    if whole:
        text += f"in the {span(for_long)} after the first no {due} was seen."
    else:
        text += f"the capture ends {span(for_long)} after the first, without {'a ' * (due != case.stop.missing)}{due}."
    if case.vantage.one_way is step.sender:
        return  # nothing of the other end is in the capture: no silence of its
    if step.name == case.stop.missing:  # it was seen, and may not have got there
        if whole:
            return
        text = f"{name} was sent {how_often(len(step.sent))}; the capture ends {span(for_long)} after the first."
    kind = "icmp-instead-of-reply" if after else "silence" if whole else "no-reply-yet"
    also = [f"silence-after-{slug(step.name)}"] if kind == "silence" and step.sender is Side.INITIATOR else []
    if also and len(step.sent) == 1 and not step.uncounted and step.message.header.responder_spi != ZERO_SPI:
        text += " It is not sent again, as one without an answer is: its sender had one that is not here, or gave up."
        also.append("asked-once")
    yield Fact(kind, text, step.frames, tuple(also))


def repeats(case: Case) -> Iterator[Fact]:
    """Who sends again behind whose message (RFC 2408 §5.1: the sender's own timer)."""
    if not case.unfinished:
        return
    e, top = case.exchange, case.exchange.last_message
    if e.mode is Mode.IKEV2 and Outcome.REJECTED not in (case.stop.outcome, case.stop.before):
        yield from _requests_again(case)
    if top is None or e.mode not in (Mode.MAIN, Mode.AGGRESSIVE) or not e.roles_known:
        return
    prefix = "MM" if e.mode is Mode.MAIN else "AM"
    reached = e.numbered(top)[0].first.time
    if top >= 2:
        frames = sent_again_after(e.numbered(top - 1), reached)
        who, other = e.numbered(top)[0].sender, e.numbered(top)[0].sender.other
        if frames:
            text = (
                f"The {other} sends {prefix}{top - 1} again although {prefix}{top} went by: it has not had "
                f"{prefix}{top}, or could not use it."
            )
            kind = f"{other}-repeats-behind-answer"
            if case.vantage.at is other:
                text = (
                    f"The {other} sends {prefix}{top - 1} again although {prefix}{top} gets to its own interface: it "
                    "does not take it."
                )
                kind = f"{other}-does-not-take-answer"
            yield Fact(kind, text, (*e.numbered(top)[0].first.frames, *frames))
        elif _waits_in_silence(case, top, reached):
            had = "it had the answer, or gave up" if case.vantage.at is not other else "it had the answer"
            yield Fact(
                f"{other}-does-not-repeat",
                f"The {other} does not send {prefix}{top - 1} again behind {prefix}{top}: {had}; "
                f"the {who} waits for {prefix}{top + 1}.",
                e.numbered(top)[0].frames,
            )
        alone = any(len(s.sent) > 1 for s in e.numbered(top))
        if top in (3, 5) and not frames and alone and case.stop.outcome is Outcome.STALLED:
            yield Fact(
                "only-initiator-repeats",
                f"Only the initiator sends again; no {prefix}{top - 1} is repeated.",
                e.numbered(top)[0].frames,
            )
    own = e.numbered(top)[0]
    if own.sender is Side.RESPONDER and len(own.sent) >= 2:
        text = f"The responder sends {own.name} {how_often(len(own.sent))}: it waits for {prefix}{top + 1}."
        yield Fact("responder-repeats-last", text, own.frames)
    if top == 1 and len(e.numbered(1)[0].sent) == 1 and case.setting.silence_after(reached) >= SILENCE:
        yield Fact("no-retransmission", f"{prefix}1 was sent once and never again.", e.numbered(1)[0].frames)


def _waits_in_silence(case: Case, top: int, reached: int) -> bool:
    """Message 2 or 4 was answered by nothing, and its receiver, which was heard before, does not repeat."""
    asked = case.exchange.numbered(top - 1)
    seen_both = case.vantage.one_way is None and bool(asked)
    # What it sends later, encrypted, is made with an answer that it had: it does not wait.
    if any(
        s.encrypted and s.sender is asked[0].sender and s.first.time > reached for s in case.exchange.steps if asked
    ):
        return False
    return top in (2, 4) and seen_both and case.setting.silence_after(reached) >= SILENCE


def _requests_again(case: Case) -> Iterator[Fact]:
    """The same of IKEv2, where the initiator alone has a timer (RFC 7296 §2.1)."""
    answers = [s for s in case.exchange.steps if s.sender is Side.RESPONDER and s.message.header.response]
    unheard = ikev2.repeated_behind_answer(case.exchange, answers[-1]) if answers else None
    again = ikev2.answers_again(case.exchange)
    if again is not None:
        text = (
            f"The responder sends {again.name} again, which it does only when it is asked again: the initiator has not "
            "had it, or could not use it."
        )
        yield Fact("initiator-repeats-behind-answer", text, again.frames)
    if unheard is not None:
        frames = (*unheard.answer.first.frames, *unheard.again)
        said = f"The initiator sends {unheard.request.name} again although {unheard.answer.name} "
        if unheard.at is Side.INITIATOR:
            text = f"{said}gets to its own interface: it does not take it."
            yield Fact("initiator-does-not-take-answer", text, frames)
        else:
            text = f"{said}went by: it has not had it, or could not use it."
            yield Fact("initiator-repeats-behind-answer", text, frames)


def schedule(case: Case) -> Iterator[Fact]:
    """Whose retransmission schedule is seen."""
    for step in case.exchange.repeated:
        known, whose = schedule_of(step.times), timed_by(case.exchange, step)
        if known is not None and whose is not None:
            text = f"{step.name} is repeated on a schedule like {known.name}; that hints at the {whose}'s software."
            yield Fact("schedule", text, step.frames)
            return


def clear_notifies(case: Case) -> Iterator[Fact]:
    """Error notifies in clear, which nobody signed."""
    for step in case.exchange.in_clear:
        if step.encrypted:
            continue
        for notify in error_notifies(step):
            if notify in (NotifyTypeV2.COOKIE, NotifyTypeV2.INVALID_KE_PAYLOAD) and step.message.header.major == 2:
                continue
            later = [s for s in case.exchange.steps if s.number and s.first.time > step.first.time]
            ignored = f"; {later[0].name} followed all the same, so it was not heeded" if later else ""
            ended = set(step.frames) & set(case.stop.frames) and case.stop.refused_by is not None
            kind = f"notify-{slug(notify.name)}" if ended or not (later or not case.unfinished) else "stray-notify"
            text = (
                f"The {step.sender} sent {notify.name} ({int(notify)}) in clear{ignored}. "
                "It is not authenticated: anybody on the path could have sent it."
            )
            yield Fact(kind, text, step.frames)


def sealed_refusal(case: Case) -> Iterator[Fact]:
    """An encrypted Informational in the place of a reply, and whether its receiver could read it."""
    if case.stop.outcome is not Outcome.REJECTED and case.stop.before is not Outcome.REJECTED:
        return
    e, side = case.exchange, case.stop.refused_by
    step = next((s for s in informational(e) if set(s.frames) & set(case.stop.frames)), None)
    if step is None or not step.encrypted or side is None:
        return
    sent = [s for s in informational(e) if s.encrypted and s.sender is side]
    last = case.last_step
    behind = f" behind {last.name}" if last else ""
    count = f", {how_often(len(sent))}" if len(sent) > 1 else ""
    text = f"The {side} sent an encrypted Informational of {step.message.header.length} octets{behind}{count}."
    yield Fact(f"sealed-refusal-by-{side}", text, frames_of(sent))
    if side is Side.RESPONDER and last is not None and last.sender is Side.INITIATOR:
        yield from _was_it_read(case, step, last)
    long = may_be_sa_delete(step, e)
    if chosen_transform(e) is None or (long and may_be_bare_notify(step, e)):
        return  # with a long hash both take the same blocks: the size does not tell
    size = "long enough" if long else "too short"
    meaning = "as a refusal after reading it, or a delete, does" if long else "so it complains of the message alone"
    yield Fact(
        "refusal-may-name-sa" if long else "refusal-too-short-to-name-sa",
        f"By the negotiated hash and cipher it is {size} to name the ISAKMP SA by its cookies, {meaning}.",
        step.frames,
    )


def _how_it_is_repeated(case: Case, refusal: Step, last: Step) -> Iterator[Fact]:
    """What the repetitions tell of who repeats, and of a responder that says nothing more.

    libreswan heeds no refusal, and as a responder repeats message 4 itself; strongSwan does neither. An end that cannot
    read message 5 complains of each copy (strongSwan) or of none (libreswan).
    """
    copies = [t for t in last.times if CROSSING < t - refusal.first.time <= HALF_OPEN]
    refusals = [s for s in informational(case.exchange) if s.encrypted and s.sender is refusal.sender]
    if len(refusals) == len(refusal.sent) == 1 and len(copies) >= 2:
        yield Fact(
            "refusal-once",
            f"The responder answered {last.name} once, and none of its {len(copies)} copies in the next "
            f"{span(copies[-1] - refusal.first.time)}: it has dropped the exchange, as after reading it.",
            (*refusal.frames, *last.frames),
        )
    if _like_libreswan(last):
        yield Fact(
            "initiator-repeats-like-libreswan",
            f"{last.name} is repeated on libreswan's schedule; libreswan goes on so behind a refusal that it can read.",
            last.frames,
        )
    before = next((s for s in case.exchange.numbered((last.number or 1) - 1) if _like_libreswan(s)), None)
    if before is not None:
        yield Fact(
            "responder-repeats-like-libreswan",
            f"The responder repeats {before.name} on libreswan's schedule; where libreswan cannot read {last.name} it "
            "says nothing.",
            before.frames,
        )


HALF_OPEN = 25 * SECOND
"""So long, and longer, strongSwan keeps an exchange that it waits in; after that it would not answer either way."""


def _like_libreswan(step: Step) -> bool:
    known = schedule_of(step.times)
    return known is not None and known.vendor == "libreswan"


def _was_it_read(case: Case, refusal: Step, last: Step) -> Iterator[Fact]:
    again = sent_again_after([last], refusal.first.time)
    if not again and any(
        s.encrypted and s.sender is refusal.sender and s.first.time + CROSSING < last.first.time
        for s in informational(case.exchange)
    ):
        again = last.first.frames  # a capture that begins late has an earlier refusal, and then the message again
    if again:
        yield Fact(
            "refusal-not-understood",
            f"The initiator went on sending {last.name} after it ({how_often(len(again))}): it does not heed it, "
            "as when the keys differ and it cannot read it.",
            again,
        )
        yield from _how_it_is_repeated(case, refusal, last)
    elif (
        case.setting.watched_until(last.last.time) >= heeded_by(last.times)
        or case.setting.next_attempt(case.exchange, refusal.first.time) is not None
    ):
        yield Fact(
            "refusal-understood",
            f"The initiator never sent {last.name} again after it: it heeded it, so it could read it and both ends "
            "have the same keys.",
            refusal.frames,
        )


def mm6(case: Case) -> Iterator[Fact]:
    """Message 6 was sent, and what the initiator did then."""
    known = case.exchange.mode is Mode.MAIN and case.exchange.roles_known
    answers = case.exchange.numbered(6) if known else ()
    if answers:
        yield Fact(
            "mm6-sent",
            "The responder sent MM6, so it could decrypt MM5 and accepted the initiator's identity and proof.",
            answers[0].frames,
        )
        if case.stop.refused_by is Side.INITIATOR:
            yield Fact(
                "initiator-refused-mm6",
                "The initiator did not go on after MM6: it did not accept the responder's identity or proof.",
                case.stop.frames,
            )


def strays(case: Case) -> Iterator[Fact]:
    """Messages under this exchange's cookies from an address that is neither end's."""
    e = case.exchange
    by_source: dict[str, list[Step]] = {}
    for step in e.strays:
        by_source.setdefault(step.first.source, []).append(step)
    for source, steps in by_source.items():
        names = ", ".join(dict.fromkeys(s.name for s in steps))
        if source in (*e.initiator.addresses, *e.responder.addresses):
            known = (e.responder_spi, *e.other_responder_spis)
            text = f"{names} came from {source}, the end that does not send it. It counts for nothing."
            if not any(s.message.header.responder_spi in known for s in steps):
                text = (
                    f"{names} came from {source} under a responder's cookie that the responder did not give. It counts "
                    "for nothing."
                )
                text = text.replace("cookie", "SPI") if e.mode is Mode.IKEV2 else text
            yield Fact("stray-message", text, frames_of(steps))
            continue
        text = (
            f"{names} under these cookies came from {source}, which is neither end as far as the capture shows, and "
            "neither end wrote to it. Anybody who saw the cookies can send that; it changes nothing here."
        )
        yield Fact("stray-message", text, frames_of(steps))
        answers = [s for s in steps if s.sender is Side.RESPONDER and s.proposals]
        if answers and case.unfinished and not any(s.sender is Side.RESPONDER for s in e.steps):
            text = (
                f"The initiator wrote to {e.responder.address}; an answer came from {source}, and the initiator did "
                "not go on with it."
            )
            yield Fact("answered-elsewhere", text, (e.steps[0].first.frame, answers[0].first.frame))


def implausible(case: Case) -> Iterator[Fact]:
    """Messages that cannot be what they say: no message of a mode, or Quick Mode without keys, ID or room."""
    for step in case.exchange.steps:
        header = step.message.header
        if header.exchange_type in AFTER_PHASE_1 and header.major == 1 and not is_plausible(step):
            text = (
                f"{step.name} cannot be one: what follows phase 1 is encrypted, has a message ID, and room for a HASH "
                "(RFC 2409 §5.5). It counts for nothing."
            )
            yield Fact("implausible-message", text, step.frames)
        of_phase1 = header.exchange_type in PHASE_1 and header.major == 1
        if of_phase1 and step.number is None and header.responder_spi == ZERO_SPI:
            text = (
                f"{step.message.header.exchange.label}: a message without a responder's cookie and without an SA "
                "payload; no mode has such a message (RFC 2409 §5)."
            )
            yield Fact("no-such-message", text, step.frames)


def one_way(case: Case) -> Iterator[Fact]:
    """The capture sees one direction only."""
    side = case.vantage.one_way
    e = case.exchange
    if e.mode is Mode.MAIN and e.last_message == 4 and case.stop.refused_by is Side.RESPONDER:
        reached = e.numbered(4)[0].first.time
        own = [s for s in informational(e) if s.sender is Side.RESPONDER and not harmless(s)]
        told = [s for s in own if s.encrypted]
        how = "encrypted" if told else "clear"
        told = told or [s for s in own if error_notifies(s) and s.first.time > reached]
        if told:
            text = (
                f"Behind MM4 the responder sent {len(told)} {how} Informational message{'s' * (len(told) > 1)} and "
                "no MM6: message 5 came, which is not in the capture, and this is what it was answered with."
            )
            apart = told[-1].first.time - told[0].first.time > CROSSING
            yield Fact(
                "unseen-message-5-refused",
                text,
                frames_of(told),
                (("unseen-message-5-refused-again",) if apart else ()),
            )
    if side is not None:
        text = (
            f"The capture holds packets of the {side} only, and these show that the {side.other} sends too: it sees "
            "one direction, as with a one-way mirror port or an asymmetric route. What the "
            f"{side.other} sent does not show."
        )
        yield Fact("one-direction", text, case.vantage.frames)


def malformed(case: Case) -> Iterator[Fact]:
    """Messages in clear whose payloads do not hold what they declare; what the capture cut off is another matter."""
    for step in case.exchange.in_clear:
        problem = step.message.problem
        if problem and not step.encrypted and not step.message.cut and step.whole:
            yield Fact("malformed-message", f"{step.name} is malformed: {problem}.", step.frames)


def lone_answer(case: Case) -> Iterator[Fact]:
    """A clear error notify that answers something which is not there."""
    e = case.exchange
    if case.stop.refused_by is None or any(s.sender is not case.stop.refused_by for s in e.steps):
        return
    if e.initiator_spi == ZERO_SPI:
        text = "The notify names no cookies: what it answers was no IKE message, as an empty probe of a port scan."
        yield Fact("answers-no-ike", text, e.steps[0].frames)
