"""The rows of a ladder: what is told, what is folded, and where what did not come stands."""

import pytest

from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Side
from pcapdiag.report.ladder import CITED_RUNGS, FIRST_RUNGS, LAST_RUNGS, LATER_RUNGS, Bounce, Fold, Missing, Rung, rows
from tests.diagnosis.scenarios import TRUTH, floated, with_nat
from tests.messages import Wire, informational, main_mode, quick_mode
from tests.report.reports import of_capture, of_items

NAMES = [r["capture"] for r in TRUTH if r["ike_messages"]]


def _first(name: str) -> Diagnosis:
    return of_capture(name).diagnoses[0]


def test_a_stalled_exchange() -> None:
    d = _first("mm5-udp-4500-blocked.pcap")
    found = rows(d.exchange, d)
    assert [type(row) for row in found] == [Rung] * 5 + [Missing]
    assert [row.step.name for row in found if isinstance(row, Rung)] == ["MM1", "MM2", "MM3", "MM4", "MM5"]
    assert [row.ports for row in found if isinstance(row, Rung)] == [(500, 500), None, None, None, (4500, 4500)]
    assert found[-1] == Missing("MM6", Side.RESPONDER, "MM6 from the responder was not seen")


def test_without_a_diagnosis_nothing_is_missing() -> None:
    d = _first("mm5-udp-4500-blocked.pcap")
    assert len(rows(d.exchange)) == 5


def test_nothing_is_missing_where_it_was_refused() -> None:
    d = _first("mm1-no-proposal-chosen.pcap")
    assert not [row for row in rows(d.exchange, d) if isinstance(row, Missing)]


def test_icmp_errors_of_one_kind_are_one_row_where_the_first_was_seen() -> None:
    d = _first("mm1-host-unreachable.pcap")
    (bounce,) = [row for row in rows(d.exchange, d) if isinstance(row, Bounce)]
    assert len(bounce.errors) == len(d.exchange.icmp_errors) == 6
    assert bounce.source is None
    assert bounce.towards is Side.INITIATOR
    peer = _first("mm1-port-unreachable.pcap")
    (bounce,) = [row for row in rows(peer.exchange, peer) if isinstance(row, Bounce)]
    assert bounce.source is Side.RESPONDER


def test_the_message_that_a_quick_mode_lacks_stands_behind_it() -> None:
    d = _first("phase2-no-reply.pcap")
    found = rows(d.exchange, d)
    place = next(n for n, row in enumerate(found) if isinstance(row, Missing))
    assert found[place] == Missing("QM2", Side.RESPONDER, "QM2 from the responder was not seen")
    before = found[place - 1]
    assert isinstance(before, Rung)
    assert before.step.name == "QM1"


def test_what_was_due_stands_where_it_was_due() -> None:
    wire = Wire()
    items = [*with_nat(wire), floated(wire, 0.4, main_mode(5)), floated(wire, 30, informational(1))]
    (d,) = of_items(items, 90).diagnoses
    names = [row.step.name if isinstance(row, Rung) else type(row).__name__ for row in rows(d.exchange, d)]
    assert names[4:6] == ["MM5", "Missing"]
    assert names[-1] == "Informational"


def _long(count: int) -> Diagnosis:
    """Phase 1, Quick Mode, then DPD both ways for hours, and a rekey in the middle."""
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4, 5, 6)
    items += [wire.datagram(1 + n / 10, quick_mode(n + 1), left=n != 1) for n in range(3)]
    for n in range(count):
        octets = 64 + 8 * (n % 2)
        items.append(wire.datagram(10 + n, informational(n % 250, 1000 + n, octets), left=n % 2 == 0))
    items += [wire.datagram(20 + count + n / 10, quick_mode(n + 1, 0x99), left=n != 1) for n in range(3)]
    return of_items(items, 100 + count).diagnoses[0]


@pytest.mark.parametrize("count", [1, 5, 60, 1000])
def test_what_follows_phase_1_is_folded_and_counted(count: int) -> None:
    d = _long(count)
    found = rows(d.exchange, d)
    assert len(found) <= FIRST_RUNGS + LATER_RUNGS + 2 * CITED_RUNGS + LAST_RUNGS + 4
    told = sum(1 + len(row.rest) for row in found if isinstance(row, Rung))
    folded = sum(len(row.steps) for row in found if isinstance(row, Fold))
    assert told + folded == len(d.exchange.steps)
    assert all(sum(row.counts.values()) == len(row.steps) > 1 for row in found if isinstance(row, Fold))
    names = [row.step.name for row in found if isinstance(row, Rung)]
    assert names[:6] == ["MM1", "MM2", "MM3", "MM4", "MM5", "MM6"]
    assert names[-1] == "QM3"
    assert bool(folded) is (count >= 5)


def test_every_message_is_in_exactly_one_row_in_order() -> None:
    for name in NAMES:
        for d in of_capture(name).diagnoses:
            found = rows(d.exchange, d)
            steps = [s for row in found if isinstance(row, Rung) for s in (row.step, *row.rest)]
            steps += [s for row in found if isinstance(row, Fold) for s in row.steps]
            assert sorted(map(id, steps)) == sorted(map(id, d.exchange.steps)), name
            times = [row.step.first.time for row in found if isinstance(row, Rung)]
            assert times == sorted(times), name
