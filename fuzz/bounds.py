"""Measures what the attacks of `fuzz.attacks` cost: `python -m fuzz.bounds [NAME...] [--scale 1.0]` prints a table.

Each runs through `pcapdiag analyze` twice, with a quarter of the count and with all of it: the time may grow as the
input does, and the memory not beyond the bound.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

from fuzz.attacks import ATTACKS, Attack
from pcapdiag.record import Record


class Cost(Record, frozen=True):
    """What one run took: octets of the file, seconds, and the most memory in MiB."""

    octets: int
    seconds: float
    memory: int
    status: int
    output: str


_RUN = """
import resource, sys
status, limit = sys.argv.pop(1), int(sys.argv.pop(1))
if limit:
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
from pcapdiag.__main__ import run
try:
    run()
finally:
    with open("/proc/self/status") as own, open(status, "w") as file:
        file.write(own.read())
"""
"""Runs the program within a limit, and keeps what the system says of it at the end. What it says afterwards
(ru_maxrss) is at least what whoever started it had."""


def cost(attack: Attack, count: int, options: Sequence[str] = (), limit: int = 0) -> Cost:
    """Run it; limit -- of the address space, in octets (`ulimit -v`), 0 for none."""
    with tempfile.TemporaryDirectory() as folder:
        path, output, status = (Path(folder, name) for name in ("attack", "output", "status"))
        with path.open("wb", buffering=1 << 20) as file:
            attack.write(file, count)
        program = [sys.executable, "-c", _RUN, str(status), str(limit)]
        with output.open("wb") as stream:
            began = time.monotonic()
            command = [*program, "analyze", *attack.options, *options, str(path)]
            done = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, check=False)
        spent = time.monotonic() - began
        with output.open("rb") as stream:
            head = stream.read(1 << 20)
            stream.seek(max(output.stat().st_size - 65_536, 0))
            text = (head + stream.read()).decode("utf-8", "replace")
        most = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE)
        assert most is not None
        return Cost(path.stat().st_size, spent, int(most[1]) >> 10, done.returncode, text)


@click.command(help=__doc__)
@click.argument("names", nargs=-1)
@click.option("--scale", default=1.0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Measure the JSON report instead of the text.")
def main(names: Sequence[str], scale: float, as_json: bool) -> None:
    """See the module."""
    click.echo("| what | how many | file | time | of that with a quarter | peak memory |")
    click.echo("|---|---|---|---|---|---|")
    for attack in ATTACKS:
        if names and attack.name not in names:
            continue
        options = ["--json"] if as_json else []
        count = max(round(attack.full * scale), 4)
        quarter, whole = (cost(attack, n, options) for n in (count // 4, count))
        bad = "" if whole.status in (0, 1, 3, 4) and "fault in pcapdiag" not in whole.output else " FAILED"
        click.echo(
            f"| {attack.what} ({attack.name}) | {count:,} | {whole.octets / 1e6:.1f} MB | {whole.seconds:.1f} s "
            f"| {quarter.seconds:.1f} s | {whole.memory} MiB{bad} |"
        )


if __name__ == "__main__":
    main()
