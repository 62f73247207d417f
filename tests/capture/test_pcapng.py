"""What is kept of a live capture: readable at any moment, as it came, and in files that rotate."""

import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pcapdiag.capture import pcapng
from pcapdiag.capture.datagram import CaptureError, Datagram
from pcapdiag.capture.pcapng import Statistics, Writer
from pcapdiag.capture.savefile import Savefile
from tests.capture.test_bpf import IKE, ethernet, ipv4, udp

FRAME = ethernet(ipv4(udp(IKE)))
TIME = 1_795_550_000_123_456_789
LINKS = [("eth0", 1, 65535), ("tun0", 101, 65535)]


def read(path: Path) -> tuple[Savefile, list[Datagram]]:
    savefile = Savefile(path)
    items = [item for item in savefile if isinstance(item, Datagram)]
    return savefile, items


def test_frames_are_kept_as_they_came(tmp_path: Path) -> None:
    path = tmp_path / "ike.pcapng"
    writer = Writer(path, LINKS)
    writer.add(TIME, len(FRAME), FRAME, 0)
    writer.add(TIME + 1, len(FRAME) - 14, FRAME[14:], 1)
    writer.close()
    savefile, items = read(path)
    assert [(i.time, i.payload, i.frame.number) for i in items] == [(TIME, IKE, 1), (TIME + 1, IKE, 2)]
    assert not savefile.summary().truncated


def test_what_was_cut_to_the_snap_length_keeps_its_length(tmp_path: Path) -> None:
    path = tmp_path / "ike.pcapng"
    writer = Writer(path, LINKS)
    writer.add(TIME, len(FRAME), FRAME[:80], 0)
    writer.close()
    savefile, (item,) = read(path)
    assert savefile.summary().snapped == 1
    assert item.length == len(IKE)


def test_the_end_of_the_capture_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "ike.pcapng"
    writer = Writer(path, LINKS[:1])
    writer.add(TIME, len(FRAME), FRAME, 0)
    writer.close([Statistics(TIME - 5, TIME + 60_000_000_000, 1, 0)])
    savefile, _ = read(path)
    summary = savefile.summary()
    assert (summary.first_time, summary.last_time) == (TIME - 5, TIME + 60_000_000_000)


def test_files_rotate_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "ike.pcapng"
    writer = Writer(path, LINKS, rotate_size=1000, rotate_count=3)
    for number in range(20):
        writer.add(TIME + number, len(FRAME), FRAME, 0)
        writer.flush()
    writer.close()
    files = sorted(p.name for p in tmp_path.iterdir())
    assert files == ["ike.1.pcapng", "ike.2.pcapng", "ike.pcapng"]
    assert all(p.stat().st_size <= 1000 for p in tmp_path.iterdir())
    times = [i.time - TIME for p in ("ike.2.pcapng", "ike.1.pcapng", "ike.pcapng") for i in read(tmp_path / p)[1]]
    assert times == list(range(20 - len(times), 20))


def test_a_frame_longer_than_a_file_is_kept_all_the_same(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "ike.pcapng", LINKS, rotate_size=10)
    writer.add(TIME, len(FRAME), FRAME, 0)
    writer.close()
    assert len(read(tmp_path / "ike.pcapng")[1]) == 1


@pytest.mark.parametrize("name", ["no/such/folder/x.pcapng", "."])
def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(CaptureError, match=r"cannot be written: (No such file|Is a directory)"):
        Writer(tmp_path / name, LINKS)


def test_a_full_disk_leaves_whole_blocks_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ike.pcapng"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    writer = Writer(path, LINKS)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        for number in range(20):
            writer.add(TIME + number, len(FRAME), FRAME, 0)
            writer.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert writer.problem is not None
    assert "no more packets are kept" in writer.problem
    writer.close()
    savefile, items = read(path)
    assert not savefile.summary().truncated
    assert 0 < len(items) < 20


PROGRAM = """
import sys
from pcapdiag.capture.pcapng import Writer
writer = Writer(sys.argv[1], [("eth0", 1, 65535)])
frame = bytes.fromhex(sys.argv[2])
while True:
    writer.add(1_795_550_000_123_456_789, len(frame), frame, 0)
    writer.flush()
"""


def test_a_writer_that_is_killed_leaves_a_file_that_reads_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "ike.pcapng"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path), FRAME.hex()])
    try:
        until = time.monotonic() + 20
        while not path.exists() or path.stat().st_size < 200_000:
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait(10)
    savefile, items = read(path)
    assert not savefile.summary().truncated
    assert len(items) > 500


@pytest.mark.skipif(shutil.which("capinfos") is None, reason="needs capinfos (on Debian: wireshark-common)")
def test_wireshark_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "ike.pcapng"
    writer = Writer(path, LINKS, application="pcapdiag 1")
    writer.add(TIME, len(FRAME), FRAME, 0)
    writer.close([Statistics(TIME, TIME, 1, 0), Statistics(TIME, TIME, 0, 0)])
    said = subprocess.run(
        ["capinfos", path], capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}
    )
    assert "Number of packets:   1" in said.stdout
    assert "nanoseconds" in said.stdout
    assert "Name = eth0" in said.stdout
    assert "Number of stat entries = 1" in said.stdout


def test_a_packet_with_comments() -> None:
    plain = pcapng.packet(0, 5, 100, b"12345")
    assert pcapng.with_comments(plain, ["first", "zweites — ü"]) == pcapng.packet(
        0, 5, 100, b"12345", ["first", "zweites — ü"]
    )
    assert pcapng.with_comments(plain, []) == plain
    long = pcapng.packet(0, 5, 5, b"12345", ["ü" * 40_000])
    assert len(long) < 32 + 8 + 65_536 + 12
    assert struct.unpack_from("<I", long, 4) == struct.unpack("<I", long[-4:]) == (len(long),)
