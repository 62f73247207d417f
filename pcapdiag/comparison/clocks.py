"""How two clocks differ: offset, drift and jumps, out of packets that both points saw.

A packet that passes the first point and then the second one shows *offset + delay*; one the other way shows *offset −
delay*; no delay is less than nothing. So each packet bounds the line that the offset follows from one side, and those
of both directions hold it between them. The bounds are convex hulls, and the line is found by linear programming over
them (Paxson, "On calibrating measurements of packet transit times", 1998; Moon, Skelly and Towsley, "Estimation and
removal of clock skew from network delay measurements", 1999; Zhang, Liu and Xia, "Clock synchronization algorithms for
network measurements", 2002, which also finds jumps). With one direction only, delay and offset cannot be told apart.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

from pcapdiag.record import Record
from pcapdiag.units import SECOND

MAX_DRIFT = 1e-3
"""Seconds a second; no clock that keeps time is further off."""
NOISE = 0.002
"""Seconds by which times of capture may contradict each other without a jump: interrupts, and virtual machines."""
STEP = 0.5
"""Seconds by which one direction has to change for good before that is told as a jump."""
MAX_SEGMENTS = 16
_MOST_POINTS = 2_000
"""Packets that are weighed for the drift; the bounds are those of all."""
_ENDS = (-MAX_DRIFT, MAX_DRIFT)

XY = tuple[float, float]


class Pair(Record, frozen=True):
    """One packet at two points.

    here, there -- its times (nanoseconds) by the first clock and by the other one
    forward -- it passed the first point first
    """

    here: int
    there: int
    forward: bool


class Segment(Record, frozen=True):
    """A stretch in which both clocks run steadily.

    first, last -- of its packets, by the first clock (nanoseconds)
    offset -- what the other clock is ahead at `first`, in nanoseconds; drift -- what it gains, seconds a second
    uncertainty -- nanoseconds by which the offset may be wrong either way; None where one direction only tells of it
    """

    first: int
    last: int
    offset: int
    drift: float
    uncertainty: int | None

    def at(self, here: int) -> int:
        """The offset at that time of the first clock, in nanoseconds."""
        return self.offset + round(self.drift * (here - self.first))


class Jump(Record, frozen=True):
    """One of the clocks was set, or stood still, between two packets.

    before, after -- times of these by the first clock (nanoseconds); change -- of the offset, in nanoseconds
    """

    before: int
    after: int
    change: int


class Clock(Record, frozen=True):
    """The clock of a point against that of the first one.

    offset -- nanoseconds that it is ahead when the first common packet passes; with one direction only the least delay
        is within it
    drift -- parts in a million that it gains; 0 where none shows; drift_uncertainty -- by which that may be wrong, None
        where nothing bounds it
    uncertainty -- nanoseconds by which the offset may be wrong either way; None with one direction only
    forward, backward -- packets that it rests on, by direction
    """

    offset: int
    drift: float
    uncertainty: int | None
    forward: int
    backward: int
    segments: tuple[Segment, ...]
    jumps: tuple[Jump, ...] = ()
    drift_uncertainty: float | None = None

    @property
    def pairs(self) -> int:
        """Packets that it rests on."""
        return self.forward + self.backward

    @property
    def one_way(self) -> bool:
        """Packets of one direction only tell of it."""
        return not (self.forward and self.backward)

    def offset_at(self, here: int) -> int:
        """What the other clock is ahead at that time of the first one, in nanoseconds."""
        return self.segments[_place([s.first for s in self.segments], here)].at(here)

    def to_there(self, here: int) -> int:
        """The time of the other clock at that time of the first one."""
        return here + self.offset_at(here)

    def to_here(self, there: int) -> int:
        """The time of the first clock at that time of the other one."""
        starts = [s.first + s.offset for s in self.segments]
        place = _place(starts, there) if starts == sorted(starts) else self._nearest(there)
        segment = self.segments[place]
        return segment.first + round((there - segment.offset - segment.first) / (1 + segment.drift))

    def _nearest(self, there: int) -> int:
        """The segment in which that time lies, where the clock went back; the later one where it lies in two."""

        def distance(place: int) -> tuple[int, int]:
            s = self.segments[place]
            first, last = s.first + s.offset, s.last + s.at(s.last)
            return max(first - there, there - last, 0), -place

        return min(range(len(self.segments)), key=distance)


def _place(starts: Sequence[int], time: int) -> int:
    return max(bisect_right(starts, time) - 1, 0)


SAME = Clock(0, 0.0, 0, 0, 0, (Segment(0, 0, 0, 0.0, 0),))
"""The first point's own."""


