"""No shell ever sees what came out of a packet, nor a file name: none is called at all."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pcapdiag

SOURCES = sorted(Path(pcapdiag.__file__).parent.rglob("*.py"))
FORBIDDEN = {
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "pty.spawn", "eval", "exec"),
    *("asyncio.create_subprocess_shell", "pickle.load", "pickle.loads", "marshal.loads", "yaml.load"),
    *(
        f"os.{name}{suffix}"
        for name in ("spawn", "exec")
        for suffix in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")
    ),
}
STARTS = {"subprocess.run", "subprocess.Popen", "subprocess.call", "subprocess.check_call", "subprocess.check_output"}


def faults(source: str) -> Iterator[str]:
    """What in this source calls a shell, or runs what it reads."""
    tree = ast.parse(source)
    imported = {
        name.asname or name.name: f"{node.module}.{name.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        called = imported.get(called, called)
        if called in FORBIDDEN:
            yield f"line {node.lineno}: {called}"
        if any(
            k.arg == "shell" and not (isinstance(k.value, ast.Constant) and not k.value.value) for k in node.keywords
        ):
            yield f"line {node.lineno}: {called} with a shell"
        # A command as one string is a shell's, or is split like one.
        if called in STARTS and node.args and isinstance(node.args[0], ast.Constant | ast.JoinedStr):
            yield f"line {node.lineno}: {called} of a string"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_shell_is_called(path: Path) -> None:
    assert list(faults(path.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "import os; os.system('x')",
        "import subprocess; subprocess.run(['x'], shell=True)",
        "import subprocess; subprocess.run(a, shell=flag)",
        "from subprocess import getoutput; getoutput(name)",
        "import subprocess; subprocess.Popen(f'tshark {name}')",
        "from os import system as run; run(name)",
        "eval(text)",
    ],
)
def test_what_calls_one_is_found(source: str) -> None:
    assert len(list(faults(source))) == 1


def test_wireshark_s_are_the_only_programs_that_are_started() -> None:
    starting = [p.name for p in SOURCES if "subprocess" in p.read_text()]
    assert starting == ["wireshark.py", "dissection.py"]
