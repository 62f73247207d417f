"""The base of every record that flows through the program."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

from msgspec import Struct

Value = TypeVar("Value")


class Record(Struct, frozen=True, gc=False):
    """A record: fixed fields, compared by value, never edited.

    msgspec's structs are dataclasses in C: made in a tenth of the time, defined in a tenth of the time (a hundred
    classes are what an analysis of a small capture waits for), and smaller. They refer to other records only, never in
    a circle, so the garbage collector need not look at them.
    """


Display = Callable[[object], str | None]
"""What makes HTML of a record; None where there is nothing better than its text."""


class Displayed(Record, frozen=True):
    """A record that shows itself in a notebook."""

    def _repr_html_(self) -> str | None:
        """HTML for IPython's display; None, and so the record's text, before `shown_by` said how it is made."""
        return _displays[0](self) if _displays else None


_displays: list[Display] = []


def shown_by(display: Display) -> None:
    """Have records shown by this from now on: what they look like is the business of the reports, which know them."""
    _displays[:] = [display]


class lazy(Generic[Value]):  # noqa: N801 -- used as a decorator
    """A property that is computed when it is first asked for, of a record with a `__dict__`.

    As functools.cached_property, which takes a lock each time; here two threads may compute the same value twice.
    """

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, owner: None, _kind: type) -> "lazy[Value]": ...

    @overload
    def __get__(self, owner: object, _kind: type | None = None) -> Value: ...

    def __get__(self, owner: Any, _kind: type | None = None) -> "Value | lazy[Value]":
        """Compute the value, and leave it where the next look finds it. Of the class: the property itself."""
        if owner is None:
            return self
        value = owner.__dict__[self._name] = self._compute(owner)
        return value
