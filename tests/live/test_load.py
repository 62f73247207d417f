"""Load, scaled down from benchmarks/live.py: counts that add up, drops no worse than tcpdump's, memory that stays."""

from pathlib import Path

import pytest

from benchmarks import live as benchmark
from tests.lab import Pair, needs

pytestmark = needs("tcpdump")


def numbers(found: dict[str, object], *names: str) -> list[int]:
    return [int(str(found[name])) for name in names]


def test_a_replay_at_full_speed_is_counted_to_the_last_packet(tmp_path: Path) -> None:
    count = 60_000
    with Pair("load", tmp_path) as pair:
        mine = benchmark.with_pcapdiag(pair, tmp_path, count, "replay")
        theirs = benchmark.with_tcpdump(pair, tmp_path, count, "replay")
    sent, received, dropped, taken = numbers(mine, "sent", "received", "dropped", "taken")
    assert sent == received == count
    assert received == dropped + taken
    analysed, unread, ike = numbers(mine, "analysed", "unread", "ike")
    assert taken == analysed + unread
    assert unread == 0
    assert ike > analysed * 0.9
    assert dropped <= int(str(theirs["dropped"]))


def test_memory_does_not_grow_with_the_number_of_cookies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 60_000
    monkeypatch.setenv("PACE", "30000")
    with Pair("load", tmp_path) as pair:
        found = benchmark.with_pcapdiag(pair, tmp_path, count, "flood")
    assert numbers(found, "received", "dropped", "analysed") == [count, 0, count]
    evicted = found["evicted"]
    assert isinstance(evicted, dict)
    assert evicted["openings"] + 500 == count
    memory = found["memory"]
    assert isinstance(memory, list)
    early, late = memory[len(memory) // 4], max(memory)
    assert late - early < 12 * 1024, f"KiB, a quarter of a second apart: {memory}"
