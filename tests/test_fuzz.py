"""The fuzz targets, for a few seconds: what they begin with, damage by seeded dice, and everything they ever found."""

import pytest
from click.testing import CliRunner

from fuzz import seeds
from fuzz.mutation import cut, frames_of, mutate_capture
from fuzz.run import main, roll
from fuzz.targets import TARGETS

EXECUTIONS = {
    "message": 8000,
    "frame": 4000,
    "pipeline": 900,
    "savefile": 800,
    "explain": 300,
    "reports": 150,
    "live": 60,
    "opened": 120,
}
"""As many as take about a second."""


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_found_by_these_dice(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert roll(name, EXECUTIONS.get(name, 500), seed=20_261_125) == 0, capsys.readouterr().out


REGRESSIONS = [(name, file) for name in TARGETS for file in seeds.regressions(name)]


@pytest.mark.parametrize(("name", "file"), REGRESSIONS)
def test_what_was_found_once_stays_mended(name: str, file: str) -> None:
    TARGETS[name].run(seeds.regressions(name)[file])


def test_every_regression_belongs_to_a_target() -> None:
    folders = seeds.REGRESSIONS.iterdir() if seeds.REGRESSIONS.is_dir() else ()
    assert {folder.name for folder in folders} <= set(TARGETS)


def test_a_finding_is_kept_and_told(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(data: bytes) -> None:
        if len(data) > 400:
            raise ZeroDivisionError("a fault")

    from msgspec.structs import replace

    monkeypatch.setitem(TARGETS, "message", replace(TARGETS["message"], run=breaks))
    options = ["message", "--engine", "dice", "--executions", "300", "--findings", str(tmp_path)]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 1
    assert "ZeroDivisionError: a fault" in result.output
    assert "1 found" in result.output
    (kept,) = (line.removeprefix("found: ") for line in result.output.splitlines() if line.startswith("found: "))
    again = CliRunner().invoke(main, ["message", "--replay", kept])
    assert isinstance(again.exception, ZeroDivisionError)


def test_the_dice_fall_alike() -> None:
    from random import Random

    data = seeds.short_captures()[0]
    one, other = (mutate_capture(data, Random(7), [data]) for _ in range(2))
    assert one == other
    assert one != data


def test_a_cut_capture_holds_the_frames_asked_for() -> None:
    data = seeds.captures()[0]
    assert frames_of(cut(data, 2, 3)) == frames_of(data)[2:5]
