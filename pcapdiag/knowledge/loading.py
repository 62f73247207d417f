"""The knowledge base: what each state, cause and notify means, and what to check.

The text lives in ``causes.toml`` beside this module, and the commands in ``commands/``, a file a platform. They are
read once, checked strictly, and handed out as frozen records, so that a misspelt key, an unknown cause, a debug that
nothing ends or a change that no look comes before is found by the first test, not by a reader.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import replace

from pcapdiag.knowledge.platform_names import PLATFORM_NAMES, speaks
from pcapdiag.record import Record

if TYPE_CHECKING:
    from pcapdiag.knowledge.log_lines import LineKind

SCHEMA_VERSION = 1

ENDS = ("initiator", "responder", "both")
"""Which end can be in a state."""

CHECK_ENDS = ("initiator", "responder", "either", "refuser", "refused", "path")
"""Where a check is done; the end that refused knows why, and the one that was refused has what was refused."""

PLATFORMS = (*PLATFORM_NAMES, "any")
"""Whose commands a check uses, or who prints a log line."""

DOES = ("show", "debug", "change")
"""What a command does: it looks, it logs more until that is ended, or it changes how the device works."""

PLACEHOLDERS = ("peer", "local", "family", "ports")
"""What may stand in braces in a check: the other end's address and this end's, seen from where it is done, 4 or 6 for
the family of these, and a capture filter for the ports that IKE uses here."""

_PLACEHOLDER = r"\{([^{}]*)\}|[{}]"
_PARAGRAPH = r"\n[ \t]*\n\s*"
_LOOKALIKES = str.maketrans("‘’“”–—", "''\"\"--")
_SUGGESTED = 5
_LONGEST_TOPIC = 400


class KnowledgeError(ValueError):
    """The knowledge base breaks its own rules. The message is one line and names the entry and the field."""


class DocumentItem(Record, frozen=True):
    """One cause that the source document gives for a state.

    Fields: *item*, its number there (order of appearance where the document has no numbers); *cause*, the
    identifier of the cause; *text*, what the document says, in our words.
    """

    item: int
    cause: str
    text: str


class State(Record, frozen=True):
    """A state that one end of an exchange can be left in.

    Fields: *id* (``MM_WAIT_MSG2``); *end*, one of `ENDS`; *title*; *meaning*; *wire*, what it looks like in a
    capture; *aliases*, what other programs call it; *document*, every cause that the document gives for it.
    """

    id: str
    end: str
    title: str
    meaning: str
    wire: str
    aliases: tuple[str, ...]
    document: tuple[DocumentItem, ...]


class Check(Record, frozen=True):
    """One thing to look at on a device, or on the path.

    Fields: *end*, one of `CHECK_ENDS`; *platform*, one of `PLATFORMS`; *do*, one imperative line; *command*,
    where there is one; *expect*, how to read the answer. Braces hold `PLACEHOLDERS`; what is in angle
    brackets is for the reader to fill in.

    Of the command: *does*, one of `DOES`; *ike*, the version of IKE that it is for, None for both; *software*, the
    versions of the platform that have it; *first*, what is typed before, such as a filter for this peer; *undo*,
    what ends it; *source*, the address of the public document that describes it.

    *when* and *unless* are kinds of evidence: one of the former has to be there, none of the latter may.
    *first_of_all*: a check of any device that comes before the platforms' own.
    """

    end: str
    platform: str
    do: str
    command: str | None = None
    expect: str | None = None
    does: str | None = None
    ike: int | None = None
    software: str | None = None
    first: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    source: str | None = None
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    first_of_all: bool = False

    def fill(self, *, peer: str, local: str, ports: str = "udp port 500 or udp port 4500") -> Check:
        """Return the check with both addresses, as seen from where it is done, in the place of the braces."""
        values = {"{peer}": peer, "{local}": local, "{family}": "6" if ":" in peer else "4", "{ports}": ports}

        def filled(text: str) -> str:
            if "{" in text:
                for name, value in values.items():
                    text = text.replace(name, value)
            return text

        if not any("{" in text for text in (self.do, self.command or "", self.expect or "", *self.first, *self.undo)):
            return self

        return replace(
            self,
            do=filled(self.do),
            command=None if self.command is None else filled(self.command),
            expect=None if self.expect is None else filled(self.expect),
            first=tuple(map(filled, self.first)),
            undo=tuple(map(filled, self.undo)),
        )

    def fits(self, version: int, kinds: Collection[str]) -> bool:
        """Whether it has a place in a report on an exchange of this version of IKE with evidence of these kinds."""
        if self.ike not in (None, version) or any(kind in kinds for kind in self.unless):
            return False
        return not self.when or any(kind in kinds for kind in self.when)


class Wording(Record, frozen=True):
    """What is said of a cause in IKEv2 where that differs from IKEv1; None where it does not."""

    title: str | None = None
    meaning: str | None = None
    supports: str | None = None
    against: str | None = None
    decide: str | None = None
    look: str | None = None
    remark: str | None = None


class Cause(Record, frozen=True):
    """Why an exchange did not complete.

    Fields: *id*, stable and public; *title*, at most 60 characters; *meaning*; *supports* and *against*, what
    on the wire speaks for it and against it; *decide*, which capture or command separates it from its rivals;
    *look*, what to look for on a device of any make; *at*, the end where that is, one of `CHECK_ENDS`;
    *visible*, False where no capture can show it, and then *invisible* says why; *remark*, or None; *checks*,
    the most useful first; *ikev2*, what is worded in another way there.
    """

    id: str
    title: str
    meaning: str
    supports: str
    against: str
    decide: str
    look: str
    at: str
    visible: bool
    invisible: str | None
    remark: str | None
    checks: tuple[Check, ...]
    ikev2: Wording = Wording()

    def checks_for(self, platform: str) -> tuple[Check, ...]:
        """Return the checks that use that platform's commands or none of a platform's own, the most useful first."""
        return tuple(check for check in self.checks if check.platform in (platform, "any"))

    def in_version(self, version: int) -> Cause:
        """Return the cause as it is told of an exchange of this version of IKE: its words, and its checks."""
        checks = tuple(check for check in self.checks if check.ike in (None, version))
        if version != 2:
            return replace(self, checks=checks)
        new = self.ikev2
        return replace(
            self,
            title=new.title or self.title,
            meaning=new.meaning or self.meaning,
            supports=new.supports or self.supports,
            against=new.against or self.against,
            decide=new.decide or self.decide,
            look=new.look or self.look,
            remark=new.remark or (None if new.meaning else self.remark),
            checks=checks,
        )


class NotifyEntry(Record, frozen=True):
    """A notify message type.

    Fields: *version* of IKE, 1 or 2; *name*; *number*; *meaning*; *causes*, likeliest first.
    """

    version: int
    name: str
    number: int
    meaning: str
    causes: tuple[str, ...]


Topic: TypeAlias = "State | Cause | tuple[NotifyEntry, ...] | LineKind"
"""What can be explained. Notify message types come as all those of one name or number, IKEv1 first."""


class KnownLine(Record, frozen=True):
    """Lines of a log that mean the same.

    Fields: *entry*, what explains them; *text*, the first of them, as it was written; *number*, its place in the
    log, from 1; *count*, how many there are.
    """

    entry: Topic
    text: str
    number: int
    count: int


class LogReading(Record, frozen=True):
    """What is known of a log: *known*, in the order of first appearance, and how many lines are *unknown*."""

    known: tuple[KnownLine, ...]
    unknown: int


class KnowledgeBase(Record, frozen=True):
    """All entries of ``causes.toml``, each kind in the order of the file; lines of logs are in a table of their own."""

    states: tuple[State, ...]
    causes: tuple[Cause, ...]
    notifies: tuple[NotifyEntry, ...]

    def causes_in(self, version: int) -> tuple[Cause, ...]:
        """Return all causes as they are told of an exchange of this version of IKE."""
        return tuple(cause.in_version(version) for cause in self.causes)

    def state(self, id_or_alias: str) -> State | None:
        """Return the state of that name, or None. Case does not matter, and an identifier beats an alias."""
        wanted = id_or_alias.strip().upper()
        for entry in self.states:
            if entry.id.upper() == wanted:
                return entry
        for entry in self.states:
            if any(alias.upper() == wanted for alias in entry.aliases):
                return entry
        return None

    def cause(self, cause_id: str) -> Cause | None:
        """Return the cause of that identifier, or None. Case does not matter."""
        wanted = cause_id.strip().lower()
        return next((entry for entry in self.causes if entry.id == wanted), None)

    def notify(self, name_or_number: str | int, version: int | None = None) -> NotifyEntry | None:
        """Return the notify message type of that name or number, or None.

        Names may be written with hyphens, underscores or spaces, in either case. Without *version*, an IKEv1
        entry comes before an IKEv2 one of the same name or number.
        """
        found = self._notifies(name_or_number)
        return next((entry for entry in found if version in (None, entry.version)), None)

    def _notifies(self, name_or_number: str | int) -> tuple[NotifyEntry, ...]:
        """All entries of that name or number, IKEv1 first."""
        text = str(name_or_number).strip()
        name = _underscored(text)
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else None
        found = (entry for entry in self.notifies if entry.name == name or entry.number == number)
        return tuple(sorted(found, key=lambda entry: entry.version))

    @property
    def debug_lines(self) -> tuple[LineKind, ...]:
        """Every line of a log that is known; the table of them is read when it is first asked for."""
        from pcapdiag.knowledge.log_lines import load as load_table

        return load_table().kinds

    def debug(self, line: str) -> LineKind | None:
        """Return the entry that fits a pasted log line best, or None.

        An entry fits if its fixed parts occur in the line in their order, whatever the case and the white space. Of
        several, the one with the most text wins.
        """
        from pcapdiag.knowledge.log_lines import load as load_table

        return load_table().match(line)

    def first_checks(self, state: State, platform: str = "asa") -> tuple[tuple[DocumentItem, Check], ...]:
        """Return, for each cause that the document gives for a state, the most useful check on that platform.

        The states are those of IKEv1, and so are the checks. Where none is known for the platform, it is a general
        one. A cause that the document gives twice comes once, and so does a check that two causes share.
        """
        found: dict[tuple[str, str | None], tuple[DocumentItem, Check]] = {}
        for item in state.document:
            cause = self.cause(item.cause)
            checks = [] if cause is None else [c for c in cause.in_version(1).checks_for(platform) if not c.when]
            if checks:
                check = next((own for own in checks if own.platform == platform), checks[0])
                found.setdefault((check.do, check.command), (item, check))
        return tuple(found.values())

    def find(self, topic: str) -> Topic | None:
        """Return the entry that *topic* names, or None. Case does not matter.

        Tried in this order: a state's identifier or alias; a Main or Aggressive Mode message (``MM4``), for the
        state in which it is awaited; a cause's identifier; a notify message type's name or number, in every IKE
        version that has it; a log line; a line that names a single state, such as a row of ``show crypto isakmp sa``.
        """
        text = topic.strip(" \t\r\n\"'`?.,:;")
        return (
            self.state(text)
            or self.state(_underscored(text))
            or self._awaiting(text)
            or self.cause(text)
            or self.cause(_underscored(text).replace("_", "-"))
            or self._notifies(text)
            or self.debug(topic)
            or self._state_within(topic)
        )

    def read_log(self, lines: Iterable[str]) -> LogReading:
        """Look each line of a log up. Blank lines do not count."""
        known: dict[Topic, KnownLine] = {}
        number = unknown = 0
        for number, line in enumerate(lines, 1):
            entry = self.find(line) if line.strip() else None
            if entry is None:
                unknown += bool(line.strip())
            elif entry in known:
                known[entry] = replace(known[entry], count=known[entry].count + 1)
            else:
                known[entry] = KnownLine(entry, line.strip(), number, 1)
        return LogReading(tuple(known.values()), unknown)

    def suggest(self, topic: str) -> tuple[str, ...]:
        """Return at most five topics near one that is not known, the nearest first. `find` knows each of them."""
        from difflib import get_close_matches

        text = re.sub(r".*\bIP = [^,]*,", "", topic[:_LONGEST_TOPIC]).strip()
        names = {_underscored(name): name for name in self._names()}
        wanted = _underscored(text).strip("_")
        near = [names[key] for key in names if len(wanted) > 1 and wanted in key]
        near += [names[key] for key in get_close_matches(wanted, names, _SUGGESTED)]
        return tuple(dict.fromkeys((*near, *self._lines_like(text))))[:_SUGGESTED]

    def _names(self) -> Iterator[str]:
        yield from (entry.id for entry in self.states)
        yield from (entry.id for entry in self.causes)
        yield from (entry.name for entry in self.notifies)
        yield from (alias for entry in self.states for alias in entry.aliases)

    def _lines_like(self, line: str) -> list[str]:
        """The fragments of log lines that share most of their words with *line*, or hold all of it."""
        folded = _fold(line)
        words = set(folded.split())
        near: list[tuple[int, float, str]] = []
        for entry in self.debug_lines:
            text = " … ".join(entry.contains)
            own = set(_fold(text).split()) - {"…"}
            share = 1.0 if len(words) > 1 and folded in _fold(text) else len(own & words) / len(own)
            if share >= 0.6 and words:
                near.append((-len(own & words), -share, text))
        return [text for _, _, text in sorted(near)]

    def _awaiting(self, message: str) -> State | None:
        """The state of the end that waits for a message such as ``MM4``; message 1 is awaited with nothing at hand."""
        found = re.fullmatch(r"(MM|AM)_?(?:MSG_?)?([1-6])", message.upper())
        if found is None:
            return None
        return self.state("NONE" if found[2] == "1" else f"{found[1]}_WAIT_MSG{found[2]}")

    def _state_within(self, line: str) -> State | None:
        """The one state that a line names, or None if it names none or several."""
        names = {word.upper() for word in re.findall(r"\w+", line) if "_" in word}
        found = [state for state in self.states if not names.isdisjoint(map(str.upper, (state.id, *state.aliases)))]
        return found[0] if len(found) == 1 else None

    def document_items(self, cause_id: str) -> tuple[tuple[str, int], ...]:
        """Return where the document gives a cause: pairs of state and number, in the order of the file."""
        return tuple(
            (state.id, entry.item) for state in self.states for entry in state.document if entry.cause == cause_id
        )


@cache
def load() -> KnowledgeBase:
    """Read the knowledge base. It is read once; later calls return the same object.

    A built package has it as a module of records, made from ``causes.toml``; a checkout has the TOML alone.
    Raises `KnowledgeError` if the file breaks a rule.
    """
    try:
        built = import_module("pcapdiag.knowledge.causes_built")
    except ImportError:
        pass
    else:
        knowledge: KnowledgeBase = built.KNOWLEDGE
        return knowledge
    from pkgutil import get_data  # reads out of a zipped installation too; importlib.resources imports for 15 ms

    def text_of(name: str) -> str:
        octets = get_data("pcapdiag.knowledge", name)
        if octets is None:
            raise KnowledgeError(f"{name} cannot be read: the importer of this installation hands out no files")
        return octets.decode("utf-8")

    return parse(text_of("causes.toml"), {name: text_of(f"commands/{name}.toml") for name in PLATFORM_NAMES})


def parse(text: str, commands: Mapping[str, str] | None = None) -> KnowledgeBase:
    """Read the text of a knowledge base, and of the commands of each platform.

    Raises `KnowledgeError` at the first thing that is wrong with them.
    """
    root = _root(text, "top level")
    causes = tuple(_cause(table) for table in root.tables("cause", "id"))
    _distinct("cause", (cause.id for cause in causes), "id")
    known = {cause.id for cause in causes}
    own: dict[str, list[Check]] = {cause_id: [] for cause_id in known}
    for platform, platform_text in (commands or {}).items():
        for cause_id, check in _commands(platform, platform_text, known):
            own[cause_id].append(check)
    causes = tuple(_joined(cause, own[cause.id]) for cause in causes)
    states = tuple(_state(table, known) for table in root.tables("state", "id"))
    _distinct("state", (name for state in states for name in (state.id, *state.aliases)), "id or alias")
    notifies = tuple(_notify(table, known) for table in root.tables("notify", "name"))
    _distinct("notify", ((entry.version, entry.number) for entry in notifies), "version and number")
    _distinct("notify", ((entry.version, entry.name) for entry in notifies), "version and name")
    root.done()
    return KnowledgeBase(states, causes, notifies)


def _root(text: str, where: str) -> _Table:
    import tomllib

    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise KnowledgeError(f"{'' if where == 'top level' else f'{where}: '}not TOML: {error}") from None
    root = _Table(where, tables)
    if root.integer("schema_version") != SCHEMA_VERSION:
        raise root.fault("schema_version", f"must be {SCHEMA_VERSION}")
    return root


def _joined(cause: Cause, own: list[Check]) -> Cause:
    """The cause with the platforms' checks: behind those of any device that come first, before the others."""
    begin = [check for check in cause.checks if check.first_of_all]
    return replace(cause, checks=(*begin, *own, *(check for check in cause.checks if not check.first_of_all)))


