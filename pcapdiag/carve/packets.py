"""Frames, anonymized: addresses of every layer, what is in them, and the checksums over it.

The layers are those that `capture.walker` and `capture.network` know, walked over from the outside in; a frame that
cannot be taken apart further is overwritten from there on. Checksums are made last, from the inside out.
"""

from __future__ import annotations

from collections.abc import Callable

from pcapdiag.capture import kinds
from pcapdiag.capture.link_types import LINK_LAYERS
from pcapdiag.capture.network import address as address_text
from pcapdiag.capture.network import skip_extensions
from pcapdiag.capture.reassembly import Key
from pcapdiag.capture.streams import Flow
from pcapdiag.capture.tunnels import NotOursError, UnreadableError, unwrap
from pcapdiag.capture.walker import Found, is_tag, locate_udp, port_table
from pcapdiag.carve.addresses import AddressMap
from pcapdiag.carve.checksums import checksum, is_right, replaced
from pcapdiag.carve.messages import End, Messages
from pcapdiag.carve.options import ipv4_options, ipv6_options, routing_header
from pcapdiag.carve.scramble import Scrambler
from pcapdiag.carve.streams import Streams
from pcapdiag.ike.nat_traversal import NAT_T_PORT, without_marker
from pcapdiag.record import Record

MAX_DEPTH = 16
"""Layers in one frame, extension headers included."""
_REDIRECT = 5


class Piece(Record, frozen=True):
    """Where a frame holds a piece of a datagram: `key`, and octets `offset` on, which are those `at` to `limit`.

    length -- octets by its header; more -- pieces follow; pseudo -- header for the checksum, without the length
    """

    key: Key
    offset: int
    at: int
    limit: int
    length: int
    more: bool
    pseudo: tuple[bytes, bytes]


class Edited:
    """A frame that is being changed. piece -- an IP fragment in it, whose octets are still to be written."""

    def __init__(self, frame: bytes) -> None:
        self.old = frame
        self.new = bytearray(frame)
        self.piece: Piece | None = None
        self._later: list[Callable[[], None]] = []

    def later(self, fix: Callable[[], None]) -> None:
        """Do that when everything inside is as it will be."""
        self._later.append(fix)

    def finish(self) -> bytes:
        """The frame, its checksums made."""
        while self._later:
            self._later.pop()()
        return bytes(self.new)


class Packets:
    """Changes frames, in the order of capture."""

    def __init__(
        self, addresses: AddressMap, scrambler: Scrambler, messages: Messages, ports: frozenset[int] = frozenset()
    ) -> None:
        self._address = addresses.octets
        self._scramble = scrambler.octets
        self._hardware = scrambler.hardware_address
        self._number = scrambler.number
        self._messages = messages
        self._ports = port_table(ports)
        self.streams = Streams(messages, scrambler)

    def edit(self, frame: bytes, wire: int, link_type: int) -> Edited:
        """A frame, which had `wire` octets before it was cut, with everything changed but checksums and fragments."""
        edited = Edited(frame)
        _Walk(self, edited).link(link_type, wire)
        return edited

    def udp_payload(self, payload: bytes, kind: int, ends: tuple[End, End]) -> bytes:
        """What UDP held, of which the walker says what kind it is."""
        if kind == kinds.DATAGRAM:
            octets = without_marker(payload, any(port == NAT_T_PORT for _, port in ends))
            marker = len(payload) - len(octets)
            return payload[:marker] + self._messages.edit(octets, ends)
        if kind == kinds.KEEPALIVE:
            return payload
        if kind == kinds.ESP:
            return self._messages.esp(payload)
        return self._scramble(payload)

    def head(self, head: bytes, protocol: int, pair: tuple[bytes, bytes]) -> tuple[bytes, int | None]:
        """The beginning of a datagram that came in fragments, changed; and where its UDP checksum is, if anywhere."""
        protocol, udp = skip_extensions(head, protocol, 0, len(head))
        if protocol != kinds.UDP or len(head) - udp < 8:
            return self._scramble(head), None
        found = Found()
        found.packet = len(head)
        kind = locate_udp(head, udp, len(head), self._ports, found)
        ends = (
            (address_text(pair[0]), head[udp] << 8 | head[udp + 1]),
            (address_text(pair[1]), head[udp + 2] << 8 | head[udp + 3]),
        )
        stop = min(udp + 8 + found.declared, len(head))
        front = ipv6_options(head[:udp], self._address)
        payload = self.udp_payload(head[udp + 8 : stop], kind, ends)
        return front + head[udp : udp + 8] + payload + bytes(len(head) - stop), udp + 6


