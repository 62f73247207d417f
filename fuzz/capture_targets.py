"""Targets of the capture layer."""

import gzip
import importlib
import importlib.machinery
import importlib.util
import io
import lzma
import struct
import sys
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import zstandard
from msgspec.structs import replace

from fuzz import seeds
from pcapdiag.capture import savefile as savefile_module
from pcapdiag.capture import walker
from pcapdiag.capture.datagram import CaptureError, CaptureSummary, Frame
from pcapdiag.capture.protocol_names import protocol_counts
from pcapdiag.capture.reassembly import MAX_DATAGRAMS, MAX_OCTETS, TIMEOUT, Fragment, Key, Reassembly
from pcapdiag.capture.savefile import Savefile
from pcapdiag.capture.streams import MAX_STREAMS, MAX_WAITING, Carrier, Flow, Segment, Streams

# --- savefiles -------------------------------------------------------------------------------------------------


class _Crumbs(io.RawIOBase):
    """Hands out a few octets at a time, as a slow pipe does."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._next = data, 0, 1

    def read(self, size: int = -1) -> bytes:
        self._next = self._next * 5 % 61 + 1
        found = self._data[self._at : self._at + self._next]
        self._at += len(found)
        return found


def read(source: Any) -> tuple[list[object], CaptureSummary] | str:
    """What a capture yields and its summary, or what is wrong with it."""
    file = Savefile(source, name="fuzz")
    try:
        found: list[object] = list(file)
    except CaptureError as error:
        text = str(error)
        assert text
        assert "\n" not in text
        return text
    return found, file.summary()


def _accounted(summary: CaptureSummary) -> None:
    """Every frame is in exactly one count."""
    kinds = (summary.datagrams, summary.icmp_errors, summary.ip_fragments, summary.nat_keepalives)
    assert summary.frames == sum(kinds) + summary.esp + summary.other + summary.unreadable, summary


def savefile(data: bytes) -> None:
    """Whole and in crumbs gives the same; the slow loop gives what the fast one does."""
    whole = read(io.BytesIO(data))
    if not isinstance(whole, str):
        _accounted(whole[1])
    if _calm(whole):
        # Decoding on a pipe may tell of an expired fragment sooner, but never of another one, nor of other counts.
        crumbs = read(_Crumbs(data))
        assert _unordered(whole) == _unordered(crumbs), (whole, crumbs)
    chosen = savefile_module._scan_pcap, savefile_module._scan_pcapng
    try:
        savefile_module._scan_pcap = walker.scan_pcap_fields if chosen[0] is walker.scan_pcap else walker.scan_pcap
        savefile_module._scan_pcapng = (
            walker.scan_pcapng_fields if chosen[1] is walker.scan_pcapng else walker.scan_pcapng
        )
        other = read(io.BytesIO(data))
    finally:
        savefile_module._scan_pcap, savefile_module._scan_pcapng = chosen
    assert whole == other, (whole, other)


def _calm(found: tuple[list[object], CaptureSummary] | str) -> bool:
    """Whether all happened within a minute: where times leap back by more, a pipe and a file may differ."""
    if isinstance(found, str):
        return True
    first, last = found[1].first_time, found[1].last_time
    return first is None or last is None or last - first < TIMEOUT


def _unordered(found: tuple[list[object], CaptureSummary] | str) -> object:
    if isinstance(found, str):
        return found
    return sorted(map(repr, found[0])), replace(found[1], warnings=())


@cache
def savefile_seeds() -> Sequence[bytes]:
    """Short captures, as pcapng too."""
    return (*seeds.short_captures(), *(_as_pcapng(data) for data in seeds.short_captures()[:20]))


def _as_pcapng(data: bytes) -> bytes:
    """The frames of a pcap file in a pcapng file: of two interfaces, and a section of the other byte order."""
    if data[:4] == b"\n\r\r\n":
        return data
    found = b""
    for order in "<>":
        found += _block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
        for resolution in (6, 9):
            options = struct.pack(order + "HHB3x", 9, 1, resolution) + struct.pack(order + "HH", 0, 0)
            found += _block(order, 1, struct.pack(order + "HHI", data[20], 0, 65_535) + options)
        for number, frame in enumerate(_frames(data)):
            head = struct.pack(order + "IIIII", number % 2, 0x5_0000, number, len(frame), len(frame))
            found += _block(order, 6, head + frame + bytes(-len(frame) % 4))
        found += _block(order, 5, struct.pack(order + "III", 0, 0x5_0000, 99))
    return found


def _frames(data: bytes) -> list[bytes]:
    from fuzz.mutation import frames_of

    return frames_of(data)


def _block(order: str, kind: int, body: bytes) -> bytes:
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


# --- compressed ------------------------------------------------------------------------------------------------


def compressed(data: bytes) -> None:
    """Never more than an error, and every frame in one count."""
    found = read(io.BytesIO(data))
    if not isinstance(found, str):
        _accounted(found[1])


@cache
def compressed_seeds() -> Sequence[bytes]:
    """Captures in each compression, in one piece and in several."""
    found = []
    for data in seeds.short_captures()[:12]:
        half = len(data) // 2
        for pack in (gzip.compress, lzma.compress, zstandard.ZstdCompressor().compress):
            found += [pack(data), pack(data[:half]) + pack(data[half:])]
        found.append(gzip.compress(zlib.compress(data)))
    return tuple(found)


# --- frames ----------------------------------------------------------------------------------------------------


@cache
def _interpreted() -> tuple[ModuleType, ModuleType] | None:
    """The walker and what takes its frames from their source, beside the compiled ones; None where those are none."""
    if not walker.COMPILED:
        return None
    package = importlib.import_module("pcapdiag.capture")
    own = {name: importlib.import_module(f"{package.__name__}.{name}") for name in ("walker", "network")}
    found = []
    try:
        for name in own:
            path = Path(walker.__file__).parent / f"{name}.py"
            loader = importlib.machinery.SourceFileLoader(f"{package.__name__}.{name}", str(path))
            spec = importlib.util.spec_from_loader(loader.name, loader)
            assert spec is not None
            module = importlib.util.module_from_spec(spec)
            # The second is to import the first, both as module and as attribute of the package.
            sys.modules[loader.name] = module
            setattr(package, name, module)
            loader.exec_module(module)
            found.append(module)
    finally:
        for name, module in own.items():
            sys.modules[f"{package.__name__}.{name}"] = module
            setattr(package, name, module)
    return found[0], found[1]


def _decoded(frame_: bytes, link_type: int, walking: Any, networking: Any) -> tuple[object, ...]:
    tally = walking.Tally()
    network = networking.Network(0, frozenset((4321,)), tally)
    found, link = walking.Found(), walking.Link(link_type, "<", 16, "IIII")
    link.set_resolution(1, 1, 0)
    tally.frames = 1
    found.start, found.stop, found.wire, found.ticks = 0, len(frame_), len(frame_), 10**18
    kind = walking.locate(frame_, 0, len(frame_), link_type, network.ports, found)
    if kind == 0:
        tally.count_other(found.key)
    elif kind == 1:
        tally.unreadable += 1
    else:
        network.take(kind, frame_, found, link, 1)
    network.finish()
    tally.settle()
    counts = (tally.datagrams, tally.icmp_errors, tally.ip_fragments, tally.nat_keepalives, tally.esp, tally.unreadable)
    others = protocol_counts(tally)
    assert sum(counts) + sum(others.values()) == 1, (counts, others)
    return list(network.ready), counts, others, network.esp_flows()


def frame(data: bytes) -> None:
    """One frame, its link type in the first two octets."""
    if len(data) < 2:
        return
    link_type, octets = int.from_bytes(data[:2], "big"), data[2:]
    seen = _decoded(octets, link_type, walker, sys.modules["pcapdiag.capture.network"])
    for item in seen[0]:  # type: ignore[attr-defined]
        payload = getattr(item, "payload", b"")
        assert len(payload) <= len(octets)
    interpreted = _interpreted()
    if interpreted is not None:
        assert repr(seen) == repr(_decoded(octets, link_type, *interpreted))


# --- reassembly ------------------------------------------------------------------------------------------------


def _pieces(data: bytes) -> Iterator[Fragment]:
    """Eight octets a piece: key, time, offset, length, flags."""
    at = time = 0
    number = 0
    while at + 8 <= len(data):
        key, wait, offset, size, flags = struct.unpack_from("!BBHHxB", data, at)
        at += 8
        number += 1
        time += wait << 28
        size &= 0x1FFF
        octets = data[at : at + min(size, flags & 63)]
        yield Fragment(
            Key(b"\x0a\0\0\1", b"\x0a\0\0\2", key & 7, 17),
            (offset & 0x1FFF) * 8,
            size,
            bool(flags & 64),
            octets,
            64,
            Frame(0, number),
            time,
        )


def reassembly(data: bytes) -> None:
    """Whatever the pieces, the bounds hold, and a datagram is no longer than its last piece says."""
    held = Reassembly()
    let_go = seen = 0
    for piece in _pieces(data):
        for partial in held.expired(piece.time):
            let_go += len(partial.frames)
        partial = held.add(piece)
        seen += 1
        assert partial is not None
        ends = 0
        for start, end, octets in partial.pieces:
            assert ends <= start < end
            assert len(octets) <= end - start
            ends = end
        if partial.complete():
            assert partial.total is not None
            assert len(partial.head()) <= partial.total
            held.finish(partial)
            let_go += len(partial.frames)
        else:
            assert partial.missing()
        let_go += sum(len(p.frames) for p in held.evicted())
        assert len(held) <= MAX_DATAGRAMS
        assert held._octets <= MAX_OCTETS
    let_go += sum(len(p.frames) for p in held.rest())
    assert let_go == seen
    assert held._octets == 0


@cache
def reassembly_seeds() -> Sequence[bytes]:
    """A datagram in three pieces, in and out of order, with overlaps, and twice."""
    one = struct.pack("!BBHHxB", 1, 1, 0, 16, 64 | 0)
    two = struct.pack("!BBHHxB", 1, 1, 2, 16, 64 | 0)
    last = struct.pack("!BBHHxB", 1, 1, 4, 9, 0)
    over = struct.pack("!BBHHxB", 1, 1, 1, 24, 64 | 8) + bytes(8)
    return (one + two + last, last + one + two, one + over + last + one, one + one + last + over + two)


# --- streams ---------------------------------------------------------------------------------------------------


def streams(data: bytes) -> None:
    """Segments of ten octets of header and up to 255 of data, on two connections in both directions."""
    held = Streams()
    at = time = number = 0
    while at + 10 <= len(data):
        which, flags, sequence, acknowledged, size, wait = struct.unpack_from("!BBHHBB2x", data, at)
        octets = data[at + 10 : at + 10 + size]
        at += 10 + size
        number += 1
        time += wait << 26
        flow = Flow(b"\x0a\0\0\1", 4500 + (which & 1), b"\x0a\0\0\2", 4500)
        segment = Segment(
            flow.reverse() if which & 2 else flow,
            (sequence << (which >> 2 & 16)) & 0xFFFFFFFF,
            acknowledged,
            flags,
            size + (which >> 4 & 1) * 40,
            octets,
            Carrier(Frame(0, number), time, 64, number),
        )
        for packet in (*held.take(segment), *held.expired(time)):
            assert len(packet.payload) <= packet.length
            assert packet.carriers
        assert len(held) <= MAX_STREAMS
        for connection in held._held.values():
            for direction in connection.directions.values():
                assert 0 <= direction.waiting <= MAX_WAITING
                assert direction.waiting == sum(len(p.octets) + 128 for p in direction.pieces)
    held.rest()
    assert not len(held)


@cache
def streams_seeds() -> Sequence[bytes]:
    """A connection with the prefix and two messages, whole and in crumbs."""
    payload = b"IKETCP"
    for octets in seeds.messages()[:2]:
        body = bytes(4) + octets
        payload += struct.pack("!H", 2 + len(body)) + body
    found = []
    for step in (255, 100, 7):
        data = struct.pack("!BBHHBB2x", 0, 2, 999, 0, 0, 1)
        for start in range(0, len(payload), step):
            part = payload[start : start + step]
            data += struct.pack("!BBHHBB2x", 0, 16, 1000 + start, 5, len(part), 1) + part
        found.append(data + struct.pack("!BBHHBB2x", 0, 17, 1000 + len(payload), 5, 0, 1))
    return tuple(found)
