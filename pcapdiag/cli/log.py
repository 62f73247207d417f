"""`pcapdiag log`: what devices logged of IKE, without a capture."""

import sys
from collections.abc import Sequence

import click

from pcapdiag.cli import options
from pcapdiag.cli.exit_codes import Exit
from pcapdiag.cli.formats import LOG, Asked, View, asked_for


@click.command()
@click.argument("logs", nargs=-1, required=True, metavar="FILE...", type=click.Path(allow_dash=True))
@asked_for(*LOG)
@click.option("--peer", metavar="ADDRESS", help="Only exchanges with this address.")
@click.option(
    "--to-pcap",
    metavar="OUT",
    type=click.Path(),
    help="Write the messages that a log holds whole (FortiGate, racoon, libreswan at debug level) as a pcapng capture, "
    "instead of a report. Takes one log.",
)
@options.max_decompressed
@click.option("-v", "--verbose", is_flag=True, help="Every exchange in full, every kind of line.")
@click.option("-q", "--quiet", is_flag=True, help="One line for each exchange.")
@options.color
@options.width
def log(
    logs: Sequence[str],
    formats: Asked,
    peer: str | None,
    to_pcap: str | None,
    max_decompressed: float | None,
    verbose: bool,
    quiet: bool,
    color: str,
    width: int | None,
) -> None:
    """Read what devices log of IKE: exchanges, states, where it stopped, and why, with the lines that say so.

    Cisco ASA (console debug and syslog), Cisco IOS and IOS XE, strongSwan, libreswan, FortiGate (debug and event log),
    racoon, OpenIKED, Palo Alto, Juniper SRX, Azure's and AWS's VPN gateways; the format is found by looking, several in
    one file are told apart. Logs in gzip, bzip2, xz and zstd are decompressed, whatever their names. `-` is standard
    input.

    Exit status: 0 every tunnel is up, or phase 1 is and nothing says that what followed failed; 1 at least one is not;
    2 wrong usage; 3 a log could not be read; 4 no IKE found.
    """
    most = None if max_decompressed is None else round(max_decompressed * 1e9)
    if to_pcap is not None:
        if len(logs) != 1 or formats.printed.name != "text" or formats.files or peer is not None:
            raise click.UsageError("--to-pcap takes one log, and no other option")
        sys.exit(_write(logs[0], to_pcap, most))
    from pcapdiag.cli.reading import warn
    from pcapdiag.cli.terminal import columns, wants_colour
    from pcapdiag.logs.log import LogError, read_log

    try:
        report = read_log(logs, peer=peer, max_decompressed=most)
    except LogError as error:
        warn(str(error).splitlines())
        sys.exit(Exit.UNREADABLE)
    warn(report.errors)
    warn([f"{log.path}: {log.fault}; what came before is reported" for log in report.logs if log.fault])
    from pcapdiag.report.terminal.layout import Layout

    view = View(Layout(width or columns(), wants_colour(color), 1 if verbose else -1 if quiet else 0))
    written = formats.write(report, view, lambda: logs, private=False)
    formats.print(report, view)
    if report.errors or not written:
        sys.exit(Exit.UNREADABLE)
    if not report.diagnoses:
        warn(_nothing(sum(s.lines for s in report.logs), sum(sum(s.platforms.values()) for s in report.logs), peer))
        sys.exit(Exit.NO_IKE)
    sys.exit(Exit.WELL if report.all_well else Exit.NOT_WELL)


def _write(log: str, output: str, most: int | None) -> int:
    """Write the messages of a log as a capture, and say what was written; the exit status."""
    from pcapdiag.cli.reading import warn
    from pcapdiag.logs.lines import Lines, read
    from pcapdiag.logs.log import LogError, names_of
    from pcapdiag.logs.octets import Octets
    from pcapdiag.logs.packets import Written, write
    from pcapdiag.output import OutputError, written

    found = Written()
    octets = Octets(log, most=most)
    try:
        with written(output, inputs=[log]) as stream:
            found = write(stream, names_of([log])[0], read(octets, Lines()))
            if not found.packets:
                raise LogError
    except LogError:
        said = [f"{found.homeless} messages are in it, and not between which addresses"] if found.homeless else []
        warn(["the log holds no message whole, with its addresses; nothing is written", *said])
        return Exit.NO_IKE
    except OutputError as error:
        warn(str(error).splitlines())
        return Exit.UNREADABLE
    except OSError as error:
        warn([f"{log}: {error.strerror or error}"])
        return Exit.UNREADABLE
    notes = [f"{found.packets} messages are written to {output}, their times as the log shows them, as if in UTC"]
    if found.homeless:
        notes.append(f"{found.homeless} are left out: the log does not say between which addresses")
    if octets.fault:
        notes.append(f"{log}: {octets.fault}; what came before is written")
    if found.untimed:
        notes.append(f"{found.untimed} have no time in the log, and are a millisecond apart")
    warn(notes)
    return Exit.WELL


def _nothing(lines: int, known: int, peer: str | None) -> list[str]:
    if lines == 0:
        return ["the log is empty"]
    if peer is not None and known:
        return [f"no exchange with {peer} in {lines} lines"]
    if known:
        return [f"{known} of {lines} lines are of a format that is known, and none tells of an exchange"]
    return [
        f"none of {lines} lines is of a format that is known (ASA, IOS, strongSwan, libreswan, FortiGate, racoon, "
        "OpenIKED, Palo Alto, Juniper SRX, Azure, AWS)"
    ]
