"""IP fragments: holds the pieces of a datagram until all are there (RFC 791 §3.2, RFC 815, RFC 8200 §4.5).

Where pieces overlap, the octets that came first stay: receivers differ in this, and the first copy is the one
that most of them had. A piece of which only the beginning was captured counts as there, as far as its header
says; the octets that are known then end at the first gap.
"""

from bisect import bisect_right
from collections import OrderedDict
from itertools import islice
from typing import NamedTuple

from msgspec import Struct, field

from .datagram import Frame

TIMEOUT = 60 * 1_000_000_000
"""Nanoseconds of capture time from the first piece on (RFC 8200 §4.5; RFC 1122 §3.3.2: 60 to 120 s)."""
MAX_DATAGRAM = 1 << 16
"""Octets that a datagram can have."""
MAX_DATAGRAMS = 1024
MAX_OCTETS = 8 << 20
MAX_REMEMBERED = 4096
_PIECE_OVERHEAD = 128
"""Octets that a piece costs besides its own, so that empty pieces and mere copies meet the bound as well."""


class Key(NamedTuple):
    """What pieces of one datagram share; addresses as on the wire, protocol as in the (fragment) header."""

    source: bytes
    destination: bytes
    identification: int
    protocol: int


class Fragment(NamedTuple):
    """One piece: octets from `offset` on, `length` by the header, of which `octets` were captured."""

    key: Key
    offset: int
    length: int
    more: bool
    octets: bytes
    ttl: int
    frame: Frame
    time: int


class Partial(Struct, eq=False):
    """A datagram of which pieces have arrived.

    frames -- every frame with a piece, also those that brought nothing new
    pieces -- (offset, end, octets) without overlaps, sorted
    covered -- octets that they cover
    total -- octets of the whole; None until the last piece is there
    ttl -- of the first fragment, or of whichever came first
    echo -- further copies of the pieces of a datagram that was complete before
    wanted -- the first fragment shows IKE
    """

    key: Key
    time: int
    last_time: int = 0
    ttl: int = 0
    total: int | None = None
    echo: bool = False
    wanted: bool = False
    size: int = 0
    covered: int = 0
    frames: list[Frame] = field(default_factory=list)
    pieces: list[tuple[int, int, bytes]] = field(default_factory=list)

    def add(self, fragment: Fragment) -> int:
        """Take a piece in, and return the octets that it costs."""
        self.frames.append(fragment.frame)
        self.last_time = fragment.time
        if fragment.offset == 0 or not self.ttl:
            self.ttl = fragment.ttl
        end = fragment.offset + fragment.length
        if not fragment.more and self.total is None:
            self.total = end
        cost = _PIECE_OVERHEAD
        pieces = self.pieces
        # The first piece that may overlap; a datagram can come in 8,192 of them, so most are not looked at.
        at = max(bisect_right(pieces, fragment.offset, key=_offset) - 1, 0)
        for start, stop in _gaps(pieces, fragment.offset, end, at):
            octets = fragment.octets[start - fragment.offset : stop - fragment.offset]
            pieces.insert(bisect_right(pieces, start, at, key=_offset), (start, stop, octets))
            self.covered += stop - start
            cost += len(octets) + _PIECE_OVERHEAD
        self.size += cost
        return cost

    def missing(self) -> tuple[tuple[int, int | None], ...]:
        """Return the ranges that no piece covers; the last one is open while the last piece is missing."""
        if self.total is None:
            end = self.pieces[-1][1] if self.pieces else 0
            return (*_gaps(self.pieces, 0, end), (end, None))
        return tuple(_gaps(self.pieces, 0, self.total))

    def complete(self) -> bool:
        """Whether every octet is there, by what the headers say."""
        return self.total is not None and self.covered >= self.total and not _gaps(self.pieces, 0, self.total)

    def head(self, most: int = MAX_DATAGRAM) -> bytes:
        """Return the octets from the beginning up to the first that was not captured; about `most` are enough."""
        known = bytearray()
        for start, end, octets in self.pieces:
            if start != len(known) or start >= most:
                break
            known += octets
            if len(octets) < end - start:
                break
        return bytes(known if self.total is None else known[: self.total])


def _offset(piece: tuple[int, int, bytes]) -> int:
    return piece[0]


def _gaps(pieces: list[tuple[int, int, bytes]], start: int, stop: int, at: int = 0) -> list[tuple[int, int]]:
    """Return what of `start` to `stop` no piece from the one at `at` on covers; they are sorted and do not overlap."""
    found = []
    for first, end, _ in islice(pieces, at, None):
        if end <= start:
            continue
        if first >= stop:
            break
        if first > start:
            found.append((start, first))
        start = end
    if start < stop:
        found.append((start, stop))
    return found


class Reassembly:
    """Datagrams in pieces: at most MAX_DATAGRAMS, MAX_OCTETS in all, none for longer than TIMEOUT."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._held: OrderedDict[Key, Partial] = OrderedDict()
        self._complete: OrderedDict[Key, int] = OrderedDict()
        self._refused: OrderedDict[Key, int] = OrderedDict()
        self._octets = 0

    def __len__(self) -> int:
        """Return the number of datagrams that are held."""
        return len(self._held)

    def add(self, fragment: Fragment) -> Partial | None:
        """Take a piece in and return the datagram as it now is; None where that was refused before."""
        key = fragment.key
        if _recent(self._refused, key, fragment.time):
            return None
        partial = self._held.get(key)
        if partial is None:
            partial = Partial(key, fragment.time, echo=_recent(self._complete, key, fragment.time))
            self._held[key] = partial
        self._octets += partial.add(fragment)
        return partial

    def finish(self, partial: Partial) -> None:
        """Let go of a datagram that is complete; later copies of its pieces are an echo."""
        self._release(partial)
        _remember(self._complete, partial.key, partial.last_time)

    def refuse(self, partial: Partial) -> None:
        """Let go of a datagram that is not of interest, and of what else comes of it."""
        self._release(partial)
        _remember(self._refused, partial.key, partial.last_time)

    def expired(self, now: int) -> list[Partial]:
        """Let go of the datagrams whose time is up at `now`, and return them."""
        old = []
        for partial in self._held.values():
            if now - partial.time <= TIMEOUT:
                break
            old.append(partial)
        for partial in old:
            self._release(partial)
        return old

    def evicted(self) -> list[Partial]:
        """Let go of the oldest datagrams until the rest is within bounds, and return them."""
        old = []
        while len(self._held) > MAX_DATAGRAMS or self._octets > MAX_OCTETS:
            old.append(next(iter(self._held.values())))
            self._release(old[-1])
        return old

    def rest(self) -> list[Partial]:
        """Let go of everything, at the end of the capture."""
        old = list(self._held.values())
        for partial in old:
            self._release(partial)
        return old

    def _release(self, partial: Partial) -> None:
        if self._held.get(partial.key) is partial:
            del self._held[partial.key]
            self._octets -= partial.size


def _recent(memory: OrderedDict[Key, int], key: Key, now: int) -> bool:
    """Whether `key` was noted within TIMEOUT: identifications come round again (RFC 6864 §3)."""
    time = memory.get(key)
    return time is not None and abs(now - time) <= TIMEOUT


def _remember(memory: OrderedDict[Key, int], key: Key, time: int) -> None:
    memory[key] = time
    memory.move_to_end(key)
    if len(memory) > MAX_REMEMBERED:
        memory.popitem(last=False)
