"""Facts about what follows phase 1: Quick Mode, XAuth, DPD, ESP, rekeys; and IKEv2's side steps."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from pcapdiag.capture.datagram import EspFlow, Frame
from pcapdiag.diagnosis.evidence.case import MAX_FRAMES, Case, Fact, span
from pcapdiag.diagnosis.outcome import ikev2
from pcapdiag.diagnosis.outcome.quick_mode import Phase2
from pcapdiag.diagnosis.outcome.stop import (
    CROSSING,
    REFUSAL,
    RESTART,
    SILENCE,
    Outcome,
    answered,
    chosen_transform,
    error_notifies,
    frames_of,
    how_often,
    informational,
    may_be_dpd,
    may_be_sa_delete,
    refusal_text,
    same_initiator,
)
from pcapdiag.exchange.model import Mode, Side, Step
from pcapdiag.ike.registry import ExchangeType, Group, NotifyTypeV2, OakleyAttribute, TransformTypeV2
from pcapdiag.units import SECOND


def phase2(case: Case) -> Iterator[Fact]:
    """What became of each Quick Mode, where that is worth a line."""
    for quick in case.phase2:
        if quick.name != "Quick Mode":
            continue
        name = quick.title
        if quick.answer is not None and not quick.answer.encrypted and error_notifies(quick.answer):
            if case.unfinished:
                continue  # the SA is not there yet: it is phase 1 that this refuses
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
            if not answered:
                yield from _alive_meanwhile(case, quick)
    good = next((q for q in case.phase2 if q.outcome is Outcome.COMPLETED), None)
    if good is not None:
        yield Fact(
            "phase2-completed" if good.name == "Quick Mode" else "child-sa-made",
            f"{good.title} completed.",
            good.frames,
        )


def _alive_meanwhile(case: Case, quick: Phase2) -> Iterator[Fact]:
    """The end that does not answer Quick Mode sends something else with the keys of this SA: it has them."""
    asked = quick.steps[0]
    if asked.octets >= LARGE or any(len(s.frames) > 1 for s in asked.sent):
        return  # what is large, or in pieces, may be lost where other messages are not
    alive = [
        s
        for s in case.exchange.steps
        if s.encrypted and s.sender is not asked.sender and not s.number and s.first.time > asked.first.time + CROSSING
    ]
    if alive:
        text = (
            f"{quick.title}: the {asked.sender.other} sent {len(alive)} other encrypted message"
            f"{'s' * (len(alive) > 1)} under the same SA behind QM1: it is alive, has the SA, and does not answer this."
        )
        yield Fact("phase2-ignored", text, frames_of(alive)[:MAX_FRAMES])


def deleted_at_once(case: Case) -> Iterator[Fact]:
    """Right behind Quick Mode an end sends what may delete all, nothing follows, and phase 1 is begun anew."""
    made = [q for q in case.phase2 if q.name == "Quick Mode" and q.outcome is Outcome.COMPLETED]
    if not made or case.unfinished:
        return
    e = case.exchange
    reached = max(s.first.time for s in made[-1].steps)
    told = [
        s
        for s in informational(e)
        if s.encrypted and 0 <= s.first.time - reached <= REFUSAL and may_be_sa_delete(s, e) and not answered(e, s)
    ]
    if not told or case.setting.traffic_both_ways(e, reached):
        return
    if any(s.last.time > told[-1].first.time + REFUSAL for s in e.steps):
        return
    again = case.setting.next_attempt(e, reached)
    begun = again is not None and again.first_time <= reached + RESTART
    # Of the two SAs each has a delete of its own, that of ESP first: INITIAL-CONTACT, which is as long, comes alone.
    both = [s for s in informational(e) if s.sender is told[-1].sender and s.first.time >= reached and s.encrypted]
    if not begun and (len(both) < 2 or case.setting.silence_after(told[-1].first.time) < SILENCE):
        return
    text = (
        f"{made[-1].title} completed, and {span(told[0].first.time - reached)} later the {told[0].sender} sent an "
        "encrypted Informational that is long enough to delete the ISAKMP SA. Nothing more goes under it"
    )
    frames = frames_of(told if begun else both)
    if again is not None and begun:
        text += f", and the same ends began anew (exchange {again.id})"
        frames = (*frames, again.steps[0].first.frame)
    yield Fact("phase2-deleted-at-once", f"{text}.", frames)


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
    yield from _child_taken_back(case, gone)
    for side in Side:
        own = [s for s in gone if s.sender is side]
        if own:
            text = f"The {side} deleted an SA {how_often(len(own))} (D is the first payload inside SK)."
            yield Fact(f"v2-delete-by-{side}", text, frames_of(own)[:MAX_FRAMES])


def _child_taken_back(case: Case, gone: Sequence[Step]) -> Iterator[Fact]:
    """An end deletes right behind IKE_AUTH, and the IKE SA goes on: so it was the Child SA (RFC 7296 §1.4.1)."""
    answers = ikev2.auth_of(case.exchange)[-1:] if case.stop.outcome is Outcome.COMPLETED else []
    for answer in answers if gone else ():
        since = answer.first.time
        at_once = [s for s in gone if 0 <= s.first.time - since <= ikev2.AT_ONCE]
        made = any(p.outcome is Outcome.COMPLETED for p in case.phase2)
        told = not ikev2.untimed(case.exchange) and not case.setting.traffic_both_ways(case.exchange, since)
        if at_once and not made and told:
            text = (
                f"The {at_once[0].sender} deleted an SA right behind IKE_AUTH, and the IKE SA goes on: it was the "
                "Child SA, and no other one was made."
            )
            yield Fact("child-deleted-at-once", text, (*answer.frames, *at_once[0].frames))


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
    if not asked or any(q.outcome in (Outcome.COMPLETED, Outcome.REJECTED) for q in case.phase2):
        return
    yield from _unanswered_transaction(case, asked)
    if case.phase2:
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
        unseen = case.vantage.one_way is Side.RESPONDER  # it would be the initiator's to go on
        kind = "xauth-leads-nowhere" if quiet >= SECOND // 5 and not unseen else "xauth-result-unknown"
        text = (
            "Two Transaction exchanges of the responder (a request and a result), then neither mode-config nor "
            f"Quick Mode; the capture ends {span(quiet)} later."
        )
        yield Fact(kind, text, frames_of(asked))


def _unanswered_transaction(case: Case, asked: Sequence[Step]) -> Iterator[Fact]:
    """A request that gets no answer under its message ID (mode-config draft §3): a user's, or a configuration's."""
    rows: dict[int, list[Step]] = {}
    for step in asked:
        rows.setdefault(step.message.header.message_id, []).append(step)
    last = rows[asked[-1].message.header.message_id]
    first = last[0]
    if any(s.sender is not first.sender for s in last) or case.vantage.one_way is first.sender:
        return
    e = case.exchange
    ended = [s for s in informational(e) if s.encrypted and s.first.time >= first.first.time and not answered(e, s)]
    if case.setting.silence_after(first.first.time) < SILENCE and not (ended and first.sender is Side.INITIATOR):
        return
    again = how_often(sum(len(s.sent) for s in last))
    if first.sender is Side.INITIATOR:
        text = f"The initiator asked by a Transaction exchange ({again}), as for its address, and got no answer to it"
        text += "; the other end sent an encrypted Informational instead." if ended else "."
        yield Fact("config-unanswered", text, frames_of([*last, *ended]))
    elif not any(s.sender is Side.INITIATOR for s in asked):
        text = f"The responder asked by a Transaction exchange ({again}), as for a user, and the initiator sent none"
        text += ", but Quick Mode." if case.phase2 else "."
        yield Fact("xauth-unanswered", text, frames_of(last))


def answered_in_clear(case: Case) -> Iterator[Fact]:
    """What an end sends under the SA is answered with errors in clear: who has the SA encrypts (RFC 2409 §5.7)."""
    if case.unfinished:
        return
    e = case.exchange
    for side in Side:
        own = [s for s in e.steps if s.sender is side.other]
        sealed = [s.first.time for s in own if s.encrypted]
        errors = [s for s in informational(e) if s.sender is side.other and error_notifies(s)]
        late = [s for s in errors if s.first.time > max(sealed, default=0)]
        asked = [s for s in informational(e) if s.sender is side and s.encrypted]
        pairs = [(a, s) for a in asked for s in late if 0 <= s.first.time - a.first.time <= 2 * SECOND]
        if not pairs:
            continue
        names = ", ".join(dict.fromkeys(n.name for _, s in pairs for n in error_notifies(s)))
        text = (
            f"The {side.other} answered encrypted Informational messages of the {side} with {names} in clear "
            f"({how_often(len(pairs))}); an end that has the ISAKMP SA encrypts it (RFC 2409 §5.7). It is not "
            "authenticated: anybody could have sent it."
        )
        yield Fact("sa-answered-in-clear", text, frames_of([s for pair in pairs for s in pair])[:MAX_FRAMES])


def dpd(case: Case) -> Iterator[Fact]:
    """One end's Informational messages unanswered at the end, after it had been alive (RFC 3706 §5.5)."""
    if case.unfinished:
        return
    e = case.exchange
    rows = [s for s in informational(e) if may_be_dpd(s, e)]
    if len(rows) < 2:
        return
    for side in Side:
        if case.vantage.one_way is side:
            continue  # what answers does not pass here
        heard = [s.last.time for s in e.steps if s.sender is side.other]
        silent_since = max(heard, default=e.first_time)
        lone = [s for s in rows if s.sender is side and s.first.time > silent_since + CROSSING]
        # Every question of DPD is as long as the others (RFC 3706 §5.3).
        length = Counter(s.message.header.length for s in lone).most_common(1)
        lone = [s for s in lone if s.message.header.length == length[0][0]]
        spaced = len(lone) >= 2 and lone[-1].first.time - lone[0].first.time >= REFUSAL - CROSSING
        esp = [f for f in case.esp if f.source in e.peer(side.other).addresses]
        goes_on = [f for f in esp if spaced and f.first_time < lone[0].first.time and f.last_time > lone[1].first.time]
        if goes_on:
            text = (
                f"The {side} sent {len(lone)} Informational messages with no answer, as unanswered DPD does; but the "
                f"{side.other}'s {goes_on[0].protocol.upper()} goes on meanwhile: it is alive."
            )
            yield Fact("dpd-unheeded", text, (*frames_of(lone), goes_on[0].last_frame)[:MAX_FRAMES])
        elif spaced:
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


