"""Time stamps as devices and syslog servers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.logs.stamps import YEAR_UNKNOWN, event_stamp, in_year, last_stamp, stamps_in, zone_field
from pcapdiag.units import SECOND


@pytest.mark.parametrize(
    ("text", "shown", "unit", "zone", "year", "doubt"),
    [
        ("Jun 10 2010 17:36:13: ", "Jun 10 2010 17:36:13", SECOND, None, True, ""),
        ("Apr 01 14:48:48 ", "Apr 01 14:48:48", SECOND, None, False, ""),
        ("*Mar  1 00:13:31.891: ", "*Mar  1 00:13:31.891", 10**6, None, False, "unset"),
        (".Jul 10 15:58:56.590 EDT: ", ".Jul 10 15:58:56.590 EDT", 10**6, -4 * 3600, False, "unsynchronised"),
        ("Mar 13 15:29:24.294 UTC: ", "Mar 13 15:29:24.294 UTC", 10**6, 0, False, ""),
        ("2025-01-15 08:59:24.145925 ", "2025-01-15 08:59:24.145925", 10**3, None, True, ""),
        ("2026-11-27T12:27:29.767 ", "2026-11-27T12:27:29.767", 10**6, None, True, ""),
        ("2026-11-27T12:27:29.767+05:45 ", "2026-11-27T12:27:29.767+05:45", 10**6, 20_700, True, ""),
        ("2026-11-27T12:27:29Z ", "2026-11-27T12:27:29Z", SECOND, 0, True, ""),
        ("Nov 27 12:18:45.995694: ", "Nov 27 12:18:45.995694", 10**3, None, False, ""),
        ("oct/25 23:50:30 ipsec", "oct/25 23:50:30", SECOND, None, False, ""),
        ("2015-03-07 17:41:06: DEBUG: ", "2015-03-07 17:41:06", SECOND, None, True, ""),
        ("[Mon Nov 26 16:45:26 2018(GMT)] ", "Nov 26 16:45:26 2018", SECOND, None, True, ""),
        ("date=2024-12-20 time=14:56:10 ", "date=2024-12-20 time=14:56:10", SECOND, None, True, ""),
        ("Feb 29 11:49:08 ", "Feb 29 11:49:08", SECOND, None, False, ""),
    ],
)
def test_one_stamp(text: str, shown: str, unit: int, zone: int | None, year: bool, doubt: str) -> None:
    (stamp,) = stamps_in(text)
    assert (stamp.text, stamp.unit, stamp.zone, stamp.has_year, stamp.doubt) == (shown, unit, zone, year, doubt)
    assert stamp.has_date


def test_two_clocks_in_one_line() -> None:
    relay, own = stamps_in("Fri Sep 06 14:32:18 2013: <167>Sep 06 2013 14:32:17: ")
    assert relay.wall - own.wall == SECOND
    assert last_stamp("Fri Sep 06 14:32:18 2013: <167>Sep 06 2013 14:32:17: ") == own
    relay, own = stamps_in("Jul 10 16:07:14 relay 2328304: .Jul 10 15:58:56.590 EDT: ")
    assert relay.wall - own.wall == 497_410_000_000
    assert own.zone == -4 * 3600


@pytest.mark.parametrize("text", ["00:27:07: ", "15:43:33 ipsec "])
def test_a_time_without_a_date(text: str) -> None:
    (stamp,) = stamps_in(text)
    assert not stamp.has_date
    assert stamp.wall < 86_400 * SECOND


@pytest.mark.parametrize("text", ["", "no time here", "25:61:00 ", "Xyz 10 11:12:13 ", "Feb 40 11:12:13"])
def test_none(text: str) -> None:
    assert [stamp for stamp in stamps_in(text) if stamp.has_date] == []


def test_epoch_of_a_fortigate() -> None:
    stamp = last_stamp('date=2024-12-20 time=14:56:10 eventtime=1734724570250926112 tz="-0500" ')
    assert stamp is not None
    assert (stamp.wall, stamp.zone) == (1734724570250926112, 0)
    seconds = event_stamp("eventtime=1734724570 ")
    assert seconds is not None
    assert (seconds.wall, seconds.unit) == (1734724570 * SECOND, SECOND)
    assert event_stamp("eventtime=12") is None
    assert zone_field('tz="-0500"') == -18_000
    assert zone_field("tz=+0545") == 20_700


def test_a_year_that_is_not_written() -> None:
    (stamp,) = stamps_in("Nov 27 12:18:45 ")
    moved = in_year(stamp, 2026)
    assert moved.wall - stamp.wall > 26 * 365 * 86_400 * SECOND
    assert not moved.has_year
    (own,) = stamps_in("Nov 27 2020 12:18:45 ")
    assert in_year(own, 2026) == own
    assert YEAR_UNKNOWN % 4 == 0


@given(st.text(max_size=300))
def test_any_text_is_safe(text: str) -> None:
    for stamp in stamps_in(text):
        assert stamp.text in text or stamp.text.strip() in text
