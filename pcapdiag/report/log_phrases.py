"""What is said of an exchange that a log tells of, in sentences that text, HTML and Markdown share."""

from collections.abc import Iterator, Sequence

from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.knowledge.records import Check
from pcapdiag.logs.attempts import LogExchange, LogMessage
from pcapdiag.logs.judging import LogDiagnosis, LogEvidence
from pcapdiag.logs.line import SENT
from pcapdiag.logs.log import LogSummary
from pcapdiag.logs.stamps import last_stamp
from pcapdiag.report.phrases import within
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
    "juniper": "Juniper SRX",
    "azure": "Azure VPN gateway",
    "aws": "AWS VPN",
}
MODES = {"main": "Main Mode", "aggressive": "Aggressive Mode", "ikev2": "IKEv2", "unknown": "IKE"}
TUNNELS = {
    "up": "the tunnel is up",
    "no-child": "phase 1 is up, and no tunnel: phase 2 failed",
    "lost": "the tunnel was lost",
    "down": "no tunnel",
    "unknown": "the log does not tell whether a tunnel followed",
}


def place(exchange: LogExchange, lines: Sequence[int], most: int = 4) -> str:
    """`asa.log:120`, `asa.log:120, 131 and 4 more`."""
    shown = ", ".join(map(str, lines[:most]))
    more = f" and {len(lines) - most} more" if len(lines) > most else ""
    return f"{safe(exchange.source)}:{shown}{more}"


def alike(d: LogDiagnosis) -> tuple[object, ...]:
    """What exchanges share that are told once."""
    leading = next((c.cause.id for c in d.causes if c.leads), "")
    e = d.exchange
    return e.source, e.platform, e.peer, e.mode, e.role, d.outcome, d.tunnel, d.states, d.missing, leading


def who(e: LogExchange) -> str:
    """Both ends, and which of them began."""
    here = e.local or "this end"
    there = e.peer or "an address that the log does not tell"
    arrow = "→" if e.role == "initiator" else "←" if e.role == "responder" else "–"
    return f"{here} {arrow} {there}"


def last_message(e: LogExchange) -> str:
    """The last message that the log names; empty where it names none."""
    return next((m.name for m in reversed(e.messages) if m.name and m.name != "Informational"), "")


def states(d: LogDiagnosis) -> str:
    """The states of both ends, as far as the log tells."""
    e = d.exchange
    parts = []
    if d.states:
        role = f"{e.role}, " if e.role else ""
        parts.append(f"this end ({role}{e.local or 'the one that logs'}) is in {' or '.join(d.states)}")
    if d.peer_states and not d.completed:
        parts.append(f"the other in {' or '.join(d.peer_states)}")
    return ", ".join(parts)


def stamp_text(when: str) -> str:
    """The time of a line, as the device wrote it."""
    stamp = last_stamp(when)
    return safe(stamp.text) if stamp is not None else ""


def worth(item: LogEvidence, d: LogDiagnosis) -> bool:
    """Worth a line: a cause rests on it, or it tells who repeats."""
    cited = {name for cause in d.causes for name in (*cause.because, *cause.against)}
    return item.id in cited or item.kind.startswith("log-again")


def document(ranked: RankedCause) -> str:
    """Where the source document lists a cause: ` (MM_WAIT_MSG6 #1)`."""
    if not ranked.document:
        return ""
    return f" ({', '.join(f'{state} #{item}' for state, item in ranked.document)})"


def log_line(log: LogSummary) -> str:
    """One log, and what it held."""
    makes = ", ".join(PLATFORMS.get(name, name) for name in log.platforms) or "no format that is known"
    total = sum(log.platforms.values())
    kinds = f", {len(log.kinds)} kinds" if log.kinds else ""
    text = f"{safe(log.name)}: {log.lines} lines; {makes}, {total} lines{kinds}"
    extra = [
        f"{count} {what}"
        for count, what in (
            (log.unknown, "not in the table"),
            (log.other, "of nothing known"),
            (log.wrapped, "joined to the one before"),
            (log.cut, "too long and cut"),
        )
        if count
    ]
    if log.newest_first:
        extra.append("newest first, read from its end")
    if log.fault:
        extra.append(f"not read to its end: {safe(log.fault)}")
    if log.dropped:
        extra.append(f"{log.dropped} exchanges beyond the limit")
    return text + (f" ({', '.join(extra)})" if extra else "")


