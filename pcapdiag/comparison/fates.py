"""What became of each packet: where it came by, where it was lost, and what was changed on the way.

A loss is told only where the point ahead was capturing, could see such a packet, and shows by nothing that it misses
some. Where a plain savefile ends, nobody knows whether capturing went on: what follows is told as lost only where it is
like what was lost just before, and nothing shows that capturing was over; and that it is so is said (`proven`).
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from pcapdiag.capture.datagram import FragmentLoss, Frame
from pcapdiag.comparison.clocks import Clock
from pcapdiag.comparison.matching import Packet
from pcapdiag.comparison.paths import Directions
from pcapdiag.comparison.points import Point, Seen
from pcapdiag.ike.nat_traversal import NAT_T_PORT
from pcapdiag.record import Record
from pcapdiag.units import SECOND

MARGIN = SECOND // 20
"""A packet this close to the beginning or end of a capture proves nothing by not being in it, where the clock rests on
one direction; where it rests on both, what that leaves open is less."""
ONE_WAY = 2 * SECOND
"""A packet this close to the end of a capture proves nothing where one direction only tells of the clocks: what is
taken for their offset has a delay in it."""
REACTION = SECOND
"""An end that answers does so within this time, delays both ways included."""
PATIENCE = 60 * SECOND
"""Senders send again within this time, late ones too."""
LARGE = 1_000
"""Octets from which on a datagram is large, where losses are compared by size."""


class Fate(StrEnum):
    """What became of a packet behind the last point that saw it."""

    ARRIVED = "arrived"
    """Seen at every point ahead."""
    LOST = "lost"
    """It did not come by the next point."""
    UNSEEN = "unseen"
    """Not seen at the next point, which may not have captured it."""
    ELSEWHERE = "elsewhere"
    """Its way does not lead by the other points, as far as can be told."""


class Passage(Record, frozen=True):
    """A packet at one point.

    frames -- that carried it, none where it was not seen; duplicates -- the same packet, recorded again
    time -- by the first point's clock, None where it was not seen; own_time -- by the point's own clock
    source, … -- as seen there; tos, unfragmented -- see `points.Seen`
    partly -- only frames of some of its IP fragments came by
    """

    frames: tuple[Frame, ...] = ()
    duplicates: tuple[Frame, ...] = ()
    time: int | None = None
    own_time: int | None = None
    source: str = ""
    source_port: int = 0
    destination: str = ""
    destination_port: int = 0
    ttl: int | None = None
    ip_id: int | None = None
    tos: int | None = None
    unfragmented: bool | None = None
    partly: tuple[Frame, ...] = ()


class Transmission(Record, frozen=True):
    """One time that a message, or a piece of one, was sent.

    passages -- one for each point, in the order of the command line
    path -- the points in the order in which it passes them; empty where that is not known
    fate -- see Fate; proven -- of a loss: the point ahead was capturing for certain
    lost_after, lost_before -- of a loss: the last point that saw it, and the next one, which did not
    why -- of a packet that is not seen ahead: what is known of it, in a few words
    delay -- from the first point to the last that saw it, in nanoseconds; None where that cannot be said
    size -- octets of UDP payload; port -- 4500 where either end has that, else the destination's
    fragmented -- it left in IP fragments
    altered -- its octets differ between points
    """

    passages: tuple[Passage, ...]
    path: tuple[int, ...]
    fate: Fate
    proven: bool
    lost_after: int | None
    lost_before: int | None
    why: str
    delay: int | None
    size: int
    port: int
    fragmented: bool
    altered: bool

    @property
    def lost(self) -> bool:
        """It left one point towards the next and did not come by there."""
        return self.fate is Fate.LOST

    @property
    def time(self) -> int:
        """When it was first seen, by the first point's clock."""
        return min(p.time for p in self.passages if p.time is not None)

    @property
    def first(self) -> Passage:
        """Where it was first seen."""
        return min((p for p in self.passages if p.time is not None), key=lambda p: p.time or 0)

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Its frames at all points."""
        return tuple(f for p in self.passages for f in p.frames)


class Gap(Record, frozen=True):
    """Packets that a point must have seen and did not capture.

    path -- the order of points of those packets; frames -- that show it, at other points
    whole_direction -- the point has nothing of that direction at all: it captures one direction only
    """

    point: int
    path: tuple[int, ...]
    frames: tuple[Frame, ...]
    whole_direction: bool


class Judged(Record, frozen=True):
    """The fates of all packets, in their order, and the gaps of the captures themselves."""

    transmissions: tuple[Transmission, ...]
    gaps: tuple[Gap, ...]


def judge(
    packets: Sequence[Packet],
    points: Sequence[Point],
    clocks: Sequence[Clock | None],
    directions: Directions,
    arrived: Iterable[Sequence[int]] = (),
    not_missed: Collection[int] = (),
) -> Judged:
    """What became of each packet.

    clocks -- of each point against the first one; None where no packet says
    arrived -- groups of packets, by their places, of which one at least got to its receiver: its answer shows it
    not_missed -- packets, by their places, of which no end behaves as if they had been lost
    """
    court = _Court(packets, points, clocks, directions)
    court.look_for_gaps()
    for group in arrived:
        court.must_have_passed(group)
    court.weigh_gaps()
    court.spare(not_missed)
    order = sorted(range(len(packets)), key=lambda n: packets[n].time)
    found: dict[int, Transmission] = {n: court.transmission(n) for n in order}
    return Judged(tuple(found[n] for n in range(len(packets))), tuple(court.gaps()))


class _Court:
    """Everything that bears on a verdict."""

    def __init__(
        self,
        packets: Sequence[Packet],
        points: Sequence[Point],
        clocks: Sequence[Clock | None],
        directions: Directions,
    ) -> None:
        self._packets, self._points, self._clocks = packets, points, clocks
        self._paths = [directions.path(p) for p in packets]
        self._cookies: list[set[bytes]] = [{s.header.initiator_spi for s in p.seen} for p in points]
        self._shared: dict[tuple[int, int], set[frozenset[str]]] = {}
        self._ttls: dict[tuple[int, str], Counter[int]] = {}
        self._flows: list[set[tuple[int, ...]]] = [set() for _ in points]
        self._common = [0] * len(points)
        for packet, path in zip(packets, self._paths, strict=True):
            at = packet.at
            for one in at:
                self._ttls.setdefault((one.point, one.datagram.source), Counter())[one.datagram.ttl] += 1
                self._common[one.point] += len(at) > 1
                if path is not None:
                    self._flows[one.point].add(path)
                for other in at:
                    if other is not one:
                        self._shared.setdefault((one.point, other.point), set()).add(_ends(one))
        self._windows = [_windows(p, c) for p, c in zip(points, clocks, strict=True)]
        self._slack = [self._slack_of(p) for p in range(len(points))]
        self._one_sided = [c is not None and c.one_way and bool(c.pairs) for c in clocks]
        self._one_sided[0] = any(self._one_sided)
        self._blind: list[dict[tuple[int, ...], list[Frame]]] = [{} for _ in points]
        self._ended: list[bool] = [False] * len(points)
        self._elsewhere: set[tuple[bytes, int]] = set()
        self._last: dict[tuple[object, ...], bool] = {}
        self._one_way: list[set[tuple[int, ...]]] = [set() for _ in points]
        self._losses = [_Losses(p) for p in points]
        self._arrived: list[set[int]] = [set() for _ in points]
        self._spared: Collection[int] = ()
        self._exchanges: dict[bytes, list[int]] = {}
        for number in sorted(range(len(packets)), key=lambda n: packets[n].time):
            self._exchanges.setdefault(packets[number].any.header.initiator_spi, []).append(number)
        self._answered = self._answered_exchanges()
        self._alike: dict[bytes, list[Packet]] = {}
        for packet in packets:
            self._alike.setdefault(packet.any.octets, []).append(packet)

    def _slack_of(self, point: int) -> int:
        """What the clock, and the way there, may be off."""
        clock = self._clocks[point]
        if clock is None:
            return 0
        if clock.one_way and clock.pairs:
            return MARGIN
        delays = [
            abs(self._here(s) - self._here(other))
            for p in self._packets[:10_000]
            if (s := p.seen[point]) is not None
            for other in p.at
            if other is not s
        ]
        return 2 * (clock.uncertainty or 0) + min(max(delays, default=0), SECOND)

    def _tells_delays(self, point: int) -> bool:
        clock = self._clocks[point]
        return clock is not None and not (clock.pairs and clock.one_way)

    def _here(self, seen: Seen) -> int:
        clock = self._clocks[seen.point]
        return clock.to_here(seen.time) if clock is not None else seen.time

    def _answered_exchanges(self) -> set[bytes]:
        """Exchanges of which the points saw packets in both directions."""
        ways: dict[bytes, set[frozenset[tuple[int, str]]]] = {}
        for packet in self._packets:
            sources = frozenset((s.point, s.datagram.source) for s in packet.at)
            ways.setdefault(packet.any.header.initiator_spi, set()).add(sources)
        return {cookie for cookie, sources in ways.items() if len(sources) > 1}

    # -- gaps

    def look_for_gaps(self) -> None:
        """Find packets that passed a point which did not capture them."""
        passed: list[tuple[int, int]] = []
        for number, (packet, path) in enumerate(zip(self._packets, self._paths, strict=True)):
            if path is None:
                continue
            seen = [packet.seen[p] is not None for p in path]
            for place, point in enumerate(path):
                if not seen[place] and any(seen[place + 1 :]):
                    cookie = packet.any.header.initiator_spi
                    if cookie not in self._cookies[point]:
                        self._elsewhere.add((cookie, point))
                    else:
                        passed.append((number, point))
        for number, point in passed:
            self._passed_unseen(number, point)

    def must_have_passed(self, group: Sequence[int]) -> None:
        """Of these packets one at least arrived: a point on the way that saw none of them misses packets."""
        for point in range(len(self._points)):
            if any(self._packets[n].seen[point] is not None for n in group):
                continue
            self._arrived[point].update(group)
            for number in group:
                path = self._paths[number]
                if path is None or self._packets[number].seen[path[0]] is None:
                    break
                if self._packets[number].any.header.initiator_spi not in self._cookies[point]:
                    break
                if self._within(point, self._packets[number].time) is not True:
                    break
            else:
                self._passed_unseen(group[0], point)

    def _passed_unseen(self, number: int, point: int) -> None:
        packet, path = self._packets[number], self._paths[number]
        assert path is not None
        within = self._within(point, packet.time)
        if within is None:
            windows = self._windows[point]
            if windows and packet.time > windows[-1][1]:
                self._ended[point] = True
            return
        if not within or self._hidden(packet, point) or self._made_elsewhere(packet):
            return
        self._blind[point].setdefault(path, []).extend(packet.any.frames)

    def _within(self, point: int, time: int) -> bool | None:
        """Whether it lies well within the times of a capture; False near the edges, None outside."""
        slack = self._slack[point]
        for first, last in self._windows[point]:
            # What goes the way of which the clock has no packet may arrive later by twice the delay that it hides.
            late = max(slack, ONE_WAY) if self._one_sided[point] else slack
            if first + slack <= time <= last - late:
                return True
            if first - slack <= time <= last + slack:
                return False
        return None

    def _made_elsewhere(self, packet: Packet) -> bool:
        """Its TTL is not that of the other packets that come from this address: another machine made it."""
        seen = packet.any
        counts = self._ttls[seen.point, seen.datagram.source]
        usual, often = counts.most_common(1)[0]
        return usual != seen.datagram.ttl and often > 1

    def weigh_gaps(self) -> None:
        """Tell captures of one direction from those that miss packets here and there."""
        for point, blind in enumerate(self._blind):
            self._one_way[point] = {path for path in blind if path not in self._flows[point]}

    def spare(self, packets: Collection[int]) -> None:
        """Tell no loss of these."""
        self._spared = packets

    def gaps(self) -> Iterable[Gap]:
        """What the captures themselves miss."""
        for point, blind in enumerate(self._blind):
            for path, frames in blind.items():
                yield Gap(point, path, tuple(dict.fromkeys(frames)), path in self._one_way[point])

    def _leaks(self, point: int) -> bool:
        return any(path not in self._one_way[point] for path in self._blind[point])

    # -- what a point could see

    def _hidden(self, packet: Packet, point: int) -> str:
        """Why a point may not show such a packet; empty where it would."""
        at = self._points[point]
        if at.dropped:
            return f"its capture dropped {at.dropped} packets"
        if at.beyond:
            return "more packets than are kept of it"
        for expression in at.filters:
            if packet.any.port == NAT_T_PORT and _named(expression, 500) and not _named(expression, NAT_T_PORT):
                return f"its filter hides UDP 4500 ({expression})"
        if packet.any.port == NAT_T_PORT and at.seen and at.only_port_500:
            return "nothing but UDP 500 is in its capture, whose filter may hide the rest"
        return ""

    def _relevant(self, packet: Packet, point: int) -> bool:
        """Whether such a packet belongs to what goes by that point."""
        cookie = packet.any.header.initiator_spi
        if (cookie, point) in self._elsewhere:
            return False
        if cookie in self._cookies[point] or not self._common[point]:
            return True
        return any(_ends(s) in self._shared.get((s.point, point), ()) for s in packet.at)

    # -- the verdict

    def transmission(self, number: int) -> Transmission:
        """What became of that packet. To be asked in the order of time."""
        packet, path = self._packets[number], self._paths[number]
        fate, proven, after, before, why = self._fate(number, packet, path)
        passages = tuple(self._passage(packet, p) for p in range(len(self._points)))
        seen = [s for p in path or () if (s := packet.seen[p]) is not None]
        delay = None
        if len(seen) > 1 and all(self._tells_delays(s.point) for s in (seen[0], seen[-1])):
            delay = self._here(seen[-1]) - self._here(seen[0])
        start = seen[0] if seen else packet.any
        return Transmission(
            passages,
            path or (),
            fate,
            proven,
            after,
            before,
            why,
            delay,
            start.size,
            start.port,
            len(start.frames) > 1 and start.datagram.transport == "udp",
            packet.altered,
        )

    def _passage(self, packet: Packet, point: int) -> Passage:
        seen = packet.seen[point]
        if seen is None:
            return Passage(partly=self._losses[point].frames_of(packet))
        d = seen.datagram
        return Passage(
            frames=seen.frames,
            duplicates=tuple(f for again in seen.duplicates for f in (again.fragments or (again.frame,))),
            time=self._here(seen),
            own_time=seen.time,
            source=d.source,
            source_port=d.source_port,
            destination=d.destination,
            destination_port=d.destination_port,
            ttl=d.ttl,
            ip_id=d.ip_id,
            tos=seen.tos,
            unfragmented=seen.unfragmented,
        )

    def _fate(
        self, number: int, packet: Packet, path: tuple[int, ...] | None
    ) -> tuple[Fate, bool, int | None, int | None, str]:
        if path is None:
            if all(s is not None for s in packet.seen):
                return Fate.ARRIVED, False, None, None, ""
            return Fate.UNSEEN, False, None, None, "nothing tells which way it goes"
        last = max(place for place, point in enumerate(path) if packet.seen[point] is not None)
        for point in path[: last + 1]:
            if packet.seen[point] is not None:
                self._note(packet, path, point, True)
        if last + 1 == len(path):
            return Fate.ARRIVED, False, None, None, ""
        after, point = path[last], path[last + 1]
        if not self._relevant(packet, point):
            return Fate.ELSEWHERE, False, None, None, f"nothing of its exchange goes by {self._points[point].letter}"
        if number in self._arrived[point]:
            return Fate.UNSEEN, False, None, None, "what came back shows that it, or another copy of it, got there"
        lost, proven, why = self._lost(packet, path, point)
        if lost and number in self._spared:
            return Fate.UNSEEN, False, None, None, "nobody sends again, or asks again, as after a loss"
        if lost:
            if proven:
                self._note(packet, path, point, False)
            return Fate.LOST, proven, after, point, why
        return Fate.UNSEEN, False, None, None, why

    def _lost(self, packet: Packet, path: tuple[int, ...], point: int) -> tuple[bool, bool, str]:
        at = self._points[point]
        hidden = self._hidden(packet, point)
        if hidden:
            return False, False, hidden
        if path in self._one_way[point]:
            return False, False, "its capture has nothing of this direction"
        if self._leaks(point):
            return False, False, "its capture misses packets that must have passed it"
        partly = self._losses[point].frames_of(packet)
        if partly and at.snapped:
            return False, False, "its fragments were captured in part there"
        if partly and at.hides_fragments:
            return False, False, "its first fragment came by; the capture may not hold the others"
        if self._clocks[point] is None:
            cookie = packet.any.header.initiator_spi
            if cookie in self._answered or cookie in self._cookies[point]:
                return False, False, "no packet is in both captures, so that their times cannot be compared"
            why = "its capture is empty" if not at.frames else "no packet is in both captures"
            return True, False, f"{why}: whether it was capturing then does not show"
        if self._within(point, packet.time):
            doubt = self._doubt(packet, path, point)
            if doubt:
                return False, False, doubt
            if any(self._leaks(p) for p in path if p != point) and not self._never_seen(packet, point):
                return False, False, "the captures miss packets elsewhere"
            return True, True, "only some of its fragments came by" if partly else ""
        if not self._windows[point] or packet.time < self._windows[point][0][0] + self._slack[point]:
            return False, False, "its capture began later"
        if self._ended[point]:
            return False, False, "its capture had ended"
        like = next((known for k in self._keys(packet, path, point) if (known := self._last.get(k)) is not None), None)
        if like is False:
            return True, False, "behind the last packet of its capture, as those that were lost before"
        return False, False, "its capture has nothing that late"

    def _doubt(self, packet: Packet, path: tuple[int, ...], point: int) -> str:
        """Why a packet that is not seen may have come by all the same; empty where the exchange went as after a loss.

        A capture that misses a packet says nothing of it; so a loss has to have left a trace. It has where no copy came
        by, where what was sent alike before is lost too, and where the ends went on as if this one had been.
        """
        if self._reacted(packet, path, point):
            return "the other end sent something right then, as when it arrives"
        copies = [p for p in self._alike[packet.any.octets] if p is not packet]
        came = [p for p in copies if p.seen[point] is not None]
        if copies and not came:
            return ""
        if any(self._last.get(key) is False for key in self._keys(packet, path, point)):
            return ""
        later = self._from_there(packet, path, point, packet.time, packet.time + PATIENCE)
        if came:
            if any(self._reacted(p, path, point) for p in came if p.time > packet.time):
                return ""  # what came after it was answered at once, and this one was not
            if self._asked_again(packet, later):
                return ""
            return "other copies of it came by, and nothing shows that this one did not"
        return "" if self._asked_again(packet, later) else "nothing that follows shows whether it was lost"

    def _from_there(self, packet: Packet, path: tuple[int, ...], point: int, after: int, until: int) -> list[Packet]:
        """Packets of the same exchange that come the other way, between two times."""
        rows = self._exchanges.get(packet.any.header.initiator_spi, [])
        start = bisect_right(rows, after, key=lambda n: self._packets[n].time)
        found = []
        for number in rows[start:]:
            other = self._packets[number]
            if other.time > until:
                break
            if self._paths[number] == path[::-1]:
                found.append(other)
        return found

    def _reacted(self, packet: Packet, path: tuple[int, ...], point: int) -> bool:
        """The other end sent something right after this, and nothing else that came there explains it."""
        for other in self._from_there(packet, path, point, packet.time, packet.time + REACTION):
            if other.seen[path[-1]] is None:
                continue
            rows = self._exchanges[packet.any.header.initiator_spi]
            start = bisect_left(rows, other.time - REACTION, key=lambda n: self._packets[n].time)
            before = (self._packets[n] for n in rows[start:] if self._paths[n] == path)
            return all(p is packet or p.seen[point] is None or p.time > other.time for p in before)
        return False

    def _asked_again(self, packet: Packet, later: Sequence[Packet]) -> bool:
        """The other end sent once more what it had sent before this packet: it has had no answer to it."""
        return any(any(p.time <= packet.time for p in self._alike[other.any.octets]) for other in later)

    def _never_seen(self, packet: Packet, point: int) -> bool:
        """The message was sent more than once, and none of these came by there."""
        alike = self._alike[packet.any.octets]
        return len(alike) > 1 and all(p.seen[point] is None for p in alike)

    def _keys(self, packet: Packet, path: tuple[int, ...], point: int) -> Iterator[tuple[object, ...]]:
        """What it has in common with others, the closest first: the message, what it looks like, its way."""
        seen = packet.any
        yield point, path, seen.octets
        yield point, path, seen.port, seen.header.exchange_type, seen.size
        yield point, path, seen.port, seen.size >= LARGE, seen.header.initiator_spi

    def _note(self, packet: Packet, path: tuple[int, ...], point: int, passed: bool) -> None:
        for key in self._keys(packet, path, point):
            self._last[key] = passed


class _Losses:
    """Datagrams of which a point saw some IP fragments only, to be found by what they are pieces of."""

    def __init__(self, point: Point) -> None:
        self._by_id: dict[int, list[FragmentLoss]] = {}
        for loss in point.losses:
            self._by_id.setdefault(loss.ip_id, []).append(loss)

    def frames_of(self, packet: Packet) -> tuple[Frame, ...]:
        """The frames with pieces of that packet."""
        if not self._by_id:
            return ()
        for seen in packet.at:
            number = seen.datagram.ip_id
            for loss in self._by_id.get(number, ()) if number else ():
                if not loss.payload or seen.datagram.payload.startswith(loss.payload[:64]):
                    return loss.frames
        return ()


def _windows(point: Point, clock: Clock | None) -> list[tuple[int, int]]:
    if clock is None:
        return []
    return [(clock.to_here(first), clock.to_here(last)) for first, last in point.windows]


def _ends(seen: Seen) -> frozenset[str]:
    return frozenset((seen.datagram.source, seen.datagram.destination))


def _named(expression: str, port: int) -> bool:
    return re.search(rf"(?<![\d.:]){port}(?![\d.:])", expression) is not None


def counted(transmissions: Iterable[Transmission]) -> Mapping[Fate, int]:
    """How many of each fate."""
    return Counter(t.fate for t in transmissions)
