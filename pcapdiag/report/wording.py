"""How facts are worded in every report: addresses, times, frames, proposals; and what hostile octets may not do."""

from collections.abc import Iterable, Iterator, Sequence
from time import gmtime, strftime

from pcapdiag.capture.datagram import CaptureSummary, Frame
from pcapdiag.diagnosis.outcome.stop import Stop
from pcapdiag.exchange.model import Exchange, Mode, Step
from pcapdiag.ike.payloads import (
    Certificate,
    Delete,
    Identification,
    KeyExchange,
    NatDetection,
    Nonce,
    Notification,
    Payload,
    Proposal,
    SecurityAssociation,
    Transform,
    VendorIdPayload,
)
from pcapdiag.ike.registry import OakleyAttribute
from pcapdiag.ike.vendor_ids import identify
from pcapdiag.units import SECOND

MODE_NAMES = {
    Mode.MAIN: "Main Mode",
    Mode.AGGRESSIVE: "Aggressive Mode",
    Mode.IKEV2: "IKEv2",
    Mode.UNKNOWN: "IKEv1, phase 1 not seen",
}


def spi_word(exchange: Exchange) -> str:
    """What the eight octets of each end are called: cookies in IKEv1, SPIs in IKEv2."""
    return "SPIs" if exchange.mode is Mode.IKEV2 else "cookies"


def safe(text: str) -> str:
    """Text out of packets or from file names, so that it cannot act in a terminal: no controls, no direction marks."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def counted(number: int, noun: str, plural: str = "") -> str:
    """A count: `1 exchange`, `1,234 exchanges`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def clipped(text: str, most: int) -> str:
    """The text, or as much of it as may stand there, with how much was left out."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most} more characters)"


def frame_number(frame: Frame, *, several: bool) -> str:
    """`7`; where there are several captures, `2:7` with the capture's number."""
    return f"{frame.capture + 1}:{frame.number}" if several else str(frame.number)


def missing_text(exchange: Exchange, stop: Stop) -> str:
    """What is missing on the ladder: a message that was not seen, or one that was and does not get where it should."""
    seen = [step for step in exchange.steps if step.name == stop.missing]
    if exchange.mode is Mode.IKEV2 and seen:
        # Several have one name in IKEv2: it counts which of them the stop is about.
        cited = set(stop.frames)
        at = {s.message.header.message_id for s in exchange.steps if not cited.isdisjoint(s.frames)}
        if not any(s.message.header.response and s.message.header.message_id in at for s in seen):
            return f"a further {stop.missing} from the {stop.waits_for} was not seen"
    if seen:
        other = stop.waits_for.other if stop.waits_for is not None else "other end"
        return f"{stop.missing} does not reach the {other}"
    return f"{stop.missing} from the {stop.waits_for} was not seen"


def frame_list(frames: Iterable[Frame], limit: int = 12, *, several: bool = False) -> str:
    """`frame 7`, `frames 7, 9, 12`, `frames 3–8`; with the capture's number in front where there are several."""
    found = sorted(set(frames))
    if not found:
        return "no frame"
    several = several or len({f.capture for f in found}) > 1
    runs: list[str] = []
    at = 0
    while at < len(found):
        end = at
        while end + 1 < len(found) and found[end + 1] == Frame(found[end].capture, found[end].number + 1):
            end += 1
        prefix = f"{found[at].capture + 1}:" if several else ""
        if end - at >= 2:
            runs.append(f"{prefix}{found[at].number}–{found[end].number}")
        else:
            runs.extend(f"{prefix}{f.number}" for f in found[at : end + 1])
        at = end + 1
    shown = runs[:limit]
    rest = f" and {len(runs) - limit} more" if len(runs) > limit else ""
    word = "frame" if len(found) == 1 else "frames"
    return f"{word} {', '.join(shown)}{rest}"


def number_ranges(numbers: Iterable[int], limit: int = 12) -> str:
    """`3`, `3, 5`, `2, 4–6`: numbers in order, those that follow each other together."""
    found = sorted(set(numbers))
    runs: list[str] = []
    at = 0
    while at < len(found):
        end = at
        while end + 1 < len(found) and found[end + 1] == found[end] + 1:
            end += 1
        runs += [f"{found[at]}–{found[end]}"] if end - at >= 2 else map(str, found[at : end + 1])
        at = end + 1
    return ", ".join(runs[:limit]) + (f" and {len(runs) - limit} more" if len(runs) > limit else "")