def summary(diagnoses: Sequence[LogDiagnosis]) -> str:
    """How many exchanges there are, with how many peers, and how they ended."""
    counts: dict[str, int] = {}
    for d in diagnoses:
        counts[d.outcome.value] = counts.get(d.outcome.value, 0) + 1
    parts = ", ".join(f"{n} {name}" for name, n in sorted(counts.items(), key=lambda item: -item[1]))
    peers = len({(d.exchange.source, d.exchange.peer) for d in diagnoses})
    several = "s" * (len(diagnoses) > 1)
    return f"{len(diagnoses)} exchange{several} with {peers} peer{'s' * (peers > 1)}: {parts}"


def title(e: LogExchange) -> str:
    """The heading of an exchange."""
    return f"Exchange {e.id}: {MODES[e.mode]}, {who(e)}, {safe(e.source)}:{e.first_line}–{e.last_line}"


def one_line(d: LogDiagnosis) -> str:
    """An exchange in one line that can be pasted into a ticket."""
    e = d.exchange
    name = f" ({', '.join(map(safe, e.connection[:2]))})" if e.connection else ""
    cause = next((c for c in d.causes if c.leads), None)
    why = f"; {cause.status.value}: {cause.cause.id}" if cause is not None else ""
    after = f", {d.missing} is missing" if d.missing and not d.completed else ""
    return (
        f"{safe(e.source)}:{e.first_line}  {MODES[e.mode]} {who(e)}{name}: {d.outcome.value}{after}, "
        f"{TUNNELS[d.tunnel]}{why}"
    )


def verdict(d: LogDiagnosis) -> str:
    """What stands behind the outcome: after which message, the tunnel, the states."""
    last = last_message(d.exchange)
    after = f" after {last}" if not d.completed and last else ""
    said = states(d)
    return f"{after}; {TUNNELS[d.tunnel]}{': ' if said else ''}{said}"


def leading_cause(d: LogDiagnosis) -> str:
    """The cause that stands first, as a sentence; empty where nothing speaks for one."""
    cause = next((c for c in d.causes if c.leads), None)
    if cause is None:
        return ""
    status = cause.status.value
    return f"{status[0].upper()}{status[1:]}: {within(cause.cause.title)}."


def facts(e: LogExchange) -> Iterator[tuple[str, str]]:
    """The ends: what each is called, and what is known of it."""
    if e.initiator_spi:
        answer = e.responder_spi.hex() if e.responder_spi else "none in the log"
        yield "SPIs" if e.mode == "ikev2" else "cookies", f"{e.initiator_spi.hex()} → {answer}"
    role = {"initiator": "began", "responder": "answered", "": "the log does not tell who began"}[e.role]
    make = PLATFORMS.get(e.platform, e.platform)
    yield "this end", f"{e.local or 'address not in the log'}  {make}, {role}"
    yield "peer", e.peer or "address not in the log"
    if e.connection:
        yield "called", ", ".join(map(safe, e.connection))
    if e.states:
        yield "states", safe(", ".join(e.states[:12]))


def message_text(message: LogMessage) -> str:
    """A message that was sent or received: its name, payloads, length, how often."""
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
    return f"{arrow:<10} {name}{detail}"


def quoted(item: LogEvidence) -> str:
    """The line that says it, as the device wrote it; empty where there is none."""
    return safe(" ".join(item.quote.split()))[:200]


def checks(d: LogDiagnosis) -> list[Check]:
    """What to look at on the device that logged, for the causes that lead, with the addresses in their places."""
    e = d.exchange
    versions = {"ikev2": (None, 2), "unknown": (None, 1, 2)}.get(e.mode, (None, 1))
    found: list[Check] = []
    for ranked in [c for c in d.causes if c.leads][:3]:
        for check in ranked.cause.checks_for(e.platform):
            if check.ike in versions and (check.end in ("either", e.role) or not e.role):
                filled = check.fill(peer=e.peer or "<peer address>", local=e.local or "<local address>")
                if all((c.do, c.command, c.expect) != (filled.do, filled.command, filled.expect) for c in found):
                    found.append(filled)
    return found
