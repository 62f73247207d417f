"""Reading the knowledge base: TOML that people write, into frozen records, each thing checked.

    states.toml      the states that an end can be left in
    causes/          a file a cause: its words, where the document lists it, its rules and checks
    notifies.toml    notify message types
    commands/        a file a platform: its commands, and the checks that use them
    index.toml       which causes there are, in the order in which they are told

A misspelt key, an unknown cause or kind of evidence, a debug that nothing ends, or a change that no look comes before,
is found by the first test, not by a reader.
"""

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from pcapdiag.knowledge.base import KnowledgeBase
from pcapdiag.knowledge.kinds import undeclared
from pcapdiag.knowledge.platform_names import PLATFORM_NAMES, speaks
from pcapdiag.knowledge.records import (
    PLATFORMS,
    Cause,
    Check,
    CheckEnd,
    DocumentItem,
    Does,
    KnowledgeError,
    Line,
    NotifyEntry,
    Prose,
    Rule,
    State,
    Status,
    Version,
)

SCHEMA_VERSION = 1

PLACEHOLDERS = ("peer", "local", "family", "ports")
"""What may stand in braces in a check: the other end's address and this end's, seen from where it is done, 4 or 6 for
the family of these, and a capture filter for the ports that IKE uses here."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}|[{}]")
_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")

Form = TypeVar("Form")


class _Index(Struct, forbid_unknown_fields=True):
    schema_version: Literal[1]
    causes: tuple[Line, ...]


class _Place(Struct, forbid_unknown_fields=True):
    """Where the document lists a cause: under which state, with which number, in which words."""

    state: Line
    item: int
    text: Prose


class _Command(Struct, forbid_unknown_fields=True):
    run: Line
    does: Does
    source: Line
    ike: Version | None = None
    software: Line | None = None
    first: tuple[Line, ...] = ()
    undo: tuple[Line, ...] = ()


class _Use(Struct, forbid_unknown_fields=True):
    """A command where it is of use: for which causes, at which end, to see what."""

    causes: tuple[Line, ...]
    use: Line
    end: CheckEnd
    do: Line
    expect: Line | None = None
    ike: Version | None = None
    when: tuple[Line, ...] = ()
    unless: tuple[Line, ...] = ()


class _Commands(Struct, forbid_unknown_fields=True):
    schema_version: Literal[1]
    platform: Line
    sources: dict[str, Annotated[str, Meta(pattern=r"\Ahttps?://\S+\Z")]]


@cache
def load() -> KnowledgeBase:
    """Read the knowledge base. It is read once; later calls return the same object.

    A built package has it as a module of records, made from the TOML; a checkout has the TOML alone.
    Raises `KnowledgeError` if a file breaks a rule.
    """
    try:
        built = import_module("pcapdiag.knowledge.causes_built")
    except ImportError:
        pass
    else:
        knowledge: KnowledgeBase = built.KNOWLEDGE
        return knowledge
    return parse(_Files())


class _Files(Mapping[str, str]):
    """The files of this package by name. They are read out of a zipped installation too."""

    def __getitem__(self, name: str) -> str:
        from pkgutil import get_data  # importlib.resources imports for 15 ms

        try:
            octets = get_data(__package__, name)
        except OSError as error:
            raise KnowledgeError(f"{name}: {error.strerror or error}") from None
        if octets is None:
            raise KnowledgeError(f"{name} cannot be read: the importer of this installation hands out no files")
        try:
            return octets.decode("utf-8")
        except UnicodeDecodeError as error:
            raise KnowledgeError(f"{name}: not UTF-8: {error.reason} at octet {error.start}") from None

    def __iter__(self) -> Iterator[str]:
        return (f"commands/{name}.toml" for name in PLATFORM_NAMES)

    def __len__(self) -> int:
        return len(PLATFORM_NAMES)


def parse(files: Mapping[str, str]) -> KnowledgeBase:
    """Read the files of a knowledge base, by their names: of platforms, those that there are.

    Raises `KnowledgeError` at the first thing that is wrong with them.
    """
    names = _formed("index.toml", _toml(files, "index.toml"), _Index).causes
    _distinct("index.toml: causes", names)
    checks: dict[str, list[Check]] = {name: [] for name in names}
    for platform in PLATFORM_NAMES:
        if f"commands/{platform}.toml" in files:
            for cause_id, check in _commands(files, platform, names):
                checks[cause_id].append(check)
    causes, rules, places = [], [], []
    for name in names:
        cause, own, listed = _cause(files, name)
        causes.append(_joined(cause, checks[name]))
        rules += own
        places += listed
    states = _states(files, places)
    notifies = tuple(_entries("notifies.toml", _toml(files, "notifies.toml"), "notify", NotifyEntry, only=True))
    for entry in notifies:
        _known(f"notifies.toml: notify {entry.name!r}: causes", entry.causes, names)
        _distinct(f"notifies.toml: notify {entry.name!r}: causes", entry.causes)
    _distinct("notifies.toml: version and number", ((entry.version, entry.number) for entry in notifies))
    _distinct("notifies.toml: version and name", ((entry.version, entry.name) for entry in notifies))
    return KnowledgeBase(states, tuple(causes), notifies, tuple(rules))


def _toml(files: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(files[name])
    except KeyError:
        raise KnowledgeError(f"{name}: there is no such file") from None
    except tomllib.TOMLDecodeError as error:
        raise KnowledgeError(f"{name}: not TOML: {error}") from None


def _formed(where: str, content: Any, form: type[Form]) -> Form:
    """What stands there as a record of that form, with paragraphs joined.

    Raises KnowledgeError that names the place and what is wrong.
    """
    try:
        return msgspec.convert(_joined_lines(content), form)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`").replace("[...]", "")
        raise KnowledgeError(": ".join(filter(None, (where, field, what)))) from None


def _entries(
    file: str, content: dict[str, Any], key: str, form: type[Form], *, only: bool = False, **given: Any
) -> Iterator[Form]:
    """The entries under a key, one by one, so that what is wrong with one is told by its name, else by its number.

    They are taken out of `content`. only -- nothing else may stand beside them; given -- fields that all have
    """
    entries = content.pop(key, [])
    if only and content:
        raise KnowledgeError(f"{file}: {min(content)}: unknown key")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise KnowledgeError(f"{file}: {key}: must be tables")
    for number, entry in enumerate(entries, 1):
        name = entry.get("id") or entry.get("name")
        where = f"{file}: {key} {repr(name) if isinstance(name, str) else number}"
        yield _formed(where, {**given, **entry}, form)


def _joined_lines(content: Any) -> Any:
    """The same with wrapped text put together: lines are joined, a blank one parts paragraphs."""
    if isinstance(content, str):
        if "\n" not in content:
            return content.strip()
        return "\n\n".join(" ".join(part.split()) for part in _PARAGRAPH.split(content.strip()))
    if isinstance(content, list):
        return [_joined_lines(item) for item in content]
    if isinstance(content, dict):
        return {key: _joined_lines(item) for key, item in content.items()}
    return content


def _cause(files: Mapping[str, str], name: str) -> tuple[Cause, list[Rule], list[tuple[str, DocumentItem]]]:
    """A cause, its rules, and where the document lists it: state and item."""
    file = f"causes/{name}.toml"
    content = _toml(files, file)
    places = list(_entries(file, content, "document", _Place))
    rules = list(_entries(file, content, "rule", Rule, cause=name))
    checks = tuple(_entries(file, content, "check", Check, platform="any"))
    cause = _formed(file, {**content, "id": name}, Cause)
    if cause.visible != (cause.invisible is None):
        raise KnowledgeError(f"{file}: invisible: is for a cause that no capture shows, and says why")
    for number, check in enumerate(checks, 1):
        if check.platform not in PLATFORMS:
            raise KnowledgeError(f"{file}: check {number}: platform: does not know {check.platform!r}")
        _check(f"{file}: check {number}", check)
    for number, rule in enumerate(rules, 1):
        _rule(f"{file}: rule {number}", rule, name)
    return (
        replace(cause, checks=tuple(replace(c, does="show") if c.command is not None else c for c in checks)),
        sorted(rules, key=lambda rule: not rule.with_keys),
        [(place.state, DocumentItem(place.item, name, place.text)) for place in places],
    )


def _rule(where: str, rule: Rule, cause: str) -> None:
    if rule.cause != cause:
        raise KnowledgeError(f"{where}: cause: is that of the file")
    if not rule.basis:
        raise KnowledgeError(f"{where}: basis: missing: the RFC and section, or whose habit it is and where seen")
    if rule.habit and rule.status is Status.CONFIRMED:
        raise KnowledgeError(f"{where}: habit: what some makes do never confirms")
    if not (rule.all_of or rule.any_of):
        raise KnowledgeError(f"{where}: all_of: a rule rests on evidence")
    for key in ("all_of", "any_of", "none_of", "also"):
        _kinds(f"{where}: {key}", getattr(rule, key))


def _kinds(where: str, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        if undeclared(pattern):
            raise KnowledgeError(f"{where}: {pattern!r} is no kind of evidence")


def _check(where: str, check: Check) -> None:
    """Its kinds of evidence are declared, and what stands in braces is known."""
    for key in ("when", "unless"):
        _kinds(f"{where}: {key}", getattr(check, key))
    texts = {"do": (check.do,), "command": (check.command,), "expect": (check.expect,)}
    for key, found in {**texts, "first": check.first, "undo": check.undo}.items():
        for brace in (brace for text in found for brace in _PLACEHOLDER.finditer(text or "")):
            if brace[1] not in PLACEHOLDERS:
                raise KnowledgeError(f"{where}: {key}: unknown placeholder {brace[0]!r}")


def _states(files: Mapping[str, str], places: Iterable[tuple[str, DocumentItem]]) -> tuple[State, ...]:
    """The states, with the causes that the document gives for each."""
    states = tuple(_entries("states.toml", _toml(files, "states.toml"), "state", State, only=True))
    _distinct("states.toml: id or alias", (name for state in states for name in (state.id, *state.aliases)))
    listed: dict[str, list[DocumentItem]] = {state.id: [] for state in states}
    for state_id, item in places:
        _known(f"causes/{item.cause}.toml: document: state", (state_id,), listed)
        listed[state_id].append(item)
    for state_id, items in listed.items():
        items.sort(key=lambda item: item.item)
        for due, item in enumerate(items, 1):
            if item.item != due:
                raise KnowledgeError(
                    f"causes/{item.cause}.toml: document: item {item.item} of {state_id} stands where {due} is due"
                )
    return tuple(replace(state, document=tuple(listed[state.id])) for state in states)


def _joined(cause: Cause, own: list[Check]) -> Cause:
    """The cause with the platforms' checks: behind those of any device that come first, before the others."""
    begin = [check for check in cause.checks if check.first_of_all]
    return replace(cause, checks=(*begin, *own, *(check for check in cause.checks if not check.first_of_all)))


