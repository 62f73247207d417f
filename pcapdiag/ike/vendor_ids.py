"""Vendor IDs: who is speaking, and which extensions it announces (RFC 2408 §3.16, RFC 7296 §3.12).

A vendor ID is a string of octets that its sender chose. Most are a hash of a text, many are the text itself, some carry
a version behind fixed octets. The tables give the octets, and the text where the octets are its MD5.

Sources: RFC 3706, RFC 3947 and its drafts; [MS-IKEE]; the tables of ike-scan, strongSwan, libreswan and Wireshark, read
as facts. An ID is in here only when one of them names it, or when it is the hash of a text that says what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import cache, lru_cache
from typing import NamedTuple

from pcapdiag.record import Record

_SHOWN_OCTETS = 32  # of an unknown ID: enough to look it up, short enough for a line of a report
_SHOWN_CHARACTERS = 64
_REMEMBERED = 64  # octets of the longest ID that is looked up once only: all that repeat are shorter


class Feature(StrEnum):
    """What a vendor ID announces, apart from the name of its sender."""

    NAT_T = "NAT traversal (RFC 3947)"
    NAT_T_DRAFT = "NAT traversal (draft of RFC 3947)"
    NAT_T_EARLY = "NAT traversal (proposal before the IETF's)"
    DPD = "dead peer detection"
    XAUTH = "XAuth"
    UNITY = "Cisco Unity"
    FRAGMENTATION = "IKE fragmentation"
    KEEPALIVE = "keep-alive"
    GSS = "GSS-API authentication"
    AUTHIP = "AuthIP"
    CRACK = "challenge-response authentication"
    INITIAL_CONTACT = "initial contact"
    DELETE_REASON = "delete with reason"
    OTHER = "other"


class VendorId(Record, frozen=True):
    """One vendor ID payload, identified as far as its octets allow.

    Attributes:
        data: the payload's octets, as sent.
        name: what a person reads; printable ASCII, whatever the octets are.
        vendor: the family of products that sends this ID; None where many do, or nobody knows.
        version: what the octets behind a fixed prefix, or the hashed text, say of version or capabilities.
        feature: the extension that the ID announces, if that is what it is for.
    """

    data: bytes
    name: str
    vendor: str | None = None
    version: str | None = None
    feature: Feature | None = None


class Known(NamedTuple):
    """A line of the table: octets in hexadecimal, name, vendor, feature, and the text whose MD5 starts with them."""

    octets: str
    name: str
    vendor: str | None = None
    feature: Feature | None = None
    text: str | None = None


def _md5(octets: str, text: str, vendor: str | None = None, feature: Feature | None = None) -> Known:
    """Make the line of an ID that is the MD5 of a text which serves as its name too."""
    return Known(octets, text.replace("\n", "\\n"), vendor, feature, text)


_CRACK = "IKE Challenge/Response for Authenticated Cryptographic Keys"

_DRAFT = Feature.NAT_T_DRAFT
_EARLY = Feature.NAT_T_EARLY
_OTHER = Feature.OTHER

_ARUBA = "Aruba"
_CHECK_POINT = "Check Point"
_CISCO = "Cisco"
_CRYPTOPRO = "CryptoPro"
_FORTICLIENT = "Fortinet FortiClient"
_FORTIGATE = "Fortinet FortiGate"
_FREESWAN = "FreeS/WAN"
_HUAWEI = "Huawei"
_JUNIPER = "Juniper"
_LIBRESWAN = "libreswan"
_NETSCREEN = "Juniper NetScreen"
_NCP = "NCP"
_OPENSWAN = "Openswan"
_RACOON = "racoon/ipsec-tools"
_SHREW = "Shrew Soft"
_SONICWALL = "SonicWall"
_SSH = "SSH/SafeNet QuickSec"
_STONESOFT = "Stonesoft"
_STRONGSWAN = "strongSwan"
_WINDOWS = "Microsoft Windows"
_XBOX = "Microsoft Xbox"
_ZYXEL = "ZyXEL"


# IDs that are known as a whole.
KNOWN: tuple[Known, ...] = (
    # NAT traversal: the RFC, its drafts, and what came before them
    Known("4a131c81070358455c5728f20e95452f", "RFC 3947 NAT-T", None, Feature.NAT_T, "RFC 3947"),
    _md5("4df37928e9fc4fd1b3262170d515c662", "draft-ietf-ipsec-nat-t-ike", None, _DRAFT),
    _md5("4485152d18b6bbcd0be8a8469579ddcc", "draft-ietf-ipsec-nat-t-ike-00", None, _DRAFT),
    _md5("16f6ca16e4a4066d83821a0f0aeaa862", "draft-ietf-ipsec-nat-t-ike-01", None, _DRAFT),
    _md5("cd60464335df21f87cfdb2fc68b6a448", "draft-ietf-ipsec-nat-t-ike-02", None, _DRAFT),
    _md5("90cb80913ebb696e086381b5ec427b1f", "draft-ietf-ipsec-nat-t-ike-02\n", None, _DRAFT),
    _md5("7d9419a65310ca6f2c179d9215529d56", "draft-ietf-ipsec-nat-t-ike-03", None, _DRAFT),
    _md5("9909b64eed937c6573de52ace952fa6b", "draft-ietf-ipsec-nat-t-ike-04", None, _DRAFT),
    _md5("80d0bb3def54565ee84645d4c85ce3ee", "draft-ietf-ipsec-nat-t-ike-05", None, _DRAFT),
    _md5("4d1e0e136deafa34c4f3ea9f02ec7285", "draft-ietf-ipsec-nat-t-ike-06", None, _DRAFT),
    _md5("439b59f8ba676c4c7737ae22eab8f582", "draft-ietf-ipsec-nat-t-ike-07", None, _DRAFT),
    _md5("8f8d83826d246b6fc7a8a6a428c11de8", "draft-ietf-ipsec-nat-t-ike-08", None, _DRAFT),
    _md5("42ea5b6f898d9773a575df26e7dd19e1", "draft-ietf-ipsec-nat-t-ike-09", None, _DRAFT),
    _md5("c40fee00d5d39ddb1fc762e09b7cfea7", "Testing NAT-T RFC", None, _DRAFT),
    Known("810fa565f8ab14369105d706fbd57279", "RFC XXXX (NAT-T)", "Oracle Solaris", _DRAFT, "RFC XXXX"),
    _md5("27bab5dc01ea0760ea4e3190ac27c0d0", "draft-stenberg-ipsec-nat-traversal-01", None, _EARLY),
    _md5("6105c422e76847e43f9684801292aecd", "draft-stenberg-ipsec-nat-traversal-02", None, _EARLY),
    Known(
        "6a7434c19d7e36348090a02334c9c805",
        "draft-huttunen-ipsec-esp-in-udp-00",
        None,
        _EARLY,
        "draft-huttunen-ipsec-esp-in-udp-00.txt",
    ),
    _md5("50760f624c63e5c53eea386c685ca083", "ESPThruNAT", None, _EARLY),
    # extensions that many vendors announce
    Known("3b9031dce4fcf88b489a923963dd0c49", "DPDv1_NG", _SHREW, Feature.DPD),
    Known("325df29a2319f2dd", "draft-krywaniuk-ipsec-antireplay-00", None, _OTHER),
    Known("8db7a41811221660", "draft-ietf-ipsec-heartbeats-00", None, Feature.KEEPALIVE),
    Known("2d7922c6b301d9b0e1342739e9cfbbd5", "delete with reason", None, Feature.DELETE_REASON),
    Known("ba290499c24e84e53a1d83a05e5f00c9", "Challenge/Response", None, Feature.CRACK, _CRACK),
    Known("0d33611a5d521b5e3c9c03d2fc107e12", "Challenge/Response\\n", None, Feature.CRACK, f"{_CRACK}\n"),
    Known(
        "ad3251042cdc4652c9e0734ce5de4c7d", "Challenge/Response (revised)", None, Feature.CRACK, f"{_CRACK} (Revised)"
    ),
    Known(
        "13f11823f966fa91900f024ba66a86ba",
        "Challenge/Response (revised)\\n",
        None,
        Feature.CRACK,
        f"{_CRACK} (Revised)\n",
    ),
    # Microsoft
    _md5("26244d38eddb61b3172a36e3d0cfb819", "Vid-Initial-Contact", _WINDOWS, Feature.INITIAL_CONTACT),
    Known(
        "ad2c0dd0b9c32083ccba25b8861ec455",
        "GSS-API authentication",
        None,
        Feature.GSS,
        "A GSS-API Authentication Method for IKE",
    ),
    Known(
        "b46d8914f3aaa3f2fedeb7c7db2943ca",
        "GSS-API authentication\\n",
        None,
        Feature.GSS,
        "A GSS-API Authentication Method for IKE\n",
    ),
    _md5("621b04bb09882ac1e15935fefa24aeee", "GSSAPI", None, Feature.GSS),
    Known("72872b95fcda2eb708efe322119b4971", "NLBS_PRESENT (fast failover)", _WINDOWS, _OTHER, "NLBS_PRESENT"),
    Known("214ca4faffa7f32d6748e5303395ae83", "MS-MamieExists (AuthIP)", _WINDOWS, Feature.AUTHIP, "MS-MamieExists"),
    _md5("e3a5966a76379fe707228231e5ce8652", "IKE CGA version 1", _WINDOWS, _OTHER),
    _md5("fb1de3cdf341b7ea16b7e5be0855f120", "MS-Negotiation Discovery Capable", _WINDOWS, _OTHER),
    _md5("686a8cbdfe634b405146fb2baf33e9e8", "MSFT IPsec Security Realm Id", _WINDOWS, _OTHER),
    _md5("8aa394cf8a5577dc3110c113b027a4f2", "Microsoft Xbox One 2013", _XBOX),
    Known("660822b3a73a244149578d62e0eb46a0", "Xbox IKEv2 Negotiation", _XBOX),
    # Cisco
    Known("f6f7efc7f5aeb8cb158cb9d094ba69e7", "Cisco VPN 3000 client", _CISCO, None, "ALTIGA NETWORKS"),
    Known("800100018002000180030002", "Cisco Unity firewall type", _CISCO, Feature.UNITY),
    Known("bdb41038a7ec5e5534dd004d0f91f927", "Cisco IOS (probably)", _CISCO),
    # strongSwan, racoon and other daemons
    _md5("882fe56d6fd20dbc2251613b2ebe5beb", "strongSwan", _STRONGSWAN),
    _md5("7003cbc1097dbe9c2600ba6983bc8b35", "KAME/racoon", _RACOON),
    Known("20a3622c1cea7ce37bee3ca484425276", "ipsec-tools", _RACOON),
    Known("4d6163204f53582031302e78", "Mac OS X 10.x", "Apple"),
    # Fortinet
    Known("1d6e178f6c2c0be284985465450fe9d4", "FortiGate", _FORTIGATE),
    _md5("b4f01ca951e9da8d0bafbbd34ad3044e", "Fortinet Endpoint Control", "Fortinet", _OTHER),
    Known(
        "4c53427b6d465d1b337bb755a37a7fef",
        "FortiClient connect license",
        _FORTICLIENT,
        _OTHER,
        "forticlient connect license",
    ),
    Known(
        "c1dc4350476b98a429b91781914ca43e",
        "FortiClient EAP extension",
        _FORTICLIENT,
        _OTHER,
        "Forticlient EAP Extension",
    ),
    Known("ca4a4cbb12eab6c58c57067c2e653786", "Fortinet auto-discovery receiver", _FORTIGATE, _OTHER),
    Known("9b15e65a871aff342666623ba5022e60", "Fortinet auto-discovery sender", _FORTIGATE, _OTHER),
    Known("a58fec5036f57b21e8b499e336c76ee6", "Fortinet exchange interface IP", _FORTIGATE, _OTHER),
    # Juniper
    Known("fd808804df73b15150709d878044cde0ac1efcde", "Juniper SRX", _JUNIPER),
    # Aruba
    Known("ca3e2b854ba8030017dc1023a4fde2041f9f7463", "Aruba remote access point", _ARUBA),
    Known("3c8e70bdf9c7d74add53e4100915dc2e4bb51274", "Aruba controller", _ARUBA),
    Known("88f0e3149b3fa48b05aa7f685f0b766be186ccb8", "Aruba VIA client", _ARUBA),
    # ZyXEL
    Known("b858d1addd08c1e8adafea150608aa4497aa6cc8", "ZyXEL ZyWALL router", _ZYXEL),
    Known("f758f22668750f03b08df6ebe1d0", "ZyXEL ZyWALL USG 100", _ZYXEL),
    Known("625027749d5ab97f5616c1602765cf480a3b7d0b", "ZyXEL ZyWALL", _ZYXEL),
    # SonicWall
    Known("404bf439522ca3f6", "SonicWall", _SONICWALL),
    Known("975b7816f69789600dda89040576e0db", "SonicWall Global VPN Client", _SONICWALL),
    # clients
    Known("f14b94b7bff1fef02773b8c49feded26", "Shrew Soft client", _SHREW),
    Known("101fb0b35c5a4f4c08b919f1cb9777b0", "NCP client", _NCP),
    Known("c61baca1f1a60cc10800000000000000", "NCP client", _NCP),
    Known("cbe79444a0870de4224a2c151fbfe099", "NCP client", _NCP),
    # others
    _md5("dbfb81eb5760b0788562067da102d755", "NETGEAR", "NETGEAR"),
    Known("4485152d18b6bbcc0be8a8469579ddcc", "Avaya VSU", "Avaya"),
    Known("c573b056d7faca36c2fba28374127cbf", "StoneGate", _STONESOFT),
    Known("baeb239037e17787d730eed9d95d48aa", "StoneGate", _STONESOFT),
    Known("8404adf9cda05760b2ca292e4bff537b", "Sidewinder", "McAfee Sidewinder"),
    Known("e720cdd49d2ee7b83ce1970a6c69b528", "Sidewinder G2 (probably)", "McAfee Sidewinder"),
    Known("9aa1f3b43472a45d5f506aeb26c0f214", "CyberGuard", "CyberGuard"),
)

# IDs that are readable as they are.
TEXTS: dict[bytes, tuple[str, str | None, Feature | None]] = {
    b"CISCO-DELETE-REASON": ("Cisco delete reason", _CISCO, Feature.DELETE_REASON),
    b"CISCO-DYNAMIC-ROUTE": ("Cisco dynamic route", _CISCO, _OTHER),
    b"CISCO-GRE-MODE": ("Cisco GRE mode", _CISCO, _OTHER),
    b"CISCOVPN-REV-02": ("Cisco VPN revision 2", _CISCO, _OTHER),
    # Cisco's routers announce it, and so do Huawei's: it tells no vendor.
    b"FLEXVPN-SUPPORTED": ("FlexVPN", None, _OTHER),
    b"HUAWEI-IKEv1DSCP": ("Huawei IKEv1 DSCP", _HUAWEI, _OTHER),
    # The text of which Windows sends the hash.
    b"MS-Negotiation Discovery Capable": ("MS-Negotiation Discovery Capable (as text)", None, _OTHER),
    b"OEplutounit0": ("Openswan's unit tests", _OPENSWAN, None),
    b"CISCO(COPYRIGHT)&Copyright (c) 2009 Cisco Systems, Inc.": ("Cisco copyright 2009", _CISCO, None),
    b"Opportunistic IPsec": ("Opportunistic IPsec", None, _OTHER),
    b"IKEv2": ("IKEv2 capable (obsolete)", "Openswan/libreswan", _OTHER),
}


def _numbers(octets: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(octets[at : at + 4]) for at in range(0, len(octets) - 3, 4))


def _printable(octets: bytes) -> str:
    return "".join(chr(octet) if 0x20 <= octet <= 0x7E else "." for octet in octets)


def _two_octets(rest: bytes) -> str | None:
    return f"{rest[0]}.{rest[1]}" if len(rest) == 2 else None


def _one_number(rest: bytes) -> str | None:
    return str(_numbers(rest)[0]) if len(rest) >= 4 else None


def _sonicwall(rest: bytes) -> str | None:
    return str(int.from_bytes(rest[:2])) if len(rest) >= 2 else None


def _text(rest: bytes) -> str | None:
    return _printable(rest[:_SHOWN_CHARACTERS]).strip(" -.:") or None


def _fragmentation(rest: bytes) -> str | None:
    """Give the capability word; the top bit is Main and Aggressive Mode, the next the base exchange."""
    return f"capabilities 0x{_numbers(rest)[0]:08x}" if len(rest) == 4 else None


def _altiga(rest: bytes) -> str | None:
    """Give the version; its second octet is two digits, one a nibble. Every ASA says 1.0.0, whatever it runs."""
    return f"{rest[0]}.{rest[1] >> 4}.{rest[1] & 15}" if len(rest) == 2 and rest != b"\x01\0" else None


_WINDOWS_VERSIONS = {
    2: "Windows 2000",
    3: "Windows XP",
    4: "Windows XP SP2, Server 2003",
    5: "Windows Vista",
    6: "Windows Server 2008",
    7: "Windows 7",
    8: "Windows Server 2008 R2",
    9: "Windows 8, Server 2012 or later",
}


def _windows(rest: bytes) -> str | None:
    number = _one_number(rest)
    return None if number is None else _WINDOWS_VERSIONS.get(int(number), f"version {number}")


def _windows_module(rest: bytes) -> str | None:
    number = _one_number(rest)
    return None if number is None else {"0": "IKE", "1": "AuthIP", "2": "IKEv2"}.get(number, number)


def _authip_group(rest: bytes) -> str | None:
    number = _one_number(rest)
    groups = {"0": "none", "1": "1", "2": "2", "3": "14", "4": "19", "5": "20", "6": "21"}
    return f"group {groups[number]}" if number in groups else None


_CHECK_POINT_PRODUCTS = {1: "Firewall-1/VPN-1", 2: "SecuRemote/SecureClient"}
_CHECK_POINT_VERSIONS = {
    2: "4.1",
    3: "4.1 SP1",
    4002: "4.1 SP2–SP6",
    5000: "NG",
    5001: "NG FP1",
    5002: "NG FP2",
    5003: "NG FP3",
    5004: "NG AI R54",
    5005: "NG AI R55",
    5006: "NG AI R56",
}


def _check_point(rest: bytes) -> str | None:
    """Give product and version: five numbers follow – product, version, time (NGX and later only), zero, features."""
    if len(rest) < 12:
        return None
    product, version, time = _numbers(rest)[:3]
    shown = _CHECK_POINT_VERSIONS.get(version, f"version {version}").replace("–", "-")
    if time and version == 5005:  # NGX kept the number of R55 but fills in the time
        shown = "NGX or later"
    return f"{_CHECK_POINT_PRODUCTS.get(product, f'product {product}')} {shown}"


def _fortigate(rest: bytes) -> str | None:
    """Give FortiOS release and build; newer releases send zeros."""
    if len(rest) < 4 or not any(rest[:4]):
        return None
    return f"FortiOS {int.from_bytes(rest[:2])}, build {int.from_bytes(rest[2:4])}"


def _netscreen(rest: bytes) -> str | None:
    """Give the version: the second number's octets are major, then minor times ten plus patch."""
    if len(rest) < 8 or not (version := _numbers(rest)[1]):
        return None
    return f"{version >> 8}.{(version & 0xFF) // 10}.{(version & 0xFF) % 10}"


