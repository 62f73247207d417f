"""What a message says, as we read it and as Wireshark shows it: pairs of functions that give comparable values.

A fact is a list of tuples of plain values, one for each payload (proposal, attribute …) that it is about, in order.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from pcapdiag.crosscheck.dissection import Field
from pcapdiag.ike.message import Message
from pcapdiag.ike.payloads import (
    Attribute,
    Certificate,
    Delete,
    Encrypted,
    Fragment,
    Identification,
    KeyExchange,
    NatDetection,
    Nonce,
    Notification,
    OriginalAddress,
    Payload,
    Proposal,
    SecurityAssociation,
    VendorIdPayload,
)
from pcapdiag.ike.payloads_sealed import Authentication, Configuration, TrafficSelectors

Fact = list[tuple[object, ...]]
Payloads = Sequence[Payload]
P = TypeVar("P", bound=Payload)


def header(message: Message) -> Fact:
    """Its header, as we read it."""
    head = message.header
    numbers = (head.next_payload, head.version, head.exchange_type, head.flags, head.message_id)
    # Wireshark shows no length where the frame was snapped short of the message, unless it finds it too large.
    length = None if message.cut and head.length < 1 << 31 else head.length
    return [(head.initiator_spi.hex(), head.responder_spi.hex(), *numbers, length)]


def shown_header(message: Field) -> Fact:
    """Its header, as Wireshark shows it."""
    numbers = ("nextpayload", "version", "exchangetype", "flags", "messageid", "length")
    return [(message.data("ispi"), message.data("rspi"), *map(message.number, numbers))]


def _of(payloads: Payloads, kind: type[P]) -> list[P]:
    return [payload for payload in payloads if isinstance(payload, kind)]


def _each_proposal(payloads: Payloads) -> Iterator[Proposal]:
    for payload in _of(payloads, SecurityAssociation):
        yield from payload.proposals


def _each_shown_proposal(shown: Field) -> Iterator[Field]:
    for payload in shown.under(1, 33):
        yield from payload.under(2)


def _payload_types(payloads: Payloads) -> Fact:
    return [(payload.type.value,) for payload in payloads]


def _shown_payload_types(shown: Field) -> Fact:
    return [(int(payload.show),) for payload in shown.all("typepayload")]


def _payload_bodies(payloads: Payloads) -> Fact:
    return [(payload.body.hex(),) for payload in payloads]


def _shown_payload_bodies(shown: Field) -> Fact:
    return [(payload.octets[8:],) for payload in shown.all("typepayload")]


def _situations(payloads: Payloads) -> Fact:
    return [(payload.doi, payload.situation) for payload in _of(payloads, SecurityAssociation)]


def _shown_situations(shown: Field) -> Fact:
    return [(payload.number("sa.doi"), _integer(payload, "sa.situation")) for payload in shown.under(1, 33)]


def _integer(field: Field, name: str) -> int | None:
    octets = field.data(name)
    return int(octets, 16) if octets else None


def _proposals(payloads: Payloads) -> Fact:
    return [(p.number, p.protocol.value, p.spi.hex(), len(p.transforms)) for p in _each_proposal(payloads)]


def _shown_proposals(shown: Field) -> Fact:
    return [
        (p.number("prop.number"), p.number("prop.protoid"), p.data("spi"), p.number("prop.transforms"))
        for p in _each_shown_proposal(shown)
    ]


def _transforms(payloads: Payloads) -> Fact:
    """IKEv1: number and identifier. IKEv2: type and identifier."""
    return [
        (t.number if t.kind is None else t.kind.value, int(t.id))
        for p in _each_proposal(payloads)
        for t in p.transforms
    ]


def _shown_transforms(shown: Field) -> Fact:
    return [
        (t.number("trans.number"), t.number("trans.id"))
        if t.one("trans.id")
        else (t.number("tf.type"), next(int(f.show) for f in t.fields if f.name.startswith("tf.id")))
        for p in _each_shown_proposal(shown)
        for t in p.under(3)
    ]


def _attributes(payloads: Payloads) -> Fact:
    return [
        (place, attribute.type.value, _value(attribute))
        for proposal in _each_proposal(payloads)
        for place, transform in enumerate(proposal.transforms)
        for attribute in transform.attributes
    ]


def _value(attribute: Attribute) -> int:
    value = attribute.value
    return value if isinstance(value, int) else int.from_bytes(value, "big")


def _shown_attributes(shown: Field) -> Fact:
    return [
        (place, attribute.number(f"{attribute.name}.type"), _integer(attribute, f"{attribute.name}.value") or 0)
        for proposal in _each_shown_proposal(shown)
        for place, transform in enumerate(proposal.under(3))
        for attribute in transform.fields
        if attribute.name in ("ike.attr", "ipsec.attr", "ike2.attr")
    ]


def _key_exchanges(payloads: Payloads) -> Fact:
    return [(payload.group, len(payload.data), payload.data.hex()) for payload in _of(payloads, KeyExchange)]


def _shown_key_exchanges(shown: Field) -> Fact:
    found: Fact = []
    for payload in shown.under(4, 34):
        data = payload.data("key_exchange.data")
        found.append((payload.number("key_exchange.dh_group"), len(data) // 2, data))
    return found


def _nonces(payloads: Payloads) -> Fact:
    return [(payload.body.hex(),) for payload in _of(payloads, Nonce)]


def _shown_nonces(shown: Field) -> Fact:
    return [(payload.data("nonce"),) for payload in shown.under(10, 40)]


def _identities(payloads: Payloads) -> Fact:
    return [
        (payload.id_type.value, payload.protocol, payload.port, payload.data.hex())
        for payload in _of(payloads, Identification)
    ]


def _shown_identities(shown: Field) -> Fact:
    return [
        (payload.number("id.type"), payload.number("id.protoid"), payload.number("id.port"), _identity(payload))
        for payload in shown.under(5, 35, 36)
    ]


def _identity(payload: Field) -> str:
    """The data: one field, or two for a subnet or a range."""
    data = payload.one("id.data")
    return "".join(part.octets for part in data.fields if part.name.startswith("id.data.")) if data else ""


def _certificates(payloads: Payloads) -> Fact:
    return [(payload.type.value, payload.encoding.value) for payload in _of(payloads, Certificate)]


def _shown_certificates(shown: Field) -> Fact:
    return [
        (int(payload.show), payload.number("cert.encoding" if payload.one("cert.encoding") else "certreq.type"))
        for payload in shown.under(6, 7, 37, 38)
    ]


def _vendor_ids(payloads: Payloads) -> Fact:
    return [(payload.body.hex(),) for payload in _of(payloads, VendorIdPayload)]


def _shown_vendor_ids(shown: Field) -> Fact:
    return [(payload.data("vid_bytes"),) for payload in shown.under(13, 43)]


def _notifications(payloads: Payloads) -> Fact:
    return [
        (payload.doi, payload.protocol.value, payload.spi.hex(), payload.notify_type.value, payload.data.hex())
        for payload in _of(payloads, Notification)
    ]


def _shown_notifications(shown: Field) -> Fact:
    return [
        (
            payload.number("notify.doi"),
            payload.number("notify.protoid"),
            payload.data("spi"),
            payload.number("notify.msgtype"),
            payload.data("notify.data"),
        )
        for payload in shown.under(11, 41)
    ]


def _deletes(payloads: Payloads) -> Fact:
    return [
        (payload.doi, payload.protocol.value, [spi.hex() for spi in payload.spis]) for payload in _of(payloads, Delete)
    ]


def _shown_deletes(shown: Field) -> Fact:
    return [
        (
            payload.number("delete.doi"),
            payload.number("delete.protoid"),
            [spi.octets for spi in payload.all("delete.spi")],
        )
        for payload in shown.under(12, 42)
    ]


def _nat_detections(payloads: Payloads) -> Fact:
    return [(payload.body.hex(),) for payload in _of(payloads, NatDetection)]


def _shown_nat_detections(shown: Field) -> Fact:
    return [(payload.data("ike.nat_hash"),) for payload in shown.under(15, 20, 130)]


def _original_addresses(payloads: Payloads) -> Fact:
    return [(payload.id_type.value, payload.address) for payload in _of(payloads, OriginalAddress)]


def _shown_original_addresses(shown: Field) -> Fact:
    names = ("ike.nat_original_address_ipv4", "ike.nat_original_address_ipv6")
    return [
        (payload.number("id.type"), *(field.show for name in names for field in payload.all(name)))
        for payload in shown.under(21, 131)
    ]


def _fragments(payloads: Payloads) -> Fact:
    return [(piece.fragment_id, piece.number, piece.last) for piece in _of(payloads, Fragment)]


def _shown_fragments(shown: Field) -> Fact:
    return [
        (piece.number("frag.packetid"), piece.number("frag.seq"), piece.number("frag.last"))
        for piece in shown.under(132)
    ]


def _encrypted(payloads: Payloads) -> Fact:
    """The payload inside is the next one that the generic header names (RFC 7296 §3.14)."""
    return [(payload.inner.value, payload.number, payload.total) for payload in _of(payloads, Encrypted)]


def _shown_encrypted(shown: Field) -> Fact:
    return [
        (payload.number("nextpayload"), payload.number("frag.number"), payload.number("frag.total"))
        for payload in shown.under(46, 53)
    ]


FACTS: dict[str, tuple[Callable[[Payloads], Fact], Callable[[Field], Fact]]] = {
    "payload types": (_payload_types, _shown_payload_types),
    "payload bodies": (_payload_bodies, _shown_payload_bodies),
    "situations": (_situations, _shown_situations),
    "proposals": (_proposals, _shown_proposals),
    "transforms": (_transforms, _shown_transforms),
    "attributes": (_attributes, _shown_attributes),
    "key exchanges": (_key_exchanges, _shown_key_exchanges),
    "nonces": (_nonces, _shown_nonces),
    "identities": (_identities, _shown_identities),
    "certificates": (_certificates, _shown_certificates),
    "vendor IDs": (_vendor_ids, _shown_vendor_ids),
    "notifications": (_notifications, _shown_notifications),
    "deletes": (_deletes, _shown_deletes),
    "NAT detections": (_nat_detections, _shown_nat_detections),
    "original addresses": (_original_addresses, _shown_original_addresses),
    "fragments": (_fragments, _shown_fragments),
    "encrypted": (_encrypted, _shown_encrypted),
}
"""What is compared of the payloads of a message, by name; ours first, then Wireshark's below the same node."""


