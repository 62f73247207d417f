"""Extension headers, AH and ICMP errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.capture.datagram import Datagram, Frame, IcmpError
from tests.capture.frames import (
    A6,
    B6,
    ROUTER,
    T0,
    A,
    B,
    ethernet,
    ipv4,
    ipv6,
    isakmp,
    pcap,
    read,
    u16,
    u32,
    udp,
)

MESSAGE = isakmp(b"payloads")
IKE4, IKE6 = ipv4(udp(MESSAGE)), ipv6(udp(MESSAGE))


def options6(following: int, payload: bytes) -> bytes:
    return bytes((following, 1)) + b"\x01\x0c" + bytes(12) + payload


AH = bytes((17, 4)) + bytes(2) + u32(0x1234) + u32(1) + bytes(12)

HEADERS = {
    "AH": ethernet(ipv4(AH + udp(MESSAGE), 51)),
    "AH in IPv6": ethernet(ipv6(AH + udp(MESSAGE), 51), 0x86DD),
    "hop-by-hop": ethernet(ipv6(options6(17, udp(MESSAGE)), 0), 0x86DD),
    "hop-by-hop, routing, destination": ethernet(
        ipv6(options6(43, options6(60, options6(17, udp(MESSAGE)))), 0), 0x86DD
    ),
    "atomic fragment": ethernet(ipv6(bytes((17, 0)) + u16(0) + u32(5) + udp(MESSAGE), 44), 0x86DD),
}


@pytest.mark.parametrize("frame", HEADERS.values(), ids=HEADERS)
def test_headers(frame: bytes) -> None:
    (found,) = read(pcap([frame + bytes(6)])).captured
    assert isinstance(found, Datagram)
    assert (found.payload, found.length) == (MESSAGE, len(MESSAGE))
    assert found.source in (A, A6)


@pytest.mark.parametrize("frame", HEADERS.values(), ids=HEADERS)
def test_snapped_headers_still_name_the_ports(frame: bytes) -> None:
    (found,) = read(pcap([(T0, frame[: 4 - len(MESSAGE)], len(frame))])).captured
    assert isinstance(found, Datagram)
    assert (found.payload, found.length) == (MESSAGE[:4], len(MESSAGE))


@pytest.mark.parametrize("frame", HEADERS.values(), ids=HEADERS)
def test_prefixes_of_headers(frame: bytes) -> None:
    read(pcap([(T0, frame[:size], len(frame)) for size in range(len(frame))]))


OTHERS = {
    "ICMP": ethernet(ipv4(b"\3\1" + bytes(6) + ipv4(bytes(8), 6), 1)),
    "IPv6 without payload": ethernet(ipv6(options6(59, b""), 0), 0x86DD),
}


@pytest.mark.parametrize(("name", "frame"), OTHERS.items(), ids=OTHERS)
def test_others(name: str, frame: bytes) -> None:
    seen = read(pcap([frame]))
    assert seen.captured == []
    assert seen.summary.protocols == {name: 1}


# -- ICMP


def icmp4(kind: int, code: int, quote: bytes, rest: bytes = bytes(4)) -> bytes:
    return ethernet(ipv4(bytes((kind, code)) + bytes(2) + rest + quote, 1, ROUTER, A))


def icmp6(kind: int, code: int, quote: bytes, rest: bytes = bytes(4)) -> bytes:
    return ethernet(ipv6(bytes((kind, code)) + bytes(2) + rest + quote, 58, "2001:db8::9", A6), 0x86DD)


def error(frame: bytes) -> IcmpError:
    seen = read(pcap([frame]))
    (found,) = seen.captured
    assert isinstance(found, IcmpError)
    assert seen.summary.icmp_errors == 1
    return found


def test_icmp_error() -> None:
    quoted = Datagram(Frame(0, 1), T0, A, 500, B, 500, MESSAGE, len(MESSAGE), 61, 7)
    expected = IcmpError(Frame(0, 1), T0, ROUTER, A, 4, 3, 13, None, quoted)
    assert error(icmp4(3, 13, IKE4)) == expected


@pytest.mark.parametrize("kind", [3, 4, 5, 11, 12])
def test_icmp_types(kind: int) -> None:
    found = error(icmp4(kind, 0, IKE4[:28]))
    assert (found.type, found.quoted.payload, found.quoted.length) == (kind, b"", len(MESSAGE))


def test_mtu_of_the_next_hop() -> None:
    assert error(icmp4(3, 4, IKE4, u16(0) + u16(1400))).mtu == 1400
    assert error(icmp4(3, 4, IKE4)).mtu is None
    assert error(icmp6(2, 0, IKE6, u32(1280))).mtu == 1280
    assert error(icmp6(1, 4, IKE6)).mtu is None


def test_multipart_error_ends_its_quote_where_it_says() -> None:
    quote = IKE4.ljust(128, b"\0")
    found = error(icmp4(11, 0, quote + b"\x20\0\0\0" + bytes(12), bytes((0, 32, 0, 0))))
    assert found.quoted.payload == MESSAGE


def test_quote_with_a_length_in_the_wrong_order() -> None:
    quote = IKE4[:2] + IKE4[3:1:-1] + IKE4[4:]
    assert error(icmp4(3, 3, quote)).quoted.payload == MESSAGE


def test_quote_on_4500_and_on_another_port() -> None:
    assert error(icmp4(3, 3, ipv4(udp(u32(99) + bytes(20), 4500, 4500)))).quoted.source_port == 4500
    assert error(icmp4(3, 3, ipv4(udp(MESSAGE, 40000, 40001)))).quoted.source_port == 40000
    assert read(pcap([icmp4(3, 3, ipv4(udp(b"query", 40000, 53)))])).summary.protocols == {"ICMP": 1}


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_icmp6_errors(kind: int) -> None:
    found = error(icmp6(kind, 0, IKE6))
    assert (found.version, found.type, found.quoted.source, found.quoted.destination) == (6, kind, A6, B6)
    assert (found.quoted.payload, found.quoted.ip_id, found.quoted.ttl) == (MESSAGE, None, 62)


def test_icmp6_quote_with_extension_headers() -> None:
    quote = ipv6(options6(44, bytes((17, 0)) + u16(1) + u32(5) + udp(MESSAGE)), 60)
    assert error(icmp6(1, 0, quote)).quoted.payload == MESSAGE


def test_prefixes_of_errors() -> None:
    for frame in (icmp4(3, 4, IKE4), icmp6(2, 0, IKE6)):
        seen = read(pcap([(T0, frame[:size], len(frame)) for size in range(len(frame))]))
        assert 0 < seen.summary.icmp_errors < len(frame)


def test_errors_quoting_a_later_fragment_are_other() -> None:
    assert read(pcap([icmp4(3, 1, ipv4(udp(MESSAGE), offset=8))])).summary.icmp_errors == 0


@given(st.binary(max_size=120), st.sampled_from([0, 1, 4, 17, 41, 43, 44, 47, 50, 51, 58, 60, 97, 137]))
def test_arbitrary_octets_behind_ip(octets: bytes, protocol: int) -> None:
    read(pcap([ethernet(ipv4(octets, protocol)), ethernet(ipv6(octets, protocol), 0x86DD)]))
