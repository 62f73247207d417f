"""The manual pages: complete, and as the programs that show them want them."""

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pcapdiag.cli.main import main
from pcapdiag.cli.man import pages, write

PAGES = pages(main)
ROOT = click.Context(main, info_name="pcapdiag")
needs_mandoc = pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
needs_groff = pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")


def shown(page: str) -> str:
    """What groff shows of a page, its lines joined."""
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-P-c", "-P-b", "-P-u", "-rHY=0"],
        input=page.encode(),
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    return " ".join(done.stdout.decode().split())


def test_a_page_for_the_program_and_every_command() -> None:
    assert set(PAGES) == {"pcapdiag", *(f"pcapdiag-{name}" for name in main.list_commands(ROOT))}


@pytest.mark.parametrize("name", PAGES)
def test_it_is_ascii_with_all_options(name: str) -> None:
    assert PAGES[name].isascii()
    if name == "pcapdiag":
        return
    _, command, _ = main.resolve_command(ROOT, [name.removeprefix("pcapdiag-")])
    assert command is not None
    for parameter in command.params:
        for option in parameter.opts if isinstance(parameter, click.Option) else ():
            assert f"\\fB{option.replace('-', chr(92) + '-')}\\fP" in PAGES[name]


@needs_mandoc
@pytest.mark.parametrize("name", PAGES)
def test_mandoc_has_nothing_to_say(name: str) -> None:
    done = subprocess.run(
        ["mandoc", "-Tlint", "-Wwarning"], input=PAGES[name].encode(), capture_output=True, check=False
    )
    assert done.stdout + done.stderr == b""


@needs_groff
@pytest.mark.parametrize("name", PAGES)
def test_groff_shows_what_help_shows(name: str) -> None:
    """Every word of the help, the usage and the options, in any order of lines."""
    arguments = [name.removeprefix("pcapdiag").removeprefix("-"), "--help"]
    told = CliRunner().invoke(main, [a for a in arguments if a], prog_name="pcapdiag").stdout
    page = set(re.findall(r"[\w/…→≤-]+", shown(PAGES[name])))
    # Headings are in capitals there, and a list of commands has the names of pages.
    missing = {word for word in re.findall(r"[\w/…→≤-]+", told) if word not in page}
    assert missing <= {
        "Usage",
        "Options",
        "Commands",
        "Exit",
        "status",
        "Environment",
        *_capitals(page),
        *main.list_commands(ROOT),
    }


def _capitals(words: set[str]) -> set[str]:
    return {f"{word[0].lower()}{word[1:]}" for word in words}


@needs_groff
def test_a_page_reads_well() -> None:
    page = shown(PAGES["pcapdiag-carve"])
    assert "NAME pcapdiag-carve - Copy the IKE of captures to a small file, with the diagnosis as comments" in page
    assert "SYNOPSIS pcapdiag carve [OPTIONS] FILE..." in page
    assert "-o, --output OUT.pcapng - is standard output. [required]" in page
    assert "EXIT STATUS 0 written 2 wrong usage 3 an input could not be read" in page
    assert "ENVIRONMENT PCAPDIAG_CONFIG names the file of settings NO_COLOR turns" in shown(PAGES["pcapdiag"])
    assert "EXIT STATUS As of analyze; with --stop-on that of the verdict" in shown(PAGES["pcapdiag-live"])


def test_the_date_is_the_one_that_the_build_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert pages(main)["pcapdiag"].startswith('.TH PCAPDIAG 1 2023-11-14 "pcapdiag ')


def test_one_is_printed_and_all_are_written(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["man", "live"]).stdout == PAGES["pcapdiag-live"]
    assert CliRunner().invoke(main, ["man"]).stdout == PAGES["pcapdiag"]
    folder = tmp_path / "man" / "man1"
    assert CliRunner().invoke(main, ["man", "-o", str(folder)]).exit_code == 0
    assert {path.stem: path.read_text() for path in folder.iterdir()} == PAGES
    assert [path.stem for path in write(main, folder)] == list(PAGES)


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    assert "no command 'x'" in CliRunner().invoke(main, ["man", "x"]).stderr
    assert CliRunner().invoke(main, ["man", "live", "-o", str(tmp_path)]).exit_code == 2
    (tmp_path / "file").touch()
    result = CliRunner().invoke(main, ["man", "-o", str(tmp_path / "file" / "man1")])
    assert (result.exit_code, result.stderr) == (3, f"pcapdiag: {tmp_path}/file/man1: Not a directory\n")


def test_a_terminal_is_told_how_to_show_it() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run([sys.executable, "-m", "pcapdiag", "man", "live"], stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2
    assert b"pcapdiag man live | man -l -" in done.stderr
