"""`pcapdiag doctor`: what is installed, compiled and permitted here, and how to get what is missing."""

import io
import json
import os
import platform
import shutil
import struct
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from pcapdiag.cli import options
from pcapdiag.cli.exit_codes import Exit
from pcapdiag.record import Record
from pcapdiag.version import VERSION

if TYPE_CHECKING:
    from pcapdiag.report.terminal.layout import Layout


class Finding(Record, frozen=True):
    """One thing that was looked for.

    there -- it is, and works; says -- what it is, or what is wrong
    needed_for -- what does not go without; remedy -- how to get it; both may be empty
    """

    what: str
    there: bool
    says: str
    needed_for: str = ""
    remedy: str = ""


PACKAGES = (
    ("pandas", "tables (DataFrames)", "pip install pandas"),
    ("pyarrow", "messages -o FILE.parquet, analyze -o DIR", "pip install 'pcapdiag[parquet]'"),
    ("matplotlib", "plots", "pip install 'pcapdiag[notebook]'"),
    ("jupyterlab", "notebooks", "pip install 'pcapdiag[notebook]'"),
    ("distributed", "fleet", "pip install 'pcapdiag[fleet]'"),
    ("cryptography", "--keys", "pip install 'pcapdiag[keys]'"),
    ("pyshark", "--engine tshark", "pip install 'pcapdiag[wireshark]'"),
    *((("zstandard", "captures in zstd", "pip install zstandard"),) if sys.version_info < (3, 14) else ()),
)
"""What is optional: each with what needs it."""

WIRESHARK = "apt-get install tshark, dnf install wireshark-cli, brew install wireshark"
PROGRAMS = (
    ("tshark", "crosscheck and --engine tshark"),
    ("dumpcap", "live --engine tshark"),
)

# IKEv1, message 1 of Main Mode: an SA with one proposal, in UDP and IPv4, in a pcap file of raw IP.
_TRANSFORM = bytes.fromhex("0000002401010000 80010007 800e0100 80020002 8004000e 80030001 800b0001 800c3840 00000000")
_PROPOSAL = bytes.fromhex("0000002c 01010001") + _TRANSFORM
_SA = bytes.fromhex("00000038 00000001 00000001") + _PROPOSAL
_MESSAGE = bytes.fromhex("0102030405060708 0000000000000000 01100200 00000000 00000054") + _SA
_UDP = struct.pack(">HHHH", 500, 500, 8 + len(_MESSAGE), 0) + _MESSAGE
_IP = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(_UDP), 1, 0, 64, 17, 0, bytes(4), bytes(4)) + _UDP
SAMPLE = struct.pack("<IHHiIII4I", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101, 0, 0, len(_IP), len(_IP)) + _IP


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@options.width
def doctor(as_json: bool, width: int | None) -> None:
    """Say what is installed, compiled and permitted here, and how to get what is missing.

    Exit status: 0 `analyze` runs, whatever else is missing; 1 it does not.
    """
    from pcapdiag.cli.terminal import columns, encodable
    from pcapdiag.report.terminal.layout import Layout

    found = [finding for look in LOOKS for finding in look()]
    if as_json:
        told = [{name: getattr(one, name) for name in Finding.__struct_fields__} for one in found]
        click.echo(json.dumps({"pcapdiag": VERSION, **_machine(), "findings": told}, indent=1))
    else:
        for line in _lines(found, Layout(width or columns())):
            click.echo(encodable(line))
    sys.exit(Exit.WELL if found[0].there else Exit.NOT_WELL)


def _machine() -> dict[str, str]:
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "interpreter": sys.executable,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def _lines(found: list[Finding], layout: "Layout") -> Iterator[str]:
    from pcapdiag.report.terminal.layout import wrapped
    from pcapdiag.report.wording import safe

    machine = _machine()
    head = f"pcapdiag {VERSION}, {machine['python']} ({machine['interpreter']}), {machine['system']}"
    yield from wrapped(safe(head), layout)
    yield ""
    for one in found:
        first = f"{'ok' if one.there else 'no':<4}{one.what:<14}"
        says = f"{one.says}, for {one.needed_for}" if one.needed_for else one.says
        yield from wrapped(safe(says), layout, len(first), first)
        if one.remedy:
            yield from wrapped(f"→ {safe(one.remedy)}", layout, len(first) + 2, " " * len(first))


# --- what is looked for ----------------------------------------------------------------------------------------


def _analyze() -> Iterator[Finding]:
    """A capture of one message goes the whole way: read, judged, explained, printed."""
    remedy = "pip install --force-reinstall pcapdiag"
    try:
        import dpkt  # noqa: F401 -- rare kinds of frames are all that needs it

        from pcapdiag.pipeline import analyze

        report = analyze(io.BytesIO(SAMPLE))
        (diagnosis,) = report.diagnoses
        works = bool(diagnosis.causes) and "MM1" in report.to_html()
    except Exception as error:  # whatever it is, it is what this is asked for
        yield Finding("analyze", False, f"does not work: {type(error).__name__}: {error}", remedy=remedy)
        return
    yield Finding(
        "analyze", works, "works" if works else "works, and gives a wrong report", remedy="" if works else remedy
    )


def _walker() -> Iterator[Finding]:
    from pcapdiag.capture.walker import COMPILED

    if COMPILED:
        yield Finding("walker", True, "compiled")
        return
    says = "interpreted: bulk traffic takes three to eight times as long"
    remedy = (
        "a wheel for this system has it compiled; so has an installation where a C compiler and Python's headers are"
    )
    yield Finding("walker", False, says, remedy=remedy)


def _live() -> Iterator[Finding]:
    """libpcap, and the interfaces that this user may open."""
    from pcapdiag.capture import libpcap
    from pcapdiag.capture.datagram import CaptureError
    from pcapdiag.capture.interface import interfaces

    try:
        found = interfaces()
    except CaptureError as error:
        yield Finding("live", False, "no interface can be opened", remedy=str(error))
        return
    library = libpcap.version().partition(" (")[0]
    can = [one.name for one in found if one.problem is None]
    if can:
        yield Finding("live", True, f"can open {', '.join(can)} ({library})")
        return
    problem = next((one.problem for one in found if one.problem), "there are none")
    yield Finding("live", False, f"no interface can be opened ({library})", remedy=problem)


def _packages() -> Iterator[Finding]:
    for name, needed_for, remedy in PACKAGES:
        there = find_spec(name) is not None
        yield Finding(name, there, _version(name) if there else "not installed", needed_for, "" if there else remedy)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # copied here, not installed
        return "of unknown version"


def _programs() -> Iterator[Finding]:
    for name, needed_for in PROGRAMS:
        path = shutil.which(name)
        yield Finding(name, path is not None, path or "not installed", needed_for, "" if path else WIRESHARK)


def _settings() -> Iterator[Finding]:
    from pcapdiag.cli.config_file import ConfigError, read
    from pcapdiag.cli.options import CONFIG_VARIABLE
    from pcapdiag.cli.settings import place

    path = place()
    if not path or (CONFIG_VARIABLE not in os.environ and not os.path.exists(path)):
        yield Finding("settings", True, "none")
        return
    try:
        read(path)
    except ConfigError as error:
        yield Finding("settings", False, str(error), remedy="`pcapdiag config --example` prints a file that is right")
        return
    yield Finding("settings", True, path)


LOOKS: tuple[Callable[[], Iterator[Finding]], ...] = (_analyze, _walker, _live, _packages, _programs, _settings)
"""In the order in which they are told; the first decides the exit status."""
