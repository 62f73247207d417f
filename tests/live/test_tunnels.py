"""Real tunnels, watched live: the verdict of each, while it goes on, is that of `analyze` on a capture of it."""

import re
from typing import Any

import pytest

from pcapdiag.pipeline import Report, analyze
from tests.lab import LEFT, RIGHT
from tests.live.tunnels import ABSENT, SCENARIOS, Begun, Watched

pytestmark = pytest.mark.skipif(bool(ABSENT), reason=ABSENT)

LEADING = ("confirmed", "likely", "possible")


@pytest.fixture(scope="session")
def tunnels(begun: Begun) -> dict[str, Watched]:
    """The four, after their end."""
    return begun.end()


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
    # Where the kernel has no IPsec, daemons agree on a tunnel and take it back at once.
    expected = 0 if tunnel.verdicts[-1]["exchange"]["tunnel"]["state"] in ("up", "unknown") else 1
    assert expected == 1 or tunnel.scenario["outcome"] == "completed"
    assert tunnel.statuses == {"text": expected, "json": expected}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_text_reads_well(tunnels: dict[str, Watched], name: str) -> None:
    tunnel = tunnels[name]
    text = tunnel.text.read_text()
    first, second = text.splitlines()[:2]
    assert first.startswith("── 20")
    assert f"{LEFT}:500 → {RIGHT}:500  MM1 (SA, " in second
    assert re.search("COMPLETED|PHASE 1 UP" if name == "completed" else str(tunnel.scenario["outcome"]).upper(), text)
    assert "Ended by Ctrl-C" in text
    if tunnel.scenario["outcome"] == "stalled":
        assert f"waits for {tunnel.scenario['missing']} from {RIGHT}" in text


@pytest.mark.parametrize("name", SCENARIOS)
def test_through_a_pipe_it_is_the_same(tunnels: dict[str, Watched], name: str) -> None:
    tunnel = tunnels[name]
    lines = tunnel.piped.read_text().splitlines()
    assert f"{LEFT} → {RIGHT} Main Mode: {tunnel.scenario['outcome']}" in lines[-1]
