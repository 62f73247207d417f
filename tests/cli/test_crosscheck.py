"""`pcapdiag crosscheck` as a user meets it."""

import json
import shutil
from pathlib import Path

import pytest

from tests import CAPTURES
from tests.cli.test_main import run
from tests.crosscheck.merged import missing

COMPLETED = str(CAPTURES / "completed-psk.pcap")
needs_tshark = pytest.mark.skipif(missing(), reason="needs tshark")


@needs_tshark
def test_what_agrees_exits_0() -> None:
    result = run("crosscheck", COMPLETED)
    assert result.exit_code == 0
    assert result.stdout.strip().endswith("values compared: no difference")


@needs_tshark
def test_with_keys_what_they_open_is_compared() -> None:
    result = run("crosscheck", "--keys", str(CAPTURES / "keys"), COMPLETED, str(CAPTURES / "mm5-psk-mismatch.pcap"))
    assert result.exit_code == 0
    assert "11 of them opened with keys" in result.stdout
    assert "known: another initialization vector" in result.stdout


@needs_tshark
def test_json() -> None:
    result = run("crosscheck", "--json", COMPLETED)
    (capture,) = json.loads(result.stdout)["captures"]
    assert (capture["messages"], capture["unexplained"], capture["differences"]) == (15, 0, [])


@needs_tshark
def test_differences_exit_1(monkeypatch: pytest.MonkeyPatch) -> None:
    from pcapdiag.crosscheck import comparison

    monkeypatch.setattr(comparison, "dissect", lambda path, profile: {})
    result = run("crosscheck", COMPLETED)
    assert result.exit_code == 1
    assert "frame 3, messages" in result.stdout
    assert "Wireshark  0 messages" in result.stdout


@needs_tshark
def test_no_ike_and_no_capture() -> None:
    assert run("crosscheck", str(CAPTURES / "no-ike-arp-only.pcap")).exit_code == 4
    result = run("crosscheck", str(CAPTURES / "absent.pcap"), COMPLETED)
    assert result.exit_code == 3
    assert "absent.pcap: no such file" in result.stderr
    assert "no difference" in result.stdout


def test_without_tshark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    result = run("crosscheck", COMPLETED)
    assert result.exit_code == 3
    assert "apt-get install tshark" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@needs_tshark
def test_no_password_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    from pcapdiag.crosscheck import comparison

    monkeypatch.setattr(comparison, "dissect", lambda path, profile: {})
    result = run("crosscheck", "--keys", str(CAPTURES / "keys"), str(CAPTURES / "xauth-wrong-password.pcap"), "--json")
    assert "s3cret" not in result.stdout
    assert b"s3cret".hex() not in result.stdout


def test_profile_for_wireshark_holds_every_row(tmp_path: Path) -> None:
    from pcapdiag.key_tables import read_tables, write_profile

    write_profile([CAPTURES / "keys", CAPTURES / "keys-of-one-end"], tmp_path)
    assert read_tables([tmp_path]) == read_tables([CAPTURES / "keys"])
