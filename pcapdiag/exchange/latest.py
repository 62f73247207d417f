"""Which exchange sent last from here to there: for what goes by and does not say whose it is.

A router may quote no more of a message than its ports, and pieces of a datagram without the first have not even these.
"""

from collections.abc import Container, Iterable

from pcapdiag.capture.datagram import Datagram
from pcapdiag.exchange.model import Sighting
from pcapdiag.exchange.open_exchange import OpenExchange, Opening


class LatestSenders:
    """Ids of exchanges by both addresses, with the ports and without.

    Hardly any capture asks, so it is made when one does, of the exchanges that are `kept` by then, with their ids.
    """

    def __init__(self, kept: Iterable[tuple[int, Opening | OpenExchange]]) -> None:
        self._latest: dict[tuple[str, int, str, int] | tuple[str, str], int] = {}
        went: list[tuple[int, int, Datagram | Sighting]] = []
        for number, exchange in kept:
            if isinstance(exchange, Opening):
                both = [exchange.datagram] if exchange.answer is None else [exchange.datagram, exchange.answer]
                went += [(d.time, number, d) for d in both]
            else:
                went += [(s.time, number, s) for step in exchange.steps for s in step.sent[-1:]]
        for _, number, sent in sorted(went, key=lambda row: row[:2]):
            self.note(sent, number)

    def __len__(self) -> int:
        """Count the ways."""
        return len(self._latest)

    def note(self, sent: Datagram | Sighting, number: int) -> None:
        """This exchange sends now."""
        self._latest[sent.source, sent.destination] = number
        self._latest[sent.source, sent.source_port, sent.destination, sent.destination_port] = number

    def of(self, sent: Datagram) -> int:
        """The id of the exchange whose message was the last to go between these ports, this way; 0 for none."""
        return self._latest.get((sent.source, sent.source_port, sent.destination, sent.destination_port), 0)

    def between(self, source: str, destination: str) -> int:
        """The id of the exchange whose message was the last to go this way; 0 for none."""
        return self._latest.get((source, destination), 0)

    def keep_only(self, *kept: Container[int]) -> None:
        """Forget exchanges that are in none of these."""
        self._latest = {way: n for way, n in self._latest.items() if any(n in ids for ids in kept)}
