"""Facts about what follows phase 1: Quick Mode, XAuth, DPD, ESP, rekeys; and IKEv2's side steps."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from pcapdiag.capture.datagram import EspFlow
from pcapdiag.diagnosis.evidence.case import MAX_FRAMES, Case, Fact, span
from pcapdiag.diagnosis.outcome import ikev2
from pcapdiag.diagnosis.outcome.stop import (
    CROSSING,
    REFUSAL,
    SILENCE,
    Outcome,
    chosen_transform,
    error_notifies,
    frames_of,
    how_often,
    informational,
    refusal_text,
    same_initiator,
)
from pcapdiag.exchange.model import Mode, Side
from pcapdiag.ike.registry import ExchangeType, Group, NotifyTypeV2, OakleyAttribute, TransformTypeV2
from pcapdiag.units import SECOND


def phase2(case: Case) -> Iterator[Fact]:
    """What became of each Quick Mode, where that is worth a line."""
    for quick in case.phase2:
        if quick.name != "Quick Mode":
            continue
        name = quick.title
        if quick.answer is not None and not quick.answer.encrypted and error_notifies(quick.answer):
            names = ", ".join(n.name for n in error_notifies(quick.answer))
            text = (
                f"{name}: the {quick.answer.sender} answered with {names} in clear; an end that has the ISAKMP SA "
                "encrypts what it says of it (RFC 2409 §5.7). It is not authenticated: anybody could have sent it."
            )
            yield Fact("phase2-answered-in-clear", text, quick.frames)
        elif quick.outcome is Outcome.REJECTED and quick.answer is not None:
            text = (
                f"{name}: the {quick.answer.sender} answered QM{quick.last_message} with {refusal_text(quick.answer)}."
            )
            also = ("phase2-choice-refused",) if quick.last_message == 2 else ()
            yield Fact("phase2-refused", text, quick.frames, also)
        elif quick.outcome is Outcome.STALLED:
            again = max(len(s.sent) for s in quick.steps)
            answered = quick.last_message >= 2
            text = f"{name}: {quick.reason}"
            if quick.last_message < 3:
                text = f"{name}: {quick.next_message} was not seen; QM{quick.last_message} was sent {how_often(again)}."
            yield Fact("phase2-answer-unheeded" if answered else "phase2-unanswered", text, quick.frames)
    good = next((q for q in case.phase2 if q.outcome is Outcome.COMPLETED), None)
    if good is not None:
        yield Fact(
            "phase2-completed" if good.name == "Quick Mode" else "child-sa-made",
            f"{good.title} completed.",
            good.frames,
        )


def children(case: Case) -> Iterator[Fact]:
    """What became of CREATE_CHILD_SA, and who deletes what, of IKEv2."""
    for child in case.phase2:
        if child.name == "Quick Mode":
            continue
        if child.outcome is Outcome.REJECTED:
            yield Fact("child-sa-refused", f"{child.title}: {child.reason}", child.frames)
        elif child.outcome is Outcome.SUPERSEDED:
            yield Fact("child-sa-asked-anew", f"{child.title}: {child.reason}", child.frames)
    yield from _collision(case)
    gone = ikev2.deletes(case.exchange.steps) if case.exchange.mode is Mode.IKEV2 else []
    for side in Side:
        own = [s for s in gone if s.sender is side]
        if own:
            text = f"The {side} deleted an SA {how_often(len(own))} (D is the first payload inside SK)."
            yield Fact(f"v2-delete-by-{side}", text, frames_of(own)[:MAX_FRAMES])


def _collision(case: Case) -> Iterator[Fact]:
    """Both ends asked before either had the other's answer (RFC 7296 §2.8.1)."""
    rows = [p for p in case.phase2 if p.name != "Quick Mode"]
    for one, other in pairwise(rows):
        if one.began_by is other.began_by or not one.answer_time or one.answer_time < other.steps[0].first.time:
            continue
        text = f"{one.title} and {other.title} crossed: both ends asked before either had an answer."
        yield Fact("child-sa-collision", text, tuple(sorted((*one.frames, *other.frames))))


