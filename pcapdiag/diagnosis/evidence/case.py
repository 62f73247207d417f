"""What facts are drawn from, and what they are: the records that all of `diagnosis` shares."""

from collections.abc import Sequence
from itertools import pairwise

from msgspec.structs import replace

from pcapdiag.capture.datagram import EspFlow, Frame, UnansweredArp
from pcapdiag.diagnosis.evidence.nat import NatView, nat_view
from pcapdiag.diagnosis.outcome import ikev2
from pcapdiag.diagnosis.outcome.quick_mode import Phase2
from pcapdiag.diagnosis.outcome.stop import BEGINS, Outcome, Setting, Stop
from pcapdiag.diagnosis.outcome.vantage import Vantage, vantage_of
from pcapdiag.exchange.model import Exchange, KeepaliveFlow, Side, Step
from pcapdiag.ike.registry import ExchangeType, PayloadType
from pcapdiag.record import Record, lazy
from pcapdiag.units import SECOND

FLOOD = 100
"""This many attempts, less than a second apart, are no peer's."""


MANY = 20
"""From this many on, what one end meets alike is told as one thing: a sweep over addresses."""


MAX_FRAMES = 40
"""Frames that are cited for a fact about many exchanges."""


CERTIFICATES = frozenset((int(PayloadType.CERT), int(PayloadType.CERT2)))


class Evidence(Record, frozen=True):
    """One fact.

    id -- E1, E2 … within the exchange; kind -- what sort of fact it is, stable
    text -- one or two sentences; frames -- that show it, never empty
    display_filter -- for Wireshark; kinds -- `kind` and, where one fact is an instance of several, the others
    source -- "wire", or "log" where lines of a device's log say so; lines -- these: "asa.log:120"
    """

    id: str
    kind: str
    text: str
    frames: tuple[Frame, ...]
    display_filter: str
    kinds: tuple[str, ...]
    source: str = "wire"
    lines: tuple[str, ...] = ()


class Fact(Record, frozen=True):
    """A fact before it has a number. also -- kinds of which it is an instance as well."""

    kind: str
    text: str
    frames: tuple[Frame, ...]
    also: tuple[str, ...] = ()


class Case(Record, frozen=True, dict=True, gc=True):
    """Everything that facts are drawn from: the exchange, where it stopped, and what is around it.

    attempts -- how often the same initiator began and ended like this
    completed -- exchanges of the same peers that completed, in order
    responders_met -- how many responders this initiator began with and did not finish with
    esp -- ESP flows between the two peers; keys -- pre-shared keys to hold against the hashes of Aggressive Mode
    counter_offers -- exchanges in which this one's responder shows proposals of its own, a few of them
    keepalives -- NAT keep-alives between the two peers
    unanswered -- who asked by ARP for the responder's address, which did not answer
    """

    exchange: Exchange
    stop: Stop
    setting: Setting
    phase2: tuple[Phase2, ...] = ()
    attempts: "Attempts | None" = None
    completed: Sequence[Exchange] = ()
    counter_offers: Sequence[Exchange] = ()
    responders_met: int = 1
    esp: tuple[EspFlow, ...] = ()
    keys: tuple[bytes, ...] = ()
    keepalives: tuple[KeepaliveFlow, ...] = ()
    unanswered: tuple[UnansweredArp, ...] = ()

    def __repr__(self) -> str:
        """Show which exchange it is about; the keys are nobody's to see."""
        return f"Case(exchange {self.exchange.id})"

    @property
    def last_step(self) -> Step | None:
        """The phase 1 message that went unanswered: the latest by its place."""
        top = self.exchange.last_message
        if top is not None:
            return self.exchange.numbered(top)[0]
        init = (*BEGINS, ExchangeType.IKE_INTERMEDIATE, ExchangeType.IKE_AUTH)
        steps = [s for s in self.exchange.steps if s.exchange_type in init]
        return ikev2.furthest(steps) if steps else None

    @property
    def unfinished(self) -> bool:
        """Phase 1 did not complete."""
        return self.stop.outcome not in (Outcome.COMPLETED, Outcome.PARTIAL)

    @lazy
    def nat(self) -> NatView | None:
        """Where NAT is between the two ends; None where no NAT-D hash can be checked."""
        return nat_view(self.exchange)

    @lazy
    def vantage(self) -> Vantage:
        """Where the capture was taken; that it sees one direction only may show beside this exchange alone."""
        found = vantage_of(self.exchange)
        if found.one_way is None and self.setting.one_way_near(self.exchange):
            return replace(found, one_way=self.exchange.steps[0].sender)
        return found

    def traffic_since(self, time: int) -> tuple[EspFlow, ...]:
        """Flows of ESP and AH that this exchange's negotiation since then can have made."""
        return self.setting.traffic_of(self.exchange, time)

    @lazy
    def more_is_told(self) -> bool:
        """Keys were tried on its messages, or a certificate stands in clear: what is inside is looked at as well."""
        if any(step.opened is not None or step.unopened is not None for step in self.exchange.steps):
            return True
        return any(not CERTIFICATES.isdisjoint(step.message.payload_types) for step in self.exchange.in_clear)

    def address(self, side: Side) -> str:
        """The address of that end."""
        return self.exchange.peer(side).address


class Attempts(Record, frozen=True):
    """Exchanges of one initiator that ended alike.

    usual_gap -- the median of the times between their beginnings, in nanoseconds
    frames -- with which the first of them began
    """

    count: int
    usual_gap: int
    frames: tuple[Frame, ...]

    @classmethod
    def of(cls, exchanges: Sequence[Exchange]) -> "Attempts":
        """Sum up these exchanges, which are in order."""
        gaps = sorted(b.first_time - a.first_time for a, b in pairwise(exchanges))
        frames = tuple(e.steps[0].first.frame for e in exchanges[:MAX_FRAMES])
        return cls(len(exchanges), gaps[len(gaps) // 2] if gaps else 0, frames)


def span(nanoseconds: int) -> str:
    """A duration in a sentence."""
    value = max(nanoseconds, 0) / SECOND  # a capture of several queues can have its frames out of order
    if value >= 2 * 86_400:
        return f"{value / 86_400:.0f} days"
    if value >= 7_200:
        return f"{value / 3_600:.0f} hours"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def slug(name: str) -> str:
    """A name as a part of a kind of evidence: `NO_PROPOSAL_CHOSEN` is `no-proposal-chosen`."""
    return name.lower().replace("_", "-").replace(" ", "-")
