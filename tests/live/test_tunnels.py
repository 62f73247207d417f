"""Real tunnels, watched live: strongSwan at both ends, in namespaces of our own, and the verdict of each.

All four run at once, with retransmissions after 1.0, 1.4 and 1.96 s and none after that, so that half a minute is
enough for the longest.
"""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pcapdiag.pipeline import Report, analyze
from tests.lab import CHARON, LEFT, RIGHT, Pair, needs, stop, until

pytestmark = needs("tcpdump", "nft", "swanctl", str(CHARON))

LEADING = ("confirmed", "likely", "possible")
PROGRAM = (sys.executable, "-m", "pcapdiag")
SCENARIOS = {
    "completed": {"outcome": "completed"},
    "psk": {"outcome": "rejected", "secret": "another", "cause": "psk-mismatch", "missing": "MM6"},
    "blocked": {
        "outcome": "stalled",
        "connection": "encap = yes",
        "rule": "udp dport 4500",
        "cause": "udp-4500-blocked",
        "missing": "MM6",
    },
    "silent": {"outcome": "stalled", "rule": "udp dport 500", "cause": "udp-500-blocked", "missing": "MM2"},
}


class Watched:
    """One tunnel, what was said of it live, and what was captured beside."""

    def __init__(self, name: str, pair: Pair, folder: Path) -> None:
        self.scenario = SCENARIOS[name]
        self.pair = pair
        self.text, self.lines, self.piped = (folder / f"{name}-{kind}.out" for kind in ("text", "json", "pipe"))
        self.kept, self.dumped = folder / f"{name}-kept.pcapng", folder / f"{name}-dumped.pcap"
        self.statuses: dict[str, int] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """The watchers: as text, as JSON that keeps the packets, and through a pipe from tcpdump."""
        left = self.pair.left
        self.processes["text"] = self.pair.start(left, *PROGRAM, "live", "-i", "left", output=self.text)
        keeping = ("live", "-i", "left", "--json", "-w", str(self.kept))
        self.processes["json"] = self.pair.start(left, *PROGRAM, *keeping, output=self.lines)
        dump = ("tcpdump", "-U", "--immediate-mode", "-n", "-i", "left", "-w", str(self.dumped))
        self.processes["tcpdump"] = self.pair.start(left, *dump, output=self.dumped.with_suffix(".out"))
        dump = ("tcpdump", "-U", "-n", "-i", "left", "-w", "-")
        self.processes["pipe"] = self.pair.pipe(left, dump, (*PROGRAM, "live", "-q", "-"), self.piped)
        until([self.text.with_suffix(".err"), self.lines.with_suffix(".err")], b"watching left", 20)
        until([self.dumped.with_suffix(".err"), self.piped.with_suffix(".source")], b"listening on left", 20)

    def begin(self) -> None:
        mine = self.pair.daemon(self.pair.left, str(self.scenario.get("connection", "")), "the key")
        if self.scenario.get("rule"):
            self.pair.drop(self.pair.right, str(self.scenario["rule"]))
        secret = str(self.scenario.get("secret", "the key"))
        other = self.pair.daemon(self.pair.right, str(self.scenario.get("connection", "")), secret)
        mine.ready()
        other.ready()
        mine.initiate()

    def end(self) -> None:
        """A last packet that is no IKE tells tcpdump's capture how long it went on."""
        sending = f"import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('{RIGHT}', 9))"
        self.pair.run(self.pair.left, sys.executable, "-c", sending)
        for name, number in (("text", signal.SIGINT), ("json", signal.SIGTERM)):
            self.statuses[name] = stop(self.processes[name], number)
        for name in ("tcpdump", "pipe"):
            stop(self.processes[name], signal.SIGTERM)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines.read_text().splitlines()]

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        return [e for e in self.events if e["event"] == "verdict"]


@pytest.fixture(scope="module")
def tunnels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Watched]]:
    folder = tmp_path_factory.mktemp("tunnels")
    with contextlib.ExitStack() as stack:
        found = {n: Watched(n, stack.enter_context(Pair(n, folder)), folder) for n in SCENARIOS}
        for tunnel in found.values():
            tunnel.start()
        for tunnel in found.values():
            tunnel.begin()
        time.sleep(24)
        for tunnel in found.values():
            tunnel.end()
        yield found


