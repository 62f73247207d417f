"""What a worker does: judge the captures of one gateway and day, and write the tables of it."""

import hashlib
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any, BinaryIO, cast

import fsspec
import msgspec

from pcapdiag.capture.datagram import CaptureError
from pcapdiag.capture.files import First
from pcapdiag.capture.savefile import Savefile
from pcapdiag.fleet.places import Found, Store
from pcapdiag.pipeline import Stream
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
        said = [f"{VERSION} {LAYOUT}", *(f"{found.url} {found.version}" for found in self.inputs)]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()


class Manifest(msgspec.Struct, frozen=True):
    """What a task left: it is written when all else is there.

    files -- of each table its file; rows -- how many it has; errors -- what could not be read
    last_time -- of the captures read (nanoseconds); octets -- of them
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


class Remote(Savefile):
    """A capture that fsspec opens."""

    def _open(self) -> tuple[BinaryIO, bool]:
        try:
            return cast(BinaryIO, fsspec.open(self._path, "rb").open()), True
        except (OSError, ValueError, ImportError) as fault:
            raise CaptureError(f"{self._name}: {getattr(fault, 'strerror', None) or fault}") from None


class _RemoteFirst(Remote, First):
    """Reads one up to its first packet."""


def first_time(url: str) -> int | None:
    """When the first packet of a capture was captured (nanoseconds); None where none can be read."""
    return _RemoteFirst(url).first_time()


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


def work(task: Task, output: str) -> Manifest:
    """Do a task: write its tables, then its manifest, then remove what it left before. Raises OSError."""
    store = Store(output)
    before = manifest_of(store, task.name)
    octets, rows, found = _tables(task)
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


def _tables(task: Task) -> tuple[dict[str, bytes], dict[str, int], Manifest]:
    """Each table as a Parquet file, how many rows it has, and what else is to be said."""
    buffers: dict[str, _Buffer] = {}

    def opened(name: str) -> BinaryIO:
        buffers[name] = _Buffer()
        return buffers[name]

    def capture(number: int, source: Any) -> Savefile:
        return Remote(source, capture=number, name=source)

    dataset = Dataset(opened)
    stream: Stream[TableRows] = Stream(
        [found.url for found in task.inputs],
        capture,
        Court(Rules(made=_OfDay(task))),
        window=(task.begin - MARGIN, task.end + MARGIN),
    )
    exchanges = 0
    try:
        for rows in stream:
            dataset.add(rows, stream.names)
            exchanges += first_telling(rows)
    except CaptureError:
        pass  # none of them can be read: `errors` says of each why
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
