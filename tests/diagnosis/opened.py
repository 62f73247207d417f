"""Exchanges as keys show them, with what was inside exchanged for something else."""

from collections.abc import Callable
from functools import cache

from msgspec.structs import replace

from pcapdiag.capture.savefile import Savefile
from pcapdiag.diagnosis.verdict import Diagnosis, diagnose
from pcapdiag.exchange.model import Exchange, Side, Step
from pcapdiag.exchange.opening import open_exchange
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.ike.message import Opened
from pcapdiag.ike.payloads import Certificate, Identification, Notification, Payload, SecurityAssociation
from pcapdiag.ike.payloads_sealed import Configuration
from pcapdiag.ike.registry import IdentificationType, NotifyType, NotifyTypeV2, PayloadType
from pcapdiag.key_tables import read_tables
from tests import CAPTURES

Change = Callable[[Payload], Payload | None]


@cache
def opened(name: str) -> tuple[tuple[Exchange, ...], int]:
    """The exchanges of a capture with the project's keys, and when it ends."""
    tracker, savefile = Tracker(), Savefile(CAPTURES / name)
    for item in savefile:
        tracker.feed(item)
    table = read_tables([CAPTURES / "keys"])
    return tuple(open_exchange(e, table) for e in tracker.exchanges()), savefile.summary().last_time or 0


def changed(name: str, change: Change, where: Callable[[Step], bool] = lambda step: True) -> Diagnosis:
    """What is said of the first exchange when each opened payload is what `change` makes of it."""
    exchanges, end = opened(name)
    return diagnose([_changed(exchanges[0], change, where), *exchanges[1:]], end)[0]


def _changed(exchange: Exchange, change: Change, where: Callable[[Step], bool]) -> Exchange:
    steps = []
    for step in exchange.steps:
        if step.opened is not None and where(step):
            new = tuple(p for p in map(change, step.opened.payloads) if p is not None)
            step = replace(step, opened=Opened(new, None, step.opened.key, step.opened.proven))
        steps.append(step)
    return replace(exchange, steps=tuple(steps))


def says(kind: NotifyType | NotifyTypeV2) -> Change:
    """Every error notify says this instead, and so does every delete."""

    def change(payload: Payload) -> Payload:
        if isinstance(payload, Notification) and payload.notify_type.is_error:
            return replace(payload, notify_type=kind)
        return payload

    return change


def _delete_to(kind: NotifyType) -> Change:
    def change(payload: Payload) -> Payload:
        if payload.type != PayloadType.DELETE:
            return payload
        notify = PayloadType.NOTIFY
        return Notification(type=notify, body=b"", doi=None, protocol=1, spi=b"", notify_type=kind, data=b"")  # type: ignore[arg-type]

    return change


def _asks_for_another(payload: Payload) -> Payload:
    if payload.type != PayloadType.CERTREQ2:
        return payload
    return Identification(
        type=PayloadType.IDR,
        body=b"",
        id_type=IdentificationType.FQDN,
        protocol=None,
        port=None,
        data=b"other.example.com",
    )


def _succeeds(payload: Payload) -> Payload:
    if not isinstance(payload, Configuration):
        return payload
    return replace(payload, values=tuple(replace(v, value=b"\0\1") if v.type == 16527 else v for v in payload.values))


def _twice(name: str) -> Diagnosis:
    """Quick Mode with PFS refused, and the same one without PFS completed behind it."""
    exchanges, end = opened(name)
    base = exchanges[0]
    quick = next(s for s in base.steps if s.name == "QM1")
    assert quick.opened is not None
    header = replace(quick.message.header, message_id=0x1234)
    message = replace(quick.message, header=header)
    bare = tuple(_without_group(p) for p in quick.opened.payloads if p.type != PayloadType.KE)
    steps = list(base.steps)
    for number, side in ((1, Side.INITIATOR), (2, Side.RESPONDER), (3, Side.INITIATOR)):
        later = replace(quick.first, time=quick.first.time + 60 * 10**9 + number)
        inside = replace(quick.opened, payloads=bare if number < 3 else ())
        steps.append(replace(quick, name=f"QM{number}", sender=side, message=message, sent=(later,), opened=inside))
    return diagnose([replace(base, steps=tuple(steps))], end + 100 * 10**9)[0]


def _without_group(payload: Payload) -> Payload:
    if not isinstance(payload, SecurityAssociation):
        return payload
    proposals = tuple(
        replace(
            p,
            transforms=tuple(
                replace(t, attributes=tuple(a for a in t.attributes if a.type != 3)) for t in p.transforms
            ),
        )
        for p in payload.proposals
    )
    return replace(payload, proposals=proposals)


def _unreadable(payload: Payload) -> Payload:
    return replace(payload, data=b"\x30\x03abc") if isinstance(payload, Certificate) else payload


def _by_responder(step: Step) -> bool:
    return step.sender is Side.RESPONDER


OPENED_SCENES: dict[str, Callable[[], Diagnosis]] = {
    "networks_refused_v1": lambda: changed("phase2-refused.pcap", says(NotifyType.INVALID_ID_INFORMATION)),
    "identity_refused_in_words": lambda: changed(
        "mm6-identity-refused.pcap", _delete_to(NotifyType.INVALID_ID_INFORMATION)
    ),
    "responder_refuses_with_agreeing_keys": lambda: changed(
        "mm5-psk-mismatch.pcap", says(NotifyType.AUTHENTICATION_FAILED)
    ),
    "another_asked_for": lambda: changed(
        "ikev2-certificate-expired.pcap", _asks_for_another, lambda s: s.sender is Side.INITIATOR
    ),
    "xauth_succeeds": lambda: changed("xauth-wrong-password.pcap", _succeeds, _by_responder),
    "pfs_makes_the_difference": lambda: _twice("phase2-pfs-one-side.pcap"),
    "initiator_certificate_unreadable": lambda: changed("mm5-identity-refused-certificates.pcap", _unreadable),
    "responder_certificate_unreadable": lambda: changed("mm6-certificate-refused.pcap", _unreadable),
    "without_certificate": lambda: changed(
        "mm6-certificate-refused.pcap", lambda p: None if p.type == PayloadType.CERT else p
    ),
}
"""What no capture of the lab shows, by name."""
