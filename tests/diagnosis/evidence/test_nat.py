"""Where NAT is, from hashes that are computed here by the RFC's text, not by the program."""

import pytest

from pcapdiag.capture.datagram import Datagram
from pcapdiag.diagnosis.evidence.nat import NatView, nat_view
from pcapdiag.exchange.model import Side
from pcapdiag.exchange.tracker import Tracker
from tests.diagnosis.scenarios import (
    COOKIES,
    NAT_T,
    PUBLIC,
    captured,
    choice,
    diagnosed_until,
    fact,
    floated,
    ikev2,
    keying,
    kinds,
    nat_d,
    nat_ds,
    notify_v2,
    offer,
    sealed,
)
from tests.messages import LEFT, RIGHT, ZERO, Wire, ke, message, sa, transform

INSIDE = "10.9.9.9"
OURS, THEIRS = (LEFT, 500), (RIGHT, 500)
PUBLIC_END, INSIDE_END = (PUBLIC, 500), (INSIDE, 500)


def view(items: list[Datagram]) -> NatView | None:
    tracker = Tracker()
    for item in items:
        tracker.feed(item)
    (exchange,) = tracker.exchanges()
    return nat_view(exchange)


def main_mode(
    third: list[tuple[int, bytes]] | None,
    fourth: list[tuple[int, bytes]] | None,
    *,
    ttls: tuple[int, int] = (64, 62),
    chosen: bytes | None = None,
    ends: tuple[str, str] = (LEFT, RIGHT),
) -> list[Datagram]:
    """Messages 1–4 between `ends`, with these NAT-D payloads in 3 and 4 (None: no message)."""
    wire = Wire()
    there = {"source": ends[0], "destination": ends[1], "ttl": ttls[0]}
    back = {"source": ends[1], "destination": ends[0], "ttl": ttls[1], "left": False}
    items = [
        wire.datagram(0, offer(NAT_T, transforms=[chosen] if chosen else ()), **there),
        wire.datagram(0.1, choice(NAT_T, chosen=chosen), **back),
    ]
    if third is not None:
        items.append(wire.datagram(0.2, keying(*third), **there))
    if fourth is not None:
        items.append(wire.datagram(0.3, keying(*fourth, fill=4), **back))
    return items


def where(found: NatView | None) -> tuple[str, str]:
    """What is in front of the initiator and of the responder, in a word each."""
    assert found is not None

    def word(side: Side) -> str:
        end = found.before(side)
        return "unknown" if end is None else "NAT" if end.translated else "faked" if end.faked else "nothing"

    return word(Side.INITIATOR), word(Side.RESPONDER)


def test_no_nat() -> None:
    found = view(main_mode(nat_ds(THEIRS, OURS), nat_ds(OURS, THEIRS)))
    assert where(found) == ("nothing", "nothing")
    assert found is not None
    assert found.none
    assert not found.translated
    assert [f.number for f in found.frames] == [3, 4]


def test_nat_in_front_of_the_initiator_seen_at_the_initiator() -> None:
    # The responder sees the public address and hashes that as the destination.
    found = view(main_mode(nat_ds(THEIRS, OURS), nat_ds(PUBLIC_END, THEIRS)))
    assert where(found) == ("NAT", "nothing")
    assert found is not None
    assert found.translated
    assert [f.number for f in found.before(Side.INITIATOR).frames] == [4]


def test_nat_in_front_of_the_initiator_seen_at_the_responder() -> None:
    # What comes in bears the public address; the initiator hashed its own.
    found = view(main_mode(nat_ds(THEIRS, OURS), nat_ds(PUBLIC_END, THEIRS), ends=(PUBLIC, RIGHT), ttls=(62, 64)))
    assert where(found) == ("NAT", "nothing")


def test_nat_in_front_of_the_responder_seen_at_the_initiator() -> None:
    # The initiator writes to the public address; the responder hashes its inner one as its own.
    found = view(main_mode(nat_ds(THEIRS, OURS), nat_ds(OURS, INSIDE_END)))
    assert where(found) == ("nothing", "NAT")


def test_nat_in_front_of_the_responder_seen_at_the_responder() -> None:
    found = view(main_mode(nat_ds(THEIRS, OURS), nat_ds(OURS, INSIDE_END), ends=(LEFT, INSIDE), ttls=(62, 64)))
    assert where(found) == ("nothing", "NAT")


