"""The words of IKEv1 in sentences that hold of both versions, put into those of IKEv2.

Rules and facts that both versions share are written once, in IKEv1's words. What an IKEv2 exchange is told in goes
through here; what differs in more than its words is written twice where it stands.
"""

import re
from functools import cache

_PHRASES = (
    (r"\bthe answer to message 1\b", "the IKE_SA_INIT response"),
    (r"\bin answer to message 1\b", "in answer to IKE_SA_INIT"),
    (r"\bmessages 5 and 6\b", "IKE_AUTH"),
    (r"\bmessages 1 (and 2|to 4)\b", "the messages of IKE_SA_INIT"),
    (r"\bmessages? [34]\b", "IKE_SA_INIT"),
    (r"\bmessage 1\b", "the IKE_SA_INIT request"),
    (r"\bmessage 2\b", "the IKE_SA_INIT response"),
    (r"\bmessages? [56]\b", "IKE_AUTH"),
    (r"\bMM[12]\b", "IKE_SA_INIT"),
    (r"\bMain Mode\b", "IKE_SA_INIT"),
    (r"\bAggressive Mode\b", "IKE_SA_INIT"),
    (r"\bQuick Modes?\b", "the Child SA"),
    (r"\bcookies\b", "SPIs"),
    (r"\bcookie\b", "SPI"),
    (r"\bphase 1\b", "the IKE SA"),
    (r"\bphase 2\b", "the Child SA"),
    (r"\bISAKMP SA\b", "IKE SA"),
)
_ARTICLES = r"\b(the|a|an) the\b"
_NOTIFY = r"\bCOOKIE\b|\bN\(COOKIE\)|\b[A-Z]+_COOKIE\b"


@cache
def _compiled() -> tuple[re.Pattern[str], tuple[tuple[re.Pattern[str], str], ...]]:
    """What finds any of the phrases, and what finds each. Compiled when first asked for: IKEv1 needs none of them."""
    anything = re.compile("|".join(pattern for pattern, _ in _PHRASES), re.IGNORECASE)
    return anything, tuple((re.compile(pattern, re.IGNORECASE), words) for pattern, words in _PHRASES)


def in_ikev2(text: str) -> str:
    """The same sentence in IKEv2's words. Names of notify message types, such as COOKIE, stay as they are."""
    anything, patterns = _compiled()
    if anything.search(text) is None:
        return text
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"\0{len(kept) - 1}\0"

    text = re.sub(_NOTIFY, keep, text)
    for pattern, words in patterns:
        text = pattern.sub(lambda found, words=words: _cased(found, words), text)  # type: ignore[misc]
    text = re.sub(_ARTICLES, r"\1", text, flags=re.IGNORECASE)
    return re.sub("\0(\\d+)\0", lambda found: kept[int(found[1])], text)


def _cased(found: re.Match[str], words: str) -> str:
    """As the words began that these stand for: at the beginning of a sentence with a capital."""
    return words[0].upper() + words[1:] if found[0][0].isupper() and found[0][1:2].islower() else words
