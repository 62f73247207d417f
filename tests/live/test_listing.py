"""Which messages are told one by one."""

import pytest

from pcapdiag.exchange.tracker import Tracker
from pcapdiag.live.events import Unlisted
from pcapdiag.live.listing import MAX_LISTED, Listing, seen
from tests.messages import LEFT, RIGHT, SECOND, Wire, main_mode


@pytest.fixture
def listing() -> Listing:
    return Listing()


def test_so_many_a_second_are_told(listing: Listing) -> None:
    allowed = [listing.allows(5 * SECOND + n) for n in range(MAX_LISTED + 3)]
    assert (allowed.count(True), allowed[-3:]) == (MAX_LISTED, [False] * 3)
    assert listing.allows(6 * SECOND)
    assert listing.total == 3


def test_the_others_are_told_as_a_number_when_their_second_is_over(listing: Listing) -> None:
    for n in range(MAX_LISTED + 3):
        listing.allows(5 * SECOND + n)
    assert listing.unlisted(6 * SECOND - 1) == []
    assert listing.unlisted(6 * SECOND) == [Unlisted(6 * SECOND, 3)]
    assert listing.unlisted(7 * SECOND) == []
    assert listing.total == 3


def test_at_the_end_they_are_told_at_once(listing: Listing) -> None:
    for n in range(MAX_LISTED + 3):
        listing.allows(5 * SECOND + n)
    assert listing.unlisted(5 * SECOND + 1, last=True) == [Unlisted(5 * SECOND + 1, 3)]


def test_a_message_is_told_with_its_name_and_a_repetition_as_one() -> None:
    wire, tracker = Wire(), Tracker()
    items = [wire.datagram(0, main_mode(1)), wire.datagram(8, main_mode(1))]
    told = []
    for item in items:
        number = tracker.feed(item)
        exchange = tracker.exchange(number) if number is not None else None
        assert exchange is not None
        told.append(seen(exchange, item, item.time))
    assert [(t.step.name, t.times, t.duplicate) for t in told if t] == [("MM1", 1, False), ("MM1", 2, False)]
    assert told[0] is not None
    assert (told[0].source, told[0].destination) == (LEFT, RIGHT)


def test_a_frame_that_completed_nothing_is_not_told() -> None:
    wire, tracker = Wire(), Tracker()
    number = tracker.feed(wire.datagram(0, main_mode(1)))
    exchange = tracker.exchange(number) if number is not None else None
    assert exchange is not None
    assert seen(exchange, wire.datagram(1, main_mode(3)), SECOND) is None
