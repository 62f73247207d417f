"""What is published: the source distribution has what the wheel is made of, and the wheel has all that runs."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from email import message_from_string
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest

from pcapdiag.version import VERSION
from tests import CAPTURES

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("pcapdiag", "tests", "captures", "contrib")
"""What a source distribution is made of, beside the files that lie in the checkout itself."""
MADE = shutil.ignore_patterns("__pycache__", "*.pyc")
HOME = "https://example.org/pcapdiag"


def backend(folder: Path, call: str) -> None:
    """Call the build backend in a folder, as pip does; without a compiler, which takes the time."""
    code = f"from setuptools import build_meta; build_meta.{call}"
    environment = {
        **os.environ,
        "PCAPDIAG_COMPILE": "no",
        "PCAPDIAG_REPOSITORY": HOME,
        "SOURCE_DATE_EPOCH": "1700000000",
    }
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked."""
    if find_spec("Cython") is None or find_spec("setuptools") is None:
        pytest.skip("Cython and setuptools are needed to build")
    folder = tmp_path_factory.mktemp("source")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / "checkout" / name, ignore=MADE)
    for path in (path for path in ROOT.iterdir() if path.is_file()):
        shutil.copy(path, folder / "checkout")
    backend(folder / "checkout", f"build_sdist({str(folder)!r})")
    with tarfile.open(folder / f"pcapdiag-{VERSION}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / f"pcapdiag-{VERSION}"


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is made of it."""
    folder = tmp_path_factory.mktemp("wheel")
    backend(source, f"build_wheel({str(folder)!r})")
    return folder / f"pcapdiag-{VERSION}-py3-none-any.whl"


def test_the_source_has_the_tests_and_the_captures(source: Path) -> None:
    assert (source / "tests" / "cli" / "test_main.py").is_file()
    assert (source / "captures" / "mm5-udp-4500-blocked.pcap").is_file()
    assert not list(source.rglob("*.pyc"))
    assert not list(source.rglob("*.so"))


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    there = {name for name in ZipFile(wheel).namelist() if name.startswith("pcapdiag/")}
    ours = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "pcapdiag").rglob("*")
        if path.is_file() and path.suffix not in (".pyc", ".so", ".c")
    }
    made = {"pcapdiag/knowledge/causes_built.py", "pcapdiag/knowledge/log_lines_built.py"}
    assert there - ours == made
    assert ours - there == set()


def test_the_wheel_has_the_manual_and_nothing_else(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    manual = [name for name in names if "/data/share/man/man1/pcapdiag" in name]
    assert f"pcapdiag-{VERSION}.data/data/share/man/man1/pcapdiag-analyze.1" in manual
    rest = [name for name in names if not name.startswith((f"pcapdiag-{VERSION}.dist-info/", "pcapdiag/"))]
    assert sorted(rest) == sorted(manual)


def test_its_metadata_are_complete(wheel: Path) -> None:
    told = message_from_string(ZipFile(wheel).read(f"pcapdiag-{VERSION}.dist-info/METADATA").decode())
    assert told["Version"] == VERSION
    assert told["License-Expression"] == "MIT"
    assert told["Author"]
    assert f"Source, {HOME}" in told.get_all("Project-URL", [])
    assert set(told.get_all("Provides-Extra", [])) == set(PROJECT["project"]["optional-dependencies"])
    supported = re.findall(r":: (3\.\d+)$", "\n".join(told.get_all("Classifier", [])), re.M)
    built = [f"3.{wanted[3:5]}" for wanted in PROJECT["tool"]["cibuildwheel"]["build"]]
    assert supported == built


def test_it_runs_where_it_is_installed(wheel: Path, tmp_path: Path) -> None:
    """With nothing of the checkout in sight, but with the packages that are here."""
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    installed = subprocess.run(
        [*pip, "install", "--no-index", "--no-deps", "--target", tmp_path, wheel], capture_output=True, text=True
    )
    assert installed.returncode == 0, installed.stderr
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-P", "-m", "pcapdiag", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)

    report = run("analyze", str(CAPTURES / "mm5-udp-4500-blocked.pcap"))
    assert (report.returncode, report.stderr) == (1, "")
    assert "Likely: UDP 4500 is filtered on the path." in report.stdout
    assert run("doctor").returncode == 0
    assert run("--version").stdout == f"pcapdiag {VERSION} (walker interpreted)\n"
