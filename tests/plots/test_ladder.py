"""The ladder: what stands on it, and where."""

import pytest
from matplotlib.text import Annotation

from pcapdiag.plots import ladder
from pcapdiag.plots.ladder import MOST_REPEATS, Kind, lines
from pcapdiag.report.wording import offset
from tests.diagnosis.scenarios import only, repeated
from tests.messages import Wire, main_mode
from tests.plots.canvas import drawn, empty, texts
from tests.report.reports import of_capture, of_items


def arrows(ax: object) -> list[tuple[float, float, float, object]]:
    """From where, to where, how far down, and the style of each arrow, from top to bottom."""
    found = []
    for artist in ax.texts:  # type: ignore[attr-defined]
        if isinstance(artist, Annotation) and artist.arrow_patch is not None:
            style = artist.arrow_patch.get_linestyle()
            found.append((artist.xyann[0], artist.xy[0], artist.xy[1], style))
    return sorted(found, key=lambda arrow: arrow[2])


def test_every_transmission_has_an_arrow_from_its_sender_in_the_order_of_time() -> None:
    report = of_capture("mm4-lost-responder-side.pcap")
    ax = drawn(lambda ax: ladder(report, ax))
    found = arrows(ax)
    # MM1, MM2, MM3, MM4; then MM3 five times and MM4 three times more; and MM5 that did not come.
    assert [(begin, end) for begin, end, *_ in found] == [(0, 1), (1, 0)] * 5 + [(0, 1)] * 3
    styles = [style for *_, style in found]
    assert styles[:4] == ["-"] * 4
    assert all(style != "-" for style in styles[4:])
    assert styles[4:12] == [styles[4]] * 8
    assert styles[12] != styles[4]


def test_frames_times_and_evidence_stand_beside() -> None:
    report = of_capture("mm5-udp-4500-blocked.pcap")
    (diagnosis,) = report.diagnoses
    found = texts(drawn(lambda ax: ladder(diagnosis, ax)))
    mm5 = diagnosis.exchange.numbered(5)[0]
    for sighting in mm5.sent:
        assert str(sighting.frame.number) in found
        assert offset(sighting.time - diagnosis.exchange.first_time) in found
    assert {"MM5 encrypted, 76 octets", "MM5, sent for the 6th time", "MM6 from the responder was not seen"} < set(
        found
    )
    assert "E3" in found
    assert {"500", "4500"} < set(found)
    assert {"10.1.0.2\ninitiator", "10.2.0.2\nresponder"} < set(found)


def test_the_title_is_the_verdict() -> None:
    title = drawn(lambda ax: ladder(of_capture("mm5-udp-4500-blocked.pcap"), ax)).get_title(loc="left")
    assert title.splitlines() == [
        "10.1.0.2 → 10.2.0.2 Main Mode: stalled after MM5, from 2026-11-23 09:02:01.219 UTC",
        "initiator MM_WAIT_MSG6, responder MM_WAIT_MSG5 or MM_ACTIVE",
        "likely: UDP 4500 is filtered on the path",
    ]


def test_a_quick_mode_message_that_did_not_come_stands_behind_what_it_would_have_answered() -> None:
    first, _ = of_capture("phase2-no-reply.pcap").diagnoses
    found = lines(first)
    (place,) = [n for n, line in enumerate(found) if line.kind is Kind.MISSING]
    assert found[place].text == "QM2 from the responder was not seen"
    assert found[place - 1].text.startswith("QM1, sent for the")
    assert not any("QM1" in line.text for line in found[place + 1 :])
    assert found[place].text in texts(drawn(lambda ax: ladder(first, ax)))


def test_an_icmp_error_comes_from_the_end_that_sent_it_or_from_between() -> None:
    (own,) = of_capture("peer-lost.pcap").diagnoses
    (line,) = [line for line in lines(own) if line.kind is Kind.ICMP]
    assert (line.sender, line.towards) == ("responder", "initiator")
    assert "2× more" in line.text
    ax = drawn(lambda ax: ladder(of_capture("mm1-host-unreachable.pcap"), ax))
    assert (0.5, 0.0) in [(begin, end) for begin, end, *_ in arrows(ax)]
    assert "frames 4, 6, 10, 12, 16, 18" in texts(ax)


def test_what_is_folded_is_said_in_its_place() -> None:
    (diagnosis, *_) = of_capture("ikev2-completed.pcap").diagnoses
    (fold,) = [line for line in lines(diagnosis) if line.kind is Kind.FOLD]
    found = texts(drawn(lambda ax: ladder(diagnosis, ax)))
    assert fold.text in found
    told = {f for line in lines(diagnosis) for f in line.frames}
    assert told == {f for step in diagnosis.exchange.steps for f in step.frames}


def test_many_retransmissions_share_an_arrow_and_none_is_lost() -> None:
    wire = Wire()
    diagnosis = only(repeated(wire, range(0, 80, 2), main_mode(1)), 200)
    found = [line for line in lines(diagnosis) if line.kind is Kind.AGAIN]
    assert len(found) == MOST_REPEATS
    assert found[-1].text == f"MM1, sent {40 - MOST_REPEATS}× more"
    assert sum(len(line.frames) for line in found) == 39
    assert found[-1].text in texts(drawn(lambda ax: ladder(diagnosis, ax)))


def test_frames_of_several_captures_name_the_capture() -> None:
    from pcapdiag import analyze
    from tests import CAPTURES

    report = analyze([CAPTURES / "mm2-lost-initiator-side.pcap", CAPTURES / "mm2-lost-responder-side.pcap"])
    found = texts(drawn(lambda ax: ladder(report, ax)))
    assert "2:4" in found


def test_a_report_gives_the_first_exchange_that_failed_and_any_other_by_its_id() -> None:
    report = of_capture("phase2-no-reply.pcap")
    first = drawn(lambda ax: ladder(report, ax)).get_title(loc="left")
    assert "Quick Mode stalled" in first
    second = drawn(lambda ax: ladder(report, ax, exchange=2)).get_title(loc="left")
    assert "Quick Mode inconclusive" in second
    with pytest.raises(ValueError, match="no exchange 99"):
        ladder(report, exchange=99)


def test_an_empty_report_says_so() -> None:
    assert texts(drawn(lambda ax: ladder(empty(), ax))) == ["There is no exchange."]


def test_one_message_is_a_ladder() -> None:
    report = of_items(Wire().main_mode(0, 1), 60)
    ax = drawn(lambda ax: ladder(report, ax))
    assert [(begin, end) for begin, end, *_ in arrows(ax)] == [(0, 1), (1, 0)]
    assert "MM2 from the responder was not seen" in texts(ax)
