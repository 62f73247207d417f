"""Addresses, replaced so that networks stay networks: two that share n leading bits share n bits afterwards.

The construction is that of Xu, Fan, Ammar and Moon, "Prefix-Preserving IP Address Anonymization" (ICNP 2002), known as
Crypto-PAn: each bit is turned or not by a keyed function of the bits before it. The keyed function is BLAKE2 here.

What kind of address it is stays visible, because NAT shows in it: a private address becomes another one of the same
private network (RFC 1918, RFC 6598, RFC 4193), a link-local one another link-local one, a public one a public one;
loopback, multicast, broadcast and unspecified addresses stay as they are. A public address that would become a special
one is turned once more until it is public, so the property holds among public IPv4 addresses for prefixes of 16 bits
or more (no special network but single addresses is longer) and mostly for shorter ones.
"""

import hashlib
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from pcapdiag.record import Record

WHOLE = -1
EMBEDDED = -2


class Kept(Record, frozen=True):
    """What of the addresses of a network stays: so many bits; WHOLE: all; EMBEDDED: an IPv4 address ends it."""

    network: IPv4Network | IPv6Network
    bits: int


def _rows(text: str) -> tuple[Kept, ...]:
    words = {"whole": WHOLE, "embedded": EMBEDDED}
    found = []
    for line in text.strip().splitlines():
        network, bits = line.split()[:2]
        found.append(Kept(ip_network(network), words[bits] if bits in words else int(bits)))
    return tuple(found)


SPECIAL = _rows("""
255.255.255.255/32    whole     limited broadcast
0.0.0.0/8             whole     this network, and unspecified
10.0.0.0/8            8         private, RFC 1918
100.64.0.0/10         10        shared by carrier-grade NAT, RFC 6598
127.0.0.0/8           whole     loopback
169.254.0.0/16        16        link-local, RFC 3927
172.16.0.0/12         12        private, RFC 1918
192.168.0.0/16        16        private, RFC 1918
224.0.0.0/4           whole     multicast
240.0.0.0/4           4         reserved
::/128                whole     unspecified
::1/128               whole     loopback
::ffff:0:0/96         embedded  IPv4-mapped, RFC 4291
64:ff9b::/96          embedded  IPv4 behind NAT64, RFC 6052
fe80::/10             64        link-local
fc00::/7              8         unique local, RFC 4193
ff02::1:ff00:0/104    104       solicited-node multicast: ends like an address
ff00::/12             whole     multicast, groups that IANA assigned
ff00::/8              16        multicast, other groups: flags and scope stay
2002::/16             16        6to4, RFC 3056
""")
"""The first network that an address is in counts; what is in none is public (IANA, special-purpose registries)."""

PUBLIC_V6 = 3
"""Leading bits of other IPv6 addresses that stay: 2000::/3 is what is public today."""


class AddressMap:
    """What becomes of each address under one key."""

    def __init__(self, key: bytes) -> None:
        """Take a key of 16 to 64 octets."""
        self._key = key
        self.octets = lru_cache(65536)(self._octets)

    def text(self, address: str) -> str:
        """An address as text, replaced."""
        family = AF_INET6 if ":" in address else AF_INET
        return inet_ntop(family, self.octets(inet_pton(family, address)))

    def _octets(self, address: bytes) -> bytes:
        """4 or 16 octets, replaced by as many."""
        size = len(address)
        kept = _kind(address)
        if kept is not None and kept.bits == WHOLE:
            return address
        if kept is not None and kept.bits == EMBEDDED:
            return address[:12] + self.octets(address[12:])
        bits = kept.bits if kept is not None else 0 if size == 4 else PUBLIC_V6
        turned = address
        while True:
            turned = self._turned(turned, bits)
            # To walk along the cycle of a permutation until it is back among its like is a permutation of these.
            if _kind(turned) is kept:
                return turned

    def _turned(self, address: bytes, kept: int) -> bytes:
        size = 8 * len(address)
        value = result = int.from_bytes(address, "big")
        for place in range(kept, size):
            before = value >> (size - place)
            data = bytes((len(address), place)) + before.to_bytes(16, "big")
            if hashlib.blake2b(data, key=self._key, digest_size=1).digest()[0] & 1:
                result ^= 1 << (size - place - 1)
        return result.to_bytes(len(address), "big")


_BY_SIZE = {
    size: tuple((int(k.network.netmask), int(k.network.network_address), k) for k in SPECIAL if k.network.version == v)
    for size, v in ((4, 4), (16, 6))
}


def _kind(address: bytes) -> Kept | None:
    """The network of SPECIAL that an address is in; None: it is public."""
    value = int.from_bytes(address, "big")
    return next((kept for mask, network, kept in _BY_SIZE[len(address)] if value & mask == network), None)
