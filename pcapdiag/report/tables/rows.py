"""The rows of the tables, in the order of their columns (see `columns`), as plain values without pandas.

Times and durations are integer nanoseconds, names are tuples of texts, categories their words, and what is not there
is None. Every text is one that a terminal can be given: nothing out of a packet or a file name acts in it.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Exchange, Peer, Sighting, Step
from pcapdiag.findings import Findings
from pcapdiag.ike.message import ZERO_SPI
from pcapdiag.ike.payloads import Identification, Notification
from pcapdiag.ike.registry import ExchangeType
from pcapdiag.report.wording import safe, transform_text

Value = str | int | bool | None | tuple[str, ...] | tuple[int, ...]
Row = tuple[Value, ...]

_LEAST, _MOST = -(2**63) + 1, 2**63 - 1
"""What 64 bits of nanoseconds reach, less the number that stands for no time."""


def exchange_rows(report: Findings) -> Iterator[Row]:
    """See columns.EXCHANGES."""
    for diagnosis in report.diagnoses:
        yield _exchange_row(diagnosis)


def _exchange_row(diagnosis: Diagnosis) -> Row:
    e, stop = diagnosis.exchange, diagnosis.stop
    first = min((step.first for step in e.steps), key=lambda sighting: sighting.time, default=None)
    transmissions = sum(len(step.sent) for step in e.steps)
    top = diagnosis.causes[0] if diagnosis.causes else None
    return (
        e.id,
        " ".join(e.conversation),
        e.mode.value,
        stop.outcome.value,
        (stop.before or stop.outcome).value,
        stop.superseded_by,
        diagnosis.completed,
        diagnosis.tunnel.state.value,
        e.last_message,
        stop.missing,
        stop.waits_for.value if stop.waits_for else None,
        stop.refused_by.value if stop.refused_by else None,
        stop.reason,
        stop.initiator_state,
        stop.responder_state,
        top.cause.id if top else None,
        top.status.value if top else None,
        *_end(e.initiator),
        *_end(e.responder),
        e.roles_certain,
        e.initiator_spi.hex(),
        e.responder_spi.hex() if e.responder_spi else None,
        _time(e.first_time) if first else None,
        _time(e.last_time) if first else None,
        _time(e.last_time - e.first_time) if first else None,
        first.frame.capture if first else None,
        first.frame.number if first else None,
        len(e.steps),
        transmissions,
        transmissions - len(e.steps),
        sum(len(step.duplicates) for step in e.steps),
        e.uncounted + sum(step.uncounted for step in e.steps),
        len(e.icmp_errors),
        any(sighting.floated for step in e.steps for sighting in step.sent),
        e.initiator.vendors,
        e.responder.vendors,
        e.initiator.identities,
        e.responder.identities,
        ", ".join(transform_text(t) for t in diagnosis.chosen) or None,
        len(diagnosis.phase2),
        sum(p.outcome is Outcome.COMPLETED for p in diagnosis.phase2),
        len(diagnosis.evidence),
        len(diagnosis.causes),
    )


def _end(peer: Peer) -> tuple[str, int]:
    return peer.address, peer.port


class PlacedSighting(NamedTuple):
    """A sighting with its place: of which message it is, and which time that was sent.

    place -- of the message among the steps of its exchange, from 0
    transmission -- which time it was sent, from 1; of a duplicate, that of the packet that it repeats
    gap -- nanoseconds since it was sent before; None at the first time, and for duplicates
    """

    exchange: Exchange
    place: int
    transmission: int
    duplicate: bool
    sighting: Sighting
    gap: int | None

    @property
    def step(self) -> Step:
        """The message."""
        return self.exchange.steps[self.place]


def placed_sightings(report: Findings) -> list[PlacedSighting]:
    """Every sighting of every message, by time and frame."""
    found: list[PlacedSighting] = []
    for diagnosis in report.diagnoses:
        exchange = diagnosis.exchange
        for place, step in enumerate(exchange.steps):
            before: int | None = None
            for nth, sent in enumerate(step.sent, 1):
                gap = sent.time - before if before is not None else None
                found.append(PlacedSighting(exchange, place, nth, False, sent, gap))
                before = sent.time
            for again in step.duplicates:
                found.append(PlacedSighting(exchange, place, _original(again, step), True, again, None))
    found.sort(key=lambda placed: (placed.sighting.time, placed.sighting.frames[-1]))
    return found


def message_rows(report: Findings) -> Iterator[Row]:
    """See columns.MESSAGES. The rows are made one by one."""
    names = capture_names(report)
    for placed in placed_sightings(report):
        yield message_row(placed, names)


def capture_names(report: Findings) -> list[str]:
    """What the captures are called, fit to print."""
    return [safe(capture.summary.path) for capture in report.captures]


def message_row(placed: PlacedSighting, names: Sequence[str]) -> Row:
    """One row of them; names -- of the captures."""
    step = placed.step
    return (
        placed.exchange.id,
        placed.place + 1,
        step.name,
        step.sender.value,
        placed.transmission,
        placed.duplicate,
        _time(placed.gap) if placed.gap is not None else None,
        *_sighting_cells(placed.sighting, names),
        *_step_cells(step),
    )


def _original(duplicate: Sighting, step: Step) -> int:
    """Which transmission a capture duplicate repeats: the same packet, or else the nearest in time."""
    places = range(len(step.sent))
    same = [n for n in places if duplicate.ip_id is not None and step.sent[n].ip_id == duplicate.ip_id]
    return 1 + min(same or places, key=lambda n: abs(step.sent[n].time - duplicate.time))


def _sighting_cells(sighting: Sighting, names: Sequence[str]) -> Row:
    """From `time` to `non_esp_marker`."""
    frame = sighting.frame
    return (
        _time(sighting.time),
        frame.capture,
        names[frame.capture],
        frame.number,
        _numbers(sighting.frames),
        sighting.source,
        sighting.source_port,
        sighting.destination,
        sighting.destination_port,
        sighting.transport,
        sighting.ttl,
        sighting.ip_id,
        sighting.marked,
    )


def _step_cells(step: Step) -> Row:
    """From `version` to the end."""
    message, header = step.message, step.message.header
    labels, notifies, identities = [], [], []
    for payload in step.payloads:
        labels.append(payload.type.label)
        if isinstance(payload, Notification):
            notifies.append(payload.notify_type.name)
        elif isinstance(payload, Identification):
            identities.append(f"{payload.id_type.label} {payload.text}")
    return (
        header.major,
        _exchange_type(header.exchange_type),
        header.message_id,
        header.flags,
        header.initiator_spi.hex(),
        header.responder_spi.hex() if header.responder_spi != ZERO_SPI else None,
        header.length,
        header.encrypted,
        step.opened is not None,
        step.whole,
        tuple(labels),
        tuple(notifies),
        tuple([f"{v.name} {v.version}" if v.version else v.name for v in message.vendor_ids]),
        tuple(identities),
        message.problem,
    )


@cache
def _exchange_type(number: int) -> str:
    """The registry's name of an exchange type: an octet, so these are 256 at most."""
    return ExchangeType(number).label


