"""Where exchanges stop: the labelled captures, every capture derived from a good one, and hand-made traps."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pcapdiag.capture.datagram import Captured, Datagram, FragmentLoss, Frame, IcmpError
from pcapdiag.capture.savefile import Savefile
from pcapdiag.diagnosis.outcome import stop as stopping
from pcapdiag.diagnosis.outcome.conversations import conversations, find_stops
from pcapdiag.diagnosis.outcome.stop import Outcome, Stop
from pcapdiag.exchange.model import Exchange, Mode, Side, Step
from pcapdiag.exchange.tracker import Tracker
from tests import CAPTURES
from tests.diagnosis.scenarios import aggressive, ikev2, transaction
from tests.messages import (
    COOKIE_I,
    COOKIE_R,
    RIGHT,
    SECOND,
    ZERO,
    Wire,
    informational,
    ke,
    main_mode,
    message,
    notify,
    quick_mode,
)

TRUTH: list[dict[str, Any]] = json.loads((CAPTURES / "truth.json").read_text())
GOOD = [r["capture"] for r in TRUTH if r.get("mode") == "main" and r["cause_in_the_lab"] == "none (success)"]


def stops(items: Iterable[Captured], end: float | None = None) -> list[tuple[Exchange, Stop]]:
    """The exchanges in these items, with where each stopped; `end` is the capture's, in seconds."""
    tracker = Tracker()
    last = 0
    for item in items:
        tracker.feed(item)
        last = max(last, item.time)
    exchanges = list(tracker.exchanges())
    settings = conversations(exchanges, last if end is None else round(end * SECOND))
    found = {number: stop for setting in settings for number, stop in find_stops(setting).items()}
    return [(e, found[e.id]) for e in exchanges]


def only(items: Iterable[Captured], end: float | None = None) -> Stop:
    ((_, stop),) = stops(items, end)
    return stop


# --- labelled captures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [r for r in TRUTH if "outcome" in r], ids=lambda r: r["capture"])
def test_labelled_capture(row: dict[str, Any]) -> None:
    savefile = Savefile(CAPTURES / row["capture"])
    items = list(savefile)
    found = [
        (e, s)
        for e, s in stops(items, (savefile.summary().last_time or 0) / SECOND)
        if s.outcome is not Outcome.SUPERSEDED
    ]
    exchange, stop = found[0]
    assert exchange.mode.value == row["mode"]
    assert stop.outcome.value in row["outcome"]
    for side, states in (("initiator", stop.initiator_state), ("responder", stop.responder_state)):
        if row[f"{side}_state"]:
            assert row[f"{side}_state"] in states
            assert len(states) <= 2


# --- derived captures: a good exchange, cut or with a message missing ------------------------------------------

BEFORE = {1: "NONE", 2: "MM_WAIT_MSG2", 3: "MM_WAIT_MSG3", 4: "MM_WAIT_MSG4", 5: "MM_WAIT_MSG5", 6: "MM_WAIT_MSG6"}
"""The state of the receiver until message n arrives."""
AFTER = {1: "MM_WAIT_MSG2", 2: "MM_WAIT_MSG3", 3: "MM_WAIT_MSG4", 4: "MM_WAIT_MSG5", 5: "MM_WAIT_MSG6", 6: "MM_ACTIVE"}
"""The state of the sender from when it has sent message n."""


def _first_exchange(name: str) -> tuple[list[Datagram], Exchange]:
    datagrams = [d for d in Savefile(CAPTURES / name) if isinstance(d, Datagram)]
    exchange = stops(datagrams)[0][0]
    return datagrams, exchange


@pytest.mark.parametrize("name", GOOD)
def test_cut_after_every_message(name: str) -> None:
    datagrams, whole = _first_exchange(name)
    for count in range(1, len(datagrams) + 1):
        part = datagrams[:count]
        found = [(e, s) for e, s in stops(part) if e.initiator_spi == whole.initiator_spi]
        if not found:
            continue
        exchange, stop = found[0]
        last = exchange.last_message
        assert last is not None
        where = f"{name} cut after frame {part[-1].frame.number}: {stop}"
        after = {s.sender for s in exchange.steps if s.name.startswith("QM") or s.name == "Transaction"}
        if Side.INITIATOR in after:
            assert stop.outcome is Outcome.COMPLETED, where
            assert stop.initiator_state == stop.responder_state == ("MM_ACTIVE",), where
        else:
            assert stop.outcome in (Outcome.INCONCLUSIVE, Outcome.STALLED), where
            sender = Side.INITIATOR if last % 2 else Side.RESPONDER
            states = {Side.INITIATOR: stop.initiator_state, Side.RESPONDER: stop.responder_state}
            assert AFTER[last] in states[sender], where  # a request of the responder alone shows no more
            assert BEFORE[last] in states[sender.other], where


