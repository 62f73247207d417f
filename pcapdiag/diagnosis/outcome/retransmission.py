"""When a sender that has no answer sends again, and when it gives up.

RFC 2408 §5.1 leaves the timers to the sender. The schedules here are those of known daemons in their default settings,
measured; each is a hint at the software and no proof of it. Where none fits, the gaps seen so far say how long the next
one can be.
"""

from collections.abc import Sequence
from itertools import pairwise

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.outcome.stop import (
    BEGINS,
    CROSSING,
    SILENCE,
    Outcome,
    Stop,
    informational,
    sent_again_after,
)
from pcapdiag.exchange.model import Exchange, Mode, Side, Step
from pcapdiag.ike.registry import ExchangeType
from pcapdiag.record import Record
from pcapdiag.units import SECOND

LATE = 1.15
"""A timer fires this much later than it says, at most: strongSwan adds no jitter by default, others a little."""
LAST_REPLY = 5 * SECOND
"""Behind the last message that a schedule has, an answer to it is waited for this long; a round trip takes less."""
LONGEST_GAP = 64 * SECOND
"""No known sender pauses longer between two tries."""
LONGEST = 180 * SECOND
"""Every known sender has given up this long after its first try; one that goes on for ever is not waited for."""


class Schedule(Record, frozen=True):
    """After how many seconds a sender repeats a message, each gap from the transmission before.

    vendor -- whose software it is: one word, or two where they share it
    ends -- it gives up after the last of them; where that is not known, it may go on
    basis -- how sure it is: "measured" on a wire, read in its "source", or "reported" of it
    """

    name: str
    vendor: str
    gaps: tuple[float, ...]
    ends: bool = True
    basis: str = "measured"

    def from_place(self, place: int) -> "Schedule":
        """What is left of it after so many gaps."""
        return Schedule(self.name, self.vendor, self.gaps[place:], self.ends, self.basis)

    def begins_with(self, gaps: Sequence[float]) -> bool:
        """Whether these gaps (seconds) are the first ones of this schedule, as exactly as timers keep to it."""
        return all(abs(seen - own) <= 0.12 * own + 0.1 for seen, own in zip(gaps, self.gaps, strict=False))


SCHEDULES = (
    Schedule("strongSwan's default (4.0 s × 1.8ⁿ, five times)", "strongswan", (4.0, 7.2, 12.96, 23.3, 42.0)),
    Schedule("libreswan's default (0.5, 0.5, 1, 2, 4 … s)", "libreswan", (0.5, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)),
    Schedule("Openswan's (10, then 20 s)", "openswan", (10.0, 20.0), ends=False, basis="source"),
    Schedule("a Cisco ASA's (8 s apart)", "cisco-asa", (8.0, 8.0, 8.0), basis="reported"),
    Schedule(
        "Cisco IOS's or racoon's (10 s apart)", "cisco-ios racoon", (10.0, 10.0, 10.0, 10.0, 10.0), basis="reported"
    ),
    Schedule("a FortiGate's (3, 6, 12 s)", "fortinet", (3.0, 6.0, 12.0), basis="reported"),
    Schedule("a FortiGate's (6, then 12 s)", "fortinet", (6.0, 12.0), ends=False, basis="reported"),
    Schedule("a FortiGate's (2 s, doubled, for XAuth)", "fortinet", (2.0, 4.0, 8.0, 16.0, 32.0), False, "reported"),
    Schedule("OpenIKED's (2 s, doubled)", "openiked", (2.0, 4.0, 8.0, 16.0, 32.0)),
    Schedule("vpnc's (2 s, doubled)", "vpnc", (2.0, 4.0), ends=False),
    Schedule("Solaris' (0.5 s, doubled)", "solaris", (0.5, 1.0, 2.0, 4.0, 8.0), ends=False, basis="reported"),
    Schedule("Android's (0.5 s, doubled)", "android", (0.5, 1.0, 2.0, 4.0), basis="source"),
    Schedule("Windows' (1, 2, 4 … s)", "microsoft", (1.0, 2.0, 4.0, 8.0, 16.0), basis="reported"),
)
FIRST_DUE = round((max(s.gaps[0] for s in SCHEDULES) * LATE + 1) * SECOND)
"""Every known sender has sent a second time by then."""


