"""From the lines of a log to exchanges: which lines belong to one negotiation, which messages they tell of, who began.

What joins lines differs by format: the number of the SA, its cookies, or nothing but the peer's address; with the
address alone a new negotiation begins where message 1 goes by again after the last one got further. What the log does
not tell stays open: a message that could be 3 or 4 has no name until something says who began.
"""

from collections.abc import Iterator

from pcapdiag.knowledge.log_lines import LineKind
from pcapdiag.logs.line import RECEIVED, SENT, LogLine, Said, Told
from pcapdiag.logs.messages import AFTER, number_of, sender_of
from pcapdiag.logs.reader import masked
from pcapdiag.logs.stamps import last_stamp
from pcapdiag.record import Record
from pcapdiag.units import SECOND

MAX_ATTEMPTS = 20_000
"""Exchanges that are told one by one; what comes after them is counted."""
MAX_OPEN = 20_000
"""Sessions, cookies and peers that are remembered."""
MAX_MESSAGES = 200
MAX_EVENTS = 400
MAX_CITED = 40
"""Lines that are kept of what was said again and again."""

GAP = 120 * SECOND
"""Lines that only the peer's address joins, and that are further apart, are not of one negotiation of phase 1."""
BACK = 5 * SECOND
"""A log that goes back further than this is of another time."""

_FIRST = ("MM1", "AM1", "IKE_SA_INIT request")
_BY_PEER = frozenset(("asa", "ios", "racoon", "juniper", "paloalto", "azure", "aws"))
"""Platforms whose lines are joined by the peer's address alone."""


class LogMessage(Record, frozen=True):
    """A message of the exchange, as the log tells it.

    name -- "MM1", "IKE_AUTH request"; "" where it stays open
    direction -- "sent" or "received" by the end that logs; again -- how often it was sent or came again
    lines -- that tell of it; when -- the stamps of the first, as written
    payloads, length, message_id -- None where the log does not tell; sealed -- encrypted
    """

    name: str
    direction: str
    lines: tuple[int, ...]
    when: str
    payloads: tuple[str, ...] | None
    length: int | None
    message_id: int | None
    sealed: bool | None
    again: int = 0


class LogEvent(Record, frozen=True):
    """Something that the device says of the exchange: lines of one kind.

    place -- how many messages had gone by before the first of them; text -- the first of them; count -- how many
    up -- phase 1 was complete then
    """

    kind: LineKind
    lines: tuple[int, ...]
    when: str
    text: str
    place: int
    count: int
    up: bool


class LogExchange(Record, frozen=True):
    """One negotiation, as one device logged it.

    id -- place in the order of the log, from 1; source -- the name of the log
    role -- of the device: "initiator", "responder", or "" where the log does not tell
    mode -- "main", "aggressive", "ikev2" or "unknown"
    initiator_spi, responder_spi -- eight octets each, or empty; connection -- names, or tunnel-groups
    first_line, last_line, first_when, last_when -- where it stands, and the stamps there, as written
    states -- that the device named, in order, each once
    uncounted -- messages and lines beyond the limit of what is kept
    """

    id: int
    source: str
    platform: str
    role: str
    mode: str
    local: str
    local_port: int
    peer: str
    peer_port: int
    connection: tuple[str, ...]
    initiator_spi: bytes
    responder_spi: bytes
    messages: tuple[LogMessage, ...]
    events: tuple[LogEvent, ...]
    states: tuple[str, ...]
    first_line: int
    last_line: int
    first_when: str
    last_when: str
    uncounted: int = 0

    @property
    def initiator(self) -> str:
        """The address of the initiator, or "" where the log does not tell."""
        return self.local if self.role == "initiator" else self.peer if self.role == "responder" else ""

    @property
    def responder(self) -> str:
        """The address of the responder, or "" where the log does not tell."""
        return self.peer if self.role == "initiator" else self.local if self.role == "responder" else ""


class _Message:
    __slots__ = ("again", "direction", "length", "lines", "message_id", "name", "octets", "payloads", "sealed", "when")

    def __init__(self, name: str, told: Told, line: LogLine) -> None:
        self.name = name
        self.direction = told.direction
        self.lines = [line.number]
        self.when = line.when
        self.payloads = told.payloads
        self.length = told.length
        self.message_id = line.said.message_id
        self.sealed = told.sealed
        self.octets = bool(line.said.octets)
        self.again = 0

    def repeat(self, line: LogLine, again: bool) -> None:
        self.again += again
        if len(self.lines) < MAX_CITED and line.number not in self.lines:
            self.lines.append(line.number)
        told = line.said.told
        if told is not None:
            self.payloads = self.payloads or told.payloads
            self.length = self.length or told.length
        self.octets = self.octets or bool(line.said.octets)

    def record(self) -> LogMessage:
        return LogMessage(
            self.name,
            self.direction,
            tuple(self.lines),
            self.when,
            self.payloads,
            self.length,
            self.message_id,
            self.sealed,
            self.again,
        )


