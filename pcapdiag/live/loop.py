"""The loop around a watch: waits for the source, feeds what comes, tells the time, and knows when to end."""

import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterable, Sequence
from types import FrameType
from typing import Any, Protocol

from pcapdiag.capture.source import Source, readable
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.tunnel import TunnelState
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.live.events import Event, Notice, Summary, Verdict
from pcapdiag.live.session import Watch
from pcapdiag.record import Record

BATCH = 32
"""Frames that are analysed in one go."""
SLICE = 0.005
"""Seconds of analysis, about, before the source is drained again: its buffer holds a tenth of a second of the most that
a gigabit of small packets can bring."""
PULSE = 1.0
"""Seconds after which observers have their turn although nothing came."""
LAST_EFFORT = 5.0
"""Seconds that are given, at the end, to what was captured and not yet analysed."""


class Limits(Record, frozen=True):
    """When to end by itself.

    duration -- seconds; count -- IKE messages; stop_on -- outcomes, as `outcomes` gives them, at the first of which
    linger -- the end of the source is no reason: somebody is still looking
    """

    duration: float | None = None
    count: int | None = None
    stop_on: frozenset[str] = frozenset()
    linger: bool = False


class Observer(Protocol):
    """Somebody who is told. Raises BrokenPipeError where nobody listens any more; that ends the watch."""

    def events(self, events: Sequence[Event]) -> None:
        """Take note of what happened."""

    def pulse(self, watch: Watch, source: Source) -> None:
        """Do what is to be done from time to time; called at least every PULSE seconds."""

    def finish(self, watch: Watch, source: Source) -> None:
        """The watch is over, and everything was told."""


class Ending:
    """A word that ends a watch, and a descriptor that wakes it to read that.

    caught -- why to end; "" for not
    """

    def __init__(self) -> None:
        self.caught = ""
        self.descriptor, self._tell = os.pipe()
        os.set_blocking(self._tell, False)

    def request(self, reason: str) -> None:
        """End for this reason, unless there is one already. From any thread."""
        self.caught = self.caught or reason
        with contextlib.suppress(OSError):
            os.write(self._tell, b"\0")

    def close(self) -> None:
        """Let go of the descriptors."""
        os.close(self._tell)
        os.close(self.descriptor)


class Signals(Ending):
    """Turns the signals that end a program into such a word: the first that comes; a second has its usual effect."""

    ENDING = ("SIGINT", "SIGTERM", "SIGHUP")

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        """Begin to listen."""
        for name in self.ENDING:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._take)
        return self

    def _take(self, number: int, _: FrameType | None) -> None:
        self._restore()
        self.request(signal.Signals(number).name)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def __exit__(self, *_: object) -> None:
        """Leave everything as it was."""
        self._restore()
        self.close()


class Ended(Record, frozen=True):
    """How a watch ended: what it saw, and the verdict that it was to stop on, if that came."""

    summary: Summary
    verdict: Verdict | None


