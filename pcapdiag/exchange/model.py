"""What the tracker builds: exchanges, their steps, and every sighting of each.

Times are integer nanoseconds since the Unix epoch, as the capture gives them.
"""

from enum import StrEnum

from pcapdiag.capture.datagram import FragmentLoss, Frame, IcmpError
from pcapdiag.ike.message import Message, Opened
from pcapdiag.ike.nat_traversal import NAT_T_PORT
from pcapdiag.ike.payloads import Notification, Payload, Proposal
from pcapdiag.ike.registry import ExchangeType
from pcapdiag.ike.vendor_ids import VendorId
from pcapdiag.record import Displayed, Record, lazy


class Side(StrEnum):
    """Which end of an exchange."""

    INITIATOR = "initiator"
    RESPONDER = "responder"

    @property
    def other(self) -> "Side":
        """The end that this one talks to."""
        return Side.RESPONDER if self is Side.INITIATOR else Side.INITIATOR


class Mode(StrEnum):
    """How phase 1 is done. `unknown`: nothing of phase 1 is in the capture."""

    MAIN = "main"
    AGGRESSIVE = "aggressive"
    IKEV2 = "ikev2"
    UNKNOWN = "unknown"


class Peer(Record, frozen=True):
    """One end, as first seen in this exchange.

    aliases -- other addresses that it was seen with: before and behind a NAT, after a move
    identities -- what it calls itself, in clear as in Aggressive Mode, or opened with keys: "FQDN vpn.example.com"
    vendors -- products that its vendor IDs name, with the version where one is known
    """

    address: str
    port: int
    vendors: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address that it was seen with."""
        return (self.address, *self.aliases)


class Sighting(Record, frozen=True):
    """One time that a message crossed the capture point.

    frames -- the frames that carried it: several where IP or IKE fragments did; time is the last one's
    transport -- "udp", or "tcp" (RFC 9329)
    marked -- four zero octets stood before it, as on UDP 4500 they should (RFC 3948 §2.2)
    """

    frames: tuple[Frame, ...]
    time: int
    source: str
    source_port: int
    destination: str
    destination_port: int
    ttl: int
    ip_id: int | None
    transport: str = "udp"
    marked: bool = False

    @property
    def frame(self) -> Frame:
        """The frame that completed it."""
        return self.frames[-1]

    @property
    def floated(self) -> bool:
        """It went over UDP 4500 (RFC 3947 §4)."""
        return self.transport == "udp" and NAT_T_PORT in (self.source_port, self.destination_port)


class Unopened(Record, frozen=True):
    """Why an encrypted message does not open although there is a key for it; `wrong_key`: another one made it."""

    reason: str
    wrong_key: bool


class Step(Record, frozen=True):
    """One message of an exchange, with each time that it was sent.

    name -- "MM1" … "MM6", "AM1" … "AM3", "QM1" … "QM3", "Informational", "IKE_AUTH request", …
    number -- its place in Main or Aggressive Mode, None for everything else
    sent -- the first transmission, then the retransmissions (a new IP packet each)
    duplicates -- the same IP packet recorded again: a mirror port, an `any` interface, both sides of a NAT
    uncounted -- sightings beyond the limit of what is kept
    missing -- numbers of the IKE fragments that were never seen; empty for a whole message
    cut_by_ip_loss -- only some of its IP fragments were captured
    pieces -- the messages with SKF that it came in (RFC 7383), in order; empty for one that came as it is
    opened -- what keys showed of it; unopened -- why they did not; both None where there was no key for it
    """

    name: str
    number: int | None
    sender: Side
    message: Message
    sent: tuple[Sighting, ...]
    duplicates: tuple[Sighting, ...] = ()
    uncounted: int = 0
    missing: tuple[int, ...] = ()
    cut_by_ip_loss: bool = False
    pieces: tuple[Message, ...] = ()
    opened: Opened | None = None
    unopened: Unopened | None = None

    @property
    def first(self) -> Sighting:
        """The first transmission."""
        return self.sent[0]

    @property
    def last(self) -> Sighting:
        """The latest transmission."""
        return self.sent[-1]

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Every frame of every transmission."""
        sent = self.sent
        if len(sent) == 1:
            return sent[0].frames
        return tuple([frame for sighting in sent for frame in sighting.frames])

    @property
    def times(self) -> tuple[int, ...]:
        """When it was sent, first transmission and retransmissions."""
        return tuple([sighting.time for sighting in self.sent])

    @property
    def octets(self) -> int:
        """Its size on the wire: of all its pieces, where it came in IKE fragments that were not put together."""
        return sum(p.header.length for p in self.pieces) or self.message.header.length

    @property
    def encrypted(self) -> bool:
        """Its payloads cannot be read without keys."""
        return self.message.header.encrypted

    @property
    def exchange_type(self) -> ExchangeType:
        """From the header."""
        return self.message.header.exchange

    @property
    def whole(self) -> bool:
        """Every piece of it was captured at least once."""
        return not self.missing and not self.cut_by_ip_loss

    @property
    def payloads(self) -> tuple[Payload, ...]:
        """Every payload that can be read: in clear, and what keys showed."""
        return (*self.message.payloads, *self.opened.payloads) if self.opened is not None else self.message.payloads

    @property
    def notifications(self) -> tuple[Notification, ...]:
        """The notifies that stand in clear."""
        return self.message.notifications

    @property
    def proposals(self) -> tuple[Proposal, ...]:
        """What its security association payload in clear holds, or nothing."""
        return self.message.proposals

    @property
    def vendor_ids(self) -> tuple[VendorId, ...]:
        """Its vendor IDs, identified."""
        return self.message.vendor_ids


