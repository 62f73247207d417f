"""The knowledge base: what is known beforehand of states, causes and notifies, and how to find it by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from msgspec.structs import replace

from pcapdiag.knowledge.records import Cause, Check, DocumentItem, NotifyEntry, Rule, State
from pcapdiag.record import Record

if TYPE_CHECKING:
    from pcapdiag.knowledge.log_lines import LineKind

_LOOKALIKES = str.maketrans("‘’“”–—", "''\"\"--")
_SUGGESTED = 5
_LONGEST_TOPIC = 400


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
    """All that is known beforehand but lines of logs, which are in a table of their own.

    rules -- cause by cause; of each, those of what keys showed first
    """

    states: tuple[State, ...]
    causes: tuple[Cause, ...]
    notifies: tuple[NotifyEntry, ...]
    rules: tuple[Rule, ...] = ()

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


def _fold(text: str) -> str:
    return " ".join(text.translate(_LOOKALIKES).split()).casefold()


def _underscored(text: str) -> str:
    return re.sub(r"[-_\s]+", "_", text).upper()
