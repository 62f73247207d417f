"""A conversation over time: lanes, or counts where there are many."""

import pytest

from pcapdiag.plots import timeline
from pcapdiag.plots.outcomes import LOOKS, Ending, step_of
from pcapdiag.plots.timeline import MOST_LANES
from tests.messages import Wire
from tests.plots.canvas import day, drawn, empty, labels, openings, rows_of, texts
from tests.report.reports import of_capture, of_items


def marks(ax: object, marker: str) -> list[tuple[float, float]]:
    return [
        (x, y)
        for line in ax.lines  # type: ignore[attr-defined]
        if line.get_marker() == marker
        for x, y in zip(*line.get_data(), strict=True)
    ]


def test_each_exchange_has_a_lane_with_its_transmissions_and_its_outcome() -> None:
    report = of_capture("mm4-lost-responder-side.pcap")
    (diagnosis,) = report.diagnoses
    e = diagnosis.exchange
    ax = drawn(lambda ax: timeline(report, ax))
    first, again = marks(ax, "|"), marks(ax, "x")
    assert sorted(x for x, _ in first) == [day(s.first.time / 1e9) for s in e.steps]
    mm3, mm4 = e.numbered(3)[0], e.numbered(4)[0]
    above = [x for x, y in again if y < 0]
    below = [x for x, y in again if y > 0]
    assert above == [day(t / 1e9) for t in mm3.times[1:]]
    assert below == [day(t / 1e9) for t in mm4.times[1:]]
    (outcome,) = [c for c in ax.collections if c.get_label() == "stalled"]
    assert outcome.get_offsets().tolist() == [[day(e.last_time / 1e9), 0]]
    assert labels(ax) == ["stalled", "sent (by the initiator above)", "sent again"]


def test_outcomes_differ_by_marker_and_not_by_colour_alone() -> None:
    assert len({look.marker for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.hatch for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.colour for look in LOOKS.values()}) == len(LOOKS)
    assert set(LOOKS) == set(Ending)


def test_icmp_errors_are_on_the_line() -> None:
    report = of_capture("mm1-host-unreachable.pcap")
    ax = drawn(lambda ax: timeline(report, ax))
    times = [day(error.time / 1e9) for error in report.diagnoses[0].exchange.icmp_errors]
    assert marks(ax, "*") == [(time, 0) for time in times]
    (line,) = ax.collections[0].get_segments()
    assert line[1][0] == times[-1]  # it reaches as far as what belongs to the exchange


def test_many_exchanges_are_counted_and_the_title_says_so() -> None:
    wire = Wire()
    times = [100 * n for n in range(MOST_LANES + 1)]
    report = of_items(openings(wire, times), 4000)
    ax = drawn(lambda ax: timeline(report, ax))
    up = sum(bar.get_height() for bar in ax.patches if bar.get_height() > 0)
    down = sum(bar.get_height() for bar in ax.patches if bar.get_height() < 0)
    assert (up, down) == (len(times), -len(times))
    assert ax.get_title(loc="left").splitlines() == [
        f"192.0.2.1 ↔ 198.51.100.2: {len(times)} exchanges, {len(times)} of them failed",
        "counted in steps of 1 min",
    ]
    assert labels(ax) == ["stalled", "sent again"]
    assert ax.patches[0].get_hatch() == LOOKS[Ending.STALLED].hatch
    one_less = drawn(lambda ax: timeline(of_items(openings(Wire(), times[:-1]), 4000), ax))
    assert len(rows_of(one_less)) == MOST_LANES


def test_steps_are_round_and_never_too_many() -> None:
    for span in (0, 10**9, 3 * 10**12, 86_400 * 10**9, 10**18, 10**19):
        step = step_of(span)
        assert step > 0
        assert span <= 96 * step
    assert step_of(86_400 * 10**9) == 900 * 10**9


def test_one_conversation_is_drawn_and_the_others_are_counted() -> None:
    wire = Wire()
    items = openings(wire, [0], 0, "192.0.2.10") + openings(wire, [50], 1, "192.0.2.11")
    report = of_items(items, 200)
    title = drawn(lambda ax: timeline(report, ax)).get_title(loc="left")
    assert title.splitlines()[0].startswith("192.0.2.10 ↔ 198.51.100.2: 1 exchange")
    assert title.splitlines()[-1] == "1 of 2 conversations"
    other = drawn(lambda ax: timeline(report, ax, peer="192.0.2.11")).get_title(loc="left")
    assert other.splitlines() == ["192.0.2.11 ↔ 198.51.100.2: 1 exchange, 1 of them failed"]
    with pytest.raises(ValueError, match=r"no exchange with 203\.0\.113\.1"):
        timeline(report, peer="203.0.113.1")


def test_an_empty_report_says_so() -> None:
    assert texts(drawn(lambda ax: timeline(empty(), ax))) == ["There is no exchange."]


def test_times_that_no_calendar_has_are_not_drawn_and_counted() -> None:
    wire = Wire()
    items = openings(wire, [0], 0) + openings(wire, [300_000_000_000], 1)
    title = drawn(lambda ax: timeline(of_items(items, 300_000_001_000), ax)).get_title(loc="left")
    assert "1 not drawn: their times are in no calendar" in title
