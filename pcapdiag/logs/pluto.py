"""libreswan's pluto, at its default level and with debugging; syslog, the journal, and what `ipsec whack` prints.

    Nov 27 12:18:47.066855: "vpn" #1: sent IKE_SA_INIT request to 10.2.0.2:500
    Jun 18 04:06:51.183785: | *received 172 bytes from 192.0.2.1:500 on eth0 192.0.2.2:500 using UDP
    002 "vpn" #1: initiating IKEv1 Main Mode connection

By default a line has the connection and the number of its state; octets are there with debugging only, in dumps whose
lines begin with `|`.
"""

import re

from pcapdiag.logs.line import RECEIVED, SENT, LogLine, Said, Told
from pcapdiag.logs.messages import labels, told_of
from pcapdiag.logs.reader import ADDRESS, MAX_BODY, Parts, Reader, bounded, unmarked, with_said

_CONNECTION = re.compile(rf'"([^"]*)"(?:\[\d+\])?(?: ({ADDRESS})(?::\d+)?)?(?: #(\d+))?(?:/#?\d+)?:')
_PACKET_IN = re.compile(rf"\*received (\d+) bytes from ({ADDRESS}):(\d+) on (\S+) ({ADDRESS}):(\d+)")
_PACKET_OUT = re.compile(rf"sending (\d+) bytes for (.*?) through (\S+) from ({ADDRESS}):(\d+) to ({ADDRESS}):(\d+)")
_DUMP = re.compile(r"(?m)(?:^|\n)(?:[^|\n]{0,80}?)\|\s{2,}((?:[0-9a-f]{2}\s+){1,16}[0-9a-f]{0,2})")
_DUMP_LINE = re.compile(r"(?:[^|\n]{0,80}?)\|\s{2,}(?:[0-9a-f]{2}\s*){1,16}(?:\s{2,}.*)?$")
_PARENT = re.compile(r"using (?:isakmp|IKE SA |ISAKMP SA )?#(\d+)|using #(\d+)")
_TO = re.compile(rf"(?: to| from|message from) \[?({ADDRESS})\]?(?::(?:UDP/|TCP/)?(\d+))?")
_SENT = re.compile(
    r"sent (Main Mode request|Main Mode R1|Main Mode I2|Main Mode R2|Main Mode I3|Main Mode response|"
    r"Aggressive Mode request|Aggressive Mode response|Quick Mode request|Quick Mode response|"
    r"(?:IKE_SA_INIT|IKE_AUTH|IKE_INTERMEDIATE|CREATE_CHILD_SA|INFORMATIONAL) (?:request|reply|response))|"
    r"STATE_(MAIN_R1: sent MR1|MAIN_I2: sent MI2|MAIN_R2: sent MR2|MAIN_I3: sent MI3|AGGR_R1: sent AR1|"
    r"QUICK_I1: sent QI1)"
)
_PROCESSED = re.compile(
    r"process(?:ing|ed)(?: decrypted)? (IKE_SA_INIT|IKE_AUTH|CREATE_CHILD_SA|INFORMATIONAL|IKE_INTERMEDIATE) "
    r"(request|response)(?: from \S+)?(?:(?: containing)? ?:? ?(?:SK)?\{(.*)\})?"
)
_REFUSED = re.compile(
    r"responding to (IKE_SA_INIT|IKE_AUTH|CREATE_CHILD_SA|INFORMATIONAL)(?: message| request)? \(?.*?from "
    r"(\S+):(\d+) with (un)?encrypted notification (\w+)"
)
_REJECTED = re.compile(r"IKE SA authentication request rejected by peer: (\w+)")
_NAMES = {
    "Main Mode request": ("MM1", "initiator"),
    "Main Mode R1": ("MM2", "responder"),
    "Main Mode I2": ("MM3", "initiator"),
    "Main Mode R2": ("MM4", "responder"),
    "Main Mode I3": ("MM5", "initiator"),
    "Aggressive Mode request": ("AM1", "initiator"),
    "Aggressive Mode response": ("AM2", "responder"),
    "Quick Mode request": ("QM1", ""),
    "Quick Mode response": ("QM2", ""),
    "MAIN_R1: sent MR1": ("MM2", "responder"),
    "MAIN_I2: sent MI2": ("MM3", "initiator"),
    "MAIN_R2: sent MR2": ("MM4", "responder"),
    "MAIN_I3: sent MI3": ("MM5", "initiator"),
    "AGGR_R1: sent AR1": ("AM2", "responder"),
    "QUICK_I1: sent QI1": ("QM1", ""),
}
_STATE = re.compile(r"\b(STATE_[A-Z0-9_]+|(?:IKE_SA_INIT|IKE_AUTH)_[IR])\b")
_RESTART = re.compile(r"Starting Pluto")
_INITIATES = re.compile(r"initiating (?:IKEv\d|Main|Aggressive)|initiating connection")
_RESPONDS = re.compile(r"responding to (?:Main|Aggressive) Mode|sent IKE_SA_INIT (?:reply|response)")


