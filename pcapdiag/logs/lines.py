"""From the octets of a log to records: the formats are found by looking, line by line.

    octets ──texts──▶ lines of text ──Lines──▶ LogLine

Several formats in one file are told apart. Lines that a console wrapped are joined. What tells nothing of a
negotiation is only counted, by kind; what belongs to IKE and is not in the table is counted by its shape. Memory is
bounded, whatever the log holds: a line is cut at `MAX_LINE`, a shape is kept for the first `MAX_SHAPES`.
"""

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence

from pcapdiag.logs.asa import AsaReader
from pcapdiag.logs.aws import AwsReader
from pcapdiag.logs.azure import AzureReader
from pcapdiag.logs.charon import CharonReader
from pcapdiag.logs.fortigate import FortigateReader
from pcapdiag.logs.ios import IosReader
from pcapdiag.logs.juniper import JuniperReader
from pcapdiag.logs.line import LogLine
from pcapdiag.logs.openiked import OpenikedReader
from pcapdiag.logs.paloalto import PaloaltoReader
from pcapdiag.logs.pluto import PlutoReader
from pcapdiag.logs.racoon import RacoonReader
from pcapdiag.logs.reader import Parts, Reader, masked
from pcapdiag.record import Record

MAX_LINE = 1 << 18
"""Characters of one line that are kept; a message of 64 KiB in hexadecimal has half of that."""
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

MARKS = (
    "%ASA-", "%PIX-", "%FTD-", "[IKE", "IKEv2", "ISAKMP", "IPSEC", "CRYPTO",
    "[NET", "[ENC", "[CFG", "[MGR", "[JOB", "[KNL", "[LIB", "[DMN", "[CHD", "[ASN", "[APP", "[TNC", "[ESP", "[IM",
    "[PTS", "[TLS", '"group"', "pluto", '": ', '" #', "| ", "packet from", '"[', "ike ", "logid=",
    "racoon", "INFO: ", "ERROR: ", "DEBUG", "WARNING: ", "NOTIFY: ", " ipsec", "_ERR]",
    "SESSION_ID", ": Local ", "DiagnosticLog", "IkeCleanup", "based on log :", "Error: Authentication failed. Check",
    "Error: On-prem", "TunnelConnected", "TunnelDisconnected", "[ikeext]", "[SEND]", "[RECEIVED]", "[LOCAL",
    "[IkeEvent]", "[ErrorCode]", "IKE Tunnel ", "ike_phase1_state", "kmd", "KMD_", " <-> ", ",SYSTEM,vpn,",
    "|vpn|SYSTEM|", " ike-", " tunnel-", "[PROTO_", "[INTERNAL_", "[INFO]: ", "[DEBUG]: ", "[WARNING]: ", "[PERR]: ",
    "[PNTF]: ", "[PWRN]: ", "[DEBG]: ",
    "spi=0x", "ikev2", "iked", "create_ike", "sa_", "ca_", "config_", "policy_", "proposals_",
)  # fmt: skip
"""Every line that a reader takes has one of these; most blocks of a syslog have few of them."""

