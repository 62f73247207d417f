"""What the kernel lets through: a filter program of libpcap's language for everything that may be IKE.

It is as wide as the walker where that costs nothing: UDP 500 and 4500 and other ports that are given, later fragments
of UDP, ICMP errors, IPv6 with extension headers, IKE on any port by its header, TCP 4500, and all of it within VLAN
tags, MPLS and PPPoE. What it leaves out: ESP, plain and within UDP (the bulk of a gateway's traffic, and never counted
therefore), and packets within GRE, IP in IP, VXLAN, GENEVE and AH, unless `tunnels` asks for these.
"""

from collections.abc import Collection

from pcapdiag.capture.kinds import NAT_T_PORT
from pcapdiag.capture.libpcap import MAX_INSTRUCTIONS, Handle, Instruction, LibpcapError, alternatives

_WRAPPINGS = ("", "vlan and ", "vlan and vlan and ", "mpls and ", "mpls and mpls and ", "pppoes and ")
"""Each is compiled by itself, because it moves every offset behind it."""


def _message(udp: str, at: int) -> str:
    """An ISAKMP header that is as long as the UDP payload, with or without a marker of RFC 3948 in front.

    udp, at -- the register and the offset of the UDP header in it. A load beyond the end of a packet would make the
    whole program say no, so the length is asked for first.
    """

    length = f"{udp}[{at + 4}:2]"

    def header(skipped: int) -> str:
        begin = at + 8 + skipped
        version = f"({udp}[{begin + 17}] = 0x10 or {udp}[{begin + 17}] = 0x20)"
        return f"{length} >= {36 + skipped} and {version} and {udp}[{begin + 24}:4] = {length} - {8 + skipped}"

    return f"(({header(0)}) or ({length} >= 40 and {udp}[{at + 8}:4] = 0 and {header(4)}))"


def _nat_traversal(udp: str, at: int) -> str:
    """On UDP 4500: a marker, a keep-alive, or a message that lacks the marker; not ESP."""
    marker = f"({udp}[{at + 4}:2] >= 12 and {udp}[{at + 8}:4] = 0)"
    return f"({udp}[{at + 4}:2] <= 9 or {marker} or {_message(udp, at)})"


def expression(ports: Collection[int], tunnels: bool) -> str:
    """What is wanted of plain IP, in the language of pcap-filter(7). ports -- those of IKE, without 4500."""
    ike = " or ".join(f"udp port {port}" for port in sorted(ports))
    wanted = [
        ike,
        f"(ip and udp port {NAT_T_PORT} and {_nat_traversal('udp', 0)})",
        f"(ip6 and udp port {NAT_T_PORT} and {_nat_traversal('ip6', 40)})",
        "(ip proto 17 and ip[6:2] & 0x1fff != 0)",
        "(icmp and (icmp[0] = 3 or icmp[0] = 4 or icmp[0] = 5 or icmp[0] = 11 or icmp[0] = 12))",
        "(ip6[6] = 58 and ip6[40] >= 1 and ip6[40] <= 4)",
        "(ip6 and (ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 60 or ip6[6] = 135))",
        f"tcp port {NAT_T_PORT}",
        f"(ip and udp and not udp port {NAT_T_PORT} and {_message('udp', 0)})",
        f"(ip6[6] = 17 and not udp port {NAT_T_PORT} and {_message('ip6', 40)})",
    ]
    if tunnels:
        wanted.insert(1, "ip proto 4 or ip proto 41 or ip proto 47 or ip proto 51 or ip proto 97 or ip proto 137")
        wanted.insert(2, "ip6 proto 4 or ip6 proto 41 or ip6 proto 47 or ip6 proto 51 or ip6 proto 97")
        wanted.insert(3, "udp port 4789 or udp port 6081 or tcp port 10000")
    return " or ".join(wanted)


def program(handle: Handle, ports: Collection[int], tunnels: bool) -> list[Instruction]:
    """The filter for the link type of this handle. Raises LibpcapError where it has no notion of IP at all."""
    plain = f"({expression(ports, tunnels)})"
    found = [handle.compile(plain)]
    for wrapping in _WRAPPINGS[1:]:
        try:
            compiled = handle.compile(wrapping + plain)
        except LibpcapError:
            continue  # a link layer that has no such thing
        if sum(map(len, found)) + len(compiled) <= MAX_INSTRUCTIONS:
            found.append(compiled)
    return alternatives(found)
