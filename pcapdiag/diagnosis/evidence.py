"""Facts that the wire shows of an exchange, each with the frames that show it.

A fact says what was seen, not what it means: meaning is the ranking's. Its `kind` is stable and public; the ranking
refers to it, reports print its text. Times are integer nanoseconds, lengths octets.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pcapdiag.capture.datagram import EspFlow, Frame, IcmpError
from pcapdiag.diagnosis import ikev2
from pcapdiag.diagnosis.algorithms import weak
from pcapdiag.diagnosis.candidate_keys import check_keys
from pcapdiag.diagnosis.nat import nat_view
from pcapdiag.diagnosis.phase2 import Phase2
from pcapdiag.diagnosis.stop import (
    CROSSING,
    REFUSAL,
    SECOND,
    SILENCE,
    Outcome,
    Setting,
    Stop,
    chosen_transform,
    error_notifies,
    informational,
    may_be_sa_delete,
    sent_again_after,
)
from pcapdiag.exchange.model import Exchange, KeepaliveFlow, Mode, Peer, Side, Step
from pcapdiag.ike.payloads import Certificate, Proposal
from pcapdiag.ike.registry import ExchangeType, Group, NotifyTypeV2, OakleyAttribute
from pcapdiag.ike.vendor_ids import Feature

LARGE = 1_200
"""A UDP payload from here on may not fit one packet of every path; certificates make messages this large."""
RETRY = 12 * SECOND
"""Every known sender would have sent again by then (racoon and IOS, the slowest, after 10 s)."""
FLOOD = 100
"""This many attempts, less than a second apart, are no peer's."""
MANY = 20
"""From this many on, what one end meets alike is told as one thing: a sweep over addresses."""
MAX_FRAMES = 40
"""Frames that are cited for a fact about many exchanges."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact.

    id -- E1, E2 … within the exchange; kind -- what sort of fact it is, stable
    text -- one or two sentences; frames -- that show it, never empty
    display_filter -- for Wireshark; kinds -- `kind` and, where one fact is an instance of several, the others
    """

    id: str
    kind: str
    text: str
    frames: tuple[Frame, ...]
    display_filter: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact before it has a number."""

    kind: str
    text: str
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that facts are drawn from: the exchange, where it stopped, and what is around it.

    attempts -- how often the same initiator began and ended like this
    completed -- exchanges of the same peers that completed, in order
    responders_met -- how many responders this initiator began with and did not finish with
    esp -- ESP flows between the two peers; keys -- pre-shared keys to hold against the hashes of Aggressive Mode
    counter_offers -- exchanges in which this one's responder shows proposals of its own, a few of them
    keepalives -- NAT keep-alives between the two peers
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
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    keepalives: tuple[KeepaliveFlow, ...] = ()

    @property
    def last_step(self) -> Step | None:
        """The phase 1 message that went unanswered: the latest by place, or by time in IKEv2."""
        top = self.exchange.last_message
        if top is not None:
            return self.exchange.numbered(top)[0]
        init = (ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH)
        return next((s for s in reversed(self.exchange.steps) if s.exchange_type in init), None)

    @property
    def unfinished(self) -> bool:
        """Phase 1 did not complete."""
        return self.stop.outcome not in (Outcome.COMPLETED, Outcome.PARTIAL)

    def address(self, side: Side) -> str:
        """The address of that end."""
        return self.exchange.peer(side).address


@dataclass(frozen=True, slots=True)
class Attempts:
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


def gather(case: Case) -> tuple[Evidence, ...]:
    """Every fact of this exchange, numbered; the first is the stop itself. The same text is not said twice."""
    facts: dict[str, list[Fact]] = {}
    for source in SOURCES:
        for fact in source(case):
            if fact.frames:
                facts.setdefault(fact.text, []).append(fact)
    return tuple(
        Evidence(f"E{number}", alike[0].kind, text, alike[0].frames, _frame_filter(alike[0].frames), _kinds(alike))
        for number, (text, alike) in enumerate(facts.items(), 1)
    )


def _kinds(facts: Sequence[Fact]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f.kind for f in facts))


def _frame_filter(frames: Sequence[Frame]) -> str:
    """The frames, for Wireshark's filter line; a range where there are many."""
    numbers = sorted({f.number for f in frames})
    if len(numbers) == 1:
        return f"frame.number == {numbers[0]}"
    return f"frame.number in {{{', '.join(map(str, numbers[:40]))}}}"


def exchange_filter(exchange: Exchange) -> str:
    """Wireshark's display filter for everything under this exchange's cookies, ICMP errors that quote it included."""
    field = "isakmp.ispi"
    return f"{field} == {exchange.initiator_spi.hex(':')}"


def _frames(steps: Sequence[Step]) -> tuple[Frame, ...]:
    return tuple(sorted(f for s in steps for f in s.frames))


def _span(nanoseconds: int) -> str:
    value = nanoseconds / SECOND
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


# --- the stop: silence, and who repeats ------------------------------------------------------------------------


def _stop(case: Case) -> Iterator[Fact]:
    top, last = case.exchange.last_message, case.last_step
    after = str(top) if top else _slug(last.name) if last else "nothing"
    yield Fact(f"stopped-after-{after}", case.stop.reason, case.stop.frames)
    if case.exchange.mode is not Mode.IKEV2 or case.stop.refused_by is None:
        return
    auth = [s for s in case.exchange.steps if s.exchange_type == ExchangeType.IKE_AUTH]
    if auth:
        by = "" if case.stop.refused_by is Side.RESPONDER else "-by-initiator"
        yield Fact(f"v2-auth-refused{by}", case.stop.reason, case.stop.frames)


