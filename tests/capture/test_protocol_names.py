"""What frames without IKE are called in a count."""

import pytest

from pcapdiag.capture import kinds
from pcapdiag.capture.protocol_names import MAX_NAMES, protocol_counts, protocol_name
from pcapdiag.capture.walker import Tally
from tests.capture.frames import ethernet, ipv4, pcap, read


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (kinds.KEY_IP + 6, "TCP"),
        (kinds.KEY_IP + 200, "IP protocol 200"),
        (kinds.KEY_UDP, "UDP"),
        (kinds.KEY_UDP + 53, "UDP 53"),
        (kinds.KEY_TCP + 4500, "TCP 4500"),
        (kinds.KEY_ETHERTYPE + 0x0806, "ARP"),
        (kinds.KEY_ETHERTYPE + 0x1234, "ethertype 0x1234"),
        (kinds.KEY_LLC, "STP/LLC"),
        (kinds.KEY_FAMILY + 7, "address family 7"),
        (kinds.KEY_PPP + 0xC021, "PPP 0xc021"),
        (kinds.KEY_BLOCK + 9, "systemd journal"),
        (kinds.KEY_BLOCK + 10, "pcapng record"),
        (kinds.KEY_REST, "other"),
        (kinds.KEY_FRAGMENT4 + 17, "IPv4 fragment (UDP)"),
        (kinds.KEY_FRAGMENT6 + 60, "IPv6 fragment (IP protocol 60)"),
    ],
)
def test_every_kind_of_key_has_a_name(key: int, name: str) -> None:
    assert protocol_name(key) == name


def test_nothing_was_seen() -> None:
    assert protocol_counts(Tally()) == {}


def test_protocols_come_most_frequent_first_and_are_bounded() -> None:
    rare = [ethernet(bytes(28), 0x2000 + n) for n in range(2 * MAX_NAMES)]
    summary = read(pcap([*rare, ethernet(ipv4(bytes(20), 6)), ethernet(ipv4(bytes(20), 6))])).summary
    assert next(iter(summary.protocols)) == "TCP"
    assert summary.protocols["other"] == MAX_NAMES + 1
    assert len(summary.protocols) == MAX_NAMES + 1
