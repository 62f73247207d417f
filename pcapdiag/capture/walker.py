"""The hot loop: walks over the records of a savefile, numbers every frame, and stops at those that matter.

Everything here works on one `bytes` buffer, offsets into it and integers. A frame that is provably not IKE
costs a few comparisons and one tally, and no object. What is plain (Ethernet, VLAN tags, Linux cooked, raw IP
or loopback; one IP header; UDP) is located down to the UDP header; the rest is named and left to `network`.

This source runs as it is, and is compiled as it is where a C compiler is at hand at install time: `walker.pxd` beside
it says which names are C integers then, and nothing else. For each kind of savefile there are two loops with the same
result, because what is fast differs: compiled code reads octet by octet (`scan_pcap`), the interpreter has `struct`
read a whole record header and the octets behind it at once (`scan_pcap_fields`).

Offsets are never followed past the end of the frame, whatever the lengths in it claim.
"""

import struct
from array import array
from collections.abc import Callable

from .kinds import (
    AH,
    ARP,
    ARP_LAYER,
    BLOCK,
    CISCO_PORT,
    DAMAGED,
    DATAGRAM,
    ESP,
    ESP_PROTOCOL,
    EXCHANGE_TYPES,
    EXTENSION_HEADERS,
    FAMILIES_IPV6,
    FAMILY_IPV4,
    FRAGMENT,
    GENEVE,
    GENEVE_PORT,
    HEADER,
    ICMP,
    ICMP6_ERRORS,
    ICMP6_PROTOCOL,
    ICMP_ERRORS,
    ICMP_PROTOCOL,
    IKE_PORT,
    IP_TUNNELS,
    IPV4,
    IPV6,
    ISAKMP_HEADER,
    KEEPALIVE,
    KEY_ETHERTYPE,
    KEY_FAMILY,
    KEY_FRAGMENT4,
    KEY_IP,
    KEY_LLC,
    KEY_REST,
    KEY_UDP,
    LINK_ETHERNET,
    LLC,
    MAX_KEYS,
    MAX_TAGS,
    MORE,
    NAMED_PORTS,
    NAT_T_PORT,
    OTHER,
    PPP,
    PPPOE,
    STREAM,
    STREAM_PORTS,
    TCP,
    TUNNEL,
    TUNNELS,
    UDP,
    UNKNOWN_LINK,
    UNREADABLE,
    VXLAN,
    VXLAN_PORT,
)
from .link_types import LINK_LAYERS

COMPILED = not __file__.endswith((".py", ".pyc"))
"""Whether this is machine code."""

MAX_ESP_FLOWS = 4096
_SLOTS = 2048
_SLOT = 8
_KEYS = 256
_LARGEST = 1 << 63

_BORING = tuple(
    protocol not in IP_TUNNELS and protocol not in (UDP, ESP_PROTOCOL, AH, ICMP_PROTOCOL) for protocol in range(256)
)
"""Whether a protocol, in IPv4, holds neither IKE nor a packet that could; of TCP, only by its ports."""
_QUIET = tuple(octet not in {port >> 8 for port in STREAM_PORTS} for octet in range(256))
"""Whether no port of STREAM_PORTS has this upper octet: small integers cost the interpreter the least."""

_SHORT = (frozenset(range(1, 20)), frozenset(total << 8 for total in range(1, 20)))
"""Total lengths that no IPv4 header fits in: as they read in network byte order, and in the other one."""


_ports = struct.Struct(">HH").unpack_from


def port_table(ports: frozenset[int]) -> bytes:
    """Return what UDP ports are for, by number: 1 IKE (these and 500), 2 IKE and ESP (4500), 3 one of NAMED_PORTS."""
    table = bytearray(65536)
    for port in NAMED_PORTS:
        table[port] = 3
    for port in (*ports, IKE_PORT):
        table[port] = 1
    table[NAT_T_PORT] = 2
    return bytes(table)


