"""A watch as an iterator: `for` or `async for` over its events.

The watch runs in a thread of its own, so that it keeps up with the wire and with the clock while its reader does
something else, and so that an event loop is never kept waiting. No signal is caught, and nothing is global.
"""

import asyncio
import contextlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from inspect import iscoroutinefunction
from types import TracebackType
from typing import BinaryIO, cast

from msgspec.structs import replace

from pcapdiag.capture.source import Source
from pcapdiag.diagnosis.causes.platforms import given_of
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.live.events import Event, Summary, Verdict
from pcapdiag.live.loop import Ending, Limits, outcomes, run
from pcapdiag.live.session import Watch

MAX_UNREAD = 10_000
"""Events that wait for their reader; beyond it the watch waits, and what the kernel then drops is counted."""

LIBPCAP, TSHARK = "libpcap", "tshark"
"""What captures: this program, or Wireshark's dumpcap."""

Waiter = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class _Feed:
    """What the thread of the watch and its reader have in common: events on their way from one to the other."""

    def __init__(self) -> None:
        self.ending = Ending()
        self.changed = threading.Condition()
        self.unread: deque[Event] = deque()
        self.waiters: list[Waiter] = []
        self.closed = self.done = False
        self.summary: Summary | None = None
        self.verdict: Verdict | None = None
        self.fault: Exception | None = None

    def watch(self, source: Source, watch: Watch, limits: Limits) -> None:
        """Run in the thread of the watch, to its end."""
        try:
            Watch.warm_up()
            ended = run(source, watch, [self], limits, self.ending)
            self.summary, self.verdict = ended.summary, ended.verdict
            if self.closed:
                self.summary = replace(ended.summary, reason="closed")
        except Exception as fault:
            self.fault = fault
        finally:
            source.close()
            with self.changed:
                self.done = True
                self.ending.close()
                self._wake()

    def events(self, events: Sequence[Event]) -> None:
        """See Observer. Waits while its reader is far behind."""
        with self.changed:
            while len(self.unread) >= MAX_UNREAD and not self.closed:
                self.changed.wait()
            self._ask()
            self.unread += events
            self._wake()

    def pulse(self, watch: Watch, source: Source) -> None:
        """See Observer."""
        self._ask()

    def finish(self, watch: Watch, source: Source) -> None:
        """See Observer."""

    def _ask(self) -> None:
        """Whether anybody reads this."""
        if self.closed:
            raise BrokenPipeError

    def stop(self) -> None:
        """Nobody reads it any more."""
        with self.changed:
            self.closed = True
            self.unread.clear()
            if not self.done:
                self.ending.request("closed")
            self._wake()

    def _wake(self) -> None:
        self.changed.notify_all()
        waiters, self.waiters = self.waiters, []
        for loop, future in waiters:
            # A loop that is closed has nobody who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, future)

    def take(self) -> Event | None:
        """The next event; None where there is none yet, or no more. To be called with `changed` held."""
        if not self.unread:
            return None
        if len(self.unread) == MAX_UNREAD // 2:
            self.changed.notify_all()
        return self.unread.popleft()

    @property
    def over(self) -> bool:
        """Nothing more comes."""
        return self.done or self.closed

    def waiter(self) -> Waiter:
        """What is woken when something changes. To be called with `changed` held."""
        loop = asyncio.get_running_loop()
        waiter = (loop, loop.create_future())
        self.waiters.append(waiter)
        return waiter

    async def change(self, waiter: Waiter) -> None:
        """Until it is woken."""
        try:
            await waiter[1]
        finally:
            with self.changed:
                if waiter in self.waiters:
                    self.waiters.remove(waiter)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class Sniffer:
    """The events of a watch, from `sniff`: iterate over it with `for` or with `async for`.

    It captures from its beginning to its end, also while nobody reads. Left early, it is closed by `with` or
    `async with`, by close() or aclose(), or when nothing refers to it any more; the interfaces are then let go of.
    A second loop over it goes on where the first one ended.
    """

    def __init__(self, source: Source, watch: Watch, limits: Limits) -> None:
        """Begin. `sniff` makes the arguments."""
        self.names = source.names
        self._feed = _Feed()
        # Neither the thread nor the feed refers to this object, so that it can be seen to be gone.
        self._thread = threading.Thread(
            target=self._feed.watch, args=(source, watch, limits), name="pcapdiag sniff", daemon=True
        )
        self._stop = weakref.finalize(self, self._feed.stop)
        self._thread.start()

    @property
    def summary(self) -> Summary | None:
        """What was seen, received and dropped; None while the watch goes on."""
        return self._feed.summary

    @property
    def verdict(self) -> Verdict | None:
        """The verdict that it was to `stop_on`, if that came."""
        return self._feed.verdict

    def close(self) -> None:
        """End, and wait until the interfaces are let go of; harmless the second time."""
        self._stop()
        self._thread.join()

    async def aclose(self) -> None:
        """Do the same without keeping the event loop waiting."""
        self._stop()
        while True:
            with self._feed.changed:
                if self._feed.done:
                    return
                waiter = self._feed.waiter()
            await self._feed.change(waiter)

    def __iter__(self) -> "Sniffer":
        """Give itself."""
        return self

    def __next__(self) -> Event:
        """Wait for the next event. Raises what went wrong in the watch, if something did."""
        feed = self._feed
        with feed.changed:
            while (event := feed.take()) is None:
                if feed.over:
                    self._end()
                    raise StopIteration
                feed.changed.wait()
        return event

    def __aiter__(self) -> "Sniffer":
        """Give itself."""
        return self

    async def __anext__(self) -> Event:
        """Do as __next__ does; an event is not lost where this is cancelled, as by a timeout."""
        while True:
            with self._feed.changed:
                event = self._feed.take()
                if event is not None:
                    return event
                if self._feed.over:
                    self._end()
                    raise StopAsyncIteration
                waiter = self._feed.waiter()
            await self._feed.change(waiter)

    def _end(self) -> None:
        """There are no more events: tell of a fault, once."""
        fault, self._feed.fault = self._feed.fault, None
        if fault is not None:
            raise fault

    def __enter__(self) -> "Sniffer":
        """Give itself."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    async def __aenter__(self) -> "Sniffer":
        """Give itself."""
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Close it."""
        await self.aclose()


