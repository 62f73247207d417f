"""The columns of the tables: what each is called, what kind of value it holds, and what that means.

The one place that says so: the DataFrames, `pcapdiag messages` in every format, `pcapdiag.columns()` and the tests all
read it. `rows` has a function for each table that yields its values in this order.
"""

from enum import Enum

from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.tunnel import TunnelState
from pcapdiag.exchange.model import Mode, Side
from pcapdiag.knowledge.records import Status
from pcapdiag.record import Record


class Kind(Enum):
    """What sort of value a column holds, and how each format has it.

    TEXT -- one text
    NAMES -- several, in one text with SEPARATOR between them, empty for none; NDJSON has an array
    INTEGER -- a whole number
    BOOLEAN -- in CSV and NDJSON true or false
    TIME -- UTC, with nanoseconds; CSV and NDJSON have ISO 8601 with nine places, and nothing for what is beyond the
        years 1678 to 2261, which only a damaged capture has
    DURATION -- with nanoseconds; CSV and NDJSON have seconds with nine places
    CATEGORY -- one of a few words
    INTEGERS -- a tuple of whole numbers; CSV has them with blanks between, NDJSON and Parquet have a list

    What is not there is pandas' own sign for that in a DataFrame, an empty cell in CSV, and null in NDJSON.
    """

    TEXT = "text"
    NAMES = "names"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TIME = "time"
    DURATION = "duration"
    CATEGORY = "category"
    INTEGERS = "integers"


_DTYPES = {
    Kind.TEXT: "string",
    Kind.NAMES: "string",
    Kind.INTEGER: "int64",
    Kind.BOOLEAN: "bool",
    Kind.TIME: "datetime64[ns, UTC]",
    Kind.DURATION: "timedelta64[ns]",
    Kind.CATEGORY: "category",
    Kind.INTEGERS: "object",
}

SEPARATOR = "; "
"""Between names that stand in one text."""


class Column(Record, frozen=True):
    """One column.

    optional -- a cell may have nothing
    categories -- of a CATEGORY: all that there can be; ordered -- their order means something: the weakest first
    """

    name: str
    kind: Kind
    meaning: str
    optional: bool = False
    categories: tuple[str, ...] = ()
    ordered: bool = False

    @property
    def dtype(self) -> str:
        """The dtype that it has in a DataFrame, as pandas names it."""
        return "Int64" if self.kind is Kind.INTEGER and self.optional else _DTYPES[self.kind]


_ENDS = tuple(side.value for side in Side)
_OUTCOMES = tuple(outcome.value for outcome in Outcome)
_STATUSES = tuple(status.value for status in reversed(Status))
_TRANSPORTS = ("udp", "tcp")
K, C = Kind, Column

