"""The watch: the same verdicts as of a capture, when they fall, and bounds that hold."""

from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pcapdiag.capture.datagram import Captured, Datagram, FragmentLoss, IcmpError
from pcapdiag.capture.savefile import Savefile
from pcapdiag.diagnosis.outcome.retransmission import FIRST_DUE
from pcapdiag.diagnosis.outcome.stop import SILENCE, Outcome
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Side
from pcapdiag.live import eviction, judging, peers
from pcapdiag.live.events import Bounced, Event, Evicted, Seen, Unlisted, Verdict, Waiting
from pcapdiag.live.session import Watch
from pcapdiag.live.watched import THIN_ABOVE
from pcapdiag.pipeline import analyze
from pcapdiag.report.live import ndjson
from pcapdiag.report.live.text import LiveText
from pcapdiag.report.terminal.layout import Layout
from tests import CAPTURES, SHARED
from tests.messages import LEFT, RIGHT, SECOND, ZERO, Wire, informational, main_mode, message, quick_mode, sa


def watched(items: Iterable[Captured], end: float | None = None, watch: Watch | None = None) -> list[Event]:
    """The events of a watch that ends after `end` seconds; None: that goes on."""
    watch = watch or Watch()
    events: list[Event] = []
    for item in items:
        events += watch.feed(item)
    return events if end is None else events + watch.finish(round(end * SECOND))


def quiet(watch: Watch, start: float, end: float) -> list[Event]:
    """The events while nothing comes, a tick a second."""
    events: list[Event] = []
    for second in range(int(start), int(end) + 1):
        events += watch.tick(second * SECOND)
    return events


def verdicts(events: Iterable[Event]) -> list[Verdict]:
    return [e for e in events if isinstance(e, Verdict)]


def said(diagnosis: Diagnosis) -> tuple[object, ...]:
    """What a verdict comes down to."""
    stop = diagnosis.stop
    leading = diagnosis.causes[0].cause.id if diagnosis.causes and diagnosis.causes[0].leads else None
    outcomes = [p.outcome for p in diagnosis.phase2]
    phase2 = Outcome.COMPLETED if Outcome.COMPLETED in outcomes else outcomes[:1]
    return (stop.outcome, stop.missing, stop.refused_by, stop.initiator_state, stop.responder_state, phase2, leading)


def captures() -> list[Path]:
    own = sorted(CAPTURES.glob("*.pcap*"))
    lab = sorted((SHARED / "lab").glob("*/left.pcap")) if SHARED.is_dir() else []
    return own + lab


