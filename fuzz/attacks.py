"""Captures that want too much: each grows with a count, and wants time or memory out of proportion to it."""

import gzip
import lzma
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import zstandard

from benchmarks.generate import ESP, START, UDP, Frames, ethernet, ipv4, udp, write_pcap
from pcapdiag.record import Record

LEFT, RIGHT, ROUTER = b"\xc0\x00\x02\x01", b"\xc6\x33\x64\x02", b"\xcb\x00\x71\x09"
LINK = 1
MEGABYTE = 1 << 20


class Attack(Record, frozen=True):
    """One attack.

    what -- what there are `count` of; full -- how many the measurement has, small -- and the test
    write -- writes the file; said -- what the report says once the limit has bitten ("" where none does)
    options -- of `analyze`
    """

    name: str
    what: str
    full: int
    small: int
    write: Callable[[BinaryIO, int], None]
    said: str = ""
    options: tuple[str, ...] = ()


# --- frames ----------------------------------------------------------------------------------------------------


def packet(payload: bytes, number: int, left: bool = True, port: int = 500) -> bytes:
    """A frame with a datagram from one end to the other."""
    ends = (LEFT, RIGHT) if left else (RIGHT, LEFT)
    return ethernet(ipv4(UDP, *ends, udp(port, port, payload), number & 0xFFFF))


def fragment(identification: int, offset: int, data: bytes, more: bool) -> bytes:
    """A frame with a piece of a UDP datagram."""
    whole = bytearray(ipv4(UDP, LEFT, RIGHT, data, identification & 0xFFFF))
    whole[6:8] = struct.pack(">H", (0x2000 if more else 0) | offset >> 3)
    return ethernet(bytes(whole))


def isakmp(
    cookie: int, body: bytes, first: int, exchange: int = 2, answer: int = 0, flags: int = 0, identifier: int = 0
) -> bytes:
    """An IKEv1 message."""
    head = struct.pack(">QQBBBBII", cookie, answer, first, 0x10, exchange, flags, identifier, 28 + len(body))
    return head + body


def payload(following: int, body: bytes) -> bytes:
    """A payload with its generic header."""
    return struct.pack(">BBH", following, 0, 4 + len(body)) + body


_ATTRIBUTES = b"".join(struct.pack(">HH", 0x8000 | t, v) for t, v in ((1, 7), (14, 128), (2, 2), (3, 1), (4, 14)))


def security_association(transforms: int, attributes: bytes = _ATTRIBUTES) -> bytes:
    """The body of an SA with one proposal and so many transforms."""
    parts = [
        struct.pack(">BBHBBH", 3 if n + 1 < transforms else 0, 0, 8 + len(attributes), n & 255, 1, 0) + attributes
        for n in range(transforms)
    ]
    proposal = struct.pack(">BBBB", 1, 1, 0, transforms & 255) + b"".join(parts)
    return struct.pack(">IIBBH", 1, 1, 0, 0, 4 + len(proposal)) + proposal


_SA = payload(0, security_association(2))
_KE = payload(10, bytes(range(128))) + payload(0, bytes(16))


def at_once(frames: Iterable[bytes], step: int = 10) -> Frames:
    """The frames, `step` microseconds apart."""
    return ((n * step, frame) for n, frame in enumerate(frames))


def _pcap(frames: Callable[[int], Iterable[bytes]], step: int = 10) -> Callable[[BinaryIO, int], None]:
    return lambda file, count: write_pcap(file, at_once(frames(count), step))


# --- fragments and streams -------------------------------------------------------------------------------------


def first_fragments(count: int) -> Iterator[bytes]:
    """Datagrams of which only the first piece comes, and nothing else."""
    head = udp(500, 500, isakmp(1, _SA, 1) + bytes(1200))[:1208]
    for n in range(count):
        yield fragment(n, 0, head, True)


def smallest_fragments(count: int) -> Iterator[bytes]:
    """Datagrams of 64 KB in pieces of eight octets, every second piece missing."""
    head = udp(500, 500, isakmp(1, _SA, 1))
    for n in range(count):
        number, piece = divmod(n, 4000)
        yield fragment(number, 0, head[:48], True) if not piece else fragment(number, 48 + piece * 16, bytes(8), True)


