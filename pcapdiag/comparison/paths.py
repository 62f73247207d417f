"""Which way a packet goes: the order in which it passes the points.

A router takes one from the time to live, so of two points the one with the higher TTL comes first. Where no router is
between them, the times tell: with packets in both directions only one order leaves no delay below zero.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from statistics import median

from pcapdiag.comparison.matching import Packet
from pcapdiag.comparison.points import Seen

_INITIAL = (64, 128, 255)
"""Times to live that systems begin with."""


class Directions:
    """The order of the points for each packet, as the packets that both of two points saw show it."""

    def __init__(self, packets: Sequence[Packet], points: int) -> None:
        self._points = points
        self._between = {pair: _Between(packets, *pair) for pair in combinations(range(points), 2)}

    def sign(self, packet: Packet, one: int, other: int) -> int:
        """1 where the packet passes `one` before `other`, −1 where after; 0 where nothing tells."""
        if one > other:
            return -self.sign(packet, other, one)
        return self._between[one, other].sign(packet)

    def by_addresses(self, one: int, here: tuple[str, str], other: int, there: tuple[str, str]) -> int:
        """The same for what goes from and to these addresses, as the one point and the other one have them."""
        if one > other:
            return -self.by_addresses(other, there, one, here)
        return self._between[one, other].by_addresses(here, there)

    def path(self, packet: Packet) -> tuple[int, ...] | None:
        """The points in the order in which the packet passes them; None where nothing tells."""
        places = [0] * self._points
        for one, other in combinations(range(self._points), 2):
            sign = self.sign(packet, one, other)
            if not sign:
                return None
            places[one] -= sign
            places[other] += sign
        return tuple(sorted(range(self._points), key=lambda p: (places[p], p)))


class _Between:
    """The order of two points, by the address that a packet comes from, or goes to."""

    def __init__(self, packets: Sequence[Packet], one: int, other: int) -> None:
        self._one, self._other = one, other
        both = [(a, b) for p in packets if (a := p.seen[one]) is not None and (b := p.seen[other]) is not None]
        self._signs: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self._vote(both)
        if both and not self._signs[0]:
            self._by_times(both)
        if both and not self._signs[0]:
            first = min(both, key=lambda pair: pair[0].time)
            self._learn(*first, 1)  # one segment, one direction: the order of the command line

    def _vote(self, both: Iterable[tuple[Seen, Seen]]) -> None:
        votes: dict[tuple[str, str, str, str], int] = {}
        for a, b in both:
            drop = a.datagram.ttl - b.datagram.ttl
            if drop:
                ends = (a.datagram.source, a.datagram.destination, b.datagram.source, b.datagram.destination)
                votes[ends] = votes.get(ends, 0) + (1 if drop > 0 else -1)
        for ends, vote in sorted(votes.items(), key=lambda item: -abs(item[1])):
            if vote:
                self._note(ends, 1 if vote > 0 else -1)

    def _by_times(self, both: Sequence[tuple[Seen, Seen]]) -> None:
        differences: dict[str, list[int]] = {}
        for a, b in both:
            differences.setdefault(a.datagram.source, []).append(b.time - a.time)
        if len(differences) < 2:
            return
        middle = {source: median(values) for source, values in differences.items()}
        first = max(middle, key=lambda source: middle[source])
        last = min(middle, key=lambda source: middle[source])
        for a, b in both:
            if a.datagram.source == first and a.datagram.destination == last:
                self._learn(a, b, 1)
                return

    def _learn(self, a: Seen, b: Seen, sign: int) -> None:
        one, other = a.datagram, b.datagram
        self._note((one.source, one.destination, other.source, other.destination), sign)

    def _note(self, ends: tuple[str, str, str, str], sign: int) -> None:
        """What comes from the one end comes this way, and what comes from the other one the other way."""
        here, there = self._signs
        here.setdefault(ends[0], sign)
        there.setdefault(ends[2], sign)
        here.setdefault(ends[1], -sign)
        there.setdefault(ends[3], -sign)

    def by_addresses(self, here: tuple[str, str] | None, there: tuple[str, str] | None) -> int:
        """What is known of the addresses that a packet goes from and to."""
        for ends, signs in ((here, self._signs[0]), (there, self._signs[1])):
            if ends is not None:
                known = signs.get(ends[0]) or -signs.get(ends[1], 0)
                if known:
                    return known
        return 0

    def sign(self, packet: Packet) -> int:
        """See `Directions.sign`."""
        known = self.by_addresses(_ends(packet.seen[self._one]), _ends(packet.seen[self._other]))
        if known:
            return known
        a, b = packet.seen[self._one], packet.seen[self._other]
        if a is not None and b is not None and a.datagram.ttl != b.datagram.ttl:
            return 1 if a.datagram.ttl > b.datagram.ttl else -1
        if a is not None and b is None and a.datagram.ttl in _INITIAL:
            return 1  # it was sent right here
        if b is not None and a is None and b.datagram.ttl in _INITIAL:
            return -1
        return 0


def _ends(seen: Seen | None) -> tuple[str, str] | None:
    return (seen.datagram.source, seen.datagram.destination) if seen is not None else None
