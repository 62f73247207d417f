"""Packets that anybody can put together who saw two addresses and, perhaps, the cookies: IKE of both versions, ICMP."""

import ipaddress
import struct
from collections.abc import Iterable
from random import Random

from benchmarks.generate import checksum
from pcapdiag.record import Record

UDP, ICMP, ICMP6 = 17, 1, 58
NAT_T = 4500
MARKER = bytes(4)
ZERO = bytes(8)
Cookies = tuple[bytes, bytes]

OTHER_FLOWS = (
    *((port, port) for port in (53, 1194, 1812, 3478, 4789, 5060, 8472, 51820)),
    (40000, NAT_T),
    (NAT_T, 40000),
    (33333, 53),
)
"""Ports of what else goes between two addresses."""
ERRORS_V4 = ((3, 0), (3, 1), (3, 3), (3, 9), (3, 10), (3, 13), (11, 0), (11, 1))
ERRORS_V6 = ((1, 0), (1, 1), (1, 3), (1, 4), (1, 5), (3, 0), (3, 1))
NOTIFIES_V1 = tuple(range(1, 31))
NOTIFIES_V2 = (1, 4, 5, 7, 9, 11, 14, 17, 24, 34, 35, 36, 37, 38, 39, 43, 44, 16388, 16390, 16407)
SIZES = (1, 28, 48, 92, 228)
"""Octets behind the header of what pretends to be encrypted."""


class End(Record, frozen=True):
    """An address and a port."""

    address: str
    port: int


# --- IP --------------------------------------------------------------------------------------------------------


def packet(source: str, destination: str, protocol: int, data: bytes, ttl: int, number: int) -> bytes:
    """An IP packet, version 4 or 6 as the addresses are."""
    one, other = (ipaddress.ip_address(a).packed for a in (source, destination))
    if len(one) == 16:
        return struct.pack(">IHBB", 0x6000_0000, len(data), protocol, ttl) + one + other + data
    head = struct.pack(">HHHHBBH", 0x4500, 20 + len(data), number, 0, ttl, protocol, 0) + one + other
    words = struct.unpack(">10H", head)
    return struct.pack(">10H", *words[:5], checksum(words), *words[6:]) + data


def datagram(source: End, destination: End, octets: bytes, ttl: int = 64, number: int = 0) -> bytes:
    """An IP packet with a UDP datagram; on UDP 4500 with the marker of RFC 3948."""
    if NAT_T in (source.port, destination.port):
        octets = MARKER + octets
    data = struct.pack(">HHHH", source.port, destination.port, 8 + len(octets), 0) + octets
    return packet(source.address, destination.address, UDP, data, ttl, number)


def error(source: str, quoted: bytes, numbers: tuple[int, int], number: int) -> bytes:
    """An ICMP error about the IP packet `quoted`, sent to its sender."""
    six = quoted[0] >> 4 == 6
    to = str(ipaddress.ip_address(quoted[8:24] if six else quoted[12:16]))
    data = struct.pack(">BBHI", *numbers, 0, 0) + quoted
    return packet(source, to, ICMP6 if six else ICMP, data, 60, number)


# --- IKE -------------------------------------------------------------------------------------------------------


def isakmp(
    cookies: Cookies, first: int, version: int, exchange: int, flags: int, number: int, body: bytes = b""
) -> bytes:
    """A message of either version."""
    return struct.pack(">8s8sBBBBII", *cookies, first, version, exchange, flags, number, 28 + len(body)) + body


def payload(body: bytes, following: int = 0) -> bytes:
    """A payload with its generic header."""
    return struct.pack(">BBH", following, 0, 4 + len(body)) + body


def _attribute(kind: int, value: int) -> bytes:
    return struct.pack(">HH", 0x8000 | kind, value)


_ATTRIBUTES = b"".join(_attribute(*row) for row in ((1, 7), (14, 128), (2, 2), (3, 1), (4, 14)))
_TRANSFORM_V1 = struct.pack(">BBHBBH", 0, 0, 8 + len(_ATTRIBUTES), 1, 1, 0) + _ATTRIBUTES
SA_V1 = struct.pack(">IIBBHBBBB", 1, 1, 0, 0, 8 + len(_TRANSFORM_V1), 1, 1, 0, 1) + _TRANSFORM_V1


