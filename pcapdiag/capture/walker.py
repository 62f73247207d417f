"""The hot loop: walks over the records of a savefile, numbers every frame, and stops at those that matter.

Everything here works on one `bytes` buffer, offsets into it and integers. A frame that is provably not IKE
costs a few comparisons and one tally, and no object. What is plain (Ethernet, VLAN tags, Linux cooked, raw IP
or loopback; one IP header; UDP) is located down to the UDP header; the rest is named and left to `network`.
The source is meant to run as it is and to be compiled as it is, so it stays with plain functions, classes of
slots, and integers.

Offsets are never followed past the end of the frame, whatever the lengths in it claim.
"""

import struct
from collections.abc import Callable

# What a frame turned out to be. The first two need nothing more than a count.
OTHER = 0  # provably none of the below; Found.key says what it is
UNREADABLE = 1  # too short for its headers, or they contradict themselves
DATAGRAM = 2  # UDP that is, or may be, IKE: Found.transport is the UDP header
KEEPALIVE = 3  # RFC 3948 §2.3; located like a DATAGRAM
ESP = 4  # Found.transport is the UDP header or, where Found.ports is false, the ESP header
FRAGMENT = 5  # of an IPv4 datagram with UDP in it: Found.ip, Found.transport (of its data)
ICMP = 6  # an error message, of either version: Found.transport
STREAM = 7  # TCP on a port where IKE may run in TCP: Found.transport is the TCP header
TUNNEL = 8  # another packet inside: Found.layer (an EtherType or a layer below) at Found.transport
HEADER = 9  # AH or an IPv6 extension header comes first: Found.layer (its protocol number) at Found.transport
UNKNOWN_LINK = 10  # a link type that is not supported

# Why a scan stopped where there is no frame to look at.
MORE = -1  # the buffer ends before the next record does
DAMAGED = -2  # the next record's length cannot be true
BLOCK = -3  # pcapng: something else than a packet of this interface

# Layers that have no EtherType of their own, in the same number space as those (RFC 9542: below 1536 is a
# length).
LLC = 4  # as Linux cooked captures number it
VXLAN = 16
GENEVE = 17
GRE = 47
ETHERIP = 97
MPLS_IN_IP = 137
IPV4 = 0x0800
IPV6 = 0x86DD
ETHERNET = 0x6558
PPP = 0x880B
MPLS = 0x8847
MPLS_MULTICAST = 0x8848
PPPOE = 0x8864
VLAN_TAGS = frozenset((0x8100, 0x88A8, 0x9100, 0x9200))
TUNNELS = frozenset((ETHERNET, PPP, MPLS, MPLS_MULTICAST, PPPOE))
MAX_TAGS = 8

# Link types, by their numbers in the pcap and pcapng link-type registry.
LINK_NULL, LINK_ETHERNET, LINK_PPP, LINK_PPP_HDLC, LINK_PPPOE = 0, 1, 9, 50, 51
LINK_RAW = frozenset((12, 14, 101, 228, 229))
LINK_CISCO_HDLC, LINK_LOOP, LINK_SLL, LINK_SLL2 = 104, 108, 113, 276
FAMILY_IPV4 = 2
FAMILIES_IPV6 = frozenset((10, 23, 24, 28, 30))  # Linux, Windows, NetBSD and OpenBSD, FreeBSD, Darwin

# Keys of the tallies: one of these, and the number that says which.
KEY_IP = 0 << 20
KEY_ETHERTYPE = 1 << 20
KEY_UDP = 2 << 20
KEY_FRAGMENT4 = 3 << 20
KEY_FRAGMENT6 = 4 << 20
KEY_LLC = 5 << 20
KEY_FAMILY = 6 << 20
KEY_PPP = 7 << 20
KEY_REST = 8 << 20
KEY_BLOCK = 9 << 20
KEY_TCP = 10 << 20
MAX_KEYS = 1024

