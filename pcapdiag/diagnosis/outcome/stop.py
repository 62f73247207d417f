"""Where an exchange stopped: its outcome, the state that leaves each end in, and the frames that say so.

States are sets: what one capture point sees often leaves two possible. The rules follow from who sends again: an end
that repeats a message has not had the answer to it, and an end that does not repeat it either had the answer or gave
up (RFC 2408 §5.1 leaves timers to the sender, so "how long" is judged by the silence, see SILENCE).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TypeVar

from pcapdiag.capture.datagram import EspFlow, Frame
from pcapdiag.diagnosis.outcome.vantage import one_way_of
from pcapdiag.exchange.model import Exchange, Mode, Side, Step
from pcapdiag.exchange.modes import PHASE_1, SENDER, can_be_sealed
from pcapdiag.ike.message import HEADER_LENGTH, ZERO_SPI
from pcapdiag.ike.nat_traversal import NAT_T_PORT
from pcapdiag.ike.payloads import Delete, Notification, Payload, Transform
from pcapdiag.ike.registry import (
    EncryptionAlgorithm,
    ExchangeType,
    HashAlgorithm,
    NotifyType,
    NotifyTypeV2,
    OakleyAttribute,
    PayloadType,
)
from pcapdiag.record import Record
from pcapdiag.units import SECOND

SILENCE = 20 * SECOND
"""After this long without the reply that is due, an exchange has stalled.

