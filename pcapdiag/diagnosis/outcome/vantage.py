"""Where on the path the capture was taken, and which directions it sees: one judgement, used by all of diagnosis.

A router takes one from the TTL of what it forwards (RFC 1812 §5.3.1), so a packet that still has the TTL with which
systems begin has passed none. That they begin with 64, 128 or 255 is a habit, of all common ones; so what is said of
the capture point is never more than likely.
"""

from pcapdiag.capture.datagram import Frame
from pcapdiag.exchange.model import Exchange, Side, Step
from pcapdiag.ike.message import ZERO_SPI
from pcapdiag.ike.registry import NotifyTypeV2
from pcapdiag.record import Record

INITIAL_TTLS = (64, 128, 255)
"""With these the IP stacks of common systems begin."""


class Vantage(Record, frozen=True):
    """Where the capture was taken.

    at -- the end whose packets pass no router before it, where that holds of one end only; None: on the way, or unknown
    hops -- routers that each end's packets have passed, by the TTL; of the ends that are seen
    one_way -- the only end whose packets are seen although the other one must have sent some; None: both are seen, or
        nothing shows that there is another
    frames -- the first packet of each end
    """

    at: Side | None
    hops: dict[Side, int]
    one_way: Side | None
    frames: tuple[Frame, ...]

    @property
    def behind(self) -> Side | None:
        """The one end that is seen, where its packets passed routers before the capture point."""
        if len(self.hops) != 1:
            return None
        ((side, count),) = self.hops.items()
        return side if count else None


def vantage_of(exchange: Exchange) -> Vantage:
    """Where this exchange was captured."""
    sent = {side: next((s for s in exchange.steps if s.sender is side), None) for side in Side}
    hops = {side: hops_passed(s.first.ttl) for side, s in sent.items() if s is not None}
    frames = tuple(s.first.frame for s in sent.values() if s is not None)
    near = [side for side, count in hops.items() if count == 0]
    at = near[0] if len(near) == 1 and (len(hops) == 2 or near[0] is Side.INITIATOR) else None
    return Vantage(at, hops, one_way_of(exchange.steps), frames)


def hops_passed(ttl: int) -> int:
    """Routers passed, if the sender began with the next of the usual values."""
    return next((start for start in INITIAL_TTLS if ttl <= start), 255) - ttl


def one_way_of(steps: tuple[Step, ...]) -> Side | None:
    """The only end whose packets are seen, where these show that the other one sends as well.

    A responder answers and never begins; an initiator that names the responder's cookie has had an answer
    (RFC 2408 §3.1, RFC 7296 §2.6).
    """
    senders = {s.sender for s in steps}
    if len(senders) != 1 or len(steps) < 2:
        return None
    sender = senders.pop()
    if sender is Side.RESPONDER or any(s.message.header.responder_spi != ZERO_SPI or _has_cookie(s) for s in steps):
        return sender
    return None


def _has_cookie(step: Step) -> bool:
    """A request that brings the responder's cookie back (RFC 7296 §2.6): it has had an answer."""
    return any(n.notify_type == NotifyTypeV2.COOKIE for n in step.notifications)
