"""Whether the tunnel is there: on scenes, and on the lab's captures of tunnels that carry nothing."""

import pytest

from pcapdiag.diagnosis.tunnel import NO_CHILD, TunnelState
from pcapdiag.pipeline import analyze
from tests import CAPTURES, SHARED
from tests.diagnosis.scenarios import diagnosed, only
from tests.diagnosis.scenes import SCENES, made

LAB = SHARED / "lab"


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("completed-psk.pcap", "up"),
        ("ikev2-completed.pcap", "up"),
        ("ikev2-networks-refused.pcap", "no-child"),
        ("ikev2-esp-proposal-refused.pcap", "no-child"),
        ("mm5-udp-4500-blocked.pcap", "down"),
    ],
)
def test_state_of_real_captures(name: str, state: str) -> None:
    report = analyze(CAPTURES / name)
    found = report.diagnoses[0]
    assert found.tunnel.state == state
    assert found.tunnel.frames
    assert report.all_completed == (state == "up")


@pytest.mark.skipif(not LAB.is_dir(), reason="the lab's captures are not beside the checkout")
@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("10-p2-proposal", "no-child"),
        ("15b-xauth-badpw", "no-child"),
        ("13b-dpd-timeout", "lost"),
        ("16f-v2-ts", "no-child"),
        ("01-psk-ok", "up"),
        ("16-v2-ok", "up"),
        ("05-psk-mismatch", "down"),
    ],
)
def test_phase_1_alone_is_no_tunnel(name: str, state: str) -> None:
    report = analyze(LAB / name / "left.pcap")
    assert report.diagnoses[0].tunnel.state == state
    assert report.all_completed == (state == "up")


@pytest.mark.parametrize("name", SCENES)
def test_every_state_cites_frames_and_fits_the_outcome(name: str) -> None:
    for found in diagnosed(*made(name)):
        assert found.tunnel.text
        assert found.tunnel.frames
        if not found.completed:
            assert found.tunnel.state in (TunnelState.DOWN, TunnelState.UNKNOWN)


def test_a_refused_further_child_leaves_the_first_one() -> None:
    assert only(*made("child_sa_refused")).tunnel.state is TunnelState.UP


def test_no_child_is_told_by_kinds_that_exist() -> None:
    assert len(set(NO_CHILD)) == len(NO_CHILD)
