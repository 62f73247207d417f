"""An exchange while it is collected: what is kept of it, and under which addresses its ends were seen."""

from msgspec import Struct, field

from pcapdiag.capture.datagram import Datagram, FragmentLoss, IcmpError
from pcapdiag.exchange.fragments import PIECES, FragmentCollector
from pcapdiag.exchange.model import Side, Sighting, Step
from pcapdiag.exchange.modes import PHASE_1, certain_sender
from pcapdiag.exchange.sightings import DUPLICATE_WINDOW, DUPLICATE_WINDOW_WITH_ID
from pcapdiag.ike.message import ZERO_SPI, Header, Message
from pcapdiag.ike.registry import ExchangeType, PayloadType

MAX_ALIASES = 16
"""Addresses kept for one end of an exchange."""


def telling_kinds(message: Message) -> tuple[int, ...]:
    """Types of the payloads in clear, where they tell which message this is: in IKEv1's phase 1, SA not in front."""
    header = message.header
    if header.exchange_type not in PHASE_1 or header.next_payload == PayloadType.SA or header.encrypted:
        return ()
    if message.cut and header.next_payload == PayloadType.VENDOR_ID and header.responder_spi == ZERO_SPI:
        # Message 1 with vendor IDs in front: SA stands behind what the capture has (RFC 2408 §3.1).
        return (*message.payload_types, int(PayloadType.SA))
    return message.payload_types


class Opening(Struct, gc=False):
    """The first message under a new cookie, and its answer, as they came. Most of a flood never gets beyond this.

    size -- octets that are kept of both
    """

    id: int
    datagram: Datagram
    octets: bytes
    size: int
    answer: Datagram | None = None
    answer_octets: bytes = b""

    def is_answered_by(self, datagram: Datagram, octets: bytes) -> bool:
        """Whether this is the plain answer: whole, of the same version, from where the first message went, to there."""
        first = self.datagram
        return (
            self.answer is None
            and datagram.source == first.destination
            and datagram.destination == first.source
            and datagram.source_port == first.destination_port
            and datagram.destination_port == first.source_port
            and octets[8:16] != ZERO_SPI
            and octets[17] == self.octets[17]
            and octets[16] not in PIECES
        )


class OpenStep(Struct):
    """A message that is still being collected.

    by_first -- sent by the end that sent the first of all
    built, built_from -- the record that was made of it last, and out of what: a watch asks for the same ones for days
    """

    header: Header
    message: Message
    by_first: bool
    sent: list[Sighting]
    duplicates: list[Sighting] = field(default_factory=list)
    uncounted: int = 0
    missing: tuple[int, ...] = ()
    cut_by_ip_loss: bool = False
    pieces: tuple[Message, ...] = ()
    built: Step | None = None
    built_from: tuple[object, ...] = ()

    @property
    def kinds(self) -> tuple[int, ...]:
        """Types of the payloads that stand in clear, where they tell which message this is: in IKEv1's phase 1."""
        return telling_kinds(self.message)


class OpenExchange(Struct):
    """An exchange that is still being collected. The `first` end sent the first message that was seen.

    thin_at -- as many have to be uncounted before its middle is looked for again
    engaged -- it went on: see `goes_on`; size -- octets that are kept of it, pieces that wait for others not counted
    """

    id: int
    major: int
    initiator_spi: bytes
    first: tuple[str, int]
    second: tuple[str, int]
    first_side: Side | None = None
    responder_spis: list[bytes] = field(default_factory=list)
    first_addresses: dict[str, None] = field(default_factory=dict)
    second_addresses: dict[str, None] = field(default_factory=dict)
    steps: list[OpenStep] = field(default_factory=list)
    by_content: dict[tuple[bool, bytes], OpenStep] = field(default_factory=dict)
    fragments: FragmentCollector = field(default_factory=FragmentCollector)
    assembled: tuple[bytes, OpenStep] | None = None
    icmp_errors: list[IcmpError] = field(default_factory=list)
    fragment_losses: list[FragmentLoss] = field(default_factory=list)
    uncounted: int = 0
    thin_at: int = 0
    engaged: bool = False
    size: int = 0

    @property
    def goes_on(self) -> bool:
        """Whether there is more than one message of the end that began, and perhaps one answer to it."""
        steps = self.steps
        if not steps:
            return True  # pieces of a message
        return (
            len(steps) > 2
            or steps[0].header.responder_spi != ZERO_SPI
            or (len(steps) == 2 and steps[0].by_first is steps[1].by_first)
        )

    def sent_by_first(self, datagram: Datagram) -> bool:
        """Whether the end that sent the first message sent this one."""
        if datagram.source in self.first_addresses:
            if datagram.source not in self.second_addresses:
                return True
            # Both ends behind one address (a test on loopback, hairpin NAT): the ports tell.
            return datagram.source_port == self.first[1]
        if datagram.source in self.second_addresses:
            return False
        return datagram.destination not in self.first_addresses

    def learn_addresses(self, datagram: Datagram, by_first: bool, other_leg: bool) -> None:
        """Remember under which addresses the ends were seen.

        One that is the other end's is this end's as well only where the same packet shows it on the other side of a
        NAT (`other_leg`): else whoever writes to both ends would make them one.
        """
        source, destination = (
            (self.first_addresses, self.second_addresses) if by_first else (self.second_addresses, self.first_addresses)
        )
        for known, others, address in (
            (source, destination, datagram.source),
            (destination, source, datagram.destination),
        ):
            if len(known) < MAX_ALIASES and (other_leg or address not in others):
                known.setdefault(address)

    def knows_way(self, datagram: Datagram, by_first: bool) -> bool:
        """Whether both addresses are known as those of the end that sent it and of the other one."""
        if by_first:
            return datagram.source in self.first_addresses and datagram.destination in self.second_addresses
        return datagram.source in self.second_addresses and datagram.destination in self.first_addresses

    def knows(self, datagram: Datagram) -> bool:
        """Whether it goes from an address of one end to one of the other."""
        one, other = datagram.source, datagram.destination
        return (one in self.first_addresses and other in self.second_addresses) or (
            one in self.second_addresses and other in self.first_addresses
        )


