"""Each sort of evidence from an exchange that was made to show it, and its absence where nothing shows it."""

import pytest
from msgspec.structs import replace

from pcapdiag.diagnosis.outcome.retransmission import schedule_of
from pcapdiag.exchange.model import Side
from tests.diagnosis.scenarios import (
    LIBRESWAN,
    NAT_T,
    PUBLIC,
    ROUTER,
    STRONGSWAN,
    choice,
    diagnosed,
    fact,
    floated,
    icmp,
    keying,
    kinds,
    offer,
    only,
    sealed,
    transaction,
    with_nat,
)
from tests.diagnosis.scenes import SCENES, icmp_about, made, sealed_refusal
from tests.messages import LEFT, RIGHT, SECOND, Wire, informational, main_mode, transform

THERE = {
    "silence_after_mm1": "stopped-after-1 silence silence-after-mm1 schedule offered auth-psk vantage-initiator",
    "one_mm1_and_silence": "no-retransmission silence",
    "capture_ends_after_mm1": "no-reply-yet",
    "silence_behind_the_path": "vantage-behind-initiator silence-after-mm1",
    "mm2_does_not_get_back": "initiator-repeats-behind-answer proposal-chosen",
    "initiator_silent_behind_mm2": "initiator-does-not-repeat vantage-initiator",
    "mm3_never_arrives_at_the_responder": "initiator-does-not-repeat vantage-responder",
    "mm3_repeats_alone": "only-initiator-repeats silence-after-mm3",
    "mm3_and_mm2_repeat": "responder-repeats-behind-answer",
    "mm3_and_mm4_repeat": "initiator-repeats-behind-answer stopped-after-4",
    "mm5_repeats_alone": "only-initiator-repeats silence-after-mm5",
    "mm5_and_mm4_repeat": "responder-repeats-behind-answer stopped-after-5",
    "mm6_does_not_arrive": "initiator-repeats-behind-answer mm6-sent",
    "host_unreachable": "icmp-unreachable-from-path icmp-instead-of-reply",
    "no_listener": "icmp-port-unreachable-from-peer icmp-instead-of-reply",
    "redirect_then_silence": "remark-icmp-unreachable-from-path silence-after-mm1",
    "unreachable_for_a_moment": "overtaken-icmp-unreachable-from-path silence-after-mm5",
    "listener_comes_up_and_refuses": "overtaken-icmp-port-unreachable-from-peer notify-no-proposal-chosen",
    "no_proposal_chosen": "notify-no-proposal-chosen offered",
    "malformed_after_mm5": "notify-payload-malformed",
    "stray_notify": "stray-notify phase2-completed",
    "refusal_not_understood": "sealed-refusal-by-responder refusal-not-understood refusal-may-name-sa",
    "refusal_understood": "sealed-refusal-by-responder refusal-understood refusal-may-name-sa",
    "refusal_at_the_end": "sealed-refusal-by-responder",
    "short_refusal_at_the_end": "refusal-too-short-to-name-sa",
    "mm6_refused": "mm6-sent initiator-refused-mm6 sealed-refusal-by-initiator",
    "certificate_refused_by_the_initiator": "auth-certificates certificate-requested initiator-refused-mm6",
    "udp_4500_blocked": "nat nat-initiator floated port-4500-only-initiator keepalives-go-on",
    "floated_without_nat": "no-nat floated port-4500-only-initiator",
    "udp_4500_both_ways": "port-4500-both-ways",
    "no_float_despite_nat": "nat no-float-despite-nat",
    "nat_t_by_one_end_only": "no-nat-t-responder",
    "begins_on_4500": "begins-on-4500 port-4500-only-initiator",
    "large_mm5": "large-message-unanswered",
    "mm5_in_ip_fragments": "large-message-in-fragments-unanswered",
    "second_ip_fragment_missing": "ip-fragments-missing",
    "ike_fragment_missing": "ike-fragments-missing",
    "offers_differ": "offered offers-differ notify-no-proposal-chosen",
    "offers_differ_and_silence": "offers-differ silence-after-mm1",
    "vendors_differ": "vendors-differ",
    "scan": "scan-like",
    "answered_elsewhere": "answered-elsewhere",
    "responder_began_anew": "responder-began-anew",
    "repeated_attempts": "repeating",
    "completed_later": "completed-later",
    "main_mode_completes_where_aggressive_does_not": "completed-later other-mode-completes",
    "ikev1_completes_where_ikev2_does_not": "completed-later other-version-completes",
    "phase2_refused": "phase2-refused",
    "phase2_unanswered": "phase2-unanswered",
    "phase2_answer_unheeded": "phase2-answer-unheeded",
    "xauth_leads_nowhere": "auth-xauth xauth-leads-nowhere",
    "xauth_result_unknown": "xauth-result-unknown",
    "dpd_unanswered": "dpd-unanswered",
    "dpd_gets_port_unreachable": "dpd-unanswered later-icmp-port-unreachable-from-peer",
    "ikev2_silence": "silence-after-ike-sa-init-request",
    "ikev2_authentication_refused": "v2-auth-refused",
    "ikev2_refused_by_the_initiator": "v2-auth-refused-by-initiator",
    "ikev2_certificate_refused": "certificate-requested",
    "ikev2_request_unanswered": "v2-request-unanswered",
    "mm5_without_the_marker": "no-marker floated",
}
"""What has to be among the evidence of the first exchange."""

