"""`pcapdiag messages`: formats, files, exit status, and what it does not load."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from pcapdiag.cli.main import main
from pcapdiag.exchange import tracker
from pcapdiag.report.tables.columns import MESSAGES
from tests import CAPTURES
from tests.test_imports import SLOW, loaded

STALLED, NOTHING = str(CAPTURES / "mm5-udp-4500-blocked.pcap"), str(CAPTURES / "no-ike-arp-only.pcap")
NAMES = [column.name for column in MESSAGES]


def run(*arguments: str, stdin: bytes = b"") -> Result:
    result = CliRunner().invoke(main, ["messages", *arguments], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_text() -> None:
    result = run(STALLED)
    assert result.exit_code == 0
    assert "MM5 again (6), after 42.0 s" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_the_output_is_that_of_the_file(form: str, tmp_path: Path) -> None:
    shown = run("--format", form, STALLED)
    path = tmp_path / f"messages.{form}"
    kept = run(STALLED, "-o", str(path))
    assert (shown.exit_code, kept.exit_code, kept.stdout) == (0, 0, "")
    assert path.read_bytes() == shown.stdout_bytes
    first = shown.stdout.splitlines()[0]
    assert (next(csv.reader([first])) if form == "csv" else list(json.loads(first))) == NAMES


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "messages.parquet"
    assert run(STALLED, "-o", str(path)).exit_code == 0
    found = pd.read_parquet(path)
    assert list(found.columns) == NAMES
    assert found["transmission"].max() == 6
    assert run(STALLED, "--format", "parquet").exit_code == 2
    assert "-o FILE" in run(STALLED, "--format", "parquet").stderr


def test_parquet_without_pyarrow_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = run(STALLED, "-o", str(tmp_path / "messages.parquet"))
    assert result.exit_code == 2
    assert "pip install 'pcapdiag[parquet]'" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_selection() -> None:
    both = run(STALLED, str(CAPTURES / "ikev2-cookie.pcap"), "--format", "csv")
    assert both.exit_code == 0
    spi = run(STALLED, str(CAPTURES / "ikev2-cookie.pcap"), "--format", "csv", "--spi", "18df72")
    assert 1 < len(spi.stdout.splitlines()) < len(both.stdout.splitlines())
    assert run(STALLED, "--peer", "10.1.0.2").stdout == run(STALLED).stdout
    opened = run(str(CAPTURES / "completed-psk.pcap"), "--keys", str(CAPTURES / "keys"))
    assert "decrypted" in opened.stdout
    assert run(STALLED, "-j", "2").stdout == run(STALLED).stdout


def test_standard_input() -> None:
    result = run("-", "--format", "ndjson", stdin=Path(STALLED).read_bytes())
    assert result.exit_code == 0
    assert json.loads(result.stdout.splitlines()[0])["file"] == "standard input"


def test_no_ike_is_one_line_and_status_4(tmp_path: Path) -> None:
    result = run(NOTHING)
    assert (result.exit_code, result.stdout) == (4, "")
    assert len(result.stderr.splitlines()) == 1
    table = run(NOTHING, "--format", "csv")
    assert (table.exit_code, next(csv.reader(table.stdout.splitlines()))) == (4, NAMES)
    assert run(NOTHING, "-o", str(tmp_path / "empty.parquet")).exit_code == 4
    assert list(pd.read_parquet(tmp_path / "empty.parquet").columns) == NAMES
    others = run(STALLED, "--peer", "192.0.2.1")
    assert others.exit_code == 4
    assert "10 IKE messages of others" in others.stderr


def test_what_cannot_be_read_is_status_3(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pcap")
    result = run(missing)
    assert (result.exit_code, result.stderr) == (3, f"pcapdiag: {missing}: no such file\n")
    some = run(missing, STALLED, "--format", "csv")
    assert some.exit_code == 3
    assert len(some.stdout.splitlines()) == 11


def test_a_capture_is_never_written_over(tmp_path: Path) -> None:
    capture = tmp_path / "capture.pcap"
    capture.write_bytes(Path(STALLED).read_bytes())
    for arguments in ((str(capture),), (str(tmp_path),)):
        result = run(*arguments, "-o", str(capture))
        assert result.exit_code == 3
        assert "is not written over" in result.stderr
        assert capture.read_bytes() == Path(STALLED).read_bytes()
    assert run(STALLED, "-o", str(tmp_path / "nowhere" / "x.csv")).exit_code == 3
    assert [path.name for path in tmp_path.iterdir()] == ["capture.pcap"]


def test_what_keys_opened_is_for_nobody_else(tmp_path: Path) -> None:
    keys = ("--keys", str(CAPTURES / "keys"))
    for name, options, others in (("with.csv", keys, False), ("without.csv", (), True)):
        assert run(str(CAPTURES / "completed-psk.pcap"), *options, "-o", str(tmp_path / name)).exit_code == 0
        assert bool((tmp_path / name).stat().st_mode & 0o044) == others


def test_what_is_not_listed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "MAX_SIGHTINGS", 3)
    result = run(STALLED)
    assert result.exit_code == 0
    assert "3 messages are not listed" in result.stderr


def test_nobody_who_reads_ends_it_quietly() -> None:
    for form in ("text", "csv", "ndjson"):
        command = [sys.executable, "-P", "-m", "pcapdiag", "messages", "--format", form, *[STALLED] * 200]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(1)
            process.stdout.close()
            assert process.stderr.read() == b""


def test_columns_are_explained_without_a_capture() -> None:
    result = run("--columns")
    assert result.exit_code == 0
    assert all(f"{name} " in result.stdout for name in NAMES)


@pytest.mark.parametrize("form", ["text", "csv", "ndjson"])
def test_pandas_is_not_loaded_for_lines(form: str) -> None:
    assert loaded("messages", "--format", form, STALLED) & (SLOW - {"tomllib"}) == set()


def test_a_table_of_keys_in_a_profile_is_not_written_over(tmp_path: Path) -> None:
    shutil.copytree(CAPTURES / "keys", tmp_path / "keys")
    table = tmp_path / "keys" / "ikev1_decryption_table"
    before = table.read_bytes()
    result = run("--keys", str(tmp_path / "keys"), "-o", str(table), str(CAPTURES / "completed-psk.pcap"))
    assert result.exit_code == 3
    assert "is not written over" in result.stderr
    assert table.read_bytes() == before
