"""What is on watch, and in which table it stands."""

import pytest

from pcapdiag.capture.datagram import Datagram, IcmpError
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.live.watched import THIN_ABOVE, OnWatch, Watched
from tests.messages import LEFT, RIGHT, SECOND, Wire, main_mode, message


@pytest.fixture
def tracker() -> Tracker:
    return Tracker()


@pytest.fixture
def on_watch(tracker: Tracker) -> OnWatch:
    return OnWatch(tracker)


def begun(on_watch: OnWatch, number: int = 1, source: str = LEFT, destination: str = RIGHT) -> Watched:
    item = Wire().datagram(0, main_mode(1), source=source, destination=destination)
    return on_watch.begin(number, item, item.time)


def test_an_exchange_begins_as_an_opening_of_its_two_peers(on_watch: OnWatch) -> None:
    found = begun(on_watch, 7)
    assert on_watch.find(7) is found
    assert list(on_watch) == list(on_watch.openings.values()) == on_watch.between(found.talk) == [found]
    assert found.talk == tuple(sorted((LEFT, RIGHT)))
    assert not on_watch.goes_on(found.talk)


def test_an_icmp_error_is_of_the_peers_that_it_quotes(on_watch: OnWatch) -> None:
    quoted: Datagram = Wire().datagram(0, main_mode(1))
    error = IcmpError(quoted.frame, quoted.time, "192.0.2.99", LEFT, 4, 3, 3, None, quoted)
    assert on_watch.begin(1, error, error.time).source == quoted.source


def test_an_answer_leaves_it_an_opening_and_what_its_beginner_says_next_does_not(on_watch: OnWatch) -> None:
    found = begun(on_watch)
    found.messages = 1
    on_watch.heard(found, RIGHT)
    assert found.id in on_watch.openings
    on_watch.heard(found, LEFT)
    assert (list(on_watch.openings), list(on_watch.going)) == ([], [found.id])
    assert on_watch.goes_on(found.talk)


def test_a_third_message_is_no_opening_whoever_sends_it(on_watch: OnWatch) -> None:
    found = begun(on_watch)
    found.messages = 2
    on_watch.heard(found, RIGHT)
    assert found.id in on_watch.going


def test_what_was_heard_of_longest_ago_stands_first(on_watch: OnWatch) -> None:
    first, second = begun(on_watch, 1), begun(on_watch, 2)
    on_watch.heard(first, RIGHT)
    assert list(on_watch.openings) == [2, 1]
    for w in (first, second):
        on_watch.heard(w, LEFT)
    on_watch.heard(first, RIGHT)
    assert list(on_watch.going) == [2, 1]


def test_nothing_is_left_of_what_was_dropped(on_watch: OnWatch) -> None:
    first, second = begun(on_watch, 1), begun(on_watch, 2)
    on_watch.drop(first)
    assert on_watch.between(second.talk) == [second]
    on_watch.drop(second)
    on_watch.drop(second)
    assert len(on_watch) == 0
    assert on_watch.talks == {}


def test_an_exchange_is_built_once_for_each_message(on_watch: OnWatch, tracker: Tracker) -> None:
    item = Wire().datagram(0, main_mode(1))
    number = tracker.feed(item)
    assert number is not None
    found = on_watch.begin(number, item, 0)
    exchange = on_watch.exchange(found)
    assert exchange is not None
    assert on_watch.exchange(found) is exchange
    assert found.decoded


def test_a_long_exchange_is_thinned_out(on_watch: OnWatch, tracker: Tracker) -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6)]
    items += [wire.datagram(1 + n, message(5, message_id=n + 1, sealed=bytes((n,)) * 64, first=8)) for n in range(120)]
    (number,) = {tracker.feed(item) for item in items}
    assert number is not None
    exchange = on_watch.exchange(on_watch.begin(number, items[0], 130 * SECOND))
    assert exchange is not None
    assert len(exchange.steps) <= THIN_ABOVE
    assert len(exchange.steps) + exchange.uncounted == len(items)


def test_what_the_tracker_folded_is_no_more(on_watch: OnWatch) -> None:
    assert on_watch.exchange(begun(on_watch, 99)) is None
