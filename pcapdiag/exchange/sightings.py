"""One packet seen: told apart from the same packet recorded twice, and from the same message sent again."""

from collections.abc import Iterable

from pcapdiag.capture.datagram import Datagram
from pcapdiag.exchange.model import Sighting
from pcapdiag.ike.nat_traversal import NON_ESP_MARKER

DUPLICATE_WINDOW = 50_000_000
"""A capture duplicate is recorded within 50 ms of the original; a retransmission timer is slower."""
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
        elif sighting.ip_id == earlier.ip_id and gap <= DUPLICATE_WINDOW:
            return True
    return False
