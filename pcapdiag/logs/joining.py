"""Logs beside a capture: each line at the message that it is about, and what the ends themselves know.

A line is joined exactly where it has the octets, the cookies or a message ID of the message; else by direction, peer,
length, name and time together. The log's clock comes out of the lines that fit; where too few agree, or the log is of
another day, nothing is joined and that is said.
"""

from collections.abc import Iterable, Sequence
from time import gmtime

from msgspec.structs import replace

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.causes.platforms import Basis, Given
from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.diagnosis.evidence.case import Evidence
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Exchange, Side, Sighting, Step
from pcapdiag.knowledge.platform_names import PLATFORM_NAMES
from pcapdiag.knowledge.records import Status
from pcapdiag.logs.attempts import Attempts, LogExchange
from pcapdiag.logs.clock import DELAY, EARLIEST, LATEST, Clock, agreed, walls
from pcapdiag.logs.judging import LogDiagnosis, judge
from pcapdiag.logs.line import SENT, LogLine
from pcapdiag.logs.lines import Lines, read
from pcapdiag.logs.log import names_of
from pcapdiag.logs.octets import Octets, Source
from pcapdiag.logs.reader import masked
from pcapdiag.logs.stamps import last_stamp
from pcapdiag.record import Record
from pcapdiag.units import SECOND

MAX_TELLING = 200_000
"""Lines about messages that are kept of one log."""
NO_MESSAGES = "none of its lines is about a message, and its cookies, ends and times single out no exchange"
GIVEN_UP = 600 * SECOND
"""A device says that it gave up at most this long after the last message."""
LEAST = 2
"""Messages that have to agree on a clock where nothing exact joins them."""


class JoinedLine(Record, frozen=True):
    """A line at the message that it is about.

    number -- of the line; exchange -- id of the exchange in the capture; frame -- with which the message was seen
    name -- of the message; how -- "exact" or "near"; apart -- frame − line by the log's clock, in nanoseconds, or None
    text -- of the line
    """

    number: int
    exchange: int
    frame: Frame
    name: str
    how: str
    apart: int | None
    text: str


class JoinedLog(Record, frozen=True):
    """One log beside a capture.

    name -- as its lines are cited; address -- of the end that wrote it, "" where that does not show
    telling -- lines that are about messages; joined -- those at a message; clock -- None where none was derived
    diagnoses -- what the log says by itself, with the id of the exchange of the capture where it is one of those
    problem -- why nothing was joined, or ""; fault -- why the log ended before its time, or ""
    """

    name: str
    address: str
    telling: int
    joined: tuple[JoinedLine, ...]
    clock: Clock | None
    diagnoses: tuple[tuple[LogDiagnosis, int | None], ...]
    problem: str
    fault: str = ""


class _Sent(Record, frozen=True):
    """One time that a message went by, as a log can tell of it."""

    exchange: Exchange
    step: Step
    sighting: Sighting
    own: bool  # sent by the end that logs


class _Told(Record, frozen=True):
    """A line about a message, and the exchange of the log that it belongs to."""

    line: LogLine
    attempt: int | None


