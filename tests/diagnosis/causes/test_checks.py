"""What to check next: real addresses, at the right end, for what the ends are, and no other platform's commands."""

import re

import pytest

from pcapdiag.diagnosis.causes.checks import PlacedCheck, fitting_checks, next_checks
from pcapdiag.diagnosis.causes.platforms import Basis, Given
from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Side
from pcapdiag.knowledge.loading import load
from pcapdiag.knowledge.platform_names import PLATFORM_NAMES, speaks
from pcapdiag.knowledge.records import Cause, Check, Status
from tests.diagnosis.scenarios import LIBRESWAN, STRONGSWAN, TRUTH, captured, choice, diagnosed, diagnosed_until, offer
from tests.diagnosis.scenes import SCENES, made
from tests.messages import LEFT, RIGHT, Wire, message, notify

BY_TWO = {side.value: "asa" for side in Side}
CAUSES = [cause.id for cause in load().causes]

FOREIGN = {
    "asa": r"\bdiagnose |swanctl|\bipsec (auto|whack|status)|mp-log|display ike|/ip ipsec|show crypto session",
    "ios": r"\bdiagnose |swanctl|\bipsec (auto|whack|status)|tunnel-group|system:running-config|mp-log|/ip ipsec",
    "strongswan": r"\bdiagnose |crypto (isakmp|ikev|map)|\bipsec (auto|whack)|mp-log|/ip ipsec",
    "libreswan": r"\bdiagnose |crypto (isakmp|ikev|map)|swanctl|mp-log|/ip ipsec",
    "fortigate": r"crypto (isakmp|ikev|map)|swanctl|tunnel-group|mp-log|\bipsec (auto|whack|status)|/ip ipsec",
}
"""Words that are of other platforms only."""
OF_IKEV1 = re.compile(r"\bcookies?\b|[Mm]essages? [1-6]\b|\bikev1\b|Main Mode|Aggressive|Quick Mode|isakmp|XAuth|xauth")
OF_IKEV2 = re.compile(r"ikev2|IKE_SA_INIT|IKE_AUTH|CREATE_CHILD_SA|Child SA|\bEAP\b|INVALID_IKE_SPI")


def _texts(check: Check) -> list[str]:
    return [t for t in (check.do, check.command, check.expect, *check.first, *check.undo) if t]


def _flat(placed: PlacedCheck) -> list[Check]:
    return [placed.check, *placed.by_platform]


def _all(found: Diagnosis) -> list[PlacedCheck]:
    return [p for ranked in found.causes for p in fitting_checks(ranked, found)]


def _told(found: Diagnosis, **given: str) -> Diagnosis:
    """The same diagnosis, with what the user says of the ends."""
    from msgspec.structs import replace

    return replace(found, given=Given(tuple(given.items())))


def _of(cause: str, found: Diagnosis, version: int) -> RankedCause:
    """A cause as if it led, in the words of that version."""
    entry = next(c for c in load().causes_in(version) if c.id == cause)
    return RankedCause(entry, Status.LIKELY, 50, "", (), (), ())


# --- a table over every combination ----------------------------------------------------------------------------

SCENE_OF = {1: "mm5_repeats_alone", 2: "ikev2_authentication_refused"}


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("platform", PLATFORM_NAMES)
def test_platform_version_cause(platform: str, version: int, cause: str) -> None:
    (scene,) = diagnosed(*made(SCENE_OF[version]))
    found = _told(scene, initiator=platform, responder=platform)
    placed = fitting_checks(_of(cause, found, version), found)
    shown = [check for p in placed for check in _flat(p)]
    assert {check.platform for check in shown} <= {platform, "any"}
    looked: set[Side | None] = set()
    for side, check in [(p.side, check) for p in placed for check in _flat(p)]:
        assert check.ike in (None, version)
        if check.platform != "any":
            assert check.does in ("show", "debug", "change")
            assert (check.source or "").startswith(("https://", "http://"))
        assert check.does != "debug" or check.undo
        if check.does in ("show", "debug"):
            looked.add(side)
        assert check.does != "change" or side in looked
        foreign = OF_IKEV1 if version == 2 else OF_IKEV2
        both = cause == "ike-version-mismatch"
        assert both or not [t for t in _texts(check) if foreign.search(t)], check
        assert not [t for t in _texts(check) if re.search(FOREIGN.get(platform, "(?!)"), t)], check
    if not speaks(platform, version):
        assert {check.platform for check in shown} == {"any"} or not shown


