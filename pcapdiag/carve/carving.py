"""Carving: what matters of captures, with the diagnosis beside it, in one file.

Two walks: the first diagnoses and notes which frames belong to which exchange, the second copies them. Nothing of the
capture is kept in memory but what the analysis keeps, and a few octets for each frame of IKE.
"""

import os
import sys
import tempfile
from array import array
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, BinaryIO, cast

from pcapdiag import pipeline
from pcapdiag.capture import kinds
from pcapdiag.capture.datagram import CaptureError, Frame
from pcapdiag.capture.files import expand
from pcapdiag.capture.savefile import Savefile, Source
from pcapdiag.carve.comments import Remarks, section_comments
from pcapdiag.carve.copying import Copied, Copier, Walk
from pcapdiag.carve.output import CarvedFile, annotate
from pcapdiag.carve.select import EspChoice, Selection, Witness, pairs_of
from pcapdiag.carve.spool import MAX_SPOOL, Spool
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.output import Path, written
from pcapdiag.pipeline import Report
from pcapdiag.record import Record

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from pcapdiag.carve.anonymize import Anonymizer


class Carved(Record, frozen=True):
    """What a carved file holds.

    read, written -- frames; kinds -- of those that were written, by what is in them; left_out -- of the others
    differences -- lines on what the analysis of an anonymized file does not say as that of the original did
    notes -- lines on what was changed or is lost, for whoever gets the file
    """

    read: int
    written: int
    kinds: dict[str, int]
    left_out: dict[str, int]
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Carving:
    """Captures that were diagnosed, and are to be carved.

    report -- of all that is in them; chosen -- the exchanges that are wanted
    given -- the captures as they were named; sources -- what is read, in order; standard input as a copy of it, which
        no other process can open
    """

    def __init__(
        self,
        paths: Source | Iterable[Source],
        *,
        ports: Collection[int] = (),
        peer: str | None = None,
        spi: str | None = None,
        exchanges: Collection[int] = (),
        outcomes: Collection[str] = (),
        max_decompressed: int | None = None,
        max_spool: int = MAX_SPOOL,
        executor: "Executor | None" = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Diagnose. The options are those of `pipeline.analyze`; exchanges -- their ids; outcomes -- by their names.

        max_spool -- octets that are copied of a capture that can be read once only; reading stops there

        Raises CaptureError where none of the captures can be read, or what can be read once cannot be copied.
        """
        alone = isinstance(paths, str | os.PathLike) or hasattr(paths, "read")
        self.given = given = [cast(Source, paths)] if alone else list(cast(Iterable[Source], paths))
        self.sources = expand([_twice(source, max_spool) for source in given])
        self._ports, self._progress = ports, progress
        self._max_decompressed = max_decompressed
        self._witness = Witness()
        self.report: Report = pipeline.analyze(
            self.sources,
            ports=ports,
            peer=peer,
            spi=spi,
            max_decompressed=max_decompressed,
            executor=executor,
            progress=progress,
            witness=self._witness,
        )
        self.chosen: tuple[Diagnosis, ...] = tuple(
            d
            for d in self.report.diagnoses
            if (not exchanges or d.exchange.id in exchanges) and (not outcomes or d.stop.outcome.value in outcomes)
        )
        self._pairs = pairs_of(self.chosen)
        everything = not (peer or spi or exchanges or outcomes)
        self._selection: Selection = self._witness.select(None if everything else self.chosen)
        self._captures = list(self._matched())

    def _matched(self) -> Iterable[tuple[Source, str]]:
        """The sources that could be read, with their names, as the report numbers them."""
        names = [c.summary.path for c in self.report.captures]
        for source in self.sources:
            if names and Savefile(source).summary().path == names[0]:
                yield source, names.pop(0)

    def write(self, stream: BinaryIO, *, esp: bool = False, anonymizer: "Anonymizer | None" = None) -> Carved:
        """Walk once more, and write the frames that were chosen to a stream.

        esp -- all ESP between the ends; else as much of it as the verdict is drawn from
        anonymizer -- changes what is written; a second analysis tells whether the verdict is the same, and makes the
            comments, so that nothing of the original is in them
        """
        if anonymizer is not None:
            return self._write_anonymized(stream, esp, anonymizer)
        names = self._names()
        remarks = Remarks(self.chosen)

        def comments(copied: Copied) -> list[str]:
            return [f"frame {copied.frame.number} of {names[copied.frame.capture]}", *remarks(copied.frame)]

        file = CarvedFile(stream)
        counts = _Counts()
        for capture in range(len(self._captures)):
            file.begin(section_comments(names, self.chosen) if capture == 0 else ())
            walk = self._walk(capture, esp)
            for batch in walk:
                for copied in batch:
                    file.add(copied, copied.octets, comments(copied))
                self._tell(capture, walk)
            counts.add(walk)
            # As the first walk saw it: a file may have grown since.
            file.end(self.report.captures[capture].summary, walk.savefile.interfaces)
        return counts.carved(file)

    def _write_anonymized(self, stream: BinaryIO, esp: bool, anonymizer: "Anonymizer") -> Carved:
        from pcapdiag.carve.compare import differences

        counts = _Counts()
        origins = (array("I"), array("I"))
        anonymizer.learn(self.chosen)
        with tempfile.TemporaryFile() as spool:
            file = CarvedFile(cast(BinaryIO, spool))
            for capture in range(len(self._captures)):
                file.begin()
                walk = self._walk(capture, esp)
                pending = anonymizer.capture(self._selection.ends(capture))
                for batch in walk:
                    for copied in batch:
                        for done, octets in pending.feed(copied):
                            _keep(file, done, octets, origins)
                    self._tell(capture, walk)
                for done, octets in pending.finish():
                    _keep(file, done, octets, origins)
                counts.add(walk)
                file.end(
                    self.report.captures[capture].summary,
                    [anonymizer.interface(i) for i in walk.savefile.interfaces[:1]],
                )
            spool.seek(0)
            again = pipeline.analyze(cast(BinaryIO, spool), ports=self._ports)
            spool.seek(0)
            names = [f"capture {number}" for number, _ in enumerate(self._captures, 1)]
            remarks = Remarks(again.diagnoses)

            def comments(number: int) -> list[str]:
                capture, frame = origins[0][number - 1], origins[1][number - 1]
                return [f"frame {frame} of {names[capture]}", *remarks(Frame(0, number))]

            annotate(cast(BinaryIO, spool), stream, section_comments(names, again.diagnoses), comments)
        found = tuple(differences(self.chosen, again.diagnoses))
        return counts.carved(file, found, tuple(anonymizer.notes()))

    def _walk(self, capture: int, esp: bool) -> Walk:
        source, name = self._captures[capture]
        if not isinstance(source, str | os.PathLike):
            source.seek(0)
        flows = self.report.captures[capture].summary.esp_flows
        copier = Copier(capture, self._selection, EspChoice(self._pairs, flows, esp), self._ports)
        return Walk(source, name, copier, self._ports, self._max_decompressed)

    def _tell(self, capture: int, walk: Walk) -> None:
        if self._progress is not None:
            sizes = [_size(source) for source, _ in self._captures]
            self._progress(sum(sizes[:capture]) + walk.savefile.done, sum(sizes))

    def _names(self) -> list[str]:
        """The captures as comments name them: without their folders, where that tells them apart."""
        paths = [name for _, name in self._captures]
        short = [os.path.basename(path) or path for path in paths]
        return [name if short.count(name) == 1 else path for name, path in zip(short, paths, strict=True)]


def carve(
    paths: Source | Iterable[Source],
    output: Path,
    *,
    esp: bool = False,
    anonymizer: "Anonymizer | None" = None,
    ports: Collection[int] = (),
    peer: str | None = None,
    spi: str | None = None,
    exchanges: Collection[int] = (),
    outcomes: Collection[str] = (),
    executor: "Executor | None" = None,
    progress: Callable[[int, int], None] | None = None,
) -> Carved | None:
    """Carve captures into a pcapng file, which others cannot read unless it is anonymized; see Carving for the options.

    Returns None, and writes nothing, where no exchange is wanted. Raises CaptureError where none of the captures can be
    read, OutputError where the file cannot be written or is one of them.
    """
    carving = Carving(
        paths,
        ports=ports,
        peer=peer,
        spi=spi,
        exchanges=exchanges,
        outcomes=outcomes,
        executor=executor,
        progress=progress,
    )
    if not carving.chosen:
        return None
    with written(output, inputs=[*carving.given, *carving.sources], private=anonymizer is None) as stream:
        return carving.write(stream, esp=esp, anonymizer=anonymizer)


def _keep(file: CarvedFile, copied: Copied, octets: bytes, origins: "tuple[array[int], array[int]]") -> None:
    file.add(copied, octets)
    origins[0].append(copied.frame.capture)
    origins[1].append(copied.frame.number)


NAMES = {
    kinds.DATAGRAM: "IKE",
    kinds.ICMP: "ICMP errors",
    kinds.FRAGMENT: "IP fragments",
    kinds.KEEPALIVE: "NAT keep-alives",
    kinds.STREAM: "TCP",
    kinds.ESP: "ESP",
}
"""What frames of each kind are called where they are counted, in this order."""


_FAR = (
    "times lie more than a year apart, as in a damaged capture: its end is not believed when this file is analysed, so "
    "that silence may count for less"
)


class _Counts:
    """Frames by kind, over all captures."""

    def __init__(self) -> None:
        self.read = 0
        self._kept: dict[int, int] = {}
        self._left: dict[int, int] = {}

    def add(self, walk: Walk) -> None:
        """Take over the counts of a capture that was walked over."""
        summary = walk.savefile.summary()
        self.read += summary.frames
        for total, one in ((self._kept, walk.copier.kept), (self._left, walk.copier.left)):
            for kind, frames in one.items():
                total[kind] = total.get(kind, 0) + frames
        self._left[kinds.ESP] = self._left.get(kinds.ESP, 0) + summary.esp

    def carved(self, file: CarvedFile, differences: tuple[str, ...] = (), notes: tuple[str, ...] = ()) -> Carved:
        count = file.written
        if file.far:
            notes = (*notes, _FAR)
        left = {name: self._left[kind] for kind, name in NAMES.items() if self._left.get(kind)}
        rest = self.read - count - sum(left.values())
        if rest:
            left["other"] = rest
        kept = {name: self._kept[kind] for kind, name in NAMES.items() if self._kept.get(kind)}
        other = count - sum(kept.values())
        if other:
            kept["other"] = other
        return Carved(self.read, count, kept, left, differences, notes)


def _twice(source: Source, max_spool: int) -> Source:
    """Something that can be read twice: what comes out of a pipe is copied."""
    if isinstance(source, str | os.PathLike):
        if source != "-" and (not os.path.exists(source) or os.path.isfile(source) or os.path.isdir(source)):
            return source
        if source == "-":
            return cast(BinaryIO, Spool(sys.stdin.buffer, "standard input", max_spool))
        name = os.fspath(source)
        try:
            with open(source, "rb", buffering=0) as pipe:
                return cast(BinaryIO, Spool(cast(BinaryIO, pipe), name, max_spool))
        except OSError as error:
            raise CaptureError(f"{name}: {error.strerror or error}") from None
    if source.seekable():
        return source
    return cast(BinaryIO, Spool(source, str(getattr(source, "name", "stream")), max_spool))


def _size(source: Source) -> int:
    return os.path.getsize(source) if isinstance(source, str | os.PathLike) else 0
