"""Outcomes by peer over time."""

from collections import Counter

from msgspec.structs import replace

from pcapdiag.capture.datagram import Frame
from pcapdiag.exchange.model import Folded, Mode
from pcapdiag.plots import outcomes_by_peer
from pcapdiag.plots.outcomes import LOOKS, Ending, ending
from pcapdiag.plots.peers import MOST_PEERS, MOST_SINGLE, peer_rows
from tests.messages import RIGHT, SECOND, Wire
from tests.plots.canvas import day, drawn, empty, labels, openings, rows_of, texts
from tests.report.reports import of_capture, of_items


def markers(ax: object) -> dict[str, list[list[float]]]:
    return {c.get_label(): c.get_offsets().tolist() for c in ax.collections}  # type: ignore[attr-defined]


def folded(initiator: str | None, exchanges: int) -> Folded:
    frame = Frame(0, 1)
    return Folded(
        initiator, RIGHT, Mode.MAIN, "MM1", None, exchanges, exchanges, frame, frame, 10 * SECOND, 90 * SECOND
    )


def test_each_exchange_is_a_marker_in_the_row_of_its_peer() -> None:
    wire = Wire()
    items = openings(wire, [0], 0, "192.0.2.10") + openings(wire, [50, 60], 1, "192.0.2.11")
    ax = drawn(lambda ax: outcomes_by_peer(of_items(sorted(items, key=lambda d: d.time), 200), ax))
    assert rows_of(ax) == ["192.0.2.11", "192.0.2.10"]  # more failures first
    assert sorted(markers(ax)["stalled"]) == [[day(0), 1], [day(50), 0], [day(60), 0]]
    assert ax.get_title(loc="left") == "3 exchanges of 2 peers"
    assert labels(ax) == ["stalled"]
    assert ax.get_xlabel() == "UTC"


def test_without_one_end_that_takes_part_in_everything_both_are_named() -> None:
    (row,) = peer_rows(of_capture("completed-rekey.pcap"))
    assert row.name == "10.1.0.2 ↔ 10.2.0.2"
    title = drawn(lambda ax: outcomes_by_peer(of_capture("completed-rekey.pcap"), ax)).get_title(loc="left")
    assert title == "2 exchanges of 1 conversation"


def test_trouble_behind_a_phase_1_that_completed_is_no_success() -> None:
    assert ending(of_capture("completed-psk.pcap").diagnoses[0]) is Ending.COMPLETED
    for name in ("peer-lost.pcap", "phase2-refused.pcap"):
        report = of_capture(name)
        assert ending(report.diagnoses[0]) is Ending.TROUBLED
        assert Ending.TROUBLED.failed
        assert list(markers(drawn(lambda ax, r=report: outcomes_by_peer(r, ax)))) == ["completed, then trouble"]


def test_more_than_can_be_told_apart_are_counted_by_time_and_none_is_lost() -> None:
    wire = Wire()
    times = [10 * n for n in range(MOST_SINGLE + 100)]
    report = of_items(openings(wire, times), 10_000)
    ax = drawn(lambda ax: outcomes_by_peer(report, ax))
    (points,) = ax.collections
    assert len(points.get_offsets()) < 100
    assert "a marker stands for what ended alike within 1 min" in ax.get_title(loc="left")
    within = Counter(time // 60 for time in times)
    assert points.get_offsets()[:, 0].tolist() == [day(60 * n + 30) for n in within]
    sizes = dict(zip(within.values(), points.get_sizes(), strict=True))
    assert sizes[max(sizes)] > sizes[min(sizes)]


def test_peers_beyond_the_limit_share_the_last_row() -> None:
    wire = Wire()
    items = [i for n in range(MOST_PEERS + 5) for i in openings(wire, [n], n, f"192.0.2.{n + 1}")]
    report = of_items(sorted(items, key=lambda d: d.time), 200)
    ax = drawn(lambda ax: outcomes_by_peer(report, ax))
    assert len(rows_of(ax)) == MOST_PEERS + 1
    assert rows_of(ax)[-1] == "5 more peers: 5 with failures"
    assert Counter(y for _, y in markers(ax)["stalled"])[MOST_PEERS] == 5
    assert ax.get_title(loc="left") == f"{MOST_PEERS + 5} exchanges of {MOST_PEERS + 5} peers"
    one_more = replace(report, diagnoses=report.diagnoses[: MOST_PEERS + 1])
    assert len(rows_of(drawn(lambda ax: outcomes_by_peer(one_more, ax)))) == MOST_PEERS + 1


def test_what_is_only_counted_is_shown_and_said() -> None:
    report = of_items(openings(Wire(), [0]), 200)
    others = (folded("192.0.2.1", 1200), folded("192.0.2.9", 7), folded(None, 30))
    report = replace(report, folded=others)
    ax = drawn(lambda ax: outcomes_by_peer(report, ax))
    assert rows_of(ax) == ["192.0.2.1", "192.0.2.9", f"to {RIGHT}"]
    assert [t.strip() for t in texts(ax)] == ["1,200 counted", "7 counted", "30 counted"]
    bars = [p for p in ax.patches if p.get_hatch()]
    assert [(p.get_x(), p.get_x() + p.get_width()) for p in bars] == [(day(10), day(90))] * 3
    assert "1,237 exchanges more are only counted (hatched)" in ax.get_title(loc="left")
    assert labels(ax)[-1] == "only counted"


def test_an_empty_report_says_so() -> None:
    assert texts(drawn(lambda ax: outcomes_by_peer(empty(), ax))) == ["There is no exchange."]


def test_good_ones_are_drawn_first_so_that_failures_lie_on_top() -> None:
    items = [*Wire().main_mode(0, 1, 2, 3, 4, 5, 6), *openings(Wire(), [20], 5)]
    ax = drawn(lambda ax: outcomes_by_peer(of_items(items, 20_000), ax))
    order = [c.get_label() for c in ax.collections]
    assert order == [kind.value for kind in reversed(LOOKS) if kind.value in order]
    assert len(order) > 1
