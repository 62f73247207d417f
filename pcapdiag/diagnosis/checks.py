"""What to check next, and where: the knowledge base's checks with the real addresses of an exchange filled in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pcapdiag.diagnosis.ranking import RankedCause, Status
from pcapdiag.exchange.model import Exchange, Peer, Side
from pcapdiag.record import Record

if TYPE_CHECKING:
    from pcapdiag.diagnosis.causes import Check

PLATFORM_OF_VENDOR = (
    ("strongswan", "strongswan"),
    ("libreswan", "libreswan"),
    ("openswan", "libreswan"),
    ("fortigate", "fortigate"),
    ("fortinet", "fortigate"),
    ("palo alto", "paloalto"),
    ("ios", "ios"),
)
"""Words in the name of a product that tell whose commands it understands."""


_PLACES: dict[str, tuple[Side | None, ...]] = {
    "path": (None,),
    "initiator": (Side.INITIATOR,),
    "responder": (Side.RESPONDER,),
    "either": (Side.INITIATOR, Side.RESPONDER),
}
"""Where a check can be done, by what the knowledge base says of its end."""


class PlacedCheck(Record, frozen=True):
    """One check at one place.

    side -- at which end; None on the path between them
    at -- the address of that end, or "the path"; check -- with the addresses filled in
    """

    cause: str
    side: Side | None
    at: str
    check: "Check"


def fitting_checks(ranked: RankedCause, exchange: Exchange) -> list[PlacedCheck]:
    """The checks of a cause, in the knowledge base's order, for the platforms that the ends show themselves to be.

    An end that does not say what it is gets the commands for an ASA, which the document is about. What can be done at
    either end is placed at the initiator, who mostly is the one that looks, or where the commands fit.
    """
    platforms: dict[Side | None, tuple[str, ...]] = {side: _platforms(exchange.peer(side)) for side in Side}
    placed = []
    for check in ranked.cause.checks:
        for side in _PLACES[check.end]:
            if check.platform not in ("any", *platforms.get(side, ())):
                continue
            here = exchange.peer(side or Side.INITIATOR).address
            there = exchange.peer((side or Side.INITIATOR).other).address
            at = "the path" if side is None else here
            placed.append(PlacedCheck(ranked.cause.id, side, at, check.fill(peer=there, local=here)))
            break
    return placed


def next_checks(causes: Sequence[RankedCause], exchange: Exchange, most: int = 6) -> tuple[PlacedCheck, ...]:
    """The few checks to begin with: of the likely causes, or of the possible ones where none is likely."""
    leading = [c for c in causes if c.status in (Status.CONFIRMED, Status.LIKELY)]
    leading = leading or [c for c in causes if c.leads]
    chosen: dict[tuple[str, str], PlacedCheck] = {}
    for place, cause in enumerate(leading[:3]):
        for placed in fitting_checks(cause, exchange)[: 4 if place == 0 else 2]:
            chosen.setdefault((placed.at, placed.check.command or placed.check.do), placed)
    return tuple(chosen.values())[:most]


def _platforms(peer: Peer) -> tuple[str, ...]:
    names = " ".join(peer.vendors).lower()
    found = tuple(dict.fromkeys(platform for word, platform in PLATFORM_OF_VENDOR if word in names))
    return found or ("asa",)
