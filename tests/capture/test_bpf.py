"""The kernel's filter lets through what the walker wants, and not the bulk of ESP."""

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from pcapdiag.capture import bpf, kinds, libpcap, walker
from pcapdiag.capture.network import Network
from pcapdiag.capture.walker import Found, Link, Tally
from tests import CAPTURES, SHARED
from tests.messages import main_mode

try:
    libpcap.version()
except libpcap.MissingLibraryError:
    pytest.skip("needs libpcap (on Debian: libpcap0.8)", allow_module_level=True)

ETHERNET, RAW, COOKED = 1, 12, 276


@cache
def filter_of(link_type: int = ETHERNET, tunnels: bool = False) -> libpcap.Filter:
    return libpcap.Filter(bpf.program(libpcap.Handle.dead(link_type), {500}, tunnels))


def udp(payload: bytes, source: int = 500, destination: int = 500) -> bytes:
    return struct.pack("!HHHH", source, destination, 8 + len(payload), 0) + payload


def ipv4(payload: bytes, protocol: int = 17, fragment: int = 0, options: bytes = b"") -> bytes:
    head = struct.pack(
        "!BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), 1, fragment, 64, protocol, 0
    )
    return head + bytes([10, 0, 0, 1, 10, 0, 0, 2]) + options + payload


def ipv6(payload: bytes, following: int = 17) -> bytes:
    return struct.pack("!IHBB", 0x60000000, len(payload), following, 64) + bytes(32) + payload


def ethernet(packet: bytes, kind: int | None = None, tags: bytes = b"") -> bytes:
    kind = kind if kind is not None else 0x0800 if packet[0] >> 4 == 4 else 0x86DD
    return bytes(12) + tags + struct.pack("!H", kind) + packet


IKE = main_mode(1)
ESP = b"\xc0\0\0\1" + bytes(80)
VLAN = b"\x81\0\0\x07"

PASS = {
    "UDP 500": ipv4(udp(IKE)),
    "UDP 500, to any port": ipv4(udp(IKE, 500, 31000)),
    "UDP 500, IPv6": ipv6(udp(IKE)),
    "behind IP options": ipv4(udp(IKE), options=bytes(8)),
    "4500 with a marker": ipv4(udp(bytes(4) + IKE, 4500, 4500)),
    "4500 with a marker, IPv6": ipv6(udp(bytes(4) + IKE, 4500, 4500)),
    "4500 without its marker": ipv4(udp(IKE, 4500, 4500)),
    "a keep-alive": ipv4(udp(b"\xff", 4500, 4500)),
    "a keep-alive, IPv6": ipv6(udp(b"\xff", 4500, 4500)),
    "a later fragment": ipv4(bytes(64), fragment=185),
    "a fragment, IPv6": ipv6(struct.pack("!BBHI", 17, 0, 0x5A8, 7) + bytes(64), 44),
    "behind hop-by-hop options": ipv6(bytes([17, 0, 1, 4, 0, 0, 0, 0]) + udp(IKE), 0),
    "port unreachable": ipv4(bytes([3, 3]) + bytes(6) + ipv4(udp(IKE)), 1),
    "packet too big": ipv6(bytes([2, 0]) + bytes(6) + ipv6(udp(IKE)), 58),
    "IKE on another port": ipv4(udp(IKE, 848, 848)),
    "IKE on another port, marked": ipv4(udp(bytes(4) + IKE, 10000, 10000)),
    "IKE on another port, IPv6": ipv6(udp(IKE, 848, 848)),
    "TCP 4500": ipv4(struct.pack("!HHIIBBHHH", 4500, 4500, 1, 1, 0x50, 0x10, 1, 0, 0) + bytes(20), 6),
}
STOP = {
    "ESP": ipv4(ESP, 50),
    "ESP, IPv6": ipv6(ESP, 50),
    "ESP in UDP": ipv4(udp(ESP, 4500, 4500)),
    "ESP in UDP, IPv6": ipv6(udp(ESP, 4500, 4500)),
    "DNS": ipv4(udp(bytes(60), 40000, 53)),
    "a short datagram": ipv4(udp(b"", 40000, 53)),
    "an echo request": ipv4(bytes([8, 0]) + bytes(60), 1),
    "a neighbour solicitation": ipv6(bytes([135, 0]) + bytes(24), 58),
    "TCP": ipv4(struct.pack("!HHIIBBHHH", 443, 40000, 1, 1, 0x50, 0x10, 1, 0, 0) + bytes(20), 6),
    "GRE": ipv4(b"\0\0\x08\0" + ipv4(udp(IKE)), 47),
}
WRAPPED = {
    "a VLAN": lambda packet: ethernet(packet, tags=VLAN),
    "two VLANs": lambda packet: ethernet(packet, tags=b"\x88\xa8\0\2" + VLAN),
    "MPLS": lambda packet: ethernet(b"\0\1\x11\x40" + packet, 0x8847),
    "PPPoE": lambda packet: ethernet(
        b"\x11\0\0\1" + struct.pack("!H", 2 + len(packet)) + (b"\0\x21" if packet[0] >> 4 == 4 else b"\0\x57") + packet,
        0x8864,
    ),
}


