"""Exchanges made by hand, each to show one thing: what the tests of evidence and of ranking both read."""

from collections.abc import Callable

from msgspec.structs import replace

from pcapdiag.capture.datagram import Captured, Datagram, FragmentLoss
from tests.diagnosis.scenarios import (
    CERTIFICATE_REQUEST,
    LIBRESWAN,
    NAT_T,
    PUBLIC,
    ROUTER,
    RSA,
    STRONGSWAN,
    XAUTH,
    aggressive,
    choice,
    floated,
    icmp,
    ikev2,
    keying,
    nat_ds,
    notify_v2,
    offer,
    other_cookies,
    refusal,
    repeated,
    sealed,
    transaction,
    with_nat,
)
from tests.messages import (
    COOKIE_I,
    LEFT,
    RIGHT,
    ZERO,
    Wire,
    informational,
    main_mode,
    message,
    notify,
    quick_mode,
    sa,
    transform,
)

Scene = tuple[list[Captured], float]
SCENES: dict[str, Callable[[], Scene]] = {}
AES256 = transform(1, (1, 7), (14, 256), (2, 4), (3, 1), (4, 14))


def scene(make: Callable[[], Scene]) -> Callable[[], Scene]:
    SCENES[make.__name__] = make
    return make


# --- silence, and who repeats ----------------------------------------------------------------------------------


@scene
def silence_after_mm1() -> Scene:
    return [*repeated(Wire(), (0, 8, 16, 24), main_mode(1))], 60


@scene
def one_mm1_and_silence() -> Scene:
    return [*repeated(Wire(), (0,), main_mode(1))], 60


@scene
def capture_ends_after_mm1() -> Scene:
    return [*repeated(Wire(), (0,), main_mode(1))], 3


@scene
def silence_behind_the_path() -> Scene:
    return [*repeated(Wire(), (0, 8, 16), main_mode(1), ttl=61)], 60


@scene
def mm2_does_not_get_back() -> Scene:
    wire = Wire()
    return [*wire.main_mode(0, 1, 2), *wire.main_mode(8, 1, 2), *wire.main_mode(16, 1, 2)], 60


@scene
def initiator_silent_behind_mm2() -> Scene:
    wire = Wire()
    return [
        wire.datagram(0, offer(STRONGSWAN)),
        wire.datagram(0.1, choice(), left=False, ttl=62),
    ], 60


@scene
def mm3_never_arrives_at_the_responder() -> Scene:
    wire = Wire()
    return [
        wire.datagram(0, offer(STRONGSWAN), ttl=62),
        *repeated(wire, (0.1, 4.1, 11.3), choice(), left=False),
    ], 60


@scene
def mm3_repeats_alone() -> Scene:
    wire = Wire()
    return [*wire.main_mode(0, 1, 2, 3), *wire.main_mode(8, 3), *wire.main_mode(16, 3)], 60


@scene
def mm3_once() -> Scene:
    return Wire().main_mode(0, 1, 2, 3), 60


@scene
def mm3_and_mm2_repeat() -> Scene:
    wire = Wire()
    return [*wire.main_mode(0, 1, 2, 3), *wire.main_mode(8, 3, 2), *wire.main_mode(16, 3, 2)], 60


@scene
def mm3_and_mm4_repeat() -> Scene:
    wire = Wire()
    return [*wire.main_mode(0, 1, 2, 3, 4), *wire.main_mode(8, 3, 4), *wire.main_mode(16, 3, 4)], 60


@scene
def mm5_repeats_alone() -> Scene:
    wire = Wire()
    return [*wire.main_mode(0, 1, 2, 3, 4, 5), *wire.main_mode(8, 5), *wire.main_mode(16, 5)], 60


@scene
def mm5_and_mm4_repeat() -> Scene:
    wire = Wire()
    return [*wire.main_mode(0, 1, 2, 3, 4, 5), *wire.main_mode(8, 5, 4), *wire.main_mode(16, 5, 4)], 60


@scene
def capture_ends_after_mm5() -> Scene:
    return Wire().main_mode(0, 1, 2, 3, 4, 5), 1


@scene
def mm6_does_not_arrive() -> Scene:
    wire = Wire()
    return [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), *wire.main_mode(8, 5, 6), *wire.main_mode(16, 5, 6)], 60


# --- ICMP ------------------------------------------------------------------------------------------------------


def icmp_about(number: int, numbers: tuple[int, int], source: str = ROUTER, **how: int) -> Scene:
    """Main Mode as far as message `number`, which is repeated; an ICMP error answers each copy."""
    wire = Wire()
    items: list[Captured] = [*wire.main_mode(0, *range(1, number))]
    for at in (1, 9, 17):
        (sent,) = wire.main_mode(at, number)
        items += [sent, icmp(wire, at + 0.01, sent, numbers, source=source, **how)]
    return items, 60


@scene
def host_unreachable() -> Scene:
    return icmp_about(1, (3, 1))


@scene
def loop() -> Scene:
    return icmp_about(1, (11, 0))


@scene
def no_listener() -> Scene:
    return icmp_about(1, (3, 3), RIGHT)


@scene
def port_unreachable_from_a_router() -> Scene:
    return icmp_about(1, (3, 3))


@scene
def prohibited() -> Scene:
    return icmp_about(1, (3, 13))


@scene
def prohibited_by_the_peer() -> Scene:
    return icmp_about(1, (3, 10), RIGHT)


@scene
def reassembly_timeout() -> Scene:
    return icmp_about(5, (11, 1), RIGHT)


@scene
def too_big() -> Scene:
    return icmp_about(5, (3, 4), mtu=1400)


@scene
def redirect_then_silence() -> Scene:
    return icmp_about(1, (5, 1))


@scene
def unreachable_for_a_moment() -> Scene:
    """One error about message 1; the peer then answers up to message 4, and message 5 meets silence."""
    wire = Wire()
    (first,) = wire.main_mode(0, 1)
    return [
        first,
        icmp(wire, 0.01, first, (3, 1)),
        *wire.main_mode(8, 1, 2, 3, 4, 5),
        *wire.main_mode(16, 5),
        *wire.main_mode(24, 5),
    ], 60


@scene
def listener_comes_up_and_refuses() -> Scene:
    wire = Wire()
    (first,) = wire.main_mode(0, 1)
    return [
        first,
        icmp(wire, 0.01, first, (3, 3), source=RIGHT),
        *wire.main_mode(8, 1),
        wire.datagram(8.1, refusal(14), left=False),
    ], 60


@scene
def unreachable_says_the_own_host() -> Scene:
    return icmp_about(1, (3, 1), LEFT)


@scene
def prohibited_on_4500() -> Scene:
    wire = Wire()
    items: list[Captured] = [*with_nat(wire)]
    for at in (1, 9, 17):
        sent = floated(wire, at, sealed(5))
        items += [sent, icmp(wire, at + 0.01, sent, (3, 13))]
    return items, 60


@scene
def rejected_on_4500_by_a_router() -> Scene:
    wire = Wire()
    items: list[Captured] = [*with_nat(wire)]
    for at in (1, 9, 17):
        sent = floated(wire, at, sealed(5))
        items += [sent, icmp(wire, at + 0.01, sent, (3, 3))]
    return items, 60


@scene
def nobody_listens_on_4500() -> Scene:
    wire = Wire()
    items: list[Captured] = [*with_nat(wire)]
    for at in (1, 9, 17):
        sent = floated(wire, at, sealed(5))
        items += [sent, icmp(wire, at + 0.01, sent, (3, 3), source=RIGHT)]
    return items, 60