def join_log(
    source: Source,
    diagnoses: Sequence[Diagnosis],
    *,
    name: str | None = None,
    at: str | None = None,
    zone: int | None = None,
    max_decompressed: int | None = None,
) -> tuple[JoinedLog, tuple[Diagnosis, ...]]:
    """Join a log to the exchanges of a capture; the same diagnoses come back, with what the log knows.

    at -- the address of the end that wrote the log; else it is told by the addresses in it
    zone -- seconds east of UTC of its clock, where that is known
    max_decompressed -- octets that a compressed log may become, as for `read_log`

    Raises OSError where the log cannot be read.
    """
    from pcapdiag.knowledge.loading import load

    called = name or names_of([source])[0]
    lines, attempts = Lines(), Attempts(called)
    told: list[_Told] = []
    last = ""
    stream = Octets(source, most=max_decompressed)
    for line in read(stream, lines):
        number = attempts.feed(line)
        last = line.when or last
        if line.said.told is not None and len(told) < MAX_TELLING:
            told.append(_Told(line, number))
    own = judge(tuple(attempts.exchanges()), lines.last_when or last, load())
    address = at or _address(told, diagnoses) or _address_of(own, diagnoses)
    if not told and address:
        met = tuple((d, _met(d, diagnoses, address, zone)) for d in own)
        if any(exchange is not None for _, exchange in met):
            log = JoinedLog(called, address, 0, (), None, met, "", stream.fault)
            return log, tuple(_with_log(diagnosis, log) for diagnosis in diagnoses)
    if not told:
        problem = NO_MESSAGES if own else "it has no line of a format that is known"
        return JoinedLog(called, address, 0, (), None, tuple((d, None) for d in own), problem, stream.fault), tuple(
            diagnoses
        )
    if not address:
        problem = "its addresses are of none of the ends in the capture; --log-at says whose log it is"
        return JoinedLog(called, "", len(told), (), None, tuple((d, None) for d in own), problem, stream.fault), tuple(
            diagnoses
        )
    sent = _transmissions(diagnoses, _addresses(told, diagnoses, address))
    clock, far = _clock(told, sent, zone)
    joined = tuple(_joined(told, sent, clock))
    problem = ""
    if not joined:
        problem = "no line fits a message of the capture"
        if far:
            problem = f"its lines that fit are of another time: {far} away; nothing is joined"
    numbers = attempts.numbers()
    places = _places(told, joined, numbers)
    paired = tuple(
        (d, places.get(d.exchange.id) or (None if d.exchange.messages else _met(d, diagnoses, address, zone)))
        for d in own
    )
    log = JoinedLog(called, address, len(told), joined, clock, paired, problem, stream.fault)
    return log, tuple(_with_log(diagnosis, log) for diagnosis in diagnoses)


# --- whose log it is, and what went by ------------------------------------------------------------------------


def _address(told: Sequence[_Told], diagnoses: Sequence[Diagnosis]) -> str:
    """The end that the addresses in the lines tell: its own, or the one whose peer they name."""
    ends: dict[str, str] = {}
    for d in diagnoses:
        e = d.exchange
        for one, other in ((e.initiator, e.responder), (e.responder, e.initiator)):
            for address in one.addresses:
                ends.setdefault(address, other.address)
    votes: dict[str, int] = {}
    for row in told:
        said = row.line.said
        if said.local in ends:
            votes[said.local] = votes.get(said.local, 0) + 2
        elif said.peer in ends:
            votes[ends[said.peer]] = votes.get(ends[said.peer], 0) + 1
    return max(votes, key=lambda address: votes[address], default="")


def _addresses(told: Sequence[_Told], diagnoses: Sequence[Diagnosis], address: str) -> set[str]:
    """Every address of the end that logs: a device may have several."""
    ends = {a for d in diagnoses for end in (d.exchange.initiator, d.exchange.responder) for a in end.addresses}
    own = {row.line.said.local for row in told} & ends
    others = {row.line.said.peer for row in told}
    return {address} | (own - others)


def _transmissions(diagnoses: Sequence[Diagnosis], addresses: set[str]) -> list[_Sent]:
    found: list[_Sent] = []
    for d in diagnoses:
        e = d.exchange
        side = Side.INITIATOR if addresses & set(e.initiator.addresses) else Side.RESPONDER
        if not addresses & set(e.peer(side).addresses):
            continue
        for step in e.steps:
            found += (_Sent(e, step, sighting, step.sender is side) for sighting in step.sent)
    return sorted(found, key=lambda one: one.sighting.time)


def _address_of(own: Sequence[LogDiagnosis], diagnoses: Sequence[Diagnosis]) -> str:
    """The end that wrote a log without messages: by its own address, or its peers'."""
    votes: dict[str, int] = {}
    for log in own:
        for d in diagnoses:
            e = d.exchange
            for one, other in ((e.initiator, e.responder), (e.responder, e.initiator)):
                if log.exchange.local in one.addresses:
                    votes[one.address] = votes.get(one.address, 0) + 2
                elif not log.exchange.local and log.exchange.peer in other.addresses:
                    votes[one.address] = votes.get(one.address, 0) + 1
    return max(votes, key=lambda address: votes[address], default="")