class PlutoReader(Reader):
    """Reads the lines of pluto."""

    platform = "libreswan"
    marks = ('"', "| ", "packet from", "Starting Pluto")
    head = re.compile(
        r"(?P<when>(?:.{0,200}?\bpluto(?:\[\d+\])?: )?[^\"|]{0,200}?)"
        r"(?P<text>\"[^\"\n]{1,200}\"(?:\[\d+\])?[^\"\n]{0,80}?:.*|\| .*|packet from [^ ]+: .*|Starting Pluto .*|"
        r"ERROR: .*#\d+.*)",
        re.DOTALL,
    )
    _GUARD = re.compile(
        r"pluto|^\d{3} \"|^\"|^\d\d\d #|"
        r"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{6})?: (?:\"|\| |packet from |Starting)"
    )

    def __init__(self) -> None:
        super().__init__()
        self._parents: dict[str, object] = {}
        self._peers: dict[str, object] = {}
        self._life = 0

    def split(self, text: str) -> Parts | None:
        """The parts of a line that looks like one of pluto's: quoted names stand in other logs as well."""
        return super().split(text) if self._GUARD.search(text[:400]) else None

    def say(self, body: str) -> Said:
        """Read a line: the connection, the state, the message."""
        whole, body = body, body[:MAX_BODY]
        kind = self.kind(body)
        packet = _PACKET_IN.search(body)
        if packet is not None:
            return self._octets(kind, whole, RECEIVED, packet, (2, 3, 5, 6))
        packet = _PACKET_OUT.search(body)
        if packet is not None:
            return self._octets(kind, whole, SENT, packet, (6, 7, 4, 5))
        name = _CONNECTION.match(body)
        rest = body[name.end() :] if name else body
        to = _TO.search(rest)
        peer = (name[2] or "") if name else ""
        state = _STATE.search(rest)
        told, role = _told(rest)
        if not role:
            role = "initiator" if _INITIATES.search(rest) else "responder" if _RESPONDS.search(rest) else ""
        return Said(
            kind=kind,
            peer=to[1] if to else peer,
            peer_port=int(to[2]) & 0xFFFF if to and to[2] else 0,
            role=role,
            session=f"#{name[3]}" if name and name[3] else "",
            connection=name[1] if name else "",
            state=state[1] if state else "",
            told=told,
        )

    def _octets(
        self, kind: object, body: str, direction: str, packet: re.Match[str], at: tuple[int, int, int, int]
    ) -> Said:
        from pcapdiag.knowledge.log_lines import LineKind

        digits = "".join("".join(found.split()) for found in _DUMP.findall(body))
        octets = unmarked(bytes.fromhex(digits[: len(digits) & ~1]))
        found = told_of(octets, direction) if octets else None
        length = int(packet[1]) if len(packet[1]) < 7 else None
        told = found[1] if found else Told(direction, length=length)
        header = found[0] if found else None
        return Said(
            kind=kind if isinstance(kind, LineKind) else None,
            peer=packet[at[0]],
            peer_port=int(packet[at[1]]) & 0xFFFF,
            local=packet[at[2]],
            local_port=int(packet[at[3]]) & 0xFFFF,
            initiator_spi=header.initiator_spi if header else b"",
            responder_spi=header.responder_spi if header else b"",
            message_id=header.message_id if header else None,
            told=told,
            octets=octets,
        )

    def follow(self, line: LogLine) -> LogLine:
        """Put a Child SA to its IKE SA, and the peer to a line that has the connection only."""
        said = line.said
        if self.restarts(line):
            self._life += 1
            self._parents.clear()
        if not said.session:
            return line
        life = f"{self._life}" if self._life > 1 else ""
        own = f"{said.connection}{said.session}{life}"
        parent = _PARENT.search(line.text[:MAX_BODY])
        if parent is not None:
            bounded(self._parents)
            self._parents[own] = f"{said.connection}#{parent[1] or parent[2]}{life}"
        mapped = self._parents.get(own, own)
        session = mapped if isinstance(mapped, str) else own
        if said.peer:
            bounded(self._peers)
            self._peers[said.connection] = said.peer
        peer = said.peer or self._peers.get(said.connection, "")
        return with_said(line, session=session, peer=peer if isinstance(peer, str) else "")

    def restarts(self, line: LogLine) -> bool:
        """Whether pluto begins anew: states are numbered from 1."""
        return _RESTART.search(line.text[:100]) is not None

    def goes_on(self, before: str, last: str, text: str, rows: int) -> bool:
        """A dump goes on for as long as its lines hold octets."""
        return rows < 5000 and bool(_DUMP_LINE.match(text[:200]))

    @staticmethod
    def begins_dump(text: str) -> bool:
        """Whether the octets of a message follow this line."""
        text = text[:MAX_BODY]
        return " bytes " in text and bool(_PACKET_IN.search(text) or _PACKET_OUT.search(text))