def _commands(platform: str, text: str, known: Collection[str]) -> Iterator[tuple[str, Check]]:
    """The checks of one platform, each with the causes that it is for."""
    root = _root(text, f"commands of {platform}")
    if root.choice("platform", PLATFORM_NAMES) != platform:
        raise root.fault("platform", f"is not {platform!r}")
    sources = {key: root.table("sources").line(key) for key in root.table("sources").keys}
    commands = {name: _command(table, platform, sources) for name, table in root.named_tables("command").items()}
    used: set[str] = set()
    looked: set[tuple[str, int]] = set()
    for table in root.tables("check", None):
        causes = table.choices("causes", known)
        name = table.choice("use", commands)
        used.add(name)
        check = _platform_check(table, commands[name])
        for cause_id in causes:
            for version in (1, 2):
                if check.ike not in (None, version):
                    continue
                if check.does != "change":
                    looked.add((cause_id, version))
                elif (cause_id, version) not in looked:
                    raise table.fault(
                        "use", f"{name!r} changes something for {cause_id!r} before anything is looked at"
                    )
            yield cause_id, check
    if idle := sorted(commands.keys() - used):
        raise root.fault("command", f"{idle[0]!r} is used by no check")
    root.done()


def _command(table: _Table, platform: str, sources: Mapping[str, str]) -> Check:
    """A command, as a check that has no place and no words yet."""
    does = table.choice("does", DOES)
    ike = table.integer("ike") if "ike" in table else None
    if ike not in (None, 1, 2):
        raise table.fault("ike", "must be 1 or 2")
    if ike is None and not (speaks(platform, 1) and speaks(platform, 2)):
        ike = 1 if speaks(platform, 1) else 2
    check = Check(
        end="either",
        platform=platform,
        do="",
        command=table.line("run"),
        does=does,
        ike=ike,
        software=table.line("software") if "software" in table else None,
        first=table.lines("first", required=False),
        undo=table.lines("undo", required=does == "debug"),
        source=sources[table.choice("source", sources)],
    )
    if does == "debug" and not check.undo:
        raise table.fault("undo", "is empty: nothing ends this debug")
    table.done()
    for key, texts in (("run", (check.command or "",)), ("first", check.first), ("undo", check.undo)):
        _placeholders(table, key, texts)
    return check


