"""The payloads of IKE: RFC 2408 §3, RFC 2407 §4.6, RFC 3947, RFC 7296 §3, and what vendors made of them.

Every payload is a record whose docstring names its section. A payload whose body does not hold what its type
promises stays a plain `Payload` with the reason in `problem`, so that it never spoils its neighbours.
"""

import struct
from collections.abc import Callable, Iterator
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop

from pcapdiag.ike.printing import hexadecimal, printable
from pcapdiag.ike.registry import (
    AhTransform,
    AuthenticationMethod,
    CertificateEncoding,
    Doi,
    EncapsulationMode,
    EncryptionAlgorithm,
    EncryptionV2,
    EspTransform,
    Group,
    GroupType,
    HashAlgorithm,
    IdentificationType,
    IntegrityV2,
    IpcompTransform,
    IpsecAttribute,
    IpsecAuthentication,
    LifeType,
    NotifyType,
    NotifyTypeV2,
    Number,
    OakleyAttribute,
    PayloadType,
    PrfV2,
    Protocol,
    ProtocolV2,
    SequenceNumbersV2,
    TransformTypeV2,
)
from pcapdiag.record import Record

MAX_TRANSFORMS = 1_024
"""Proposals and transforms that are read of one security association; one with more is left undecoded."""
MAX_ATTRIBUTES = 64
"""Attributes of one transform."""
MAX_SPIS = 1_024
"""SPIs of one DELETE that are listed."""
_REMEMBERED = 2_048
"""Octets of the longest security association that is remembered, decoded."""


class DecodeError(ValueError):
    """Octets that are not what they should be. The text says what was found and where."""


class Payload(Record, frozen=True, kw_only=True, eq=False):
    """Any payload: the generic header of RFC 2408 §3.2 and RFC 7296 §3.2, and the body undecoded.

    Payloads are compared by identity: two of the same octets are two payloads.

    type -- which payload this is (from the next payload field of the one before it)
    body -- what follows the generic header, as far as it was captured
    problem -- why the body was not decoded further; None when it was, or when its type has no further decoding
    """

    type: PayloadType
    body: bytes
    problem: str | None = None


class Attribute(Record, frozen=True):
    """A data attribute of RFC 2408 §3.3.

    type -- OakleyAttribute in phase 1, IpsecAttribute in phase 2
    value -- an integer where the attribute is short, or long with at most eight octets; else the octets
    text -- the value as the registry names it: "AES-CBC", "28800"
    """

    type: Number
    value: int | bytes
    text: str


class Transform(Record, frozen=True):
    """One transform of a proposal (RFC 2408 §3.6, RFC 7296 §3.3.2).

    number -- as numbered in IKEv1; in IKEv2, where transforms have none, their place from 1
    kind -- IKEv2 transform type; None in IKEv1, where one transform holds a whole suite
    id -- the transform, out of the registry that protocol and kind say; a plain number where there is none
    """

    number: int
    kind: TransformTypeV2 | None
    id: int
    attributes: tuple[Attribute, ...]

    def attribute(self, kind: Number) -> Attribute | None:
        """The first attribute of this type."""
        return next((a for a in self.attributes if a.type == kind), None)


class Proposal(Record, frozen=True):
    """One proposal of a security association payload (RFC 2408 §3.5, RFC 7296 §3.3.1)."""

    number: int
    protocol: Protocol | ProtocolV2
    spi: bytes
    transforms: tuple[Transform, ...]


class SecurityAssociation(Payload, frozen=True, kw_only=True, eq=False):
    """SA (RFC 2408 §3.4, RFC 2407 §4.6.1; RFC 7296 §3.3). `doi` and `situation` are None in IKEv2."""

    doi: Doi | None
    situation: int | None
    proposals: tuple[Proposal, ...]


class KeyExchange(Payload, frozen=True, kw_only=True, eq=False):
    """KE (RFC 2408 §3.7, RFC 7296 §3.4). `group` is in the payload in IKEv2 only."""

    group: Group | None
    data: bytes


class Identification(Payload, frozen=True, kw_only=True, eq=False):
    """ID (RFC 2407 §4.6.2, RFC 7296 §3.5). `protocol` and `port` are None in IKEv2."""

    id_type: IdentificationType
    protocol: int | None
    port: int | None
    data: bytes

    @property
    def text(self) -> str:
        """The identity for a reader: an address, a name, or hexadecimal octets; printable ASCII only."""
        return identity_text(self.id_type, self.data)


class Certificate(Payload, frozen=True, kw_only=True, eq=False):
    """CERT and CERTREQ (RFC 2408 §3.9, §3.10; RFC 7296 §3.6, §3.7)."""

    encoding: CertificateEncoding
    data: bytes


