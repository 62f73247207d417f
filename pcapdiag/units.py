"""Units: all times are whole nanoseconds, since the Unix epoch or of a duration."""

from typing import Final

SECOND: Final = 1_000_000_000
MILLISECOND: Final = 1_000_000
