"""The table of log lines: what devices print about IKE, what each line means, and where its text is public.

The texts live in ``lines/*.toml``, a file for each platform; this module reads and checks them, and finds the entry
that fits a line. A built package has the entries as a module of ready records, a checkout reads the TOML.

A text is the device's own fixed phrase; what stands in braces varies: ``QM FSM error (P2 struct {}, mess id {})``.
It fits where its fixed parts occur in the line, in that order, whatever the case and the white space.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from pcapdiag.record import Record

PLATFORMS = (
    "asa",
    "ios",
    "strongswan",
    "libreswan",
    "fortigate",
    "racoon",
    "openiked",
    "paloalto",
    "mikrotik",
    "sonicwall",
    "juniper",
    "azure",
    "aws",
)
"""Who prints lines."""

STATUSES = ("confirmed", "likely", "possible")
"""How far a line carries its first cause: the end that logs it knows, it points there, or it leaves several open."""

TELLS = (
    "",
    "begin",  # a negotiation begins
    "phase1-up",
    "phase2-up",
    "refuses",  # this end refuses phase 1
    "refused",  # the peer refused phase 1, as this end was told
    "refuses-phase2",
    "refused-phase2",
    "auth-failed",  # this end does not accept the peer's proof of who it is
    "timeout",  # no answer until the last try
    "timeout-phase2",
    "lost",  # it was up, and the peer is gone
    "closed",  # given up, or deleted
    "resends",  # this end sends its last message again
    "repeated",  # the peer sends its last message again
    "unreadable",  # a message cannot be decrypted, or makes no sense
)
"""What a line tells of the negotiation."""

KNOWS = ("self", "peer", "")
"""Which end knows what the line says: the one that logs it, or the other, of which it repeats the word."""

_FIELD = re.compile(r"\{[a-z0-9_]*\}")
_WORD = re.compile(r"\w+")
_TOUCHED = re.compile(r"\w+(?=\{[a-z0-9_]*\})|(?<=\})\w+")
"""Words that go on in a field, so that a line has other words there."""
_LOOKALIKES = str.maketrans("‘’“”–—", "''\"\"--")
_LONGEST = 8192
"""Characters of a line that are looked at."""


class TableError(ValueError):
    """The table breaks its own rules. The message is one line and names the entry and the field."""


class LineKind(Record, frozen=True):
    """One line that a device logs.

    id -- stable and public: ``asa/qm-fsm-error``
    platform -- one of `PLATFORMS`; versions -- of its software, where they matter; ike -- 1, 2, or 0 for either
    texts -- the phrase, in each form that is known of it; numbers -- those of the syslog messages that carry it
    meaning -- what it says; wire -- what a capture shows at that moment; each empty where there is nothing to say
    causes -- identifiers of causes, likeliest first; status -- how far the line carries the first of them
    against -- causes that it speaks against
    tells -- one of `TELLS`; knows -- one of `KNOWS`
    state -- in which the end that logs it is then; message -- of the exchange that it is about: ``MM5``
    document -- the source document has the line; source -- where its text is public
    """

    id: str
    platform: str
    texts: tuple[str, ...]
    meaning: str
    wire: str = ""
    causes: tuple[str, ...] = ()
    status: str = "possible"
    against: tuple[str, ...] = ()
    tells: str = ""
    knows: str = ""
    state: str = ""
    message: str = ""
    numbers: tuple[int, ...] = ()
    versions: str = ""
    ike: int = 0
    document: bool = False
    source: str = ""

    @property
    def contains(self) -> tuple[str, ...]:
        """The fixed parts of its text, in order."""
        return tuple(part.strip() for part in _FIELD.split(self.texts[0]) if part.strip())


class Table:
    """Finds what fits a line. Each entry is filed under its longest word, so that a line meets few of them."""

    def __init__(self, kinds: Iterable[LineKind]) -> None:
        self.kinds = tuple(kinds)
        self._filed: dict[str, list[tuple[tuple[str, ...], int, LineKind]]] = {}
        self._numbered: dict[int, list[LineKind]] = {}
        for kind in self.kinds:
            for text in kind.texts:
                parts = tuple(filter(None, map(fold, _FIELD.split(text))))
                self._filed.setdefault(_anchor(text), []).append((parts, sum(map(len, parts)), kind))
            for number in kind.numbers:
                self._numbered.setdefault(number, []).append(kind)

    def match(self, line: str, platforms: Collection[str] = ()) -> LineKind | None:
        """Return the entry that fits a line, or None; of several the one with the most text.

        platforms -- only entries of these; all without
        """
        folded = fold(line[:_LONGEST])
        best, most = None, 0
        for word in set(_WORD.findall(folded)):
            for parts, size, kind in self._filed.get(word, ()):
                if size > most and (not platforms or kind.platform in platforms) and _in_order(parts, folded):
                    best, most = kind, size
        return best

    def numbered(self, number: int, platform: str) -> LineKind | None:
        """Return the entry of a syslog message by its number alone; None where several texts share it."""
        found = [kind for kind in self._numbered.get(number, ()) if kind.platform == platform]
        return found[0] if len(found) == 1 else None

    def by_id(self, kind_id: str) -> LineKind | None:
        """Return the entry of that identifier, or None."""
        return next((kind for kind in self.kinds if kind.id == kind_id), None)


@cache
def load() -> Table:
    """Read the table. It is read once; later calls return the same object. Raises `TableError` for a broken rule."""
    try:
        built = import_module("pcapdiag.knowledge.log_lines_built")
    except ImportError:
        return Table(read_entries())
    kinds: tuple[LineKind, ...] = built.KINDS
    return Table(kinds)


def read_entries() -> tuple[LineKind, ...]:
    """The entries out of the TOML files. Raises `TableError`."""
    from pkgutil import get_data

    found: list[LineKind] = []
    for platform in PLATFORMS:
        octets = get_data("pcapdiag.knowledge", f"lines/{platform}.toml")
        if octets is None:
            raise TableError(f"lines/{platform}.toml cannot be read: the importer hands out no files")
        found += parse(octets.decode("utf-8"), platform)
    return tuple(found)


def parse(text: str, platform: str, causes: Collection[str] = ()) -> tuple[LineKind, ...]:
    """Read the text of one file. Raises `TableError` at the first thing that is wrong with it.

    causes -- the identifiers of causes that there are, where they are to be checked too
    """
    import tomllib

    try:
        root = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TableError(f"{platform}: not TOML: {error}") from None
    for key in root:
        if key not in ("sources", "line"):
            raise TableError(f"{platform}: {key}: unknown key")
    sources = root.get("sources", {})
    if not isinstance(sources, dict) or not all(isinstance(value, str) for value in sources.values()):
        raise TableError(f"{platform}: sources: must be names with addresses")
    entries = root.get("line", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise TableError(f"{platform}: line: must be tables")
    kinds = tuple(_kind(entry, platform, sources, place) for place, entry in enumerate(entries, 1))
    _check(kinds, causes)
    return kinds


_SHAPE: Mapping[str, tuple[type, str]] = {
    "id": (str, "a text"),
    "text": (list, "a list of texts"),
    "meaning": (str, "a text"),
    "wire": (str, "a text"),
    "causes": (list, "a list of texts"),
    "status": (str, "a text"),
    "against": (list, "a list of texts"),
    "tells": (str, "a text"),
    "knows": (str, "a text"),
    "state": (str, "a text"),
    "message": (str, "a text"),
    "numbers": (list, "a list of numbers"),
    "versions": (str, "a text"),
    "ike": (int, "1 or 2"),
    "document": (bool, "true or false"),
    "source": (str, "a text"),
}
_REQUIRED = ("id", "text", "meaning", "source")
_CHOICES = {"status": STATUSES, "tells": TELLS, "knows": KNOWS}


def _kind(entry: Mapping[str, Any], platform: str, sources: Mapping[str, str], place: int) -> LineKind:
    name = entry.get("id")
    where = f"{platform}: line {name!r}" if isinstance(name, str) else f"{platform}: line {place}"

    def fault(key: str, what: str) -> TableError:
        return TableError(f"{where}: {key}: {what}")

    values: dict[str, Any] = {}
    for key, written in entry.items():
        value: Any = written
        if key not in _SHAPE:
            raise fault(key, "unknown key")
        kind, what = _SHAPE[key]
        if key == "text" and isinstance(value, str):
            value = [value]
        if type(value) is not kind:
            raise fault(key, f"must be {what}")
        if isinstance(value, list):
            inner = int if key == "numbers" else str
            if not value or not all(type(item) is inner for item in value):
                raise fault(key, f"must be {what}, and not empty")
            value = tuple(" ".join(item.split()) if inner is str else item for item in value)
        elif isinstance(value, str):
            value = " ".join(value.split())
        values[key] = value
    for key in _REQUIRED:
        if not values.get(key):
            raise fault(key, "missing")
    for key, allowed in _CHOICES.items():
        if values.get(key, "") not in (*allowed, ""):
            raise fault(key, f"does not know {values[key]!r}")
    if values.get("ike", 1) not in (1, 2):
        raise fault("ike", "must be 1 or 2")
    if values["source"] not in sources:
        raise fault("source", f"does not know {values['source']!r}")
    for text in values["text"]:
        if not _anchor(text):
            raise fault("text", f"no word of {text!r} is fixed")
    if values.get("status", "possible") != "possible" and not values.get("causes"):
        raise fault("status", "there is no cause that it could be of")
    values["source"] = sources[values["source"]]
    values["texts"] = values.pop("text")
    values["id"] = f"{platform}/{values['id']}"
    return LineKind(platform=platform, **values)


def _check(kinds: Iterable[LineKind], causes: Collection[str]) -> None:
    names: set[str] = set()
    texts: dict[tuple[str, ...], str] = {}
    for kind in kinds:
        if kind.id in names:
            raise TableError(f"{kind.id}: duplicate id")
        names.add(kind.id)
        for text in kind.texts:
            parts = tuple(filter(None, map(fold, _FIELD.split(text))))
            if parts in texts:
                raise TableError(f"{kind.id}: text: the same as that of {texts[parts]}")
            texts[parts] = kind.id
        for name in (*kind.causes, *kind.against):
            if causes and name not in causes:
                raise TableError(f"{kind.id}: causes: does not know {name!r}")


def fold(text: str) -> str:
    """The text as it is compared: one case, one space, plain quotes and dashes."""
    if not text.isascii():
        text = text.translate(_LOOKALIKES)
    return " ".join(text.split()).casefold()


def _in_order(parts: tuple[str, ...], folded: str) -> bool:
    at = 0
    for part in parts:
        at = folded.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True


def _anchor(text: str) -> str:
    """The longest word of a phrase that no field touches: a line that the phrase fits has it as a word."""
    touched = {word for part in _TOUCHED.findall(text) for word in _WORD.findall(fold(part))}
    words = _WORD.findall(fold(_FIELD.sub(" ", text)))
    return max((word for word in words if word not in touched), key=len, default="")
