"""Internet checksums (RFC 1071) of what was changed: right where they were right, wrong where they were wrong.

Of a checksum that was wrong the new one says so and nothing else: it is one less than the right one (or two more, of
0 and 1). Were the difference kept, the checksum that a NAT forgot to change would give away half the inner address.
What was not captured whole cannot be checked by anybody, and gets a number that depends on the old one and the key.
Zero stays zero in UDP over IPv4: none was made (RFC 768).
"""


def is_right(octets: bytes) -> bool:
    """Whether what includes its checksum sums up to zero."""
    return _sum(octets) == 0


def checksum(octets: bytes) -> int:
    """The checksum of octets in which the field itself is zero."""
    return 0xFFFF - (_sum(octets) or (0xFFFF if any(octets) else 0))


def replaced(right: int, was_right: bool) -> int:
    """The checksum to write, where `right` would be the right one."""
    if was_right:
        return right
    return right - 1 if right > 1 else right + 2


def _sum(octets: bytes) -> int:
    """The sum of all words of 16 bits, modulo 65535: as 2 ** 16 is 1 there, the whole is one number."""
    return int.from_bytes(octets + bytes(len(octets) & 1), "big") % 0xFFFF
