"""What has room inside an encrypted IKEv2 message: what is encrypted has a size, and each payload takes its own.

Sizes are necessities: a payload that must be there (RFC 7296 §1.2) takes its octets whatever make sent it. What the
tables do not know counts as nothing around, so that the room is never taken for less than it is.
"""

from collections.abc import Mapping

from pcapdiag.exchange.model import Exchange, Side, Step
from pcapdiag.ike.message import HEADER_LENGTH, Message
from pcapdiag.ike.payloads import Encrypted, Transform
from pcapdiag.ike.registry import EncryptionV2, IntegrityV2, PayloadType, PrfV2, TransformTypeV2

VECTOR: Mapping[int, int] = {
    EncryptionV2.TRIPLE_DES: 8, EncryptionV2.AES_CBC: 16, EncryptionV2.CAMELLIA_CBC: 16,
    EncryptionV2.AES_CTR: 8, EncryptionV2.CAMELLIA_CTR: 8,
    EncryptionV2.AES_CCM_8: 16, EncryptionV2.AES_CCM_12: 20, EncryptionV2.AES_CCM_16: 24,
    EncryptionV2.AES_GCM_8: 16, EncryptionV2.AES_GCM_12: 20, EncryptionV2.AES_GCM_16: 24,
    EncryptionV2.CAMELLIA_CCM_8: 16, EncryptionV2.CAMELLIA_CCM_12: 20, EncryptionV2.CAMELLIA_CCM_16: 24,
    EncryptionV2.CHACHA20_POLY1305: 24,
}  # fmt: skip
"""Octets of the initialization vector, of combined modes with the check value (RFC 7296 §3.14, RFC 5282, RFC 7634)."""
CHECK_VALUE: Mapping[int, int] = {
    IntegrityV2.HMAC_MD5_96: 12, IntegrityV2.HMAC_SHA1_96: 12, IntegrityV2.AES_XCBC_96: 12, IntegrityV2.AES_CMAC_96: 12,
    IntegrityV2.HMAC_SHA2_256_128: 16, IntegrityV2.HMAC_SHA2_384_192: 24, IntegrityV2.HMAC_SHA2_512_256: 32,
}  # fmt: skip
"""Octets of the integrity check value (RFC 4868, RFC 2403, RFC 2404 …)."""
PROOF: Mapping[int, int] = {
    PrfV2.HMAC_MD5: 16, PrfV2.HMAC_SHA1: 20, PrfV2.AES128_XCBC: 16, PrfV2.AES128_CMAC: 16,
    PrfV2.HMAC_SHA2_256: 32, PrfV2.HMAC_SHA2_384: 48, PrfV2.HMAC_SHA2_512: 64,
}  # fmt: skip
"""Octets of authentication data made with a shared key (RFC 7296 §2.15); a signature has no fewer."""
SMALLEST_PROOF = 16
"""Of the functions that IKEv2 has (RFC 7296 §3.3.2), HMAC-MD5 and the AES based ones give the least."""
ID, AUTH = 8, 8
"""A payload with nothing in it: generic header, and the four octets that each of the two begins with."""
CHILD_SA = 4 + 8 + 4 + 8
"""SA with one proposal, its SPI, and one transform (RFC 7296 §3.3)."""
SELECTORS = 2 * (8 + 16)
"""TSi and TSr with one range of IPv4 addresses each (RFC 7296 §3.13)."""
NOTIFY = 8
"""A Notify without SPI and data (RFC 7296 §3.10), as a refusal is; a Delete of the IKE SA has as many."""
SMALLEST_PADDING = 1
"""The octet that says how long the padding is."""
BLOCK: Mapping[int, int] = {
    EncryptionV2.TRIPLE_DES: 8, EncryptionV2.AES_CBC: 16, EncryptionV2.CAMELLIA_CBC: 16,
}  # fmt: skip
"""Octets to which padding fills a message up; the other ciphers need none, and 4 is what senders use."""

MOST_AROUND = max(VECTOR.values()) + max(CHECK_VALUE.values()) + max(BLOCK.values())
"""Octets around the payloads, with the algorithms that take most."""


def chosen_transforms(exchange: Exchange) -> tuple[Transform, ...]:
    """What the responder chose for the IKE SA; empty where that is not in the capture."""
    return next((s.proposals[0].transforms for s in exchange.steps if s.sender is Side.RESPONDER and s.proposals), ())