def evidence_rows(report: Findings) -> Iterator[Row]:
    """See columns.EVIDENCE."""
    for diagnosis in report.diagnoses:
        for e in diagnosis.evidence:
            yield (
                diagnosis.exchange.id,
                e.id,
                e.kind,
                e.kinds,
                e.text,
                e.frames[0].capture,
                e.frames[0].number,
                _numbers(e.frames),
                tuple(frame.capture for frame in e.frames),
                e.display_filter,
            )


def cause_rows(report: Findings) -> Iterator[Row]:
    """See columns.CAUSES."""
    for diagnosis in report.diagnoses:
        for rank, ranked in enumerate(diagnosis.causes, 1):
            yield (
                diagnosis.exchange.id,
                rank,
                ranked.cause.id,
                ranked.cause.title,
                ranked.status.value,
                ranked.says,
                ranked.because,
                ranked.against,
                tuple(f"{state} #{item}" for state, item in ranked.document),
                ranked.weight,
            )


ROWS: dict[str, Callable[[Findings], Iterator[Row]]] = {
    "exchanges": exchange_rows,
    "messages": message_rows,
    "evidence": evidence_rows,
    "causes": cause_rows,
}
"""What makes the rows of the tables, by the names in columns.TABLES."""


def _numbers(frames: Sequence[Frame]) -> tuple[int, ...]:
    return (frames[0].number,) if len(frames) == 1 else tuple(frame.number for frame in frames)


def _time(nanoseconds: int) -> int | None:
    """A time or duration; None for one that 64 bits do not hold, as a damaged capture may have it."""
    return nanoseconds if _LEAST <= nanoseconds <= _MOST else None