def _safenet(rest: bytes) -> str | None:
    """Give the version text, which follows nine octets and its own length."""
    return _text(rest[9 : 9 + rest[8]]) if len(rest) > 9 else None


def _heartbeat(rest: bytes) -> str | None:
    return f"{rest[-2]}.{rest[-1]}" if len(rest) == 4 else None


def _nibbles(rest: bytes) -> str | None:
    return f"{rest[0] >> 4}.{rest[0] & 15}" if rest else None


Version = Callable[[bytes], str | None]


def _no_version(rest: bytes) -> None:
    """Nothing known follows the prefix."""


_NETSCREENS = (
    "299ee8289f40a8973bc78687e2e7226b532c3b76",
    "3a15e1f3cf2a63582e3ac82d1c64cbe3b6d779e7",
    "47d2b126bfcd83489760e2cf8c5d4d5a03497c15",
    "4a4340b543e02b84c88a8b96a8af9ebe77d9accc",
    "64405f46f03b7660a23be116a1975058e69e8387",
    "8c0dc6cf62a0ef1b5c6eabd1b67ba69866adf16a",
    "92d27a9ecb31d99246986d3453d0c3d57a222a61",
    "9b096d9ac3275a7d6fe8b91c583111b09efed1a0",
    "bf03746108d746c904f1f3547de24f78479fed12",
    "c2e80500f4cc5fbf5daaeed3bb59abaeee56c652",
    "c8660a62b03b1b6130bf781608d32a6a8d0fb89f",
    "f885da40b1e7a9abd17655ec5bbec0f21f0ed52e",
    "2a2bcac19b8e91b426107807e02e7249569d6fd3",
    "166f932d55eb64d8e4df4fd37e2313f0d0fd8451",
    "a35bfd05ca1ac0b3d2f24e9e82bfcbff9c9e52b5",
    "9436e8d67174ef9aed068d5ad5213f187a3f8ba6",
    "cf49908791073fb46439790fdeb6aeed981101ab",
)

