"""A capture out of a log that holds whole messages: FortiGate's debug at level -1, racoon's and pluto's dumps.

Each message becomes a packet of raw IP and UDP between the ends that the log names; a comment has the line. What the
log does not say is not made up silently: a message without ends is left out and counted, a port that is not named is
500, a time that is not written is a millisecond after the last, and the time is what the clock showed, taken as UTC.
"""

import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import BinaryIO

from msgspec.structs import replace

from pcapdiag.capture import pcapng
from pcapdiag.capture.datagram import Interface
from pcapdiag.logs.line import SENT, LogLine, Said
from pcapdiag.logs.reader import bounded
from pcapdiag.logs.stamps import Stamp, last_stamp
from pcapdiag.record import Record
from pcapdiag.units import MILLISECOND, SECOND
from pcapdiag.version import VERSION

RAW_IP = 101
"""LINKTYPE_RAW: the packet begins with its IP header."""
IKE_PORT, NAT_PORT = 500, 4500
_MARKER = bytes(4)
_WAIT = 40
"""Records between the octets of a message and the line that says where it went."""
_MOST = 65_000
_UDP = 17


class Packet(Record, frozen=True):
    """A message of a log with its ends.

    time -- nanoseconds since 1970, what the clock of the log showed as if it were UTC
    source, destination -- addresses; number -- the line, from 1
    """

    time: int
    source: str
    source_port: int
    destination: str
    destination_port: int
    octets: bytes
    number: int


class Written(Record, frozen=True):
    """What became of the messages of a log: in the capture, without ends, opened by the device and so left out."""

    packets: int = 0
    homeless: int = 0
    clear: int = 0
    untimed: int = 0


class Packets:
    """Makes packets of records; the counts are in `written`."""

    def __init__(self) -> None:
        self.written = Written()
        self._time = 0
        self._held: list[tuple[int, LogLine]] = []
        self._seen = 0
        self._local: dict[str, object] = {}

    def feed(self, lines: Iterable[LogLine]) -> Iterator[Packet]:
        """Packets, in the order of the log; what was sent waits a little for the line that says where to."""
        for line in lines:
            self._seen += 1
            said = line.said
            told = said.told
            if said.peer and said.local:
                bounded(self._local)
                self._local[said.peer] = (said.local, said.local_port)
            if said.octets and said.clear:
                self._count(clear=1)
            elif said.octets:
                self._held.append((self._seen, line))
            elif told is not None and told.direction == SENT and said.local and said.peer and self._held:
                self._held = [(seen, _with_ends(held, said)) for seen, held in self._held]
            while self._held and (self._settled(self._held[0][1]) or self._seen - self._held[0][0] > _WAIT):
                yield from self._packet(self._held.pop(0)[1])

    def close(self) -> Iterator[Packet]:
        """What still waits."""
        while self._held:
            yield from self._packet(self._held.pop(0)[1])

    def _settled(self, line: LogLine) -> bool:
        said = line.said
        return bool(said.peer and said.local and said.peer_port and said.local_port)

    def _packet(self, line: LogLine) -> Iterator[Packet]:
        said = line.said
        time = self._when(line.when)
        known = self._local.get(said.peer)
        if not said.local and isinstance(known, tuple):
            said = replace(said, local=known[0], local_port=known[1])
        own, peer = _address(said.local), _address(said.peer)
        if own is None or peer is None or own.version != peer.version or len(said.octets) > _MOST:
            self._count(homeless=1)
            return
        self._count(packets=1)
        mine, other = (own, said.local_port or IKE_PORT), (peer, said.peer_port or IKE_PORT)
        told = said.told
        source, destination = (mine, other) if told is not None and told.direction == SENT else (other, mine)
        yield Packet(time, str(source[0]), source[1], str(destination[0]), destination[1], said.octets, line.number)

    def _when(self, when: str) -> int:
        stamp = last_stamp(when)
        if stamp is None:
            self._count(untimed=1)
            self._time += MILLISECOND
        else:
            # Stamps of whole seconds keep the order of the log.
            time = shown(stamp)
            self._time = self._time + MILLISECOND if time <= self._time < time + stamp.unit else time
        return self._time

    def _count(self, **more: int) -> None:
        self.written = replace(self.written, **{name: getattr(self.written, name) + n for name, n in more.items()})


def _with_ends(line: LogLine, sent: Said) -> LogLine:
    told = line.said.told
    if told is None or told.direction != SENT or (line.said.peer_port and line.said.local_port):
        return line
    said = replace(line.said, local=sent.local, local_port=sent.local_port, peer=sent.peer, peer_port=sent.peer_port)
    return replace(line, said=said)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def frame(packet: Packet) -> bytes:
    """The packet from its IP header on (RFC 791, RFC 8200, RFC 768); on port 4500 the message has its marker.

    The checksum of UDP is 0 over IPv4, where that says that none was made, and right over IPv6.
    """
    source, destination = ip_address(packet.source), ip_address(packet.destination)
    marker = _MARKER if NAT_PORT in (packet.source_port, packet.destination_port) else b""
    data = marker + packet.octets
    length = 8 + len(data)
    udp = struct.pack(">HHHH", packet.source_port, packet.destination_port, length, 0) + data
    if source.version == 4:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, _UDP, 0)
        head += source.packed + destination.packed
        return head[:10] + struct.pack(">H", _checksum(head)) + head[12:] + udp
    pseudo = source.packed + destination.packed + struct.pack(">II", length, _UDP)
    udp = udp[:6] + struct.pack(">H", _checksum(pseudo + udp) or 0xFFFF) + udp[8:]
    return struct.pack(">IHBB", 6 << 28, length, _UDP, 64) + source.packed + destination.packed + udp


def _checksum(octets: bytes) -> int:
    """RFC 1071."""
    return 0xFFFF - int.from_bytes(octets + bytes(len(octets) & 1), "big") % 0xFFFF


def write(stream: BinaryIO, name: str, lines: Iterable[LogLine]) -> Written:
    """Write the messages of a log as one section of a pcapng file. name -- of the log, for the comments."""
    packets = Packets()
    interface = Interface(name, RAW_IP, 0)
    remark = "made of a log: addresses, ports and times are those that it shows, times as if in UTC"
    stream.write(pcapng.section(f"pcapdiag {VERSION}", [remark]))
    stream.write(pcapng.interface_block(interface))

    def put(found: Iterable[Packet]) -> None:
        for packet in found:
            octets = frame(packet)
            comment = f"{name}:{packet.number}"
            stream.write(pcapng.packet(0, interface.ticks(packet.time), len(octets), octets, [comment]))

    first = last = ""

    def seen() -> Iterator[LogLine]:
        nonlocal first, last
        for line in lines:
            first, last = first or line.when, line.when or last
            yield line

    put(packets.feed(seen()))
    put(packets.close())
    began, ended = last_stamp(first), last_stamp(last)
    if began is not None and ended is not None and shown(began) <= shown(ended):
        # Silence lasts until the log ends, not until its last message.
        stream.write(pcapng.statistics(0, interface.ticks(shown(began)), interface.ticks(shown(ended))))
    return packets.written


def shown(stamp: Stamp) -> int:
    """What the clock showed as if it were UTC, its zone taken off where that is written; never before 1970."""
    return max(stamp.wall - (stamp.zone or 0) * SECOND, 0)
