"""The interfaces of this machine, and what can be opened."""

import json
from collections.abc import Iterator, Sequence

from pcapdiag.capture.interface import Listed
from pcapdiag.report.wording import safe


def as_lines(found: Sequence[Listed]) -> Iterator[str]:
    """A line for each; a problem that all have is told once."""
    width = max((len(one.name) for one in found), default=0)
    for one in found:
        state = ", ".join(word for word, holds in (("up", one.up), ("loopback", one.loopback)) if holds) or "down"
        can = "can be opened" if one.problem is None else "cannot be opened"
        described = f"  ({safe(one.description)})" if one.description else ""
        yield f"{safe(one.name):<{width}}  {can:<17}  {state}{described}"
    problems: dict[str, list[str]] = {}
    for one in found:
        if one.problem is not None:
            problems.setdefault(one.problem.replace(f"-i {one.name} ", "-i IFACE "), []).append(one.name)
    for problem, names in problems.items():
        yield f"{safe(', '.join(names))}: {safe(problem)}"


def as_object(found: Sequence[Listed]) -> Iterator[str]:
    """The list as one JSON array."""
    rows = [
        {
            "name": one.name,
            "description": one.description,
            "up": one.up,
            "running": one.running,
            "loopback": one.loopback,
            "can_be_opened": one.problem is None,
            "problem": one.problem,
        }
        for one in found
    ]
    yield json.dumps(rows, indent=1)
