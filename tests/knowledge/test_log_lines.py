"""The table of log lines: it is checked when it is read, and every entry finds itself."""

import re

import pytest

from pcapdiag.knowledge import log_lines
from pcapdiag.knowledge.loading import load as load_causes
from pcapdiag.knowledge.log_lines import PLATFORMS, TableError, load, parse

GOOD = """
[sources]
guide = 'a guide'

[[line]]
id = 'refused'
text = ['Session {name} refused', 'No session {name}']
meaning = 'The session was refused.'
causes = ['psk-mismatch']
status = 'confirmed'
tells = 'refuses'
knows = 'self'
numbers = [713001]
source = 'guide'
"""


TEXTS = "['Session {name} refused', 'No session {name}']"


def filled(text: str) -> str:
    return re.sub(r"\{[a-z0-9_]*\}", "X9", text)


def test_an_entry_as_it_is_read() -> None:
    (kind,) = parse(GOOD, "asa")
    assert kind.id == "asa/refused"
    assert kind.texts == ("Session {name} refused", "No session {name}")
    assert kind.contains == ("Session", "refused")
    assert (kind.causes, kind.status, kind.tells, kind.knows) == (("psk-mismatch",), "confirmed", "refuses", "self")
    assert (kind.numbers, kind.source, kind.ike, kind.document) == ((713001,), "a guide", 0, False)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("'asa/", "'asa/", ""),
        ("meaning = ", "meening = ", "asa: line 'refused': meening: unknown key"),
        ("meaning = 'The session was refused.'", "", "asa: line 'refused': meaning: missing"),
        ("source = 'guide'", "source = 'hearsay'", "asa: line 'refused': source: does not know 'hearsay'"),
        ("source = 'guide'", "", "asa: line 'refused': source: missing"),
        ("'refuses'", "'rejoices'", "asa: line 'refused': tells: does not know 'rejoices'"),
        ("'confirmed'", "'certain'", "asa: line 'refused': status: does not know 'certain'"),
        ("causes = ['psk-mismatch']", "", "asa: line 'refused': status: there is no cause that it could be of"),
        ("[713001]", "['713001']", "asa: line 'refused': numbers: must be a list of numbers, and not empty"),
        (TEXTS, "'{name}'", "asa: line 'refused': text: no word of '{name}' is fixed"),
        (TEXTS, "[]", "asa: line 'refused': text: must be a list of texts, and not empty"),
        ("'psk-mismatch'", "'psk-mishap'", "asa/refused: causes: does not know 'psk-mishap'"),
        ("No session {name}", "session {other} refused", "asa/refused: text: the same as that of asa/refused"),
        ("[[line]]", "[[lines]]", "asa: lines: unknown key"),
        ("[sources]", "[sources", "asa: not TOML"),
    ],
)  # fmt: skip
def test_a_fault_names_the_entry(old: str, new: str, message: str) -> None:
    text = GOOD.replace(old, new)
    if not message:
        assert parse(text, "asa", {"psk-mismatch"})
        return
    with pytest.raises(TableError) as fault:
        parse(text, "asa", {"psk-mismatch"})
    assert str(fault.value).startswith(message)
    assert "\n" not in str(fault.value)


def test_two_entries_of_one_name() -> None:
    with pytest.raises(TableError, match="asa/refused: duplicate id"):
        parse(GOOD + GOOD.split("\n\n", 1)[1].replace("ession", "ecret"), "asa")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_file_of_a_platform(platform: str) -> None:
    from pkgutil import get_data

    octets = get_data("pcapdiag.knowledge", f"lines/{platform}.toml")
    assert octets is not None
    kinds = parse(octets.decode(), platform, {cause.id for cause in load_causes().causes})
    assert kinds
    assert all(kind.platform == platform and kind.source for kind in kinds)
    for kind in kinds:
        word = kind.meaning.split()[0]
        assert word[0].isupper() or word[0] in "%0123456789" or word in NAMES, kind.id
        assert kind.meaning.endswith((".", ".)"))
        assert (kind.status != "confirmed") or kind.knows == "self" or kind.causes == ("xauth-failed",), kind.id


NAMES = {"strongSwan", "strongSwan,", "libreswan", "charon", "racoon", "iked", "pluto"}


def test_every_entry_finds_itself() -> None:
    known = load()
    for kind in known.kinds:
        for text in kind.texts:
            assert known.match(filled(text), (kind.platform,)) is kind, (kind.id, text)
            assert known.match(f"Jan 1 00:00:00 host: {filled(text).upper()} ...", (kind.platform,)) is kind


def test_case_and_space_do_not_matter_and_order_does() -> None:
    known = load()
    kind = known.match("iap=1 qm  FSM\terror (p2 STRUCT &0x1, mess id 0x2)!")
    assert kind is not None
    assert kind.id == "asa/qm-fsm-error"
    assert known.match("Phase 1 all is well") is None
    assert known.match("error FSM QM") is None


def test_the_closer_fit_wins() -> None:
    known = load()
    kind = known.match("IKE session establishment timed out [IKE_MM_WAIT_MSG2], aborting!")
    assert kind is not None
    assert kind.id == "asa/timed-out-msg2"
    general = known.match("IKE session establishment timed out [IKE_MM_TM_INIT], aborting!")
    assert general is not None
    assert general.id == "asa/timed-out"


def test_a_number_alone() -> None:
    known = load()
    kind = known.numbered(713123, "asa")
    assert kind is not None
    assert kind.id == "asa/ike-lost-contact-with-remote-peer"
    assert known.numbered(713123, "ios") is None
    assert known.numbered(713041, "asa") is None  # several texts share it
    assert known.by_id("asa/qm-fsm-error") in known.kinds


def test_it_is_read_once() -> None:
    assert load() is load()
    assert log_lines.read_entries() == load().kinds


def test_a_long_line_is_cut() -> None:
    assert load().match("x" * 10_000_000 + " QM FSM error (P2 struct 1, mess id 2)") is None
