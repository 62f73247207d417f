"""Captures and data sets on servers: S3 and HTTP, by worker processes that share nothing with the test."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from pcapdiag.fleet.access import access_of
from pcapdiag.fleet.peers import manifests_of, overview, remember
from pcapdiag.fleet.places import FleetError, Store, listed
from pcapdiag.fleet.run import Step, run
from pcapdiag.fleet.work import first_times
from pcapdiag.pipeline import analyze
from tests.fleet.servers import CLOSED, S3, s3_server, web_server

distributed = pytest.importorskip("distributed")
pytest.importorskip("s3fs")
pytest.importorskip("moto")

CAPTURES = Path(__file__).parents[2] / "captures"
NAMES = ("completed-psk", "mm5-psk-mismatch", "ikev2-completed", "mm1-no-reply")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    """With the captures of four gateways in it."""
    before = dict(os.environ)
    with s3_server() as server:
        # Worker processes begin with it, and so does what the test itself opens.
        os.environ.update(server.environment)
        client = server.client()
        for bucket in ("captures", "verdicts"):
            client.create_bucket(Bucket=bucket)
        for number, name in enumerate(NAMES):
            put(server, "captures", f"2026/gw{number}/day.pcap", name)
        try:
            yield server
        finally:
            os.environ.clear()
            os.environ.update(before)


@pytest.fixture(scope="module")
def client(s3: S3) -> Iterator[Any]:
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def put(server: S3, bucket: str, key: str, capture: str) -> None:
    server.client().put_object(Bucket=bucket, Key=key, Body=(CAPTURES / f"{capture}.pcap").read_bytes())


def rows(url: str, table: str) -> list[dict[str, Any]]:
    """Of all that manifests name."""
    store = Store(url)
    found: list[dict[str, Any]] = []
    for manifest in manifests_of(store):
        octets = store.read(manifest.files[table]) if table in manifest.files else None
        if octets is not None:
            read = parquet.read_table(pa.BufferReader(octets)).to_pylist()
            found += [{"gateway": manifest.gateway, **row} for row in read]
    return found


def spis(name: str) -> list[str]:
    return [d.exchange.initiator_spi.hex() for d in analyze(CAPTURES / f"{name}.pcap").diagnoses]


def command(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The program itself, as a user has it."""
    return subprocess.run(
        [sys.executable, "-m", "pcapdiag", "fleet", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        env=os.environ | (environment or {}),
    )


# --- what works --------------------------------------------------------------------------------------------------


def test_from_s3_to_s3_by_two_processes_and_again_only_what_is_new(s3: S3, client: Any) -> None:
    captures, verdicts = "s3://captures/2026", "s3://verdicts/one"
    done = run([captures], verdicts, client)
    assert (done.done, done.failed, done.errors) == (4, (), ())
    assert {row["initiator_spi"] for row in rows(verdicts, "exchanges")} == {s for name in NAMES for s in spis(name)}
    assert {row["file"] for row in rows(verdicts, "messages")} == {
        f"s3://captures/2026/gw{n}/day.pcap" for n in range(4)
    }
    again = run([captures], verdicts, client)
    assert (again.done, again.known) == (0, 4)
    # Another program puts them there: the workers have listed the place before, and must not remember that.
    put(s3, "captures", "2026/gw4/day.pcap", "completed-nat")
    put(s3, "captures", "2026/gw3/day.pcap", "mm5-lost")
    try:
        new = run([captures], verdicts, client)
    finally:
        s3.client().delete_object(Bucket="captures", Key="2026/gw4/day.pcap")
        put(s3, "captures", "2026/gw3/day.pcap", "mm1-no-reply")
    assert (new.done, new.known) == (2, 3)
    told = {row["initiator_spi"] for row in rows(verdicts, "exchanges")}
    assert told >= {*spis("completed-nat"), *spis("mm5-lost")}
    assert told.isdisjoint(spis("mm1-no-reply"))
    named = {file for manifest in manifests_of(Store(verdicts)) for file in manifest.files.values()}
    there = {name for name in Store(verdicts).names("") if name.endswith(".parquet")}
    assert there == named


def test_the_report_of_a_data_set_on_s3(s3: S3, client: Any) -> None:
    run(["s3://captures/2026/gw[01]/*.pcap"], "s3://verdicts/report", client)
    remember(Store("s3://verdicts/report"))
    (failing,) = overview(Store("s3://verdicts/report")).failing
    assert (failing.gateway, failing.cause) == ("gw1", "psk-mismatch")
    said = command("report", "s3://verdicts/report")
    assert said.returncode == 1
    assert "likely: psk-mismatch" in said.stdout


def test_a_listing_of_more_than_a_page(s3: S3, client: Any) -> None:
    def put_one(number: int) -> None:
        shared.put_object(Bucket="captures", Key=f"many/gw/{number:05}.pcap", Body=octets)

    shared, octets = s3.client(), (CAPTURES / "mm1-no-reply.pcap").read_bytes()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put_one, range(1_100)))
    found = client.submit(listed, ["s3://captures/many"], pure=False).result()
    assert [one.url for one in found] == [f"s3://captures/many/gw/{number:05}.pcap" for number in range(1_100)]
    times = client.submit(first_times, found[:70], pure=False).result()
    assert times == [analyze(CAPTURES / "mm1-no-reply.pcap").captures[0].summary.first_time] * 70


