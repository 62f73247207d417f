"""IKE in TCP: segments in every order and shape, gaps, bounds; and the counts that come of them."""

import itertools
import struct
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapdiag.capture import kinds, streams
from pcapdiag.capture.datagram import Datagram, Frame
from pcapdiag.capture.streams import ACK, FIN, RST, SYN, Carrier, Flow, Packet, Segment, Streams
from tests.capture.frames import SECOND, T0, Blocks, Seen, ethernet, ipv4, ipv6, isakmp, pcap, read, udp
from tests.capture.frames import A as ADDRESS_A
from tests.capture.frames import B as ADDRESS_B

OUT = Flow(b"\xc0\0\2\1", 40000, b"\xc6\x33\x64\2", 4500)
BACK = OUT.reverse()
MARKER = bytes(4)
FIRST, SECOND_ONE, THIRD = (isakmp(bytes([fill]) * fill) for fill in (30, 60, 90))
ESP = bytes.fromhex("c0ffee01 00000001") + bytes(range(40))


def framed(*packets: bytes) -> bytes:
    """Packets as RFC 9329 §3 has them, IKE with its marker."""
    return b"".join(struct.pack(">H", 2 + len(packet)) + packet for packet in packets)


def ike(*messages: bytes) -> bytes:
    return framed(*(MARKER + message for message in messages))


class Wire:
    """Feeds segments in, a frame and a millisecond each, and keeps what comes out."""

    def __init__(self, isn: int = 1000) -> None:
        self.streams = Streams()
        self.isn = isn
        self.number = 0
        self.out: list[Packet] = []

    def send(
        self, offset: int, octets: bytes, *, flow: Flow = OUT, flags: int = 0, ack: int = 0, wait: float = 0.001,
        length: int | None = None,
    ) -> list[Packet]:  # fmt: skip
        """One segment whose data begin `offset` behind the first octet of data."""
        self.number += 1
        self.time = getattr(self, "time", T0) + round(wait * SECOND)
        carrier = Carrier(Frame(0, self.number), self.time, 64, self.number)
        sequence = (self.isn + 1 + offset - bool(flags & SYN)) % (1 << 32)
        size = len(octets) if length is None else length
        acknowledged = (self.isn + 1 + ack) % (1 << 32)
        found = self.streams.take(Segment(flow, sequence, acknowledged, flags, size, octets, carrier))
        self.out += found
        return found

    def open(self) -> "Wire":
        self.send(0, b"", flags=SYN)
        self.send(0, b"", flow=BACK, flags=SYN | ACK)
        return self

    def finish(self) -> list[Packet]:
        self.out += self.streams.rest()
        return self.out


def payloads(packets: Iterable[Packet]) -> list[bytes]:
    return [packet.payload for packet in packets]


def frames(packet: Packet) -> list[int]:
    return [carrier.frame.number for carrier in packet.carriers]


STREAM = b"IKETCP" + ike(FIRST) + framed(ESP) + ike(SECOND_ONE) + framed(b"\xff") + ike(THIRD)
WHOLE = [MARKER + FIRST, ESP, MARKER + SECOND_ONE, b"\xff", MARKER + THIRD]
KINDS = [kinds.DATAGRAM, kinds.ESP, kinds.DATAGRAM, kinds.KEEPALIVE, kinds.DATAGRAM]


# -- in order


def test_one_segment() -> None:
    wire = Wire().open()
    found = wire.send(0, STREAM)
    assert payloads(found) == WHOLE
    assert [packet.kind for packet in found] == KINDS
    assert [packet.length for packet in found] == [len(whole) for whole in WHOLE]
    assert all(frames(packet) == [3] for packet in found)


@pytest.mark.parametrize("cut", range(1, len(STREAM)))
def test_split_at_every_octet(cut: int) -> None:
    wire = Wire().open()
    wire.send(0, STREAM[:cut])
    wire.send(cut, STREAM[cut:])
    assert payloads(wire.out) == WHOLE
    end = 6
    for packet in wire.out:
        begin, end = end, end + 2 + packet.length
        assert frames(packet) == ([3] if end <= cut else [4] if begin >= cut else [3, 4])


