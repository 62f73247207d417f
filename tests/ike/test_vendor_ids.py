"""Vendor IDs: examples seen on the wire, the hashes recomputed, and octets that nobody has seen yet."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.ike import vendor_ids
from pcapdiag.ike.vendor_ids import KNOWN, PREFIXES, Feature, Known, identify, supports_nat_traversal

EVERY_KNOWN = [*KNOWN, *(known for known, _ in PREFIXES)]


def seen(octets: str) -> vendor_ids.VendorId:
    return identify(bytes.fromhex(octets))


@pytest.mark.parametrize(
    ("octets", "name", "feature"),
    [
        ("4a131c81070358455c5728f20e95452f", "RFC 3947 NAT-T", Feature.NAT_T),
        ("90cb80913ebb696e086381b5ec427b1f", "draft-ietf-ipsec-nat-t-ike-02\\n", Feature.NAT_T_DRAFT),
        ("cd60464335df21f87cfdb2fc68b6a448", "draft-ietf-ipsec-nat-t-ike-02", Feature.NAT_T_DRAFT),
        ("50760f624c63e5c53eea386c685ca083", "ESPThruNAT", Feature.NAT_T_EARLY),
        ("afcad71368a1f1c96b8696fc77570100", "DPD (RFC 3706)", Feature.DPD),
        ("09002689dfd6b712", "XAuth", Feature.XAUTH),
        ("09002689dfd6b71280a224dec33b81e5", "XAuth", Feature.XAUTH),
        ("12f5f28c457168a9702d9fe274cc0100", "Cisco Unity", Feature.UNITY),
        ("4048b7d56ebce88525e7de7f00d6c2d3", "FRAGMENTATION", Feature.FRAGMENTATION),
        ("4048b7d56ebce88525e7de7f00d6c2d380000000", "FRAGMENTATION", Feature.FRAGMENTATION),
        ("4865617274426561745f4e6f74696679386b0100", "HeartBeat_Notify", Feature.KEEPALIVE),
        ("621b04bb09882ac1e15935fefa24aeee", "GSSAPI", Feature.GSS),
        ("434953434f2d44454c4554452d524541534f4e", "Cisco delete reason", Feature.DELETE_REASON),
        ("26244d38eddb61b3172a36e3d0cfb819", "Vid-Initial-Contact", Feature.INITIAL_CONTACT),
    ],
)
def test_features(octets: str, name: str, feature: Feature) -> None:
    found = seen(octets)
    assert found.name == name
    assert found.feature is feature
    assert found.data == bytes.fromhex(octets)


@pytest.mark.parametrize(
    "octets",
    [
        "4a131c81070358455c5728f20e95452f",
        "afcad71368a1f1c96b8696fc77570100",
        "09002689dfd6b712",
        "12f5f28c457168a9702d9fe274cc0100",
        "4048b7d56ebce88525e7de7f00d6c2d3c0000000",
        "464c455856504e2d535550504f52544544",  # FLEXVPN-SUPPORTED: Cisco and Huawei
    ],
)
def test_what_many_vendors_send_names_none(octets: str) -> None:
    assert seen(octets).vendor is None


@pytest.mark.parametrize(
    ("octets", "vendor", "version"),
    [
        ("afcad71368a1f1c96b8696fc77570100", None, "1.0"),
        ("4048b7d56ebce88525e7de7f00d6c2d3c0000000", None, "capabilities 0xc0000000"),
        ("1f07f70eaa6514d3b0fa96542a500100", "Cisco", None),  # an ASA; a VPN 3000 says its version
        ("1f07f70eaa6514d3b0fa96542a500306", "Cisco", "3.0.6"),
        ("f6f7efc7f5aeb8cb158cb9d094ba69e7", "Cisco", None),
        ("4855415745492d494b4576314453435000000000", "Huawei", None),
        ("4f45706c75746f756e697430", "Openswan", None),
        ("1e2b516905991c7d7c96fcbfb587e46100000004", "Microsoft Windows", "Windows XP SP2, Server 2003"),
        ("1e2b516905991c7d7c96fcbfb587e46100000009", "Microsoft Windows", "Windows 8, Server 2012 or later"),
        ("1e2b516905991c7d7c96fcbfb587e461000000ff", "Microsoft Windows", "version 255"),
        ("1e2b516905991c7d7c96fcbfb587e461", "Microsoft Windows", None),
        ("01528bbbc00696121849ab9a1c5b2a5100000002", "Microsoft Windows", "IKEv2"),
        ("7bb93867d76c8d80df0f40fae8fc3b1900000003", "Microsoft Windows", "group 14"),
        (
            "f4ed19e0c114eb516faaac0ee37daf2807b4381f000000010000138d0000000000000000180000ff",
            "Check Point",
            "Firewall-1/VPN-1 NG AI R55",
        ),
        (
            "f4ed19e0c114eb516faaac0ee37daf2807b4381f000000010000138d4b00000000000000180000ff",
            "Check Point",
            "Firewall-1/VPN-1 NGX or later",
        ),
        (
            "f4ed19e0c114eb516faaac0ee37daf2807b4381f0000000200000fa2000000000000000000000000",
            "Check Point",
            "SecuRemote/SecureClient 4.1 SP2-SP6",
        ),
        ("f4ed19e0c114eb516faaac0ee37daf2807b4381f", "Check Point", None),
        ("8299031757a36082c6a621de0005024d", "Fortinet FortiGate", "FortiOS 5, build 589"),
        ("8299031757a36082c6a621de00000000", "Fortinet FortiGate", None),
        ("4c53427b6d465d1b337bb755a37a7fef", "Fortinet FortiClient", None),
        ("699369228741c6d4ca094c93e242c9de19e7b7c60000000500000500", "Juniper", None),
        ("64405f46f03b7660a23be116a1975058e69e83870000000400000403", "Juniper NetScreen", "4.0.3"),
        ("2a2bcac19b8e91b426107807e02e7249569d6fd30000000b0000050a", "Juniper NetScreen", "5.1.0"),
        ("166f932d55eb64d8e4df4fd37e2313f0d0fd84510000000000000000", "Juniper NetScreen", None),
        (
            "47bbe7c993f1fc13b4e6d0db565c68e5010201010201010310382e302e3020284275696c6420313029000000",
            "SafeNet SoftRemote",
            "8.0.0 (Build 10)",
        ),
        ("5b362bc820f60007", "SonicWall", "7"),
        ("882fe56d6fd20dbc2251613b2ebe5beb", "strongSwan", None),
        ("dd180d21e5ce655a768ba32211dd8ad9", "strongSwan", "4.0.5"),
        ("a87680d00cbb939871eb680d18d052e2", "strongSwan", "4.6.4"),
        ("4f45486b7d44784d42676b5d", "FreeS/WAN", "2.00"),
        ("4f4568794c64414365636661", "Openswan", "2.6.32"),
        ("4f45457e5a5d6a", None, None),
        ("4f4574715e655577567a5f41", "Openswan", "2.4.10"),
        ("4f53577666617a6f6355505a", "Openswan", "2.6.40"),
        ("4f5357797f4472657a654753", "Openswan", "2.6.49"),
        ("4f454e5f52685050487b645e", "libreswan", "3.5"),
        ("4f454e574547444b6865684a", "libreswan", "3.3"),
        ("4f456b5262475852766d5045", "FreeS/WAN or Openswan", None),
        (b"OE-Libreswan-4.12".hex(), "libreswan", "4.12"),
        (b"OpenIKED-7.2".hex(), "OpenIKED", "7.2"),
        ("7003cbc1097dbe9c2600ba6983bc8b35", "racoon/ipsec-tools", None),
        ("fbf47614984031fa8e3bb6198089b223", "SSH/SafeNet QuickSec", "1.1.0"),
        ("7f21a596e4e318f0b2f4944c2384cb84", "SSH/SafeNet QuickSec", "2.0.0"),
        ("8f9cc94e01248ecdf147594c284b213b", "SSH/SafeNet QuickSec", "2.1.0"),
        ("054182a07c7ae206f9d2cf9d2432c482", "SSH Sentinel", None),
        ("eb4b0d96276b4e220ad16221a7b2a5e6", "SSH Sentinel", "1.4.1"),
        ("424e455300000009", "Nortel Contivity", "9"),
        (b"TIMESTEP 1 SGW 1520 315 2.01E013".hex(), "TimeStep", "1 SGW 1520 315 2.01E013"),
        (b"LVG9.2.245:BRICK:9.2.245".hex(), "Lucent", "9.2.245:BRICK:9.2.245"),
        (b"LVG\x00\x01\x02\x03\x04".hex(), None, None),
        ("08db45e6cb01f80bb576e9a78c0f54e1300b88815400", "ELVIS-PLUS Zastava", "5.4"),
        ("eb4c1b788afd4a9cb7730a68d56c5321", "NCP", None),
        ("625027749d5ab97f5616c1602765cf480a3b7d0b", "ZyXEL", None),
        ("ca3e2b854ba8030017dc1023a4fde2041f9f7463", "Aruba", None),
        ("01020304050607080954656c646174", "Teldat", None),
    ],
)
def test_vendors_and_versions(octets: str, vendor: str | None, version: str | None) -> None:
    found = seen(octets)
    assert (found.vendor, found.version) == (vendor, version)


def test_unknown_ids_are_named_by_their_octets() -> None:
    assert identify(b"").name == "unknown vendor ID"
    assert seen("00ff10").name == "unknown vendor ID 00ff10"
    assert identify(b"ACME-VPN 3.1").name == 'unknown vendor ID "ACME-VPN 3.1"'
    assert identify(b"ACME\x1b[31m").name == "unknown vendor ID 41434d451b5b33316d"
    assert identify(bytes(5000)).name == f"unknown vendor ID {'00' * 32}..."
    assert len(identify(b"A" * 5000).name) < 100


def test_trailing_zeros_of_a_text_do_not_hide_it() -> None:
    assert identify(b"CISCO-DELETE-REASON\0").feature is Feature.DELETE_REASON


@pytest.mark.parametrize("known", [known for known in EVERY_KNOWN if known.text], ids=lambda known: known.name)
def test_hashes_are_those_of_their_texts(known: Known) -> None:
    assert known.text is not None
    digest = hashlib.md5(known.text.encode(), usedforsecurity=False).hexdigest()
    assert digest.startswith(known.octets)
    assert len(known.octets) >= 16


def test_no_octets_stand_twice() -> None:
    octets = [known.octets for known in EVERY_KNOWN]
    assert len(octets) == len(set(octets))
    assert all(known.octets == known.octets.lower() for known in EVERY_KNOWN)


def test_every_line_is_found() -> None:
    for known in EVERY_KNOWN:
        found = seen(known.octets)
        assert (found.name, found.vendor, found.feature) == (known.name, known.vendor, known.feature)


def test_nat_traversal() -> None:
    dpd = seen("afcad71368a1f1c96b8696fc77570100")
    assert not supports_nat_traversal([])
    assert not supports_nat_traversal([dpd, seen("27bab5dc01ea0760ea4e3190ac27c0d0")])
    assert supports_nat_traversal([dpd, seen("4a131c81070358455c5728f20e95452f")])
    assert supports_nat_traversal(iter([seen("90cb80913ebb696e086381b5ec427b1f")]))


def check(data: bytes) -> None:
    found = identify(data)
    assert found.data == data
    assert found == identify(data)
    for text in (found.name, found.vendor or "", found.version or ""):
        assert text.isascii()
        assert text.isprintable()
        assert len(text) < 120
    assert found.name


@given(st.binary(max_size=80))
def test_any_octets_get_a_printable_name(data: bytes) -> None:
    check(data)


@given(st.sampled_from(EVERY_KNOWN), st.binary(max_size=60))
def test_anything_behind_a_known_prefix_gets_a_printable_name(known: Known, rest: bytes) -> None:
    check(bytes.fromhex(known.octets) + rest)


@given(st.sampled_from(EVERY_KNOWN), st.data())
def test_a_cut_id_never_fails(known: Known, data: st.DataObject) -> None:
    octets = bytes.fromhex(known.octets)
    check(octets[: data.draw(st.integers(0, len(octets)))])
