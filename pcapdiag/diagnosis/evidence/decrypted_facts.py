"""Facts out of what keys opened: whose keys they are, notifies, deletes, identities, proposals, selectors.

Nothing here is there without keys, but for certificates that stand in clear.
"""

from collections.abc import Iterator, Sequence

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.evidence.case import MAX_FRAMES, Case, Fact, slug
from pcapdiag.diagnosis.evidence.certificates import check_certificates
from pcapdiag.diagnosis.evidence.offers import QuickModeOffer, offer_of
from pcapdiag.diagnosis.outcome.stop import Outcome, how_often, opened_of
from pcapdiag.exchange.model import Mode, Side, Step
from pcapdiag.ike.payloads import Delete, Identification, Notification, SecurityAssociation
from pcapdiag.ike.registry import ExchangeType, NotifyTypeV2, PayloadType


def keys(case: Case) -> Iterator[Fact]:
    """What the given keys open, and whose they are."""
    tried = [s for s in case.exchange.steps if s.opened is not None or s.unopened is not None]
    if not tried:
        return
    opened = [s for s in tried if s.opened is not None]
    wrong = [s for s in tried if s.unopened is not None and s.unopened.wrong_key]
    if opened and not wrong:
        how = "an integrity check proves each" if all(_proven(s) for s in opened) else "their structure says so"
        rest = f"; of {len(tried) - len(opened)} not enough was captured" if len(tried) > len(opened) else ""
        text = f"The given keys open {_count(opened)}: {how}{rest}."
        yield Fact("keys-open", text, _some(opened))
    elif wrong and not opened:
        reason = next(s.unopened.reason for s in wrong if s.unopened)
        text = (
            "The given keys are not those of this exchange, or of one end that has others: "
            f"none opens any of {_count(wrong)} ({reason})."
        )
        yield Fact("keys-wrong", text, _some(wrong))
    elif not opened:
        reason = next(s.unopened.reason for s in tried if s.unopened)
        yield Fact(
            "keys-not-usable", f"There is a key for this exchange, and it opens nothing: {reason}.", _some(tried)
        )
    whose = list(_whose(opened, wrong)) if case.exchange.mode is not Mode.IKEV2 else []
    yield from whose
    if opened and wrong and not any(fact.kind == "ends-keys-differ" for fact in whose):
        text = f"The given keys open {_count(opened)}; {_count(wrong)} were made with others, or altered on the way."
        yield Fact("keys-open-some", text, _some([*opened[:3], *wrong]))


def _whose(opened: Sequence[Step], wrong: Sequence[Step]) -> Iterator[Fact]:
    """Whether both ends of an ISAKMP SA encrypt with one key: SKEYID_e is the same, or it is not (RFC 2409 §5)."""
    rows = {side: {s.opened.key for s in opened if s.opened and s.sender is side} for side in Side}
    both = rows[Side.INITIATOR] & rows[Side.RESPONDER]
    if both:
        first = [next(s for s in opened if s.sender is side) for side in Side]
        text = "The same key opens messages of both ends: they encrypt with one key."
        yield Fact("ends-keys-agree", text, _some(first))
        return
    if rows[Side.INITIATOR] and rows[Side.RESPONDER]:
        text = (
            "One given key opens the initiator's messages, another the responder's: "
            "the ends encrypt with different keys."
        )
        yield Fact("ends-keys-differ", text, _some(opened))
        return
    for side in Side:
        others = [s for s in wrong if s.sender is side.other]
        if rows[side] and others:
            own = _count([s for s in opened if s.sender is side])
            text = (
                f"The given key opens what the {side} encrypted ({own}) and nothing of the {side.other} "
                f"({_count(others)}; what comes out has not the structure of payloads): "
                f"it is the {side}'s key, and the {side.other} encrypts with another one."
            )
            yield Fact("ends-keys-differ", text, _some([*opened[:5], *others]))