def test_nat_in_front_of_both() -> None:
    found = view(main_mode(nat_ds(THEIRS, OURS), nat_ds(PUBLIC_END, INSIDE_END)))
    assert where(found) == ("NAT", "NAT")
    found = view(main_mode(nat_ds(THEIRS, OURS), nat_ds(PUBLIC_END, INSIDE_END), ends=(PUBLIC, RIGHT), ttls=(63, 63)))
    assert where(found) == ("NAT", "NAT")


def test_translated_port_alone_is_nat() -> None:
    found = view(main_mode(nat_ds(THEIRS, OURS), nat_ds((LEFT, 61234), THEIRS)))
    assert where(found) == ("NAT", "nothing")


def test_hash_that_is_faked_to_force_encapsulation() -> None:
    third = [(20, nat_d(*THEIRS)), (20, bytes(20))]
    found = view(main_mode(third, nat_ds(OURS, THEIRS)))
    assert where(found) == ("faked", "nothing")
    assert found is not None
    assert not found.translated
    assert not found.none


def test_same_hash_behind_routers_is_nat() -> None:
    third = [(20, nat_d(*THEIRS)), (20, bytes(20))]
    found = view(main_mode(third, nat_ds(OURS, THEIRS), ttls=(61, 64)))
    assert where(found) == ("NAT", "nothing")


def test_one_of_several_own_addresses_is_enough() -> None:
    third = [*nat_ds(THEIRS, INSIDE_END), (20, nat_d(*OURS))]
    assert where(view(main_mode(third, nat_ds(OURS, THEIRS)))) == ("nothing", "nothing")


def test_capture_on_both_sides_of_a_nat() -> None:
    wire = Wire()
    items = []
    steps = [
        (offer(NAT_T), True),
        (choice(NAT_T), False),
        (keying(*nat_ds(THEIRS, OURS)), True),
        (keying(*nat_ds(PUBLIC_END, THEIRS), fill=4), False),
    ]
    for n, (octets, left) in enumerate(steps):
        inside = wire.datagram(n, octets, left=left, ip_id=100 + n)
        if left:
            outside = wire.datagram(n + 0.0001, octets, source=PUBLIC, ip_id=100 + n, ttl=63)
            items += [inside, outside]
        else:
            outside = wire.datagram(n - 0.0001, octets, left=False, destination=PUBLIC, ip_id=100 + n)
            items += [outside, inside]
    found = view(items)
    assert where(found) == ("NAT", "nothing")
    assert found is not None
    assert "both sides" in found.before(Side.INITIATOR).text


ALGORITHMS = [("md5", 1), ("sha1", 2), ("sha256", 4), ("sha384", 5), ("sha512", 6)]


@pytest.mark.parametrize(("name", "number"), ALGORITHMS)
@pytest.mark.parametrize("kind", [20, 130, 15])
def test_every_hash_and_every_payload_number(name: str, number: int, kind: int) -> None:
    chosen = transform(1, (1, 7), (14, 128), (2, number), (3, 1), (4, 14))
    items = main_mode(nat_ds(THEIRS, OURS, name, kind), nat_ds(OURS, THEIRS, name, kind), chosen=chosen)
    assert where(view(items)) == ("nothing", "nothing")
    items = main_mode(nat_ds(THEIRS, OURS, name, kind), nat_ds(PUBLIC_END, THEIRS, name, kind), chosen=chosen)
    assert where(view(items)) == ("NAT", "nothing")


def test_hash_that_cannot_be_computed_says_nothing() -> None:
    chosen = transform(1, (1, 7), (14, 128), (2, 3), (3, 1), (4, 14))
    assert view(main_mode([(20, bytes(24))] * 2, [(20, bytes(24))] * 2, chosen=chosen)) is None


def test_without_hashes_nothing_is_known() -> None:
    assert view(main_mode([], [])) is None
    assert view(main_mode(None, None)) is None
    assert view(main_mode([(20, nat_d(*THEIRS))], None)) is None


