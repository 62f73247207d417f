"""`compare`: captures of one failure from several points, joined to one story."""

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from pcapdiag.capture.datagram import CaptureError
from pcapdiag.capture.savefile import Source
from pcapdiag.comparison import clocks as clockwork
from pcapdiag.comparison.clocks import Clock
from pcapdiag.comparison.fates import Judged, Transmission, judge
from pcapdiag.comparison.findings import Told, refined
from pcapdiag.comparison.joined import Joined, arrivals, join, not_missed
from pcapdiag.comparison.matching import Packet, alone, match
from pcapdiag.comparison.paths import Directions
from pcapdiag.comparison.points import Point, Seen, read_point
from pcapdiag.comparison.results import Compared, PointReport
from pcapdiag.comparison.translations import changes
from pcapdiag.comparison.tunnel import esp_passages
from pcapdiag.diagnosis.causes.platforms import Given, given_of
from pcapdiag.diagnosis.verdict import diagnose, outcome_alone
from pcapdiag.exchange.fragments import PIECES
from pcapdiag.exchange.model import Exchange
from pcapdiag.exchange.tracker import MAX_EXCHANGES
from pcapdiag.findings import CaptureReport
from pcapdiag.pipeline import Path, Report
from pcapdiag.record import lazy
from pcapdiag.selection import selection

if TYPE_CHECKING:
    from pandas import DataFrame


class DifferentFailuresError(CaptureError):
    """The captures have nothing in common: no packet, and no two peers."""


class Comparison(Compared, frozen=True, dict=True, gc=True):
    """What `compare` found: records, as `Compared` has them, reports and tables."""

    report: Report

    def to_html(self) -> str:
        """The comparison as one HTML page that needs nothing else."""
        from pcapdiag.report.html import compare_page

        return compare_page.render(self)

    def to_markdown(self) -> str:
        """The comparison for a ticket or a chat."""
        from pcapdiag.report import compare_markdown

        return compare_markdown.render(self)

    def to_svg(self, exchange: int | None = None) -> str:
        """The ladder of an exchange (by its id; the first one by default) as SVG, with a line for each point."""
        from pcapdiag.report.html import compare_svg

        return compare_svg.render(self, exchange)

    @lazy
    def passages(self) -> "DataFrame":
        """A row for each transmission and point: whether it was seen there, when, and how it was changed."""
        from pcapdiag.report.tables.compare_tables import passages

        return passages(self)

    @property
    def exchanges(self) -> "DataFrame":
        """A row for each joined exchange; see `Report.exchanges`."""
        return self.report.exchanges

    @property
    def messages(self) -> "DataFrame":
        """A row for each time that a message was sent, as it left its sender; see `Report.messages`."""
        return self.report.messages

    @property
    def evidence(self) -> "DataFrame":
        """A row for each fact; see `Report.evidence`."""
        return self.report.evidence

    @property
    def causes(self) -> "DataFrame":
        """A row for each exchange and cause; see `Report.causes`."""
        return self.report.causes


