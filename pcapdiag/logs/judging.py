"""What a log says of an exchange: how it ended, the states, the causes with the lines that speak for them.

A cause is confirmed only by the end that knows it, in its own words, with nothing in the same log that contradicts.
What a device repeats of its peer (a notify) is at most likely; a state in which it waits leaves what the document
lists for it. The other end's state is not in the log: what is possible follows from the protocol.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.diagnosis.outcome.stop import SILENCE, Outcome
from pcapdiag.knowledge.base import KnowledgeBase
from pcapdiag.knowledge.records import Cause, Status
from pcapdiag.logs.attempts import LogEvent, LogExchange, LogMessage, state_after
from pcapdiag.logs.ios import ENDS
from pcapdiag.logs.line import RECEIVED, SENT
from pcapdiag.logs.messages import number_of
from pcapdiag.logs.stamps import DAY, last_stamp
from pcapdiag.record import Record
from pcapdiag.units import SECOND

PHASE2 = frozenset(("pfs-mismatch", "phase2-proposal-mismatch", "phase2-selector-mismatch"))
"""Causes that are about what follows phase 1."""
LATER = PHASE2 | {"xauth-failed", "peer-lost", "stale-sa"}
"""Causes that can hold although phase 1 completed."""

TUNNELS = ("up", "one-way", "no-child", "lost", "down", "unknown")

_PEER_STATES = {
    # What the other end may be in: this end, and the last message that went by
    ("initiator", SENT, 1): ("NONE", "MM_WAIT_MSG3"),
    ("initiator", RECEIVED, 2): ("MM_WAIT_MSG3",),
    ("initiator", SENT, 3): ("MM_WAIT_MSG3", "MM_WAIT_MSG5"),
    ("initiator", RECEIVED, 4): ("MM_WAIT_MSG5",),
    ("initiator", SENT, 5): ("MM_WAIT_MSG5", "MM_ACTIVE"),
    ("initiator", RECEIVED, 6): ("MM_ACTIVE",),
    ("responder", RECEIVED, 1): ("MM_WAIT_MSG2",),
    ("responder", SENT, 2): ("MM_WAIT_MSG2", "MM_WAIT_MSG4"),
    ("responder", RECEIVED, 3): ("MM_WAIT_MSG4",),
    ("responder", SENT, 4): ("MM_WAIT_MSG4", "MM_WAIT_MSG6"),
    ("responder", RECEIVED, 5): ("MM_WAIT_MSG6",),
    ("responder", SENT, 6): ("MM_WAIT_MSG6", "MM_ACTIVE"),
}
_PEER_STATES_AGGRESSIVE = {
    ("initiator", SENT, 1): ("NONE", "AM_WAIT_MSG3"),
    ("initiator", RECEIVED, 2): ("AM_WAIT_MSG3",),
    ("initiator", SENT, 3): ("AM_WAIT_MSG3", "AM_ACTIVE"),
    ("responder", RECEIVED, 1): ("AM_WAIT_MSG2",),
    ("responder", SENT, 2): ("AM_WAIT_MSG2", "AM_ACTIVE"),
    ("responder", RECEIVED, 3): ("AM_ACTIVE",),
}
_PLUTO = {
    "STATE_MAIN_I1": "MM_WAIT_MSG2",
    "STATE_MAIN_I2": "MM_WAIT_MSG4",
    "STATE_MAIN_I3": "MM_WAIT_MSG6",
    "STATE_MAIN_R0": "NONE",
    "STATE_MAIN_R1": "MM_WAIT_MSG3",
    "STATE_MAIN_R2": "MM_WAIT_MSG5",
    "STATE_MAIN_R3": "MM_ACTIVE",
    "STATE_MAIN_I4": "MM_ACTIVE",
    "STATE_AGGR_I1": "AM_WAIT_MSG2",
    "STATE_AGGR_R1": "AM_WAIT_MSG3",
}
_V1_ONLY = ("racoon",)
_IOS_NUMBERS = {"1": "MM_WAIT_MSG2", "3": "MM_WAIT_MSG4", "5": "MM_WAIT_MSG6"}
_IOS_ANSWERS = {"2": "MM_WAIT_MSG3", "4": "MM_WAIT_MSG5"}


class LogEvidence(Record, frozen=True):
    """One fact, with the lines that say it.

    id -- E1, E2 …; kind -- ``log-`` and the identifier in the table, or what was concluded from the messages
    text -- what it means; lines -- numbers in the log; quote -- the first of them; count -- how many there are
    """

    id: str
    kind: str
    text: str
    lines: tuple[int, ...]
    quote: str = ""
    count: int = 1


class LogDiagnosis(Record, frozen=True):
    """All that a log says of one exchange.

    outcome -- how phase 1 ended; tunnel -- one of `TUNNELS`, and `tunnel_lines` that say so
    states -- that the end that logs can be in, most probable first; peer_states -- the other end; empty where there are
        none, as in IKEv2, and where the log does not tell
    refused_by -- "self", "peer" or ""; missing -- the message that is due, or ""
    reason -- one sentence; reason_lines -- that say so
    """

    exchange: LogExchange
    outcome: Outcome
    tunnel: str
    tunnel_lines: tuple[int, ...]
    states: tuple[str, ...]
    peer_states: tuple[str, ...]
    refused_by: str
    missing: str
    reason: str
    reason_lines: tuple[int, ...]
    evidence: tuple[LogEvidence, ...]
    causes: tuple[RankedCause, ...]

    @property
    def completed(self) -> bool:
        """Phase 1 completed."""
        return self.outcome is Outcome.COMPLETED

    @property
    def well(self) -> bool:
        """The tunnel is up, or phase 1 is and nothing says that what followed failed."""
        return self.completed and self.tunnel in ("up", "unknown")


def elapsed(earlier: str, later: str) -> int | None:
    """Nanoseconds between two lines of one log; None where a stamp is missing, or they are of different clocks."""
    first, second = last_stamp(earlier), last_stamp(later)
    if first is None or second is None or first.has_date != second.has_date or first.has_year != second.has_year:
        return None
    between = second.wall - first.wall
    if between < 0 and not first.has_date:
        between += DAY
    return between


def judge(exchanges: Sequence[LogExchange], log_end: str, knowledge: KnowledgeBase) -> tuple[LogDiagnosis, ...]:
    """Diagnose the exchanges of one log whose last stamp is `log_end`, in order."""
    return tuple(_judge(exchange, log_end, knowledge) for exchange in exchanges)


def _judge(given: LogExchange, log_end: str, knowledge: KnowledgeBase) -> LogDiagnosis:
    e = replace(given, events=tuple(_placed(event, given) for event in given.events))
    up = _up_lines(e)
    own = own_states(e)
    if up:
        own = {"main": ("MM_ACTIVE",), "aggressive": ("AM_ACTIVE",), "ikev2": ()}.get(
            e.mode, ("MM_ACTIVE",) if e.platform in _V1_ONLY or any(v.kind.ike == 1 for v in e.events) else ()
        )
    outcome, refused_by, reason, lines = _outcome(e, up, log_end)
    tunnel, tunnel_lines = _tunnel(e, bool(up))
    evidence = tuple(_evidence(e, reason, lines))
    last = _last_message(e)
    table = _PEER_STATES_AGGRESSIVE if e.mode == "aggressive" else _PEER_STATES
    peer_states = table.get((e.role, last.direction, number_of(last.name)), ()) if last is not None else ()
    if up:
        peer_states = own
    elif not peer_states and own:
        peer_states = _peer_of(own[0])
    missing = "" if up else _missing(e, last)
    causes: tuple[RankedCause, ...] = ()
    if outcome is not Outcome.COMPLETED or tunnel in ("no-child", "lost"):
        causes = _causes(
            e, evidence, bool(up), (*own, *peer_states), knowledge, stalled=outcome is Outcome.STALLED and not up
        )
    return LogDiagnosis(
        given, outcome, tunnel, tunnel_lines, own, peer_states, refused_by, missing, reason, lines, evidence, causes
    )


def _placed(event: LogEvent, e: LogExchange) -> LogEvent:
    """A refusal that can be of phase 1 or 2 is of phase 2 where messages of phase 2 had gone by."""
    kind = event.kind
    if kind.tells not in ("refuses", "refused", "timeout") or PHASE2.isdisjoint(kind.causes):
        return event
    before = next((m.name for m in reversed(e.messages[: event.place]) if m.name and m.name != "Informational"), "")
    if not before.startswith(("QM", "CREATE_CHILD_SA")):
        return event
    later = tuple(cause for cause in kind.causes if cause in LATER)
    moved = replace(kind, tells=f"{kind.tells}-phase2", causes=later)
    return replace(event, kind=moved)


# --- how it ended ----------------------------------------------------------------------------------------------


def _up_lines(e: LogExchange) -> tuple[int, ...]:
    """What says that phase 1 is complete at this end."""
    for event in e.events:
        if event.kind.tells in ("phase1-up", "phase2-up"):
            return event.lines[:4]
    for event in e.events:
        if event.kind.tells in _AFTERWARDS:
            return event.lines[:4]  # phase 2 is not begun before phase 1 is complete
    for message in e.messages:
        if message.name[:2] == "QM" or (message.name, message.direction) == ("MM6", SENT):
            refused = any(event.kind.tells in ("auth-failed", "unreadable", "refuses") for event in e.events)
            if message.name[:2] == "QM" or not refused:
                return message.lines[:4]
    return ()


def _tells(e: LogExchange, *tells: str) -> list[LogEvent]:
    return [event for event in e.events if event.kind.tells in tells]


def _outcome(e: LogExchange, up: tuple[int, ...], log_end: str) -> tuple[Outcome, str, str, tuple[int, ...]]:
    if up:
        said = any(event.lines[0] == up[0] and event.kind.tells in _AFTERWARDS for event in e.events)
        text = "Phase 1 is complete at this end: phase 2 was under way." if said else "Phase 1 is complete at this end."
        return Outcome.COMPLETED, "", text, up
    refusing = _tells(e, "refuses", "auth-failed")
    told = _tells(e, "refused")
    unreadable = _tells(e, "unreadable")
    timeouts = _tells(e, "timeout", "timeout-phase2")
    answered = [m for m in e.messages if m.name == "Informational"]
    last = _last_message(e)
    after = f" after {last.name}" if last is not None and last.name else ""
    if refusing:
        first = _telling(refusing)
        if not first.kind.knows:
            return Outcome.REJECTED, "", f"One end ended it{_after(e, first)}. {first.kind.meaning}", _cited(first)
        text = f"This end ended it{_after(e, first)}. {first.kind.meaning}"
        return Outcome.REJECTED, "self", text, _cited(first)
    sent = next((m for m in answered if m.direction == SENT), None)
    if unreadable and sent is not None:
        text = f"This end could not read what came{after}, and answered with an Informational."
        return Outcome.REJECTED, "self", text, (*_cited(unreadable[0])[:3], sent.lines[0])
    if unreadable and not told:
        first = _telling(unreadable)
        return Outcome.STALLED, "", f"This end does not accept what came{after}. {first.kind.meaning}", _cited(first)
    if told:
        first = _telling(told)
        return Outcome.REJECTED, "peer", f"The peer refused{_after(e, first)}. {first.kind.meaning}", _cited(first)
    if timeouts:
        first = _telling(timeouts)
        return Outcome.STALLED, "", f"No usable answer came{after}; this end gave up.", _cited(first)
    came = next((m for m in answered if m.direction == RECEIVED), None)
    if came is not None and came is e.messages[-1]:
        text = f"The peer answered with an Informational{after} instead of going on."
        return Outcome.REJECTED, "peer", text, came.lines[:4]
    closed = _tells(e, "closed", "lost")
    if closed:
        text = f"The exchange was given up{after}; the log does not say why."
        return Outcome.STALLED, "", text, _cited(_telling(closed))
    resent = [m for m in e.messages if m.again]
    silence = elapsed(e.last_when, log_end)
    cited = last.lines[-1:] if last is not None else (e.last_line,)
    if silence is not None and silence >= SILENCE:
        how = f"; {resent[-1].name or 'the last message'} was repeated {resent[-1].again} times" if resent else ""
        text = f"The log goes on for {silence // SECOND} s{after} without a word of this exchange{how}."
        return Outcome.STALLED, "", text, cited
    if resent and last is not None:
        who = "sent again" if resent[-1].direction == SENT else "repeated by the peer"
        text = f"{resent[-1].name or 'The last message'} was {who} {resent[-1].again} times, and nothing followed."
        return Outcome.STALLED, "", text, resent[-1].lines[:4]
    return Outcome.INCONCLUSIVE, "", f"The log ends{after} before it shows how this went on.", cited


def _after(e: LogExchange, event: LogEvent) -> str:
    """The message of phase 1 that had gone by when the device said that."""
    for message in reversed(e.messages[: event.place]):
        if message.name and message.name != "Informational":
            return f" after {message.name}"
    return ""


def _telling(events: Sequence[LogEvent]) -> LogEvent:
    """The event that says most: that carries its cause furthest, the first of those."""
    order = {"confirmed": 0, "likely": 1, "possible": 2}
    return min(events, key=lambda event: (order[event.kind.status] if event.kind.causes else 3, event.lines[0]))


def _cited(event: LogEvent) -> tuple[int, ...]:
    return event.lines[:4]


def _tunnel(e: LogExchange, up: bool) -> tuple[str, tuple[int, ...]]:
    if not up:
        return "down", ()
    child = [event for event in e.events if event.kind.tells == "phase2-up"]
    lost = [event for event in e.events if event.kind.tells == "lost"]
    failed = _tells(e, "refuses-phase2", "refused-phase2", "timeout-phase2")
    failed += [event for event in e.events if event.up and event.kind.tells in ("auth-failed", "refused", "refuses")]
    if lost:
        return "lost", lost[-1].lines[:4]
    if child and (not failed or max(c.lines[-1] for c in child) > max(f.lines[-1] for f in failed)):
        return "up", child[-1].lines[:4]
    if failed:
        return "no-child", failed[0].lines[:4]
    return "unknown", ()


def _last_message(e: LogExchange) -> LogMessage | None:
    """The latest message of phase 1, or of IKE_SA_INIT and IKE_AUTH."""
    for message in reversed(e.messages):
        if number_of(message.name) or message.name.startswith("IKE_"):
            return message
    return None


def _missing(e: LogExchange, last: LogMessage | None) -> str:
    if last is None:
        return ""
    number = number_of(last.name)
    if number:
        most = 6 if last.name.startswith("MM") else 3
        return f"{last.name[:2]}{number + 1}" if number < most else ""
    if last.name.endswith(" request"):
        return last.name.replace(" request", " response")
    return "IKE_AUTH request" if last.name == "IKE_SA_INIT response" else ""


def own_states(e: LogExchange) -> tuple[str, ...]:
    """The states that the end that logs can be in: from its messages, or its own words; empty where neither tells."""
    state = state_after(e)
    if state:
        return (state,)
    for event in reversed(e.events):
        if event.kind.state:
            return (event.kind.state,)
    for name in reversed(e.states):
        found = known_states(name, e.role)
        if found:
            return found
    if any(event.kind.tells == "unreadable" and event.kind.ike == 1 for event in e.events) and not e.messages:
        # What is encrypted in Main Mode, and cannot be read, is message 5 at the responder and 6 at the initiator.
        return {"initiator": ("MM_WAIT_MSG6",), "responder": ("MM_WAIT_MSG5",)}.get(
            e.role, ("MM_WAIT_MSG5", "MM_WAIT_MSG6")
        )
    return ()


def known_states(name: str, role: str = "") -> tuple[str, ...]:
    """A state as a device calls it, in the words of the document; empty where it says nothing of phase 1.

    role -- "initiator", "responder" or "": then a state that both ends can be in is that of either
    """
    name = name.lstrip(".")
    if name in ENDS:
        both = ENDS[name]
        chosen = {"initiator": both[:1], "responder": both[1:]}.get(role, both)
        return tuple(dict.fromkeys(filter(None, chosen)))
    if name in _PLUTO:
        return (_PLUTO[name],)
    if name.startswith("IKE_I_MM"):
        return tuple(filter(None, (_IOS_NUMBERS.get(name[-1], ""),)))
    if name.startswith("IKE_R_MM"):
        return tuple(filter(None, (_IOS_ANSWERS.get(name[-1], ""),)))
    if name == "IKE_P1_COMPLETE":
        return ("MM_ACTIVE",)
    return (name,) if name.startswith(("MM_", "AM_")) else ()


def _peer_of(state: str) -> tuple[str, ...]:
    """What the other end can be in while this one is in a state, where no message tells."""
    kind, _, number = state[:2], state[2:-1], state[-1:]
    if "_BLD_MSG" in state or "_SND_MSG" in state:
        return (f"{kind}_WAIT_MSG{number}",)
    return {
        "MM_WAIT_MSG2": ("NONE", "MM_WAIT_MSG3"),
        "MM_WAIT_MSG3": ("MM_WAIT_MSG2", "MM_WAIT_MSG4"),
        "MM_WAIT_MSG4": ("MM_WAIT_MSG3", "MM_WAIT_MSG5"),
        "MM_WAIT_MSG5": ("MM_WAIT_MSG4", "MM_WAIT_MSG6"),
        "MM_WAIT_MSG6": ("MM_WAIT_MSG5", "MM_ACTIVE"),
    }.get(state, ())


# --- what proves it, and why -----------------------------------------------------------------------------------


def _evidence(e: LogExchange, reason: str, lines: tuple[int, ...]) -> Iterator[LogEvidence]:
    number = 1
    yield LogEvidence("E1", "log-stop", reason, lines)
    grouped: dict[str, list[LogEvent]] = {}
    for event in e.events:
        kind = event.kind
        if kind.causes or kind.against or kind.tells not in ("", "begin", "resends"):
            grouped.setdefault(kind.id, []).append(event)
    for name, events in grouped.items():
        number += 1
        cited = tuple(sorted({line for event in events for line in event.lines}))
        count = sum(event.count for event in events)
        yield LogEvidence(f"E{number}", f"log-{name}", events[0].kind.meaning, cited, events[0].text, count)
    for message in e.messages:
        if message.again:
            number += 1
            verb = "was sent again" if message.direction == SENT else "came again"
            times = {1: "once", 2: "twice"}.get(message.again, f"{message.again} times")
            text = f"{message.name or 'A message'} {verb} {times}."
            yield LogEvidence(f"E{number}", f"log-again-{message.direction}", text, message.lines)


_STATUS = {"confirmed": Status.CONFIRMED, "likely": Status.LIKELY, "possible": Status.POSSIBLE}
_ORDER = (Status.CONFIRMED, Status.LIKELY, Status.POSSIBLE, Status.UNDECIDABLE, Status.UNLIKELY, Status.RULED_OUT)


_LIGHTER = {"resends": 40, "repeated": 30, "closed": 40, "timeout": 20}
"""What a line that only tells of silence weighs less than one that says why."""


class _Weighed:
    """How one cause stands."""

    def __init__(self) -> None:
        self.status = Status.UNDECIDABLE
        self.weight = 0
        self.says = "Nothing in the log speaks for it or against it."
        self.because: dict[str, None] = {}
        self.against: dict[str, None] = {}
        self.ruled_out = ""
        self.ruled_at = 0
        self.said_at = 0


def _causes(
    e: LogExchange,
    evidence: Sequence[LogEvidence],
    up: bool,
    states: Iterable[str],
    knowledge: KnowledgeBase,
    stalled: bool,
) -> tuple[RankedCause, ...]:
    ids = {item.kind: item.id for item in evidence}
    weighed: dict[str, _Weighed] = {}
    telling = any(event.kind.causes and event.kind.knows for event in e.events)
    for event in e.events:
        kind = event.kind
        if telling and not kind.knows and kind.tells == "" and not kind.against:
            continue  # nobody knows: what others say of it counts
        name = ids.get(f"log-{kind.id}", "E1")
        for place, cause in enumerate(kind.causes):
            if (up and not _counts_when_up(event, cause)) or (not up and cause in PHASE2 and not _about_phase2(kind)):
                continue
            status = _STATUS[kind.status] if place == 0 else Status.POSSIBLE
            if status is Status.CONFIRMED and kind.knows != "self":
                status = Status.LIKELY
            row = weighed.setdefault(cause, _Weighed())
            row.because[name] = None
            weight = 100 - 10 * place - min(len(kind.causes), 9) - _LIGHTER.get(kind.tells, 0)
            row.said_at = max(row.said_at, event.lines[-1])
            if (_ORDER.index(status), -weight) < (_ORDER.index(row.status), -row.weight):
                row.status, row.weight = status, weight
                row.says = kind.meaning if place == 0 else f"The line leaves it open, beside {kind.causes[0]}."
        for cause in kind.against:
            row = weighed.setdefault(cause, _Weighed())
            row.against[name] = None
            row.ruled_out, row.ruled_at = row.ruled_out or kind.meaning, max(row.ruled_at, event.lines[0])
    places: dict[str, list[tuple[str, int]]] = {}
    wanted = [s for s in dict.fromkeys(states) if s and (not s.endswith("_ACTIVE") or up)]
    for name in wanted:
        state = knowledge.state(name)
        for entry in state.document if state is not None else ():
            if not up or entry.cause in PHASE2:
                places.setdefault(entry.cause, []).append((name, entry.item))
                row = weighed.setdefault(entry.cause, _Weighed())
                if stalled and row.status is Status.UNDECIDABLE and entry.cause not in PHASE2:
                    row.status, row.weight = Status.POSSIBLE, 30 - entry.item
                    row.says = f"It stopped in {name}, for which the document gives this cause."
                    row.because["E1"] = None
    rows = []
    for cause_id, row in weighed.items():
        found = knowledge.cause(cause_id)
        if found is not None:
            rows.append(_ranked(found, row, tuple(dict.fromkeys(places.get(cause_id, ())))))
    return tuple(sorted(rows, key=lambda ranked: (_ORDER.index(ranked.status), -ranked.weight)))


def _ranked(cause: Cause, row: _Weighed, document: tuple[tuple[str, int], ...]) -> RankedCause:
    if row.against and row.status is not Status.CONFIRMED:
        return RankedCause(cause, Status.RULED_OUT, 0, row.ruled_out, (), tuple(row.against), document)
    status = row.status
    if row.against and row.ruled_at > row.said_at:
        status = Status.POSSIBLE
    return RankedCause(cause, status, row.weight, row.says, tuple(row.because), tuple(row.against), document)


_AFTERWARDS = ("refuses-phase2", "refused-phase2", "timeout-phase2", "lost")


def _counts_when_up(event: LogEvent, cause: str) -> bool:
    """Whether a line still points to this cause although phase 1 completed."""
    return cause in LATER and (event.up or event.kind.tells in _AFTERWARDS or event.kind.status == "confirmed")


def _about_phase2(kind: object) -> bool:
    """Before phase 1 is complete a cause in phase 2 counts where the line is about phase 2, or names nothing else."""
    from pcapdiag.knowledge.log_lines import LineKind

    return isinstance(kind, LineKind) and (kind.tells in _AFTERWARDS or kind.causes[0] in PHASE2 or kind.document)
