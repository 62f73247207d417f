"""The stream itself, without files: feed it what captures yield, take what it tells.

An exchange is told when it has been quiet for as long as the rules look ahead, and what came of it goes to disk
(`spill`). When more comes for it, a delete after hours, it is taken up again and told once more. What the rest of a
capture can change in a verdict without a message of its own, another exchange of the same peers in another mode, ESP
that begins late, is looked at when the capture ends: those conversations are judged again as a whole, and a verdict
that is another one by then is told as a correction.

What is held is what is open, and a few numbers for each conversation and exchange.
"""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from msgspec import Struct, field

from pcapdiag.capture.datagram import Captured, Datagram, EspFlow, FragmentLoss, Frame, IcmpError
from pcapdiag.diagnosis.causes.platforms import NOTHING_GIVEN, Given
from pcapdiag.diagnosis.evidence.case import FLOOD, MANY
from pcapdiag.diagnosis.outcome.conversations import SUPERSEDED_WITHIN
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Between, Diagnosis, diagnose
from pcapdiag.exchange.model import Exchange, KeepaliveFlow, Mode
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.ike.nat_traversal import KEEPALIVE, NAT_T_PORT, NON_ESP_MARKER
from pcapdiag.streaming.spill import Kept, Spill
from pcapdiag.streaming.told import Told, Verdict, changes, verdict_of
from pcapdiag.units import SECOND

HORIZON = SUPERSEDED_WITHIN + SECOND
"""An exchange that was quiet for so long is told: no rule looks further ahead (see diagnosis.outcome)."""
LOOK_BACK = 2 * HORIZON
"""One that was told stands beside those of the same peers for so long after its last message."""
SWEEP, SWEEP_BESIDE_ESP = 60 * SECOND, 600 * SECOND
"""So often it is looked who is quiet, by the time of the capture; flows of ESP have to be put together each time."""
MAX_OPEN, MAX_OCTETS = 8_000, 48 << 20
"""Exchanges that are open, and their octets: beyond it half of them are told early, those that were quiet longest."""
MAX_GONE = 500_000
"""Exchanges that can be taken up again; of more, the oldest cannot."""
MAX_TALKS = 100_000
"""Conversations that are looked at again at the end; of more, those that were quiet longest are only counted."""
MAX_AGAIN = 20_000
"""Exchanges of a conversation up to which it is judged again as a whole."""
MAX_MET = 64
"""Responders that are remembered of one initiator; from MANY on it makes no difference how many."""
UNBOUNDED = 1 << 62

Pair = tuple[str, str]


class _Open(Struct):
    """An exchange that is open; the last three as it was told before, if it was."""

    talk: Pair
    last: int
    items: list[Captured] = field(default_factory=list)
    revision: int = 0
    until: Frame | None = None
    verdict: Verdict | None = None


class Talk(Struct):
    """What is kept of a conversation.

    told -- ids; spans -- when each began, and when it was judged; recent -- those of a moment ago
    outcomes -- how they ended; unwell -- those that are no tunnel that works, by id
    modes -- of those that completed, and of those that did not
    offers -- addresses that showed a proposal; refused -- responders that answered none of an offer
    alive -- sources of keep-alives when those that did not complete were judged
    uneven -- something may have been missing when one of them was judged
    swept -- whether its initiator was one that tries many when those that did not complete were judged
    """

    told: "array[int]"
    spans: "array[int]"
    open: dict[int, None] = field(default_factory=dict)
    recent: list[Exchange] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)
    unwell: set[int] = field(default_factory=set)
    completed_modes: set[Mode] = field(default_factory=set)
    other_modes: set[Mode] = field(default_factory=set)
    offers: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    alive: set[frozenset[str]] = field(default_factory=set)
    swept: set[tuple[str, bool]] = field(default_factory=set)
    uneven: bool = False


