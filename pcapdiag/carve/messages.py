"""IKE messages, anonymized: octet for octet as long as before, with the structure of before.

What a message becomes depends on nothing but its octets, the key and which addresses its exchange is known to have, so
that a retransmission stays one, and so does a packet that was recorded on both sides of a NAT.
"""

import struct
from collections.abc import Callable, Iterable, Iterator

from pcapdiag.carve.addresses import AddressMap
from pcapdiag.carve.names import distinguished_name
from pcapdiag.carve.scramble import Scrambler
from pcapdiag.carve.treatments import (
    ATTRIBUTES,
    CONFIGURATION_VALUES,
    IDENTITIES,
    NOTIFY_DATA,
    PAYLOADS,
    SUBNETS,
    Treatment,
)
from pcapdiag.ike.message import HEADER_LENGTH, parse
from pcapdiag.ike.nat_traversal import nat_detection_hash
from pcapdiag.ike.payloads import DecodeError
from pcapdiag.ike.registry import HashAlgorithm, HeaderFlag, IdentificationType, PayloadType

MAX_NESTED = 2
"""Messages in the fragments of messages."""
MAX_ENDS = 64
"""Addresses and ports of an exchange that NAT-D hashes are held against."""

End = tuple[str, int]
"""An address and a port."""

_BY_LENGTH = {
    16: HashAlgorithm.MD5,
    20: HashAlgorithm.SHA1,
    32: HashAlgorithm.SHA2_256,
    48: HashAlgorithm.SHA2_384,
    64: HashAlgorithm.SHA2_512,
}
"""The length of a NAT-D hash tells which it is."""


class Messages:
    """Changes messages, and ESP. `lost`: NAT-D hashes of addresses that are not in the capture, with their cookies."""

    def __init__(self, addresses: AddressMap, scrambler: Scrambler) -> None:
        self.lost: set[bytes] = set()
        self._addresses = addresses
        self._scramble = scrambler.octets
        self.scrambler = scrambler
        self._ends: dict[bytes, tuple[End, ...]] = {}

    def learn(self, cookie: bytes, ends: Iterable[End]) -> None:
        """Remember which addresses and ports the exchange with this initiator cookie has."""
        known = dict.fromkeys((*self._ends.get(cookie, ()), *ends))
        self._ends[cookie] = tuple(known)[:MAX_ENDS]

    def edit(self, octets: bytes, ends: Iterable[End] = (), nested: int = 0) -> bytes:
        """A message, its header first, as far as it was captured. ends -- of the packet that it came in."""
        try:
            message = parse(octets)
        except DecodeError:
            return self._scramble(octets)
        header = message.header
        end = len(message.octets)
        if header.major == 1 and header.flags & HeaderFlag.ENCRYPTION:
            body = self._scramble(octets[HEADER_LENGTH:end])
        else:
            known = (*self._ends.get(header.initiator_spi, ()), *ends)
            body = b"".join(_Chain(self, message.octets, known, nested).edited())
        return octets[:HEADER_LENGTH] + body + self._scramble(octets[end:])

    def esp(self, packet: bytes) -> bytes:
        """ESP (RFC 4303 §2): SPI and sequence number stay."""
        return packet[:8] + self._scramble(packet[8:])

    def address(self, octets: bytes) -> bytes:
        """Addresses behind each other, of 4 or of 16 octets; scrambled where they are neither."""
        if len(octets) in (4, 16):
            return self._addresses.octets(octets)
        return self._scramble(octets)

    def identity(self, kind: int, data: bytes) -> bytes:
        """Identification data (RFC 2407 §4.6.2.1, RFC 7296 §3.5)."""
        size = IDENTITIES.get(kind)
        if size is None:
            if kind == IdentificationType.DER_ASN1_DN:
                return distinguished_name(data, self.scrambler)
            return self.scrambler.printable(data)
        first, second = data[:size], data[size:]
        if len(first) != size or len(second) not in (0, size):
            return self._scramble(data)
        mapped = self.address(first)
        if kind in SUBNETS and second:
            return _masked(first, mapped, second) + second
        if not second:
            return mapped
        # A range stays one: which of the two is the lesser may have changed.
        return b"".join(sorted((mapped, self.address(second))))

    def nat_hash(self, cookies: tuple[bytes, bytes], body: bytes, ends: Iterable[End]) -> bytes:
        """A NAT-D hash (RFC 3947 §3.2): that of the new address, or one of none."""
        algorithm = _BY_LENGTH.get(len(body))
        if algorithm is not None:
            for address, port in dict.fromkeys(ends):
                if nat_detection_hash(algorithm, *cookies, address, port) == body:
                    new = nat_detection_hash(algorithm, *cookies, self._addresses.text(address), port)
                    return new or self._scramble(body)
        self.lost.add(cookies[0] + body)
        return self._scramble(body)