@pytest.mark.parametrize("name", GOOD)
def test_each_message_missing(name: str) -> None:
    datagrams, whole = _first_exchange(name)
    for gone in datagrams:
        rest = [d for d in datagrams if d is not gone]
        ((_, stop),) = [(e, s) for e, s in stops(rest) if e.initiator_spi == whole.initiator_spi]
        where = f"{name} without frame {gone.frame.number}: {stop}"
        assert stop.initiator_state == stop.responder_state == ("MM_ACTIVE",), where
        assert stop.outcome in (Outcome.COMPLETED, Outcome.PARTIAL), where


@pytest.mark.parametrize("name", GOOD)
def test_capture_that_starts_in_the_middle(name: str) -> None:
    datagrams, whole = _first_exchange(name)
    numbered = {f for s in whole.steps if s.number for f in s.frames}
    for count in range(1, len(datagrams)):
        rest = datagrams[count:]
        found = [(e, s) for e, s in stops(rest) if e.initiator_spi == whole.initiator_spi]
        if not found or not any(d.frame in numbered for d in rest):
            continue
        exchange, stop = found[0]
        where = f"{name} from frame {rest[0].frame.number}: {stop}"
        assert whole.initiator.address in (exchange.initiator.address, *exchange.initiator.aliases), where
        assert stop.initiator_state == stop.responder_state == ("MM_ACTIVE",), where
        assert stop.outcome in (Outcome.COMPLETED, Outcome.PARTIAL), where


@pytest.mark.parametrize("name", GOOD)
def test_doubled_and_slightly_reordered_packets_change_nothing(name: str) -> None:
    datagrams, whole = _first_exchange(name)
    doubled = [replace(d, time=d.time + n * 1000) for d in datagrams for n in (0, 1)]
    _, before = stops(datagrams)[0]
    exchange, after = stops(doubled)[0]
    assert (after.outcome, after.initiator_state, after.responder_state) == (
        before.outcome,
        before.initiator_state,
        before.responder_state,
    )
    assert [len(s.sent) for s in exchange.steps if s.number] == [len(s.sent) for s in whole.steps if s.number]


# --- Main Mode, one end repeating ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "again", "initiator", "responder"),
    [
        ([1], [1, 1], ("MM_WAIT_MSG2",), ("NONE", "MM_WAIT_MSG3")),
        ([1, 2], [1, 2], ("MM_WAIT_MSG2",), ("MM_WAIT_MSG3",)),
        ([1, 2], [], ("MM_WAIT_MSG4", "MM_WAIT_MSG2"), ("MM_WAIT_MSG3",)),
        ([1, 2, 3], [3, 3], ("MM_WAIT_MSG4",), ("MM_WAIT_MSG3", "MM_WAIT_MSG5")),
        ([1, 2, 3], [3, 2], ("MM_WAIT_MSG4",), ("MM_WAIT_MSG3",)),
        ([1, 2, 3, 4], [3, 4], ("MM_WAIT_MSG4",), ("MM_WAIT_MSG5",)),
        ([1, 2, 3, 4], [], ("MM_WAIT_MSG6", "MM_WAIT_MSG4"), ("MM_WAIT_MSG5",)),
        ([1, 2, 3, 4], [4, 4], ("MM_WAIT_MSG6", "MM_WAIT_MSG4"), ("MM_WAIT_MSG5",)),
        ([1, 2, 3, 4, 5], [5, 5], ("MM_WAIT_MSG6",), ("MM_WAIT_MSG5", "MM_ACTIVE")),
        ([1, 2, 3, 4, 5], [5, 4], ("MM_WAIT_MSG6",), ("MM_WAIT_MSG5",)),
        ([1, 2, 3, 4, 5, 6], [5, 6], ("MM_WAIT_MSG6",), ("MM_ACTIVE",)),
    ],
)
def test_who_repeats_tells_the_states(
    sent: list[int], again: list[int], initiator: tuple[str, ...], responder: tuple[str, ...]
) -> None:
    wire = Wire()
    items = wire.main_mode(0, *sent) + wire.main_mode(8, *again) + wire.main_mode(16, *again)
    stop = only(items, end=40)
    assert stop.outcome is Outcome.STALLED
    assert (stop.initiator_state, stop.responder_state) == (initiator, responder)


def test_a_capture_that_ends_at_once_is_not_a_failure() -> None:
    stop = only(Wire().main_mode(0, 1, 2, 3), end=0.4)
    assert stop.outcome is Outcome.INCONCLUSIVE
    assert stop.missing == "MM4"
    assert stop.waits_for is Side.RESPONDER


