"""NAT traversal: the marker of RFC 3948 and the hashes of RFC 3947 §3.2 and RFC 7296 §2.23."""

import hashlib
from socket import AF_INET, AF_INET6, inet_pton

from pcapdiag.ike.registry import HashAlgorithm

NAT_T_PORT = 4500
"""Where IKE goes once NAT is found (RFC 3947 §4)."""

NON_ESP_MARKER = bytes(4)
"""Stands before IKE on port 4500, where ESP would have its SPI (RFC 3948 §2.2)."""

KEEPALIVE = b"\xff"
"""The whole payload of a NAT keep-alive (RFC 3948 §2.3)."""

_HEADER = 28
"""Octets of an ISAKMP header (RFC 2408 §3.1)."""

_HASHES = {
    HashAlgorithm.MD5: "md5",
    HashAlgorithm.SHA1: "sha1",
    HashAlgorithm.SHA2_256: "sha256",
    HashAlgorithm.SHA2_384: "sha384",
    HashAlgorithm.SHA2_512: "sha512",
}


def strip_marker(payload: bytes) -> tuple[bytes, bool]:
    """The UDP payload without the four leading zero octets, and whether they were there."""
    if payload.startswith(NON_ESP_MARKER):
        return payload[4:], True
    return payload, False


def without_marker(payload: bytes, expected: bool) -> bytes:
    """The message within a UDP payload: without the marker of RFC 3948, which is `expected` on UDP 4500.

    Four zero octets can also begin a cookie. Where the length field fits one reading, that one is right.
    """
    octets, marked = strip_marker(payload)
    if not marked:
        return payload
    for reading in (payload, octets):
        if len(reading) >= _HEADER and int.from_bytes(reading[24:28], "big") == len(reading):
            return reading
    return octets if expected else payload


def nat_detection_hash(
    algorithm: HashAlgorithm, initiator_cookie: bytes, responder_cookie: bytes, address: str, port: int
) -> bytes | None:
    """HASH(CKY-I | CKY-R | IP | Port) of RFC 3947 §3.2; None for a hash that is not at hand (Tiger).

    `address` is text, `port` an integer; the hash is the negotiated one. IKEv2 uses SHA-1 always.
    """
    name = _HASHES.get(algorithm)
    if name is None:
        return None
    octets = inet_pton(AF_INET6 if ":" in address else AF_INET, address)
    data = initiator_cookie + responder_cookie + octets + port.to_bytes(2, "big")
    return hashlib.new(name, data, usedforsecurity=False).digest()
