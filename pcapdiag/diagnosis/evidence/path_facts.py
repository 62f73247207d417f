"""Facts about the path: ICMP errors, NAT and UDP 4500, fragments, and where the capture was taken."""

from collections.abc import Iterator, Sequence

from pcapdiag.capture.datagram import Frame, IcmpError
from pcapdiag.capture.icmp import icmp_name
from pcapdiag.diagnosis.evidence.case import MAX_FRAMES, Case, Fact, span
from pcapdiag.diagnosis.outcome import ikev2
from pcapdiag.diagnosis.outcome.stop import SILENCE, Outcome, frames_of, how_often
from pcapdiag.exchange.model import Exchange, KeepaliveFlow, Mode, Side, Step
from pcapdiag.ike.message import ZERO_SPI
from pcapdiag.ike.nat_traversal import NAT_T_PORT
from pcapdiag.ike.registry import ExchangeType
from pcapdiag.ike.vendor_ids import Feature, supports_nat_traversal
from pcapdiag.units import SECOND

IKE_PORT = 500
LARGE = 1_200
"""A UDP payload from here on may not fit one packet of every path; certificates make messages this large."""

_KINDS = (
    ("prohibited", "icmp-prohibited"),
    ("policy", "icmp-prohibited"),
    ("reject", "icmp-prohibited"),
    ("port", "icmp-port-unreachable"),
    ("reassembly", "icmp-reassembly-timeout"),
    ("fragmentation needed", "icmp-too-big"),
    ("too big", "icmp-too-big"),
    ("exceeded", "icmp-time-exceeded"),
)


def arp(case: Case) -> Iterator[Fact]:
    """Somebody asks by ARP for the responder's address, and it answers neither that nor IKE (RFC 826)."""
    if any(step.sender is Side.RESPONDER for step in case.exchange.steps):
        return
    for asked in case.unanswered[:1]:
        text = (
            f"{asked.asker} asked by ARP for {asked.address}, {asked.requests} times in "
            f"{span(asked.last_time - asked.first_time)}, and nothing answered in this capture."
        )
        yield Fact("arp-unanswered", text, tuple(dict.fromkeys((asked.first_frame, asked.last_frame))))


def icmp(case: Case) -> Iterator[Fact]:
    """ICMP errors that quote this exchange, by who sent them and what they say (RFC 792, RFC 4443).

    Nothing authenticates an ICMP error, so one alone confirms nothing: it takes errors about several transmissions,
    none of which got through.
    """
    grouped: dict[tuple[str, str, str, int], list[IcmpError]] = {}
    for error in case.exchange.icmp_errors:
        about = (error.source, icmp_name(error), error.quoted.destination, error.quoted.destination_port)
        grouped.setdefault(about, []).append(error)
    for (source, name, target, port), errors in grouped.items():
        side = next((s for s in Side if target in case.exchange.peer(s).addresses), None)
        kind = next((k for word, k in _KINDS if word in name), "icmp-unreachable")
        by, place = f"{source}, a device on the way,", "path"
        if side is not None and source in case.exchange.peer(side.other).addresses:
            by, place = f"{source}, the sender's own host,", "sender"
        elif source == target or (side is not None and source in case.exchange.peer(side).addresses):
            by, place = f"{source} itself", "peer"
        mtu = f" (next hop's MTU {errors[0].mtu})" if errors[0].mtu else ""
        version = "ICMPv6" if errors[0].version == 6 else "ICMP"
        heard = side is not None and _heard_since(case.exchange, side, errors[-1], kind)
        what = f"{version} {name}{mtu}, about datagrams to {target} port {port}"
        since = f"; but the {side} was heard from after that" if heard else ""
        text = f"{by} answered {how_often(len(errors))} with {what}{since}. Such an error is not authenticated."
        before = ""
        if not errors[0].undelivered:
            before = "remark-"
        elif _after_completion(case, errors[0]):
            before = "later-"
        elif heard:
            before = "overtaken-"
        elif side is Side.INITIATOR:
            before = "back-"  # it is the answers that do not arrive
        frames = tuple(e.frame for e in errors)
        also = []
        if not before and port == NAT_T_PORT:
            also.append("icmp-about-4500")
        if not before and _about_several(case.exchange, errors):
            also.append(f"repeated-{kind}-from-{place}")
        yield Fact(f"{before}{kind}-from-{place}", text, frames, tuple(also))


