"""Facts about the stop: silence and for how long, who repeats behind whom, notifies and refusals."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from pcapdiag.diagnosis import ikev2
from pcapdiag.diagnosis.case import RETRY, Case, Fact, how_often, slug, span
from pcapdiag.diagnosis.schedule import SCHEDULES
from pcapdiag.diagnosis.stop import (
    CROSSING,
    SECOND,
    SILENCE,
    Outcome,
    error_notifies,
    frames_of,
    informational,
    may_be_sa_delete,
    sent_again_after,
)
from pcapdiag.exchange.model import Mode, Side, Step
from pcapdiag.ike.registry import ExchangeType, NotifyTypeV2


def stop(case: Case) -> Iterator[Fact]:
    """Where it stopped: the first fact, which heads the report."""
    top, last = case.exchange.last_message, case.last_step
    after = str(top) if top else slug(last.name) if last else "nothing"
    yield Fact(f"stopped-after-{after}", case.stop.reason, case.stop.frames)
    if case.exchange.mode is not Mode.IKEV2 or case.stop.refused_by is None:
        return
    auth = [s for s in case.exchange.steps if s.exchange_type == ExchangeType.IKE_AUTH]
    if auth:
        by = "" if case.stop.refused_by is Side.RESPONDER else "-by-initiator"
        yield Fact(f"v2-auth-refused{by}", case.stop.reason, case.stop.frames)


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
    text = f"{step.name} was sent {how_often(len(step.sent) + step.uncounted)}; "
    if whole:
        text += f"in the {span(for_long)} after the first no {case.stop.missing} was seen."
    else:
        text += f"the capture ends {span(for_long)} after the first, without {case.stop.missing}."
    yield Fact("icmp-instead-of-reply" if after else "silence" if whole else "no-reply-yet", text, step.frames)
    if whole and step.sender is Side.INITIATOR and not after:
        yield Fact(f"silence-after-{slug(step.name)}", text, step.frames)


def repeats(case: Case) -> Iterator[Fact]:
    """Who sends again behind whose message (RFC 2408 §5.1: the sender's own timer)."""
    if not case.unfinished:
        return
    e, top = case.exchange, case.exchange.last_message
    if e.mode is Mode.IKEV2 and Outcome.REJECTED not in (case.stop.outcome, case.stop.before):
        yield from _requests_again(case)
    if top is None or e.mode not in (Mode.MAIN, Mode.AGGRESSIVE):
        return
    prefix = "MM" if e.mode is Mode.MAIN else "AM"
    reached = e.numbered(top)[0].first.time
    if top >= 2:
        frames = sent_again_after(e.numbered(top - 1), reached)
        who, other = e.numbered(top)[0].sender, e.numbered(top)[0].sender.other
        if frames:
            yield Fact(
                f"{other}-repeats-behind-answer",
                f"The {other} sends {prefix}{top - 1} again although {prefix}{top} went by: it has not had "
                f"{prefix}{top}, or could not use it.",
                (*e.numbered(top)[0].first.frames, *frames),
            )
        elif case.setting.silence_after(reached) >= SILENCE and top in (2, 4):
            yield Fact(
                f"{other}-does-not-repeat",
                f"The {other} does not send {prefix}{top - 1} again behind {prefix}{top}, so it had the answer; "
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


def _requests_again(case: Case) -> Iterator[Fact]:
    """The same of IKEv2, where the initiator alone has a timer (RFC 7296 §2.1)."""
    answers = [s for s in case.exchange.steps if s.sender is Side.RESPONDER and s.message.header.response]
    unheard = ikev2.repeated_behind_answer(case.exchange, answers[-1]) if answers else None
    if unheard is not None:
        text = (
            f"The initiator sends {unheard.request.name} again although {unheard.answer.name} went by: it has not had "
            "it, or could not use it."
        )
        yield Fact("initiator-repeats-behind-answer", text, (*unheard.answer.first.frames, *unheard.again))


def schedule_hint(times: Sequence[int]) -> str | None:
    """Whose retransmission schedule these sending times follow, if one of the known ones; a hint, no proof."""
    gaps = [(b - a) / SECOND for a, b in pairwise(times)]
    if len(gaps) < 2:
        return None
    return next((known.name for known in SCHEDULES if known.begins_with(gaps)), None)


def schedule(case: Case) -> Iterator[Fact]:
    """Whose retransmission schedule is seen."""
    for step in case.exchange.steps:
        hint = schedule_hint(step.times) if step.number or step.message.header.major == 2 else None
        if hint:
            text = f"{step.name} is repeated on a schedule like {hint}; that hints at the {step.sender}'s software."
            yield Fact("schedule", text, step.frames)
            return


def clear_notifies(case: Case) -> Iterator[Fact]:
    """Error notifies in clear, which nobody signed."""
    for step in case.exchange.steps:
        if step.encrypted:
            continue
        for notify in error_notifies(step):
            if notify in (NotifyTypeV2.COOKIE, NotifyTypeV2.INVALID_KE_PAYLOAD) and step.message.header.major == 2:
                continue
            later = [s for s in case.exchange.steps if s.number and s.first.time > step.first.time]
            ignored = f"; {later[0].name} followed all the same, so it was not heeded" if later else ""
            kind = "stray-notify" if later or not case.unfinished else f"notify-{slug(notify.name)}"
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
    return (schedule_hint(step.times) or "").startswith("libreswan")


def _was_it_read(case: Case, refusal: Step, last: Step) -> Iterator[Fact]:
    again = sent_again_after([last], refusal.first.time)
    if again:
        yield Fact(
            "refusal-not-understood",
            f"The initiator went on sending {last.name} after it ({how_often(len(again))}): it does not heed it, "
            "as when the keys differ and it cannot read it.",
            again,
        )
        yield from _how_it_is_repeated(case, refusal, last)
    elif (
        case.setting.silence_after(refusal.first.time) >= RETRY
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
    answers = case.exchange.numbered(6) if case.exchange.mode is Mode.MAIN else ()
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
