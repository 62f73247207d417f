"""Plain frames: link layers, IP, UDP; what is told apart by port and payload."""

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapdiag.capture import kinds, savefile, walker
from pcapdiag.capture.datagram import Datagram, Frame
from pcapdiag.capture.savefile import Savefile
from pcapdiag.capture.sieve import Collector
from tests.capture.frames import (
    A6,
    B6,
    T0,
    A,
    B,
    Blocks,
    Seen,
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


def only(octets: bytes, **options: object) -> Datagram:
    (datagram,) = read(octets, **options).captured
    assert isinstance(datagram, Datagram)
    return datagram


def test_plain_datagram() -> None:
    assert only(pcap([ethernet(IKE4)])) == Datagram(Frame(0, 1), T0, A, 500, B, 500, MESSAGE, len(MESSAGE), 61, 7)


def test_plain_ipv6_datagram() -> None:
    found = only(pcap([ethernet(IKE6, 0x86DD)]), capture=3)
    assert found == Datagram(Frame(3, 1), T0, A6, 500, B6, 500, MESSAGE, len(MESSAGE), 62, None)


def tag(ethertype: int, payload: bytes) -> bytes:
    return u16(5) + u16(ethertype) + payload


LINKS = {
    "vlan": (1, ethernet(tag(0x0800, IKE4), 0x8100)),
    "qinq": (1, ethernet(tag(0x8100, tag(0x0800, IKE4)), 0x88A8)),
    "four tags": (1, ethernet(tag(0x9200, tag(0x8100, tag(0x8100, tag(0x0800, IKE4)))), 0x9100)),
    "vlan, IPv6": (1, ethernet(tag(0x86DD, IKE6), 0x8100)),
    "cooked": (113, u16(0) + u16(1) + u16(6) + bytes(8) + u16(0x0800) + IKE4),
    "cooked, vlan": (113, u16(0) + u16(1) + u16(6) + bytes(8) + u16(0x8100) + tag(0x0800, IKE4)),
    "cooked 2": (276, u16(0x0800) + u16(0) + u32(3) + u16(1) + bytes(2) + bytes(8) + IKE4),
    "cooked 2, IPv6": (276, u16(0x86DD) + u16(0) + u32(3) + u16(1) + bytes(2) + bytes(8) + IKE6),
    "null, little endian": (0, struct.pack("<I", 2) + IKE4),
    "null, big endian": (0, struct.pack(">I", 2) + IKE4),
    "null, IPv6 of Darwin": (0, struct.pack("<I", 30) + IKE6),
    "loop": (108, struct.pack(">I", 24) + IKE6),
    "cisco hdlc": (104, b"\x0f\0" + u16(0x0800) + IKE4),
    **{f"raw {number}": (number, IKE4) for number in (12, 14, 101, 228)},
    **{f"raw {number}, IPv6": (number, IKE6) for number in (12, 14, 101, 229)},
}


@pytest.mark.parametrize(("link_type", "frame"), LINKS.values(), ids=LINKS)
@pytest.mark.parametrize("order", ["<", ">"])
def test_link_layers(link_type: int, frame: bytes, order: str) -> None:
    assert only(pcap([frame], link_type, order=order)).payload == MESSAGE


@pytest.mark.parametrize(("link_type", "frame"), LINKS.values(), ids=LINKS)
def test_no_prefix_of_a_frame_is_misread(link_type: int, frame: bytes) -> None:
    for size in range(len(frame)):
        seen = read(pcap([(T0, frame[:size], len(frame)), frame], link_type))
        assert seen.summary.snapped == 1
        for datagram in seen.captured:
            assert isinstance(datagram, Datagram)
            assert MESSAGE.startswith(datagram.payload)
            assert datagram.length == len(MESSAGE)
        assert len(seen.captured) == (2 if size >= len(frame) - len(MESSAGE) else 1)


def test_ip_options() -> None:
    assert only(pcap([ethernet(ipv4(udp(MESSAGE), options=b"\x94\x04\0\0"))])).payload == MESSAGE


def test_ethernet_padding_is_no_payload() -> None:
    short = only(pcap([ethernet(ipv4(udp(b"x"))) + bytes(20)]))
    assert (short.payload, short.length) == (b"x", 1)


def test_empty_payload_is_handed_on() -> None:
    found = only(pcap([ethernet(ipv4(udp(b""))) + bytes(18)]))
    assert (found.payload, found.length) == (b"", 0)


def test_total_length_of_zero_goes_to_the_end_of_the_frame() -> None:
    assert only(pcap([ethernet(ipv4(udp(MESSAGE), total=0))])).payload == MESSAGE
    assert only(pcap([ethernet(ipv6(udp(MESSAGE), length=0), 0x86DD)])).payload == MESSAGE


def test_udp_length_of_zero_takes_the_word_of_ip() -> None:
    found = only(pcap([ethernet(ipv4(udp(MESSAGE, length=0))) + bytes(4)]))
    assert (found.payload, found.length) == (MESSAGE, len(MESSAGE))


def test_udp_length_beyond_the_packet_is_kept_as_declared() -> None:
    found = only(pcap([ethernet(ipv4(udp(MESSAGE, length=1000))) + bytes(40)]))
    assert (found.payload, found.length) == (MESSAGE, 992)


def test_snapped_frame() -> None:
    frame = ethernet(IKE4)
    seen = read(pcap([(T0, frame[:50], len(frame))]))
    (found,) = seen.captured
    assert isinstance(found, Datagram)
    assert (found.payload, found.length) == (MESSAGE[:8], len(MESSAGE))
    assert seen.summary.snapped == 1


# -- which UDP


@pytest.mark.parametrize(("source", "destination"), [(500, 1), (1, 500), (500, 500), (4500, 500), (500, 4500)])
def test_anything_on_port_500(source: int, destination: int) -> None:
    assert only(pcap([ethernet(ipv4(udp(b"garbage", source, destination)))])).payload == b"garbage"


def test_a_port_of_ones_own() -> None:
    octets = pcap([ethernet(ipv4(udp(b"garbage", 40000, 1500)))])
    assert read(octets).captured == []
    assert only(octets, ports=(1500, 4500)).destination_port == 1500


@pytest.mark.parametrize("marker", [b"", bytes(4)])
@pytest.mark.parametrize("exchange", [1, 2, 4, 5, 6, 32, 33, 34, 37, 43, 240, 247])
@pytest.mark.parametrize("version", [0x10, 0x20])
def test_isakmp_header_on_other_ports(marker: bytes, exchange: int, version: int) -> None:
    payload = marker + isakmp(b"body", exchange, version)
    assert only(pcap([ethernet(ipv4(udp(payload, 40000, 40001)))])).payload == payload


@pytest.mark.parametrize(
    "payload",
    [
        isakmp(b"body", exchange=7),
        isakmp(b"body", exchange=44),
        isakmp(b"body", version=0x11),
        isakmp(b"body") + b"x",
        bytes(8) + isakmp(b"body")[8:],
        isakmp()[:27],
        b"",
    ],
)
def test_no_isakmp_header_on_other_ports(payload: bytes) -> None:
    seen = read(pcap([ethernet(ipv4(udp(payload, 40000, 53)))]))
    assert seen.captured == []
    assert seen.summary.protocols == {"UDP 53": 1}


@pytest.mark.parametrize(
    "payload", [bytes(4) + MESSAGE, MESSAGE, bytes(4), b"", b"\xff\xff", b"abc", b"\0", bytes(4) + b"junk"]
)
def test_datagrams_on_4500(payload: bytes) -> None:
    seen = read(pcap([ethernet(ipv4(udp(payload, 4500, 4500))) + bytes(9)]))
    assert [d.payload for d in seen.captured if isinstance(d, Datagram)] == [payload]
    assert seen.summary.datagrams == 1


def test_keepalive_is_yielded_and_counted_apart() -> None:
    seen = read(pcap([ethernet(ipv4(udp(b"\xff", 4500, 61000))) + bytes(17)]))
    (found,) = seen.captured
    assert isinstance(found, Datagram)
    assert found.payload == b"\xff"
    assert (seen.summary.nat_keepalives, seen.summary.datagrams) == (1, 0)


def test_esp_is_counted_by_flow() -> None:
    esp = u32(0xC0FFEE01) + u32(1) + bytes(40)
    octets = pcap(
        [
            ethernet(ipv4(udp(esp, 4500, 4500))),
            ethernet(ipv4(esp, 50)),
            ethernet(ipv4(udp(esp, 4500, 4500))),
            ethernet(ipv6(esp, 50), 0x86DD),
            ethernet(ipv4(udp(b"\xff\xff\xff\xff\0\0\0\1", 4500, 4500))),
        ]
    )
    seen = read(octets)
    assert seen.captured == []
    assert seen.summary.esp == 5
    flows = [(f.source, f.source_port, f.spi, f.packets, f.last_frame.number) for f in seen.summary.esp_flows]
    assert flows == [
        (A, 4500, 0xC0FFEE01, 2, 3),
        (A, None, 0xC0FFEE01, 1, 2),
        (A6, None, 0xC0FFEE01, 1, 4),
        (A, 4500, 0xFFFFFFFF, 1, 5),
    ]


def test_esp_flows_are_bounded() -> None:
    frames = [ethernet(ipv4(u32(spi) + bytes(8), 50)) for spi in range(1, 4106)]
    summary = read(pcap(frames)).summary
    assert (summary.esp, len(summary.esp_flows)) == (4105, 4096)
    assert summary.warnings == ("x.pcap: 9 ESP packets of further flows are not listed",)


# -- what is not IKE

OTHERS = {
    "TCP": ethernet(ipv4(bytes(20), 6)),
    "TCP ": ethernet(ipv6(bytes(20), 6), 0x86DD),
    "UDP 53": ethernet(ipv4(udp(b"query", 40000, 53))),
    "UDP 5353": ethernet(ipv4(udp(b"query", 40000, 5353))),
    "UDP": ethernet(ipv4(udp(b"media", 40000, 40002))),
    "ICMP": ethernet(ipv4(b"\x08\0" + bytes(30), 1)),
    "ICMPv6": ethernet(ipv6(b"\x87\0" + bytes(30), 58), 0x86DD),
    "OSPF": ethernet(ipv4(bytes(30), 89)),
    "IP protocol 200": ethernet(ipv4(bytes(30), 200)),
    "ARP": ethernet(bytes(28), 0x0806),
    "LLDP": ethernet(bytes(28), 0x88CC),
    "ethertype 0x1234": ethernet(bytes(28), 0x1234),
    "STP/LLC": ethernet(b"\x42\x42\x03" + bytes(40), 38),
    "IPv4 fragment (TCP)": ethernet(ipv4(bytes(20), 6, more=True)),
    "TCP  ": ethernet(tag(0x0800, ipv4(bytes(20), 6)), 0x8100),
}


@pytest.mark.parametrize(("name", "frame"), OTHERS.items(), ids=OTHERS)
def test_other_protocols_have_names(name: str, frame: bytes) -> None:
    seen = read(pcap([frame]))
    assert seen.captured == []
    assert seen.summary.protocols == {name.strip(): 1}


def test_nothing_of_the_plain_bulk_is_looked_at_again() -> None:
    collector = Collector(frozenset())
    frames = [
        *(frame for name, frame in OTHERS.items() if name != "ARP"),
        ethernet(ipv4(u32(7) + bytes(20), 50)),
        ethernet(ipv4(udp(u32(7) + bytes(20), 4500, 4500))),
    ]
    capture = Savefile(io.BytesIO(pcap(frames)), network=collector)
    assert list(capture) == []
    assert collector.frames == []
    assert capture.summary().esp == 2


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        ethernet(b"")[:13],
        ethernet(IKE4[:19]),
        ethernet(IKE4[:27]),
        ethernet(b"\x44" + IKE4[1:]),
        ethernet(b"\x65" + IKE4[1:]),
        ethernet(ipv4(udp(MESSAGE), total=19)),
        ethernet(IKE6[:39], 0x86DD),
        ethernet(IKE6[:47], 0x86DD),
        ethernet(tag(0x8100, b""), 0x8100),
        ethernet(ipv4(b"abc", 50)),
    ],
)
def test_unreadable_frames(frame: bytes) -> None:
    assert read(pcap([frame])).summary.unreadable == 1


