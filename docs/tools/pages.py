"""What MkDocs is told to make beside the pages that are written: a hook, named in mkdocs.yml.

Pages that are made at build time, of what the program says itself, so that they cannot fall behind it:

knowledge/…       a page for each state and each cause, of `pcapdiag explain --json`
reference/cli/…   a page for each command, of its own help
reference/tables  the columns of the tables; reference/api: what the package exports, with its docstrings
contributing/…    CONTRIBUTING.md and other papers of the repository, as they are
"""

import logging
import re
import shutil
from html import unescape
from pathlib import Path

import browser
import commands  # MkDocs looks beside the hook while it loads it
import knowledge
import python_names
import tables
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import pcapdiag

log = logging.getLogger("mkdocs.hooks.pages")
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


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages that are made under their headings in the navigation."""
    for entry in config.nav:
        if "States and causes" in entry:
            by_kind = {"state": "States", "cause": "Causes"}
            entry["States and causes"] = [
                "knowledge/index.md",
                *(
                    {heading: [f"knowledge/{e['id']}.md" for e in knowledge.entries() if e["kind"] == kind]}
                    for kind, heading in by_kind.items()
                ),
            ]
        for inner in entry.get("Reference", []):
            if isinstance(inner, dict) and "Command line" in inner:
                pages = (f"reference/cli/{name}.md" for name in commands.all_commands())
                inner["Command line"] = ["reference/cli/index.md", *pages]
    return config


def on_post_build(config: MkDocsConfig) -> None:
    """Put what the page in the browser needs beside it, and the report's own style and script into its policy.

    The frame that shows the report has the policy of the page as well as its own, so the page has to let them pass.
    """
    page = Path(config.site_dir, "try", "index.html")
    report = pcapdiag.analyze(ROOT / "captures" / "mm1-no-reply.pcap").to_html()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', report)
    text = page.read_text(encoding="utf-8")
    for directive, value in re.findall(r"((?:script|style)-src) ('[^;]*')", unescape(policy)):
        text = text.replace(f"{directive} 'self'", f"{directive} 'self' {value}")
    page.write_text(text, encoding="utf-8")
    if browser.BUILT.is_dir():
        browser.pack_program()
        shutil.copytree(browser.BUILT, page.parent, dirs_exist_ok=True)
    else:
        log.info("try/ is without its Python: python docs/tools/browser.py fetches it")


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
