"""The rows of the tables, without pandas: as wide as their columns, of the kinds that these promise, and complete."""

from collections import Counter
from pathlib import Path
from typing import Any

import dpkt
import pytest
from msgspec.structs import replace

from pcapdiag.pipeline import Report, analyze
from pcapdiag.report.tables.columns import TABLES, Kind
from pcapdiag.report.tables.rows import ROWS
from tests import CAPTURES
from tests.report.reports import of_capture

KINDS: dict[Kind, type] = {
    Kind.TEXT: str,
    Kind.NAMES: tuple,
    Kind.INTEGER: int,
    Kind.BOOLEAN: bool,
    Kind.TIME: int,
    Kind.DURATION: int,
    Kind.CATEGORY: str,
    Kind.INTEGERS: tuple,
}


def rows(report: Report, table: str) -> list[dict[str, Any]]:
    """The rows by the names of their columns."""
    names = [column.name for column in TABLES[table]]
    return [dict(zip(names, row, strict=True)) for row in ROWS[table](report)]


@pytest.mark.parametrize("table", TABLES)
def test_columns_are_told_apart_and_explained(table: str) -> None:
    columns = TABLES[table]
    assert len({c.name for c in columns}) == len(columns)
    for column in columns:
        assert column.name.isidentifier()
        assert len(column.meaning) > 5
        assert bool(column.categories) == (column.kind is Kind.CATEGORY)


def test_a_join_by_exchange_has_hardly_a_name_twice() -> None:
    names = {table: {c.name for c in columns} for table, columns in TABLES.items()}
    assert names["evidence"] & names["exchanges"] == names["causes"] & names["exchanges"] == {"exchange"}
    assert names["evidence"] & names["causes"] == {"exchange"}
    # Those of the header, and those of the exchange: in message 1 the responder's is not there yet.
    assert names["messages"] & names["exchanges"] == {"exchange", "initiator_spi", "responder_spi"}


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap*")), ids=lambda path: path.stem)
def test_values_are_of_the_kinds_that_the_columns_promise(path: Path) -> None:
    report = analyze(path, keys=CAPTURES / "keys")
    for table, columns in TABLES.items():
        for row in ROWS[table](report):
            for column, value in zip(columns, row, strict=True):
                if value is None:
                    assert column.optional, column.name
                    continue
                assert type(value) is KINDS[column.kind], column.name
                if column.kind is Kind.CATEGORY:
                    assert value in column.categories, column.name
                if isinstance(value, tuple):
                    assert {type(v) for v in value} <= {int if column.kind is Kind.INTEGERS else str}, column.name
                if isinstance(value, str):
                    assert value.isprintable(), column.name


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap*")), ids=lambda path: path.stem)
def test_every_message_of_the_wire_has_a_row_or_is_counted(path: Path) -> None:
    report = analyze(path)
    found = rows(report, "messages")
    frames = {(row["capture"], number) for row in found for number in row["frames"]}
    uncounted = sum(row["uncounted"] for row in rows(report, "exchanges"))
    folded = sum(f.messages for f in report.folded)
    fragments = sum(c.summary.ip_fragments for c in report.captures)
    assert len(frames) + uncounted + folded == report.ike_messages + fragments
    assert found == sorted(found, key=lambda row: (row["time"], row["capture"], row["frame"]))


def test_transmissions_of_a_message_are_numbered_and_have_their_gaps() -> None:
    report = of_capture("mm5-udp-4500-blocked.pcap")
    found = [row for row in rows(report, "messages") if row["name"] == "MM5"]
    (step,) = report.diagnoses[0].exchange.named("MM5")
    assert [row["transmission"] for row in found] == [1, 2, 3, 4, 5, 6]
    assert [row["frame"] for row in found] == [7, 8, 11, 12, 14, 19]
    assert [row["gap"] for row in found] == [None, *(b - a for a, b in zip(step.times, step.times[1:], strict=False))]
    assert {row["message"] for row in found} == {5}
    assert {(row["source"], row["source_port"], row["destination_port"]) for row in found} == {("10.1.0.2", 4500, 4500)}
    assert {(row["encrypted"], row["decrypted"], row["payloads"], row["non_esp_marker"]) for row in found} == {
        (True, False, (), True)
    }


