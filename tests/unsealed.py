"""Messages in clear of what real senders say encrypted: each kind of payload, attribute and identity once."""

import struct

from tests.capture.frames import u16, u32
from tests.messages import COOKIE_I, COOKIE_R, ke, message, notify, substructures


def _tv(kind: int, value: int) -> bytes:
    return struct.pack("!HH", 0x8000 | kind, value)


def _tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value


def _proposal(number: int, protocol: int, spi: bytes, *transforms: bytes) -> bytes:
    head = struct.pack("!BBBB", number, protocol, len(spi), len(transforms))
    return head + spi + substructures(list(transforms), 3)


def _transform_v1(number: int, identifier: int, *attributes: bytes) -> bytes:
    return struct.pack("!BBH", number, identifier, 0) + b"".join(attributes)


def _transform_v2(kind: int, identifier: int, *attributes: bytes) -> bytes:
    return struct.pack("!BBH", kind, 0, identifier) + b"".join(attributes)


SPI, SPI_2, COOKIES = b"\xc0\xff\xee\x01", b"\xc0\xff\xee\x02", COOKIE_I + COOKIE_R
A_V4, A_V6 = bytes.fromhex("c0000201"), bytes.fromhex("20010db8000000000000000000000001")
NAME = bytes.fromhex("300d310b3009060355040613024348")
OA = ((1, A_V4), (5, A_V6))
TS = bytes.fromhex("01000000070000100000ffff") + A_V4 + bytes.fromhex("c00002ff")
# Without DER_ASN1_GN, 10: Wireshark shows it as ASN.1 only, not as octets.
IDENTITIES = {
    1: A_V4,
    2: b"gw.example.com",
    3: b"someone@example.com",
    4: A_V4 + bytes.fromhex("ffffff00"),
    5: A_V6,
    6: A_V6 + b"\xff" * 8 + bytes(8),
    7: A_V4 + bytes.fromhex("c00002ff"),
    8: A_V6 + A_V6[:-1] + b"\xff",
    9: NAME,
    11: b"\x00\x01key",
}
QUICK_PROPOSALS = [
    _proposal(1, 3, SPI, _transform_v1(1, 12, _tv(1, 1), _tlv(2, u32(28800)), _tv(4, 3), _tv(5, 2), _tv(6, 256))),
    _proposal(1, 2, SPI, _transform_v1(1, 3, _tv(1, 2), _tlv(2, bytes(3) + b"\x50\x00"), _tv(5, 2), _tv(3, 14))),
    _proposal(2, 3, SPI_2, _transform_v1(1, 3, _tv(4, 1), _tv(5, 1)), _transform_v1(2, 20, _tv(6, 128), _tv(4, 61443))),
    _proposal(2, 4, b"\x00\x02", _transform_v1(1, 2, _tv(4, 1))),
]
NEW_GROUP = _transform_v1(
    1,
    1,
    _tv(1, 65001),
    _tv(16390, 3),
    _tv(5, 1),
    _tlv(6, bytes(range(1, 97))),
    _tlv(7, b"\x02"),
    _tlv(12, (10**10).to_bytes(8)),
)
UNSEALED_V1 = [
    message(32, [(1, struct.pack("!II", 1, 1) + substructures(QUICK_PROPOSALS, 2))], message_id=7),
    message(2, [(1, struct.pack("!II", 1, 1) + substructures([_proposal(1, 1, COOKIES, NEW_GROUP)], 2))]),
    *(
        message(32, [(5, struct.pack("!BBH", kind, 17, 1701) + data)])
        for kind, data in IDENTITIES.items()
        if kind != 10
    ),
    message(5, [(12, struct.pack("!IBBH", 1, 1, 16, 1) + COOKIES)], message_id=8),
    message(5, [(12, struct.pack("!IBBH", 1, 3, 4, 2) + SPI + SPI_2)], message_id=9),
    *(message(5, [notify(kind, COOKIES, u32(77))], message_id=10) for kind in (36136, 36137)),
    message(5, [notify(14), notify(18, SPI, b"why"), notify(24576, SPI, _tv(1, 1) + _tlv(2, u32(3600)))]),
    # A domain of interpretation has four octets (RFC 2408 §3.4); the last two of this one are those of IPsec.
    message(5, [(11, struct.pack("!IBBH", 0x10001, 1, 0, 2)), (12, struct.pack("!IBBH", 0x10001, 1, 0, 0))]),
    message(2, [*ke(), (130, bytes(range(16))), (130, bytes(range(20)))]),
    message(2, [*ke(), (20, bytes(range(32))), (20, bytes(range(64)))]),
    message(32, [(number, bytes((kind, 0, 0, 0)) + data) for number in (21, 131) for kind, data in OA]),
    message(2, [(7, b"\x04"), (8, bytes(20)), (9, bytes(64)), (13, b"\xaa" * 5)]),
    message(6, [(8, bytes(20)), (14, struct.pack("!BBH", 1, 0, 9) + _tv(16520, 0))]),
    message(2, [(132, struct.pack("!HBB", 5, 2, 0) + bytes(40))]),
]
CHILD_PROPOSALS = [
    _proposal(1, 3, SPI, _transform_v2(1, 20, _tv(14, 256)), _transform_v2(5, 1), _transform_v2(5, 0)),
    _proposal(2, 2, SPI_2, _transform_v2(3, 14), _transform_v2(4, 31), _transform_v2(5, 0)),
]
HYBRID = _proposal(1, 1, b"", _transform_v2(1, 12, _tv(14, 128)), _transform_v2(2, 7), _transform_v2(6, 36))
UNSEALED_V2 = [
    message(exchange, payloads, version=0x20, flags=flags, message_id=number)
    for number, (exchange, flags, payloads) in enumerate(
        [
            (34, 0x08, [(33, substructures([HYBRID], 2)), (34, struct.pack("!HH", 31, 0) + bytes(range(32)))]),
            (36, 0x28, [(33, substructures(CHILD_PROPOSALS, 2)), (40, bytes(16)), (43, b"a vendor")]),
            *((35, 0x08, [(35, bytes((kind, 0, 0, 0)) + IDENTITIES[kind])]) for kind in (1, 2, 3, 5, 11)),
            (
                35,
                0x20,
                [(36, b"\x01\x00\x00\x00" + A_V4), (38, b"\x04" + bytes(40)), (39, b"\x02" + bytes(35))],
            ),
            (37, 0x08, [(42, struct.pack("!BBH", 1, 0, 0))]),
            (37, 0x20, [(42, struct.pack("!BBH", 3, 4, 2) + SPI + SPI_2)]),
            (36, 0x08, [(41, struct.pack("!BBH", 3, 4, 16393) + SPI), (41, struct.pack("!BBH", 0, 0, 17) + u16(14))]),
            (35, 0x08, [(44, TS), (45, TS), (48, b"\x03\x01\x00\x04")]),
            (34, 0x20, [(41, struct.pack("!BBH", 0, 0, 16390) + b"cookie"), (41, struct.pack("!BBH", 1, 0, 7))]),
            (35, 0x08, [(53, struct.pack("!HH", 2, 3) + bytes(64))]),
            (37, 0x08, [(46, bytes(64))]),
            (37, 0x08, [(200, b"not known")]),
        ]
    )
]
