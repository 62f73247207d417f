"""Cisco ASA, PIX and Secure Firewall: console debug and syslog.

    Jun 10 17:36:13 [IKEv1 DEBUG]: Group = 192.0.2.1, IP = 192.0.2.1, processing hash payload
    Jun 10 2010 17:36:05: %ASA-7-713236: IP = 192.0.2.1, IKE_DECODE SENDING Message (msgid=0) with payloads : HDR + …

Lines name the peer's address and the tunnel-group, no cookies and no ports: what joins them is the peer.
"""

import re
from collections.abc import Sequence

from pcapdiag.logs import marks as formats
from pcapdiag.logs.line import RECEIVED, SENT, Said, Told
from pcapdiag.logs.messages import labels, v1_names
from pcapdiag.logs.reader import MAX_BODY, Parts, Reader, number

_NUMBER = re.compile(r"%(?:ASA|PIX|FTD)-\d-(\d{6})\b")
_PEER = re.compile(r"\bIP = ([0-9A-Fa-f.:]+)")
_GROUP = re.compile(r"\bGroup = ([^,]+),")
_LOCAL_REMOTE = re.compile(r"\bLocal:([0-9A-Fa-f.:]+?):(\d+) Remote:(\S+?):(\d+)")
_DECODE = re.compile(
    r"IKE_DECODE (SENDING|RECEIVED|RESENDING) Message \(?msgid=([0-9a-fA-F]+)\)"
    r" with payloads ?: ?(.*?)(?: ?total length ?: ?(\d+))?\s*$"
)
_PAYLOAD = re.compile(r"([A-Z][A-Za-z0-9_ -]*?) ?\(\d+\)")
_INITIATOR = re.compile(r"IKE Initiator|for Initiator|MM Initiator|AM Initiator|Initiator starting QM")
_RESPONDER = re.compile(r"for Responder|MM Responder|AM Responder|IKE Responder")
_STATE = re.compile(r"FSM error history \(struct [^)]*\)\s*<state>, <event>:\s*\w+, \w+-->(\w+)|timed out \[(\w+)")
_MESSAGE_ID = re.compile(r"(?:mess id 0x|msgid=|msg id = )([0-9a-fA-F]+)")
_NEXT = re.compile(r"(?<=[^\s]) (?=[A-Z][a-z]{2} \d\d (?:\d{4} )?\d\d:\d\d:\d\d \[IKEv[12])")
_SHOWN_STATE = re.compile(r"((?:MM|AM)_(?:(?:WAIT|BLD|SND|REC)_MSG\d|ACTIVE))\b")
_CONSOLE = range(70, 161)
"""Columns at which terminals wrap."""
_CONTINUES = re.compile(r"\s*[^\s#>%].*$")
_OWN = re.compile(r"%(?:ASA|PIX|FTD)-|\[IKEv[12]|[A-Z][a-z]{2}\s+\d+\s+(?:\d{4}\s+)?\d\d:\d\d")
_PROMPT = re.compile(r"\S+[#>]\s")


class AsaReader(Reader):
    """Reads the lines of an ASA."""

    platform = "asa"
    scanned = formats.ASA
    quiet = True
    joint = ""
    marks = ("%ASA-", "[IKEv", "%FTD-", "%PIX-", "IKEv2-P")
    head = re.compile(r"%(?:ASA|PIX|FTD)-\d-\d{6}\b|\[IKEv[12](?: [A-Z]+)?\]|IKEv2-(?:PROTO|PLAT)-\d+: ")

    def split(self, text: str) -> Parts | None:
        """What stands before a line, and the line."""
        at = text.find("[IKEv")
        if at < 0:
            for mark in ("%ASA-", "%FTD-", "%PIX-", "IKEv2-P"):
                at = text.find(mark)
                if at >= 0:
                    break
            else:
                return None
        elif at > 20 and (before := text.find("%ASA-", 0, at)) >= 0:
            at = before
        if at > 300 or self.head.match(text, at) is None:
            return None
        return text[:at], text[at:], ""

    def say(self, body: str) -> Said:
        """Read a line: its number or its text, the peer, and the message that it is about."""
        body = body[:MAX_BODY]
        numbered = _NUMBER.match(body)
        kind = self.kind(body)
        if kind is None and numbered is not None:
            kind = self._table.numbered(int(numbered[1]), "asa")
        ends = _LOCAL_REMOTE.search(body)
        peer = _PEER.search(body)
        group = _GROUP.search(body)
        address = ends[3] if ends else peer[1] if peer else ""
        message_id = _MESSAGE_ID.search(body)
        state = _STATE.search(body)
        shown = _SHOWN_STATE.search(state[1] or state[2]) if state else None
        role = "initiator" if _INITIATOR.search(body) else "responder" if _RESPONDER.search(body) else ""
        return Said(
            kind=kind,
            peer=address,
            peer_port=int(ends[4]) if ends else 0,
            local=ends[1] if ends else "",
            local_port=int(ends[2]) if ends else 0,
            message_id=number(message_id[1], 16) if message_id else None,
            role=role,
            session=address,
            connection=group[1].strip() if group and group[1].strip() != address else "",
            state=shown[1] if shown else "",
            told=told(body),
        )

    def goes_on(self, before: str, last: str, text: str, rows: int) -> bool:
        """A console wraps lines at its width."""
        if _OWN.search(text) or _PROMPT.match(text) or not re.search(r"[A-Za-z0-9]", text):
            return False
        return len(last) in _CONSOLE and len(text) <= len(last)

    def pieces(self, text: str) -> Sequence[str]:
        """Several lines of a debug on one, as a page that was copied has them."""
        return _NEXT.split(text) if text.count("[IKEv") > 1 else (text,)


def told(body: str) -> Told | None:
    """The message that an IKE_DECODE line is about."""
    found = _DECODE.search(body)
    if found is None:
        return None
    payloads = labels(_PAYLOAD.findall(found[3]))
    message_id = number(found[2], 16) or 0
    names = v1_names(message_id, payloads)
    sealed = None if not names else names[0] not in ("MM1", "MM3", "AM1", "AM2")
    if names == ("Informational",):
        sealed = "HASH" in payloads
    return Told(
        RECEIVED if found[1] == "RECEIVED" else SENT,
        1,
        names,
        payloads,
        int(found[4]) if found[4] and len(found[4]) < 7 else None,
        found[1] == "RESENDING",
        sealed,
    )
