"""Writes what is kept of a live capture: pcapng (draft-ietf-opsawg-pcapng), in files that rotate.

Frames are written as they came, with the interface, link type and nanoseconds of each. Every write is of whole blocks
and goes straight to the system, so a program that is killed leaves a file that can be read to its end.
"""

import os
import stat
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

from pcapdiag.capture.datagram import CaptureError
from pcapdiag.record import Record

_SECTION, _INTERFACE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 5, 6
_OPTION_START, _OPTION_END, _OPTION_RECEIVED, _OPTION_DROPPED = 2, 3, 6, 7
_OPTION_NAME, _OPTION_RESOLUTION, _OPTION_APPLICATION = 2, 9, 4
PRIVATE = 0o600
"""The mode of the files: they hold what went by, of everybody, and their contents may be opened with keys later."""
PENDING = 1 << 20
"""Octets that are collected before they are written, at most; `flush` writes what there is."""


class Statistics(Record, frozen=True):
    """When an interface was read (nanoseconds since the Unix epoch), and what it counted; None where nobody knows.

    Without it a capture that ends in silence looks as if it ended with its last packet.
    """

    began: int
    ended: int
    received: int | None
    dropped: int | None


class Writer:
    """A pcapng file that is written to, or a ring of them.

    path -- the file that is being written; where it rotates, `name.1.ext` is the one before, `name.2.ext` older
    links -- name, link type and snap length of each interface
    rotate_size -- octets after which the file is put aside; None: never; rotate_count -- files in all, the oldest goes
    problem -- why nothing is written any more, one line; None while all is well
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        links: Sequence[tuple[str, int, int]],
        *,
        application: str = "pcapdiag",
        rotate_size: int | None = None,
        rotate_count: int = 10,
    ) -> None:
        """Begin the file, in place of one that is there. Raises CaptureError where it cannot be written.

        Nobody but its owner may read it, also where one was there that others could.
        """
        self.problem: str | None = None
        self.packets = 0
        self._path = Path(path)
        self._head = _section(application) + b"".join(_interface(*link) for link in links)
        self._rotate_size = rotate_size
        self._rotate_count = max(rotate_count, 1)
        self._pending: list[bytes] = []
        self._pending_octets = 0
        self._descriptor = -1
        self._written = 0
        try:
            self._begin()
        except OSError as error:
            raise CaptureError(f"{self._path}: cannot be written: {error.strerror or error}") from None

    def add(self, time: int, wire: int, octets: bytes, interface: int) -> None:
        """Take a frame; it is written with the next flush(), or when enough has come."""
        if self.problem is not None:
            return
        block = _packet(interface, time, wire, octets)
        size = self._written + self._pending_octets
        if self._rotate_size is not None and size + len(block) > self._rotate_size and size > len(self._head):
            self.flush()
            self._guard(self._rotate)
        self._pending.append(block)
        self._pending_octets += len(block)
        self.packets += 1
        if self._pending_octets >= PENDING:
            self.flush()

    def flush(self) -> None:
        """Write what was collected. A fault stops the writing, not the program: see `problem`."""
        if self._pending and self.problem is None:
            octets = b"".join(self._pending)
            self._guard(lambda: self._write(octets))
        self._pending.clear()
        self._pending_octets = 0

    def close(self, statistics: Sequence[Statistics] = ()) -> None:
        """Write the rest and close; harmless the second time. statistics -- of each interface, in turn."""
        if self._descriptor >= 0:
            self._pending += [_statistics(number, found) for number, found in enumerate(statistics)]
        self.flush()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _guard(self, action: Callable[[], None]) -> None:
        try:
            action()
        except OSError as error:
            self.problem = f"{self._path}: writing failed: {error.strerror or error}; no more packets are kept"

    def _begin(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE)
        if stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            os.fchmod(self._descriptor, PRIVATE)
        self._written = 0
        self._write(self._head)

    def _write(self, octets: bytes) -> None:
        """Whole blocks or nothing: what a full disk took only in part is cut off again."""
        done = os.write(self._descriptor, octets)
        while done < len(octets):
            try:
                done += os.write(self._descriptor, octets[done:])
            except OSError:
                os.ftruncate(self._descriptor, self._written)
                raise
        self._written += len(octets)

    def _rotate(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1
        for number in range(self._rotate_count - 1, 0, -1):
            older = self.aside(number)
            newer = self.aside(number - 1) if number > 1 else self._path
            if newer.exists():
                os.replace(newer, older)
        self._begin()

    def aside(self, number: int) -> Path:
        """The name of the file that was written `number` files ago."""
        return self._path.with_name(f"{self._path.stem}.{number}{self._path.suffix}")


def _block(kind: int, body: bytes) -> bytes:
    length = 12 + len(body)
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _section(application: str) -> bytes:
    options = _option(_OPTION_APPLICATION, application.encode()) + _option(0, b"")
    return _block(_SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + options)


def _interface(name: str, link_type: int, snaplen: int) -> bytes:
    options = _option(_OPTION_NAME, name.encode()) + _option(_OPTION_RESOLUTION, b"\x09") + _option(0, b"")
    return _block(_INTERFACE, struct.pack("<HHI", link_type, 0, snaplen) + options)


def _statistics(interface: int, found: Statistics) -> bytes:
    options = b"".join(
        _option(code, struct.pack("<II", value >> 32, value & 0xFFFFFFFF))
        for code, value in ((_OPTION_START, found.began), (_OPTION_END, found.ended))
    )
    for code, count in ((_OPTION_RECEIVED, found.received), (_OPTION_DROPPED, found.dropped)):
        if count is not None:
            options += _option(code, struct.pack("<Q", count))
    time = struct.pack("<II", found.ended >> 32, found.ended & 0xFFFFFFFF)
    return _block(_STATISTICS, struct.pack("<I", interface) + time + options + _option(0, b""))


def _packet(interface: int, time: int, wire: int, octets: bytes) -> bytes:
    padding = -len(octets) % 4
    length = 32 + len(octets) + padding
    head = struct.pack(
        "<IIIIIII", _PACKET, length, interface, time >> 32, time & 0xFFFFFFFF, len(octets), max(wire, len(octets))
    )
    return head + octets + bytes(padding) + struct.pack("<I", length)
