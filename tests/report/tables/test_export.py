"""CSV, NDJSON and Parquet of the messages: the columns and values of the DataFrame, and nothing that acts."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyarrow import parquet

from pcapdiag.pipeline import Report, analyze
from pcapdiag.report.tables.columns import MESSAGES, SEPARATOR, Kind
from pcapdiag.report.tables.export import csv_lines, exact_seconds, iso_time, ndjson_lines, write_parquet
from pcapdiag.report.tables.rows import message_rows
from tests import CAPTURES
from tests.report.reports import of_capture

CAPTURE_NAMES = (
    *("completed-psk-nanoseconds.pcapng", "completed-any-interface.pcap", "mm5-udp-4500-blocked.pcap"),
    *("completed-certificates-ip-fragments.pcap", "aggressive-completed.pcap", "ikev2-cookie.pcap"),
)


@pytest.fixture(scope="module", params=[*CAPTURE_NAMES, "no-ike-arp-only.pcap"])
def report(request: pytest.FixtureRequest) -> Report:
    return of_capture(request.param)


def cells(report: Report) -> list[list[str]]:
    return list(csv.reader(io.StringIO("".join(csv_lines(report)), newline=""), strict=True))


def objects(report: Report) -> list[dict[str, Any]]:
    return [json.loads(line, parse_float=str) for line in ndjson_lines(report)]


def test_csv_has_the_columns_and_values_of_the_dataframe(report: Report) -> None:
    head, *lines = cells(report)
    assert head == list(report.messages.columns)
    assert len(lines) == len(report.messages)
    for line, row in zip(lines, message_rows(report), strict=True):
        for column, cell, value in zip(MESSAGES, line, row, strict=True):
            assert cell == as_csv(column.kind, value), column.name


def as_csv(kind: Kind, value: Any) -> str:
    """Written down once more, in another way than the program does it."""
    if value is None:
        return ""
    if kind is Kind.TIME:
        return pd.Timestamp(value, unit="ns").isoformat(timespec="nanoseconds") + "Z"
    if kind is Kind.DURATION:
        return f"{pd.Timedelta(value, unit='ns').value / 10**9:.9f}"
    if kind is Kind.BOOLEAN:
        return str(value).lower()
    if isinstance(value, tuple):
        return (" " if kind is Kind.INTEGERS else SEPARATOR).join(str(v) for v in value)
    return str(value)


def test_ndjson_has_them_too(report: Report) -> None:
    found = objects(report)
    assert len(found) == len(report.messages)
    for one, row in zip(found, message_rows(report), strict=True):
        assert list(one) == list(report.messages.columns)
        for column, value in zip(MESSAGES, row, strict=True):
            cell = one[column.name]
            if column.kind in (Kind.TIME, Kind.DURATION) and value is not None:
                assert cell == as_csv(column.kind, value)
            elif isinstance(value, tuple):
                assert tuple(cell) == value
            else:
                assert cell == value
                assert type(cell) is type(value)


def test_parquet_is_the_dataframe(report: Report, tmp_path: Path) -> None:
    with (tmp_path / "messages.parquet").open("wb") as file:
        write_parquet(report, file)
    found = pd.read_parquet(tmp_path / "messages.parquet")
    expected = report.messages
    found["frames"] = [tuple(numbers) for numbers in found["frames"]]  # a list in Parquet, an array when it is read
    # Without any rows Parquet has no categories either.
    pd.testing.assert_frame_equal(found, expected, check_dtype=len(expected) > 0, check_categorical=len(expected) > 0)
    schema = parquet.read_schema(tmp_path / "messages.parquet")
    assert {f.name: f.metadata[b"description"].decode() for f in schema} == {c.name: c.meaning for c in MESSAGES}


def test_times_and_durations_keep_every_nanosecond() -> None:
    assert iso_time(1_795_424_523_000_000_001) == "2026-11-23T09:02:03.000000001Z"
    assert iso_time(-1) == "1969-12-31T23:59:59.999999999Z"
    assert exact_seconds(4_003_000_001) == "4.003000001"
    assert exact_seconds(-1) == "-0.000000001"
    found = of_capture("completed-psk-nanoseconds.pcapng")
    times = pd.to_datetime([one["time"] for one in objects(found)])
    assert (times == found.messages.time).all()
    assert any(time.nanosecond for time in times)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "＝1+1", "\t=1", "\r=1"])
def test_no_cell_of_csv_is_a_formula(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"{name}.pcap").write_bytes((CAPTURES / "mm1-no-reply.pcap").read_bytes())
    report = analyze(f"{name}.pcap")
    for text in csv_lines(report):
        (line,) = csv.reader([text])
        for column, cell in zip(MESSAGES, line, strict=True):
            assert cell[:1] not in tuple("=+-@\t\r＝＋－＠") or column.kind is Kind.DURATION
            assert cell.isprintable()
    (file,) = {one["file"] for one in objects(report)}
    assert {line[9] for line in cells(report)[1:]} == {file if file[0] == "\\" else f"'{file}"}


def test_lines_end_as_rfc_4180_has_it_and_quotes_are_doubled(tmp_path: Path) -> None:
    path = tmp_path / 'a "quoted", name.pcap'
    path.write_bytes((CAPTURES / "mm1-no-reply.pcap").read_bytes())
    lines = list(csv_lines(analyze(path)))
    assert all(line.endswith("\r\n") and line.count("\n") == 1 for line in lines)
    assert 'a ""quoted"", name.pcap"' in lines[1]


def test_ndjson_is_ascii_whatever_a_file_is_called(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m\u202e\U0001f600.pcap"
    path.write_bytes((CAPTURES / "mm1-no-reply.pcap").read_bytes())
    for line in ndjson_lines(analyze(path)):
        assert line.isascii()
        assert line[:-1].isprintable()
