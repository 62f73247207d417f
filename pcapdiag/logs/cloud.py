"""What logs of cloud gateways have in common: records as JSON, alone, in CSV or escaped in other JSON; their stamps.

A stamp that is no clock of a log is written as one here: seconds since 1970, and the dates of Microsoft's exports
(month first). The rest of the reading is that of any other log.
"""

import json
import re
from collections.abc import Mapping
from time import gmtime, strftime

LONGEST = 1 << 17
"""Characters of a record that are decoded."""

_EPOCH = re.compile(r"(\d{10})(\d{3}|\d{6}|\d{9})?(?:\.(\d{1,9})\d*)?")
_MONTH_FIRST = re.compile(r"\b(\d{1,2})/(\d{1,2})/(\d{4})[-, ]{1,2}(\d{1,2}):(\d\d):(\d\d)(\.\d{1,9})?(?: ([AP])M)?")
_DECODER = json.JSONDecoder()


def record_in(text: str) -> tuple[str, Mapping[str, object]] | None:
    """What stands before the JSON object of a line, and the object; None where there is none.

    The quotes may be doubled, as CSV has them, or escaped, as in the output of a command.
    """
    at = text.find("{")
    if at < 0:
        return None
    body = text[at : at + LONGEST]
    if body[1:3] == '""':
        body = body.replace('""', '"')
    elif body[1:3] == '\\"':
        body = body.replace("\\\\", "\\").replace('\\"', '"')
    try:
        found, _ = _DECODER.raw_decode(body)
    except (ValueError, RecursionError):
        return None
    return (text[:at], found) if isinstance(found, dict) else None


def text_of(record: Mapping[str, object], *names: str) -> str:
    """The first of these fields that the record has, as text; case does not matter."""
    known = {name.lower(): value for name, value in record.items()}
    for name in names:
        value = known.get(name.lower())
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str | int | float):
            return str(value)
    return ""


def clock(text: str) -> str:
    """A stamp as other logs write it: an epoch in UTC, a date of Microsoft's with the year first; else as it is."""
    epoch = _EPOCH.fullmatch(text.strip())
    if epoch is not None:
        seconds, fraction = int(epoch[1]), epoch[2] or epoch[3] or ""
        return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(seconds))}{f'.{fraction}' if fraction else ''}Z"
    return _MONTH_FIRST.sub(_year_first, text)


def _year_first(found: re.Match[str]) -> str:
    hour = int(found[4])
    if found[8]:
        hour = hour % 12 + (12 if found[8] == "P" else 0)
    return f"{found[3]}-{int(found[1]):02d}-{int(found[2]):02d}T{hour:02d}:{found[5]}:{found[6]}{found[7] or ''}"
