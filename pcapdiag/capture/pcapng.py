"""Writes pcapng (draft-ietf-opsawg-pcapng): its blocks, and of a live capture files that rotate.

Frames are written as they came, with the interface, link type and nanoseconds of each. Every write is of whole blocks
and goes straight to the system, so a program that is killed leaves a file that can be read to its end.
"""

import os
import stat
import struct
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pcapdiag.capture.datagram import CaptureError, Interface
from pcapdiag.record import Record

_SECTION, _INTERFACE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 5, 6
_OPTION_COMMENT, _OPTION_APPLICATION = 1, 4
_OPTION_NAME, _OPTION_DESCRIPTION, _OPTION_RESOLUTION, _OPTION_OFFSET = 2, 3, 9, 14
_OPTION_START, _OPTION_END, _OPTION_RECEIVED, _OPTION_DROPPED = 2, 3, 6, 7
_MAX_OPTION = 0xFFFF
_END_OF_OPTIONS = bytes(4)
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
        self._head = section(application) + b"".join(interface_block(Interface(*link)) for link in links)
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
        block = packet(interface, time, wire, octets)
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
            self._pending += [_of_interface(number, found) for number, found in enumerate(statistics)]
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
        """See the function."""
        return aside(self._path, number)


def aside(path: str | os.PathLike[str], number: int) -> Path:
    """The name of the file of a ring that was written `number` files ago; path -- the one that is being written."""
    now = Path(path)
    return now.with_name(f"{now.stem}.{number}{now.suffix}")


def _block(kind: int, body: bytes) -> bytes:
    length = 12 + len(body)
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _text(code: int, text: str) -> bytes:
    """A text option; what is too long for one is cut."""
    octets = text.encode("utf-8", "replace")
    if len(octets) > _MAX_OPTION:
        octets = octets[:_MAX_OPTION].decode("utf-8", "ignore").encode()
    return _option(code, octets)


def _comments(comments: Iterable[str]) -> bytes:
    return b"".join(_text(_OPTION_COMMENT, comment) for comment in comments)


def section(application: str, comments: Iterable[str] = ()) -> bytes:
    """A Section Header Block (§4.1) of unknown length, little-endian."""
    options = _comments(comments) + _text(_OPTION_APPLICATION, application) + _END_OF_OPTIONS
    return _block(_SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + options)


def interface_block(found: Interface) -> bytes:
    """An Interface Description Block (§4.2)."""
    options = _text(_OPTION_NAME, found.name) if found.name else b""
    options += _text(_OPTION_DESCRIPTION, found.description) if found.description else b""
    options += _option(_OPTION_RESOLUTION, bytes((found.resolution,)))
    options += _option(_OPTION_OFFSET, struct.pack("<q", found.offset)) if found.offset else b""
    return _block(_INTERFACE, struct.pack("<HHI", found.link_type, 0, found.snaplen) + options + _END_OF_OPTIONS)


def _of_interface(interface: int, found: Statistics) -> bytes:
    return statistics(interface, found.began, found.ended, found.received, found.dropped)


def statistics(
    interface: int, began: int, ended: int, received: int | None = None, dropped: int | None = None
) -> bytes:
    """An Interface Statistics Block (§4.6); times are in ticks of the interface."""
    options = b"".join(
        _option(code, struct.pack("<II", value >> 32, value & 0xFFFFFFFF))
        for code, value in ((_OPTION_START, began), (_OPTION_END, ended))
    )
    for code, count in ((_OPTION_RECEIVED, received), (_OPTION_DROPPED, dropped)):
        if count is not None:
            options += _option(code, struct.pack("<Q", count))
    time = struct.pack("<II", ended >> 32, ended & 0xFFFFFFFF)
    return _block(_STATISTICS, struct.pack("<I", interface) + time + options + _END_OF_OPTIONS)


def packet(interface: int, time: int, wire: int, octets: bytes, comments: Sequence[str] = ()) -> bytes:
    """An Enhanced Packet Block (§4.3). time -- in ticks; wire -- octets, of which `octets` were captured."""
    padding = -len(octets) % 4
    options = _comments(comments) + _END_OF_OPTIONS if comments else b""
    length = 32 + len(octets) + padding + len(options)
    head = struct.pack(
        "<IIIIIII", _PACKET, length, interface, time >> 32, time & 0xFFFFFFFF, len(octets), max(wire, len(octets))
    )
    return head + octets + bytes(padding) + options + struct.pack("<I", length)


def with_comments(block: bytes, comments: Sequence[str]) -> bytes:
    """The block that `packet` made without comments, with them."""
    if not comments:
        return block
    options = _comments(comments) + _END_OF_OPTIONS
    length = struct.pack("<I", len(block) + len(options))
    return block[:4] + length + block[8:-4] + options + length