TCP, UDP, ESP_PROTOCOL, AH, ICMP_PROTOCOL, ICMP6_PROTOCOL = 6, 17, 50, 51, 1, 58
ICMP_ERRORS = frozenset((3, 4, 5, 11, 12))  # RFC 792
ICMP6_ERRORS = frozenset((1, 2, 3, 4))  # RFC 4443 §3
EXTENSION_HEADERS = frozenset((0, 43, 44, 60, 135, 139, 140))  # the registry of IPv6 extension headers, less AH and ESP
_IP_TUNNELS = {4: IPV4, 41: IPV6, 47: GRE, 97: ETHERIP, 137: MPLS_IN_IP}
_BORING = tuple(
    protocol not in _IP_TUNNELS and protocol not in (UDP, ESP_PROTOCOL, AH, ICMP_PROTOCOL) for protocol in range(256)
)
"""Whether a protocol, in IPv4, holds neither IKE nor a packet that could; of TCP, only by its ports."""

IKE_PORT = 500
NAT_T_PORT = 4500
CISCO_PORT = 10000
STREAM_PORTS = frozenset((NAT_T_PORT, CISCO_PORT))
"""TCP ports that may hold IKE: RFC 9329 §2, and Cisco's own way of IPsec over TCP."""
_QUIET = tuple(octet not in {port >> 8 for port in STREAM_PORTS} for octet in range(256))
"""Whether no port of STREAM_PORTS has this upper octet: small integers cost the hot loop the least."""
# RFC 2408 §3.1, RFC 2409, draft-dukes-ike-mode-cfg (1..6, 32, 33); RFC 7296 and its extensions (34..43);
# AuthIP.
EXCHANGE_TYPES = bytes(1 <= x <= 6 or 32 <= x <= 43 or 240 <= x <= 247 for x in range(256))
ISAKMP_HEADER = 28
MARKER = b"\0\0\0\0"  # RFC 3948 §2.2
NO_SPI = bytes(8)

_ports = struct.Struct(">HHH").unpack_from
_u16 = struct.Struct(">H").unpack_from
_u32 = struct.Struct(">I").unpack_from


class Tally:
    """Counts of one capture. All of them together are `frames`.

    ip -- by protocol number, of plain IPv4 in the hot loop
    others -- by key (KEY_* plus a number), of everything else that is not handed on; at most MAX_KEYS of them
    """

    __slots__ = (
        "datagrams",
        "esp",
        "frames",
        "icmp_errors",
        "ip",
        "ip_fragments",
        "nat_keepalives",
        "others",
        "snapped",
        "unreadable",
    )

    def __init__(self) -> None:
        """Start with nothing counted."""
        self.frames = self.datagrams = self.icmp_errors = self.ip_fragments = 0
        self.nat_keepalives = self.esp = self.unreadable = self.snapped = 0
        self.ip: list[int] = [0] * 256
        self.others: dict[int, int] = {}

    def count_other(self, key: int, frames: int = 1) -> None:
        """Count frames that hold nothing of interest."""
        if key not in self.others and len(self.others) >= MAX_KEYS:
            key = KEY_REST
        self.others[key] = self.others.get(key, 0) + frames


class Link:
    """One interface of a capture: how to read its frames and its times.

    type -- the link type; ipv4 -- the EtherType of IPv4 as `fields` reads it, or -1 where there is no short
        cut
    reach -- octets that a frame needs for the short cut, up to the ports of TCP and with them
    fragment -- mask of the fragment bits as `fields` reads them
    multiply, divide, offset -- nanoseconds = ticks * multiply // divide + offset
    ticks -- a second, of pcap; limit -- octets that a frame may have; snaplen -- 0: no limit
    oldest, newest, latest -- ticks, of the frames so far; -1 before the first
    """

    __slots__ = (
        "divide",
        "fields",
        "fragment",
        "header",
        "identifier",
        "ipv4",
        "latest",
        "limit",
        "multiply",
        "newest",
        "offset",
        "oldest",
        "reach",
        "snaplen",
        "ticks",
        "type",
    )

    def __init__(self, link_type: int, order: str, header: int, layout: str, identifier: int = 0) -> None:
        """Prepare the short cut: `layout` is that of the `header` octets of a record, in byte order `order`."""
        ethertype, ip = {LINK_ETHERNET: (12, 14), LINK_SLL: (14, 16), LINK_SLL2: (0, 20)}.get(link_type, (12, 0))
        if ip:
            self.ipv4 = IPV4 if order == ">" else 0x0008
        else:
            ip = 14
            self.ipv4 = -1
        self.fragment = 0x3FFF if order == ">" else 0xFF3F
        between = ip - ethertype - 2
        self.fields: Callable[[bytes, int], tuple[int, ...]] = struct.Struct(
            f"{order}{layout}{ethertype}xH{between}xB5xHxB10xBxB"
        ).unpack_from
        self.type = link_type
        self.identifier = identifier
        self.header = header
        self.reach = ip + 24
        self.multiply, self.divide, self.offset, self.ticks = 1000, 1, 0, 1_000_000
        self.limit = 1 << 26
        self.snaplen = 0
        self.oldest = self.newest = self.latest = -1

    def nanoseconds(self, ticks: int) -> int:
        """Return the time since the Unix epoch."""
        return ticks * self.multiply // self.divide + self.offset


