"""strongSwan's charon: its own file, syslog, the journal, exports of pfSense and OPNsense, JSON lines.

    2026-11-27T12:27:29.767 16[NET] <vpn|3> sending packet: from 10.1.0.2[500] to 10.2.0.2[500] (236 bytes)
    Oct 27 17:23:20 edge charon: 16[ENC] parsed QUICK_MODE request 316948142 [ HASH SA No ID ID ]

One thread deals with one message at a time, so its number joins the line with the addresses to the one with the
contents: what arrives is told by `received packet` and then `parsed`, what leaves by `generating` and then `sending
packet`. Message IDs are decimal. A message that arrives and cannot be parsed has the first line only.
"""

import json
import re
from typing import TypeVar

from msgspec.structs import replace

from pcapdiag.logs import marks as formats
from pcapdiag.logs.line import RECEIVED, SENT, LogLine, Said, Told
from pcapdiag.logs.messages import labels, v1_name
from pcapdiag.logs.reader import ADDRESS, MAX_BODY, Parts, Reader, bounded, number, spi, with_said
from pcapdiag.record import Record

_PACKET = re.compile(
    rf"(sending|received) packet: from ({ADDRESS})\[(\d+)\] to ({ADDRESS})\[(\d+)\](?: \((\d+) bytes\))?"
)
_CONTENT = re.compile(r"(generating|parsed) ([A-Z_0-9]+) (request|response) (\d+) \[ ?(.*?) ?\]")
_PAYLOAD = re.compile(r"[A-Za-z0-9_-]+(?:\([^)]*\))?(?:/[A-Za-z]+)?")
_IKE_SA = re.compile(r"\bIKE_SA (?:\(unnamed\)|([^\s\[]+))\[(\d+)\]")
_SPIS = re.compile(r"SPIs:? ([0-9a-f]{16})_i\*? ([0-9a-f]{16})_r")
_BEGINS = re.compile(rf"initiating (?:Main Mode |Aggressive Mode )?IKE_SA (\S+)\[(\d+)\] to ({ADDRESS})")
_ASKED = re.compile(rf"({ADDRESS}) is initiating an? (?:Main Mode |Aggressive Mode )?IKE_SA")
_BETWEEN = re.compile(rf"established between ({ADDRESS})\[[^\]]*\]\.\.\.({ADDRESS})\[")
_MESSAGE_ID = re.compile(r"message ID (\d+)|with ID (\d+)")
_EXCHANGES = {
    "ID_PROT": "main",
    "AGGRESSIVE": "aggressive",
    "QUICK_MODE": "quick",
    "INFORMATIONAL_V1": "informational",
    "TRANSACTION": "transaction",
}
_GROUPS = "DMN|MGR|IKE|CHD|JOB|CFG|KNL|NET|ASN|ENC|TNC|IMC|IMV|PTS|TLS|APP|ESP|LIB"
Kind = TypeVar("Kind", Said, Told)
_JSON = re.compile(r'^\{.*"(?:message|msg)"\s*:', re.DOTALL)


class _Thread(Record, frozen=True):
    """What a thread is at: the ends and the length of the message, and its content where it is generated before."""

    said: Said
    content: Told | None = None
    message_id: int | None = None


