"""Carving: the chosen frames as they were, the same verdicts, and the diagnosis as comments."""

import io
import os
import re
import shutil
import stat
import struct
import subprocess
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from pcapdiag.capture.datagram import CaptureError
from pcapdiag.carve import Carved, Carving, carve
from pcapdiag.carve.compare import differences
from pcapdiag.output import OutputError
from pcapdiag.pipeline import analyze
from tests import CAPTURES, SHARED
from tests.capture.frames import SECOND, T0, A, B, Blocks, ethernet, fragments4, ipv4, isakmp, pcap, u16, u32, udp
from tests.carve.opened import opened, section_comments

OWN = sorted(CAPTURES.glob("*.pcap*"))
LAB = sorted((SHARED / "lab").glob("*/*.pcap*"))
ALL = [pytest.param(path, id=f"{path.parent.name}-{path.name}") for path in (*OWN, *LAB)]
STALLED = CAPTURES / "mm5-udp-4500-blocked.pcap"
OTHER = ethernet(ipv4(bytes(40), 6))
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
FROM = re.compile(r"frame (\d+) of (.+)")


def carved(*paths: Path | bytes, esp: bool = False, **options: object) -> tuple[bytes, Carved]:
    """The carved file of captures, in memory."""
    sources = [io.BytesIO(p) if isinstance(p, bytes) else p for p in paths]
    out = io.BytesIO()
    result = Carving(sources, **options).write(out, esp=esp)  # type: ignore[arg-type]
    return out.getvalue(), result


def origins(octets: bytes) -> list[int]:
    """The numbers that the frames had."""
    return [int(match[1]) for frame in opened(octets) if (match := FROM.fullmatch(frame.comments[0]))]


@pytest.mark.parametrize("path", ALL)
def test_frames_are_as_they_were_and_the_verdict_is_the_same(path: Path) -> None:
    carving = Carving(path)
    if not carving.chosen:
        assert carving.report.ike_messages == 0
        return
    out = io.BytesIO()
    result = carving.write(out)
    frames, before = opened(out.getvalue()), opened(path)
    numbers = origins(out.getvalue())
    assert numbers == sorted(set(numbers))
    assert len(numbers) == len(frames) == result.written == sum(result.kinds.values())
    for frame, number in zip(frames, numbers, strict=True):
        assert frame._replace(comments=[]) == before[number - 1]._replace(comments=[])
    assert result.read == len(before) == result.written + sum(result.left_out.values())
    again = analyze(io.BytesIO(out.getvalue()))
    assert list(differences(carving.report.diagnoses, again.diagnoses)) == []
    assert again.captures[0].summary.last_time == carving.report.captures[0].summary.last_time
    cited = {f.number for d in carving.report.diagnoses for s in d.exchange.steps for f in s.frames}
    assert cited <= set(numbers)


def test_every_remark_is_what_the_report_says() -> None:
    octets, _ = carved(STALLED)
    (diagnosis,) = analyze(STALLED).diagnoses
    remarks = {number: frame.comments for number, frame in zip(origins(octets), opened(octets), strict=True)}
    assert remarks[3][:2] == [f"frame 3 of {STALLED.name}", "Exchange 1: MM1 from the initiator"]
    assert remarks[8][1] == "Exchange 1: MM5 from the initiator, sent again (2 of 6), 4.0 s after the first"
    for item in diagnosis.evidence:
        for frame in item.frames:
            assert f"{item.id}: {item.text}" in remarks[frame.number]
    verdict = remarks[diagnosis.stop.frames[-1].number]
    assert any("stalled after MM5; initiator MM_WAIT_MSG6, responder MM_WAIT_MSG5 or MM_ACTIVE" in r for r in verdict)
    assert [r.split(":")[0] for r in verdict[-3:]] == [c.status.value for c in diagnosis.causes if c.leads]
    assert not any("likely:" in r for number, said in remarks.items() for r in said if number != 19)
    head = section_comments(octets)
    assert head[0].endswith(f"out of {STALLED.name}")
    assert "likely: UDP 4500 is filtered on the path" in head[1]


