"""The second walk over a capture: copies the frames that were chosen, as they are."""

from collections.abc import Collection, Iterator

from pcapdiag.capture import kinds
from pcapdiag.capture.datagram import Frame, Interface
from pcapdiag.capture.network import Network, Scan, address, fragment_of, segment_flow
from pcapdiag.capture.reassembly import TIMEOUT, Key
from pcapdiag.capture.savefile import Savefile, Source
from pcapdiag.capture.tunnels import NotOursError, UnreadableError
from pcapdiag.capture.walker import Found, Link, Tally, flow_key
from pcapdiag.carve.select import EspChoice, Selection
from pcapdiag.record import Record

MAX_KEYS = 4096
"""Datagrams in fragments of which further copies are recognised."""


class Copied(Record, frozen=True):
    """One frame that was chosen.

    frame -- in the captures that were read; kind -- of what is in it, one of `capture.kinds`
    link -- the interface, the same object for all its frames; interface -- what the file says of it
    ticks -- its time in units of the interface; wire -- octets that it had there; octets -- those that were captured
    """

    frame: Frame
    kind: int
    link: Link
    interface: Interface
    ticks: int
    wire: int
    octets: bytes


class Copier(Network):
    """Takes the frames that the walker stops at, and keeps those that are chosen; decodes nothing else.

    copied -- the chosen ones, until somebody takes them; interfaces -- those of the section that is being read
    kept, left -- frames that were chosen, and those that were not, by kind
    """

    def __init__(self, capture: int, selection: Selection, esp: EspChoice, ports: Collection[int]) -> None:
        super().__init__(capture, frozenset(ports), Tally())
        self.copied: list[Copied] = []
        self.interfaces: list[Interface] = []
        self._number = capture
        self._frames = selection.frames(capture)
        self._connections = selection.connections
        self._esp = esp
        self._keys: dict[Key, int] = {}
        self.kept: dict[int, int] = {}
        self.left: dict[int, int] = {}

    def run(self, scan: Scan, buffer: bytes, position: int, end: int, link: Link, found: Found) -> int:
        """As the base does; with ESP the walker is made to stop at it, which otherwise it only counts."""
        if self._esp.flows:
            link.exact = 0
        return super().run(scan, buffer, position, end, link, found)

    def take(self, kind: int, buffer: bytes, found: Found, link: Link, number: int) -> None:
        """Keep the frame where it is wanted."""
        listed = number in self._frames
        start, stop, wire, ticks = found.start, found.stop, found.wire - found.start, found.ticks
        self.authenticated = b""
        try:
            if kind >= kinds.TUNNEL:
                kind = self._open(kind, buffer, found)
            wanted = listed or self._belongs(kind, buffer, found, number, link.nanoseconds(ticks))
            if kind == kinds.FRAGMENT and wanted:
                self._remember(fragment_of(buffer, found, Frame(self._number, number), 0).key, link.nanoseconds(ticks))
        except (NotOursError, UnreadableError):
            wanted, kind = listed, kinds.OTHER
        if self.authenticated and not wanted:  # AH, whatever it carries
            wanted = self._esp.wants(self.authenticated, Frame(self._number, number))
        counts = self.kept if wanted else self.left
        counts[kind] = counts.get(kind, 0) + 1
        if wanted:
            frame = Frame(self._number, number)
            interface = self.interfaces[link.identifier]
            self.copied.append(Copied(frame, kind, link, interface, ticks, wire, buffer[start:stop]))

    def expire(self, now: int) -> None:
        """Nothing waits here."""

    def _belongs(self, kind: int, buffer: bytes, found: Found, number: int, time: int) -> bool:
        """Whether a frame that is not known by its number is part of what was chosen."""
        if kind == kinds.ESP:
            return self._esp.wants(flow_key(buffer, found), Frame(self._number, number))
        if kind == kinds.STREAM and self._connections:
            flow = segment_flow(buffer, found)
            ends = (address(flow.source), flow.source_port, address(flow.destination), flow.destination_port)
            return ends in self._connections
        if kind == kinds.FRAGMENT and self._keys:
            # A fragment of a datagram that was whole before: recorded twice, as an `any` interface does.
            since = self._keys.get(fragment_of(buffer, found, Frame(self._number, number), 0).key)
            return since is not None and abs(time - since) <= TIMEOUT
        return False

    def _remember(self, key: Key, time: int) -> None:
        self._keys.pop(key, None)
        self._keys[key] = time
        if len(self._keys) > MAX_KEYS:
            del self._keys[next(iter(self._keys))]


class Walk:
    """A capture that is walked over once more. Iterating yields the chosen frames, some at a time, in its order.

    savefile -- what is being read, for its progress and its summary; copier -- what keeps the frames, for its counts
    """

    def __init__(
        self, source: Source, name: str, copier: Copier, ports: Collection[int], max_decompressed: int | None = None
    ) -> None:
        self.savefile = Savefile(source, ports=ports, name=name, network=copier, max_decompressed=max_decompressed)
        self.copier = copier
        copier.interfaces = self.savefile.interfaces

    def __iter__(self) -> Iterator[list[Copied]]:
        """Walk. Raises CaptureError where the file is gone."""
        for _ in self.savefile.batches():
            if self.copier.copied:
                yield self.copier.copied
                self.copier.copied = []
