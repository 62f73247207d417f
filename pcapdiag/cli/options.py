"""Options that several commands share: which exchanges, of which captures, read how."""

from typing import TYPE_CHECKING

import click

from pcapdiag.knowledge.platform_names import PLATFORM_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

FILE = click.Path(readable=False, allow_dash=True)
"""The name of a file. Whoever opens it says what is wrong with it: missing or not to be read, it is the same kind of
fault, and the same exit status."""

DIRECTORY = click.Path(file_okay=False)
"""The name of a directory."""

COLORS = ("auto", "always", "never")
WIDTHS = (60, 400)
"""The narrowest report and the widest."""
CONFIG_VARIABLE = "PCAPDIAG_CONFIG"
"""In the environment: which file of settings it is; empty for none."""


def completed(name: str) -> "Callable[[click.Context, click.Parameter, str], list[CompletionItem]]":
    """What completes a value: a function of `completion`, which is loaded when it is asked."""

    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> "list[CompletionItem]":
        from pcapdiag.cli import completion

        found: list[CompletionItem] = getattr(completion, name)(context, parameter, typed)
        return found

    return complete


def _with_configured(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """What the command line says of an end, and what the configuration says of the others.

    The command line's come first, and so win; where it names the end by its part, that can be any address.
    """
    given = context.get_parameter_source(str(parameter.name)) is click.core.ParameterSource.COMMANDLINE
    if not given or any(text.lower().startswith(("initiator", "responder")) for text in value):
        return value
    return (*value, *(context.lookup_default(str(parameter.name)) or ()))


def _asked(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse what can be no address, or no SPI, before anything is read."""
    if value is not None:
        from pcapdiag.selection import SelectionError, selection

        try:
            selection(**{"peer": None, "spi": None, str(parameter.name): value})
        except SelectionError as error:
            raise click.BadParameter(str(error)) from None
    return value


peer = click.option(
    "--peer",
    metavar="ADDRESS",
    callback=_asked,
    help="Only exchanges with this address, or one of this network (10.2.0.0/16).",
)
spi = click.option(
    "--spi",
    metavar="PREFIX",
    callback=_asked,
    help="Only exchanges whose cookies (SPIs) begin with these hex digits.",
)
ports = click.option(
    "--port",
    "ports",
    metavar="N",
    multiple=True,
    type=click.IntRange(1, 65535),
    help="A UDP port where IKE is spoken, beside 500 and 4500. May be given again.",
)
jobs = click.option(
    "-j",
    "--jobs",
    metavar="N",
    type=click.IntRange(1, 256),
    help="Processes that read large captures, or several, at a time. Default: one for each processor.",
)
keys = click.option(
    "--keys",
    metavar="TABLE",
    multiple=True,
    type=FILE,
    help="Keys to open encrypted messages with: Wireshark's ikev1_decryption_table or ikev2_decryption_table, or a "
    "profile directory that holds them; or a log that holds keys (FortiGate's debug, strongSwan at level 4). May be "
    "given again.",
)
platforms = click.option(
    "--platform",
    "platforms",
    metavar="END=NAME",
    multiple=True,
    callback=_with_configured,
    help="What an end is, for advice in its own commands: its address, `initiator` or `responder`, and one of "
    f"{', '.join(PLATFORM_NAMES)}. May be given again.",
)
local = click.option(
    "--local",
    metavar="ADDRESS",
    multiple=True,
    help="The address of your own device: advice is for it, with what to ask at the other end. May be given again.",
)
engine = click.option(
    "--engine",
    type=click.Choice(["own", "tshark"]),
    default="own",
    show_default=True,
    help="What reads the captures. tshark also reads what only Wireshark knows; it needs tshark and pyshark.",
)
color = click.option(
    "--color",
    type=click.Choice(COLORS),
    default="auto",
    show_default=True,
    help="Colour. NO_COLOR in the environment turns `auto` off.",
)
width = click.option(
    "--width", metavar="N", type=click.IntRange(*WIDTHS), help="Columns. Default: those of the terminal, 80 to 110."
)
max_decompressed = click.option(
    "--max-decompressed",
    metavar="GB",
    type=click.FloatRange(min=0, min_open=True),
    help="What a compressed file may become. Default: 1 GB, and more up to 100 times its size; of a log, 1000 times.",
)
