"""Link layer → IP → UDP, TCP, ICMP: what `walker` did not settle by itself, and the records that come out.

IPv6 extension headers, fragments and ICMP errors are taken apart here, a layer at a time; `tunnels` has the layers
that carry another packet.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop
from typing import TYPE_CHECKING

from . import kinds, walker
from .arp import Asked
from .datagram import Captured, Datagram, EspFlow, FragmentLoss, Frame, IcmpError
from .reassembly import Fragment, Key, Partial, Reassembly
from .tunnels import NotOursError, UnreadableError, unwrap
from .walker import Found, Link, Tally, flow_key, port_table

if TYPE_CHECKING:
    from .streams import Carrier, Flow, Packet, Streams

MAX_DEPTH = 8
"""Tunnels inside tunnels, and extension headers, in one frame."""
MAX_PAIRS = 4096
_OF_IKE = (1, 2)  # of what `walker.port_table` says of a port; 3 is one that merely has a name
_AH_MARK = b"\x33"  # behind the key of a flow of AH, which no flow of ESP has
_TELLING = (kinds.DATAGRAM, kinds.KEEPALIVE, kinds.ESP, kinds.OTHER)
"""What a TCP segment is counted as, where several packets end in it: the first of these."""

_IPV4, _IPV6 = int(AF_INET), int(AF_INET6)  # an enum's member costs inet_ntop more than the work itself
_u16 = struct.Struct(">H").unpack_from
_u32 = struct.Struct(">I").unpack_from
_PROTOCOLS_WITH_UDP_INSIDE = frozenset((kinds.UDP, 60))  # 60: destination options may come before UDP in a fragment
_LONGEST_CHAIN = 2048
"""Octets of extension headers in which UDP must begin; a first fragment has to hold all of them (RFC 7112 §5)."""

_new_tuple = tuple.__new__  # what a named tuple's own constructor comes to, without its call

Scan = Callable[[bytes, int, int, Link, bytes, Tally, Found], int]
"""One of the walker's loops."""


@lru_cache(4096)
def address(octets: bytes) -> str:
    """Return 4 or 16 octets as `inet_ntop` writes them."""
    return inet_ntop(_IPV4 if len(octets) == 4 else _IPV6, octets)


