"""Carving a comparison: the packets of all points in one file, an interface for each point, on one clock.

Every frame is there as it was captured, once for each point that saw it, with a comment that says which transmission
it is and where else it was seen. Wireshark shows the point in the column of the interface.
"""

import heapq
from collections.abc import Iterator
from typing import BinaryIO

from msgspec.structs import replace

from pcapdiag.capture.datagram import CaptureError, Frame, Interface
from pcapdiag.capture.icmp import icmp_name
from pcapdiag.capture.network import Network
from pcapdiag.capture.savefile import Savefile
from pcapdiag.capture.walker import Found, Link, Tally
from pcapdiag.carve.comments import Remarks, section_comments
from pcapdiag.carve.copying import Copied
from pcapdiag.carve.output import CarvedFile
from pcapdiag.comparison.clocks import Clock
from pcapdiag.comparison.fates import Passage, Transmission
from pcapdiag.comparison.points import letter
from pcapdiag.comparison.results import Compared, PointReport
from pcapdiag.output import Path, written
from pcapdiag.report.compare_rows import fate_text
from pcapdiag.report.wording import safe, seconds


def carve_comparison(comparison: Compared, output: Path) -> int:
    """Write what `compare` found as one pcapng file, which others cannot read; return how many frames are in it.

    Times are those of the first point's clock; those of a point whose clock is not known are left as they are.

    Raises CaptureError where a capture cannot be read a second time (what came through a pipe cannot), OutputError
    where the file cannot be written or is one of the captures.
    """
    names = [c.summary.path for point in comparison.points for c in point.captures]
    with written(output, inputs=names, private=True) as stream:
        return write(comparison, stream)


def write(comparison: Compared, stream: BinaryIO) -> int:
    """The same, to a stream."""
    comments = _Comments(comparison)
    names = [f"{p.letter}: {c.summary.path}" for p in comparison.points for c in p.captures]
    walks = [
        _walk(point, number, capture.summary.path, comments.frames(number))
        for point in comparison.points
        for number, capture in enumerate(point.captures, point.first_file)
    ]
    file = CarvedFile(stream)
    file.begin(section_comments(names, comparison.diagnoses))
    for _, copied in heapq.merge(*walks, key=lambda pair: pair[0]):
        file.add(copied, copied.octets, comments(copied.frame))
    return file.written


class _Listed(Network):
    """Takes the frames of a list as they are, and decodes nothing.

    copied -- those that were met, until somebody takes them
    """

    def __init__(self, capture: int, wanted: frozenset[int], interfaces: list[Interface]) -> None:
        super().__init__(capture, frozenset(), Tally())
        self.copied: list[Copied] = []
        self.interfaces = interfaces
        self._number, self._wanted = capture, wanted

    def take(self, kind: int, buffer: bytes, found: Found, link: Link, number: int) -> None:
        """Keep the frame where it is in the list."""
        if number in self._wanted:
            start, stop = found.start, found.stop
            interface = self.interfaces[link.identifier]
            frame = Frame(self._number, number)
            wire = found.wire - start
            self.copied.append(Copied(frame, kind, link, interface, found.ticks, wire, buffer[start:stop]))

    def expire(self, now: int) -> None:
        """Nothing waits here."""


def _walk(point: PointReport, number: int, path: str, wanted: frozenset[int]) -> Iterator[tuple[int, Copied]]:
    """The wanted frames of a capture, each with its time by the first point's clock."""
    network = _Listed(number, wanted, [])
    savefile = Savefile(path, capture=number, network=network)
    network.interfaces = savefile.interfaces
    links: dict[Link, tuple[Link, Interface]] = {}
    try:
        for _ in savefile.batches():
            for copied in network.copied:
                time = _corrected(copied.link.nanoseconds(copied.ticks), point.clock)
                link, interface = links.setdefault(copied.link, (copied.link, _named(copied.interface, point)))
                yield time, replace(copied, link=link, interface=interface, ticks=interface.ticks(time))
            network.copied.clear()
    except CaptureError as error:
        raise CaptureError(f"{error} (a comparison is carved from files, which are read a second time)") from None


def _corrected(time: int, clock: Clock | None) -> int:
    return clock.to_here(time) if clock is not None else time


def _named(interface: Interface, point: PointReport) -> Interface:
    """The interface as that of its point."""
    name = f"{point.letter} {interface.name}".rstrip()
    told = "" if point.clock is not None else "; its clock is not known, times are its own"
    return replace(interface, name=name, description=f"{', '.join(point.names)}{told}")


class _Comments:
    """What is said of each frame: which transmission it is, what became of that, and what the report says."""

    def __init__(self, comparison: Compared) -> None:
        self._remarks = Remarks(comparison.diagnoses, sightings=False)
        self._names = [c.summary.path for point in comparison.points for c in point.captures]
        self._letters = [p.letter for p in comparison.points for _ in p.captures]
        self._first = [p.first_file for p in comparison.points]
        self._about: dict[Frame, list[str]] = {}
        for diagnosis in comparison.diagnoses:
            exchange = diagnosis.exchange
            for place, step in enumerate(exchange.steps):
                sent = comparison.sent(exchange, place)
                for number, transmission in enumerate(sent, 1):
                    times = f", transmission {number} of {len(sent)}" if len(sent) > 1 else ""
                    self._note(f"Exchange {exchange.id}: {step.name} from the {step.sender}{times}", transmission)
            for error in exchange.icmp_errors:
                text = f"Exchange {exchange.id}: ICMP {icmp_name(error)} from {error.source}"
                self._about.setdefault(error.frame, []).append(text)

    def frames(self, capture: int) -> frozenset[int]:
        """The numbers of the frames of a capture that are wanted."""
        return frozenset(frame.number for frame in self._about if frame.capture == capture)

    def __call__(self, frame: Frame) -> list[str]:
        """What is to be said of that frame."""
        where = f"{self._letters[frame.capture]}: frame {frame.number} of {self._names[frame.capture]}"
        return [safe(where), *map(safe, self._about[frame]), *self._remarks(frame)]

    def _note(self, what: str, sent: Transmission) -> None:
        for point, passage in enumerate(sent.passages):
            text = f"{what}: {'; '.join([fate_text(sent), *self._elsewhere(sent, point, passage)])}"
            for frame in (*passage.frames, *passage.duplicates, *passage.partly):
                self._about.setdefault(frame, []).append(text)

    def _elsewhere(self, sent: Transmission, point: int, here: Passage) -> Iterator[str]:
        """Where else it was seen, how much later, and in which frame."""
        for other, passage in enumerate(sent.passages):
            if other == point or not passage.frames:
                continue
            when = ""
            if passage.time is not None and here.time is not None:
                apart = passage.time - here.time
                when = f" {seconds(abs(apart))} {'later' if apart >= 0 else 'before'}"
            yield f"at {letter(other)}{when} (frame {passage.frames[0].number})"
