"""What leaves the watch, and in which order."""

import pytest

from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.exchange.model import Exchange
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.live.eviction import MAX_OPENINGS, MAX_TOGETHER, Eviction
from pcapdiag.live.totals import RunningTotals
from pcapdiag.live.watched import OnWatch, Watched
from pcapdiag.live.wheel import Wheel
from tests.live.parts import said
from tests.messages import SECOND, ZERO, Wire, main_mode


class Parts:
    """A watch that only takes in and lets go of."""

    def __init__(self) -> None:
        self.tracker, self.wheel, self.totals = Tracker(), Wheel(), RunningTotals()
        self.on_watch = OnWatch(self.tracker)
        self.eviction = Eviction(self.on_watch, self.tracker, self.wheel, self.totals)
        self._wire = Wire()

    def begin(self, source: str = "192.0.2.1") -> Watched:
        """A first message under new cookies."""
        cookie = (len(self.tracker._by_cookie) + 1).to_bytes(8, "big")
        item = self._wire.datagram(0, main_mode(1, (cookie, ZERO)), source=source)
        number = self.tracker.feed(item)
        assert number is not None
        found = self.on_watch.begin(number, item, 0)
        found.messages = 1
        self.wheel.set(number, 5 * SECOND)
        self.eviction.make_room(found)
        return found

    def counted(self) -> tuple[int, int, int]:
        found = self.totals.totals([], 0)
        return found.evicted_openings, found.evicted_exchanges, found.released


@pytest.fixture
def parts() -> Parts:
    return Parts()


def test_openings_push_out_the_oldest_opening_and_nothing_that_goes_on(parts: Parts) -> None:
    tunnel = parts.begin("10.9.9.9")
    parts.on_watch.heard(tunnel, tunnel.source)
    openings = [parts.begin(f"10.0.{n // 250}.{n % 250}") for n in range(MAX_OPENINGS + 2)]
    assert parts.counted() == (2, 0, 0)
    assert list(parts.on_watch.openings) == [w.id for w in openings[2:]]
    assert parts.on_watch.find(tunnel.id) is tunnel
    assert len(parts.wheel) == MAX_OPENINGS + 1


def test_of_too_many_between_two_peers_one_that_was_told_is_put_aside_first(parts: Parts) -> None:
    found = [parts.begin() for _ in range(MAX_TOGETHER)]
    found[5].told, found[5].outcome = said(Outcome.STALLED), Outcome.STALLED
    parts.begin()
    assert parts.counted() == (0, 0, 1)
    assert parts.on_watch.find(found[5].id) is None
    assert parts.tracker.exchange(found[5].id) is None, "the tracker forgets it as well"


def test_else_the_oldest_opening_gives_way_and_else_the_oldest(parts: Parts) -> None:
    found = [parts.begin() for _ in range(MAX_TOGETHER)]
    parts.on_watch.heard(found[0], found[0].source)
    parts.begin()
    assert parts.counted() == (1, 0, 0)
    assert parts.on_watch.find(found[1].id) is None
    for w in list(parts.on_watch.openings.values()):
        parts.on_watch.heard(w, w.source)
    parts.begin()
    assert parts.counted() == (1, 1, 0)
    assert parts.on_watch.find(found[0].id) is None


def test_those_that_completed_do_not_count_as_too_many(parts: Parts) -> None:
    for _ in range(2 * MAX_TOGETHER):
        w = parts.begin()
        del parts.on_watch.talks[w.talk].unfinished[w.id]
    assert parts.counted() == (0, 0, 0)
    assert len(parts.on_watch) == 2 * MAX_TOGETHER


def test_what_the_tracker_needs_the_room_of_is_folded_with_what_was_said(parts: Parts) -> None:
    w = parts.begin()
    exchange = parts.tracker.exchange(w.id)
    assert isinstance(exchange, Exchange)
    w.told, w.outcome = said(Outcome.REJECTED), Outcome.REJECTED
    assert parts.eviction.folded(exchange, 60 * SECOND) == "rejected"
    assert len(parts.on_watch) == len(parts.wheel) == 0
    assert parts.eviction.folded(exchange, 60 * SECOND) == "stalled", "of what is not on watch, as it is"