EXCHANGES = (
    C("exchange", K.INTEGER, "the exchange: its place in the order of first sight, from 1; key of this table"),
    C("conversation", K.TEXT, "the addresses of the two peers, whoever began, with a blank between"),
    C("mode", K.CATEGORY, "how phase 1 is done", categories=tuple(mode.value for mode in Mode)),
    C("outcome", K.CATEGORY, "how it ended", categories=_OUTCOMES),
    C("outcome_alone", K.CATEGORY, "the outcome without the one that superseded it", categories=_OUTCOMES),
    C("superseded_by", K.INTEGER, "the exchange that superseded this one", optional=True),
    C("completed", K.BOOLEAN, "phase 1 completed: seen to, or begun before the capture and in use"),
    C("tunnel", K.CATEGORY, "whether the tunnel is there", categories=tuple(state.value for state in TunnelState)),
    C("last_message", K.INTEGER, "the highest Main or Aggressive Mode message that was seen", optional=True),
    C("missing", K.TEXT, 'the message that is due next and was not seen: "MM4"', optional=True),
    C("waits_for", K.CATEGORY, "the end that has to send it", optional=True, categories=_ENDS),
    C("refused_by", K.CATEGORY, "the end that ended it, where one did", optional=True, categories=_ENDS),
    C("reason", K.TEXT, "where it stopped, in a sentence"),
    C("initiator_state", K.NAMES, "the states that are possible for the initiator, most probable first"),
    C("responder_state", K.NAMES, "the same of the responder"),
    C("top_cause", K.TEXT, "the id of the cause that comes first", optional=True),
    C("top_status", K.CATEGORY, "how that stands", optional=True, categories=_STATUSES, ordered=True),
    C("initiator", K.TEXT, "the initiator's address, as first seen"),
    C("initiator_port", K.INTEGER, "its port, as first seen"),
    C("responder", K.TEXT, "the responder's address, as first seen"),
    C("responder_port", K.INTEGER, "its port, as first seen"),
    C("roles_certain", K.BOOLEAN, "false: the capture starts in the middle, and who began is inferred"),
    C("initiator_spi", K.TEXT, "the initiator's cookie (SPI), 16 hexadecimal digits"),
    C("responder_spi", K.TEXT, "the responder's", optional=True),
    C("first_time", K.TIME, "when its first message was seen", optional=True),
    C("last_time", K.TIME, "when a message of it was last seen", optional=True),
    C("duration", K.DURATION, "from first_time to last_time", optional=True),
    C("first_capture", K.INTEGER, "index in Report.captures of the one with its first message", optional=True),
    C("first_frame", K.INTEGER, "the frame that completed that, as Wireshark numbers it there", optional=True),
    C("messages", K.INTEGER, "different messages"),
    C("transmissions", K.INTEGER, "times that they were sent"),
    C("retransmissions", K.INTEGER, "times that one was sent again"),
    C("duplicates", K.INTEGER, "packets that were recorded a second time"),
    C("uncounted", K.INTEGER, "messages, transmissions and ICMP errors beyond what is kept one by one"),
    C("icmp_errors", K.INTEGER, "ICMP errors that quote one of its messages"),
    C("floated", K.BOOLEAN, "something of it went over UDP 4500"),
    C("initiator_vendors", K.NAMES, "products that the initiator's vendor IDs name"),
    C("responder_vendors", K.NAMES, "the same of the responder"),
    C("initiator_identities", K.NAMES, "what the initiator calls itself, where that can be read"),
    C("responder_identities", K.NAMES, "the same of the responder"),
    C("chosen", K.TEXT, "what the responder took of the proposals", optional=True),
    C("quick_modes", K.INTEGER, "Quick Modes under its cookies"),
    C("quick_modes_completed", K.INTEGER, "those of which all messages went by"),
    C("evidence_count", K.INTEGER, "its rows in `evidence`"),
    C("cause_count", K.INTEGER, "its rows in `causes`"),
)
"""One row for each exchange, in the order of the report."""

MESSAGES = (
    C("exchange", K.INTEGER, "the exchange that it belongs to"),
    C("message", K.INTEGER, "the message within it, from 1: the rows of its transmissions share that"),
    C("name", K.TEXT, 'what it is: "MM5", "QM1", "Informational", "IKE_AUTH request"'),
    C("sender", K.CATEGORY, "the end that sent it", categories=_ENDS),
    C("transmission", K.INTEGER, "which time it was sent, from 1; of a duplicate, that of the packet that it repeats"),
    C("duplicate", K.BOOLEAN, "the same packet recorded again: a mirror port, an `any` interface, both sides of a NAT"),
    C("gap", K.DURATION, "since it was sent before; nothing at the first time, and for duplicates", optional=True),
    C("time", K.TIME, "when the frame that completed it was captured", optional=True),
    C("capture", K.INTEGER, "index in Report.captures, from 0"),
    C("file", K.TEXT, "the name of that capture; what does not print stands as \\x1b"),
    C("frame", K.INTEGER, "the frame that completed it, as Wireshark numbers it in that file"),
    C("frames", K.INTEGERS, "every frame that carried it: several where IP or IKE fragments did"),
    C("source", K.TEXT, "the address that it came from"),
    C("source_port", K.INTEGER, "its port"),
    C("destination", K.TEXT, "the address that it went to"),
    C("destination_port", K.INTEGER, "its port"),
    C("transport", K.CATEGORY, "whose ports those are", categories=_TRANSPORTS),
    C("ttl", K.INTEGER, "time to live, or hop limit"),
    C("ip_id", K.INTEGER, "identification of the IPv4 header", optional=True),
    C("non_esp_marker", K.BOOLEAN, "four zero octets stood before it, as on UDP 4500 they should"),
    C("version", K.INTEGER, "major version of IKE"),
    C("exchange_type", K.TEXT, "of the header, as the registry names it"),
    C("message_id", K.INTEGER, "of the header"),
    C("flags", K.INTEGER, "of the header, eight bits"),
    C("initiator_spi", K.TEXT, "of the header, 16 hexadecimal digits: a cookie in IKEv1"),
    C("responder_spi", K.TEXT, "the same; nothing where the header has zeros", optional=True),
    C(
        "length",
        K.INTEGER,
        "octets that the header declares; of IKE fragments put together, of the whole",
    ),
    C("encrypted", K.BOOLEAN, "its payloads cannot be read without keys"),
    C("decrypted", K.BOOLEAN, "keys opened it"),
    C("whole", K.BOOLEAN, "every piece of it was captured"),
    C("payloads", K.NAMES, "the payloads that can be read, in order"),
    C("notifies", K.NAMES, "the notifies that can be read"),
    C("vendor_ids", K.NAMES, "its vendor IDs, with versions where known"),
    C("identities", K.NAMES, "the identities that can be read"),
    C("problem", K.TEXT, "what is wrong with its structure", optional=True),
)
"""One row for each time that a message crossed a capture point, in the order of their times."""

