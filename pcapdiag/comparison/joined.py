"""One exchange out of what all points saw: each transmission once, as it left its sender, in the order of one clock.

The stream that comes out is like a capture at the first point that missed nothing: its addresses and its clock are
those of the first point, and it holds what was lost before that point too. It goes through the tracker and the rules
that every capture goes through.
"""

from collections.abc import Callable, Collection, Iterator, Sequence

from msgspec.structs import replace

from pcapdiag.capture.datagram import Captured, Datagram, EspFlow, FragmentLoss, Frame, IcmpError
from pcapdiag.comparison.clocks import Clock
from pcapdiag.comparison.matching import Packet
from pcapdiag.comparison.paths import Directions
from pcapdiag.comparison.points import Point, Seen, ike_octets
from pcapdiag.exchange.model import Exchange, KeepaliveFlow, Side, Step
from pcapdiag.exchange.tracker import MAX_EXCHANGES, Tracker
from pcapdiag.ike.message import ZERO_SPI
from pcapdiag.ike.registry import ExchangeType
from pcapdiag.record import Record, lazy
from pcapdiag.units import SECOND

_SAME_ERROR = 2 * SECOND
"""Within this time the same ICMP error at two points is one."""

End = tuple[str, int]


class Joined(Record, frozen=True, dict=True, gc=True):
    """The exchanges, and where each packet belongs.

    owners -- of each packet, the id of its exchange; None for one that is only counted
    steps -- of each packet, the place of its message in that exchange; None where it is a piece of one that is not told
    end -- when the last capture ended, gaps -- ends of earlier stretches of capturing, by the first point's clock
    """

    exchanges: tuple[Exchange, ...]
    owners: tuple[int | None, ...]
    steps: tuple[int | None, ...]
    keepalives: tuple[KeepaliveFlow, ...]
    esp: tuple[EspFlow, ...]
    tracker: Tracker
    end: int
    gaps: tuple[int, ...]

    def packets_of(self, exchange: Exchange) -> dict[int, list[int]]:
        """The packets of each message of it, by the message's place in `exchange.steps`, in the order of time."""
        return self._by_exchange.get(exchange.id, {})

    @lazy
    def _by_exchange(self) -> dict[int, dict[int, list[int]]]:
        found: dict[int, dict[int, list[int]]] = {}
        for number, (owner, step) in enumerate(zip(self.owners, self.steps, strict=True)):
            if owner is not None and step is not None:
                found.setdefault(owner, {}).setdefault(step, []).append(number)
        return found


def join(
    packets: Sequence[Packet],
    points: Sequence[Point],
    clocks: Sequence[Clock | None],
    directions: Directions,
    *,
    max_exchanges: int = MAX_EXCHANGES,
    judge: Callable[[Exchange, int], str] | None = None,
) -> Joined:
    """Put the packets of all points together to exchanges."""
    view = _View(packets, points, clocks, directions)
    stream: list[tuple[int, int, Captured, int | None]] = []
    for number, packet in enumerate(packets):
        datagram = view.datagram(packet)
        stream.append((datagram.time, 0, datagram, number))
    for error in view.errors():
        stream.append((error.time, 1, error, None))
    for loss in view.losses():
        stream.append((loss.last_time, 2, loss, None))
    stream.sort(key=lambda row: row[:2])
    tracker = Tracker(max_exchanges, judge=judge)
    owners: list[int | None] = [None] * len(packets)
    frames: dict[Frame, int] = {}
    for _, _, item, place in stream:
        owner = tracker.feed(item)
        if place is not None and isinstance(item, Datagram):
            owners[place] = owner
            for frame in item.fragments or (item.frame,):
                frames[frame] = place
    exchanges = tuple(tracker.exchanges())
    steps = _steps(exchanges, packets, owners, frames)
    first = points[0]
    keepalives = tuple(tracker.keepalives.values())
    windows = sorted(w for p, c in zip(points, clocks, strict=True) for w in _windows(p, c))
    end, gaps = _ends(windows)
    esp = [f for c in first.captures for f in c.esp_flows]
    known = {f.spi for f in esp}
    for point in points[1:]:
        esp += [view.flow(f, point.index) for c in point.captures for f in c.esp_flows if f.spi not in known]
        known |= {f.spi for f in esp}
    return Joined(exchanges, tuple(owners), tuple(steps), keepalives, tuple(esp), tracker, end, tuple(gaps))


