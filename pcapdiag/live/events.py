"""What a watch tells while it runs. Times are nanoseconds since the Unix epoch, by the clock of the capture."""

from pcapdiag.capture.datagram import CaptureSummary, Frame, IcmpError
from pcapdiag.capture.source import InterfaceCounts
from pcapdiag.diagnosis.outcome.retransmission import Pending
from pcapdiag.diagnosis.outcome.stop import Outcome, Stop
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Exchange, Side, Step
from pcapdiag.exchange.tracker import TrackerCounts
from pcapdiag.record import Record


class Seen(Record, frozen=True):
    """A message went by.

    exchange -- the id; mode -- of the exchange; step -- the message with all its transmissions so far
    times -- how often it was sent, this time included; duplicate -- this packet was recorded before
    whole -- False for IP fragments of which some never came
    """

    time: int
    exchange: int
    mode: str
    frame: Frame
    source: str
    source_port: int
    destination: str
    destination_port: int
    step: Step
    times: int
    duplicate: bool
    whole: bool = True


class Bounced(Record, frozen=True):
    """An ICMP error went by that quotes a message of this exchange."""

    time: int
    exchange: int
    error: IcmpError


class Waiting(Record, frozen=True):
    """An exchange has been quiet for a moment, and what comes next is not certain.

    missing -- the message that is due ("MM4", "Quick Mode"); waits_for -- who has to send it
    pending -- what the sender's schedule lets expect; None where nothing of phase 1 was seen
    """

    time: int
    exchange: Exchange
    missing: str
    waits_for: Side | None
    pending: Pending | None


class Verdict(Record, frozen=True):
    """The outcome of an exchange is known, or something of what was said of it has changed.

    before -- the outcome that was told before; None the first time
    attempt -- which of the exchanges in a row, between the same peers, that ended alike
    settles_at -- until then the causes may still change with what the initiator does next (see schedule.settles_at);
        0 where they are what they are
    last -- the watch ends: it is as far as the exchange got
    """

    time: int
    diagnosis: Diagnosis
    before: Outcome | None
    attempt: int
    settles_at: int = 0
    last: bool = False


class Unlisted(Record, frozen=True):
    """Messages came faster than they are told one by one; they were taken in all the same."""

    time: int
    messages: int


class Evicted(Record, frozen=True):
    """Exchanges had to make room: they are counted, and no more is said of them one by one.

    openings -- with nothing but a first message; exchanges -- the others
    """

    time: int
    openings: int
    exchanges: int


class Notice(Record, frozen=True):
    """Something about the capture itself: an interface went away, a file could not be written."""

    time: int
    text: str


Event = Seen | Bounced | Waiting | Verdict | Unlisted | Evicted | Notice


class Row(Record, frozen=True):
    """An exchange on watch.

    outcome -- what was last said of it, "open" for nothing; stop -- where it stands now
    last -- when something of it was last seen
    """

    exchange: Exchange
    outcome: str
    stop: Stop
    last: int


class Totals(Record, frozen=True):
    """How the exchanges stand.

    outcomes -- of those on watch and of those that were told and put aside, by what was last said; "open" is not yet
    states -- of those on watch that were told: end ("initiator") and its most probable state ("MM_WAIT_MSG6")
    peers -- verdicts by peers ("10.1.0.2 10.2.0.2") and outcome, "other" beyond what is named
    evicted_openings, evicted_exchanges, unlisted -- see the events of these names
    released -- exchanges that were told and put aside; watched -- those that are on watch
    """

    outcomes: dict[str, int]
    states: dict[tuple[str, str], int]
    peers: dict[tuple[str, str], int]
    evicted_openings: int
    evicted_exchanges: int
    unlisted: int
    released: int
    watched: int


class Summary(Record, frozen=True):
    """What a watch saw from its beginning to its end.

    reason -- why it ended; began, ended -- by this machine's clock
    capture, interfaces -- what the source says; counts -- what the tracker did; unread -- frames that the source had
    taken and nobody looked at any more
    """

    reason: str
    began: int
    ended: int
    capture: CaptureSummary
    interfaces: tuple[InterfaceCounts, ...]
    counts: TrackerCounts
    totals: Totals
    unread: int
    all_completed: bool
    failed: bool
