"""Distinguished names, anonymized: the structure (ITU-T X.690) stays, what is in it is replaced by as many letters."""

from collections.abc import Iterator

from pcapdiag.carve.scramble import Scrambler

MAX_DEPTH = 8
_OBJECT_IDENTIFIER, _CONSTRUCTED = 6, 0x20
"""Which attribute it is, country or common name, is no secret."""


def distinguished_name(data: bytes, scrambler: Scrambler) -> bytes:
    """A name in DER; octets that are none are scrambled whole."""
    pieces = list(_values(data, scrambler, 0))
    return scrambler.octets(data) if any(piece is None for piece in pieces) else b"".join(p for p in pieces if p)


def _values(data: bytes, scrambler: Scrambler, depth: int) -> Iterator[bytes | None]:
    """The values that follow each other, replaced; None where they are none."""
    at = 0
    while at < len(data):
        head, length = _head(data, at)
        body = data[at + head : at + head + length]
        if not head or len(body) < length or depth > MAX_DEPTH:
            yield None
            return
        yield data[at : at + head]
        if data[at] & _CONSTRUCTED:
            yield from _values(body, scrambler, depth + 1)
        elif data[at] == _OBJECT_IDENTIFIER:
            yield body
        else:
            yield scrambler.text(body)
        at += head + length


def _head(data: bytes, at: int) -> tuple[int, int]:
    """Octets of tag and length, and the length; 0 where they are not there, or of a form that DER does not have."""
    if len(data) - at < 2 or data[at] & 0x1F == 0x1F:
        return 0, 0
    if data[at + 1] < 0x80:
        return 2, data[at + 1]
    size = data[at + 1] & 0x7F
    if not 1 <= size <= 2 or len(data) - at < 2 + size:
        return 0, 0
    return 2 + size, int.from_bytes(data[at + 2 : at + 2 + size], "big")