def test_message_that_crosses_its_answer_is_no_repetition() -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1), *wire.main_mode(8, 1, 2), *wire.main_mode(8.1, 1), *wire.main_mode(8.2, 2)]
    assert only(items, end=60).initiator_state == ("MM_WAIT_MSG4", "MM_WAIT_MSG2")


@pytest.mark.parametrize(
    ("numbers", "ttls", "initiator"),
    [
        ((1, 2), (64, 61), ("MM_WAIT_MSG4", "NONE")),
        ((1, 2), (61, 64), ("MM_WAIT_MSG4", "MM_WAIT_MSG2")),
        ((1, 2, 3, 4), (64, 61), ("MM_WAIT_MSG6",)),
        ((1, 2, 3, 4), (61, 64), ("MM_WAIT_MSG6", "MM_WAIT_MSG4")),
    ],
)
def test_whether_an_answer_arrived_shows_at_the_initiator_only(
    numbers: tuple[int, ...], ttls: tuple[int, int], initiator: tuple[str, ...]
) -> None:
    items = [replace(d, ttl=ttls[d.source == RIGHT]) for d in Wire().main_mode(0, *numbers)]
    assert only(items, end=60).initiator_state == initiator


def test_a_new_cookie_shows_that_the_initiator_gave_up() -> None:
    wire = Wire()
    other = (b"\x33" * 8, COOKIE_R)
    items = [*wire.main_mode(0, 1, 2, 3), wire.datagram(10, main_mode(1, other))]
    (_, first), (_, second) = stops(items, end=10.1)
    assert first.outcome is Outcome.STALLED
    assert second.outcome is Outcome.INCONCLUSIVE


# --- notifies --------------------------------------------------------------------------------------------------


def _refusal(number: int, cookies: tuple[bytes, bytes] = (COOKIE_I, COOKIE_R)) -> bytes:
    return message(5, [notify(number)], cookies=cookies, message_id=0x99)


def test_clear_notify_after_message_1_rejects() -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1), wire.datagram(0.1, _refusal(14), left=False)]
    stop = only(items)
    assert stop.outcome is Outcome.REJECTED
    assert stop.refused_by is Side.RESPONDER
    assert (stop.initiator_state, stop.responder_state) == (("MM_WAIT_MSG2",), ("NONE",))
    assert stop.frames == (Frame(0, 2),)


def test_stray_notify_in_an_exchange_that_completes_is_no_rejection() -> None:
    wire = Wire()
    items = [
        *wire.main_mode(0, 1),
        wire.datagram(0.1, _refusal(14, (COOKIE_I, ZERO)), left=False),
        *wire.main_mode(0.2, 2, 3, 4, 5, 6),
        wire.datagram(0.3, quick_mode(1)),
    ]
    assert only(items).outcome is Outcome.COMPLETED


def test_status_notify_in_clear_is_no_rejection() -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3), wire.datagram(0.1, _refusal(24578), left=False)]
    assert only(items).outcome is Outcome.INCONCLUSIVE


def test_encrypted_informational_in_place_of_message_6_rejects() -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5), wire.datagram(0.1, informational(1), left=False)]
    stop = only(items)
    assert stop.outcome is Outcome.REJECTED
    assert (stop.initiator_state, stop.responder_state) == (("MM_WAIT_MSG6",), ("MM_WAIT_MSG5",))


def test_delete_behind_message_6_is_the_initiators_refusal() -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), wire.datagram(0.1, informational(1))]
    stop = only(items)
    assert stop.outcome is Outcome.REJECTED
    assert stop.refused_by is Side.INITIATOR
    assert (stop.initiator_state, stop.responder_state) == (("MM_WAIT_MSG6",), ("MM_ACTIVE",))


def test_informational_too_short_for_a_delete_is_no_refusal() -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), wire.datagram(0.1, informational(1, octets=48))]
    assert only(items).outcome is Outcome.INCONCLUSIVE


def test_dpd_long_after_message_6_is_no_refusal() -> None:
    wire = Wire()
    items = [
        *wire.main_mode(0, 1, 2, 3, 4, 5, 6),
        wire.datagram(30, informational(1)),
        wire.datagram(30.01, informational(2, 0x78), left=False),
    ]
    stop = only(items)
    assert stop.outcome is Outcome.COMPLETED
    assert "both ends sent encrypted Informational messages" in stop.reason


def test_new_cookie_behind_message_6_is_a_refusal() -> None:
    wire = Wire()
    other = (b"\x33" * 8, COOKIE_R)
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), wire.datagram(10, main_mode(1, other))]
    (_, first), _ = stops(items)
    assert first.outcome is Outcome.REJECTED
    assert first.refused_by is Side.INITIATOR