class _Event:
    __slots__ = ("count", "kind", "lines", "place", "text", "up", "when")

    def __init__(self, kind: LineKind, line: LogLine, place: int, up: bool) -> None:
        self.kind = kind
        self.lines = [line.number]
        self.when = line.when
        self.text = masked(line.text[:800])[:400]
        self.place = place
        self.up = up
        self.count = 1

    def record(self) -> LogEvent:
        return LogEvent(self.kind, tuple(self.lines), self.when, self.text, self.place, self.count, self.up)


class _Attempt:
    """An exchange that is being built."""

    def __init__(self, number: int, line: LogLine) -> None:
        self.number = number
        self.platform = line.platform
        self.role = ""
        self.mode = ""
        self.local, self.local_port, self.peer, self.peer_port = "", 0, "", 0
        self.connections: dict[str, None] = {}
        self.initiator_spi = self.responder_spi = b""
        self.session = ""
        self.messages: list[_Message] = []
        self.events: dict[tuple[str, int, bool], _Event] = {}
        self.states: dict[str, None] = {}
        self.first, self.first_when = line.number, line.when
        self.last, self.last_when = line.number, line.when
        self.reached = 0
        self.begun = self.up = self.closed = False
        self.uncounted = 0
        self.weighty = False

    def add(self, line: LogLine) -> None:
        said = line.said
        self.last, self.last_when = line.number, line.when or self.last_when
        self.peer, self.peer_port = self.peer or said.peer, self.peer_port or said.peer_port
        self.local, self.local_port = self.local or said.local, self.local_port or said.local_port
        self.initiator_spi = self.initiator_spi or said.initiator_spi
        self.responder_spi = self.responder_spi or said.responder_spi
        if said.connection and len(self.connections) < 8:
            self.connections[said.connection] = None
        if said.role and not self.role:
            self.role = said.role
        if said.state and len(self.states) < 64:
            self.states[said.state] = None
        if said.told is not None and said.told.whole:
            self._message(said.told, line)
        if said.kind is not None:
            self._event(said.kind, line)

    def _event(self, kind: LineKind, line: LogLine) -> None:
        if kind.ike and not self.mode and kind.ike == 2:
            self.mode = "ikev2"
        tells = kind.tells
        self.begun = self.begun or tells == "begin"
        self.weighty = self.weighty or bool(tells or kind.causes)
        if kind.tells or kind.causes or kind.against or kind.state:
            key = (kind.id, 0 if tells == "resends" else self.reached, self.up)
            found = self.events.get(key)
            if found is not None:
                found.count += 1
                if len(found.lines) < MAX_CITED:
                    found.lines.append(line.number)
            elif len(self.events) < MAX_EVENTS:
                self.events[key] = _Event(kind, line, len(self.messages), self.up)
            else:
                self.uncounted += 1
        self.up = self.up or tells in ("phase1-up", "phase2-up")
        self.closed = self.closed or tells in ("closed", "timeout", "lost")

    def _message(self, told: Told, line: LogLine) -> None:
        name = self._name(told, line.said)
        if name.startswith("MM"):
            self.mode = self.mode or "main"
        elif name.startswith("AM"):
            self.mode = self.mode or "aggressive"
        elif " " in name:
            self.mode = self.mode or "ikev2"
        if not self.role:
            self.role = _role_by(name, told.direction)
        self.reached = max(self.reached, number_of(name), _V2_PLACES.get(name, 0))
        for message in reversed(self.messages[-8:]):
            same = message.name == name and message.direction == told.direction
            if same and name and _may_be_one(message.message_id, line.said.message_id):
                doubled = (
                    message.octets != bool(line.said.octets) and not message.again and message is self.messages[-1]
                )
                message.repeat(line, again=not doubled)
                return
        if len(self.messages) < MAX_MESSAGES:
            self.messages.append(_Message(name, told, line))
            self.weighty = True
        else:
            self.uncounted += 1

    def _name(self, told: Told, said: Said) -> str:
        names = told.names
        if not names:
            return self._again(told) if told.again or told.direction == SENT else ""
        if len(names) == 1:
            return names[0]
        if names[0] == "QM1":
            return self._quick(told, said.message_id, names)
        fitting = [name for name in names if self._fits(name, told.direction)]
        if len(fitting) == 1:
            return fitting[0]
        seen = {message.name for message in self.messages}
        if told.again:
            sent = [name for name in fitting if name in seen]
            return sent[-1] if sent else ""
        for name in fitting:
            # Without a role: message 1 is the first of all; the next after what was reached is the other end's turn.
            if number_of(name) == self.reached + 1 and (self.reached or name in _FIRST):
                return name
        return fitting[0] if self.role and fitting else ""

    def _fits(self, name: str, direction: str) -> bool:
        if not self.role:
            return True
        return (sender_of(name) == self.role) == (direction == SENT)

    def _quick(self, told: Told, message_id: int | None, names: tuple[str, ...]) -> str:
        own = [m for m in self.messages if m.message_id == message_id and m.name[:2] == "QM"]
        if not own:
            return "QM1"
        if told.direction != own[0].direction:
            return "QM2"
        return "QM3" if len(own) > 1 and "QM3" in names else own[0].name

    def _again(self, told: Told) -> str:
        """The last message that went that way, which a retransmission repeats."""
        last = next((m for m in reversed(self.messages) if m.direction == told.direction and m.name), None)
        return last.name if last is not None else ""

    def begins_anew(self, line: LogLine, own_session: bool) -> bool:
        """Whether this line begins another negotiation than this one."""
        said = line.said
        told = said.told
        first = told is not None and told.whole and not told.again and bool(set(told.names) & set(_FIRST))
        tells = said.kind.tells if said.kind is not None else ""
        if own_session:
            return False
        if first and told is not None:
            if not self.messages:
                return self.closed or self.up
            answer = set(told.names) & {"MM2"} and self._answers(told.direction)
            if answer:
                return False
            same = self.messages[0].direction == told.direction and self.messages[0].length == told.length
            return not (same and self.reached <= 2 and not (self.closed or self.up))
        if tells == "begin":
            return bool(self.closed or self.up or self.reached > 1 or (self.begun and self.messages))
        return False

    def _answers(self, direction: str) -> bool:
        """Whether an SA payload going that way is message 2: message 1 went the other way, and nothing since."""
        return self.reached == 1 and self.messages[0].direction != direction and not (self.closed or self.up)

    def record(self, number: int, source: str) -> LogExchange:
        return LogExchange(
            id=number,
            source=source,
            platform=self.platform,
            role=self.role,
            mode=self.mode or "unknown",
            local=self.local,
            local_port=self.local_port,
            peer=self.peer,
            peer_port=self.peer_port,
            connection=tuple(self.connections),
            initiator_spi=self.initiator_spi,
            responder_spi=self.responder_spi,
            messages=tuple(message.record() for message in self.messages),
            events=tuple(event.record() for event in self.events.values()),
            states=tuple(self.states),
            first_line=self.first,
            last_line=self.last,
            first_when=self.first_when,
            last_when=self.last_when,
            uncounted=self.uncounted,
        )


