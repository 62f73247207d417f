"""A comparison as one HTML page: that of `analyze`, with a line for each point in every ladder."""

from os.path import basename

from pcapdiag.comparison.results import Compared
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.report.compare_rows import path_lines, point_lines
from pcapdiag.report.html import page
from pcapdiag.report.html.compare_svg import ladder


def render(comparison: Compared) -> str:
    """The page."""

    def draw(diagnosis: Diagnosis) -> str:
        return ladder(comparison, diagnosis)

    lines = list(point_lines(comparison))
    names = [basename(p.names[0]) or p.names[0] for p in comparison.points]
    return page.render(
        comparison.report,
        draw=draw,
        heading=" and ".join(names),
        captures=[line for line in lines if not line.startswith(" ")],
        path=[*(line.strip() for line in lines if line.startswith(" ")), *path_lines(comparison)],
    )