def _silence(case: Case) -> Iterator[Fact]:
    step = case.last_step
    if not case.unfinished or step is None or case.stop.outcome is Outcome.REJECTED:
        return
    if case.stop.before is Outcome.REJECTED or not case.stop.missing:
        return
    for_long = case.setting.capture_end - step.first.time
    whole = for_long >= SILENCE
    after = [e for e in case.exchange.icmp_errors if e.time >= step.first.time and _undelivered(e)]
    text = f"{step.name} was sent {_times(len(step.sent) + step.uncounted)}; "
    if whole:
        text += f"in the {_span(for_long)} after the first no {case.stop.missing} was seen."
    else:
        text += f"the capture ends {_span(for_long)} after the first, without {case.stop.missing}."
    yield Fact("icmp-instead-of-reply" if after else "silence" if whole else "no-reply-yet", text, step.frames)
    if whole and step.sender is Side.INITIATOR and not after:
        yield Fact(f"silence-after-{_slug(step.name)}", text, step.frames)


def _repeats(case: Case) -> Iterator[Fact]:
    """Who sends again behind whose message (RFC 2408 §5.1: the sender's own timer)."""
    if not case.unfinished:
        return
    e, top = case.exchange, case.exchange.last_message
    if top is None or e.mode not in (Mode.MAIN, Mode.AGGRESSIVE):
        return
    prefix = "MM" if e.mode is Mode.MAIN else "AM"
    reached = e.numbered(top)[0].first.time
    if top >= 2:
        frames = sent_again_after(e.numbered(top - 1), reached)
        who, other = e.numbered(top)[0].sender, e.numbered(top)[0].sender.other
        if frames:
            yield Fact(
                f"{other}-repeats-behind-answer",
                f"The {other} sends {prefix}{top - 1} again although {prefix}{top} went by: it has not had "
                f"{prefix}{top}, or could not use it.",
                (*e.numbered(top)[0].first.frames, *frames),
            )
        elif case.setting.capture_end - reached >= SILENCE and top in (2, 4):
            yield Fact(
                f"{other}-does-not-repeat",
                f"The {other} does not send {prefix}{top - 1} again behind {prefix}{top}, so it had the answer; "
                f"the {who} waits for {prefix}{top + 1}.",
                e.numbered(top)[0].frames,
            )
        alone = any(len(s.sent) > 1 for s in e.numbered(top))
        if top in (3, 5) and not frames and alone and case.stop.outcome is Outcome.STALLED:
            yield Fact(
                "only-initiator-repeats",
                f"Only the initiator sends again; no {prefix}{top - 1} is repeated.",
                e.numbered(top)[0].frames,
            )
    if top == 1 and len(e.numbered(1)[0].sent) == 1 and case.setting.capture_end - reached >= SILENCE:
        yield Fact("no-retransmission", f"{prefix}1 was sent once and never again.", e.numbered(1)[0].frames)


_SCHEDULES: tuple[tuple[str, tuple[float, ...]], ...] = (
    ("strongSwan's default (4.0 s × 1.8ⁿ, five times)", (4.0, 7.2, 12.96, 23.3, 42.0)),
    ("libreswan's default (0.5, 1, 2, 4 … s)", (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)),
    ("a Cisco ASA's (8 s apart)", (8.0, 8.0, 8.0)),
    ("Cisco IOS's or racoon's (10 s apart)", (10.0, 10.0, 10.0, 10.0, 10.0)),
    ("a FortiGate's (6, then 12 s)", (6.0, 12.0)),
    ("Windows' (1, 2, 4 … s)", (1.0, 2.0, 4.0, 8.0, 16.0)),
)


def schedule_hint(times: Sequence[int]) -> str | None:
    """Whose retransmission schedule these sending times follow, if one of the known ones; a hint, no proof."""
    gaps = [(b - a) / SECOND for a, b in pairwise(times)]
    if len(gaps) < 2:
        return None
    for name, schedule in _SCHEDULES:
        pairs = list(zip(gaps, schedule, strict=False))
        if len(pairs) >= min(len(gaps), 2) and all(abs(g - s) <= 0.12 * s + 0.1 for g, s in pairs):
            return name
    return None


def _schedule(case: Case) -> Iterator[Fact]:
    for step in case.exchange.steps:
        hint = schedule_hint(step.times) if step.number or step.message.header.major == 2 else None
        if hint:
            text = f"{step.name} is repeated on a schedule like {hint}; that hints at the {step.sender}'s software."
            yield Fact("schedule", text, step.frames)
            return


# --- ICMP ------------------------------------------------------------------------------------------------------

