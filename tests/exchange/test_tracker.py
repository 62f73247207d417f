"""How messages become exchanges: cookies, peers, NAT, fragments, copies, floods."""

import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pcapdiag.capture.datagram import Captured, Datagram, FragmentLoss, Frame, IcmpError
from pcapdiag.exchange import tracker
from pcapdiag.exchange.model import Exchange, Mode, Side
from pcapdiag.exchange.tracker import KEPT_STEPS, MAX_OPENINGS_TOLD, MAX_SIGHTINGS, MAX_STEPS, Tracker
from tests.messages import (
    COOKIE_I,
    COOKIE_R,
    LEFT,
    RIGHT,
    SECOND,
    ZERO,
    Wire,
    informational,
    main_mode,
    message,
    notify,
    quick_mode,
    sa,
)

OTHER = b"\x33" * 8


def track(*items: Captured) -> list[Exchange]:
    tracker = Tracker()
    for item in items:
        tracker.feed(item)
    return list(tracker.exchanges())


def names(exchange: Exchange) -> list[str]:
    return [s.name for s in exchange.steps]


def test_a_whole_exchange() -> None:
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4, 5, 6)
    items += [wire.datagram(1 + n / 10, quick_mode(n), left=n % 2 == 1) for n in (1, 2, 3)]
    (exchange,) = track(*items, wire.datagram(2, informational(9), left=False))
    assert names(exchange) == ["MM1", "MM2", "MM3", "MM4", "MM5", "MM6", "QM1", "QM2", "QM3", "Informational"]
    assert exchange.mode is Mode.MAIN
    assert (exchange.initiator_spi, exchange.responder_spi) == (COOKIE_I, COOKIE_R)
    assert exchange.roles_certain
    assert exchange.last_message == 6


def test_one_cookie_meets_two_responders() -> None:
    wire = Wire()
    first, second = track(
        wire.datagram(0, main_mode(1)),
        wire.datagram(1, main_mode(1), destination="203.0.113.9"),
        wire.datagram(2, main_mode(2, (COOKIE_I, OTHER)), source="203.0.113.9", destination=LEFT),
        wire.datagram(3, main_mode(2), left=False),
    )
    assert (first.responder.address, first.responder_spi) == (RIGHT, COOKIE_R)
    assert (second.responder.address, second.responder_spi) == ("203.0.113.9", OTHER)


def test_the_float_changes_ports_and_adds_a_marker() -> None:
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4)
    (exchange,) = track(*items, wire.datagram(1, bytes(4) + main_mode(5), ports=(4500, 4500)))
    assert names(exchange)[-1] == "MM5"
    assert exchange.steps[-1].first.source_port == 4500


def test_cookie_that_begins_with_four_zero_octets_is_no_marker() -> None:
    wire = Wire()
    cookie = b"\x00\x00\x00\x00abcd"
    (exchange,) = track(wire.datagram(0, main_mode(1, (cookie, ZERO))))
    assert exchange.initiator_spi == cookie


def test_address_change_is_followed_by_the_cookies() -> None:
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4)
    moved = wire.datagram(1, main_mode(5), source="203.0.113.77")
    answer = wire.datagram(1.1, main_mode(6), left=False, destination="203.0.113.77")
    (exchange,) = track(*items, moved, answer)
    assert exchange.numbered(5)[0].sender is Side.INITIATOR
    assert exchange.initiator.aliases == ("203.0.113.77",)
    assert exchange.strays == ()


def test_what_comes_from_neither_end_and_is_not_answered_is_a_stray() -> None:
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4)
    forged = [
        wire.datagram(1, quick_mode(1), source="203.0.113.77"),
        wire.datagram(2, quick_mode(2), source="203.0.113.78", destination=LEFT),
    ]
    (exchange,) = track(*items, *forged)
    assert names(exchange) == ["MM1", "MM2", "MM3", "MM4"]
    assert [s.first.source for s in exchange.strays] == ["203.0.113.77", "203.0.113.78"]
    assert exchange.initiator.aliases == exchange.responder.aliases == ()


def test_who_writes_to_both_ends_does_not_make_them_one() -> None:
    wire = Wire()
    third = "203.0.113.77"
    strays = [
        wire.datagram(0.5, informational(7), source=third, destination=LEFT),
        wire.datagram(0.6, informational(8), source=third),
        wire.datagram(0.7, main_mode(2), source=third),
        wire.datagram(0.8, main_mode(2)),
    ]
    floated = wire.datagram(1, bytes(4) + main_mode(5), ports=(4500, 4500))
    (exchange,) = track(*wire.main_mode(0, 1, 2, 3, 4), *strays, floated)
    assert names(exchange) == ["MM1", "MM2", "MM3", "MM4", "MM5"]
    assert exchange.numbered(5)[0].sender is Side.INITIATOR
    assert [s.name for s in exchange.strays] == ["Informational", "Informational", "MM2"]