# --- notifies and refusals -------------------------------------------------------------------------------------


def refused(after: int, number: int) -> Scene:
    """Main Mode as far as message `after`, then a clear notify of the responder."""
    wire = Wire()
    return [*wire.main_mode(0, *range(1, after + 1)), wire.datagram(0.1, refusal(number), left=False)], 60


@scene
def no_proposal_chosen() -> Scene:
    return refused(1, 14)


@scene
def attributes_not_supported() -> Scene:
    return refused(1, 13)


@scene
def bad_proposal_syntax() -> Scene:
    return refused(1, 15)


@scene
def invalid_major_version() -> Scene:
    return refused(1, 5)


@scene
def malformed_early() -> Scene:
    return refused(3, 16)


@scene
def invalid_payload_type() -> Scene:
    return refused(3, 1)


@scene
def invalid_key_information() -> Scene:
    return refused(3, 17)


@scene
def malformed_after_mm5() -> Scene:
    return refused(5, 16)


@scene
def invalid_hash_after_mm5() -> Scene:
    return refused(5, 23)


@scene
def authentication_failed_after_mm5() -> Scene:
    return refused(5, 24)


@scene
def invalid_id_after_mm5() -> Scene:
    return refused(5, 18)


@scene
def invalid_signature_after_mm5() -> Scene:
    return refused(5, 25)


@scene
def invalid_certificate_after_mm5() -> Scene:
    wire = Wire()
    return [
        wire.datagram(0, offer(transforms=[transform(1, *RSA)])),
        wire.datagram(0.1, choice(chosen=transform(1, *RSA)), left=False),
        *wire.main_mode(0.2, 3, 4, 5),
        wire.datagram(0.3, refusal(20), left=False),
    ], 60


@scene
def unsupported_exchange_type() -> Scene:
    return refused(3, 29)


@scene
def invalid_cookie() -> Scene:
    return refused(3, 4)


@scene
def stray_notify() -> Scene:
    wire = Wire()
    return [
        *wire.main_mode(0, 1),
        wire.datagram(0.05, refusal(14), left=False),
        *wire.main_mode(0.1, 2, 3, 4, 5, 6),
        wire.datagram(0.3, quick_mode(1)),
        wire.datagram(0.4, quick_mode(2), left=False),
        wire.datagram(0.5, quick_mode(3)),
    ], 60


def sealed_refusal(octets: int, *, heeded: bool, end: float = 60) -> Scene:
    """Message 5 answered by an encrypted Informational; the initiator goes on, or does not."""
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5), wire.datagram(0.1, informational(1, octets=octets), left=False)]
    if not heeded:
        for n, at in enumerate((4, 11, 24)):
            items += [
                *wire.main_mode(at, 5),
                wire.datagram(at + 0.1, informational(n + 2, 0x80 + n, octets), left=False),
            ]
    return [*items], end


@scene
def refusal_not_understood() -> Scene:
    return sealed_refusal(64, heeded=False)


@scene
def refusal_understood() -> Scene:
    return sealed_refusal(64, heeded=True)


@scene
def refusal_at_the_end() -> Scene:
    return sealed_refusal(64, heeded=True, end=1)


@scene
def short_refusal_at_the_end() -> Scene:
    return sealed_refusal(48, heeded=True, end=1)


LIBRESWAN_TRIES = (0.5, 1, 2, 4, 8, 16)
"""When libreswan sends again, seconds from the first time."""


@scene
def libreswan_does_not_heed_the_refusal() -> Scene:
    """Its identity is refused once, and the responder is gone; libreswan goes on."""
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5), wire.datagram(0.1, informational(1, octets=80), left=False)]
    return [*items, *(m for at in LIBRESWAN_TRIES for m in wire.main_mode(at, 5))], 90


@scene
def libreswan_refuses_the_identity() -> Scene:
    """It says so each time, and repeats message 4 by its own timer."""
    wire = Wire()
    items: list[Captured] = [*wire.main_mode(0, 1, 2, 3, 4, 5)]
    items.append(wire.datagram(0.1, informational(1, octets=48), left=False))
    for n, at in enumerate(LIBRESWAN_TRIES):
        items += [*wire.main_mode(at, 4, 5), wire.datagram(at + 0.1, informational(n + 2, 0x80 + n, 48), left=False)]
    return items, 90


@scene
def libreswan_refuses_mm6() -> Scene:
    """The responder is not the one that it expects: it says so with a notify too short for a delete, and goes on."""
    wire = Wire()
    items: list[Captured] = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), wire.datagram(0.1, informational(1, octets=48))]
    for n, at in enumerate(LIBRESWAN_TRIES[:2]):
        items += [*wire.main_mode(at, 5, 6), wire.datagram(at + 0.1, informational(n + 2, 0x80 + n, 48))]
    return [*items, *(m for at in LIBRESWAN_TRIES[2:] for m in wire.main_mode(at, 5))], 90


@scene
def mm6_gets_to_the_initiator_and_is_not_taken() -> Scene:
    """Captured at the initiator, by the TTLs."""
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), *(m for at in (4, 11, 24) for m in wire.main_mode(at, 5, 6))]
    return [replace(m, ttl=64 if m.source == LEFT else 62) for m in items], 90


@scene
def mm6_refused() -> Scene:
    wire = Wire()
    return [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), wire.datagram(0.1, informational(1))], 60


def with_certificates(*last: int) -> tuple[Wire, list[Captured]]:
    """Main Mode with RSA signatures, as far as the messages say."""
    wire = Wire()
    return wire, [
        wire.datagram(0, offer(transforms=[transform(1, *RSA)])),
        wire.datagram(0.1, choice(chosen=transform(1, *RSA)), left=False),
        wire.datagram(0.2, keying()),
        wire.datagram(0.3, keying(CERTIFICATE_REQUEST, fill=4), left=False),
        *wire.main_mode(0.4, *last),
    ]


@scene
def certificate_refused_by_the_initiator() -> Scene:
    wire, items = with_certificates(5, 6)
    return [*items, wire.datagram(0.6, informational(1))], 60


@scene
def certificate_refused_by_the_responder() -> Scene:
    wire, items = with_certificates(5)
    return [*items, wire.datagram(0.6, informational(1), left=False)], 60


@scene
def certificates_and_nothing_after_mm4() -> Scene:
    return with_certificates()[1], 60


# --- NAT and UDP 4500 ------------------------------------------------------------------------------------------


@scene
def udp_4500_blocked() -> Scene:
    wire = Wire()
    items: list[Captured] = [*with_nat(wire)]
    items += [floated(wire, at, sealed(5)) for at in (0.4, 4.4, 11.6)]
    items += [wire.datagram(at, b"\xff", ports=(4500, 4500)) for at in (20.4, 40.4)]
    items.sort(key=lambda i: i.time)
    return items, 60


@scene
def refused_on_500_behind_the_float() -> Scene:
    """strongSwan answers message 5, which came to UDP 4500, from UDP 500 where it cannot read it."""
    wire = Wire()
    items: list[Captured] = [*with_nat(wire)]
    for n, at in enumerate((0.4, 4.4, 11.6)):
        items += [floated(wire, at, sealed(5)), wire.datagram(at + 0.1, informational(n + 1, 0x80 + n), left=False)]
    return items, 60


@scene
def floated_without_nat() -> Scene:
    wire = Wire()
    return [*with_nat(wire, translated=False), *[floated(wire, at, sealed(5)) for at in (0.4, 4.4, 11.6)]], 60