ABSENT = {
    "capture_ends_after_mm1": "silence silence-after-mm1 no-retransmission",
    "mm3_once": "only-initiator-repeats",
    "mm3_and_mm2_repeat": "only-initiator-repeats",
    "mm3_and_mm4_repeat": "responder-repeats-behind-answer",
    "host_unreachable": "silence silence-after-mm1 icmp-unreachable-from-peer",
    "no_listener": "icmp-port-unreachable-from-path",
    "redirect_then_silence": "icmp-unreachable-from-path icmp-instead-of-reply",
    "unreachable_for_a_moment": "icmp-unreachable-from-path icmp-instead-of-reply",
    "stray_notify": "notify-no-proposal-chosen silence",
    "refusal_not_understood": "refusal-understood silence",
    "refusal_understood": "refusal-not-understood silence",
    "refusal_at_the_end": "refusal-understood refusal-not-understood",
    "short_refusal_at_the_end": "refusal-may-name-sa",
    "floated_without_nat": "nat nat-initiator nat-responder",
    "udp_4500_blocked": "no-nat no-nat-t-initiator no-nat-t-responder port-4500-both-ways",
    "udp_4500_both_ways": "port-4500-only-initiator",
    "floated_and_answered": "no-float-despite-nat port-4500-only-initiator",
    "no_nat_and_silence_after_mm5": "no-float-despite-nat floated",
    "mm5_in_ip_fragments": "ip-fragments-missing",
    "offers_differ": "stray-notify",
    "no_proposal_chosen": "offers-differ",
    "initiator_silent_behind_mm2": "scan-like",
    "scan_cut_short": "scan-like",
    "ikev2_no_proposal_chosen": "scan-like",
    "completed_before": "completed-later",
    "ikev1_completes_where_ikev2_does_not": "other-mode-completes",
    "completed_later": "other-mode-completes other-version-completes",
    "phase2_refused": "phase2-unanswered phase2-completed",
    "dpd_answered": "dpd-unanswered",
    "silence_after_mm1": "repeating vendors-differ proposal-chosen",
}


@pytest.mark.parametrize("name", THERE)
def test_what_is_shown(name: str) -> None:
    found = diagnosed(*made(name))[0]
    assert set(THERE[name].split()) <= kinds(found)


@pytest.mark.parametrize("name", ABSENT)
def test_what_is_not_shown(name: str) -> None:
    items, end = made(name)
    for found in diagnosed(items, end):
        assert not set(ABSENT[name].split()) & kinds(found), found.exchange.id


@pytest.mark.parametrize("name", SCENES)
def test_every_fact_is_numbered_and_has_frames_of_the_capture(name: str) -> None:
    items, end = made(name)
    frames = {f for item in items for f in getattr(item, "frames", ())}
    frames |= {f for item in items for f in (*getattr(item, "fragments", ()), getattr(item, "frame", None)) if f}
    for found in diagnosed(items, end):
        assert [e.id for e in found.evidence] == [f"E{n}" for n in range(1, len(found.evidence) + 1)]
        for item in found.evidence:
            assert item.frames
            assert set(item.frames) <= frames, item
            assert item.kinds[0] == item.kind
            assert item.text[0].isupper() or item.text[0].isdigit(), item.text
            assert item.text.endswith("."), item.text
            assert item.display_filter.startswith("frame.number ")
            assert all(str(f.number) in item.display_filter for f in item.frames[:5])


# --- what the texts say ----------------------------------------------------------------------------------------