@pytest.mark.parametrize("cause", load().causes_in(2), ids=lambda c: c.id)
def test_words_of_ikev2(cause: Cause) -> None:
    skipped = ("mode-mismatch",)  # IKEv2 has no modes
    if cause.id not in skipped:
        texts = (cause.title, cause.meaning, cause.supports, cause.against, cause.decide, cause.look)
        allowed = cause.id == "ike-version-mismatch"
        assert allowed or not [t for t in texts if OF_IKEV1.search(t)]


@pytest.mark.parametrize("cause", load().causes_in(1), ids=lambda c: c.id)
def test_words_of_ikev1(cause: Cause) -> None:
    texts = (cause.title, cause.meaning, cause.supports, cause.against, cause.decide, cause.look)
    assert cause.id == "ike-version-mismatch" or not [t for t in texts if OF_IKEV2.search(t)]


def test_newer_forms_come_before_older_ones() -> None:
    for cause in load().causes:
        software = [c.software or "" for c in cause.in_version(1).checks if c.platform == "asa" and c.does != "change"]
        old = [n for n, text in enumerate(software) if text.startswith("before")]
        assert all(not text.startswith("before") for text in software[: min(old, default=0)])
        assert all(text.startswith("before") for text in software[min(old, default=len(software)) :]), cause.id


CHECKS = [check for cause in load().causes for check in cause.checks]
ENDS_TUNNELS = re.compile(
    r"\bclear (crypto|vpn|security)|gateway clear|--terminate|--down|kill-conn|ikectl reset|tunnelutil"
)
NOT_LISTED = re.compile(r"proposals|encap\b|fragmentation|aggressive")


def test_what_takes_a_tunnel_down_says_so() -> None:
    found = [check for check in CHECKS if check.command and ENDS_TUNNELS.search(check.command)]
    assert len({check.platform for check in found}) > 9
    assert [check for check in found if "drop" not in check.do] == []


def test_swanctl_is_not_asked_for_what_it_does_not_list() -> None:
    """Its list of connections has addresses, identities, methods and networks; the rest stands in the files alone."""
    lists = [check for check in CHECKS if check.command == "swanctl --list-conns"]
    assert {check.platform for check in lists} == {"strongswan", "pfsense"}
    assert [check.do for check in lists if NOT_LISTED.search(check.do)] == []


def test_a_command_for_one_peer_leaves_the_others_alone() -> None:
    # On a pfSense it takes all keys away, and reads none of its own.
    assert [c for c in CHECKS if c.platform == "pfsense" and "--load-creds" in (c.command or "")] == []
    for check in CHECKS:
        if check.platform == "mikrotik" and check.does == "debug":
            comment = re.search(r'comment="[^"]+"', check.command or "")
            assert comment
            assert comment.group() in check.undo[0]


def test_a_debug_of_ios_is_seen_in_the_session_that_asks_for_it() -> None:
    debugs = [check for check in CHECKS if check.platform == "ios" and check.does == "debug"]
    assert debugs
    assert all(c.first[0] == "terminal monitor" and c.undo[-1] == "terminal no monitor" for c in debugs)


def test_where_the_answer_arrives_the_path_is_not_looked_at() -> None:
    """What gets to the interface of the end that waits is dropped there, or not taken: its filters and its log tell."""
    (found,) = diagnosed(*made("mm6_gets_to_the_initiator_and_is_not_taken"))
    assert "path-loss" in [c.cause.id for c in found.causes if c.leads]
    assert {p.side for c in found.causes if c.cause.id == "path-loss" for p in fitting_checks(c, found)} == {
        Side.INITIATOR
    }


