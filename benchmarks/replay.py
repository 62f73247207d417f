"""Speaks the exchanges of a capture again: between other ends, under new cookies, over another path.

What is rewritten is what has to be for the packets to be right: addresses, ports, cookies, NAT-D hashes (RFC 3947
§3.2, RFC 7296 §2.23), identities that are addresses, TTLs, IP identifications and checksums. Everything else is as the
daemons sent it: proposals, vendor IDs, the order of messages, the times of retransmissions; also nonces, key exchange
values and what is encrypted, so no table of keys opens the result.
"""

import hashlib
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from generate import UDP, checksum, ethernet, ipv4, payloads, with_nat_d

from pcapdiag.capture.datagram import Datagram, IcmpError
from pcapdiag.capture.savefile import Savefile

ICMP = 1
ID, NOTIFY = 5, 41
ID_IPV4_ADDR = b"\x01"
NAT_DETECTION_SOURCE_IP, NAT_DETECTION_DESTINATION_IP = 16388, 16389
MARKER = bytes(4)
LAST_FRAGMENT, MORE_FRAGMENTS = 0, 0x2000
FRAGMENT, FIRST_PIECE = (
    132,
    36,
)  # the payload type of IKEv1 fragments, and where the data of one begin: those of the first are a header
FIRST_FRAGMENT = 1480  # octets of IP payload in 1500
QUOTED = 548  # octets: what Linux quotes in an ICMP error
TIMER = 500_000  # microseconds: what comes later than this is sent by a timer, and no answer to what went before


class End(NamedTuple):
    """One end. Addresses are four octets.

    address -- its own; outside -- by which the world knows it, another one behind a NAT
    ports -- which of its own ports the world sees as which others
    """

    address: bytes
    outside: bytes
    ports: dict[int, int] = {}  # noqa: RUF012 -- nobody changes it

    def own(self, port: int) -> bytes:
        """Address and port as this end itself knows them."""
        return self.address + struct.pack(">H", port)

    def seen(self, port: int) -> bytes:
        """Address and port as the world knows them."""
        return self.outside + struct.pack(">H", self.ports.get(port, port))


class Way(NamedTuple):
    """What lies between the capture point, which is at one of the ends, and the other end.

    round_trip -- microseconds; hops -- routers; router -- the address of the last one, four octets
    """

    round_trip: int
    hops: int
    router: bytes


class Recording:
    """One exchange of a capture: its messages and the ICMP errors that quote them."""

    def __init__(self, path: str | Path) -> None:
        """Read it; an exchange that begins under other cookies is not part of it."""
        items = [i for i in Savefile(path) if isinstance(i, Datagram | IcmpError)]
        first = items[0]
        assert isinstance(first, Datagram)
        cookie = _bare(first.payload)[:8]
        self.initiator, self.begin = first.source, first.time
        self.items = [i for i in items if isinstance(i, IcmpError) or _bare(i.payload)[:8] in (cookie, b"\xff")]


def _bare(payload: bytes) -> bytes:
    """A message without the marker of UDP 4500 (RFC 3948 §2.2)."""
    return payload.removeprefix(MARKER)


