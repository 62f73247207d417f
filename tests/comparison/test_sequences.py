from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.comparison import sequences
from pcapdiag.comparison.sequences import Sequences

numbers = st.sets(st.one_of(st.integers(1, 300), st.integers(8_000, 8_400), st.integers(0, 2**32 - 1)), max_size=60)


def of(*values: int) -> sequences.Numbers:
    found = Sequences()
    for value in (1, *values):
        found.add(b"ends", b"spi1", value)
    return found.sas[b"ends", b"spi1"]


def test_what_is_missing_between_the_ends_is_counted() -> None:
    sent, came = of(*range(1, 101)), of(*(n for n in range(1, 101) if n % 10))
    assert sent.without(came, 1, 99) == 9
    assert came.without(sent, 1, 100) == 0
    assert sent.count(10, 19) == 10


def test_a_number_that_comes_twice_is_one() -> None:
    found = of(5, 5, 6)
    assert (found.packets, found.repeated, found.count(2, 6)) == (4, 1, 2)


@given(numbers, numbers, st.integers(0, 10_000), st.integers(0, 10_000))
def test_as_sets_do(mine: set[int], theirs: set[int], one: int, other: int) -> None:
    first, last = min(one, other), max(one, other)
    a, b = of(*mine), of(*theirs)
    assert a.count(first, last) == len({n for n in mine | {1} if first <= n <= last})
    assert a.without(b, first, last) == len({n for n in (mine | {1}) - (theirs | {1}) if first <= n <= last})
    assert (a.first, a.last) == (min(mine | {1}), max(mine | {1}))


def test_it_is_bounded() -> None:
    found = Sequences()
    for number in range(sequences.MAX_SAS + 5):
        found.add(b"", number.to_bytes(4, "big"), 1)
    assert len(found.sas) == sequences.MAX_SAS
    assert found.overflow == 5
