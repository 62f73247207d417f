"""What the tests of the diagnosis share: messages put together by hand, captures as items, and what is said of them."""

import hashlib
import ipaddress
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pcapdiag.capture.datagram import Captured, Datagram, IcmpError
from pcapdiag.capture.savefile import Savefile
from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.diagnosis.evidence.case import Evidence
from pcapdiag.diagnosis.verdict import Diagnosis, diagnose
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.pipeline import analyze
from tests import CAPTURES
from tests.messages import COOKIE_I, COOKIE_R, LEFT, RIGHT, SECOND, ZERO, Wire, ke, message, notify, sa, transform

TRUTH: list[dict[str, Any]] = json.loads((CAPTURES / "truth.json").read_text())
ROUTER = "203.0.113.9"
PUBLIC = "203.0.113.77"
MARKER = bytes(4)

NAT_T = (13, bytes.fromhex("4a131c81070358455c5728f20e95452f"))
STRONGSWAN = (13, bytes.fromhex("882fe56d6fd20dbc2251613b2ebe5beb"))
LIBRESWAN = (13, b"OE-Libreswan-4.10")
CERTIFICATE_REQUEST = (7, b"\x04" + bytes(20))
RSA = ((1, 7), (14, 128), (2, 2), (3, 3), (4, 14))
XAUTH = ((1, 7), (14, 128), (2, 2), (3, 65001), (4, 14))


# --- from items to what is said of them ------------------------------------------------------------------------


@cache
def captured(name: str) -> tuple[tuple[Captured, ...], int]:
    """What a capture yields, and when it ends (nanoseconds)."""
    savefile = Savefile(CAPTURES / name)
    items = tuple(savefile)
    return items, savefile.summary().last_time or 0


def diagnosed(items: Iterable[Captured], end: float | None = None) -> tuple[Diagnosis, ...]:
    """What is said of the exchanges in these items; the capture ends with the last of them, or at `end` seconds."""
    return diagnosed_until(items, None if end is None else round(end * SECOND))


def diagnosed_until(items: Iterable[Captured], end: int | None = None) -> tuple[Diagnosis, ...]:
    """The same with the end in nanoseconds."""
    tracker = Tracker()
    last = 0
    for item in items:
        tracker.feed(item)
        last = max(last, item.time)
    keepalives = tuple(tracker.keepalives.values())
    return diagnose(list(tracker.exchanges()), last if end is None else end, keepalives=keepalives)


@cache
def with_keys(name: str, keys: Path = CAPTURES / "keys") -> tuple[Diagnosis, ...]:
    """What is said of a capture, with the keys of this profile."""
    return analyze(CAPTURES / name, keys=keys).diagnoses if captured(name)[0] else ()


def only(items: Iterable[Captured], end: float | None = None) -> Diagnosis:
    """The only exchange in these items."""
    (found,) = diagnosed(items, end)
    return found


def kinds(diagnosis: Diagnosis) -> set[str]:
    """The kinds of all evidence."""
    return {kind for item in diagnosis.evidence for kind in item.kinds}


def fact(diagnosis: Diagnosis, kind: str) -> Evidence:
    """The first evidence of that kind."""
    return next(item for item in diagnosis.evidence if kind in item.kinds)


def statuses(diagnosis: Diagnosis) -> dict[str, str]:
    """How every cause stands, best first."""
    return {c.cause.id: c.status.value for c in diagnosis.causes}


def cause(diagnosis: Diagnosis, name: str) -> RankedCause | None:
    """One ranked cause."""
    return next((c for c in diagnosis.causes if c.cause.id == name), None)


# --- messages --------------------------------------------------------------------------------------------------

Cookies = tuple[bytes, bytes]
COOKIES: Cookies = (COOKIE_I, COOKIE_R)
Payloads = Sequence[tuple[int, bytes]]


def other_cookies(number: int) -> Cookies:
    """Another pair of cookies."""
    return bytes([0x30 + number]) * 8, bytes([0x60 + number]) * 8


def offer(*extra: tuple[int, bytes], transforms: Sequence[bytes] = (), cookies: Cookies = COOKIES) -> bytes:
    """Main Mode message 1."""
    return message(2, [sa(*transforms), *extra], cookies=(cookies[0], ZERO))


def choice(*extra: tuple[int, bytes], chosen: bytes | None = None, cookies: Cookies = COOKIES) -> bytes:
    """Main Mode message 2."""
    return message(2, [sa(chosen or transform()), *extra], cookies=cookies)


def keying(*extra: tuple[int, bytes], fill: int = 3, cookies: Cookies = COOKIES) -> bytes:
    """Main Mode message 3 or 4."""
    return message(2, [*ke(), (13, bytes([fill] * 16)), *extra], cookies=cookies)


def sealed(number: int, octets: int = 48, cookies: Cookies = COOKIES) -> bytes:
    """Main Mode message 5 or 6."""
    return message(2, cookies=cookies, sealed=bytes([number]) * octets)