@scene
def capture_ends_after_the_float() -> Scene:
    wire = Wire()
    return [*with_nat(wire), floated(wire, 0.4, sealed(5))], 1


@scene
def udp_4500_both_ways() -> Scene:
    wire = Wire()
    return [
        *with_nat(wire),
        floated(wire, 0.4, sealed(5)),
        floated(wire, 0.5, informational(1), left=False),
    ], 60


@scene
def nat_and_nothing_after_mm4() -> Scene:
    return [*with_nat(Wire())], 60


@scene
def capture_ends_after_mm4_with_nat() -> Scene:
    return [*with_nat(Wire())], 1


@scene
def no_nat_and_nothing_after_mm4() -> Scene:
    return [*with_nat(Wire(), translated=False)], 60


@scene
def no_nat_and_silence_after_mm5() -> Scene:
    wire = Wire()
    return [*with_nat(wire, translated=False), *repeated(wire, (0.4, 8.4, 16.4), sealed(5))], 60


@scene
def no_float_despite_nat() -> Scene:
    wire = Wire()
    return [*with_nat(wire), *repeated(wire, (0.4, 8.4, 16.4), sealed(5))], 60


@scene
def nat_t_by_one_end_only() -> Scene:
    wire = Wire()
    return [
        wire.datagram(0, offer(NAT_T)),
        wire.datagram(0.1, choice(), left=False),
        wire.datagram(0.2, keying(*nat_ds((RIGHT, 500), (LEFT, 500)))),
        wire.datagram(0.3, keying(*nat_ds((PUBLIC, 500), (RIGHT, 500)), fill=4), left=False),
        *repeated(wire, (0.4, 8.4), sealed(5)),
    ], 60


@scene
def nat_t_by_one_end_only_and_nat() -> Scene:
    items, end = nat_t_by_one_end_only()
    return items[:4], end


@scene
def floated_and_answered() -> Scene:
    wire = Wire()
    return [
        *with_nat(wire),
        floated(wire, 0.4, sealed(5)),
        floated(wire, 0.5, sealed(6), left=False),
        floated(wire, 0.6, informational(1)),
    ], 60


@scene
def key_found_by_a_translated_address() -> Scene:
    wire = Wire()
    items: list[Captured] = [*with_nat(wire)]
    for n, at in enumerate((1, 5, 12)):
        items += [
            floated(wire, at, sealed(5)),
            floated(wire, at + 0.1, informational(n, 0x80 + n), left=False),
        ]
    return items, 60


@scene
def begins_on_4500() -> Scene:
    wire = Wire()
    return [floated(wire, at, main_mode(1)) for at in (0, 8, 16)], 60


# --- large messages and fragments ------------------------------------------------------------------------------


@scene
def large_mm5() -> Scene:
    wire, items = with_certificates()
    return [*items, *repeated(wire, (0.4, 8.4, 16.4), sealed(5, 1600))], 60


@scene
def mm5_in_ip_fragments() -> Scene:
    wire, items = with_certificates()
    for at in (0.4, 8.4, 16.4):
        whole = wire.datagram(at, sealed(5, 1600))
        wire.number += 1
        last = whole.frame._replace(number=wire.number)
        items.append(replace(whole, frame=last, fragments=(whole.frame, last)))
    return items, 60


def first_fragment_of(whole: Datagram) -> FragmentLoss:
    """What is there of a datagram of two IP fragments, where the second is lost."""
    return FragmentLoss(
        frames=(whole.frame,),
        time=whole.time,
        last_time=whole.time,
        source=whole.source,
        destination=whole.destination,
        source_port=whole.source_port,
        destination_port=whole.destination_port,
        payload=whole.payload[:1472],
        ttl=whole.ttl,
        ip_id=whole.ip_id or 0,
        missing=((1480, None),),
    )


@scene
def second_ip_fragment_missing() -> Scene:
    wire, items = with_certificates()
    for at in (0.4, 8.4, 16.4):
        whole = wire.datagram(at, sealed(5, 1600))
        items.append(first_fragment_of(whole))
    return items, 60


def ike_fragment(number: int, last: bool, data: bytes) -> bytes:
    """One piece of a message in payload 132."""
    body = (7).to_bytes(2, "big") + bytes([number, last]) + data
    return message(2, [(132, body)])


@scene
def ike_fragment_missing() -> Scene:
    wire, items = with_certificates()
    large = sealed(5, 1600)
    for at in (0.4, 8.4, 16.4):
        items.append(wire.datagram(at, ike_fragment(1, False, large[:1000])))
    return items, 60


# --- offers, vendors, scans ------------------------------------------------------------------------------------


@scene
def offers_differ() -> Scene:
    wire = Wire()
    own = other_cookies(1)
    return [
        wire.datagram(0, offer(transforms=[transform()])),
        wire.datagram(0.1, refusal(14), left=False),
        wire.datagram(5, offer(transforms=[AES256], cookies=own), left=False),
        wire.datagram(5.1, refusal(14, own)),
    ], 60


@scene
def offers_differ_and_silence() -> Scene:
    wire = Wire()
    own = other_cookies(1)
    return [
        *repeated(wire, (0, 8), offer(transforms=[transform()])),
        wire.datagram(15, offer(transforms=[AES256], cookies=own), left=False),
    ], 60


@scene
def vendors_differ() -> Scene:
    wire = Wire()
    return [
        wire.datagram(0, offer(STRONGSWAN)),
        wire.datagram(0.1, choice(LIBRESWAN), left=False),
        *wire.main_mode(0.2, 3),
        *wire.main_mode(8, 3),
        *wire.main_mode(16, 3),
    ], 60


@scene
def scan() -> Scene:
    return Wire().main_mode(0, 1, 2), 60


@scene
def scan_cut_short() -> Scene:
    return Wire().main_mode(0, 1, 2), 0.1


@scene
def scan_so_far() -> Scene:
    return Wire().main_mode(0, 1, 2), 5


@scene
def answered_elsewhere() -> Scene:
    wire = Wire()
    return [
        *wire.main_mode(0, 1),
        wire.datagram(0.1, main_mode(2), left=False, source="198.51.100.99"),
        wire.datagram(8, main_mode(1)),
        wire.datagram(16, main_mode(1)),
    ], 60


@scene
def responder_began_anew() -> Scene:
    wire = Wire()
    first, _ = other_cookies(1)
    return [
        wire.datagram(0, main_mode(1, (first, bytes(8)))),
        wire.datagram(0.1, main_mode(2, (first, b"\x81" * 8)), left=False),
        wire.datagram(30, main_mode(1, (first, bytes(8)))),
        wire.datagram(30.1, main_mode(2, (first, b"\x82" * 8)), left=False),
    ], 90


# --- more than one attempt -------------------------------------------------------------------------------------


@scene
def repeated_attempts() -> Scene:
    wire = Wire()
    return [
        datagram
        for n in range(4)
        for datagram in repeated(wire, (n * 120, n * 120 + 8, n * 120 + 16), main_mode(1, other_cookies(n)))
    ], 500


def _completes(wire: Wire, at: float, number: int) -> list[Captured]:
    cookies = other_cookies(number)
    return [
        *[wire.datagram(at + n / 10, main_mode(n, cookies), left=n % 2 == 1) for n in range(1, 7)],
        *[wire.datagram(at + 1 + n / 10, quick_mode(n, 0x10, cookies), left=n % 2 == 1) for n in (1, 2, 3)],
    ]


