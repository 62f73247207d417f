"""ARP requests that nothing answers, from the wire to the report."""

import io
import json
import struct
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path

import pytest

import pcapdiag
from pcapdiag.report.json_report import render
from pcapdiag.report.terminal.nothing import nothing_found
from tests import CAPTURES
from tests.capture.frames import ROUTER, T0, A, B, ethernet, ipv4, pcap, udp
from tests.messages import SECOND, main_mode

FREE = "192.0.2.99"


def arp(sender: str, target: str, operation: int = 1) -> bytes:
    """A packet of RFC 826, in Ethernet."""
    head = struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation)
    return ethernet(head + bytes(6) + ip_address(sender).packed + bytes(6) + ip_address(target).packed, 0x0806)


def asked(*frames: bytes) -> list[tuple[str, str, int]]:
    report = pcapdiag.analyze(io.BytesIO(pcap(frames)))
    return [(one.asker, one.address, one.requests) for one in report.captures[0].summary.unanswered]


def test_requests_without_an_answer_are_counted() -> None:
    assert asked(*[arp(A, FREE)] * 3, *[arp(A, ROUTER)] * 2) == [(A, FREE, 3), (A, ROUTER, 2)]


@pytest.mark.parametrize(
    "frames",
    [
        [arp(A, FREE)] * 3 + [arp(FREE, A, 2)],
        [arp(A, FREE)] * 3 + [arp(FREE, ROUTER)],
        [arp(A, FREE)],
        [arp("0.0.0.0", FREE)] * 3,
        [arp(FREE, FREE)] * 3,
        [arp(A, FREE)[:30]] * 3,
        [arp(A, FREE)[:16] + b"\x86\xdd" + arp(A, FREE)[18:]] * 3,
    ],
    ids=["answered", "asks itself", "asked once", "is it free", "announced", "cut short", "not of IPv4"],
)
def test_what_says_nothing(frames: list[bytes]) -> None:
    assert asked(*frames) == []


def test_several_processes_find_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([arp(A, FREE)] * 3))
    with ThreadPoolExecutor(2) as executor:
        apart = pcapdiag.analyze(path, executor=executor)
    assert apart.captures[0].summary == pcapdiag.analyze(path).captures[0].summary
    assert apart.captures[0].summary.unanswered[0].last_time == T0 + 2 * SECOND


def _first_message_and(*frames: bytes) -> pcapdiag.Diagnosis:
    """Message 1 from A to B three times, through a router that asks for B."""
    first = [(T0 + n * 8 * SECOND, ethernet(ipv4(udp(main_mode(1)), 17, A, B))) for n in range(3)]
    others = [(T0 + SECOND + n * SECOND, frame) for n, frame in enumerate(frames)]
    last = (T0 + 60 * SECOND, ethernet(bytes(28), 0x88CC))
    (found,) = pcapdiag.analyze(io.BytesIO(pcap(sorted([*first, *others, last])))).diagnoses
    return found


def test_no_answer_for_the_responder_is_evidence() -> None:
    found = _first_message_and(*[arp(ROUTER, B)] * 3)
    item = next(item for item in found.evidence if item.kind == "arp-unanswered")
    assert item.text == f"{ROUTER} asked by ARP for {B}, 3 times in 2.0 s, and nothing answered in this capture."
    assert [frame.number for frame in item.frames] == [2, 4]
    first = found.causes[0]
    assert (first.cause.id, first.status.value) == ("peer-unreachable", "likely")
    assert item.id in first.because


def test_no_answer_for_another_address_is_not() -> None:
    found = _first_message_and(*[arp(ROUTER, FREE)] * 3)
    assert not [item for item in found.evidence if item.kind == "arp-unanswered"]


def test_without_ike_it_is_said_what_that_means() -> None:
    report = pcapdiag.analyze(CAPTURES / "no-ike-arp-only.pcap")
    told = " ".join(nothing_found(report, None, None))
    assert "10.1.0.2 asks by ARP for 10.1.0.99, 12 times in 26.2 s, and nothing answers" in told
    assert "pcapdiag explain peer-unreachable" in told
    assert "nothing tries" not in told
    assert "nothing answers" in report.to_html()
    assert "nothing answers" in report.to_markdown()
    (one,) = json.loads("".join(render(report)))["captures"][0]["unanswered_arp"]
    assert (one["address"], one["requests"], one["last_frame"]) == ("10.1.0.99", 12, 12)