def _met(log: LogDiagnosis, diagnoses: Sequence[Diagnosis], address: str, zone: int | None) -> int | None:
    """The exchange of the capture that a log without messages tells of: that of its cookies, else the only one of the
    same two ends that its stamps do not speak against."""
    own = log.exchange
    if own.initiator_spi:
        found = [d.exchange.id for d in diagnoses if d.exchange.initiator_spi == own.initiator_spi]
        return found[0] if len(found) == 1 else None
    fitting = []
    for d in diagnoses:
        e = d.exchange
        here, there = (e.initiator, e.responder) if address in e.initiator.addresses else (e.responder, e.initiator)
        if address not in here.addresses or (own.peer and own.peer not in there.addresses):
            continue
        if own.role and (own.role == "initiator") != (here is e.initiator):
            continue
        if _same_version(own, e) and _in_time(own, e, zone):
            fitting.append(e.id)
    return fitting[0] if len(fitting) == 1 and own.peer else None


def _same_version(own: LogExchange, e: Exchange) -> bool:
    """Whether the exchange is of the version of IKE that the log names, if it names one."""
    named = {event.kind.ike for event in own.events if event.kind.ike}
    if own.mode != "unknown":
        named = {2 if own.mode == "ikev2" else 1}
    return len(named) != 1 or any(step.message.header.major in named for step in e.steps)


