"""Savefiles: formats, byte orders, times, compression, damage; and real captures as tshark reads them."""

import gzip
import io
import lzma
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapdiag.capture import savefile, walker, window
from pcapdiag.capture.datagram import CaptureError, Datagram, FragmentLoss, Interface
from pcapdiag.capture.savefile import MAX_SECTIONS, Savefile
from tests.capture.frames import (
    SECOND,
    T0,
    Blocks,
    check,
    ethernet,
    fragments4,
    ipv4,
    isakmp,
    pcap,
    read,
    udp,
)

MESSAGE = isakmp(b"payloads")
IP = ipv4(udp(MESSAGE))
IKE = ethernet(IP)
TCP = ethernet(ipv4(bytes(40), 6))
ARP = ethernet(bytes(46), 0x0806)
MICRO = T0 // 1000


def zstd(octets: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd as module

        return module.compress(octets)
    zstandard = pytest.importorskip("zstandard")
    packed: bytes = zstandard.ZstdCompressor().compress(octets)
    return packed


def times(octets: bytes) -> list[tuple[int, int]]:
    return [(c.frame.number, c.time) for c in read(octets).captured if isinstance(c, Datagram)]


# -- pcap


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("magic", "fraction"), [(0xA1B2C3D4, 123456000), (0xA1B23C4D, 123456789), (0xA1B2CD34, 123456000)]
)
def test_pcap_variants(order: str, magic: int, fraction: int) -> None:
    octets = pcap([(T0, TCP), (T0 + 123456789, IKE)], order=order, magic=magic)
    assert times(octets) == [(2, T0 + fraction)]
    summary = read(octets).summary
    assert (summary.format, summary.first_time, summary.last_time) == ("pcap", T0, T0 + fraction)
    assert summary.protocols == {"TCP": 1}


def test_upper_bits_of_the_link_type() -> None:
    assert times(pcap([IKE + bytes(4)], 0x1400_0001 | 2 << 28)) == [(1, T0)]


def test_frames_out_of_order() -> None:
    summary = read(pcap([(T0 + 5, IKE), (T0, TCP), (T0 + 3 * SECOND, ARP), (T0 + SECOND, TCP)])).summary
    assert (summary.first_time, summary.last_time) == (T0, T0 + 3 * SECOND)


def test_unsupported_link_type() -> None:
    summary = read(pcap([IKE, IKE], 147)).summary
    assert summary.unreadable == 2
    assert summary.warnings == ("x.pcap: frame 1: link type 147 (USER0) is not supported; 2 frames of it skipped",)


def test_cut_record() -> None:
    octets = pcap([IKE, TCP])
    for size in (len(octets) - 1, len(octets) - len(TCP) - 1):
        summary = read(octets[:size]).summary
        assert (summary.frames, summary.datagrams, summary.truncated) == (1, 1, True)
        assert summary.warnings == ("x.pcap: frame 2: the file ends in the middle of the record",)


def test_absurd_length() -> None:
    record = struct.pack("<IIII", 1, 1, 0x7FFFFFFF, 60)
    summary = read(pcap([IKE]) + record + pcap([IKE])[24:]).summary
    assert (summary.frames, summary.truncated) == (1, True)
    assert summary.warnings == ("x.pcap: frame 2: a record of 2147483647 octets cannot be true; reading stops here",)


def test_record_larger_than_the_buffer() -> None:
    big = ethernet(ipv4(bytes(40), 6)) + bytes(3 * window.CHUNK)
    assert times(pcap([IKE, big, IKE], snaplen=4 << 20)) == [(1, T0), (3, T0 + 2 * SECOND)]


@pytest.mark.parametrize("tail", [0, 10, 40])
def test_absurd_length_at_the_end_reads_nothing_more(tail: int) -> None:
    octets = pcap([IKE]) + struct.pack("<IIII", 1, 1, 0x7FFFFFFF, 60) + bytes(tail)
    assert "cannot be true" in read(octets).summary.warnings[0]


def test_a_savefile_is_read_once() -> None:
    capture = Savefile(io.BytesIO(pcap([IKE])))
    list(capture)
    with pytest.raises(RuntimeError):
        list(capture)