EVIDENCE = (
    C("exchange", K.INTEGER, "the exchange that it is about"),
    C("evidence", K.TEXT, "its id within the exchange: E1, E2 …; with `exchange` the key of this table"),
    C("kind", K.TEXT, "what sort of fact it is; stable"),
    C("kinds", K.NAMES, "`kind`, and the others that it is an instance of"),
    C("text", K.TEXT, "the fact, in a sentence or two"),
    C("capture", K.INTEGER, "index in Report.captures of the first frame that shows it"),
    C("frame", K.INTEGER, "that frame"),
    C("frames", K.INTEGERS, "every frame that shows it"),
    C("captures", K.INTEGERS, "of each of these, the index in Report.captures"),
    C("display_filter", K.TEXT, "shows these frames in Wireshark"),
)
"""One row for each fact, by exchange."""

CAUSES = (
    C("exchange", K.INTEGER, "the exchange that it may explain"),
    C("rank", K.INTEGER, "its place, from 1: the best first; with `exchange` the key of this table"),
    C("cause", K.TEXT, "its id, for `pcapdiag explain`"),
    C("title", K.TEXT, "what it is"),
    C("status", K.CATEGORY, "how it stands", categories=_STATUSES, ordered=True),
    C("says", K.TEXT, "why it stands so"),
    C("because", K.NAMES, "ids of the evidence that speaks for it"),
    C("against", K.NAMES, "ids of the evidence that speaks against it"),
    C("document", K.NAMES, "where the source document lists it: state and number there"),
    C("weight", K.INTEGER, "orders causes of the same status"),
)
"""One row for each exchange and cause that was weighed for it."""

PASSAGES = (
    C("exchange", K.INTEGER, "the exchange that it belongs to"),
    C("message", K.INTEGER, "the message within it, from 1"),
    C("name", K.TEXT, 'what it is: "MM5", "IKE_AUTH request"'),
    C("sender", K.CATEGORY, "the end that sent it", categories=_ENDS),
    C("transmission", K.INTEGER, "which time it was sent, or which piece of it, from 1"),
    C("point", K.TEXT, "the capture point: A, B …"),
    C("place", K.INTEGER, "its place on the way, from 1; nothing where that is not known", optional=True),
    C("seen", K.BOOLEAN, "the point captured it"),
    C(
        "fate",
        K.CATEGORY,
        "what became of it behind the last point that saw it",
        categories=("arrived", "lost", "unseen", "elsewhere"),
    ),
    C("lost", K.BOOLEAN, "it left one point and did not come by the next"),
    C("proven", K.BOOLEAN, "of a loss: the next point was capturing then, for certain"),
    C("lost_between", K.TEXT, 'the two points: "A B"', optional=True),
    C("why", K.TEXT, "why it may not be seen, where it is not"),
    C("time", K.TIME, "when it passed, by the first point's clock", optional=True),
    C("own_time", K.TIME, "the same by the point's own clock", optional=True),
    C("since_first", K.DURATION, "since it passed the first point that saw it", optional=True),
    C("frames", K.INTEGERS, "the frames that carried it there"),
    C("source", K.TEXT, "the address that it came from, there", optional=True),
    C("source_port", K.INTEGER, "its port", optional=True),
    C("destination", K.TEXT, "the address that it went to, there", optional=True),
    C("destination_port", K.INTEGER, "its port", optional=True),
    C("ttl", K.INTEGER, "time to live, or hop limit", optional=True),
    C("ip_id", K.INTEGER, "identification of the IPv4 header", optional=True),
    C("dscp", K.INTEGER, "of the IP header; nothing for what came in fragments", optional=True),
    C("size", K.INTEGER, "octets of UDP payload"),
    C("altered", K.BOOLEAN, "its octets differ between points"),
)
"""One row for each transmission and point, by exchange and message."""

TABLES = {"exchanges": EXCHANGES, "messages": MESSAGES, "evidence": EVIDENCE, "causes": CAUSES}
"""By the names that they have as attributes of a report."""
