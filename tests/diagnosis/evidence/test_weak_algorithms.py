"""Which algorithms are called weak, and with which grade."""

import pytest

from pcapdiag.diagnosis.evidence.weak_algorithms import weak
from pcapdiag.ike.message import parse
from pcapdiag.ike.payloads import SecurityAssociation, Transform
from pcapdiag.ike.registry import EncryptionV2, Group, IntegrityV2, PrfV2, TransformTypeV2
from tests.messages import message, sa, transform

STRONG = ((1, 7), (14, 256), (2, 4), (3, 1), (4, 14))


def v1(*suites: tuple[tuple[int, int], ...]) -> list[Transform]:
    """The transforms of a proposal with these suites."""
    octets = message(2, [sa(*[transform(n, *suite) for n, suite in enumerate(suites, 1)])])
    (payload,) = parse(octets).payloads
    assert isinstance(payload, SecurityAssociation)
    return list(payload.proposals[0].transforms)


def v2(kind: TransformTypeV2, number: int) -> Transform:
    registry = {
        TransformTypeV2.ENCR: EncryptionV2,
        TransformTypeV2.PRF: PrfV2,
        TransformTypeV2.INTEG: IntegrityV2,
        TransformTypeV2.KE: Group,
    }[kind]
    return Transform(1, kind, registry(number), ())


@pytest.mark.parametrize(
    ("attribute", "grade"),
    [
        ((1, 1), "MUST NOT, RFC 8247"),  # DES
        ((1, 5), "MAY, RFC 8247"),  # 3DES
        ((1, 6), "deprecated, RFC 9395"),  # CAST
        ((2, 1), "MUST NOT, RFC 8247"),  # MD5
        ((2, 2), "MUST−, RFC 8247"),  # SHA-1
        ((4, 1), "MUST NOT, RFC 8247"),
        ((4, 2), "SHOULD NOT, RFC 8247"),
        ((4, 5), "SHOULD NOT, RFC 8247"),
        ((4, 22), "MUST NOT, RFC 8247"),
        ((4, 24), "SHOULD NOT, RFC 8247"),
    ],
)
def test_weak_in_ikev1(attribute: tuple[int, int], grade: str) -> None:
    suite = tuple(attribute if kind == attribute[0] else (kind, value) for kind, value in STRONG)
    (found,) = weak(v1(suite))
    assert found.endswith(f": {grade}")


def test_the_algorithm_is_named_as_the_registry_does() -> None:
    (found,) = weak(v1((*STRONG[:4], (4, 2))))
    assert "1024" in found


@pytest.mark.parametrize("suite", [STRONG, (*STRONG[:4], (4, 19)), ((1, 7), (14, 128), (2, 6), (3, 3), (4, 20))])
def test_strong_in_ikev1(suite: tuple[tuple[int, int], ...]) -> None:
    assert list(weak(v1(suite))) == []


def test_each_once_in_the_order_offered() -> None:
    old = ((1, 5), (2, 1), (3, 1), (4, 2))
    found = list(weak(v1(old, STRONG, old, ((1, 7), (2, 1), (3, 1), (4, 1)))))
    assert [f.rsplit(": ", 1)[1].split(",")[0] for f in found] == ["MAY", "MUST NOT", "SHOULD NOT", "MUST NOT"]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("kind", "number", "grade"),
    [
        (TransformTypeV2.ENCR, 1, "deprecated, RFC 9395"),
        (TransformTypeV2.ENCR, 2, "MUST NOT, RFC 8247"),
        (TransformTypeV2.ENCR, 3, "MAY, RFC 8247"),
        (TransformTypeV2.ENCR, 7, "deprecated, RFC 9395"),
        (TransformTypeV2.PRF, 1, "MUST NOT, RFC 8247"),
        (TransformTypeV2.PRF, 2, "MUST−, RFC 8247"),
        (TransformTypeV2.INTEG, 1, "MUST NOT, RFC 8247"),
        (TransformTypeV2.INTEG, 2, "MUST−, RFC 8247"),
        (TransformTypeV2.KE, 2, "SHOULD NOT, RFC 8247"),
        (TransformTypeV2.KE, 22, "MUST NOT, RFC 8247"),
    ],
)
def test_weak_in_ikev2(kind: TransformTypeV2, number: int, grade: str) -> None:
    (found,) = weak([v2(kind, number)])
    name, said = found.rsplit(": ", 1)
    assert name
    assert said == grade


def test_strong_in_ikev2() -> None:
    strong = [(TransformTypeV2.ENCR, 12), (TransformTypeV2.ENCR, 20), (TransformTypeV2.PRF, 5)]
    strong += [(TransformTypeV2.INTEG, 12), (TransformTypeV2.KE, 14), (TransformTypeV2.KE, 31)]
    assert list(weak(v2(*row) for row in strong)) == []


def test_numbers_of_one_kind_are_not_those_of_another() -> None:
    assert list(weak([v2(TransformTypeV2.ENCR, 22), Transform(1, TransformTypeV2.ESN, 1, ())])) == []
    assert list(weak([])) == []
