"""How a report, a diagnosis and an exchange show themselves in a notebook: HTML with its own style, and no script.

There are no ids in it, so that any number of them can stand on one page, and everything in the style begins with
`.pcapdiag`, so that nothing of it reaches the notebook. It follows the theme of JupyterLab and VS Code, else the
browser's; ground and ink are always both set.
"""

from functools import singledispatch

from pcapdiag.comparison.results import Compared
from pcapdiag.diagnosis.grouping import Group, group
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Exchange
from pcapdiag.findings import Findings
from pcapdiag.report.html.exchange_view import drawn, overview_row, view
from pcapdiag.report.html.markup import source, template
from pcapdiag.report.phrases import capture_line, loss_lines, summary
from pcapdiag.report.wording import MODE_NAMES

MAX_ROWS, MAX_TOLD = 20, 5
"""Exchanges that a report lists, and of which it tells more; those that ended alike are one."""


@singledispatch
def shown(record: object) -> str | None:
    """What a notebook shows of a record; None where there is nothing better than its text."""
    return None


@shown.register
def _exchange(record: Exchange) -> str:
    return _rendered(heading=_title(record), exchange_alone=drawn(record, several=_several(record)))


@shown.register
def _diagnosis(record: Diagnosis) -> str:
    return _rendered(
        heading=_title(record.exchange), alone=view(Group((record,), 1, 1), several=_several(record.exchange))
    )


@shown.register
def _report(record: Findings) -> str:
    groups = group(record.diagnoses)
    left = len(groups) - MAX_ROWS
    more = [f"And {left} more that ended otherwise or between others: see .diagnoses." if left > 0 else ""]
    if len(groups) > MAX_TOLD:
        more.append(f"Told below are the first {MAX_TOLD}; .diagnoses has all.")
    return _rendered(
        heading=summary(record.diagnoses, record.folded) if record.diagnoses else "No IKE exchange",
        lines=[
            *(capture_line(c) for c in record.captures[:MAX_TOLD]),
            *([f"and {len(record.captures) - MAX_TOLD} more captures"] if len(record.captures) > MAX_TOLD else []),
            *record.errors[:MAX_TOLD],
            *(line.strip() for line in loss_lines(record.folded, record.counts)),
        ],
        rows=[overview_row(found, told=False) for found in groups[:MAX_ROWS]],
        unlisted=" ".join(filter(None, more)),
        folded=[view(found, len(record.captures) > 1) for found in groups[:MAX_TOLD]],
    )


@shown.register
def _comparison(record: Compared) -> str:
    from markupsafe import Markup

    from pcapdiag.report.compare_rows import path_lines, point_lines
    from pcapdiag.report.html.compare_svg import ladder

    groups = group(record.diagnoses)
    left = len(groups) - MAX_TOLD
    return _rendered(
        heading=summary(record.diagnoses) if record.diagnoses else "No IKE exchange",
        lines=[*point_lines(record), *path_lines(record)],
        rows=[overview_row(found, told=False) for found in groups[:MAX_ROWS]],
        unlisted=f"Told below are the first {MAX_TOLD}; .diagnoses has all." if left > 0 else "",
        folded=[view(found, True, Markup(ladder(record, found.first))) for found in groups[:MAX_TOLD]],
    )


def _rendered(**what: object) -> str:
    from markupsafe import Markup

    nothing = {"exchange_alone": "", "alone": None, "lines": (), "rows": (), "unlisted": "", "folded": ()}
    return template("notebook.html").render(style=Markup(_style()), **{**nothing, **what})


def _style() -> str:
    dark = source("dark.css")
    themes = ("[data-jp-theme-light=false]", "[data-vscode-theme-kind=vscode-dark]", "[theme=dark]")
    light = ("[data-jp-theme-light=true]", "[data-vscode-theme-kind=vscode-light]", "[theme=light]")
    unless = "".join(f":not({theme} *)" for theme in light)
    return (
        f"{source('parts.css')}{source('notebook.css')}"
        f"@media screen and (prefers-color-scheme: dark) {{\n.pcapdiag.notebook{unless} {{\n{dark}}}\n}}\n"
        f"{', '.join(f'{theme} .pcapdiag.notebook' for theme in themes)} {{\n{dark}}}\n"
    )


def _several(exchange: Exchange) -> bool:
    """Frames of more captures than one are in it, or of one that is not the first."""
    return any(f.capture for s in exchange.steps for sight in (*s.sent, *s.duplicates) for f in sight.frames)


def _title(exchange: Exchange) -> str:
    ends = f"{exchange.initiator.address} → {exchange.responder.address}"
    return f"Exchange {exchange.id}: {MODE_NAMES[exchange.mode]}, {ends}"
