"""The JSON report. A contract: fields are added, never renamed.

Times are Unix seconds as decimal numbers with nine places, so that no digit of the capture's own resolution is lost;
what is not ASCII is escaped, so that no file name and no identity does anything to a terminal; frame numbers are those
of Wireshark for that file. Checks stand at the causes that are possible or better, with the commands of the platforms
that the ends show themselves to be, or, where that is not known, of each that is possible in `by_platform`;
`pcapdiag explain --json CAUSE` has all of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.causes.checks import PlacedCheck, checks_by_cause
from pcapdiag.diagnosis.causes.platforms import Basis, Platform
from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.diagnosis.evidence.case import Evidence
from pcapdiag.diagnosis.evidence.gather import exchange_filter
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Folded, Peer, Side, Step
from pcapdiag.findings import CaptureReport, Findings
from pcapdiag.ike.payloads import Identification, Notification, Proposal, Transform
from pcapdiag.report.json_text import Json, encoded, time
from pcapdiag.report.wording import payload_details, transform_text

if TYPE_CHECKING:
    from pcapdiag.knowledge.records import Check
    from pcapdiag.logs.joining import JoinedLog

SCHEMA_VERSION = 1


def render(report: Findings, beside: "Sequence[JoinedLog]" = ()) -> Iterator[str]:
    """One JSON document in pieces, an exchange a line, so that a report of a flood need not fit into memory twice.

    beside -- logs that were joined to the captures
    """
    logs: dict[str, Json] = {}
    if beside:
        from pcapdiag.report.log_json import beside_captures

        logs["logs"] = beside_captures(beside)
    head = encoded(
        {
            **logs,
            "schema_version": SCHEMA_VERSION,
            "captures": [_capture(c) for c in report.captures],
            "errors": list(report.errors),
            "dropped": {
                "evicted_exchanges": sum(f.exchanges for f in report.folded),
                "evicted_messages": sum(f.messages for f in report.folded) + report.counts.after_folding,
                "icmp_errors_unmatched": report.counts.icmp_unmatched,
            },
            "folded": [_folded(f) for f in report.folded],
        }
    )
    yield head[:-1] + ',"exchanges":['
    several = len(report.captures) > 1
    for place, diagnosis in enumerate(report.diagnoses):
        yield (",\n" if place else "\n") + encoded(_exchange(diagnosis, several))
    yield "\n]}\n"


def exchange(diagnosis: Diagnosis, *, several: bool = False) -> dict[str, Json]:
    """All that is said of one exchange; `several`: its frames are of more than one capture, and say which."""
    return _exchange(diagnosis, several)


def message(step: Step) -> dict[str, Json]:
    """One message of an exchange, with all its transmissions so far."""
    return _message(step, several=False)


def capture(found: CaptureReport) -> dict[str, Json]:
    """What a capture held."""
    return _capture(found)


def _capture(capture: CaptureReport) -> dict[str, Json]:
    s = capture.summary
    return {
        "path": s.path,
        "format": s.format,
        "frames": s.frames,
        "ike_messages": capture.ike_messages,
        "not_ike": capture.not_ike,
        "icmp_errors": s.icmp_errors,
        "ip_fragments": s.ip_fragments,
        "nat_keepalives": s.nat_keepalives,
        "esp": s.esp,
        "other": s.other,
        "unreadable": s.unreadable,
        "snapped": s.snapped,
        "first_time": time(s.first_time),
        "last_time": time(s.last_time),
        "truncated": s.truncated,
        "warnings": list(s.warnings),
        "protocols": dict(s.protocols.items()),
        "esp_flows": [
            {
                "protocol": f.protocol,
                "source": f.source,
                "source_port": f.source_port,
                "destination": f.destination,
                "destination_port": f.destination_port,
                "spi": f"{f.spi:08x}",
                "packets": f.packets,
                "first_frame": f.first_frame.number,
                "last_frame": f.last_frame.number,
                "first_time": time(f.first_time),
                "last_time": time(f.last_time),
            }
            for f in s.esp_flows
        ],
        "unanswered_arp": [
            {
                "asker": one.asker,
                "address": one.address,
                "requests": one.requests,
                "first_frame": one.first_frame.number,
                "last_frame": one.last_frame.number,
                "first_time": time(one.first_time),
                "last_time": time(one.last_time),
            }
            for one in s.unanswered
        ],
    }


def _folded(folded: Folded) -> dict[str, Json]:
    return {
        "initiator": folded.initiator,
        "responder": folded.responder,
        "mode": folded.mode.value,
        "last_message": folded.last_message,
        "outcome": folded.outcome,
        "exchanges": folded.exchanges,
        "messages": folded.messages,
        "first_frame": folded.first_frame.number,
        "last_frame": folded.last_frame.number,
        "first_time": time(folded.first_time),
        "last_time": time(folded.last_time),
    }


def _exchange(diagnosis: Diagnosis, several: bool) -> dict[str, Json]:
    e, stop = diagnosis.exchange, diagnosis.stop
    checks = checks_by_cause(diagnosis)
    return {
        "id": e.id,
        "conversation": " ".join(e.conversation),
        "mode": e.mode.value,
        "initiator": _peer(diagnosis.platform(Side.INITIATOR), e.initiator),
        "responder": _peer(diagnosis.platform(Side.RESPONDER), e.responder),
        "roles_certain": e.roles_certain,
        "initiator_spi": e.initiator_spi.hex(),
        "responder_spi": e.responder_spi.hex() if e.responder_spi else None,
        "other_responder_spis": [s.hex() for s in e.other_responder_spis],
        "outcome": stop.outcome.value,
        "outcome_alone": (stop.before or stop.outcome).value,
        "superseded_by": stop.superseded_by,
        "last_message": e.last_message,
        "missing": stop.missing,
        "waits_for": stop.waits_for.value if stop.waits_for else None,
        "refused_by": stop.refused_by.value if stop.refused_by else None,
        "reason": stop.reason,
        "reason_frames": _frames(stop.frames),
        "first_time": time(e.first_time),
        "last_time": time(e.last_time),
        "initiator_state": list(stop.initiator_state),
        "responder_state": list(stop.responder_state),
        "offered": _offered(diagnosis.offered),
        "chosen": _chosen(diagnosis.chosen),
        "messages": [_message(s, several) for s in e.steps],
        "uncounted": e.uncounted,
        "icmp_errors": [
            {"frame": i.frame.number, "from": i.source, "version": i.version, "type": i.type, "code": i.code}
            for i in e.icmp_errors
        ],
        "evidence": [_evidence(i) for i in diagnosis.evidence],
        "causes": [_cause(c, checks.get(c.cause.id, [])) for c in diagnosis.causes],
        "request": diagnosis.request,
        "display_filter": exchange_filter(e),
        "tunnel": {
            "state": diagnosis.tunnel.state.value,
            "text": diagnosis.tunnel.text,
            "frames": _frames(diagnosis.tunnel.frames),
        },
        "phase2": [
            {
                "name": p.name,
                "message_id": p.message_id,
                "outcome": p.outcome.value,
                "began_by": p.began_by.value,
                "last_message": p.last_message,
                "reason": p.reason,
                "frames": _frames(p.frames),
            }
            for p in diagnosis.phase2
        ],
    }


def _evidence(item: Evidence) -> Json:
    found: dict[str, Json] = {
        "id": item.id,
        "kind": item.kind,
        "text": item.text,
        "frames": _frames(item.frames),
        "filter": item.display_filter,
    }
    if item.source != "wire":
        found["source"] = item.source
        found["lines"] = list(item.lines)
    return found


def _cause(ranked: RankedCause, checks: Sequence[PlacedCheck]) -> dict[str, Json]:
    return {
        "id": ranked.cause.id,
        "title": ranked.cause.title,
        "status": ranked.status.value,
        "says": ranked.says,
        "because": list(ranked.because),
        "against": list(ranked.against),
        "document": [{"state": state, "item": item} for state, item in ranked.document],
        "checks": [_check(p) for p in checks],
    }


def _check(placed: PlacedCheck) -> dict[str, Json]:
    return {
        "cause": placed.cause,
        "at": placed.at,
        "end": placed.side.value if placed.side else "path",
        "platform": placed.check.platform,
        "do": placed.check.do,
        "command": placed.check.command,
        "expect": placed.check.expect,
        **_command(placed.check),
        "by_platform": [
            {"platform": c.platform, "do": c.do, "command": c.command, "expect": c.expect, **_command(c)}
            for c in placed.by_platform
        ],
    }


def _command(check: "Check") -> dict[str, Json]:
    """What a command does, for which software and version of IKE, what comes before it, what ends it, its source."""
    return {
        "does": check.does,
        "ike": check.ike,
        "software": check.software,
        "first": list(check.first),
        "undo": list(check.undo),
        "source": check.source,
    }


def _peer(end: Platform, peer: Peer) -> dict[str, Json]:
    return {
        "platforms": list(end.possible) if end.basis is not Basis.NONE else [],
        "platform_basis": end.basis.value,
        "mine": end.mine,
        "address": peer.address,
        "port": peer.port,
        "vendors": list(peer.vendors),
        "aliases": list(peer.aliases),
        "identities": list(peer.identities),
    }


def _message(step: Step, several: bool) -> dict[str, Json]:
    message, sent = step.message, step.sent
    header, first = message.header, sent[0]
    payloads = step.payloads if step.opened is not None else message.payloads
    times: list[Json] = [time(s.time) for s in sent]
    found: dict[str, Json] = {
        "name": step.name,
        "from": step.sender,
        "frames": [f.number for f in step.frames],
        "time": times[0],
        "times": times,
        "source": first.source,
        "source_port": first.source_port,
        "destination": first.destination,
        "destination_port": first.destination_port,
        "exchange_type": header.exchange_type,
        "message_id": header.message_id,
        "flags": header.flags,
        "length": header.length,
        "payloads": [_label(p.type) for p in payloads],
        "encrypted": header.encrypted,
        "decrypted": step.opened is not None,
        "notifies": [p.notify_type.name for p in payloads if isinstance(p, Notification)],
        "vendor_ids": [f"{v.name} {v.version}" if v.version else v.name for v in message.vendor_ids],
        "retransmissions": len(sent) - 1 + step.uncounted,
        "duplicate_frames": _frames(f for d in step.duplicates for f in d.frames) if step.duplicates else [],
        "missing_fragments": list(step.missing),
        "whole": step.whole,
        "problem": message.problem,
    }
    if step.opened is not None:
        found["proven"] = step.opened.proven
        found["identities"] = [
            {"type": p.id_type.label, "text": p.text, "protocol": p.protocol, "port": p.port}
            for p in step.payloads
            if isinstance(p, Identification)
        ]
        found["details"] = list(payload_details(step))
    elif step.unopened is not None:
        found["not_decrypted"] = step.unopened.reason
    if several:
        found["captures"] = [f.capture for f in step.frames]
    return found


_label = cache(lambda kind: kind.label)
"""What the registry calls a payload type: these are octets."""

_KEPT: dict[int, tuple[tuple[Proposal, ...], msgspec.Raw]] = {}
MOST_KEPT = 512
"""Offers that are kept as they are written: peers send the same ones each time, and these are decoded once."""


def _offered(proposals: tuple[Proposal, ...]) -> msgspec.Raw:
    """The proposals, written out. They are told by their identity: to compare them takes as long as to write them."""
    kept = _KEPT.get(id(proposals))
    if kept is not None and kept[0] is proposals:
        return kept[1]
    if len(_KEPT) >= MOST_KEPT:
        _KEPT.clear()
    written = msgspec.Raw(msgspec.json.encode([_proposal(p) for p in proposals]))
    _KEPT[id(proposals)] = (proposals, written)
    return written


def _proposal(proposal: Proposal) -> dict[str, Json]:
    return {
        "number": proposal.number,
        "protocol": proposal.protocol.label,
        "transforms": [_transform(t) for t in proposal.transforms],
    }


def _chosen(transforms: tuple[Transform, ...]) -> dict[str, Json] | None:
    """The one transform of IKEv1; of IKEv2 the suite, with its transforms by type."""
    if not transforms:
        return None
    if transforms[0].kind is None:
        return _transform(transforms[0])
    text = ", ".join(transform_text(t) for t in transforms)
    return {"text": text, "transforms": [_transform(t) for t in transforms]}


def _transform(transform: Transform) -> dict[str, Json]:
    return {
        "number": transform.number,
        "type": transform.kind.label if transform.kind is not None else None,
        "id": int(transform.id),
        "text": transform_text(transform),
        "attributes": {a.type.name: a.text for a in transform.attributes},
    }


def _frames(frames: Iterable[Frame]) -> list[Json]:
    return [f.number for f in frames]
