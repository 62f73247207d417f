"""The report on logs, for a terminal: what the log held, each exchange, what the lines say, why, and what to check."""

from collections.abc import Iterable, Iterator

from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.knowledge.records import Status
from pcapdiag.logs.attempts import LogExchange, LogMessage
from pcapdiag.logs.judging import LogDiagnosis
from pcapdiag.logs.log import LogReport, LogSummary
from pcapdiag.report.log_phrases import (
    alike,
    checks,
    document,
    facts,
    leading_cause,
    log_line,
    message_text,
    one_line,
    place,
    quoted,
    stamp_text,
    summary,
    title,
    verdict,
    worth,
)
from pcapdiag.report.phrases import ends_with
from pcapdiag.report.terminal.colours import OUTCOME_COLOURS, STATUS_COLOURS
from pcapdiag.report.terminal.layout import Layout, wrapped
from pcapdiag.report.wording import safe

_INDENT = 15
_SHOWN_CAUSES = 5
_SHOWN_MESSAGES = 40
_MANY = 12
"""Exchanges that are told in full without -v; the rest are a line each."""


def render(report: LogReport, layout: Layout) -> str:
    """The whole report. Failures come first; of many exchanges the later ones are a line each."""
    lines: list[str] = []
    for log in report.logs:
        lines += (*_log(log, layout), "")
    if layout.detail < 0:
        lines += [_one_line(d, layout) for d in report.diagnoses]
        return _text(lines)
    failed = [d for d in report.diagnoses if not d.well]
    well = [d for d in report.diagnoses if d.well]
    if len(report.diagnoses) > 1:
        lines += (layout.paint(summary(report.diagnoses), bold=True), "")
    most = len(report.diagnoses) if layout.detail > 0 else _MANY
    told: dict[tuple[object, ...], LogDiagnosis] = {}
    rest: list[LogDiagnosis] = []
    for diagnosis in (*failed, *well):
        key = alike(diagnosis)
        if layout.detail <= 0 and (key in told or len(told) >= most or (failed and diagnosis.well)):
            rest.append(diagnosis)
            continue
        told[key] = diagnosis
        lines += (*_diagnosis(diagnosis, layout), "")
    if rest:
        lines.append(layout.paint("The others", bold=True))
        lines += [_one_line(d, layout) for d in rest[:200]]
        if len(rest) > 200:
            lines.append(f"  and {len(rest) - 200} more (-v shows all)")
        lines.append("")
    for log in report.logs:
        lines += _unknown(log, layout)
    return _text(lines)


def _log(log: LogSummary, layout: Layout) -> Iterator[str]:
    yield from wrapped(log_line(log), layout, 2)
    if layout.detail > 0:
        for kind in log.kinds:
            yield f"  {kind.count:>8}  {kind.kind}"


def _one_line(d: LogDiagnosis, layout: Layout) -> str:
    text = f"  {one_line(d)}"
    return text if len(text) <= layout.width or layout.detail < 0 else text[: layout.width - 1] + "…"


def _diagnosis(d: LogDiagnosis, layout: Layout) -> Iterator[str]:
    e = d.exchange
    heading = wrapped(f"━━ {title(e)} ", layout, 3)
    heading[-1] += " " + "━" * max(0, layout.width - len(heading[-1]) - 1)
    for line in heading:
        yield layout.paint(line, bold=True)
    word = d.outcome.value.upper()
    lines = wrapped(f"{word}{verdict(d)}", layout)
    yield lines[0].replace(word, layout.paint(word, fg=OUTCOME_COLOURS[d.outcome], bold=True), 1)
    yield from lines[1:]
    yield from wrapped(f"{d.reason} (E1: {place(e, d.reason_lines)})", layout, 2, "  ")
    if cause := leading_cause(d):
        yield from wrapped(cause, layout, 2, "  ")
    yield ""
    yield from _facts(e, layout)
    yield ""
    yield from _messages(e, layout)
    yield from _shown_evidence(d, layout)
    if d.causes:
        yield ""
        yield from _shown_causes(d, layout)
        yield from _checks(d, layout)


def _facts(e: LogExchange, layout: Layout) -> Iterator[str]:
    for name, text in facts(e):
        yield from wrapped(f"  {name:<9}  {text}", layout, 13)