@pytest.mark.parametrize("cut", range(1, len(STREAM)))
def test_split_at_every_octet_and_reordered(cut: int) -> None:
    wire = Wire().open()
    assert wire.send(cut, STREAM[cut:]) == []
    assert payloads(wire.send(0, STREAM[:cut])) == WHOLE


def test_octet_by_octet() -> None:
    wire = Wire().open()
    for at in range(len(STREAM)):
        wire.send(at, STREAM[at : at + 1])
    assert payloads(wire.out) == WHOLE
    assert len(wire.out[0].carriers) == len(framed(WHOLE[0]))


def test_both_directions() -> None:
    wire = Wire().open()
    wire.send(0, b"IKETCP" + ike(FIRST))
    wire.send(0, ike(SECOND_ONE)[:9], flow=BACK)
    wire.send(9, ike(SECOND_ONE)[9:], flow=BACK)
    assert [(packet.flow, packet.payload) for packet in wire.out] == [
        (OUT, MARKER + FIRST),
        (BACK, MARKER + SECOND_ONE),
    ]


def test_responders_first_segments_reordered() -> None:
    wire = Wire().open()
    wire.send(0, b"IKETCP")
    answer = ike(FIRST, SECOND_ONE)
    wire.send(20, answer[20:], flow=BACK)
    assert payloads(wire.send(0, answer[:20], flow=BACK)) == [MARKER + FIRST, MARKER + SECOND_ONE]


@pytest.mark.parametrize("isn", [0, (1 << 32) - 1, (1 << 32) - 2, (1 << 32) - 40, (1 << 31) - 5])
def test_sequence_numbers_wrap(isn: int) -> None:
    wire = Wire(isn).open()
    for at in range(0, len(STREAM), 16):
        wire.send(at, STREAM[at : at + 16])
    assert payloads(wire.out) == WHOLE


def test_data_in_the_syn() -> None:
    wire = Wire()
    assert payloads(wire.send(0, STREAM, flags=SYN)) == WHOLE


# -- sent again


def test_retransmission_and_overlap_keep_the_first_octets() -> None:
    wire = Wire().open()
    wire.send(0, STREAM[:40])
    wire.send(0, bytes(40))
    wire.send(20, bytes(20) + STREAM[40:100])
    wire.send(39, b"?", flags=ACK)
    wire.send(90, STREAM[90:])
    assert payloads(wire.out) == WHOLE
    assert payloads(wire.finish()) == WHOLE


def test_overlap_behind_a_gap() -> None:
    wire = Wire().open()
    wire.send(50, STREAM[50:80])
    wire.send(70, STREAM[70:80] + STREAM[80:])
    wire.send(40, STREAM[40:50] + bytes(40) + b"late")
    assert payloads(wire.send(0, STREAM[:45])) == WHOLE


def test_the_same_syn_again() -> None:
    wire = Wire().open()
    wire.send(0, STREAM)
    wire.send(0, b"", flags=SYN)
    wire.send(0, STREAM)
    assert payloads(wire.out) == WHOLE


def test_syn_behind_the_data() -> None:
    wire = Wire()
    wire.send(0, STREAM)
    wire.send(0, b"", flags=SYN)
    wire.send(0, STREAM)
    assert payloads(wire.out) == WHOLE


def test_ports_used_again() -> None:
    wire = Wire().open()
    wire.send(0, STREAM)
    wire.send(len(STREAM), b"", flags=FIN)
    wire.send(0, b"", flow=BACK, flags=FIN)
    wire.isn = 77_000_000
    wire.open().send(0, STREAM)
    assert payloads(wire.out) == WHOLE * 2
    assert len(wire.streams) == 1