def _told(rest: str) -> tuple[Told | None, str]:
    """The message that a line of the default level is about, and who this end is then."""
    sent = _SENT.search(rest)
    if sent is not None:
        name = sent[1] or sent[2]
        if name in _NAMES:
            known, role = _NAMES[name]
            sealed = known in ("MM5", "QM1", "QM2")
            return Told(SENT, 1, (known,), sealed=sealed), role
        exchange, kind = name.split(" ", 1) if " " in name else (name, "request")
        if exchange in ("Main", "Aggressive", "Quick"):
            return None, ""
        asks = kind == "request"
        role = ("initiator" if asks else "responder") if exchange in ("IKE_SA_INIT", "IKE_AUTH") else ""
        what = f"{exchange} {'request' if asks else 'response'}"
        return Told(SENT, 2, (what,), sealed=exchange != "IKE_SA_INIT"), role
    refused = _REFUSED.search(rest)
    if refused is not None:
        notify = (f"N({refused[5]})",)
        return Told(SENT, 2, (f"{refused[1]} response",), notify, sealed=not refused[4]), "responder"
    rejected = _REJECTED.search(rest)
    if rejected is not None:
        return Told(RECEIVED, 2, ("IKE_AUTH response",), (f"N({rejected[1]})",), sealed=True), "initiator"
    processed = _PROCESSED.search(rest)
    if processed is not None:
        payloads = labels(processed[3].split(",")) if processed[3] and "=" not in processed[3] else None
        asks = processed[2] == "request"
        role = ("responder" if asks else "initiator") if processed[1] in ("IKE_SA_INIT", "IKE_AUTH") else ""
        sealed = processed[1] != "IKE_SA_INIT"
        return Told(RECEIVED, 2, (f"{processed[1]} {processed[2]}",), payloads, sealed=sealed), role
    return None, ""