# --- in scenes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", TRUTH, ids=lambda r: r["capture"])
def test_no_braces_are_left(row: dict[str, str]) -> None:
    for found in diagnosed_until(*captured(row["capture"])):
        for placed in (*_all(found), *next_checks(found)):
            assert not [t for c in _flat(placed) for t in _texts(c) if re.search(r"[{}]", t)]


@pytest.mark.parametrize("name", SCENES)
def test_each_check_stands_at_its_end_and_names_the_other(name: str) -> None:
    for found in diagnosed(*made(name)):
        ours, theirs = found.exchange.initiator.address, found.exchange.responder.address
        for ranked in found.causes:
            for placed in fitting_checks(ranked, found):
                assert placed.cause == ranked.cause.id
                here, there = (theirs, ours) if placed.side is Side.RESPONDER else (ours, theirs)
                assert placed.at == ("the path" if placed.side is None else here)
                for check in _flat(placed):
                    pings = [t for t in _texts(check) if t.startswith("ping ")]
                    assert all(here not in t or "source" in t for t in pings)
                    assert there in "".join(_texts(check)) or here not in "".join(_texts(check)) or placed.by_platform


def test_ping_goes_to_the_peer() -> None:
    (found,) = diagnosed(*made("host_unreachable"))
    pings = [p for p in next_checks(_told(found, **BY_TWO)) if (p.check.command or "").startswith("ping")]
    assert [(p.at, p.check.command) for p in pings] == [(LEFT, f"ping {RIGHT}")]


@pytest.mark.parametrize("name", SCENES)
def test_next_checks_are_few_and_all_different(name: str) -> None:
    for found in diagnosed(*made(name)):
        chosen = next_checks(found)
        assert len(chosen) <= 6
        assert len({(p.at, p.check.command or p.check.do) for p in chosen}) == len(chosen)
        leading = {c.cause.id for c in found.causes if c.leads}
        assert {p.cause for p in chosen} <= leading
        assert bool(chosen) == bool(leading)


def test_most_is_kept() -> None:
    (found,) = diagnosed(*made("host_unreachable"))
    assert len(next_checks(found, 2)) == 2


def _diagnosed(*vendors: tuple[int, bytes]) -> Diagnosis:
    wire = Wire()
    first, second = vendors
    items = [
        wire.datagram(0, offer(first)),
        wire.datagram(0.1, choice(second), left=False),
        *wire.main_mode(0.2, 3, 4, 5),
        *wire.main_mode(8, 5, 4),
    ]
    (found,) = diagnosed(items, 60)
    return found


def _platforms(found: Diagnosis) -> dict[Side | None, set[str]]:
    chosen: dict[Side | None, set[str]] = {}
    for placed in next_checks(found, 40):
        for check in _flat(placed):
            chosen.setdefault(placed.side, set()).add(check.platform)
    return chosen


def test_platform_of_each_end() -> None:
    found = _platforms(_diagnosed(STRONGSWAN, LIBRESWAN))
    assert found.get(Side.INITIATOR, set()) <= {"any", "strongswan"}
    assert found.get(Side.RESPONDER, set()) <= {"any", "libreswan"}
    assert {p for platforms in found.values() for p in platforms} & {"strongswan", "libreswan"}


def test_an_end_that_does_not_say_gets_words_and_every_platform_under_its_name() -> None:
    found = _diagnosed((13, bytes(16)), (13, bytes(16)))
    words = [p for p in next_checks(found) if p.by_platform]
    assert words
    for placed in words:
        assert placed.basis is Basis.NONE
        cause = next(c.cause for c in found.causes if c.cause.id == placed.cause)
        peer = found.exchange.peer(placed.side.other).address
        assert placed.check.do == cause.look.rstrip(".").format(peer=peer, local=placed.at)
        assert {"asa", "ios", "fortigate", "strongswan"} <= {c.platform for c in placed.by_platform}
        assert "azure" not in {c.platform for c in placed.by_platform}  # at a private address
    assert not [p for p in next_checks(found) if p.check.platform != "any"]