def test_over_http_from_a_server_that_knows_no_ranges(tmp_path: Path, client: Any) -> None:
    for number, name in enumerate(NAMES):
        (tmp_path / "in" / f"gw{number}").mkdir(parents=True)
        shutil.copy(CAPTURES / f"{name}.pcap", tmp_path / "in" / f"gw{number}" / "day.pcap")
    (tmp_path / "in" / "read me.txt").write_text("no capture")
    with web_server(tmp_path) as address:
        done = run([f"{address}/in/"], str(tmp_path / "out"), client)
        assert (done.done, done.failed, done.errors) == (4, (), ())
        told = {row["initiator_spi"] for row in rows(str(tmp_path / "out"), "exchanges")}
        assert told == {spi for name in NAMES for spi in spis(name)}
        one = f"{address}/in/gw0/day.pcap?token=a-secret-token"
        assert run([one], str(tmp_path / "alone"), client).exchanges == len(spis("completed-psk"))
        assert run([f"{address}/in/"], str(tmp_path / "out"), client).known == 4
    assert {row["file"] for row in rows(str(tmp_path / "alone"), "messages")} == {f"{address}/in/gw0/day.pcap?…"}
    for path in tmp_path.rglob("alone/**/*"):
        assert not path.is_file() or b"a-secret-token" not in path.read_bytes()


