"""The payloads that stand in encrypted messages only."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.ike.payloads import Notification, Payload
from pcapdiag.ike.payloads_sealed import Authentication, Configuration, Eap, TrafficSelectors, decode_sealed
from pcapdiag.ike.registry import PayloadType
from tests.messages import notify
from tests.unsealed import TS


def test_auth() -> None:
    found = decode_sealed(PayloadType.AUTH, b"\x0e\0\0\0signature", 2)
    assert isinstance(found, Authentication)
    assert (found.method.label, found.data) == ("digital signature", b"signature")


def test_traffic_selectors() -> None:
    found = decode_sealed(PayloadType.TSI, TS, 2)
    assert isinstance(found, TrafficSelectors)
    assert [s.text for s in found.selectors] == ["192.0.2.1–192.0.2.255"]


@pytest.mark.parametrize(
    ("protocol", "first", "last", "text"),
    [(0, 0, 65535, "192.0.2.1"), (17, 1701, 1701, "192.0.2.1 protocol 17 ports 1701–1701")],
)
def test_what_a_selector_leaves_out_is_not_said(protocol: int, first: int, last: int, text: str) -> None:
    one = b"\xc0\x00\x02\x01"
    body = b"\1\0\0\0" + struct.pack("!BBHHH", 7, protocol, 16, first, last) + one + one
    found = decode_sealed(PayloadType.TSR, body, 2)
    assert isinstance(found, TrafficSelectors)
    assert found.selectors[0].text == text


def test_mode_config_and_passwords() -> None:
    body = b"\2\0\0\7" + struct.pack("!HH5sHH6s", 16521, 5, b"alice", 16522, 6, b"s3cret")
    body += struct.pack("!HH", 0x8000 | 16527, 1)
    found = decode_sealed(PayloadType.ATTRIBUTES, body, 1)
    assert isinstance(found, Configuration)
    assert found.identifier == 7
    assert [(v.type.name, v.text) for v in found.values] == [
        ("XAUTH_USER_NAME", "alice"),
        ("XAUTH_USER_PASSWORD", "(hidden)"),
        ("XAUTH_STATUS", "1"),
    ]
    assert "s3cret" not in repr(found)


def test_configuration_of_ikev2() -> None:
    body = b"\2\0\0\0" + struct.pack("!HH4s", 1, 4, b"\x0a\0\0\x05")
    found = decode_sealed(PayloadType.CP, body, 2)
    assert isinstance(found, Configuration)
    assert (found.kind.name, found.values[0].text, found.identifier) == ("CFG_REPLY", "10.0.0.5", None)


def test_eap() -> None:
    found = decode_sealed(PayloadType.EAP, b"\1\5\0\6\x1a\0", 2)
    assert isinstance(found, Eap)
    assert (found.code, found.method) == (1, 26)
    success = decode_sealed(PayloadType.EAP, b"\3\5\0\4", 2)
    assert isinstance(success, Eap)
    assert success.method is None


def test_the_rest_is_decoded_as_in_clear() -> None:
    assert isinstance(decode_sealed(PayloadType.NOTIFY, notify(14)[1], 1), Notification)


@given(st.sampled_from([14, 39, 44, 45, 47, 48]), st.binary(max_size=60), st.sampled_from([1, 2]))
def test_any_body_is_a_payload(kind: int, body: bytes, major: int) -> None:
    found = decode_sealed(PayloadType(kind), body, major)
    assert isinstance(found, Payload)
    assert found.body == body
    repr(found)
