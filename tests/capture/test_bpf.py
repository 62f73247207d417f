"""The kernel's filter lets through what the walker wants, and not the bulk of ESP."""

import struct
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pcapdiag.capture import bpf, libpcap, walker
from pcapdiag.capture.savefile import Savefile
from tests import CAPTURES, SHARED
from tests.messages import main_mode

try:
    libpcap.version()
except libpcap.MissingLibraryError:
    pytest.skip("needs libpcap (on Debian: libpcap0.8)", allow_module_level=True)

ETHERNET, RAW, COOKED = 1, 12, 276


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


class Filtered(Savefile):
    """Asks the filter about every frame that the walker stops at."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.filters: dict[int, libpcap.Filter] = {}
        self.missed: Counter[str] = Counter()
        self.passed = 0

    def _take(self, kind: int, buffer: bytes, link: Any) -> None:
        frame = buffer[self._found.start : self._found.stop]
        tally = self._tally
        before = (tally.datagrams, tally.icmp_errors, tally.ip_fragments, tally.nat_keepalives)
        super()._take(kind, buffer, link)
        wanted = (tally.datagrams, tally.icmp_errors, tally.ip_fragments, tally.nat_keepalives) != before
        if link.type not in self.filters:
            self.filters[link.type] = filter_of({101: RAW}.get(link.type, link.type))
        passes = self.filters[link.type].passes(frame)
        if wanted and not passes:
            self.missed[f"kind {kind}"] += 1
        if kind == walker.ESP and passes:
            self.missed["ESP passed"] += 1
        self.passed += passes


def captures() -> list[Path]:
    own = sorted(CAPTURES.glob("*.pcap*"))
    return own + (sorted((SHARED / "lab").glob("*/*.pcap")) if SHARED.is_dir() else [])


def test_no_frame_of_real_captures_is_missed() -> None:
    passed = 0
    for path in captures():
        found = Filtered(path)
        list(found)
        assert not found.missed, path
        passed += found.passed
    assert passed > 300