# --- ICMP, superseded, IKEv2, what is not phase 1 --------------------------------------------------------------


def test_icmp_error_makes_the_stall_certain_at_once() -> None:
    wire = Wire()
    (first,) = wire.main_mode(0, 1)
    error = IcmpError(Frame(0, 2), SECOND, "192.0.2.254", first.source, 4, 3, 1, None, first)
    stop = only([first, error], end=1)
    assert stop.outcome is Outcome.STALLED
    assert stop.responder_state == ("NONE",)


def test_attempt_that_another_one_made_good_is_superseded() -> None:
    wire = Wire()
    other = (b"\x33" * 8, b"\x44" * 8)
    items = [
        *wire.main_mode(0, 1, 2, 3),
        *wire.main_mode(8, 3),
        *[wire.datagram(30 + n / 10, main_mode(n, other), left=n % 2 == 1) for n in range(1, 7)],
        wire.datagram(31, quick_mode(1, cookies=other)),
    ]
    (_, first), (second, stop) = stops(items)
    assert first.outcome is Outcome.SUPERSEDED
    assert first.before is Outcome.STALLED
    assert first.superseded_by == second.id
    assert stop.outcome is Outcome.COMPLETED


def test_quick_mode_alone_is_partial_and_of_unknown_mode() -> None:
    wire = Wire()
    items = [wire.datagram(0, quick_mode(1)), wire.datagram(0.1, quick_mode(2), left=False)]
    ((exchange, stop),) = stops(items)
    assert exchange.mode is Mode.UNKNOWN
    assert stop.outcome is Outcome.PARTIAL


@pytest.mark.parametrize(
    ("inner", "outcome"), [(36, Outcome.COMPLETED), (41, Outcome.REJECTED), (48, Outcome.INCONCLUSIVE)]
)
def test_first_payload_of_the_auth_response_tells_how_it_went(inner: int, outcome: Outcome) -> None:
    wire = Wire()
    items = [
        wire.datagram(0.0, ikev2(34, request=True)),
        wire.datagram(0.1, ikev2(34, request=False), left=False),
        wire.datagram(0.2, ikev2(35, request=True, number=1)),
        wire.datagram(0.3, ikev2(35, request=False, number=1, inner=inner), left=False),
    ]
    assert only(items).outcome is outcome


@pytest.mark.parametrize("name", ["ikev2-completed.pcap", "ikev2-cookie.pcap"])
def test_ikev2_cut_after_every_message(name: str) -> None:
    datagrams = [d for d in Savefile(CAPTURES / name) if isinstance(d, Datagram)]
    for count in range(1, len(datagrams)):
        for exchange, stop in stops(datagrams[:count]):
            answered = [s for s in exchange.steps if s.name == "IKE_AUTH response"]
            if answered:
                assert stop.outcome is Outcome.COMPLETED
            elif any(s.name.startswith("IKE_") for s in exchange.steps):
                assert stop.outcome in (Outcome.INCONCLUSIVE, Outcome.SUPERSEDED), (exchange.id, stop)


def test_captures_are_there() -> None:
    assert len(GOOD) >= 10
    assert all(Path(CAPTURES / r["capture"]).is_file() for r in TRUTH)


# --- one packet with an end's address --------------------------------------------------------------------------


def _one(items: Iterable[Captured], end: float) -> Stop:
    ((_, stop),) = stops(items, end)
    return stop


def test_message_6_without_message_5_completes_nothing() -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1), wire.datagram(1, main_mode(6), left=False), *wire.main_mode(8, 1)]
    assert _one(items, 60).outcome is Outcome.INCONCLUSIVE


def test_another_message_5_repeats_none() -> None:
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4, 5, 6)
    items += [wire.datagram(1 + n / 10, quick_mode(n), left=n % 2 == 1) for n in (1, 2, 3)]
    other = wire.datagram(9, message(2, sealed=b"\x77" * 48))
    assert _one([*items, other], 60).outcome is Outcome.COMPLETED
    again = wire.datagram(9, main_mode(5))
    assert _one([*items, again], 60).outcome is not Outcome.COMPLETED


@pytest.mark.parametrize("at", [0.004, 0.5])
def test_quick_mode_beside_a_refusal_of_message_6_completes_nothing(at: float) -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), wire.datagram(0.1, informational(9))]
    items.append(wire.datagram(at, quick_mode(1)))
    assert _one(sorted(items, key=lambda i: i.time), 60).outcome in (Outcome.INCONCLUSIVE, Outcome.REJECTED)


