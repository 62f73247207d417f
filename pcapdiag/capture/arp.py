"""Who asks by ARP for an address that nothing answers for (RFC 826): nothing can be sent to it on this link."""

from socket import inet_ntoa

from .datagram import Frame, UnansweredArp

MOST_ASKED = 4096
"""Pairs of who asks and for whom that are kept; further ones are not."""
LEAST = 2
"""Requests from which on silence says something."""

_REQUEST = 1
_NOBODY = bytes(4)


class Asked:
    """The ARP requests of a capture, and the addresses that sent any ARP packet themselves.

    A request from nobody asks whether an address is free (RFC 5227 §2.1), and one for the sender's own announces it:
    neither waits for an answer.
    """

    def __init__(self, capture: int) -> None:
        """Number the capture."""
        self._capture = capture
        self._rows: dict[bytes, list[int]] = {}
        self._there: set[bytes] = set()

    def take(self, packet: bytes, number: int, time: int) -> None:
        """Take in the ARP packet of frame `number`; one that is not of IPv4, or is cut short, counts for nothing."""
        if len(packet) < 8 or packet[2:4] != b"\x08\x00" or packet[5] != 4:
            return
        hardware = packet[4]
        if len(packet) < 16 + 2 * hardware:
            return
        sender = packet[8 + hardware : 12 + hardware]
        target = packet[12 + 2 * hardware : 16 + 2 * hardware]
        if sender == _NOBODY:
            return
        if len(self._there) < MOST_ASKED:
            self._there.add(sender)
        if packet[6] << 8 | packet[7] == _REQUEST and sender != target:
            self._count(sender + target, number, time)

    def _count(self, pair: bytes, number: int, time: int) -> None:
        row = self._rows.get(pair)
        if row is not None:
            row[0] += 1
            row[2], row[4] = number, time
        elif len(self._rows) < MOST_ASKED:
            self._rows[pair] = [1, number, number, time, time]

    def unanswered(self) -> tuple[UnansweredArp, ...]:
        """What was asked for and sent no ARP packet itself, the most asked for first; nothing where a table is full."""
        if max(len(self._rows), len(self._there)) >= MOST_ASKED:
            return ()
        found = [
            UnansweredArp(
                inet_ntoa(pair[:4]),
                inet_ntoa(pair[4:]),
                row[0],
                Frame(self._capture, row[1]),
                Frame(self._capture, row[2]),
                row[3],
                row[4],
            )
            for pair, row in self._rows.items()
            if pair[4:] not in self._there and row[0] >= LEAST
        ]
        return tuple(sorted(found, key=lambda one: -one.requests))
