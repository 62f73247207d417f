"""What each end of an exchange is, so that advice has the commands which that device understands.

Told by the user, by the vendor IDs that the end sends, or by its retransmission schedule. A vendor ID names its
sender's software; a schedule is a habit, and a hint. Where nothing tells, every platform that speaks this version of
IKE is possible, and no one is taken in silence.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address

from pcapdiag.diagnosis.outcome.retransmission import schedule_of, timed_by
from pcapdiag.exchange.model import Exchange, Mode, Side
from pcapdiag.knowledge.platform_names import PLATFORM_NAMES, platform_named, speaks
from pcapdiag.record import Record

ASA_OR_IOS = ("asa", "ios")

OF_NAME: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Cisco VPN 3000/ASA (Altiga)", ("asa",)),
    ("Cisco VPN 3000 client", ()),  # a program on somebody's computer
    ("Cisco dynamic route", ("ios",)),
    ("Cisco VPN revision 2", ("ios",)),
)
"""Vendor IDs that tell more than their vendor, the one that decides first. An ASA sends the ID of IOS too."""

OF_VENDOR: dict[str, tuple[str, ...]] = {
    "strongSwan": ("strongswan",),
    "libreswan": ("libreswan",),
    "Openswan": ("libreswan",),
    "FreeS/WAN or Openswan": ("libreswan",),
    "Fortinet FortiGate": ("fortigate",),
    "Check Point": ("checkpoint",),
    "Huawei": ("huawei",),
    "Juniper": ("juniper",),
    "OpenIKED": ("openiked",),
    "Cisco": ASA_OR_IOS,
}
"""Whose commands a device of that vendor understands; of every other vendor none are known."""

RUN_BY_AZURE = "Microsoft Windows"
"""Azure's gateways send the vendor IDs of the Windows that they run, and so does any other Windows."""

SHARED_BY_SCREENOS, SRX_ALONE = "NetScreen or SRX", "Juniper SRX"
"""Vendor IDs of Juniper: one that a NetScreen sends as well, and one that it does not."""

OF_SCHEDULE: dict[str, tuple[str, ...]] = {
    "strongswan": ("strongswan", "pfsense"),
    "libreswan": ("libreswan",),
    "cisco-asa": ("asa",),
    "cisco-ios": ("ios",),
    "racoon": ("mikrotik",),  # RouterOS' IKE descends from racoon
    "fortinet": ("fortigate",),
    "openiked": ("openiked",),
}

CLOUD = ("azure", "aws")
"""These are reached at public addresses."""


class Basis(StrEnum):
    """What tells a platform, the surest first."""

    GIVEN = "given"
    VENDOR_ID = "vendor-id"
    VENDOR_HINT = "vendor-hint"
    SCHEDULE = "schedule"
    NONE = "none"


class Given(Record, frozen=True):
    """What the user said of the ends.

    platforms -- pairs of an end (its address, "initiator" or "responder") and a platform
    local -- addresses of the user's own devices
    """

    platforms: tuple[tuple[str, str], ...] = ()
    local: tuple[str, ...] = ()


NOTHING_GIVEN = Given()


class Platform(Record, frozen=True):
    """One end of an exchange, as advice sees it.

    possible -- the platforms that it can be, the likeliest first: names of `pcapdiag.knowledge.platform_names`
    basis -- what tells that; vendors -- what its vendor IDs name
    mine -- whether it is the user's own device; None where that is not said
    """

    side: Side
    address: str
    possible: tuple[str, ...]
    basis: Basis
    vendors: tuple[str, ...]
    mine: bool | None

    @property
    def certain(self) -> bool:
        """One platform, and its vendor ID or the user says so."""
        return len(self.possible) == 1 and self.basis in (Basis.GIVEN, Basis.VENDOR_ID)

    @property
    def name(self) -> str | None:
        """What it is called where one platform is left, however that is known; else what its vendor IDs name."""
        if len(self.possible) == 1 and self.basis is not Basis.VENDOR_HINT:
            return PLATFORM_NAMES[self.possible[0]]
        return ", ".join(self.vendors[:3]) or None


class PlatformError(ValueError):
    """What is said of an end cannot be understood; the message is one line."""


