"""Kinds of evidence are declared once, and nothing else passes for one."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