# -- the two loops


BUILDERS = st.one_of(
    st.binary(max_size=120),
    st.builds(lambda body, port: ethernet(ipv4(udp(body, port, 4500))), st.binary(max_size=60), st.integers(0, 65535)),
    st.builds(lambda body, port: ethernet(ipv4(udp(body, 53, port))), st.binary(max_size=60), st.integers(0, 65535)),
    st.builds(lambda body, kind: ethernet(ipv4(body, kind)), st.binary(min_size=20, max_size=60), st.integers(0, 255)),
    st.builds(lambda body, kind: ethernet(ipv6(body, kind), 0x86DD), st.binary(max_size=60), st.integers(0, 255)),
    st.builds(
        lambda body, at: ethernet(ipv4(body, offset=8 * at, more=True)), st.binary(max_size=60), st.integers(0, 9)
    ),
    st.builds(lambda body: ethernet(tag(0x0800, ipv4(body, 50)), 0x8100), st.binary(max_size=60)),
    st.builds(
        lambda body, kind, total: ethernet(ipv4(body, kind, total=total)),
        *(st.binary(min_size=30, max_size=80), st.sampled_from((6, 17, 50, 89, 1)), st.integers(0, 120)),
    ),
    st.builds(
        lambda body, kind, length: ethernet(ipv6(body, kind, length=length), 0x86DD),
        *(st.binary(min_size=30, max_size=80), st.sampled_from((6, 17, 50, 58)), st.integers(0, 120)),
    ),
    st.builds(
        lambda ports, at, octet: ethernet(ipv4(udp(bytes(at) + octet + bytes(60 - at), *ports))),
        *(st.tuples(*[st.sampled_from((53, 443, 4789, 5060, 6081, 9999, 51820))] * 2), st.integers(0, 59)),
        st.sampled_from((b"\x10", b"\x20", b"\x01")),
    ),
    st.just(ethernet(ipv4(udp(isakmp(bytes(20)), 40_000, 40_001)))),
    st.just(ethernet(ipv6(udp(bytes(4) + isakmp(bytes(20)), 40_000, 40_001)), 0x86DD)),
    st.just(ethernet(IKE4)),
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1 << 61), BUILDERS, st.integers(0, 30)), max_size=40),
    st.sampled_from((1, 101, 113, 276, 0)),
    st.sampled_from("<>"),
    st.booleans(),
    st.integers(0, 40),
)
def test_both_loops_see_the_same(
    frames: list[tuple[int, bytes, int]], link_type: int, order: str, next_generation: bool, cut: int
) -> None:
    entries = [(time % (4 << 60), frame, len(frame) + more) for time, frame, more in frames]
    if next_generation:
        blocks = Blocks(order)
        octets = blocks.section() + blocks.interface(link_type)
        octets += b"".join(blocks.packet(frame, time, original=size) for time, frame, size in entries)
    else:
        octets = pcap(entries, link_type, order=order)
    compiled, interpreted = by_both_loops(octets[: max(len(octets) - cut, 48)])
    assert compiled == interpreted


