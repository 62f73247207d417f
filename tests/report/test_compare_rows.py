"""The views of a comparison: text, tables, SVG, and what is said of clocks."""

from xml.etree import ElementTree

import pytest

import pcapdiag
from pcapdiag.comparison.clocks import Clock, Jump, Segment
from pcapdiag.report.compare_rows import clock_text
from tests.comparison.savefiles import LEFT, RIGHT


@pytest.fixture(scope="module")
def found() -> pcapdiag.Comparison:
    return pcapdiag.compare(LEFT, RIGHT)


def clock(**what: object) -> Clock:
    given: dict[str, object] = {"offset": 0, "drift": 0.0, "uncertainty": 30_000, "forward": 2, "backward": 2}
    given["segments"] = (Segment(0, 0, 0, 0.0, 0),)
    return Clock(**{**given, **what})  # type: ignore[arg-type]


def test_what_is_said_of_a_clock() -> None:
    assert clock_text("B", clock(offset=3_723_500_000_000)) == (
        "B's clock is 3723.500 s ahead of A's, ±30 µs (4 packets, 2 one way and 2 the other)."
    )
    one_way = clock_text("B", clock(offset=-31_000, uncertainty=None, backward=0))
    assert one_way == (
        "B's clock is 31 µs behind A's, the delay included (2 packets, one direction: the two cannot be told apart)."
    )
    drifting = clock_text("B", clock(drift=80.0, drift_uncertainty=2.0))
    assert "it gains 80.0 ± 2.0 parts in a million" in drifting
    assert "jumps back by 2.000 s" in clock_text("B", clock(jumps=(Jump(1, 2, -2_000_000_000),)))
    assert "gains" not in clock_text("B", clock(drift=80.0, drift_uncertainty=100.0))


def test_a_row_for_each_transmission_and_point(found: pcapdiag.Comparison) -> None:
    table = found.passages
    meanings = pcapdiag.columns("passages")
    assert list(table.columns) == list(meanings.index)
    assert [str(t) for t in table.dtypes] == [str(t) for t in meanings["dtype"]]
    sent = sum(len(s) for steps in found.transmissions.values() for s in steps.values())
    assert len(table) == 2 * sent
    lost = table[table.lost & table.seen]
    assert set(lost.name) == {"MM4"}
    assert set(lost.point) == {"B"}
    assert set(lost.lost_between) == {"B A"}


def test_the_svg_is_well_formed_and_says_it_all_in_words(found: pcapdiag.Comparison) -> None:
    root = ElementTree.fromstring(found.to_svg())
    words = "".join(root.itertext())
    assert "lost between B and A" in words
    assert not [e for e in root.iter() if "id" in e.attrib or "href" in e.attrib or "onload" in e.attrib]
    with pytest.raises(ValueError, match="no exchange 9"):
        found.to_svg(9)


def test_a_notebook_shows_it(found: pcapdiag.Comparison) -> None:
    html = found._repr_html_()
    assert html is not None
    assert "<svg" in html
    assert "clock is" in html


def test_the_page_holds_the_ladder_and_the_clock(found: pcapdiag.Comparison) -> None:
    page = found.to_html()
    assert page.count("<svg") == len(found.diagnoses)
    assert "IKE in 2 captures" in page
    assert found.to_html() == page
