"""The commands. Each turns options into one call of the library and its result into a report."""

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from pcapdiag.cli import options
from pcapdiag.cli.exit_codes import Exit
from pcapdiag.cli.explain import explain
from pcapdiag.cli.formats import ANALYSIS, Asked, View, asked_for
from pcapdiag.cli.reading import inputs_of, read, warn
from pcapdiag.cli.settings import apply, peer_names
from pcapdiag.cli.terminal import columns, wants_colour
from pcapdiag.version import VERSION

if TYPE_CHECKING:
    from pcapdiag.logs.joining import JoinedLog
    from pcapdiag.pipeline import Report


_LATE = {
    "carve": ("pcapdiag.cli.carve", "Copy the IKE of captures to a small file, with the diagnosis as comments."),
    "compare": ("pcapdiag.cli.compare", "Join captures of one failure from several points: what was lost, and where."),
    "completion": ("pcapdiag.cli.completion", "Print what makes bash, zsh or fish complete what is typed."),
    "config": ("pcapdiag.cli.config", "Show the settings that are in force, and where each comes from."),
    "crosscheck": ("pcapdiag.cli.crosscheck", "Compare what is read in captures with what tshark shows."),
    "doctor": ("pcapdiag.cli.doctor", "Say what is installed and permitted here, and how to get what is missing."),
    "fleet": ("pcapdiag.cli.fleet", "Judge the captures of many gateways into one data set, and report on it."),
    "interfaces": ("pcapdiag.cli.live", "List the interfaces, and what can be opened for `live`."),
    "log": ("pcapdiag.cli.log", "Read what devices log of IKE: exchanges, where they stopped, and why."),
    "live": ("pcapdiag.cli.live", "Watch IKE as it happens: each message, and the verdict when it falls."),
    "man": ("pcapdiag.cli.man", "Print the manual pages, made of the same text as --help."),
    "messages": ("pcapdiag.cli.messages", "List every IKE message, a row each: text, CSV, NDJSON, Parquet."),
}
"""Commands that are loaded when they are run, with the line that the list of commands has for them."""


_HELP = "pcapdiag.help"
"""In the context: whether somebody asks for the help of a command."""
_WITHOUT_SETTINGS = {"completion", "config", "doctor", "interfaces", "man"}


class _Program(click.Group):
    """The commands, with a last line of defence: a fault of the program is one line, not a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all, those that are not loaded yet too."""
        return sorted((*super().list_commands(ctx), *_LATE))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or what the list needs of one that is not loaded."""
        if cmd_name in _LATE:
            return click.Command(cmd_name, short_help=_LATE[cmd_name][1])
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is to be run."""
        if args and args[0] in _LATE:
            command = getattr(import_module(_LATE[args[0]][0]), args[0])
            return args[0], command, args[1:]
        if args and args[0] not in self.commands and os.path.exists(args[0]) and not ctx.resilient_parsing:
            raise click.UsageError(f"{args[0]!r} is a file, no command: pcapdiag analyze {args[0]}", ctx)
        return super().resolve_command(ctx, args)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read what stands before the command."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.ClickException as error:
            raise _disarmed(error) from None

    def invoke(self, ctx: click.Context) -> object:
        """Run a command. PCAPDIAG_TRACEBACK in the environment lets the traceback through."""
        try:
            ctx.meta[_HELP] = not {*ctx.args}.isdisjoint(ctx.help_option_names)
            return super().invoke(ctx)
        except click.ClickException as error:
            raise _disarmed(error) from None
        except (click.exceptions.Exit, click.Abort, OSError):
            raise
        except KeyboardInterrupt:
            click.echo("pcapdiag: interrupted", err=True)
            sys.exit(Exit.INTERRUPTED)
        except Exception as error:
            if os.environ.get("PCAPDIAG_TRACEBACK"):
                raise
            from pcapdiag.report.wording import safe

            what = safe(f"{type(error).__name__}: {error}")
            click.echo(f"pcapdiag: fault in pcapdiag itself: {what} (PCAPDIAG_TRACEBACK=1 shows where)", err=True)
            sys.exit(Exit.INTERNAL_ERROR)


def _disarmed(error: click.ClickException) -> click.ClickException:
    """The same with names of files, and whatever else was given, so that they cannot act in a terminal."""
    text = error.format_message()
    if text.isprintable() or isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    from pcapdiag.report.wording import safe

    return click.UsageError(safe(text), getattr(error, "ctx", None))


def _version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    """Print the version, and whether frames are walked over by machine code."""
    if not wanted:
        return
    from pcapdiag.capture.walker import COMPILED

    click.echo(f"pcapdiag {VERSION} (walker {'compiled' if COMPILED else 'interpreted'})")
    context.exit()


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version.")
@click.pass_context
def main(context: click.Context) -> None:
    """Read packet captures of IKE and say where the exchange stopped, what proves it, and why.

    What would be typed each time can stand in a file: see `pcapdiag config --help`.

    Exit status: 0 every tunnel is up, or phase 1 is and nothing says that what followed failed; 1 at least one is not;
    2 wrong usage; 3 an input could not be read, or an output not be written; 4 no IKE found.

    Environment: PCAPDIAG_CONFIG names the file of settings; NO_COLOR turns colour off; PCAPDIAG_TRACEBACK shows where
    in the program a fault is.
    """
    if context.invoked_subcommand not in _WITHOUT_SETTINGS and not context.meta.get(_HELP):
        apply(context)


