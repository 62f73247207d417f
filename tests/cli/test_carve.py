"""`pcapdiag carve` as a user meets it: exit status, what goes where, bad input."""

import io
import os
import stat
import subprocess
import sys
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
    assert "is one of the captures that are read" in result.stderr
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


def test_several_processes_give_the_same(tmp_path: Path) -> None:
    written = []
    for jobs in ("1", "2"):
        assert run(STALLED, CAPTURES / "completed-psk.pcap", "-j", jobs, "-o", tmp_path / jobs).exit_code == 0
        written.append((tmp_path / jobs).read_bytes())
    assert written[0] == written[1]
