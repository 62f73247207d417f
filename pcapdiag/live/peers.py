"""What is remembered of peers beyond the exchanges on watch: whom they met, and how it ended between them."""

from collections import OrderedDict
from collections.abc import Collection

from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.live.watched import Peers, Said

MAX_MET = 64
"""Responders of one initiator that are remembered."""
MAX_INITIATORS = 4_096


class PeerMemory:
    """Remembers how it ended in so many conversations, and so many responders of so many initiators."""

    def __init__(self, max_conversations: int) -> None:
        self._max_conversations = max_conversations
        self._met: OrderedDict[str, set[str]] = OrderedDict()
        self._runs: OrderedDict[Peers, tuple[Said, int]] = OrderedDict()

    def __len__(self) -> int:
        """Count the initiators."""
        return len(self._met)

    def met_by(self, initiator: str) -> Collection[str]:
        """The responders that it began with and did not finish with."""
        return self._met.get(initiator, ())

    def remember(self, diagnosis: Diagnosis) -> None:
        """This was said of the two."""
        e = diagnosis.exchange
        met = self._met.setdefault(e.initiator.address, set())
        self._met.move_to_end(e.initiator.address)
        if diagnosis.completed:
            met.discard(e.responder.address)
        elif len(met) < MAX_MET:
            met.add(e.responder.address)
        if not met:
            del self._met[e.initiator.address]
        if len(self._met) > MAX_INITIATORS:
            self._met.popitem(last=False)

    def attempt(self, talk: Peers, said: Said, *, again: bool) -> int:
        """Which of the exchanges in a row, between these two, it is of which the same is said.

        again -- something was said of this one before
        """
        before, count = self._runs.get(talk, (None, 0))
        if before != said:
            count = 1
        elif not again:
            count += 1
        self._runs[talk] = (said, count)
        self._runs.move_to_end(talk)
        if len(self._runs) > self._max_conversations:
            self._runs.popitem(last=False)
        return count
