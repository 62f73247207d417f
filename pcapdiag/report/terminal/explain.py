"""What the knowledge base says of one topic, for a terminal and as JSON: the reports of `pcapdiag explain`."""

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import to_builtins

from pcapdiag.knowledge import platform_names
from pcapdiag.knowledge.base import KnowledgeBase, KnownLine, LogReading, Topic
from pcapdiag.knowledge.log_lines import LineKind
from pcapdiag.knowledge.records import Cause, Check, NotifyEntry, State
from pcapdiag.report import both_ends
from pcapdiag.report.terminal.layout import Layout, wrapped

if TYPE_CHECKING:
    from pcapdiag.logs.debugging import Debugging
    from pcapdiag.logs.explaining import Decoded

SCHEMA_VERSION = 1
PLATFORM_NAMES = {
    **platform_names.PLATFORM_NAMES,
    "asa": "ASA",
    "ios": "IOS",
    "any": "Any device",
    "racoon": "racoon",
    "sonicwall": "SonicWall",
}
"""In the order in which their checks are shown."""

_PLACES = {
    "initiator": "at the initiator",
    "responder": "at the responder",
    "refuser": "at the end that refused",
    "refused": "at the end that was refused",
    "path": "on the path",
    "either": "",
}
_LABEL = 15
_LONGEST_QUOTE = 300


def render(
    topic_entry: Topic,
    knowledge: KnowledgeBase,
    layout: Layout,
    platform: str | None = None,
    decoded: "Decoded | None" = None,
) -> str:
    """Everything about one topic; of the checks only those of *platform*, and those of none, where one is given.

    decoded -- what the line that was asked about tells beyond its meaning
    """
    lines = list(_topic(topic_entry, knowledge, layout, platform, set()))
    if decoded is not None and isinstance(topic_entry, LineKind):
        labels = ("  on the wire", "  state", "  who knows", "  against", "  its text")
        place = next((n for n, line in enumerate(lines) if _bare(line).startswith(labels)), len(lines))
        lines[place:place] = _decoded(decoded, layout)
    return _text(lines)


def _bare(line: str) -> str:
    """The line without colour."""
    from click import unstyle

    return unstyle(line)


def render_decoded(decoded: "Decoded", layout: Layout) -> str:
    """What a line tells that is not in the table, but is about a message of the exchange."""
    name = PLATFORM_NAMES.get(decoded.platform, decoded.platform)
    return _text([*_heading(f"Log line, {name}", "", layout, None), *_decoded(decoded, layout)])


def render_debugging(found: "Debugging", layout: Layout) -> str:
    """What to turn on at a platform so that it logs what it knows, what that costs, and how to turn it off."""
    lines = [*_heading(f"Debug, {PLATFORM_NAMES[found.platform]}", "", layout, None)]
    parts = (("first", found.before), ("one peer", found.peer), ("turn on", found.on), ("turn off", found.off))
    for label, commands in parts:
        lines += [f"  {label if n == 0 else '':<{_LABEL - 2}}{command}" for n, command in enumerate(commands)]
    if not found.peer:
        lines += _labelled("one peer", "not possible: every peer is logged", layout)
    lines += _labelled("shows", found.shows, layout)
    lines += _labelled("costs", found.costs, layout)
    if found.secrets:
        lines += _labelled("secrets", "keys may stand in this log: whoever has it can read the tunnel", layout)
    lines += _labelled("source", found.source, layout)
    lines += _labelled("then", "pcapdiag log FILE, or pcapdiag analyze CAPTURE --log FILE", layout)
    return _text(lines)


def render_debugging_json(found: "Debugging") -> str:
    """The same as JSON: one object."""
    return _dump({"schema_version": SCHEMA_VERSION, "debugging": to_builtins(found)})


def render_log(reading: LogReading, knowledge: KnowledgeBase, layout: Layout, platform: str | None = None) -> str:
    """What each known line of a log means, once, and how many lines are unknown."""
    titled: set[str] = set()
    lines: list[str] = []
    for known in reading.known:
        lines += (*_topic(known.entry, knowledge, layout, platform, titled, known), "")
    lines.append(f"{reading.unknown} {'line was' if reading.unknown == 1 else 'lines were'} not recognised.")
    lines.append("What to check: pcapdiag explain CAUSE")
    return _text(lines)


def overview(knowledge: KnowledgeBase, layout: Layout) -> str:
    """All states and causes, a line each."""
    return _text(_overview(knowledge, layout))