@scene
def completed_later() -> Scene:
    wire = Wire()
    return [*repeated(wire, (0, 8, 16), main_mode(1)), *_completes(wire, 400, 1)], 500


@scene
def completed_soon_after() -> Scene:
    wire = Wire()
    return [*repeated(wire, (0, 8, 16), main_mode(1)), *_completes(wire, 30, 1)], 100


@scene
def completed_before() -> Scene:
    wire = Wire()
    return [*_completes(wire, 0, 1), *repeated(wire, (100, 108, 116), main_mode(1))], 200


@scene
def main_mode_completes_where_aggressive_does_not() -> Scene:
    wire = Wire()
    return [*repeated(wire, (0, 8, 16), aggressive(1)), *_completes(wire, 400, 1)], 500


@scene
def ikev1_completes_where_ikev2_does_not() -> Scene:
    wire = Wire()
    return [*repeated(wire, (0, 8, 16), ikev2(34, request=True)), *_completes(wire, 400, 1)], 500


# --- behind phase 1 --------------------------------------------------------------------------------------------


@scene
def phase2_refused() -> Scene:
    wire = Wire()
    return [
        *wire.main_mode(0, 1, 2, 3, 4, 5, 6),
        wire.datagram(0.1, quick_mode(1)),
        wire.datagram(0.2, informational(1), left=False),
    ], 60


@scene
def phase2_choice_refused() -> Scene:
    """The initiator takes back what Quick Mode agreed on, as one whose kernel has no IPsec."""
    wire = Wire()
    return [
        *wire.main_mode(0, 1, 2, 3, 4, 5, 6),
        wire.datagram(0.1, quick_mode(1)),
        wire.datagram(0.2, quick_mode(2), left=False),
        wire.datagram(0.3, informational(1)),
    ], 60


@scene
def phase2_unanswered() -> Scene:
    wire = Wire()
    return [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), *repeated(wire, (0.1, 8, 16), quick_mode(1))], 60


@scene
def phase2_answer_unheeded() -> Scene:
    wire = Wire()
    return [
        *wire.main_mode(0, 1, 2, 3, 4, 5, 6),
        *repeated(wire, (0.1, 8, 16), quick_mode(1)),
        *repeated(wire, (0.2, 8.1, 16.1), quick_mode(2), left=False),
    ], 60


def _xauth(end: float) -> Scene:
    wire = Wire()
    return [
        wire.datagram(0, offer(transforms=[transform(1, *XAUTH)])),
        wire.datagram(0.1, choice(chosen=transform(1, *XAUTH)), left=False),
        *wire.main_mode(0.2, 3, 4, 5, 6),
        wire.datagram(0.5, transaction(1, 1), left=False),
        wire.datagram(0.6, transaction(2, 1)),
        wire.datagram(0.7, transaction(3, 2), left=False),
        wire.datagram(0.8, transaction(4, 2)),
    ], end


@scene
def xauth_leads_nowhere() -> Scene:
    return _xauth(60)


@scene
def xauth_result_unknown() -> Scene:
    return _xauth(0.85)


def _up(wire: Wire) -> list[Captured]:
    return [
        *wire.main_mode(0, 1, 2, 3, 4, 5, 6),
        *[wire.datagram(0.1 + n / 100, quick_mode(n), left=n % 2 == 1) for n in (1, 2, 3)],
    ]


@scene
def dpd_unanswered() -> Scene:
    wire = Wire()
    return [*_up(wire), *[wire.datagram(10 + 5 * n, informational(n, 0x80 + n)) for n in range(4)]], 60


@scene
def dpd_gets_port_unreachable() -> Scene:
    wire = Wire()
    items = _up(wire)
    for n in range(4):
        sent = wire.datagram(10 + 5 * n, informational(n, 0x80 + n))
        items += [sent, icmp(wire, 10.01 + 5 * n, sent, (3, 3), source=RIGHT)]
    return items, 60


@scene
def dpd_answered() -> Scene:
    wire = Wire()
    items = _up(wire)
    for n in range(4):
        items += [
            wire.datagram(10 + 5 * n, informational(n, 0x80 + n)),
            wire.datagram(10.1 + 5 * n, informational(16 + n, 0x90 + n), left=False),
        ]
    return items, 60


# --- Aggressive Mode and IKEv2 ---------------------------------------------------------------------------------


@scene
def silence_after_am1() -> Scene:
    return [*repeated(Wire(), (0, 8, 16), aggressive(1))], 60


@scene
def aggressive_refused() -> Scene:
    wire = Wire()
    return [wire.datagram(0, aggressive(1)), wire.datagram(0.1, refusal(24), left=False)], 60


@scene
def aggressive_no_proposal_chosen() -> Scene:
    wire = Wire()
    return [wire.datagram(0, aggressive(1)), wire.datagram(0.1, refusal(14), left=False)], 60


@scene
def aggressive_hash_refused() -> Scene:
    wire = Wire()
    return [
        wire.datagram(0, aggressive(1)),
        wire.datagram(0.1, aggressive(2), left=False),
        wire.datagram(0.2, informational(1)),
    ], 60


@scene
def aggressive_initiator_silent_behind_am2() -> Scene:
    wire = Wire()
    return [
        wire.datagram(0, aggressive(1, STRONGSWAN)),
        *repeated(wire, (0.1, 4.1, 11.3), aggressive(2), left=False, ttl=62),
    ], 60


@scene
def ikev2_silence() -> Scene:
    return [*repeated(Wire(), (0, 4, 11.2), ikev2(34, request=True))], 60


@scene
def ikev2_capture_ends() -> Scene:
    return [*repeated(Wire(), (0,), ikev2(34, request=True))], 1


@scene
def ikev2_no_proposal_chosen() -> Scene:
    wire = Wire()
    return [
        wire.datagram(0, ikev2(34, request=True)),
        wire.datagram(0.1, ikev2(34, request=False, extra=[notify_v2(14)]), left=False),
    ], 60


def _v2_init(wire: Wire, *extra: tuple[int, bytes]) -> list[Captured]:
    return [
        wire.datagram(0, ikev2(34, request=True)),
        wire.datagram(0.1, ikev2(34, request=False, extra=extra), left=False),
        wire.datagram(0.2, ikev2(35, request=True, number=1)),
    ]


@scene
def ikev2_authentication_refused() -> Scene:
    wire = Wire()
    return [*_v2_init(wire), wire.datagram(0.3, ikev2(35, request=False, number=1, inner=41), left=False)], 60


@scene
def ikev2_answer_of_unknown_algorithms() -> Scene:
    """A capture that cuts packets short has no proposals; 72 octets may hold a refusal, or a short proof."""
    wire = Wire()
    answer = ikev2(35, request=False, number=1, inner=41, octets=40)
    return [*_v2_init(wire), wire.datagram(0.3, answer, left=False)], 60


@scene
def ikev2_certificate_refused() -> Scene:
    wire = Wire()
    request = (38, b"\x04" + bytes(20))
    return [*_v2_init(wire, request), wire.datagram(0.3, ikev2(35, request=False, number=1, inner=41), left=False)], 60


@scene
def ikev2_refused_by_the_initiator() -> Scene:
    wire = Wire()
    return [
        *_v2_init(wire),
        wire.datagram(0.3, ikev2(35, request=False, number=1, inner=36), left=False),
        wire.datagram(0.4, ikev2(37, request=True, number=2, inner=41)),
    ], 60


