"""Facts about what follows phase 1: room for PFS in Quick Mode, ESP by direction, rekeys, IKEv2's side steps."""

import struct
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from pcapdiag.capture.datagram import Captured, Datagram, EspFlow, Frame
from pcapdiag.diagnosis.causes.checks import next_checks
from pcapdiag.diagnosis.causes.platforms import Given
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.tunnel import TunnelState
from pcapdiag.diagnosis.verdict import Diagnosis, diagnose
from pcapdiag.exchange.tracker import MAX_STEPS, Tracker
from tests.diagnosis.scenarios import (
    aggressive,
    choice,
    diagnosed,
    fact,
    floated,
    ikev2,
    kinds,
    notify_v2,
    offer,
    only,
    other_cookies,
    sealed,
    statuses,
    with_nat,
)
from tests.diagnosis.scenes import made
from tests.messages import LEFT, RIGHT, SECOND, Wire, informational, main_mode, message, notify, quick_mode, transform

PFS = {"quick-mode-without-ke", "quick-mode-without-modp-ke", "quick-mode-room-for-ke"}


# --- the size of Quick Mode's first message --------------------------------------------------------------------


def with_quick(octets: int, group: int | None = 14) -> Diagnosis:
    """A phase 1 with this group, then a Quick Mode message 1 of so many octets, header included."""
    wire = Wire()
    items = []
    if group is not None:
        suite = ((1, 7), (14, 128), (2, 2), (3, 1), (4, group))
        items = [
            wire.datagram(0, offer(transforms=[transform(1, *suite)])),
            wire.datagram(0.01, choice(chosen=transform(1, *suite)), left=False),
        ]
    items += wire.main_mode(0.02, 3, 4, 5, 6)
    first = message(32, message_id=9, sealed=bytes(octets - 28), first=8)
    return only([*items, wire.datagram(1, first)])


@pytest.mark.parametrize(
    ("octets", "group", "kind"),
    [
        (143, 14, "quick-mode-without-ke"),
        (144, 14, "quick-mode-without-modp-ke"),
        (207, 14, "quick-mode-without-modp-ke"),
        (208, 14, None),
        (427, 14, None),
        (428, 14, "quick-mode-room-for-ke"),
        (299, 2, None),
        (300, 2, "quick-mode-room-for-ke"),
        (684, 16, "quick-mode-room-for-ke"),
        (683, 16, None),
        (268, None, "quick-mode-room-for-ke"),  # message 2 is not there: the smallest KE is assumed
        (267, None, None),
    ],
)
def test_quick_mode_size(octets: int, group: int | None, kind: str | None) -> None:
    found = with_quick(octets, group)
    assert kinds(found) & PFS == ({kind} if kind else set())
    if kind:
        assert [f.number for f in fact(found, kind).frames] == [len(found.exchange.steps)]


def test_quick_mode_with_an_elliptic_curve() -> None:
    assert "quick-mode-without-ke" not in kinds(with_quick(204, 19))


def test_no_quick_mode() -> None:
    assert not kinds(only(Wire().main_mode(0, 1, 2, 3, 4, 5, 6))) & PFS


# --- ESP -------------------------------------------------------------------------------------------------------

ESP = {"esp-one-way", "esp-both-ways"}


def flow(
    packets: int, *, left: bool = True, spi: int = 0xABCD, at: int = 2, ends: tuple[str, str] = (LEFT, RIGHT)
) -> EspFlow:
    """ESP from one end to the other."""
    source, destination = ends if left else ends[::-1]
    frames = Frame(0, 100 + spi % 50), Frame(0, 200 + spi % 50)
    return EspFlow(source, destination, None, None, spi, packets, *frames, at * SECOND, (at + 5) * SECOND)


def with_esp(*flows: EspFlow, items: Sequence[Captured] = ()) -> Diagnosis:
    wire = Wire()
    tracker = Tracker()
    whole = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6)]
    whole += [wire.datagram(1 + n / 10, quick_mode(n), left=n % 2 == 1) for n in (1, 2, 3)]
    for item in items or whole:
        tracker.feed(item)
    (found,) = diagnose(list(tracker.exchanges()), 100 * SECOND, esp=flows)
    return found


