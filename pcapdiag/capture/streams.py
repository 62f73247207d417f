"""IKE in TCP: holds the segments of a connection until the messages in them are whole.

On port 4500 this is RFC 9329 (which replaced RFC 8229, with the same octets on the wire). Whoever opens the
connection sends "IKETCP" once (§4); then, in both directions (§3),

    | length, two octets, these two included | four zero octets, an IKE message |
    | length, two octets, these two included | an ESP packet, whose SPI is not zero |

A NAT keep-alive is the one octet 0xFF in the place of a packet.

Where segments overlap, the octets that came first stay, as in `reassembly`; a segment of which only the
beginning was captured counts as there, as far as its header says. A gap is waited for until it is plain that
no segment will fill it. After it, and where the capture begins in the middle of a connection, reading goes on
at the next segment that begins with a message: one with an ISAKMP header that agrees with the length in front
of it, or a row of ESP packets that ends where the segment does.

On port 10000 it is Cisco's "IPsec over TCP". No public specification says how that is laid out. What dissectors
know: a segment is one packet (a UDP header and IKE, or ESP) and 16 octets of trailer whose meaning is not known;
nobody resends segments, for the TCP is but a disguise. So every segment stands for itself there, and a message
is taken out of it only where an ISAKMP header proves it: at the segment's beginning, or behind a marker or a
UDP header, with a length that agrees with the UDP header's or with the segment's, trailer or not. ESP, which
nothing proves, is not counted there, and a message that is larger than a segment is not found.
"""

import struct
from collections import OrderedDict
from typing import NamedTuple

from msgspec import Struct

from . import kinds, walker
from .datagram import Frame

PREFIX = b"IKETCP"
MAX_STREAMS = 256
MAX_WAITING = 256 * 1024
"""Octets that wait in one direction of a stream, and how far ahead of the missing ones they may be."""
PATIENCE = 60 * 1_000_000_000
"""Nanoseconds that a gap may last: longer than a sender waits before it resends (RFC 6298 §2.5)."""
DISORDER = 1_000_000
"""Nanoseconds that a capture may hold an acknowledgment in front of the segment that it is for."""
_PIECE_OVERHEAD = 128
"""Octets that a piece costs besides its own."""
_CISCO_TRAILER = 16
_LEAST_ESP = 2 + 8 + 8
"""Octets of the length, SPI, sequence number, and what little else an ESP packet can have (RFC 4303 §2)."""
_RESERVED_SPI = 255
FIN, SYN, RST, ACK = 1, 2, 4, 16

_u16 = struct.Struct(">H").unpack_from
_u32 = struct.Struct(">I").unpack_from


class Carrier(Struct, eq=False):
    """The frame that a segment came in. `counted` is what it is counted as: one of the walker's kinds."""

    frame: Frame
    time: int
    ttl: int
    ip_id: int | None
    counted: int = kinds.OTHER


class Flow(NamedTuple):
    """One direction of a connection; addresses as on the wire."""

    source: bytes
    source_port: int
    destination: bytes
    destination_port: int

    def reverse(self) -> "Flow":
        """Return the other direction."""
        return Flow(self.destination, self.destination_port, self.source, self.source_port)


class Segment(NamedTuple):
    """One TCP segment (RFC 9293 §3.1): `length` octets by its IP header, of which `octets` were captured."""

    flow: Flow
    sequence: int
    acknowledged: int
    flags: int
    length: int
    octets: bytes
    carrier: Carrier


class Packet(NamedTuple):
    """What a stream held: IKE or a NAT keep-alive, or an ESP packet.

    kind -- DATAGRAM, KEEPALIVE or ESP of the walker
    payload -- what followed the length: as much of it as was captured, and `length` octets by the length
    carriers -- the frames with a piece of it, in capture order
    """

    kind: int
    flow: Flow
    payload: bytes
    length: int
    carriers: tuple[Carrier, ...]


class _Piece(NamedTuple):
    """Octets `start` to `end` of a direction; `octets` begin at `start`, and may stop short of `end`."""

    start: int
    end: int
    octets: bytes
    carrier: Carrier


