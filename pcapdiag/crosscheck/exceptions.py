"""Where Wireshark is known to show something else, and why: each with a name, a reason, and a rule that tells it.

As of Wireshark 4.0. A rule looks at the message and at what Wireshark shows; it never looks at a file name.
"""

from collections.abc import Callable

from pcapdiag.crosscheck.dissection import Field
from pcapdiag.crosscheck.facts import FACTS, SEALED_FACTS
from pcapdiag.ike.message import HEADER_LENGTH, Message
from pcapdiag.ike.payloads import Identification, Payload
from pcapdiag.ike.registry import ExchangeType, IdentificationType, PayloadType
from pcapdiag.record import Record

EVERYTHING = frozenset((*FACTS, *SEALED_FACTS, "header", "messages", "decryption"))
"""The names of all that is compared."""


class KnownDifference(Record, frozen=True):
    """A difference that is explained.

    facts -- the names of what may differ; applies -- whether this message is such a one; None stands for a message
        that only the other side sees
    """

    name: str
    reason: str
    facts: frozenset[str]
    applies: Callable[[Message | None, Field | None], bool]


def _length_below_header(message: Message | None, shown: Field | None) -> bool:
    return message is not None and message.header.length < HEADER_LENGTH and shown is None


def _other_version(message: Message | None, shown: Field | None) -> bool:
    return message is None and shown is not None and (shown.number("version") or 0) >> 4 not in (1, 2)


def _cookie_like_marker(message: Message | None, shown: Field | None) -> bool:
    return message is not None and message.header.initiator_spi.startswith(bytes(4)) and shown is None


def _payload_below_header(message: Message | None, shown: Field | None) -> bool:
    return message is not None and "4 are the least" in (message.problem or "")


def _payload_15(message: Message | None, shown: Field | None) -> bool:
    phase1 = (ExchangeType.MAIN, ExchangeType.AGGRESSIVE)
    return (
        message is not None
        and message.header.exchange_type in phase1
        and any(p.type == PayloadType.NAT_D_DRAFT_OLD for p in message.payloads)
    )


def _short_address(message: Message | None, shown: Field | None) -> bool:
    lengths = {IdentificationType.IPV4_ADDR: 4, IdentificationType.IPV6_ADDR: 16}
    return message is not None and any(
        (isinstance(p, Identification) and len(p.data) != lengths.get(p.id_type, len(p.data)))
        or (p.type in _IDENTITIES and p.problem is not None)
        for p in message.payloads
    )


_IDENTITIES = (PayloadType.ID, PayloadType.IDI, PayloadType.IDR)


def _damaged_proposal(message: Message | None, shown: Field | None) -> bool:
    kinds = (PayloadType.SA, PayloadType.SA2)
    return message is not None and any(type(p) is Payload and p.type in kinds and p.problem for p in message.payloads)


def _shown_garbage(message: Message | None, shown: Field | None) -> bool:
    """`shown` is what Wireshark has below the encrypted data."""
    first = shown.one("typepayload") if shown is not None else None
    return first is not None and (first.number("payloadlength") or 0) * 2 != len(first.octets)


def _shown_nothing(message: Message | None, shown: Field | None) -> bool:
    return shown is None or shown.one("typepayload") is None


KNOWN: tuple[KnownDifference, ...] = (
    KnownDifference(
        "cookie like a marker",
        "the initiator cookie begins with four zero octets; Wireshark takes them for the marker of RFC 3948",
        EVERYTHING,
        _cookie_like_marker,
    ),
    KnownDifference(
        "length below the header's",
        "the message declares fewer octets than its header has; Wireshark shows no ISAKMP at all",
        EVERYTHING,
        _length_below_header,
    ),
    KnownDifference(
        "another version",
        "neither version 1 nor 2; Wireshark shows a header all the same, for us this is not IKE",
        EVERYTHING,
        _other_version,
    ),
    KnownDifference(
        "payload below its header",
        "a payload declares less than its generic header of four octets (RFC 2408 §3.2); Wireshark shows it and reads "
        "on within it as if another one began there",
        frozenset({"payload types", "payload bodies", "vendor IDs"}),
        _payload_below_header,
    ),
    KnownDifference(
        "payload 15",
        "in phase 1 payload 15 is NAT-D of drafts 04–08; Wireshark reads the SA KEK payload of GDOI (RFC 6407 §5.3)",
        frozenset({"payload types", "payload bodies", "NAT detections"}),
        _payload_15,
    ),
    KnownDifference(
        "address of another length",
        "an identity that is an address has not its octets; Wireshark takes what is lacking from behind the payload "
        "(its data end where its length says, RFC 7296 §3.2, §3.5)",
        frozenset({"identities"}),
        _short_address,
    ),
    KnownDifference(
        "damaged proposal",
        "a proposal declares more than its payload has; we give up the whole SA and go on behind it, Wireshark keeps "
        "the proposals before and gives up the rest of the message",
        EVERYTHING - {"header", "messages"},
        _damaged_proposal,
    ),
)
"""Of messages as they are on the wire."""

KNOWN_OPENED: tuple[KnownDifference, ...] = (
    KnownDifference(
        "another initialization vector or row",
        "Wireshark goes on with the block that it saw last, the sender with one before (a message was sent again, or "
        "the sender could not read it), or Wireshark takes the other end's row for these cookies: what it shows has no "
        "structure, what we show has",
        EVERYTHING,
        _shown_garbage,
    ),
    KnownDifference(
        "not opened by Wireshark",
        "Wireshark opens it with no row of the table; we also try rows of other SPIs (a rekeyed SA) and of other ends",
        EVERYTHING,
        _shown_nothing,
    ),
)
"""Of what keys open, by us."""


def known_difference(
    fact: str, message: Message | None, shown: Field | None, opened: bool = False
) -> KnownDifference | None:
    """The known difference that explains why this fact differs, if there is one."""
    table = KNOWN_OPENED if opened else KNOWN
    return next((k for k in table if fact in k.facts and k.applies(message, shown)), None)