def test_a_message_once_more_from_elsewhere_is_no_retransmission() -> None:
    wire = Wire()
    again = wire.datagram(9, main_mode(5), source="203.0.113.77")
    (exchange,) = track(*wire.main_mode(0, 1, 2, 3, 4, 5, 6), again)
    assert len(exchange.numbered(5)[0].sent) == 1
    assert [s.name for s in exchange.strays] == ["MM5"]
    assert exchange.initiator.aliases == ()


def test_who_answers_behind_the_initiator_going_on_is_not_the_one_it_went_on_with() -> None:
    wire = Wire()
    items = [wire.datagram(0, main_mode(1)), wire.datagram(0.1, main_mode(3))]
    (exchange,) = track(*items, wire.datagram(0.2, main_mode(4), source="203.0.113.77", destination=LEFT))
    assert names(exchange) == ["MM1", "MM3"]
    assert exchange.responder.aliases == ()


def test_a_stray_answer_does_not_keep_out_the_one_from_another_address() -> None:
    wire = Wire()
    (exchange,) = track(
        wire.datagram(0, main_mode(1)),
        wire.datagram(0.5, message(2, [sa()], cookies=(COOKIE_I, OTHER)), source="203.0.113.77", destination=LEFT),
        wire.datagram(1, main_mode(2), source="203.0.113.9", destination=LEFT),
        wire.datagram(1.1, main_mode(3)),
    )
    assert exchange.responder.aliases == ("203.0.113.9",)
    assert names(exchange) == ["MM1", "MM2", "MM3"]


def test_responder_that_answers_from_another_address() -> None:
    wire = Wire()
    (exchange,) = track(
        wire.datagram(0, main_mode(1)),
        wire.datagram(1, main_mode(2), source="203.0.113.9", destination=LEFT),
        wire.datagram(1.1, main_mode(3)),
    )
    assert exchange.responder.address == RIGHT
    assert exchange.responder.aliases == ("203.0.113.9",)


def test_what_has_another_cookie_than_the_responder_gave_is_a_stray() -> None:
    wire = Wire()
    strays = [
        wire.datagram(1, message(2, cookies=(COOKIE_I, OTHER), sealed=bytes(48)), left=False),
        wire.datagram(2, message(32, cookies=(COOKIE_I, OTHER), message_id=7, sealed=bytes(48)), left=False),
        wire.datagram(3, message(2, cookies=(COOKIE_I, ZERO), sealed=bytes(48))),
    ]
    (exchange,) = track(*wire.main_mode(0, 1, 2, 3, 4), *strays)
    assert names(exchange) == ["MM1", "MM2", "MM3", "MM4"]
    assert len(exchange.strays) == 3
    (exchange,) = track(*wire.main_mode(0, 1, 3), *strays)  # message 2 lost: the initiator says which cookie it had
    assert (exchange.responder_spi, len(exchange.strays)) == (COOKIE_R, 3)


def test_what_is_encrypted_begins_no_exchange_of_the_other_end() -> None:
    wire = Wire()
    stray = wire.datagram(0.5, message(2, cookies=(COOKIE_I, ZERO), sealed=bytes(48)), left=False)
    (exchange,) = track(*wire.main_mode(0, 1), stray, *wire.main_mode(1, 2, 3))
    assert names(exchange) == ["MM1", "MM2", "MM3"]


def test_both_ends_begin_under_one_cookie_and_each_is_answered() -> None:
    wire = Wire()
    other = wire.datagram(0.5, main_mode(1), left=False)
    first, second = track(wire.datagram(0, main_mode(1)), other, *wire.main_mode(1, 2, 3))
    assert (names(first), first.initiator.address) == (["MM1", "MM2", "MM3"], LEFT)
    assert (names(second), second.initiator.address) == (["MM1"], RIGHT)


def test_octets_of_one_end_from_elsewhere_do_not_make_the_other_end_it() -> None:
    wire = Wire()
    third = "203.0.113.77"
    items = [
        *wire.main_mode(0, 1, 2),
        wire.datagram(0.1, informational(7), source=third, destination=LEFT),
        *wire.main_mode(0.2, 3),
        wire.datagram(0.21, main_mode(3), source=third),
        *wire.main_mode(0.3, 4, 5, 6),
    ]
    (exchange,) = track(*items)
    assert names(exchange) == ["MM1", "MM2", "MM3", "MM4", "MM5", "MM6"]


def test_strays_alone_are_an_exchange_as_well() -> None:
    (exchange,) = track(Wire().datagram(0, message(37, version=0x20, sealed=bytes(48), cookies=(COOKIE_I, ZERO))))
    assert len(exchange.steps) == 1