def test_a_duplicate_has_the_number_of_what_it_repeats() -> None:
    report = of_capture("completed-any-interface.pcap")
    found = rows(report, "messages")
    again = [row for row in found if row["duplicate"]]
    assert again
    for row in again:
        (original,) = [
            other
            for other in found
            if not other["duplicate"]
            and (other["exchange"], other["message"], other["transmission"])
            == (row["exchange"], row["message"], row["transmission"])
        ]
        assert row["ip_id"] == original["ip_id"]
        assert abs(row["time"] - original["time"]) < 50_000_000
        assert row["gap"] is None
    counts = {row["exchange"]: row["duplicates"] for row in rows(report, "exchanges")}
    assert Counter(row["exchange"] for row in again) == {e: n for e, n in counts.items() if n}


def test_fragments_are_named_and_the_frame_is_the_one_that_completed_it(tmp_path: Path) -> None:
    name = "completed-certificates-ip-fragments.pcap"
    found = [row for row in rows(of_capture(name), "messages") if len(row["frames"]) > 1]
    assert found
    for row in found:
        assert row["frame"] == row["frames"][-1]
        assert row["whole"]
    with open(CAPTURES / name, "rb") as before, open(tmp_path / "cut.pcap", "wb") as after:
        writer = dpkt.pcap.Writer(after, linktype=dpkt.pcap.Reader(before).datalink())
        before.seek(0)
        for number, (time, octets) in enumerate(dpkt.pcap.Reader(before), 1):
            if number != found[0]["frame"]:
                writer.writepkt(octets, time)
    (cut,) = [row for row in rows(analyze(tmp_path / "cut.pcap"), "messages") if not row["whole"]]
    assert cut["name"] == found[0]["name"]
    assert len(cut["frames"]) == len(found[0]["frames"]) - 1


def test_keys_show_in_the_columns() -> None:
    capture = CAPTURES / "completed-psk.pcap"
    sealed, opened = (rows(analyze(capture, keys=keys), "messages") for keys in ((), CAPTURES / "keys"))
    mm5 = [next(row for row in found if row["name"] == "MM5") for found in (sealed, opened)]
    assert [row["decrypted"] for row in mm5] == [False, True]
    assert mm5[0]["identities"] == ()
    assert mm5[1]["identities"]
    assert mm5[1]["payloads"][0] == "ID"


def test_two_ends_of_one_failure_are_in_the_order_of_their_times() -> None:
    paths = [CAPTURES / "mm4-lost-initiator-side.pcap", CAPTURES / "mm4-lost-responder-side.pcap"]
    report = analyze(paths)
    found = rows(report, "messages")
    assert {row["file"] for row in found} == set(map(str, paths))
    assert [row["time"] for row in found] == sorted(row["time"] for row in found)
    for row in found:
        assert row["file"] == report.captures[row["capture"]].summary.path


def test_evidence_and_causes_are_those_of_the_report() -> None:
    report = of_capture("mm5-udp-4500-blocked.pcap")
    (diagnosis,) = report.diagnoses
    facts = rows(report, "evidence")
    assert [(f["evidence"], f["kind"], f["frames"]) for f in facts] == [
        (e.id, e.kind, tuple(frame.number for frame in e.frames)) for e in diagnosis.evidence
    ]
    causes = rows(report, "causes")
    assert [(c["rank"], c["cause"], c["status"]) for c in causes] == [
        (n, c.cause.id, c.status.value) for n, c in enumerate(diagnosis.causes, 1)
    ]
    assert causes[0]["document"] == ("MM_WAIT_MSG6 #1", "MM_WAIT_MSG5 #2")
    ids = {f["evidence"] for f in facts}
    assert all(ids.issuperset((*c["because"], *c["against"])) for c in causes)
    (exchange,) = rows(report, "exchanges")
    assert (exchange["top_cause"], exchange["top_status"]) == ("udp-4500-blocked", "likely")
    assert (exchange["evidence_count"], exchange["cause_count"]) == (len(facts), len(causes))


def test_times_that_no_calendar_has_are_left_out() -> None:
    report = of_capture("mm1-no-reply.pcap")
    (diagnosis, *_) = report.diagnoses
    (step, *_) = diagnosis.exchange.steps
    wild = replace(step, sent=tuple(replace(s, time=2**64 + n) for n, s in enumerate(step.sent)))
    exchange = replace(diagnosis.exchange, steps=(wild,))
    made = replace(report, diagnoses=(replace(diagnosis, exchange=exchange),))
    assert {row["time"] for row in rows(made, "messages")} == {None}
    assert rows(made, "exchanges")[0]["first_time"] is None


def test_a_file_name_cannot_act(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m\n\u202eb.pcap"
    path.write_bytes((CAPTURES / "mm1-no-reply.pcap").read_bytes())
    (name,) = {row["file"] for row in rows(analyze(path), "messages")}
    assert name.endswith("a\\x1b[31m\\x0a\\x202eb.pcap")
