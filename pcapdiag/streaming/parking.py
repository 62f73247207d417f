"""DPD of exchanges that were told: a gateway hears it from each peer every few seconds, all day.

To take an exchange up again for each of these messages, and to hold them all, would take more than all the rest. Only
what comes in the end can matter, so that the latest are held, encoded, and the others are counted.
"""

import msgspec
from msgspec import Struct, field

from pcapdiag.capture.datagram import Captured, Datagram
from pcapdiag.ike.message import HEADER_LENGTH, ZERO_SPI
from pcapdiag.ike.nat_traversal import NON_ESP_MARKER
from pcapdiag.ike.registry import ExchangeType, PayloadType
from pcapdiag.streaming.court import Pair

MOST_HELD = 16
"""Messages that are held of an exchange; of more, the latest half."""
ENCRYPTED_V1, RESPONSE_V2 = 0x01, 0x20
"""Flags of IKEv1 (RFC 2408 §3.1) and of IKEv2 (RFC 7296 §3.1)."""
_BEHIND = (ExchangeType.QUICK, ExchangeType.TRANSACTION, ExchangeType.CREATE_CHILD_SA)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Datagram).decode


class Parked(Struct):
    """What came of an exchange since it was told, and is DPD by all that shows.

    talk -- its two ends; last -- when the latest came; uncounted -- how many more there were than are held
    """

    talk: Pair
    last: int
    held: list[bytes] = field(default_factory=list)
    uncounted: int = 0

    def add(self, datagram: Datagram) -> None:
        """One more."""
        self.held.append(_encode(datagram))
        self.last = max(self.last, datagram.time)
        if len(self.held) > MOST_HELD:
            self._shorten()

    def datagrams(self) -> list[Datagram]:
        """Those that are held, in order."""
        return [_decode(octets) for octets in self.held]

    def _shorten(self) -> None:
        """Hold the latest half, from a request of IKEv2 on: an answer without its request would be a riddle."""
        kept = self.held[len(self.held) // 2 :]
        while len(kept) > 1 and _is_response(_decode(kept[0])):
            del kept[0]
        self.uncounted += len(self.held) - len(kept)
        self.held = kept


def _is_response(datagram: Datagram) -> bool:
    octets = _message(datagram.payload)
    return octets[17] >> 4 == 2 and bool(octets[19] & RESPONSE_V2)


def _message(payload: bytes) -> bytes:
    """The message, without the marker in front of it. Fields of its header stand where RFC 2408 §3.1 has them."""
    return payload[len(NON_ESP_MARKER) :] if payload[:4] == NON_ESP_MARKER else payload


def version_of(payload: bytes) -> int:
    """The version of IKE of a message, long enough for a header."""
    return _message(payload)[17] >> 4


def may_be_dpd(payload: bytes) -> bool:
    """Whether it is an encrypted Informational: DPD, unless what is inside is another matter.

    RFC 3706 §5, RFC 7296 §2.4.
    """
    octets = _message(payload)
    if len(octets) < HEADER_LENGTH or octets[8:16] == ZERO_SPI:
        return False
    kind, version = octets[18], octets[17] >> 4
    if version == 2:
        return kind == ExchangeType.INFORMATIONAL_V2 and octets[16] == PayloadType.SK
    return version == 1 and kind == ExchangeType.INFORMATIONAL and bool(octets[19] & ENCRYPTED_V1)


def shows_up(item: Captured) -> int:
    """The version of IKE, where this comes behind a phase 1, or is the answer of IKE_AUTH; else 0."""
    if not isinstance(item, Datagram):
        return 0
    octets = _message(item.payload)
    if len(octets) < HEADER_LENGTH:
        return 0
    answer = octets[18] == ExchangeType.IKE_AUTH and octets[19] & RESPONSE_V2
    return octets[17] >> 4 if octets[18] in _BEHIND or answer else 0
