"""Runs `pcapdiag fleet` over gateways of tunnels.py, breaks things, and prints Markdown; or simulates more nodes.

    python benchmarks/fleet.py [DIRECTORY] [--gateways 4] [--exchanges 2000] [--workers 1 2 4] [--disturb] [--keep]
    python benchmarks/fleet.py --simulate [--per-exchange 1.2] [--petabytes 1]

A gateway has one capture: a day, with a seed of its own. Each run is a process of its own, as a user has it, with a
data set of its own; how much memory its processes have is looked at five times a second. `--disturb` runs once more and
kills a worker in the middle, and damages a capture and mends it again; data sets are compared by their files, whose
names say what is in them.

`--simulate` gives tasks, a day of a gateway each, to the processors of N nodes as they become free, and looks for the
least N with which a day's captures are done in a day. What it takes as given stands in what it prints.
"""

import argparse
import heapq
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import tunnels
from pyarrow import compute, dataset

MB = 1e6


class Measured(NamedTuple):
    """A run of the program.

    wall, processor -- seconds; processor time is that of all its processes
    first, worker, all -- octets of memory at most: of the process that was called, which has the scheduler; of the
        largest other one; of all at a time
    """

    wall: float
    processor: float
    first: int
    worker: int
    all: int
    status: int
    said: str


def measured(arguments: Sequence[str], meanwhile: Callable[[psutil.Process], None] = lambda process: None) -> Measured:
    """Run `pcapdiag fleet`; `meanwhile` is called with its process every now and then."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "pcapdiag", "fleet", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        peaks, spent = _Peaks(process.pid), [0.0]

        def look() -> None:
            while not over.wait(0.2):
                spent[0] = max(spent[0], peaks.look())
                with suppress(psutil.Error):
                    meanwhile(psutil.Process(process.pid))

        over = threading.Event()
        looking = threading.Thread(target=look, daemon=True)
        looking.start()
        said = process.communicate()[0].decode(errors="replace")
        over.set()
        looking.join()
    wall = time.perf_counter() - began
    return Measured(wall, spent[0], peaks.first, peaks.worker, peaks.all, process.returncode, said)


class _Peaks:
    """The memory of a process and those that it began, at most; what they share counts for each."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.first = self.worker = self.all = 0

    def look(self) -> float:
        """Look once. Returns the processor time so far of those that are there."""
        spent, sizes = 0.0, []
        try:
            process = psutil.Process(self._pid)
            family = [process, *process.children(recursive=True)]
        except psutil.Error:
            return 0.0
        for one in family:
            try:
                sizes.append((one.pid, one.memory_info().rss))
                times = one.cpu_times()
                spent += times.user + times.system
            except psutil.Error:
                continue
        self.first = max(self.first, *(size for pid, size in sizes if pid == self._pid), 0)
        self.worker = max(self.worker, *(size for pid, size in sizes if pid != self._pid), 0)
        self.all = max(self.all, sum(size for _, size in sizes))
        return spent


def make(folder: Path, gateways: int, exchanges: int) -> None:
    """Write the captures that are not there yet."""
    for number in range(1, gateways + 1):
        target = folder / f"gw{number:02}" / "day.pcap"
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            tunnels.generate(target.with_suffix(".part"), exchanges, number)
            target.with_suffix(".part").rename(target)


