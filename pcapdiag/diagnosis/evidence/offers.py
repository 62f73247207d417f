"""What opened Quick Mode messages propose and choose (RFC 2409 §5.5, RFC 2407 §4.5)."""

from collections.abc import Sequence

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.outcome.quick_mode import Phase2
from pcapdiag.diagnosis.outcome.stop import opened_of
from pcapdiag.ike.payloads import Identification, KeyExchange, Proposal, SecurityAssociation, Transform
from pcapdiag.ike.registry import IpsecAttribute
from pcapdiag.record import Record


class QuickModeOffer(Record, frozen=True):
    """What the first message proposes, and what the second takes of it.

    suites -- a line for each transform; ciphers -- the same, less lifetimes and group, to compare
    pfs -- a KE payload is there; group -- that every transform names, None where they name none or several
    networks -- the two proxy identities; those of the peers themselves where there are none (RFC 2409 §5.5)
    chosen -- of the second message, "" where that cannot be read
    """

    suites: tuple[str, ...]
    ciphers: tuple[str, ...]
    pfs: bool
    group: str | None
    networks: str
    frames: tuple[Frame, ...]
    chosen: str
    answer_frames: tuple[Frame, ...]


def offer_of(quick: Phase2) -> QuickModeOffer | None:
    """What this Quick Mode is about; None where its first message cannot be read."""
    first = next((s for s in quick.steps if s.name == "QM1" and opened_of(s, SecurityAssociation)), None)
    if first is None:
        return None
    proposals = opened_of(first, SecurityAssociation)[0].proposals
    transforms = [(p, t) for p in proposals for t in p.transforms]
    groups = {a.text for _, t in transforms if (a := t.attribute(IpsecAttribute.GROUP)) is not None}
    answer = next((s for s in quick.steps if s.name == "QM2" and opened_of(s, SecurityAssociation)), None)
    chosen = ""
    if answer is not None:
        taken = [(p, t) for p in opened_of(answer, SecurityAssociation)[0].proposals for t in p.transforms]
        chosen = "; ".join(suite_text(p, t) for p, t in taken[:4])
    return QuickModeOffer(
        suites=tuple(dict.fromkeys(suite_text(p, t) for p, t in transforms)),
        ciphers=tuple(dict.fromkeys(suite_text(p, t, group=False) for p, t in transforms)),
        pfs=bool(opened_of(first, KeyExchange)),
        group=groups.pop() if len(groups) == 1 else None,
        networks=_networks(opened_of(first, Identification)),
        frames=first.first.frames,
        chosen=chosen,
        answer_frames=answer.first.frames if answer is not None else (),
    )


_SHOWN = (IpsecAttribute.KEY_LENGTH, IpsecAttribute.AUTHENTICATION, IpsecAttribute.ENCAPSULATION_MODE)


def suite_text(proposal: Proposal, transform: Transform, group: bool = True) -> str:
    """`ESP AES-CBC 256 HMAC-SHA tunnel`, with the group of PFS where it is wanted and there."""
    label = getattr(transform.id, "label", str(transform.id))
    shown = (*_SHOWN, IpsecAttribute.GROUP) if group else _SHOWN
    attributes = (transform.attribute(kind) for kind in shown)
    return " ".join((proposal.protocol.label, label, *(a.text for a in attributes if a is not None)))


def identity_text(identity: Identification) -> str:
    """A proxy identity: the network, with protocol and port where not all are meant."""
    port = f" port {identity.port}" if identity.port else ""
    return f"{identity.text}{f' protocol {identity.protocol}' if identity.protocol else ''}{port}"


def _networks(identities: Sequence[Identification]) -> str:
    if len(identities) < 2:
        return "the peers themselves"
    return f"{identity_text(identities[0])} ↔ {identity_text(identities[1])}"
