"""The JSON of a comparison: that of `analyze`, with the clock of each capture and the fate of each transmission.

A contract as well: fields are added, never renamed. `captures` has one row for each point, `frames` of a transmission
one list for each point, in the order of the command line. Times are those of the first point's clock.
"""

from collections.abc import Iterator

import msgspec

from pcapdiag.capture.datagram import Frame
from pcapdiag.comparison.clocks import Clock
from pcapdiag.comparison.fates import Passage, Transmission
from pcapdiag.comparison.results import Compared, PointReport
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.report import json_report
from pcapdiag.report.json_report import SCHEMA_VERSION
from pcapdiag.report.json_text import Json, line, time


def render(comparison: Compared) -> Iterator[str]:
    """One JSON document in pieces, an exchange a line."""
    report = comparison.report
    head = line(
        {
            "schema_version": SCHEMA_VERSION,
            "captures": [_point(p) for p in comparison.points],
            "errors": list(report.errors),
            "gaps": [
                {
                    "point": comparison.points[g.point].letter,
                    "path": [comparison.points[p].letter for p in g.path],
                    "one_direction": g.whole_direction,
                    **_frames(g.frames),
                }
                for g in comparison.gaps
            ],
            "changes": [
                {
                    "from": comparison.points[c.first].letter,
                    "to": comparison.points[c.then].letter,
                    "kind": c.kind,
                    "before": c.before,
                    "after": c.after,
                    "packets": c.packets,
                    **_frames(c.frames),
                }
                for c in comparison.changes
            ],
            "esp": [
                {
                    "spi": f"{e.spi:08x}",
                    "source": e.source,
                    "destination": e.destination,
                    "from": comparison.points[e.first].letter,
                    "to": comparison.points[e.then].letter,
                    "sent": e.sent,
                    "came": e.came,
                    "lost": e.lost,
                    "not_captured": e.missed,
                }
                for e in comparison.esp
            ],
        }
    )
    yield head.rstrip("\n")[:-1] + ',"exchanges":['
    for place, diagnosis in enumerate(comparison.diagnoses):
        yield (",\n" if place else "\n") + line(_exchange(comparison, diagnosis)).rstrip("\n")
    yield "\n]}\n"


def _point(point: PointReport) -> dict[str, Json]:
    first = point.captures[0]
    found = json_report.capture(first)
    if len(point.captures) > 1:
        found["files"] = [json_report.capture(c) for c in point.captures]
        for name in ("frames", "ike_messages", "not_ike", "icmp_errors", "ip_fragments", "nat_keepalives", "esp"):
            rows = [json_report.capture(c)[name] for c in point.captures]
            found[name] = sum(r for r in rows if isinstance(r, int))
    found["point"] = point.letter
    found["clock"] = _clock(point.clock)
    found["packets"] = point.packets
    found["packets_in_common"] = point.common
    found["dropped"] = sum(c.summary.dropped for c in point.captures)
    found["filters"] = list(dict.fromkeys(f for c in point.captures for f in c.summary.filters))
    return found


def _clock(clock: Clock | None) -> dict[str, Json] | None:
    if clock is None:
        return None
    return {
        "offset": time(clock.offset),
        "drift": msgspec.Raw(f"{clock.drift:.3f}".encode()),
        "drift_uncertainty": msgspec.Raw(f"{clock.drift_uncertainty:.3f}".encode())
        if clock.drift_uncertainty is not None
        else None,
        "uncertainty": time(clock.uncertainty),
        "pairs": clock.pairs,
        "forward": clock.forward,
        "backward": clock.backward,
        "one_direction": bool(clock.pairs) and clock.one_way,
        "jumps": [{"before": time(j.before), "after": time(j.after), "change": time(j.change)} for j in clock.jumps],
    }


def _exchange(comparison: Compared, diagnosis: Diagnosis) -> dict[str, Json]:
    found = json_report.exchange(diagnosis, several=True)
    messages = found["messages"]
    assert isinstance(messages, list)
    for place, message in enumerate(messages):
        assert isinstance(message, dict)
        message["transmissions"] = [_transmission(comparison, t) for t in comparison.sent(diagnosis.exchange, place)]
    evidence = found["evidence"]
    assert isinstance(evidence, list)
    for row, item in zip(evidence, diagnosis.evidence, strict=True):
        assert isinstance(row, dict)
        row["captures"] = [_place(comparison, f) for f in item.frames]
    return found


def _transmission(comparison: Compared, sent: Transmission) -> dict[str, Json]:
    letters = [p.letter for p in comparison.points]
    return {
        "frames": [[f.number for f in p.frames] for p in sent.passages],
        "lost": sent.lost,
        "proven": sent.proven,
        "fate": sent.fate.value,
        "lost_after": letters[sent.lost_after] if sent.lost_after is not None else None,
        "lost_before": letters[sent.lost_before] if sent.lost_before is not None else None,
        "why": sent.why,
        "path": [letters[p] for p in sent.path],
        "times": [time(p.time) for p in sent.passages],
        "delay": time(sent.delay),
        "size": sent.size,
        "port": sent.port,
        "fragmented": sent.fragmented,
        "altered": sent.altered,
        "points": [_passage(p) for p in sent.passages],
    }


def _passage(passage: Passage) -> dict[str, Json] | None:
    if not passage.frames:
        return {"partly": [f.number for f in passage.partly]} if passage.partly else None
    return {
        "source": passage.source,
        "source_port": passage.source_port,
        "destination": passage.destination,
        "destination_port": passage.destination_port,
        "ttl": passage.ttl,
        "ip_id": passage.ip_id,
        "dscp": passage.tos >> 2 if passage.tos is not None else None,
        "df": passage.unfragmented,
        "own_time": time(passage.own_time),
        "duplicates": [f.number for f in passage.duplicates],
    }


def _frames(frames: tuple[Frame, ...]) -> dict[str, Json]:
    return {"frames": [f.number for f in frames], "captures": [f.capture for f in frames]}


def _place(comparison: Compared, frame: Frame) -> int:
    """The point that a frame is of, by its place on the command line."""
    return max(n for n, p in enumerate(comparison.points) if p.first_file <= frame.capture)