def test_esp_both_ways() -> None:
    found = with_esp(flow(3, spi=1), flow(1, left=False, spi=2))
    item = fact(found, "esp-both-ways")
    assert kinds(found) & ESP == {"esp-both-ways"}
    assert "00000001 → 3, 00000002 ← 1" in item.text
    assert item.frames == (Frame(0, 101), Frame(0, 102), Frame(0, 201), Frame(0, 202))
    assert found.causes == ()


@pytest.mark.parametrize(("left", "side"), [(True, "initiator"), (False, "responder")])
def test_esp_one_way(left: bool, side: str) -> None:
    found = with_esp(flow(2, left=left, spi=1), flow(2, left=left, spi=2))
    assert kinds(found) & ESP == {"esp-one-way"}
    assert f"4 packets from the {side}" in fact(found, "esp-one-way").text
    assert found.causes


def test_esp_that_tells_nothing() -> None:
    """Too little of it, none, that of other peers, and of a time before the exchange."""
    strangers = flow(50, ends=(LEFT, "203.0.113.5"))
    for flows in ([flow(3)], [], [strangers], [flow(50, at=-20)]):
        assert not kinds(with_esp(*flows)) & ESP


def behind_nat(*flows: EspFlow) -> Diagnosis:
    """A tunnel of an end behind NAT."""
    wire = Wire()
    items = [*with_nat(wire)]
    items += [floated(wire, 0.4 + n / 10, sealed(n), left=n % 2 == 1) for n in (5, 6)]
    items += [floated(wire, 1 + n / 10, quick_mode(n), left=n % 2 == 1) for n in (1, 2, 3)]
    return with_esp(*flows, items=items)


def test_esp_outside_udp_one_way_behind_nat() -> None:
    found = behind_nat(flow(9))
    assert {"esp-one-way", "esp-outside-udp"} <= kinds(found)
    assert "ESP from the initiator goes as IP protocol 50" in fact(found, "esp-outside-udp").text
    assert statuses(found)["nat-traversal-off"] == "possible"  # both ends announced it, and some NATs pass ESP
    assert found.causes[0].cause.id == "nat-traversal-off"
    told = replace(found, given=Given((("responder", "asa"),)))
    commands = [p.check.command or "" for p in next_checks(told) if p.cause == "nat-traversal-off"]
    assert commands == ["show run crypto map"]  # that it is on in general, its vendor ID shows


def test_esp_one_way_inside_udp_behind_nat() -> None:
    inside = replace(flow(9), source_port=4500, destination_port=4500)
    found = behind_nat(inside)
    assert "esp-one-way" in kinds(found)
    assert statuses(found).get("nat-traversal-off") != "possible"


def test_packets_one_way_are_counted_before_the_log_is_read() -> None:
    found = with_esp(flow(9))
    told = replace(found, given=Given((("initiator", "ios"), ("responder", "fortigate"))))
    counted = [p for p in next_checks(told) if "counts of packets" in p.check.do]
    assert {p.check.platform for p in counted} == {"ios", "fortigate"}
    assert not [p for p in next_checks(told) if "debug crypto" in (p.check.command or "")]


def test_esp_beside_a_phase_1_that_did_not_complete() -> None:
    assert not kinds(with_esp(flow(50), items=Wire().main_mode(0, 1, 2, 3))) & ESP


# --- phase 1 again ---------------------------------------------------------------------------------------------


def completed(wire: Wire, at: float, number: int) -> list[Datagram]:
    cookies = other_cookies(number)
    items = [wire.datagram(at + n / 10, main_mode(n, cookies), left=n % 2 == 1) for n in range(1, 7)]
    return [*items, wire.datagram(at + 1, quick_mode(1, cookies=cookies))]


def diagnosed_all(items: Sequence[Captured]) -> tuple[Diagnosis, ...]:
    tracker = Tracker()
    for item in items:
        tracker.feed(item)
    return diagnose(list(tracker.exchanges()), 1000 * SECOND)


def test_phase_1_again() -> None:
    wire = Wire()
    first, second, third = diagnosed_all([i for n in range(3) for i in completed(wire, 100 * n, n)])
    assert "exchange 2, 100.0 s later" in fact(first, "phase1-again").text
    assert fact(first, "phase1-again").frames == (Frame(0, 8),)
    assert "exchange 3," in fact(second, "phase1-again").text
    assert "phase1-again" not in kinds(third)


