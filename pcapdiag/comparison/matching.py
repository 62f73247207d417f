"""Which packet of one capture is which of the other.

An IKE message keeps its octets on the way, through routers and NAT alike, so these say which message a packet carries.
Which of several equal transmissions it is, its IP identification says where that survives, else order and time. No
clock is believed for that: what differs between two clocks is taken from the packets that can be told without them, and
where there are none, from the gaps between transmissions.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from msgspec import Struct, field

from pcapdiag.comparison.points import Point, Seen
from pcapdiag.exchange.fragments import PIECES
from pcapdiag.exchange.model import Side
from pcapdiag.exchange.modes import certain_sender
from pcapdiag.ike.message import HEADER_LENGTH
from pcapdiag.units import SECOND

EARLY, LATE = SECOND // 2, 4 * SECOND
"""By how much a packet may seem to come before it was sent, and after, against the others around it."""
ASTRAY = 2 * SECOND
"""Packets that are told by their IP identification agree about the clocks within this; one that does not is another."""
DRIFT = 1e-3
"""What two clocks may run apart, seconds a second."""
SKIP = SECOND
"""What it costs to leave a transmission without a partner: as much as a second of contradiction between the clocks."""
_NEIGHBOURS = 5
_MOST_PAIRS = 40_000
"""Pairs of equal transmissions that are looked at to find the clocks, and of one message to find the best pairing."""
_NUMBERS = 8
"""Octets behind the header that tell one piece of a message from another (payload 132 and SKF)."""


class Packet(Struct):
    """One packet, at each point where it was seen.

    seen -- for each point, how that saw it; None where it did not
    time -- when it was first seen, by the first point's clock (nanoseconds)
    altered -- its octets differ between points, as no honest path leaves them
    """

    seen: list[Seen | None]
    time: int
    altered: bool = False

    @property
    def any(self) -> Seen:
        """One of its sightings: that of the first point that has one."""
        return next(s for s in self.seen if s is not None)

    @property
    def at(self) -> list[Seen]:
        """All its sightings, in the order of the points."""
        return [s for s in self.seen if s is not None]


class Matched(Struct):
    """The packets of all points.

    common -- for each point but the first, how many of its packets are of earlier points too
    """

    packets: list[Packet]
    common: list[int] = field(default_factory=list)


class _Group(Struct):
    """One message at both sides of a matching: its transmissions in the order of time."""

    mine: list[Packet] = field(default_factory=list)
    theirs: list[Seen] = field(default_factory=list)
    altered: bool = False


class _Found(Struct):
    """A pair that was found, by its times; strong -- without the help of a clock."""

    packet: Packet
    seen: Seen
    strong: bool

    @property
    def difference(self) -> int:
        return self.seen.time - self.packet.time


def match(packets: list[Packet], point: Point, points: int) -> int:
    """Put what a point saw to the packets that others saw: each gets its sighting, or is a new one in `packets`.

    points -- how many there are. The times of the new ones are by the clock of this point still.

    Returns how many of them were there before.
    """
    groups = _groups(packets, point.seen)
    found: list[_Found] = []
    for group in groups:
        found += _certain(group)
    found = _agreeing(found)
    identified = _survives(found, groups)
    clock = _Differences(found) if found else _by_gaps(groups)
    taken = {id(f.seen) for f in found}
    used = {id(f.packet) for f in found}
    for group in groups:
        mine = [p for p in group.mine if id(p) not in used]
        theirs = [s for s in group.theirs if id(s) not in taken]
        if mine and theirs:
            found += _aligned(mine, theirs, clock, identified)
    altered = {id(s) for group in groups if group.altered for s in group.theirs}
    for pair in found:
        pair.packet.seen[point.index] = pair.seen
        pair.packet.altered = pair.packet.altered or id(pair.seen) in altered
    partners = {id(f.seen) for f in found}
    for seen in point.seen:
        if id(seen) not in partners:
            packets.append(alone(seen, points))
    return len(found)


def alone(seen: Seen, points: int) -> Packet:
    """A packet that nobody else saw so far."""
    places: list[Seen | None] = [None] * points
    places[seen.point] = seen
    return Packet(places, seen.time)


# -- messages


def _groups(packets: Sequence[Packet], seen: Sequence[Seen]) -> list[_Group]:
    """The messages, each with its transmissions of both sides; those that one side only has are left out."""
    heads: dict[bytes, tuple[list[Packet], list[Seen]]] = {}
    for packet in packets:
        heads.setdefault(packet.any.octets[:HEADER_LENGTH], ([], []))[0].append(packet)
    for one in seen:
        row = heads.get(one.octets[:HEADER_LENGTH])
        if row is not None:
            row[1].append(one)
    senders = (_Senders([p.any for p in packets]), _Senders(seen))
    found: list[_Group] = []
    for mine, theirs in heads.values():
        if theirs:
            found += _alike(mine, theirs, senders)
    return found


def _alike(mine: Sequence[Packet], theirs: Sequence[Seen], senders: "tuple[_Senders, _Senders]") -> list[_Group]:
    """Transmissions with the same header, by what follows it, as far as all of them were captured."""
    octets = [o.octets for p in mine for o in p.at] + [s.octets for s in theirs]
    cut = any(s.snapped for p in mine for s in p.at) or any(s.snapped for s in theirs)
    shortest = min(map(len, octets)) if cut else None
    groups: dict[bytes, _Group] = {}
    for packet in mine:
        groups.setdefault(packet.any.octets[:shortest], _Group()).mine.append(packet)
    for one in theirs:
        groups.setdefault(one.octets[:shortest], _Group()).theirs.append(one)
    whole = [g for g in groups.values() if g.mine and g.theirs]
    left = [g for g in groups.values() if not (g.mine and g.theirs)]
    for group in (*whole, *left):
        group.mine.sort(key=lambda p: p.time)
        group.theirs.sort(key=lambda s: s.time)
    return [*whole, *_changed(left, senders)]


def _changed(left: Iterable[_Group], senders: "tuple[_Senders, _Senders]") -> list[_Group]:
    """Messages that are alike but for their octets, of one sender: the same, changed on the way or in a file."""
    ours: dict[tuple[object, bytes], list[_Group]] = {}
    theirs: dict[tuple[object, bytes], list[_Group]] = {}
    for group in left:
        one = group.mine[0].any if group.mine else group.theirs[0]
        side = senders[0 if group.mine else 1].of(one)
        if side is None:
            continue
        pieces = one.octets[HEADER_LENGTH : HEADER_LENGTH + _NUMBERS] if one.octets[16] in PIECES else b""
        (ours if group.mine else theirs).setdefault((side, pieces), []).append(group)
    found = []
    for key, mine in ours.items():
        other = theirs.get(key, [])
        if len(mine) == len(other) == 1:
            found.append(_Group(mine[0].mine, other[0].theirs, altered=True))
    return found


class _Senders:
    """Which end sent a packet: as the message says, or as others of its exchange show by their addresses."""

    def __init__(self, seen: Iterable[Seen]) -> None:
        self._known: dict[tuple[bytes, str, int], Side] = {}
        for one in seen:
            side = certain_sender(one.header)
            if side is not None:
                d, cookie = one.datagram, one.header.initiator_spi
                self._known.setdefault((cookie, d.source, 0), side)
                self._known.setdefault((cookie, d.destination, 0), side.other)

    def of(self, seen: Seen) -> Side | None:
        """The end, None where nothing tells."""
        said = certain_sender(seen.header)
        d, cookie = seen.datagram, seen.header.initiator_spi
        if said is not None or d.source == d.destination:
            return said
        return self._known.get((cookie, d.source, 0))


# -- what is told without a clock


def _certain(group: _Group) -> list[_Found]:
    """Pairs by the IP identification, where that is there and not twice; else one of which there is one only."""
    mine, theirs = _by_identification(group.mine), _by_identification_seen(group.theirs)
    found = [_Found(mine[n], theirs[n], True) for n in mine if n in theirs]
    if found:
        return found
    if len(group.mine) == len(group.theirs) == 1:
        return [_Found(group.mine[0], group.theirs[0], False)]
    return []


def _by_identification(packets: Sequence[Packet]) -> dict[int, Packet]:
    counts = Counter(n for p in packets for n in {s.datagram.ip_id for s in p.at})
    return {n: p for p in packets for n in {s.datagram.ip_id for s in p.at} if n and counts[n] == 1}


def _by_identification_seen(seen: Sequence[Seen]) -> dict[int, Seen]:
    counts = Counter(s.datagram.ip_id for s in seen)
    return {s.datagram.ip_id: s for s in seen if s.datagram.ip_id and counts[s.datagram.ip_id] == 1}


def _agreeing(found: list[_Found]) -> list[_Found]:
    """Those of which the clocks agree with those around them: equal identifications can also be chance.

    What one message alone says is believed less than identifications: it may be of two transmissions.
    """
    strong = _consistent([f for f in found if f.strong])
    weak = [f for f in found if not f.strong]
    if not strong:
        return _consistent(weak)
    clock = _Differences(strong)
    return [*strong, *(f for f in weak if -EARLY <= f.difference - clock.at(f.packet.time) <= LATE)]


def _consistent(found: list[_Found]) -> list[_Found]:
    found = sorted(found, key=lambda f: f.packet.time)
    if len(found) < 3:
        if len(found) == 2 and not _near(found[0], found[1]) and not all(f.strong for f in found):
            return []  # one of the two is of two transmissions, and nothing says which
        return found
    kept = []
    for place, one in enumerate(found):
        around = found[max(place - _NEIGHBOURS, 0) : place + _NEIGHBOURS + 1]
        close = sum(_near(one, other) for other in around)
        # A clock that was set is agreed about by those on one side.
        before = found[max(place - _NEIGHBOURS, 0) : place]
        behind = found[place + 1 : place + _NEIGHBOURS + 1]
        sides = [half for half in (before, behind) if half]
        if 2 * close >= len(around) or any(all(_near(one, other) for other in half[-2:]) for half in sides):
            kept.append(one)
    return kept


def _near(one: _Found, other: _Found) -> bool:
    apart = abs(one.difference - other.difference)
    return apart <= ASTRAY + DRIFT * abs(one.packet.time - other.packet.time)


def _survives(found: Sequence[_Found], groups: Sequence[_Group]) -> bool:
    """Whether IP identifications come through as they are: packets with different ones are different packets."""
    strong = sum(f.strong for f in found)
    if not strong:
        return False
    changed = sum(
        not f.strong and f.packet.any.datagram.ip_id not in (None, 0) and f.seen.datagram.ip_id not in (None, 0)
        for f in found
    )
    return strong >= 2 * changed or strong > len(groups) // 2


# -- the clocks, as far as matching needs them


class _Differences:
    """What the other clock is ahead, between packets and beyond them."""

    def __init__(self, found: Sequence[_Found]) -> None:
        points: dict[int, list[int]] = {}
        for f in found:
            points.setdefault(f.packet.time, []).append(f.difference)
        self._times = sorted(points)
        raw = [round(median(points[t])) for t in self._times]
        self._values = [
            round(median(raw[max(n - 1, 0) : n + 2])) if 0 < n < len(raw) - 1 else raw[n] for n in range(len(raw))
        ]

    def at(self, time: int) -> int:
        """At that time of the first clock, in nanoseconds."""
        place = bisect_left(self._times, time)
        if place == 0:
            return self._values[0]
        if place == len(self._times):
            return self._values[-1]
        (before, after), (one, other) = self._times[place - 1 : place + 1], self._values[place - 1 : place + 1]
        return one + round((other - one) * (time - before) / (after - before))


def _by_gaps(groups: Sequence[_Group]) -> _Differences | None:
    """The clocks, where only equal transmissions tell: the difference that pairs the most of them.

    Of several that do so alike, that of the clocks that differ least.
    """
    differences: list[int] = []
    for group in groups:
        if len(differences) + len(group.mine) * len(group.theirs) > _MOST_PAIRS:
            break
        differences += [s.time - p.time for p in group.mine for s in group.theirs]
    if not differences:
        return None
    differences.sort()
    best: tuple[int, int, int] | None = None
    width = SECOND // 4
    end = 0
    for start, low in enumerate(differences):
        while end < len(differences) and differences[end] <= low + width:
            end += 1
        middle = differences[(start + end - 1) // 2]
        rank = (start - end, abs(middle), middle)
        if best is None or rank < best:
            best = rank
    assert best is not None
    for group in groups:
        if group.mine and group.theirs:
            return _Differences([_Found(group.mine[0], _shifted(group, best[2]), False)])
    return None


def _shifted(group: _Group, difference: int) -> Seen:
    """A sighting as it would be by that difference of the clocks."""
    from msgspec.structs import replace

    seen = group.theirs[0]
    return replace(seen, datagram=replace(seen.datagram, time=group.mine[0].time + difference))


# -- equal transmissions


def _aligned(
    mine: Sequence[Packet], theirs: Sequence[Seen], clock: _Differences | None, identified: bool
) -> list[_Found]:
    """The pairing of equal transmissions, in order, that contradicts the clocks the least."""
    if len(mine) * len(theirs) > _MOST_PAIRS:
        return _nearest(mine, theirs, clock)
    costs = [[SKIP * (len(mine) + len(theirs))] * (len(theirs) + 1) for _ in range(len(mine) + 1)]
    for row in range(len(mine) + 1):
        for column in range(len(theirs) + 1):
            if row == column == 0:
                costs[0][0] = 0
                continue
            best = costs[row][column]
            if row:
                best = min(best, costs[row - 1][column] + SKIP)
            if column:
                best = min(best, costs[row][column - 1] + SKIP)
            if row and column:
                pair = _cost(mine[row - 1], theirs[column - 1], clock, identified)
                if pair is not None:
                    best = min(best, costs[row - 1][column - 1] + pair)
            costs[row][column] = best
    found = []
    row, column = len(mine), len(theirs)
    while row and column:
        pair = _cost(mine[row - 1], theirs[column - 1], clock, identified)
        if pair is not None and costs[row][column] == costs[row - 1][column - 1] + pair:
            row, column = row - 1, column - 1
            found.append(_Found(mine[row], theirs[column], False))
        elif costs[row][column] == costs[row - 1][column] + SKIP:
            row -= 1
        else:
            column -= 1
    return found


def _cost(packet: Packet, seen: Seen, clock: _Differences | None, identified: bool) -> int | None:
    """What is against it that these two are one, in nanoseconds of contradiction; None where they cannot be."""
    number = seen.datagram.ip_id
    others = {s.datagram.ip_id for s in packet.at}
    if identified and number and number not in others and None not in others and 0 not in others:
        return None
    if clock is None:
        return 0
    late = seen.time - packet.time - clock.at(packet.time)
    return abs(late) if -EARLY <= late <= LATE else None


def _nearest(mine: Sequence[Packet], theirs: Sequence[Seen], clock: _Differences | None) -> list[_Found]:
    """The same for very many: each with the next that fits."""
    found, place = [], 0
    for packet in mine:
        expected = packet.time + (clock.at(packet.time) if clock is not None else 0)
        while place < len(theirs) and theirs[place].time < expected - EARLY:
            place += 1
        if place < len(theirs) and theirs[place].time <= expected + EARLY:
            found.append(_Found(packet, theirs[place], False))
            place += 1
    return found
