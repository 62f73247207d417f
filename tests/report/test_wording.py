"""How times, frames and what hostile octets hold are worded."""

import pytest

from pcapdiag.capture.datagram import Frame
from pcapdiag.pipeline import analyze
from pcapdiag.report.wording import (
    clock,
    day,
    frame_list,
    instant,
    lifetime,
    missing_text,
    payload_details,
    safe,
    seconds,
)
from tests import CAPTURES
from tests.diagnosis.scenarios import only
from tests.diagnosis.scenes import made


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], "no frame"),
        ([7], "frame 7"),
        ([7, 7], "frame 7"),
        ([9, 7], "frames 7, 9"),
        ([7, 8], "frames 7, 8"),
        ([3, 4, 5, 6, 7, 8], "frames 3–8"),
        ([1, 3, 4, 5, 9], "frames 1, 3–5, 9"),
        (list(range(1, 40, 2)), "frames 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23 and 8 more"),
    ],
)
def test_frames(numbers: list[int], text: str) -> None:
    assert frame_list(Frame(0, n) for n in numbers) == text


def test_frames_of_several_captures() -> None:
    assert frame_list([Frame(0, 2), Frame(1, 2), Frame(1, 3), Frame(1, 4)]) == "frames 1:2, 2:2–4"


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0.0 ms"),
        (400_000, "0.4 ms"),
        (12_000_000, "12 ms"),
        (4_000_000_000, "4.0 s"),
        (99_940_000_000, "99.9 s"),
        (120_000_000_000, "2 min"),
        (150_000_000_000, "2 min 30 s"),
        (11_100_000_000_000, "3 h 5 min"),
        (90_000_000_000_000, "1 d 1 h"),
    ],
)
def test_seconds(nanoseconds: int, text: str) -> None:
    assert seconds(nanoseconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(86400, "24 h"), (3600, "1 h"), (1800, "30 min"), (90, "90 s"), (0, "0 s")]
)
def test_lifetime(count: int, text: str) -> None:
    assert lifetime(count) == text


def test_instant() -> None:
    assert instant(0) == "1970-01-01 00:00:00.000 UTC"
    assert instant(1_700_000_000_123_999_999) == "2023-11-14 22:13:20.123 UTC"


@pytest.mark.parametrize("nanoseconds", [2**64 * 10**9, 253_402_300_800 * 10**9])
def test_instant_that_no_calendar_has(nanoseconds: int) -> None:
    assert isinstance(instant(nanoseconds), str)
    assert day(nanoseconds).endswith(" days after 1970")
    assert len(clock(nanoseconds)) == 8


def test_day_and_clock() -> None:
    assert (day(0), clock(0)) == ("1970-01-01", "00:00:00")
    assert (day(1_700_000_000_123_999_999), clock(1_700_000_000_123_999_999)) == ("2023-11-14", "22:13:20")


@pytest.mark.parametrize("character", ["\x1b", "\n", "\r", "\t", "\x00", "\x7f", "\x9b", "\u202e", "\u2066", "\ue000"])
def test_what_is_not_printable_is_escaped(character: str) -> None:
    assert safe(f"a{character}b").isprintable()
    assert character not in safe(f"a{character}b")


def test_what_is_printable_stays() -> None:
    assert safe("Zürich — ▶ 1.pcap") == "Zürich — ▶ 1.pcap"


def test_payload_details_say_what_names_do_not() -> None:
    report = analyze(CAPTURES / "completed-certificates-ip-fragments.pcap")
    steps = {s.name: s for s in report.diagnoses[0].exchange.steps}
    assert "VID: RFC 3947 NAT-T (4a131c81070358455c5728f20e95452f)" in payload_details(steps["MM1"])
    fourth = payload_details(steps["MM4"])
    assert fourth[0] == "KE: 256 octets"
    assert sum(line.startswith("CERTREQ: ") for line in fourth) == 2
    assert payload_details(steps["MM5"]) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cookies_that_are_not_taken", "a further IKE_SA_INIT request from the initiator was not seen"),
        ("eap_goes_no_further_than_a_challenge", "a further IKE_AUTH request from the initiator was not seen"),
        ("ikev2_auth_on_4500_unanswered", "IKE_AUTH response from the responder was not seen"),
        ("mm6_does_not_arrive", "MM6 does not reach the initiator"),
    ],
)
def test_what_is_missing(name: str, text: str) -> None:
    """In IKEv2 several messages have one name: an earlier one, which arrived, is not the one that is missing."""
    found = only(*made(name))
    assert missing_text(found.exchange, found.stop) == text