class Flows:
    """ESP packets of each SPI in each direction, counted.

    rows -- packets, first and last frame, first and last time (nanoseconds), by the octets of the two addresses, of
        the two ports where it is in UDP or TCP, and of the SPI
    overflow -- packets that found MAX_ESP_FLOWS flows there

    Most packets are of a flow that was seen a moment ago. Compiled code counts those in `_near`, slots of eight
    integers, and moves them to `rows` when another flow needs the slot, or the counts are asked for.
    """

    __slots__ = ("_keys", "_near", "overflow", "rows")

    def __init__(self) -> None:
        """Start with nothing counted."""
        self.rows: dict[bytes, list[int]] = {}
        self.overflow = 0
        self._near = array("Q")
        self._keys: list[bytes] = []

    def count(self, key: bytes, number: int, time: int) -> None:
        """Count one packet of frame `number`."""
        self.add(key, 1, number, number, time, time)

    def add(self, key: bytes, packets: int, first: int, last: int, first_time: int, last_time: int) -> None:
        """Count packets of the frames from `first` to `last`."""
        row = self.rows.get(key)
        if row is not None:
            row[0] += packets
            row[1] = min(row[1], first)
            row[2] = max(row[2], last)
            row[3] = min(row[3], first_time)
            row[4] = max(row[4], last_time)
        elif len(self.rows) < MAX_ESP_FLOWS:
            self.rows[key] = [packets, first, last, first_time, last_time]
        else:
            self.overflow += packets

    def count_near(self, buffer: bytes, found: "Found", number: int, time: int) -> None:
        """Count one packet that the walker located; `time` is less than 2 ** 64."""
        if found.version != 4:
            self.count(flow_key(buffer, found), number, time)
            return
        ip, at = found.ip, found.transport
        ends = _octets(buffer, ip + 12) << 32 | _octets(buffer, ip + 16)
        flow = _octets(buffer, at) << 32 | _octets(buffer, at + 8) if found.ports else _octets(buffer, at)
        if not self._keys:
            self._near = array("Q", bytes(8 * _SLOT * _SLOTS))
            self._keys = [b""] * _SLOTS
        where = (flow ^ flow >> 13 ^ flow >> 32 ^ ends ^ ends >> 29) & (_SLOTS - 1)
        slot = where * _SLOT
        if self._near[slot] == ends and self._near[slot + 1] == flow and self._near[slot + 2]:
            self._near[slot + 2] += 1
            if number > self._near[slot + 4]:
                self._near[slot + 4] = number
            if time > self._near[slot + 6]:
                self._near[slot + 6] = time
            elif time < self._near[slot + 5]:
                self._near[slot + 5] = time
            return
        self._settle(where)
        key = flow_key(buffer, found)
        self.count(key, number, time)
        if key in self.rows:
            self._keys[where] = key
            self._near[slot], self._near[slot + 1], self._near[slot + 2] = ends, flow, 1
            self._near[slot + 3], self._near[slot + 4], self._near[slot + 5], self._near[slot + 6] = (
                number,
                number,
                time,
                time,
            )

    def _settle(self, where: int) -> None:
        """Move what a slot counted beside its first packet, which is counted already, to its row."""
        slot = where * _SLOT
        if self._near[slot + 2] > 1:
            row = self.rows[self._keys[where]]
            row[0] += self._near[slot + 2] - 1
            row[2] = max(row[2], self._near[slot + 4])
            row[3] = min(row[3], self._near[slot + 5])
            row[4] = max(row[4], self._near[slot + 6])
        self._near[slot + 2] = 0

    def settle(self) -> None:
        """Bring `rows` up to date."""
        for where in range(len(self._keys)):
            self._settle(where)


def flow_key(buffer: bytes, found: "Found") -> bytes:
    """Return what an ESP packet is counted under, from where the walker located it."""
    ip, at = found.ip, found.transport
    ends = buffer[ip + 12 : ip + 20] if found.version == 4 else buffer[ip + 8 : ip + 40]
    return ends + buffer[at : at + 4] + buffer[at + 8 : at + 12] if found.ports else ends + buffer[at : at + 4]


