"""A stream as NDJSON: an object an exchange, as the JSON report has it, and the summary last. A contract: fields are
added, never renamed.

Of an exchange that is told more than once, what is told last holds: `revision` counts, `corrects` names what of the
verdict is another one.
"""

from collections.abc import Mapping, Sequence

from pcapdiag.exchange.tracker import TrackerCounts
from pcapdiag.findings import CaptureReport
from pcapdiag.report.json_report import capture, exchange
from pcapdiag.report.json_text import Json, line
from pcapdiag.streaming.told import Told

SCHEMA_VERSION = 1
MAX_PEERS = 10_000
"""Peers that the summary names; those with the most exchanges that did not complete."""


def told_line(told: Told, *, several: bool) -> str:
    """One exchange; several -- there is more than one capture, and frames say of which they are."""
    found = exchange(told.diagnosis, several=several)
    found["revision"] = told.revision
    found["corrects"] = list(told.corrects)
    return line(found)


def summary_line(
    captures: Sequence[CaptureReport],
    errors: Sequence[str],
    counts: TrackerCounts,
    peers: Mapping[tuple[str, str], Mapping[str, int]],
    others: Mapping[str, int],
) -> str:
    """The last line: what was read, and how all exchanges ended, by their peers; others -- of those not named."""
    ranked = sorted(peers.items(), key=lambda row: (-_unfinished(row[1]), row[0]))
    totals: dict[str, int] = dict(others)
    for _, outcomes in ranked:
        _add(totals, outcomes)
    rest: dict[str, int] = dict(others)
    for _, outcomes in ranked[MAX_PEERS:]:
        _add(rest, outcomes)
    named: list[Json] = [
        {"conversation": " ".join(pair), "exchanges": sum(outcomes.values()), "outcomes": _sorted(outcomes)}
        for pair, outcomes in ranked[:MAX_PEERS]
    ]
    return line(
        {
            "summary": {
                "schema_version": SCHEMA_VERSION,
                "captures": [capture(c) for c in captures],
                "errors": list(errors),
                "ike_messages": counts.messages,
                "not_ike": counts.not_ike,
                "icmp_errors_unmatched": counts.icmp_unmatched,
                "exchanges": sum(totals.values()),
                "outcomes": _sorted(totals),
                "peers": named,
                "other_peers": _sorted(rest),
            }
        }
    )


def _unfinished(outcomes: Mapping[str, int]) -> int:
    return sum(count for outcome, count in outcomes.items() if outcome not in ("completed", "partial"))


def _add(totals: dict[str, int], outcomes: Mapping[str, int]) -> None:
    for outcome, count in outcomes.items():
        totals[outcome] = totals.get(outcome, 0) + count


def _sorted(outcomes: Mapping[str, int]) -> dict[str, Json]:
    return {outcome: outcomes[outcome] for outcome in sorted(outcomes) if outcomes[outcome]}
