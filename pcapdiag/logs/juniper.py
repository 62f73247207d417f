"""Juniper SRX: what kmd and iked write to syslog, in text or with structured data, and their trace file.

    Aug  3 10:18:44  srx1 kmd[14162]: IKE negotiation successfully completed. IKE Version: 2, VPN: v Gateway: g, Local:
    192.0.2.2/500, Remote: 192.0.2.1/500, Local IKE-ID: 192.0.2.2, Remote IKE-ID: 192.0.2.1, VR-ID: 0, Role: Initiator
    <27>1 2023-07-04T12:22:36.461+10:00 gw kmd 9812 - - IKE negotiation failed with error: Timed out. IKE Version: 1, …

A line is about the outcome, not about messages: it names both ends with their ports, the VPN, the gateway, the version
of IKE and who began.
"""

import re

from msgspec.structs import replace

from pcapdiag.logs.line import LogLine, Said
from pcapdiag.logs.reader import ADDRESS, MAX_BODY, Parts, Reader, with_said

_ENDS = re.compile(rf"Local: ({ADDRESS})/(\d+), Remote: ({ADDRESS})/(\d+)")
_LOCAL = re.compile(
    rf"(?:Local[ -](?:gateway|ip): |\blocal ip: |local-address=\"|\bsrc_ip=|for (?:p1_)?local=\w+\([^)]*=)({ADDRESS})"
)
_REMOTE = re.compile(
    rf"(?:Remote gateway: |VPN \S+ from |remote peer ip: ?|remote-address=\"|\bdst_ip=|remote=\w+\([^)]*=|"
    rf"DPD detected peer )({ADDRESS})"
)
_VPN = re.compile(r"(?:\bVPN: |\bvpn name: |vpn-name=\")([^\s,\"]+)|_ALARM_USER: VPN (\S+) from")
_GATEWAY = re.compile(r"(?:Gateway: |gateway name: )([^\s,]+)")
_ROLE = re.compile(r"Role: (Initiator|Responder)|\[(initiator|responder)\]|\((Initiator|Responder)\)")
_VERSION = re.compile(r"IKE Version: ([12])\b")
_TRACE = re.compile(rf"\[({ADDRESS}) <-> ({ADDRESS})\]\s*")


class JuniperReader(Reader):
    """Reads the lines of an SRX."""

    platform = "juniper"
    marks = ("kmd", "iked", "KMD_", " <-> ")
    head = re.compile(
        r"(?P<when>.{0,250}?)(?<![\w-])(?:"
        r"(?:kmd|iked)(?:\[\d{1,7}\])?: (?:%[\w-]+: )?(?P<a>.*)|"
        r"(?:kmd|iked) (?:\d{1,7}|-) (?:-|[\w.-]{1,32}) (?P<b>(?:- |\[junos@).*|(?:IKE|IPSec) .*)|"
        r"(?P<c>KMD_[A-Z0-9_]+: .*))",
        re.DOTALL,
    )
    _TAG = re.compile(r"(KMD_[A-Z0-9_]+) \[junos@")
    _TRACED = re.compile(rf"\[[A-Z][a-z]{{2}} +\d+ \d\d:\d\d:\d\d(?:\.\d+)?\](?=\[{ADDRESS} <-> {ADDRESS}\])")

    def __init__(self) -> None:
        super().__init__()
        self._last = ""

    def split(self, text: str) -> Parts | None:
        """What stands before a line, and the line; the name of a message goes with it."""
        if " <-> " in text:
            traced = self._TRACED.match(text)
            if traced is not None:
                return traced[0].strip("[]"), text[traced.end() :], ""
        for mark in self.marks:
            if mark in text:
                break
        else:
            return None
        tag = self._TAG.search(text, 0, 400)
        if tag is not None:
            return text[: tag.start()], text[tag.start() :], ""
        match = self.head.match(text)
        if match is None:
            return None
        body = match["a"] or match["b"] or match["c"] or ""
        return match["when"], body.removeprefix("- "), ""

    def say(self, body: str) -> Said:
        """Read a line: both ends, the VPN, who began."""
        body = body[:MAX_BODY]
        ends, local, remote = _ENDS.search(body), _LOCAL.search(body), _REMOTE.search(body)
        vpn, gateway, role, traced = _VPN.search(body), _GATEWAY.search(body), _ROLE.search(body), _TRACE.match(body)
        peer = ends[3] if ends else remote[1] if remote else traced[2] if traced else ""
        kind = self.kind(body)
        version = _VERSION.search(body)
        if kind is not None and not kind.ike and version:
            kind = replace(kind, ike=int(version[1]))
        name = (vpn[1] or vpn[2] or "").rstrip(".") if vpn else ""
        return Said(
            kind=kind,
            peer=peer,
            peer_port=int(ends[4]) & 0xFFFF if ends and len(ends[4]) < 6 else 0,
            local=ends[1] if ends else local[1] if local else traced[1] if traced else "",
            local_port=int(ends[2]) & 0xFFFF if ends and len(ends[2]) < 6 else 0,
            role=next(filter(None, role.groups()), "").lower() if role else "",
            session=peer,
            connection=name or (gateway[1] if gateway else ""),
        )

    def follow(self, line: LogLine) -> LogLine:
        """A line that names no end goes with the negotiation before it."""
        said = line.said
        if said.session:
            self._last = said.session
            return line
        return line if said.plain or not self._last else with_said(line, session=self._last)
