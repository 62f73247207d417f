"""The engine that reads through tshark: the same items as our own reader, and what only Wireshark can read."""

import asyncio
import json
import shutil
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pcapdiag import pipeline
from pcapdiag.capture.datagram import CaptureError, Datagram, FragmentLoss
from pcapdiag.capture.savefile import Savefile
from pcapdiag.capture.wireshark import Dumpcap, WiresharkCapture, WiresharkMissingError, display_filter, nanoseconds
from tests import CAPTURES, SHARED
from tests.capture.frames import ethernet, ipv4, isakmp, pcap, udp
from tests.report.reports import as_json

TOOLS = ("tshark", "capinfos", "mergecap", "editcap")
needs_tshark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in TOOLS), reason="needs tshark, capinfos, mergecap and editcap"
)
COMPLETED = CAPTURES / "completed-psk.pcap"
NAMES = sorted(
    path
    for folder in (CAPTURES, SHARED)
    for path in folder.rglob("*")
    if path.suffix in (".pcap", ".pcapng", ".cap") and path.is_file()
)


# --- the same as our own reader ----------------------------------------------------------------------------------


@needs_tshark
def test_every_item_of_every_capture_is_the_same(tmp_path: Path) -> None:
    """All captures behind each other in one file, so that tshark starts once."""
    merged = tmp_path / "merged.pcapng"
    subprocess.run(["mergecap", "-a", "-w", str(merged), *map(str, NAMES)], check=True, capture_output=True)
    ours, theirs = Savefile(merged), WiresharkCapture(merged)
    expected, found = list(ours), list(theirs)
    assert len(expected) > 400
    # Fragments that never became whole are given up when their time is up, which other frames tell.
    lost = [{i for i in items if isinstance(i, FragmentLoss)} for items in (expected, found)]
    assert lost[0] == lost[1]
    assert [i for i in found if i not in lost[0]] == [i for i in expected if i not in lost[0]]
    own, its = ours.summary(), theirs.summary()
    for name in ("frames", "datagrams", "icmp_errors", "ip_fragments", "nat_keepalives", "esp", "esp_flows"):
        assert getattr(its, name) == getattr(own, name), name
    assert its.other + its.unreadable == own.other + own.unreadable
    assert its.last_time == own.last_time


@needs_tshark
@pytest.mark.parametrize(
    "name",
    [
        "mm5-udp-4500-blocked.pcap",
        "mm5-fragments-dropped.pcap",
        "mm1-host-unreachable.pcap",
        "completed-vlan.pcap",
        "completed-any-interface.pcap",
        "completed-ipv6.pcap",
        "completed-psk-snapped.pcap",
    ],
)
def test_verdicts_are_the_same(name: str) -> None:
    own = json.loads(as_json(pipeline.analyze(CAPTURES / name, keys=CAPTURES / "keys")))
    its = json.loads(as_json(pipeline.analyze(CAPTURES / name, keys=CAPTURES / "keys", engine="tshark")))
    assert its["exchanges"] == own["exchanges"]


@needs_tshark
def test_no_ike(tmp_path: Path) -> None:
    capture = WiresharkCapture(CAPTURES / "no-ike-arp-only.pcap")
    assert list(capture) == []
    summary = capture.summary()
    assert summary.frames == summary.other > 0
    assert "not IKE, by tshark's filter" in summary.protocols


# --- what only Wireshark reads -----------------------------------------------------------------------------------


@needs_tshark
@pytest.mark.parametrize("kind", ["snoop", "netmon2", "5views"])
def test_formats(kind: str, tmp_path: Path) -> None:
    other = tmp_path / f"capture.{kind}"
    subprocess.run(["editcap", "-F", kind, str(COMPLETED), str(other)], check=True, capture_output=True)
    with pytest.raises(CaptureError):
        list(Savefile(other))
    found = [d.payload for d in WiresharkCapture(other) if isinstance(d, Datagram)]
    assert found == [d.payload for d in Savefile(COMPLETED) if isinstance(d, Datagram)]


GTP = struct.pack("!BBHI", 0x30, 0xFF, 20 + 8 + 28, 1)
INSIDE = ipv4(udp(isakmp()), source="10.9.8.7")


