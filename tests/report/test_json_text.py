"""Documents and times as JSON."""

import json
from decimal import Decimal

import pytest

from pcapdiag.report.json_text import Json, encoded, line, time


@pytest.mark.parametrize("text", ["plain", "\u202e\ue000", "evil\x1b[31m\r\n\x7f", "\udcff", "\U0001f511"])
def test_strings_come_back_and_are_ascii(text: str) -> None:
    document: Json = {"list": [text, 1, None], "inside": {"deep": text}}
    written = encoded(document)
    assert written.isascii()
    assert written.isprintable()
    assert json.loads(written) == document


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(0, "0.000000000"), (1_700_000_000_123_456_789, "1700000000.123456789"), (-1_500_000_000, "-1.500000000")],
)
def test_no_digit_of_a_time_is_lost(nanoseconds: int, text: str) -> None:
    assert encoded([time(nanoseconds)]) == f"[{text}]"
    assert json.loads(text, parse_float=Decimal) == Decimal(nanoseconds).scaleb(-9)


def test_no_time_is_null() -> None:
    assert line({"time": time(None)}) == '{"time":null}\n'
