"""Completion, as the shells ask for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pcapdiag.cli.main import main

BASH = shutil.which("bash")
CODE = "import sys; sys.argv[0] = 'pcapdiag'; from pcapdiag.__main__ import run; run()"
"""The program, called as its script is."""


def completed(*words: str) -> list[str]:
    """What could stand in the place of the last word, as click tells bash: its kind and the text."""
    asked = {
        "_PCAPDIAG_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("pcapdiag", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-P", "-c", CODE],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("an",), ["plain,analyze"]),
        (("live", "--rot"), ["plain,--rotate-size", "plain,--rotate-count"]),
        (("live", "-i", "l"), ["plain,lo"]),
        (("analyze", "--engine", "t"), ["plain,tshark"]),
        (("analyze", "--html", "rep"), ["file,rep"]),
        (("analyze", "capt"), ["file,capt"]),
        (("live", "--metrics", "f"), ["file,f"]),
        (("explain", "mm_wait_msg6"), ["plain,MM_WAIT_MSG6"]),
        (("explain", "psk-mism"), ["plain,psk-mismatch"]),
        (("completion", "f"), ["plain,fish"]),
        (("man", "l"), ["plain,live", "plain,log"]),
        (("README.md", "x"), []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_could_come_next(words: tuple[str, ...], expected: list[str]) -> None:
    assert completed(*words) == expected


def test_every_command_is_offered() -> None:
    assert {f"plain,{name}" for name in main.list_commands(main.make_context("pcapdiag", ["explain"]))} == set(
        completed("")
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_each(shell: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert f"_PCAPDIAG_COMPLETE={shell}_complete" in result.stdout
    if shutil.which(shell):
        (tmp_path / "script").write_text(result.stdout)
        subprocess.run([shell, "-n", tmp_path / "script"], check=True)


@pytest.mark.skipif(BASH is None, reason="there is no bash here")
def test_bash_completes(tmp_path: Path) -> None:
    """Its own function, with a program of that name in the path."""
    assert BASH is not None
    program = tmp_path / "pcapdiag"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -c "{CODE}" "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(pcapdiag completion bash)"; COMP_WORDS=(pcapdiag comp); COMP_CWORD=1; _pcapdiag_completion pcapdiag; '
        'echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        [BASH, "--norc", "-c", script],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["compare", "completion"]
