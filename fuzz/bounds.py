"""Measures what the attacks of `fuzz.attacks` cost: `python -m fuzz.bounds [NAME...] [--scale 1.0]` prints a table.

Each runs through `pcapdiag analyze` twice, with a quarter of the count and with all of it: the time may grow as the
input does, and the memory not beyond the bound.
"""

import os
import resource
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


def cost(attack: Attack, count: int, options: Sequence[str] = (), limit: int | None = None) -> Cost:
    """Run it; limit -- of the address space, in octets (`ulimit -v`)."""

    def bound() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "attack")
        with path.open("wb", buffering=1 << 20) as file:
            attack.write(file, count)
        output = Path(folder, "output")
        command = [sys.executable, "-m", "pcapdiag", "analyze", *attack.options, *options, str(path)]
        with output.open("wb") as stream:
            began = time.monotonic()
            process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, preexec_fn=bound)
            _, status, used = os.wait4(process.pid, 0)
        spent = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        with output.open("rb") as stream:
            head = stream.read(1 << 20)
            stream.seek(max(output.stat().st_size - 65_536, 0))
            text = (head + stream.read()).decode("utf-8", "replace")
        return Cost(path.stat().st_size, spent, used.ru_maxrss >> 10, process.returncode, text)


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