def seconds(nanoseconds: int) -> str:
    """A duration: `0.4 ms`, `12 ms`, `4.0 s`, `2 min 30 s`, `3 h 5 min`."""
    value = max(nanoseconds, 0) / 1e9  # a capture of several queues can have its frames out of order
    if value < 0.01:
        return f"{value * 1000:.1f} ms"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 100:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def offset(nanoseconds: int) -> str:
    """A time since the beginning, in seconds, for a column: `0`, `+0.002825`, `+4.004`, `+3600`."""
    if nanoseconds == 0:
        return "0"
    value = nanoseconds / 1e9
    return f"{value:+.6f}" if abs(value) < 1 else f"{value:+.3f}" if abs(value) < 1000 else f"{value:+.0f}"


def lifetime(count: int) -> str:
    """A lifetime in whole units where it is one: `8 h`, `86400 s` becomes `24 h`."""
    if count and count % 3600 == 0:
        return f"{count // 3600} h"
    if count and count % 60 == 0 and count < 3600:
        return f"{count // 60} min"
    return f"{count} s"


_YEAR_10000 = 253_402_300_800
"""A damaged pcapng can hold times that no calendar has."""


def instant(nanoseconds: int) -> str:
    """A point in time, UTC, to the millisecond."""
    whole, rest = divmod(nanoseconds, SECOND)
    if not 0 <= whole < _YEAR_10000:
        return f"{whole} s after 1970"
    return f"{strftime('%Y-%m-%d %H:%M:%S', gmtime(whole))}.{rest // 1_000_000:03d} UTC"


def day(nanoseconds: int) -> str:
    """The date of a point in time, UTC."""
    whole = nanoseconds // SECOND
    if not 0 <= whole < _YEAR_10000:
        return f"{whole // 86_400} days after 1970"
    return strftime("%Y-%m-%d", gmtime(whole))