def _windows(point: Point, clock: Clock | None) -> list[tuple[int, int]]:
    if clock is None:
        return []
    return [(clock.to_here(first), clock.to_here(last)) for first, last in point.windows]


def _ends(windows: Sequence[tuple[int, int]]) -> tuple[int, list[int]]:
    """When capturing ended, and when it did before a pause."""
    ends: list[int] = []
    for first, last in windows:
        if ends and first - ends[-1] <= 60 * SECOND:
            ends[-1] = max(ends[-1], last)
        else:
            ends.append(last)
    return (ends[-1], ends[:-1]) if ends else (0, [])


class _View:
    """How the first point would have seen what others saw."""

    def __init__(
        self,
        packets: Sequence[Packet],
        points: Sequence[Point],
        clocks: Sequence[Clock | None],
        directions: Directions,
    ) -> None:
        self._points, self._clocks, self._directions = points, clocks, directions
        self._ends: list[dict[End, End]] = [{} for _ in points]
        self._addresses: list[dict[str, str]] = [{} for _ in points]
        self._cookies = {s.header.initiator_spi for s in points[0].seen}
        self._identities: dict[int, Packet] = {}
        for packet in packets:
            here = packet.seen[0]
            for other in packet.at:
                if other.datagram.ip_id:
                    self._identities.setdefault(other.datagram.ip_id, packet)
                if here is not None and other is not here:
                    self._learn(here.datagram, other.datagram, other.point)

    def _learn(self, here: Datagram, there: Datagram, point: int) -> None:
        ends, addresses = self._ends[point], self._addresses[point]
        ends.setdefault((there.source, there.source_port), (here.source, here.source_port))
        ends.setdefault((there.destination, there.destination_port), (here.destination, here.destination_port))
        addresses.setdefault(there.source, here.source)
        addresses.setdefault(there.destination, here.destination)

    def _end(self, end: End, point: int) -> End:
        return self._ends[point].get(end) or (self._addresses[point].get(end[0], end[0]), end[1])

    def _time(self, time: int, point: int) -> int:
        clock = self._clocks[point]
        return clock.to_here(time) if clock is not None else time

    def datagram(self, packet: Packet) -> Datagram:
        """The packet as it left its sender, with the addresses that the first point sees, if it sees that exchange."""
        first = self._sent(packet)
        fullest = max(packet.at, key=lambda s: (len(s.octets), s is first))
        d = first.datagram
        payload = d.payload if len(first.octets) >= len(fullest.octets) else fullest.datagram.payload
        source, destination = (d.source, d.source_port), (d.destination, d.destination_port)
        here = packet.seen[0]
        if here is not None:
            h = here.datagram
            source, destination = (h.source, h.source_port), (h.destination, h.destination_port)
        elif packet.any.header.initiator_spi in self._cookies:
            source, destination = self._end(source, first.point), self._end(destination, first.point)
        return replace(
            d,
            time=self._time(d.time, first.point),
            payload=payload,
            source=source[0],
            source_port=source[1],
            destination=destination[0],
            destination_port=destination[1],
        )

    def _sent(self, packet: Packet) -> Seen:
        """Its sighting that is nearest to its sender."""
        path = self._directions.path(packet)
        if path is None:
            return min(packet.at, key=lambda s: self._time(s.time, s.point))
        return next(s for p in path if (s := packet.seen[p]) is not None)

    def errors(self) -> Iterator[IcmpError]:
        """The ICMP errors, each once."""
        told: list[IcmpError] = []
        for point in self._points:
            if self._clocks[point.index] is None and point.index:
                continue
            new = []
            for error in point.errors:
                moved = self._error(error, point.index)
                if point.index == 0 or not any(_same_error(moved, other) for other in told):
                    new.append(moved)
            told += new
        yield from told

    def _error(self, error: IcmpError, point: int) -> IcmpError:
        time = self._time(error.time, point)
        q = error.quoted
        source, destination = (q.source, q.source_port), (q.destination, q.destination_port)
        if point:
            source, destination = self._end(source, point), self._end(destination, point)
        quoted = replace(
            q,
            time=time,
            source=source[0],
            source_port=source[1],
            destination=destination[0],
            destination_port=destination[1],
        )
        by = self._addresses[point].get(error.source, error.source)
        return replace(error, time=time, source=by, quoted=quoted)

    def losses(self) -> Iterator[FragmentLoss]:
        """Datagrams that no point has whole."""
        for point in self._points:
            if self._clocks[point.index] is None and point.index:
                continue
            for loss in point.losses:
                whole = self._identities.get(loss.ip_id)
                if whole is not None and self._is(loss, whole):
                    continue
                if loss.source_port is None or loss.destination_port is None:
                    continue
                source = self._end((loss.source, loss.source_port), point.index) if point.index else None
                target = self._end((loss.destination, loss.destination_port), point.index) if point.index else None
                yield replace(
                    loss,
                    time=self._time(loss.time, point.index),
                    last_time=self._time(loss.last_time, point.index),
                    source=source[0] if source else loss.source,
                    source_port=source[1] if source else loss.source_port,
                    destination=target[0] if target else loss.destination,
                    destination_port=target[1] if target else loss.destination_port,
                )

    def _is(self, loss: FragmentLoss, packet: Packet) -> bool:
        if not loss.payload or loss.source_port is None or loss.destination_port is None:
            return True
        octets = ike_octets(loss.payload, loss.source_port, loss.destination_port)
        return any(s.octets.startswith(octets[:28]) for s in packet.at)

    def flow(self, flow: EspFlow, point: int) -> EspFlow:
        """A flow of ESP that the first point did not see."""
        addresses = self._addresses[point]
        return replace(
            flow,
            source=addresses.get(flow.source, flow.source),
            destination=addresses.get(flow.destination, flow.destination),
            first_time=self._time(flow.first_time, point),
            last_time=self._time(flow.last_time, point),
        )