def _about_several(exchange: Exchange, errors: Sequence[IcmpError]) -> bool:
    """They quote different transmissions: by the IP identification, which a quote holds (RFC 792), else by the time."""
    numbers = {e.quoted.ip_id for e in errors} - {None, 0}
    if numbers:
        return len(numbers) > 1
    quoted = errors[0].quoted
    sent = [s for step in exchange.steps for s in step.sent if s.destination == quoted.destination]
    return len(sent) > 1 and errors[-1].time - errors[0].time > SECOND


def _heard_since(exchange: Exchange, side: Side, error: IcmpError, kind: str) -> bool:
    """The end that was out of reach sent something after the error, so that it did not last.

    What is said of a port holds until something comes from that port; what is said of fragments, whatever comes.
    """
    if kind in ("icmp-reassembly-timeout", "icmp-too-big"):
        return False
    port = error.quoted.destination_port if kind in ("icmp-prohibited", "icmp-port-unreachable") else None
    return any(
        sighting.time > error.time and port in (None, sighting.source_port)
        for step in exchange.steps
        if step.sender is side
        for sighting in step.sent
    )


def _after_completion(case: Case, error: IcmpError) -> bool:
    """The error is about what followed a phase 1 that completed."""
    phase1 = [s.first.time for s in case.exchange.steps if s.number or s.exchange_type == ExchangeType.IKE_AUTH]
    return not case.unfinished and error.time > max(phase1, default=0)


def nat(case: Case) -> Iterator[Fact]:
    """Where NAT is, by the NAT-D hashes (RFC 3947 §3.2)."""
    view = case.nat
    if view is None:
        return
    for side in Side:
        found = view.before(side)
        if found is None:
            continue
        seen = case.address(side)
        if found.translated:
            where = "NAT may be in front" if found.place == "before" else "NAT in front"
            text = f"{where} of the {side}: {found.text}"
            also = ("nat", f"nat-{found.place}-{side}") if found.place else ("nat",)
            yield Fact(f"nat-{side}", text, found.frames, also)
        elif found.faked:
            yield Fact(f"nat-faked-{side}", f"The {side} ({seen}) {found.text}", found.frames)
    if view.none:
        frames = view.frames
        told = frozenset(frames)
        senders = {s.sender for s in case.exchange.steps if not told.isdisjoint(s.frames)}
        text = "The NAT-D hashes of both ends agree with the addresses seen: no NAT between them."
        if len(senders) == 1:
            text = (
                f"The {senders.pop()}'s NAT-D hashes agree with the addresses seen: no NAT between it and the capture "
                "point; the other end's hashes would tell of the rest of the path."
            )
        yield Fact("no-nat", text, frames)


def nat_t(case: Case) -> Iterator[Fact]:
    """Who announces NAT traversal (RFC 3947 §3.1), and whether the exchange floated (§4)."""
    e = case.exchange
    if e.mode not in (Mode.MAIN, Mode.AGGRESSIVE):
        return
    for side, number in ((Side.INITIATOR, 1), (Side.RESPONDER, 2)):
        steps = e.numbered(number)
        whole = [s for s in steps if not s.message.cut and not s.message.problem]
        if whole and not supports_nat_traversal(whole[0].vendor_ids):
            text = f"The {side} does not announce NAT traversal: {whole[0].name} has no vendor ID for it."
            yield Fact(f"no-nat-t-{side}", text, whole[0].first.frames)
    final = e.numbered(5 if e.mode is Mode.MAIN else 3)
    if not final:
        return
    first = final[0]
    floated = first.first.floated
    view = case.nat
    if floated:
        text = f"The initiator moved to UDP port 4500 (NAT-T) with {first.name}."
        yield Fact("floated", text, first.first.frames)
    elif view is not None and view.translated and not _stays_on_500(e):
        text = f"NAT was found, but {first.name} still goes to UDP port 500: the initiator does not do NAT-T."
        yield Fact("no-float-despite-nat", text, first.first.frames)


