"""`pcapdiag live` and `pcapdiag interfaces`: watching as it happens."""

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from pcapdiag.cli import options
from pcapdiag.cli.exit_codes import Exit
from pcapdiag.cli.reading import check_ends, inputs_of, warn

if TYPE_CHECKING:
    from pcapdiag.capture.pcapng import Writer
    from pcapdiag.capture.source import Source
    from pcapdiag.live.events import Summary
    from pcapdiag.live.loop import Ended, Observer
    from pcapdiag.live.session import Watch
    from pcapdiag.report.live.metrics import MetricsFile
    from pcapdiag.report.live.text import LiveText


@click.command()
@click.argument("stream", required=False, metavar="[-]", type=options.FILE)
@click.option(
    "-i",
    "--interface",
    "names",
    multiple=True,
    metavar="IFACE",
    shell_complete=options.completed("interface_names"),
    help="May be given again; `any` is all.",
)
@click.option("-q", "--quiet", is_flag=True, help="Only verdicts, a line each.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each event.")
@click.option("--watch", "full_screen", is_flag=True, help="A full-screen table of exchanges, with a detail view.")
@click.option("--port", "ports", metavar="N", multiple=True, type=click.IntRange(1, 65535), help="Another port of IKE.")
@click.option(
    "--engine",
    type=click.Choice(["libpcap", "tshark"]),
    default="libpcap",
    show_default=True,
    help="tshark: capture one interface through Wireshark's dumpcap, which needs no privilege of this program.",
)
@click.option("--promiscuous", is_flag=True, help="Take in frames that are for other machines (on a mirror port).")
@click.option("--tunnels", is_flag=True, help="Look into GRE, IP in IP, VXLAN, GENEVE and AH: all of it is then read.")
@click.option("-w", "--write", "path", metavar="FILE", type=options.FILE, help="Keep the packets (pcapng).")
@click.option("--rotate-size", metavar="MB", type=click.FloatRange(min=0, min_open=True), help="Begin a new file then.")
@click.option("--rotate-count", metavar="N", type=click.IntRange(1, 1000), default=10, help="Files that are kept: 10.")
@click.option("--duration", metavar="SECONDS", type=click.FloatRange(min=0, min_open=True), help="End after that.")
@click.option("--count", metavar="N", type=click.IntRange(1), help="End after so many IKE messages.")
@click.option(
    "--stop-on",
    type=click.Choice(["up", "failed", "completed", "stalled", "rejected", "any"]),
    help="End with the first such verdict; the exit status is that of its exchange. up: the tunnel is there.",
)
@click.option(
    "--user",
    metavar="NAME",
    help="As root, become this user once the interfaces are open. Default under sudo: who called it.",
)
@click.option("--no-drop-privileges", "keep", is_flag=True, help="Keep the rights of root, or the capability.")
@click.option(
    "--metrics",
    "metrics_file",
    metavar="FILE",
    type=options.FILE,
    help="Write metrics (Prometheus text) there every 15 s.",
)
@click.option("--metrics-listen", metavar="ADDRESS:PORT", help="Serve them over HTTP, under /metrics.")
@options.platforms
@options.local
@options.color
@options.width
def live(
    stream: str | None,
    names: Sequence[str],
    quiet: bool,
    as_json: bool,
    full_screen: bool,
    ports: Sequence[int],
    engine: str,
    promiscuous: bool,
    tunnels: bool,
    path: str | None,
    rotate_size: float | None,
    rotate_count: int,
    duration: float | None,
    count: int | None,
    stop_on: str | None,
    user: str | None,
    keep: bool,
    platforms: Sequence[str],
    local: Sequence[str],
    metrics_file: str | None,
    metrics_listen: str | None,
    color: str,
    width: int | None,
) -> None:
    """Watch IKE as it happens: each message, what is waited for, and the verdict when it falls.

    Reads network interfaces (-i), or a capture that another program writes to standard input (`-`), as in
    `tcpdump -U -w - | pcapdiag live -`.

    Exit status: as of `analyze`; with --stop-on that of the verdict; 3 also where the last interface went away.
    """
    _check_usage(names, stream, path, full_screen, as_json or quiet)
    check_ends(platforms, local)
    through_dumpcap = engine == "tshark"
    if through_dumpcap and (len(names) != 1 or path or promiscuous or tunnels):
        raise click.UsageError("--engine tshark takes one interface, and none of -w, --promiscuous, --tunnels")
    from pcapdiag.capture.datagram import CaptureError
    from pcapdiag.cli.settings import peer_names
    from pcapdiag.cli.terminal import columns, wants_colour
    from pcapdiag.diagnosis.causes.platforms import given_of
    from pcapdiag.live.loop import Limits, Signals, outcomes, run
    from pcapdiag.live.privileges import PrivilegeError
    from pcapdiag.live.session import Watch
    from pcapdiag.report.live.text import LiveText
    from pcapdiag.report.terminal.layout import Layout

    Watch.warm_up()
    text = LiveText(Layout(width or columns(), wants_colour(color), -1 if quiet else 0, names=peer_names()))
    stops: frozenset[str] = frozenset(outcomes(stop_on)) if stop_on else frozenset()
    keyboard = _keyboard(stream) if full_screen else None
    became = ""
    tell, told = _teller(as_json, full_screen)
    try:
        # dumpcap may capture where we may not, and a stream is opened by whoever writes it: neither needs any right.
        interfaces = None if stream or through_dumpcap else _interfaces(names, ports, promiscuous, tunnels)
        observers = _metrics_server(metrics_listen)
        # From here on nothing is done with more rights than the user has, least of all writing files.
        became = _drop(user, keep, capabilities=interfaces is not None)
        source = interfaces or (_dumpcap(names[0], ports) if through_dumpcap else _pipe(stream or "-", ports))
        writer = _writer(source, path, rotate_size, rotate_count)
        others = [*inputs_of([stream] if stream else []), *_kept(path, rotate_count)]
        metrics = _metrics_file(metrics_file, others, tell)
        observers += metrics
    except (CaptureError, PrivilegeError) as error:
        _fail(f"{error}{became and f' ({became})'}")
    if writer is not None:
        observers.append(_recorder(source, writer, tell))
    esp = (lambda: source.summary().esp_flows) if stream or through_dumpcap else None
    watch = Watch(messages=not quiet, esp=esp, given=given_of(platforms, local))
    limits = Limits(duration, count, stops, linger=full_screen)
    with Signals() as signals, contextlib.ExitStack() as stack:
        if full_screen:
            from pcapdiag.report.live.screen import Screen

            observers.append(stack.enter_context(Screen(lambda: signals.request("q"))))
        else:
            observers.append(_output(source, text, as_json, quiet))
        ended = run(source, watch, observers, limits, signals, [keyboard] if keyboard is not None else [])
    if writer is not None:
        _close(writer, ended.summary)
    source.close()
    problems = [p for p in (writer and writer.problem, *(file.problem for file in metrics)) if p]
    warn(problem for problem in problems if problem not in told)
    _sum_up(ended, text, watch, as_json, quiet)
    sys.exit(Exit.UNREADABLE if problems else _status(ended))


