"""What the fates prove: one state for each end, facts about the path, and causes confirmed or ruled out by them."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from pcapdiag.capture.datagram import Frame
from pcapdiag.comparison.fates import LARGE, Fate, Gap, Transmission
from pcapdiag.comparison.points import letter
from pcapdiag.diagnosis.causes.ranking import RankedCause
from pcapdiag.diagnosis.evidence.case import MAX_FRAMES, Evidence
from pcapdiag.diagnosis.outcome.stop import Outcome, Stop, how_often
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Exchange, Mode, Side, Step
from pcapdiag.ike.nat_traversal import NAT_T_PORT
from pcapdiag.knowledge.records import Status
from pcapdiag.record import Record

PATH_CAUSES = ("path-loss", "udp-500-blocked", "udp-4500-blocked", "fragments-dropped", "peer-unreachable")
"""Causes that a loss on the way, or none, decides."""
END_CAUSES = (
    "no-ike-listener",
    "unknown-peer",
    "phase1-policy-mismatch",
    "ike-version-mismatch",
    "mode-mismatch",
    "auth-method-mismatch",
    "psk-mismatch",
    "psk-missing",
    "identity-mismatch",
    "certificate-rejected",
    "xauth-failed",
    "vendor-difference",
)
"""Causes at the end that a message goes to: where it does not get there, they are not what stops this."""


class Told(Record, frozen=True):
    """An exchange with the transmissions of its messages.

    sent -- by the message's place in `exchange.steps`
    """

    exchange: Exchange
    sent: Mapping[int, Sequence[Transmission]]

    def of(self, number: int) -> list[Transmission]:
        """Of a Main or Aggressive Mode message, by its number."""
        steps = self.exchange.steps
        return [t for place, sent in self.sent.items() if steps[place].number == number for t in sent]

    def came(self, sent: Sequence[Transmission]) -> bool | None:
        """Whether one of these got to every point ahead; False where all were lost, None where that is not known."""
        if any(t.fate is Fate.ARRIVED for t in sent):
            return True
        if sent and all(t.fate is Fate.LOST for t in sent):
            return False
        return None


def refined(diagnosis: Diagnosis, told: Told, gaps: Sequence[Gap]) -> Diagnosis:
    """The diagnosis of a joined exchange, with what the fates of its messages add."""
    forged = _forged(diagnosis, told)
    stop = _stop(diagnosis.stop, told, forged)
    evidence = _evidence(diagnosis, told, gaps, forged)
    causes = _causes(replace(diagnosis, stop=stop, evidence=evidence), told)
    return replace(diagnosis, stop=stop, evidence=evidence, causes=causes)


# -- states


def _stop(stop: Stop, told: Told, forged: Step | None) -> Stop:
    exchange = told.exchange
    if exchange.mode is Mode.MAIN:
        stop = _main(stop, told, forged)
    elif exchange.mode is Mode.AGGRESSIVE:
        stop = _aggressive(stop, told)
    return stop


def _main(stop: Stop, told: Told, forged: Step | None) -> Stop:
    top = told.exchange.last_message or 0
    if stop.outcome in (Outcome.COMPLETED, Outcome.PARTIAL) and not (top == 6 and told.came(told.of(6)) is False):
        return stop
    if top == 6 and told.came(told.of(6)) is False and not _followed(told.exchange):
        sent = told.of(6)
        reason = "MM6 was sent, and it does not get to the initiator."
        outcome = Outcome.STALLED if stop.outcome is Outcome.COMPLETED else stop.outcome
        return replace(
            stop,
            outcome=outcome,
            missing="MM6",
            waits_for=Side.RESPONDER,
            refused_by=None,
            initiator_state=("MM_WAIT_MSG6",),
            responder_state=("MM_ACTIVE",),
            reason=reason,
            frames=tuple(f for t in sent for f in t.frames)[:MAX_FRAMES],
        )
    initiator = _possible(stop.initiator_state, told, Side.INITIATOR)
    responder = _possible(stop.responder_state, told, Side.RESPONDER)
    if forged is not None and top in (1, 2) and forged.sender is Side.RESPONDER:
        responder = (f"MM_WAIT_MSG{top + 1}",) if told.of(2) else ("NONE",)
    if stop.outcome is not Outcome.REJECTED:
        if top == 2 and initiator == ("NONE",):
            initiator = ("MM_WAIT_MSG2",)
        if top == 6 and told.came(told.of(6)) is True and "MM_ACTIVE" in initiator and len(initiator) > 1:
            responder = ("MM_ACTIVE",)
    return replace(stop, initiator_state=initiator, responder_state=responder)


_NEEDS = {
    "MM_WAIT_MSG3": 2,
    "MM_WAIT_MSG4": 3,
    "MM_WAIT_MSG5": 4,
    "MM_WAIT_MSG6": 5,
    "AM_WAIT_MSG3": 2,
}
"""The message that an end has sent when it is in that state."""


def _possible(states: tuple[str, ...], told: Told, side: Side) -> tuple[str, ...]:
    """Those in which this end has sent what it must have: what it sends is captured where it leaves."""
    if len(states) < 2 or not _covered(told, side):
        return states
    kept = []
    for state in states:
        needed = _NEEDS.get(state)
        if state.endswith("_ACTIVE"):
            main = state.startswith("MM")
            needed = (6 if main else 2) if side is Side.RESPONDER else (5 if main else 3)
            if side is Side.RESPONDER and not main and told.came(told.of(3)) is False:
                continue  # it never had message 3
        if needed is None or told.of(needed):
            kept.append(state)
    if "MM_WAIT_MSG2" in kept and "NONE" in kept:
        kept.remove("NONE")
    if len(kept) > 1 and "NONE" in kept:
        kept.remove("NONE")
    return tuple(kept) or states[-1:]


def _covered(told: Told, side: Side) -> bool:
    """Whether one of the points is where this end's packets pass first: it then shows all that the end sent."""
    sent = [t for place, found in told.sent.items() if told.exchange.steps[place].sender is side for t in found]
    if sent:
        return all(t.path and t.passages[t.path[0]].frames for t in sent)
    # It sent nothing that any point saw: so it is only where what was sent to it came by the last point.
    other = [t for found in told.sent.values() for t in found]
    return any(t.fate in (Fate.ARRIVED, Fate.LOST) for t in other)


