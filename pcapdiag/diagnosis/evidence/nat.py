"""Where NAT is, by recomputing the NAT-D hashes in both directions (RFC 3947 §3.2, RFC 7296 §2.23).

Each end hashes the destination as it wrote it and its own source addresses. Compared with the addresses that the
capture shows, the hashes of one end tell of NAT between that end and the capture point, and those of the other end of
NAT between the capture point and that other end.
"""

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.outcome.stop import chosen_transform
from pcapdiag.exchange.model import Exchange, Mode, Side, Sighting, Step
from pcapdiag.ike.nat_traversal import nat_detection_hash
from pcapdiag.ike.payloads import NatDetection
from pcapdiag.ike.registry import HashAlgorithm, NotifyTypeV2, OakleyAttribute
from pcapdiag.record import Record


class NatFinding(Record, frozen=True):
    """What is in front of one end.

    translated -- its address is changed on the way; faked -- its hash fits nothing although it is not translated
    text -- what shows it; frames -- where
    place -- where its address is changed: "beyond" the capture point, so that the other end sees an address that is not
    in the capture, or "before" it, so that its own is not; empty where both are in the capture, or neither is changed
    """

    translated: bool
    faked: bool
    text: str
    frames: tuple[Frame, ...]
    place: str = ""


class NatView(Record, frozen=True):
    """NAT in front of each end; None where the hashes that would tell are not in the capture."""

    initiator: NatFinding | None
    responder: NatFinding | None

    def before(self, side: Side) -> NatFinding | None:
        """In front of that end."""
        return self.initiator if side is Side.INITIATOR else self.responder

    @property
    def translated(self) -> bool:
        """NAT in front of at least one end."""
        return any(f is not None and f.translated for f in (self.initiator, self.responder))

    @property
    def none(self) -> bool:
        """Both ends' hashes agree with the addresses seen."""
        found = (self.initiator, self.responder)
        return all(f is not None and not f.translated and not f.faked for f in found)

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The frames with the hashes."""
        found = [f.frames for f in (self.initiator, self.responder) if f is not None]
        return tuple(sorted({frame for frames in found for frame in frames}))


class _Hashes(Record, frozen=True):
    """What one message says: does its destination hash, does one of its source hashes, fit what was captured?"""

    step: Step
    destination_fits: bool
    source_fits: bool


def nat_view(exchange: Exchange) -> NatView | None:
    """Where NAT is between the two ends; None where no NAT-D hash can be checked."""
    if exchange.mode is Mode.IKEV2:
        found = {side: _hashes_v2(exchange, side) for side in Side}
    else:
        found = {side: _hashes_v1(exchange, side) for side in Side}
    if not any(found.values()):
        return None
    return NatView(
        _in_front_of(Side.INITIATOR, exchange, found[Side.INITIATOR], found[Side.RESPONDER]),
        _in_front_of(Side.RESPONDER, exchange, found[Side.RESPONDER], found[Side.INITIATOR]),
    )


def _in_front_of(side: Side, exchange: Exchange, own: _Hashes | None, peers: _Hashes | None) -> NatFinding | None:
    """`own` are the hashes that this end sent, `peers` those that the other end sent to it."""
    seen = exchange.peer(side).address
    aliases = exchange.peer(side).aliases
    if own is None and peers is None:
        return None
    frames = tuple(sorted(h.step.first.frame for h in (own, peers) if h is not None))
    if peers is not None and not peers.destination_fits:
        text = (
            f"the {side.other} hashed another destination than {seen}, where the capture shows it sending: "
            "it knows this end by another address, beyond the capture point."
        )
        return NatFinding(True, False, text, (peers.step.first.frame,), "beyond")
    if own is not None and not own.source_fits:
        if own.step.first.ttl in (64, 128, 255) and not aliases:
            text = (
                f"sends a NAT-D hash that does not fit {seen}, though its TTL of {own.step.first.ttl} shows no router "
                "before the capture point: it forces UDP encapsulation, or is translated in its own host."
            )
            return NatFinding(False, True, text, (own.step.first.frame,))
        text = (
            f"its own NAT-D hash does not fit {seen}: it was translated before the capture point, or it sends a false "
            "hash to force UDP encapsulation."
        )
        return NatFinding(True, False, text, (own.step.first.frame,), "before")
    if own is not None and any(d.source != own.step.first.source for d in own.step.duplicates):
        others = ", ".join(dict.fromkeys(d.source for d in own.step.duplicates))
        text = f"the capture has both sides of it: the same packet comes from {seen} and from {others}."
        return NatFinding(True, False, text, own.step.first.frames + own.step.duplicates[0].frames)
    return NatFinding(False, False, "the hashes fit the addresses seen.", frames)


def _hashes_v1(exchange: Exchange, side: Side) -> _Hashes | None:
    """Main Mode messages 3 and 4, Aggressive Mode messages 2 and (encrypted mostly) 3."""
    transform = chosen_transform(exchange)
    attribute = transform.attribute(OakleyAttribute.HASH) if transform else None
    if attribute is None or not isinstance(attribute.value, int) or attribute.value > 0xFFFF:
        return None
    algorithm = HashAlgorithm(attribute.value)
    for step in exchange.in_clear:
        if step.sender is not side or not step.number:
            continue
        sent = [p.body for p in step.message.payloads if isinstance(p, NatDetection)]
        if len(sent) >= 2:
            header = step.message.header
            cookies = (header.initiator_spi, header.responder_spi)
            return _compare(exchange, step, sent[0], sent[1:], algorithm, cookies)
    return None


def _hashes_v2(exchange: Exchange, side: Side) -> _Hashes | None:
    """NAT_DETECTION_SOURCE_IP and _DESTINATION_IP of IKE_SA_INIT, SHA-1 always."""
    for step in exchange.sent_by(side):
        notifies = step.notifications
        if not notifies:
            continue
        sources = [n.data for n in notifies if n.notify_type == NotifyTypeV2.NAT_DETECTION_SOURCE_IP]
        targets = [n.data for n in notifies if n.notify_type == NotifyTypeV2.NAT_DETECTION_DESTINATION_IP]
        if sources and targets:
            header = step.message.header
            spis = (header.initiator_spi, header.responder_spi)
            return _compare(exchange, step, targets[0], sources, HashAlgorithm.SHA1, spis)
    return None


def _compare(
    exchange: Exchange,
    step: Step,
    destination: bytes,
    sources: list[bytes],
    algorithm: HashAlgorithm,
    cookies: tuple[bytes, bytes],
) -> _Hashes | None:
    """Against every sighting: a capture on both sides of a NAT shows the message with more than one address.

    And against every address that an end was seen with: one with several hashes the one that it was written to.
    """

    def of(address: str, port: int) -> bytes | None:
        return nat_detection_hash(algorithm, *cookies, address, port)

    first, peer = step.first, exchange.peer(step.sender.other)
    if not step.duplicates and first.destination == peer.address and not peer.aliases:
        target = of(first.destination, first.destination_port)
        mine = exchange.peer(step.sender)
        if target is None:
            return None
        if mine.address == first.source and not mine.aliases:
            return _Hashes(step, destination == target, of(first.source, first.source_port) in sources)
    sightings: tuple[Sighting, ...] = (step.first, *step.duplicates)
    there, here = exchange.peer(step.sender.other).addresses, exchange.peer(step.sender).addresses
    targets = {of(a, s.destination_port) for s in sightings for a in {s.destination, *there}}
    own = {of(a, s.source_port) for s in sightings for a in {s.source, *here}}
    if None in targets:
        return None
    return _Hashes(step, destination in targets, any(source in own for source in sources))
