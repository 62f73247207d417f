"""Opening encrypted messages with the keys of a table: RFC 2409 appendix B and §5.5, RFC 7296 §3.14, RFC 7383 §2.5.

IKEv1 encrypts in CBC mode, and its initialization vectors form chains:

    first of phase 1          HASH(g^xi | g^xr), the first octets of it
    next of phase 1           the last block of the message before
    first of a message ID     HASH(last block of phase 1 | message ID), the first octets of it
    next of that message ID   the last block of the message before

Nothing in an encrypted IKEv1 message can be checked with the encryption key alone: whether a key is right shows in the
structure of what comes out. IKEv2 messages carry an integrity check value, which proves it.

The ciphers are the `cryptography` package's, which is imported when the first message is to be opened.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pcapdiag.ike.decryption_keys import KeysV2
from pcapdiag.ike.message import HEADER_LENGTH, Message, Opened, read_chain
from pcapdiag.ike.payloads import Encrypted, Transform
from pcapdiag.ike.payloads_sealed import decode_sealed
from pcapdiag.ike.registry import EncryptionAlgorithm, HashAlgorithm, OakleyAttribute, PayloadType
from pcapdiag.record import Record

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherAlgorithm


class CryptographyMissingError(Exception):
    """The package that has the ciphers is not installed. The text says what to do."""


class UnopenedError(Exception):
    """A message that does not open. The text says why; `wrong_key`: because it was made with another key."""

    def __init__(self, reason: str, wrong_key: bool = False) -> None:
        super().__init__(reason)
        self.wrong_key = wrong_key


def need_cryptography() -> None:
    """Raise CryptographyMissingError where there are no ciphers."""
    try:
        import cryptography.hazmat.primitives.ciphers  # noqa: F401
    except ImportError:
        text = "opening messages with keys needs the cryptography package: pip install cryptography"
        raise CryptographyMissingError(text) from None


# --- IKEv1 -------------------------------------------------------------------------------------------------------


class SuiteV1(Record, frozen=True):
    """What an ISAKMP SA encrypts with: `key` and `block` in octets, `digest` is hashlib's name of the hash."""

    cipher: EncryptionAlgorithm
    name: str
    key: int
    block: int
    digest: str

    @property
    def hash_octets(self) -> int:
        """Octets of the negotiated hash, and so of every HASH payload."""
        return hashlib.new(self.digest, usedforsecurity=False).digest_size


_DIGESTS = {
    HashAlgorithm.MD5: "md5",
    HashAlgorithm.SHA1: "sha1",
    HashAlgorithm.SHA2_256: "sha256",
    HashAlgorithm.SHA2_384: "sha384",
    HashAlgorithm.SHA2_512: "sha512",
}
_CIPHERS: dict[int, tuple[str, int, int]] = {
    EncryptionAlgorithm.DES_CBC: ("TripleDES", 8, 8),
    EncryptionAlgorithm.IDEA_CBC: ("IDEA", 16, 8),
    EncryptionAlgorithm.BLOWFISH_CBC: ("Blowfish", 16, 8),
    EncryptionAlgorithm.TRIPLE_DES_CBC: ("TripleDES", 24, 8),
    EncryptionAlgorithm.CAST_CBC: ("CAST5", 16, 8),
    EncryptionAlgorithm.AES_CBC: ("AES", 16, 16),
    EncryptionAlgorithm.CAMELLIA_CBC: ("Camellia", 16, 16),
}
"""The registry's ciphers by the names of their classes, octets of the key where no length is said, of a block."""