def test_hashes_of_message_3_alone() -> None:
    found = view(main_mode(nat_ds(THEIRS, OURS), None))
    assert where(found) == ("nothing", "nothing")
    # Its destination fits: nothing translates the responder on the initiator's side. Beyond, nobody has said yet.
    found = view(main_mode(nat_ds(INSIDE_END, OURS), None))
    assert where(found) == ("nothing", "NAT")


def test_ipv6() -> None:
    left, right = ("2001:db8::1", 500), ("2001:db8::2", 500)
    items = main_mode(nat_ds(right, left), nat_ds(left, right), ends=(left[0], right[0]))
    assert where(view(items)) == ("nothing", "nothing")


@pytest.mark.parametrize(
    ("third", "fourth", "expected"),
    [
        ((THEIRS, OURS), (OURS, THEIRS), ("nothing", "nothing")),
        ((THEIRS, OURS), (PUBLIC_END, THEIRS), ("NAT", "nothing")),
        ((THEIRS, OURS), (OURS, INSIDE_END), ("nothing", "NAT")),
        ((THEIRS, OURS), (PUBLIC_END, INSIDE_END), ("NAT", "NAT")),
    ],
)
def test_ikev2_notifies(
    third: tuple[tuple[str, int], ...], fourth: tuple[tuple[str, int], ...], expected: tuple[str, str]
) -> None:
    spis = (COOKIES[0], ZERO)
    wire = Wire()

    def hashes(ends: tuple[tuple[str, int], ...], cookies: tuple[bytes, bytes]) -> list[tuple[int, bytes]]:
        destination, source = ends
        return [
            notify_v2(16388, nat_d(*source, "sha1", cookies)),
            notify_v2(16389, nat_d(*destination, "sha1", cookies)),
        ]

    def init(request: bool, ends: tuple[tuple[str, int], ...], cookies: tuple[bytes, bytes]) -> bytes:
        body = [(33, b""), (34, bytes(4) + bytes(32)), (40, bytes(16)), *hashes(ends, cookies)]
        return message(34, body, version=0x20, flags=0x08 if request else 0x20, cookies=cookies)

    items = [
        wire.datagram(0, init(True, third, spis)),
        wire.datagram(0.1, init(False, fourth, COOKIES), left=False, ttl=62),
        wire.datagram(0.2, ikev2(35, request=True, number=1)),
    ]
    assert where(view(items)) == expected


def test_aggressive_mode_has_the_hashes_in_2_and_3() -> None:
    wire = Wire()
    identity = (5, b"\x01\x11\x01\xf4" + bytes(4))
    items = [
        wire.datagram(0, message(4, [sa(), *ke(), identity, NAT_T], cookies=(COOKIES[0], ZERO))),
        wire.datagram(
            0.1,
            message(4, [sa(), *ke(), identity, (8, bytes(20)), NAT_T, *nat_ds(PUBLIC_END, THEIRS)]),
            left=False,
            ttl=62,
        ),
        wire.datagram(0.2, message(4, [(8, bytes(20)), *nat_ds(THEIRS, OURS)])),
    ]
    assert where(view(items)) == ("NAT", "nothing")


def test_hashes_count_for_the_cookies_of_their_message() -> None:
    wrong = nat_ds(THEIRS, OURS, cookies=(bytes(8), bytes(8)))
    assert where(view(main_mode(wrong, nat_ds(OURS, THEIRS)))) == ("faked", "NAT")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("completed-psk.pcap", {"no-nat"}),
        ("mm5-udp-4500-blocked.pcap", {"nat", "nat-initiator", "nat-beyond-initiator"}),
        ("completed-any-interface.pcap", {"nat", "nat-initiator"}),
        ("mm5-lost.pcap", {"no-nat"}),
    ],
)
def test_captures(name: str, expected: set[str]) -> None:
    found = diagnosed_until(*captured(name))[0]
    assert {k for k in kinds(found) if k == "no-nat" or k == "nat" or k.startswith("nat-")} == expected


def test_evidence_says_in_front_of_whom() -> None:
    items = main_mode(nat_ds(THEIRS, OURS), nat_ds(PUBLIC_END, THEIRS))
    wire = Wire()
    wire.number = 10
    items.append(floated(wire, 1, sealed(5)))
    (found,) = diagnosed_until(items, 60_000_000_000)
    assert fact(found, "nat-initiator").text.startswith("NAT in front of the initiator: the responder hashed another")
