"""What to check next, and where: the knowledge base's checks with the real addresses of an exchange filled in.

A check has a place. Commands are those of the platform that the end is; where that is not known, words say what to look
for, and the first command of each platform that is possible stands beside it under its name. Where the user says which
end is theirs, the checks are those of that end, and `pcapdiag.diagnosis.request` has what to ask of the other.
"""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from pcapdiag.diagnosis.platforms import Basis, Platform
from pcapdiag.diagnosis.ranking import RankedCause, Status
from pcapdiag.diagnosis.stop import Outcome
from pcapdiag.exchange.model import Exchange, Mode, Side
from pcapdiag.record import Record

if TYPE_CHECKING:
    from pcapdiag.diagnosis.causes import Check
    from pcapdiag.diagnosis.verdict import Diagnosis

BY_HINT = 2
"""Of a platform that is only possible beside one other, so many commands are told; of more platforms one each."""

PHASE2 = ("pfs-mismatch", "phase2-proposal-mismatch", "phase2-selector-mismatch")
"""Causes for which it is the end that was asked in phase 2 that refused."""


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
    check: "Check"
    by_platform: "tuple[Check, ...]" = ()
    basis: Basis | None = None


def fitting_checks(ranked: RankedCause, diagnosis: "Diagnosis") -> list[PlacedCheck]:
    """The checks of a cause for this exchange: at its ends, for what they are, in the version of IKE that they speak.

    In the knowledge base's order. What can be done at either end is placed at the user's own, else where commands are
    known, else at the initiator, who mostly is the one that looks.
    """
    return _Placing(diagnosis).of(ranked)


def next_checks(diagnosis: "Diagnosis", most: int = 6) -> tuple[PlacedCheck, ...]:
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


def refuser(cause: str, diagnosis: "Diagnosis") -> Side:
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


class _Placing:
    """Places the checks of causes at the ends of one exchange."""

    def __init__(self, diagnosis: "Diagnosis") -> None:
        self._diagnosis = diagnosis
        self._ends = {side: diagnosis.platform(side) for side in Side}
        self._version = 2 if diagnosis.exchange.mode is Mode.IKEV2 else 1
        # A vantage is told of many exchanges at once by its kind; the mode and what else holds needs no frame.
        self._kinds = {kind for item in diagnosis.evidence for kind in item.kinds}
        self._ports = ports_filter(diagnosis.exchange, self._kinds)

    def of(self, ranked: RankedCause) -> list[PlacedCheck]:
        cause = ranked.cause
        refused_by = refuser(cause.id, self._diagnosis)
        ours = next((side for side, end in self._ends.items() if end.mine), None)
        begin: list[PlacedCheck] = []
        known: list[PlacedCheck] = []
        behind: list[PlacedCheck] = []
        for check in cause.checks:
            if not check.fits(self._version, self._kinds):
                continue
            sides = self._sides(check.end, refused_by, ours)
            if check.platform == "any":
                if sides:
                    (begin if check.first_of_all else behind).append(self._placed(cause.id, sides[0], check))
                continue
            for side in sides:
                end = self._ends[side] if side is not None else None
                if end is not None and end.certain and check.platform in end.possible:
                    known.append(self._placed(cause.id, side, check, end.basis))
                    break
        words = [
            self._in_words(ranked, end, refused_by, ours)
            for end in self._ends.values()
            if not end.certain and self._words_at(cause.at, end, refused_by, ours)
        ]
        return [*begin, *known[:1], *words, *known[1:], *behind]

    def _sides(self, end: str, refused_by: Side, ours: Side | None) -> list[Side | None]:
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
        if ours is not None:
            places = [side for side in places if side is ours]
        known = [side for side in places if self._ends[side].certain]
        return [*known, *(side for side in places if side not in known)]

    def _words_at(self, at: str, end: Platform, refused_by: Side, ours: Side | None) -> bool:
        """Whether an end of which the platform is not certain is the one to look at for a cause."""
        if ours is not None:
            return end.side is ours
        sides = self._sides(at, refused_by, ours)
        # What either end can look at is told where its commands are known; else at the first.
        return bool(sides) and sides[0] is end.side

    def _in_words(self, ranked: RankedCause, end: Platform, refused_by: Side, ours: Side | None) -> PlacedCheck:
        from pcapdiag.diagnosis.causes import Check  # with the knowledge base, which is there by now

        cause = ranked.cause
        found: list[Check] = []
        for platform in end.possible:
            own = [
                c
                for c in cause.checks
                if c.platform == platform
                and c.fits(self._version, self._kinds)
                and not (c.software or "").startswith("before ")
                and c.does != "change"
                and end.side in self._sides(c.end, refused_by, ours)
            ]
            # Where there is room for one, it looks: a debug is for who knows the device.
            own.sort(key=lambda check: check.does == "debug" and len(end.possible) > BY_HINT)
            found += own[: BY_HINT if len(end.possible) <= BY_HINT else 1]
        words = Check(cause.at, "any", f"Look at this: {cause.look.rstrip('.')}")
        filled = self._placed(cause.id, end.side, words, end.basis)
        return PlacedCheck(
            filled.cause,
            filled.side,
            filled.at,
            filled.check,
            tuple(self._filled(c, end.side) for c in found),
            end.basis,
        )

    def _placed(self, cause: str, side: Side | None, check: "Check", basis: Basis | None = None) -> PlacedCheck:
        at = "the path" if side is None else self._ends[side].address
        return PlacedCheck(cause, side, at, self._filled(check, side), (), basis)

    def _filled(self, check: "Check", side: Side | None) -> "Check":
        here = self._ends[side or Side.INITIATOR].address
        there = self._ends[(side or Side.INITIATOR).other].address
        return check.fill(peer=there, local=here, ports=self._ports)


def commands_of(placed: PlacedCheck) -> "Iterator[Check]":
    """The checks with commands that one place has: its own, or those of each platform that is possible."""
    if placed.check.command:
        yield placed.check
    yield from placed.by_platform
