"""What the frames that hold no IKE are called in a count, from the keys of the walker's tally."""

from pcapdiag.capture import kinds
from pcapdiag.capture.walker import Tally

MAX_NAMES = 50
"""Protocols that are named in a count; the rest is `other`."""

_IP_NAMES = {
    0: "HOPOPT", 1: "ICMP", 2: "IGMP", 6: "TCP", 8: "EGP", 9: "IGP", 17: "UDP", 33: "DCCP", 46: "RSVP",
    47: "GRE", 50: "ESP", 51: "AH", 58: "ICMPv6", 59: "IPv6 without payload", 88: "EIGRP", 89: "OSPF",
    94: "IPIP", 103: "PIM", 108: "IPComp", 112: "VRRP", 115: "L2TP", 132: "SCTP", 136: "UDPLite",
}  # fmt: skip
_ETHERTYPE_NAMES = {
    0x0806: "ARP", 0x8035: "RARP", 0x8137: "IPX", 0x8863: "PPPoE discovery", 0x8864: "PPPoE", 0x888E: "EAPOL",
    0x88CC: "LLDP", 0x88E5: "MACsec", 0x88E7: "PBB", 0x8902: "CFM", 0x9000: "loopback test",
}  # fmt: skip


def protocol_name(key: int) -> str:
    """Return what the frames of a tally's key are called (IANA's protocol numbers and EtherTypes)."""
    kind, number = key & ~0xFFFFF, key & 0xFFFFF
    if kind == kinds.KEY_UDP:
        return f"UDP {number}" if number else "UDP"
    if kind == kinds.KEY_TCP:
        return f"TCP {number}"
    if kind == kinds.KEY_ETHERTYPE:
        return _ETHERTYPE_NAMES.get(number, f"ethertype 0x{number:04x}")
    if kind == kinds.KEY_LLC:
        return "STP/LLC"
    if kind == kinds.KEY_FAMILY:
        return f"address family {number}"
    if kind == kinds.KEY_PPP:
        return f"PPP 0x{number:04x}"
    if kind == kinds.KEY_BLOCK:
        return "systemd journal" if number == 9 else "pcapng record"
    if kind == kinds.KEY_REST:
        return "other"
    name = _IP_NAMES.get(number, f"IP protocol {number}")
    if kind == kinds.KEY_IP:
        return name
    return f"IPv{4 if kind == kinds.KEY_FRAGMENT4 else 6} fragment ({name})"


def protocol_counts(tally: Tally) -> dict[str, int]:
    """Name to frames, of what was counted as other: most frequent first."""
    counts: dict[str, int] = {}
    numbered = ((kinds.KEY_IP + number, n) for number, n in enumerate(tally.ip))
    for key, n in (*numbered, *tally.others.items()):
        if n:
            name = protocol_name(key)
            counts[name] = counts.get(name, 0) + n
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = dict(ranked[:MAX_NAMES])
    rest = sum(n for _, n in ranked[MAX_NAMES:])
    if rest:
        named["other"] = named.get("other", 0) + rest
    return named
