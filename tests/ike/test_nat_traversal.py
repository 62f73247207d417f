"""NAT-D hashes against a capture, and the marker."""

from pcapdiag.capture.datagram import Datagram
from pcapdiag.capture.savefile import Savefile
from pcapdiag.ike.message import parse
from pcapdiag.ike.nat_traversal import nat_detection_hash, strip_marker
from pcapdiag.ike.payloads import NatDetection
from pcapdiag.ike.registry import HashAlgorithm
from tests import CAPTURES


def test_hashes_of_a_capture_without_nat() -> None:
    datagrams = [d for d in Savefile(CAPTURES / "completed-psk.pcap") if isinstance(d, Datagram)]
    third = datagrams[2]
    found = parse(third.payload)
    header = found.header
    hashes = [p.body for p in found.payloads if isinstance(p, NatDetection)]
    cookies = (header.initiator_spi, header.responder_spi)
    assert hashes == [
        nat_detection_hash(HashAlgorithm.SHA1, *cookies, third.destination, third.destination_port),
        nat_detection_hash(HashAlgorithm.SHA1, *cookies, third.source, third.source_port),
    ]


def test_a_hash_that_is_not_at_hand() -> None:
    assert nat_detection_hash(HashAlgorithm.TIGER, bytes(8), bytes(8), "192.0.2.1", 500) is None


def test_marker() -> None:
    assert strip_marker(bytes(4) + b"x") == (b"x", True)
    assert strip_marker(b"x") == (b"x", False)
