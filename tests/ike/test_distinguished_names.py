"""Distinguished names out of DER."""

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.ike.distinguished_names import name_text
from pcapdiag.ike.payloads import identity_text
from pcapdiag.ike.registry import IdentificationType


def made(*parts: tuple[x509.ObjectIdentifier, str]) -> bytes:
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts]).public_bytes()


def test_names_in_the_order_of_the_encoding() -> None:
    der = made((NameOID.COUNTRY_NAME, "CH"), (NameOID.ORGANIZATION_NAME, "Lab"), (NameOID.COMMON_NAME, "gw"))
    assert name_text(der) == "C=CH, O=Lab, CN=gw"
    assert identity_text(IdentificationType.DER_ASN1_DN, der) == "C=CH, O=Lab, CN=gw"


def test_what_is_not_printable_is_escaped() -> None:
    assert name_text(made((NameOID.COMMON_NAME, "a\x1b[31mé"))) == "CN=a\\x1b[31m\\xc3\\xa9"


def test_a_type_without_a_name_is_shown_as_numbers() -> None:
    assert name_text(made((x509.ObjectIdentifier("1.2.3.4567"), "x"))) == "1.2.3.4567=x"


@pytest.mark.parametrize(
    "der", [b"", b"\x30", b"\x30\x05\x31\x03", b"\x30\x81", b"\x04\x02hi", b"\x30\x03\x31\x01\x05"]
)
def test_what_is_no_name_stays_octets(der: bytes) -> None:
    assert name_text(der) is None or der == b"\x30\x00"
    assert identity_text(IdentificationType.DER_ASN1_DN, der) == der.hex()


@given(st.binary(max_size=80))
def test_any_octets(der: bytes) -> None:
    text = name_text(der)
    assert text is None or text.isascii()