LARGE = 1_200
"""A UDP payload from here on may not fit one packet of every path."""
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
    yield from _cookies_not_taken(case)
    between = case.exchange.of_type(ExchangeType.IKE_INTERMEDIATE)
    if between:
        text = f"{len(between)} IKE_INTERMEDIATE messages (RFC 9242), as additional key exchanges need (RFC 9370)."
        yield Fact("ike-intermediate", text, frames_of(between)[:MAX_FRAMES])
    clear = _clear_answers(steps)
    yield from _answered_in_clear(case, clear)
    # What is in clear answers no request under an IKE SA (RFC 7296 §2.21.4).
    answered = {(s.message.header.message_id, s.sender) for s in steps if s.message.header.response and s.encrypted}
    for step in steps:
        request = not step.message.header.response and step.exchange_type in ikev2.AFTER_AUTH
        key = (step.message.header.message_id, step.sender.other)
        unseen = case.vantage.one_way is step.sender
        told = max((s.last.time for s in clear.get(key, ())), default=0)
        if not request or unseen or key in answered or step.last.time <= told or not _waited_for(case, step):
            continue
        text = f"{step.name} {step.message.header.message_id} was sent {how_often(len(step.sent))} and never answered"
        goes_on = _esp_goes_on(case, key[1], step.first.time, step.last.time)
        if ikev2.deletes(
            [step]
        ):  # who deletes ends it, and an end that had ended it already says nothing (RFC 7296 §1.4.1)
            yield Fact("v2-delete-unanswered", f"{text}: it deletes an SA.", step.frames)
        elif not goes_on:
            yield Fact("v2-request-unanswered", f"{text}.", step.frames)
        elif len(step.sent) > SOME_LOST:
            text = f"{text}, while ESP or AH of the {key[1]} goes on: its IKE is silent, and it is there."
            yield Fact("ike-silent-beside-esp", text, (*step.frames, *goes_on[:2]))