def overlapping_fragments(count: int) -> Iterator[bytes]:
    """Pieces of one datagram that lie over one another, each with something new."""
    head = udp(500, 500, isakmp(1, _SA, 1))
    for n in range(count):
        number, piece = divmod(n, 2000)
        yield (
            fragment(number, 0, head[:48], True)
            if not piece
            else fragment(number, 48 + (piece * 7919 % 4000) * 16, bytes(1400), True)
        )


def _segment(port: int, sequence: int, data: bytes, flags: int = 0x10, left: bool = True) -> bytes:
    ports = (port, 4500) if left else (4500, port)
    head = struct.pack(">HHIIBBHHH", *ports, sequence & 0xFFFFFFFF, 1, 0x50, flags, 502, 0, 0)
    return ethernet(ipv4(6, *((LEFT, RIGHT) if left else (RIGHT, LEFT)), head + data, sequence & 0xFFFF))


def stream_crumbs(count: int) -> Iterator[bytes]:
    """IKE in TCP that declares 64 KB a message, in crumbs of one octet, every second one missing."""
    for n in range(count):
        port, place = 1024 + n // 4000, n % 4000
        if place == 0:
            yield _segment(port, 0, b"", 2)
        elif place == 1:
            yield _segment(port, 1, b"IKETCP\xff\xff\0\0\0\0")
        else:
            yield _segment(port, 13 + place * 2, b"x")


def connections(count: int) -> Iterator[bytes]:
    """TCP connections that begin and hold the head of a message of 64 KB."""
    for n in range(count):
        port = 1024 + n // 2 % 60_000
        yield _segment(port, 0, b"", 2) if n % 2 == 0 else _segment(port, 1, b"IKETCP\xff\xff\0\0\0\0")


# --- exchanges -------------------------------------------------------------------------------------------------


def half_open(count: int) -> Iterator[bytes]:
    """First messages, each with a cookie of its own, of which none goes on."""
    for n in range(count):
        yield packet(isakmp(n + 1, _SA, 1), n)


def half_open_from_everywhere(count: int) -> Iterator[bytes]:
    """The same from addresses that never come twice."""
    for n in range(count):
        source = struct.pack(">I", 0x0A000000 + n)
        yield ethernet(ipv4(UDP, source, RIGHT, udp(500, 500, isakmp(n + 1, _SA, 1)), n & 0xFFFF))


def half_open_large(count: int) -> Iterator[bytes]:
    """First messages of 8 KB."""
    body = payload(13, security_association(2)) + payload(0, bytes(8000))
    for n in range(count):
        yield packet(isakmp(n + 1, body, 1), n)


