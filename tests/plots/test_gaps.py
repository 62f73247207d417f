"""Retransmission gaps: what is measured, whose schedule it is like, and what is drawn."""

import numpy as np
import pytest

from pcapdiag.diagnosis.outcome.retransmission import SCHEDULES
from pcapdiag.plots import gaps
from pcapdiag.plots.gaps import MOST_SENDERS, senders
from tests.diagnosis.scenarios import repeated
from tests.messages import Wire, main_mode
from tests.plots.canvas import drawn, empty, labels, openings, texts
from tests.report.reports import of_capture, of_items


def test_the_gaps_of_strongswan_are_drawn_and_named() -> None:
    report = of_capture("mm5-udp-4500-blocked.pcap")
    (sender,) = senders(report)
    assert sender.address == "10.1.0.2"
    assert sender.gaps[0] == pytest.approx([4.0, 7.2, 12.96, 23.3, 42.0], rel=0.01)
    assert sender.hints == (SCHEDULES[0].name,)
    ax = drawn(lambda ax: gaps(report, ax))
    (seen,) = ax.containers
    x, y = seen.lines[0].get_data()
    assert list(x) == [1, 2, 3, 4, 5]
    assert list(y) == list(sender.gaps[0])
    assert ax.get_yscale() == "log"
    assert ax.get_title(loc="left").splitlines() == [
        "Retransmission gaps of 1 message from 1 sender",
        f"10.1.0.2: like {SCHEDULES[0].name}",
    ]


def test_every_known_schedule_stands_beside_with_its_number() -> None:
    ax = drawn(lambda ax: gaps(of_capture("mm5-udp-4500-blocked.pcap"), ax))
    known = {line.get_label(): line for line in ax.lines if str(line.get_label()).startswith("known: ")}
    assert list(known) == [f"known: {s.name}" for s in SCHEDULES]
    assert labels(ax)[: len(SCHEDULES)] == list(known)
    for number, schedule in enumerate(SCHEDULES, 1):
        line = known[f"known: {schedule.name}"]
        assert tuple(line.get_ydata()) == schedule.gaps
        assert line.get_marker() == f"${number}$"
    assert ax.get_xlim()[1] > max(len(s.gaps) for s in SCHEDULES)
    fits, *others = known.values()
    assert all(fits.get_linewidth() > other.get_linewidth() for other in others)


def test_a_schedule_that_nobody_is_known_for_is_said_to_be_none() -> None:
    report = of_items(repeated(Wire(), (0, 3, 6, 9), main_mode(1)), 60)
    assert senders(report)[0].hints == ()
    title = drawn(lambda ax: gaps(report, ax)).get_title(loc="left")
    assert title.splitlines()[1] == "192.0.2.1: like none of the known schedules"


def test_several_messages_are_a_median_with_the_shortest_and_the_longest() -> None:
    wire = Wire()
    cookies = [(bytes([n] * 8), bytes(8)) for n in (1, 2, 3)]
    items = [
        item
        for pair, gap in zip(cookies, (2.0, 5.0, 3.0), strict=True)
        for item in repeated(wire, (0, gap), main_mode(1, pair))
    ]
    report = of_items(sorted(items, key=lambda d: d.time), 60)
    assert senders(report)[0].at(0) == [2.0, 3.0, 5.0]
    ax = drawn(lambda ax: gaps(report, ax))
    (seen,) = ax.containers
    assert list(seen.lines[0].get_ydata()) == [3.0]
    (bar,) = seen.lines[2][0].get_segments()
    assert np.array_equal(bar[:, 1], [2.0, 5.0])
    assert labels(ax)[-1] == "seen: 192.0.2.1, 3 messages"


def test_senders_that_are_not_drawn_are_counted() -> None:
    wire = Wire()
    items = [i for n in range(9) for i in openings(wire, [n], n, f"192.0.2.{n + 10}")]
    ax = drawn(lambda ax: gaps(of_items(sorted(items, key=lambda d: d.time), 60), ax))
    assert len(ax.containers) == MOST_SENDERS
    title = ax.get_title(loc="left")
    assert "9 messages from 9 senders" in title
    assert f"the {MOST_SENDERS} that repeat most often are drawn" in title


@pytest.mark.parametrize("name", ["empty", "completed"])
def test_nothing_sent_twice_says_so(name: str) -> None:
    report = empty() if name == "empty" else of_capture("completed-psk.pcap")
    assert texts(drawn(lambda ax: gaps(report, ax))) == ["Nothing was sent twice."]