def test_one_message_shows_no_capture_of_one_direction() -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1), wire.datagram(1, quick_mode(1)), *wire.main_mode(8, 1)]
    assert _one(items, 60).outcome is Outcome.STALLED
    items = [*wire.main_mode(0, 1, 3, 5), wire.datagram(1, quick_mode(1)), wire.datagram(1.2, quick_mode(3))]
    assert _one(items, 60).outcome is Outcome.COMPLETED


def test_the_responder_alone_completes_no_aggressive_mode() -> None:
    wire = Wire()
    items = [wire.datagram(0, aggressive(1)), wire.datagram(0.1, aggressive(2), left=False)]
    asked = wire.datagram(1, quick_mode(2), left=False)
    assert _one([*items, asked, wire.datagram(4, aggressive(2), left=False)], 60).outcome is Outcome.STALLED
    items.append(wire.datagram(0.2, aggressive(3)))
    assert _one([*items, wire.datagram(0.9, quick_mode(1)), asked], 60).outcome is Outcome.COMPLETED


def test_aggressive_mode_message_3_and_silence_show_nothing_of_the_responder() -> None:
    wire = Wire()
    items = [wire.datagram(n / 10, aggressive(n), left=n != 2) for n in (1, 2, 3)]
    found = _one(items, 60)
    assert (found.outcome, found.responder_state) == (Outcome.INCONCLUSIVE, ("AM_ACTIVE", "AM_WAIT_MSG3"))


# --- what one direction, a missing message 6, or a beginning in the middle leaves open --------------------------


def of_initiator(*more: Datagram, repeats: tuple[float, ...] = ()) -> Stop:
    """Messages 1, 3 and 5 without what the responder sent; message 5 again at these times."""
    wire = Wire()
    items = [d for d in wire.main_mode(0, 1, 2, 3, 4, 5) if d.source != RIGHT]
    return only([*items, *(d for at in repeats for d in wire.main_mode(at, 5)), *more], 60)


def test_one_direction_that_ends_with_message_5_is_no_stall() -> None:
    """An initiator without message 6 sends message 5 again (RFC 2408 §5.1); this one does not."""
    assert of_initiator().outcome is Outcome.INCONCLUSIVE
    assert of_initiator(repeats=(8, 16)).outcome is Outcome.STALLED


def without_6(*, quick: Iterable[float] = (), answers: Iterable[float] = (), fives: Iterable[float] = ()) -> Stop:
    """Messages 1 to 5; Quick Mode of the initiator, an Informational of the responder and message 5 at these times."""
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4, 5)
    items += [wire.datagram(at, quick_mode(1, round(1000 * at))) for at in quick]
    items += [wire.datagram(at, informational(2, round(1000 * at)), left=False) for at in answers]
    items += [d for at in fives for d in wire.main_mode(at, 5)]
    return only(sorted(items, key=lambda d: d.time), 60)


def test_quick_mode_tried_again_and_again_shows_message_6() -> None:
    """Each try is refused: it is Quick Mode that is, and not message 5."""
    found = without_6(quick=(0.2, 10.2, 20.2), answers=(0.25, 10.25, 20.25))
    assert (found.outcome, found.initiator_state) == (Outcome.COMPLETED, ("MM_ACTIVE",))
    assert "Message 6 itself is not in the capture" in found.reason
    assert without_6(quick=(0.2, 8.2, 16.2)).outcome is Outcome.COMPLETED


def test_quick_mode_of_an_initiator_that_repeats_message_5_shows_nothing() -> None:
    assert without_6(quick=(0.2, 10.2, 20.2), fives=(8, 16, 24)).outcome is Outcome.STALLED
    refused = without_6(quick=(0.2,), answers=(0.25, 4.1), fives=(4, 11))
    assert (refused.outcome, refused.refused_by) == (Outcome.REJECTED, Side.RESPONDER)


def test_what_answers_quick_mode_does_not_refuse_message_5() -> None:
    assert without_6(quick=(0.2,), answers=(0.25,)).outcome is not Outcome.REJECTED


@pytest.mark.parametrize(("numbers", "states"), [((5,), "MM_WAIT_MSG6"), ((6,), "MM_ACTIVE"), ((3,), "MM_WAIT_MSG4")])
def test_who_refuses_in_the_middle_does_not_show(numbers: tuple[int, ...], states: str) -> None:
    """Message 5 and message 6 look alike, and so do 3 and 4: both places are left."""
    wire = Wire()
    answer = message(5, [notify(17)]) if numbers == (3,) else informational(1)
    left = numbers[0] % 2 == 1
    items = [*wire.main_mode(0, *numbers), wire.datagram(0.1, answer, left=not left)]
    found = only(items, 60)
    assert (found.outcome, found.refused_by) == (Outcome.REJECTED, None)
    assert states in found.initiator_state
    assert len(found.initiator_state) == 2
    assert items[-1].source in found.reason


