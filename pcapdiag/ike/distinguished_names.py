"""Distinguished names as identities and certificate requests carry them: DER of an X.501 Name (RFC 5280 §4.1.2.4)."""

from collections.abc import Iterator

from pcapdiag.ike.printing import printable

_TYPES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.42": "GN",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
    "1.2.840.113549.1.9.2": "unstructuredName",
    "1.2.840.113549.1.9.8": "unstructuredAddress",
}
"""Attribute types by what the field calls them (RFC 4514 §3, RFC 2985)."""
_SEQUENCE, _SET, _OID, _BMP = 0x30, 0x31, 0x06, 0x1E


def name_text(der: bytes) -> str | None:
    """`C=CH, O=Example, CN=gw`, in the order of the encoding, printable ASCII only; None where this is no name."""
    try:
        parts = [_attribute(attribute) for relative in _inside(der, _SEQUENCE) for attribute in _elements(relative)]
    except (IndexError, ValueError):
        return None
    return ", ".join(parts)


def _inside(der: bytes, tag: int) -> Iterator[bytes]:
    """The contents of what stands in the one element that these octets are."""
    outer = list(_raw(der))
    if len(outer) != 1 or outer[0][0] != tag:
        raise ValueError("not one element of that type")
    for kind, content in _raw(outer[0][1]):
        if kind != _SET:
            raise ValueError("no relative name")
        yield content


def _elements(content: bytes) -> Iterator[bytes]:
    for kind, element in _raw(content):
        if kind != _SEQUENCE:
            raise ValueError("no attribute")
        yield element


def _attribute(content: bytes) -> str:
    (oid_tag, oid), (value_tag, value) = _raw(content)
    if oid_tag != _OID:
        raise ValueError("no attribute type")
    dotted = _dotted(oid)
    octets = value.decode("utf-16-be", "replace").encode() if value_tag == _BMP else value
    return f"{_TYPES.get(dotted, dotted)}={printable(octets)}"


def _dotted(oid: bytes) -> str:
    numbers = [min(oid[0] // 40, 2)]
    numbers.append(oid[0] - 40 * numbers[0])
    value = 0
    for octet in oid[1:]:
        value = (value << 7) | (octet & 0x7F)
        if not octet & 0x80:
            numbers.append(value)
            value = 0
    return ".".join(map(str, numbers))


def _raw(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of the elements that follow each other (X.690 §8.1). Raises IndexError or ValueError."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            if not 0 < size <= 4:
                raise ValueError("length of a length")
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > len(data):
            raise ValueError("cut")
        yield tag, data[at : at + length]
        at += length
