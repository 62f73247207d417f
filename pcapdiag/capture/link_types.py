"""The link types that are read, each a row: where what they carry begins, and how it is told what that is.

Numbers and names are those of the link-type registry of pcap and pcapng (draft-ietf-opsawg-pcaplinktype). The walker
finds packets by this table, and the anonymizer changes frames by it, so that neither knows a type the other does not.
"""

from typing import Final, NamedTuple


class LinkLayer(NamedTuple):
    """What frames of a link type begin with.

    header -- octets in front of what is carried
    ethertype -- where in the header an EtherType tells what is carried; None: `carries` does
    carries -- "ip": its first four bits tell the version; "loopback": so does an address family in front of it;
        "ppp" and "pppoe": what these say
    addresses -- hardware addresses in the header: where, and how long; of a negative length: the octet at minus that
        tells how much of 8 octets is one
    """

    name: str
    header: int
    ethertype: int | None = None
    carries: str = ""
    addresses: tuple[tuple[int, int], ...] = ()


_RAW: Final = LinkLayer("RAW", 0, carries="ip")
_LOOPBACK: Final = LinkLayer("NULL", 4, carries="loopback")
_PPP: Final = LinkLayer("PPP", 0, carries="ppp")
LINK_LAYERS: Final[dict[int, LinkLayer]] = {
    0: _LOOPBACK,
    1: LinkLayer("ETHERNET", 14, ethertype=12, addresses=((0, 6), (6, 6))),
    9: _PPP,
    12: _RAW,
    14: _RAW,
    50: _PPP,  # PPP_HDLC
    51: LinkLayer("PPP_ETHER", 0, carries="pppoe"),
    101: _RAW,
    104: LinkLayer("C_HDLC", 4, ethertype=2),
    108: _LOOPBACK,  # LOOP
    113: LinkLayer("LINUX_SLL", 16, ethertype=14, addresses=((6, -5),)),
    228: _RAW,  # IPV4
    229: _RAW,  # IPV6
    276: LinkLayer("LINUX_SLL2", 20, ethertype=0, addresses=((12, -11),)),
}

NOT_READ: Final = {
    6: "IEEE802_5", 8: "SLIP", 10: "FDDI", 105: "IEEE802_11", 107: "FRELAY", 109: "ENC", 117: "PFLOG",
    119: "PRISM_HEADER", 122: "IP_OVER_FC", 127: "IEEE802_11_RADIOTAP", 147: "USER0", 162: "USER15", 163:
    "IEEE802_11_AVS", 187: "BLUETOOTH_HCI_H4", 189: "USB_LINUX", 195: "IEEE802_15_4_WITHFCS", 201:
    "BLUETOOTH_HCI_H4_WITH_PHDR", 204: "PPP_WITH_DIR", 220: "USB_LINUX_MMAPPED", 226: "IPNET", 227:
    "CAN_SOCKETCAN", 239: "NFLOG", 249: "USBPCAP", 252: "WIRESHARK_UPPER_PDU", 253: "NETLINK", 258:
    "PKTAP", 274: "ETHERNET_MPACKET",
}  # fmt: skip
"""Names of what is met but not read here."""
