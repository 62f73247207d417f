"""The verdict on every labelled capture: which cause stands first, and that nothing is claimed that is not shown."""

from typing import Any

import pytest
from msgspec.structs import replace

from pcapdiag.capture.datagram import Captured, Datagram
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis, all_well
from pcapdiag.knowledge.records import Status
from tests.diagnosis.scenarios import TRUTH, captured, diagnosed, diagnosed_until, kinds, statuses
from tests.diagnosis.scenes import SCENES, made

CLAIMS = (Status.CONFIRMED, Status.LIKELY)


def _verdicts(row: dict[str, Any]) -> tuple[Diagnosis, ...]:
    return diagnosed_until(*captured(row["capture"]))


def _frames(items: tuple[Captured, ...]) -> set[Any]:
    found = set()
    for item in items:
        if isinstance(item, Datagram):
            found.update((item.frame, *item.fragments))
        else:
            found.update(getattr(item, "frames", ()) or (item.frame,))
    return found


# --- labelled captures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [r for r in TRUTH if r.get("first_cause")], ids=lambda r: r["capture"])
def test_first_cause(row: dict[str, Any]) -> None:
    causes = [c for c in _verdicts(row)[0].causes if c.status is not Status.RULED_OUT]
    assert causes
    assert causes[0].cause.id in row["first_cause"]


@pytest.mark.parametrize("row", [r for r in TRUTH if "outcome" in r], ids=lambda r: r["capture"])
def test_no_false_confirmation(row: dict[str, Any]) -> None:
    first = _verdicts(row)[0]
    confirmed = {c.cause.id for c in first.causes if c.status is Status.CONFIRMED}
    assert confirmed <= set(row.get("first_cause", ()))
    if row["outcome"] == ["completed"] and "phase2" not in row and "later" not in row and "first_cause" not in row:
        assert first.causes == ()


@pytest.mark.parametrize("row", [r for r in TRUTH if "later" in r], ids=lambda r: r["capture"])
def test_what_came_later(row: dict[str, Any]) -> None:
    assert [c.cause.id for c in _verdicts(row)[0].causes if c.status in CLAIMS][:1] == row["later"]


@pytest.mark.parametrize("row", [r for r in TRUTH if "phase2" in r], ids=lambda r: r["capture"])
def test_phase_2(row: dict[str, Any]) -> None:
    assert _verdicts(row)[0].phase2[0].outcome.value in row["phase2"]


def test_scanner() -> None:
    found = diagnosed_until(*captured("scan-main-mode.pcap"))[0]
    assert next(iter(statuses(found))) == "scanner"


@pytest.mark.parametrize("row", TRUTH, ids=lambda r: r["capture"])
def test_reasons_exist(row: dict[str, Any]) -> None:
    frames = _frames(captured(row["capture"])[0])
    for found in _verdicts(row):
        ids = [e.id for e in found.evidence]
        assert len(ids) == len(set(ids))
        for item in found.evidence:
            assert item.frames, item
            assert set(item.frames) <= frames, item
        for ranked in found.causes:
            assert set(ranked.because) | set(ranked.against) <= set(ids)
            assert not set(ranked.because) & set(ranked.against)
            assert ranked.says
            if ranked.leads:
                assert ranked.because, ranked.cause.id
            if ranked.status is Status.UNDECIDABLE:
                assert not ranked.because
                assert not ranked.against


@pytest.mark.parametrize("row", TRUTH, ids=lambda r: r["capture"])
def test_causes_come_best_first_and_once(row: dict[str, Any]) -> None:
    order = list(Status)
    for found in _verdicts(row):
        places = [(order.index(c.status), -c.weight) for c in found.causes]
        assert places == sorted(places)
        assert len({c.cause.id for c in found.causes}) == len(found.causes)


# --- nothing is claimed before it shows ------------------------------------------------------------------------