def _proven(step: Step) -> bool:
    return step.opened is not None and step.opened.proven


def _count(steps: Sequence[Step]) -> str:
    return "1 encrypted message" if len(steps) == 1 else f"{len(steps)} encrypted messages"


def _some(steps: Sequence[Step]) -> tuple[Frame, ...]:
    return tuple(sorted(f for s in steps for f in s.first.frames))[:MAX_FRAMES]


# --- notifies and deletes ----------------------------------------------------------------------------------------


def notifies(case: Case) -> Iterator[Fact]:
    """Error notifies that were encrypted: unlike those in clear, they come from an end that holds the keys."""
    of_phase2 = {id(q.answer) for q in case.phase2 if q.answer is not None}
    found: dict[tuple[Side, str, int, bool, bool], list[Step]] = {}
    for step in case.exchange.steps:
        for notify in opened_of(step, Notification):
            if notify.notify_type.is_error:
                kind = notify.notify_type
                behind = id(step) in of_phase2 or step.exchange_type == ExchangeType.QUICK
                row = (step.sender, kind.name, int(kind), behind, _about_child(step, notify))
                found.setdefault(row, []).append(step)
    for (side, name, number, behind, child), steps in found.items():
        times = f", {how_often(len(steps))}" if len(steps) > 1 else ""
        where = " instead of answering Quick Mode" if behind else f" in {steps[0].name}" if child else ""
        what = " It refuses the Child SA alone; the IKE SA stays." if child else ""
        text = f"The {side} sent {name} ({number}) encrypted{where}{times}: it comes from an end with the keys.{what}"
        frames = _some(steps)
        if behind or child:
            first = steps[0].exchange_type == ExchangeType.IKE_AUTH
            also = ("child-refused", "child-refused-in-ike-auth" if first else "child-refused-later") if child else ()
            yield Fact(f"phase2-{slug(name)}", text, frames, also)
            if child:
                yield from _means_what_it_says(case, side)
            continue
        yield Fact(f"opened-{slug(name)}-by-{side}", text, frames, _refusal(case, side))


def _means_what_it_says(case: Case, side: Side) -> Iterator[Fact]:
    """Libreswan says TS_UNACCEPTABLE of any Child SA that it cannot set up; whether this end may be Libreswan.

    It does not do multiple authentication (RFC 4739), so who announces that is another.
    """
    for step in case.exchange.steps:
        kinds = {n.notify_type for n in step.notifications} if step.sender is side else set()
        if NotifyTypeV2.MULTIPLE_AUTH_SUPPORTED in kinds:
            text = (
                f"The {side} announces MULTIPLE_AUTH_SUPPORTED, so it is not Libreswan, whose refusals are less exact."
            )
            yield Fact("phase2-refusal-exact", text, step.first.frames)
            return


def _about_child(step: Step, notify: Notification) -> bool:
    """Whether an IKEv2 error refuses a Child SA, with the IKE SA up (RFC 7296 §1.2, §1.3, §2.21.2)."""
    if step.message.header.major != 2 or notify.notify_type not in _OF_CHILD:
        return False
    if step.exchange_type == ExchangeType.IKE_AUTH:
        return any(p.type == PayloadType.AUTH for p in step.payloads)
    return step.exchange_type == ExchangeType.CREATE_CHILD_SA


_OF_CHILD = frozenset(
    (
        NotifyTypeV2.NO_PROPOSAL_CHOSEN,
        NotifyTypeV2.TS_UNACCEPTABLE,
        NotifyTypeV2.SINGLE_PAIR_REQUIRED,
        NotifyTypeV2.NO_ADDITIONAL_SAS,
        NotifyTypeV2.INTERNAL_ADDRESS_FAILURE,
        NotifyTypeV2.FAILED_CP_REQUIRED,
    )
)


