import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapdiag.comparison.clocks import MAX_DRIFT, NOISE, Clock, Pair, fit

SECOND = 1_000_000_000
START = 1_795_424_518 * SECOND


def pairs(offset: int, drift: float, delay: int, moments: list[float], both: bool = True) -> list[Pair]:
    found = []
    for number, moment in enumerate(moments):
        here = START + round(moment * SECOND)
        ahead = offset + round(drift * moment * SECOND)
        if both and number % 2:
            found.append(Pair(here + delay, here + ahead, False))
        else:
            found.append(Pair(here, here + delay + ahead, True))
    return found


def fitted(found: list[Pair]) -> Clock:
    clock = fit(found)
    assert clock is not None
    return clock


def test_no_packet_tells_nothing() -> None:
    assert fit([]) is None


def test_two_directions_bound_the_offset() -> None:
    clock = fitted([Pair(START, START + 5_030, True), Pair(START + 10_030, START + 15_000, False)])
    assert (clock.offset, clock.forward, clock.backward, clock.one_way) == (5_000, 1, 1, False)
    assert clock.uncertainty is not None
    assert 30 <= clock.uncertainty < 100
    assert clock.drift == 0


def test_one_direction_cannot_tell_delay_from_offset() -> None:
    clock = fitted(pairs(5_000, 0.0, 300, [0, 1, 2], both=False))
    assert (clock.offset, clock.uncertainty, clock.one_way) == (5_300, None, True)


@pytest.mark.parametrize("drift", [80e-6, -80e-6, 300e-6])
@pytest.mark.parametrize("both", [True, False])
def test_a_drift_shows(drift: float, both: bool) -> None:
    moments = [0, 0.01, 4, 4.01, 11, 11.02, 24, 24.01, 48, 48.01]
    clock = fitted(pairs(3_723 * SECOND, drift, 40_000, moments, both))
    assert clock.drift == pytest.approx(drift * 1e6, abs=5)
    assert clock.offset == pytest.approx(3_723 * SECOND, abs=100_000)
    assert clock.jumps == ()


def test_a_jump_is_found_and_times_are_told_on_both_sides_of_it() -> None:
    before = pairs(1_000_000, 0.0, 50_000, [0, 1, 2, 3, 4, 5])
    after = pairs(-2 * SECOND, 0.0, 50_000, [10, 11, 12, 13])
    clock = fitted([*before, *after])
    assert len(clock.segments) == 2
    (jump,) = clock.jumps
    assert jump.change == pytest.approx(-2 * SECOND, abs=2_000_000)
    assert before[-1].here == jump.before
    assert jump.after == after[0].here
    for pair in (*before, *after):
        assert clock.to_there(pair.here) == pytest.approx(pair.there, abs=200_000)
        assert clock.to_here(pair.there) == pytest.approx(pair.here, abs=200_000)


def test_a_jump_shows_in_one_direction_too() -> None:
    clock = fitted(
        [*pairs(0, 0.0, 50_000, [0, 1, 2], both=False), *pairs(3600 * SECOND, 0.0, 50_000, [5, 6], both=False)]
    )
    assert [j.change for j in clock.jumps] == [3600 * SECOND]


def test_one_packet_that_contradicts_all_others_is_passed_over() -> None:
    found = pairs(7_000, 0.0, 40_000, [0, 1, 2, 3, 4, 5, 6, 7])
    wrong = Pair(START + 3 * SECOND + 5, START + 3 * SECOND - 400_000_000, True)
    clock = fitted([*found, wrong])
    assert clock.jumps == ()
    assert clock.offset == pytest.approx(7_000, abs=40_000)
    assert clock.pairs == 8


delays = st.integers(1_000, 50_000_000)


@settings(max_examples=60, deadline=None)
@given(
    offset=st.integers(-(10**15), 10**15),
    drift=st.floats(-0.5 * MAX_DRIFT, 0.5 * MAX_DRIFT),
    rows=st.lists(st.tuples(st.floats(0, 3_600), delays, st.booleans()), min_size=2, max_size=40),
)
def test_the_truth_lies_within_what_is_told(offset: int, drift: float, rows: list[tuple[float, int, bool]]) -> None:
    found = []
    for moment, delay, forward in rows:
        here = START + round(moment * SECOND)
        if forward:
            arrival = here + delay
            found.append(Pair(here, arrival + offset + round(drift * (arrival - START)), True))
        else:
            found.append(Pair(here + delay, here + offset + round(drift * (here - START)), False))
    clock = fitted(found)
    assert clock.jumps == ()
    assert clock.pairs == len(rows)
    if clock.one_way:
        assert clock.uncertainty is None
        return
    assert clock.uncertainty is not None
    true = offset + round(drift * (clock.segments[0].first - START))
    assert abs(clock.offset - true) <= clock.uncertainty + 2_000
    assert clock.drift_uncertainty is not None
    assert abs(clock.drift - drift * 1e6) <= clock.drift_uncertainty + 1e-3


@settings(max_examples=60, deadline=None)
@given(
    offset=st.integers(-(10**12), 10**12),
    drift=st.floats(-0.5 * MAX_DRIFT, 0.5 * MAX_DRIFT),
    moment=st.floats(-1_000, 100_000),
)
def test_times_go_there_and_back(offset: int, drift: float, moment: float) -> None:
    clock = fitted(pairs(offset, drift, 10_000, [0, 0.1, 50, 50.1, 100]))
    here = START + round(moment * SECOND)
    assert abs(clock.to_here(clock.to_there(here)) - here) <= 2
    assert NOISE < 0.01