def test_a_message_of_the_other_mode_has_no_place_in_the_exchange() -> None:
    wire = Wire()
    sealed = message(4, sealed=bytes(48))
    (exchange,) = track(*wire.main_mode(0, 1, 2, 3), wire.datagram(1, sealed))
    assert exchange.steps[-1].number is None
    assert exchange.last_message == 3


def test_responder_that_began_anew_with_another_cookie() -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2), wire.datagram(30, main_mode(2, (COOKIE_I, OTHER)), left=False)]
    (exchange,) = track(*items)
    assert (exchange.responder_spi, exchange.other_responder_spis) == (COOKIE_R, (OTHER,))
    (exchange,) = track(*items, wire.datagram(31, main_mode(3, (COOKIE_I, OTHER))))
    assert (exchange.responder_spi, exchange.other_responder_spis) == (OTHER, (COOKIE_R,))


def test_both_sides_of_a_nat_are_one_exchange() -> None:
    wire = Wire()
    inside = wire.datagram(0, main_mode(1))
    outside = replace(inside, frame=Frame(0, 2), time=20_000, source="203.0.113.1", source_port=31000, ttl=63)
    answer = replace(wire.datagram(0.1, main_mode(2), left=False, ports=(500, 31000)), destination="203.0.113.1")
    answer_inside = replace(answer, time=answer.time + 9000, destination=LEFT, destination_port=500, ttl=62)
    (exchange,) = track(inside, outside, answer, answer_inside)
    assert names(exchange) == ["MM1", "MM2"]
    assert [len(s.duplicates) for s in exchange.steps] == [1, 1]
    assert exchange.initiator.aliases == ("203.0.113.1",)


def test_retransmission_and_capture_duplicate() -> None:
    wire = Wire()
    first = wire.datagram(0, main_mode(1))
    copy = replace(first, frame=Frame(0, 2), time=40_000, ttl=63)
    again = replace(first, frame=Frame(0, 3), time=8 * SECOND, ip_id=77)
    quickly = replace(first, frame=Frame(0, 4), time=8 * SECOND + 400_000, ip_id=78)
    (exchange,) = track(first, copy, again, quickly)
    (step,) = exchange.steps
    assert [s.frame.number for s in step.sent] == [1, 3, 4]
    assert [s.frame.number for s in step.duplicates] == [2]


def test_ipv6_has_only_the_time_to_tell_a_duplicate() -> None:
    wire = Wire()
    first = wire.datagram(0, main_mode(1), ip_id=None)
    (exchange,) = track(first, replace(first, time=500_000), replace(first, time=SECOND))
    assert (len(exchange.steps[0].sent), len(exchange.steps[0].duplicates)) == (2, 1)


def test_both_ends_begin_at_once() -> None:
    wire = Wire()
    one, two = track(
        wire.datagram(0, main_mode(1)),
        wire.datagram(0.01, main_mode(1, (OTHER, ZERO)), left=False),
        wire.datagram(0.02, main_mode(2, (OTHER, COOKIE_R))),
    )
    assert (one.initiator.address, two.initiator.address) == (LEFT, RIGHT)
    assert names(two) == ["MM1", "MM2"]


def test_roles_are_inferred_when_the_beginning_is_missing() -> None:
    wire = Wire()
    items = wire.main_mode(0, 4, 5, 6)
    (exchange,) = track(*items)
    assert not exchange.roles_certain
    assert exchange.initiator.address == LEFT
    assert names(exchange) == ["MM4", "MM5", "MM6"]


def test_message_2_alone_tells_who_is_who() -> None:
    (exchange,) = track(Wire().datagram(0, main_mode(2), left=False))
    assert exchange.roles_certain
    assert (exchange.initiator.address, exchange.responder.address) == (LEFT, RIGHT)


def test_quick_modes_are_told_apart_by_message_id() -> None:
    wire = Wire()
    (exchange,) = track(
        *wire.main_mode(0, 1, 2),
        wire.datagram(1, quick_mode(1, 1)),
        wire.datagram(2, quick_mode(1, 2), left=False),
        wire.datagram(3, quick_mode(2, 1), left=False),
        wire.datagram(4, quick_mode(2, 2)),
    )
    assert [(s.name, s.message.header.message_id) for s in exchange.steps[2:]] == [
        ("QM1", 1),
        ("QM1", 2),
        ("QM2", 1),
        ("QM2", 2),
    ]


# --- fragments -------------------------------------------------------------------------------------------------


def _piece(number: int, data: bytes, *, last: bool, identifier: int = 1) -> bytes:
    return message(2, [(132, struct.pack("!HBB", identifier, number, last) + data)])