class Network:
    """Turns located frames into records, and counts them.

    ready -- what is to be handed on; whoever feeds frames in takes it out
    tally -- the counts, shared with the walker; evicted -- datagrams in fragments that gave way to newer ones
    ports -- what UDP ports are for, as the walker takes it
    unsupported -- of each link type that is not: number of the first frame, and how many there are
    authenticated -- what the packet with an Authentication Header that was opened last is counted under
    streams -- IKE in TCP; None until there is a segment on one of its ports
    asked -- who asks for whom by ARP
    """

    def __init__(self, capture: int, ports: frozenset[int], tally: Tally) -> None:
        """Number the capture, and take `ports` for IKE ports beside 500 and 4500."""
        self.ready: list[Captured] = []
        self.evicted = 0
        self.tally = tally
        self.ports = port_table(ports)
        self._capture = capture
        self._reassembly = Reassembly()
        self.streams: Streams | None = None
        self.unsupported: dict[int, list[int]] = {}
        self._waits = False  # there may be fragments, or segments, of which the rest is to come
        self.authenticated = b""
        self.asked = Asked(capture)
        self._pairs: set[bytes] = set()
        self._older_pairs: set[bytes] = set()

    def run(self, scan: Scan, buffer: bytes, position: int, end: int, link: Link, found: Found) -> int:
        """Let the walker scan `buffer[position:end]`, take in what matters, and return why it stopped (see `kinds`)."""
        tally = self.tally
        while True:
            kind = scan(buffer, position, end, link, self.ports, tally, found)
            if kind < 0:
                return kind
            position = found.position
            self.take(kind, buffer, found, link, tally.frames)

    def take(self, kind: int, buffer: bytes, found: Found, link: Link, number: int) -> None:
        """Take the frame in that the walker stopped at; raise nothing, whatever is in it."""
        time = found.ticks * link.multiply if found.ticks < link.exact else link.nanoseconds(found.ticks)
        if self._waits:
            # Always before what comes next, so that nothing depends on how much was read at a time.
            self.expire(time)
        if kind == kinds.DATAGRAM:
            self._take_datagram(buffer, found, number, time)
        elif kind == kinds.ARP:
            self.tally.count_other(found.key)
            self.asked.take(buffer[found.transport : found.limit], number, time)
        elif kind == kinds.UNKNOWN_LINK:
            self.tally.unreadable += 1
            self.unsupported.setdefault(link.type, [number, 0])[1] += 1
        else:
            self._take_rest(kind, buffer, found, number, time)

    def _take_datagram(self, buffer: bytes, found: Found, number: int, time: int) -> None:
        self.tally.datagrams += 1
        pair = _pair(buffer, found.version, found.ip)
        self._remember_pair(pair)
        self.ready.append(_datagram(buffer, found, pair, _new_tuple(Frame, (self._capture, number)), time))

    def _take_rest(self, kind: int, buffer: bytes, found: Found, number: int, time: int) -> None:
        try:
            if kind >= kinds.TUNNEL:
                self.authenticated = b""
                try:
                    kind = self._open(kind, buffer, found)
                finally:
                    if self.authenticated:  # RFC 4302: a flow of its own, whatever it carries
                        self.tally.flows.count(self.authenticated, number, time)
            if kind == kinds.DATAGRAM:
                self._take_datagram(buffer, found, number, time)
            elif kind == kinds.ESP:
                self.tally.esp += 1
                self.tally.flows.count(flow_key(buffer, found), number, time)
            elif kind == kinds.STREAM:
                self._take_segment(buffer, found, Frame(self._capture, number), time)
            else:
                self._settle(kind, buffer, found, Frame(self._capture, number), time)
        except NotOursError as reason:
            self.tally.count_other(reason.args[0])
        except UnreadableError:
            self.tally.unreadable += 1

    def expire(self, now: int) -> None:
        """Give up the fragments, and the gaps in streams, whose time is up at `now` (nanoseconds)."""
        if self._reassembly:
            for partial in self._reassembly.expired(now):
                self._lose(partial)
        if self.streams:
            self._hand_on(self.streams.expired(now))
        self._waits = bool(self._reassembly or self.streams)

    def finish(self) -> None:
        """Give up every fragment and stream that is still held: the capture ends."""
        for partial in self._reassembly.rest():
            self._lose(partial)
        if self.streams is not None:
            self._hand_on(self.streams.rest())

    def esp_flows(self) -> tuple[EspFlow, ...]:
        """Return who sent ESP to whom, in the order in which they began."""
        rows = sorted(self.tally.flows.rows.items(), key=lambda item: item[1][1])
        return tuple(self._esp_flow(key, row) for key, row in rows)

    def _esp_flow(self, key: bytes, row: list[int]) -> EspFlow:
        packets, first, last, first_time, last_time = row
        # Addresses, ports where there are any, SPI: 4 + 4 + (4) + 4 octets of IPv4, 16 + 16 + (4) + 4 of IPv6.
        authenticated = len(key) % 4 == len(_AH_MARK)
        key = key[: len(key) & ~3]
        half = 4 if len(key) <= 16 else 16
        ports = key[2 * half : -4]
        return EspFlow(
            address(key[:half]),
            address(key[half : 2 * half]),
            _u16(ports)[0] if ports else None,
            _u16(ports, 2)[0] if ports else None,
            _u32(key, len(key) - 4)[0],
            packets,
            Frame(self._capture, first),
            Frame(self._capture, last),
            first_time,
            last_time,
            "ah" if authenticated else "esp",
        )

    # -- from the outside in

    def _open(self, kind: int, buffer: bytes, found: Found) -> int:
        """Take layers off until what is left is one of the walker's final kinds."""
        for _ in range(MAX_DEPTH):
            if kind == kinds.TUNNEL:
                kind = self._enter(buffer, found)
            elif kind == kinds.HEADER:
                kind = self._skip_header(buffer, found)
            elif kind == kinds.OTHER:
                raise NotOursError(found.key)
            elif kind == kinds.UNREADABLE:
                raise UnreadableError
            else:
                return kind
        raise UnreadableError

    def _enter(self, buffer: bytes, found: Found) -> int:
        """Step into a tunnel: find what the packet inside is, and let the walker locate that."""
        layer, at = unwrap(found.layer, buffer, found.transport, found.limit)
        if found.version:
            # Inside, the outer packet's own end is what the wire's end was outside.
            found.wire = found.packet
        found.version = 0
        if layer == kinds.ETHERNET:
            return walker.locate(buffer, at, found.limit, kinds.LINK_ETHERNET, self.ports, found)
        return walker.locate_layer(buffer, layer, at, found.limit, self.ports, found)

    def _skip_header(self, buffer: bytes, found: Found) -> int:
        """Step over one extension header (RFC 8200 §4) or Authentication Header (RFC 4302 §2)."""
        at = found.transport
        if found.limit - at < 8:
            raise UnreadableError
        following = buffer[at]
        if found.layer == 44:
            (field,) = _u16(buffer, at + 2)
            if field & 0xFFF9:
                if following not in _PROTOCOLS_WITH_UDP_INSIDE:
                    raise NotOursError(kinds.KEY_FRAGMENT6 + following)
                return kinds.FRAGMENT
            size = 8
        elif found.layer == kinds.AH:
            size = (buffer[at + 1] + 2) * 4
            # Now, as what it carries may be a packet with addresses of its own.
            self.authenticated = _pair(buffer, found.version, found.ip) + buffer[at + 4 : at + 8] + _AH_MARK
        else:
            size = (buffer[at + 1] + 1) * 8
        return walker.locate_transport(buffer, following, at + size, found.limit, self.ports, found)

    # -- what came out

    def _settle(self, kind: int, buffer: bytes, found: Found, frame: Frame, time: int) -> None:
        if kind == kinds.KEEPALIVE:
            self.tally.nat_keepalives += 1
            pair = _pair(buffer, found.version, found.ip)
            self._remember_pair(pair)
            self.ready.append(_datagram(buffer, found, pair, frame, time))
        elif kind == kinds.FRAGMENT:
            self._take_fragment(buffer, found, frame, time)
        elif kind == kinds.ARP:  # in a tunnel: of a link elsewhere
            raise NotOursError(found.key)
        elif kind == kinds.ICMP:
            error = self._icmp_error(buffer, found, frame, time)
            self.tally.icmp_errors += 1
            self.ready.append(error)
        else:
            raise UnreadableError

    def _icmp_error(self, buffer: bytes, found: Found, frame: Frame, time: int) -> IcmpError:
        """RFC 792, RFC 4443 §3, and the length of the quote by RFC 4884 §4 and §5."""
        at, limit, version = found.transport, found.limit, found.version
        nothing = NotOursError(kinds.KEY_IP + (kinds.ICMP_PROTOCOL if version == 4 else kinds.ICMP6_PROTOCOL))
        if limit - at < 8:
            raise nothing
        kind, code = buffer[at], buffer[at + 1]
        mtu = None
        if version == 4:
            if (kind, code) == (3, 4):
                mtu = _u16(buffer, at + 6)[0] or None
            quote = buffer[at + 5] * 4 if kind in (3, 11, 12) else 0
        else:
            if kind == 2:
                mtu = _u32(buffer, at + 4)[0]
            quote = buffer[at + 4] * 8 if kind in (1, 3) else 0
        inner = Found()
        inner.limit = inner.wire = min(limit, at + 8 + quote) if quote else limit
        if not self._locate_quote(buffer, at + 8, version, inner):
            raise nothing
        pair = _pair(buffer, version, found.ip)
        half = len(pair) // 2
        quoted = _datagram(buffer, inner, _pair(buffer, version, inner.ip), frame, time)
        return IcmpError(frame, time, address(pair[:half]), address(pair[half:]), version, kind, code, mtu, quoted)

    def _locate_quote(self, buffer: bytes, ip: int, version: int, inner: Found) -> bool:
        """Find the UDP header in a quoted packet: whether there is one, and it is of IKE.

        The quote's IP length is not looked at: routers leave it in their own byte order, or decreased.
        """
        limit = inner.limit
        if limit - ip < (20 if version == 4 else 40) or buffer[ip] >> 4 != version:
            return False
        if version == 4:
            protocol, at = buffer[ip + 9], ip + max(20, (buffer[ip] & 15) * 4)
            if buffer[ip + 6] & 0x1F or buffer[ip + 7]:
                return False
        else:
            protocol, at = skip_extensions(buffer, buffer[ip + 6], ip + 40, limit)
        if protocol != kinds.UDP or limit - at < 8:
            return False
        inner.version, inner.ip, inner.packet = version, ip, limit
        if self.ports[_u16(buffer, at)[0]] not in _OF_IKE and self.ports[_u16(buffer, at + 2)[0]] not in _OF_IKE:
            return walker.locate_udp(buffer, at, limit, self.ports, inner) == kinds.DATAGRAM
        walker.locate_udp(buffer, at, limit, self.ports, inner)
        inner.transport, inner.limit = at, limit
        return True

    # -- streams

    def _take_segment(self, buffer: bytes, found: Found, frame: Frame, time: int) -> None:
        """Count a TCP segment (RFC 9293 §3.1) as other, until a packet turns out to end in it."""
        from .streams import Carrier, Segment, Streams  # most captures have no such segment

        if self.streams is None:
            self.streams = Streams()
        self._waits = True
        at, limit = found.transport, found.limit
        flow = segment_flow(buffer, found)
        self.tally.count_other(_stream_key(flow))
        header = (buffer[at + 12] >> 4) * 4 if limit - at >= 20 else 0
        if header < 20:
            return
        sequence, acknowledged = _u32(buffer, at + 4)[0], _u32(buffer, at + 8)[0]
        data = at + header
        four = found.version == 4
        carrier = Carrier(
            frame,
            time,
            buffer[found.ip + 8] if four else buffer[found.ip + 7],
            _u16(buffer, found.ip + 4)[0] if four else None,
        )
        segment = Segment(
            flow, sequence, acknowledged, buffer[at + 13], found.packet - data, buffer[data:limit], carrier
        )
        self._hand_on(self.streams.take(segment))

    def _hand_on(self, packets: list[Packet]) -> None:
        for packet in packets:
            carrier = packet.carriers[-1]
            flow = packet.flow
            self._count_as(packet.kind, carrier, flow)
            if packet.kind == kinds.ESP:
                ports = struct.pack(">HH", flow.source_port, flow.destination_port)
                key = flow.source + flow.destination + ports + packet.payload[:4]
                self.tally.flows.count(key, carrier.frame.number, carrier.time)
                continue
            self._remember_pair(flow.source + flow.destination)
            self.ready.append(_streamed(packet, carrier))

    def _count_as(self, kind: int, carrier: Carrier, flow: Flow) -> None:
        """Count a frame as the most telling of what ends in it."""
        if _TELLING.index(kind) >= _TELLING.index(carrier.counted):
            return
        for counted, one in ((carrier.counted, -1), (kind, 1)):
            if counted == kinds.DATAGRAM:
                self.tally.datagrams += one
            elif counted == kinds.KEEPALIVE:
                self.tally.nat_keepalives += one
            elif counted == kinds.ESP:
                self.tally.esp += one
            else:
                self.tally.count_other(_stream_key(flow), one)
        carrier.counted = kind

    # -- fragments

    def _take_fragment(self, buffer: bytes, found: Found, frame: Frame, time: int) -> None:
        self._waits = True
        fragment = fragment_of(buffer, found, frame, time)
        partial = self._reassembly.add(fragment)
        if partial is None:
            raise NotOursError(_fragment_key(fragment.key))
        self.tally.ip_fragments += 1
        if not partial.wanted:
            kind = self._judge(partial)
            if kind == kinds.DATAGRAM or kind == kinds.KEEPALIVE:
                partial.wanted = True
            elif kind != kinds.MORE:
                self._reassembly.refuse(partial)
                self._release(partial)
                if kind == kinds.ESP and fragment.offset == 0:
                    # The packet is ESP, and its flow is in its first piece: count that one as what it is.
                    self.tally.count_other(_fragment_key(partial.key), -1)
                    self.tally.esp += 1
                    self._count_first_esp(partial, frame.number, time)
                return
        if partial.complete():
            self._reassembly.finish(partial)
            self._complete(partial, frame, time)
        for old in self._reassembly.evicted():
            self.evicted += 1
            self._lose(old)

    def _judge(self, partial: Partial) -> int:
        """Say what a datagram in pieces is, or MORE while what is there does not tell."""
        head = partial.head(_LONGEST_CHAIN)
        protocol, udp = skip_extensions(head, partial.key.protocol, 0, len(head))
        if protocol in _PROTOCOLS_WITH_UDP_INSIDE and len(head) - udp < 8:
            if partial.complete():
                return kinds.UNREADABLE
            return kinds.MORE if len(head) < _LONGEST_CHAIN else kinds.OTHER
        if protocol != kinds.UDP:
            return kinds.OTHER
        inner = Found()
        inner.packet = udp + 8
        kind = walker.locate_udp(head, udp, len(head), self.ports, inner)
        # The marker and an ISAKMP header must be there before anything else can be said.
        short = len(head) < udp + 8 + 4 + kinds.ISAKMP_HEADER and not partial.complete()
        if kind == kinds.DATAGRAM:
            return kind
        return kinds.MORE if short else kind

    def _complete(self, partial: Partial, frame: Frame, time: int) -> None:
        head = partial.head()
        _, udp = skip_extensions(head, partial.key.protocol, 0, len(head))
        if partial.total is None or len(head) - udp < 8:
            # The last piece ends the datagram before its own UDP header does.
            self._release(partial)
            return
        source_port, destination_port, length = struct.unpack_from(">HHH", head, udp)
        declared = length - 8 if length >= 8 else partial.total - udp - 8
        self.tally.ip_fragments -= 1
        self.tally.datagrams += 1
        key = partial.key
        self._remember_pair(key.source + key.destination)
        self.ready.append(
            Datagram(
                frame,
                time,
                address(key.source),
                source_port,
                address(key.destination),
                destination_port,
                head[udp + 8 : udp + 8 + declared],
                declared,
                partial.ttl,
                key.identification if len(key.source) == 4 else None,
                tuple(partial.frames),
            )
        )

    def _lose(self, partial: Partial) -> None:
        """Report a datagram that will never be whole, where it is, or may be, IKE."""
        key = partial.key
        if partial.echo:
            return
        if not partial.wanted and self._shown(partial):
            self._release(partial)
            return
        head = partial.head()
        _, udp = skip_extensions(head, key.protocol, 0, len(head))
        known = len(head) - udp >= 8
        if not known and not self._talk(key.source, key.destination):
            self._release(partial)
            return
        self.ready.append(
            FragmentLoss(
                tuple(partial.frames),
                partial.time,
                partial.last_time,
                address(key.source),
                address(key.destination),
                _u16(head, udp)[0] if known else None,
                _u16(head, udp + 2)[0] if known else None,
                head[udp + 8 :] if known else b"",
                partial.ttl,
                key.identification,
                partial.missing(),
            )
        )

    def _shown(self, partial: Partial) -> bool:
        """Whether the first fragment tells ports: had they been IKE's, the datagram would be wanted."""
        head = partial.head()
        _, udp = skip_extensions(head, partial.key.protocol, 0, len(head))
        return len(head) - udp >= 8

    def _release(self, partial: Partial) -> None:
        """Count pieces that were held as what they are after all."""
        self.tally.ip_fragments -= len(partial.frames)
        self.tally.count_other(_fragment_key(partial.key), len(partial.frames))

    def _count_first_esp(self, partial: Partial, number: int, time: int) -> None:
        head, key = partial.head(), partial.key
        _, udp = skip_extensions(head, key.protocol, 0, len(head))
        flow = key.source + key.destination + head[udp : udp + 4] + head[udp + 8 : udp + 12]
        self.tally.flows.count(flow, number, time)

    def _remember_pair(self, pair: bytes) -> None:
        """Remember that IKE went this way: pieces of datagrams between the two may be IKE as well."""
        if pair not in self._pairs:
            if len(self._pairs) >= MAX_PAIRS:
                self._older_pairs, self._pairs = self._pairs, set()
            self._pairs.add(pair)

    def _talk(self, one: bytes, other: bytes) -> bool:
        """Whether IKE went between these two, lately."""
        return any(pair in pairs for pair in (one + other, other + one) for pairs in (self._pairs, self._older_pairs))


