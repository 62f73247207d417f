"""What anybody can send, and what a capture loses or doubles: a few hundred variants of the labelled captures.

`python -m fuzz.strays` draws others each time, for as long as it is let.
"""

from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from fuzz import strays
from fuzz.seeds import CAPTURES
from pcapdiag.diagnosis.outcome.stop import Outcome

VARIANTS = 120
"""Of each seed; as many take about a second."""


@pytest.fixture(scope="module")
def made() -> list[strays.Scene]:
    return strays.scenes([CAPTURES])


def test_the_captures_are_there(made: list[strays.Scene]) -> None:
    outcomes = {said.outcome for scene in made for said in scene.said.values()}
    assert {Outcome.COMPLETED, Outcome.STALLED, Outcome.REJECTED} <= outcomes
    assert len(made) >= 40


@pytest.mark.parametrize("seed", range(8))
def test_no_stray_and_no_lost_packet_makes_a_false_verdict(made: list[strays.Scene], seed: int) -> None:
    dice = Random(seed)
    variants = [v for _ in range(VARIANTS) if (v := strays.drawn(made, dice)) is not None]
    found = [f for variant in variants for f in strays.failures(variant)]
    assert [f"{f.rule} ({f.family}): {f.variant.scene.name}: {f.variant.what}: {f.detail}" for f in found] == []


def test_the_dice_fall_alike(made: list[strays.Scene]) -> None:
    first, second = ([strays.drawn(made, dice) for _ in range(30)] for dice in (Random(7), Random(7)))
    assert [v and (v.what, v.frames) for v in first] == [v and (v.what, v.frames) for v in second]


def test_a_failure_is_kept_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(variant: strays.Variant) -> list[strays.Failure]:
        return [strays.Failure("a rule", "a kind", "a detail", variant)]

    monkeypatch.setattr(strays, "failures", fails)
    options = ["--seconds", "0.05", "--seed", "3", "--findings", str(tmp_path), "--captures", str(CAPTURES)]
    result = CliRunner().invoke(strays.main, options)
    assert result.exit_code == 1
    assert result.output.startswith("seed 3, ")
    kept = tmp_path / "strays-a-rule-a-kind-1.pcap"
    assert f"a rule (a kind): {kept}" in result.output
    assert kept.read_bytes()[:4] == b"\x4d\x3c\xb2\xa1"
