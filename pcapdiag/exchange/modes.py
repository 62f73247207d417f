"""The grammar of each mode: which message is which, from who sent it and what is in clear.

RFC 2409 §5. A message is told by exchange type, direction and what its header shows, never by "KE and NONCE are
there": the RSA encryption modes put other payloads into messages 3 and 4 (§5.2, §5.3), and messages 5 and 6 are opaque.

    Main Mode          initiator              responder
        SA             1                      2
        keying         3                      4
        sealed         5                      6

SA is looked for wherever it stands: RFC 2409 §5 puts it first, and there are senders that put vendor IDs before it.
"""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from functools import cache

from pcapdiag.exchange.model import Mode, Side
from pcapdiag.ike.message import HEADER_LENGTH, ZERO_SPI, Header
from pcapdiag.ike.registry import ExchangeType, PayloadType


class Shape(StrEnum):
    """What a phase 1 message shows of itself without keys."""

    SA = "SA"
    KEYING = "keying"
    SEALED = "sealed"
    NONE = "none"


INITIATOR, RESPONDER = Side.INITIATOR, Side.RESPONDER

MAIN: Mapping[tuple[Side, Shape], int] = {
    (INITIATOR, Shape.SA): 1,
    (RESPONDER, Shape.SA): 2,
    (INITIATOR, Shape.KEYING): 3,
    (RESPONDER, Shape.KEYING): 4,
    (INITIATOR, Shape.SEALED): 5,
    (RESPONDER, Shape.SEALED): 6,
}
AGGRESSIVE: Mapping[tuple[Side, Shape], int] = {
    (INITIATOR, Shape.SA): 1,
    (RESPONDER, Shape.SA): 2,
    (INITIATOR, Shape.KEYING): 3,  # message 3 may be in clear (§5)
    (INITIATOR, Shape.SEALED): 3,
}
PHASE_1: Mapping[int, tuple[Mode, str, Mapping[tuple[Side, Shape], int]]] = {
    ExchangeType.MAIN: (Mode.MAIN, "MM", MAIN),
    ExchangeType.AGGRESSIVE: (Mode.AGGRESSIVE, "AM", AGGRESSIVE),
}

SENDER = {number: side for (side, _), number in MAIN.items()}
"""Who sends Main Mode message 1–6; the same holds for Aggressive Mode 1–3."""


def shape(header: Header, kinds: Collection[int] = ()) -> Shape:
    """What this phase 1 message shows.

    kinds -- types of the payloads that stand in clear; without them the header alone tells, as of a snapped message

    Without a responder's cookie only message 1 can be (RFC 2408 §3.1), and that has an SA payload: all else is none,
    and so is a header without a payload.
    Phase 1 has message ID zero (RFC 2408 §3.1), which is looked at where nothing else can be.
    """
    if header.encrypted:
        possible = header.major == 2 or (header.message_id == 0 and can_be_sealed(header))
        return Shape.SEALED if possible else Shape.NONE
    if header.next_payload == PayloadType.SA or PayloadType.SA in kinds:
        return Shape.SA
    if header.responder_spi == ZERO_SPI or not header.next_payload:
        return Shape.NONE
    return Shape.KEYING


LEAST_SEALED = HEADER_LENGTH + 24
"""HASH has 4 octets and the 16 of MD5 at least; the cipher pads that to its blocks (RFC 2409 §5, appendix B)."""
SMALLEST_BLOCK = 8


def can_be_sealed(header: Header) -> bool:
    """Whether an encrypted message of IKEv1 can hold what each of phase 1 and of Quick Mode has, a HASH or more.

    Whole blocks of a cipher (RFC 2409 appendix B), under both cookies: the keys are made of both (RFC 2409 §5).
    """
    if header.responder_spi == ZERO_SPI:
        return False
    if header.next_payload == PayloadType.FRAGMENT:
        return True  # a piece does not tell how large the whole is
    return header.length >= LEAST_SEALED and (header.length - HEADER_LENGTH) % SMALLEST_BLOCK == 0


def certain_sender(header: Header, kinds: Collection[int] = ()) -> Side | None:
    """Who sent this, where the message itself says so.

    Message 1 alone has no responder cookie; an SA payload beside a responder cookie is the answer. IKEv2 has a flag.
    kinds -- as of `shape`
    """
    if header.major == 2:
        return Side.INITIATOR if header.from_initiator else Side.RESPONDER
    if header.exchange_type not in PHASE_1 or shape(header, kinds) is not Shape.SA:
        return None
    return Side.INITIATOR if header.responder_spi == ZERO_SPI else Side.RESPONDER


def phase1_number(header: Header, sender: Side, kinds: Collection[int] = ()) -> int | None:
    """The place in Main or Aggressive Mode; None where that mode has no such message. kinds -- as of `shape`."""
    row = PHASE_1.get(header.exchange_type) if header.major == 1 else None
    return row[2].get((sender, shape(header, kinds))) if row else None


