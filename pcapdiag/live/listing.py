"""Messages that are told one by one, as long as they do not come too fast."""

from pcapdiag.capture.datagram import Datagram, FragmentLoss, Frame
from pcapdiag.exchange.model import Exchange, Step
from pcapdiag.live.events import Seen, Unlisted
from pcapdiag.units import SECOND

MAX_LISTED = 200
"""Messages a second that are told one by one."""


class Listing:
    """Counts the messages of each second; those beyond MAX_LISTED are told as a number.

    total -- messages that were not told one by one
    """

    def __init__(self) -> None:
        self.total = 0
        self._second = self._listed = self._untold = 0

    def allows(self, time: int) -> bool:
        """Whether the message that comes at this time is told; to be asked once of each."""
        second = time // SECOND
        if second != self._second:
            self._second, self._listed = second, 0
        self._listed += 1
        if self._listed > MAX_LISTED:
            self._untold += 1
            self.total += 1
            return False
        return True

    def unlisted(self, now: int, *, last: bool = False) -> list[Unlisted]:
        """How many were not told, once their second is over; `last`: now or never."""
        second = 0 if last else self._second
        if not self._untold or now // SECOND == second:
            return []
        count, self._untold = self._untold, 0
        return [Unlisted(now, count)]


def seen(exchange: Exchange, item: Datagram | FragmentLoss, time: int) -> Seen | None:
    """What to tell of the message of this exchange that the item completed; None for a piece of one."""
    frame = item.frame if isinstance(item, Datagram) else item.frames[-1]
    step = _step_of(exchange, frame)
    if step is None:
        return None
    return Seen(
        time=time,
        exchange=exchange.id,
        mode=exchange.mode.value,
        frame=frame,
        source=item.source,
        source_port=item.source_port or 0,
        destination=item.destination,
        destination_port=item.destination_port or 0,
        step=step,
        times=len(step.sent) + step.uncounted,
        duplicate=any(s.frame == frame for s in step.duplicates[-1:]),
        whole=step.whole,
    )


def _step_of(exchange: Exchange, frame: Frame) -> Step | None:
    """The message that this frame completed."""
    for step in reversed(exchange.steps):
        if any(s.frame == frame for s in (*step.sent[-1:], *step.duplicates[-1:])):
            return step
    return None
