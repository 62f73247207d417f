"""The tables as pandas DataFrames. Nothing imports this before somebody asks for one: pandas takes half a second."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

try:
    import numpy as np
    import pandas as pd
except ImportError:
    raise ImportError("the tables need pandas, which is not installed: pip install pandas") from None

from pcapdiag.findings import Findings
from pcapdiag.report.tables.columns import PASSAGES, SEPARATOR, TABLES, Column, Kind
from pcapdiag.report.tables.rows import ROWS, Row

CHUNK = 10_000
"""Rows that are taken apart at a time: what the garbage collector goes through again and again is not all of them."""


def dataframe(report: Findings, table: str) -> pd.DataFrame:
    """One of columns.TABLES, with a RangeIndex. A report without any rows gives the same columns and dtypes."""
    return table_of(TABLES[table], ROWS[table](report))


def table_of(columns: Sequence[Column], rows: Iterator[Row]) -> pd.DataFrame:
    """A DataFrame of these columns, with a RangeIndex."""
    values: list[list[Any]] = [[] for _ in columns]
    while some := list(islice(rows, CHUNK)):
        for cells, more in zip(values, zip(*some, strict=True), strict=True):
            cells += more
    return pd.DataFrame({c.name: _array(c, v) for c, v in zip(columns, values, strict=True)}, copy=False)


def columns(table: str) -> pd.DataFrame:
    """What the columns of a table of a Report are: by their names, the dtype and the meaning of each.

    table -- "exchanges", "messages", "evidence" or "causes"; of a Comparison also "passages"
    """
    known = {**TABLES, "passages": PASSAGES}
    if table not in known:
        raise ValueError(f"no table {table!r}: {', '.join(known)}")
    found = known[table]
    index = pd.Index([c.name for c in found], name="column", dtype="string")
    return pd.DataFrame(
        {"dtype": [c.dtype for c in found], "meaning": [c.meaning for c in found]}, index=index, dtype="string"
    )


_NONE = np.iinfo(np.int64).min
"""What numpy keeps in the place of a time that is not there."""


def _array(column: Column, values: Sequence[Any]) -> Any:
    """The values of a column, with its dtype."""
    kind = column.kind
    if kind is Kind.NAMES:
        return pd.array([SEPARATOR.join(v) for v in values], dtype="string")
    if kind is Kind.CATEGORY:
        dtype = pd.CategoricalDtype(column.categories, column.ordered)
        places = {word: place for place, word in enumerate(column.categories)} | {None: -1}
        return pd.Categorical.from_codes([places[v] for v in values], dtype=dtype)
    if kind in (Kind.TIME, Kind.DURATION):
        numbers = np.array([_NONE if v is None else v for v in values], dtype=np.int64)
        if kind is Kind.DURATION:
            return pd.array(numbers.view("m8[ns]"), dtype="timedelta64[ns]")
        return pd.DatetimeIndex(numbers.view("M8[ns]")).tz_localize("UTC").array
    if kind is Kind.INTEGERS:
        found = np.empty(len(values), dtype=object)
        for place, value in enumerate(values):
            found[place] = value  # numpy would make a second dimension of tuples that are equally long
        return found
    if kind is Kind.TEXT or column.dtype == "Int64":
        return pd.array(list(values), dtype=column.dtype)
    return np.array(values, dtype=column.dtype)
