"""Reading keys from files: Wireshark's tables, those that strongSwan's save-keys writes, and logs that hold keys."""

import os
import stat
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from pcapdiag.ike.decryption_keys import KeyTable, KeyTableError, parse_table
from pcapdiag.logs.octets import Octets

NAMES = ("ikev1_decryption_table", "ikev2_decryption_table")
"""What Wireshark calls the tables within a profile."""
MAX_OCTETS = 16 << 20
"""A table is never as large; this is another file, a log perhaps."""
_LONGEST = 1 << 18
"""Octets of a line of a log."""


def read_tables(paths: Iterable[str | os.PathLike[str]]) -> KeyTable:
    """The rows of these tables; a directory stands for the tables in it, as a Wireshark profile.

    A file may also be a log: FortiGate's debug at level -1, or charon's at level 4 (`pcapdiag.logs.keys`).
    Either may be compressed with gzip, bzip2, xz or zstd.

    Raises KeyTableError, with one line, for what cannot be read or is neither.
    """
    found = KeyTable()
    for path in _files(paths):
        found += parse_table(_text(path), str(path))
    return found


def write_profile(paths: Iterable[str | os.PathLike[str]], folder: Path) -> None:
    """Put the rows of these tables where Wireshark looks for them: `folder` becomes a configuration directory.

    Raises KeyTableError as `read_tables` does.
    """
    rows: dict[str, list[str]] = {name: [] for name in NAMES}
    for path in _files(paths):
        for line in _text(path).splitlines():
            table = parse_table(line, str(path))
            for name, found in zip(NAMES, (table.v1, table.v2), strict=True):
                rows[name] += [line.strip()] * bool(found)
    for name, lines in rows.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines))


def _files(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    for given in paths:
        path = Path(given)
        if not path.is_dir():
            yield path
            continue
        inside = [path / name for name in NAMES if (path / name).is_file()]
        if not inside:
            raise KeyTableError(f"{given}: holds neither {NAMES[0]} nor {NAMES[1]}")
        yield from inside


def _text(path: Path) -> str:
    """A table, or what is in a log as one."""
    from pcapdiag.logs.keys import looks_like_log

    stream = Octets(path)
    try:
        found, large = _first(blocks := iter(stream))
        # What is no text, or may have no end, is not searched for a log's keys.
        if large and (b"\0" in found or not stat.S_ISREG(path.stat().st_mode)):
            raise KeyTableError(f"{path}: too large for a key table")
        if large or looks_like_log(found.decode("utf-8", "replace")):
            rows = _rows(found, blocks)
            if rows and not stream.fault:
                return rows
            why = "too large for a key table" if large else "a log that names no algorithms or SPIs for its keys"
            raise KeyTableError(f"{path}: {stream.fault or why}")
        if stream.fault:
            raise KeyTableError(f"{path}: {stream.fault}")
        return found.decode("utf-8")
    except UnicodeDecodeError:
        raise KeyTableError(f"{path}: not a key table: it is not text") from None
    except FileNotFoundError:
        raise KeyTableError(f"{path}: no such file") from None
    except OSError as fault:
        raise KeyTableError(f"{path}: {fault.strerror or fault}") from None


def _first(blocks: Iterator[bytes]) -> tuple[bytes, bool]:
    """What a table has at most, and whether there is more."""
    found: list[bytes] = []
    size = 0
    for block in blocks:
        found.append(block)
        size += len(block)
        if size > MAX_OCTETS:
            break
    return b"".join(found), size > MAX_OCTETS


def _rows(first: bytes, blocks: Iterator[bytes]) -> str:
    """The keys in a log as the rows of a table; `first` is what was read of it."""
    from pcapdiag.logs.keys import rows_in

    def lines() -> Iterator[str]:
        rest = b""
        for block in chain((first,), blocks):
            *whole, rest = (rest + block).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in whole)
            if len(rest) > _LONGEST:
                yield rest.decode("utf-8", "replace")
                rest = b""
        yield rest.decode("utf-8", "replace")

    return "".join(f"{row}\n" for row in rows_in(lines()))