def fit(pairs: Sequence[Pair]) -> Clock | None:
    """The other clock against the first one; None without a packet that both saw."""
    if not pairs:
        return None
    rest: Sequence[Pair] = sorted(pairs, key=lambda p: p.here)
    segments: list[Segment] = []
    bounds: list[float | None] = []
    used: list[Pair] = []
    while rest and len(segments) < MAX_SEGMENTS:
        taken, rest = _steady(rest)
        line = _Line.through(taken)
        segments.append(line.segment(taken))
        bounds.append(line.drift_bound)
        used += taken
    if rest:  # what jumps that often tells nothing more
        used += rest
    jumps = tuple(
        Jump(before.last, after.first, after.offset - before.at(after.first)) for before, after in pairwise(segments)
    )
    longest = max(range(len(segments)), key=lambda n: segments[n].last - segments[n].first)
    first = segments[0]
    forward = sum(p.forward for p in used)
    return Clock(
        first.offset,
        segments[longest].drift * 1e6,
        first.uncertainty,
        forward,
        len(used) - forward,
        tuple(segments),
        jumps,
        bounds[longest],
    )


def _steady(pairs: Sequence[Pair]) -> tuple[Sequence[Pair], Sequence[Pair]]:
    """The longest beginning in which no clock jumped, and the rest. A packet that alone contradicts is passed over."""
    step = _step(pairs)
    if step is not None:
        return pairs[:step], pairs[step:]
    skipped: list[Pair] = []
    while not _Line.through(pairs).possible:
        low, high = 1, len(pairs)  # pairs[:low] is possible, pairs[:high] is not
        while high - low > 1:
            middle = (low + high) // 2
            if _Line.through(pairs[:middle]).possible:
                low = middle
            else:
                high = middle
        without = [*pairs[:low], *pairs[low + 1 : low + 4]]
        alone = low + 1 < len(pairs) and low > 1 and _Line.through(without).possible
        if not alone or len(skipped) >= MAX_SEGMENTS:
            return pairs[:low], pairs[low:]
        skipped.append(pairs[low])
        pairs = [*pairs[:low], *pairs[low + 1 :]]
    return pairs, []


def _step(pairs: Sequence[Pair]) -> int | None:
    """Where every difference of one direction changes by more than delays do, for good; None for nowhere."""
    if len({p.forward for p in pairs}) != 1 or len(pairs) < 3:
        return None
    differences = [p.there - p.here for p in pairs]
    lows, highs = list(accumulate(differences, min)), list(accumulate(differences, max))
    later_lows = list(accumulate(reversed(differences), min))[::-1]
    later_highs = list(accumulate(reversed(differences), max))[::-1]
    limit = STEP * SECOND
    for place in range(1, len(pairs)):
        between = MAX_DRIFT * (pairs[place].here - pairs[place - 1].here)
        if later_lows[place] - highs[place - 1] > limit + between:
            return place
        if lows[place - 1] - later_highs[place] > limit + between:
            return place
    return None


