"""Savefiles, in parts that other processes walk over.

Walking over records costs what reading them costs; taking a few IKE packets apart costs next to nothing. So a part of a
file, or a whole file of many, is sieved elsewhere: its frames are counted, and those that matter come back as they are.
Here they are taken in the order of the file, so that the result is the same octet for octet as without.

Where a part begins, a record must be found first. What is found is only believed when the part before it ends exactly
there; whatever does not fit together, is damaged, or is so full of IKE that there is nothing to gain, is read in order.
"""

import os
import re
import struct
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from pcapdiag.record import Record

from . import kinds, walker
from .datagram import CaptureError
from .network import Network
from .savefile import MAX_OFFSET, Savefile, Sieved
from .walker import Found, Link, Tally
from .window import Window

PART: Final = 64 << 20
"""Octets of a part."""
MAX_SIEVED: Final = 16 << 20
"""Octets of frames that a part may hand back."""
SEARCHED: Final = 1 << 20
"""Octets in which the first record of a part is looked for: several of the longest that are believed."""
RUN: Final = 8
"""Records that must follow on each other for the first of them to be one."""
AHEAD: Final = 6
"""Parts that are sieved before the one that is waited for is there."""
_YEAR: Final = 366 * 86_400


class Task(Record, frozen=True):
    """A part of a file: what begins between these offsets. ports -- as for `Savefile`."""

    path: str
    begin: int
    until: int
    ports: frozenset[int]


class NothingGainedError(Exception):
    """The part is better read in order."""


class Sieves:
    """Files that are sieved by an executor, some parts ahead of what is asked for."""

    def __init__(self, executor: Executor, paths: Sequence[object], ports: Collection[int]) -> None:
        """Take the files in the order in which `of` will be called for them; nothing is begun yet."""
        self._executor = executor
        self._tasks: Iterator[tuple[int, Task | None]] = _tasks(paths, frozenset(ports))
        self._wanted = 0
        self._running: deque[tuple[int, Future[Sieved | None] | None]] = deque()

    def of(self, index: int) -> Iterator[Sieved | None]:
        """Yield the parts of that file; ask for files in order. Where nobody asks on, the rest of it is dropped."""
        self._pass_over(index)
        self._fill()
        try:
            while self._running and self._running[0][0] == index:
                future = self._running.popleft()[1]
                self._fill()
                yield _result(future)
        finally:
            self._pass_over(index + 1)

    def close(self) -> None:
        """Drop what was begun and will not be asked for."""
        self._tasks = iter(())
        while self._running:
            self._drop(self._running.pop()[1])

    def _pass_over(self, index: int) -> None:
        """Drop the parts of the files before that one."""
        self._wanted = max(self._wanted, index)
        while self._running and self._running[0][0] < self._wanted:
            self._drop(self._running.popleft()[1])

    def _fill(self) -> None:
        while len(self._running) < AHEAD:
            index, task = next(self._tasks, (0, None))
            if task is None:
                return
            if index >= self._wanted:
                self._running.append((index, self._submitted(task)))

    def _submitted(self, task: Task) -> "Future[Sieved | None] | None":
        try:
            return self._executor.submit(sieve, task)
        except RuntimeError:  # it was shut down, or broke
            return None

    @staticmethod
    def _drop(future: "Future[Sieved | None] | None") -> None:
        if future is not None:
            future.cancel()


class Ahead(Executor):
    """An executor on which the first parts of a file are begun before they are asked for: the time that the rest of
    the program takes to be loaded is not lost."""

    def __init__(self, executor: Executor, path: str, ports: Collection[int]) -> None:
        """Begin the file on that executor, which stays the caller's to shut down."""
        self._executor = executor
        tasks = islice(_tasks([path], frozenset(ports)), AHEAD)
        self._begun: dict[Task, Future[Sieved | None]] = {}
        with suppress(RuntimeError):  # it was shut down, or broke
            for _, task in tasks:
                self._begun[task] = executor.submit(sieve, task)

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> "Future[Any]":
        """Hand on what was not begun."""
        begun = self._begun.pop(arguments[0], None) if function is sieve else None
        return begun or self._executor.submit(function, *arguments, **named)


def _result(future: "Future[Sieved | None] | None") -> Sieved | None:
    """What came of it; None where the executor failed, of whatever kind it is: reading in order is always right."""
    try:
        return future.result() if future is not None else None
    except Exception:
        return None


def _tasks(paths: Sequence[object], ports: frozenset[int]) -> Iterator[tuple[int, Task]]:
    """The parts of all regular files, with the index of the file; what is compressed is one part."""
    for index, path in enumerate(paths):
        if not isinstance(path, str | os.PathLike) or path == "-" or not os.path.isfile(path):
            continue
        name = os.fspath(path)
        try:
            size = os.path.getsize(name)
            with open(name, "rb") as file:
                plain = file.read(4) in _PLAIN
        except OSError:
            continue
        parts = range(0, size, PART) if plain else (0,)
        for begin in parts:
            last = begin + PART >= size or not plain
            yield index, Task(str(name), begin, MAX_OFFSET if last else begin + PART, ports)


_PLAIN: Final = frozenset(
    struct.pack(order + "I", magic) for order in "<>" for magic in (0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34, 0x0A0D0D0A)
)


def sieve(task: Task) -> Sieved | None:
    """Walk over a part; None where it is better read in order. This is what runs elsewhere."""
    part = _Part(task)
    try:
        for _ in part.batches():
            pass
    except (CaptureError, NothingGainedError, OSError):
        return None
    return part.sieved()


