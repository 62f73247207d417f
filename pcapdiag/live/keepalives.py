"""NAT keep-alives: which the tracker keeps, and for how long."""

from collections import OrderedDict
from collections.abc import Iterable

from pcapdiag.capture.datagram import Datagram
from pcapdiag.exchange.model import Exchange, KeepaliveFlow
from pcapdiag.live.watched import Peers
from pcapdiag.units import SECOND

MAX_KEEPALIVE_PAIRS = 10_000
KEEPALIVES_STALE = 3600 * SECOND

Flow = tuple[str, int, str, int]


class Keepalives:
    """Flows of keep-alives by their two addresses; what is forgotten here is forgotten in `flows`, the tracker's."""

    def __init__(self, flows: dict[Flow, KeepaliveFlow]) -> None:
        self._flows = flows
        self._pairs: OrderedDict[Peers, dict[Flow, None]] = OrderedDict()
        self._swept = 0

    def __len__(self) -> int:
        """Count the pairs of addresses."""
        return len(self._pairs)

    def note(self, item: Datagram) -> None:
        """One went by, and the tracker has it."""
        flow = (item.source, item.source_port, item.destination, item.destination_port)
        if flow not in self._flows:
            return  # the tracker has too many
        pair = (min(item.source, item.destination), max(item.source, item.destination))
        self._pairs.setdefault(pair, {})[flow] = None
        self._pairs.move_to_end(pair)
        if len(self._pairs) > MAX_KEEPALIVE_PAIRS:
            self._drop(next(iter(self._pairs)))

    def _drop(self, pair: Peers) -> None:
        for gone in self._pairs.pop(pair):
            self._flows.pop(gone, None)

    def sweep(self, now: int) -> None:
        """Forget those of pairs that have sent none for an hour; looked at once an hour."""
        if now - self._swept <= KEEPALIVES_STALE:
            return
        self._swept = now
        for pair, flows in list(self._pairs.items()):
            if all(now - self._flows[flow].last_time > KEEPALIVES_STALE for flow in flows if flow in self._flows):
                self._drop(pair)

    def of(self, exchanges: Iterable[Exchange]) -> list[KeepaliveFlow]:
        """Those between the ends of these exchanges."""
        found: dict[Flow, KeepaliveFlow] = {}
        if not self._pairs:
            return []
        for e in exchanges:
            for one in e.initiator.addresses:
                for other in e.responder.addresses:
                    for flow in self._pairs.get((min(one, other), max(one, other)), ()):
                        if flow in self._flows:
                            found[flow] = self._flows[flow]
        return list(found.values())
