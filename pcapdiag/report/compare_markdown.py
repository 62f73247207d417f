"""A comparison as Markdown: as that of `analyze`, with a ladder that has a line for each point."""

from collections.abc import Iterator

from pcapdiag.comparison.results import Compared
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.report import markdown
from pcapdiag.report.compare_rows import path_lines, point_lines
from pcapdiag.report.terminal.compare_text import ladder
from pcapdiag.report.terminal.layout import Layout


def render(comparison: Compared) -> str:
    """The whole report."""

    def draw(diagnosis: Diagnosis, layout: Layout) -> Iterator[str]:
        return ladder(comparison, diagnosis, layout)

    lines = [line.strip() for line in (*point_lines(comparison), *path_lines(comparison))]
    return markdown.render(comparison.report, draw=draw, head=lines)
