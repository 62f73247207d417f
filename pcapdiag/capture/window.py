"""The octets of a capture: read in chunks, decompressed where they are compressed, and looked at where they came to."""

import io
import sys
from collections.abc import Callable
from typing import Any, Final

CHUNK: Final = 512 * 1024
"""Octets that are asked for at a time: few enough to stay in the processor's cache until they were looked at."""
BRIDGE: Final = 4096
"""Octets of the next chunk that are copied behind the end of a chunk, unless a record needs more."""
_PADDING: Final = bytes(128)
"""What the walker may look at behind the last record."""


class Window:
    """The part of a stream that is being looked at: `buffer[position:end]`, and what it may grow by.

    Chunks are looked at where they were read to; only the record on the border of two of them is put together, in a
    buffer of its own: the bridge.

    offset -- of the buffer in the stream; place -- of the position in the stream
    fault -- why the stream ended before its time, or None; over -- it has ended, and the buffer is padded
    """

    def __init__(self, stream: Any) -> None:
        # What has arrived is enough: a pipe need not fill the buffer first.
        self._read: Callable[[int], bytes | None] = getattr(stream, "read1", stream.read)
        self._stream = stream
        self.buffer = b""
        self.position = self.end = self.offset = 0
        self.fault: str | None = None
        self.over = False
        self._chunk: bytes | None = None  # `buffer` is a bridge to this, whose octets begin in it at `_border`
        self._border = 0

    @property
    def place(self) -> int:
        """Where in the stream the position is."""
        return self.offset + self.position

    def edge(self, until: int, size: int) -> int:
        """Return where in the buffer to stop that ends at `until` in the stream.

        size -- octets of the record at the position: where that begins before `until` and goes on behind it, it
            belongs to what comes before.
        """
        edge = until - self.offset
        if self.position < edge < self.position + size:
            edge = self.position + size
        return min(edge, self.end)

    def jump(self, offset: int) -> None:
        """Go on at another place of the stream. Raises OSError where it cannot."""
        self._stream.seek(offset)
        self.buffer, self._chunk = b"", None
        self.position = self.end = 0
        self.offset = offset
        self.over = False

    def need(self, octets: int) -> bool:
        """Whether that many octets are there from `position` on, after reading what it takes."""
        if self.end - self.position < octets:
            self.more(octets)
        return self.end - self.position >= octets

    def more(self, octets: int) -> bool:
        """Drop what is before `position`, read until there are `octets`; False where all was read already."""
        if self._chunk is not None and self.position >= self._border:
            self.position -= self._border
            self.offset += self._border
            self.buffer, self.end, self._chunk = self._chunk, len(self._chunk), None
            if self.end - self.position >= octets:
                return True
        if self.over:
            return False
        rest = [self.buffer[self.position : self.end if self._chunk is None else self._border]]
        size = len(rest[0])
        chunk = self._chunk or self._next()
        while chunk and size + len(chunk) < octets:
            rest.append(chunk)
            size += len(chunk)
            chunk = self._next()
        self._chunk = None
        if not chunk:
            self.over = True
            self.buffer = b"".join((*rest, _PADDING))
            self.end = size
        elif not size:
            self.buffer, self.end = chunk, len(chunk)
        else:
            head = chunk[: max(octets - size, BRIDGE)]
            if len(head) < len(chunk):
                self._chunk, self._border = chunk, size
            self.buffer = b"".join((*rest, head))
            self.end = size + len(head)
        self.offset += self.position
        self.position = 0
        return True

    def _next(self) -> bytes | None:
        try:
            return self._read(CHUNK)
        except EOFError:
            self.fault = "the compressed data end too early"
        except OSError as fault:
            self.fault = f"reading failed: {fault.strerror or fault}"
        except Exception as fault:
            # zlib.error, lzma.LZMAError, ZstdError: naming them would mean importing all three.
            if type(fault).__module__.partition(".")[0] not in _COMPRESSION_MODULES:
                raise
            self.fault = f"the compressed data are damaged: {fault}"
        return None


_COMPRESSION_MODULES: Final = frozenset(("zlib", "lzma", "_lzma", "gzip", "zstd", "zstandard", "compression", "_zstd"))


class _Rewound(io.RawIOBase):
    """A stream with the octets that were taken from it put back in front."""

    def __init__(self, head: bytes, stream: Any) -> None:
        self._head = head
        self._read: Callable[[int], bytes | None] = getattr(stream, "read1", stream.read)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head or self._read(len(buffer)) or b""
        self._head = data[len(buffer) :]
        data = data[: len(buffer)]
        buffer[: len(data)] = data
        return len(data)


def compression_of(head: bytes) -> tuple[str, Callable[[Any], Any] | None]:
    """Tell by magic what a file is compressed with, and what opens that."""
    if head[:2] == b"\x1f\x8b":
        return "gzip", _open_gzip
    if head[:6] == b"\xfd7zXZ\0":
        return "xz", _open_xz
    # The second is a skippable frame, which parallel compressors put first (RFC 8878 §3.1.2).
    if head[:4] == b"\x28\xb5\x2f\xfd" or (head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50):
        return "zstd", _open_zstd
    return "", None


def _open_gzip(stream: Any) -> Any:
    import gzip

    return gzip.GzipFile(fileobj=stream)


def _open_xz(stream: Any) -> Any:
    import lzma

    return lzma.LZMAFile(stream)


def _open_zstd(stream: Any) -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.ZstdFile(stream)
    import zstandard

    return zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)


def decompressed(head: bytes, stream: Any, decompress: Callable[[Any], Any]) -> Window:
    """Return what a stream holds, its `head` read already. Raises ImportError where a package is missing."""
    return Window(decompress(io.BufferedReader(_Rewound(head, stream), CHUNK)))
