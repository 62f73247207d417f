"""The stream itself, without files: feed it what captures yield, take what is told.

An exchange is told when it has been quiet for as long as the rules look ahead, and what came of it goes to disk
(`spill`). When more comes for it, a new Quick Mode after hours, it is taken up again and told once more. DPD under an
SA that is up keeps nothing open: it is put beside what was told (`parking`) until it ends, or something else comes.
What the rest of a capture can change in a verdict without a message of its own, another exchange of the same peers in
another mode, ESP that begins late, is looked at when the capture ends: those conversations are judged again as a
whole, and a verdict that is another one by then is told as a correction.

What is held is what is open, and a few numbers for each conversation and exchange. Judging is a court's (`court`),
which may sit in other processes: what it finds is taken when the next ones are due, so that all of it is the same
wherever it sits.
"""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from pcapdiag.capture.datagram import Captured, Datagram, EspFlow, FragmentLoss, Frame, IcmpError, UnansweredArp
from pcapdiag.diagnosis.evidence.case import FLOOD, MANY
from pcapdiag.diagnosis.outcome.conversations import SUPERSEDED_WITHIN
from pcapdiag.exchange.model import Exchange, Mode
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.ike.nat_traversal import KEEPALIVE, NON_ESP_MARKER
from pcapdiag.streaming.court import UNBOUNDED, Asked, Court, Ends, Note, Pair, Question, alive_of, rebuilt
from pcapdiag.streaming.parking import Parked, may_be_dpd, shows_up, version_of
from pcapdiag.streaming.spill import Came, Spill
from pcapdiag.streaming.told import Verdict
from pcapdiag.units import SECOND

HORIZON = SUPERSEDED_WITHIN + SECOND
"""An exchange that was quiet for so long is told: no rule looks further ahead (see diagnosis.outcome)."""
LOOK_BACK = 2 * HORIZON
"""One that was told stands beside those of the same peers for so long after its last message."""
SWEEP, SWEEP_BESIDE_ESP = 300 * SECOND, 600 * SECOND
"""So often it is looked who is quiet, by the time of the capture; flows of ESP have to be put together each time."""
MAX_OPEN, MAX_OCTETS = 3_000, 48 << 20
"""Exchanges that are open, and their octets: beyond it half of them are told early, those that were quiet longest."""
MAX_RECENT = 1_000
"""Exchanges that stand beside others; of more, those of the conversations that were told first are let go of."""
MAX_GONE = 500_000
"""Exchanges that can be taken up again; of more, the oldest cannot."""
MAX_TALKS = 100_000
"""Conversations that are looked at again at the end; of more, those that were quiet longest are only counted."""
MAX_AGAIN = 20_000
"""Exchanges of a conversation up to which it is judged again as a whole."""
MAX_PARKED = 100_000
"""Exchanges that were told and of which nothing but DPD came since; of more, those quiet longest are judged again."""
PARKED_FOR = 3_600 * SECOND
"""One of them that was quiet for so long is judged again."""
MAX_MET = 64
"""Responders that are remembered of one initiator; from MANY on it makes no difference how many."""


class _Open(Struct):
    """An exchange that is open: what came of it, and how often it was told.

    last -- when the last message came that was not DPD under an SA that is up
    up -- the version of IKE, where something shows that its SA is; else 0
    """

    talk: Pair
    last: int
    came: Came = field(default_factory=lambda: Came([]))
    revision: int = 0
    until: Frame | None = None
    up: int = 0


class Talk(Struct):
    """What is kept of a conversation.

    told -- ids; spans -- when each began, and when it was judged; recent -- those of a moment ago, by id
    outcomes -- how they ended; unwell -- those that are no tunnel that works, by id
    completed_modes, other_modes -- of those that completed, and of those that did not
    offers -- addresses that showed a proposal; unanswered -- responders that answered no offer
    alive -- which ends sent keep-alives when those that did not complete were judged
    swept -- their initiators, and whether these were known to try many
    ends -- the addresses of both, as each was last judged
    uneven -- something may have been missing when one of them was judged
    """

    told: "array[int]"
    spans: "array[int]"
    open: dict[int, None] = field(default_factory=dict)
    recent: dict[int, "_Recent"] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    unwell: set[int] = field(default_factory=set)
    completed_modes: set[Mode] = field(default_factory=set)
    other_modes: set[Mode] = field(default_factory=set)
    offers: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    alive: set[frozenset[str]] = field(default_factory=set)
    swept: set[tuple[str, bool]] = field(default_factory=set)
    ends: set[Ends] = field(default_factory=set)
    uneven: bool = False


