"""A fleet's captures become one data set: whole, once, and again only where something changed."""

import gzip
import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest
from pyarrow import dataset as arrow_dataset
from pyarrow import parquet

from pcapdiag.fleet import work as working
from pcapdiag.fleet.places import FleetError, Grouping, Store, listed
from pcapdiag.fleet.run import Done, Step, run
from pcapdiag.pipeline import analyze

distributed = pytest.importorskip("distributed")
CAPTURES = Path(__file__).parents[2] / "captures"
NAMES = ("completed-psk", "mm5-lost", "ikev2-completed", "mm1-no-reply")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    """Two gateways, two captures each."""
    for number, name in enumerate(NAMES):
        folder = tmp_path / "in" / f"gw{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.pcap").write_bytes((CAPTURES / f"{name}.pcap").read_bytes())
    return tmp_path / "in"


def rows(output: Path, table: str) -> list[dict[str, Any]]:
    """Of all that manifests name."""
    found: list[dict[str, Any]] = []
    for manifest in sorted(output.rglob("manifests/**/*.json")):
        said = json.loads(manifest.read_text())
        if table in said["files"]:
            read = parquet.read_table(pa.BufferReader((output / said["files"][table]).read_bytes())).to_pylist()
            found += [{"gateway": said["gateway"], **row} for row in read]
    return found


def test_what_the_captures_say_alone_is_in_the_data_set(captures: Path, tmp_path: Path, client: Any) -> None:
    steps: list[Step] = []
    done = run([str(captures)], str(tmp_path / "out"), client, progress=steps.append)
    assert (done.known, done.failed, done.errors) == (0, (), ())
    assert steps[-1].done == steps[-1].tasks == done.done
    told = {row["initiator_spi"]: row for row in rows(tmp_path / "out", "exchanges")}
    for number, name in enumerate(NAMES):
        for diagnosis in analyze(CAPTURES / f"{name}.pcap").diagnoses:
            row = told.pop(diagnosis.exchange.initiator_spi.hex())
            assert row["gateway"] == f"gw{number % 2}"
            assert row["outcome"] == diagnosis.stop.outcome.value
            assert row["tunnel"] == diagnosis.tunnel.state.value
    assert told == {}


def test_it_is_partitioned_as_hive_has_it(captures: Path, tmp_path: Path, client: Any) -> None:
    run([str(captures)], str(tmp_path / "out"), client)
    found = arrow_dataset.dataset(tmp_path / "out" / "exchanges", partitioning="hive").to_table().to_pylist()
    assert {row["gateway"] for row in found} == {"gw0", "gw1"}
    day = datetime.fromtimestamp(analyze(CAPTURES / "mm5-lost.pcap").diagnoses[0].exchange.first_time / 1e9, UTC)
    assert day.strftime("%Y-%m-%d") in {str(row["date"]) for row in found}


def contents(output: Path) -> dict[str, bytes]:
    return {str(path.relative_to(output)): path.read_bytes() for path in sorted(output.rglob("*")) if path.is_file()}


def test_run_again_it_does_nothing_and_what_changed_takes_the_place_of_what_was(
    captures: Path, tmp_path: Path, client: Any
) -> None:
    output = tmp_path / "out"
    first = run([str(captures)], str(output), client)
    before = contents(output)
    again = run([str(captures)], str(output), client)
    assert (again.done, again.known) == (0, first.done)
    assert contents(output) == before
    other = (CAPTURES / "mm5-psk-mismatch.pcap").read_bytes()
    (captures / "gw1" / "mm5-lost.pcap").write_bytes(other)
    changed = run([str(captures)], str(output), client)
    assert changed.done >= 1
    said = {row["initiator_spi"] for row in rows(output, "exchanges")}
    assert analyze(CAPTURES / "mm5-psk-mismatch.pcap").diagnoses[0].exchange.initiator_spi.hex() in said
    assert analyze(CAPTURES / "mm5-lost.pcap").diagnoses[0].exchange.initiator_spi.hex() not in said
    named = {name for m in output.rglob("manifests/**/*.json") for name in json.loads(m.read_text())["files"].values()}
    there = {name for name in contents(output) if name.endswith(".parquet")}
    assert there == named


