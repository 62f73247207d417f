"""Tunnels, one in another; and what dpkt really does with their headers."""

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.capture.datagram import Datagram
from tests.capture.frames import (
    A6,
    T0,
    A,
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
OUTER = {"source": "10.0.0.1", "destination": "10.0.0.2"}


def gre(protocol: int, payload: bytes, flags: int = 0, fields: bytes = b"") -> bytes:
    return ethernet(ipv4(u16(flags) + u16(protocol) + fields + payload, 47, **OUTER))


def label(value: int, bottom: bool) -> bytes:
    return u32(value << 12 | bottom << 8 | 64)


def pppoe(ppp: bytes) -> bytes:
    return ethernet(b"\x11\0" + u16(1) + u16(len(ppp)) + ppp, 0x8864)


def nested(depth: int) -> bytes:
    packet = IKE4
    for _ in range(depth):
        packet = ipv4(packet, 4)
    return ethernet(packet)


SNAP = b"\xaa\xaa\x03\0\0\0\x08\0"


CARRIERS = {
    "IP in IP": ethernet(ipv4(IKE4, 4, **OUTER)),
    "IP in IP, deep": nested(7),
    "IPv6 in IPv4": ethernet(ipv4(IKE6, 41, **OUTER)),
    "IPv4 in IPv6": ethernet(ipv6(IKE4, 4), 0x86DD),
    "GRE": gre(0x0800, IKE4),
    "GRE with IPv6": gre(0x86DD, IKE6),
    "GRE with key": gre(0x0800, IKE4, 0x2000, u32(9)),
    "GRE with checksum, key and sequence": gre(0x0800, IKE4, 0xB000, u32(1) + u32(2) + u32(3)),
    "GRE with routing": gre(0x0800, IKE4, 0x4000, u32(0) + b"\x08\0\0\4" + bytes(4) + bytes(4)),
    "GRE with Ethernet": gre(0x6558, ethernet(IKE4)),
    "GRE with Ethernet and a tag": gre(0x6558, ethernet(u16(5) + u16(0x0800) + IKE4, 0x8100)),
    "GRE with MPLS": gre(0x8847, label(3, True) + IKE4),
    "GRE in IPv6": ethernet(ipv6(b"\0\0\x08\0" + IKE4, 47), 0x86DD),
    "PPTP": gre(0x880B, b"\xff\x03\x00\x21" + IKE4, 0x3081, u16(len(IKE4) + 4) + u16(1) + u32(1) + u32(2)),
    "ERSPAN I": gre(0x88BE, ethernet(IKE4)),
    "ERSPAN II": gre(0x88BE, bytes(8) + ethernet(IKE4), 0x1000, u32(1)),
    "ERSPAN III": gre(0x22EB, bytes(12) + ethernet(IKE4), 0x1000, u32(1)),
    "ERSPAN III with subheader": gre(0x22EB, bytes(11) + b"\1" + bytes(8) + ethernet(IKE4), 0x1000, u32(1)),
    "MPLS": ethernet(label(16, True) + IKE4, 0x8847),
    "MPLS, three labels": ethernet(label(16, False) + label(17, False) + label(18, True) + IKE4, 0x8847),
    "MPLS with IPv6": ethernet(label(16, True) + IKE6, 0x8847),
    "MPLS with IP options": ethernet(label(16, True) + ipv4(udp(MESSAGE), options=bytes(4)), 0x8848),
    "MPLS with Ethernet": ethernet(label(16, True) + ethernet(IKE4), 0x8847),
    "MPLS with Ethernet of another maker": ethernet(label(16, True) + b"\x48" + ethernet(IKE4)[1:], 0x8847),
    "MPLS with control word": ethernet(label(16, True) + bytes(4) + ethernet(IKE4), 0x8847),
    "MPLS in IP": ethernet(ipv4(label(16, True) + IKE4, 137, **OUTER)),
    "PPPoE": pppoe(b"\0\x21" + IKE4),
    "PPPoE, compressed": pppoe(b"\x21" + IKE4),
    "PPPoE with IPv6": pppoe(b"\0\x57" + IKE6),
    "PPPoE in a VLAN": ethernet(u16(7) + u16(0x8864) + pppoe(b"\0\x21" + IKE4)[14:], 0x8100),
    "SNAP": ethernet(SNAP + IKE4, len(SNAP + IKE4)),
    "LLC": ethernet(b"\x06\x06\x03" + IKE4, 3 + len(IKE4)),
    "EtherIP": ethernet(ipv4(b"\x30\0" + ethernet(IKE4), 97, **OUTER)),
    "VXLAN": ethernet(ipv4(udp(b"\x08" + bytes(7) + ethernet(IKE4), 50000, 4789), **OUTER)),
    "GENEVE": ethernet(ipv4(udp(b"\x01\0\x65\x58" + bytes(8) + ethernet(IKE4), 50000, 6081), **OUTER)),
}


@pytest.mark.parametrize("frame", CARRIERS.values(), ids=CARRIERS)
def test_carriers(frame: bytes) -> None:
    (found,) = read(pcap([frame + bytes(6)])).captured
    assert isinstance(found, Datagram)
    assert (found.payload, found.length) == (MESSAGE, len(MESSAGE))
    assert found.source in (A, A6)


@pytest.mark.parametrize("frame", CARRIERS.values(), ids=CARRIERS)
def test_snapped_carriers_still_name_the_ports(frame: bytes) -> None:
    (found,) = read(pcap([(T0, frame[: 4 - len(MESSAGE)], len(frame))])).captured
    assert isinstance(found, Datagram)
    assert (found.payload, found.length) == (MESSAGE[:4], len(MESSAGE))


@pytest.mark.parametrize("frame", CARRIERS.values(), ids=CARRIERS)
def test_prefixes_of_carriers(frame: bytes) -> None:
    read(pcap([(T0, frame[:size], len(frame)) for size in range(len(frame))]))


PPP_LINKS = {
    "PPP": (9, b"\xff\x03\0\x21" + IKE4),
    "PPP, no address": (9, b"\0\x21" + IKE4),
    "PPP, compressed": (9, b"\x21" + IKE4),
    "PPP in HDLC": (50, b"\xff\x03\0\x57" + IKE6),
    "PPPoE": (51, pppoe(b"\0\x21" + IKE4)[14:]),
}


@pytest.mark.parametrize(("link_type", "frame"), PPP_LINKS.values(), ids=PPP_LINKS)
def test_ppp_links(link_type: int, frame: bytes) -> None:
    (found,) = read(pcap([frame], link_type)).captured
    assert isinstance(found, Datagram)
    assert found.payload == MESSAGE


OTHERS = {
    "PPP 0xc021": pppoe(b"\xc0\x21" + bytes(10)),
    "GRE": gre(0x2001, bytes(20)),
    "TCP": gre(0x0800, ipv4(bytes(20), 6)),
    "STP/LLC": ethernet(b"\xaa\xaa\x03\0\0\x0c\x20\0" + bytes(40), 48),
}


@pytest.mark.parametrize(("name", "frame"), OTHERS.items(), ids=OTHERS)
def test_others_inside(name: str, frame: bytes) -> None:
    seen = read(pcap([frame]))
    assert seen.captured == []
    assert seen.summary.protocols == {name: 1}


def test_nesting_is_bounded() -> None:
    assert read(pcap([nested(400)])).summary.unreadable == 1


# -- what dpkt does, on which the choice of what is left to it rests


def test_dpkt_gre_header_alone() -> None:
    header = dpkt.gre.GRE(u16(0xB000) + u16(0) + bytes(12) + b"inside")
    assert header.data == b"inside"


def test_dpkt_pppoe_header_alone() -> None:
    assert dpkt.pppoe.PPPoE(b"\x11\0\0\1\0\x62\0\x21").ppp.p == 0x21
    assert dpkt.pppoe.PPPoE(b"\x11\0\0\1\0\x62\x21\x45").ppp.p == 0x21


def test_dpkt_takes_ip_options_behind_mpls_for_ethernet() -> None:
    frame = ethernet(label(16, True) + ipv4(udp(MESSAGE), options=bytes(4)), 0x8847)
    assert not isinstance(dpkt.ethernet.Ethernet(frame).data, dpkt.ip.IP)


def test_dpkt_has_no_depth() -> None:
    with pytest.raises((RecursionError, dpkt.UnpackError)):
        dpkt.ip.IP(nested(2000)[14:])


@given(st.binary(max_size=200), st.sampled_from([0x8864, 0x8847, 0x6558, 0x0800, 0x86DD, 0x880B]))
def test_arbitrary_octets_behind_an_ethertype(octets: bytes, ethertype: int) -> None:
    read(pcap([ethernet(octets, ethertype)]))


@given(st.sampled_from(sorted(CARRIERS)), st.data())
def test_flipped_octets_in_carriers(name: str, data: st.DataObject) -> None:
    frame = bytearray(CARRIERS[name])
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    read(pcap([bytes(frame)]))


def test_gre_with_arbitrary_flags() -> None:
    frames = [gre(0x0800, IKE4, flags) for flags in range(0, 0x10000, 0x11)]
    assert read(pcap(frames)).summary.frames == len(frames)