def xauth(case: Case) -> Iterator[Fact]:
    """Transaction exchanges with nothing behind them: user authentication did not lead on (XAuth draft §5)."""
    e = case.exchange
    asked = e.of_type(ExchangeType.TRANSACTION)
    if not asked or case.phase2:
        return
    starters: dict[int, Side] = {}
    for step in asked:
        starters.setdefault(step.message.header.message_id, step.sender)
    last = max(s.last.time for s in asked)
    quiet = case.setting.silence_after(last)
    # A request and its result: two rounds of the responder. A third may push the configuration, as some do instead
    # of being asked for it; and what follows comes within milliseconds, so a capture that ends at once tells nothing.
    rounds = list(starters.values())
    if Side.INITIATOR in rounds:
        return
    ended = [s for s in informational(e) if s.encrypted and s.sender is Side.RESPONDER and s.first.time > last]
    if len(rounds) != 2 and (ended or (len(rounds) > 2 and quiet >= SILENCE)):
        count = f"{len(rounds)} Transaction exchange{'s' * (len(rounds) > 1)} of the responder"
        text = f"{count}, then neither mode-config nor Quick Mode"
        text += "; it ended this with an encrypted Informational." if ended else f" in the {span(quiet)} that follow."
        yield Fact("xauth-leads-nowhere", text, frames_of([*asked, *ended]))
    elif len(rounds) == 2:
        kind = "xauth-leads-nowhere" if quiet >= SECOND // 5 else "xauth-result-unknown"
        text = (
            "Two Transaction exchanges of the responder (a request and a result), then neither mode-config nor "
            f"Quick Mode; the capture ends {span(quiet)} later."
        )
        yield Fact(kind, text, frames_of(asked))


def dpd(case: Case) -> Iterator[Fact]:
    """One end's Informational messages unanswered at the end, after it had been alive (RFC 3706 §5.5)."""
    if case.unfinished:
        return
    e = case.exchange
    rows = [s for s in informational(e) if s.encrypted]
    if len(rows) < 2:
        return
    for side in Side:
        if case.vantage.one_way is side:
            continue  # what answers does not pass here
        heard = [s.last.time for s in e.steps if s.sender is side.other]
        silent_since = max(heard, default=e.first_time)
        lone = [s for s in rows if s.sender is side and s.first.time > silent_since + CROSSING]
        spaced = len(lone) >= 2 and lone[-1].first.time - lone[0].first.time >= REFUSAL - CROSSING
        if spaced:
            text = (
                f"The {side} sent {len(lone)} Informational messages over "
                f"{span(lone[-1].first.time - lone[0].first.time)} with no answer, as unanswered DPD does."
            )
            yield Fact("dpd-unanswered", text, frames_of(lone))


def quick_mode_size(case: Case) -> Iterator[Fact]:
    """Whether the first Quick Mode message has room for a KE payload, which is PFS (RFC 2409 §5.5)."""
    if case.exchange.mode is Mode.IKEV2 or not case.phase2 or case.phase2[0].steps[0].opened is not None:
        return  # what keys show needs no guess from the size
    first = case.phase2[0].steps[0]
    length = first.message.header.length
    if length < QUICK_MODE_WITHOUT_KE + SMALLEST_MODP_KE:
        none = length < QUICK_MODE_WITHOUT_KE + SMALLEST_KE
        rest = "its sender does not propose PFS" if none else "no PFS, unless with an elliptic curve"
        text = (
            f"{first.name} has {length} octets, too few for a KE payload{'' if none else ' of any MODP group'}: {rest}."
        )
        yield Fact("quick-mode-without-ke" if none else "quick-mode-without-modp-ke", text, first.first.frames)
        return
    transform = chosen_transform(case.exchange)
    group = transform.attribute(OakleyAttribute.GROUP) if transform else None
    octets = KE_OCTETS.get(group.value if group else 0, SMALLEST_MODP_KE)
    if length >= QUICK_MODE_WITHOUT_KE + octets + 60:
        text = (
            f"{first.name} has {length} octets, room for a KE payload of {octets}: its sender may propose PFS "
            "(or many proposals)."
        )
        yield Fact("quick-mode-room-for-ke", text, first.first.frames)


QUICK_MODE_WITHOUT_KE = 108
"""Header 28, HASH 20, SA 44 with one transform, NONCE 12, and the cipher's padding: the least that message 1 has."""


SMALLEST_KE = 36
"""KE of Curve25519 (group 31, RFC 8031): 32 octets and the generic header."""
SMALLEST_MODP_KE = 100
"""KE of group 1: 96 octets and the generic header."""
KE_OCTETS: Mapping[int | bytes, int] = {1: 100, 2: 132, 5: 196, 14: 260, 15: 388, 16: 516, 19: 68, 20: 100, 21: 136}


def esp(case: Case) -> Iterator[Fact]:
    """ESP between the two peers by direction: a tunnel that is up and carries one way only."""
    if case.unfinished:
        return
    e = case.exchange
    flows = [f for f in case.esp if f.last_time >= e.first_time and case.setting.maker_of(f) in (None, e.id)]
    if case.stop.outcome is not Outcome.PARTIAL:
        flows = list(case.traffic_since(e.first_time))
    if not flows:
        return
    out = [f for f in flows if f.source in e.initiator.addresses and f.destination in e.responder.addresses]
    back = [f for f in flows if f.source in e.responder.addresses and f.destination in e.initiator.addresses]
    yield from _outside_udp(case, (*out, *back))
    counts = (sum(f.packets for f in out), sum(f.packets for f in back))
    frames = tuple(sorted({f for flow in (*out, *back) for f in (flow.first_frame, flow.last_frame)}))
    what = " and ".join(sorted({f.protocol.upper() for f in (*out, *back)}, reverse=True))
    spis = ", ".join(f"{f.spi:08x} {'→' if f in out else '←'} {f.packets}" for f in (*out, *back)[:6])
    if counts[0] and counts[1]:
        yield Fact("esp-both-ways", f"{what} flows in both directions ({spis} packets).", frames)
    elif sum(counts) >= ONE_WAY:
        side = Side.INITIATOR if counts[0] else Side.RESPONDER
        if case.vantage.one_way is side:
            return  # the capture sees nothing of the other end, its ESP neither
        text = f"{what} flows in one direction only: {sum(counts)} packets from the {side}, none back ({spis} packets)."
        yield Fact("esp-one-way", text, frames)