def test_attempt_that_failed_is_no_rekey() -> None:
    wire = Wire()
    found = diagnosed_all([*completed(wire, 0, 1), wire.datagram(500, main_mode(1, other_cookies(2)))])
    assert all("phase1-again" not in kinds(d) for d in found)


# --- IKEv2 -----------------------------------------------------------------------------------------------------


def init(wire: Wire, *answers: tuple[int, bytes]) -> list[Datagram]:
    """IKE_SA_INIT, with an answer of each of these notifies alone before the whole one."""
    items = []
    for n, extra in enumerate([*answers, None]):
        items.append(wire.datagram(n / 10, ikev2(34, request=True)))
        octets = ikev2(34, request=False, extra=[extra] if extra else [])
        items.append(wire.datagram(n / 10 + 0.05, octets, left=False))
    return items


def auth(wire: Wire, at: float = 1, number: int = 1) -> list[Datagram]:
    return [
        wire.datagram(at, ikev2(35, request=True, number=number)),
        wire.datagram(at + 0.1, ikev2(35, request=False, number=number, inner=36), left=False),
    ]


EXTRAS = {"cookie-challenge", "other-group-wanted", "ike-intermediate", "v2-request-unanswered"}


def test_nothing_beside() -> None:
    wire = Wire()
    assert not kinds(only([*init(wire), *auth(wire)])) & EXTRAS


def test_cookie_and_other_group() -> None:
    wire = Wire()
    found = only([*init(wire, notify_v2(16390, bytes(8)), notify_v2(17, b"\x00\x13")), *auth(wire)])
    assert kinds(found) & EXTRAS == {"cookie-challenge", "other-group-wanted"}
    assert [f.number for f in fact(found, "cookie-challenge").frames] == [2]
    item = fact(found, "other-group-wanted")
    assert "19" in item.text or "256" in item.text
    assert len(item.frames) == 1


@pytest.mark.parametrize("data", [b"", b"\x13", b"\xff\xff", bytes(40)])
def test_group_that_nobody_knows(data: bytes) -> None:
    wire = Wire()
    assert fact(only(init(wire, notify_v2(17, data))), "other-group-wanted").text


def test_cookie_that_is_handed_back_is_no_challenge() -> None:
    wire = Wire()
    request = wire.datagram(0, ikev2(34, request=True, extra=[notify_v2(16390, bytes(8))]))
    assert "cookie-challenge" not in kinds(only([request]))


def test_intermediate() -> None:
    wire = Wire()
    begun = init(wire)
    between = [wire.datagram(0.5 + n / 10, ikev2(43, request=n == 0, number=1), left=n == 0) for n in (0, 1)]
    found = only([*begun, *between, *auth(wire, number=2)])
    item = fact(found, "ike-intermediate")
    assert item.text.startswith("2 IKE_INTERMEDIATE messages")
    assert [f.number for f in item.frames] == [3, 4]


@pytest.mark.parametrize("left", [True, False])
def test_request_that_nobody_answers(left: bool) -> None:
    wire = Wire()
    octets = bytearray(ikev2(37, request=True, number=2, inner=0))
    octets[19] = 0x08 if left else 0x00
    items = [*init(wire), *auth(wire)]
    asked = [wire.datagram(t, bytes(octets), left=left) for t in (10, 14)]
    assert "v2-request-unanswered" not in kinds(only([*items, *asked[:1]], 60))
    assert "v2-request-unanswered" not in kinds(only([*items, *asked]))  # the second answer may just be late
    item = fact(only([*items, *asked], 60), "v2-request-unanswered")
    assert "INFORMATIONAL request 2 was sent twice and never answered" in item.text
    assert [f.number for f in item.frames] == [5, 6]
    answer = bytearray(octets)
    answer[19] = 0x20 if left else 0x28
    answered = only([*items, *asked, wire.datagram(14.1, bytes(answer), left=not left)], 60)
    assert "v2-request-unanswered" not in kinds(answered)


def test_ikev1_has_none_of_it() -> None:
    assert not kinds(with_esp()) & EXTRAS