@scene
def ikev2_auth_on_4500_unanswered() -> Scene:
    wire = Wire()
    return [
        *_v2_init(wire)[:2],
        *[floated(wire, at, ikev2(35, request=True, number=1)) for at in (0.2, 4.2, 11.4)],
    ], 60


@scene
def ikev2_request_unanswered() -> Scene:
    wire = Wire()
    return [
        *_v2_init(wire),
        wire.datagram(0.3, ikev2(35, request=False, number=1, inner=36), left=False),
        *repeated(wire, (10, 14, 21.2), ikev2(37, request=True, number=2, inner=0)),
    ], 60


@scene
def mm5_without_the_marker() -> Scene:
    wire = Wire()
    return [
        *with_nat(wire),
        *[wire.datagram(at, sealed(5), ports=(4500, 4500)) for at in (0.4, 4.4, 11.6)],
    ], 60


def made(name: str) -> Scene:
    """A scene by name, from scratch."""
    return SCENES[name]()


# --- what the lab never said -----------------------------------------------------------------------------------


def _notified(number: int) -> Callable[[], Scene]:
    def make() -> Scene:
        return refused(3, number)

    make.__name__ = f"notify_{number}_at_message_3"
    return make


for _number in (2, 3, 6, 7, 8, 9, 10, 12, 30):
    scene(_notified(_number))


@scene
def ikev2_unsupported_critical_payload() -> Scene:
    wire = Wire()
    return [
        wire.datagram(0, ikev2(34, request=True)),
        wire.datagram(0.1, ikev2(34, request=False, extra=[notify_v2(1)]), left=False),
    ], 60


@scene
def ikev2_invalid_syntax() -> Scene:
    wire = Wire()
    return [
        wire.datagram(0, ikev2(34, request=True)),
        wire.datagram(0.1, ikev2(34, request=False, extra=[notify_v2(7)]), left=False),
    ], 60


@scene
def notify_that_answers_no_cookies() -> Scene:
    """As a host answers the empty probe of a scan: both cookies are zero."""
    return [Wire().datagram(0, message(5, [notify(5)], cookies=(ZERO, ZERO)), left=False)], 60


@scene
def answers_go_to_port_500() -> Scene:
    """The initiator asks from a translated port, the responder answers to 500 whatever the request came from."""
    wire = Wire()
    items: list[Captured] = []
    for at in (0, 4, 11.2, 24.2):
        items += [
            wire.datagram(at, main_mode(1), ports=(1011, 500), ttl=54),
            wire.datagram(at + 0.01, main_mode(2), left=False),
        ]
    return items, 90


@scene
def begins_on_port_8500() -> Scene:
    return [Wire().datagram(at, main_mode(1), ports=(8500, 8500)) for at in (0, 8, 16)], 60


@scene
def initiator_program_ended() -> Scene:
    """The answer to IKE_SA_INIT meets a closed port at the initiator."""
    wire = Wire()
    answer = wire.datagram(0.1, ikev2(34, request=False), left=False)
    return [wire.datagram(0, ikev2(34, request=True)), answer, icmp(wire, 0.11, answer, (3, 3), source=LEFT)], 60


@scene
def child_sa_refused() -> Scene:
    wire = Wire()
    return [
        *_v2_init(wire),
        wire.datagram(0.3, ikev2(35, request=False, number=1, inner=36), left=False),
        wire.datagram(9, ikev2(36, request=True, number=2, inner=33)),
        wire.datagram(9.1, ikev2(36, request=False, number=2, inner=41), left=False),
    ], 60


@scene
def message_2_chooses_what_was_not_offered() -> Scene:
    wire = Wire()
    return [
        wire.datagram(0, offer(STRONGSWAN, transforms=[transform(1, (1, 7), (14, 256), (2, 2), (3, 1), (4, 14))])),
        wire.datagram(0.1, choice(chosen=transform(1, (1, 5), (2, 1), (3, 1), (4, 2))), left=False),
        wire.datagram(0.2, refusal(14)),
    ], 60


@scene
def message_2_chooses_twice() -> Scene:
    wire = Wire()
    return [
        wire.datagram(0, offer(STRONGSWAN, transforms=[transform(1), transform(2)])),
        wire.datagram(0.1, message(2, [sa(transform(1), transform(2))]), left=False),
        wire.datagram(0.2, refusal(15)),
    ], 60


@scene
def eap_refused() -> Scene:
    wire = Wire()
    return [
        *_v2_init(wire),
        wire.datagram(0.3, ikev2(35, request=False, number=1, inner=36), left=False),
        wire.datagram(0.4, ikev2(35, request=True, number=2, inner=48)),
        wire.datagram(0.5, ikev2(35, request=False, number=2, inner=48), left=False),
        wire.datagram(0.6, ikev2(35, request=True, number=3, inner=48)),
        wire.datagram(0.7, ikev2(35, request=False, number=3, inner=41), left=False),
    ], 60


@scene
def deleted_at_once() -> Scene:
    wire = Wire()
    return [
        *_v2_init(wire),
        wire.datagram(0.3, ikev2(35, request=False, number=1, inner=36), left=False),
        wire.datagram(0.4, ikev2(37, request=True, number=2, inner=42)),
        wire.datagram(0.5, ikev2(37, request=False, number=2, inner=0), left=False),
    ], 60


@scene
def fragments_arrive_at_the_responder() -> Scene:
    wire = Wire()
    items: list[Captured] = [replace(d, ttl=62) if d.source == LEFT else d for d in wire.main_mode(0, 1, 2, 3, 4)]
    for at in (0.4, 4.4, 11.6):
        sent = wire.datagram(at, message(2, sealed=bytes([5]) * 1504), ttl=62)
        items.append(replace(sent, fragments=(sent.frame._replace(number=900 + round(at)), sent.frame)))
    return items, 60


@scene
def no_message_of_main_mode() -> Scene:
    wire = Wire()
    return [
        wire.datagram(0, message(2, [(9, bytes(40))], cookies=(COOKIE_I, ZERO)), ports=(33_186, 500)),
        wire.datagram(0.1, message(5, [notify(1)], cookies=(COOKIE_I, ZERO)), ports=(500, 33_186), left=False),
    ], 60


@scene
def one_try_from_a_high_port() -> Scene:
    wire = Wire()
    return [
        wire.datagram(0, offer(), ports=(47_221, 500)),
        wire.datagram(0.1, refusal(16, (COOKIE_I, ZERO)), ports=(500, 47_221), left=False),
    ], 60


@scene
def message_2_is_repeated_where_message_3_arrives() -> Scene:
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3), *wire.main_mode(8, 2, 3), *wire.main_mode(16, 2, 3)]
    return [replace(d, ttl=62) if d.source == LEFT else d for d in items], 60


@scene
def one_direction_of_a_refused_message_5() -> Scene:
    wire = Wire()
    items = [d for d in wire.main_mode(0, 1, 2, 3, 4) if d.source == RIGHT]
    for n, at in enumerate((0.4, 4.4, 11.6)):
        items.append(wire.datagram(at, informational(n + 1, 0x80 + n), left=False))
    return [*items], 60


@scene
def a_lone_invalid_cookie() -> Scene:
    """What it answers was under an SA that the capture does not show."""
    return [Wire().datagram(0, message(5, [notify(4)]), left=False)], 60


# --- after public reports of other makes -------------------------------------------------------------------------

