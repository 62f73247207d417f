"""What a frame can turn out to be, and the numbers of the layers that `walker` and `network` tell it by."""

# What a frame turned out to be. The first two need nothing more than a count.
OTHER = 0  # provably none of the below; Found.key says what it is
UNREADABLE = 1  # too short for its headers, or they contradict themselves
DATAGRAM = 2  # UDP that is, or may be, IKE: Found.transport is the UDP header
KEEPALIVE = 3  # RFC 3948 §2.3; located like a DATAGRAM
ESP = 4  # Found.transport is the UDP header or, where Found.ports is false, the ESP header
FRAGMENT = 5  # of an IPv4 datagram with UDP in it: Found.ip, Found.transport (of its data)
ICMP = 6  # an error message, of either version: Found.transport
STREAM = 7  # TCP on a port where IKE may run in TCP: Found.transport is the TCP header
TUNNEL = 8  # another packet inside: Found.layer (an EtherType or a layer below) at Found.transport
HEADER = 9  # AH or an IPv6 extension header comes first: Found.layer (its protocol number) at Found.transport
UNKNOWN_LINK = 10  # a link type that is not supported
ARP = 11  # Found.transport is the ARP packet; counted as other

# Why a scan stopped where there is no frame to look at.
MORE = -1  # the buffer ends before the next record does
DAMAGED = -2  # the next record's length cannot be true
BLOCK = -3  # pcapng: something else than a packet of this interface

# Layers that have no EtherType of their own, in the same number space as those (RFC 9542: below 1536 is a
# length).
LLC = 4  # as Linux cooked captures number it
VXLAN = 16
GENEVE = 17
GRE = 47
ETHERIP = 97
MPLS_IN_IP = 137
IPV4 = 0x0800
IPV6 = 0x86DD
ARP_LAYER = 0x0806
ETHERNET = 0x6558
PPP = 0x880B
MPLS = 0x8847
MPLS_MULTICAST = 0x8848
PPPOE = 0x8864
VLAN_TAGS = frozenset((0x8100, 0x88A8, 0x9100, 0x9200))
TUNNELS = frozenset((ETHERNET, PPP, MPLS, MPLS_MULTICAST, PPPOE))
MAX_TAGS = 8

LINK_ETHERNET = 1
FAMILY_IPV4 = 2
FAMILIES_IPV6 = frozenset((10, 23, 24, 28, 30))  # Linux, Windows, NetBSD and OpenBSD, FreeBSD, Darwin

# Keys of the tallies: one of these, and the number that says which.
KEY_IP = 0 << 20
KEY_ETHERTYPE = 1 << 20
KEY_UDP = 2 << 20
KEY_FRAGMENT4 = 3 << 20
KEY_FRAGMENT6 = 4 << 20
KEY_LLC = 5 << 20
KEY_FAMILY = 6 << 20
KEY_PPP = 7 << 20
KEY_REST = 8 << 20
KEY_BLOCK = 9 << 20
KEY_TCP = 10 << 20
MAX_KEYS = 1024

TCP, UDP, ESP_PROTOCOL, AH, ICMP_PROTOCOL, ICMP6_PROTOCOL = 6, 17, 50, 51, 1, 58
ICMP_ERRORS = frozenset((3, 4, 5, 11, 12))  # RFC 792
ICMP6_ERRORS = frozenset((1, 2, 3, 4))  # RFC 4443 §3
EXTENSION_HEADERS = frozenset((0, 43, 44, 60, 135, 139, 140))  # the registry of IPv6 extension headers, less AH and ESP
IP_TUNNELS = {4: IPV4, 41: IPV6, 47: GRE, 97: ETHERIP, 137: MPLS_IN_IP}

IKE_PORT = 500
NAT_T_PORT = 4500
CISCO_PORT = 10000
STREAM_PORTS = frozenset((NAT_T_PORT, CISCO_PORT))
"""TCP ports that may hold IKE: RFC 9329 §2, and Cisco's own way of IPsec over TCP."""
# RFC 2408 §3.1, RFC 2409, draft-dukes-ike-mode-cfg (1..6, 32, 33); RFC 7296 and its extensions (34..43);
# AuthIP.
EXCHANGE_TYPES = bytes(1 <= x <= 6 or 32 <= x <= 43 or 240 <= x <= 247 for x in range(256))
ISAKMP_HEADER = 28
MARKER = b"\0\0\0\0"  # RFC 3948 §2.2
NO_SPI = bytes(8)

NAMED_PORTS = frozenset((1194, 1434, 1645, 1646, 1701, 1812, 1813, 1900, 2055, 2123, 2152, 3478, 3784, 4739,
                         4789, 5060, 5353, 5355, 6081, 6343, 8472, 51820))  # fmt: skip
"""UDP ports above 1023 that are worth a name of their own in a count."""
VXLAN_PORT, GENEVE_PORT = 4789, 6081