def _sa_v2() -> bytes:
    rows = ((1, 12, _attribute(14, 128)), (2, 5, b""), (3, 12, b""), (4, 14, b""))
    transforms = b"".join(
        struct.pack(">BBHBBH", 3 if n + 1 < len(rows) else 0, 0, 8 + len(more), kind, 0, number) + more
        for n, (kind, number, more) in enumerate(rows)
    )
    return struct.pack(">BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, len(rows)) + transforms


SA_V2 = _sa_v2()


def notify_v1(cookies: Cookies, kind: int, number: int) -> bytes:
    """A clear Informational with one notify."""
    return isakmp(cookies, 11, 0x10, 5, 0, number, payload(struct.pack(">IBBH", 1, 1, 0, kind)))


def delete_v1(cookies: Cookies, number: int) -> bytes:
    """A clear DELETE of the ISAKMP SA (RFC 2408 §3.15)."""
    body = struct.pack(">IBBH", 1, 1, 16, 1) + cookies[0] + cookies[1]
    return isakmp(cookies, 12, 0x10, 5, 0, number, payload(body))


def sealed_v1(cookies: Cookies, exchange: int, octets: int, number: int, dice: Random, flags: int = 1) -> bytes:
    """Octets that nobody can open."""
    return isakmp(cookies, 8, 0x10, exchange, flags, number, dice.randbytes(octets))


def notify_v2(cookies: Cookies, exchange: int, kind: int, flags: int, number: int) -> bytes:
    """A clear message with one notify."""
    return isakmp(cookies, 41, 0x20, exchange, flags, number, payload(struct.pack(">BBH", 0, 0, kind)))


def delete_v2(cookies: Cookies, flags: int, number: int) -> bytes:
    """A clear INFORMATIONAL with a Delete of the IKE SA."""
    return isakmp(cookies, 42, 0x20, 37, flags, number, payload(struct.pack(">BBH", 1, 0, 0)))


def sealed_v2(cookies: Cookies, exchange: int, inner: int, octets: int, flags: int, number: int, dice: Random) -> bytes:
    """SK with octets that nobody can open, `inner` its first payload."""
    return isakmp(cookies, 46, 0x20, exchange, flags, number, payload(dice.randbytes(octets), inner))


# --- all of them -----------------------------------------------------------------------------------------------

Named = tuple[str, bytes]
FROM_INITIATOR, RESPONSE = 0x08, 0x20


def of_ikev1(cookies: Cookies, dice: Random) -> Iterable[Named]:
    """One of each kind, under these cookies."""
    number = dice.randrange(1, 1 << 32)
    other = (cookies[0], dice.randbytes(8))
    opening = (cookies[0], ZERO)
    for kind in NOTIFIES_V1:
        yield f"notify {kind}", notify_v1(cookies, kind, number)
    yield "notify 14 without a responder's cookie", notify_v1(opening, 14, number)
    yield "notify 5 of the other version", notify_v2(cookies, 37, 5, RESPONSE, 0)
    yield "delete", delete_v1(cookies, number)
    mode = dice.choice((2, 4))
    yield "message 2 with another cookie", isakmp(other, 1, 0x10, 2, 0, 0, payload(SA_V1))
    yield "message 2", isakmp(cookies, 1, 0x10, mode, 0, 0, payload(SA_V1))
    yield "message 1 again", isakmp(opening, 1, 0x10, mode, 0, 0, payload(SA_V1))
    yield "keying", isakmp(cookies, 4, 0x10, 2, 0, 0, payload(dice.randbytes(128), 10) + payload(dice.randbytes(20)))
    for octets in SIZES:
        yield f"sealed phase 1 message of {octets}", sealed_v1(cookies, mode, octets, 0, dice)
        yield f"quick mode of {octets}", sealed_v1(cookies, 32, octets, number, dice)
        yield f"informational of {octets}", sealed_v1(cookies, 5, octets, number, dice)
        yield f"transaction of {octets}", sealed_v1(cookies, 6, octets, number, dice)
    yield "quick mode in clear", sealed_v1(cookies, 32, 92, number, dice, 0)
    yield "quick mode of ID zero", sealed_v1(cookies, 32, 92, 0, dice)
    yield "transaction in clear", sealed_v1(cookies, 6, 92, number, dice, 0)


def of_ikev2(cookies: Cookies, dice: Random) -> Iterable[Named]:
    """The same of IKEv2."""
    other, opening = (cookies[0], dice.randbytes(8)), (cookies[0], ZERO)
    number = dice.randrange(4)
    for kind in NOTIFIES_V2:
        yield f"IKE_SA_INIT notify {kind}", notify_v2(dice.choice((opening, cookies)), 34, kind, RESPONSE, 0)
        yield f"INFORMATIONAL notify {kind}", notify_v2(cookies, 37, kind, dice.choice((0, 8, RESPONSE, 40)), number)
    yield "IKE_AUTH notify 24", notify_v2(cookies, 35, 24, RESPONSE, 1)
    yield "IKE_AUTH notify 7", notify_v2(cookies, 35, 7, RESPONSE, 1)
    yield "notify 5 of the other version", notify_v1(dice.choice((opening, cookies)), 5, 0)
    for flags in (0, 8, RESPONSE):
        yield f"delete, flags {flags:02x}", delete_v2(cookies, flags, number)
    sa = payload(SA_V2, 34) + payload(b"\0\x0e\0\0" + dice.randbytes(256), 40) + payload(dice.randbytes(32))
    yield "IKE_SA_INIT response with another SPI", isakmp(other, 33, 0x20, 34, RESPONSE, 0, sa)
    yield "IKE_SA_INIT request again", isakmp(opening, 33, 0x20, 34, FROM_INITIATOR, 0, sa)
    for exchange, name in ((35, "IKE_AUTH"), (36, "CREATE_CHILD_SA"), (37, "INFORMATIONAL")):
        for octets in (28, 64, 92, 228):
            for flags in (0, FROM_INITIATOR, RESPONSE, RESPONSE | FROM_INITIATOR):
                inner = dice.choice((0, 33, 35, 36, 39, 41, 42, 48))
                body = sealed_v2(cookies, exchange, inner, octets, flags, number, dice)
                yield f"{name} of {octets}, flags {flags:02x}, {inner} first, ID {number}", body
