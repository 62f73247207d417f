"""`pcapdiag compare`: captures of one failure from several points of the path, joined."""

import gc
import sys
from collections.abc import Sequence

import click

from pcapdiag.cli import options
from pcapdiag.cli.exit_codes import Exit
from pcapdiag.cli.reading import contents, inputs_of, progress, psks, warn
from pcapdiag.cli.terminal import columns, encodable, wants_colour


@click.command()
@click.argument("captures", nargs=-1, required=True, metavar="A B [C...]", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print it as Markdown, for a ticket or a chat.")
@click.option(
    "--html",
    "page",
    metavar="FILE",
    type=click.Path(allow_dash=True),
    help="Write it as one HTML page as well; `-` prints that instead of the other report.",
)
@click.option("--svg", "picture", metavar="FILE", type=click.Path(), help="Write the ladder of the first exchange too.")
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
@options.max_decompressed
@click.option("-v", "--verbose", is_flag=True, help="Every message, every transmission.")
@click.option("-q", "--quiet", is_flag=True, help="One line for each exchange.")
@options.color
@options.width
def compare(
    captures: Sequence[str],
    as_json: bool,
    as_markdown: bool,
    page: str | None,
    picture: str | None,
    peer: str | None,
    spi: str | None,
    ports: Sequence[int],
    psk_file: str | None,
    keys: Sequence[str],
    max_decompressed: float | None,
    verbose: bool,
    quiet: bool,
    color: str,
    width: int | None,
) -> None:
    """Compare captures of one failure, taken at two or more points of the path: each packet's way, and where it ends.

    A is best the one at the initiator: times are told by its clock. A directory is one point, the files of its ring.
    The clocks may differ by any amount. Exit status: as of `analyze`; 3 also where the captures are of different
    failures.
    """
    if len(captures) < 2:
        raise click.UsageError("two captures at least are compared; `pcapdiag analyze` reads one.")
    if as_json + as_markdown + (page == "-") > 1:
        raise click.UsageError("--json, --markdown and --html - each print the report; only one of them can.")
    gc.disable()  # as for `analyze`: records never refer to each other in a circle
    click.get_current_context().call_on_close(gc.enable)
    from pcapdiag import comparing
    from pcapdiag.capture.datagram import CaptureError
    from pcapdiag.ike.decryption import CryptographyMissingError
    from pcapdiag.ike.decryption_keys import KeyTableError

    try:
        with progress() as advance:
            found = comparing.compare(
                *captures,
                ports=ports,
                peer=peer,
                spi=spi,
                psks=psks(contents(psk_file)) if psk_file else [],
                keys=keys,
                max_decompressed=None if max_decompressed is None else round(max_decompressed * 1e9),
                progress=advance,
            )
    except (CaptureError, KeyTableError, CryptographyMissingError) as error:
        warn(str(error).splitlines())
        sys.exit(Exit.UNREADABLE)
    report = found.report
    warn((*report.errors, *(w for c in report.captures for w in c.summary.warnings)))
    written = _written(page, picture, found, inputs_of(captures, keys, psk_file), private=bool(keys))
    if page == "-":
        click.echo(found.to_html().encode(), nl=False)
    elif as_json:
        from pcapdiag.report import compare_json

        for piece in compare_json.render(found):
            click.echo(piece, nl=False)
    elif as_markdown:
        click.echo(encodable(found.to_markdown()), nl=False)
    else:
        from pcapdiag.report.terminal import compare_text
        from pcapdiag.report.terminal.layout import Layout

        layout = Layout(width or columns(), wants_colour(color), 1 if verbose else -1 if quiet else 0, True)
        click.echo(encodable(compare_text.render(found, layout)), nl=False, color=layout.colour)
    if not found.diagnoses:
        from pcapdiag.report.terminal.nothing import nothing_found

        warn(nothing_found(report, peer, spi))
    if not written or report.errors:
        sys.exit(Exit.UNREADABLE)
    sys.exit(Exit.NO_IKE if not found.diagnoses else Exit.WELL if found.all_completed else Exit.NOT_WELL)


def _written(page: str | None, picture: str | None, found: object, inputs: Sequence[object], *, private: bool) -> bool:
    """Write the files that were asked for; False where that fails, which is said."""
    from pcapdiag.comparing import Comparison
    from pcapdiag.output import OutputError, written

    assert isinstance(found, Comparison)
    wanted = [(page, found.to_html)] if page not in (None, "-") else []
    if picture is not None and found.diagnoses:
        wanted.append((picture, found.to_svg))
    for name, text in wanted:
        assert name is not None
        try:
            with written(name, inputs=inputs, private=private) as file:
                file.write(text().encode())
        except OutputError as error:
            warn([str(error)])
            return False
    return True