def render_json(
    entries: Iterable[Topic],
    knowledge: KnowledgeBase,
    platform: str | None = None,
    decoded: "Decoded | None" = None,
) -> str:
    """Entries as one JSON document. Placeholders stay in braces; fields are added, never renamed.

    decoded -- what the line that was asked about tells beyond its meaning: `message` and `states` of its entry
    """
    found = [item for entry in entries for item in _objects(entry, knowledge, platform)]
    if decoded is not None:
        found = found or [{"kind": "debug", "platform": decoded.platform}]
        found[0] = {**found[0], **_decoded_object(decoded)}
    return _dump({"schema_version": SCHEMA_VERSION, "entries": found})


def render_log_json(reading: LogReading, knowledge: KnowledgeBase, platform: str | None = None) -> str:
    """The same for a log: each entry has the number of its first line in `line`, and in `count` how many there are."""
    found = [
        {**item, "line": known.number, "count": known.count}
        for known in reading.known
        for item in _objects(known.entry, knowledge, platform)
    ]
    return _dump({"schema_version": SCHEMA_VERSION, "entries": found, "unknown_lines": reading.unknown})


def _topic(
    entry: Topic,
    knowledge: KnowledgeBase,
    layout: Layout,
    platform: str | None,
    titled: set[str],
    source: KnownLine | None = None,
) -> Iterator[str]:
    """The lines of one topic. The titles of the causes in *titled* were told above."""
    if isinstance(entry, State):
        yield from _state(entry, knowledge, layout, platform, source)
    elif isinstance(entry, Cause):
        yield from _cause(entry, knowledge, layout, platform, source)
    elif isinstance(entry, LineKind):
        yield from _debug_line(entry, knowledge, layout, titled, source)
    else:
        yield from _notifies(entry, knowledge, layout, titled, source)


# --- the four kinds of topic -----------------------------------------------------------------------------------


def _state(
    state: State, knowledge: KnowledgeBase, layout: Layout, platform: str | None, source: KnownLine | None
) -> Iterator[str]:
    end = "either end" if state.end == "both" else f"the {state.end}"
    yield from _heading(state.id if state.id == "DEBUG_ERRORS" else f"{state.id}, {end}", state.title, layout, source)
    yield from _prose(state.meaning, layout)
    yield ""
    yield from _labelled("on the wire", state.wire, layout)
    if state.aliases:
        yield from _labelled("also called", ", ".join(state.aliases), layout)
    yield ""
    if not state.document:
        yield "The document gives no cause for this state."
        return
    yield layout.paint("Causes that the document gives, in its order", bold=True)
    for item in state.document:
        yield f"  {item.item}  {layout.paint(item.cause, fg='cyan')}"
        yield from wrapped(item.text, layout, 5, " " * 5)
    yield ""
    name = PLATFORM_NAMES[platform or "asa"]
    yield layout.paint(f"Check first on {name} (numbered as above)", bold=True)
    for item, check in knowledge.first_checks(state, platform or "asa"):
        yield from _check(item.item, check, _PLACES[check.end], layout)
    yield from _hint("In full", [item.cause for item in state.document], layout, source)


def _cause(
    cause: Cause, knowledge: KnowledgeBase, layout: Layout, platform: str | None, source: KnownLine | None
) -> Iterator[str]:
    yield from _heading(cause.id, cause.title, layout, source)
    yield from _prose(cause.meaning, layout)
    yield ""
    yield from _labelled("speaks for", cause.supports, layout)
    yield from _labelled("against", cause.against, layout)
    yield from _labelled("decides", cause.decide, layout)
    if cause.invisible is not None:
        yield from _labelled("not visible", cause.invisible, layout)
    places = ", ".join(f"{state} item {item}" for state, item in knowledge.document_items(cause.id))
    yield from _labelled("document", places or "does not list it", layout)
    if cause.remark is not None:
        yield from _labelled("remark", cause.remark, layout)
    yield ""
    yield from _checks(cause.checks if platform is None else cause.checks_for(platform), layout)
    if both_ends.helps(cause):
        yield ""
        for line in both_ends.lines():
            if line.startswith("  "):
                yield layout.paint(f"    {line.strip()}", bold=True)
            else:
                yield from wrapped(line, layout, 2, "  ")


def _notifies(
    entries: Sequence[NotifyEntry],
    knowledge: KnowledgeBase,
    layout: Layout,
    titled: set[str],
    source: KnownLine | None,
) -> Iterator[str]:
    for place, entry in enumerate(entries):
        if place:
            yield ""
        yield from _heading(f"{entry.name} ({entry.number}), IKEv{entry.version}", "", layout, source)
        yield from _prose(entry.meaning, layout)
        yield from _causes(entry.causes, knowledge, layout, titled)
    yield from _hint("What to check", [cause for entry in entries for cause in entry.causes], layout, source)


