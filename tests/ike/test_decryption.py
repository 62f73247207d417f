"""Opening messages: each algorithm round, what is wrong with a key said, and any octets survived."""

import hashlib
import hmac
import struct
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM
from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.ike.decryption import (
    SuiteV1,
    UnopenedError,
    _algorithm,
    last_block,
    open_v1,
    open_v2,
    phase1_iv,
    phase2_iv,
    suite_v1,
)
from pcapdiag.ike.decryption_keys import INTEGRITY, KeysV2, encryption_named, integrity_named
from pcapdiag.ike.message import parse
from pcapdiag.ike.payloads import Attribute, Identification, Notification, Transform
from pcapdiag.ike.registry import EncryptionAlgorithm, HashAlgorithm, NotifyType, OakleyAttribute, PayloadType
from tests.messages import COOKIE_I, COOKIE_R, chain, message, notify

VECTOR = bytes(range(16))


def transform(cipher: int, bits: int | None = None, digest: int = 2) -> Transform:
    values = [(OakleyAttribute.ENCRYPTION, cipher), (OakleyAttribute.HASH, digest)]
    if bits is not None:
        values.append((OakleyAttribute.KEY_LENGTH, bits))
    return Transform(1, None, 1, tuple(Attribute(kind, value, str(value)) for kind, value in values))


def sealed_v1(suite: SuiteV1, key: bytes, vector: bytes, payloads: list[tuple[int, bytes]], mid: int = 0) -> bytes:
    first, plain = chain(payloads)
    plain += bytes(-len(plain) % suite.block)
    name = {"3DES-CBC": "TripleDES", "DES-CBC": "TripleDES"}.get(suite.cipher.label, suite.cipher.label.split("-")[0])
    name = {"CAST": "CAST5"}.get(name, name)
    encryptor = Cipher(_algorithm(name, key), modes.CBC(vector[: suite.block])).encryptor()
    data = encryptor.update(plain) + encryptor.finalize()
    return message(2 if mid == 0 else 5, sealed=data, first=first, message_id=mid)


ID = (5, b"\x01\x11\x01\xf4\xc0\x00\x02\x01")
HASH = (8, bytes(range(20)))


@pytest.mark.parametrize(
    ("cipher", "bits", "octets"),
    [(1, None, 8), (3, 128, 16), (5, None, 24), (6, 128, 16), (7, 128, 16), (7, 192, 24), (7, 256, 32), (8, 256, 32)],
)
def test_every_cipher_of_ikev1(cipher: int, bits: int | None, octets: int) -> None:
    suite = suite_v1(transform(cipher, bits))
    assert suite.key == octets
    key = bytes(range(1, octets + 1))
    try:
        octets_ = sealed_v1(suite, key, VECTOR, [ID, HASH])
    except UnopenedError as error:
        pytest.skip(str(error))
    opened = open_v1(parse(octets_), suite, key, [VECTOR[: suite.block]], 3)
    assert [p.type for p in opened.payloads] == [PayloadType.ID, PayloadType.HASH]
    assert (opened.key, opened.proven, opened.problem) == (3, False, None)
    assert isinstance(opened.payloads[0], Identification)
    assert opened.payloads[0].text == "192.0.2.1"


def test_what_is_not_at_hand_says_so() -> None:
    with pytest.raises(UnopenedError, match="is not at hand"):
        suite_v1(transform(4))
    with pytest.raises(UnopenedError, match="is not at hand"):
        suite_v1(transform(7, 128, digest=HashAlgorithm.TIGER))
    with pytest.raises(UnopenedError, match="names no cipher"):
        suite_v1(Transform(1, None, 1, ()))


AES = suite_v1(transform(7, 256))
KEY = bytes(range(32))


def test_vectors_of_rfc_2409() -> None:
    """Appendix B: HASH(g^xi | g^xr), then HASH(last block | message ID)."""
    first = phase1_iv(AES, b"initiator", b"responder")
    assert first == hashlib.sha1(b"initiatorresponder").digest()[:16]
    assert phase2_iv(AES, first, 0xDEADBEEF) == hashlib.sha1(first + bytes.fromhex("deadbeef")).digest()[:16]
    assert last_block(AES, parse(message(2, sealed=bytes(16) + b"\1" * 16))) == b"\1" * 16


def test_the_vector_that_gives_a_structure_is_taken() -> None:
    octets = sealed_v1(AES, KEY, VECTOR, [HASH, notify(24)], 7)
    opened = open_v1(parse(octets), AES, KEY, [bytes(16), VECTOR], 0)
    assert isinstance(opened.payloads[1], Notification)
    assert opened.payloads[1].notify_type is NotifyType.AUTHENTICATION_FAILED


