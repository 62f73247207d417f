"""The grammar of each mode: which message is which, from who sent it and what is in clear.

RFC 2409 §5. A message is told by exchange type, direction and what its header shows, never by "KE and NONCE are
there": the RSA encryption modes put other payloads into messages 3 and 4 (§5.2, §5.3), and messages 5 and 6 are opaque.

    Main Mode          initiator              responder
        SA             1                      2
        keying         3                      4
        sealed         5                      6
"""

from collections.abc import Mapping
from enum import StrEnum

from pcapdiag.exchange.model import Mode, Side
from pcapdiag.ike.message import ZERO_SPI, Header
from pcapdiag.ike.registry import ExchangeType, PayloadType


class Shape(StrEnum):
    """What a phase 1 message shows of itself without keys."""

    SA = "SA"
    KEYING = "keying"
    SEALED = "sealed"


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


def shape(header: Header) -> Shape:
    """What this phase 1 message shows, from the header alone, so that a snapped message tells it too."""
    if header.encrypted:
        return Shape.SEALED
    if header.next_payload == PayloadType.SA:
        return Shape.SA
    return Shape.KEYING


def certain_sender(header: Header) -> Side | None:
    """Who sent this, where the message itself says so.

    Message 1 alone has no responder cookie; an SA payload beside a responder cookie is the answer. IKEv2 has a flag.
    """
    if header.major == 2:
        return Side.INITIATOR if header.from_initiator else Side.RESPONDER
    if header.exchange_type not in PHASE_1 or shape(header) is not Shape.SA:
        return None
    return Side.INITIATOR if header.responder_spi == ZERO_SPI else Side.RESPONDER


def phase1_number(header: Header, sender: Side) -> int | None:
    """The place in Main or Aggressive Mode; None where that mode has no such message."""
    row = PHASE_1.get(header.exchange_type)
    return row[2].get((sender, shape(header))) if row else None


def step_name(header: Header, sender: Side, place: int) -> str:
    """What the field calls this message.

    place -- of a Quick Mode message within its message ID, from 0: even ones come from the end that began it
    """
    if header.major == 2:
        return f"{header.exchange.label} {'response' if header.response else 'request'}"
    row = PHASE_1.get(header.exchange_type)
    if row:
        number = phase1_number(header, sender)
        return f"{row[1]}{number}" if number else f"{row[1]}?"
    if header.exchange_type == ExchangeType.QUICK:
        return f"QM{place + 1}"
    return header.exchange.label


def mode_of(header: Header) -> Mode:
    """The mode that a message belongs to, `unknown` for what follows phase 1."""
    if header.major == 2:
        return Mode.IKEV2
    row = PHASE_1.get(header.exchange_type)
    return row[0] if row else Mode.UNKNOWN


def infer_first_sender(seen: list[tuple[bool, Header]]) -> Side:
    """Who sent the first message of an exchange whose beginning is not in the capture (RFC 2409 §5).

    seen -- the messages in order: was it sent by the same end as the first one, and its header

    Keying from one end and then from the other: messages 3 and 4. Keying answered by a sealed message: 4 and 5.
    Two sealed Main Mode messages, one from each end: 5 and 6. Quick Mode is mostly begun by the initiator, so that
    decides where nothing better is there.
    """
    shapes = [(same, shape(h)) for same, h in seen if h.exchange_type in PHASE_1]
    if shapes:
        first = shapes[0][1]
        for same, kind in shapes[1:]:
            if first is Shape.KEYING and kind is Shape.KEYING and not same:
                return Side.INITIATOR
            if first is Shape.KEYING and kind is Shape.SEALED:
                return Side.INITIATOR if same else Side.RESPONDER
            if first is Shape.SEALED and kind is Shape.SEALED and not same:
                return Side.INITIATOR
    for same, header in seen:
        if header.exchange_type == ExchangeType.QUICK:
            return Side.INITIATOR if same else Side.RESPONDER
    return Side.INITIATOR
