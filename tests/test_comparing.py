"""What a comparison says: fates, clocks, states, causes; and no loss where there was none."""

import json
from pathlib import Path

import pytest

import pcapdiag
from pcapdiag.comparison.fates import Fate
from pcapdiag.report import compare_json
from tests import CAPTURES, SHARED
from tests.comparison.savefiles import LEFT, RIGHT, Record, read, shifted, snapped, thinned, write

LEFTS, RIGHTS = read(LEFT), read(RIGHT)
MM2 = CAPTURES / "mm2-lost-initiator-side.pcap", CAPTURES / "mm2-lost-responder-side.pcap"
needs_shared = pytest.mark.skipif(not (SHARED / "lab").is_dir(), reason="needs the lab's captures")


def losses(found: pcapdiag.Comparison) -> list[tuple[str, tuple[int, ...], bool]]:
    """Name, frames and certainty of what is told to be lost."""
    return [
        (step.name, tuple(f.number for f in sent.frames), sent.proven)
        for d in found.diagnoses
        for place, step in enumerate(d.exchange.steps)
        for sent in found.sent(d.exchange, place)
        if sent.lost
    ]


def status(found: pcapdiag.Comparison, cause: str) -> str:
    return next((c.status.value for c in found.diagnoses[0].causes if c.cause.id == cause), "none")


def pair(folder: Path, left: list[Record], right: list[Record]) -> pcapdiag.Comparison:
    return pcapdiag.compare(write(folder / "left.pcap", left), write(folder / "right.pcap", right))


def test_message_4_is_lost_and_each_end_has_one_state() -> None:
    found = pcapdiag.compare(LEFT, RIGHT)
    stop = found.diagnoses[0].stop
    assert stop.outcome is pcapdiag.Outcome.STALLED
    assert (stop.initiator_state, stop.responder_state) == (("MM_WAIT_MSG4",), ("MM_WAIT_MSG5",))
    assert {name for name, _, _ in losses(found)} == {"MM4"}
    assert all(proven for _, _, proven in losses(found))
    assert status(found, "path-loss") == "confirmed"
    assert status(found, "psk-mismatch") == "ruled_out"
    clock = found.points[1].clock
    assert clock is not None
    assert abs(clock.offset) < 100_000
    assert clock.uncertainty is not None


def test_message_2_is_lost_and_what_is_not_certain_is_said() -> None:
    found = pcapdiag.compare(*MM2)
    stop = found.diagnoses[0].stop
    assert (stop.initiator_state, stop.responder_state) == (("MM_WAIT_MSG2",), ("MM_WAIT_MSG3",))
    told = losses(found)
    assert len(told) == 6
    # The initiator's file ends before the last answer leaves.
    assert [proven for _, _, proven in told] == [True] * 5 + [False]
    clock = found.points[1].clock
    assert clock is not None
    assert clock.one_way
    assert clock.uncertainty is None


@pytest.mark.parametrize(("seconds", "drift"), [(3_723.5, 80e-6), (-86_400 * 300, -50e-6), (0.25, 0)])
def test_the_clock_of_a_capture_changes_nothing_else(tmp_path: Path, seconds: float, drift: float) -> None:
    right = pair(tmp_path, LEFTS, RIGHTS)
    wrong = pair(tmp_path, LEFTS, shifted(RIGHTS, seconds, drift))
    assert losses(wrong) == losses(right)
    assert wrong.diagnoses[0].stop.initiator_state == right.diagnoses[0].stop.initiator_state
    clock = wrong.points[1].clock
    assert clock is not None
    assert clock.uncertainty is not None
    assert abs(clock.offset / 1e9 - seconds) <= 0.001
    assert abs(clock.drift - drift * 1e6) < 10


def test_the_order_of_the_captures_changes_no_loss() -> None:
    one, other = pcapdiag.compare(LEFT, RIGHT), pcapdiag.compare(RIGHT, LEFT)
    assert losses(one) == losses(other)
    assert one.diagnoses[0].stop.initiator_state == other.diagnoses[0].stop.initiator_state


@pytest.mark.parametrize("until", range(1, len(LEFTS)))
def test_a_capture_that_ends_early_makes_no_loss(tmp_path: Path, until: int) -> None:
    true = {frames for _, frames, _ in losses(pcapdiag.compare(LEFT, RIGHT))}
    told = losses(pair(tmp_path, LEFTS[:until], RIGHTS))
    assert {frames for _, frames, proven in told if proven} <= true
    assert {frames for _, frames, _ in told} <= true


@pytest.mark.parametrize("begin", range(1, len(RIGHTS)))
def test_a_capture_that_begins_late_makes_no_loss(tmp_path: Path, begin: int) -> None:
    names = {name for name, _, _ in losses(pair(tmp_path, LEFTS, RIGHTS[begin:]))}
    assert names <= {"MM4", "MM?"}


def test_a_capture_that_misses_packets_tells_no_loss_there(tmp_path: Path) -> None:
    gone = next(
        n for n, r in enumerate(RIGHTS) if r.octets[12:14] == b"\x08\x00" and r.octets[26:30] == b"\x0a\x01\x00\x02"
    )
    found = pair(tmp_path, LEFTS, [*RIGHTS[:gone], *RIGHTS[gone + 1 :]])
    assert all(name == "MM4" for name, _, _ in losses(found))