@pytest.mark.parametrize("path", captures(), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_the_last_word_is_that_of_analyze(path: Path) -> None:
    report = analyze(path)
    savefile = Savefile(path)
    watch = Watch(esp=lambda: savefile.summary().esp_flows)
    events: list[Event] = []
    for item in savefile:
        events += watch.feed(item)
    events += watch.finish(savefile.summary().last_time or 0)
    last = {v.diagnosis.exchange.id: said(v.diagnosis) for v in verdicts(events)}
    assert last == {d.exchange.id: said(d) for d in report.diagnoses}
    assert watch.all_completed == report.all_completed
    assert watch.tracker.counts == report.counts


def test_each_message_is_told_with_its_name_and_how_often_it_was_sent() -> None:
    wire = Wire()
    items = [*wire.main_mode(0, 1, 2, 3), wire.datagram(4, main_mode(3)), wire.datagram(4.0001, main_mode(3), ip_id=4)]
    seen = [e for e in watched(items) if isinstance(e, Seen)]
    assert [(e.step.name, e.times, e.duplicate) for e in seen] == [
        ("MM1", 1, False),
        ("MM2", 1, False),
        ("MM3", 1, False),
        ("MM3", 2, False),
        ("MM3", 2, True),
    ]
    assert (seen[1].source, seen[1].destination, seen[1].source_port) == (RIGHT, LEFT, 500)


def test_without_messages_there_are_only_verdicts() -> None:
    wire = Wire()
    events = watched(wire.main_mode(0, 1, 2, 3, 4, 5, 6), 60, Watch(messages=False))
    assert not [e for e in events if isinstance(e, Seen)]
    assert verdicts(events)


def test_a_stall_is_called_when_the_senders_schedule_is_over() -> None:
    """strongSwan's: the last try comes 89.5 s after the first; a fixed silence of 20 s would be over in between."""
    wire, watch = Wire(), Watch()
    events = watched(wire.main_mode(0, 1, 2, 3, 4), watch=watch)
    at = 0.01
    for gap in (0.0, 4.0, 7.2, 12.96, 23.3, 42.0):
        events += quiet(watch, at, at + gap - 1)
        at += gap
        events += watch.feed(wire.datagram(at, main_mode(5)))
    assert not verdicts(events)
    events = quiet(watch, at, at + 10)
    (verdict,) = verdicts(events)
    assert verdict.diagnosis.stop.outcome is Outcome.STALLED
    assert verdict.diagnosis.stop.missing == "MM6"
    assert 4 * SECOND < verdict.time - round(at * SECOND) < 7 * SECOND
    (waiting,) = [e for e in events if isinstance(e, Waiting)]
    assert waiting.pending is not None
    assert waiting.pending.outlook.final


def test_an_asa_that_sends_three_times_more_is_done_after_24_seconds() -> None:
    wire, watch = Wire(), Watch()
    events = watched((wire.datagram(at, main_mode(1)) for at in (0, 8, 16, 24)), watch=watch)
    events += quiet(watch, 24, 40)
    (verdict,) = verdicts(events)
    assert 28 * SECOND < verdict.time < 31 * SECOND


def test_while_it_waits_it_says_what_for() -> None:
    wire, watch = Wire(), Watch()
    events = watched(wire.main_mode(0, 1, 2, 3), watch=watch)
    events += quiet(watch, 0, 3)
    events += watch.feed(wire.datagram(4, main_mode(3)))
    events += quiet(watch, 5, 7)
    first, second = [e for e in events if isinstance(e, Waiting)]
    assert (first.missing, first.waits_for) == ("MM4", Side.RESPONDER)
    assert first.pending is not None
    assert second.pending is not None
    assert (first.pending.outlook.sent, second.pending.outlook.sent) == (1, 2)
    assert second.pending.outlook.due == 4 * SECOND + round(7.2 * SECOND)


def test_a_single_message_1_is_decided_after_the_usual_silence() -> None:
    wire, watch = Wire(), Watch()
    watched([wire.datagram(0, main_mode(1))], watch=watch)
    assert not verdicts(quiet(watch, 1, 19))
    (verdict,) = verdicts(quiet(watch, 20, 25))
    assert verdict.diagnosis.stop.outcome is Outcome.STALLED


def test_an_icmp_error_decides_at_once_and_is_told() -> None:
    wire, watch = Wire(), Watch()
    first = wire.datagram(0, main_mode(1))
    error = IcmpError(first.frame, first.time + 1000, RIGHT, LEFT, 4, 3, 3, None, first)
    events = [*watched([first, error], watch=watch), *quiet(watch, 1, 1)]
    assert [e.error for e in events if isinstance(e, Bounced)] == [error]
    (verdict,) = verdicts(events)
    assert verdict.diagnosis.stop.outcome is Outcome.STALLED


def test_completed_is_told_with_quick_mode() -> None:
    wire, watch = Wire(), Watch()
    items = wire.main_mode(0, 1, 2, 3, 4, 5, 6)
    items += [wire.datagram(0.1, quick_mode(1)), wire.datagram(0.2, quick_mode(2), left=False)]
    events = watched(items, watch=watch)
    assert not verdicts(events)
    events = [*watch.feed(wire.datagram(0.3, quick_mode(3))), *quiet(watch, 1, 2)]
    (verdict,) = verdicts(events)
    assert verdict.diagnosis.stop.outcome is Outcome.COMPLETED
    assert [p.outcome for p in verdict.diagnosis.phase2] == [Outcome.COMPLETED]


def test_a_reply_after_all_changes_what_was_said() -> None:
    wire, watch = Wire(), Watch()
    watched([wire.datagram(0, main_mode(1))], watch=watch)
    (stalled,) = verdicts(quiet(watch, 1, 25))
    items = [*wire.main_mode(30, 2, 3, 4, 5, 6), wire.datagram(30.1, quick_mode(1)), wire.datagram(30.2, quick_mode(3))]
    (completed,) = verdicts([*watched(items, watch=watch), *quiet(watch, 31, 33)])
    assert (stalled.before, completed.before) == (None, Outcome.STALLED)
    assert completed.diagnosis.stop.outcome is Outcome.COMPLETED


def test_causes_of_a_sealed_refusal_are_open_until_the_initiator_shows_whether_it_read_it() -> None:
    wire, watch = Wire(), Watch()
    items: list[Captured] = [*wire.main_mode(0, 1, 2, 3, 4, 5), wire.datagram(0.1, informational(9), left=False)]
    (open_,) = verdicts([*watched(items, watch=watch), *quiet(watch, 1, 2)])
    assert open_.diagnosis.stop.outcome is Outcome.REJECTED
    assert open_.settles_at == items[4].time + FIRST_DUE
    (settled,) = verdicts([*watch.feed(wire.datagram(4, main_mode(5))), *quiet(watch, 5, 6)])
    assert settled.settles_at == 0
    assert settled.diagnosis.causes[0].cause.id == "psk-mismatch"


def test_alike_attempts_are_counted() -> None:
    wire, watch = Wire(), Watch()
    events: list[Event] = []
    for number in range(4):
        cookie = bytes([number + 1] * 8)
        events += watched([wire.datagram(number * 60, main_mode(1, (cookie, ZERO)))], watch=watch)
        events += quiet(watch, number * 60 + 1, number * 60 + 30)
    assert [v.attempt for v in verdicts(events)] == [1, 2, 3, 4]


def test_what_is_done_and_quiet_is_put_aside() -> None:
    wire, watch = Wire(), Watch()
    watched([wire.datagram(0, main_mode(1))], watch=watch)
    quiet(watch, 1, 700)
    totals = watch.totals()
    assert (totals.watched, totals.released, totals.outcomes) == (0, 1, {"stalled": 1})
    assert not watch.all_completed
    (row,) = watch.tracker.folded()
    assert (row.last_message, row.outcome, row.exchanges) == ("MM1", "stalled", 1)


def flood(count: int, ends: int = 1) -> Iterable[Datagram]:
    """First messages, each under a new cookie, from so many addresses, 20,000 a second."""
    wire = Wire()
    model = message(2, [sa()], cookies=(bytes(8), ZERO))
    for number in range(count):
        payload = (number + 1).to_bytes(8, "big") + model[8:]
        yield wire.datagram(number / 20_000, payload, source=f"10.0.{number % ends // 250}.{number % ends % 250}")


@pytest.mark.parametrize("ends", [1, 50_000])
def test_a_flood_pushes_out_itself_and_is_owned_up_to(ends: int) -> None:
    wire, watch = Wire(), Watch()
    tunnel = wire.main_mode(0, 1, 2, 3, 4, cookies=(b"T" * 8, b"R" * 8))
    events = watched(tunnel, watch=watch)
    count = 30_000
    events += watched(flood(count, ends), watch=watch)
    late = [wire.datagram(2, main_mode(5, (b"T" * 8, b"R" * 8)))]
    late += [wire.datagram(2.1, main_mode(6, (b"T" * 8, b"R" * 8)), left=False)]
    late += [wire.datagram(2.2, quick_mode(1, cookies=(b"T" * 8, b"R" * 8)))]
    events += watched(late, 40, watch)
    evicted = sum(e.openings for e in events if isinstance(e, Evicted))
    told = {v.diagnosis.exchange.id for v in verdicts(events)}
    assert evicted + len(told) == count + 1
    assert len(told) <= eviction.MAX_OPENINGS + 1
    mine = [v for v in verdicts(events) if v.diagnosis.exchange.initiator_spi == b"T" * 8]
    assert mine[-1].diagnosis.stop.outcome is Outcome.COMPLETED
    listed = len([e for e in events if isinstance(e, Seen)])
    assert listed + sum(e.messages for e in events if isinstance(e, Unlisted)) == count + 7
    assert watch.tracker.counts.messages == count + 7


def test_the_state_of_a_flood_is_bounded() -> None:
    watch = Watch(messages=False)
    for item in flood(40_000, 20_000):
        watch.feed(item)
    assert len(watch._on_watch.openings) <= eviction.MAX_OPENINGS
    assert len(watch._on_watch.talks) <= eviction.MAX_OPENINGS
    assert len(watch._wheel) <= eviction.MAX_OPENINGS
    assert len(watch._memory) <= peers.MAX_INITIATORS
    assert len(watch.tracker._openings) <= eviction.MAX_WATCHED


def test_an_sa_that_is_up_for_weeks_does_not_grow() -> None:
    wire, watch = Wire(), Watch()
    items: list[Captured] = [*wire.main_mode(0, 1, 2, 3, 4, 5, 6)]
    items += [wire.datagram(0.1 + n / 10, quick_mode(n), left=n != 2) for n in (1, 2, 3)]
    events = watched(items, watch=watch)
    for number in range(1_500):
        at = 10 + number * 10
        octets = message(5, message_id=number + 1, sealed=number.to_bytes(4, "big") * 20, first=8)
        events += watch.feed(wire.datagram(at, octets, left=number % 2 == 0))
    events += watch.finish((10 + 1_500 * 10) * SECOND)
    exchange = watch.tracker.exchange(1)
    assert exchange is not None
    assert len(exchange.steps) <= THIN_ABOVE + 1
    assert exchange.uncounted > 1_000
    assert [s.name for s in exchange.steps[:9]] == [f"MM{n}" for n in range(1, 7)] + ["QM1", "QM2", "QM3"]
    outcomes = {v.diagnosis.stop.outcome for v in verdicts(events)}
    assert outcomes == {Outcome.COMPLETED}


def test_many_tunnels_from_behind_one_nat_stay_on_watch() -> None:
    wire, watch = Wire(), Watch(messages=False)
    count = 3 * eviction.MAX_TOGETHER
    events: list[Event] = []
    for number in range(count):
        at, cookies = number * 5.0, ((number + 1).to_bytes(8, "big"), (number + 1).to_bytes(8, "little"))
        items: list[Captured] = [*wire.main_mode(at, 1, 2, 3, 4, 5, 6, cookies=cookies)]
        items += [wire.datagram(at + 0.1 + n / 10, quick_mode(n, cookies=cookies), left=n != 2) for n in (1, 2, 3)]
        events += watched(items, watch=watch)
    for number in range(count):
        cookies = ((number + 1).to_bytes(8, "big"), (number + 1).to_bytes(8, "little"))
        octets = message(5, cookies=cookies, message_id=7, sealed=bytes(64), first=8)
        events += watch.feed(wire.datagram(count * 5 + number, octets))
    events += watch.finish(count * 7 * SECOND)
    assert watch.totals().watched == count
    assert watch.totals().outcomes == {"completed": count}
    assert len(verdicts(events)) == count


def test_stale_keep_alives_are_forgotten() -> None:
    wire, watch = Wire(), Watch()
    for port in range(1024, 1124):
        watch.feed(wire.datagram(0, b"\xff", ports=(port, 4500)))
    watch.feed(wire.datagram(4000, b"\xff", source="192.0.2.9", ports=(4500, 4500)))
    quiet(watch, 4001, 8000)
    assert [flow.source for flow in watch.tracker.keepalives.values()] == []
    assert len(watch._keepalives) == 0


def test_only_the_conversation_that_changed_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    wire, watch = Wire(), Watch()
    for number in range(300):
        source = f"10.1.{number // 250}.{number % 250}"
        cookies = ((number + 1).to_bytes(8, "big"), b"R" * 8)
        for n in (1, 2, 3):
            ends = (source, RIGHT) if n != 2 else (RIGHT, source)
            watch.feed(wire.datagram(0.01 * n, main_mode(n, cookies), source=ends[0], destination=ends[1]))
    for _ in range(50):
        watch.tick(3 * SECOND)
    judged: list[int] = []
    original = judging.find_stops
    monkeypatch.setattr(judging, "find_stops", lambda s: judged.append(len(s.conversation)) or original(s))
    watch.feed(wire.datagram(4, main_mode(4, ((1).to_bytes(8, "big"), b"R" * 8)), source=RIGHT, destination="10.1.0.0"))
    watch.tick(5 * SECOND)
    assert judged == [1]


def test_a_watch_that_ends_says_how_far_everything_got() -> None:
    wire = Wire()
    (verdict,) = verdicts(watched(wire.main_mode(0, 1, 2, 3), 1))
    assert verdict.last
    assert verdict.diagnosis.stop.outcome is Outcome.INCONCLUSIVE


def test_silence_after_six_messages_completes() -> None:
    wire, watch = Wire(), Watch()
    watched(wire.main_mode(0, 1, 2, 3, 4, 5, 6), watch=watch)
    (verdict,) = verdicts(quiet(watch, 1, SILENCE // SECOND + 2))
    assert verdict.diagnosis.stop.outcome is Outcome.COMPLETED


def items_of_captures() -> list[Captured]:
    return [item for path in sorted(CAPTURES.glob("*.pcap*")) for item in Savefile(path)]


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([1, 1_000, 10**9, 10**12, 10**14]))
def test_no_order_of_items_and_times_breaks_it(random: Random, spread: int) -> None:
    """A damaged stream can have any times, in any order."""
    items = random.sample(ITEMS, 120)
    watch, events = Watch(), []
    for item in items:
        time = random.randrange(spread)
        moved = replace(item, last_time=time) if isinstance(item, FragmentLoss) else replace(item, time=time)
        events += watch.feed(moved)
        if random.random() < 0.1:
            events += watch.tick(random.randrange(spread))
    events += watch.finish(random.randrange(spread))
    totals = watch.totals()
    assert sum(totals.outcomes.values()) == totals.watched + totals.released
    assert render_all(events)


def render_all(events: list[Event]) -> str:
    return LiveText(Layout()).render(events) + ndjson.render(events)


ITEMS = items_of_captures()
