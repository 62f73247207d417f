"""The octets of a log: a file, standard input or an open file, decompressed where they are compressed.

What they are compressed with is seen in the octets, not in the name: a log that was rotated may be called `log.2`.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import IO, Any

from pcapdiag.capture.window import compression_of, decompressing, fault_of

BLOCK = 1 << 20
"""Octets that are read at a time."""
RATIO = 1000
"""How many times its size a compressed log may become beyond a GB: a debug says the same again and again."""
_MAGIC = 8

Source = str | os.PathLike[str] | IO[bytes]


class Octets:
    """The octets of a log, some at a time, once.

    progress -- called every now and then with how many there were
    most -- octets that a compressed log may become; by default a GB, and any size up to `RATIO` times its own

    compression -- "gzip", "bzip2", "xz", "zstd", or ""; known once the first octets came
    fault -- why they ended before their time: damaged compressed data, for instance; what came before has been given
    """

    def __init__(self, source: Source, progress: Callable[[int], None] | None = None, most: int | None = None) -> None:
        self.compression = ""
        self.fault = ""
        self._source = source
        self._progress = progress
        self._most = most

    def __iter__(self) -> Iterator[bytes]:
        """Read to the end. Raises OSError where nothing can be read, or where reading what is not compressed fails."""
        with _opened(self._source) as file:
            done = 0
            for block in self._blocks(file):
                yield block
                done += len(block)
                if self._progress is not None:
                    self._progress(done)
        if self.fault and not done:
            raise OSError(self.fault)

    def _blocks(self, file: Any) -> Iterator[bytes]:
        read = getattr(file, "read1", file.read)
        head = read(BLOCK)
        while head and len(head) < _MAGIC and (more := read(BLOCK)):
            head += more
        self.compression, decompress = compression_of(head)
        if decompress is None:
            while head:
                yield head
                head = read(BLOCK)
            return
        try:
            stream = decompressing(head, file, decompress, self._most, RATIO)
        except ImportError:
            self.fault = f"reading {self.compression} needs the zstandard package"
            return
        while found := self._next(stream):
            yield found

    def _next(self, stream: Any) -> bytes:
        try:
            found: bytes = stream.read(BLOCK)
        except Exception as error:
            self.fault = fault_of(error)
            return b""
        return found


def _opened(source: Source) -> Any:
    if not isinstance(source, str | os.PathLike):
        return nullcontext(source)
    return nullcontext(sys.stdin.buffer) if os.fspath(source) == "-" else open(source, "rb")
