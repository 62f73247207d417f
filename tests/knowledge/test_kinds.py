"""Kinds of evidence are declared once, and nothing else passes for one."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pcapdiag
from pcapdiag.diagnosis.tunnel import LOST, NO_CHILD
from pcapdiag.knowledge.kinds import KINDS, UndeclaredKindError, kind_of, like, undeclared


def test_each_is_declared_once_and_says_something() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert [kind.name for kind in KINDS if not kind.says.endswith(".")] == []


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("phase2-refused", "phase2-refused"),
        ("phase2-ts-unacceptable", "phase2-*"),
        ("nat-faked-initiator", "nat-faked-*"),
        ("certificate-of-initiator", "certificate-of-*"),
        ("certificate-expired-of-initiator", "certificate-*-of-*"),
        ("later-icmp-port-unreachable-from-peer", "later-icmp-*"),
        ("icmp-about-4500", "icmp-about-4500"),
        ("auth-mixed", "auth-mixed"),
    ],
)
def test_the_closest_declaration_counts(name: str, declared: str) -> None:
    assert kind_of(name).name == declared


def test_what_nothing_declares_is_refused() -> None:
    with pytest.raises(UndeclaredKindError, match="no kind of evidence is called 'silense'"):
        kind_of("silense")


@pytest.mark.parametrize("pattern", ["silense", "silense-*", "*-ever-seen", "phase3-*"])
def test_a_pattern_that_nothing_can_fit(pattern: str) -> None:
    assert undeclared(pattern)


@pytest.mark.parametrize("pattern", [*NO_CHILD, *LOST, "stopped*", "icmp-*-from-peer", "quick-mode-*pfs", "notify-*"])
def test_a_pattern_that_something_fits(pattern: str) -> None:
    assert not undeclared(pattern)


@given(st.text("ab-", max_size=8), st.text("ab-*", max_size=6))
def test_like_is_what_fnmatch_does(kind: str, pattern: str) -> None:
    assert like(kind, pattern) == fnmatchcase(kind, pattern)


def _strings(node: ast.AST) -> Iterator[str]:
    """The texts in an expression; of one that is put together, with the name of an end in each gap that is open."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        parts = [list(_strings(part)) for part in node.values]
        yield from ("".join(chosen) for chosen in product(*parts))
    elif isinstance(node, ast.FormattedValue):
        yield from list(_strings(node.value)) or ["initiator"]
    elif isinstance(node, ast.IfExp):
        yield from (text for part in (node.body, node.orelse) for text in _strings(part))
    elif isinstance(node, ast.Tuple | ast.List):
        yield from (text for part in node.elts for text in _strings(part))


def _written() -> Iterator[tuple[str, str]]:
    """What stands in the sources of facts where a kind is expected, also where no capture or scene leads there."""
    for path in sorted(Path(pcapdiag.__file__).parent.glob("diagnosis/evidence/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            places: list[ast.AST] = []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Fact":
                places = [*node.args[:1], *node.args[3:]]
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                places = [node.value] if node.targets[0].id in ("kind", "also") else []
            for text in (text for place in places for text in _strings(place)):
                yield path.name, text


ICMP = "initiatorinitiator-from-initiator"
"""What is known of an ICMP error by nothing but its gaps: tests of evidence have all of these."""
WRITTEN = sorted({(name, kind) for name, kind in _written() if kind != ICMP})


def test_the_sources_of_facts_are_found() -> None:
    assert len(WRITTEN) > 100


@pytest.mark.parametrize(("name", "kind"), WRITTEN)
def test_every_kind_that_a_fact_can_have_is_declared(name: str, kind: str) -> None:
    assert kind_of(kind).says, name