def test_a_notify_in_clear_that_is_seen_first_answers() -> None:
    wire = Wire()
    items = [wire.datagram(0, message(5, [notify(14)]), left=False)]
    ((exchange, stop),) = stops(items, 60)
    assert (exchange.responder.address, stop.refused_by) == (RIGHT, Side.RESPONDER)


def test_an_initiator_that_goes_on_has_not_refused_message_6() -> None:
    """Cisco tells INITIAL-CONTACT in an Informational of its own behind message 6; a delete is as long."""
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), wire.datagram(0.1, informational(1))]
    assert only(items, 60).outcome is Outcome.REJECTED
    begun = [*items, wire.datagram(0.2, quick_mode(1))]
    assert only(begun, 0.3).outcome is Outcome.INCONCLUSIVE
    answered = [*begun, wire.datagram(0.3, quick_mode(2), left=False)]
    assert only(answered, 60).outcome is Outcome.COMPLETED


@pytest.mark.parametrize("left", [True, False])
def test_an_initiator_is_not_blamed_for_what_the_responder_ends(left: bool) -> None:
    """Quick Mode is not in the capture; the responder refuses it, deletes all, and the initiator begins anew."""
    wire = Wire()
    cookies = bytes(range(8)), bytes(range(8, 16))
    ended = [wire.datagram(0.1, informational(1), left=left)]
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), *ended, *wire.main_mode(15, 1, 2, cookies=cookies)]
    found = stops(items, 60)[0][1]
    assert (found.before or found.outcome) is (Outcome.REJECTED if left else Outcome.INCONCLUSIVE)
    assert found.refused_by is (Side.INITIATOR if left else None)


# --- after more public reports of IKEv1 ----------------------------------------------------------------------------


def deleted(cookies: tuple[bytes, bytes] = (COOKIE_I, COOKIE_R)) -> bytes:
    """A delete of the ISAKMP SA in clear."""
    body = (1).to_bytes(4, "big") + bytes([1, 16]) + (1).to_bytes(2, "big") + b"".join(cookies)
    return message(5, [(12, body)], cookies=cookies)


@pytest.mark.parametrize("sent", [1, 3])
def test_an_initiator_that_gives_up_refuses_nothing(sent: int) -> None:
    """An ASA deletes in clear what nobody answered, behind its last try."""
    wire = Wire()
    cookies = (COOKIE_I, ZERO if sent == 1 else COOKIE_R)
    items = [*wire.main_mode(0, *range(1, sent + 1)), *wire.main_mode(8, sent), *wire.main_mode(16, sent)]
    found = only([*items, wire.datagram(32, deleted(cookies))], 60)
    assert (found.outcome, found.refused_by) == (Outcome.STALLED, None)
    assert f"MM_WAIT_MSG{sent + 1}" in found.initiator_state
    by_responder = only([*items, wire.datagram(32, deleted(), left=False)], 60)
    assert (by_responder.outcome, by_responder.refused_by) == (Outcome.REJECTED, Side.RESPONDER)


@pytest.mark.parametrize("answer", [message(5, [notify(4)]), informational(1)])
def test_a_refusal_of_a_copy_that_the_capture_lost(answer: bytes) -> None:
    wire = Wire()
    top = 5 if answer[19] & 1 else 3
    items = [*wire.main_mode(0, *range(1, top)), wire.datagram(0.1, answer, left=False)]
    items += [d for at in (8, 16) for d in wire.main_mode(at, top)]
    assert only(items, 60).refused_by is Side.RESPONDER
    went_on = [*items, *wire.main_mode(16.1, top + 1)]
    assert only(went_on, 60).refused_by is None


def test_an_initiator_that_names_the_responders_cookie_had_message_2() -> None:
    """One direction of a client that refuses the group's password."""
    wire = Wire()
    found = only([wire.datagram(0, aggressive(1)), wire.datagram(0.1, _refusal(23))], 60)
    assert (found.initiator_state, found.responder_state) == (("AM_WAIT_MSG2",), ("AM_WAIT_MSG3",))


def test_a_responder_that_asks_again_and_again_has_message_3() -> None:
    wire = Wire()
    items = [wire.datagram(n / 10, aggressive(n), left=n != 2) for n in (1, 2, 3)]
    asks = [wire.datagram(at, transaction(1, 1), left=False) for at in (0.5, 8.5, 16.5)]
    assert only([*items, *asks], 60).outcome is Outcome.COMPLETED
    assert only([*items, *asks[:1]], 60).outcome is Outcome.INCONCLUSIVE
    again = wire.datagram(8.4, aggressive(2), left=False)
    assert only(sorted([*items, *asks, again], key=lambda d: d.time), 60).outcome is not Outcome.COMPLETED


