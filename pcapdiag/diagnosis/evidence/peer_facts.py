"""Facts about the two ends: what they offer and choose, who they are, and how often they try."""

from collections.abc import Iterator, Sequence

from pcapdiag.diagnosis.evidence.case import FLOOD, MANY, Case, Fact, span
from pcapdiag.diagnosis.evidence.psk_check import check_keys
from pcapdiag.diagnosis.evidence.weak_algorithms import weak
from pcapdiag.diagnosis.outcome.stop import WELL_KNOWN, chosen_transform, error_notifies, frames_of, same_initiator
from pcapdiag.exchange.model import Mode, Side
from pcapdiag.ike.message import ZERO_SPI
from pcapdiag.ike.payloads import Certificate, Proposal
from pcapdiag.ike.registry import OakleyAttribute, PayloadType
from pcapdiag.units import SECOND

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


def offer(case: Case) -> Iterator[Fact]:
    """What was offered and refused, and what the other end itself offers or chose elsewhere in the capture."""
    e = case.exchange
    first = next((s for s in e.steps if s.sender is Side.INITIATOR and s.proposals), None)
    if first is None or not case.unfinished or (e.last_message or 0) > 1 or e.mode is Mode.IKEV2:
        return  # who sends message 3 has had an answer with a choice, be it in the capture or not
    ours = _suites(first.proposals)
    offered = "; ".join(f"{name} {_choices(ours, name)}" for name in _COMPARED.values() if _choices(ours, name))
    yield Fact("offered", f"{first.name} offers {offered}.", first.first.frames)
    own = next((o for o in case.counter_offers if o.id != e.id), None)
    if own is None:
        return
    answer = next(s for s in own.steps if s.proposals and s.first.source in e.responder.addresses)
    theirs = _suites(answer.proposals)
    if any(suite in theirs for suite in ours):
        return
    differ = [n for n in _COMPARED.values() if not {s.get(n) for s in ours} & {s.get(n) for s in theirs}]
    details = "; ".join(f"{n} {_choices(theirs, n)}" for n in differ) or "no combination is in both"
    text = f"In exchange {own.id} the same peer offers or chooses otherwise: {details}."
    yield Fact("offers-differ", text, (first.first.frame, answer.first.frame))


def _choices(suites: Sequence[dict[str, str]], name: str) -> str:
    return " or ".join(dict.fromkeys(suite[name] for suite in suites if name in suite))


def chosen(case: Case) -> Iterator[Fact]:
    """What the responder chose, and whether it can choose that: one transform of those offered (RFC 2409 §5)."""
    e = case.exchange
    for step in e.numbered(2):
        transforms = [t for p in step.proposals for t in p.transforms if t.kind is None]
        if not transforms:
            continue
        if len(transforms) > 1:
            text = f"{step.name} holds {len(transforms)} transforms; it has to choose one (RFC 2409 §5)."
            yield Fact("several-chosen", text, step.first.frames)
        offer = next((s for s in e.numbered(1) if s.proposals and not s.message.cut), None)
        differ = _not_offered(offer.proposals, step.proposals) if offer is not None else ()
        if differ and offer is not None:
            text = f"{step.name} chooses what {offer.name} does not offer: {'; '.join(differ)}."
            yield Fact("chosen-not-offered", text, (offer.first.frame, step.first.frame))
        else:
            yield Fact("proposal-chosen", f"The responder chose a proposal ({step.name}).", step.first.frames)
        return


def _not_offered(offered: Sequence[Proposal], chosen: Sequence[Proposal]) -> tuple[str, ...]:
    """What differs, attribute by attribute, where the first transform chosen is none of those offered; else nothing."""
    ours, theirs = _suites(offered), _suites(chosen)[0]
    if not ours or any(suite == theirs for suite in ours):
        return ()
    differ = [n for n in _COMPARED.values() if theirs.get(n) not in [suite.get(n) for suite in ours]]
    if not differ:
        return (f"the combination {', '.join(theirs.values())}",)
    return tuple(f"{n} {theirs.get(n, 'none')}, offered {_choices(ours, n) or 'none'}" for n in differ)


def authentication(case: Case) -> Iterator[Fact]:
    """How the ends authenticate: agreed on, else offered."""
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


REQUESTS = frozenset((int(PayloadType.CERTREQ), int(PayloadType.CERTREQ2)))
"""Payloads that ask for a certificate."""


def requested_certificates(case: Case) -> Iterator[Fact]:
    """Somebody asks for a certificate in clear."""
    for step in case.exchange.in_clear:
        if REQUESTS.isdisjoint(step.message.payload_types):
            continue
        requests = [p for p in step.message.payloads if isinstance(p, Certificate) and "REQ" in p.type.name]
        if requests:
            whose = _authorities(requests)
            text = f"The {step.sender} asks for a certificate ({len(requests)} requests in {step.name}){whose}."
            yield Fact("certificate-requested", text, step.first.frames)
            return


def _authorities(requests: Sequence[Certificate]) -> str:
    """Whose certificates are asked for, where that is said by name (RFC 2408 §3.10); IKEv2 has hashes there."""
    from pcapdiag.ike.distinguished_names import name_text  # needed only where certificates are asked for

    names = [name for request in requests if (name := name_text(request.data))]
    return f" of {'; '.join(names[:4])}{' …' if len(names) > 4 else ''}" if names else ""


