"""A log in, a report out: the pipeline of `pcapdiag log`, and of `pcapdiag.read_log`.

octets ──lines──▶ LogLine ──attempts──▶ LogExchange ──judging──▶ LogDiagnosis ──▶ LogReport
"""

import os
from collections.abc import Callable, Iterable, Iterator

from pcapdiag.logs.attempts import Attempts, LogExchange
from pcapdiag.logs.judging import LogDiagnosis, judge
from pcapdiag.logs.line import LogLine
from pcapdiag.logs.lines import Folded, Lines, Shape, read
from pcapdiag.logs.octets import Octets, Source
from pcapdiag.logs.stamps import last_stamp
from pcapdiag.record import Record


class LogError(Exception):
    """A log that cannot be read. The message is one line and names it."""


class LogSummary(Record, frozen=True):
    """One log: what it held.

    path -- as it was given, "-" for standard input; name -- as lines of it are cited
    lines, octets -- that were read; platforms -- lines by platform; other -- lines of no format that is known
    known -- lines that are in the table; unknown -- of a known format, and not in the table
    wrapped -- lines that a console had wrapped; cut -- lines that were too long to be kept whole
    newest_first -- the log runs backwards, as some exports do; it was read from its end
    kinds -- of lines, the most frequent first; shapes -- of what is not in the table; unlisted -- beyond those
    loose -- lines that tell something and belong to no exchange; dropped -- exchanges beyond the limit
    first_when, last_when -- what stands before the first and the last line of a known format
    fault -- why it ended before its time, "" where it did not: its compressed data are damaged, for instance
    """

    path: str
    name: str
    lines: int
    octets: int
    platforms: dict[str, int]
    known: int
    unknown: int
    other: int
    wrapped: int
    cut: int
    newest_first: bool
    kinds: tuple[Folded, ...]
    shapes: tuple[Shape, ...]
    unlisted: int
    loose: int
    dropped: int
    first_when: str
    last_when: str
    fault: str = ""


class LogReport(Record, frozen=True):
    """What `read_log` found.

    logs -- that were read, in order; errors -- one line for each that could not be
    diagnoses -- of every exchange in them, log after log
    """

    logs: tuple[LogSummary, ...]
    errors: tuple[str, ...]
    diagnoses: tuple[LogDiagnosis, ...]

    @property
    def all_well(self) -> bool:
        """Whether every tunnel is up, or phase 1 is and nothing says that what followed failed."""
        return all(diagnosis.well for diagnosis in self.diagnoses)


def read_log(
    paths: Source | Iterable[Source],
    *,
    peer: str | None = None,
    progress: Callable[[int], None] | None = None,
    max_decompressed: int | None = None,
) -> LogReport:
    """Read logs of devices: what exchanges they tell of, how each ended, and why.

    paths -- files, `-` for standard input, or open binary files; each is the log of one device. What is compressed
        with gzip, bzip2, xz or zstd is decompressed, whatever its name
    peer -- only exchanges with this address
    progress -- called every now and then with the octets that were read
    max_decompressed -- octets that a compressed log may become; by default a GB, and any size up to 1000 times its own

    Raises LogError when none of the logs can be read; where some can, the others are named in `errors`.
    """
    from pcapdiag.knowledge.loading import load

    alone = isinstance(paths, str | os.PathLike) or hasattr(paths, "read")
    sources: list[Source] = [paths] if alone else list(paths)  # type: ignore[list-item, arg-type]
    knowledge = load()
    logs: list[LogSummary] = []
    errors: list[str] = []
    diagnoses: list[LogDiagnosis] = []
    names = names_of(sources)
    for source, name in zip(sources, names, strict=True):
        try:
            summary, exchanges = _one(source, name, Octets(source, progress, max_decompressed))
        except OSError as error:
            errors.append(f"{_path(source)}: {error.strerror or error}")
            continue
        logs.append(summary)
        wanted = [e for e in exchanges if peer is None or peer in (e.peer, e.local)]
        diagnoses += judge(wanted, summary.last_when, knowledge)
    if errors and not logs:
        raise LogError("\n".join(errors))
    return LogReport(tuple(logs), tuple(errors), tuple(diagnoses))


def _path(source: Source) -> str:
    if hasattr(source, "read"):
        return str(getattr(source, "name", "log"))
    return os.fspath(source)


def names_of(sources: Iterable[Source]) -> list[str]:
    """What lines are cited with: the last part of the path, and more of it where two are alike."""
    paths = [_path(source) for source in sources]
    short = ["standard input" if path == "-" else os.path.basename(path) or path for path in paths]
    return [path if short.count(name) > 1 and path != "-" else name for path, name in zip(paths, short, strict=True)]


class _Backwards:
    """Notices a log that runs backwards: most of its first stamps are later than those that follow."""

    MOST = 200

    def __init__(self) -> None:
        self.last: int | None = None
        self.up = self.down = 0

    def see(self, when: str) -> None:
        if self.up + self.down >= self.MOST:
            return
        stamp = last_stamp(when)
        if stamp is None:
            return
        if self.last is not None and stamp.wall != self.last:
            if stamp.wall > self.last:
                self.up += 1
            else:
                self.down += 1
        self.last = stamp.wall

    @property
    def so(self) -> bool:
        return self.down > 2 * self.up and self.down >= 1


HELD = 64 << 20
"""Octets up to which a log that runs backwards is turned round."""


def _one(source: Source, name: str, stream: Octets) -> tuple[LogSummary, tuple[LogExchange, ...]]:
    octets = 0
    backwards = _Backwards()
    held: list[bytes] | None = []

    def counted() -> Iterator[bytes]:
        nonlocal octets, held
        for block in stream:
            octets += len(block)
            if held is not None:
                held.append(block)
                if octets > HELD:
                    held = None
            yield block

    lines, attempts = Lines(), Attempts(name)
    first = last = ""
    for line in read(counted(), lines):
        backwards.see(line.when)
        first, last = first or line.when, line.when or last
        attempts.feed(line)
    newest_first = backwards.so and held is not None
    if newest_first and held is not None:
        lines, attempts, first, last = _turned(b"".join(held), name)
    summary = LogSummary(
        path=_path(source),
        name=name,
        lines=lines.number,
        octets=octets,
        platforms=dict(lines.platforms),
        known=lines.known,
        unknown=lines.unknown,
        other=lines.other,
        wrapped=lines.wrapped,
        cut=lines.cut,
        newest_first=newest_first,
        kinds=lines.kinds,
        shapes=lines.shapes,
        unlisted=lines.unlisted,
        loose=attempts.loose,
        dropped=attempts.dropped,
        first_when=lines.first_when or first,
        last_when=lines.last_when or last,
        fault=stream.fault,
    )
    return summary, tuple(attempts.exchanges())


def _turned(octets: bytes, name: str) -> tuple[Lines, Attempts, str, str]:
    """Read a log from its last line to its first; lines keep their own numbers."""
    from msgspec.structs import replace

    rows = octets.decode("utf-8-sig", "replace").splitlines()
    total = len(rows)
    lines, attempts = Lines(), Attempts(name)
    first = last = ""

    def take(found: Iterable[LogLine]) -> None:
        nonlocal first, last
        for line in found:
            own = replace(line, number=total + 1 - line.number)
            first, last = first or own.when, own.when or last
            attempts.feed(own)

    take(lines.feed(reversed(rows)))
    take(lines.close())
    return lines, attempts, first, last
