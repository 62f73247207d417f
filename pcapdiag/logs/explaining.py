"""One line of a log by itself: whose it is, what it says, and which message of the exchange it is about."""

import re
from collections.abc import Sequence

from pcapdiag.knowledge.base import KnowledgeBase, Topic
from pcapdiag.knowledge.log_lines import LineKind
from pcapdiag.knowledge.records import State
from pcapdiag.logs.ios import ENDS
from pcapdiag.logs.judging import known_states
from pcapdiag.logs.line import RECEIVED, SENT, LogLine, Told
from pcapdiag.logs.lines import READERS
from pcapdiag.logs.messages import AFTER, number_of, sender_of
from pcapdiag.logs.reader import masked
from pcapdiag.record import Record

_LONGEST = 16_384
_LEAST = 3


class Decoded(Record, frozen=True):
    """What one line tells beyond its meaning.

    platform -- who printed it; text -- the line without what stands before it, the address and the group
    role -- of the end that logs, where the line tells; told -- the message that it is about, or None
    readings -- for each message that it can be: its name, and what that leaves this end in, as a sentence
    states -- that this end can be in, most probable first
    """

    platform: str
    text: str
    role: str
    told: Told | None
    readings: tuple[tuple[str, str], ...]
    states: tuple[str, ...]


def decode(line: str) -> Decoded | None:
    """What a line tells by itself; None where no format has such a line."""
    found = _read(line[:_LONGEST])
    if found is None:
        return None
    said = found.said
    readings = tuple(_readings(said.told, said.role)) if said.told is not None else ()
    states: tuple[str, ...] = ()
    if said.told is not None:
        after = (AFTER.get((said.told.direction, name)) for name, _ in readings)
        states = tuple(dict.fromkeys(state[1] for state in after if state is not None))
    if not states and said.kind is not None and said.kind.state:
        states = (said.kind.state,)
    if not states and said.state:
        states = known_states(said.state, said.role)
    return Decoded(found.platform, distinctive(line), said.role, said.told, readings, states)


def _read(line: str) -> LogLine | None:
    for reader in READERS:
        one = reader()
        for text in (line, f"Jan  1 00:00:00 {line}"):
            if one.takes(text):
                for piece in one.pieces(text)[:1]:
                    found = one.read(1, piece)
                    if found is not None:
                        return found
    return None


def _readings(told: Told, role: str) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name in told.names:
        sender = sender_of(name)
        if sender and role and (sender == role) != (told.direction == SENT):
            continue
        rows.append((name, _then(name, told.direction)))
    return rows


def _then(name: str, direction: str) -> str:
    """What follows for the end that logs, in a sentence."""
    after = AFTER.get((direction, name))
    number = number_of(name)
    if after is not None:
        role, state = after
        verb = "is done with phase 1" if state.endswith("_ACTIVE") else f"waits for {name[:2]}{number + 1}"
        return f"this end is the {role} and {verb}: {state}"
    if number and direction == RECEIVED:
        role = "responder" if sender_of(name) == "initiator" else "initiator"
        return f"this end is the {role} and makes {name[:2]}{number + 1} now"
    if name in ("QM1", "QM2", "QM3"):
        return "phase 1 is complete, this is phase 2"
    if name.endswith(" request"):
        return "the answer is due" if direction == SENT else "this end has to answer"
    return ""


def distinctive(line: str) -> str:
    """The part of a line that tells it from others: without stamps, the thread, the group and the address."""
    text = line[:_LONGEST]
    for reader in READERS:
        one = reader()
        parts = one.split(text)
        if parts is not None:
            text, line = masked(parts[1]), masked(text)
            break
    text = re.sub(r"^%\w+-\d-\d+: |^\[IKEv\d[^\]]*\]:? ?|^ISAKMP[^:]*:\s?(?:\(\S*\):?\s?)?", "", text)
    text = re.sub(r"^(?:Group = [^,]*, )?(?:Username = [^,]*, )?(?:IP = [^,]*, )?", "", text)
    text = re.sub(r'^(?:<[^>]*> |"[^"]*"(?:\[\d+\])?[^:"]{0,60}: |ike \S+ )', "", text)
    short = " ".join(text.split())
    return short if len(short) >= _LEAST else " ".join(line.split())


def entries(knowledge: KnowledgeBase, topic: str) -> Sequence[Topic]:
    """What explains a topic: one entry, or the states of both ends where a device has one name for the two."""
    found = knowledge.find(topic)
    if found is None:
        return ()
    if isinstance(found, LineKind):
        one = _read(topic[:_LONGEST])
        own = one.said.kind if one is not None else None
        return (own or found,)
    if not isinstance(found, State):
        return (found,)
    words = {word.strip(".,;:()").upper() for word in topic.replace("-", "_").split()}
    words |= {"_".join(topic.upper().replace("-", " ").replace("_", " ").split())}
    for name, (first, second) in ENDS.items():
        if name in words and second and second != first:
            both = [knowledge.state(state) for state in (first, second)]
            return tuple(state for state in both if state is not None)
    return (found,)
