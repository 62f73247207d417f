"""What MkDocs is told to make beside the pages that are written: a hook, named in mkdocs.yml.

Pages that are made at build time, of what the program says itself, so that they cannot fall behind it:

knowledge/…       a page for each state and each cause, of `pcapdiag explain --json`
reference/cli/…   a page for each command, of its own help
reference/tables  the columns of the tables; reference/api: what the package exports, with its docstrings
contributing/…    CONTRIBUTING.md and other papers of the repository, as they are
"""

from pathlib import Path

import commands  # MkDocs looks beside the hook while it loads it
import knowledge
import python_names
import tables
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]

PAPERS = {
    "contributing/index.md": "CONTRIBUTING.md",
    "contributing/captures.md": "captures/README.md",
    "contributing/security.md": "SECURITY.md",
    "contributing/benchmarks.md": "BENCHMARKS.md",
    "contributing/changelog.md": "CHANGELOG.md",
}
MOVED = {
    "(SECURITY.md": "(security.md",
    "(BENCHMARKS.md": "(benchmarks.md",
    "(CHANGELOG.md": "(changelog.md",
    "(CONTRIBUTING.md": "(index.md",
    "(captures/README.md": "(captures.md",
    "(README.md": "(../index.md",
    "(docs/": "(../",
}
"""Where links of those papers lead on the site."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    made: dict[str, str] = {}
    made |= knowledge.pages()
    made |= commands.pages()
    made |= tables.pages()
    made |= python_names.pages()
    for page, paper in PAPERS.items():
        text = (ROOT / paper).read_text(encoding="utf-8")
        for here, there in MOVED.items():
            text = text.replace(here, there)
        made[page] = text
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files