def _check_usage(names: Sequence[str], stream: str | None, path: str | None, full_screen: bool, lines: bool) -> None:
    """Raise UsageError for options that contradict each other; lines -- the output is for programs or a ticket."""
    if bool(names) == bool(stream):
        raise click.UsageError("give either interfaces (-i IFACE) or `-` for a capture on standard input")
    if stream and path:
        raise click.UsageError("-w keeps the packets of interfaces; a stream is kept with `tee FILE` in front")
    if full_screen and (lines or not sys.stdout.isatty()):
        raise click.UsageError("--watch needs a terminal, and goes with neither --json nor -q")


def _output(source: "Source", text: "LiveText", as_json: bool, quiet: bool) -> "Observer":
    """Where the events go, line by line."""
    from pcapdiag.cli.terminal import encodable
    from pcapdiag.report.live.output import JsonOutput, TextOutput
    from pcapdiag.report.wording import safe

    click.echo(f"pcapdiag: watching {safe(', '.join(source.names))}; Ctrl-C ends", err=True)
    return JsonOutput(sys.stdout, not quiet, source.names) if as_json else TextOutput(sys.stdout, text, encodable)


def _keyboard(stream: str | None) -> int:
    """The descriptor of the keyboard; where standard input is the capture, the terminal takes its place."""
    if stream == "-":
        capture = os.dup(0)
        terminal = os.open("/dev/tty", os.O_RDWR)
        os.dup2(terminal, 0)
        os.close(terminal)
        sys.stdin = os.fdopen(capture)
    return 0


def _interfaces(names: Sequence[str], ports: Sequence[int], promiscuous: bool, tunnels: bool) -> "Source":
    from pcapdiag.capture.interface import Interfaces

    return Interfaces(names, ports=ports, promiscuous=promiscuous, tunnels=tunnels)


def _drop(user: str | None, keep: bool, capabilities: bool) -> str:
    """Give up what is not needed any more; what to say where something then fails for want of it, "" for nothing."""
    from pcapdiag.live import privileges

    if keep:
        return ""
    identity = privileges.chosen(user)
    if identity is not None:
        privileges.load_late_modules()
    if identity is not None or capabilities:
        privileges.drop(identity)
    return f"as {identity.name}, whom `live` became; --no-drop-privileges keeps root" if identity is not None else ""


