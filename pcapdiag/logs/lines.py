"""From the octets of a log to records: the formats are found by looking, line by line.

    octets ──blocks──▶ whole lines ──Lines──▶ LogLine

Several formats in one file are told apart. Lines that a console wrapped are joined. What tells nothing of a
negotiation is only counted, by kind; what belongs to IKE and is not in the table is counted by its shape. Memory is
bounded, whatever the log holds: a line is cut at `MAX_LINE`, a shape is kept for the first `MAX_SHAPES`.
"""

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from pcapdiag.logs.asa import AsaReader
from pcapdiag.logs.aws import AwsReader
from pcapdiag.logs.azure import AzureReader
from pcapdiag.logs.charon import CharonReader
from pcapdiag.logs.fortigate import FortigateReader
from pcapdiag.logs.ios import IosReader
from pcapdiag.logs.juniper import JuniperReader
from pcapdiag.logs.line import LogLine, Said
from pcapdiag.logs.marks import GIVEN, MARKS, MAX_LINE, OVER, SETTLE
from pcapdiag.logs.openiked import OpenikedReader
from pcapdiag.logs.paloalto import PaloaltoReader
from pcapdiag.logs.pluto import PlutoReader
from pcapdiag.logs.racoon import RacoonReader
from pcapdiag.logs.reader import Parts, Reader, masked
from pcapdiag.logs.scan import Scan
from pcapdiag.record import Record

MAX_SHAPES = 500
"""Shapes of lines that are not in the table, told one by one."""
MAX_TEMPLATE = 160

READERS: tuple[type[Reader], ...] = (
    AsaReader,
    AzureReader,
    AwsReader,
    JuniperReader,
    PaloaltoReader,
    CharonReader,
    PlutoReader,
    FortigateReader,
    RacoonReader,
    OpenikedReader,
    IosReader,
)
"""In the order in which they look at a line that the last one did not know."""

_SHAPE = re.compile(r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8,}|\d+")


class Shape(Record, frozen=True):
    """Lines of IKE that are not in the table and look alike: numbers aside, the same text.

    text -- the first of them; number -- its line, from 1; count -- how many there are
    """

    platform: str
    text: str
    number: int
    count: int


class Folded(Record, frozen=True):
    """Lines of one kind: `kind` is the identifier in the table; first and last line, and how many."""

    kind: str
    first: int
    last: int
    count: int


class _Pending:
    """A line that may go on in the next."""

    __slots__ = ("_size", "_texts", "dump", "last", "number", "parts", "reader", "rows")

    def __init__(self, number: int, text: str, reader: Reader, parts: Parts) -> None:
        self.number = number
        self.reader = reader
        self.parts = parts
        self.last = text
        self.rows = 1
        self.dump = reader.begins_dump(text)
        self._texts = [text]
        self._size = len(text)

    def add(self, text: str) -> None:
        self.rows += 1
        self.last = text
        if self._size < MAX_LINE:
            self._texts.append(text)
            self._size += len(text)

    @property
    def text(self) -> str:
        if len(self._texts) > 1:
            self._texts = [self.reader.joint.join(self._texts)]
        return self._texts[0]


