"""A scan over octets counts what the readers would, and hands out what they have to see."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapdiag.logs.line import LogLine
from pcapdiag.logs.lines import Lines, read
from pcapdiag.logs.marks import MARKS, Ahead
from pcapdiag.logs.scan import find_mark
from tests.logs.sample import Sample
from tests.logs.samples import SAMPLES

PIECES = sorted({row for sample in SAMPLES for row in sample.text.splitlines()})
ODD = (
    "",
    " ",
    "\t\r",
    "\u2003",
    "x",
    "Apr 01 gw sshd[1]: none",
    "05[IKE",
    "  05[ENC] <a|1 x",
    "[IKEv1 ]: IP = ::1, y",
    "é05[IKE] z",
)


@given(st.lists(st.sampled_from([*MARKS, "x", " ", '"', "[", "_"]), max_size=12))
def test_a_mark_is_found_where_there_is_one(pieces: list[str]) -> None:
    line = "".join(pieces).encode()
    found = find_mark(line + b"\n[IKE", 0, len(line) + 5)
    assert (found < len(line)) == any(mark.encode() in line for mark in MARKS)
    assert found <= len(line)


@given(st.lists(st.sampled_from([*MARKS, "x", " ", "\n", "[", "_"]), max_size=30))
def test_the_interpreter_finds_the_same_marks(pieces: list[str]) -> None:
    block = "".join(pieces).encode()
    ahead = Ahead(block)
    for at in range(len(block)):
        found = [place for mark in MARKS if (place := block.find(mark.encode(), at)) >= 0]
        assert ahead.of(at) == min(found, default=len(block))


@pytest.mark.parametrize(
    ("octets", "number", "other"), [(b"", 0, 0), (b"\n", 1, 0), (b"\n\n", 2, 0), (b"x\n\ny", 3, 2), (b"x\ny\n", 2, 2)]
)
def test_every_line_is_counted_once(octets: bytes, number: int, other: int) -> None:
    lines = Lines()
    assert list(read([octets], lines)) == []
    assert (lines.number, lines.other) == (number, other)


def slow(rows: list[str]) -> tuple[list[LogLine], Lines]:
    """The same by lines of text, each of which a reader takes apart."""
    lines = Lines()
    return [*lines.feed(rows), *lines.close()], lines


def counts(lines: Lines) -> tuple[object, ...]:
    return (
        lines.number, lines.platforms, lines.other, lines.wrapped, lines.kinds, lines.shapes, lines.unlisted,
        lines.last_when,
    )  # fmt: skip


@settings(deadline=None)  # each is read twice, on any machine
@given(st.lists(st.sampled_from([*PIECES, *ODD]), max_size=60), st.integers(1, 400), st.integers(1, 4))
def test_octets_and_text_give_the_same(rows: list[str], size: int, times: int) -> None:
    rows = rows * times
    octets = "".join(f"{row}\n" for row in rows).encode()
    found = Lines()
    records = list(read([octets[n : n + size] for n in range(0, len(octets), size)], found))
    expected, lines = slow(rows)
    assert records == expected
    assert counts(found) == counts(lines)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.platform}: {s.name}")
def test_a_log_that_says_the_same_again(sample: Sample) -> None:
    rows = sample.text.splitlines() * 3
    found = Lines()
    records = list(read(["\n".join(rows).encode()], found))
    expected, lines = slow(rows)
    assert records == expected
    assert counts(found) == counts(lines)
