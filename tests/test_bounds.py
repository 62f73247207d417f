"""What a capture may cost: within so much memory, whatever is in it, and what bites is said.

The attacks are those of `fuzz/attacks.py`, small; `python -m fuzz.bounds` measures them in full.
"""

import sys

import pytest

from fuzz.attacks import ATTACKS, Attack
from fuzz.bounds import cost

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ulimit -v is that of Linux")
ADDRESS_SPACE = 512 << 20
"""Octets (`ulimit -v 524288`): an analysis of nothing takes 80 MB, most of it for libraries."""
MEMORY = {"exchanges-large": 150, "huge-block": 200}
"""MiB that an attack takes at most; 120 where nothing stands here."""
CHEAP = [a for a in ATTACKS if a.name not in ("gzip-bomb", "xz-bomb", "zstd-bomb")]  # tests/capture/test_window.py


@pytest.mark.parametrize("attack", CHEAP, ids=lambda attack: attack.name)
def test_an_attack_stays_within_its_bound(attack: Attack) -> None:
    found = cost(attack, attack.small, limit=ADDRESS_SPACE)
    assert found.status in (0, 1, 3, 4), found.output[-2000:]
    assert "Traceback" not in found.output
    assert "fault in pcapdiag" not in found.output
    assert attack.said in found.output
    assert found.memory <= MEMORY.get(attack.name, 120), f"{found.memory} MiB"