def test_one_message_5_or_6_alone_shows_no_stall() -> None:
    """Who waits for message 6 repeats message 5; behind message 6 nothing is due."""
    wire = Wire()
    assert only(wire.main_mode(0, 5), 60).outcome is Outcome.INCONCLUSIVE
    assert only([*wire.main_mode(0, 5), *wire.main_mode(8, 5)], 60).outcome is Outcome.STALLED


def test_quick_mode_that_is_refused_once_shows_message_6_where_5_is_not_repeated() -> None:
    assert without_6(quick=(0.2,), answers=(0.25,)).outcome is Outcome.COMPLETED
    assert without_6(quick=(0.2,), answers=(0.25,), fives=(8,)).outcome is not Outcome.COMPLETED
    assert without_6(quick=(0.2,)).outcome is not Outcome.COMPLETED


def test_a_delete_behind_what_the_responder_says_refuses_no_message_6() -> None:
    """Quick Mode is not in the capture: the responder refuses it, and the initiator deletes the SA."""
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), wire.datagram(0.1, informational(1, octets=48), left=False)]
    found = only([*items, wire.datagram(0.2, informational(2, 0x78))], 60)
    assert (found.outcome, found.refused_by) == (Outcome.INCONCLUSIVE, None)


def test_initial_contact_at_the_end_of_the_capture_refuses_no_message_6() -> None:
    """Cisco tells it so; a delete is as long, and what follows shows which it was."""
    wire = Wire()
    unity = (13, bytes.fromhex("12f5f28c457168a9702d9fe274cc0100"))
    third = message(2, [*ke(), unity])
    items = [*wire.main_mode(0, 1, 2), wire.datagram(0.01, third), *wire.main_mode(0.02, 4, 5, 6)]
    items.append(wire.datagram(0.1, informational(1)))
    assert only(items, 0.2).outcome is Outcome.INCONCLUSIVE
    assert only(items, 60).refused_by is Side.INITIATOR


def test_a_responder_that_begins_quick_mode_has_sent_message_6() -> None:
    """Message 6 is not in the capture; the initiator repeats message 5 no more, and does not answer what follows."""
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4, 5)
    asks = [wire.datagram(at, quick_mode(1), left=False) for at in (0.5, 8.5, 16.5)]
    assert only([*items, *asks], 60).outcome is Outcome.COMPLETED
    assert only([*items, *asks[:1]], 60).outcome is not Outcome.COMPLETED
    assert only([*items, *asks, *wire.main_mode(9, 5)], 60).outcome is not Outcome.COMPLETED


def dpd(wire: Wire, *times: float) -> list[Datagram]:
    """DPD of the responder that is answered, at these times."""
    rows = [(at + late, n, left) for n, at in enumerate(times) for late, left in ((0.0, False), (0.02, True))]
    return [wire.datagram(at, informational(n + left, 0x40 + 2 * n + left), left=left) for at, n, left in rows]


def test_dpd_without_message_6_shows_that_it_was_there() -> None:
    """Message 6 is not in the capture, and the ends go on with DPD: none of it refuses message 5."""
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4, 5)
    found = only([*items, *dpd(wire, 10, 20)], 60)
    assert (found.outcome, found.initiator_state) == (Outcome.COMPLETED, ("MM_ACTIVE",))
    assert only([*items, *dpd(wire, 10)], 60).outcome is not Outcome.REJECTED
    assert only([*items, *dpd(wire, 10, 20), *wire.main_mode(30, 5)], 60).outcome is not Outcome.COMPLETED
    refused = only([*items, *dpd(wire, 0.1)], 60)  # a notify, and a delete that answers it
    assert (refused.outcome, refused.refused_by) == (Outcome.REJECTED, Side.RESPONDER)
    alone = only([*wire.main_mode(0, 6), *dpd(wire, 10, 20)], 60)
    assert (alone.outcome, alone.responder_state) == (Outcome.PARTIAL, ("MM_ACTIVE",))