def given_of(platforms: Iterable[str] | dict[str, str] = (), local: str | Iterable[str] | None = None) -> Given:
    """What the user says of the ends: `END=NAME` each, or a dict of these, and the addresses of their own devices.

    Raises PlatformError where an end is neither an address nor "initiator" or "responder", or where a platform is not
    known.
    """
    pairs = list(platforms.items()) if isinstance(platforms, dict) else [_pair(text) for text in platforms]
    found = []
    for end, name in pairs:
        platform = platform_named(name)
        if platform is None:
            raise PlatformError(f"no platform {name!r}: one of {', '.join(PLATFORM_NAMES)}")
        found.append((_end(end), platform))
    addresses = (local,) if isinstance(local, str) else tuple(local or ())
    return Given(tuple(found), tuple(_address(address) for address in addresses))


def _pair(text: str) -> tuple[str, str]:
    end, mark, name = text.rpartition("=")
    if not mark or not end or not name:
        raise PlatformError(f"{text!r} is not END=NAME, such as 192.0.2.1=asa or responder=fortigate")
    return end, name


def _end(text: str) -> str:
    word = text.strip().lower()
    return word if word in (Side.INITIATOR.value, Side.RESPONDER.value) else _address(text)


def _address(text: str) -> str:
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        raise PlatformError(f"{text!r} is not an address") from None


def platform_of(exchange: Exchange, side: Side, given: Given = NOTHING_GIVEN) -> Platform:
    """What one end is."""
    peer = exchange.peer(side)
    addresses = (peer.address, *peer.aliases)
    mine = _mine(exchange, side, given.local)
    version = 2 if exchange.mode is Mode.IKEV2 else 1
    possible, basis = _possible(exchange, side, addresses, given)
    if basis is not Basis.GIVEN:
        possible = _speaking(possible, version)
    return Platform(side, peer.address, possible, basis, peer.vendors, mine)


@lru_cache(256)
def _speaking(platforms: tuple[str, ...], version: int) -> tuple[str, ...]:
    return tuple(p for p in platforms if speaks(p, version))


def _mine(exchange: Exchange, side: Side, local: Sequence[str]) -> bool | None:
    """Whether an end is the user's; None where neither is, or both are."""
    if not local:
        return None
    ours = [s for s in Side if not set(local).isdisjoint((exchange.peer(s).address, *exchange.peer(s).aliases))]
    return side is ours[0] if len(ours) == 1 else None


def _possible(exchange: Exchange, side: Side, addresses: Sequence[str], given: Given) -> tuple[tuple[str, ...], Basis]:
    # Of two that fit, the one that names the address is the closer one.
    for wanted in (addresses, (side.value,)):
        for end, platform in given.platforms:
            if end in wanted:
                return (platform,), Basis.GIVEN
    by_vendor = _by_vendor_ids(exchange, side)
    if by_vendor is not None:
        return by_vendor
    by_schedule = _by_schedule(exchange, side)
    if by_schedule:
        return by_schedule, Basis.SCHEDULE
    return (_ANYWHERE if _public(addresses[0]) else _NOT_IN_A_CLOUD), Basis.NONE


def _by_vendor_ids(exchange: Exchange, side: Side) -> tuple[tuple[str, ...], Basis] | None:
    """By the vendor IDs that an end sends; empty for a vendor of which no commands are known; None: none tells."""
    ids = [v for step in exchange.sent_by(side) for v in step.vendor_ids]
    if not ids:
        return None
    names = {v.name for v in ids}
    for name, platforms in OF_NAME:
        if name in names:
            return platforms, Basis.VENDOR_ID
    # Huawei says some of Cisco's words too: what only one vendor says comes first.
    vendors = sorted({v.vendor for v in ids if v.vendor}, key=lambda vendor: vendor == "Cisco")
    if vendors == [RUN_BY_AZURE] and _public(exchange.peer(side).address):
        return ("azure",), Basis.VENDOR_HINT
    for vendor in vendors:
        if vendor in OF_VENDOR:
            shared = vendor == "Juniper" and SHARED_BY_SCREENOS in names and SRX_ALONE not in names
            return OF_VENDOR[vendor], Basis.VENDOR_HINT if shared else Basis.VENDOR_ID
    return ((), Basis.VENDOR_ID) if vendors else None


def _by_schedule(exchange: Exchange, side: Side) -> tuple[str, ...]:
    for step in exchange.repeated:
        if (
            len(step.sent) > 2
            and timed_by(exchange, step) is side
            and (schedule := schedule_of(step.times)) is not None
        ):
            return tuple(p for word in schedule.vendor.split() for p in OF_SCHEDULE.get(word, ()))
    return ()


_ANYWHERE = tuple(PLATFORM_NAMES)
_NOT_IN_A_CLOUD = tuple(p for p in PLATFORM_NAMES if p not in CLOUD)


@lru_cache(4096)
def _public(address: str) -> bool:
    try:
        return ip_address(address).is_global
    except ValueError:
        return False