def test_silence_says_how_often_and_how_long() -> None:
    text = fact(diagnosed(*made("silence_after_mm1"))[0], "silence").text
    assert text == "MM1 was sent 4 times; in the 60.0 s after the first no MM2 was seen."


@pytest.mark.parametrize("name", ["mm6_does_not_arrive", "ike_auth_answer_in_part"])
def test_what_was_seen_is_not_said_to_be_missing(name: str) -> None:
    """It went by and does not get there: no reply to it is due."""
    found = only(*made(name))
    assert found.stop.missing is not None
    assert not kinds(found) & {"silence", "no-reply-yet"}


def test_short_silence_is_no_silence() -> None:
    text = fact(diagnosed(*made("capture_ends_after_mm1"))[0], "no-reply-yet").text
    assert text == "MM1 was sent once; the capture ends 3.0 s after the first, without MM2."


def test_repeats_name_who_and_which() -> None:
    text = fact(diagnosed(*made("mm5_and_mm4_repeat"))[0], "responder-repeats-behind-answer").text
    assert "The responder sends MM4 again although MM5 went by" in text
    text = fact(diagnosed(*made("mm2_does_not_get_back"))[0], "initiator-repeats-behind-answer").text
    assert "The initiator sends MM1 again although MM2 went by" in text


def test_message_that_crossed_its_answer_is_no_repetition() -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1), *wire.main_mode(8, 1, 2), *wire.main_mode(8.1, 1)]
    assert "initiator-repeats-behind-answer" not in kinds(only(items, 60))


def test_capture_duplicate_is_no_repetition() -> None:
    wire = Wire()
    first, second = wire.main_mode(0, 1, 2)
    again = wire.datagram(0.02, first.payload, ip_id=first.ip_id)
    found = only([first, second, again], 60)
    assert "initiator-does-not-repeat" in kinds(found)


NAMES = [
    (4, (3, 0), "ICMP net unreachable", "icmp-unreachable-from-path"),
    (4, (3, 1), "ICMP host unreachable", "icmp-unreachable-from-path"),
    (4, (3, 2), "ICMP protocol unreachable", "icmp-unreachable-from-path"),
    (4, (3, 3), "ICMP port unreachable", "icmp-port-unreachable-from-path"),
    (4, (3, 4), "ICMP fragmentation needed", "icmp-too-big-from-path"),
    (4, (3, 7), "ICMP host unknown", "icmp-unreachable-from-path"),
    (4, (3, 9), "ICMP net administratively prohibited", "icmp-prohibited-from-path"),
    (4, (3, 10), "ICMP host administratively prohibited", "icmp-prohibited-from-path"),
    (4, (3, 13), "ICMP communication administratively prohibited", "icmp-prohibited-from-path"),
    (4, (3, 99), "ICMP type 3 code 99", "icmp-unreachable-from-path"),
    (4, (4, 0), "ICMP source quench", "remark-icmp-unreachable-from-path"),
    (4, (5, 1), "ICMP redirect for the host", "remark-icmp-unreachable-from-path"),
    (4, (11, 0), "ICMP time to live exceeded", "icmp-time-exceeded-from-path"),
    (4, (11, 1), "ICMP fragment reassembly time exceeded", "icmp-reassembly-timeout-from-path"),
    (4, (12, 0), "ICMP parameter problem", "remark-icmp-unreachable-from-path"),
    (6, (1, 0), "ICMPv6 no route to destination", "icmp-unreachable-from-path"),
    (6, (1, 1), "ICMPv6 administratively prohibited", "icmp-prohibited-from-path"),
    (6, (1, 2), "ICMPv6 beyond scope of source address", "icmp-unreachable-from-path"),
    (6, (1, 3), "ICMPv6 address unreachable", "icmp-unreachable-from-path"),
    (6, (1, 4), "ICMPv6 port unreachable", "icmp-port-unreachable-from-path"),
    (6, (1, 5), "ICMPv6 source address failed ingress policy", "icmp-prohibited-from-path"),
    (6, (1, 6), "ICMPv6 reject route to destination", "icmp-prohibited-from-path"),
    (6, (2, 0), "ICMPv6 packet too big", "icmp-too-big-from-path"),
    (6, (3, 0), "ICMPv6 hop limit exceeded", "icmp-time-exceeded-from-path"),
    (6, (3, 1), "ICMPv6 fragment reassembly time exceeded", "icmp-reassembly-timeout-from-path"),
    (6, (4, 1), "ICMPv6 unrecognized next header", "remark-icmp-unreachable-from-path"),
]


