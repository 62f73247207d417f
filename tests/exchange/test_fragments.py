"""Messages in pieces: payload 132 of IKEv1 and SKF of IKEv2."""

import struct
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.exchange.fragments import MAX_PIECES, Assembled, FragmentCollector, piece_of
from pcapdiag.exchange.model import Sighting
from pcapdiag.exchange.sightings import sighting_of
from pcapdiag.ike.message import Message, parse
from pcapdiag.ike.registry import PayloadType
from tests.messages import Wire, main_mode, message

WHOLE = main_mode(5)
PARTS = WHOLE[:30], WHOLE[30:50], WHOLE[50:]


def cisco(number: int, data: bytes, *, last: bool, identifier: int = 1) -> Message:
    """A piece in payload 132."""
    return parse(message(2, [(132, struct.pack("!HBB", identifier, number, last) + data)]))


def skf(number: int, total: int, *, message_id: int = 1, inner: int = 35) -> Message:
    """A piece in SKF; only the first says what is inside (RFC 7383 §2.5)."""
    body = struct.pack("!HH", number, total) + bytes([number]) * 40
    sealed = bytes([inner if number == 1 else 0, 0]) + (4 + len(body)).to_bytes(2, "big") + body
    head = message(35, version=0x20, flags=0x08, message_id=message_id, length=28 + len(sealed))
    return parse(head[:16] + bytes([53]) + head[17:] + sealed)


def parts(identifier: int = 1) -> list[Message]:
    return [cisco(n, data, last=n == 3, identifier=identifier) for n, data in enumerate(PARTS, 1)]


class Collected:
    """A collector that is fed messages as they come from a wire."""

    def __init__(self) -> None:
        self.collector = FragmentCollector()
        self.wire = Wire()

    def sighting(self, time: float) -> Sighting:
        return sighting_of(self.wire.datagram(time, WHOLE))

    def add(self, one: Message, time: float = 0, *, by_first: bool = True, again: Sighting | None = None
            ) -> Assembled | None:  # fmt: skip
        piece = piece_of(one)
        assert piece is not None
        return self.collector.add(by_first, one, piece, again or self.sighting(time))

    def incomplete(self) -> list[Assembled]:
        return list(self.collector.incomplete())


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_any_order(order: tuple[int, ...]) -> None:
    collected = Collected()
    found = [collected.add(parts()[n], time) for time, n in enumerate(order)]
    assert found[:2] == [None, None]
    whole = found[2]
    assert whole is not None
    assert (whole.octets, whole.total, whole.missing) == (WHOLE, 3, ())
    assert whole.message.ciphertext == parse(WHOLE).ciphertext
    assert [[f.number for f in s.frames] for s in whole.sightings] == [[1, 2, 3]]
    assert collected.incomplete() == []


def test_message_that_is_no_piece() -> None:
    assert piece_of(parse(WHOLE)) is None
    assert piece_of(parse(main_mode(1))) is None


def test_piece_recorded_twice_and_piece_sent_again() -> None:
    collected = Collected()
    first = collected.sighting(0)
    assert collected.add(parts()[0], again=first) is None
    assert collected.add(parts()[0], again=first) is None
    (held,) = collected.incomplete()
    assert len(held.sightings) == 1
    assert collected.add(parts()[0], 8) is None
    (held,) = collected.incomplete()
    assert [s.time for s in held.sightings] == [0, 8_000_000_000]


def test_what_is_missing() -> None:
    collected = Collected()
    collected.add(parts()[0])
    assert [(a.total, a.missing) for a in collected.incomplete()] == [(None, (2,))]
    collected.add(parts()[2])
    assert [(a.total, a.missing) for a in collected.incomplete()] == [(3, (2,))]


def test_without_the_first_piece_the_message_counts_as_sealed() -> None:
    collected = Collected()
    collected.add(parts()[1])
    (held,) = collected.incomplete()
    assert held.missing == (1, 3)
    assert held.message.header.encrypted
    assert held.message.header.exchange_type == 2


@pytest.mark.parametrize("kept", [36, 40, 50, 64, 70])
def test_pieces_captured_in_part_are_pieces(kept: int) -> None:
    pieces = [cisco(1, WHOLE[:60], last=False), cisco(2, WHOLE[60:], last=True)]
    collected = Collected()
    first, second = (parse(one.octets[:kept]) for one in pieces)
    assert collected.add(first) is None
    whole = collected.add(second, 0.001)
    assert whole is not None
    assert (whole.total, whole.missing) == (2, ())
    assert whole.message.header.encrypted
    assert whole.message.octets in (first.octets, WHOLE[: kept - 36])


