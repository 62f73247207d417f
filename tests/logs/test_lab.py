"""Real logs of strongSwan, libreswan and OpenIKED beside their captures, where they are at hand."""

import json
from pathlib import Path

import pytest

from pcapdiag.logs.log import read_log

LAB = Path(__file__).parents[2].parent / "shared" / "captures" / "lab2"
pytestmark = pytest.mark.skipif(not LAB.is_dir(), reason="the lab's logs are not here")
RUNS = sorted(path.name for path in LAB.iterdir() if (path / "left.log").exists()) if LAB.is_dir() else []

LEADING = {
    ("o02b-ss-iked-psk", "right"): ("psk-mismatch", "likely"),
    ("o04b-ss-iked-childprop", "right"): ("phase2-proposal-mismatch", "confirmed"),
    ("s12-ts-unacceptable-v2", "right"): ("phase2-selector-mismatch", "confirmed"),
    ("s14d-oneway-view-v1-psk", "right"): ("psk-mismatch", "likely"),
    ("s31-lsw-lsw-psk-v2", "right"): ("psk-mismatch", "confirmed"),
    ("s33-v2-peer-pfs-createchild", "right"): ("phase2-proposal-mismatch", "confirmed"),
}
"""What the end that refuses says itself."""


@pytest.mark.parametrize("end", ["left", "right"])
@pytest.mark.parametrize("run", RUNS)
def test_a_real_log(run: str, end: str) -> None:
    report = read_log(LAB / run / f"{end}.log")
    log = report.logs[0]
    assert log.known >= 0.7 * sum(log.platforms.values())
    assert report.diagnoses
    for d in report.diagnoses:
        assert d.exchange.peer
        assert d.exchange.role
    wanted = LEADING.get((run, end))
    if wanted is not None:
        leading = [(c.cause.id, c.status.value) for d in report.diagnoses for c in d.causes[:1]]
        assert wanted in leading


def _causes() -> dict[str, list[str]]:
    """The causes that the truth allows for each run, where it names any."""
    if not LAB.is_dir():
        return {}
    rows = {row["capture"]: row for row in json.loads((LAB / "truth.json").read_text())}
    found = {run: rows.get(f"{run}/left.pcap") or rows.get(f"{run}/right.pcap") or {} for run in RUNS}
    return {run: row["first_cause"] for run, row in found.items() if "first_cause" in row}


@pytest.mark.parametrize(("run", "causes"), _causes().items())
def test_both_ends_tell_no_other_story_than_the_lab(run: str, causes: list[str]) -> None:
    confirmed = {
        c.cause.id
        for end in ("left", "right")
        for d in read_log(LAB / run / f"{end}.log").diagnoses
        for c in d.causes
        if c.status.value == "confirmed"
    }
    assert confirmed <= set(causes)