# --- after public reports of other makes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cause", "kind"),
    [
        ("quick_mode_answered_in_clear", "stale-sa", "phase2-answered-in-clear"),
        ("group_that_is_not_offered", "phase1-policy-mismatch", "wanted-group-not-offered"),
        ("eap_fails_after_the_password", "xauth-failed", "eap-ends-short"),
        ("eap_goes_no_further_than_a_challenge", "xauth-failed", "eap-stops"),
        ("client_silent_behind_a_certificate", "certificate-rejected", "eap-may-go-on"),
        ("refused_where_the_capture_begins_with_message_5_or_6", "identity-mismatch", "refused-by-either"),
        ("child_refused_for_the_moment", "phase2-selector-mismatch", "child-sa-refused"),
        ("xauth_asked_three_times", "xauth-failed", "xauth-leads-nowhere"),
        ("quick_mode_ignored_beside_dpd", "phase2-selector-mismatch", "phase2-ignored"),
        ("quick_mode_where_a_user_is_asked_for", "xauth-failed", "xauth-unanswered"),
        ("user_does_not_type", "xauth-failed", "xauth-unanswered"),
        ("no_address_for_the_client", "xauth-failed", "config-unanswered"),
        ("one_direction_of_a_message_5_refused_in_clear", "psk-mismatch", "unseen-message-5-refused"),
        ("client_deletes_both_at_once", "vendor-difference", "phase2-deleted-at-once"),
        ("message_6_goes_to_500_behind_the_float", "nat-traversal-off", "answer-stays-on-500"),
        ("invalid_spi_in_clear", "stale-sa", "notify-invalid-spi"),
        ("dpd_answered_in_clear", "stale-sa", "sa-answered-in-clear"),
        ("request_under_a_forgotten_ike_sa", "stale-sa", "v2-answered-in-clear"),
        ("ike_auth_for_which_the_responder_knows_no_spi", "stale-sa", "notify-invalid-ike-spi"),
        ("cookies_that_are_not_taken", "vendor-difference", "cookie-not-taken"),
        ("ike_auth_answer_in_part", "fragments-dropped", "ip-fragments-missing"),
        ("client_refuses_a_certificate", "certificate-rejected", "answer-with-certificate"),
        ("client_deletes_behind_a_certificate", "certificate-rejected", "answer-with-certificate"),
        ("asked_by_eap_alone", "xauth-failed", "eap-stops"),
        ("child_sa_deleted_at_once", "vendor-difference", "child-deleted-at-once"),
        ("round_of_eap_without_an_answer", "xauth-failed", "eap-round-unanswered"),
        ("responder_asks_an_initiator_that_never_had_the_answer", "path-loss", "v2-request-unanswered"),
        ("ike_auth_answered_with_invalid_syntax", "vendor-difference", "notify-invalid-syntax"),
        ("child_proposals_refused_in_clear", "phase2-proposal-mismatch", "notify-no-proposal-chosen"),
        ("networks_refused_in_clear", "phase2-selector-mismatch", "notify-ts-unacceptable"),
        ("single_pair_wanted_in_clear", "phase2-selector-mismatch", "notify-single-pair-required"),
        ("authentication_refused_in_clear", "psk-mismatch", "v2-auth-refused"),
        ("ikev2_host_unreachable", "peer-unreachable", "icmp-unreachable-from-path"),
        ("ikev2_no_listener", "no-ike-listener", "icmp-port-unreachable-from-peer"),
        ("mm5_without_the_marker", "vendor-difference", "no-marker"),
    ],
)
def test_first_cause_after_reports(name: str, cause: str, kind: str) -> None:
    found = only(*made(name))
    assert kind in kinds(found)
    assert next(iter(statuses(found))) == cause


def test_a_quick_mode_answered_in_clear_is_lost_and_not_refused() -> None:
    found = only(*made("quick_mode_answered_in_clear"))
    assert "phase2-refused" not in kinds(found)
    assert found.tunnel.state is TunnelState.LOST


def test_esp_of_a_capture_of_one_direction_is_not_one_way() -> None:
    """What the capture cannot see is not missing."""
    wire = Wire()
    items = [d for d in wire.main_mode(0, 1, 2, 3, 4, 5, 6) if d.source == LEFT]
    items += [wire.datagram(at, quick_mode(n)) for n, at in ((1, 1.0), (3, 1.2))]
    (seen,) = diagnosed(items, 60)
    flow = EspFlow(LEFT, RIGHT, 4500, 4500, 7, 9, Frame(0, 9), Frame(0, 12), 2 * SECOND, 9 * SECOND)
    (found,) = diagnose([seen.exchange], 60 * SECOND, esp=[flow])
    assert "esp-one-way" not in kinds(found)
    assert found.tunnel.state is not TunnelState.ONE_WAY


