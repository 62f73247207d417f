"""Palo Alto (PAN-OS): the VPN events of the system log, and ikemgr.log.

    1,2019/10/06 15:46:26,0097,SYSTEM,vpn,0,2019/10/19 15:39:29,,ikev2-nego-ike-start,gw-hq,0,0,general,informational,
    "IKEv2 IKE SA negotiation is started as responder, non-rekey. Initiated SA: 192.0.2.2[500]-192.0.2.1[500]
    SPI:07f21c0fd2236540:ac9d9ee491cd49d9.",18249042,0x8000000000000000,…
    2019-10-19 15:39:29 [PROTO_ERR]: 192.0.2.2[500] - 192.0.2.1[500]:0x1f0a6d0:received ID_I (type ipaddr [10.0.0.9])
    does not match peers id

Events come in CSV (syslog, and what the web interface exports), in CEF, and as `show log system` prints them. They are
about outcomes, not about messages: a line has both ends with their ports, the cookies or SPIs, who began, and the
gateway or the tunnel. ikemgr descends from racoon2, and begins its lines as that does.
"""

import csv
import re

from pcapdiag.knowledge.log_lines import LineKind
from pcapdiag.logs.line import LogLine, Said
from pcapdiag.logs.reader import ADDRESS, MAX_BODY, Parts, Reader, bounded, spi, with_said

_BETWEEN = re.compile(rf"({ADDRESS})\[(\d{{1,5}})\] ?- ?({ADDRESS})\[(\d{{1,5}})\]")
_FROM_TO = re.compile(rf"from (?:IP )?({ADDRESS})\[(\d{{1,5}})\] to ({ADDRESS})\[(\d{{1,5}})\]")
_PEER = re.compile(rf"\bpeer(?: IP)? ({ADDRESS})(?:\[(\d{{1,5}})\])?")
_COOKIES = re.compile(r"\b(?:cookie|SPI): ?([0-9a-fA-F]{16}):([0-9a-fA-F]{16})\b")
_ROLE = re.compile(r"\bas (initiator|responder)\b", re.IGNORECASE)
_NAMED = re.compile(r"(?:ike|ikev2|ipsec|tunnel)[\w-]*(?: ([^:]{1,64}))?: ")
_WAITS = re.compile(r"as initiator, (main|aggressive) mode\b.* cookie:[0-9a-f]{16}:0{16}.*\btimeout", re.IGNORECASE)
_ROW = re.compile(r"(?:^|[ \"])\d*,[^,]{0,64},[^,]{0,32},SYSTEM,vpn,")
_CEF = re.compile(r"\|Palo Alto Networks\|PAN-OS\|[^|]{0,32}\|vpn\|SYSTEM\|\d{1,2}\|")
_FIELD = re.compile(r"(?:^| )(fname|msg|cat|rt)=(.*?)(?= \w{2,32}=|$)", re.DOTALL)
_SHOWN = re.compile(
    r"(?P<when>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) +\w+ +vpn +(?P<object>\S{0,63}) +"
    r"(?P<event>(?:ike|ikev2|ipsec|tunnel)-[\w-]{1,60}) +\d+ +(?P<text>.*)",
    re.DOTALL,
)
_DAEMON = re.compile(
    r"(?P<when>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?(?: [+-]\d{4})?) +"
    r"\[(?:PROTO_\w+|INTERNAL_\w+|PERR|PNTF|PWRN|DEBG|(?P<plain>INFO|DEBUG|WARNING))\]: "
    r"(?:\{ *\d* *: *\d* *\}: )?(?P<text>.*)",
    re.DOTALL,
)
_ABOUT = re.compile(r"\bike|ipsec|phase|isakmp|\bSA\b|vendor id|\bspi\b|\[\d{1,5}\]", re.IGNORECASE)
"""Other programs write `[INFO]` as well."""
_PREFIX = re.compile(r"[\w./-]{1,40}\.c:\d{1,6}:")
_EVENT, _OBJECT, _DESCRIPTION, _GENERATED = 8, 9, 14, 6
"""Fields of a row, from 0, as the vendor's syslog reference lists them."""


