"""`pcapdiag man`: the manual pages, made of what `--help` is made of.

In the language of man(7), in ASCII, so that man-db and mandoc show the same.
"""

import os
import re
import sys
import time
from collections.abc import Iterator
from inspect import cleandoc
from typing import TYPE_CHECKING

import click

from pcapdiag.cli import options
from pcapdiag.cli.exit_codes import Exit
from pcapdiag.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

STATUS, ENVIRONMENT = "Exit status:", "Environment:"
"""What a paragraph begins with that has a section of its own: a list of what can be, and what each means."""


@click.command()
@click.argument("command", required=False, shell_complete=options.completed("commands"))
@click.option("-o", "--output", metavar="DIRECTORY", type=options.DIRECTORY, help="Write all pages into it.")
@click.pass_context
def man(context: click.Context, command: str | None, output: str | None) -> None:
    """Print the manual page of a command, or of the program, as man reads it; or write all pages.

    Where pip has put them already, as into a virtual environment whose bin is in the PATH, `man pcapdiag` finds them.

    \b
    pcapdiag man analyze | man -l -
    pcapdiag man -o ~/.local/share/man/man1
    """
    program = context.find_root().command
    assert isinstance(program, click.Group)
    if output is not None:
        if command is not None:
            raise click.UsageError("-o writes all pages; it takes no command.")
        _write_all(program, output)
        return
    if sys.stdout.isatty():
        named = f" {command}" if command else ""
        raise click.UsageError(f"a page is for a program to show: pcapdiag man{named} | man -l -")
    found = pages(program)
    name = f"pcapdiag-{command}" if command else "pcapdiag"
    if name not in found:
        raise click.UsageError(f"no command {command!r}: {', '.join(program.list_commands(context))}")
    click.echo(found[name], nl=False)


def _write_all(program: click.Group, directory: str) -> None:
    """Each page under its name; ends the program with a line where that fails."""
    from pathlib import Path

    from pcapdiag.cli.reading import warn

    try:
        write(program, Path(directory))
    except OSError as error:
        warn([f"{directory}: {error.strerror or error}"])
        sys.exit(Exit.UNREADABLE)


def write(program: click.Group, directory: "Path") -> "list[Path]":
    """Write every page into a directory, which is made where it is not there; the files."""
    directory.mkdir(parents=True, exist_ok=True)
    files = []
    for name, page in pages(program).items():
        files.append(directory / f"{name}.1")
        files[-1].write_text(page, encoding="ascii")
    return files


def pages(program: click.Group) -> dict[str, str]:
    """The pages by their names: of the program, and of every command."""
    root = click.Context(program, info_name="pcapdiag", **program.context_settings)
    found = {"pcapdiag": _page(root, "Explain why an IKE exchange fails, from a packet capture")}
    for name in program.list_commands(root):
        listed = program.get_command(root, name)
        _, command, _ = program.resolve_command(root, [name])
        assert listed is not None
        assert command is not None
        context = click.Context(command, info_name=name, parent=root)
        found[f"pcapdiag-{name}"] = _page(context, listed.get_short_help_str(200))
    return found


def _page(context: click.Context, summary: str) -> str:
    name = context.command_path.replace(" ", "-")
    paragraphs = _paragraphs(context.command.help or "")
    plain = (p for p in paragraphs if not p.startswith((STATUS, ENVIRONMENT)))
    lines = [
        f'.TH {_text(name.upper())} 1 {_date()} "pcapdiag {VERSION}" "User Commands"',
        *_section("Name", [f"{_text(name)} \\- {_text(summary.rstrip('.'))}"]),
        *_section("Synopsis", [f".B {_text(context.command_path)}", _synopsis(context)]),
        *_section("Description", _described(plain)),
        *_section("Options", _options(context)),
        *_section("Commands", _commands(context)),
        *_section("Exit status", _listed(paragraphs, STATUS)),
        *_section("Environment", _listed(paragraphs, ENVIRONMENT)),
        *_section("See also", [_others(context)]),
    ]
    return "".join(f"{line}\n" for line in lines)


def _date() -> str:
    """Of the page; reproducible builds say which it is to be."""
    return time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())))


def _section(title: str, lines: list[str]) -> list[str]:
    return [f'.SH "{title.upper()}"', *lines] if lines else []


def _paragraphs(text: str) -> list[str]:
    """Those of a help text; one that is to keep its lines begins with click's mark for that."""
    return [p.strip(" \n") for p in re.split(r"\n\s*\n", cleandoc(text)) if p.strip()]


def _described(paragraphs: Iterator[str]) -> list[str]:
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += [".PP"] if lines else []
        if paragraph.startswith("\b"):
            lines += [".nf", *(_line(line) for line in paragraph.splitlines()[1:]), ".fi"]
        else:
            lines.append(_line(" ".join(paragraph.split())))
    return lines


def _listed(paragraphs: list[str], heading: str) -> list[str]:
    """Each status, or variable, with what it means, where the paragraph of that heading is a list of these."""
    lines: list[str] = []
    for paragraph in (p for p in paragraphs if p.startswith(heading)):
        text = " ".join(paragraph.removeprefix(heading).split()).rstrip(".")
        items = re.split(r"[,;] (?=\d|[A-Z]+_)", text)
        if not re.match(r"\d|[A-Z]+_", text):
            lines.append(_line(f"{text[:1].upper()}{text[1:]}."))
            continue
        for item in items:
            word, _, meaning = item.partition(" ")
            lines += [".TP", f"\\fB{_text(word)}\\fP", _line(meaning)]
    return lines


def _synopsis(context: click.Context) -> str:
    return " ".join(_marked(piece) for piece in context.command.collect_usage_pieces(context))


def _options(context: click.Context) -> list[str]:
    lines: list[str] = []
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            lines += [".TP", ", ".join(_option(form) for form in record[0].split(", ")), _line(record[1])]
    return lines


def _option(form: str) -> str:
    """One way to write an option, with what stands behind it."""
    name, _, value = form.partition(" ")
    return f"\\fB{_text(name)}\\fP{f' {_marked(value)}' if value else ''}"


def _commands(context: click.Context) -> list[str]:
    lines: list[str] = []
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            lines += [".TP", f"\\fB{_text(f'pcapdiag-{name}')}\\fP(1)", _line(command.get_short_help_str(200))]
    return lines


def _others(context: click.Context) -> str:
    if context.parent is not None:
        return "\\fBpcapdiag\\fP(1)"
    return "\\fBtcpdump\\fP(8), \\fBdumpcap\\fP(1), \\fBpcap\\-filter\\fP(7)"


def _marked(text: str) -> str:
    """What stands for a value is in italics: FILE, END=NAME. Lines may break between the words of a choice."""
    return re.sub(r"[A-Z][A-Z.:=]*", lambda found: f"\\fI{found[0]}\\fP", _text(text)).replace("|", "|\\:")


def _line(text: str) -> str:
    """A line of text, which man does not take for one of its requests; `code` is bold."""
    told = re.sub(r"`([^`]+)`", lambda found: f"\\fB{found[1]}\\fP", _text(text))
    return f"\\&{told}" if told.startswith((".", "'", "\\(aq")) else told


_SIGNS = str.maketrans({"\\": "\\e", "-": "\\-", "'": "\\(aq", "^": "\\(ha", "~": "\\(ti"})


def _text(text: str) -> str:
    """The signs as man reads them, those beyond ASCII by their numbers."""
    escaped = text.translate(_SIGNS)
    return "".join(sign if sign.isascii() else f"\\[u{ord(sign):04X}]" for sign in escaped)
