"""What an analysis found, as plain records: what all reports read."""

from pcapdiag.capture.datagram import CaptureSummary
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis, all_well
from pcapdiag.exchange.model import Folded, KeepaliveFlow
from pcapdiag.exchange.tracker import TrackerCounts
from pcapdiag.record import Displayed, Record


class CaptureReport(Record, frozen=True):
    """One capture: what it held, and how much of it was IKE.

    summary.datagrams = ike_messages + not_ike, except where one TCP segment completes several messages.
    """

    summary: CaptureSummary
    ike_messages: int
    not_ike: int


class Findings(Displayed, frozen=True):
    """Captures that were read, and what is said of the exchanges in them.

    captures -- those that were read, in order; errors -- one line for each that could not be
    diagnoses -- of every exchange; the first thing said of two peers is how it ended between them
    keepalives -- NAT keep-alives by direction; counts -- what the tracker did with what it was fed
    folded -- exchanges beyond the limits of what is told one by one, counted; the most frequent first
    """

    captures: tuple[CaptureReport, ...]
    errors: tuple[str, ...]
    diagnoses: tuple[Diagnosis, ...]
    keepalives: tuple[KeepaliveFlow, ...]
    counts: TrackerCounts
    folded: tuple[Folded, ...] = ()

    @property
    def ike_messages(self) -> int:
        """IKE messages in all captures."""
        return sum(c.ike_messages for c in self.captures)

    @property
    def all_completed(self) -> bool:
        """Whether every tunnel is up, or nothing says that it is not."""
        return all_well(self.diagnoses) and all(f.outcome == Outcome.COMPLETED for f in self.folded)
