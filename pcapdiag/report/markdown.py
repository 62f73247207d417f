"""The report as Markdown, for a ticket or a chat: GitHub's and GitLab's flavour, and readable as it is.

Words that hold anything that could act there become code, as they are: markup, links, mentions, references to issues,
emoji, formulas. A code block ends only where it is to end. Controls and direction marks are made visible.

It fits into GitHub's 65,536 characters for an issue or a comment: exchanges are told in full up to FULL characters, in
one line each up to MOST, and counted beyond. The first is always told in full.
"""

import re
from collections.abc import Iterator, Sequence

from pcapdiag.diagnosis.causes.checks import next_checks
from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.diagnosis.evidence.gather import exchange_filter
from pcapdiag.diagnosis.grouping import Group, failing_first, group
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.findings import Findings
from pcapdiag.report.phrases import (
    again,
    capture_line,
    command_lines,
    ends_with,
    headline,
    how_many,
    in_brief,
    leading_cause,
    loss_lines,
    peer_text,
    platform_hint,
    rivals,
    states,
    status_word,
    stopped_after,
    summary,
    task,
    telling,
    tunnel_trouble,
)
from pcapdiag.report.terminal.layout import Layout
from pcapdiag.report.terminal.nothing import nothing_found
from pcapdiag.report.terminal.text import Draw, after_phase1, ladder
from pcapdiag.report.wording import MODE_NAMES, clipped, frame_list, proposal_lines, safe, spi_word, transform_text

FULL, MOST = 40_000, 60_000
LADDER_WIDTH = 100
_LONGEST = 1_000
"""Characters of one paragraph."""
_MAX_EVIDENCE = 40
_MAX_LINES = 20
"""Captures, warnings and proposals that are listed."""


def render(report: Findings, *, draw: Draw | None = None, head: Sequence[str] | None = None) -> str:
    """The whole report.

    draw -- what draws a ladder, by default that of `analyze`; head -- lines on the captures, in the place of its own
    """
    parts = ["".join(f"{line}\n\n" for line in _head(report, head))]
    size = len(parts[0])
    counted = 0
    failing, rest = failing_first(group(report.diagnoses))
    groups = [*failing, *rest]
    for number, found in enumerate(groups):
        block = "".join(f"{line}\n" for line in _block(found, len(report.captures) > 1, draw or ladder))
        line = f"- {inline(headline(found.first) + how_many(found))}\n"
        if number == 0 or (not counted and size + len(block) <= FULL):
            parts.append(block)
        elif size + len(line) <= MOST:
            counted += 1
            parts.append("\n**More exchanges**\n\n" * (counted == 1) + line)
        else:
            parts.append(f"- and {len(groups) - number} more that ended otherwise or between others\n")
            break
        size += len(parts[-1])
    return "".join(parts)


def _head(report: Findings, given: Sequence[str] | None) -> Iterator[str]:
    for line in (given or ())[: 2 * _MAX_LINES]:
        yield inline(line)
    for number, capture in enumerate(report.captures[:_MAX_LINES] if given is None else (), 1):
        path = safe(capture.summary.path)
        prefix = f"{number}: " if len(report.captures) > 1 else ""
        yield f"{prefix}{code(clipped(path, _LONGEST))}{inline(capture_line(capture)[len(path) :])}"
    if len(report.captures) > _MAX_LINES and given is None:
        yield f"And {len(report.captures) - _MAX_LINES} more captures."
    notes = [*report.errors, *(w for c in report.captures for w in c.summary.warnings)]
    notes += [line.strip() for line in loss_lines(report.folded, report.counts)]
    for line in notes[:_MAX_LINES]:
        yield f"**Note:** {inline(line)}"
    if len(notes) > _MAX_LINES:
        yield f"And {len(notes) - _MAX_LINES} more such notes."
    if len(report.diagnoses) > 1:
        yield inline(summary(report.diagnoses, report.folded))
    elif not report.diagnoses:
        for line in nothing_found(report, None, None):
            yield inline(line)


def _block(found: Group, several: bool, draw: Draw) -> Iterator[str]:
    diagnosis = found.first
    e, stop = diagnosis.exchange, diagnosis.stop
    ends = f"{e.initiator.address} → {e.responder.address}"
    yield f"### Exchange {e.id}: {inline(f'{MODE_NAMES[e.mode]}, {ends}')}"
    yield ""
    after = "" if diagnosis.completed else f" after {stopped_after(e)}"
    said, trouble = states(diagnosis), tunnel_trouble(diagnosis)
    verdict = f"PHASE 1 UP, {trouble.upper()}" if trouble else stop.outcome.value.upper()
    yield f"**{inline(verdict + after)}**{': ' if said else ''}{inline(said)}"
    yield ""
    label = f"{diagnosis.evidence[0].id}: " if diagnosis.causes else ""
    yield inline(f"{stop.reason} ({label}{frame_list(stop.frames, several=several)})")
    cause = leading_cause(diagnosis)
    if cause:
        yield ""
        yield f"**{inline(f'{cause[0].upper()}{cause[1:]}.')}**"
    if len(found.members) > 1:
        yield ""
        yield inline(again(found))
    yield ""
    yield from _facts(diagnosis)
    yield ""
    yield from fenced([line.rstrip() for line in draw(diagnosis, Layout(LADDER_WIDTH, several=several))])
    yield ""
    behind = [line.strip() for line in after_phase1(diagnosis, Layout(10_000, several=several)) if line.strip()]
    if behind:
        yield from (f"- {inline(line)}" for line in behind)
        yield ""
    yield from _why(diagnosis, several)