def deletes(case: Case) -> Iterator[Fact]:
    """Who deleted the ISAKMP or IKE SA itself."""
    for side in Side:
        steps = [
            s
            for s in case.exchange.steps
            if s.sender is side and any(int(d.protocol) == 1 for d in opened_of(s, Delete))
        ]
        if not steps:
            continue
        name = "IKE SA" if case.exchange.mode is Mode.IKEV2 else "ISAKMP SA"
        text = f"The {side} deleted the {name} (DELETE, encrypted)."
        yield Fact(f"opened-delete-sa-by-{side}", text, _some(steps), _refusal(case, side))


def _refusal(case: Case, side: Side) -> tuple[str, ...]:
    return (f"opened-refusal-by-{side}",) if case.stop.refused_by is side else ()


# --- who they are ------------------------------------------------------------------------------------------------


def identities(case: Case) -> Iterator[Fact]:
    """What each end calls itself, and whom the initiator asked for (RFC 7296 §3.5)."""
    said: dict[Side, tuple[Identification, Step]] = {}
    asked: tuple[Identification, Step] | None = None
    for step in case.exchange.steps:
        if step.exchange_type not in (ExchangeType.MAIN, ExchangeType.AGGRESSIVE, ExchangeType.IKE_AUTH):
            continue
        for identity in opened_of(step, Identification):
            if step.sender is Side.INITIATOR and identity.type == PayloadType.IDR:
                asked = asked or (identity, step)
            else:
                said.setdefault(step.sender, (identity, step))
    for side, (identity, step) in said.items():
        text = f"The {side} calls itself {_who(identity)} ({step.name}, encrypted)."
        yield Fact(f"opened-identity-of-{side}", text, step.first.frames)
    if asked is not None:
        text = f"The initiator asks for the responder {_who(asked[0])}."
        yield Fact("responder-asked-for", text, asked[1].first.frames)
        own = said.get(Side.RESPONDER)
        if own is not None and (own[0].id_type, own[0].data) != (asked[0].id_type, asked[0].data):
            text = f"The initiator asked for {_who(asked[0])}, and the responder calls itself {_who(own[0])}."
            yield Fact("identity-not-as-asked", text, (*asked[1].first.frames, *own[1].first.frames))


def _who(identity: Identification) -> str:
    return f"{identity.id_type.label} {identity.text}"


def authentication(case: Case) -> Iterator[Fact]:
    """How each end proves itself in IKEv2, which stands in AUTH (RFC 7296 §3.8)."""
    if case.exchange.mode is not Mode.IKEV2:
        return
    from pcapdiag.ike.payloads_sealed import Authentication  # only where keys were given

    for side in Side:
        for step in case.exchange.steps:
            proof = next(iter(opened_of(step, Authentication)), None) if step.sender is side else None
            if proof is not None:
                shared = proof.method == 2
                text = f"The {side} authenticates by {proof.method.label} ({step.name}, encrypted)."
                kind = f"opened-auth-{'shared-key' if shared else 'signature'}-of-{side}"
                yield Fact(kind, text, step.first.frames)
                break


def certificates(case: Case) -> Iterator[Fact]:
    """Each end's certificate: what it says, and what a peer may refuse it for."""
    for found in check_certificates(case.exchange):
        side = found.side
        if found.subject is not None:
            good = f"; {', '.join(found.checked)}" if found.checked else ""
            text = (
                f"The {side}'s certificate: {found.subject}, issued by {found.issuer}, valid {found.validity}{good}. "
                "Trust and revocation do not show."
            )
            yield Fact(f"certificate-of-{side}", text, found.frames)
        for fault in found.faults:
            text = f"The {side}'s certificate: {fault.text}."
            # That the issuer is another than the one that was asked for need not be an error (RFC 2408 §3.10).
            hard = fault.kind not in ("issuer", "extended-key-usage", "unreadable")
            also = (f"certificate-{'fault' if hard else 'doubt'}-of-{side}",)
            yield Fact(f"certificate-{fault.kind}-of-{side}", text, found.frames, also)
        if not found.faults:
            text = f"Nothing is wrong with the {side}'s certificate that the capture shows."
            yield Fact(f"certificate-sound-of-{side}", text, found.frames)


