"""The program as a process: what happens to its streams, its files and itself is one line, and never half a file."""

import fcntl
import os
import random
import signal
import subprocess
import sys
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest

from pcapdiag.capture import sieve
from pcapdiag.capture.datagram import CaptureError
from pcapdiag.pipeline import analyze
from tests import CAPTURES

PROGRAM = [sys.executable, "-m", "pcapdiag"]
CAPTURE = str(CAPTURES / "mm5-psk-mismatch.pcap")
COMMANDS = {
    "analyze": ["analyze", "-v", CAPTURE],
    "analyze --json": ["analyze", "--json", CAPTURE],
    "explain": ["explain"],
    "explain --json": ["explain", "--json"],
    "messages": ["messages", CAPTURE],
    "messages as CSV": ["messages", "--format", "csv", CAPTURE],
    "carve": ["carve", CAPTURE, "-o", "-"],
    "live": ["live", "-"],
    "live --json": ["live", "--json", "-"],
    "version": ["--version"],
    "help": ["analyze", "--help"],
}
needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")


def run(command: list[str], **streams: object) -> "subprocess.CompletedProcess[bytes]":
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    with open(CAPTURE, "rb") as stdin:
        return subprocess.run([*PROGRAM, *command], stdin=stdin, timeout=60, **given)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_nobody_reads_the_output(command: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run(command, stdout=writer)
    os.close(writer)
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


@needs_full
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_disk_is_full(command: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = run(command, stdout=full)
    assert done.returncode == 74
    (line,) = [line for line in done.stderr.splitlines() if b"watching" not in line]
    assert line == b"pcapdiag: the output cannot be written: No space left on device"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed(closed: str) -> None:
    command = " ".join([*PROGRAM, "analyze", "-q", CAPTURE, closed])
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == b""


# --- Ctrl-C ----------------------------------------------------------------------------------------------------


BEGIN = "from pcapdiag.__main__ import run; print('up', flush=True); run()"
"""What the interpreter does before our first line, nothing of ours can answer for."""


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_at_any_time_is_one_line_or_none(jobs: str) -> None:
    dice = random.Random(9)
    statuses = set()
    for _ in range(10):
        command = [sys.executable, "-c", BEGIN, "analyze", "-j", jobs, CAPTURE]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        time.sleep(dice.random() * 0.35)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
        statuses.add(process.returncode)
        assert complaint in (b"", b"pcapdiag: interrupted\n"), complaint
    assert statuses <= {1, 130}


AT_AN_IMPORT = """
import os, signal, sys

class Signalling:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), {number})

sys.meta_path.insert(0, Signalling())
from pcapdiag.__main__ import run
run()
"""
IN_A_FINALISER = """
import os, signal, time
from pcapdiag import __main__
from pcapdiag.cli import main as cli

class Last:
    def __del__(self):
        os.kill(os.getpid(), {number})

def main():
    Last()
    time.sleep(20)

cli.main = main
__main__.run()
"""
SIGNALS = {
    signal.SIGINT: (130, b"pcapdiag: interrupted\n"),
    signal.SIGTERM: (-signal.SIGTERM, b"pcapdiag: ended by SIGTERM\n"),
    signal.SIGHUP: (-signal.SIGHUP, b"pcapdiag: ended by SIGHUP\n"),
}


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("module", ["pcapdiag.cli.main", "pcapdiag.capture.savefile", "pcapdiag.report.terminal.text"])
def test_a_signal_while_the_program_is_loaded_is_one_line(number: signal.Signals, module: str) -> None:
    script = AT_AN_IMPORT.format(number=int(number), module=module)
    command = [sys.executable, "-c", script, "analyze", CAPTURE]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == SIGNALS[number]
    assert done.stdout == b""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_where_nothing_can_be_raised_is_not_lost(number: signal.Signals) -> None:
    command = [sys.executable, "-c", IN_A_FINALISER.format(number=int(number))]
    done = subprocess.run(command, capture_output=True, timeout=15, check=False)
    assert (done.returncode, done.stderr) == SIGNALS[number]


def _waits(pipe: IO[bytes]) -> bool:
    """Whether there are octets in the pipe that nobody has read yet."""
    octets = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
    return int.from_bytes(octets, sys.byteorder) > 0


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("command", [["analyze", "-j", "2", "-"], ["carve", "-", "-o", "out.pcapng"], ["live", "-"]])
def test_a_signal_while_a_pipe_is_waited_for(number: signal.Signals, command: list[str], tmp_path: Path) -> None:
    with subprocess.Popen(
        [*PROGRAM, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        assert process.stdin is not None
        process.stdin.write(Path(CAPTURE).read_bytes()[:1000])
        process.stdin.flush()
        while _waits(process.stdin) and process.poll() is None:
            time.sleep(0.05)
        time.sleep(0.2)
        process.send_signal(number)
        _, complaint = process.communicate(timeout=20)
    if command[0] == "live":  # which ends as it would end by itself
        assert process.returncode in (0, 1)
        assert complaint == b"pcapdiag: watching standard input; Ctrl-C ends\n"
    else:
        assert (process.returncode, complaint) == SIGNALS[number]
    assert list(tmp_path.iterdir()) == []


def test_a_signal_leaves_no_half_file(tmp_path: Path) -> None:
    """It comes when the carved file is just being written, to a name beside its own."""
    script = (
        "import os, signal; from pcapdiag.__main__ import run; from pcapdiag.carve import output\n"
        "def end(self, *_): os.kill(os.getpid(), signal.SIGTERM)\n"
        "output.CarvedFile.end = end; run()"
    )
    command = [sys.executable, "-c", script, "carve", CAPTURE, "-o", str(tmp_path / "out.pcapng")]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == SIGNALS[signal.SIGTERM]
    assert list(tmp_path.iterdir()) == []


def test_a_signal_that_was_ignored_stays_so() -> None:
    """As nohup has it."""
    script = f"trap '' HUP; exec {sys.executable} -m pcapdiag analyze -q -"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        octets = Path(CAPTURE).read_bytes()
        process.stdin.write(octets[:1000])
        process.stdin.flush()
        time.sleep(1)
        process.send_signal(signal.SIGHUP)
        shown, _ = process.communicate(octets[1000:], timeout=20)
    assert process.returncode == 1
    assert b"mm5-psk" in shown or shown.count(b"\n") == 1


# --- files that change while they are read ---------------------------------------------------------------------

LARGE = 3 << 20


def large(path: Path) -> int:
    """A capture of a few MB, with IKE all over it; how many frames it has."""
    whole = (CAPTURES / "completed-psk.pcap").read_bytes()
    head, records = whole[:24], whole[24:]
    copies = LARGE // len(records)
    path.write_bytes(head + records * copies)
    return copies * sum(1 for _ in _records(records))


def _records(octets: bytes) -> list[int]:
    found, at = [], 0
    while at < len(octets):
        found.append(at)
        at += 16 + int.from_bytes(octets[at + 8 : at + 12], "little")
    return found


@pytest.mark.parametrize("parts", [False, True], ids=["in order", "in parts"])
@pytest.mark.parametrize("size", [0, 30, LARGE // 3, LARGE // 2 + 7])
def test_a_file_that_shrinks_while_it_is_read(
    size: int, parts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sieve, "PART", 1 << 18)
    path = tmp_path / "capture.pcap"
    frames = large(path)
    with ThreadPoolExecutor(2) as executor:
        report = analyze(path, executor=executor if parts else None, progress=lambda done, _: os.truncate(path, size))
    assert 0 < report.captures[0].summary.frames <= frames  # in parts, all may have been read by then
    for warning in report.captures[0].summary.warnings:
        assert warning.startswith(str(path))


@pytest.mark.parametrize("parts", [False, True], ids=["in order", "in parts"])
def test_a_file_that_grows_while_it_is_read(parts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sieve, "PART", 1 << 18)
    path = tmp_path / "capture.pcap"
    frames = large(path)
    more = path.read_bytes()[24:]
    grown: list[int] = []

    def grow(_done: int, _octets: int) -> None:
        if not grown:
            grown.append(1)
            with path.open("ab") as file:
                file.write(more[:-5])  # the writer is in the middle of a record

    with ThreadPoolExecutor(2) as executor:
        report = analyze(path, executor=executor if parts else None, progress=grow)
    summary = report.captures[0].summary
    assert summary.frames in (frames, 2 * frames - 1)
    assert summary.frames == frames or summary.truncated


def test_a_file_that_goes_away_or_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcap"
    frames = large(path)
    report = analyze(path, progress=lambda done, octets: path.unlink(missing_ok=True))
    assert report.captures[0].summary.frames == frames
    with pytest.raises(CaptureError, match=r"capture.pcap: no such file$"):
        analyze(path)
