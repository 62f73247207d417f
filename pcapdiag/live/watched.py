"""What is on watch: the exchanges, by how much was heard of them and by who speaks with whom."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from pcapdiag.capture.datagram import Captured, IcmpError
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.tunnel import TunnelState
from pcapdiag.exchange.model import Exchange, Side
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.knowledge.records import Status

THIN_ABOVE, THIN_TO = 96, 32
"""Messages of one exchange above which those in the middle are forgotten (see Tracker.thin)."""

Peers = tuple[str, str]
"""Two addresses, in their order as text."""


class Ending(NamedTuple):
    """Where an exchange stands; phase2: completed if any Quick Mode is, else as the first one, None for none."""

    outcome: Outcome
    missing: str | None
    refused_by: Side | None
    initiator_state: tuple[str, ...]
    responder_state: tuple[str, ...]
    phase2: Outcome | None


class Said(NamedTuple):
    """What of a diagnosis is told again when it changes.

    cause -- the one that leads, and how sure it is; None where none does
    open -- the causes may still change with what the initiator does next
    """

    ending: Ending
    tunnel: TunnelState
    cause: tuple[str, Status] | None
    open: bool


class Watched(Struct):
    """What the watch knows of one exchange.

    source -- who sent its first message; messages -- how many came; began, last -- when the first and the last did
    built -- as the tracker had it, None where something came since; decoded -- more than a first message, or looked at
    told, outcome -- what was said of it last; completed, well -- as of the Diagnosis
    settles_at -- until then the causes that were told are open
    seen -- what the last judgement was about; judged -- when that was; asked -- what it was said to wait for
    """

    id: int
    talk: Peers
    source: str
    began: int
    last: int
    messages: int = 0
    built: Exchange | None = None
    decoded: bool = False
    told: Said | None = None
    outcome: Outcome | None = None
    completed: bool = False
    well: bool = False
    seen: Ending | None = None
    judged: int = 0
    stirred: bool = True
    settles_at: int = 0
    asked: tuple[str | None, int] | None = None


class Talk(Struct):
    """The exchanges on watch between two peers, by id: all, and those that are not known to have completed."""

    members: dict[int, None]
    unfinished: dict[int, None]


class OnWatch:
    """The tables of what is on watch. They grow without a bound of their own: see Eviction.

    openings -- with nothing but a first message and an answer to it; going -- the others; by id, and in both first what
    was heard of longest ago
    talks -- the same by their two peers
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self.openings: OrderedDict[int, Watched] = OrderedDict()
        self.going: OrderedDict[int, Watched] = OrderedDict()
        self.talks: dict[Peers, Talk] = {}

    def __len__(self) -> int:
        """Count the exchanges."""
        return len(self.openings) + len(self.going)

    def __iter__(self) -> Iterator[Watched]:
        """All of them, openings first."""
        yield from self.openings.values()
        yield from self.going.values()

    def find(self, number: int) -> Watched | None:
        """The exchange of that id; None where it is not on watch."""
        return self.going.get(number) or self.openings.get(number)

    def between(self, talk: Peers) -> list[Watched]:
        """Those of one conversation, oldest first; it must have some."""
        return [self.going.get(n) or self.openings[n] for n in self.talks[talk].members]

    def goes_on(self, talk: Peers) -> bool:
        """Whether one of this conversation is more than an opening."""
        return any(n in self.going for n in self.talks[talk].members)

    def begin(self, number: int, item: Captured, time: int) -> Watched:
        """Put the exchange on watch that this item is the first of."""
        between = item.quoted if isinstance(item, IcmpError) else item
        talk = (min(between.source, between.destination), max(between.source, between.destination))
        found = self.openings[number] = Watched(number, talk, between.source, time, time)
        together = self.talks.setdefault(talk, Talk({}, {}))
        together.members[number] = together.unfinished[number] = None
        return found

    def heard(self, found: Watched, source: str) -> None:
        """More came for an exchange, from `source`: an opening is one no longer where that is more than an answer."""
        number = found.id
        if number in self.going:
            self.going.move_to_end(number)
        elif found.messages >= 2 or source == found.source:
            self.going[number] = self.openings.pop(number)
        else:
            self.openings.move_to_end(number)

    def drop(self, gone: Watched) -> None:
        """Take an exchange out of all tables."""
        self.openings.pop(gone.id, None)
        self.going.pop(gone.id, None)
        together = self.talks.get(gone.talk)
        if together is not None:
            together.members.pop(gone.id, None)
            together.unfinished.pop(gone.id, None)
            if not together.members:
                del self.talks[gone.talk]

    def exchange(self, found: Watched) -> Exchange | None:
        """It as it is now, its middle forgotten where it is long; None where the tracker does not keep it any more."""
        if found.built is None:
            exchange = self._tracker.exchange(found.id)
            if exchange is not None and len(exchange.steps) > THIN_ABOVE and self._tracker.thin(found.id, THIN_TO):
                exchange = self._tracker.exchange(found.id)
            found.built = exchange
            found.decoded = True
        return found.built