SOME_LOST = 2
"""Of a request and its repetition each may be lost, or the answer: that alone shows no silence."""


def _waited_for(case: Case, step: Step) -> bool:
    """It was sent again and again, or once more and long enough ago, that its answer is not just late."""
    return len(step.sent) > SOME_LOST or (
        len(step.sent) == SOME_LOST and case.setting.silence_after(step.first.time) >= SILENCE
    )


def _esp_goes_on(case: Case, side: Side, begun: int, since: int) -> tuple[Frame, ...]:
    """Frames of ESP or AH of this end that was there before `begun` and goes on behind `since`."""
    addresses = case.exchange.peer(side).addresses
    flows = [f for f in case.esp if f.source in addresses and f.first_time < begun and f.last_time > since + CROSSING]
    return tuple(f.last_frame for f in flows)


def _cookies_not_taken(case: Case) -> Iterator[Fact]:
    """Requests that return the cookie, each answered by a question for one (RFC 7296 §2.6).

    The responder makes it of the initiator's nonce, address and SPI: it fits no more where one of these has changed.
    One that is asked for anew may be made with the next secret.
    """
    init = [s for s in case.exchange.of_type(ExchangeType.IKE_SA_INIT) if s.sender is Side.INITIATOR or _has_cookie(s)]
    rows = sorted((sighting.time, sighting.frame, s.sender, _has_cookie(s)) for s in init for sighting in s.sent)
    again = [
        after[1]
        for before, after in pairwise(rows)
        if after[2] is Side.RESPONDER and before[2] is Side.INITIATOR and before[3]
    ]
    if len(again) >= COOKIES_REFUSED:
        text = (
            f"The initiator returns the COOKIE, and the responder asks for one again ({how_often(len(again))}): it "
            "does not take what it gave, or what that is made of changes, as by a NAT that takes another port then."
        )
        yield Fact("cookie-not-taken", text, tuple(again[:MAX_FRAMES]))


