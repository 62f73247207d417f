"""Exchanges that had to make room: counted by their ends and by how far they went."""

from collections.abc import Sequence
from copy import copy
from functools import lru_cache

from msgspec import Struct

from pcapdiag.capture.datagram import Datagram, Frame
from pcapdiag.exchange.model import Exchange, Folded, Mode, Side, Sighting
from pcapdiag.exchange.modes import mode_of, step_name
from pcapdiag.ike.message import ZERO_SPI, Header

MAX_ROWS = 10_000
"""Rows that name both ends. Beyond it a row names the responder only, and beyond twice as many neither."""

_Key = tuple[str | None, str | None, Mode, str, str | None]
_OpeningKey = tuple[str | None, str | None, bytes, bool]
"""The ends; next payload, version, exchange type and flags of the last message; whether that is an answer."""


class _Row(Struct, gc=False):
    exchanges: int
    messages: int
    first_frame: Frame
    last_frame: Frame
    first_time: int
    last_time: int

    def widen(self, first_frame: Frame, last_frame: Frame, first_time: int, last_time: int) -> None:
        """Reach over these as well."""
        if last_time > self.last_time:
            self.last_time = last_time
        if last_frame > self.last_frame:
            self.last_frame = last_frame
        if first_time < self.first_time:
            self.first_time = first_time
        if first_frame < self.first_frame:
            self.first_frame = first_frame


class Folder:
    """Takes exchanges in, and keeps no more of them than counts."""

    def __init__(self) -> None:
        self._rows: dict[_Key, _Row] = {}
        self._openings: dict[_OpeningKey, _Row] = {}

    def add_opening(
        self, octets: bytes, datagram: Datagram, answer_octets: bytes = b"", answer: Datagram | None = None
    ) -> None:
        """Count an exchange of which nothing but its first message was seen, and perhaps an answer."""
        # A flood comes here for each of its cookies: names are found out when they are asked for.
        frame, time = datagram.frame, datagram.time
        if answer is None:
            messages, last_frame, last_time = 1, frame, time
            key: _OpeningKey = (datagram.source, datagram.destination, octets[16:20], False)
        else:
            messages, last_frame, last_time = 2, answer.frame, answer.time
            key = (datagram.source, datagram.destination, answer_octets[16:20], True)
        row = self._openings.get(key)
        if row is None:
            if len(self._openings) >= MAX_ROWS:
                key = (None, key[1] if len(self._openings) < 2 * MAX_ROWS else None, key[2], key[3])
                row = self._openings.get(key)
            if row is None:
                self._openings[key] = _Row(1, messages, frame, last_frame, time, last_time)
                return
        row.exchanges += 1
        row.messages += messages
        row.widen(frame, last_frame, time, last_time)

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
        row.widen(first, last, first_time, last_time)

    def folded(self) -> tuple[Folded, ...]:
        """The counts, those with the most exchanges first."""
        together = {key: copy(row) for key, row in self._rows.items()}
        for (initiator, responder, fields, answered), row in self._openings.items():
            mode, name = _message(fields, Side.RESPONDER if answered else Side.INITIATOR)
            known = together.get((initiator, responder, mode, name, None))
            if known is None:
                together[initiator, responder, mode, name, None] = copy(row)
            else:
                known.exchanges += row.exchanges
                known.messages += row.messages
                known.widen(row.first_frame, row.last_frame, row.first_time, row.last_time)
        rows = sorted(together.items(), key=lambda item: (-item[1].exchanges, item[1].first_frame))
        return tuple(
            Folded(*key, row.exchanges, row.messages, row.first_frame, row.last_frame, row.first_time, row.last_time)
            for key, row in rows
        )


@lru_cache(1024)
def _message(fields: bytes, sender: Side) -> tuple[Mode, str]:
    """The mode and the name of a message with these fields: next payload, version, exchange type and flags."""
    next_payload, version, exchange_type, flags = fields
    header = Header(b"", ZERO_SPI, next_payload, version, exchange_type, flags, 0, 0)
    return mode_of(header), step_name(header, sender, 0)