def test_segments_after_the_end_are_known() -> None:
    wire = Wire().open()
    wire.send(0, STREAM)
    wire.send(len(STREAM), b"reason", flags=RST)
    wire.send(0, STREAM)
    assert payloads(wire.finish()) == WHOLE


# -- gaps


def lost_segment(wire: Wire) -> None:
    """IKE, then a segment that is not there, the rest of the message that it began, and more IKE."""
    wire.send(0, b"IKETCP" + ike(FIRST))
    at = 6 + len(ike(FIRST)) + 20
    rest = ike(SECOND_ONE)[20:]
    wire.send(at, rest)
    wire.send(at + len(rest), ike(THIRD))


def test_gap_that_is_acknowledged() -> None:
    wire = Wire().open()
    lost_segment(wire)
    assert payloads(wire.out) == [MARKER + FIRST]
    wire.send(0, b"", flow=BACK, flags=ACK, ack=400)
    assert payloads(wire.out) == [MARKER + FIRST]
    found = wire.send(0, b"", flow=BACK, flags=ACK, ack=400, wait=0.002)
    assert payloads(found) == [MARKER + THIRD]
    assert frames(found[0]) == [5]
    assert wire.streams.gaps == 1


def test_gap_that_is_filled_in_time() -> None:
    wire = Wire().open()
    lost_segment(wire)
    found = wire.send(6 + len(ike(FIRST)), ike(SECOND_ONE)[:20], wait=59)
    assert payloads(found) == [MARKER + SECOND_ONE, MARKER + THIRD]
    # The one is whole by the frame that came late, the other was so before.
    assert [frames(packet) for packet in found] == [[4, 6], [5]]
    assert wire.streams.gaps == 0


def test_gap_whose_time_is_up() -> None:
    wire = Wire().open()
    lost_segment(wire)
    assert wire.streams.expired(wire.time + 59 * SECOND) == []
    assert payloads(wire.streams.expired(wire.time + 61 * SECOND)) == [MARKER + THIRD]


@pytest.mark.parametrize("flags", [RST, RST | ACK])
def test_gap_at_a_reset(flags: int) -> None:
    wire = Wire().open()
    lost_segment(wire)
    assert payloads(wire.send(1000, b"", flags=flags)) == [MARKER + THIRD]


def test_gap_at_the_end_of_the_capture() -> None:
    wire = Wire().open()
    lost_segment(wire)
    assert payloads(wire.finish()) == [MARKER + FIRST, MARKER + THIRD]
    assert len(wire.streams) == 0


def test_late_segment_of_a_gap_given_up_is_not_read_twice() -> None:
    wire = Wire().open()
    lost_segment(wire)
    wire.streams.expired(wire.time + 61 * SECOND)
    wire.send(0, STREAM)
    assert payloads(wire.finish()).count(MARKER + FIRST) == 1


def test_gap_too_wide() -> None:
    wire = Wire().open()
    wire.send(0, b"IKETCP" + ike(FIRST))
    assert payloads(wire.send(streams.MAX_WAITING + 1000, ike(SECOND_ONE))) == [MARKER + SECOND_ONE]


# -- beginning in the middle


def test_begins_in_the_middle() -> None:
    wire = Wire()
    stream = ike(FIRST)[30:] + ike(SECOND_ONE)
    wire.send(0, stream[:-100])
    wire.send(len(stream) - 100, stream[-100:])
    wire.send(len(stream), ike(THIRD)[:50])
    wire.send(len(stream) + 50, ike(THIRD)[50:] + ike(FIRST))
    assert payloads(wire.out) == [MARKER + THIRD, MARKER + FIRST]


def test_begins_in_the_middle_of_esp() -> None:
    wire = Wire()
    esp = framed(ESP, ESP)
    # One segment that ends where a packet ends may do so by chance.
    assert wire.send(0, esp) == []
    assert payloads(wire.send(len(esp), esp)) == [ESP, ESP]
    assert payloads(wire.send(2 * len(esp), framed(ESP))) == [ESP]


