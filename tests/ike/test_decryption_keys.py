"""Key tables: rows of both versions, what is wrong with others, and that no key is shown."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.ike.decryption_keys import (
    Encryption,
    Integrity,
    KeyTable,
    KeyTableError,
    encryption_named,
    integrity_named,
    parse_table,
)

V1 = "01e21441b7f6b075,880840146437b5aee607599512f192735100b5bfdc356775ede77ce76e95d163"
V2 = (
    '191ccd371a7a1f7b,bc123d15e4af593f,{k32},{k32},"AES-CBC-256 [RFC3602]",{k32},{k32},"HMAC_SHA2_256_128 [RFC4868]"'
).format(k32="ab" * 32)


def test_rows_of_both_versions() -> None:
    found = parse_table(f"# This file is generated.\n\n{V1}\r\n{V2}\n", "table")
    assert found.v1[0].initiator_cookie.hex() == "01e21441b7f6b075"
    assert len(found.v1[0].key) == 32
    assert found.v2[0].encryption == Encryption("AES", "CBC", 32)
    assert found.v2[0].integrity == Integrity("sha256", 16)
    assert found.v2[0].proves
    assert found.rows == 2


def test_tables_add_up_without_saying_a_row_twice() -> None:
    one = parse_table(V1, "a")
    assert (one + parse_table(f"{V1}\n{V2}", "b")).rows == 2
    assert (KeyTable() + one) == one


@pytest.mark.parametrize(
    ("name", "key", "salt", "icv"),
    [
        ("3DES [RFC2451]", 24, 0, 0),
        ("NULL [RFC2410]", 0, 0, 0),
        ("AES-CBC-128 [RFC3602]", 16, 0, 0),
        ("AES-CTR-192 [RFC5930]", 24, 4, 0),
        ("AES-GCM-256 with 8 octet ICV [RFC5282]", 32, 4, 8),
        ("AES-CCM-128 with 12 octet ICV [RFC5282]", 16, 3, 12),
    ],
)
def test_encryption_names(name: str, key: int, salt: int, icv: int) -> None:
    found = encryption_named(name)
    assert found is not None
    assert (found.key, found.salt, found.icv) == (key, salt, icv)


def test_integrity_names() -> None:
    assert integrity_named("HMAC_SHA2_512_256 [RFC4868]") == Integrity("sha512", 32)
    assert integrity_named("NONE [RFC4306]") == Integrity(None, 0)
    assert integrity_named("ANY 96-bits of Authentication [No Checking]") == Integrity(None, 12)
    assert integrity_named("HMAC_TIGER") is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("one field", "1 fields"),
        ("01e21441b7f6b075,5ecretz", "the key is not made of hexadecimal digits"),
        ("01e2,880840146437b5aee607599512f19273", "the cookie has 2 octets, 8 are due"),
        (V2.replace("AES-CBC-256", "ROT13"), "no encryption algorithm"),
        (V2.replace("HMAC_SHA2_256_128", "CRC32"), "no integrity algorithm"),
        (V2.replace("ab" * 32, "ab" * 16, 1), "an encryption key of 16 octets; this algorithm takes 32"),
        ('"SHA1","tunnel","10.1.0.2","10.2.0.2"', "4 fields"),
    ],
)
def test_what_is_no_row_says_where_and_why_and_not_what(line: str, says: str) -> None:
    with pytest.raises(KeyTableError) as caught:
        parse_table(f"# first\n{line}\n", "profile/table")
    assert str(caught.value).startswith("profile/table: line 2: ")
    assert says in str(caught.value)
    for secret in ("5ecretz", "880840146437", "abababab"):
        assert secret not in str(caught.value)


def test_repr_shows_no_key() -> None:
    found = parse_table(f"{V1}\n{V2}", "table")
    assert "88084014" not in repr(found)
    assert "abab" not in repr(found)
    assert "01e21441b7f6b075" in repr(found)


@given(st.text())
def test_any_text_is_a_table_or_an_error(text: str) -> None:
    with suppress(KeyTableError):
        parse_table(text, "table")