# --- phase 2 -----------------------------------------------------------------------------------------------------


def quick_modes(case: Case) -> Iterator[Fact]:
    """What each Quick Mode that can be read proposes, and for which networks (RFC 2409 §5.5)."""
    offers: list[tuple[QuickModeOffer, Outcome]] = []
    for quick in case.phase2:
        if quick.name != "Quick Mode":
            continue
        offer = offer_of(quick)
        if offer is None:
            continue
        offers.append((offer, quick.outcome))
        name = f"Quick Mode {quick.message_id:08x}"
        pfs = f"PFS with {offer.group}" if offer.group else "PFS" if offer.pfs else "no PFS"
        suites = "; ".join(offer.suites[:4]) + (" …" if len(offer.suites) > 4 else "")
        text = f"{name} proposes {suites}, {pfs}, for {offer.networks}."
        yield Fact("quick-mode-pfs" if offer.pfs else "quick-mode-no-pfs", text, offer.frames)
        if offer.chosen:
            yield Fact("quick-mode-chosen", f"{name}: the answer takes {offer.chosen}.", offer.answer_frames)
    refused = [o for o, outcome in offers if outcome is Outcome.REJECTED]
    done = [o for o, outcome in offers if outcome is Outcome.COMPLETED]
    for bad in refused[:1]:
        other = next((o for o in done if (o.pfs, o.group) != (bad.pfs, bad.group) and o.ciphers == bad.ciphers), None)
        if other is not None:
            text = "Between the same ends Quick Mode completes with the same algorithms and another choice about PFS."
            yield Fact("pfs-makes-the-difference", text, (*bad.frames, *other.frames))


def child_sas(case: Case) -> Iterator[Fact]:
    """What the first Child SA of IKEv2 asks for, and for which networks (RFC 7296 §1.2, §2.9)."""
    if case.exchange.mode is not Mode.IKEV2:
        return
    from pcapdiag.diagnosis.evidence.child_offers import selectors_text, suites_text  # only where keys were given

    for step in case.exchange.steps:
        sa = next(iter(opened_of(step, SecurityAssociation)), None)
        networks = selectors_text(step)
        if sa is None or not networks:
            continue
        word = "takes" if step.message.header.response else "proposes"
        text = f"{step.name} {step.message.header.message_id} {word} {suites_text(sa)}, for {networks}."
        yield Fact("child-answered" if step.message.header.response else "child-proposed", text, step.first.frames)


def xauth(case: Case) -> Iterator[Fact]:
    """What came of user authentication: XAUTH_STATUS (draft-beaulieu-ike-xauth §4.2)."""
    if not any(s.opened and s.exchange_type == ExchangeType.TRANSACTION for s in case.exchange.steps):
        return
    from pcapdiag.ike.payloads_sealed import Configuration
    from pcapdiag.ike.registry_sealed import ConfigurationAttribute

    for step in case.exchange.steps:
        for payload in opened_of(step, Configuration):
            user = payload.value(ConfigurationAttribute.XAUTH_USER_NAME)
            status = payload.value(ConfigurationAttribute.XAUTH_STATUS)
            if user is not None and user.value:
                text = f"The {step.sender} answers as user {user.text} (XAuth, encrypted; passwords are not shown)."
                yield Fact("xauth-user", text, step.first.frames)
            if status is not None and status.value and step.sender is Side.RESPONDER:
                good = int.from_bytes(status.value, "big") != 0
                word = "succeeded" if good else "failed"
                text = f"The responder says that user authentication {word} (XAUTH_STATUS, encrypted)."
                yield Fact(f"xauth-status-{'ok' if good else 'fail'}", text, step.first.frames)
