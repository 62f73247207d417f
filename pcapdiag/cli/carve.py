"""`pcapdiag carve`: the IKE out of a capture, with the diagnosis as comments."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from pcapdiag.cli import options
from pcapdiag.cli.exit_codes import Exit
from pcapdiag.cli.reading import announce, contents, inputs_of, progress, warn, workers

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    from pcapdiag.carve import Carved, Carving
    from pcapdiag.carve.anonymize import Anonymizer

OUTCOMES = ("completed", "stalled", "rejected", "superseded", "inconclusive", "partial")


@click.command()
@click.argument("captures", nargs=-1, required=True, metavar="FILE...", type=options.FILE)
@click.option("-o", "--output", required=True, metavar="OUT.pcapng", type=options.FILE, help="`-` is standard output.")
@options.peer
@options.spi
@click.option(
    "--exchange",
    "exchanges",
    metavar="N",
    multiple=True,
    type=click.IntRange(1),
    help="Only the exchange that the report calls so. May be given again.",
)
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    type=click.Choice(OUTCOMES),
    help="Only exchanges that ended so. May be given again.",
)
@click.option(
    "--esp", is_flag=True, help="All ESP between the ends too; else the first four packets of each flow and the last."
)
@click.option(
    "--anonymize",
    is_flag=True,
    help="Replace addresses, identities, certificates and all that is encrypted or a key; see the documentation.",
)
@click.option(
    "--anonymize-key",
    "key_file",
    metavar="FILE",
    type=options.FILE,
    help="The secret that decides what becomes of each address, for several files alike (16 octets or more). "
    "Without it, it is drawn anew. Implies --anonymize.",
)
@options.ports
@options.jobs
@options.max_decompressed
@click.option(
    "--max-spool",
    metavar="GB",
    type=click.FloatRange(min=0, min_open=True),
    help="What is copied to a temporary file of a capture that comes through a pipe. Default: 10 GB.",
)
def carve(
    captures: Sequence[str],
    output: str,
    peer: str | None,
    spi: str | None,
    exchanges: Sequence[int],
    outcomes: Sequence[str],
    esp: bool,
    anonymize: bool,
    key_file: str | None,
    ports: Sequence[int],
    jobs: int | None,
    max_decompressed: float | None,
    max_spool: float | None,
) -> None:
    """Copy the IKE of captures, and what belongs to it, to one pcapng file, with the diagnosis as packet comments.

    Frames are as they were, with their times, link types and interfaces. Captures are read twice; what comes through a
    pipe is copied to a temporary file without a name for that.

    Exit status: 0 written, 2 wrong usage, 3 an input could not be read or the output not be written, 4 no IKE found
    (nothing is written), 5 written, but the anonymized file tells another story: standard error says what.
    """
    import gc

    from pcapdiag.capture.datagram import CaptureError
    from pcapdiag.carve import Carving
    from pcapdiag.carve.spool import MAX_SPOOL
    from pcapdiag.output import OutputError, refuse_inputs
    from pcapdiag.report.wording import safe

    gc.disable()  # as for `analyze`: records never refer to each other in a circle
    click.get_current_context().call_on_close(gc.enable)
    anonymizer = _anonymizer(key_file, ports) if anonymize or key_file is not None else None
    if output == "-" and sys.stdout.isatty():
        raise click.UsageError("a capture is not written to a terminal; -o FILE, or a pipe behind -o -")
    try:
        announce(captures)
        inputs = inputs_of(captures, (), key_file)
        refuse_inputs(sys.stdout.buffer if output == "-" else output, inputs)
        most = None if max_decompressed is None else round(max_decompressed * 1e9)
        with workers(jobs, captures, ports, most) as executor, progress() as advance:
            carving = Carving(
                captures,
                ports=ports,
                peer=peer,
                spi=spi,
                exchanges=exchanges,
                outcomes=outcomes,
                max_decompressed=most,
                max_spool=MAX_SPOOL if max_spool is None else round(max_spool * 1e9),
                executor=executor,
                progress=advance,
            )
            for line in (*carving.report.errors, *(w for c in carving.report.captures for w in c.summary.warnings)):
                click.echo(f"pcapdiag: {safe(line)}", err=True)
            if not carving.chosen:
                _nothing(carving, peer, spi, bool(exchanges or outcomes))
            with _stream(output, inputs, anonymizer is None) as stream:
                carved = carving.write(stream, esp=esp, anonymizer=anonymizer)
                stream.flush()
    except (CaptureError, OutputError) as error:
        warn(error.lines if isinstance(error, CaptureError) else [str(error)])
        sys.exit(Exit.UNREADABLE)
    _tell(carved, "standard output" if output == "-" else output)
    sys.exit(Exit.UNREADABLE if carving.report.errors else Exit.OTHER_VERDICT if carved.differences else Exit.WELL)


def _stream(output: str, inputs: Sequence[object], private: bool) -> "AbstractContextManager[BinaryIO]":
    from pcapdiag.output import written

    if output == "-":
        return nullcontext(sys.stdout.buffer)
    return written(output, inputs=inputs, private=private)


def _anonymizer(key_file: str | None, ports: Sequence[int]) -> "Anonymizer":
    from pcapdiag.carve.anonymize import Anonymizer, AnonymizerKeyError

    try:
        return Anonymizer(contents(key_file) if key_file is not None else None, ports)
    except AnonymizerKeyError as error:
        raise click.UsageError(str(error)) from None


def _nothing(carving: "Carving", peer: str | None, spi: str | None, chosen: bool) -> None:
    """Say why nothing is written, and end."""
    from pcapdiag.report.terminal.nothing import nothing_found
    from pcapdiag.report.wording import safe

    if chosen and carving.report.diagnoses:
        click.echo(f"pcapdiag: no exchange that was asked for, of {len(carving.report.diagnoses)}", err=True)
    else:
        for line in nothing_found(carving.report, peer, spi):
            click.echo(f"pcapdiag: {safe(line)}", err=True)
    sys.exit(Exit.UNREADABLE if carving.report.errors else Exit.NO_IKE)


def _tell(carved: "Carved", name: str) -> None:
    """What was done, on standard error."""
    from pcapdiag.report.wording import safe

    def listed(counts: dict[str, int]) -> str:
        return ", ".join(f"{count} {what}" for what, count in counts.items()) or "none"

    click.echo(f"pcapdiag: {safe(name)}: {carved.written} of {carved.read} frames: {listed(carved.kinds)}", err=True)
    click.echo(f"pcapdiag: left out: {listed(carved.left_out)}", err=True)
    for line in carved.notes:
        click.echo(f"pcapdiag: {safe(line)}", err=True)
    for line in carved.differences:
        click.echo(f"pcapdiag: not as before: {safe(line)}", err=True)
