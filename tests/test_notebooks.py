"""The notebooks run to their end, and hold what they show. Of pictures only that they are there is compared."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("execute", FOLDER / "execute.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(notebook: Any) -> list[tuple[str, list[Any]]]:
    """For each cell of code its name, and what it shows: its words, and of everything else the kind."""
    return [(cell.id, [_output(o) for o in cell.outputs]) for cell in notebook.cells if cell.cell_type == "code"]


def _output(output: Any) -> Any:
    if output.output_type == "stream":
        return output.name, output.text.split()
    kinds = sorted(output.data)
    # How wide the columns of a table are is the business of pandas.
    return kinds, None if "image/png" in kinds else output.data.get("text/plain", "").split()


def test_there_are_four() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == ["1-", "2-", "3-", "4-"]
    assert sum(path.stat().st_size for path in NOTEBOOKS) < 1_000_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_again_what_it_holds(path: Path) -> None:
    held = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    # The first is run from the root of the checkout, the others from their own folder.
    folder = FOLDER.parent if path == NOTEBOOKS[0] else FOLDER
    now = load().executed(path, folder)
    assert shown(now) == shown(held), "python notebooks/execute.py writes what they show now"
    assert sum("image/png" in kinds for _, outputs in shown(now) for kinds, _ in outputs) >= 1
    assert not any(name == "stderr" for _, outputs in shown(now) for name, _ in outputs)
    assert now.metadata == held.metadata
    assert all(cell.metadata == {} for cell in held.cells)


def test_a_cell_that_fails_is_named(tmp_path: Path) -> None:
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])  # type: ignore[no-untyped-call]
    nbformat.write(notebook, tmp_path / "bad.ipynb")  # type: ignore[no-untyped-call]
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        load().executed(tmp_path / "bad.ipynb", tmp_path)
