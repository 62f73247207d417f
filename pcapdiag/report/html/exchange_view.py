"""What a page and a notebook show of exchanges that ended alike: the words, which the templates put in their places."""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from pcapdiag.diagnosis.causes.checks import PlacedCheck, next_checks
from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.diagnosis.evidence.case import Evidence
from pcapdiag.diagnosis.evidence.gather import exchange_filter
from pcapdiag.diagnosis.grouping import Group
from pcapdiag.diagnosis.outcome.stop import Stop
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Exchange, Step
from pcapdiag.ike.registry import ExchangeType
from pcapdiag.record import Record
from pcapdiag.report.html.ladder_svg import ladder_svg, lost_pieces
from pcapdiag.report.html.markup import MAX_REASONS
from pcapdiag.report.ladder import marks_of, of_phase1
from pcapdiag.report.phrases import (
    again,
    any_of_many,
    command_lines,
    ends_with,
    headline,
    in_brief,
    leading_cause,
    peer_text,
    platform_hint,
    platform_lines,
    platform_note,
    rivals,
    states,
    stopped_after,
    task,
    telling,
    tunnel_trouble,
)
from pcapdiag.report.wording import (
    MODE_NAMES,
    clipped,
    clock,
    day,
    frame_list,
    instant,
    offset,
    payload_details,
    payload_summary,
    proposal_lines,
    spi_word,
    transform_text,
)

if TYPE_CHECKING:
    from markupsafe import Markup

MAX_MESSAGES, MAX_DETAILS, MAX_DETAIL = 64, 24, 240
"""Messages that are listed of an exchange, lines on the payloads of one, and characters in such a line."""
MAX_MEMBERS = 200
"""Exchanges of a group that are listed."""
MAX_EVIDENCE = 60
MAX_CHECKS = 12
MAX_QUICK_MODES = 16


class MessageRow(Record, frozen=True):
    """One message in the table of messages, in words."""

    time: str
    name: str
    ends: str
    summary: str
    details: tuple[str, ...]
    frames: str
    again: str
    evidence: tuple[str, ...]


class OverviewRow(Record, frozen=True):
    """One row of the overview: exchanges that ended alike.

    prefix -- what the ids of all that is told of it begin with; empty where nothing is
    time -- of the first message, in nanoseconds since the Unix epoch; count -- how many exchanges
    trouble -- what is wrong with the tunnel of a phase 1 that completed
    """

    id: int
    prefix: str
    time: int
    when: str
    initiator: str
    responder: str
    mode: str
    outcome: str
    stopped: str
    states: str
    trouble: str
    cause: str
    count: int


class CheckView(Record, frozen=True):
    """One check: where and what, the commands, what ends or undoes them, and how to read the answer.

    note -- on the platform, where that is not known; commands -- to copy; by_platform -- the same for each platform
        that is possible, with its name; source -- the public document of the command
    many -- of how many platforms, where they are more than are read; opened -- they are shown nevertheless
    """

    task: str
    note: str
    commands: tuple[str, ...]
    by_platform: tuple[tuple[str, str], ...]
    ends: str
    undo: str
    expect: str
    source: str
    many: int
    opened: bool


class ExchangeView(Record, frozen=True):
    """What is told of exchanges that ended alike, by the first of them.

    prefix -- what the ids of its parts begin with, on a page
    request -- what to ask at the other end, in lines
    shown, more -- evidence: what is worth a line, and the rest; untold -- how much of both is left out
    leads, lesser -- causes: possible or better, and the others
    filters -- for Wireshark, each with what it shows; empty where that is in several files
    unlisted -- messages that `messages` does not have; count -- of the group, of which `members` lists some
    """

    prefix: str
    several: bool
    exchange: Exchange
    diagnosis: Diagnosis
    stop: Stop
    mode: str
    outcome: str
    verdict: str
    trouble: str
    leading: str
    again: str
    headline: str
    facts: tuple[tuple[str, str], ...]
    offered: tuple[str, ...]
    ladder: "Markup"
    legend: str
    after: tuple[str, ...]
    shown: tuple[Evidence, ...]
    more: tuple[Evidence, ...]
    untold: int
    leads: tuple[RankedCause, ...]
    lesser: tuple[RankedCause, ...]
    checks: tuple[CheckView, ...]
    hint: str
    request: tuple[str, ...]
    rivals: tuple[RankedCause, ...]
    messages: tuple[MessageRow, ...]
    unlisted: int
    filters: tuple[tuple[str, str], ...]
    members: tuple[str, ...]
    count: int


def prefix(group: Group) -> str:
    """What the ids of its parts on a page begin with."""
    return f"x{group.first.exchange.id}"