def test_ike_fragments_make_one_message_whatever_their_order() -> None:
    whole = main_mode(5)
    wire = Wire()
    one, two = _piece(1, whole[:40], last=False), _piece(2, whole[40:], last=True)
    for order in ((one, two), (two, one)):
        (exchange,) = track(
            *wire.main_mode(0, 1, 2, 3, 4), *[wire.datagram(1 + n / 1000, o) for n, o in enumerate(order)]
        )
        step = exchange.steps[-1]
        assert (step.name, step.whole, len(step.frames)) == ("MM5", True, 2)
        assert step.message.ciphertext == bytes([5] * 48)


def test_missing_ike_fragment_is_named_and_the_message_still_counts() -> None:
    whole = main_mode(5)
    wire = Wire()
    first = [wire.datagram(t, _piece(1, whole[:40], last=False)) for t in (1, 5, 12)]
    (exchange,) = track(*wire.main_mode(0, 1, 2, 3, 4), *first)
    step = exchange.steps[-1]
    assert (step.name, step.missing, len(step.sent)) == ("MM5", (2,), 3)
    (exchange,) = track(*wire.main_mode(0, 1, 2, 3, 4), wire.datagram(1, _piece(2, whole[40:], last=True)))
    assert (exchange.steps[-1].name, exchange.steps[-1].missing) == ("MM5", (1,))


def test_ip_fragments_that_never_became_whole_still_show_their_message() -> None:
    wire = Wire()
    loss = FragmentLoss((Frame(0, 5),), SECOND, SECOND, LEFT, RIGHT, 500, 500, main_mode(5)[:40], 64, 9, ((48, None),))
    (exchange,) = track(*wire.main_mode(0, 1, 2, 3, 4), loss)
    assert (exchange.steps[-1].name, exchange.steps[-1].whole) == ("MM5", False)


# --- ICMP, keep-alives, what is not IKE ------------------------------------------------------------------------


def _error(quoted: Datagram, octets: int) -> IcmpError:
    quoted = replace(quoted, payload=quoted.payload[:octets])
    return IcmpError(Frame(0, 99), quoted.time + 1, RIGHT, LEFT, 4, 3, 3, None, quoted)


def test_icmp_error_goes_to_the_exchange_that_it_quotes() -> None:
    wire = Wire()
    first, second = wire.datagram(0, main_mode(1)), wire.datagram(1, main_mode(1, (OTHER, ZERO)))
    one, two = track(first, second, _error(first, 28))
    assert (len(one.icmp_errors), len(two.icmp_errors)) == (1, 0)
    # Quoted without the cookies, it belongs to the latest exchange of these two.
    one, two = track(first, second, _error(second, 0))
    assert (len(one.icmp_errors), len(two.icmp_errors)) == (0, 1)


def test_icmp_error_about_nothing_in_the_capture_is_counted() -> None:
    tracker = Tracker()
    tracker.feed(_error(Wire().datagram(0, main_mode(1)), 28))
    assert tracker.counts.icmp_unmatched == 1
    assert list(tracker.exchanges()) == []


def test_keepalives_and_garbage_are_counted() -> None:
    wire = Wire()
    tracker = Tracker()
    for time in (0, 20):
        tracker.feed(wire.datagram(time, b"\xff", ports=(4500, 4500)))
    tracker.feed(wire.datagram(30, b"not IKE at all"))
    (flow,) = tracker.keepalives.values()
    assert (flow.packets, flow.last_time - flow.first_time) == (2, 20 * SECOND)
    assert (tracker.counts.messages, tracker.counts.not_ike) == (0, 1)


# --- bounds ----------------------------------------------------------------------------------------------------


def _cookie(n: int) -> bytes:
    return struct.pack("!Q", n + 1)


def test_flood_of_cookies_folds_what_was_quiet_longest() -> None:
    wire = Wire()
    tracker = Tracker(max_exchanges=10)
    for n in range(25):
        tracker.feed(wire.datagram(n, main_mode(1, (_cookie(n), ZERO))))
    kept = list(tracker.exchanges())
    assert [e.initiator_spi for e in kept] == [_cookie(n) for n in range(15, 25)]
    (folded,) = tracker.folded()
    assert (folded.initiator, folded.responder, folded.mode, folded.last_message) == (LEFT, RIGHT, Mode.MAIN, "MM1")
    assert (folded.exchanges, folded.messages, folded.outcome) == (15, 15, None)
    assert (folded.first_time, folded.last_time) == (0, 14 * SECOND)
    # An answer to what was folded stands alone, and takes no opening's place.
    tracker.feed(wire.datagram(30, main_mode(2, (_cookie(0), OTHER)), left=False))
    assert [names(e) for e in tracker.exchanges()] == [["MM1"]] * 10 + [["MM2"]]


