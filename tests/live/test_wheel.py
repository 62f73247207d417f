"""The timer wheel: every number once, in time, and never one that was dropped."""

from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.live.wheel import Wheel
from pcapdiag.units import SECOND


def test_numbers_come_back_when_their_second_is_over() -> None:
    wheel = Wheel()
    wheel.set(1, 5 * SECOND)
    wheel.set(2, 5 * SECOND + 1)
    assert wheel.due(5 * SECOND - 1) == []
    assert wheel.due(5 * SECOND) == [1]
    assert wheel.due(6 * SECOND) == [2]
    assert len(wheel) == 0
    assert wheel.next() is None


def test_a_new_time_takes_the_place_of_the_old_one() -> None:
    wheel = Wheel()
    wheel.set(1, 5 * SECOND)
    wheel.set(1, 9 * SECOND)
    assert wheel.next() == 9 * SECOND
    assert wheel.due(8 * SECOND) == []
    assert wheel.due(9 * SECOND) == [1]


def test_what_is_set_for_a_time_that_is_over_comes_back_in_the_next_second() -> None:
    wheel = Wheel()
    assert wheel.due(100 * SECOND) == []
    wheel.set(1, 3 * SECOND)
    assert wheel.due(100 * SECOND) == []
    assert wheel.due(101 * SECOND) == [1]


def test_times_that_no_calendar_has_pass_as_well() -> None:
    wheel = Wheel()
    wheel.set(1, 5 * SECOND)
    wheel.set(2, (1 << 65) * SECOND)
    assert wheel.due((1 << 64) * SECOND) == [1]
    assert wheel.due((1 << 65) * SECOND) == [2]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 60), st.booleans()), max_size=80))
def test_every_number_comes_back_once_at_its_last_time(steps: list[tuple[int, int, bool]]) -> None:
    wheel = Wheel()
    expected: dict[int, int] = {}
    for number, time, keep in steps:
        if keep:
            wheel.set(number, time * SECOND)
            expected[number] = max(time, 1)
        else:
            wheel.drop(number)
            expected.pop(number, None)
    assert len(wheel) == len(expected)
    came: list[tuple[int, int]] = []
    for now in range(70):
        came += [(number, now) for number in wheel.due(now * SECOND)]
    assert dict(came) == expected
    assert len(came) == len(expected)
