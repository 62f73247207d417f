"""`analyze --ndjson` and `analyze -o DIR`: exchanges are written as they are judged."""

import gc
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from pcapdiag.cli.exit_codes import Exit
from pcapdiag.cli.reading import (
    announce,
    check_ends,
    contents,
    faults_of,
    interrupts_held_back,
    judging,
    progress,
    psks,
    warn,
)

if TYPE_CHECKING:
    from pcapdiag.pipeline import Stream
    from pcapdiag.report.tables.dataset import Dataset, TableRows
    from pcapdiag.streaming.told import Told

TOGETHER = 1 << 16
"""Characters that are printed at a time."""


class _Made:
    """What is made of each exchange that is told, where it is judged: a line, and the rows of the data set."""

    def __init__(self, *, ndjson: bool, tables: bool, several: bool) -> None:
        self._ndjson, self._tables, self._several = ndjson, tables, several

    def __call__(self, told: "Told") -> "tuple[str, TableRows | None]":
        """The line, empty where none is asked for, and the rows."""
        text, rows = "", None
        if self._ndjson:
            from pcapdiag.report.stream_ndjson import told_line

            text = told_line(told, several=self._several)
        if self._tables:
            from pcapdiag.report.tables.dataset import rows_of

            rows = rows_of(told)
        return text, rows


class _Lines:
    """NDJSON on standard output, some at a time."""

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._size = 0

    def add(self, text: str) -> None:
        """A line, or none."""
        self._waiting.append(text)
        self._size += len(text)
        if self._size >= TOGETHER:
            self.print()

    def print(self) -> None:
        """Print what waits."""
        click.echo("".join(self._waiting), nl=False)
        self._waiting.clear()
        self._size = 0


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
    jobs: int | None,
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
    max_decompressed -- in GB; jobs -- processes that judge; asked -- the other arguments of `pipeline.stream`
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
            sources = pipeline.sources_of(captures)
            stream = pipeline.made_of_stream(
                sources,
                _Made(ndjson=ndjson, tables=directory is not None, several=len(sources) > 1),
                psks=psks(contents(psk_file)) if psk_file else [],
                keys=keys,
                engine=engine,
                max_decompressed=None if max_decompressed is None else round(max_decompressed * 1e9),
                platforms=platforms,
                local=local,
                executor=stack.enter_context(judging(jobs, captures)),
                progress=stack.enter_context(progress()),
                **asked,
            )
            stack.callback(stream.close)
            dataset = _dataset(stack, directory) if directory is not None else None
            told_any = _all_told(stream, dataset, ndjson)
    except faults as error:
        warn(getattr(error, "lines", [str(error)]))
        sys.exit(Exit.UNREADABLE)
    warn((*stream.errors, *(w for c in stream.captures for w in c.summary.warnings)))
    if stream.errors:
        sys.exit(Exit.UNREADABLE)
    if not told_any:
        sys.exit(Exit.NO_IKE)
    sys.exit(Exit.WELL if stream.well else Exit.NOT_WELL)


def _dataset(stack: ExitStack, directory: str) -> "Dataset":
    """The tables, to be written beside their place."""
    from pcapdiag.report.tables.dataset import Dataset

    place = stack.enter_context(_beside(directory))

    def opened(name: str) -> BinaryIO:
        return open(os.path.join(place, f"{name}.parquet"), "wb")

    dataset = Dataset(opened)
    stack.callback(dataset.abandon)
    return dataset


def _all_told(stream: "Stream[tuple[str, TableRows | None]]", dataset: "Dataset | None", ndjson: bool) -> bool:
    """Read to the end; whether there was anything to tell."""
    lines, told_any = _Lines(), False
    for text, rows in stream:
        told_any = True
        lines.add(text)
        if dataset is not None and rows is not None:
            dataset.add(rows, stream.names)
    if ndjson:
        from pcapdiag.report.stream_ndjson import summary_line

        lines.add(summary_line(stream.captures, stream.errors, stream.counts, stream.peers, stream.others))
    lines.print()
    if dataset is not None:
        for text in (*stream.errors, *(w for c in stream.captures for w in c.summary.warnings)):
            dataset.error(text)
        dataset.close()
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
