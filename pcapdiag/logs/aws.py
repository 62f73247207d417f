"""AWS Site-to-Site VPN: the tunnel's log of CloudWatch, as JSON lines, in CSV, or as the command line prints it.

    {"event_timestamp": 1662045131, "details": "AWS tunnel detected a pre-shared key mismatch with cgw: 192.0.2.1",
     "dpd_enabled": true, "nat_t_detected": false, "ike_phase1_state": "down", "ike_phase2_state": "down"}

The fields and the messages are documented; the name of the log stream, where it stands before a line, has the VPN
connection and the outside address of the tunnel. The states of both phases are those after the event.
"""

import re

from pcapdiag.knowledge.log_lines import LineKind
from pcapdiag.logs.cloud import clock, record_in, text_of
from pcapdiag.logs.line import RECEIVED, SENT, LogLine, Said, Told
from pcapdiag.logs.reader import ADDRESS, MAX_BODY, Parts, Reader, number, with_said

_CHILD = re.compile(
    r"AWS tunnel (processed|is sending) (request|response) \(id ?= ?(\d+)\) for (CREATE_CHILD_SA|IKE_AUTH|IKE_SA_INIT)"
)
_PEER = re.compile(rf"\bcgw:? ({ADDRESS})(?![\w.:])")
_VPN = re.compile(r"\bvpn-(?:id-)?[0-9a-f]{8,17}\b")
_OUTSIDE = re.compile(rf"(?<![\w.:])({ADDRESS})(?![\w.:])")
_STATES = re.compile(r" \[ike_phase1_state: (\w*), ike_phase2_state: (\w*)\]$")


class AwsReader(Reader):
    """Reads the records of an AWS VPN tunnel."""

    platform = "aws"
    marks = ("ike_phase1_state",)

    def __init__(self) -> None:
        super().__init__()
        self._last = ""

    def split(self, text: str) -> Parts | None:
        """The stamp of a record, its message with the states of both phases, and the tunnel that it is of."""
        if "ike_phase1_state" not in text:
            return None
        found = record_in(text)
        if found is None:
            return None
        before, record = found
        details = text_of(record, "details", "VpnLogDetail")
        one, two = text_of(record, "ike_phase1_state"), text_of(record, "ike_phase2_state")
        when = clock(text_of(record, "timestamp") or text_of(record, "event_timestamp")) or before[-200:]
        where = text_of(record, "resource_id") or before[-200:]
        return when, f"{details} [ike_phase1_state: {one.lower()}, ike_phase2_state: {two.lower()}]", where

    def say(self, body: str) -> Said:
        """Read a record: what it tells, the customer gateway, the message of the exchange."""
        body = body[-MAX_BODY:]
        peer = _PEER.search(body)
        child = _CHILD.search(body)
        told, message_id = None, None
        if child is not None:
            direction = RECEIVED if child[1] == "processed" else SENT
            told = Told(direction, 2, (f"{child[4]} {child[2]}",), sealed=child[4] != "IKE_SA_INIT")
            message_id = number(child[3])
        return Said(
            kind=self._kind(body),
            peer=peer[1] if peer else "",
            session=peer[1] if peer else "",
            message_id=message_id,
            told=told,
        )

    def _kind(self, body: str) -> LineKind | None:
        """The entry of the message; that of its states where the message has none, or says nothing of the course."""
        states = _STATES.search(body)
        details = body[: states.start()] if states else body
        own, whole = self.kind(details), self.kind(body)
        if own is None or whole is None:
            return own or whole
        return whole if whole.id.startswith(own.id) or not (own.tells or own.causes) else own

    def follow(self, line: LogLine) -> LogLine:
        """Put the tunnel to a record: its connection and address out of the name of the stream."""
        vpn = _VPN.search(line.thread)
        outside = _OUTSIDE.search(line.thread[vpn.end() :].replace("-", " ")) if vpn else None
        said = line.said
        session = said.session or (outside[1] if outside else vpn[0] if vpn else self._last)
        if vpn is not None:
            line = with_said(line, connection=vpn[0].replace("-id-", "-"), local=outside[1] if outside else "")
        self._last = session
        return line if session == said.session else with_said(line, session=session)
