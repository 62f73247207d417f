"""IKE messages: what stays, what is mapped, what is scrambled; as long as before, and read the same."""

import hashlib
import struct
from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pcapdiag.carve.addresses import AddressMap
from pcapdiag.carve.messages import Messages
from pcapdiag.carve.scramble import Scrambler
from pcapdiag.carve.treatments import PAYLOADS, Treatment
from pcapdiag.ike.message import Message, parse
from pcapdiag.ike.nat_traversal import nat_detection_hash
from pcapdiag.ike.payloads import Identification, Notification, Payload
from pcapdiag.ike.registry import HashAlgorithm, IdentificationType, NotifyType, NotifyTypeV2, PayloadType
from tests.messages import COOKIE_I, COOKIE_R, LEFT, RIGHT, ke, message, sa

KEY = b"k" * 32
SECRET = b"vpn.example.com"


def messages() -> Messages:
    return Messages(AddressMap(KEY), Scrambler(KEY))


def edited(octets: bytes, *ends: tuple[str, int]) -> Message:
    new = messages().edit(octets, ends)
    assert len(new) == len(octets)
    assert new[:28] == octets[:28]
    return parse(new)


def only(kind: int, body: bytes, version: int = 0x10) -> Payload:
    """What becomes of a payload that is alone in its message."""
    (payload,) = edited(message(2 if version == 0x10 else 34, [(kind, body)], version=version)).payloads
    assert payload.type == kind
    assert payload.problem is None
    return payload


def mapped(address: str) -> bytes:
    return AddressMap(KEY).octets(ip_address(address).packed)


def test_proposals_and_vendor_ids_stay_and_secrets_do_not() -> None:
    hash_and_vendor = [(8, bytes(20)), (13, b"a vendor")]
    octets = message(4, [sa(), *ke(), (5, b"\2\0\0\0" + SECRET), *hash_and_vendor])
    before, after = parse(octets).payloads, edited(octets).payloads
    assert [p.type for p in after] == [p.type for p in before]
    assert [p.type.label for p, q in zip(before, after, strict=True) if p.body == q.body] == ["SA", "VID"]


def test_what_is_encrypted_is_scrambled_the_same_way_each_time() -> None:
    one, other = (message(2, sealed=bytes(60) + last) for last in (b"\0\0\0\1", b"\0\0\0\2"))
    assert edited(one).octets == edited(one).octets != edited(other).octets
    assert edited(one).ciphertext[:56] != bytes(56)
    sk = message(35, [(46, bytes(80))], version=0x20)
    assert edited(sk).payloads[0].body != bytes(80)
    piece = message(35, [(53, b"\0\1\0\2" + bytes(80))], version=0x20)
    assert edited(piece).payloads[0].body[:4] == b"\0\1\0\2"


@pytest.mark.parametrize(
    ("kind", "data", "wanted"),
    [
        (1, ip_address(LEFT).packed, mapped(LEFT)),
        (5, ip_address("2001:db8::1").packed, mapped("2001:db8::1")),
        (4, ip_address("10.1.2.0").packed + b"\xff\xff\xff\0", mapped("10.1.2.0")[:3] + b"\0" + b"\xff\xff\xff\0"),
        (7, ip_address("10.1.2.3").packed * 2, mapped("10.1.2.3") * 2),
    ],
)
def test_identities_that_are_addresses_are_mapped_as_those_in_headers(kind: int, data: bytes, wanted: bytes) -> None:
    payload = only(5, bytes((kind, 17, 1, 0xF4)) + data)
    assert isinstance(payload, Identification)
    assert (payload.id_type, payload.protocol, payload.port, payload.data) == (kind, 17, 500, wanted)


@pytest.mark.parametrize("kind", [2, 3, 11])
def test_names_become_other_names_of_the_same_length(kind: int) -> None:
    for name in (b"vpn.example.com", b"user@example.com"):
        payload = only(5, bytes((kind, 0, 0, 0)) + name)
        assert isinstance(payload, Identification)
        assert len(payload.data) == len(name)
        assert payload.data != name
        assert payload.data.decode().replace("@", "").islower()
        assert (b"@" in payload.data) == (b"@" in name)
        assert payload.data == only(35, bytes((kind, 0, 0, 0)) + name, 0x20).body[4:]


def test_distinguished_names_keep_their_structure() -> None:
    def value(oid: bytes, text: bytes) -> bytes:
        pair = b"\x06" + bytes((len(oid),)) + oid + b"\x0c" + bytes((len(text),)) + text
        sequence = b"\x30" + bytes((len(pair),)) + pair
        return b"\x31" + bytes((len(sequence),)) + sequence

    body = value(b"\x55\x04\x06", b"DE") + value(b"\x55\x04\x03", b"gateway.example")
    name = b"\x30" + bytes((len(body),)) + body
    payload = only(5, b"\x09\0\0\0" + name)
    assert isinstance(payload, Identification)
    assert payload.id_type == IdentificationType.DER_ASN1_DN
    assert payload.text.startswith("C=")
    assert ", CN=" in payload.text or ",CN=" in payload.text
    assert b"gateway" not in payload.body
    assert b"DE" not in payload.body
    assert only(5, b"\x09\0\0\0" + b"no name").body[4:] != b"no name"