# IDs of printable characters only that start with these; letters so few would say nothing of other octets.
TEXT_PREFIXES: dict[bytes, tuple[str, str]] = {
    b"LVG": ("Lucent VPN gateway", "Lucent"),
    b"LVC": ("Lucent VPN client", "Lucent"),
}

# IDs that start with known octets; the function reads the version out of what follows.
PREFIXES: tuple[tuple[Known, Version], ...] = (
    # extensions; DPD and Unity put a version in place of the hash's last two octets
    (Known("09002689dfd6b712", "XAuth", None, Feature.XAUTH, "draft-ietf-ipsra-isakmp-xauth-06.txt"), _no_version),
    (
        Known("afcad71368a1f1c96b8696fc7757", "DPD (RFC 3706)", None, Feature.DPD, "CISCO-DEAD-PEER-DETECTION"),
        _two_octets,
    ),
    (Known("12f5f28c457168a9702d9fe274cc", "Cisco Unity", None, Feature.UNITY, "CISCO-UNITY"), _two_octets),
    (_md5("4048b7d56ebce88525e7de7f00d6c2d3", "FRAGMENTATION", None, Feature.FRAGMENTATION), _fragmentation),
    (Known(b"HeartBeat_Notify".hex(), "HeartBeat_Notify", None, Feature.KEEPALIVE), _heartbeat),
    (Known(b"HeartBeat Notify".hex(), "HeartBeat Notify", None, Feature.KEEPALIVE), _heartbeat),
    (Known(b"OpenPGP".hex(), "OpenPGP", None, _OTHER), _text),
    # products
    (Known("1f07f70eaa6514d3b0fa96542a50", "Cisco VPN 3000/ASA (Altiga)", _CISCO, None, "ALTIGA GATEWAY"), _altiga),
    (_md5("1e2b516905991c7d7c96fcbfb587e461", "MS NT5 ISAKMPOAKLEY", _WINDOWS), _windows),
    (Known("01528bbbc00696121849ab9a1c5b2a51", "Windows key modules", _WINDOWS, _OTHER), _windows_module),
    (Known("7bb93867d76c8d80df0f40fae8fc3b19", "AuthIP first KE", _WINDOWS, Feature.AUTHIP), _authip_group),
    (Known("f4ed19e0c114eb516faaac0ee37daf2807b4381f", "Check Point", _CHECK_POINT), _check_point),
    (Known("031017e07f7a82e3aa6950c99999", "CryptoPro/GOST", _CRYPTOPRO), _two_octets),
    (Known("8299031757a36082c6a621de", "FortiGate", _FORTIGATE, None, "FORTIGATE"), _fortigate),
    *((Known(octets, "NetScreen", _NETSCREEN), _netscreen) for octets in _NETSCREENS),
    # An SRX says 5.0.0 there, whatever Junos it runs.
    (Known("699369228741c6d4ca094c93e242c9de19e7b7c6", "NetScreen or SRX", _JUNIPER), _no_version),
    (Known("eb4c1b788afd4a9cb7730a68d5", "NCP client", _NCP), _no_version),
    (Known("5b362bc820f6", "SonicWall", _SONICWALL), _sonicwall),
    (Known("5b362bc820f7", "SonicWall", _SONICWALL), _sonicwall),
    (Known("da8e9378", "SafeNet, SonicWall or WatchGuard"), _no_version),
    (Known("47bbe7c993f1fc13b4e6d0db565c68e5", "SafeNet SoftRemote", "SafeNet SoftRemote"), _safenet),
    (Known("08db45e6cb01f80bb576e9a78c0f54e1300b8881", "Zastava", "ELVIS-PLUS Zastava"), _nibbles),
    (Known(b"BNES".hex(), "Nortel Contivity", "Nortel Contivity"), _one_number),
    (Known(b"TIMESTEP".hex(), "TimeStep", "TimeStep"), _text),
    (Known(b"Raptor PowerVpn Server".hex(), "Symantec Raptor", "Symantec Raptor"), _text),
    (Known(b"VIA Auth Profile : ".hex(), "Aruba VIA authentication profile", _ARUBA), _text),
    (Known(b"OpenIKED".hex(), "OpenIKED", "OpenIKED"), _text),
    (Known(b"OE-Libreswan-".hex(), "libreswan", _LIBRESWAN), _text),
)