def clock(nanoseconds: int) -> str:
    """The time of day of a point in time, UTC, to the second."""
    minutes, second = divmod(nanoseconds // SECOND % 86_400, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"


def payload_summary(step: Step) -> str:
    """`SA, 5 VID`; `ID, HASH, decrypted` where keys opened it; `encrypted, 76 octets` where it cannot be read."""
    opened = step.opened
    if step.encrypted and step.message.header.major == 1 and opened is None:
        return f"encrypted, {step.octets} octets"
    names: dict[str, int] = {}
    for payload in step.payloads if opened is None else opened.payloads:
        names[payload.type.label] = names.get(payload.type.label, 0) + 1
    parts = [name if count == 1 else f"{count} {name}" for name, count in names.items()]
    notifies = [p for p in step.payloads if isinstance(p, Notification)]
    errors = [n.notify_type.name for n in notifies if n.notify_type.is_error]
    parts = [", ".join(errors) if part == "N" and errors else part for part in parts]
    if opened is not None:
        parts.append("decrypted")
    elif step.encrypted:
        parts.append(f"{step.octets} octets")
    return ", ".join(parts) or f"{step.octets} octets"


_SHORT = (
    OakleyAttribute.ENCRYPTION,
    OakleyAttribute.HASH,
    OakleyAttribute.PRF,
    OakleyAttribute.AUTHENTICATION,
    OakleyAttribute.GROUP,
)


def transform_text(transform: Transform) -> str:
    """An IKEv1 phase 1 transform on one line: `AES-CBC-256, SHA2-256, pre-shared key, modp2048 (group 14), 8 h`."""
    if transform.kind is not None:
        return transform_v2_text(transform)
    parts = []
    key_length = transform.attribute(OakleyAttribute.KEY_LENGTH)
    for kind in _SHORT:
        attribute = transform.attribute(kind)
        if attribute is None:
            continue
        text = attribute.text
        if kind == OakleyAttribute.ENCRYPTION and key_length is not None:
            text = f"{text}-{key_length.text}"
        parts.append(text)
    duration = transform.attribute(OakleyAttribute.LIFE_DURATION)
    unit = transform.attribute(OakleyAttribute.LIFE_TYPE)
    if duration is not None and isinstance(duration.value, int):
        in_seconds = unit is None or unit.value == 1
        parts.append(lifetime(duration.value) if in_seconds else f"{duration.value} {unit.text if unit else ''}")
    return ", ".join(parts) or f"transform {transform.number}"


def transform_v2_text(transform: Transform) -> str:
    """One IKEv2 transform: `AES-CBC-256`."""
    label = getattr(transform.id, "label", str(transform.id))
    key_length = transform.attribute(OakleyAttribute.KEY_LENGTH)
    return f"{label}-{key_length.text}" if key_length is not None else label


def proposal_lines(proposals: Sequence[Proposal]) -> list[str]:
    """What was offered, a line for each transform (IKEv1) or proposal (IKEv2)."""
    lines = []
    for proposal in proposals:
        if proposal.transforms and proposal.transforms[0].kind is not None:
            lines.append(", ".join(transform_v2_text(t) for t in proposal.transforms))
        else:
            lines.extend(transform_text(t) for t in proposal.transforms)
    return lines


def payload_details(step: Step) -> list[str]:
    """What its payloads say beyond their names, a line each: vendor IDs, identities, notifies, sizes, problems."""
    lines = []
    if step.unopened is not None:
        lines.append(f"not decrypted: {step.unopened.reason}")
    for payload in step.payloads:
        label = payload.type.label
        if isinstance(payload, VendorIdPayload):
            found = identify(payload.body)
            version = f" {found.version}" if found.version else ""
            lines.append(f"{label}: {found.name}{version} ({payload.body.hex()})")
        elif isinstance(payload, Identification):
            lines.append(f"{label}: {payload.id_type.label} {payload.text}")
        elif isinstance(payload, Notification):
            lines.append(
                f"{label}: {payload.notify_type.name} ({int(payload.notify_type)}) {payload.data.hex()}".rstrip()
            )
        elif isinstance(payload, KeyExchange):
            group = f"{payload.group.label}, " if payload.group is not None else ""
            lines.append(f"{label}: {group}{len(payload.data)} octets")
        elif isinstance(payload, Certificate):
            lines.append(f"{label}: {payload.encoding.label}, {len(payload.data)} octets")
        elif isinstance(payload, Delete):
            lines.append(f"{label}: {payload.protocol.label} {' '.join(spi.hex() for spi in payload.spis)}".rstrip())
        elif isinstance(payload, NatDetection | Nonce):
            lines.append(f"{label}: {payload.body.hex()}")
        elif step.opened is not None:
            lines.extend(_sealed_details(payload))
        if payload.problem:
            lines.append(f"{label}: {payload.problem}")
    return lines


def _sealed_details(payload: Payload) -> Iterator[str]:
    """What payloads say that stand in encrypted messages only; passwords are hidden by the payload itself."""
    from pcapdiag.ike.payloads_sealed import Authentication, Configuration, TrafficSelectors

    label = payload.type.label
    if isinstance(payload, Authentication):
        yield f"{label}: {payload.method.label}"
    elif isinstance(payload, TrafficSelectors):
        yield f"{label}: {', '.join(s.text for s in payload.selectors)}"
    elif isinstance(payload, Configuration):
        values = ", ".join(f"{v.type.name} {v.text}".rstrip() for v in payload.values)
        yield f"{label}: {payload.kind.label} {values}".rstrip()
    elif isinstance(payload, SecurityAssociation):
        yield from (f"{label}: {line}" for line in sealed_proposal_lines(payload))


def sealed_proposal_lines(sa: SecurityAssociation) -> list[str]:
    """What a security association for ESP or AH holds, a line each transform (IKEv1) or proposal (IKEv2)."""
    lines = []
    for proposal in sa.proposals:
        head = f"{proposal.protocol.label} {proposal.spi.hex()}".rstrip()
        if proposal.transforms and proposal.transforms[0].kind is not None:
            lines.append(f"{head} {', '.join(transform_v2_text(t) for t in proposal.transforms)}")
            continue
        for transform in proposal.transforms:
            label = getattr(transform.id, "label", str(transform.id))
            lines.append(" ".join((head, label, *(f"{a.type.name} {a.text}" for a in transform.attributes))))
    return lines


def contents(summary: CaptureSummary, ike_messages: int, not_ike: int) -> str:
    """What the frames of a capture were: "10 IKE, 6 NAT keep-alives, 8 other"."""
    counts = [
        (ike_messages, "IKE"),
        (not_ike, "on IKE ports without IKE in them"),
        (summary.icmp_errors, "ICMP errors that quote IKE"),
        (summary.ip_fragments, "IP fragments"),
        (summary.nat_keepalives, "NAT keep-alives"),
        (summary.esp, "ESP"),
        (summary.other, "other"),
        (summary.unreadable, "unreadable"),
    ]
    return ", ".join(f"{count} {name}" for count, name in counts if count) or "nothing"
