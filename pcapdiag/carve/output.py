"""The carved file: pcapng, a section for each capture, with the interfaces and the beginning and end of that.

The end matters for the verdict: silence lasts until the capture ends, not until its last packet of IKE. It stands in
the interface statistics (§4.6 of draft-ietf-opsawg-pcapng).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO

from pcapdiag.capture import pcapng
from pcapdiag.capture.datagram import CaptureSummary, Interface
from pcapdiag.capture.kinds import LINK_ETHERNET
from pcapdiag.capture.savefile import YEAR
from pcapdiag.capture.walker import Link
from pcapdiag.carve.copying import Copied
from pcapdiag.version import VERSION

APPLICATION = f"pcapdiag {VERSION}"
_PACKET, _SECTION = 6, 0x0A0D0D0A
_CHUNK = 1 << 20


class CarvedFile:
    """Writes frames, a capture after the other.

    written -- how many; far -- a capture ends so far from its frames that no reader believes it (`savefile.YEAR`)
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.written = 0
        self.far = False
        self._newest: int | None = None
        self._stream = stream
        self._interfaces: dict[Link, int] = {}
        self._described: list[Interface] = []

    def begin(self, comments: Sequence[str] = ()) -> None:
        """Begin the section of a capture."""
        self._interfaces, self._described, self._newest = {}, [], None
        self._stream.write(pcapng.section(APPLICATION, comments))

    def add(self, copied: Copied, octets: bytes, comments: Sequence[str] = ()) -> None:
        """Write a frame, and before the first one of its interface what that is."""
        number = self._interfaces.get(copied.link)
        if number is None:
            number = self._interfaces[copied.link] = self._describe(copied.interface)
        self._stream.write(pcapng.packet(number, copied.ticks, copied.wire, octets, comments))
        self.written += 1
        time = copied.link.nanoseconds(copied.ticks)
        if self._newest is None or time > self._newest:
            self._newest = time

    def end(self, summary: CaptureSummary, interfaces: Sequence[Interface]) -> None:
        """End the section with when the capture began and ended. interfaces -- of a capture without a chosen frame."""
        if summary.first_time is None or summary.last_time is None:
            return
        if self._newest is not None and abs(summary.last_time - self._newest) >= YEAR:
            self.far = True
        if not self._described:
            self._describe(interfaces[0] if interfaces else Interface("", LINK_ETHERNET, 0))
        for number, interface in enumerate(self._described):
            began, ended = interface.ticks(summary.first_time), interface.ticks(summary.last_time)
            self._stream.write(pcapng.statistics(number, began, ended))

    def _describe(self, interface: Interface) -> int:
        self._stream.write(pcapng.interface_block(interface))
        self._described.append(interface)
        return len(self._described) - 1


def annotate(source: BinaryIO, stream: BinaryIO, head: Iterable[str], remarks: Callable[[int], Sequence[str]]) -> None:
    """Write what CarvedFile wrote once more, with comments. head -- of the file; remarks -- of each frame, from 1."""
    number = sections = 0
    for kind, block in _blocks(source):
        if kind == _PACKET:
            number += 1
            stream.write(pcapng.with_comments(block, remarks(number)))
            continue
        if kind == _SECTION:
            sections += 1
            stream.write(pcapng.section(APPLICATION, list(head) if sections == 1 else ()))
            continue
        stream.write(block)


def _blocks(source: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The blocks of a file of ours, which is whole and little-endian."""
    while head := source.read(8):
        kind, length = int.from_bytes(head[:4], "little"), int.from_bytes(head[4:], "little")
        yield kind, head + source.read(length - 8)
