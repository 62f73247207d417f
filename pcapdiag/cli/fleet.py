"""`pcapdiag fleet`: the captures of many gateways into one data set; `pcapdiag fleet report`: what that says."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from pcapdiag.cli import options
from pcapdiag.cli.exit_codes import Exit
from pcapdiag.cli.reading import warn
from pcapdiag.cli.terminal import encodable

if TYPE_CHECKING:
    from pcapdiag.fleet.access import Access
    from pcapdiag.fleet.run import Step

NEEDED = ("distributed", "fsspec", "pyarrow", "yaml")


class _Fleet(click.Group):
    """`report` is a command of its own; all else is a run."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What names no command is what a run is to read."""
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Fleet)
def fleet() -> None:
    """Judge the captures of many gateways, on all processors or a Dask cluster, and say what is wrong in the fleet.

    `pcapdiag fleet URL… -o URL` is short for `pcapdiag fleet run URL… -o URL`.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise click.UsageError(f"a fleet needs {', '.join(missing)}: pip install 'pcapdiag[fleet]'")


_storage = click.option(
    "--storage-option",
    "storage",
    multiple=True,
    metavar="PROTOCOL.NAME=VALUE",
    help="What fsspec is to take for a store, as s3.endpoint_url=http://127.0.0.1:9000. Others on the machine can read "
    "it in the list of processes: keys are better in the environment, or in the files of the store's own tools.",
)


@fleet.command()
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@click.option("-o", "--output", metavar="URL", required=True, help="Where the data set stands, or is to stand.")
@click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler. Default: the processors of this machine.")
@click.option(
    "--group-by",
    metavar="REGEX",
    default="directory",
    show_default=True,
    help="What in the URL of a capture names its gateway: the first group of this expression, or its directory.",
)
@click.option("--workers", type=click.IntRange(1, 4096), help="Processes, without --scheduler. Default: processors.")
@_storage
def run(
    urls: Sequence[str],
    output: str,
    scheduler: str | None,
    group_by: str,
    workers: int | None,
    storage: Sequence[str],
) -> None:
    """Judge captures into a Parquet data set: what is new or changed of them.

    URL is whatever fsspec knows: a path, s3://…, gs://…, abfs://…, https://…; a directory stands for the captures below
    it. A task is a gateway and a day (UTC); an exchange is told in the day in which it began.

    Exit status: 0 all was read, 2 wrong usage, 3 a capture could not be read, or a task not be done.
    """
    from pcapdiag.fleet import run as running
    from pcapdiag.fleet.peers import remember
    from pcapdiag.fleet.places import FleetError, Store
    from pcapdiag.report.wording import counted

    access = _access(storage)
    try:
        with _client(scheduler, workers) as client, _progress() as progress:
            done = running.run(urls, output, client, group_by=group_by, access=access, progress=progress)
        if done.done:
            remember(Store(output, access))
    except (FleetError, OSError) as error:
        warn([str(error)])
        sys.exit(Exit.UNREADABLE)
    warn((*_few(done.errors), *_few(done.failed)))
    warn([f"{counted(done.done, 'task')} done, {done.known:,} before; {counted(done.exchanges, 'exchange')}"])
    sys.exit(Exit.UNREADABLE if done.errors or done.failed else Exit.WELL)


MOST_LINES = 50
"""Of each kind that are printed; what could not be read stands in the table `errors`, all of it."""


def _few(lines: Sequence[str]) -> Sequence[str]:
    if len(lines) <= MOST_LINES:
        return lines
    return (*lines[:MOST_LINES], f"and {len(lines) - MOST_LINES:,} more lines of this kind")


def _access(storage: Sequence[str]) -> "Access":
    from pcapdiag.fleet.access import access_of

    try:
        return access_of(storage)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@contextmanager
def _client(scheduler: str | None, workers: int | None) -> Iterator[Any]:
    import dask
    from distributed import Client, LocalCluster

    if scheduler is not None:
        with Client(scheduler) as client:  # type: ignore[no-untyped-call]
            _wait_for_worker(client, scheduler)
            warn([f"dashboard: {client.dashboard_link}"])
            yield client
        return
    local: dict[str, Any] = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        # A worker would look a hundred times a second where it is, which takes a twentieth of the time.
        dask.config.set({"distributed.worker.profile.enabled": False}),
        LocalCluster(**local) as cluster,  # type: ignore[no-untyped-call]
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        warn([f"dashboard: {client.dashboard_link}"])
        yield client


PATIENCE = 60
"""Seconds for the first worker of a scheduler to come."""


def _wait_for_worker(client: Any, scheduler: str) -> None:
    """Raises FleetError where nobody would do anything."""
    from pcapdiag.fleet.places import FleetError

    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise FleetError(f"{scheduler}: no worker has come in {PATIENCE} seconds") from None


@contextmanager
def _progress() -> Iterator[Any]:
    """A line on standard error, where somebody looks at it."""
    began = monotonic()

    def tell(step: "Step") -> None:
        if sys.stderr.isatty():
            print(f"\r{progress_text(step, monotonic() - began)}\x1b[K", end="", file=sys.stderr, flush=True)

    try:
        yield tell
    finally:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def progress_text(step: "Step", seconds: float) -> str:
    """How far it is: "12 of 30 tasks, 61,000 exchanges, 5,100/s, 18 MB/s, 1 failed"."""
    rate = step.exchanges / seconds if seconds > 0 else 0.0
    octets = step.octets / 1e6 / seconds if seconds > 0 else 0.0
    failed = f", {step.failed} failed" if step.failed else ""
    return f"{step.done} of {step.tasks} tasks, {step.exchanges:,} exchanges, {rate:,.0f}/s, {octets:.1f} MB/s{failed}"


@fleet.command()
@click.argument("url", metavar="URL")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "html", "prometheus"]),
    default="text",
    show_default=True,
    help="`prometheus` is for node_exporter's textfile collector.",
)
@click.option("-o", "--output", metavar="FILE", type=options.FILE, help="Write there, whole or not, instead.")
@click.option("--names", metavar="FILE", help="What addresses are called: CSV (address,name), or a mapping in YAML.")
@_storage
def report(url: str, form: str, output: str | None, names: str | None, storage: Sequence[str]) -> None:
    """Say which peers fail at which gateways, since when, how often, where and why; what changed; what is weak.

    Exit status: 0 no peer fails, 1 at least one does, 2 wrong usage, 3 something could not be read or written,
    4 there is nothing in the data set.
    """
    from pcapdiag.fleet import reports
    from pcapdiag.fleet.access import shown
    from pcapdiag.fleet.names import names_of
    from pcapdiag.fleet.peers import overview
    from pcapdiag.fleet.places import FleetError, Store
    from pcapdiag.output import OutputError, written

    forms = {"text": reports.text, "json": reports.as_json, "html": reports.page, "prometheus": reports.prometheus}
    access = _access(storage)
    try:
        known = names_of(names) if names is not None else {}
        store = Store(url, access)
        if not store.exists():
            raise FleetError(f"{shown(url)}: there is nothing")
        found = overview(store)
        made = forms[form](found, known)
        if output is not None:
            with written(output) as file:
                file.write(made.encode())
        else:
            click.echo(encodable(made) if form == "text" else made, nl=False)
    except (FleetError, OutputError, OSError) as error:
        warn([str(error)])
        sys.exit(Exit.UNREADABLE)
    if not found.peers:
        warn([f"{shown(url)}: there is no exchange in it"])
        sys.exit(Exit.NO_IKE)
    sys.exit(Exit.NOT_WELL if found.failing else Exit.WELL)
