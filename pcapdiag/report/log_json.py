"""The report on logs as JSON. A contract: fields are added, never renamed.

Lines are numbers in the log that `source` names; `when` is what stood before a line, as it was written, and `stamp`
what of that is the device's own time. What is not ASCII is escaped, as in the report on captures.
"""

from collections.abc import Iterator, Sequence

from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.logs.attempts import LogExchange, LogMessage
from pcapdiag.logs.clock import Clock
from pcapdiag.logs.joining import JoinedLog
from pcapdiag.logs.judging import LogDiagnosis
from pcapdiag.logs.log import LogReport, LogSummary
from pcapdiag.logs.stamps import last_stamp
from pcapdiag.report.json_text import Json, line

SCHEMA_VERSION = 1


def render(report: LogReport) -> Iterator[str]:
    """One JSON document in pieces, an exchange a line."""
    head = line(
        {
            "schema_version": SCHEMA_VERSION,
            "logs": [_log(log) for log in report.logs],
            "errors": list(report.errors),
        }
    )
    yield head.rstrip("\n")[:-1] + ',"exchanges":['
    for place, diagnosis in enumerate(report.diagnoses):
        yield (",\n" if place else "\n") + line(_diagnosis(diagnosis)).rstrip("\n")
    yield "\n]}\n"


def beside_captures(logs: Sequence[JoinedLog]) -> Json:
    """What a report on captures says of the logs that were joined to them."""
    return [
        {
            "name": log.name,
            "address": log.address or None,
            "telling": log.telling,
            "problem": log.problem or None,
            "fault": log.fault or None,
            "clock": _clock(log.clock),
            "joined": [
                {
                    "line": line.number,
                    "exchange": line.exchange,
                    "frame": line.frame.number,
                    "capture": line.frame.capture,
                    "name": line.name,
                    "how": line.how,
                    "apart": f"{line.apart / 1e9:.9f}" if line.apart is not None else None,
                    "text": line.text,
                }
                for line in log.joined
            ],
            "exchanges": [
                {"log": d.exchange.id, "capture": exchange, "outcome": d.outcome.value, "tunnel": d.tunnel}
                for d, exchange in log.diagnoses
            ],
        }
        for log in logs
    ]


def _clock(clock: Clock | None) -> Json:
    if clock is None:
        return None
    return {
        "offset": f"{clock.offset / 1e9:.9f}",
        "low": f"{clock.low / 1e9:.9f}",
        "high": f"{clock.high / 1e9:.9f}",
        "zone": clock.zone,
        "pairs": clock.pairs,
        "exact": clock.exact,
        "given": clock.given,
    }


def _log(log: LogSummary) -> Json:
    return {
        "path": log.path,
        "name": log.name,
        "lines": log.lines,
        "octets": log.octets,
        "platforms": dict(log.platforms.items()),
        "known": log.known,
        "unknown": log.unknown,
        "other": log.other,
        "wrapped": log.wrapped,
        "cut": log.cut,
        "newest_first": log.newest_first,
        "kinds": [{"kind": k.kind, "first": k.first, "last": k.last, "count": k.count} for k in log.kinds],
        "unknown_lines": [
            {"platform": s.platform, "text": s.text, "line": s.number, "count": s.count} for s in log.shapes
        ],
        "unlisted": log.unlisted,
        "loose": log.loose,
        "dropped": log.dropped,
        "first_when": log.first_when,
        "last_when": log.last_when,
        "fault": log.fault or None,
    }


def _diagnosis(d: LogDiagnosis) -> dict[str, Json]:
    e = d.exchange
    return {
        "id": e.id,
        "source": e.source,
        "platform": e.platform,
        "mode": e.mode,
        "role": e.role or None,
        "local": _end(e.local, e.local_port),
        "peer": _end(e.peer, e.peer_port),
        "connection": list(e.connection),
        "initiator_spi": e.initiator_spi.hex() or None,
        "responder_spi": e.responder_spi.hex() or None,
        "outcome": d.outcome.value,
        "tunnel": {"state": d.tunnel, "lines": list(d.tunnel_lines)},
        "states": list(d.states),
        "peer_states": list(d.peer_states),
        "device_states": list(e.states),
        "refused_by": d.refused_by or None,
        "missing": d.missing or None,
        "reason": d.reason,
        "reason_lines": list(d.reason_lines),
        "first_line": e.first_line,
        "last_line": e.last_line,
        "first_when": e.first_when,
        "last_when": e.last_when,
        "messages": [_message(m) for m in e.messages],
        "uncounted": e.uncounted,
        "evidence": [
            {
                "id": i.id,
                "kind": i.kind,
                "text": i.text,
                "source": "log",
                "lines": list(i.lines),
                "cited": [f"{e.source}:{n}" for n in i.lines],
                "count": i.count,
                "quote": i.quote or None,
            }
            for i in d.evidence
        ],
        "causes": [_cause(c, e) for c in d.causes],
    }


def _end(address: str, port: int) -> Json:
    return {"address": address or None, "port": port or None}


def _message(message: LogMessage) -> Json:
    stamp = last_stamp(message.when)
    return {
        "name": message.name or None,
        "direction": message.direction,
        "lines": list(message.lines),
        "when": message.when,
        "stamp": stamp.text if stamp is not None else None,
        "payloads": list(message.payloads) if message.payloads is not None else None,
        "length": message.length,
        "message_id": message.message_id,
        "encrypted": message.sealed,
        "again": message.again,
    }


def _cause(ranked: RankedCause, e: LogExchange) -> Json:
    checks: list[Json] = []
    if ranked.leads:
        for check in ranked.cause.checks_for(e.platform):
            if check.end in ("either", e.role) or not e.role:
                filled = check.fill(peer=e.peer or "{peer}", local=e.local or "{local}")
                checks.append({"do": filled.do, "command": filled.command, "expect": filled.expect, "at": "self"})
    return {
        "id": ranked.cause.id,
        "title": ranked.cause.title,
        "status": ranked.status.value,
        "says": ranked.says,
        "because": list(ranked.because),
        "against": list(ranked.against),
        "document": [{"state": state, "item": item} for state, item in ranked.document],
        "checks": checks,
    }
