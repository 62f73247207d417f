"""IKE messages and datagrams for tests, put together octet by octet."""

import struct
from collections.abc import Iterable

from pcapdiag.capture.datagram import Datagram, Frame

COOKIE_I = bytes.fromhex("1111111111111111")
COOKIE_R = bytes.fromhex("2222222222222222")
ZERO = bytes(8)
LEFT, RIGHT = "192.0.2.1", "198.51.100.2"
SECOND = 1_000_000_000


def payload(body: bytes, following: int) -> bytes:
    """A payload with its generic header."""
    return struct.pack("!BBH", following, 0, 4 + len(body)) + body


def chain(payloads: Iterable[tuple[int, bytes]]) -> tuple[int, bytes]:
    """The first type and the octets of a chain of (type, body)."""
    found = list(payloads)
    types = [kind for kind, _ in found] + [0]
    return types[0], b"".join(payload(body, types[n + 1]) for n, (_, body) in enumerate(found))


def message(
    exchange: int,
    payloads: Iterable[tuple[int, bytes]] = (),
    *,
    cookies: tuple[bytes, bytes] = (COOKIE_I, COOKIE_R),
    flags: int = 0,
    message_id: int = 0,
    version: int = 0x10,
    sealed: bytes | None = None,
    first: int = 5,
    length: int | None = None,
) -> bytes:
    """A message; `sealed` is the ciphertext of an encrypted IKEv1 message whose first payload has the type `first`."""
    if sealed is not None:
        kind, body, flags = first, sealed, flags | 1
    else:
        kind, body = chain(payloads)
    size = 28 + len(body) if length is None else length
    return struct.pack("!8s8sBBBBII", *cookies, kind, version, exchange, flags, message_id, size) + body


def transform(number: int = 1, *attributes: tuple[int, int]) -> bytes:
    """An IKEv1 phase 1 transform substructure, without the next and length fields."""
    values = attributes or ((1, 7), (14, 128), (2, 2), (3, 1), (4, 14), (11, 1), (12, 3600))
    return struct.pack("!BBH", number, 1, 0) + b"".join(struct.pack("!HH", 0x8000 | t, v) for t, v in values)


def substructures(bodies: list[bytes], more: int) -> bytes:
    """Proposals (more=2) or transforms (more=3) behind each other."""
    return b"".join(
        struct.pack("!BBH", more if n + 1 < len(bodies) else 0, 0, 4 + len(body)) + body
        for n, body in enumerate(bodies)
    )


def sa(*transforms: bytes) -> tuple[int, bytes]:
    """An IKEv1 SA payload with one proposal."""
    bodies = list(transforms) or [transform()]
    proposal = struct.pack("!BBBB", 1, 1, 0, len(bodies)) + substructures(bodies, 3)
    return 1, struct.pack("!II", 1, 1) + substructures([proposal], 2)


def ke() -> list[tuple[int, bytes]]:
    """KE and NONCE."""
    return [(4, bytes(range(128))), (10, bytes(16))]


def notify(number: int, spi: bytes = b"", data: bytes = b"") -> tuple[int, bytes]:
    """An IKEv1 NOTIFY payload."""
    return 11, struct.pack("!IBBH", 1, 1, len(spi), number) + spi + data


def main_mode(number: int, cookies: tuple[bytes, bytes] = (COOKIE_I, COOKIE_R)) -> bytes:
    """Main Mode message 1–6."""
    if number == 1:
        return message(2, [sa(transform(1), transform(2))], cookies=(cookies[0], ZERO))
    if number == 2:
        return message(2, [sa()], cookies=cookies)
    if number in (3, 4):
        return message(2, [*ke(), (13, bytes([number] * 16))], cookies=cookies)
    return message(2, cookies=cookies, sealed=bytes([number] * 48))


def quick_mode(number: int, message_id: int = 0x1234, cookies: tuple[bytes, bytes] = (COOKIE_I, COOKIE_R)) -> bytes:
    """Quick Mode message 1–3."""
    return message(32, cookies=cookies, message_id=message_id, sealed=bytes([0x30 + number] * 64), first=8)


def informational(fill: int, message_id: int = 0x77, octets: int = 64) -> bytes:
    """An encrypted Informational message."""
    return message(5, message_id=message_id, sealed=bytes([fill] * octets), first=8)


class Wire:
    """Numbers frames and IP identifications, and makes datagrams in the order of calls."""

    def __init__(self) -> None:
        self.number = 0

    def datagram(
        self,
        time: float,
        octets: bytes,
        *,
        left: bool = True,
        source: str | None = None,
        destination: str | None = None,
        ports: tuple[int, int] = (500, 500),
        ip_id: int | None = -1,
        ttl: int = 64,
    ) -> Datagram:
        """One datagram, from LEFT to RIGHT or the other way, `time` in seconds."""
        self.number += 1
        ends = (LEFT, RIGHT) if left else (RIGHT, LEFT)
        return Datagram(
            frame=Frame(0, self.number),
            time=round(time * SECOND),
            source=source or ends[0],
            source_port=ports[0],
            destination=destination or ends[1],
            destination_port=ports[1],
            payload=octets,
            length=len(octets),
            ttl=ttl,
            ip_id=self.number if ip_id == -1 else ip_id,
        )

    def main_mode(
        self, time: float, *numbers: int, cookies: tuple[bytes, bytes] = (COOKIE_I, COOKIE_R)
    ) -> list[Datagram]:
        """Main Mode messages from their senders, a millisecond apart."""
        return [
            self.datagram(time + n / 1000, main_mode(number, cookies), left=number % 2 == 1)
            for n, number in enumerate(numbers)
        ]
