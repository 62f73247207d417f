"""What a watch tells, for programs: one JSON object a line. A contract: fields are added, never renamed.

Every object has "event" and "time" (Unix seconds). "verdict" has the exchange as the JSON report has it.
"""

from collections.abc import Sequence

from pcapdiag.capture.source import InterfaceCounts
from pcapdiag.findings import CaptureReport
from pcapdiag.live.events import Bounced, Event, Evicted, Notice, Seen, Summary, Unlisted, Verdict, Waiting
from pcapdiag.report.json_report import capture, exchange, message
from pcapdiag.report.json_text import Json, line, time

SCHEMA_VERSION = 1


def render(events: Sequence[Event], messages: bool = True) -> str:
    """A line for each event; messages -- whether those about single messages have one."""
    passing = (Seen, Bounced, Waiting, Unlisted)
    return "".join(line(_event(e)) for e in events if messages or not isinstance(e, passing))


def start(names: Sequence[str], now: int) -> str:
    """The first line."""
    return line({"event": "start", "time": time(now), "schema_version": SCHEMA_VERSION, "sources": list(names)})


def _event(event: Event) -> dict[str, Json]:
    if isinstance(event, Seen):
        return {
            "event": "message",
            "time": time(event.time),
            "exchange": event.exchange,
            "mode": event.mode,
            "frame": event.frame.number,
            "source": event.source,
            "source_port": event.source_port,
            "destination": event.destination,
            "destination_port": event.destination_port,
            "sent": event.times,
            "duplicate": event.duplicate,
            "message": message(event.step),
        }
    if isinstance(event, Bounced):
        return {
            "event": "icmp_error",
            "time": time(event.time),
            "exchange": event.exchange,
            "frame": event.error.frame.number,
            "from": event.error.source,
            "version": event.error.version,
            "type": event.error.type,
            "code": event.error.code,
        }
    if isinstance(event, Waiting):
        return _waiting(event)
    if isinstance(event, Verdict):
        return {
            "event": "verdict",
            "time": time(event.time),
            "before": event.before.value if event.before else None,
            "attempt": event.attempt,
            "settles_at": time(event.settles_at) if event.settles_at else None,
            "last": event.last,
            "exchange": exchange(event.diagnosis),
        }
    if isinstance(event, Unlisted):
        return {"event": "unlisted", "time": time(event.time), "messages": event.messages}
    if isinstance(event, Evicted):
        return {
            "event": "evicted",
            "time": time(event.time),
            "openings": event.openings,
            "exchanges": event.exchanges,
        }
    assert isinstance(event, Notice)
    return {"event": "notice", "time": time(event.time), "text": event.text}


def _waiting(event: Waiting) -> dict[str, Json]:
    pending = event.pending
    found: dict[str, Json] = {
        "event": "waiting",
        "time": time(event.time),
        "exchange": event.exchange.id,
        "initiator": event.exchange.initiator.address,
        "responder": event.exchange.responder.address,
        "missing": event.missing,
        "waits_for": event.waits_for.value if event.waits_for else None,
    }
    if pending is not None:
        found["repeated"] = pending.repeated.name
        found["sent"] = pending.outlook.sent
        found["due"] = time(pending.outlook.due)
        found["decided_at"] = time(pending.over_at)
        found["schedule"] = pending.outlook.schedule
        found["final"] = pending.outlook.final
    return found


def summary(found: Summary) -> str:
    """The last line."""
    totals = found.totals
    return line(
        {
            "event": "summary",
            "time": time(found.ended),
            "began": time(found.began),
            "reason": found.reason,
            "interfaces": [_interface(i) for i in found.interfaces],
            "capture": capture(CaptureReport(found.capture, found.counts.messages, found.counts.not_ike)),
            "unread": found.unread,
            "outcomes": dict(totals.outcomes),
            "evicted": {"openings": totals.evicted_openings, "exchanges": totals.evicted_exchanges},
            "unlisted": totals.unlisted,
            "all_completed": found.all_completed,
        }
    )


def _interface(counts: InterfaceCounts) -> dict[str, Json]:
    return {
        "name": counts.name,
        "received": counts.received,
        "dropped": counts.dropped,
        "interface_dropped": counts.interface_dropped,
        "taken": counts.taken,
    }
