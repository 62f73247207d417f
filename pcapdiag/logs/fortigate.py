"""FortiGate: `diagnose debug application ike -1`, and the event log.

    2025-01-15 08:59:24.142098 ike V=root:0: comes 192.0.2.1:500->192.0.2.2:500,ifindex=6,vrf=0,len=513....
    ike 0: in 60E4660A4071C32A0000000000000000011004000000…
    ike 0:branch:35404: sent IKE msg (P1_RETRANSMIT): 192.0.2.2:500->192.0.2.1:500, len=556, vrf=0, id=5a5b…/5b51…
    date=2024-12-20 time=14:56:10 logid="0101037124" type="event" subtype="vpn" logdesc="IPsec phase 1 error" remip=…

The debug holds whole messages in hexadecimal, the keys, and what the keys open; a console wraps these lines at 80 to
140 columns. The event log has the cookies and both ends.
"""

import re

from msgspec.structs import replace

from pcapdiag.ike.message import ZERO_SPI, Header
from pcapdiag.logs.line import RECEIVED, SENT, LogLine, Said, Told
from pcapdiag.logs.messages import told_of
from pcapdiag.logs.reader import ADDRESS, MAX_BODY, Reader, bounded, number, spi, with_said

_PREFIX = re.compile(r"ike (?:V=[^:\s]{1,40}:)?\d+:(\S*?):? ")
_COMES = re.compile(rf"comes ({ADDRESS}):(\d+)->({ADDRESS}):(\d+),ifindex")
_SENT = re.compile(
    rf"(?:could not send IKE Packet|sent IKE msg) ?\(([\w-]+)\): ?({ADDRESS}):(\d+)->({ADDRESS}):(\d+), len=(\d+)"
)
_ID = re.compile(r"\b(?:id=|ISAKMP SA |IKE SA |cookie )?([0-9a-f]{16})/([0-9a-f]{16})(?::([0-9a-f]{1,8}))?")
_EXCHANGE = re.compile(r"IKEv([12]) exchange=([\w -]+?) id=")
_LENGTH = re.compile(r"\blen=(\d{1,6})\b")
_OCTETS = re.compile(r"\b(in|out|dec|enc) ([0-9A-Fa-f\s]{56,})")
_SECRET = re.compile(r"(?:ISAKMP SA \S+ key \d+:|IKE SA \S+ SK_\w+ \d+:|IPsec SA \w+ spi \S+ key \d+:)")
_FIELD = re.compile(r"\b(remip|locip|remport|locport|vpntunnel|cookies|role|dir|init|stage|result)=(\"[^\"]*\"|\S+)")
_HEX = re.compile(r"[0-9A-Fa-f\s]+$")
_RESPONDER = re.compile(r"\bresponder\b")
_INITIATOR = re.compile(r"\binitiator\b|initiating")
_NAMES = {
    "ident_i1send": "MM1",
    "ident_r1send": "MM2",
    "ident_i2send": "MM3",
    "ident_r2send": "MM4",
    "ident_i3send": "MM5",
    "ident_r3send": "MM6",
    "agg_i1send": "AM1",
    "agg_r1send": "AM2",
    "agg_i2send": "AM3",
    "quick_i1send": "QM1",
    "quick_r1send": "QM2",
    "quick_i2send": "QM3",
    "SA_INIT": "IKE_SA_INIT request",
    "SA_INIT_RESPONSE": "IKE_SA_INIT response",
    "AUTH": "IKE_AUTH request",
    "AUTH_RESPONSE": "IKE_AUTH response",
    "CREATE_CHILD": "CREATE_CHILD_SA request",
    "CREATE_CHILD_RESPONSE": "CREATE_CHILD_SA response",
    "INFORMATIONAL": "INFORMATIONAL request",
    "INFORMATIONAL_RESPONSE": "INFORMATIONAL response",
    "RETRANSMIT_SA_INIT": "IKE_SA_INIT request",
    "RETRANSMIT_AUTH": "IKE_AUTH request",
    "RETRANSMIT_CREATE_CHILD": "CREATE_CHILD_SA request",
}
_AGAIN = ("RETRANS", "retransmit")
_NO_MESSAGE = ("keepalive",)


