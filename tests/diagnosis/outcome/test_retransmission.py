"""When a sender sends again, and when it has given up."""

import pytest

from pcapdiag.diagnosis.outcome.conversations import find_stop
from pcapdiag.diagnosis.outcome.retransmission import FIRST_DUE, LAST_REPLY, SCHEDULES, outlook, pending, settles_at
from pcapdiag.diagnosis.outcome.stop import SILENCE, Setting
from pcapdiag.exchange.model import Exchange
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.units import SECOND
from tests.messages import Wire, informational, main_mode


def sent(*gaps: float) -> list[int]:
    times = [0.0]
    for gap in gaps:
        times.append(times[-1] + gap)
    return [round(t * SECOND) for t in times]


def test_a_message_that_was_sent_once_is_waited_for_as_long_as_any_silence() -> None:
    ahead = outlook([7 * SECOND])
    assert (ahead.sent, ahead.due, ahead.final) == (1, None, False)
    assert ahead.over_at == 7 * SECOND + SILENCE


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.name)
def test_known_schedules_are_followed_to_their_end(schedule: object) -> None:
    gaps = schedule.gaps  # type: ignore[attr-defined]
    for number in range(1, len(gaps)):
        ahead = outlook(sent(*gaps[:number]))
        last = sent(*gaps[:number])[-1]
        assert ahead.due is not None
        assert ahead.due - last >= round(gaps[number] * SECOND), "it is not called over before the next try"
        assert ahead.over_at > ahead.due
        assert not ahead.final
    whole = outlook(sent(*gaps))
    if schedule.ends and sum(s.begins_with(gaps) for s in SCHEDULES) == 1:  # type: ignore[attr-defined]
        assert whole.final
        assert whole.over_at == whole.last + LAST_REPLY


def test_strongswan_is_told_by_its_second_gap() -> None:
    ahead = outlook(sent(4.001, 7.2))
    assert ahead.schedule is not None
    assert "strongSwan" in ahead.schedule
    assert ahead.due == ahead.last + round(12.96 * SECOND)


def test_a_watch_that_began_in_the_middle_finds_its_place_in_the_schedule() -> None:
    """The first of strongSwan's transmissions was not seen."""
    one = outlook(sent(7.2))
    assert one.schedule is None, "a single gap names nobody: it could be an ASA's"
    assert one.over_at > one.last + 13 * SECOND
    two = outlook(sent(7.2, 12.96))
    assert two.schedule is not None
    assert "strongSwan" in two.schedule
    assert two.due == two.last + round(23.3 * SECOND)
    assert outlook(sent(7.2, 12.96, 23.3, 42.0)).final


def test_an_unknown_schedule_may_grow_as_it_did() -> None:
    ahead = outlook(sent(3.0, 9.0))
    assert ahead.schedule is None
    assert ahead.due is None
    assert ahead.over_at >= ahead.last + 27 * SECOND
    steady = outlook(sent(5.0, 5.0))
    assert ahead.last + 5 * SECOND < steady.over_at <= steady.last + 13 * SECOND


def test_a_sender_that_never_stops_is_not_waited_for_for_ever() -> None:
    ahead = outlook(sent(*[15.0] * 40))
    assert ahead.over_at == ahead.last + LAST_REPLY


def exchange_of(wire: Wire, *items: object) -> Exchange:
    tracker = Tracker()
    for item in items:
        tracker.feed(item)  # type: ignore[arg-type]
    (found,) = tracker.exchanges()
    return found


def test_a_responder_that_repeats_is_waited_for_as_well() -> None:
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4, 5)
    items += [wire.datagram(at, main_mode(4), left=False) for at in (0.5, 1.5, 3.5)]
    found = pending(exchange_of(wire, *items))
    assert found is not None
    assert (found.step.name, found.repeated.name) == ("MM5", "MM4")
    assert found.outlook.sent == 4


def test_phase_1_that_was_not_seen_waits_for_nothing() -> None:
    wire = Wire()
    assert pending(exchange_of(wire, wire.datagram(0, informational(1)))) is None


def test_an_encrypted_refusal_settles_with_the_next_transmission_or_its_absence() -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5), wire.datagram(0.1, informational(9, octets=64), left=False)]
    exchange = exchange_of(wire, *items)
    stop = find_stop(exchange, Setting(SECOND, [exchange]))
    assert settles_at(exchange, stop) == exchange.numbered(5)[0].last.time + FIRST_DUE
    again = exchange_of(wire, *items, wire.datagram(4.1, main_mode(5)))
    assert settles_at(again, find_stop(again, Setting(5 * SECOND, [again]))) == 0