main.add_command(explain)

# What is there at the end is freed with the process; looking for circles in it first takes longer than most runs.
atexit.register(gc.freeze)


@main.command()
@click.argument("captures", nargs=-1, required=True, metavar="FILE...", type=options.FILE)
@asked_for(*ANALYSIS)
@click.option(
    "--ndjson", is_flag=True, help="Print each exchange as JSON on a line when it is judged; the summary comes last."
)
@click.option(
    "-o",
    "--output",
    "directory",
    metavar="DIR",
    type=options.FILE,
    help="Write a Parquet data set there, as exchanges are judged: exchanges, messages, evidence, causes, tunnels, "
    "errors.",
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
@click.option(
    "--log",
    "logs",
    metavar="FILE",
    multiple=True,
    type=click.Path(allow_dash=True),
    help="The log of one of the ends, to stand at the messages. May be given again.",
)
@click.option(
    "--log-at", metavar="ADDRESS", multiple=True, help="Whose log it is; once for each --log. Else its addresses tell."
)
@click.option("--log-tz", metavar="ZONE", help="Of the logs' clocks: Europe/Berlin, +02:00, UTC. Else derived.")
@options.jobs
@options.keys
@options.platforms
@options.local
@options.engine
@options.max_decompressed
@click.option("-v", "--verbose", is_flag=True, help="Every message, every proposal.")
@click.option("-q", "--quiet", is_flag=True, help="One line for each exchange.")
@options.color
@options.width
def analyze(
    captures: Sequence[str],
    formats: Asked,
    ndjson: bool,
    directory: str | None,
    peer: str | None,
    spi: str | None,
    ports: Sequence[int],
    psk_file: str | None,
    logs: Sequence[str],
    log_at: Sequence[str],
    log_tz: str | None,
    jobs: int | None,
    keys: Sequence[str],
    platforms: Sequence[str],
    local: Sequence[str],
    engine: str,
    max_decompressed: float | None,
    verbose: bool,
    quiet: bool,
    color: str,
    width: int | None,
) -> None:
    """Diagnose every IKE exchange in captures (pcap, pcapng; also gzip, bzip2, xz, zstd; `-` is standard input).

    A directory stands for the captures in it. Several files are read in the order of their first packets, as one.

    With --ndjson and -o, captures may have any length: what is held is what is going on.

    Exit status: 0 every tunnel is up, or phase 1 is and nothing says that what followed failed; 1 at least one is not;
    2 wrong usage; 3 an input could not be read, or an output not be written; 4 no IKE found.
    """
    if ndjson or directory is not None:
        if formats.printed is not ANALYSIS[0] or formats.files or logs:
            raise click.UsageError("--ndjson and -o tell exchanges as they are judged; the others need all of them.")
        from pcapdiag.cli import streaming

        streaming.run(
            captures,
            ndjson=ndjson,
            directory=directory,
            jobs=jobs,
            peer=peer,
            spi=spi,
            ports=ports,
            psk_file=psk_file,
            keys=keys,
            platforms=platforms,
            local=local,
            engine=engine,
            max_decompressed=max_decompressed,
        )
    report = read(
        captures,
        peer=peer,
        spi=spi,
        ports=ports,
        psk_file=psk_file,
        jobs=jobs,
        keys=keys,
        platforms=platforms,
        local=local,
        engine=engine,
        max_decompressed=max_decompressed,
    )
    if len(report.captures) > 1:
        _several_points(report)
    beside: Sequence[JoinedLog] = ()
    if logs:
        from pcapdiag.cli.beside import with_logs

        most = None if max_decompressed is None else round(max_decompressed * 1e9)
        report, beside = with_logs(report, logs, log_at, log_tz, most)
    from pcapdiag.report.terminal.layout import Layout

    view = View(
        Layout(width or columns(), wants_colour(color), 1 if verbose else -1 if quiet else 0, names=peer_names()),
        beside,
    )
    written = formats.write(report, view, lambda: inputs_of(captures, keys, psk_file, *logs), private=bool(keys))
    formats.print(report, view)
    if not report.diagnoses:
        from pcapdiag.report.terminal.nothing import nothing_found

        warn(nothing_found(report, peer, spi))
    sys.exit(Exit.UNREADABLE if not written else _status(report.errors, bool(report.diagnoses), report.all_completed))


def _several_points(report: "Report") -> None:
    """Say so where captures are of one failure at several points: read as one, they tell another story."""
    from pcapdiag.comparison.notice import several_points

    found = several_points(report)
    if found is not None:
        one, other = (report.captures[n].summary.path for n in found)
        warn(
            [
                f"{one} and {other} hold the same packets from two points of the path; read as one they show each "
                "packet twice. `pcapdiag compare` with these two joins them, and tells what was lost between."
            ]
        )


def _status(errors: Sequence[str], found: bool, completed: bool) -> int:
    if errors:
        return Exit.UNREADABLE
    if not found:
        return Exit.NO_IKE
    return Exit.WELL if completed else Exit.NOT_WELL