class Exchange(Displayed, frozen=True, dict=True, gc=True):
    """Everything under one pair of cookies between two peers: phase 1 and what followed it.

    id -- place in the order of first sight, from 1
    initiator_spi, responder_spi -- eight octets; the responder's is None until it is seen
    other_responder_spis -- cookies that the responder answered with beside `responder_spi`: it forgot the exchange
        and began anew
    roles_certain -- False where the capture starts in the middle and the roles are inferred
    roles_known -- False where nothing decides them: the end that was seen first stands as the initiator
    steps -- in the order of first sight
    fragment_losses -- IP fragments between its ends, while it went on, of which the first piece never came
    strays -- messages under its cookies from an address that is neither end's, and what goes under a responder's cookie
        that the responder did not give: anybody may have sent them
    icmp_errors -- those that quote a message of this exchange
    uncounted -- messages beyond the limit of what is kept
    """

    id: int
    mode: Mode
    initiator: Peer
    responder: Peer
    initiator_spi: bytes
    responder_spi: bytes | None
    other_responder_spis: tuple[bytes, ...]
    roles_certain: bool
    steps: tuple[Step, ...]
    icmp_errors: tuple[IcmpError, ...] = ()
    uncounted: int = 0
    roles_known: bool = True
    strays: tuple[Step, ...] = ()
    fragment_losses: tuple[FragmentLoss, ...] = ()

    @property
    def conversation(self) -> tuple[str, str]:
        """The two peers, whoever began."""
        one, other = self.initiator.address, self.responder.address
        return (one, other) if one <= other else (other, one)

    @lazy
    def initiator_ports(self) -> frozenset[int]:
        """The ports from which the initiator sends, or to which it is sent, as far as seen from the outermost side."""
        return frozenset(
            sighting.source_port if step.sender is Side.INITIATOR else sighting.destination_port
            for step in self.steps
            for sighting in step.sent
        )

    @lazy
    def first_time(self) -> int:
        """When its first message was seen."""
        return min([step.sent[0].time for step in self.steps], default=0)

    @lazy
    def last_time(self) -> int:
        """When its last message was seen."""
        return max([step.sent[-1].time for step in self.steps], default=0)

    @lazy
    def phase1_end(self) -> int:
        """When phase 1 was over, where it completed: its last phase 1 message, first transmission."""
        numbered = [step.sent[0].time for step in self.steps if step.number]
        auth = [s.first.time for s in self.of_type(ExchangeType.IKE_AUTH)] if not numbered else []
        return max(numbered or auth or [self.first_time])

    @lazy
    def _by_type(self) -> dict[int, tuple[Step, ...]]:
        found: dict[int, list[Step]] = {}
        for step in self.steps:
            found.setdefault(step.message.header.exchange_type, []).append(step)
        return {kind: tuple(steps) for kind, steps in found.items()}

    @lazy
    def _by_name(self) -> dict[str, tuple[Step, ...]]:
        found: dict[str, list[Step]] = {}
        for step in self.steps:
            found.setdefault(step.name, []).append(step)
        return {name: tuple(steps) for name, steps in found.items()}

    @lazy
    def _by_number(self) -> dict[int, tuple[Step, ...]]:
        found: dict[int, list[Step]] = {}
        for step in self.steps:
            if step.number is not None:
                found.setdefault(step.number, []).append(step)
        return {number: tuple(steps) for number, steps in found.items()}

    def of_type(self, kind: ExchangeType) -> tuple[Step, ...]:
        """The steps of that exchange type."""
        return self._by_type.get(kind, ())

    @lazy
    def in_clear(self) -> tuple[Step, ...]:
        """The steps of which a payload can be read, or is to be said what is wrong with it."""
        return tuple([s for s in self.steps if s.opened is not None or not s.message.sealed])

    @lazy
    def repeated(self) -> tuple[Step, ...]:
        """The steps that were sent three times and more: enough to tell whose timer it was."""
        return tuple([s for s in self.steps if len(s.sent) > 2])

    def sent_by(self, side: Side) -> tuple[Step, ...]:
        """The steps of that end."""
        return self._by_sender[side]

    @lazy
    def _by_sender(self) -> dict[Side, tuple[Step, ...]]:
        return {side: tuple([s for s in self.steps if s.sender is side]) for side in Side}

    def peer(self, side: Side) -> Peer:
        """The peer at that end."""
        return self.initiator if side is Side.INITIATOR else self.responder

    def named(self, name: str) -> tuple[Step, ...]:
        """The steps of that name; several where its content changed from one sending to the next."""
        return self._by_name.get(name, ())

    def numbered(self, number: int) -> tuple[Step, ...]:
        """The steps at that place of Main or Aggressive Mode."""
        return self._by_number.get(number, ())

    @property
    def last_message(self) -> int | None:
        """The highest Main or Aggressive Mode message that was seen; None when there was none."""
        return max(self._by_number, default=None)


class Folded(Record, frozen=True):
    """Exchanges that had to make room for others, counted together.

    initiator, responder -- addresses; None where there are too many to name
    mode, last_message -- how far they went: "MM1", "IKE_SA_INIT response", …
    outcome -- how they ended, where that was judged before they made room
    exchanges, messages -- how many; of the messages, every transmission
    """

    initiator: str | None
    responder: str | None
    mode: Mode
    last_message: str
    outcome: str | None
    exchanges: int
    messages: int
    first_frame: Frame
    last_frame: Frame
    first_time: int
    last_time: int


class KeepaliveFlow(Record, frozen=True):
    """The NAT keep-alives of one direction."""

    source: str
    source_port: int
    destination: str
    destination_port: int
    packets: int
    first_frame: Frame
    last_frame: Frame
    first_time: int
    last_time: int