class Nonce(Payload, frozen=True, kw_only=True, eq=False):
    """NONCE (RFC 2408 §3.13, RFC 7296 §3.9); the octets are the body."""


class Notification(Payload, frozen=True, kw_only=True, eq=False):
    """NOTIFY (RFC 2408 §3.14, RFC 7296 §3.10). `doi` is None in IKEv2."""

    doi: Doi | None
    protocol: Protocol | ProtocolV2
    spi: bytes
    notify_type: NotifyType | NotifyTypeV2
    data: bytes


class Delete(Payload, frozen=True, kw_only=True, eq=False):
    """DELETE (RFC 2408 §3.15, RFC 7296 §3.11). `doi` is None in IKEv2."""

    doi: Doi | None
    protocol: Protocol | ProtocolV2
    spis: tuple[bytes, ...]


class VendorIdPayload(Payload, frozen=True, kw_only=True, eq=False):
    """VENDOR ID (RFC 2408 §3.16, RFC 7296 §3.12); the octets are the body."""


class NatDetection(Payload, frozen=True, kw_only=True, eq=False):
    """NAT-D (RFC 3947 §3.2; payload 130 in drafts 01–03, 15 in drafts 04–08); the hash is the body."""


class OriginalAddress(Payload, frozen=True, kw_only=True, eq=False):
    """NAT-OA (RFC 3947 §5.2; payload 131 in drafts 01–03, 16 in drafts 04–08)."""

    id_type: IdentificationType
    address: str


class Fragment(Payload, frozen=True, kw_only=True, eq=False):
    """A piece of an IKEv1 message (payload 132, Cisco and Microsoft; [MS-IKEE] §2.2.3.1).

    fragment_id -- the same for all pieces of one message; number -- from 1; last -- no more follow
    data -- a piece of the message, which begins with an ISAKMP header of its own
    """

    fragment_id: int
    number: int
    last: bool
    data: bytes


class Encrypted(Payload, frozen=True, kw_only=True, eq=False):
    """SK (RFC 7296 §3.14) and SKF (RFC 7383 §2.5).

    inner -- type of the first payload inside; number, total -- of the fragment, None for SK
    """

    inner: PayloadType
    number: int | None
    total: int | None
    data: bytes


def identity_text(id_type: IdentificationType, data: bytes) -> str:
    """Identification data for a reader (RFC 2407 §4.6.2.1): printable ASCII, other octets as \\xNN."""
    try:
        if id_type in (IdentificationType.IPV4_ADDR, IdentificationType.IPV6_ADDR):
            return _address(data)
        if id_type in (IdentificationType.IPV4_ADDR_SUBNET, IdentificationType.IPV6_ADDR_SUBNET):
            half = len(data) // 2
            mask = int.from_bytes(data[half:], "big")
            return f"{_address(data[:half])}/{mask.bit_count()}"
        if id_type in (IdentificationType.IPV4_ADDR_RANGE, IdentificationType.IPV6_ADDR_RANGE):
            half = len(data) // 2
            return f"{_address(data[:half])}-{_address(data[half:])}"
    except ValueError:
        return hexadecimal(data)
    if id_type in (IdentificationType.FQDN, IdentificationType.USER_FQDN, IdentificationType.KEY_ID):
        return printable(data)
    if id_type == IdentificationType.DER_ASN1_DN:
        from pcapdiag.ike.distinguished_names import name_text  # certificates only

        return name_text(data[: 1 << 14]) or hexadecimal(data)
    return hexadecimal(data)


def _address(octets: bytes) -> str:
    """An IPv4 or IPv6 address as text; ValueError for any other number of octets."""
    return inet_ntop(AF_INET6 if len(octets) == 16 else AF_INET, octets)


# --- what stands inside a security association payload ---------------------------------------------------------

_OAKLEY_VALUES: dict[int, type[Number]] = {
    OakleyAttribute.ENCRYPTION: EncryptionAlgorithm,
    OakleyAttribute.HASH: HashAlgorithm,
    OakleyAttribute.AUTHENTICATION: AuthenticationMethod,
    OakleyAttribute.GROUP: Group,
    OakleyAttribute.GROUP_TYPE: GroupType,
    OakleyAttribute.LIFE_TYPE: LifeType,
}
_IPSEC_VALUES: dict[int, type[Number]] = {
    IpsecAttribute.LIFE_TYPE: LifeType,
    IpsecAttribute.GROUP: Group,
    IpsecAttribute.ENCAPSULATION_MODE: EncapsulationMode,
    IpsecAttribute.AUTHENTICATION: IpsecAuthentication,
}
_TRANSFORM_IDS: dict[int, type[int]] = {
    Protocol.AH: AhTransform,
    Protocol.ESP: EspTransform,
    Protocol.IPCOMP: IpcompTransform,
}
_TRANSFORM_IDS_V2: dict[int, type[int]] = {
    TransformTypeV2.ENCR: EncryptionV2,
    TransformTypeV2.PRF: PrfV2,
    TransformTypeV2.INTEG: IntegrityV2,
    TransformTypeV2.KE: Group,
    TransformTypeV2.SN: SequenceNumbersV2,
}


