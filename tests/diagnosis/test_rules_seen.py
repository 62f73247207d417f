"""Every rule of the ranking says what it rests on, and has a wire that shows it, or says why it has none.

`tests/rules_seen.json` lists the wires; `rules_seen` says how it is made anew.
"""

import json
from typing import Any

import pytest

from pcapdiag.knowledge.records import Rule, Status
from tests import SHARED
from tests.diagnosis.rules_seen import KEYS, LIST, RULES, key, of_scene, of_wire, path_of

SEEN: dict[str, dict[str, Any]] = json.loads(LIST.read_text(encoding="utf-8"))
WIRES = sorted({wire for found in SEEN["wires"].values() for wire in found})


def told(rule: Rule, field: str) -> Any:
    """A field that rules may not have yet."""
    return getattr(rule, field)


def test_rules_are_told_apart() -> None:
    assert len({key(rule) for rule in RULES}) == len(RULES)


def test_every_rule_is_seen_or_says_why_not() -> None:
    listed = [name for part in SEEN.values() for name in part]
    assert len(listed) == len(set(listed))
    assert {key(rule) for rule in RULES} == set(listed)
    assert all(row["reason"] and row["scenes"] for row in SEEN["scenes"].values())
    assert all(SEEN["unseen"].values())
    assert all(SEEN["wires"].values())


@pytest.mark.parametrize("wire", WIRES)
def test_wire_still_shows_its_rules(wire: str) -> None:
    path = path_of(wire)
    if wire.startswith("shared/") and not SHARED.is_dir():
        pytest.skip("needs the captures beside the checkout")
    if wire.endswith(KEYS):
        pytest.importorskip("cryptography")
    assert path.exists()
    missing = {name for name, found in SEEN["wires"].items() if wire in found} - of_wire(wire)
    assert not missing


def test_scenes_still_show_their_rules() -> None:
    for name, row in SEEN["scenes"].items():
        for scene in row["scenes"]:
            assert name in of_scene(scene), (name, scene)


def test_every_rule_says_what_it_rests_on() -> None:
    assert [key(rule) for rule in RULES if not told(rule, "basis").strip()] == []


def test_a_habit_never_confirms() -> None:
    confirmed = [key(rule) for rule in RULES if rule.status is Status.CONFIRMED and told(rule, "habit")]
    assert confirmed == []


def test_a_habit_names_whose_it_is_and_a_necessity_names_its_rule() -> None:
    """A necessity stands in an RFC or draft, or is one of IP; a habit is somebody's."""
    for rule in RULES:
        if not told(rule, "habit"):
            assert told(rule, "basis").startswith(("RFC ", "draft-", "IP:")), key(rule)
