"""OpenIKED: `iked -d`, `-dvv`, and syslog.

    spi=0x58aeec3095aa17ae: send IKE_SA_INIT req 0 peer 10.2.0.2:500 local 10.1.0.2:500, 462 bytes
    ikev2_pld_parse: header ispi 0x58ae… rspi 0x0000… nextpayload SA version 0x20 exchange IKE_SA_INIT flags 0x08 …

Lines about an SA begin with the initiator's SPI; a message has its ends, its message ID and its length.
"""

import re

from pcapdiag.logs.line import RECEIVED, SENT, LogLine, Said, Told
from pcapdiag.logs.reader import ADDRESS, MAX_BODY, Reader, number, spi, with_said

_SPI = re.compile(r"spi=0x([0-9a-f]{16})")
_MESSAGE = re.compile(
    rf"(send|recv|retransmit \d+) ([A-Z_]+) (req|res) (\d+) peer ({ADDRESS}):(\d+) local ({ADDRESS}):(\d+)"
    r"(?:, (\d+) bytes)?"
)
_POLICY = re.compile(r"policy '([^']*)'")
_STATE = re.compile(r"sa_state: (\w+) -> (\w+)")
_HEADER = re.compile(r"header ispi 0x([0-9a-f]{16}) rspi 0x([0-9a-f]{16})")
_NAMED = re.compile(r'initiating "([^"]*)"')


class OpenikedReader(Reader):
    """Reads the lines of iked."""

    platform = "openiked"
    marks = ("spi=0x", "ikev2", "sa_", "policy_", "proposals_", "config_", "ca_", "iked", "create_ike")
    head = re.compile(
        r"(?P<when>.{0,200}?)"
        r"(?P<text>(?:spi=0x[0-9a-f]{16}: |ikev2_[a-z_]+: |sa_(?:free|state|stateok|address)[a-z_]*: |"
        r"policy_lookup: |proposals_negotiate: |config_\w+: |ca_[a-z_0-9]+: |iked? |ikev2 \"|create_ike: ).*)",
        re.DOTALL,
    )

    def __init__(self) -> None:
        super().__init__()
        self._last = ""

    def say(self, body: str) -> Said:
        """Read a line: the SPI, the ends, the message."""
        body = body[:MAX_BODY]
        kind = self.kind(body)
        own = _SPI.match(body)
        message = _MESSAGE.search(body)
        policy = _POLICY.search(body)
        state = _STATE.search(body)
        header = _HEADER.search(body)
        session = own[1] if own else header[1] if header else ""
        said = Said(
            kind=kind,
            initiator_spi=spi(session),
            responder_spi=spi(header[2]) if header else b"",
            session=session,
            connection=policy[1] if policy else "",
            state=state[2] if state else "",
            role="initiator" if _NAMED.search(body) else "",
        )
        return said if message is None else _with_message(said, message)

    def follow(self, line: LogLine) -> LogLine:
        """A line without an SPI, about authentication for instance, goes with the SA before it."""
        said = line.said
        if said.session:
            self._last = said.session
            return line
        if said.plain or not self._last:
            return line
        if said.kind is not None and said.kind.tells == "begin":
            return line
        return with_said(line, session=self._last)


def _with_message(said: Said, message: re.Match[str]) -> Said:
    from msgspec.structs import replace

    asks = message[3] == "req"
    received = message[1] == "recv"
    exchange = message[2]
    role = ""
    if exchange in ("IKE_SA_INIT", "IKE_AUTH"):
        role = "initiator" if asks != received else "responder"
    told = Told(
        RECEIVED if received else SENT,
        2,
        (f"{exchange} {'request' if asks else 'response'}",),
        None,
        int(message[9]) if message[9] and len(message[9]) < 7 else None,
        message[1].startswith("retransmit"),
        exchange != "IKE_SA_INIT",
    )
    return replace(
        said,
        peer=message[5],
        peer_port=int(message[6]) & 0xFFFF,
        local=message[7],
        local_port=int(message[8]) & 0xFFFF,
        message_id=number(message[4]),
        role=role,
        told=told,
    )
