"""The base of every record that flows through the program."""

from msgspec import Struct


class Record(Struct, frozen=True, gc=False):
    """A record: fixed fields, compared by value, never edited.

    msgspec's structs are dataclasses in C: made in a tenth of the time, defined in a tenth of the time (a hundred
    classes are what an analysis of a small capture waits for), and smaller. They refer to other records only, never in
    a circle, so the garbage collector need not look at them.
    """
