"""Packets within packets: what a tunnel's header has inside, and where that begins.

dpkt reads the headers that have optional fields, those of GRE and of PPP over Ethernet. The other layers are read here:
dpkt decodes all that is inside at once, as deep as it goes, takes an IPv4 header with options behind MPLS for
Ethernet, and does not say where in the frame a layer was.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from . import kinds

_u16 = struct.Struct(">H").unpack_from
_PPP_PROTOCOLS = {0x21: kinds.IPV4, 0x57: kinds.IPV6, 0x281: kinds.MPLS, 0x283: kinds.MPLS_MULTICAST}
_GRE_PROTOCOLS = frozenset((kinds.IPV4, kinds.IPV6)) | kinds.TUNNELS - {kinds.PPPOE}
_ERSPAN, _ERSPAN3 = 0x88BE, 0x22EB
_ETHERTYPES = frozenset((0x0800, 0x0806, 0x86DD, 0x8847, 0x8848, 0x8863, 0x8864)) | kinds.VLAN_TAGS


class UnreadableError(Exception):
    """Not enough of a header is there, or it contradicts itself."""


class NotOursError(Exception):
    """What is inside was understood, and cannot be IKE. The only argument is its key of the tally."""


def unwrap(layer: int, buffer: bytes, at: int, limit: int) -> tuple[int, int]:
    """Take off one tunnel's header: return the layer inside and where it begins."""
    if layer in (kinds.IPV4, kinds.IPV6):
        return layer, at
    if layer == kinds.ETHERNET:
        return kinds.ETHERNET, at
    size, read = _WRAPPINGS[layer]
    if limit - at < size:
        raise UnreadableError
    return read(buffer, at, limit)


def _llc(buffer: bytes, at: int, limit: int) -> tuple[int, int]:
    """IEEE 802.2: IP behind plain LLC, or SNAP with an EtherType (RFC 1042, and 802.1H's bridge tunnel)."""
    if buffer[at : at + 3] == b"\x06\x06\x03":
        return kinds.IPV4, at + 3
    if limit - at >= 8 and buffer[at : at + 6] in (b"\xaa\xaa\x03\0\0\0", b"\xaa\xaa\x03\0\0\xf8"):
        return _u16(buffer, at + 6)[0], at + 8
    raise NotOursError(kinds.KEY_LLC)


def _mpls(buffer: bytes, at: int, limit: int) -> tuple[int, int]:
    """RFC 3032. Nothing says what follows the labels: IP, or Ethernet, maybe with RFC 4448's control word."""
    bottom = 0
    while not bottom:
        if limit - at < 4:
            raise UnreadableError
        bottom = buffer[at + 2] & 1
        at += 4
    if at >= limit:
        raise UnreadableError
    version = buffer[at] >> 4
    for start in (at + 4, at) if version == 0 else (at,):
        if (
            limit - start >= 14
            and _u16(buffer, start + 12)[0] in _ETHERTYPES
            and not _looks_like_ip(buffer, start, limit)
        ):
            return kinds.ETHERNET, start
    if version == 4:
        return kinds.IPV4, at
    if version == 6:
        return kinds.IPV6, at
    return kinds.ETHERNET, at + 4 if version == 0 else at


def _looks_like_ip(buffer: bytes, at: int, limit: int) -> bool:
    """Tell an IP header from an Ethernet address that begins with the digit 4 or 6."""
    if buffer[at] >> 4 == 4 and limit - at >= 20:
        return buffer[at] & 15 >= 5 and _u16(buffer, at + 2)[0] in range(20, limit - at + 1)
    return buffer[at] >> 4 == 6 and limit - at >= 40 and _u16(buffer, at + 4)[0] <= limit - at - 40


def _pppoe(buffer: bytes, at: int, limit: int) -> tuple[int, int]:
    """RFC 2516 §4. The protocol field behind the header may be compressed to one octet."""
    import dpkt

    # No more than the header is given to dpkt, which would decode all the rest at once.
    header = _dpkt(dpkt.pppoe.PPPoE, buffer[at : at + 8])
    if header.code != 0 or not hasattr(header, "ppp"):
        raise NotOursError(kinds.KEY_ETHERTYPE + kinds.PPPOE)
    return _ppp_protocol(header.ppp.p), at + (7 if buffer[at + 6] & 1 else 8)


def _ppp(buffer: bytes, at: int, limit: int) -> tuple[int, int]:
    """RFC 1661 §2, RFC 1662 §3.1: address and control may be left out, the protocol may be compressed."""
    import dpkt

    if buffer[at : at + 2] == b"\xff\x03":
        at += 2
    header = _dpkt(dpkt.pppoe.PPP, buffer[at : min(at + 2, limit)])
    return _ppp_protocol(header.p), at + (1 if buffer[at] & 1 else 2)


def _ppp_protocol(protocol: int) -> int:
    if protocol not in _PPP_PROTOCOLS:
        raise NotOursError(kinds.KEY_PPP + protocol)
    return _PPP_PROTOCOLS[protocol]


def _gre(buffer: bytes, at: int, limit: int) -> tuple[int, int]:
    """RFC 2784, RFC 2890 (key, sequence), RFC 1701 (routing), RFC 2637 (version 1); the types of ERSPAN."""
    import dpkt

    protocol = _u16(buffer, at + 2)[0]
    # With protocol 0 in its place dpkt reads the optional fields and leaves what is inside alone.
    header = _dpkt(dpkt.gre.GRE, buffer[at : at + 2] + b"\0\0" + buffer[at + 4 : limit])
    start = limit - len(header.data)
    if protocol == _ERSPAN:
        return kinds.ETHERNET, start + (8 if header.flags & 0x1000 else 0)
    if protocol == _ERSPAN3 and limit - start >= 12:
        return kinds.ETHERNET, start + (20 if buffer[start + 11] & 1 else 12)
    if protocol not in _GRE_PROTOCOLS:
        raise NotOursError(kinds.KEY_IP + kinds.GRE)
    return protocol, start


def _dpkt(parse: Callable[[bytes], Any], octets: bytes) -> Any:
    """Let dpkt read a header. Hostile octets make it raise anything: this is the one place that knows."""
    try:
        return parse(octets)
    except Exception as fault:
        raise UnreadableError from fault


def _vxlan(buffer: bytes, at: int, limit: int) -> tuple[int, int]:
    """RFC 7348 §5."""
    return kinds.ETHERNET, at + 8


def _geneve(buffer: bytes, at: int, limit: int) -> tuple[int, int]:
    """RFC 8926 §3.4."""
    return _u16(buffer, at + 2)[0], at + 8 + (buffer[at] & 0x3F) * 4


def _etherip(buffer: bytes, at: int, limit: int) -> tuple[int, int]:
    """RFC 3378 §3."""
    return kinds.ETHERNET, at + 2


_WRAPPINGS: dict[int, tuple[int, Callable[[bytes, int, int], tuple[int, int]]]] = {
    kinds.LLC: (3, _llc),
    kinds.MPLS: (4, _mpls),
    kinds.MPLS_MULTICAST: (4, _mpls),
    kinds.MPLS_IN_IP: (4, _mpls),
    kinds.PPPOE: (8, _pppoe),
    kinds.PPP: (2, _ppp),
    kinds.GRE: (4, _gre),
    kinds.VXLAN: (8, _vxlan),
    kinds.GENEVE: (8, _geneve),
    kinds.ETHERIP: (2, _etherip),
}
"""Octets that a tunnel's header has at least, and who reads it."""
