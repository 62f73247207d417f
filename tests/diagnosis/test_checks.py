"""What to check next: real addresses, at the right end, for the platforms that the ends show."""

import re

import pytest

from pcapdiag.diagnosis.checks import PlacedCheck, fitting_checks, next_checks
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Side
from tests.diagnosis.scenarios import LIBRESWAN, STRONGSWAN, TRUTH, captured, choice, diagnosed, diagnosed_until, offer
from tests.diagnosis.scenes import SCENES, made
from tests.messages import LEFT, RIGHT, Wire


def _texts(placed: PlacedCheck) -> list[str]:
    check = placed.check
    return [text for text in (check.do, check.command, check.expect) if text]


def _all(found: Diagnosis) -> list[PlacedCheck]:
    return [p for ranked in found.causes for p in fitting_checks(ranked, found.exchange)]


@pytest.mark.parametrize("row", TRUTH, ids=lambda r: r["capture"])
def test_no_braces_are_left(row: dict[str, str]) -> None:
    for found in diagnosed_until(*captured(row["capture"])):
        for placed in (*_all(found), *next_checks(found.causes, found.exchange)):
            assert not [t for t in _texts(placed) if re.search(r"[{}]", t.replace("tunnel-group {name}", ""))]


@pytest.mark.parametrize("name", SCENES)
def test_each_check_stands_at_its_end_and_names_the_other(name: str) -> None:
    for found in diagnosed(*made(name)):
        ours, theirs = found.exchange.initiator.address, found.exchange.responder.address
        for ranked in found.causes:
            for placed in fitting_checks(ranked, found.exchange):
                assert placed.cause == ranked.cause.id
                here, there = (theirs, ours) if placed.side is Side.RESPONDER else (ours, theirs)
                assert placed.at == ("the path" if placed.side is None else here)
                ends = {c.end for c in ranked.cause.checks if c.fill(peer=there, local=here) == placed.check}
                assert ends & {placed.side.value if placed.side else "path", "either" if placed.side else "path"}


def test_ping_goes_to_the_peer() -> None:
    (found,) = diagnosed(*made("host_unreachable"))
    pings = [p for p in next_checks(found.causes, found.exchange) if (p.check.command or "").startswith("ping")]
    assert [(p.at, p.check.command) for p in pings] == [(LEFT, f"ping {RIGHT}")]


@pytest.mark.parametrize("name", SCENES)
def test_next_checks_are_few_and_all_different(name: str) -> None:
    for found in diagnosed(*made(name)):
        chosen = next_checks(found.causes, found.exchange)
        assert len(chosen) <= 6
        assert len({(p.at, p.check.command or p.check.do) for p in chosen}) == len(chosen)
        leading = {c.cause.id for c in found.causes if c.leads}
        assert {p.cause for p in chosen} <= leading
        assert bool(chosen) == bool(leading)


def test_most_is_kept() -> None:
    (found,) = diagnosed(*made("host_unreachable"))
    assert len(next_checks(found.causes, found.exchange, 2)) == 2


def _platforms(*vendors: tuple[int, bytes]) -> dict[Side | None, set[str]]:
    wire = Wire()
    first, second = vendors
    items = [
        wire.datagram(0, offer(first)),
        wire.datagram(0.1, choice(second), left=False),
        *wire.main_mode(0.2, 3, 4, 5),
        *wire.main_mode(8, 5, 4),
    ]
    (found,) = diagnosed(items, 60)
    chosen: dict[Side | None, set[str]] = {}
    for placed in next_checks(found.causes, found.exchange, 40):
        chosen.setdefault(placed.side, set()).add(placed.check.platform)
    return chosen


def test_platform_of_each_end() -> None:
    found = _platforms(STRONGSWAN, LIBRESWAN)
    assert found.get(Side.INITIATOR, set()) <= {"any", "strongswan"}
    assert found.get(Side.RESPONDER, set()) <= {"any", "libreswan"}
    assert {p for platforms in found.values() for p in platforms} & {"strongswan", "libreswan"}


def test_an_end_that_does_not_say_gets_the_asa() -> None:
    found = _platforms((13, bytes(16)), (13, bytes(16)))
    assert "asa" in found[Side.INITIATOR]
    assert found[Side.INITIATOR] <= {"any", "asa"}


def test_the_path_has_checks_for_any_platform_only() -> None:
    assert _platforms(STRONGSWAN, LIBRESWAN).get(None, set()) <= {"any"}
