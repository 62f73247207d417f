"""Runs a target: `python -m fuzz.run` lists them, `python -m fuzz.run message --executions 10000000` runs one.

With atheris (`pip install atheris`, Linux and macOS) the code is instrumented and coverage leads the way; without it,
or with `--engine dice`, damage is made by the dice alone, which is the same for the same seed everywhere. A finding is
written to a file, which `--replay FILE` runs again; the exit status is then 1.
"""

import signal
import sys
import time
import traceback
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from random import Random
from types import FrameType

import click

HANG = 20
"""Seconds that one execution may take."""


@click.command(help=__doc__)
@click.argument("name", required=False, metavar="[TARGET]")
@click.option("--executions", default=100_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--engine", type=click.Choice(["auto", "atheris", "dice"]), default="auto", show_default=True)
@click.option("--findings", type=click.Path(path_type=Path), default=Path("fuzz-findings"), show_default=True)
@click.option("--corpus", type=click.Path(path_type=Path), help="Keep here what reached new code (atheris).")
@click.option("--replay", type=click.Path(path_type=Path, exists=True), help="Run this file, and nothing else.")
def main(
    name: str | None, executions: int, seed: int, engine: str, findings: Path, corpus: Path | None, replay: Path | None
) -> None:
    """See the module."""
    with_atheris = replay is None and name is not None and engine != "dice" and find_spec("atheris") is not None
    if engine == "atheris" and not with_atheris:
        raise click.UsageError("atheris is not installed (pip install atheris)")
    if with_atheris:
        import atheris

        with atheris.instrument_imports(include=["pcapdiag"]):
            from fuzz.targets import TARGETS
    else:
        from fuzz.targets import TARGETS
    if name is None:
        for target in TARGETS.values():
            click.echo(f"{target.name:<12} {target.what}")
        return
    if name not in TARGETS:
        raise click.UsageError(f"no target {name!r}; there are {', '.join(TARGETS)}")
    if replay is not None:
        TARGETS[name].run(replay.read_bytes())
        click.echo("nothing was found")
        return
    findings.mkdir(parents=True, exist_ok=True)
    if with_atheris:
        _atheris(name, executions, seed, findings, corpus)
    sys.exit(roll(name, executions, seed, findings))


def _atheris(name: str, executions: int, seed: int, findings: Path, corpus: Path | None) -> None:
    """Hand over to libFuzzer, which ends the program; the seeds are its first inputs."""
    import tempfile

    import atheris

    from fuzz.targets import TARGETS

    target = TARGETS[name]
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    for number, data in enumerate(target.seeds()):
        (folder / str(number)).write_bytes(data)
    others = target.seeds()

    def change(data: bytes, longest: int, dice: int) -> bytes:
        """Half the time libFuzzer's own changes, which know what the code compared with; else ours."""
        if dice & 1:
            return bytes(atheris.Mutate(data, longest))
        return target.mutate(data, Random(dice), others)[:longest]

    options = [
        f"-atheris_runs={executions}",
        f"-seed={seed}",
        f"-timeout={HANG}",
        "-max_len=16384",
        "-rss_limit_mb=3000",
    ]
    options += [f"-artifact_prefix={findings / name}-", "-print_final_stats=1", "-verbosity=1"]
    atheris.Setup(
        [sys.argv[0], *options, *([str(corpus)] if corpus else []), str(folder)], target.run, custom_mutator=change
    )
    atheris.Fuzz()


class HangError(Exception):
    """One execution took longer than HANG seconds."""


def _hung(_number: int, _frame: FrameType | None) -> None:
    raise HangError


def roll(name: str, executions: int, seed: int, findings: Path | None = None) -> int:
    """Run the target on its seeds, then on damaged ones; 1 where something was found. The same for the same seed."""
    from fuzz.targets import TARGETS

    target = TARGETS[name]
    originals: Sequence[bytes] = target.seeds()
    dice = Random(seed)
    began = told = time.monotonic()
    found: set[str] = set()
    signal.signal(signal.SIGALRM, _hung)
    for number in range(executions):
        if number < len(originals):
            data = originals[number]
        else:
            data = target.mutate(dice.choice(originals), dice, originals)
            if dice.random() < 0.3:
                data = target.mutate(data, dice, originals)
        signal.setitimer(signal.ITIMER_REAL, HANG)
        try:
            target.run(data)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            key = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
            if key not in found:
                found.add(key)
                _keep(name, seed, number, data, error, findings)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        now = time.monotonic()
        if now - told > 60:
            told = now
            click.echo(f"{name}: {number + 1} executions, {(number + 1) / (now - began):.0f}/s, {len(found)} found")
    spent = time.monotonic() - began
    click.echo(f"{name}: {executions} executions in {spent:.0f} s, {executions / spent:.0f}/s, {len(found)} found")
    return 1 if found else 0


def _keep(name: str, seed: int, number: int, data: bytes, error: Exception, findings: Path | None) -> None:
    if findings is not None:
        path = findings / f"{name}-{seed}-{number}"
        path.write_bytes(data)
        click.echo(f"found: {path}")
    click.echo("".join(traceback.format_exception(error)))


if __name__ == "__main__":
    main()