class Judge:
    """Turns items of captures into what is told.

    feed() takes an item and gap() the end of a capture that no other goes on from; finish() ends it. What there is to
    tell is in the lists that they return.

    esp -- gives the flows of ESP and AH seen so far
    opened -- opens the encrypted messages of an exchange with keys; keys, given -- see `diagnose`
    """

    def __init__(
        self,
        *,
        esp: Callable[[], Sequence[EspFlow]] = tuple,
        opened: Callable[[Exchange], Exchange] | None = None,
        keys: Collection[bytes] = (),
        given: Given = NOTHING_GIVEN,
    ) -> None:
        self.tracker = Tracker(UNBOUNDED, UNBOUNDED)
        self.tracker.remember_latest()
        self.talks: OrderedDict[Pair, Talk] = OrderedDict()
        self.dropped_talks: dict[str, int] = {}
        self._esp, self._opened, self._keys, self._given = esp, opened, tuple(keys), given
        self._spill = Spill()
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._gone: dict[bytes, int | tuple[int, ...]] = {}
        self._places = array("q")
        self._with_recent: dict[Pair, Talk] = {}
        self._met: dict[str, set[str]] = {}
        self._alive: dict[Pair, dict[tuple[str, int, str, int], None]] = {}
        self._gaps: list[int] = []
        self._now = self._next_sweep = 0

    def close(self) -> None:
        """Let go of the disk."""
        self._spill.close()

    # -- what comes in -------------------------------------------------------------------------------------------

    def feed(self, item: Captured) -> Sequence[Told]:
        """Take in one item of a capture."""
        if self._gone:
            self._take_up(item)
        number = self.tracker.feed(item)
        time = item.last_time if isinstance(item, FragmentLoss) else item.time
        if number is None:
            if isinstance(item, Datagram) and item.payload == KEEPALIVE:
                self._keepalive(item)
            return ()
        found = self._open.get(number)
        if found is None:
            found = self._begin(number, item, time)
        found.items.append(item)
        if time > found.last:
            found.last = time
        self._open.move_to_end(number)
        if time > self._now:
            self._now = time
            if time >= self._next_sweep:
                return self._sweep()
        crowded = len(self._open) > MAX_OPEN or self.tracker.octets > MAX_OCTETS
        return self._make_room() if crowded else ()

    def gap(self, end: int) -> None:
        """The capturing stopped at `end`, and went on later: what was silent then was not watched."""
        self._gaps.append(end)

    def _begin(self, number: int, item: Captured, time: int) -> _Open:
        between = item.quoted if isinstance(item, IcmpError) else item
        talk = _pair(between.source, between.destination)
        found = self._open[number] = _Open(talk, time)
        known = self.talks.get(talk)
        if known is None:
            known = self.talks[talk] = Talk(array("q"), array("q"))
        known.open[number] = None
        return found

    def _keepalive(self, item: Datagram) -> None:
        key = (item.source, item.source_port, item.destination, item.destination_port)
        if key in self.tracker.keepalives:
            self._alive.setdefault(_pair(item.source, item.destination), {})[key] = None

    # -- what comes late -----------------------------------------------------------------------------------------

    def _take_up(self, item: Captured) -> None:
        """Take up again what this belongs to, where that was told."""
        payload = item.quoted.payload if isinstance(item, IcmpError) else item.payload
        cookie = payload[4:12] if payload[:4] == NON_ESP_MARKER else payload[:8]
        gone = self._gone.get(cookie)
        if gone is not None:
            numbers = (gone,) if isinstance(gone, int) else gone
            if len(numbers) == 1 and not self.tracker.knows(cookie):
                self._restore(numbers[0])
                return
            between = item.quoted if isinstance(item, IcmpError) else item
            talk = self.talks.get(_pair(between.source, between.destination))
            for number in numbers:
                # One cookie goes to many responders in a sweep: those of these two ends alone are meant.
                if talk is not None and number in talk.told:
                    self._restore(number)
        elif not isinstance(item, Datagram) and not self.tracker.knows(cookie):
            number = self.tracker.meant_by(item)
            if number and number not in self._open:
                self._restore(number)

    def _restore(self, number: int) -> None:
        place = self._places[number] if number < len(self._places) else -1
        if place < 0:
            return
        kept = self._spill.read(place)
        self._places[number] = -1
        self.tracker.resume(number, kept.items)
        exchange = self.tracker.exchange(number)
        if exchange is None:
            return
        self._forget_cookie(exchange.initiator_spi, number)
        self._open[number] = _Open(
            exchange.conversation, exchange.last_time, kept.items, kept.revision, kept.until, kept.verdict
        )
        talk = self.talks.get(exchange.conversation)
        if talk is None:
            talk = self.talks[exchange.conversation] = Talk(array("q"), array("q"))
        talk.open[number] = None
        talk.recent = [e for e in talk.recent if e.id != number]

    def _forget_cookie(self, cookie: bytes, number: int) -> None:
        gone = self._gone.pop(cookie, None)
        if isinstance(gone, tuple) and (rest := tuple(n for n in gone if n != number)):
            self._gone[cookie] = rest

    # -- who is quiet --------------------------------------------------------------------------------------------

    def _sweep(self) -> list[Told]:
        """Judge those that have been quiet for long enough."""
        flows = self._flows()
        self._next_sweep = self._now + (SWEEP if flows is None else SWEEP_BESIDE_ESP)
        until = self._now - HORIZON
        quiet: dict[Pair, list[int]] = {}
        for number, found in self._open.items():
            if found.last > until:
                break
            quiet.setdefault(found.talk, []).append(number)
        told: list[Told] = []
        for pair, numbers in quiet.items():
            told += self._judge(pair, numbers, flows)
        self._forget_recent()
        return told

    def _make_room(self) -> list[Told]:
        """Judge half of what is open, early: those that were quiet longest."""
        flows = self._flows()
        early: dict[Pair, list[int]] = {}
        for number, found in list(self._open.items())[: max(len(self._open) // 2, 1)]:
            early.setdefault(found.talk, []).append(number)
        told: list[Told] = []
        for pair, numbers in early.items():
            self.talks[pair].uneven = True
            told += self._judge(pair, numbers, flows)
        self._forget_recent()
        return told

    def _forget_recent(self) -> None:
        """Let go of what was told and is no longer near; of conversations, where there are too many."""
        until = self._now - LOOK_BACK
        for talk in list(self._with_recent.values()):
            talk.recent = [e for e in talk.recent if e.last_time > until]
        self._with_recent = {pair: talk for pair, talk in self._with_recent.items() if talk.recent}
        while len(self.talks) > MAX_TALKS:
            pair, oldest = next(iter(self.talks.items()))
            if oldest.open:
                break
            del self.talks[pair]
            for outcome, count in oldest.outcomes.items():
                self.dropped_talks[outcome] = self.dropped_talks.get(outcome, 0) + count

    def _flows(self) -> "Between[EspFlow] | None":
        """The flows so far, by their ends; None where there are none."""
        flows = self._esp()
        return Between(flows) if flows else None

    # -- judging -------------------------------------------------------------------------------------------------

    def _judge(self, pair: Pair, numbers: Collection[int], flows: "Between[EspFlow] | None") -> Iterator[Told]:
        """Tell these exchanges of one conversation, and let go of them."""
        talk = self.talks[pair]
        self.talks.move_to_end(pair)
        exchanges = list(talk.recent)
        for number in talk.open:
            exchange = self.tracker.exchange(number)
            if exchange is not None and exchange.steps:
                exchanges.append(self._opened(exchange) if self._opened is not None else exchange)
        exchanges.sort(key=lambda e: e.id)
        wanted = set(numbers)
        for diagnosis in self._diagnose(exchanges, self._now, flows, wanted):
            yield self._tell(talk, diagnosis, flows)
        for number in wanted:
            talk.open.pop(number, None)
            self._open.pop(number, None)
            self.tracker.let_go(number)

    def _diagnose(
        self,
        exchanges: Sequence[Exchange],
        now: int,
        flows: "Between[EspFlow] | None",
        only: Collection[int] | None = None,
    ) -> tuple[Diagnosis, ...]:
        met = {e.initiator.address: self._met.get(e.initiator.address, ()) for e in exchanges}
        return diagnose(
            exchanges,
            now,
            gaps=self._gaps,
            keepalives=self._keepalives(exchanges),
            esp=flows if flows is not None else (),
            keys=self._keys,
            given=self._given,
            met_before={initiator: responders for initiator, responders in met.items() if responders},
            only=only,
        )

    def _keepalives(self, exchanges: Iterable[Exchange]) -> list[KeepaliveFlow]:
        """The keep-alives between the ends of these."""
        if not self._alive:
            return []
        ends = {(e.initiator.addresses, e.responder.addresses) for e in exchanges}
        pairs = {_pair(one, other) for ours, theirs in ends for one in ours for other in theirs}
        keys = dict.fromkeys(key for pair in sorted(pairs) for key in self._alive.get(pair, ()))
        return [self.tracker.keepalives[key] for key in keys]

    def _tell(self, talk: Talk, diagnosis: Diagnosis, flows: "Between[EspFlow] | None") -> Told:
        exchange = diagnosis.exchange
        found = self._open[exchange.id]
        verdict = verdict_of(diagnosis)
        told = Told(
            diagnosis,
            found.revision + 1,
            changes(found.verdict, verdict) if found.verdict is not None else (),
            found.until,
        )
        until = max(_frame(item) for item in found.items)
        self._keep(exchange, Kept(exchange.id, told.revision, until, verdict, found.items))
        if found.verdict is None:
            talk.told.append(exchange.id)
            talk.spans.extend((exchange.first_time, self._now))
        else:
            talk.spans[2 * talk.told.index(exchange.id) + 1] = self._now
        _count(talk, found.verdict, diagnosis)
        talk.recent.append(exchange)
        self._with_recent[exchange.conversation] = talk
        self._note(talk, diagnosis, flows)
        return told

    def _keep(self, exchange: Exchange, kept: Kept) -> None:
        number, cookie = exchange.id, exchange.initiator_spi
        if number >= len(self._places):
            self._places.extend([-1] * (number + 1 - len(self._places)))
        self._places[number] = self._spill.add(kept)
        known = self._gone.get(cookie)
        self._gone[cookie] = number if known is None else (*(known if isinstance(known, tuple) else (known,)), number)
        if len(self._gone) > MAX_GONE:
            del self._gone[next(iter(self._gone))]

    def _note(self, talk: Talk, diagnosis: Diagnosis, flows: "Between[EspFlow] | None") -> None:
        """What of this conversation may have to be looked at again when all is read."""
        e = diagnosis.exchange
        for step in e.in_clear:
            if step.number and step.proposals:
                talk.offers.add(step.first.source)
        if diagnosis.stop.outcome in (Outcome.COMPLETED, Outcome.PARTIAL):
            talk.completed_modes.add(e.mode)
        else:
            talk.other_modes.add(e.mode)
            if (e.last_message or 0) < 2 and e.mode is not Mode.IKEV2:
                talk.refused.add(e.responder.address)
            met = self._met.setdefault(e.initiator.address, set())
            if len(met) < MAX_MET:
                met.add(e.responder.address)
            talk.swept.add((e.initiator.address, len(met) >= MANY))
            talk.alive.add(frozenset(f.source for f in self._keepalives([e]) if _of_nat_t(f)))
        between = flows.of(e) if flows is not None else ()
        if between and len({f.source for f in between}) < 2:
            talk.uneven = True  # whether it goes one way only is known when all of it was seen

    # -- the end -------------------------------------------------------------------------------------------------

    def finish(self, end: int) -> Iterator[Told]:
        """All is read, and the capture ended at `end`: tell what is open, and what is another matter by now."""
        self._now = max(self._now, end)
        flows = self._flows()
        for pair in list(dict.fromkeys(found.talk for found in self._open.values())):
            yield from self._judge(pair, list(self.talks[pair].open), flows)
        self._with_recent.clear()
        for pair, talk in self.talks.items():
            talk.recent.clear()
            if 1 <= len(talk.told) <= MAX_AGAIN and self._may_differ(pair, talk, flows):
                yield from self._again(talk, flows)

    def _may_differ(self, pair: Pair, talk: Talk, flows: "Between[EspFlow] | None") -> bool:
        """Whether what came later can make a verdict of this conversation another one."""
        if talk.uneven:
            return True
        if talk.other_modes:
            alive = frozenset(source for source, *ports in self._alive.get(pair, ()) if NAT_T_PORT in ports)
            if talk.alive != {alive}:
                return True
            if any(len(talk.completed_modes - {mode}) for mode in talk.other_modes):
                return True
            if talk.refused & talk.offers or len(talk.told) >= FLOOD:
                return True
            if any((len(self._met.get(end, ())) >= MANY) is not before for end, before in talk.swept):
                return True
        return flows is not None and self._esp_came_late(talk, flows)

    def _esp_came_late(self, talk: Talk, flows: "Between[EspFlow]") -> bool:
        """A flow began after the exchange in front of it was judged."""
        exchange = self._exchanges(talk.told[:1])[0]
        spans = sorted(zip(talk.spans[::2], talk.spans[1::2], strict=True))
        for flow in flows.of(exchange):
            before = [judged for began, judged in spans if began <= flow.first_time]
            if not before or before[-1] < flow.first_time:
                return True
        return False

    def _exchanges(self, numbers: Iterable[int]) -> list[Exchange]:
        """Exchanges that were told, out of what was kept of them."""
        tracker = Tracker(UNBOUNDED, UNBOUNDED)
        tracker.remember_latest()
        found: list[Exchange] = []
        for number in sorted(numbers):
            tracker.resume(number, self._spill.read(self._places[number]).items)
            exchange = tracker.exchange(number)
            if exchange is not None and exchange.steps:
                found.append(self._opened(exchange) if self._opened is not None else exchange)
        return found

    def _again(self, talk: Talk, flows: "Between[EspFlow] | None") -> Iterator[Told]:
        """Judge a conversation as a whole, and tell what is not as it was told."""
        for diagnosis in self._diagnose(self._exchanges(talk.told), self._now, flows):
            kept = self._spill.read(self._places[diagnosis.exchange.id])
            corrects = changes(kept.verdict, verdict_of(diagnosis))
            if corrects:
                _count(talk, kept.verdict, diagnosis)
                yield Told(diagnosis, kept.revision + 1, corrects, kept.until)


def _count(talk: Talk, before: Verdict | None, diagnosis: Diagnosis) -> None:
    """Count how it ended, in the place of what was said before."""
    if before is not None:
        talk.outcomes[str(before[0])] -= 1
    outcome = diagnosis.stop.outcome.value
    talk.outcomes[outcome] = talk.outcomes.get(outcome, 0) + 1
    (talk.unwell.discard if diagnosis.well else talk.unwell.add)(diagnosis.exchange.id)


def _pair(one: str, other: str) -> Pair:
    return (one, other) if one <= other else (other, one)


def _frame(item: Captured) -> Frame:
    return item.frames[-1] if isinstance(item, FragmentLoss) else item.frame


def _of_nat_t(flow: KeepaliveFlow) -> bool:
    return NAT_T_PORT in (flow.source_port, flow.destination_port)