def _platform_check(table: _Table, command: Check) -> Check:
    ike = table.integer("ike") if "ike" in table else command.ike
    if ike not in (None, 1, 2) or command.ike not in (None, ike):
        raise table.fault("ike", "is not that of the command")
    check = replace(
        command,
        end=table.choice("end", CHECK_ENDS),
        do=table.line("do"),
        expect=table.line("expect") if "expect" in table else None,
        ike=ike,
        when=table.lines("when", required=False),
        unless=table.lines("unless", required=False),
    )
    table.done()
    _placeholders(table, "do", (check.do,))
    _placeholders(table, "expect", (check.expect or "",))
    return check


def _placeholders(table: _Table, key: str, texts: Iterable[str]) -> None:
    for text in texts:
        for found in re.finditer(_PLACEHOLDER, text):
            if found[1] not in PLACEHOLDERS:
                raise table.fault(key, f"unknown placeholder {found[0]!r}")


def _state(table: _Table, known: Collection[str]) -> State:
    state = State(
        id=table.line("id"),
        end=table.choice("end", ENDS),
        title=table.line("title"),
        meaning=table.prose("meaning"),
        wire=table.prose("wire"),
        aliases=table.lines("aliases", required=False),
        document=tuple(_document_item(item, known) for item in table.tables("document", "item")),
    )
    table.done()
    for expected, item in enumerate(state.document, 1):
        if item.item != expected:
            raise table.fault("document", f"item {item.item} stands where {expected} is due")
    return state


