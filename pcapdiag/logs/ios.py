"""Cisco IOS and IOS XE: `debug crypto isakmp`, `debug crypto ikev2`, and syslog.

    *Mar  1 00:13:31.891: ISAKMP:(1002): sending packet to 192.0.2.1 my_port 500 peer_port 500 (I) MM_KEY_EXCH
    *Oct 25 18:53:16.532: ISAKMP-PAK: (1001):received packet from 192.0.2.1 dport 500 sport 500 Global (I) MM_KEY_EXCH

A line has the number of its SA, 0 until there are keys, and message IDs as signed decimals; no lengths, no payloads.
The state beside a packet tells which message of Main Mode it is, together with the role and the direction:

    state        (I) sends   (I) receives   (R) receives   (R) sends
    MM_NO_STATE      MM1          MM2            MM1            –
    MM_SA_SETUP      MM3          MM4            MM3            MM2
    MM_KEY_EXCH      MM5          MM6            MM5            MM4, then MM6
"""

import re

from pcapdiag.logs.line import RECEIVED, SENT, LogLine, Said, Told
from pcapdiag.logs.reader import ADDRESS, MAX_BODY, Reader, bounded, number, spi, with_said

_SA = re.compile(r"(?:ISAKMP|ISAKMP-ERROR|ISAKMP-PAK)\s*:?\s*\((\d+)(?::(\d+))?\)")
_SENT = re.compile(rf"sending packet to ({ADDRESS}) my_port (\d+) peer_port (\d+) \(([IR])\) (\w+)")
_RECEIVED = re.compile(rf"received packet from ({ADDRESS}) dport (\d+) sport (\d+) .*?\(([IR])\) (\w+)")
_OTHER_PEER = re.compile(
    rf"(?:peer struct for|pre-shared key (?:with|matching)|authenticated with|\(peer|remote|Peer|from) ({ADDRESS})"
)
_MESSAGE_ID = re.compile(r"(?:message ID = |M-ID of |\bnode |Node )(-?\d+)")
_ROLE = re.compile(r"\(([IR])\) ")
_STATE = re.compile(r"New State = \.?(\w+)|retransmitting phase 1 (\w+)")
_OLD_STATE = re.compile(r"Old State = \.?IKE_([IR])_")
_V2 = re.compile(r"I_SPI=([0-9A-Fa-f]{16}) R_SPI=([0-9A-Fa-f]{16}) \(([IR])\)")
_V2_SESSION = re.compile(r"SESSION ID = (\d+)")
_NAMES = {
    ("I", SENT, "MM_NO_STATE"): "MM1",
    ("I", RECEIVED, "MM_NO_STATE"): "MM2",
    ("I", SENT, "MM_SA_SETUP"): "MM3",
    ("I", RECEIVED, "MM_SA_SETUP"): "MM4",
    ("I", SENT, "MM_KEY_EXCH"): "MM5",
    ("I", RECEIVED, "MM_KEY_EXCH"): "MM6",
    ("R", RECEIVED, "MM_NO_STATE"): "MM1",
    ("R", SENT, "MM_SA_SETUP"): "MM2",
    ("R", RECEIVED, "MM_SA_SETUP"): "MM3",
    ("R", RECEIVED, "MM_KEY_EXCH"): "MM5",
    ("I", SENT, "AG_INIT_EXCH"): "AM1",
    ("I", RECEIVED, "AG_INIT_EXCH"): "AM2",
    ("R", SENT, "AG_INIT_EXCH"): "AM2",
}
ENDS = {
    "MM_NO_STATE": ("MM_WAIT_MSG2", ""),
    "MM_SA_SETUP": ("MM_WAIT_MSG4", "MM_WAIT_MSG3"),
    "MM_KEY_EXCH": ("MM_WAIT_MSG6", "MM_WAIT_MSG5"),
    "MM_KEY_AUTH": ("MM_ACTIVE", "MM_ACTIVE"),
    "QM_IDLE": ("MM_ACTIVE", "MM_ACTIVE"),
    "AG_INIT_EXCH": ("AM_WAIT_MSG2", "AM_WAIT_MSG3"),
}
"""What a state of IOS is at the initiator, and at the responder."""


