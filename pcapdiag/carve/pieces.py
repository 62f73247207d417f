"""IP fragments, anonymized: the datagram is put together, changed, and taken apart again along the same lines.

So frames wait until the last fragment of their datagram has come; the first walk told which frame that is.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from pcapdiag.capture import kinds
from pcapdiag.capture.reassembly import Key
from pcapdiag.carve.checksums import checksum, is_right, replaced
from pcapdiag.carve.copying import Copied
from pcapdiag.carve.packets import Edited, Packets, Piece, pseudo_headers
from pcapdiag.carve.scramble import Scrambler

MAX_WAITING = 32 << 20
"""Octets of frames that wait for fragments; beyond it datagrams are taken as they are."""
MAX_REMEMBERED = 256
"""Datagrams of which further copies of fragments are recognised."""


class _Datagram(Struct, eq=False):
    """Fragments of one datagram; `last` is the number of the last frame with one. head, new -- before and after."""

    key: Key
    last: int
    pieces: list[tuple[Edited, Piece]] = field(default_factory=list)
    head: bytes = b""
    new: bytes = b""
    done: bool = False


class Pieces:
    """The frames of one capture, in order; those behind a fragment wait with it."""

    def __init__(self, packets: Packets, scrambler: Scrambler, ends: Mapping[int, int]) -> None:
        self._packets = packets
        self._scrambler = scrambler
        self._ends = ends
        self._waiting: deque[tuple[Copied, Edited, _Datagram | None]] = deque()
        self._octets = 0
        self._open: dict[Key, _Datagram] = {}
        self._whole: OrderedDict[Key, _Datagram] = OrderedDict()

    def feed(self, copied: Copied) -> Iterator[tuple[Copied, bytes]]:
        """Take a frame in; what can be written now."""
        edited = self._packets.edit(copied.octets, copied.wire, copied.interface.link_type)
        number = copied.frame.number
        datagram = self._of(edited, edited.piece, number) if edited.piece is not None else None
        self._waiting.append((copied, edited, datagram))
        self._octets += len(copied.octets)
        for waits in [d for d in self._open.values() if d.last <= number]:
            self._settle(waits)
        yield from self._ready()
        while self._octets > MAX_WAITING and self._open:
            self._settle(next(iter(self._open.values())))
            yield from self._ready()

    def finish(self) -> Iterator[tuple[Copied, bytes]]:
        """The capture ends: everything that waits."""
        for datagram in list(self._open.values()):
            self._settle(datagram)
        yield from self._ready()

    def _of(self, edited: Edited, piece: Piece, number: int) -> _Datagram:
        """The datagram that a piece belongs to."""
        datagram = self._open.get(piece.key)
        last = self._ends.get(number)
        if datagram is None and last is None:
            # A further copy of a piece of a datagram that was whole.
            datagram = self._whole.get(piece.key) or _Datagram(piece.key, number)
            self._write(datagram, edited, piece)
            return datagram
        if datagram is None or (last is not None and last != datagram.last):
            if datagram is not None:
                self._settle(datagram)
            datagram = self._open[piece.key] = _Datagram(piece.key, last or number)
        datagram.pieces.append((edited, piece))
        return datagram

    def _ready(self) -> Iterator[tuple[Copied, bytes]]:
        while self._waiting and (self._waiting[0][2] is None or self._waiting[0][2].key not in self._open):
            copied, edited, _ = self._waiting.popleft()
            self._octets -= len(copied.octets)
            yield copied, edited.finish()

    def _settle(self, datagram: _Datagram) -> None:
        """Change a datagram, and write its pieces."""
        if self._open.get(datagram.key) is datagram:
            del self._open[datagram.key]
        head, whole = _together([(e.old[p.at : p.limit], p) for e, p in datagram.pieces])
        pair = datagram.key.source, datagram.key.destination
        new, field_at = self._packets.head(head, datagram.key.protocol, pair)
        if field_at is not None:
            new = self._checked(head, new, field_at, whole, datagram.pieces[0][1])
        datagram.head, datagram.new = head, new
        for edited, piece in datagram.pieces:
            self._write(datagram, edited, piece)
        self._whole[datagram.key] = datagram
        datagram.pieces = []
        if len(self._whole) > MAX_REMEMBERED:
            self._whole.popitem(last=False)

    def _checked(self, old: bytes, new: bytes, at: int, whole: bool, piece: Piece) -> bytes:
        """The UDP checksum at `at`, over all pieces."""
        if old[at : at + 2] == b"\0\0":
            return new
        udp = at - 6
        if whole:
            before, after = pseudo_headers(*piece.pseudo, len(old) - udp, kinds.UDP)
            blank = new[udp:at] + b"\0\0" + new[at + 2 :]
            value = replaced(checksum(after + blank), is_right(before + old[udp:])) or 0xFFFF
        else:
            value = self._scrambler.number(old[: at + 2])
        return new[:at] + value.to_bytes(2, "big") + new[at + 2 :]

    def _write(self, datagram: _Datagram, edited: Edited, piece: Piece) -> None:
        """A piece of the changed datagram, where it is one of the old; what else it holds is scrambled."""
        old = edited.old[piece.at : piece.limit]
        known = datagram.head[piece.offset : piece.offset + len(old)]
        if known and old.startswith(known):
            new = datagram.new[piece.offset : piece.offset + len(known)]
        else:
            known, new = b"", b""
        edited.new[piece.at : piece.limit] = new + self._scrambler.octets(old[len(known) :])


def _together(pieces: list[tuple[bytes, Piece]]) -> tuple[bytes, bool]:
    """The octets from the beginning to the first gap, and whether that is all; what came first stays."""
    head = bytearray()
    total = next((p.offset + p.length for _, p in pieces if not p.more), None)
    ordered = sorted(pieces, key=lambda item: item[1].offset)
    for octets, piece in ordered:
        if piece.offset > len(head):
            break
        head += octets[len(head) - piece.offset :]
    return bytes(head[:total]), total is not None and len(head) >= total