_ICMP4 = {
    (3, 0): "net unreachable",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 3): "port unreachable",
    (3, 4): "fragmentation needed",
    (3, 5): "source route failed",
    (3, 6): "net unknown",
    (3, 7): "host unknown",
    (3, 9): "net administratively prohibited",
    (3, 10): "host administratively prohibited",
    (3, 11): "net unreachable for this type of service",
    (3, 12): "host unreachable for this type of service",
    (3, 13): "communication administratively prohibited",
    (11, 0): "time to live exceeded",
    (4, 0): "source quench",
    (5, 0): "redirect for the network",
    (5, 1): "redirect for the host",
    (11, 1): "fragment reassembly time exceeded",
    (12, 0): "parameter problem",
}
_ICMP6 = {
    (1, 0): "no route to destination",
    (1, 1): "administratively prohibited",
    (1, 2): "beyond scope of source address",
    (1, 3): "address unreachable",
    (1, 4): "port unreachable",
    (1, 5): "source address failed ingress policy",
    (1, 6): "reject route to destination",
    (2, 0): "packet too big",
    (3, 0): "hop limit exceeded",
    (3, 1): "fragment reassembly time exceeded",
    (4, 0): "erroneous header field",
    (4, 1): "unrecognized next header",
    (4, 2): "unrecognized option",
}
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
_UNDELIVERED = {4: (3, 11), 6: (1, 2, 3)}
"""The types that say that a datagram was dropped, by version; a redirect does not, a source quench need not."""


def icmp_name(error: IcmpError) -> str:
    """What the error says (RFC 792, RFC 1812 §5.2.7; RFC 4443 §3), or its numbers."""
    names = _ICMP4 if error.version == 4 else _ICMP6
    return names.get((error.type, error.code), f"type {error.type} code {error.code}")


def _icmp(case: Case) -> Iterator[Fact]:
    grouped: dict[tuple[str, str, str, int], list[IcmpError]] = {}
    for error in case.exchange.icmp_errors:
        about = (error.source, icmp_name(error), error.quoted.destination, error.quoted.destination_port)
        grouped.setdefault(about, []).append(error)
    for (source, name, target, port), errors in grouped.items():
        side = next((s for s in Side if target in _addresses(case.exchange.peer(s))), None)
        kind = next((k for word, k in _KINDS if word in name), "icmp-unreachable")
        by, place = f"{source}, a device on the way,", "path"
        if source == target or (side is not None and source in _addresses(case.exchange.peer(side))):
            by, place = f"{source} itself", "peer"
        elif side is not None and source in _addresses(case.exchange.peer(side.other)):
            by = f"{source}, the sender's own host,"
        mtu = f" (next hop's MTU {errors[0].mtu})" if errors[0].mtu else ""
        version = "ICMPv6" if errors[0].version == 6 else "ICMP"
        heard = side is not None and _heard_since(case.exchange, side, errors[-1], kind)
        text = (
            f"{by} answered {_times(len(errors))} with {version} {name}{mtu}, about datagrams to {target} port {port}"
            f"{f'; but the {side} was heard from after that' if heard else ''}."
        )
        before = ""
        if not _undelivered(errors[0]):
            before = "remark-"
        elif _after_completion(case, errors[0]):
            before = "later-"
        elif heard:
            before = "overtaken-"
        yield Fact(f"{before}{kind}-from-{place}", text, tuple(e.frame for e in errors))


def _undelivered(error: IcmpError) -> bool:
    """It says that a datagram was dropped (RFC 792, RFC 4443)."""
    return error.type in _UNDELIVERED[4 if error.version == 4 else 6]


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
    return not case.unfinished and error.time > max((s.first.time for s in case.exchange.steps if s.number), default=0)


# --- notifies and refusals -------------------------------------------------------------------------------------


def _clear_notifies(case: Case) -> Iterator[Fact]:
    for step in case.exchange.steps:
        if step.encrypted:
            continue
        for notify in error_notifies(step):
            if notify in (NotifyTypeV2.COOKIE, NotifyTypeV2.INVALID_KE_PAYLOAD) and step.message.header.major == 2:
                continue
            later = [s for s in case.exchange.steps if s.number and s.first.time > step.first.time]
            ignored = f"; {later[0].name} followed all the same, so it was not heeded" if later else ""
            kind = "stray-notify" if later or not case.unfinished else f"notify-{_slug(notify.name)}"
            text = (
                f"The {step.sender} sent {notify.name} ({int(notify)}) in clear{ignored}. "
                "It is not authenticated: anybody on the path could have sent it."
            )
            yield Fact(kind, text, step.frames)


def _slug(name: str) -> str:
    return name.lower().replace("_", "-").replace(" ", "-")


def _sealed_refusal(case: Case) -> Iterator[Fact]:
    """An encrypted Informational in the place of a reply, and whether its receiver could read it."""
    if case.stop.outcome is not Outcome.REJECTED and case.stop.before is not Outcome.REJECTED:
        return
    e, side = case.exchange, case.stop.refused_by
    step = next((s for s in informational(e) if set(s.frames) & set(case.stop.frames)), None)
    if step is None or not step.encrypted or side is None:
        return
    sent = [s for s in informational(e) if s.encrypted and s.sender is side]
    last = case.last_step
    behind = f" behind {last.name}" if last else ""
    times = f", {_times(len(sent))}" if len(sent) > 1 else ""
    text = f"The {side} sent an encrypted Informational of {step.message.header.length} octets{behind}{times}."
    yield Fact(f"sealed-refusal-by-{side}", text, _frames(sent))
    if side is Side.RESPONDER and last is not None and last.sender is Side.INITIATOR:
        yield from _was_it_read(case, step, last)
    long = may_be_sa_delete(step, e)
    size = "long enough" if long else "too short"
    meaning = "as a refusal after reading it, or a delete, does" if long else "so it complains of the message alone"
    yield Fact(
        "refusal-may-name-sa" if long else "refusal-too-short-to-name-sa",
        f"By the negotiated hash and cipher it is {size} to name the ISAKMP SA by its cookies, {meaning}.",
        step.frames,
    )


