"""Builds frames, layer by layer from the inside out, and the savefiles around them."""

import io
import struct
from collections.abc import Iterable
from ipaddress import ip_address
from typing import NamedTuple

from pcapdiag.capture.datagram import Captured, CaptureSummary
from pcapdiag.capture.savefile import Savefile

A, B, ROUTER = "192.0.2.1", "198.51.100.2", "203.0.113.9"
A6, B6 = "2001:db8::1", "2001:db8::2"
T0 = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


def isakmp(body: bytes = b"", exchange: int = 2, version: int = 0x10) -> bytes:
    return b"INITIATR" + bytes(8) + bytes((1, version, exchange, 0)) + bytes(4) + u32(28 + len(body)) + body


def u16(number: int) -> bytes:
    return struct.pack(">H", number)


def u32(number: int) -> bytes:
    return struct.pack(">I", number)


def udp(payload: bytes, source: int = 500, destination: int = 500, length: int | None = None) -> bytes:
    size = 8 + len(payload) if length is None else length
    return struct.pack(">HHHH", source, destination, size, 0) + payload


def ipv4(
    payload: bytes,
    protocol: int = 17,
    source: str = A,
    destination: str = B,
    *,
    identification: int = 7,
    offset: int = 0,
    more: bool = False,
    options: bytes = b"",
    total: int | None = None,
    ttl: int = 61,
) -> bytes:
    header = 20 + len(options)
    return (
        struct.pack(
            ">BBHHHBBH",
            0x40 | header // 4,
            0,
            header + len(payload) if total is None else total,
            identification,
            offset // 8 | (0x2000 if more else 0),
            ttl,
            protocol,
            0,
        )
        + ip_address(source).packed
        + ip_address(destination).packed
        + options
        + payload
    )


def ipv6(
    payload: bytes, following: int = 17, source: str = A6, destination: str = B6, *, length: int | None = None
) -> bytes:
    size = len(payload) if length is None else length
    addresses = ip_address(source).packed + ip_address(destination).packed
    return struct.pack(">IHBB", 0x60000000, size, following, 62) + addresses + payload


def fragment6(payload: bytes, following: int, offset: int, more: bool, identification: int = 99) -> bytes:
    return struct.pack(">BBHI", following, 0, offset | more, identification) + payload


def ethernet(payload: bytes, ethertype: int = 0x0800) -> bytes:
    return bytes.fromhex("00005e005301 00005e005302") + u16(ethertype) + payload


def fragments4(whole: bytes, size: int = 64, **fields: int) -> list[bytes]:
    """An IP payload in pieces of `size` octets, as Ethernet frames."""
    cuts = range(0, len(whole), size)
    return [ethernet(ipv4(whole[at : at + size], offset=at, more=at + size < len(whole), **fields)) for at in cuts]


def pcap(
    frames: Iterable[bytes | tuple[int, bytes] | tuple[int, bytes, int]],
    link_type: int = 1,
    *,
    order: str = "<",
    magic: int = 0xA1B2C3D4,
    snaplen: int = 262144,
) -> bytes:
    """Frames, a second apart unless they come as (time in ns, frame[, original length])."""
    scale = 1 if magic == 0xA1B23C4D else 1000
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link_type)]
    for number, entry in enumerate(frames):
        time, frame, original = T0 + number * SECOND, entry, None
        if isinstance(entry, tuple):
            time, frame, original = (*entry, None)[:3]
        assert isinstance(frame, bytes)
        size = len(frame) if original is None else original
        out.append(struct.pack(order + "IIII", time // SECOND, time % SECOND // scale, len(frame), size))
        if magic == 0xA1B2CD34:
            out.append(bytes(8))
        out.append(frame)
    return b"".join(out)


class Blocks:
    """The blocks of pcapng in one byte order."""

    def __init__(self, order: str = "<") -> None:
        self.order = order

    def pack(self, layout: str, *values: int) -> bytes:
        return struct.pack(self.order + layout, *values)

    def block(self, kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = self.pack("I", len(body) + 12)
        return self.pack("I", kind) + size + body + size

    def section(self) -> bytes:
        return self.block(0x0A0D0D0A, self.pack("IHHq", 0x1A2B3C4D, 1, 0, -1))

    def interface(self, link_type: int = 1, snaplen: int = 0, options: bytes = b"") -> bytes:
        return self.block(1, self.pack("HHI", link_type, 0, snaplen) + options)

    def option(self, code: int, value: bytes) -> bytes:
        return self.pack("HH", code, len(value)) + value + bytes(-len(value) % 4)

    def packet(self, frame: bytes, ticks: int, interface: int = 0, original: int | None = None) -> bytes:
        size = len(frame) if original is None else original
        head = self.pack("IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), size)
        return self.block(6, head + frame)

    def simple(self, frame: bytes, original: int | None = None) -> bytes:
        return self.block(3, self.pack("I", len(frame) if original is None else original) + frame)

    def old_packet(self, frame: bytes, ticks: int, interface: int = 0) -> bytes:
        head = self.pack("HHIIII", interface, 0, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
        return self.block(2, head + frame)

    def statistics(self, interface: int, start: int, end: int) -> bytes:
        def moment(ticks: int) -> bytes:
            return self.pack("II", ticks >> 32, ticks & 0xFFFFFFFF)

        options = self.option(2, moment(start)) + self.option(3, moment(end)) + self.option(0, b"")
        return self.block(5, self.pack("I", interface) + moment(end) + options)


class Seen(NamedTuple):
    captured: list[Captured]
    summary: CaptureSummary


def read(octets: bytes, **options: object) -> Seen:
    """What a savefile of these octets yields, and its summary; the counts always add up."""
    savefile = Savefile(io.BytesIO(octets), name="x.pcap", **options)  # type: ignore[arg-type]
    captured = list(savefile)
    summary = savefile.summary()
    check(summary)
    return Seen(captured, summary)


def check(summary: CaptureSummary) -> None:
    """Every frame is in exactly one count."""
    counts = (
        summary.datagrams,
        summary.icmp_errors,
        summary.ip_fragments,
        summary.nat_keepalives,
        summary.esp,
        summary.other,
        summary.unreadable,
    )
    assert min(counts) >= 0
    assert summary.frames == sum(counts)
    assert summary.other == sum(summary.protocols.values())
    assert all(count > 0 for count in summary.protocols.values())
    if summary.first_time is not None and summary.last_time is not None:
        assert summary.first_time <= summary.last_time