def test_no_frames() -> None:
    summary = read(pcap([])).summary
    assert (summary.frames, summary.first_time, summary.last_time) == (0, None, None)
    assert not summary.truncated


# -- pcapng


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_blocks(order: str) -> None:
    b = Blocks(order)
    octets = (
        b.section()
        + b.interface()
        + b.packet(TCP, MICRO)
        + b.block(4, bytes(4))
        + b.packet(IKE, MICRO + 1)
        + b.block(0x7777, b"unknown!")
        + b.old_packet(IKE, MICRO + 2)
        + b.block(10, bytes(8))
        + b.simple(IKE)
        + b.packet(IKE + bytes(3), MICRO + 3)
    )
    assert times(octets) == [(2, T0 + 1000), (3, T0 + 2000), (4, T0 + 2000), (5, T0 + 3000)]
    assert read(octets).summary.format == "pcapng"


@pytest.mark.parametrize(
    ("resolution", "ticks"),
    [
        (0, T0 // SECOND),
        (3, T0 // 1_000_000),
        (6, T0 // 1000),
        (9, T0),
        (0x80, T0 // SECOND),
        (0x8A, T0 // SECOND << 10),
        (0xA0, T0 // SECOND << 32),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_resolution_of_times(resolution: int, ticks: int, order: str) -> None:
    b = Blocks(order)
    options = b.option(2, b"eth0") + b.option(9, bytes([resolution])) + b.option(0, b"")
    assert times(b.section() + b.interface(1, 0, options) + b.packet(IKE, ticks)) == [(1, T0)]


def test_resolution_finer_than_nanoseconds() -> None:
    b = Blocks()
    for resolution, ticks in ((12, 5_000_000_001_999), (0xBC, 5 << 60)):
        octets = b.section() + b.interface(1, 0, b.option(9, bytes([resolution]))) + b.packet(IKE, ticks)
        assert times(octets) == [(1, 5 * SECOND + (1 if resolution == 12 else 0))]


def test_offset_of_times() -> None:
    b = Blocks()
    for seconds in (3600, -3600):
        options = b.option(14, struct.pack("<q", seconds))
        octets = b.section() + b.interface(1, 0, options) + b.packet(IKE, MICRO)
        assert times(octets) == [(1, T0 + seconds * SECOND)]


def test_interfaces_of_several_kinds_and_sections_of_both_orders() -> None:
    little, big = Blocks("<"), Blocks(">")
    nano = little.option(9, b"\x09")
    octets = (
        little.section()
        + little.interface(1)
        + little.interface(101, 0, nano)
        + little.packet(IKE, MICRO, 0)
        + little.packet(IP, T0 + 1, 1)
        + little.packet(IKE, MICRO, 0)
        + big.section()
        + big.interface(101)
        + big.packet(IP, MICRO + 9)
        + big.statistics(0, MICRO - SECOND, MICRO + SECOND)
        + little.section()
        + little.interface(1)
        + little.packet(IKE, MICRO + 10)
    )
    assert times(octets) == [(1, T0), (2, T0 + 1), (3, T0), (4, T0 + 9000), (5, T0 + 10000)]
    summary = read(octets).summary
    assert (summary.first_time, summary.last_time) == (T0 - 1000 * SECOND, T0 + 1000 * SECOND)


def test_snapped_simple_packet() -> None:
    b = Blocks()
    octets = b.section() + b.interface(1, 60) + b.simple(IKE[:60], len(IKE))
    seen = read(octets)
    (found,) = seen.captured
    assert isinstance(found, Datagram)
    assert (found.payload, found.length) == (MESSAGE[:18], len(MESSAGE))
    assert seen.summary.snapped == 1


def test_blocks_that_wireshark_numbers_are_numbered() -> None:
    b = Blocks()
    octets = b.section() + b.interface() + b.block(0xBAD, bytes(8)) + b.block(9, b"X=1\n") + b.packet(IKE, MICRO)
    assert times(octets) == [(3, T0)]


def test_packet_of_an_unknown_interface_is_skipped() -> None:
    b = Blocks()
    octets = b.section() + b.interface() + b.packet(IKE, MICRO, 5) + b.packet(IKE, MICRO)
    summary = read(octets).summary
    assert (summary.frames, summary.unreadable, summary.datagrams, summary.truncated) == (2, 1, 1, True)
    assert summary.warnings == ("x.pcap: frame 1: a packet block that contradicts itself was skipped",)


def test_captured_length_beyond_its_block_is_skipped() -> None:
    b = Blocks()
    liar = b.block(6, b.pack("IIIII", 0, 0, 0, 5000, 5000) + IKE)
    summary = read(b.section() + b.interface() + liar + b.packet(IKE, MICRO)).summary
    assert (summary.frames, summary.unreadable, summary.datagrams) == (2, 1, 1)


def test_warnings_are_bounded() -> None:
    b = Blocks()
    summary = read(b.section() + b.interface() + b.packet(IKE, 0, 5) * 100).summary
    assert len(summary.warnings) == savefile.MAX_WARNINGS + 1
    assert summary.warnings[-1] == "x.pcap: 80 more warnings of this kind"


@pytest.mark.parametrize(
    "damage",
    [
        lambda block: block[:4] + struct.pack("<I", 0xFFFFFFF0) + block[8:],
        lambda block: block[:4] + struct.pack("<I", len(block) + 2) + block[8:],
        lambda block: block[:-4] + struct.pack("<I", len(block) + 4),
        lambda block: block[:4] + bytes(4) + block[8:],
        lambda block: block[:-1],
        lambda block: block[:9],
    ],
)
def test_damaged_blocks_stop_the_reading(damage: Callable[[bytes], bytes]) -> None:
    b = Blocks()
    octets = b.section() + b.interface() + b.packet(IKE, MICRO) + damage(b.packet(IKE, MICRO))
    summary = read(octets).summary
    assert (summary.frames, summary.truncated, len(summary.warnings)) == (1, True, 1)
    assert summary.warnings[0].startswith("x.pcap: frame 2: ")


# -- compression, streams


PACKERS = {"gzip": gzip.compress, "xz": lzma.compress, "zstd": zstd}


@pytest.mark.parametrize(("name", "pack"), PACKERS.items(), ids=PACKERS)
def test_compressed(name: str, pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    octets = pcap([TCP] * 20000 + [IKE])
    path = tmp_path / "x"
    path.write_bytes(pack(octets))
    capture = Savefile(path)
    (found,) = list(capture)
    assert isinstance(found, Datagram)
    assert found.frame.number == 20001
    assert capture.summary().format == f"pcap in {name}"
    assert read(pack(octets)).summary.frames == 20001


@pytest.mark.parametrize(("name", "pack"), PACKERS.items(), ids=PACKERS)
def test_members_one_after_the_other(name: str, pack: Callable[[bytes], bytes]) -> None:
    octets = pcap([TCP, IKE])
    assert times(pack(octets[:50]) + pack(octets[50:])) == [(2, T0 + SECOND)]


@pytest.mark.parametrize(("name", "pack"), PACKERS.items(), ids=PACKERS)
def test_compressed_and_cut(name: str, pack: Callable[[bytes], bytes]) -> None:
    noise = [ethernet(os.urandom(500), 0x0806) for _ in range(1000)]
    packed = pack(pcap([IKE, *noise]))
    summary = read(packed[: len(packed) * 2 // 3]).summary
    assert summary.truncated
    assert 0 < summary.frames < 1001
    assert len(summary.warnings) == 1


@pytest.mark.parametrize(("name", "pack"), PACKERS.items(), ids=PACKERS)
def test_compressed_and_damaged(name: str, pack: Callable[[bytes], bytes]) -> None:
    noise = [ethernet(os.urandom(500), 0x0806) for _ in range(1000)]
    packed = bytearray(pack(pcap([IKE, *noise])))
    packed[len(packed) // 2 : len(packed) // 2 + 64] = bytes(64)
    savefile_ = Savefile(io.BytesIO(bytes(packed)))
    list(savefile_)
    check(savefile_.summary())


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    for octets in (pcap([TCP, IKE]), gzip.compress(pcap([TCP, IKE]), mtime=0)):
        reading, writing = os.pipe()
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(octets)
        with os.fdopen(reading, "rb") as stdin:
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stdin))
            capture = Savefile("-")
            assert len(list(capture)) == 1
            assert capture.summary().path == "standard input"


class Dribble(io.RawIOBase):
    """Gives a few octets at a time, as a slow pipe does, and fails at the end if told so."""

    def __init__(self, octets: bytes, step: int, fail: bool = False) -> None:
        self.octets, self.step, self.fail = octets, step, fail

    def read(self, size: int = -1) -> bytes:
        piece, self.octets = self.octets[: self.step], self.octets[self.step :]
        if not piece and self.fail:
            raise OSError(5, "Input/output error")
        return piece


@pytest.mark.parametrize("step", [1, 3, 7, 24, 1000])
def test_slow_streams(step: int) -> None:
    b = Blocks()
    ng = b.section() + b.interface() + b.packet(TCP, MICRO) + b.simple(IKE) + b.packet(IKE, MICRO)
    for octets, frames in ((pcap([TCP, IKE, ARP, IKE]), 4), (ng, 3), (gzip.compress(ng, mtime=0), 3)):
        capture = Savefile(Dribble(octets, step))  # type: ignore[arg-type]
        assert len(list(capture)) == 2
        assert (capture.summary().frames, capture.summary().warnings) == (frames, ())


def test_read_error_on_the_way() -> None:
    capture = Savefile(Dribble(pcap([IKE, IKE]), 30, fail=True), name="x.pcap")  # type: ignore[arg-type]
    assert len(list(capture)) == 2
    assert capture.summary().truncated
    assert capture.summary().warnings == ("x.pcap: frame 3: reading failed: Input/output error",)


def test_summary_is_right_at_any_time() -> None:
    capture = Savefile(io.BytesIO(pcap([IKE, *fragments4(udp(MESSAGE * 9)), IKE])))
    assert capture.summary().frames == 0
    for _ in capture:
        check(capture.summary())
    assert capture.summary().frames == 8


# -- what cannot be read


def failure(path: Path | io.BytesIO) -> str:
    with pytest.raises(CaptureError) as raised:
        list(Savefile(path, name="x"))
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"nope\.pcap: no such file$"):
        list(Savefile(tmp_path / "nope.pcap"))


def test_directory(tmp_path: Path) -> None:
    assert failure(tmp_path) == "x: a directory without capture files (by suffix: .pcap, .pcapng, .cap, .dmp)"


def test_no_permission(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert failure(tmp_path / "y") == "x: permission denied"


def test_name_with_a_zero() -> None:
    with pytest.raises(CaptureError):
        list(Savefile("a\0b"))


EXPECTED = "pcap, pcapng, or either in gzip, bzip2, xz or zstd is expected"
HEADER = Blocks().section()


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "empty file"),
        (gzip.compress(b"", mtime=0), "empty file"),
        (b"# Results", f"not a capture file (starts with 23 20 52 65 …); {EXPECTED}"),
        (b"\n", f"not a capture file (starts with 0a); {EXPECTED}"),
        (gzip.compress(b"text", mtime=0), f"not a capture file (starts with 74 65 78 74 in gzip); {EXPECTED}"),
        (b"snoop\0\0\0\0\0\0\2", f"a snoop file is not supported; {EXPECTED}"),
        (pcap([])[:23], "the file ends within the pcap header"),
        (HEADER[:11], "the file ends within the pcapng section header"),
        (HEADER[:27], "the file ends within the pcapng section header"),
        (HEADER[:8] + bytes(20), "the pcapng section header is damaged"),
        (HEADER[:12] + b"\2" + HEADER[13:], "the pcapng section header is damaged"),
        (gzip.compress(pcap([]), mtime=0)[:12], "the compressed data end too early"),
    ],
)
def test_no_capture(octets: bytes, reason: str) -> None:
    assert failure(io.BytesIO(octets)) == f"x: {reason}"


# -- properties


SAMPLES = {
    "pcap": pcap([IKE, TCP, *fragments4(udp(MESSAGE * 4)), ARP, (T0, IKE[:50], len(IKE))]),
    "pcapng": b"".join(
        (
            HEADER,
            Blocks().interface(1, 0, Blocks().option(9, b"\x09")),
            Blocks().packet(IKE, T0),
            Blocks().packet(TCP, T0 + 1),
            Blocks().simple(IKE),
            Blocks().old_packet(IKE, T0),
            Blocks().statistics(0, T0 - 5, T0 + 5),
            Blocks(">").section(),
            Blocks(">").interface(101),
            Blocks(">").packet(IP, MICRO),
        )
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_prefix_gives_a_summary(name: str) -> None:
    whole = SAMPLES[name]
    frames = 0
    complete = read(whole).captured
    for size in range(24 if name == "pcap" else 28, len(whole) + 1):
        seen = read(whole[:size])
        assert seen.summary.frames >= frames
        frames = seen.summary.frames
        datagrams = [c for c in seen.captured if isinstance(c, Datagram)]
        assert datagrams == [c for c in complete if isinstance(c, Datagram)][: len(datagrams)]


@pytest.mark.parametrize("name", SAMPLES)
@given(data=st.data())
@settings(max_examples=300)
def test_damage_never_raises(name: str, data: st.DataObject) -> None:
    octets = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 6))):
        octets[data.draw(st.integers(28, len(octets) - 1))] = data.draw(st.integers(0, 255))
    read(bytes(octets))


@given(
    st.binary(max_size=400), st.sampled_from([0, 1, 9, 12, 50, 51, 101, 104, 108, 113, 147, 276]), st.sampled_from("<>")
)
def test_arbitrary_octets_behind_a_header(octets: bytes, link_type: int, order: str) -> None:
    read(pcap([], link_type, order=order) + octets)
    read(pcap([octets], link_type, order=order))
    b = Blocks(order)
    read(b.section() + octets)
    read(b.section() + b.interface(link_type) + octets)
    read(b.section() + b.interface(link_type) + b.packet(octets, 1) + b.block(5, octets) + b.block(1, octets))


@given(st.binary(max_size=64))
def test_arbitrary_octets(octets: bytes) -> None:
    for start in (b"", b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\n\r\r\n"):
        capture = Savefile(io.BytesIO(start + octets))
        with suppress(CaptureError):
            list(capture)
        check(capture.summary())


# -- real captures, as tshark reads them


SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "captures"
CAPTURES = sorted(path for path in SHARED.rglob("*") if path.suffix in (".pcap", ".pcapng", ".cap"))
FIELDS = ("frame.number", "frame.time_epoch", "udp.srcport", "udp.dstport", "udp.payload")


def tshark(path: Path) -> list[tuple[set[str], list[str]]]:
    """Of every frame the protocols in it, and the fields."""
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    command = ["tshark", "-n", "-r", str(path), "-T", "fields"]
    command += [word for name in ("frame.protocols", *FIELDS) for word in ("-e", name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return [(set(protocols.split(":")), fields) for protocols, *fields in rows]


def row(frame: int, time: int, source_port: int | None, destination_port: int | None, payload: bytes) -> list[str]:
    seconds = f"{time // SECOND}.{time % SECOND:09}"
    return [str(frame), seconds, str(source_port), str(destination_port), payload.hex()]


@pytest.mark.skipif(not CAPTURES, reason="the shared captures are not here")
@pytest.mark.parametrize("path", CAPTURES, ids=[str(path.relative_to(SHARED)) for path in CAPTURES])
def test_real_captures_as_tshark_reads_them(path: Path) -> None:
    capture = Savefile(path)
    ours = []
    for found in capture:
        if isinstance(found, Datagram) and {found.source_port, found.destination_port} & {500, 4500}:
            ports = found.source_port, found.destination_port
            ours.append(row(found.frame.number, found.time, *ports, found.payload))
        elif isinstance(found, FragmentLoss) and found.source_port is not None:
            # tshark shows a first fragment without the others as if it were the datagram.
            ports_ = found.source_port, found.destination_port
            ours.append(row(found.frames[0].number, found.time, *ports_, found.payload))
    summary = capture.summary()
    check(summary)
    assert summary.warnings == ()
    theirs = tshark(path)
    assert summary.frames == len(theirs)
    ike = {"500", "4500"}
    plain = [row for protocols, row in theirs if "udp" in protocols and not protocols & {"icmp", "icmpv6", "esp"}]
    assert sorted(ours) == sorted(row for row in plain if {*row[2].split(","), *row[3].split(",")} & ike)
    quotes = [row for p, row in theirs if "udp" in p and p & {"icmp", "icmpv6"}]
    assert summary.icmp_errors == sum(bool({*q[2].split(","), *q[3].split(",")} & ike) for q in quotes)
    assert summary.esp == sum("esp" in p for p, _ in theirs)


def test_statistics_in_microseconds_of_an_interface_in_nanoseconds() -> None:
    """As dumpcap writes them."""
    blocks = Blocks("<")
    nanoseconds = blocks.interface(options=blocks.option(9, b"\x09"))
    packet = blocks.packet(IKE, T0 + SECOND)
    start, end = T0 // 1000, (T0 + 9 * SECOND) // 1000
    summary = read(blocks.section() + nanoseconds + packet + blocks.statistics(0, start, end)).summary
    assert (summary.first_time, summary.last_time) == (T0, T0 + 9 * SECOND)
    nonsense = blocks.statistics(0, 5, 7)
    summary = read(blocks.section() + nanoseconds + packet + nonsense).summary
    assert (summary.first_time, summary.last_time) == (T0 + SECOND, T0 + SECOND)


def test_sections_are_watched_each_for_itself() -> None:
    blocks = Blocks("<")
    section = blocks.section() + blocks.interface()
    first = section + blocks.packet(IKE, T0 // 1000) + blocks.statistics(0, T0 // 1000 - 1, T0 // 1000 + 5)
    empty, later = section, section + blocks.packet(IKE, T0 // 1000 + 9_000_000)
    summary = read(first + empty + later).summary
    assert summary.watched == ((T0 - 1000, T0 + 5000), (T0 + 9 * SECOND, T0 + 9 * SECOND))
    assert (summary.first_time, summary.last_time) == (T0 - 1000, T0 + 9 * SECOND)


def test_of_too_many_sections_the_last_ones_are_watched_as_one() -> None:
    blocks = Blocks("<")
    section = blocks.section() + blocks.interface()
    octets = b"".join(section + blocks.packet(IKE, T0 // 1000 + n) for n in range(MAX_SECTIONS + 3))
    summary = read(octets).summary
    assert len(summary.watched) == MAX_SECTIONS + 1
    assert summary.last_time == T0 + 1000 * (MAX_SECTIONS + 2)


@pytest.mark.parametrize("order", "<>")
def test_what_is_said_of_interfaces(order: str) -> None:
    blocks = Blocks(order)
    named = blocks.option(2, b"wan0") + blocks.option(3, "Außen".encode()) + blocks.option(9, b"\x09")
    shifted = blocks.option(9, b"\x8a") + blocks.option(14, blocks.pack("q", -7)) + blocks.option(2, b"\xff\0")
    head = blocks.section() + blocks.interface(113, 96, named) + blocks.interface(1, 0, shifted)
    savefile = Savefile(io.BytesIO(head + blocks.packet(IKE, 1, 1)))
    assert list(savefile)
    assert savefile.interfaces == [
        Interface("wan0", 113, 96, 9, 0, "Außen"),
        Interface("\ufffd", 1, 0, 0x8A, -7),
    ]
    assert savefile.interfaces[1].ticks(-6_500_000_000) == 512


def test_a_pcap_file_has_one_interface_without_a_name() -> None:
    savefile = Savefile(io.BytesIO(pcap([IKE], 1, snaplen=1500, magic=0xA1B23C4D)))
    list(savefile)
    assert savefile.interfaces == [Interface("", 1, 1500, 9)]


@pytest.mark.parametrize("scan", [walker.scan_pcap, walker.scan_pcap_fields])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
def test_a_hole_in_a_file_is_no_packets(
    magic: int, scan: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten gigabytes of zeros cost nothing to make, and are 600 million records without an octet."""
    monkeypatch.setattr(savefile, "_scan_pcap", scan)
    path = tmp_path / "sparse.pcap"
    path.write_bytes(pcap([IKE], 1, magic=magic))
    os.truncate(path, 10 << 30)
    capture = Savefile(path)
    began = time.monotonic()
    assert len(list(capture)) == 1
    assert time.monotonic() - began < 10
    assert capture.summary().frames == 1
    (warning,) = capture.summary().warnings
    assert warning.endswith("frame 2: a record of 0 octets cannot be true; reading stops here")
