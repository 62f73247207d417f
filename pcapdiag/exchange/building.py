"""From what was collected of an exchange to its record: who began, whose address is whose, which message is which."""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from msgspec.structs import replace

from pcapdiag.exchange.model import Exchange, Mode, Peer, Side, Sighting, Step
from pcapdiag.exchange.modes import (
    PHASE_1,
    Shape,
    infer_first_sender,
    likely_first_sender,
    mode_of,
    name_and_number,
    quick_mode_begins_at,
    shape,
)
from pcapdiag.exchange.open_exchange import MAX_ALIASES, OpenExchange, OpenStep
from pcapdiag.ike.message import ZERO_SPI, Header
from pcapdiag.ike.payloads import Identification
from pcapdiag.ike.registry import ExchangeType
from pcapdiag.ike.vendor_ids import VendorId
from pcapdiag.units import SECOND

MAX_CUT = 64
"""Messages that lost IP fragments of which the whole is looked for."""
MAX_NAMES = 64
"""Vendor IDs, and identities, that are looked at to say who an end is."""


def build(found: OpenExchange) -> Exchange:
    """The record of what was collected so far."""
    steps = sorted(map(_in_order, _with_incomplete(found)), key=lambda s: s.sent[0].time)
    decided = found.first_side
    if decided is None:
        asked = _asked_first(steps)
        by_first = asked[0].by_first
        ports = (found.first[1], found.second[1]) if by_first else (found.second[1], found.first[1])
        decided = infer_first_sender([(s.by_first is by_first, s.header) for s in asked], ports)
        if decided is not None and not by_first:
            decided = decided.other
    first_side = decided or likely_first_sender(steps[0].header)
    of_first, of_second = own_addresses(found, steps)
    own, foreign = _apart(steps, of_first, of_second)
    mode = next((m for s in own if (m := mode_of(s.header)) is not Mode.UNKNOWN), Mode.UNKNOWN)
    own, others = _under_its_cookies(own, first_side is Side.INITIATOR, found.major)
    foreign = sorted((*foreign, *others), key=lambda s: s.sent[0].time)
    if found.major == 2:
        own = _behind_their_requests(own)
    built = tuple(_build_steps(own, first_side, mode))
    initiator_first = first_side is Side.INITIATOR
    addresses = (of_first, of_second)
    ends = (found.first, found.second)
    initiator, responder = (0, 1) if initiator_first else (1, 0)
    answers = _responder_spis(built, found.major)
    chosen = _chosen_responder_spi(answers, built)
    return Exchange(
        id=found.id,
        mode=mode,
        initiator=_peer(ends[initiator], addresses[initiator], built, Side.INITIATOR),
        responder=_peer(ends[responder], addresses[responder], built, Side.RESPONDER),
        initiator_spi=found.initiator_spi,
        responder_spi=chosen,
        other_responder_spis=tuple(s for s in answers if s != chosen),
        roles_certain=found.first_side is not None,
        roles_known=decided is not None,
        steps=built,
        strays=tuple(_build_steps(foreign, first_side, mode)),
        fragment_losses=tuple(found.fragment_losses),
        icmp_errors=tuple(found.icmp_errors),
        uncounted=found.uncounted + found.fragments.dropped,
    )


AT_ONCE = 2_000_000_000
"""An answer comes a round trip behind what it answers, well within this time."""


def _asked_first(steps: Sequence[OpenStep]) -> Sequence[OpenStep]:
    """The steps in the order of asking, where the capture begins with a copy of an answer to what came before it.

    Of two messages of phase 1 that look alike, one from each end, the answer is the one that comes right behind the
    other; copies of the other come by a timer (RFC 2408 §5.1). Where that does not tell, they say nothing of who asks.
    """
    rows = [s for s in steps if s.header.exchange_type in PHASE_1]
    if not rows:
        return steps
    first, kind = rows[0], shape(rows[0].header, rows[0].kinds)
    other = next((s for s in rows if s.by_first is not first.by_first and shape(s.header, s.kinds) is kind), None)
    if other is None:
        return steps
    before, behind = _shortest(first, other), _shortest(other, first)
    if behind is not None and (before is None or 4 * behind < before):
        swapped = list(steps)
        swapped.remove(other)
        swapped.insert(swapped.index(first), other)
        return swapped
    if before is None or before > AT_ONCE:
        return [s for s in steps if s is not other]
    return steps


def _shortest(asked: OpenStep, answer: OpenStep) -> int | None:
    """The shortest time from a copy of one message to the next copy of the other; None where none follows."""
    gaps = []
    for one in asked.sent:
        later = [s.time for s in answer.sent if s.time >= one.time]
        if later:
            gaps.append(min(later) - one.time)
    return min(gaps, default=None)


