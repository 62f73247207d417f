"""How the clock of a log stands to that of a capture, out of lines that are about messages of the capture.

A line shows a wall clock, mostly without its zone and in whole seconds; the frame has a time in UTC. Where a line and a
frame are of one message, frame − wall is the zone and the error of the clock together, up to the unit of the stamp and
the time that the device takes to log. One such pair proves nothing; what many agree on does.
"""

from collections.abc import Iterable, Sequence

from pcapdiag.logs.stamps import Stamp, in_year
from pcapdiag.record import Record
from pcapdiag.units import SECOND

QUARTER = 900 * SECOND
"""Zones are multiples of 15 minutes."""
NEAR_ZONE = 300 * SECOND
"""A clock that is off by less than this from a zone is a clock in that zone; off by more it may be any."""
DELAY = 2 * SECOND
"""What a busy device takes to log, at most, before a pair counts as one of others."""
EARLIEST, LATEST = -(14 * 3600 + 300) * SECOND, (12 * 3600 + 300) * SECOND
"""Zones reach from −12 to +14 hours: what is farther from a frame is of another day, unless something exact joins."""


class Clock(Record, frozen=True):
    """What was derived of a log's clock.

    offset -- nanoseconds to add to what the log shows, to have the capture's time; it lies within `low` … `high`
    pairs -- messages whose lines agree on it; exact -- lines among them that cookies, message IDs or octets join
    given -- the zone was given, not derived
    """

    offset: int
    low: int
    high: int
    pairs: int
    exact: int
    given: bool = False

    @property
    def zone(self) -> int | None:
        """Seconds east of UTC of the zone that the clock shows; None where it is near none."""
        nearest = -round(self.offset / QUARTER) * QUARTER
        return nearest // SECOND if abs(self.offset + nearest) <= NEAR_ZONE else None

    @property
    def error(self) -> int:
        """Nanoseconds that the clock is behind the capture's, its zone aside; negative: ahead."""
        zone = self.zone
        return self.offset if zone is None else self.offset + zone * SECOND


def walls(stamp: Stamp, years: Iterable[int]) -> tuple[int, ...]:
    """What a stamp may show, in nanoseconds since 1970 as if it were UTC; of several years where it names none.

    A zone that is written is taken off.
    """
    if not stamp.has_date:
        return ()
    off = (stamp.zone or 0) * SECOND
    if stamp.has_year:
        return (stamp.wall - off,)
    return tuple(in_year(stamp, year).wall - off for year in years)


def agreed(pairs: Sequence[tuple[int, int, bool, int]], least: int) -> Clock | None:
    """The offset that most pairs agree on; None where those are of fewer than `least` messages.

    pairs -- of lines and messages that fit: frame − wall in nanoseconds, the unit of the stamp, whether something exact
    joins them, and which message it is. Where any is exact, only those count, and one is enough.
    """
    sure = [pair for pair in pairs if pair[2]]
    chosen = sorted(sure or pairs)
    best: tuple[int, int] = (0, 0)
    end = 0
    for begin in range(len(chosen)):
        reach = chosen[begin][0] + DELAY + chosen[begin][1]
        end = max(end, begin)
        while end < len(chosen) and chosen[end][0] <= reach:
            end += 1
        if end - begin > best[1] - best[0]:
            best = (begin, end)
    group = chosen[best[0] : best[1]]
    if len({pair[3] for pair in group}) < (1 if sure else least):
        return None
    # The clock showed `wall` and stood between that and the next unit: each pair bounds the offset.
    low = max(pair[0] - pair[1] for pair in group)
    high = min(pair[0] for pair in group)
    if low > high:
        low, high = group[0][0] - group[0][1], group[-1][0]
    middle = group[len(group) // 2][0]
    offset = min(max(middle, low), high)
    return Clock(offset, low, high, len({pair[3] for pair in group}), sum(pair[2] for pair in group))
