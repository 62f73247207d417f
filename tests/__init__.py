"""The tests. `CAPTURES` are the project's own; `SHARED` others that may lie beside the checkout."""

from pathlib import Path

CAPTURES = Path(__file__).parents[1] / "captures"
SHARED = Path(__file__).parents[2] / "shared" / "captures"