# Texts whose MD5 is an ID, one a version; ``{}`` stands for the version.
HASHED_VERSIONS: tuple[tuple[str, str, str], ...] = (
    (
        "strongSwan {}",
        _STRONGSWAN,
        "2.2.0 2.2.1 2.2.2 2.3.0 2.3.1 2.3.2 2.4.0 2.4.1 2.4.2 2.4.3 2.4.4 2.5.0 2.5.1 2.5.2 2.5.3 2.5.4 2.5.5 2.5.6 "
        "2.5.7 2.6.0 2.6.1 2.6.2 2.6.3 2.6.4 2.7.0 2.7.1 2.7.2 2.7.3 2.8.0 2.8.1 2.8.2 2.8.3 2.8.4 2.8.5 2.8.6 "
        "2.8.7 2.8.8 2.8.9 4.0.0 4.0.1 4.0.2 4.0.3 4.0.4 4.0.5 4.0.6 4.0.7 4.1.0 4.1.1 4.1.2 4.1.3 4.1.4 4.1.5 "
        "4.1.6 4.1.7 4.1.8 4.1.9 4.1.10 4.1.11 4.2.0 4.2.1 4.2.2 4.2.3 4.2.4 4.2.5 4.2.6 4.2.7 4.2.8 4.2.9 4.3.0 "
        "4.3.1 4.3.2 4.3.3 4.3.4 4.3.5 4.3.6 4.3.7 4.4.0 4.4.1 4.5.0 4.5.1 4.5.2 4.5.3 4.6.0 4.6.1 4.6.2 4.6.3 "
        "4.6.4 5.0.0 5.0.1 5.0.2 5.0.3 5.0.4 5.1.0 5.1.1 4.3.5rc1 5.0.2dr4 5.0.2rc1 5.0.3dr1 5.0.3dr2 5.0.3dr3 "
        "5.0.3rc1 5.1.0dr1 5.1.0dr2 5.1.0rc1 5.1.1dr1 5.1.1dr2 5.1.1dr3 5.1.1dr4 5.1.1rc1",
    ),
    ("Ssh Communications Security IPSEC Express version {}", _SSH, "1.1.0 1.1.1 1.1.2 1.2.1 1.2.2"),
    (
        "SSH Communications Security IPSEC Express version {}",
        _SSH,
        "2.0.0 2.1.0 2.1.1 2.1.2 3.0.0 3.0.1 4.0.0 4.0.1 4.1.0 4.1.1 4.2.0 5.0 5.0.0 5.1.0 5.1.1",
    ),
    ("SSH Communications Security QuickSec {}", _SSH, "0.9.0 1.1.0 1.1.1 1.1.2 1.1.3 2.1.0"),
    ("SSH Sentinel {}", "SSH Sentinel", "1.1 1.2 1.3 1.4 1.4.1"),
    ("SSH Sentinel{}", "SSH Sentinel", ""),
)

