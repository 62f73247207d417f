"""Why: the evidence, the causes ranked with their reasons, what to check next, and what would decide."""

from collections.abc import Iterator, Sequence

from pcapdiag.diagnosis.causes.checks import PlacedCheck, next_checks
from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.diagnosis.evidence.gather import exchange_filter, tells
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.knowledge.platform_names import PLATFORM_NAMES
from pcapdiag.knowledge.records import Status
from pcapdiag.report import both_ends
from pcapdiag.report.phrases import (
    SOURCE_DOCUMENT,
    any_of_many,
    command_lines,
    ends_with,
    in_brief,
    platform_hint,
    platform_note,
    rivals,
    status_word,
    task,
    telling,
)
from pcapdiag.report.terminal.colours import STATUS_COLOURS
from pcapdiag.report.terminal.layout import Layout, wrapped
from pcapdiag.report.wording import frame_list, safe

_INDENT = 15
_SHOWN = 5


def why(diagnosis: Diagnosis, layout: Layout, explained: set[tuple[str, str]]) -> Iterator[str]:
    """The part of an exchange's report behind the ladder.

    explained -- (cause, place) pairs whose checks were printed before, which are then only referred to; added to
    """
    if not diagnosis.causes and layout.detail <= 0 and not any(tells(i) for i in diagnosis.evidence):
        return
    yield ""
    yield from _evidence(diagnosis, layout)
    if diagnosis.causes:
        yield ""
        yield from _causes(diagnosis.causes, layout)
        yield ""
        yield from _checks(diagnosis, layout, explained)
        yield from _decide(diagnosis.causes, layout)
    yield ""
    yield f"  Wireshark: {exchange_filter(diagnosis.exchange)}"


def _evidence(diagnosis: Diagnosis, layout: Layout) -> Iterator[str]:
    yield layout.paint("  What the wire shows", bold=True)
    for item in diagnosis.evidence[1:] if layout.detail > 0 else telling(diagnosis):
        yield from wrapped(
            f"{item.text} ({frame_list(item.frames, several=layout.several)})", layout, 7, f"  {item.id:<4} "
        )
        if layout.detail > 0:
            yield from wrapped(item.display_filter, layout, 9, "         ")


def _causes(causes: Sequence[RankedCause], layout: Layout) -> Iterator[str]:
    yield layout.paint("  What may be the cause", bold=True)
    shown = list(causes) if layout.detail > 0 else [c for c in causes if c.leads][:_SHOWN]
    for ranked in shown:
        word = status_word(ranked.status)
        lines = wrapped(f"{ranked.cause.title} [{ranked.cause.id}]{_document(ranked)}", layout, _INDENT, " " * _INDENT)
        yield f"  {layout.paint(f'{word:<13}', fg=STATUS_COLOURS[ranked.status])}{lines[0][_INDENT:]}"
        yield from lines[1:]
        yield from wrapped(f"{ranked.says}{_reasons(ranked)}", layout, _INDENT, " " * _INDENT)
        if layout.detail > 0:
            yield from wrapped(ranked.cause.meaning, layout, _INDENT, " " * _INDENT)
            if ranked.cause.remark:
                yield from wrapped(ranked.cause.remark, layout, _INDENT, " " * _INDENT)
    rest = [c for c in causes if c not in shown]
    for status in Status:
        names = [f"{c.cause.id}{_document(c)}{_reasons(c)}" for c in rest if c.status is status]
        if names:
            yield from wrapped(", ".join(names), layout, _INDENT, f"  {status_word(status):<13}")
    numbered = next((place for c in causes for place in c.document), None)
    if numbered is not None:
        text = f"  ({numbered[0]} #{numbered[1]}: the cause with that number under that state in “{SOURCE_DOCUMENT}”.)"
        yield from wrapped(text, layout, 3)


def _document(ranked: RankedCause) -> str:
    """Where the source document lists it: `(MM_WAIT_MSG6 #1)`."""
    if not ranked.document:
        return ""
    return f" ({', '.join(f'{state} #{item}' for state, item in ranked.document)})"


