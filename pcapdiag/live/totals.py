"""What a watch counts: how exchanges stand and stood, and what had to make room."""

from collections.abc import Collection, Iterable

from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.live.events import Evicted, Totals
from pcapdiag.live.watched import Watched
from pcapdiag.units import SECOND

MAX_PEERS = 200
"""Conversations that totals name; the rest is "other"."""
REPORT_LOSSES = 10 * SECOND
"""So often it is told what had to make room."""


class RunningTotals:
    """The counts of what is not on watch any more, and of what was said."""

    def __init__(self) -> None:
        self._evicted_openings = self._evicted_exchanges = self._released = 0
        self._outcomes: dict[str, int] = {}
        self._all_well = True
        self._peers: dict[tuple[str, str], int] = {}
        self._named: set[str] = set()
        self._told = (0, 0)
        self._told_at = 0

    def evicted(self, gone: Watched, *, opening: bool) -> None:
        """It had to make room; `opening`: with nothing but a first message and an answer."""
        if opening:
            self._evicted_openings += 1
        else:
            self._evicted_exchanges += 1
        if gone.told is not None:
            self._leaves(gone)
        self._all_well &= gone.well

    def released(self, gone: Watched) -> None:
        """Everything was said of it."""
        self._released += 1
        self._leaves(gone)
        self._all_well &= gone.well

    def _leaves(self, gone: Watched) -> None:
        name = outcome_name(gone)
        self._outcomes[name] = self._outcomes.get(name, 0) + 1

    def verdict(self, diagnosis: Diagnosis) -> None:
        """This was said."""
        name = " ".join(diagnosis.exchange.conversation)
        if name not in self._named:
            if len(self._named) < MAX_PEERS:
                self._named.add(name)
            else:
                name = "other"
        key = (name, diagnosis.stop.outcome.value)
        self._peers[key] = self._peers.get(key, 0) + 1

    def losses(self, now: int, *, last: bool = False) -> list[Evicted]:
        """What had to make room since it was last told, no more often than now and then; `last`: now or never."""
        losses = (self._evicted_openings, self._evicted_exchanges)
        since = 0 if last else self._told_at
        if losses == self._told or now - since < REPORT_LOSSES:
            return []
        openings, exchanges = (new - old for new, old in zip(losses, self._told, strict=True))
        self._told_at, self._told = now, losses
        return [Evicted(now, openings, exchanges)]

    def all_well(self, watched: Iterable[Watched]) -> bool:
        """Whether every tunnel is well, on watch or not."""
        return self._all_well and all(w.well for w in watched)

    def totals(self, watched: Collection[Watched], unlisted: int) -> Totals:
        """How the exchanges stand, with those on watch."""
        outcomes = dict(self._outcomes)
        states: dict[tuple[str, str], int] = {}
        for w in watched:
            name = outcome_name(w)
            outcomes[name] = outcomes.get(name, 0) + 1
            for state in _states(w):
                states[state] = states.get(state, 0) + 1
        return Totals(
            outcomes=outcomes,
            states=states,
            peers=dict(self._peers),
            evicted_openings=self._evicted_openings,
            evicted_exchanges=self._evicted_exchanges,
            unlisted=unlisted,
            released=self._released,
            watched=len(watched),
        )


def outcome_name(w: Watched) -> str:
    """What was last said of an exchange, "open" for nothing."""
    return w.outcome.value if w.outcome is not None else "open"


def _states(w: Watched) -> list[tuple[str, str]]:
    """The most probable state of each end, as last said."""
    if w.told is None:
        return []
    ending = w.told.ending
    ends = (("initiator", ending.initiator_state), ("responder", ending.responder_state))
    return [(end, states[0]) for end, states in ends if states]
