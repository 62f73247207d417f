"""What can be read once only, kept to be read twice: a capture that comes through a pipe.

The copy has no name, so that nothing of it stays behind however the program ends: what goes by in a capture is private.
"""

import io
import tempfile
from typing import Any, BinaryIO, Final, cast

from pcapdiag.capture.datagram import CaptureError
from pcapdiag.capture.savefile import Savefile
from pcapdiag.capture.window import CHUNK, TooLargeError

MAX_SPOOL: Final = 10_000_000_000
"""Octets that are copied of one capture."""


class Spool(io.RawIOBase):
    """The copy. Where it was cut, reading its end raises TooLargeError, which says so."""

    def __init__(self, stream: BinaryIO, name: str, most: int = MAX_SPOOL) -> None:
        """Copy, up to `most` octets; what is no capture is not copied.

        name -- what messages call it. Raises CaptureError for what is no capture, and where it cannot be copied.
        """
        self.name = name
        self._cut: str | None = None
        self._file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 -- open as long as this is
        try:
            copied = _Copying(stream, self._file)
            # What is no capture shows in its first octets; it may be endless.
            Savefile(cast(BinaryIO, copied), name=name).check()
            while copied.octets <= most and copied.read(CHUNK):
                pass
            if copied.octets > most:
                self._file.truncate(most)
                self._cut = f"more came than the {most / 1e9:.4g} GB that --max-spool allows; reading stops here"
            self._file.seek(0)
        except OSError as error:
            self._file.close()
            reason = error.strerror or error
            raise CaptureError(f"{name}: cannot be copied to a temporary file, to be read twice: {reason}") from None
        except BaseException:
            self._file.close()
            raise

    def readable(self) -> bool:
        """Say that it is."""
        return True

    def seekable(self) -> bool:
        """Say that it is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read. Raises TooLargeError at the end of a copy that was cut."""
        octets = self._file.read(len(buffer))
        if not octets and self._cut is not None:
            raise TooLargeError(self._cut)
        buffer[: len(octets)] = octets
        return len(octets)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to another place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where it is."""
        return self._file.tell()

    def fileno(self) -> int:
        """The descriptor of the copy."""
        return self._file.fileno()

    def close(self) -> None:
        """Let go of it."""
        self._file.close()
        super().close()


class _Copying:
    """Hands out what a stream has, and keeps a copy of it. octets -- so far."""

    def __init__(self, stream: BinaryIO, copy: BinaryIO) -> None:
        self._read: Any = getattr(stream, "read1", stream.read)
        self._copy = copy
        self.octets = 0

    def read(self, size: int) -> bytes:
        octets: bytes = self._read(size) or b""
        self._copy.write(octets)
        self.octets += len(octets)
        return octets