class FortigateReader(Reader):
    """Reads the lines of a FortiGate."""

    platform = "fortigate"
    joint = ""
    marks = ("ike ", "logid=")
    head = re.compile(
        r"(?P<when>.{0,200}?)(?P<text>(?<![\w-])ike (?:V=[^:\s]{1,40}:)?\d+:.*|"
        r"(?<!\w)(?:date=\S+ time=\S+ )?[^\n]*\blogid=\"?0101037\d{3}.*)",
        re.DOTALL,
    )

    def __init__(self) -> None:
        super().__init__()
        self._cookies: dict[str, object] = {}
        self._ends: dict[str, object] = {}
        self._came: Said = Said()
        self._current = ""

    def say(self, body: str) -> Said:
        """Read a line: the gateway, the SA, the ends, the cookies, and the message itself."""
        if "logid=" in body[:MAX_BODY]:
            return self._event(body[:MAX_BODY])
        whole, body = body, body[:MAX_BODY]
        prefix = _PREFIX.match(body)
        # The gateway, or the cookies where it is not known yet; the number of the IKE SA; the phase 2 and its number.
        name, *numbers = prefix[1].split(":") if prefix else [""]
        serial = next((part for part in numbers if part.isdigit()), "")
        octets = _OCTETS.search(whole) if _OCTETS.search(body) else None
        said = Said(kind=self.kind(body), session=serial, connection="" if "/" in name or not name else name)
        cookies = _ID.search(body)
        if cookies is not None:
            said = replace(
                said,
                initiator_spi=spi(cookies[1]),
                responder_spi=spi(cookies[2]),
                message_id=number(cookies[3], 16) if cookies[3] else None,
            )
        if octets is not None:
            return _message(said, octets[1], "".join(octets[2].split()))
        if _SECRET.search(body):
            return replace(said, secret=True)
        sent, comes = _SENT.search(body), _COMES.search(body)
        if sent is not None:
            return _sent(said, sent, failed="could not send" in body)
        if comes is not None:
            length = _LENGTH.search(body)
            return replace(
                said,
                peer=comes[1],
                peer_port=int(comes[2]) & 0xFFFF,
                local=comes[3],
                local_port=int(comes[4]) & 0xFFFF,
                told=Told(RECEIVED, length=int(length[1]) if length else None, whole=False),
            )
        exchange = _EXCHANGE.search(body)
        if exchange is not None:
            length = _LENGTH.search(body)
            told = Told(RECEIVED, int(exchange[1]), (), None, int(length[1]) if length else None, whole=False)
            return replace(said, told=told)
        role = "responder" if _RESPONDER.search(body) else "initiator" if _INITIATOR.search(body) else ""
        if "CREATE_CHILD" in body or "INFORMATIONAL" in body or "child" in body:
            role = ""
        return replace(said, role=role)

    def _event(self, body: str) -> Said:
        field = {match[1]: match[2].strip('"') for match in _FIELD.finditer(body)}
        cookies = _ID.search(field.get("cookies", ""))
        role = field.get("role", "")
        return Said(
            kind=self.kind(body),
            peer=field.get("remip", ""),
            peer_port=number(field.get("remport", "0")) or 0,
            local=field.get("locip", ""),
            local_port=number(field.get("locport", "0")) or 0,
            initiator_spi=spi(cookies[1]) if cookies else b"",
            responder_spi=spi(cookies[2]) if cookies else b"",
            role=role if role in ("initiator", "responder") else "",
            session=cookies[1] if cookies else field.get("remip", ""),
            connection=field.get("vpntunnel", "") if field.get("vpntunnel") != "N/A" else "",
        )

    def follow(self, line: LogLine) -> LogLine:
        """Put ends and cookies to what came, and one session to the number and the cookies of an SA."""
        said = line.said
        told = said.told
        if told is not None and told.direction == RECEIVED and said.peer and not said.octets:
            self._came = said
            return line
        if told is not None and told.direction == RECEIVED and not said.peer and (said.octets or not told.whole):
            came = self._came
            line = with_said(
                line, peer=came.peer, peer_port=came.peer_port, local=came.local, local_port=came.local_port
            )
            said = line.said
        cookie = said.initiator_spi.hex()
        if cookie and told is not None and told.direction == RECEIVED:
            self._current = cookie
        serial = f"#{said.session}" if said.session.isdigit() else ""
        if cookie and serial:
            bounded(self._cookies)
            self._cookies[serial] = cookie
        known = cookie or self._cookies.get(serial, "")
        if not known and serial and self._current and self._current not in self._cookies.values():
            # What follows a message that came in is about that message.
            bounded(self._cookies)
            known = self._cookies[serial] = self._current
        session = known if isinstance(known, str) and known else serial or said.session
        ends = self._ends.get(session)
        if said.peer and session:
            bounded(self._ends)
            self._ends[session] = replace(Said(), peer=said.peer, local=said.local, peer_port=said.peer_port,
                                          local_port=said.local_port)  # fmt: skip
        elif isinstance(ends, Said) and not said.plain:
            line = with_said(line, peer=ends.peer, local=ends.local)
        return line if session == line.said.session else with_said(line, session=session)

    def goes_on(self, before: str, last: str, text: str, rows: int) -> bool:
        """A console wraps lines; octets go on as nothing but hexadecimal digits."""
        if len(before) > 200_000 or not text.strip():
            return False
        if _HEX.match(text.strip()) and len(text.strip()) > 1:
            return bool(_OCTETS.search(before[:400]) or _SECRET.search(before[:400]) or len(last) > 78)
        return (
            78 <= len(last) <= 160 and len(text) <= len(last) and not re.match(r"\d{4}-\d\d-\d\d|\S+ [#$]|ike ", text)
        )


