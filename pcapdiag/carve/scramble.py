"""Octets, replaced by as many that tell nothing but which are the same: a keyed function of what was there."""

import hashlib
from string import ascii_lowercase

_ALPHABET = ascii_lowercase.encode()


class Scrambler:
    """What becomes of octets under one key (SHAKE256, FIPS 202, with the key in front)."""

    def __init__(self, key: bytes) -> None:
        self._prefix = len(key).to_bytes(2, "big") + key

    def octets(self, content: bytes) -> bytes:
        """As many octets as there were; the same for the same."""
        return hashlib.shake_256(self._prefix + b"octets" + content).digest(len(content))

    def text(self, content: bytes) -> bytes:
        """As many lower-case letters as there were octets; an @ stays where it was."""
        stream = hashlib.shake_256(self._prefix + b"text" + content).digest(len(content))
        return bytes(0x40 if was == 0x40 else _ALPHABET[new % 26] for was, new in zip(content, stream, strict=True))

    def printable(self, content: bytes) -> bytes:
        """Letters for what is printable ASCII throughout, octets for the rest."""
        return self.text(content) if all(0x20 <= o < 0x7F for o in content) else self.octets(content)

    def hardware_address(self, address: bytes) -> bytes:
        """A MAC address as a locally administered one; groups, broadcast and none stay what they are (IEEE 802)."""
        if not any(address) or address == b"\xff" * len(address):
            return address
        new = self.octets(address)
        if address[0] & 1:
            return address[:2] + new[2:]
        return bytes((new[0] & 0xFC | 2,)) + new[1:]

    def number(self, content: bytes) -> int:
        """16 bits that are not zero."""
        return 1 + int.from_bytes(hashlib.shake_256(self._prefix + b"number" + content).digest(4), "big") % 0xFFFF
