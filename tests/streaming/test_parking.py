"""DPD all day: little is held of it, and what is said of its end is what a reading that keeps everything says."""

import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

import pytest
from msgspec.structs import replace

from pcapdiag.capture.datagram import Datagram
from pcapdiag.diagnosis.tunnel import TunnelState
from pcapdiag.diagnosis.verdict import Diagnosis, diagnose
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.ike.nat_traversal import NON_ESP_MARKER
from pcapdiag.streaming import judge as judging
from pcapdiag.streaming import parking
from pcapdiag.streaming.court import Court, Courts, Rules
from pcapdiag.streaming.judge import Judge
from pcapdiag.streaming.parking import MOST_HELD, Parked, may_be_dpd, shows_up
from pcapdiag.streaming.told import Told, changes, verdict_of
from pcapdiag.units import SECOND
from tests.diagnosis.scenarios import ikev2
from tests.messages import LEFT, RIGHT, Wire, informational, main_mode, message, quick_mode

HOURS = 8
EVERY = 20
"""Seconds from one DPD to the next."""


def dpd(wire: Wire, at: float, number: int, cookies: tuple[bytes, bytes], answered: bool = True) -> list[Datagram]:
    """R-U-THERE and its answer, which are as long (RFC 3706 §5.2)."""
    asked, answer = (
        message(5, cookies=cookies, message_id=2 * number + k, sealed=struct.pack("!Q", 2 * number + k) * 8)
        for k in (0, 1)
    )
    found = [wire.datagram(at, asked)]
    return [*found, wire.datagram(at + 0.02, answer, left=False)] if answered else found


