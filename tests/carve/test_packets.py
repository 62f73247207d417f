"""Frames: addresses of every layer, what is inside, checksums right where they were right."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pcapdiag.carve.addresses import AddressMap
from pcapdiag.carve.checksums import checksum, is_right
from pcapdiag.carve.messages import Messages
from pcapdiag.carve.packets import Packets
from pcapdiag.carve.scramble import Scrambler
from tests.capture.frames import A6, B6, ROUTER, A, B, ethernet, ipv4, ipv6, isakmp, u16, u32, udp

KEY = b"k" * 32
ADDRESSES = AddressMap(KEY)
SECRET = b"vpn.example.com"
ID = b"\0\0" + u16(8 + len(SECRET)) + b"\2\0\0\0" + SECRET
MESSAGE = isakmp(ID)
MESSAGE = MESSAGE[:16] + b"\5" + MESSAGE[17:]
OLD = [ip_address(a).packed for a in (A, B, A6, B6, ROUTER)]


def packets() -> Packets:
    scrambler = Scrambler(KEY)
    return Packets(ADDRESSES, scrambler, Messages(ADDRESSES, scrambler))


def edited(frame: bytes, link_type: int = 1, wire: int = 0) -> bytes:
    new = packets().edit(frame, wire or len(frame), link_type).finish()
    assert len(new) == len(frame)
    return new


def mapped(address: str) -> bytes:
    return ADDRESSES.octets(ip_address(address).packed)


def summed(packet: bytes, wrong: int = 0) -> bytes:
    """An IPv4 packet with right checksums (or wrong ones by so much) in its header and in UDP, TCP or ICMP."""
    octets = bytearray(packet)
    header = (octets[0] & 15) * 4
    field = {17: 6, 6: 16, 1: 2}.get(octets[9])
    if field is not None:
        pseudo = bytes(octets[12:20]) + bytes((0, octets[9])) + u16(len(octets) - header) if octets[9] != 1 else b""
        at = header + field
        octets[at : at + 2] = b"\0\0"
        octets[at : at + 2] = u16((checksum(pseudo + bytes(octets[header:])) + wrong) & 0xFFFF)
    octets[10:12] = b"\0\0"
    octets[10:12] = u16((checksum(bytes(octets[:header])) + wrong) & 0xFFFF)
    return bytes(octets)


def right(packet: bytes) -> tuple[bool, bool]:
    """Whether the checksums of the header and of what it holds are right."""
    header = (packet[0] & 15) * 4
    pseudo = packet[12:20] + bytes((0, packet[9])) + u16(len(packet) - header) if packet[9] != 1 else b""
    return is_right(packet[:header]), is_right(pseudo + packet[header:])


IKE = ipv4(udp(MESSAGE))
INNER = ethernet(IKE)


def tagged(*tags: int) -> bytes:
    return INNER[:12] + b"".join(u16(0x8100) + u16(tag) for tag in tags) + INNER[12:]


PPPOE = INNER[:12] + u16(0x8864) + b"\x11\0\0\7" + u16(len(IKE) + 2) + b"\0\x21" + IKE
MPLS = INNER[:12] + u16(0x8847) + b"\0\1\0\x40" + b"\0\1\1\x40" + IKE
SNAP = INNER[:12] + u16(8 + len(IKE)) + b"\xaa\xaa\x03\0\0\0\x08\0" + IKE
GRE = ethernet(ipv4(u16(0) + u16(0x0800) + IKE, 47, "10.8.0.1", "10.8.0.2"))
VXLAN = ethernet(ipv4(udp(b"\x08\0\0\0\0\0\7\0" + INNER, 5555, 4789), 17, "10.8.0.1", "10.8.0.2"))
GENEVE = ethernet(ipv4(udp(b"\1\0\x65\x58\0\0\7\0" + SECRET[:4] + INNER, 5555, 6081), 17, "10.8.0.1", "10.8.0.2"))
IPIP = ethernet(ipv4(IKE, 4, "10.8.0.1", "10.8.0.2"))
AH = ethernet(ipv4(b"\x11\4\0\0" + u32(7) + u32(1) + SECRET[:12] + udp(MESSAGE), 51))
V6 = ethernet(ipv6(udp(MESSAGE)), 0x86DD)
HOME = b"\x11\2\1\4" + bytes(2) + b"\xc9\x10" + ip_address(A6).packed
V6_OPTIONS = ethernet(ipv6(HOME + udp(MESSAGE), 60), 0x86DD)
ROUTED = ethernet(ipv6(b"\x11\2\0\1" + bytes(4) + ip_address(B6).packed + udp(MESSAGE), 43), 0x86DD)
ROUTE = b"\x83\x0b\4" + ip_address(ROUTER).packed + ip_address(A).packed + b"\0"
FRAMES = {
    "ethernet": (INNER, 1),
    "padded": (INNER + SECRET, 1),
    "tags": (tagged(5, 6), 1),
    "pppoe": (PPPOE, 1),
    "mpls": (MPLS, 1),
    "snap": (SNAP, 1),
    "cooked": (b"\0\0\0\1\0\6" + b"\2\3\4\5\6\7\0\0" + u16(0x0800) + IKE, 113),
    "cooked 2": (u16(0x0800) + bytes(2) + u32(3) + u16(1) + b"\0\6" + b"\2\3\4\5\6\7\0\0" + IKE, 276),
    "raw": (IKE, 101),
    "loopback": (u32(2) + IKE, 108),
    "ppp": (b"\xff\x03\0\x21" + IKE, 9),
    "gre": (GRE, 1),
    "vxlan": (VXLAN, 1),
    "geneve": (GENEVE, 1),
    "ip in ip": (IPIP, 1),
    "ah": (AH, 1),
    "ipv6": (V6, 1),
    "home address": (V6_OPTIONS, 1),
    "routing header": (ROUTED, 1),
    "source route": (ethernet(ipv4(udp(MESSAGE), options=ROUTE)), 1),
}


@pytest.mark.parametrize("name", FRAMES)
def test_nothing_of_the_original_is_left_in_any_layer(name: str) -> None:
    frame, link_type = FRAMES[name]
    new = edited(frame, link_type)
    for octets in (*OLD, b"\x0a\x08\0\1", b"\x0a\x08\0\2", SECRET[:4], bytes.fromhex("00005e005301"), b"\2\3\4\5\6\7"):
        assert octets not in new
    six = name in ("ipv6", "home address", "routing header")
    assert (mapped(A6) + mapped(B6) if six else mapped(A) + mapped(B)) in new
    assert MESSAGE[:28] in new
    assert len(new) - new.index(MESSAGE[:28]) == len(frame) - frame.index(MESSAGE[:28])


@pytest.mark.parametrize("protocol", [17, 6, 1])
@pytest.mark.parametrize("wrong", [0, 1, 77])
def test_checksums_stay_right_or_wrong(protocol: int, wrong: int) -> None:
    tcp = struct.pack(">HHIIBBHHH", 40000, 4500, 1, 1, 0x50, 0x18, 900, 0, 0)
    tcp += u16(6 + len(MESSAGE)) + bytes(4) + MESSAGE
    icmp = bytes((3, 3, 0, 0, 0, 0, 0, 0)) + summed(IKE)
    body = {17: udp(MESSAGE), 6: tcp, 1: icmp}[protocol]
    packet = summed(ipv4(body, protocol), wrong)
    assert right(packet) == (not wrong, not wrong)
    new = edited(packet, 101)
    assert right(new) == (not wrong, not wrong)
    if protocol == 1:
        assert right(new[28:]) == (True, True)
        assert new[40:48] == mapped(A) + mapped(B)
    elif wrong:
        # How wrong it was is not told: of a NAT that forgot the checksum it would be half the address.
        assert edited(summed(ipv4(body, protocol), 5), 101) == new


def test_no_checksum_stays_none_and_one_that_cannot_be_checked_is_another() -> None:
    assert edited(IKE, 101)[26:28] == b"\0\0"
    packet = summed(IKE)
    cut = edited(packet[:50], 101, len(packet))
    assert cut[26:28] not in (b"\0\0", packet[26:28])
    assert is_right(cut[:20])


def test_esp_and_keepalives() -> None:
    esp = u32(0xC0FFEE) + u32(9) + SECRET * 4
    for frame in (ethernet(ipv4(esp, 50)), ethernet(ipv4(udp(esp, 4500, 4500)))):
        new = edited(frame)
        assert esp[:8] in new
        assert SECRET not in new
    keepalive = ethernet(ipv4(udp(b"\xff", 4500, 4500)))
    assert edited(keepalive)[-9:] == keepalive[-9:]


def test_redirects_and_what_is_behind_a_quote() -> None:
    quote = summed(IKE)[:56]
    redirect = ipv4(b"\5\1\0\0" + ip_address(ROUTER).packed + quote, 1, ROUTER, A)
    assert edited(redirect, 101)[24:28] == mapped(ROUTER)
    padded = quote + bytes(128 - len(quote))
    extended = ipv4(b"\3\1\0\0\0\x20\0\0" + padded + b"\x20\0\0\0" + b"\0\x10\2\1" + b"eth0.wan-name", 1, ROUTER, A)
    assert b"wan-name" not in edited(extended, 101)


def test_ike_in_tcp() -> None:
    def segment(data: bytes, sequence: int = 1, ports: tuple[int, int] = (40000, 4500)) -> bytes:
        return ipv4(struct.pack(">HHIIBBHHH", *ports, sequence, 1, 0x50, 0x18, 900, 0, 0) + data, 6)

    message, esp = bytes(4) + MESSAGE, u32(0xC0FFEE) + u32(1) + SECRET
    stream = b"IKETCP" + u16(2 + len(message)) + message + u16(2 + len(esp)) + esp + u16(3) + b"\xff"
    new = edited(segment(stream), 101)[40:]
    assert SECRET not in new
    at = 8 + len(message)
    assert new[: 8 + 4 + 28] == stream[: 8 + 4 + 28]
    assert new[at : at + 10] == stream[at : at + 10]
    assert new[-3:] == stream[-3:]
    found, pieces = packets(), []
    for start, stop in ((0, 50), (50, 62), (62, len(stream))):
        frame = segment(stream[start:stop], 1 + start)
        pieces.append(found.edit(frame, len(frame), 101).finish()[40:])
    joined = b"".join(pieces)
    assert joined[:40] == stream[:40]
    assert joined[at:] == new[at:]
    assert SECRET[:4] not in joined
    row = u16(2 + len(esp)) + esp
    assert edited(segment(row), 101)[40:50] == row[:10]
    assert SECRET not in edited(segment(SECRET * 5), 101)
    cisco = udp(MESSAGE) + SECRET + b"."
    new = edited(segment(cisco, ports=(10000, 999)), 101)[40:]
    assert new[:36] == cisco[:36]
    assert SECRET not in new


@pytest.mark.parametrize(
    "frame",
    [ethernet(SECRET * 3, 0x1234), ethernet(ipv4(SECRET * 3, 132)), ethernet(ipv4(udp(SECRET * 3, 53, 53)))],
)
def test_what_cannot_be_taken_apart_is_overwritten(frame: bytes) -> None:
    assert SECRET not in edited(frame)


mutations = st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(FRAMES)), mutations, st.integers(0, 300))
@example("routing header", [], 62)  # cut within the header
def test_damaged_frames_keep_their_length(name: str, changes: list[tuple[int, int]], cut: int) -> None:
    frame, link_type = FRAMES[name]
    octets = bytearray(frame)
    for place, value in changes:
        octets[place % len(octets)] = value
    edited(bytes(octets[: cut or None]), link_type, len(octets))


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([0, 1, 9, 50, 51, 101, 104, 108, 113, 276, 147]))
def test_any_octets_keep_their_length(frame: bytes, link_type: int) -> None:
    edited(frame, link_type)


def test_other_ports_are_ike_where_they_are_said_to_be() -> None:
    scrambler = Scrambler(KEY)
    ports = Packets(ADDRESSES, scrambler, Messages(ADDRESSES, scrambler), frozenset((1500,)))
    frame = ipv4(udp(MESSAGE[:60] + b"?", 1500, 1500))
    assert ports.edit(frame, len(frame), 101).finish()[28:56] == MESSAGE[:28]
