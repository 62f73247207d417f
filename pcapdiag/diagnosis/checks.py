"""What to check next, and where: the knowledge base's checks with the real addresses of an exchange filled in."""

from collections.abc import Sequence
from dataclasses import dataclass

from pcapdiag.diagnosis.causes import Check
from pcapdiag.diagnosis.ranking import RankedCause, Status
from pcapdiag.exchange.model import Exchange, Peer, Side

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


@dataclass(frozen=True, slots=True)
class PlacedCheck:
    """One check at one place.

    side -- at which end; None on the path between them
    at -- the address of that end, or "the path"; check -- with the addresses filled in
    """

    cause: str
    side: Side | None
    at: str
    check: Check


def checks_for(ranked: RankedCause, exchange: Exchange) -> tuple[PlacedCheck, ...]:
    """Every check of a cause, in the knowledge base's order.

    What can be done at either end is placed at the initiator: the one who looks is mostly the one who wants it up.
    """
    placed = []
    for check in ranked.cause.checks:
        side = None if check.end == "path" else Side.RESPONDER if check.end == "responder" else Side.INITIATOR
        here = exchange.peer(side or Side.INITIATOR).address
        there = exchange.peer((side or Side.INITIATOR).other).address
        at = "the path" if side is None else here
        placed.append(PlacedCheck(ranked.cause.id, side, at, check.fill(peer=there, local=here)))
    return tuple(placed)


def next_checks(causes: Sequence[RankedCause], exchange: Exchange, most: int = 6) -> tuple[PlacedCheck, ...]:
    """The few checks to begin with: of the causes that lead, for the platforms that the ends show themselves to be.

    An end that does not say what it is gets the commands for an ASA, which the document is about.
    """
    leading = [c for c in causes if c.status in (Status.CONFIRMED, Status.LIKELY)]
    leading = leading or [c for c in causes if c.status is Status.POSSIBLE]
    platforms = {side: _platforms(exchange.peer(side)) for side in Side}
    chosen: list[PlacedCheck] = []
    for rank, cause in enumerate(leading[:3]):
        fitting = [
            placed
            for placed in checks_for(cause, exchange)
            if placed.check.platform in ("any", *(platforms[placed.side] if placed.side else ("any",)))
        ]
        chosen += fitting[: 4 if rank == 0 else 2]
    unique = {(p.at, p.check.command or p.check.do): p for p in reversed(chosen)}
    return tuple(p for p in chosen if unique.get((p.at, p.check.command or p.check.do)) is p)[:most]


def _platforms(peer: Peer) -> tuple[str, ...]:
    names = " ".join(peer.vendors).lower()
    found = tuple(dict.fromkeys(platform for word, platform in PLATFORM_OF_VENDOR if word in names))
    return found or ("asa",)