def test_what_the_initiator_refuses_for_want_of_a_key_is_looked_at_there() -> None:
    """Although the platform of the other end is the one that is known."""
    wire = Wire()
    refusal = message(5, [notify(17)], message_id=0x77)
    items = [
        wire.datagram(0, offer((13, bytes(16)))),
        wire.datagram(0.1, choice(LIBRESWAN), left=False),
        *wire.main_mode(0.2, 3, 4),
        wire.datagram(0.5, refusal),
    ]
    (found,) = diagnosed(items, 60)
    assert found.causes[0].cause.id == "psk-missing"
    assert next_checks(found)[0].side is Side.INITIATOR
    assert "responder" not in found.causes[0].cause.title


def test_the_path_has_checks_for_any_platform_only() -> None:
    assert _platforms(_diagnosed(STRONGSWAN, LIBRESWAN)).get(None, set()) <= {"any"}


def test_local_leaves_only_my_commands_and_asks_the_other() -> None:
    (found,) = diagnosed(*made("ikev2_authentication_refused"))
    from msgspec.structs import replace

    mine = replace(found, given=Given((("initiator", "fortigate"), ("responder", "asa")), (LEFT,)))
    assert {p.side for p in _all(mine)} <= {Side.INITIATOR, None}
    assert {c.platform for p in _all(mine) for c in _flat(p)} <= {"any", "fortigate"}
    assert mine.request is not None
    assert mine.request.startswith(f"To the administrator of {RIGHT}\n")
    assert "debug crypto ikev2" in mine.request or "more system:running-config" in mine.request
    assert found.request is None


def test_the_log_is_at_the_end_that_refused() -> None:
    (found,) = diagnosed(*made("certificate_refused_by_the_initiator"))
    told = _told(found, **BY_TWO)
    reasons = [p for p in next_checks(told) if p.check.command and "717" in (p.check.expect or "")]
    assert {p.side for p in reasons} == {Side.INITIATOR}


def test_expectations_fit_what_went_by() -> None:
    for scene, seen in (("malformed_after_mm5", True), ("refusal_not_understood", False)):
        (found,) = diagnosed(*made(scene))
        told = _told(found, **BY_TWO)
        expected = " ".join(p.check.expect or "" for p in _all(told))
        assert ("un-encrypted PAYLOAD_MALFORMED" in expected) is seen, scene


def test_no_advice_about_a_port_that_was_not_used() -> None:
    (found,) = diagnosed(*made("begins_on_port_8500"))
    texts = [t for p in _all(_told(found, **BY_TWO)) for c in _flat(p) for t in _texts(c)]
    assert texts
    assert not [t for t in texts if re.search(r"\b(UDP|port) (500|4500)\b", t)]


@pytest.mark.parametrize("name", SCENES)
def test_no_capture_at_the_end_where_this_one_is(name: str) -> None:
    for found in diagnosed(*made(name)):
        kinds = {k for e in found.evidence for k in e.kinds}
        if "vantage-responder" in kinds:
            at = [p for p in _all(found) if (p.check.command or "").startswith("tcpdump")]
            assert not [p for p in at if p.side is Side.RESPONDER]


def test_a_capture_is_not_asked_for_where_this_one_is_theirs() -> None:
    from msgspec.structs import replace

    asked: dict[bool, set[bool]] = {}
    for name in SCENES:
        for found in diagnosed(*made(name)):
            if found.exchange.initiator.address != LEFT:
                continue
            kinds = {k for e in found.evidence for k in e.kinds}
            request = replace(found, given=Given((), (LEFT,))).request
            if request is not None:
                asked.setdefault("vantage-responder" in kinds, set()).add("a capture on your side while" in request)
    assert asked == {True: {False}, False: {True}}
