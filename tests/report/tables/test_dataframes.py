"""The tables as DataFrames: the documented dtypes whatever is in them, nothing lost, made once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

import pcapdiag
from pcapdiag.pipeline import Report, analyze
from pcapdiag.report.tables.columns import SEPARATOR, TABLES, Kind
from pcapdiag.report.tables.rows import ROWS
from tests import CAPTURES
from tests.report.reports import of_capture

NAMES = ("mm5-udp-4500-blocked.pcap", "completed-any-interface.pcap", "ikev2-cookie.pcap", "xauth-wrong-password.pcap")


@pytest.fixture(scope="module", params=NAMES)
def report(request: pytest.FixtureRequest) -> Report:
    return of_capture(request.param)


def frame(report: Report, table: str) -> pd.DataFrame:
    found = getattr(report, table)
    assert isinstance(found, pd.DataFrame)
    return found


@pytest.mark.parametrize("table", TABLES)
def test_columns_and_dtypes_are_the_documented_ones(report: Report, table: str) -> None:
    found = frame(report, table)
    assert list(found.columns) == [c.name for c in TABLES[table]]
    assert [str(dtype) for dtype in found.dtypes] == [c.dtype for c in TABLES[table]]
    for column in TABLES[table]:
        if column.kind is Kind.CATEGORY:
            assert tuple(found[column.name].cat.categories) == column.categories
            assert found[column.name].cat.ordered == column.ordered
    assert isinstance(found.index, pd.RangeIndex)


@pytest.mark.parametrize("table", TABLES)
def test_nothing_found_has_the_same_dtypes(report: Report, table: str) -> None:
    nothing = frame(of_capture("no-ike-arp-only.pcap"), table)
    assert len(nothing) == 0
    pd.testing.assert_series_equal(nothing.dtypes, frame(report, table).dtypes)


@pytest.mark.parametrize("table", TABLES)
def test_no_value_is_lost(report: Report, table: str) -> None:
    found = frame(report, table)
    rows = list(ROWS[table](report))
    assert len(found) == len(rows)
    for column, values in zip(TABLES[table], zip(*rows, strict=True), strict=bool(rows)):
        cells = found[column.name].tolist()
        for cell, value in zip(cells, values, strict=True):
            if value is None:
                assert pd.isna(cell)
            elif column.kind in (Kind.TIME, Kind.DURATION):
                assert cell.value == value
            elif column.kind is Kind.NAMES:
                assert cell == SEPARATOR.join(value)
            else:
                assert cell == value


def test_times_have_nanoseconds_and_are_in_utc() -> None:
    report = of_capture("completed-psk-nanoseconds.pcapng")
    first = report.messages.time.iloc[0]
    assert first.value == report.diagnoses[0].exchange.first_time
    assert str(first.tz) == "UTC"
    assert (report.messages.time.dt.nanosecond != 0).any()


def test_keys_join_the_tables() -> None:
    report = analyze([CAPTURES / "mm5-udp-4500-blocked.pcap", CAPTURES / "mm1-no-reply.pcap"])
    exchanges, messages, evidence, causes = report.exchanges, report.messages, report.evidence, report.causes
    assert exchanges.exchange.is_unique
    assert not messages.duplicated(["exchange", "message", "transmission", "frame"]).any()
    assert not evidence.duplicated(["exchange", "evidence"]).any()
    assert not causes.duplicated(["exchange", "rank"]).any()
    assert not causes.duplicated(["exchange", "cause"]).any()
    for other in (messages, evidence, causes):
        joined = other.merge(exchanges, on="exchange", validate="many_to_one")
        assert len(joined) == len(other)
    reasons = causes.assign(evidence=causes.because.str.split(SEPARATOR)).explode("evidence")
    reasons = reasons[reasons.evidence != ""]
    proofs = reasons.merge(evidence, on=["exchange", "evidence"], validate="many_to_one")
    assert len(proofs) == len(reasons) > 0
    sent = messages[~messages.duplicate].groupby("exchange").size()
    assert sent.tolist() == exchanges.transmissions.tolist()


def test_the_order_of_statuses_means_something() -> None:
    causes = of_capture("mm5-udp-4500-blocked.pcap").causes
    assert causes[causes.status >= "possible"].cause.tolist() == ["udp-4500-blocked", "path-loss", "psk-mismatch"]
    assert causes.status.max() == "likely"
    assert causes[causes["rank"] == 1].status.tolist() == ["likely"]


def test_tables_are_made_when_asked_for_and_then_kept() -> None:
    report = of_capture("mm1-no-reply.pcap")
    assert report.__dict__ == {}
    assert report.messages is report.messages
    assert list(report.__dict__) == ["messages"]
    assert report == of_capture("mm1-no-reply.pcap")


def test_threads_may_ask_at_the_same_time() -> None:
    report = of_capture("completed-lossy-link.pcap")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: report.messages, range(32)))
    for one in found:
        pd.testing.assert_frame_equal(one, found[0])


def test_the_columns_can_be_asked_for() -> None:
    found = pcapdiag.columns("messages")
    assert found.loc["time", "dtype"] == "datetime64[ns, UTC]"
    assert list(found.index) == list(of_capture("mm1-no-reply.pcap").messages.columns)
    with pytest.raises(ValueError, match="exchanges, messages, evidence, causes"):
        pcapdiag.columns("frames")


def test_the_name_of_a_file_may_be_no_text(tmp_path: Path) -> None:
    path = bytes(tmp_path) + b"/\xff.pcap"
    with open(path, "wb") as file:
        file.write((CAPTURES / "mm1-no-reply.pcap").read_bytes())
    (name,) = analyze(path.decode("utf-8", "surrogateescape")).messages.file.unique()
    assert name.endswith("\\xdcff.pcap")
