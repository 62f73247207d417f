"""When a verdict is given, and when an exchange is looked at again. Times are nanoseconds, of the capture's clock."""

from collections.abc import Sequence

from pcapdiag.diagnosis.outcome.conversations import find_stop
from pcapdiag.diagnosis.outcome.retransmission import pending
from pcapdiag.diagnosis.outcome.stop import SILENCE, Outcome, Setting, Stop
from pcapdiag.exchange.model import Exchange
from pcapdiag.live.watched import Ending, Watched
from pcapdiag.units import SECOND

SETTLE = SECOND // 10
"""What is said of an exchange waits for what may come with it: where it works, messages are milliseconds apart."""
WAITING_AFTER = 2 * SECOND
"""A reply that takes longer than this is worth a word."""
PHASE2_GRACE = 2 * SECOND
"""Phase 1 is told to be complete together with Quick Mode, if that is done by then."""
REVIEW = SILENCE + SECOND
"""What goes on under an exchange that was told is judged again after this, when its silences mean something."""
FORGET = 600 * SECOND
"""An exchange that did not complete is put aside when it has been quiet for so long after it was told: nothing that
the same peers do can change its outcome by then (SUPERSEDED_WITHIN, NEAR)."""
FORGET_COMPLETED = 26 * 3600 * SECOND
"""One that completed: longer than any usual lifetime of an IKE SA, which may be silent until it is renewed."""


def known_from(exchange: Exchange, stop: Stop, conversation: Sequence[Exchange], now: int) -> int:
    """From when on this outcome is certain: silence means nothing while its sender may still send again. 0: at once."""
    alone = stop.before or stop.outcome
    if alone not in (Outcome.STALLED, Outcome.INCONCLUSIVE):
        return 0
    waits = pending(exchange)
    if waits is None:
        return 0
    if stop.outcome is Outcome.INCONCLUSIVE:
        return max(waits.over_at, now + SECOND)
    if find_stop(exchange, Setting(waits.reached, conversation)).outcome is Outcome.STALLED:
        return 0  # not for its silence: an ICMP error or a new attempt says so
    return waits.over_at


def phase2_until(w: Watched, ending: Ending, now: int) -> int:
    """Until when Quick Mode is waited for before phase 1 is told to be complete; 0 where it is not, or no longer."""
    if w.outcome is Outcome.COMPLETED or ending.outcome is not Outcome.COMPLETED:
        return 0
    until = w.last + PHASE2_GRACE
    return until if ending.phase2 is Outcome.INCONCLUSIVE and now < until else 0


def is_due(w: Watched, now: int) -> bool:
    """Something came since it was judged, and that was long enough ago, or it is quiet by now."""
    if w.settles_at and now >= w.settles_at:
        return True
    pause = REVIEW if w.completed else SECOND
    return w.stirred and (w.settles_at > 0 or now - w.judged >= pause or now - w.last >= REVIEW)


def next_look(w: Watched, now: int) -> int:
    """When to look again at an exchange that was told."""
    if w.settles_at:
        return w.settles_at
    if w.stirred:
        return max(min(w.judged, w.last) + REVIEW, now + SECOND)
    return max(w.last + _patience(w), now + REVIEW)


def is_over(w: Watched, now: int) -> bool:
    """It has been quiet for so long after it was told that it is put aside."""
    return w.told is not None and now - w.last >= _patience(w)


def matters(w: Watched, now: int) -> bool:
    """Whether it can matter to others: what was told and has been going on for long matters to itself alone."""
    return w.stirred or w.told is None or w.began >= now - FORGET or is_over(w, now)


def _patience(w: Watched) -> int:
    return FORGET_COMPLETED if w.completed else FORGET