def _message(said: Said, what: str, digits: str) -> Said:
    octets = bytes.fromhex(digits[: len(digits) & ~1])
    direction = SENT if what in ("out", "enc") else RECEIVED
    clear = what in ("dec", "enc")
    found = told_of(octets, direction)
    if found is None:
        return replace(said, octets=b"" if clear else octets)
    header, told = found
    told = replace(told, whole=not clear and direction == RECEIVED)
    return replace(
        said,
        initiator_spi=header.initiator_spi,
        responder_spi=header.responder_spi if header.responder_spi != ZERO_SPI else b"",
        message_id=header.message_id,
        role=_role(header, direction),
        told=told,
        octets=octets,
        clear=clear,
    )


def _role(header: Header, direction: str) -> str:
    """Who this end is, where the message itself says who sent it."""
    from pcapdiag.exchange.modes import certain_sender

    sender = certain_sender(header)
    if sender is None:
        return ""
    return sender.value if direction == SENT else sender.other.value


def _sent(said: Said, found: re.Match[str], failed: bool) -> Said:
    what = found[1]
    name = _NAMES.get(what, "")
    again = any(word in what for word in _AGAIN)
    told = None
    if what not in _NO_MESSAGE and not failed:
        length = int(found[6]) if len(found[6]) < 7 else None
        told = Told(SENT, 2 if " " in name else 1 if name else 0, (name,) if name else (), None, length, again)
    role = ""
    if name[:2] in ("MM", "AM"):
        role = "initiator" if int(name[2]) % 2 else "responder"
    elif name.startswith(("IKE_SA_INIT", "IKE_AUTH")):
        role = "initiator" if name.endswith("request") else "responder"
    return replace(
        said,
        local=found[2],
        local_port=int(found[3]) & 0xFFFF,
        peer=found[4],
        peer_port=int(found[5]) & 0xFFFF,
        role=role,
        told=told,
    )
