"""The benchmark runs, on captures a thousandth of the size; nothing is timed here."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from pcapdiag.pipeline import analyze

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def python(*arguments: object) -> str:
    command = [sys.executable, "-P", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(BENCHMARKS)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "name", ["sparse.pcap", "sparse.pcapng", "tagged.pcap", "esp-in-udp.pcap", "many-flows.pcap", "dense.pcap"]
)
def test_captures_hold_what_they_are_said_to_hold(name: str, tmp_path: Path) -> None:
    python(BENCHMARKS / "generate.py", tmp_path, name, "--scale", "0.002")
    report = analyze(tmp_path / name)
    (capture,) = report.captures
    summary = capture.summary
    assert summary.warnings == ()
    assert summary.unreadable == 0
    if name == "dense.pcap":
        assert summary.frames == summary.datagrams == capture.ike_messages > 2_000
    elif name in ("esp-in-udp.pcap", "many-flows.pcap"):
        assert summary.esp > 0.99 * summary.frames
    else:
        assert summary.frames / 1_100 < capture.ike_messages < summary.frames / 900
        assert len(summary.protocols) > 5


def test_what_grows_under_one_sa_is_well_however_long_it_goes_on(tmp_path: Path) -> None:
    names = {"dpd.pcap": 2 * 5_000, "quick-modes.pcap": 3 * 500, "day-of-dpd.pcap": 5 * 2 * 2_880}
    python(BENCHMARKS / "generate.py", tmp_path, *names, "--scale", "0.05")
    for name, messages in names.items():
        report = analyze(tmp_path / name)
        assert report.captures[0].ike_messages == messages + 9 * len(report.diagnoses)
        assert report.folded == ()
        assert {(d.stop.outcome.value, d.tunnel.state.value, d.causes) for d in report.diagnoses} == {
            ("completed", "up", ())
        }


def test_a_ring_is_one_capture_over_many_files(tmp_path: Path) -> None:
    python(BENCHMARKS / "generate.py", tmp_path, "rotated", "--scale", "0.01")
    report = analyze(tmp_path / "rotated")
    assert len(report.captures) == 200
    assert report.all_completed or report.diagnoses[-1].stop.outcome == "inconclusive"
    crossing = [d for d in report.diagnoses if len({f.capture for s in d.exchange.steps for f in s.frames}) > 1]
    assert crossing


def test_tunnels_are_what_daemons_said_and_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one.pcap", "other.pcap"):
        python(BENCHMARKS / "tunnels.py", tmp_path / name, "--exchanges", "2000")
    assert (tmp_path / "one.pcap").read_bytes() == (tmp_path / "other.pcap").read_bytes()
    report = analyze(tmp_path / "one.pcap")
    assert len(report.diagnoses) == 2_000
    assert report.folded == ()
    assert report.captures[0].summary.unreadable == 0
    outcomes = Counter(d.stop.outcome.value for d in report.diagnoses)
    assert outcomes.keys() == {"completed", "stalled", "rejected"}
    assert 0.1 < (outcomes["stalled"] + outcomes["rejected"]) / 2_000 < 0.3
    assert {d.exchange.mode.value for d in report.diagnoses} == {"main", "aggressive", "ikev2"}


def test_one_command_prints_the_tables(tmp_path: Path) -> None:
    printed = python(
        BENCHMARKS / "run.py",
        tmp_path / "x",
        "--scale",
        "0.0005",
        "--runs",
        "1",
        "--only",
        "start-up",
        "sparse.pcap",
        "dense.pcap",
    )
    assert "### start-up" in printed
    assert "### sparse.pcap: 1 MB" in printed
    assert "| pcapdiag, interpreted, `-j 1` | " in printed
    assert not list((tmp_path / "x").iterdir())


def test_a_fleet_is_run_disturbed_and_asked(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    printed = python(
        BENCHMARKS / "fleet.py", tmp_path, "--gateways", "2", "--exchanges", "60", "--workers", "1", "--disturb"
    )
    assert "| 1 workers | " in printed
    assert "exit status 0, the same data set: yes" in printed
    assert "A capture cut in half: exit status 3" in printed
    assert "the same tables as before: yes" in printed
    assert "| `fleet report --format html` | " in printed
    assert not list(tmp_path.iterdir())


def test_nodes_are_simulated(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    printed = python(BENCHMARKS / "fleet.py", "--simulate", "--petabytes", "0.001", "--per-exchange", "40")
    (ike,) = (line.split("|") for line in printed.splitlines() if line.startswith("| IKE alone"))
    tasks, nodes = int(ike[2].replace(",", "")), int(ike[3])
    # 14,286 tasks of 20,000 exchanges at 40 ms, and a fiftieth more for stragglers, on 32 processors a node.
    assert tasks == 14_286
    assert nodes == -(-tasks * 20_000 * 0.040 * 1.02 // (32 * 86_400))