class Spoken:
    """One exchange spoken again. `frames`: microseconds since its beginning, and octets, in order."""

    def __init__(
        self,
        recording: Recording,
        initiator: End,
        responder: End,
        *,
        at_initiator: bool,
        way: Way,
        chance: random.Random,
        keep: Callable[[int], bool] = lambda _: True,
        when: Callable[[int, int], int] = lambda _, time: time,
    ) -> None:
        """Speak it.

        at_initiator -- the capture point is at the initiator, else at the responder
        keep -- whether the item of this place reaches the capture point
        when -- another time for the item of this place, instead of the one that is given
        """
        self.cookies = chance.randbytes(16)
        self._ends = {True: initiator, False: responder}
        self._near, self._way, self._chance = at_initiator, way, chance
        self._identifications = {True: chance.getrandbits(16), False: chance.getrandbits(16)}
        self._packets: dict[bool, bytes] = {}
        found: list[tuple[int, bytes]] = []
        for place, (item, time) in enumerate(self._timed(recording)):
            if not keep(place):
                continue
            packets = self._error(item) if isinstance(item, IcmpError) else self._datagram(item, recording.initiator)
            time = when(place, time)
            found += [(time + 15 * number, ethernet(packet)) for number, packet in enumerate(packets)]
        self.frames = sorted(found, key=lambda frame: frame[0])

    def _timed(self, recording: Recording) -> Iterator[tuple[Datagram | IcmpError, int]]:
        """When each item is seen, microseconds from the beginning: an answer from afar takes the round trip longer."""
        first: dict[tuple[bool, bytes], tuple[int, int]] = {}
        before = before_now = 0
        near_before = True
        for item in recording.items:
            far = isinstance(item, IcmpError) or (item.source == recording.initiator) is not self._near
            octets = item.quoted.payload if isinstance(item, IcmpError) else item.payload
            time = (item.time - recording.begin) // 1000
            known = None if isinstance(item, IcmpError) else first.get((far, octets))
            if known is not None:  # a timer that began with the first transmission
                now = known[1] + time - known[0]
            else:
                answer = far and near_before and time - before < TIMER
                now = before_now + time - before + (self._way.round_trip if answer else 0)
                first.setdefault((far, octets), (time, now))
            before, before_now, near_before = time, now, not far
            yield item, now

    def _datagram(self, item: Datagram, recorded_initiator: str) -> Iterator[bytes]:
        forth = item.source == recorded_initiator
        near = forth is self._near
        source, destination = self._ends[forth], self._ends[not forth]
        message = self._message(item, source, destination)
        # Captured where it is, a NAT in front of the far end has done its work, and one in front of this end has not.
        begin = source.own(item.source_port) if near else source.seen(item.source_port)
        end = destination.seen(item.destination_port) if near else destination.own(item.destination_port)
        data = _udp(begin, end, message)
        identification = self._identifications[forth] = (
            self._identifications[forth] + self._chance.randrange(1, 600)
        ) & 0xFFFF
        ttl = 64 if near else 64 - self._way.hops
        route = (begin[:4], end[:4])
        if not item.fragments:
            self._packets[forth] = ipv4(UDP, *route, data, identification, ttl)
            yield self._packets[forth]
            return
        yield ipv4(UDP, *route, data[:FIRST_FRAGMENT], identification, ttl, MORE_FRAGMENTS)
        offset = LAST_FRAGMENT | FIRST_FRAGMENT // 8
        yield ipv4(UDP, *route, data[FIRST_FRAGMENT:], identification, ttl, offset)

    def _message(self, item: Datagram, source: End, destination: End) -> bytes:
        message = _bare(item.payload)
        if len(message) < 28:
            return item.payload  # a NAT keep-alive
        spis = self.cookies if any(message[8:16]) else self.cookies[:8] + bytes(8)
        message = spis + message[16:]
        if message[16] == FRAGMENT and message[FIRST_PIECE - 2] == 1:
            message = message[:FIRST_PIECE] + self.cookies + message[FIRST_PIECE + 16 :]
        # Each end hashes its own address as it knows it, and the other's as the world does.
        ends = (source.own(item.source_port), destination.seen(item.destination_port))
        message = _with_nat_detection(message, *ends) if message[17] >> 4 == 2 else with_nat_d(message, spis, *ends)
        return item.payload[: -len(message)] + _with_identity(message, source.address)

    def _error(self, item: IcmpError) -> Iterator[bytes]:
        """The error, quoting the packet that was sent last; only what the near end sent is ever quoted."""
        quoted = bytearray(self._packets[self._near][:QUOTED])
        quoted[8] = 64 - self._way.hops
        quoted[10:12] = bytes(2)
        quoted[10:12] = struct.pack(">H", checksum(struct.unpack(">10H", quoted[:20])))
        from_peer = item.source == item.quoted.destination
        source = self._ends[not self._near].outside if from_peer else self._way.router
        body = struct.pack(">BBHI", item.type, item.code, 0, 0) + bytes(quoted)
        body = body[:2] + struct.pack(">H", _sum(body)) + body[4:]
        ttl = 64 - self._way.hops + (0 if from_peer else 1)
        yield ipv4(ICMP, source, self._ends[self._near].address, body, self._chance.getrandbits(16), ttl, 0)


def _udp(source: bytes, destination: bytes, data: bytes) -> bytes:
    """A UDP datagram with its checksum (RFC 768) between two ends, each an address with its port behind."""
    length = struct.pack(">H", 8 + len(data))
    pseudo = source[:4] + destination[:4] + struct.pack(">H", UDP) + length
    head = source[4:] + destination[4:] + length
    return head + struct.pack(">H", _sum(pseudo + head + bytes(2) + data) or 0xFFFF) + data


def _sum(octets: bytes) -> int:
    octets += bytes(len(octets) % 2)
    return checksum(struct.unpack(f">{len(octets) // 2}H", octets))


def _with_nat_detection(message: bytes, source: bytes, destination: bytes) -> bytes:
    """An IKEv2 message with its NAT_DETECTION notifies made for these ends (RFC 7296 §2.23)."""
    octets = bytearray(message)
    for kind, begin, end in payloads(message):
        if kind != NOTIFY:
            if kind in (46, 53):  # encrypted: what stands inside has no place in this chain
                break
            continue
        notify = int.from_bytes(message[begin + 2 : begin + 4], "big")
        if notify in (NAT_DETECTION_SOURCE_IP, NAT_DETECTION_DESTINATION_IP):
            where = source if notify == NAT_DETECTION_SOURCE_IP else destination
            octets[begin + 4 : end] = hashlib.sha1(message[:16] + where).digest()
    return bytes(octets)


def _with_identity(message: bytes, address: bytes) -> bytes:
    """The message of IKEv1, an identity in clear that is an IPv4 address (RFC 2407 §4.6.2) made that of its sender."""
    if message[17] >> 4 != 1 or message[19] & 1:
        return message
    octets = bytearray(message)
    for kind, begin, end in payloads(message):
        if kind == ID and message[begin : begin + 1] == ID_IPV4_ADDR and end - begin == 8:
            octets[begin + 4 : end] = address
    return bytes(octets)
