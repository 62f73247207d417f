"""Captures in, a report out: one path and several, what cannot be read, filters, and what an import costs."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest

import pcapdiag
from pcapdiag.capture.datagram import Captured, CaptureError
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.pipeline import Report, analyze
from tests import CAPTURES
from tests.capture.frames import Blocks, ethernet, ipv4, isakmp, udp

GOOD, BAD, V2 = CAPTURES / "completed-psk.pcap", CAPTURES / "mm1-no-reply.pcap", CAPTURES / "ikev2-completed.pcap"


@pytest.fixture
def missing(tmp_path: Path) -> Path:
    return tmp_path / "nowhere.pcap"


def spis(report: Report) -> list[bytes]:
    return [d.exchange.initiator_spi for d in report.diagnoses]


def test_one_path_in_any_form() -> None:
    reports = [analyze(GOOD), analyze(str(GOOD)), analyze([GOOD]), analyze(iter([str(GOOD)]))]
    assert len({str(r.diagnoses) for r in reports}) == 1
    report = reports[0]
    assert [c.summary.path for c in report.captures] == [str(GOOD)]
    assert report.errors == ()
    assert report.diagnoses
    assert report.all_completed


def test_several_captures_are_told_apart_by_their_index() -> None:
    report = analyze([GOOD, BAD, V2])
    assert [Path(c.summary.path).name for c in report.captures] == [GOOD.name, BAD.name, V2.name]
    alone = [analyze(path) for path in (GOOD, BAD, V2)]
    assert set(spis(report)) == {spi for one in alone for spi in spis(one)}
    where = {spi: index for index, one in enumerate(alone) for spi in spis(one)}
    for d in report.diagnoses:
        frames = {f for s in d.exchange.steps for f in s.frames} | {f for e in d.evidence for f in e.frames}
        own = {f.capture for s in d.exchange.steps for f in s.frames}
        assert own == {where[d.exchange.initiator_spi]}
        assert {f.capture for f in frames} <= {0, 1, 2}
    assert report.ike_messages == sum(r.ike_messages for r in alone)
    assert [c.ike_messages for c in report.captures] == [r.captures[0].ike_messages for r in alone]


def test_counts_of_a_capture_add_up() -> None:
    for path in sorted(CAPTURES.glob("*.pcap*")):
        (one,) = analyze(path).captures
        assert one.summary.datagrams == one.ike_messages + one.not_ike


def test_a_missing_one_among_good_ones(missing: Path) -> None:
    report = analyze([GOOD, missing, BAD])
    assert len(report.captures) == 2
    (error,) = report.errors
    assert str(missing) in error
    assert "\n" not in error
    assert {f.capture for d in report.diagnoses for s in d.exchange.steps for f in s.frames} == {0, 1}


def test_all_missing(missing: Path) -> None:
    with pytest.raises(CaptureError, match=missing.name):
        analyze(missing)
    other = missing.with_name("neither.pcap")
    with pytest.raises(CaptureError) as caught:
        analyze([missing, other])
    assert [missing.name in line or other.name in line for line in str(caught.value).splitlines()] == [True, True]


def test_no_capture_at_all() -> None:
    report = analyze([])
    assert (report.captures, report.diagnoses, report.ike_messages) == ((), (), 0)


def test_filter_by_peer() -> None:
    whole = analyze([GOOD, V2])
    for side in ("initiator", "responder"):
        address = getattr(whole.diagnoses[0].exchange, side).address
        found = analyze([GOOD, V2], peer=address).diagnoses
        assert found
        assert all(address in (*d.exchange.initiator.addresses, *d.exchange.responder.addresses) for d in found)
    assert analyze(GOOD, peer="192.0.2.254").diagnoses == ()


def test_filter_by_peer_knows_the_address_outside_of_a_nat() -> None:
    for d in analyze(CAPTURES / "completed-nat.pcap").diagnoses:
        for address in (*d.exchange.initiator.addresses, *d.exchange.responder.addresses):
            again = analyze(CAPTURES / "completed-nat.pcap", peer=address)
            assert d.exchange.initiator_spi in spis(again)


def test_filter_by_spi() -> None:
    exchange = analyze([GOOD, V2]).diagnoses[0].exchange
    cookies = (exchange.initiator_spi.hex(), (exchange.responder_spi or b"").hex())
    for digits in (cookies[0], cookies[0][:5], cookies[0].upper(), cookies[1]):
        assert spis(analyze([GOOD, V2], spi=digits)) == [exchange.initiator_spi]
    assert analyze([GOOD, V2], spi="00" * 8).diagnoses == ()


def test_filters_leave_the_counts_alone() -> None:
    whole, filtered = analyze(GOOD), analyze(GOOD, peer="192.0.2.254")
    assert filtered.captures == whole.captures
    assert filtered.ike_messages == whole.ike_messages


def test_keys_are_held_against_aggressive_mode() -> None:
    path = CAPTURES / "aggressive-completed.pcap"
    kinds = {kind for e in analyze(path, psks=[b"wrong"]).diagnoses[0].evidence for kind in e.kinds}
    assert "psk-of-responder-differs" in kinds
    assert "wrong" not in repr(analyze(path, psks=[b"a wrong key"]).diagnoses[0].exchange)


def test_all_completed() -> None:
    assert analyze(GOOD).all_completed
    assert analyze(V2).all_completed
    assert not analyze(BAD).all_completed
    assert not analyze([GOOD, BAD]).all_completed


def test_public_names() -> None:
    assert pcapdiag.analyze is analyze
    assert pcapdiag.CaptureError is CaptureError
    assert pcapdiag.Report is Report
    assert isinstance(pcapdiag.__version__, str)
    with pytest.raises(AttributeError, match="nothing_like_this"):
        pcapdiag.nothing_like_this  # noqa: B018


def test_import_is_light() -> None:
    heavy = ("dpkt", "click", "pcapdiag.pipeline", "pcapdiag.capture", "pcapdiag.diagnosis")
    program = f"import sys, pcapdiag; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"


def test_what_had_to_make_room_is_counted_and_judged() -> None:
    paths = [GOOD, CAPTURES / "completed-nat.pcap", CAPTURES / "mm5-psk-mismatch.pcap"]
    whole = analyze(paths)
    report = analyze(paths, max_exchanges=1)
    assert len(report.diagnoses) + sum(f.exchanges for f in report.folded) == len(whole.diagnoses)
    assert {f.outcome for f in report.folded} >= {"completed"}
    address = whole.diagnoses[0].exchange.initiator.address
    assert all(address in (f.initiator, f.responder) for f in analyze(paths, max_exchanges=1, peer=address).folded)
    assert not analyze(BAD, max_exchanges=1).all_completed


def _later(capture: Path, seconds: int, target: Path) -> Path:
    """The same capture, recorded that much later."""
    octets = bytearray(capture.read_bytes())
    at = 24
    while at < len(octets):
        second, _, captured, _ = struct.unpack_from("<IIII", octets, at)
        struct.pack_into("<I", octets, at, second + seconds)
        at += 16 + captured
    target.write_bytes(bytes(octets))
    return target


def test_silence_between_two_captures_was_not_watched(tmp_path: Path) -> None:
    """A capture that ends right behind message 1, and another one of the same day: no stall in the first."""
    whole = (CAPTURES / "mm1-no-reply.pcap").read_bytes()
    at = 24
    for _ in range(3):  # two frames of ARP, then message 1
        at += 16 + int.from_bytes(whole[at + 8 : at + 12], "little")
    short = tmp_path / "short.pcap"
    short.write_bytes(whole[:at])
    other = CAPTURES / "completed-nat.pcap"
    alone = analyze(short).diagnoses[0].stop
    assert alone.outcome is Outcome.INCONCLUSIVE
    # The same peers, but what they did in these two hours nobody knows.
    found = analyze([short, _later(other, 7_200, tmp_path / "later.pcap")]).diagnoses
    (first,) = (d for d in found if len(d.exchange.steps) == 1)
    assert first.stop.outcome is Outcome.INCONCLUSIVE
    # A file of a ring goes on within seconds: that silence was watched.
    rest = tmp_path / "rest.pcap"
    rest.write_bytes(whole[:24] + whole[at:])
    assert analyze([short, rest]).diagnoses[0].stop.outcome is Outcome.STALLED


def test_a_witness_sees_each_item_and_the_exchange_that_it_belongs_to() -> None:
    seen: dict[int | None, int] = {}

    def witness(_item: Captured, number: int | None) -> None:
        seen[number] = seen.get(number, 0) + 1

    report = analyze(CAPTURES / "mm5-udp-4500-blocked.pcap", witness=witness)
    assert seen == {1: report.ike_messages, None: report.captures[0].summary.nat_keepalives}


def test_the_sections_of_a_file_are_captures_of_their_own(tmp_path: Path) -> None:
    """Nobody watched between them, so the silence there stalls nothing."""
    blocks = Blocks("<")
    section = blocks.section() + blocks.interface()
    frame = ethernet(ipv4(udp(isakmp())))
    other = ethernet(ipv4(bytes(40), 6))
    files = {
        "one": section + blocks.packet(frame, 10_000_000) + blocks.packet(other, 200_000_000),
        "two": section + blocks.packet(frame, 10_000_000) + section + blocks.packet(other, 200_000_000),
    }
    outcomes = {}
    for name, octets in files.items():
        (tmp_path / name).write_bytes(octets)
        outcomes[name] = analyze(tmp_path / name).diagnoses[0].stop.outcome
    assert outcomes == {"one": Outcome.STALLED, "two": Outcome.INCONCLUSIVE}
