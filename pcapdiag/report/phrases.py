"""The phrase book: what is said of an exchange, in sentences that text, HTML, Markdown, live output and plots share."""

from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from pcapdiag.diagnosis.causes.checks import BY_HINT, PlacedCheck
from pcapdiag.diagnosis.causes.platforms import Basis
from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.diagnosis.evidence.case import Evidence
from pcapdiag.diagnosis.evidence.gather import tells
from pcapdiag.diagnosis.grouping import Crowd, Group, crowds
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.tunnel import TunnelState
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Exchange, Folded, Mode, Peer
from pcapdiag.exchange.tracker import TrackerCounts
from pcapdiag.findings import CaptureReport
from pcapdiag.knowledge.platform_names import PLATFORM_NAMES
from pcapdiag.knowledge.records import Check, Status
from pcapdiag.report.ladder import cited
from pcapdiag.report.wording import MODE_NAMES, contents, instant, number_ranges, safe, seconds

# --- an exchange in a line ----------------------------------------------------------------------------------------

Called = Callable[[str], str]
"""Gives an address with the name that the reader has for it; `str` gives it as it is."""


def headline(diagnosis: Diagnosis, with_cause: bool = True, called: Called = str) -> str:
    """The exchange in one line that can be pasted into a ticket."""
    e, stop = diagnosis.exchange, diagnosis.stop
    mode = MODE_NAMES[e.mode]
    where = f" after {stopped_after(e)}" if not diagnosis.completed else ""
    cause = leading_cause(diagnosis) if with_cause else None
    why_ = f"; {cause}" if cause else ""
    said = states(diagnosis) or within(stop.reason.rstrip("."))
    trouble = tunnel_trouble(diagnosis)
    how = f"{stop.outcome.value}, {trouble}" if trouble else f"{stop.outcome.value}{where}"
    return f"{called(e.initiator.address)} → {called(e.responder.address)} {mode}: {how}; {said}{why_}"


def states(diagnosis: Diagnosis) -> str:
    """The states of both ends in words, and phase 2 where it fails; empty where the mode has none and nobody waits."""
    stop = diagnosis.stop
    parts = []
    for name, found in (("initiator", stop.initiator_state), ("responder", stop.responder_state)):
        if found:
            waits = " waits in" if found[0].startswith("IKE_") else ""
            parts.append(f"{name}{waits} {' or '.join(found)}")
    outcomes = [p.outcome for p in diagnosis.phase2]
    if outcomes and Outcome.COMPLETED not in outcomes:
        parts.append(f"{diagnosis.phase2[0].name} {outcomes[0].value}")
    return ", ".join(parts)


def stopped_after(exchange: Exchange) -> str:
    """The message that it got to: "MM5", "IKE_AUTH response"."""
    last = exchange.last_message
    if last is not None and exchange.mode in (Mode.MAIN, Mode.AGGRESSIVE):
        return f"{'MM' if exchange.mode is Mode.MAIN else 'AM'}{last}"
    return exchange.steps[-1].name


def tunnel_trouble(diagnosis: Diagnosis) -> str:
    """What is wrong with the tunnel of a phase 1 that completed: "no tunnel"; empty where nothing says so."""
    return _TROUBLE.get(diagnosis.tunnel.state, "") if diagnosis.completed else ""


_TROUBLE = {
    TunnelState.NO_CHILD: "no tunnel",
    TunnelState.LOST: "tunnel lost",
    TunnelState.ONE_WAY: "traffic one way only",
}


def leading_cause(diagnosis: Diagnosis) -> str | None:
    """The cause that stands first, in words, with those that tie; None where nothing speaks for one."""
    first = diagnosis.causes[0] if diagnosis.causes else None
    if first is None or not first.leads:
        return None
    return f"{first.status.value}: {within(first.cause.title)}"


def within(title: str) -> str:
    """A title within a sentence; names and abbreviations keep their capitals."""
    word = title.split(" ", 1)[0]
    return title if len(word) > 1 and word[1:2].isupper() else title[0].lower() + title[1:]


