"""What a crosscheck found, for a person and for a program."""

import json
from collections.abc import Iterator, Sequence

from pcapdiag.crosscheck.comparison import Comparison, Difference
from pcapdiag.report.wording import safe

MAX_SHOWN = 400
"""Characters of a value that are shown to a person; a program gets all."""


def text_lines(found: Comparison) -> Iterator[str]:
    """A line that sums up a capture, and three or four for each difference."""
    known = len(found.differences) - len(found.unexplained)
    opened = f", {found.opened} of them opened with keys" if found.opened else ""
    count = len(found.unexplained)
    said = {0: "no difference", 1: "1 difference"}.get(count, f"{count} differences")
    rest = f", {known} known and explained" if known else ""
    messages = "1 message" if found.messages == 1 else f"{found.messages} messages"
    yield safe(f"{found.path}: {messages}{opened}; {found.facts} values compared: {said}{rest}")
    for difference in found.differences:
        yield f"  frame {difference.frame}, {difference.fact}"
        yield f"    pcapdiag   {_shown(difference.ours)}"
        yield f"    Wireshark  {_shown(difference.theirs)}"
        if difference.known is not None:
            yield f"    known: {difference.known.name}: {difference.known.reason}"


def _shown(value: str) -> str:
    text = safe(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]} …"


def json_text(found: Sequence[Comparison], errors: Sequence[str]) -> str:
    """One JSON document; a contract as the report of an analysis is: fields are added, never renamed."""
    return json.dumps({"schema_version": 1, "captures": [_capture(c) for c in found], "errors": list(errors)}, indent=1)


def _capture(found: Comparison) -> dict[str, object]:
    return {
        "path": found.path,
        "messages": found.messages,
        "opened": found.opened,
        "values": found.facts,
        "unexplained": len(found.unexplained),
        "differences": [_difference(d) for d in found.differences],
    }


def _difference(difference: Difference) -> dict[str, object]:
    known = difference.known
    return {
        "frame": difference.frame,
        "fact": difference.fact,
        "pcapdiag": difference.ours,
        "wireshark": difference.theirs,
        "known": None if known is None else {"name": known.name, "reason": known.reason},
    }
