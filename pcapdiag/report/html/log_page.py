"""The report on logs as one HTML page that needs nothing else: `pcapdiag log --html FILE`.

Its style stands in it, it has no script, and its policy allows nothing from elsewhere. The same report gives the same
octets. Exchanges that are alike are told once, failures first; what goes beyond the bounds is counted on the page.
"""

from pcapdiag.knowledge.records import Check
from pcapdiag.logs.judging import LogDiagnosis
from pcapdiag.logs.log import LogReport
from pcapdiag.record import Record
from pcapdiag.report.html.markup import policy, style, template
from pcapdiag.report.log_phrases import (
    MODES,
    TUNNELS,
    alike,
    checks,
    document,
    facts,
    leading_cause,
    log_line,
    message_text,
    place,
    quoted,
    stamp_text,
    summary,
    title,
    verdict,
    who,
    worth,
)
from pcapdiag.report.phrases import ends_with
from pcapdiag.version import VERSION

MAX_TOLD, MAX_ROWS, MAX_MESSAGES, MAX_CHECKS = 60, 2_000, 60, 8


class _Row(Record, frozen=True):
    """One exchange in the overview."""

    id: int
    where: str
    mode: str
    ends: str
    outcome: str
    tunnel: str
    cause: str
    told: bool


class _View(Record, frozen=True):
    """One exchange in full: the words, which the template puts in their places."""

    id: int
    title: str
    outcome: str
    verdict: str
    reason: str
    place: str
    leading: str
    facts: list[tuple[str, str]]
    messages: list[tuple[int, str, str]]
    left: int
    evidence: list[tuple[str, str, str, str]]
    causes: list[tuple[str, str, str, str, str]]
    checks: list[tuple[str, list[str], str, str]]
    here: str


def render(report: LogReport) -> str:
    """The page."""
    from markupsafe import Markup

    told: dict[tuple[object, ...], LogDiagnosis] = {}
    ordered = sorted(report.diagnoses, key=lambda d: d.well)
    for diagnosis in ordered:
        if len(told) < MAX_TOLD:
            told.setdefault(alike(diagnosis), diagnosis)
    chosen = {id(d) for d in told.values()}
    css = style()
    heading = report.logs[0].name if len(report.logs) == 1 else f"{len(report.logs)} logs"
    lead = summary(report.diagnoses) if report.diagnoses else "No exchange of IKE"
    return template("log_page.html").render(
        title=f"{heading}: {lead} – pcapdiag",
        heading=heading,
        lead=lead,
        policy=policy(css),
        style=Markup(css),
        logs=[log_line(log) for log in report.logs],
        notes=list(report.errors),
        rows=[_row(d, id(d) in chosen) for d in ordered[:MAX_ROWS]],
        left=max(len(ordered) - MAX_ROWS, 0),
        views=[_view(d) for d in told.values()],
        version=VERSION,
    )


def _row(d: LogDiagnosis, told: bool) -> _Row:
    e = d.exchange
    cause = next((c for c in d.causes if c.leads), None)
    return _Row(
        e.id,
        f"{e.source}:{e.first_line}",
        MODES[e.mode],
        who(e),
        d.outcome.value,
        TUNNELS[d.tunnel],
        f"{cause.status.value}: {cause.cause.id}" if cause is not None else "",
        told,
    )


def _view(d: LogDiagnosis) -> _View:
    e = d.exchange
    return _View(
        id=e.id,
        title=title(e),
        outcome=d.outcome.value,
        verdict=verdict(d),
        reason=d.reason,
        place=place(e, d.reason_lines),
        leading=leading_cause(d),
        facts=list(facts(e)),
        messages=[(m.lines[0], stamp_text(m.when), message_text(m)) for m in e.messages[:MAX_MESSAGES]],
        left=max(len(e.messages) - MAX_MESSAGES, 0),
        evidence=[(i.id, i.text, place(e, i.lines), quoted(i)) for i in d.evidence[1:] if worth(i, d)],
        causes=[
            (c.status.value, c.cause.title, c.says, ", ".join(c.because), f"{c.cause.id}{document(c)}")
            for c in d.causes
            if c.leads
        ],
        checks=[_check(c) for c in checks(d)[:MAX_CHECKS]],
        here=e.local or "this end",
    )


def _check(check: Check) -> tuple[str, list[str], str, str]:
    """What to do, its commands, what ends them, and how to read the answer."""
    undo = f"{ends_with(check)} {'; '.join(check.undo)}" if check.undo else ""
    return check.do, [*check.first, *([check.command] if check.command else [])], undo, check.expect or ""
