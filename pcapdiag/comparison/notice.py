"""Whether captures that were analysed as one are of one failure, taken at several points."""

from pcapdiag.findings import Findings

_ENOUGH = 2
"""Packets that have to be in two captures: one may be chance."""
_APART = 50_000_000
"""Nanoseconds; a packet that is recorded twice at one point, in two files, is recorded within this time."""


def several_points(report: Findings) -> tuple[int, int] | None:
    """Two captures of the report, by their places from 0, that hold the same packets from two points; None for none.

    The same message with the same IP identification is one packet. At one point it has the same TTL, the same addresses
    and the same time, in whatever files it was recorded; at another point something of that differs.
    """
    met: dict[tuple[int, int], int] = {}
    for diagnosis in report.diagnoses:
        for step in diagnosis.exchange.steps:
            known: dict[int, tuple[int, int, int, str, str]] = {}
            for s in (*step.sent, *step.duplicates):
                if not s.ip_id:
                    continue
                here = (s.frame.capture, s.time, s.ttl, s.source, s.destination)
                before = known.setdefault(s.ip_id, here)
                differs = before[2:] != here[2:] or abs(before[1] - here[1]) > _APART
                if before[0] != here[0] and differs:
                    pair = (min(before[0], here[0]), max(before[0], here[0]))
                    met[pair] = met.get(pair, 0) + 1
    found = [pair for pair, count in met.items() if count >= _ENOUGH]
    return min(found) if found else None