class Found:
    """Where things are in the frame that a scan stopped at: offsets into the buffer.

    position -- of the next record; start, stop -- of the frame; wire -- where it would stop had it not been
        snapped
    ticks -- when; version -- of IP, 0 before any; ip -- of the IP header; limit -- where the captured part of
    the IP packet stops; packet -- where it would stop by its own length
    transport, layer, key, ports -- see the constants above
    declared -- octets of UDP payload by the header
    """

    __slots__ = (
        "declared",
        "ip",
        "key",
        "layer",
        "limit",
        "packet",
        "ports",
        "position",
        "start",
        "stop",
        "ticks",
        "transport",
        "version",
        "wire",
    )

    def __init__(self) -> None:
        """Point nowhere."""
        self.position = self.start = self.stop = self.wire = self.ticks = 0
        self.version = self.ip = self.limit = self.packet = self.transport = self.layer = self.key = self.declared = 0
        self.ports = False


def scan_pcap(
    buffer: bytes, position: int, end: int, link: Link, ports: frozenset[int], tally: Tally, found: Found
) -> int:
    """Walk over pcap records from `position` on, until one matters; return what it is (see the constants).

    The buffer must go on for at least `link.header + link.reach` octets behind a record header to be read:
    the caller pads it with zeros at the end of the file. The frame that the scan stops at is counted in
    `tally.frames`.
    """
    fields = link.fields
    header, reach, ipv4, mask, limit = link.header, link.reach, link.ipv4, link.fragment, link.limit
    per_second, oldest, newest = link.ticks, link.oldest, link.newest
    boring, quiet, protocols, tcp = _BORING, _QUIET, tally.ip, reach - 4
    room = min(end - header, len(buffer) - header - reach)
    frames = snapped = 0
    kind = MORE
    while position <= room:
        (
            seconds, fraction, captured, original, ethertype, version, fragment, protocol, source, destination
        ) = fields(buffer, position)  # fmt: skip
        start = position + header
        stop = start + captured
        if stop > end or captured > limit:
            if captured > limit:
                kind = DAMAGED
            break
        frames += 1
        ticks = seconds * per_second + fraction
        if ticks > newest:
            newest = ticks
            if oldest < 0:
                oldest = ticks
        elif ticks < oldest:
            oldest = ticks
        if original > captured:
            snapped += 1
        position = stop
        if (
            ethertype == ipv4
            and boring[protocol]
            and not fragment & mask
            and version == 0x45
            and captured >= reach
            and ((quiet[source] and quiet[destination]) or not is_stream(buffer, start + tcp, protocol))
        ):
            protocols[protocol] += 1
            continue
        found.wire = start + (original if original > captured else captured)
        kind = locate(buffer, start, stop, link.type, ports, found)
        if kind > UNREADABLE:
            found.start, found.stop, found.ticks = start, stop, ticks
            break
        if kind == OTHER:
            tally.count_other(found.key)
        else:
            tally.unreadable += 1
        kind = MORE
    found.position = position
    if frames:
        link.oldest, link.newest, link.latest = oldest, newest, ticks
    tally.frames += frames
    tally.snapped += snapped
    return kind


