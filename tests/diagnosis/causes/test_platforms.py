"""What each end is: what the user says, what vendor IDs name, what a schedule hints at; and never more."""

import pytest
from msgspec.structs import replace

from pcapdiag.diagnosis.causes.platforms import OF_VENDOR, Basis, Given, Platform, PlatformError, given_of, platform_of
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Side
from pcapdiag.knowledge.platform_names import OTHER_NAMES, PLATFORM_NAMES, platform_named
from tests.diagnosis.scenarios import LIBRESWAN, STRONGSWAN, choice, diagnosed, keying, offer
from tests.diagnosis.scenes import made
from tests.messages import LEFT, RIGHT, Wire

ALTIGA = (13, bytes.fromhex("1f07f70eaa6514d3b0fa96542a500100"))
IOS = (13, b"CISCO-DYNAMIC-ROUTE")
CISCO = (13, b"CISCO-DELETE-REASON")
FORTIGATE = (13, bytes.fromhex("8299031757a36082c6a621de00000000"))
WINDOWS = (13, bytes.fromhex("1e2b516905991c7d7c96fcbfb587e46100000009"))
CLIENT = (13, bytes.fromhex("f6f7efc7f5aeb8cb158cb9d094ba69e7"))
UNKNOWN = (13, bytes(16))


def _ends(*vendors: tuple[int, bytes]) -> Diagnosis:
    wire = Wire()
    items = [wire.datagram(0, offer(vendors[0])), wire.datagram(0.1, choice(*vendors[1:]), left=False)]
    (found,) = diagnosed([*items, wire.datagram(0.2, keying())], 60)
    return found


def _responder(*vendors: tuple[int, bytes]) -> Platform:
    return _ends(UNKNOWN, *vendors).platform(Side.RESPONDER)


@pytest.mark.parametrize(
    ("vendors", "platforms"),
    [
        ([STRONGSWAN], ("strongswan",)),
        ([LIBRESWAN], ("libreswan",)),
        ([FORTIGATE], ("fortigate",)),
        ([ALTIGA], ("asa",)),
        ([CISCO, ALTIGA], ("asa",)),
        ([IOS], ("ios",)),
        ([CISCO], ("asa", "ios")),
        ([WINDOWS], ()),
        ([CLIENT], ()),  # Cisco's VPN client: a program, no gateway
    ],
)
def test_vendor_ids_tell(vendors: list[tuple[int, bytes]], platforms: tuple[str, ...]) -> None:
    found = _responder(*vendors)
    assert found.possible == platforms
    assert found.basis is Basis.VENDOR_ID
    assert found.certain == (len(platforms) == 1)


def test_fortios_is_no_ios() -> None:
    assert "ios" not in _responder(FORTIGATE).possible


def test_nothing_tells_and_all_are_possible() -> None:
    found = _responder(UNKNOWN)
    assert found.basis is Basis.NONE
    assert not found.certain
    assert {"asa", "ios", "fortigate", "strongswan"} <= set(found.possible)
    assert "openiked" not in found.possible  # it speaks IKEv2 only
    assert "aws" not in found.possible  # at a private address


def test_a_schedule_is_a_hint() -> None:
    wire = Wire()
    times = (0, 4, 11.2, 24.16, 47.5, 89.5)
    (found,) = diagnosed([wire.datagram(t, offer()) for t in times], 170)
    end = found.platform(Side.INITIATOR)
    assert end.basis is Basis.SCHEDULE
    assert end.possible == ("strongswan", "pfsense")
    assert not end.certain


def test_the_rhythm_of_answers_is_that_of_who_asks() -> None:
    wire = Wire()
    times = (0, 4, 11.2, 24.16, 47.5, 89.5)
    asked = [wire.datagram(t, offer()) for t in times]
    answered = [wire.datagram(t + 0.05, choice(), left=False) for t in times]
    (found,) = diagnosed([*asked, *answered], 170)
    assert found.platform(Side.INITIATOR).basis is Basis.SCHEDULE
    assert found.platform(Side.RESPONDER).basis is Basis.NONE
    (alone,) = diagnosed(answered, 170)
    assert alone.platform(Side.RESPONDER).basis is Basis.NONE
    (own,) = diagnosed([asked[0], *answered], 170)
    assert own.platform(Side.RESPONDER).basis is Basis.SCHEDULE


