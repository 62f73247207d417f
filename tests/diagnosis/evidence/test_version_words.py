"""Sentences that both versions share, in the words of IKEv2."""

import re

import pytest

from pcapdiag.diagnosis.evidence.version_words import in_ikev2
from pcapdiag.knowledge.loading import load

OF_IKEV1 = re.compile(r"\bcookies?\b|[Mm]essages? [1-6]\b|Main Mode|Quick Mode|\bphase [12]\b")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Message 1 reached the peer.", "The IKE_SA_INIT request reached the peer."),
        ("The peer had message 1 and answered it.", "The peer had the IKE_SA_INIT request and answered it."),
        ("It does not know these cookies.", "It does not know these SPIs."),
        ("Phase 1 is up.", "The IKE SA is up."),
        ("It asks for a COOKIE first.", "It asks for a COOKIE first."),
        ("Asked anew (message ID 4).", "Asked anew (message ID 4)."),
        ("Nothing of either.", "Nothing of either."),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert in_ikev2(text) == expected


def test_every_rule_can_be_told_of_ikev2() -> None:
    assert not [r.says for r in load().rules if OF_IKEV1.search(in_ikev2(r.says))]
