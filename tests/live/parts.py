"""Parts of a watch for tests of one of them: exchanges on watch with nothing around."""

from collections.abc import Iterable

from pcapdiag.capture.datagram import Captured
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.tunnel import TunnelState
from pcapdiag.diagnosis.verdict import Diagnosis, diagnose
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.live.watched import Ending, Said, Watched
from tests.messages import LEFT, RIGHT, SECOND, Wire


def watched(number: int = 1, outcome: Outcome | None = None, **fields: object) -> Watched:
    """An exchange on watch of which this was told, nothing by default."""
    found = Watched(number, (LEFT, RIGHT), RIGHT, 0, 0, messages=1, outcome=outcome)
    if outcome is not None:
        found.told = said(outcome)
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def said(outcome: Outcome, phase2: Outcome | None = None) -> Said:
    """That an exchange ended so, for no reason that is known."""
    ending = Ending(outcome, "MM2", None, ("MM_WAIT_MSG2",), (), phase2)
    return Said(ending, TunnelState.DOWN, None, False)


def diagnoses(items: Iterable[Captured], end: float) -> tuple[Diagnosis, ...]:
    """Those of these items, `end` seconds after the Epoch."""
    tracker = Tracker()
    for item in items:
        tracker.feed(item)
    return diagnose(list(tracker.exchanges()), round(end * SECOND))


def diagnosis(*numbers: int, end: float = 60) -> Diagnosis:
    """That of an exchange of these messages of Main Mode."""
    (found,) = diagnoses(Wire().main_mode(0, *numbers), end)
    return found
