"""Dissecting many captures in one run of tshark: to start it takes longer than to read a capture."""

import shutil
import subprocess
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from pcapdiag.crosscheck.dissection import Frames, dissect

TOOLS = ("tshark", "mergecap", "capinfos")
_PIECES = "ip.flags.mf == 1 || ip.frag_offset > 0 || ipv6.fraghdr || tcp || isakmp.frag.packetid || isakmp.frag.number"


def missing() -> bool:
    """Whether Wireshark's programs are not installed."""
    return any(shutil.which(tool) is None for tool in TOOLS)


def dissect_all(paths: Sequence[Path], scratch: Path) -> dict[Path, Frames]:
    """Every message of every capture, from all of them put behind each other.

    The exceptions are captures in which Wireshark keeps pieces that wait for others: they would meet those of the next.
    """
    merged = scratch / "merged.pcapng"
    counts = _frame_counts(paths)
    _run("mergecap", "-a", "-w", str(merged), *map(str, paths))
    ends = list(accumulate(counts))
    assert _frame_counts([merged]) == ends[-1:]
    begins = [end - count for end, count in zip(ends, counts, strict=True)]

    found: dict[Path, Frames] = {path: {} for path in paths}
    for number, messages in dissect(merged).items():
        place = bisect_right(ends, number - 1)
        found[paths[place]][number - begins[place]] = messages
    pieces = _run("tshark", "-n", "-r", str(merged), "-Y", _PIECES, "-T", "fields", "-e", "frame.number")
    for place in {bisect_right(ends, int(number) - 1) for number in pieces.split()}:
        found[paths[place]] = dissect(paths[place])
    return found


def _run(*command: str) -> str:
    # The exit status says nothing: it is not 0 for a capture that is cut, which is read up to there all the same.
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _frame_counts(paths: Sequence[Path]) -> list[int]:
    rows = [line.split("\t") for line in _run("capinfos", "-T", "-r", "-c", *map(str, paths)).splitlines()]
    counts = {row[0]: int(row[1]) for row in rows}
    return [counts[str(path)] for path in paths]
