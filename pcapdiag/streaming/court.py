"""Where conversations are judged: here, or by other processes. What is judged says all that it takes."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from typing import Any

import msgspec

from pcapdiag.capture.datagram import EspFlow, Frame, UnansweredArp
from pcapdiag.diagnosis.causes.platforms import NOTHING_GIVEN, Given
from pcapdiag.diagnosis.evidence.case import MANY
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis, diagnose
from pcapdiag.exchange.model import Exchange, KeepaliveFlow, Mode
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.ike.nat_traversal import NAT_T_PORT
from pcapdiag.record import Record
from pcapdiag.streaming.spill import Came, Items
from pcapdiag.streaming.told import Told, Verdict, changes, verdict_of

UNBOUNDED = 1 << 62
TOGETHER = 8
"""Exchanges that are handed to another process at a time."""

Pair = tuple[str, str]
Ends = tuple[tuple[str, ...], tuple[str, ...]]
"""The addresses of either end."""


class Asked(Record, frozen=True, array_like=True):
    """An exchange that is to be judged, and what was told of it before: see `Told`.

    again -- it is to be told only where its verdict is another one
    """

    id: int
    revision: int = 0
    before: Verdict | None = None
    since: Frame | None = None
    again: bool = False


class Question(Record, frozen=True):
    """A conversation, and which of its exchanges are to be judged.

    parts -- the exchanges that matter for them, by their numbers, in order, with what came of each
    now, gaps, keepalives, esp, unanswered, met -- as `diagnose` has them
    exchanges -- those of `parts`, where they are built already
    """

    pair: Pair
    asked: tuple[Asked, ...]
    now: int
    gaps: tuple[int, ...]
    parts: tuple[tuple[int, Came], ...]
    keepalives: tuple[KeepaliveFlow, ...] = ()
    esp: tuple[EspFlow, ...] = ()
    unanswered: tuple[UnansweredArp, ...] = ()
    met: dict[str, tuple[str, ...]] = {}  # noqa: RUF012 -- nobody changes it
    exchanges: tuple[Exchange, ...] = ()


class Note(Record, frozen=True):
    """What is to be remembered of a diagnosis: `Judge` says what for.

    made -- what was made of what is told of it; None where nothing is
    """

    pair: Pair
    id: int
    verdict: Verdict
    made: Any
    well: bool
    done: bool
    mode: Mode
    initiator: str
    responder: str
    unanswered: bool
    offers: tuple[str, ...]
    alive: frozenset[str]
    swept: bool
    one_way: bool
    ends: Ends


class Rules(Record, frozen=True):
    """What holds for all questions.

    made -- called with what is told, where it is judged: what it returns is handed on in its place
    opened -- opens the encrypted messages of an exchange with keys; keys, given -- see `diagnose`
    """

    made: Callable[[Told], Any]
    opened: Callable[[Exchange], Exchange] | None = None
    keys: tuple[bytes, ...] = ()
    given: Given = NOTHING_GIVEN

    def judge(self, question: Question) -> list[Note]:
        """What is to be said."""
        exchanges: Sequence[Exchange] = question.exchanges or rebuilt(question.parts)
        if self.opened is not None:
            exchanges = [self.opened(exchange) for exchange in exchanges]
        asked = {a.id: a for a in question.asked}
        diagnoses = diagnose(
            exchanges,
            question.now,
            gaps=question.gaps,
            keepalives=question.keepalives,
            esp=question.esp,
            unanswered=question.unanswered,
            keys=self.keys,
            given=self.given,
            met_before=question.met,
            only=asked,
        )
        return [self._note(question, asked[d.exchange.id], d) for d in diagnoses]

    def _note(self, question: Question, asked: Asked, diagnosis: Diagnosis) -> Note:
        e, verdict = diagnosis.exchange, verdict_of(diagnosis)
        corrects = changes(asked.before, verdict) if asked.before is not None else ()
        told = None if asked.again and not corrects else Told(diagnosis, asked.revision + 1, corrects, asked.since)
        return Note(
            pair=question.pair,
            id=e.id,
            verdict=verdict,
            made=self.made(told) if told is not None else None,
            well=diagnosis.well,
            done=diagnosis.stop.outcome in (Outcome.COMPLETED, Outcome.PARTIAL),
            mode=e.mode,
            initiator=e.initiator.address,
            responder=e.responder.address,
            unanswered=(e.last_message or 0) < 2 and e.mode is not Mode.IKEV2,
            offers=tuple({s.first.source: None for s in e.in_clear if s.number and s.proposals}),
            alive=alive_of(question.keepalives),
            swept=len(question.met.get(e.initiator.address, ())) >= MANY,
            one_way=len({flow.source for flow in question.esp}) == 1,
            ends=(e.initiator.addresses, e.responder.addresses),
        )


def alive_of(flows: Iterable[KeepaliveFlow]) -> frozenset[str]:
    """Which addresses hold a mapping of UDP 4500 open."""
    return frozenset(f.source for f in flows if NAT_T_PORT in (f.source_port, f.destination_port))


def rebuilt(parts: Iterable[tuple[int, Came]]) -> list[Exchange]:
    """Exchanges out of what came of them."""
    tracker = Tracker(UNBOUNDED, UNBOUNDED)
    tracker.remember_latest()
    found = []
    for number, came in parts:
        tracker.resume(number, came.items, came.uncounted)
        exchange = tracker.exchange(number)
        if exchange is not None and exchange.steps:
            found.append(exchange)
    return found


class Court:
    """Judges questions in this process, at once."""

    rebuilds = False
    """Whether exchanges have to be built anew where they are judged."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._done: list[Note] = []

    def ask(self, questions: Iterable[Question]) -> None:
        """Have these judged."""
        for question in questions:
            self._done += self._rules.judge(question)

    def answers(self) -> list[Note]:
        """What was found since the last call, in the order of the questions; waits for what is not ready."""
        done, self._done = self._done, []
        return done