def scan_pcapng(
    buffer: bytes, position: int, end: int, link: Link, ports: frozenset[int], tally: Tally, found: Found
) -> int:
    """Walk over Enhanced Packet Blocks of one interface, until a frame matters or something else comes.

    As `scan_pcap`; returns BLOCK for every other block, and for one that contradicts itself
    (draft-ietf-opsawg-pcapng §4.3): the caller reads that one by itself.
    """
    fields = link.fields
    header, reach, ipv4, mask = link.header, link.reach, link.ipv4, link.fragment
    oldest, newest, mine = link.oldest, link.newest, link.identifier
    boring, quiet, protocols, tcp = _BORING, _QUIET, tally.ip, reach - 4
    room = min(end - header, len(buffer) - header - reach)
    frames = snapped = 0
    kind = MORE
    while position <= room:
        (
            block, length, interface, high, low, captured, original,
            ethertype, version, fragment, protocol, source, destination
        ) = fields(buffer, position)  # fmt: skip
        start = position + header
        stop = start + captured
        following = position + length
        if block != 6 or interface != mine or following > end or length & 3 or stop + 4 > following:
            kind = BLOCK
            break
        if buffer[following - 4 : following] != buffer[position + 4 : position + 8]:
            kind = BLOCK
            break
        frames += 1
        ticks = high << 32 | low
        if ticks > newest:
            newest = ticks
            if oldest < 0:
                oldest = ticks
        elif ticks < oldest:
            oldest = ticks
        if original > captured:
            snapped += 1
        position = following
        if (
            ethertype == ipv4
            and boring[protocol]
            and not fragment & mask
            and version == 0x45
            and captured >= reach
            and ((quiet[source] and quiet[destination]) or not is_stream(buffer, start + tcp, protocol))
        ):
            protocols[protocol] += 1
            continue
        found.wire = start + (original if original > captured else captured)
        kind = locate(buffer, start, stop, link.type, ports, found)
        if kind > UNREADABLE:
            found.start, found.stop, found.ticks = start, stop, ticks
            break
        if kind == OTHER:
            tally.count_other(found.key)
        else:
            tally.unreadable += 1
        kind = MORE
    found.position = position
    if frames:
        link.oldest, link.newest, link.latest = oldest, newest, ticks
    tally.frames += frames
    tally.snapped += snapped
    return kind


def locate(buffer: bytes, at: int, end: int, link_type: int, ports: frozenset[int], found: Found) -> int:
    """Say what the frame `buffer[at:end]` of that link type is, and where in it. `found.wire` must be set."""
    found.version = 0
    if link_type == LINK_ETHERNET:
        if end - at < 14:
            return UNREADABLE
        layer: int = buffer[at + 12] << 8 | buffer[at + 13]
        return locate_layer(buffer, layer, at + 14, end, ports, found)
    if link_type in (LINK_SLL, LINK_SLL2):
        size = 16 if link_type == LINK_SLL else 20
        if end - at < size:
            return UNREADABLE
        (layer,) = _u16(buffer, at + 14 if link_type == LINK_SLL else at)
        return locate_layer(buffer, layer, at + size, end, ports, found)
    if link_type in LINK_RAW:
        return locate_raw(buffer, at, end, ports, found)
    if link_type in (LINK_NULL, LINK_LOOP):
        return _locate_loopback(buffer, at, end, ports, found)
    if link_type == LINK_CISCO_HDLC:
        if end - at < 4:
            return UNREADABLE
        return locate_layer(buffer, _u16(buffer, at + 2)[0], at + 4, end, ports, found)
    if link_type in (LINK_PPP, LINK_PPP_HDLC):
        return _inside(PPP, at, end, found)
    if link_type == LINK_PPPOE:
        return _inside(PPPOE, at, end, found)
    return UNKNOWN_LINK


def locate_raw(buffer: bytes, at: int, end: int, ports: frozenset[int], found: Found) -> int:
    """Say what a packet is that is IP, of whichever version its first four bits tell."""
    if at >= end:
        return UNREADABLE
    version = buffer[at] >> 4
    if version == 4:
        return _locate_ipv4(buffer, at, end, ports, found)
    if version == 6:
        return _locate_ipv6(buffer, at, end, ports, found)
    return UNREADABLE


