"""`pcapdiag messages`: every IKE message of captures, a row each."""

import os
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import click

from pcapdiag.cli import options
from pcapdiag.cli.exit_codes import Exit
from pcapdiag.cli.reading import inputs_of, read, warn
from pcapdiag.cli.terminal import columns, encodable, wants_colour

if TYPE_CHECKING:
    from pcapdiag.pipeline import Report
    from pcapdiag.report.terminal.layout import Layout

FORMATS = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet"}
"""By what the name of a file ends with; all else is text."""
TOGETHER = 500
"""Lines that are written at a time."""


def _columns(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    """Print what the columns are."""
    if not wanted:
        return
    from pcapdiag.report.terminal.layout import Layout
    from pcapdiag.report.terminal.message_list import column_lines

    click.echo(encodable("\n".join(column_lines("messages", Layout(columns())))))
    context.exit()


@click.command()
@click.argument("captures", nargs=-1, required=True, metavar="FILE...", type=options.FILE)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "ndjson", "parquet"]),
    help="How. Default: as the name of the output says (.csv, .ndjson, .jsonl, .parquet), or else text.",
)
@click.option("-o", "--output", metavar="FILE", type=options.FILE, help="Write there, whole or not.")
@click.option(
    "--columns",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_columns,
    help="Say what the columns of CSV, NDJSON and Parquet are, and end.",
)
@options.peer
@options.spi
@options.ports
@options.jobs
@options.keys
@options.engine
@options.max_decompressed
@click.option("-v", "--verbose", is_flag=True, help="In text: all columns.")
@options.color
@options.width
def messages(
    captures: Sequence[str],
    form: str | None,
    output: str | None,
    peer: str | None,
    spi: str | None,
    ports: Sequence[int],
    jobs: int | None,
    keys: Sequence[str],
    engine: str,
    max_decompressed: float | None,
    verbose: bool,
    color: str,
    width: int | None,
) -> None:
    """List every IKE message of captures, each time that it was sent, in order.

    CSV, NDJSON and Parquet have the columns of the DataFrame `Report.messages`. In CSV a text that a spreadsheet would
    take for a formula (= + - @) has an apostrophe in front.

    Exit status: 0 there are messages, 2 wrong usage, 3 an input could not be read or the output not be written,
    4 no IKE found.
    """
    form = form or FORMATS.get(os.path.splitext(output or "")[1].lower(), "text")
    if form == "parquet":
        _check_parquet(output)
    report = read(
        captures,
        peer=peer,
        spi=spi,
        ports=ports,
        jobs=jobs,
        keys=keys,
        engine=engine,
        max_decompressed=max_decompressed,
    )
    from pcapdiag.report.terminal.layout import Layout

    layout = Layout(width or columns(), output is None and wants_colour(color), int(verbose))
    if output is None:
        for piece in _together(_lines(report, form, layout)):
            click.echo(encodable(piece), nl=False, color=layout.colour)
    else:
        _write(report, form, layout, output, captures, keys)
    _tell_what_is_not_listed(report)
    if report.errors:
        sys.exit(Exit.UNREADABLE)
    if not report.diagnoses:
        sys.exit(Exit.NO_IKE)
    sys.exit(Exit.WELL)


def _check_parquet(output: str | None) -> None:
    """Raise UsageError before captures are read for nothing."""
    from importlib.util import find_spec

    if output is None:
        raise click.UsageError("--format parquet needs -o FILE")
    missing = [name for name in ("pandas", "pyarrow") if find_spec(name) is None]
    if missing:
        raise click.UsageError(f"Parquet needs {' and '.join(missing)}: pip install 'pcapdiag[parquet]'")


def _lines(report: "Report", form: str, layout: "Layout") -> Iterable[str]:
    """The lines of a format, their ends included."""
    from pcapdiag.report.tables import export as formats

    if form == "csv":
        return formats.csv_lines(report)
    if form == "ndjson":
        return formats.ndjson_lines(report)
    from pcapdiag.report.terminal.message_list import message_lines

    return (f"{line}\n" for line in message_lines(report, layout))


def _together(lines: Iterable[str]) -> Iterable[str]:
    """Some lines at a time: a call for each would take longer than they do."""
    source = iter(lines)
    while some := list(islice(source, TOGETHER)):
        yield "".join(some)


def _write(
    report: "Report", form: str, layout: "Layout", output: str, captures: Sequence[str], keys: Sequence[str]
) -> None:
    """Write the file; for nobody else to read where there is in it what keys opened."""
    from pcapdiag.output import OutputError, written

    try:
        with written(output, inputs=inputs_of(captures, keys), private=bool(keys)) as file:
            _fill(report, form, layout, file)
    except OutputError as error:
        warn([str(error)])
        sys.exit(Exit.UNREADABLE)


def _fill(report: "Report", form: str, layout: "Layout", file: BinaryIO) -> None:
    if form == "parquet":
        from pcapdiag.report.tables.export import write_parquet

        write_parquet(report, file)
        return
    for piece in _together(_lines(report, form, layout)):
        file.write(piece.encode())


def _tell_what_is_not_listed(report: "Report") -> None:
    """Nothing is lost in silence."""
    if not report.diagnoses:
        frames = sum(c.summary.frames for c in report.captures)
        others = f"; {report.ike_messages} IKE messages of others" if report.ike_messages else ""
        warn([f"no IKE message to list in {frames} frames{others} (pcapdiag analyze says what there is)"])
        return
    uncounted = sum(d.exchange.uncounted + sum(s.uncounted for s in d.exchange.steps) for d in report.diagnoses)
    folded = sum(f.messages for f in report.folded)
    if uncounted or folded:
        count = f"{uncounted + folded} messages are not listed"
        warn([f"{count}: {folded} of exchanges that had to make room, {uncounted} beyond what is kept of one exchange"])