@pytest.mark.parametrize("payloads", [[HASH, notify(24)], [ID, HASH, notify(24578)]])
def test_a_right_key_without_its_vector_is_not_called_wrong(payloads: list[tuple[int, bytes]]) -> None:
    octets = sealed_v1(AES, KEY, VECTOR, payloads, 7)
    with pytest.raises(UnopenedError, match="the key fits") as caught:
        open_v1(parse(octets), AES, KEY, [bytes(16)], 0)
    assert not caught.value.wrong_key


@given(st.binary(min_size=32, max_size=32).filter(lambda key: key != KEY))
def test_a_wrong_key_is_told_by_the_structure(key: bytes) -> None:
    octets = sealed_v1(AES, KEY, VECTOR, [HASH, notify(24)], 7)
    with pytest.raises(UnopenedError, match="made with another key") as caught:
        open_v1(parse(octets), AES, key, [VECTOR], 0)
    assert caught.value.wrong_key


def test_what_cannot_be_opened_says_why() -> None:
    whole = sealed_v1(AES, KEY, VECTOR, [ID, HASH])
    for octets, why in (
        (whole[:-16], "only a part"),
        (message(2, sealed=bytes(20)), "not whole blocks"),
        (message(2, sealed=b""), "not whole blocks"),
    ):
        with pytest.raises(UnopenedError, match=why):
            open_v1(parse(octets), AES, KEY, [VECTOR], 0)
    with pytest.raises(UnopenedError, match=r"16 octets, .* takes 32"):
        open_v1(parse(whole), AES, KEY[:16], [VECTOR], 0)


# --- IKEv2 -----------------------------------------------------------------------------------------------------

INSIDE = chain([(39, b"\x02\0\0\0" + bytes(32)), (41, struct.pack("!BBH", 0, 0, 24))])
ENCRYPTIONS = [
    "3DES [RFC2451]",
    "NULL [RFC2410]",
    *(f"AES-{mode}-{bits} [RFC3602]" for mode in ("CBC", "CTR") for bits in (128, 192, 256)),
    *(
        f"AES-{mode}-{bits} with {icv} octet ICV [RFC5282]"
        for mode in ("GCM", "CCM")
        for bits in (128, 192, 256)
        for icv in (8, 12, 16)
    ),
]


def keys_v2(encryption: str, integrity: str = "NONE") -> KeysV2:
    e, i = encryption_named(encryption), integrity_named(integrity)
    assert e is not None
    assert i is not None
    ei, er = bytes(range(e.key + e.salt)), bytes(range(1, e.key + e.salt + 1))
    size = hashlib.new(i.digest).digest_size if i.digest else 0
    return KeysV2(COOKIE_I, COOKIE_R, ei, er, e, bytes([7] * size), bytes([8] * size), i)


def sealed_v2(
    keys: KeysV2, plain: bytes, first: int, flags: int = 0x08, fragment: tuple[int, int] | None = None
) -> bytes:
    """A message with SK, or SKF, as RFC 7296 §3.14 and RFC 5282 make it."""
    e = keys.encryption
    by_initiator = bool(flags & 8)
    key = keys.sk_ei if by_initiator else keys.sk_er
    block = 1 if e.mode in ("CTR", "GCM", "CCM", "") else 8 if e.cipher == "3DES" else 16
    padding = -(len(plain) + 1) % block
    plain += bytes(padding) + bytes([padding])
    size = 0 if not e.cipher else 8 if e.mode != "CBC" or e.cipher == "3DES" else 16
    vector = bytes(range(100, 100 + size))
    pieces = struct.pack("!HH", *fragment) if fragment else b""
    length = 28 + 4 + len(pieces) + size + len(plain) + (e.icv or keys.integrity.octets)
    head = struct.pack("!8s8sBBBBII", COOKIE_I, COOKIE_R, 53 if fragment else 46, 0x20, 35, flags, 1, length)
    head += struct.pack("!BBH", first, 0, length - 28) + pieces
    if e.icv:
        nonce, aad = key[e.key :] + vector, head
        if e.mode == "CCM":
            return head + vector + AESCCM(key[: e.key], tag_length=e.icv).encrypt(nonce, plain, aad)
        return head + vector + AESGCM(key[: e.key]).encrypt(nonce, plain, aad)[: len(plain) + e.icv]
    data = plain
    if e.cipher:
        mode: Any = modes.CTR(key[e.key :] + vector + b"\0\0\0\1") if e.mode == "CTR" else modes.CBC(vector)
        encryptor = Cipher(_algorithm("TripleDES" if e.cipher == "3DES" else "AES", key[: e.key]), mode).encryptor()
        data = vector + encryptor.update(plain) + encryptor.finalize()
    octets = head + data
    if keys.integrity.digest:
        mac = hmac.digest(keys.sk_ai if by_initiator else keys.sk_ar, octets, keys.integrity.digest)
        octets += mac[: keys.integrity.octets]
    else:
        octets += bytes(keys.integrity.octets)
    return octets