def test_length_that_cannot_be_true() -> None:
    for length in range(3):
        wire = Wire().open()
        wire.send(0, b"IKETCP" + ike(FIRST) + struct.pack(">H", length) + ike(SECOND_ONE))
        wire.send(1000, ike(THIRD))
        assert payloads(wire.finish()) == [MARKER + FIRST, MARKER + THIRD]


def test_opened_without_the_prefix() -> None:
    wire = Wire().open()
    assert payloads(wire.send(0, ike(FIRST))) == [MARKER + FIRST]
    assert payloads(Wire().open().send(0, b"IKEV2 is not it" + ike(FIRST))) == []


def test_what_is_not_ike_gives_nothing() -> None:
    wire = Wire().open()
    text = b"GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n"
    for n in range(50):
        wire.send(n * len(text), text)
        wire.send(n * 900, b"HTTP/1.1 200 OK\r\n" + bytes(883), flow=BACK)
    assert wire.finish() == []
    assert wire.streams.gaps == 0


# -- snapped segments


def test_snapped_segment_keeps_the_place_of_what_follows() -> None:
    wire = Wire().open()
    one = b"IKETCP" + ike(THIRD)
    found = wire.send(0, one[:60], length=len(one))
    assert payloads(found) == [(MARKER + THIRD)[:52]]
    assert found[0].length == 4 + len(THIRD)
    assert payloads(wire.send(len(one), ike(FIRST))) == [MARKER + FIRST]


def test_snapped_before_the_next_length() -> None:
    wire = Wire().open()
    two = b"IKETCP" + ike(THIRD, SECOND_ONE)
    assert len(wire.send(0, two[:60], length=len(two))) == 1
    assert payloads(wire.send(len(two), ike(FIRST))) == [MARKER + FIRST]


# -- Cisco's port

CISCO = Flow(b"\xc0\0\2\1", 10000, b"\xc6\x33\x64\2", 50000)
TRAILER = bytes(16)


@pytest.mark.parametrize(
    ("octets", "payload"),
    [
        (udp(FIRST) + TRAILER, FIRST),
        (udp(FIRST), FIRST),
        (udp(MARKER + FIRST, 4500, 4500) + TRAILER, MARKER + FIRST),
        (FIRST, FIRST),
        (FIRST + TRAILER, FIRST),
        (MARKER + FIRST, MARKER + FIRST),
        (MARKER + FIRST + TRAILER, MARKER + FIRST),
    ],
)
def test_cisco(octets: bytes, payload: bytes) -> None:
    (found,) = Wire().send(0, octets, flow=CISCO)
    assert (found.kind, found.payload, found.length) == (kinds.DATAGRAM, payload, len(payload))


@pytest.mark.parametrize(
    "octets",
    [b"", b"\0", ESP + TRAILER, FIRST[:-1], FIRST + b"\0", b"x" + FIRST, udp(FIRST[:-1]), udp(FIRST, length=30),
     udp(FIRST, length=0), ike(FIRST), udp(bytes(40)), udp(b"IKE" + FIRST)],
)  # fmt: skip
def test_cisco_without_proof(octets: bytes) -> None:
    wire = Wire()
    assert wire.send(0, octets, flow=CISCO) == []
    assert len(wire.streams) == 0


# -- bounds


def held(found: Streams) -> int:
    return max(d.waiting for c in found._held.values() for d in c.directions.values())


def test_streams_are_bounded() -> None:
    wire = Wire()
    wire.open().send(0, b"IKETCP" + ike(FIRST)[:30])
    for port in range(1, 1001):
        wire.send(0, b"", flow=OUT._replace(source_port=port), flags=SYN)
        if port % 100 == 0:
            wire.send(0, b"", flags=ACK)
        assert len(wire.streams) <= streams.MAX_STREAMS
    assert wire.streams.evicted == 1001 - streams.MAX_STREAMS
    # The one that went on being used is still there.
    assert payloads(wire.send(36, ike(FIRST)[30:])) == [MARKER + FIRST]


