"""The report as one HTML page that needs nothing else: `pcapdiag analyze --html FILE`.

Its style and its script stand in it, and its policy allows no others, nor any connection. The same report gives the
same octets.

It stays of a size that a browser opens. Exchanges that ended alike are told once, as in the text report; MAX_TOLD of
these, and MAX_OCTETS of them, are told in full, those that did not complete before the others; MAX_ROWS have a row.
What goes beyond is counted on the page.
"""

from collections.abc import Callable, Iterator, Sequence
from os.path import basename

from pcapdiag.diagnosis.grouping import Group, failing_first, group
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.findings import Findings
from pcapdiag.report.html.exchange_view import overview_row, view
from pcapdiag.report.html.markup import policy, source, style, template
from pcapdiag.report.phrases import capture_line, loss_lines, summary
from pcapdiag.version import VERSION

MAX_TOLD = 100
MAX_OCTETS = 8 << 20
MAX_ROWS = 2_000


def render(
    report: Findings,
    *,
    draw: Callable[[Diagnosis], str] | None = None,
    heading: str = "",
    captures: Sequence[str] | None = None,
    path: Sequence[str] = (),
) -> str:
    """The page.

    draw -- what draws a ladder, as SVG in which everything is escaped; by default that of `analyze`
    heading, captures -- in the place of what the report gives; path -- lines on the way between capture points
    """
    from markupsafe import Markup

    failing, rest = failing_first(group(report.diagnoses))
    groups = [*failing, *rest]
    told = _told(groups, len(report.captures) > 1, draw)
    css, script = style(), source("page.js")
    shown = groups[:MAX_ROWS]
    outcomes: dict[str, int] = {}
    for found in shown:
        name = found.first.stop.outcome.value
        outcomes[name] = outcomes.get(name, 0) + 1
    return template("page.html").render(
        title=f"{heading or _heading(report)}: {_lead(report)} – pcapdiag",
        heading=heading or _heading(report),
        lead=_lead(report),
        policy=policy(css, script),
        style=Markup(css),
        script=Markup(script),
        captures=list(_captures(report)) if captures is None else list(captures),
        path=list(path),
        notes=[*_warnings(report), *(line.strip() for line in loss_lines(report.folded, report.counts))],
        rows=[overview_row(found, number in told) for number, found in enumerate(shown)],
        outcomes=list(outcomes.items()),
        caption=_caption(report, groups, len(told)),
        nothing=_nothing(report),
        articles=[Markup(article) for _, article in sorted(told.items())],
        version=VERSION,
    )


def _told(groups: Sequence[Group], several: bool, draw: Callable[[Diagnosis], str] | None) -> dict[int, str]:
    """What is told in full, by its place; those that did not complete first, as far as there is room."""
    from markupsafe import Markup

    order = sorted(range(len(groups[:MAX_ROWS])), key=lambda n: groups[n].first.completed)
    told: dict[int, str] = {}
    room = MAX_OCTETS
    for number in order[:MAX_TOLD]:
        ladder = Markup(draw(groups[number].first)) if draw is not None else None
        article = template("exchange.html").render(x=view(groups[number], several, ladder))
        room -= len(article.encode())
        if room < 0:
            break
        told[number] = article
    return told


def _heading(report: Findings) -> str:
    if len(report.captures) == 1:
        return basename(report.captures[0].summary.path) or report.captures[0].summary.path
    return f"{len(report.captures)} captures"


def _lead(report: Findings) -> str:
    return summary(report.diagnoses, report.folded) if report.diagnoses else "No IKE exchange"


def _captures(report: Findings) -> Iterator[str]:
    """What each held, with the number that frames of it are named with."""
    for number, capture in enumerate(report.captures, 1):
        yield f"{number}: {capture_line(capture)}" if len(report.captures) > 1 else capture_line(capture)


def _warnings(report: Findings) -> Iterator[str]:
    yield from report.errors
    for capture in report.captures:
        yield from capture.summary.warnings


def _caption(report: Findings, groups: Sequence[Group], told: int) -> str:
    parts = []
    if len(report.diagnoses) > len(groups):
        parts.append("Exchanges that ended alike share a row.")
    if len(groups) > MAX_ROWS:
        parts.append(f"{len(groups) - MAX_ROWS} of {len(groups)} rows are left out here: see --json.")
    if told < len(groups):
        parts.append(f"{told} of {len(groups)} are told in full below, those that did not complete first.")
    return " ".join(parts) or "Overview"


def _nothing(report: Findings) -> list[str]:
    """What is said where there is no exchange to show."""
    if report.diagnoses:
        return []
    if report.ike_messages:
        return [f"{report.ike_messages} IKE messages, none of an exchange that was asked for."]
    from pcapdiag.report.terminal.nothing import nothing_found

    return list(nothing_found(report, None, None))
