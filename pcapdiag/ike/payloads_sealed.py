"""The payloads that stand only in what is encrypted: AUTH, traffic selectors, configuration, EAP.

Apart from `payloads`, because an analysis without keys never meets them in messages that it can read.
"""

import struct
from collections.abc import Callable
from socket import AF_INET, AF_INET6, inet_ntop

from pcapdiag.ike.payloads import DecodeError, Payload, decode
from pcapdiag.ike.printing import printable
from pcapdiag.ike.registry import PayloadType
from pcapdiag.ike.registry_sealed import (
    AuthenticationMethodV2,
    ConfigurationAttribute,
    ConfigurationType,
    ConfigurationTypeV1,
    TrafficSelectorType,
)
from pcapdiag.record import Record


class Authentication(Payload, frozen=True, kw_only=True, eq=False):
    """AUTH (RFC 7296 §3.8)."""

    method: AuthenticationMethodV2
    data: bytes


class TrafficSelector(Record, frozen=True):
    """One traffic selector (RFC 7296 §3.13.1): addresses as text, "" where the type has none."""

    type: TrafficSelectorType
    protocol: int
    first_port: int
    last_port: int
    first_address: str
    last_address: str

    @property
    def text(self) -> str:
        """`192.168.1.0–192.168.1.255`, with protocol and ports where not all are meant."""
        if not self.first_address:
            return self.type.label
        ends = dict.fromkeys((self.first_address, self.last_address))
        what = f" protocol {self.protocol}" if self.protocol else ""
        if (self.first_port, self.last_port) != (0, 0xFFFF):
            what += f" ports {self.first_port}–{self.last_port}"
        return "–".join(ends) + what


class TrafficSelectors(Payload, frozen=True, kw_only=True, eq=False):
    """TSi and TSr (RFC 7296 §3.13)."""

    selectors: tuple[TrafficSelector, ...]


class ConfigurationValue(Record, frozen=True):
    """One attribute of a configuration payload; `value` is never printed for those of SECRETS."""

    type: ConfigurationAttribute
    value: bytes

    def __repr__(self) -> str:
        """Show what may be seen."""
        return f"ConfigurationValue({self.type.name}, {self.text})"

    @property
    def text(self) -> str:
        """The value for a reader; of a password nothing but that it is there."""
        if self.type in SECRETS:
            return "(hidden)" if self.value else ""
        if self.type in _ADDRESSES and len(self.value) in (4, 16):
            return inet_ntop(AF_INET6 if len(self.value) == 16 else AF_INET, self.value)
        if self.type in _NUMBERS:
            return str(int.from_bytes(self.value, "big"))
        return printable(self.value)


class Configuration(Payload, frozen=True, kw_only=True, eq=False):
    """CP (RFC 7296 §3.15), and the attribute payload of mode-config and XAuth in IKEv1 (draft-dukes-ike-mode-cfg §3.2).

    identifier -- of the transaction, in IKEv1
    """

    kind: ConfigurationType | ConfigurationTypeV1
    identifier: int | None
    values: tuple[ConfigurationValue, ...]

    def __repr__(self) -> str:
        """Show what may be seen: the body may hold a password."""
        return f"Configuration({self.kind.label}, {list(self.values)})"

    def value(self, kind: ConfigurationAttribute) -> ConfigurationValue | None:
        """The first attribute of this type."""
        return next((v for v in self.values if v.type == kind), None)


class Eap(Payload, frozen=True, kw_only=True, eq=False):
    """EAP (RFC 7296 §3.16, RFC 3748 §4): code 1–4 is request, response, success, failure; type None without one."""

    code: int
    method: int | None


_Attribute = ConfigurationAttribute
SECRETS = frozenset(
    (
        _Attribute.XAUTH_USER_PASSWORD,
        _Attribute.XAUTH_PASSCODE,
        _Attribute.XAUTH_CHALLENGE,
        _Attribute.XAUTH_NEXT_PIN,
        _Attribute.XAUTH_ANSWER,
    )
)
"""What a user proves himself with (draft-beaulieu-ike-xauth §4.2); reports say that it was sent, not what it is."""
_ADDRESSES = frozenset(
    (
        _Attribute.INTERNAL_IP4_ADDRESS,
        _Attribute.INTERNAL_IP4_NETMASK,
        _Attribute.INTERNAL_IP4_DNS,
        _Attribute.INTERNAL_IP4_NBNS,
        _Attribute.INTERNAL_IP4_DHCP,
        _Attribute.INTERNAL_IP6_DNS,
    )
)
_NUMBERS = frozenset((_Attribute.XAUTH_STATUS, _Attribute.XAUTH_TYPE, _Attribute.INTERNAL_ADDRESS_EXPIRY))


