"""Processes that help with large captures, and the line that says how far it is."""

import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pcapdiag.capture.sieve import Ahead
from pcapdiag.cli import reading
from tests import CAPTURES

PROGRAM = [sys.executable, "-P", "-m", "pcapdiag", "analyze"]


@pytest.mark.parametrize(
    ("done", "octets", "seconds", "text"),
    [
        (0, 2_000_000_000, 0.0, "0 kB of 2.0 GB (0 %), 0 kB/s, 0 s left"),
        (500_000_000, 2_000_000_000, 1.0, "500.0 MB of 2.0 GB (25 %), 500.0 MB/s, 3 s left"),
        (1_000_000, 900_000_000_000, 1.0, "1.0 MB of 900.0 GB (0 %), 1.0 MB/s, 15000 min left"),
        (30_000, 0, 3.0, "30 kB read, 10 kB/s"),
        (11, 10, 1.0, "0 kB read, 0 kB/s"),
    ],
)
def test_how_far_it_is(done: int, octets: int, seconds: float, text: str) -> None:
    assert reading.progress_text(done, octets, seconds) == text


def test_little_is_read_without_help(monkeypatch: pytest.MonkeyPatch) -> None:
    with reading.workers(None, [str(CAPTURES / "completed-psk.pcap"), "-"]) as executor:
        assert executor is None
    monkeypatch.setattr(reading, "WORTH_HELP", 100)
    monkeypatch.setattr(reading, "_processors", lambda: 2)
    with reading.workers(None, [str(CAPTURES)]) as executor:
        assert isinstance(executor, Ahead)
    with reading.workers(1, [str(CAPTURES)]) as executor:
        assert executor is None


def test_the_report_is_the_same_whatever_the_number_of_jobs() -> None:
    files = [str(p) for p in sorted(CAPTURES.glob("*.pcap"))]
    reports = []
    for jobs in ("1", "2", "3"):
        done = subprocess.run([*PROGRAM, "-j", jobs, "--json", *files], capture_output=True, check=False)
        assert done.returncode == 1
        assert done.stderr.count(b"\n") == done.stderr.count(b"`pcapdiag compare`")
        reports.append((done.stdout, done.stderr))
    assert reports[0] == reports[1] == reports[2]


@pytest.mark.parametrize("looked_at", [True, False])
def test_progress_is_shown_on_a_terminal_only_and_leaves_nothing(looked_at: bool) -> None:
    """The capture comes slowly, through a pipe."""
    octets = (CAPTURES / "completed-psk.pcap").read_bytes()
    leader, follower = pty.openpty()
    errors = follower if looked_at else subprocess.PIPE
    with subprocess.Popen(
        [*PROGRAM, "-q", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
    ) as process:
        os.close(follower)
        assert process.stdin is not None
        for piece in (octets[:1000], octets[1000:2000], octets[2000:]):
            process.stdin.write(piece)
            process.stdin.flush()
            time.sleep(reading.PATIENCE * 0.7)
        process.stdin.close()
        if process.stderr is not None:
            assert process.stderr.read() == b""
        else:
            shown = _everything(leader)
            assert b"kB read" in shown
            assert shown.endswith(b"\r\x1b[K")
    os.close(leader)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_is_one_line(jobs: str) -> None:
    with subprocess.Popen(
        [*PROGRAM, "-j", jobs, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write((CAPTURES / "completed-psk.pcap").read_bytes()[:1000])
        process.stdin.flush()
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b"pcapdiag: interrupted\n"
        assert process.stdout.read() == b""
        process.stdin.close()
    assert process.returncode == 130


def _everything(leader: int) -> bytes:
    shown = b""
    with suppress(OSError):  # Linux says so when the other end is closed
        while piece := os.read(leader, 4096):
            shown += piece
    return shown


def test_many_captures_are_told_before_they_are_read(tmp_path: Path) -> None:
    for number in range(reading.MANY + 1):
        (tmp_path / f"{number}.pcap").symlink_to(CAPTURES / "no-ike-arp-only.pcap")
    done = subprocess.run([*PROGRAM, "-q", str(tmp_path)], capture_output=True, timeout=60, check=False)
    assert done.stderr.splitlines()[0] == b"pcapdiag: reading 1,001 captures"
