"""Which frames of the captures belong to the exchanges that are wanted: noted in the first walk, copied in the second.

What is noted is a few octets for each frame of IKE, so that a large capture needs little memory.
"""

from array import array
from collections.abc import Collection, Iterable
from socket import AF_INET, AF_INET6, inet_pton

from pcapdiag.capture.datagram import Captured, Datagram, EspFlow, FragmentLoss, Frame, IcmpError
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.ike.nat_traversal import KEEPALIVE

MAX_PAIRS = 65_536
"""Pairs of addresses, and TCP connections, that are told apart."""

Pair = tuple[str, str]
Connection = tuple[str, int, str, int]


class Frames:
    """A set of frame numbers: one bit each."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> None:
        """Put a frame in."""
        place = number >> 3
        if place >= len(self._bits):
            self._bits += bytes(place + 1 - len(self._bits) + (len(self._bits) >> 2))
        self._bits[place] |= 1 << (number & 7)

    def __contains__(self, number: int) -> bool:
        """Whether that frame is in it."""
        place = number >> 3
        return place < len(self._bits) and bool(self._bits[place] >> (number & 7) & 1)


class Sightings:
    """What was noted of one capture, frame by frame.

    frames, owners -- numbers of frames that belong to an exchange, and the id of that; a frame may come more than once
    loose, pairs -- of frames that belong to none (keep-alives, ICMP errors, fragments): the frame, and which pair of
        addresses it went between
    ends -- of each frame with an IP fragment: the last frame with a fragment of the same datagram
    """

    def __init__(self) -> None:
        self.frames, self.owners = array("I"), array("I")
        self.loose, self.pairs = array("I"), array("I")
        self.ends: dict[int, int] = {}


class Witness:
    """Notes what each item of the captures is part of, while they are analysed; see `pipeline.analyze`."""

    def __init__(self) -> None:
        self.captures: list[Sightings] = []
        self.not_ike = 0
        self._pairs: dict[Pair, int] = {}
        self._connections: dict[Connection, set[int]] = {}

    def __call__(self, item: Captured, number: int | None) -> None:
        """Note one item, and the exchange that it belongs to."""
        frames = _frames(item)
        while len(self.captures) <= frames[-1].capture:
            self.captures.append(Sightings())
        seen = self.captures[frames[-1].capture]
        fragmented = len(frames) > 1 or isinstance(item, FragmentLoss)
        if fragmented and not (isinstance(item, Datagram) and item.transport == "tcp"):
            last = max(f.number for f in frames)
            seen.ends.update((f.number, last) for f in frames)
        if number is not None:
            seen.frames.extend(f.number for f in frames)
            seen.owners.extend(number for _ in frames)
            if isinstance(item, Datagram) and item.transport == "tcp" and len(self._connections) < MAX_PAIRS:
                connection = (item.source, item.source_port, item.destination, item.destination_port)
                self._connections.setdefault(connection, set()).add(number)
        elif isinstance(item, Datagram) and item.payload != KEEPALIVE:
            self.not_ike += 1
        else:
            pair = self._pair(item)
            seen.loose.extend(f.number for f in frames)
            seen.pairs.extend(pair for _ in frames)

    def _pair(self, item: Captured) -> int:
        about = item.quoted if isinstance(item, IcmpError) else item
        pair = (min(about.source, about.destination), max(about.source, about.destination))
        if pair not in self._pairs and len(self._pairs) >= MAX_PAIRS:
            return MAX_PAIRS
        return self._pairs.setdefault(pair, len(self._pairs))

    def select(self, diagnoses: Iterable[Diagnosis] | None) -> "Selection":
        """The frames of these exchanges, and what went between their ends; None: of all there are."""
        if diagnoses is None:
            return Selection(self, None, None)
        chosen = list(diagnoses)
        return Selection(self, {d.exchange.id for d in chosen}, pairs_of(chosen))

    def pairs(self) -> list[Pair]:
        """The pairs by their numbers."""
        return list(self._pairs)

    def connections(self, ids: Collection[int] | None) -> set[Connection]:
        """TCP connections with IKE of these exchanges in them, in both directions."""
        found = [c for c, owners in self._connections.items() if ids is None or not owners.isdisjoint(ids)]
        return {*found, *((c[2], c[3], c[0], c[1]) for c in found)}


def _frames(item: Captured) -> tuple[Frame, ...]:
    if isinstance(item, FragmentLoss):
        return item.frames
    if isinstance(item, Datagram):
        return item.fragments or (item.frame,)
    return (item.frame,)


def pairs_of(diagnoses: Iterable[Diagnosis]) -> set[Pair]:
    """Every two addresses of which one end of an exchange has the one, and the other end the other; lesser first."""
    found: set[Pair] = set()
    for diagnosis in diagnoses:
        for one in diagnosis.exchange.initiator.addresses:
            for other in diagnosis.exchange.responder.addresses:
                found.add((min(one, other), max(one, other)))
    return found


class Selection:
    """The frames that are to be copied.

    ids -- of the exchanges; None: all, also those that are only counted in the report
    connections -- TCP connections that carry IKE of theirs
    """

    def __init__(self, witness: Witness, ids: Collection[int] | None, pairs: Collection[Pair] | None) -> None:
        self.ids = ids
        self.connections = witness.connections(ids)
        self._witness = witness
        known = witness.pairs()
        self._loose = None if pairs is None else {number for number, pair in enumerate(known) if pair in pairs}

    def frames(self, capture: int) -> Frames:
        """Those of one capture that are known by their numbers."""
        chosen = Frames()
        if capture >= len(self._witness.captures):
            return chosen
        seen = self._witness.captures[capture]
        for number, owner in zip(seen.frames, seen.owners, strict=True):
            if self.ids is None or owner in self.ids:
                chosen.add(number)
        for number, pair in zip(seen.loose, seen.pairs, strict=True):
            if self._loose is None or pair in self._loose:
                chosen.add(number)
        return chosen

    def ends(self, capture: int) -> dict[int, int]:
        """Of each frame with an IP fragment, the last frame with one of the same datagram."""
        captures = self._witness.captures
        return captures[capture].ends if capture < len(captures) else {}


class EspChoice:
    """Which ESP is copied: all between the ends of the exchanges, or as much as the verdict needs.

    The report tells one-way ESP from what was not answered yet by the first few packets, and by the last.
    """

    FIRST = 4
    """Packets of each flow that are kept from its beginning on (`facts_after.ONE_WAY`)."""

    def __init__(self, pairs: Collection[Pair], flows: Iterable[EspFlow], whole: bool) -> None:
        self._pairs = {octets for pair in pairs for octets in _both_ways(pair)}
        self._whole = whole
        self._last: set[Frame] = set()
        self.flows = 0
        self._taken: dict[bytes, int] = {}
        for flow in flows:
            if (min(flow.source, flow.destination), max(flow.source, flow.destination)) in pairs:
                self.flows += 1
                self._last.add(flow.last_frame)

    def wants(self, key: bytes, frame: Frame) -> bool:
        """Whether this packet is to be copied; `key` as the walker's `flow_key` has it."""
        addresses = key[:8] if len(key) <= 16 else key[:32]
        if addresses not in self._pairs:
            return False
        if self._whole:
            return True
        taken = self._taken.get(key, 0)
        if taken < self.FIRST:
            self._taken[key] = taken + 1
            return True
        return frame in self._last


def _both_ways(pair: Pair) -> Iterable[bytes]:
    one, other = (inet_pton(AF_INET6 if ":" in address else AF_INET, address) for address in pair)
    return one + other, other + one