def _need(body: bytes, octets: int) -> None:
    if len(body) < octets:
        raise DecodeError(f"{len(body)} octets, {octets} are the least")


def _authentication(kind: PayloadType, body: bytes, _major: int) -> Payload:
    _need(body, 4)
    return Authentication(type=kind, body=body, method=AuthenticationMethodV2(body[0]), data=body[4:])


def _traffic_selectors(kind: PayloadType, body: bytes, _major: int) -> Payload:
    _need(body, 4)
    found: list[TrafficSelector] = []
    at = 4
    for _ in range(body[0]):
        if at + 8 > len(body):
            raise DecodeError(f"{body[0]} selectors announced, {len(found)} are there")
        number, protocol, length, first, last = struct.unpack_from("!BBHHH", body, at)
        if length < 8 or at + length > len(body):
            raise DecodeError(f"selector declares {length} octets, {len(body) - at} are left")
        found.append(_selector(TrafficSelectorType(number), protocol, first, last, body[at + 8 : at + length]))
        at += length
    return TrafficSelectors(type=kind, body=body, selectors=tuple(found))


def _selector(kind: TrafficSelectorType, protocol: int, first: int, last: int, data: bytes) -> TrafficSelector:
    size = {TrafficSelectorType.TS_IPV4_ADDR_RANGE: 4, TrafficSelectorType.TS_IPV6_ADDR_RANGE: 16}.get(kind)
    if size is None:
        return TrafficSelector(kind, protocol, first, last, "", "")
    if len(data) != 2 * size:
        raise DecodeError(f"selector of {len(data)} octets of addresses, {2 * size} are due")
    family = AF_INET if size == 4 else AF_INET6
    return TrafficSelector(kind, protocol, first, last, inet_ntop(family, data[:size]), inet_ntop(family, data[size:]))


def _configuration(kind: PayloadType, body: bytes, major: int) -> Payload:
    _need(body, 4)
    values = []
    at = 4
    while at < len(body):
        if at + 4 > len(body):
            raise DecodeError(f"attribute cut after {len(body) - at} octets")
        first, second = struct.unpack_from("!HH", body, at)
        at += 4
        if first & 0x8000 and major == 1:  # IKEv1 alone has short attributes here (RFC 7296 §3.15.1)
            values.append(ConfigurationValue(_Attribute(first & 0x7FFF), second.to_bytes(2, "big")))
            continue
        if at + second > len(body):
            raise DecodeError(f"attribute {first & 0x7FFF} declares {second} octets, {len(body) - at} are left")
        values.append(ConfigurationValue(_Attribute(first & 0x7FFF), body[at : at + second]))
        at += second
    if major == 2:
        return Configuration(
            type=kind, body=body, kind=ConfigurationType(body[0]), identifier=None, values=tuple(values)
        )
    identifier = int.from_bytes(body[2:4], "big")
    return Configuration(
        type=kind, body=body, kind=ConfigurationTypeV1(body[0]), identifier=identifier, values=tuple(values)
    )


def _eap(kind: PayloadType, body: bytes, _major: int) -> Payload:
    _need(body, 4)
    return Eap(type=kind, body=body, code=body[0], method=body[4] if len(body) > 4 else None)


_DECODERS: dict[int, Callable[[PayloadType, bytes, int], Payload]] = {
    PayloadType.ATTRIBUTES: _configuration,
    PayloadType.AUTH: _authentication,
    PayloadType.TSI: _traffic_selectors,
    PayloadType.TSR: _traffic_selectors,
    PayloadType.CP: _configuration,
    PayloadType.EAP: _eap,
}


def decode_sealed(kind: PayloadType, body: bytes, major: int) -> Payload:
    """One payload out of what was encrypted, as `payloads.decode` does it for the rest. Never raises."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        return decode(kind, body, major)
    try:
        return decoder(kind, body, major)
    except DecodeError as error:
        return Payload(type=kind, body=body, problem=str(error))
