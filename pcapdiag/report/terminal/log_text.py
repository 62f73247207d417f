"""The report on logs, for a terminal: what the log held, each exchange, what the lines say, why, and what to check."""

from collections.abc import Iterable, Iterator, Sequence

from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.knowledge.records import Status
from pcapdiag.logs.attempts import LogExchange, LogMessage
from pcapdiag.logs.judging import LogDiagnosis, LogEvidence
from pcapdiag.logs.line import SENT
from pcapdiag.logs.log import LogReport, LogSummary
from pcapdiag.logs.stamps import last_stamp
from pcapdiag.report.terminal.colours import OUTCOME_COLOURS, STATUS_COLOURS
from pcapdiag.report.terminal.layout import Layout, wrapped
from pcapdiag.report.wording import safe

PLATFORMS = {
    "asa": "Cisco ASA",
    "ios": "Cisco IOS",
    "strongswan": "strongSwan",
    "libreswan": "libreswan",
    "fortigate": "FortiGate",
    "racoon": "racoon",
    "openiked": "OpenIKED",
    "paloalto": "Palo Alto",
    "mikrotik": "MikroTik",
    "sonicwall": "SonicWall",
}
_MODES = {"main": "Main Mode", "aggressive": "Aggressive Mode", "ikev2": "IKEv2", "unknown": "IKE"}
_TUNNELS = {
    "up": "the tunnel is up",
    "no-child": "phase 1 is up, and no tunnel: phase 2 failed",
    "lost": "the tunnel was lost",
    "down": "no tunnel",
    "unknown": "the log does not tell whether a tunnel followed",
}
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
        lines += (*_summary(report.diagnoses, layout), "")
    most = len(report.diagnoses) if layout.detail > 0 else _MANY
    told: dict[tuple[object, ...], LogDiagnosis] = {}
    rest: list[LogDiagnosis] = []
    for diagnosis in (*failed, *well):
        key = _alike(diagnosis)
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


def place(exchange: LogExchange, lines: Sequence[int], most: int = 4) -> str:
    """`asa.log:120`, `asa.log:120, 131 and 4 more`."""
    shown = ", ".join(map(str, lines[:most]))
    more = f" and {len(lines) - most} more" if len(lines) > most else ""
    return f"{safe(exchange.source)}:{shown}{more}"


def _alike(d: LogDiagnosis) -> tuple[object, ...]:
    leading = next((c.cause.id for c in d.causes if c.leads), "")
    e = d.exchange
    return e.source, e.platform, e.peer, e.mode, e.role, d.outcome, d.tunnel, d.states, d.missing, leading


def _log(log: LogSummary, layout: Layout) -> Iterator[str]:
    makes = ", ".join(PLATFORMS.get(name, name) for name in log.platforms) or "no format that is known"
    total = sum(log.platforms.values())
    kinds = f", {len(log.kinds)} kinds" if log.kinds else ""
    text = f"{safe(log.name)}: {log.lines} lines; {makes}, {total} lines{kinds}"
    extra = []
    if log.unknown:
        extra.append(f"{log.unknown} not in the table")
    if log.other:
        extra.append(f"{log.other} of nothing known")
    if log.wrapped:
        extra.append(f"{log.wrapped} joined to the one before")
    if log.cut:
        extra.append(f"{log.cut} too long and cut")
    if log.newest_first:
        extra.append("newest first, read from its end")
    if log.dropped:
        extra.append(f"{log.dropped} exchanges beyond the limit")
    yield from wrapped(text + (f" ({', '.join(extra)})" if extra else ""), layout, 2)
    if layout.detail > 0:
        for kind in log.kinds:
            yield f"  {kind.count:>8}  {kind.kind}"


def _summary(diagnoses: Sequence[LogDiagnosis], layout: Layout) -> Iterator[str]:
    counts: dict[str, int] = {}
    for d in diagnoses:
        counts[d.outcome.value] = counts.get(d.outcome.value, 0) + 1
    parts = ", ".join(f"{n} {name}" for name, n in sorted(counts.items(), key=lambda item: -item[1]))
    peers = len({(d.exchange.source, d.exchange.peer) for d in diagnoses})
    text = f"{len(diagnoses)} exchanges with {peers} peer{'s' * (peers > 1)}: {parts}"
    yield layout.paint(text, bold=True)


def _who(e: LogExchange) -> str:
    here = e.local or "this end"
    there = e.peer or "an address that the log does not tell"
    arrow = "→" if e.role == "initiator" else "←" if e.role == "responder" else "–"
    return f"{here} {arrow} {there}"


