"""JSON as text: ASCII throughout, and times with all their digits."""

import codecs
import json
from functools import lru_cache

import msgspec

from pcapdiag.units import SECOND

Json = str | int | bool | None | msgspec.Raw | list["Json"] | dict[str, "Json"]
"""What stands in a document; a time is written out already."""


def encoded(document: Json) -> str:
    """The document as JSON in ASCII. json's own encoder takes ten times as long."""
    try:
        octets = msgspec.json.encode(document)
    except UnicodeEncodeError:
        octets = msgspec.json.encode(_spelled(document))
    text = octets.decode().replace("\x7f", "\\u007f")
    # Such a character can only stand within a string.
    return text if text.isascii() else text.encode("ascii", _ESCAPES).decode()


_ESCAPES = "pcapdiag-json"
"""What codecs calls the way of such characters here; to look for them with `re` takes ten times as long."""


def _escaped(fault: UnicodeError) -> tuple[str, int]:
    assert isinstance(fault, UnicodeEncodeError)
    return "".join(map(_escape, fault.object[fault.start : fault.end])), fault.end


codecs.register_error(_ESCAPES, _escaped)


@lru_cache(256)
def _escape(character: str) -> str:
    return json.dumps(character)[1:-1]


def _spelled(document: Json) -> Json:
    """The same with strings written out by json: they may hold lone surrogates, as names of files do."""
    if isinstance(document, dict):
        return {key: _spelled(value) for key, value in document.items()}
    if isinstance(document, list):
        return [_spelled(value) for value in document]
    return msgspec.Raw(json.dumps(document).encode()) if isinstance(document, str) else document


def line(document: dict[str, Json]) -> str:
    """One JSON document on one line."""
    return encoded(document) + "\n"


def time(nanoseconds: int | None) -> msgspec.Raw | None:
    """A point in time as the reports have it: Unix seconds with nine places."""
    if nanoseconds is None:
        return None
    if nanoseconds < 0:
        return msgspec.Raw(b"-%d.%09d" % divmod(-nanoseconds, SECOND))
    return msgspec.Raw(b"%d.%09d" % divmod(nanoseconds, SECOND))
