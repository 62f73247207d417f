"""Public captures of many makes, read by hand beside Wireshark: what the report must say of each.

`third_party.json` says it. Every row is an exchange, found by its first frame; only what a row says is asked, for what
the wire does not decide nobody can ask. The captures themselves are others' and lie beside the checkout.

    exit            -- the exit statuses that are right; exchanges -- how many exchanges there are
    mode, outcome   -- any of these
    initiator, responder -- the addresses of the two ends
    initiator_state, responder_state -- the states that are possible: the report names some of them, and no other
    first_cause     -- the cause that stands first is one of these
    never           -- causes that are neither likely nor confirmed; "@any" is every cause
    resent          -- how many transmissions repeat an earlier one
    says, says_not  -- patterns that the report of the exchange (or, outside the rows, the whole one) holds, or does not
    optional        -- to see no exchange in it is right as well
    causeless       -- it failed, and no cause has to stand for that
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import pcapdiag
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Mode
from pcapdiag.knowledge.records import Status
from pcapdiag.pipeline import Report
from pcapdiag.report.terminal import text
from pcapdiag.report.terminal.layout import Layout
from pcapdiag.report.terminal.nothing import nothing_found
from tests import SHARED

Row = dict[str, Any]

THIRD_PARTY = SHARED / "third-party"
TABLE: Row = json.loads(Path(__file__).with_name("third_party.json").read_text(encoding="utf-8"))
CAPTURES: dict[str, Row] = TABLE["captures"]
SUFFIXES = (".pcap", ".pcapng", ".cap")

OF_IKEV1 = re.compile(r"\bcookies\b|[Mm]essages? [1-6]\b|\bikev1\b|Main Mode|Quick Mode|crypto isakmp|isakmp keepalive")
"""Words that only IKEv1 has, and commands that show or change nothing of IKEv2."""

pytestmark = pytest.mark.skipif(not THIRD_PARTY.is_dir(), reason="needs the public captures beside the checkout")


@cache
def read(name: str) -> tuple[Report, str]:
    """The report of a capture: as records, and as the text that a person reads, its spaces and lines folded."""
    report = pcapdiag.analyze(THIRD_PARTY / name)
    shown = text.render(report, Layout(200)) if report.diagnoses else "\n".join(nothing_found(report, None, None))
    return report, shown


def folded(shown: str) -> str:
    return " ".join(shown.split())


def section(report: Report, shown: str, diagnosis: Diagnosis) -> str:
    """What is said of one exchange: its part of the text, and what its records say where that part is left out."""
    parts = re.split(r"(?m)^━━ Exchange (\d+):", shown)
    numbered = dict(zip(parts[1::2], parts[2::2], strict=True))
    said = [numbered.get(str(diagnosis.exchange.id), ""), diagnosis.stop.reason]
    said += [e.text for e in diagnosis.evidence] + [c.says for c in diagnosis.causes if c.leads]
    return folded(" ".join(said))


def exit_status(report: Report) -> int:
    if not report.diagnoses:
        return 3 if report.errors else 4
    return 0 if report.all_completed else 1


def holding(report: Report, frame: int) -> Diagnosis | None:
    """The exchange that holds this frame."""
    return next(
        (d for d in report.diagnoses if any(f.number == frame for s in d.exchange.steps for f in s.frames)), None
    )


def wrong(row: Row, report: Report, shown: str) -> Iterator[str]:
    """What of a row does not hold."""
    name = f"frame {row['first_frame']}"
    found = holding(report, row["first_frame"])
    if found is None:
        if not row.get("optional"):
            yield f"{name}: no exchange holds it"
        return
    exchange, stop = found.exchange, found.stop
    if exchange.initiator_spi.hex() != row["initiator_spi"]:
        yield f"{name}: initiator SPI {exchange.initiator_spi.hex()}, not {row['initiator_spi']}"
    if exchange.mode not in row["mode"]:
        yield f"{name}: mode {exchange.mode}, not {' or '.join(row['mode'])}"
    if stop.outcome not in row["outcome"]:
        yield f"{name}: {stop.outcome}, not {' or '.join(row['outcome'])}"
    ends = exchange.initiator.address, exchange.responder.address
    if "initiator" in row and ends != (row["initiator"], row["responder"]):
        yield f"{name}: {' → '.join(ends)}, not {row['initiator']} → {row['responder']}"
    for end, states in (("initiator_state", stop.initiator_state), ("responder_state", stop.responder_state)):
        if end in row and (not states or not set(states) <= set(row[end])):
            yield f"{name}: {end} {' or '.join(states) or 'none'}, not {' or '.join(row[end])}"
    yield from _wrong_causes(row, found, name)
    again = sum(len(s.sent) - 1 for s in exchange.steps)
    if "resent" in row and again != row["resent"]:
        yield f"{name}: {again} transmissions are taken for retransmissions, not {row['resent']}"
    yield from _wrong_words(row, section(report, shown, found), name)


def _wrong_causes(row: Row, found: Diagnosis, name: str) -> Iterator[str]:
    standing = [c.cause.id for c in found.causes if c.leads]
    if "first_cause" in row and (not standing or standing[0] not in row["first_cause"]):
        yield f"{name}: first cause {standing[0] if standing else 'none'}, not {' or '.join(row['first_cause'])}"
    never = {cause for word in row.get("never", ()) for cause in TABLE["sets"].get(word, (word,))}
    for ranked in found.causes:
        if ranked.status in (Status.CONFIRMED, Status.LIKELY) and ranked.cause.id in never:
            yield f"{name}: {ranked.cause.id} is {ranked.status}"
    failed = found.stop.outcome in (Outcome.STALLED, Outcome.REJECTED)
    if failed and not standing and not row.get("causeless"):
        yield f"{name}: {found.stop.outcome}, and no cause is even possible"


def _wrong_words(row: Row, said: str, name: str) -> Iterator[str]:
    if "says" in row and not re.search(row["says"], said):
        yield f"{name}: nothing is said of {row['says']!r}"
    if "says_not" in row and (spoken := re.search(row["says_not"], said)):
        yield f"{name}: it says {spoken.group()!r}"


def test_every_capture_has_a_row() -> None:
    there = {str(p.relative_to(THIRD_PARTY)) for p in THIRD_PARTY.rglob("*") if p.suffix in SUFFIXES}
    assert there == set(CAPTURES)


@pytest.mark.parametrize("name", CAPTURES)
def test_report_of(name: str) -> None:
    expected = CAPTURES[name]
    report, shown = read(name)
    found = [w for row in expected["rows"] for w in wrong(row, report, shown)]
    if "exit" in expected and exit_status(report) not in expected["exit"]:
        found.append(f"exit status {exit_status(report)}, not {' or '.join(map(str, expected['exit']))}")
    if "exchanges" in expected and len(report.diagnoses) != expected["exchanges"]:
        found.append(f"{len(report.diagnoses)} exchanges, not {expected['exchanges']}")
    found += _wrong_words(expected, folded(shown), "report")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", CAPTURES)
def test_no_words_of_ikev1_where_all_is_ikev2(name: str) -> None:
    report, shown = read(name)
    all_is_ikev2 = bool(report.diagnoses) and all(d.exchange.mode is Mode.IKEV2 for d in report.diagnoses)
    words = OF_IKEV1.findall(folded(shown)) if all_is_ikev2 else []
    assert sorted(set(words)) == []
