"""What to check next, and where: the knowledge base's checks with the real addresses of an exchange filled in.

A check has a place. Commands are those of the platform that the end is; where that is not known, words say what to look
for, and the first command of each platform that is possible stands beside it under its name. Where the user says which
end is theirs, the checks are those of that end, and `pcapdiag.diagnosis.causes.request` has what to ask of the other.
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Protocol

from pcapdiag.diagnosis.causes.addresses import known_as
from pcapdiag.diagnosis.causes.platforms import Basis, Platform
from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.diagnosis.evidence.case import Evidence
from pcapdiag.diagnosis.outcome.quick_mode import Phase2
from pcapdiag.diagnosis.outcome.stop import Outcome, Stop
from pcapdiag.exchange.model import Exchange, Mode, Side
from pcapdiag.knowledge.records import Check, Status
from pcapdiag.record import Record

if TYPE_CHECKING:
    from pcapdiag.knowledge.records import Cause

BY_HINT = 2
"""Of a platform that is only possible beside one other, so many commands are told; of more platforms one each."""

PHASE2 = ("pfs-mismatch", "phase2-proposal-mismatch", "phase2-selector-mismatch")
"""Causes for which it is the end that was asked in phase 2 that refused."""


MOST_KEPT = 1024
"""Choices of commands that are kept at a time."""


class Explained(Protocol):
    """An exchange with the causes of its end: what a Diagnosis has that checks are chosen and placed by."""

    @property
    def exchange(self) -> Exchange:
        """The exchange."""

    @property
    def stop(self) -> Stop:
        """Where it stopped."""

    @property
    def phase2(self) -> Sequence[Phase2]:
        """How phase 2 went."""

    @property
    def evidence(self) -> Sequence[Evidence]:
        """What the wire shows."""

    @property
    def causes(self) -> Sequence[RankedCause]:
        """Why it stopped, best first."""

    def platform(self, side: Side) -> Platform:
        """What one end is."""


class PlacedCheck(Record, frozen=True):
    """One check at one place.

    side -- at which end; None on the path between them
    at -- the address of that end, or "the path"; check -- with the addresses filled in
    by_platform -- where it is not known what the end is: how to look there on each platform that is possible
    basis -- what tells the platform whose command it is; None for a check of any device
    """

    cause: str
    side: Side | None
    at: str
    check: Check
    by_platform: tuple[Check, ...] = ()
    basis: Basis | None = None


def checks_by_cause(diagnosis: Explained) -> dict[str, list[PlacedCheck]]:
    """The checks of every cause that is possible or better, by its id."""
    if not any(ranked.leads for ranked in diagnosis.causes):
        return {}
    placing = _Placing(diagnosis)
    return {ranked.cause.id: placing.of(ranked) for ranked in diagnosis.causes if ranked.leads}


def fitting_checks(ranked: RankedCause, diagnosis: Explained) -> list[PlacedCheck]:
    """The checks of a cause for this exchange: at its ends, for what they are, in the version of IKE that they speak.

    In the knowledge base's order. What can be done at either end is placed at the user's own, else where commands are
    known, else at the initiator, who mostly is the one that looks.
    """
    return _Placing(diagnosis).of(ranked)


def next_checks(diagnosis: Explained, most: int = 6) -> tuple[PlacedCheck, ...]:
    """The few checks to begin with: of the likely causes, or of the possible ones where none is likely."""
    leading = [c for c in diagnosis.causes if c.status in (Status.CONFIRMED, Status.LIKELY)]
    leading = leading or [c for c in diagnosis.causes if c.leads]
    placing = _Placing(diagnosis)
    chosen: dict[tuple[str, str], PlacedCheck] = {}
    for place, cause in enumerate(leading[:3]):
        # Older forms of what stands there in newer ones are told where everything is.
        new = [p for p in placing.of(cause) if not (p.check.software or "").startswith("before ")]
        for placed in new[: 4 if place == 0 else 2]:
            chosen.setdefault((placed.at, placed.check.command or placed.check.do), placed)
    return tuple(chosen.values())[:most]


def refuser(cause: str, diagnosis: Explained) -> Side:
    """The end that refused, or that checks first and would have to say why: its log has the reason."""
    e, stop = diagnosis.exchange, diagnosis.stop
    if cause in PHASE2:
        refused = next((p for p in diagnosis.phase2 if p.outcome is Outcome.REJECTED), None)
        first = refused or next(iter(diagnosis.phase2), None)
        return first.began_by.other if first is not None else Side.RESPONDER
    if stop.refused_by is not None:
        return stop.refused_by
    return Side.INITIATOR if e.mode is Mode.AGGRESSIVE and cause == "psk-mismatch" else Side.RESPONDER


def ports_filter(exchange: Exchange, kinds: Collection[str]) -> str:
    """A capture filter for the ports that this exchange uses."""
    ports = {500, 4500}
    if "begins-on-other-port" in kinds or "begins-on-4500" in kinds:
        first = exchange.steps[0].first
        ports = {first.source_port if exchange.steps[0].sender is Side.RESPONDER else first.destination_port}
    return " or ".join(f"udp port {port}" for port in sorted(ports))


class _Planned(Record, frozen=True):
    """A check, where it is placed, and what stands beside it; with no address in it yet."""

    check: Check
    side: Side | None
    by_platform: tuple[Check, ...] = ()
    basis: Basis | None = None


_KEPT: "dict[tuple[object, ...], tuple[Cause, list[_Planned]]]" = {}
_ASKED: "dict[str, tuple[Cause, frozenset[str]]]" = {}


def _asked(cause: "Cause") -> frozenset[str]:
    """The kinds of evidence that a check of this cause asks for."""
    kept = _ASKED.get(cause.id)
    if kept is None or kept[0] is not cause:
        kept = _ASKED[cause.id] = (cause, frozenset(k for c in cause.checks for k in (*c.when, *c.unless)))
    return kept[1]


class _Placing:
    """Places the checks of causes at the ends of one exchange."""

    def __init__(self, diagnosis: Explained) -> None:
        self._diagnosis = diagnosis
        self._ends = {side: diagnosis.platform(side) for side in Side}
        self._version = 2 if diagnosis.exchange.mode is Mode.IKEV2 else 1
        self._kinds = frozenset(kind for item in diagnosis.evidence for kind in item.kinds)
        self._ports = ports_filter(diagnosis.exchange, self._kinds)
        self._known = {(of, at): known_as(diagnosis.exchange, of, at, self._kinds) for of in Side for at in Side}
        self._ours = next((side for side, end in self._ends.items() if end.mine), None)
        self._what = tuple((end.possible, end.basis, end.mine) for end in self._ends.values())

    def of(self, ranked: RankedCause) -> list[PlacedCheck]:
        """The checks of one cause, in order."""
        return [
            PlacedCheck(
                ranked.cause.id,
                planned.side,
                "the path" if planned.side is None else self._ends[planned.side].address,
                self._filled(planned.check, planned.side),
                tuple(self._filled(check, planned.side) for check in planned.by_platform),
                planned.basis,
            )
            for planned in self._plan(ranked.cause)
        ]

    def _plan(self, cause: "Cause") -> "list[_Planned]":
        """What is placed where. It is the same for many exchanges, and so it is kept."""
        refused_by = refuser(cause.id, self._diagnosis)
        kinds = self._kinds & _asked(cause)
        key = (cause.id, self._version, kinds, refused_by, self._what)
        kept = _KEPT.get(key)
        if kept is not None and kept[0] is cause:
            return kept[1]
        if len(_KEPT) >= MOST_KEPT:
            _KEPT.clear()
        found = self._planned(cause, refused_by, kinds)
        _KEPT[key] = (cause, found)
        return found

    def _planned(self, cause: "Cause", refused_by: Side, kinds: frozenset[str]) -> "list[_Planned]":
        begin: list[_Planned] = []
        known: list[_Planned] = []
        behind: list[_Planned] = []
        fitting = [check for check in cause.checks if check.fits(self._version, kinds)]
        for check in fitting:
            sides = self._sides(check.end, refused_by)
            if check.platform == "any":
                if sides:
                    (begin if check.first_of_all else behind).append(_Planned(check, sides[0]))
                continue
            for side in sides:
                end = self._ends[side] if side is not None else None
                if end is not None and end.certain and check.platform in end.possible:
                    known.append(_Planned(check, side, (), end.basis))
                    break
        words = [
            self._in_words(cause, end, refused_by, fitting)
            for end in self._ends.values()
            if not end.certain and self._words_at(cause.at, end, refused_by)
        ]
        # What is looked at where the cause is comes first, though only the other end's commands are known.
        there = self._sides(cause.at, refused_by)
        first = [p for p in known[:1] if p.side in there or not words]
        return [*begin, *first, *words, *known[len(first) :], *behind]

    def _sides(self, end: str, refused_by: Side) -> list[Side | None]:
        """Where a check can be done, the best place first; none where it is not at the user's own end."""
        if end == "path":
            return [None]
        places = {
            "initiator": [Side.INITIATOR],
            "responder": [Side.RESPONDER],
            "refuser": [refused_by],
            "refused": [refused_by.other],
            "either": [Side.INITIATOR, Side.RESPONDER],
        }[end]
        if self._ours is not None:
            places = [side for side in places if side is self._ours]
        known = [side for side in places if self._ends[side].certain]
        return [*known, *(side for side in places if side not in known)]

    def _words_at(self, at: str, end: Platform, refused_by: Side) -> bool:
        """Whether an end of which the platform is not certain is the one to look at for a cause."""
        if self._ours is not None:
            return end.side is self._ours
        sides = self._sides(at, refused_by)
        # What either end can look at is told where its commands are known; else at the first.
        return bool(sides) and sides[0] is end.side

    def _in_words(self, cause: "Cause", end: Platform, refused_by: Side, fitting: Sequence[Check]) -> _Planned:
        """What to look at, and for each platform that the end can be, how to begin."""
        found: list[Check] = []
        for platform in end.possible:
            own = [
                c
                for c in fitting
                if c.platform == platform
                and not (c.software or "").startswith("before ")
                and c.does != "change"
                and end.side in self._sides(c.end, refused_by)
            ]
            # Where there is room for one, it looks: a debug is for who knows the device.
            own.sort(key=lambda check: check.does == "debug" and len(end.possible) > BY_HINT)
            found += own[: BY_HINT if len(end.possible) <= BY_HINT else 1]
        words = Check(cause.at, "any", cause.look.rstrip("."))
        return _Planned(words, end.side, tuple(found), end.basis)

    def _filled(self, check: Check, side: Side | None) -> Check:
        at = side or Side.INITIATOR
        return check.fill(peer=self._known[at.other, at], local=self._known[at, at], ports=self._ports)