def vendors(case: Case) -> Iterator[Fact]:
    """The products that the ends name in their vendor IDs."""
    e = case.exchange
    sent = {side: next((s for s in e.steps if s.sender is side and s.vendor_ids), None) for side in Side}
    first, second = sent[Side.INITIATOR], sent[Side.RESPONDER]
    if first is None or second is None or not case.unfinished:
        return
    ours, theirs = e.initiator.vendors, e.responder.vendors
    if ours and theirs and ours != theirs:
        text = f"The ends name different products: {', '.join(ours)} and {', '.join(theirs)}."
        yield Fact("vendors-differ", text, (first.first.frame, second.first.frame))


def scan(case: Case) -> Iterator[Fact]:
    """An initiator that had its answer and never went on (ike-scan and its kind)."""
    e = case.exchange
    if not case.unfinished or case.stop.refused_by or (e.last_message != 2 and e.mode is not Mode.IKEV2):
        return
    firsts = [s for s in e.steps if s.sender is Side.INITIATOR]
    if len(firsts) != 1 or len(firsts[0].sent) != 1 or len(e.steps) < 2:
        return
    step = firsts[0]
    if step.encrypted:
        return  # the capture begins behind the proposals; a probe has no keys
    transforms = sum(len(p.transforms) for p in step.proposals)
    bare = not step.vendor_ids and not step.notifications and not step.message.cut
    if bare and case.setting.silence_after(e.last_time) >= 2 * SECOND:
        text = f"{step.name} carries no vendor ID, offers {transforms} transforms, and was never followed up."
        yield Fact("scan-like", text, step.frames)


def probe(case: Case) -> Iterator[Fact]:
    """An initiator that asked once, from a port that no gateway asks from, and never came back."""
    e = case.exchange
    firsts = [s for s in e.steps if s.sender is Side.INITIATOR]
    if not case.unfinished or len(firsts) != 1 or len(firsts[0].sent) != 1 or len(firsts[0].vendor_ids) > 1:
        return
    if not any(error_notifies(s) for s in e.steps if s.sender is Side.RESPONDER):
        return
    if firsts[0].notifications:
        return  # NAT detection and what else a gateway or client says; a probe has the proposals and a key
    others = [o for o in case.setting.near(e) if o.id != e.id and e.initiator_ports & o.initiator_ports]
    if e.initiator_ports & WELL_KNOWN or others or firsts[0].message.header.responder_spi != ZERO_SPI:
        return
    text = (
        f"{firsts[0].name} came once, from port {firsts[0].first.source_port}, with "
        f"{'one vendor ID' if firsts[0].vendor_ids else 'no vendor ID'}, and nothing followed."
    )
    yield Fact("probe-like", text, firsts[0].frames)


def forgotten(case: Case) -> Iterator[Fact]:
    """A responder that answered with several cookies."""
    if case.exchange.other_responder_spis:
        steps = [s for s in case.exchange.steps if s.number == 2]
        text = f"The responder answered with {len(steps)} different cookies: it gave up and began anew meanwhile."
        yield Fact("responder-began-anew", text, frames_of(steps))


def again(case: Case) -> Iterator[Fact]:
    """How often the same peers try, and whether they ever finish."""
    tries = case.attempts
    if tries is not None and tries.count >= 3:
        text = f"The same peers began {tries.count} times, mostly {span(tries.usual_gap)} apart, and ended alike."
        yield Fact("repeating", text, tries.frames)
        if tries.count >= FLOOD and tries.usual_gap < SECOND:
            yield Fact("flood", text, tries.frames)
    asked = case.exchange.steps[0].sender is Side.INITIATOR
    if not asked and case.responders_met >= MANY and case.unfinished:
        text = (
            f"{case.responders_met} hosts sent answers to {case.exchange.initiator.address}, and no question of it is "
            "in the capture: a reflection attack on it, with its address forged in the questions."
        )
        yield Fact("reflection", text, case.exchange.steps[0].first.frames)
    elif case.responders_met >= MANY and case.unfinished:
        text = f"The same initiator began with {case.responders_met} responders and finished with none of these."
        yield Fact("sweep", text, case.exchange.steps[0].first.frames)
    if case.unfinished:
        yield from _others_completed(case)


def _others_completed(case: Case) -> Iterator[Fact]:
    """The same two ends completed another exchange, before or later."""
    e = case.exchange
    completed = [o for o in case.completed if same_initiator(e, o)]
    later = next((o for o in completed[-1:] if o.first_time > e.first_time), None)
    before = next((o for o in completed[:1] if o.first_time < e.first_time), None)
    # Where they complete with this mode and version as well, neither is to blame.
    alike = any(o.mode is e.mode for o in completed)
    for kind, word, good in (("completed-later", "later", later), ("completed-before", "before", before)):
        if good is None:
            continue
        other = good.mode is not e.mode
        text = f"The same peers completed exchange {good.id}{' in another mode or version' if other else ''} {word}."
        frames = (good.steps[0].first.frame, good.steps[-1].last.frame)
        version = Mode.IKEV2 in (good.mode, e.mode)
        also = ("other-version-completes" if version else "other-mode-completes",) if other and not alike else ()
        yield Fact(kind, text, frames, also)


def keys(case: Case) -> Iterator[Fact]:
    """The pre-shared keys that the user holds against Aggressive Mode's hashes (RFC 2409 §5.4); or that one can."""
    if not case.keys and case.unfinished:
        yield from _hash_in_clear(case)
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


def _hash_in_clear(case: Case) -> Iterator[Fact]:
    """A key can be tried on this exchange: whether it is the responder's. RFC 2409 §5.4: HASH_R is not encrypted."""
    for found in check_keys(case.exchange, (b"any",)):
        if found.of == "HASH_R" and found.reason is None:
            text = "HASH_R is in clear: --psk-file FILE tells whether a key that you have is the one of the responder."
            yield Fact("hash-in-clear", text, found.frames)


def weak_algorithms(case: Case) -> Iterator[Fact]:
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
