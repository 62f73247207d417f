"""Certificates held against the capture's time, their usage, the issuer that was asked for, and the identity."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.capture.datagram import Datagram
from pcapdiag.diagnosis.evidence.certificates import CertificateCheck, check_certificates
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.exchange.tracker import Tracker
from tests.diagnosis.scenarios import kinds, only
from tests.messages import COOKIE_I, ZERO, Wire, ke, message, sa, transform

DAY = 86400
AT = 30 * DAY
"""When the messages are captured, in seconds since the Unix epoch."""
RSA = ((1, 7), (14, 128), (2, 2), (3, 3), (4, 14))
GOOD = ("digital_signature",)


@cache
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def certificate(
    first: int = 0,
    last: int = 60 * DAY,
    usage: Sequence[str] | None = GOOD,
    purposes: Sequence[ObjectIdentifier] = (),
    names: Sequence[x509.GeneralName] = (x509.DNSName("gw.example.com"),),
    issuer: str = "CA",
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name("gw"))
        .issuer_name(name(issuer))
        .public_key(key().public_key())
        .serial_number(1)
        .not_valid_before(datetime.fromtimestamp(first, UTC))
        .not_valid_after(datetime.fromtimestamp(last, UTC))
    )
    if usage is not None:
        flags = dict.fromkeys(
            (
                "digital_signature",
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "key_cert_sign",
                "crl_sign",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        builder = builder.add_extension(x509.KeyUsage(**{**flags, **dict.fromkeys(usage, True)}), critical=True)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key(), hashes.SHA256()).public_bytes(Encoding.DER)


FQDN = (5, b"\x02\0\0\0gw.example.com")


def clear(der: bytes, identity: tuple[int, bytes] = FQDN, asked: bytes | None = None) -> list[Datagram]:
    """Aggressive Mode with signatures: the responder's certificate goes in clear (RFC 2409 §5.1)."""
    requests = [] if asked is None else [(7, b"\x04" + asked)]
    opening = [sa(transform(1, *RSA)), *ke(), FQDN, *requests]
    answer = [sa(transform(1, *RSA)), *ke(), identity, (6, b"\x04" + der), (9, bytes(64))]
    wire = Wire()
    return [
        wire.datagram(AT, message(4, opening, cookies=(COOKIE_I, ZERO))),
        wire.datagram(AT, message(4, answer), left=False),
    ]


def checked(der: bytes, identity: tuple[int, bytes] = FQDN, asked: bytes | None = None) -> CertificateCheck:
    tracker = Tracker()
    for item in clear(der, identity, asked):
        tracker.feed(item)
    (exchange,) = tracker.exchanges()
    (found,) = check_certificates(exchange)
    return found


def faults(der: bytes, identity: tuple[int, bytes] = FQDN, asked: bytes | None = None) -> list[str]:
    return [fault.kind for fault in checked(der, identity, asked).faults]


def test_a_sound_certificate() -> None:
    found = checked(certificate(), asked=name("CA").public_bytes())
    assert (found.subject, found.issuer, found.faults) == ("CN=gw", "CN=CA", ())
    assert found.checked == (
        "valid at that time",
        "its key usage allows signatures",
        "issued by an authority that the initiator asks for",
        "an alternative name is the identity",
    )


def test_validity() -> None:
    assert faults(certificate(last=AT - DAY)) == ["expired"]
    assert faults(certificate(first=AT + DAY)) == ["not-yet-valid"]


@pytest.mark.parametrize("usage", [("crl_sign",), ("key_encipherment", "data_encipherment")])
def test_key_usage(usage: Sequence[str]) -> None:
    (fault,) = checked(certificate(usage=usage)).faults
    assert fault.kind == "key-usage"
    assert usage[0].replace("_", " ") in fault.text


@pytest.mark.parametrize(
    ("purposes", "wanted"),
    [
        ([ObjectIdentifier("1.3.6.1.5.5.7.3.17")], []),
        ([ExtendedKeyUsageOID.SERVER_AUTH], []),
        ([ExtendedKeyUsageOID.CODE_SIGNING], ["extended-key-usage"]),
        ([ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], []),
    ],
)
def test_extended_key_usage(purposes: list[ObjectIdentifier], wanted: list[str]) -> None:
    assert faults(certificate(purposes=purposes)) == wanted


def test_without_any_usage_nothing_is_said_of_it() -> None:
    found = checked(certificate(usage=None))
    assert found.faults == ()
    assert not any("usage" in text for text in found.checked)


@pytest.mark.parametrize(
    ("identity", "names", "wanted"),
    [
        ((5, b"\x02\0\0\0GW.example.com"), [x509.DNSName("gw.example.com")], []),
        ((5, b"\x02\0\0\0other.example.com"), [x509.DNSName("gw.example.com")], ["identity"]),
        ((5, b"\x01\0\0\0\xc0\0\x02\x01"), [x509.IPAddress(ip_address("192.0.2.1"))], []),
        ((5, b"\x01\0\0\0\xc0\0\x02\x02"), [x509.IPAddress(ip_address("192.0.2.1"))], ["identity"]),
        ((5, b"\x01\0\0\0\xc0\0\x02\x02"), [], ["identity"]),
        ((5, b"\x03\0\0\0me@example.com"), [x509.RFC822Name("me@example.com")], []),
        ((5, b"\x0b\0\0\0anything"), [], []),
        ((5, b"\x09\0\0\0" + name("gw").public_bytes()), [], []),
        ((5, b"\x09\0\0\0" + name("another").public_bytes()), [], ["identity"]),
    ],
)
def test_identity(identity: tuple[int, bytes], names: list[x509.GeneralName], wanted: list[str]) -> None:
    assert faults(certificate(names=names), identity) == wanted


def test_issuer() -> None:
    assert faults(certificate(), asked=name("CA").public_bytes()) == []
    assert faults(certificate(issuer="Other"), asked=name("CA").public_bytes()) == ["issuer"]
    assert faults(certificate(issuer="Other"), asked=b"") == []


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(st.binary(max_size=200), st.integers(0, 400), st.integers(1, 255))
def test_any_octets_are_a_certificate_or_unreadable(der: bytes, place: int, change: int) -> None:
    altered = bytearray(certificate())
    altered[place % len(altered)] ^= change
    for octets in (der, bytes(altered)):
        found = checked(octets)
        assert found.subject is None or found.subject.isascii()


def test_certificates_in_clear_are_evidence_without_keys() -> None:
    found = only(clear(certificate(usage=("crl_sign",))), AT + 60)
    assert {"certificate-of-responder", "certificate-key-usage-of-responder"} <= kinds(found)
    assert found.exchange.responder.identities == ("FQDN gw.example.com",)
    assert found.stop.outcome is Outcome.STALLED


def test_requests_say_whose() -> None:
    found = only(clear(certificate(), asked=name("Lab CA").public_bytes()), AT + 60)
    assert any("1 requests in AM1) of CN=Lab CA" in e.text for e in found.evidence)