def _in_time(own: LogExchange, e: Exchange, zone: int | None) -> bool:
    """Whether the stamps of a log can be of the time of an exchange, in the zone that they name or any."""
    first, last = last_stamp(own.first_when), last_stamp(own.last_when)
    times = [sighting.time for step in e.steps for sighting in step.sent]
    if first is None or last is None or not first.has_date or not last.has_date or not times:
        return False
    known = zone if first.zone is None else 0
    least, most = (EARLIEST, LATEST) if known is None else (-known * SECOND - GIVEN_UP, -known * SECOND + GIVEN_UP)
    years = tuple(range(gmtime(min(times) // SECOND).tm_year, gmtime(max(times) // SECOND).tm_year + 1))
    return any(
        begun + least <= max(times) and min(times) <= ended + most
        for begun in walls(first, years)
        for ended in walls(last, years)
    )


# --- what fits -------------------------------------------------------------------------------------------------


def _fit(line: LogLine, one: _Sent) -> str:
    """How a line fits a transmission: "exact", "near", or "" where it does not."""
    said, told, step = line.said, line.said.told, one.step
    if told is None or (told.direction == SENT) != one.own:
        return ""
    header = step.message.header
    if said.octets and not said.clear:
        octets = said.octets[4:] if said.octets[:4] == bytes(4) else said.octets
        return "exact" if octets == step.message.octets else ""
    if said.initiator_spi and said.initiator_spi != one.exchange.initiator_spi:
        return ""
    if told.names and step.name not in told.names and step.number is not None:
        return ""
    if told.names and step.number is None and not _same_kind(told.names, step):
        return ""
    if said.message_id is not None and said.message_id != header.message_id:
        return ""
    if told.length is not None and header.length not in (told.length, told.length - 4):
        return ""
    other = one.exchange.responder if step.sender is Side.INITIATOR else one.exchange.initiator
    far = one.exchange.peer(step.sender.other if one.own else step.sender)
    if said.peer and said.peer not in far.addresses and said.peer not in other.addresses:
        return ""
    if said.initiator_spi and (said.message_id is not None or told.names):
        return "exact"
    if said.message_id:  # zero is that of every exchange
        return "exact" if header.major == 1 else "near"
    return "near" if told.names or told.length is not None else ""


def _same_kind(names: Sequence[str], step: Step) -> bool:
    """Whether a name of a log is that of a message behind phase 1, or of IKEv2."""
    return any(name == step.name or name[:2] == step.name[:2] == "QM" for name in names)


def _clock(told: Sequence[_Told], sent: Sequence[_Sent], zone: int | None) -> tuple[Clock | None, str]:
    """The clock of a log, and how far away what fits is where that is another day."""
    if not sent:
        return None, ""
    years = _years(sent)
    pairs: list[tuple[int, int, bool, int]] = []
    distant: list[int] = []
    for row in told[:5000]:
        stamp = last_stamp(row.line.when)
        if stamp is None:
            continue
        shown = walls(stamp, years)
        known = bool(row.line.said.initiator_spi)
        for place, one in enumerate(sent):
            how = _fit(row.line, one)
            if not how:
                continue
            for wall in shown:
                difference = one.sighting.time - wall
                if zone is not None and stamp.zone is None and abs(difference + zone * SECOND) > 600 * SECOND:
                    distant.append(difference)
                elif EARLIEST <= difference <= LATEST or (how == "exact" and known) or stamp.doubt:
                    pairs.append((difference, stamp.unit, how == "exact", place))
                else:
                    distant.append(difference)
    found = agreed(pairs, LEAST if len({row.line.said.told for row in told}) > 2 else 1)
    if found is None:
        nearest = min(map(abs, distant), default=0)
        return None, _span(nearest) if nearest else ""
    if not found.exact and found.zone is None:
        return None, _span(abs(found.offset))  # that is no zone: they fit by chance, as one attempt fits the next
    return replace(found, given=zone is not None), ""


def _years(sent: Sequence[_Sent]) -> tuple[int, ...]:
    first, last = gmtime(sent[0].sighting.time // SECOND).tm_year, gmtime(sent[-1].sighting.time // SECOND).tm_year
    return tuple(range(max(1970, first), min(last, first + 2) + 1)) or (first,)


def _span(nanoseconds: int) -> str:
    days, rest = divmod(nanoseconds // SECOND, 86_400)
    return f"{days} days" if days > 1 else f"{days * 24 + rest // 3600} h {rest % 3600 // 60} min"


def _joined(told: Sequence[_Told], sent: Sequence[_Sent], clock: Clock | None) -> Iterable[JoinedLine]:
    """Each line at its message: the one that fits, and is nearest by the clock."""
    years = _years(sent) if sent else ()
    taken: dict[tuple[int, str], int] = {}
    for row in told:
        line = row.line
        stamp = last_stamp(line.when)
        best: tuple[int, int, _Sent, str, int | None] | None = None
        shown = walls(stamp, years) if stamp is not None else ()
        kind = line.said.kind.id if line.said.kind is not None else ""
        for place, one in enumerate(sent):
            how = _fit(line, one)
            if not how:
                continue
            apart: int | None = None
            if clock is not None and shown and stamp is not None:
                apart = min((one.sighting.time - wall - clock.offset for wall in shown), key=abs)
                if abs(apart) > DELAY + stamp.unit:
                    continue
            elif how != "exact" or not (line.said.octets or line.said.initiator_spi):
                continue
            used = taken.get((place, kind), 0)
            rank = (used * SECOND + (abs(apart) if apart is not None else 0), place)
            if best is None or rank < best[:2]:
                best = (*rank, one, how, apart)
        if best is not None:
            one, how, apart = best[2:]
            taken[best[1], kind] = taken.get((best[1], kind), 0) + 1
            yield JoinedLine(
                line.number,
                one.exchange.id,
                one.sighting.frame,
                one.step.name,
                how,
                apart,
                masked(line.text[:800])[:400],
            )


def _places(told: Sequence[_Told], joined: Sequence[JoinedLine], numbers: dict[int, int]) -> dict[int, int]:
    """For each exchange of the log the one of the capture that most of its lines are at."""
    at = {line.number: line.exchange for line in joined}
    votes: dict[int, dict[int, int]] = {}
    for row in told:
        exchange = at.get(row.line.number)
        own = numbers.get(row.attempt) if row.attempt is not None else None
        if exchange is not None and own is not None:
            counts = votes.setdefault(own, {})
            counts[exchange] = counts.get(exchange, 0) + 1
    return {own: max(counts, key=lambda key: counts[key]) for own, counts in votes.items()}


# --- what the ends know ----------------------------------------------------------------------------------------


def _with_log(diagnosis: Diagnosis, log: JoinedLog) -> Diagnosis:
    """The diagnosis of an exchange of the capture, with what this end's log says of it."""
    evidence, causes, given = list(diagnosis.evidence), list(diagnosis.causes), diagnosis.given
    for own, exchange in log.diagnoses:
        if exchange != diagnosis.exchange.id:
            continue
        given = _given(diagnosis, log.address, own.exchange.platform)
        for ranked in own.causes:
            if ranked.status is Status.CONFIRMED or (ranked.status is Status.LIKELY and ranked.because):
                _add(diagnosis, own, ranked, log, evidence, causes)
        _contradiction(diagnosis, own, log, evidence)
    if len(evidence) > len(diagnosis.evidence):
        order = list(Status)
        causes.sort(key=lambda cause: (order.index(cause.status), -cause.weight))
    return replace(diagnosis, evidence=tuple(evidence), causes=tuple(causes), given=given)


def _given(diagnosis: Diagnosis, address: str, platform: str) -> Given:
    """What is given of the ends, with what the format of a log says of its own end; the user's word first."""
    given, exchange = diagnosis.given, diagnosis.exchange
    side = Side.INITIATOR if address in exchange.initiator.addresses else Side.RESPONDER
    if platform not in PLATFORM_NAMES or diagnosis.platform(side).basis is Basis.GIVEN:
        return given
    return replace(given, platforms=(*given.platforms, (address, platform)))


def _add(
    diagnosis: Diagnosis,
    own: LogDiagnosis,
    ranked: RankedCause,
    log: JoinedLog,
    evidence: list[Evidence],
    causes: list[RankedCause],
) -> None:
    item = next((i for i in own.evidence if i.id in ranked.because), None)
    if item is None:
        return
    text = f"{log.address} says in its log: {item.text}"
    number = _number(diagnosis, log, item.lines, text, f"log-{ranked.cause.id}", item.quote, evidence)
    place = next((n for n, cause in enumerate(causes) if cause.cause.id == ranked.cause.id), None)
    if place is None:
        if ranked.status is Status.CONFIRMED and not diagnosis.completed:
            causes.append(replace(ranked, because=(number,), against=(), document=()))
        return
    before = causes[place]
    status = before.status
    if ranked.status is Status.CONFIRMED and before.status is not Status.RULED_OUT:
        status = Status.CONFIRMED
    elif before.status in (Status.POSSIBLE, Status.UNDECIDABLE, Status.UNLIKELY):
        status = Status.LIKELY
    if before.status is Status.RULED_OUT:
        causes[place] = replace(before, says=f"{before.says} The log of {log.address} says otherwise.",
                                because=(*before.because, number))  # fmt: skip
        return
    says = ranked.says if status is not before.status else before.says
    weight = max(before.weight, ranked.weight)
    causes[place] = replace(before, status=status, says=says, weight=weight, because=(*before.because, number))


def _contradiction(diagnosis: Diagnosis, own: LogDiagnosis, log: JoinedLog, evidence: list[Evidence]) -> None:
    """Where the log and the wire tell two stories, both are shown."""
    if own.completed == diagnosis.completed or own.outcome.value == "inconclusive":
        return
    wire, said = (
        ("completed", own.outcome.value) if diagnosis.completed else (diagnosis.stop.outcome.value, "completed")
    )
    if {wire, said} != {"completed", "rejected"} and {wire, said} != {"completed", "stalled"}:
        return
    text = f"The log of {log.address} contradicts the wire: by the wire phase 1 is {wire}, by the log it is {said}."
    _number(diagnosis, log, own.reason_lines, text, "log-contradicts", "", evidence)


def _number(
    diagnosis: Diagnosis,
    log: JoinedLog,
    lines: Sequence[int],
    text: str,
    kind: str,
    quote: str,
    evidence: list[Evidence],
) -> str:
    """Add a fact out of a log; the same is not said twice."""
    cited = f"{log.name}:{', '.join(map(str, lines[:4]))}"
    short = " ".join(quote.split())[:160]
    whole = f"{text} [{cited}{f': “{short}”' if short else ''}]"
    for item in evidence:
        if item.text == whole:
            return item.id
    frames = _frames(diagnosis, log, lines)
    shown = f"frame.number in {{{', '.join(str(f.number) for f in frames)}}}"
    found = Evidence(
        f"E{len(evidence) + 1}", kind, whole, frames, shown, (kind,), "log", tuple(f"{log.name}:{n}" for n in lines)
    )
    evidence.append(found)
    return found.id


def _frames(diagnosis: Diagnosis, log: JoinedLog, lines: Sequence[int]) -> tuple[Frame, ...]:
    """The message that the device was at when it said so: that of the last line before which is at one."""
    at = [line for line in log.joined if line.exchange == diagnosis.exchange.id]
    before = [line for line in at if lines and line.number <= lines[0]]
    if before:
        return (before[-1].frame,)
    return (at[0].frame,) if at else diagnosis.exchange.steps[-1].last.frames[:1]
