"""What is held to be another verdict: nothing that is the same, and everything that is not."""

import pytest
from msgspec.structs import replace

from pcapdiag.carve.compare import differences
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.knowledge.records import Status
from pcapdiag.pipeline import analyze
from tests import CAPTURES


@pytest.fixture
def stalled() -> Diagnosis:
    (diagnosis,) = analyze(CAPTURES / "mm5-udp-4500-blocked.pcap").diagnoses
    return diagnosis


def test_nothing_where_it_is_the_same(stalled: Diagnosis) -> None:
    assert list(differences([stalled], [stalled])) == []


def test_each_thing_that_differs(stalled: Diagnosis) -> None:
    stop, causes = stalled.stop, stalled.causes
    others = {
        "outcome: stalled, now inconclusive": replace(stalled, stop=replace(stop, outcome=Outcome.INCONCLUSIVE)),
        "initiator: MM_WAIT_MSG6, now nothing": replace(stalled, stop=replace(stop, initiator_state=())),
        "responder: nothing, now MM_WAIT_MSG3": replace(
            stalled, stop=replace(stop, responder_state=(*stop.responder_state, "MM_WAIT_MSG3"))
        ),
        "evidence: nat, nat-beyond-initiator, nat-initiator, now nothing": replace(
            stalled, evidence=tuple(e for e in stalled.evidence if "nat" not in e.kinds)
        ),
        "causes: udp-4500-blocked likely, path-loss possible, psk-mismatch possible, now udp-4500-blocked confirmed, "
        "path-loss possible, psk-mismatch possible": replace(
            stalled, causes=(replace(causes[0], status=Status.CONFIRMED), *causes[1:])
        ),
    }
    for said, other in others.items():
        assert list(differences([stalled], [other])) == [f"exchange 1: {said}"]


def test_exchanges_that_are_missing_or_too_many(stalled: Diagnosis) -> None:
    assert list(differences([stalled], [])) == [
        "1 exchanges were chosen, 0 are in the result",
        "exchange 1 is not in the result",
    ]
    assert list(differences([stalled], [stalled, stalled])) == ["1 exchanges were chosen, 2 are in the result"]
    assert list(differences([stalled, stalled], [stalled, stalled])) == []
