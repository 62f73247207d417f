"""When to look at what again: a timer wheel with a slot a second, so that setting and moving a time costs the same
whether ten wait or a million."""

from pcapdiag.units import SECOND


class Wheel:
    """Numbers with a time each (nanoseconds), given back when that is reached."""

    def __init__(self) -> None:
        self._slots: dict[int, set[int]] = {}
        self._slot_of: dict[int, int] = {}
        self._done = 0

    def __len__(self) -> int:
        """Count the numbers that have a time."""
        return len(self._slot_of)

    def set(self, number: int, time: int) -> None:
        """Give this number back at `time`, rounded up to a second; what was set before no longer counts."""
        slot = max(-(-time // SECOND), self._done + 1)
        if self._slot_of.get(number) == slot:
            return
        self.drop(number)
        self._slot_of[number] = slot
        self._slots.setdefault(slot, set()).add(number)

    def drop(self, number: int) -> None:
        """Forget this number's time."""
        slot = self._slot_of.pop(number, None)
        if slot is not None:
            members = self._slots[slot]
            members.discard(number)
            if not members:
                del self._slots[slot]

    def due(self, now: int) -> list[int]:
        """The numbers whose time has come, in the order of their slots; they are forgotten."""
        until = now // SECOND
        if until <= self._done:
            return []
        # Either the few seconds since the last time or, after a long silence, the few slots that there are.
        few = until - self._done < len(self._slots)
        slots = range(self._done + 1, until + 1) if few else sorted(s for s in self._slots if s <= until)
        self._done = until
        found = [number for slot in slots for number in sorted(self._slots.pop(slot, ()))]
        for number in found:
            del self._slot_of[number]
        return found

    def next(self) -> int | None:
        """When the next one is due (nanoseconds); None where none is."""
        return min(self._slots) * SECOND if self._slots else None