def _masked(was: bytes, now: bytes, mask: bytes) -> bytes:
    """The address of a network: where there were no bits for a host, there are none."""
    bits = int.from_bytes(mask, "big")
    if int.from_bytes(was, "big") & ~bits:
        return now
    return (int.from_bytes(now, "big") & bits).to_bytes(len(now), "big")


class _Chain:
    """The payloads of one message, as `ike.message.read_chain` walks over them."""

    def __init__(self, messages: Messages, octets: bytes, ends: tuple[End, ...], nested: int) -> None:
        self._messages = messages
        self._octets = octets
        self._major = octets[17] >> 4
        self._cookies = (octets[:8], octets[8:16])
        self._ends = ends
        self._nested = nested
        self._scramble = messages.scrambler.octets

    def edited(self) -> Iterator[bytes]:
        """What follows the header, in pieces."""
        octets, at, kind = self._octets, HEADER_LENGTH, self._octets[16]
        while kind and len(octets) - at >= 4:
            length = octets[at + 2] << 8 | octets[at + 3]
            yield octets[at : at + 4]
            if length < 4:
                at += 4
                break
            body = octets[at + 4 : at + length]
            yield self._payload(kind, body)
            kind = 0 if kind in (PayloadType.SK, PayloadType.SKF) else octets[at]
            at = min(at + length, len(octets))
        yield self._scramble(octets[at:])

    def _payload(self, kind: int, body: bytes) -> bytes:
        treatment = PAYLOADS.get(kind, (Treatment.SCRAMBLE, ""))[0]
        if treatment is Treatment.KEEP:
            return body
        method = _METHODS.get(treatment)
        if method is not None:
            return method(self, body)
        return self._front(body, self._kept(treatment, kind))

    def _kept(self, treatment: Treatment, kind: int) -> int:
        """Octets at the beginning of a body that stay, where the rest is scrambled."""
        if treatment is Treatment.SEALED:
            return 4 if kind == PayloadType.SKF else 0
        if treatment is Treatment.GROUP_AND_VALUE:
            return 4 if self._major == 2 else 0
        return {Treatment.CERTIFICATE: 1, Treatment.AUTHENTICATION: 4, Treatment.EAP: 5}.get(treatment, 0)

    def _front(self, body: bytes, kept: int) -> bytes:
        return body[:kept] + self._scramble(body[kept:])

    def _identity(self, body: bytes) -> bytes:
        return body[:4] + self._messages.identity(body[0], body[4:]) if len(body) >= 4 else self._scramble(body)

    def _typed_address(self, body: bytes) -> bytes:
        return body[:4] + self._messages.address(body[4:]) if len(body) >= 4 else self._scramble(body)

    def _issuer(self, body: bytes) -> bytes:
        return body[:1] + distinguished_name(body[1:], self._messages.scrambler)

    def _nat_hash(self, body: bytes) -> bytes:
        return self._messages.nat_hash(self._cookies, body, self._ends)

    def _notify(self, body: bytes) -> bytes:
        """RFC 2408 §3.14, RFC 7296 §3.10."""
        front = 8 if self._major == 1 else 4
        if len(body) < front:
            return self._scramble(body)
        number = body[front - 2] << 8 | body[front - 1]
        data = front + body[front - 3]
        treatment = NOTIFY_DATA.get((self._major, number), Treatment.SCRAMBLE)
        return body[:data] + self._notify_data(treatment, body[data:])

    def _notify_data(self, treatment: Treatment, data: bytes) -> bytes:
        if treatment is Treatment.KEEP:
            # These are numbers; what is longer is something else.
            return data if len(data) <= 32 else self._scramble(data)
        if treatment is Treatment.ADDRESS:
            return self._messages.address(data)
        if treatment is Treatment.NAT_HASH:
            return self._nat_hash(data)
        if treatment is Treatment.GATEWAY:
            return self._gateway(data)
        return self._scramble(data)

    def _gateway(self, data: bytes) -> bytes:
        """RFC 5685 §4: type (1 IPv4, 2 IPv6, 3 FQDN), length, identity, nonce."""
        if len(data) < 2:
            return self._scramble(data)
        stop = 2 + data[1]
        name = data[2:stop]
        new = self._messages.scrambler.printable(name) if data[0] == 3 else self._messages.address(name)
        return data[:2] + new + self._scramble(data[stop:])

    def _delete(self, body: bytes) -> bytes:
        """RFC 2408 §3.15, RFC 7296 §3.11."""
        front = 8 if self._major == 1 else 4
        if len(body) < front:
            return self._scramble(body)
        spis = body[front - 3] * (body[front - 2] << 8 | body[front - 1])
        return self._front(body, front + spis)

    def _selectors(self, body: bytes) -> bytes:
        """RFC 7296 §3.13: of types 7 and 8 two addresses each."""
        done, at = [body[:4]], 4
        while len(body) - at >= 8:
            length = body[at + 2] << 8 | body[at + 3]
            size = {7: 4, 8: 16}.get(body[at])
            if size is None or length != 8 + 2 * size or len(body) - at < length:
                break
            first, last = body[at + 8 : at + 8 + size], body[at + 8 + size : at + length]
            pair = sorted((self._messages.address(first), self._messages.address(last)))
            everything = not any(first) and all(o == 0xFF for o in last)
            done += [body[at : at + 8], first + last if everything else b"".join(pair)]
            at += length
        return b"".join(done) + self._scramble(body[at:]) if len(body) >= 4 else self._scramble(body)

    def _configuration(self, body: bytes) -> bytes:
        """draft-dukes-ike-mode-cfg §3.2, RFC 7296 §3.15: attributes behind four octets."""
        done, at = [body[:4]], 4
        while len(body) - at >= 4:
            kind, length = struct.unpack_from("!HH", body, at)
            done.append(body[at : at + 4])
            at += 4
            if self._major == 1 and kind & 0x8000:
                continue
            value = body[at : at + length]
            done.append(self._configured(kind & 0x7FFF, value))
            at += len(value)
        return b"".join(done) + self._scramble(body[at:])

    def _configured(self, kind: int, value: bytes) -> bytes:
        size = CONFIGURATION_VALUES.get(kind)
        if size == 0 and len(value) in (4, 16):
            return value
        if not size or len(value) not in (size, size + 1, 2 * size):
            return self._scramble(value)
        return self._messages.address(value[:size]) + value[size:]

    def _fragment(self, body: bytes) -> bytes:
        """[MS-IKEE] §2.2.3.1: identifier, number, flags, and a piece of a message."""
        if len(body) < 4 or body[2] != 1 or self._nested >= MAX_NESTED:
            return self._front(body, 4)
        return body[:4] + self._messages.edit(body[4:], self._ends, self._nested + 1)

    def _proposals(self, body: bytes) -> bytes:
        """RFC 2408 §3.4 to §3.6, RFC 7296 §3.3: what is kept, up to the first octets that fit no structure."""
        front = 8 if self._major == 1 else 0
        if front and body[:8] != b"\0\0\0\1\0\0\0\1":
            return self._front(body, 4)
        return body[:front] + b"".join(_proposals(body[front:], self._scramble))