# The same for the FreeS/WAN family, whose IDs are some letters and an MD5 bent into printable characters.
PRINTABLE_HASH_VERSIONS: tuple[tuple[bytes, str, str, str], ...] = (
    (b"OE", "Linux FreeS/WAN {}", _FREESWAN, "2.00 2.01 2.02 2.03 2.04 2.05 2.06"),
    (
        b"OE",
        "Openswan {}",
        _OPENSWAN,
        "2.1.0 2.1.1 2.1.2 2.2.0 2.3.0 2.3.1 2.4.0 2.4.1 2.4.2 2.4.3 2.4.4 2.4.5 2.4.6 2.4.7 2.4.8 2.4.9 2.4.10 "
        "2.4.11 2.4.12 2.4.13 2.4.14 2.4.15 2.5.0 2.5.00 2.5.01 2.5.02 2.5.03 2.5.04 2.5.05 2.5.06 2.5.07 2.5.08 "
        "2.5.09 2.5.10 2.5.11 2.5.12 2.5.13 2.5.14 2.5.15 2.5.16 2.5.17 2.5.18 2.6.01 2.6.02 2.6.03 2.6.04 2.6.05 "
        "2.6.06 2.6.07 2.6.08 2.6.09 2.6.10 2.6.11 2.6.12 2.6.13 2.6.14 2.6.15 2.6.16 2.6.17 2.6.18 2.6.19 2.6.20 "
        "2.6.21 2.6.22 2.6.23 2.6.24 2.6.25 2.6.26 2.6.27 2.6.28 2.6.29 2.6.30 2.6.31 2.6.32 2.6.33 2.6.34 2.6.35 "
        "2.6.36 2.6.37 2.6.38 2.6.39",
    ),
    (b"OSW", "Openswan {}", _OPENSWAN, "2.6.40 2.6.41 2.6.42 2.6.43"),
    (b"OSW", "Linux Openswan {}", _OPENSWAN, "2.6.44 2.6.45 2.6.46 2.6.47 2.6.47.1 2.6.48 2.6.49"),
    (b"OEN", "Libreswan {}", _LIBRESWAN, "3.0 3.1 3.2 3.3 3.4 3.5"),
)

