"""What the commands ask of the terminal: how wide it is, and whether it wants colour."""

import sys


def columns() -> int:
    """The terminal's columns, within what reads well; 80 where the output goes elsewhere."""
    import shutil

    from pcapdiag.report.terminal.layout import MAX_WIDTH, MIN_WIDTH

    if not sys.stdout.isatty():
        return MIN_WIDTH
    return max(MIN_WIDTH, min(MAX_WIDTH, shutil.get_terminal_size().columns))


def wants_colour(choice: str) -> bool:
    """Whether to colour standard output: `always`, `never`, or `auto`, which asks the terminal and NO_COLOR."""
    import os

    if choice == "auto":
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return choice == "always"


_PLAIN = str.maketrans(
    {
        "─": "-",
        "━": "=",
        "▶": ">",
        "◀": "<",
        "→": "->",
        "←": "<-",
        "✗": "x",
        "×": "x",
        "–": "-",
        "−": "-",
        "…": "...",
        "ⁿ": "^n",
        "§": "section ",
        "“": '"',
        "”": '"',
        "’": "'",
        "▸": ">",
        "│": "|",
        "↑": "^",
        "↓": "v",
        "≥": ">=",
        "≤": "<=",
        "·": "-",
    }
)


def _wants_ascii() -> bool:
    """Whether the user asks for plain signs: by LC_ALL=C, where Python would write UTF-8 nevertheless (PEP 540)."""
    import os

    return os.environ.get("LC_ALL") in ("C", "POSIX") and not (
        os.environ.get("PYTHONIOENCODING") or os.environ.get("PYTHONUTF8") == "1"
    )


def encodable(text: str) -> str:
    """The text as standard output can carry it: with plain signs for the lines and arrows where it has no others."""
    encoding = "ascii" if _wants_ascii() else getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    return text
