"""Whether a candidate pre-shared key is the one of an Aggressive Mode exchange (RFC 2409 §5, §5.4).

Aggressive Mode sends in clear all that its hashes are computed of, but for the key: so a key that somebody
thinks is right can be held against them, without decrypting anything. With prf the keyed hash that was
negotiated (HMAC, RFC 2104), and `_b` the body of a payload, without its generic header:

    SKEYID = prf(pre-shared key, Ni_b | Nr_b)
    HASH_R = prf(SKEYID, g^xr | g^xi | CKY-R | CKY-I | SAi_b | IDir_b)
    HASH_I = prf(SKEYID, g^xi | g^xr | CKY-I | CKY-R | SAi_b | IDii_b)

SAi_b is message 1's, with everything that was offered. HASH_R comes in message 2; HASH_I in message 3, which
most senders encrypt. XAuth with a pre-shared key computes the same hashes (draft-beaulieu-ike-xauth).

A hash that matches says that its sender has this key. One that does not match says that the sender has another
one, as long as the messages arrived as they were sent.
"""

import hmac
from enum import Enum
from typing import Final

from pcapdiag.ike.message import ZERO_SPI, Message
from pcapdiag.ike.payloads import Payload, SecurityAssociation, Transform
from pcapdiag.ike.registry import AuthenticationMethod, ExchangeType, HashAlgorithm, OakleyAttribute, PayloadType
from pcapdiag.record import Record

_PRFS: Final = {
    HashAlgorithm.MD5: "md5",
    HashAlgorithm.SHA1: "sha1",
    HashAlgorithm.SHA2_256: "sha256",
    HashAlgorithm.SHA2_384: "sha384",
    HashAlgorithm.SHA2_512: "sha512",
}
"""The hashes that RFC 2409 appendix A and its registry number, by their names in `hashlib`, less Tiger."""

_WITH_PSK: Final = frozenset(
    (
        AuthenticationMethod.PRE_SHARED_KEY,
        AuthenticationMethod.XAUTH_INIT_PRE_SHARED_KEY,
        AuthenticationMethod.XAUTH_RESP_PRE_SHARED_KEY,
    )
)


class Answer(Enum):
    """Whether a hash is the one that the candidate key gives."""

    MATCHES = "matches"
    DIFFERS = "does not match"
    UNCHECKED = "cannot be checked"


class HashCheck(Record, frozen=True):
    """What came of one hash. `reason` says why it cannot be checked; None where it was."""

    answer: Answer
    reason: str | None = None


class PskCheck(Record, frozen=True):
    """What came of both hashes: HASH_R shows the responder's key, HASH_I the initiator's."""

    hash_r: HashCheck
    hash_i: HashCheck


class HashMaterial(Record, frozen=True):
    """What the hashes are computed of, besides the key (RFC 2409 §5); octets as on the wire.

    algorithm -- the negotiated hash, of which the prf is the HMAC
    sa -- the body of message 1's SA payload; the two identities are bodies as well
    """

    algorithm: HashAlgorithm
    initiator_cookie: bytes
    responder_cookie: bytes
    initiator_nonce: bytes
    responder_nonce: bytes
    initiator_ke: bytes
    responder_ke: bytes
    sa: bytes
    initiator_id: bytes
    responder_id: bytes


class _UncheckableError(Exception):
    """Something is missing. The only argument says what."""


def hash_r(psk: bytes, material: HashMaterial) -> bytes:
    """HASH_R of RFC 2409 §5: what a responder with this key sends.

    Raises ValueError for a hash that is not at hand.
    """
    m = material
    data = m.responder_ke + m.initiator_ke + m.responder_cookie + m.initiator_cookie + m.sa + m.responder_id
    return _prf(m.algorithm, _skeyid(psk, m), data)


def hash_i(psk: bytes, material: HashMaterial) -> bytes:
    """HASH_I of RFC 2409 §5: what an initiator with this key sends.

    Raises ValueError for a hash that is not at hand.
    """
    m = material
    data = m.initiator_ke + m.responder_ke + m.initiator_cookie + m.responder_cookie + m.sa + m.initiator_id
    return _prf(m.algorithm, _skeyid(psk, m), data)


def check(psk: bytes, first: Message, second: Message, third: Message | None) -> PskCheck:
    """Hold a candidate key against Aggressive Mode messages 1, 2 and, where it was captured, 3.

    psk -- the octets of the key, as configured: no line end, no encoding of its own
    Raises nothing: what cannot be checked says why.
    """
    try:
        material = _material(first, second)
        expected_r, expected_i = hash_r(psk, material), hash_i(psk, material)
    except _UncheckableError as missing:
        nothing = HashCheck(Answer.UNCHECKED, str(missing))
        return PskCheck(nothing, nothing)
    return PskCheck(_compare(second, 2, expected_r), _check_third(first, second, third, expected_i))


# -- what the hashes are made of


def _prf(algorithm: HashAlgorithm, key: bytes, data: bytes) -> bytes:
    name = _PRFS.get(algorithm)
    if name is None:
        raise ValueError(f"hash {algorithm.label} is not at hand")
    return hmac.digest(key, data, name)


