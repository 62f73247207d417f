"""Internet checksums, against the sum of words that RFC 1071 describes."""

from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.carve.checksums import checksum, is_right, replaced


def slowly(octets: bytes) -> int:
    """RFC 1071 §4.1, word by word."""
    padded = octets + bytes(len(octets) & 1)
    total = sum(padded[at] << 8 | padded[at + 1] for at in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def test_the_example_of_the_rfc() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


@given(st.binary(max_size=80))
def test_any_octets(octets: bytes) -> None:
    assert checksum(octets) == slowly(octets)
    assert is_right(octets + bytes(len(octets) & 1) + checksum(octets).to_bytes(2, "big"))


@given(st.binary(max_size=40).map(lambda o: o + bytes(len(o) & 1)))
def test_what_was_wrong_is_wrong_by_nothing_that_tells(octets: bytes) -> None:
    right = checksum(octets)
    assert replaced(right, True) == right
    wrong = replaced(right, False)
    assert not is_right(octets + wrong.to_bytes(2, "big")) or not any(octets)
    assert wrong != 0