# --- what stands in encrypted messages only ----------------------------------------------------------------------


def _authentications(payloads: Payloads) -> Fact:
    return [(payload.method.value, payload.data.hex()) for payload in _of(payloads, Authentication)]


def _shown_authentications(shown: Field) -> Fact:
    return [(payload.number("auth.method"), payload.data("auth.data")) for payload in shown.under(39)]


def _traffic_selectors(payloads: Payloads) -> Fact:
    return [
        (s.type.value, s.protocol, s.first_port, s.last_port, s.first_address, s.last_address)
        for payload in _of(payloads, TrafficSelectors)
        for s in payload.selectors
    ]


def _shown_traffic_selectors(shown: Field) -> Fact:
    found: Fact = []
    for payload in shown.under(44, 45):
        for s in payload.all("ts.data"):
            version = "ipv4" if s.one("ts.start_ipv4") else "ipv6"
            ends = [field.show if (field := s.one(f"ts.{end}_{version}")) else "" for end in ("start", "end")]
            numbers = (s.number(f"ts.{name}") for name in ("type", "protoid", "start_port", "end_port"))
            found.append((*numbers, *ends))
    return found


def _configurations(payloads: Payloads) -> Fact:
    """Kinds only: the values hold passwords, and what is compared may be printed."""
    return [
        (payload.kind.value, [value.type.value for value in payload.values]) for payload in _of(payloads, Configuration)
    ]


def _shown_configurations(shown: Field) -> Fact:
    return [
        (payload.number("cfg.type"), [attribute.number("cfg.attr.type") for attribute in payload.all("cfg.attr")])
        for payload in shown.under(14, 47)
    ]


SEALED_FACTS: dict[str, tuple[Callable[[Payloads], Fact], Callable[[Field], Fact]]] = {
    **{name: pair for name, pair in FACTS.items() if name != "payload bodies"},
    "authentications": (_authentications, _shown_authentications),
    "traffic selectors": (_traffic_selectors, _shown_traffic_selectors),
    "configurations": (_configurations, _shown_configurations),
}
"""The same for what keys opened. Without the bodies, which may hold passwords: their contents are compared."""
