"""What a fleet's owner is told: who fails, since when, why; what changed; what is weak."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pcapdiag.cli.fleet import progress_text
from pcapdiag.cli.main import main
from pcapdiag.fleet.peers import Overview, Peer, changes, overview, remember
from pcapdiag.fleet.places import Store
from pcapdiag.fleet.run import Step, run
from pcapdiag.pipeline import analyze
from tests.report.documents import faults, unseen

distributed = pytest.importorskip("distributed")
CAPTURES = Path(__file__).parents[2] / "captures"


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def put(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.pcap").write_bytes((CAPTURES / f"{name}.pcap").read_bytes())


@pytest.fixture
def data(tmp_path: Path, client: Any) -> str:
    """Two gateways: one works, of one the peer has another key."""
    put(tmp_path / "in" / "north", "completed-psk")
    put(tmp_path / "in" / "south", "mm5-psk-mismatch")
    run([str(tmp_path / "in")], str(tmp_path / "out"), client)
    remember(Store(str(tmp_path / "out")))
    return str(tmp_path / "out")


def asked(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["fleet", "report", *arguments])


def test_who_fails_since_when_where_and_why(data: str) -> None:
    found = overview(Store(data))
    (failing,) = found.failing
    (diagnosis,) = analyze(CAPTURES / "mm5-psk-mismatch.pcap").diagnoses
    assert failing.gateway == "south"
    assert failing.since == diagnosis.exchange.first_time
    assert failing.cause == diagnosis.causes[0].cause.id == "psk-mismatch"
    assert failing.reason == diagnosis.stop.reason
    assert (failing.streak, failing.failed, failing.exchanges) == (1, 1, 1)
    assert found.changes == []
    assert found.weak


def test_text_names_peers_and_the_exit_status_says_that_one_fails(data: str, tmp_path: Path) -> None:
    for name, content in (("names.csv", "10.2.0.2,Köln\n"), ("names.yaml", "10.2.0.2: Köln\n")):
        (tmp_path / name).write_text(content, encoding="utf-8")
        result = asked(data, "--names", str(tmp_path / name))
        assert result.exit_code == 1
        assert "Köln (10.2.0.2)" in result.stdout
        assert "likely: psk-mismatch (1×)" in result.stdout


def test_names_that_are_none_are_refused(data: str, tmp_path: Path) -> None:
    for name, content in (("names.csv", "10.2.0.2\n"), ("names.yaml", "- 10.2.0.2\n"), ("bad.yaml", "{")):
        (tmp_path / name).write_text(content)
        assert asked(data, "--names", str(tmp_path / name)).exit_code == 3


def test_json_prometheus_and_html(data: str, tmp_path: Path) -> None:
    document = json.loads(asked(data, "--format", "json").stdout)
    assert [peer["fails"] for peer in document["peers"]] == [True, False]
    metrics = asked(data, "--format", "prometheus").stdout
    assert (
        'pcapdiag_fleet_peer_fails{gateway="south",peers="10.1.0.2 10.2.0.2",name="",cause="psk-mismatch"} 1' in metrics
    )
    assert asked(data, "--format", "html", "-o", str(tmp_path / "page.html")).exit_code == 1
    page = (tmp_path / "page.html").read_text()
    assert "<svg" in page
    assert "psk-mismatch" in page


def test_what_changed_since_the_run_before(data: str, tmp_path: Path, client: Any) -> None:
    put(tmp_path / "in" / "east", "mm1-no-reply")
    run([str(tmp_path / "in")], data, client)
    remember(Store(data))
    said = {(change.gateway, change.what) for change in overview(Store(data)).changes}
    assert said == {("east", "new"), ("east", "began to fail")}
    assert "Since the run before" in asked(data).stdout


def test_json_fits_its_schema_which_names_no_more(data: str, tmp_path: Path, client: Any) -> None:
    put(tmp_path / "in" / "east", "mm1-no-reply")
    (tmp_path / "in" / "east" / "broken.pcap").write_bytes(b"no capture")
    run([str(tmp_path / "in")], data, client)
    remember(Store(data))
    (tmp_path / "names.csv").write_text("10.2.0.2,Ulm\n")
    document = json.loads(asked(data, "--format", "json", "--names", str(tmp_path / "names.csv")).stdout)
    assert faults("fleet", document) == []
    assert unseen("fleet", [document]) == []
    assert document["errors"]
    for place in (document, document["peers"][0], document["changes"][0]):
        place["new"] = 1
        assert faults("fleet", document) != []
        del place["new"]


def test_each_kind_of_change() -> None:
    works, fails = Peer("g", "a b", ok_time=1, software=["x 1"]), Peer("g", "a b", since=2, causes={"psk-mismatch": 1})
    other = Peer("g", "a b", since=2, causes={"path-loss": 1})
    newer = Peer("g", "a b", ok_time=1, software=["x 2"])
    assert [c.what for c in changes([works], [fails])] == ["began to fail"]
    assert [c.what for c in changes([fails], [works])] == ["mended"]
    assert [c.what for c in changes([fails], [other])] == ["another cause"]
    assert [c.what for c in changes([works], [newer])] == ["other software"]
    assert changes([works], [works]) == []


def test_a_peer_that_another_exchange_made_good_does_not_fail() -> None:
    peer = Peer("g", "a b")
    row = {
        "outcome": "superseded", "tunnel": "down", "completed": False, "missing": "MM2", "reason": "",
        "top_cause": None, "initiator_vendors": "", "responder_vendors": "",
    }  # fmt: skip
    peer.add(row, 1)
    assert not peer.fails
    peer.add({**row, "outcome": "stalled", "top_cause": "path-loss"}, 2)
    peer.add({**row, "outcome": "stalled", "top_cause": "path-loss"}, 3)
    assert (peer.since, peer.streak, peer.cause) == (2, 2, "path-loss")
    peer.add({**row, "outcome": "completed", "tunnel": "up", "completed": True}, 4)
    assert (peer.fails, peer.ok_time) == (False, 4)


def test_nothing_in_it_is_said(tmp_path: Path) -> None:
    assert asked(str(tmp_path)).exit_code == 4


def test_a_run_by_the_command_line(tmp_path: Path) -> None:
    put(tmp_path / "in" / "gw", "completed-psk")
    result = CliRunner().invoke(
        main, ["fleet", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--workers", "1"], catch_exceptions=False
    )
    assert result.exit_code == 0
    assert "1 task done" in result.stderr
    assert isinstance(overview(Store(str(tmp_path / "out"))), Overview)


def test_a_scheduler_without_workers_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "in" / "gw", "completed-psk")
    monkeypatch.setattr("pcapdiag.cli.fleet.PATIENCE", 1)
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as cluster:
        arguments = [str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--scheduler", cluster.scheduler_address]
        result = CliRunner().invoke(main, ["fleet", *arguments], catch_exceptions=False)
    assert result.exit_code == 3
    assert "no worker has come" in result.stderr


def test_options_of_a_store_that_are_none_are_wrong_usage_and_not_printed(tmp_path: Path) -> None:
    for arguments in (["report", str(tmp_path)], ["run", str(tmp_path), "-o", str(tmp_path)]):
        result = CliRunner().invoke(main, ["fleet", *arguments, "--storage-option", "s3.secret:4711"])
        assert result.exit_code == 2
        assert "PROTOCOL.NAME=VALUE" in result.stderr
        assert "4711" not in result.stderr


def test_where_there_is_nothing_is_said(tmp_path: Path) -> None:
    result = asked(str(tmp_path / "none"))
    assert result.exit_code == 3
    assert "there is nothing" in result.stderr


def test_progress() -> None:
    assert progress_text(Step(2, 5, 1_000, 50_000_000, 1), 10) == (
        "2 of 5 tasks, 1,000 exchanges, 100/s, 5.0 MB/s, 1 failed"
    )


def test_what_names_say_acts_in_no_format(data: str, tmp_path: Path) -> None:
    names = tmp_path / "names.csv"
    names.write_text("10.2.0.2,<img src=x>\x1b[31m\n")
    for form in ("text", "html", "prometheus"):
        told = asked(data, "--names", str(names), "--format", form).stdout
        assert "\x1b" not in told
        assert form != "html" or "<img" not in told
    policy = asked(data, "--format", "html").stdout.partition('Content-Security-Policy" content="')[2]
    assert policy.startswith("default-src &#39;none&#39;; style-src &#39;sha256-")