class _Recent(Struct):
    """An exchange that was told a moment ago; ends -- its addresses."""

    last: int
    came: Came
    ends: Ends


class Judge:
    """Turns items of captures into what is told.

    feed() takes an item and gap() the end of a capture that no other goes on from; finish() ends it. What they return
    is what the court makes of what there is to tell.

    esp -- gives the flows of ESP and AH seen so far
    """

    def __init__(self, court: Court, esp: Callable[[], Sequence[EspFlow]] = tuple) -> None:
        self.tracker = Tracker(UNBOUNDED, UNBOUNDED)
        self.tracker.remember_latest()
        self.talks: OrderedDict[Pair, Talk] = OrderedDict()
        self.dropped_talks: dict[str, int] = {}
        self._court, self._esp = court, esp
        self._spill = Spill()
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._gone: dict[bytes, int | tuple[int, ...]] = {}
        # By the number of an exchange: where it stands on disk, and which of `_verdicts` was told of it last.
        self._places, self._said, self._revisions, self._up = array("q"), array("l"), array("H"), bytearray()
        self._parked: OrderedDict[int, Parked] = OrderedDict()
        self._verdicts: dict[Verdict, int] = {}
        self._by_number: list[Verdict] = []
        self._with_recent: dict[Pair, Talk] = {}
        self._notes: list[Note] = []
        self._ready: list[Any] = []
        self._met: dict[str, dict[str, None]] = {}
        self._alive: dict[Pair, dict[tuple[str, int, str, int], None]] = {}
        self._gaps: list[int] = []
        self._unanswered: dict[str, list[UnansweredArp]] = {}
        self._now = self._next_sweep = 0

    def close(self) -> None:
        """Let go of the disk."""
        self._spill.close()

    # -- what comes in -------------------------------------------------------------------------------------------

    def feed(self, item: Captured) -> Sequence[Any]:
        """Take in one item of a capture."""
        dpd = isinstance(item, Datagram) and may_be_dpd(item.payload)
        if self._gone:
            if dpd and isinstance(item, Datagram) and self._park(item):
                return self._advance(item.time)
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
        found.came.items.append(item)
        if not found.up:
            found.up = shows_up(item)
        if not (dpd and found.up):
            found.last = max(found.last, time)
            self._open.move_to_end(number)
        return self._advance(time)

    def _advance(self, time: int) -> Sequence[Any]:
        """It is that time by the capture: have those judged that are due."""
        if time > self._now:
            self._now = time
            if time >= self._next_sweep:
                return self._sweep()
        if len(self._open) > MAX_OPEN or self.tracker.octets > MAX_OCTETS:
            return self._make_room()
        if len(self._parked) > MAX_PARKED:
            return self._have_judged(self._unparked(list(self._parked)[: MAX_PARKED // 100]))
        return ()

    def gap(self, end: int) -> None:
        """The capturing stopped at `end`, and went on later: what was silent then was not watched."""
        self._gaps.append(end)

    def _begin(self, number: int, item: Captured, time: int) -> _Open:
        pair = _between(item)
        found = self._open[number] = _Open(pair, time)
        self._talk(pair).open[number] = None
        return found

    def _talk(self, pair: Pair) -> Talk:
        talk = self.talks.get(pair)
        if talk is None:
            talk = self.talks[pair] = Talk(array("q"), array("q"))
        return talk

    def _keepalive(self, item: Datagram) -> None:
        key = (item.source, item.source_port, item.destination, item.destination_port)
        if key in self.tracker.keepalives:
            self._alive.setdefault(_between(item), {})[key] = None

    # -- what comes late -----------------------------------------------------------------------------------------

    def _park(self, item: Datagram) -> bool:
        """Put DPD with the exchange that it belongs to, where that was told; False where it has to be looked at.

        A gateway hears it from each peer every few seconds, all day. Only what comes in the end can matter.
        """
        number = self._gone.get(_cookie(item))
        if not isinstance(number, int) or number >= len(self._up):
            return False
        if self._up[number] != version_of(item.payload) or self._places[number] < 0:
            return False
        pair, parked = _between(item), self._parked.get(number)
        if parked is None:
            talk = self.talks.get(pair)
            if talk is None or number not in talk.told:
                return False
            parked = self._parked[number] = Parked(pair, item.time)
        elif parked.talk != pair:
            return False
        self.tracker.passed(item, number)
        parked.add(item)
        self._parked.move_to_end(number)
        return True

    def _unparked(self, numbers: Iterable[int]) -> dict[Pair, list[int]]:
        """Take these up again, by their conversations."""
        found: dict[Pair, list[int]] = {}
        for number in numbers:
            found.setdefault(self._parked[number].talk, []).append(number)
            self._restore(number)
        return found

    def _take_up(self, item: Captured) -> None:
        """Take up again what this belongs to, where that was told."""
        cookie = _cookie(item)
        gone = self._gone.get(cookie)
        if gone is not None:
            numbers = (gone,) if isinstance(gone, int) else gone
            if len(numbers) == 1 and not self.tracker.knows(cookie):
                self._restore(numbers[0])
                return
            talk = self.talks.get(_between(item))
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
        if not self._revisions[number]:  # it was asked about, and the answer is still on its way
            self._ready += self._heard()
        came = self._spill.read(place)
        items = came.items
        until = max(map(_frame, items))
        self._places[number] = -1
        parked = self._parked.pop(number, None)
        if parked is not None:
            items += parked.datagrams()
            came.uncounted += parked.uncounted
        self.tracker.resume(number, items, came.uncounted)
        gone = self._gone.pop(_cookie(items[0]), None)
        if isinstance(gone, tuple) and (rest := tuple(n for n in gone if n != number)):
            self._gone[_cookie(items[0])] = rest
        pair = _between(items[0])
        last = max(_time(item) for item in items)
        self._open[number] = _Open(pair, last, came, self._revisions[number], until, self._up[number])
        talk = self._talk(pair)
        talk.open[number] = None
        talk.recent.pop(number, None)

    # -- who is quiet --------------------------------------------------------------------------------------------

    def _sweep(self) -> list[Any]:
        """Have those judged that have been quiet for long enough."""
        until = self._now - HORIZON
        quiet: dict[Pair, list[int]] = {}
        for number, found in self._open.items():
            if found.last > until:
                break
            quiet.setdefault(found.talk, []).append(number)
        due = []
        for number, parked in self._parked.items():
            if parked.last > self._now - PARKED_FOR:
                break
            due.append(number)
        for pair, numbers in self._unparked(due).items():
            quiet.setdefault(pair, []).extend(numbers)
        return self._have_judged(quiet)

    def _make_room(self) -> list[Any]:
        """Have half of what is open judged, early: those that were quiet longest."""
        early: dict[Pair, list[int]] = {}
        for number, found in list(self._open.items())[: max(len(self._open) // 2, 1)]:
            early.setdefault(found.talk, []).append(number)
        for pair in early:
            self.talks[pair].uneven = True
        return self._have_judged(early)

    def _have_judged(self, wanted: dict[Pair, list[int]]) -> list[Any]:
        """Ask about these, and let go of them; what there is to tell of the answers that are there."""
        told = [*self._ready, *self._heard()]
        self._ready.clear()
        self._remember()
        flows = self._flows()
        self._next_sweep = self._now + (SWEEP_BESIDE_ESP if flows else SWEEP)
        self._court.ask(self._questions(wanted, flows))
        if not self._court.rebuilds:
            told += self._heard()
        self._forget_recent()
        return told

    def _questions(self, wanted: dict[Pair, list[int]], flows: dict[Pair, list[EspFlow]]) -> Iterator[Question]:
        """One by one: what was decoded of an exchange is let go of before the next ones are looked at."""
        for pair, numbers in wanted.items():
            yield self._question(pair, numbers, flows)
            for number in numbers:
                self._let_go(self.talks[pair], number)

    def _flows(self) -> dict[Pair, list[EspFlow]]:
        """The flows so far, by their ends."""
        found: dict[Pair, list[EspFlow]] = {}
        for flow in self._esp():
            found.setdefault(_pair(flow.source, flow.destination), []).append(flow)
        return found

    def _question(self, pair: Pair, numbers: Collection[int], flows: dict[Pair, list[EspFlow]]) -> Question:
        """What is to be judged of one conversation, with what stands beside it."""
        talk = self.talks[pair]
        self.talks.move_to_end(pair)
        self._with_recent.pop(pair, None)
        self._with_recent[pair] = talk
        for number in talk.open:
            found = self._open[number]
            talk.recent[number] = _Recent(found.last, found.came, self.tracker.ends(number))
        beside = sorted(talk.recent.items())
        question = self._beside(pair, {recent.ends for _, recent in beside}, flows)
        asked = tuple([self._asked(number) for number in numbers])
        if self._court.rebuilds:
            return replace(question, asked=asked, parts=tuple([(n, recent.came) for n, recent in beside]))
        return replace(question, asked=asked, exchanges=tuple(self._built(talk, beside)))

    def _built(self, talk: Talk, beside: Iterable[tuple[int, _Recent]]) -> Iterator[Exchange]:
        """The exchanges themselves; what was told is built anew, which few of them are asked for."""
        for number, recent in beside:
            if number not in talk.open:
                yield from rebuilt(((number, recent.came),))
                continue
            exchange = self.tracker.exchange(number)
            if exchange is not None and exchange.steps:
                yield exchange

    def _asked(self, number: int) -> Asked:
        found = self._open[number]
        before = self._verdict(number) if found.revision else None
        return Asked(number, found.revision, before, found.until)

    def _beside(self, pair: Pair, ends: Iterable[Ends], flows: dict[Pair, list[EspFlow]]) -> Question:
        """A question about a conversation without what is asked: what else there is between its ends."""
        pairs = sorted({_pair(one, other) for ours, theirs in ends for one in ours for other in theirs})
        keys = [key for between in pairs for key in self._alive.get(between, ())]
        return Question(
            pair=pair,
            asked=(),
            now=self._now,
            gaps=tuple(self._gaps),
            parts=(),
            keepalives=tuple([self.tracker.keepalives[key] for key in keys]),
            esp=tuple([flow for between in pairs for flow in flows.get(between, ())]) if flows else (),
            unanswered=tuple([one for end in pair for one in self._unanswered.get(end, ())]),
            met={end: tuple(self._met[end]) for end in pair if end in self._met},
        )

    def _let_go(self, talk: Talk, number: int) -> None:
        """What is judged goes to disk."""
        found = self._open.pop(number)
        talk.open.pop(number, None)
        self.tracker.let_go(number)
        if number >= len(self._places):
            more = number + 1 - len(self._places)
            self._places.extend([-1] * more)
            self._said.extend([0] * more)
            self._revisions.extend([0] * more)
            self._up.extend(bytes(more))
        self._places[number] = self._spill.add(found.came)
        self._up[number] = found.up
        if not found.revision:
            talk.told.append(number)
            talk.spans.extend((_time(found.came.items[0]), self._now))
        else:
            talk.spans[2 * talk.told.index(number) + 1] = self._now
        cookie = _cookie(found.came.items[0])
        known = self._gone.get(cookie)
        self._gone[cookie] = number if known is None else (*(known if isinstance(known, tuple) else (known,)), number)
        if len(self._gone) > MAX_GONE:
            del self._gone[next(iter(self._gone))]

    def _forget_recent(self) -> None:
        """Let go of what was told and is no longer near; of conversations, where there are too many."""
        until = self._now - LOOK_BACK
        for pair, talk in list(self._with_recent.items()):
            talk.recent = {n: r for n, r in talk.recent.items() if r.last > until and n not in talk.open}
            if not talk.recent:
                del self._with_recent[pair]
        surplus = sum(len(talk.recent) for talk in self._with_recent.values()) - MAX_RECENT
        while surplus > 0:
            oldest = self._with_recent.pop(next(iter(self._with_recent)))
            surplus -= len(oldest.recent)
            oldest.recent = {}
            oldest.uneven = True
        while len(self.talks) > MAX_TALKS:
            pair, quiet = next(iter(self.talks.items()))
            if quiet.open:
                break
            del self.talks[pair]
            for outcome, count in quiet.outcomes.items():
                self.dropped_talks[outcome] = self.dropped_talks.get(outcome, 0) + count

    # -- what was found ------------------------------------------------------------------------------------------

    def _heard(self) -> list[Any]:
        """What there is to tell of the answers that are there."""
        told = []
        for note in self._court.answers():
            self._count(note)
            if note.made is not None:
                told.append(note.made)
                self._revisions[note.id] += 1
            self._notes.append(replace(note, made=None))
        return told

    def _count(self, note: Note) -> None:
        """Count how it ended, in the place of what was said before."""
        talk = self.talks.get(note.pair)
        if talk is not None:
            outcome = str(note.verdict[0])
            talk.outcomes[outcome] = talk.outcomes.get(outcome, 0) + 1
            if self._revisions[note.id]:
                talk.outcomes[str(self._verdict(note.id)[0])] -= 1
            (talk.unwell.discard if note.well else talk.unwell.add)(note.id)
        place = self._verdicts.setdefault(note.verdict, len(self._verdicts))
        if place == len(self._by_number):
            self._by_number.append(note.verdict)
        self._said[note.id] = place

    def _verdict(self, number: int) -> Verdict:
        """What was told of it last."""
        return self._by_number[self._said[number]]

    def _remember(self) -> None:
        """Keep of what was heard what may matter for others: only now, so that it is the same wherever they sit."""
        for note in self._notes:
            talk = self.talks.get(note.pair)
            if talk is None:
                continue
            talk.offers.update(note.offers)
            talk.ends.add(note.ends)
            if note.one_way:
                talk.uneven = True
            if note.done:
                talk.completed_modes.add(note.mode)
                continue
            talk.other_modes.add(note.mode)
            if note.unanswered:
                talk.unanswered.add(note.responder)
            met = self._met.setdefault(note.initiator, {})
            if len(met) < MAX_MET:
                met[note.responder] = None
            talk.swept.add((note.initiator, note.swept))
            talk.alive.add(note.alive)
        self._notes.clear()

    # -- the end -------------------------------------------------------------------------------------------------

    def finish(self, end: int, unanswered: Iterable[UnansweredArp] = ()) -> Iterator[Any]:
        """All is read, and the capture ended at `end`: tell what is open, and what is another matter by now.

        unanswered -- addresses that did not answer ARP in the whole capture, which shows at its end only
        """
        self._now = max(self._now, end)
        for one in unanswered:
            self._unanswered.setdefault(one.address, []).append(one)
        still: dict[Pair, list[int]] = {}
        for number, found in self._open.items():
            still.setdefault(found.talk, []).append(number)
        yield from self._have_judged(still)
        while self._parked:
            yield from self._have_judged(self._unparked(list(self._parked)[:MAX_RECENT]))
        yield from self._heard()
        self._remember()
        flows = self._flows()
        doubtful = [pair for pair, talk in self.talks.items() if self._may_differ(pair, talk, flows)]
        for some in range(0, len(doubtful), AT_A_TIME):
            self._court.ask(self._again(pair, flows) for pair in doubtful[some : some + AT_A_TIME])
            yield from self._heard()
            self._notes.clear()

    def _may_differ(self, pair: Pair, talk: Talk, flows: dict[Pair, list[EspFlow]]) -> bool:
        """Whether what came later can make a verdict of this conversation another one."""
        if not 1 <= len(talk.told) <= MAX_AGAIN:
            return False
        if talk.uneven:
            return True
        if talk.other_modes:
            if any(end in self._unanswered for end in pair):
                return True
            if any(talk.completed_modes - {mode} for mode in talk.other_modes):
                return True
            if talk.unanswered & talk.offers or len(talk.told) >= FLOOD:
                return True
            if any((len(self._met.get(end, ())) >= MANY) is not before for end, before in talk.swept):
                return True
            if talk.alive != {alive_of(self._beside(pair, talk.ends, {}).keepalives)}:
                return True
        return bool(flows) and self._esp_came_late(pair, talk, flows)

    def _esp_came_late(self, pair: Pair, talk: Talk, flows: dict[Pair, list[EspFlow]]) -> bool:
        """A flow began after the exchange in front of it was judged."""
        spans = sorted(zip(talk.spans[::2], talk.spans[1::2], strict=True))
        for flow in self._beside(pair, talk.ends, flows).esp:
            before = [judged for began, judged in spans if began <= flow.first_time]
            if not before or before[-1] < flow.first_time:
                return True
        return False

    def _again(self, pair: Pair, flows: dict[Pair, list[EspFlow]]) -> Question:
        """A conversation as a whole: what is not as it was told is to be told."""
        talk = self.talks[pair]
        parts, asked = [], []
        for number in sorted(talk.told):
            came = self._spill.read(self._places[number])
            parts.append((number, came))
            verdict = self._verdict(number)
            asked.append(Asked(number, self._revisions[number], verdict, max(map(_frame, came.items)), again=True))
        return replace(self._beside(pair, talk.ends, flows), parts=tuple(parts), asked=tuple(asked))


AT_A_TIME = 64
"""Conversations that are judged again at a time."""


def _pair(one: str, other: str) -> Pair:
    return (one, other) if one <= other else (other, one)


def _between(item: Captured) -> Pair:
    """The two ends that an item is about."""
    about = item.quoted if isinstance(item, IcmpError) else item
    return _pair(about.source, about.destination)


def _cookie(item: Captured) -> bytes:
    """The initiator's cookie, where the item has a message."""
    payload = item.quoted.payload if isinstance(item, IcmpError) else item.payload
    return payload[4:12] if payload[:4] == NON_ESP_MARKER else payload[:8]


def _time(item: Captured) -> int:
    return item.last_time if isinstance(item, FragmentLoss) else item.time


def _frame(item: Captured) -> Frame:
    return item.frames[-1] if isinstance(item, FragmentLoss) else item.frame