@pytest.mark.parametrize("seed", range(6))
def test_thinned_at_random_by_a_clock_of_its_own(tmp_path: Path, seed: int) -> None:
    found = pair(tmp_path, thinned(LEFTS, 0.2, seed), shifted(thinned(RIGHTS, 0.2, seed + 100), 99.0))
    assert {name for name, _, _ in losses(found)} <= {"MM4"}


def test_snapped_to_96_octets(tmp_path: Path) -> None:
    found = pair(tmp_path, LEFTS, snapped(RIGHTS, 96))
    assert {name for name, _, _ in losses(found)} == {"MM4"}
    assert found.points[1].common == pair(tmp_path, LEFTS, RIGHTS).points[1].common


def test_an_empty_capture_proves_nothing(tmp_path: Path) -> None:
    found = pair(tmp_path, LEFTS, [])
    assert losses(found) == []
    alone = [r for r in LEFTS if r.octets[26:30] != b"\x0a\x02\x00\x02"]
    assert not any(proven for _, _, proven in losses(pair(tmp_path, alone, [])))


def test_captures_of_different_failures_are_told() -> None:
    with pytest.raises(pcapdiag.DifferentFailuresError, match="different failures"):
        pcapdiag.compare(LEFT, CAPTURES / "completed-ipv6.pcap")


def test_one_capture_is_not_compared() -> None:
    with pytest.raises(ValueError, match="two"):
        pcapdiag.compare(LEFT)


def test_a_capture_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(pcapdiag.CaptureError, match="no such file"):
        pcapdiag.compare(LEFT, tmp_path / "none.pcap")


def test_the_same_capture_twice_is_no_failure() -> None:
    path = CAPTURES / "completed-psk.pcap"
    found = pcapdiag.compare(path, path)
    assert found.all_completed
    assert losses(found) == []


def test_evidence_cites_frames_of_its_captures() -> None:
    found = pcapdiag.compare(LEFT, RIGHT)
    counts = [p.captures[0].summary.frames for p in found.points]
    for item in found.diagnoses[0].evidence:
        assert item.frames
        assert all(1 <= f.number <= counts[f.capture] for f in item.frames)
    assert not any(kind.startswith("vantage") for item in found.diagnoses[0].evidence for kind in item.kinds)


def test_json_keeps_its_contract() -> None:
    document = json.loads("".join(compare_json.render(pcapdiag.compare(LEFT, RIGHT))))
    assert document["captures"][0]["clock"]["pairs"] == 0
    assert set(document["captures"][1]["clock"]) >= {"offset", "drift", "uncertainty", "pairs"}
    for message in document["exchanges"][0]["messages"]:
        for sent in message["transmissions"]:
            assert len(sent["frames"]) == 2
            assert isinstance(sent["lost"], bool)


@needs_shared
@pytest.mark.parametrize(
    ("name", "initiator", "responder", "cause"),
    [
        ("06-nat-4500-blocked", "MM_WAIT_MSG6", "MM_WAIT_MSG5", "udp-4500-blocked"),
        ("07e-msg5-lost", "MM_WAIT_MSG6", "MM_WAIT_MSG5", "path-loss"),
        ("08b-cert-frags-dropped", "MM_WAIT_MSG6", "MM_WAIT_MSG5", "fragments-dropped"),
        ("03c-udp500-filtered", "MM_WAIT_MSG2", "NONE", "udp-500-blocked"),
        ("03-host-down", "MM_WAIT_MSG2", "NONE", "peer-unreachable"),
        ("05-psk-mismatch", "MM_WAIT_MSG6", "MM_WAIT_MSG5", "psk-mismatch"),
    ],
)
def test_one_state_and_the_cause(name: str, initiator: str, responder: str, cause: str) -> None:
    found = pcapdiag.compare(SHARED / "lab" / name / "left.pcap", SHARED / "lab" / name / "right.pcap")
    first = found.diagnoses[0]
    assert (first.stop.initiator_state, first.stop.responder_state) == ((initiator,), (responder,))
    assert first.causes[0].cause.id == cause


@needs_shared
def test_what_arrives_rules_the_path_out() -> None:
    folder = SHARED / "lab" / "05-psk-mismatch"
    found = pcapdiag.compare(folder / "left.pcap", folder / "right.pcap")
    for cause in ("path-loss", "udp-500-blocked", "fragments-dropped"):
        assert status(found, cause) in ("ruled_out", "none")


@pytest.mark.skipif(not (SHARED / "lab3").is_dir(), reason="needs the lab's captures")
def test_three_points_name_the_hop() -> None:
    folder = SHARED / "lab3" / "b19-two-behind-nat"
    found = pcapdiag.compare(folder / "left.pcap", folder / "mid-any.pcap", folder / "right.pcap")
    first = found.diagnoses[0].exchange
    paths = {sent.path for place in range(len(first.steps)) for sent in found.sent(first, place)}
    assert paths == {(0, 1, 2), (2, 1, 0)}
    assert losses(found) == []
    nat = [c for c in found.changes if c.kind == "source"]
    assert {(c.first, c.then) for c in nat} == {(1, 2)}
    other = found.diagnoses[1].exchange
    assert {t.fate for place in range(len(other.steps)) for t in found.sent(other, place)} <= {
        Fate.ARRIVED,
        Fate.ELSEWHERE,
    }
