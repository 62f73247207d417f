"""IKE in TCP, anonymized a segment at a time: what a segment shows itself to hold is changed, the rest is scrambled.

The framing of RFC 9329 §3 stays, so that the messages are found again. A message that goes on from one segment to the
next is changed as far as the first of them has it; behind that it is scrambled, as ciphertext is anyway.
"""

from pcapdiag.capture import kinds
from pcapdiag.capture.streams import PREFIX, Flow
from pcapdiag.capture.walker import is_isakmp
from pcapdiag.carve.messages import End, Messages
from pcapdiag.carve.scramble import Scrambler

MAX_DIRECTIONS = 4096
"""Directions of connections of which is remembered how much of a message is due."""
_LEAST_ESP = 10
"""Octets of a length, an SPI and a sequence number."""
_KEEPALIVE = b"\xff"


class Streams:
    """Changes segments, in the order of capture."""

    def __init__(self, messages: Messages, scrambler: Scrambler) -> None:
        self._messages = messages
        self._scramble = scrambler.octets
        self._due: dict[Flow, tuple[int, int]] = {}

    def edit(self, octets: bytes, flow: Flow, sequence: int, length: int, ends: tuple[End, End]) -> bytes:
        """What a segment of `length` octets holds, as far as it was captured."""
        if kinds.NAT_T_PORT not in (flow.source_port, flow.destination_port):
            return self._cisco(octets, ends)
        if not octets:
            return octets
        due, left = self._due.pop(flow, (0, 0))
        new, left = self._framed(octets, left if due == sequence else 0, ends)
        self._due[flow] = ((sequence + length) & 0xFFFFFFFF, left)
        if len(self._due) > MAX_DIRECTIONS:
            del self._due[next(iter(self._due))]
        return new

    def _framed(self, octets: bytes, left: int, ends: tuple[End, End]) -> tuple[bytes, int]:
        """Messages and ESP behind their lengths, where the segment begins with one.

        left -- octets that belong to a message of which the beginning was in another segment; returned anew
        """
        at = min(left, len(octets))
        done, left = [self._scramble(octets[:at])] if at else [], left - at
        if left:
            return b"".join(done), left
        if octets.startswith(PREFIX):
            done, at = [PREFIX], len(PREFIX)
        proven = bool(done) or _is_row(octets)
        while len(octets) - at >= 2:
            length = octets[at] << 8 | octets[at + 1]
            packet = octets[at + 2 : at + length]
            if not (packet == _KEEPALIVE or _is_ike(packet, length - 2) or (proven and length >= _LEAST_ESP)):
                break
            done += [octets[at : at + 2], self._packet(packet, ends)]
            proven = True
            at += 2 + len(packet)
            left = length - 2 - len(packet)
        return b"".join(done) + self._scramble(octets[at:]), left

    def _packet(self, packet: bytes, ends: tuple[End, End]) -> bytes:
        if packet[:4] == kinds.MARKER:
            return packet[:4] + self._messages.edit(packet[4:], ends)
        return packet if packet == _KEEPALIVE else self._messages.esp(packet)

    def _cisco(self, octets: bytes, ends: tuple[End, End]) -> bytes:
        """Cisco's way: a message proves itself by its header, behind a UDP header or a marker, before a trailer."""
        for start in (0, 4, 8, 12):
            message = octets[start:]
            if len(message) >= kinds.ISAKMP_HEADER:
                length = int.from_bytes(message[24:28], "big")
                if kinds.ISAKMP_HEADER <= length <= len(message) and is_isakmp(message, 0, len(message), length):
                    rest = self._scramble(message[length:])
                    return octets[:start] + self._messages.edit(message[:length], ends) + rest
        return self._scramble(octets)


def _is_row(octets: bytes) -> bool:
    """Whether a segment is a row of ESP packets that ends where the segment does."""
    at = 0
    while len(octets) - at >= _LEAST_ESP:
        length = octets[at] << 8 | octets[at + 1]
        if length < _LEAST_ESP:
            return False
        at += length
    return at == len(octets)


def _is_ike(packet: bytes, length: int) -> bool:
    """Whether a packet in a stream begins with a marker and the header of a message of that length."""
    return packet[:4] == kinds.MARKER and is_isakmp(packet, 4, len(packet), length - 4)