@pytest.mark.parametrize("left", [True, False])
def test_dpd_of_a_capture_of_one_direction_is_not_unanswered(left: bool) -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), *(wire.datagram(1, quick_mode(n), left=n != 2) for n in (1, 2, 3))]
    items += [wire.datagram(10 * n, informational(n, n), left=left) for n in (1, 2, 3)]
    assert "dpd-unanswered" in kinds(only(items, 60))
    seen = [d for d in items if (d.source == LEFT) is left]
    assert "dpd-unanswered" not in kinds(only(seen, 60))


def test_a_peer_that_is_gone_behind_days_of_dpd_is_seen() -> None:
    """More messages than are kept of one exchange: those in the middle are left out, not the end."""
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), *(wire.datagram(1, quick_mode(n), left=n != 2) for n in (1, 2, 3))]
    for n in range(1, MAX_STEPS):
        asked, answered = (message(5, message_id=2 * n + k, sealed=struct.pack("!Q", 2 * n + k) * 7) for k in (0, 1))
        items += [wire.datagram(30 * n, asked), wire.datagram(30 * n + 0.02, answered, left=False)]
    end = 30 * MAX_STEPS
    well = only(items, end + 100)
    assert (well.tunnel.state, well.causes) == (TunnelState.UP, ())
    gone = [*items, *(wire.datagram(end + 5 * n, informational(n, n)) for n in (1, 2, 3, 4))]
    lost = only(gone, end + 100)
    assert "dpd-unanswered" in kinds(lost)
    assert lost.causes[0].cause.id == "peer-lost"


def test_thousands_of_quick_modes_under_one_sa_are_not_unanswered() -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6)]
    for n in range(1, MAX_STEPS // 2):
        items += [wire.datagram(60 * n + k / 50, quick_mode(k, n), left=k != 2) for k in (1, 2, 3)]
    found = only(items, 60 * MAX_STEPS)
    assert {quick.outcome for quick in found.phase2} == {Outcome.COMPLETED}
    assert (found.tunnel.state, found.causes) == (TunnelState.UP, ())


def test_a_request_of_a_capture_of_one_direction_is_not_unanswered() -> None:
    wire = Wire()
    rows = [(0.0, 34, 0, 35), (0.2, 35, 1, 35), *((at, 37, 2, 0) for at in (30.0, 34.0, 41.0))]
    items = [wire.datagram(at, ikev2(kind, request=True, number=n, inner=inner)) for at, kind, n, inner in rows]
    answers = [
        wire.datagram(at, ikev2(kind, request=False, number=n, inner=36), left=False)
        for at, kind, n in ((0.1, 34, 0), (0.3, 35, 1))
    ]
    both = sorted([*items, *answers], key=lambda d: d.time)
    assert "v2-request-unanswered" in kinds(only(both, 90))
    assert "v2-request-unanswered" not in kinds(only(items, 90))


def test_esp_that_passes_a_nat_outside_udp_is_not_what_is_wrong() -> None:
    """The NAT lets ESP pass; what is wrong is that the peer went silent later."""
    wire = Wire()
    items = [*with_nat(wire), *wire.main_mode(0.4, 5, 6)]
    items += [wire.datagram(1 + n / 10, quick_mode(n), left=n != 2) for n in (1, 2, 3)]
    items += [wire.datagram(10 * n, informational(n, n)) for n in (2, 3, 4)]
    assert statuses(only(items, 60))["nat-traversal-off"] == "likely"
    (seen,) = diagnosed(items, 60)
    flows = [
        EspFlow(*ends, None, None, n, 5, Frame(0, 20 + n), Frame(0, 30 + n), 2 * SECOND, 9 * SECOND)
        for n, ends in enumerate(((LEFT, RIGHT), (RIGHT, LEFT)))
    ]
    (found,) = diagnose([seen.exchange], 60 * SECOND, esp=flows)
    assert statuses(found).get("nat-traversal-off") in (None, "unlikely")
    assert next(iter(statuses(found))) == "peer-lost"


def test_who_answers_quick_mode_in_clear_has_no_sa() -> None:
    found = only(*made("quick_mode_answered_in_clear"))
    assert (found.stop.initiator_state, found.stop.responder_state) == (("MM_ACTIVE", "AM_ACTIVE"), ("NONE",))
    assert "INVALID_COOKIE in clear" in found.phase2[0].reason


# --- after more public reports of IKEv1 ----------------------------------------------------------------------------


def with_informational(*rows: tuple[float, int, bool], quick: bool = True, begun: bool = True) -> Diagnosis:
    """A tunnel that is up, then Informational messages: when, how many octets are encrypted, whose."""
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4, 5, 6) if begun else []
    if quick:
        items += [wire.datagram(1 + n / 10, quick_mode(n, 9), left=n != 2) for n in (1, 2)]
        items.append(wire.datagram(1.3, message(32, message_id=9, sealed=bytes(32), first=8)))
    items += [wire.datagram(at, informational(n, 0x50 + n, size), left=left) for n, (at, size, left) in enumerate(rows)]
    return only(items, 300)


