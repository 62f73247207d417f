"""The watch itself, without clock, files or sockets: feed it what a source yields, tell it the time, take its events.

It adds to the tracker what only a watch needs to know: what has been said of an exchange already, and when to look at
it again. Only the conversation is judged anew that something came for, or whose time is up. Everything that grows has
a bound; what gives way is counted and told.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import islice

from pcapdiag.capture.datagram import Captured, Datagram, EspFlow, FragmentLoss, IcmpError
from pcapdiag.diagnosis.causes.platforms import NOTHING_GIVEN, Given
from pcapdiag.diagnosis.outcome.conversations import find_stop
from pcapdiag.diagnosis.outcome.stop import Setting
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.ike.nat_traversal import KEEPALIVE
from pcapdiag.live.events import Bounced, Event, Row, Seen, Totals
from pcapdiag.live.eviction import MAX_WATCHED, Eviction
from pcapdiag.live.judging import Beside, Judge
from pcapdiag.live.keepalives import Keepalives
from pcapdiag.live.listing import Listing, seen
from pcapdiag.live.peers import PeerMemory
from pcapdiag.live.timing import SETTLE, WAITING_AFTER
from pcapdiag.live.totals import RunningTotals, outcome_name
from pcapdiag.live.watched import OnWatch, Peers, Watched
from pcapdiag.live.wheel import Wheel

MAX_SETTLED = 8
"""Conversations that are judged in one go: a source has to be drained in between."""


class Watch:
    """Turns items of a capture into events.

    feed() takes an item, tick() the time, finish() ends it; each returns what there is to tell, in order. The time may
    not run ahead of what was fed: tick() takes a time up to which everything was.

    messages -- whether messages are told one by one; esp -- gives the ESP flows seen so far
    keys, given -- see `diagnose`
    """

    def __init__(
        self,
        *,
        messages: bool = True,
        max_watched: int = MAX_WATCHED,
        esp: Callable[[], Sequence[EspFlow]] | None = None,
        keys: Collection[bytes] = (),
        given: Given = NOTHING_GIVEN,
    ) -> None:
        self.tracker = Tracker(max_watched, judge=lambda exchange, now: self._eviction.folded(exchange, now))
        self._messages = messages
        self._listing = Listing()
        self._totals = RunningTotals()
        self._wheel = Wheel()
        self._on_watch = OnWatch(self.tracker)
        self._eviction = Eviction(self._on_watch, self.tracker, self._wheel, self._totals)
        self._keepalives = Keepalives(self.tracker.keepalives)
        self._memory = PeerMemory(max_watched)
        self._judge = Judge(
            self._on_watch,
            self._eviction,
            self._wheel,
            self._totals,
            self._keepalives,
            self._memory,
            Beside(esp, tuple(keys), given),
        )
        self._dirty: dict[Peers, None] = {}
        self._now = self._settled = 0

    @staticmethod
    def warm_up() -> None:
        """Load now what the first verdict would otherwise wait for, with packets coming in."""
        from pcapdiag.knowledge import loading

        loading.load()

    # -- what comes in -------------------------------------------------------------------------------------------

    def feed(self, item: Captured) -> list[Event]:
        """Take in one item of a capture."""
        time = item.last_time if isinstance(item, FragmentLoss) else item.time
        events = self._pass_time(time) if time - self._settled >= SETTLE else []
        self._now = max(self._now, time)
        number = self.tracker.feed(item)
        if number is None:
            if isinstance(item, Datagram) and item.payload == KEEPALIVE:
                self._keepalives.note(item)
            return events
        found = self._take(number, item, time)
        if isinstance(item, IcmpError):
            events.append(Bounced(time, number, item))
        elif self._messages and self._listing.allows(time):
            events += self._message(found, item, time)
        return events

    def _pass_time(self, until: int) -> list[Event]:
        """What falls due between the last item and this one, in its turn: a capture may be read faster than it came."""
        events: list[Event] = []
        due = self.next_time()
        while due is not None and due < until:
            events += self.tick(due)
            due = self.next_time()
        return events if until - self._settled < SETTLE else events + self.tick(until)

    def _take(self, number: int, item: Captured, time: int) -> Watched:
        """The exchange that this item belongs to is on watch from now on, if it was not."""
        on_watch = self._on_watch
        found = on_watch.find(number)
        if found is None:
            found = on_watch.begin(number, item, time)
            self._eviction.make_room(found)
        else:
            on_watch.heard(found, item.source)
        if found.messages or on_watch.goes_on(found.talk):
            self._dirty[found.talk] = None
        else:
            # A first message changes nothing by itself; it is looked at when its answer is late.
            self._wheel.set(number, time + WAITING_AFTER)
        found.messages += 1
        found.last = max(found.last, time)
        found.built = None
        found.stirred = True
        return found

    def _message(self, found: Watched, item: Datagram | FragmentLoss, time: int) -> list[Seen]:
        exchange = self._on_watch.exchange(found)
        told = seen(exchange, item, time) if exchange is not None else None
        return [told] if told is not None else []

    # -- what is said --------------------------------------------------------------------------------------------

    def tick(self, now: int) -> list[Event]:
        """Judge what has changed, and what was to be looked at by `now`; a part of it, where that is much."""
        self._now = max(self._now, now)
        for number in self._wheel.due(self._now):
            found = self._on_watch.find(number)
            if found is not None:
                found.decoded = True
                self._dirty[found.talk] = None
        events: list[Event] = []
        for talk in list(islice(self._dirty, MAX_SETTLED)):
            del self._dirty[talk]
            if talk in self._on_watch.talks:
                events += self._judge.settle(talk, self._now)
        events += self._losses()
        self._keepalives.sweep(self._now)
        self._settled = self._now
        return events

    def next_time(self) -> int | None:
        """When tick() has something to do if nothing comes (nanoseconds); None for never."""
        if self._dirty:
            return self._settled + SETTLE
        return self._wheel.next()

    def _losses(self, last: bool = False) -> list[Event]:
        return [*self._listing.unlisted(self._now, last=last), *self._totals.losses(self._now, last=last)]

    def finish(self, now: int) -> list[Event]:
        """The capture ends at `now`: say of every exchange on watch how far it got, where that was not said."""
        events = self._pass_time(now)
        while self._dirty:
            events += self.tick(now)
        for talk in list(self._on_watch.talks):
            events += self._judge.last_word(talk, self._now)
        return events + self._losses(last=True)

    # -- how it stands -------------------------------------------------------------------------------------------

    @property
    def all_completed(self) -> bool:
        """Whether every tunnel is well, as the report of a capture has it; call it after finish()."""
        return self._totals.all_well(self._on_watch)

    def totals(self) -> Totals:
        """How the exchanges stand now."""
        return self._totals.totals(list(self._on_watch), self._listing.total)

    def rows(self, skip: int, limit: int) -> list[Row]:
        """A part of what is on watch, what was heard of last first. For a screen: only this part is looked at."""
        watched = sorted(self._on_watch, key=lambda w: -w.last)
        found = []
        for w in watched[skip : skip + limit]:
            exchange = self._on_watch.exchange(w)
            if exchange is not None and exchange.steps:
                stop = find_stop(exchange, Setting(self._now, (exchange,)))
                found.append(Row(exchange, outcome_name(w), stop, w.last))
        return found

    def diagnosis(self, number: int) -> Diagnosis | None:
        """All that is to be said now of an exchange on watch; None where it is no longer."""
        w = self._on_watch.find(number)
        return self._judge.diagnosis(w, self._now) if w is not None else None