@pytest.mark.parametrize("aggressively", [False, True])
def test_what_the_responder_says_behind_its_message_answers_what_the_capture_lacks(aggressively: bool) -> None:
    """Message 5 (aggressive: 3) is not in the capture; the responder refuses it, and the initiator deletes the SA."""
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4)
    if aggressively:
        items = [wire.datagram(n / 100, aggressive(n), left=n == 1) for n in (1, 2)]
    refused = [*items, wire.datagram(0.1, informational(1), left=False), wire.datagram(0.2, informational(2, 0x78))]
    assert only(refused, 60).refused_by is Side.RESPONDER
    gives_up = [*items, *[replace(items[-1], time=at * SECOND, ip_id=900 + at) for at in (8, 16)]]
    late = [*gives_up, wire.datagram(24, informational(1), left=False)]
    assert only(late, 60).outcome is Outcome.STALLED


def test_a_transmission_that_lost_an_ip_fragment_is_no_other_message() -> None:
    """Quick Mode message 1 in two IP fragments, of which one is missing once: it is not messages 1 and 3."""
    wire = Wire()
    large = wire.datagram(8, message(32, message_id=9, sealed=bytes(range(250)) * 6 + bytes(4), first=8))
    lost = FragmentLoss(
        frames=(Frame(0, 70),),
        time=SECOND,
        last_time=SECOND,
        source=large.source,
        destination=large.destination,
        source_port=500,
        destination_port=500,
        payload=large.payload[:1472],
        ttl=64,
        ip_id=77,
        missing=((1480, None),),
    )
    ((exchange, _),) = stops([*wire.main_mode(0, 1, 2, 3, 4, 5, 6), lost, large], 60)
    (asked,) = [s for s in exchange.steps if s.name.startswith("QM")]
    assert (asked.name, len(asked.sent), asked.whole) == ("QM1", 2, True)


@pytest.mark.parametrize("left", [True, False])
def test_a_delete_of_one_of_two_that_were_begun_at_once_refuses_nothing(left: bool) -> None:
    """Each end began; they keep what the responder's exchange made, and delete the other one."""
    wire = Wire()
    other = (b"\x33" * 8, b"\x44" * 8)
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), wire.datagram(0.2, informational(1), left=left)]
    items += [wire.datagram(n / 100, main_mode(n, other), left=n % 2 == 0) for n in range(1, 7)]
    used = [wire.datagram(0.3 + n / 100, quick_mode(n, cookies=other), left=n == 2) for n in (1, 2, 3)]
    (_, first), _ = stops(sorted([*items, *used], key=lambda d: d.time), 60)
    assert (first.outcome, first.refused_by) == (Outcome.SUPERSEDED, None)
    (_, first), _ = stops(sorted(items, key=lambda d: d.time), 60)
    assert first.refused_by is (Side.INITIATOR if left else None)


def test_what_answers_each_copy_of_the_last_message_refuses_it() -> None:
    """The initiator repeats message 3 of Aggressive Mode, and the responder complains of each, shortly."""
    wire = Wire()
    items = [wire.datagram(n / 100, aggressive(n), left=n != 2) for n in (1, 2, 3)]
    for n, at in enumerate((0.03, 4, 11)):
        items += [wire.datagram(at, aggressive(3))] if n else []
        items.append(wire.datagram(at + 0.02, informational(n, 0x60 + n, 48), left=False))
    assert only(items, 60).refused_by is Side.RESPONDER
    assert only(items[:4], 60).refused_by is None


@pytest.mark.parametrize(
    ("octets", "said"), [(28, "a notify of which the capture has no more"), (44, "NO_PROPOSAL_CHOSEN")]
)
def test_a_notify_that_a_short_snaplen_cuts_is_an_answer(octets: int, said: str) -> None:
    wire = Wire()
    refused = wire.datagram(0.1, message(5, [notify(14, COOKIE_I + COOKIE_R)]), left=False)
    cut = replace(refused, payload=refused.payload[:octets])
    found = only([*wire.main_mode(0, 1), cut], 60)
    assert (found.outcome, found.refused_by) == (Outcome.REJECTED, Side.RESPONDER)
    assert said in found.reason
    went_on = [*wire.main_mode(0, 1), cut, *wire.main_mode(0.2, 2, 3)]
    assert only(went_on, 1).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("last", [2, 3])
def test_thousands_of_informational_messages_are_not_held_against_each_other(
    last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can send them under cookies that were seen: what is looked at for each must not grow with all of them."""
    looked = 0

    def answered(exchange: Exchange, step: Step, real: Callable[[Exchange, Step], bool] = stopping.answered) -> bool:
        nonlocal looked
        looked += 1
        return real(exchange, step)

    monkeypatch.setattr(stopping, "answered", answered)
    wire = Wire()
    items = wire.main_mode(0, *range(1, last + 1))
    items += [wire.datagram(2 + n / 100, informational(n % 251, n), left=n % 2 != last % 2) for n in range(2_000)]
    assert only(items, 60).outcome is Outcome.STALLED
    assert looked < 200