def _pair(buffer: bytes, version: int, ip: int) -> bytes:
    """Return source and destination, as they stand in the header."""
    return buffer[ip + 12 : ip + 20] if version == 4 else buffer[ip + 8 : ip + 40]


def _fragment_key(key: Key) -> int:
    return (kinds.KEY_FRAGMENT4 if len(key.source) == 4 else kinds.KEY_FRAGMENT6) + key.protocol


def _datagram(buffer: bytes, found: Found, pair: bytes, frame: Frame, time: int) -> Datagram:
    ip, udp = found.ip, found.transport
    four = found.version == 4
    half = 4 if four else 16
    stop = udp + 8 + found.declared
    return Datagram(
        frame,
        time,
        address(pair[:half]),
        buffer[udp] << 8 | buffer[udp + 1],
        address(pair[half:]),
        buffer[udp + 2] << 8 | buffer[udp + 3],
        buffer[udp + 8 : stop if stop < found.limit else found.limit],
        found.declared,
        buffer[ip + 8] if four else buffer[ip + 7],
        buffer[ip + 4] << 8 | buffer[ip + 5] if four else None,
    )


def segment_flow(buffer: bytes, found: Found) -> Flow:
    """Return the direction of a TCP connection that a located segment belongs to."""
    from .streams import Flow

    pair = _pair(buffer, found.version, found.ip)
    half = len(pair) // 2
    at = found.transport
    return Flow(pair[:half], _u16(buffer, at)[0], pair[half:], _u16(buffer, at + 2)[0])


