"""What became of each Quick Mode: hand-made ones behind a phase 1 that completed."""

import pytest

from pcapdiag.capture.datagram import Datagram
from pcapdiag.diagnosis.outcome.quick_mode import Phase2
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.exchange.model import Side
from tests.diagnosis.scenarios import diagnosed, ikev2, only, other_cookies
from tests.messages import Wire, informational, main_mode, message, quick_mode


def begun(wire: Wire, *numbers: int, at: float = 1, message_id: int = 0x1234) -> list[Datagram]:
    """These Quick Mode messages, begun by the initiator."""
    return [
        wire.datagram(at + n / 10, quick_mode(number, message_id), left=number % 2 == 1)
        for n, number in enumerate(numbers)
    ]


def quick(items: list[Datagram], end: float | None = None) -> Phase2:
    (found,) = only(items, end).phase2
    return found


def phase1(wire: Wire) -> list[Datagram]:
    return wire.main_mode(0, 1, 2, 3, 4, 5, 6)


def test_completed() -> None:
    wire = Wire()
    found = quick([*phase1(wire), *begun(wire, 1, 2, 3)])
    assert (found.outcome, found.last_message, found.answer) == (Outcome.COMPLETED, 3, None)
    assert (found.message_id, found.began_by) == (0x1234, Side.INITIATOR)
    assert [f.number for f in found.frames] == [7, 8, 9]


def test_none_begun() -> None:
    assert only(phase1(Wire())).phase2 == ()


def test_silence_and_the_end_of_the_capture() -> None:
    wire = Wire()
    items = [*phase1(wire), *begun(wire, 1)]
    stalled = quick(items, end=60)
    assert (stalled.outcome, stalled.last_message) == (Outcome.STALLED, 1)
    assert stalled.reason == "QM1 was sent; QM2 was not seen."
    assert quick(items).outcome is Outcome.INCONCLUSIVE
    assert quick(items, end=20.9).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("repeated", [1, 2])
def test_who_repeats_tells_whether_message_3_came(repeated: int) -> None:
    """An end that has not had what is due repeats; where neither does, the capture alone may lack message 3."""
    wire = Wire()
    items = [*phase1(wire), *begun(wire, 1, 2)]
    assert quick(items, end=60).outcome is Outcome.INCONCLUSIVE
    again = wire.datagram(9, quick_mode(repeated), left=repeated == 1)
    stalled = quick([*items, again], end=60)
    assert (stalled.outcome, stalled.reason) == (Outcome.STALLED, "QM2 was sent; QM3 was not seen.")


def test_refused_by_an_informational() -> None:
    wire = Wire()
    found = quick([*phase1(wire), *begun(wire, 1), wire.datagram(1.2, informational(1), left=False)])
    assert (found.outcome, found.last_message) == (Outcome.REJECTED, 1)
    assert found.answer is not None
    assert found.answer.sender is Side.RESPONDER
    assert found.reason == "The responder answered QM1 with an encrypted Informational."
    assert [f.number for f in found.frames] == [7, 8]


def test_initiator_refuses_the_answer() -> None:
    wire = Wire()
    found = quick([*phase1(wire), *begun(wire, 1, 2), wire.datagram(1.3, informational(1))])
    assert found.outcome is Outcome.REJECTED
    assert found.reason.startswith("The initiator answered QM2")


def test_informational_that_is_no_answer() -> None:
    """From the same end, or long after, or before."""
    for at, left in ((1.2, True), (9.0, False), (0.9, False)):
        wire = Wire()
        items = [*phase1(wire), *begun(wire, 1), wire.datagram(at, informational(1), left=left)]
        found = quick(sorted(items, key=lambda d: d.time), end=10)
        assert (found.outcome, found.answer) == (Outcome.INCONCLUSIVE, None)


def test_new_phase_1_gives_it_up() -> None:
    wire = Wire()
    items = [*phase1(wire), *begun(wire, 1)]
    again = wire.datagram(12, main_mode(1, other_cookies(1)))
    first, _ = diagnosed([*items, again])
    assert first.phase2[0].outcome is Outcome.STALLED
    soon = wire.datagram(4, main_mode(1, other_cookies(1)))
    assert diagnosed([*items, soon])[0].phase2[0].outcome is Outcome.INCONCLUSIVE


def test_several_are_told_apart() -> None:
    wire = Wire()
    items = [*phase1(wire), *begun(wire, 1, 2, 3, message_id=5), *begun(wire, 1, at=2, message_id=6)]
    items.append(wire.datagram(3, quick_mode(1, 7), left=False))
    found = only(items, end=60).phase2
    assert [(p.message_id, p.outcome, p.began_by) for p in found] == [
        (5, Outcome.COMPLETED, Side.INITIATOR),
        (6, Outcome.STALLED, Side.INITIATOR),
        (7, Outcome.STALLED, Side.RESPONDER),
    ]


def test_ikev2_has_none() -> None:
    wire = Wire()
    octets = ikev2(34, request=True)
    # 32 is Quick Mode in IKEv1, and nothing in IKEv2.
    odd = octets[:18] + bytes([32]) + octets[19:]
    for found in diagnosed([wire.datagram(0, octets), wire.datagram(1, odd)]):
        assert found.phase2 == ()


