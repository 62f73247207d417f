"""Facts about the path: IKE on UDP 4500 without its marker, and IKE in TCP."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from pcapdiag.capture.datagram import Datagram
from pcapdiag.capture.savefile import Savefile
from pcapdiag.diagnosis.verdict import diagnose
from pcapdiag.exchange.model import Exchange
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.pipeline import analyze
from tests import CAPTURES
from tests.diagnosis.scenarios import PUBLIC, choice, fact, floated, ikev2, keying, kinds, nat_ds, offer, only, statuses
from tests.diagnosis.scenes import answered_from_port_500, made
from tests.messages import LEFT, RIGHT, Wire, main_mode


def test_no_marker_on_4500() -> None:
    wire = Wire()
    bare = [wire.datagram(t, main_mode(5), ports=(4500, 4500)) for t in (1, 5)]
    item = fact(only([*wire.main_mode(0, 1, 2, 3, 4), *bare]), "no-marker")
    assert item.text.startswith("MM5 goes to UDP port 4500 without the four zero octets")
    assert [f.number for f in item.frames] == [1, 2]


def test_marker_where_it_belongs() -> None:
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4)
    assert "no-marker" not in kinds(only([*items, floated(wire, 1, main_mode(5))]))
    assert "no-marker" not in kinds(only([*items, wire.datagram(1, main_mode(5))]))


def test_one_port_of_4500_is_enough() -> None:
    wire = Wire()
    item = wire.datagram(1, main_mode(5), ports=(31000, 4500))
    assert "no-marker" in kinds(only([*wire.main_mode(0, 1, 2, 3, 4), item]))


def test_tcp() -> None:
    wire = Wire()
    ports = {True: (40000, 4500), False: (4500, 40000)}
    items = [
        replace(d, transport="tcp", source_port=ports[n % 2 == 0][0], destination_port=ports[n % 2 == 0][1])
        for n, d in enumerate(wire.main_mode(0, 1, 2, 3))
    ]
    found = only(items)
    item = fact(found, "ike-over-tcp")
    assert "port 4500" in item.text
    assert [f.number for f in item.frames] == [1]
    assert "no-marker" not in kinds(found)  # in TCP there is a length in its place


def test_udp_is_no_tcp() -> None:
    assert "ike-over-tcp" not in kinds(only(Wire().main_mode(0, 1, 2)))


def test_ikev2_floats_without_nat() -> None:
    report = analyze(CAPTURES / "ikev2-completed.pcap")
    item = next(i for i in report.diagnoses[0].evidence if i.kind == "mobike-float")
    assert [f.number for f in item.frames] == [6]
    behind_nat = analyze(CAPTURES / "ikev2-cookie.pcap")
    assert all(i.kind != "mobike-float" for i in behind_nat.diagnoses[0].evidence)


def test_ikev2_initiator_that_moves() -> None:
    items = [d for d in Savefile(CAPTURES / "ikev2-completed.pcap") if isinstance(d, Datagram)]
    moved = [replace(d, source="203.0.113.7") if n == 4 else d for n, d in enumerate(items)]
    moved[5] = replace(moved[5], destination="203.0.113.7")  # whoever is answered there is the initiator
    (found, *_) = diagnose(list(_tracked(moved)), items[-1].time)
    item = next(i for i in found.evidence if i.kind == "address-changed")
    assert item.text == "The initiator moved from 10.1.0.2 to 203.0.113.7, as MOBIKE or a NAT does."


def _tracked(items: list[Datagram]) -> Iterator[Exchange]:
    tracker = Tracker()
    for item in items:
        tracker.feed(item)
    return tracker.exchanges()


@pytest.mark.parametrize(("again", "kind"), [((), False), ((4.0, 11.0), True)])
def test_a_large_answer_that_is_not_asked_for_again_was_had(again: tuple[float, ...], kind: bool) -> None:
    """RFC 7296 §2.1: the initiator asks until it has the answer, however large that is."""
    wire = Wire()
    request, answer = ikev2(35, request=True, number=1), ikev2(35, request=False, number=1, inner=48, octets=1400)
    rows = [(0.0, ikev2(34, request=True), True), (0.1, ikev2(34, request=False), False)]
    rows += [(at, request, True) for at in (0.2, *again)] + [(at + 0.1, answer, False) for at in (0.2, *again)]
    items = [wire.datagram(at, octets, left=left) for at, octets, left in sorted(rows, key=lambda row: row[0])]
    assert ("large-message-unanswered" in kinds(only(items, 60))) == kind


DRAFT_00 = (13, bytes.fromhex("4485152d18b6bbcd0be8a8469579ddcc"))
DRAFT_02 = (13, bytes.fromhex("90cb80913ebb696e086381b5ec427b1f"))


@pytest.mark.parametrize("vendor_id", [DRAFT_00, DRAFT_02])
def test_the_first_drafts_of_nat_traversal_stay_on_500(vendor_id: tuple[int, bytes]) -> None:
    """From draft 02 on an initiator that finds a NAT moves to UDP 4500."""
    wire = Wire()
    items = [
        wire.datagram(0, offer(vendor_id)),
        wire.datagram(0.1, choice(vendor_id), left=False),
        wire.datagram(0.2, keying(*nat_ds((RIGHT, 500), (LEFT, 500), kind=130))),
        wire.datagram(0.3, keying(*nat_ds((PUBLIC, 500), (RIGHT, 500), kind=130), fill=4), left=False),
        *wire.main_mode(0.4, 5, 6),
    ]
    assert ("no-float-despite-nat" in kinds(only(items, 60))) is (vendor_id is DRAFT_02)


def test_nat_traversal_is_not_blamed_where_the_capture_ends() -> None:
    assert statuses(only(*made("capture_ends_after_message_5_that_did_not_move")))["nat-traversal-off"] == "possible"


@pytest.mark.parametrize(("ttl", "status"), [(64, "possible"), (57, "likely")])
def test_answers_from_another_port_than_was_asked(ttl: int, status: str) -> None:
    """What is answered has arrived: UDP 4500 is open on the way there. At the initiator the answers do arrive."""
    found = only(*answered_from_port_500(ttl))
    assert "comes from port 500, but the initiator asked port 4500" in fact(found, "answers-from-another-port").text
    assert "port-4500-only-initiator" not in kinds(found)
    assert statuses(found)["path-loss"] == status
    assert "udp-4500-blocked" not in statuses(found)


def test_what_arrives_at_the_responder_is_not_filtered_before_it() -> None:
    """Of IKEv2 as of IKEv1: message 1 has passed routers and nothing answers it."""
    for name in ("silence_behind_the_path", "ikev2_silence_behind_the_path"):
        found = only(*made(name))
        assert next(iter(statuses(found))) == "unknown-peer"
        assert statuses(found)["udp-500-blocked"] == "possible"