def _locate_loopback(buffer: bytes, at: int, end: int, ports: frozenset[int], found: Found) -> int:
    """The address family comes first, in the capturing machine's byte order (OpenBSD: the network's)."""
    if end - at < 4:
        return UNREADABLE
    (family,) = _u32(buffer, at)
    if family > 0xFFFF:
        family = int.from_bytes(buffer[at : at + 4], "little")
    if family == FAMILY_IPV4:
        return _locate_ipv4(buffer, at + 4, end, ports, found)
    if family in FAMILIES_IPV6:
        return _locate_ipv6(buffer, at + 4, end, ports, found)
    found.key = KEY_FAMILY + (family & 0xFFFF)
    return OTHER


def locate_layer(buffer: bytes, layer: int, at: int, end: int, ports: frozenset[int], found: Found) -> int:
    """Say what comes behind an EtherType (or 802.3 length)."""
    tags = 0
    while layer in VLAN_TAGS:
        if end - at < 4 or tags == MAX_TAGS:
            return UNREADABLE
        layer = buffer[at + 2] << 8 | buffer[at + 3]
        at += 4
        tags += 1
    if layer == IPV4:
        return _locate_ipv4(buffer, at, end, ports, found)
    if layer == IPV6:
        return _locate_ipv6(buffer, at, end, ports, found)
    if layer in TUNNELS:
        return _inside(layer, at, end, found)
    if layer <= 1500:
        # SNAP, or IP behind plain LLC; spanning tree and its like end here.
        if end - at >= 3 and (buffer[at] == 0xAA or buffer[at] == 0x06):
            return _inside(LLC, at, end, found)
        found.key = KEY_LLC
        return OTHER
    found.key = KEY_ETHERTYPE + layer
    return OTHER


def _inside(layer: int, at: int, end: int, found: Found) -> int:
    found.layer = layer
    found.transport = at
    found.limit = end
    return TUNNEL


def _locate_ipv4(buffer: bytes, ip: int, end: int, ports: frozenset[int], found: Found) -> int:
    """RFC 791 §3.1. A total length of zero is offload: the packet goes on to the end of the frame."""
    if end - ip < 20:
        return UNREADABLE
    header = (buffer[ip] & 15) << 2
    if buffer[ip] >> 4 != 4 or header < 20 or end - ip < header:
        return UNREADABLE
    total = buffer[ip + 2] << 8 | buffer[ip + 3]
    packet = ip + total if total else found.wire
    if packet < ip + header:
        return UNREADABLE
    found.version = 4
    found.ip = ip
    found.packet = packet
    found.limit = limit = end if end < packet else packet
    protocol = buffer[ip + 9]
    if buffer[ip + 6] & 0x3F or buffer[ip + 7]:
        found.transport = ip + header
        if protocol == UDP:
            return FRAGMENT
        if protocol != ESP_PROTOCOL or buffer[ip + 6] & 0x1F or buffer[ip + 7]:
            found.key = KEY_FRAGMENT4 + protocol
            return OTHER
    return locate_transport(buffer, protocol, ip + header, limit, ports, found)


def _locate_ipv6(buffer: bytes, ip: int, end: int, ports: frozenset[int], found: Found) -> int:
    """RFC 8200 §3. A payload length of zero is a jumbogram or segmentation offload, as in IPv4."""
    if end - ip < 40 or buffer[ip] >> 4 != 6:
        return UNREADABLE
    payload = buffer[ip + 4] << 8 | buffer[ip + 5]
    packet = ip + 40 + payload if payload else found.wire
    found.version = 6
    found.ip = ip
    found.packet = packet
    found.limit = limit = end if end < packet else packet
    return locate_transport(buffer, buffer[ip + 6], ip + 40, limit, ports, found)