def _aggressive(stop: Stop, told: Told) -> Stop:
    top = told.exchange.last_message or 0
    thirds = told.of(3)
    if top == 3 and thirds and told.came(thirds) is False and not _answered_after(told.exchange):
        outcome = Outcome.STALLED if stop.outcome is Outcome.COMPLETED else stop.outcome
        return replace(
            stop,
            outcome=outcome,
            missing="AM3",
            waits_for=Side.INITIATOR,
            refused_by=None,
            initiator_state=("AM_ACTIVE",),
            responder_state=("AM_WAIT_MSG3",),
            reason="AM3 was sent, and it does not get to the responder.",
            frames=tuple(f for t in thirds for f in t.frames)[:MAX_FRAMES],
        )
    if stop.outcome in (Outcome.COMPLETED, Outcome.PARTIAL):
        return stop
    initiator = _possible(stop.initiator_state, told, Side.INITIATOR)
    responder = _possible(stop.responder_state, told, Side.RESPONDER)
    return replace(stop, initiator_state=initiator, responder_state=responder)


def _followed(exchange: Exchange) -> bool:
    return any(s.sender is Side.INITIATOR and s.number is None and s.message.header.message_id for s in exchange.steps)


def _answered_after(exchange: Exchange) -> bool:
    return any(s.sender is Side.RESPONDER and s.number is None and s.message.header.message_id for s in exchange.steps)


def _forged(diagnosis: Diagnosis, told: Told) -> Step | None:
    """A refusal that did not leave the end whose address it bears, though that end's other packets did pass there."""
    for place, step in enumerate(told.exchange.steps):
        if step.number or step.encrypted or place not in told.sent:
            continue
        sent = told.sent[place]
        own = [
            t
            for other, found in told.sent.items()
            if other != place and told.exchange.steps[other].sender is step.sender
            for t in found
        ]
        missing = sent and all(t.path and not t.passages[t.path[0]].frames for t in sent)
        present = own and all(t.path and t.passages[t.path[0]].frames for t in own)
        if missing and present and step.frames and set(step.frames) & set(diagnosis.stop.frames):
            return step
    return None


# -- evidence


def between(after: int, before: int) -> str:
    """Two points: "A to B"."""
    return f"{letter(after)} to {letter(before)}"


def _numbered(
    evidence: Sequence[Evidence], facts: Sequence[tuple[str, str, tuple[Frame, ...]]]
) -> tuple[Evidence, ...]:
    found = list(evidence)
    for kind, text, frames in facts:
        if frames:
            number = f"E{len(found) + 1}"
            found.append(Evidence(number, kind, text, frames[:MAX_FRAMES], _filter(frames[:MAX_FRAMES]), (kind,)))
    return tuple(found)