def other_leg(candidate: OpenExchange, datagram: Datagram, octets: bytes) -> bool:
    """Whether this is the same packet on the other side of a NAT: same octets, one address kept, no time between."""
    return any(other_leg_of(candidate, by_first, datagram, octets) for by_first in (True, False))


def other_leg_of(candidate: OpenExchange, by_first: bool, datagram: Datagram, octets: bytes) -> bool:
    """The same of what one end sent."""
    step = candidate.by_content.get((by_first, octets))
    if step is None:
        return False
    last = step.sent[-1]
    # A NAT keeps the identification; where none is set, it is the time that tells.
    known = last.ip_id == datagram.ip_id and last.ip_id
    if abs(datagram.time - last.time) > (DUPLICATE_WINDOW_WITH_ID if known else DUPLICATE_WINDOW):
        return False
    return last.source == datagram.source or last.destination == datagram.destination


def goes_astray(candidate: OpenExchange, header: Header, datagram: Datagram) -> bool:
    """Whether this says who sent it, and in this exchange the other end has that address.

    Both ends can begin under one cookie (`begins_anew`): an answer goes to the one that asked.
    """
    side = certain_sender(header)
    if side is None or candidate.first_side is None or candidate.major != header.major:
        return False
    own, other = candidate.first_addresses, candidate.second_addresses
    if side is not candidate.first_side:
        own, other = other, own
    return datagram.source in other and datagram.source not in own


def answers_elsewhere(candidate: OpenExchange, header: Header, datagram: Datagram) -> bool:
    """Whether this is the first answer to a message 1 although the addresses differ.

    The responder answers from another address than the initiator wrote to, or the capture point has the initiator's
    message 1 only from before a NAT and the answer from behind it.
    """
    if header.responder_spi == ZERO_SPI or len(candidate.responder_spis) >= MAX_ALIASES:
        return False
    # Anybody can be the first to answer; the initiator says whom it heeds by going on with a cookie.
    given = {s.header.responder_spi for s in candidate.steps if not s.by_first} - {ZERO_SPI}
    if given and any(s.by_first and s.header.responder_spi in given for s in candidate.steps):
        return False
    return datagram.destination in candidate.first_addresses or datagram.source in candidate.second_addresses


def begins_anew(candidate: OpenExchange, header: Header, datagram: Datagram) -> bool:
    """Whether this is a first message of the end that was asked before, under the cookie that it was asked with.

    The initiator alone has no responder's cookie to give (RFC 2408 §3.1, RFC 7296 §3.1): what it sends is no answer.
    """
    side = candidate.first_side
    if side is None or not candidate.steps:
        return False
    asked = candidate.second_addresses if side is Side.INITIATOR else candidate.first_addresses
    began = candidate.first_addresses if side is Side.INITIATOR else candidate.second_addresses
    return (
        header.responder_spi == ZERO_SPI
        and not header.encrypted
        and (
            header.next_payload in FIRST_IN_MESSAGE_1
            if header.major == 1
            else header.from_initiator and not header.response
        )
        and header.exchange_type in OPENING
        and datagram.source in asked
        and datagram.source not in began
    )


OPENING = (ExchangeType.MAIN, ExchangeType.AGGRESSIVE, ExchangeType.IKE_SA_INIT, ExchangeType.IKE_SESSION_RESUME)
"""With these an exchange begins."""
FIRST_IN_MESSAGE_1 = (PayloadType.SA, PayloadType.VENDOR_ID)
"""Message 1 of IKEv1 has SA first (RFC 2409 §5); there are senders that put vendor IDs before it."""


def answers_version(candidate: OpenExchange, header: Header, datagram: Datagram) -> bool:
    """Whether this is the answer of an end that speaks only the other version of IKE, in that version's header.

    RFC 7296 §2.5, §1.5: the notify INVALID_MAJOR_VERSION under the initiator's SPI.
    """
    return (
        candidate.major != header.major
        and bool(candidate.steps)
        and candidate.steps[0].header.responder_spi == ZERO_SPI
        and not header.encrypted
        and (header.response or header.exchange_type == ExchangeType.INFORMATIONAL)
        and datagram.source in candidate.second_addresses
        and datagram.destination in candidate.first_addresses
    )
