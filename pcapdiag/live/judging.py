"""How a verdict is given: one conversation at a time, and only what was not said before."""

from collections.abc import Callable, Collection, Sequence

from pcapdiag.capture.datagram import EspFlow
from pcapdiag.diagnosis.causes.platforms import NOTHING_GIVEN, Given
from pcapdiag.diagnosis.outcome.conversations import find_stops
from pcapdiag.diagnosis.outcome.quick_mode import phase2_of
from pcapdiag.diagnosis.outcome.retransmission import pending, settles_at
from pcapdiag.diagnosis.outcome.stop import Outcome, Setting, Stop
from pcapdiag.diagnosis.verdict import Diagnosis, diagnose
from pcapdiag.exchange.model import Exchange
from pcapdiag.live.events import Event, Verdict, Waiting
from pcapdiag.live.eviction import Eviction
from pcapdiag.live.keepalives import Keepalives
from pcapdiag.live.peers import PeerMemory
from pcapdiag.live.timing import WAITING_AFTER, is_due, is_over, known_from, matters, next_look, phase2_until
from pcapdiag.live.totals import RunningTotals
from pcapdiag.live.watched import Ending, OnWatch, Peers, Said, Watched
from pcapdiag.live.wheel import Wheel
from pcapdiag.record import Record

Member = tuple[Watched, Exchange]


class Beside(Record, frozen=True):
    """What is known beside the exchanges; see Watch."""

    esp: Callable[[], Sequence[EspFlow]] | None = None
    keys: tuple[bytes, ...] = ()
    given: Given = NOTHING_GIVEN


