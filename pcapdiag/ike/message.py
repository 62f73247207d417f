"""The ISAKMP header and the chain of payloads (RFC 2408 §3.1, §3.2; RFC 7296 §3.1, §3.2).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +- initiator cookie (SPI), eight octets -----------------------+
    +- responder cookie (SPI), eight octets; zero in message 1 ----+
    | next payload  | major | minor | exchange type |     flags     |
    | message ID                                                    |
    | length, header included                                       |

What real senders do beside the RFCs: bytes after the declared length, a length of zero, payload numbers of drafts,
a minor version that is not zero. All of that gives a message whose `problem` says what is wrong with it.
"""

import struct
from collections.abc import Callable
from functools import cache

from pcapdiag.ike.payloads import (
    DecodeError,
    Notification,
    Payload,
    Proposal,
    SecurityAssociation,
    VendorIdPayload,
    cut_encrypted,
    cut_notification,
    decode,
    decode_encrypted,
)
from pcapdiag.ike.registry import ExchangeType, HeaderFlag, PayloadType
from pcapdiag.ike.vendor_ids import VendorId, identify
from pcapdiag.record import Record, lazy

HEADER_LENGTH = 28
ZERO_SPI = bytes(8)
MAX_PAYLOADS = 256
"""Payloads that are read of one message. A chain of empty ones could have 16,000, at a hundred times their octets."""
# Plain integers: an enum's own & costs a microsecond, a message.
_ENCRYPTION, _INITIATOR, _RESPONSE = map(int, (HeaderFlag.ENCRYPTION, HeaderFlag.INITIATOR, HeaderFlag.RESPONSE))
_HEADER = struct.Struct("!8s8sBBBBII")


_exchange_type, _payload_type = cache(ExchangeType), cache(PayloadType)
"""The types of messages are looked at dozens of times, and the call of an enum is slow."""


class Header(Record, frozen=True):
    """The ISAKMP header.

    initiator_spi, responder_spi -- eight octets each: cookies in IKEv1, SPIs in IKEv2
    version -- the octet as sent: 0x10 for IKEv1, 0x20 for IKEv2
    length -- octets that the sender declares, the header's 28 included
    """

    initiator_spi: bytes
    responder_spi: bytes
    next_payload: int
    version: int
    exchange_type: int
    flags: int
    message_id: int
    length: int

    @property
    def major(self) -> int:
        """The major version."""
        return self.version >> 4

    @property
    def encrypted(self) -> bool:
        """IKEv1: the flag that says so. IKEv2: the message begins with an encrypted payload."""
        if self.major == 2:
            return self.next_payload in (PayloadType.SK, PayloadType.SKF)
        return bool(self.flags & _ENCRYPTION)

    @property
    def response(self) -> bool:
        """IKEv2: this is a response (RFC 7296 §3.1)."""
        return self.major == 2 and bool(self.flags & _RESPONSE)

    @property
    def from_initiator(self) -> bool:
        """IKEv2: sent by the original initiator of the IKE SA (RFC 7296 §3.1)."""
        return self.major == 2 and bool(self.flags & _INITIATOR)

    @property
    def exchange(self) -> ExchangeType:
        """The exchange type as the registry names it."""
        return _exchange_type(self.exchange_type)


class Opened(Record, frozen=True):
    """What keys showed of an encrypted message.

    payloads -- in the order of the chain; problem -- the first thing that is wrong with their structure, or None
    key -- which row of the table opened it, from 0
    proven -- an integrity check proves that the message was made with this key; else only its structure says so
    """

    payloads: tuple[Payload, ...]
    problem: str | None
    key: int
    proven: bool


