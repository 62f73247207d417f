"""A Parquet data set of a stream: a file a table, written as it goes.

Of an exchange that is told more than once the rows with the highest `revision` hold; `messages` has each message once.
"""

from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

from pcapdiag.diagnosis.evidence.weak_algorithms import weak
from pcapdiag.exchange.tracker import TrackerCounts
from pcapdiag.findings import Findings
from pcapdiag.report.tables.arrow import batch_of, schema_of
from pcapdiag.report.tables.columns import CAUSES, EVIDENCE, EXCHANGES, MESSAGES, Column, Kind
from pcapdiag.report.tables.rows import ROWS, Row, message_row, placed_sightings
from pcapdiag.report.wording import safe, transform_text
from pcapdiag.streaming.told import Told

SCHEMA_VERSION = "1"
"""Columns are added without a new one; a new one is for columns that mean something else."""
CHUNK, GROUP = 1_000, 10_000
"""Rows that are kept as they are, until they are put into columns; and those that are written together then."""

_REVISION = Column("revision", Kind.INTEGER, "how often the exchange was told; of each, the rows of the highest hold")
TUNNELS = (
    Column("exchange", Kind.INTEGER, "the exchange; with `revision` the key of this table"),
    Column("conversation", Kind.TEXT, "the addresses of the two peers, whoever began, with a blank between"),
    Column("time", Kind.TIME, "when its first message was seen", optional=True),
    Column("state", Kind.CATEGORY, "whether the tunnel is there", categories=EXCHANGES[7].categories),
    Column("well", Kind.BOOLEAN, "phase 1 completed, and nothing says that what followed failed"),
    Column("text", Kind.TEXT, "why that is said"),
    Column("algorithms", Kind.NAMES, "what was chosen for phase 1"),
    Column("weak", Kind.NAMES, "those of them that are weak or deprecated, and who says so"),
    _REVISION,
)
ERRORS = (Column("text", Kind.TEXT, "what could not be read, and why"),)
TABLES: dict[str, tuple[Column, ...]] = {
    "exchanges": (
        *EXCHANGES,
        _REVISION,
        Column("corrects", Kind.NAMES, "what of the verdict is not what was told before"),
    ),
    "messages": (*MESSAGES, _REVISION),
    "evidence": (*EVIDENCE, _REVISION),
    "causes": (*CAUSES, _REVISION),
    "tunnels": TUNNELS,
    "errors": ERRORS,
}
"""The tables of a data set, each in a file."""


TableRows = dict[str, Sequence[Sequence[Any]]]
"""Rows by the names of their tables."""


class Dataset:
    """Writes the tables of a stream.

    opened -- opens the file of a table, by its name, to write octets to
    """

    def __init__(self, opened: Callable[[str], BinaryIO]) -> None:
        self._files = {name: opened(name) for name in TABLES}
        self._schemas = {
            name: schema_of(columns, {"pcapdiag.schema_version": SCHEMA_VERSION, "pcapdiag.table": name})
            for name, columns in TABLES.items()
        }
        self._writers = {
            name: parquet.ParquetWriter(self._files[name], schema, compression="zstd")
            for name, schema in self._schemas.items()
        }
        self._rows: dict[str, list[Sequence[Any]]] = {name: [] for name in TABLES}
        self._batches: dict[str, list[Any]] = {name: [] for name in TABLES}
        self.counts = dict.fromkeys(TABLES, 0)

    def add(self, rows: TableRows, names: Sequence[str]) -> None:
        """The rows of an exchange; names -- of the captures so far."""
        for name, found in rows.items():
            if name == "messages":
                found = [(*row[:_FILE], safe(names[row[_CAPTURE]]), *row[_FILE + 1 :]) for row in found]
            self._append(name, found)

    def error(self, text: str) -> None:
        """What could not be read."""
        self._append("errors", [(safe(text),)])

    def close(self) -> None:
        """Write what is left, and close the files."""
        for name in TABLES:
            self._into_columns(name)
            self._write(name)
        self.abandon()

    def abandon(self) -> None:
        """Close the files as they are; once closed, nothing happens."""
        for name, writer in self._writers.items():
            writer.close()
            self._files[name].close()

    def _append(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        self._rows[name] += rows
        if len(self._rows[name]) >= CHUNK:
            self._into_columns(name)

    def _into_columns(self, name: str) -> None:
        rows, batches = self._rows[name], self._batches[name]
        if rows:
            batches.append(batch_of(TABLES[name], rows, self._schemas[name]))
            self.counts[name] += len(rows)
            rows.clear()
        if len(batches) * CHUNK >= GROUP:
            self._write(name)

    def _write(self, name: str) -> None:
        batches = self._batches[name]
        if batches:
            self._writers[name].write_table(pa.Table.from_batches(batches))
            batches.clear()


def rows_of(told: Told) -> TableRows:
    """The rows of an exchange in each table, made where it is judged: files have no names there yet."""
    alone = Findings((), (), (told.diagnosis,), (), TrackerCounts())
    last = (told.revision,)
    return {
        "exchanges": [(*row, told.revision, told.corrects) for row in ROWS["exchanges"](alone)],
        "messages": [
            (*message_row(placed, _Nameless()), *last)
            for placed in placed_sightings(alone)
            if told.since is None or placed.sighting.frames[-1] > told.since
        ],
        "evidence": [(*row, *last) for row in ROWS["evidence"](alone)],
        "causes": [(*row, *last) for row in ROWS["causes"](alone)],
        "tunnels": [_tunnel_row(told)],
    }


def first_telling(rows: TableRows) -> bool:
    """Whether the exchange that these rows are of was not told before."""
    return bool(rows["tunnels"][0][-1] == 1)


class _Nameless(Sequence[str]):
    """Names of captures that are not known yet: all are empty."""

    def __getitem__(self, place: Any) -> Any:
        """Nothing, for any place."""
        return ""

    def __len__(self) -> int:
        """As many as there may be."""
        return 1 << 31


_CAPTURE, _FILE = ([c.name for c in MESSAGES].index(name) for name in ("capture", "file"))


def _tunnel_row(told: Told) -> Row:
    diagnosis = told.diagnosis
    e = diagnosis.exchange
    return (
        e.id,
        " ".join(e.conversation),
        e.first_time if 0 <= e.first_time < 1 << 63 else None,
        diagnosis.tunnel.state.value,
        diagnosis.well,
        diagnosis.tunnel.text,
        tuple(transform_text(t) for t in diagnosis.chosen),
        tuple(weak(diagnosis.chosen)),
        told.revision,
    )
