"""`pcapdiag doctor`: what it finds, and what it says of what is missing."""

import builtins
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pcapdiag.capture import interface, libpcap
from pcapdiag.capture.datagram import CaptureError
from pcapdiag.capture.interface import Listed
from pcapdiag.cli import doctor as module
from pcapdiag.cli.doctor import PACKAGES, PROGRAMS, SAMPLE
from pcapdiag.cli.main import main
from pcapdiag.pipeline import analyze


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["doctor", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def findings() -> dict[str, dict[str, Any]]:
    return {one["what"]: one for one in json.loads(run("--json").stdout)["findings"]}


def test_the_sample_is_message_1_with_its_proposal() -> None:
    (diagnosis,) = analyze(io.BytesIO(SAMPLE)).diagnoses
    (step,) = diagnosis.exchange.steps
    assert step.name == "MM1"
    assert step.message.problem is None
    assert len(diagnosis.offered) == 1


def test_where_all_is_well() -> None:
    result = run("--width", "100")
    assert result.exit_code == 0
    assert result.stdout.startswith("pcapdiag ")
    assert "\nok  analyze       works\n" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100
    told = findings()
    assert set(told) == {
        "analyze", "walker", "live", "settings", *(name for name, _, _ in PACKAGES), *(name for name, _ in PROGRAMS)
    }  # fmt: skip
    assert all(bool(one["remedy"]) != one["there"] for one in told.values())


def test_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    told = findings()
    assert run().exit_code == 0
    assert "no  pandas        not installed, for tables (DataFrames)\n" in run().stdout
    assert told["cryptography"]["remedy"] == "pip install 'pcapdiag[keys]'"
    assert "apt-get install tshark" in told["dumpcap"]["remedy"]


def test_analyze_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name == "dpkt":
            raise ModuleNotFoundError("No module named 'dpkt'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    result = run()
    assert result.exit_code == 1
    assert "no  analyze       does not work: ModuleNotFoundError: No module named 'dpkt'" in result.stdout


def test_the_walker_is_interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pcapdiag.capture.walker.COMPILED", False)
    assert "C compiler" in findings()["walker"]["remedy"]


def test_what_may_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Listed(name, "", True, True, False, problem) for name, problem in (("eth0", None), ("eth1", "why"))]
    monkeypatch.setattr(interface, "interfaces", lambda: found)
    monkeypatch.setattr(libpcap, "version", lambda: "libpcap version 1.10.3 (with TPACKET_V3)")
    assert findings()["live"]["says"] == "can open eth0 (libpcap version 1.10.3)"
    found.pop(0)
    told = findings()["live"]
    assert (told["there"], told["remedy"]) == (False, "why")


def test_there_is_no_libpcap(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> list[Listed]:
        raise CaptureError("live capture needs libpcap")

    monkeypatch.setattr(interface, "interfaces", missing)
    assert findings()["live"]["remedy"] == "live capture needs libpcap"


def test_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert findings()["settings"]["says"] == "none"
    file = tmp_path / "settings.toml"
    file.write_text("ports = [4501]")
    monkeypatch.setenv("PCAPDIAG_CONFIG", str(file))
    assert findings()["settings"]["says"] == str(file)
    file.write_text("port = 1")
    assert f"{file}: port: no such setting" in findings()["settings"]["says"]
    assert run().exit_code == 0


def test_a_name_of_a_directory_does_not_act(tmp_path: Path) -> None:
    """In a terminal: it may hold anything."""
    code = "import sys; sys.executable = '/x\\x07'; from pcapdiag.cli.main import main; main(['doctor'])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=False)
    assert done.stdout.startswith(b"pcapdiag ")
    assert b"\x07" not in done.stdout