def _same_error(one: IcmpError, other: IcmpError) -> bool:
    size = min(len(one.quoted.payload), len(other.quoted.payload))
    return (
        abs(one.time - other.time) <= _SAME_ERROR
        and (one.version, one.type, one.code) == (other.version, other.type, other.code)
        and one.quoted.payload[:size] == other.quoted.payload[:size]
        and (not one.quoted.ip_id or not other.quoted.ip_id or one.quoted.ip_id == other.quoted.ip_id)
    )


# -- which message a packet is


def _steps(
    exchanges: Sequence[Exchange],
    packets: Sequence[Packet],
    owners: Sequence[int | None],
    frames: dict[Frame, int],
) -> list[int | None]:
    found: list[int | None] = [None] * len(packets)
    for exchange in exchanges:
        for place, step in enumerate(exchange.steps):
            for sighting in (*step.sent, *step.duplicates):
                for frame in sighting.frames:
                    number = frames.get(frame)
                    if number is not None:
                        found[number] = place
    # Pieces that were sent again before the message was whole, and what is beyond the tracker's limits.
    by_id = {e.id: e for e in exchanges}
    for number, owner in enumerate(owners):
        exchange_of = by_id.get(owner) if owner is not None else None
        if found[number] is None and exchange_of is not None:
            found[number] = _alike(exchange_of, packets[number])
    return found


def _alike(exchange: Exchange, packet: Packet) -> int | None:
    """The message that a packet belongs to as its header and its sender say."""
    seen = packet.any
    header = seen.header
    addresses = {s.datagram.source for s in packet.at}
    for place, step in enumerate(exchange.steps):
        other = step.message.header
        if (other.message_id, other.exchange_type) != (header.message_id, header.exchange_type):
            continue
        if header.major == 2 and other.from_initiator == header.from_initiator and other.response == header.response:
            return place
        if header.major == 1 and step.first.source in addresses:
            return place
    return None


PATIENCE = 12 * SECOND
"""Every known sender sends again what is not answered within this time (`diagnosis.case.RETRY`)."""


def not_missed(exchange: Exchange, end: int) -> Iterator[int]:
    """Messages, by their places, of which nobody behaves as if they had been lost.

    What is lost is sent again, or asked for again, by every sender (RFC 2408 §5.1, RFC 7296 §2.1): a question that was
    sent once and never again, and an answer after which the question does not come again.

    end -- when the first of the captures ended
    """
    turns: dict[int, list[Step]] = {}
    for step in exchange.steps:
        turns.setdefault(_turn(step), []).append(step)
    for place, step in enumerate(exchange.steps):
        steps = turns[_turn(step)][:_MOST_TURNS]
        if end - step.last.time < PATIENCE:
            continue
        if asks(step):
            answers = [other for other in steps if answers_to(other, step)]
            if len(step.sent) == 1 and not step.uncounted and not answers:
                yield place
            continue
        questions = [other for other in steps if asks(other) and answers_to(step, other)]
        if questions and all(q.last.time <= step.last.time for q in questions):
            yield place