def compare(
    *captures: Source | Sequence[Source],
    ports: Collection[int] = (),
    peer: str | None = None,
    spi: str | None = None,
    psks: Collection[bytes] = (),
    keys: Path | Iterable[Path] = (),
    platforms: Iterable[str] | dict[str, str] = (),
    local: str | Iterable[str] | None = None,
    max_exchanges: int = MAX_EXCHANGES,
    max_decompressed: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Compare captures of one failure that were taken at two or more points of the path.

    captures -- one for each point: a savefile as `analyze` takes it, or several (a directory, a pattern, a list) where
        the point has a ring of files. The first one's clock and addresses are those of the result
    The other parameters are those of `analyze`.

    Raises CaptureError where one of the points cannot be read, DifferentFailuresError where the captures have nothing
    in common, PlatformError as `analyze` does, ValueError for fewer than two.
    """
    if len(captures) < 2:
        raise ValueError("two captures at least are compared")
    given = given_of(platforms, local)
    points: list[Point] = []
    sizes = [_octets(c) for c in captures]
    for index, source in enumerate(captures):
        files = sum(len(p.captures) for p in points)
        done = sum(sizes[:index])
        tell = _told(progress, done, sum(sizes)) if progress is not None else None
        points.append(read_point(index, source, files, ports=ports, max_decompressed=max_decompressed, progress=tell))
    return _compared(points, peer=peer, spi=spi, psks=psks, keys=keys, given=given, max_exchanges=max_exchanges)


def _told(progress: Callable[[int, int], None], before: int, total: int) -> Callable[[int], None]:
    return lambda done: progress(before + done, total)


def _octets(source: Source | Sequence[Source]) -> int:
    try:
        return os.path.getsize(source) if isinstance(source, str | os.PathLike) else 0
    except OSError:
        return 0


def _compared(
    points: Sequence[Point],
    *,
    peer: str | None,
    spi: str | None,
    psks: Collection[bytes],
    keys: Path | Iterable[Path],
    given: Given,
    max_exchanges: int,
) -> Comparison:
    asked = selection(peer, spi)
    packets, clocks, directions = matched(points)
    common = [sum(p.seen[q.index] is not None and len(p.at) > 1 for p in packets) for q in points]
    _alike_or_error(points, packets)
    joined = join(packets, points, clocks, directions, max_exchanges=max_exchanges, judge=outcome_alone)
    exchanges = _opened(joined.exchanges, keys)
    judged = judge(packets, points, clocks, directions, _arrived(joined, packets), _not_missed(joined, points, clocks))
    diagnoses = diagnose(
        exchanges,
        joined.end,
        gaps=joined.gaps,
        keepalives=joined.keepalives,
        esp=joined.esp,
        keys=list(psks),
        given=given,
    )
    sent = _by_message(joined, judged)
    told = {e.id: Told(e, sent.get(e.id, {})) for e in exchanges}
    found = tuple(refined(d, told[d.exchange.id], judged.gaps) for d in diagnoses if asked.has(d.exchange))
    reports = tuple(
        CaptureReport(c, ike, other)
        for p in points
        for c, ike, other in zip(p.captures, _padded(p.ike_messages, p), _padded(p.not_ike, p), strict=True)
    )
    report = Report(
        captures=reports,
        errors=tuple(f for p in points for f in p.faults),
        diagnoses=found,
        keepalives=joined.keepalives,
        counts=joined.tracker.counts,
        folded=joined.tracker.folded(),
    )
    return Comparison(
        points=tuple(
            PointReport(
                p.letter,
                p.names,
                reports[p.first_file : p.first_file + len(p.captures)],
                p.first_file,
                clocks[p.index],
                len(p.seen),
                common[p.index],
            )
            for p in points
        ),
        report=report,
        transmissions=sent,
        gaps=judged.gaps,
        changes=changes(judged.transmissions),
        esp=esp_passages(points, clocks, directions),
    )


def _padded(counts: Sequence[int], point: Point) -> list[int]:
    return [*counts, *[0] * (len(point.captures) - len(counts))]


def matched(points: Sequence[Point]) -> tuple[list[Packet], list[Clock | None], Directions]:
    """The packets of all points, put together, in the order of time; the clocks; and which way each goes."""
    packets = [alone(seen, len(points)) for seen in points[0].seen]
    clocks: list[Clock | None] = [clockwork.SAME]
    for point in points[1:]:
        before = len(packets)
        match(packets, point, len(points))
        directions = Directions(packets, len(points))
        pairs = []
        for packet in packets[:before]:
            seen = packet.seen[point.index]
            if seen is None:
                continue
            # Against the sighting that is nearest in the order of points: its clock is known.
            other = next(s for s in packet.at if s is not seen and clocks[s.point] is not None)
            clock = clocks[other.point]
            here = clock.to_here(other.time) if clock is not None else other.time
            sign = directions.sign(packet, other.point, point.index)
            pairs.append(clockwork.Pair(here, seen.time, sign >= 0))
        clock = clockwork.fit(pairs)
        clocks.append(clock)
        if clock is not None:
            for packet in packets[before:]:
                packet.time = clock.to_here(packet.time)
        for packet in packets[:before]:
            seen = packet.seen[point.index]
            if seen is not None and clock is not None:
                packet.time = min(packet.time, clock.to_here(seen.time))
    packets.sort(key=lambda p: p.time)
    return packets, clocks, Directions(packets, len(points))


def _alike_or_error(points: Sequence[Point], packets: Sequence[Packet]) -> None:
    """Raise DifferentFailuresError where a point has IKE that has nothing to do with that of the others."""
    for point in points:
        if not point.seen or any(p.seen[point.index] is not None and len(p.at) > 1 for p in packets):
            continue
        others = [p for p in points if p is not point and p.seen]
        if not others:
            continue
        mine = {_ends(s) for s in point.seen} | {s.header.initiator_spi for s in point.seen}
        if any(_ends(s) in mine or s.header.initiator_spi in mine for other in others for s in other.seen):
            continue
        names = " and ".join(other.names[0] if other.names else other.letter for other in others)
        raise DifferentFailuresError(
            f"{point.names[0] if point.names else point.letter}: no packet and no two peers of it are in {names}: "
            "these are captures of different failures"
        )


def _ends(seen: Seen) -> frozenset[str]:
    return frozenset((seen.datagram.source, seen.datagram.destination))


def _arrived(joined: Joined, packets: Sequence[Packet]) -> list[list[int]]:
    """Groups of packets of which one at least got to its receiver."""
    found = []
    for exchange in joined.exchanges:
        of = joined.packets_of(exchange)
        for places in arrivals(exchange):
            whole: list[int] = []
            pieces: dict[bytes, list[int]] = {}
            for number in (n for place in places for n in of.get(place, ())):
                octets = packets[number].any.octets
                if octets[16] in PIECES:
                    pieces.setdefault(octets, []).append(number)  # each piece has to arrive
                else:
                    whole.append(number)
            found += [group for group in (whole, *pieces.values()) if group and not (whole and pieces)]
    return found


def _not_missed(joined: Joined, points: Sequence[Point], clocks: Sequence[Clock | None]) -> set[int]:
    """Packets of which nobody behaves as if they had been lost."""
    ends = [c.to_here(p.windows[-1][1]) for p, c in zip(points, clocks, strict=True) if c is not None and p.windows]
    end = min(ends, default=0)
    found: set[int] = set()
    for exchange in joined.exchanges:
        of = joined.packets_of(exchange)
        found.update(n for place in not_missed(exchange, end) for n in of.get(place, ()))
    return found


def _by_message(joined: Joined, judged: Judged) -> dict[int, dict[int, tuple[Transmission, ...]]]:
    found: dict[int, dict[int, list[Transmission]]] = {}
    for owner, step, transmission in zip(joined.owners, joined.steps, judged.transmissions, strict=True):
        if owner is not None and step is not None:
            found.setdefault(owner, {}).setdefault(step, []).append(transmission)
    return {
        owner: {step: tuple(sorted(sent, key=lambda t: t.time)) for step, sent in steps.items()}
        for owner, steps in found.items()
    }


def _opened(exchanges: Sequence[Exchange], keys: Path | Iterable[Path]) -> tuple[Exchange, ...]:
    given = [keys] if isinstance(keys, str | os.PathLike) else list(keys)
    if not given:
        return tuple(exchanges)
    from pcapdiag.exchange.opening import open_exchange
    from pcapdiag.ike.decryption import need_cryptography
    from pcapdiag.key_tables import read_tables

    need_cryptography()
    table = read_tables(given)
    return tuple(open_exchange(exchange, table) for exchange in exchanges)
