"""Which files are meant, and in which order."""

import gzip
from pathlib import Path

import pytest

from pcapdiag.capture.datagram import CaptureError
from pcapdiag.capture.files import expand
from pcapdiag.pipeline import analyze
from tests import CAPTURES
from tests.capture.frames import SECOND, T0, Blocks, ethernet, ipv4, pcap

FRAME = ethernet(ipv4(bytes(40), 6))


def write(path: Path, second: int, packed: bool = False) -> Path:
    octets = pcap([(T0 + second * SECOND, FRAME)])
    path.write_bytes(gzip.compress(octets, mtime=0) if packed else octets)
    return path


def names(found: list[object]) -> list[str]:
    return [Path(str(f)).name for f in found]


def test_a_ring_is_read_in_the_order_of_its_packets(tmp_path: Path) -> None:
    # tcpdump -C counts without leading zeros, and the counter of this ring began anew.
    ring = [write(tmp_path / f"x.pcap{n or ''}", second) for n, second in ((0, 50), (1, 60), (2, 30), (10, 40))]
    assert names(expand(ring)) == ["x.pcap2", "x.pcap10", "x.pcap", "x.pcap1"]


def test_a_directory_stands_for_the_captures_in_it(tmp_path: Path) -> None:
    write(tmp_path / "b.pcap", 1)
    write(tmp_path / "a.pcap.gz", 3, packed=True)
    write(tmp_path / "c_00002_20231114.pcap", 2)
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "d.pcap").mkdir()
    assert names(expand([tmp_path])) == ["b.pcap", "c_00002_20231114.pcap", "a.pcap.gz"]


def test_a_link_in_a_circle_is_one_line_and_no_end(tmp_path: Path) -> None:
    (tmp_path / "circle.pcap").symlink_to("circle.pcap")
    (tmp_path / "other").symlink_to("other")
    write(tmp_path / "a.pcap", 1)
    assert names(expand([tmp_path])) == ["a.pcap", "circle.pcap"]
    report = analyze(tmp_path)
    assert [c.summary.frames for c in report.captures] == [1]
    (line,) = report.errors
    assert line.startswith(f"{tmp_path}/circle.pcap: ")
    assert "symbolic links" in line


def test_a_directory_that_cannot_be_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(CaptureError, match=f"^{tmp_path}: permission denied$"):
        analyze(tmp_path)


def test_a_pattern_stands_for_what_matches_it(tmp_path: Path) -> None:
    for name, second in (("one.pcap", 2), ("two.pcap", 1), ("three.txt", 0)):
        write(tmp_path / name, second)
    assert names(expand([str(tmp_path / "*.pcap")])) == ["two.pcap", "one.pcap"]
    odd = write(tmp_path / "[x].pcap", 5)
    assert expand([str(odd)]) == [str(odd)]


def test_what_stands_for_nothing_is_left_to_who_opens_it(tmp_path: Path) -> None:
    assert expand([tmp_path, "none*.pcap", "none.pcap"]) == [str(tmp_path), "none*.pcap", "none.pcap"]


def test_standard_input_keeps_its_place(tmp_path: Path) -> None:
    late, early = write(tmp_path / "a.pcap", 9), write(tmp_path / "b.pcap", 1)
    assert expand([late, "-", early]) == [late, "-", early]


def test_a_file_without_a_first_packet_stays_where_it_is(tmp_path: Path) -> None:
    late, early = write(tmp_path / "a.pcap", 9), write(tmp_path / "b.pcap", 1)
    broken, empty = tmp_path / "c.pcap", tmp_path / "d.pcap"
    broken.write_bytes(b"no capture")
    empty.write_bytes(pcap([]))
    assert expand([late, broken, early, empty]) == [early, broken, late, empty]


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_first_packet_of_pcapng_has_its_interface_s_resolution(order: str, tmp_path: Path) -> None:
    blocks = Blocks(order)
    nano, micro = blocks.interface(options=blocks.option(9, b"\x09")), blocks.interface()
    later = tmp_path / "a.pcapng"
    later.write_bytes(blocks.section() + nano + blocks.packet(FRAME, T0 + 5))
    earlier = tmp_path / "b.pcapng"
    earlier.write_bytes(blocks.section() + micro + blocks.packet(FRAME, T0 // 1000))
    assert expand([later, earlier]) == [earlier, later]


def test_an_exchange_goes_on_in_the_next_file(tmp_path: Path) -> None:
    whole = (CAPTURES / "completed-psk.pcap").read_bytes()
    head, at, cuts = whole[:24], 24, [24]
    while at < len(whole):
        at += 16 + int.from_bytes(whole[at + 8 : at + 12], "little")
        cuts.append(at)
    middle = cuts[len(cuts) // 3]
    # Named so that the names alone would turn them round.
    (tmp_path / "b.pcap").write_bytes(whole[:middle])
    (tmp_path / "a.pcap").write_bytes(head + whole[middle:])
    (found,) = analyze(tmp_path).diagnoses
    (expected,) = analyze(CAPTURES / "completed-psk.pcap").diagnoses
    assert found.stop.outcome == expected.stop.outcome
    assert [s.name for s in found.exchange.steps] == [s.name for s in expected.exchange.steps]
    assert {f.capture for s in found.exchange.steps for f in s.frames} == {0, 1}
