"""Octets as text."""

from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.ike.printing import MAX_SHOWN, hexadecimal, printable


@given(st.binary(max_size=60))
def test_printable_is_ascii_without_controls(data: bytes) -> None:
    assert all(0x20 <= ord(c) < 0x7F for c in printable(data))


def test_an_escape_cannot_be_forged() -> None:
    assert printable(b"a\x1b\\x1b") == "a\\x1b\\x5cx1b"


def test_what_is_long_is_cut_and_says_so() -> None:
    for shown in (printable(b"a" * MAX_SHOWN), hexadecimal(bytes(MAX_SHOWN))):
        assert "octets" not in shown
    for shown in (printable(b"a" * (MAX_SHOWN + 1)), hexadecimal(bytes(MAX_SHOWN + 1))):
        assert shown.endswith(f"... ({MAX_SHOWN + 1} octets)")