@pytest.mark.parametrize(("version", "numbers", "name", "kind"), NAMES, ids=[n[2] for n in NAMES])
def test_icmp_error_by_name(version: int, numbers: tuple[int, int], name: str, kind: str) -> None:
    found = only(*icmp_about(1, numbers, version=version))
    item = fact(found, kind)
    assert f"{ROUTER}, a device on the way, answered 3 times with {name}" in item.text
    assert f"about datagrams to {RIGHT} port 500" in item.text
    assert len(item.frames) == 3


def test_icmp_error_of_the_peer_itself() -> None:
    item = fact(only(*made("no_listener")), "icmp-port-unreachable-from-peer")
    assert item.text.startswith(f"{RIGHT} itself answered 3 times with ICMP port unreachable")


def test_icmp_error_of_the_senders_own_host_does_not_come_from_the_peer() -> None:
    found = only(*made("unreachable_says_the_own_host"))
    assert "the sender's own host" in fact(found, "icmp-unreachable-from-sender").text
    assert not kinds(found) & {"icmp-unreachable-from-peer", "icmp-unreachable-from-path"}


def test_icmp_too_big_says_the_mtu() -> None:
    item = fact(only(*made("too_big")), "icmp-too-big-from-path")
    assert "(next hop's MTU 1400)" in item.text


def test_icmp_errors_are_told_apart_by_port() -> None:
    wire = Wire()
    items = [*with_nat(wire)]
    sent = floated(wire, 1, sealed(5))
    again = wire.datagram(2, keying(fill=9))
    found = only([*items, sent, icmp(wire, 1.1, sent, (3, 3)), again, icmp(wire, 2.1, again, (3, 3))], 60)
    texts = [i.text for i in found.evidence if i.kind.startswith("icmp-port")]
    assert [text.split(" port ")[-1].split(".")[0] for text in texts] == ["4500", "500"]


def test_stray_notify_says_that_it_was_not_heeded() -> None:
    text = fact(only(*made("stray_notify")), "stray-notify").text
    assert "NO_PROPOSAL_CHOSEN (14) in clear; MM2 followed all the same" in text
    assert "not authenticated" in text


@pytest.mark.parametrize(
    ("hash_id", "encryption", "octets", "long"),
    [
        # HASH payload 4 + digest, DELETE of the ISAKMP SA 28, padded to the block of the cipher
        (2, 7, 64, True),  # SHA-1, AES: 52 in 64
        (2, 7, 48, False),
        (2, 5, 56, True),  # SHA-1, 3DES: 52 in 56
        (2, 5, 48, False),
        (1, 5, 56, True),  # MD5, 3DES: 48 in 48, or a block more
        (1, 5, 40, False),
        (4, 7, 80, True),  # SHA2-256, AES: 64 in 64, or a block more
        (4, 7, 48, False),
        (6, 7, 112, True),  # SHA2-512, AES: 96 in 96, or a block more
        (6, 7, 80, False),
        # A notify without SPI has 12: where that fills the last block, strongSwan adds one, and it is as long.
        (1, 7, 48, None),
        (4, 7, 64, None),
        (6, 7, 96, None),
    ],
)
def test_size_of_the_refusal_against_the_hash_and_the_cipher(
    hash_id: int, encryption: int, octets: int, long: bool | None
) -> None:
    wire = Wire()
    chosen = transform(1, (1, encryption), (2, hash_id), (3, 1), (4, 14))
    items = [
        *wire.main_mode(0, 1),
        wire.datagram(0.01, choice(chosen=chosen), left=False),
        *wire.main_mode(0.02, 3, 4, 5),
        wire.datagram(0.1, informational(1, octets=octets), left=False),
    ]
    assert ("refusal-may-name-sa" in kinds(only(items, 60))) is (long is True)
    assert ("refusal-too-short-to-name-sa" in kinds(only(items, 60))) is (long is False)


def test_refusal_says_how_often_and_how_long_it_is() -> None:
    text = fact(only(*sealed_refusal(64, heeded=False)), "sealed-refusal-by-responder").text
    assert text == "The responder sent an encrypted Informational of 92 octets behind MM5, 4 times."


def test_new_attempt_shows_that_the_refusal_was_read() -> None:
    items, _ = sealed_refusal(64, heeded=True)
    wire = Wire()
    wire.number = 50
    items.append(wire.datagram(2, main_mode(1, (b"\x33" * 8, bytes(8)))))
    assert "refusal-understood" in kinds(diagnosed(items, 3)[0])


