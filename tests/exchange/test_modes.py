"""The grammar of each mode: which message is which."""

import pytest
from msgspec.structs import replace

from pcapdiag.exchange.model import Mode, Side
from pcapdiag.exchange.modes import (
    SENDER,
    Shape,
    certain_sender,
    infer_first_sender,
    mode_of,
    phase1_number,
    quick_mode_begins_at,
    shape,
    step_name,
)
from pcapdiag.ike.message import Header, parse_header
from tests.messages import COOKIE_I, COOKIE_R, ZERO, informational, main_mode, message, quick_mode, sa

INITIATOR, RESPONDER = Side.INITIATOR, Side.RESPONDER
MAIN, AGGRESSIVE, QUICK = 2, 4, 32


def header(exchange: int, following: int = 0, *, sealed: bool = False, flags: int = 0, version: int = 0x10,
           responder: bytes = COOKIE_R) -> Header:  # fmt: skip
    return Header(COOKIE_I, responder, following, version, exchange, flags | sealed, 0, 76)


def main(number: int) -> Header:
    return parse_header(main_mode(number))


def test_what_cannot_hold_a_hash_is_no_message_5() -> None:
    given = main(5)
    assert shape(given) is Shape.SEALED
    assert shape(replace(given, length=28 + 16)) is Shape.NONE
    assert shape(replace(given, length=28 + 33)) is Shape.NONE
    assert shape(replace(given, message_id=7)) is Shape.NONE
    assert shape(replace(given, responder_spi=ZERO)) is Shape.NONE
    assert shape(replace(given, length=28 + 1, next_payload=132)) is Shape.SEALED  # a piece of one


@pytest.mark.parametrize(
    ("number", "expected"), [(1, "SA"), (2, "SA"), (3, "keying"), (4, "keying"), (5, "sealed"), (6, "sealed")]
)
def test_shape(number: int, expected: str) -> None:
    assert shape(main(number)) is Shape(expected)


def test_shape_of_what_is_sealed_whatever_comes_first() -> None:
    assert shape(header(MAIN, 1, sealed=True)) is Shape.SEALED
    assert shape(header(MAIN, 8)) is Shape.KEYING  # RSA encryption begins message 3 otherwise (RFC 2409 §5.2)
    assert shape(header(35, 46, version=0x20)) is Shape.SEALED


@pytest.mark.parametrize(("number", "side"), [(1, INITIATOR), (2, RESPONDER), (3, None), (4, None), (5, None)])
def test_certain_sender_in_main_mode(number: int, side: Side | None) -> None:
    assert certain_sender(main(number)) is side


@pytest.mark.parametrize(
    ("given", "side"),
    [
        (header(AGGRESSIVE, 1, responder=ZERO), INITIATOR),
        (header(AGGRESSIVE, 1), RESPONDER),
        (header(AGGRESSIVE, 8), None),
        (header(QUICK, 1, responder=ZERO), None),
        (header(5, 11), None),
        (header(34, 33, version=0x20, flags=0x08), INITIATOR),
        (header(37, 46, version=0x20, flags=0x28), INITIATOR),  # an answer, by the original initiator
        (header(37, 46, version=0x20, flags=0x00), RESPONDER),
    ],
)
def test_certain_sender(given: Header, side: Side | None) -> None:
    assert certain_sender(given) is side


def test_phase1_number() -> None:
    for number in range(1, 7):
        assert phase1_number(main(number), SENDER[number]) == number
    assert phase1_number(header(AGGRESSIVE, 1), INITIATOR) == 1
    assert phase1_number(header(AGGRESSIVE, 1), RESPONDER) == 2
    assert phase1_number(header(AGGRESSIVE, 8), INITIATOR) == 3
    assert phase1_number(header(AGGRESSIVE, 8, sealed=True), INITIATOR) == 3
    assert phase1_number(header(AGGRESSIVE, 8, sealed=True), RESPONDER) is None
    assert phase1_number(header(QUICK, 8, sealed=True), INITIATOR) is None


@pytest.mark.parametrize(
    ("given", "side", "place", "name"),
    [
        (main(1), INITIATOR, 0, "MM1"),
        (main(6), RESPONDER, 0, "MM6"),
        (header(AGGRESSIVE, 1), RESPONDER, 0, "AM2"),
        (header(AGGRESSIVE, 4), RESPONDER, 0, "AM?"),
        (parse_header(quick_mode(1)), RESPONDER, 0, "QM1"),
        (parse_header(quick_mode(3)), INITIATOR, 2, "QM3"),
        (parse_header(informational(1)), INITIATOR, 0, "Informational"),
        (header(34, 33, version=0x20, flags=0x08), INITIATOR, 0, "IKE_SA_INIT request"),
        (header(35, 46, version=0x20, flags=0x20), RESPONDER, 0, "IKE_AUTH response"),
    ],
)
def test_step_name(given: Header, side: Side, place: int, name: str) -> None:
    assert step_name(given, side, place) == name


