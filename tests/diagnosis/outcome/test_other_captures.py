"""The same truth under another capture: snapped, of one direction, begun late, or without a packet that went by."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from pcapdiag.capture.datagram import Captured, Datagram
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.tunnel import TunnelState
from pcapdiag.diagnosis.verdict import Diagnosis
from tests.diagnosis.scenarios import (
    COOKIES,
    PUBLIC,
    captured,
    choice,
    diagnosed,
    diagnosed_until,
    fact,
    floated,
    ikev2,
    keying,
    kinds,
    notify_v2,
    offer,
    only,
    other_cookies,
    repeated,
    sealed,
    statuses,
    with_nat,
)
from tests.diagnosis.scenes import AES256, SA_WITH_GROUP_14, SCENES, init_of_ikev2
from tests.messages import LEFT, RIGHT, SECOND, Wire, informational, message, quick_mode

INIT, AUTH, CREATE, INFORM = 34, 35, 36, 37
SA, IDR, NOTIFY = 33, 36, 41


def of_scene(name: str) -> Diagnosis:
    return only(*SCENES[name]())


def without(items: Iterable[Captured], *names: int) -> list[Captured]:
    """Without the packets at these places, counted from 1."""
    return [item for n, item in enumerate(items, 1) if n not in names]


# --- IKEv2 without the negotiated algorithms ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inner", "octets", "expected"),
    [
        (NOTIFY, 48, Outcome.INCONCLUSIVE),
        (NOTIFY, 200, Outcome.COMPLETED),
        (SA, 80, Outcome.COMPLETED),
        (SA, 20, Outcome.REJECTED),
    ],
)
def test_a_child_sa_whose_size_tells_nothing(inner: int, octets: int, expected: Outcome) -> None:
    """A capture that begins late: a refusal of 8 octets may be as long as an SA, by what is around it."""
    wire = Wire()
    asked = wire.datagram(0, ikev2(CREATE, request=True, number=5, inner=SA))
    answer = wire.datagram(0.1, ikev2(CREATE, request=False, number=5, inner=inner, octets=octets), left=False)
    (child,) = only([asked, answer], 60).phase2
    assert child.outcome is expected


@pytest.mark.parametrize("octets", [100, 160])
def test_no_tunnel_is_told_by_a_size_that_may_be_a_refusal(octets: int) -> None:
    wire = Wire()
    items = [
        wire.datagram(0, ikev2(AUTH, request=True, number=1)),
        wire.datagram(0.1, ikev2(AUTH, request=False, number=1, inner=IDR, octets=octets), left=False),
    ]
    found = only(items, 60)
    assert found.tunnel.state is TunnelState.UNKNOWN
    assert "ike-auth-without-child" not in kinds(found)


def test_a_large_answer_shows_a_certificate() -> None:
    found = of_scene("certificate_refused_where_the_algorithms_are_cut_off")
    assert found.stop.outcome is Outcome.REJECTED
    assert found.causes[0].cause.id == "certificate-rejected"
    assert statuses(found)["certificate-rejected"] == "likely"
    assert "psk-mismatch" not in statuses(found)


def test_a_snapped_answer_to_ike_sa_init_asks_for_nothing_anew() -> None:
    """Of an answer that the snaplen cut, the header says that SA comes first: it is no COOKIE (RFC 7296 §2.6)."""
    wire = Wire()
    asked, answer = (d for d in init_of_ikev2(wire) if isinstance(d, Datagram))
    cut = wire.datagram(0.1, answer.payload[:54], left=False)
    assert only([asked, cut], 60).stop.missing == "IKE_AUTH request"


# --- one direction -----------------------------------------------------------------------------------------------


def test_the_refusal_of_a_message_5_that_is_not_seen() -> None:
    """The responder encrypts nothing before it has message 5 (RFC 2409 §5.7): what it says behind 4 refuses that."""
    again = of_scene("one_direction_of_a_refused_message_5")
    once = of_scene("one_direction_of_a_message_5_refused_once_behind_a_nat")
    for found in (again, once):
        assert (found.stop.outcome, str(found.stop.refused_by)) == (Outcome.REJECTED, "responder")
        assert "MM_WAIT_MSG6" in found.stop.initiator_state
        assert "MM_WAIT_MSG5" in found.stop.responder_state
        assert statuses(found).get("udp-4500-blocked") in (None, "unlikely", "undecidable")
    assert again.causes[0].cause.id == "psk-mismatch"
    assert statuses(again)["psk-mismatch"] == "likely"
    # What says in clear that it was garbage had another key.
    assert statuses(of_scene("one_direction_of_a_message_5_refused_in_clear"))["psk-mismatch"] == "likely"
    # Refused once, and not asked again: who sent message 5 could read it, or gave up.
    assert {statuses(once)[name] for name in ("psk-mismatch", "identity-mismatch")} == {"possible"}


def test_a_late_delete_is_no_answer_to_message_5() -> None:
    """A responder that gave up may delete what never came about."""
    wire = Wire()
    items = [d for d in wire.main_mode(0, 1, 2, 3, 4) if d.source == RIGHT]
    found = only([*items, wire.datagram(32, informational(1), left=False)], 90)
    assert "unseen-message-5-refused" not in kinds(found)
    assert found.stop.outcome is not Outcome.REJECTED


def test_what_the_unseen_end_does_not_send_blames_no_port() -> None:
    wire = Wire()
    found = only([d for d in with_nat(wire) if d.source == RIGHT], 60)
    assert "one-direction" in kinds(found)
    assert statuses(found)["udp-4500-blocked"] == "possible"


def test_answers_that_are_asked_for_again() -> None:
    found = of_scene("one_direction_of_ikev2_asked_again_and_again")
    assert (found.stop.outcome, found.stop.missing) == (Outcome.STALLED, "IKE_AUTH response")
    assert found.causes[0].cause.id == "path-loss"
    # The timer is that of the end that asks.
    assert "the initiator's software" in fact(found, "schedule").text


def test_in_ikev1_the_timer_of_an_unseen_end_is_nobodys() -> None:
    """Message 2 may follow the copies of message 1, or the responder's own timer (RFC 2408 §5.1)."""
    wire = Wire()
    answers = repeated(wire, (0, 4, 11.2, 24.2), choice(), left=False)
    assert "schedule" not in kinds(only([*answers, wire.datagram(25, keying(), left=False)], 60))
    asked = [d for at in (0, 4, 11.2, 24.2) for d in wire.main_mode(at, 1, 2)]
    assert "the initiator's software" in fact(only(asked, 60), "schedule").text