def first_inside(step: Step) -> PayloadType | None:
    """The type of the first payload inside SK, or inside SKF where the first piece is there."""
    sealed = next((p for p in step.message.payloads if isinstance(p, Encrypted)), None)
    return sealed.inner if sealed else None


def room(step: Step, chosen: tuple[Transform, ...]) -> int:
    """The most octets of payloads that can be inside a message, in however many pieces it came."""
    around = _octets(VECTOR, chosen, TransformTypeV2.ENCR) + _octets(CHECK_VALUE, chosen, TransformTypeV2.INTEG)

    def inside(message: Message, header: int) -> int:
        return max(message.header.length - HEADER_LENGTH - header - around - SMALLEST_PADDING, 0)

    return sum(inside(piece, 8) for piece in step.pieces) if step.pieces else inside(step.message, 4)


def proof_octets(chosen: tuple[Transform, ...]) -> int:
    """The least octets of an AUTH payload's data with what was negotiated."""
    return _octets(PROOF, chosen, TransformTypeV2.PRF) or SMALLEST_PROOF


def holds_proof(step: Step, chosen: tuple[Transform, ...]) -> bool:
    """Whether AUTH, and IDr where it is not the end of EAP, can be inside (RFC 7296 §1.2, §2.16)."""
    return room(step, chosen) >= before_proof(step) + AUTH + proof_octets(chosen)


def before_proof(step: Step) -> int:
    """The least octets of an IKE_AUTH response beside AUTH: IDr, and what comes first where that is neither of them.

    Where EAP ends AUTH comes without IDr (RFC 7296 §2.16), and some put a Notify or a vendor ID before all.
    """
    first = first_inside(step)
    if first == PayloadType.AUTH:
        return 0
    return ID + (0 if first is None else FIRST.get(first, 0))


FIRST: Mapping[int, int] = {PayloadType.NOTIFY2: 8, PayloadType.VENDOR_ID2: 4}
"""The least octets of a payload that some put before identity and proof (RFC 7296 §3.10, §3.12)."""


def surely_holds_proof(step: Step, chosen: tuple[Transform, ...]) -> bool:
    """The same, where what was negotiated may not be known: then with the most octets around that any takes."""
    if is_known(chosen):
        return holds_proof(step, chosen)
    return room(step, chosen) >= ID + AUTH + SMALLEST_PROOF + MOST_AROUND


def is_known(chosen: tuple[Transform, ...]) -> bool:
    """Whether the cipher was seen, so that what is around the payloads has a known size."""
    return any(t.kind == TransformTypeV2.ENCR for t in chosen)


def surely_holds_child(step: Step, chosen: tuple[Transform, ...]) -> bool:
    """Whether a Child SA is inside beside the proof: SA, TSi and TSr (RFC 7296 §1.2).

    Where what was negotiated is not known it takes the most octets around that any takes.
    """
    around = 0 if is_known(chosen) else MOST_AROUND
    return room(step, chosen) >= needed_for_child(step, chosen) + around


def needed_for_child(step: Step, chosen: tuple[Transform, ...]) -> int:
    """The least octets of an IKE_AUTH response with a Child SA."""
    return before_proof(step) + AUTH + proof_octets(chosen) + CHILD_SA + SELECTORS


def is_lone_notify(step: Step, chosen: tuple[Transform, ...]) -> bool:
    """Whether what is inside is no larger than one Notify or Delete without data, padded as the cipher pads."""
    encryption = next((int(t.id) for t in chosen if t.kind == TransformTypeV2.ENCR), None)
    if encryption is None:
        return room(step, chosen) <= NOTIFY + MOST_AROUND
    block = BLOCK.get(encryption, 4)
    padded = -(-(NOTIFY + SMALLEST_PADDING) // block) * block
    return room(step, chosen) <= padded - SMALLEST_PADDING


def _octets(table: Mapping[int, int], chosen: tuple[Transform, ...], kind: TransformTypeV2) -> int:
    """What the table has for the transform of that type; 0, which assumes least, for what it does not know."""
    return next((table.get(int(t.id), 0) for t in chosen if t.kind == kind), 0)
