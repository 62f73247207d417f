"""What a kind of evidence shows, and what follows from it: a topic of `pcapdiag explain`, as text and as JSON."""

import json
import re
from collections.abc import Callable, Iterable, Iterator

from msgspec import to_builtins

from pcapdiag.knowledge.base import KnowledgeBase
from pcapdiag.knowledge.kinds import Kind, UndeclaredKindError, kind_of, like
from pcapdiag.knowledge.records import Rule, Status
from pcapdiag.record import Record
from pcapdiag.report.terminal.layout import Layout, wrapped

_VARYING = re.compile(r"initiator|responder|nothing|(mm|am|qm|v2-)?\d+|(mm|am|qm)-?\d|ike-[a-z0-9-]+|[0-9a-f]{4}")
"""What else than the name of a notify can stand for the `*` of a family: an end, a message, a number."""
_COLUMN = 15
_ORDER = list(Status)


class KindTopic(Record, frozen=True):
    """A kind of evidence with what waits for it.

    name -- as it was asked for; declared -- what is declared of it, or of its family
    rules -- those that need it; barred -- causes with rules that do not hold where it is there
    checked -- causes with checks that are for this kind, or not for it
    """

    name: str
    declared: Kind
    rules: tuple[Rule, ...]
    barred: tuple[str, ...]
    checked: tuple[str, ...]


def kind_topic(topic: str, knowledge: KnowledgeBase) -> KindTopic | None:
    """The kind of evidence that is called so; None where there is none."""
    name = topic.strip(" \t\r\n\"'`?.,:;").lower().replace("_", "-")
    try:
        declared = kind_of(name)
    except UndeclaredKindError:
        return None
    if "*" in declared.name and name != declared.name and not _is_one(name, declared, knowledge):
        return None

    def fits(patterns: Iterable[str]) -> bool:
        return any(like(name, pattern) or like(pattern, name) for pattern in patterns)

    return KindTopic(
        name,
        declared,
        tuple(
            sorted((r for r in knowledge.rules if fits((*r.all_of, *r.any_of))), key=lambda r: _ORDER.index(r.status))
        ),
        _causes(knowledge, lambda rule: fits(rule.none_of)),
        tuple(c.id for c in knowledge.causes if any(fits((*check.when, *check.unless)) for check in c.checks)),
    )


def render_kind(topic: KindTopic, knowledge: KnowledgeBase, layout: Layout) -> str:
    """The topic as text."""
    return "".join(f"{line.rstrip()}\n" for line in _lines(topic, knowledge, layout))


def render_kind_json(topic: KindTopic, schema_version: int) -> str:
    """The same as JSON, in the form of all topics."""
    entry = {
        "kind": "evidence",
        "name": topic.name,
        "family": topic.declared.name,
        "says": topic.declared.says,
        "rules": [to_builtins(rule) for rule in topic.rules],
        "bars": list(topic.barred),
        "checks_of": list(topic.checked),
    }
    return json.dumps({"schema_version": schema_version, "entries": [entry]}, indent=2, ensure_ascii=False) + "\n"


def _is_one(name: str, family: Kind, knowledge: KnowledgeBase) -> bool:
    """Whether a name that fits a family is one that a report can have."""
    if any(name in (*r.all_of, *r.any_of, *r.none_of, *r.also) for r in knowledge.rules):
        return True
    head, tail = family.name.split("*", 1)
    varying = name[len(head) : len(name) - len(tail)]
    notifies = {entry.name.lower().replace("_", "-") for entry in knowledge.notifies}
    return varying in notifies or _VARYING.fullmatch(varying) is not None


def _causes(knowledge: KnowledgeBase, wanted: Callable[[Rule], bool]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(rule.cause for rule in knowledge.rules if wanted(rule)))


def _lines(topic: KindTopic, knowledge: KnowledgeBase, layout: Layout) -> Iterator[str]:
    heading = f"━━ Evidence: {topic.name} "
    yield layout.paint(heading + "━" * max(0, layout.width - len(heading)), bold=True)
    yield from wrapped(topic.declared.says, layout, 0)
    if topic.declared.name != topic.name:
        yield from wrapped(f"One of {topic.declared.name}: what `*` stands for varies.", layout, 0)
    yield ""
    if topic.rules:
        yield layout.paint("Rules that wait for it", bold=True)
        for rule in topic.rules:
            yield from _rule(rule, topic, layout)
    else:
        yield "No rule waits for it: it tells where one stands, and no more."
    for label, causes in (
        ("With it, a rule of these causes no longer holds", topic.barred),
        ("It decides which checks are told of", topic.checked),
    ):
        if causes:
            yield from wrapped(f"{label}: {', '.join(causes)}.", layout, 2, "")
    if topic.rules:
        yield ""
        more = ", and so on" if len({rule.cause for rule in topic.rules}) > 1 else ""
        yield from wrapped(f"What to check: pcapdiag explain {topic.rules[0].cause}{more}", layout, 0)


def _rule(rule: Rule, topic: KindTopic, layout: Layout) -> Iterator[str]:
    word = rule.status.value.replace("_", " ")
    indent = " " * _COLUMN
    yield f"  {word:<{_COLUMN - 2}}{layout.paint(rule.cause, fg='cyan')}"
    yield from wrapped(rule.says, layout, _COLUMN, indent)
    others = [kind for kind in rule.all_of if not like(topic.name, kind)]
    needs = [", ".join(others)] if others else []
    if rule.any_of:
        needs.append(f"one of {', '.join(rule.any_of)}")
    if rule.none_of:
        needs.append(f"not {', '.join(rule.none_of)}")
    if needs:
        yield from wrapped(f"with {'; '.join(needs)}", layout, _COLUMN, indent)
    habit = " (a habit, not the protocol)" if rule.habit else ""
    yield from wrapped(f"basis: {rule.basis}{habit}", layout, _COLUMN, indent)