def test_closed_streams_give_way_first_and_uncounted() -> None:
    wire = Wire().open()
    for port in range(1, 1001):
        flow = OUT._replace(source_port=port)
        wire.send(0, b"", flow=flow, flags=SYN)
        wire.send(0, b"", flow=flow.reverse(), flags=RST | ACK)
    assert wire.streams.evicted == 0
    assert payloads(wire.send(0, STREAM)) == WHOLE


@pytest.mark.parametrize("size", [1, 1000, 60000])
def test_waiting_octets_are_bounded(size: int) -> None:
    wire = Wire().open()
    wire.send(0, b"IKETCP")
    most = 0
    for n in range(5000 if size == 1 else 500):
        wire.send(7 + n * (size + 1), bytes(size))
        most = max(most, held(wire.streams))
    assert most <= streams.MAX_WAITING
    assert wire.streams.gaps > 0
    assert payloads(wire.send(7_000_000 * 10, ike(FIRST))) == [MARKER + FIRST]


# -- properties

PIECES = st.lists(st.one_of(st.binary(max_size=200).map(isakmp).map(MARKER.__add__),
                            st.binary(min_size=10, max_size=200).map(b"\xc0\xff\xee\1".__add__),
                            st.just(b"\xff")), min_size=1, max_size=6)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(PIECES, st.data())
def test_any_segmentation_gives_the_same(packets: list[bytes], data: st.DataObject) -> None:
    stream = b"IKETCP" + framed(*packets)
    cuts = sorted({0, len(stream), *data.draw(st.lists(st.integers(1, len(stream) - 1), max_size=12))})
    segments = list(itertools.pairwise(cuts))
    again = data.draw(st.lists(st.sampled_from(segments), max_size=6))
    # Such as a sender makes that cuts anew when it sends again.
    starts = data.draw(st.lists(st.integers(0, len(stream) - 1), max_size=4))
    overlaps = [(at, min(at + 70, len(stream))) for at in starts]
    order = data.draw(st.permutations(segments + again + overlaps))
    wire = Wire(data.draw(st.sampled_from([5, (1 << 32) - 30, (1 << 32) - 200]))).open()
    for start, stop in order:
        wire.send(start, stream[start:stop], wait=0)
    assert payloads(wire.out) == packets
    assert payloads(wire.finish()) == packets


SEGMENTS = st.tuples(
    st.sampled_from([OUT, BACK, OUT._replace(source_port=7), CISCO]),
    st.one_of(st.integers(0, 600), st.integers(0, (1 << 32) - 1)),
    st.integers(0, (1 << 32) - 1),
    st.integers(0, 63),
    st.one_of(st.binary(max_size=60), st.sampled_from([STREAM, ike(FIRST), ike(SECOND_ONE)[:50], framed(ESP)])),
    st.integers(-5, 70000),
    st.integers(0, 40 * SECOND),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(SEGMENTS, max_size=40))
def test_no_segments_raise_nor_pass_the_bounds(
    segments: Sequence[tuple[Flow, int, int, int, bytes, int, int]],
) -> None:
    found = Streams()
    time = T0
    out: list[Packet] = []
    for number, (flow, sequence, ack, flags, octets, extra, wait) in enumerate(segments, 1):
        time += wait
        length = len(octets) + max(extra - 60000, 0) if extra >= 0 else extra
        carrier = Carrier(Frame(0, number), time, 64, None)
        out += found.take(Segment(flow, sequence, ack, flags, length, octets[: max(length, 0)], carrier))
        assert not found._held or held(found) <= streams.MAX_WAITING
        for connection in found._held.values():
            for direction in connection.directions.values():
                cost = sum(len(p.octets) + streams._PIECE_OVERHEAD for p in direction.pieces)
                assert direction.waiting == cost
                assert all(a.end <= b.start for a, b in zip(direction.pieces, direction.pieces[1:], strict=False))
    out += found.expired(time + 100 * SECOND) + found.rest()
    for packet in out:
        assert packet.carriers
        assert len(packet.payload) <= packet.length
        assert list(packet.carriers) == sorted(packet.carriers, key=lambda carrier: carrier.frame)