def _was_it_read(case: Case, refusal: Step, last: Step) -> Iterator[Fact]:
    again = sent_again_after([last], refusal.first.time)
    if again:
        yield Fact(
            "refusal-not-understood",
            f"The initiator went on sending {last.name} after it ({_times(len(again))}): it does not heed it, "
            "as when the keys differ and it cannot read it.",
            again,
        )
    elif (
        case.setting.capture_end - refusal.first.time >= RETRY
        or case.setting.next_attempt(case.exchange, refusal.first.time) is not None
    ):
        yield Fact(
            "refusal-understood",
            f"The initiator never sent {last.name} again after it: it heeded it, so it could read it and both ends "
            "have the same keys.",
            refusal.frames,
        )


def _mm6(case: Case) -> Iterator[Fact]:
    answers = case.exchange.numbered(6) if case.exchange.mode is Mode.MAIN else ()
    if answers:
        yield Fact(
            "mm6-sent",
            "The responder sent MM6, so it could decrypt MM5 and accepted the initiator's identity and proof.",
            answers[0].frames,
        )
        if case.stop.refused_by is Side.INITIATOR:
            yield Fact(
                "initiator-refused-mm6",
                "The initiator did not go on after MM6: it did not accept the responder's identity or proof.",
                case.stop.frames,
            )


# --- NAT and UDP 4500 ------------------------------------------------------------------------------------------


def _nat(case: Case) -> Iterator[Fact]:
    view = nat_view(case.exchange)
    if view is None:
        return
    for side in Side:
        found = view.before(side)
        if found is None:
            continue
        seen = case.address(side)
        if found.translated:
            text = f"NAT in front of the {side}: {found.text}"
            yield Fact(f"nat-{side}", text, found.frames)
            yield Fact("nat", text, found.frames)
        elif found.faked:
            yield Fact(f"nat-faked-{side}", f"The {side} ({seen}) {found.text}", found.frames)
    if view.none:
        text = "The NAT-D hashes of both ends agree with the addresses seen: no NAT between them."
        yield Fact("no-nat", text, view.frames)


def _nat_t(case: Case) -> Iterator[Fact]:
    """Who announces NAT traversal (RFC 3947 §3.1), and whether the exchange floated (§4)."""
    e = case.exchange
    if e.mode not in (Mode.MAIN, Mode.AGGRESSIVE):
        return
    for side, number in ((Side.INITIATOR, 1), (Side.RESPONDER, 2)):
        steps = e.numbered(number)
        whole = [s for s in steps if not s.message.cut and not s.message.problem]
        if whole and not _announces_nat_t(whole[0]):
            text = f"The {side} does not announce NAT traversal: {whole[0].name} has no vendor ID for it."
            yield Fact(f"no-nat-t-{side}", text, whole[0].first.frames)
    final = e.numbered(5 if e.mode is Mode.MAIN else 3)
    if e.numbered(1) and e.numbered(1)[0].first.floated:
        frames = e.numbered(1)[0].first.frames
        yield Fact("begins-on-4500", "The initiator begins on UDP port 4500, as it may (RFC 3947 §4).", frames)
    if not final:
        return
    first = final[0]
    floated = first.first.floated
    view = nat_view(e)
    if floated:
        text = f"The initiator floated: {first.name} goes to UDP port 4500."
        yield Fact("floated", text, first.first.frames)
    elif view is not None and view.translated:
        text = f"NAT was found, but {first.name} still goes to UDP port 500: the initiator does not do NAT-T."
        yield Fact("no-float-despite-nat", text, first.first.frames)


def _announces_nat_t(step: Step) -> bool:
    return any(v.feature in (Feature.NAT_T, Feature.NAT_T_DRAFT) for v in step.vendor_ids)


def _tcp(case: Case) -> Iterator[Fact]:
    carried = [s for s in case.exchange.steps if s.first.transport == "tcp"]
    if carried:
        port = carried[0].first.destination_port
        yield Fact("ike-over-tcp", f"IKE goes over TCP here (port {port}, RFC 9329).", carried[0].first.frames)


def _port_4500(case: Case) -> Iterator[Fact]:
    """UDP 4500 in each direction, IKE, ESP and keep-alives together."""
    if not case.unfinished:
        return
    e = case.exchange
    seen: dict[Side, list[Frame]] = {Side.INITIATOR: [], Side.RESPONDER: []}
    for step in e.steps:
        for sighting in step.sent:
            if sighting.floated:
                seen[step.sender].extend(sighting.frames)
    for flow in case.keepalives:
        if flow.source in (e.initiator.address, *e.initiator.aliases):
            seen[Side.INITIATOR].append(flow.first_frame)
        elif flow.source in (e.responder.address, *e.responder.aliases):
            seen[Side.RESPONDER].append(flow.first_frame)
    for side, frames in seen.items():
        if frames and not seen[side.other]:
            text = f"UDP port 4500 is used in one direction only: by the {side}, with nothing from the {side.other}."
            yield Fact(f"port-4500-only-{side}", text, tuple(sorted(frames)))
    if all(seen.values()):
        both = (seen[Side.INITIATOR][0], seen[Side.RESPONDER][0])
        yield Fact("port-4500-both-ways", "UDP port 4500 passes in both directions.", both)


def _keepalives(case: Case) -> Iterator[Fact]:
    e = case.exchange
    for flow in case.keepalives:
        ends = {flow.source, flow.destination}
        known = {e.initiator.address, e.responder.address, *e.initiator.aliases, *e.responder.aliases}
        if ends <= known and case.unfinished and flow.last_time >= e.first_time:
            text = f"NAT keep-alives from {flow.source} go on ({flow.packets} of them): it holds the mapping open."
            yield Fact("keepalives-go-on", text, (flow.first_frame, flow.last_frame))