def one_line(found: Group, called: Called = str) -> str:
    """Exchanges that ended alike in one line, with how many there are."""
    return headline(found.first, called=called) + how_many(found)


def how_many(found: Group) -> str:
    """How often that was, for the end of a line; empty for once."""
    if len(found.members) == 1:
        return ""
    peers = ""
    if found.responders > 1:
        peers = f" to {found.responders} responders"
    elif found.initiators > 1:
        peers = f" from {found.initiators} initiators"
    return f" ({len(found.members)} times{peers})"


def again(group: Group) -> str:
    """How often the first of a group happened again, and when."""
    first, last = group.first.exchange, group.members[-1].exchange
    others = len(group.members) - 1
    whom = ""
    if group.responders > 1:
        whom = f", to {group.responders} responders in all"
    elif group.initiators > 1:
        whom = f", from {group.initiators} initiators in all"
    span = seconds(last.first_time - first.first_time)
    if others == 1:
        return f"The same once more (exchange {last.id}{whom}), {span} after it began."
    ids = f"exchanges {number_ranges(d.exchange.id for d in group.members[1:])}"
    gap = seconds(group.usual_gap)
    return f"The same {others} times more{whom} ({ids}), mostly {gap} apart; the last began {span} after the first."


def failing_line(found: Group, called: Called = str) -> str:
    """Who fails, how often and since when, where it stops, and why."""
    first, last = found.first.exchange, found.members[-1].exchange
    initiator, responder = called(first.initiator.address), called(first.responder.address)
    ends = f"{initiator} → {responder}"
    if found.responders > 1:
        ends = f"{initiator} → {found.responders} responders"
    elif found.initiators > 1:
        ends = f"{found.initiators} initiators → {responder}"
    times = f"{len(found.members)} times since {instant(first.first_time)}, last {instant(last.first_time)}"
    when = times if len(found.members) > 1 else f"once, {instant(first.first_time)}"
    stopped = tunnel_trouble(found.first) or f"{found.first.stop.outcome.value} after {stopped_after(first)}"
    cause = leading_cause(found.first)
    return f"{ends}: {when}; {stopped}{f'; {cause}' if cause else ''} (exchange {first.id})"


def summary(diagnoses: Sequence[Diagnosis], folded: Sequence[Folded] = ()) -> str:
    """How many exchanges there are, and how they ended; those that are only counted are among them."""
    counts: dict[str, int] = {}
    for d in diagnoses:
        counts[d.stop.outcome.value] = counts.get(d.stop.outcome.value, 0) + 1
    for f in folded:
        outcome = f.outcome or "not judged"
        counts[outcome] = counts.get(outcome, 0) + f.exchanges
    parts = ", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items(), key=lambda x: -x[1]))
    only_counted = sum(f.exchanges for f in folded)
    total = len(diagnoses) + only_counted
    if only_counted:
        return f"{total} exchanges, {only_counted} of them only counted: {parts}"
    conversations = len({d.exchange.conversation for d in diagnoses})
    return f"{total} exchange{'s' * (total > 1)} in {conversations} conversation{'s' * (conversations > 1)}: {parts}"


# --- the ends, the captures, and what is only counted -------------------------------------------------------------


def peer_text(peer: Peer, called: str = "") -> str:
    """An end: its address, others that it was seen with, what it calls itself and what it is.

    called -- the address, with a name that the reader has for it
    """
    also = f" (also seen as {', '.join(peer.aliases)})" if peer.aliases else ""
    vendors = f"  {safe(_some(peer.vendors))}" if peer.vendors else ""
    identities = f", calls itself {safe(_some(peer.identities))}" if peer.identities else ""
    return f"{called or peer.address}{also}{vendors}{identities}"


