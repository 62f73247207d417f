"""Which address stands in the commands of an end: the one that it sees, where NAT changes the other's."""

import pytest
from msgspec.structs import replace

from pcapdiag.capture.datagram import Datagram
from pcapdiag.diagnosis.causes.addresses import known_as
from pcapdiag.diagnosis.causes.checks import fitting_checks, next_checks
from pcapdiag.diagnosis.causes.platforms import Given
from pcapdiag.diagnosis.causes.request import request_text
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Side
from tests.diagnosis.scenarios import PUBLIC, choice, floated, keying, kinds, nat_ds, offer, only, sealed, with_nat
from tests.messages import LEFT, RIGHT, Wire

INITIATOR, RESPONDER = Side.INITIATOR, Side.RESPONDER


def _commands(found: Diagnosis, side: Side) -> list[str]:
    """What is told to be done at an end, with every platform's commands."""
    placed = [p for ranked in found.causes if ranked.leads for p in fitting_checks(ranked, found)]
    checks = [check for p in placed if p.side is side for check in (p.check, *p.by_platform)]
    return [text for c in checks for text in (c.do, c.command, *c.first) if text]


def _inside_of_nat() -> Diagnosis:
    """Captured at the initiator, whose address a NAT changes further on."""
    wire = Wire()
    return only([*with_nat(wire), *(floated(wire, at, sealed(5)) for at in (0.4, 4.4, 11.6, 24.6))], 120)


def _outside_of_nat() -> Diagnosis:
    """The same captured at the responder: it comes from the NAT's address, and hashed its own."""
    wire = Wire()

    def sent(at: float, octets: bytes, *, left: bool = True) -> Datagram:
        ends = (PUBLIC, RIGHT) if left else (RIGHT, PUBLIC)
        return wire.datagram(at, octets, source=ends[0], destination=ends[1], ttl=61 if left else 64)

    return only(
        [
            sent(0, offer()),
            sent(0.1, choice(), left=False),
            sent(0.2, keying(*nat_ds((RIGHT, 500), (LEFT, 500)))),
            *(sent(at, keying(*nat_ds((PUBLIC, 500), (RIGHT, 500)), fill=4), left=False) for at in (0.3, 8.3, 16.3)),
        ],
        90,
    )


def test_the_other_end_sees_what_the_nat_makes_of_it() -> None:
    found = _inside_of_nat()
    assert "nat-beyond-initiator" in kinds(found)
    at_responder = _commands(found, RESPONDER)
    assert any(f"host <{LEFT}-after-NAT> and udp port 4500" in text for text in at_responder)
    assert not [text for text in at_responder if LEFT in text and f"<{LEFT}-after-NAT>" not in text]
    assert any(RIGHT in text for text in _commands(found, INITIATOR))
    assert not [text for text in _commands(found, INITIATOR) if "NAT>" in text]


def test_what_is_sent_to_the_other_end_names_no_address_that_it_never_sees() -> None:
    text = request_text(replace(_inside_of_nat(), given=Given((), (LEFT,)))) or ""
    assert f"{LEFT} (us, behind NAT: you see another address)" in text
    assert f"host <{LEFT}-after-NAT> and (" in text
    assert f"to and from <{LEFT}-after-NAT> permitted" in " ".join(text.split())


def test_behind_the_nat_its_own_address_is_not_known() -> None:
    found = _outside_of_nat()
    assert "nat-before-initiator" in kinds(found)
    known = {(of, at): known_as(found.exchange, of, at, kinds(found)) for of in Side for at in Side}
    assert known == {
        (INITIATOR, INITIATOR): f"<{PUBLIC}-before-NAT>",
        (INITIATOR, RESPONDER): PUBLIC,
        (RESPONDER, INITIATOR): RIGHT,
        (RESPONDER, RESPONDER): RIGHT,
    }


def test_without_nat_the_addresses_stand_as_they_are() -> None:
    wire = Wire()
    found = only([*with_nat(wire, translated=False), wire.datagram(0.4, sealed(5)), wire.datagram(8.4, sealed(5))], 60)
    assert "no-nat" in kinds(found)
    assert not [text for side in Side for text in _commands(found, side) if "NAT>" in text]


@pytest.mark.parametrize(
    ("source", "destination", "ttl", "translated"),
    [
        ("192.168.1.50", "8.8.4.4", 64, True),  # RFC 1918 §3: it cannot get there as it is
        ("100.64.3.4", "8.8.4.4", 64, True),
        ("192.168.1.50", "10.9.8.7", 64, False),
        ("9.9.9.9", "8.8.4.4", 64, False),
    ],
)
def test_a_private_address_does_not_get_to_a_public_one(
    source: str, destination: str, ttl: int, translated: bool
) -> None:
    wire = Wire()
    times = (0, 8, 16, 24)
    found = only([wire.datagram(t, offer(), source=source, destination=destination, ttl=ttl) for t in times], 90)
    expected = f"<{source}-after-NAT>" if translated else source
    assert known_as(found.exchange, INITIATOR, RESPONDER, kinds(found)) == expected
    assert any(expected in (p.check.command or "") for p in next_checks(found) if p.side is RESPONDER)