COOKIES_REFUSED = 2
"""The secret of the cookies may change between two requests, and hardly again between the next two."""


def _has_cookie(step: Step) -> bool:
    return any(n.notify_type == NotifyTypeV2.COOKIE for n in step.notifications)


ClearAnswers = Mapping[tuple[int, Side], Sequence[Step]]


def _clear_answers(steps: Sequence[Step]) -> ClearAnswers:
    """Errors in clear that are marked as responses, by the message ID of what they answer and their sender."""
    found: dict[tuple[int, Side], list[Step]] = {}
    for step in steps:
        if not step.encrypted and step.message.header.response and error_notifies(step):
            found.setdefault((step.message.header.message_id, step.sender), []).append(step)
    return found


def _answered_in_clear(case: Case, clear: ClearAnswers) -> Iterator[Fact]:
    """A request under the IKE SA is answered by an error in clear alone, of who has none (RFC 7296 §2.21.4)."""
    for request in case.exchange.steps if clear else ():
        if request.message.header.response or not request.encrypted or request.exchange_type not in ikev2.AFTER_AUTH:
            continue
        by, number = request.sender.other, request.message.header.message_id
        answers = [s for s in clear.get((number, by), ()) if s.last.time >= request.first.time]
        if not answers or _heard_under_the_sa(case, by, request.first.time, answers[0].first.time):
            continue
        names = ", ".join(dict.fromkeys(n.name for s in answers for n in error_notifies(s)))
        text = (
            f"{request.name} {number}: the {by} answered with {names} in clear; an end that has the IKE SA encrypts "
            "what it says (RFC 7296 §2.21.4). It is not authenticated: anybody could have sent it."
        )
        yield Fact("v2-answered-in-clear", text, frames_of([request, *answers])[:MAX_FRAMES])
        return


def _heard_under_the_sa(case: Case, side: Side, asked: int, told: int) -> bool:
    """This end says something encrypted behind the request, or its ESP or AH goes on behind its error."""
    if any(s.encrypted and s.last.time >= asked for s in case.exchange.sent_by(side)):
        return True
    return bool(_esp_goes_on(case, side, told, told))