def _reasons(ranked: RankedCause) -> str:
    ids = ranked.because or ranked.against
    return f" [{', '.join(ids)}]" if ids else ""


def _checks(diagnosis: Diagnosis, layout: Layout, explained: set[tuple[str, str]]) -> Iterator[str]:
    found = next_checks(diagnosis, 40 if layout.detail > 0 else 6)
    if not found:
        yield from _request(diagnosis, layout)
        return
    new = [p for p in found if (p.cause, p.at) not in explained]
    yield layout.paint("  What to check next", bold=True)
    if not new:
        yield "  The same as for the exchange above."
        return
    for number, placed in enumerate(new if layout.detail > 0 else in_brief(new), 1):
        yield from _check(number, placed, layout)
        explained.add((placed.cause, placed.at))
    if hint := platform_hint(new, diagnosis, "" if layout.detail > 0 else "-v: those of all platforms"):
        yield from wrapped(hint, layout, 2, "  ")
    yield from _request(diagnosis, layout)


def _request(diagnosis: Diagnosis, layout: Layout) -> Iterator[str]:
    """The text for the administrator of the other end, to be copied whole."""
    request = diagnosis.request
    if request is None:
        return
    yield ""
    yield layout.paint("  What to ask at the other end", bold=True)
    for line in request.rstrip().split("\n"):
        text = safe(line)
        indent = len(text) - len(text.lstrip())
        # A command is copied, and so stays on one line.
        yield from wrapped(text, layout, 4, "    ") if indent < 6 else [f"    {text}"]


def _check(number: int, placed: PlacedCheck, layout: Layout) -> Iterator[str]:
    yield from wrapped(task(placed), layout, 5, f"  {number:>2} ")
    if note := platform_note(placed):
        yield from wrapped(note, layout, 5, "     ")
    yield from _commands(placed, layout)
    if placed.check.undo:
        yield from wrapped(f"{ends_with(placed.check)} {'; '.join(placed.check.undo)}", layout, 7, "     ")
    if placed.check.expect:
        yield from wrapped(f"→ {placed.check.expect}", layout, 7, "     ")


def _commands(placed: PlacedCheck, layout: Layout) -> Iterator[str]:
    """Each command whole and alone on its line, to be copied; beside the platform's name where there is room."""
    if not placed.by_platform:
        for line in command_lines(placed):
            yield f"       {layout.paint(safe(line), bold=True)}"
        return
    names = {c.platform: c.platform if any_of_many(placed) else PLATFORM_NAMES[c.platform] for c in placed.by_platform}
    column = 7 + max(map(len, names.values()))
    for check in placed.by_platform:
        name = f"     {names[check.platform]}"
        lines = [safe(line) for line in (*check.first, check.command or "")]
        if len(lines) == 1 and column + len(lines[0]) <= layout.width:
            yield f"{name:<{column}}{layout.paint(lines[0], bold=True)}"
        else:
            yield name
            yield from (f"       {layout.paint(line, bold=True)}" for line in lines)
        if check.undo:
            yield from wrapped(f"{ends_with(check)} {'; '.join(check.undo)}", layout, 9, "       ")


def _decide(causes: Sequence[RankedCause], layout: Layout) -> Iterator[str]:
    """What separates the leading cause from its rivals; where one is confirmed there is nothing to separate."""
    found = rivals(causes)
    if not found:
        return
    yield ""
    yield layout.paint("  What would decide", bold=True)
    for ranked in found[: 2 if layout.detail <= 0 else len(found)]:
        yield from wrapped(f"{ranked.cause.id}: {ranked.cause.decide}", layout, 4, "  ")
    if layout.detail <= 0:
        yield from wrapped(f"More: pcapdiag explain {found[0].cause.id}", layout, 2, "  ")
    if not layout.several and any(both_ends.helps(ranked.cause) for ranked in found):
        name = next(r.cause.id for r in found if both_ends.helps(r.cause))
        text = f"Captures of both ends decide: pcapdiag explain {name} has the commands, pcapdiag compare joins them."
        yield from wrapped(text, layout, 2, "  ")
