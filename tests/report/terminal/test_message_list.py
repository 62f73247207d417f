"""The messages for people: aligned, within the width, complete."""

import pytest

from pcapdiag.pipeline import Report, analyze
from pcapdiag.report.tables.columns import MESSAGES
from pcapdiag.report.tables.rows import message_rows
from pcapdiag.report.terminal.layout import Layout
from pcapdiag.report.terminal.message_list import TOLD, column_lines, message_lines
from tests import CAPTURES
from tests.report.reports import of_capture


def lines(report: Report, width: int = 80, detail: int = 0, colour: bool = False) -> list[str]:
    return list(message_lines(report, Layout(width, colour, detail)))


def test_a_stalled_tunnel() -> None:
    report = of_capture("mm5-udp-4500-blocked.pcap")
    name, *rest = lines(report)
    assert name.endswith("mm5-udp-4500-blocked.pcap")
    assert [line.rstrip() for line in rest] == [
        "frame  time          ex  from → to            port  message",
        "── 2026-11-23 UTC ──",
        "    3  09:02:01.219   1  10.1.0.2 → 10.2.0.2  500   MM1  SA, 5 VID",
        "    4  09:02:01.222   1  10.2.0.2 → 10.1.0.2  500   MM2  SA, 4 VID",
        "    5  09:02:01.224   1  10.1.0.2 → 10.2.0.2  500   MM3  KE, NONCE, 2 NAT-D",
        "    6  09:02:01.227   1  10.2.0.2 → 10.1.0.2  500   MM4  KE, NONCE, 2 NAT-D",
        "    7  09:02:01.230   1  10.1.0.2 → 10.2.0.2  4500  MM5  encrypted, 76 octets",
        "    8  09:02:05.233   1  10.1.0.2 → 10.2.0.2  4500  MM5 again (2), after 4.0 s",
        "   11  09:02:12.434   1  10.1.0.2 → 10.2.0.2  4500  MM5 again (3), after 7.2 s",
        "   12  09:02:25.397   1  10.1.0.2 → 10.2.0.2  4500  MM5 again (4), after 13.0 s",
        "   14  09:02:48.729   1  10.1.0.2 → 10.2.0.2  4500  MM5 again (5), after 23.3 s",
        "   19  09:03:30.720   1  10.1.0.2 → 10.2.0.2  4500  MM5 again (6), after 42.0 s",
    ]


@pytest.mark.parametrize("detail", [0, 1])
@pytest.mark.parametrize("width", [80, 110])
@pytest.mark.parametrize(
    "name", ["completed-any-interface.pcap", "ikev2-cookie.pcap", "completed-ipv6.pcap", "aggressive-completed.pcap"]
)
def test_no_line_is_too_long_and_each_message_has_one(name: str, width: int, detail: int) -> None:
    report = of_capture(name)
    found = lines(report, width, detail)
    assert max(map(len, found[1:])) <= width
    frames = [line.split()[0] for line in found[2:] if line[:5].strip().isdigit()]
    assert frames == [str(frame) for frame in report.messages.frame]


def test_addresses_that_leave_no_room_are_named_once() -> None:
    report = analyze([CAPTURES / "mm1-no-reply.pcap", CAPTURES / "completed-any-interface.pcap"])
    found = lines(report)
    assert "── exchange 2: 10.1.0.2 → 10.2.0.2 ──" in found
    rows = [line for line in found if line.startswith("  2:")]
    assert rows[0] == "  2:5  09:02:43.012   2 ▶  500         MM1  SA, 5 VID"
    assert rows[1] == "  2:8  09:02:43.012   2 ▶  28762→500   MM1 recorded again, from 10.2.0.1"
    assert rows[2] == "  2:9  09:02:43.014   2 ◀  500→28762   MM2  SA, 4 VID, to 10.2.0.1"
    assert not any("▶" in line or "exchange 2" in line for line in lines(report, 110))


def test_several_captures_are_numbered() -> None:
    found = lines(analyze([CAPTURES / "mm1-no-reply.pcap", CAPTURES / "mm5-lost.pcap"]), 110)
    assert found[0].startswith("1: ")
    assert found[1].startswith("2: ")
    assert {line.split(":")[0].strip() for line in found[4:] if "→" in line} == {"1", "2"}


def test_all_columns_are_there_when_wanted() -> None:
    report = of_capture("aggressive-completed.pcap")
    text = " ".join(" ".join(lines(report, 110, 1)).split())
    held = [
        column.name
        for column, values in zip(MESSAGES, zip(*message_rows(report), strict=True), strict=True)
        if any(value not in (None, False, ()) for value in values)
    ]
    assert set(held) >= {"vendor_ids", "identities", "responder_spi", "ttl"}
    for name in set(held) - TOLD:
        assert f"{name} " in text, name


def test_colour_only_where_it_is_wanted() -> None:
    report = of_capture("mm5-udp-4500-blocked.pcap")
    assert "\x1b" not in "".join(lines(report))
    assert "\x1b" in "".join(lines(report, colour=True))


def test_nothing_to_list() -> None:
    assert lines(of_capture("no-ike-arp-only.pcap")) == []


def test_the_columns_are_explained() -> None:
    text = "\n".join(column_lines("messages", Layout(80)))
    assert max(map(len, text.splitlines())) <= 80
    for column in MESSAGES:
        assert f"{column.name} " in text
        assert column.dtype in text
