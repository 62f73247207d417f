"""A run: which tasks there are, which of them are done already, and the others on a Dask cluster."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from pcapdiag.fleet.access import LONGEST, PLAIN, Access
from pcapdiag.fleet.places import Fault, FleetError, Found, Grouping, Store, listed, tried
from pcapdiag.fleet.work import MARGIN, Known, Manifest, Task, day_of, done_or_work, first_times
from pcapdiag.units import SECOND

RETRIES = 2
"""A task that fails is done again so often, behind all others; one whose worker is lost, as Dask's settings say."""
AHEAD = 8
"""Tasks that are handed to the scheduler for each thread of a worker: its memory does not grow with the run."""
HEADS = 64
"""Captures whose first packet a task looks at."""
MOST_LINES = 1_000
"""Lines of errors that are kept; those beyond are counted."""
IN_A_ROW = 24
"""After so many failures without a task that was done, the rest is not tried: the store is gone."""


class Lines:
    """Lines to be told, each once, and no more than there is a use for."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}
        self._more = 0

    def add(self, line: str) -> None:
        """One more; it counts where it is too many."""
        if len(self._lines) < MOST_LINES:
            self._lines[line] = None
        elif line not in self._lines:
            self._more += 1

    def told(self) -> tuple[str, ...]:
        """All of them."""
        return (*self._lines, *([f"and {self._more:,} more"] if self._more else []))


class Done(msgspec.Struct, frozen=True):
    """How a run ended.

    done, known -- tasks that were done now, and that had been done
    failed -- tasks that could not be done, and captures of which the store does not say when they begin, each a line
    exchanges, octets -- of what was done now; errors -- captures, or parts of them, that could not be read
    """

    done: int
    known: int
    failed: tuple[str, ...]
    exchanges: int
    octets: int
    errors: tuple[str, ...]


class Step(msgspec.Struct, frozen=True):
    """How far a run is: tasks done and all; exchanges and octets of what is done; tasks that failed."""

    done: int
    tasks: int
    exchanges: int
    octets: int
    failed: int


def run(
    urls: Iterable[str],
    output: str,
    client: Any,
    *,
    group_by: str = "directory",
    access: Access = PLAIN,
    progress: Callable[[Step], None] = lambda step: None,
) -> Done:
    """Judge the captures under `urls` into the data set at `output`, what is new or changed of them.

    client -- a dask.distributed.Client; its workers list, open and write, and need to reach all of it
    group_by -- "directory", or a regular expression: its first group in a capture's URL names the gateway
    access -- how the stores are opened; workers also have their own environment and files for that

    A task is a gateway and a day. Raises FleetError for what cannot be done at all.
    """
    grouping = Grouping(group_by)
    _asked(client, _check, access, output)
    found: list[Found] = _asked(client, listed, access, list(urls))
    by_gateway: dict[str, list[Found]] = {}
    for one in found:
        by_gateway.setdefault(grouping.gateway(one.url), []).append(one)
    course = _Course(output, client, access, progress)
    times = course.times(found)
    for gateway, own in by_gateway.items():
        by_gateway[gateway] = [one for one in own if one.url in times]
    tasks = [task for gateway, own in sorted(by_gateway.items()) for task in _tasks(gateway, own, times)]
    while tasks:
        reached = course.do(tasks)
        further = [task for place in reached for task in _further(*place, by_gateway, times)]
        tasks = list({task.name: task for task in further if task.name not in course.seen}.values())
    return course.done()


def _check(output: str, access: Access) -> None:
    Store(output, access).check()


def _asked(client: Any, function: Callable[..., Any], access: Access, *arguments: Any) -> Any:
    """Ask a worker. Raises FleetError with what it says."""
    answer = client.submit(tried, function, access, *arguments, pure=False).result()
    if isinstance(answer, Fault):
        raise FleetError(answer.text)
    return answer


class _Course:
    """What is done and what is not, as a run goes on: counts, and lines that are bounded."""

    def __init__(self, output: str, client: Any, access: Access, progress: Callable[[Step], None]) -> None:
        self._output, self._client, self._access, self._progress = output, client, access, progress
        self._done = self._known = self._exchanges = self._octets = self._failures = self._in_a_row = 0
        self._failed, self._errors = Lines(), Lines()
        self.seen: set[str] = set()

    def done(self) -> Done:
        """How it ended."""
        return Done(
            self._done, self._known, self._failed.told(), self._exchanges, self._octets, self._errors.told()
        )  # fmt: skip

    def times(self, found: Sequence[Found]) -> dict[str, int | None]:
        """When captures begin, by URL; those are missing of which the store does not say it."""
        parts = [found[at : at + HEADS] for at in range(0, len(found), HEADS)]
        times: dict[str, int | None] = {}
        for part, answer in self._on_cluster(first_times, parts):
            answers = answer if isinstance(answer, list) else [answer] * len(part)
            silent = sum(isinstance(time, Fault) for time in answers)
            self._in_a_row = self._in_a_row + silent if silent == len(part) else 0
            for one, time in zip(part, answers, strict=True):
                if isinstance(time, Fault):
                    self._failed.add(time.text)
                else:
                    times[one.url] = time
        return times

    def do(self, tasks: Sequence[Task]) -> list[tuple[str, str, int]]:
        """Do tasks. Of each that is done now or was before: gateway, day, and the last time in its captures."""
        self.seen.update(task.name for task in tasks)
        # The largest first: at the end no processor waits for one that began late.
        tasks = sorted(tasks, key=lambda task: -sum(found.size for found in task.inputs))
        reached: list[tuple[str, str, int]] = []
        for tries_left in range(RETRIES, -1, -1):
            again = []
            self._in_a_row = 0
            for task, answer in self._on_cluster(done_or_work, tasks, self._output):
                if isinstance(answer, Fault):
                    self._in_a_row += 1
                    again.append((task, answer))
                else:
                    self._in_a_row = 0
                    self._take(answer)
                    manifest = answer.manifest if isinstance(answer, Known) else answer
                    reached.append((task.gateway, task.day, manifest.last_time))
                self._step(0 if tries_left else len(again))
            if not again or not tries_left or self._in_a_row >= IN_A_ROW:
                break
            tasks = [task for task, _ in again]
        self._failures += len(again)
        for task, fault in again:
            self._failed.add(f"{task.gateway}, {task.day}: {fault.text}")
        return reached

    def _take(self, answer: Manifest | Known) -> None:
        if isinstance(answer, Known):
            self._known += 1
            return
        self._done += 1
        self._exchanges += answer.exchanges
        self._octets += answer.octets
        for error in answer.errors:
            self._errors.add(error)

    def _step(self, failed: int) -> None:
        done = self._done + self._known
        self._progress(Step(done, len(self.seen), self._exchanges, self._octets, self._failures + failed))

    def _on_cluster(self, function: Callable[..., Any], items: Sequence[Any], *more: Any) -> Iterator[tuple[Any, Any]]:
        """Each item with what a worker says of it, or a Fault, as they end; a few at a time are at the scheduler."""
        from distributed import as_completed

        left = iter(items)
        ahead = AHEAD * max(sum(self._client.nthreads().values()), 1)
        # Not pure: the same arguments may mean another file by now.
        begun = {self._begun(function, item, *more): item for item in islice(left, ahead)}
        ended = as_completed(list(begun))  # type: ignore[no-untyped-call]
        for future in ended:
            item, fault = begun.pop(future), future.exception()
            answer = Fault(_lost(fault)) if fault is not None else future.result()
            future.release()
            yield item, answer
            for following in islice(left, 0 if self._in_a_row >= IN_A_ROW else 1):
                new = self._begun(function, following, *more)
                begun[new] = following
                ended.add(new)  # type: ignore[no-untyped-call]
        for item in left:
            yield item, Fault("not tried: the tasks before it failed, one like the other")

    def _begun(self, function: Callable[..., Any], item: Any, *more: Any) -> Any:
        return self._client.submit(tried, function, self._access, item, *more, pure=False)


def _lost(fault: BaseException) -> str:
    """What became of a task that gave no answer."""
    if type(fault).__name__ == "KilledWorker":
        return "the workers that did it were lost, one after the other; they may have too little memory"
    return f"{type(fault).__name__}: {' '.join(str(fault).split())}"[:LONGEST]


def _tasks(gateway: str, captures: Sequence[Found], times: dict[str, int | None]) -> list[Task]:
    """A task for each day in which a capture of this gateway begins."""
    days = sorted({day_of(times[found.url]) for found in captures})
    return [_task(gateway, day.isoformat(), captures, times) for day in days]


def _further(
    gateway: str, day: str, last_time: int, by_gateway: dict[str, list[Found]], times: dict[str, int | None]
) -> list[Task]:
    """The day behind one whose captures go on into it."""
    following = day_of(day_begin(day) + 86_400 * SECOND)
    if not last_time or day_of(last_time) < following:
        return []
    return [_task(gateway, following.isoformat(), by_gateway.get(gateway, []), times)]


def _task(gateway: str, day: str, captures: Sequence[Found], times: dict[str, int | None]) -> Task:
    """The captures that begin in that day, the one before them, which may go on, and one that begins right behind."""
    begin, end = day_begin(day), day_begin(day) + 86_400 * SECOND
    if day_of(None).isoformat() == day:
        return Task(gateway, day, tuple(found for found in captures if times[found.url] is None))
    ordered = sorted(((time, f) for f in captures if (time := times[f.url]) is not None), key=lambda row: row[0])
    near = [f for time, f in ordered if begin - MARGIN <= time < end + MARGIN]
    last = [f for time, f in ordered if time < begin - MARGIN][-1:]
    return Task(gateway, day, (*last, *near))


def day_begin(day: str) -> int:
    """When a day begins (nanoseconds)."""
    return Task("", day, ()).begin