def test_a_flood_does_not_push_out_the_tunnel_within_it() -> None:
    wire = Wire()
    tracker = Tracker(max_exchanges=10)
    for item in wire.main_mode(0, 1, 2, 3, 4, 5, 6):
        tracker.feed(item)
    for n in range(200):
        tracker.feed(wire.datagram(10 + n, main_mode(1, (_cookie(n), ZERO)), source=f"203.0.113.{n}"))
    tracker.feed(wire.datagram(300, quick_mode(1)))
    kept = list(tracker.exchanges())
    assert names(kept[0]) == ["MM1", "MM2", "MM3", "MM4", "MM5", "MM6", "QM1"]
    assert len(kept) == 11
    assert sum(f.exchanges for f in tracker.folded()) == 190


def test_an_answer_that_comes_while_a_flood_goes_on_finds_its_exchange() -> None:
    wire = Wire()
    tracker = Tracker(max_exchanges=500)
    first, second, *rest = wire.main_mode(0, 1, 2, 3, 4, 5, 6)
    tracker.feed(first)
    for n in range(400):
        tracker.feed(wire.datagram(0.01, main_mode(1, (_cookie(n), ZERO)), source=f"203.0.113.{n % 250}"))
    for item in (second, *rest):
        tracker.feed(item)
    assert names(next(tracker.exchanges())) == ["MM1", "MM2", "MM3", "MM4", "MM5", "MM6"]


def test_openings_beyond_what_is_told_are_folded_evenly() -> None:
    """A peer that is down for a week must not hide that another one was tried twice."""
    wire = Wire()
    tracker = Tracker(max_openings_told=150)
    for n in range(2):
        tracker.feed(wire.datagram(n, main_mode(1, (_cookie(5000 + n), ZERO)), destination="203.0.113.7"))
    for n in range(400):
        tracker.feed(wire.datagram(10 + n, main_mode(1, (_cookie(n), ZERO))))
    kept = list(tracker.exchanges())
    assert [e.responder.address for e in kept].count("203.0.113.7") == 2
    assert len(kept) == 150
    assert [(f.responder, f.exchanges) for f in tracker.folded()] == [(RIGHT, 252)]
    assert max(e.first_time for e in kept) == 409 * SECOND


def test_half_open_exchanges_are_folded_by_how_far_they_went() -> None:
    wire = Wire()
    tracker = Tracker(max_exchanges=1)
    for n in range(3):
        tracker.feed(wire.datagram(n, main_mode(1, (_cookie(n), ZERO))))
        tracker.feed(wire.datagram(n + 0.1, main_mode(2, (_cookie(n), OTHER)), left=False))
    (folded,) = tracker.folded()
    assert (folded.initiator, folded.last_message, folded.exchanges, folded.messages) == (LEFT, "MM2", 2, 4)


def test_exchanges_that_went_on_are_judged_before_they_are_folded() -> None:
    wire = Wire()
    judged: list[tuple[int, int]] = []

    def judge(exchange: Exchange, now: int) -> str:
        judged.append((exchange.id, now))
        return "completed"

    tracker = Tracker(max_exchanges=1, judge=judge)
    for n in (0, 100):
        for item in wire.main_mode(n, 1, 2, 3, 4, 5, 6, cookies=(_cookie(n), OTHER)):
            tracker.feed(item)
    (folded,) = tracker.folded()
    assert (folded.last_message, folded.outcome, folded.messages) == ("MM6", "completed", 6)
    assert [number for number, _ in judged] == [1]
    assert [e.id for e in tracker.exchanges()] == [2]


def test_feed_tells_which_exchange_was_touched() -> None:
    wire = Wire()
    tracker = Tracker()
    one = wire.datagram(0, main_mode(1))
    other = wire.datagram(1, main_mode(1, (OTHER, ZERO)))
    assert [tracker.feed(i) for i in (one, other, _error(one, 28), _error(other, 28))] == [1, 2, 1, 2]
    assert tracker.feed(wire.datagram(2, b"\xff", ports=(4500, 4500))) is None
    assert tracker.feed(wire.datagram(2, b"short")) is None
    exchange = tracker.exchange(2)
    assert exchange is not None
    assert exchange.initiator_spi == OTHER
    assert len(exchange.icmp_errors) == 1
    assert tracker.exchange(3) is None


def test_one_message_a_thousand_times_is_counted_beyond_the_limit() -> None:
    wire = Wire()
    (exchange,) = track(*[wire.datagram(n, main_mode(1)) for n in range(1000)])
    (step,) = exchange.steps
    assert len(step.sent) == MAX_SIGHTINGS
    assert step.uncounted == 1000 - MAX_SIGHTINGS


