"""The registries: names and labels, unlisted numbers, and agreement with Wireshark's tables."""

from __future__ import annotations

import copy
import functools
import pickle
import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.ike import registry, registry_sealed
from pcapdiag.ike.registry import (
    AuthenticationMethod,
    CertificateEncoding,
    Doi,
    EncapsulationMode,
    EncryptionAlgorithm,
    EncryptionV2,
    ExchangeType,
    Group,
    GroupType,
    HashAlgorithm,
    HeaderFlag,
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
    TransformTypeV2,
)
from pcapdiag.ike.registry_sealed import (
    AuthenticationMethodV2,
    ConfigurationAttribute,
    ConfigurationType,
    ConfigurationTypeV1,
    TrafficSelectorType,
)

TABLES = Number.__subclasses__()


@pytest.mark.parametrize(
    ("number", "name", "label"),
    [
        (ExchangeType(2), "MAIN", "Main Mode"),
        (ExchangeType(37), "INFORMATIONAL_V2", "INFORMATIONAL"),
        (ExchangeType(243), "AUTHIP_MAIN", "AuthIP Main Mode"),
        (PayloadType(1), "SA", "SA"),
        (PayloadType(11), "NOTIFY", "N"),
        (PayloadType(13), "VENDOR_ID", "VID"),
        (PayloadType(15), "NAT_D_DRAFT_OLD", "NAT-D"),
        (PayloadType(33), "SA2", "SA"),
        (PayloadType(130), "NAT_D_DRAFT", "NAT-D"),
        (PayloadType(132), "FRAGMENT", "FRAG"),
        (NotifyType(14), "NO_PROPOSAL_CHOSEN", "NO_PROPOSAL_CHOSEN"),
        (NotifyType(17), "INVALID_KEY_INFORMATION", "INVALID_KEY_INFORMATION"),
        (NotifyTypeV2(17), "INVALID_KE_PAYLOAD", "INVALID_KE_PAYLOAD"),
        (NotifyType(36136), "R_U_THERE", "R_U_THERE"),
        (EncryptionAlgorithm(5), "TRIPLE_DES_CBC", "3DES-CBC"),
        (EncryptionAlgorithm(7), "AES_CBC", "AES-CBC"),
        (HashAlgorithm(4), "SHA2_256", "SHA2-256"),
        (AuthenticationMethod(1), "PRE_SHARED_KEY", "pre-shared key"),
        (Group(14), "MODP2048", "modp2048 (group 14)"),
        (Group(36), "ML_KEM_768", "ml-kem-768 (group 36)"),
        (Group(99), "UNKNOWN_99", "group 99"),
        (IdentificationType(3), "USER_FQDN", "USER_FQDN"),
        (TransformTypeV2(4), "KE", "KE"),
        (EncryptionAlgorithm(33001), "UNKNOWN_33001", "UNKNOWN_33001"),
        (Group(33001), "PRIVATE_USE_33001", "group 33001"),
        (EncryptionAlgorithm(65010), "PRIVATE_USE_65010", "PRIVATE_USE_65010"),
        (NotifyType(8192), "PRIVATE_USE_8192", "PRIVATE_USE_8192"),
        (Doi(0xFFFFFFFF), "UNKNOWN_4294967295", "UNKNOWN_4294967295"),
    ],
)
def test_name_and_label(number: Number, name: str, label: str) -> None:
    assert number.name == name
    assert str(number) == name
    assert number.label == label


def test_one_number_two_names() -> None:
    assert PayloadType.SA_KEK is PayloadType.NAT_D_DRAFT_OLD
    assert IdentificationType.RFC822_ADDR is IdentificationType.USER_FQDN
    assert TransformTypeV2.DH is TransformTypeV2.KE


def test_notify_errors() -> None:
    assert NotifyType.NO_PROPOSAL_CHOSEN.is_error
    assert NotifyType(9000).is_error
    assert not NotifyType.INITIAL_CONTACT.is_error
    assert not NotifyType.R_U_THERE.is_error
    assert not NotifyType(0).is_error
    assert NotifyTypeV2.TS_UNACCEPTABLE.is_error
    assert not NotifyTypeV2.COOKIE.is_error