SHOWS_AT_ONCE = (
    # One end repeats behind an answer that the capture holds.
    ("initiator-repeats-behind-answer", "path-loss"),
    ("responder-repeats-behind-answer", "path-loss"),
    # The responder repeats its last message, and the initiator goes no further.
    ("responder-repeats-last", "path-loss"),
    ("responder-repeats-last", "psk-mismatch"),
    # There is NAT, and an end that shows that it does not do NAT-T.
    ("no-float-despite-nat", "nat-traversal-off"),
    ("no-nat-t-responder", "nat-traversal-off"),
    ("no-marker", "vendor-difference"),
    # The peers show what they want without being asked, or from where they answer.
    ("offers-differ", "phase1-policy-mismatch"),
    ("answered-elsewhere", "wrong-crypto-map-peer"),
)
"""Evidence that is no silence, so that its cause may be claimed before the silence is long enough."""


def _claimed_from_silence(found: Diagnosis) -> set[str]:
    claimed = {c.cause.id for c in found.causes if c.status in CLAIMS}
    return claimed - {cause for kind, cause in SHOWS_AT_ONCE if kind in kinds(found)}


@pytest.mark.parametrize("row", TRUTH, ids=lambda r: r["capture"])
def test_a_capture_that_ends_early_claims_nothing(row: dict[str, Any]) -> None:
    items, _ = captured(row["capture"])
    for count in range(1, len(items) + 1):
        for found in diagnosed_until(items[:count]):
            if Outcome.INCONCLUSIVE not in (found.stop.outcome, found.stop.before):
                continue
            assert not _claimed_from_silence(found), f"{row['capture']}, {count} items"


@pytest.mark.parametrize("name", SCENES)
def test_what_is_made_by_hand_and_ends_early_claims_nothing(name: str) -> None:
    items, _ = made(name)
    for count in range(1, len(items) + 1):
        for found in diagnosed(items[:count]):
            if found.stop.outcome is Outcome.INCONCLUSIVE:
                assert not _claimed_from_silence(found), count


# --- order -----------------------------------------------------------------------------------------------------


def test_attempt_that_another_made_good_stands_behind_it() -> None:
    found = diagnosed(*made("completed_soon_after"))
    assert [(d.exchange.id, d.stop.outcome) for d in found] == [(2, Outcome.COMPLETED), (1, Outcome.SUPERSEDED)]
    assert not all_well(found)


def test_attempt_that_nothing_made_good_keeps_its_place() -> None:
    found = diagnosed(*made("completed_later"))
    assert [d.exchange.id for d in found] == [1, 2]
    found = diagnosed(*made("completed_before"))
    assert [d.exchange.id for d in found] == [1, 2]


@pytest.mark.parametrize("row", TRUTH, ids=lambda r: r["capture"])
def test_superseded_ones_stand_right_behind_the_good_one(row: dict[str, Any]) -> None:
    found = _verdicts(row)
    place = {d.exchange.id: n for n, d in enumerate(found)}
    for d in found:
        if d.stop.superseded_by is not None and d.stop.superseded_by > d.exchange.id:
            assert place[d.stop.superseded_by] < place[d.exchange.id]
    others = [d.exchange.id for d in found if d.stop.superseded_by is None]
    assert others == sorted(others)


def test_conversations_do_not_mix() -> None:
    items, end = made("completed_soon_after")
    moved, _ = made("silence_after_mm1")
    elsewhere = [replace(i, source="192.0.2.200", frame=i.frame._replace(number=500 + n)) for n, i in enumerate(moved)]
    found = diagnosed([*items, *elsewhere], end)
    other = next(d for d in found if d.exchange.initiator.address == "192.0.2.200")
    assert other.stop.outcome is Outcome.STALLED
    assert not {k for k in kinds(other) if k.startswith("completed")}


def test_well_means_every_one() -> None:
    assert all_well(diagnosed_until(*captured("completed-psk.pcap")))
    assert not all_well(diagnosed_until(*captured("mm1-no-reply.pcap")))
    assert all_well(())