def test_deletes_are_no_unanswered_dpd() -> None:
    """Nobody answers a delete (RFC 2408 §5.15); of ESP it is shorter than DPD (RFC 3706 §5.3)."""
    dpd = [(60.0, 64, True), (70.0, 64, True), (80.0, 64, True)]
    assert "dpd-unanswered" in kinds(with_informational(*dpd))
    of_esp = [(at, 48, left) for at, _, left in dpd]
    for rows in (of_esp, [of_esp[0], (90.0, 64, True)]):
        found = with_informational(*rows)
        assert "dpd-unanswered" not in kinds(found)
        assert found.tunnel.state is TunnelState.UP


def test_how_long_dpd_is_shows_by_quick_mode_alone() -> None:
    """Message 2 is not in the capture; message 3 of Quick Mode is HASH alone."""
    rows = [(at, 48, True) for at in (60.0, 70.0, 80.0)]
    assert "dpd-unanswered" not in kinds(with_informational(*rows, begun=False))
    assert "dpd-unanswered" in kinds(with_informational(*((at, 64, left) for at, _, left in rows), begun=False))


def test_who_answers_dpd_is_not_lost_where_quick_mode_is_not_answered() -> None:
    found = only(*made("quick_mode_ignored_beside_dpd"))
    assert found.tunnel.state is TunnelState.NO_CHILD
    for name in ("peer-lost", "stale-sa", "path-loss"):
        assert statuses(found).get(name) in (None, "unlikely"), name


def test_a_tunnel_that_is_deleted_at_once_is_not_up() -> None:
    first, _ = diagnosed(*made("deleted_behind_quick_mode_and_begun_anew"))
    assert first.tunnel.state is TunnelState.LOST
    assert "phase2-deleted-at-once" in kinds(first)
    items, _ = made("deleted_behind_quick_mode_and_begun_anew")
    alone = only([i for i in items if i.time < 5 * SECOND], 60)
    assert alone.tunnel.state is TunnelState.UP  # INITIAL-CONTACT is as long


def test_a_message_in_the_place_of_a_transaction_leaves_no_child() -> None:
    for name in ("quick_mode_where_a_user_is_asked_for", "user_does_not_type", "no_address_for_the_client"):
        assert only(*made(name)).tunnel.state is TunnelState.NO_CHILD, name


def test_silence_where_the_capture_sees_one_direction_by_another_exchange() -> None:
    """An SA is in use, and only one end of it is in the capture: that nothing answers message 1 shows nothing."""
    wire = Wire()
    new = other_cookies(1)
    both = [d for n in range(6) for d in (wire.datagram(10 * n, informational(n, n)),)]
    both += [wire.datagram(at, main_mode(1, (new[0], bytes(8)))) for at in (15, 25, 35)]
    items = sorted(both, key=lambda d: d.time)
    _, found = diagnosed(items, 90)
    assert "one-direction" in kinds(found)
    assert statuses(found).get("udp-500-blocked") != "likely"
    answered = [*items, wire.datagram(50.1, informational(99, 5), left=False)]
    assert "one-direction" not in kinds(diagnosed(answered, 90)[1])


def test_who_answers_dpd_in_clear_has_no_sa() -> None:
    found = only(*made("dpd_answered_in_clear"))
    assert found.tunnel.state is TunnelState.LOST
    assert (found.stop.initiator_state, found.stop.responder_state) == (("MM_ACTIVE", "AM_ACTIVE"), ("NONE",))


