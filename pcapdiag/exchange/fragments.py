"""Messages that travel in pieces: Cisco's and Microsoft's payload 132 in IKEv1, SKF (RFC 7383) in IKEv2.

One collector an exchange. Pieces are held until the message is whole, or the exchange ends; what never became whole
is still reported, by the header that the first piece carries.
"""

from collections import OrderedDict
from collections.abc import Iterator
from itertools import takewhile

from msgspec import Struct, field
from msgspec.structs import replace

from pcapdiag.exchange.model import Sighting
from pcapdiag.exchange.sightings import is_duplicate
from pcapdiag.ike.message import HEADER_LENGTH, Header, Message, parse
from pcapdiag.ike.payloads import DecodeError, Encrypted, Fragment, decode, decode_encrypted
from pcapdiag.ike.registry import ExchangeType, HeaderFlag, PayloadType
from pcapdiag.record import Record

MAX_PIECES = 256
MAX_OCTETS = 1 << 20
"""Pieces that wait for the rest, in one exchange, and their octets; beyond it the oldest make room, and are counted."""

PIECES = frozenset((int(PayloadType.FRAGMENT), int(PayloadType.SKF)))
"""What a message begins with that is a piece of one."""

Piece = Fragment | Encrypted
_Group = tuple[bool, int, int]


def piece_of(message: Message) -> Piece | None:
    """The fragment payload, where the message is a piece of a larger one; also where it was captured in part."""
    header = message.header
    if header.next_payload not in PIECES and (header.major == 1 or header.exchange_type == ExchangeType.IKE_SA_INIT):
        return None  # told from the header, so that the payloads need not be decoded
    for payload in message.payloads:
        if isinstance(payload, Fragment):
            return payload
        if isinstance(payload, Encrypted) and payload.total is not None:
            return payload
    return _cut_piece(message) if message.cut else None


def _cut_piece(message: Message) -> Piece | None:
    """The fragment payload that begins a message and goes on behind what was captured: its numbers come first."""
    header, body = message.header, message.octets[HEADER_LENGTH + 4 :]
    if header.major == 1 and header.next_payload == PayloadType.FRAGMENT:
        found = decode(PayloadType.FRAGMENT, body, 1)
    elif header.major == 2 and header.next_payload == PayloadType.SKF and body:
        found = decode_encrypted(PayloadType.SKF, body, PayloadType(message.octets[HEADER_LENGTH]))
    else:
        return None
    return replace(found, problem="captured in part") if isinstance(found, Fragment | Encrypted) else None


class Assembled(Record, frozen=True):
    """A message out of pieces.

    octets -- the pieces' data in order; total -- how many pieces there are, None where that is not known
    numbers -- which of them were seen; sightings -- one for each time that it, or a part of it, was sent
    pieces -- the messages that carried them, in order
    """

    by_first: bool
    message: Message
    octets: bytes
    sightings: tuple[Sighting, ...]
    numbers: frozenset[int]
    total: int | None
    pieces: tuple[Message, ...] = ()

    @property
    def missing(self) -> tuple[int, ...]:
        """The numbers that were not seen; the one behind the highest stands for an unknown rest."""
        last = self.total if self.total is not None else max(self.numbers) + 1
        return tuple(n for n in range(1, last + 1) if n not in self.numbers)


class _Held(Struct):
    piece: Piece
    message: Message
    sightings: list[Sighting]


class _Numbers(Struct):
    """The numbers that are held of a message, and those of them that say that they are the last."""

    all: set[int] = field(default_factory=set)
    last: set[int] = field(default_factory=set)


