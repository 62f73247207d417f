"""One step that pyproject.toml cannot say: the built package has its knowledge base as a module beside the TOML.

The TOML is what people write. Parsing and checking it takes a sixth of the run time of an analysis of a small capture;
done once, at build time, it leaves a module of ready records that loads in 2 ms. A checkout reads the TOML.
"""

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent.resolve()


class BuildWithKnowledge(build_py):
    """Writes causes_built.py into what is built."""

    def run(self) -> None:
        """Build as usual, then convert; a knowledge base that breaks its rules fails the build."""
        super().run()
        target = Path(self.build_lib, "pcapdiag", "diagnosis", "causes_built.py")
        if target.parent.is_dir():
            sys.path.insert(0, str(ROOT))
            from pcapdiag.diagnosis import causes

            names = "Cause, Check, DebugLine, DocumentItem, KnowledgeBase, NotifyEntry, State"
            head = f'"""Made of causes.toml by the build."""\n\nfrom pcapdiag.diagnosis.causes import {names}\n\n'
            target.write_text(f"{head}KNOWLEDGE = {causes.load()!r}\n", encoding="utf-8")


setup(cmdclass={"build_py": BuildWithKnowledge})