class CharonReader(Reader):
    """Reads the lines of charon."""

    platform = "strongswan"
    scanned = formats.CHARON
    marks = ("[",)
    head = re.compile(rf"\d\d\[(?:{_GROUPS})\d?\]:? ?")

    def __init__(self) -> None:
        super().__init__()
        self._threads: dict[str, object] = {}
        self._names: dict[str, object] = {}
        self._life = 0

    def split(self, text: str) -> Parts | None:
        """What stands before a line, the line, and its thread with the name of the SA; JSON is unwrapped."""
        if text[:1] == "{" and "group" in text and _JSON.match(text[:4096]):
            text = _unwrapped(text) or text
        at = text.find("[")
        while 0 <= at <= 300:
            if at >= 2 and text[at - 2 : at].isdigit():
                match = self.head.match(text, at - 2)
                if match is not None and not (at > 2 and (text[at - 3].isdigit() or text[at - 3] == ".")):
                    thread, body = text[at - 2 : at], text[match.end() :]
                    if body[:1] == "<" and (end := body.find("> ", 0, 200)) > 0:
                        thread, body = f"{thread}{body[:end]}", body[end + 2 :]
                    if body[-1:] in "_\r":
                        body = body.rstrip("_\r")
                    return text[: at - 2], body, thread
            at = text.find("[", at + 1)
        return None

    def say(self, body: str) -> Said:
        """Read a line: the connection, the ends, the message."""
        body = body[:MAX_BODY]
        kind = self.kind(body)
        sa = _IKE_SA.search(body)
        said = Said(kind=kind, session=f"|{sa[2]}" if sa else "", connection=(sa[1] or "") if sa else "")
        packet = _PACKET.search(body)
        if packet is not None:
            return _packet(said, packet)
        content = _CONTENT.search(body)
        if content is not None:
            return _content(said, content)
        spis = _SPIS.search(body)
        begins, asked = _BEGINS.search(body), _ASKED.search(body)
        between = _BETWEEN.search(body)
        message_id = _MESSAGE_ID.search(body)
        return _changed(
            said,
            peer=begins[3] if begins else asked[1] if asked else between[2] if between else "",
            local=between[1] if between else "",
            role="initiator" if begins else "responder" if asked else "",
            initiator_spi=spi(spis[1]) if spis else b"",
            responder_spi=spi(spis[2]) if spis else b"",
            message_id=number(message_id[1] or message_id[2]) if message_id else None,
            secret=kind is not None and kind.id == "strongswan/key-dump",
        )

    def restarts(self, line: LogLine) -> bool:
        """Whether charon begins anew: SAs are numbered from 1."""
        return line.said.kind is not None and line.said.kind.id == "strongswan/starting"

    def follow(self, line: LogLine) -> LogLine:
        """Join the lines of one thread."""
        thread, _, name = line.thread.partition("<")
        if name:
            connection, _, serial = name.rpartition("|")
            line = with_said(line, session=f"|{serial}", connection=connection or line.said.connection)
        said, told = line.said, line.said.told
        if self.restarts(line):
            self._life += 1
            self._threads.clear()
            self._names.clear()
        if said.session and self._life > 1:
            said = replace(said, session=f"{said.session}.{self._life}")
            line = replace(line, said=said)
        before = self._threads.get(thread)
        if told is not None and told.names == () and told.direction == RECEIVED:
            self._remember(thread, _Thread(said))
            return line
        if told is not None and told.names == ():  # it leaves: what was generated before it tells what it is
            content = before.content if isinstance(before, _Thread) else None
            known = before.said if isinstance(before, _Thread) and content is not None else Said()
            self._remember(thread, _Thread(said))
            return with_said(
                line,
                session=said.session or known.session or self._name_of(said),
                message_id=before.message_id if isinstance(before, _Thread) and content is not None else None,
                initiator_spi=known.initiator_spi,
                responder_spi=known.responder_spi,
                told=_changed(
                    told,
                    names=content.names if content else (),
                    ike=content.ike if content else 0,
                    payloads=content.payloads if content else None,
                    sealed=content.sealed if content else None,
                    again=told.again or content is None,
                ),
            )
        if told is not None and told.direction == SENT:
            known = before.said if isinstance(before, _Thread) else Said()
            joined = _joined(said, known)
            self._remember(thread, _Thread(joined, told, said.message_id))
            return LogLine(line.number, line.platform, line.when, line.text, joined, line.rows, thread)
        if not isinstance(before, _Thread):
            if said.initiator_spi or said.session:
                self._remember(thread, _Thread(said))
            return line
        if said.initiator_spi:
            self._remember(thread, _Thread(_changed(before.said, initiator_spi=said.initiator_spi)))
        if said.plain and not said.session:
            return line
        joined = _joined(said, before.said)
        if joined.session and joined.peer:
            bounded(self._names)
            self._names[joined.peer] = joined.session
        return LogLine(line.number, line.platform, line.when, line.text, joined, line.rows, thread)

    def _remember(self, thread: str, state: _Thread) -> None:
        bounded(self._threads)
        self._threads[thread] = state

    def _name_of(self, said: Said) -> str:
        found = self._names.get(said.peer)
        return found if isinstance(found, str) else ""


def _packet(said: Said, found: re.Match[str]) -> Said:
    sent = found[1] == "sending"
    here, there = (2, 4) if sent else (4, 2)
    length = int(found[6]) if found[6] and len(found[6]) < 7 else None
    return _changed(
        said,
        local=found[here],
        local_port=int(found[here + 1]) & 0xFFFF,
        peer=found[there],
        peer_port=int(found[there + 1]) & 0xFFFF,
        told=Told(SENT if sent else RECEIVED, 0, (), None, length, whole=sent) if length is not None else None,
    )


def _content(said: Said, found: re.Match[str]) -> Said:
    payloads = labels(_PAYLOAD.findall(found[5]))
    message_id = number(found[4])
    exchange = _EXCHANGES.get(found[2])
    if exchange is not None:
        name = v1_name(exchange, found[3], payloads)
        sealed = name not in ("MM1", "MM2", "MM3", "MM4", "AM1", "AM2")
        if name == "Informational":
            sealed = "HASH" in payloads
        role = _role(found[1], found[3]) if exchange in ("main", "aggressive") else ""
    else:
        name, sealed = f"{found[2]} {found[3]}", found[2] != "IKE_SA_INIT"
        role = _role(found[1], found[3]) if found[2] in ("IKE_SA_INIT", "IKE_AUTH") else ""
    received = found[1] == "parsed"
    told = Told(
        RECEIVED if received else SENT, 1 if exchange else 2, (name,), payloads, None, sealed=sealed, whole=received
    )
    return _changed(said, message_id=message_id, role=role, told=told)


def _role(verb: str, kind: str) -> str:
    """Who began, of an exchange whose requests come from the initiator."""
    return "initiator" if (verb == "generating") == (kind == "request") else "responder"


def _joined(said: Said, known: Said) -> Said:
    """The line with the ends, the length and the session that the thread has."""
    told = said.told
    if told is not None and told.length is None and known.told is not None and told.direction == known.told.direction:
        told = _changed(told, length=known.told.length)
    return _changed(
        said,
        peer=said.peer or known.peer,
        peer_port=said.peer_port or known.peer_port,
        local=said.local or known.local,
        local_port=said.local_port or known.local_port,
        session=said.session or known.session,
        connection=said.connection or known.connection,
        initiator_spi=said.initiator_spi or known.initiator_spi,
        responder_spi=said.responder_spi or known.responder_spi,
        told=told,
    )


def _unwrapped(text: str) -> str:
    """The message of a JSON line, with its time in front."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    when = next((str(found[key]) for key in ("time", "timestamp", "@timestamp") if key in found), "")
    thread, group = found.get("thread"), found.get("group")
    message = found.get("message", found.get("msg"))
    if not isinstance(message, str):
        return ""
    if thread is None or group is None:
        return f"{when} {message}"
    name = f"<{found.get('ikesa-name', '')}|{found.get('ikesa-unique-id', '')}> " if "ikesa-unique-id" in found else ""
    return f"{when} {str(thread)[-2:].zfill(2)}[{group}] {name}{message}"


def _changed(record: Kind, **changes: object) -> Kind:
    return replace(record, **changes)
