"""Where IKEv2 exchanges stop: hand-made ones, and every IKEv2 capture cut after each of its messages."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pcapdiag.capture.datagram import Captured, Datagram, EspFlow, Frame
from pcapdiag.capture.savefile import Savefile
from pcapdiag.diagnosis.outcome.ikev2 import MAX_LOOK_BACK, redirect_target
from pcapdiag.diagnosis.outcome.room import first_inside
from pcapdiag.diagnosis.outcome.stop import Outcome, Stop
from pcapdiag.diagnosis.verdict import Diagnosis, diagnose
from pcapdiag.exchange.model import Mode, Side
from pcapdiag.ike.registry import PayloadType
from tests import CAPTURES, SHARED
from tests.diagnosis.scenarios import (
    COOKIES,
    Cookies,
    diagnosed,
    fact,
    ikev2,
    kinds,
    notify_v2,
    only,
    other_cookies,
    statuses,
)
from tests.diagnosis.scenes import SA_WITH_GROUP_14, answer_in_part, init_of_ikev2, made
from tests.messages import COOKIE_I, LEFT, RIGHT, SECOND, ZERO, Wire, message

INIT, AUTH, CREATE, INFORM, INTERMEDIATE = 34, 35, 36, 37, 43
IDR, AUTHENTICATION, NOTIFY, DELETE, EAP = 36, 39, 41, 42, 48
NO_PROPOSAL, INVALID_KE = 14, 17
COOKIE, REDIRECT = 16390, 16407
LATE = 60.0


def exchanged(
    *rows: tuple[float, bytes, bool], init: bool = True, wire: Wire | None = None, at: float = 0
) -> list[Datagram]:
    """IKE_SA_INIT and its answer, then these messages: when, which, and whether the initiator sends it."""
    wire = wire or Wire()
    first = [(0.0, ikev2(INIT, request=True), True), (0.1, ikev2(INIT, request=False), False)] if init else []
    return [wire.datagram(at + time, octets, left=left) for time, octets, left in (*first, *rows)]


def asked(time: float, exchange: int = AUTH, number: int = 1, inner: int = 35) -> tuple[float, bytes, bool]:
    return time, ikev2(exchange, request=True, number=number, inner=inner), True


def answered(time: float, exchange: int = AUTH, number: int = 1, inner: int = IDR) -> tuple[float, bytes, bool]:
    return time, ikev2(exchange, request=False, number=number, inner=inner), False


def stop_of(items: Sequence[Captured], end: float | None = None) -> Stop:
    return only(items, end).stop


# --- an answer that is asked for again --------------------------------------------------------------------------

TRIES = (0.2, 4.2, 11.4, 24.36, 47.66, 89.66)
"""When strongSwan sends a request that is not answered: then it gives up."""


def asked_again(tries: int, end: float) -> Diagnosis:
    """IKE_AUTH, sent so often, and answered each time."""
    rows = [row for at in TRIES[:tries] for row in (asked(at), answered(at + 0.01))]
    return only(exchanged(*rows), end)


@pytest.mark.parametrize(("tries", "end"), [(6, 90.0), (6, 400.0), (5, 60.0), (4, 30.0)])
def test_an_answer_that_does_not_get_there(tries: int, end: float) -> None:
    found = asked_again(tries, end)
    assert (found.stop.outcome, found.stop.missing) == (Outcome.STALLED, "IKE_AUTH response")
    assert found.stop.initiator_state == ("IKE_AUTH",)
    assert "has not had the answer, or could not use it" in found.stop.reason
    assert "initiator-repeats-behind-answer" in kinds(found)
    assert next(iter(statuses(found))) == "path-loss"


@pytest.mark.parametrize(("tries", "end"), [(2, 400.0), (3, 400.0), (4, 400.0), (5, 400.0)])
def test_a_sender_that_stops_early_has_had_the_answer(tries: int, end: float) -> None:
    """Its schedule has a further try, and the capture goes on long enough to show it."""
    assert asked_again(tries, end).stop.outcome is Outcome.COMPLETED


def test_what_goes_on_under_the_sa_shows_that_the_answer_came() -> None:
    rows = [row for at in TRIES for row in (asked(at), answered(at + 0.01))]
    found = only(exchanged(*rows, asked(95, INFORM, 2, 0), answered(95.1, INFORM, 2, 0)), 200)
    assert found.stop.outcome is Outcome.COMPLETED


def test_a_responder_that_forgot_answers_anew() -> None:
    """strongSwan drops what stays half open after 30 s; the next copy of the request makes a new IKE SA."""
    wire = Wire()
    items = []
    for at in TRIES:
        cookies = COOKIES if at < 30 else (COOKIES[0], bytes([round(at)]) * 8)
        items += [
            wire.datagram(at, ikev2(INIT, request=True)),
            wire.datagram(at + 0.1, ikev2(INIT, request=False, cookies=cookies), left=False),
        ]
    found = only(items)
    assert (found.stop.outcome, found.stop.missing) == (Outcome.STALLED, "IKE_AUTH request")
    assert [f.number for f in fact(found, "initiator-repeats-behind-answer").frames] == [2, 3, 5, 7, 9, 11]


def test_ike_sa_init_that_is_asked_for_again() -> None:
    wire = Wire()
    items = [
        wire.datagram(at + more, ikev2(INIT, request=not more), left=not more)
        for at in (0, 4, 11.2)
        for more in (0, 0.1)
    ]
    found = only(items, LATE)
    assert (found.stop.outcome, found.stop.missing) == (Outcome.STALLED, "IKE_AUTH request")
    assert (found.stop.initiator_state, found.stop.responder_state) == (("IKE_SA_INIT",), ("IKE_AUTH",))
    assert "IKE_SA_INIT request is still repeated" in found.stop.reason
    assert "initiator-repeats-behind-answer" in kinds(found)
    assert next(iter(statuses(found))) == "path-loss"


# --- IKE_SA_INIT -----------------------------------------------------------------------------------------------


def test_init_unanswered() -> None:
    wire = Wire()
    items = [wire.datagram(t, ikev2(INIT, request=True)) for t in (0, 4, 11)]
    stop = stop_of(items, LATE)
    assert (stop.outcome, stop.missing, stop.waits_for) == (Outcome.STALLED, "IKE_SA_INIT response", Side.RESPONDER)
    assert (stop.initiator_state, stop.responder_state) == (("IKE_SA_INIT",), ())
    assert [f.number for f in stop.frames] == [1, 2, 3]
    early = stop_of(items[:1])
    assert early.outcome is Outcome.INCONCLUSIVE
    assert "capture ends" in early.reason


@pytest.mark.parametrize(("number", "data"), [(COOKIE, bytes(20)), (INVALID_KE, b"\x00\x13")])
def test_the_first_request_is_due_once_more(number: int, data: bytes) -> None:
    wire = Wire()
    items = [
        wire.datagram(0, ikev2(INIT, request=True)),
        wire.datagram(0.1, ikev2(INIT, request=False, extra=[notify_v2(number, data)]), left=False),
    ]
    stop = stop_of(items, LATE)
    assert (stop.outcome, stop.missing, stop.waits_for) == (Outcome.STALLED, "IKE_SA_INIT request", Side.INITIATOR)
    assert (stop.initiator_state, stop.responder_state) == ((), ("IKE_SA_INIT",))
    assert stop_of(items).outcome is Outcome.INCONCLUSIVE


def test_silence_behind_a_whole_answer() -> None:
    stop = stop_of(exchanged(), LATE)
    assert (stop.outcome, stop.missing, stop.waits_for) == (Outcome.STALLED, "IKE_AUTH request", Side.INITIATOR)
    assert stop.responder_state == ("IKE_AUTH",)


def _init_answer(*extra: tuple[int, bytes]) -> Stop:
    wire = Wire()
    request = wire.datagram(0, ikev2(INIT, request=True))
    return stop_of([request, wire.datagram(0.1, ikev2(INIT, request=False, extra=extra), left=False)])


def test_no_proposal_chosen() -> None:
    stop = _init_answer(notify_v2(NO_PROPOSAL))
    assert (stop.outcome, stop.refused_by, stop.missing) == (Outcome.REJECTED, Side.RESPONDER, None)
    assert "NO_PROPOSAL_CHOSEN" in stop.reason
    assert [f.number for f in stop.frames] == [2]


@pytest.mark.parametrize(
    ("target", "text"),
    [(b"\x01\x04\xcb\x00\x71\x09", "203.0.113.9"), (b"\x03\x0fgw.example.test", "gw.example.test")],
)
def test_redirect(target: bytes, text: str) -> None:
    stop = _init_answer(notify_v2(REDIRECT, target))
    assert (stop.outcome, stop.refused_by) == (Outcome.REJECTED, Side.RESPONDER)
    assert stop.reason == f"The responder redirects the initiator to {text}."


def test_refusal_that_the_initiator_got_over() -> None:
    wire = Wire()
    rows = [asked(0.4), answered(0.5)]
    items = [
        wire.datagram(0, ikev2(INIT, request=True)),
        wire.datagram(0.1, ikev2(INIT, request=False, extra=[notify_v2(NO_PROPOSAL)]), left=False),
        *exchanged(*rows, wire=wire, at=0.2),
    ]
    assert stop_of(items).outcome is Outcome.COMPLETED


# --- the target of a redirect ----------------------------------------------------------------------------------

TARGETS = [
    (b"\x01\x04\xc0\x00\x02\x01", "192.0.2.1"),
    (b"\x02\x10" + bytes.fromhex("20010db8") + bytes(11) + b"\x01", "2001:db8::1"),
    (b"\x03\x07gateway" + bytes(16), "gateway"),  # nonce data follows
    (b"", "another gateway"),
    (b"\x03", "another gateway"),
    (b"\x03\x00", "another gateway"),
]


@pytest.mark.parametrize(("data", "text"), TARGETS)
def test_redirect_target(data: bytes, text: str) -> None:
    assert redirect_target(data) == text


@given(st.binary(max_size=40))
def test_redirect_target_of_hostile_octets(data: bytes) -> None:
    text = redirect_target(data)
    assert text
    assert text.isascii()
    assert text.isprintable()


# --- IKE_AUTH --------------------------------------------------------------------------------------------------


def test_auth_unanswered() -> None:
    stop = stop_of(exchanged(asked(0.2), asked(4)), LATE)
    assert (stop.outcome, stop.missing, stop.waits_for) == (Outcome.STALLED, "IKE_AUTH response", Side.RESPONDER)
    assert stop.initiator_state == ("IKE_AUTH",)
    assert [f.number for f in stop.frames] == [3, 4]


def test_auth_answered_by_a_notify_alone() -> None:
    stop = stop_of(exchanged(asked(0.2), answered(0.3, inner=NOTIFY)))
    assert (stop.outcome, stop.refused_by, stop.missing) == (Outcome.REJECTED, Side.RESPONDER, "IKE_AUTH response")
    assert [f.number for f in stop.frames] == [4]


@pytest.mark.parametrize("inner", [IDR, AUTHENTICATION])
def test_auth_answered_by_identity_or_authentication(inner: int) -> None:
    stop = stop_of(exchanged(asked(0.2), answered(0.3, inner=inner)))
    assert (stop.outcome, stop.missing, stop.refused_by) == (Outcome.COMPLETED, None, None)
    assert [f.number for f in stop.frames] == [4]


def test_eap_goes_round_until_the_responder_proves_itself() -> None:
    rows = [
        asked(0.2),
        answered(0.3),
        asked(0.4, number=2, inner=EAP),
        answered(0.5, number=2, inner=EAP),
        asked(0.6, number=3, inner=EAP),
        answered(0.7, number=3, inner=EAP),
        asked(0.8, number=4, inner=AUTHENTICATION),
        answered(0.9, number=4, inner=AUTHENTICATION),
    ]
    missing = {3: "IKE_AUTH response", 4: "IKE_AUTH request", 5: "IKE_AUTH response", 6: "IKE_AUTH request"}
    for count, name in missing.items():
        stop = stop_of(exchanged(*rows[:count]), LATE)
        assert (stop.outcome, stop.missing) == (Outcome.STALLED, name)
    assert stop_of(exchanged(*rows)).outcome is Outcome.COMPLETED


def test_eap_that_the_responder_ends_with_a_notify() -> None:
    rows = [asked(0.2), answered(0.3), asked(0.4, number=2, inner=EAP), answered(0.5, number=2, inner=NOTIFY)]
    stop = stop_of(exchanged(*rows))
    assert (stop.outcome, stop.refused_by) == (Outcome.REJECTED, Side.RESPONDER)


def test_notify_of_the_initiator_right_behind_the_answer() -> None:
    rows = [asked(0.2), answered(0.3), asked(0.4, INFORM, 2, NOTIFY)]
    stop = stop_of(exchanged(*rows))
    assert (stop.outcome, stop.refused_by, stop.missing) == (Outcome.REJECTED, Side.INITIATOR, None)
    assert [f.number for f in stop.frames] == [5]
    with_answer = stop_of(exchanged(*rows, answered(0.5, INFORM, 2, 0)))
    assert with_answer.refused_by is Side.INITIATOR


@pytest.mark.parametrize(
    "later",
    [
        [asked(10, INFORM, 2, NOTIFY)],  # too late to be the answer to IKE_AUTH
        [asked(0.4, INFORM, 2, NOTIFY), asked(3, CREATE, 3, 33), answered(3.1, CREATE, 3, 33)],
    ],
)
def test_what_is_no_refusal_behind_the_answer(later: list[tuple[float, bytes, bool]]) -> None:
    assert stop_of(exchanged(asked(0.2), answered(0.3), *later)).outcome is Outcome.COMPLETED


@pytest.mark.parametrize("by_initiator", [True, False])
def test_what_is_deleted_at_once_never_came_up(by_initiator: bool) -> None:
    octets = ikev2(INFORM, request=True, number=2 if by_initiator else 0, inner=DELETE)
    octets = octets if by_initiator else octets[:19] + b"\0" + octets[20:]  # the flag of the original initiator
    delete = (0.4, octets, by_initiator)
    rows = [asked(0.2), answered(0.3), delete]
    stop = stop_of(exchanged(*rows), LATE)
    assert stop.outcome is Outcome.REJECTED
    assert "deleted what IKE_AUTH had just made" in stop.reason
    later = (delete[0] + 10, delete[1], delete[2])
    assert stop_of(exchanged(*rows[:2], later), LATE).outcome is Outcome.COMPLETED


@pytest.mark.parametrize("number", [1, 2])
def test_an_answer_that_nobody_asked_for_proves_nothing(number: int) -> None:
    """Only the right request has a response (RFC 7296 §2.1), and this one was never asked."""
    stop = stop_of(exchanged(asked(0.2), answered(30, INFORM, number, 0)), LATE)
    assert (stop.outcome, stop.missing) == (Outcome.STALLED, "IKE_AUTH response")


def test_esp_both_ways_outweighs_an_answer_that_looks_too_small() -> None:
    items = exchanged(asked(0.2), answered(0.3, inner=NOTIFY))
    (refused,) = diagnosed(items, LATE)
    assert refused.stop.outcome is Outcome.REJECTED
    flows = [
        EspFlow(one, other, None, None, spi, 9, Frame(0, 9), Frame(0, 30), SECOND, 30 * SECOND)
        for one, other, spi in ((LEFT, RIGHT, 1), (RIGHT, LEFT, 2))
    ]
    (found,) = diagnose([refused.exchange], 60 * SECOND, esp=flows)
    assert found.stop.outcome is not Outcome.REJECTED
    (one_way,) = diagnose([refused.exchange], 60 * SECOND, esp=flows[:1])
    assert one_way.stop.outcome is Outcome.REJECTED


def test_intermediate_in_between() -> None:
    rows = [
        asked(0.2, INTERMEDIATE, 1),
        answered(0.3, INTERMEDIATE, 1),
        asked(0.4, AUTH, 2),
        answered(0.5, AUTH, 2),
    ]
    found = []
    for count in range(1, 5):
        stop = stop_of(exchanged(*rows[:count]), LATE)
        found.append((stop.outcome, stop.missing))
    assert found == [
        (Outcome.STALLED, "IKE_INTERMEDIATE response"),
        (Outcome.STALLED, "IKE_AUTH request"),
        (Outcome.STALLED, "IKE_AUTH response"),
        (Outcome.COMPLETED, None),
    ]


# --- an IKE SA without IKE_SA_INIT -----------------------------------------------------------------------------


def _inform(wire: Wire, at: float, cookies: Cookies) -> list[Datagram]:
    sent = [(at, True), (at + 0.1, False)]
    return [
        wire.datagram(t, ikev2(INFORM, request=left, cookies=cookies, inner=0, octets=60), left=left)
        for t, left in sent
    ]


def test_rekeyed_ike_sa() -> None:
    wire = Wire()
    rows = [asked(0.2), answered(0.3), asked(100, CREATE, 2, 33), answered(100.1, CREATE, 2, 33)]
    first, second = diagnosed([*exchanged(*rows, wire=wire), *_inform(wire, 120, other_cookies(1))])
    assert first.stop.outcome is Outcome.COMPLETED
    assert second.stop.outcome is Outcome.COMPLETED
    assert f"the IKE SA of exchange {first.exchange.id}" in second.stop.reason


@pytest.mark.parametrize("at", [50, 500])
def test_no_rekey_just_before_it(at: float) -> None:
    """Before the CREATE_CHILD_SA response, or long after it: the beginning is not in the capture."""
    wire = Wire()
    rows = [asked(0.2), answered(0.3), asked(100, CREATE, 2, 33), answered(100.1, CREATE, 2, 33)]
    items = sorted([*exchanged(*rows, wire=wire), *_inform(wire, at, other_cookies(1))], key=lambda d: d.time)
    second = diagnosed(items)[1].stop
    assert second.outcome is Outcome.PARTIAL
    assert "rekeyed" not in second.reason


def test_beginning_not_in_the_capture() -> None:
    wire = Wire()
    found = only(_inform(wire, 0, other_cookies(1)))
    assert found.stop.outcome is Outcome.PARTIAL
    assert found.completed
    late = only(exchanged(asked(0.2), answered(0.3), init=False))
    assert late.stop.outcome is Outcome.PARTIAL
    assert late.stop.reason.startswith("The beginning is not in the capture; the responder answered")


def test_a_crowd_before_the_rekey_is_not_searched_without_end() -> None:
    wire = Wire()
    crowd = [
        wire.datagram(n / 100, ikev2(INIT, request=True, cookies=(n.to_bytes(8, "big"), bytes(8))))
        for n in range(1, MAX_LOOK_BACK + 1)
    ]
    rows = [asked(0.2), answered(0.3), asked(1, CREATE, 2, 33), answered(1.1, CREATE, 2, 33)]
    items = [*crowd, *exchanged(*rows, wire=wire, at=2), *_inform(wire, 10, other_cookies(1))]
    found = next(d for d in diagnosed(items) if d.exchange.initiator_spi == other_cookies(1)[0])
    assert found.stop.outcome is Outcome.PARTIAL


def test_first_inside() -> None:
    steps = only(exchanged(asked(0.2), answered(0.3, inner=EAP))).exchange.steps
    assert [first_inside(s) for s in steps] == [None, None, PayloadType.IDI, PayloadType.EAP]
    (step,) = only(Wire().main_mode(0, 5)).exchange.steps
    assert first_inside(step) is None


# --- derived captures ------------------------------------------------------------------------------------------

LAB = SHARED / "lab"
IKEV2_CAPTURES = [
    *sorted(CAPTURES.glob("ikev2-*.pcap")),
    *sorted(p for folder in ("16*", "19j*") for p in LAB.glob(f"{folder}/*.pcap")),
]
MOST = 80
"""Messages of one capture that are cut at: beyond it are only DPDs."""


def _ends(items: Sequence[Captured]) -> dict[bytes, tuple[Outcome, bool, bool]]:
    """By SPI: the outcome by itself, whether it begins with IKE_SA_INIT, and whether the responder proved itself."""
    found = {}
    for d in diagnosed(items):
        if d.exchange.mode is not Mode.IKEV2:
            continue
        begun = any(s.name.startswith("IKE_SA_INIT") for s in d.exchange.steps)
        inside = [first_inside(s) for s in d.exchange.named("IKE_AUTH response")]
        proved = any(kind not in (None, PayloadType.EAP, PayloadType.NOTIFY2) for kind in inside)
        found[d.exchange.initiator_spi] = (d.stop.before or d.stop.outcome, begun, proved)
    return found


@pytest.mark.parametrize("path", IKEV2_CAPTURES, ids=lambda p: "-".join(p.relative_to(p.parents[1]).parts))
def test_cut_after_every_message(path: Path) -> None:
    items = list(Savefile(path))
    intact = _ends(items)
    for count in range(1, min(len(items), MOST) + 1):
        for spi, (outcome, begun, proved) in _ends(items[:count]).items():
            where = f"cut after item {count}, {spi.hex()}"
            if begun and outcome is Outcome.COMPLETED:
                assert proved, where
            if outcome is Outcome.REJECTED:
                assert intact[spi][0] is Outcome.REJECTED, where


def test_a_damaged_first_payload_completes_nothing() -> None:
    intact = only(exchanged(asked(1), answered(1.1)))
    damaged = only(exchanged(asked(1), answered(1.1, inner=255)))
    assert (intact.stop.outcome, damaged.stop.outcome) == (Outcome.COMPLETED, Outcome.INCONCLUSIVE)


# --- what cannot be, and what is not there -----------------------------------------------------------------------


def test_an_answer_to_what_the_capture_does_not_have_completes_nothing() -> None:
    assert stop_of(exchanged(answered(0.2)), 60).outcome is Outcome.INCONCLUSIVE
    assert stop_of(exchanged(asked(0.2), answered(0.3, number=3)), 60).outcome is not Outcome.COMPLETED


@pytest.mark.parametrize(
    "row",
    [
        answered(0.15, number=0),  # IKE_SA_INIT has message ID 0 (RFC 7296 §2.2)
        asked(0.15, number=0),
        answered(0.15, number=2, inner=41),
        (0.15, ikev2(AUTH, request=False, number=1), True),  # the initiator answers no IKE_AUTH
        (0.15, ikev2(AUTH, request=True, number=1), False),  # and the responder asks none
    ],
)
def test_what_cannot_be_of_ike_auth_takes_nothing_from_it(row: tuple[float, bytes, bool]) -> None:
    assert stop_of(exchanged(row, asked(1), answered(1.1)), 60).outcome is Outcome.COMPLETED
    assert stop_of(exchanged(row, asked(1), asked(5), asked(12)), 60).outcome is Outcome.STALLED


def test_a_refusal_that_was_recorded_before_what_it_refuses() -> None:
    rows = [asked(0.2), asked(0.299, INFORM, 2, 41), answered(0.3), answered(0.301, INFORM, 2, 0)]
    found = stop_of(exchanged(*rows), 60)
    assert (found.outcome, found.refused_by) == (Outcome.REJECTED, Side.INITIATOR)


def test_a_notify_behind_an_answer_that_is_not_there_shows_no_ike_sa() -> None:
    rows = [asked(0.2), asked(2.3, INFORM, 2, 41), answered(2.4, INFORM, 2, 0)]
    assert stop_of(exchanged(*rows), 60).outcome is Outcome.STALLED


def test_a_late_error_about_ike_sa_init_ends_nothing() -> None:
    late = (2.0, ikev2(INIT, request=False, extra=[notify_v2(14)]), False)
    found = stop_of(exchanged(asked(1, INFORM, 2, 0), answered(1.1, INFORM, 2, 0), late), 60)
    assert found.outcome is Outcome.COMPLETED


def test_a_notify_or_delete_that_is_not_the_next_request_takes_nothing_back() -> None:
    rows = [asked(0.2), answered(0.3), asked(0.4, INFORM, 0, DELETE)]
    assert stop_of(exchanged(*rows), LATE).outcome is Outcome.COMPLETED


def test_eap_with_its_last_request_missing() -> None:
    """The first answer begins with IDr and may hold a proof (RFC 7296 §2.16); it is not the last one."""
    rows = [asked(0.2), answered(0.3), asked(0.4, number=2, inner=EAP), answered(0.5, number=2, inner=EAP)]
    rows += [answered(2.5, number=3, inner=EAP), asked(2.6, INFORM, 4, NOTIFY), answered(2.7, INFORM, 4, 0)]
    assert stop_of(exchanged(*rows), LATE).outcome is not Outcome.COMPLETED


def test_the_next_request_tells_the_last_message_of_ike_auth() -> None:
    """Message 2 of IKE_AUTH was answered before the request that has 3; both its packets are not in the capture."""
    rows = [asked(0.2), answered(0.3), asked(2.6, INFORM, 3, NOTIFY), answered(2.7, INFORM, 3, 0)]
    late = [asked(0.2), answered(0.3), answered(0.4, number=5, inner=41), asked(9, INFORM, 2, 0)]
    assert stop_of(exchanged(*rows, answered(2.5, number=2, inner=EAP)), LATE).outcome is not Outcome.COMPLETED
    assert stop_of(exchanged(*late, answered(9.1, INFORM, 2, 0)), LATE).outcome is Outcome.COMPLETED


def test_an_answer_in_clear_comes_after_an_encrypted_one() -> None:
    clear = message(AUTH, [notify_v2(7)], version=0x20, flags=0x20, message_id=1)
    rows = [asked(0.2), (0.25, clear, False), answered(0.3)]
    assert stop_of(exchanged(*rows), LATE).outcome is Outcome.COMPLETED
    assert stop_of(exchanged(*rows[:2]), LATE).outcome is Outcome.REJECTED


def test_one_request_shows_no_capture_of_one_direction() -> None:
    wire = Wire()
    init = [wire.datagram(at, ikev2(INIT, request=True)) for at in (0, 4, 11)]
    odd = wire.datagram(1, ikev2(CREATE, request=True, number=2, inner=33))
    assert stop_of(sorted([*init, odd], key=lambda d: d.time), LATE).outcome is Outcome.STALLED


def test_an_answer_recorded_before_its_request_gives_way_to_the_one_behind_it() -> None:
    rows = [answered(0.15, inner=40), asked(0.2), answered(0.3, inner=41)]
    assert stop_of(exchanged(*rows), LATE).outcome is Outcome.REJECTED


# --- what is not in the capture ----------------------------------------------------------------------------------


def test_a_request_seen_in_one_direction_is_no_stall() -> None:
    """An initiator without an answer asks again (RFC 7296 §2.1); this one does not."""
    rows = [d for d in exchanged(asked(0.2)) if d.source == LEFT]
    assert only(rows, LATE).stop.outcome is Outcome.INCONCLUSIVE
    again = [d for d in exchanged(*(asked(at) for at in TRIES)) if d.source == LEFT]
    assert only(again, 300).stop.outcome is Outcome.STALLED


@pytest.mark.parametrize(("begun", "outcome"), [(1.0, Outcome.COMPLETED), (0.15, Outcome.STALLED)])
def test_esp_both_ways_behind_a_request_shows_its_answer(begun: float, outcome: Outcome) -> None:
    (refused,) = diagnosed(exchanged(asked(0.2)), LATE)
    flows = [
        EspFlow(*ends, 4500, 4500, n, 5, Frame(0, 20 + n), Frame(0, 30 + n), round(begun * SECOND), round(9 * SECOND))
        for n, ends in enumerate(((LEFT, RIGHT), (RIGHT, LEFT)))
    ]
    (found,) = diagnose([refused.exchange], 60 * SECOND, esp=flows)
    assert found.stop.outcome is outcome


def test_esp_while_the_request_is_still_repeated_is_of_another_sa() -> None:
    (stalled,) = diagnosed(exchanged(*(asked(at) for at in TRIES)), 300)
    flows = [
        EspFlow(*ends, 4500, 4500, n, 5, Frame(0, 20 + n), Frame(0, 30 + n), 1 * SECOND, 99 * SECOND)
        for n, ends in enumerate(((LEFT, RIGHT), (RIGHT, LEFT)))
    ]
    (found,) = diagnose([stalled.exchange], 300 * SECOND, esp=flows)
    assert found.stop.outcome is Outcome.STALLED


def test_a_capture_that_ends_while_the_answer_is_asked_for_again_claims_nothing() -> None:
    assert asked_again(2, 4.3).stop.outcome is Outcome.INCONCLUSIVE
    assert asked_again(3, 11.5).stop.outcome is Outcome.INCONCLUSIVE
    assert asked_again(1, 0.3).stop.outcome is Outcome.COMPLETED


def test_a_delete_long_behind_a_request_refuses_nothing() -> None:
    """The initiator counts on only when it has the answer (RFC 7296 §2.3), which is not in the capture."""
    late = [asked(0.2), asked(30, INFORM, 2, DELETE), answered(30.1, INFORM, 2, 0)]
    assert only(exchanged(*late), 90).stop.outcome is Outcome.COMPLETED
    close = [asked(0.2), asked(0.4, INFORM, 2, DELETE), answered(0.5, INFORM, 2, 0)]
    assert only(exchanged(*close), 90).stop.outcome is not Outcome.COMPLETED


def test_what_the_initiator_answers_at_once_may_have_been_a_delete() -> None:
    answer = message(INFORM, version=0x20, flags=0x28, sealed=None, length=28 + 52)
    answer = answer[:16] + bytes([46]) + answer[17:] + bytes([0, 0, 0, 52]) + bytes(48)
    found = only(exchanged(asked(0.2), answered(0.3), (0.4, answer, True)), LATE)
    assert found.stop.outcome is Outcome.INCONCLUSIVE
    assert "the responder sent a request at once" in found.stop.reason


@pytest.mark.parametrize(
    ("octets", "certreq", "outcome"),
    [
        (1400, False, Outcome.INCONCLUSIVE),
        (1400, True, Outcome.COMPLETED),
        (300, False, Outcome.COMPLETED),
    ],
)
def test_an_answer_that_may_be_the_first_of_eap(octets: int, certreq: bool, outcome: Outcome) -> None:
    """The responder shows a certificate and asks for none, and nothing follows."""
    wire = Wire()
    whole = [(33, SA_WITH_GROUP_14), (34, bytes(260)), (40, bytes(32)), *([(38, bytes(21))] if certreq else [])]
    first = message(INIT, whole[:3], version=0x20, flags=0x08, cookies=(COOKIES[0], bytes(8)))
    items = [
        wire.datagram(0, first),
        wire.datagram(0.1, message(INIT, whole, version=0x20, flags=0x20), left=False),
        wire.datagram(0.2, ikev2(AUTH, request=True, number=1)),
        wire.datagram(0.3, ikev2(AUTH, request=False, number=1, inner=IDR, octets=octets), left=False),
    ]
    assert only(items, LATE).stop.outcome is outcome
    goes_on = [wire.datagram(t, m, left=left) for t, m, left in (asked(5, INFORM, 2, 0), answered(5.1, INFORM, 2, 0))]
    assert only([*items, *goes_on], LATE).stop.outcome is Outcome.COMPLETED


def test_a_session_that_is_resumed_has_its_beginning() -> None:
    """RFC 5723 §4.3.1: IKE_SESSION_RESUME stands in the place of IKE_SA_INIT."""
    wire = Wire()
    ticket, nonce = notify_v2(16410, bytes(200)), (40, bytes(32))
    resume = message(38, [ticket, nonce], version=0x20, flags=0x08, cookies=(COOKIES[0], bytes(8)))
    rows = [(0.0, resume, True), (0.1, message(38, [nonce], version=0x20, flags=0x20), False)]
    rows += [asked(0.2), answered(0.3)]
    found = only([wire.datagram(t, m, left=left) for t, m, left in rows], LATE)
    assert found.stop.outcome is Outcome.COMPLETED
    silent = only([wire.datagram(t, resume) for t in (0, 4, 11)], LATE)
    assert (silent.stop.outcome, silent.stop.missing) == (Outcome.STALLED, "IKE_SESSION_RESUME response")


@pytest.mark.parametrize(("inner", "outcome"), [(NOTIFY, Outcome.REJECTED), (34, Outcome.STALLED)])
def test_a_key_exchange_that_a_notify_answers_is_refused(inner: int, outcome: Outcome) -> None:
    """RFC 9370 §2.2.2: KE answers KE in IKE_INTERMEDIATE."""
    rows = [asked(0.2, INTERMEDIATE, 1, 34), answered(0.3, INTERMEDIATE, 1, inner)]
    assert only(exchanged(*rows), LATE).stop.outcome is outcome
    goes_on = [*rows, asked(0.4, AUTH, 2), answered(0.5, AUTH, 2)]
    assert only(exchanged(*goes_on), LATE).stop.outcome is Outcome.COMPLETED


@pytest.mark.parametrize(
    ("again", "outcome"),
    [((), Outcome.COMPLETED), ((2.2,), Outcome.INCONCLUSIVE), ((2.2, 6.2, 14.2), Outcome.STALLED)],
)
def test_an_answer_that_comes_in_part_and_is_asked_for_again(again: Sequence[float], outcome: Outcome) -> None:
    """Who gives up before its schedule ends has had a whole answer, and none of which the capture lacks fragments.

    Without a repetition the capture alone may lack them: its filter may see the first fragments only.
    """
    found = only(*answer_in_part(*again))
    assert found.stop.outcome is outcome
    assert "own interface" not in "".join([found.stop.reason, *(e.text for e in found.evidence)])


def test_identity_without_room_for_a_proof_is_not_yet_a_refusal() -> None:
    found = only(*made("asked_by_eap_alone"))
    assert found.stop.outcome is Outcome.INCONCLUSIVE
    assert "psk-mismatch" not in statuses(found)
    items, end = made("asked_by_eap_alone")
    wire = Wire()
    wire.number = 20
    further = wire.datagram(2, ikev2(35, request=True, number=2, inner=48))
    assert only([*items, further], end).stop.missing == "IKE_AUTH response"


def test_a_refusal_without_the_flag_of_a_response() -> None:
    wire = Wire()
    first = init_of_ikev2(wire)[0]
    answer = message(34, [notify_v2(14)], version=0x20, cookies=(COOKIE_I, ZERO))
    found = only([first, wire.datagram(0.1, answer, left=False)], 60)
    assert (found.stop.outcome, found.stop.refused_by) == (Outcome.REJECTED, Side.RESPONDER)


def test_an_initiator_that_answers_nothing_has_not_had_the_answer() -> None:
    items, end = made("responder_asks_an_initiator_that_never_had_the_answer")
    assert only(items, end).stop.outcome is Outcome.STALLED
    assert "peer-lost" not in statuses(only(items, end))
    assert only(items[:-5], end).stop.outcome is Outcome.COMPLETED


def test_what_the_capture_cut_right_behind_the_answer_may_be_a_refusal() -> None:
    wire = Wire()
    up = [
        *init_of_ikev2(wire),
        wire.datagram(0.2, ikev2(35, request=True, number=1)),
        wire.datagram(0.3, ikev2(35, request=False, number=1, inner=IDR), left=False),
    ]
    asked = wire.datagram(0.4, ikev2(INFORM, request=True, number=2, inner=NOTIFY, octets=76 - 28))
    reply = wire.datagram(0.5, ikev2(INFORM, request=False, number=2, inner=0, octets=76 - 28), left=False)
    cut = [replace(d, payload=d.payload[:28]) for d in (asked, reply)]
    assert only([*up, asked, reply], LATE).stop.outcome is Outcome.REJECTED
    assert only([*up, *cut], LATE).stop.outcome is Outcome.INCONCLUSIVE
    later = [replace(d, time=d.time + 20 * SECOND, ip_id=90) for d in cut]
    assert only([*up, *later], LATE).stop.outcome is Outcome.COMPLETED


# --- what is recorded out of order -------------------------------------------------------------------------------


def answers_first(items: Sequence[Captured]) -> list[Captured]:
    """The same, each answer recorded a moment before its request, as captures of several queues do."""
    found: list[Captured] = []
    for item in items:
        asked = found[-1] if found else None
        if isinstance(item, Datagram) and isinstance(asked, Datagram) and item.source != asked.source:
            found[-1:] = [replace(item, time=asked.time - 20_000), asked]
        else:
            found.append(item)
    return found


@pytest.mark.parametrize(
    "name",
    [
        "ikev2_no_proposal_chosen",
        "ikev2_authentication_refused",
        "child_sa_refused",
        "eap_refused",
        "cookies_that_are_not_taken",
        "request_under_a_forgotten_ike_sa",
        "child_refused_for_the_moment",
    ],
)
def test_answers_that_are_recorded_before_their_requests(name: str) -> None:
    items, end = made(name)
    swapped = answers_first(items)
    assert swapped != items
    found, expected = only(swapped, end), only(items, end)
    assert (found.stop.outcome, found.tunnel.state) == (expected.stop.outcome, expected.tunnel.state)
    assert list(statuses(found).items())[:1] == list(statuses(expected).items())[:1]
    assert [s.name for s in found.exchange.steps] == [s.name for s in expected.exchange.steps]


def test_an_answer_long_before_any_request_stays_where_it_is() -> None:
    items, end = made("ikev2_no_proposal_chosen")
    first = [replace(d, time=d.time - SECOND) for d in items[1:]]
    assert [s.name for s in only([*first, items[0]], end).exchange.steps] == [
        "IKE_SA_INIT response",
        "IKE_SA_INIT request",
    ]
