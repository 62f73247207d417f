"""Which message of an exchange a line tells of, from what it says: direction, exchange type, message ID, payloads.

RFC 2409 §5 for IKEv1, RFC 7296 §1 for IKEv2. Names are those of the reports: MM1 … MM6, AM1 … AM3, QM1 … QM3,
Informational, Transaction, "IKE_AUTH request". What a line leaves open stays open: two names.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from pcapdiag.ike.message import HEADER_LENGTH, ZERO_SPI, Header, parse
from pcapdiag.ike.payloads import DecodeError
from pcapdiag.ike.registry import ExchangeType, PayloadType
from pcapdiag.logs.line import RECEIVED, SENT, Told

LABELS: Mapping[str, str] = {
    # ASA
    "NONE": "",
    "HDR": "",
    "VENDOR": "VID",
    "NOTIFY": "N",
    "DELETE": "D",
    "CERT_REQ": "CERTREQ",
    "CERT_REQUEST": "CERTREQ",
    "NAT-D": "NAT-D",
    "NAT_D": "NAT-D",
    "NAT-OA": "NAT-OA",
    "IOS KEEPALIVE": "VID",
    "ATTR": "ATTR",
    "TRANSACTION": "ATTR",
    # charon
    "V": "VID",
    "No": "NONCE",
    "CPRQ": "CP",
    "CPRP": "CP",
    "CPS": "CP",
    "CPA": "CP",
    # pluto
    "Ni": "NONCE",
    "Nr": "NONCE",
    "NON": "NONCE",
}
"""What formats call payloads, beside what the reports do."""

AFTER: Mapping[tuple[str, str], tuple[str, str]] = {
    (SENT, "MM1"): ("initiator", "MM_WAIT_MSG2"),
    (SENT, "MM2"): ("responder", "MM_WAIT_MSG3"),
    (SENT, "MM3"): ("initiator", "MM_WAIT_MSG4"),
    (SENT, "MM4"): ("responder", "MM_WAIT_MSG5"),
    (SENT, "MM5"): ("initiator", "MM_WAIT_MSG6"),
    (SENT, "MM6"): ("responder", "MM_ACTIVE"),
    (RECEIVED, "MM6"): ("initiator", "MM_ACTIVE"),
    (SENT, "AM1"): ("initiator", "AM_WAIT_MSG2"),
    (SENT, "AM2"): ("responder", "AM_WAIT_MSG3"),
    (SENT, "AM3"): ("initiator", "AM_ACTIVE"),
    (RECEIVED, "AM3"): ("responder", "AM_ACTIVE"),
}
"""Which end does that, and the state that it is in then."""

_ODD, _EVEN = "initiator", "responder"


def label(name: str) -> str:
    """A payload as the reports call it; empty for what is none."""
    name = name.strip()
    return LABELS.get(name, name)


def labels(names: Iterable[str]) -> tuple[str, ...]:
    """Payloads as the reports call them."""
    return tuple(filter(None, map(label, names)))


def v1_names(message_id: int, payloads: Sequence[str]) -> tuple[str, ...]:
    """What an IKEv1 message can be, from its message ID and the labels of its payloads, decrypted ones too."""
    kinds = {name.split("(", 1)[0] for name in payloads}
    if not kinds:
        return ()
    notice = kinds & {"N", "D"}
    if message_id == 0:
        if "SA" in kinds and "KE" in kinds:
            return ("AM2",) if kinds & {"HASH", "SIG"} else ("AM1",)
        if "SA" in kinds:
            return ("MM1", "MM2")
        if "KE" in kinds:
            return ("MM3", "MM4")
        if "ID" in kinds:
            return ("MM5", "MM6")
        if kinds & {"HASH", "SIG"} and not notice:
            return ("AM3",)
    if notice and not kinds & {"SA", "NONCE", "KE"}:
        return ("Informational",)
    if "ATTR" in kinds or "CP" in kinds:
        return ("Transaction",)
    if message_id and "HASH" in kinds:
        return ("QM1", "QM2") if kinds & {"SA", "NONCE"} else ("QM3",)
    return ()


def v1_name(exchange: str, kind: str, payloads: Sequence[str]) -> str:
    """The name of an IKEv1 message where its exchange and its sender are known.

    exchange -- "main", "aggressive", "quick", "informational" or "transaction"; kind -- "request" from the end that
    began the exchange, else "response"
    """
    asks = kind == "request"
    if exchange == "informational":
        return "Informational"
    if exchange == "transaction":
        return "Transaction"
    kinds = {name.split("(", 1)[0] for name in payloads}
    if exchange == "quick":
        return ("QM1" if "SA" in kinds else "QM3") if asks else "QM2"
    if exchange == "aggressive":
        return ("AM1" if "SA" in kinds else "AM3") if asks else "AM2"
    if "SA" in kinds:
        return "MM1" if asks else "MM2"
    if "KE" in kinds:
        return "MM3" if asks else "MM4"
    return "MM5" if asks else "MM6"


def by_role(names: Sequence[str], sender: str) -> str:
    """The one of two names that this end sends; the only one, or "" where there is none."""
    if len(names) < 2:
        return names[0] if names else ""
    return names[0] if sender == _ODD else names[1]


@lru_cache(1024)
def sender_of(name: str) -> str:
    """Who sends a phase 1 message: "initiator", "responder", or "" for anything else."""
    if name[:2] in ("MM", "AM") and name[2:].isdigit():
        return _ODD if int(name[2:]) % 2 else _EVEN
    return ""


@lru_cache(1024)
def number_of(name: str) -> int:
    """The place of a Main or Aggressive Mode message, else 0."""
    return int(name[2:]) if sender_of(name) else 0


_V1_EXCHANGES = {
    int(ExchangeType.MAIN): "main",
    int(ExchangeType.AGGRESSIVE): "aggressive",
    int(ExchangeType.QUICK): "quick",
    int(ExchangeType.INFORMATIONAL): "informational",
    int(ExchangeType.TRANSACTION): "transaction",
}


def told_of(octets: bytes, direction: str) -> tuple[Header, Told] | None:
    """What a whole message that stands in a log is; None where it is no IKE message. A non-ESP marker may precede."""
    if octets[:4] == bytes(4):
        octets = octets[4:]
    if len(octets) < HEADER_LENGTH:
        return None
    try:
        message = parse(octets)
    except DecodeError:
        return None
    header = message.header
    if header.major not in (1, 2) or header.length > 65_535:
        return None
    payloads = tuple(payload.type.label for payload in message.payloads)
    if header.major == 2:
        names: tuple[str, ...] = (f"{header.exchange.label} {'response' if header.response else 'request'}",)
    elif header.encrypted and header.exchange_type == ExchangeType.MAIN:
        names = ("MM5", "MM6")
    elif header.encrypted and header.exchange_type == ExchangeType.AGGRESSIVE:
        names = ("AM3",)
    elif header.exchange_type in (ExchangeType.MAIN, ExchangeType.AGGRESSIVE):
        asks = header.responder_spi == ZERO_SPI
        if header.next_payload == PayloadType.SA:
            names = (v1_name(_V1_EXCHANGES[header.exchange_type], "request" if asks else "response", payloads),)
        else:
            names = ("MM3", "MM4") if header.exchange_type == ExchangeType.MAIN else ("AM3",)
    elif header.exchange_type == ExchangeType.QUICK:
        names = ("QM1", "QM2", "QM3")
    else:
        names = (header.exchange.label,)
    seen = payloads if not header.encrypted else None
    return header, Told(direction, header.major, names, seen, header.length, False, header.encrypted)