_METHODS: dict[Treatment, Callable[[_Chain, bytes], bytes]] = {
    Treatment.IDENTITY: _Chain._identity,
    Treatment.TYPED_ADDRESS: _Chain._typed_address,
    Treatment.ISSUER: _Chain._issuer,
    Treatment.NAT_HASH: _Chain._nat_hash,
    Treatment.NOTIFY: _Chain._notify,
    Treatment.DELETE: _Chain._delete,
    Treatment.SELECTORS: _Chain._selectors,
    Treatment.CONFIGURATION: _Chain._configuration,
    Treatment.FRAGMENT: _Chain._fragment,
    Treatment.PROPOSALS: _Chain._proposals,
}


_ANOTHER_PROPOSAL, _ANOTHER_TRANSFORM = 2, 3


def _proposals(data: bytes, scramble: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """Proposals: eight octets, an SPI, transforms. The first of the eight says whether another one follows.

    Where they end before they should, the numbers of the one that is wrong stay, so that it is wrong in the same way.
    """
    at, more = 0, _ANOTHER_PROPOSAL
    while len(data) - at >= 4 and more == _ANOTHER_PROPOSAL:
        more, length = data[at], data[at + 2] << 8 | data[at + 3]
        stop = min(at + length, len(data))
        start = at + 8 + data[at + 6] if len(data) - at >= 8 else len(data) + 1
        if stop < start:
            yield data[at : at + 8]
            at = min(at + 8, len(data))
            break
        yield data[at:start]
        yield from _transforms(data[start:stop], scramble)
        at = stop
    yield scramble(data[at:])


def _transforms(data: bytes, scramble: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """Transforms: eight octets, attributes."""
    at, more = 0, _ANOTHER_TRANSFORM
    while len(data) - at >= 4 and more == _ANOTHER_TRANSFORM:
        more, length = data[at], data[at + 2] << 8 | data[at + 3]
        stop = min(at + length, len(data))
        yield data[at : at + 8]
        if stop < at + 8:
            at = min(at + 8, len(data))
            break
        yield from _attributes(data[at + 8 : stop], scramble)
        at = stop
    yield scramble(data[at:])


def _attributes(data: bytes, scramble: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """Attributes (RFC 2408 §3.3): a type, and a value of two octets or a length with as many behind it."""
    at = 0
    while len(data) - at >= 4:
        kind, length = struct.unpack_from("!HH", data, at)
        stop = at + 4 if kind & 0x8000 else min(at + 4 + length, len(data))
        value = data[at + 4 : stop]
        # The parameters of a group are long; other numbers fit into eight octets.
        keeps = kind & 0x7FFF in ATTRIBUTES and (len(value) <= 8 or 6 <= kind & 0x7FFF <= 16)
        yield data[at : at + 4] + (value if keeps else scramble(value))
        at = stop
    yield scramble(data[at:])
