"""Every IKE message, a row each, for other programs: CSV, NDJSON, Parquet. The columns are those of `Report.messages`.

CSV is that of RFC 4180, in UTF-8. A spreadsheet takes a cell that begins with = + - or @ for a formula, and what that
does is up to whoever named a file or a vendor ID: such a text gets an apostrophe in front, which a spreadsheet reads as
"this is text". So does one that begins with a tab or an end of line. Numbers are as they are.
"""

import csv
from collections.abc import Callable, Iterator
from json.encoder import encode_basestring_ascii
from time import gmtime, strftime
from typing import Any, BinaryIO, cast

from pcapdiag.findings import Findings
from pcapdiag.report.tables.columns import MESSAGES, SEPARATOR, Kind
from pcapdiag.report.tables.rows import message_rows
from pcapdiag.units import SECOND

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a text may not begin with in CSV, in either width."""


def iso_time(nanoseconds: int) -> str:
    """A point in time in UTC, `2026-11-23T09:02:01.219609000Z`."""
    whole, rest = divmod(nanoseconds, SECOND)
    return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(whole))}.{rest:09d}Z"


def exact_seconds(nanoseconds: int) -> str:
    """A duration in seconds, `4.004123000`."""
    whole, rest = divmod(abs(nanoseconds), SECOND)
    return f"{'-' if nanoseconds < 0 else ''}{whole}.{rest:09d}"


# --- CSV ---------------------------------------------------------------------------------------------------------


def csv_lines(report: Findings) -> Iterator[str]:
    """The line of names, then a line each; they end as RFC 4180 has it."""
    writer = csv.writer(_Returned())
    cells = [_CSV[column.kind] for column in MESSAGES]
    yield cast(str, writer.writerow([column.name for column in MESSAGES]))
    for row in message_rows(report):
        values = ["" if value is None else cell(value) for cell, value in zip(cells, row, strict=True)]
        yield cast(str, writer.writerow(values))


class _Returned:
    """A file for the csv module, whose writer returns what its file's `write` does."""

    def write(self, line: str) -> str:
        """Give it back."""
        return line


def _csv_text(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


_CSV: dict[Kind, Callable[[Any], str]] = {
    Kind.TEXT: _csv_text,
    Kind.NAMES: lambda names: _csv_text(SEPARATOR.join(names)),
    Kind.INTEGER: str,
    Kind.BOOLEAN: lambda value: "true" if value else "false",
    Kind.TIME: iso_time,
    Kind.DURATION: exact_seconds,
    Kind.CATEGORY: str,
    Kind.INTEGERS: lambda numbers: " ".join(map(str, numbers)),
}

# --- NDJSON ------------------------------------------------------------------------------------------------------


def ndjson_lines(report: Findings) -> Iterator[str]:
    """A JSON object each, in ASCII."""
    cells = [(f'"{column.name}":', _JSON[column.kind]) for column in MESSAGES]
    for row in message_rows(report):
        values = [
            f"{name}{'null' if value is None else cell(value)}" for (name, cell), value in zip(cells, row, strict=True)
        ]
        yield f"{{{','.join(values)}}}\n"


_JSON: dict[Kind, Callable[[Any], str]] = {
    Kind.TEXT: encode_basestring_ascii,
    Kind.NAMES: lambda names: f"[{','.join(map(encode_basestring_ascii, names))}]",
    Kind.INTEGER: str,
    Kind.BOOLEAN: lambda value: "true" if value else "false",
    Kind.TIME: lambda time: f'"{iso_time(time)}"',
    Kind.DURATION: exact_seconds,
    Kind.CATEGORY: encode_basestring_ascii,
    Kind.INTEGERS: lambda numbers: f"[{','.join(map(str, numbers))}]",
}

# --- Parquet -----------------------------------------------------------------------------------------------------


def write_parquet(report: Findings, file: BinaryIO) -> None:
    """A Parquet file with the dtypes of the DataFrame, and the meaning of each column as its description."""
    import pyarrow as pa
    from pyarrow import parquet

    from pcapdiag.report.tables.arrow import schema_of
    from pcapdiag.report.tables.dataframes import dataframe  # and with it pandas

    schema = schema_of(MESSAGES)
    table = pa.Table.from_pandas(dataframe(report, "messages"), schema=schema, preserve_index=False)
    parquet.write_table(table, file)
