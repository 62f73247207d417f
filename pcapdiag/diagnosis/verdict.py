"""The diagnosis of an exchange: where it stopped, what proves it, and why."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Generic, TypeVar

from msgspec.structs import replace

from pcapdiag.capture.datagram import EspFlow, UnansweredArp
from pcapdiag.diagnosis.causes.platforms import NOTHING_GIVEN, Given, Platform, platform_of
from pcapdiag.diagnosis.causes.ranking import RankedCause, Ranking
from pcapdiag.diagnosis.evidence.case import Attempts, Case, Evidence
from pcapdiag.diagnosis.evidence.gather import gather, numbered
from pcapdiag.diagnosis.outcome.conversations import conversations, find_stop, find_stops
from pcapdiag.diagnosis.outcome.quick_mode import Phase2, phase2_of
from pcapdiag.diagnosis.outcome.stop import Outcome, Setting, Stop, chosen_transform
from pcapdiag.diagnosis.tunnel import Tunnel, TunnelState, tunnel_of
from pcapdiag.exchange.model import Exchange, KeepaliveFlow, Mode, Side
from pcapdiag.ike.payloads import Proposal, Transform
from pcapdiag.knowledge.kinds import kind_of
from pcapdiag.record import Displayed, Record, lazy

if TYPE_CHECKING:
    from pcapdiag.diagnosis.causes.checks import PlacedCheck


class Diagnosis(Displayed, frozen=True, dict=True, gc=True):
    """All that is said of one exchange.

    offered -- what the initiator proposed
    chosen -- what the responder took of it: in IKEv1 one transform, in IKEv2 one of each type; empty without an answer
    tunnel -- whether the tunnel is there
    evidence -- facts with frames; causes -- best first, empty where nothing went wrong
    given -- what the user said of the ends
    """

    exchange: Exchange
    stop: Stop
    offered: tuple[Proposal, ...]
    chosen: tuple[Transform, ...]
    phase2: tuple[Phase2, ...]
    evidence: tuple[Evidence, ...] = ()
    causes: tuple[RankedCause, ...] = ()
    tunnel: Tunnel = Tunnel(TunnelState.UNKNOWN, "", ())
    given: Given = NOTHING_GIVEN

    @property
    def well(self) -> bool:
        """Phase 1 completed, or was in use already, and nothing says that what followed failed."""
        return self.completed and not self.tunnel.state.failed

    def platform(self, side: Side) -> Platform:
        """What one end is: by what the user said, its vendor IDs, or its retransmission schedule."""
        return self._platforms[side]

    @lazy
    def _platforms(self) -> dict[Side, Platform]:
        return {side: platform_of(self.exchange, side, self.given) for side in Side}

    @property
    def checks(self) -> "tuple[PlacedCheck, ...]":
        """What to check next, the most useful first: for the likely causes, at the end where it is, in its commands.

        Where the user said which end is theirs, what can be checked there.
        """
        from pcapdiag.diagnosis.causes.checks import next_checks

        return next_checks(self, 40)

    @property
    def request(self) -> str | None:
        """What to ask the administrator of the other end, as a text ready to send.

        None where it is not said which end is the user's own, or where nothing has to be asked.
        """
        from pcapdiag.diagnosis.causes.request import request_text

        return request_text(self)

    @property
    def completed(self) -> bool:
        """Phase 1 completed: seen to, or begun before the capture and in use."""
        if self.stop.outcome is Outcome.PARTIAL:
            return bool(self.stop.initiator_state) or self.exchange.mode is Mode.IKEV2
        return self.stop.outcome is Outcome.COMPLETED


def diagnose(
    exchanges: Sequence[Exchange],
    capture_end: int,
    *,
    gaps: Sequence[int] = (),
    keepalives: "Sequence[KeepaliveFlow] | Between[KeepaliveFlow]" = (),
    esp: "Sequence[EspFlow] | Between[EspFlow]" = (),
    unanswered: Sequence[UnansweredArp] = (),
    keys: Sequence[bytes] = (),
    given: Given = NOTHING_GIVEN,
    met_before: Mapping[str, Collection[str]] | None = None,
    only: Collection[int] | None = None,
) -> tuple[Diagnosis, ...]:
    """Diagnose every exchange of a capture that ended at `capture_end` (nanoseconds since the Unix epoch).

    gaps -- ends of earlier captures that no other went on from, in order
    keepalives, esp -- flows beside the exchanges; by their ends already, where the same ones serve many calls
    unanswered -- addresses that were asked for by ARP, and did not answer
    keys -- candidate pre-shared keys, to be held against the hashes of Aggressive Mode
    given -- what the user said of the ends
    met_before -- for each initiator, responders that it began with and did not finish with, in exchanges not given here
    only -- ids of those that are to be diagnosed, beside the others; None: all

    In the order of first sight; but an exchange that another one made good stands behind that one, so that the first
    thing said of two peers is how it ended between them.
    """
    flows = esp if isinstance(esp, Between) else Between(esp)
    settings = conversations(exchanges, capture_end, gaps, flows.of)
    stops = [find_stops(setting) for setting in settings]
    met = {initiator: set(responders) for initiator, responders in (met_before or {}).items()}
    for setting, ends in zip(settings, stops, strict=True):
        for e in setting.conversation:
            if ends[e.id].outcome not in (Outcome.COMPLETED, Outcome.PARTIAL):
                met.setdefault(e.initiator.address, set()).add(e.responder.address)
    alive = keepalives if isinstance(keepalives, Between) else Between(keepalives)
    around = Around(alive, flows, keys, met, tuple(unanswered))
    found: list[Diagnosis] = []
    for setting, ends in zip(settings, stops, strict=True):
        found += _conversation(setting, ends, around, only)
    if given != NOTHING_GIVEN:
        found = [replace(d, given=given) for d in found]
    place = {e.id: number for number, e in enumerate(exchanges)}

    def order(diagnosis: Diagnosis) -> tuple[int, int]:
        own = place[diagnosis.exchange.id]
        by = diagnosis.stop.superseded_by
        return (place[by], 1) if by is not None and place[by] > own else (own, 0)

    return tuple(sorted(found, key=order))


def outcome_alone(exchange: Exchange, now: int) -> str:
    """How an exchange ended as far as it was seen until `now` (nanoseconds), whatever its peers did beside it."""
    return find_stop(exchange, Setting(now, (exchange,))).outcome.value


Flow = TypeVar("Flow", KeepaliveFlow, EspFlow)


class Between(Generic[Flow]):
    """Flows by the two addresses between which they go, so that no exchange has to look at all of them."""

    def __init__(self, flows: Iterable[Flow]) -> None:
        self._flows: dict[tuple[str, str], list[Flow]] = {}
        for flow in flows:
            self._flows.setdefault((flow.source, flow.destination), []).append(flow)

    def of(self, exchange: Exchange) -> tuple[Flow, ...]:
        """Those between any of the addresses of the two ends, in both directions."""
        found: list[Flow] = []
        for one in exchange.initiator.addresses:
            for other in exchange.responder.addresses:
                found += self._flows.get((one, other), ())
                found += self._flows.get((other, one), ())
        return tuple(found)


class Around(Record, frozen=True):
    """What a capture holds beside IKE, and what the user gave.

    met -- for each initiator, the responders that it began with and did not finish with
    unanswered -- addresses that did not answer ARP
    """

    keepalives: "Between[KeepaliveFlow]"
    esp: "Between[EspFlow]"
    keys: Sequence[bytes]
    met: dict[str, set[str]]
    unanswered: tuple[UnansweredArp, ...] = ()


def _conversation(
    setting: Setting, stops: dict[int, Stop], around: Around, only: Collection[int] | None
) -> list[Diagnosis]:
    groups: dict[tuple[object, ...], list[Exchange]] = {}
    for e in setting.conversation:
        groups.setdefault(_ending(e, stops[e.id]), []).append(e)
    attempts = {ending: Attempts.of(members) for ending, members in groups.items()}
    completed = [e for e in setting.conversation if stops[e.id].outcome is Outcome.COMPLETED]
    # What an end offers elsewhere is held against an offer that led nowhere.
    shown = _shows_proposals(setting) if len(completed) < len(setting.conversation) else {}
    return [
        _diagnose(
            Case(
                exchange=e,
                stop=stops[e.id],
                setting=setting,
                phase2=phase2_of(e, setting),
                attempts=attempts[_ending(e, stops[e.id])],
                completed=completed,
                counter_offers=shown.get(e.responder.address, ()),
                responders_met=len(around.met.get(e.initiator.address, ())),
                keepalives=around.keepalives.of(e),
                esp=around.esp.of(e),
                unanswered=tuple(u for u in around.unanswered if u.address == e.responder.address),
                keys=tuple(around.keys),
            )
        )
        for e in setting.conversation
        if only is None or e.id in only
    ]


def _shows_proposals(setting: Setting) -> dict[str, list[Exchange]]:
    """For each address, the first few exchanges in which it offers or chooses a phase 1 proposal."""
    shown: dict[str, list[Exchange]] = {}
    for e in setting.conversation:
        for source in {s.first.source for s in e.steps if s.proposals and s.number}:
            found = shown.setdefault(source, [])
            if len(found) < 2:
                found.append(e)
    return shown


def _ending(exchange: Exchange, stop: Stop) -> tuple[object, ...]:
    return exchange.initiator.address, exchange.mode, stop.outcome, stop.missing, stop.refused_by


def _diagnose(case: Case) -> Diagnosis:
    e = case.exchange
    offer = next((s for s in e.steps if s.proposals), None)
    offered = offer.proposals if offer is not None and offer.sender is Side.INITIATOR else ()
    evidence = gather(case)
    evidence, causes = _renumbered(evidence, _causes(case, evidence))
    return Diagnosis(e, case.stop, offered, _chosen(e), case.phase2, evidence, causes, tunnel_of(case, evidence))


def _renumbered(
    evidence: tuple[Evidence, ...], causes: tuple[RankedCause, ...]
) -> tuple[tuple[Evidence, ...], tuple[RankedCause, ...]]:
    """Both with the numbers under which reports show the evidence; see `numbered`."""
    cited = {i for c in causes for i in (*c.because, *c.against)}
    found = numbered(evidence, cited)
    if not causes:
        return found, causes
    names = {(item.kind, item.text): item.id for item in found}
    new = {item.id: names[item.kind, item.text] for item in evidence}

    def renamed(ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new[i] for i in ids)

    return found, tuple(replace(c, because=renamed(c.because), against=renamed(c.against)) for c in causes)


def _chosen(exchange: Exchange) -> tuple[Transform, ...]:
    if exchange.mode is not Mode.IKEV2:
        transform = chosen_transform(exchange)
        return (transform,) if transform is not None else ()
    answer = next((s for s in exchange.steps if s.sender is Side.RESPONDER and s.proposals), None)
    return answer.proposals[0].transforms if answer is not None else ()


def _causes(case: Case, evidence: Sequence[Evidence]) -> tuple[RankedCause, ...]:
    if not case.unfinished and not any(kind_of(kind).trouble for e in evidence for kind in e.kinds):
        return ()
    context = [case.exchange.mode.value, case.stop.outcome.value] + (["unfinished"] if case.unfinished else [])
    states = dict.fromkeys((*case.stop.initiator_state, *case.stop.responder_state))
    # What the document says of an SA that is up is about phase 2; where that is not the trouble it has no place here.
    phase2 = any(kind_of(kind).phase2 for e in evidence for kind in e.kinds)
    named = [s for s in states if phase2 or not s.endswith("_ACTIVE")]
    return _ranking().rank(evidence, context, named)


@cache
def _ranking() -> Ranking:
    from pcapdiag.knowledge import loading as causes  # needed only where something went wrong

    return Ranking(causes.load())


def all_well(diagnoses: Sequence[Diagnosis]) -> bool:
    """Whether every tunnel is up, or was in use when the capture began, or nothing says that it is not."""
    return all(d.well for d in diagnoses)