def _behind_their_requests(steps: list[OpenStep]) -> list[OpenStep]:
    """The steps in order, an answer that was recorded a moment before its request behind that (RFC 7296 §2.1).

    Captures of several queues or points record packets so. IKE_SA_INIT may be asked for several times under one message
    ID (§2.6): there each answer is of the last request before it that has none.
    """
    waiting: dict[tuple[int, int, bool], int] = {}
    early: dict[tuple[int, int, bool], list[int]] = {}
    places: list[tuple[int, bool, int]] = []
    for n, step in enumerate(steps):
        header = step.header
        time = step.sent[0].time
        places.append((time, False, n))
        key = (int(header.exchange_type), header.message_id, step.by_first is not header.response)
        if not header.response:
            waiting[key] = waiting.get(key, 0) + 1
            for m in [m for m in early.pop(key, ()) if time - steps[m].sent[0].time <= CROSSED]:
                places[m] = (time, True, m)
                waiting[key] -= 1
        elif waiting.get(key, 0) > 0:
            waiting[key] -= 1
        else:
            early.setdefault(key, []).append(n)
    return [steps[n] for _, _, n in sorted(places)]


CROSSED = SECOND // 2
"""An answer is recorded before its request by no more than this."""


def own_addresses(found: OpenExchange, steps: Sequence[OpenStep]) -> tuple[dict[str, None], dict[str, None]]:
    """Under which addresses each end was seen for certain: of the end that was seen first, and of the other.

    Cookies go over the wire in clear, and anybody who has them can send from any address. So an address is an end's
    own when the exchange began with it, when it carries the same packet on the other side of a NAT, when the other
    end writes to it, or when the initiator goes on with a cookie that came from nowhere else, and came before.
    """
    sides: tuple[dict[str, None], dict[str, None]] = ({found.first[0]: None}, {found.second[0]: None})
    if len(found.first_addresses) == len(found.second_addresses) == 1 and _between_two(found, steps):
        return sides  # as most are: nothing is to be learnt
    heeded: dict[bytes, int] = {}
    for step in steps:
        if step.by_first and step.header.responder_spi != ZERO_SPI:
            heeded.setdefault(step.header.responder_spi, step.sent[0].time)
    grown = True
    while grown:
        before = len(sides[0]) + len(sides[1])
        for step in steps:
            own, others = sides if step.by_first else (sides[1], sides[0])
            seen = _of_one_packet(step, own)
            if not seen:
                went_on = heeded.get(step.header.responder_spi, 0)
                if step.by_first or step.sent[0].time > went_on:
                    continue
                if not any(s.destination in others for s in step.sent):
                    continue
                if _from_elsewhere(steps, step.header.responder_spi, own):
                    continue
                seen = [step.sent[0]]
            for sighting in seen:
                if len(own) < MAX_ALIASES:
                    own.setdefault(sighting.source)
                if sighting.source in own and len(others) < MAX_ALIASES:
                    others.setdefault(sighting.destination)
        grown = len(sides[0]) + len(sides[1]) > before
    return sides


def _between_two(found: OpenExchange, steps: Sequence[OpenStep]) -> bool:
    """Whether every message went between the two addresses that the exchange began with."""
    one, other = found.first[0], found.second[0]
    for step in steps:
        source, destination = (one, other) if step.by_first else (other, one)
        for sighting in (*step.sent, *step.duplicates) if step.duplicates else step.sent:
            if sighting.source != source or sighting.destination != destination:
                return False
    return True


def _of_one_packet(step: OpenStep, own: Collection[str]) -> list[Sighting]:
    """The sightings of a message from its sender's own addresses, and of the same packets beyond a NAT.

    Anybody can send the same octets once more: the same packet keeps its identification, and one of its addresses.
    """
    sent = [s for s in (*step.sent, *step.duplicates) if s.source in own]
    others = [s for s in step.duplicates if s.source not in own]
    if not sent or not others:
        return sent
    legs = {s.destination for s in sent}
    return sent + [s for s in others if s.destination in legs]


def _from_elsewhere(steps: Sequence[OpenStep], cookie: bytes, own: Collection[str]) -> bool:
    """Whether a responder's cookie came from an address that is known to be the responder's: it names no other then."""
    return any(
        not s.by_first and s.header.responder_spi == cookie and any(t.source in own for t in s.sent) for s in steps
    )