class Lines:
    """Reads lines. `feed` gives those that tell something of a negotiation; the counts have all.

    number -- physical lines so far; platforms -- lines by platform; other -- lines of no format; cut -- lines that were
    too long; wrapped -- physical lines that were joined to the one before; first_when -- what stands before the first
    line of a known format
    """

    def __init__(self, platforms: Sequence[str] = ()) -> None:
        self.readers = [reader() for reader in READERS if not platforms or reader.platform in platforms]
        self._scan = Scan()
        self._platforms: dict[str, int] = {}
        self.cut = 0
        self.wrapped = 0
        self._kinds: dict[str, list[int]] = {}
        self._shapes: dict[tuple[str, str], tuple[str, list[int]]] = {}
        self._unlisted = [0, 0, 0]
        self.first_when = self._last_when = ""
        self._when = (b"", "")
        self._last: Reader = self.readers[0]
        self._pending: _Pending | None = None

    @property
    def number(self) -> int:
        """Physical lines so far."""
        return self._scan.number

    @property
    def other(self) -> int:
        """Lines of no format, the empty ones aside."""
        return self._scan.other

    @property
    def unlisted(self) -> int:
        """Lines of shapes beyond `MAX_SHAPES`."""
        return self._unlisted[2]

    @property
    def last_when(self) -> str:
        """What stands before the last line of a known format."""
        scan = self._scan
        if scan.when_stop:
            return scan.when_buffer[scan.when_start : scan.when_stop].decode("utf-8", "replace")
        return self._last_when

    @property
    def platforms(self) -> dict[str, int]:
        """Lines by platform, in the order of first sight."""
        found = dict(self._platforms)
        for reader in self.readers:
            if reader.plain_lines:
                found[reader.platform] = found.get(reader.platform, 0) + reader.plain_lines
        return found

    @property
    def kinds(self) -> tuple[Folded, ...]:
        """The kinds of lines, the most frequent first."""
        rows = [Folded(kind, first, last, count) for kind, (first, last, count) in self._kinds.items()]
        return tuple(sorted(rows, key=lambda row: -row.count))

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Lines of IKE that are not in the table, the most frequent first."""
        rows = [
            Shape(platform, text, first, count) for (platform, _), (text, (first, _, count)) in self._shapes.items()
        ]
        return tuple(sorted(rows, key=lambda row: -row.count))

    @property
    def known(self) -> int:
        """Lines that are in the table."""
        return sum(count for _, _, count in self._kinds.values())

    @property
    def unknown(self) -> int:
        """Lines of a known format that are not in the table."""
        return sum(self.platforms.values()) - self.known

    def feed(self, texts: Iterable[str], marked: bool = True) -> Iterator[LogLine]:
        """Read these lines, in order; what may go on in the next is held back until `close`.

        marked -- they may have one of `MARKS`
        """
        scan = self._scan
        for text in texts:
            scan.number += 1
            held = self._pending
            if held is not None and held.dump and held.reader.goes_on(held.text, held.last, text, held.rows):
                # Lines of a dump begin like any other.
                self.wrapped += 1
                held.add(text)
                continue
            reader, parts = self._parts(text) if marked else (self._last, None)
            pending = self._pending
            if parts is None:
                if pending is not None:
                    if pending.reader.goes_on(pending.text, pending.last, text, pending.rows):
                        self.wrapped += 1
                        pending.add(text)
                        continue
                    self._pending = None
                    yield from self._read(pending)
                scan.other += bool(text) and not text.isspace()
                continue
            if pending is not None and not self._counted(pending):
                yield from self._read(pending)
            self._pending = _Pending(scan.number, text, reader, parts)

    def _parts(self, text: str) -> tuple[Reader, Parts | None]:
        """Whose a line is, and its parts: the reader that knew the last one looks first."""
        reader = self._last
        parts = reader.split(text)
        if parts is None and any(mark in text for mark in MARKS):
            for reader in self.readers:
                if reader is not self._last:
                    parts = reader.split(text)
                    if parts is not None:
                        self._last = reader
                        break
        return reader, parts

    def block(self, buffer: bytes) -> list[LogLine]:
        """Read lines in UTF-8, the last of which may lack its newline."""
        scan, found = self._scan, list[LogLine]()
        position, end = 0, len(buffer)
        while True:
            scan.waits = self._pending is not None
            scan.format, scan.kept = self._last.scanned, self._last.octets
            why = scan.run(buffer, position, end)
            self._last.plain_lines += scan.plain
            scan.plain = 0
            if why == OVER:
                return found
            if why == SETTLE:
                pending, self._pending = self._pending, None
                if pending is not None and not self._counted(pending):
                    found += self._read(pending)
                position = scan.start
                continue
            position = scan.stop + 1
            if why == GIVEN:
                found += self._given()
                continue
            self._unhold()
            text = buffer[scan.start : scan.stop].decode("utf-8", "replace")
            if len(text) > MAX_LINE:
                self.cut += 1
                text = text[:MAX_LINE]
            found += self.feed((text,), scan.marked)

    def _given(self) -> Iterator[LogLine]:
        """The line that a scan hands out: what its text says is known."""
        scan, reader = self._scan, self._last
        known = scan.given
        assert known is not None
        buffer, start, when = scan.given_buffer, scan.given_start, scan.given_when
        octets = buffer[start:when]
        if octets != self._when[0]:  # within a second the stamps are often the same
            self._when = (octets, octets.decode("utf-8", "replace"))
        thread = ""
        if scan.given_name > scan.given_thread:
            own = scan.given_thread > when  # the name of an SA, behind the number of the thread
            digits = buffer[when : when + 2] if own else b""
            thread = (digits + buffer[scan.given_thread : scan.given_name]).decode()
        said = cast(Said, known.said)
        line = reader.follow(LogLine(scan.given_number, reader.platform, self._when[1], known.text, said, 1, thread))
        if octets:
            self._last_when, scan.when_stop = self._when[1], 0
        reader.plain_lines += 1
        row = known.row
        if row is not None:
            row[1] = line.number
            row[2] += 1
        if not line.said.plain:
            yield line

    def _unhold(self) -> None:
        """Have what a scan holds wait here: a line comes that may be the rest of it."""
        scan = self._scan
        if scan.held is None:
            return
        text = scan.held_buffer[scan.held_start : scan.held_stop].decode("utf-8", "replace")
        parts = self._last.split(text)
        scan.held = None
        if parts is not None:
            self._pending = _Pending(scan.held_number, text, self._last, parts)

    def close(self) -> Iterator[LogLine]:
        """Read what was held back."""
        self._unhold()
        pending, self._pending = self._pending, None
        if pending is not None:
            yield from self._read(pending)

    def _counted(self, pending: _Pending) -> bool:
        """Count a line that needs nothing else; False where it does."""
        known = pending.reader.kept.get(pending.parts[1]) if pending.rows == 1 else None
        if known is None or known.row is None or not known.counted:
            return False
        pending.reader.plain_lines += 1
        known.row[1] = pending.number
        known.row[2] += 1
        self._seen(pending.parts[0])
        return True

    def _read(self, pending: _Pending) -> Iterator[LogLine]:
        number, rows, reader = pending.number, pending.rows, pending.reader
        pieces = reader.pieces(pending.text)
        for piece in pieces:
            parts = pending.parts if len(pieces) == 1 and rows == 1 else reader.split(piece)
            if parts is None:
                self._scan.other += 1
                continue
            line = reader.record(number, parts, rows)
            self._seen(line.when)
            self._platforms[line.platform] = self._platforms.get(line.platform, 0) + 1
            row = self._row(line)
            known = reader.kept.get(parts[1])
            if known is not None and known.row is None and len(pieces) == 1:
                known.row = row
                known.counted = (
                    known.plain and (line.said.kind is not None or reader.quiet) and not reader.restarts(line)
                )
            if not line.said.plain:
                yield line

    def _seen(self, when: str) -> None:
        if when:
            self.first_when = self.first_when or when
            self._last_when, self._scan.when_stop = when, 0

    def _row(self, line: LogLine) -> list[int]:
        """Count a line, and say where."""
        kind = line.said.kind
        if kind is not None:
            row = self._kinds.get(kind.id)
            if row is None:
                row = self._kinds[kind.id] = [line.number, 0, 0]
        else:
            row = self._shape(line)
        row[1] = line.number
        row[2] += 1
        return row

    def _shape(self, line: LogLine) -> list[int]:
        text = masked(line.text[: 2 * MAX_TEMPLATE])[:MAX_TEMPLATE]
        key = (line.platform, _SHAPE.sub("#", text))
        found = self._shapes.get(key)
        if found is not None:
            return found[1]
        if len(self._shapes) >= MAX_SHAPES:
            return self._unlisted
        row = [line.number, 0, 0]
        self._shapes[key] = (text, row)
        return row


def blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines of a stream of octets, some at a time, in UTF-8; UTF-16 where a mark says so is made that.

    A line is kept up to four times `MAX_LINE` octets.
    """
    rest: list[bytes] = []
    size = 0
    for chunk in _utf8(chunks):
        first = chunk.find(b"\n")
        if first < 0:
            rest.append(chunk[: max(0, 4 * MAX_LINE + 4 - size)])
            size += len(chunk)
            continue
        last = chunk.rfind(b"\n") + 1
        if size:
            yield b"".join((*rest, chunk[: min(first, max(0, 4 * MAX_LINE + 4 - size))], chunk[first:last]))
        else:
            yield chunk[:last]
        rest, size = [chunk[last:]], len(chunk) - last
    yield b"".join(rest)


def _utf8(chunks: Iterable[bytes]) -> Iterator[bytes]:
    head = b""
    decoder: codecs.IncrementalDecoder | None = None
    begun = False
    for chunk in chunks:
        if decoder is not None:
            yield decoder.decode(chunk).encode("utf-8", "replace")
            continue
        if begun:
            yield chunk
            continue
        head += chunk
        if len(head) < 3:
            continue
        begun = True
        if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            decoder = codecs.getincrementaldecoder("utf-16")("replace")
            yield decoder.decode(head).encode("utf-8", "replace")
        else:
            yield head.removeprefix(codecs.BOM_UTF8)
    if not begun:
        yield head
    if decoder is not None:
        yield decoder.decode(b"", True).encode("utf-8", "replace")


def read(chunks: Iterable[bytes], lines: Lines) -> Iterator[LogLine]:
    """The records of a stream of octets; `lines` has the counts then."""
    for block in blocks(chunks):
        yield from lines.block(block)
    yield from lines.close()
