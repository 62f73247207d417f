"""Which causes fit the evidence: the few functions that read the rules, which stand with their causes.

A rule names a cause, the kinds of evidence that have to be there (all of them), those that must not be, and the
status that follows. The rules of one cause are tried from the top; the first that fits decides. Of causes with the
same status the one with the higher weight comes first. Rules read evidence only, never packets.

`confirmed` stands only where the wire itself proves the cause: somebody in a position to know said so in a message
that belongs to this exchange and nothing contradicts it. Silence never confirms.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from pcapdiag.diagnosis.evidence.case import Evidence
from pcapdiag.diagnosis.evidence.version_words import in_ikev2
from pcapdiag.knowledge.base import KnowledgeBase
from pcapdiag.knowledge.kinds import kind_of, like
from pcapdiag.knowledge.records import Cause, Rule, Status
from pcapdiag.record import Record


class RankedCause(Record, frozen=True):
    """A cause with how it stands.

    because -- ids of the evidence that speaks for it; against -- of what speaks against it
    says -- the reason in words
    document -- where the source document lists it for the states that are possible here: (state, item)
    """

    cause: Cause
    status: Status
    weight: int
    says: str
    because: tuple[str, ...]
    against: tuple[str, ...]
    document: tuple[tuple[str, int], ...]

    @property
    def leads(self) -> bool:
        """Something speaks for it: possible, or better."""
        return self.status in (Status.CONFIRMED, Status.LIKELY, Status.POSSIBLE)


def rules_of(knowledge: KnowledgeBase, *, with_keys: bool) -> Mapping[str, Sequence[Rule]]:
    """The rules of each cause, in the order in which they are tried; `with_keys`: those for what keys showed too."""
    found: dict[str, list[Rule]] = {}
    for rule in knowledge.rules:
        if with_keys or not rule.with_keys:
            found.setdefault(rule.cause, []).append(rule)
    return found


class _Row(Record, frozen=True):
    """What the kinds of evidence alone say of a cause: its rule, and where the document has it."""

    cause: Cause
    rule: Rule | None
    document: tuple[tuple[str, int], ...]


class Ranking:
    """Ranks by one knowledge base. What the same kinds of evidence lead to is worked out once.

    A flood has a million exchanges and a handful of combinations of evidence.
    """

    def __init__(self, knowledge: KnowledgeBase) -> None:
        self._knowledge = knowledge
        self._rules = {with_keys: rules_of(knowledge, with_keys=with_keys) for with_keys in (False, True)}
        self._causes: dict[int, tuple[Cause, ...]] = {}
        self._rows: dict[tuple[frozenset[str], tuple[str, ...]], tuple[_Row, ...]] = {}

    def rank(
        self, evidence: Sequence[Evidence], context: Iterable[str], states: Sequence[str]
    ) -> tuple[RankedCause, ...]:
        """The causes that fit, best first; every cause that the document gives for one of `states` is among them.

        context -- what holds of the exchange as a whole and needs no frame: its mode, and "unfinished"
        """
        ids: dict[str, list[str]] = {kind: [] for kind in context}
        for item in evidence:
            for kind in item.kinds:
                ids.setdefault(kind, []).append(item.id)
        key = (frozenset(ids), tuple(states))
        rows = self._rows.get(key)
        if rows is None:
            rows = self._rows[key] = tuple(self._decide(ids, states))
        return tuple(_ranked(row, ids) for row in rows)

    def _decide(self, kinds: Mapping[str, list[str]], states: Sequence[str]) -> list[_Row]:
        places: dict[str, list[tuple[str, int]]] = {}
        for name in states:
            state = self._knowledge.state(name)
            for entry in state.document if state else ():
                places.setdefault(entry.cause, []).append((name, entry.item))
        rows, rules = [], self._rules[any(kind_of(kind).keys for kind in kinds)]
        version = 2 if "ikev2" in kinds else 1
        if version not in self._causes:
            self._causes[version] = self._knowledge.causes_in(version)
        for cause in self._causes[version]:
            document = tuple(dict.fromkeys(places.get(cause.id, ())))
            rule = next((r for r in rules.get(cause.id, ()) if _fits(r, kinds)), None)
            if rule is not None and version == 2:
                rule = replace(rule, says=in_ikev2(rule.says))
            row = _Row(cause, rule, document)
            if document or (rule is not None and _ranked(row, kinds).leads):
                rows.append(row)
        return sorted(rows, key=lambda row: _place(_ranked(row, kinds)))


def _place(ranked: RankedCause) -> tuple[int, int]:
    return list(Status).index(ranked.status), -ranked.weight


def _ranked(row: _Row, ids: Mapping[str, list[str]]) -> RankedCause:
    cause, rule, document = row.cause, row.rule, row.document
    if rule is None:
        if not cause.visible:
            says = cause.invisible or ""
            return RankedCause(cause, Status.UNDECIDABLE, 0, says, (), (), document)
        says = "Nothing in the capture speaks for it or against it."
        return RankedCause(cause, Status.UNDECIDABLE, 10, says, (), (), document)
    named = (*rule.all_of, *rule.any_of, *rule.also)
    reasons = tuple(dict.fromkeys(i for pattern in named for i in _matching(pattern, ids)))
    against = rule.status in (Status.UNLIKELY, Status.RULED_OUT)
    because, contrary = ((), reasons) if against else (reasons, ())
    return RankedCause(cause, rule.status, rule.weight, rule.says, because, contrary, document)


def _fits(rule: Rule, ids: Mapping[str, list[str]]) -> bool:
    if rule.any_of and not any(_present(p, ids) for p in rule.any_of):
        return False
    return all(_present(p, ids) for p in rule.all_of) and not any(_present(p, ids) for p in rule.none_of)


def _present(pattern: str, kinds: Iterable[str]) -> bool:
    if "*" not in pattern:
        return pattern in kinds
    return any(like(kind, pattern) for kind in kinds)


def _matching(pattern: str, ids: Mapping[str, list[str]]) -> list[str]:
    return [i for kind, found in ids.items() if like(kind, pattern) for i in found]