# --- after public reports of other makes -------------------------------------------------------------------------


def refused_then(*more: tuple[float, int, bool], again: float | None = None) -> Phase2:
    """Quick Mode message 1 at 1 s, perhaps again; then Informational messages: when, how many octets, whose."""
    wire = Wire()
    items = [*phase1(wire), *begun(wire, 1)]
    if again is not None:
        items += begun(wire, 1, at=again)
    items += [wire.datagram(at, informational(n, 0x60 + n, size), left=left) for n, (at, size, left) in enumerate(more)]
    return quick(sorted(items, key=lambda d: d.time), end=60)


def test_a_delete_behind_the_refusal_does_not_make_it_dpd() -> None:
    """The initiator deletes the ISAKMP SA that is of no use; a refusal is shorter than a question of DPD."""
    assert refused_then((1.1, 48, False), (1.2, 64, True)).outcome is Outcome.REJECTED
    # As long as one: the initiator does not ask again, and nothing more goes under this SA.
    assert refused_then((1.1, 64, False), (1.2, 64, True)).outcome is Outcome.REJECTED
    assert refused_then((1.1, 64, False), (1.2, 64, True), again=9).outcome is Outcome.STALLED
    lives = refused_then((1.1, 64, False), (1.2, 64, True), (30, 64, True))
    assert lives.outcome is Outcome.STALLED


def test_an_answer_of_dpd_refuses_nothing() -> None:
    assert refused_then((1.1, 64, True), (1.2, 64, False), (30, 64, True)).outcome is Outcome.STALLED
    # What the initiator told before Quick Mode may be INITIAL-CONTACT, and then it asks no more.
    assert refused_then((0.9, 64, True), (1.1, 64, False)).outcome is Outcome.REJECTED


def test_the_second_copy_is_refused() -> None:
    assert refused_then((11.1, 48, False), again=11).outcome is Outcome.REJECTED


def test_what_is_left_of_it_is_message_3() -> None:
    wire = Wire()
    last = wire.datagram(1, message(32, message_id=9, sealed=bytes(32), first=8))
    found = quick([last], end=60)
    assert (found.outcome, found.last_message, found.reason) == (
        Outcome.COMPLETED,
        3,
        "QM3 went by, with which it ends.",
    )


def test_what_crosses_message_1_is_no_answer_to_it() -> None:
    """A responder tells INITIAL-CONTACT behind message 6: it comes sooner than any answer did."""
    wire = Wire()
    items = [wire.datagram(n / 50, main_mode(n), left=n % 2 == 1) for n in range(1, 7)]
    items.append(wire.datagram(0.13, quick_mode(1)))
    soon = [*items, wire.datagram(0.131, informational(1), left=False)]
    assert quick(soon, end=60).outcome is Outcome.STALLED
    assert quick(soon, end=1).outcome is Outcome.INCONCLUSIVE
    assert quick([*items, wire.datagram(0.15, informational(1), left=False)], end=60).outcome is Outcome.REJECTED


def test_one_message_at_the_beginning_may_be_the_last_of_it() -> None:
    """With SHA2-512 message 3 has 108 octets; and who has no answer to a larger one sends it again, too."""
    wire = Wire()
    last = message(32, message_id=9, sealed=bytes(80), first=8)
    assert quick([wire.datagram(1, last)], end=60).outcome is Outcome.INCONCLUSIVE
    assert quick([wire.datagram(1, last), wire.datagram(9, last)], end=60).outcome is Outcome.STALLED
    large = message(32, message_id=9, sealed=bytes(160), first=8)
    assert quick([wire.datagram(1, large)], end=60).outcome is Outcome.INCONCLUSIVE
    assert quick([wire.datagram(1, large), wire.datagram(9, large)], end=60).outcome is Outcome.STALLED


def third_lost(*, thirds: tuple[float, ...], seconds: tuple[float, ...], end: float = 90) -> Phase2:
    """Quick Mode complete at 1.2 s; messages 2 and 3 again at these times."""
    wire = Wire()
    items = [*phase1(wire), *begun(wire, 1, 2, 3)]
    items += [d for at in seconds for d in begun(wire, 2, at=at)]
    items += [wire.datagram(at, quick_mode(3)) for at in thirds]
    return quick(sorted(items, key=lambda d: d.time), end=end)


def test_message_3_that_is_sent_again_is_taken_then() -> None:
    """It was lost once behind the capture point; the responder asked for it once more, and never again."""
    assert third_lost(seconds=(9,), thirds=(9.1,)).outcome is Outcome.COMPLETED
    assert third_lost(seconds=(9, 17, 25), thirds=(9.1, 17.1, 25.1)).outcome is Outcome.STALLED
    assert third_lost(seconds=(9, 17), thirds=(9.1,)).outcome is Outcome.STALLED
    assert third_lost(seconds=(9,), thirds=(), end=10).outcome is Outcome.INCONCLUSIVE