def tunnel(number: int, lost_after: float = HOURS, rekeys: Sequence[float] = ()) -> Iterator[Datagram]:
    """One that is up, with DPD until the end; from some hour on, nobody answers. Quick Mode again at some hours."""
    wire, cookies = Wire(), (bytes([number] * 8), bytes([number + 100] * 8))
    yield from wire.main_mode(number, 1, 2, 3, 4, 5, 6, cookies=cookies)
    quick = [(number + 0.5, 1), *((3600 * hour + number + 3, n) for n, hour in enumerate(rekeys, 2))]
    rest = [
        wire.datagram(at + k / 50, quick_mode(k, n, cookies=cookies), left=k != 2) for at, n in quick for k in (1, 2, 3)
    ]
    for n in range(1, HOURS * 3600 // EVERY):
        at = EVERY * n + number / 10
        if at < lost_after * 3600:
            rest += dpd(wire, at, n, cookies)
        elif at < lost_after * 3600 + 5 * EVERY:
            rest += dpd(wire, at, n, cookies, answered=False)
    yield from sorted(rest, key=lambda d: d.time)


@pytest.fixture(scope="module")
def day() -> list[Datagram]:
    """Four tunnels: one that is up, one that renews its IPsec SAs, one that dies, one that dies late."""
    found = [*tunnel(1), *tunnel(2, rekeys=(1.5, 4, 6.5)), *tunnel(3, lost_after=3), *tunnel(4, lost_after=HOURS - 0.1)]
    return sorted(found, key=lambda d: d.time)


def told_of(items: Sequence[Datagram], court: Court | None = None) -> list[Told]:
    judge = Judge(court or Court(Rules(made=lambda told: told)))
    told = [one for item in items for one in judge.feed(item)]
    told += judge.finish(items[-1].time + SECOND)
    assert judge.tracker.counts.messages == len(items)
    judge.close()
    return told


def all_at_once(items: Sequence[Datagram]) -> dict[bytes, Diagnosis]:
    tracker = Tracker()
    for item in items:
        tracker.feed(item)
    found = diagnose(list(tracker.exchanges()), items[-1].time + SECOND)
    return {d.exchange.initiator_spi: d for d in found}


def test_the_end_of_a_day_of_dpd_is_what_a_reading_of_all_says(day: list[Datagram]) -> None:
    told = told_of(day)
    last = {one.diagnosis.exchange.initiator_spi: one for one in told}
    whole = all_at_once(day)
    assert last.keys() == whole.keys()
    for spi, diagnosis in whole.items():
        assert changes(verdict_of(last[spi].diagnosis), verdict_of(diagnosis)) == ()
    states = [last[bytes([n] * 8)].diagnosis.tunnel.state for n in (1, 2, 3, 4)]
    assert states == [TunnelState.UP, TunnelState.UP, TunnelState.LOST, TunnelState.LOST]


def test_each_is_told_a_few_times_and_its_messages_are_counted(day: list[Datagram]) -> None:
    told = told_of(day)
    assert len(told) <= 2 * 4 + 2 * 3  # and twice for each Quick Mode
    steps = {one.diagnosis.exchange.initiator_spi: one.diagnosis.exchange for one in told}
    assert sum(len(e.steps) + e.uncounted for e in steps.values()) == len(day)
    assert all(len(e.steps) < 200 for e in steps.values())


def test_a_peer_that_is_gone_is_told_within_the_day(day: list[Datagram]) -> None:
    judge = Judge(Court(Rules(made=lambda told: told)))
    before = [one for item in day for one in judge.feed(item)]
    judge.close()
    lost = [one for one in before if one.diagnosis.tunnel.state is TunnelState.LOST]
    assert [one.diagnosis.exchange.initiator_spi for one in lost] == [bytes([3] * 8)]
    assert "tunnel" in lost[0].corrects


def words(told: Told) -> str:
    d = told.diagnosis
    return f"{d.exchange.id} {told.revision} {d.exchange.uncounted} {len(d.exchange.steps)} {told.since} {d.evidence}"


def test_other_processes_say_the_same(day: list[Datagram]) -> None:
    here = told_of(day, Court(Rules(made=words)))
    with ProcessPoolExecutor(2) as executor:
        assert told_of(day, Courts(Rules(made=words), executor)) == here


def test_of_too_many_those_quiet_longest_are_judged_again(day: list[Datagram], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "MAX_PARKED", 2)
    last = {one.diagnosis.exchange.initiator_spi: one for one in told_of(day)}
    for spi, diagnosis in all_at_once(day).items():
        assert changes(verdict_of(last[spi].diagnosis), verdict_of(diagnosis)) == ()


def test_what_comes_between_other_addresses_is_looked_at() -> None:
    """DPD under its cookies that another host sends is a stray of the exchange, not a part of it."""
    items = sorted(tunnel(1), key=lambda d: d.time)
    own = items[-1]
    octets = message(5, cookies=(bytes([1] * 8), bytes([101] * 8)), sealed=b"x" * 56)
    strange = Wire().datagram(own.time / SECOND + 30, octets)
    stray = replace(strange, source="203.0.113.66")
    told = told_of([*items, stray])
    kinds = {item.kind for item in told[-1].diagnosis.evidence}
    assert kinds == {item.kind for item in all_at_once([*items, stray])[bytes([1] * 8)].evidence}


def test_what_is_held_begins_with_a_request_of_ikev2() -> None:
    wire, parked = Wire(), Parked((LEFT, RIGHT), 0)
    parked.add(wire.datagram(0, ikev2(37, request=False, number=1, inner=0), left=False))
    for n in range(2, 40):
        parked.add(wire.datagram(n, ikev2(37, request=True, number=n, inner=0)))
        parked.add(wire.datagram(n + 0.1, ikev2(37, request=False, number=n, inner=0), left=False))
        held = parked.datagrams()
        assert len(held) + parked.uncounted == 2 * (n - 1) + 1
        assert len(held) <= MOST_HELD
        if parked.uncounted:
            assert not held[0].payload[19] & parking.RESPONSE_V2
    assert held[-1].time == parked.last


def test_what_may_be_dpd() -> None:
    for octets in (informational(1), ikev2(37, request=True, number=2, inner=0)):
        assert may_be_dpd(octets)
        assert may_be_dpd(NON_ESP_MARKER + octets)
        assert not may_be_dpd(octets[:27])
        assert not may_be_dpd(octets[:8] + bytes(8) + octets[16:])
    clear = informational(1)
    assert not may_be_dpd(clear[:19] + b"\0" + clear[20:])
    for octets in (quick_mode(1), main_mode(1), ikev2(36, request=True, number=2, inner=0), b"\xff"):
        assert not may_be_dpd(octets)


def test_what_shows_an_sa_that_is_up() -> None:
    wire = Wire()
    assert shows_up(wire.datagram(0, quick_mode(1))) == 1
    assert shows_up(wire.datagram(0, ikev2(36, request=True, number=2, inner=0))) == 2
    assert shows_up(wire.datagram(0, ikev2(35, request=False, number=1, inner=0), left=False)) == 2
    for octets in (ikev2(35, request=True, number=1, inner=0), main_mode(5), informational(1), b"\xff"):
        assert shows_up(wire.datagram(0, octets)) == 0