def step_name(header: Header, sender: Side, place: int, kinds: Collection[int] = ()) -> str:
    """What the field calls this message.

    kinds -- as of `shape`
    place -- of a Quick Mode message within its message ID, from 0: even ones come from the end that began it
    """
    return name_and_number(header, sender, place, kinds)[0]


def name_and_number(header: Header, sender: Side, place: int, kinds: Collection[int] = ()) -> tuple[str, int | None]:
    """What the field calls this message, and its place in Main or Aggressive Mode; the arguments as of `step_name`."""
    if header.major == 2:
        return _name_v2(header.exchange_type, header.response), None
    row = PHASE_1.get(header.exchange_type)
    if row:
        number = row[2].get((sender, shape(header, kinds)))
        return f"{row[1]}{number}" if number else f"{row[1]}?", number
    if header.exchange_type == ExchangeType.QUICK:
        return f"QM{place + 1}", None
    return header.exchange.label, None


@cache
def _name_v2(kind: int, response: bool) -> str:
    """Of IKEv2, by the exchange type, which is an octet."""
    return f"{ExchangeType(kind).label} {'response' if response else 'request'}"


QUICK_MODE_ANSWER = 28 + 20 + 32 + 12
"""The least octets of Quick Mode message 2: header, HASH (MD5), SA with one transform, NONCE of eight octets
(RFC 2409 §5.5). Message 3 holds HASH alone: with the longest hash and padding it stays below."""


def quick_mode_begins_at(first: int, lengths: Sequence[int]) -> int:
    """The number of the first Quick Mode message that the capture holds of a message ID; 1 where nothing tells.

    first -- how many messages the end that began here has under this ID; lengths -- octets of the messages, in order

    What follows message 1 has room for SA and NONCE; what follows message 2 is HASH alone, and too short for that.
    """
    if max(lengths) < QUICK_MODE_ANSWER:
        return 3
    return 2 if first == 1 and len(lengths) == 2 and lengths[1] < QUICK_MODE_ANSWER <= lengths[0] else 1


def mode_of(header: Header) -> Mode:
    """The mode that a message belongs to, `unknown` for what follows phase 1."""
    if header.major == 2:
        return Mode.IKEV2
    row = PHASE_1.get(header.exchange_type)
    return row[0] if row else Mode.UNKNOWN


IKE_PORTS = (500, 4500)
"""Where a responder is asked (RFC 2408 §2.5.1, RFC 3947 §4). What comes from another port has passed a NAT, or is a
client's; either is the end that asks."""


def likely_first_sender(header: Header) -> Side:
    """Who is taken for the sender of the first message seen, where nothing decides: a notify in clear answers."""
    answers = header.major == 1 and header.exchange_type == ExchangeType.INFORMATIONAL and not header.encrypted
    return Side.RESPONDER if answers else Side.INITIATOR


def infer_first_sender(seen: list[tuple[bool, Header]], ports: tuple[int, int]) -> Side | None:
    """Who sent the first message of an exchange whose beginning is not in the capture; None where nothing decides.

    seen -- the messages in order: was it sent by the same end as the first one, and its header
    ports -- of the end that sent the first one, and of the other

    What RFC 2409 §5 makes certain comes first. Keying from one end and then from the other: messages 3 and 4. Keying
    answered by a sealed message: 4 and 5. Two sealed Main Mode messages, one from each end: 5 and 6. Then the ports;
    and Quick Mode, which is mostly begun by the initiator.
    """
    _, begun = seen[0]
    if begun.exchange_type == ExchangeType.INFORMATIONAL and not begun.encrypted and begun.responder_spi == ZERO_SPI:
        return Side.RESPONDER  # with no cookie of its own an end can only answer (RFC 2408 §5.1)
    shapes = [(same, shape(h)) for same, h in seen if h.exchange_type in PHASE_1]
    if shapes:
        first = shapes[0][1]
        one_way = all(same for same, _ in seen)  # 3 and 5 of the initiator look like 4 and 6 of the responder
        for same, kind in shapes[1:]:
            if first is Shape.KEYING and kind is Shape.KEYING and not same:
                return Side.INITIATOR
            if first is Shape.KEYING and kind is Shape.SEALED and not (same and one_way):
                return Side.INITIATOR if same else Side.RESPONDER
            if first is Shape.SEALED and kind is Shape.SEALED and not same:
                return Side.INITIATOR
    listens = [port in IKE_PORTS for port in ports]
    if listens[0] is not listens[1]:
        return Side.RESPONDER if listens[0] else Side.INITIATOR
    for same, header in seen:
        if header.exchange_type == ExchangeType.QUICK:
            return Side.INITIATOR if same else Side.RESPONDER
    return None