# What builds of that family appended to the version before hashing it.
_BUILD_OPTIONS = (
    "",
    " PLUTO_SENDS_VENDORID",
    " PLUTO_SENDS_VENDORID PLUTO_USES_KEYRR",
    " LDAP_V3",
    " LDAP_V3 PLUTO_SENDS_VENDORID PLUTO_USES_KEYRR",
    " X.509-1.5.4 PLUTO_SENDS_VENDORID PLUTO_USES_KEYRR",
    " X.509-1.5.4 LDAP_V3 PLUTO_SENDS_VENDORID PLUTO_USES_KEYRR",
)

_PRINTABLE_FAMILIES = (  # the longest letters first
    (b"OEN", "libreswan 3.0-3.5", _LIBRESWAN),
    (b"OSW", "Openswan 2.6.40 or later", _OPENSWAN),
    (b"OE", "FreeS/WAN or Openswan", "FreeS/WAN or Openswan"),
)
_PRINTABLE_LENGTH = 12

_EXACT = {bytes.fromhex(known.octets): known for known in KNOWN}
_BY_PREFIX = {bytes.fromhex(known.octets): (known, version) for known, version in PREFIXES}
_PREFIX_LENGTHS = sorted({len(octets) for octets in _BY_PREFIX}, reverse=True)