def _attributes(data: bytes, types: type[Number], values: dict[int, type[Number]]) -> Iterator[Attribute]:
    """Data attributes, RFC 2408 §3.3: a bit AF, 15 bits of type, then a value (AF=1) or a length (AF=0)."""
    at = found = 0
    while at < len(data):
        found += 1
        if found > MAX_ATTRIBUTES:
            raise DecodeError(f"more than {MAX_ATTRIBUTES} attributes")
        if at + 4 > len(data):
            raise DecodeError(f"attribute cut after {len(data) - at} octets")
        first, second = struct.unpack_from("!HH", data, at)
        at += 4
        value: int | bytes
        if first & 0x8000:
            value = second
        else:
            if at + second > len(data):
                raise DecodeError(f"attribute {first} declares {second} octets, {len(data) - at} are left")
            octets = data[at : at + second]
            at += second
            value = int.from_bytes(octets, "big") if 0 < second <= 8 else octets
        kind = types(first & 0x7FFF)
        if isinstance(value, bytes):
            text = hexadecimal(value)
        elif kind in values and value <= 0xFFFF:
            text = values[kind](value).label
        else:
            text = str(value)
        yield Attribute(kind, value, text)


def _substructures(data: bytes, what: str, more: int) -> Iterator[bytes]:
    """The bodies of proposals or transforms that follow each other (next, reserved, length).

    `more` is the value of the next field that announces another one. Some senders set the wrong value in the
    last one, so the end of the data ends the list as well.
    """
    at = found = 0
    following = more
    while following == more and at < len(data):
        found += 1
        if found > MAX_TRANSFORMS:
            raise DecodeError(f"more than {MAX_TRANSFORMS} {what}s")
        if at + 4 > len(data):
            raise DecodeError(f"{what} cut after {len(data) - at} octets")
        following, _, length = struct.unpack_from("!BBH", data, at)
        if length < 8:
            raise DecodeError(f"{what} declares {length} octets, 8 are the least")
        if at + length > len(data):
            raise DecodeError(f"{what} declares {length} octets, {len(data) - at} are left")
        yield data[at + 4 : at + length]
        at += length


def _transform_v1(body: bytes, protocol: Protocol | ProtocolV2) -> Transform:
    number, identifier = body[0], body[1]
    phase1 = protocol == Protocol.ISAKMP
    attributes = _attributes(
        body[4:],
        OakleyAttribute if phase1 else IpsecAttribute,
        _OAKLEY_VALUES if phase1 else _IPSEC_VALUES,
    )
    registry = _TRANSFORM_IDS.get(protocol, int)
    return Transform(number, None, registry(identifier), tuple(attributes))


def _transform_v2(body: bytes, number: int) -> Transform:
    kind = TransformTypeV2(body[0])
    (identifier,) = struct.unpack_from("!H", body, 2)
    # The additional key exchanges of RFC 9370 (types 6 to 12) choose among the same methods as KE.
    registry = Group if 6 <= kind <= 12 else _TRANSFORM_IDS_V2.get(kind, int)
    return Transform(number, kind, registry(identifier), tuple(_attributes(body[4:], OakleyAttribute, {})))


def _protocol(number: int, major: int) -> Protocol | ProtocolV2:
    return ProtocolV2(number) if major == 2 else Protocol(number)


def _proposal(body: bytes, major: int) -> Proposal:
    number, protocol_id, spi_size, _count = body[:4]
    protocol = _protocol(protocol_id, major)
    if 4 + spi_size > len(body):
        raise DecodeError(f"SPI of {spi_size} octets, {len(body) - 4} are left")
    spi, rest = body[4 : 4 + spi_size], body[4 + spi_size :]
    pieces = _substructures(rest, "transform", 3)
    if major == 2:
        transforms = tuple(_transform_v2(piece, place) for place, piece in enumerate(pieces, 1))
    else:
        transforms = tuple(_transform_v1(piece, protocol) for piece in pieces)
    return Proposal(number, protocol, spi, transforms)