def _some(names: Sequence[str], limit: int = 8) -> str:
    """Names with commas; of more than anybody has, a few."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def capture_line(capture: CaptureReport) -> str:
    """One capture, and what it held."""
    s = capture.summary
    span = ""
    if s.first_time is not None and s.last_time is not None:
        span = f" in {seconds(s.last_time - s.first_time)} from {instant(s.first_time)}"
    held = contents(s, capture.ike_messages, capture.not_ike)
    cut = "; the file is cut or damaged" if s.truncated else ""
    snapped = f"; {s.snapped} frames only captured in part" if s.snapped else ""
    return f"{safe(s.path)}: {s.frames} frames{span}: {held}{snapped}{cut}"


MAX_CROWDS, MAX_FAILING = 8, 24
"""Groups of exchanges that are shown one by one, and of those that failed; the rest is counted."""


def loss_lines(folded: Sequence[Folded], counts: TrackerCounts) -> Iterator[str]:
    """The same, each sentence on a line however long; what belongs to the one above is indented."""
    if folded:
        total = sum(f.exchanges for f in folded)
        yield f"More exchanges than are told one by one; {total} are only counted:"
        found = crowds(folded)
        failed = [c for c in found if c.first.outcome not in _NOT_FAILED]
        others = [c for c in found if c.first.outcome in _NOT_FAILED]
        shown = [*failed[:MAX_FAILING], *others[:MAX_CROWDS]]
        for crowd in shown:
            yield f"  {_crowd(crowd)}"
        if len(found) > len(shown):
            rest = total - sum(c.exchanges for c in shown)
            yield f"  {rest} others, between {len(found) - len(shown)} pairs of ends: see --json"
    if counts.after_folding:
        yield f"{counts.after_folding} messages came for exchanges that were only counted by then."
    if counts.icmp_unmatched:
        yield f"{counts.icmp_unmatched} ICMP errors quote datagrams on IKE ports that belong to no exchange here."


_NOT_FAILED = (None, Outcome.COMPLETED, Outcome.PARTIAL, Outcome.SUPERSEDED)
"""Outcomes of what nobody has to look after; None: it was not judged, as a flood is not."""


def _crowd(crowd: Crowd) -> str:
    first = crowd.first
    source = _ends(first.initiator, crowd.initiators, crowd.more_initiators, "initiators")
    target = _ends(first.responder, crowd.responders, crowd.more_responders, "responders")
    how = f"{first.outcome}, last seen {first.last_message}" if first.outcome else f"nothing after {first.last_message}"
    return (
        f"{crowd.exchanges} × {source} → {target}, {MODE_NAMES[first.mode]}: {how}; {crowd.messages} messages in "
        f"{seconds(crowd.last_time - crowd.first_time)} from frame {first.first_frame.number} on"
    )


def _ends(name: str | None, known: int, more: bool, what: str) -> str:
    if known == 1 and name and not more:
        return name
    return f"{'more than ' if more else ''}{known} {what}" if known else f"many {what}"


# --- evidence and causes ------------------------------------------------------------------------------------------


def status_word(status: Status) -> str:
    """How a cause stands, in words."""
    return _WORDS.get(status, status.value)


_WORDS = {Status.RULED_OUT: "ruled out"}


def telling(diagnosis: Diagnosis) -> list[Evidence]:
    """The evidence that is worth a line; not the first, which is the stop itself and heads the report."""
    ids = cited(diagnosis.causes)
    return [i for i in diagnosis.evidence[1:] if i.id in ids or tells(i)]


def rivals(causes: Sequence[RankedCause]) -> list[RankedCause]:
    """The causes that more is to be captured, or looked at, to decide between; none where one is confirmed."""
    if not causes or causes[0].status is Status.CONFIRMED:
        return []
    return [c for c in causes if c.status in (Status.LIKELY, Status.POSSIBLE)]


SOURCE_DOCUMENT = "Troubleshooting Phase 1 Cisco Site to Site (L2L) VPN Tunnels"
"""Title of the article whose states and causes are numbered here."""


# --- checks -------------------------------------------------------------------------------------------------------


def task(placed: PlacedCheck) -> str:
    """Where and what, as a sentence."""
    do = placed.check.do
    return f"{where(placed)}: {do}{'' if do.endswith('?') else '.'}"


def where(placed: PlacedCheck) -> str:
    """Where a check is to be done, and on what: `At 192.0.2.1 (responder, Cisco ASA)`."""
    if placed.side is None:
        return "On the path"
    platform = PLATFORM_NAMES.get(placed.check.platform)
    old = f" {placed.check.software}" if platform and placed.check.software else ""
    return f"At {placed.at} ({placed.side}{f', {platform}{old}' if platform else ''})"


def platform_note(placed: PlacedCheck) -> str:
    """What is known of the platform, where that is not enough to name it; else nothing."""
    if not placed.by_platform:
        return ""
    if placed.basis is Basis.SCHEDULE:
        return "By its retransmissions it may be this; they are a hint:"
    if placed.basis is Basis.VENDOR_ID:
        return "Its vendor IDs are those that these send:"
    if placed.basis is Basis.VENDOR_HINT:
        return "By its vendor IDs it may be this; others send them, too, so they are a hint:"
    return "Nothing shows what this device is. By platform:"


def unknown_ends(checks: Sequence[PlacedCheck]) -> list[str]:
    """The addresses of the ends whose platform nothing tells for certain, in the order in which they come."""
    return list(dict.fromkeys(p.at for p in checks if p.by_platform))


def in_brief(checks: Sequence[PlacedCheck]) -> list[PlacedCheck]:
    """Where an end can be any of many platforms: how to look on each, in one line, at its first check and no other.

    The other checks keep their words. Where two platforms are left, they keep their commands, too.
    """
    told: set[str] = set()
    return [_in_brief(placed, told) for placed in checks]


def _in_brief(placed: PlacedCheck, told: set[str]) -> PlacedCheck:
    if not any_of_many(placed):
        return placed
    looks = () if placed.at in told else tuple(c for c in placed.by_platform if c.does == "show" and not c.first)
    if looks:
        told.add(placed.at)
    return replace(placed, by_platform=looks)


def any_of_many(placed: PlacedCheck) -> bool:
    """Whether so many platforms are possible at its end that their commands are more than anybody reads."""
    return len({check.platform for check in placed.by_platform}) > BY_HINT


def platform_hint(checks: Sequence[PlacedCheck], diagnosis: Diagnosis, rest: str = "") -> str:
    """How to get the commands of one platform alone; nothing where they are told.

    rest -- where those of all platforms are, for a report that does not have them
    """
    unknown = unknown_ends(checks)
    if not unknown:
        return ""
    brief = any(map(any_of_many, checks))
    known = "every check has its command" if brief else "its commands stand alone"
    hint = f"Where you know what it is: with --platform {unknown[0]}=NAME {known}"
    if brief and rest:
        hint += f" ({rest})"
    if diagnosis.request is None:
        hint += "; with --local ADDRESS, your own end, you get what to check there and what to ask at the other"
    return f"{hint}."


def command_lines(placed: PlacedCheck) -> list[str]:
    """The commands of a check, a line each, with what comes before; else those of each platform beside its name."""
    if not placed.by_platform:
        return [*placed.check.first, placed.check.command] if placed.check.command else []
    if any_of_many(placed):
        width = max(len(check.platform) for check in placed.by_platform)
        return [f"{check.platform:<{width}}  {check.command}" for check in placed.by_platform]
    width = max(len(PLATFORM_NAMES[check.platform]) for check in placed.by_platform)
    lines, last = [], ""
    for name, line in platform_lines(placed):
        lines.append(f"{name if name != last else '':<{width}}  {line}")
        last = name
    return lines


def platform_lines(placed: PlacedCheck) -> Iterator[tuple[str, str]]:
    """The platforms that are possible, and their lines: what comes before a command, the command, and what ends it."""
    for check in placed.by_platform:
        name = PLATFORM_NAMES[check.platform]
        yield from ((name, line) for line in (*check.first, check.command or ""))
        if check.undo:
            yield name, f"({'to end it' if check.does == 'debug' else 'to undo it'}: {'; '.join(check.undo)})"


def ends_with(check: "Check") -> str:
    """How what undoes a command is told."""
    return "To end it:" if check.does == "debug" else "To undo it:"
