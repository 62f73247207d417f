"""Candidate pre-shared keys: the formulas of RFC 2409 written out once more, and messages that lack something."""

import hashlib
import hmac
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pcapdiag.capture.datagram import Datagram
from pcapdiag.capture.savefile import Savefile
from pcapdiag.ike.message import Message, parse
from pcapdiag.ike.nat_traversal import strip_marker
from pcapdiag.ike.preshared import Answer, HashCheck, HashMaterial, PskCheck, check, hash_i, hash_r
from pcapdiag.ike.registry import HashAlgorithm
from tests.messages import COOKIE_I, COOKIE_R, ZERO, message, sa, transform

CAPTURES = Path(__file__).parents[2] / "captures"
PSK = b"correct horse"
AGGRESSIVE = 4
MATCHES, DIFFERS = HashCheck(Answer.MATCHES), HashCheck(Answer.DIFFERS)
HASHES = {1: "md5", 2: "sha1", 4: "sha256", 5: "sha384", 6: "sha512"}

KE_I, KE_R = bytes(range(128)), bytes(range(128, 256))
NONCE_I, NONCE_R = b"i" * 20, b"r" * 32
ID_I, ID_R = b"\2\0\0\0left.example.org", b"\1\0\0\0\xc6\x33\x64\2"
OFFER = sa(transform(1), transform(2, (1, 5), (2, 1), (3, 1), (4, 2)))


def keyed(name: str, key: bytes, *data: bytes) -> bytes:
    """HMAC by RFC 2104, from the hash alone."""
    block = hashlib.new(name).block_size
    key = hashlib.new(name, key).digest() if len(key) > block else key
    key = key.ljust(block, b"\0")
    inner = hashlib.new(name, bytes(o ^ 0x36 for o in key) + b"".join(data)).digest()
    return hashlib.new(name, bytes(o ^ 0x5C for o in key) + inner).digest()


def skeyid(name: str, psk: bytes) -> bytes:
    return keyed(name, psk, NONCE_I, NONCE_R)


def responders(name: str, psk: bytes, offer: bytes = OFFER[1]) -> bytes:
    return keyed(name, skeyid(name, psk), KE_R, KE_I, COOKIE_R, COOKIE_I, offer, ID_R)


def initiators(name: str, psk: bytes) -> bytes:
    return keyed(name, skeyid(name, psk), KE_I, KE_R, COOKIE_I, COOKIE_R, OFFER[1], ID_I)


def aggressive(
    number: int, psk: bytes = PSK, *, chosen: tuple[tuple[int, int], ...] = ((1, 7), (2, 2), (3, 1), (4, 14)),
    without: int = 0, cookies: tuple[bytes, bytes] = (COOKIE_I, COOKIE_R), exchange: int = AGGRESSIVE,
    version: int = 0x10, extra: tuple[tuple[int, bytes], ...] = (),
) -> Message:  # fmt: skip
    """Aggressive Mode message 1–3 in clear, with the hashes of this key."""
    name = HASHES.get(dict(chosen).get(2, 2), "sha1")
    payloads = {
        1: [OFFER, (4, KE_I), (10, NONCE_I), (5, ID_I)],
        2: [
            sa(transform(1, *chosen)),
            (4, KE_R),
            (10, NONCE_R),
            (5, ID_R),
            (13, bytes(16)),
            (8, responders(name, psk)),
        ],
        3: [(8, initiators(name, psk)), (20, bytes(20))],
    }[number]
    if number == 1:
        cookies = (cookies[0], ZERO)
    kept = [payload for payload in payloads if payload[0] != without]
    return parse(message(exchange, [*kept, *extra], cookies=cookies, version=version))


def unchecked(first: Message, second: Message, third: Message | None = None) -> tuple[str | None, str | None]:
    found = check(PSK, first, second, third)
    assert found.hash_r.answer is Answer.UNCHECKED
    return found.hash_r.reason, found.hash_i.reason


# -- the hashes


@pytest.mark.parametrize(("number", "name"), HASHES.items())
@pytest.mark.parametrize("method", [1, 65001, 65002])
@pytest.mark.parametrize("psk", [b"", b"k", PSK, bytes(range(256))])
def test_the_key_is_right(number: int, name: str, method: int, psk: bytes) -> None:
    chosen = ((1, 7), (2, number), (3, method), (4, 14))
    messages = aggressive(1), aggressive(2, psk, chosen=chosen), aggressive(3, psk, chosen=chosen)
    assert len(responders(name, psk)) == hashlib.new(name).digest_size
    assert check(psk, *messages) == PskCheck(MATCHES, MATCHES)
    assert check(psk + b"\n", *messages) == PskCheck(DIFFERS, DIFFERS)