def going_on(count: int) -> Iterator[bytes]:
    """Exchanges between two peers that get as far as message 3."""
    for n in range(count // 3):
        yield packet(isakmp(n + 1, _SA, 1), n)
        yield packet(isakmp(n + 1, _SA, 1, answer=n + 7), n, left=False)
        yield packet(isakmp(n + 1, _KE, 4, answer=n + 7), n)


def sent_again(count: int) -> Iterator[bytes]:
    """One message, and its retransmissions."""
    message = isakmp(1, _SA, 1)
    for n in range(count):
        yield packet(message, n)


def one_exchange(count: int) -> Iterator[bytes]:
    """One exchange with ever new encrypted messages."""
    yield packet(isakmp(1, _SA, 1), 1)
    for n in range(count):
        yield packet(isakmp(1, n.to_bytes(64, "big"), 8, 5, 9, 1, n + 1), n, left=n % 2 == 0)


def one_exchange_large(count: int) -> Iterator[bytes]:
    """One exchange with ever new messages of 60 KB."""
    for n in range(count):
        yield packet(isakmp(1, n.to_bytes(60_000, "big"), 8, 5, 9, 1, n + 1), n, left=n % 2 == 0)


def exchanges_large(count: int) -> Iterator[bytes]:
    """Exchanges with two messages of 60 KB from the same end."""
    for n in range(count):
        yield packet(isakmp(n // 2 + 1, n.to_bytes(60_000, "big"), 8, 5, 9, 1, n + 1), n)


def from_everywhere(count: int) -> Iterator[bytes]:
    """Messages of one exchange, by their cookies, from addresses that never come twice."""
    yield packet(isakmp(1, _SA, 1), 1)
    for n in range(count):
        source = struct.pack(">I", 0x0A000000 + n)
        message = isakmp(1, n.to_bytes(64, "big"), 8, 5, 9, 1, 7)
        yield ethernet(ipv4(UDP, source, RIGHT, udp(500, 500, message), n & 0xFFFF))


def errors(count: int) -> Iterator[bytes]:
    """ICMP errors that quote a message."""
    quoted = ipv4(UDP, LEFT, RIGHT, udp(500, 500, isakmp(1, _SA, 1)), 1)
    yield ethernet(quoted)
    for n in range(count):
        body = b"\x03\x03" + bytes(6) + quoted
        yield ethernet(ipv4(1, ROUTER, LEFT, body, n & 0xFFFF))


def esp_flows(count: int) -> Iterator[bytes]:
    """ESP, each packet with an SPI of its own."""
    for n in range(count):
        yield ethernet(ipv4(ESP, LEFT, RIGHT, struct.pack(">II", 256 + n, 1) + bytes(64), n & 0xFFFF))


def keepalives(count: int) -> Iterator[bytes]:
    """NAT keep-alives from addresses that never come twice."""
    for n in range(count):
        source = struct.pack(">I", 0x0A000000 + n)
        yield ethernet(ipv4(UDP, source, RIGHT, udp(4500, 4500, b"\xff"), n & 0xFFFF))


def ike_fragments(count: int) -> Iterator[bytes]:
    """Pieces of IKE messages (payload 132) of which the last never comes, in one exchange."""
    for n in range(count):
        body = struct.pack(">HBB", n // 200, n % 200 + 1, 0) + bytes(1000)
        yield packet(isakmp(1, payload(0, body), 132, answer=9), n)


# --- messages --------------------------------------------------------------------------------------------------


def proposals(count: int) -> Iterator[bytes]:
    """First messages of 64 KB, each with as many transforms as that holds, and all different."""
    for n in range(count):
        body = security_association(8000, b"") + n.to_bytes(4, "big")
        yield packet(isakmp(n // 4 + 1, payload(0, body), 1, answer=9), n)


def attributes(count: int) -> Iterator[bytes]:
    """The same with as many attributes as one transform holds."""
    for n in range(count):
        body = security_association(1, struct.pack(">HHHH", 0x8001, 7, 0x8003, 1) * 8000)
        yield packet(isakmp(n // 4 + 1, payload(0, body), 1, answer=9, identifier=n), n)


def payloads(count: int) -> Iterator[bytes]:
    """Messages of 60 KB that are 15,000 empty payloads."""
    body = struct.pack(">BBH", 13, 0, 4) * 15_000
    for n in range(count):
        yield packet(isakmp(n // 4 + 1, body, 13, answer=9, identifier=n), n)


def vendor_ids(count: int) -> Iterator[bytes]:
    """Messages with 1,000 vendor IDs, each of another text."""
    for n in range(count):
        body = b"".join(payload(13, b"OE-Libreswan-%d" % (n * 1000 + m)) for m in range(1000)) + payload(0, b"end")
        yield packet(isakmp(n // 4 + 1, body, 13, answer=9), n)


def identities(count: int) -> Iterator[bytes]:
    """Messages with identities of 60 KB that want to be printed."""
    for n in range(count):
        body = payload(0, b"\x03\x11\x01\xf4" + b"\x1b[31m%d" % n * 7000)
        yield packet(isakmp(n // 4 + 1, body, 5, 4, answer=9), n)


def deletes(count: int) -> Iterator[bytes]:
    """Informational messages that delete 15,000 SPIs."""
    body = payload(0, struct.pack(">IBBH", 1, 3, 4, 15_000) + bytes(60_000))
    for n in range(count):
        yield packet(isakmp(n // 4 + 1, body, 12, 5, answer=9, identifier=n), n)


# --- files -----------------------------------------------------------------------------------------------------


def _section() -> bytes:
    return struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)


def _interface(link_type: int = LINK) -> bytes:
    return struct.pack("<IIHHII", 1, 20, link_type, 0, 0, 20)


def _block(frame: bytes, interface: int = 0) -> bytes:
    size, padding = len(frame), -len(frame) % 4
    length = 32 + size + padding
    ticks = START * 1_000_000
    head = struct.pack("<IIIIIII", 6, length, interface, ticks >> 32, ticks & 0xFFFFFFFF, size, size)
    return head + frame + bytes(padding) + struct.pack("<I", length)


def sections(file: BinaryIO, count: int) -> None:
    """A pcapng of so many sections, with a packet each."""
    one = _section() + _interface() + _block(packet(isakmp(1, _SA, 1), 1))
    for _ in range(count):
        file.write(one)


def interfaces(file: BinaryIO, count: int) -> None:
    """A pcapng of so many interfaces, the packets on the last one."""
    file.write(_section())
    for _ in range(count):
        file.write(_interface())
    file.write(_block(packet(isakmp(1, _SA, 1), 1), count - 1))
    file.write(_block(packet(isakmp(1, _SA, 1), 1), 0))


def link_types(file: BinaryIO, count: int) -> None:
    """A pcapng of so many link types, each with a packet: in sections, where a section has no room for more."""
    for start in range(0, count, 4000):
        file.write(_section())
        for n in range(start, min(start + 4000, count)):
            file.write(_interface(300 + n % 65_000))
        for n in range(start, min(start + 4000, count)):
            file.write(_block(bytes(60), n - start))


def huge_block(file: BinaryIO, count: int) -> None:
    """A pcapng with a block of so many megabytes, which is there."""
    file.write(_section() + _interface() + _block(packet(isakmp(1, _SA, 1), 1)))
    length = (count << 20) + 12
    file.write(struct.pack("<II", 0x80000001, length))
    for _ in range(count):
        file.write(bytes(MEGABYTE))
    file.write(struct.pack("<I", length) + _block(packet(isakmp(1, _SA, 1), 1)))


def bad_blocks(file: BinaryIO, count: int) -> None:
    """A pcapng of packets of an interface that is not there."""
    file.write(_section() + _interface())
    one = _block(packet(isakmp(1, _SA, 1), 1), 9)
    for _ in range(count):
        file.write(one)


def _zeros(file: BinaryIO, megabytes: int) -> None:
    """A capture whose frames are zeros."""
    file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1))
    record = struct.pack("<IIII", START, 0, 65_520, 65_520) + bytes(65_520)
    for _ in range(megabytes * MEGABYTE // len(record)):
        file.write(record)


def gzip_bomb(file: BinaryIO, count: int) -> None:
    """So many megabytes of zeros in gzip: a thousandth of it."""
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6) as inner:
        _zeros(inner, count)  # type: ignore[arg-type]


def xz_bomb(file: BinaryIO, count: int) -> None:
    """The same in xz: a seven-thousandth."""
    with lzma.LZMAFile(file, mode="wb", preset=1) as inner:
        _zeros(inner, count)  # type: ignore[arg-type]


def zstd_bomb(file: BinaryIO, count: int) -> None:
    """The same in zstd: a ten-thousandth."""
    with zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False) as inner:
        _zeros(inner, count)  # type: ignore[arg-type]


def xz_dictionary(file: BinaryIO, count: int) -> None:
    """A small capture in xz that asks for a dictionary of so many megabytes."""
    compress = {"preset": 0, "dict_size": count << 20, "mode": lzma.MODE_FAST, "mf": lzma.MF_HC3}
    filters = [{"id": lzma.FILTER_LZMA2, **compress}]
    with lzma.LZMAFile(file, mode="wb", filters=filters, check=lzma.CHECK_CRC32) as inner:
        _zeros(inner, 1)  # type: ignore[arg-type]


ATTACKS = (
    Attack(
        "first-fragments", "first IP fragments without the rest", 1_000_000, 6_000, _pcap(first_fragments), "evicted"
    ),
    Attack("smallest-fragments", "IP fragments of 8 octets with gaps", 1_000_000, 10_000, _pcap(smallest_fragments)),
    Attack("overlapping-fragments", "IP fragments over one another", 1_000_000, 6_000, _pcap(overlapping_fragments)),
    Attack("tcp-crumbs", "TCP segments of one octet with gaps", 500_000, 6_000, _pcap(stream_crumbs)),
    Attack("tcp-connections", "TCP segments, two a connection", 500_000, 6_000, _pcap(connections), "evicted"),
    Attack("half-open", "first messages with new cookies", 1_000_000, 24_000, _pcap(half_open)),
    Attack(
        "half-open-everywhere",
        "the same, each from another address",
        1_000_000,
        24_000,
        _pcap(half_open_from_everywhere),
    ),
    Attack("half-open-large", "first messages of 8 KB", 50_000, 3_000, _pcap(half_open_large)),
    Attack("going-on", "messages of exchanges that stop at MM3", 300_000, 6_000, _pcap(going_on, 1000)),
    Attack("sent-again", "transmissions of one message", 1_000_000, 8_000, _pcap(sent_again)),
    Attack("one-exchange", "different messages of one exchange", 1_000_000, 8_000, _pcap(one_exchange)),
    Attack("one-exchange-large", "messages of 60 KB of one exchange", 20_000, 1_000, _pcap(one_exchange_large)),
    Attack("exchanges-large", "messages of 60 KB, two an exchange", 20_000, 1_000, _pcap(exchanges_large)),
    Attack("from-everywhere", "messages of one exchange from new addresses", 500_000, 8_000, _pcap(from_everywhere)),
    Attack("icmp-errors", "ICMP errors about one exchange", 1_000_000, 8_000, _pcap(errors)),
    Attack("esp-flows", "ESP packets of different SPIs", 1_000_000, 10_000, _pcap(esp_flows)),
    Attack("keep-alives", "NAT keep-alives of different addresses", 1_000_000, 24_000, _pcap(keepalives)),
    Attack("ike-fragments", "IKE fragments without the last", 200_000, 5_000, _pcap(ike_fragments)),
    Attack("proposals", "messages of 64 KB of transforms", 4_000, 100, _pcap(proposals)),
    Attack("attributes", "messages of 64 KB of attributes", 4_000, 150, _pcap(attributes)),
    Attack("payloads", "messages of 15,000 payloads", 4_000, 150, _pcap(payloads)),
    Attack("vendor-ids", "messages of 1,000 vendor IDs", 10_000, 100, _pcap(vendor_ids)),
    Attack("identities", "messages with an identity of 60 KB", 4_000, 150, _pcap(identities)),
    Attack("deletes", "messages that delete 15,000 SPIs", 4_000, 150, _pcap(deletes)),
    Attack("sections", "pcapng sections", 1_000_000, 5_000, sections),
    Attack("interfaces", "pcapng interfaces", 1_000_000, 20_000, interfaces),
    Attack("link-types", "pcapng interfaces of other link types", 100_000, 9_000, link_types),
    Attack("huge-block", "MB in one pcapng block", 200, 70, huge_block, "cannot be true"),
    Attack("bad-blocks", "pcapng packets of no interface", 1_000_000, 10_000, bad_blocks, "more warnings"),
    Attack("gzip-bomb", "MB of zeros in gzip", 8_000, 200, gzip_bomb),
    Attack("xz-bomb", "MB of zeros in xz", 8_000, 200, xz_bomb),
    Attack("zstd-bomb", "MB of zeros in zstd", 8_000, 200, zstd_bomb),
    Attack("xz-dictionary", "MB of dictionary that xz asks for", 1_024, 512, xz_dictionary),
)