# -- through a savefile


def tcp(
    octets: bytes = b"", sequence: int = 0, flags: int = ACK, *, ports: tuple[int, int] = (40000, 4500), ack: int = 0,
    options: bytes = b"",
) -> bytes:  # fmt: skip
    offset = (20 + len(options)) // 4
    return struct.pack(">HHIIBBHHH", *ports, sequence, ack, offset << 4, flags, 65535, 0, 0) + options + octets


def tcp4(octets: bytes = b"", sequence: int = 0, flags: int = ACK, **fields: object) -> bytes:
    return ethernet(ipv4(tcp(octets, sequence, flags, **fields), 6))  # type: ignore[arg-type]


def datagrams(seen: Seen) -> list[Datagram]:
    assert all(isinstance(item, Datagram) for item in seen.captured)
    return [item for item in seen.captured if isinstance(item, Datagram)]


OPENING = [tcp4(sequence=99, flags=SYN, options=bytes.fromhex("020405b4"))]


def test_savefile() -> None:
    one = b"IKETCP" + ike(FIRST)
    frames = [*OPENING, tcp4(one[:50], 100), tcp4(one[50:], 150), tcp4(framed(ESP), 100 + len(one)),
              tcp4(framed(b"\xff"), 100 + len(one) + len(framed(ESP))), tcp4()]  # fmt: skip
    seen = read(pcap(frames))
    ike_message, keepalive = datagrams(seen)
    assert ike_message == Datagram(
        Frame(0, 3), T0 + 2 * SECOND, ADDRESS_A, 40000, ADDRESS_B, 4500, MARKER + FIRST, 4 + len(FIRST), 61, 7,
        (Frame(0, 2), Frame(0, 3)), "tcp",
    )  # fmt: skip
    assert (keepalive.payload, keepalive.fragments, keepalive.transport) == (b"\xff", (), "tcp")
    summary = seen.summary
    assert (summary.datagrams, summary.esp, summary.nat_keepalives) == (1, 1, 1)
    assert summary.protocols == {"TCP 4500": 3}
    (flow,) = summary.esp_flows
    assert (flow.source, flow.source_port, flow.destination_port, flow.spi, flow.packets) == (
        ADDRESS_A, 40000, 4500, 0xC0FFEE01, 1,
    )  # fmt: skip


@pytest.mark.parametrize("order", "<>")
def test_pcapng_and_cooked_captures(order: str) -> None:
    b = Blocks(order)
    frames = [*OPENING, tcp4(b"IKETCP" + ike(FIRST), 100), tcp4(b"GET /", ports=(50000, 80))]
    octets = b.section() + b.interface() + b"".join(b.packet(frame, n) for n, frame in enumerate(frames))
    seen = read(octets)
    assert [item.frame.number for item in datagrams(seen)] == [2]
    assert seen.summary.protocols == {"TCP": 1, "TCP 4500": 1}
    cooked = [bytes(14) + frame[12:] for frame in frames]
    assert read(pcap(cooked, 113, order=order)).summary.protocols == {"TCP": 1, "TCP 4500": 1}


def test_several_messages_in_one_frame_are_one_frame() -> None:
    seen = read(pcap([*OPENING, tcp4(b"IKETCP" + framed(ESP, ESP, MARKER + FIRST, MARKER + THIRD, ESP), 100)]))
    assert [item.payload for item in datagrams(seen)] == [MARKER + FIRST, MARKER + THIRD]
    assert (seen.summary.datagrams, seen.summary.esp, seen.summary.protocols) == (1, 0, {"TCP 4500": 1})
    assert seen.summary.esp_flows[0].packets == 3