def suite_v1(transform: Transform) -> SuiteV1:
    """What the chosen phase 1 transform encrypts with. Raises UnopenedError for what is not at hand."""
    cipher = transform.attribute(OakleyAttribute.ENCRYPTION)
    digest = transform.attribute(OakleyAttribute.HASH)
    if cipher is None or digest is None:
        raise UnopenedError("the chosen proposal names no cipher or no hash")
    row = _CIPHERS.get(cipher.value) if isinstance(cipher.value, int) else None
    if row is None or not isinstance(cipher.value, int):
        raise UnopenedError(f"{cipher.text} is not at hand")
    if digest.value not in _DIGESTS:
        raise UnopenedError(f"{digest.text} is not at hand")
    bits = transform.attribute(OakleyAttribute.KEY_LENGTH)
    key = bits.value // 8 if bits is not None and isinstance(bits.value, int) else row[1]
    name = f"{cipher.text}-{8 * key}" if bits is not None else cipher.text
    return SuiteV1(EncryptionAlgorithm(cipher.value), name, key, row[2], _DIGESTS[HashAlgorithm(int(digest.value))])


def phase1_iv(suite: SuiteV1, initiator_ke: bytes, responder_ke: bytes) -> bytes:
    """The initialization vector of the first encrypted message of phase 1 (RFC 2409 appendix B)."""
    return hashlib.new(suite.digest, initiator_ke + responder_ke, usedforsecurity=False).digest()[: suite.block]


def phase2_iv(suite: SuiteV1, last_block: bytes, message_id: int) -> bytes:
    """That of the first message under a message ID (RFC 2409 §5.5, appendix B)."""
    data = last_block + message_id.to_bytes(4, "big")
    return hashlib.new(suite.digest, data, usedforsecurity=False).digest()[: suite.block]


def last_block(suite: SuiteV1, message: Message) -> bytes:
    """The last cipher block of a message, padding to whole blocks assumed; what follows it decrypts with that."""
    return message.ciphertext[-suite.block :]


def key_for(suite: SuiteV1, key: bytes) -> bytes:
    """The octets of a table's key that the cipher takes. Raises UnopenedError where there are too few."""
    if len(key) < suite.key:
        raise UnopenedError(f"the given key has {len(key)} octets, {suite.name} takes {suite.key}", wrong_key=True)
    return key[: suite.key]


def open_v1(
    message: Message, suite: SuiteV1, key: bytes, vectors: Sequence[bytes], row: int, certain: bool = True
) -> Opened:
    """Open an encrypted IKEv1 message, with the first of these initialization vectors under which it has a structure.

    certain -- the right one is among the vectors, so that nothing but a wrong key can be the reason where none fits;
        without that a key is called wrong only where the payload behind HASH is not one: a wrong vector spoils the
        first block alone, a wrong key everything
    row -- of the table, for the result. Raises UnopenedError.
    """
    data = message.ciphertext
    if message.cut:
        raise UnopenedError("the capture holds only a part of it")
    if not data or len(data) % suite.block:
        raise UnopenedError(f"{len(data)} octets are not whole blocks of {suite.name}")
    used = key_for(suite, key)
    first = message.header.next_payload
    plain = b""
    for vector in (v for v in vectors if len(v) == suite.block):
        plain = _cbc(suite.cipher, used, vector, data)
        if _chain_holds(plain, first, suite.hash_octets):
            payloads, problem, _ = read_chain(plain, 0, first, 1, decode_sealed)
            return Opened(payloads, problem, row, proven=False)
    if plain and _rest_holds(plain, suite, first):
        raise UnopenedError("the key fits; the message that its initialization vector comes from is not in the capture")
    if not certain and (first != PayloadType.HASH or len(data) <= 4 + suite.hash_octets + suite.block):
        raise UnopenedError("the message before it is not in the capture, so whether the key fits does not show")
    raise UnopenedError("what comes out has not the structure of payloads: it was made with another key", True)


def _cbc(cipher: EncryptionAlgorithm, key: bytes, vector: bytes, data: bytes) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

    try:
        decryptor = Cipher(_algorithm(_CIPHERS[cipher][0], key), modes.CBC(vector)).decryptor()
    except UnsupportedAlgorithm:
        raise UnopenedError(f"the installed cryptography package has no {cipher.label}") from None
    return decryptor.update(data) + decryptor.finalize()