def view(group: Group, several: bool, ladder: "Markup | None" = None) -> ExchangeView:
    """All that is told of it.

    several -- frames are of several captures, and are named with the capture's number
    ladder -- the drawing, where it is not that of the exchange alone; everything in it is escaped already
    """
    diagnosis = group.first
    e = diagnosis.exchange
    shown, more, untold = _evidence(diagnosis)
    leading = leading_cause(diagnosis)
    checks = next_checks(diagnosis, MAX_CHECKS)
    return ExchangeView(
        prefix=prefix(group),
        several=several,
        exchange=e,
        diagnosis=diagnosis,
        stop=diagnosis.stop,
        mode=MODE_NAMES[e.mode],
        outcome=diagnosis.stop.outcome.value,
        verdict=_verdict(diagnosis),
        trouble=tunnel_trouble(diagnosis),
        leading=f"{leading[0].upper()}{leading[1:]}." if leading else "",
        again=again(group) if len(group.members) > 1 else "",
        headline=headline(diagnosis),
        facts=tuple(_facts(diagnosis)),
        offered=tuple(proposal_lines(diagnosis.offered)) if not diagnosis.chosen else (),
        ladder=ladder if ladder is not None else drawn(e, diagnosis, several),
        legend=_legend(diagnosis),
        after=tuple(_after_phase1(diagnosis, several)),
        shown=shown,
        more=more,
        untold=untold,
        leads=tuple(c for c in diagnosis.causes if c.leads),
        lesser=tuple(c for c in diagnosis.causes if not c.leads),
        checks=tuple(_checks(checks)),
        hint=platform_hint(checks, diagnosis),
        request=tuple((diagnosis.request or "").splitlines()),
        rivals=tuple(rivals(diagnosis.causes)),
        messages=tuple(_messages(diagnosis, several, {i.id for i in (*shown, *more)})),
        unlisted=max(0, len(e.steps) - MAX_MESSAGES) + e.uncounted,
        filters=(("the exchange", exchange_filter(e)), *_filters((*shown, *more), several)),
        members=tuple(_member(d, several) for d in group.members[:MAX_MEMBERS]) if len(group.members) > 1 else (),
        count=len(group.members),
    )


def _checks(checks: Sequence[PlacedCheck]) -> Iterator[CheckView]:
    for placed, brief in zip(checks, in_brief(checks), strict=True):
        yield _check(placed, bool(brief.by_platform))


def _check(placed: PlacedCheck, opened: bool) -> CheckView:
    check = placed.check
    return CheckView(
        task=task(placed),
        note=platform_note(placed),
        commands=tuple(command_lines(placed)) if not placed.by_platform else (),
        by_platform=tuple(platform_lines(placed)),
        ends=ends_with(check) if check.undo else "",
        undo="; ".join(check.undo),
        expect=check.expect or "",
        source=check.source or "",
        many=len({c.platform for c in placed.by_platform}) if any_of_many(placed) else 0,
        opened=opened,
    )


def drawn(exchange: Exchange, diagnosis: Diagnosis | None = None, several: bool = False) -> "Markup":
    """The ladder, in which everything is escaped already."""
    from markupsafe import Markup

    return Markup(ladder_svg(exchange, diagnosis, several=several))


def overview_row(group: Group, told: bool) -> OverviewRow:
    """Its row in the overview; told -- there is more of it below."""
    diagnosis = group.first
    e = diagnosis.exchange
    initiators = f"{group.initiators} initiators" if group.initiators > 1 else e.initiator.address
    responders = f"{group.responders} responders" if group.responders > 1 else e.responder.address
    return OverviewRow(
        id=e.id,
        prefix=prefix(group) if told else "",
        time=e.first_time,
        when=f"{day(e.first_time)} {clock(e.first_time)}",
        initiator=initiators,
        responder=responders,
        mode=MODE_NAMES[e.mode],
        outcome=diagnosis.stop.outcome.value,
        stopped="" if diagnosis.completed else stopped_after(e),
        states=": ".join(part for part in (tunnel_trouble(diagnosis), states(diagnosis)) if part),
        trouble=tunnel_trouble(diagnosis),
        cause=leading_cause(diagnosis) or "",
        count=len(group.members),
    )


def _verdict(diagnosis: Diagnosis) -> str:
    """What stands behind the outcome: "after MM5: initiator MM_WAIT_MSG6, responder MM_WAIT_MSG5"."""
    after = tunnel_trouble(diagnosis) if diagnosis.completed else f"after {stopped_after(diagnosis.exchange)}"
    return ": ".join(part for part in (after, states(diagnosis)) if part)