class Tally:
    """Counts of one capture. All of them together are `frames`.

    ip -- by protocol number, of plain IPv4 in the interpreter's hot loop
    others -- by key (KEY_* plus a number), of everything else that is not handed on; at most MAX_KEYS of them
    flows -- of ESP

    Compiled code counts the keys that it meets again and again in `_near`, pairs of a key and a count.
    """

    __slots__ = (
        "_near",
        "datagrams",
        "esp",
        "flows",
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
        self.flows = Flows()
        self._near = array("Q", bytes(16 * _KEYS))

    def count_other(self, key: int, frames: int = 1) -> None:
        """Count frames that hold nothing of interest."""
        if key not in self.others and len(self.others) >= MAX_KEYS:
            key = KEY_REST
        self.others[key] = self.others.get(key, 0) + frames

    def count_near(self, key: int) -> None:
        """Count one frame that holds nothing of interest."""
        where = 2 * ((key ^ key >> 20) & (_KEYS - 1))
        if self._near[where] == key and self._near[where + 1]:
            self._near[where + 1] += 1
            return
        self._settle(where)
        self.count_other(key)
        if key in self.others:
            self._near[where], self._near[where + 1] = key, 1

    def _settle(self, where: int) -> None:
        """Add what was counted beside the first frame, which is in `others` already."""
        if self._near[where + 1] > 1:
            self.others[self._near[where]] += self._near[where + 1] - 1
        self._near[where + 1] = 0

    def settle(self) -> None:
        """Bring `others` and the flows up to date."""
        for where in range(0, 2 * _KEYS, 2):
            self._settle(where)
        self.flows.settle()


class Link:
    """One interface of a capture: how to read its frames and its times.

    type -- the link type; little -- byte order of the record headers; header -- octets of one
    multiply, divide, offset -- nanoseconds = ticks * multiply // divide + offset
    ticks -- a second, of pcap; limit -- octets that a frame may have; snaplen -- 0: no limit
    seen -- there was a frame; oldest, newest, latest -- ticks, of the frames so far
    exact -- ticks up to which a multiplication alone gives nanoseconds, in 64 bits

    ip, ipv4, ipv6, reach, fragment, fields -- the interpreter's short cut: where the IP header is in a frame; the
        EtherTypes of IP as `fields` reads them, or -1 where there is no short cut; octets that a frame needs for it,
        up to the ports of TCP and with them; mask of the fragment bits
    """

    __slots__ = (
        "divide",
        "exact",
        "fields",
        "fragment",
        "header",
        "identifier",
        "ip",
        "ipv4",
        "ipv6",
        "latest",
        "limit",
        "little",
        "multiply",
        "newest",
        "offset",
        "oldest",
        "reach",
        "seen",
        "snaplen",
        "ticks",
        "type",
    )

    def __init__(self, link_type: int, order: str, header: int, layout: str, identifier: int = 0) -> None:
        """Prepare to read records with `header` octets of that `layout` in byte order `order`."""
        layer = LINK_LAYERS.get(link_type)
        ethertype, ip = 12, 14
        if layer is not None and layer.ethertype is not None and layer.header >= 14:
            ethertype, ip = layer.ethertype, layer.header
            self.ipv4 = IPV4 if order == ">" else 0x0008
            self.ipv6 = IPV6 if order == ">" else 0xDD86
        else:
            self.ipv4 = self.ipv6 = -1
        self.ip = ip
        self.fragment = 0x3FFF if order == ">" else 0xFF3F
        between = ip - ethertype - 2
        self.fields: Callable[[bytes, int], tuple[int, ...]] = struct.Struct(
            f"{order}{layout}{ethertype}xH{between}xBxH2xHxB10xBxB"
        ).unpack_from
        self.little = order == "<"
        self.type = link_type
        self.identifier = identifier
        self.header = header
        self.reach = ip + 24
        self.ticks = 1_000_000
        self.limit = 1 << 26
        self.snaplen = 0
        self.seen = False
        self.oldest = self.newest = self.latest = 0
        self.set_resolution(1000, 1, 0)

    def set_resolution(self, multiply: int, divide: int, offset: int) -> None:
        """Say how ticks become nanoseconds; `offset` is in nanoseconds."""
        self.multiply, self.divide, self.offset = multiply, divide, offset
        self.exact = _LARGEST // multiply if divide == 1 and offset == 0 else 0

    def nanoseconds(self, ticks: int) -> int:
        """Return the time since the Unix epoch."""
        return ticks * self.multiply // self.divide + self.offset

    def passed(self, oldest: int, newest: int, latest: int) -> None:
        """Take note of the times (ticks) of some frames."""
        if not self.seen or oldest < self.oldest:
            self.oldest = oldest
        if not self.seen or newest > self.newest:
            self.newest = newest
        self.latest = latest
        self.seen = True


class Found:
    """Where things are in the frame that a scan stopped at: offsets into the buffer.

    position -- of the next record; start, stop -- of the frame; wire -- where it would stop had it not been
        snapped
    ticks -- when; version -- of IP, 0 before any; ip -- of the IP header; limit -- where the captured part of
    the IP packet stops; packet -- where it would stop by its own length
    transport, layer, key, ports -- see the constants in `kinds`
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


# -- the loops


def scan_pcap(buffer: bytes, position: int, end: int, link: Link, ports: bytes, tally: Tally, found: Found) -> int:
    """Walk over pcap records from `position` on, until one matters; return what it is (see `kinds`).

    buffer -- its octets up to `end` belong to the capture; ports -- see `port_table`
    The frame that the scan stops at is counted in `tally.frames`.
    """
    header, limit, little, per_second = link.header, link.limit, link.little, link.ticks
    room = min(end, len(buffer)) - header
    frames = snapped = oldest = newest = ticks = 0
    kind = MORE
    while position <= room:
        captured = _word(buffer, position + 8, little)
        start = position + header
        stop = start + captured
        if stop > end or captured > limit:
            if captured > limit:
                kind = DAMAGED
            break
        ticks = _word(buffer, position, little) * per_second + _word(buffer, position + 4, little)
        if not captured and not ticks and not _word(buffer, position + 12, little):
            kind = DAMAGED  # zeros, as a hole in a file has them: ten gigabytes of these cost nothing to make
            break
        if ticks > newest or not frames:
            newest = ticks
        if ticks < oldest or not frames:
            oldest = ticks
        frames += 1
        original = _word(buffer, position + 12, little)
        if original > captured:
            snapped += 1
        else:
            original = captured
        position = stop
        kind = _judge(buffer, start, stop, original, ticks, tally.frames + frames, link, ports, tally, found)
        if kind != MORE:
            break
    found.position = position
    if frames:
        link.passed(oldest, newest, ticks)
    tally.frames += frames
    tally.snapped += snapped
    return kind


def scan_pcapng(buffer: bytes, position: int, end: int, link: Link, ports: bytes, tally: Tally, found: Found) -> int:
    """Walk over Enhanced Packet Blocks of one interface, until a frame matters or something else comes.

    As `scan_pcap`; returns BLOCK for every other block, and for one that contradicts itself
    (draft-ietf-opsawg-pcapng §4.3): the caller reads that one by itself.
    """
    little, mine = link.little, link.identifier
    room = min(end, len(buffer)) - 28
    frames = snapped = oldest = newest = ticks = 0
    kind = MORE
    while position <= room:
        length = _word(buffer, position + 4, little)
        captured = _word(buffer, position + 20, little)
        start = position + 28
        stop = start + captured
        following = position + length
        if (
            _word(buffer, position, little) != 6
            or _word(buffer, position + 8, little) != mine
            or following > end
            or length & 3
            or stop + 4 > following
            or _word(buffer, following - 4, little) != length
        ):
            kind = BLOCK
            break
        ticks = _word(buffer, position + 12, little) << 32 | _word(buffer, position + 16, little)
        if ticks > newest or not frames:
            newest = ticks
        if ticks < oldest or not frames:
            oldest = ticks
        frames += 1
        original = _word(buffer, position + 24, little)
        if original > captured:
            snapped += 1
        else:
            original = captured
        position = following
        kind = _judge(buffer, start, stop, original, ticks, tally.frames + frames, link, ports, tally, found)
        if kind != MORE:
            break
    found.position = position
    if frames:
        link.passed(oldest, newest, ticks)
    tally.frames += frames
    tally.snapped += snapped
    return kind


def scan_pcap_fields(
    buffer: bytes, position: int, end: int, link: Link, ports: bytes, tally: Tally, found: Found
) -> int:
    """Do what `scan_pcap` does, in the way that is fast for the interpreter.

    The buffer must go on for at least `link.header + link.reach` octets behind a record header to be read:
    the caller pads it with zeros at the end of the file.
    """
    fields = link.fields
    header, reach, ipv4, mask, limit = link.header, link.reach, link.ipv4, link.fragment, link.limit
    per_second = link.ticks
    oldest, newest = (link.oldest, link.newest) if link.seen else (1 << 80, -1)
    boring, quiet, protocols, tcp = _BORING, _QUIET, tally.ip, reach - 4
    ip, ipv6, short = link.ip, link.ipv6, _SHORT[link.little]
    room = min(end - header, len(buffer) - header - reach)
    frames = snapped = ticks = 0
    kind = MORE
    while position <= room:
        (
            seconds, fraction, captured, original,
            ethertype, version, total, fragment, protocol, source, destination
        ) = fields(buffer, position)  # fmt: skip
        start = position + header
        stop = start + captured
        if stop > end or captured > limit:
            if captured > limit:
                kind = DAMAGED
            break
        ticks = seconds * per_second + fraction
        if not captured and not ticks and not original:
            kind = DAMAGED
            break
        frames += 1
        if ticks > newest:
            newest = ticks
        if ticks < oldest:
            oldest = ticks
        if original > captured:
            snapped += 1
        position = stop
        if (
            ethertype == ipv4
            and boring[protocol]
            and not fragment & mask
            and version == 0x45
            and total not in short
            and captured >= reach
            and ((quiet[source] and quiet[destination]) or not is_stream(buffer, start + tcp, protocol))
        ):
            protocols[protocol] += 1
            continue
        if ethertype in (ipv4, ipv6) and (version >> 4 == 4) is (ethertype == ipv4):
            key = _plain_key(buffer, start + ip, stop, ports)
            if key >= 0:
                tally.count_other(key)
                continue
        size = original if original > captured else captured
        kind = _judge(buffer, start, stop, size, ticks, tally.frames + frames, link, ports, tally, found)
        if kind != MORE:
            break
    found.position = position
    if frames:
        link.passed(oldest, newest, ticks)
    tally.frames += frames
    tally.snapped += snapped
    return kind


def scan_pcapng_fields(
    buffer: bytes, position: int, end: int, link: Link, ports: bytes, tally: Tally, found: Found
) -> int:
    """Do what `scan_pcapng` does, in the way that is fast for the interpreter; padding as in `scan_pcap_fields`."""
    fields = link.fields
    header, reach, ipv4, mask, mine = link.header, link.reach, link.ipv4, link.fragment, link.identifier
    oldest, newest = (link.oldest, link.newest) if link.seen else (1 << 80, -1)
    boring, quiet, protocols, tcp = _BORING, _QUIET, tally.ip, reach - 4
    ip, ipv6, short = link.ip, link.ipv6, _SHORT[link.little]
    room = min(end - header, len(buffer) - header - reach)
    frames = snapped = ticks = 0
    kind = MORE
    while position <= room:
        (
            block, length, interface, high, low, captured, original,
            ethertype, version, total, fragment, protocol, source, destination
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
        if ticks < oldest:
            oldest = ticks
        if original > captured:
            snapped += 1
        position = following
        if (
            ethertype == ipv4
            and boring[protocol]
            and not fragment & mask
            and version == 0x45
            and total not in short
            and captured >= reach
            and ((quiet[source] and quiet[destination]) or not is_stream(buffer, start + tcp, protocol))
        ):
            protocols[protocol] += 1
            continue
        if ethertype in (ipv4, ipv6) and (version >> 4 == 4) is (ethertype == ipv4):
            key = _plain_key(buffer, start + ip, stop, ports)
            if key >= 0:
                tally.count_other(key)
                continue
        size = original if original > captured else captured
        kind = _judge(buffer, start, stop, size, ticks, tally.frames + frames, link, ports, tally, found)
        if kind != MORE:
            break
    found.position = position
    if frames:
        link.passed(oldest, newest, ticks)
    tally.frames += frames
    tally.snapped += snapped
    return kind


def _plain_key(buffer: bytes, ip: int, stop: int, ports: bytes) -> int:
    """Return what UDP, or TCP in IPv6, is counted under that is provably not IKE; -1 where that takes a closer look.

    As `locate` would do it, for most of what the loops above do not settle: the interpreter is slow at calls.
    """
    if stop < ip + 54:
        return -1
    if buffer[ip] == 0x45:
        udp = ip + 20
        if (
            buffer[ip + 9] != UDP
            or buffer[ip + 6] & 0x3F
            or buffer[ip + 7]
            or not (buffer[ip + 2] or buffer[ip + 3] > 56)
        ):
            return -1
    else:
        udp = ip + 40
        if buffer[ip] >> 4 != 6:
            return -1
        if buffer[ip + 6] == TCP and _QUIET[buffer[udp]] and _QUIET[buffer[udp + 2]]:
            return KEY_IP + TCP
        if buffer[ip + 6] != UDP or stop < udp + 36 or not (buffer[ip + 4] or buffer[ip + 5] > 36):
            return -1
    source, destination = _ports(buffer, udp)
    if ports[source] % 3 or ports[destination] % 3 or destination in (VXLAN_PORT, GENEVE_PORT):
        return -1
    if buffer[udp + 25] in (0x10, 0x20) or buffer[udp + 29] in (0x10, 0x20):
        return -1  # the version in an ISAKMP header, behind a marker or without
    return _udp_key(source, destination, ports)


def _udp_key(source: int, destination: int, ports: bytes) -> int:
    """Return the key of UDP between these ports: the lower one, or the one that is worth a name."""
    lower = source if source < destination else destination
    if lower > 1023:
        lower = destination if ports[destination] == 3 else source if ports[source] == 3 else 0
    return KEY_UDP + lower


def _judge(
    buffer: bytes,
    start: int,
    stop: int,
    size: int,
    ticks: int,
    number: int,
    link: Link,
    ports: bytes,
    tally: Tally,
    found: Found,
) -> int:
    """Count frame `number`, of `size` octets on the wire, and return MORE; or say what it is, where it matters."""
    found.wire = start + size
    kind = locate(buffer, start, stop, link.type, ports, found)
    if kind == OTHER:
        if COMPILED:
            tally.count_near(found.key)
        else:
            tally.count_other(found.key)
        return MORE
    if kind == ESP and ticks < link.exact:
        tally.esp += 1
        if COMPILED:
            tally.flows.count_near(buffer, found, number, ticks * link.multiply)
        else:
            tally.flows.count(flow_key(buffer, found), number, ticks * link.multiply)
        return MORE
    if kind == UNREADABLE:
        tally.unreadable += 1
        return MORE
    found.start, found.stop, found.ticks = start, stop, ticks
    return kind


# -- one frame, from the outside in


def locate(buffer: bytes, at: int, end: int, link_type: int, ports: bytes, found: Found) -> int:
    """Say what the frame `buffer[at:end]` of that link type is, and where in it. `found.wire` must be set."""
    found.version = 0
    if link_type == LINK_ETHERNET:  # most frames; the others go by the table
        if end - at < 14:
            return UNREADABLE
        return locate_layer(buffer, buffer[at + 12] << 8 | buffer[at + 13], at + 14, end, ports, found)
    layer = LINK_LAYERS.get(link_type)
    if layer is None:
        return UNKNOWN_LINK
    if layer.ethertype is not None:
        if end - at < layer.header:
            return UNREADABLE
        field = at + layer.ethertype
        return locate_layer(buffer, buffer[field] << 8 | buffer[field + 1], at + layer.header, end, ports, found)
    if layer.carries == "ip":
        return _locate_raw(buffer, at, end, ports, found)
    if layer.carries == "loopback":
        return _locate_loopback(buffer, at, end, ports, found)
    return _inside(PPPOE if layer.carries == "pppoe" else PPP, at, end, found)


def _locate_raw(buffer: bytes, at: int, end: int, ports: bytes, found: Found) -> int:
    """Say what a packet is that is IP, of whichever version its first four bits tell."""
    if at >= end:
        return UNREADABLE
    version = buffer[at] >> 4
    if version == 4:
        return _locate_ipv4(buffer, at, end, ports, found)
    if version == 6:
        return _locate_ipv6(buffer, at, end, ports, found)
    return UNREADABLE


def _locate_loopback(buffer: bytes, at: int, end: int, ports: bytes, found: Found) -> int:
    """The address family comes first, in the capturing machine's byte order (OpenBSD: the network's)."""
    if end - at < 4:
        return UNREADABLE
    family = _word(buffer, at, False)
    if family > 0xFFFF:
        family = _word(buffer, at, True)
    if family == FAMILY_IPV4:
        return _locate_ipv4(buffer, at + 4, end, ports, found)
    if family in FAMILIES_IPV6:
        return _locate_ipv6(buffer, at + 4, end, ports, found)
    found.key = KEY_FAMILY + (family & 0xFFFF)
    return OTHER


def locate_layer(buffer: bytes, layer: int, at: int, end: int, ports: bytes, found: Found) -> int:
    """Say what comes behind an EtherType (or 802.3 length)."""
    tags = 0
    while layer != IPV4 and is_tag(layer):
        if end - at < 4 or tags == MAX_TAGS:
            return UNREADABLE
        layer = buffer[at + 2] << 8 | buffer[at + 3]
        at += 4
        tags += 1
    if layer == IPV4:
        return _locate_ipv4(buffer, at, end, ports, found)
    if layer == IPV6:
        return _locate_ipv6(buffer, at, end, ports, found)
    if layer == ARP_LAYER:
        found.key = KEY_ETHERTYPE + layer
        found.transport = at
        found.limit = end
        return ARP
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


def is_tag(layer: int) -> bool:
    """Whether a VLAN tag follows: IEEE 802.1Q, 802.1ad, and the two that came before that."""
    return layer == 0x8100 or layer == 0x88A8 or layer == 0x9100 or layer == 0x9200


def _inside(layer: int, at: int, end: int, found: Found) -> int:
    found.layer = layer
    found.transport = at
    found.limit = end
    return TUNNEL


def _locate_ipv4(buffer: bytes, ip: int, end: int, ports: bytes, found: Found) -> int:
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
    limit = end if end < packet else packet
    found.version = 4
    found.ip = ip
    found.packet = packet
    found.limit = limit
    protocol = buffer[ip + 9]
    if buffer[ip + 6] & 0x3F or buffer[ip + 7]:
        found.transport = ip + header
        if protocol == UDP:
            return FRAGMENT
        if protocol != ESP_PROTOCOL or buffer[ip + 6] & 0x1F or buffer[ip + 7]:
            found.key = KEY_FRAGMENT4 + protocol
            return OTHER
    return locate_transport(buffer, protocol, ip + header, limit, ports, found)


def _locate_ipv6(buffer: bytes, ip: int, end: int, ports: bytes, found: Found) -> int:
    """RFC 8200 §3. A payload length of zero is a jumbogram or segmentation offload, as in IPv4."""
    if end - ip < 40 or buffer[ip] >> 4 != 6:
        return UNREADABLE
    payload = buffer[ip + 4] << 8 | buffer[ip + 5]
    packet = ip + 40 + payload if payload else found.wire
    limit = end if end < packet else packet
    found.version = 6
    found.ip = ip
    found.packet = packet
    found.limit = limit
    return locate_transport(buffer, buffer[ip + 6], ip + 40, limit, ports, found)


def locate_transport(buffer: bytes, protocol: int, at: int, limit: int, ports: bytes, found: Found) -> int:
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
    return _locate_rest(buffer, protocol, at, limit, found)


def _locate_rest(buffer: bytes, protocol: int, at: int, limit: int, found: Found) -> int:
    if protocol in (ICMP_PROTOCOL, ICMP6_PROTOCOL):
        errors = ICMP_ERRORS if protocol == ICMP_PROTOCOL else ICMP6_ERRORS
        if at < limit and buffer[at] in errors and (protocol == ICMP6_PROTOCOL) == (found.version == 6):
            return ICMP
    elif protocol in IP_TUNNELS:
        found.layer = IP_TUNNELS[protocol]
        return TUNNEL
    elif protocol == AH or (found.version == 6 and protocol in EXTENSION_HEADERS):
        found.layer = protocol
        return HEADER
    found.key = KEY_IP + protocol
    return OTHER


def is_stream(buffer: bytes, at: int, protocol: int) -> bool:
    """Whether this protocol is TCP, and its header at `at` has a port where IKE may run in TCP on either end."""
    if protocol != TCP:
        return False
    source = buffer[at] << 8 | buffer[at + 1]
    destination = buffer[at + 2] << 8 | buffer[at + 3]
    return source in (NAT_T_PORT, CISCO_PORT) or destination in (NAT_T_PORT, CISCO_PORT)


def locate_udp(buffer: bytes, udp: int, limit: int, ports: bytes, found: Found) -> int:
    """Tell IKE, NAT keep-alives and ESP from the rest (RFC 768, RFC 3948 §2). `found.transport` is `udp`."""
    if limit - udp < 8:
        return UNREADABLE
    source = buffer[udp] << 8 | buffer[udp + 1]
    destination = buffer[udp + 2] << 8 | buffer[udp + 3]
    length = buffer[udp + 4] << 8 | buffer[udp + 5]
    # Zero is what offload leaves there, and less than a header is nonsense: IP's word counts.
    declared = length - 8 if length >= 8 else found.packet - udp - 8
    at = udp + 8
    stop = at + declared
    if stop > limit:
        stop = limit
    found.transport = udp
    found.declared = declared
    found.ports = True
    if ports[source] == 1 or ports[destination] == 1:
        return DATAGRAM
    if source == NAT_T_PORT or destination == NAT_T_PORT:
        return _locate_nat_traversal(buffer, at, stop, declared, found)
    if stop - at >= ISAKMP_HEADER and (
        is_isakmp(buffer, at, stop, declared)
        or (buffer[at] == 0 and _octets(buffer, at) == 0 and is_isakmp(buffer, at + 4, stop, declared - 4))
    ):
        return DATAGRAM
    if destination == VXLAN_PORT and stop - at >= 8 and buffer[at] & 0x08:  # RFC 7348 §5
        found.layer = VXLAN
        found.transport, found.limit = at, stop
        return TUNNEL
    if destination == GENEVE_PORT and stop - at >= 8 and buffer[at] < 0x40:  # RFC 8926 §3.4: version 0
        found.layer = GENEVE
        found.transport, found.limit = at, stop
        return TUNNEL
    found.key = _udp_key(source, destination, ports)
    return OTHER


def _locate_nat_traversal(buffer: bytes, at: int, stop: int, declared: int, found: Found) -> int:
    size = stop - at
    if declared == 1 and size == 1 and buffer[at] == 0xFF:
        return KEEPALIVE
    if size < 4 or (buffer[at] == 0 and _octets(buffer, at) == 0) or is_isakmp(buffer, at, stop, declared):
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
        and _octets(buffer, at + 24) == declared
        and not (_octets(buffer, at) == 0 and _octets(buffer, at + 4) == 0)
    )


def _octets(buffer: bytes, at: int) -> int:
    """Return the four octets at `at`, in network byte order."""
    value = buffer[at]
    value = value << 8 | buffer[at + 1]
    value = value << 8 | buffer[at + 2]
    return value << 8 | buffer[at + 3]


def _word(buffer: bytes, at: int, little: bool) -> int:
    """Return the four octets at `at`, in either byte order."""
    if not little:
        return _octets(buffer, at)
    value = buffer[at + 3]
    value = value << 8 | buffer[at + 2]
    value = value << 8 | buffer[at + 1]
    return value << 8 | buffer[at]
