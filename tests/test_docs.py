"""The documentation against the program: every command in it is run, and prints what the page says that it prints.

A block ```console has commands after `$ ` (continued after `> `) and what they print; a line of `…` alone stands for
lines that are left out. They run in a folder where `captures` and `docs` are those of the repository. Blocks ```sh are
not run, as they need root, a device or a network; the options of pcapdiag in them are held against its own. Blocks
```python run, but for those that watch an interface.

python -m tests.test_docs     writes what the commands print now into the pages
"""

import ast
import difflib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import click
import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted((*DOCS.rglob("*.md"), ROOT / "README.md"))
LEFT_OUT = "…"
_BLOCK = re.compile(r"^(?P<indent> *)```(?P<kind>\w+)[^\n]*\n(?P<body>.*?)^(?P=indent)```$", re.M | re.S)


class Command(NamedTuple):
    """One command of a block, and the lines that stand below it."""

    typed: str
    output: list[str]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(text: str, kind: str) -> Iterator[re.Match[str]]:
    return (found for found in _BLOCK.finditer(text) if found["kind"] == kind)


def body(block: re.Match[str]) -> str:
    indent = block["indent"]
    return "\n".join(line.removeprefix(indent) for line in block["body"].split("\n")[:-1])


def commands(block: re.Match[str]) -> list[Command]:
    found: list[Command] = []
    for line in body(block).split("\n"):
        if line.startswith("$ "):
            found.append(Command(line[2:], []))
        elif line.startswith("> ") and found and not found[-1].output:
            found[-1] = Command(f"{found[-1].typed}\n{line[2:]}", [])
        else:
            found[-1].output.append(line)
    return found


