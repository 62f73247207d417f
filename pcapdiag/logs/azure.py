"""Azure's VPN gateways: IKEDiagnosticLog and TunnelDiagnosticLog, and the files of Network Watcher.

    {"time": "2026-11-27T12:27:29.767Z", "category": "IKEDiagnosticLog", "properties": {"message": "SESSION_ID :{8cb5…}
     Remote 192.0.2.1:500: Local 198.51.100.2:500: [SEND][SA_INIT] …"}}
    Remote 192.0.2.1:500: Local 198.51.100.2:500: [RECEIVED][SA_AUTH] Received IKE AUTH message
    [0]0368.03A4::02/02/2017-17:36:01.496 [ikeext] 3038|192.0.2.1|Failure error code:0x000035e9

Records come as JSON lines (storage accounts, event hubs, `az monitor`), as CSV (Log Analytics) or bare (IKElogs.txt,
IKEErrors.txt, wfpdiag.txt). A line has both ends with their ports and, in the diagnostic log, the session; an SA_INIT
whose rCookie is zero is the request.
"""

import json
import re
from collections.abc import Sequence

from msgspec.structs import replace

from pcapdiag.logs.cloud import LONGEST, clock, record_in, text_of
from pcapdiag.logs.line import RECEIVED, SENT, LogLine, Said, Told
from pcapdiag.logs.reader import ADDRESS, MAX_BODY, Parts, Reader, bounded, spi

_SESSION = re.compile(r"SESSION_ID ?: ?\{([0-9A-Fa-f-]{36})\}")
_ENDS = re.compile(rf"Remote ({ADDRESS}):(\d{{1,5}}): Local ({ADDRESS}):(\d{{1,5}}):")
_MESSAGE = re.compile(r"\[(SEND|RECEIVED)\]\[(SA_INIT|SA_AUTH|IKE_SA_INIT|IKE_AUTH|CREATE_CHILD_SA|INFORMATIONAL)\]")
_COOKIES = re.compile(
    r"\biCookie\W{0,3}(?:0x)?([0-9A-Fa-f]{1,16})\b.{0,20}?\brCookie\W{0,3}(?:0x)?([0-9A-Fa-f]{1,16})\b", re.IGNORECASE
)
_EXCHANGES = {"SA_INIT": "IKE_SA_INIT", "SA_AUTH": "IKE_AUTH"}
_WFP = re.compile(rf"\[\d+\][0-9A-F]{{4}}\.[0-9A-F]{{4}}::(\S{{10,30}}) \[ikeext\] \d+\|({ADDRESS})\|")
_TUNNEL = ("TunnelConnected", "TunnelDisconnected")
_BEGINS = re.compile(
    r"SESSION_ID ?: ?\{|Remote [0-9A-Fa-f.:]{2,45}:\d{1,5}: Local |IkeCleanup[MQ]MNegotiation called|"
    r"\[(?:SEND|RECEIVED|LOCAL_MSG|LOCAL|IkeEvent|ErrorCode)\]|IKE Tunnel (?:closed|created)|"
    r"based on log : |Error: (?:Authentication failed\. Check|On-prem device)"
)