def _filter(frames: Sequence[Frame]) -> str:
    """For Wireshark: the frames of the first capture among them, as numbers mean something within one file only."""
    first = frames[0].capture
    numbers = sorted({f.number for f in frames if f.capture == first})
    if len(numbers) == 1:
        return f"frame.number == {numbers[0]}"
    return f"frame.number in {{{', '.join(map(str, numbers))}}}"


def _evidence(diagnosis: Diagnosis, told: Told, gaps: Sequence[Gap], forged: Step | None) -> tuple[Evidence, ...]:
    kept = [e for e in diagnosis.evidence if not any(k.startswith("vantage-") for k in e.kinds)]
    renumbered = [replace(e, id=f"E{n}") for n, e in enumerate(kept, 1)]
    facts = [*_losses(told), *_sizes(told), *_ports(told), *_changes(told)]
    if diagnosis.stop.outcome not in (Outcome.COMPLETED, Outcome.PARTIAL):
        facts += _arrived(told)
    if forged is not None:
        text = (
            f"{forged.name} comes from the {forged.sender}'s address, and did not pass the point at the "
            f"{forged.sender}, as its other packets do: a device on the way made it, or somebody forged it."
        )
        facts.append(("compare-forged", text, forged.frames))
    return _numbered(renumbered, facts)


Facts = Iterator[tuple[str, str, tuple[Frame, ...]]]


def _rows(told: Told) -> Iterator[tuple[Step, Sequence[Transmission]]]:
    for place, step in enumerate(told.exchange.steps):
        sent = told.sent.get(place, ())
        if sent:
            yield step, sent


def _losses(told: Told) -> Facts:
    """What was lost, by message and by the two points between which."""
    named: dict[tuple[str, Side], tuple[Step, list[Transmission]]] = {}
    for step, sent in _rows(told):
        named.setdefault((step.name, step.sender), (step, []))[1].extend(sent)
    for step, sent in named.values():
        lost: dict[tuple[int, int], list[Transmission]] = {}
        for t in sent:
            if t.lost_after is not None and t.lost_before is not None:
                lost.setdefault((t.lost_after, t.lost_before), []).append(t)
        for (after, before), gone in lost.items():
            how = "each time" if len(gone) == len(sent) > 1 else how_often(len(gone)) + f" of {len(sent)}"
            how = "" if len(sent) == 1 else f", {how}"
            text = f"{step.name} from the {step.sender} left {letter(after)} and did not come by {letter(before)}{how}."
            unsure = [t for t in gone if not t.proven]
            if unsure:
                which = "Of these" if len(unsure) < len(gone) else "It is"
                more = f"{len(unsure)} " if len(unsure) < len(gone) else ""
                text += f" {which} {more}{unsure[0].why}."
            partly = tuple(f for t in gone for p in t.passages for f in p.partly)
            if partly:
                text += f" Only some of its IP fragments came by {letter(before)}."
            kind = "compare-lost" if any(t.proven for t in gone) else "compare-lost-unproven"
            yield kind, text, tuple(f for t in gone for f in t.frames) + partly


def _sizes(told: Told) -> Facts:
    """Losses that go by size."""
    for (after, before, _), (lost, passed) in _by_direction(told).items():
        if not lost or not passed:
            continue
        least, most = min(t.size for t in lost), max(t.size for t in passed)
        way = between(after, before)
        if least > most and least >= LARGE:
            text = (
                f"From {way} all datagrams of {least} octets and more are lost ({len(lost)}); those of up to {most} "
                f"pass ({len(passed)})."
            )
            yield "compare-large-lost", text, tuple(f for t in lost for f in t.frames)
        if all(t.fragmented for t in lost) and not any(t.fragmented for t in passed):
            text = f"From {way} what leaves in IP fragments is lost, each time; what is whole passes."
            yield "compare-fragments-lost", text, tuple(f for t in lost for f in t.frames)


def _by_direction(
    told: Told,
) -> dict[tuple[int, int, Side], tuple[list[Transmission], list[Transmission]]]:
    """For each two points that follow each other, and sender: what was lost between them, and what passed."""
    found: dict[tuple[int, int, Side], tuple[list[Transmission], list[Transmission]]] = {}
    for step, sent in _rows(told):
        for t in sent:
            for one, other in zip(t.path, t.path[1:], strict=False):
                if not t.passages[one].frames:
                    continue
                row = found.setdefault((one, other, step.sender), ([], []))
                if t.passages[other].frames:
                    row[1].append(t)
                elif t.lost and (t.lost_after, t.lost_before) == (one, other):
                    row[0].append(t)
    return found