def test_a_schedule_that_two_share_hints_at_both() -> None:
    wire = Wire()
    (found,) = diagnosed([wire.datagram(t, offer()) for t in (0, 10, 20, 30, 40, 50)], 120)
    assert found.platform(Side.INITIATOR).possible == ("ios", "mikrotik")


def test_windows_at_a_public_address_may_be_azure() -> None:
    wire = Wire()
    ends = {"source": "9.9.9.9", "destination": "20.61.10.5"}
    back = {"source": "20.61.10.5", "destination": "9.9.9.9"}
    items = [wire.datagram(0, offer(), **ends), wire.datagram(0.1, choice(WINDOWS), left=False, **back)]
    (found,) = diagnosed([*items, *(wire.datagram(t, keying(), **ends) for t in (0.2, 4.2, 11.4))], 90)
    end = found.platform(Side.RESPONDER)
    assert end.possible == ("azure",)
    assert end.basis is Basis.VENDOR_HINT
    assert not end.certain
    assert end.name == "Microsoft Windows 8, Server 2012 or later"


def test_what_a_netscreen_sends_too_is_a_hint_at_an_srx() -> None:
    shared = (13, bytes.fromhex("699369228741c6d4ca094c93e242c9de19e7b7c60000000500000500"))
    alone = (13, bytes.fromhex("fd808804df73b15150709d878044cde0ac1efcde"))
    assert (_responder(shared).possible, _responder(shared).basis) == (("juniper",), Basis.VENDOR_HINT)
    assert _responder(shared).name == "Juniper"
    assert (_responder(shared, alone).possible, _responder(shared, alone).certain) == (("juniper",), True)


def test_an_asa_is_not_told_from_an_ftd() -> None:
    """The same software negotiates on both, and sends the same vendor IDs."""
    assert _responder(ALTIGA).name == "Cisco ASA or FTD"
    assert platform_named("FTD") == "asa"


def test_what_the_user_says_comes_first() -> None:
    found = _ends(STRONGSWAN, STRONGSWAN)
    given = given_of({LEFT: "FortiOS", "responder": "ASA"})
    assert platform_of(found.exchange, Side.INITIATOR, given).possible == ("fortigate",)
    assert platform_of(found.exchange, Side.RESPONDER, given).possible == ("asa",)
    nearer = given_of(["responder=asa", f"{RIGHT}=ios"])
    assert platform_of(found.exchange, Side.RESPONDER, nearer).possible == ("ios",)


def test_mine() -> None:
    (found,) = diagnosed(*made("mm5_repeats_alone"))
    assert [found.platform(side).mine for side in Side] == [None, None]
    ours = replace(found, given=Given((), (RIGHT,)))
    assert [ours.platform(side).mine for side in Side] == [False, True]
    both = replace(found, given=Given((), (LEFT, RIGHT)))
    assert [both.platform(side).mine for side in Side] == [None, None]
    other = replace(found, given=Given((), ("203.0.113.200",)))
    assert [other.platform(side).mine for side in Side] == [None, None]


@pytest.mark.parametrize(
    ("platforms", "local", "message"),
    [
        (["asa"], None, "'asa' is not END=NAME"),
        (["=asa"], None, "'=asa' is not END=NAME"),
        (["192.0.2.1=pix"], None, "no platform 'pix': one of asa, ios, "),
        (["gateway=asa"], None, "'gateway' is not an address"),
        ([], "here", "'here' is not an address"),
    ],
)
def test_what_cannot_be_understood(platforms: list[str], local: str | None, message: str) -> None:
    with pytest.raises(PlatformError, match=message) as caught:
        given_of(platforms, local)
    assert "\n" not in str(caught.value)


def test_addresses_are_compared_as_addresses() -> None:
    assert given_of(["2001:DB8:0::1=asa"], "2001:db8:0:0::2") == Given((("2001:db8::1", "asa"),), ("2001:db8::2",))


def test_names() -> None:
    assert platform_named(" Check Point ") == "checkpoint"
    assert platform_named("pixos") is None
    assert set(OTHER_NAMES.values()) <= set(PLATFORM_NAMES)
    assert {p for platforms in OF_VENDOR.values() for p in platforms} <= set(PLATFORM_NAMES)
