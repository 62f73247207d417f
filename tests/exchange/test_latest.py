"""Who sent last, with ports and without."""

from pcapdiag.exchange.latest import LatestSenders
from pcapdiag.exchange.open_exchange import OpenExchange, Opening, OpenStep
from pcapdiag.exchange.sightings import sighting_of
from pcapdiag.ike.message import parse
from tests.messages import LEFT, RIGHT, Wire, main_mode


def opening(number: int, at: float, answer: float | None = None) -> Opening:
    wire = Wire()
    item = wire.datagram(at, main_mode(1))
    found = Opening(number, item, item.payload, len(item.payload))
    if answer is not None:
        found.answer = wire.datagram(answer, main_mode(2), left=False)
    return found


def grown(number: int, *times: float) -> OpenExchange:
    wire = Wire()
    found = OpenExchange(number, 1, bytes(8), first=(LEFT, 500), second=(RIGHT, 500))
    for at in times:
        item = wire.datagram(at, main_mode(3))
        message = parse(item.payload)
        found.steps.append(OpenStep(message.header, message, True, [sighting_of(item)]))
    return found


def test_the_last_in_time_counts_whatever_its_number() -> None:
    latest = LatestSenders([(1, opening(1, 9)), (2, opening(2, 3)), (3, grown(3, 1, 5))])
    assert latest.between(LEFT, RIGHT) == 1
    assert latest.of(Wire().datagram(20, b"")) == 1


def test_an_answer_went_the_other_way() -> None:
    latest = LatestSenders([(1, opening(1, 0, answer=1)), (2, opening(2, 5))])
    assert (latest.between(LEFT, RIGHT), latest.between(RIGHT, LEFT)) == (2, 1)


def test_what_is_sent_afterwards_is_noted_with_its_ports() -> None:
    wire, latest = Wire(), LatestSenders([])
    latest.note(wire.datagram(0, b"", ports=(4500, 4500)), 7)
    assert latest.between(LEFT, RIGHT) == 7
    assert latest.of(wire.datagram(1, b"", ports=(4500, 4500))) == 7
    assert latest.of(wire.datagram(1, b"")) == 0
    assert latest.between(RIGHT, LEFT) == 0


def test_exchanges_that_are_not_kept_are_forgotten() -> None:
    latest = LatestSenders([(1, opening(1, 0, answer=1)), (2, opening(2, 5))])
    latest.keep_only({1: None}, {8: None})
    assert (latest.between(LEFT, RIGHT), latest.between(RIGHT, LEFT)) == (0, 1)
    assert len(latest) == 2