def _outside_udp(case: Case, flows: Sequence[EspFlow]) -> Iterator[Fact]:
    """ESP as an IP protocol of its own although IKE floated for a NAT (RFC 3948 §3.3, RFC 7296 §2.23)."""
    view = case.nat
    bare = [f for f in flows if f.source_port is None and f.protocol == "esp"]
    floated = any(s.first.floated for s in case.exchange.steps)
    if bare and floated and view is not None and view.translated:
        sides = " and ".join(s for s in Side if any(f.source in case.exchange.peer(s).addresses for f in bare))
        text = (
            f"ESP from the {sides} goes as IP protocol 50, although there is NAT and IKE went to UDP 4500: many NATs "
            "drop that, and the other end may expect it in UDP."
        )
        yield Fact("esp-outside-udp", text, tuple(sorted({f.first_frame for f in bare})))


ONE_WAY = 4
"""Fewer packets than this may just not have been answered yet."""


def rekey(case: Case) -> Iterator[Fact]:
    """The same peers completed another exchange later."""
    if case.unfinished:
        return
    e = case.exchange
    since = e.phase1_end
    later = next(
        (
            o
            for o in case.completed
            if o.phase1_end > since and (o.numbered(1) or o.named("IKE_SA_INIT request")) and same_initiator(e, o)
        ),
        None,
    )
    if later is not None:
        gap = span(later.phase1_end - e.phase1_end)
        text = f"The same peers completed exchange {later.id}, {gap} later."
        yield Fact("phase1-again", text, later.steps[0].first.frames)


def _groups_offered(case: Case) -> set[int]:
    """Every group in the initiator's proposals; empty where these were cut off."""
    asked = [s for s in case.exchange.named("IKE_SA_INIT request") if s.proposals]
    if any(s.message.cut for s in asked):
        return set()
    rows = [t for s in asked for p in s.proposals for t in p.transforms]
    return {int(t.id) for t in rows if t.kind == TransformTypeV2.KE}


def ikev2_extras(case: Case) -> Iterator[Fact]:
    """COOKIE and INVALID_KE_PAYLOAD rounds, IKE_INTERMEDIATE, and requests that nobody answered (RFC 7296 §2.1)."""
    if case.exchange.mode is not Mode.IKEV2:
        return
    steps = case.exchange.steps
    for step in steps:
        for notify in step.notifications:
            if notify.notify_type == NotifyTypeV2.COOKIE and step.message.header.response:
                text = "The responder asked for a COOKIE before it did any work: it is under load, or always asks."
                yield Fact("cookie-challenge", text, step.first.frames)
            elif notify.notify_type == NotifyTypeV2.INVALID_KE_PAYLOAD:
                also: tuple[str, ...] = ()
                text = "The responder wants another group than the one guessed; it does not say which."
                if len(notify.data) >= 2:
                    group = Group(int.from_bytes(notify.data[:2], "big"))
                    text = f"The responder wants another group than the one guessed: {group.label}."
                    offered = _groups_offered(case)
                    if offered and group not in offered:
                        text += " None of the proposals has it."
                        also = ("wanted-group-not-offered",)
                yield Fact("other-group-wanted", text, step.first.frames, also)
    between = case.exchange.of_type(ExchangeType.IKE_INTERMEDIATE)
    if between:
        text = f"{len(between)} IKE_INTERMEDIATE messages (RFC 9242), as additional key exchanges need (RFC 9370)."
        yield Fact("ike-intermediate", text, frames_of(between)[:MAX_FRAMES])
    answered = {(s.message.header.message_id, s.sender) for s in steps if s.message.header.response}
    for step in steps:
        request = not step.message.header.response and step.exchange_type in ikev2.AFTER_AUTH
        key = (step.message.header.message_id, step.sender.other)
        unseen = case.vantage.one_way is step.sender
        if request and not unseen and key not in answered and len(step.sent) >= 2:
            text = (
                f"{step.name} {step.message.header.message_id} was sent {how_often(len(step.sent))} and never answered."
            )
            yield Fact("v2-request-unanswered", text, step.frames)