class FragmentCollector:
    """The pieces of one exchange. `dropped` counts those that had to make room; `octets` those of the ones held."""

    def __init__(self) -> None:
        self.dropped = self.octets = 0
        self._held: OrderedDict[tuple[bool, int, int, int], _Held] = OrderedDict()
        self._groups: dict[_Group, _Numbers] = {}

    def add(self, by_first: bool, message: Message, piece: Piece, sighting: Sighting) -> Assembled | None:
        """Take in one piece; the whole message when this was the one that it waited for."""
        identifier = piece.fragment_id if isinstance(piece, Fragment) else message.header.message_id
        group = (by_first, message.header.exchange_type, identifier)
        if isinstance(piece, Encrypted) and not self._still_wanted(group, piece.total or 0):
            return None
        key = (*group, piece.number or 0)
        held = self._held.get(key)
        if held is None:
            self._held[key] = _Held(piece, message, [sighting])
            numbers = self._groups.setdefault(group, _Numbers())
            numbers.all.add(piece.number or 0)
            if isinstance(piece, Fragment) and piece.last:
                numbers.last.add(piece.number)
            self.octets += len(message.octets)
        elif len(held.sightings) < MAX_PIECES and not is_duplicate(sighting, held.sightings[-1:]):
            held.sightings.append(sighting)
        while len(self._held) > MAX_PIECES or (self.octets > MAX_OCTETS and len(self._held) > 1):
            self._drop(next(iter(self._held)))
            self.dropped += 1
        # Putting together what is there takes long, so it waits until there is enough of it.
        if not self._may_be_whole(group):
            return None
        together = self._together(group)
        if together.missing:
            return None
        for number in together.numbers:
            self._drop((*group, number))
        return together

    def _drop(self, key: tuple[bool, int, int, int]) -> None:
        self.octets -= len(self._held.pop(key).message.octets)
        numbers = self._groups[key[:3]]
        numbers.all.discard(key[3])
        numbers.last.discard(key[3])
        if not numbers.all:
            del self._groups[key[:3]]

    def _may_be_whole(self, group: _Group) -> bool:
        """Whether as many pieces are there as the message has."""
        numbers = self._groups.get(group)
        if numbers is None:
            return False
        piece = self._held[(*group, next(iter(numbers.all)))].piece
        total = piece.total if isinstance(piece, Encrypted) else min(numbers.last, default=None)
        return total is not None and len(numbers.all) >= total

    def _still_wanted(self, group: _Group, total: int) -> bool:
        """More, smaller pieces replace those of an earlier sending in fewer (RFC 7383 §2.5.2, §2.6)."""
        held = {(*group, n): self._held[(*group, n)].piece for n in self._numbers(group)}
        totals = [piece.total or 0 for piece in held.values() if isinstance(piece, Encrypted)]
        if totals and total > max(totals):
            for key in held:
                self._drop(key)
        return not totals or total >= max(totals)

    def _numbers(self, group: _Group) -> list[int]:
        found = self._groups.get(group)
        return sorted(found.all) if found is not None else []

    def incomplete(self) -> Iterator[Assembled]:
        """The messages that lack a piece."""
        for group in self._groups:
            yield self._together(group)

    def _together(self, group: _Group) -> Assembled:
        held = [(number, self._held[(*group, number)]) for number in self._numbers(group)]
        numbers = frozenset(number for number, _ in held)
        total = next((t for t in (_total(value.piece) for _, value in held) if t is not None), None)
        octets = b"".join(value.piece.data for _, value in held)
        whole = sum(1 for _ in takewhile(lambda item: item[1].piece.problem is None, held))
        known = b"".join(value.piece.data for _, value in held[: whole + 1])
        pieces = tuple(value.message for _, value in held)
        return Assembled(
            group[0], _message(held[0][1], known), octets, _transmissions([v for _, v in held]), numbers, total, pieces
        )


def _transmissions(held: list[_Held]) -> tuple[Sighting, ...]:
    """Each time that the message was sent: what was seen of it last, and before that the piece seen most often."""
    most = max(held, key=lambda h: len(h.sightings))
    return (*most.sightings[:-1], _joined([h.sightings[-1] for h in held]))


def _total(piece: Piece) -> int | None:
    """How many pieces the message has: SKF says it in each (RFC 7383 §2.5), payload 132 in the last."""
    if isinstance(piece, Encrypted):
        return piece.total
    return piece.number if piece.last else None


def _message(first: _Held, octets: bytes) -> Message:
    """The message that the pieces make; `octets` is what was captured of it, up to the first gap.

    Payload 132 carries it whole, ISAKMP header included, from piece 1 on.
    """
    if isinstance(first.piece, Encrypted):
        return first.message
    if first.piece.number == 1:
        try:
            return parse(octets)
        except DecodeError:
            if first.piece.problem is None:
                return first.message
    # Without the front of piece 1 there is no inner header. Certificates make messages that large, in the sealed ones.
    return replace(first.message, header=_sealed(first.message.header))


def _sealed(header: Header) -> Header:
    return replace(header, flags=header.flags | HeaderFlag.ENCRYPTION)


def _joined(sightings: list[Sighting]) -> Sighting:
    """One sighting for a message whose pieces went by one after another."""
    last = max(sightings, key=lambda s: s.time)
    return replace(last, frames=tuple(sorted(frame for s in sightings for frame in s.frames)))
