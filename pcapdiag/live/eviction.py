"""What is let go of: an exchange leaves the watch for want of room, or because everything was said of it."""

from pcapdiag.diagnosis.verdict import outcome_alone
from pcapdiag.exchange.model import Exchange
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.live.totals import RunningTotals
from pcapdiag.live.watched import OnWatch, Talk, Watched
from pcapdiag.live.wheel import Wheel

MAX_WATCHED = 10_000
"""Exchanges on watch, beside those with nothing but a first message and an answer to it."""
MAX_OPENINGS = 500
"""Those; a flood is nothing else, and pushes out itself."""
MAX_TOGETHER = 32
"""Exchanges on watch between the same two peers that did not complete. A tunnel that is tried all day has a new one
every few minutes; of those that completed there may be many, from behind one NAT."""


class Eviction:
    """Takes exchanges off the watch, and has them counted. MAX_WATCHED is the tracker's to keep: it asks folded()."""

    def __init__(self, on_watch: OnWatch, tracker: Tracker, wheel: Wheel, totals: RunningTotals) -> None:
        self._on_watch = on_watch
        self._tracker = tracker
        self._wheel = wheel
        self._totals = totals

    def make_room(self, newest: Watched) -> None:
        """Something was put on watch: take off what there is too much of with it."""
        together = self._on_watch.talks[newest.talk]
        if len(together.unfinished) > MAX_TOGETHER:
            self._thin_out(together)
        openings = self._on_watch.openings
        if len(openings) > MAX_OPENINGS:
            self.evict(next(iter(openings.values())))

    def _thin_out(self, together: Talk) -> None:
        """Put aside one exchange of a conversation that has too many: one that was told, or else an opening."""
        going, openings = self._on_watch.going, self._on_watch.openings
        members = [going.get(n) or openings[n] for n in together.unfinished][:-1]
        done = next((w for w in members if w.told is not None), None)
        if done is not None:
            self.release(done)
        else:
            self.evict(next((w for w in members if w.id in openings), members[0]))

    def evict(self, gone: Watched) -> None:
        """Take an exchange off the watch for want of room."""
        self._totals.evicted(gone, opening=gone.id not in self._on_watch.going)
        self._take_off(gone)

    def release(self, gone: Watched) -> None:
        """Put an exchange aside of which everything was said."""
        self._tracker.release(gone.id, gone.outcome.value if gone.outcome is not None else None)
        self._totals.released(gone)
        self._take_off(gone)

    def folded(self, exchange: Exchange, now: int) -> str:
        """How an exchange ended whose room the tracker needs; it leaves the watch as well."""
        found = self._on_watch.find(exchange.id)
        if found is None:
            return outcome_alone(exchange, now)
        outcome = found.outcome.value if found.outcome is not None else outcome_alone(exchange, now)
        self.evict(found)
        return outcome

    def _take_off(self, gone: Watched) -> None:
        self._wheel.drop(gone.id)
        self._on_watch.drop(gone)
