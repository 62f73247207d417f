"""`analyze --ndjson` and `analyze -o DIR`: exchanges are written as they are judged."""

import gc
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import click

from pcapdiag.cli.exit_codes import Exit
from pcapdiag.cli.reading import (
    announce,
    check_ends,
    contents,
    faults_of,
    interrupts_held_back,
    progress,
    psks,
    warn,
)

if TYPE_CHECKING:
    from pcapdiag.pipeline import Stream
    from pcapdiag.streaming.told import Told

TOGETHER = 1 << 16
"""Characters that are printed at a time."""


class _Sink(Protocol):
    """Something that takes what is told."""

    def add(self, told: "Told") -> None:
        """Take an exchange."""
        ...

    def end(self) -> None:
        """All was told."""
        ...


class _Printed:
    """NDJSON on standard output."""

    def __init__(self, stream: "Stream") -> None:
        self._stream, self._waiting, self._size = stream, list[str](), 0

    def add(self, told: "Told") -> None:
        """Print an exchange, with some others."""
        from pcapdiag.report.stream_ndjson import told_line

        text = told_line(told, several=self._stream.several)
        self._waiting.append(text)
        self._size += len(text)
        if self._size >= TOGETHER:
            self._print()

    def end(self) -> None:
        """Print the summary."""
        from pcapdiag.report.stream_ndjson import summary_line

        s = self._stream
        self._waiting.append(summary_line(s.captures, s.errors, s.counts, s.peers, s.others))
        self._print()

    def _print(self) -> None:
        click.echo("".join(self._waiting), nl=False)
        self._waiting.clear()
        self._size = 0


class _Tables:
    """Parquet in a directory."""

    def __init__(self, stream: "Stream", directory: str) -> None:
        from pcapdiag.report.tables.dataset import Dataset

        self._stream = stream

        def opened(name: str) -> BinaryIO:
            return open(os.path.join(directory, f"{name}.parquet"), "wb")

        self._dataset = Dataset(opened)

    def add(self, told: "Told") -> None:
        """Add the rows of an exchange."""
        self._dataset.add(told, self._stream.names)

    def end(self) -> None:
        """Write the rest."""
        warnings = [w for c in self._stream.captures for w in c.summary.warnings]
        for text in (*self._stream.errors, *warnings):
            self._dataset.error(text)
        self._dataset.close()

    def close(self) -> None:
        """Close the files, whatever happened."""
        self._dataset.abandon()


def check_output(directory: str) -> None:
    """Raise UsageError, before captures are read for nothing, where a data set cannot be put there."""
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise click.UsageError("a data set needs the pyarrow package: pip install 'pcapdiag[parquet]'")
    if os.path.lexists(directory) and not (os.path.isdir(directory) and not os.listdir(directory)):
        raise click.UsageError(f"{directory}: is there, and no empty directory: a data set is written as a whole")


def run(
    captures: Sequence[str],
    *,
    ndjson: bool,
    directory: str | None,
    psk_file: str | None,
    keys: Sequence[str],
    engine: str,
    max_decompressed: float | None,
    platforms: Sequence[str],
    local: Sequence[str],
    **asked: Any,
) -> None:
    """Read, write, and end with the exit status.

    ndjson -- print it; directory -- where the data set is to stand, None for nowhere
    max_decompressed -- in GB; asked -- the other arguments of `pipeline.stream`
    """
    if directory is not None:
        check_output(directory)
    check_ends(platforms, local)
    # Records never refer to each other in a circle: looking for circles among a million of them finds nothing.
    gc.disable()
    click.get_current_context().call_on_close(gc.enable)
    with interrupts_held_back():  # an import that Ctrl-C ends halfway cannot be done once more
        from pcapdiag import pipeline
        from pcapdiag.output import OutputError

        faults: tuple[type[Exception], ...] = (*faults_of(keys, engine), OutputError)
    try:
        announce(captures)
        with ExitStack() as stack:
            stream = pipeline.stream(
                captures,
                psks=psks(contents(psk_file)) if psk_file else [],
                keys=keys,
                engine=engine,
                max_decompressed=None if max_decompressed is None else round(max_decompressed * 1e9),
                platforms=platforms,
                local=local,
                progress=stack.enter_context(progress()),
                **asked,
            )
            stack.callback(stream.close)
            sinks: list[_Sink] = [_Printed(stream)] if ndjson else []
            if directory is not None:
                tables = _Tables(stream, stack.enter_context(_beside(directory)))
                stack.callback(tables.close)
                sinks.append(tables)
            told_any = _all_told(stream, sinks)
    except faults as error:
        warn(getattr(error, "lines", [str(error)]))
        sys.exit(Exit.UNREADABLE)
    warn((*stream.errors, *(w for c in stream.captures for w in c.summary.warnings)))
    if stream.errors:
        sys.exit(Exit.UNREADABLE)
    if not told_any:
        sys.exit(Exit.NO_IKE)
    sys.exit(Exit.WELL if stream.well else Exit.NOT_WELL)


def _all_told(stream: "Stream", sinks: "Sequence[_Sink]") -> bool:
    """Read to the end; whether there was anything to tell."""
    told_any = False
    for told in stream:
        told_any = True
        for sink in sinks:
            sink.add(told)
    for sink in sinks:
        sink.end()
    return told_any


@contextmanager
def _beside(directory: str) -> Iterator[str]:
    """A directory that stands under this name when all is written, and not at all when that fails."""
    from pcapdiag.output import OutputError

    place = os.path.realpath(directory)
    beside = os.path.join(os.path.dirname(place), f".pcapdiag-{secrets.token_hex(8)}")
    try:
        os.mkdir(beside)
        try:
            yield beside
            with suppress(FileNotFoundError):
                os.rmdir(place)
            os.rename(beside, place)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise OutputError(f"{directory}: cannot be written: {error.strerror or error}") from None
