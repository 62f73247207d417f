"""Whether a Child SA can have been made in IKE_AUTH: what is encrypted has a size, and a Child SA takes room."""

from collections.abc import Iterator, Mapping

from pcapdiag.diagnosis.case import Case, Fact
from pcapdiag.diagnosis.ikev2 import first_inside
from pcapdiag.diagnosis.stop import SECOND
from pcapdiag.exchange.model import Side, Step
from pcapdiag.ike.message import HEADER_LENGTH, Message
from pcapdiag.ike.payloads import Transform
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
ID, AUTH = 8, 8
"""A payload with nothing in it: generic header, and the four octets that each of the two begins with."""
CHILD_SA = 4 + 8 + 4 + 8
"""SA with one proposal, its SPI, and one transform (RFC 7296 §3.3)."""
SELECTORS = 2 * (8 + 16)
"""TSi and TSr with one range of IPv4 addresses each (RFC 7296 §3.13)."""
SMALLEST_PADDING = 1
"""The octet that says how long the padding is."""


def no_room_for_a_child(case: Case) -> Iterator[Fact]:
    """The responder authenticated in an IKE_AUTH response that cannot hold a Child SA as well."""
    e = case.exchange
    answers = e.named("IKE_AUTH response")
    if case.unfinished or not answers or e.named("CREATE_CHILD_SA response") or _esp_follows(case, answers[-1]):
        return
    answer = answers[-1]
    if case.setting.silence_after(answer.last.time) < SECOND and not e.named("INFORMATIONAL request"):
        return  # EAP may go on
    first = first_inside(answer)
    if answer.opened is not None or not answer.whole or first not in (PayloadType.IDR, PayloadType.AUTH):
        return  # what keys show needs no guess; the last answer of EAP begins with AUTH
    chosen = next((s.proposals[0].transforms for s in e.steps if s.sender is Side.RESPONDER and s.proposals), ())
    room = _room(answer, chosen)
    need = (ID if first == PayloadType.IDR else 0) + AUTH + _octets(PROOF, chosen, TransformTypeV2.PRF)
    if room < need + CHILD_SA + SELECTORS:
        text = (
            f"The IKE_AUTH response has room for {room} octets of payloads, and a Child SA (SA, TSi, TSr) beside the "
            f"proof of identity takes {need + CHILD_SA + SELECTORS} at least: the IKE SA is up without a Child SA."
        )
        yield Fact("ike-auth-without-child", text, answer.frames)


def _esp_follows(case: Case, answer: Step) -> bool:
    return any(flow.last_time >= answer.last.time for flow in case.esp)


def _room(step: Step, chosen: tuple[Transform, ...]) -> int:
    """The most octets of payloads that can be inside a message, in however many pieces it came."""
    around = _octets(VECTOR, chosen, TransformTypeV2.ENCR) + _octets(CHECK_VALUE, chosen, TransformTypeV2.INTEG)

    def inside(message: Message, header: int) -> int:
        return max(message.header.length - HEADER_LENGTH - header - around - SMALLEST_PADDING, 0)

    return sum(inside(piece, 8) for piece in step.pieces) if step.pieces else inside(step.message, 4)


def _octets(table: Mapping[int, int], chosen: tuple[Transform, ...], kind: TransformTypeV2) -> int:
    """What the table has for the transform of that type; 0, which assumes least, for what it does not know."""
    return next((table.get(int(t.id), 0) for t in chosen if t.kind == kind), 0)