def test_an_unanswered_child_of_one_direction() -> None:
    wire = Wire()
    rows = [(AUTH, 1, IDR), (CREATE, 2, NOTIFY), (INFORM, 3, 0)]
    items = [d for d in init_of_ikev2(wire) if isinstance(d, Datagram) and d.source == LEFT]
    items += [
        wire.datagram(n + 1, ikev2(kind, request=True, number=number, inner=inner))
        for n, (kind, number, inner) in enumerate(rows)
    ]
    found = only(items, 90)
    # REKEY_SA comes first where a Child SA is renewed (RFC 7296 §1.3.3): that refuses nothing.
    assert found.stop.outcome is Outcome.COMPLETED
    assert found.phase2[0].outcome is Outcome.INCONCLUSIVE
    assert only(items[:3], 90).stop.outcome is Outcome.COMPLETED


def test_an_error_about_an_answer_shows_that_it_was_sent() -> None:
    found = of_scene("one_direction_of_a_refused_am2")
    assert "AM_WAIT_MSG3" in found.stop.responder_state


# --- a packet that is not in the capture -------------------------------------------------------------------------


def test_dpd_is_no_refusal_of_quick_mode() -> None:
    """QM3 went by unseen; five seconds later the initiator answers the responder's DPD, or tears the tunnel down."""
    wire = Wire()
    begun = [
        *wire.main_mode(0, 1, 2, 3, 4, 5, 6),
        wire.datagram(0.1, quick_mode(1)),
        wire.datagram(0.11, quick_mode(2), left=False),
    ]
    asked, answer = wire.datagram(0.6, informational(1), left=False), wire.datagram(0.61, informational(2, 0x78))
    delete = wire.datagram(4, informational(3, 0x79, 48))
    for later in ([asked, answer], [delete], [asked, answer, delete]):
        found = only([*begun, *later], 60)
        assert found.phase2[0].outcome is Outcome.INCONCLUSIVE
        assert found.tunnel.state is TunnelState.UNKNOWN
    assert only([*begun, wire.datagram(0.12, informational(3))], 60).phase2[0].outcome is Outcome.REJECTED