def _proposals(data: bytes, major: int) -> tuple[Proposal, ...]:
    """The proposals of a security association. A peer sends the same ones each time, and so does a flood."""
    return _remembered(data, major) if len(data) <= _REMEMBERED else _decoded(data, major)


def _decoded(data: bytes, major: int) -> tuple[Proposal, ...]:
    found: list[Proposal] = []
    transforms = 0
    for piece in _substructures(data, "proposal", 2):
        found.append(_proposal(piece, major))
        transforms += len(found[-1].transforms)
        if transforms > MAX_TRANSFORMS:
            raise DecodeError(f"more than {MAX_TRANSFORMS} transforms")
    return tuple(found)


_remembered = lru_cache(512)(_decoded)


# --- one decoder a payload type; each takes type, body and major version ---------------------------------------


def _need(body: bytes, octets: int) -> None:
    if len(body) < octets:
        raise DecodeError(f"{len(body)} octets, {octets} are the least")


def _security_association(kind: PayloadType, body: bytes, major: int) -> Payload:
    if major == 2:
        proposals = _proposals(body, 2)
        return SecurityAssociation(type=kind, body=body, doi=None, situation=None, proposals=proposals)
    _need(body, 4)
    doi = Doi(int.from_bytes(body[:4], "big"))
    if doi != Doi.IPSEC:
        # Other domains, GDOI for one, have situations of other lengths.
        problem = f"DOI {doi.label} is not decoded"
        return SecurityAssociation(type=kind, body=body, doi=doi, situation=None, proposals=(), problem=problem)
    _need(body, 8)
    (situation,) = struct.unpack_from("!I", body, 4)
    if situation != 1:
        problem = f"situation {situation:#x} is not decoded"
        return SecurityAssociation(type=kind, body=body, doi=doi, situation=situation, proposals=(), problem=problem)
    proposals = _proposals(body[8:], 1)
    return SecurityAssociation(type=kind, body=body, doi=doi, situation=situation, proposals=proposals)


def _key_exchange(kind: PayloadType, body: bytes, major: int) -> Payload:
    if major != 2:
        return KeyExchange(type=kind, body=body, group=None, data=body)
    _need(body, 4)
    (group,) = struct.unpack_from("!H", body)
    return KeyExchange(type=kind, body=body, group=Group(group), data=body[4:])


def _identification(kind: PayloadType, body: bytes, major: int) -> Payload:
    _need(body, 4)
    id_type, protocol, port = struct.unpack_from("!BBH", body)
    return Identification(
        type=kind,
        body=body,
        id_type=IdentificationType(id_type),
        protocol=None if major == 2 else protocol,
        port=None if major == 2 else port,
        data=body[4:],
    )


def _certificate(kind: PayloadType, body: bytes, _major: int) -> Payload:
    _need(body, 1)
    return Certificate(type=kind, body=body, encoding=CertificateEncoding(body[0]), data=body[1:])


def _nonce(kind: PayloadType, body: bytes, _major: int) -> Payload:
    return Nonce(type=kind, body=body)


def _notification(kind: PayloadType, body: bytes, major: int) -> Payload:
    doi: Doi | None = None
    rest = body
    if major != 2:
        _need(body, 8)
        doi, rest = Doi(int.from_bytes(body[:4], "big")), body[4:]
    _need(rest, 4)
    protocol, spi_size, number = struct.unpack_from("!BBH", rest)
    if 4 + spi_size > len(rest):
        raise DecodeError(f"SPI of {spi_size} octets, {len(rest) - 4} are left")
    return Notification(
        type=kind,
        body=body,
        doi=doi,
        protocol=_protocol(protocol, major),
        spi=rest[4 : 4 + spi_size],
        notify_type=NotifyTypeV2(number) if major == 2 else NotifyType(number),
        data=rest[4 + spi_size :],
    )


def _delete(kind: PayloadType, body: bytes, major: int) -> Payload:
    doi: Doi | None = None
    rest = body
    if major != 2:
        _need(body, 8)
        doi, rest = Doi(int.from_bytes(body[:4], "big")), body[4:]
    _need(rest, 4)
    protocol, spi_size, count = struct.unpack_from("!BBH", rest)
    if 4 + spi_size * count > len(rest):
        raise DecodeError(f"{count} SPIs of {spi_size} octets, {len(rest) - 4} octets are left")
    # Without a size there is nothing to cut; a count alone must not make a list (RFC 7296 §3.11: zero for IKE).
    listed = min(count, MAX_SPIS) if spi_size else 0
    return Delete(
        type=kind,
        body=body,
        doi=doi,
        protocol=_protocol(protocol, major),
        spis=tuple(rest[4 + i * spi_size : 4 + (i + 1) * spi_size] for i in range(listed)),
        problem=f"{count} SPIs, the first {MAX_SPIS} are listed" if spi_size and count > MAX_SPIS else None,
    )