def refusal(number: int, cookies: Cookies = COOKIES) -> bytes:
    """A clear Informational with this notify."""
    return message(5, [notify(number)], cookies=cookies, message_id=0x99)


def aggressive(number: int, *extra: tuple[int, bytes]) -> bytes:
    """Aggressive Mode message 1–3, the last one in clear."""
    identity = (5, b"\x01\x11\x01\xf4" + bytes([192, 0, 2, number]))
    if number == 1:
        return message(4, [sa(), *ke(), identity, *extra], cookies=(COOKIE_I, ZERO))
    if number == 2:
        return message(4, [sa(), *ke(), identity, (8, bytes(20)), *extra])
    return message(4, [(8, bytes([3] * 20)), *extra])


def transaction(number: int, message_id: int) -> bytes:
    """A Transaction exchange message (XAuth, mode-config)."""
    return message(6, message_id=message_id, sealed=bytes([0x40 + number] * 64), first=8)


def nat_d(address: str, port: int, algorithm: str = "sha1", cookies: Cookies = COOKIES) -> bytes:
    """The hash of RFC 3947 §3.2."""
    return hashlib.new(
        algorithm, cookies[0] + cookies[1] + ipaddress.ip_address(address).packed + port.to_bytes(2, "big")
    ).digest()


def nat_ds(
    destination: tuple[str, int],
    source: tuple[str, int],
    algorithm: str = "sha1",
    kind: int = 20,
    cookies: Cookies = COOKIES,
) -> list[tuple[int, bytes]]:
    """Two NAT-D payloads: the destination as the sender writes it, then its own address."""
    return [(kind, nat_d(*end, algorithm, cookies)) for end in (destination, source)]


def with_nat(wire: Wire, *, translated: bool = True, at: float = 0) -> list[Datagram]:
    """Main Mode messages 1–4 seen at the initiator, which a NAT translates to PUBLIC (or nothing does)."""
    seen_as = PUBLIC if translated else LEFT
    return [
        wire.datagram(at, offer(NAT_T)),
        wire.datagram(at + 0.1, choice(NAT_T), left=False, ttl=62),
        wire.datagram(at + 0.2, keying(*nat_ds((RIGHT, 500), (LEFT, 500)))),
        wire.datagram(at + 0.3, keying(*nat_ds((seen_as, 500), (RIGHT, 500)), fill=4), left=False, ttl=62),
    ]


def floated(wire: Wire, at: float, octets: bytes, *, left: bool = True) -> Datagram:
    """A message on UDP 4500."""
    return wire.datagram(at, MARKER + octets, left=left, ports=(4500, 4500), ttl=64 if left else 62)


def repeated(wire: Wire, times: Iterable[float], octets: bytes, *, left: bool = True, ttl: int = 64) -> list[Datagram]:
    """One message sent at each of these times."""
    return [wire.datagram(at, octets, left=left, ttl=ttl) for at in times]


def icmp(
    wire: Wire,
    at: float,
    quoted: Datagram,
    numbers: tuple[int, int],
    *,
    source: str = ROUTER,
    version: int = 4,
    mtu: int | None = None,
) -> IcmpError:
    """An ICMP error about `quoted`, to its sender."""
    wire.number += 1
    frame = quoted.frame._replace(number=wire.number)
    return IcmpError(frame, round(at * SECOND), source, quoted.source, version, *numbers, mtu, quoted)


def ikev2(
    exchange: int,
    *,
    request: bool,
    number: int = 0,
    inner: int = 35,
    octets: int | None = None,
    extra: Payloads = (),
    cookies: Cookies = COOKIES,
) -> bytes:
    """IKE_SA_INIT (34) with KE, NONCE and `extra`, or an encrypted message whose first payload inside is `inner`.

    octets -- behind the header of SK; by default as many as a message needs, few where a Notify or Delete is alone
    """
    flags = 0x08 if request else 0x20
    if exchange == 34:
        spis = (cookies[0], ZERO) if request else cookies
        own = [(33, b""), (34, bytes(4) + bytes(32)), (40, bytes(16))] if not extra or extra[0][0] != 41 else []
        return message(34, [*own, *extra], version=0x20, flags=flags, cookies=spis)
    if octets is None:
        octets = 28 if inner in (41, 42) else 200
    body = bytes([inner, 0]) + (4 + octets).to_bytes(2, "big") + bytes([exchange + number]) * octets
    head = message(exchange, version=0x20, flags=flags, message_id=number, length=28 + len(body), cookies=cookies)
    return head[:16] + bytes([46]) + head[17:] + body


def notify_v2(number: int, data: bytes = b"") -> tuple[int, bytes]:
    """An IKEv2 NOTIFY payload."""
    return 41, bytes(2) + number.to_bytes(2, "big") + data