def test_of_more_messages_than_are_kept_those_in_the_middle_are_counted() -> None:
    """What comes last tells how it goes: a week of DPD and then a peer that is gone."""
    wire = Wire()

    def dpd(n: int) -> Datagram:
        return wire.datagram(n, message(5, message_id=n, sealed=struct.pack("!I", n) * 8))

    items = [dpd(n) for n in range(MAX_STEPS)]
    (full,) = track(*items)
    assert (len(full.steps), full.uncounted) == (MAX_STEPS, 0)
    items += [dpd(n) for n in range(MAX_STEPS, 3 * MAX_STEPS)]
    (exchange,) = track(*items)
    assert len(exchange.steps) + exchange.uncounted == len(items)
    assert 2 * KEPT_STEPS < len(exchange.steps) <= MAX_STEPS
    frames = [item.frame for item in items]
    assert [s.first.frame for s in exchange.steps[:KEPT_STEPS]] == frames[:KEPT_STEPS]
    assert [s.first.frame for s in exchange.steps[-KEPT_STEPS:]] == frames[-KEPT_STEPS:]


def test_a_flood_under_one_message_id_is_counted_and_does_not_take_long() -> None:
    """Messages with one message ID go or stay together, so that there is no middle: it is not looked for each time."""
    wire, found = Wire(), Tracker()
    looked = 0

    def thin(number: int, kept: int, real: Callable[[int, int], int] = found.thin) -> int:
        nonlocal looked
        looked += 1
        return real(number, kept)

    found.thin = thin  # type: ignore[method-assign]
    for n in range(MAX_STEPS + 2_000):
        found.feed(wire.datagram(n, message(5, message_id=7, sealed=struct.pack("!I", n) * 8)))
    (exchange,) = found.exchanges()
    assert (len(exchange.steps), exchange.uncounted) == (MAX_STEPS, 2_000)
    assert looked <= 2_000 // KEPT_STEPS + 1


def test_the_last_of_many_transmissions_is_kept() -> None:
    wire = Wire()
    (exchange,) = track(*[wire.datagram(n, main_mode(1)) for n in range(1000)])
    assert exchange.steps[0].last.time == wire.datagram(999, main_mode(1)).time


def test_a_message_of_an_exchange_without_room_keeps_its_first_transmission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "MAX_EXCHANGE_OCTETS", 2_000)
    wire = Wire()
    large = message(5, message_id=1, sealed=bytes(4_000))
    (exchange,) = track(*wire.main_mode(0, 1, 2), wire.datagram(1, large), wire.datagram(5, large))
    (step,) = (s for s in exchange.steps if s.exchange_type == 5)
    assert (step.first.time, len(step.sent), step.uncounted) == (1 * SECOND, 1, 1)


def test_an_exchange_keeps_so_many_octets_and_counts_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "MAX_EXCHANGE_OCTETS", 10_000)
    wire = Wire()
    large = [wire.datagram(n, informational(n, n, 4_000)) for n in range(1, 8)]
    (found,) = track(*wire.main_mode(0, 1, 2, 3), *large)
    assert sum(len(step.message.octets) for step in found.steps) < 14_000
    assert len(found.steps) + found.uncounted == 10


def test_large_messages_fold_what_was_quiet_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "MAX_OCTETS", 100_000)
    wire, found = Wire(), Tracker()
    for n in range(1, 51):
        cookies = (bytes([n] * 8), bytes([n + 100] * 8))
        for item in wire.main_mode(n, 1, 2, 3, cookies=cookies):
            found.feed(item)
        found.feed(wire.datagram(n + 0.5, message(5, cookies=cookies, message_id=n, sealed=bytes([n] * 4_000))))
        found.feed(wire.datagram(n, message(2, [sa(), (13, bytes(3_000))], cookies=(bytes([n + 60] * 8), ZERO))))
    kept = list(found.exchanges())
    went_on = [e for e in kept if len(e.steps) > 1]
    assert 10 <= len(went_on) <= 25
    assert went_on[-1].initiator_spi == bytes([50] * 8)
    assert len(kept) + sum(f.exchanges for f in found.folded()) == 100
    assert found._engaged_octets == sum(len(s.message.octets) + 256 + 96 for e in went_on for s in e.steps)
    for e in kept:
        found.release(e.id)
    assert (found._opening_octets, found._engaged_octets) == (0, 0)


