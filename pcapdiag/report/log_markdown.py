"""The report on logs for a ticket or a chat: Markdown that reads well as it is, too."""

from collections.abc import Iterator

from pcapdiag.logs.attempts import LogExchange
from pcapdiag.logs.judging import LogDiagnosis
from pcapdiag.logs.log import LogReport
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
from pcapdiag.report.markdown import code, fenced, inline
from pcapdiag.report.phrases import ends_with, status_word

MAX_TOLD = 20
"""Exchanges that are told in full; those that are alike are told once, and the rest are a line each."""
MAX_LINES, MAX_MESSAGES, MAX_CHECKS = 200, 40, 5


def render(report: LogReport) -> str:
    """The whole report. Failures come first."""
    return "".join(f"{line.rstrip()}\n" for line in _lines(report))


def _lines(report: LogReport) -> Iterator[str]:
    for log in report.logs:
        yield f"- {inline(log_line(log))}"
    yield from (f"- {inline(error)}" for error in report.errors)
    yield ""
    if len(report.diagnoses) > 1:
        yield f"**{inline(summary(report.diagnoses))}**"
        yield ""
    told: dict[tuple[object, ...], LogDiagnosis] = {}
    rest = []
    for diagnosis in sorted(report.diagnoses, key=lambda d: d.well):
        if alike(diagnosis) in told or len(told) >= MAX_TOLD:
            rest.append(diagnosis)
            continue
        told[alike(diagnosis)] = diagnosis
        yield from _diagnosis(diagnosis)
    if rest:
        yield "### The others"
        yield ""
        yield from (f"- {inline(one_line(d))}" for d in rest[:MAX_LINES])
        if len(rest) > MAX_LINES:
            yield f"- and {len(rest) - MAX_LINES} more"


def _diagnosis(d: LogDiagnosis) -> Iterator[str]:
    e = d.exchange
    yield f"### {inline(title(e))}"
    yield ""
    yield f"**{d.outcome.value.upper()}**{inline(verdict(d))}"
    yield ""
    yield f"{inline(d.reason)} ({inline(place(e, d.reason_lines))})"
    if cause := leading_cause(d):
        yield ""
        yield f"**{inline(cause)}**"
    yield ""
    yield from (f"- {name}: {inline(text)}" for name, text in facts(e))
    yield ""
    yield from fenced(list(_messages(e)))
    yield ""
    yield from _why(d)


def _messages(e: LogExchange) -> Iterator[str]:
    shown = e.messages[:MAX_MESSAGES]
    width = max((len(stamp_text(m.when)) for m in shown), default=0)
    for message in shown:
        yield f"{message.lines[0]:>7}  {stamp_text(message.when):<{width}}  {message_text(message)}"
    if len(e.messages) > MAX_MESSAGES:
        yield f"and {len(e.messages) - MAX_MESSAGES} more messages"
    if not e.messages:
        yield "The log tells of no message."


def _why(d: LogDiagnosis) -> Iterator[str]:
    shown = [item for item in d.evidence[1:] if worth(item, d)]
    if shown:
        yield "**What the log says**"
        yield ""
        for item in shown:
            times = f", {item.count} times" if item.count > 1 else ""
            quote = f": {code(quoted(item))}" if item.quote else ""
            yield f"- {item.id} {inline(item.text)} ({inline(place(d.exchange, item.lines))}{times}){quote}"
        yield ""
    leads = [c for c in d.causes if c.leads]
    if leads:
        yield "**What may be the cause**"
        yield ""
        for ranked in leads:
            because = f" [{', '.join(ranked.because)}]" if ranked.because else ""
            head = f"{status_word(ranked.status)}: **{inline(ranked.cause.title)}** `{ranked.cause.id}`"
            yield f"1. {head}{inline(document(ranked))} {inline(ranked.says)}{inline(because)}"
        yield ""
    found = checks(d)[:MAX_CHECKS]
    if found:
        yield f"**What to check next, at {inline(d.exchange.local or 'this end')}**"
        yield ""
        for check in found:
            lines = (*check.first, *([check.command] if check.command else []))
            commands = "".join(f" {code(line)}" for line in lines)
            undo = f" {ends_with(check)} {', '.join(map(code, check.undo))}." if check.undo else ""
            expect = f" → {inline(check.expect)}" if check.expect else ""
            yield f"1. {inline(check.do)}.{commands}{undo}{expect}"
        yield ""