# --- large messages and fragments ------------------------------------------------------------------------------


def _fragments(case: Case) -> Iterator[Fact]:
    last = case.last_step
    for step in case.exchange.steps:
        if step.missing:
            absent = ", ".join(map(str, step.missing))
            text = f"{step.name} is sent as IKE fragments, and fragment {absent} is not in the capture."
            yield Fact("ike-fragments-missing", text, step.frames)
        if step.cut_by_ip_loss:
            text = f"{step.name} is sent as IP fragments, and not all of them are in the capture."
            yield Fact("ip-fragments-missing", text, step.frames)
    if last is None or not case.unfinished or case.stop.outcome is Outcome.REJECTED:
        return
    length = last.message.header.length
    if last.whole and any(len(s.frames) > 1 for s in last.sent):
        pieces = len(last.first.frames)
        text = f"{last.name} has {length} octets and leaves in {pieces} fragments each time; no answer comes."
        yield Fact("large-message-in-fragments-unanswered", text, last.frames)
    elif length >= LARGE and length > max((s.message.header.length for s in _before(case, last)), default=0):
        text = f"{last.name} has {length} octets, more than what went by before it; no answer comes."
        yield Fact("large-message-unanswered", text, last.frames)


def _before(case: Case, step: Step) -> list[Step]:
    """The phase 1 messages that went by before this one."""
    return [s for s in case.exchange.steps if s.number and s.first.time < step.first.time]


# --- what was offered, by whom ---------------------------------------------------------------------------------


_COMPARED = {
    OakleyAttribute.ENCRYPTION: "encryption",
    OakleyAttribute.HASH: "hash",
    OakleyAttribute.AUTHENTICATION: "authentication",
    OakleyAttribute.GROUP: "group",
}


def _suites(proposals: Sequence[Proposal]) -> list[dict[str, str]]:
    """What each IKEv1 transform asks for, by the attributes that both ends have to agree on (RFC 2409 §4)."""
    suites = []
    for transform in (t for p in proposals for t in p.transforms if t.kind is None):
        suite = {}
        for kind, name in _COMPARED.items():
            attribute = transform.attribute(kind)
            if attribute is not None:
                suite[name] = attribute.text
        length = transform.attribute(OakleyAttribute.KEY_LENGTH)
        if length is not None and "encryption" in suite:
            suite["encryption"] += f"-{length.text}"
        suites.append(suite)
    return suites


def _offer(case: Case) -> Iterator[Fact]:
    """What was offered and refused, and what the other end itself offers or chose elsewhere in the capture."""
    e = case.exchange
    first = next((s for s in e.steps if s.sender is Side.INITIATOR and s.proposals), None)
    if first is None or not case.unfinished or e.numbered(2) or e.mode is Mode.IKEV2:
        return
    ours = _suites(first.proposals)
    offered = "; ".join(f"{name} {_choices(ours, name)}" for name in _COMPARED.values() if _choices(ours, name))
    yield Fact("offered", f"{first.name} offers {offered}.", first.first.frames)
    own = next((o for o in case.counter_offers if o.id != e.id), None)
    if own is None:
        return
    answer = next(s for s in own.steps if s.proposals and s.first.source in _addresses(e.responder))
    theirs = _suites(answer.proposals)
    if any(suite in theirs for suite in ours):
        return
    differ = [n for n in _COMPARED.values() if not {s.get(n) for s in ours} & {s.get(n) for s in theirs}]
    details = "; ".join(f"{n} {_choices(theirs, n)}" for n in differ) or "no combination is in both"
    text = f"In exchange {own.id} the same peer offers or chooses otherwise: {details}."
    yield Fact("offers-differ", text, (first.first.frame, answer.first.frame))


def _choices(suites: Sequence[dict[str, str]], name: str) -> str:
    return " or ".join(dict.fromkeys(suite[name] for suite in suites if name in suite))


def _addresses(peer: Peer) -> tuple[str, ...]:
    return (peer.address, *peer.aliases)


def _chosen(case: Case) -> Iterator[Fact]:
    for step in case.exchange.numbered(2):
        if chosen_transform(case.exchange) is not None:
            yield Fact("proposal-chosen", f"The responder chose a proposal ({step.name}).", step.first.frames)
            return


def _authentication(case: Case) -> Iterator[Fact]:
    transform = chosen_transform(case.exchange)
    step = next(iter(case.exchange.numbered(2)), None)
    offered: set[str] = set()
    if transform is None or step is None:
        first = next(iter(case.exchange.numbered(1)), None)
        if first is None or not first.proposals:
            return
        step = first
        found = [t.attribute(OakleyAttribute.AUTHENTICATION) for p in first.proposals for t in p.transforms]
        offered = {a.text for a in found if a}
    else:
        attribute = transform.attribute(OakleyAttribute.AUTHENTICATION)
        offered = {attribute.text} if attribute else set()
    if not offered:
        return
    shared = {name for name in offered if "pre-shared" in name}
    kind = "auth-psk" if shared == offered else "auth-certificates" if not shared else "auth-mixed"
    word = "agreed on" if step.number == 2 else "offered"
    yield Fact(kind, f"The authentication method {word} is {', '.join(sorted(offered))}.", step.first.frames)
    if any("XAuth" in name or "hybrid" in name.lower() for name in offered):
        yield Fact("auth-xauth", f"It asks for user authentication (XAuth) behind phase 1: {word}.", step.first.frames)


