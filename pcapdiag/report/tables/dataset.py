"""A Parquet data set of a stream: a file a table, written as it goes.

Of an exchange that is told more than once the rows with the highest `revision` hold; `messages` has each message once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from pyarrow import parquet

from pcapdiag.diagnosis.evidence.weak_algorithms import weak
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.tracker import TrackerCounts
from pcapdiag.findings import Findings
from pcapdiag.report.tables.arrow import batch_of, schema_of
from pcapdiag.report.tables.columns import CAUSES, EVIDENCE, EXCHANGES, MESSAGES, Column, Kind
from pcapdiag.report.tables.rows import ROWS, Row, crossings, message_row
from pcapdiag.report.wording import safe, transform_text
from pcapdiag.streaming.told import Told

SCHEMA_VERSION = "1"
"""Columns are added without a new one; a new one is for columns that mean something else."""
CHUNK = 20_000
"""Rows that are kept until they are written."""

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
        self.counts = dict.fromkeys(TABLES, 0)

    def add(self, told: Told, names: Sequence[str]) -> None:
        """The rows of an exchange; names -- of the captures so far."""
        alone = _alone(told.diagnosis)
        last = (told.revision,)
        self._append("exchanges", ((*row, told.revision, told.corrects) for row in ROWS["exchanges"](alone)))
        self._append("messages", ((*row, *last) for row in _new_messages(told, alone, [safe(name) for name in names])))
        self._append("evidence", ((*row, *last) for row in ROWS["evidence"](alone)))
        self._append("causes", ((*row, *last) for row in ROWS["causes"](alone)))
        self._append("tunnels", [_tunnel_row(told)])

    def error(self, text: str) -> None:
        """What could not be read."""
        self._append("errors", [(safe(text),)])

    def close(self) -> None:
        """Write what is left, and close the files."""
        for name in TABLES:
            self._write(name)
        self.abandon()

    def abandon(self) -> None:
        """Close the files as they are; once closed, nothing happens."""
        for name, writer in self._writers.items():
            writer.close()
            self._files[name].close()

    def _append(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        self._rows[name] += rows
        if len(self._rows[name]) >= CHUNK:
            self._write(name)

    def _write(self, name: str) -> None:
        rows = self._rows[name]
        if rows:
            self._writers[name].write_batch(batch_of(TABLES[name], rows, self._schemas[name]))
            self.counts[name] += len(rows)
            rows.clear()


def _alone(diagnosis: Diagnosis) -> Findings:
    """A report of this exchange only, for what makes rows of reports."""
    return Findings((), (), (diagnosis,), (), TrackerCounts())


def _new_messages(told: Told, alone: Findings, names: Sequence[str]) -> Iterator[Row]:
    for crossing in crossings(alone):
        if told.since is None or crossing.sighting.frames[-1] > told.since:
            yield message_row(crossing, names)


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