class Attempts:
    """Takes the lines of one log, in order, and gives its exchanges.

    dropped -- exchanges beyond `MAX_ATTEMPTS`; loose -- lines that tell something and belong to no exchange
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.dropped = 0
        self.loose = 0
        self._all: list[_Attempt] = []
        self._by: dict[tuple[str, str, object], _Attempt] = {}
        self._last: dict[str, _Attempt] = {}

    def feed(self, line: LogLine) -> int | None:
        """Take a line; the number of the exchange that it went to, for `exchange_of`."""
        said = line.said
        attempt = self._find(line)
        if attempt is None:
            if not _starts(said):
                self.loose += 1
                return None
            if len(self._all) >= MAX_ATTEMPTS:
                self.dropped += 1
                return None
            attempt = _Attempt(len(self._all), line)
            self._all.append(attempt)
        attempt.add(line)
        self._file(attempt, said)
        return attempt.number

    def exchanges(self) -> Iterator[LogExchange]:
        """The exchanges, in order of their first lines; what consists of stray lines alone is left out."""
        number = 0
        for attempt in self._all:
            if attempt.weighty:
                number += 1
                yield attempt.record(number, self.source)

    def numbers(self) -> dict[int, int]:
        """What `feed` gave, to the id of the exchange."""
        kept = [attempt.number for attempt in self._all if attempt.weighty]
        return {given: number for number, given in enumerate(kept, 1)}

    def _find(self, line: LogLine) -> _Attempt | None:
        said, platform = line.said, line.platform
        own = False
        found: _Attempt | None = None
        if said.initiator_spi:
            found = self._by.get((platform, "spi", said.initiator_spi))
            own = found is not None
        if found is None and said.session:
            found = self._by.get((platform, "session", said.session))
            own = found is not None and platform not in _BY_PEER
            if found is None:
                # The first line with a number may come after lines with the peer only.
                found = self._by.get((platform, "peer", said.peer)) if said.peer else None
                if found is not None and (
                    (found.session and found.session != said.session) or found.up or found.closed
                ):
                    return None
                if found is None and not said.peer and platform == "strongswan":
                    last = self._last.get(platform)
                    found = last if last is not None and not last.session and not last.closed else None
        if found is None and not said.session and said.peer and not said.initiator_spi:
            found = self._by.get((platform, "peer", said.peer))
        if found is None and not said.session and not said.peer and not said.initiator_spi:
            found = self._last.get(platform)
        if found is None and said.initiator_spi and said.peer and not said.session:
            found = self._by.get((platform, "peer", said.peer))
            if found is not None and found.initiator_spi:
                found = None
        if found is None and (said.peer or said.initiator_spi):
            last = self._last.get(platform)  # what came before the first line that names the peer, or the SA
            if last is not None and not (last.peer or last.initiator_spi or last.closed or last.up):
                found = last if platform in _BY_PEER or not last.session else None
        if found is not None and said.initiator_spi and found.initiator_spi not in (b"", said.initiator_spi):
            return None
        if found is None or found.begins_anew(line, own) or (platform in _BY_PEER and _apart(found, line)):
            return None
        return found

    def _file(self, attempt: _Attempt, said: Said) -> None:
        platform = attempt.platform
        self._last[platform] = attempt
        if len(self._by) > MAX_OPEN:
            for key in list(self._by)[: MAX_OPEN // 2]:
                del self._by[key]
        if said.session:
            attempt.session = attempt.session or said.session
            self._by[platform, "session", said.session] = attempt
        if attempt.peer:
            self._by[platform, "peer", attempt.peer] = attempt
        if attempt.initiator_spi:
            self._by[platform, "spi", attempt.initiator_spi] = attempt


def _apart(attempt: _Attempt, line: LogLine) -> bool:
    """Whether a line is of another time than an exchange that only the peer's address joins it to."""
    if attempt.last_when == line.when:
        return False
    before, now = last_stamp(attempt.last_when), last_stamp(line.when)
    if before is None or now is None or before.has_date != now.has_date or before.has_year != now.has_year:
        return False
    between = now.wall - before.wall
    if not now.has_date and between < 0:
        return False
    return between < -BACK or (between > GAP and not attempt.up)


