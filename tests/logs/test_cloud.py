"""Records of cloud gateways: JSON wherever it stands in a line, and stamps that are no clock of a log."""

import json

import pytest

from pcapdiag.logs.cloud import clock, record_in, text_of
from pcapdiag.logs.stamps import last_stamp

RECORD = {"time": "2026-11-27T12:27:29.767Z", "details": 'it said "no"', "dpd_enabled": True, "n": 7, "none": None}


@pytest.mark.parametrize("before", ["", "2022-09-01 15:12:11,", "log/stream "])
def test_a_record_alone_in_csv_and_escaped(before: str) -> None:
    plain = json.dumps({k: v for k, v in RECORD.items() if k != "details"})
    for text in (plain, plain.replace('"', '""'), plain.replace('"', '\\"')):
        found = record_in(f"{before}{text} and more")
        assert found is not None
        assert found == (before, {k: v for k, v in RECORD.items() if k != "details"})
    found = record_in(before + json.dumps(RECORD))
    assert found is not None
    assert found[1] == RECORD


@pytest.mark.parametrize("text", ["", "no record", "{", "{}x", '{"a":', "{" * 20_000, '{"a":' + "[" * 20_000, "[1]"])
def test_what_is_no_record(text: str) -> None:
    found = record_in(text)
    assert found is None or found[1] == {}


def test_fields_are_found_in_any_case() -> None:
    assert text_of(RECORD, "absent", "DETAILS") == 'it said "no"'
    assert text_of(RECORD, "dpd_enabled") == "true"
    assert text_of(RECORD, "n") == "7"
    assert text_of(RECORD, "none", "absent") == ""


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("1662045131", "2022-09-01T15:12:11Z"),
        ("1662045131123", "2022-09-01T15:12:11.123Z"),
        ("1662045131.5", "2022-09-01T15:12:11.5Z"),
        ("11/27/2026, 2:27:29.767 PM", "2026-11-27T14:27:29.767"),
        ("11/27/2026, 12:27:29.767 AM", "2026-11-27T00:27:29.767"),
        ("02/02/2017-17:36:01.496", "2017-02-02T17:36:01.496"),
        ("2026-11-27T12:27:29.767Z", "2026-11-27T12:27:29.767Z"),
        ("12345", "12345"),
    ],
)
def test_stamps(written: str, shown: str) -> None:
    assert clock(written) == shown
    assert (last_stamp(shown) is not None) == (written != "12345")
