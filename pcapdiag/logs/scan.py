# cython: boundscheck=False, wraparound=False
"""The lines of a log that are only counted, found in its octets; compiled where a C compiler is at hand.

    block ──Scan.run──▶ SLOW: a line to be read in full; GIVEN: one whose text is known; SETTLE; OVER

Most lines of a syslog are of nothing that is known, and have none of the marks; most of a debug say what was said
before, at another time. The first are counted without being decoded, the others by their octets behind the stamp. What
is uncertain here goes the slow way: with a scan and without one the results are the same.
"""

from pcapdiag.logs.marks import ANY, CHARON, GIVEN, MARKS, MAX_LINE, OVER, SETTLE, SLOW, Ahead

_GROUPS = b"DMNMGRIKECHDJOBCFGKNLNETASNENCTNCIMCIMVPTSTLSAPPESPLIB"
_REACH = 300
"""Where the text of a line begins at most."""
_NAME = 200


def _pairs() -> tuple[bytes, list[tuple[int, bytes]]]:
    """For two octets at a time: 0, or where the marks of which they are the rarest two begin in the list."""
    by_pair: dict[int, list[tuple[int, bytes]]] = {}
    for text in MARKS:
        mark = text.encode()
        at = min(range(len(mark) - 1), key=lambda n: (_common(mark[n]) + _common(mark[n + 1]), n))
        by_pair.setdefault(mark[at] << 8 | mark[at + 1], []).append((at, mark))
    table = bytearray(1 << 16)
    listed: list[tuple[int, bytes]] = [(0, b"")]
    for pair, marks in by_pair.items():
        table[pair] = len(listed)
        listed += [*marks, (0, b"")]
    return bytes(table), listed


def _common(octet: int) -> int:
    """How often an octet stands in logs, roughly."""
    return 3 if chr(octet).islower() else 2 if chr(octet) in " :=0x" else 1 if chr(octet).isupper() else 0


_PAIRS, _LISTED = _pairs()
_INTERPRETED = type(_common).__name__ == "function"
"""Octet by octet is fast where this is compiled; the interpreter looks for marks, and skips what is between."""


class Known:
    """What a text says, and where lines that say it are counted.

    row -- first line, last line, how many; None where no line was counted yet
    counted -- a line that says it needs nothing but to be counted; plain -- it tells nothing of a negotiation
    single -- it is one line, and not several as a copied page has them
    """

    def __init__(self, said: object, text: str, plain: bool, single: bool) -> None:
        self.said = said
        self.text = text
        self.plain = plain
        self.single = single
        self.counted = False
        self.row: list[int] | None = None