class Outlook(Record, frozen=True):
    """What is still to come of a message that has no answer. Times are nanoseconds since the Unix epoch.

    sent -- transmissions so far; last -- when it was sent last
    due -- when it is sent again by the schedule that fits so far; None where none fits, or none is left
    over_at -- by then nothing more of it is to be expected
    final -- the schedule has no further try; schedule -- its name, None where none fits
    """

    sent: int
    last: int
    due: int | None
    over_at: int
    final: bool
    schedule: str | None


def outlook(times: Sequence[int]) -> Outlook:
    """What to expect of a message that was sent at these times (nanoseconds, at least one)."""
    first, last = times[0], times[-1]
    sent = len(times)
    if sent == 1:
        # Every known sender would have repeated it by then, and it is what one silence is judged by everywhere.
        return Outlook(1, last, None, last + SILENCE, False, None)
    gaps = [(b - a) / SECOND for a, b in pairwise(times)]
    fits = _fits(gaps)
    names = {fit.schedule.name for fit in fits}
    # One gap alone names nobody.
    name = names.pop() if len(names) == 1 and len(gaps) > 1 else None
    ahead = [fit for fit in fits if fit.rest]
    if ahead:
        expected = [fit for fit in ahead if fit.whole] or ahead
        due = last + round(max(fit.rest[0] for fit in expected) * SECOND)
        over = last + round((max(fit.rest[0] for fit in ahead) * LATE + 1) * SECOND)
        return Outlook(sent, last, due, over, False, name)
    if fits and all(fit.schedule.ends for fit in fits):
        return Outlook(sent, last, None, last + LAST_REPLY, True, name)
    growth = max(gaps[-1] / gaps[-2], 1.0) if len(gaps) > 1 and gaps[-2] > 0 else 2.0
    longest = min(round(gaps[-1] * max(growth, 2.0) * SECOND), LONGEST_GAP)
    over = min(last + round(longest * LATE) + SECOND, max(first + LONGEST, last + LAST_REPLY))
    return Outlook(sent, last, None, over, False, name)


class _Fit(Record, frozen=True):
    """A place in a schedule where the gaps seen may be. rest -- those still to come; whole -- it is the beginning."""

    schedule: Schedule
    rest: tuple[float, ...]
    whole: bool


def _fits(gaps: Sequence[float]) -> list[_Fit]:
    """Where in the known schedules these gaps fit; somewhere inside only where none begins with them for sure.

    The first transmissions of a message may not have been seen: the watch began later, or the capture lost them.
    """
    found = []
    for schedule in SCHEDULES:
        for place in range(len(schedule.gaps) - len(gaps) + 1):
            if schedule.from_place(place).begins_with(gaps):
                found.append(_Fit(schedule, schedule.gaps[place + len(gaps) :], place == 0))
    whole = [fit for fit in found if fit.whole]
    return whole if whole and len(gaps) > 1 else found


class Pending(Record, frozen=True):
    """A phase 1 that waits: the message that has no answer, and what its ends' schedules say.

    step -- the latest message by its place; reached -- when it was first sent
    outlook -- of the message that is being repeated: of this one, or of an earlier one where that still is
    repeated -- that message
    over_at -- when nothing more is to be expected of either end
    frames -- of `repeated`
    """

    step: Step
    reached: int
    repeated: Step
    outlook: Outlook
    over_at: int
    frames: tuple[Frame, ...]


def pending(exchange: Exchange) -> Pending | None:
    """What a phase 1 waits with; None where nothing of phase 1 was seen.

    Either end may be the one that repeats (RFC 2408 §5.1): what was sent behind the latest message counts as well.
    """
    steps = _phase1(exchange)
    if not steps:
        return None
    top = steps[-1] if exchange.mode is Mode.IKEV2 else max(steps, key=lambda s: (s.number or 0, -s.first.time))
    reached = top.first.time
    repeated = [(s, outlook(s.times)) for s in steps if s is top or s.last.time > reached]
    over_at = max(max(o.over_at for _, o in repeated), reached + SILENCE)
    step, ahead = max(repeated, key=lambda pair: (len(pair[0].sent) > 1, pair[1].over_at))
    return Pending(top, reached, step, ahead, over_at, step.frames)