def test_a_refusal_follows_any_copy_of_quick_mode() -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), *repeated(wire, (1, 11, 21), quick_mode(1))]
    assert only([*items, wire.datagram(21.2, informational(1), left=False)], 60).phase2[0].outcome is Outcome.REJECTED
    assert only([*items, wire.datagram(16, informational(1), left=False)], 60).phase2[0].outcome is Outcome.STALLED


@pytest.mark.parametrize("begins", [0, 4])
def test_dpd_shows_the_message_6_that_the_capture_lacks(begins: int) -> None:
    """Informational messages of both ends, of one length and at once, while message 5 is not repeated."""
    wire = Wire()
    items: list[Captured] = [*wire.main_mode(0, 1, 2, 3, 4, 5)]
    for n in range(3):
        items.append(wire.datagram(30 + 30 * n, informational(2 * n, 0x80 + n)))
        items.append(wire.datagram(30.02 + 30 * n, informational(2 * n + 1, 0x90 + n), left=False))
    found = only(items[begins:], 120)
    assert found.stop.outcome is (Outcome.PARTIAL if begins else Outcome.COMPLETED)
    assert found.stop.initiator_state == found.stop.responder_state == ("MM_ACTIVE",)
    # A refusal that the initiator goes on repeating message 5 behind is one.
    still = [*items[:7], *repeated(wire, (38, 48), sealed(5))]
    assert only(still, 120).stop.outcome is not Outcome.COMPLETED


def test_deletes_are_no_unanswered_dpd() -> None:
    """Nobody answers a delete; one of ESP is too short for the cookies that DPD names (RFC 3706 §5.3)."""
    wire = Wire()
    items: list[Captured] = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6)]
    items += [wire.datagram(0.1 + n / 100, quick_mode(n), left=n != 2) for n in (1, 2, 3)]
    for octets, expected in ((48, False), (64, True)):
        sent = [wire.datagram(10 + 10 * n, informational(n, 0x80 + n, octets)) for n in range(3)]
        assert ("dpd-unanswered" in kinds(only([*items, *sent], 60))) == expected


def test_who_does_not_ask_again_had_an_answer() -> None:
    """Every known initiator repeats a message without an answer: the capture lacks something, or it gave up."""
    once = of_scene("mm3_once_at_the_responder")
    assert "asked-once" in kinds(once)
    assert statuses(once)["psk-missing"] == "possible"
    assert "likely" not in statuses(of_scene("mm3_once")).values()
    wire = Wire()
    items = with_nat(wire)
    floats = [floated(wire, at, sealed(5)) for at in (0.4, 8.4, 16.4)]
    assert statuses(only([*items, *floats[:1]], 60))["udp-4500-blocked"] == "possible"
    assert statuses(only([*items, *floats], 60))["udp-4500-blocked"] == "likely"


