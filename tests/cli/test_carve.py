"""`pcapdiag carve` as a user meets it: exit status, what goes where, bad input."""

import contextlib
import io
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pcapdiag.cli.main import main
from pcapdiag.pipeline import analyze
from tests import CAPTURES, SHARED
from tests.carve.opened import opened

STALLED = CAPTURES / "mm5-udp-4500-blocked.pcap"
CERTIFICATES = SHARED / "third-party" / "arkime-arkime" / "ike-cert_synthetic.pcap"


def run(*arguments: str | Path, stdin: bytes = b"") -> Result:
    result = CliRunner().invoke(main, ["carve", *map(str, arguments)], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.pcapng"


def test_what_was_done_is_said_on_standard_error(out: Path) -> None:
    result = run(STALLED, "-o", out)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"pcapdiag: {out}: 16 of 24 frames: 10 IKE, 6 NAT keep-alives",
        "pcapdiag: left out: 8 other",
    ]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_anonymized(out: Path, tmp_path: Path) -> None:
    result = run(STALLED, "-o", out, "--anonymize")
    assert result.exit_code == 0
    assert "1 NAT-D hash is of an address that is not in the capture" in result.stderr
    assert "not the same" not in result.stderr
    key = tmp_path / "key"
    key.write_bytes(b"0123456789abcdef")
    written = []
    for name in ("1", "2"):
        assert run(STALLED, "-o", tmp_path / name, "--anonymize-key", key).exit_code == 0
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1] != out.read_bytes()
    key.write_bytes(b"short")
    result = run(STALLED, "-o", out, "--anonymize-key", key)
    assert result.exit_code == 2
    assert "the key has 5 octets, 16 are the least" in result.stderr


@pytest.mark.skipif(not CERTIFICATES.exists(), reason="the public captures are not beside the checkout")
def test_where_the_verdict_is_another_that_is_said(out: Path) -> None:
    result = run(CERTIFICATES, "-o", out, "--anonymize")
    assert result.exit_code == 5
    assert "pcapdiag: certificates in clear are replaced" in result.stderr
    assert "pcapdiag: not as before: exchange 1: evidence: certificate-" in result.stderr
    assert out.exists()


@pytest.mark.parametrize("options", [["--peer", "10.1.0.2"], ["--exchange", "1"], ["--outcome", "stalled"]])
def test_chosen(out: Path, options: list[str]) -> None:
    assert run(STALLED, "-o", out, *options).exit_code == 0
    assert len(opened(out)) == 16


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--peer", "192.0.2.9"], "no exchange that was asked for; 10 IKE messages of others"),
        (["--exchange", "2"], "no exchange that was asked for, of 1"),
        (["--outcome", "completed"], "no exchange that was asked for, of 1"),
    ],
)
def test_nothing_is_written_where_nothing_is_found(out: Path, options: list[str], said: str) -> None:
    result = run(STALLED, "-o", out, *options)
    assert result.exit_code == 4
    assert said in result.stderr
    assert not out.exists()
    assert run(CAPTURES / "no-ike-arp-only.pcap", "-o", out).exit_code == 4
    assert not out.exists()


def test_faults_are_one_line(out: Path, tmp_path: Path) -> None:
    result = run(tmp_path / "nowhere", "-o", out)
    assert (result.exit_code, result.stderr) == (3, f"pcapdiag: {tmp_path}/nowhere: no such file\n")
    result = run(tmp_path / "nowhere", STALLED, "-o", out)
    assert result.exit_code == 3
    assert len(opened(out)) == 16
    result = run(STALLED, "-o", tmp_path / "no" / "folder")
    assert result.exit_code == 3
    assert "cannot be written" in result.stderr
    result = run(out, "-o", out)
    assert result.exit_code == 3
    assert "is one of the files that are read" in result.stderr
    assert run(STALLED).exit_code == 2