class _Run:
    def __init__(self, source: Source, watch: Watch, observers: Sequence[Observer], limits: Limits) -> None:
        self.source = source
        self.watch = watch
        self.observers = observers
        self.limits = limits
        self.verdict: Verdict | None = None
        self.muted = False

    def deliver(self, events: Sequence[Event]) -> None:
        """Tell the observers; remember the verdict to stop on."""
        if not events:
            return
        for event in events:
            if isinstance(event, Verdict) and not event.settles_at and self.verdict is None:
                self.verdict = event if stops_on(event.diagnosis, self.limits.stop_on) else None
        if not self.muted:
            for observer in self.observers:
                observer.events(events)

    def step(self) -> str:
        """Take in one batch; return why to end, "" for not."""
        source, watch, limits = self.source, self.watch, self.limits
        source.gather()
        self._notices()
        until = time.monotonic() + SLICE
        while True:
            for item in source.take(BATCH):
                self.deliver(watch.feed(item))
                if self.verdict is not None:
                    return "the verdict that was waited for"
                if limits.count is not None and watch.tracker.counts.messages >= limits.count:
                    return f"{limits.count} messages"
            if not source.backlog or time.monotonic() >= until:
                break
        if not source.backlog:
            now = source.now()
            due = watch.next_time()
            if due is not None and due <= now:
                self.deliver(watch.tick(now))
        if self.verdict is not None:
            return "the verdict that was waited for"
        return "the capture ended" if source.over and not source.backlog and not limits.linger else ""

    def _notices(self) -> None:
        if self.source.notices:
            texts, self.source.notices[:] = list(self.source.notices), []
            self.deliver([Notice(self.source.now(), text) for text in texts])

    def pulse(self) -> None:
        if not self.muted:
            for observer in self.observers:
                observer.pulse(self.watch, self.source)

    def wait(self, seconds: float, wakes: Sequence[int]) -> None:
        """Until there is something to do."""
        if self.source.over and not self.source.backlog:
            readable(wakes, seconds)
        else:
            self.source.wait(seconds, wakes)

    def patience(self, until: float | None) -> float:
        """Seconds that nothing has to be done if nothing comes."""
        if self.source.backlog:
            return 0.0
        wait = PULSE
        due = self.watch.next_time()
        if due is not None:
            wait = min(wait, (due - self.source.now()) / 1e9)
        if until is not None:
            wait = min(wait, until - time.monotonic())
        return max(wait, 0.0)

    def finish(self, reason: str, patient: bool, began: int) -> Summary:
        """Analyse what was captured, say what is left to say, and sum up."""
        source, watch = self.source, self.watch
        until = time.monotonic() + LAST_EFFORT
        source.gather()
        while patient and source.backlog and time.monotonic() < until:
            self.deliver_all(source.take(BATCH))
            source.gather()
        unread = source.backlog
        self.deliver_all(source.finish())
        counts = source.counts()
        last = source.summary().last_time
        self.deliver(watch.finish(max(source.now(), last or 0) if not unread else last or source.now()))
        self.pulse()
        self._notices()
        if not self.muted:
            for observer in self.observers:
                observer.finish(watch, source)
        return Summary(
            reason=reason,
            began=began,
            ended=time.time_ns(),
            capture=source.summary(),
            interfaces=counts,
            counts=watch.tracker.counts,
            totals=watch.totals(),
            unread=unread,
            all_completed=watch.all_completed,
            failed=source.failed,
        )

    def deliver_all(self, items: Iterable[Any]) -> None:
        for item in items:
            self.deliver(self.watch.feed(item))


def run(
    source: Source,
    watch: Watch,
    observers: Sequence[Observer],
    limits: Limits,
    ending: Ending,
    wakes: Sequence[int] = (),
) -> Ended:
    """Watch until a limit, another reason to end, or the end of the source; then sum up. The source is not closed.

    wakes -- descriptors that are worth a pulse when there is something to read: a keyboard
    """
    going = _Run(source, watch, observers, limits)
    began = time.time_ns()
    until = time.monotonic() + limits.duration if limits.duration is not None else None
    reason = ""
    try:
        while not reason:
            going.wait(going.patience(until), [ending.descriptor, *wakes])
            reason = going.step()
            going.pulse()
            if ending.caught:
                reason = reason or ending.caught
            elif until is not None and time.monotonic() >= until:
                reason = reason or f"{limits.duration:g} s"
        # What was waited for has come, or enough: what came behind it is not looked at any more.
        patient = going.verdict is None and not reason.endswith("messages")
        return Ended(going.finish(reason, patient, began), going.verdict)
    except BrokenPipeError:
        going.muted = True
        return Ended(going.finish("nobody reads the output any more", False, began), going.verdict)


def outcomes(name: str) -> Collection[str]:
    """What `--stop-on NAME` stands for: outcomes of phase 1, or "up" and "failed", which ask for the tunnel.

    Raises ValueError for any other name.
    """
    if name == "any":
        return (Outcome.COMPLETED, Outcome.STALLED, Outcome.REJECTED)
    return (name,) if name in (UP, FAILED) else (Outcome(name),)


UP, FAILED = "up", "failed"


def stops_on(diagnosis: Diagnosis, wanted: Collection[str]) -> bool:
    """Whether this verdict is one of those that a watch is to stop on, as `outcomes` gives them."""
    outcome, tunnel = diagnosis.stop.outcome, diagnosis.tunnel.state
    if outcome in wanted or (UP in wanted and tunnel is TunnelState.UP):
        return True
    failed = outcome in (Outcome.STALLED, Outcome.REJECTED) or (diagnosis.completed and tunnel.failed)
    return FAILED in wanted and failed
