"""The platforms whose commands are known, and what they are called. Small: the command line reads it when it starts."""

PLATFORM_NAMES = {
    "asa": "Cisco ASA or FTD",
    "ios": "Cisco IOS or IOS XE",
    "strongswan": "strongSwan",
    "libreswan": "libreswan",
    "fortigate": "FortiGate",
    "paloalto": "Palo Alto",
    "juniper": "Juniper SRX",
    "checkpoint": "Check Point",
    "mikrotik": "MikroTik",
    "pfsense": "pfSense or OPNsense",
    "huawei": "Huawei",
    "openiked": "OpenIKED",
    "azure": "Azure",
    "aws": "AWS",
}
"""In the order in which they are told."""

OTHER_NAMES = {
    "cisco-asa": "asa",
    "ftd": "asa",
    "firepower": "asa",
    "cisco-ios": "ios",
    "ios-xe": "ios",
    "iosxe": "ios",
    "charon": "strongswan",
    "openswan": "libreswan",
    "pluto": "libreswan",
    "fortinet": "fortigate",
    "fortios": "fortigate",
    "palo-alto": "paloalto",
    "pan-os": "paloalto",
    "panos": "paloalto",
    "srx": "juniper",
    "junos": "juniper",
    "juniper-srx": "juniper",
    "check-point": "checkpoint",
    "gaia": "checkpoint",
    "routeros": "mikrotik",
    "opnsense": "pfsense",
    "iked": "openiked",
    "openbsd": "openiked",
}
"""What else people call them."""

VERSIONS = {"openiked": (2,)}
"""The versions of IKE that a platform speaks, where not both."""


def platform_named(name: str) -> str | None:
    """The platform of that name, or None. Case, spaces and underscores do not matter."""
    wanted = "-".join(name.strip().lower().replace("_", " ").split())
    found = OTHER_NAMES.get(wanted, wanted)
    return found if found in PLATFORM_NAMES else None


def speaks(platform: str, version: int) -> bool:
    """Whether a platform speaks this version of IKE."""
    return version in VERSIONS.get(platform, (1, 2))