# --- NAT traversal ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("who", "number"), [(Side.INITIATOR, "MM1"), (Side.RESPONDER, "MM2")])
def test_nat_t_that_one_end_does_not_announce(who: Side, number: str) -> None:
    wire = Wire()
    ours = [NAT_T] if who is Side.RESPONDER else []
    theirs = [NAT_T] if who is Side.INITIATOR else []
    found = only([wire.datagram(0, offer(*ours)), wire.datagram(0.1, choice(*theirs), left=False)], 60)
    assert kinds(found) & {"no-nat-t-initiator", "no-nat-t-responder"} == {f"no-nat-t-{who}"}
    assert number in fact(found, f"no-nat-t-{who}").text


def test_message_that_was_snapped_does_not_tell_what_is_not_announced() -> None:
    wire = Wire()
    whole = offer(STRONGSWAN)
    sent = [wire.datagram(0, whole), wire.datagram(0.1, choice(), left=False)]
    found = only([replace(d, payload=d.payload[:-10]) for d in sent], 60)
    assert not kinds(found) & {"no-nat-t-initiator", "no-nat-t-responder", "scan-like"}


def test_keepalives_of_other_peers_do_not_count() -> None:
    items, end = made("udp_4500_blocked")
    wire = Wire()
    wire.number = 80
    items = [i for i in items if getattr(i, "payload", b"") != b"\xff"]
    items.append(wire.datagram(30, b"\xff", source="192.0.2.200", ports=(4500, 4500)))
    assert "keepalives-go-on" not in kinds(diagnosed(items, end)[0])


def test_keepalives_say_how_many() -> None:
    text = fact(only(*made("udp_4500_blocked")), "keepalives-go-on").text
    assert f"NAT keep-alives from {LEFT} go on (2 of them)" in text


# --- fragments and sizes ---------------------------------------------------------------------------------------


def test_missing_ike_fragment_is_named() -> None:
    assert "fragment 2 is not in the capture" in fact(only(*made("ike_fragment_missing")), "ike-fragments-missing").text


def test_fragments_are_counted() -> None:
    text = fact(only(*made("mm5_in_ip_fragments")), "large-message-in-fragments-unanswered").text
    assert "MM5 has 1628 octets and leaves in 2 fragments each time" in text


def test_message_that_is_no_larger_than_one_that_passed_is_not_called_large() -> None:
    wire = Wire()
    big = (13, bytes(1400))
    items = [
        wire.datagram(0, offer(big)),
        wire.datagram(0.1, choice(), left=False),
        wire.datagram(0.2, keying((13, bytes(1000)))),
        wire.datagram(8, keying((13, bytes(1000)))),
    ]
    assert "large-message-unanswered" not in kinds(only(items, 60))


# --- offers, vendors, vantage ----------------------------------------------------------------------------------


def test_offers_that_differ_are_compared_attribute_by_attribute() -> None:
    first, second = diagnosed(*made("offers_differ"))
    assert fact(first, "offered").text.startswith("MM1 offers encryption AES-CBC-128; hash SHA")
    text = fact(first, "offers-differ").text
    assert text == (
        f"In exchange {second.exchange.id} the same peer offers or chooses otherwise: "
        "encryption AES-CBC-256; hash SHA2-256."
    )


def test_same_offer_of_the_other_end_is_no_difference() -> None:
    wire = Wire()
    items = [
        *wire.main_mode(0, 1),
        wire.datagram(5, main_mode(1, (b"\x33" * 8, bytes(8))), left=False),
    ]
    assert all("offers-differ" not in kinds(d) for d in diagnosed(items, 60))


def test_vendors_are_named() -> None:
    text = fact(only(*made("vendors_differ")), "vendors-differ").text
    assert "strongSwan" in text
    assert "libreswan" in text.lower()


def test_equal_vendors_do_not_differ() -> None:
    wire = Wire()
    for vendor in (STRONGSWAN, LIBRESWAN):
        items = [wire.datagram(0, offer(vendor)), wire.datagram(0.1, choice(vendor), left=False)]
        assert "vendors-differ" not in kinds(only(items, 60))


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        (64, 62, "vantage-initiator"),
        (128, 250, "vantage-initiator"),
        (255, 60, "vantage-initiator"),
        (61, 64, "vantage-responder"),
        (60, 62, None),
        (64, 64, None),
        (61, None, "vantage-behind-initiator"),
        (64, None, "vantage-initiator"),
        (1, None, "vantage-behind-initiator"),
    ],
)
def test_vantage_by_the_ttls(ours: int, theirs: int | None, kind: str | None) -> None:
    wire = Wire()
    items = [wire.datagram(0, main_mode(1), ttl=ours)]
    if theirs is not None:
        items.append(wire.datagram(0.1, main_mode(2), left=False, ttl=theirs))
    found = {k for k in kinds(only(items, 60)) if k.startswith("vantage")}
    assert found == ({kind} if kind else set())


