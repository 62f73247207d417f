"""What became of each Quick Mode under the cookies of an exchange (RFC 2409 §5.5).

Quick Mode is encrypted, so its outcome is read from who answered, who repeated, and what came instead of an answer;
where keys opened that, from what it says.
"""

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.stop import REFUSAL, SILENCE, Outcome, Setting, harmless, informational, refusal_text
from pcapdiag.exchange.model import Exchange, Side, Step
from pcapdiag.ike.registry import ExchangeType
from pcapdiag.record import Record


class Phase2(Record, frozen=True):
    """One Quick Mode.

    message_id -- names it within the exchange; began_by -- who sent its first message
    outcome -- completed, rejected, stalled, or inconclusive
    last_message -- the highest of its messages (1–3) that was seen
    answer -- the Informational that stood in the place of an answer, if there was one
    """

    message_id: int
    began_by: Side
    outcome: Outcome
    last_message: int
    reason: str
    steps: tuple[Step, ...]
    answer: Step | None = None

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Every frame of it, the Informational that ended it included."""
        steps = (*self.steps, self.answer) if self.answer else self.steps
        return tuple(sorted(f for s in steps for f in s.frames))


def phase2_of(exchange: Exchange, setting: Setting) -> tuple[Phase2, ...]:
    """Every Quick Mode of this exchange, in order."""
    by_id: dict[int, list[Step]] = {}
    for step in exchange.steps:
        if step.exchange_type == ExchangeType.QUICK and step.message.header.major == 1:
            by_id.setdefault(step.message.header.message_id, []).append(step)
    return tuple(_judge(exchange, setting, message_id, tuple(steps)) for message_id, steps in by_id.items())


def _judge(exchange: Exchange, setting: Setting, message_id: int, steps: tuple[Step, ...]) -> Phase2:
    began_by = steps[0].sender
    last = max(int(step.name[2:]) for step in steps)
    latest = max(steps, key=lambda s: s.first.time)
    outcome, reason, answer = Outcome.COMPLETED, "All three messages went by.", None
    if last < 3:
        answer = _answer(exchange, latest)
        if answer is not None:
            outcome = Outcome.REJECTED
            reason = f"The {answer.sender} answered QM{last} with {refusal_text(answer)}."
        elif setting.silence_after(latest.first.time) >= SILENCE or _given_up(exchange, setting, latest):
            outcome, reason = Outcome.STALLED, f"QM{last} was sent; QM{last + 1} was not seen."
        else:
            outcome, reason = Outcome.INCONCLUSIVE, f"The capture ends soon after QM{last}."
    return Phase2(message_id, began_by, outcome, last, reason, steps, answer)


def _answer(exchange: Exchange, step: Step) -> Step | None:
    """An Informational from the other end within seconds, before anything else of it."""
    for other in informational(exchange):
        gap = other.first.time - step.first.time
        if other.sender is not step.sender and 0 <= gap <= REFUSAL and not harmless(other):
            return other
    return None


def _given_up(exchange: Exchange, setting: Setting, step: Step) -> bool:
    """The same peers began a new phase 1 seconds later, with this one unanswered."""
    return setting.next_attempt(exchange, step.first.time + REFUSAL) is not None
