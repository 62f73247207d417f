"""Which files are meant: names, directories and patterns, in the order in which they were captured.

A capture that runs for long is a ring of files (`dumpcap -b`, `tcpdump -C`), and exchanges cross from one to the next.
Names tell their order badly (`x.pcap1`, `x.pcap10`, `x.pcap2`; a counter that began anew); the first packet tells it.
"""

import glob
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from typing import Final

from .datagram import CaptureError
from .savefile import Savefile, Source, ticks_of
from .walker import Link
from .window import Window

SUFFIXES: Final = (".pcap", ".pcapng", ".cap", ".dmp", ".ntar", ".pcap.", ".pcapng.", ".cap.")
"""What names of captures end in, or have in them before a counter or the suffix of a compression."""


def expand(sources: Iterable[Source]) -> list[Source]:
    """Return the files that are meant, in the order of their first packets; standard input alone keeps its place.

    A directory stands for the captures in it, by their names; a name with `*`, `?` or `[` for the files that match,
    where no file has that very name. What stands for nothing is returned as it is: opening it says what is wrong.
    """
    found = named(sources)
    if len(found) == 1 or any(not isinstance(f, str | os.PathLike) or f == "-" for f in found):
        return found
    times = [First(f).first_time() for f in found]
    known = iter(sorted((n for n, time in enumerate(times) if time is not None), key=lambda n: times[n] or 0))
    # What has no first packet stays where it is: it is said of it what is wrong, in that place.
    return [found[next(known)] if time is not None else found[n] for n, time in enumerate(times)]


def named(sources: Iterable[Source]) -> list[Source]:
    """Return the files that are meant, as `expand` does, in the order of their names: none of them is opened."""
    found: list[Source] = []
    for source in sources:
        if isinstance(source, str | os.PathLike) and source != "-" and not os.path.isfile(source):
            found += _named(os.fspath(source))
        else:
            found.append(source)
    return found


def _named(name: str) -> list[Source]:
    """The captures in a directory or matching a pattern, sorted; else the name itself."""
    if os.path.isdir(name):
        found = [entry.path for entry in entries(name) if looks_like_capture(entry.name)]
    elif glob.has_magic(name):
        found = [path for path in glob.glob(name) if os.path.isfile(path)]
    else:
        found = []
    return [*sorted(found)] or [name]


def entries(directory: str) -> Iterator["os.DirEntry[str]"]:
    """The files in a directory, and what cannot be told; opening that, or a directory without any, says why."""
    with suppress(OSError), os.scandir(directory) as found:
        for entry in found:
            try:
                wanted = entry.is_file()
            except OSError:  # a symbolic link in a circle
                wanted = True
            if wanted:
                yield entry


def looks_like_capture(name: str) -> bool:
    """Whether a file of this name is taken for a capture where nobody named it."""
    lower = name.lower().rstrip("0123456789")
    return lower.endswith(SUFFIXES[:5]) or any(part in lower for part in SUFFIXES[5:])


class First(Savefile):
    """Reads a file up to its first packet."""

    time: int | None = None

    def first_time(self) -> int | None:
        """When the first packet was captured, in nanoseconds; None where there is none that can be read."""
        try:
            for _ in self.batches():
                pass
        except CaptureError:
            return None
        return self.time

    def _packets_begin(self, window: Window, link: Link) -> Generator[None, None, bool]:
        """Look at the time, and go no further."""
        yield from ()
        if window.need(link.header):
            ticks = ticks_of(window.buffer, window.position, link, self._format)
            self.time = link.nanoseconds(ticks)
        return True