_KNOWS = {
    ("self", "confirmed"): "The end that logs this: in its own log it confirms the first cause.",
    ("self", "likely"): "The end that logs this; it points to the first cause and does not prove it.",
    ("self", "possible"): "The end that logs this; why it is so, it does not know.",
    ("peer", "confirmed"): "The other end; this one repeats what it was told.",
    ("peer", "likely"): "The other end; this one repeats what it was told. Its own log says why.",
    ("peer", "possible"): "The other end; this one repeats what it was told. Its own log says why.",
}


def _decoded(decoded: "Decoded", layout: Layout) -> Iterator[str]:
    """Which message a line is about, and what that leaves."""
    told = decoded.told
    if told is not None:
        verb = {"sent": "sent", "received": "received"}.get(told.direction, "")
        again = " again" if told.again else ""
        names = " or ".join(name for name, _ in decoded.readings) or "a message that the line does not name"
        parts = [f"{names}, {verb}{again}" if verb else names]
        if told.payloads:
            from pcapdiag.report.wording import safe

            parts.append(safe(", ".join(told.payloads)))
        if told.length is not None:
            parts.append(f"{told.length} octets")
        if told.sealed is not None:
            parts.append("encrypted" if told.sealed else "in clear")
        yield from _labelled("message", "; ".join(parts), layout)
        for name, then in decoded.readings:
            if then:
                label = f"if {name}" if len(decoded.readings) > 1 else "then"
                if len(label) > _LABEL - 3:
                    label, then = "if it is", f"{name}: {then}"
                yield from _labelled(label, then, layout)
    elif decoded.states:
        yield from _labelled("this end is in", " or ".join(decoded.states), layout)


def _debug_line(
    entry: LineKind, knowledge: KnowledgeBase, layout: Layout, titled: set[str], source: KnownLine | None
) -> Iterator[str]:
    quote = "" if source else f"… {' … '.join(entry.contains)} …"
    yield from _heading(f"Log line, {PLATFORM_NAMES[entry.platform]}", quote, layout, source)
    yield from _prose(entry.meaning, layout)
    yield ""
    if entry.wire:
        yield from _labelled("on the wire", entry.wire, layout)
    if entry.state and not entry.wire:
        yield from _labelled("state", entry.state, layout)
    if entry.knows and entry.causes:
        yield from _labelled("who knows", _KNOWS[entry.knows, entry.status], layout)
    if entry.against:
        yield from _labelled("against", ", ".join(entry.against), layout)
    yield from _labelled("its text", entry.source, layout)
    yield from _causes(entry.causes, knowledge, layout, titled)
    yield from _hint("What to check", entry.causes, layout, source)


# --- their parts -----------------------------------------------------------------------------------------------


def _heading(name: str, title: str, layout: Layout, source: KnownLine | None) -> Iterator[str]:
    where = ""
    if source is not None:
        where = f"line {source.number}" + (f", {source.count} times" if source.count > 1 else "") + ": "
    text = f"━━ {where}{name} "
    yield layout.paint(text + "━" * max(0, layout.width - len(text)), bold=True)
    if source is not None:
        from pcapdiag.report.wording import safe  # imports the whole of IKE, which nothing else here needs

        quote = safe(" ".join(source.text[:_LONGEST_QUOTE].split()))
        yield from wrapped(quote + ("…" if len(source.text) > _LONGEST_QUOTE else ""), layout, 2, "  ")
        yield ""
    if title:
        yield from (layout.paint(line, bold=True) for line in wrapped(title, layout, 0))
        yield ""


def _causes(causes: Sequence[str], knowledge: KnowledgeBase, layout: Layout, titled: set[str]) -> Iterator[str]:
    yield ""
    if not causes:
        yield "It points to no cause."
        return
    yield layout.paint("Causes, likeliest first" if len(causes) > 1 else "Cause", bold=True)
    if titled.issuperset(causes):
        yield from wrapped(", ".join(causes), layout, 2, "  ")
        return
    column = max(map(len, causes)) + 4
    for name in causes:
        cause = knowledge.cause(name)
        title = "" if name in titled or cause is None else cause.title
        titled.add(name)
        first, *rest = wrapped(title, layout, column, " " * column)
        yield f"  {layout.paint(name, fg='cyan')}{first[len(name) + 2 :]}"
        yield from rest


