"""Each payload from the octets of its RFC section."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.ike.message import parse
from pcapdiag.ike.payloads import (
    MAX_ATTRIBUTES,
    MAX_SPIS,
    MAX_TRANSFORMS,
    Certificate,
    Delete,
    Fragment,
    Identification,
    KeyExchange,
    Notification,
    OriginalAddress,
    Payload,
    SecurityAssociation,
    decode,
    decode_encrypted,
    identity_text,
)
from pcapdiag.ike.registry import (
    CertificateEncoding,
    EncryptionV2,
    EspTransform,
    Group,
    IdentificationType,
    NotifyType,
    NotifyTypeV2,
    OakleyAttribute,
    PayloadType,
    Protocol,
    TransformTypeV2,
)
from tests.messages import message, notify, sa, substructures, transform


def _sa(body: bytes, major: int = 1) -> SecurityAssociation:
    found = decode(PayloadType.SA2 if major == 2 else PayloadType.SA, body, major)
    assert isinstance(found, SecurityAssociation), found.problem
    return found


def test_phase1_attributes_have_their_names() -> None:
    _, body = sa(transform(1), transform(2, (1, 5), (2, 1), (3, 65001), (4, 2)))
    found = _sa(body)
    assert found.situation == 1
    (proposal,) = found.proposals
    assert proposal.protocol is Protocol.ISAKMP
    first, second = proposal.transforms
    assert [a.text for a in first.attributes[:4]] == ["AES-CBC", "128", "SHA1", "pre-shared key"]
    assert first.attribute(OakleyAttribute.GROUP).text == "modp2048 (group 14)"  # type: ignore[union-attr]
    assert second.attribute(OakleyAttribute.ENCRYPTION).text == "3DES-CBC"  # type: ignore[union-attr]
    assert second.attribute(OakleyAttribute.PRF) is None


def test_long_attribute_is_a_number_up_to_eight_octets() -> None:
    one = struct.pack("!BBH", 1, 1, 0) + struct.pack("!HHI", 12, 4, 86400)
    long = struct.pack("!BBH", 1, 1, 0) + struct.pack("!HH", 6, 9) + bytes(9)
    (proposal,) = _sa(struct.pack("!II", 1, 1) + _proposal(1, 1, one, long)).proposals
    assert proposal.transforms[0].attributes[0].value == 86400
    assert proposal.transforms[1].attributes[0].value == bytes(9)


def _proposal(number: int, protocol: int, *transforms: bytes, spi: bytes = b"") -> bytes:
    head = struct.pack("!BBBB", number, protocol, len(spi), len(transforms))
    return substructures([head + spi + substructures(list(transforms), 3)], 2)


def test_phase2_transforms_are_esp_with_ipsec_attributes() -> None:
    body = struct.pack("!II", 1, 1) + _proposal(
        1, 3, struct.pack("!BBH", 1, 12, 0) + struct.pack("!HHHH", 0x8004, 1, 0x8005, 2), spi=b"\xaa\xbb\xcc\xdd"
    )
    (proposal,) = _sa(body).proposals
    assert proposal.spi == b"\xaa\xbb\xcc\xdd"
    assert proposal.transforms[0].id == EspTransform.AES_CBC
    assert proposal.transforms[0].attributes[0].text == "tunnel"


def test_ikev2_proposal() -> None:
    transforms = [
        struct.pack("!BBH", 1, 0, 12) + struct.pack("!HH", 0x800E, 256),
        struct.pack("!BBH", 4, 0, 14),
        struct.pack("!BBH", 6, 0, 35),
    ]
    (proposal,) = _sa(_proposal(1, 1, *transforms), 2).proposals
    encr, group, additional = proposal.transforms
    assert (encr.kind, encr.id) == (TransformTypeV2.ENCR, EncryptionV2.AES_CBC)
    assert encr.attributes[0].value == 256
    assert group.id == Group(14)
    assert additional.id == Group(35)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"\x00\x00\x00", "3 octets, 4 are the least"),
        (struct.pack("!II", 1, 1) + b"\x00\x00\x00", "proposal cut after 3 octets"),
        (struct.pack("!II", 1, 1) + b"\x00\x00\x00\x04", "proposal declares 4 octets, 8 are the least"),
        (struct.pack("!II", 1, 1) + b"\x00\x00\x00\x09\x01\x01\x00\x01", "proposal declares 9 octets, 8 are left"),
        (struct.pack("!II", 1, 1) + b"\x00\x00\x00\x08\x01\x01\x09\x01", "SPI of 9 octets, 0 are left"),
    ],
)
def test_broken_security_association_says_what_is_wrong(body: bytes, problem: str) -> None:
    found = decode(PayloadType.SA, body, 1)
    assert type(found) is Payload
    assert found.problem == problem


def test_other_domains_of_interpretation_are_named() -> None:
    found = decode(PayloadType.SA, struct.pack("!II", 2, 1), 1)
    assert isinstance(found, SecurityAssociation)
    assert found.problem == "DOI GDOI is not decoded"


def test_key_exchange_has_its_group_in_ikev2_only() -> None:
    v1 = decode(PayloadType.KE, bytes(128), 1)
    v2 = decode(PayloadType.KE2, b"\x00\x1f\x00\x00" + bytes(32), 2)
    assert isinstance(v1, KeyExchange)
    assert isinstance(v2, KeyExchange)
    assert (v1.group, len(v1.data)) == (None, 128)
    assert (v2.group, len(v2.data)) == (Group(31), 32)


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (IdentificationType.IPV4_ADDR, b"\x0a\x01\x00\x02", "10.1.0.2"),
        (IdentificationType.IPV4_ADDR, b"\x0a\x01\x00", "0a0100"),
        (IdentificationType.IPV4_ADDR_SUBNET, b"\x0a\x01\x00\x00\xff\xff\x00\x00", "10.1.0.0/16"),
        (IdentificationType.IPV4_ADDR_RANGE, b"\x0a\x01\x00\x01\x0a\x01\x00\x09", "10.1.0.1-10.1.0.9"),
        (IdentificationType.IPV6_ADDR, bytes(15) + b"\x01", "::1"),
        (IdentificationType.FQDN, b"vpn.example.com", "vpn.example.com"),
        (IdentificationType.FQDN, b"a\x1b[31m\\", "a\\x1b[31m\\x5c"),
        (IdentificationType.KEY_ID, b"group1", "group1"),
        (IdentificationType.DER_ASN1_DN, b"\x30\x00", "3000"),
    ],
)
def test_identities_for_a_reader(kind: IdentificationType, data: bytes, text: str) -> None:
    assert identity_text(kind, data) == text


def test_identification_payload() -> None:
    found = decode(PayloadType.ID, b"\x01\x11\x01\xf4\xc0\x00\x02\x01", 1)
    assert isinstance(found, Identification)
    assert (found.protocol, found.port, found.text) == (17, 500, "192.0.2.1")
    second = decode(PayloadType.IDI, b"\x02\x00\x00\x00vpn", 2)
    assert isinstance(second, Identification)
    assert (second.protocol, second.port, second.text) == (None, None, "vpn")


def test_notification() -> None:
    _, body = notify(14, spi=bytes(16), data=b"why")
    found = decode(PayloadType.NOTIFY, body, 1)
    assert isinstance(found, Notification)
    assert found.notify_type is NotifyType.NO_PROPOSAL_CHOSEN
    assert (len(found.spi), found.data) == (16, b"why")
    second = decode(PayloadType.NOTIFY2, b"\x00\x00\x40\x06cookie", 2)
    assert isinstance(second, Notification)
    assert (second.notify_type, second.data, second.doi) == (NotifyTypeV2.COOKIE, b"cookie", None)


def test_delete_and_a_count_without_a_size() -> None:
    body = struct.pack("!IBBH", 1, 3, 4, 2) + b"\x01\x02\x03\x04\x05\x06\x07\x08"
    found = decode(PayloadType.DELETE, body, 1)
    assert isinstance(found, Delete)
    assert found.spis == (b"\x01\x02\x03\x04", b"\x05\x06\x07\x08")
    huge = decode(PayloadType.DELETE, struct.pack("!IBBH", 1, 3, 0, 65535), 1)
    assert isinstance(huge, Delete)
    assert huge.spis == ()
    short = decode(PayloadType.DELETE, struct.pack("!IBBH", 1, 3, 4, 9), 1)
    assert short.problem == "9 SPIs of 4 octets, 0 octets are left"


def test_certificate_request_and_fragment_and_original_address() -> None:
    request = decode(PayloadType.CERTREQ, b"\x04name", 1)
    assert isinstance(request, Certificate)
    assert (request.encoding, request.data) == (CertificateEncoding(4), b"name")
    piece = decode(PayloadType.FRAGMENT, b"\x00\x01\x02\x01data", 1)
    assert isinstance(piece, Fragment)
    assert (piece.fragment_id, piece.number, piece.last, piece.data) == (1, 2, True, b"data")
    original = decode(PayloadType.NAT_OA, b"\x01\x00\x00\x00\xc0\xa8\x01\x01", 1)
    assert isinstance(original, OriginalAddress)
    assert original.address == "192.168.1.1"
    assert decode(PayloadType.NAT_OA, b"\x01\x00\x00\x00\xc0", 1).problem == "address of 1 octets"


@given(st.integers(0, 255), st.binary(max_size=200), st.sampled_from([1, 2]))
def test_decode_never_raises(kind: int, body: bytes, major: int) -> None:
    found = decode(PayloadType(kind), body, major)
    assert found.type == kind
    assert found.body == body
    assert decode_encrypted(PayloadType.SKF, body, PayloadType.NONE).body == body


# --- more than anybody sends -----------------------------------------------------------------------------------


def test_a_security_association_with_too_many_transforms_is_left_undecoded() -> None:
    for count, problem in ((MAX_TRANSFORMS, None), (MAX_TRANSFORMS + 1, "more than 1024 transforms")):
        proposal = struct.pack("!BBBB", 1, 1, 0, 0) + substructures([transform(1)] * count, 3)
        body = struct.pack("!II", 1, 1) + substructures([proposal], 2)
        (found,) = parse(message(2, [(1, body)])).payloads
        assert found.problem == problem


def test_the_transforms_of_all_proposals_count_together() -> None:
    proposals = [struct.pack("!BBBB", n, 1, 0, 200) + substructures([transform(1)] * 200, 3) for n in range(6)]
    body = struct.pack("!II", 1, 1) + substructures(proposals, 2)
    assert decode(PayloadType.SA, body, 1).problem == "more than 1024 transforms"


def test_a_transform_with_too_many_attributes() -> None:
    found = decode(PayloadType.SA, sa(transform(1, *[(1, 7)] * (MAX_ATTRIBUTES + 1)))[1], 1)
    assert found.problem == "more than 64 attributes"


def test_a_delete_of_too_many_spis_lists_the_first() -> None:
    body = struct.pack("!IBBH", 1, 3, 4, 2_000) + b"".join(n.to_bytes(4, "big") for n in range(2_000))
    found = decode(PayloadType.DELETE, body, 1)
    assert isinstance(found, Delete)
    assert len(found.spis) == MAX_SPIS
    assert found.problem == "2000 SPIs, the first 1024 are listed"


def test_a_long_identity_is_shown_in_part() -> None:
    for kind in (IdentificationType.FQDN, IdentificationType.KEY_ID, IdentificationType.DER_ASN1_GN):
        text = identity_text(kind, b"a" * 60_000)
        assert len(text) < 2_100
        assert text.endswith("... (60000 octets)")