def _evidence(diagnosis: Diagnosis) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...], int]:
    """What is worth a line, the rest, and how much is left out of both; never what a cause refers to."""
    cited = {i for c in diagnosis.causes for i in (*c.because[:MAX_REASONS], *c.against[:MAX_REASONS])}
    telling_ids = {i.id for i in telling(diagnosis)}
    shown = [i for i in diagnosis.evidence if i.id in telling_ids]
    more = [i for i in diagnosis.evidence if i.id not in telling_ids]
    told = [
        tuple(item for place, item in enumerate(found) if place < MAX_EVIDENCE or item.id in cited)
        for found in (shown, more)
    ]
    return told[0], told[1], len(diagnosis.evidence) - len(told[0]) - len(told[1])


def _facts(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    e = diagnosis.exchange
    yield spi_word(e), f"{e.initiator_spi.hex()} → {e.responder_spi.hex() if e.responder_spi else 'none seen'}"
    if e.other_responder_spis:
        yield "also answered with", ", ".join(s.hex() for s in e.other_responder_spis[:16])
    yield "initiator", peer_text(e.initiator)
    yield "responder", peer_text(e.responder)
    if not e.roles_certain:
        yield "roles", "The beginning is not in the capture; who is the initiator is inferred."
    if diagnosis.chosen:
        yield "chosen", ", ".join(transform_text(t) for t in diagnosis.chosen)


def _legend(diagnosis: Diagnosis) -> str:
    """What has to be said to read the drawing: only what is in it."""
    steps = diagnosis.exchange.steps
    parts = []
    if any(s.encrypted and s.opened is None for s in steps):
        parts.append("A shut lock: encrypted.")
    if any(s.opened is not None for s in steps):
        parts.append("An open lock: encrypted, and opened with the keys.")
    if any(len(s.sent) > 1 for s in steps):
        parts.append("A second, faint line: sent more than once.")
    if diagnosis.causes:
        parts.append("E1, E2 …: the evidence on the causes.")
    return " ".join(parts)


def _after_phase1(diagnosis: Diagnosis, several: bool) -> Iterator[str]:
    for quick in diagnosis.phase2[:MAX_QUICK_MODES]:
        frames = frame_list(quick.frames, several=several)
        yield f"{quick.title}: {quick.outcome.value}. {quick.reason} ({frames})"
    if len(diagnosis.phase2) > MAX_QUICK_MODES:
        yield f"and {len(diagnosis.phase2) - MAX_QUICK_MODES} more"
    by_type: dict[str, list[Step]] = {}
    for step in diagnosis.exchange.steps:
        if not of_phase1(step) and step.exchange_type != ExchangeType.QUICK:
            by_type.setdefault(step.exchange_type.label, []).append(step)
    for label, steps in by_type.items():
        yield f"{len(steps)} {label} messages ({frame_list((f for s in steps for f in s.frames), several=several)})"


def _messages(diagnosis: Diagnosis, several: bool, known: Collection[str]) -> Iterator[MessageRow]:
    e = diagnosis.exchange
    marks = marks_of(i for i in diagnosis.evidence if i.id in known)
    for step in e.steps[:MAX_MESSAGES]:
        sight = step.first
        count = len(step.sent) - 1 + step.uncounted
        again = (
            f"sent again {count}× ({frame_list((f for s in step.sent[1:] for f in s.frames), several=several)})"
            if count
            else ""
        )
        twice = (
            f"recorded twice ({frame_list((f for s in step.duplicates for f in s.frames), several=several)})"
            if step.duplicates
            else ""
        )
        details = payload_details(step)
        yield MessageRow(
            time=offset(sight.time - e.first_time),
            name=step.name,
            ends=f"{_end(sight.source, sight.source_port)} → {_end(sight.destination, sight.destination_port)}",
            summary=f"{payload_summary(step)}{lost_pieces(step)}",
            details=_bounded(details),
            frames=frame_list(sight.frames, several=several).split(" ", 1)[1],
            again="; ".join(text for text in (again, twice) if text),
            evidence=tuple(dict.fromkeys(i for f in step.frames for i in marks.get(f, ()))),
        )


def _filters(evidence: Sequence[Evidence], several: bool) -> Iterator[tuple[str, str]]:
    """A frame number is that of one file."""
    for item in evidence:
        captures = sorted({frame.capture for frame in item.frames})
        if not several:
            yield item.id, item.display_filter
        elif len(captures) == 1:
            yield f"{item.id}, in capture {captures[0] + 1}", item.display_filter
        else:
            yield item.id, ""


def _end(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _bounded(details: Sequence[str]) -> tuple[str, ...]:
    found = [clipped(line, MAX_DETAIL) for line in details[:MAX_DETAILS]]
    if len(details) > MAX_DETAILS:
        found.append(f"and {len(details) - MAX_DETAILS} more payloads, not shown here")
    return tuple(found)


def _member(diagnosis: Diagnosis, several: bool) -> str:
    e = diagnosis.exchange
    ends = f"{e.initiator.address} → {e.responder.address}"
    return f"Exchange {e.id}: {ends}, {instant(e.first_time)}, {frame_list(e.steps[0].first.frames, several=several)}"