def _dpd_of_many(wires: int, rounds: int) -> list[Datagram]:
    """So many exchanges that came up, each with so many rounds of DPD, all at the same time."""
    items = []
    for n in range(1, wires + 1):
        wire, cookies = Wire(), (bytes([n] * 8), bytes([n + 100] * 8))
        items += wire.main_mode(n / 100, 1, 2, 3, 4, 5, 6, cookies=cookies)
        for k in range(1, rounds + 1):
            for left in (True, False):
                sealed = struct.pack("!HB", k, left) * 20
                dpd = message(5, cookies=cookies, message_id=2 * k + left, sealed=sealed)
                items.append(wire.datagram(30 * k + n / 100 + (not left) / 1000, dpd, left=left))
    return sorted(items, key=lambda item: item.time)


def test_dpd_all_day_pushes_no_exchange_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for all their messages, long exchanges lose their middle before any is folded."""
    monkeypatch.setattr(tracker, "MAX_OCTETS", 1_000_000)
    found = Tracker()
    items = _dpd_of_many(20, 200)
    for item in items:
        found.feed(item)
        assert found.octets < 1_010_000
    kept = list(found.exchanges())
    assert (len(kept), found.folded()) == (20, ())
    assert {e.last_message for e in kept} == {6}
    assert max(e.last_time for e in kept) == items[-1].time
    assert all(e.last_time > items[-1].time - 30 * SECOND for e in kept)
    assert sum(len(e.steps) + e.uncounted for e in kept) == len(items)


def test_what_comes_for_a_folded_exchange_begins_no_other_one() -> None:
    """Its phase 1 was seen: it must not be told as one of which it was not."""
    found = Tracker(4)
    items = _dpd_of_many(9, 3)
    for item in items:
        found.feed(item)
    assert len(list(found.exchanges())) <= 4
    assert sum(f.exchanges for f in found.folded()) + len(list(found.exchanges())) == 9
    assert not [f for f in found.folded() if f.mode is not Mode.MAIN]
    told = sum(len(e.steps) for e in found.exchanges()) + sum(f.messages for f in found.folded())
    assert found.counts.after_folding > 0
    assert told + found.counts.after_folding == len(items) == found.counts.messages


def test_octets_of_openings_are_counted_as_they_come_and_go() -> None:
    wire, found = Wire(), Tracker(4, 2)
    for n in range(1, 30):
        cookies = (bytes([n] * 8), bytes([n + 100] * 8))
        found.feed(wire.datagram(n, main_mode(1, cookies)))
        if n % 2:
            found.feed(wire.datagram(n, main_mode(2, cookies), left=False))
        if n % 3 == 0:
            found.feed(wire.datagram(n, main_mode(1, cookies), source="192.0.2.77"))
    for number in range(1, 40):
        found.release(number)
    assert (found._opening_octets, found._engaged_octets) == (0, 0)


def test_an_exchange_from_ever_new_addresses_does_not_fill_the_tables() -> None:
    wire, found = Wire(), Tracker()
    for item in wire.main_mode(0, 1, 2, 3):
        found.feed(item)
    for n in range(1_000):
        found.feed(wire.datagram(1, informational(1, n), source=f"10.0.{n >> 8}.{n & 255}"))
    assert len(found._by_pair) < 50
    (only,) = found.exchanges()
    assert (len(only.steps), len(only.strays)) == (3, 1_000)


def test_one_cookie_to_thousands_of_addresses_stays_quick_and_apart() -> None:
    wire = Wire()
    exchanges = track(*[wire.datagram(n, main_mode(1), destination=f"203.0.{n // 250}.{n % 250}") for n in range(2000)])
    assert len(exchanges) == MAX_OPENINGS_TOLD


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 7), st.booleans(), st.integers(0, 100)), max_size=30))
def test_any_mixture_of_messages_is_tracked_without_loss(picks: list[tuple[int, bool, int]]) -> None:
    wire = Wire()
    tracker = Tracker()
    for kind, left, time in picks:
        octets = main_mode(kind) if 1 <= kind <= 6 else message(5, [notify(14)]) if kind == 0 else quick_mode(1)
        tracker.feed(wire.datagram(time, octets, left=left))
    seen = sum(len(s.sent) + len(s.duplicates) for e in tracker.exchanges() for s in (*e.steps, *e.strays))
    assert seen == len(picks) == tracker.counts.messages


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=120), max_size=8))
def test_arbitrary_payloads_never_raise(payloads: list[bytes]) -> None:
    wire = Wire()
    tracker = Tracker()
    for n, octets in enumerate(payloads):
        tracker.feed(wire.datagram(n, octets))
        tracker.feed(_error(wire.datagram(n, octets), 28))
    assert tracker.counts.messages + tracker.counts.not_ike == len([p for p in payloads if p != b"\xff"])
    list(tracker.exchanges())


def test_an_exchange_that_is_released_is_folded_with_its_outcome() -> None:
    wire, tracker = Wire(), Tracker()
    for item in wire.main_mode(0, 1, 2, 3):
        tracker.feed(item)
    opening = tracker.feed(wire.datagram(1, main_mode(1, (b"o" * 8, ZERO))))
    assert opening is not None
    assert tracker.release(1, "stalled")
    assert tracker.release(opening)
    assert not tracker.release(1)
    assert list(tracker.exchanges()) == []
    rows = {(f.last_message, f.outcome, f.exchanges) for f in tracker.folded()}
    assert rows == {("MM3", "stalled", 1), ("MM1", None, 1)}
    assert tracker.feed(wire.datagram(2, main_mode(4), left=False)) == opening + 1, "it begins anew"


def test_a_long_exchange_is_thinned_in_the_middle() -> None:
    wire, tracker = Wire(), Tracker()
    for item in wire.main_mode(0, 1, 2, 3, 4, 5, 6):
        tracker.feed(item)
    for number in range(100):
        for n in (1, 2, 3):
            tracker.feed(wire.datagram(1 + number + n / 10, quick_mode(n, number + 1), left=n != 2))
    whole = tracker.exchange(1)
    assert whole is not None
    assert tracker.thin(1, 10) == 300 - 12 - 12
    thinned = tracker.exchange(1)
    assert thinned is not None
    assert thinned.uncounted == 276
    assert [s.name for s in thinned.steps[:6]] == [f"MM{n}" for n in range(1, 7)]
    assert [s.name for s in thinned.steps[6:]] == ["QM1", "QM2", "QM3"] * 8, "a Quick Mode stays whole or goes"
    assert tracker.thin(1, 100) == 0
    assert tracker.thin(99, 10) == 0
    tracker.feed(wire.datagram(200, quick_mode(3, 100)))
    again = tracker.exchange(1)
    assert again is not None
    assert len(again.steps[-1].sent) == 2, "what stayed is still known when it is sent again"


def test_what_did_not_change_is_not_made_anew() -> None:
    """A watch asks for the same exchange with every DPD message, for days."""
    wire, tracker = Wire(), Tracker()
    first, second = main_mode(1), main_mode(2)
    number = tracker.feed(wire.datagram(0, first))
    tracker.feed(wire.datagram(1, second, source=RIGHT, destination=LEFT))
    assert number is not None
    before = tracker.exchange(number)
    tracker.feed(wire.datagram(2, second, source=RIGHT, destination=LEFT))
    after = tracker.exchange(number)
    assert before is not None
    assert after is not None
    assert after.steps[0] is before.steps[0]
    assert [len(step.sent) for step in (before.steps[1], after.steps[1])] == [1, 2]


def cut_to(datagram: Datagram, octets: int) -> Datagram:
    """What a short snaplen leaves of it."""
    return replace(datagram, payload=datagram.payload[:octets], length=len(datagram.payload))


def test_what_a_snaplen_leaves_of_a_header_behind_the_marker_is_enough() -> None:
    """The header is whole on UDP 500, and on 4500 it lacks the length."""
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4)
    items += [wire.datagram(n / 10, bytes(4) + main_mode(n), left=n == 5, ports=(4500, 4500)) for n in (5, 6)]
    items += [wire.datagram(n, bytes(4) + quick_mode(n), left=n != 2, ports=(4500, 4500)) for n in (1, 2)]
    last = message(32, message_id=0x1234, sealed=bytes(32), first=8)
    items.append(wire.datagram(3, bytes(4) + last, ports=(4500, 4500)))
    (exchange,) = track(*(cut_to(d, 28) for d in items))
    assert names(exchange) == ["MM1", "MM2", "MM3", "MM4", "MM5", "MM6", "QM1", "QM2", "QM3"]
    assert [s.message.header.length for s in exchange.steps] == [*(len(main_mode(n)) for n in range(1, 7)), 92, 92, 60]
    assert not track(*(cut_to(d, 27) for d in items))  # nothing tells whose it is
    (keepalive,) = [wire.datagram(9, b"\xff", ports=(4500, 4500))]
    assert len(track(*(cut_to(d, 28) for d in items), keepalive)) == 1


def test_vendor_ids_in_front_of_what_a_snaplen_cut_are_message_1() -> None:
    """Nothing else has no responder's cookie (RFC 2408 §3.1); SA stands behind what is left."""
    wire = Wire()
    first = message(2, [(13, bytes(16)), sa()], cookies=(COOKIE_I, ZERO))
    (exchange,) = track(cut_to(wire.datagram(0, first), 54), wire.datagram(0.1, main_mode(2), left=False))
    assert names(exchange) == ["MM1", "MM2"]
    odd = message(2, [(9, bytes(16)), (9, bytes(60))], cookies=(COOKIE_I, ZERO))
    assert names(track(cut_to(wire.datagram(0, odd), 54))[0]) == ["MM?"]