def _apart(
    steps: Sequence[OpenStep], of_first: Collection[str], of_second: Collection[str]
) -> tuple[list[OpenStep], list[OpenStep]]:
    """What the two ends sent, and what came from an address of neither, if it be the same octets."""
    own: list[OpenStep] = []
    foreign: list[OpenStep] = []
    for step in steps:
        source = of_first if step.by_first else of_second
        for sighting in step.sent:
            if sighting.source not in source:
                break
        else:
            own.append(step)
            continue
        kept = [s for s in step.sent if s.source in source]
        if kept:
            own.append(replace(step, sent=kept))
        others = [s for s in step.sent if s.source not in source]
        foreign.append(replace(step, sent=others, duplicates=[] if kept else step.duplicates))
    return own, sorted(foreign, key=lambda s: s.sent[0].time)


def _under_its_cookies(
    steps: Sequence[OpenStep], by_initiator: bool, major: int
) -> tuple[list[OpenStep], list[OpenStep]]:
    """What goes under the cookies of this exchange, and what goes under one that the responder did not give.

    by_initiator -- whether what `by_first` says was sent by the initiator

    Both cookies name the SA (RFC 2408 §3.1, RFC 7296 §3.1), and the responder gives its own with its first answer;
    where that is not in the capture, the initiator says which it had. What is encrypted has both.
    """
    given: set[bytes] = set()
    used: tuple[set[bytes], set[bytes]] = (set(), set())
    if len({step.header.responder_spi for step in steps} - {ZERO_SPI}) == 1 and _all_hold(steps, major):
        return list(steps), []
    for step in steps:
        cookie, of_responder = step.header.responder_spi, step.by_first is not by_initiator
        if cookie == ZERO_SPI or step.header.major != major:
            continue
        used[of_responder].add(cookie)
        if of_responder and _gives_cookie(step):
            given.add(cookie)
    known = (given | (used[0] & used[1])) if given else used[0] or used[1]
    own: list[OpenStep] = []
    others: list[OpenStep] = []
    for step in steps:
        cookie = step.header.responder_spi
        holds = cookie in known or (cookie == ZERO_SPI and _can_be_without(step.header))
        (own if holds or step.header.major != major else others).append(step)
    return (own, others) if own else (list(steps), [])


def _all_hold(steps: Sequence[OpenStep], major: int) -> bool:
    """Whether each message is of this version, and has a responder's cookie or can be without."""
    return all(
        s.header.major == major and (s.header.responder_spi != ZERO_SPI or _can_be_without(s.header)) for s in steps
    )


def _can_be_without(header: Header) -> bool:
    """Whether a message can be without a responder's cookie: what is encrypted has it, and what follows IKE_SA_INIT."""
    return not header.encrypted and header.exchange_type not in (ExchangeType.IKE_AUTH, ExchangeType.CREATE_CHILD_SA)


def _gives_cookie(step: OpenStep) -> bool:
    """Whether it is the first answer of a responder, which has its cookie."""
    header = step.header
    if header.major == 2:
        return header.exchange_type == ExchangeType.IKE_SA_INIT
    return header.exchange_type in PHASE_1 and shape(header, step.kinds) is Shape.SA


def _responder_spis(steps: Sequence[Step], major: int) -> list[bytes]:
    """Every cookie of the responder, in the order of first sight."""
    spis = (s.message.header.responder_spi for s in steps if s.message.header.major == major)
    return list(dict.fromkeys(spi for spi in spis if spi != ZERO_SPI))


def _chosen_responder_spi(answers: Sequence[bytes], steps: Sequence[Step]) -> bytes | None:
    """The cookie that the initiator went on with; the first one while it has not said."""
    for step in steps:
        if step.sender is Side.INITIATOR and step.message.header.responder_spi in answers:
            return step.message.header.responder_spi
    return answers[0] if answers else None


def _build_steps(steps: list[OpenStep], first_side: Side, mode: Mode) -> Iterator[Step]:
    starters: dict[tuple[int, int], bool] = {}
    begun = _quick_modes(steps)
    counted: dict[tuple[int, int, bool], int] = {}
    for step in steps:
        sender = first_side if step.by_first else first_side.other
        message_id, kind = step.header.message_id, step.header.exchange_type
        starter = starters.setdefault((kind, message_id), step.by_first)
        nth = counted.get((kind, message_id, step.by_first), 0)
        counted[(kind, message_id, step.by_first)] = nth + 1
        place = 2 * nth + (0 if starter == step.by_first else 1) + begun.get(message_id, 0)
        made_from = (sender, place, mode, len(step.sent), len(step.duplicates), step.uncounted, len(step.pieces))
        if step.built is None or step.built_from != made_from:
            name, number = name_and_number(step.header, sender, place, step.kinds)
            step.built_from = made_from
            step.built = Step(
                name=name,
                # The exchange type holds for the whole of an exchange (RFC 2408 §3.1).
                number=number if number and mode_of(step.header) is mode else None,
                sender=sender,
                message=step.message,
                sent=tuple(step.sent),
                duplicates=tuple(step.duplicates),
                uncounted=step.uncounted,
                missing=step.missing,
                cut_by_ip_loss=step.cut_by_ip_loss,
                pieces=step.pieces,
            )
        yield step.built


