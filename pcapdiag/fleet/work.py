"""What a worker does: judge the captures of one gateway and day, and write the tables of it."""

import gc
import hashlib
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any, BinaryIO, cast

import msgspec

from pcapdiag.capture.datagram import CaptureError
from pcapdiag.capture.files import First
from pcapdiag.capture.savefile import Savefile
from pcapdiag.fleet.access import PLAIN, Access, told
from pcapdiag.fleet.places import Fault, FleetError, Found, Store, is_http, is_local, opened, tried
from pcapdiag.pipeline import Stream
from pcapdiag.record import Record
from pcapdiag.report.tables.dataset import TABLES, Dataset, TableRows, first_telling, rows_of
from pcapdiag.streaming.court import Court, Rules
from pcapdiag.streaming.told import Told
from pcapdiag.units import SECOND
from pcapdiag.version import VERSION

MARGIN = 3_600 * SECOND
"""So much before and after a day is read with it: an exchange is told in the day in which it began, as a whole."""
LAYOUT = 1
"""Of the data set; a manifest of another one is done anew."""


class Task(msgspec.Struct, frozen=True):
    """The captures of a gateway that can hold something of a day, in the order of their first packets.

    day -- ISO 8601, in UTC
    """

    gateway: str
    day: str
    inputs: tuple[Found, ...]

    @property
    def name(self) -> str:
        """Of its manifest, which says that it is done."""
        return f"manifests/date={self.day}/gateway={self.gateway}.json"

    @property
    def begin(self) -> int:
        """When the day begins, nanoseconds."""
        return round(datetime.fromisoformat(self.day).replace(tzinfo=UTC).timestamp()) * SECOND

    @property
    def end(self) -> int:
        """When the next one does."""
        return self.begin + 86_400 * SECOND

    @property
    def digest(self) -> str:
        """Another one where the inputs are others, or the program is."""
        said = [f"{VERSION} {LAYOUT}", *(f"{found.name} {found.version}" for found in self.inputs)]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()


class Manifest(msgspec.Struct, frozen=True):
    """What a task left: it is written when all else is there.

    files -- of each table its file; rows -- how many it has; errors -- what could not be read
    last_time -- of the captures read (nanoseconds); octets -- of them
    refused -- a store did not give a capture out: the next run asks again
    """

    gateway: str
    day: str
    digest: str
    files: dict[str, str]
    rows: dict[str, int]
    exchanges: int
    errors: list[str]
    last_time: int
    octets: int
    refused: bool = False


BLOCK, HEAD = 16 << 20, 64 << 10
"""Octets that are asked of an object store at a time; and those for the head of a capture."""
AT_ONCE = 16
"""Heads that a worker asks for at a time: it waits for the store, mostly."""


class _Reading:
    """The octets of a capture out of a store. What the store refuses is an OSError; what does not come a FleetError."""

    def __init__(self, url: str, name: str, access: Access, most: int) -> None:
        self._name, self._access, self._most = name, access, most
        self.refused = False
        system, path = opened(url, access)
        self._local = is_local(system)
        how: dict[str, Any] = {"block_size": BLOCK, "cache_type": "readahead"}
        if most <= HEAD:
            how = {"block_size": HEAD, "cache_type": "none"}
        if is_http(system):
            how = {"block_size": 0}  # one request for all: not every server gives out parts
        self._stream = self._asked(system.open, path, "rb", **({} if self._local else how))

    def read(self, size: int) -> bytes:
        """So many octets, or fewer; none at the end."""
        return cast(bytes, self._asked(self._stream.read, min(size, self._most)))

    def close(self) -> None:
        """Let go of it."""
        self._stream.close()

    def _asked(self, ask: Any, *arguments: Any, **how: Any) -> Any:
        try:
            return ask(*arguments, **how)
        except Exception as error:  # of any class, by the store's library
            text = told(error, self._access)
            denied = getattr(error, "status", None) in (401, 403, 404, 410)
            if self._local or denied or isinstance(error, PermissionError | FileNotFoundError):
                self.refused = not self._local or isinstance(error, PermissionError)
                raise OSError(text) from None
            raise FleetError(f"{self._name}: {text}") from None


class Remote(Savefile):
    """A capture that fsspec opens. Iterating raises FleetError where the store does not give all of it."""

    most = 1 << 62
    """Octets to ask for at a time."""

    def __init__(self, found: Found, access: Access, capture: int = 0) -> None:
        super().__init__(found.url, capture=capture, name=found.name)
        self._url, self._access = found.url, access
        self._source: _Reading | None = None
        self._denied = False

    @property
    def refused(self) -> bool:
        """Whether the store did not give it out, which may be otherwise another time."""
        return self._denied or (self._source is not None and self._source.refused)

    def _open(self) -> tuple[BinaryIO, bool]:
        try:
            self._source = _Reading(self._url, self._name, self._access, self.most)
        except OSError as fault:
            self._denied = True
            raise CaptureError(f"{self._name}: {fault}") from None
        return cast(BinaryIO, self._source), True