def _algorithm(name: str, key: bytes) -> "CipherAlgorithm":
    """The cipher of that name, wherever this version of the package keeps it; one DES key is three alike."""
    from cryptography.hazmat.primitives.ciphers import algorithms

    module: Any = algorithms
    if name != "AES":
        try:
            from cryptography.hazmat.decrepit.ciphers import algorithms as decrepit

            module = decrepit if hasattr(decrepit, name) else algorithms
        except ImportError:
            pass
    kind = getattr(module, name, None)
    if kind is None:
        raise UnopenedError(f"the installed cryptography package has no {name}")
    try:
        found: CipherAlgorithm = kind(key * 3 if name == "TripleDES" and len(key) == 8 else key)
    except ValueError:
        raise UnopenedError(f"{name} takes no key of {len(key)} octets", wrong_key=True) from None
    return found


_KNOWN = frozenset(int(kind) for kind in PayloadType if kind)
_MOST_PADDING = 255


def _end_of_chain(plain: bytes, kind: int, at: int, hash_octets: int) -> int | None:
    """Where the chain ends; None where this is none: the reserved octets are zero and the lengths fit."""
    while kind:
        if kind not in _KNOWN or at + 4 > len(plain):
            return None
        length = (plain[at + 2] << 8) | plain[at + 3]
        if plain[at + 1] or length < 4 or at + length > len(plain):
            return None
        if kind == PayloadType.HASH and length != 4 + hash_octets:
            return None
        kind, at = plain[at], at + length
    return at


def _chain_holds(plain: bytes, first: int, hash_octets: int) -> bool:
    end = _end_of_chain(plain, first, 0, hash_octets)
    return end is not None and end > 0 and len(plain) - end <= _MOST_PADDING


def _rest_holds(plain: bytes, suite: SuiteV1, first: int) -> bool:
    """Whether a chain stands behind the first payload, whatever the first block became.

    That block holds the length of the first payload, which only HASH has always the same. Of anything else every
    length is tried: garbage fits one of them about once in ten thousand times, and is then not called garbage.
    """
    if first == PayloadType.HASH:
        return _stands_at(plain, 4 + suite.hash_octets, suite)
    return any(_stands_at(plain, at, suite) for at in range(suite.block, len(plain) - 8))


def _stands_at(plain: bytes, at: int, suite: SuiteV1) -> bool:
    """Whether a payload of a type that is not known, and then the chain that it begins, fills the rest."""
    if at < suite.block or at + 8 > len(plain) or plain[at + 1]:
        return False
    length = (plain[at + 2] << 8) | plain[at + 3]
    if length < 8 or at + length > len(plain):
        return False
    end = _end_of_chain(plain, plain[at], at + length, suite.hash_octets)
    return end is not None and len(plain) - end < suite.block * 2


# --- IKEv2 -------------------------------------------------------------------------------------------------------


def open_v2(pieces: Sequence[Message], keys: KeysV2, row: int) -> Opened:
    """Open an IKEv2 message with SK, or all its pieces with SKF, in order. Raises UnopenedError."""
    sealed = [_sealed(piece) for piece in pieces]
    plain = b"".join(_open_piece(piece, inside, keys) for piece, inside in zip(pieces, sealed, strict=True))
    payloads, problem, end = read_chain(plain, 0, sealed[0].inner, 2, decode_sealed)
    if not keys.proves and (problem or end != len(plain)):
        raise UnopenedError("what comes out has not the structure of payloads: it was made with another key", True)
    return Opened(payloads, problem, row, proven=keys.proves)