class Courts(Court):
    """Judges them in other processes.

    executor -- any whose workers have this package
    """

    rebuilds = True

    def __init__(self, rules: Rules, executor: Executor) -> None:
        super().__init__(rules)
        self._executor = executor
        self._futures: list[Future[list[Note]]] = []

    def ask(self, questions: Iterable[Question]) -> None:
        """Hand them on, some at a time."""
        for some in _together(questions):
            self._futures.append(self._executor.submit(judge_elsewhere, self._rules, _encode(some)))

    def answers(self) -> list[Note]:
        """See Court."""
        futures, self._futures = self._futures, []
        return [note for future in futures for note in future.result()]


def _together(questions: Iterable[Question]) -> Iterator[list[Question]]:
    some: list[Question] = []
    size = 0
    for question in questions:
        some.append(question)
        size += len(question.asked)
        if size >= TOGETHER:
            yield some
            some, size = [], 0
    if some:
        yield some


class _Written(msgspec.Struct, array_like=True):
    """A question as it goes to another process."""

    pair: Pair
    asked: list[Asked]
    now: int
    gaps: tuple[int, ...]
    numbers: list[int]
    parts: list[Items]
    keepalives: tuple[KeepaliveFlow, ...]
    esp: tuple[EspFlow, ...]
    unanswered: tuple[UnansweredArp, ...]
    met: dict[str, tuple[str, ...]]


def _encode(questions: Collection[Question]) -> bytes:
    return msgspec.msgpack.encode(
        [
            _Written(
                q.pair, list(q.asked), q.now, q.gaps,
                [number for number, _ in q.parts], [Items.of(came) for _, came in q.parts],
                q.keepalives, q.esp, q.unanswered, q.met,
            )
            for q in questions
        ]
    )  # fmt: skip


def judge_elsewhere(rules: Rules, octets: bytes) -> list[Note]:
    """What another process does: judge the questions that stand in these octets."""
    found: list[Note] = []
    for w in msgspec.msgpack.decode(octets, type=list[_Written]):
        parts = tuple((n, items.together()) for n, items in zip(w.numbers, w.parts, strict=True))
        beside = (w.keepalives, w.esp, w.unanswered, w.met)
        found += rules.judge(Question(w.pair, tuple(w.asked), w.now, w.gaps, parts, *beside))
    return found