def test_a_client_that_deletes_both_at_once_has_no_tunnel() -> None:
    items, end = made("client_deletes_both_at_once")
    assert only(items, end).tunnel.state is TunnelState.LOST
    assert only(items, 5).tunnel.state is TunnelState.UP  # what follows may be more


def test_a_notify_in_clear_before_phase_1_is_over_refuses_phase_1() -> None:
    """The initiator of Aggressive Mode begins Quick Mode right behind message 3, which is refused."""
    wire = Wire()
    items = [wire.datagram(n / 10, aggressive(n), left=n != 2) for n in (1, 2, 3)]
    items += [wire.datagram(0.31, quick_mode(1)), wire.datagram(0.4, message(5, [notify(24)]), left=False)]
    found = only(items, 60)
    assert not kinds(found) & {"phase2-answered-in-clear", "sa-answered-in-clear"}
    assert next(iter(statuses(found))) == "identity-mismatch"


@pytest.mark.parametrize(("last", "kind"), [(90, "dpd-unheeded"), (25, "dpd-unanswered")])
def test_an_end_whose_esp_goes_on_is_alive(last: int, kind: str) -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), *(wire.datagram(1, quick_mode(n), left=n != 2) for n in (1, 2, 3))]
    items += [wire.datagram(10 * n, informational(n, n)) for n in (3, 4, 5)]
    (seen,) = diagnosed(items, 100)
    flows = [
        EspFlow(*ends, None, None, n, 50, Frame(0, 20 + n), Frame(0, 90 + n), 2 * SECOND, last * SECOND)
        for n, ends in enumerate(((LEFT, RIGHT), (RIGHT, LEFT)))
    ]
    (found,) = diagnose([seen.exchange], 100 * SECOND, esp=flows)
    assert kinds(found) & {"dpd-unheeded", "dpd-unanswered"} == {kind}
    assert found.tunnel.state is (TunnelState.UP if kind == "dpd-unheeded" else TunnelState.LOST)


def test_an_ike_sa_that_was_forgotten_is_lost() -> None:
    items, end = made("request_under_a_forgotten_ike_sa")
    found = only(items, end)
    assert found.tunnel.state is TunnelState.LOST
    assert statuses(found)["stale-sa"] == "likely"
    assert "v2-request-unanswered" not in kinds(found)
    late = only(items[4:], end)
    assert (late.stop.outcome, late.tunnel.state) == (Outcome.PARTIAL, TunnelState.LOST)
    assert statuses(late)["stale-sa"] == "likely"


def test_an_error_in_clear_beside_an_answer_is_a_stray_one() -> None:
    items, end = made("request_under_a_forgotten_ike_sa")
    wire = Wire()
    wire.number = 20
    real = wire.datagram(90.05, ikev2(37, request=False, number=2, inner=0), left=False, ttl=62)
    assert not kinds(only([*items[:6], real], end)) & {"v2-answered-in-clear", "v2-request-unanswered"}


def test_an_error_in_clear_is_no_answer_to_what_is_still_repeated() -> None:
    """One forged packet must not hide that the peer is silent."""
    items, end = made("request_under_a_forgotten_ike_sa")
    alone = [item for n, item in enumerate(items) if n < 6 or not n % 2]
    assert "v2-request-unanswered" in kinds(only(alone, end))


def test_who_does_not_know_the_spis_has_judged_no_key() -> None:
    found = only(*made("ike_auth_for_which_the_responder_knows_no_spi"))
    assert found.stop.outcome is Outcome.REJECTED
    assert "psk-mismatch" not in statuses(found)


def test_one_cookie_may_be_asked_for_anew() -> None:
    items, end = made("cookies_that_are_not_taken")
    assert "cookie-not-taken" not in kinds(only(items[:4], end))
    assert "cookie-not-taken" in kinds(only(items[:6], end))


def test_a_question_for_another_ike_sa_init_is_no_stop_before_ike_auth() -> None:
    assert "udp-4500-blocked" not in statuses(only(*made("cookies_that_are_not_taken")))
    assert "udp-4500-blocked" not in statuses(only(*made("group_that_is_not_offered")))


def test_a_rekey_that_is_refused_for_a_collision_is_no_trouble() -> None:
    found = only(*made("rekeys_that_collide"))
    assert found.causes == ()
    assert [p.outcome for p in found.phase2] == [Outcome.COMPLETED, Outcome.SUPERSEDED]