def test_the_ends_have_different_keys() -> None:
    messages = aggressive(1), aggressive(2, b"theirs"), aggressive(3, b"ours")
    assert check(b"theirs", *messages) == PskCheck(MATCHES, DIFFERS)
    assert check(b"ours", *messages) == PskCheck(DIFFERS, MATCHES)
    assert check(b"neither", *messages) == PskCheck(DIFFERS, DIFFERS)


MATERIAL = HashMaterial(
    HashAlgorithm.SHA1, COOKIE_I, COOKIE_R, NONCE_I, NONCE_R, KE_I, KE_R, OFFER[1], ID_I, ID_R
)  # fmt: skip


def test_hashes() -> None:
    assert hash_r(PSK, MATERIAL) == responders("sha1", PSK)
    assert hash_i(PSK, MATERIAL) == initiators("sha1", PSK)


@pytest.mark.parametrize("algorithm", [3, 20, 65001])
def test_hash_that_is_not_at_hand(algorithm: int) -> None:
    material = replace(MATERIAL, algorithm=HashAlgorithm(algorithm))
    for function in (hash_r, hash_i):
        with pytest.raises(ValueError, match="not at hand"):
            function(PSK, material)


def test_sa_of_another_domain_is_hashed_all_the_same() -> None:
    offer = struct.pack("!II", 2, 1) + bytes(12)
    first = parse(message(AGGRESSIVE, [(1, offer), (4, KE_I), (10, NONCE_I), (5, ID_I)], cookies=(COOKIE_I, ZERO)))
    chosen = [
        sa(transform(1, (2, 2), (3, 1))),
        (4, KE_R),
        (10, NONCE_R),
        (5, ID_R),
        (8, responders("sha1", PSK, offer)),
    ]
    assert check(PSK, first, parse(message(AGGRESSIVE, chosen)), None).hash_r == MATCHES


# -- what cannot be checked


def test_message_3() -> None:
    first, second = aggressive(1), aggressive(2)

    def reason(third: Message | None) -> str | None:
        found = check(PSK, first, second, third)
        assert found.hash_r == MATCHES
        assert found.hash_i.answer is Answer.UNCHECKED
        return found.hash_i.reason

    assert reason(None) == "message 3 was not captured"
    assert reason(parse(message(AGGRESSIVE, sealed=bytes(32), first=8))) == "message 3 is encrypted"
    assert reason(aggressive(3, without=8)) == "no HASH payload in message 3"
    assert reason(aggressive(3, cookies=(COOKIE_I, COOKIE_I))) == "message 3 has other cookies"
    assert reason(aggressive(3, exchange=2)) == "message 3 is not of Aggressive Mode"
    short = parse(message(AGGRESSIVE, [(8, bytes(16))]))
    assert reason(short) == "the HASH payload of message 3 has 16 octets, the negotiated hash 20"


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        (((1, 7), (3, 1)), "message 2 chose no hash"),
        (((2, 2),), "message 2 chose no authentication method"),
        (((2, 2), (3, 3)), "message 2 chose RSA signatures, not a pre-shared key"),
        (((2, 2), (3, 64221)), "message 2 chose hybrid, initiator, RSA, not a pre-shared key"),
        (((2, 3), (3, 1)), "message 2 chose the hash Tiger, which is not at hand"),
        (((2, 2), (3, 1), (13, 9)), "message 2 chose a prf of its own, 9"),
    ],
)
def test_what_message_2_chose(chosen: tuple[tuple[int, int], ...], reason: str) -> None:
    assert unchecked(aggressive(1), aggressive(2, chosen=chosen)) == (reason, reason)


@pytest.mark.parametrize(("kind", "label"), [(1, "SA"), (4, "KE"), (5, "ID"), (10, "NONCE")])
def test_payload_that_is_missing_or_there_twice(kind: int, label: str) -> None:
    for number in (1, 2):
        messages = [aggressive(n, without=kind if n == number else 0) for n in (1, 2)]
        assert unchecked(*messages)[0] == f"no {label} payload in message {number}"
        twice = ((kind, OFFER[1] if kind == 1 else bytes(20)),)
        messages = [aggressive(n, extra=twice if n == number else ()) for n in (1, 2)]
        assert unchecked(*messages)[0] == f"2 {label} payloads in message {number}"


