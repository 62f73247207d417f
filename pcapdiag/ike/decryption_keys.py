"""The keys that open what IKE encrypts, as Wireshark keeps them: `ikev1_decryption_table`, `ikev2_decryption_table`.

A table is text: comment lines begin with #, the fields of a row stand between commas, in quotes or not, octets as
hexadecimal digits.

    IKEv1   initiator cookie, encryption key
    IKEv2   initiator SPI, responder SPI, SK_ei, SK_er, encryption, SK_ai, SK_ar, integrity

Encryption and integrity are Wireshark's names. No text and no error that is made here holds a key, and neither does
what `repr` shows.
"""

import csv
import re

from pcapdiag.record import Record


class KeyTableError(ValueError):
    """A table that cannot be read. The text names the table, the line and the reason, never what stands there."""


class KeyV1(Record, frozen=True):
    """One row of the IKEv1 table: the encryption key of an ISAKMP SA (RFC 2409 appendix B)."""

    initiator_cookie: bytes
    key: bytes

    def __repr__(self) -> str:
        """Show whose key it is, not the key."""
        return f"KeyV1({self.initiator_cookie.hex()})"


class Encryption(Record, frozen=True):
    """How an IKEv2 message is encrypted.

    cipher -- "AES" or "3DES", "" for none; mode -- "CBC", "CTR", "GCM", "CCM", or "" for none
    key, salt, icv -- octets: of the key proper, of the nonce that stands behind it in SK_e, of the combined mode's
        integrity check value (0 where another algorithm makes it)
    """

    cipher: str
    mode: str
    key: int
    salt: int = 0
    icv: int = 0


class Integrity(Record, frozen=True):
    """How an IKEv2 message is protected: `digest` is hashlib's name, None where nothing is checked.

    octets -- of the integrity check value at the end of the message
    """

    digest: str | None
    octets: int


class KeysV2(Record, frozen=True):
    """One row of the IKEv2 table: the keys of both directions of an IKE SA (RFC 7296 §2.14)."""

    initiator_spi: bytes
    responder_spi: bytes
    sk_ei: bytes
    sk_er: bytes
    encryption: Encryption
    sk_ai: bytes
    sk_ar: bytes
    integrity: Integrity

    def __repr__(self) -> str:
        """Show whose keys they are, not the keys."""
        return f"KeysV2({self.initiator_spi.hex()}, {self.responder_spi.hex()})"

    @property
    def proves(self) -> bool:
        """A message that opens with these keys was made with them: an integrity check says so."""
        return bool(self.encryption.icv) or (self.integrity.digest is not None and self.integrity.octets > 0)


class KeyTable(Record, frozen=True):
    """The rows of one table or several."""

    v1: tuple[KeyV1, ...] = ()
    v2: tuple[KeysV2, ...] = ()

    def __add__(self, other: "KeyTable") -> "KeyTable":
        """The rows of both; what is in both counts once."""
        return KeyTable(tuple(dict.fromkeys(self.v1 + other.v1)), tuple(dict.fromkeys(self.v2 + other.v2)))

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.v1) + len(self.v2)


INTEGRITY = {
    "HMAC_MD5_96": Integrity("md5", 12),
    "HMAC_MD5_128": Integrity("md5", 16),
    "HMAC_SHA1_96": Integrity("sha1", 12),
    "HMAC_SHA1_160": Integrity("sha1", 20),
    "HMAC_SHA2_256_96": Integrity("sha256", 12),
    "HMAC_SHA2_256_128": Integrity("sha256", 16),
    "HMAC_SHA2_384_192": Integrity("sha384", 24),
    "HMAC_SHA2_512_256": Integrity("sha512", 32),
    "NONE": Integrity(None, 0),
}
"""Wireshark's names, without the reference in brackets behind them; the truncation is in the name (RFC 4868 §2.6)."""

_UNCHECKED = re.compile(r"ANY (\d+)-bits of Authentication")
_AES = re.compile(r"AES-(CBC|CTR)-(128|192|256)")
_COMBINED = re.compile(r"AES-(GCM|CCM)-(128|192|256) with (8|12|16) octet ICV")
_SALT = {"CBC": 0, "CTR": 4, "GCM": 4, "CCM": 3}
"""Octets behind the key in SK_e: RFC 5930 §2.2, RFC 5282 §4 and §7.1."""


def encryption_named(name: str) -> Encryption | None:
    """The encryption that Wireshark calls so; None for one that it does not know."""
    plain = name.split(" [")[0].strip()
    if plain == "NULL":
        return Encryption("", "", 0)
    if plain == "3DES":
        return Encryption("3DES", "CBC", 24)
    found = _AES.fullmatch(plain) or _COMBINED.fullmatch(plain)
    if found is None:
        return None
    mode, bits, *icv = found.groups()
    return Encryption("AES", mode, int(bits) // 8, _SALT[mode], int(icv[0]) if icv else 0)


def integrity_named(name: str) -> Integrity | None:
    """The integrity algorithm that Wireshark calls so; None for one that it does not know."""
    plain = name.split(" [")[0].strip()
    unchecked = _UNCHECKED.fullmatch(plain)
    return Integrity(None, int(unchecked[1]) // 8) if unchecked else INTEGRITY.get(plain)


def parse_table(text: str, name: str) -> KeyTable:
    """The rows of a table of either version, which the number of fields tells; `name` is for what goes wrong.

    Raises KeyTableError for a row that is neither.
    """
    v1: list[KeyV1] = []
    v2: list[KeysV2] = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        where = f"{name}: line {number}"
        try:
            fields = [f.strip() for f in next(csv.reader([stripped], skipinitialspace=True))]
        except csv.Error:
            raise KeyTableError(f"{where}: not a row of fields between commas") from None
        if len(fields) == 2:
            v1.append(KeyV1(_octets(fields[0], where, "cookie", 8), _octets(fields[1], where, "key")))
        elif len(fields) == 8:
            v2.append(_row_v2(fields, where))
        else:
            raise KeyTableError(f"{where}: {len(fields)} fields; a row of IKEv1 keys has 2, one of IKEv2 keys has 8")
    return KeyTable(tuple(v1), tuple(v2))


def _row_v2(fields: list[str], where: str) -> KeysV2:
    encryption, integrity = encryption_named(fields[4]), integrity_named(fields[7])
    if encryption is None:
        raise KeyTableError(f"{where}: the fifth field is no encryption algorithm that Wireshark names")
    if integrity is None:
        raise KeyTableError(f"{where}: the eighth field is no integrity algorithm that Wireshark names")
    keys = [_octets(fields[place], where, "key") for place in (2, 3, 5, 6)]
    for key in keys[:2]:
        wanted = encryption.key + encryption.salt
        if len(key) != wanted:
            raise KeyTableError(f"{where}: an encryption key of {len(key)} octets; this algorithm takes {wanted}")
    spis = [_octets(fields[place], where, "SPI", 8) for place in (0, 1)]
    return KeysV2(spis[0], spis[1], keys[0], keys[1], encryption, keys[2], keys[3], integrity)


def _octets(digits: str, where: str, what: str, length: int | None = None) -> bytes:
    try:
        found = bytes.fromhex(digits.removeprefix("0x"))
    except ValueError:
        raise KeyTableError(f"{where}: the {what} is not made of hexadecimal digits") from None
    if length is not None and len(found) != length:
        raise KeyTableError(f"{where}: the {what} has {len(found)} octets, {length} are due")
    return found
