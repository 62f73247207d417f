"""What `import pcapdiag` offers: complete, documented, typed, and imported when it is asked for."""

import ast
import asyncio
import inspect
import pydoc
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path

import pytest

import pcapdiag
from pcapdiag.live import events
from pcapdiag.record import lazy
from pcapdiag.report.tables.columns import TABLES
from tests import CAPTURES


@pytest.mark.parametrize("name", pcapdiag.__all__)
def test_everything_public_can_be_had_and_is_documented(name: str) -> None:
    found = getattr(pcapdiag, name)
    assert name in dir(pcapdiag)
    assert name in (pcapdiag.__doc__ or "") or name == "__version__"
    if not inspect.isclass(found) and not inspect.isfunction(found):
        return
    assert found.__module__.startswith("pcapdiag.")
    assert len(inspect.getdoc(found) or "") > 20
    for member, value in vars(found).items() if inspect.isclass(found) else ():
        documented = inspect.isfunction(value) or isinstance(value, property | lazy)
        if documented and not member.startswith("_") and not issubclass(found, Enum):
            assert inspect.getdoc(value), f"{name}.{member}"


@pytest.mark.parametrize("name", ["", *pcapdiag.__all__])
def test_help_can_be_asked_for(name: str) -> None:
    found = getattr(pcapdiag, name) if name else pcapdiag
    if not isinstance(found, str):
        assert pydoc.render_doc(found, renderer=pydoc.plaintext)


def test_help_tells_of_the_tables() -> None:
    text = pydoc.render_doc(pcapdiag.Report, renderer=pydoc.plaintext)
    for table in TABLES:
        assert f" |  {table} = <" in text
    assert "A row for each fact that the wire shows of an exchange" in text
    assert isinstance(pcapdiag.Report.messages, lazy)


def test_every_event_is_public() -> None:
    assert {kind.__name__ for kind in events.Event.__args__} <= set(pcapdiag.__all__)


def test_what_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_like_this"):
        pcapdiag.nothing_like_this  # noqa: B018


def test_importing_it_imports_nothing_else() -> None:
    program = "import sys, pcapdiag; print(*sorted(n for n in sys.modules if n.startswith(('pcapdiag', 'msgspec'))))"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pcapdiag", "pcapdiag.version"]


def test_sniffing_needs_no_pandas() -> None:
    program = (
        "import sys, pcapdiag; report = pcapdiag.analyze(sys.argv[1]); list(pcapdiag.sniff(open(sys.argv[1], 'rb')))\n"
        "assert not {'numpy', 'pandas', 'pyarrow'} & set(sys.modules)\n"
        "report.messages; assert 'pandas' in sys.modules"
    )
    subprocess.run([sys.executable, "-P", "-c", program, str(CAPTURES / "mm5-lost.pcap")], check=True)


def test_a_type_checker_is_told_the_same() -> None:
    tree = ast.parse(Path(pcapdiag.__file__).read_text())
    told = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told == {name: f"pcapdiag.{home}" for home, names in pcapdiag._HOMES.items() for name in names}
    assert set(told) | {"__version__"} == set(pcapdiag.__all__)
    assert (Path(pcapdiag.__file__).parent / "py.typed").exists()


def test_analyses_go_on_in_threads_and_within_a_running_loop() -> None:
    paths = sorted(CAPTURES.glob("mm*.pcap"))[:6]
    expected = [pcapdiag.analyze(path) for path in paths]

    async def notebook() -> list[pcapdiag.Report]:
        here = pcapdiag.analyze(paths[0])
        return [here, *await asyncio.gather(*(asyncio.to_thread(pcapdiag.analyze, path) for path in paths[1:]))]

    assert asyncio.run(notebook()) == expected
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(pcapdiag.analyze, paths)) == expected
