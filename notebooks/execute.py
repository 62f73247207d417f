"""Runs the notebooks, and writes what they show into them.

    python notebooks/execute.py [NOTEBOOK...]

It leaves out what changes from one run to the next: times of execution, versions, and the raw form of what is shown as
HTML. Pictures are kept; they are the same for the same matplotlib.
"""

import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parent
NOTEBOOKS = tuple(sorted(FOLDER.glob("*.ipynb")))
RECORD = re.compile(r"[A-Z]\w+\(")
"""How the raw form of a record begins; that of a DataFrame is a table."""
SECONDS = 120
"""For one cell; the slowest takes a few."""


def executed(path: Path, folder: Path = FOLDER) -> NotebookNode:
    """The notebook, run from the first cell to the last with `folder` as the working directory.

    Raises nbclient.exceptions.CellExecutionError with the cell and what it raised.
    """
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    where = {"metadata": {"path": folder}}
    client = NotebookClient(
        notebook, timeout=SECONDS, kernel_name="python3", resources=where, coalesce_streams=True
    )  # what is printed comes in one piece, however long it took
    return lasting(client.execute())


def lasting(notebook: NotebookNode) -> NotebookNode:
    """The notebook without what changes from one run to the next."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", ()):
            output.get("metadata", {}).clear()
            data = output.get("data", {})
            if "text/html" in data and RECORD.match(data["text/plain"]):
                del data["text/plain"]
    return notebook


def main() -> None:
    """Run from the command line."""
    for path in [Path(name) for name in sys.argv[1:]] or NOTEBOOKS:
        nbformat.write(executed(path), path)  # type: ignore[no-untyped-call]
        print(f"{path.name}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