def _commands(files: Mapping[str, str], platform: str, known: Collection[str]) -> Iterator[tuple[str, Check]]:
    """The checks of one platform, each with the causes that it is for."""
    file = f"commands/{platform}.toml"
    content = _toml(files, file)
    uses = list(_entries(file, content, "check", _Use))
    own = content.pop("command", {})
    if not isinstance(own, dict):
        raise KnowledgeError(f"{file}: command: must be tables with names")
    found = _formed(file, content, _Commands)
    if found.platform != platform:
        raise KnowledgeError(f"{file}: platform: is not {platform!r}")
    commands = {
        name: _command(f"{file}: command {name!r}", command, platform, found.sources) for name, command in own.items()
    }
    looked: set[tuple[str, int]] = set()
    for number, use in enumerate(uses, 1):
        where = f"{file}: check {number}"
        _known(f"{where}: causes", use.causes, known)
        _distinct(f"{where}: causes", use.causes)
        _known(f"{where}: use", (use.use,), commands)
        check = _placed(where, use, commands[use.use])
        for cause_id in use.causes:
            _look_before_change(f"{where}: use: {use.use!r}", cause_id, check, looked)
            yield cause_id, check
    if idle := sorted(commands.keys() - {use.use for use in uses}):
        raise KnowledgeError(f"{file}: command: {idle[0]!r} is used by no check")


