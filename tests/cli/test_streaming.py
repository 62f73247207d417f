"""`analyze --ndjson` and `-o DIR`."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pyarrow import parquet

from pcapdiag.cli.main import main
from pcapdiag.pipeline import analyze
from pcapdiag.report import json_report
from pcapdiag.report.tables.columns import SEPARATOR, Column, Kind
from pcapdiag.report.tables.dataset import SCHEMA_VERSION, TABLES
from pcapdiag.report.tables.rows import ROWS

CAPTURES = Path(__file__).parents[2] / "captures"
PATHS = [str(CAPTURES / f"{name}.pcap") for name in ("completed-nat", "mm5-lost", "ikev2-certificate-expired")]


def run(*arguments: str, status: int) -> str:
    result = CliRunner().invoke(main, ["analyze", *arguments])
    assert result.exit_code == status, result.output
    return result.stdout


def test_each_exchange_is_as_the_json_report_has_it_and_the_summary_comes_last() -> None:
    *lines, last = map(json.loads, run("--ndjson", *PATHS, status=1).splitlines())
    report = json.loads("".join(json_report.render(analyze(PATHS))))
    told = {line["id"]: line for line in lines}
    for exchange in report["exchanges"]:
        assert told.pop(exchange["id"]) == {**exchange, "revision": 1, "corrects": []}
    assert told == {}
    summary = last["summary"]
    assert summary["exchanges"] == len(report["exchanges"])
    assert summary["captures"] == report["captures"]
    assert sum(peer["exchanges"] for peer in summary["peers"]) == summary["exchanges"]


def values_of(column: Any, known: Column) -> list[Any]:
    """The values as rows have them."""
    if known.kind in (Kind.TIME, Kind.DURATION):
        column = column.cast("int64")
    values = column.to_pylist()
    return [tuple(v) for v in values] if known.kind is Kind.INTEGERS else values


def test_a_data_set_has_the_rows_of_the_data_frames(tmp_path: Path) -> None:
    run("-o", str(tmp_path / "set"), *PATHS, status=1)
    report = analyze(PATHS)
    for name in ("exchanges", "messages", "evidence", "causes"):
        table = parquet.read_table(tmp_path / "set" / f"{name}.parquet")
        assert table.schema.metadata[b"pcapdiag.schema_version"] == SCHEMA_VERSION.encode()
        assert table.column_names == [column.name for column in TABLES[name]]
        columns = TABLES[name][: -1 if name != "exchanges" else -2]
        mine = zip(*[values_of(table.column(c.name), c) for c in columns], strict=True)
        theirs = [
            tuple(SEPARATOR.join(v) if c.kind is Kind.NAMES else v for c, v in zip(columns, row, strict=True))
            for row in ROWS[name](report)
        ]
        assert sorted(mine, key=str) == sorted(theirs, key=str)
    tunnels = parquet.read_table(tmp_path / "set" / "tunnels.parquet").to_pylist()
    assert [t["state"] for t in tunnels] == [
        d.tunnel.state.value for d in sorted(report.diagnoses, key=lambda d: d.exchange.id)
    ]
    assert parquet.read_table(tmp_path / "set" / "errors.parquet").num_rows == 0


def test_what_cannot_be_read_is_a_row_of_errors(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(b"no capture at all")
    run("-o", str(tmp_path / "set"), str(broken), *PATHS, status=3)
    (row,) = parquet.read_table(tmp_path / "set" / "errors.parquet").to_pylist()
    assert "broken.pcap" in row["text"]
    assert parquet.read_table(tmp_path / "set" / "exchanges.parquet").num_rows == 3


def test_nothing_stands_there_where_nothing_could_be_read(tmp_path: Path) -> None:
    run("-o", str(tmp_path / "set"), str(tmp_path / "none.pcap"), status=3)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    run("-o", str(tmp_path), *PATHS, status=2)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("other", [["--json"], ["--html", "x.html"], ["--log", "asa.log"]])
def test_a_report_that_has_to_hold_all_is_another_thing(other: list[str]) -> None:
    run("--ndjson", *other, *PATHS, status=2)
