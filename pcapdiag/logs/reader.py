"""What the readers of all formats share: a head that tells the format, a body that is looked up once, and a session.

A reader is fed with lines and gives records; it does no input or output, keeps a bounded memory of what the lines
before said (which thread of `charon` is at which message), and raises nothing whatever a line holds.
"""

import re
from collections.abc import Sequence
from typing import cast

from msgspec.structs import replace

from pcapdiag.knowledge import log_lines
from pcapdiag.logs.line import LogLine, Said
from pcapdiag.logs.marks import ANY
from pcapdiag.logs.scan import Known

MAX_BODY = 4096
"""Characters of a line that are looked at, beyond whole messages in hexadecimal."""
MAX_KEPT = 1 << 15
"""Different texts whose meaning is kept, so that the thousandth line of a kind costs next to nothing."""
MAX_SESSIONS = 4096
"""Sessions, threads and connections that a reader remembers."""

ADDRESS = r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%\w+)?)"
"""An address, roughly; whoever uses it for more than a name has to parse it."""
UNKNOWN = Said()


Parts = tuple[str, str, str]
"""What stands before a line, with the stamps; the line; its thread."""


class Reader:
    """Reads one format.

    platform -- of its lines, and `platforms` where it reads those of several
    head -- what every line of the format begins with: groups `when` (what stands before, with the stamps) and `text`
    """

    platform = ""
    head: re.Pattern[str] = re.compile(r"(?!)")
    platforms: Sequence[str] = ()
    marks: Sequence[str] = ()
    """Every line of the format has one of these."""
    scanned = ANY
    """How a scan takes its lines apart."""
    quiet = False
    """What a line that tells nothing says is of no matter to the lines after it, whether the table knows it or not."""
    joint = "\n"
    """What stands between physical lines that are joined; nothing where a console cut them at its width."""

    def __init__(self) -> None:
        self._table = log_lines.load()
        self.kept: dict[str, Known] = {}
        self.octets: dict[bytes, Known] = {}
        self.plain_lines = 0

    def split(self, text: str) -> Parts | None:
        """What stands before a line, the line, and its thread; None where it is not of this format."""
        for mark in self.marks:
            if mark in text:
                break
        else:
            return None
        match = self.head.match(text)
        if match is None:
            return None
        return match["when"], match["text"], ""

    def takes(self, text: str) -> bool:
        """Whether a line is of this format."""
        return self.split(text) is not None

    def read(self, number: int, text: str, rows: int = 1) -> LogLine | None:
        """The record of a line; None where it is not of this format."""
        parts = self.split(text)
        return None if parts is None else self.record(number, parts, rows)

    def record(self, number: int, parts: Parts, rows: int = 1) -> LogLine:
        """The record of a line that was split."""
        when, body, thread = parts
        known = self.kept.get(body)
        said = cast(Said, (known or self.look_up(body)).said)
        return self.follow(LogLine(number, self.platform, when, body, said, rows, thread))

    def look_up(self, body: str) -> Known:
        """What a line says by itself, kept for the next that says the same."""
        said = self.say(body)
        known = Known(said, body, said.plain, len(self.pieces(body)) == 1)
        if len(body) <= MAX_BODY:
            if len(self.kept) >= MAX_KEPT:
                self.kept.clear()
                self.octets.clear()
            self.kept[body] = known
            if self.scanned != ANY:
                self.octets[body.encode("utf-8", "replace")] = known
        return known

    def say(self, body: str) -> Said:
        """What a line says by itself."""
        return Said(kind=self.kind(body))

    def kind(self, body: str) -> log_lines.LineKind | None:
        """The entry of the table that fits."""
        return self._table.match(body[:MAX_BODY], self.platforms or (self.platform,))

    def follow(self, line: LogLine) -> LogLine:
        """The same line with what those before it tell of it."""
        return line

    def restarts(self, line: LogLine) -> bool:
        """Whether the program begins anew with this line: what it numbers is other than before."""
        return False

    def goes_on(self, before: str, last: str, text: str, rows: int) -> bool:
        """Whether a line that begins like none of any format is the rest of `before`, one of this format.

        last -- the last physical line of it so far; rows -- how many it has
        """
        return False

    @staticmethod
    def begins_dump(text: str) -> bool:
        """Whether the octets of a message follow this line, in lines that begin as any other."""
        return False

    def pieces(self, text: str) -> Sequence[str]:
        """The lines of the format that stand in one line of a file, as when a page was copied."""
        return (text,)


def bounded(mapping: dict[str, object]) -> None:
    """Make room in what is remembered: half of it goes, the oldest."""
    if len(mapping) >= MAX_SESSIONS:
        for key in list(mapping)[: MAX_SESSIONS // 2]:
            del mapping[key]


_OCTETS = re.compile(
    r"(?:^|(?<=\s))\d{1,4}: (?:[0-9A-Fa-f]{2}(?: |$)).*|"  # charon's dumps, the readable column too
    r"(?:[0-9A-Fa-f]{2}\s+){4,}.*|"
    r"(?:[0-9A-Fa-f]{8}\s+){2,}.*|"
    r"(?<=:)[0-9A-Fa-f]{16,}|[0-9A-Fa-f]{17,}",
    re.DOTALL,
)


def masked(text: str) -> str:
    """A line without what may be a key or what was enciphered: octets in hexadecimal, whoever printed them."""
    return _OCTETS.sub("…", text)


def unmarked(octets: bytes) -> bytes:
    """A message without the four zero octets that stand before it on UDP 4500 (RFC 3948 §2.2)."""
    return octets[4:] if octets[:4] == bytes(4) and any(octets[4:12]) else octets


def spi(text: str) -> bytes:
    """Eight octets out of sixteen hexadecimal digits; nothing where they are not that, or all zero."""
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        return b""
    return octets if len(octets) == 8 and any(octets) else b""


def number(text: str, base: int = 10) -> int | None:
    """A number, or None; message IDs may be signed, as IOS prints them."""
    try:
        value = int(text, base)
    except ValueError:
        return None
    return value & 0xFFFFFFFF if -(1 << 31) <= value < 1 << 32 else None


def with_said(line: LogLine, **changes: object) -> LogLine:
    """The line with something else in what it says."""
    return replace(line, said=replace(line.said, **changes))