class Scan:
    """Goes over lines.

    number -- lines so far; other -- those of nothing known; plain -- those of the reader in `kept` that were counted
    format, kept -- of the reader that knew the last line: how its lines are taken apart, and what it has kept
    waits -- something else than `held` waits for the next line
    held -- what the last line says, where it may still go on: of the line `held_number`, at `held_start` in
        `held_buffer`, whose text begins at `held_text`; its thread is from `held_thread` to `held_name`
    given, given_number … -- the same of a line that is handed out
    start, stop -- of a line to be read in full; marked -- it has one of the marks
    when -- where the stamps of the last line that was counted stand: in `when_buffer`, up to `when_stop`
    """

    def __init__(self) -> None:
        self.number = 0
        self.other = 0
        self.plain = 0
        self.format = ANY
        self.kept: dict[bytes, Known] = {}
        self.waits = False
        self.held: Known | None = None
        self.held_buffer = self.given_buffer = self.when_buffer = b""
        self.held_number = self.held_start = self.held_stop = self.held_when = 0
        self.held_thread = self.held_name = 0
        self.given: Known | None = None
        self.given_number = self.given_start = self.given_when = 0
        self.given_thread = self.given_name = 0
        self.start = self.stop = 0
        self.marked = False
        self.when_start = self.when_stop = 0
        self._when = self._text = self._end = self._thread = self._name = 0
        self._ahead = Ahead(b"")

    def run(self, buffer: bytes, position: int, end: int) -> int:
        """Go on at `position`; `stop` is where the line ends that stopped it, its newline included in what follows."""
        while position < end:
            if _INTERPRETED:
                position = self._skip(buffer, position, end)
                if position >= end:
                    break
                mark = min(self._ahead.of(position), line_end(buffer, position, end))
            else:
                mark = find_mark(buffer, position, end)
            stop = line_end(buffer, mark, end)
            self.start, self.stop = position, stop
            if stop == mark and mark - position <= MAX_LINE:
                if self.waits or self.held is not None:
                    self.marked = False
                    return SLOW
                self.number += 1
                self.other += not is_blank(buffer, position, stop)
                position = stop + 1
                continue
            self.marked = True
            if _INTERPRETED or self.format == ANY or stop - position > MAX_LINE:
                return SLOW
            if not (
                self._split_charon(buffer, position, stop)
                if self.format == CHARON
                else self._split_asa(buffer, position, stop)
            ):
                return SLOW
            if self.waits:
                return SETTLE
            known = self.kept.get(buffer[self._text : self._end])
            if known is None or known.row is None or not known.single:
                return SLOW
            handed = self._settle()
            self.number += 1
            self.held = known
            self.held_buffer = buffer
            self.held_number = self.number
            self.held_start, self.held_stop, self.held_when = position, stop, self._when
            self.held_thread, self.held_name = self._thread, self._name
            if handed:
                return GIVEN
            position = stop + 1
        self.start = self.stop = end
        return OVER

    def _skip(self, buffer: bytes, position: int, end: int) -> int:
        """Count the whole lines without a mark from here on, where none of them is asked for; where the next begins."""
        if self._ahead.block is not buffer:
            self._ahead = Ahead(buffer)
        if self.waits or self.held is not None:
            return position
        begin = buffer.rfind(b"\n", position, min(self._ahead.of(position), end)) + 1
        if begin <= position:
            return position
        rows = buffer[position : begin - 1].split(b"\n")
        if max(map(len, rows)) > MAX_LINE:
            return position
        self.number += len(rows)
        self.other += len(rows) - [is_blank(row, 0, len(row)) for row in rows].count(True)
        return begin

    def _settle(self) -> bool:
        """The held line does not go on: count it, or hand it out."""
        known = self.held
        if known is None:
            return False
        self.held = None
        if known.counted:
            self._count(known)
            return False
        self.given = known
        self.given_buffer = self.held_buffer
        self.given_number = self.held_number
        self.given_start, self.given_when = self.held_start, self.held_when
        self.given_thread, self.given_name = self.held_thread, self.held_name
        return True

    def _count(self, known: Known) -> None:
        row = known.row
        if row is not None:
            row[1] = self.held_number
            row[2] += 1
        self.plain += 1
        if self.held_when > self.held_start:
            self.when_buffer = self.held_buffer
            self.when_start, self.when_stop = self.held_start, self.held_when

    def _split_charon(self, buffer: bytes, start: int, stop: int) -> bool:
        """Find the parts of a line of charon; False where that is left to the reader."""
        if buffer[start] == 123:  # JSON
            return False
        at = start
        while at < stop and at - start <= _REACH:
            octet = buffer[at]
            if octet > 126:
                return False
            if octet == 91 and at - start >= 2 and is_digit(buffer[at - 1]) and is_digit(buffer[at - 2]):
                if at - 3 >= start and (is_digit(buffer[at - 3]) or buffer[at - 3] == 46):
                    return False
                return self._split_behind(buffer, at, stop)
            at += 1
        return False

    def _split_behind(self, buffer: bytes, at: int, stop: int) -> bool:
        """The same, from the bracket behind the thread on."""
        text = at + 4
        if text >= stop or not is_group(buffer, at + 1):
            return False
        if is_digit(buffer[text]):
            text += 1
        if text >= stop or buffer[text] != 93:
            return False
        text += 1
        if text < stop and buffer[text] == 58:
            text += 1
        if text < stop and buffer[text] == 32:
            text += 1
        self._when = self._thread = at - 2
        self._name = at
        if text < stop and buffer[text] == 60:
            name = text + 1
            while name < stop and buffer[name] != 62:
                if buffer[name] > 126:
                    return False
                name += 1
            if name + 1 >= stop or buffer[name + 1] != 32 or name - text + 2 > _NAME:
                return False
            self._thread, self._name = text, name
            text = name + 2
        end = stop
        while end > text and (buffer[end - 1] == 95 or buffer[end - 1] == 13):
            end -= 1
        self._text, self._end = text, end
        return True

    def _split_asa(self, buffer: bytes, start: int, stop: int) -> bool:
        """Find the parts of a line of an ASA; False where that is left to the reader."""
        at = start
        while at < stop and buffer[at] != 91 and buffer[at] != 37:
            if buffer[at] > 126:
                return False
            at += 1
        if at >= stop or at - start > _REACH:
            return False
        head = asa_bracket(buffer, at, stop) if buffer[at] == 91 else asa_number(buffer, at, stop)
        if not head:
            return False
        self._when = self._thread = self._name = self._text = at
        self._end = stop
        return True


