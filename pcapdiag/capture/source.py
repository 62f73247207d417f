"""What a live watch reads from: anything that yields Captured items as they come, and says what it lost on the way.

`interface` has the one for network interfaces, `pipe` the one for a capture that another program writes. A third, such
as one that reads what dumpcap or tshark captures, needs no more than this protocol.
"""

import selectors
from collections.abc import Collection, Sequence
from typing import Protocol

from pcapdiag.capture.datagram import Captured, CaptureSummary
from pcapdiag.record import Record


class InterfaceCounts(Record, frozen=True):
    """What one place of capture did, in packets.

    received -- that the kernel's filter let through, or that the file held; None where that is not known
    dropped -- of them, lost for want of room in the kernel's buffer
    interface_dropped -- lost by the interface or its driver before any filter, where the system counts that
    taken -- that reached the analysis: received less dropped, and less what is still on the way
    """

    name: str
    received: int | None
    dropped: int | None
    interface_dropped: int | None
    taken: int


class Source(Protocol):
    """A live source. None of its methods blocks but `wait`.

    notices -- what became known since it was last emptied, one line each: an interface went away
    over -- nothing more will come; failed -- and that is not as it should be
    """

    notices: list[str]
    over: bool
    failed: bool

    @property
    def names(self) -> tuple[str, ...]:
        """What is read, for people."""

    @property
    def backlog(self) -> int:
        """Frames that were taken from the kernel and wait for their analysis."""

    def wait(self, seconds: float, wakes: Sequence[int]) -> None:
        """Return when there may be something to gather, one of `wakes` (descriptors) is readable, or time is up."""

    def gather(self) -> None:
        """Take in what has arrived, cheaply, so that the kernel's buffer has room."""

    def take(self, limit: int) -> list[Captured]:
        """Decode at most `limit` frames of the backlog; what they hold, in the order of capture."""

    def now(self) -> int:
        """Up to when everything that was captured has been taken: nanoseconds since the Unix epoch, by its clock."""

    def finish(self) -> list[Captured]:
        """The capture ends: what was still waiting for its other parts."""

    def summary(self) -> CaptureSummary:
        """What the frames were, so far."""

    def counts(self) -> tuple[InterfaceCounts, ...]:
        """What was received and lost so far, by interface."""

    def close(self) -> None:
        """Let go of everything; harmless the second time."""


_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


def readable(descriptors: Collection[int], seconds: float | None = None) -> frozenset[int]:
    """Those that can be read from, once there are any, or after that time. Any number will do, as with poll(2)."""
    with _Selector() as selector:
        for descriptor in descriptors:
            selector.register(descriptor, selectors.EVENT_READ)
        return frozenset(key.fd for key, _ in selector.select(seconds))
