"""What ICMP errors say, in words."""

from pcapdiag.capture.datagram import IcmpError

_ICMP4 = {
    (3, 0): "net unreachable",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 3): "port unreachable",
    (3, 4): "fragmentation needed",
    (3, 5): "source route failed",
    (3, 6): "net unknown",
    (3, 7): "host unknown",
    (3, 9): "net administratively prohibited",
    (3, 10): "host administratively prohibited",
    (3, 11): "net unreachable for this type of service",
    (3, 12): "host unreachable for this type of service",
    (3, 13): "communication administratively prohibited",
    (11, 0): "time to live exceeded",
    (4, 0): "source quench",
    (5, 0): "redirect for the network",
    (5, 1): "redirect for the host",
    (11, 1): "fragment reassembly time exceeded",
    (12, 0): "parameter problem",
}
_ICMP6 = {
    (1, 0): "no route to destination",
    (1, 1): "administratively prohibited",
    (1, 2): "beyond scope of source address",
    (1, 3): "address unreachable",
    (1, 4): "port unreachable",
    (1, 5): "source address failed ingress policy",
    (1, 6): "reject route to destination",
    (2, 0): "packet too big",
    (3, 0): "hop limit exceeded",
    (3, 1): "fragment reassembly time exceeded",
    (4, 0): "erroneous header field",
    (4, 1): "unrecognized next header",
    (4, 2): "unrecognized option",
}


def icmp_name(error: IcmpError) -> str:
    """What the error says (RFC 792, RFC 1812 §5.2.7; RFC 4443 §3), or its numbers."""
    names = _ICMP4 if error.version == 4 else _ICMP6
    return names.get((error.type, error.code), f"type {error.type} code {error.code}")