@cache
def _hashed_versions() -> dict[bytes, tuple[str, str, str]]:
    """Hash the texts of all versions: ID to name, vendor and version. Late, for few captures need them."""
    from hashlib import md5

    found: dict[bytes, tuple[str, str, str]] = {}
    for pattern, vendor, versions in HASHED_VERSIONS:
        name = pattern.replace(" version {}", "").replace(" {}", "").replace("{}", "")
        for version in versions.split() or [""]:
            digest = md5(pattern.format(version).encode(), usedforsecurity=False).digest()
            found.setdefault(digest, (name, vendor, version))
    for letters, pattern, vendor, versions in PRINTABLE_HASH_VERSIONS:
        for version in versions.split():
            for options in _BUILD_OPTIONS:
                text = pattern.format(version) + options
                digest = md5(text.encode(), usedforsecurity=False).digest()
                bent = bytes(octet & 0x7F | 0x40 for octet in digest[: _PRINTABLE_LENGTH - len(letters)])
                found.setdefault(letters + bent, (pattern.replace(" {}", ""), vendor, version))
    return found


def _unknown(data: bytes) -> VendorId:
    """Name an ID by its own octets: as text where all of them are printable, else in hexadecimal."""
    if len(data) >= 4 and all(0x20 <= octet <= 0x7E for octet in data):
        if text := TEXT_PREFIXES.get(data[:3]):
            return VendorId(data, text[0], text[1], _text(data[3:]))
        more = "..." if len(data) > _SHOWN_CHARACTERS else ""
        return VendorId(data, f'unknown vendor ID "{_printable(data[:_SHOWN_CHARACTERS])}{more}"')
    more = "..." if len(data) > _SHOWN_OCTETS else ""
    return VendorId(data, f"unknown vendor ID {data[:_SHOWN_OCTETS].hex()}{more}".rstrip())