class PaloaltoReader(Reader):
    """Reads the VPN events and ikemgr.log of PAN-OS."""

    platform = "paloalto"
    marks = (
        ",SYSTEM,vpn,", "|vpn|SYSTEM|", " ike-", "ikev2", " ipsec", " tunnel-", "[PROTO_", "[INTERNAL_", "[INFO]: ",
        "[DEBUG]: ", "[WARNING]: ", "[PERR]: ", "[PNTF]: ", "[PWRN]: ", "[DEBG]: ",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._peers: dict[str, object] = {}
        self._last: Said = Said()

    def split(self, text: str) -> Parts | None:
        """The stamp of an event, and the event: its name, what it is about, and its description."""
        if ",SYSTEM,vpn," in text:
            return _row(text)
        if "|vpn|SYSTEM|" in text and (cef := _CEF.search(text[:1000])) is not None:
            field = {found[1]: found[2] for found in _FIELD.finditer(text[cef.end() :])}
            before = f"{text[: cef.start()][-100:]} {field.get('rt', '')}"
            return before, _event(field.get("cat", ""), field.get("fname", ""), field.get("msg", "")), ""
        if text[:2] != "20":
            return None
        match = _DAEMON.match(text) or _SHOWN.match(text)
        if match is None or _PREFIX.match(match["text"]):
            return None
        if match.re is _SHOWN:
            return match["when"], _event(match["event"], match["object"], match["text"]), ""
        if match["plain"] and not _ABOUT.search(match["text"][:400]):
            return None
        return match["when"], match["text"], ""

    def say(self, body: str) -> Said:
        """Read an event: both ends, the cookies, who began, the gateway or the tunnel."""
        body = body[:MAX_BODY]
        kind = self.kind(body)
        between, other, alone = _BETWEEN.search(body), _FROM_TO.search(body), _PEER.search(body)
        cookies, role, named, waits = _COOKIES.search(body), _ROLE.search(body), _NAMED.match(body), _WAITS.search(body)
        local, local_port, peer, peer_port = "", 0, "", 0
        if between is not None:
            local, local_port, peer, peer_port = between[1], int(between[2]), between[3], int(between[4])
        elif other is not None:
            peer, peer_port, local, local_port = other[1], int(other[2]), other[3], int(other[4])
        elif alone is not None:
            peer, peer_port = alone[1], int(alone[2] or 0)
        return Said(
            kind=kind,
            peer=peer,
            peer_port=peer_port & 0xFFFF,
            local=local,
            local_port=local_port & 0xFFFF,
            initiator_spi=spi(cookies[1]) if cookies else b"",
            responder_spi=spi(cookies[2]) if cookies else b"",
            role=role[1].lower() if role and _of_phase1(body, kind) else "",
            session=peer,
            connection=(named[1] or "") if named else "",
            state=f"{waits[1][0].upper()}M_WAIT_MSG2" if waits else "",
        )

    def follow(self, line: LogLine) -> LogLine:
        """An event that names no end is about its gateway or tunnel, else about the negotiation before it."""
        said = line.said
        if said.peer:
            if said.connection:
                bounded(self._peers)
                self._peers[said.connection] = said
            self._last = said
            return line
        if said.plain:
            return line
        known = self._peers.get(said.connection)
        before = known if isinstance(known, Said) else self._last
        return with_said(line, session=before.session, peer=before.peer, local=before.local) if before.peer else line

    def goes_on(self, before: str, last: str, text: str, rows: int) -> bool:
        """ikemgr puts the ends of an SA on a line of their own."""
        return text.lstrip().startswith("====>") and rows < 4


def _of_phase1(body: str, kind: LineKind | None) -> bool:
    """Whether who began is told of phase 1: either end may begin phase 2."""
    low = body.lower()
    return "phase-2" not in low and "child sa" not in low and "quick mode" not in low


def _event(name: str, about: str, description: str) -> str:
    return f"{name}{f' {about}' if about else ''}: {description}"


def _row(text: str) -> Parts | None:
    found = _ROW.search(text[:1000])
    if found is None:
        return None
    begin = found.start() + (found[0][0] in ' "')
    try:
        fields = next(csv.reader([text[begin : begin + 2 * MAX_BODY]], strict=False))
    except (csv.Error, StopIteration):
        return None
    if len(fields) <= _DESCRIPTION:
        return None
    when = f"{text[:begin][-100:]} {fields[1]} {fields[_GENERATED]}"
    return when, _event(fields[_EVENT], fields[_OBJECT], fields[_DESCRIPTION]), ""