@pytest.mark.parametrize("name", PASS)
def test_what_may_be_ike_passes(name: str) -> None:
    assert filter_of().passes(ethernet(PASS[name]))
    assert filter_of(RAW).passes(PASS[name])
    kind = 0x0800 if PASS[name][0] >> 4 == 4 else 0x86DD
    assert filter_of(COOKED).passes(struct.pack("!HHIHBB8s", kind, 0, 1, 1, 0, 6, bytes(8)) + PASS[name])


@pytest.mark.parametrize("name", STOP)
def test_the_rest_does_not(name: str) -> None:
    assert not filter_of().passes(ethernet(STOP[name]))
    assert not filter_of(RAW).passes(STOP[name])


@pytest.mark.parametrize("wrapping", WRAPPED)
@pytest.mark.parametrize("name", ["UDP 500", "UDP 500, IPv6", "4500 with a marker", "a later fragment"])
def test_within_tags_and_labels(wrapping: str, name: str) -> None:
    assert filter_of().passes(WRAPPED[wrapping](PASS[name]))


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_esp_within_them_does_not_pass(wrapping: str) -> None:
    assert not filter_of().passes(WRAPPED[wrapping](STOP["ESP in UDP"]))


def test_tunnels_pass_when_they_are_asked_for() -> None:
    gre = ethernet(STOP["GRE"])
    assert not filter_of().passes(gre)
    assert filter_of(tunnels=True).passes(gre)
    assert filter_of(tunnels=True).passes(ethernet(ipv4(udp(b"\x08" + bytes(60), 40000, 4789))))


def test_other_ports_that_are_given_pass() -> None:
    program = bpf.program(libpcap.Handle.dead(ETHERNET), {500, 5500}, False)
    assert libpcap.Filter(program).passes(ethernet(ipv4(udp(bytes(30), 5500, 40000))))
    assert len(program) <= libpcap.MAX_INSTRUCTIONS


def frames(path: Path) -> Iterator[tuple[int, bytes]]:
    """Link type and octets of every frame of a pcap file in this machine's usual byte order."""
    octets = path.read_bytes()
    (link_type,) = struct.unpack_from("<I", octets, 20)
    at = 24
    while at + 16 <= len(octets):
        (captured,) = struct.unpack_from("<I", octets, at + 8)
        yield link_type, octets[at + 16 : at + 16 + captured]
        at += 16 + captured


def wanted(network: Network, link_type: int, frame: bytes) -> tuple[bool, int]:
    """Whether the analysis takes something out of this frame; and what kind it is."""
    found, tally = Found(), network.tally
    found.stop = found.wire = len(frame)
    kind = walker.locate(frame, 0, len(frame), link_type, network.ports, found)
    before = (tally.datagrams, tally.icmp_errors, tally.ip_fragments, tally.nat_keepalives)
    if kind > kinds.UNREADABLE:
        network.take(kind, frame, found, Link(link_type, "<", 16, "IIII"), 1)
    return (tally.datagrams, tally.icmp_errors, tally.ip_fragments, tally.nat_keepalives) != before, kind


def captures() -> list[Path]:
    own = sorted(CAPTURES.glob("*.pcap*"))
    return own + (sorted((SHARED / "lab").glob("*/*.pcap")) if SHARED.is_dir() else [])


def test_no_frame_of_real_captures_is_missed() -> None:
    passed = 0
    for path in captures():
        if path.read_bytes()[:4] not in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"):
            continue
        network = Network(0, frozenset(), Tally())
        for number, (link_type, frame) in enumerate(frames(path), 1):
            passes = filter_of({101: RAW}.get(link_type, link_type)).passes(frame)
            matters, kind = wanted(network, link_type, frame)
            assert passes or not matters, (path, number)
            assert not (passes and kind == kinds.ESP), (path, number)
            passed += passes
    assert passed > 300