def by_both_loops(octets: bytes) -> list[Seen]:
    seen = []
    for names in (("scan_pcap", "scan_pcapng"), ("scan_pcap_fields", "scan_pcapng_fields")):
        with pytest.MonkeyPatch.context() as patch:
            for name, chosen in zip(("_scan_pcap", "_scan_pcapng"), names, strict=True):
                patch.setattr(savefile, name, getattr(walker, chosen))
            seen.append(read(octets))
    return seen


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("link_type", [1, 113, 276])
def test_a_total_length_less_than_the_header_is_unreadable(link_type: int, order: str) -> None:
    before = {1: ethernet(b""), 113: bytes(14) + u16(0x0800), 276: u16(0x0800) + bytes(18)}[link_type]
    frames = [before + ipv4(bytes(40), 89, total=total) for total in range(30)]
    blocks = Blocks(order)
    packets = b"".join(blocks.packet(frame, n) for n, frame in enumerate(frames))
    for octets in (pcap(frames, link_type, order=order), blocks.section() + blocks.interface(link_type) + packets):
        for seen in by_both_loops(octets):
            assert (seen.summary.unreadable, seen.summary.protocols) == (19, {"OSPF": 11})


@given(st.lists(st.tuples(st.integers(0, 9_000), st.integers(0, 1 << 62)), max_size=200), st.booleans())
def test_flows_are_the_same_however_they_are_counted(packets: list[tuple[int, int]], in_udp: bool) -> None:
    near, plain = walker.Flows(), walker.Flows()
    found = walker.Found()
    for number, (spi, time) in enumerate(packets):
        body = u32(spi) + bytes(12)
        buffer = ipv4(udp(body, 4500, 4500) if in_udp else body, 17 if in_udp else 50)
        found.version, found.ip, found.transport, found.ports = 4, 0, 20, in_udp
        near.count_near(buffer, found, number, time)
        plain.count(walker.flow_key(buffer, found), number, time)
    near.settle()
    assert list(near.rows.items()) == list(plain.rows.items())
    assert near.overflow == plain.overflow


@given(st.lists(st.integers(0, 1 << 23), max_size=300))
def test_other_frames_are_the_same_however_they_are_counted(keys: list[int]) -> None:
    near, plain = walker.Tally(), walker.Tally()
    for key in keys:
        near.count_near(key)
        plain.count_other(key)
    near.settle()
    assert list(near.others.items()) == list(plain.others.items())


def test_tables_that_are_full_count_what_finds_no_place() -> None:
    flows = walker.Flows()
    for spi in range(walker.MAX_ESP_FLOWS + 10):
        for _ in range(2):
            flows.count(bytes(8) + u32(spi), 1, 1)
    assert (len(flows.rows), flows.overflow) == (walker.MAX_ESP_FLOWS, 20)
    tally = walker.Tally()
    for key in range(1, kinds.MAX_KEYS + 11):
        tally.count_near(key)
    tally.settle()
    assert tally.others[kinds.KEY_REST] == 10
