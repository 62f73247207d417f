"""The drawing of a ladder: well-formed, whole, of one width, without anything that a page could forbid or confuse."""

import re
from xml.etree import ElementTree

import pytest

from pcapdiag.report.html.ladder_svg import WIDTH, ladder_svg
from tests.diagnosis.scenarios import TRUTH
from tests.diagnosis.scenes import SCENES, made
from tests.messages import Wire, main_mode
from tests.report.hostile import STRINGS, UNPRINTABLE, of_hostile_capture
from tests.report.reports import of_capture, of_items

NAMES = [r["capture"] for r in TRUTH if r["ike_messages"]]
SVG = "{http://www.w3.org/2000/svg}"


def _drawn(name: str) -> ElementTree.Element:
    d = of_capture(name).diagnoses[0]
    return ElementTree.fromstring(ladder_svg(d.exchange, d))


def _texts(element: ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in element.iter(f"{SVG}text")]


def test_what_a_stalled_exchange_shows() -> None:
    texts = _texts(_drawn("mm5-udp-4500-blocked.pcap"))
    assert texts[:2] == ["frame", "time, s"]
    for text in ("initiator · captured here", "responder", "10.1.0.2", "NAT", "MM5 encrypted, 76 octets", "+0.010486"):
        assert text in texts
    assert texts.count("500") == texts.count("4500") == 2
    assert any(text.startswith("sent again 5×: +4.004, ") for text in texts)
    assert "✗ MM6 from the responder was not seen" in texts
    assert [t for t in texts if re.fullmatch(r"E\d+|\+\d+", t)] == ["E3", "E1", "E2", "+2"]


def test_evidence_is_named_at_the_rows_that_it_is_about() -> None:
    d = of_capture("mm5-udp-4500-blocked.pcap").diagnoses[0]
    rungs = [g for g in _drawn("mm5-udp-4500-blocked.pcap").iter(f"{SVG}g") if "rung" in g.get("class", "")]
    for rung, step in zip(rungs, d.exchange.steps, strict=True):
        about = [e.id for e in d.evidence if {*e.frames} & {*step.frames}]
        assert sorted(rung.get("data-evidence", "").split()) == sorted(about)


def test_missing_messages_are_dashed_and_icmp_errors_are_what_they_are() -> None:
    texts = _texts(_drawn("mm1-host-unreachable.pcap"))
    assert "! ICMP host unreachable from 10.1.0.1" in texts
    assert any(text.startswith("and 5× more: ") for text in texts)
    kinds = [g.get("class") for g in _drawn("mm1-host-unreachable.pcap").iter(f"{SVG}g")]
    assert any(kind and kind.startswith("missing") for kind in kinds)


def test_what_is_long_takes_two_lines() -> None:
    texts = _texts(_drawn("ikev2-auth-response-lost-responder-side.pcap"))
    place = texts.index("✗ IKE_AUTH response does not reach the")
    assert texts[place + 1] == "initiator"


def test_capture_duplicates_are_no_retransmissions() -> None:
    texts = _texts(_drawn("completed-any-interface.pcap"))
    assert any(text.startswith("recorded twice") for text in texts)
    assert not any("sent again" in text for text in texts)


def test_the_picture_is_told_in_words() -> None:
    root = _drawn("mm5-udp-4500-blocked.pcap")
    assert root.get("role") == "img"
    title, told = root[0], root[1]
    assert (title.tag, told.tag) == (f"{SVG}title", f"{SVG}desc")
    assert root.get("aria-label") == title.text
    assert "After 10 ms MM5 from the initiator: encrypted, 76 octets, frame 7, sent again 5×" in (told.text or "")
    assert (told.text or "").endswith("MM6 from the responder was not seen.")


def test_every_drawing_stays_within_its_box_and_holds_no_ids() -> None:
    reports = [of_capture(name) for name in NAMES] + [of_items(*made(name)) for name in SCENES]
    for report in reports:
        for d in report.diagnoses[:20]:
            text = ladder_svg(d.exchange, d)
            assert not re.search(r"\s(id|style|href|on\w+)=", text)
            root = ElementTree.fromstring(text)
            width, height = map(float, root.get("viewBox", "").split()[2:])
            assert width == WIDTH
            for element in root.iter():
                assert 0 <= float(element.get("x", 0)) <= width
                assert 0 <= float(element.get("y", 0)) <= height


def test_frames_of_several_captures_are_named_with_the_capture() -> None:
    d = of_capture("mm1-no-reply.pcap").diagnoses[0]
    assert ">1:3<" in ladder_svg(d.exchange, d, several=True)
    assert re.search(r"\(frames 1:\d+", ladder_svg(d.exchange, d, several=True))
    assert ">3<" in ladder_svg(d.exchange, d)


def test_long_addresses_stay_within_the_box() -> None:
    wire = Wire()
    left, right = "2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"
    (d,) = of_items([wire.datagram(0, main_mode(1), source=left, destination=right)], 60).diagnoses
    root = ElementTree.fromstring(ladder_svg(d.exchange, d))
    texts = {t.text: t for t in root.iter(f"{SVG}text")}
    assert float(texts[left].get("x", 0)) + 39 * 8 / 2 < float(texts[right].get("x", 0)) - 39 * 8 / 2
    assert float(texts[right].get("x", 0)) + 39 * 8 / 2 < WIDTH


@pytest.mark.parametrize("text", [*STRINGS, *UNPRINTABLE])
def test_hostile_octets_stay_text(text: str) -> None:
    for d in of_hostile_capture(text).diagnoses:
        drawing = ladder_svg(d.exchange, d)
        tags = {element.tag for element in ElementTree.fromstring(drawing).iter()}
        assert tags <= {
            f"{SVG}{name}" for name in ("svg", "g", "title", "desc", "text", "tspan", "path", "rect", "circle")
        }
        assert all(c.isprintable() for c in drawing)