def _vendor_id(kind: PayloadType, body: bytes, _major: int) -> Payload:
    return VendorIdPayload(type=kind, body=body)


def _nat_detection(kind: PayloadType, body: bytes, _major: int) -> Payload:
    return NatDetection(type=kind, body=body)


def _original_address(kind: PayloadType, body: bytes, _major: int) -> Payload:
    _need(body, 4)
    id_type = IdentificationType(body[0])
    try:
        address = _address(body[4:])
    except ValueError:
        raise DecodeError(f"address of {len(body) - 4} octets") from None
    return OriginalAddress(type=kind, body=body, id_type=id_type, address=address)


def _fragment(kind: PayloadType, body: bytes, _major: int) -> Payload:
    _need(body, 4)
    fragment_id, number, flags = struct.unpack_from("!HBB", body)
    return Fragment(type=kind, body=body, fragment_id=fragment_id, number=number, last=bool(flags & 1), data=body[4:])


_DECODERS: dict[int, Callable[[PayloadType, bytes, int], Payload]] = {
    PayloadType.SA: _security_association,
    PayloadType.KE: _key_exchange,
    PayloadType.ID: _identification,
    PayloadType.CERT: _certificate,
    PayloadType.CERTREQ: _certificate,
    PayloadType.NONCE: _nonce,
    PayloadType.NOTIFY: _notification,
    PayloadType.DELETE: _delete,
    PayloadType.VENDOR_ID: _vendor_id,
    PayloadType.NAT_D_DRAFT_OLD: _nat_detection,
    PayloadType.NAT_D: _nat_detection,
    PayloadType.NAT_OA: _original_address,
    PayloadType.NAT_D_DRAFT: _nat_detection,
    PayloadType.NAT_OA_DRAFT: _original_address,
    PayloadType.FRAGMENT: _fragment,
    PayloadType.SA2: _security_association,
    PayloadType.KE2: _key_exchange,
    PayloadType.IDI: _identification,
    PayloadType.IDR: _identification,
    PayloadType.CERT2: _certificate,
    PayloadType.CERTREQ2: _certificate,
    PayloadType.NONCE2: _nonce,
    PayloadType.NOTIFY2: _notification,
    PayloadType.DELETE2: _delete,
    PayloadType.VENDOR_ID2: _vendor_id,
}


def decode(kind: PayloadType, body: bytes, major: int) -> Payload:
    """One payload from its body. `major` is the version of the message: 1 or 2. Never raises.

    SK and SKF are not decoded here: their generic header holds the type of the payload inside, and the message
    that is being read has it.
    """
    decoder = _DECODERS.get(kind)
    if decoder is None:
        return Payload(type=kind, body=body)
    try:
        return decoder(kind, body, major)
    except DecodeError as error:
        return Payload(type=kind, body=body, problem=str(error))


def cut_encrypted(body: bytes, inner: PayloadType, problem: str) -> Encrypted:
    """SK of which octets are missing; `problem` says so."""
    return Encrypted(type=PayloadType.SK, body=body, inner=inner, number=None, total=None, data=body, problem=problem)


def cut_notification(payload: Payload, major: int) -> Payload:
    """A notify of which the capture has the type, and not all that follows it; the payload itself where it has less."""
    rest = payload.body if major == 2 else payload.body[4:]
    if len(rest) < 4:
        return payload
    protocol, spi_size, number = struct.unpack_from("!BBH", rest)
    return Notification(
        type=payload.type,
        body=payload.body,
        doi=None if major == 2 else Doi(int.from_bytes(payload.body[:4], "big")),
        protocol=_protocol(protocol, major),
        spi=rest[4 : 4 + spi_size],
        notify_type=NotifyTypeV2(number) if major == 2 else NotifyType(number),
        data=rest[4 + spi_size :],
        problem=payload.problem,
    )


def decode_encrypted(kind: PayloadType, body: bytes, inner: PayloadType) -> Payload:
    """SK, or SKF with its number and total (RFC 7383 §2.5). Never raises."""
    if kind == PayloadType.SK:
        return Encrypted(type=kind, body=body, inner=inner, number=None, total=None, data=body)
    if len(body) < 4:
        return Payload(type=kind, body=body, problem=f"{len(body)} octets, 4 are the least")
    number, total = struct.unpack_from("!HH", body)
    return Encrypted(type=kind, body=body, inner=inner, number=number, total=total, data=body[4:])
