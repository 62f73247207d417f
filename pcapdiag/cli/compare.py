"""`pcapdiag compare`: captures of one failure from several points of the path, joined."""

import gc
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pcapdiag.cli import options
from pcapdiag.cli.exit_codes import Exit
from pcapdiag.cli.formats import COMPARISON, Asked, View, asked_for
from pcapdiag.cli.reading import candidate_keys, check_ends, inputs_of, progress, tell_of_keys, warn
from pcapdiag.cli.settings import peer_names
from pcapdiag.cli.terminal import columns, wants_colour

if TYPE_CHECKING:
    from pcapdiag.comparing import Comparison


@click.command()
@click.argument("captures", nargs=-1, required=True, metavar="A B [C...]", type=click.Path())
@asked_for(*COMPARISON)
@click.option(
    "--carve",
    "carved",
    metavar="OUT.pcapng",
    type=options.FILE,
    help="Write the packets of all points to one file too: an interface for each, times by A's clock, with comments.",
)
@options.peer
@options.spi
@options.ports
@click.option(
    "--psk-file",
    type=options.FILE,
    metavar="FILE",
    help="Pre-shared keys, one a line (0x… is hexadecimal), to hold against Aggressive Mode's hashes.",
)
@options.keys
@options.platforms
@options.local
@options.max_decompressed
@click.option("-v", "--verbose", is_flag=True, help="Every message, every transmission.")
@click.option("-q", "--quiet", is_flag=True, help="One line for each exchange.")
@options.color
@options.width
def compare(
    captures: Sequence[str],
    formats: Asked,
    carved: str | None,
    peer: str | None,
    spi: str | None,
    ports: Sequence[int],
    psk_file: str | None,
    keys: Sequence[str],
    platforms: Sequence[str],
    local: Sequence[str],
    max_decompressed: float | None,
    verbose: bool,
    quiet: bool,
    color: str,
    width: int | None,
) -> None:
    """Compare captures of one failure, taken at two or more points of the path: each packet's way, and where it ends.

    A is best the one at the initiator: times are told by its clock. A directory is one point, the files of its ring.
    The clocks may differ by any amount.

    Exit status: as of `analyze`; 3 also where the captures are of different failures.
    """
    if len(captures) < 2:
        raise click.UsageError("two captures at least are compared; `pcapdiag analyze` reads one.")
    check_ends(platforms, local)
    gc.disable()  # as for `analyze`: records never refer to each other in a circle
    click.get_current_context().call_on_close(gc.enable)
    from pcapdiag import comparing
    from pcapdiag.capture.datagram import CaptureError
    from pcapdiag.ike.decryption import CryptographyMissingError
    from pcapdiag.ike.decryption_keys import KeyTableError

    candidates = candidate_keys(psk_file)
    try:
        with progress() as advance:
            found = comparing.compare(
                *captures,
                ports=ports,
                peer=peer,
                spi=spi,
                psks=candidates,
                keys=keys,
                platforms=platforms,
                local=local,
                max_decompressed=None if max_decompressed is None else round(max_decompressed * 1e9),
                progress=advance,
            )
    except (CaptureError, KeyTableError, CryptographyMissingError) as error:
        warn(str(error).splitlines())
        sys.exit(Exit.UNREADABLE)
    report = found.report
    tell_of_keys(candidates, report.diagnoses)
    warn((*report.errors, *(w for c in report.captures for w in c.summary.warnings)))
    from pcapdiag.report.terminal.layout import Layout

    view = View(
        Layout(width or columns(), wants_colour(color), 1 if verbose else -1 if quiet else 0, True, peer_names())
    )
    written = formats.write(found, view, lambda: inputs_of(captures, keys, psk_file), private=bool(keys))
    formats.print(found, view)
    if carved is not None and found.diagnoses:
        written = _carved(found, carved) and written
    if not found.diagnoses:
        from pcapdiag.report.terminal.nothing import nothing_found

        warn(nothing_found(report, peer, spi))
    if not written or report.errors:
        sys.exit(Exit.UNREADABLE)
    sys.exit(Exit.NO_IKE if not found.diagnoses else Exit.WELL if found.all_completed else Exit.NOT_WELL)


def _carved(found: "Comparison", output: str) -> bool:
    """Write the packets of all points; False where that fails, which is said."""
    from pcapdiag.capture.datagram import CaptureError
    from pcapdiag.carve.comparison import carve_comparison
    from pcapdiag.output import OutputError

    try:
        frames = carve_comparison(found, output)
    except (CaptureError, OutputError) as error:
        warn(error.lines if isinstance(error, CaptureError) else [str(error)])
        return False
    warn([f"{output}: {frames} frames of {len(found.points)} points"])
    return True
