"""Fetches and packs what the page needs that runs the program in the reader's browser.

python docs/tools/browser.py        makes build/browser, which `mkdocs build` puts into the site

Python for WebAssembly comes from npm (Pyodide, pinned in browser/package-lock.json), the packages from PyPI (pinned in
browser/requirements.txt), and the program from this checkout. Nothing of it is in the repository, and the page asks no
other host. `mkdocs build` packs the program anew where it has changed since.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
ROOT = TOOLS.parents[1]
PINNED = TOOLS / "browser"
BUILT = ROOT / "build" / "browser"
RUNTIME = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
PYTHON, PLATFORM = "3.14", "pyemscripten_2026_0_wasm32"
NATIVE = ("markupsafe",)
"""There is no wheel of these for WebAssembly; they work without their part in C, and are packed without it."""
SAMPLES = ("mm5-udp-4500-blocked.pcap", "mm1-no-proposal-chosen.pcap", "phase2-refused.pcap")
"""Captures that the page offers to somebody who has none at hand."""


def _run(*command: str, **environment: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **environment})


def _runtime(target: Path) -> None:
    """Pyodide, as npm gives it: its files are checked against the hash in the lock file."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PINNED / name, folder)
        _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder)
        target.mkdir(parents=True)
        for name in RUNTIME:
            shutil.copy(Path(folder, "node_modules", "pyodide", name), target)


PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


def _packages(folder: Path) -> list[Path]:
    """The packages, as wheels."""
    fetch = (*PIP, "download", "--no-deps", "--only-binary", ":all:", "--python-version", PYTHON, "-d", str(folder))
    for line in (PINNED / "requirements.txt").read_text(encoding="utf-8").splitlines():
        name = line.partition("==")[0]
        if not line or line.startswith("#"):
            continue
        platforms = ["manylinux_2_28_x86_64", "manylinux_2_17_x86_64"] if name in NATIVE else [PLATFORM]
        _run(*fetch, *(word for platform in platforms for word in ("--platform", platform)), line)
    return sorted(folder.glob("*.whl"))


def _source() -> str:
    """What tells whether the program has changed."""
    found = hashlib.sha256()
    for path in sorted((ROOT / "pcapdiag").rglob("*")):
        if path.is_file() and path.suffix not in (".pyc", ".so", ".c"):
            found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return found.hexdigest()


def pack_program(target: Path = BUILT) -> None:
    """The program without its compiled part, where that is not there or has changed."""
    source, mark = _source(), target / "program.sha256"
    if mark.is_file() and mark.read_text(encoding="ascii") == source:
        return
    with tempfile.TemporaryDirectory() as folder:
        _run(*PIP, "wheel", "--no-deps", "-w", folder, str(ROOT), PCAPDIAG_COMPILE="no")
        _pack(sorted(Path(folder).glob("*.whl")), target / "program.zip")
    mark.write_text(source, encoding="ascii")


def _pack(wheels: list[Path], target: Path) -> None:
    """All packages as one archive, without what the page has no use for."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for wheel in wheels:
            native = wheel.name.split("-")[0].lower() in NATIVE
            with zipfile.ZipFile(wheel) as opened:
                for name in sorted(opened.namelist()):
                    if (native and name.endswith(".so")) or re.search(r"\.(c|h|pyi|pxd|pyx|toml)$|\.data/", name):
                        continue
                    packed.writestr(
                        zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), opened.read(name), zipfile.ZIP_DEFLATED
                    )


def build(target: Path = BUILT) -> None:
    """Make the folder anew."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    _runtime(target / "pyodide")
    with tempfile.TemporaryDirectory() as folder:
        _pack(_packages(Path(folder)), target / "packages.zip")
    pack_program(target)
    (target / "captures").mkdir()
    for name in SAMPLES:
        shutil.copy(ROOT / "captures" / name, target / "captures")
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"{target}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    build()