def _quick_modes(steps: Sequence[OpenStep]) -> dict[int, int]:
    """How many messages of each Quick Mode went before the first one that is here, by message ID."""
    rows: dict[int, list[OpenStep]] = {}
    for step in steps:
        if step.header.exchange_type == ExchangeType.QUICK and step.header.major == 1:
            rows.setdefault(step.header.message_id, []).append(step)
    return {
        message_id: quick_mode_begins_at(
            sum(s.by_first is found[0].by_first for s in found), [s.header.length for s in found]
        )
        - 1
        for message_id, found in rows.items()
    }


def _in_order(step: OpenStep) -> OpenStep:
    """The step with its sightings in the order of their times: a capture of several queues has them in another."""
    sent = step.sent
    if len(sent) == 1 or all(sent[n].time <= sent[n + 1].time for n in range(len(sent) - 1)):
        return step
    return replace(step, sent=sorted(sent, key=lambda s: s.time), built=None)


def _with_incomplete(found: OpenExchange) -> list[OpenStep]:
    """The steps, and the messages of which only some IKE fragments came.

    Where another transmission of the same message was whole, the incomplete one counts as sent again.
    """
    steps = _with_ip_fragments_lost(found) if any(s.cut_by_ip_loss for s in found.steps) else list(found.steps)
    for rest in found.fragments.incomplete():
        whole = next((s for s in steps if s.by_first == rest.by_first and s.header == rest.message.header), None)
        if whole is not None:
            sent = sorted([*whole.sent, *rest.sightings], key=lambda s: s.time)
            steps[steps.index(whole)] = replace(whole, sent=sent, built=None)
        else:
            header = rest.message.header
            step = OpenStep(header, rest.message, rest.by_first, list(rest.sightings), missing=rest.missing)
            steps.append(step)
    return steps


def _with_ip_fragments_lost(found: OpenExchange) -> list[OpenStep]:
    """The steps; what begins like a message that was whole at another time, and lost IP fragments, is that message.

    Taken for another one it would answer what its sender has no answer to.
    """
    octets = {id(step): content for (_, content), step in found.by_content.items()}
    steps = list(found.steps)
    for cut in [s for s in steps if s.cut_by_ip_loss][:MAX_CUT]:
        begins = octets.get(id(cut), b"")
        for place, whole in enumerate(steps):
            same = whole.by_first == cut.by_first and whole.header == cut.header and not whole.cut_by_ip_loss
            if same and begins and octets.get(id(whole), b"").startswith(begins):
                sent = sorted([*whole.sent, *cut.sent], key=lambda s: s.time)
                steps[place] = replace(whole, sent=sent, duplicates=[*whole.duplicates, *cut.duplicates], built=None)
                steps.remove(cut)
                break
    return steps


def _product(vendor_id: VendorId) -> str:
    """The product that an ID names, with its version; what follows the ID of an extension is none of a product."""
    vendor, version = vendor_id.vendor or "", vendor_id.version
    if version is None or vendor_id.feature is not None:
        return vendor
    return f"{vendor} {version.removeprefix(vendor.split()[-1]).lstrip()}"


def _peer(end: tuple[str, int], addresses: dict[str, None], steps: tuple[Step, ...], side: Side) -> Peer:
    names: dict[str, None] = {}
    for step in steps:
        if step.sender is side and len(names) < MAX_NAMES:
            for vendor_id in step.vendor_ids[:MAX_NAMES]:
                if vendor_id.vendor:
                    names.setdefault(_product(vendor_id))
    # One that another says with its version is told once.
    names = {name: None for name in names if not any(other.startswith(f"{name} ") for other in names)}
    shown = (
        f"{payload.id_type.label} {payload.text}"
        for step in steps
        if step.sender is side
        for payload in step.message.payloads
        if isinstance(payload, Identification)
    )
    identities = dict.fromkeys(islice(shown, MAX_NAMES))
    return Peer(end[0], end[1], tuple(names), tuple(a for a in addresses if a != end[0]), tuple(identities))
