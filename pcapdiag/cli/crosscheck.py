"""`pcapdiag crosscheck`: our decoding against Wireshark's."""

import sys
from collections.abc import Sequence

import click

from pcapdiag.cli import options
from pcapdiag.cli.exit_codes import Exit


@click.command()
@click.argument("captures", nargs=-1, required=True, metavar="FILE...", type=options.FILE)
@click.option(
    "--keys",
    metavar="TABLE",
    multiple=True,
    type=options.FILE,
    help="Keys for both: what they open is compared too. As for analyze.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def crosscheck(captures: Sequence[str], keys: Sequence[str], as_json: bool) -> None:
    """Compare what pcapdiag reads in captures with what tshark shows, message by message.

    Differences are listed with both values; those that are known are explained and do not count.
    Exit status: 0 both read the same, 1 there are differences, 3 an input or tshark is missing, 4 no IKE found.
    """
    from pcapdiag.capture.datagram import CaptureError
    from pcapdiag.capture.wireshark import WiresharkMissingError
    from pcapdiag.crosscheck import comparison
    from pcapdiag.ike.decryption import CryptographyMissingError
    from pcapdiag.ike.decryption_keys import KeyTableError
    from pcapdiag.report.terminal.crosscheck import json_text, text_lines
    from pcapdiag.report.wording import safe

    found, errors = [], []
    for capture in captures:
        try:
            found.append(comparison.crosscheck(capture, keys))
        except CaptureError as error:
            errors.append(str(error))
            continue
        except (WiresharkMissingError, KeyTableError, CryptographyMissingError) as error:
            click.echo(f"pcapdiag: {safe(str(error))}", err=True)
            sys.exit(Exit.UNREADABLE)
        if not as_json:
            from pcapdiag.cli.terminal import encodable

            for line in text_lines(found[-1]):
                click.echo(encodable(line))
    if as_json:
        click.echo(json_text(found, errors))
    for line in errors:
        click.echo(f"pcapdiag: {safe(line)}", err=True)
    if errors:
        sys.exit(Exit.UNREADABLE)
    if not any(c.messages for c in found):
        sys.exit(Exit.NO_IKE)
    sys.exit(Exit.NOT_WELL if any(c.unexplained for c in found) else Exit.WELL)
