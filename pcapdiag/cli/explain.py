"""`pcapdiag explain`: the knowledge base without a capture."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from pcapdiag.cli import options
from pcapdiag.cli.exit_codes import Exit
from pcapdiag.knowledge.platform_names import PLATFORM_NAMES

if TYPE_CHECKING:
    from pcapdiag.knowledge.base import KnowledgeBase
    from pcapdiag.report.terminal.layout import Layout

PLATFORMS = tuple(PLATFORM_NAMES)
_LONGEST_LINE = 65536
_LONGEST_QUOTE = 60


@click.command()
@click.argument("topic", nargs=-1, metavar="[TOPIC]...", shell_complete=options.completed("topics"))
@click.option("--platform", type=click.Choice(PLATFORMS), help="Only the checks for this platform, and general ones.")
@click.option(
    "--debug",
    metavar="PLATFORM",
    help="What to turn on at this platform so that it logs what it knows, and how to turn it off.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the entry as JSON.")
@options.color
@options.width
def explain(
    topic: Sequence[str], platform: str | None, debug: str | None, as_json: bool, color: str, width: int | None
) -> None:
    """Say what a state, a cause, a notify or a line of a device's log means, and what to check.

    TOPIC is a state (MM_WAIT_MSG6), the message that is awaited (MM6), a cause (psk-mismatch), a notify by name or
    number (NO_PROPOSAL_CHOSEN, 14), a kind of evidence as JSON and tables name it (silence-after-mm5), or a line of a
    log. `-` reads a log from standard input and explains every line that is known. Without a topic, all states and
    causes are listed.
    """
    from pcapdiag.cli.terminal import columns, encodable, wants_colour
    from pcapdiag.knowledge.base import Topic
    from pcapdiag.knowledge.loading import load
    from pcapdiag.report.terminal import explain as report
    from pcapdiag.report.terminal.layout import Layout

    layout = Layout(width or columns(), wants_colour(color))
    if debug is not None:
        click.echo(encodable(_debugging(debug, topic, layout, as_json)), nl=False, color=layout.colour)
        return
    knowledge = load()
    if not topic:
        everything: list[Topic] = [*knowledge.states, *knowledge.causes]
        output = report.render_json(everything, knowledge, platform) if as_json else report.overview(knowledge, layout)
    elif tuple(topic) == ("-",):
        reading = knowledge.read_log(_standard_input())
        if not reading.known:
            _fail(_nothing_known(reading.unknown))
        log = report.render_log_json(reading, knowledge, platform) if as_json else None
        output = log or report.render_log(reading, knowledge, layout, platform)
    else:
        words = " ".join(topic)
        output = _explained(words, knowledge, layout, platform, as_json)
    click.echo(encodable(output), nl=False, color=layout.colour)


def _debugging(platform: str, topic: Sequence[str], layout: "Layout", as_json: bool) -> str:
    """What to turn on at a platform."""
    from pcapdiag.logs.debugging import PLATFORMS, debugging_of
    from pcapdiag.report.terminal import explain as report

    if topic:
        raise click.UsageError("--debug takes no topic")
    if platform not in PLATFORMS:
        raise click.BadParameter(f"one of {', '.join(PLATFORMS)}", param_hint="--debug")
    found = debugging_of(platform)
    return report.render_debugging_json(found) if as_json else report.render_debugging(found, layout)


def _explained(words: str, knowledge: "KnowledgeBase", layout: "Layout", platform: str | None, as_json: bool) -> str:
    """What is known of a topic; ends the program with a line where that is nothing."""
    from pcapdiag.knowledge.log_lines import LineKind
    from pcapdiag.logs.explaining import decode, distinctive, entries
    from pcapdiag.report.terminal import explain as report
    from pcapdiag.report.terminal import explain_kind

    found = entries(knowledge, words)
    # A name with a hyphen and no space is no line of a log, although one may have the same words.
    if not found or ("-" in words and " " not in words and isinstance(found[0], LineKind)):
        kind = explain_kind.kind_topic(words, knowledge)
        if kind is not None:
            schema = report.SCHEMA_VERSION
            text = explain_kind.render_kind
            return explain_kind.render_kind_json(kind, schema) if as_json else text(kind, knowledge, layout)
    decoded = decode(words) if not found or isinstance(found[0], LineKind) else None
    if not found and (decoded is None or decoded.told is None):
        _fail(_unknown(distinctive(words), knowledge.suggest(words), decoded.platform if decoded else ""))
    if as_json:
        return report.render_json(found, knowledge, platform, decoded)
    if not found and decoded is not None:
        return report.render_decoded(decoded, layout)
    return "\n".join(report.render(entry, knowledge, layout, platform, decoded) for entry in found)


def _standard_input() -> Iterator[str]:
    """Its lines, whatever octets are in them; one that is too long for a log comes in pieces."""
    while line := sys.stdin.buffer.readline(_LONGEST_LINE):
        yield line.decode("utf-8-sig", "replace")


def _unknown(topic: str, near: Sequence[str], platform: str = "") -> str:
    """That a topic is not known: of a line the part that tells it from others, and whose it is."""
    from pcapdiag.report.terminal.explain import PLATFORM_NAMES
    from pcapdiag.report.wording import safe

    shown = safe(" ".join(topic[: _LONGEST_QUOTE + 1].split()))
    shown = shown if len(topic) <= _LONGEST_QUOTE else f"{shown[:_LONGEST_QUOTE]}…"
    rest = f"nearest: {', '.join(near)}" if near else "`pcapdiag explain` lists what there is"
    whose = f" (a line of {PLATFORM_NAMES.get(platform, platform)}'s)" if platform else ""
    return f"`{shown}` is not known{whose}; {rest}"


def _nothing_known(lines: int) -> str:
    if lines == 0:
        return "standard input is empty"
    if lines == 1:
        return "the line on standard input is not known"
    return f"none of the {lines} lines on standard input is known"


def _fail(message: str) -> NoReturn:
    click.echo(f"pcapdiag: {message}", err=True)
    sys.exit(Exit.USAGE)