def _facts(diagnosis: Diagnosis) -> Iterator[str]:
    e = diagnosis.exchange
    answer = e.responder_spi.hex() if e.responder_spi else "none seen"
    yield f"- {spi_word(e)}: `{e.initiator_spi.hex()}` → {code(answer) if e.responder_spi else answer}"
    yield f"- initiator: {inline(peer_text(e.initiator))}"
    yield f"- responder: {inline(peer_text(e.responder))}"
    if not e.roles_certain:
        yield "- The beginning is not in the capture; who is the initiator is inferred."
    if diagnosis.chosen:
        yield f"- chosen: {inline(', '.join(transform_text(t) for t in diagnosis.chosen))}"
    elif diagnosis.offered:
        lines = proposal_lines(diagnosis.offered)
        for line in lines[:_MAX_LINES]:
            yield f"- offered: {inline(line)}"
        if len(lines) > _MAX_LINES:
            yield f"- offered: {len(lines) - _MAX_LINES} more"
    yield f"- in Wireshark: `{exchange_filter(e)}`"


def _why(diagnosis: Diagnosis, several: bool) -> Iterator[str]:
    shown = telling(diagnosis)
    if shown:
        yield "**What the wire shows**"
        yield ""
        for item in shown[:_MAX_EVIDENCE]:
            yield f"- {item.id}: {inline(f'{item.text} ({frame_list(item.frames, several=several)})')}"
        if len(shown) > _MAX_EVIDENCE:
            yield f"- and {len(shown) - _MAX_EVIDENCE} more such facts"
        yield ""
    if not diagnosis.causes:
        return
    yield "**What may be the cause**"
    yield ""
    for ranked in diagnosis.causes:
        yield f"- **{status_word(ranked.status)}**: {_cause(ranked)}"
    yield ""
    checks = next_checks(diagnosis)
    if checks:
        yield "**What to check next**"
        yield ""
    for number, placed in enumerate(in_brief(checks), 1):
        yield f"{number}. {inline(task(placed))}"
        lines = command_lines(placed)
        if lines:
            yield ""
            yield from (f"   {line}" for line in fenced(lines))
        if placed.check.undo:
            yield ""
            yield f"   {inline(ends_with(placed.check))} {', '.join(code(safe(line)) for line in placed.check.undo)}"
        if placed.check.expect:
            yield ""
            yield f"   → {inline(placed.check.expect)}"
        yield ""
    if hint := platform_hint(checks, diagnosis, "explain CAUSE: those of all platforms"):
        yield inline(hint)
        yield ""
    request = diagnosis.request
    if request:
        yield "**What to ask at the other end**"
        yield ""
        yield from fenced(request.rstrip().split("\n"))
        yield ""
    for ranked in rivals(diagnosis.causes)[:2]:
        yield f"**What would decide** ({ranked.cause.id}): {inline(ranked.cause.decide)}"
        yield ""


def _cause(ranked: RankedCause) -> str:
    places = "".join(f", {state} item {item}" for state, item in ranked.document)
    ids = "".join(
        f" {word} {', '.join(found[:_MAX_LINES])}{f' and {len(found) - _MAX_LINES} more' * (len(found) > _MAX_LINES)}."
        for word, found in (("For it:", ranked.because), ("Against it:", ranked.against))
        if found
    )
    return f"{inline(ranked.cause.title)} (`{ranked.cause.id}`{places}). {inline(ranked.says)}{ids}"


# --- what nothing can act in -----------------------------------------------------------------------------------

_PLAIN = re.compile(r"[(\"'“]*[\w→←–—…×·−+§ⁿ°¹²³/=’,;.?%\"'”()-]*:?[)\"'”,;.?]*")
"""A word of plain letters, digits and marks that no flavour reads as markup; a colon only at its end."""
_COLONS = re.compile(r"\d\d:\d\d:\d\d(\.\d+)?|\(?\d+:\d+(–\d+)?[,)]*")
"""A time of day; a frame with the capture's number."""
_ACTS = re.compile(r"(?<!\w)_|_(?!\w)|[a-z]\.[a-z]{2}|www\.|\bGH-\d|\b[\da-f]{7,40}\b", re.IGNORECASE)
"""What acts although it is made of these: underscores at the edge of a word, and what is taken for a name in the DNS,
an issue, or a commit."""
_BEGINS = re.compile(r"[-+=]+|\d+[.)]")
"""What begins a list, a heading or a rule where it is the first word of a line."""


def inline(text: str) -> str:
    """A sentence with words from the wire in it: those that could act become code."""
    words = clipped(safe(text), _LONGEST).split(" ")
    found: list[str] = []
    suspects: list[str] = []
    for place, word in enumerate(words):
        plain = (_PLAIN.fullmatch(word) and not _ACTS.search(word)) or _COLONS.fullmatch(word)
        if plain and not (suspects and not word) and not (place == 0 and _BEGINS.fullmatch(word)):
            if suspects:
                found.append(code(" ".join(suspects)))
                suspects = []
            found.append(word)
        else:
            suspects.append(word)
    if suspects:
        found.append(code(" ".join(suspects)))
    return " ".join(found)


def code(text: str) -> str:
    """A code span that ends only where the text ends."""
    ticks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    room = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{room}{text}{room}{ticks}"


def fenced(lines: Sequence[str]) -> Iterator[str]:
    """A code block that ends only where the lines end."""
    shown = [safe(line) for line in lines]
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}text"
    yield from shown
    yield fence
