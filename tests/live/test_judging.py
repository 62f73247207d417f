"""What a verdict comes down to, and that it is given once."""

import pytest

from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.live.events import Verdict, Waiting
from pcapdiag.live.eviction import Eviction
from pcapdiag.live.judging import Beside, Judge, ending_of, said_of
from pcapdiag.live.keepalives import Keepalives
from pcapdiag.live.peers import PeerMemory
from pcapdiag.live.timing import FORGET, WAITING_AFTER
from pcapdiag.live.totals import RunningTotals
from pcapdiag.live.watched import OnWatch, Watched
from pcapdiag.live.wheel import Wheel
from tests.live.parts import diagnosis
from tests.messages import SECOND, Wire

LATER = 100 * SECOND


class Court:
    """A judge with what it needs, and one exchange before it."""

    def __init__(self, *numbers: int) -> None:
        self.tracker, self.wheel, self.totals = Tracker(), Wheel(), RunningTotals()
        self.on_watch = OnWatch(self.tracker)
        self.judge = Judge(
            self.on_watch,
            Eviction(self.on_watch, self.tracker, self.wheel, self.totals),
            self.wheel,
            self.totals,
            Keepalives(self.tracker.keepalives),
            PeerMemory(10),
            Beside(),
        )
        self.wire = Wire()
        self.hear(*numbers)

    def hear(self, *numbers: int) -> None:
        """These messages of Main Mode, now."""
        for item in self.wire.main_mode(0, *numbers):
            number = self.tracker.feed(item)
            assert number is not None
            found = self.on_watch.find(number)
            if found is None:
                found = self.on_watch.begin(number, item, item.time)
            else:
                self.on_watch.heard(found, item.source)
            found.messages += 1
            found.last, found.built, found.stirred = item.time, None, True

    @property
    def one(self) -> Watched:
        (found,) = self.on_watch
        return found


def test_nothing_is_said_while_an_answer_may_come_but_what_it_waits_for_once() -> None:
    court = Court(1, 2, 3)
    assert court.judge.settle(court.one.talk, court.one.last) == []
    assert court.wheel.next() == -(-(court.one.last + WAITING_AFTER) // SECOND) * SECOND
    (waiting,) = court.judge.settle(court.one.talk, 3 * SECOND)
    assert isinstance(waiting, Waiting)
    assert waiting.missing == "MM4"
    assert court.judge.settle(court.one.talk, 4 * SECOND) == []


def test_the_same_is_said_once() -> None:
    court = Court(1, 2, 3)
    (verdict,) = court.judge.settle(court.one.talk, LATER)
    assert isinstance(verdict, Verdict)
    assert verdict.diagnosis.stop.outcome is Outcome.STALLED
    assert (verdict.before, verdict.last) == (None, False)
    assert court.judge.settle(court.one.talk, LATER + SECOND) == []
    assert court.judge.last_word(court.one.talk, LATER + SECOND) == []
    assert court.totals.totals([], 0).peers == {(" ".join(court.one.talk), "stalled"): 1}


def test_what_changes_is_said_again_and_what_completed_is_unfinished_no_longer() -> None:
    court = Court(1, 2, 3)
    court.judge.settle(court.one.talk, LATER)
    assert court.on_watch.talks[court.one.talk].unfinished
    court.hear(4, 5, 6)
    (verdict,) = court.judge.settle(court.one.talk, LATER + 60 * SECOND)
    assert isinstance(verdict, Verdict)
    assert (verdict.before, verdict.diagnosis.completed) == (Outcome.STALLED, True)
    assert not court.on_watch.talks[court.one.talk].unfinished


def test_what_is_over_is_put_aside() -> None:
    court = Court(1, 2, 3)
    talk = court.one.talk
    court.judge.settle(talk, LATER)
    court.judge.settle(talk, LATER + FORGET)
    assert len(court.on_watch) == 0
    assert court.totals.totals([], 0).released == 1


def test_the_last_word_is_said_although_nothing_is_certain() -> None:
    court = Court(1, 2, 3)
    (verdict,) = court.judge.last_word(court.one.talk, SECOND)
    assert isinstance(verdict, Verdict)
    assert verdict.last
    assert verdict.diagnosis.stop.outcome is Outcome.INCONCLUSIVE


def test_a_diagnosis_is_there_at_any_time() -> None:
    court = Court(1)
    found = court.judge.diagnosis(court.one, SECOND)
    assert found is not None
    assert found.exchange.id == court.one.id
    assert court.one.told is None


@pytest.mark.parametrize(
    ("phase2", "expected"),
    [
        ((), None),
        ((Outcome.STALLED, Outcome.REJECTED), Outcome.STALLED),
        ((Outcome.STALLED, Outcome.COMPLETED), Outcome.COMPLETED),
    ],
)
def test_phase_2_is_completed_if_any_is(phase2: tuple[Outcome, ...], expected: Outcome | None) -> None:
    assert ending_of(diagnosis(1).stop, phase2).phase2 is expected


def test_the_cause_that_leads_is_part_of_what_is_said() -> None:
    found = diagnosis(1)
    said = said_of(found, False)
    assert said.cause == (found.causes[0].cause.id, found.causes[0].status)
    assert said != said_of(found, True)
    assert said_of(diagnosis(1, 2, 3, 4, 5, 6), False).cause is None