def _starts(said: Said) -> bool:
    """Whether a line may be the first of an exchange."""
    if said.told is not None:
        return said.told.whole or bool(said.told.names)
    kind = said.kind
    return kind is not None and bool(kind.tells or kind.causes or kind.state or kind.against)


def _may_be_one(one: int | None, other: int | None) -> bool:
    """Whether two message IDs do not differ; a line about a retransmission need not have one."""
    return one == other or one is None or other is None


def _role_by(name: str, direction: str) -> str:
    """Who this end is, from a message that only one end sends."""
    sender = sender_of(name)
    if not sender and name in ("IKE_SA_INIT request", "IKE_AUTH request"):
        sender = "initiator"
    elif not sender and name in ("IKE_SA_INIT response", "IKE_AUTH response"):
        sender = "responder"
    if not sender:
        return ""
    other = "responder" if sender == "initiator" else "initiator"
    return sender if direction == SENT else other


_V2_PLACES = {"IKE_SA_INIT request": 1, "IKE_SA_INIT response": 2, "IKE_AUTH request": 3, "IKE_AUTH response": 4}


def state_after(exchange: LogExchange) -> str:
    """The state that the messages leave the device in, of IKEv1 phase 1; "" where they do not tell."""
    state = ""
    for message in exchange.messages:
        found = AFTER.get((message.direction, message.name))
        if found is not None:
            state = found[1]
        elif message.direction == RECEIVED and number_of(message.name):
            state = ""
    return state