def _skeyid(psk: bytes, material: HashMaterial) -> bytes:
    """SKEYID for authentication with a pre-shared key (RFC 2409 §5)."""
    return _prf(material.algorithm, psk, material.initiator_nonce + material.responder_nonce)


def _material(first: Message, second: Message) -> HashMaterial:
    for number, message in ((1, first), (2, second)):
        if message.header.major != 1 or message.header.exchange_type != ExchangeType.AGGRESSIVE:
            raise _UncheckableError(f"message {number} is not of Aggressive Mode")
    if first.header.initiator_spi != second.header.initiator_spi:
        raise _UncheckableError("messages 1 and 2 have different initiator cookies")
    if second.header.responder_spi == ZERO_SPI:
        raise _UncheckableError("message 2 has no responder cookie")
    return HashMaterial(
        algorithm=_algorithm(second),
        initiator_cookie=second.header.initiator_spi,
        responder_cookie=second.header.responder_spi,
        initiator_nonce=_body(first, 1, PayloadType.NONCE),
        responder_nonce=_body(second, 2, PayloadType.NONCE),
        initiator_ke=_body(first, 1, PayloadType.KE),
        responder_ke=_body(second, 2, PayloadType.KE),
        sa=_body(first, 1, PayloadType.SA),
        initiator_id=_body(first, 1, PayloadType.ID),
        responder_id=_body(second, 2, PayloadType.ID),
    )


def _algorithm(second: Message) -> HashAlgorithm:
    """Return the hash of the transform that the responder chose."""
    chosen = _chosen(second)
    method = chosen.attribute(OakleyAttribute.AUTHENTICATION)
    if method is None:
        raise _UncheckableError("message 2 chose no authentication method")
    if method.value not in _WITH_PSK:
        raise _UncheckableError(f"message 2 chose {method.text}, not a pre-shared key")
    prf = chosen.attribute(OakleyAttribute.PRF)
    if prf is not None:
        # No number has a prf to it (RFC 2409 appendix A): whatever it is, it is not the HMAC.
        raise _UncheckableError(f"message 2 chose a prf of its own, {prf.text}")
    algorithm = chosen.attribute(OakleyAttribute.HASH)
    if algorithm is None:
        raise _UncheckableError("message 2 chose no hash")
    if algorithm.value not in _PRFS:
        raise _UncheckableError(f"message 2 chose the hash {algorithm.text}, which is not at hand")
    return HashAlgorithm(algorithm.value)


def _chosen(second: Message) -> Transform:
    payload = _payload(second, 2, PayloadType.SA)
    transforms = (
        [t for p in payload.proposals for t in p.transforms] if isinstance(payload, SecurityAssociation) else []
    )
    if len(transforms) != 1:
        raise _UncheckableError(f"message 2 has {len(transforms)} transforms where one is chosen")
    return transforms[0]


def _payload(message: Message, number: int, kind: PayloadType) -> Payload:
    """Return the only payload of this type, whole."""
    found = [payload for payload in message.payloads if payload.type == kind]
    if not found:
        cut = ", of which the capture holds only the beginning" if message.cut else ""
        raise _UncheckableError(f"no {kind.label} payload in message {number}{cut}")
    if len(found) > 1:
        raise _UncheckableError(f"{len(found)} {kind.label} payloads in message {number}")
    # A record of its own type is whole, even if what is in it is not understood; the plain one may be cut.
    if type(found[0]) is Payload and found[0].problem:
        raise _UncheckableError(f"the {kind.label} payload of message {number} is damaged: {found[0].problem}")
    return found[0]


def _body(message: Message, number: int, kind: PayloadType) -> bytes:
    return _payload(message, number, kind).body


# -- the hashes as they came


def _compare(message: Message, number: int, expected: bytes) -> HashCheck:
    try:
        sent = _body(message, number, PayloadType.HASH)
    except _UncheckableError as missing:
        return HashCheck(Answer.UNCHECKED, str(missing))
    if len(sent) != len(expected):
        reason = f"the HASH payload of message {number} has {len(sent)} octets, the negotiated hash {len(expected)}"
        return HashCheck(Answer.UNCHECKED, reason)
    return HashCheck(Answer.MATCHES if hmac.compare_digest(sent, expected) else Answer.DIFFERS)


def _check_third(first: Message, second: Message, third: Message | None, expected: bytes) -> HashCheck:
    if third is None:
        return HashCheck(Answer.UNCHECKED, "message 3 was not captured")
    cookies = (first.header.initiator_spi, second.header.responder_spi)
    if (third.header.initiator_spi, third.header.responder_spi) != cookies:
        return HashCheck(Answer.UNCHECKED, "message 3 has other cookies")
    if third.header.major != 1 or third.header.exchange_type != ExchangeType.AGGRESSIVE:
        return HashCheck(Answer.UNCHECKED, "message 3 is not of Aggressive Mode")
    if third.header.encrypted:
        return HashCheck(Answer.UNCHECKED, "message 3 is encrypted")
    return _compare(third, 3, expected)