def test_esp_that_is_not_known_is_of_a_forgotten_sa() -> None:
    items, end = made("esp_under_an_spi_that_is_not_known")
    for found in diagnosed(items, end):
        assert "does not know the SPI of an ESP or AH packet" in found.stop.reason
        assert next(iter(statuses(found))) == "stale-sa"


def test_a_round_without_an_answer_is_told_from_those_before() -> None:
    found = only(*made("round_of_eap_without_an_answer"))
    assert found.stop.reason == "IKE_AUTH request 3 was sent; its response was not seen."
    assert fact(found, "silence").text.startswith("IKE_AUTH request 3 was sent 5 times; ")
    assert fact(found, "silence").text.endswith("no further IKE_AUTH response was seen.")


@pytest.mark.parametrize("name", ["child_proposals_refused_in_clear", "networks_refused_in_clear"])
def test_what_ike_auth_is_refused_for_in_clear_is_neither_a_key_nor_phase_1(name: str) -> None:
    assert not statuses(only(*made(name))).keys() & {"psk-mismatch", "phase1-policy-mismatch", "unknown-peer"}


@pytest.mark.parametrize("name", ["ikev2_silence", "silence_after_mm1"])
def test_silence_has_the_same_causes_in_both_versions(name: str) -> None:
    causes = {"udp-500-blocked", "peer-unreachable", "unknown-peer", "phase1-policy-mismatch", "ike-version-mismatch"}
    assert statuses(only(*made(name))).keys() >= {*causes, "wrong-crypto-map-peer", "path-loss"}


@pytest.mark.parametrize(
    ("tries", "until", "kind"),
    [
        (4, 20, "v2-request-unanswered"),
        (4, 80, "ike-silent-beside-esp"),
        (2, 80, None),
        (2, 20, "v2-request-unanswered"),
    ],
)
def test_esp_that_goes_on_shows_that_the_end_is_there(tries: int, until: float, kind: str | None) -> None:
    """Its IKE may be silent; one request and its repetition may both be lost."""
    wire = Wire()
    items = [*init(wire), *auth(wire)]
    asked = ikev2(37, request=True, number=2, inner=0)
    items += [wire.datagram(at, asked) for at in (30, 34, 41.2, 54.2)[:tries]]
    (found,) = diagnosed(items, 100)
    ends = ((LEFT, RIGHT), (RIGHT, LEFT))
    flows = [
        EspFlow(*ends[n], None, None, n, 9, Frame(0, 50 + n), Frame(0, 60 + n), 2 * SECOND, round(until * SECOND))
        for n in (0, 1)
    ]
    (found,) = diagnose([found.exchange], 100 * SECOND, esp=flows)
    shown = kinds(found) & {"v2-request-unanswered", "ike-silent-beside-esp"}
    assert shown == ({kind} if kind else set())
    lost = kind == "v2-request-unanswered"
    assert found.tunnel.state is (TunnelState.LOST if lost else TunnelState.UP)


def test_a_delete_without_an_answer_is_no_lost_peer() -> None:
    found = only(*made("delete_that_is_not_answered"))
    assert "v2-delete-unanswered" in kinds(found)
    assert "v2-request-unanswered" not in kinds(found)
    assert found.tunnel.state is TunnelState.UP
    assert found.causes == ()


def test_a_child_that_is_deleted_at_once_is_not_there() -> None:
    items, end = made("child_sa_deleted_at_once")
    found = only(items, end)
    assert (found.stop.outcome, found.tunnel.state) == (Outcome.COMPLETED, TunnelState.NO_CHILD)
    assert only(items[:-2], end).stop.outcome is Outcome.REJECTED  # with nothing behind it, it may be the IKE SA
    untimed = [replace(item, time=n * 1_000) for n, item in enumerate(items)]
    assert "child-deleted-at-once" in kinds(found)
    assert "child-deleted-at-once" not in kinds(only(untimed, end))  # whether it came at once does not show
    wire = Wire()
    wire.number = 20
    again = [
        wire.datagram(10, ikev2(36, request=True, number=3, inner=33)),
        wire.datagram(10.1, ikev2(36, request=False, number=3, inner=33), left=False, ttl=62),
    ]
    assert only([*items, *again], end).tunnel.state is TunnelState.UP