class IosReader(Reader):
    """Reads the lines of an IOS router."""

    platform = "ios"
    marks = ("ISAKMP", "IPSEC", "CRYPTO", "IKEv2")
    head = re.compile(
        r"(?P<when>.{0,300}?)"
        r"(?P<text>(?:ISAKMP(?:-ERROR|-PAK)?\s?:?\s?\(\d|ISAKMP(?:-ERROR|-PAK)?\s?:|ISAKMP \(\d|%CRYPTO-\d-|IPSEC ?\(|"
        r"(?<![\w\"/+])IKEv2(?:-ERROR|-PAK|-INTERNAL)?:(?=[(%]|[A-Z][a-z]+ )|CRYPTO_PKI).*)",
        re.DOTALL,
    )

    def __init__(self) -> None:
        super().__init__()
        self._peers: dict[str, object] = {}
        self._last = ""

    def say(self, body: str) -> Said:
        """Read a line: the SA, the peer, the message and the state."""
        body = body[:MAX_BODY]
        kind = self.kind(body)
        sa = _SA.match(body)
        connection = (sa[2] or sa[1]) if sa else ""
        packet, direction = _SENT.search(body), SENT
        if packet is None:
            packet, direction = _RECEIVED.search(body), RECEIVED
        if packet is not None:
            first, second = int(packet[2]) & 0xFFFF, int(packet[3]) & 0xFFFF
            name = _NAMES.get((packet[4], direction, packet[5]), "")
            if (packet[4], direction, packet[5]) == ("R", SENT, "MM_KEY_EXCH"):
                names: tuple[str, ...] = ("MM4", "MM6")
            else:
                names = (name,) if name else ()
            return Said(
                kind=kind,
                peer=packet[1],
                peer_port=second,
                local_port=first,
                role="initiator" if packet[4] == "I" else "responder",
                session=packet[1],
                connection="",
                state=packet[5],
                told=Told(direction, 1, names),
            )
        other = _OTHER_PEER.search(body)
        message_id = _MESSAGE_ID.search(body)
        state = _STATE.search(body)
        role = _ROLE.search(body) or _OLD_STATE.search(body)
        trace = _V2.search(body)
        session = _V2_SESSION.search(body)
        return Said(
            kind=kind,
            peer=other[1] if other else "",
            message_id=number(message_id[1]) if message_id else None,
            role={"I": "initiator", "R": "responder"}.get(trace[3] if trace else role[1] if role else "", ""),
            session=other[1] if other else f"#{connection}" if connection else f"v2#{session[1]}" if session else "",
            state=(state[1] or state[2]) if state else "",
            initiator_spi=spi(trace[1]) if trace else b"",
            responder_spi=spi(trace[2]) if trace else b"",
        )

    def follow(self, line: LogLine) -> LogLine:
        """Put the peer to a line that has the number of the SA only."""
        said = line.said
        sa = _SA.match(line.text)
        own = f"#{sa[2] or sa[1]}" if sa else ""
        if said.session and not said.session.startswith(("#", "v2#")):
            self._last = said.session
            if own and own != "#0":
                bounded(self._peers)
                self._peers[own] = said.session
            return line
        if not said.session:
            return line
        peer = self._peers.get(said.session)
        if peer is None:
            peer = self._last
            if said.session != "#0" and self._last:
                bounded(self._peers)
                self._peers[said.session] = self._last
        if not isinstance(peer, str) or not peer or peer == said.session:
            return line
        return with_said(line, session=peer, peer=said.peer or ("" if said.session.startswith("v2#") else peer))

    def goes_on(self, before: str, last: str, text: str, rows: int) -> bool:
        """IOS puts the fields of a payload, and of a request, on lines of their own."""
        return bool(text[:1] in " \t" and text.strip() and rows < 40)