class Prompt:
    """Where the commands of a page are typed, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.status = folder, 0
        for name in ("captures", "docs"):
            (folder / name).symlink_to(ROOT / name)
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "COLUMNS": "80",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "NO_COLOR": "1",
        }

    def type(self, command: str) -> list[str]:
        """What the command prints, on both streams."""
        run = subprocess.run(
            ["bash", "-c", f"exit_with() {{ return $1; }}; exit_with {self.status}\n{command}"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        self.status = run.returncode
        return [line.rstrip() for line in run.stdout.split("\n")[:-1]]


def fits(wanted: list[str], printed: list[str]) -> bool:
    """Whether the page shows what was printed, but for what it leaves out."""
    pattern = "".join(r"(?:.*\n)*?" if line == LEFT_OUT else re.escape(line) + r"\n" for line in wanted)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def renewed(wanted: list[str], printed: list[str]) -> list[str]:
    """What is printed now, with about the same left out: pieces begin at the lines most like those that began them."""
    if LEFT_OUT not in wanted:
        return printed
    found: list[str] = []
    place = 0
    pieces = [piece.split("\n") for piece in "\n".join(wanted).split(f"\n{LEFT_OUT}\n")]
    for number, piece in enumerate(pieces):
        first, last = piece[0] == LEFT_OUT, piece[-1] == LEFT_OUT
        lines = [line for line in piece if line != LEFT_OUT]
        if number or first:
            likeness = [difflib.SequenceMatcher(None, lines[0], line).ratio() for line in printed[place:]]
            place += likeness.index(max(likeness)) if likeness else 0
            found.append(LEFT_OUT)
        found += printed[place : place + len(lines)]
        place += len(lines)
        if last:
            found.append(LEFT_OUT)
    return found


def missing(typed: str) -> str:
    """What a command needs that is not here, or nothing."""
    if "crosscheck" in typed or "--engine tshark" in typed:
        return "" if shutil.which("tshark") else "tshark"
    if re.search(r"(^|\| )jq ", typed):
        return "" if shutil.which("jq") else "jq"
    if "--keys" in typed:
        return "" if find_spec("cryptography") else "cryptography"
    return ""


@pytest.mark.parametrize("page", [p for p in PAGES if "```console" in p.read_text()], ids=name_of)
def test_commands_print_what_the_page_says(page: Path, tmp_path: Path) -> None:
    prompt = Prompt(tmp_path)
    for block in blocks(page.read_text(encoding="utf-8"), "console"):
        for command in commands(block):
            if missing(command.typed):
                continue
            printed = prompt.type(command.typed)
            if not fits(command.output, printed):
                difference = "\n".join(
                    difflib.unified_diff(command.output, printed, "the page", "printed", lineterm="")
                )
                pytest.fail(f"{name_of(page)}: $ {command.typed}\n{difference}", pytrace=False)


@cache
def program() -> dict[str, click.Command]:
    """The commands of pcapdiag."""
    from pcapdiag.cli.main import main

    assert isinstance(main, click.Group)
    context = click.Context(main)
    found = {}
    for name in main.list_commands(context):
        _, command, _ = main.resolve_command(context, [name])
        assert command is not None
        found[name] = command
    return found


def calls(text: str) -> Iterator[list[str]]:
    """The words of each call of pcapdiag in blocks that are not run, and between back-quotes."""
    for kind in ("sh", "text"):
        for block in blocks(text, kind):
            for line in body(block).split("\n"):
                for part in re.split(r"\s\|\s|&&|\|\|", line if kind == "sh" else ""):
                    yield words(part)
    for quoted in re.findall(r"(?<!`)`([^`\n]*pcapdiag [a-z][^`\n]*)`(?!`)", text):
        for part in re.split(r"\s\|\s|&&", quoted):
            yield words(part)


def words(part: str) -> list[str]:
    lexer = shlex.shlex(part, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, "#"
    try:
        found = list(lexer)
    except ValueError:  # an apostrophe of prose
        return []
    program_names = [n for n, word in enumerate(found) if word == "pcapdiag" or word.endswith("/pcapdiag")]
    return found[program_names[0] + 1 :] if program_names else []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_that_are_not_run_have_options_that_there_are(page: Path) -> None:
    for call in calls(page.read_text(encoding="utf-8")):
        if not call or call[0].startswith("-") or not call[0].islower():
            continue
        assert call[0] in program(), f"pcapdiag {' '.join(call)}"
        command = program()[call[0]]
        if isinstance(command, click.Group) and call[1:2] and call[1] in command.commands:
            command = command.commands[call[1]]
        known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"--help", "-h"}
        given = {word.split("=")[0] for word in call[1:] if re.match(r"--?[a-z]", word)}
        assert given <= known, f"pcapdiag {' '.join(call)}"


@pytest.mark.parametrize("page", [p for p in PAGES if "```python" in p.read_text()], ids=name_of)
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "plots" in page.read_text(encoding="utf-8"):
        matplotlib = pytest.importorskip("matplotlib")
        matplotlib.use("agg")
    (tmp_path / "captures").symlink_to(ROOT / "captures")
    (tmp_path / "docs").symlink_to(DOCS)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__page__"}
    for block in blocks(page.read_text(encoding="utf-8"), "python"):
        code = body(block)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        compiled = compile(code, name_of(page), "exec", flags=flags)
        if "sniff(" not in code:
            exec(compiled, names)


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split("\n")) <= 121


def test_links_of_papers_lead_somewhere() -> None:
    """Those of the site are checked by MkDocs; these are read where the repository is looked at."""
    for paper in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "captures/README.md"):
        page = ROOT / paper
        for link in re.findall(r"\]\(([^)\s]+)\)|(?:src|href|srcset)=\"([^\"]+)\"", page.read_text(encoding="utf-8")):
            target = (link[0] or link[1]).partition("#")[0]
            if target and not re.match(r"[a-z]+:", target):
                assert (page.parent / target).exists(), f"{paper}: {target}"


def test_the_picture_is_what_the_program_prints() -> None:
    script = DOCS / "tools" / "picture.py"
    run = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with every warning an error."""
    if find_spec("mkdocs") is None or find_spec("material") is None:
        pytest.skip("needs the extra `docs`")
    folder = tmp_path_factory.mktemp("site")
    run = subprocess.run(
        [sys.executable, "-P", "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr + run.stdout
    return folder


def test_site_has_a_page_for_everything(site: Path) -> None:
    from pcapdiag.knowledge.loading import load

    knowledge = load()
    for entry in (*knowledge.states, *knowledge.causes):
        assert (site / "knowledge" / f"{entry.id}.html").is_file()
    for command in program():
        assert (site / "reference" / "cli" / f"{command}.html").is_file()
    import pcapdiag

    api = (site / "reference" / "api.html").read_text(encoding="utf-8")
    for name in pcapdiag.__all__:
        assert name == "__version__" or f'id="{name.lower()}"' in api


def test_site_names_the_columns(site: Path) -> None:
    import pcapdiag

    page = (site / "reference" / "tables.html").read_text(encoding="utf-8")
    for table in ("exchanges", "messages", "evidence", "causes", "passages"):
        section = page.partition(f'id="{table}"')[2].partition("<h2")[0]
        cells = re.findall(r"<tr>\s*<td><code>(\w+)</code>", section)
        assert cells == list(pcapdiag.columns(table).index)


def test_site_asks_no_other_host(site: Path) -> None:
    """Nothing that a browser fetches by itself is elsewhere; links may lead there."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        fetched = re.findall(r"<(?:script|img|iframe|source|video|audio)[^>]*\ssrc=\"?([^\s\">]+)", text)
        fetched += re.findall(r"<link[^>]*rel=\"?(?:stylesheet|preconnect|preload|icon)[^>]*href=\"?([^\s\">]+)", text)
        elsewhere = [address for address in fetched if re.match(r"(?:https?:)?//", address)]
        assert elsewhere == [], page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\"?(?:https?:)?//", style.read_text(encoding="utf-8")), style


def rewrite(page: Path) -> None:
    """Put what the commands print now into the page."""
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        prompt = Prompt(Path(folder))

        def again(block: re.Match[str]) -> str:
            if block["kind"] != "console":
                return block[0]
            lines: list[str] = []
            for command in commands(block):
                first, *more = command.typed.split("\n")
                printed = command.output if missing(command.typed) else prompt.type(command.typed)
                shown = command.output if fits(command.output, printed) else renewed(command.output, printed)
                lines += [f"$ {first}", *(f"> {line}" for line in more), *shown]
            indent = block["indent"]
            inner = "".join(f"{indent}{line}\n" if line else "\n" for line in lines)
            return f"{indent}```console\n{inner}{indent}```"

        renewed_text = _BLOCK.sub(again, text)
    if renewed_text != text:
        page.write_text(renewed_text, encoding="utf-8")
        print(f"{name_of(page)} is new")


if __name__ == "__main__":
    for one in PAGES:
        if "```console" in one.read_text(encoding="utf-8") and (len(sys.argv) < 2 or name_of(one) in sys.argv[1:]):
            rewrite(one)