Every known sender has sent twice more by then (8 s apart on an ASA, 10 s on IOS, 4 and 7 s on strongSwan), and a
round trip takes milliseconds; before it, the reply may just be late.
"""
CROSSING = SECOND // 2
"""A message that is sent again within this time may have crossed its answer on the way."""
REFUSAL = 5 * SECOND
"""An end that refuses what it was sent says so at once; what comes later is another matter (DPD, a new attempt)."""
REPEATS_BY = 10 * SECOND
"""Every known sender has repeated a message without an answer by then (10 s apart on IOS and racoon)."""
MOST_LOOKED_AT = 64
"""Encrypted Informational messages that are looked at for one that refuses, or asks: the first, or the latest."""
RESTART = 60 * SECOND
"""A new message 1 within this time after message 6 without Quick Mode: the initiator began anew."""


class Outcome(StrEnum):
    """How an exchange ended."""

    COMPLETED = "completed"
    STALLED = "stalled"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    INCONCLUSIVE = "inconclusive"
    PARTIAL = "partial"


class Stop(Record, frozen=True):
    """Where an exchange stopped.

    missing -- the message that is due next and was not seen ("MM4"), None when none is
    waits_for -- who has to send it
    refused_by -- who ended it, of a rejected exchange
    initiator_state, responder_state -- the states that are possible, most probable first; empty when the mode has none
    reason -- one sentence; frames -- what shows it
    before -- the outcome without the exchange that superseded this one
    superseded_by -- the id of that exchange
    """

    outcome: Outcome
    missing: str | None
    waits_for: Side | None
    refused_by: Side | None
    initiator_state: tuple[str, ...]
    responder_state: tuple[str, ...]
    reason: str
    frames: tuple[Frame, ...]
    before: Outcome | None = None
    superseded_by: int | None = None


BEGINS = (ExchangeType.IKE_SA_INIT, ExchangeType.IKE_SESSION_RESUME)
"""What begins an IKE SA: anew, or from a ticket (RFC 5723 §4.3)."""
NEAR = 300 * SECOND
"""What passed between two addresses this long before or after is taken to pass now as well."""
MOST_NEAR = 100
"""Exchanges that are looked at for it."""


class Setting:
    """What is around an exchange: when the capture ended, and every exchange between the same peers.

    gaps -- ends of earlier captures that no other went on from, in order: what was silent then was not watched
    traffic -- flows of ESP and AH between the two peers

    One for each conversation; looking something up in it does not walk over all exchanges, so that a flood between
    two peers takes no more than its share.
    """

    def __init__(
        self,
        capture_end: int,
        conversation: Sequence[Exchange] = (),
        gaps: Sequence[int] = (),
        traffic: Sequence[EspFlow] = (),
    ) -> None:
        self.capture_end = capture_end
        self.gaps = gaps
        self.conversation = conversation
        self.traffic = traffic
        self._makers: list[tuple[int, int]] | None = None
        self._begun: dict[str, list[tuple[int, int, Exchange]]] = {}
        for exchange in conversation:
            if exchange.last_message is not None or exchange.named("IKE_SA_INIT request"):
                row = (exchange.first_time, exchange.id, exchange)
                self._begun.setdefault(exchange.initiator.address, []).append(row)
        for rows in self._begun.values():
            rows.sort(key=lambda row: row[:2])

    def watched_until(self, time: int) -> int:
        """When the capturing that was on at that time ended."""
        place = bisect_left(self.gaps, time)
        return self.gaps[place] if place < len(self.gaps) else self.capture_end

    def silence_after(self, time: int) -> int:
        """How long the capture went on after that time, in nanoseconds."""
        return max(self.watched_until(time) - time, 0)

    def traffic_of(self, exchange: Exchange, since: int) -> tuple[EspFlow, ...]:
        """Flows that began after `since`, and behind a message of this exchange that can have made their SPIs.

        A flow belongs to the negotiation that it follows, of whichever exchange: an SPI is new with each (RFC 4301
        §4.4.2.1).
        """
        if not self.traffic:
            return ()
        ports = exchange.initiator_ports - WELL_KNOWN
        return tuple(
            flow
            for flow in self.traffic
            if since <= flow.first_time
            and self.maker_of(flow) == exchange.id
            and (not ports or flow.source_port is None or ports & {flow.source_port, flow.destination_port})
        )

    def maker_of(self, flow: EspFlow) -> int | None:
        """The id of the exchange with the last message before the flow that can have made SPIs; None for none."""
        if self._makers is None:
            rows = [(s.first.time, e.id) for e in self.conversation for s in e.steps if _makes_spis(s)]
            rows += [(request.last.time, e.id) for e in self.conversation for request in unanswered_auth(e)]
            self._makers = sorted(rows)
        place = bisect_right(self._makers, flow.first_time, key=lambda row: row[0])
        return self._makers[place - 1][1] if place else None

    def traffic_both_ways(self, exchange: Exchange, since: int) -> bool:
        """Whether ESP or AH goes in both directions, under SPIs that are new since then."""
        return len({flow.source for flow in self.traffic_of(exchange, since)}) > 1

    def in_use(self, exchange: Exchange) -> bool:
        """Whether ESP or AH goes in both directions between its ends while it goes on, whatever made it."""
        flows = [f for f in self.traffic if f.last_time >= exchange.first_time - NEAR]
        return len({f.source for f in flows if f.first_time <= exchange.last_time + NEAR}) > 1

    def near(self, exchange: Exchange) -> list[Exchange]:
        """Exchanges of the conversation that are near in time, this one too; of a flood, some of them."""
        first, last = exchange.first_time - NEAR, exchange.last_time + NEAR
        rows = self.conversation
        if len(rows) > MOST_NEAR:
            place = bisect_left(rows, exchange.id, key=lambda e: e.id)
            rows = rows[max(place - MOST_NEAR // 2, 0) : place + MOST_NEAR // 2]
        return [e for e in rows if first <= e.last_time and e.first_time <= last]

    def one_way_near(self, exchange: Exchange) -> bool:
        """Another exchange near it shows that the capture sees one of its ends only, and nothing at all of the other.

        What this exchange alone holds may be what an end sends that has no answer.
        """
        senders = {s.sender for s in exchange.steps}
        if len(senders) != 1 or len(self.conversation) < 2:
            return False
        heard = {t.source for s in exchange.steps for t in s.sent}
        shown = False
        for other in self.near(exchange):
            if any(t.source not in heard for s in other.steps for t in s.sent):
                return False
            shown = shown or one_way_of(other.steps) is not None
        return shown and all(flow.source in heard for flow in self.traffic)

    def next_attempt(self, exchange: Exchange, after: int) -> Exchange | None:
        """The next phase 1 that the same initiator began with the same responder after `after`, in the same capture.

        Of one that a NAT translates each time to another port nobody knows whether it is the same.
        """
        rows = self._begun.get(exchange.initiator.address, [])
        until = self.watched_until(exchange.last_time)
        for place in range(bisect_right(rows, after, key=lambda row: row[0]), len(rows)):
            if rows[place][0] > until:
                break  # what went on before that was not watched
            if rows[place][1] != exchange.id and surely_same_initiator(exchange, rows[place][2]):
                return rows[place][2]
        return None


def unanswered_auth(exchange: Exchange) -> list[Step]:
    """The last IKE_AUTH request, where the capture has no answer of that exchange: what made SPIs may be missing."""
    auth = exchange.of_type(ExchangeType.IKE_AUTH)
    return [] if any(s.message.header.response for s in auth) else [s for s in auth[-1:] if s.sender is Side.INITIATOR]


def _makes_spis(step: Step) -> bool:
    """An answer behind which both ends have the SPIs of an SA of ESP or AH (RFC 2409 §5.5, RFC 7296 §1.2, §1.3)."""
    if step.message.header.major == 2:
        makes = (ExchangeType.IKE_AUTH, ExchangeType.CREATE_CHILD_SA)
        return step.message.header.response and step.exchange_type in makes
    return step.exchange_type == ExchangeType.QUICK and step.name != "QM1"


def same_initiator(one: Exchange, other: Exchange) -> bool:
    """Whether the same end can have begun both: several behind one NAT have its address, and ports of their own.

    A NAT keeps a port that is free (RFC 4787 §4.2.1 leaves that to it), so one that is translated tells its client
    from the others; whether it is the same one after the mapping is gone cannot be told.
    """
    if one.initiator.address != other.initiator.address:
        return one.initiator.address in other.responder.addresses  # the peers changed roles
    first, second = one.initiator_ports, other.initiator_ports
    if bool(first & WELL_KNOWN) is bool(second & WELL_KNOWN):
        return True  # both keep their port, or both are translated, each time to another one perhaps
    return bool(first & second)


def surely_same_initiator(one: Exchange, other: Exchange) -> bool:
    """The same where a NAT does not leave it open: both keep their port, or have one in common."""
    translated = one.initiator_ports - WELL_KNOWN and other.initiator_ports - WELL_KNOWN
    shared = one.initiator_ports & other.initiator_ports - WELL_KNOWN
    return same_initiator(one, other) and (not translated or bool(shared))


WELL_KNOWN = frozenset((500, NAT_T_PORT))


# --- what both IKEv1 modes need --------------------------------------------------------------------------------


def followed_by(exchange: Exchange) -> tuple[Step, ...]:
    """What can follow phase 1 under its cookies, and is made with its keys: Quick Mode, Transaction, New Group."""
    return tuple(s for s in exchange.steps if s.exchange_type in AFTER_PHASE_1 and is_plausible(s))


AFTER_PHASE_1 = (ExchangeType.QUICK, ExchangeType.TRANSACTION, ExchangeType.NEW_GROUP)
"""Exchanges of IKEv1 that take the keys of phase 1 (RFC 2409 §5.5, §5.6)."""


def is_plausible(step: Step) -> bool:
    """Whether a message of Quick Mode and its kind can be one: encrypted, and under a message ID (RFC 2409 §5.5)."""
    header = step.message.header
    return header.encrypted and header.message_id != 0 and can_be_sealed(header)


def informational(exchange: Exchange) -> tuple[Step, ...]:
    """The Informational messages of IKEv1."""
    return exchange.of_type(ExchangeType.INFORMATIONAL)


def refusing(exchange: Exchange) -> tuple[Step, ...]:
    """What a refusal of IKEv1 can stand in: Informational messages, and what an end of the other version answers."""
    return tuple(
        [s for s in exchange.steps if s.exchange_type == ExchangeType.INFORMATIONAL or s.message.header.major == 2]
    )


def error_notifies(step: Step) -> tuple[NotifyType | NotifyTypeV2, ...]:
    """The error types that this message carries in clear."""
    return tuple(n.notify_type for n in step.notifications if n.notify_type.is_error)


P = TypeVar("P", bound=Payload)


def opened_of(step: Step, kind: type[P]) -> list[P]:
    """The payloads of this kind that keys showed in it."""
    return [p for p in step.opened.payloads if isinstance(p, kind)] if step.opened is not None else []


def harmless(step: Step) -> bool:
    """Keys showed that this Informational refuses nothing: neither an error nor a delete is in it."""
    if step.opened is None:
        return False
    return not opened_of(step, Delete) and not any(n.notify_type.is_error for n in opened_of(step, Notification))


def refusal_text(step: Step) -> str:
    """A refusal as keys or the wire show it: "an encrypted AUTHENTICATION_FAILED"; or just that it is encrypted."""
    if not step.encrypted:
        return f"{' and '.join(n.name for n in error_notifies(step)) or 'an Informational'} in clear"
    names = [n.notify_type.name for n in opened_of(step, Notification) if n.notify_type.is_error]
    if opened_of(step, Delete):
        names.append("DELETE")
    return f"an encrypted {' and '.join(names) or 'Informational'}"


def sent_again_after(steps: Iterable[Step], time: int) -> tuple[Frame, ...]:
    """The frames of transmissions later than `time`, by more than what messages that cross may take."""
    return tuple(
        frame for s in steps for sighting in s.sent if sighting.time > time + CROSSING for frame in sighting.frames
    )


def repeated_after(steps: Iterable[Step], time: int) -> tuple[Frame, ...]:
    """The same of retransmissions alone: a message with other octets repeats none (RFC 2408 §5.1)."""
    return tuple(
        frame for s in steps for sighting in s.sent[1:] if sighting.time > time + CROSSING for frame in sighting.frames
    )


def answered_both_ways(after: Sequence[Step]) -> tuple[Step, ...]:
    """The first two messages, one from each end, under one message ID."""
    first: dict[int, Step] = {}
    for step in after:
        known = first.setdefault(step.message.header.message_id, step)
        if known.sender is not step.sender:
            return known, step
    return ()


def goes_on(own: Sequence[Step], before: Sequence[Step]) -> bool:
    """These messages behind phase 1 are sent again and again, and none of `before` any more: that was answered.

    It takes three transmissions, over longer than any known sender waits before it repeats (RFC 2408 §5.1).
    """
    sent = sorted(time for s in own for time in s.times)
    if len(sent) < 3 or sent[-1] - sent[0] < REPEATS_BY:
        return False
    return all(s.last.time < sent[0] for s in before)


def third_of_quick_mode(after: Sequence[Step]) -> tuple[Step, ...]:
    """Two messages of the same end under one message ID: the later one answers message 2."""
    seen: dict[tuple[int, Side], Step] = {}
    for step in after:
        key = (step.message.header.message_id, step.sender)
        if key in seen and step.exchange_type == ExchangeType.QUICK:
            return seen[key], step
        seen[key] = step
    return ()


def how_often(count: int) -> str:
    """A count in a sentence: once, twice, 3 times."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def chosen_transform(exchange: Exchange) -> Transform | None:
    """The transform that the responder chose for phase 1 (the only one in message 2), if it can be read."""
    for step in exchange.numbered(2):
        for proposal in step.proposals:
            if proposal.transforms:
                return proposal.transforms[0]
    return None