def _one_line(d: LogDiagnosis, layout: Layout) -> str:
    e = d.exchange
    name = f" ({', '.join(map(safe, e.connection[:2]))})" if e.connection else ""
    cause = next((c for c in d.causes if c.leads), None)
    why = f"; {cause.status.value}: {cause.cause.id}" if cause is not None else ""
    after = f", {d.missing} is missing" if d.missing and not d.completed else ""
    text = (
        f"  {safe(e.source)}:{e.first_line}  {_MODES[e.mode]} {_who(e)}{name}: {d.outcome.value}{after}, "
        f"{_TUNNELS[d.tunnel]}{why}"
    )
    return text if len(text) <= layout.width or layout.detail < 0 else text[: layout.width - 1] + "…"


def _diagnosis(d: LogDiagnosis, layout: Layout) -> Iterator[str]:
    e = d.exchange
    where = f"{safe(e.source)}:{e.first_line}–{e.last_line}"
    title = wrapped(f"━━ Exchange {e.id}: {_MODES[e.mode]}, {_who(e)}, {where} ", layout, 3)
    title[-1] += " " + "━" * max(0, layout.width - len(title[-1]) - 1)
    for line in title:
        yield layout.paint(line, bold=True)
    verdict = d.outcome.value.upper()
    after = f" after {_last(e)}" if not d.completed and _last(e) else ""
    said = _states(d)
    lines = wrapped(f"{verdict}{after}; {_TUNNELS[d.tunnel]}{': ' if said else ''}{said}", layout)
    yield lines[0].replace(verdict, layout.paint(verdict, fg=OUTCOME_COLOURS[d.outcome], bold=True), 1)
    yield from lines[1:]
    yield from wrapped(f"{d.reason} (E1: {place(e, d.reason_lines)})", layout, 2, "  ")
    cause = next((c for c in d.causes if c.leads), None)
    if cause is not None:
        status = cause.status.value
        yield from wrapped(f"{status[0].upper()}{status[1:]}: {cause.cause.title}.", layout, 2, "  ")
    yield ""
    yield from _facts(e, layout)
    yield ""
    yield from _messages(e, layout)
    yield from _shown_evidence(d, layout)
    if d.causes:
        yield ""
        yield from _shown_causes(d, layout)
        yield from _checks(d, layout)


def _last(e: LogExchange) -> str:
    return next((m.name for m in reversed(e.messages) if m.name and m.name != "Informational"), "")


def _states(d: LogDiagnosis) -> str:
    e = d.exchange
    parts = []
    if d.states:
        role = f"{e.role}, " if e.role else ""
        parts.append(f"this end ({role}{e.local or 'the one that logs'}) is in {' or '.join(d.states)}")
    if d.peer_states and not d.completed:
        parts.append(f"the other in {' or '.join(d.peer_states)}")
    return ", ".join(parts)


def _facts(e: LogExchange, layout: Layout) -> Iterator[str]:
    if e.initiator_spi:
        answer = e.responder_spi.hex() if e.responder_spi else "none in the log"
        name = "SPIs" if e.mode == "ikev2" else "cookies"
        yield f"  {name:<9}  {e.initiator_spi.hex()} → {answer}"
    role = {"initiator": "began", "responder": "answered", "": "the log does not tell who began"}[e.role]
    make = PLATFORMS.get(e.platform, e.platform)
    yield from wrapped(f"  this end   {e.local or 'address not in the log'}  {make}, {role}", layout, 13)
    yield from wrapped(f"  peer       {e.peer or 'address not in the log'}", layout, 13)
    if e.connection:
        yield from wrapped(f"  called     {', '.join(map(safe, e.connection))}", layout, 13)
    if e.states:
        yield from wrapped(f"  states     {safe(', '.join(e.states[:12]))}", layout, 13)


def _stamp(when: str) -> str:
    stamp = last_stamp(when)
    return safe(stamp.text) if stamp is not None else ""


def _messages(e: LogExchange, layout: Layout) -> Iterator[str]:
    if not e.messages:
        yield "  The log tells of no message."
        return
    shown = e.messages if layout.detail > 0 else e.messages[:_SHOWN_MESSAGES]
    width = max((len(_stamp(m.when)) for m in shown), default=0)
    for message in shown:
        yield from wrapped(_message(message, width), layout, 13 + width)
    if len(e.messages) > len(shown):
        yield f"    and {len(e.messages) - len(shown)} more messages (-v shows all)"
    if e.uncounted:
        yield f"    and {e.uncounted} more lines, only counted"


