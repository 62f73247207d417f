"""A capture that is being written: what came is handed over when it came, and its clock is its own."""

import io
import os
import time
from pathlib import Path
from typing import BinaryIO

import pytest

from pcapdiag.capture.datagram import Captured, Datagram
from pcapdiag.capture.pipe import Pipe
from pcapdiag.capture.savefile import Savefile
from tests import CAPTURES

CAPTURE = (CAPTURES / "completed-psk.pcap").read_bytes()


def drained(pipe: Pipe, seconds: float = 10) -> list[Captured]:
    """Everything until it is over."""
    here, _ = os.pipe()
    items: list[Captured] = []
    until = time.monotonic() + seconds
    while not pipe.over:
        assert time.monotonic() < until
        pipe.wait(0.2, [here])
        pipe.gather()
        items += pipe.take(100)
    os.close(here)
    return items + pipe.finish()


def test_what_waits_at_the_end_is_not_looked_at_any_more() -> None:
    """There may be 20,000 items: whoever ends a watch does not wait for these."""
    pipe = Pipe(io.BytesIO((CAPTURES / "completed-psk.pcap").read_bytes()))
    pipe._ended.wait(20)
    waiting = pipe.backlog
    assert waiting > 5
    assert pipe.finish() == []
    assert pipe.backlog == waiting


def test_a_whole_capture() -> None:
    pipe = Pipe(io.BytesIO(CAPTURE))
    items = drained(pipe)
    assert (
        len([i for i in items if isinstance(i, Datagram)]) == pipe.summary().datagrams + pipe.summary().nat_keepalives
    )
    assert pipe.now() == pipe.summary().last_time
    assert not pipe.failed
    (counts,) = pipe.counts()
    assert (counts.taken, counts.dropped) == (pipe.summary().frames, None)
    pipe.close()


@pytest.fixture
def ends() -> "tuple[BinaryIO, BinaryIO]":
    there, here = os.pipe()
    return os.fdopen(there, "rb", buffering=0), os.fdopen(here, "wb", buffering=0)


def test_each_record_as_it_comes(ends: "tuple[BinaryIO, BinaryIO]") -> None:
    there, here = ends
    pipe = Pipe(there)
    wake, _ = os.pipe()
    sent = 24
    here.write(CAPTURE[:sent])
    while sent < len(CAPTURE):
        size = 16 + int.from_bytes(CAPTURE[sent + 8 : sent + 12], "little")
        here.write(CAPTURE[sent : sent + size])
        sent += size
        if CAPTURE[sent - size + 16 + 12 : sent - size + 16 + 14] != b"\x08\0":
            continue
        until = time.monotonic() + 5
        while not pipe.take(10):
            assert time.monotonic() < until, "the record did not come through while the pipe was open"
            pipe.wait(0.5, [wake])
            pipe.gather()
        break
    here.close()
    drained(pipe)


@pytest.mark.parametrize("name", ["completed-psk.pcap", "completed-psk-nanoseconds.pcapng"])
def test_what_came_is_handed_over_although_the_pipe_stays_open(ends: "tuple[BinaryIO, BinaryIO]", name: str) -> None:
    there, here = ends
    octets = (CAPTURES / name).read_bytes()
    expected = len(list(Savefile(CAPTURES / name)))
    here.write(octets)
    pipe = Pipe(there)
    wake, _ = os.pipe()
    items: list[Captured] = []
    until = time.monotonic() + 5
    while len(items) < expected:
        assert time.monotonic() < until, f"{len(items)} of {expected}"
        pipe.wait(0.2, [wake])
        pipe.gather()
        items += pipe.take(1000)
    assert not pipe.over
    here.close()
    drained(pipe)


def test_time_goes_on_while_nothing_comes(ends: "tuple[BinaryIO, BinaryIO]") -> None:
    there, here = ends
    pipe = Pipe(there)
    here.write(CAPTURE)
    until = time.monotonic() + 5
    items: list[Captured] = []
    while len(items) < 5:
        assert time.monotonic() < until
        items += pipe.take(100)
    last = items[-1]
    assert isinstance(last, Datagram)
    time.sleep(0.05)
    assert 40_000_000 < pipe.now() - last.time < 3_000_000_000
    here.close()
    drained(pipe)


@pytest.mark.parametrize(
    ("octets", "says"), [(b"", "empty file"), (b"nonsense that is no capture", "not a capture file")]
)
def test_what_is_no_capture_is_one_line(octets: bytes, says: str) -> None:
    pipe = Pipe(io.BytesIO(octets))
    drained(pipe)
    assert pipe.failed
    (notice,) = pipe.notices
    assert says in notice


def test_a_stream_that_breaks_off_gives_what_it_had() -> None:
    pipe = Pipe(io.BytesIO(CAPTURE[:-20]))
    items = drained(pipe)
    assert len(items) > 5
    assert not pipe.failed
    assert any("ends in the middle" in n for n in pipe.notices)


def test_more_than_may_wait_is_left_in_the_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pcapdiag.capture.pipe.MAX_WAITING", 3)
    pipe = Pipe(io.BytesIO(CAPTURE))
    time.sleep(0.2)
    assert pipe.backlog <= 3
    assert len(drained(pipe)) == len(list(drained(Pipe(io.BytesIO(CAPTURE)))))


@pytest.mark.parametrize("buffering", [0, -1])
def test_closing_ends_a_read_that_waits(buffering: int) -> None:
    before = len(os.listdir("/proc/self/fd"))
    there, here = os.pipe()
    with os.fdopen(there, "rb", buffering=buffering) as stream, os.fdopen(here, "wb", buffering=0) as writing:
        writing.write(CAPTURE[:100])
        pipe = Pipe(stream)
        time.sleep(0.1)
        pipe.close()
        pipe.close()
        pipe._thread.join(5)
        assert not pipe._thread.is_alive()
        assert not stream.closed
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_reader_that_cannot_be_ended_lets_go_when_something_comes(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    os.mkfifo(tmp_path / "pipe")
    pipe = Pipe(str(tmp_path / "pipe"))
    pipe.close()
    assert pipe._thread.is_alive()
    (tmp_path / "pipe").write_bytes(CAPTURE)
    pipe._thread.join(5)
    assert len(os.listdir("/proc/self/fd")) <= before


def test_any_fault_of_the_reader_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Savefile) -> list[Captured]:
        raise RuntimeError("made for the test")

    monkeypatch.setattr(Savefile, "__iter__", broken)
    pipe = Pipe(io.BytesIO(CAPTURE))
    drained(pipe)
    assert pipe.failed
    assert "RuntimeError: made for the test" in pipe.notices[0]