@pytest.mark.parametrize("name", ["MD5", "SHA1", "SHA2_256", "SHA2_384", "SHA2_512"])
def test_a_nat_d_hash_that_fits_fits_again(name: str) -> None:
    algorithm = HashAlgorithm[name]
    good = nat_detection_hash(algorithm, COOKIE_I, COOKIE_R, LEFT, 500) or b""
    bad = nat_detection_hash(algorithm, COOKIE_I, COOKIE_R, "10.9.9.9", 500) or b""
    octets = message(2, [(20, good), (20, bad), (130, good)])
    found = messages()
    new = [p.body for p in parse(found.edit(octets, [(RIGHT, 500), (LEFT, 500)])).payloads]
    wanted = nat_detection_hash(algorithm, COOKIE_I, COOKIE_R, AddressMap(KEY).text(LEFT), 500)
    assert new[0] == new[2] == wanted
    assert len(new[1]) == len(bad)
    assert len(found.lost) == 1
    # Nobody finds the inner address by trying, neither the old one nor the new.
    for address in ("10.9.9.9", AddressMap(KEY).text("10.9.9.9")):
        assert new[1] != nat_detection_hash(algorithm, COOKIE_I, COOKIE_R, address, 500)


def test_a_nat_d_hash_of_an_address_that_the_exchange_is_known_to_have() -> None:
    inner = nat_detection_hash(HashAlgorithm.SHA1, COOKIE_I, COOKIE_R, "10.9.9.9", 4500) or b""
    found = messages()
    found.learn(COOKIE_I, [("10.9.9.9", 4500)])
    (payload,) = parse(found.edit(message(2, [(20, inner)]))).payloads
    wanted = nat_detection_hash(HashAlgorithm.SHA1, COOKIE_I, COOKIE_R, AddressMap(KEY).text("10.9.9.9"), 4500)
    assert payload.body == wanted
    assert not found.lost


def v2_notify(number: int, data: bytes) -> tuple[int, bytes]:
    return 41, struct.pack("!BBH", 0, 0, number) + data


@pytest.mark.parametrize("number", [16388, 16389])
def test_nat_detection_of_ikev2(number: int) -> None:
    good = hashlib.sha1(COOKIE_I + COOKIE_R + ip_address(LEFT).packed + b"\x01\xf4").digest()
    octets = message(34, [v2_notify(number, good)], version=0x20)
    (payload,) = edited(octets, (LEFT, 500)).payloads
    assert isinstance(payload, Notification)
    assert payload.data == hashlib.sha1(COOKIE_I + COOKIE_R + mapped(LEFT) + b"\x01\xf4").digest()


@pytest.mark.parametrize(
    ("number", "data", "wanted"),
    [
        (NotifyTypeV2.INVALID_KE_PAYLOAD, b"\0\x0e", b"\0\x0e"),
        (NotifyTypeV2.ADDITIONAL_IP4_ADDRESS, ip_address(LEFT).packed, mapped(LEFT)),
        (NotifyTypeV2.ADDITIONAL_IP6_ADDRESS, ip_address("2001:db8::1").packed, mapped("2001:db8::1")),
        (NotifyTypeV2.COOKIE, b"c" * 16, None),
        (NotifyTypeV2.REDIRECT, b"\1\4" + ip_address(LEFT).packed, b"\1\4" + mapped(LEFT)),
        (NotifyTypeV2.REDIRECT, b"\3\7gateway" + b"n" * 16, None),
        (NotifyTypeV2.NO_PROPOSAL_CHOSEN, b"vpn.example.com", None),
        (40_999, b"private to somebody", None),
    ],
)
def test_data_of_notifies(number: int, data: bytes, wanted: bytes | None) -> None:
    payload = only(*v2_notify(number, data), 0x20)
    assert isinstance(payload, Notification)
    assert payload.notify_type == number
    assert len(payload.data) == len(data)
    if wanted is None:
        assert payload.data[2:] != data[2:]
    else:
        assert payload.data == wanted


def test_spis_of_notifies_and_deletes_stay() -> None:
    spi = b"\xca\xfe\xba\xbe"
    payload = only(11, struct.pack("!IBBH", 1, 3, 4, NotifyType.INITIAL_CONTACT) + spi + b"text")
    assert isinstance(payload, Notification)
    assert payload.spi == spi
    assert payload.data != b"text"
    delete = struct.pack("!IBBH", 1, 3, 4, 2) + spi + spi
    assert only(12, delete).body == delete


def test_configuration_attributes() -> None:
    attributes = struct.pack("!HH", 0x8000 | 16520, 0) + struct.pack("!HH", 16521, 4) + b"user"
    attributes += struct.pack("!HH", 1, 4) + ip_address("10.3.0.1").packed + struct.pack("!HH", 2, 4) + b"\xff\xff\0\0"
    body = b"\1\0\0\7" + attributes
    new = only(14, body).body
    assert new[:12] == body[:12]
    assert new[12:16] != b"user"
    assert new[16:20] + new[24:] == body[16:20] + body[24:]
    assert new[20:24] == mapped("10.3.0.1")