def test_frame_that_completed_a_message_before_a_gap_was_filled() -> None:
    one, two = b"IKETCP" + ike(FIRST), ike(SECOND_ONE)
    seen = read(pcap([*OPENING, tcp4(two, 100 + len(one)), tcp4(one, 100)]))
    assert [item.frame.number for item in datagrams(seen)] == [3, 2]
    assert (seen.summary.datagrams, seen.summary.protocols) == (2, {"TCP 4500": 1})


def test_gap_and_eviction_are_owned_up_to() -> None:
    one = b"IKETCP" + ike(FIRST)
    frames = [*OPENING, tcp4(one, 100), tcp4(ike(THIRD), 200 + len(one))]
    seen = read(pcap(frames))
    assert len(datagrams(seen)) == 2
    assert seen.summary.warnings == ("x.pcap: 1 gaps in TCP streams: messages in them are missing",)
    flood = [tcp4(sequence=1, flags=SYN, ports=(port, 4500)) for port in range(1, 301)]
    assert read(pcap(flood)).summary.warnings == ("x.pcap: 44 TCP streams evicted",)


def test_gap_expires_while_reading() -> None:
    one = b"IKETCP" + ike(FIRST)
    frames = [*OPENING, tcp4(one, 100), tcp4(ike(THIRD), 200 + len(one)), *[ethernet(bytes(28), 0x806)] * 20000]
    seen = read(pcap(frames))
    assert [item.frame.number for item in datagrams(seen)] == [2, 3]


def test_ipv6() -> None:
    seen = read(pcap([ethernet(ipv6(tcp(b"IKETCP" + ike(FIRST), ports=(4500, 50123)), 6), 0x86DD)]))
    (found,) = datagrams(seen)
    assert (found.source, found.source_port, found.destination_port) == ("2001:db8::1", 4500, 50123)
    assert (found.ttl, found.ip_id, found.transport) == (62, None, "tcp")


@pytest.mark.parametrize("options", [b"", bytes(4), bytes(40)])
@pytest.mark.parametrize("ports", [(40000, 10000), (10000, 40000), (40000, 4500), (4500, 40000)])
def test_either_port_and_ip_options(ports: tuple[int, int], options: bytes) -> None:
    octets = udp(FIRST) + TRAILER if 10000 in ports else ike(FIRST)
    frame = ethernet(ipv4(tcp(octets, ports=ports), 6, options=options))
    seen = read(pcap([frame, ethernet(ipv4(tcp(b"", ports=ports), 6, options=options))]))
    (found,) = datagrams(seen)
    assert (found.source_port, found.destination_port) == ports
    assert seen.summary.protocols == {f"TCP {10000 if 10000 in ports else 4500}": 1}


@pytest.mark.parametrize("port", [22, 443, 4499, 4501, 4352, 9999, 10001, 0x1194 ^ 0x100, 0x9411, 0x1027])
def test_other_ports_are_plain_tcp(port: int) -> None:
    for ports in ((port, 50000), (50000, port)):
        seen = read(pcap([tcp4(ike(FIRST), ports=ports)]))
        assert seen.captured == []
        assert seen.summary.protocols == {"TCP": 1}


@pytest.mark.parametrize("size", range(14 + 20, 14 + 20 + 21))
def test_tcp_header_cut(size: int) -> None:
    frame = tcp4(ike(FIRST))
    seen = read(pcap([(T0, frame[:size], len(frame))]))
    assert seen.captured == []
    assert seen.summary.protocols == {"TCP 4500" if size >= 38 else "TCP": 1}


def test_ethernet_padding_is_no_data() -> None:
    frame = tcp4(sequence=100)
    seen = read(pcap([*OPENING, frame + bytes(60 - len(frame)), tcp4(b"IKETCP" + ike(FIRST), 100)]))
    assert len(datagrams(seen)) == 1


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255), st.binary(max_size=80)), max_size=20))
def test_counts_add_up_whatever_comes(segments: list[tuple[int, int, bytes]]) -> None:
    read(pcap([tcp4(octets, sequence, flags) for sequence, flags, octets in segments]))