def test_neighbours_that_were_recorded_the_other_way_round() -> None:
    wire = Wire()
    asked, answer = (d for d in init_of_ikev2(wire) if isinstance(d, Datagram))
    late = wire.datagram(0.31, answer.payload, left=False)
    auth = repeated(wire, (0.3, 4.3, 11.5), ikev2(AUTH, request=True, number=1))
    found = only([asked, auth[0], late, *auth[1:]], 60)
    assert found.stop.missing == "IKE_AUTH response"
    assert "silence-after-ike-auth-request" in kinds(found)


# --- other exchanges in the same capture -------------------------------------------------------------------------


def after_another(first: str, second: str) -> Diagnosis:
    """What is said of the second capture's exchange behind the first one, a minute later, between the same peers."""
    before, end = captured(first)
    items, last = captured(second)
    late = end + 60 * SECOND - min(i.time for i in items)
    moved = [replace(i, time=i.time + late) for i in items]
    found = diagnosed_until([*before, *moved], last + late)
    cookie = next(i.payload[:8] for i in items if isinstance(i, Datagram))
    return next(d for d in found if d.exchange.initiator_spi == cookie)


def test_who_answers_ike_sa_init_speaks_the_version() -> None:
    assert "ike-version-mismatch" not in statuses(
        after_another("completed-psk.pcap", "ikev2-init-response-lost-responder-side.pcap")
    )
    refused = after_another("ikev2-completed.pcap", "mm1-no-proposal-chosen.pcap")
    assert statuses(refused)["phase1-policy-mismatch"] == "likely"


def test_the_mode_of_an_answered_message_1_is_right_unless_it_is_refused() -> None:
    lost = after_another("aggressive-completed.pcap", "mm4-lost-initiator-side.pcap")
    assert statuses(lost).get("mode-mismatch") not in ("likely", "confirmed")
    refused = after_another("aggressive-completed.pcap", "mm5-identity-refused-certificates.pcap")
    assert statuses(refused)["mode-mismatch"] == "likely"


def test_an_offer_that_was_taken_is_not_held_against_another() -> None:
    """Who sends message 3 has had a choice, be it in the capture or not."""
    wire = Wire()
    own = [d for d in wire.main_mode(10, 1, 2, 3, 4, 5) if d.source == LEFT]
    assert only(own, 60).exchange.last_message == 5
    theirs = wire.datagram(0, offer(transforms=[AES256], cookies=other_cookies(1)), left=False)
    found = diagnosed([theirs, *own], 60)
    assert "offers-differ" not in kinds(found[1])
    assert statuses(found[1]).get("phase1-policy-mismatch") != "likely"


def test_keepalives_of_another_exchange_are_no_use_of_port_4500() -> None:
    wire = Wire()
    items: list[Captured] = [*wire.main_mode(0, 1, 2), *(wire.main_mode(0.1, 3))]
    items += repeated(wire, (4, 11, 24), keying())
    alive = [wire.datagram(20 + 20 * n, b"\xff", ports=(4500, 4500)) for n in range(3)]
    found = only([*items, *alive], 90)
    assert "port-4500-only-initiator" not in kinds(found)
    assert statuses(found).get("udp-4500-blocked") not in ("likely", "possible")


# --- a late beginning --------------------------------------------------------------------------------------------


def test_a_capture_that_begins_with_a_copy_of_an_answer() -> None:
    """The answer is what comes right behind the other message each time, whichever is in the capture first."""
    items, end = captured("mm4-lost-responder-side.pcap")
    rows = [i for i in items if isinstance(i, Datagram)]
    fours = [n for n, d in enumerate(rows) if d.payload[16] == 4 and d.source == "10.2.0.2"]
    found = diagnosed_until(rows[fours[1] :], end)[0]
    assert found.exchange.initiator.address == "10.1.0.2"
    assert (found.stop.initiator_state, found.causes[0].cause.id) == (("MM_WAIT_MSG4",), "path-loss")


def test_messages_alike_from_both_ends_that_are_far_apart_tell_no_roles() -> None:
    wire = Wire()
    one, other = wire.datagram(0, keying(fill=4), left=False), wire.datagram(13, keying())
    assert not only([one, other], 60).exchange.roles_known
    assert only([wire.datagram(0, keying()), wire.datagram(0.1, keying(fill=4), left=False)], 60).exchange.roles_known