def _pipe(stream: str, ports: Sequence[int]) -> "Source":
    from pcapdiag.capture.pipe import Pipe

    return Pipe(stream, ports=ports)


def _dumpcap(name: str, ports: Sequence[int]) -> "Source":
    from pcapdiag.capture.pipe import ThroughDumpcap

    return ThroughDumpcap(name, ports=ports)


def _writer(source: "Source", path: str | None, rotate_size: float | None, rotate_count: int) -> "Writer | None":
    if path is None:
        return None
    from pcapdiag.capture.interface import Interfaces
    from pcapdiag.capture.pcapng import Writer
    from pcapdiag.version import VERSION

    assert isinstance(source, Interfaces)
    size = round(rotate_size * 1_000_000) if rotate_size else None
    application = f"pcapdiag {VERSION}"
    return Writer(path, source.links, application=application, rotate_size=size, rotate_count=rotate_count)


def _metrics_server(listen: str | None) -> "list[Observer]":
    if not listen:
        return []
    from pcapdiag.report.live.metrics import MetricsServer

    return [MetricsServer(listen)]


def _teller(as_json: bool, full_screen: bool) -> "tuple[Callable[[Source, str], None], list[str]]":
    """What says that a file can no longer be written, and the list of what it has said on standard error."""
    told: list[str] = []

    def tell(source: "Source", text: str) -> None:
        if as_json or full_screen:
            source.notices.append(text)
        if not full_screen:
            told.append(text)
            warn([text])

    return tell, told


def _metrics_file(
    path: str | None, others: Sequence[object], tell: "Callable[[Source, str], None]"
) -> "list[MetricsFile]":
    if not path:
        return []
    from pcapdiag.report.live.metrics import MetricsFile

    return [MetricsFile(path, others, tell)]


def _kept(path: str | None, rotate_count: int) -> "list[object]":
    """The files of -w, those too that it will be put aside to."""
    if path is None:
        return []
    from pcapdiag.capture.pcapng import aside

    return [path, *(aside(path, number) for number in range(1, rotate_count))]


def _close(writer: "Writer", summary: "Summary") -> None:
    from pcapdiag.capture.pcapng import Statistics

    ended = max(summary.ended, summary.capture.last_time or 0)
    writer.close([Statistics(summary.began, ended, i.received, i.dropped) for i in summary.interfaces])


def _recorder(source: "Source", writer: "Writer", tell: "Callable[[Source, str], None]") -> "Observer":
    from pcapdiag.capture.interface import Interfaces
    from pcapdiag.report.live.output import Recorder

    assert isinstance(source, Interfaces)
    return Recorder(source, writer, tell)


def _sum_up(ended: "Ended", text: "LiveText", watch: "Watch", as_json: bool, quiet: bool) -> None:
    """The summary, where the reports went; of -q, which is one line a verdict, on standard error."""
    from pcapdiag.cli.terminal import encodable
    from pcapdiag.report.live import ndjson

    summary = ended.summary
    lines = ndjson.summary(summary) if as_json else encodable(text.summary(summary, watch.tracker.folded()))
    try:
        click.echo(lines, nl=False, err=quiet and not as_json)
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads it; the interpreter must not stumble over that once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not summary.counts.messages and not summary.failed:
        click.echo("pcapdiag: no IKE was seen", err=True)


def _status(ended: "Ended") -> int:
    if ended.verdict is not None:
        return Exit.WELL if ended.verdict.diagnosis.well else Exit.NOT_WELL
    if ended.summary.failed:
        return Exit.UNREADABLE
    if not ended.summary.counts.messages:
        return Exit.NO_IKE
    return Exit.WELL if ended.summary.all_completed else Exit.NOT_WELL


def _fail(text: str) -> NoReturn:
    from pcapdiag.report.wording import safe

    click.echo(f"pcapdiag: {safe(text)}", err=True)
    sys.exit(Exit.UNREADABLE)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def interfaces(as_json: bool) -> None:
    """List the interfaces, and say of each whether it can be opened for `live` and what is missing if not."""
    from pcapdiag.capture.datagram import CaptureError
    from pcapdiag.capture.interface import interfaces as found_interfaces
    from pcapdiag.report.terminal.interfaces import as_lines, as_object

    try:
        found = found_interfaces()
    except CaptureError as error:
        _fail(str(error))
    for line in as_object(found) if as_json else as_lines(found):
        click.echo(line)
    sys.exit(Exit.WELL if any(one.problem is None for one in found) else Exit.UNREADABLE)