class _RemoteFirst(Remote, First):
    """Reads one up to its first packet."""

    most = HEAD


def first_times(captures: Sequence[Found], access: Access = PLAIN) -> list[int | Fault | None]:
    """When the first packet of each was captured (nanoseconds); None where none can be read, a Fault for no answer."""
    with ThreadPoolExecutor(min(AT_ONCE, len(captures) or 1)) as pool:
        return list(pool.map(lambda found: tried(_first_time, access, found), captures))


def _first_time(found: Found, access: Access) -> int | None:
    return _RemoteFirst(found, access).first_time()


def day_of(time: int | None) -> date:
    """The day in UTC; what has no time is of the first one there is."""
    return (datetime.fromtimestamp(0, UTC) + timedelta(seconds=(time or 0) // SECOND)).date()


class _OfDay:
    """The rows of what began in this day."""

    def __init__(self, task: Task) -> None:
        self._begin, self._end = task.begin, task.end

    def __call__(self, told: Told) -> TableRows | None:
        """None for what belongs to another day."""
        return rows_of(told) if self._begin <= told.diagnosis.exchange.first_time < self._end else None


class Known(Record, frozen=True):
    """A task that was done before."""

    manifest: Manifest


def done_or_work(task: Task, output: str, access: Access) -> Manifest | Known:
    """Do a task, unless it is done: its manifest says that, and the files are there that it names."""
    store = Store(output, access)
    before = manifest_of(store, task.name)
    same = before is not None and before.digest == task.digest and not before.refused
    if before is not None and same and all(store.has(file) for file in before.files.values()):
        return Known(before)
    return work(task, output, access)


def work(task: Task, output: str, access: Access = PLAIN) -> Manifest:
    """Do a task: write its tables, then its manifest, then remove what it left before. Raises FleetError."""
    store = Store(output, access)
    before = manifest_of(store, task.name)
    octets, rows, found = _tables(task, access)
    files = {name: _file(task, name, octets[name]) for name in TABLES if rows[name]}
    for name, file in files.items():
        if not store.has(file):
            store.write(file, octets[name])
    manifest = msgspec.structs.replace(found, files=files, rows=rows)
    store.write(task.name, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    for name, file in (before.files if before is not None else {}).items():
        if files.get(name) != file:
            store.remove(file)
    return manifest


def manifest_of(store: Store, name: str) -> Manifest | None:
    """What a task left; None where it has not been done, or by another program."""
    octets = store.read(name)
    try:
        return msgspec.json.decode(octets, type=Manifest) if octets is not None else None
    except msgspec.MsgspecError:
        return None


def _file(task: Task, table: str, octets: bytes) -> str:
    """Where a table stands: named by its contents, so that a task that runs twice writes the same file."""
    name = hashlib.sha256(octets).hexdigest()[:32]
    return f"{table}/date={task.day}/gateway={task.gateway}/{name}.parquet"


def _tables(task: Task, access: Access) -> tuple[dict[str, bytes], dict[str, int], Manifest]:
    """Each table as a Parquet file, how many rows it has, and what else is to be said."""
    buffers: dict[str, _Buffer] = {}

    def opened(name: str) -> BinaryIO:
        buffers[name] = _Buffer()
        return buffers[name]

    read: list[Remote] = []
    inputs = {found.url: found for found in task.inputs}

    def capture(number: int, source: Any) -> Savefile:
        read.append(Remote(inputs[source], access, number))
        return read[-1]

    dataset = Dataset(opened)
    stream: Stream[TableRows] = Stream(
        [found.url for found in task.inputs],
        capture,
        Court(Rules(made=_OfDay(task))),
        window=(task.begin - MARGIN, task.end + MARGIN),
    )
    exchanges = 0
    # Records never refer to each other in a circle: to look for circles takes a tenth of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        for rows in stream:
            dataset.add(rows, stream.names)
            exchanges += first_telling(rows)
    except CaptureError:
        pass  # none of them can be read: `errors` says of each why
    finally:
        stream.close()
        if collecting:
            gc.enable()
    errors = [*stream.errors, *(w for c in stream.captures for w in c.summary.warnings)]
    for text in errors:
        dataset.error(text)
    dataset.close()
    last = max((c.summary.last_time or 0 for c in stream.captures), default=0)
    manifest = Manifest(
        gateway=task.gateway,
        day=task.day,
        digest=task.digest,
        files={},
        rows={},
        exchanges=exchanges,
        errors=errors,
        last_time=last,
        octets=sum(found.size for found in task.inputs),
        refused=any(one.refused for one in read),
    )
    return {name: buffer.octets for name, buffer in buffers.items()}, dict(dataset.counts), manifest


class _Buffer(io.BytesIO):
    """What is written, still there when it is closed."""

    octets = b""

    def close(self) -> None:
        """Keep the octets."""
        if not self.closed:
            self.octets = self.getvalue()
        super().close()
