"""Every stop has a cause: exchanges of each mode, cut, repeated, refused and lost in part, in every way there is.

A stalled or rejected exchange without one cause that is possible or better leaves its reader with nothing to check.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product

import pytest

from pcapdiag.capture.datagram import Captured, Datagram
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis
from tests.diagnosis.scenarios import (
    CERTIFICATE_REQUEST,
    NAT_T,
    RSA,
    XAUTH,
    aggressive,
    choice,
    diagnosed,
    floated,
    icmp,
    ikev2,
    keying,
    nat_ds,
    notify_v2,
    offer,
    refusal,
    sealed,
    with_nat,
)
from tests.messages import COOKIE_I, COOKIE_R, RIGHT, ZERO, Wire, informational, message, quick_mode, transform

END = 90
Message = tuple[bytes, bool]
"""The octets, and whether the initiator sends them."""
Made = tuple[str, list[Captured]]
AGAIN = (8, 16, 24, 40, 56)
NOTIFIES = tuple(range(1, 31))
NOTIFIES_V2 = (1, 4, 5, 7, 9, 11, 14, 17, 24, 34, 35, 36, 37, 38, 39, 43, 44)
TTLS = ((64, 62), (62, 64), (62, 61), (64, 64))
"""Of the initiator and the responder: captured at the one, at the other, between, at a place that does not show."""


def _main(chosen: bytes) -> list[Message]:
    request = (CERTIFICATE_REQUEST,) if chosen == transform(1, *RSA) else ()
    return [
        (offer(NAT_T, transforms=(chosen,)), True),
        (choice(NAT_T, chosen=chosen), False),
        (keying(), True),
        (keying(*request, fill=4), False),
        (sealed(5), True),
        (sealed(6), False),
    ]


def _ikev2(rounds: int = 1, between: int = 0) -> list[Message]:
    """IKE_SA_INIT, IKE_INTERMEDIATE, and IKE_AUTH, with EAP in several rounds."""
    found = [(ikev2(34, request=True), True), (ikev2(34, request=False), False)]
    for number in range(1, between + rounds + 1):
        kind = 43 if number <= between else 35
        inner = 48 if rounds > 1 and number > between + 1 else 35
        last = number == between + rounds
        found.append((ikev2(kind, request=True, number=number, inner=inner), True))
        found.append((ikev2(kind, request=False, number=number, inner=36 if last or number == 1 else 48), False))
    return found


SEQUENCES: dict[str, list[Message]] = {
    "main, keys": _main(transform()),
    "main, certificates": _main(transform(1, *RSA)),
    "main, XAuth": _main(transform(1, *XAUTH)),
    "aggressive": [(aggressive(n), n != 2) for n in (1, 2, 3)],
    "ikev2": _ikev2(),
    "ikev2, EAP": _ikev2(rounds=3),
    "ikev2, intermediate": _ikev2(between=1),
}


def _sent(wire: Wire, at: float, row: Message, ttls: tuple[int, int]) -> Datagram:
    return wire.datagram(at, row[0], left=row[1], ttl=ttls[0 if row[1] else 1])


def _refusals(is_v2: bool, top: int) -> Iterator[tuple[str, bytes]]:
    """What can refuse: clear notifies, a clear DELETE, an encrypted message that is small or large."""
    if not is_v2:
        for number in NOTIFIES:
            yield f"notify {number}", refusal(number)
        yield "delete", message(5, [(12, b"\0\0\0\1\1\x10\0\1" + COOKIE_I + COOKIE_R)], message_id=7)
        yield "sealed, small", informational(9, octets=40)
        yield "sealed", informational(9, octets=80)
        yield "of the other version", message(37, [notify_v2(5)], version=0x20, flags=0x20)
        return
    for number in NOTIFIES_V2:
        yield f"IKE_SA_INIT {number}", ikev2(34, request=False, extra=[notify_v2(number)])
        yield f"INFORMATIONAL {number}", message(37, [notify_v2(number)], version=0x20, flags=0x20)
        yield f"IKE_AUTH {number}", message(35, [notify_v2(number)], version=0x20, flags=0x20, message_id=1)
    yield "of the other version", refusal(5, (COOKIE_I, ZERO))
    yield "a small answer", ikev2(35, request=False, number=max(top // 2, 1), inner=41)
    yield "a notify of the initiator", ikev2(37, request=True, number=top // 2, inner=41)
    yield "a delete of the initiator", ikev2(37, request=True, number=top // 2, inner=42)


def _stops(rows: Sequence[Message], is_v2: bool) -> Iterator[Made]:
    """The exchange as far as each message, then: silence, repetitions, ICMP errors, refusals of either end."""
    for top, ttls in product(range(1, len(rows) + 1), TTLS):
        begun = f"as far as message {top}, TTLs {ttls}"
        repeaters = {"nobody": (), "the sender": (top,), "the other": (top - 1,), "both": (top - 1, top)}
        for who, numbers in repeaters.items():
            if 0 in numbers:
                continue
            wire = Wire()
            items: list[Captured] = [_sent(wire, n / 100, row, ttls) for n, row in enumerate(rows[:top])]
            items += [_sent(wire, at + n / 100, rows[n - 1], ttls) for at in AGAIN for n in numbers]
            yield f"{begun}, {who} repeats", items
        if ttls is not TTLS[top % len(TTLS)]:
            continue  # one view is enough of what follows
        for kind in ((3, 0), (3, 1), (3, 3), (3, 13), (11, 0), (11, 1), (3, 4)):
            for source in ("203.0.113.9", RIGHT, "192.0.2.1"):
                wire = Wire()
                items = [_sent(wire, n / 100, row, ttls) for n, row in enumerate(rows[:top])]
                for at in AGAIN:
                    again = _sent(wire, at, rows[top - 1], ttls)
                    items += [again, icmp(wire, at + 0.01, again, kind, source=source)]
                yield f"{begun}, ICMP {kind} from {source}", items
        for (name, octets), left in product(_refusals(is_v2, top), (True, False)):
            if is_v2 and ("initiator" in name) is not left:
                continue
            wire = Wire()
            items = [_sent(wire, n / 100, row, ttls) for n, row in enumerate(rows[:top])]
            items.append(_sent(wire, 1, (octets, left), ttls))
            yield f"{begun}, {name} of the {'initiator' if left else 'responder'}", items


def _losses(rows: Sequence[Message]) -> Iterator[Made]:
    """One or two messages missing, one direction only, the beginning missing; the last of the rest repeats or not."""
    indices = range(len(rows))
    subsets = [[n for n in indices if n not in (one, other)] for one in indices for other in range(one, len(rows))]
    subsets += [[n for n in indices if rows[n][1] is left] for left in (True, False)]
    subsets += [list(range(first, last)) for first in indices for last in range(first + 1, len(rows) + 1)]
    for kept, times in product(subsets, ((), AGAIN)):
        if kept:
            wire = Wire()
            items: list[Captured] = [_sent(wire, n / 100, rows[n], (64, 62)) for n in kept]
            items += [_sent(wire, at, rows[kept[-1]], (64, 62)) for at in times]
            yield f"messages {[n + 1 for n in kept]}, the last one {len(times) + 1} times", items


def _behind_nat() -> Iterator[Made]:
    """Main Mode that floats, or ought to."""
    for translated, to_4500, times in product((True, False), (True, False), ((), AGAIN)):
        wire = Wire()
        items: list[Captured] = [*with_nat(wire, translated=translated)]
        for at in (1, *times):
            items.append(floated(wire, at, sealed(5)) if to_4500 else wire.datagram(at, sealed(5)))
        yield f"NAT {translated}, message 5 on 4500 {to_4500}, {len(times) + 1} times", items
        answers = [floated(wire, at + 0.1, sealed(6), left=False) for at in (1, *times)]
        yield f"the same, message 6 {len(answers)} times", sorted([*items, *answers], key=lambda i: i.time)
    wire = Wire()
    items = [*with_nat(wire)]
    yield "nothing behind message 4", items
    yield "nothing behind message 3", items[:3]
    hashes = keying(*nat_ds((RIGHT, 500), ("192.0.2.1", 500)))
    yield "message 3 alone", [Wire().datagram(0, hashes)]


def _without_cause(made: Iterator[Made], seen: Counter[tuple[str, str, str]]) -> list[str]:
    found = []
    for name, items in made:
        for diagnosis in diagnosed(items, END):
            stop = diagnosis.stop
            seen[diagnosis.exchange.mode.value, str(stop.missing), stop.outcome.value] += 1
            if stop.outcome in (Outcome.STALLED, Outcome.REJECTED) and not _leads(diagnosis):
                found.append(f"{name}: {stop.outcome}, {stop.reason}")
    return found


def _leads(diagnosis: Diagnosis) -> bool:
    return any(cause.leads for cause in diagnosis.causes)


@pytest.mark.parametrize("name", SEQUENCES)
def test_every_stop_has_a_cause(name: str) -> None:
    rows = SEQUENCES[name]
    seen: Counter[tuple[str, str, str]] = Counter()
    made = [*_stops(rows, name.startswith("ikev2")), *_losses(rows)]
    assert _without_cause(iter(made), seen) == []
    outcomes = {outcome for _, _, outcome in seen}
    assert {"stalled", "rejected"} <= outcomes, seen
    missing = {missing for _, missing, outcome in seen if outcome == "stalled"}
    assert len(missing) >= (3 if len(rows) > 3 else 2), seen


def test_every_stop_beside_a_nat_has_a_cause() -> None:
    assert _without_cause(_behind_nat(), Counter()) == []


def test_what_stops_behind_phase_1_has_a_cause() -> None:
    """Quick Mode refused, unanswered, and answered in vain."""
    for numbers, last in product(((1,), (1, 2)), (None, informational(9))):
        wire = Wire()
        rows = SEQUENCES["main, keys"]
        items: list[Captured] = [_sent(wire, n / 100, row, (64, 62)) for n, row in enumerate(rows)]
        for at in (1, 9, 17):
            items += [wire.datagram(at + n / 100, quick_mode(n), left=n == 1) for n in numbers]
        if last is not None:
            items.append(wire.datagram(17.5, last, left=False))
        (found,) = diagnosed(items, END)
        assert found.stop.outcome is Outcome.COMPLETED
        assert _leads(found), found.phase2
