"""How to capture at both ends at once, and what to do with it: the commands, for this end and for the other's."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pcapdiag.knowledge.records import Cause

DECIDED_BY_BOTH_ENDS = frozenset(
    ("path-loss", "udp-500-blocked", "udp-4500-blocked", "fragments-dropped", "peer-unreachable", "unknown-peer")
)
"""Causes that captures from both ends of one failure confirm or rule out."""

TCPDUMP = "tcpdump -ni any -w {end}.pcap 'host {other} or icmp'"
"""By host, not by port: later IP fragments have no ports, and plain ESP has none. ICMP errors come from any router."""
ASA = "capture IKE interface outside match ip host {mine} host {other}"
ASA_COPY = "copy /pcap capture:IKE tftp://<server>/{end}.pcap"
ASA_END = "no capture IKE"


def lines(mine: str = "<this-end>", other: str = "<other-end>") -> Iterator[str]:
    """What to do at each end, a line each; commands are indented by two blanks."""
    yield "Capture at both ends while the tunnel is tried, and longer than the last retry (three minutes)."
    yield "At this end, on a host or a gateway with a shell:"
    yield "  " + TCPDUMP.format(end="near", other=other)
    yield "On an ASA:"
    yield "  " + ASA.format(mine=mine, other=other)
    yield "  " + ASA_COPY.format(end="near")
    yield "  " + ASA_END
    yield "To be sent to the administrator of the other end, who runs the same with this end's address as seen there:"
    yield "  " + TCPDUMP.format(end="far", other=mine)
    yield "The clocks need not agree. Then, with both files:"
    yield "  pcapdiag compare near.pcap far.pcap"


def helps(cause: "Cause") -> bool:
    """Whether captures from both ends decide about this cause."""
    return cause.id in DECIDED_BY_BOTH_ENDS
