"""The octets of a capture: read in chunks, decompressed where they are compressed, and looked at where they came to."""

import io
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

CHUNK: Final = 512 * 1024
"""Octets that are asked for at a time: few enough to stay in the processor's cache until they were looked at."""
BRIDGE: Final = 4096
"""Octets of the next chunk that are copied behind the end of a chunk, unless a record needs more."""
FREE: Final = 1_000_000_000
"""Octets that any compressed file may become."""
RATIO: Final = 100
"""How many times its size it may become beyond that: captures are mostly ciphertext, which hardly gets smaller."""
XZ_MEMORY: Final = 256 << 20
"""Octets of memory that xz may ask for: four times what `xz -9` does. zstd has its own limit, 128 MiB."""
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
        except Exception as error:
            self.fault = fault_of(error)
        return None


_COMPRESSION_MODULES: Final = frozenset(("zlib", "lzma", "_lzma", "gzip", "zstd", "zstandard", "compression", "_zstd"))


def fault_of(error: Exception) -> str:
    """Why a stream that may be compressed ended before its time; raises again what is none of its faults."""
    if isinstance(error, EOFError):
        return "the compressed data end too early"
    if isinstance(error, TooLargeError):
        return str(error)
    if isinstance(error, MemoryError):
        return "there is not enough memory to decompress it"
    if isinstance(error, OSError) and type(error).__module__ == "builtins":
        return f"reading failed: {error.strerror or error}"
    # zlib.error, lzma.LZMAError, ZstdError: naming them would mean importing all three.
    if type(error).__module__.partition(".")[0] not in _COMPRESSION_MODULES and not isinstance(error, DamagedError):
        raise error
    if "memory" in str(error).lower():  # neither library has a class for it
        return "the compressed data ask for too much memory; decompress it beforehand"
    return f"the compressed data are damaged: {error}"


class DamagedError(Exception):
    """What bz2 has no class of its own for."""


class TooLargeError(Exception):
    """A compressed file becomes more than it may. The text says so, and what to do."""


class _Rewound(io.RawIOBase):
    """A stream with the octets that were taken from it put back in front; `size`: those that were read of it."""

    def __init__(self, head: bytes, stream: Any) -> None:
        self._head = head
        self.size = len(head)
        self._read: Callable[[int], bytes | None] = getattr(stream, "read1", stream.read)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head
        if not data:
            data = self._read(len(buffer)) or b""
            self.size += len(data)
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
    if head[:3] == b"BZh" and head[4:8] in (b"1AY&", b"\x17rE8"):  # a block, or the end of an empty one
        return "bzip2", _open_bzip2
    # The second is a skippable frame, which parallel compressors put first (RFC 8878 §3.1.2).
    if head[:4] == b"\x28\xb5\x2f\xfd" or (head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50):
        return "zstd", _open_zstd
    return "", None


def _open_gzip(stream: Any) -> Any:
    import gzip

    return gzip.GzipFile(fileobj=stream)


class _Streams:
    """What compressed streams hold that follow on each other, with zeros in between or not.

    new -- makes a decompressor as those of lzma and bz2 are; step -- octets that it is given at a time
    """

    def __init__(self, stream: Any, new: Callable[[], Any], step: int = io.DEFAULT_BUFFER_SIZE) -> None:
        self._stream = stream
        self._new = new
        self._step = step
        self._decompressor = new()

    def read(self, size: int) -> bytes:
        while True:
            data = b""
            if self._decompressor.eof:
                data = self._decompressor.unused_data.lstrip(b"\0") or self._after_padding()
                if not data:
                    return b""
                self._decompressor = self._new()
            elif self._decompressor.needs_input:
                data = self._stream.read1(self._step)  # of damaged ones, what comes before is not lost
                if not data:
                    raise EOFError
            found: bytes = self._decompressor.decompress(data, size)
            if found:
                return found

    def _after_padding(self) -> bytes:
        data: bytes = self._stream.read1(self._step)
        while data and not (rest := data.lstrip(b"\0")):
            data = self._stream.read1(self._step)
        return rest if data else b""


def _open_xz(stream: Any) -> Any:
    """LZMAFile knows no memory limit."""
    import lzma

    return _Streams(stream, partial(lzma.LZMADecompressor, memlimit=XZ_MEMORY))


class _Bzip2:
    """A decompressor of bzip2 whose errors can be told from those of reading."""

    needs_input = property(lambda self: self._own.needs_input)
    eof = property(lambda self: self._own.eof)
    unused_data = property(lambda self: self._own.unused_data)

    def __init__(self) -> None:
        import bz2

        self._own = bz2.BZ2Decompressor()

    def decompress(self, data: bytes, size: int) -> bytes:
        try:
            return self._own.decompress(data, size)
        except OSError as error:
            raise DamagedError(str(error)) from None


def _open_bzip2(stream: Any) -> Any:
    return _Streams(stream, _Bzip2)


class _Zstd:
    """A frame of zstd. The package's own reader of streams ends without a word where a frame is cut."""

    STEP: Final = 512
    """Octets that it is given at a time: they become 16 MiB at most, a block of 128 KiB out of each four."""

    def __init__(self) -> None:
        import zstandard

        self._own = zstandard.ZstdDecompressor().decompressobj()
        self._found = b""
        self._at = 0

    @property
    def needs_input(self) -> bool:
        return self._at == len(self._found)

    @property
    def eof(self) -> bool:
        return bool(self.needs_input and self._own.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._own.unused_data)

    def decompress(self, data: bytes, size: int) -> bytes:
        if data:
            self._found, self._at = self._own.decompress(data), 0
        found = self._found[self._at : self._at + size]
        self._at += len(found)
        return found


def _open_zstd(stream: Any) -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.ZstdFile(stream)
    return _Streams(stream, _Zstd, _Zstd.STEP)


class _Limited:
    """Hands out what comes out of a compressed stream, as long as that is not too much for what went in."""

    def __init__(self, stream: Any, compressed: _Rewound, limit: int | None, ratio: int) -> None:
        self._read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
        self._compressed = compressed
        self._limit = limit
        self._ratio = ratio
        self._size = 0

    def read(self, size: int) -> bytes:
        data = self._read(size)
        self._size += len(data)
        limit = self._limit
        if limit is not None and self._size > limit:
            data = data[: max(limit - self._size, -len(data))]
            if not data:
                raise TooLargeError(f"it decompresses to more than the {_amount(limit)} that --max-decompressed allows")
        elif limit is None and self._size > max(FREE, self._ratio * self._compressed.size):
            raise TooLargeError(
                f"it decompresses to more than {_amount(FREE)} and {self._ratio} times its size; reading stops here, "
                "and --max-decompressed allows more"
            )
        return data


def _amount(octets: int) -> str:
    return f"{octets / 1e9:.4g} GB"


def decompressing(
    head: bytes, stream: Any, decompress: Callable[[Any], Any], limit: int | None = None, ratio: int = RATIO
) -> Any:
    """Return what has `read` for what a stream holds, its `head` read already. ImportError where a package is missing.

    limit -- octets that it may become; by default FREE, and above that `ratio` times what it was
    `fault_of` tells what the exceptions of `read` mean.
    """
    compressed = _Rewound(head, stream)
    return _Limited(decompress(io.BufferedReader(compressed, CHUNK)), compressed, limit, ratio)


def decompressed(head: bytes, stream: Any, decompress: Callable[[Any], Any], limit: int | None = None) -> Window:
    """Return what a stream holds, as `decompressing` does, to be looked at."""
    return Window(decompressing(head, stream, decompress, limit))