def may_be_sa_delete(step: Step, exchange: Exchange) -> bool:
    """Whether an encrypted Informational is long enough to delete the ISAKMP SA, or to name it in a notify.

    HASH has the length of the negotiated hash and a generic header of 4, DELETE of an ISAKMP SA has 28 octets
    (RFC 2408 §3.15 with two cookies as SPI), and the cipher pads to its block. Shorter: it is something else.
    """
    return step.message.header.length >= _least_beside_hash(exchange, 28)


def may_be_dpd(step: Step, exchange: Exchange) -> bool:
    """Whether an encrypted Informational is long enough for a question of DPD, or for its answer.

    Beside HASH each is a notify with both cookies and a sequence number, 32 octets (RFC 3706 §5.2, §5.3). A delete of
    one SA of ESP has 16 (RFC 2408 §3.15), and nobody answers it.
    """
    return step.encrypted and step.message.header.length >= _least_beside_hash(exchange, 32)


def may_be_bare_notify(step: Step, exchange: Exchange) -> bool:
    """Whether an encrypted Informational is short enough for a notify that names no SA: 12 octets beside HASH.

    Padding fills the last block, and some senders add a whole one where that is full (RFC 2408 leaves it to them).
    """
    digest, block = _digest_and_block(exchange)
    return step.message.header.length <= HEADER_LENGTH + ((4 + digest + 12) // block + 1) * block


def _least_beside_hash(exchange: Exchange, octets: int) -> int:
    """The least length of a message that holds HASH and so many octets more, by the negotiated hash and cipher.

    Where message 2 is not in the capture, message 3 of Quick Mode, HASH alone, says how long that is, padded.
    """
    if chosen_transform(exchange) is None:
        short = [s.message.header.length for s in followed_by(exchange) if s.name == "QM3"]
        if short:
            return min(short) + octets // 16 * 16
    digest, block = _digest_and_block(exchange)
    return HEADER_LENGTH + -(-(4 + digest + octets) // block) * block


def _digest_and_block(exchange: Exchange) -> tuple[int, int]:
    """Octets of the negotiated hash, and of the cipher's block; the least of each where the choice is not known."""
    transform = chosen_transform(exchange)
    digest, block = 16, 8
    if transform is not None:
        hash_attribute = transform.attribute(OakleyAttribute.HASH)
        cipher = transform.attribute(OakleyAttribute.ENCRYPTION)
        digest = _DIGEST_LENGTH.get(hash_attribute.value if hash_attribute else 0, digest)
        block = 16 if cipher and cipher.value in _BLOCK_16 else 8
    return digest, block


_DIGEST_LENGTH: dict[int | bytes, int] = {
    HashAlgorithm.MD5: 16,
    HashAlgorithm.SHA1: 20,
    HashAlgorithm.TIGER: 24,
    HashAlgorithm.SHA2_256: 32,
    HashAlgorithm.SHA2_384: 48,
    HashAlgorithm.SHA2_512: 64,
}
_BLOCK_16 = (EncryptionAlgorithm.AES_CBC, EncryptionAlgorithm.CAMELLIA_CBC)


class Refusal(Record, frozen=True):
    """A message that ended the exchange, and who sent it."""

    step: Step
    by: Side
    reason: str


def refusal_of(exchange: Exchange, top: int) -> Refusal | None:
    """The notify or delete after which nothing went on, if there is one.

    A notify in clear is not authenticated: it counts only when phase 1 made no progress after it. An encrypted
    Informational counts where it stands in the place of a reply.
    """
    reached = min((s.first.time for s in exchange.numbered(top)), default=exchange.first_time)
    final = top == (6 if exchange.mode is Mode.MAIN else 3)
    due = "instead of going on" if final else "instead of a reply"
    looked_at = 0
    for step in refusing(exchange):
        if step.first.time < reached and not _answers_an_unseen_copy(exchange, step, top):
            continue
        if not step.encrypted:
            names = [n.name for n in error_notifies(step)]
            if any(isinstance(p, Delete) for p in step.message.payloads):
                if not names and gives_up(exchange, step, top):
                    continue
                names.append("DELETE")
            if not names and _is_cut_notify(step):
                names.append("a notify of which the capture has no more")
            if names:
                return Refusal(step, step.sender, f"{step.sender} answered with {', '.join(names)} in clear")
            continue
        looked_at += 1
        if looked_at <= MOST_LOOKED_AT and not harmless(step) and _in_place_of_reply(exchange, step, top):
            if not final and step.sender is SENDER[top]:
                due = (
                    f"in answer to {'MM' if exchange.mode is Mode.MAIN else 'AM'}{top + 1}, which is not in the capture"
                )
            return Refusal(step, step.sender, f"{step.sender} sent {refusal_text(step)} {due}")
    return None


def _is_cut_notify(step: Step) -> bool:
    """An Informational in clear that begins with a notify (RFC 2408 §3.14), of which the capture cut off the type.

    In clear nothing else is told before phase 1 is done but why it goes no further.
    """
    header = step.message.header
    notify = header.major == 1 and header.next_payload == PayloadType.NOTIFY
    return notify and step.message.cut and not step.notifications


def _answers_an_unseen_copy(exchange: Exchange, step: Step, top: int) -> bool:
    """It comes from the end that is to answer the last message, before the first copy of it that the capture has.

    That end went no further since. So it answered a copy that the capture lost, and says nothing to those it has.
    """
    if step.sender is SENDER[top] or top == (6 if exchange.mode is Mode.MAIN else 3):
        return False
    return not any(s.number and s.sender is step.sender and s.last.time > step.first.time for s in exchange.steps)


def gives_up(exchange: Exchange, step: Step, top: int) -> bool:
    """A delete in clear of the end that sent the last message: it waits no longer, and refuses nothing.

    A Cisco ASA says so to a peer that was silent to each of its tries.
    """
    due = top < (6 if exchange.mode is Mode.MAIN else 3)
    return due and step.sender is SENDER[top] and any(isinstance(p, Delete) for p in step.message.payloads)


def _in_place_of_reply(exchange: Exchange, step: Step, top: int) -> bool:
    due_from = SENDER[top].other
    final = 6 if exchange.mode is Mode.MAIN else 3
    if top < final:
        # The reply is due from the other end; who sent the last message has nothing to say but that it gives up.
        if step.sender is not due_from:
            return _answers_the_unseen(exchange, step, top)
        return not _went_on_before(exchange, step, top) and not _lives_on(exchange, step, top)
    last = SENDER[top]
    reached = min(s.first.time for s in exchange.numbered(top))
    if step.first.time > reached + REFUSAL:
        return False
    told = [s for s in informational(exchange) if s.encrypted and s.sender is step.sender]
    each_time = len(told) > 1 and repeated_after(exchange.numbered(top), reached)
    if step.sender is last.other and (each_time or sent_again_after(exchange.numbered(top - 1), reached)):
        # It does not take the last message, and says so each time: whatever the length, it is no DPD yet.
        return True
    if not may_be_sa_delete(step, exchange) or answered(exchange, step):
        return False
    after = followed_by(exchange)
    if any(s.sender is last and reached < s.first.time < step.first.time for s in after):
        return False  # the other end goes on with phase 2: it answers that, or what is not in the capture
    before = [s for s in informational(exchange) if s.encrypted and s.sender is last]
    if exchange.mode is Mode.MAIN and any(reached < s.first.time < step.first.time for s in before):
        return False  # what the responder says behind message 6 answers what is not in the capture, and this follows it
    if any(s.sender is step.sender and s.first.time > step.first.time for s in after):
        return False  # who sent it goes on itself: INITIAL-CONTACT, as some send on its own, is as long
    # In Main Mode the responder has accepted the initiator before it sends message 6: what it then says is no refusal.
    return step.sender is last.other or exchange.mode is not Mode.MAIN


def _answers_the_unseen(exchange: Exchange, step: Step, top: int) -> bool:
    """The responder says something encrypted soon behind its message 4 (aggressive: 2), which neither end repeats.

    So the initiator's last message came, which is not in the capture: the responder has nothing to say before it. One
    that waits in vain repeats its own, or gives up much later (RFC 2408 §5.1). Where nothing of the initiator is in the
    capture, a copy of its own may answer one of what it had.
    """
    if top != (4 if exchange.mode is Mode.MAIN else 2) or step.sender is not Side.RESPONDER:
        return False
    own = exchange.numbered(top)
    if one_way_of(exchange.steps) is Side.RESPONDER:
        return any(0 <= step.first.time - time <= REFUSAL for s in own for time in s.times)
    reached = own[0].first.time
    repeated = sent_again_after((*own, *exchange.numbered(top - 1)), reached)
    return not repeated and step.first.time <= reached + REFUSAL


def _lives_on(exchange: Exchange, step: Step, top: int) -> bool:
    """It is DPD behind the last message: the SA is there, and the end of phase 1 is not in the capture.

    It answers the other end, which asks nothing while it waits for a reply; or asks, long after that message.
    """
    sent = max(s.last.time for s in exchange.numbered(top))
    if answers_dpd(exchange, step, sent):
        return True
    return step.first.time > sent + REFUSAL and answered(exchange, step)


def _went_on_before(exchange: Exchange, step: Step, top: int) -> bool:
    """Who sent the last message of phase 1 went on with phase 2 before this came, and never repeated that message.

    So it has had the reply, which is not in the capture (RFC 2409 §5.5), and this answers what it went on with.
    """
    last = exchange.numbered(top)
    own = [s for s in followed_by(exchange) if s.sender is SENDER[top] and s.first.time < step.first.time]
    return bool(own) and not repeated_after(last, own[0].first.time)


def answered(exchange: Exchange, step: Step) -> bool:
    """Whether the other end sent an Informational right after this one, as in DPD (RFC 3706 §5.2).

    Question and answer of DPD are notifies of the same length (§5.3); a delete that follows a refusal answers nothing.
    """
    return may_be_dpd(step, exchange) and any(
        s.sender is not step.sender
        and 0 <= s.first.time - step.first.time <= 2 * SECOND
        and s.message.header.length == step.message.header.length
        for s in informational(exchange)
    )


def answers_dpd(exchange: Exchange, step: Step, since: int = 0) -> bool:
    """Whether this Informational is the answer to one that the other end sent since then, as in DPD.

    It is the first that its sender says behind that one.
    """
    rows, now = informational(exchange), step.first.time
    before = max((s.first.time for s in rows if s.sender is step.sender and s.first.time < now), default=-1)
    asked = [s for s in rows if s.sender is not step.sender and max(since, before + 1) <= s.first.time <= now]
    return any(answered(exchange, s) for s in asked[-MOST_LOOKED_AT:])


def soonest_answer(exchange: Exchange, side: Side) -> int:
    """Nanoseconds in which an answer of this end can come here at the soonest: half of what its quickest one took.

    What comes sooner was sent before the question arrived, and crossed it.
    """
    gaps = []
    for number in range(2, 7):
        for step in exchange.numbered(number)[:1]:
            before = [t for s in exchange.numbered(number - 1) for t in s.times if t <= step.first.time]
            if step.sender is side and before:
                gaps.append(step.first.time - max(before))
    return min(gaps, default=0) // 2


def _began_in_the_middle(exchange: Exchange) -> bool:
    return not exchange.numbered(1)


def completed(exchange: Exchange, active: str, reason: str, frames: tuple[Frame, ...]) -> Stop:
    """Phase 1 finished; `partial` where its beginning is not in the capture."""
    outcome = Outcome.COMPLETED
    if _began_in_the_middle(exchange):
        outcome = Outcome.PARTIAL
        reason = f"The beginning is not in the capture; {reason[0].lower()}{reason[1:]}"
    return Stop(outcome, None, None, None, (active,), (active,), reason, frames)


def _no_such_message(exchange: Exchange, setting: Setting, odd: Step) -> Stop:
    """What the initiator sent is no message 1, though it stands in its place."""
    name = "MM2" if exchange.mode is Mode.MAIN else "AM2"
    waits = (f"{name[:2]}_WAIT_MSG2",)
    refused = next((s for s in refusing(exchange) if s.sender is Side.RESPONDER and error_notifies(s)), None)
    if refused is not None:
        names = ", ".join(n.name for n in error_notifies(refused))
        reason = f"The responder answered with {names} in clear to what is no message 1."
        return Stop(Outcome.REJECTED, name, Side.RESPONDER, Side.RESPONDER, waits, ("NONE",), reason, refused.frames)
    outcome = waiting_outcome(exchange, setting, odd.first.time)
    reason = f"What was sent is no message 1; {name} was not seen."
    return Stop(outcome, name, Side.RESPONDER, None, waits, ("NONE",), reason, odd.frames)


def frames_of(steps: Iterable[Step]) -> tuple[Frame, ...]:
    """Every frame of every transmission of these steps, in order."""
    return tuple(sorted(f for s in steps for f in s.frames))


def undelivered_to(exchange: Exchange, side: Side) -> bool:
    """Whether an ICMP error says that what was sent to this end was dropped.

    One about a packet from it shows that it sent that.
    """
    return any(i.undelivered and i.quoted.destination in exchange.peer(side).addresses for i in exchange.icmp_errors)


def waiting_outcome(exchange: Exchange, setting: Setting, reached: int) -> Outcome:
    """Stalled, once it is certain that the reply is not just late; else inconclusive."""
    if _ends_with_the_unseen(exchange, reached):
        return Outcome.INCONCLUSIVE
    if setting.silence_after(reached) >= SILENCE or _repeated_enough(exchange, reached, setting.watched_until(reached)):
        return Outcome.STALLED
    if any(error.undelivered and error.time >= reached for error in exchange.icmp_errors):
        return Outcome.STALLED
    restart = setting.next_attempt(exchange, reached + REFUSAL)
    return Outcome.STALLED if restart is not None else Outcome.INCONCLUSIVE


def _ends_with_the_unseen(exchange: Exchange, reached: int) -> bool:
    """The capture sees one direction, and what would end phase 1 goes the other way.

    An end that has had no answer sends again (RFC 2408 §5.1, RFC 7296 §2.1); one that does not may have had it, and has
    nothing more to say.
    """
    if one_way_of(exchange.steps) is None or any(t > reached for s in exchange.steps for t in s.times[1:]):
        return False
    if exchange.mode is Mode.IKEV2:
        auth = exchange.of_type(ExchangeType.IKE_AUTH)
        return bool(auth) and not auth[-1].message.header.response
    return exchange.last_message == 5 or (exchange.mode is Mode.AGGRESSIVE and exchange.last_message in (2, 3))


def _repeated_enough(exchange: Exchange, reached: int, until: int) -> bool:
    """A message was sent so often, and for so long, without the reply that this one is not just late."""
    return any(
        len(again := [t for t in s.times if reached <= t <= until]) >= ENOUGH and again[-1] - reached >= REPEATED_FOR
        for s in exchange.steps
    )


ENOUGH, REPEATED_FOR = 5, 10 * SECOND
"""So many transmissions over so long: a round trip takes milliseconds, and each of them was due an answer."""


def outside_phase1(exchange: Exchange, setting: Setting) -> Stop:
    """Nothing that is a message of phase 1 is in the capture."""
    after = followed_by(exchange)
    odd = next((s for s in exchange.steps if s.exchange_type in PHASE_1 and not s.number), None)
    if odd is not None and not after and odd.message.header.responder_spi == ZERO_SPI:
        return _no_such_message(exchange, setting, odd)
    refused = next((s for s in exchange.steps if not s.encrypted and error_notifies(s)), None)
    if refused is not None and not after and len({s.sender for s in exchange.steps}) == 1:
        names = ", ".join(n.name for n in error_notifies(refused))
        reason = f"{refused.first.source} answered with {names} in clear; what it answers is not in the capture."
        return Stop(Outcome.REJECTED, None, None, refused.sender, (), (), reason, refused.frames)
    reason = "Phase 1 is not in the capture."
    if after:
        reason = "Phase 1 is not in the capture; what followed it is."
    if not after and setting.in_use(exchange):
        reason = "Phase 1 is not in the capture; ESP or AH goes both ways between the two ends."
    under = after or [s for s in informational(exchange) if s.encrypted]
    gone = [_has_forgotten(exchange, under, s) for s in Side]
    states = ("MM_ACTIVE", "AM_ACTIVE") if after or any(gone) or setting.in_use(exchange) else ()
    of_initiator, of_responder = (("NONE",) if forgotten else states for forgotten in gone)
    return Stop(Outcome.PARTIAL, None, None, None, of_initiator, of_responder, reason, exchange.steps[0].frames)


def _has_forgotten(exchange: Exchange, after: Sequence[Step], side: Side) -> bool:
    """This end answers what follows phase 1 in clear and with errors alone: with the SA it encrypts (RFC 2409 §5.7)."""
    own = [s for s in exchange.steps if s.sender is side]
    errors = bool(own) and all(not s.encrypted and error_notifies(s) for s in own)
    return errors and any(s.sender is not side for s in after)
