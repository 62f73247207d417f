"""racoon of ipsec-tools: its own file, syslog, old pfSense, macOS; MikroTik's lines of the same origin.

    2015-03-07 17:41:06: INFO: initiate new phase 1 negotiation: 192.0.2.2[500]<=>192.0.2.1[500]
    2015-03-07 17:41:06: DEBUG: 384 bytes message received from 192.0.2.1[500] to 192.0.2.2[500]

At debug level the whole message follows in hexadecimal, in groups of four octets. Errors have the cookies, `i:r`.
"""

import re
from typing import cast

from pcapdiag.logs.line import RECEIVED, SENT, LogLine, Said, Told
from pcapdiag.logs.messages import told_of
from pcapdiag.logs.reader import ADDRESS, MAX_BODY, Parts, Reader, bounded, spi, unmarked, with_said

_RECEIVED = re.compile(rf"(\d+) bytes message received from ({ADDRESS})\[(\d+)\] to ({ADDRESS})\[(\d+)\]")
_SENT = re.compile(rf"\d+ times of (\d+) bytes message will be sent to ({ADDRESS})\[(\d+)\]")
_BETWEEN = re.compile(rf"({ADDRESS})\[(\d+)\](?:<=>|-)({ADDRESS})\[(\d+)\]")
_COOKIES = re.compile(r"\b([0-9a-f]{16}):([0-9a-f]{16})\b")
_PEER = re.compile(rf"(?:pskey for|configuration found for|\bto|from) ({ADDRESS})\b")
_DUMP = re.compile(r"(?m)^\s*((?:[0-9a-f]{8}\s*){1,8}|(?:[0-9a-f]{2,8}\s*){1,8})$")
_DUMP_LINE = re.compile(r"\s*(?:[0-9a-f]{2,8}\s+){0,15}[0-9a-f]{2,8}\s*$")
_FROM = re.compile(rf"\b(?:send packet from|sockname) ({ADDRESS})\[(\d+)\]")
_DUMP_HEAD = re.compile(r"DEBUG: *$")
_INITIATES = re.compile(r"initiate new phase")
_RESPONDS = re.compile(r"respond new phase")
_SIDE = re.compile(r"ph1 packet \(side: ([01])")


class RacoonReader(Reader):
    """Reads the lines of racoon, and of RouterOS."""

    platform = "racoon"
    marks = (": ", "ipsec")
    platforms = ("racoon", "mikrotik")
    head = re.compile(
        r"(?P<when>.{0,200}?)(?:(?:DEBUG\d?|INFO|ERROR|WARNING|NOTIFY|\[[A-Z_]+\]): |"
        r"(?<=\d )ipsec[a-z,!]*\s(?:ipsec: )?)(?P<text>.*)",
        re.DOTALL,
    )
    _GUARD = re.compile(
        r"racoon|^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: |^[\d:/a-z ]{5,30} ipsec[a-z,!]*\s|\[\w+\]: \w+\.c:\d+"
    )

    def __init__(self) -> None:
        super().__init__()
        self._cookies: dict[str, object] = {}
        self._last = ""
        self._from: Said | None = None

    def split(self, text: str) -> Parts | None:
        """The parts of a line that looks like one of racoon's: many programs write INFO."""
        return super().split(text) if self._GUARD.search(text[:200]) else None

    def say(self, body: str) -> Said:
        """Read a line: the ends, the cookies, the message."""
        whole, body = body, body[:MAX_BODY]
        kind = self.kind(body)
        received, sent = _RECEIVED.search(body), _SENT.search(body)
        cookies = _COOKIES.search(body)
        if received is not None or sent is not None:
            return _octets(kind, whole, received, sent)
        own = _FROM.search(body)
        if own is not None:
            return Said(kind=kind, local=own[1], local_port=int(own[2]) & 0xFFFF)
        between = _BETWEEN.search(body)
        peer = _PEER.search(body)
        side = _SIDE.search(body)
        role = "initiator" if _INITIATES.search(body) else "responder" if _RESPONDS.search(body) else ""
        if side is not None:
            role = "initiator" if side[1] == "0" else "responder"
        if "phase 2" in body:
            role = ""
        return Said(
            kind=kind,
            local=between[1] if between else "",
            local_port=int(between[2]) & 0xFFFF if between else 0,
            peer=between[3] if between else peer[1] if peer else "",
            peer_port=int(between[4]) & 0xFFFF if between else 0,
            initiator_spi=spi(cookies[1]) if cookies else b"",
            responder_spi=spi(cookies[2]) if cookies else b"",
            session=between[3] if between else peer[1] if peer else "",
            role=role,
        )

    def follow(self, line: LogLine) -> LogLine:
        """Put the peer to a line that has the cookies, or nothing."""
        said = line.said
        own = self._from
        if said.told is not None and said.told.direction == SENT and not said.local and own is not None:
            line = with_said(line, local=own.local, local_port=own.local_port)
            said = line.said
        elif said.local and not said.peer:
            self._from = said
            return line
        cookie = said.initiator_spi.hex()
        session = said.session
        if not session and cookie:
            session = cast(str, self._cookies.get(cookie, self._last))
        elif not session and not said.plain:
            session = self._last
        if not session:
            return line
        if cookie:
            bounded(self._cookies)
            self._cookies[cookie] = session
        self._last = session
        return line if session == said.session else with_said(line, session=session)

    def goes_on(self, before: str, last: str, text: str, rows: int) -> bool:
        """A dump goes on for as long as its lines hold octets."""
        if rows > 5000 or len(text) > 200:
            return False
        if rows == 1 and _DUMP_HEAD.search(text):
            return self.begins_dump(before)
        return bool(_DUMP_LINE.match(text))

    @staticmethod
    def begins_dump(text: str) -> bool:
        """Whether the octets of a message follow this line."""
        text = text[:MAX_BODY]
        return " bytes message " in text and bool(_RECEIVED.search(text) or _SENT.search(text))


def _octets(kind: object, body: str, received: re.Match[str] | None, sent: re.Match[str] | None) -> Said:
    from pcapdiag.knowledge.log_lines import LineKind

    digits = "".join("".join(found.split()) for found in _DUMP.findall(body.partition("\n")[2]))
    octets = unmarked(bytes.fromhex(digits[: len(digits) & ~1]))
    direction = RECEIVED if received is not None else SENT
    found = told_of(octets, direction) if octets else None
    header = found[0] if found else None
    match = received or sent
    assert match is not None
    length = int(match[1]) if len(match[1]) < 7 else None
    return Said(
        kind=kind if isinstance(kind, LineKind) else None,
        peer=match[2],
        peer_port=int(match[3]) & 0xFFFF,
        local=received[4] if received else "",
        local_port=int(received[5]) & 0xFFFF if received else 0,
        initiator_spi=header.initiator_spi if header else b"",
        responder_spi=header.responder_spi if header else b"",
        message_id=header.message_id if header else None,
        session=match[2],
        told=found[1] if found else Told(direction, length=length),
        octets=octets,
    )
