"""Keep-alives are found by their ends, and forgotten in time."""

import pytest

from pcapdiag.capture.datagram import Datagram
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.live import keepalives
from pcapdiag.live.keepalives import KEEPALIVES_STALE, Keepalives
from tests.messages import LEFT, RIGHT, SECOND, Wire, main_mode


class Kept:
    def __init__(self) -> None:
        self.tracker = Tracker()
        self.keepalives = Keepalives(self.tracker.keepalives)
        self._wire = Wire()

    def beat(self, at: float, source: str = LEFT, port: int = 4500) -> Datagram:
        item = self._wire.datagram(at, b"\xff", source=source, destination=RIGHT, ports=(port, 4500))
        self.tracker.feed(item)
        self.keepalives.note(item)
        return item


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_those_of_an_exchange_are_those_between_its_ends(kept: Kept) -> None:
    number = kept.tracker.feed(Wire().datagram(0, main_mode(1)))
    exchange = kept.tracker.exchange(number) if number is not None else None
    assert exchange is not None
    assert kept.keepalives.of([exchange]) == []
    for port, source in ((4500, LEFT), (61000, LEFT), (4500, "203.0.113.9")):
        kept.beat(1, source, port)
    assert {(f.source, f.source_port) for f in kept.keepalives.of([exchange])} == {(LEFT, 4500), (LEFT, 61000)}


def test_a_pair_is_forgotten_an_hour_after_its_last(kept: Kept) -> None:
    kept.beat(0, port=1024)
    kept.beat(0, "203.0.113.9")
    kept.beat(1000, port=1025)
    kept.keepalives.sweep(KEEPALIVES_STALE + SECOND)
    assert {f.source for f in kept.tracker.keepalives.values()} == {LEFT}
    kept.keepalives.sweep(KEEPALIVES_STALE + 2000 * SECOND)
    assert len(kept.keepalives) == 1, "it is looked at once an hour"
    kept.keepalives.sweep(3 * KEEPALIVES_STALE)
    assert len(kept.keepalives) == 0
    assert kept.tracker.keepalives == {}


def test_pairs_are_bounded_and_the_one_that_was_quiet_longest_goes(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepalives, "MAX_KEEPALIVE_PAIRS", 2)
    for at, source in enumerate(("10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.3")):
        kept.beat(at, source)
    assert {f.source for f in kept.tracker.keepalives.values()} == {"10.0.0.1", "10.0.0.3"}


def test_what_the_tracker_does_not_keep_is_not_kept_here() -> None:
    kept = Keepalives({})
    kept.note(Wire().datagram(0, b"\xff", ports=(4500, 4500)))
    assert len(kept) == 0
