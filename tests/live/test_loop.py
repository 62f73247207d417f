"""The loop: when it ends, and what it then says."""

import io
import os
import signal
import threading
import time
from collections.abc import Sequence

import pytest

from pcapdiag.capture.datagram import Captured, CaptureSummary
from pcapdiag.capture.pipe import Pipe
from pcapdiag.capture.source import InterfaceCounts
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.live.events import Event, Notice, Seen, Verdict
from pcapdiag.live.loop import Ended, Limits, Observer, Signals, outcomes, run
from pcapdiag.live.session import Watch
from tests import CAPTURES
from tests.messages import Wire, main_mode

EVERYTHING = frozenset((Outcome.COMPLETED, Outcome.STALLED, Outcome.REJECTED))


class Given:
    """A source that has what it was given, and then is quiet; its clock is the machine's."""

    def __init__(self, items: Sequence[Captured] = (), over: bool = False) -> None:
        self.names: tuple[str, ...] = ("given",)
        self.notices: list[str] = []
        self.over = over
        self.failed = False
        self._items = list(items)
        self.taken = 0

    @property
    def backlog(self) -> int:
        return len(self._items)

    def wait(self, seconds: float, wakes: Sequence[int]) -> None:
        if not self._items:
            import select

            select.select(list(wakes), [], [], seconds)

    def gather(self) -> None:
        pass

    def take(self, limit: int) -> list[Captured]:
        found, self._items = self._items[:limit], self._items[limit:]
        self.taken += len(found)
        return found

    def now(self) -> int:
        return time.time_ns()

    def finish(self) -> list[Captured]:
        return []

    def summary(self) -> CaptureSummary:
        n = self.taken
        return CaptureSummary("given", "live", n, n, 0, 0, 0, 0, 0, 0, 0, None, None, False)

    def counts(self) -> tuple[InterfaceCounts, ...]:
        return (InterfaceCounts("given", self.taken + self.backlog, 0, None, self.taken + self.backlog),)

    def close(self) -> None:
        pass


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[Event] = []
        self.pulses = 0
        self.finished = False

    def events(self, events: Sequence[Event]) -> None:
        self.heard += events

    def pulse(self, watch: object, source: object) -> None:
        self.pulses += 1

    def finish(self, watch: object, source: object) -> None:
        self.finished = True


def ran(source: object, limits: Limits = Limits(), observer: Observer | None = None) -> Ended:  # noqa: B008
    with Signals() as signals:
        return run(source, Watch(), [observer or Listener()], limits, signals)  # type: ignore[arg-type]


def messages(count: int = 6) -> list[Captured]:
    wire = Wire()
    return list(wire.main_mode(time.time(), *range(1, count + 1)))


def test_the_end_of_the_source_ends_it() -> None:
    listener = Listener()
    ended = ran(Given(messages(), over=True), observer=listener)
    assert ended.summary.reason == "the capture ended"
    assert len([e for e in listener.heard if isinstance(e, Seen)]) == 6
    assert listener.finished
    assert ended.verdict is None


def test_a_duration() -> None:
    began = time.monotonic()
    assert ran(Given(), Limits(duration=0.3)).summary.reason == "0.3 s"
    assert 0.3 <= time.monotonic() - began < 1


def test_a_count_of_messages() -> None:
    ended = ran(Given(messages()), Limits(count=4))
    assert ended.summary.reason == "4 messages"
    assert ended.summary.counts.messages == 4


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_it_cleanly(name: str) -> None:
    threading.Timer(0.2, os.kill, (os.getpid(), getattr(signal, name))).start()
    listener = Listener()
    ended = ran(Given(messages()), observer=listener)
    assert ended.summary.reason == name
    assert listener.finished
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def capture(name: str) -> Pipe:
    return Pipe(io.BytesIO((CAPTURES / name).read_bytes()))


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("completed-psk.pcap", Outcome.COMPLETED),
        ("mm5-psk-mismatch.pcap", Outcome.REJECTED),
        ("mm5-udp-4500-blocked.pcap", Outcome.STALLED),
    ],
)
def test_the_first_verdict_of_a_kind(name: str, outcome: Outcome) -> None:
    ended = ran(capture(name), Limits(stop_on=frozenset((outcome,))))
    assert ended.verdict is not None
    assert ended.verdict.diagnosis.stop.outcome is outcome
    assert ended.verdict.settles_at == 0
    assert ended.summary.reason == "the verdict that was waited for"
    others = EVERYTHING - {outcome}
    assert ran(capture(name), Limits(stop_on=others)).verdict is None


def test_any_is_every_outcome_that_is_one() -> None:
    assert frozenset(outcomes("any")) == EVERYTHING
    assert outcomes("stalled") == (Outcome.STALLED,)


def test_notices_of_the_source_are_told() -> None:
    source, listener = Given(over=True), Listener()
    source.notices.append("eth7: it went away")
    ran(source, observer=listener)
    assert [e.text for e in listener.heard if isinstance(e, Notice)] == ["eth7: it went away"]
    assert source.notices == []


def test_nobody_who_listens_ends_it() -> None:
    class Deaf(Listener):
        def events(self, events: Sequence[Event]) -> None:
            raise BrokenPipeError

    ended = ran(Given(messages()), observer=Deaf())
    assert ended.summary.reason == "nobody reads the output any more"
    assert ended.summary.counts.messages


def test_a_lingering_watch_outlives_its_source() -> None:
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
    listener = Listener()
    began = time.monotonic()
    ended = ran(Given(messages(), over=True), Limits(linger=True), listener)
    assert ended.summary.reason == "SIGTERM"
    assert time.monotonic() - began > 0.25
    assert listener.pulses < 30, "it must not spin"


def test_an_idle_watch_does_not_spin() -> None:
    listener = Listener()
    ran(Given(messages(1)), Limits(duration=1.5), listener)
    assert listener.pulses < 9


def test_what_was_captured_and_not_reached_is_counted() -> None:
    wire = Wire()
    items = [wire.datagram(time.time(), main_mode(1, (n.to_bytes(8, "big"), bytes(8)))) for n in range(1, 1001)]
    ended = ran(Given(items), Limits(count=100))
    (counts,) = ended.summary.interfaces
    assert counts.taken == ended.summary.capture.frames + ended.summary.unread
    assert ended.summary.unread > 800


def test_a_verdict_that_is_still_open_is_not_stopped_on() -> None:
    heard = Listener()
    ran(capture("mm5-psk-mismatch.pcap"), Limits(stop_on=frozenset((Outcome.REJECTED,))), heard)
    assert [v.settles_at > 0 for v in heard.heard if isinstance(v, Verdict)] == [True, False]