def _document_item(table: _Table, known: Collection[str]) -> DocumentItem:
    item = DocumentItem(item=table.integer("item"), cause=table.choice("cause", known), text=table.prose("text"))
    table.done()
    return item


def _cause(table: _Table) -> Cause:
    visible = table.boolean("visible")
    cause = Cause(
        id=table.line("id"),
        title=table.line("title", longest=60),
        meaning=table.prose("meaning"),
        supports=table.prose("supports"),
        against=table.prose("against"),
        decide=table.prose("decide"),
        look=table.prose("look"),
        at=table.choice("at", CHECK_ENDS) if "at" in table else "either",
        visible=visible,
        invisible=None if visible else table.prose("invisible"),
        remark=table.prose("remark") if "remark" in table else None,
        checks=tuple(_check(check) for check in table.tables("check", None)),
        ikev2=_wording(table.table("ikev2")) if "ikev2" in table else Wording(),
    )
    table.done()
    return cause


def _wording(table: _Table) -> Wording:
    """What a cause is told with in IKEv2."""
    title = table.line("title", longest=60) if "title" in table else None
    found = {key: table.prose(key) for key in Wording.__struct_fields__ if key != "title" and key in table}
    table.done()
    return Wording(title=title, **found)


def _check(table: _Table) -> Check:
    """A check of any device."""
    check = Check(
        end=table.choice("end", CHECK_ENDS),
        platform=table.choice("platform", PLATFORMS) if "platform" in table else "any",
        do=table.line("do"),
        command=table.line("command") if "command" in table else None,
        expect=table.line("expect") if "expect" in table else None,
        does="show" if "command" in table else None,
        ike=table.integer("ike") if "ike" in table else None,
        when=table.lines("when", required=False),
        unless=table.lines("unless", required=False),
        first_of_all="first_of_all" in table and table.boolean("first_of_all"),
    )
    if check.ike not in (None, 1, 2):
        raise table.fault("ike", "must be 1 or 2")
    table.done()
    for key, text in (("do", check.do), ("command", check.command), ("expect", check.expect)):
        _placeholders(table, key, (text or "",))
    return check


