"""How wide, in colour or not, and how much: what every text report shares."""

import textwrap

from click import style
from msgspec import field

from pcapdiag.record import Record

MIN_WIDTH = 80
MAX_WIDTH = 110


class Layout(Record, frozen=True):
    """How to print: columns, whether colour is wanted, how much to say (0 is normal, 1 verbose, −1 one line).

    several -- there are several captures, so that frames are named with the capture's number
    names -- what the reader calls addresses
    """

    width: int = MIN_WIDTH
    colour: bool = False
    detail: int = 0
    several: bool = False
    names: dict[str, str] = field(default_factory=dict)

    def called(self, address: str) -> str:
        """The address, and its name where it has one."""
        return f"{address} ({self.names[address]})" if address in self.names else address

    def paint(self, text: str, **how: object) -> str:
        """The text in colour, where colour is wanted."""
        return style(text, **how) if self.colour else text  # type: ignore[arg-type]


def wrapped(text: str, layout: Layout, indent: int = 2, first: str = "") -> list[str]:
    """The text in lines of the layout's width; `first` stands before the first, the others are indented."""
    lines = textwrap.wrap(
        text, layout.width, initial_indent=first, subsequent_indent=" " * indent, break_on_hyphens=False
    )
    return lines or [""]
