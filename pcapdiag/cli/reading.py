"""What the commands do around the reading of captures: what goes wrong, processes that help, and how far it is."""

import gc
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from pcapdiag.cli.exit_codes import Exit

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    from pcapdiag.diagnosis.verdict import Diagnosis
    from pcapdiag.pipeline import Report


WORTH_HELP = 128 << 20
"""Octets of all captures from which on it pays to start other processes."""
WORTH_JUDGES = 4 << 20
"""The same of processes that judge: IKE alone takes a hundred times what other traffic does."""
PATIENCE = 1.0
"""Seconds that somebody waits without asking how far it is."""
MAX_KEYS = 16 << 20
"""Octets of a file of keys; what has more is another file, or has no end."""
MANY = 1_000
"""Captures of which more are told before they are read."""
INTERVAL = 0.2
"""Seconds between two looks."""


def read(
    captures: Sequence[str],
    *,
    peer: str | None,
    spi: str | None,
    ports: Sequence[int],
    jobs: int | None,
    keys: Sequence[str],
    engine: str,
    psk_file: str | None = None,
    platforms: Sequence[str] = (),
    local: Sequence[str] = (),
    max_decompressed: float | None = None,
) -> "Report":
    """The report on these captures; ends the program with a line where there can be none. Warnings are told.

    max_decompressed -- in GB
    """
    check_ends(platforms, local)
    # Records never refer to each other in a circle: looking for circles among a million of them finds nothing.
    gc.disable()
    click.get_current_context().call_on_close(gc.enable)
    with interrupts_held_back():  # an import that Ctrl-C ends halfway cannot be done once more
        faults = faults_of(keys, engine)
    try:
        candidates = candidate_keys(psk_file)
        announce(captures)
        most = None if max_decompressed is None else round(max_decompressed * 1e9)
        with workers(jobs if engine == "own" else 1, captures, ports, most) as executor, progress() as advance:
            from pcapdiag import pipeline  # while the workers have begun

            report = pipeline.analyze(
                captures,
                ports=ports,
                peer=peer,
                spi=spi,
                psks=candidates,
                keys=keys,
                platforms=platforms,
                local=local,
                engine=engine,
                max_decompressed=most,
                executor=executor,
                progress=advance,
            )
    except faults as error:
        warn(getattr(error, "lines", [str(error)]))
        sys.exit(Exit.UNREADABLE)
    warn((*report.errors, *(w for c in report.captures for w in c.summary.warnings)))
    tell_of_keys(candidates, report.diagnoses)
    return report


def check_ends(platforms: Sequence[str], local: Sequence[str]) -> None:
    """Refuse what is said of the ends and cannot be understood, before anything is read."""
    if platforms or local:
        from pcapdiag.diagnosis.causes.platforms import PlatformError, given_of

        try:
            given_of(platforms, local)
        except PlatformError as error:
            raise click.UsageError(str(error)) from None


def announce(captures: Sequence[str]) -> None:
    """Say how many captures there are where that is going to take its time: of a directory nobody has counted them."""
    if any(os.path.isdir(name) for name in captures) or len(captures) > MANY:
        from pcapdiag.capture.files import named

        count = len(named(captures))
        if count > MANY:
            warn([f"reading {count:,} captures"])


def inputs_of(captures: Sequence[str], keys: Sequence[str] = (), *files: object) -> list[object]:
    """Everything that is read, of which nothing may be written over; files -- names and open ones, None for none."""
    from pcapdiag.capture.files import named

    tables: list[str] = []
    if keys:
        from pcapdiag.key_tables import NAMES

        tables += [os.path.join(path, name) for path in keys for name in NAMES]
    return [*named(captures), *keys, *tables, *(file for file in files if file is not None)]


def warn(lines: Iterable[str]) -> None:
    """Lines for standard error."""
    from pcapdiag.report.wording import safe

    for line in lines:
        click.echo(f"pcapdiag: {safe(line)}", err=True)


def faults_of(keys: Sequence[str], engine: str) -> tuple[type[Exception], ...]:
    """What goes wrong with captures, and with keys and another engine where there are any: without them nothing of
    these is imported."""
    from pcapdiag.capture.datagram import CaptureError

    faults: list[type[Exception]] = [CaptureError]
    if keys:
        from pcapdiag.ike.decryption import CryptographyMissingError
        from pcapdiag.ike.decryption_keys import KeyTableError

        faults += (KeyTableError, CryptographyMissingError)
    if engine != "own":
        from pcapdiag.capture.wireshark import WiresharkMissingError

        faults.append(WiresharkMissingError)
    return tuple(faults)


def contents(name: str) -> bytes:
    """What is in a file of keys, or on standard input; ends the program with a line where it cannot be read."""
    try:
        with open(sys.stdin.fileno() if name == "-" else name, "rb", closefd=name != "-") as file:
            octets = file.read(MAX_KEYS + 1)
        reason = f"more than the {MAX_KEYS >> 20} MiB that a file of keys may have" if len(octets) > MAX_KEYS else ""
    except FileNotFoundError:
        reason = "no such file"
    except (OSError, ValueError) as error:  # a name with a null in it is the latter
        reason = getattr(error, "strerror", None) or str(error)
    if reason:
        warn([f"{name}: {reason}"])
        sys.exit(Exit.UNREADABLE)
    return octets