def test_answer_from_another_address_names_both() -> None:
    text = fact(only(*made("answered_elsewhere")), "answered-elsewhere").text
    assert text.startswith(f"The initiator wrote to {RIGHT}; an answer came from 198.51.100.99, and the initiator did")


def test_repeated_attempts_with_their_period() -> None:
    for found in diagnosed(*made("repeated_attempts")):
        assert "began 4 times, mostly 120.0 s apart" in fact(found, "repeating").text


def test_phase_2_names_who_refused_and_what() -> None:
    text = fact(only(*made("phase2_refused")), "phase2-refused").text
    assert text == "Quick Mode 00001234: the responder answered QM1 with an encrypted Informational."


def test_xauth_that_goes_on_is_no_trouble() -> None:
    items, end = made("xauth_leads_nowhere")
    wire = Wire()
    wire.number = 80
    items += [wire.datagram(1, transaction(5, 3)), wire.datagram(1.1, transaction(6, 3), left=False)]
    assert not kinds(only(items, end)) & {"xauth-leads-nowhere", "xauth-result-unknown"}


def test_one_unanswered_dpd_is_not_enough() -> None:
    items, _ = made("dpd_unanswered")
    assert "dpd-unanswered" not in kinds(only(items[:-3], 12))


# --- retransmission schedules ----------------------------------------------------------------------------------


def _times(*gaps: float) -> list[int]:
    at, times = 0.0, [0]
    for gap in gaps:
        at += gap
        times.append(round(at * SECOND))
    return times


@pytest.mark.parametrize(
    ("gaps", "who"),
    [
        ((4.0, 7.2, 12.96, 23.3, 42.0), "strongSwan"),
        ((4.02, 7.25), "strongSwan"),
        ((0.5, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0), "libreswan"),
        ((8.0, 8.0, 8.0), "ASA"),
        ((8.01, 7.98), "ASA"),
        ((10.0, 10.0, 10.0, 10.0, 10.0), "IOS"),
        ((6.0, 12.0), "FortiGate"),
        ((1.0, 2.0, 4.0), "Windows"),
        ((3.0, 6.0, 12.0), "FortiGate"),
        ((2.0, 3.6, 6.5, 11.6), "strongSwan's with other settings (2.0 s × 1.8ⁿ)"),
    ],
)
def test_known_schedules(gaps: tuple[float, ...], who: str) -> None:
    hint = schedule_of(_times(*gaps))
    assert hint is not None
    assert who in hint.name


@pytest.mark.parametrize(
    "gaps", [(), (8.0,), (3.0, 17.0), (5.0, 5.0, 5.0), (2.0, 4.0), (4.0, 4.0), (8.0, 3.0, 8.0), (20.0, 1.0)]
)
def test_irregular_schedules_hint_at_nobody(gaps: tuple[float, ...]) -> None:
    assert schedule_of(_times(*gaps)) is None


def test_schedule_names_the_sender() -> None:
    text = fact(only(*made("silence_after_mm1")), "schedule").text
    assert "a Cisco ASA's (8 s apart)" in text
    assert "the initiator's software" in text


def test_aggressive_mode_says_am() -> None:
    text = fact(only(*made("silence_after_am1")), "silence").text
    assert text.startswith("AM1 was sent 3 times")


def test_certificate_request_counts() -> None:
    wire = Wire()
    request = (7, b"\x04" + bytes(20))
    found = only([*wire.main_mode(0, 1, 2), wire.datagram(0.1, keying(request, request))], 60)
    assert "2 requests in MM3" in fact(found, "certificate-requested").text


def test_the_translated_address_is_not_claimed_to_be_seen() -> None:
    found = only(*made("udp_4500_blocked"))
    assert all(PUBLIC not in item.text for item in found.evidence)


def test_evidence_without_phase_1() -> None:
    wire = Wire()
    found = only([wire.datagram(0, informational(1)), wire.datagram(1, informational(2, 0x78), left=False)], 60)
    assert found.evidence[0].kind.startswith("stopped-after-")
    assert found.causes == ()
