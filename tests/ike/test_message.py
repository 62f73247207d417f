"""The header and the chain of payloads: vectors first, then properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.ike.message import HEADER_LENGTH, MAX_PAYLOADS, Message, parse, parse_header
from pcapdiag.ike.payloads import DecodeError, Encrypted, Payload, SecurityAssociation
from pcapdiag.ike.registry import ExchangeType, PayloadType
from tests.messages import COOKIE_I, ZERO, main_mode, message, payload, sa


def test_header_fields() -> None:
    header = parse_header(message(2, cookies=(COOKIE_I, ZERO), flags=2, message_id=0xDEADBEEF))
    assert header.initiator_spi == COOKIE_I
    assert header.responder_spi == ZERO
    assert header.exchange is ExchangeType.MAIN
    assert (header.major, header.flags, header.message_id, header.length) == (1, 2, 0xDEADBEEF, 28)
    assert not header.encrypted


def test_message_1_has_a_security_association() -> None:
    found = parse(main_mode(1))
    assert [p.type for p in found.payloads] == [PayloadType.SA]
    assert isinstance(found.payloads[0], SecurityAssociation)
    assert found.problem is None
    assert not found.cut
    assert found.trailing == 0


def test_encrypted_message_keeps_its_ciphertext() -> None:
    found = parse(main_mode(5))
    assert found.payloads == ()
    assert found.ciphertext == bytes([5] * 48)
    assert found.header.encrypted


def test_trailing_octets_are_counted_and_not_decoded() -> None:
    found = parse(main_mode(2) + b"garbage")
    assert found.trailing == 7
    assert found.problem is None


def test_cut_message_gives_what_it_holds() -> None:
    whole = main_mode(3)
    found = parse(whole[:60])
    assert found.cut
    assert found.problem == "KE payload declares 132 octets, 32 are left"
    assert [p.type for p in found.payloads] == [PayloadType.KE]


def test_length_below_the_header_is_a_problem_not_an_error() -> None:
    found = parse(message(2, [sa()], length=0))
    assert found.problem == "declares a length of 0, the header alone has 28"
    assert [p.type for p in found.payloads] == [PayloadType.SA]


def test_payload_shorter_than_its_header() -> None:
    octets = message(2, [(13, b"")])
    broken = octets[:30] + b"\x00\x03" + octets[32:]
    assert parse(broken).problem == "VID payload declares 3 octets, 4 are the least"


def test_a_broken_payload_does_not_spoil_its_neighbours() -> None:
    found = parse(message(5, [(11, b"\x00"), (13, bytes(16))]))
    assert type(found.payloads[0]) is Payload
    assert found.payloads[0].problem == "1 octets, 8 are the least"
    assert found.payloads[1].type is PayloadType.VENDOR_ID
    assert found.problem == "N payload: 1 octets, 8 are the least"


def test_ikev2_encrypted_payload_tells_what_is_inside() -> None:
    inside = payload(bytes(40), 35)
    octets = message(35, [], version=0x20, flags=0x08, message_id=1, length=28 + len(inside))
    found = parse(octets[:16] + bytes([46]) + octets[17:] + inside)
    assert isinstance(found.payloads[0], Encrypted)
    assert found.payloads[0].inner is PayloadType.IDI
    assert found.header.encrypted
    assert found.header.from_initiator
    assert not found.header.response


def test_ikev2_encrypted_payload_that_is_cut_tells_what_is_inside() -> None:
    """Its generic header says so, and a short snaplen leaves that."""
    inside = payload(bytes(60), 42)
    octets = message(37, [], version=0x20, length=28 + len(inside))
    found = parse((octets[:16] + bytes([46]) + octets[17:] + inside)[:44])
    (sealed,) = found.payloads
    assert isinstance(sealed, Encrypted)
    assert (sealed.inner, found.cut) == (PayloadType.DELETE2, True)
    assert found.problem == "SK payload declares 64 octets, 16 are left"


def test_ikev2_fragment_has_number_and_total() -> None:
    inside = payload(b"\x00\x02\x00\x05" + bytes(20), 0)
    octets = message(35, [], version=0x20, length=28 + len(inside))
    found = parse(octets[:16] + bytes([53]) + octets[17:] + inside)
    piece = found.payloads[0]
    assert isinstance(piece, Encrypted)
    assert (piece.number, piece.total) == (2, 5)


@pytest.mark.parametrize("octets", [b"", b"\x00" * 27, main_mode(1)[:27]])
def test_too_short_for_a_header(octets: bytes) -> None:
    with pytest.raises(DecodeError, match="an ISAKMP header has 28"):
        parse(octets)


@pytest.mark.parametrize("version", [0x00, 0x30, 0xF0])
def test_other_versions_are_not_ike(version: int) -> None:
    with pytest.raises(DecodeError, match="neither IKEv1 nor IKEv2"):
        parse(message(2, version=version))


@given(st.binary(max_size=400))
def test_arbitrary_octets_give_a_message_or_decode_error(octets: bytes) -> None:
    try:
        found = parse(octets)
    except DecodeError:
        return
    assert isinstance(found, Message)
    assert found.available + found.trailing == len(octets)


@given(st.sampled_from([0x10, 0x20]), st.integers(0, 255), st.integers(0, 255), st.binary(max_size=300))
def test_arbitrary_payloads_behind_a_good_header(version: int, first: int, exchange: int, body: bytes) -> None:
    octets = message(exchange, version=version, length=HEADER_LENGTH + len(body))
    found = parse(octets[:16] + bytes([first]) + octets[17:] + body)
    assert sum(4 + len(p.body) for p in found.payloads) <= len(body)


def test_a_chain_of_too_many_payloads_is_read_in_part() -> None:
    found = parse(message(2, [(13, b"")] * (MAX_PAYLOADS + 1)))
    assert len(found.payloads) == MAX_PAYLOADS
    assert found.problem == "more than 256 payloads; the others are not read"
    assert parse(message(2, [(13, b"")] * MAX_PAYLOADS)).problem is None


@given(st.integers(0, 400))
def test_any_prefix_gives_no_more_payloads_than_the_whole(cut: int) -> None:
    octets = main_mode(3)
    if cut < HEADER_LENGTH:
        return
    whole, part = parse(octets), parse(octets[:cut])
    assert len(part.payloads) <= len(whole.payloads)
