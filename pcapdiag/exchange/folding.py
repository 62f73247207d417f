"""Exchanges that had to make room: counted by their ends and by how far they went."""

from collections.abc import Sequence
from functools import cache

from msgspec import Struct

from pcapdiag.capture.datagram import Datagram, Frame
from pcapdiag.exchange.model import Exchange, Folded, Mode, Side, Sighting
from pcapdiag.exchange.modes import mode_of, step_name
from pcapdiag.ike.message import ZERO_SPI, Header
from pcapdiag.ike.registry import HeaderFlag, PayloadType

MAX_ROWS = 10_000
"""Rows that name both ends. Beyond it a row names the responder only, and beyond twice as many neither."""

_Key = tuple[str | None, str | None, Mode, str, str | None]


class _Row(Struct, gc=False):
    exchanges: int
    messages: int
    first_frame: Frame
    last_frame: Frame
    first_time: int
    last_time: int


class Folder:
    """Takes exchanges in, and keeps no more of them than counts."""

    def __init__(self) -> None:
        self._rows: dict[_Key, _Row] = {}

    def add_opening(self, version: int, exchange_type: int, datagram: Datagram) -> None:
        """Count an exchange of which nothing but its first message was seen, of that version and exchange type."""
        mode, name = _opening(version, exchange_type)
        frame, time = datagram.frame, datagram.time
        self._count((datagram.source, datagram.destination, mode, name, None), 1, frame, frame, time, time)

    def add_answered(self, ends: tuple[str, str], last: Header, sender: Side, sightings: Sequence[Sighting]) -> None:
        """Count an exchange of two ends, the initiator first, that got as far as the `last` message."""
        first_sighting, last_sighting = sightings[0], sightings[-1]
        self._count(
            (*ends, mode_of(last), step_name(last, sender, 0), None),
            len(sightings),
            first_sighting.frame,
            last_sighting.frame,
            first_sighting.time,
            last_sighting.time,
        )

    def add(self, exchange: Exchange, outcome: str | None) -> None:
        """Count an exchange of which more was seen; `outcome` where it was judged."""
        last = exchange.steps[-1]
        self._count(
            (exchange.initiator.address, exchange.responder.address, exchange.mode, last.name, outcome),
            sum(len(s.sent) + len(s.duplicates) + s.uncounted for s in exchange.steps),
            exchange.steps[0].first.frame,
            max(s.last.frame for s in exchange.steps),
            exchange.first_time,
            exchange.last_time,
        )

    def _count(self, key: _Key, messages: int, first: Frame, last: Frame, first_time: int, last_time: int) -> None:
        row = self._rows.get(key)
        if row is None and len(self._rows) >= MAX_ROWS:
            key = (None, key[1] if len(self._rows) < 2 * MAX_ROWS else None, *key[2:])
            row = self._rows.get(key)
        if row is None:
            self._rows[key] = _Row(1, messages, first, last, first_time, last_time)
            return
        row.exchanges += 1
        row.messages += messages
        if first < row.first_frame:
            row.first_frame = first
        if last > row.last_frame:
            row.last_frame = last
        if first_time < row.first_time:
            row.first_time = first_time
        if last_time > row.last_time:
            row.last_time = last_time

    def folded(self) -> tuple[Folded, ...]:
        """The counts, those with the most exchanges first."""
        rows = sorted(self._rows.items(), key=lambda item: (-item[1].exchanges, item[1].first_frame))
        return tuple(
            Folded(*key, row.exchanges, row.messages, row.first_frame, row.last_frame, row.first_time, row.last_time)
            for key, row in rows
        )


@cache
def _opening(version: int, exchange_type: int) -> tuple[Mode, str]:
    """The mode and the name of a first message; both fields are an octet, so the cache is small."""
    header = Header(b"", ZERO_SPI, PayloadType.SA, version, exchange_type, HeaderFlag.INITIATOR, 0, 0)
    return mode_of(header), step_name(header, Side.INITIATOR, 0)