def _stays_on_500(exchange: Exchange) -> bool:
    """An end announces no more than the first drafts of NAT traversal, 00 and 01, which do not move to UDP 4500."""
    for number in (1, 2):
        for step in exchange.numbered(number)[:1]:
            drafts = {v.name for v in step.vendor_ids if v.feature in (Feature.NAT_T, Feature.NAT_T_DRAFT)}
            if drafts and drafts <= EARLY_DRAFTS:
                return True
    return False


EARLY_DRAFTS = frozenset(("draft-ietf-ipsec-nat-t-ike-00", "draft-ietf-ipsec-nat-t-ike-01"))


def tcp(case: Case) -> Iterator[Fact]:
    """IKE in TCP (RFC 9329)."""
    carried = [s for s in case.exchange.steps if s.first.transport == "tcp"]
    if carried:
        port = carried[0].first.destination_port
        yield Fact("ike-over-tcp", f"IKE goes over TCP here (port {port}, RFC 9329).", carried[0].first.frames)


def ports(case: Case) -> Iterator[Fact]:
    """Ports that are not the usual ones: where it begins, to which port the answers go, and UDP 500 for others."""
    e = case.exchange
    first = e.steps[0]
    if first.sender is Side.INITIATOR and first.message.header.responder_spi == ZERO_SPI:
        sighting = first.first
        if sighting.floated:
            text = f"The initiator begins on UDP port {NAT_T_PORT}, as it may (RFC 3947 §4, RFC 7296 §2.23)."
            yield Fact("begins-on-4500", text, sighting.frames)
        elif IKE_PORT not in (sighting.destination_port, sighting.source_port) and sighting.transport == "udp":
            text = f"IKE goes to UDP port {sighting.destination_port} here, neither 500 nor 4500."
            yield Fact("begins-on-other-port", text, sighting.frames)
    yield from _answers_to_another_port(e)
    yield from _back_on_500(e)
    yield from _answer_stays_on_500(e)
    if case.unfinished:
        yield from _answers_from_another_port(e)
        yield from _port_500_passes(case)


def _back_on_500(exchange: Exchange) -> Iterator[Fact]:
    """The initiator goes on on UDP 500 behind the float: once it has moved it has to stay (RFC 3947 §4)."""
    moved = next((s for s in exchange.steps if s.sender is Side.INITIATOR and s.first.floated), None)
    if moved is None or (exchange.steps[0].first.floated and exchange.steps[0].sender is Side.INITIATOR):
        return
    back = [
        s
        for s in exchange.steps
        if s.sender is Side.INITIATOR and s.first.time > moved.first.time and IKE_PORT in _ports(s)
    ]
    if back:
        text = f"{back[0].name} goes to UDP port 500 again, after {moved.name} had gone to UDP port 4500."
        yield Fact("back-on-500", text, (moved.first.frame, *back[0].first.frames))


def _answer_stays_on_500(exchange: Exchange) -> Iterator[Fact]:
    """The responder answers on UDP 500 what came on 4500: it has to answer to that port (RFC 3947 §4)."""
    fives, sixes = exchange.numbered(5), exchange.numbered(6)
    if fives and sixes and fives[0].first.floated and IKE_PORT in _ports(sixes[0]):
        text = (
            f"{sixes[0].name} goes to UDP port 500, although {fives[0].name}, which it answers, came on UDP port 4500."
        )
        yield Fact("answer-stays-on-500", text, (fives[0].first.frame, *sixes[0].first.frames))


def _ports(step: Step) -> tuple[int, int]:
    return step.first.source_port, step.first.destination_port