def _message(message: LogMessage, width: int) -> str:
    arrow = "▶ sent" if message.direction == SENT else "◀ received"
    name = message.name or "a message that the log does not name"
    parts = []
    if message.payloads:
        parts.append(safe(", ".join(message.payloads)))
    if message.length is not None:
        parts.append(f"{message.length} octets")
    if message.message_id:
        parts.append(f"message ID {message.message_id:08x}")
    if message.again:
        verb = "sent again" if message.direction == SENT else "came again"
        parts.append(f"{verb} {message.again}×")
    detail = f": {', '.join(parts)}" if parts else ""
    return f"  {message.lines[0]:>7}  {_stamp(message.when):<{width}}  {arrow:<10} {name}{detail}"


def _shown_evidence(d: LogDiagnosis, layout: Layout) -> Iterator[str]:
    items = d.evidence[1:] if layout.detail > 0 else [i for i in d.evidence[1:] if _worth(i, d)]
    if not items:
        return
    yield ""
    yield layout.paint("  What the log says", bold=True)
    for item in items:
        times = f", {item.count} times" if item.count > 1 else ""
        text = f"{item.text} ({place(d.exchange, item.lines)}{times})"
        yield from wrapped(text, layout, 7, f"  {item.id:<4} ")
        if item.quote:
            quote = safe(" ".join(item.quote.split()))[:200]
            yield from wrapped(f"“{quote}”", layout, 9, "       ")


def _worth(item: LogEvidence, d: LogDiagnosis) -> bool:
    cited = {name for cause in d.causes for name in (*cause.because, *cause.against)}
    return item.id in cited or item.kind.startswith("log-again")


def _shown_causes(d: LogDiagnosis, layout: Layout) -> Iterator[str]:
    yield layout.paint("  What may be the cause", bold=True)
    shown = list(d.causes) if layout.detail > 0 else [c for c in d.causes if c.leads][:_SHOWN_CAUSES]
    for ranked in shown:
        word = ranked.status.value.replace("_", " ")
        head = f"{ranked.cause.title} [{ranked.cause.id}]{_document(ranked)}"
        lines = wrapped(head, layout, _INDENT, " " * _INDENT)
        yield f"  {layout.paint(f'{word:<13}', fg=STATUS_COLOURS[ranked.status])}{lines[0][_INDENT:]}"
        yield from lines[1:]
        yield from wrapped(f"{ranked.says}{_because(ranked)}", layout, _INDENT, " " * _INDENT)
        if ranked.because and ranked.against:
            text = f"Another line of the log speaks against it [{', '.join(ranked.against)}]."
            yield from wrapped(text, layout, _INDENT, " " * _INDENT)
    rest = [c for c in d.causes if c not in shown]
    for status in Status:
        names = [f"{c.cause.id}{_document(c)}{_because(c)}" for c in rest if c.status is status]
        if names:
            word = status.value.replace("_", " ")
            yield from wrapped(", ".join(names), layout, _INDENT, f"  {word:<13}")


def _document(ranked: RankedCause) -> str:
    if not ranked.document:
        return ""
    return f" ({', '.join(f'{state} #{item}' for state, item in ranked.document)})"


def _because(ranked: RankedCause) -> str:
    ids = ranked.because or ranked.against
    return f" [{', '.join(ids)}]" if ids else ""


def _checks(d: LogDiagnosis, layout: Layout) -> Iterator[str]:
    """What to look at on the device that logged, for the causes that lead."""
    e = d.exchange
    found: list[tuple[str, str | None, str | None]] = []
    for ranked in [c for c in d.causes if c.leads][:3]:
        for check in ranked.cause.checks_for(e.platform):
            if check.end in ("either", e.role) or not e.role:
                filled = check.fill(peer=e.peer or "<peer address>", local=e.local or "<local address>")
                row = (filled.do, filled.command, filled.expect)
                if row not in found:
                    found.append(row)
    if not found:
        return
    yield ""
    yield layout.paint(f"  What to check next, at {e.local or 'this end'}", bold=True)
    for number, (do, command, expect) in enumerate(found[: 30 if layout.detail > 0 else 5], 1):
        yield from wrapped(f"{do}.", layout, 5, f"  {number:>2} ")
        if command:
            yield layout.paint(f"       {safe(command)}", bold=True)
        if expect:
            yield from wrapped(f"→ {expect}", layout, 7, "     ")


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