def _messages(e: LogExchange, layout: Layout) -> Iterator[str]:
    if not e.messages:
        yield "  The log tells of no message."
        return
    shown = e.messages if layout.detail > 0 else e.messages[:_SHOWN_MESSAGES]
    width = max((len(stamp_text(m.when)) for m in shown), default=0)
    for message in shown:
        yield from wrapped(_message(message, width), layout, 13 + width)
    if len(e.messages) > len(shown):
        yield f"    and {len(e.messages) - len(shown)} more messages (-v shows all)"
    if e.uncounted:
        yield f"    and {e.uncounted} more lines, only counted"


def _message(message: LogMessage, width: int) -> str:
    return f"  {message.lines[0]:>7}  {stamp_text(message.when):<{width}}  {message_text(message)}"


def _shown_evidence(d: LogDiagnosis, layout: Layout) -> Iterator[str]:
    items = d.evidence[1:] if layout.detail > 0 else [i for i in d.evidence[1:] if worth(i, d)]
    if not items:
        return
    yield ""
    yield layout.paint("  What the log says", bold=True)
    for item in items:
        times = f", {item.count} times" if item.count > 1 else ""
        text = f"{item.text} ({place(d.exchange, item.lines)}{times})"
        yield from wrapped(text, layout, 7, f"  {item.id:<4} ")
        if item.quote:
            yield from wrapped(f"“{quoted(item)}”", layout, 9, "       ")


def _shown_causes(d: LogDiagnosis, layout: Layout) -> Iterator[str]:
    yield layout.paint("  What may be the cause", bold=True)
    shown = list(d.causes) if layout.detail > 0 else [c for c in d.causes if c.leads][:_SHOWN_CAUSES]
    for ranked in shown:
        word = ranked.status.value.replace("_", " ")
        head = f"{ranked.cause.title} [{ranked.cause.id}]{document(ranked)}"
        lines = wrapped(head, layout, _INDENT, " " * _INDENT)
        yield f"  {layout.paint(f'{word:<13}', fg=STATUS_COLOURS[ranked.status])}{lines[0][_INDENT:]}"
        yield from lines[1:]
        yield from wrapped(f"{ranked.says}{_because(ranked)}", layout, _INDENT, " " * _INDENT)
        if ranked.because and ranked.against:
            text = f"Another line of the log speaks against it [{', '.join(ranked.against)}]."
            yield from wrapped(text, layout, _INDENT, " " * _INDENT)
    rest = [c for c in d.causes if c not in shown]
    for status in Status:
        names = [f"{c.cause.id}{document(c)}{_because(c)}" for c in rest if c.status is status]
        if names:
            word = status.value.replace("_", " ")
            yield from wrapped(", ".join(names), layout, _INDENT, f"  {word:<13}")


def _because(ranked: RankedCause) -> str:
    ids = ranked.because or ranked.against
    return f" [{', '.join(ids)}]" if ids else ""


def _checks(d: LogDiagnosis, layout: Layout) -> Iterator[str]:
    """What to look at on the device that logged, for the causes that lead."""
    found = checks(d)
    if not found:
        return
    yield ""
    yield layout.paint(f"  What to check next, at {d.exchange.local or 'this end'}", bold=True)
    for number, check in enumerate(found[: 30 if layout.detail > 0 else 5], 1):
        yield from wrapped(f"{check.do}.", layout, 5, f"  {number:>2} ")
        for line in (*check.first, *([check.command] if check.command else [])):
            yield layout.paint(f"       {safe(line)}", bold=True)
        if check.undo:
            yield from wrapped(f"{ends_with(check)} {'; '.join(check.undo)}", layout, 7, "     ")
        if check.expect:
            yield from wrapped(f"→ {check.expect}", layout, 7, "     ")


def _unknown(log: LogSummary, layout: Layout) -> Iterator[str]:
    if not log.shapes:
        return
    shown = log.shapes if layout.detail > 0 else log.shapes[:5]
    yield from wrapped(f"{safe(log.name)}: lines of IKE that are not in the table, the most frequent:", layout, 2)
    for shape in shown:
        quote = safe(" ".join(shape.text.split()))
        yield from wrapped(f"{shape.count:>7} × line {shape.number}: {quote}"[: layout.width * 2], layout, 12, "  ")
    if len(log.shapes) > len(shown):
        yield f"          and {len(log.shapes) - len(shown)} other kinds (-v shows all)"


def _text(lines: Iterable[str]) -> str:
    found = [line.rstrip() for line in lines]
    while found and not found[-1]:
        found.pop()
    return "".join(f"{line}\n" for line in found)