def _checks(checks: Sequence[Check], layout: Layout) -> Iterator[str]:
    places = {check.end for check in checks}
    common = _PLACES[places.pop()] if len(places) == 1 else None
    yield layout.paint(f"What to check{f', {common}' if common else ''}", bold=True)
    if not checks:
        yield "  Nothing is known for this platform."
    numbers = itertools.count(1)
    for platform, name in PLATFORM_NAMES.items():
        group = [check for check in checks if check.platform == platform]
        if group:
            yield f"── {layout.paint(name, bold=True)}"
        for check in group:
            yield from _check(next(numbers), check, "" if common else _PLACES[check.end], layout)


def _check(number: int, check: Check, place: str, layout: Layout) -> Iterator[str]:
    """One check; its command whole and alone on its line, to be copied, even where it is longer than the line."""
    filled = check.fill(peer="<peer address>", local="<local address>")
    task = f"{place[0].upper()}{place[1:]}: {filled.do}" if place else filled.do
    about = ", ".join(([f"IKEv{filled.ike}"] if filled.ike else []) + ([filled.software] if filled.software else []))
    task += f" ({about})" if about else ""
    yield from wrapped(f"{number:>3}. {task}", layout, 5)
    if filled.command is not None:
        for line in (*filled.first, filled.command):
            yield " " * max(0, min(7, layout.width - len(line))) + layout.paint(line, fg="green")
    if filled.undo:
        word = "To end it" if filled.does == "debug" else "To undo it"
        yield from wrapped(f"{word}: {'; '.join(filled.undo)}", layout, 7, " " * 5)
    if filled.expect is not None:
        yield from wrapped(f"→ {filled.expect}", layout, 7, " " * 5)


def _hint(what: str, causes: Sequence[str], layout: Layout, source: KnownLine | None) -> Iterator[str]:
    """Where to read on; in a log that stands once, at its end."""
    if causes and source is None:
        more = ", and so on" if len(set(causes)) > 1 else ""
        yield ""
        yield from wrapped(f"{what}: pcapdiag explain {causes[0]}{more}", layout, 0)


def _overview(knowledge: KnowledgeBase, layout: Layout) -> Iterator[str]:
    groups = (
        ("States", [(state.id, state.title) for state in knowledge.states]),
        ("Causes", [(cause.id, cause.title) for cause in knowledge.causes]),
    )
    for heading, entries in groups:
        column = max((len(name) for name, _ in entries), default=0) + 2
        yield layout.paint(heading, bold=True)
        for name, title in entries:
            first, *rest = wrapped(title, layout, column, " " * column)
            yield f"{layout.paint(name, fg='cyan')}{first[len(name) :]}"
            yield from rest
        yield ""
    yield from wrapped(
        "pcapdiag explain TOPIC: one of these, a message (MM4), a notify by name or number, a kind of "
        "evidence (silence-after-mm5), or a line of a device's log; `-` reads a log from standard input.",
        layout,
        0,
    )


def _prose(text: str, layout: Layout) -> Iterator[str]:
    for place, paragraph in enumerate(text.split("\n\n")):
        if place:
            yield ""
        yield from wrapped(paragraph, layout, 0)


def _labelled(label: str, text: str, layout: Layout) -> Iterator[str]:
    first, *rest = (
        line for paragraph in text.split("\n\n") for line in wrapped(paragraph, layout, _LABEL, " " * _LABEL)
    )
    yield f"  {layout.paint(label.ljust(_LABEL - 2), dim=True)}{first[_LABEL:]}"
    yield from rest


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line.rstrip()}\n" for line in lines)


# --- JSON ------------------------------------------------------------------------------------------------------


def _objects(entry: Topic, knowledge: KnowledgeBase, platform: str | None) -> list[dict[str, object]]:
    if isinstance(entry, State):
        return [{"kind": "state", **to_builtins(entry)}]
    if isinstance(entry, LineKind):
        return [{"kind": "debug", "contains": list(entry.contains), **to_builtins(entry)}]
    if isinstance(entry, Cause):
        fields = to_builtins(entry)
        shown = entry.checks if platform is None else entry.checks_for(platform)
        places = [{"state": state, "item": item} for state, item in knowledge.document_items(entry.id)]
        return [{"kind": "cause", **fields, "checks": [to_builtins(check) for check in shown], "document": places}]
    return [{"kind": "notify", **to_builtins(notify)} for notify in entry]


def _decoded_object(decoded: "Decoded") -> dict[str, object]:
    told = decoded.told
    message = None
    if told is not None:
        message = {
            "names": [name for name, _ in decoded.readings],
            "direction": told.direction or None,
            "payloads": list(told.payloads) if told.payloads is not None else None,
            "length": told.length,
            "encrypted": told.sealed,
            "again": told.again,
        }
    return {"message": message, "states": list(decoded.states)}


def _dump(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
