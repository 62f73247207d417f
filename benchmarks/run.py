"""Times pcapdiag beside what else reads captures, and prints medians, ratios and memory as Markdown.

    python benchmarks/run.py [DIRECTORY] [--only NAME…] [--runs 5] [--scale 1.0] [--keep]

Run it with the Python that has pcapdiag installed (`pip install .`: from a checkout nothing is compiled). The captures
of generate.py are written to DIRECTORY, one after the other, and removed again; 2 GB of disk, and as much memory for
the page cache, is what it needs. The commands of a row run in turn, so that a machine whose speed drifts is as fast for
one as for the other; all read from the page cache. Wall time is that of the whole process, memory that of the largest
process. tcpdump and tshark are Debian's packages of these names; what is not installed is left out.
"""

import argparse
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import tunnels
from generate import NAMES, generate

import pcapdiag
from pcapdiag.capture.walker import COMPILED

CAPTURES = Path(__file__).parent.parent / "captures"
FILTER = "udp port 500 or udp port 4500"
FIELDS = "frame.number frame.time_epoch ip.src ip.dst isakmp.ispi isakmp.rspi isakmp.exchangetype isakmp.messageid"
TUNNELS = {"tunnels.pcap": 20_000, "many-tunnels.pcap": 200_000}
"""Captures of tunnels.py, and how many exchanges they have at scale 1."""
GROWING = ("dpd.pcap", "quick-modes.pcap", "day-of-dpd.pcap")
"""Captures in which exchanges grow."""
SHORT = 5
"""Seconds: commands that take less are run once more before each run that counts."""


class Command:
    """One way of reading a capture, and what its runs took."""

    def __init__(self, label: str, arguments: Sequence[str], environment: dict[str, str] | None = None) -> None:
        """Name it; `environment` is added to that of this process."""
        self.label = label
        self.arguments = list(arguments)
        self.environment = os.environ | (environment or {})
        self.walls: list[float] = []
        self.peak = 0

    def run(self) -> None:
        """Run it once, its output thrown away."""
        began = time.perf_counter()
        with subprocess.Popen(
            self.arguments, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            _, _, usage = os.wait4(process.pid, 0)
            self.walls.append(time.perf_counter() - began)
            process.returncode = 0
        self.peak = max(self.peak, usage.ru_maxrss * 1024)

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.walls)


class Bench:
    """The commands for each capture."""

    def __init__(self, scratch: Path) -> None:
        """Put an interpreted copy of the installed package into `scratch`."""
        self.program = [sys.executable, "-P", "-m", "pcapdiag", "analyze", "--json"]
        source = Path(pcapdiag.__file__).parent
        shutil.copytree(source, scratch / "pcapdiag", ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
        self.plain = {"PYTHONPATH": str(scratch)}
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(scratch)], check=False)

    def ours(self, *captures: str) -> list[Command]:
        """Compiled and interpreted, with one process and as many as there are processors."""
        compiled = [
            Command("pcapdiag, compiled", [*self.program, *captures]),
            Command("pcapdiag, compiled, `-j 1`", [*self.program, "-j", "1", *captures]),
        ]
        return (compiled if COMPILED else []) + [
            Command("pcapdiag, interpreted", [*self.program, *captures], self.plain),
            Command("pcapdiag, interpreted, `-j 1`", [*self.program, "-j", "1", *captures], self.plain),
        ]

    def streamed(self, capture: str) -> list[Command]:
        """All at once, and exchange by exchange, in one process and in as many as there are processors."""
        plain = self.program[:-1]
        there = shlex.quote(str(Path(capture).with_suffix(".set")))
        tables = shlex.join([*plain, "-o", there, capture])
        return [
            Command("pcapdiag `--json`", [*self.program, capture]),
            Command("pcapdiag `--ndjson -j 1`", [*plain, "--ndjson", "-j", "1", capture]),
            Command("pcapdiag `--ndjson`", [*plain, "--ndjson", capture]),
            Command("pcapdiag `-o DIR -j 1`", ["sh", "-c", f"rm -rf {there}; {tables} -j 1"]),
            Command("pcapdiag `-o DIR`", ["sh", "-c", f"rm -rf {there}; {tables}"]),
        ]

    def bulk(self, capture: str, expression: str = FILTER) -> list[Command]:
        """For a capture in which IKE is rare."""
        return [
            Command("tcpdump", ["tcpdump", "-r", capture, expression, "-w", "/dev/null"]),
            Command("cat", ["cat", capture]),
            *self.ours(capture),
        ]

    def commands(self, name: str, path: Path) -> list[Command]:
        """What is compared on the capture of that name; the first is what ratios are to."""
        capture = str(path)
        if name == "tagged.pcap":
            return self.bulk(capture, f"vlan and ({FILTER})")
        if name == "dense.pcap":
            return [self.tshark(capture), Command("cat", ["cat", capture]), *self.ours(capture)]
        if name in GROWING:
            plain = self.program[:-1]
            return [
                self.tshark(capture),
                Command("pcapdiag, text", [*plain, capture]),
                Command("pcapdiag `--ndjson -j 1`", [*plain, "--ndjson", "-j", "1", capture]),
            ]
        if name in TUNNELS:
            return [self.tshark(capture), *self.streamed(capture)]
        if name == "rotated":
            files = sorted(str(p) for p in path.iterdir())
            listing = path.with_suffix(".list")
            listing.write_text("\n".join(files))
            return [
                Command("tcpdump", ["tcpdump", "-V", str(listing), FILTER, "-w", "/dev/null"]),
                Command("cat", ["cat", *files]),
                *self.ours(capture),
            ]
        return self.bulk(capture)

    def tshark(self, capture: str) -> Command:
        """Tshark, printing a few fields of each IKE message."""
        fields = [word for field in FIELDS.split() for word in ("-e", field)]
        return Command("tshark", ["tshark", "-r", capture, "-Y", "isakmp", "-T", "fields", *fields])

    def start_up(self) -> list[Command]:
        """A small capture, and no capture."""
        capture = str(CAPTURES / "mm1-no-reply.pcap")
        return [
            Command("tshark -r", ["tshark", "-r", capture]),
            Command("pcapdiag analyze", [*self.program[:-1], capture]),
            Command("pcapdiag --help", [sys.executable, "-P", "-m", "pcapdiag", "--help"]),
            Command("python -c pass", [sys.executable, "-c", "pass"]),
        ]


