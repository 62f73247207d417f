"""Exchanges that had to make room: counted by their ends and by how far they went."""

from collections.abc import Sequence

from msgspec import Struct

from pcapdiag.capture.datagram import Datagram, Frame
from pcapdiag.exchange.model import Exchange, Folded, Mode, Side, Sighting
from pcapdiag.exchange.modes import mode_of, step_name
from pcapdiag.ike.message import Header

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
        self._kinds: dict[tuple[int, int, int, int, Side], tuple[Mode, str]] = {}

    def add_opening(self, header: Header, datagram: Datagram) -> None:
        """Count an exchange of which nothing but its first message was seen."""
        kind = self._kind(header, Side.INITIATOR)
        frame, time = datagram.frame, datagram.time
        self._count((datagram.source, datagram.destination, *kind, None), 1, frame, frame, time, time)

    def add_answered(self, ends: tuple[str, str], last: Header, sender: Side, sightings: Sequence[Sighting]) -> None:
        """Count an exchange of two ends, the initiator first, that got as far as the `last` message."""
        first_sighting, last_sighting = sightings[0], sightings[-1]
        self._count(
            (*ends, *self._kind(last, sender), None),
            len(sightings),
            first_sighting.frame,
            last_sighting.frame,
            first_sighting.time,
            last_sighting.time,
        )

    def _kind(self, header: Header, sender: Side) -> tuple[Mode, str]:
        """The mode and the name of a message, which are the same for every one of a flood."""
        key = (header.version, header.exchange_type, header.flags, header.next_payload, sender)
        kind = self._kinds.get(key)
        if kind is None:
            kind = mode_of(header), step_name(header, sender, 0)
            self._kinds[key] = kind
        return kind

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
        row.first_frame, row.last_frame = min(row.first_frame, first), max(row.last_frame, last)
        row.first_time, row.last_time = min(row.first_time, first_time), max(row.last_time, last_time)

    def folded(self) -> tuple[Folded, ...]:
        """The counts, those with the most exchanges first."""
        rows = sorted(self._rows.items(), key=lambda item: (-item[1].exchanges, item[1].first_frame))
        return tuple(
            Folded(*key, row.exchanges, row.messages, row.first_frame, row.last_frame, row.first_time, row.last_time)
            for key, row in rows
        )