class _Direction:
    """What one end sends. Places in it are sequence numbers that go on counting where those wrap.

    position -- where the next message begins, or None before anything is known
    synced -- a message does begin there; else the next segment that proves it is waited for
    origin -- where the first octet of data is, known from SYN; opening -- the prefix is due there
    pieces -- sorted, without overlaps, the last one behind `position`; waiting -- what they cost
    acknowledged -- the other end has everything before this
    gap_time, gap_acknowledged -- since when a gap is there, and was first seen acknowledged; None without
    candidate -- where a row of packets ended that may have been ESP
    """

    __slots__ = (
        "acknowledged",
        "candidate",
        "gap_acknowledged",
        "gap_time",
        "opening",
        "origin",
        "pieces",
        "position",
        "reference",
        "synced",
        "waiting",
    )

    def __init__(self) -> None:
        self.reference: int | None = None
        self.reset()

    def reset(self) -> None:
        """Know nothing, but how often the sequence number has wrapped."""
        self.position: int | None = None
        self.origin: int | None = None
        self.acknowledged: int | None = None
        self.candidate: int | None = None
        self.synced = self.opening = False
        self.pieces: list[_Piece] = []
        self.waiting = 0
        self.gap_time: int | None = None
        self.gap_acknowledged: int | None = None

    @property
    def due(self) -> int | None:
        """After when the gap is given up if nothing comes (nanoseconds); None without a gap."""
        if self.gap_time is None:
            return None
        due = self.gap_time + PATIENCE
        return due if self.gap_acknowledged is None else min(due, self.gap_acknowledged + DISORDER)

    def place(self, sequence: int) -> int:
        """Return where a sequence number of 32 bits is, within 2 GiB of the last one (RFC 9293 §3.4)."""
        if self.reference is None:
            # Far enough from zero that what came before the first segment has a place as well.
            return sequence + (1 << 32)
        return self.reference + (sequence - self.reference + (1 << 31)) % (1 << 32) - (1 << 31)

    def insert(self, start: int, end: int, octets: bytes, carrier: Carrier) -> None:
        """Keep what no piece covers yet."""
        pieces = self.pieces
        if not pieces or start >= pieces[-1].end:
            pieces.append(_Piece(start, end, octets, carrier))
            self.waiting += len(octets) + _PIECE_OVERHEAD
            return
        fresh = []
        at = start
        for piece in pieces:
            if piece.end <= at:
                continue
            if piece.start >= end:
                break
            if piece.start > at:
                fresh.append((at, piece.start))
            at = piece.end
        if at < end:
            fresh.append((at, end))
        for first, last in fresh:
            part = octets[first - start : last - start]
            pieces.append(_Piece(first, last, part, carrier))
            self.waiting += len(part) + _PIECE_OVERHEAD
        pieces.sort(key=_start)

    def reach(self) -> int:
        """Return how far the pieces go on from `position` without a gap."""
        at = self.position or 0
        for piece in self.pieces:
            if piece.start > at:
                break
            at = max(at, piece.end)
        return at

    def read(self, stop: int) -> tuple[bytes, list[Carrier]]:
        """Return the octets from `position` to `stop`, as far as they were captured, and all their carriers."""
        at = self.position or 0
        known: list[bytes] = []
        carriers: list[Carrier] = []
        whole = True
        for piece in self.pieces:
            if piece.start >= stop:
                break
            if piece.end <= at:
                continue
            carriers.append(piece.carrier)
            if whole:
                part = piece.octets[at - piece.start : stop - piece.start]
                known.append(part)
                at += len(part)
                whole = at >= min(piece.end, stop)
            # What is behind a hole is not known to be in its place, but its frame belongs to the message.
        return b"".join(known), carriers

    def advance(self, position: int) -> None:
        """Step forward, and let go of the pieces that are behind."""
        self.position = position
        done = 0
        for piece in self.pieces:
            if piece.end > position:
                break
            self.waiting -= len(piece.octets) + _PIECE_OVERHEAD
            done += 1
        if done:
            del self.pieces[:done]

    def drop(self, pieces: int) -> None:
        """Let go of the first pieces."""
        self.waiting -= sum(len(piece.octets) + _PIECE_OVERHEAD for piece in self.pieces[:pieces])
        del self.pieces[:pieces]


def _start(piece: _Piece) -> int:
    return piece.start


