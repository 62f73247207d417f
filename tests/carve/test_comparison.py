"""The packets of all points in one file: as they were, once for each point, on one clock, with what became of them."""

from pathlib import Path

import pytest

import pcapdiag
from pcapdiag.capture.datagram import CaptureError
from pcapdiag.carve.comparison import carve_comparison
from pcapdiag.output import OutputError
from tests.carve.opened import opened
from tests.comparison.savefiles import LEFT, RIGHT, read, shifted, write


def carved(tmp_path: Path, seconds: float = 0.0) -> tuple[pcapdiag.Comparison, Path]:
    other = write(tmp_path / "right.pcap", shifted(read(RIGHT), seconds))
    found = pcapdiag.compare(LEFT, other)
    output = tmp_path / "both.pcapng"
    carve_comparison(found, output)
    return found, output


def test_each_frame_is_there_once_for_each_point_as_it_was(tmp_path: Path) -> None:
    _, output = carved(tmp_path)
    octets = {r.octets for path in (LEFT, RIGHT) for r in read(path)}
    found = list(opened(output))
    assert {f.octets for f in found} <= octets
    assert {f.name for f in found} == {"A", "B"}


def test_an_hour_that_a_clock_is_ahead_is_taken_off(tmp_path: Path) -> None:
    _, output = carved(tmp_path, 3600)
    times = [f.time for f in opened(output)]
    assert times == sorted(times)
    assert times[-1] - times[0] < 600 * 1_000_000_000


def test_what_is_lost_says_between_which_points(tmp_path: Path) -> None:
    _, output = carved(tmp_path)
    told = [c for f in opened(output) for c in f.comments]
    assert any("MM4 from the responder" in c and "lost between B and A" in c for c in told)
    assert any("MM1 from the initiator" in c and "at B" in c and "(frame" in c for c in told)
    assert {c[:8] for c in told if " of " in c and c[1] == ":"} == {"A: frame", "B: frame"}


def test_it_is_not_written_over_a_capture(tmp_path: Path) -> None:
    found, _ = carved(tmp_path)
    with pytest.raises(OutputError, match=r"right\.pcap"):
        carve_comparison(found, tmp_path / "right.pcap")


def test_a_capture_that_is_gone_is_named(tmp_path: Path) -> None:
    found, _ = carved(tmp_path)
    (tmp_path / "right.pcap").unlink()
    with pytest.raises(CaptureError, match=r"right\.pcap.*read a second time"):
        carve_comparison(found, tmp_path / "again.pcapng")
    assert not (tmp_path / "again.pcapng").exists()