def test_from_standard_input_and_to_standard_output() -> None:
    result = run("-", "-o", "-", stdin=STALLED.read_bytes())
    assert result.exit_code == 0
    frames = opened(result.stdout_bytes)
    assert frames[0].comments[0] == "frame 3 of standard input"
    (diagnosis,) = analyze(io.BytesIO(result.stdout_bytes)).diagnoses
    assert diagnosis.stop.outcome.value == "stalled"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_from_a_named_pipe_and_into_a_closed_one(tmp_path: Path, out: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cp", STALLED, pipe]) as writer:
        assert run(pipe, "-o", out).exit_code == 0
        assert writer.wait() == 0
    assert opened(out)[0].comments[0] == "frame 3 of pipe"
    command = f"{sys.executable} -m pcapdiag carve {STALLED} -o - | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


def test_hundreds_of_captures_whose_exchanges_are_cited_together(tmp_path: Path, out: Path) -> None:
    """Each of these tries is evidence beside all the others."""
    octets = (CAPTURES / "mm1-no-reply.pcap").read_bytes()
    cookie = analyze(CAPTURES / "mm1-no-reply.pcap").diagnoses[0].exchange.initiator_spi
    for number in range(400):
        (tmp_path / f"{number}.pcap").write_bytes(octets.replace(cookie, (number + 1).to_bytes(8, "big")))
    command = [sys.executable, "-m", "pcapdiag", "carve", str(tmp_path), "-o", str(out)]
    subprocess.run(command, capture_output=True, timeout=40, check=True)
    frames = opened(out)
    assert len(frames) > 400
    assert max(len(frame.comments) for frame in frames) <= 401


# --- what comes through a pipe ---------------------------------------------------------------------------------


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no /dev/zero here")
@pytest.mark.parametrize("how", ["name", "standard input"])
def test_what_is_no_capture_is_not_copied_however_endless(how: str, out: Path) -> None:
    with open("/dev/zero", "rb") as zero:
        name = "/dev/zero" if how == "name" else "-"
        command = [sys.executable, "-m", "pcapdiag", "carve", name, "-o", str(out)]
        done = subprocess.run(command, stdin=zero, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert "not a capture file (starts with 00 00 00 00 …)" in line
    assert not out.exists()


def test_of_what_does_not_end_the_beginning_is_copied_and_that_is_said(out: Path) -> None:
    size = STALLED.stat().st_size
    endless = f"cat {STALLED}; while cat {STALLED} | tail -c +25; do :; done"
    command = f"({endless}) 2>/dev/null | {sys.executable} -m pcapdiag carve - -o {out} --max-spool {(size + 40) / 1e9}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0
    (line,) = [line for line in done.stderr.splitlines() if "--max-spool" in line]
    assert line.startswith("pcapdiag: standard input: frame 25: more came than the ")
    assert line.endswith(" GB that --max-spool allows; reading stops here")
    assert len(opened(out)) == 16


def open_files(process: int) -> list[str]:
    found = []
    for name in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed in between
            found.append(os.readlink(name))
    return found


@pytest.mark.skipif(not os.path.exists(f"/proc/{os.getpid()}/fd"), reason="needs /proc")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_of_the_copy_nothing_stays_however_the_program_ends(end: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pcapdiag", "carve", "-", "-o", str(tmp_path / "out.pcapng")]
    surroundings = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings) as process:
        assert process.stdin is not None
        process.stdin.write(STALLED.read_bytes())
        process.stdin.flush()
        deadline = time.monotonic() + 20
        while not any(str(tmp_path) in name for name in open_files(process.pid)):
            assert time.monotonic() < deadline, "it is not copied"
            time.sleep(0.02)
        assert list(tmp_path.iterdir()) == []
        process.send_signal(end)
        process.stdin.close()
    assert list(tmp_path.iterdir()) == []


# --- no output is ever an input --------------------------------------------------------------------------------


def test_the_key_is_not_written_over(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"0123456789abcdef")
    (tmp_path / "link").symlink_to(key)
    for name in ("key", "link"):
        result = run(STALLED, "-o", tmp_path / name, "--anonymize-key", key)
        assert result.exit_code == 3
        assert (
            result.stderr
            == f"pcapdiag: {tmp_path / name}: is one of the files that are read, and is not written over\n"
        )
    assert key.read_bytes() == b"0123456789abcdef"


def test_what_standard_input_and_output_are_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcap"
    shutil.copy(STALLED, path)
    before = path.read_bytes()
    program = f"{sys.executable} -m pcapdiag carve"
    for command in (f"{program} - -o {path} < {path}", f"{program} {path} -o - >> {path}"):
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 3
        assert "is one of the files that are read, and is not written over" in done.stderr
    assert path.read_bytes() == before


def test_several_processes_give_the_same(tmp_path: Path) -> None:
    written = []
    for jobs in ("1", "2"):
        assert run(STALLED, CAPTURES / "completed-psk.pcap", "-j", jobs, "-o", tmp_path / jobs).exit_code == 0
        written.append((tmp_path / jobs).read_bytes())
    assert written[0] == written[1]
