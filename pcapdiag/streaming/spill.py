"""Exchanges that were told, on disk: what came of each can be had again when more comes."""

import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from pcapdiag.capture.datagram import Captured, Datagram, FragmentLoss, Frame, IcmpError

BUFFER = 1 << 20
"""Octets that wait to be written."""


class Kept(msgspec.Struct, array_like=True):
    """An exchange that was told.

    items -- all that came of it, in order; verdict -- see `told.verdict_of`; revision, until -- see `Told`
    """

    id: int
    revision: int
    until: Frame
    verdict: tuple[Any, ...]
    items: list[Captured]


class _Written(msgspec.Struct, array_like=True):
    """The same as it is written: items by their kinds, and `order`, the kind of each (0 to 2)."""

    id: int
    revision: int
    until: Frame
    verdict: tuple[Any, ...]
    order: bytes
    datagrams: list[Datagram]
    errors: list[IcmpError]
    losses: list[FragmentLoss]


_KINDS = (Datagram, IcmpError, FragmentLoss)


class Spill:
    """A temporary file to which exchanges are added; it is gone with the object.

    Where it stands is up to the system: TMPDIR says so. An exchange takes about twice what its frames take.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 -- closed by `close`, or with the object
        self._waiting: list[bytes] = []
        self._flushed = self._end = 0
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(_Written).decode

    def add(self, kept: Kept) -> int:
        """Write an exchange; return where it stands. Raises OSError for a full disk."""
        sorts: tuple[list[Any], ...] = ([], [], [])
        order = bytearray()
        for item in kept.items:
            kind = _KINDS.index(type(item))
            order.append(kind)
            sorts[kind].append(item)
        octets = self._encode(_Written(kept.id, kept.revision, kept.until, kept.verdict, bytes(order), *sorts))
        place = self._end
        self._waiting += (len(octets).to_bytes(4, "big"), octets)
        self._end += 4 + len(octets)
        if self._end - self._flushed > BUFFER:
            self._flush()
        return place

    def read(self, place: int) -> Kept:
        """The exchange that stands there."""
        self._flush()
        self._file.seek(place)
        size = int.from_bytes(self._file.read(4), "big")
        found = self._decode(self._file.read(size))
        sorts: list[Iterator[Captured]] = [iter(found.datagrams), iter(found.errors), iter(found.losses)]
        items = [next(sorts[kind]) for kind in found.order]
        verdict = tuple(tuple(v) if isinstance(v, list) else v for v in found.verdict)
        verdict = (*verdict[:-2], *(_pairs(rows) for rows in verdict[-2:]))
        return Kept(found.id, found.revision, found.until, verdict, items)

    def close(self) -> None:
        """Forget all of it."""
        self._file.close()

    def _flush(self) -> None:
        if not self._waiting:
            return
        self._file.seek(self._flushed)
        octets = memoryview(b"".join(self._waiting))
        while octets:  # a raw file may take less than all
            octets = octets[self._file.write(octets) :]
        self._waiting.clear()
        self._flushed = self._end


def _pairs(rows: Sequence[Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
    """Rows as tuples: msgpack has no other sequence than lists."""
    return tuple(tuple(row) for row in rows)
