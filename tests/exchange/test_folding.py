"""What is left of exchanges that had to make room."""

from pcapdiag.exchange.folding import MAX_ROWS, Folder
from pcapdiag.exchange.model import Mode
from tests.messages import LEFT, RIGHT, SECOND, Wire, main_mode

OPENING, ANSWER = main_mode(1), main_mode(2)


def test_rows_are_bounded_and_nothing_is_lost() -> None:
    wire = Wire()
    folder = Folder()
    total = 2 * MAX_ROWS + 500
    for n in range(total):
        source, destination = f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", f"192.0.2.{n % 3}"
        folder.add_opening(OPENING, wire.datagram(n, OPENING, source=source, destination=destination))
    found = folder.folded()
    assert sum(f.exchanges for f in found) == sum(f.messages for f in found) == total
    assert len(found) == MAX_ROWS + 3
    assert [f.initiator for f in found[:3]] == [None] * 3
    assert {f.responder for f in found[:3]} == {"192.0.2.0", "192.0.2.1", "192.0.2.2"}


def test_so_many_responders_that_neither_end_is_named() -> None:
    wire = Wire()
    folder = Folder()
    for n in range(2 * MAX_ROWS + 7):
        destination = f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"
        folder.add_opening(OPENING, wire.datagram(n, OPENING, source=LEFT, destination=destination))
    found = folder.folded()
    assert len(found) == 2 * MAX_ROWS + 1
    assert [(f.initiator, f.responder, f.exchanges) for f in found[:1]] == [(None, None, 7)]


def test_first_and_last_hold_whatever_the_order() -> None:
    wire = Wire()
    folder = Folder()
    one, two, three = (wire.datagram(time, b"") for time in (5, 1, 3))
    for datagram in (one, two, three):
        folder.add_opening(OPENING, datagram)
    (found,) = folder.folded()
    assert (found.initiator, found.responder, found.mode, found.last_message) == (LEFT, RIGHT, Mode.MAIN, "MM1")
    assert (found.first_time, found.last_time) == (SECOND, 5 * SECOND)
    assert (found.first_frame, found.last_frame) == (one.frame, three.frame)


def test_an_answer_counts_as_how_far_it_went() -> None:
    wire = Wire()
    folder = Folder()
    folder.add_opening(OPENING, wire.datagram(1, OPENING), ANSWER, wire.datagram(2, ANSWER, left=False))
    (found,) = folder.folded()
    assert (found.last_message, found.exchanges, found.messages) == ("MM2", 1, 2)
    assert (found.first_time, found.last_time) == (SECOND, 2 * SECOND)
