"""Octets that tell nothing but which are the same."""

from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.carve.scramble import Scrambler

ONE, OTHER = Scrambler(b"k" * 32), Scrambler(b"l" * 32)


@given(st.binary(min_size=16, max_size=200), st.binary(min_size=16, max_size=200))
def test_the_same_for_the_same_and_another_under_another_key(content: bytes, different: bytes) -> None:
    assert len(ONE.octets(content)) == len(content)
    assert ONE.octets(content) != content
    assert (ONE.octets(content) == ONE.octets(different)) == (content == different)
    assert ONE.octets(content) != OTHER.octets(content)
    assert ONE.number(content) in range(1, 1 << 16)


def test_names() -> None:
    assert ONE.printable(b"user@example.com")[4:5] == b"@"
    assert ONE.printable(b"user@example.com").replace(b"@", b"").isalpha()
    assert not ONE.printable(bytes(range(40))).isalpha()


def test_hardware_addresses() -> None:
    assert ONE.hardware_address(b"\xff" * 6) == b"\xff" * 6
    assert ONE.hardware_address(bytes(6)) == bytes(6)
    alone = ONE.hardware_address(bytes.fromhex("005056123456"))
    assert alone[0] & 3 == 2
    group = ONE.hardware_address(bytes.fromhex("01005e123456"))
    assert group[:2] == b"\x01\x00"
    assert group[2:] != bytes.fromhex("5e123456")
