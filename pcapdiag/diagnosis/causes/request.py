"""What to ask the administrator of the other end: a text that can be sent as it is.

It says what was seen and when, what may be the reason, and what to look at there; nothing that only the user's own
device shows beyond the capture, and no key.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pcapdiag.diagnosis.causes.addresses import known_as
from pcapdiag.diagnosis.causes.checks import Explained, ports_filter, refuser
from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.exchange.model import Mode, Side
from pcapdiag.knowledge.platform_names import PLATFORM_NAMES
from pcapdiag.knowledge.records import Status
from pcapdiag.units import SECOND

if TYPE_CHECKING:
    from pcapdiag.knowledge.records import Check

MOST_CAUSES = 3
MOST_COMMANDS = 2
"""For each cause, where the other end's platform is known."""

_MODES = {Mode.MAIN: "IKEv1, Main Mode", Mode.AGGRESSIVE: "IKEv1, Aggressive Mode", Mode.IKEV2: "IKEv2"}


def request_text(diagnosis: Explained) -> str | None:
    """The text; None where it is not said which end is the user's own, or where nothing has to be asked."""
    ours = next((side for side in Side if diagnosis.platform(side).mine), None)
    causes = _asked_about(diagnosis)
    if ours is None or not causes:
        return None
    return "\n".join(_lines(diagnosis, ours, causes)) + "\n"


def _asked_about(diagnosis: Explained) -> list[RankedCause]:
    leading = [c for c in diagnosis.causes if c.status in (Status.CONFIRMED, Status.LIKELY)]
    return (leading or [c for c in diagnosis.causes if c.leads])[:MOST_CAUSES]


def _lines(diagnosis: Explained, ours: Side, causes: list[RankedCause]) -> Iterator[str]:
    e = diagnosis.exchange
    here, there = e.peer(ours).address, e.peer(ours.other).address
    began = datetime.fromtimestamp(e.first_time / SECOND, UTC)
    role = "we begin" if ours is Side.INITIATOR else "you begin"
    two = e.mode is Mode.IKEV2
    yield f"To the administrator of {there}"
    yield ""
    mode = _MODES.get(e.mode, "IKEv1")
    kinds = {kind for item in diagnosis.evidence for kind in item.kinds}
    known = known_as(e, ours, ours.other, kinds)
    us = "us" if known == here else "us, behind NAT: you see another address"
    yield f"The IPsec tunnel between {there} (you) and {here} ({us}) does not work. {mode}; {role}."
    theirs = f"vantage-{ours.other}" in kinds
    compared = any(kind.startswith("compare-") for kind in kinds)
    whose = "A capture taken on your side" if theirs else "Our capture"
    of = f"of {began:%Y-%m-%d %H:%M:%S} UTC"
    said = f"Captures at several points, {of}, show" if compared else f"{whose}, {of}, shows"
    yield f"{said}: {diagnosis.stop.reason}"
    answer = e.responder_spi.hex() if e.responder_spi else "none"
    yield f"To find it in your log: {'SPIs' if two else 'cookies'} {e.initiator_spi.hex()} and {answer}."
    yield ""
    yield "Would you please look at this on your side:"
    for number, ranked in enumerate(causes, 1):
        look = ranked.cause.look.replace("{peer}", known).replace("{local}", there)
        yield f"{number}. {ranked.cause.title}? {look}"
        for check in _commands(ranked, diagnosis, ours):
            for line in (*check.first, check.command or ""):
                yield f"      {line}"
            if check.does == "debug":
                yield f"      (and to end it: {'; '.join(check.undo)})"
    yield ""
    if theirs or compared:
        yield "What your log says at that time helps most."
        return
    yield (
        "What your log says at that time helps most, and a capture on your side while we try: "
        f"host {known} and ({ports_filter(e, kinds)})"
    )


def _commands(ranked: RankedCause, diagnosis: Explained, ours: Side) -> "list[Check]":
    """The commands for the other end, where it is known what that is: looks only."""
    e, end = diagnosis.exchange, diagnosis.platform(ours.other)
    if not end.certain or end.possible[0] not in PLATFORM_NAMES:
        return []
    refused_by = refuser(ranked.cause.id, diagnosis)
    places = {"either", ours.other.value, "refuser" if refused_by is ours.other else "refused"}
    kinds = {kind for item in diagnosis.evidence for kind in item.kinds}
    ports = ports_filter(e, kinds)
    return [
        check.fill(
            peer=known_as(e, ours, ours.other, kinds), local=known_as(e, ours.other, ours.other, kinds), ports=ports
        )
        for check in ranked.cause.checks
        if check.platform == end.possible[0]
        and check.end in places
        and check.does != "change"
        and not (check.software or "").startswith("before ")
        and check.fits(2 if e.mode is Mode.IKEV2 else 1, kinds)
    ][:MOST_COMMANDS]
