"""What opened IKEv2 messages propose for a Child SA (RFC 7296 §3.3, §3.13)."""

from pcapdiag.diagnosis.outcome.stop import opened_of
from pcapdiag.exchange.model import Step
from pcapdiag.ike.payloads import SecurityAssociation, Transform
from pcapdiag.ike.payloads_sealed import TrafficSelectors
from pcapdiag.ike.registry import OakleyAttribute, PayloadType


def selectors_text(step: Step) -> str:
    """The traffic selectors of both ends; "" where there are none."""
    found = {p.type: ", ".join(s.text for s in p.selectors[:4]) for p in opened_of(step, TrafficSelectors)}
    ours, theirs = found.get(PayloadType.TSI), found.get(PayloadType.TSR)
    return f"{ours} ↔ {theirs}" if ours and theirs else ""


def suites_text(sa: SecurityAssociation) -> str:
    """The proposals, the first few of them."""
    lines = [f"{p.protocol.label} {', '.join(_transform(t) for t in p.transforms)}" for p in sa.proposals]
    return "; ".join(lines[:3]) + (" …" if len(lines) > 3 else "")


def _transform(transform: Transform) -> str:
    label = getattr(transform.id, "label", str(transform.id))
    length = transform.attribute(OakleyAttribute.KEY_LENGTH)
    return f"{label}-{length.text}" if length is not None else label