def sniff(
    source: str | Iterable[str] | BinaryIO | os.PathLike[str],
    *,
    ports: Collection[int] = (),
    duration: float | None = None,
    count: int | None = None,
    stop_on: Outcome | str | Iterable[Outcome | str] = (),
    messages: bool = True,
    psks: Collection[bytes] = (),
    platforms: Iterable[str] | dict[str, str] = (),
    local: str | Iterable[str] | None = None,
    promiscuous: bool = False,
    tunnels: bool = False,
    engine: str = LIBPCAP,
) -> Sniffer:
    """Watch IKE as it happens: an iterator, and an asynchronous one, of the events that `pcapdiag live` tells.

        for event in pcapdiag.sniff("eth0", stop_on="any"):
            if isinstance(event, pcapdiag.Verdict):
                print(event.diagnosis.stop.outcome, event.diagnosis.causes[:1])

    source -- an interface, or several; "any" is all of them. Or a capture that is being written: an open binary stream,
        or the Path of a named pipe; "-" is standard input. A stream that was given is not closed
    ports -- UDP ports where IKE is spoken, beside 500 and 4500
    duration -- seconds after which it ends; count -- IKE messages after which it does
    stop_on -- "up" (the tunnel is there), "failed", or outcomes of phase 1 ("completed", "stalled", "rejected", or
        "any" of these): it ends with the first such verdict
    messages -- whether there is an event for each message, too
    psks -- pre-shared keys to hold against the hashes of Aggressive Mode
    platforms, local -- what the ends are, and which addresses are your own devices: as `analyze` takes them
    promiscuous -- take in frames that are for other machines; tunnels -- look into GRE, IP in IP, VXLAN, GENEVE and AH
    engine -- "libpcap", or "tshark" to capture one interface through Wireshark's dumpcap

    The interfaces are opened before this returns, which takes milliseconds. Works in any thread and within a running
    event loop; catches no signals.

    Raises CaptureError for what cannot be opened, with one line that says what to do; ValueError for arguments that
    contradict each other. A stream that is no capture is told of in a Notice, and `summary.failed` says so.
    """
    stops = [stop_on] if isinstance(stop_on, str) else list(stop_on)
    limits = Limits(duration, count, frozenset(o for stop in stops for o in outcomes(stop)))
    opened, streams = _opened(source, ports, promiscuous, tunnels, engine)
    given = given_of(platforms, local)
    esp = (lambda: opened.summary().esp_flows) if streams else None
    watch = Watch(messages=messages, esp=esp, keys=psks, given=given)
    return Sniffer(opened, watch, limits)


def _opened(
    source: str | Iterable[str] | BinaryIO | os.PathLike[str],
    ports: Collection[int],
    promiscuous: bool,
    tunnels: bool,
    engine: str,
) -> tuple[Source, bool]:
    """The source, and whether it is a stream, in which ESP can be seen."""
    if engine not in (LIBPCAP, TSHARK):
        raise ValueError(f"no engine {engine!r}: {LIBPCAP!r} or {TSHARK!r}")
    if source == "-" or isinstance(source, os.PathLike) or hasattr(source, "read"):
        from pcapdiag.capture.pipe import Pipe

        if iscoroutinefunction(getattr(source, "read", None)):
            raise ValueError("an asyncio stream cannot be read in a thread: give the pipe or socket below it")
        if promiscuous or tunnels or engine != LIBPCAP:
            raise ValueError("promiscuous, tunnels and engine are about interfaces, not about a stream")
        stream = os.fspath(source) if isinstance(source, os.PathLike) else cast(str | BinaryIO, source)
        return Pipe(stream, ports=ports), True
    names = [source] if isinstance(source, str) else list(source)
    if not names:
        raise ValueError("no interface to sniff on")
    if engine == TSHARK:
        from pcapdiag.capture.pipe import ThroughDumpcap

        if len(names) != 1 or promiscuous or tunnels:
            raise ValueError("the engine 'tshark' takes one interface, and neither promiscuous nor tunnels")
        return ThroughDumpcap(names[0], ports=ports), True
    from pcapdiag.capture.interface import Interfaces

    return Interfaces(names, ports=ports, promiscuous=promiscuous, tunnels=tunnels), False