@needs_tshark
def test_tshark_reads_the_comments_back(tmp_path: Path) -> None:
    path = tmp_path / "ike.pcapng"
    assert carve(STALLED, path)

    def tshark(wanted: str) -> list[str]:
        command = ["tshark", "-r", str(path), "-Y", wanted, "-T", "fields", "-e", "frame.number", "-e", "frame.comment"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    (line,) = tshark('frame.comment contains "MM_WAIT_MSG6"')
    assert line.startswith(
        "13\tframe 19 of mm5-udp-4500-blocked.pcap,Exchange 1: MM5 from the initiator, sent again (6"
    )
    assert "likely: UDP 4500 is filtered on the path (udp-4500-blocked)" in line
    assert len(tshark('frame.comment contains "E2: MM5 was sent 6 times"')) == 6
    assert len(tshark("isakmp")) == 10


def test_the_causes_of_several_exchanges_are_told_apart() -> None:
    octets, _ = carved(CAPTURES / "completed-both-initiate.pcap")
    said = [c for frame in opened(octets) for c in frame.comments]
    assert any(c.startswith("Exchange 2 E") for c in said)
    assert not any(c.startswith("E1:") for c in said)


def test_only_what_was_asked_for() -> None:
    path = CAPTURES / "completed-both-initiate.pcap"
    report = analyze(path)
    chosen = report.diagnoses[1].exchange
    for options in (
        {"spi": chosen.initiator_spi.hex()},
        {"exchanges": [chosen.id]},
    ):
        octets, result = carved(path, **options)
        spis = {d.exchange.initiator_spi for d in analyze(io.BytesIO(octets)).diagnoses}
        assert spis == {chosen.initiator_spi}
        assert result.left_out["IKE"] > 0
    peers = carved(STALLED, path, peer="10.1.0.2")
    assert peers[1].written == carved(STALLED, path)[1].written
    assert Carving(path, outcomes=["stalled"]).chosen == ()
    assert Carving(path, peer="192.0.2.99").chosen == ()


def test_keepalives_and_errors_of_others_are_left_out() -> None:
    keepalive = [ethernet(ipv4(udp(b"\xff", 4500, 4500), source=source)) for source in (A, "192.0.2.77")]
    message = ethernet(ipv4(udp(isakmp())))
    other = ethernet(ipv4(udp(isakmp().replace(b"INITIATR", b"OTHER..."), 500, 500), source="192.0.2.77"))
    capture = pcap([message, other, *keepalive, OTHER])
    octets, result = carved(capture, peer=A)
    assert origins(octets) == [1, 3]
    assert result.left_out == {"IKE": 1, "NAT keep-alives": 1, "other": 1}
    assert origins(carved(capture)[0]) == [1, 2, 3, 4]


def test_every_fragment_of_a_datagram_also_of_one_that_is_not_whole() -> None:
    whole = fragments4(udp(isakmp(bytes(100))), identification=1)
    again = fragments4(udp(isakmp(bytes(100))), identification=1)[1:2]  # recorded once more, by a mirror port
    lost = fragments4(udp(isakmp(bytes(101))), identification=2)[:-1]
    rest = fragments4(udp(isakmp(bytes(102))), identification=3)[1:]
    others = fragments4(udp(bytes(200), 53, 53), identification=4)
    frames = [*whole, *again, *lost, OTHER, *rest, *others]
    octets, result = carved(pcap([(T0 + n * 1000, frame) for n, frame in enumerate(frames)]))
    kept = len(whole) + 1 + len(lost) + 1
    assert origins(octets) == [n for n in range(1, kept + len(rest) + 1) if n != kept]
    assert result.kinds == {"IP fragments": kept - 1 + len(rest)}


def esp_frames(count: int) -> list[bytes]:
    plain = [ethernet(ipv4(u32(0xC0FFEE) + u32(n) + bytes(60), 50)) for n in range(count)]
    other = [ethernet(ipv4(u32(0xBADC0DE) + u32(n) + bytes(60), 50, source="192.0.2.99")) for n in range(count)]
    in_udp = [
        ethernet(ipv4(udp(u32(0xFEED) + u32(n) + bytes(60), 4500, 4500), source=B, destination=A)) for n in range(count)
    ]
    return [frame for group in zip(plain, other, in_udp, strict=True) for frame in group]


def test_esp_between_the_ends_all_of_it_or_enough_for_the_verdict() -> None:
    capture = pcap([ethernet(ipv4(udp(isakmp()))), *esp_frames(20)])
    octets, result = carved(capture, esp=True)
    assert result.kinds == {"IKE": 1, "ESP": 40}
    assert result.left_out == {"ESP": 20}
    some, result = carved(capture)
    assert result.kinds == {"IKE": 1, "ESP": 10}
    assert origins(some)[-1] == origins(octets)[-1] == 61
    flows = analyze(io.BytesIO(some)).captures[0].summary.esp_flows
    before = [f for f in analyze(io.BytesIO(capture)).captures[0].summary.esp_flows if f.source != "192.0.2.99"]
    assert [(f.spi, f.first_time, f.last_time) for f in flows] == [(f.spi, f.first_time, f.last_time) for f in before]


def test_ike_in_tcp_takes_its_connection_along() -> None:
    def segment(data: bytes, sequence: int, flags: int = 0x10, ports: tuple[int, int] = (40000, 4500)) -> bytes:
        head = struct.pack(">HHIIBBHHH", *ports, sequence, 0, 0x50, flags, 1000, 0, 0)
        return ethernet(ipv4(head + data, 6))

    message = b"\0\0\0\0" + isakmp(bytes(90))
    stream = b"IKETCP" + u16(2 + len(message)) + message
    frames = [
        segment(b"", 99, 2),
        segment(b"", 99, 2, (41000, 4500)),
        segment(stream[:40], 100),
        segment(stream[40:], 140),
        segment(b"", 100 + len(stream), 0x11),
    ]
    octets, result = carved(pcap(frames))
    assert origins(octets) == [1, 3, 4, 5]
    assert result.kinds == {"TCP": 4}
    assert analyze(io.BytesIO(octets)).ike_messages == 1


def test_interfaces_resolutions_and_several_sections_are_kept() -> None:
    blocks = Blocks("<")
    message = ethernet(ipv4(udp(isakmp())))
    named = blocks.option(2, b"wan0") + blocks.option(9, b"\x09")
    first = blocks.section() + blocks.interface(1, 96, named) + blocks.interface(101)
    first += blocks.packet(message[14:], T0 // 1000, 1) + blocks.packet(message[:96], T0 + 5, 0, 200)
    second = blocks.section() + blocks.interface(1, 0, blocks.option(9, b"\x03"))
    second += blocks.packet(message, T0 // 1_000_000 + 9)
    octets, _ = carved(first + second)
    got = [(f.time, f.link_type, f.snaplen, f.name, f.wire, f.octets) for f in opened(octets)]
    assert got == [
        (T0, 101, 0, "", len(message) - 14, message[14:]),
        (T0 + 5, 1, 96, "wan0", 200, message[:96]),
        (T0 + 9_000_000, 1, 0, "", len(message), message),
    ]


def test_several_captures_become_one_and_each_frame_names_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = shutil.copy(STALLED, tmp_path / "a" / "gw.pcap")
    two = shutil.copy(CAPTURES / "completed-psk.pcap", tmp_path / "b" / "gw.pcap")
    octets, result = carved(Path(one), Path(two))
    names = Counter(FROM.fullmatch(f.comments[0])[2] for f in opened(octets))  # type: ignore[index]
    assert set(names) == {str(one), str(two)}
    assert sum(names.values()) == result.written
    before = analyze([one, two])
    assert list(differences(before.diagnoses, analyze(io.BytesIO(octets)).diagnoses)) == []
    again = shutil.copy(CAPTURES / "completed-ipv6.pcap", tmp_path / "v6.pcap")
    octets, _ = carved(Path(one), Path(again))
    assert {FROM.fullmatch(f.comments[0])[2] for f in opened(octets)} == {"gw.pcap", "v6.pcap"}  # type: ignore[index]


def test_silence_that_nobody_watched_stalls_nothing_in_the_result_either(tmp_path: Path) -> None:
    """And silence at the end, which holds no packet of IKE, still counts."""
    message = ethernet(ipv4(udp(isakmp())))
    later = message.replace(b"INITIATR", b"LATER...")
    captures = [
        pcap([(T0, message), (T0 + SECOND, OTHER)]),
        pcap([(T0 + 900 * SECOND, later), (T0 + 1000 * SECOND, OTHER)]),
    ]
    paths = [tmp_path / name for name in ("1.pcap", "2.pcap")]
    for path, octets in zip(paths, captures, strict=True):
        path.write_bytes(octets)
    before = [d.stop.outcome.value for d in analyze(paths).diagnoses]
    octets, _ = carved(*paths)
    assert before == ["inconclusive", "stalled"]
    assert [d.stop.outcome.value for d in analyze(io.BytesIO(octets)).diagnoses] == before


def test_a_capture_without_ike_still_tells_how_long_it_was_silent(tmp_path: Path) -> None:
    files = {
        "1.pcap": pcap([(T0, ethernet(ipv4(udp(isakmp())))), (T0 + SECOND, OTHER)]),
        "2.pcap": pcap([(T0 + 2 * SECOND, OTHER), (T0 + 59 * SECOND, OTHER)]),
    }
    for name, octets in files.items():
        (tmp_path / name).write_bytes(octets)
    octets, result = carved(*(tmp_path / name for name in files))
    assert result.written == 1
    assert [d.stop.outcome.value for d in analyze(io.BytesIO(octets)).diagnoses] == ["stalled"]


def test_the_file_is_private_whole_or_not_there_and_never_an_input(tmp_path: Path) -> None:
    out, source = tmp_path / "out.pcapng", Path(shutil.copy(STALLED, tmp_path / "in.pcap"))
    assert carve(source, out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    before = source.read_bytes()
    with pytest.raises(OutputError, match="is one of the files"):
        carve(source, source)
    assert source.read_bytes() == before
    nothing = tmp_path / "nothing.pcapng"
    assert carve(CAPTURES / "no-ike-arp-only.pcap", nothing) is None
    assert not nothing.exists()
    with pytest.raises(CaptureError, match="no such file"):
        carve(tmp_path / "nowhere", nothing)
    assert not nothing.exists()


def test_some_captures_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bad.pcap").write_bytes(b"no capture at all")
    octets, _ = carved(tmp_path / "bad.pcap", STALLED)
    assert octets == carved(STALLED)[0]


@pytest.mark.parametrize("size", [10, 100, 1000, 2000])
def test_a_capture_that_is_cut_is_carved_up_to_there(size: int) -> None:
    whole = STALLED.read_bytes()
    if size < 24:
        with pytest.raises(CaptureError):
            carved(whole[:size])
        return
    octets, result = carved(whole[:size]) if size > 400 else (b"", None)
    if result is not None:
        assert [f._replace(comments=[]) for f in opened(octets)] == [
            opened(STALLED)[n - 1]._replace(comments=[]) for n in origins(octets)
        ]


def test_memory_does_not_grow_with_the_capture(tmp_path: Path) -> None:
    path = tmp_path / "large.pcap"
    frames = [ethernet(ipv4(udp(isakmp()))), *[ethernet(ipv4(bytes(1400), 6))] * 499]
    octets = pcap([(T0 + n, frame) for n, frame in enumerate(frames)])
    with path.open("wb") as file:
        file.write(octets[:24])
        for _ in range(40):
            file.write(octets[24:])
    out = io.BytesIO()
    tracemalloc.start()
    try:
        result = Carving(path).write(out)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (result.read, result.written) == (20_000, 40)
    assert peak < os.path.getsize(path) // 3


def test_an_end_that_is_years_away_is_not_believed_and_that_is_said() -> None:
    message = ethernet(ipv4(udp(isakmp())))
    octets, result = carved(pcap([(T0, message), (T0 + SECOND, message), (T0 + 400 * 86_400 * SECOND, OTHER)]))
    assert result.written == 2
    assert [d.stop.outcome.value for d in analyze(io.BytesIO(octets)).diagnoses] == ["inconclusive"]
    assert result.notes[0].startswith("times lie more than a year apart")
    assert carved(pcap([(T0, message), (T0 + 300 * 86_400 * SECOND, OTHER)]))[1].notes == ()