class _Line:
    """offset = level + drift · seconds since the first packet, within the bounds that the packets give."""

    def __init__(self, level: float, drift: float, width: float | None, slack: float, bound: float | None) -> None:
        self.level, self.drift, self.drift_bound = level, drift, bound
        self._width, self._slack = width, slack
        self._origin = 0

    @property
    def possible(self) -> bool:
        """The bounds leave room for a line, but for noise."""
        return self._width is None or self._width >= -NOISE

    @classmethod
    def through(cls, pairs: Sequence[Pair]) -> "_Line":
        """The line in the middle of the bounds."""
        start, origin = pairs[0].here, pairs[0].there - pairs[0].here
        points = [((p.here - start) / SECOND, (p.there - p.here - origin) / SECOND, p.forward) for p in pairs]
        above = _hull([(x, y) for x, y, forward in points if forward], 1)
        below = _hull([(x, y) for x, y, forward in points if not forward], -1)
        line = cls._between(above, below, points) if above and below else cls._along(above or below, points)
        line._origin = origin
        return line

    def segment(self, pairs: Sequence[Pair]) -> Segment:
        """The record of it."""
        uncertainty = None if self._width is None else round(self._slack * SECOND)
        offset = self._origin + round(self.level * SECOND)
        return Segment(pairs[0].here, pairs[-1].here, offset, self.drift, uncertainty)

    @classmethod
    def _between(cls, above: Sequence[XY], below: Sequence[XY], points: Sequence[tuple[float, float, bool]]) -> "_Line":
        def width(drift: float) -> float:
            return min(y - drift * x for x, y in above) - max(y - drift * x for x, y in below)

        best = _highest(width, -MAX_DRIFT, MAX_DRIFT)
        most = width(best)
        drift, least = best, most
        if most > 0:
            least = 0.0
            drift = cls._least_delays(above, below, points, *(_edge(width, best, end, 0.8 * most) for end in _ENDS))
        low = _edge(width, best, -MAX_DRIFT, least)
        high = _edge(width, best, MAX_DRIFT, least)
        top = min(y - drift * x for x, y in above)
        bottom = max(y - drift * x for x, y in below)
        level = (top + bottom) / 2
        slack = abs(top - bottom) / 2
        for edge in (low, high):
            ceiling = min(y - edge * x for x, y in above)
            floor = max(y - edge * x for x, y in below)
            slack = max(slack, ceiling - level, level - floor)
        bound = max(high - drift, drift - low) * 1e6
        return cls(level, drift, most, slack, bound)

    @staticmethod
    def _least_delays(
        above: Sequence[XY],
        below: Sequence[XY],
        points: Sequence[tuple[float, float, bool]],
        low: float,
        high: float,
    ) -> float:
        """The drift between these that explains the packets by the least delays; of nearly as good ones the least."""
        some = points[:: -(-len(points) // _MOST_POINTS)]

        def excess(drift: float) -> float:
            top = min(y - drift * x for x, y in above)
            bottom = max(y - drift * x for x, y in below)
            return -sum(y - drift * x - top if forward else bottom - y + drift * x for x, y, forward in some)

        best = _highest(excess, low, high)
        steady = min(max(0.0, low), high)
        return _edge(excess, best, steady, 1.25 * excess(best) - 1e-6 * len(some))

    @classmethod
    def _along(cls, hull: Sequence[XY], points: Sequence[tuple[float, float, bool]]) -> "_Line":
        """One direction only: the edge of the hull below (or above) the middle, where it explains what is seen."""
        middle = sum(x for x, _, _ in points) / len(points)
        drift = 0.0
        for (x, y), (following, other) in pairwise(hull):
            if x <= middle <= following and following > x:
                drift = (other - y) / (following - x)
                break
        before = _spread([y for _, y, _ in points])
        after = _spread([y - drift * x for x, y, _ in points])
        if len(points) < 4 or abs(drift) > MAX_DRIFT or after > 0.2 * before:
            drift = 0.0
        levels = [y - drift * x for x, y, _ in points]
        level = min(levels) if points[0][2] else max(levels)
        return cls(level, drift, None, 0.0, None)


def _spread(values: Sequence[float]) -> float:
    return max(values) - min(values)


def _hull(points: Sequence[XY], side: int) -> list[XY]:
    """The lower convex hull (side 1) or the upper one (side −1) of points in the order of x (Andrew's)."""
    hull: list[XY] = []
    for x, y in points:
        while len(hull) >= 2:
            (ax, ay), (bx, by) = hull[-2], hull[-1]
            if side * ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) > 0:
                break
            hull.pop()
        if hull and hull[-1][0] == x:
            if side * (y - hull[-1][1]) >= 0:
                continue
            hull.pop()
        hull.append((x, y))
    return hull


def _highest(call: Callable[[float], float], low: float, high: float) -> float:
    """Where a concave function of one number is highest."""
    for _ in range(80):
        third = (high - low) / 3
        if call(low + third) < call(high - third):
            low += third
        else:
            high -= third
    return (low + high) / 2


def _edge(call: Callable[[float], float], inside: float, towards: float, least: float) -> float:
    """How far from `inside` towards another place a concave function stays at `least` or above."""
    if call(towards) >= least:
        return towards
    good, bad = inside, towards
    for _ in range(50):
        middle = (good + bad) / 2
        if call(middle) >= least:
            good = middle
        else:
            bad = middle
    return good