def test_no_hash_in_message_2() -> None:
    found = check(PSK, aggressive(1), aggressive(2, without=8), aggressive(3))
    assert found.hash_r == HashCheck(Answer.UNCHECKED, "no HASH payload in message 2")
    assert found.hash_i == MATCHES


def test_several_transforms_in_message_2() -> None:
    second = parse(message(AGGRESSIVE, [OFFER, (4, KE_R), (10, NONCE_R), (5, ID_R), (8, bytes(20))]))
    assert unchecked(aggressive(1), second)[0] == "message 2 has 2 transforms where one is chosen"


def test_other_exchanges() -> None:
    first, second = aggressive(1), aggressive(2)
    assert unchecked(aggressive(1, exchange=2), second)[0] == "message 1 is not of Aggressive Mode"
    assert unchecked(first, aggressive(2, exchange=2))[0] == "message 2 is not of Aggressive Mode"
    assert unchecked(first, aggressive(2, version=0x20))[0] == "message 2 is not of Aggressive Mode"
    assert unchecked(first, aggressive(2, cookies=(b"another!", COOKIE_R)))[0] == (
        "messages 1 and 2 have different initiator cookies"
    )
    assert unchecked(first, first)[0] == "message 2 has no responder cookie"


def octets(number: int) -> bytes:
    name = "sha1"
    if number == 1:
        return message(AGGRESSIVE, [OFFER, (4, KE_I), (10, NONCE_I), (5, ID_I)], cookies=(COOKIE_I, ZERO))
    chosen = sa(transform(1, (2, 2), (3, 1)))
    return message(AGGRESSIVE, [chosen, (4, KE_R), (10, NONCE_R), (5, ID_R), (8, responders(name, PSK))])


def test_a_cut_message_never_differs() -> None:
    whole = [octets(1), octets(2)]
    for number in (0, 1):
        for size in range(28, len(whole[number])):
            cut = [parse(whole[n][:size] if n == number else whole[n]) for n in (0, 1)]
            assert check(PSK, cut[0], cut[1], None).hash_r.answer is Answer.UNCHECKED


@given(st.sampled_from((0, 1)), st.integers(28, 300), st.binary(min_size=1, max_size=4))
def test_any_octets_give_an_answer(number: int, at: int, noise: bytes) -> None:
    whole = [octets(1), octets(2)]
    whole[number] = whole[number][:at] + noise + whole[number][at + len(noise) :]
    found = check(PSK, parse(whole[0]), parse(whole[1]), None)
    assert (found.hash_r.reason is None) == (found.hash_r.answer is not Answer.UNCHECKED)


# -- real captures


def captured(name: str) -> dict[int, Message]:
    """Messages 1, 2 and (where it is there) 3 of the first Aggressive Mode exchange of a capture."""
    found: dict[int, Message] = {}
    initiator = None
    for item in Savefile(CAPTURES / name):
        if not isinstance(item, Datagram):
            continue
        one = parse(strip_marker(item.payload)[0])
        if one.header.exchange_type != AGGRESSIVE:
            continue
        initiator = initiator or item.source
        number = 1 if one.header.responder_spi == ZERO else 3 if item.source == initiator else 2
        found.setdefault(number, one)
    return found


def body(one: Message, kind: int) -> bytes:
    (found,) = [payload.body for payload in one.payloads if payload.type == kind]
    return found


@pytest.mark.parametrize("name", ["aggressive-completed.pcap", "aggressive-psk-mismatch.pcap"])
def test_captured(name: str) -> None:
    """The key of these is not known: the hash of a key of ours is put in the place of the real one."""
    messages = captured(name)
    first, second, third = messages[1], messages[2], messages.get(3)
    real = check(PSK, first, second, third)
    assert real.hash_r == DIFFERS
    assert real.hash_i.reason == ("message 3 is encrypted" if third else "message 3 was not captured")
    digest = {16: "md5", 20: "sha1", 32: "sha256"}[len(body(second, 8))]
    key = hmac.digest(PSK, body(first, 10) + body(second, 10), digest)
    header = second.header
    data = (body(second, 4) + body(first, 4) + header.responder_spi + header.initiator_spi
            + body(first, 1) + body(second, 5))  # fmt: skip
    ours = parse(second.octets.replace(body(second, 8), hmac.digest(key, data, digest)))
    assert check(PSK, first, ours, third).hash_r == MATCHES