def _requested_certificates(case: Case) -> Iterator[Fact]:
    for step in case.exchange.steps:
        requests = [p for p in step.message.payloads if isinstance(p, Certificate) and "REQ" in p.type.name]
        if requests:
            text = f"The {step.sender} asks for a certificate ({len(requests)} requests in {step.name})."
            yield Fact("certificate-requested", text, step.first.frames)
            return


def _vendors(case: Case) -> Iterator[Fact]:
    e = case.exchange
    sent = {side: next((s for s in e.steps if s.sender is side and s.vendor_ids), None) for side in Side}
    first, second = sent[Side.INITIATOR], sent[Side.RESPONDER]
    if first is None or second is None or not case.unfinished:
        return
    ours, theirs = e.initiator.vendors, e.responder.vendors
    if ours and theirs and ours != theirs:
        text = f"The ends name different products: {', '.join(ours)} and {', '.join(theirs)}."
        yield Fact("vendors-differ", text, (first.first.frame, second.first.frame))


def _scan(case: Case) -> Iterator[Fact]:
    """An initiator that had its answer and never went on (ike-scan and its kind)."""
    e = case.exchange
    if not case.unfinished or case.stop.refused_by or (e.last_message != 2 and e.mode is not Mode.IKEV2):
        return
    firsts = [s for s in e.steps if s.sender is Side.INITIATOR]
    if len(firsts) != 1 or len(firsts[0].sent) != 1 or len(e.steps) < 2:
        return
    step = firsts[0]
    transforms = sum(len(p.transforms) for p in step.proposals)
    bare = not step.vendor_ids and not step.notifications and not step.message.cut
    if bare and case.setting.capture_end - e.last_time >= 2 * SECOND:
        text = f"{step.name} carries no vendor ID, offers {transforms} transforms, and was never followed up."
        yield Fact("scan-like", text, step.frames)


# --- where the capture was taken, and other addresses ----------------------------------------------------------


def _hops(ttl: int) -> int:
    """Routers passed, if the sender began with 64, 128 or 255 as all common systems do."""
    return next(start for start in (64, 128, 255) if ttl <= start) - ttl


def _vantage(case: Case) -> Iterator[Fact]:
    e = case.exchange
    sent = {side: next((s for s in e.steps if s.sender is side), None) for side in Side}
    hops = {side: _hops(s.first.ttl) for side, s in sent.items() if s is not None}
    frames = tuple(s.first.frame for s in sent.values() if s is not None)
    near = [side for side, count in hops.items() if count == 0]
    if len(near) == 1 and len(hops) == 2:
        side = near[0]
        far = sent[side.other]
        ttl = far.first.ttl if far is not None else 0
        text = f"By the TTLs the capture was taken at the {side}: no router on its side, {ttl} left from the other end."
        yield Fact(f"vantage-{side}", text, frames)
    elif hops.get(Side.INITIATOR, 0) > 0 and len(hops) == 1:
        count = hops[Side.INITIATOR]
        routers = f"{count} router{'s' * (count > 1)}"
        text = f"By its TTL, what the initiator sent has passed {routers} before the capture point."
        yield Fact("vantage-behind-initiator", text, frames)
    elif near == [Side.INITIATOR] and len(hops) == 1:
        text = "By its TTL, what the initiator sent has passed no router before the capture point."
        yield Fact("vantage-initiator", text, frames)


def _elsewhere(case: Case) -> Iterator[Fact]:
    e = case.exchange
    target = e.responder.address
    for step in e.steps:
        source = step.first.source
        if step.sender is Side.RESPONDER and source != target and e.steps[0].sender is Side.INITIATOR:
            text = f"The initiator wrote to {target}, the answer came from {source}."
            yield Fact("answered-elsewhere", text, (e.steps[0].first.frame, step.first.frame))
            return


def _forgotten(case: Case) -> Iterator[Fact]:
    if case.exchange.other_responder_spis:
        steps = [s for s in case.exchange.steps if s.number == 2]
        text = f"The responder answered with {len(steps)} different cookies: it gave up and began anew meanwhile."
        yield Fact("responder-began-anew", text, _frames(steps))


# --- the same peers, before and after --------------------------------------------------------------------------


def _again(case: Case) -> Iterator[Fact]:
    tries = case.attempts
    if tries is not None and tries.count >= 3:
        text = f"The same peers began {tries.count} times, mostly {_span(tries.usual_gap)} apart, and ended alike."
        yield Fact("repeating", text, tries.frames)
        if tries.count >= FLOOD and tries.usual_gap < SECOND:
            yield Fact("flood", text, tries.frames)
    if case.responders_met >= MANY and case.unfinished:
        text = f"The same initiator began with {case.responders_met} responders and finished with none of these."
        yield Fact("sweep", text, case.exchange.steps[0].first.frames)
    e = case.exchange
    if not case.unfinished:
        return
    later = next((o for o in case.completed[-1:] if o.first_time > e.first_time), None)
    before = next((o for o in case.completed[:1] if o.first_time < e.first_time), None)
    for kind, word, good in (("completed-later", "later", later), ("completed-before", "before", before)):
        if good is None:
            continue
        other = good.mode is not e.mode
        text = f"The same peers completed exchange {good.id}{' in another mode or version' if other else ''} {word}."
        frames = (good.steps[0].first.frame, good.steps[-1].last.frame)
        yield Fact(kind, text, frames)
        if other:
            version = Mode.IKEV2 in (good.mode, e.mode)
            yield Fact("other-version-completes" if version else "other-mode-completes", text, frames)