SA_WITH_GROUP_14 = bytes.fromhex(
    "0000002c010100040300000c0100000c800e0100030000080300000c0300000802000005000000080400000e"
)
"""One proposal of IKEv2: AES-CBC-256, HMAC-SHA2-256-128, HMAC-SHA2-256, modp2048."""


def init_of_ikev2(wire: Wire, *answers: tuple[int, bytes]) -> list[Captured]:
    """IKE_SA_INIT with that proposal, and what answers it: by default the same proposal."""
    whole = [(33, SA_WITH_GROUP_14), (34, bytes(260)), (40, bytes(32))]
    asked = message(34, whole, version=0x20, flags=0x08, cookies=(COOKIE_I, ZERO))
    answer = message(34, answers or whole, version=0x20, flags=0x20)
    return [wire.datagram(0, asked), wire.datagram(0.1, answer, left=False, ttl=62)]


@scene
def group_that_is_not_offered() -> Scene:
    """The responder wants group 19 each time, which no proposal of the initiator has."""
    wire = Wire()
    items = init_of_ikev2(wire, notify_v2(17, b"\x00\x13"))
    again = [replace(d, time=d.time + at * 1_000_000_000, ip_id=100 + at) for at in (4, 11, 24) for d in items]
    return [*items, *again], 90


def eap_rounds(wire: Wire, *answers: tuple[int, int]) -> list[Captured]:
    """IKE_AUTH with these answers, each the first payload inside and its octets; every one but the last is answered."""
    items = init_of_ikev2(wire)
    for n, (inner, octets) in enumerate(answers, 1):
        asked = ikev2(35, request=True, number=n, inner=35 if n == 1 else 48)
        items.append(wire.datagram(n, asked))
        answer = ikev2(35, request=False, number=n, inner=inner, octets=octets)
        items.append(wire.datagram(n + 0.1, answer, left=False, ttl=62))
    return items


@scene
def eap_fails_after_the_password() -> Scene:
    """strongSwan's answer to a wrong password is EAP's failure alone."""
    return eap_rounds(Wire(), (36, 900), (48, 80), (48, 48)), 60


@scene
def eap_goes_no_further_than_a_challenge() -> Scene:
    return eap_rounds(Wire(), (36, 900), (48, 96)), 60


@scene
def client_silent_behind_a_certificate() -> Scene:
    """Windows stops so, with error 13801, when it does not trust the gateway's certificate."""
    return eap_rounds(Wire(), (36, 1400)), 60


@scene
def quick_mode_answered_in_clear() -> Scene:
    """The responder was restarted: it has no such SA, and says so in clear."""
    wire = Wire()
    items: list[Captured] = []
    for at in (0, 10, 20):
        items.append(wire.datagram(at, quick_mode(1)))
        items.append(wire.datagram(at + 0.1, message(5, [notify(4)]), left=False))
    return items, 60


@scene
def refused_where_the_capture_begins_with_message_5_or_6() -> Scene:
    wire = Wire()
    return [wire.datagram(0, main_mode(5)), wire.datagram(0.1, informational(1), left=False)], 60


@scene
def xauth_asked_three_times() -> Scene:
    """Three rounds of the responder and its delete: iOS asks the user again after a wrong password."""
    wire = Wire()
    items: list[Captured] = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6)]
    for n in range(3):
        items.append(wire.datagram(1 + 3 * n, transaction(1, 0x50 + n), left=False))
        items.append(wire.datagram(2 + 3 * n, transaction(2, 0x50 + n)))
    return [*items, wire.datagram(12, informational(3), left=False)], 60


@scene
def child_refused_for_the_moment() -> Scene:
    """A request is refused because rekeys cross (RFC 7296 §2.25.1); the next one is taken."""
    wire = Wire()
    rows = [(36, 2, 33, None, True, True), (36, 2, 41, 28, False, False), (36, 3, 33, None, True, True)]
    rows.append((36, 3, 33, None, False, False))
    items = eap_rounds(wire, (36, 300))
    for n, (kind, number, inner, octets, request, left) in enumerate(rows):
        sent = ikev2(kind, request=request, number=number, inner=inner, octets=octets)
        items.append(wire.datagram(10 + 2 * n, sent, left=left))
    return items, 60


def through_a_nat_on_500(*after: tuple[float, bytes, bool]) -> Scene:
    """Phase 1 completes through a NAT without a move to UDP 4500; then these messages."""
    wire = Wire()
    items = [*with_nat(wire), *wire.main_mode(0.4, 5, 6)]
    return [*items, *(wire.datagram(at, octets, left=left) for at, octets, left in after)], 60


@scene
def phase_2_refused_through_a_nat_on_500() -> Scene:
    return through_a_nat_on_500((1.0, quick_mode(1), True), (1.1, informational(1), False))


# --- the same truth under another capture ------------------------------------------------------------------------


@scene
def certificate_refused_where_the_algorithms_are_cut_off() -> Scene:
    """A snaplen leaves the proposals out; the answer, which is refused, is as large as with a certificate."""
    wire = Wire()
    rows = [
        (0.0, ikev2(34, request=True), True),
        (0.1, ikev2(34, request=False), False),
        (0.2, ikev2(35, request=True, number=1, octets=1800), True),
        (0.3, ikev2(35, request=False, number=1, inner=36, octets=1600), False),
        (0.32, ikev2(37, request=True, number=2, inner=41, octets=48), True),
    ]
    return [wire.datagram(at, octets, left=left) for at, octets, left in rows], 60


@scene
def one_direction_of_a_message_5_refused_once_behind_a_nat() -> Scene:
    wire = Wire()
    items: list[Captured] = [d for d in with_nat(wire) if d.source == RIGHT]
    return [*items, floated(wire, 0.5, informational(1), left=False)], 60


@scene
def mm3_once_at_the_responder() -> Scene:
    """The initiator had an answer that the capture lacks, or gave up: it does not ask again."""
    return [replace(d, ttl=62) if d.source == LEFT else d for d in Wire().main_mode(0, 1, 2, 3)], 60


@scene
def one_direction_of_ikev2_asked_again_and_again() -> Scene:
    """A responder answers again only when it is asked again (RFC 7296 §2.1)."""
    wire = Wire()
    items = [d for d in init_of_ikev2(wire) if isinstance(d, Datagram) and d.source == RIGHT]
    answer = ikev2(35, request=False, number=1, inner=36)
    return [*items, *repeated(wire, (0.3, 4.3, 11.5, 24.5), answer, left=False)], 60


@scene
def one_direction_of_a_refused_am2() -> Scene:
    """The initiator's host refuses message 2, which the responder therefore sent."""
    wire = Wire()
    items: list[Captured] = []
    for at in (0, 4, 11):
        items.append(wire.datagram(at, aggressive(1)))
        answer = wire.datagram(at + 0.01, aggressive(2), left=False)
        items.append(icmp(wire, at + 0.02, answer, (3, 3), source=LEFT))
    return items, 60


@scene
def message_5_from_another_address() -> Scene:
    """Another line of the initiator's, or anybody: whose it is the wire does not say."""
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4)
    items = [replace(d, ttl=62) if d.source == RIGHT else d for d in items]
    return [*items, *(wire.datagram(at, sealed(5), source=PUBLIC) for at in (0.1, 4.1, 11.3))], 60


