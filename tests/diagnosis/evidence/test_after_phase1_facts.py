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
from tests.messages import LEFT, RIGHT, SECOND, Wire, informational, main_mode, message, quick_mode, transform

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
    assert "v2-request-unanswered" not in kinds(only([*items, *asked[:1]]))
    item = fact(only([*items, *asked]), "v2-request-unanswered")
    assert "INFORMATIONAL request 2 was sent twice and never answered" in item.text
    assert [f.number for f in item.frames] == [5, 6]
    answer = bytearray(octets)
    answer[19] = 0x20 if left else 0x28
    answered = only([*items, *asked, wire.datagram(14.1, bytes(answer), left=not left)])
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