def _answers_to_another_port(exchange: Exchange) -> Iterator[Fact]:
    """An answer has to go to the port that the request came from (RFC 7296 §2.11, RFC 3947 §4)."""
    asked: dict[tuple[str, str, int], set[int]] = {}
    for step in exchange.steps:
        asks = step.sender is Side.INITIATOR
        for sighting in step.sent:
            if asks:
                key = (sighting.source, sighting.destination, sighting.destination_port)
                asked.setdefault(key, set()).add(sighting.source_port)
                continue
            known = asked.get((sighting.destination, sighting.source, sighting.source_port))
            if known and sighting.destination_port not in known:
                text = (
                    f"The responder's {step.name} goes to port {sighting.destination_port}, but the initiator asked "
                    f"from port {', '.join(map(str, sorted(known)))}: a NAT on the way has no mapping for that."
                )
                yield Fact("answers-to-another-port", text, sighting.frames)
                return


def _answers_from_another_port(exchange: Exchange) -> Iterator[Fact]:
    """An answer has to come from the port that was asked (RFC 7296 §2.11); in IKEv2 the message ID says which it is."""
    asked: dict[tuple[int, int], set[int]] = {}
    for step in exchange.steps if exchange.mode is Mode.IKEV2 else ():
        key = (int(step.exchange_type), step.message.header.message_id)
        if step.sender is Side.INITIATOR:
            asked.setdefault(key, set()).update(s.destination_port for s in step.sent)
            continue
        known = asked.get(key)
        if known and step.message.header.response and step.first.source_port not in known:
            text = (
                f"The responder's {step.name} comes from port {step.first.source_port}, but the initiator asked port "
                f"{', '.join(map(str, sorted(known)))}."
            )
            yield Fact("answers-from-another-port", text, step.first.frames)
            return


def _port_500_passes(case: Case) -> Iterator[Fact]:
    """UDP 500 between the same two addresses, in both directions and near in time, whoever uses it."""
    e = case.exchange
    seen: dict[str, Frame] = {}
    for other in case.setting.near(e):
        for step in other.steps:
            for sighting in step.sent[:1]:
                if IKE_PORT in (sighting.source_port, sighting.destination_port) and sighting.transport == "udp":
                    seen.setdefault(sighting.source, sighting.frame)
    both = [seen.get(case.address(side)) for side in Side]
    if both[0] is not None and both[1] is not None:
        frames = tuple(sorted(frame for frame in both if frame is not None))
        text = "UDP port 500 passes in both directions between these two addresses."
        yield Fact("port-500-both-ways", text, frames)


def _answered_off_4500(exchange: Exchange) -> bool:
    """A request of IKEv2 that went to UDP 4500 is answered from another port: it got there (RFC 7296 §2.1)."""
    steps = exchange.steps if exchange.mode is Mode.IKEV2 else ()
    asked = {
        s.message.header.message_id for s in steps if s.sender is Side.INITIATOR and s.first.floated and s.encrypted
    }
    answers = [s for s in steps if s.sender is Side.RESPONDER and s.message.header.response and s.encrypted]
    return any(s.message.header.message_id in asked and not s.first.floated for s in answers)


def port_4500(case: Case) -> Iterator[Fact]:
    """UDP 4500 in each direction, IKE, ESP and keep-alives together."""
    if not case.unfinished or not case.exchange.roles_known:
        return
    e = case.exchange
    seen: dict[Side, list[Frame]] = {Side.INITIATOR: [], Side.RESPONDER: []}
    for step in e.steps:
        for sighting in step.sent:
            if sighting.floated:
                seen[step.sender].extend(sighting.frames)
    for flow in case.keepalives:
        if NAT_T_PORT not in (flow.source_port, flow.destination_port) or not _held_by(e, flow):
            continue
        if flow.source in (e.initiator.address, *e.initiator.aliases):
            seen[Side.INITIATOR].append(flow.first_frame)
        elif flow.source in (e.responder.address, *e.responder.aliases):
            seen[Side.RESPONDER].append(flow.first_frame)
    if _answered_off_4500(e):
        seen = {}  # what went to UDP 4500 did arrive
    for side, frames in seen.items():
        if frames and not seen[side.other] and case.vantage.one_way is not side:
            text = f"UDP port 4500 is used in one direction only: by the {side}, with nothing from the {side.other}."
            yield Fact(f"port-4500-only-{side}", text, tuple(sorted(frames)))
    if seen and all(seen.values()):
        both = (seen[Side.INITIATOR][0], seen[Side.RESPONDER][0])
        yield Fact("port-4500-both-ways", "UDP port 4500 passes in both directions.", both)