def test_a_broken_capture_is_a_row_of_errors(captures: Path, tmp_path: Path, client: Any) -> None:
    (captures / "gw0" / "broken.pcap").write_bytes(b"nothing of the kind")
    whole = (CAPTURES / "completed-nat.pcap").read_bytes()
    (captures / "gw1" / "cut.pcap").write_bytes(whole[: len(whole) // 2 + 7])
    done = run([str(captures)], str(tmp_path / "out"), client)
    assert done.failed == ()
    errors = rows(tmp_path / "out", "errors")
    assert {Path(row["text"].split(": ")[0]).name for row in errors} == {"broken.pcap", "cut.pcap"}
    assert len(rows(tmp_path / "out", "exchanges")) >= len(NAMES)


def test_a_task_that_runs_twice_leaves_the_same_files(captures: Path, tmp_path: Path) -> None:
    found = tuple(listed([str(captures / "gw0")]))
    day = working.day_of(working.first_times(found)[0]).isoformat()
    task = working.Task("gw0", day, found)
    working.work(task, str(tmp_path / "out"))
    before = contents(tmp_path / "out")
    working.work(task, str(tmp_path / "out"))
    assert contents(tmp_path / "out") == before


def test_workers_that_die_in_the_middle_double_nothing(captures: Path, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill(_step: Step) -> None:
        if not killed:
            killed.extend(client.run(os.getpid).values())
            for process in killed:
                os.kill(process, signal.SIGKILL)

    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        done = run([str(captures)], str(tmp_path / "out"), client, progress=kill)
    assert killed
    assert done.failed == ()
    spis = [row["initiator_spi"] for row in rows(tmp_path / "out", "exchanges")]
    assert len(spis) == len(set(spis)) == sum(len(analyze(CAPTURES / f"{name}.pcap").diagnoses) for name in NAMES)


def test_an_exchange_that_crosses_files_and_midnight_is_one(tmp_path: Path, client: Any) -> None:
    records = _records((CAPTURES / "completed-psk.pcap").read_bytes())
    midnight = 1_795_392_000
    for name, part in (("a.pcap", records[1][:4]), ("b.pcap", records[1][4:])):
        _write(tmp_path / "in" / "gw" / name, records[0], part, midnight - 1)
    done = run([str(tmp_path / "in")], str(tmp_path / "out"), client)
    assert done.failed == ()
    (row,) = rows(tmp_path / "out", "exchanges")
    assert row["outcome"] == "completed"
    assert row["messages"] == len(analyze(CAPTURES / "completed-psk.pcap").diagnoses[0].exchange.steps)


def _records(octets: bytes) -> tuple[bytes, list[bytes]]:
    order = "little" if octets[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else "big"
    found, at = [], 24
    while at < len(octets):
        size = int.from_bytes(octets[at + 8 : at + 12], order)  # type: ignore[arg-type]
        found.append(octets[at : at + 16 + size])
        at += 16 + size
    return octets[:24], found


def _write(path: Path, head: bytes, records: list[bytes], second: int) -> None:
    """The records, those of the first file in that second, the others in the next one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shift = 0 if path.name == "a.pcap" else 1
    octets = head
    for number, record in enumerate(records):
        micro = 999_000 + number if not shift else number
        octets += (second + shift).to_bytes(4, "little") + micro.to_bytes(4, "little") + record[8:]
    path.write_bytes(octets)


def test_object_stores_are_places_too(client: Any) -> None:
    memory = fsspec.filesystem("memory")
    for name in NAMES[:2]:
        memory.pipe_file(f"/in/gw/{name}.pcap.gz", gzip.compress((CAPTURES / f"{name}.pcap").read_bytes()))
    done = run(["memory://in"], "memory://out", client, group_by=r"in/([^/]+)/")
    assert done.failed == ()
    store = Store("memory://out")
    assert any("gateway=gw/" in name for name in store.names("exchanges"))
    assert run(["memory://in"], "memory://out", client, group_by=r"in/([^/]+)/").done == 0


def test_gateways_by_directory_or_pattern() -> None:
    assert Grouping().gateway("s3://bucket/site-7/day.pcap") == "site-7"
    assert Grouping(r"gw-(\w+)").gateway("s3://bucket/gw-x1-0001.pcap") == "x1"
    with pytest.raises(FleetError, match="not known"):
        Grouping(r"gw-(\w+)").gateway("s3://bucket/other.pcap")
    with pytest.raises(FleetError, match="regular expression"):
        Grouping("(")


def test_nothing_to_do_is_said(tmp_path: Path, client: Any) -> None:
    with pytest.raises(FleetError, match="nothing"):
        run([str(tmp_path / "none")], str(tmp_path / "out"), client)
    assert Done(0, 0, (), 0, 0, ()).failed == ()