def settles_at(exchange: Exchange, stop: Stop) -> int:
    """Until when what is known of a refusal can change with the next retransmission; 0 where it cannot.

    Whether the initiator heeds an encrypted refusal or goes on sending tells whether it could read it, and so whether
    the keys are the same: two causes that the refusal alone does not tell apart.
    """
    waits = pending(exchange)
    if Outcome.REJECTED not in (stop.outcome, stop.before) or stop.refused_by is not Side.RESPONDER or waits is None:
        return 0
    refusal = next((s for s in informational(exchange) if s.encrypted and set(s.frames) & set(stop.frames)), None)
    if refusal is None or waits.step.sender is not Side.INITIATOR:
        return 0
    if sent_again_after([waits.step], refusal.first.time):
        return 0
    return heeded_by(waits.step.times)


def heeded_by(times: Sequence[int]) -> int:
    """When a sender that goes on repeating would have sent again, by the schedule that its times so far fit.

    times -- of the transmissions, nanoseconds. By one transmission none can be told: the longest first gap counts.
    """
    return times[-1] + FIRST_DUE if len(times) == 1 else outlook(times).over_at


def schedule_of(times: Sequence[int]) -> Schedule | None:
    """Whose retransmission schedule these sending times follow; a hint, no proof. None where none fits, or several."""
    gaps = [(b - a) / SECOND for a, b in pairwise(times)]
    if len(gaps) < 2:
        return None
    # Of a short schedule that may go on, the further gaps are not known: with these it fits nobody.
    found = [known for known in SCHEDULES if known.begins_with(gaps) and len(gaps) <= max(len(known.gaps), 3)]
    if len({known.vendor for known in found}) == 1:
        return found[0]
    return None if found else _geometric(gaps)


def timed_by(exchange: Exchange, step: Step) -> Side | None:
    """Whose timer the repetitions of a message follow; None where that does not show.

    In IKEv2 the initiator's of the request, whoever sends the message: a response is sent again when it is asked for
    again (RFC 7296 §2.1). In IKEv1 either end has a timer in phase 1, and many a responder answers each copy of what it
    had (RFC 2408 §5.1): what comes right behind a copy each time follows that, and of a capture without the other end's
    messages it cannot be told. A notify has no timer.
    """
    header = step.message.header
    if header.major == 2:
        return step.sender.other if header.response else step.sender
    others = [s for s in exchange.steps if s.sender is not step.sender and s.exchange_type == step.exchange_type]
    asked = [time for s in others for time in s.times]
    if step.sender is Side.INITIATOR and step.number == 1:
        return step.sender
    if not step.number or (step.sender is Side.RESPONDER and not asked):
        return None
    own = [t for t in step.times[1:] if not any(0 <= t - time <= CROSSING for time in asked)]
    return step.sender if len(own) >= min(2, len(step.times) - 1) else None


def _geometric(gaps: Sequence[float]) -> Schedule | None:
    """Gaps that grow by one factor, which is not the 2 of many: strongSwan lets both be set (`retransmit_base`)."""
    if len(gaps) < 3 or min(gaps) <= 0:
        return None
    base = (gaps[-1] / gaps[0]) ** (1 / (len(gaps) - 1))
    even = all(abs(b / a - base) <= 0.06 * base for a, b in pairwise(gaps))
    if not even or not 1.2 <= base <= 1.9:
        return None
    return Schedule(
        f"strongSwan's with other settings ({gaps[0]:.1f} s × {base:.1f}ⁿ)", "strongswan", tuple(gaps), False
    )


def _phase1(exchange: Exchange) -> list[Step]:
    if exchange.mode is Mode.IKEV2:
        types = (*BEGINS, ExchangeType.IKE_INTERMEDIATE, ExchangeType.IKE_AUTH)
        return [s for s in exchange.steps if s.exchange_type in types]
    return [s for s in exchange.steps if s.number]