def test_traffic_selectors() -> None:
    def selector(first: str, last: str) -> bytes:
        return struct.pack("!BBHHH", 7, 17, 16, 500, 600) + ip_address(first).packed + ip_address(last).packed

    body = b"\2\0\0\0" + selector("10.3.0.1", "10.3.0.1") + selector("0.0.0.0", "255.255.255.255")
    new = only(44, body, 0x20).body
    assert new == b"\2\0\0\0" + body[4:12] + mapped("10.3.0.1") * 2 + selector("0.0.0.0", "255.255.255.255")


def test_original_addresses_and_certificates() -> None:
    assert only(21, b"\1\0\0\0" + ip_address(LEFT).packed).body == b"\1\0\0\0" + mapped(LEFT)
    certificate = only(6, b"\4" + b"CN=gateway" * 10).body
    assert certificate[:1] == b"\4"
    assert b"gateway" not in certificate


def test_a_gss_name_in_a_proposal_is_scrambled() -> None:
    name = "host.example".encode("utf-16-le")
    attribute = struct.pack("!HH", 16384, len(name)) + name
    transform = struct.pack("!BBH", 1, 1, 0) + struct.pack("!HH", 0x8001, 7) + attribute
    octets = message(2, [sa(transform)])
    after = edited(octets)
    assert name not in after.octets
    assert after.proposals[0].transforms[0].attributes[0] == parse(octets).proposals[0].transforms[0].attributes[0]


def test_the_first_piece_of_a_fragmented_message_is_the_message_that_it_begins() -> None:
    inner = message(2, [(5, b"\2\0\0\0" + SECRET), (8, bytes(20))])
    octets = [message(2, [(132, struct.pack("!HBB", 7, n, n - 1) + part)]) for n, part in ((1, inner[:60]), (2, inner))]
    first, second = (edited(o).payloads[0].body for o in octets)
    assert first[:32] == struct.pack("!HBB", 7, 1, 0) + inner[:28]
    assert SECRET not in first
    assert second[:4] == struct.pack("!HBB", 7, 2, 1)
    assert second[4:32] != inner[:28]


def test_octets_behind_the_message_and_a_payload_that_is_cut() -> None:
    octets = message(2, [(5, b"\2\0\0\0" + SECRET)])
    assert SECRET not in messages().edit(octets + SECRET)
    assert messages().edit(octets + SECRET)[: len(octets)] == messages().edit(octets)
    for size in range(len(octets)):
        new = messages().edit(octets[:size])
        assert len(new) == size
        assert SECRET[:6] not in new
    assert len(messages().edit(b"")) == 0


def test_every_payload_type_has_its_treatment_and_a_reason() -> None:
    decoded = {p for p in PayloadType if p not in (PayloadType.NONE, PayloadType.PROPOSAL, PayloadType.TRANSFORM)}
    assert set(PAYLOADS) <= {int(p) for p in decoded}
    assert all(reason for _, reason in PAYLOADS.values())
    unlisted = {p for p in decoded if int(p) not in PAYLOADS}
    for kind in unlisted:
        assert only(int(kind), SECRET * 3).body != SECRET * 3
    kept = {PayloadType(k) for k, (what, _) in PAYLOADS.items() if what is Treatment.KEEP}
    assert kept == {PayloadType.VENDOR_ID, PayloadType.VENDOR_ID2}


kinds = st.sampled_from([*PAYLOADS, 99, 200])
bodies = st.tuples(kinds, st.binary(max_size=60))


@given(st.lists(bodies, max_size=6), st.sampled_from([0x10, 0x20]), st.integers(0, 400), st.integers(0, 300))
@example([(1, bytes(4))], 0x20, 36, 0)  # a proposal of no length
def test_any_message_keeps_its_length_and_its_structure(
    payloads: list[tuple[int, bytes]], version: int, cut: int, length: int
) -> None:
    octets = message(2, payloads, version=version, length=length or None)[:cut]
    new = messages().edit(octets)
    assert len(new) == len(octets)
    assert new == messages().edit(octets)
    if len(octets) >= 28:
        before, after = parse(octets), parse(new)
        assert [p.type for p in after.payloads] == [p.type for p in before.payloads]
        assert after.problem == before.problem


@given(st.binary(max_size=300))
def test_any_octets_keep_their_length(octets: bytes) -> None:
    assert len(messages().edit(octets)) == len(octets)
    assert len(messages().edit(message(2)[:16] + octets)) == 16 + len(octets)


def test_the_name_of_an_issuer_that_is_asked_for() -> None:
    pair = b"\x06\x03\x55\x04\x03\x0c\x07example"
    name = b"\x30" + bytes((len(pair) + 4,)) + b"\x31" + bytes((len(pair) + 2,)) + b"\x30" + bytes((len(pair),)) + pair
    new = only(7, b"\4" + name).body
    assert new[:-7] == b"\4" + name[:-7]
    assert new[-7:] != b"example"
    assert new[-7:].isalpha()
