"""By which address an end is known, where NAT changes it on the way: what stands in the commands of either end.

A capture shows one side of a NAT. Behind it the other end sees an address that is not in the capture, and a filter or a
look-up with the one that is finds nothing there. What the capture does not have stands in angle brackets.
"""

from collections.abc import Collection
from functools import lru_cache
from ipaddress import ip_address, ip_network

from pcapdiag.exchange.model import Exchange, Side

NOT_ROUTED = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
"""Addresses that no network beyond routes (RFC 1918 §3, RFC 6598 §4)."""


def known_as(exchange: Exchange, of: Side, at: Side, kinds: Collection[str]) -> str:
    """The address of one end as it is known at an end, its own or the other; `<A-after-NAT>` where that does not show.

    kinds -- the kinds of evidence: what the NAT-D hashes say, and where the capture was taken
    """
    seen = exchange.peer(of).address
    if of is at:
        return f"<{seen}-before-NAT>" if f"nat-before-{of}" in kinds else seen
    beyond = f"nat-beyond-{of}" in kinds
    told = f"nat-{of}" in kinds or "no-nat" in kinds or f"vantage-{at}" in kinds
    if beyond or (not told and _has_to_be_translated(seen, exchange.peer(at).address)):
        return f"<{seen}-after-NAT>"
    return seen


@lru_cache(4096)
def _has_to_be_translated(address: str, other: str) -> bool:
    """A private address does not get to a public one as it is."""
    try:
        own, far = ip_address(address), ip_address(other)
    except ValueError:
        return False
    return far.is_global and any(own in network for network in NOT_ROUTED)