_MOST_TURNS = 64
"""Messages of one turn that are held against each other."""


def _turn(step: Step) -> int:
    """What question and answer have in common: the message ID; phase 1 of IKEv1 has none."""
    return step.message.header.message_id


def asks(step: Step) -> bool:
    """Whether its sender waits for an answer to it."""
    header = step.message.header
    if header.major == 2:
        return not header.response
    if step.number:
        return step.sender is Side.INITIATOR and not (step.number == 3 and step.name.startswith("AM"))
    return step.name == "QM1"


def answers_to(answer: Step, question: Step) -> bool:
    """Whether this is an answer to that."""
    one, other = answer.message.header, question.message.header
    if answer.sender is question.sender or one.major != other.major:
        return False
    if one.major == 2:
        return one.response and one.message_id == other.message_id and one.exchange_type == other.exchange_type
    if question.number:
        return answer.number == question.number + 1
    return question.name == "QM1" and answer.name == "QM2" and one.message_id == other.message_id


# -- what an answer shows


def arrivals(exchange: Exchange) -> Iterator[Collection[int]]:
    """Messages, by their places, of which one at least got to the other end: it answered, or went on."""
    phase1: dict[int, list[int]] = {}
    by_id: dict[int, list[int]] = {}
    for place, step in enumerate(exchange.steps):
        if step.number:
            phase1.setdefault(step.number, []).append(place)
        else:
            by_id.setdefault(step.message.header.message_id, []).append(place)
    steps = exchange.steps
    for number, places in phase1.items():
        if phase1.get(number + 1):
            yield places
    last = max(phase1, default=0)
    if last and phase1:
        sender = steps[phase1[last][0]].sender
        later = (ExchangeType.QUICK, ExchangeType.TRANSACTION)
        if any(s.exchange_type in later and s.sender is sender.other for s in steps):
            yield phase1[last]
    for places in by_id.values():
        yield from _answered(steps, places)
    if steps and steps[0].message.header.major == 2:
        yield from _gone_on(steps)


def _answered(steps: Sequence[Step], places: Sequence[int]) -> Iterator[Collection[int]]:
    """Quick Mode by turns; an IKEv2 request that has its response."""
    first = steps[places[0]]
    if first.message.header.major == 2:
        for sender in Side:
            requests = [p for p in places if steps[p].sender is sender and not steps[p].message.header.response]
            replies = [p for p in places if steps[p].sender is not sender and steps[p].message.header.response]
            kinds = {steps[p].exchange_type for p in replies}
            asked = [p for p in requests if steps[p].exchange_type in kinds]
            if asked and replies:
                yield asked
        return
    if first.exchange_type != ExchangeType.QUICK:
        return
    order: list[list[int]] = []
    for place in places:
        if not order or steps[order[-1][0]].sender is not steps[place].sender:
            order.append([])
        order[-1].append(place)
    yield from order[:-1]


def _gone_on(steps: Sequence[Step]) -> Iterator[Collection[int]]:
    """A further request of one end shows that it had the response to the one before (RFC 7296 §2.3)."""
    init = [(place, s) for place, s in enumerate(steps) if s.exchange_type == ExchangeType.IKE_SA_INIT]
    replies = [(place, s.message.header.responder_spi) for place, s in init if s.message.header.response]
    went_on = {s.message.header.responder_spi for s in steps if s.sender is Side.INITIATOR}
    for spi in {spi for _, spi in replies}:
        # With its SPI the initiator goes on; a cookie, or another group, is asked for in a response without one.
        again = len([s for _, s in init if not s.message.header.response]) > 1
        if (spi in went_on and spi != ZERO_SPI) or (spi == ZERO_SPI and again and len(replies) == 1):
            yield [place for place, other in replies if other == spi]
    for sender in Side:
        requests = {
            s.message.header.message_id
            for s in steps
            if s.sender is sender
            and not s.message.header.response
            and s.exchange_type not in (ExchangeType.IKE_SA_INIT, ExchangeType.INFORMATIONAL_V2)
        }
        for place, step in enumerate(steps):
            header = step.message.header
            if (
                step.sender is sender.other
                and header.response
                and step.exchange_type not in (ExchangeType.IKE_SA_INIT, ExchangeType.INFORMATIONAL_V2)
                and header.message_id + 1 in requests
            ):
                yield [place]
