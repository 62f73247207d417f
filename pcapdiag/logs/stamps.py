"""Time stamps of logs, as devices and syslog servers write them.

A stamp is a wall clock, mostly without its zone and often without its year. It is kept so: `wall` is what the clock
showed, as nanoseconds since 1970 as if it had been UTC. Nothing is guessed here; `zone` is None where none is written.
"""

import re
from calendar import timegm
from functools import lru_cache
from time import gmtime

from pcapdiag.record import Record
from pcapdiag.units import SECOND

DAY = 86_400 * SECOND

YEAR_UNKNOWN = 2000
"""Stands for a year that is not written: a leap year, so that 29 February is a day."""

_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_ZONES = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "BST": 1, "WEST": 1, "CET": 1, "MET": 1, "CEST": 2, "MEST": 2, "EET": 2,
    "EEST": 3, "MSK": 3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "JST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
"""Hours east of UTC. Abbreviations are not unique; these are what Cisco devices are mostly set to."""

_TIME = r"(?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)(?:[.,](?P<f>\d{1,9}))?"
_FORMS = tuple(
    re.compile(text)
    for text in (
        # 2026-11-27T12:27:29.767+01:00, 2025-01-15 08:59:24.145925, 2015/03/07 17:41:06
        rf"(?P<year>\d{{4}})[-/](?P<month>\d\d)[-/](?P<day>\d\d)[T ]{_TIME}\s?(?P<zone>Z|UTC|[+-]\d\d:?\d\d)?",
        # *Mar  1 2002 00:13:31.891 UTC, Jun 10 17:36:13, Nov 27 12:18:45.995694
        rf"(?P<flag>[*.])?(?P<name>[A-Z][a-z]{{2}})\s+(?P<day>\d{{1,2}})\s+(?:(?P<year>\d{{4}})\s+)?{_TIME}"
        r"(?:\s(?P<zone>[A-Z]{1,5}|[+-]\d\d:?\d\d)(?=[:\s]))?(?:\s(?P<year2>\d{4})\b)?",
        # 27/Nov/2026:12:18:45 and 27-Nov-2026 12:18:45
        rf"(?P<day>\d{{1,2}})[-/](?P<name>[A-Z][a-z]{{2}})[-/](?P<year>\d{{4}})[ :]{_TIME}",
        # oct/25 23:50:30, oct/25/2019 23:50:30
        rf"(?P<name>[a-z]{{3}})/(?P<day>\d\d)(?:/(?P<year>\d{{4}}))?\s{_TIME}",
        # date=2024-12-20 time=14:56:10
        rf"date=(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)\s+time={_TIME}",
        # 00:27:07, 15:43:33.123
        rf"(?<![\d:])(?P<flag>[*.])?{_TIME}(?!:?\d)",
    )
)
_ANY = re.compile("|".join(rf"(?:{re.sub(r'[?]P<[a-z0-9]+>', '?:', form.pattern)})" for form in _FORMS))
_EVENT_TIME = re.compile(r"\beventtime=(\d{10,19})\b")
_ZONE_FIELD = re.compile(r"\btz=\"?([+-]\d\d):?(\d\d)")
_LONGEST = 400
_MOST = 3


class Stamp(Record, frozen=True):
    """A stamp as it was written, and what it says.

    wall -- what the clock showed, in nanoseconds since 1970 as if it were UTC; of a stamp without a year, in the year
        `YEAR_UNKNOWN`; of one without a date, since midnight
    unit -- nanoseconds of its last digit: a second, a millisecond, a microsecond
    zone -- seconds east of UTC that it names, or None
    has_year, has_date -- it names them
    doubt -- "unset" (IOS's `*`: the clock was never set) or "unsynchronised" (`.`), else ""
    """

    text: str
    wall: int
    unit: int
    zone: int | None
    has_year: bool
    has_date: bool
    doubt: str = ""


def stamps_in(text: str) -> tuple[Stamp, ...]:
    """The stamps in what stands before a line, in order; the last is the device's own, an earlier one its relay's."""
    text = text[:_LONGEST]
    found: list[Stamp] = []
    for match in _ANY.finditer(text):
        stamp = _read(text, match)
        if stamp is not None:
            found.append(stamp)
        if len(found) == _MOST:
            break
    return tuple(found)


def event_stamp(text: str) -> Stamp | None:
    """FortiGate's `eventtime`, seconds or nanoseconds since 1970, which needs no zone."""
    match = _EVENT_TIME.search(text[:_LONGEST])
    if match is None:
        return None
    value = int(match[1])
    digits = len(match[1])
    unit = 10 ** (19 - digits) if digits >= 10 else SECOND
    return Stamp(match[0], value * unit, max(unit, 1), 0, True, True)


def zone_field(text: str) -> int | None:
    """The seconds east of UTC of FortiGate's `tz` field."""
    match = _ZONE_FIELD.search(text[:_LONGEST])
    return None if match is None else _offset(match[1], match[2])


@lru_cache(4096)
def last_stamp(when: str) -> Stamp | None:
    """The device's own stamp in what stands before a line: the one nearest to it."""
    found = event_stamp(when)
    if found is not None:
        return found
    stamps = stamps_in(when)
    return stamps[-1] if stamps else None


def _read(text: str, found: re.Match[str]) -> Stamp | None:
    for form in _FORMS:
        match = form.match(text, found.start())
        if match is not None and match.end() == found.end():
            part = {key: value for key, value in match.groupdict().items() if value is not None}
            return _stamp(match[0].strip(), part)
    return None


def _stamp(text: str, part: dict[str, str]) -> Stamp | None:
    hour, minute, second = int(part["h"]), int(part["m"]), int(part["s"])
    if hour > 23 or minute > 59 or second > 60:
        return None
    digits = part.get("f", "")
    wall = (hour * 3600 + minute * 60 + second) * SECOND + int(digits.ljust(9, "0") or 0)
    doubt = {"*": "unset", ".": "unsynchronised"}.get(part.get("flag", ""), "")
    unit = 10 ** (9 - len(digits))
    if "day" not in part:
        return Stamp(text, wall, unit, None, False, False, doubt)
    month = int(part["month"]) if "month" in part else _MONTHS.get(part["name"].lower(), 0)
    written = part.get("year") or part.get("year2")
    year, day = int(written or YEAR_UNKNOWN), int(part["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31 and 1970 <= year <= 2261):
        return None
    wall += timegm((year, month, day, 0, 0, 0)) * SECOND
    return Stamp(text, wall, unit, _zone(part.get("zone")), written is not None, True, doubt)


def _zone(text: str | None) -> int | None:
    if text is None:
        return None
    if text in _ZONES:
        return _ZONES[text] * 3600
    return _offset(text[:3], text[-2:]) if text[0] in "+-" else None


def _offset(hours: str, minutes: str) -> int:
    sign = -1 if hours[0] == "-" else 1
    return sign * (abs(int(hours)) * 3600 + int(minutes) * 60)


def in_year(stamp: Stamp, year: int) -> Stamp:
    """The same stamp in that year; one that names its year, or has no date, is left alone."""
    if stamp.has_year or not stamp.has_date:
        return stamp
    parts = gmtime(stamp.wall // SECOND)
    wall = timegm((year, parts.tm_mon, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec)) * SECOND
    return Stamp(
        stamp.text, wall + stamp.wall % SECOND, stamp.unit, stamp.zone, stamp.has_year, stamp.has_date, stamp.doubt
    )