def measure(commands: list[Command], runs: int) -> list[Command]:
    """Run the commands in turn; those that are there, and slow ones less often."""
    there = [c for c in commands if shutil.which(c.arguments[0])]
    for command in there:
        command.run()  # not counted: it brings the file into the page cache, and the program too
        if command.walls[0] < 20:
            command.walls.clear()
    for _ in range(runs):
        for command in there:
            if not command.walls or command.walls[0] < SHORT:
                # What waited while others ran for ten seconds starts colder than what was run just before.
                command.run()
                command.walls.pop()
            if not command.walls or command.walls[0] < 20:
                command.run()
    return there


def table(title: str, commands: list[Command]) -> str:
    """The figures, with ratios to the first command."""
    first = commands[0].median
    lines = [f"### {title}", "", "| command | wall, s | min–max | ratio | peak, MB |", "|---|---|---|---|---|"]
    for c in commands:
        spread = f"{min(c.walls):.2f}–{max(c.walls):.2f}"
        lines.append(f"| {c.label} | {c.median:.3f} | {spread} | {c.median / first:.2f} | {c.peak / 1e6:.0f} |")
    return "\n".join([*lines, ""])


def machine() -> str:
    """What this was measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    versions = [f"Python {platform.python_version()}"]
    for tool in ("tcpdump", "tshark"):
        if shutil.which(tool):
            said = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False)
            versions.append((said.stdout or said.stderr).splitlines()[0].strip())
    return f"{os.cpu_count()} × {model}; {platform.system()} {platform.release()}; {'; '.join(versions)}"


def main() -> None:
    """Run from the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("directory", type=Path, nargs="?", default=Path(tempfile.gettempdir()) / "pcapdiag-benchmark")
    options.add_argument("--only", nargs="*", metavar="NAME", default=["start-up", *NAMES, *TUNNELS])
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--scale", type=float, default=1.0)
    options.add_argument("--keep", action="store_true", help="leave the captures there")
    given = options.parse_args()
    print(f"`{shlex.join(['python', *sys.argv])}`\n\n{machine()}\n", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch))
        if "start-up" in given.only:
            print(table("start-up", measure(bench.start_up(), 4 * given.runs)), flush=True)
        for name in (n for n in (*NAMES, *TUNNELS) if n in given.only):
            generate(given.directory, [name], given.scale)
            if name in TUNNELS:
                tunnels.generate(given.directory / name, int(TUNNELS[name] * given.scale))
            path = given.directory / name
            files = sorted(path.iterdir()) if path.is_dir() else [path]
            octets = sum(f.stat().st_size for f in files)
            title = f"{name}: {octets / 1e6:,.0f} MB" + (f" in {len(files)} files" if len(files) > 1 else "")
            print(table(title, measure(bench.commands(name, path), given.runs)), flush=True)
            if not given.keep:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    main()