def _ports(told: Told) -> Facts:
    """Losses that go by port."""
    for (after, before, side), (lost, passed) in _by_direction(told).items():
        ports = {t.port for t in lost}
        if len(ports) != 1 or not lost:
            continue
        port = ports.pop()
        if any(t.port == port for t in passed):
            continue
        others = sorted({t.port for t in passed})
        rest = f"; UDP {', '.join(map(str, others))} passes" if others else ""
        text = f"Nothing of the {side}'s on UDP {port} gets from {between(after, before)} ({len(lost)} lost){rest}."
        yield (
            f"compare-port-{'4500' if port == NAT_T_PORT else '500'}-lost",
            text,
            tuple(f for t in lost for f in t.frames),
        )


def _arrived(told: Told) -> Facts:
    """The last message of phase 1, where it came by every point and nothing answered it."""
    last = last_unanswered(told)
    if last is None:
        return
    step, sent = last
    came = [t for t in sent if t.fate is Fate.ARRIVED]
    if came:
        end = letter(came[-1].path[-1]) if came[-1].path else "every point"
        text = (
            f"{step.name} came by {end} ({how_often(len(came))}): the path brings it to the {step.sender.other}, and "
            "what stops this is at that end."
        )
        yield (
            "compare-arrived-unanswered",
            text,
            tuple(f for t in came for f in (t.passages[t.path[-1]].frames if t.path else t.frames)),
        )


def last_unanswered(told: Told) -> tuple[Step, Sequence[Transmission]] | None:
    """The phase 1 message that has no answer of the other end behind it."""
    rows = list(_rows(told))
    if not rows:
        return None
    top = told.exchange.last_message
    if top is not None:
        found = [(s, sent) for s, sent in rows if s.number == top]
        return (found[0][0], [t for _, sent in found for t in sent]) if found else None
    step, sent = rows[-1]
    return step, sent


def _changes(told: Told) -> Facts:
    """What no honest path changes."""
    for step, sent in _rows(told):
        altered = [t for t in sent if t.altered]
        if altered:
            text = (
                f"The octets of {step.name} are not the same at every point, which no router and no NAT changes: a "
                "device on the way rewrites it, or a capture was changed afterwards, as by an anonymizer."
            )
            yield "compare-altered", text, tuple(f for t in altered for f in t.frames)


# -- causes


def _causes(diagnosis: Diagnosis, told: Told) -> tuple[RankedCause, ...]:
    """The causes, with the path's confirmed or ruled out. Nothing where the exchange has none."""
    verdicts = _verdicts(diagnosis, told)
    known = {c.cause.id: c for c in diagnosis.causes}
    failed = diagnosis.stop.outcome not in (Outcome.COMPLETED, Outcome.PARTIAL)
    if not failed and not known:
        return ()
    found: list[RankedCause] = []
    for cause in diagnosis.causes:
        verdict = verdicts.get(cause.cause.id)
        found.append(_with(cause, *verdict) if verdict is not None and failed else cause)
    missing = [i for i, v in verdicts.items() if i not in known and v[0] in (Status.CONFIRMED, Status.LIKELY)]
    if failed and missing:
        from pcapdiag.knowledge import loading

        for cause_of in loading.load().causes:
            if cause_of.id in missing:
                blank = RankedCause(cause_of, Status.POSSIBLE, 0, "", (), (), ())
                found.append(_with(blank, *verdicts[cause_of.id]))
    order = list(Status)
    return tuple(sorted(found, key=lambda c: (order.index(c.status), -c.weight)))


Verdict = tuple[Status, int, str, tuple[str, ...]]


def _with(cause: RankedCause, status: Status, weight: int, says: str, evidence: tuple[str, ...]) -> RankedCause:
    against = status in (Status.UNLIKELY, Status.RULED_OUT)
    return replace(
        cause,
        status=status,
        weight=weight,
        says=says,
        because=() if against else evidence,
        against=evidence if against else (),
    )


def _ids(diagnosis: Diagnosis, *kinds: str) -> tuple[str, ...]:
    return tuple(e.id for e in diagnosis.evidence if any(k.startswith(kinds) for k in e.kinds))


def decisive(told: Told, stop: Stop) -> tuple[Step, Sequence[Transmission]] | None:
    """The message whose loss stops the exchange: the last one that was sent, each time lost."""
    if stop.outcome in (Outcome.COMPLETED, Outcome.PARTIAL):
        return None
    last = last_unanswered(told)
    if last is not None and told.came(last[1]) is False:
        return last
    return None


