"""Some steps that pyproject.toml cannot say.

The walker over savefiles, and what takes in the frames that it stops at, are compiled where a C compiler is at hand,
from the source that runs without one as well; set PCAPDIAG_COMPILE=no to do without.

And the built package has its knowledge base as a module beside the TOML, and the table of log lines as another. The
TOML is what people write. Parsing and checking it takes a sixth of the run time of an analysis of a small capture; done
once, at build time, it leaves a module of ready records that loads in 2 ms. A checkout reads the TOML.

And the manual pages, made of the text of --help, go where man finds them: beside the program, in share/man.

Where the program is published from is known to whoever publishes it: PCAPDIAG_REPOSITORY, an address of the web, gets
into the metadata.
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent.resolve()
COMPILED = ("pcapdiag/capture/walker.py", "pcapdiag/capture/network.py", "pcapdiag/logs/scan.py")
MANUAL = "share/man/man1"
DIRECTIVES = {
    "language_level": "3",
    "annotation_typing": False,  # the types are in the .pxd beside each
    "initializedcheck": False,
    "nonecheck": False,
}


class BuildWithKnowledge(build_py):
    """Writes causes_built.py, log_lines_built.py and the manual pages into what is built."""

    def run(self) -> None:
        """Build as usual, then convert; a knowledge base that breaks its rules fails the build."""
        super().run()
        target = Path(self.build_lib, "pcapdiag", "knowledge", "causes_built.py")
        if target.parent.is_dir():
            sys.path.insert(0, str(ROOT))
            from pcapdiag.knowledge import loading

            names = "Cause, Check, DocumentItem, NotifyEntry, Rule, State, Status, Wording"
            made = '"""Made of the TOML beside it by the build."""'
            base = "from pcapdiag.knowledge.base import KnowledgeBase"
            head = f"{made}\n\n{base}\nfrom pcapdiag.knowledge.records import {names}\n\n"
            target.write_text(f"{head}KNOWLEDGE = {loading.load()!r}\n", encoding="utf-8")
            from pcapdiag.knowledge import log_lines

            head = '"""Made of lines/*.toml by the build."""\n\nfrom pcapdiag.knowledge.log_lines import LineKind\n\n'
            lines = Path(self.build_lib, "pcapdiag", "knowledge", "log_lines_built.py")
            lines.write_text(f"{head}KINDS = {log_lines.read_entries()!r}\n", encoding="utf-8")
            if sys.platform != "win32":
                self._add_manual()

    def _add_manual(self) -> None:
        from pcapdiag.cli.main import main
        from pcapdiag.cli.man import write

        pages = write(main, Path("build", "man"))
        self.distribution.data_files = [(MANUAL, [str(page) for page in pages])]


def urls() -> dict[str, str]:
    """Where to read, and where to say what is wrong; empty where nobody says where the repository is."""
    home = os.environ.get("PCAPDIAG_REPOSITORY", "").rstrip("/")
    if not home:
        return {}
    return {
        "Homepage": home,
        "Source": home,
        "Issues": f"{home}/issues",
        "Changelog": f"{home}/blob/main/CHANGELOG.md",
    }


def extensions() -> list[Extension]:
    """What is compiled. The installation goes on where that fails, in whichever step: the program runs without."""
    if os.environ.get("PCAPDIAG_COMPILE", "").lower() in ("no", "0", "false"):
        return []
    # Optimising further takes the compiler twice as long, and gains nothing that could be measured.
    arguments = [] if sys.platform == "win32" else ["-O1", "-g0"]
    wanted = [
        Extension(path.removesuffix(".py").replace("/", "."), [path], optional=True, extra_compile_args=arguments)
        for path in COMPILED
    ]
    try:
        found: list[Extension] = cythonize(wanted, compiler_directives=DIRECTIVES, build_dir="build/cython", quiet=True)
    except Exception as fault:
        print(f"pcapdiag is not compiled: {type(fault).__name__}: {fault}", file=sys.stderr)
        return []
    return found


setup(
    cmdclass={"build_py": BuildWithKnowledge},
    ext_modules=extensions(),
    project_urls=urls(),
    options={"build_ext": {"parallel": len(COMPILED)}},
)
