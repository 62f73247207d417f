"""One line of a log as a record: when, who, and what it says of which message.

Times stay as they were written; `stamps` reads them. Text of a log may hold anything: reports show it through `safe`.
"""

from pcapdiag.knowledge.log_lines import LineKind
from pcapdiag.record import Record

SENT, RECEIVED = "sent", "received"


class Told(Record, frozen=True):
    """A message that a line tells of.

    direction -- "sent" or "received" by the end that logs, "" where the line does not say
    ike -- 1 or 2, 0 where that is open
    names -- what the message can be: one name ("MM5", "IKE_AUTH request"), two where it depends on who began ("MM1",
        "MM2"), none where the line does not tell
    payloads -- their labels as in reports, in order; None where the line does not tell
    length -- octets of the message, as the device counts them
    again -- it was sent before
    sealed -- it is encrypted; None where that is open
    whole -- this line counts as the message; another line about the same message (`charon` has two) does not
    """

    direction: str
    ike: int = 0
    names: tuple[str, ...] = ()
    payloads: tuple[str, ...] | None = None
    length: int | None = None
    again: bool = False
    sealed: bool | None = None
    whole: bool = True


class Said(Record, frozen=True):
    """What a line says, apart from when it does.

    kind -- the entry of the table, or None; peer, local -- addresses with their ports
    initiator_spi, responder_spi -- eight octets each; message_id -- unsigned
    role -- of the end that logs: "initiator", "responder", or ""
    session -- what lines of one SA have in common in this format; connection -- the name, or the tunnel-group
    state -- as the device calls it; told -- the message that it is about
    octets -- the message itself, where the line holds it; clear -- that is the decrypted message
    secret -- a key stands in the line
    """

    kind: LineKind | None = None
    peer: str = ""
    peer_port: int = 0
    local: str = ""
    local_port: int = 0
    initiator_spi: bytes = b""
    responder_spi: bytes = b""
    message_id: int | None = None
    role: str = ""
    session: str = ""
    connection: str = ""
    state: str = ""
    told: Told | None = None
    octets: bytes = b""
    clear: bool = False
    secret: bool = False

    @property
    def plain(self) -> bool:
        """It tells nothing of the course of a negotiation: worth counting only."""
        kind = self.kind
        if self.told is not None or self.octets or self.role or self.initiator_spi:
            return False
        return kind is None or not (kind.tells or kind.causes or kind.against or kind.state or kind.message)


class LogLine(Record, frozen=True):
    """A line that a reader understood.

    number -- of its first physical line, from 1; rows -- physical lines that it was wrapped into
    platform -- who printed it; when -- what stands before it, stamps included; text -- the rest
    thread -- what else the device puts in front: charon's thread, the severity
    """

    number: int
    platform: str
    when: str
    text: str
    said: Said
    rows: int = 1
    thread: str = ""