def find_mark(buffer: bytes, at: int, end: int) -> int:
    """Where in this line something stands that has a mark around it; else where the line ends."""
    octet = 0
    before = 0
    while at < end:
        octet = buffer[at]
        if octet == 10:
            return at
        where = _PAIRS[before << 8 | octet]
        if where and is_mark(buffer, at - 1, end, where):
            return at
        before = octet
        at += 1
    return at


def line_end(buffer: bytes, at: int, end: int) -> int:
    """Where the line ends that has this place."""
    if _INTERPRETED:
        found = buffer.find(b"\n", at, end)
        return end if found < 0 else found
    while at < end and buffer[at] != 10:
        at += 1
    return at


def is_mark(buffer: bytes, at: int, end: int, where: int) -> bool:
    """Whether one of the marks from this place of the list on has its rarest two octets at `at`."""
    before, mark = _LISTED[where]
    while mark:
        if at >= before and buffer.startswith(mark, at - before, end):
            return True
        where += 1
        before, mark = _LISTED[where]
    return False


def is_blank(buffer: bytes, start: int, stop: int) -> bool:
    """Whether nothing but white space stands in a line."""
    if start < stop and 32 < buffer[start] < 127:
        return False
    text = buffer[start:stop].decode("utf-8", "replace")
    return not text or text.isspace()


def is_digit(octet: int) -> bool:
    """Whether an octet is a digit."""
    return 48 <= octet <= 57


def is_group(buffer: bytes, at: int) -> bool:
    """Whether one of charon's groups stands there."""
    one, two, three = buffer[at], buffer[at + 1], buffer[at + 2]
    where = 0
    while where < 54:
        if _GROUPS[where] == one and _GROUPS[where + 1] == two and _GROUPS[where + 2] == three:
            return True
        where += 3
    return False


def asa_bracket(buffer: bytes, at: int, stop: int) -> bool:
    """Whether `[IKEv1]` or `[IKEv1 DEBUG]` stands there."""
    if stop - at < 8 or buffer[at + 1] != 73 or buffer[at + 2] != 75 or buffer[at + 3] != 69 or buffer[at + 4] != 118:
        return False
    if buffer[at + 5] != 49 and buffer[at + 5] != 50:
        return False
    if buffer[at + 6] == 93:
        return True
    if buffer[at + 6] != 32:
        return False
    at += 7
    while at < stop and 65 <= buffer[at] <= 90:
        at += 1
    return at < stop and buffer[at] == 93 and buffer[at - 1] != 32


def asa_number(buffer: bytes, at: int, stop: int) -> bool:
    """Whether `%ASA-5-713120: ` stands there, and no bracket of a debug behind it."""
    if stop - at < 15 or buffer[at + 1] != 65 or buffer[at + 2] != 83 or buffer[at + 3] != 65 or buffer[at + 4] != 45:
        return False
    if not is_digit(buffer[at + 5]) or buffer[at + 6] != 45 or buffer[at + 13] != 58:
        return False
    where = at + 7
    while where < at + 13:
        if not is_digit(buffer[where]):
            return False
        where += 1
    return buffer.find(b"[IKEv", at, stop) < 0