def test_where_roles_are_not_known_nothing_is_told_by_them() -> None:
    """Message 5 without an answer; the capture begins with the refusal of an earlier copy."""
    wire = Wire()
    items = [wire.datagram(0, informational(1), left=False), *repeated(wire, (23, 65), sealed(5))]
    found = only(items, 120)
    assert not found.exchange.roles_known
    assert not kinds(found) & {"mm6-sent", "responder-repeats-last", "only-initiator-repeats"}
    assert statuses(found).get("psk-mismatch") != "ruled_out"
    floats = [floated(wire, at, sealed(5)) for at in (0, 10, 30)]
    assert "port-4500-only-initiator" not in kinds(only(floats, 120))
    # Sent once, it may be message 6, behind which nothing has to come.
    assert only(items[:2], 120).stop.outcome is Outcome.INCONCLUSIVE


def test_a_refusal_that_the_capture_begins_with_was_not_heeded() -> None:
    wire = Wire()
    refused = [
        wire.datagram(at, informational(n, 0x80 + n), left=False, ports=(500, 29_001)) for n, at in ((1, 0), (2, 13))
    ]
    five = wire.datagram(12.9, sealed(5), ports=(29_001, 500))
    found = only([refused[0], five, refused[1]], 60)
    assert "refusal-not-understood" in kinds(found)
    # Nothing that was negotiated is in the capture.
    assert not kinds(found) & {"refusal-understood", "refusal-may-name-sa", "refusal-too-short-to-name-sa"}


def test_a_capture_that_begins_in_quick_mode() -> None:
    """A first message without an answer is sent again."""
    wire = Wire()
    (found,) = only([wire.datagram(1, quick_mode(1))], 120).phase2
    assert found.outcome is Outcome.INCONCLUSIVE
    (found,) = only(repeated(wire, (0, 10, 20), quick_mode(1)), 120).phase2
    assert found.outcome is Outcome.STALLED


def test_an_answered_message_was_whole() -> None:
    """Of a request in fragments only one is in the capture, and it was answered: the path lost nothing."""
    piece = bytes([35, 0, 0, 208, 0, 2, 0, 2]) + bytes(200)
    head = message(AUTH, version=0x20, flags=0x08, message_id=1, length=28 + len(piece))
    fragment = head[:16] + bytes([53]) + head[17:] + piece
    wire = Wire()
    items = [wire.datagram(0, fragment), wire.datagram(0.1, ikev2(AUTH, request=False, number=1), left=False)]
    assert "ike-fragments-missing" in kinds(only(items[:1], 60))
    assert "ike-fragments-missing" not in kinds(only(items, 60))


def test_another_client_behind_the_nat_shows_nothing_of_this_one() -> None:
    """Its message 1 from a port of its own does not say that the first one heeded the refusal."""
    wire = Wire()

    def phase1(at: float, port: int, cookies: tuple[bytes, bytes]) -> list[Captured]:
        rows = [
            offer(cookies=cookies),
            choice(cookies=cookies),
            keying(cookies=cookies),
            keying(fill=4, cookies=cookies),
        ]
        return [
            wire.datagram(at + n / 100, octets, left=n % 2 == 0, ports=(port, 500) if n % 2 == 0 else (500, port))
            for n, octets in enumerate([*rows, sealed(5, cookies=cookies)])
        ]

    refused = wire.datagram(0.1, informational(1), left=False, ports=(500, 29_001))
    first = [*phase1(0, 29_001, COOKIES), refused]
    for port, expected in ((31_007, False), (29_001, True)):
        found = diagnosed([*first, *phase1(1, port, other_cookies(1))], 3)
        assert ("refusal-understood" in kinds(found[0])) is expected