@scene
def ike_auth_from_another_address() -> Scene:
    wire = Wire()
    begun = ikev2(34, request=True, extra=[(33, SA_WITH_GROUP_14), notify_v2(16430)])
    answer = ikev2(34, request=False, extra=[(33, SA_WITH_GROUP_14)])
    items = [wire.datagram(0, begun), wire.datagram(0.1, answer, left=False, ttl=62)]
    asked = ikev2(35, request=True, number=1)
    return [*items, *(wire.datagram(at, asked, source=PUBLIC, ports=(4500, 4500)) for at in (0.3, 4.3, 11.5))], 60


# --- after more public reports of IKEv1 ----------------------------------------------------------------------------


def beside_dpd(wire: Wire, *times: float, left: bool = True) -> list[Captured]:
    """DPD that is answered, at these times."""
    items: list[Captured] = []
    for n, at in enumerate(times):
        items.append(wire.datagram(at, informational(n, 0x80 + n), left=left))
        items.append(wire.datagram(at + 0.02, informational(16 + n, 0x90 + n), left=not left))
    return items


@scene
def quick_mode_ignored_beside_dpd() -> Scene:
    """SonicWall and others say nothing to a Quick Mode that they do not take, and answer DPD all the time."""
    wire = Wire()
    items: list[Captured] = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6), *repeated(wire, (0.1, 8, 16), quick_mode(1))]
    return sorted([*items, *beside_dpd(wire, 10, 20, 30)], key=lambda i: i.time), 60


@scene
def deleted_behind_quick_mode_and_begun_anew() -> Scene:
    """Quick Mode completes, and the responder deletes all at once: the tunnel flaps."""
    wire = Wire()
    items = _up(wire)
    items.append(wire.datagram(0.2, informational(1), left=False))
    return [*items, *wire.main_mode(10, 1, 2, 3, 4, 5, 6, cookies=other_cookies(1))], 60


@scene
def quick_mode_where_a_user_is_asked_for() -> Scene:
    """An ASA asks each peer for a user; the other end is a gateway, begins Quick Mode, and is not answered."""
    wire = Wire()
    items: list[Captured] = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6)]
    items += repeated(wire, (0.1, 8.1, 16.1), transaction(1, 1), left=False)
    return sorted([*items, *repeated(wire, (0.2, 4.2, 11.4), quick_mode(1))], key=lambda i: i.time), 60


@scene
def user_does_not_type() -> Scene:
    """The same in Aggressive Mode, where nothing else shows that message 3 was taken."""
    wire = Wire()
    items = [wire.datagram(n / 10, aggressive(n), left=n != 2) for n in (1, 2, 3)]
    return [*items, *repeated(wire, (0.5, 8.5, 16.5, 24.5), transaction(1, 1), left=False)], 60


@scene
def no_address_for_the_client() -> Scene:
    """The user is taken; what answers the request for an address is a delete."""
    items, end = _xauth(60)
    wire = Wire()
    wire.number = len(items)
    return [*items, wire.datagram(0.9, transaction(1, 3)), wire.datagram(1, informational(1), left=False)], end


@scene
def one_direction_of_a_message_5_refused_in_clear() -> Scene:
    """An ASA or a Check Point says PAYLOAD_MALFORMED in clear to what it cannot decrypt."""
    wire = Wire()
    items = [d for d in wire.main_mode(0, 1, 2, 3, 4) if d.source == RIGHT]
    return [*items, wire.datagram(0.4, refusal(16), left=False)], 60


@scene
def capture_ends_after_message_5_that_did_not_move() -> Scene:
    wire = Wire()
    return [*with_nat(wire), wire.datagram(0.4, sealed(5))], 1


@scene
def client_deletes_both_at_once() -> Scene:
    """Windows and others whose L2TP is not answered, or whose ESP does not pass: Quick Mode completes for nothing."""
    wire = Wire()
    items = _up(wire)
    return [*items, wire.datagram(0.5, informational(1, octets=48)), wire.datagram(0.501, informational(2, 0x78))], 60


@scene
def message_6_goes_to_500_behind_the_float() -> Scene:
    wire = Wire()
    items: list[Captured] = [*with_nat(wire)]
    for at in (0.4, 4.4, 11.6):
        items += [floated(wire, at, sealed(5)), wire.datagram(at + 0.1, sealed(6), left=False, ttl=62)]
    return items, 60


@scene
def invalid_spi_in_clear() -> Scene:
    """A restarted gateway says so of ESP that it has no SA for, as Cisco IOS does."""
    return [Wire().datagram(0, message(5, [notify(11)]), left=False)], 60


@scene
def dpd_answered_in_clear() -> Scene:
    """The responder was restarted: it does not know the SA that DPD goes under."""
    wire = Wire()
    items: list[Captured] = []
    for n in range(3):
        items.append(wire.datagram(10 * n, informational(n, n + 1)))
        items.append(wire.datagram(10 * n + 0.1, message(5, [notify(4)]), left=False))
    return items, 60


def ike_sa_up(wire: Wire) -> list[Captured]:
    """An IKE SA with a Child SA, and nothing behind it yet."""
    answer = ikev2(35, request=False, number=1, inner=36)
    return [
        *init_of_ikev2(wire),
        wire.datagram(0.2, ikev2(35, request=True, number=1)),
        wire.datagram(0.3, answer, left=False, ttl=62),
    ]


def in_clear(exchange: int, number: int, notify_type: int) -> bytes:
    """A response in clear with this notify, under the SPIs and the message ID of what it answers."""
    return message(exchange, [notify_v2(notify_type)], version=0x20, flags=0x20, message_id=number)


@scene
def request_under_a_forgotten_ike_sa() -> Scene:
    """The responder was restarted: it answers each liveness check with INVALID_IKE_SPI in clear."""
    wire = Wire()
    items = ike_sa_up(wire)
    for at in (90, 94, 101.2, 114.2):
        items.append(wire.datagram(at, ikev2(37, request=True, number=2, inner=0, octets=76)))
        items.append(wire.datagram(at + 0.03, in_clear(37, 2, 4), left=False, ttl=62))
    return items, 180


@scene
def ike_auth_for_which_the_responder_knows_no_spi() -> Scene:
    """It comes late, or to another host behind the same address."""
    wire = Wire()
    items = init_of_ikev2(wire)
    for at in (35, 39, 46.2):
        items.append(wire.datagram(at, ikev2(35, request=True, number=1)))
        items.append(wire.datagram(at + 0.03, in_clear(35, 1, 4), left=False, ttl=62))
    return items, 120


@scene
def cookies_that_are_not_taken() -> Scene:
    wire = Wire()
    items: list[Captured] = []
    whole = [(33, SA_WITH_GROUP_14), (34, bytes(260)), (40, bytes(32))]
    for n in range(5):
        front = [notify_v2(16390, bytes([n]) * 20)] if n else []
        asked = message(34, [*front, *whole], version=0x20, flags=0x08, cookies=(COOKIE_I, ZERO))
        again = message(34, [notify_v2(16390, bytes([n + 1]) * 20)], version=0x20, flags=0x20, cookies=(COOKIE_I, ZERO))
        items += [wire.datagram(4 * n, asked), wire.datagram(4 * n + 0.03, again, left=False, ttl=62)]
    return items, 90


@scene
def rekeys_that_collide() -> Scene:
    """Both ends rekey: the one that has granted the other's request is refused its own (RFC 7296 §2.25.1)."""
    wire = Wire()
    rows: list[tuple[float, int, bool, bool, int | None]] = [
        (50, 0, True, False, None),
        (50.02, 2, True, True, None),
        (50.03, 0, False, True, None),
        (50.05, 2, False, False, 28),
    ]
    items = ike_sa_up(wire)
    for at, number, request, left, octets in rows:
        inner = 41 if request or octets else 33
        octets = octets or 200
        sent = bytearray(ikev2(36, request=request, number=number, inner=inner, octets=octets))
        sent[19] = (0 if request else 0x20) | (0x08 if left else 0)
        items.append(wire.datagram(at, bytes(sent), left=left, ttl=64 if left else 62))
    return items, 120


