"""Which algorithms are weak or deprecated: RFC 8247 (IKEv2), RFC 9395 (IKEv1 and what came with it).

RFC 8247 §2 grades what IKEv2 implementations have to support; for IKEv1, which RFC 9395 §3 deprecates as a whole, the
same algorithms are as weak. Listed is what it grades MUST NOT or SHOULD NOT, what RFC 9395 §5 deprecates, and the
MAY of 3DES and SHA-1's MUST−, which are on their way out.
"""

from collections.abc import Iterable, Iterator, Mapping

from pcapdiag.ike.payloads import Transform
from pcapdiag.ike.registry import (
    EncryptionAlgorithm,
    EncryptionV2,
    Group,
    HashAlgorithm,
    IntegrityV2,
    OakleyAttribute,
    PrfV2,
    TransformTypeV2,
)

_GROUPS: Mapping[int, str] = {
    Group.MODP768: "MUST NOT, RFC 8247",
    Group.MODP1024: "SHOULD NOT, RFC 8247",
    Group.MODP1536: "SHOULD NOT, RFC 8247",
    22: "MUST NOT, RFC 8247",
    23: "SHOULD NOT, RFC 8247",
    24: "SHOULD NOT, RFC 8247",
}
_ENCRYPTION_V1: Mapping[int, str] = {
    EncryptionAlgorithm.DES_CBC: "MUST NOT, RFC 8247",
    EncryptionAlgorithm.IDEA_CBC: "deprecated, RFC 9395",
    EncryptionAlgorithm.BLOWFISH_CBC: "deprecated, RFC 9395",
    EncryptionAlgorithm.RC5_R16_B64_CBC: "deprecated, RFC 9395",
    EncryptionAlgorithm.TRIPLE_DES_CBC: "MAY, RFC 8247",
    EncryptionAlgorithm.CAST_CBC: "deprecated, RFC 9395",
}
_HASH_V1: Mapping[int, str] = {
    HashAlgorithm.MD5: "MUST NOT, RFC 8247",
    HashAlgorithm.SHA1: "MUST−, RFC 8247",
}
_V1: Mapping[int, Mapping[int, str]] = {
    OakleyAttribute.ENCRYPTION: _ENCRYPTION_V1,
    OakleyAttribute.HASH: _HASH_V1,
    OakleyAttribute.GROUP: _GROUPS,
}
_V2: Mapping[int, Mapping[int, str]] = {
    TransformTypeV2.ENCR: {
        1: "deprecated, RFC 9395",
        EncryptionV2.DES: "MUST NOT, RFC 8247",
        EncryptionV2.TRIPLE_DES: "MAY, RFC 8247",
        4: "deprecated, RFC 9395",
        5: "deprecated, RFC 9395",
        6: "deprecated, RFC 9395",
        7: "deprecated, RFC 9395",
        8: "deprecated, RFC 9395",
        9: "deprecated, RFC 9395",
    },
    TransformTypeV2.PRF: {PrfV2(1): "MUST NOT, RFC 8247", PrfV2(2): "MUST−, RFC 8247"},
    TransformTypeV2.INTEG: {
        IntegrityV2(1): "MUST NOT, RFC 8247",
        IntegrityV2(2): "MUST−, RFC 8247",
        IntegrityV2(3): "MUST NOT, RFC 8247",
        IntegrityV2(4): "MUST NOT, RFC 8247",
    },
    TransformTypeV2.KE: _GROUPS,
}


def weak(transforms: Iterable[Transform]) -> Iterator[str]:
    """The weak algorithms among these, each once, with the grade: `modp1024 (group 2): SHOULD NOT, RFC 8247`."""
    seen: dict[str, None] = {}
    for transform in transforms:
        if transform.kind is not None:
            grade = _V2.get(transform.kind, {}).get(transform.id)
            if grade:
                seen.setdefault(f"{getattr(transform.id, 'label', transform.id)}: {grade}")
            continue
        for attribute in transform.attributes:
            grades = _V1.get(attribute.type, {})
            if isinstance(attribute.value, int) and attribute.value in grades:
                seen.setdefault(f"{attribute.text}: {grades[attribute.value]}")
    yield from seen
