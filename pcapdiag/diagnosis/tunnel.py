"""Whether the tunnel is there: what IKE is for. Phase 1 can be up without it.

Drawn from the evidence of an exchange and from what became of phase 2: each state cites the frames that say so.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.evidence.case import Case, Evidence
from pcapdiag.diagnosis.outcome.room import chosen_transforms, first_inside, surely_holds_child
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.exchange.model import Mode, Step
from pcapdiag.ike.registry import PayloadType
from pcapdiag.knowledge.kinds import like
from pcapdiag.record import Record


class TunnelState(StrEnum):
    """Whether the tunnel is there.

    up -- a Quick Mode or Child SA completed, or ESP or AH goes both ways; one-way -- traffic goes one way only
    no-child -- phase 1 is up; phase 2 was refused or is unanswered, or user authentication failed
    lost -- it was up, and an end went silent or forgot it; down -- phase 1 did not complete
    unknown -- the capture does not show it
    """

    UP = "up"
    ONE_WAY = "one-way"
    NO_CHILD = "no-child"
    LOST = "lost"
    DOWN = "down"
    UNKNOWN = "unknown"

    @property
    def failed(self) -> bool:
        """Something shows that it is not there."""
        return self not in (TunnelState.UP, TunnelState.UNKNOWN)


class Tunnel(Record, frozen=True):
    """Whether the tunnel is there, why that is said, and the frames that show it."""

    state: TunnelState
    text: str
    frames: tuple[Frame, ...]


NO_CHILD = (
    "xauth-status-fail",
    "xauth-leads-nowhere",
    "xauth-unanswered",
    "config-unanswered",
    "ike-auth-without-child",
    "child-refused-in-ike-auth",
    "child-deleted-at-once",
    "phase2-refused",
    "phase2-unanswered",
    "phase2-answer-unheeded",
)
"""Evidence that phase 2 failed, unless another one completed; what says most comes first."""
LOST = (
    "v2-answered-in-clear",
    "later-icmp-*",
    "dpd-unanswered",
    "v2-request-unanswered",
    "phase2-deleted-at-once",
    "sa-answered-in-clear",
)
"""Evidence that an end went silent, or is out of reach, after phase 1: kinds, or families."""


def tunnel_of(case: Case, evidence: Sequence[Evidence]) -> Tunnel:
    """What the capture shows of the tunnel of this exchange."""
    stop = case.stop
    if stop.outcome is Outcome.INCONCLUSIVE:
        return Tunnel(TunnelState.UNKNOWN, "Whether phase 1 completes does not show.", stop.frames)
    if case.unfinished:
        return Tunnel(TunnelState.DOWN, "Phase 1 did not complete.", stop.frames)
    shown = _by_kind(evidence)
    lost = _first(shown, LOST)
    both_ways = _first(shown, ("esp-both-ways",))
    if lost is not None:
        return Tunnel(TunnelState.LOST, lost.text, lost.frames)
    if both_ways is not None:
        return Tunnel(TunnelState.UP, both_ways.text, both_ways.frames)
    one_way = _first(shown, ("esp-one-way",))
    if one_way is not None:
        return Tunnel(TunnelState.ONE_WAY, one_way.text, one_way.frames)
    good = next((p for p in case.phase2 if p.outcome is Outcome.COMPLETED), None)
    if good is not None:
        return Tunnel(TunnelState.UP, f"{good.title} completed.", good.frames)
    forgotten = _first(shown, ("phase2-answered-in-clear",))
    if forgotten is not None:
        return Tunnel(TunnelState.LOST, forgotten.text, forgotten.frames)
    failed = _first(shown, NO_CHILD)
    if failed is not None:
        return Tunnel(TunnelState.NO_CHILD, failed.text, failed.frames)
    answer = _answer_with_child(case)
    if answer is not None:
        return Tunnel(TunnelState.UP, "The IKE_AUTH response has room for a Child SA.", answer.frames)
    return Tunnel(TunnelState.UNKNOWN, "Nothing in the capture shows a Child SA or traffic.", stop.frames)


def _by_kind(evidence: Iterable[Evidence]) -> dict[str, Evidence]:
    """The first evidence of each kind, in order."""
    found: dict[str, Evidence] = {}
    for item in evidence:
        for kind in item.kinds:
            found.setdefault(kind, item)
    return found


def _first(shown: Mapping[str, Evidence], kinds: Sequence[str]) -> Evidence | None:
    """The evidence of the first of these kinds that is there; a family stands for all of it."""
    for kind in kinds:
        if kind in shown:
            return shown[kind]
        if "*" in kind:
            for known, item in shown.items():
                if like(known, kind):
                    return item
    return None


def _answer_with_child(case: Case) -> Step | None:
    """The last IKE_AUTH response, where a Child SA can be in it (RFC 7296 §1.2)."""
    if case.exchange.mode is not Mode.IKEV2:
        return None
    answers = case.exchange.named("IKE_AUTH response")
    if not answers or first_inside(answers[-1]) == PayloadType.EAP:
        return None
    last = answers[-1]
    if last.opened is not None:
        return last if any(p.type == PayloadType.SA2 for p in last.opened.payloads) else None
    return last if last.encrypted and surely_holds_child(last, chosen_transforms(case.exchange)) else None