def size_of(folder: Path) -> int:
    """Octets of the files below it."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def contents(output: Path) -> dict[str, str]:
    """The files of a data set, but for the states after each run: what is in them, or their name, which says it."""
    return {
        str(path.relative_to(output)): path.read_text() if path.suffix == ".json" else path.name
        for path in sorted(output.rglob("*"))
        if path.is_file() and path.relative_to(output).parts[0] != "runs"
    }


def exchanges_of(output: Path) -> int:
    """How many the manifests say."""
    return sum(json.loads(path.read_text())["exchanges"] for path in (output / "manifests").rglob("*.json"))


# --- runs --------------------------------------------------------------------------------------------------------


def runs(captures: Path, folder: Path, workers: Sequence[int]) -> Path:
    """Print a row for each number of workers. Returns the data set of the last."""
    print(
        "| run | wall, s | processor, s | exchanges/s | ms of a processor each | scheduler, MB | worker, MB | all, MB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    before: dict[str, str] | None = None
    output = folder / "out"
    for number in workers:
        output = folder / f"out{number}"
        found = measured([str(captures), "-o", str(output), "--workers", str(number)])
        row(f"{number} workers", found, exchanges_of(output))
        if before is not None and before != contents(output):
            print(f"\nThe data set of {number} workers is another one.")
        before = contents(output)
    row("again", measured([str(captures), "-o", str(output), "--workers", str(workers[-1])]), None)
    print(f"\n{size_of(captures) / MB:,.0f} MB of captures, {size_of(output) / MB:,.0f} MB of data set.\n")
    return output


def row(name: str, found: Measured, exchanges: int | None) -> None:
    """Print what a run took."""
    if found.status not in (0, 1):
        print(f"{name}: exit status {found.status}: {found.said}", file=sys.stderr)
    rate = f"{exchanges / found.wall:,.0f}" if exchanges else ""
    each = f"{found.processor / exchanges * 1000:.2f}" if exchanges else ""
    memory = " | ".join(f"{size / MB:,.0f}" for size in (found.first, found.worker, found.all))
    print(f"| {name} | {found.wall:,.1f} | {found.processor:,.1f} | {rate} | {each} | {memory} |", flush=True)


def disturbed(captures: Path, folder: Path, whole: Path) -> None:
    """Kill a worker in the middle; damage a capture, run, mend it, run: what is left is compared with a quiet run."""
    output = folder / "disturbed"
    killed: list[int] = []

    def kill(process: psutil.Process) -> None:
        if killed or not any((output / "manifests").rglob("*.json")):
            return
        with suppress(psutil.Error, IndexError):
            workers = [one.pid for one in process.children(recursive=True) if "spawn_main" in " ".join(one.cmdline())]
            os.kill(workers[-1], signal.SIGKILL)
            killed.append(workers[-1])

    found = measured([str(captures), "-o", str(output), "--workers", "2"], kill)
    same = contents(output) == contents(whole)
    print(f"- A worker killed ({len(killed)}): exit status {found.status}, the same data set: {yes(same)}.")
    victim = next(captures.rglob("*.pcap"))
    octets, when = victim.read_bytes(), victim.stat()
    victim.write_bytes(octets[: len(octets) // 2 + 7])
    found = measured([str(captures), "-o", str(output), "--workers", "2"])
    errors = [line for line in found.said.splitlines() if "dashboard" not in line]
    print(f"- A capture cut in half: exit status {found.status}; {'; '.join(errors).replace(str(folder), '…')}.")
    victim.write_bytes(octets)
    os.utime(victim, ns=(when.st_atime_ns, when.st_mtime_ns))
    found = measured([str(captures), "-o", str(output), "--workers", "2"])
    same = {name for name in contents(output) if name.endswith(".parquet")} == {
        name for name in contents(whole) if name.endswith(".parquet")
    }
    print(f"- It is whole again: exit status {found.status}, the same tables as before: {yes(same)}.\n")


def yes(said: bool) -> str:
    """For people."""
    return "yes" if said else "no"


def asked(output: Path) -> None:
    """Print what reports and queries of a data set take."""
    print("| report or query | wall, s | memory, MB | answer |")
    print("|---|---|---|---|")
    for form in ("text", "json", "html", "prometheus"):
        with tempfile.TemporaryDirectory() as beside:
            target = Path(beside) / "report"
            found = measured(["report", str(output), "--format", form, "-o", str(target)])
            size = f"{target.stat().st_size / MB:.1f} MB" if target.exists() else found.said.strip()
        print(f"| `fleet report --format {form}` | {found.wall:.1f} | {found.first / MB:,.0f} | {size} |", flush=True)
    for name, query in QUERIES.items():
        began = time.perf_counter()
        answer = query(str(output))
        print(f"| {name} | {time.perf_counter() - began:.2f} | | {answer} |", flush=True)
    print()


LATEST = (
    "(from read_parquet('OUT/exchanges/**/*.parquet', hive_partitioning = true) "
    "qualify revision = max(revision) over (partition by date, gateway, exchange))"
)
"""What is said of each exchange, which holds in place of what was told of it before."""


def _by_arrow(output: str) -> str:
    key = ["date", "gateway", "exchange"]
    found = dataset.dataset(f"{output}/exchanges", partitioning="hive")
    table = found.to_table(columns=[*key, "revision", "outcome"]).sort_by("revision")
    table = table.append_column("ended", compute.cast(table["outcome"], "string"))  # dictionaries have no "last"
    latest = table.group_by(key, use_threads=False).aggregate([("ended", "last")])
    counts = {row["values"]: row["counts"] for row in compute.value_counts(latest["ended_last"]).to_pylist()}
    return ", ".join(f"{name} {counts[name]:,}" for name in sorted(counts))


def _by_duckdb(query: str) -> Callable[[str], str]:
    def asked_of(output: str) -> str:
        try:
            import duckdb
        except ImportError:
            return "DuckDB is not installed"
        rows = duckdb.connect().execute(query.replace("OUT", output)).fetchall()
        return "; ".join(", ".join(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in r) for r in rows)

    return asked_of


QUERIES: dict[str, Callable[[str], str]] = {
    "pyarrow: how exchanges ended": _by_arrow,
    "DuckDB: the three gateways with most failures": _by_duckdb(
        f"select gateway, count(*) n from {LATEST} "
        "where tunnel in ('down', 'no-child', 'lost', 'one-way') group by all order by n desc, gateway limit 3"
    ),
    "DuckDB: the three causes that come first most often": _by_duckdb(
        f"select top_cause, count(*) n from {LATEST} where top_cause is not null group by all order by n desc limit 3"
    ),
    "DuckDB: rows of `messages` of one gateway": _by_duckdb(
        "select count(*) from read_parquet('OUT/messages/**/*.parquet', hive_partitioning = true) "
        "where gateway = 'gw01'"
    ),
}


# --- simulated ---------------------------------------------------------------------------------------------------

DAY = 86_400.0
PROCESSORS = 32
"""Of a node."""
NODE_RATE, STORE_RATE = 25e9 / 8 / 2, 100e9
"""Octets a second that a node reads, half of 25 Gbit/s; and that the store gives out to all."""
SIGMA = 1.0
"""How unequal gateways are: that of the logarithm of their size."""
SLOW, SLOWER = 0.01, 3.0
"""The part of the tasks that take so many times as long as they should: stragglers."""
LOST = 0.001
"""The part of the tasks whose worker is lost at their end, so that they are done again."""


class Fleet(NamedTuple):
    """What a day brings: how many octets, those of a gateway in the mean, and seconds of a processor for an octet."""

    name: str
    octets: float
    mean: float
    cost: float


class Simulated(NamedTuple):
    """How it went: seconds until all was done, what part of its time a processor worked, the longest task."""

    wall: float
    busy: float
    longest: float


def durations(fleet: Fleet, nodes: int, chance: random.Random) -> Iterator[float]:
    """How long each task takes: reading and judging do not overlap; what a node or the store gives out is shared."""
    rate = min(NODE_RATE, STORE_RATE / nodes) / PROCESSORS
    mu = -SIGMA * SIGMA / 2  # so that the mean is 1
    for _ in range(round(fleet.octets / fleet.mean)):
        size = fleet.mean * chance.lognormvariate(mu, SIGMA)
        took = size * (fleet.cost + 1 / rate)
        took *= SLOWER if chance.random() < SLOW else 1
        yield took * (2 if chance.random() < LOST else 1)


def simulated(fleet: Fleet, nodes: int, seed: int = 1) -> Simulated:
    """Give each task to the processor that becomes free first, the largest tasks first, as a run does."""
    tasks = sorted(durations(fleet, nodes, random.Random(seed)), reverse=True)
    free = [0.0] * (nodes * PROCESSORS)
    for took in tasks:
        heapq.heapreplace(free, free[0] + took)
    wall = max(free)
    return Simulated(wall, sum(tasks) / wall / len(free), tasks[0])


def least(fleet: Fleet) -> tuple[int, Simulated]:
    """The fewest nodes with which a day is done in a day."""
    low, high = 0, 1
    while simulated(fleet, high).wall > DAY:
        low, high = high, high * 2
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if simulated(fleet, middle).wall <= DAY else (middle, high)
    return high, simulated(fleet, high)


def simulate(per_exchange: float, octets: float, per_octet: float, petabytes: float) -> None:
    """Print how many nodes it takes."""
    total = petabytes * 1e15
    print(
        f"{PROCESSORS} processors a node, which reads {NODE_RATE * 8 / 1e9:.1f} Gbit/s; the store gives out "
        f"{STORE_RATE / 1e9:.0f} GB/s; sizes of gateways are log-normal, sigma {SIGMA}; {SLOW:.0%} of the tasks take "
        f"{SLOWER:.0f} times as long, {LOST:.1%} are done twice.\n"
    )
    print("| a day's captures | tasks | nodes | busy | done after, h | longest task, min |")
    print("|---|---|---|---|---|---|")
    for fleet in (
        Fleet(f"IKE alone, {octets / 1000:.1f} kB and {per_exchange:.2f} ms an exchange, 70 MB a gateway", total, 70e6,
              per_exchange / 1000 / octets),
        Fleet(f"all traffic, {1e-9 / per_octet:.1f} GB/s a processor, 50 GB a gateway", total, 50e9, per_octet),
    ):  # fmt: skip
        nodes, found = least(fleet)
        tasks = round(fleet.octets / fleet.mean)
        print(
            f"| {fleet.name} | {tasks:,} | {nodes} | {found.busy:.0%} | {found.wall / 3600:.1f} | "
            f"{found.longest / 60:.1f} |",
            flush=True,
        )


def main() -> None:
    """Run from the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("directory", type=Path, nargs="?")
    options.add_argument("--gateways", type=int, default=4)
    options.add_argument("--exchanges", type=int, default=2_000, help="of a gateway")
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    options.add_argument("--disturb", action="store_true")
    options.add_argument("--keep", action="store_true", help="leave captures and data sets where they are")
    options.add_argument("--simulate", action="store_true")
    options.add_argument("--per-exchange", type=float, default=1.2, help="milliseconds of a processor")
    options.add_argument("--octets", type=float, default=3_500, help="of a capture, for each exchange")
    options.add_argument("--per-octet", type=float, default=1 / 2.9e9, help="seconds, where hardly anything is IKE")
    options.add_argument("--petabytes", type=float, default=1.0)
    given = options.parse_args()
    if given.simulate:
        simulate(given.per_exchange, given.octets, given.per_octet, given.petabytes)
        return
    folder = given.directory or Path(tempfile.mkdtemp())
    captures = folder / "in"
    make(captures, given.gateways, given.exchanges)
    load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
    print(f"{given.gateways} gateways, {given.exchanges:,} exchanges each; {os.cpu_count()} processors, load {load}\n")
    output = runs(captures, folder, given.workers)
    if given.disturb:
        disturbed(captures, folder, output)
    asked(output)
    print(f"Load at the end: {', '.join(f'{number:.1f}' for number in os.getloadavg())}")
    if not given.keep:
        for made in (captures, folder / "disturbed", *(folder / f"out{number}" for number in given.workers)):
            shutil.rmtree(made, ignore_errors=True)


if __name__ == "__main__":
    main()
