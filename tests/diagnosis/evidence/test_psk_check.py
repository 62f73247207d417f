"""Candidate pre-shared keys held against captured exchanges, and against one whose key is known."""

import pytest

from pcapdiag.diagnosis.evidence.psk_check import KeyCheck, check_keys
from pcapdiag.exchange.model import Exchange
from tests.diagnosis.scenarios import captured, diagnosed_until, only
from tests.ike.test_preshared import PSK, initiators, octets
from tests.messages import Wire, message

WRONG = (b"wrong", b"", b"\x00\xff")


def of_capture(name: str) -> Exchange:
    return diagnosed_until(*captured(name))[0].exchange


def handmade(third: bytes | None = None) -> Exchange:
    """An Aggressive Mode exchange with PSK as its key."""
    wire = Wire()
    items = [wire.datagram(0, octets(1)), wire.datagram(0.1, octets(2), left=False)]
    if third is not None:
        items.append(wire.datagram(0.2, third))
    return only(items).exchange


def test_wrong_keys() -> None:
    exchange = of_capture("aggressive-completed.pcap")
    of_r, of_i = check_keys(exchange, WRONG)
    assert of_r == KeyCheck("HASH_R", None, None, exchange.numbered(2)[0].first.frames)
    assert of_i == KeyCheck("HASH_I", None, "message 3 is encrypted", exchange.numbered(3)[0].first.frames)


def test_wrong_keys_and_no_message_3() -> None:
    (of_r,) = check_keys(of_capture("aggressive-psk-mismatch.pcap"), WRONG)
    assert (of_r.of, of_r.place, of_r.reason) == ("HASH_R", None, None)


@pytest.mark.parametrize("name", ["aggressive-completed.pcap", "aggressive-psk-mismatch.pcap"])
def test_no_keys(name: str) -> None:
    assert check_keys(of_capture(name), ()) == []


@pytest.mark.parametrize("name", ["aggressive-main-only-peer.pcap", "completed-psk.pcap", "ikev2-completed.pcap"])
def test_no_hash_to_hold_them_against(name: str) -> None:
    assert check_keys(of_capture(name), WRONG) == []


@pytest.mark.parametrize("place", [1, 2, 4])
def test_right_key_is_named_by_its_place(place: int) -> None:
    keys = [*WRONG[: place - 1], PSK, *WRONG[place - 1 :]]
    (of_r,) = check_keys(handmade(), keys)
    assert (of_r.of, of_r.place, of_r.reason) == ("HASH_R", place, None)


def test_first_of_two_equal_keys_is_named() -> None:
    assert check_keys(handmade(), [b"no", PSK, PSK])[0].place == 2


@pytest.mark.parametrize(("psk", "place"), [(PSK, 1), (b"theirs", 2), (b"other", None)])
def test_message_3_in_clear(psk: bytes, place: int | None) -> None:
    exchange = handmade(message(4, [(8, initiators("sha1", psk)), (20, bytes(20))]))
    of_r, of_i = check_keys(exchange, [PSK, b"theirs"])
    assert (of_r.place, of_r.reason) == (1, None)
    assert (of_i.of, of_i.place, of_i.reason) == ("HASH_I", place, None)


def test_no_key_is_kept() -> None:
    assert PSK.decode() not in repr(check_keys(handmade(), [PSK]))