def _verdicts(diagnosis: Diagnosis, told: Told) -> dict[str, Verdict]:
    stop = diagnosis.stop
    lost = decisive(told, stop)
    if lost is not None:
        return _of_loss(diagnosis, told, *lost)
    last = last_unanswered(told)
    if last is None or stop.outcome in (Outcome.COMPLETED, Outcome.PARTIAL):
        return {}
    everything = [t for _, sent in _rows(told) for t in sent]
    if told.came(last[1]) is True and not any(t.lost or t.fate is Fate.UNSEEN for t in last[1]):
        says = "Both captures show that everything gets through to the end where it stops."
        ids = _ids(diagnosis, "compare-arrived-unanswered") or ("E1",)
        found: dict[str, Verdict] = {}
        for cause in PATH_CAUSES:
            if cause == "path-loss" and any(t.lost for t in everything):
                continue
            found[cause] = (Status.RULED_OUT, 0, says, ids)
        return found
    return {}


def _of_loss(diagnosis: Diagnosis, told: Told, step: Step, sent: Sequence[Transmission]) -> dict[str, Verdict]:
    proven = any(t.proven for t in sent)
    sure = Status.CONFIRMED if proven else Status.LIKELY
    first = next(t for t in sent if t.proven is proven)
    after, before = first.lost_after or 0, first.lost_before or 0
    way = between(after, before)
    lost, passed = _by_direction(told).get((after, before, step.sender), (list(sent), []))
    ids = _ids(diagnosis, "compare-lost")
    by_port, by_size = _ids(diagnosis, "compare-port-"), _ids(diagnosis, "compare-large", "compare-fragments")
    found: dict[str, Verdict] = {}
    port = first.port
    same_port = [t for t in passed if t.port == port]
    fragments = all(t.fragmented for t in lost) and not any(t.fragmented for t in passed)
    larger = bool(passed) and min(t.size for t in lost) > max(t.size for t in passed) and first.size >= LARGE
    nothing_passes = not passed
    back = any(row[1] for key, row in _by_direction(told).items() if key[2] is not step.sender)
    found["path-loss"] = (sure, 90, f"{step.name} is lost from {way}: it left there, and is not seen behind.", ids)
    ruled = Status.RULED_OUT if proven else Status.UNLIKELY
    refused = any(e.undelivered for e in told.exchange.icmp_errors)
    if fragments:
        found["fragments-dropped"] = (sure, 99, f"From {way} only what is in IP fragments is lost.", (*by_size, *ids))
    elif larger:
        found["fragments-dropped"] = (Status.LIKELY, 80, f"From {way} only large datagrams are lost.", (*by_size, *ids))
    elif not any(t.fragmented or t.size >= LARGE for t in lost):
        found["fragments-dropped"] = (ruled, 0, "What is lost is small, and whole.", ids)
    name = "udp-4500-blocked" if port == NAT_T_PORT else "udp-500-blocked"
    other = "udp-500-blocked" if port == NAT_T_PORT else "udp-4500-blocked"
    if same_port:
        found[name] = (ruled, 0, f"Other datagrams on UDP {port} pass from {way}.", ids)
    elif not (fragments or larger):
        if port == NAT_T_PORT and passed:
            found[name] = (sure, 97, f"From {way} UDP {port} is lost, and UDP 500 passes.", (*by_port, *ids))
        elif back or not nothing_passes:
            found[name] = (Status.LIKELY, 88, f"From {way} nothing on UDP {port} passes.", (*by_port, *ids))
        elif not refused:
            found[name] = (Status.LIKELY, 92, f"From {way} nothing on UDP {port} passes.", (*by_port, *ids))
            found["path-loss"] = (sure if proven else Status.POSSIBLE, 60, found["path-loss"][2], ids)
    else:
        found[name] = (Status.UNLIKELY, 0, "What is lost goes by its size.", by_size)
    if not any(t.port == (500 if port == NAT_T_PORT else NAT_T_PORT) for t in lost):
        found[other] = (ruled, 0, f"What is lost goes to UDP {port}.", ids)
    if passed or (back and step.sender is Side.RESPONDER):
        found["peer-unreachable"] = (ruled, 0, "Other datagrams get there.", ids)
    elif refused:
        del found["path-loss"]
        found.pop(name, None)
    for cause in END_CAUSES:
        if not refused and cause not in found:
            found[cause] = (ruled, 0, f"{step.name} does not get to the end that would refuse it.", ids)
    return found