def _notify(table: _Table, known: Collection[str]) -> NotifyEntry:
    entry = NotifyEntry(
        version=table.integer("version"),
        name=table.line("name"),
        number=table.integer("number"),
        meaning=table.prose("meaning"),
        causes=table.choices("causes", known),
    )
    table.done()
    if entry.version not in (1, 2):
        raise table.fault("version", "must be 1 or 2")
    return entry


class _Table:
    """One table of the file: hands out its fields, checked, and knows which ones nobody asked for."""

    __slots__ = ("_asked", "_content", "_where")

    def __init__(self, where: str, content: Mapping[str, Any]) -> None:
        self._where = where
        self._content = content
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._content

    def fault(self, key: str, what: str) -> KnowledgeError:
        return KnowledgeError(f"{self._where}: {key}: {what}")

    def done(self) -> None:
        for key in self._content:
            if key not in self._asked:
                raise self.fault(key, "unknown key")

    def _get(self, key: str, kind: type, what: str) -> Any:
        self._asked.add(key)
        if key not in self._content:
            raise self.fault(key, "missing")
        value = self._content[key]
        if type(value) is not kind:
            raise self.fault(key, f"must be {what}")
        return value

    def integer(self, key: str) -> int:
        number: int = self._get(key, int, "an integer")
        return number

    def boolean(self, key: str) -> bool:
        truth: bool = self._get(key, bool, "true or false")
        return truth

    def prose(self, key: str) -> str:
        """Return paragraphs without their line breaks, one blank line between two of them."""
        text: str = self._get(key, str, "a text")
        paragraphs = [" ".join(part.split()) for part in re.split(_PARAGRAPH, text.strip())]
        if not paragraphs[0]:
            raise self.fault(key, "is empty")
        return "\n\n".join(paragraphs)

    def line(self, key: str, longest: int | None = None) -> str:
        text: str = self._get(key, str, "a text").strip()
        return self._line(key, text, longest)

    def _line(self, key: str, text: str, longest: int | None = None) -> str:
        if not text:
            raise self.fault(key, "is empty")
        if "\n" in text:
            raise self.fault(key, "must be one line")
        if longest is not None and len(text) > longest:
            raise self.fault(key, f"is longer than {longest} characters")
        return text

    def lines(self, key: str, *, required: bool = True) -> tuple[str, ...]:
        if not required and key not in self:
            return ()
        return self._lines(key)

    def _lines(self, key: str) -> tuple[str, ...]:
        items = self._get(key, list, "a list of texts")
        if not all(isinstance(item, str) for item in items):
            raise self.fault(key, "must be a list of texts")
        return tuple(self._line(key, item.strip()) for item in items)

    def choice(self, key: str, allowed: Collection[str]) -> str:
        return self._allowed(key, self.line(key), allowed)

    def choices(self, key: str, allowed: Collection[str]) -> tuple[str, ...]:
        chosen = tuple(self._allowed(key, item, allowed) for item in self._lines(key))
        if len(set(chosen)) != len(chosen):
            raise self.fault(key, "names one twice")
        return chosen

    def _allowed(self, key: str, value: str, allowed: Collection[str]) -> str:
        if value not in allowed:
            raise self.fault(key, f"does not know {value!r}")
        return value

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._content)

    def table(self, key: str) -> _Table:
        content: dict[str, Any] = self._get(key, dict, "a table")
        return _Table(f"{self._where}: {key}", content)

    def named_tables(self, key: str) -> dict[str, _Table]:
        """Return the tables under *key* by their names."""
        content: dict[str, Any] = self._get(key, dict, "a table of tables")
        for name, item in content.items():
            if not isinstance(item, dict):
                raise self.fault(key, f"{name!r} must be a table")
        return {name: _Table(f"{self._where}: {key} {name!r}", item) for name, item in content.items()}

    def tables(self, key: str, name: str | None) -> tuple[_Table, ...]:
        """Return the tables under *key*, each called by its field *name*, or by its place if it has none."""
        self._asked.add(key)
        items = self._content.get(key, [])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise self.fault(key, "must be tables")
        kind = key if self._where == "top level" else f"{self._where}: {key}"
        return tuple(
            _Table(f"{kind} {item[name]!r}" if name in item else f"{kind} {place}", item)
            for place, item in enumerate(items, 1)
        )


def _distinct(kind: str, keys: Iterator[object], what: str) -> None:
    seen: set[object] = set()
    for key in keys:
        if key in seen:
            raise KnowledgeError(f"{kind} {key!r}: duplicate {what}")
        seen.add(key)


def _fold(text: str) -> str:
    return " ".join(text.translate(_LOOKALIKES).split()).casefold()


def _underscored(text: str) -> str:
    return re.sub(r"[-_\s]+", "_", text).upper()
