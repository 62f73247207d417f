"""What one capture point saw: its packets, as they came, with what a router or NAT may change on the way.

A point is a capture, or the files of a ring. What is kept of it is bounded; what is beyond it is counted.
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence

from msgspec import Struct, field

from pcapdiag.capture import kinds
from pcapdiag.capture.datagram import CaptureError, CaptureSummary, Datagram, FragmentLoss, Frame, IcmpError
from pcapdiag.capture.files import expand
from pcapdiag.capture.network import Network, Scan
from pcapdiag.capture.savefile import Savefile, Source
from pcapdiag.capture.walker import COMPILED, Flows, Found, Link, Tally
from pcapdiag.comparison.sequences import Sequences
from pcapdiag.exchange.sightings import DUPLICATE_WINDOW_WITH_ID, is_duplicate, sighting_of
from pcapdiag.ike.message import HEADER_LENGTH, Header, parse_header
from pcapdiag.ike.nat_traversal import KEEPALIVE, NAT_T_PORT, without_marker
from pcapdiag.ike.payloads import DecodeError
from pcapdiag.units import SECOND

MAX_PACKETS = 200_000
"""IKE packets that are kept of one point."""
MAX_OCTETS = 256 << 20
"""Octets that are kept of one point."""
MAX_REST = 65_536
"""ICMP errors, and datagrams in fragments that did not become whole, that are kept of one point."""
PAUSE = 60 * SECOND
"""Nanoseconds between two files of a ring of which the later one goes on from the other."""
_OVERHEAD = 600
"""Octets that a packet costs beside its own."""
_MAJORS = (1, 2)


class Seen(Struct):
    """One IKE packet as one point saw it.

    octets -- the IKE message behind the marker, as far as captured; header -- of it
    duplicates -- the same packet, recorded again at this point
    tos -- traffic class octet: DSCP in the upper six bits (RFC 2474); unfragmented -- the DF bit; None where not known
    """

    point: int
    datagram: Datagram
    octets: bytes
    header: Header
    tos: int | None = None
    unfragmented: bool | None = None
    duplicates: list[Datagram] = field(default_factory=list)

    @property
    def time(self) -> int:
        """When, by the clock of this point, in nanoseconds."""
        return self.datagram.time

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The frames that carried it."""
        return self.datagram.fragments or (self.datagram.frame,)

    @property
    def snapped(self) -> bool:
        """Only its beginning was captured."""
        return len(self.datagram.payload) < self.datagram.length

    @property
    def size(self) -> int:
        """Octets of UDP payload that it had on the wire."""
        return self.datagram.length

    @property
    def port(self) -> int:
        """The well-known port that it uses: 4500 on either end, else the destination's."""
        d = self.datagram
        return NAT_T_PORT if NAT_T_PORT in (d.source_port, d.destination_port) else d.destination_port


class Point(Struct):
    """A capture point and what it saw, in the order of its times.

    index -- its place on the command line; names -- of its files; captures -- what each of them held
    first_file -- number of its first file among those of all points, from 0: what its frames carry as capture
    seen -- IKE packets; errors -- ICMP errors; losses -- datagrams in IP fragments that did not become whole here
    beyond -- IKE packets that are only counted; esp -- sequence numbers of ESP
    """

    index: int
    names: tuple[str, ...]
    captures: list[CaptureSummary]
    first_file: int
    seen: list[Seen] = field(default_factory=list)
    errors: list[IcmpError] = field(default_factory=list)
    losses: list[FragmentLoss] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    beyond: int = 0
    ike_messages: list[int] = field(default_factory=list)
    not_ike: list[int] = field(default_factory=list)
    esp: Sequences = field(default_factory=Sequences)

    @property
    def letter(self) -> str:
        """What it is called: A, B, C …"""
        return letter(self.index)

    @property
    def frames(self) -> int:
        """Frames of all its files."""
        return sum(c.frames for c in self.captures)

    @property
    def dropped(self) -> int:
        """Packets that the capturing itself dropped, as far as the files say."""
        return sum(c.dropped for c in self.captures)

    @property
    def snapped(self) -> int:
        """Frames that were captured in part."""
        return sum(c.snapped for c in self.captures)

    @property
    def filters(self) -> tuple[str, ...]:
        """Capture filters that the files name."""
        return tuple(dict.fromkeys(f for c in self.captures for f in c.filters))

    @property
    def windows(self) -> list[tuple[int, int]]:
        """When it captured, by its own clock: first and last time (nanoseconds) of what goes on without a pause."""
        times: list[tuple[int, int]] = []
        for c in self.captures:
            if c.watched:
                times += c.watched
            elif c.first_time is not None and c.last_time is not None:
                times.append((c.first_time, c.last_time))
        found: list[tuple[int, int]] = []
        for first, last in sorted(times):
            if found and first - found[-1][1] <= PAUSE:
                found[-1] = (found[-1][0], max(found[-1][1], last))
            else:
                found.append((first, last))
        return found

    @property
    def only_port_500(self) -> bool:
        """Nothing but unfragmented IKE outside UDP 4500 is in it: its filter may hide the rest."""
        return all(
            not (c.ip_fragments or c.esp or c.nat_keepalives or c.other or c.unreadable or c.icmp_errors)
            for c in self.captures
        ) and all(s.port != NAT_T_PORT and len(s.frames) == 1 for s in self.seen)

    @property
    def hides_fragments(self) -> bool:
        """Nothing in it shows that it holds later IP fragments: a filter by port hides these."""
        return not any(len(s.frames) > 1 for s in self.seen) and all(not c.other for c in self.captures)