@pytest.mark.parametrize("flags", [0x08, 0x20])
@pytest.mark.parametrize("name", ENCRYPTIONS)
def test_every_encryption_of_ikev2(name: str, flags: int) -> None:
    combined = "ICV" in name
    keys = keys_v2(name, "NONE" if combined else "HMAC_SHA1_96")
    opened = open_v2([parse(sealed_v2(keys, INSIDE[1], INSIDE[0], flags))], keys, 5)
    assert [p.type.label for p in opened.payloads] == ["AUTH", "N"]
    assert (opened.key, opened.proven) == (5, True)


@pytest.mark.parametrize("name", [*INTEGRITY, "ANY 96-bits of Authentication [No Checking]"])
def test_every_integrity_of_ikev2(name: str) -> None:
    keys = keys_v2("AES-CBC-128", name)
    opened = open_v2([parse(sealed_v2(keys, INSIDE[1], INSIDE[0]))], keys, 0)
    assert [p.type.label for p in opened.payloads] == ["AUTH", "N"]
    assert opened.proven == (INTEGRITY[name].digest is not None if name in INTEGRITY else False)


@pytest.mark.parametrize("name", ENCRYPTIONS)
def test_an_altered_message_fails(name: str) -> None:
    keys = keys_v2(name, "NONE" if "ICV" in name else "HMAC_SHA2_256_128")
    octets = bytearray(sealed_v2(keys, INSIDE[1], INSIDE[0]))
    octets[50] ^= 1
    with pytest.raises(UnopenedError, match="integrity check fails") as caught:
        open_v2([parse(bytes(octets))], keys, 0)
    assert caught.value.wrong_key


def test_fragments_are_opened_one_by_one_and_joined() -> None:
    keys = keys_v2("AES-GCM-128 with 16 octet ICV")
    first, plain = INSIDE
    pieces = [
        parse(sealed_v2(keys, plain[:20], first, fragment=(1, 2))),
        parse(sealed_v2(keys, plain[20:], 0, fragment=(2, 2))),
    ]
    opened = open_v2(pieces, keys, 0)
    assert [p.type.label for p in opened.payloads] == ["AUTH", "N"]


def test_an_empty_message_has_no_payloads() -> None:
    keys = keys_v2("AES-CBC-256", "HMAC_SHA1_96")
    assert open_v2([parse(sealed_v2(keys, b"", 0))], keys, 0).payloads == ()


def test_without_a_check_the_structure_decides() -> None:
    keys = keys_v2("AES-CTR-128", "ANY 96-bits of Authentication")
    other = keys_v2("AES-CTR-128", "ANY 96-bits of Authentication")
    wrong = KeysV2(
        other.initiator_spi,
        other.responder_spi,
        bytes([9] * 20),
        other.sk_er,
        other.encryption,
        b"",
        b"",
        other.integrity,
    )
    octets = sealed_v2(keys, INSIDE[1], INSIDE[0])
    assert not open_v2([parse(octets)], keys, 0).proven
    with pytest.raises(UnopenedError):
        open_v2([parse(octets)], wrong, 0)


@given(st.binary(max_size=200), st.sampled_from(ENCRYPTIONS), st.integers(0, 255))
def test_any_octets_are_opened_or_refused(data: bytes, name: str, first: int) -> None:
    keys = keys_v2(name, "NONE" if "ICV" in name else "ANY 96-bits of Authentication")
    head = struct.pack("!8s8sBBBBII", COOKIE_I, COOKIE_R, 46, 0x20, 35, 8, 1, 32 + len(data))
    for octets in (head + struct.pack("!BBH", first, 0, 4 + len(data)) + data, head + data):
        with suppress(UnopenedError):
            open_v2([parse(octets)], keys, 0)


@given(st.binary(max_size=200), st.sampled_from([1, 5, 7]), st.integers(0, 255))
def test_any_ikev1_octets_are_opened_or_refused(data: bytes, cipher: int, first: int) -> None:
    suite = suite_v1(transform(cipher, 256 if cipher == 7 else None))
    with suppress(UnopenedError):
        open_v1(parse(message(2, sealed=data, first=first)), suite, KEY, [VECTOR[: suite.block]], 0)


def test_algorithms_are_found_wherever_the_package_keeps_them() -> None:
    assert isinstance(_algorithm("AES", bytes(16)), algorithms.AES)
    assert _algorithm("TripleDES", bytes(range(8))).key_size == 192
    assert EncryptionAlgorithm.AES_CBC == 7