def test_format() -> None:
    assert f"{NotifyType.INVALID_SPI}" == "INVALID_SPI"
    assert f"{NotifyType.INVALID_SPI:>12}" == " INVALID_SPI"
    assert f"{NotifyType.INVALID_SPI:d} {PayloadType.SKF:02x}" == "11 35"
    assert repr(EncryptionAlgorithm(99)) == "<EncryptionAlgorithm.UNKNOWN_99: 99>"


def test_header_flags_keep_unknown_bits() -> None:
    flags = HeaderFlag(0x88)
    assert HeaderFlag.INITIATOR in flags
    assert int(flags) == 0x88


def test_every_table_says_where_it_comes_from() -> None:
    for table in TABLES:
        assert table.__doc__
        assert re.search(r"RFC \d+|draft-", table.__doc__), table


def test_names_are_upper_case_and_labels_are_printable() -> None:
    for table in TABLES:
        for name, member in table.__members__.items():
            assert re.fullmatch(r"[A-Z][A-Z0-9_]*", name), (table, name)
            assert member.label.isprintable()
            assert member.is_listed


@pytest.mark.parametrize("value", [-1, 70000, 256, "2", None, 3.5])
def test_what_the_field_cannot_hold(value: object) -> None:
    with pytest.raises(ValueError, match="is not a valid PayloadType"):
        PayloadType(value)


def test_unlisted_numbers_stay_out_of_the_table() -> None:
    before = list(ExchangeType)
    unlisted = ExchangeType(199)
    assert not unlisted.is_listed
    assert list(ExchangeType) == before
    assert "UNKNOWN_199" not in ExchangeType.__members__


def test_wide_fields_do_not_keep_what_they_saw() -> None:
    for value in range(1000, 1100):
        assert Doi(value) == value
    assert not Doi._unlisted


@given(table=st.sampled_from(TABLES), value=st.integers(0, 255))
def test_any_number_prints_and_survives(table: type[Number], value: int) -> None:
    number = table(value)
    assert number == value
    assert hash(number) == hash(value)
    assert type(number) is table
    assert number.name
    assert number.label.isprintable()
    assert table(value) == number
    assert pickle.loads(pickle.dumps(number)) == number
    assert type(copy.deepcopy(number)) is table
    if table is not Doi:
        assert table(value) is number
    if not number.is_listed:
        assert number.name == f"{'PRIVATE_USE' if table.is_private(value) else 'UNKNOWN'}_{value}"


# --- Wireshark's tables ----------------------------------------------------------------------------------------

# Field, which of its tables (IKEv1 and IKEv2 share fields), our table, and whether Wireshark's texts are names.
WIRESHARK = [
    ("isakmp.exchangetype", 0, ExchangeType, False),
    ("isakmp.nextpayload", 0, PayloadType, False),
    ("isakmp.sa.doi", 0, Doi, True),
    ("isakmp.prop.protoid", 0, Protocol, False),
    ("isakmp.prop.protoid", 1, ProtocolV2, True),
    ("isakmp.notify.msgtype", 0, NotifyType, True),
    ("isakmp.notify.msgtype", 1, NotifyTypeV2, True),
    ("isakmp.id.type", 0, IdentificationType, True),
    ("isakmp.id.type", 1, IdentificationType, True),
    ("isakmp.cert.encoding", 0, CertificateEncoding, False),
    ("isakmp.cert.encoding", 1, CertificateEncoding, False),
    ("isakmp.ike.attr.type", 0, OakleyAttribute, False),
    ("isakmp.ike.attr.encryption_algorithm", 0, EncryptionAlgorithm, True),
    ("isakmp.ike.attr.hash_algorithm", 0, HashAlgorithm, True),
    ("isakmp.ike.attr.authentication_method", 0, AuthenticationMethod, False),
    ("isakmp.ike.attr.group_description", 0, Group, False),
    ("isakmp.ike.attr.group_type", 0, GroupType, True),
    ("isakmp.ike.attr.life_type", 0, LifeType, True),
    ("isakmp.ipsec.attr.type", 0, IpsecAttribute, False),
    ("isakmp.ipsec.attr.encap_mode", 0, EncapsulationMode, False),
    ("isakmp.ipsec.attr.auth_algorithm", 0, IpsecAuthentication, True),
    ("isakmp.notify.data.ipcomp.transform_id", 0, IpcompTransform, True),
    ("isakmp.tf.type", 0, TransformTypeV2, False),
    ("isakmp.tf.id.encr", 0, EncryptionV2, False),
    ("isakmp.tf.id.prf", 0, PrfV2, True),
    ("isakmp.tf.id.integ", 0, IntegrityV2, True),
    ("isakmp.auth.method", 0, AuthenticationMethodV2, False),
    ("isakmp.cfg.type", 0, ConfigurationTypeV1, True),
    ("isakmp.cfg.type", 1, ConfigurationType, True),
    ("isakmp.cfg.attr.type", 0, ConfigurationAttribute, True),
    ("isakmp.cfg.attr.type", 1, ConfigurationAttribute, True),
    ("isakmp.ts.type", 0, TrafficSelectorType, True),
]