def answer_in_part(*again: float) -> Scene:
    """IKE_AUTH is answered with a certificate in IP fragments, of which only the first come, each time."""
    wire = Wire()
    choice_and_request = [(33, SA_WITH_GROUP_14), (34, bytes(260)), (40, bytes(32)), (38, b"\x04" + bytes(20))]
    items = init_of_ikev2(wire, *choice_and_request)
    for at in (0.2, *again):
        items.append(wire.datagram(at, ikev2(35, request=True, number=1)))
        whole = wire.datagram(at + 0.1, ikev2(35, request=False, number=1, inner=36, octets=2700), left=False, ttl=62)
        items.append(first_fragment_of(whole))
    return items, 100


@scene
def ike_auth_answer_in_part() -> Scene:
    """Reported of an operator's gateway: the client gives up after its third repetition."""
    return answer_in_part(2.2, 6.2, 14.2)


@scene
def client_refuses_a_certificate() -> Scene:
    """An INFORMATIONAL with a notify in the place of the next round of EAP."""
    wire = Wire()
    items = eap_rounds(wire, (36, 1400))
    return [*items, wire.datagram(1.2, ikev2(37, request=True, number=2, inner=41))], 60


@scene
def client_deletes_behind_a_certificate() -> Scene:
    """As iOS and macOS do where they do not trust it."""
    wire = Wire()
    items = eap_rounds(wire, (36, 1400))
    return [*items, wire.datagram(1.2, ikev2(37, request=True, number=2, inner=42))], 60


@scene
def asked_by_eap_alone() -> Scene:
    """IDr and EAP without AUTH (RFC 5998), and the client does not go on."""
    return eap_rounds(Wire(), (36, 64)), 60


@scene
def responder_asks_an_initiator_that_never_had_the_answer() -> Scene:
    """The initiator gives up before its schedule ends; the responder's liveness check then meets silence as well."""
    wire = Wire()
    items = init_of_ikev2(wire)
    for at in (0.2, 1.2, 3.2, 7.2, 15.2):
        items.append(wire.datagram(at, ikev2(35, request=True, number=1)))
        items.append(wire.datagram(at + 0.05, ikev2(35, request=False, number=1, inner=36), left=False, ttl=62))
    for at in (30, 30.5, 31.5, 33.5, 37.5):
        check = bytearray(ikev2(37, request=True, number=0, inner=0, octets=76))
        check[19] = 0
        items.append(wire.datagram(at, bytes(check), left=False, ttl=62))
    return items, 100


@scene
def ike_auth_answered_with_invalid_syntax() -> Scene:
    return ike_auth_refused_in_clear(7)


@scene
def esp_under_an_spi_that_is_not_known() -> Scene:
    """A gateway that was restarted says so in clear, outside any IKE SA, for each packet of ESP that it gets."""
    wire = Wire()
    items: list[Captured] = []
    for n in range(3):
        said = message(
            37, [notify_v2(11, b"\xde\xad\xbe\xef")], version=0x20, flags=8, cookies=(bytes([n + 1]) * 8, ZERO)
        )
        items.append(wire.datagram(n, said, left=False, ttl=62))
    return items, 60


@scene
def round_of_eap_without_an_answer() -> Scene:
    """As where the gateway's RADIUS server is down: the first rounds are its own."""
    wire = Wire()
    items = eap_rounds(wire, (36, 1400), (48, 80))
    items += [wire.datagram(at, ikev2(35, request=True, number=3, inner=48)) for at in (3, 4, 6, 10, 18)]
    return items, 60


@scene
def ikev2_silence_behind_the_path() -> Scene:
    """IKE_SA_INIT has passed routers, and nothing answers it."""
    return [*repeated(Wire(), (0, 4, 11.2, 24.2), ikev2(34, request=True), ttl=57)], 90


def answered_from_port_500(ttl: int) -> Scene:
    """The initiator moves to UDP 4500, and what answers IKE_AUTH comes from UDP 500."""
    wire = Wire()
    items = [replace(d, ttl=ttl if d.source == LEFT else 62) for d in init_of_ikev2(wire)]
    for at in (0.2, 4.2, 11.4, 24.4, 47.7, 89.7):
        items.append(replace(floated(wire, at, ikev2(35, request=True, number=1)), ttl=ttl))
        items.append(wire.datagram(at + 0.03, ikev2(35, request=False, number=1, inner=36), left=False, ttl=62))
    return items, 180


@scene
def ike_auth_on_4500_is_answered_from_500() -> Scene:
    return answered_from_port_500(57)


def ike_sa_init_meets(numbers: tuple[int, int], source: str) -> Scene:
    """Each copy of the IKE_SA_INIT request is answered by this ICMP error."""
    wire = Wire()
    items: list[Captured] = []
    for at in (0, 4, 11.2):
        sent = wire.datagram(at, ikev2(34, request=True))
        items += [sent, icmp(wire, at + 0.01, sent, numbers, source=source)]
    return items, 60


@scene
def ikev2_host_unreachable() -> Scene:
    return ike_sa_init_meets((3, 1), ROUTER)


@scene
def ikev2_no_listener() -> Scene:
    return ike_sa_init_meets((3, 3), RIGHT)


def ike_auth_refused_in_clear(number: int) -> Scene:
    """IKE_AUTH is answered with this error, in clear."""
    wire = Wire()
    return [
        *init_of_ikev2(wire),
        wire.datagram(0.2, ikev2(35, request=True, number=1)),
        wire.datagram(0.3, in_clear(35, 1, number), left=False, ttl=62),
    ], 60


@scene
def child_proposals_refused_in_clear() -> Scene:
    return ike_auth_refused_in_clear(14)


@scene
def networks_refused_in_clear() -> Scene:
    return ike_auth_refused_in_clear(38)


@scene
def authentication_refused_in_clear() -> Scene:
    return ike_auth_refused_in_clear(24)


@scene
def single_pair_wanted_in_clear() -> Scene:
    return ike_auth_refused_in_clear(34)


@scene
def delete_that_is_not_answered() -> Scene:
    """The end that is told has ended the IKE SA already, as behind a rekey."""
    wire = Wire()
    items = ike_sa_up(wire)
    items += [wire.datagram(at, ikev2(37, request=True, number=2, inner=42)) for at in (50, 54, 61.2, 74.2)]
    return items, 200


@scene
def child_sa_deleted_at_once() -> Scene:
    """An end cannot install what was agreed on, and keeps the IKE SA, which is checked from time to time."""
    wire = Wire()
    taken_back = bytearray(ikev2(37, request=True, number=0, inner=42))
    taken_back[19] = 0
    answered = bytearray(ikev2(37, request=False, number=0, inner=42))
    answered[19] = 0x28
    items = ike_sa_up(wire)
    items += [wire.datagram(0.4, bytes(taken_back), left=False, ttl=62), wire.datagram(0.5, bytes(answered))]
    items += [
        wire.datagram(30, ikev2(37, request=True, number=2, inner=0, octets=76)),
        wire.datagram(30.1, ikev2(37, request=False, number=2, inner=0, octets=76), left=False, ttl=62),
    ]
    return items, 60