def _held_by(exchange: Exchange, flow: KeepaliveFlow) -> bool:
    """Whether these keep-alives can be this exchange's: they go on beside it, and it got as far as the NAT is found.

    That is with messages 3 and 4, or with the answer to IKE_SA_INIT (RFC 3947 §3.2, RFC 7296 §2.23).
    """
    if exchange.mode is Mode.MAIN and 0 < (exchange.last_message or 0) < 4:
        return False
    if exchange.mode is Mode.IKEV2 and all(s.sender is Side.INITIATOR and not s.encrypted for s in exchange.steps):
        return False
    return exchange.first_time <= flow.last_time and flow.first_time <= exchange.last_time + SILENCE


def keepalives(case: Case) -> Iterator[Fact]:
    """NAT keep-alives that go on while the exchange does not (RFC 3948 §2.3)."""
    e = case.exchange
    for flow in case.keepalives:
        ends = {flow.source, flow.destination}
        known = {e.initiator.address, e.responder.address, *e.initiator.aliases, *e.responder.aliases}
        if ends <= known and case.unfinished and _held_by(e, flow):
            text = f"NAT keep-alives from {flow.source} go on ({flow.packets} of them): it holds the mapping open."
            yield Fact("keepalives-go-on", text, (flow.first_frame, flow.last_frame))


def unmarked(case: Case) -> Iterator[Fact]:
    """IKE on UDP 4500 without the marker (RFC 3948 §2.2)."""
    steps = [s for s in case.exchange.steps if s.first.floated and not s.first.marked]
    if steps:
        text = (
            f"{steps[0].name} goes to UDP port 4500 without the four zero octets that mark IKE there (RFC 3948 §2.2): "
            "a receiver takes it for ESP."
        )
        yield Fact("no-marker", text, frames_of(steps)[:MAX_FRAMES])


def fragments(case: Case) -> Iterator[Fact]:
    """Messages in pieces that are missing, and large ones that nobody answers."""
    last = case.last_step
    for step in case.exchange.steps:
        if step.missing and not _answered(case.exchange, step):
            absent = ", ".join(map(str, step.missing))
            text = f"{step.name} is sent as IKE fragments, and fragment {absent} is not in the capture."
            yield Fact("ike-fragments-missing", text, step.frames)
        if step.cut_by_ip_loss and not _answered(case.exchange, step):
            text = f"{step.name} is sent as IP fragments, and not all of them are in the capture."
            yield Fact("ip-fragments-missing", text, step.frames)
    for loss in case.exchange.fragment_losses:
        text = (
            f"IP fragments from {loss.source} to {loss.destination} are in the capture without their first piece, so "
            "that what they belong to cannot be read; no such datagram was complete."
        )
        yield Fact("ip-fragments-missing", text, loss.frames)
    if last is None or not case.unfinished or case.stop.outcome is Outcome.REJECTED:
        return
    if case.vantage.one_way is last.sender:
        return  # whether an answer comes does not show
    if _heard(case.exchange, last):
        return
    length = last.octets
    before = max((s.octets for s in _before(case, last)), default=0)
    if last.whole and any(len(s.frames) > 1 for s in last.sent):
        pieces = len(last.first.frames)
        text = f"{last.name} has {length} octets and leaves in {pieces} fragments each time; no answer comes."
        kind = "large-message-in-fragments-unanswered"
        if case.vantage.at is last.sender.other:
            text = (
                f"{last.name} has {length} octets, and all its {pieces} fragments get to the {last.sender.other}'s own "
                "interface; no answer comes."
            )
            kind = "fragments-arrive"
        yield Fact(kind, text, last.frames)
    elif length >= LARGE and length > before and case.vantage.at is not last.sender.other:
        text = f"{last.name} has {length} octets, more than what went by before it; no answer comes."
        yield Fact("large-message-unanswered", text, last.frames)


