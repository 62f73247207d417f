"""The program where nothing is installed but what it cannot do without: no pandas, no numpy, no Wireshark."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests import CAPTURES
from tests.logs.samples import TO_MM4, asa

NEEDED = ("pcapdiag", "click", "dpkt", "jinja2", "markupsafe", "msgspec")
STALLED = str(CAPTURES / "mm5-udp-4500-blocked.pcap")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with these packages alone, as pip would have put them there."""
    folder = tmp_path_factory.mktemp("site-packages")
    for name in NEEDED:
        spec = find_spec(name)
        assert spec is not None
        assert spec.submodule_search_locations
        (folder / name).symlink_to(next(iter(spec.submodule_search_locations)))
    return folder


def bare(packages: Path, *arguments: str, code: str = "") -> "subprocess.CompletedProcess[bytes]":
    """Run the program, or some code, in an interpreter that sees its own library and these packages, and no others."""
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    what = ["-c", code] if code else ["-m", "pcapdiag"]
    with open(STALLED, "rb") as stdin:
        return subprocess.run(
            [sys.executable, "-S", "-P", *what, *arguments],
            stdin=stdin,
            capture_output=True,
            timeout=60,
            env=environment,
        )


def test_nothing_else_is_seen(packages: Path) -> None:
    others = ["pandas", "numpy", "pyarrow", "matplotlib", "cryptography", "zstandard", "pyshark", "rich", "cypcap"]
    code = f"from importlib.util import find_spec; print([n for n in {others} if find_spec(n)])"
    assert bare(packages, code=code).stdout == b"[]\n"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("analyze", STALLED), 1, "STALLED after MM5"),
        (("analyze", "-j", "2", "-v", STALLED), 1, "STALLED after MM5"),
        (("analyze", "--json", STALLED), 1, '"udp-4500-blocked"'),
        (("analyze", "--html", "-", STALLED), 1, "<!doctype html>"),
        (("analyze", "--markdown", STALLED), 1, "STALLED"),
        (("messages", STALLED), 0, "MM5"),
        (("messages", "--format", "csv", STALLED), 0, "exchange,message,"),
        (("messages", "--format", "ndjson", STALLED), 0, '"name":"MM5"'),
        (("compare", "--json", STALLED, STALLED), 1, '"udp-4500-blocked"'),
        (("compare", "--html", "-", STALLED, STALLED), 1, "<!doctype html>"),
        (("explain", "MM_WAIT_MSG6"), 0, "MM_WAIT_MSG6"),
        (("explain", "--debug", "asa"), 0, "debug crypto"),
        (("live", "--help"), 0, "--interface"),
        (("live", "-q", "-"), 1, "stalled after MM5"),
        (("carve", "-o", "-", STALLED), 0, "pcapdiag"),
        (("--version",), 0, "pcapdiag"),
        (("doctor",), 0, "no  pandas        not installed"),
        (("config",), 0, "none: PCAPDIAG_CONFIG is empty"),
        (("completion", "bash"), 0, "complete"),
        (("man",), 0, ".TH PCAPDIAG 1"),
    ],
    ids=lambda value: " ".join(Path(a).name for a in value) if isinstance(value, tuple) else "",
)
def test_what_needs_no_tables_runs(packages: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    done = bare(packages, *arguments)
    assert done.returncode == status, done.stderr.decode()
    assert said.lower() in done.stdout.decode("utf-8", "replace").lower()
    assert b"fault in pcapdiag" not in done.stderr


def test_a_log_is_read(packages: Path, tmp_path: Path) -> None:
    log = tmp_path / "asa.log"
    log.write_text(asa(*TO_MM4))
    for arguments in (("log", str(log)), ("analyze", "--log", str(log), STALLED)):
        done = bare(packages, *arguments)
        assert done.returncode == 1, done.stderr.decode()


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python itself reads zstd")
def test_zstd_says_what_it_needs(packages: Path, tmp_path: Path) -> None:
    packed = tmp_path / "f.pcap.zst"
    packed.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(20))
    done = bare(packages, "analyze", str(packed))
    assert (done.returncode, done.stderr) == (
        3,
        f"pcapdiag: {packed}: reading zstd needs the zstandard package\n".encode(),
    )


def test_a_report_is_the_same_as_with_everything(packages: Path) -> None:
    whole = subprocess.run([sys.executable, "-m", "pcapdiag", "analyze", "--json", STALLED], capture_output=True)
    assert json.loads(bare(packages, "analyze", "--json", STALLED).stdout) == json.loads(whole.stdout)


def test_parquet_says_what_it_needs(packages: Path, tmp_path: Path) -> None:
    done = bare(packages, "messages", "-o", str(tmp_path / "m.parquet"), STALLED)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1] == (
        "Error: Parquet needs pandas and pyarrow: pip install 'pcapdiag[parquet]'"
    )


@pytest.mark.parametrize(
    "asked",
    [
        "pcapdiag.analyze({0!r}).exchanges",
        "pcapdiag.analyze({0!r}).causes",
        "pcapdiag.columns('messages')",
        "pcapdiag.compare({0!r}, {0!r}).passages",
    ],
)
def test_a_table_says_what_it_needs(packages: Path, asked: str) -> None:
    done = bare(packages, code=f"import pcapdiag; {asked.format(STALLED)}")
    assert done.stderr.decode().splitlines()[-1] == (
        "ImportError: the tables need pandas, which is not installed: pip install pandas"
    )


def test_plots_say_what_they_need(packages: Path) -> None:
    done = bare(packages, code="import pcapdiag.plots")
    assert "plots need matplotlib, which is not installed" in done.stderr.decode().splitlines()[-1]


def test_a_notebook_shows_a_report(packages: Path) -> None:
    done = bare(packages, code=f"import pcapdiag; print(pcapdiag.analyze({STALLED!r})._repr_html_())")
    assert b"udp-4500-blocked" in done.stdout