class Collector(Network):
    """Keeps the frames that matter as they are."""

    def __init__(self, ports: frozenset[int]) -> None:
        super().__init__(0, ports, Tally())
        self.frames: list[tuple[int, int, int, int, bytes]] = []
        self.size = 0

    def take(self, kind: int, buffer: bytes, found: Found, link: Link, number: int) -> None:
        """Keep the frame. Raises NothingGainedError where there are too many."""
        octets = buffer[found.start : found.stop]
        self.size += len(octets) + 64
        if self.size > MAX_SIEVED:
            raise NothingGainedError
        self.frames.append((link.identifier, number, found.ticks, found.wire - found.start, octets))


class _Part(Savefile):
    """Reads what begins in one part of a file."""

    def __init__(self, task: Task) -> None:
        self._collector = Collector(task.ports)
        super().__init__(task.path, network=self._collector)
        self._task = task
        self._until = task.until
        self._window: Window | None = None
        self._began = 0
        self._interfaces: list[Link] = []
        self._statistics: list[tuple[int, int, int | None]] = []

    def _packets_begin(self, window: Window, link: Link) -> Generator[None, None, bool]:
        """Go to where this part begins; what came before the first packet is counted by whoever takes the parts."""
        yield from ()
        self._window, self._interfaces = window, list(self._links)
        self._tally.frames = 0
        self._tally.others.clear()
        self._statistics.clear()
        if self._task.begin > window.place:
            window.need(link.header)
            example = window.buffer[window.position : window.position + link.header]
            window.jump(self._task.begin)
            window.need(SEARCHED)
            sought = _find_block if self._format.startswith("pcapng") else _find_record
            position = sought(window.buffer, window.end, link, example)
            if position is None:
                raise NothingGainedError
            window.position = position
        self._began = window.place
        return False

    def packet(self, buffer: bytes, start: int, captured: int, original: int, link: Link, ticks: int) -> None:
        """Give up: a Simple Packet Block has the time of the packet before it, which is in another part."""
        raise NothingGainedError

    def statistic(self, link: Link, ticks: int) -> None:
        """Keep it: which time it means, the packets of the parts before tell as well."""
        self._statistics.append((link.identifier, ticks, link.newest if link.seen else None))

    def sieved(self) -> Sieved | None:
        """What was read; None where anything was out of order, or a table is full."""
        tally, window = self._tally, self._window
        tally.settle()
        full = len(tally.others) >= kinds.MAX_KEYS or len(tally.flows.rows) >= walker.MAX_ESP_FLOWS
        if window is None or window.fault or self._truncated or full or self._links != self._interfaces:
            return None
        for protocol, frames in enumerate(tally.ip):
            if frames:
                tally.count_other(kinds.KEY_IP + protocol, frames)
        return Sieved(
            begin=self._began,
            stop=window.place,
            ended=self._until == MAX_OFFSET,
            statistics=self._statistics,
            count=tally.frames,
            snapped=tally.snapped,
            unreadable=tally.unreadable,
            esp=tally.esp,
            others=tally.others,
            flows=tally.flows.rows,
            links=tuple((n, k.oldest, k.newest, k.latest) for n, k in enumerate(self._links) if k.seen),
            frames=self._collector.frames,
        )


def _find_record(buffer: bytes, end: int, link: Link, example: bytes) -> int | None:
    """Where a pcap record begins that others follow on; `example` is the header of one that is certain."""
    words = struct.Struct("<IIII" if link.little else ">IIII")
    usual = words.unpack_from(example)[0]

    def follows(at: int) -> int:
        """Where the next record is to be; 0 where this is none."""
        seconds, fraction, captured, original = words.unpack_from(buffer, at)
        likely = captured <= link.limit and captured <= original and fraction < link.ticks
        return at + link.header + captured if likely and abs(seconds - usual) < _YEAR else 0

    # Of all octets, few can be the highest of a time that is near: only these are looked at.
    highest = range(max(usual - _YEAR, 0) >> 24, (min(usual + _YEAR, 0xFFFFFFFF) >> 24) + 1)
    near = re.compile(b"[%s]" % b"".join(b"\\x%02x" % octet for octet in highest))
    place = 3 if link.little else 0
    starts = (found.start() - place for found in near.finditer(buffer, place, min(end, SEARCHED // 2)))
    return _first_of_a_run(follows, starts, end - link.header)


def _find_block(buffer: bytes, end: int, link: Link, example: bytes) -> int | None:
    """Where a packet block of pcapng begins that other blocks follow on. Blocks begin at multiples of four octets."""
    words = struct.Struct("<II" if link.little else ">II")

    def follows(at: int) -> int:
        kind, length = words.unpack_from(buffer, at)
        if length < 12 or length & 3 or kind & 0x7FFFFFFF > 0xFFFF or at + length > end:
            return 0
        return at + length if buffer[at + length - 4 : at + length] == buffer[at + 4 : at + 8] else 0

    starts = (at for at in range(0, min(end - 8, SEARCHED // 2), 4) if words.unpack_from(buffer, at)[0] == 6)
    return _first_of_a_run(follows, starts, end - 8)


def _first_of_a_run(follows: Callable[[int], int], starts: Iterable[int], room: int) -> int | None:
    """The first of the starts after which RUN records follow on each other, as far as the buffer goes."""
    for start in starts:
        at = start
        for _ in range(RUN):
            if at > room:
                break
            at = follows(at)
            if not at:
                break
        if at and at != start:
            return start
    return None