def _stream_key(flow: Flow) -> int:
    """Return the tally's key of TCP frames on a port where IKE may run."""
    nat_t = kinds.NAT_T_PORT in (flow.source_port, flow.destination_port)
    return kinds.KEY_TCP + (kinds.NAT_T_PORT if nat_t else kinds.CISCO_PORT)


def _streamed(packet: Packet, carrier: Carrier) -> Datagram:
    """Make a datagram of what a TCP stream held; `carrier` is the frame that completed it."""
    flow = packet.flow
    frames = tuple(each.frame for each in packet.carriers)
    return Datagram(
        carrier.frame,
        carrier.time,
        address(flow.source),
        flow.source_port,
        address(flow.destination),
        flow.destination_port,
        packet.payload,
        packet.length,
        carrier.ttl,
        carrier.ip_id,
        frames if len(frames) > 1 else (),
        "tcp",
    )


def fragment_of(buffer: bytes, found: Found, frame: Frame, time: int) -> Fragment:
    """Read a piece out of its IPv4 header (RFC 791 §3.1) or IPv6 fragment header (RFC 8200 §4.5)."""
    ip, at = found.ip, found.transport
    pair = _pair(buffer, found.version, ip)
    half = len(pair) // 2
    if found.version == 4:
        (field,) = _u16(buffer, ip + 6)
        offset, more = (field & 0x1FFF) * 8, bool(field & 0x2000)
        identification, protocol, ttl = _u16(buffer, ip + 4)[0], buffer[ip + 9], buffer[ip + 8]
    else:
        (field,) = _u16(buffer, at + 2)
        offset, more = field & 0xFFF8, bool(field & 1)
        identification, protocol, ttl = _u32(buffer, at + 4)[0], buffer[at], buffer[ip + 7]
        at += 8
    length = found.packet - at
    if length < 0 or offset + length > 0xFFFF:
        raise UnreadableError
    key = Key(pair[:half], pair[half:], identification, protocol)
    return Fragment(key, offset, length, more, buffer[at : found.limit], ttl, frame, time)


def skip_extensions(octets: bytes, protocol: int, at: int, limit: int) -> tuple[int, int]:
    """Return the protocol behind the extension headers from `at` on, and where it begins.

    Stops at a header that is not wholly there, and at a fragment that is not a first one.
    """
    for _ in range(MAX_DEPTH):
        if limit - at < 8:
            break
        if protocol == 44:
            if _u16(octets, at + 2)[0] & 0xFFF8:
                break
            size = 8
        elif protocol == kinds.AH:
            size = (octets[at + 1] + 2) * 4
        elif protocol in kinds.EXTENSION_HEADERS:
            size = (octets[at + 1] + 1) * 8
        else:
            break
        protocol, at = octets[at], at + size
    return protocol, at
