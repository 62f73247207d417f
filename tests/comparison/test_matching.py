"""Which packet is which: whatever the clocks, however much is cut off, left out, snapped or renumbered."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pcapdiag.comparing import matched
from pcapdiag.comparison.points import Point, read_point
from tests.comparison.savefiles import (
    LEFT,
    RIGHT,
    Record,
    edited,
    read,
    shifted,
    snapped,
    translated,
    without_identification,
    write,
)

LEFTS, RIGHTS = read(LEFT), read(RIGHT)


def points(folder: Path, left: list[Record], right: list[Record]) -> list[Point]:
    files = (write(folder / "left.pcap", left), write(folder / "right.pcap", right))
    return [read_point(index, path, index) for index, path in enumerate(files)]


def found(folder: Path, left: list[Record], right: list[Record]) -> set[tuple[int, int]]:
    """The pairs of frames that are told to be one packet."""
    packets, _, _ = matched(points(folder, left, right))
    return {(p.seen[0].frames[0].number, p.seen[1].frames[0].number) for p in packets if p.seen[0] and p.seen[1]}


def truth(left: list[Record], right: list[Record]) -> set[tuple[int, int]]:
    """By IP identification and addresses, which nothing on this path changed."""

    def keys(records: list[Record]) -> dict[bytes, int]:
        return {
            r.octets[18:20] + r.octets[26:34]: number
            for number, r in enumerate(records, 1)
            if r.octets[12:14] == b"\x08\x00" and r.octets[23] == 17
        }

    mine, theirs = keys(left), keys(right)
    return {(mine[key], theirs[key]) for key in mine if key in theirs}


def test_by_the_octets_and_the_identification(tmp_path: Path) -> None:
    assert found(tmp_path, LEFTS, RIGHTS) == truth(LEFTS, RIGHTS)
    assert len(truth(LEFTS, RIGHTS)) >= 6


@pytest.mark.parametrize("seconds", [0, 3_723.5, -86_400, 2.5, -0.5])
@pytest.mark.parametrize("side", [0, 1, 2])
def test_without_identification_by_order_and_gaps(tmp_path: Path, seconds: float, side: int) -> None:
    left = LEFTS if side == 1 else edited(LEFTS, without_identification)
    right = RIGHTS if side == 0 else edited(RIGHTS, without_identification)
    assert found(tmp_path, left, shifted(right, seconds, 80e-6)) == truth(LEFTS, RIGHTS)


def test_behind_a_nat(tmp_path: Path) -> None:
    right = edited(RIGHTS, translated(b"\x0a\x01\x00\x02", b"\xcb\x00\x71\x01"))
    assert found(tmp_path, LEFTS, right) == truth(LEFTS, RIGHTS)


@pytest.mark.parametrize("side", [0, 1])
def test_snapped(tmp_path: Path, side: int) -> None:
    left, right = (snapped(r, 96) if side == n else r for n, r in enumerate((LEFTS, RIGHTS)))
    assert found(tmp_path, left, right) == truth(LEFTS, RIGHTS)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seconds=st.floats(-(10**6), 10**6),
    drift=st.floats(-2e-4, 2e-4),
    left=st.sets(st.integers(0, len(LEFTS) - 1)),
    right=st.sets(st.integers(0, len(RIGHTS) - 1)),
)
def test_whatever_is_missing_no_two_packets_are_taken_for_one(
    tmp_path: Path, seconds: float, drift: float, left: set[int], right: set[int]
) -> None:
    mine = [r for n, r in enumerate(LEFTS) if n not in left]
    theirs = [r for n, r in enumerate(RIGHTS) if n not in right]
    # Where no packet has one identification at both points, the path may have given each another: then equal octets
    # are all there is, and of retransmissions alone nothing tells which is which.
    if not truth(mine, theirs):
        return
    assert found(tmp_path, mine, shifted(theirs, seconds, drift)) <= truth(mine, theirs)
