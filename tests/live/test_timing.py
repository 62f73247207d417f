"""When it is time: for a verdict, for another look, and to put an exchange aside."""

import pytest

from pcapdiag.diagnosis.outcome.retransmission import pending
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.live.timing import (
    FORGET,
    FORGET_COMPLETED,
    PHASE2_GRACE,
    REVIEW,
    is_due,
    is_over,
    known_from,
    matters,
    next_look,
    phase2_until,
)
from tests.live.parts import diagnosis, said, watched
from tests.messages import SECOND


def test_a_refusal_and_a_completion_are_certain_at_once() -> None:
    found = diagnosis(1, 2, 3, 4, 5, 6)
    assert found.stop.outcome is Outcome.COMPLETED
    assert known_from(found.exchange, found.stop, [found.exchange], SECOND) == 0


@pytest.mark.parametrize("end", [1, 60])
def test_silence_is_certain_when_its_senders_schedule_is_over(end: float) -> None:
    found = diagnosis(1, 2, 3, end=end)
    waits = pending(found.exchange)
    assert waits is not None
    assert known_from(found.exchange, found.stop, [found.exchange], SECOND) == waits.over_at


@pytest.mark.parametrize(
    ("before", "phase2", "now", "waits"),
    [
        (None, Outcome.INCONCLUSIVE, 0, True),
        (None, Outcome.INCONCLUSIVE, PHASE2_GRACE, False),
        (None, Outcome.COMPLETED, 0, False),
        (None, None, 0, False),
        (Outcome.STALLED, Outcome.INCONCLUSIVE, 0, True),
        (Outcome.COMPLETED, Outcome.INCONCLUSIVE, 0, False),
    ],
)
def test_a_completion_waits_for_quick_mode(
    before: Outcome | None, phase2: Outcome | None, now: int, waits: bool
) -> None:
    ending = said(Outcome.COMPLETED, phase2).ending
    assert phase2_until(watched(outcome=before), ending, now) == (PHASE2_GRACE if waits else 0)


def test_nothing_else_waits_for_quick_mode() -> None:
    assert phase2_until(watched(), said(Outcome.STALLED, Outcome.INCONCLUSIVE).ending, 0) == 0


def test_it_is_due_when_its_causes_settle() -> None:
    w = watched(outcome=Outcome.REJECTED, settles_at=7 * SECOND, stirred=False)
    assert not is_due(w, 7 * SECOND - 1)
    assert is_due(w, 7 * SECOND)
    assert next_look(w, SECOND) == 7 * SECOND


def test_what_stirred_is_due_after_a_pause_that_is_longer_where_it_completed() -> None:
    failed = watched(outcome=Outcome.STALLED, judged=10 * SECOND, last=10 * SECOND)
    well = watched(outcome=Outcome.COMPLETED, judged=10 * SECOND, last=10 * SECOND, completed=True)
    assert [is_due(failed, at * SECOND) for at in (10, 11)] == [False, True]
    assert [is_due(well, at * SECOND) for at in (11, 30, 31)] == [False, False, True]
    assert next_look(well, 11 * SECOND) == 10 * SECOND + REVIEW
    well.stirred = False
    assert not is_due(well, 1000 * SECOND)


def test_what_is_quiet_is_put_aside_and_looked_at_then() -> None:
    for completed, patience in ((False, FORGET), (True, FORGET_COMPLETED)):
        w = watched(outcome=Outcome.STALLED, completed=completed, stirred=False, last=SECOND)
        assert next_look(w, SECOND) == SECOND + patience
        assert [is_over(w, SECOND + patience - 1), is_over(w, SECOND + patience)] == [False, True]
    assert not is_over(watched(), 10 * FORGET_COMPLETED), "nothing was said of it yet"


def test_an_old_one_of_which_all_was_said_matters_to_itself_alone() -> None:
    old = watched(outcome=Outcome.COMPLETED, completed=True, stirred=False, last=FORGET)
    assert matters(old, FORGET)
    assert not matters(old, FORGET + 1)
    assert matters(old, FORGET + FORGET_COMPLETED), "to be put aside"
    for w in (watched(stirred=False), watched(outcome=Outcome.STALLED, stirred=True)):
        assert matters(w, 2 * FORGET)
