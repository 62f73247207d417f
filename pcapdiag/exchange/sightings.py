"""One packet seen: told apart from the same packet recorded twice, and from the same message sent again."""

from collections.abc import Iterable

from pcapdiag.capture.datagram import Datagram
from pcapdiag.exchange.model import Sighting
from pcapdiag.ike.nat_traversal import NON_ESP_MARKER

DUPLICATE_WINDOW = 50_000_000
"""A capture duplicate is recorded within 50 ms of the original, as a rule; a retransmission timer is slower."""
DUPLICATE_WINDOW_WITH_ID = 400_000_000
"""So long where the IP identification is the same and not zero, which a sender gives each packet anew (RFC 791 §3.1): a
mirror port far away, or captures of both ends put together, have a packet again when it got there. A satellite takes
300 ms, and the fastest retransmission timer known waits 500."""
DUPLICATE_WINDOW_WITHOUT_ID = 1_000_000
"""IPv6 has no identification field to compare, so only what is recorded within 1 ms is a capture duplicate."""


def sighting_of(datagram: Datagram) -> Sighting:
    """The sighting that this datagram is."""
    return Sighting(
        frames=datagram.fragments or (datagram.frame,),
        time=datagram.time,
        source=datagram.source,
        source_port=datagram.source_port,
        destination=datagram.destination,
        destination_port=datagram.destination_port,
        ttl=datagram.ttl,
        ip_id=datagram.ip_id,
        transport=datagram.transport,
        marked=datagram.payload.startswith(NON_ESP_MARKER),
    )


def is_duplicate(sighting: Sighting, known: Iterable[Sighting]) -> bool:
    """Whether this is a packet that was recorded before, not one that was sent again.

    The same packet keeps its IP identification, also through a router and a NAT; a retransmission has another one
    (or zero both times, where the sender sets none: then only the time tells).
    """
    for earlier in known:
        gap = abs(sighting.time - earlier.time)
        if sighting.ip_id is None or earlier.ip_id is None:
            if gap <= DUPLICATE_WINDOW_WITHOUT_ID:
                return True
        elif sighting.ip_id == earlier.ip_id and gap <= _window(sighting.ip_id):
            return True
    return False


def _window(ip_id: int) -> int:
    return DUPLICATE_WINDOW_WITH_ID if ip_id else DUPLICATE_WINDOW