def _look_before_change(where: str, cause_id: str, check: Check, looked: set[tuple[str, int]]) -> None:
    """A change never stands before the look that justifies it, in either version of IKE. looked -- added to"""
    for version in (1, 2) if check.ike is None else (check.ike,):
        if check.does != "change":
            looked.add((cause_id, version))
        elif (cause_id, version) not in looked:
            raise KnowledgeError(f"{where} changes something for {cause_id!r} before anything is looked at")


def _command(where: str, content: object, platform: str, sources: Mapping[str, str]) -> Check:
    """A command, as a check that has no place and no words yet."""
    command = _formed(where, content, _Command)
    _known(f"{where}: source", (command.source,), sources)
    if command.does == "debug" and not command.undo:
        raise KnowledgeError(f"{where}: undo: missing: nothing ends this debug")
    ike = command.ike
    if ike is None and not (speaks(platform, 1) and speaks(platform, 2)):
        ike = 1 if speaks(platform, 1) else 2
    return Check(
        end="either",
        platform=platform,
        do="",
        command=command.run,
        does=command.does,
        ike=ike,
        software=command.software,
        first=command.first,
        undo=command.undo,
        source=sources[command.source],
    )


def _placed(where: str, use: _Use, command: Check) -> Check:
    """The command where it is of use."""
    if use.ike is not None and command.ike not in (None, use.ike):
        raise KnowledgeError(f"{where}: ike: is not that of the command")
    check = replace(
        command,
        end=use.end,
        do=use.do,
        expect=use.expect,
        ike=use.ike or command.ike,
        when=use.when,
        unless=use.unless,
    )
    _check(where, check)
    return check


def _known(where: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise KnowledgeError(f"{where}: does not know {name!r}")


def _distinct(where: str, keys: Iterable[object]) -> None:
    seen: set[object] = set()
    for key in keys:
        if key in seen:
            raise KnowledgeError(f"{where}: {key!r} stands there twice")
        seen.add(key)
