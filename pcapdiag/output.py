"""Files that the program writes: whole or not at all, and never in the place of what it reads."""

import contextlib
import os
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

Path = str | os.PathLike[str]

PRIVATE, PUBLIC = 0o600, 0o666
"""Modes of new files: for what may hold secrets, and for the rest (less the umask of the process)."""

BINARY = getattr(os, "O_BINARY", 0)
"""Windows would else put another octet before each end of line."""


class OutputError(Exception):
    """A file cannot be written; one line that names it and says why."""


@contextlib.contextmanager
def written(path: Path, *, inputs: Iterable[object] = (), private: bool = False) -> Iterator[BinaryIO]:
    """A file to write octets to, that stands under its name when the block ends, and not at all when it fails.

    It is written beside its place and then moved there, so that nobody sees half of it; a file that was there before
    stays until then, and keeps its mode unless `private` asks for less. What is no regular file, a pipe or a terminal,
    is written to as it is.

    inputs -- see `refuse_inputs`

    Raises OutputError where it cannot be written, also from within the block: a full disk is one.
    """
    name = os.fspath(path)
    refuse_inputs(name, inputs)
    try:
        yield from _written(os.path.realpath(name), private)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise OutputError(f"{name}: cannot be written: {error.strerror or error}") from None


def refuse_inputs(output: Path | BinaryIO, inputs: Iterable[object]) -> None:
    """Raise OutputError where a file to be written, or an open one, is one of those that are read, by whatever name.

    inputs -- names, "-" for standard input, and open files; others are passed over
    """
    name = os.fspath(output) if isinstance(output, str | os.PathLike) else "standard output"
    if any(_same(output, source) for source in inputs):
        raise OutputError(f"{name}: is one of the files that are read, and is not written over")


def _written(place: str, private: bool) -> Iterator[BinaryIO]:
    mode = PRIVATE if private else PUBLIC
    before = None
    with contextlib.suppress(FileNotFoundError):
        before = os.stat(place).st_mode
    if before is not None and not stat.S_ISREG(before):
        with open(place, "wb") as stream:
            yield stream
        return
    beside = os.path.join(os.path.dirname(place), f".pcapdiag-{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, mode)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            if before is not None and hasattr(os, "fchmod"):
                os.fchmod(descriptor, stat.S_IMODE(before) & (PRIVATE if private else 0o7777))
            os.fsync(descriptor)
        os.replace(beside, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def _same(one: object, other: object) -> bool:
    """Whether the two are one file, by whatever names; a file that is yet to be made is told by its place."""
    try:
        found = [_status(file) for file in (one, other)]
    except FileNotFoundError:
        if isinstance(one, str | os.PathLike) and isinstance(other, str | os.PathLike):
            return os.path.realpath(one) == os.path.realpath(other)
        return False
    except (OSError, ValueError, AttributeError):
        return False
    # Devices and pipes may be read and written at once: /dev/null, a terminal.
    return os.path.samestat(*found) and stat.S_ISREG(found[0].st_mode)


def _status(file: Any) -> os.stat_result:
    if isinstance(file, str | os.PathLike) and file != "-":
        return os.stat(file)
    return os.fstat(sys.stdin.fileno() if file == "-" else file.fileno())
