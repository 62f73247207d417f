"""Options of IP headers, anonymized: addresses in them are mapped, what is not known to be harmless is zeroed."""

from collections.abc import Callable

Mapped = Callable[[bytes], bytes]
"""What makes another address of 4 or 16 octets."""

_END, _NO_OPERATION, _ROUTER_ALERT = 0, 1, 148
_ROUTES = frozenset((7, 131, 137))
"""Record Route, Loose and Strict Source Route (RFC 791 §3.1): a pointer, then addresses."""
_PAD1, _PADN, _ROUTER_ALERT6, _JUMBO, _HOME_ADDRESS = 0, 1, 5, 194, 201


def ipv4_options(octets: bytes, mapped: Mapped) -> bytes:
    """RFC 791 §3.1."""
    new = bytearray(octets)
    at = 0
    while at < len(octets) and octets[at] != _END:
        if octets[at] == _NO_OPERATION:
            at += 1
            continue
        length = octets[at + 1] if at + 1 < len(octets) else 0
        if length < 2 or at + length > len(octets):
            break
        if octets[at] in _ROUTES:
            for slot in range(at + 3, at + length - 3, 4):
                new[slot : slot + 4] = mapped(octets[slot : slot + 4])
        elif octets[at] != _ROUTER_ALERT:
            new[at + 2 : at + length] = bytes(length - 2)
        at += length
    new[at:] = bytes(len(octets) - at)
    return bytes(new)


def ipv6_options(octets: bytes, mapped: Mapped) -> bytes:
    """Options of a hop-by-hop or destination options header (RFC 8200 §4.2), from its first octet on."""
    new = bytearray(octets)
    at = 2
    while at < len(octets):
        if octets[at] == _PAD1:
            at += 1
            continue
        length = octets[at + 1] if at + 1 < len(octets) else 0
        body = octets[at + 2 : at + 2 + length]
        if octets[at] == _HOME_ADDRESS and len(body) == 16:
            new[at + 2 : at + 18] = mapped(body)
        elif octets[at] not in (_ROUTER_ALERT6, _JUMBO):
            new[at + 2 : at + 2 + length] = bytes(len(body))
        at += 2 + length
    return bytes(new)


def routing_header(octets: bytes, mapped: Mapped) -> bytes:
    """A routing header (RFC 8200 §4.4): eight octets, then addresses as in types 0, 2 and 4; the rest is zeroed."""
    new = bytearray(octets)
    at = 8
    while octets[2:3] in (b"\0", b"\2", b"\4") and at + 16 <= len(octets):
        new[at : at + 16] = mapped(octets[at : at + 16])
        at += 16
    new[at:] = bytes(max(len(octets) - at, 0))
    return bytes(new)
