"""Whether a Child SA can have been made in IKE_AUTH: a Child SA takes room (RFC 7296 §1.2)."""

from collections.abc import Iterator

from pcapdiag.diagnosis.evidence.case import Case, Fact
from pcapdiag.diagnosis.outcome.room import (
    chosen_transforms,
    first_inside,
    holds_proof,
    needed_for_child,
    room,
    surely_holds_proof,
)
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.ike.registry import PayloadType

ACCEPTS = (PayloadType.IDR, PayloadType.CERT2, PayloadType.AUTH)
"""What an answer to IKE_AUTH that refuses does not hold; what comes first inside is named in clear (RFC 7296 §3.14)."""


def no_room_for_a_child(case: Case) -> Iterator[Fact]:
    """The responder authenticated in an IKE_AUTH response that cannot hold a Child SA as well."""
    e = case.exchange
    answers = [s for s in e.named("IKE_AUTH response") if first_inside(s) != PayloadType.EAP]
    if not answers or (case.unfinished and case.stop.missing) or _made_later(case) or not _asked_for(case):
        return
    answer = answers[-1]
    if case.traffic_since(answer.last.time) or answer.opened is not None or not answer.whole:
        return  # what keys show needs no guess
    if answer is not e.named("IKE_AUTH response")[-1] or _eap_may_go_on(case, len(answers)):
        return
    chosen = chosen_transforms(e)
    if not surely_holds_proof(answer, chosen):
        return  # it is no proof at all, and judged as that, or it may be none
    inside, need = room(answer, chosen), needed_for_child(answer, chosen)
    if inside < need:
        text = (
            f"The IKE_AUTH response has room for {inside} octets of payloads, and a Child SA (SA, TSi, TSr) beside the "
            f"proof of identity takes {need} at least: the IKE SA comes up without a Child SA."
        )
        yield Fact("ike-auth-without-child", text, answer.frames)


def may_be_refused(case: Case) -> Iterator[Fact]:
    """An IKE_AUTH response that may accept or refuse, for all that shows."""
    answer = next(iter(case.exchange.named("IKE_AUTH response")[-1:]), None)
    undecided = answer is not None and case.stop.outcome is Outcome.INCONCLUSIVE and case.stop.frames == answer.frames
    if answer is None or not undecided or answer.opened is not None or first_inside(answer) in ACCEPTS:
        return
    if not surely_holds_proof(answer, chosen_transforms(case.exchange)):
        text = (
            "The IKE_AUTH response is small: it may hold a refusal alone, or a short proof of identity. The algorithms "
            "agreed on, which would tell by the size, are not in the capture."
        )
        yield Fact("ike-auth-may-be-refused", text, answer.frames)


def _made_later(case: Case) -> bool:
    """A CREATE_CHILD_SA was answered, and not with a refusal; its request may not be in the capture."""
    refused = [p.answer for p in case.phase2 if p.outcome is Outcome.REJECTED]
    return any(step not in refused for step in case.exchange.named("CREATE_CHILD_SA response"))


def _asked_for(case: Case) -> bool:
    """Whether a Child SA can have been asked for: a request without SA, TSi and TSr is childless (RFC 6023 §3)."""
    asked = case.exchange.named("IKE_AUTH request")
    if len(asked) != 1 or asked[0].message.cut or not asked[0].whole:
        return True  # not in the capture, or with EAP: then the first request holds them (RFC 7296 §2.16)
    chosen = chosen_transforms(case.exchange)
    return room(asked[0], chosen) >= needed_for_child(asked[0], chosen)


def _eap_may_go_on(case: Case, answers: int) -> bool:
    """The first answer of EAP holds IDr, AUTH and EAP and no Child SA (RFC 7296 §2.16): the next request tells.

    An initiator that wants EAP leaves AUTH out of its own request, which then has no room for it.
    """
    e = case.exchange
    asked = e.named("IKE_AUTH request")
    if answers > 1 or len(asked) != 1:
        return False
    return not holds_proof(asked[0], chosen_transforms(e))