class AzureReader(Reader):
    """Reads the records of an Azure VPN gateway."""

    platform = "azure"
    marks = (
        "SESSION_ID", ": Local ", "[ikeext]", "DiagnosticLog", "IkeCleanup", "based on log :", "Error: On-prem",
        "Error: Authentication failed. Check", "TunnelConnected", "TunnelDisconnected", "[SEND]", "[RECEIVED]",
        "[LOCAL", "[IkeEvent]", "[ErrorCode]", "IKE Tunnel ",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._roles: dict[str, object] = {}
        self._last: Said = Said()

    def split(self, text: str) -> Parts | None:
        """The stamp of a record and its message."""
        for mark in self.marks:
            if mark in text:
                break
        else:
            return None
        wfp = _WFP.match(text)
        if wfp is not None:
            return clock(wfp[1]), text[wfp.end() - len(wfp[2]) - 1 :].lstrip("|"), ""
        if "DiagnosticLog" in text or text[:1] in "{[":
            record = self._record(text)
            if record is not None:
                return record
        begins = _BEGINS.search(text[:2000])
        if begins is not None:
            return clock(text[: begins.start()][-200:]), _quoted(text, begins.start()), ""
        return self._tunnel(text)

    @staticmethod
    def _record(text: str) -> Parts | None:
        found = record_in(text)
        if found is None:
            return None
        record = found[1]
        several = record.get("records")
        if isinstance(several, list) and several and isinstance(several[0], dict):
            record = several[0]  # of an event hub; `pieces` has the others
        inner = record.get("properties")
        inner = inner if isinstance(inner, dict) else {}
        category = text_of(record, "category", "Category")
        if "DiagnosticLog" not in category:
            return None
        when = clock(text_of(record, "time", "TimeGenerated", "TimeGenerated [UTC]"))
        operation = text_of(record, "operationName", "OperationName")
        message = text_of(record, "message", "Message", "message_s") or text_of(inner, "message", "Message")
        if operation in _TUNNEL:
            peer = text_of(record, "remoteIP_s", "remoteIP") or text_of(inner, "remoteIP_s", "remoteIP")
            return when, f"{operation}{f' (remoteIP {peer})' if peer else ''}", ""
        return (when, message, "") if message and category == "IKEDiagnosticLog" else None

    @staticmethod
    def _tunnel(text: str) -> Parts | None:
        """A row of TunnelDiagnosticLog, as CSV."""
        for operation in _TUNNEL:
            at = text.find(operation)
            if 0 <= at < 2000:
                return clock(text[:at][-200:]), text[at:], ""
        return None

    def say(self, body: str) -> Said:
        """Read a record: the session, both ends, the message of the exchange."""
        body = body[:MAX_BODY]
        session, ends, message, cookies = (
            _SESSION.search(body), _ENDS.search(body), _MESSAGE.search(body), _COOKIES.search(body),
        )  # fmt: skip
        alone = re.match(rf"({ADDRESS})\||.*?remoteIP(?:_s)?\W{{1,4}}({ADDRESS})\b", body)
        peer = ends[1] if ends else next(filter(None, alone.groups()), "") if alone else ""
        responder = cookies[2].zfill(16) if cookies else ""
        said = Said(
            kind=self.kind(body),
            peer=peer,
            peer_port=int(ends[2]) & 0xFFFF if ends else 0,
            local=ends[3] if ends else "",
            local_port=int(ends[4]) & 0xFFFF if ends else 0,
            initiator_spi=spi(cookies[1].zfill(16)) if cookies else b"",
            responder_spi=spi(responder),
            session=session[1].lower() if session else "",
        )
        return said if message is None else replace(said, **_told(message, responder))

    def follow(self, line: LogLine) -> LogLine:
        """Put the ends to a record that has none, and who began to messages of the session."""
        said = line.said
        if not said.session and not said.peer:
            if said.plain or not self._last.peer:
                return line
            last = self._last
            return replace(line, said=replace(said, session=last.session, peer=last.peer, local=last.local))
        self._last = said
        told = said.told
        if told is None or not told.names:
            return line
        session = said.session or said.peer
        known = self._roles.get(session)
        role = said.role or (known if isinstance(known, str) else "")
        exchange = told.names[0].split(" ", 1)[0]
        if not role and exchange == "IKE_SA_INIT" and (told.direction == SENT or said.session):
            # The first of a session; one that came may be the answer where the log has no sessions.
            role = "initiator" if told.direction == SENT else "responder"
        if role:
            bounded(self._roles)
            self._roles[session] = role
        if exchange not in ("IKE_SA_INIT", "IKE_AUTH") or not role:
            return line
        asks = (role == "initiator") == (told.direction == SENT)
        name = f"{exchange} {'request' if asks else 'response'}"
        return replace(line, said=replace(said, role=role, told=replace(told, names=(name,))))

    def pieces(self, text: str) -> Sequence[str]:
        """The records that an event hub puts into one line."""
        if not text.lstrip().startswith('{"records"') or len(text) > LONGEST:
            return (text,)
        found = record_in(text)
        records = found[1].get("records") if found is not None else None
        if not isinstance(records, list) or not records:
            return (text,)
        return tuple(json.dumps(record) for record in records)


def _told(message: re.Match[str], responder: str) -> dict[str, object]:
    """What the tags of a line tell: the message, and who began where its cookie of the responder is zero."""
    direction = SENT if message[1] == "SEND" else RECEIVED
    exchange = _EXCHANGES.get(message[2], message[2])
    names: tuple[str, ...] = (f"{exchange} request", f"{exchange} response")
    role = ""
    if exchange == "IKE_SA_INIT" and responder and not responder.strip("0"):
        names = names[:1]
        role = "initiator" if direction == SENT else "responder"
    return {"role": role, "told": Told(direction, 2, names, sealed=exchange != "IKE_SA_INIT")}


def _quoted(text: str, at: int) -> str:
    """A message out of a row of CSV: up to its closing quote, doubled quotes undone; else the rest of the line."""
    if at and text[at - 1] == '"':
        body = text[at:].replace('""', "\0")
        return body.split('"', 1)[0].replace("\0", '"')
    return text[at:].rstrip("\r")
