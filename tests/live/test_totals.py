"""Counts that add up, on watch or not."""

from msgspec.structs import replace

from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.live.events import Evicted
from pcapdiag.live.totals import MAX_PEERS, REPORT_LOSSES, RunningTotals
from tests.live.parts import diagnosis, watched


def test_what_left_the_watch_stays_in_the_outcomes() -> None:
    totals = RunningTotals()
    totals.released(watched(1, Outcome.STALLED))
    totals.released(watched(2))
    totals.evicted(watched(3, Outcome.STALLED), opening=False)
    totals.evicted(watched(4), opening=True)
    found = totals.totals([watched(5, Outcome.COMPLETED), watched(6)], unlisted=9)
    assert found.outcomes == {"stalled": 2, "open": 2, "completed": 1}
    assert (found.released, found.evicted_exchanges, found.evicted_openings) == (2, 1, 1)
    assert (found.watched, found.unlisted) == (2, 9)


def test_states_are_those_of_what_was_told() -> None:
    found = RunningTotals().totals([watched(1, Outcome.STALLED), watched(2, Outcome.STALLED), watched(3)], 0)
    assert found.states == {("initiator", "MM_WAIT_MSG2"): 2}


def test_verdicts_are_counted_by_peers_of_which_so_many_are_named() -> None:
    totals, one = RunningTotals(), diagnosis(1)
    for number in range(MAX_PEERS + 3):
        initiator = replace(one.exchange.initiator, address=f"10.0.{number // 250}.{number % 250}")
        totals.verdict(replace(one, exchange=replace(one.exchange, initiator=initiator)))
    found = totals.totals([], 0).peers
    assert len(found) == MAX_PEERS + 1
    assert found["other", "stalled"] == 3


def test_losses_are_told_as_a_difference_and_not_too_often() -> None:
    totals = RunningTotals()
    assert totals.losses(REPORT_LOSSES) == []
    totals.evicted(watched(1), opening=True)
    assert totals.losses(REPORT_LOSSES) == [Evicted(REPORT_LOSSES, 1, 0)]
    totals.evicted(watched(2), opening=True)
    totals.evicted(watched(3), opening=False)
    assert totals.losses(2 * REPORT_LOSSES - 1) == []
    assert totals.losses(2 * REPORT_LOSSES) == [Evicted(2 * REPORT_LOSSES, 1, 1)]
    assert totals.losses(3 * REPORT_LOSSES) == []


def test_at_the_end_they_are_told_at_once() -> None:
    totals = RunningTotals()
    for number, now in enumerate((5 * REPORT_LOSSES, 5 * REPORT_LOSSES + 1)):
        totals.evicted(watched(number), opening=True)
        assert totals.losses(now, last=True) == [Evicted(now, 1, 0)]


def test_one_that_left_and_was_not_well_is_remembered() -> None:
    totals = RunningTotals()
    totals.released(watched(1, Outcome.COMPLETED, well=True))
    assert totals.all_well([watched(2, well=True)])
    assert not totals.all_well([watched(2, well=True), watched(3)])
    totals.evicted(watched(4), opening=True)
    assert not totals.all_well([watched(2, well=True)])