@needs_tshark
@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (1, ethernet(ipv4(udp(GTP + INSIDE, 2152, 2152)))),  # GTP-U
        (107, b"\x18\x41\x03\xcc" + INSIDE),  # Frame Relay
        (105, b"\x08\x01\x00\x00" + bytes(20) + b"\xaa\xaa\x03\0\0\0\x08\x00" + INSIDE),  # IEEE 802.11
    ],
    ids=["gtp-u", "frame-relay", "802.11"],
)
def test_encapsulations(link: int, frame: bytes, tmp_path: Path) -> None:
    path = tmp_path / "made.pcap"
    path.write_bytes(pcap([frame], link_type=link))
    assert [d.source for d in Savefile(path) if isinstance(d, Datagram)] != ["10.9.8.7"]
    (found,) = [d for d in WiresharkCapture(path) if isinstance(d, Datagram)]
    assert (found.source, found.source_port, found.payload) == ("10.9.8.7", 500, isakmp())
    assert found.frame.number == 1


# --- where it runs, and what goes wrong --------------------------------------------------------------------------


@needs_tshark
def test_within_a_running_loop_and_within_a_thread() -> None:
    async def notebook() -> int:
        return len(list(WiresharkCapture(COMPLETED)))

    assert asyncio.run(notebook()) == 15
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(len(list(WiresharkCapture(COMPLETED)))))
    thread.start()
    thread.join()
    assert found == [15]


@needs_tshark
def test_nothing_is_left_behind_or_said(tmp_path: Path) -> None:
    """A whole file, one that is cut, and one that is given up in the middle; warnings are errors there."""
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(COMPLETED.read_bytes()[:-30])
    script = f"""
import threading
from pcapdiag.capture.wireshark import WiresharkCapture
assert len(list(WiresharkCapture({str(COMPLETED)!r}))) == 15
assert len(list(WiresharkCapture({str(cut)!r}))) == 14
began = iter(WiresharkCapture({str(COMPLETED)!r}))
next(began)
began.close()
assert "pyshark" not in [t.name for t in threading.enumerate()]
"""
    result = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@needs_tshark
def test_a_cut_capture_is_reported_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(COMPLETED.read_bytes()[:-30])
    capture = WiresharkCapture(path)
    assert list(capture) == list(Savefile(path))
    summary = capture.summary()
    assert summary.truncated
    assert summary.warnings == (f"{path}: appears to have been cut short in the middle of a packet",)


@needs_tshark
@pytest.mark.parametrize("name", ["README.md", "absent.pcap"])
def test_what_is_no_capture(name: str) -> None:
    with pytest.raises(CaptureError, match=name):
        list(WiresharkCapture(CAPTURES / name))


@needs_tshark
def test_a_stream() -> None:
    with COMPLETED.open("rb") as file:
        assert [item for batch in WiresharkCapture(file).batches() for item in batch] == list(Savefile(COMPLETED))


@pytest.mark.parametrize("missing", ["tshark", "capinfos"])
def test_without_tshark_the_error_says_how_to_install_it(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == missing else f"/usr/bin/{name}")
    with pytest.raises(WiresharkMissingError, match="apt-get install tshark"):
        list(WiresharkCapture(COMPLETED))


@needs_tshark
def test_without_pyshark_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyshark", None)
    with pytest.raises(WiresharkMissingError, match=r"pip install pyshark"):
        list(WiresharkCapture(COMPLETED))


def test_an_engine_that_is_none() -> None:
    with pytest.raises(ValueError, match="no engine"):
        pipeline.analyze(COMPLETED, engine="scapy")


def test_times_keep_every_digit() -> None:
    assert nanoseconds("1795424518.665612007") == 1795424518665612007
    assert nanoseconds("12") == 12_000_000_000
    assert nanoseconds("-1.5") == -1_500_000_000
    assert nanoseconds("n/a") is None


def test_the_filter_names_the_ports() -> None:
    assert "udp.port in {500, 848, 4500}" in display_filter([848])


# --- live --------------------------------------------------------------------------------------------------------


@needs_tshark
def test_dumpcap_captures_live() -> None:
    if shutil.which("dumpcap") is None:
        pytest.skip("needs dumpcap")
    source = Dumpcap("lo", "udp port 500")
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stopped = threading.Event()

    def send() -> None:
        while not stopped.wait(0.1):
            sender.sendto(isakmp(), ("127.0.0.1", 500))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        found = next(iter(Savefile(source.stream, name="lo")), None)
    except CaptureError:
        found = None
    finally:
        stopped.set()
        thread.join()
        sender.close()
        said = source.close()
    if found is None and said:
        pytest.skip(f"dumpcap may not capture here: {said}")
    assert isinstance(found, Datagram)
    assert (found.destination_port, found.payload) == (500, isakmp())


@needs_tshark
def test_dumpcap_says_what_is_wrong() -> None:
    source = Dumpcap("no-such-interface")
    assert source.stream.read() == b""
    assert source.close()