def candidate_keys(psk_file: str | None) -> list[bytes]:
    """The pre-shared keys in a file; a line says so where there is none in it."""
    if psk_file is None:
        return []
    found = psks(contents(psk_file))
    if not found:
        warn([f"{psk_file}: no pre-shared key in it; one a line is expected"])
    return found


def tell_of_keys(candidates: Sequence[bytes], diagnoses: "Iterable[Diagnosis]") -> None:
    """Say so where pre-shared keys were given, and no exchange shows a hash to hold them against."""
    held = (item.kind for found in diagnoses for item in found.evidence)
    if candidates and not any(kind.startswith("psk-") for kind in held):
        warn(
            [
                "--psk-file: nothing here to hold the keys against: only Aggressive Mode with a pre-shared key, from "
                "its message 2 on, has a hash that they can be tried on; Main Mode and IKEv2 encrypt theirs"
            ]
        )


def psks(octets: bytes) -> list[bytes]:
    """Keys, one a line; what begins with 0x is hexadecimal where that holds."""
    keys = []
    for line in octets.splitlines():
        try:
            keys.append(bytes.fromhex(line[2:].decode("ascii")) if line[:2].lower() == b"0x" else line)
        except ValueError:
            keys.append(line)
    return [key for key in keys if key]


@contextmanager
def workers(
    jobs: int | None, captures: Sequence[str], ports: Collection[int] = (), max_decompressed: int | None = None
) -> "Iterator[Executor | None]":
    """An executor with so many processes; none for one job, nor by default where there is little to read.

    A capture that stands alone is begun on it at once, with what is yet to be imported still ahead.
    """
    if jobs is None:
        jobs = _processors() if _octets(captures) >= WORTH_HELP else 1
    if jobs == 1:
        yield None
        return
    from pcapdiag.capture.sieve import Ahead  # before the processes are made: they have it then

    with _pool(jobs) as executor:
        yield Ahead(executor, captures[0], ports, max_decompressed) if len(captures) == 1 else executor


@contextmanager
def judging(jobs: int | None, captures: Sequence[str]) -> "Iterator[Executor | None]":
    """An executor that judges what is read here, as `workers` begins one that reads."""
    if jobs is None:
        jobs = _processors() if _octets(captures) >= WORTH_JUDGES else 1
    if jobs == 1:
        yield None
        return
    from pcapdiag.streaming import court  # noqa: F401 -- before the processes are made: they have it then

    with _pool(jobs) as executor:
        yield executor


@contextmanager
def _pool(jobs: int) -> "Iterator[Executor]":
    """So many processes, that are begun when there is something to do."""
    from concurrent.futures import ProcessPoolExecutor

    class Pool(ProcessPoolExecutor):
        """Begins its processes with SIGINT held back, so that none of them meets it before it ignores it."""

        def submit(self, *arguments: Any, **named: Any) -> "Future[Any]":
            """Hand on; this is what begins processes."""
            with interrupts_held_back():
                return super().submit(*arguments, **named)

    with Pool(jobs, initializer=_leave_interrupts_to_the_parent) as executor:
        try:
            yield executor
        except BaseException:
            # Nobody asks for the parts that were not begun. Those that were are waited for here: at its exit Python
            # would wait for them all the same, and wake their thread through a pipe that may be closed by then.
            executor.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Let no signal that ends the program come in between; what came waits until then."""
    import signal

    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave_interrupts_to_the_parent() -> None:
    """Ctrl-C reaches every process of the terminal; one of them tells of it. What else ends processes ends this one."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGHUP})


def _processors() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _octets(captures: Sequence[str]) -> int:
    """What there is to read, as far as names tell it."""
    octets = 0
    for name in captures:
        files = [name] * os.path.isfile(name)
        if os.path.isdir(name):
            from pcapdiag.capture.files import entries

            files += [entry.path for entry in entries(name)]
        for file in files:
            with suppress(OSError):  # it is said of it when it is opened
                octets += os.path.getsize(file)
    return octets


@contextmanager
def progress() -> Iterator[Callable[[int, int], None] | None]:
    """What `analyze` is to tell how far it is; None unless somebody looks at standard error."""
    if not sys.stderr.isatty():
        yield None
        return
    line = _Line()
    try:
        yield line.tell
    finally:
        line.clear()


class _Line:
    """One line on standard error that is written again and again."""

    def __init__(self) -> None:
        self._began = self._last = monotonic()
        self._shown = False

    def tell(self, done: int, octets: int) -> None:
        """Say how far it is, unless that was said just now; `octets` is 0 where the end is not known."""
        now = monotonic()
        if now - self._last < INTERVAL or now - self._began < PATIENCE:
            return
        self._last = now
        self._shown = True
        print(f"\r{progress_text(done, octets, now - self._began)}\x1b[K", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave nothing behind."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def progress_text(done: int, octets: int, seconds: float) -> str:
    """How far it is: "1.2 of 2.0 GB (60 %), 540 MB/s, 2 s left"."""
    rate = done / seconds if seconds > 0 else 0.0
    if octets <= 0 or done > octets:
        return f"{_amount(done)} read, {_amount(rate)}/s"
    left = (octets - done) / rate if rate else 0.0
    return f"{_amount(done)} of {_amount(octets)} ({100 * done // octets} %), {_amount(rate)}/s, {_span(left)} left"


def _amount(octets: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if octets >= size:
            return f"{octets / size:.1f} {unit}"
    return f"{octets / 1e3:.0f} kB"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
