"""What two peers did before."""

import pytest
from msgspec.structs import replace

from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.live import peers
from pcapdiag.live.peers import MAX_MET, PeerMemory
from tests.live.parts import diagnosis, said

STALLED, REJECTED = said(Outcome.STALLED), said(Outcome.REJECTED)


@pytest.fixture
def memory() -> PeerMemory:
    return PeerMemory(2)


def test_alike_attempts_in_a_row_are_counted(memory: PeerMemory) -> None:
    talk = ("a", "b")
    assert [memory.attempt(talk, STALLED, again=False) for _ in range(3)] == [1, 2, 3]
    assert memory.attempt(talk, STALLED, again=True) == 3, "it is the same attempt"
    assert memory.attempt(talk, REJECTED, again=False) == 1
    assert memory.attempt(talk, STALLED, again=False) == 1


def test_conversations_are_bounded(memory: PeerMemory) -> None:
    for talk in (("a", "b"), ("a", "c"), ("a", "d")):
        memory.attempt(talk, STALLED, again=False)
    assert memory.attempt(("a", "d"), STALLED, again=False) == 2
    assert memory.attempt(("a", "b"), STALLED, again=False) == 1


def test_a_responder_is_met_until_an_exchange_with_it_completes(memory: PeerMemory) -> None:
    stalled, completed = diagnosis(1), diagnosis(1, 2, 3, 4, 5, 6)
    e = stalled.exchange
    memory.remember(stalled)
    assert list(memory.met_by(e.initiator.address)) == [e.responder.address]
    memory.remember(completed)
    assert list(memory.met_by(e.initiator.address)) == []
    assert len(memory) == 0


def test_responders_and_initiators_are_bounded(memory: PeerMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "MAX_INITIATORS", 2)
    one = diagnosis(1)
    e = one.exchange
    for number in range(MAX_MET + 5):
        responder = replace(e.responder, address=f"10.0.0.{number}")
        memory.remember(replace(one, exchange=replace(e, responder=responder)))
    assert len(memory.met_by(e.initiator.address)) == MAX_MET
    for number in range(2):
        initiator = replace(e.initiator, address=f"10.1.0.{number}")
        memory.remember(replace(one, exchange=replace(e, initiator=initiator)))
    assert len(memory) == 2
    assert memory.met_by(e.initiator.address) == ()