def letter(index: int) -> str:
    """What the point of that index is called: A, B … Z, AA."""
    return chr(65 + index) if index < 26 else letter(index // 26 - 1) + chr(65 + index % 26)


class _Headers(Network):
    """Makes the records as the base does, and notes of each IKE packet what its IP header says beside them."""

    def __init__(self, capture: int, ports: frozenset[int], tally: Tally) -> None:
        super().__init__(capture, ports, tally)
        self.notes: dict[int, tuple[int, bool | None]] = {}

    def take(self, kind: int, buffer: bytes, found: Found, link: Link, number: int) -> None:
        """Take a frame in."""
        before = len(self.ready)
        super().take(kind, buffer, found, link, number)
        made = self.ready[-1] if len(self.ready) > before else None
        if not isinstance(made, Datagram) or made.fragments or made.frame.number != number or made.transport != "udp":
            return
        ip = found.ip
        if found.version == 4:
            self.notes[number] = buffer[ip + 1], bool(buffer[ip + 6] & 0x40)
        else:
            self.notes[number] = (buffer[ip] & 15) << 4 | buffer[ip + 1] >> 4, None


class _Counted(Flows):
    """Counts ESP as the base does, and notes the sequence numbers (RFC 4303 §2.2)."""

    def __init__(self, sequences: Sequences) -> None:
        super().__init__()
        self.sequences = sequences

    def count_near(self, buffer: bytes, found: Found, number: int, time: int) -> None:
        """Take one packet that the walker located."""
        self.note(buffer, found)
        super().count_near(buffer, found, number, time)

    def note(self, buffer: bytes, found: Found) -> None:
        """Note its sequence number."""
        at = found.transport + (8 if found.ports else 0)
        if found.limit - at >= 8:
            ends = buffer[found.ip + 12 : found.ip + 20] if found.version == 4 else buffer[found.ip + 8 : found.ip + 40]
            self.sequences.add(ends, buffer[at : at + 4], int.from_bytes(buffer[at + 4 : at + 8], "big"))


class _Interpreted(_Headers):
    """The same where the walker is not compiled: that counts ESP without a look at it, unless it is made to stop."""

    def run(self, scan: Scan, buffer: bytes, position: int, end: int, link: Link, found: Found) -> int:
        """Let the walker scan, and stop at ESP."""
        link.exact = 0
        return super().run(scan, buffer, position, end, link, found)

    def take(self, kind: int, buffer: bytes, found: Found, link: Link, number: int) -> None:
        """Take a frame in."""
        flows = self.tally.flows
        if kind == kinds.ESP and isinstance(flows, _Counted):
            flows.note(buffer, found)
        super().take(kind, buffer, found, link, number)


def _network(capture: int, ports: Collection[int], sequences: Sequences) -> _Headers:
    tally = Tally()
    tally.flows = _Counted(sequences)
    return (_Headers if COMPILED else _Interpreted)(capture, frozenset(ports), tally)


def read_point(
    index: int,
    source: Source | Sequence[Source],
    first_file: int,
    *,
    ports: Collection[int] = (),
    max_decompressed: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Point:
    """Read what a point saw: one capture, or the files of a ring (a directory, a pattern, or a list of names).

    progress -- called every now and then with the octets of this point that were read

    Raises CaptureError where none of its files can be read; where some can, `faults` names the others.
    """
    single = isinstance(source, str | os.PathLike) or hasattr(source, "read")
    sources: list[Source] = expand([source] if single else list(source))  # type: ignore[list-item, arg-type]
    point = Point(index, (), [], first_file)
    names: list[str] = []
    kept = done = 0
    for place, path in enumerate(sources):
        network = _network(first_file + place, ports, point.esp)
        savefile = Savefile(
            path, capture=first_file + place, ports=ports, network=network, max_decompressed=max_decompressed
        )
        counts = [0, 0]
        try:
            for batch in savefile.batches():
                for item in batch:
                    kept += _keep(point, item, network, counts, kept)
                network.notes.clear()
                if progress is not None:
                    progress(done + savefile.done)
        except CaptureError as error:
            point.faults.append(str(error))
        else:
            point.ike_messages.append(counts[0])
            point.not_ike.append(counts[1])
        summary = savefile.summary()
        names.append(summary.path)
        point.captures.append(summary)
        done += savefile.done
    if len(point.faults) == len(sources):
        raise CaptureError("\n".join(point.faults))
    point.names = tuple(names)
    point.seen.sort(key=lambda s: s.time)
    _fold_duplicates(point)
    return point


def _keep(
    point: Point, item: Datagram | IcmpError | FragmentLoss, network: _Headers, counts: list[int], kept: int
) -> int:
    """Keep one item; the octets that it costs."""
    if isinstance(item, IcmpError):
        if len(point.errors) < MAX_REST:
            point.errors.append(item)
        return 0
    if isinstance(item, FragmentLoss):
        if len(point.losses) < MAX_REST:
            point.losses.append(item)
        return 0
    octets = ike_octets(item.payload, item.source_port, item.destination_port)
    if len(octets) < HEADER_LENGTH or octets[17] >> 4 not in _MAJORS:
        if item.payload != KEEPALIVE:
            counts[1] += 1
        return 0
    counts[0] += 1
    if len(point.seen) >= MAX_PACKETS or kept >= MAX_OCTETS:
        point.beyond += 1
        return 0
    try:
        header = parse_header(octets)
    except DecodeError:
        return 0
    note = network.notes.get(item.frame.number, (None, None)) if not item.fragments else (None, None)
    point.seen.append(Seen(point.index, item, octets, header, *note))
    return len(item.payload) + _OVERHEAD


def ike_octets(payload: bytes, source_port: int, destination_port: int) -> bytes:
    """The IKE message in a UDP payload."""
    return without_marker(payload, NAT_T_PORT in (source_port, destination_port))


def _fold_duplicates(point: Point) -> None:
    """Put packets together that were recorded twice: by a mirror port, an `any` interface, on both sides of a NAT."""
    latest: dict[bytes, list[Seen]] = {}
    kept: list[Seen] = []
    for seen in point.seen:
        before = latest.get(seen.octets)
        if before is None:
            latest[seen.octets] = [seen]
            kept.append(seen)
            continue
        before[:] = [b for b in before[-4:] if seen.time - b.time <= DUPLICATE_WINDOW_WITH_ID]
        again = next((b for b in before if _again(b, seen)), None)
        if again is None:
            before.append(seen)
            kept.append(seen)
        else:
            again.duplicates.append(seen.datagram)
    point.seen = kept


def _again(first: Seen, later: Seen) -> bool:
    known = sighting_of(first.datagram)
    if first.datagram.source == first.datagram.destination:
        return False
    return is_duplicate(sighting_of(later.datagram), [known])


def files_of(points: Sequence[Point]) -> Iterator[tuple[int, Point]]:
    """The point of each file, by the number that frames carry as capture."""
    for point in points:
        for place in range(len(point.captures)):
            yield point.first_file + place, point
