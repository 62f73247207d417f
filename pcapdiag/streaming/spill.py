"""Exchanges that were told, on disk: what came of each can be had again when more comes."""

import tempfile
from collections.abc import Iterator
from typing import Any

import msgspec

from pcapdiag.capture.datagram import Captured, Datagram, FragmentLoss, IcmpError

BUFFER = 1 << 20
"""Octets that wait to be written."""


class Came(msgspec.Struct):
    """What came of an exchange, in order. uncounted -- messages that came as well, and are not held"""

    items: list[Captured]
    uncounted: int = 0


class Items(msgspec.Struct, array_like=True):
    """What came of an exchange, as it is written: items by their kinds, and `order`, the kind of each (0 to 2)."""

    order: bytes
    datagrams: list[Datagram]
    errors: list[IcmpError]
    losses: list[FragmentLoss]
    uncounted: int

    @classmethod
    def of(cls, came: Came) -> "Items":
        """Apart by their kinds."""
        sorts: tuple[list[Any], ...] = ([], [], [])
        order = bytearray()
        for item in came.items:
            kind = _KINDS.index(type(item))
            order.append(kind)
            sorts[kind].append(item)
        return cls(bytes(order), sorts[0], sorts[1], sorts[2], came.uncounted)

    def together(self) -> Came:
        """In the order in which they came."""
        sorts: list[Iterator[Captured]] = [iter(self.datagrams), iter(self.errors), iter(self.losses)]
        return Came([next(sorts[kind]) for kind in self.order], self.uncounted)


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
        self._decode = msgspec.msgpack.Decoder(Items).decode

    def add(self, came: Came) -> int:
        """Write what came of an exchange; return where it stands. Raises OSError for a full disk."""
        octets = self._encode(Items.of(came))
        place = self._end
        self._waiting += (len(octets).to_bytes(4, "big"), octets)
        self._end += 4 + len(octets)
        if self._end - self._flushed > BUFFER:
            self._flush()
        return place

    def read(self, place: int) -> Came:
        """What stands there."""
        self._flush()
        self._file.seek(place)
        size = int.from_bytes(self._file.read(4), "big")
        return self._decode(self._file.read(size)).together()

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
