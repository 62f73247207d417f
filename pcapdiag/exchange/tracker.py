"""Messages to exchanges: feed it what the capture yields, ask it for the exchanges. The only state in the program.

An exchange is found by its cookies and its peers, because neither alone tells it: one initiator cookie can meet
several responders, the responder's cookie comes only with message 2, and addresses and ports change when the
exchange floats to UDP 4500 or when the capture point sees both sides of a NAT.

A flood is a first message under a new cookie, a million times, and perhaps an answer to each. So these cost next to
nothing until more comes for them: they are kept as they came (`Opening`), their payloads undecoded. Exchanges in
which the initiator said one thing only and those that went on have a table each, so that a flood pushes out itself and
not the tunnels within it. What is pushed out is folded: counted by its ends and by how far it went.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from copy import copy

from msgspec import Struct

from pcapdiag.capture.datagram import Datagram, FragmentLoss, Frame, IcmpError
from pcapdiag.exchange.building import build
from pcapdiag.exchange.folding import Folder
from pcapdiag.exchange.fragments import PIECES, Piece, piece_of
from pcapdiag.exchange.latest import LatestSenders
from pcapdiag.exchange.model import Exchange, Folded, KeepaliveFlow, Side, Sighting
from pcapdiag.exchange.modes import PHASE_1, certain_sender
from pcapdiag.exchange.open_exchange import (
    MAX_ALIASES,
    OpenExchange,
    Opening,
    OpenStep,
    answers_elsewhere,
    answers_version,
    begins_anew,
    goes_astray,
    other_leg,
    other_leg_of,
    telling_kinds,
)
from pcapdiag.exchange.sightings import is_duplicate, sighting_of
from pcapdiag.ike.message import HEADER_LENGTH, ZERO_SPI, Header, Message, parse, parse_header
from pcapdiag.ike.nat_traversal import KEEPALIVE, NAT_T_PORT, NON_ESP_MARKER, without_marker
from pcapdiag.ike.payloads import DecodeError
from pcapdiag.ike.registry import ExchangeType

_VERSIONS = (1, 2)

MAX_EXCHANGES = 20_000
"""Exchanges that went on, and first messages that wait for an answer: so many of each are kept. Beyond it, those that
were quiet longest are folded."""
MAX_OPENINGS_TOLD = 1_000
"""Exchanges with nothing but a first message, or that and an answer, that are told one by one; of more, the older ones
are folded."""
MAX_ALIKE_TOLD = 100
"""Of those, so many between the same two ends, before the others of these give way to openings of other ends."""
MAX_STEPS, KEPT_STEPS = 4_096, 512
"""Different messages kept in one exchange. Where there are more, those in the middle are only counted: of what followed
phase 1 the first `KEPT_STEPS` and the last stay, since its end is what tells how it goes."""
MAX_SIGHTINGS = 256
"""Transmissions kept of one message, the last one always; the others are counted."""
MAX_EXCHANGE_OCTETS = 8 << 20
"""Octets kept of one exchange, its messages and their transmissions; beyond it, as beyond `MAX_STEPS`."""
MAX_OCTETS = 128 << 20
"""Octets that are kept of exchanges that went on, and as many of the others: beyond it, the middle of long ones is
only counted, and where that is not enough those that were quiet longest are folded."""
THIN_STEPS = (32, 8)
"""Of what followed phase 1 so many of the first and of the last messages stay then; at last so many."""
MAX_FOLDED = 100_000
"""Exchanges that went on and were folded, of which it is known that what comes later is theirs; of more, the latest."""
MAX_DATAGRAM = 65_535 - 28
"""Octets of the largest UDP payload in IPv4 (RFC 768, RFC 791): a message in fragments is no longer."""
MAX_FRAGMENT_LOSSES = 64
"""Datagrams kept of one exchange of which IP fragments came, but not the first."""
_SIGHTING, _FRAME = 256, 96
"""Octets that a transmission costs beside its own, and each frame of one that came in several."""
_PHASE_1 = (
    ExchangeType.MAIN,
    ExchangeType.AGGRESSIVE,
    ExchangeType.IKE_SA_INIT,
    ExchangeType.IKE_SESSION_RESUME,
    ExchangeType.IKE_INTERMEDIATE,
    ExchangeType.IKE_AUTH,
)


class TrackerCounts(Struct):
    """What the tracker did with what it was fed, in messages and errors.

    after_folding -- messages of exchanges that had been folded by then
    """

    messages: int = 0
    not_ike: int = 0
    icmp_unmatched: int = 0
    after_folding: int = 0


class Tracker:
    """Collects exchanges out of datagrams.

    feed() takes what a capture yields; exchanges() gives what is kept, oldest first, and folded() the rest, at any
    time. `counts` says what was done with the input; `keepalives` which NAT keep-alives went by.

    max_exchanges, max_openings_told -- see MAX_EXCHANGES and MAX_OPENINGS_TOLD
    judge -- says how an exchange ended that has to make room, from it and the time (nanoseconds)
    """

    def __init__(
        self,
        max_exchanges: int = MAX_EXCHANGES,
        max_openings_told: int = MAX_OPENINGS_TOLD,
        judge: Callable[[Exchange, int], str] | None = None,
    ) -> None:
        self.counts = TrackerCounts()
        self.keepalives: dict[tuple[str, int, str, int], KeepaliveFlow] = {}
        self._max_exchanges = max_exchanges
        self._max_openings_told = max_openings_told
        self._judge = judge
        self._folder = Folder()
        self._now = 0
        self._next_id = 1
        self._openings: OrderedDict[int, Opening | OpenExchange] = OrderedDict()
        self._engaged: OrderedDict[int, OpenExchange] = OrderedDict()
        self._opening_octets = self._engaged_octets = 0
        self._by_spis: dict[tuple[int, bytes, bytes], OpenExchange] = {}
        self._by_pair: dict[tuple[int, bytes, str, str], OpenExchange] = {}
        self._by_cookie: dict[bytes, Opening | list[OpenExchange]] = {}
        self._latest: LatestSenders | None = None  # kept from when it is first asked for
        self._folded: dict[bytes, None] = {}
        self._thin_again = 0

    # -- feeding -------------------------------------------------------------------------------------------------

    def feed(self, item: Datagram | IcmpError | FragmentLoss) -> int | None:
        """Take in one item of a capture; return the id of the exchange that it belongs to, None for none.

        Never raises on any octets.
        """
        if not isinstance(item, Datagram):
            return self._icmp_error(item) if isinstance(item, IcmpError) else self._fragment_loss(item)
        payload = item.payload
        octets = payload if payload[:4] != NON_ESP_MARKER else _ike_octets(item)
        if len(octets) < HEADER_LENGTH < item.length and octets[:8] in self._by_cookie:
            octets = _with_whole_header(item, octets)
        # The fields of the header stand where RFC 2408 §3.1 has them; most of a flood is not looked at beyond these.
        if len(octets) < HEADER_LENGTH or octets[17] >> 4 not in _VERSIONS:
            if payload == KEEPALIVE:
                self._keepalive(item)
            else:
                self.counts.not_ike += 1
            return None
        self.counts.messages += 1
        self._now = item.time
        cookie = octets[:8]
        known = self._by_cookie.get(cookie)
        if known is None and not _can_be_ike(octets, item.length):
            self.counts.messages -= 1
            self.counts.not_ike += 1
            return None
        if known is None and octets[8:16] == ZERO_SPI and octets[16] not in PIECES:
            number = self._next_id
            self._next_id = number + 1
            size = _cost(octets, item.fragments) if item.fragments else len(octets)
            self._by_cookie[cookie] = self._openings[number] = Opening(number, item, octets, size)
            if self._latest is not None:
                self._latest.note(item, number)
            self._opening_octets += size
            if len(self._openings) > self._max_exchanges or self._opening_octets > MAX_OCTETS:
                self._make_room(self._openings)
            return number
        if isinstance(known, Opening):
            if known.is_answered_by(item, octets):
                known.answer, known.answer_octets = item, octets
                size = _cost(octets, item.fragments)
                known.size += size
                self._opening_octets += size
                self._openings.move_to_end(known.id)
                if self._latest is not None:
                    self._latest.note(item, known.id)
                return known.id
            self._grow(known)
        return self._message(item, parse(octets), octets)

    def _grow(self, opening: Opening) -> OpenExchange:
        """Decode a first message and its answer, because more came for them, or because they are to be told."""
        del self._by_cookie[opening.octets[:8]]
        self._opening_octets -= opening.size
        message = parse(opening.octets)
        found = self._begin(message.header, opening.datagram, opening.id)
        self._add(found, opening.datagram, message, opening.octets)
        if opening.answer is not None:
            self._add(found, opening.answer, parse(opening.answer_octets), opening.answer_octets)
        return found

    def _fragment_loss(self, loss: FragmentLoss) -> int | None:
        """IP fragments of a message that never became whole: the first of them still tells which message it was."""
        if loss.source_port is None or loss.destination_port is None:
            return self._headless(loss)
        octets = without_marker(loss.payload, NAT_T_PORT in (loss.source_port, loss.destination_port))
        try:
            message = parse(octets)
        except DecodeError:
            return None
        known = self._by_cookie.get(message.header.initiator_spi)
        if known is None and not _can_be_ike(octets, MAX_DATAGRAM):
            return None
        if isinstance(known, Opening):
            self._grow(known)
        datagram = Datagram(
            frame=loss.frames[-1],
            time=loss.last_time,
            source=loss.source,
            source_port=loss.source_port,
            destination=loss.destination,
            destination_port=loss.destination_port,
            payload=loss.payload,
            length=len(loss.payload),
            ttl=loss.ttl,
            ip_id=loss.ip_id,
            fragments=loss.frames,
        )
        return self._message(datagram, message, octets, cut_by_ip_loss=True)

    def _headless(self, loss: FragmentLoss) -> int | None:
        """IP fragments without the first one, which alone has ports: of the exchange that is going on there."""
        senders = self._senders()
        number = senders.between(loss.source, loss.destination) or senders.between(loss.destination, loss.source)
        found = self._kept(number)
        if found is None or len(found.fragment_losses) >= MAX_FRAGMENT_LOSSES:
            return None
        found.fragment_losses.append(loss)
        self._keep(found, _SIGHTING + _FRAME * len(loss.frames))
        return found.id

    def _message(self, datagram: Datagram, message: Message, octets: bytes, cut_by_ip_loss: bool = False) -> int | None:
        header = message.header
        found = self._find(header, datagram, octets)
        if found is None and self._folded and _spis(header.major, octets[:16]) in self._folded:
            self.counts.after_folding += 1
            return None
        if found is None:
            found = self._begin(header, datagram, self._next_id)
            self._next_id += 1
        self._add(found, datagram, message, octets, cut_by_ip_loss)
        if found.engaged:
            self._engaged.move_to_end(found.id)
        elif found.goes_on:
            found.engaged = True
            del self._openings[found.id]
            self._engaged[found.id] = found
            self._opening_octets -= found.size
            self._engaged_octets += found.size
        else:
            self._openings.move_to_end(found.id)
        if len(self._openings) > self._max_exchanges or self._opening_octets > MAX_OCTETS:
            self._make_room(self._openings)
        if len(self._engaged) > self._max_exchanges or self._engaged_octets > MAX_OCTETS:
            self._make_room(self._engaged)
        return found.id

    def _add(
        self, found: OpenExchange, datagram: Datagram, message: Message, octets: bytes, cut_by_ip_loss: bool = False
    ) -> None:
        """A message of this exchange."""
        header = message.header
        said = certain_sender(header, telling_kinds(message)) if header.major == found.major else None
        if said is not None and found.first_side is not None:
            by_first = said is found.first_side
        else:
            by_first = found.sent_by_first(datagram)
            if said is not None:
                found.first_side = said if by_first else said.other
        if not found.knows_way(datagram, by_first):
            found.learn_addresses(datagram, by_first, other_leg_of(found, by_first, datagram, octets))
        self._bind(found, header, datagram)
        sighting = sighting_of(datagram)
        piece = piece_of(message)
        if piece is None or cut_by_ip_loss:
            self._sighted(found, by_first, message, octets, sighting, cut_by_ip_loss)
        else:
            self._fragment(found, by_first, message, piece, sighting)

    def _sighted(
        self,
        found: OpenExchange,
        by_first: bool,
        message: Message,
        octets: bytes,
        sighting: Sighting,
        cut_by_ip_loss: bool = False,
    ) -> OpenStep | None:
        """A message went by: a new one, a retransmission, or the same packet recorded twice."""
        key = (by_first, octets)
        step = found.by_content.get(key)
        if step is None:
            if _is_full(found) and not self._shortened(found):
                found.uncounted += 1
                return None
            self._keep(found, _SIGHTING + _cost(octets, sighting.frames))
            step = OpenStep(message.header, message, by_first, [sighting], cut_by_ip_loss=cut_by_ip_loss)
            found.steps.append(step)
            found.by_content[key] = step
            return step
        if len(step.sent) + len(step.duplicates) >= MAX_SIGHTINGS or found.size >= MAX_EXCHANGE_OCTETS:
            step.uncounted += 1
            if len(step.sent) > 1 and not is_duplicate(sighting, [step.sent[-1], *step.duplicates[-2:]]):
                # Since when, and until when it was sent matters more than each time between.
                self._keep(found, _FRAME * (len(sighting.frames) - len(step.sent[-1].frames)))
                step.sent[-1] = sighting
            return step
        self._keep(found, _SIGHTING + _FRAME * len(sighting.frames))
        if is_duplicate(sighting, [step.sent[-1], *step.duplicates[-2:]]):
            step.duplicates.append(sighting)
        else:
            step.sent.append(sighting)
        return step

    def _shortened(self, found: OpenExchange) -> bool:
        """Forget the middle of an exchange that is full; False where there is none, or not yet again."""
        if not found.engaged or found.uncounted < found.thin_at:
            return False
        kept = min(KEPT_STEPS, max(len(found.steps) // 8, 1))  # few where they are large
        if self.thin(found.id, kept) < kept:
            # To look through all of it for each message, and find a few, would take long.
            found.thin_at = found.uncounted + kept
        return not _is_full(found)

    def _keep(self, found: OpenExchange, octets: int) -> None:
        """Count octets that are kept of it; fewer than none: that are no longer kept."""
        found.size += octets
        if found.engaged:
            self._engaged_octets += octets
        else:
            self._opening_octets += octets

    def _fragment(
        self, found: OpenExchange, by_first: bool, message: Message, piece: Piece, sighting: Sighting
    ) -> None:
        """A piece of a larger message (payload 132, SKF): it counts as sent when the last piece is there."""
        previous = found.assembled
        if previous is not None and is_duplicate(sighting, previous[1].sent[-1:]) and piece.data in previous[0]:
            if len(previous[1].duplicates) < MAX_SIGHTINGS:
                self._keep(found, _SIGHTING + _FRAME * len(sighting.frames))
                previous[1].duplicates.append(sighting)
            else:
                previous[1].uncounted += 1
            return
        before = found.fragments.octets
        whole = found.fragments.add(by_first, message, piece, sighting)
        self._keep(found, found.fragments.octets - before)
        if whole is None:
            return
        for transmission in whole.sightings:
            step = self._sighted(found, by_first, whole.message, whole.octets, transmission)
            if step is not None:
                found.assembled = (whole.octets, step)
                if not step.pieces and message.header.major == 2:
                    step.pieces = whole.pieces

    # -- finding the exchange ------------------------------------------------------------------------------------

    def _find(self, header: Header, datagram: Datagram, octets: bytes) -> OpenExchange | None:
        major, cookie, answer = header.major, header.initiator_spi, header.responder_spi
        found = self._by_spis.get((major, cookie, answer)) if answer != ZERO_SPI else None
        if found is None:
            found = self._by_pair.get((major, cookie, *_pair(datagram)))
            if found is not None and answer != ZERO_SPI and goes_astray(found, header, datagram):
                others = (c for c in self._siblings(cookie) if c.knows(datagram))
                found = next((c for c in others if not goes_astray(c, header, datagram)), found)
        if found is not None and not begins_anew(found, header, datagram):
            return found
        for candidate in self._siblings(cookie):
            if candidate is found:
                continue
            if candidate.major != major:
                if answers_version(candidate, header, datagram):
                    return candidate
                continue
            if other_leg(candidate, datagram, octets) or answers_elsewhere(candidate, header, datagram):
                return candidate
        return None

    def _siblings(self, cookie: bytes) -> list[OpenExchange]:
        """The exchanges under this initiator cookie of which more than a first message was seen."""
        known = self._by_cookie.get(cookie)
        return known if isinstance(known, list) else []

    def _begin(self, header: Header, datagram: Datagram, number: int) -> OpenExchange:
        found = OpenExchange(
            id=number,
            major=header.major,
            initiator_spi=header.initiator_spi,
            first=(datagram.source, datagram.source_port),
            second=(datagram.destination, datagram.destination_port),
        )
        found.first_addresses[datagram.source] = None
        found.second_addresses[datagram.destination] = None
        self._openings[found.id] = found
        siblings = self._siblings(header.initiator_spi)
        # One cookie sent to thousands of addresses must not make the search for another leg long.
        if len(siblings) < MAX_ALIASES:
            siblings.append(found)
        self._by_cookie[header.initiator_spi] = siblings
        return found

    def _bind(self, found: OpenExchange, header: Header, datagram: Datagram) -> None:
        """Make the exchange findable under what this message adds to it."""
        if found.knows(datagram):  # else its addresses, one after another, would fill the tables
            self._by_pair[(found.major, found.initiator_spi, *_pair(datagram))] = found
            if self._latest is not None:
                self._latest.note(datagram, found.id)
        answer = header.responder_spi
        if answer != ZERO_SPI and answer not in found.responder_spis and len(found.responder_spis) < MAX_ALIASES:
            found.responder_spis.append(answer)
            self._by_spis[(found.major, found.initiator_spi, answer)] = found

    def _make_room(
        self, table: "OrderedDict[int, Opening | OpenExchange] | OrderedDict[int, OpenExchange]", surplus: int = 0
    ) -> None:
        """Fold exchanges of this table, those that were quiet longest: `surplus` of them, by default a few."""
        if not surplus and len(table) > self._max_exchanges:
            surplus = max(self._max_exchanges >> 6, 1)
        fold_oldest = self._fold_oldest
        for _ in range(surplus):
            fold_oldest(table)
        if table is self._engaged and self._engaged_octets > MAX_OCTETS:
            self._thin_all()
        # Where it is octets that there are too many of, a few exchanges may be all that there is.
        while self._octets_of(table) > MAX_OCTETS and len(table) > 1:
            self._fold_oldest(table)
        self._prune_latest()

    def _thin_all(self) -> None:
        """Forget the middle of long exchanges: hours of DPD must not push out what began before them."""
        if self.counts.messages < self._thin_again:
            return
        for kept in THIN_STEPS:
            for number, found in self._engaged.items():
                if len(found.steps) > 4 * kept:
                    self.thin(number, kept)
            if self._engaged_octets <= MAX_OCTETS // 2:
                return
        self._thin_again = self.counts.messages + self._max_exchanges  # to look at all of them takes long

    def _octets_of(self, table: object) -> int:
        return self._engaged_octets if table is self._engaged else self._opening_octets

    def _fold_oldest(self, table: "OrderedDict[int, Opening | OpenExchange] | OrderedDict[int, OpenExchange]") -> None:
        _, gone = table.popitem(last=False)
        if isinstance(gone, Opening):
            self._opening_octets -= gone.size
            del self._by_cookie[gone.octets[:8]]
            self._folder.add_opening(gone.octets, gone.datagram, gone.answer_octets, gone.answer)
        else:
            self._fold(gone)

    def _fold(self, gone: OpenExchange) -> None:
        """Count an exchange of which more was seen, and forget it."""
        self._forget(gone)
        if gone.engaged:
            for answer in gone.responder_spis:
                self._folded[_spis(gone.major, gone.initiator_spi + answer)] = None
            while len(self._folded) > MAX_FOLDED:
                del self._folded[next(iter(self._folded))]
            exchange = build(gone)
            self._folder.add(exchange, self._judge(exchange, self._now) if self._judge else None)
        else:
            last = gone.steps[-1]
            self._folder.add_answered(
                (gone.first[0], gone.second[0]),
                last.header,
                Side.INITIATOR if last.by_first else Side.RESPONDER,
                [s for step in gone.steps for s in step.sent],
            )

    def _prune_latest(self) -> None:
        """Forget who sent last between ends of which no exchange is kept any more, when there are many of these."""
        if self._latest is not None and len(self._latest) > 4 * self._max_exchanges:
            self._latest.keep_only(self._openings, self._engaged)

    def _forget(self, gone: OpenExchange) -> None:
        self._keep(gone, -gone.size)
        for answer in gone.responder_spis:
            self._by_spis.pop((gone.major, gone.initiator_spi, answer), None)
        for one in gone.first_addresses:
            for other in gone.second_addresses:
                pair = (min(one, other), max(one, other))
                self._by_pair.pop((gone.major, gone.initiator_spi, *pair), None)
        siblings = [o for o in self._siblings(gone.initiator_spi) if o is not gone]
        if siblings:
            self._by_cookie[gone.initiator_spi] = siblings
        else:
            self._by_cookie.pop(gone.initiator_spi, None)

    # -- for who lets go of exchanges, and takes them up again -----------------------------------------------------

    def remember_latest(self) -> None:
        """Keep from now on which exchange sent last between any two ends, those that were let go of too."""
        self._senders()

    @property
    def octets(self) -> int:
        """Octets that are kept of all exchanges."""
        return self._opening_octets + self._engaged_octets

    def knows(self, cookie: bytes) -> bool:
        """Whether an exchange under this initiator's cookie is kept."""
        return cookie in self._by_cookie

    def ends(self, number: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The addresses that both ends of an exchange that is kept were seen with."""
        found = self._engaged.get(number) or self._openings[number]
        if isinstance(found, Opening):
            return (found.datagram.source,), (found.datagram.destination,)
        return tuple(found.first_addresses), tuple(found.second_addresses)

    def meant_by(self, item: IcmpError | FragmentLoss) -> int:
        """The exchange whose message was the last to go where this is about, kept or let go of; 0 for none."""
        if isinstance(item, IcmpError):
            return self._senders().of(item.quoted)
        latest = self._senders()
        return latest.between(item.source, item.destination) or latest.between(item.destination, item.source)

    def let_go(self, number: int) -> None:
        """Forget an exchange, uncounted: it was told."""
        gone = self._openings.pop(number, None) or self._engaged.pop(number, None)
        if isinstance(gone, Opening):
            self._opening_octets -= gone.size
            del self._by_cookie[gone.octets[:8]]
        elif gone is not None:
            self._forget(gone)

    def passed(self, datagram: Datagram, number: int) -> None:
        """Count a message of an exchange that was let go of, without taking it up again."""
        self.counts.messages += 1
        self._now = datagram.time
        if self._latest is not None:
            self._latest.note(datagram, number)

    def resume(self, number: int, items: Sequence[Datagram | IcmpError | FragmentLoss], uncounted: int = 0) -> None:
        """Take up an exchange again, by what came of it, under its number; nothing is counted a second time.

        uncounted -- messages that came as well
        """
        following, counts, now = self._next_id, copy(self.counts), self._now
        self._next_id = number
        for item in items:
            self.feed(item)
        self._next_id, self.counts, self._now = following, counts, now
        if uncounted and (found := self._kept(number)) is not None:
            found.uncounted += uncounted

    def release(self, number: int, outcome: str | None = None) -> bool:
        """Fold an exchange that nothing more is expected of; `outcome`: how it ended. False where it is not kept."""
        gone = self._openings.pop(number, None) or self._engaged.pop(number, None)
        if gone is None:
            return False
        if isinstance(gone, Opening):
            gone = self._regrown(gone)
        self._forget(gone)
        self._prune_latest()
        self._folder.add(build(gone), outcome)
        return True

    def thin(self, number: int, kept: int) -> int:
        """Forget the middle of what followed phase 1 in a long exchange; return how many messages that were.

        A gateway watched for weeks sees thousands of DPD exchanges under one pair of cookies. The first `kept` messages
        outside phase 1 stay, and the last `kept`; the others are counted as `uncounted`.
        """
        found = self._engaged.get(number)
        if found is None:
            return 0
        later = [s for s in found.steps if s.header.exchange_type not in _PHASE_1]
        # A message is named by its place under its message ID: these go or stay together.
        ids = {s.header.message_id for s in (*later[:kept], *later[-kept:])}
        gone = {id(s) for s in later[kept:-kept] if s.header.message_id not in ids}
        if not gone:
            return 0
        for (_, octets), step in found.by_content.items():
            if id(step) in gone:
                sent = (*step.sent, *step.duplicates)
                self._keep(found, -len(octets) - sum(_SIGHTING + _FRAME * len(s.frames) for s in sent))
        found.steps = [s for s in found.steps if id(s) not in gone]
        found.by_content = {key: s for key, s in found.by_content.items() if id(s) not in gone}
        found.uncounted += len(gone)
        return len(gone)

    def _regrown(self, opening: Opening) -> OpenExchange:
        found = self._grow(opening)
        del self._openings[found.id]
        return found

    # -- what is not a message -----------------------------------------------------------------------------------

    def _icmp_error(self, error: IcmpError) -> int | None:
        """Attach an ICMP error to the exchange that it quotes: by cookies where they are quoted, else by the ports.

        A router may quote no more than the UDP header (RFC 792): then the latest message with these ports is meant.
        What carries other ports, or other cookies, is another matter, between whichever addresses.
        """
        quoted = error.quoted
        found: OpenExchange | None = None
        octets = _ike_octets(quoted)
        try:
            header = parse_header(octets)
            known = self._by_cookie.get(header.initiator_spi)
            if isinstance(known, Opening):
                self._grow(known)
            found = self._by_spis.get((header.major, header.initiator_spi, header.responder_spi))
            found = found or self._by_pair.get((header.major, header.initiator_spi, *_pair(quoted)))
        except DecodeError:
            found = self._kept(self._senders().of(quoted))
            if found is not None and len(octets) >= len(ZERO_SPI) and octets[:8] != found.initiator_spi:
                found = None
        if found is None and _is_esp_in_udp(quoted):
            found = self._kept(self._senders().of(quoted))
        if found is None:
            self.counts.icmp_unmatched += 1
            return None
        if len(found.icmp_errors) < MAX_SIGHTINGS and found.size < MAX_EXCHANGE_OCTETS:
            found.icmp_errors.append(error)
            self._keep(found, 2 * _SIGHTING + len(quoted.payload))
        else:
            found.uncounted += 1
        return found.id

    def _senders(self) -> LatestSenders:
        if self._latest is None:
            self._latest = LatestSenders((*self._openings.items(), *self._engaged.items()))
        return self._latest

    def _kept(self, number: int) -> OpenExchange | None:
        """The exchange of that id, decoded if it was not."""
        found = self._engaged.get(number) or self._openings.get(number)
        return self._grow(found) if isinstance(found, Opening) else found

    def _keepalive(self, datagram: Datagram) -> None:
        key = (datagram.source, datagram.source_port, datagram.destination, datagram.destination_port)
        known = self.keepalives.get(key)
        if known is None and len(self.keepalives) >= MAX_EXCHANGES:
            return
        self.keepalives[key] = KeepaliveFlow(
            *key,
            packets=known.packets + 1 if known else 1,
            first_frame=known.first_frame if known else datagram.frame,
            last_frame=datagram.frame,
            first_time=known.first_time if known else datagram.time,
            last_time=datagram.time,
        )

    # -- the result ----------------------------------------------------------------------------------------------

    def exchange(self, number: int) -> Exchange | None:
        """The exchange of that id as it is now; None where it was folded."""
        found = self._kept(number)
        return build(found) if found is not None else None

    def exchanges(self) -> Iterator[Exchange]:
        """What is kept, in the order of first sight. Openings beyond what is told one by one are folded first."""
        self._fold_openings()
        for number in sorted((*self._openings, *self._engaged)):
            found = self._kept(number)
            if found is not None:
                yield build(found)

    def _fold_openings(self) -> None:
        """Fold openings beyond what is told: first those of which the same two ends have many, then the oldest."""
        surplus = len(self._openings) - self._max_openings_told
        if surplus <= 0:
            return
        alike: dict[tuple[str, str], int] = {}
        newest_first = [
            (
                number,
                (o.datagram.source, o.datagram.destination) if isinstance(o, Opening) else (o.first[0], o.second[0]),
            )
            for number, o in reversed(self._openings.items())
        ]
        for number, ends in newest_first:
            alike[ends] = alike.get(ends, 0) + 1
            if alike[ends] > MAX_ALIKE_TOLD:
                self._openings.move_to_end(number, last=False)
        self._make_room(self._openings, surplus)

    def folded(self) -> tuple[Folded, ...]:
        """What had to make room, by its ends and how far it went; those with the most exchanges first."""
        return self._folder.folded()


def _spis(major: int, both: bytes) -> bytes:
    """What tells an exchange whose responder has answered."""
    return bytes((major,)) + both


def _is_full(found: OpenExchange) -> bool:
    return bool(found.steps) and (len(found.steps) >= MAX_STEPS or found.size >= MAX_EXCHANGE_OCTETS)


def _cost(octets: bytes, frames: Sequence[Frame]) -> int:
    return len(octets) + _FRAME * len(frames)


def _can_be_ike(octets: bytes, length: int) -> bool:
    """Whether octets under unknown cookies can be an IKE message (RFC 2408 §3.1, RFC 7296 §3.1).

    The exchange type is one that its version has, the declared length is not beyond the datagram, and what has no
    responder's cookie is not encrypted. Anything may arrive on a port; one in 10¹⁰ of random octets passes this.

    length -- octets of the datagram as sent
    """
    declared = int.from_bytes(octets[24:28], "big")
    if octets[:8] == ZERO_SPI and octets[18] not in _INFORMING:
        return False  # an initiator's cookie is never zero (RFC 2408 §2.5.3, RFC 7296 §3.1)
    if declared > length or not EXCHANGE_TYPES[octets[17] >> 4][octets[18]]:
        return False
    return octets[17] >> 4 == 2 or octets[8:16] != ZERO_SPI or not octets[19] & 1


_INFORMING = (ExchangeType.INFORMATIONAL, ExchangeType.INFORMATIONAL_V2)
EXCHANGE_TYPES = {
    1: bytes(1 <= x <= 6 or x in (32, 33) or 240 <= x <= 255 for x in range(256)),
    2: bytes(34 <= x <= 44 or 240 <= x <= 255 for x in range(256)),
}
"""Exchange types that each version of IKE has, and those for private use, which AuthIP takes its own from."""


def _ike_octets(datagram: Datagram) -> bytes:
    return without_marker(datagram.payload, NAT_T_PORT in (datagram.source_port, datagram.destination_port))


def _with_whole_header(datagram: Datagram, octets: bytes) -> bytes:
    """The header of a message of which a short snaplen left less, under a known cookie: what is cut off is known, too.

    The marker on UDP 4500 takes four octets of what a snaplen leaves, so that there the header is cut first.
    The length is that of the datagram (RFC 2408 §3.1). Of the message ID, which ends behind octet 23, the first octets
    have to do: in phase 1 it is zero, and behind it never (of IKEv2 it is a small number). Without flags and exchange
    type nothing is told.
    """
    if len(octets) < _BEHIND_FLAGS:
        return octets
    length = datagram.length - (len(datagram.payload) - len(octets))
    rest = b"\0" if octets[18] in PHASE_1 or octets[17] >> 4 == 2 else b"\xff"
    return octets[:_LENGTH_AT].ljust(_LENGTH_AT, rest) + length.to_bytes(HEADER_LENGTH - _LENGTH_AT, "big")


_BEHIND_FLAGS, _LENGTH_AT = 20, 24


def _is_esp_in_udp(datagram: Datagram) -> bool:
    """Whether it is ESP in UDP, as far as the quote tells (RFC 3948 §2.1): port 4500, and no marker."""
    on_port = NAT_T_PORT in (datagram.source_port, datagram.destination_port)
    return on_port and len(datagram.payload) >= len(NON_ESP_MARKER) and datagram.payload[:4] != NON_ESP_MARKER


def _pair(datagram: Datagram) -> tuple[str, str]:
    source, destination = datagram.source, datagram.destination
    return (source, destination) if source <= destination else (destination, source)