_IP_FOLLOWS = ("ip", "loopback")
_TUNNELS = {"ppp": kinds.PPP, "pppoe": kinds.PPPOE}


class _Walk:
    """One frame, from the outside in. Offsets are those of the frame; `new` is written, `old` is read."""

    def __init__(self, packets: Packets, edited: Edited) -> None:
        self._p = packets
        self._edited = edited
        self._old, self._new = edited.old, edited.new
        self._depth = 0
        self._reached = 0  # everything before it is done

    def link(self, link_type: int, wire: int) -> None:
        """The link layer."""
        end = len(self._old)
        try:
            self._link(link_type, end, max(wire, end))
        except (NotOursError, UnreadableError):
            self._new[self._reached :] = bytes(max(end - self._reached, 0))

    def _link(self, link_type: int, end: int, wire: int) -> None:
        layer = LINK_LAYERS.get(link_type)
        if layer is None or end < layer.header:
            raise UnreadableError
        for at, size in layer.addresses:
            self._hardware(at, size) if size > 0 else self._short_address(at, self._old[-size])
        if layer.ethertype is not None:
            self._layer(self._two(layer.ethertype), layer.header, end, wire)
        elif layer.carries in _IP_FOLLOWS:
            self._raw(layer.header, end, wire)
        else:
            self._tunnel(_TUNNELS[layer.carries], layer.header, end, wire)

    def _short_address(self, at: int, size: int) -> None:
        """A hardware address in a field of 8 octets, the rest of which means nothing."""
        size = min(size, 8)
        self._hardware(at, size)
        self._new[at + size : at + 8] = bytes(8 - size)

    def _two(self, at: int) -> int:
        if at + 2 > len(self._old):
            raise UnreadableError
        return self._old[at] << 8 | self._old[at + 1]

    def _hardware(self, at: int, size: int) -> None:
        self._new[at : at + size] = self._p._hardware(self._old[at : at + size])

    def _ethernet(self, at: int, end: int, wire: int) -> None:
        if end - at < 14:
            raise UnreadableError
        self._hardware(at, 6)
        self._hardware(at + 6, 6)
        self._layer(self._two(at + 12), at + 14, end, wire)

    def _raw(self, at: int, end: int, wire: int) -> None:
        if at >= end:
            raise UnreadableError
        self._layer(kinds.IPV4 if self._old[at] >> 4 == 4 else kinds.IPV6, at, end, wire)

    def _layer(self, layer: int, at: int, end: int, wire: int) -> None:
        """What comes behind an EtherType or an 802.3 length. wire -- where the frame or outer packet ends."""
        while is_tag(layer):
            layer, at = self._two(at + 2), at + 4
        self._reached = at
        self._depth += 1
        if self._depth > MAX_DEPTH or at > end:
            raise UnreadableError
        if layer == kinds.IPV4:
            self._ipv4(at, end, wire)
        elif layer == kinds.IPV6:
            self._ipv6(at, end, wire)
        elif layer == kinds.ETHERNET:
            self._ethernet(at, end, wire)
        elif layer in kinds.TUNNELS:
            self._tunnel(layer, at, end, wire)
        elif layer <= 1500:
            self._tunnel(kinds.LLC, at, end, wire)
        else:
            raise UnreadableError

    def _tunnel(self, layer: int, at: int, end: int, wire: int) -> None:
        """One of the layers of `kinds` that `network.unwrap` takes off."""
        inner, start = unwrap(layer, self._old, at, end)
        self._layer(inner, start, end, wire)

    # -- IP

    def _ipv4(self, ip: int, end: int, wire: int) -> None:
        old, new = self._old, self._new
        if end - ip < 20:
            raise UnreadableError
        header = (old[ip] & 15) << 2
        total = self._two(ip + 2)
        packet = ip + total if total else wire
        if old[ip] >> 4 != 4 or header < 20 or end - ip < header or packet < ip + header:
            raise UnreadableError
        limit = min(end, packet)
        new[limit:end] = bytes(end - limit)
        source, destination = old[ip + 12 : ip + 16], old[ip + 16 : ip + 20]
        new[ip + 12 : ip + 16], new[ip + 16 : ip + 20] = self._p._address(source), self._p._address(destination)
        new[ip + 20 : ip + header] = ipv4_options(old[ip + 20 : ip + header], self._p._address)
        self._edited.later(lambda: self._fix(ip, ip + header, ip + 10, b"", b""))
        self._reached = at = ip + header
        protocol = old[ip + 9]
        field = self._two(ip + 6)
        if field & 0x3FFF and not (protocol == kinds.ESP_PROTOCOL and not field & 0x1FFF):
            if protocol != kinds.UDP:
                raise UnreadableError
            key = Key(source, destination, self._two(ip + 4), protocol)
            self._fragment(key, (field & 0x1FFF) * 8, bool(field & 0x2000), at, limit, packet)
            return
        self._transport(protocol, at, limit, packet, (source, destination))

    def _ipv6(self, ip: int, end: int, wire: int) -> None:
        old, new = self._old, self._new
        if end - ip < 40 or old[ip] >> 4 != 6:
            raise UnreadableError
        payload = self._two(ip + 4)
        packet = ip + 40 + payload if payload else wire
        limit = min(end, packet)
        new[limit:end] = bytes(end - limit)
        pair = source, destination = old[ip + 8 : ip + 24], old[ip + 24 : ip + 40]
        new[ip + 8 : ip + 24], new[ip + 24 : ip + 40] = self._p._address(source), self._p._address(destination)
        protocol, at = old[ip + 6], ip + 40
        while protocol == kinds.AH or protocol in kinds.EXTENSION_HEADERS:
            self._reached = at
            self._depth += 1
            if limit - at < 8 or self._depth > MAX_DEPTH:
                raise UnreadableError
            if protocol == 44:
                field, following = self._two(at + 2), old[at]
                if field & 0xFFF9:
                    if following not in (kinds.UDP, 60):
                        raise UnreadableError
                    identification = int.from_bytes(old[at + 4 : at + 8], "big")
                    key = Key(source, destination, identification, following)
                    self._fragment(key, field & 0xFFF8, bool(field & 1), at + 8, limit, packet)
                    return
                protocol, at = following, at + 8
                continue
            protocol, at = old[at], self._extension(protocol, at, limit)
        self._transport(protocol, at, limit, packet, pair)

    def _extension(self, protocol: int, at: int, limit: int) -> int:
        """An extension header (RFC 8200 §4) or Authentication Header (RFC 4302 §2); where it ends."""
        old = self._old
        size = (old[at + 1] + 2) * 4 if protocol == kinds.AH else (old[at + 1] + 1) * 8
        stop = min(at + size, limit)
        if protocol == kinds.AH:
            self._new[at + 12 : stop] = self._p._scramble(old[at + 12 : stop])
        elif protocol == 43:
            self._new[at:stop] = routing_header(old[at:stop], self._p._address)
        elif protocol in (0, 60):
            self._new[at:stop] = ipv6_options(old[at:stop], self._p._address)
        else:
            self._new[at + 2 : stop] = bytes(max(stop - at - 2, 0))
        return at + size

    def _fragment(self, key: Key, offset: int, more: bool, at: int, limit: int, packet: int) -> None:
        if at > limit:
            raise UnreadableError
        pseudo = (key.source + key.destination, self._p._address(key.source) + self._p._address(key.destination))
        self._edited.piece = Piece(key, offset, at, limit, packet - at, more, pseudo)

    # -- what IP holds

    def _transport(self, protocol: int, at: int, limit: int, packet: int, pair: tuple[bytes, bytes]) -> None:
        self._reached = at
        if at > limit:
            raise UnreadableError
        if protocol == kinds.UDP:
            self._udp(at, limit, packet, pair)
        elif protocol == kinds.TCP:
            self._tcp(at, limit, packet, pair)
        elif protocol == kinds.ESP_PROTOCOL:
            self._new[at:limit] = self._p._messages.esp(self._old[at:limit])
        elif protocol in (kinds.ICMP_PROTOCOL, kinds.ICMP6_PROTOCOL):
            self._icmp(protocol, at, limit, packet, pair)
        elif protocol == kinds.AH and len(pair[0]) == 4 and limit - at >= 12:
            following = self._old[at]
            self._transport(following, self._extension(kinds.AH, at, limit), limit, packet, pair)
        elif protocol == kinds.GRE:
            self._gre(at, limit, packet)
        elif protocol in kinds.IP_TUNNELS:
            self._tunnel(kinds.IP_TUNNELS[protocol], at, limit, packet)
        else:
            raise UnreadableError

    def _udp(self, udp: int, limit: int, packet: int, pair: tuple[bytes, bytes]) -> None:
        old, new = self._old, self._new
        if limit - udp < 8:
            raise UnreadableError
        found = Found()
        found.packet = packet
        kind = locate_udp(old, udp, limit, self._p._ports, found)
        at, stop = udp + 8, min(udp + 8 + found.declared, limit)
        new[stop:limit] = bytes(limit - stop)
        cut = udp + 8 + found.declared > limit
        self._edited.later(lambda: self._fix_udp(udp, stop, cut, pair))
        if kind == kinds.TUNNEL:
            self._reached = at
            inner, start = unwrap(found.layer, old, at, stop)
            if start > stop:
                raise UnreadableError
            new[at + 8 : start] = bytes(start - at - 8)  # GENEVE's options may hold anything
            self._layer(inner, start, stop, udp + 8 + found.declared)
            return
        new[at:stop] = self._p.udp_payload(old[at:stop], kind, self._ends(udp, pair))

    def _ends(self, at: int, pair: tuple[bytes, bytes]) -> tuple[End, End]:
        return (address_text(pair[0]), self._two(at)), (address_text(pair[1]), self._two(at + 2))

    def _icmp(self, protocol: int, at: int, limit: int, packet: int, pair: tuple[bytes, bytes]) -> None:
        """RFC 792, RFC 4443, and RFC 4884 for where the quote ends: what is behind it names interfaces and labels."""
        old, new = self._old, self._new
        six = protocol == kinds.ICMP6_PROTOCOL
        if limit - at < 8:
            raise UnreadableError
        head = b"", b""
        if six:
            head = self._pseudo(pair, packet - at, protocol)
        self._edited.later(lambda: self._fix(at, limit, at + 2, *head, cut=limit < packet))
        if not six and old[at] == _REDIRECT:
            new[at + 4 : at + 8] = self._p._address(old[at + 4 : at + 8])
        quote = old[at + 4] * 8 if six else old[at + 5] * 4
        if old[at] not in ((1, 3) if six else (3, 11, 12)):
            quote = 0
        stop = min(limit, at + 8 + quote) if quote else limit
        new[stop:limit] = bytes(limit - stop)
        self._quote(at + 8, stop)

    def _quote(self, ip: int, limit: int) -> None:
        """The packet that an ICMP error quotes: mostly its beginning, with lengths that routers left as they liked."""
        old, new = self._old, self._new
        self._reached = ip
        four = ip < limit and old[ip] >> 4 == 4
        if limit - ip < (20 if four else 40) or (not four and old[ip] >> 4 != 6):
            raise UnreadableError
        size = 4 if four else 16
        where = ip + 12 if four else ip + 8
        pair = old[where : where + size], old[where + size : where + 2 * size]
        new[where : where + 2 * size] = self._p._address(pair[0]) + self._p._address(pair[1])
        if four:
            at = min(ip + max(20, (old[ip] & 15) * 4), limit)
            new[ip + 20 : at] = ipv4_options(old[ip + 20 : at], self._p._address)
            self._edited.later(lambda: self._fix(ip, at, ip + 10, b"", b""))
            protocol, length = old[ip + 9], self._two(ip + 2)
        else:
            protocol, at = skip_extensions(old, old[ip + 6], ip + 40, limit)
            new[ip + 40 : at] = ipv6_options(old[ip + 40 : at], self._p._address)
            length = self._two(ip + 4) + 40
        self._reached = min(at, limit)
        if protocol == kinds.UDP and limit - at >= 8:
            self._udp(at, limit, max(ip + length, at), pair)
        else:
            raise UnreadableError

    def _gre(self, at: int, limit: int, packet: int) -> None:
        """RFC 2784, RFC 2890, RFC 1701: with a checksum over all of it, where the first flag says so."""
        old = self._old
        if limit - at < 4:
            raise UnreadableError
        inner, start = unwrap(kinds.GRE, old, at, limit)
        flags = old[at]
        if flags & 0x80:
            self._edited.later(lambda: self._fix(at, limit, at + 4, b"", b"", cut=limit < packet))
        if flags & 0x40:
            fixed = at + 8 + 4 * bool(flags & 0x20) + 4 * bool(flags & 0x10)
            self._new[fixed:start] = bytes(max(start - fixed, 0))  # routes
        self._layer(inner, start, limit, packet)

    # -- TCP

    def _tcp(self, at: int, limit: int, packet: int, pair: tuple[bytes, bytes]) -> None:
        """RFC 9293 §3.1."""
        old = self._old
        header = (old[at + 12] >> 4) * 4 if limit - at >= 20 else 0
        if header < 20:
            raise UnreadableError
        data = min(at + header, limit)
        head = self._pseudo(pair, packet - at, kinds.TCP)
        self._edited.later(lambda: self._fix(at, limit, at + 16, *head, cut=limit < packet))
        ends = self._ends(at, pair)
        flow = Flow(pair[0], ends[0][1], pair[1], ends[1][1])
        sequence, length = int.from_bytes(old[at + 4 : at + 8], "big"), max(packet - data, 0)
        self._new[data:limit] = self._p.streams.edit(old[data:limit], flow, sequence, length, ends)

    # -- checksums

    def _pseudo(self, pair: tuple[bytes, bytes], length: int, protocol: int) -> tuple[bytes, bytes]:
        """The pseudo-headers of before and of now (RFC 9293 §3.1, RFC 8200 §8.1)."""
        return pseudo_headers(
            pair[0] + pair[1], self._p._address(pair[0]) + self._p._address(pair[1]), length, protocol
        )

    def _fix_udp(self, udp: int, stop: int, cut: bool, pair: tuple[bytes, bytes]) -> None:
        if self._old[udp + 6 : udp + 8] != b"\0\0":
            self._fix(udp, stop, udp + 6, *self._pseudo(pair, stop - udp, kinds.UDP), cut=cut, never_zero=True)

    def _fix(
        self, start: int, stop: int, field: int, old_head: bytes, new_head: bytes, *, cut: bool = False,
        never_zero: bool = False,
    ) -> None:  # fmt: skip
        """Make the checksum at `field` of what stands from `start` to `stop`, behind a pseudo-header."""
        old, new = self._old, self._new
        if cut:
            value = self._p._number(old[field : field + 2] + old[start : start + 8])
        else:
            was_right = is_right(old_head + old[start:stop])
            new[field : field + 2] = b"\0\0"
            value = replaced(checksum(new_head + new[start:stop]), was_right)
        new[field : field + 2] = (value or (0xFFFF if never_zero else 0)).to_bytes(2, "big")


def pseudo_headers(old: bytes, new: bytes, length: int, protocol: int) -> tuple[bytes, bytes]:
    """What checksums of UDP, TCP and ICMPv6 include, for two pairs of addresses; only the sum of it counts."""
    rest = (length & 0xFFFFFFFF).to_bytes(4, "big") + bytes((0, 0, 0, protocol))
    return old + rest, new + rest