_GROUPED = tuple(
    (re.compile(f"{re.escape(first)}(?:{'|'.join(re.escape(mark[1:]) for mark in MARKS if mark[0] == first)})"))
    for first in '["%'
)
"""Marks with a rare first character: one search for all of them is faster than one for each."""
_SINGLE = tuple(mark for mark in MARKS if mark[0] not in '["%' and "_" not in mark)
_LOW = tuple(mark for mark in MARKS if mark[0] not in '["%' and "_" in mark)
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
    too long; wrapped -- physical lines that were joined to the one before
    """

    def __init__(self, platforms: Sequence[str] = ()) -> None:
        self.readers = [reader() for reader in READERS if not platforms or reader.platform in platforms]
        self.number = 0
        self._platforms: dict[str, int] = {}
        self.other = 0
        self.cut = 0
        self.wrapped = 0
        self._kinds: dict[str, list[int]] = {}
        self._shapes: dict[tuple[str, str], list[object]] = {}
        self.unlisted = 0
        self.last_when = ""
        self._last: Reader = self.readers[0]
        self._pending: _Pending | None = None

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
            Shape(platform, str(found[0]), int(str(found[1])), int(str(found[2])))
            for (platform, _), found in self._shapes.items()
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

    def feed(self, texts: Iterable[str], marks: Sequence[str] | None = None) -> Iterator[LogLine]:
        """Read these lines, in order; what may go on in the next is held back until `close`.

        marks -- of `MARKS` those that stand in any of these lines, where that is known
        """
        for text in texts:
            self.number += 1
            held = self._pending
            if held is not None and held.dump and held.reader.goes_on(held.text, held.last, text, held.rows):
                # Lines of a dump begin like any other.
                self.wrapped += 1
                held.add(text)
                continue
            reader = self._last
            parts = reader.split(text)
            if parts is None and (marks is None or any(mark in text for mark in marks)):
                for reader in self.readers:
                    if reader is not self._last:
                        parts = reader.split(text)
                        if parts is not None:
                            self._last = reader
                            break
            pending = self._pending
            if parts is None:
                if pending is None:
                    self.other += bool(text) and not text.isspace()
                    continue
                if pending.reader.goes_on(pending.text, pending.last, text, pending.rows):
                    self.wrapped += 1
                    pending.add(text)
                    continue
                self._pending = None
                yield from self._read(pending)
                self.other += bool(text) and not text.isspace()
                continue
            if pending is not None:
                known = pending.reader.kept.get(pending.parts[1]) if pending.rows == 1 else None
                if known is not None and known.plain and known.row is not None:
                    pending.reader.plain_lines += 1
                    known.row[1] = pending.number
                    known.row[2] += 1
                    self.last_when = pending.parts[0] or self.last_when
                else:
                    yield from self._read(pending)
            self._pending = _Pending(self.number, text, reader, parts)

    def block(self, rows: Sequence[str], marks: Sequence[str]) -> Iterator[LogLine]:
        """Read these lines; where few have one of the marks, the others are only counted."""
        hits = {place for mark in marks for place, row in enumerate(rows) if mark in row}
        if 4 * len(hits) > len(rows):
            yield from self.feed(rows, marks)
            return
        at = 0
        for place in (*sorted(hits), len(rows)):
            while at < place and self._pending is not None:  # it may be the rest of the line before
                yield from self.feed(rows[at : at + 1], ())
                at += 1
            if at < place:
                self.number += place - at
                self.other += place - at - rows[at:place].count("")
            at = place
            if at < len(rows):
                yield from self.feed(rows[at : at + 1], marks)
                at += 1

    def close(self) -> Iterator[LogLine]:
        """Read what was held back."""
        pending, self._pending = self._pending, None
        if pending is not None:
            yield from self._read(pending)

    def _read(self, pending: _Pending) -> Iterator[LogLine]:
        number, rows, reader = pending.number, pending.rows, pending.reader
        pieces = reader.pieces(pending.text)
        for piece in pieces:
            parts = pending.parts if len(pieces) == 1 and rows == 1 else reader.split(piece)
            if parts is None:
                self.other += 1
                continue
            line = reader.record(number, parts, rows)
            self.last_when = line.when or self.last_when
            self._platforms[line.platform] = self._platforms.get(line.platform, 0) + 1
            kind = line.said.kind
            if kind is not None:
                row = self._kinds.get(kind.id)
                if row is None:
                    row = self._kinds[kind.id] = [number, number, 1]
                else:
                    row[1] = number
                    row[2] += 1
                known = reader.kept.get(parts[1])
                if known is not None and known.row is None and len(pieces) == 1:
                    known.row = row
            else:
                self._unknown(line)
            if not line.said.plain:
                yield line

    def _unknown(self, line: LogLine) -> None:
        text = masked(line.text[: 2 * MAX_TEMPLATE])[:MAX_TEMPLATE]
        key = (line.platform, _SHAPE.sub("#", text))
        found = self._shapes.get(key)
        if found is not None:
            found[2] = int(str(found[2])) + 1
        elif len(self._shapes) < MAX_SHAPES:
            self._shapes[key] = [text, line.number, 1]
        else:
            self.unlisted += 1


def texts(chunks: Iterable[bytes], tally: Lines | None = None) -> Iterator[tuple[list[str], Sequence[str]]]:
    """The lines of a stream of octets, some at a time: UTF-8, or UTF-16 where a mark says so; bad octets are replaced.

    With them come the `MARKS` that stand in any of them. tally -- where lines that had to be cut are counted
    """
    decoder: codecs.IncrementalDecoder | None = None
    rest: list[str] = []
    size = 0
    told = False
    for chunk in chunks:
        if decoder is None:
            utf16 = chunk[:2] in (b"\xff\xfe", b"\xfe\xff")
            decoder = codecs.getincrementaldecoder("utf-16" if utf16 else "utf-8-sig")("replace")
        text = decoder.decode(chunk)
        rows = text.split("\n")
        if len(rows) == 1:
            if size < MAX_LINE:
                rest.append(rows[0][: MAX_LINE - size])
            size += len(rows[0])
            if size > MAX_LINE and not told and tally is not None:
                tally.cut += 1
                told = True
            continue
        told = False
        rows[0] = "".join(rest) + rows[0][: max(0, MAX_LINE - size)] if rest else rows[0]
        rest, size = [rows[-1][:MAX_LINE]], len(rows[-1])
        del rows[-1]
        if tally is not None:
            long = sum(len(row) > MAX_LINE for row in rows)
            if long:
                tally.cut += long
                rows = [row[:MAX_LINE] for row in rows]
        whole = rows[0] if len(rows) == 1 else f"{rows[0]}\n{text}"
        yield rows, marks_in(whole)
    last = "".join(rest)
    if last:
        yield [last], MARKS


def marks_in(whole: str) -> list[str]:
    """Those of `MARKS` that stand in a block."""
    found = [mark for mark in _SINGLE if mark in whole]
    for pattern in _GROUPED:
        found += dict.fromkeys(pattern.findall(whole))
    if "_" in whole:
        found += [mark for mark in _LOW if mark in whole]
    return found


def read(chunks: Iterable[bytes], lines: Lines) -> Iterator[LogLine]:
    """The records of a stream of octets; `lines` has the counts then."""
    for rows, marks in texts(chunks, lines):
        yield from lines.block(rows, marks)
    yield from lines.close()