@pytest.mark.parametrize("name", ["message_5_from_another_address", "ike_auth_from_another_address"])
def test_what_goes_on_from_another_address_is_not_held_against_the_initiator(name: str) -> None:
    found = of_scene(name)
    assert "stray-message" in kinds(found)
    assert statuses(found)["vendor-difference"] == "possible"
    assert not {"likely", "confirmed"} & set(statuses(found).values())


# --- times, and both ends in one file ----------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0, 1_000, SECOND])
def test_times_that_tell_nothing_make_no_delete_a_refusal(step: int) -> None:
    """A hex dump without times, or with whole seconds: a delete may come at once, or an hour later."""
    wire = Wire()
    rows = [
        *(d.payload for d in init_of_ikev2(wire) if isinstance(d, Datagram)),
        ikev2(AUTH, request=True, number=1),
        ikev2(AUTH, request=False, number=1, inner=IDR),
        ikev2(INFORM, request=True, number=2, inner=42),
    ]
    items = [replace(wire.datagram(0, octets, left=n % 2 == 0), time=n * step) for n, octets in enumerate(rows)]
    assert only(items, 60).stop.outcome is Outcome.INCONCLUSIVE
    timed = [replace(d, time=d.time + n * 1_100_000) for n, d in enumerate(items)]
    assert only(timed, 60).stop.outcome is (Outcome.COMPLETED if step == SECOND else Outcome.REJECTED)


def test_both_sides_of_a_nat_far_apart() -> None:
    """Captures of both ends put together: a packet is there again 120 ms later, with another address."""
    wire = Wire()
    items: list[Captured] = []
    for n, octets in enumerate((offer(), choice(), keying(), keying(fill=4), sealed(5), sealed(6))):
        inside = wire.datagram(n, octets, left=n % 2 == 0)
        outside = {"source": PUBLIC} if n % 2 == 0 else {"destination": PUBLIC}
        late = round((n + 0.12) * SECOND)
        items += [inside, replace(inside, time=late, frame=inside.frame._replace(number=100 + n), **outside)]
    found = only(items, 60)
    assert found.stop.outcome is Outcome.COMPLETED
    assert all(len(s.sent) == 1 for s in found.exchange.steps)


def test_a_cookie_that_is_brought_back_shows_an_answer() -> None:
    """The capture sees the initiator only; its second request holds the responder's COOKIE (RFC 7296 §2.6)."""
    wire = Wire()
    first = ikev2(INIT, request=True, extra=[(33, SA_WITH_GROUP_14)])
    second = ikev2(INIT, request=True, extra=[notify_v2(16390, bytes(16)), (33, SA_WITH_GROUP_14)])
    found = only([wire.datagram(0, first), *repeated(wire, (0.1, 4.1, 11.3), second)], 60)
    assert "one-direction" in kinds(found)
    assert "likely" not in statuses(found).values()


def test_peers_that_complete_with_both_versions_speak_both() -> None:
    both = []
    for n, name in enumerate(("completed-psk.pcap", "ikev2-completed.pcap", "mm1-no-reply.pcap")):
        items, end = captured(name)
        late = (n * 400) * SECOND - min(i.time for i in items)
        both += [replace(i, time=i.time + late) for i in items]
        last = end + late
    found = diagnosed_until(both, last + 30 * SECOND)[-1]
    assert found.stop.outcome is Outcome.STALLED
    assert "completed-before" in kinds(found)
    assert not kinds(found) & {"other-version-completes", "other-mode-completes"}


def test_no_version_or_mode_is_blamed_before_an_answer_is_due() -> None:
    items, _ = captured("mm1-no-reply.pcap")
    before, end = captured("ikev2-completed.pcap")
    first = next(i for i in items if isinstance(i, Datagram))
    soon = diagnosed_until([*before, replace(first, time=end + 60 * SECOND)], end + 63 * SECOND)[-1]
    assert soon.stop.outcome is Outcome.INCONCLUSIVE
    assert "other-version-completes" in kinds(soon)
    assert "likely" not in statuses(soon).values()
