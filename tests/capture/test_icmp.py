"""ICMP errors in words."""

import pytest

from pcapdiag.capture.datagram import Datagram, Frame, IcmpError
from pcapdiag.capture.icmp import icmp_name


@pytest.mark.parametrize(
    ("version", "kind", "code", "name"),
    [
        (4, 3, 3, "port unreachable"),
        (4, 3, 4, "fragmentation needed"),
        (4, 3, 200, "type 3 code 200"),
        (6, 1, 4, "port unreachable"),
        (6, 2, 0, "packet too big"),
        (6, 3, 4, "type 3 code 4"),
    ],
)
def test_an_error_has_the_name_of_its_version_or_its_numbers(version: int, kind: int, code: int, name: str) -> None:
    frame = Frame(0, 1)
    quoted = Datagram(frame, 0, "192.0.2.1", 500, "192.0.2.2", 500, b"", 0, 64, 1)
    assert icmp_name(IcmpError(frame, 0, "192.0.2.2", "192.0.2.1", version, kind, code, None, quoted)) == name
