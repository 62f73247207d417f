"""The watch itself, without clock, files or sockets: feed it what a source yields, tell it the time, take its events.

It adds to the tracker what only a watch needs to know: what has been said of an exchange already, and when to look at
it again. Only the conversation is judged anew that something came for, or whose time is up. Everything that grows has
a bound; what gives way is counted and told.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice

from msgspec import Struct

from pcapdiag.capture.datagram import Captured, Datagram, EspFlow, FragmentLoss, IcmpError
from pcapdiag.diagnosis.causes.platforms import NOTHING_GIVEN, Given
from pcapdiag.diagnosis.outcome.conversations import find_stop, find_stops
from pcapdiag.diagnosis.outcome.quick_mode import phase2_of
from pcapdiag.diagnosis.outcome.retransmission import pending, settles_at
from pcapdiag.diagnosis.outcome.stop import SILENCE, Outcome, Setting, Stop
from pcapdiag.diagnosis.verdict import Diagnosis, diagnose, outcome_alone
from pcapdiag.exchange.model import Exchange, KeepaliveFlow, Step
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.ike.nat_traversal import KEEPALIVE
from pcapdiag.live.events import Bounced, Event, Evicted, Row, Seen, Totals, Unlisted, Verdict, Waiting
from pcapdiag.live.wheel import Wheel
from pcapdiag.units import SECOND

MAX_WATCHED = 10_000
"""Exchanges on watch, beside those with nothing but a first message and an answer to it."""
MAX_OPENINGS = 500
"""Those; a flood is nothing else, and pushes out itself."""
MAX_TOGETHER = 32
"""Exchanges on watch between the same two peers that did not complete. A tunnel that is tried all day has a new one
every few minutes; of those that completed there may be many, from behind one NAT."""
MAX_SETTLED = 8
"""Conversations that are judged in one go: a source has to be drained in between."""
MAX_LISTED = 200
"""Messages a second that are told one by one."""
MAX_PEERS = 200
"""Conversations that totals name; the rest is "other"."""
MAX_MET = 64
MAX_INITIATORS = 4_096
MAX_KEEPALIVE_PAIRS = 10_000
THIN_ABOVE, THIN_TO = 96, 32
"""Messages of one exchange above which those in the middle are forgotten (see Tracker.thin)."""

SETTLE = SECOND // 10
"""What is said of an exchange waits for what may come with it: where it works, messages are milliseconds apart."""
WAITING_AFTER = 2 * SECOND
"""A reply that takes longer than this is worth a word."""
PHASE2_GRACE = 2 * SECOND
"""Phase 1 is told to be complete together with Quick Mode, if that is done by then."""
REVIEW = SILENCE + SECOND
"""What goes on under an exchange that was told is judged again after this, when its silences mean something."""
FORGET = 600 * SECOND
"""An exchange that did not complete is put aside when it has been quiet for so long after it was told: nothing that
the same peers do can change its outcome by then (300 s, see diagnosis.stops)."""
FORGET_COMPLETED = 26 * 3600 * SECOND
"""One that completed: longer than any usual lifetime of an IKE SA, which may be silent until it is renewed."""
KEEPALIVES_STALE = 3600 * SECOND
REPORT_LOSSES = 10 * SECOND


class _Watched(Struct):
    """What the watch knows of one exchange.

    source -- who sent its first message; messages -- how many came; began, last -- when the first and the last did
    built -- as the tracker had it, None where something came since; decoded -- more than a first message, or looked at
    told, outcome -- what was said of it last; completed, well -- as of the Diagnosis
    settles_at -- until then the causes that were told are open
    seen -- what the last judgement was about; judged -- when that was; asked -- what it was said to wait for
    """

    id: int
    talk: tuple[str, str]
    source: str
    began: int
    last: int
    messages: int = 0
    built: Exchange | None = None
    decoded: bool = False
    told: tuple[object, ...] | None = None
    outcome: Outcome | None = None
    completed: bool = False
    well: bool = False
    seen: tuple[object, ...] | None = None
    judged: int = 0
    stirred: bool = True
    settles_at: int = 0
    asked: tuple[object, ...] | None = None


class _Talk(Struct):
    """The exchanges on watch between two peers, by id: all, and those that are not known to have completed."""

    members: dict[int, None]
    unfinished: dict[int, None]


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
        self.tracker = Tracker(max_watched, judge=self._folded)
        self._messages = messages
        self._max_watched = max_watched
        self._esp = esp
        self._keys = tuple(keys)
        self._given = given
        self._openings: OrderedDict[int, _Watched] = OrderedDict()
        self._going: OrderedDict[int, _Watched] = OrderedDict()
        self._talks: dict[tuple[str, str], _Talk] = {}
        self._runs: OrderedDict[tuple[str, str], tuple[tuple[object, ...], int]] = OrderedDict()
        self._dirty: dict[tuple[str, str], None] = {}
        self._wheel = Wheel()
        self._met: OrderedDict[str, set[str]] = OrderedDict()
        self._alive: OrderedDict[tuple[str, str], dict[tuple[str, int, str, int], None]] = OrderedDict()
        self._now = self._settled = 0
        self._second = self._listed = self._unlisted = 0
        self._losses_told = self._swept = 0
        self._told_losses = (0, 0)
        self._evicted_openings = self._evicted_exchanges = self._unlisted_total = self._released = 0
        self._aside: dict[str, int] = {}
        self._aside_well = True
        self._peers: dict[tuple[str, str], int] = {}
        self._named_peers: set[str] = set()

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
                self._keepalive(item)
            return events
        found = self._watch(number, item, time)
        if isinstance(item, IcmpError):
            events.append(Bounced(time, number, item))
        elif self._messages and self._may_list(time):
            seen = self._message(found, item, time)
            if seen is not None:
                events.append(seen)
        return events

    def _pass_time(self, until: int) -> list[Event]:
        """What falls due between the last item and this one, in its turn: a capture may be read faster than it came."""
        events: list[Event] = []
        due = self.next_time()
        while due is not None and due < until:
            events += self.tick(due)
            due = self.next_time()
        return events if until - self._settled < SETTLE else events + self.tick(until)

    def _watch(self, number: int, item: Captured, time: int) -> _Watched:
        """The exchange that this item belongs to is on watch from now on, if it was not."""
        found = self._going.get(number) or self._openings.get(number)
        if found is None:
            between = item.quoted if isinstance(item, IcmpError) else item
            talk = (min(between.source, between.destination), max(between.source, between.destination))
            found = _Watched(number, talk, between.source, time, time)
            self._openings[number] = found
            together = self._talks.setdefault(talk, _Talk({}, {}))
            together.members[number] = together.unfinished[number] = None
            if len(together.unfinished) > MAX_TOGETHER:
                self._make_room(together)
            if len(self._openings) > MAX_OPENINGS:
                self._evict(next(iter(self._openings.values())))
        elif number in self._openings:
            if found.messages >= 2 or item.source == found.source:
                self._going[number] = self._openings.pop(number)
            else:
                self._openings.move_to_end(number)
        else:
            self._going.move_to_end(number)
        if found.messages or any(n in self._going for n in self._talks[found.talk].members):
            self._dirty[found.talk] = None
        else:
            # A first message changes nothing by itself; it is looked at when its answer is late.
            self._wheel.set(number, time + WAITING_AFTER)
        found.messages += 1
        found.last = max(found.last, time)
        found.built = None
        found.stirred = True
        return found

    def _make_room(self, together: _Talk) -> None:
        """Put aside one exchange of a conversation that has too many: one that was told, or else an opening."""
        members = [self._going.get(n) or self._openings[n] for n in together.unfinished][:-1]
        done = next((w for w in members if w.told is not None), None)
        if done is not None:
            self._release(done)
        else:
            self._evict(next((w for w in members if w.id in self._openings), members[0]))

    def _message(self, found: _Watched, item: Datagram | FragmentLoss, time: int) -> Seen | None:
        """What to tell of the message that this item completed; None for a piece of one."""
        exchange = self._built(found)
        frame = item.frame if isinstance(item, Datagram) else item.frames[-1]
        step = _step_of(exchange, frame) if exchange else None
        if exchange is None or step is None:
            return None
        duplicate = any(s.frame == frame for s in step.duplicates[-1:])
        return Seen(
            time=time,
            exchange=found.id,
            mode=exchange.mode.value,
            frame=frame,
            source=item.source,
            source_port=item.source_port or 0,
            destination=item.destination,
            destination_port=item.destination_port or 0,
            step=step,
            times=len(step.sent) + step.uncounted,
            duplicate=duplicate,
            whole=step.whole,
        )

    def _may_list(self, time: int) -> bool:
        second = time // SECOND
        if second != self._second:
            self._second, self._listed = second, 0
        self._listed += 1
        if self._listed > MAX_LISTED:
            self._unlisted += 1
            return False
        return True

    def _keepalive(self, item: Datagram) -> None:
        pair = (min(item.source, item.destination), max(item.source, item.destination))
        flow = (item.source, item.source_port, item.destination, item.destination_port)
        if flow not in self.tracker.keepalives:
            return  # the tracker has too many
        self._alive.setdefault(pair, {})[flow] = None
        self._alive.move_to_end(pair)
        if len(self._alive) > MAX_KEEPALIVE_PAIRS:
            self._drop_keepalives(next(iter(self._alive)))

    def _drop_keepalives(self, pair: tuple[str, str]) -> None:
        for gone in self._alive.pop(pair):
            self.tracker.keepalives.pop(gone, None)

    def _sweep(self) -> None:
        """Forget the keep-alives of pairs that have sent none for an hour."""
        self._swept = self._now
        known = self.tracker.keepalives
        for pair, flows in list(self._alive.items()):
            if all(self._now - known[flow].last_time > KEEPALIVES_STALE for flow in flows if flow in known):
                self._drop_keepalives(pair)

    def _built(self, found: _Watched) -> Exchange | None:
        if found.built is None:
            exchange = self.tracker.exchange(found.id)
            if exchange is not None and len(exchange.steps) > THIN_ABOVE and self.tracker.thin(found.id, THIN_TO):
                exchange = self.tracker.exchange(found.id)
            found.built = exchange
            found.decoded = True
        return found.built

    # -- what is let go of ---------------------------------------------------------------------------------------

    def _unwatch(self, gone: _Watched) -> None:
        self._openings.pop(gone.id, None)
        self._going.pop(gone.id, None)
        self._wheel.drop(gone.id)
        together = self._talks.get(gone.talk)
        if together is not None:
            together.members.pop(gone.id, None)
            together.unfinished.pop(gone.id, None)
            if not together.members:
                del self._talks[gone.talk]

    def _evict(self, gone: _Watched) -> None:
        """Take an exchange off the watch for want of room."""
        if gone.id in self._going:
            self._evicted_exchanges += 1
        else:
            self._evicted_openings += 1
        self._aside_well &= gone.well
        if gone.told is not None and gone.outcome is not None:
            self._aside[gone.outcome.value] = self._aside.get(gone.outcome.value, 0) + 1
        self._unwatch(gone)

    def _release(self, gone: _Watched) -> None:
        """Put an exchange aside of which everything was said."""
        outcome = gone.outcome.value if gone.outcome is not None else None
        self.tracker.release(gone.id, outcome)
        self._released += 1
        self._aside[outcome or "open"] = self._aside.get(outcome or "open", 0) + 1
        self._aside_well &= gone.well
        self._unwatch(gone)

    def _folded(self, exchange: Exchange, now: int) -> str:
        """The tracker needs the room of this exchange."""
        found = self._going.get(exchange.id) or self._openings.get(exchange.id)
        if found is None:
            return outcome_alone(exchange, now)
        outcome = found.outcome.value if found.outcome is not None else outcome_alone(exchange, now)
        self._evict(found)
        return outcome

    # -- what is said --------------------------------------------------------------------------------------------

    def tick(self, now: int) -> list[Event]:
        """Judge what has changed, and what was to be looked at by `now`; a part of it, where that is much."""
        self._now = max(self._now, now)
        for number in self._wheel.due(self._now):
            found = self._going.get(number) or self._openings.get(number)
            if found is not None:
                found.decoded = True
                self._dirty[found.talk] = None
        events: list[Event] = []
        for talk in list(islice(self._dirty, MAX_SETTLED)):
            del self._dirty[talk]
            if talk in self._talks:
                events += self._settle(talk)
        events += self._losses()
        if self._now - self._swept > KEEPALIVES_STALE:
            self._sweep()
        self._settled = self._now
        return events

    def next_time(self) -> int | None:
        """When tick() has something to do if nothing comes (nanoseconds); None for never."""
        if self._dirty:
            return self._settled + SETTLE
        return self._wheel.next()

    def _members(self, talk: tuple[str, str], also: int = 0) -> list[tuple[_Watched, Exchange]]:
        """The exchanges of a conversation that can matter now, as they are; `also`: this one in any case.

        What was told and has been going on for long matters to itself alone. Openings matter where something else is
        to be judged by them.
        """
        recent = self._now - FORGET
        on_watch = [
            w
            for w in (self._going.get(n) or self._openings[n] for n in self._talks[talk].members)
            if w.stirred or w.told is None or w.began >= recent or w.id == also or self._is_over(w)
        ]
        if any(w.id in self._going for w in on_watch):
            wanted = on_watch
        else:
            wanted = [w for w in on_watch if w.decoded or w.messages > 1]
        found = []
        for w in wanted:
            exchange = self._built(w)
            if exchange is None:
                self._evict(w)
            elif exchange.steps:
                found.append((w, exchange))
        return found

    def _is_over(self, w: _Watched) -> bool:
        """It has been quiet for so long after it was told that it is put aside."""
        return w.told is not None and self._now - w.last >= (FORGET_COMPLETED if w.completed else FORGET)

    def _settle(self, talk: tuple[str, str]) -> list[Event]:
        """Judge one conversation."""
        members = self._members(talk)
        exchanges = [e for _, e in members]
        setting = Setting(self._now, exchanges)
        stops = find_stops(setting)
        events: list[Event] = []
        wanted: dict[int, _Watched] = {}
        for w, e in members:
            stop = stops[e.id]
            known_from = self._known_from(e, stop, exchanges)
            if known_from > self._now:
                events += self._wait(w, e, stop, known_from)
                continue
            seen = (*_ending(stop), _phase2(e, setting))
            if w.outcome is not Outcome.COMPLETED and self._phase2_is_under_way(w, seen):
                continue
            if seen != w.seen or self._is_due(w):
                wanted[w.id] = w
                w.seen, w.judged, w.stirred = seen, self._now, False
            self._plan(w)
        if wanted:
            for diagnosis in self._diagnose(exchanges, wanted):
                events += self._tell(wanted[diagnosis.exchange.id], diagnosis)
        self._forget([w for w, _ in members])
        return events

    def _known_from(self, exchange: Exchange, stop: Stop, conversation: Sequence[Exchange]) -> int:
        """From when on this outcome is certain: silence means nothing while its sender may still send again."""
        alone = stop.before or stop.outcome
        if alone not in (Outcome.STALLED, Outcome.INCONCLUSIVE):
            return 0
        waits = pending(exchange)
        if waits is None:
            return 0
        if stop.outcome is Outcome.INCONCLUSIVE:
            return max(waits.over_at, self._now + SECOND)
        if find_stop(exchange, Setting(waits.reached, conversation)).outcome is Outcome.STALLED:
            return 0  # not for its silence: an ICMP error or a new attempt says so
        return waits.over_at

    def _phase2_is_under_way(self, w: _Watched, seen: tuple[object, ...]) -> bool:
        if seen[0] is not Outcome.COMPLETED or seen[-1] is not Outcome.INCONCLUSIVE:
            return False
        if self._now >= w.last + PHASE2_GRACE:
            return False
        self._wheel.set(w.id, w.last + PHASE2_GRACE)
        return True

    def _is_due(self, w: _Watched) -> bool:
        """Something came since it was judged, and that was long enough ago, or it is quiet by now."""
        if w.settles_at and self._now >= w.settles_at:
            return True
        pause = REVIEW if w.completed else SECOND
        return w.stirred and (w.settles_at > 0 or self._now - w.judged >= pause or self._now - w.last >= REVIEW)

    def _plan(self, w: _Watched) -> None:
        """When to look again at an exchange that was told."""
        if w.settles_at:
            self._wheel.set(w.id, w.settles_at)
        elif w.stirred:
            self._wheel.set(w.id, max(min(w.judged, w.last) + REVIEW, self._now + SECOND))
        else:
            self._wheel.set(w.id, max(w.last + (FORGET_COMPLETED if w.completed else FORGET), self._now + REVIEW))

    def _wait(self, w: _Watched, exchange: Exchange, stop: Stop, known_from: int) -> list[Event]:
        """Nothing is certain yet: say what it waits for, once it has been quiet for a moment."""
        waits = pending(exchange)
        asked = (stop.missing, waits.outlook.sent if waits else 0)
        if stop.missing is None or asked == w.asked or w.told is not None:
            self._wheel.set(w.id, known_from)
            return []
        if self._now < w.last + WAITING_AFTER:
            self._wheel.set(w.id, w.last + WAITING_AFTER)
            return []
        w.asked = asked
        self._wheel.set(w.id, known_from)
        return [Waiting(self._now, exchange, stop.missing, stop.waits_for, waits)]

    def _diagnose(self, exchanges: Sequence[Exchange], only: Collection[int] | None = None) -> tuple[Diagnosis, ...]:
        return diagnose(
            exchanges,
            self._now,
            keepalives=self._keepalives(exchanges),
            esp=self._esp() if self._esp is not None else (),
            keys=self._keys,
            given=self._given,
            met_before={e.initiator.address: self._met.get(e.initiator.address, ()) for e in exchanges},
            only=only,
        )

    def _keepalives(self, exchanges: Iterable[Exchange]) -> list[KeepaliveFlow]:
        found: dict[tuple[str, int, str, int], KeepaliveFlow] = {}
        if not self._alive:
            return []
        for e in exchanges:
            for one in e.initiator.addresses:
                for other in e.responder.addresses:
                    for key in self._alive.get((min(one, other), max(one, other)), ()):
                        if key in self.tracker.keepalives:
                            found[key] = self.tracker.keepalives[key]
        return list(found.values())

    def _tell(self, w: _Watched, diagnosis: Diagnosis, last: bool = False) -> list[Event]:
        """Say what is found of an exchange, if that was not said before."""
        open_until = settles_at(diagnosis.exchange, diagnosis.stop)
        w.settles_at = open_until if open_until > self._now and not last else 0
        ending = (*_said(diagnosis), w.settles_at > 0)
        if ending == w.told:
            self._plan(w)
            return []
        before = w.outcome
        w.told, w.outcome = ending, diagnosis.stop.outcome
        w.completed, w.well = diagnosis.completed, diagnosis.well
        if w.completed:
            self._talks[w.talk].unfinished.pop(w.id, None)
        else:
            self._talks[w.talk].unfinished[w.id] = None
        self._remember_peers(w, diagnosis)
        attempt = self._attempt(w.talk, ending, before)
        self._plan(w)
        return [Verdict(self._now, diagnosis, before, attempt, w.settles_at, last)]

    def _attempt(self, talk: tuple[str, str], ending: tuple[object, ...], before: Outcome | None) -> int:
        run, count = self._runs.get(talk, ((), 0))
        if run != ending:
            count = 1
        elif before is None:
            count += 1
        self._runs[talk] = (ending, count)
        self._runs.move_to_end(talk)
        if len(self._runs) > self._max_watched:
            self._runs.popitem(last=False)
        return count

    def _remember_peers(self, w: _Watched, diagnosis: Diagnosis) -> None:
        e = diagnosis.exchange
        met = self._met.setdefault(e.initiator.address, set())
        self._met.move_to_end(e.initiator.address)
        if diagnosis.completed:
            met.discard(e.responder.address)
        elif len(met) < MAX_MET:
            met.add(e.responder.address)
        if not met:
            del self._met[e.initiator.address]
        if len(self._met) > MAX_INITIATORS:
            self._met.popitem(last=False)
        name = " ".join(e.conversation)
        if name not in self._named_peers:
            if len(self._named_peers) < MAX_PEERS:
                self._named_peers.add(name)
            else:
                name = "other"
        key = (name, diagnosis.stop.outcome.value)
        self._peers[key] = self._peers.get(key, 0) + 1

    def _forget(self, members: Iterable[_Watched]) -> None:
        """Put aside what has been quiet for long."""
        for w in members:
            if self._is_over(w):
                self._release(w)

    def _losses(self) -> list[Event]:
        events: list[Event] = []
        if self._unlisted and self._now // SECOND != self._second:
            events.append(Unlisted(self._now, self._unlisted))
            self._unlisted_total += self._unlisted
            self._unlisted = 0
        losses = (self._evicted_openings, self._evicted_exchanges)
        if losses != self._told_losses and self._now - self._losses_told >= REPORT_LOSSES:
            openings, exchanges = (new - old for new, old in zip(losses, self._told_losses, strict=True))
            events.append(Evicted(self._now, openings, exchanges))
            self._losses_told, self._told_losses = self._now, losses
        return events

    # -- the end -------------------------------------------------------------------------------------------------

    def finish(self, now: int) -> list[Event]:
        """The capture ends at `now`: say of every exchange on watch how far it got, where that was not said."""
        events = self._pass_time(now)
        while self._dirty:
            events += self.tick(now)
        for talk in list(self._talks):
            on_watch = [self._going.get(n) or self._openings[n] for n in self._talks[talk].members]
            members = [(w, e) for w in on_watch for e in [self._built(w)] if e is not None and e.steps]
            for diagnosis in self._diagnose([e for _, e in members]):
                w = next(w for w, _ in members if w.id == diagnosis.exchange.id)
                events += self._tell(w, diagnosis, last=True)
        self._losses_told = self._second = 0
        return events + self._losses()

    @property
    def all_completed(self) -> bool:
        """Whether every tunnel is well, as the report of a capture has it; call it after finish()."""
        watched = (*self._openings.values(), *self._going.values())
        return self._aside_well and all(w.well for w in watched)

    def totals(self) -> Totals:
        """How the exchanges stand now."""
        outcomes = dict(self._aside)
        states: dict[tuple[str, str], int] = {}
        watched = (*self._openings.values(), *self._going.values())
        for w in watched:
            name = w.outcome.value if w.outcome is not None else "open"
            outcomes[name] = outcomes.get(name, 0) + 1
            for end, state in _states(w):
                states[end, state] = states.get((end, state), 0) + 1
        return Totals(
            outcomes=outcomes,
            states=states,
            peers=dict(self._peers),
            evicted_openings=self._evicted_openings,
            evicted_exchanges=self._evicted_exchanges,
            unlisted=self._unlisted_total + self._unlisted,
            released=self._released,
            watched=len(watched),
        )

    def rows(self, skip: int, limit: int) -> list[Row]:
        """A part of what is on watch, what was heard of last first. For a screen: only this part is looked at."""
        watched = sorted((*self._openings.values(), *self._going.values()), key=lambda w: -w.last)
        found = []
        for w in watched[skip : skip + limit]:
            exchange = self._built(w)
            if exchange is not None and exchange.steps:
                outcome = w.outcome.value if w.outcome is not None else "open"
                found.append(Row(exchange, outcome, find_stop(exchange, Setting(self._now, (exchange,))), w.last))
        return found

    def diagnosis(self, number: int) -> Diagnosis | None:
        """All that is to be said now of an exchange on watch; None where it is no longer."""
        w = self._going.get(number) or self._openings.get(number)
        if w is None:
            return None
        self._built(w)
        members = [e for _, e in self._members(w.talk, number)]
        return next(iter(self._diagnose(members, [number])), None)


def _states(w: _Watched) -> list[tuple[str, str]]:
    """The most probable state of each end, as last said."""
    if w.told is None:
        return []
    ends = zip(("initiator", "responder"), w.told[3:5], strict=True)
    return [(end, states[0]) for end, states in ends if isinstance(states, tuple) and states]


def _step_of(exchange: Exchange, frame: object) -> Step | None:
    """The message that this frame completed."""
    for step in reversed(exchange.steps):
        if any(s.frame == frame for s in (*step.sent[-1:], *step.duplicates[-1:])):
            return step
    return None


def _ending(stop: Stop) -> tuple[object, ...]:
    return stop.outcome, stop.missing, stop.refused_by, stop.initiator_state, stop.responder_state


def _phase2(exchange: Exchange, setting: Setting) -> Outcome | None:
    """How phase 2 stands: completed if any Quick Mode is, else as the first one."""
    outcomes = [p.outcome for p in phase2_of(exchange, setting)]
    if Outcome.COMPLETED in outcomes:
        return Outcome.COMPLETED
    return outcomes[0] if outcomes else None


def _said(diagnosis: Diagnosis) -> tuple[object, ...]:
    """What of a diagnosis is told again when it changes: where it stopped, and the cause that leads."""
    outcomes = [p.outcome for p in diagnosis.phase2]
    phase2 = Outcome.COMPLETED if Outcome.COMPLETED in outcomes else outcomes[0] if outcomes else None
    first = diagnosis.causes[0] if diagnosis.causes and diagnosis.causes[0].leads else None
    cause = (first.cause.id, first.status) if first else None
    return (*_ending(diagnosis.stop), phase2, diagnosis.tunnel.state, cause)