# Where we differ, and why.
DIFFERENT_NAMES = {
    (HashAlgorithm, 2): "SHA is SHA-1, and is called so",
    (IpsecAuthentication, 2): "SHA is SHA-1, and is called so",
    (NotifyTypeV2, 46): "a slip in some Wireshark versions, which repeat 44's CHILD_SA_NOT_FOUND",
    (NotifyTypeV2, 16429): "SENDER_REQUEST_ID became GROUP_SENDER in the last draft of G-IKEv2; both are names here",
    (IdentificationType, 12): "Wireshark calls a list of identities, and a Fibre Channel name, KEY_LIST",
    (ConfigurationAttribute, 16525): "the draft writes XAUTH_CHALLENGE",
    (PrfV2, 4): "AES128_XCBC (RFC 4434); Wireshark says AES128_CBC",
    (PrfV2, 8): "AES128_CMAC (RFC 4615); Wireshark says AES128_CMAC6",
    (EncryptionAlgorithm, 127): "deprecated is an old number here",
}
NOT_LISTED = {
    (ConfigurationAttribute, 16400): "Wireshark knows only that Check Point sends it",
    (ConfigurationAttribute, 16401): "Wireshark knows only that Check Point sends it",
    (ConfigurationAttribute, 16402): "Wireshark knows only that Check Point sends it",
}


@functools.cache
def wireshark_tables() -> dict[str, list[dict[int, str]]]:
    """Give each field's tables as ``tshark -G values`` prints them; one that starts again at 0 is the next table."""
    found: dict[str, list[dict[int, str]]] = {}
    listing = subprocess.run(["tshark", "-G", "values"], capture_output=True, text=True, check=True, timeout=120)
    for line in listing.stdout.splitlines():
        if not line.startswith(("V\tisakmp.", "R\tisakmp.")):
            continue
        kind, field, *rest = line.split("\t")
        low, high, text = (rest[0], rest[0], rest[1]) if kind == "V" else rest[:3]
        tables = found.setdefault(field, [])
        if not tables or int(low, 0) == 0:
            tables.append({})
        if low == high:
            tables[-1][int(low, 0)] = text.strip()
    return found


def plain(name: str) -> str:
    return re.sub(r"^(ID|IPSEC|PRF|AUTH|ENCR)_|[^A-Z0-9]", "", name.upper().replace("-", "_"))


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: nothing to compare with")
@pytest.mark.parametrize(("field", "index", "table", "by_name"), WIRESHARK)
def test_agrees_with_wireshark(field: str, index: int, table: type[Number], by_name: bool) -> None:
    tables = wireshark_tables().get(field, [])
    if len(tables) <= index:
        pytest.skip(f"this tshark has no table {index} for {field}")
    if "3GPP" in "".join(tables[index].values()):
        pytest.skip("this tshark's table holds other bodies' private numbers")
    for value, text in tables[index].items():
        if re.match(r"(?i)reserved|unassigned|<unknown>|none|undefined|private|future", text):
            continue
        number = table(value)
        if (table, value) in NOT_LISTED or (table.is_private(value) and not number.is_listed):
            continue
        assert number.is_listed, f"{table.__name__} lacks {value}: {text}"
        if by_name and (table, value) not in DIFFERENT_NAMES:
            names = {plain(name) for name, member in table.__members__.items() if member == value}
            assert plain(text) in names | {plain(number.label)}, f"{table.__name__} {value}: {text}"


def test_module_lists_tables_only() -> None:
    assert len(TABLES) == len({table.__name__ for table in TABLES})
    modules = (registry, registry_sealed)
    assert all(any(getattr(m, table.__name__, None) is table for m in modules) for table in TABLES)