def test_exchange_that_nobody_knows_has_a_name() -> None:
    assert step_name(header(199), INITIATOR, 0)
    assert step_name(header(250, version=0x20), INITIATOR, 0).endswith(" request")


def test_mode_of() -> None:
    assert mode_of(main(1)) is Mode.MAIN
    assert mode_of(header(AGGRESSIVE, 1)) is Mode.AGGRESSIVE
    assert mode_of(header(QUICK)) is Mode.UNKNOWN
    assert mode_of(header(QUICK, version=0x20)) is Mode.IKEV2


# --- the beginning is not in the capture -----------------------------------------------------------------------

SEALED_AM3 = parse_header(message(AGGRESSIVE, sealed=bytes(32), first=8))


@pytest.mark.parametrize(
    ("seen", "first"),
    [
        ([(True, main(3)), (False, main(4))], INITIATOR),
        ([(True, main(3)), (True, main(3)), (False, main(4))], INITIATOR),
        ([(True, main(3)), (True, main(5)), (False, main(6))], INITIATOR),
        ([(True, main(3)), (True, main(5))], None),  # or 4 and 6 of the responder
        ([(True, main(4)), (False, main(5))], RESPONDER),
        ([(True, main(5)), (False, main(6))], INITIATOR),
        ([(True, main(5)), (True, main(5))], None),
        ([(True, parse_header(quick_mode(1))), (False, parse_header(quick_mode(2)))], INITIATOR),
        ([(True, parse_header(informational(1))), (False, parse_header(quick_mode(1)))], RESPONDER),
        ([(True, main(6)), (False, parse_header(quick_mode(1)))], RESPONDER),
        ([(True, SEALED_AM3), (True, parse_header(quick_mode(1)))], INITIATOR),
        ([(True, parse_header(informational(1))), (False, parse_header(informational(2)))], None),
    ],
)
def test_infer_first_sender(seen: list[tuple[bool, Header]], first: Side | None) -> None:
    assert infer_first_sender(seen, (500, 500)) is first


@pytest.mark.parametrize(
    ("ports", "first"),
    [
        ((500, 500), None),
        ((4500, 4500), None),
        ((500, 33_000), RESPONDER),
        ((33_000, 4500), INITIATOR),
        ((33_000, 33_001), None),
    ],
)
def test_ports_tell_who_asks_where_the_message_does_not(ports: tuple[int, int], first: Side | None) -> None:
    assert infer_first_sender([(True, main(4))], ports) is first
    assert infer_first_sender([(True, main(3)), (False, main(4))], ports) is INITIATOR


def test_a_notify_without_cookies_of_its_own_answers() -> None:
    clear = parse_header(message(5, [(11, bytes(8))], cookies=(COOKIE_I, ZERO)))
    assert infer_first_sender([(True, clear)], (500, 500)) is RESPONDER


def test_sa_is_found_wherever_it_stands() -> None:
    first = header(MAIN, 13, responder=ZERO)
    answer = header(MAIN, 13)
    assert shape(first, (13, 1)) is shape(answer, (13, 1)) is Shape.SA
    assert (certain_sender(first, (13, 1)), certain_sender(answer, (13, 1))) == (INITIATOR, RESPONDER)
    assert (phase1_number(first, INITIATOR, (13, 1)), phase1_number(answer, RESPONDER, (13, 1))) == (1, 2)


def test_without_a_responder_cookie_only_message_1_can_be() -> None:
    nonsense = header(MAIN, 9, responder=ZERO)
    assert shape(nonsense, (9,)) is Shape.NONE
    assert phase1_number(nonsense, INITIATOR, (9,)) is None
    assert step_name(nonsense, INITIATOR, 0, (9,)) == "MM?"


@pytest.mark.parametrize(
    ("first", "lengths", "begins"),
    [(1, [188, 60], 2), (1, [188, 188], 1), (2, [188, 188, 60], 1), (1, [60], 3), (1, [60, 84], 3), (1, [188], 1)],
)
def test_quick_mode_whose_first_message_is_missing(first: int, lengths: list[int], begins: int) -> None:
    assert quick_mode_begins_at(first, lengths) == begins


def test_sa_of_a_message_made_of_octets() -> None:
    assert certain_sender(parse_header(message(MAIN, [sa()], cookies=(COOKIE_I, ZERO)))) is INITIATOR