class _Connection:
    """Both directions of a connection.

    directions -- by flow; trusted -- it was seen to hold IKE; closed -- its end was seen
    due -- when the first gap in it is given up, if nothing comes (nanoseconds); None without one
    """

    __slots__ = ("closed", "directions", "due", "fins", "trusted")

    def __init__(self, flow: Flow) -> None:
        self.directions = {flow: _Direction(), flow.reverse(): _Direction()}
        self.trusted = self.closed = False
        self.fins: set[Flow] = set()
        self.due: int | None = None


class Streams:
    """The connections that are open: at most MAX_STREAMS, each with at most MAX_WAITING in a direction.

    evicted -- connections that gave way to newer ones; gaps -- places where octets never came
    """

    def __init__(self) -> None:
        """Hold nothing."""
        self.evicted = self.gaps = 0
        self._due: int | None = None  # no gap is given up before this
        self._held: OrderedDict[tuple[Flow, Flow], _Connection] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of connections that are held."""
        return len(self._held)

    def take(self, segment: Segment) -> list[Packet]:
        """Take a segment in, and return the packets that can be told now."""
        out: list[Packet] = []
        flow = segment.flow
        if kinds.NAT_T_PORT not in (flow.source_port, flow.destination_port):
            return _cisco(segment)
        connection = self._connection(flow, out)
        mine = connection.directions[flow]
        other = connection.directions[flow.reverse()]
        if segment.flags & SYN:
            self._open(connection, segment, out)
        if segment.flags & ACK:
            acknowledged = other.place(segment.acknowledged)
            if other.reference is None:
                other.reference = acknowledged
            if other.acknowledged is None or acknowledged > other.acknowledged:
                other.acknowledged = acknowledged
        start = mine.place(segment.sequence + (1 if segment.flags & SYN else 0))
        mine.reference = start
        if segment.length > 0 and not segment.flags & RST:
            self._add(connection, flow, start, segment, out)
        if segment.flags & (FIN | RST):
            self._close(connection, segment, out)
        self._wait_for_both(connection, segment.carrier.time, out)
        return out

    def expired(self, now: int) -> list[Packet]:
        """Give up the gaps whose time is up at `now` (nanoseconds), and return what was behind them."""
        out: list[Packet] = []
        if self._due is None or now <= self._due:
            return out  # this is asked before every frame that matters
        for connection in self._held.values():
            if connection.due is not None and now > connection.due:
                self._wait_for_both(connection, now, out)
        self._due = min((c.due for c in self._held.values() if c.due is not None), default=None)
        return out

    def rest(self) -> list[Packet]:
        """Let go of everything, at the end of the capture, and return what was behind gaps."""
        out: list[Packet] = []
        for connection in self._held.values():
            self._flush(connection, out)
        self._held.clear()
        return out

    # -- connections

    def _connection(self, flow: Flow, out: list[Packet]) -> _Connection:
        back = flow.reverse()
        key = (flow, back) if flow < back else (back, flow)
        connection = self._held.get(key)
        if connection is None:
            if len(self._held) >= MAX_STREAMS:
                _, old = self._held.popitem(last=False)
                self.evicted += not old.closed
                self._flush(old, out)
            connection = self._held[key] = _Connection(flow)
        elif not connection.closed:
            self._held.move_to_end(key)
        return connection

    def _open(self, connection: _Connection, segment: Segment, out: list[Packet]) -> None:
        """SYN: the direction begins here, unless it is the same SYN once more (RFC 9293 §3.5)."""
        mine = connection.directions[segment.flow]
        origin = mine.place(segment.sequence + 1)
        if mine.origin == origin:
            return
        if mine.origin is None and mine.position is not None and 0 <= mine.position - origin <= MAX_WAITING:
            # The capture holds the SYN behind what followed it.
            mine.origin = origin
            return
        first = not segment.flags & ACK
        if first:
            self._flush(connection, out)
            connection.trusted = connection.closed = False
            connection.fins.clear()
            for direction in connection.directions.values():
                direction.reset()
        else:
            self._flush_direction(connection, segment.flow, out)
            mine.reset()
        mine.reference = mine.origin = origin
        if first:
            mine.position = origin
            mine.synced = mine.opening = True

    def _close(self, connection: _Connection, segment: Segment, out: list[Packet]) -> None:
        """FIN or RST. What is remembered stays, so that segments sent again are known, but gives way first."""
        connection.fins.add(segment.flow)
        if segment.flags & RST:
            self._flush(connection, out)
        if segment.flags & RST or len(connection.fins) == 2:
            connection.closed = True
            back = segment.flow.reverse()
            self._held.move_to_end((segment.flow, back) if segment.flow < back else (back, segment.flow), last=False)

    def _flush(self, connection: _Connection, out: list[Packet]) -> None:
        for flow in connection.directions:
            self._flush_direction(connection, flow, out)

    def _flush_direction(self, connection: _Connection, flow: Flow, out: list[Packet]) -> None:
        while connection.directions[flow].pieces:
            self._give_up(connection, flow, out)

    # -- one direction

    def _add(self, connection: _Connection, flow: Flow, start: int, segment: Segment, out: list[Packet]) -> None:
        mine = connection.directions[flow]
        if not mine.synced and mine.position is None and mine.origin is not None and connection.trusted:
            mine.position, mine.synced = mine.origin, True
        end = start + segment.length
        if mine.position is not None:
            if end <= mine.position:
                return
            if mine.synced and start > mine.position + MAX_WAITING:
                while mine.synced and mine.pieces:
                    self._give_up(connection, flow, out)
                mine.synced = False
        skip = max((mine.position or 0) - start, 0) if mine.synced else 0
        if not mine.synced and mine.position is not None and start < mine.position:
            return
        mine.insert(start + skip, end, segment.octets[skip : segment.length], segment.carrier)
        self._read(connection, flow, out)
        while mine.waiting > MAX_WAITING:
            self._give_up(connection, flow, out)

    def _read(self, connection: _Connection, flow: Flow, out: list[Packet]) -> None:
        """Read what can be read of the pieces; without a gap in front of them, they are left behind `position`."""
        mine = connection.directions[flow]
        while mine.pieces:
            if not mine.synced and not self._resync(connection, mine):
                return
            if self._messages(connection, flow, out):
                return
            if not mine.opening:
                # No message begins at `position`; where the next one does in this segment, nothing says.
                mine.drop(1)
            mine.synced = mine.opening = False

    def _messages(self, connection: _Connection, flow: Flow, out: list[Packet]) -> bool:
        """Take whole messages off the front; False where there is none, nor the beginning of one."""
        mine = connection.directions[flow]
        assert mine.position is not None
        reach = mine.reach()
        if mine.opening:
            head, _ = mine.read(min(reach, mine.position + len(PREFIX)))
            if not PREFIX.startswith(head):
                return False
            if len(head) < len(PREFIX):
                return reach < mine.position + len(PREFIX)
            mine.opening, connection.trusted = False, True
            mine.advance(mine.position + len(PREFIX))
        while reach >= mine.position + 2:
            head, _ = mine.read(mine.position + 2)
            if len(head) < 2:
                return False
            (length,) = _u16(head)
            # There is nothing shorter than its own length, and an empty message is none.
            if length <= 2:
                return False
            if reach < mine.position + length:
                return True
            octets, carriers = mine.read(mine.position + length)
            mine.advance(mine.position + length)
            _tell(flow, octets[2:], length - 2, carriers, out)
        return True

    def _resync(self, connection: _Connection, mine: _Direction) -> bool:
        """Find the first piece that begins with a message, and drop those before it, or all."""
        for index, piece in enumerate(mine.pieces):
            size = piece.end - piece.start
            found = _proof(piece.octets, size)
            exact = found == _ESP_ROW and (connection.trusted or mine.candidate == piece.start)
            if found == _ESP_ROW:
                mine.candidate = piece.end
            if found == _IKE:
                connection.trusted = True
            if found == _IKE or exact:
                mine.drop(index)
                mine.synced = True
                mine.position = piece.start
                mine.opening = piece.octets.startswith(PREFIX)
                return True
        mine.drop(len(mine.pieces))
        return False

    def _wait_for_both(self, connection: _Connection, now: int, out: list[Packet]) -> None:
        """Give up what is to be given up by now in either direction, and note when that is so next."""
        for flow in connection.directions:
            self._wait(connection, flow, now, out)
        connection.due = min((d.due for d in connection.directions.values() if d.due is not None), default=None)
        if connection.due is not None and (self._due is None or connection.due < self._due):
            self._due = connection.due

    def _wait(self, connection: _Connection, flow: Flow, now: int, out: list[Packet]) -> None:
        """Give a gap up when the receiver has what the capture lacks, or when its time is up."""
        mine = connection.directions[flow]
        while True:
            behind = _behind_gap(mine)
            if behind is None:
                mine.gap_time = mine.gap_acknowledged = None
                return
            if mine.gap_time is None:
                mine.gap_time = now
            if mine.acknowledged is not None and mine.acknowledged >= behind and mine.gap_acknowledged is None:
                mine.gap_acknowledged = now
            late = mine.gap_acknowledged is not None and now - mine.gap_acknowledged > DISORDER
            if not late and now - mine.gap_time <= PATIENCE:
                return
            mine.gap_time = mine.gap_acknowledged = None
            self._give_up(connection, flow, out)

    def _give_up(self, connection: _Connection, flow: Flow, out: list[Packet]) -> None:
        """Drop what is in front of the first gap, or all there is, and go on behind it."""
        mine = connection.directions[flow]
        reach = mine.reach()
        if connection.trusted:
            self.gaps += 1
        mine.drop(sum(piece.start < reach for piece in mine.pieces))
        mine.position = max(mine.position or 0, reach)
        mine.synced = mine.opening = False
        self._read(connection, flow, out)


def _behind_gap(mine: _Direction) -> int | None:
    """Return where the pieces go on behind the first gap; None without one."""
    if not mine.pieces or not mine.synced:
        return None
    at = mine.position or 0
    for piece in mine.pieces:
        if piece.start > at:
            return piece.start
        at = max(at, piece.end)
    return None


def _tell(flow: Flow, payload: bytes, length: int, carriers: list[Carrier], out: list[Packet]) -> None:
    """Say what a message is by its first octets, as on UDP 4500."""
    if payload[:4] == kinds.MARKER:
        kind = kinds.DATAGRAM
    elif length == 1 and payload == b"\xff":
        kind = kinds.KEEPALIVE
    elif len(payload) >= 4 and length >= 8:
        kind = kinds.ESP
    else:
        return
    unique = {carrier.frame: carrier for carrier in carriers}
    out.append(Packet(kind, flow, payload, length, tuple(unique[frame] for frame in sorted(unique))))


# -- what proves a message

_NOTHING, _ESP_ROW, _IKE = range(3)


def _proof(octets: bytes, size: int) -> int:
    """Say what a segment of `size` octets begins with: the prefix or IKE, a row of ESP to its end, or neither."""
    if octets.startswith(PREFIX):
        return _IKE
    at = 0
    while at + 6 <= len(octets):
        (length,) = _u16(octets, at)
        if octets[at + 2 : at + 6] == kinds.MARKER:
            return _IKE if walker.is_isakmp(octets, at + 6, len(octets), length - 6) else _NOTHING
        if length < _LEAST_ESP or _u32(octets, at + 2)[0] <= _RESERVED_SPI:
            return _NOTHING
        at += length
    return _ESP_ROW if at == size else _NOTHING


def _cisco(segment: Segment) -> list[Packet]:
    """Look for IKE in one segment on Cisco's port; see the module's docstring."""
    octets, size = segment.octets[: segment.length], segment.length
    places = [(at, size - at - trailer) for at in (0, 4) for trailer in (0, _CISCO_TRAILER)]
    if len(octets) >= 8:
        (length,) = _u16(octets, 4)
        if 8 <= length <= size:
            places += [(8, length - 8), (12, length - 12)]
    for at, declared in places:
        marked = at in (4, 12)
        if marked and octets[at - 4 : at] != kinds.MARKER:
            continue
        if declared >= kinds.ISAKMP_HEADER and walker.is_isakmp(octets, at, len(octets), declared):
            begin = at - 4 if marked else at
            payload = octets[begin : at + declared]
            return [Packet(kinds.DATAGRAM, segment.flow, payload, at + declared - begin, (segment.carrier,))]
    return []