class Message(Record, frozen=True, dict=True, gc=True):
    """One IKE message. Its payloads are decoded when they are first asked for: of a flood, most never are.

    octets -- of the message, its header included, as far as the capture holds them
    trailing -- octets behind the declared length
    """

    header: Header
    octets: bytes
    trailing: int

    @property
    def available(self) -> int:
        """Octets of the message that the capture holds."""
        return len(self.octets)

    @property
    def cut(self) -> bool:
        """Octets that the header declares are not in the capture."""
        return self.available < self.header.length

    @property
    def payloads(self) -> tuple[Payload, ...]:
        """In the order of the chain; empty where IKEv1 encrypted them."""
        return self._chain[0]

    @lazy
    def payload_types(self) -> tuple[int, ...]:
        """Types of the payloads in clear, in the order of the chain."""
        return tuple([int(p.type) for p in self.payloads])

    @lazy
    def notifications(self) -> tuple[Notification, ...]:
        """The notifies that can be read."""
        kinds = self.payload_types
        if PayloadType.NOTIFY not in kinds and PayloadType.NOTIFY2 not in kinds:
            return ()
        return tuple([p for p in self.payloads if isinstance(p, Notification)])

    @lazy
    def proposals(self) -> tuple[Proposal, ...]:
        """What its security association payload holds, or nothing."""
        sa = next((p for p in self.payloads if isinstance(p, SecurityAssociation)), None)
        return sa.proposals if sa else ()

    @lazy
    def vendor_ids(self) -> tuple[VendorId, ...]:
        """Its vendor IDs, identified."""
        return tuple([identify(p.body) for p in self.payloads if isinstance(p, VendorIdPayload)])

    @property
    def ciphertext(self) -> bytes:
        """What follows the header of an encrypted IKEv1 message, else nothing."""
        return self.octets[HEADER_LENGTH:] if self.sealed else b""

    @property
    def problem(self) -> str | None:
        """The first thing that is wrong with its structure, or None."""
        if self.header.length < HEADER_LENGTH:
            return f"declares a length of {self.header.length}, the header alone has {HEADER_LENGTH}"
        return self._chain[1]

    @property
    def sealed(self) -> bool:
        """IKEv1 encrypted its payloads: none can be read."""
        return self.octets[17] >> 4 == 1 and bool(self.octets[19] & _ENCRYPTION)

    @lazy
    def _chain(self) -> tuple[tuple[Payload, ...], str | None]:
        if self.sealed:
            return (), None
        major = self.octets[17] >> 4
        payloads, problem, _ = read_chain(self.octets, HEADER_LENGTH, self.octets[16], major, decode)
        if self.cut and payloads and payloads[-1].type in (PayloadType.NOTIFY, PayloadType.NOTIFY2):
            last = payloads[-1]
            if last.problem and not isinstance(last, Notification):
                payloads = (*payloads[:-1], cut_notification(last, major))
        return payloads, problem


def parse_header(data: bytes) -> Header:
    """The header alone. Raises DecodeError when fewer than 28 octets are there."""
    if len(data) < HEADER_LENGTH:
        raise DecodeError(f"{len(data)} octets, an ISAKMP header has {HEADER_LENGTH}")
    return Header(*_HEADER.unpack_from(data))


def parse(data: bytes) -> Message:
    """A message from the octets behind the UDP header (and behind the marker of RFC 3948).

    Raises DecodeError when there is no header, or when the version is neither 1 nor 2; any other octets give a
    message, with `problem` set where the structure does not hold.
    """
    header = parse_header(data)
    if header.major not in (1, 2):
        raise DecodeError(f"version {header.major}.{header.version & 15}, neither IKEv1 nor IKEv2")
    # A length that cannot be right says nothing about the payloads, which mostly are as they should be.
    end = len(data) if header.length < HEADER_LENGTH else min(header.length, len(data))
    return Message(header, data[:end], len(data) - end)


def read_chain(
    data: bytes, at: int, kind: int, major: int, decoder: Callable[[PayloadType, bytes, int], Payload]
) -> tuple[tuple[Payload, ...], str | None, int]:
    """The payloads of a chain, what stopped the reading before it ended, and where the last one ends.

    at -- where in `data` the first payload stands, which is of type `kind`; decoder -- reads a body
    """
    payloads: list[Payload] = []
    while kind:
        left = len(data) - at
        payload_type = _payload_type(kind)
        if len(payloads) >= MAX_PAYLOADS:
            return tuple(payloads), f"more than {MAX_PAYLOADS} payloads; the others are not read", at
        if left < 4:
            return tuple(payloads), f"{payload_type.label} payload announced, {left} octets are left", at
        following, length = data[at], (data[at + 2] << 8) | data[at + 3]
        if length < 4:
            return tuple(payloads), f"{payload_type.label} payload declares {length} octets, 4 are the least", at
        body = data[at + 4 : at + length]
        if length > left:
            problem = f"{payload_type.label} payload declares {length} octets, {left} are left"
            if payload_type == PayloadType.SK:  # what is inside first its header says, however much was captured of it
                payloads.append(cut_encrypted(body, PayloadType(following), problem))
            else:
                payloads.append(Payload(type=payload_type, body=body, problem=problem))
            return tuple(payloads), problem, len(data)
        if payload_type in (PayloadType.SK, PayloadType.SKF):
            # The next payload field of SK names what is inside; SK is always the last (RFC 7296 §3.14).
            payloads.append(decode_encrypted(payload_type, body, PayloadType(following)))
            return tuple(payloads), None, at + length
        payloads.append(decoder(payload_type, body, major))
        kind = following
        at += length
    broken = next((p for p in payloads if p.problem), None)
    return tuple(payloads), f"{broken.type.label} payload: {broken.problem}" if broken else None, at
