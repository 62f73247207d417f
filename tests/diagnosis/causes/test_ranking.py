"""How causes are ranked: evidence taken away or added changes the verdict; every cause of the document is reached."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import cache

import pytest
from msgspec.structs import replace

from pcapdiag.capture.datagram import Captured, Datagram, FragmentLoss, IcmpError
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Mode, Side
from pcapdiag.knowledge import loading
from pcapdiag.knowledge.kinds import KINDS
from pcapdiag.knowledge.records import Rule, Status
from tests.diagnosis.opened import OPENED_SCENES
from tests.diagnosis.scenarios import (
    ROUTER,
    TRUTH,
    captured,
    cause,
    diagnosed,
    diagnosed_until,
    kinds,
    refusal,
    statuses,
    with_keys,
)
from tests.diagnosis.scenes import SCENES, made
from tests.knowledge.test_loading import DOCUMENT
from tests.messages import SECOND

RULES = loading.load().rules
Change = Callable[[list[Captured]], list[Captured]]


def after(name: str, change: Change | None = None) -> Diagnosis:
    """The first exchange of a capture, with its items changed."""
    items, end = captured(name)
    return diagnosed_until(change(list(items)) if change else items, end)[0]


def first(diagnosis: Diagnosis) -> tuple[str, str]:
    """The cause that stands first, and its status."""
    return next(iter(statuses(diagnosis).items()))


def _without(kind: type) -> Change:
    return lambda items: [i for i in items if not isinstance(i, kind)]


def _encrypted_informational(item: Captured) -> bool:
    return isinstance(item, Datagram) and len(item.payload) > 28 and item.payload[18] == 5 and item.payload[19] & 1 == 1


# --- mutations -------------------------------------------------------------------------------------------------


def test_without_the_icmp_errors_the_peer_is_not_confirmed_to_be_unreachable() -> None:
    name = "mm1-host-unreachable.pcap"
    assert first(after(name)) == ("peer-unreachable", "confirmed")
    assert statuses(after(name)).get("udp-500-blocked") is None
    found = after(name, _without(IcmpError))
    assert statuses(found)["peer-unreachable"] == "possible"
    assert first(found) == ("udp-500-blocked", "likely")


def test_without_the_icmp_errors_a_listener_may_be_there() -> None:
    name = "mm1-port-unreachable.pcap"
    assert first(after(name)) == ("no-ike-listener", "likely")
    found = after(name, _without(IcmpError))
    assert "no-ike-listener" not in statuses(found)
    assert first(found) == ("udp-500-blocked", "likely")


def test_port_unreachable_of_a_router_is_a_filter() -> None:
    found = after(
        "mm1-port-unreachable.pcap",
        lambda items: [replace(i, source=ROUTER) if isinstance(i, IcmpError) else i for i in items],
    )
    assert first(found) == ("udp-500-blocked", "likely")
    assert "no-ike-listener" not in statuses(found)


@pytest.mark.parametrize(
    ("code", "leads"),
    [(0, "peer-unreachable"), (1, "peer-unreachable"), (13, "udp-500-blocked"), (9, "udp-500-blocked")],
)
def test_code_of_the_icmp_error_decides(code: int, leads: str) -> None:
    found = after(
        "mm1-host-unreachable.pcap",
        lambda items: [replace(i, code=code) if isinstance(i, IcmpError) else i for i in items],
    )
    assert first(found) == (leads, "confirmed")


def test_one_error_of_another_kind_beside_many_confirms_nothing() -> None:
    def once(items: list[Captured]) -> list[Captured]:
        error = next(i for i in items if isinstance(i, IcmpError))
        return sorted([*items, replace(error, source="203.0.113.66", code=13)], key=lambda i: i.time)

    found = statuses(after("mm1-host-unreachable.pcap", once))
    assert found["peer-unreachable"] == "confirmed"
    assert found["udp-500-blocked"] != "confirmed"


def test_one_transmission_quoted_twice_confirms_nothing() -> None:
    def twice(items: list[Captured]) -> list[Captured]:
        error = next(i for i in items if isinstance(i, IcmpError))
        sent = [i for i in items if not isinstance(i, IcmpError)]
        copies = [replace(error, time=error.time + n * 5 * SECOND) for n in (0, 1)]
        return sorted([*sent, *copies], key=lambda i: i.time)

    assert "confirmed" not in statuses(after("mm1-host-unreachable.pcap", twice)).values()


def test_redirect_confirms_nothing() -> None:
    found = after(
        "mm1-host-unreachable.pcap",
        lambda items: [replace(i, type=5, code=1) if isinstance(i, IcmpError) else i for i in items],
    )
    assert first(found) == ("udp-500-blocked", "likely")
    assert "confirmed" not in statuses(found).values()


def test_without_the_notify_the_policies_are_not_first() -> None:
    name = "mm1-no-proposal-chosen.pcap"
    assert first(after(name)) == ("phase1-policy-mismatch", "likely")
    items, _ = captured(name)
    found = diagnosed_until(items[:1], items[0].time + 60 * SECOND)[0]
    assert first(found) == ("udp-500-blocked", "likely")
    assert statuses(found)["phase1-policy-mismatch"] == "possible"


def test_answer_rules_the_policies_out() -> None:
    found = after("mm2-lost-responder-side.pcap")
    assert statuses(found)["phase1-policy-mismatch"] == "ruled_out"
    without = after(
        "mm2-lost-responder-side.pcap",
        lambda items: [i for i in items if not (isinstance(i, Datagram) and i.source == "10.2.0.2")],
    )
    assert statuses(without)["phase1-policy-mismatch"] == "possible"


def test_late_answer_makes_unreachable_unlikely() -> None:
    """The peer that a router could not reach answers after all: then something else is wrong."""
    items, end = captured("mm1-host-unreachable.pcap")
    assert first(diagnosed_until(items, end)[0])[0] == "peer-unreachable"
    asked = next(i for i in items if isinstance(i, Datagram))
    answer = replace(
        asked,
        time=end + SECOND,
        frame=asked.frame._replace(number=999),
        source=asked.destination,
        destination=asked.source,
        payload=refusal(14, (asked.payload[:8], bytes(8))),
        ip_id=4242,
    )
    found = diagnosed_until([*items, answer], end + 60 * SECOND)[0]
    assert first(found) == ("phase1-policy-mismatch", "likely")
    assert statuses(found)["peer-unreachable"] == "unlikely"  # anybody can send a notify in clear


def test_without_the_second_ip_fragment_fragments_are_dropped() -> None:
    name = "completed-certificates-ip-fragments.pcap"
    items, _ = captured(name)
    place = next(n for n, i in enumerate(items) if isinstance(i, Datagram) and len(i.fragments) > 1)
    whole = items[place]
    assert isinstance(whole, Datagram)
    loss = FragmentLoss(
        frames=whole.fragments[:1],
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
    found = diagnosed_until([*items[:place], loss], whole.time + 60 * SECOND)[0]
    assert found.stop.outcome is Outcome.STALLED
    assert first(found) == ("fragments-dropped", "likely")


def test_without_the_second_ike_fragment_fragments_are_dropped() -> None:
    items, _ = captured("completed-certificates-ike-fragments.pcap")
    datagrams = [i for i in items if isinstance(i, Datagram)]
    pieces = [n for n, i in enumerate(datagrams) if i.payload[16] == 132]
    assert len(pieces) >= 2
    found = diagnosed_until(datagrams[: pieces[0] + 1], datagrams[pieces[0]].time + 60 * SECOND)[0]
    assert first(found) == ("fragments-dropped", "likely")
    assert "ike-fragments-missing" in kinds(found)


def test_fragments_that_arrive_and_are_answered_are_no_cause() -> None:
    assert after("completed-certificates-ip-fragments.pcap").causes == ()


def test_without_the_refusals_the_key_is_less_certain() -> None:
    name = "mm5-psk-mismatch.pcap"
    assert "refusal-not-understood" in kinds(after(name))
    found = after(name, lambda items: [i for i in items if not _encrypted_informational(i)])
    assert found.stop.outcome is Outcome.STALLED
    assert cause(found, "psk-mismatch").weight < cause(after(name), "psk-mismatch").weight
    assert "path-loss" in statuses(found)


def test_initiator_that_stops_after_the_refusal_could_read_it() -> None:
    items, end = captured("mm5-psk-mismatch.pcap")
    place = next(n for n, i in enumerate(items) if _encrypted_informational(i))
    found = diagnosed_until(items[: place + 1], end)[0]
    assert statuses(found)["psk-mismatch"] == "unlikely"
    assert first(found) == ("identity-mismatch", "likely")


def test_message_6_rules_the_key_out() -> None:
    name = "mm6-identity-refused.pcap"
    assert statuses(after(name))["psk-mismatch"] == "ruled_out"
    items, _ = captured(name)
    fifth = [i for i in items if isinstance(i, Datagram)][:5]
    found = diagnosed_until(fifth, fifth[-1].time + 60 * SECOND)[0]
    assert statuses(found)["psk-mismatch"] == "possible"
    assert "initiator-refused-mm6" not in kinds(found)


def test_answer_on_4500_rules_the_block_out() -> None:
    name = "mm5-udp-4500-blocked.pcap"
    assert first(after(name)) == ("udp-4500-blocked", "likely")
    items, end = captured(name)
    fifth = next(i for i in items if isinstance(i, Datagram) and i.destination_port == 4500 and len(i.payload) > 4)
    answer = replace(
        fifth,
        time=fifth.time + SECOND // 100,
        frame=fifth.frame._replace(number=999),
        source=fifth.destination,
        destination=fifth.source,
        payload=fifth.payload[:22] + b"\x05\x01" + (7).to_bytes(4, "big") + (92).to_bytes(4, "big") + bytes(64),
        ip_id=4242,
    )
    found = diagnosed_until(sorted([*items, answer], key=lambda i: i.time), end)[0]
    assert statuses(found)["udp-4500-blocked"] == "ruled_out"


def test_an_answer_on_500_to_what_went_to_4500_does_not_blame_4500() -> None:
    found = diagnosed(*made("refused_on_500_behind_the_float"))[0]
    assert {"port-4500-only-initiator", "sealed-refusal-by-responder", "nat"} <= kinds(found)
    assert first(found) == ("psk-mismatch", "likely")
    assert statuses(found)["udp-4500-blocked"] == "unlikely"


@pytest.mark.parametrize(
    ("name", "leads", "psk"),
    [
        ("libreswan_does_not_heed_the_refusal", "identity-mismatch", "possible"),
        ("libreswan_refuses_the_identity", "identity-mismatch", "possible"),
        ("libreswan_refuses_mm6", "identity-mismatch", "ruled_out"),
        ("mm6_gets_to_the_initiator_and_is_not_taken", "identity-mismatch", "ruled_out"),
        ("refusal_not_understood", "psk-mismatch", "likely"),
    ],
)
def test_who_repeats_and_who_complains_tells_the_identity_from_the_key(name: str, leads: str, psk: str) -> None:
    found = diagnosed(*made(name))[0]
    assert first(found) == (leads, "likely")
    assert statuses(found)["psk-mismatch"] == psk


def test_libreswan_refuses_message_6_with_a_notify() -> None:
    """It is no delete by its length; but the initiator, which has not gone on, cannot do DPD yet."""
    stop = diagnosed(*made("libreswan_refuses_mm6"))[0].stop
    assert (stop.outcome, stop.refused_by) == (Outcome.REJECTED, Side.INITIATOR)
    assert (stop.initiator_state, stop.responder_state) == (("MM_WAIT_MSG6",), ("MM_ACTIVE",))


def test_without_the_float_udp_4500_is_not_blamed() -> None:
    found = after("mm5-lost.pcap")
    assert statuses(found)["udp-4500-blocked"] == "ruled_out"
    assert "floated" not in kinds(found)


def test_capture_that_ends_at_once_settles_nothing() -> None:
    items, _ = captured("mm5-udp-4500-blocked.pcap")
    datagrams = [i for i in items if isinstance(i, Datagram)]
    at = next(n for n, d in enumerate(datagrams) if d.destination_port == 4500)
    found = diagnosed_until(datagrams[: at + 1])[0]
    assert found.stop.outcome is Outcome.INCONCLUSIVE
    assert first(found) == ("udp-4500-blocked", "possible")


def test_without_its_repeated_answer_the_loss_is_not_located() -> None:
    name = "mm4-lost-responder-side.pcap"
    assert "initiator-repeats-behind-answer" in kinds(after(name))
    items, end = captured(name)
    third = next(i for i in items if isinstance(i, Datagram) and i.payload[16] == 4)
    found = diagnosed_until([i for i in items if i.time <= third.time], end)[0]
    assert found.exchange.last_message == 3
    # At the responder message 3 is seen to arrive: then it is the responder that stops. But the initiator does not ask
    # again, as it would without an answer.
    assert first(found) == ("psk-missing", "possible")
    assert statuses(found)["path-loss"] == "possible"
    assert "initiator-repeats-behind-answer" not in kinds(found)


def test_phase_2_that_completes_rules_its_causes_out() -> None:
    assert first(after("phase2-refused.pcap"))[1] == "likely"
    found = after("peer-lost.pcap")
    for name in ("phase2-proposal-mismatch", "phase2-selector-mismatch", "pfs-mismatch"):
        assert statuses(found).get(name, "ruled_out") == "ruled_out"


def test_without_the_refusal_quick_mode_is_only_unanswered() -> None:
    items, _ = captured("phase2-refused.pcap")
    quick = next(n for n, i in enumerate(items) if isinstance(i, Datagram) and i.payload[18] == 32)
    found = diagnosed_until(items[: quick + 1], items[quick].time + 60 * SECOND)[0]
    assert "phase2-unanswered" in kinds(found)
    assert set(statuses(found).values()) & {"likely", "confirmed"} == set()


def test_vantage_decides_between_the_path_and_the_peer() -> None:
    near, far = (diagnosed(*made(name))[0] for name in ("silence_after_mm1", "silence_behind_the_path"))
    assert first(near) == ("udp-500-blocked", "likely")
    assert first(far) == ("unknown-peer", "likely")


VERDICTS = {
    "silence_after_mm1": ("udp-500-blocked", "likely"),
    "mm2_does_not_get_back": ("path-loss", "likely"),
    "initiator_silent_behind_mm2": ("vendor-difference", "likely"),
    "mm3_never_arrives_at_the_responder": ("path-loss", "likely"),
    "mm3_and_mm2_repeat": ("path-loss", "likely"),
    "mm5_and_mm4_repeat": ("psk-mismatch", "likely"),
    "host_unreachable": ("peer-unreachable", "confirmed"),
    "loop": ("peer-unreachable", "likely"),
    "no_listener": ("no-ike-listener", "likely"),
    "port_unreachable_from_a_router": ("udp-500-blocked", "likely"),
    "prohibited": ("udp-500-blocked", "confirmed"),
    "prohibited_by_the_peer": ("udp-500-blocked", "likely"),
    "unreachable_says_the_own_host": ("peer-unreachable", "likely"),
    "unreachable_for_a_moment": ("psk-mismatch", "possible"),
    "listener_comes_up_and_refuses": ("phase1-policy-mismatch", "likely"),
    "reassembly_timeout": ("fragments-dropped", "confirmed"),
    "too_big": ("fragments-dropped", "likely"),
    "prohibited_on_4500": ("udp-4500-blocked", "confirmed"),
    "rejected_on_4500_by_a_router": ("udp-4500-blocked", "likely"),
    "nobody_listens_on_4500": ("nat-traversal-off", "likely"),
    "begins_on_4500": ("udp-4500-blocked", "likely"),
    "udp_4500_blocked": ("udp-4500-blocked", "likely"),
    "nat_and_nothing_after_mm4": ("udp-4500-blocked", "possible"),
    "no_float_despite_nat": ("nat-traversal-off", "likely"),
    "no_proposal_chosen": ("phase1-policy-mismatch", "likely"),
    "invalid_major_version": ("ike-version-mismatch", "likely"),
    "invalid_key_information": ("psk-missing", "likely"),
    "malformed_early": ("vendor-difference", "likely"),
    "malformed_after_mm5": ("psk-mismatch", "likely"),
    "invalid_id_after_mm5": ("identity-mismatch", "likely"),
    "invalid_certificate_after_mm5": ("certificate-rejected", "likely"),
    "invalid_cookie": ("psk-missing", "possible"),
    "a_lone_invalid_cookie": ("stale-sa", "likely"),
    "refusal_not_understood": ("psk-mismatch", "likely"),
    "refusal_understood": ("identity-mismatch", "likely"),
    "mm6_refused": ("identity-mismatch", "likely"),
    "certificate_refused_by_the_initiator": ("certificate-rejected", "likely"),
    "mm5_in_ip_fragments": ("fragments-dropped", "likely"),
    "large_mm5": ("fragments-dropped", "possible"),
    "offers_differ_and_silence": ("phase1-policy-mismatch", "likely"),
    "scan": ("scanner", "likely"),
    "main_mode_completes_where_aggressive_does_not": ("mode-mismatch", "likely"),
    "ikev1_completes_where_ikev2_does_not": ("ike-version-mismatch", "likely"),
    "silence_after_am1": ("mode-mismatch", "likely"),
    "aggressive_refused": ("mode-mismatch", "likely"),
    "aggressive_no_proposal_chosen": ("phase1-policy-mismatch", "likely"),
    "aggressive_hash_refused": ("psk-mismatch", "likely"),
    "aggressive_initiator_silent_behind_am2": ("psk-mismatch", "likely"),
    "phase2_refused": ("phase2-proposal-mismatch", "likely"),
    "phase2_unanswered": ("path-loss", "possible"),
    "phase2_answer_unheeded": ("path-loss", "likely"),
    "xauth_leads_nowhere": ("xauth-failed", "likely"),
    "dpd_unanswered": ("peer-lost", "likely"),
    "ikev2_no_proposal_chosen": ("phase1-policy-mismatch", "likely"),
    "ikev2_authentication_refused": ("psk-mismatch", "likely"),
    "ikev2_certificate_refused": ("certificate-rejected", "likely"),
    "ikev2_auth_on_4500_unanswered": ("udp-4500-blocked", "likely"),
}


@pytest.mark.parametrize(("name", "expected"), VERDICTS.items())
def test_which_cause_stands_first(name: str, expected: tuple[str, str]) -> None:
    assert first(diagnosed(*made(name))[0]) == expected


WORSE = {
    "stray_notify": ["phase1-policy-mismatch"],
    "dpd_answered": ["peer-lost"],
    "phase2_refused": ["nat-traversal-off", "psk-mismatch"],
    "mm6_refused": ["nat-traversal-off", "psk-mismatch", "udp-4500-blocked"],
    "certificate_refused_by_the_initiator": ["psk-mismatch"],
    "begins_on_4500": ["udp-500-blocked"],
    "ikev2_no_proposal_chosen": ["scanner"],
    "unreachable_for_a_moment": ["peer-unreachable"],
    "listener_comes_up_and_refuses": ["no-ike-listener"],
    "aggressive_hash_refused": ["path-loss"],
    "ikev1_completes_where_ikev2_does_not": ["mode-mismatch"],
    "main_mode_completes_where_aggressive_does_not": [],
}


@pytest.mark.parametrize(("name", "ids"), WORSE.items())
def test_what_must_not_lead(name: str, ids: list[str]) -> None:
    for found in diagnosed(*made(name)):
        leading = {c.cause.id for c in found.causes if c.leads}
        assert not leading & set(ids)


# --- every diagnosis there is ----------------------------------------------------------------------------------


@cache
def everything() -> tuple[tuple[str, Diagnosis], ...]:
    """What is said of every exchange of every capture, without keys and with them, and of every scene."""
    found = [(r["capture"], d) for r in TRUTH for d in diagnosed_until(*captured(r["capture"]))]
    found += [(r["capture"], d) for r in TRUTH for d in with_keys(r["capture"])]
    found += [(name, scene()) for name, scene in OPENED_SCENES.items()]
    return (*found, *((name, d) for name in SCENES for d in diagnosed(*made(name))))


SILENT = {
    "auth-certificates",
    "auth-psk",
    "auth-xauth",
    "certificate-requested",
    "floated",
    "keepalives-go-on",
    "nat",
    "nat-initiator",
    "nat-responder",
    "no-nat",
    "no-reply-yet",
    "no-retransmission",
    "offered",
    "only-initiator-repeats",
    "phase2-unanswered",
    "port-4500-only-initiator",
    "proposal-chosen",
    "schedule",
    "silence",
}
"""Evidence of silence, and what the exchange is without anybody having complained."""


def test_confirmed_never_rests_on_silence() -> None:
    for name, found in everything():
        for ranked in found.causes:
            if ranked.status is not Status.CONFIRMED:
                continue
            spoken = {k for e in found.evidence if e.id in ranked.because for k in e.kinds}
            spoken = {k for k in spoken if not k.startswith(("silence", "stopped", "vantage"))} - SILENT
            assert spoken, f"{name}: {ranked.cause.id}"


def test_rules_that_confirm_rest_on_what_somebody_said() -> None:
    """An ICMP error, a notify, a hash that was computed again with given keys, or what keys opened."""
    said = (
        "icmp-",
        "notify-",
        "psk-of-",
        "opened-",
        "ends-keys-",
        "phase2-no-",
        "phase2-in",
        "phase2-ts",
        "xauth-status",
    )
    for rule in RULES:
        if rule.status is Status.CONFIRMED:
            assert any(kind.startswith(said) for kind in rule.all_of), rule


def test_causes_of_the_document_are_never_dropped() -> None:
    named = 0
    for name, found in everything():
        if not found.causes:
            continue
        troubled = any(k.startswith("phase2-") for k in kinds(found))
        present = {place for c in found.causes for place in c.document}
        for state in {*found.stop.initiator_state, *found.stop.responder_state}:
            if state.endswith("_ACTIVE") and not troubled:
                continue
            for item, wanted in enumerate(DOCUMENT.get(state, ()), 1):
                assert (state, item) in present, f"{name}: {state} {item}"
                assert cause(found, wanted) is not None
                named += 1
    assert named > 100


def test_unfinished_exchanges_always_have_causes() -> None:
    for name, found in everything():
        if found.stop.outcome in (Outcome.STALLED, Outcome.REJECTED):
            assert found.causes, name


# --- coverage of the document ----------------------------------------------------------------------------------

PLACES = [(state, item, name) for state, items in DOCUMENT.items() for item, name in enumerate(items, 1)]
NO_STATE_OF_AN_EXCHANGE = {"DEBUG_ERRORS", "NOTHING_LISTED"}
"""Parts of the document that no exchange can be in: their causes have to be reached wherever they are."""
ANOTHER_STATE = {
    ("MM_WAIT_MSG3", 3): "PFS has no part before Quick Mode; it is reached where Quick Mode is refused",
    ("MM_WAIT_MSG6", 3): "PFS has no part before Quick Mode; it is reached where Quick Mode is refused",
    ("AM_ACTIVE", 1): "Aggressive Mode has completed; the mode matters where it does not",
}
"""Places where the wire cannot speak for the cause, though it can elsewhere; with the reason."""


def _reached(name: str, place: tuple[str, int] | None) -> list[str]:
    good = (Status.CONFIRMED, Status.LIKELY)
    return [
        where
        for where, found in everything()
        for c in found.causes
        if c.cause.id == name and c.status in good and (place is None or place in c.document)
    ]


@pytest.mark.parametrize(("state", "item", "name"), PLACES)
def test_every_cause_of_the_document_is_reached(state: str, item: int, name: str) -> None:
    entry = loading.load().cause(name)
    assert entry is not None
    if not entry.visible:
        assert entry.invisible
        return
    anywhere = state in NO_STATE_OF_AN_EXCHANGE or (state, item) in ANOTHER_STATE
    assert _reached(name, None if anywhere else (state, item))


def test_every_other_cause_is_reached() -> None:
    for entry in loading.load().causes:
        if entry.visible and entry.id not in NEVER_LIKELY:
            assert _reached(entry.id, None), entry.id


NEVER_LIKELY = {
    "auth-method-mismatch": "it looks like a refused identity: nothing on the wire tells the two apart",
}


def test_pfs_keeps_its_remark_where_the_document_has_it() -> None:
    found = diagnosed(*made("mm5_repeats_alone"))[0]
    ranked = cause(found, "pfs-mismatch")
    assert ranked.status is Status.UNLIKELY
    assert ("MM_WAIT_MSG6", 3) in ranked.document
    assert ranked.cause.remark


# --- the table -------------------------------------------------------------------------------------------------


def test_every_rule_names_a_cause() -> None:
    known = {entry.id for entry in loading.load().causes}
    assert {rule.cause for rule in RULES} <= known


def test_every_visible_cause_has_a_rule() -> None:
    assert {e.id for e in loading.load().causes if e.visible} <= {rule.cause for rule in RULES}


CONTEXT = {kind.name for kind in KINDS if kind.context}
"""What `verdict` adds to the kinds of evidence."""


def test_what_verdict_adds_is_declared() -> None:
    assert {"unfinished", *(mode.value for mode in Mode), *(outcome.value for outcome in Outcome)} <= CONTEXT


def _patterns() -> set[str]:
    return {kind for rule in RULES for kind in (*rule.all_of, *rule.any_of, *rule.none_of, *rule.also)}


def test_no_rule_waits_for_a_kind_that_nothing_produces() -> None:
    """Each exact kind is seen in a capture or a scene; but for those that no single exchange shows."""
    seen = {kind for _, found in everything() for kind in kinds(found)} | CONTEXT
    unseen = {k for k in _patterns() if "*" not in k and k not in seen}
    assert unseen <= ONLY_WRITTEN, f"no scene shows {unseen - ONLY_WRITTEN}"


ONLY_WRITTEN = {
    # about many exchanges at once
    "flood",
    "reflection",
    "sweep",
    # counted by the capture layer
    "esp-one-way",
    "ike-silent-beside-esp",
    "esp-outside-udp",
    "arp-unanswered",
    # only where the capture cuts off what was negotiated
    "ike-auth-may-be-refused",
    # only where candidate keys are given
    *(f"psk-of-{side}-{how}" for side in ("initiator", "responder") for how in ("matches", "differs")),
}
"""Kinds that no single exchange by itself shows; other tests do."""


def test_no_pattern_matches_nothing() -> None:
    seen = {kind for _, found in everything() for kind in kinds(found)} | CONTEXT
    for pattern in _patterns():
        if "*" in pattern and not pattern.startswith("psk-of-"):
            assert any(fnmatchcase(kind, pattern) for kind in seen), pattern


def test_no_rule_is_hidden_by_an_earlier_one() -> None:
    """A rule whose conditions hold whenever an earlier one's do can never decide."""
    for place, rule in enumerate(RULES):
        for earlier in RULES[:place]:
            if earlier.cause == rule.cause and set(earlier.none_of) <= set(rule.none_of):
                assert not (set(earlier.all_of) <= set(rule.all_of) and _any_of_follows(earlier, rule)), rule


def _any_of_follows(earlier: Rule, rule: Rule) -> bool:
    """Whether what one of has to be there for the earlier rule is there wherever the later one fits."""
    wanted = set(earlier.any_of)
    return not wanted or bool(wanted & set(rule.all_of)) or (bool(rule.any_of) and set(rule.any_of) <= wanted)