def identify(data: bytes) -> VendorId:
    """Say what a vendor ID payload means.

    Args:
        data: the octets behind the payload's generic header, of any length and content.

    Returns:
        What is known of it. An ID that no table has is named by its octets; the name is printable ASCII always.
    """
    data = bytes(data)
    return _identify(data) if len(data) <= _REMEMBERED else _looked_up(data)


def _looked_up(data: bytes) -> VendorId:
    if known := _EXACT.get(data):
        return VendorId(data, known.name, known.vendor, None, known.feature)
    if text := TEXTS.get(data.rstrip(b"\0")):
        return VendorId(data, text[0], text[1], None, text[2])
    for length in _PREFIX_LENGTHS:
        if entry := _BY_PREFIX.get(data[:length]):
            known, version = entry
            return VendorId(data, known.name, known.vendor, version(data[length:]), known.feature)
    if len(data) in (_PRINTABLE_LENGTH, 16) and (hashed := _hashed_versions().get(data)):
        return VendorId(data, hashed[0], hashed[1], hashed[2] or None)
    if len(data) == _PRINTABLE_LENGTH and all(0x40 <= octet <= 0x7F for octet in data[3:]):
        for letters, name, vendor in _PRINTABLE_FAMILIES:
            if data.startswith(letters):
                return VendorId(data, name, vendor)
    if len(data) == 15 and data.endswith(b"Teldat"):
        return VendorId(data, "Teldat", "Teldat")
    return _unknown(data)


_identify = lru_cache(1024)(_looked_up)


def supports_nat_traversal(ids: Iterable[VendorId]) -> bool:
    """Tell whether a peer that sent these IDs can do NAT traversal: by RFC 3947 or one of the drafts that became it.

    The proposals before those drafts do not count: nothing that speaks only them interoperates with the RFC.
    """
    return any(known.feature in (Feature.NAT_T, Feature.NAT_T_DRAFT) for known in ids)