def test_skf_captured_in_part_is_a_piece() -> None:
    collected = Collected()
    assert collected.add(parse(skf(1, 2).octets[:50])) is None
    whole = collected.add(parse(skf(2, 2).octets[:50]), 0.001)
    assert whole is not None
    assert whole.message.octets == skf(1, 2).octets[:50]


def test_first_piece_too_short_for_a_header() -> None:
    collected = Collected()
    collected.add(cisco(1, WHOLE[:20], last=False))
    (held,) = collected.incomplete()
    assert held.octets == WHOLE[:20]
    assert held.message.header.exchange_type == 2


def test_messages_are_told_apart_by_identifier_and_by_sender() -> None:
    collected = Collected()
    for n in range(2):
        assert collected.add(parts(1)[n]) is None
        assert collected.add(parts(2)[n]) is None
        assert collected.add(parts(1)[n], by_first=False) is None
    found = [collected.add(parts(i)[2], by_first=side) for i, side in ((1, True), (2, True), (1, False))]
    assert [a and (a.by_first, a.octets) for a in found] == [(True, WHOLE), (True, WHOLE), (False, WHOLE)]


def test_whole_message_once_more() -> None:
    collected = Collected()
    found = [collected.add(one, time) for time in (0, 8) for one in parts()]
    assert [a is not None for a in found] == [False, False, True] * 2


def test_bound() -> None:
    collected = Collected()
    for n in range(MAX_PIECES + 10):
        assert collected.add(cisco(1, WHOLE[:30], last=False, identifier=n)) is None
    assert collected.collector.dropped == 10
    held = collected.incomplete()
    assert len(held) == MAX_PIECES
    # The oldest made room, the youngest can still become whole.
    youngest = MAX_PIECES + 9
    collected.add(parts(youngest)[1])
    assert collected.add(parts(youngest)[2]) is not None
    collected.add(parts(0)[1])
    assert collected.add(parts(0)[2]) is None


def test_one_piece_again_and_again_is_bounded() -> None:
    collected = Collected()
    for n in range(MAX_PIECES + 10):
        collected.add(parts()[0], n)
    (held,) = collected.incomplete()
    assert (len(held.sightings), collected.collector.dropped) == (MAX_PIECES, 0)


# --- SKF -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
def test_skf_in_any_order(order: tuple[int, ...]) -> None:
    collected = Collected()
    found = [collected.add(skf(n, 3), n) for n in order]
    assert found[:2] == [None, None]
    whole = found[2]
    assert whole is not None
    assert (whole.total, whole.missing, whole.numbers) == (3, (), frozenset((1, 2, 3)))
    (payload,) = whole.message.payloads
    assert payload.type is PayloadType.SKF
    assert getattr(payload, "inner", None) is PayloadType.IDI


def test_skf_says_how_many_there_are() -> None:
    collected = Collected()
    collected.add(skf(2, 4))
    assert [(a.total, a.missing) for a in collected.incomplete()] == [(4, (1, 3, 4))]


def test_skf_messages_are_told_apart_by_message_id() -> None:
    collected = Collected()
    assert collected.add(skf(1, 2, message_id=1)) is None
    assert collected.add(skf(2, 2, message_id=2)) is None
    assert collected.add(skf(2, 2, message_id=1)) is not None
    assert [a.missing for a in collected.incomplete()] == [(1,)]


def test_skf_sent_again_in_smaller_pieces() -> None:
    """The sender found the path's MTU to be smaller (RFC 7383 §2.5.2): the first of two, then all of three."""
    collected = Collected()
    assert collected.add(skf(1, 2)) is None
    found = [collected.add(skf(n, 3), 5 + n) for n in (1, 2, 3)]
    assert [a is not None for a in found] == [False, False, True]
    assert found[2] is not None
    assert found[2].total == 3
    assert collected.incomplete() == []


@given(st.lists(st.tuples(st.integers(0, 255), st.booleans(), st.integers(0, 3)), max_size=20))
def test_any_numbers(rows: list[tuple[int, bool, int]]) -> None:
    collected = Collected()
    for time, (number, last, identifier) in enumerate(rows):
        collected.add(cisco(number, b"data", last=last, identifier=identifier), time)
    for held in collected.incomplete():
        assert held.missing
        assert held.sightings


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_any_numbers_in_skf(rows: list[tuple[int, int]]) -> None:
    collected = Collected()
    for time, (number, total) in enumerate(rows):
        collected.add(skf(number, total), time)
    for held in collected.incomplete():
        assert held.missing