class Judge:
    """Judges conversations, and sets on the wheel when each exchange is to be looked at again."""

    def __init__(
        self,
        on_watch: OnWatch,
        eviction: Eviction,
        wheel: Wheel,
        totals: RunningTotals,
        keepalives: Keepalives,
        memory: PeerMemory,
        beside: Beside,
    ) -> None:
        self._on_watch = on_watch
        self._eviction = eviction
        self._wheel = wheel
        self._totals = totals
        self._keepalives = keepalives
        self._memory = memory
        self._beside = beside

    def settle(self, talk: Peers, now: int) -> list[Event]:
        """Judge one conversation, and put aside what has been quiet for long."""
        members = self._members(talk, now)
        exchanges = [e for _, e in members]
        setting = Setting(now, exchanges)
        stops = find_stops(setting)
        events: list[Event] = []
        wanted: dict[int, Watched] = {}
        for w, e in members:
            stop = stops[e.id]
            certain = known_from(e, stop, exchanges, now)
            if certain > now:
                events += self._wait(w, e, stop, certain, now)
                continue
            ending = ending_of(stop, [p.outcome for p in phase2_of(e, setting)])
            until = phase2_until(w, ending, now)
            if until:
                self._wheel.set(w.id, until)
                continue
            if ending != w.seen or is_due(w, now):
                wanted[w.id] = w
                w.seen, w.judged, w.stirred = ending, now, False
            self._wheel.set(w.id, next_look(w, now))
        if wanted:
            for diagnosis in self._diagnose(exchanges, now, wanted):
                events += self._tell(wanted[diagnosis.exchange.id], diagnosis, now)
        for w, _ in members:
            if is_over(w, now):
                self._eviction.release(w)
        return events

    def last_word(self, talk: Peers, now: int) -> list[Event]:
        """The watch ends: say of one conversation how far it got, where that was not said."""
        on_watch = self._on_watch.between(talk)
        members = {w.id: (w, e) for w in on_watch for e in [self._on_watch.exchange(w)] if e is not None and e.steps}
        events: list[Event] = []
        for diagnosis in self._diagnose([e for _, e in members.values()], now):
            events += self._tell(members[diagnosis.exchange.id][0], diagnosis, now, last=True)
        return events

    def diagnosis(self, w: Watched, now: int) -> Diagnosis | None:
        """All that is to be said now of this exchange, whether it was said or not."""
        self._on_watch.exchange(w)
        members = [e for _, e in self._members(w.talk, now, w.id)]
        return next(iter(self._diagnose(members, now, [w.id])), None)

    def _members(self, talk: Peers, now: int, also: int = 0) -> list[Member]:
        """The exchanges of a conversation that can matter now, as they are; `also`: this one in any case.

        Openings matter where something else is to be judged by them.
        """
        wanted = [w for w in self._on_watch.between(talk) if matters(w, now) or w.id == also]
        if not any(w.id in self._on_watch.going for w in wanted):
            wanted = [w for w in wanted if w.decoded or w.messages > 1]
        found = []
        for w in wanted:
            exchange = self._on_watch.exchange(w)
            if exchange is None:
                self._eviction.evict(w)
            elif exchange.steps:
                found.append((w, exchange))
        return found

    def _wait(self, w: Watched, exchange: Exchange, stop: Stop, certain: int, now: int) -> list[Event]:
        """Nothing is certain yet: say what it waits for, once it has been quiet for a moment."""
        waits = pending(exchange)
        asked = (stop.missing, waits.outlook.sent if waits else 0)
        if stop.missing is None or asked == w.asked or w.told is not None:
            self._wheel.set(w.id, certain)
            return []
        if now < w.last + WAITING_AFTER:
            self._wheel.set(w.id, w.last + WAITING_AFTER)
            return []
        w.asked = asked
        self._wheel.set(w.id, certain)
        return [Waiting(now, exchange, stop.missing, stop.waits_for, waits)]

    def _diagnose(
        self, exchanges: Sequence[Exchange], now: int, only: Collection[int] | None = None
    ) -> tuple[Diagnosis, ...]:
        beside = self._beside
        return diagnose(
            exchanges,
            now,
            keepalives=self._keepalives.of(exchanges),
            esp=beside.esp() if beside.esp is not None else (),
            keys=beside.keys,
            given=beside.given,
            met_before={e.initiator.address: self._memory.met_by(e.initiator.address) for e in exchanges},
            only=only,
        )

    def _tell(self, w: Watched, diagnosis: Diagnosis, now: int, last: bool = False) -> list[Event]:
        """Say what is found of an exchange, if that was not said before."""
        open_until = settles_at(diagnosis.exchange, diagnosis.stop)
        w.settles_at = open_until if open_until > now and not last else 0
        said = said_of(diagnosis, w.settles_at > 0)
        if said == w.told:
            self._wheel.set(w.id, next_look(w, now))
            return []
        before = w.outcome
        w.told, w.outcome = said, diagnosis.stop.outcome
        w.completed, w.well = diagnosis.completed, diagnosis.well
        unfinished = self._on_watch.talks[w.talk].unfinished
        if w.completed:
            unfinished.pop(w.id, None)
        else:
            unfinished[w.id] = None
        self._memory.remember(diagnosis)
        self._totals.verdict(diagnosis)
        attempt = self._memory.attempt(w.talk, said, again=before is not None)
        self._wheel.set(w.id, next_look(w, now))
        return [Verdict(now, diagnosis, before, attempt, w.settles_at, last)]


def ending_of(stop: Stop, phase2: Sequence[Outcome]) -> Ending:
    """Where an exchange stands that stopped here, and of which the tries of phase 2 ended so."""
    completed = Outcome.COMPLETED if Outcome.COMPLETED in phase2 else None
    after = completed or next(iter(phase2), None)
    return Ending(stop.outcome, stop.missing, stop.refused_by, stop.initiator_state, stop.responder_state, after)


def said_of(diagnosis: Diagnosis, still_open: bool) -> Said:
    """What a diagnosis comes down to: where it stopped, and the cause that leads."""
    first = diagnosis.causes[0] if diagnosis.causes and diagnosis.causes[0].leads else None
    cause = (first.cause.id, first.status) if first else None
    ending = ending_of(diagnosis.stop, [p.outcome for p in diagnosis.phase2])
    return Said(ending, diagnosis.tunnel.state, cause, still_open)
