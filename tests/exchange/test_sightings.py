"""One packet recorded twice, and one message sent again."""

import pytest
from msgspec.structs import replace

from pcapdiag.exchange.sightings import (
    DUPLICATE_WINDOW,
    DUPLICATE_WINDOW_WITH_ID,
    DUPLICATE_WINDOW_WITHOUT_ID,
    is_duplicate,
    sighting_of,
)
from tests.messages import SECOND, Wire, main_mode

BASE = sighting_of(Wire().datagram(10, main_mode(1), ip_id=7))
SHORT, LONG, FAR = DUPLICATE_WINDOW_WITHOUT_ID, DUPLICATE_WINDOW, DUPLICATE_WINDOW_WITH_ID


@pytest.mark.parametrize(
    ("ids", "gap", "same"),
    [
        ((7, 7), 0, True),
        ((7, 7), LONG, True),
        ((7, 7), FAR, True),  # recorded again at the other end of a long way
        ((7, 7), FAR + 1, False),
        ((7, 7), -FAR, True),  # mirrored frames may be out of order
        ((7, 8), 0, False),
        ((7, 8), SHORT, False),
        ((0, 0), LONG, True),
        ((0, 0), LONG + 1, False),
        ((0, 0), SECOND, False),
        ((None, None), 0, True),
        ((None, None), SHORT, True),
        ((None, None), -SHORT, True),
        ((None, None), SHORT + 1, False),
        ((None, 7), SHORT, True),
        ((7, None), SHORT + 1, False),
    ],
)
def test_is_duplicate(ids: tuple[int | None, int | None], gap: int, same: bool) -> None:
    earlier = replace(BASE, ip_id=ids[0])
    assert is_duplicate(replace(BASE, ip_id=ids[1], time=BASE.time + gap), [earlier]) is same


def test_behind_a_nat_it_is_still_the_same_packet() -> None:
    outside = replace(BASE, source="203.0.113.1", source_port=31000, ttl=63, time=BASE.time + 1000)
    assert is_duplicate(outside, [BASE])


def test_any_of_those_known() -> None:
    known = [replace(BASE, time=BASE.time + n * SECOND, ip_id=n) for n in range(5)]
    assert is_duplicate(replace(BASE, time=BASE.time + 3 * SECOND + 1, ip_id=3), known)
    assert not is_duplicate(replace(BASE, time=BASE.time + 3 * SECOND + 1, ip_id=9), known)
    assert not is_duplicate(BASE, [])


def test_sighting_of() -> None:
    wire = Wire()
    plain = wire.datagram(1, main_mode(1))
    assert sighting_of(plain).frames == (plain.frame,)
    assert not sighting_of(plain).marked
    pieces = (plain.frame, plain.frame._replace(number=2))
    found = sighting_of(replace(plain, payload=bytes(4) + main_mode(1), fragments=pieces, transport="tcp"))
    assert (found.frames, found.frame, found.marked, found.transport) == (pieces, pieces[1], True, "tcp")