def locate_transport(buffer: bytes, protocol: int, at: int, limit: int, ports: frozenset[int], found: Found) -> int:
    """Say what an IP packet holds; `found.ip`, `version`, `limit` and `packet` are set."""
    found.transport = at
    if protocol == UDP:
        return locate_udp(buffer, at, limit, ports, found)
    if protocol == TCP:
        if limit - at >= 4 and is_stream(buffer, at, protocol):
            return STREAM
        found.key = KEY_IP + TCP
        return OTHER
    if protocol == ESP_PROTOCOL:
        found.ports = False
        return ESP if limit - at >= 4 else UNREADABLE
    if protocol in (ICMP_PROTOCOL, ICMP6_PROTOCOL):
        errors = ICMP_ERRORS if protocol == ICMP_PROTOCOL else ICMP6_ERRORS
        if at < limit and buffer[at] in errors and (protocol == ICMP6_PROTOCOL) == (found.version == 6):
            return ICMP
    elif protocol in _IP_TUNNELS:
        found.layer = _IP_TUNNELS[protocol]
        return TUNNEL
    elif protocol == AH or (found.version == 6 and protocol in EXTENSION_HEADERS):
        found.layer = protocol
        return HEADER
    found.key = KEY_IP + protocol
    return OTHER


def is_stream(buffer: bytes, at: int, protocol: int) -> bool:
    """Whether this protocol is TCP, and its header at `at` has a port where IKE may run in TCP on either end."""
    return protocol == TCP and (
        (buffer[at] << 8 | buffer[at + 1]) in STREAM_PORTS or (buffer[at + 2] << 8 | buffer[at + 3]) in STREAM_PORTS
    )


def locate_udp(buffer: bytes, udp: int, limit: int, ports: frozenset[int], found: Found) -> int:
    """Tell IKE, NAT keep-alives and ESP from the rest (RFC 768, RFC 3948 §2). `found.transport` is `udp`."""
    if limit - udp < 8:
        return UNREADABLE
    source, destination, length = _ports(buffer, udp)
    # Zero is what offload leaves there, and less than a header is nonsense: IP's word counts.
    declared = length - 8 if length >= 8 else found.packet - udp - 8
    at = udp + 8
    stop = at + declared
    if stop > limit:
        stop = limit
    found.transport = udp
    found.declared = declared
    found.ports = True
    if source in ports or destination in ports:
        return DATAGRAM
    if source == NAT_T_PORT or destination == NAT_T_PORT:
        return _locate_nat_traversal(buffer, at, stop, declared, found)
    if stop - at >= ISAKMP_HEADER and (
        is_isakmp(buffer, at, stop, declared)
        or (buffer[at : at + 4] == MARKER and is_isakmp(buffer, at + 4, stop, declared - 4))
    ):
        return DATAGRAM
    if destination == 4789 and stop - at >= 8 and buffer[at] & 0x08:  # RFC 7348 §5
        found.layer = VXLAN
        found.transport, found.limit = at, stop
        return TUNNEL
    if destination == 6081 and stop - at >= 8 and buffer[at] < 0x40:  # RFC 8926 §3.4: version 0
        found.layer = GENEVE
        found.transport, found.limit = at, stop
        return TUNNEL
    found.key = KEY_UDP + (source if source < destination else destination)
    if found.key > KEY_UDP + 1023:
        found.key = KEY_UDP + (destination if destination in NAMED_PORTS else source if source in NAMED_PORTS else 0)
    return OTHER


NAMED_PORTS = frozenset((1194, 1434, 1645, 1646, 1701, 1812, 1813, 1900, 2055, 2123, 2152, 3478, 3784, 4739,
                         4789, 5060, 5353, 5355, 6081, 6343, 8472, 51820))  # fmt: skip
"""UDP ports above 1023 that are worth a name of their own in a count."""


def _locate_nat_traversal(buffer: bytes, at: int, stop: int, declared: int, found: Found) -> int:
    size = stop - at
    if declared == 1 and size == 1 and buffer[at] == 0xFF:
        return KEEPALIVE
    if size < 4 or buffer[at : at + 4] == MARKER or is_isakmp(buffer, at, stop, declared):
        return DATAGRAM
    return ESP


def is_isakmp(buffer: bytes, at: int, stop: int, declared: int) -> bool:
    """Whether this is the header (RFC 2408 §3.1, RFC 7296 §3.1) of a message `declared` octets long."""
    if stop - at < ISAKMP_HEADER:
        return False
    version = buffer[at + 17]
    return (
        (version == 0x10 or version == 0x20)
        and EXCHANGE_TYPES[buffer[at + 18]] == 1
        and _u32(buffer, at + 24)[0] == declared
        and buffer[at : at + 8] != NO_SPI
    )