def said(report: Report) -> tuple[object, ...]:
    (found,) = report.diagnoses
    stop_ = found.stop
    return (
        stop_.outcome.value,
        stop_.missing,
        list(stop_.initiator_state),
        list(stop_.responder_state),
        [p.outcome.value for p in found.phase2],
        [(c.cause.id, c.status.value) for c in found.causes if c.status.value in LEADING],
    )


def told(verdict: dict[str, Any]) -> tuple[object, ...]:
    e = verdict["exchange"]
    return (
        e["outcome"],
        e["missing"],
        e["initiator_state"],
        e["responder_state"],
        [p["outcome"] for p in e["phase2"]],
        [(c["id"], c["status"]) for c in e["causes"] if c["status"] in LEADING],
    )


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_verdict_is_right_and_falls_while_it_goes_on(tunnels: dict[str, Watched], name: str) -> None:
    tunnel = tunnels[name]
    verdict = tunnel.verdicts[-1]
    exchange = verdict["exchange"]
    assert exchange["outcome"] == tunnel.scenario["outcome"]
    assert not verdict["last"], "it was said at the end only"
    assert (exchange["initiator"]["address"], exchange["responder"]["address"]) == (LEFT, RIGHT)
    if "cause" in tunnel.scenario:
        assert exchange["causes"][0]["id"] == tunnel.scenario["cause"]
        assert exchange["missing"] == tunnel.scenario["missing"]


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("kind", ["dumped", "kept"])
def test_analyze_says_the_same_of_a_capture(tunnels: dict[str, Watched], name: str, kind: str) -> None:
    tunnel = tunnels[name]
    report = analyze(getattr(tunnel, kind))
    assert told(tunnel.verdicts[-1]) == said(report)


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_kept_is_what_was_told(tunnels: dict[str, Watched], name: str) -> None:
    """Frame numbers too: those that are printed are those of the file."""
    tunnel = tunnels[name]
    (found,) = analyze(tunnel.kept).diagnoses
    frames = [frame.number for step in found.exchange.steps for frame in step.frames]
    assert {f for m in tunnel.verdicts[-1]["exchange"]["messages"] for f in m["frames"]} <= set(frames)
    messages = [e for e in tunnel.events if e["event"] == "message"]
    assert sorted(e["frame"] for e in messages) == sorted(frames)


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_ends_with_a_summary_that_adds_up(tunnels: dict[str, Watched], name: str) -> None:
    tunnel = tunnels[name]
    summary = tunnel.events[-1]
    assert (summary["event"], summary["reason"]) == ("summary", "SIGTERM")
    (interface,) = summary["interfaces"]
    assert interface["received"] == interface["taken"] == summary["capture"]["frames"]
    assert interface["dropped"] == summary["unread"] == 0
    assert summary["outcomes"] == {tunnel.scenario["outcome"]: 1}
    expected = 0 if tunnel.scenario["outcome"] == "completed" else 1
    assert tunnel.statuses == {"text": expected, "json": expected}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_text_reads_well(tunnels: dict[str, Watched], name: str) -> None:
    tunnel = tunnels[name]
    text = tunnel.text.read_text()
    first, second = text.splitlines()[:2]
    assert first.startswith("── 20")
    assert f"{LEFT}:500 → {RIGHT}:500  MM1 (SA, " in second
    assert str(tunnel.scenario["outcome"]).upper() in text
    assert "Ended by Ctrl-C" in text
    if tunnel.scenario["outcome"] == "stalled":
        assert f"waits for {tunnel.scenario['missing']} from {RIGHT}" in text


@pytest.mark.parametrize("name", SCENARIOS)
def test_through_a_pipe_it_is_the_same(tunnels: dict[str, Watched], name: str) -> None:
    tunnel = tunnels[name]
    lines = tunnel.piped.read_text().splitlines()
    assert f"{LEFT} → {RIGHT} Main Mode: {tunnel.scenario['outcome']}" in lines[-1]
