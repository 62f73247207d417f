"""What a run loads: start-up is most of the time that a small capture takes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import CAPTURES

SLOW = {
    "asyncio", "concurrent.futures", "cryptography", "cypcap", "dpkt", "glob", "gzip", "jinja2",
    "matplotlib", "multiprocessing", "numpy", "pandas", "pcapdiag.capture.files", "pcapdiag.capture.sieve",
    "pcapdiag.capture.streams", "pyarrow", "pyshark", "rich", "tomllib", "zstandard",
}  # fmt: skip
"""Modules that cost more than a millisecond, or are for what most runs do not do."""
KNOWLEDGE = {"pcapdiag.knowledge.loading", "json"}
"""What is for explaining a failure, and for the JSON report."""


def loaded(*arguments: str) -> set[str]:
    code = (
        "import sys, pcapdiag.cli.main as cli\n"
        "try:\n cli.main()\n"
        "except SystemExit: pass\n"
        "print('MODULES', *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stderr.rpartition("MODULES ")[2].split())


@pytest.mark.parametrize("arguments", [(), ("--help",), ("analyze", "--help"), ("--version",)])
def test_help_loads_nothing_of_the_program(arguments: tuple[str, ...]) -> None:
    found = loaded(*arguments)
    assert found & (SLOW | KNOWLEDGE | {"msgspec", "pcapdiag.pipeline"}) == set()


def test_a_completed_exchange_loads_no_knowledge_base() -> None:
    found = loaded("analyze", str(CAPTURES / "completed-psk.pcap"))
    assert "pcapdiag.pipeline" in found
    assert found & (SLOW | KNOWLEDGE) == set()


def test_a_stalled_exchange_loads_what_it_needs() -> None:
    found = loaded("analyze", str(CAPTURES / "mm5-lost.pcap"))
    assert "pcapdiag.knowledge.loading" in found
    assert found & (SLOW - {"tomllib"}) == set()  # a checkout reads the knowledge base from its TOML


def test_settings_are_loaded_where_there_are_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    capture = str(CAPTURES / "completed-psk.pcap")
    monkeypatch.delenv("PCAPDIAG_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "pcapdiag").mkdir()
    assert loaded("analyze", capture) & {"tomllib", "pcapdiag.cli.config_file"} == set()
    (tmp_path / "pcapdiag" / "config.toml").write_text("ports = [4501]")
    assert {"tomllib", "pcapdiag.cli.config_file"} <= loaded("analyze", capture)
    assert loaded("analyze", "--help") & (SLOW | KNOWLEDGE | {"msgspec"}) == set()
