"""A run: which tasks there are, which of them are done already, and the others on a Dask cluster."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from pcapdiag.fleet.places import Found, Grouping, Store, listed
from pcapdiag.fleet.work import MARGIN, Manifest, Task, day_of, first_time, manifest_of, work
from pcapdiag.units import SECOND

RETRIES = 2
"""A task that fails is done again so often; one whose worker is lost is, as often as Dask's settings say."""


class Done(msgspec.Struct, frozen=True):
    """How a run ended.

    done, known -- tasks that were done now, and that had been done; failed -- those that could not be, each a line
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
    progress: Callable[[Step], None] = lambda step: None,
) -> Done:
    """Judge the captures under `urls` into the data set at `output`, what is new or changed of them.

    client -- a dask.distributed.Client; its workers list, open and write, and need to reach all of it
    group_by -- "directory", or a regular expression: its first group in a capture's URL names the gateway

    A task is a gateway and a day. Raises FleetError for what cannot be done at all.
    """
    grouping, store = Grouping(group_by), Store(output)
    found: list[Found] = client.submit(listed, list(urls), pure=False).result()
    by_gateway: dict[str, list[Found]] = {}
    for one in found:
        by_gateway.setdefault(grouping.gateway(one.url), []).append(one)
    urls_of = [one.url for one in found]
    times = dict(zip(urls_of, client.gather(client.map(first_time, urls_of, pure=False)), strict=True))
    tasks = [task for gateway, own in sorted(by_gateway.items()) for task in _tasks(gateway, own, times)]
    return _all_done(tasks, by_gateway, times, store, client, progress)


def _all_done(
    tasks: list[Task],
    by_gateway: dict[str, list[Found]],
    times: dict[str, int | None],
    store: Store,
    client: Any,
    progress: Callable[[Step], None],
) -> Done:
    """Do the tasks, and those of further days that captures turn out to reach into."""
    known, failed = 0, []
    manifests: list[Manifest] = []
    seen: set[str] = set()
    while tasks:
        seen.update(task.name for task in tasks)
        left = []
        reached: list[Manifest] = []
        for task in tasks:
            before = manifest_of(store, task.name)
            if before is not None and before.digest == task.digest and _complete(store, before):
                known += 1
                reached.append(before)
            else:
                left.append(task)
        for task, outcome in _on_cluster(left, store.url, client):
            if isinstance(outcome, Manifest):
                manifests.append(outcome)
                reached.append(outcome)
            else:
                failed.append(f"{task.gateway}, {task.day}: {type(outcome).__name__}: {outcome}")
            progress(
                Step(
                    len(manifests) + known, len(seen), sum(m.exchanges for m in manifests),
                    sum(m.octets for m in manifests), len(failed),
                )
            )  # fmt: skip
        tasks = [task for m in reached for task in _further(m, by_gateway, times) if task.name not in seen]
        tasks = list({task.name: task for task in tasks}.values())
    return Done(
        done=len(manifests),
        known=known,
        failed=tuple(failed),
        exchanges=sum(m.exchanges for m in manifests),
        octets=sum(m.octets for m in manifests),
        errors=tuple(dict.fromkeys(error for m in manifests for error in m.errors)),
    )


def _complete(store: Store, manifest: Manifest) -> bool:
    """Whether the files are there that a manifest names."""
    return all(store.has(file) for file in manifest.files.values())


def _on_cluster(tasks: Sequence[Task], output: str, client: Any) -> Iterable[tuple[Task, Any]]:
    """Each task with its manifest, or with what went wrong, as they end."""
    from distributed import as_completed

    # Not pure: the same arguments may mean another file by now.
    futures = {client.submit(work, task, output, pure=False, retries=RETRIES): task for task in tasks}
    for future in as_completed(futures):  # type: ignore[no-untyped-call]
        fault = future.exception()
        yield futures[future], fault if fault is not None else future.result()
        future.release()


def _tasks(gateway: str, captures: Sequence[Found], times: dict[str, int | None]) -> list[Task]:
    """A task for each day in which a capture of this gateway begins."""
    days = sorted({day_of(times[found.url]) for found in captures})
    return [_task(gateway, day.isoformat(), captures, times) for day in days]


def _further(manifest: Manifest, by_gateway: dict[str, list[Found]], times: dict[str, int | None]) -> list[Task]:
    """The day behind one whose captures go on into it."""
    following = day_of(day_begin(manifest.day) + 86_400 * SECOND)
    if not manifest.last_time or day_of(manifest.last_time) < following:
        return []
    return [_task(manifest.gateway, following.isoformat(), by_gateway.get(manifest.gateway, []), times)]


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
