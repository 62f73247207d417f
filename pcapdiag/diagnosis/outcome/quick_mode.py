"""What became of each Quick Mode (RFC 2409 §5.5), and of each CREATE_CHILD_SA (RFC 7296 §1.3), under an exchange.

They are encrypted, so the outcome is read from who answered, who repeated, what came instead of an answer, and how
large it is; where keys opened that, from what it says.
"""

from collections.abc import Iterator, Sequence

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.outcome.room import MOST_AROUND, chosen_transforms, first_inside, is_known, room
from pcapdiag.diagnosis.outcome.stop import (
    CROSSING,
    REFUSAL,
    SILENCE,
    Outcome,
    Setting,
    answered,
    answers_dpd,
    harmless,
    how_often,
    informational,
    refusal_text,
    sent_again_after,
    soonest_answer,
)
from pcapdiag.diagnosis.outcome.vantage import vantage_of
from pcapdiag.exchange.model import Exchange, Mode, Side, Step
from pcapdiag.ike.payloads import Transform
from pcapdiag.ike.registry import ExchangeType, PayloadType
from pcapdiag.record import Record
from pcapdiag.units import SECOND


class Phase2(Record, frozen=True):
    """One Quick Mode, or one CREATE_CHILD_SA.

    name -- which of the two; about -- what it is for, as far as that shows: "rekeys a Child SA"
    message_id -- names it within the exchange; began_by -- who sent its first message
    outcome -- completed, rejected, stalled, or inconclusive
    last_message -- the highest of its messages (1–3, of IKEv2 1–2) that was seen
    answer -- the Informational that stood in the place of an answer, if there was one
    """

    message_id: int
    began_by: Side
    outcome: Outcome
    last_message: int
    reason: str
    steps: tuple[Step, ...]
    answer: Step | None = None
    name: str = "Quick Mode"
    about: str = ""

    @property
    def title(self) -> str:
        """How a report names it: IKEv1 picks its message IDs at random, IKEv2 counts (RFC 7296 §2.2)."""
        number = f"{self.message_id:08x}" if self.name == "Quick Mode" else f"{self.message_id} of the {self.began_by}"
        return f"{self.name} {number}{f' ({self.about})' if self.about else ''}"

    @property
    def answer_time(self) -> int | None:
        """When the other end's first message of it came (nanoseconds); None where none did."""
        times = [s.first.time for s in self.steps if s.sender is not self.began_by]
        return min(times, default=None)

    @property
    def next_message(self) -> str:
        """The message that is due after the last one that was seen."""
        return f"QM{self.last_message + 1}" if self.name == "Quick Mode" else f"{self.name} response"

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Every frame of it, the Informational that ended it included."""
        steps = (*self.steps, self.answer) if self.answer else self.steps
        return tuple(sorted(f for s in steps for f in s.frames))


def phase2_of(exchange: Exchange, setting: Setting) -> tuple[Phase2, ...]:
    """Every Quick Mode, or CREATE_CHILD_SA, of this exchange, in order."""
    if exchange.mode is Mode.IKEV2:
        return tuple(_children(exchange, setting))
    by_id: dict[int, list[Step]] = {}
    for step in exchange.of_type(ExchangeType.QUICK):
        if step.message.header.major == 1:
            by_id.setdefault(step.message.header.message_id, []).append(step)
    return tuple(_judge(exchange, setting, message_id, tuple(steps)) for message_id, steps in by_id.items())


def _judge(exchange: Exchange, setting: Setting, message_id: int, steps: tuple[Step, ...]) -> Phase2:
    began_by = steps[0].sender if steps[0].name != "QM2" else steps[0].sender.other
    last = max(int(step.name[2:]) for step in steps)
    latest = max(steps, key=lambda s: s.first.time)
    outcome, reason, answer = Outcome.COMPLETED, "All three messages went by.", None
    if last >= 3 and len({s.name for s in steps}) < 3:
        reason = f"{steps[-1].name} went by, with which it ends."
    if last < 3:
        answer = _answer(exchange, setting, latest)
        if answer is not None:
            outcome = Outcome.REJECTED
            reason = f"The {answer.sender} answered QM{last} with {refusal_text(answer)}."
        elif len(latest.sent) == 1 and vantage_of(exchange).one_way is latest.sender:
            outcome = Outcome.INCONCLUSIVE
            reason = f"The capture sees nothing of the {latest.sender.other}: whether it answered does not show."
        elif len(latest.sent) == 1 and latest is exchange.steps[0]:
            outcome = Outcome.INCONCLUSIVE
            reason = "The capture begins with it, and it is not sent again, as one without an answer is."
        elif last == 2 and not _repeated_behind(steps):
            outcome = Outcome.INCONCLUSIVE
            reason = "QM2 was sent, and neither end repeats anything behind it: QM3 was not seen, and may have gone by."
        elif setting.silence_after(latest.first.time) >= SILENCE or _given_up(exchange, setting, latest):
            outcome, reason = Outcome.STALLED, f"QM{last} was sent; QM{last + 1} was not seen."
        else:
            outcome, reason = Outcome.INCONCLUSIVE, f"The capture ends soon after QM{last}."
    elif again := _repeated_for_all_that(exchange, setting, steps):
        ends = setting.silence_after(max(s.last.time for s in steps)) < SILENCE
        outcome = Outcome.INCONCLUSIVE if ends else Outcome.STALLED
        reason = f"QM3 was sent and QM2 is still repeated ({how_often(len(again))}): QM3 is not accepted, or lost."
    return Phase2(message_id, began_by, outcome, last, reason, steps, answer)


def _children(exchange: Exchange, setting: Setting) -> Iterator[Phase2]:
    steps = [s for s in exchange.of_type(ExchangeType.CREATE_CHILD_SA) if s.encrypted]
    requests = [s for s in steps if not s.message.header.response]
    chosen = chosen_transforms(exchange)
    for request in requests:
        number = request.message.header.message_id
        answer = next(
            (
                s
                for s in steps
                if s.message.header.response
                and s.message.header.message_id == number
                and s.sender is not request.sender
                and s.last.time >= request.first.time - CROSSING
            ),
            None,
        )
        outcome, reason = _child_outcome(request, answer, requests, chosen, setting)
        if answer is None and len(request.sent) == 1 and vantage_of(exchange).one_way is request.sender:
            outcome = Outcome.INCONCLUSIVE
            reason = f"The capture sees nothing of the {request.sender.other}: whether it answered does not show."
        elif outcome is Outcome.REJECTED and answer is not None and _crossed(request, answer, steps, chosen):
            outcome = Outcome.SUPERSEDED
            reason = (
                f"{reason[:-1]}. A request of its own had crossed this one and was granted, as where rekeys collide."
            )
        yield Phase2(
            message_id=number,
            began_by=request.sender,
            outcome=outcome,
            last_message=1 if answer is None else 2,
            reason=reason,
            steps=(request,) if answer is None else (request, answer),
            answer=answer if outcome is Outcome.REJECTED else None,
            name=request.exchange_type.label,
            about=_about(exchange, setting, request, answer),
        )


def _about(exchange: Exchange, setting: Setting, request: Step, answer: Step | None) -> str:
    """What a CREATE_CHILD_SA is for (RFC 7296 §1.3), as far as that shows without keys.

    REKEY_SA comes first where a Child SA is renewed; a new IKE SA shows by its SPIs, which have no IKE_SA_INIT.
    """
    if first_inside(request) == PayloadType.NOTIFY2:
        return "rekeys a Child SA"
    if answer is None:
        return ""
    since = answer.first.time
    later = [s.first.time for s in exchange.named(request.name) if s.first.time > since]
    until = min(min(later, default=since + REKEYED), since + REKEYED)
    for other in setting.conversation[:MAX_LOOK_BACK]:
        if other.id != exchange.id and since <= other.first_time <= until and not other.named("IKE_SA_INIT request"):
            return f"rekeys the IKE SA, which goes on as exchange {other.id}"
    return ""


def _child_outcome(
    request: Step,
    answer: Step | None,
    requests: Sequence[Step],
    chosen: tuple[Transform, ...],
    setting: Setting,
) -> tuple[Outcome, str]:
    """How one CREATE_CHILD_SA ended, and why that is said."""
    if answer is None:
        if setting.silence_after(request.first.time) >= SILENCE:
            return Outcome.STALLED, f"It was sent {how_often(len(request.sent))} and not answered."
        return Outcome.INCONCLUSIVE, "The capture ends soon after the request."
    first = first_inside(answer)
    if not _refuses(answer, chosen):
        around = 0 if is_known(chosen) or first == PayloadType.SA2 else MOST_AROUND
        if answer.opened is None and room(answer, chosen) < SMALLEST_CHILD_ANSWER + around:
            return (
                Outcome.INCONCLUSIVE,
                "It was answered; without the negotiated algorithms the size does not tell whether with an SA.",
            )
        return Outcome.COMPLETED, "It was answered, with room for an SA."
    what = f"a message with no room for SA and nonce{f', {first.label} first' if first is not None else ''}"
    if answer.opened is not None:
        what = refusal_text(answer)
    own = [s for s in requests if s.sender is request.sender and s is not request]
    again = [s for s in own if 0 <= s.first.time - answer.first.time <= AT_ONCE]
    if again:
        number = again[0].message.header.message_id
        return (
            Outcome.SUPERSEDED,
            f"It was refused with {what}, and asked anew at once (message ID {number}), as with another group.",
        )
    return Outcome.REJECTED, f"The {answer.sender} answered with {what}: it refuses."


def _crossed(request: Step, answer: Step, steps: Sequence[Step], chosen: tuple[Transform, ...]) -> bool:
    """The end that refuses had asked itself before it answered, and was granted what it asked for.

    Of two rekeys that cross one is refused with TEMPORARY_FAILURE, and nothing is wrong (RFC 7296 §2.25.1).
    """
    own = {
        s.message.header.message_id
        for s in steps
        if s.sender is answer.sender and not s.message.header.response and s.first.time <= answer.first.time
    }
    return any(
        s.sender is request.sender
        and s.message.header.response
        and s.message.header.message_id in own
        and s.last.time >= request.first.time
        and not _refuses(s, chosen)
        for s in steps
    )


def _refuses(answer: Step, chosen: tuple[Transform, ...]) -> bool:
    """This answer to CREATE_CHILD_SA makes no SA: by what keys show, or for want of room."""
    return not harmless(answer) if answer.opened is not None else room(answer, chosen) < SMALLEST_CHILD_ANSWER


REKEYED = 300 * SECOND
"""A new IKE SA is used this soon after the rekey, if only by a DPD."""
MAX_LOOK_BACK = 100
"""Exchanges that are looked at for the rekey: two peers rarely have more, and a flood must not take longer."""
AT_ONCE = SECOND
"""An end that refuses what it was sent says so within this time; and one that is asked for the same request with
another group (INVALID_KE_PAYLOAD, RFC 7296 §1.3) sends that."""
SMALLEST_CHILD_ANSWER = (4 + 8 + 4 + 8) + (4 + 16)
"""SA with one proposal, its SPI and one transform, and the shortest nonce (RFC 7296 §3.3, §2.10)."""


def _answer(exchange: Exchange, setting: Setting, step: Step) -> Step | None:
    """An Informational from the other end, right behind a transmission of this message.

    Who refuses says so at once; what comes later is DPD, or a delete of what worked. INITIAL-CONTACT of a responder,
    which it sends behind message 6, may cross message 1: then it came too soon.
    """
    soonest = soonest_answer(exchange, step.sender.other)
    for other in informational(exchange):
        at_once = any(soonest <= other.first.time - time <= AT_ONCE for time in step.times)
        if other.sender is step.sender or not at_once or harmless(other):
            continue
        if answers_dpd(exchange, other, step.first.time):
            continue
        # What was told before this message and is as long as DPD may be INITIAL-CONTACT, and this a refusal.
        as_dpd = answered(exchange, other) or answers_dpd(exchange, other)
        if not as_dpd or _ended(exchange, setting, step):
            return other
    return None


def _ended(exchange: Exchange, setting: Setting, step: Step) -> bool:
    """The exchange ends here: this message is not repeated in a long silence, and nothing follows later.

    Who has no answer sends again (RFC 2408 §5.1). So what came was the answer, and what followed that a delete, which
    can be as long; behind DPD the SA lives on.
    """
    if len(step.sent) > 1 or setting.silence_after(step.first.time) < SILENCE:
        return False
    return all(s.last.time <= step.first.time + REFUSAL for s in exchange.steps)


def _repeated_for_all_that(exchange: Exchange, setting: Setting, steps: Sequence[Step]) -> tuple[Frame, ...]:
    """Message 2 is sent again behind message 3; nothing, where a message 3 that was sent again too was taken then.

    A responder that stops after one or two has had it, or traffic shows it; one that sends three more gives up.
    """
    seconds = [s for s in steps if s.name == "QM2"]
    thirds = [s for s in steps if s.name == "QM3"]
    again = sent_again_after(seconds, min((s.first.time for s in thirds), default=0))
    if not again or not thirds or not seconds:
        return ()
    since = min(s.first.time for s in seconds)
    taken = max(s.last.time for s in thirds) > max(s.last.time for s in seconds)
    if setting.traffic_both_ways(exchange, since) or (taken and len(again) < GIVES_UP_AFTER):
        return ()
    return again


GIVES_UP_AFTER = 3
"""So often an ASA repeats a message before it gives up; others do so more often."""


def _repeated_behind(steps: Sequence[Step]) -> bool:
    """Message 2 is sent again, or message 1 behind it: the end that does so has not had what is due (RFC 2408 §5.1)."""
    seconds = [s for s in steps if s.name == "QM2"]
    reached = min(s.first.time for s in seconds)
    return any(len(s.sent) > 1 for s in seconds) or bool(sent_again_after(steps, reached))


def _given_up(exchange: Exchange, setting: Setting, step: Step) -> bool:
    """The same peers began a new phase 1 seconds later, with this one unanswered."""
    return setting.next_attempt(exchange, step.first.time + REFUSAL) is not None
