"""Exchanges that ended alike, together: every one in exactly one group, in the order of the first."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from pcapdiag.capture.datagram import Datagram, Frame
from pcapdiag.diagnosis.evidence.case import MANY
from pcapdiag.diagnosis.grouping import crowds, group
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Folded, Mode
from tests.diagnosis.scenarios import TRUTH, captured, diagnosed, diagnosed_until
from tests.messages import LEFT, RIGHT, SECOND, ZERO, Wire, main_mode


def began(wire: Wire, at: float, number: int, source: str = LEFT, destination: str = RIGHT) -> Datagram:
    """A message 1 with a cookie of its own."""
    octets = main_mode(1, ((number + 1).to_bytes(8, "big"), ZERO))
    return wire.datagram(at, octets, source=source, destination=destination)


def address(number: int) -> str:
    return f"203.0.113.{number + 1}"


def exactly_once(diagnoses: Sequence[Diagnosis]) -> bool:
    grouped = [d.exchange.id for g in group(diagnoses) for d in g.members]
    return sorted(grouped) == sorted(d.exchange.id for d in diagnoses)


def test_nothing() -> None:
    assert group([]) == []


def test_same_pair_all_day() -> None:
    wire = Wire()
    found = diagnosed([began(wire, 30 * n, n) for n in range(5)], end=1000)
    (only,) = group(found)
    assert only.members == found
    assert only.first is found[0]
    assert (only.initiators, only.responders, only.usual_gap) == (1, 1, 30 * SECOND)


def test_single_one_has_no_gap() -> None:
    (only,) = group(diagnosed([began(Wire(), 0, 0)], end=100))
    assert (len(only.members), only.usual_gap) == (1, 0)


def test_other_ending_is_another_group() -> None:
    wire = Wire()
    items = [began(wire, 0, 0), *wire.main_mode(100, 1, 2, 3, 4), began(wire, 200, 2)]
    found = diagnosed(items, end=1000)
    assert [len(g.members) for g in group(found)] == [2, 1]


def test_sweep_over_responders() -> None:
    for count, groups in ((MANY - 1, MANY - 1), (MANY, 1), (MANY + 5, 1)):
        wire = Wire()
        found = diagnosed([began(wire, n / 10, n, destination=address(n)) for n in range(count)], end=100)
        made = group(found)
        assert len(made) == groups
        if groups == 1:
            assert (made[0].initiators, made[0].responders) == (1, count)
        assert exactly_once(found)


def test_flood_from_initiators() -> None:
    for count, groups in ((MANY - 1, MANY - 1), (MANY, 1), (MANY + 5, 1)):
        wire = Wire()
        found = diagnosed([began(wire, n / 10, n, source=address(n)) for n in range(count)], end=100)
        made = group(found)
        assert len(made) == groups
        if groups == 1:
            assert (made[0].initiators, made[0].responders) == (count, 1)
        assert exactly_once(found)


def test_order_is_that_of_the_first_of_each() -> None:
    wire = Wire()
    other, later = "192.0.2.200", "192.0.2.201"
    items = [began(wire, 0, 900, source=other)]
    items += [began(wire, 1 + n / 10, n, destination=address(n)) for n in range(MANY)]
    items += [began(wire, 5, 901, source=later), began(wire, 6, 902, source=other)]
    found = diagnosed(items, end=100)
    made = group(found)
    place = {d.exchange.id: n for n, d in enumerate(found)}
    firsts = [place[g.first.exchange.id] for g in made]
    assert firsts == sorted(firsts)
    assert [len(g.members) for g in made] == [2, MANY, 1]


def test_labelled_captures_together() -> None:
    for row in TRUTH:
        assert exactly_once(diagnosed_until(*captured(row["capture"])))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25)), max_size=60))
def test_any_pairs_are_in_exactly_one_group(pairs: list[tuple[int, int]]) -> None:
    wire = Wire()
    items = [began(wire, n, n, f"192.0.2.{a}", f"198.51.100.{b}") for n, (a, b) in enumerate(pairs)]
    assert exactly_once(diagnosed(items, end=1000))


def folded(initiator: str | None, responder: str | None, exchanges: int = 1, last: str = "MM1", at: int = 0) -> Folded:
    return Folded(
        initiator, responder, Mode.MAIN, last, None, exchanges, exchanges, Frame(0, 1), Frame(0, 2), at, at + 5
    )


def test_folded_flood_of_many_initiators_is_one_crowd() -> None:
    rows = [folded(address(n), RIGHT, exchanges=2, at=n) for n in range(MANY)]
    (found,) = crowds([*rows, folded(None, RIGHT, exchanges=7)])
    assert (found.initiators, found.more_initiators, found.responders, found.more_responders) == (MANY, True, 1, False)
    assert (found.exchanges, found.messages) == (2 * MANY + 7,) * 2
    assert (found.first_time, found.last_time) == (0, MANY - 1 + 5)


def test_folded_sweep_and_pairs_stand_apart() -> None:
    sweep = [folded(LEFT, address(n)) for n in range(MANY)]
    pairs = [folded(address(n), RIGHT, exchanges=50 + n, last="MM2") for n in range(3)]
    found = crowds([*sweep, *pairs])
    assert [(c.first.last_message, c.initiators, c.responders, c.exchanges) for c in found] == [
        ("MM2", 1, 1, 52),
        ("MM2", 1, 1, 51),
        ("MM2", 1, 1, 50),
        ("MM1", 1, MANY, MANY),
    ]
    assert crowds([]) == []