# --- what follows phase 1 --------------------------------------------------------------------------------------


def _phase2(case: Case) -> Iterator[Fact]:
    for quick in case.phase2:
        name = f"Quick Mode {quick.message_id:08x}"
        if quick.outcome is Outcome.REJECTED and quick.answer is not None:
            text = f"{name}: the {quick.answer.sender} answered QM{quick.last_message} with an encrypted Informational."
            yield Fact("phase2-refused", text, quick.frames)
        elif quick.outcome is Outcome.STALLED:
            again = max(len(s.sent) for s in quick.steps)
            answered = quick.last_message == 2
            text = f"{name}: QM{quick.last_message + 1} was not seen; QM{quick.last_message} was sent {_times(again)}."
            yield Fact("phase2-answer-unheeded" if answered else "phase2-unanswered", text, quick.frames)
    if any(q.outcome is Outcome.COMPLETED for q in case.phase2):
        good = next(q for q in case.phase2 if q.outcome is Outcome.COMPLETED)
        yield Fact("phase2-completed", f"Quick Mode {good.message_id:08x} completed.", good.frames)


def _xauth(case: Case) -> Iterator[Fact]:
    """Transaction exchanges with nothing behind them: user authentication did not lead on (XAuth draft §5)."""
    e = case.exchange
    asked = [s for s in e.steps if s.exchange_type == ExchangeType.TRANSACTION]
    if not asked or case.phase2:
        return
    starters: dict[int, Side] = {}
    for step in asked:
        starters.setdefault(step.message.header.message_id, step.sender)
    quiet = case.setting.capture_end - max(s.last.time for s in asked)
    # A request and its result: two rounds of the responder. A third may push the configuration, as some do instead
    # of being asked for it; and what follows comes within milliseconds, so a capture that ends at once tells nothing.
    if list(starters.values()) == [Side.RESPONDER, Side.RESPONDER]:
        kind = "xauth-leads-nowhere" if quiet >= SECOND // 5 else "xauth-result-unknown"
        text = (
            "Two Transaction exchanges of the responder (a request and a result), then neither mode-config nor "
            f"Quick Mode; the capture ends {_span(quiet)} later."
        )
        yield Fact(kind, text, _frames(asked))


def _dpd(case: Case) -> Iterator[Fact]:
    """One end's Informational messages unanswered at the end, after it had been alive (RFC 3706 §5.5)."""
    if case.unfinished:
        return
    e = case.exchange
    rows = [s for s in informational(e) if s.encrypted]
    for side in Side:
        heard = [s.last.time for s in e.steps if s.sender is side.other]
        silent_since = max(heard, default=e.first_time)
        lone = [s for s in rows if s.sender is side and s.first.time > silent_since + CROSSING]
        spaced = len(lone) >= 2 and lone[-1].first.time - lone[0].first.time >= REFUSAL - CROSSING
        if spaced:
            text = (
                f"The {side} sent {len(lone)} Informational messages over "
                f"{_span(lone[-1].first.time - lone[0].first.time)} with no answer, as unanswered DPD does."
            )
            yield Fact("dpd-unanswered", text, _frames(lone))


def _keys(case: Case) -> Iterator[Fact]:
    """The pre-shared keys that the user holds against the hashes of Aggressive Mode (RFC 2409 §5.4)."""
    for found in check_keys(case.exchange, case.keys):
        whose = "responder" if found.of == "HASH_R" else "initiator"
        if found.reason is not None:
            text = f"The given pre-shared keys cannot be held against {found.of}: {found.reason}."
            yield Fact("psk-not-checkable", text, found.frames)
        elif found.place is not None:
            text = f"{found.of} was made with the given pre-shared key number {found.place}: the {whose} has that key."
            yield Fact(f"psk-of-{whose}-matches", text, found.frames)
        else:
            text = f"{found.of} was made with none of the given pre-shared keys: the {whose} has another one."
            yield Fact(f"psk-of-{whose}-differs", text, found.frames)


def _weak(case: Case) -> Iterator[Fact]:
    """Algorithms that RFC 8247 and RFC 9395 advise against, among what was chosen, else among what was offered."""
    answer = next((s for s in case.exchange.steps if s.sender is Side.RESPONDER and s.proposals), None)
    step = answer or next((s for s in case.exchange.steps if s.proposals), None)
    if step is None:
        return
    names = list(weak(t for p in step.proposals for t in p.transforms))
    if names:
        word = "Chosen" if step is answer else "Offered"
        text = f"{word} although weak or deprecated: {'; '.join(names[:8])}{' …' if len(names) > 8 else ''}."
        yield Fact("weak-algorithms", text, step.first.frames)


def _unmarked(case: Case) -> Iterator[Fact]:
    steps = [s for s in case.exchange.steps if s.first.floated and not s.first.marked]
    if steps:
        text = (
            f"{steps[0].name} goes to UDP port 4500 without the four zero octets that mark IKE there (RFC 3948 §2.2): "
            "a receiver takes it for ESP."
        )
        yield Fact("no-marker", text, _frames(steps)[:MAX_FRAMES])