def _sealed(message: Message) -> Encrypted:
    if message.cut:
        raise UnopenedError("the capture holds only a part of it")
    last = message.payloads[-1] if message.payloads else None
    if not isinstance(last, Encrypted) or last.problem:
        raise UnopenedError("its encrypted payload is damaged")
    begin = len(message.octets) - len(last.body)
    declared = int.from_bytes(message.octets[begin - 2 : begin], "big")
    if begin < HEADER_LENGTH + 4 or declared != len(last.body) + 4:
        raise UnopenedError("octets stand behind its encrypted payload")
    return last


def _open_piece(message: Message, sealed: Encrypted, keys: KeysV2) -> bytes:
    """What is inside one SK or SKF payload, padding removed (RFC 7296 §3.14)."""
    by_initiator = message.header.from_initiator
    key = keys.sk_ei if by_initiator else keys.sk_er
    begin = len(message.octets) - len(sealed.data)
    if keys.encryption.icv:
        plain = _combined(message.octets, begin, key, keys)
    else:
        _check_integrity(message.octets, keys.sk_ai if by_initiator else keys.sk_ar, keys)
        end = len(message.octets) - keys.integrity.octets
        plain = _plain_mode(message.octets[begin:end], key, keys)
    if not plain or plain[-1] >= len(plain):
        raise UnopenedError("what comes out has no padding: it was made with another key", wrong_key=True)
    return plain[: -1 - plain[-1]]


def _check_integrity(octets: bytes, key: bytes, keys: KeysV2) -> None:
    """Hold the integrity check value against the whole message before it."""
    integrity = keys.integrity
    if integrity.digest is None or not integrity.octets:
        return
    body, value = octets[: -integrity.octets], octets[-integrity.octets :]
    if not hmac.compare_digest(hmac.digest(key, body, integrity.digest)[: integrity.octets], value):
        raise UnopenedError("the integrity check fails: another key, or an altered message", wrong_key=True)


def _combined(octets: bytes, begin: int, key: bytes, keys: KeysV2) -> bytes:
    """GCM and CCM (RFC 5282 §3, §5.1): the octets before the initialization vector are authenticated too."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM

    e = keys.encryption
    vector, sealed = octets[begin : begin + 8], octets[begin + 8 :]
    if len(vector) < 8 or len(sealed) <= e.icv:
        raise UnopenedError("its encrypted payload is too short for this cipher", wrong_key=True)
    nonce, head = key[e.key :] + vector, octets[:begin]
    try:
        if e.mode == "CCM":
            return AESCCM(key[: e.key], tag_length=e.icv).decrypt(nonce, sealed, head)
        mode = modes.GCM(nonce, sealed[-e.icv :], min_tag_length=e.icv)
        decryptor = Cipher(_algorithm("AES", key[: e.key]), mode).decryptor()
        decryptor.authenticate_additional_data(head)
        return decryptor.update(sealed[: -e.icv]) + decryptor.finalize()
    except InvalidTag:
        raise UnopenedError("the integrity check fails: another key, or an altered message", wrong_key=True) from None


def _plain_mode(data: bytes, key: bytes, keys: KeysV2) -> bytes:
    """CBC with the vector in front (RFC 3602, RFC 2451), CTR with its nonce (RFC 5930 §2), or nothing (RFC 2410)."""
    e = keys.encryption
    if not e.cipher:
        return data
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

    size = 8 if e.mode == "CTR" or e.cipher == "3DES" else 16
    vector, sealed = data[:size], data[size:]
    if len(vector) < size or not sealed or (e.mode == "CBC" and len(sealed) % size):
        raise UnopenedError("its encrypted payload is not whole blocks of this cipher", wrong_key=True)
    algorithm = _algorithm("TripleDES" if e.cipher == "3DES" else "AES", key[: e.key])
    mode = modes.CTR(key[e.key :] + vector + b"\0\0\0\1") if e.mode == "CTR" else modes.CBC(vector)
    decryptor = Cipher(algorithm, mode).decryptor()
    return decryptor.update(sealed) + decryptor.finalize()
