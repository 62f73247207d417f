"""Facts about the two ends: the keys that the user gives, and the algorithms that they offer and choose."""

from collections.abc import Sequence

import pytest

from pcapdiag.diagnosis.verdict import Diagnosis, diagnose
from pcapdiag.exchange.tracker import Tracker
from tests.diagnosis.scenarios import choice, diagnosed, fact, ikev2, kinds, notify_v2, offer, only, other_cookies
from tests.ike.test_preshared import PSK, initiators, octets
from tests.messages import COOKIE_I, LEFT, SECOND, ZERO, Wire, main_mode, message, transform

OLD = ((1, 5), (2, 1), (3, 1), (4, 2))
NEW = ((1, 7), (14, 256), (2, 4), (3, 1), (4, 14))


# --- pre-shared keys -------------------------------------------------------------------------------------------


def with_keys(keys: Sequence[bytes], third: bytes | None = None) -> Diagnosis:
    """An Aggressive Mode exchange whose key is PSK, and the candidates for it."""
    wire = Wire()
    tracker = Tracker()
    tracker.feed(wire.datagram(0, octets(1)))
    tracker.feed(wire.datagram(0.1, octets(2), left=False))
    if third is not None:
        tracker.feed(wire.datagram(0.2, third))
    (found,) = diagnose(list(tracker.exchanges()), 60 * SECOND, keys=keys)
    return found


def psk_kinds(found: Diagnosis) -> set[str]:
    return {kind for kind in kinds(found) if kind.startswith("psk-")}


def test_no_keys() -> None:
    assert psk_kinds(with_keys(())) == set()


def test_key_of_the_responder() -> None:
    found = with_keys((b"wrong", PSK))
    assert psk_kinds(found) == {"psk-of-responder-matches"}
    item = fact(found, "psk-of-responder-matches")
    assert item.text == ("HASH_R was made with the given pre-shared key number 2: the responder has that key.")
    assert [f.number for f in item.frames] == [2]


def test_other_key_of_the_responder() -> None:
    assert psk_kinds(with_keys((b"wrong",))) == {"psk-of-responder-differs"}


@pytest.mark.parametrize(("psk", "word"), [(PSK, "matches"), (b"theirs", "differs")])
def test_key_of_the_initiator(psk: bytes, word: str) -> None:
    third = message(4, [(8, initiators("sha1", psk)), (20, bytes(20))])
    assert psk_kinds(with_keys((PSK,), third)) == {"psk-of-responder-matches", f"psk-of-initiator-{word}"}


def test_hash_that_cannot_be_checked() -> None:
    found = with_keys((PSK,), message(4, sealed=bytes(48), first=8))
    assert psk_kinds(found) == {"psk-of-responder-matches", "psk-not-checkable"}
    assert fact(found, "psk-not-checkable").text.endswith("HASH_I: message 3 is encrypted.")


def test_no_key_is_in_what_is_said() -> None:
    for keys in ((PSK,), (b"another secret",)):
        said = repr(with_keys(keys))
        assert all(key.decode() not in said and key.hex() not in said for key in keys)


# --- weak algorithms -------------------------------------------------------------------------------------------


def test_weak_choice_counts_before_the_offer() -> None:
    wire = Wire()
    first = wire.datagram(0, offer(transforms=[transform(1, *OLD), transform(2, *NEW)]))
    item = fact(only([first]), "weak-algorithms")
    assert item.text.startswith("Offered although weak or deprecated: ")
    assert [f.number for f in item.frames] == [1]
    weak = wire.datagram(0.1, choice(chosen=transform(1, *OLD)), left=False)
    item = fact(only([first, weak]), "weak-algorithms")
    assert item.text.startswith("Chosen although weak or deprecated: ")
    assert item.text.count(";") == 2
    assert [f.number for f in item.frames] == [2]
    strong = wire.datagram(0.1, choice(chosen=transform(1, *NEW)), left=False)
    assert "weak-algorithms" not in kinds(only([first, strong]))


def test_strong_offer() -> None:
    assert "weak-algorithms" not in kinds(only([Wire().datagram(0, offer(transforms=[transform(1, *NEW)]))]))


def test_many_are_cut_short() -> None:
    suites = [((1, n), (2, 2 - n % 2), (3, 1), (4, 25 - n)) for n in range(1, 7)]
    suites += [((1, 7), (2, 4), (3, 1), (4, group)) for group in (1, 2, 5)]
    found = only([Wire().datagram(0, offer(transforms=[transform(n, *s) for n, s in enumerate(suites, 1)]))])
    text = fact(found, "weak-algorithms").text
    assert text.count(";") == 7
    assert text.endswith(" ….")


def test_no_proposal_at_all() -> None:
    assert "weak-algorithms" not in kinds(only(Wire().main_mode(0, 3, 4, 5)))


def test_answers_that_nobody_asked_for_are_a_reflection_and_no_scan_of_their_victim() -> None:
    wire = Wire()
    items = [
        wire.datagram(n / 10, main_mode(2, other_cookies(n)), left=False, source=f"203.0.113.{n}", destination=LEFT)
        for n in range(1, 40)
    ]
    for found in diagnosed(items, 60):
        assert "reflection" in kinds(found)
        assert "sweep" not in kinds(found)
        assert found.causes[0].cause.id == "scanner"


@pytest.mark.parametrize("detects", [True, False])
def test_who_detects_nat_is_no_probe(detects: bool) -> None:
    """A client behind a NAT asks from any port, and once where it is refused for good."""
    wire = Wire()
    whole = [(33, b""), (34, bytes(36)), (40, bytes(16)), *([notify_v2(16388, bytes(20))] if detects else [])]
    asked = message(34, whole, version=0x20, flags=0x08, cookies=(COOKIE_I, ZERO))
    items = [
        wire.datagram(0, asked, ports=(40_123, 500)),
        wire.datagram(0.1, ikev2(34, request=False, extra=[notify_v2(7)]), left=False, ports=(500, 40_123)),
    ]
    assert ("probe-like" in kinds(only(items, 60))) is not detects


def test_who_has_keys_is_no_probe() -> None:
    """A capture that begins behind IKE_SA_INIT has no proposals and no vendor IDs; what it has is encrypted."""
    wire = Wire()
    asked = wire.datagram(0, ikev2(35, request=True, number=1))
    refused = wire.datagram(0.1, ikev2(35, request=False, number=1, inner=41, octets=48), left=False)
    assert "scan-like" not in kinds(only([asked, refused], 60))