def _quick_mode_size(case: Case) -> Iterator[Fact]:
    """Whether the first Quick Mode message has room for a KE payload, which is PFS (RFC 2409 §5.5)."""
    if not case.phase2:
        return
    first = case.phase2[0].steps[0]
    length = first.message.header.length
    if length < QUICK_MODE_WITHOUT_KE + SMALLEST_KE:
        text = f"{first.name} has {length} octets, too few for a KE payload: its sender does not propose PFS."
        yield Fact("quick-mode-without-ke", text, first.first.frames)
        return
    transform = chosen_transform(case.exchange)
    group = transform.attribute(OakleyAttribute.GROUP) if transform else None
    octets = KE_OCTETS.get(group.value if group else 0, SMALLEST_KE)
    if length >= QUICK_MODE_WITHOUT_KE + octets + 60:
        text = (
            f"{first.name} has {length} octets, room for a KE payload of {octets}: its sender may propose PFS "
            "(or many proposals)."
        )
        yield Fact("quick-mode-room-for-ke", text, first.first.frames)


QUICK_MODE_WITHOUT_KE = 108
"""Header 28, HASH 20, SA 44 with one transform, NONCE 12, and the cipher's padding: the least that message 1 has."""
SMALLEST_KE = 100
"""KE of group 1: 96 octets and the generic header."""
KE_OCTETS: Mapping[int | bytes, int] = {1: 100, 2: 132, 5: 196, 14: 260, 15: 388, 16: 516, 19: 68, 20: 100, 21: 136}


def _esp(case: Case) -> Iterator[Fact]:
    """ESP between the two peers by direction: a tunnel that is up and carries one way only."""
    if case.unfinished:
        return
    e = case.exchange
    flows = [f for f in case.esp if f.last_time >= e.first_time]
    out = [f for f in flows if f.source in e.initiator.addresses and f.destination in e.responder.addresses]
    back = [f for f in flows if f.source in e.responder.addresses and f.destination in e.initiator.addresses]
    counts = (sum(f.packets for f in out), sum(f.packets for f in back))
    frames = tuple(sorted({f for flow in (*out, *back) for f in (flow.first_frame, flow.last_frame)}))
    spis = ", ".join(f"{f.spi:08x} {'→' if f in out else '←'} {f.packets}" for f in (*out, *back)[:6])
    if counts[0] and counts[1]:
        yield Fact("esp-both-ways", f"ESP flows in both directions ({spis} packets).", frames)
    elif sum(counts) >= ONE_WAY:
        side = Side.INITIATOR if counts[0] else Side.RESPONDER
        text = f"ESP flows in one direction only: {sum(counts)} packets from the {side}, none back ({spis} packets)."
        yield Fact("esp-one-way", text, frames)


ONE_WAY = 4
"""Fewer packets than this may just not have been answered yet."""


def _rekey(case: Case) -> Iterator[Fact]:
    if case.unfinished:
        return
    later = next((o for o in case.completed if o.first_time > case.exchange.first_time), None)
    if later is not None:
        gap = _span(later.first_time - case.exchange.first_time)
        text = f"The same peers completed phase 1 again {gap} later (exchange {later.id}): a rekey, or a new start."
        yield Fact("phase1-again", text, later.steps[0].first.frames)


def _ikev2_extras(case: Case) -> Iterator[Fact]:
    """COOKIE and INVALID_KE_PAYLOAD rounds, IKE_INTERMEDIATE, and requests that nobody answered (RFC 7296 §2.1)."""
    if case.exchange.mode is not Mode.IKEV2:
        return
    steps = case.exchange.steps
    for step in steps:
        for notify in step.notifications:
            if notify.notify_type == NotifyTypeV2.COOKIE and step.message.header.response:
                text = "The responder asked for a COOKIE before it did any work: it feels under load."
                yield Fact("cookie-challenge", text, step.first.frames)
            elif notify.notify_type == NotifyTypeV2.INVALID_KE_PAYLOAD:
                group = Group(int.from_bytes(notify.data[:2], "big")).label
                text = f"The responder wants another group than the one guessed: {group}."
                yield Fact("other-group-wanted", text, step.first.frames)
    between = [s for s in steps if s.exchange_type == ExchangeType.IKE_INTERMEDIATE]
    if between:
        text = f"{len(between)} IKE_INTERMEDIATE messages (RFC 9242), as additional key exchanges need (RFC 9370)."
        yield Fact("ike-intermediate", text, _frames(between)[:MAX_FRAMES])
    answered = {(s.message.header.message_id, s.sender) for s in steps if s.message.header.response}
    for step in steps:
        request = not step.message.header.response and step.exchange_type in ikev2.AFTER_AUTH
        key = (step.message.header.message_id, step.sender.other)
        if request and key not in answered and len(step.sent) >= 2:
            text = f"{step.name} {step.message.header.message_id} was sent {_times(len(step.sent))} and never answered."
            yield Fact("v2-request-unanswered", text, step.frames)


SOURCES: tuple[Callable[[Case], Iterator[Fact]], ...] = (
    _stop,
    _silence,
    _clear_notifies,
    _sealed_refusal,
    _mm6,
    _icmp,
    _repeats,
    _nat,
    _nat_t,
    _tcp,
    _port_4500,
    _keepalives,
    _fragments,
    _offer,
    _chosen,
    _authentication,
    _requested_certificates,
    _forgotten,
    _elsewhere,
    _scan,
    _vendors,
    _phase2,
    _xauth,
    _dpd,
    _again,
    _schedule,
    _keys,
    _weak,
    _unmarked,
    _quick_mode_size,
    _esp,
    _rekey,
    _ikev2_extras,
    _vantage,
)
