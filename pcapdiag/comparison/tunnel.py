"""What became of the tunnel's own traffic: ESP packets by SPI and sequence number, at each point."""

from collections.abc import Iterator, Sequence

from pcapdiag.capture.datagram import EspFlow
from pcapdiag.capture.network import address
from pcapdiag.comparison.clocks import Clock
from pcapdiag.comparison.paths import Directions
from pcapdiag.comparison.points import Point
from pcapdiag.comparison.sequences import Numbers
from pcapdiag.record import Record

MAX_ROWS = 1_000


class EspPassage(Record, frozen=True):
    """The packets of one SPI in one direction, between two points that follow each other.

    first, then -- the points, in the order in which packets pass them
    sent, came -- packets that each of the two saw
    lost -- sequence numbers that the first point saw and the other did not, of those that lie between the lowest and
        the highest that the other one saw: it was capturing then; None where it saw none and may not have captured it
    missed -- the same the other way: the first point did not capture them
    flow -- as the first point (or the one that has it) counts it, for its frames
    """

    spi: int
    source: str
    destination: str
    first: int
    then: int
    sent: int
    came: int
    lost: int | None
    missed: int
    flow: EspFlow | None


def esp_passages(
    points: Sequence[Point], clocks: Sequence[Clock | None], directions: Directions
) -> tuple[EspPassage, ...]:
    """Compare the ESP of every two points; what one point alone can see is left out."""
    found: list[EspPassage] = []
    for one in range(len(points)):
        for other in range(one + 1, len(points)):
            found += _between(points[one], points[other], clocks, directions)
            if len(found) >= MAX_ROWS:
                return tuple(found[:MAX_ROWS])
    return tuple(found)


def _between(one: Point, other: Point, clocks: Sequence[Clock | None], directions: Directions) -> Iterator[EspPassage]:
    theirs: dict[bytes, list[tuple[bytes, Numbers]]] = {}
    for (ends, spi), numbers in other.esp.sas.items():
        theirs.setdefault(spi, []).append((ends, numbers))
    met: set[tuple[bytes, bytes]] = set()
    for (ends, spi), numbers in one.esp.sas.items():
        here = _addresses(ends)
        partner = min(theirs.get(spi, ()), key=lambda row: row[0] != ends, default=None)
        there = _addresses(partner[0]) if partner is not None else None
        if partner is not None:
            met.add((partner[0], spi))
        sign = directions.by_addresses(one.index, here, other.index, there or here)
        if sign:
            yield from _passage(one, other, spi, here, there, numbers, partner and partner[1], sign, clocks)
    for (ends, spi), numbers in other.esp.sas.items():
        if (ends, spi) not in met:
            there = _addresses(ends)
            sign = directions.by_addresses(one.index, there, other.index, there)
            if sign:
                yield from _passage(one, other, spi, None, there, None, numbers, sign, clocks)


def _passage(
    one: Point,
    other: Point,
    spi: bytes,
    here: tuple[str, str] | None,
    there: tuple[str, str] | None,
    mine: Numbers | None,
    theirs: Numbers | None,
    sign: int,
    clocks: Sequence[Clock | None],
) -> Iterator[EspPassage]:
    first, then = (one, other) if sign > 0 else (other, one)
    sent, came = (mine, theirs) if sign > 0 else (theirs, mine)
    number = int.from_bytes(spi, "big")
    ends = here or there
    assert ends is not None
    flow = _flow(first if sent is not None else then, number)
    lost: int | None = None
    missed = 0
    if sent is not None and came is not None:
        lost = sent.without(came, came.first, came.last)
        missed = came.without(sent, sent.first, sent.last)
    elif sent is not None and flow is not None and _would_see(then, flow, first, clocks):
        lost = sent.packets - sent.repeated
    elif sent is None:
        return  # its sender's side may have another way out
    yield EspPassage(
        number,
        *ends,
        first.index,
        then.index,
        sent.packets if sent is not None else 0,
        came.packets if came is not None else 0,
        lost,
        missed,
        flow,
    )


def _would_see(point: Point, flow: EspFlow, at: Point, clocks: Sequence[Clock | None]) -> bool:
    """Whether the point was capturing all that time, and shows that it captures such packets."""
    clock, mine = clocks[point.index], clocks[at.index]
    if clock is None or mine is None or point.dropped:
        return False
    if flow.source_port is None:
        if not any(c.esp for c in point.captures):
            return False
    elif not any(s.port == 4500 for s in point.seen):
        return False
    first, last = mine.to_here(flow.first_time), mine.to_here(flow.last_time)
    return any(clock.to_here(begin) <= first and last <= clock.to_here(end) for begin, end in point.windows)


def _flow(point: Point, spi: int) -> EspFlow | None:
    return next((f for c in point.captures for f in c.esp_flows if f.spi == spi), None)


def _addresses(ends: bytes) -> tuple[str, str]:
    half = len(ends) // 2
    return address(ends[:half]), address(ends[half:])