def test_options_for_a_store_take_the_place_of_the_environment(s3: S3) -> None:
    empty = dict.fromkeys(("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "")
    said = command(
        "s3://captures/2026", "-o", "s3://verdicts/options", "--workers", "2",
        "--storage-option", f"s3.endpoint_url={s3.url}",
        "--storage-option", f"s3.key={s3.environment['AWS_ACCESS_KEY_ID']}",
        "--storage-option", f"s3.secret={s3.secret}",
        environment=empty,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "4 tasks done" in said.stderr
    store = Store("s3://verdicts/options")
    for name in store.names(""):
        assert s3.secret.encode() not in (store.read(name) or b"")


# --- what fails --------------------------------------------------------------------------------------------------


def one_line(said: subprocess.CompletedProcess[str], s3: S3) -> str:
    """What is said on standard error besides where the dashboard is; nothing of it is a secret or a traceback."""
    assert said.returncode == 3, said.stderr
    assert "Traceback" not in said.stderr + said.stdout
    assert s3.secret not in said.stderr + said.stdout
    (line,) = (line for line in said.stderr.splitlines() if "dashboard" not in line)
    return line


def test_wrong_credentials_are_one_line(s3: S3) -> None:
    wrong = {"AWS_SECRET_ACCESS_KEY": "not-this-one-4711"}
    said = command("s3://captures/2026", "-o", "s3://verdicts/wrong", "--workers", "1", environment=wrong)
    line = one_line(said, s3)
    assert "s3://verdicts/wrong: permission denied: " in line
    assert "4711" not in said.stderr
    assert "permission denied" in one_line(command("report", "s3://verdicts/one", environment=wrong), s3)


def test_no_credentials_are_one_line(s3: S3) -> None:
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONFIG_FILE": "", "HOME": "/nowhere"}
    said = command("s3://captures/2026", "-o", "s3://verdicts/wrong", "--workers", "1", environment=none)
    assert "credentials" in one_line(said, s3)


def test_a_bucket_that_is_missing_is_one_line_and_is_not_made(s3: S3) -> None:
    for arguments in (
        ("s3://captures/2026", "-o", "s3://missing/one", "--workers", "1"),
        ("s3://missing/2026", "-o", "s3://verdicts/two", "--workers", "1"),
        ("report", "s3://missing/one"),
    ):
        assert "s3://missing/" in one_line(command(*arguments), s3)
    assert {bucket["Name"] for bucket in s3.client().list_buckets()["Buckets"]} == {"captures", "verdicts"}


def test_a_server_that_is_not_there_is_one_line(s3: S3) -> None:
    began = time.monotonic()
    away = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    said = command("s3://captures/2026", "-o", "s3://verdicts/two", "--workers", "1", environment=away)
    assert "Could not connect" in one_line(said, s3)
    assert time.monotonic() - began < 60


def test_a_server_that_goes_away_fails_tasks_which_the_next_run_does(s3: S3, client: Any) -> None:
    def cut(step: Step) -> None:
        s3.wire.cut = s3.wire.cut or step.done >= 1

    with ThreadPoolExecutor(8) as pool:
        many = range(12)
        list(pool.map(lambda n: put(s3, "captures", f"away/gw{n:02}/day.pcap", NAMES[n % 4]), many))
    try:
        done = run(["s3://captures/away"], "s3://verdicts/away", client, progress=cut)
    finally:
        s3.wire.cut = False
    assert 1 <= done.done < 12
    assert done.done + len(done.failed) == 12
    assert all("Error" in line and "\n" not in line and s3.secret not in line for line in done.failed)
    rest = run(["s3://captures/away"], "s3://verdicts/away", client)
    assert (rest.known + rest.done, rest.failed) == (12, ())
    assert rest.known >= done.done
    assert len(rows("s3://verdicts/away", "exchanges")) == sum(len(spis(NAMES[n % 4])) for n in many)


def test_what_the_store_refuses_is_a_row_and_is_asked_for_again(s3: S3, client: Any) -> None:
    put(s3, "captures", "some/gw/a.pcap", "completed-psk")
    put(s3, "captures", f"some/gw/{CLOSED}.pcap", "mm5-lost")
    done = run(["s3://captures/some"], "s3://verdicts/some", client)
    assert (done.done, done.failed) == (2, ())
    (error,) = rows("s3://verdicts/some", "errors")
    assert error["text"].startswith(f"s3://captures/some/gw/{CLOSED}.pcap: permission denied")
    assert [row["initiator_spi"] for row in rows("s3://verdicts/some", "exchanges")] == spis("completed-psk")
    again = run(["s3://captures/some"], "s3://verdicts/some", client)
    assert (again.done, again.known) == (1, 1)


def test_a_capture_that_is_not_on_the_web_server_is_said(tmp_path: Path, client: Any) -> None:
    access = access_of(['http.headers={"X-Token":"a-secret-token"}'])
    with web_server(tmp_path) as address, pytest.raises(FleetError, match=r"gone\.pcap") as caught:
        run([f"{address}/gone.pcap?token=a-secret-token"], str(tmp_path / "out"), client, access=access)
    assert "a-secret-token" not in str(caught.value)


def test_workers_log_no_secret(s3: S3, client: Any) -> None:
    access = access_of(["s3.key=an-access-key", "s3.secret=a-secret-4711", f"s3.endpoint_url={s3.url}"])
    with pytest.raises(FleetError, match="permission denied") as caught:
        run(["s3://captures/2026"], "s3://verdicts/logs", client, access=access)
    logs = [line for lines in client.get_worker_logs().values() for line in lines]
    for said in (str(caught.value), repr(access), *map(str, logs), *map(str, client.get_scheduler_logs())):
        assert "4711" not in said
        assert "an-access-key" not in said