def _answered(exchange: Exchange, step: Step) -> bool:
    """Whether the other end answered it: then it had all of it, and it is the capture that lacks a piece.

    By the message ID of IKEv2 (RFC 7296 §2.2), or by the next message of phase 1.
    """
    header = step.message.header
    if header.major == 2:
        return not header.response and any(
            s.message.header.response
            and s.encrypted
            and s.sender is not step.sender
            and s.message.header.message_id == header.message_id
            and s.last.time >= step.first.time
            for s in exchange.steps
        )
    return step.number is not None and bool(exchange.numbered(step.number + 1))


def _heard(exchange: Exchange, answer: Step) -> bool:
    """An answer of IKEv2 whose request is not sent again behind it: only an initiator that has it stops asking.

    The initiator alone has a timer (RFC 7296 §2.1).
    """
    if exchange.mode is not Mode.IKEV2 or not answer.message.header.response:
        return False
    return ikev2.repeated_behind_answer(exchange, answer) is None


def _before(case: Case, step: Step) -> list[Step]:
    """The phase 1 messages that went by before this one."""
    return [s for s in case.exchange.steps if s.first.time < step.first.time]


def vantage(case: Case) -> Iterator[Fact]:
    """Where the capture was taken, by the TTLs."""
    view = case.vantage
    sent = {side: next((s for s in case.exchange.steps if s.sender is side), None) for side in Side}
    if view.at is not None and len(view.hops) == 2:
        far = sent[view.at.other]
        ttl = far.first.ttl if far is not None else 0
        text = (
            f"By the TTLs the capture was taken at the {view.at}: no router on its side; what comes from the other end "
            f"has a TTL of {ttl} left."
        )
        yield Fact(f"vantage-{view.at}", text, view.frames)
    elif view.behind is Side.INITIATOR:
        count = view.hops[Side.INITIATOR]
        routers = f"{count} router{'s' * (count > 1)}"
        text = f"By its TTL, what the initiator sent has passed {routers} before the capture point."
        yield Fact("vantage-behind-initiator", text, view.frames)
    elif view.at is Side.INITIATOR:
        text = "By its TTL, what the initiator sent has passed no router before the capture point."
        yield Fact("vantage-initiator", text, view.frames)


def elsewhere(case: Case) -> Iterator[Fact]:
    """An answer from another address than the one written to."""
    e = case.exchange
    target = e.responder.address
    for step in e.steps:
        source = step.first.source
        if step.sender is Side.RESPONDER and source != target and e.steps[0].sender is Side.INITIATOR:
            text = f"The initiator wrote to {target}, the answer came from {source}."
            yield Fact("answered-elsewhere", text, (e.steps[0].first.frame, step.first.frame))
            return


def mobike(case: Case) -> Iterator[Fact]:
    """IKEv2 that moves: to UDP 4500 without a NAT, or to another address (RFC 4555 §3.3, §3.5)."""
    e = case.exchange
    if e.mode is not Mode.IKEV2:
        return
    auth = next((s for s in e.of_type(ExchangeType.IKE_AUTH) if s.sender is Side.INITIATOR), None)
    view = case.nat
    if auth is not None and auth.first.floated and view is not None and view.none:
        text = f"{auth.name} goes to UDP port 4500 although there is no NAT, as initiators that do MOBIKE do."
        yield Fact("mobike-float", text, auth.first.frames)
    if auth is None:
        return
    for step in e.steps:
        if step.sender is auth.sender and step.first.time > auth.first.time and step.first.source != auth.first.source:
            text = f"The initiator moved from {auth.first.source} to {step.first.source}, as MOBIKE or a NAT does."
            yield Fact("address-changed", text, (auth.first.frame, step.first.frame))
            return
