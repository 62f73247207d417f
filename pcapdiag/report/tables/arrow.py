"""Rows of the tables as Arrow has them, for Parquet: without pandas, some rows at a time."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pcapdiag.report.tables.columns import SEPARATOR, Column, Kind

TYPES = {
    Kind.TEXT: pa.string(),
    Kind.NAMES: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.TIME: pa.timestamp("ns", "UTC"),
    Kind.DURATION: pa.duration("ns"),
    Kind.CATEGORY: pa.dictionary(pa.int8(), pa.string()),
    Kind.INTEGERS: pa.list_(pa.int64()),
}
"""What Parquet keeps of each kind of value."""


def schema_of(columns: Sequence[Column], metadata: dict[str, str] | None = None) -> Any:
    """The schema of a table, with the meaning of each column as its description."""
    fields = [pa.field(c.name, TYPES[c.kind], metadata={"description": c.meaning}) for c in columns]
    return pa.schema(fields, metadata=metadata)


def batch_of(columns: Sequence[Column], rows: Sequence[Sequence[Any]], schema: Any) -> Any:
    """A record batch of these rows, in the order of the columns."""
    values = list(zip(*rows, strict=True))
    return pa.record_batch([_array(c, v) for c, v in zip(columns, values, strict=True)], schema=schema)


def _array(column: Column, values: Sequence[Any]) -> Any:
    if column.kind is Kind.NAMES:
        return pa.array([SEPARATOR.join(names) for names in values], pa.string())
    if column.kind is Kind.CATEGORY:
        places: dict[Any, int | None] = {word: place for place, word in enumerate(column.categories)}
        codes = pa.array([places.get(value) for value in values], pa.int8())
        return pa.DictionaryArray.from_arrays(codes, pa.array(column.categories, pa.string()))
    return pa.array(values, TYPES[column.kind])
