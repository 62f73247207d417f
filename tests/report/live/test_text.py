"""What a watch prints for people."""

import io
from collections.abc import Iterable

from pcapdiag.capture.datagram import Captured
from pcapdiag.capture.pipe import Pipe
from pcapdiag.live.events import Event, Evicted, Notice, Unlisted, Verdict
from pcapdiag.live.loop import Limits, Signals, run
from pcapdiag.live.session import Watch
from pcapdiag.report.live.text import LiveText
from pcapdiag.report.terminal.layout import Layout
from tests import CAPTURES
from tests.live.test_session import quiet, watched
from tests.messages import SECOND, ZERO, Wire, informational, main_mode


def text_of(events: Iterable[Event], detail: int = 0) -> list[str]:
    return LiveText(Layout(detail=detail)).render(list(events)).splitlines()


def test_a_message_is_a_line_below_the_date() -> None:
    wire = Wire()
    lines = text_of(watched(wire.main_mode(1_000_000, 1, 2)))
    assert lines == [
        "── 1970-01-12 UTC ──",
        "13:46:40.000  192.0.2.1:500 → 198.51.100.2:500  MM1 (SA)",
        "13:46:40.001  198.51.100.2:500 → 192.0.2.1:500  MM2 (SA)",
    ]


def test_the_date_comes_again_with_the_next_day() -> None:
    wire = Wire()
    lines = text_of(
        watched([wire.datagram(at, main_mode(1, (bytes([at // 86_400 + 1] * 8), ZERO))) for at in (0, 86_400)])
    )
    assert [line for line in lines if line.startswith("──")] == ["── 1970-01-01 UTC ──", "── 1970-01-02 UTC ──"]


def test_a_retransmission_says_how_often_and_how_long_after() -> None:
    wire = Wire()
    items = [
        wire.datagram(0, main_mode(1)),
        wire.datagram(8, main_mode(1)),
        wire.datagram(8.001, main_mode(1), ip_id=2),
    ]
    _, _, again, twice = [line for line in text_of(watched(items)) if "waits" not in line]
    assert again.endswith("MM1, sent for the 2nd time, 8.0 s after the first (SA)")
    assert twice.endswith("MM1, the same packet once more (SA)")


def test_waiting_says_for_whom_and_what_the_schedule_lets_expect() -> None:
    wire, watch = Wire(), Watch()
    watched([wire.datagram(at, main_mode(1)) for at in (0, 4.0, 11.2)], watch=watch)
    (line,) = [line for line in text_of(quiet(watch, 12, 15)) if "waits" in line]
    assert line.endswith(
        "… 192.0.2.1 → 198.51.100.2 waits for MM2 from 198.51.100.2; MM1 was sent 3×, again in 10.2 s "
        "(like strongSwan's default (4.0 s × 1.8ⁿ, five times))"
    )


def test_a_verdict_is_a_block_and_its_repetition_a_line() -> None:
    wire, watch = Wire(), Watch()
    text = LiveText(Layout())
    shown = []
    for number in range(2):
        watched([wire.datagram(number * 60, main_mode(1, (bytes([number + 1] * 8), ZERO)))], watch=watch)
        shown.append(text.render(quiet(watch, number * 60 + 1, number * 60 + 30)))
    assert "STALLED after MM1: initiator MM_WAIT_MSG2" in shown[0]
    assert "What to check next" in shown[0]
    (line,) = [line for line in shown[1].splitlines() if "━━" in line]
    assert "Main Mode: stalled after MM1" in line
    assert "(2nd in a row; the report of the first stands above)" in line
    assert "What to check next" not in shown[1]


def test_a_refusal_that_cannot_be_read_names_no_cause_before_it_can_be_told() -> None:
    wire, watch = Wire(), Watch()
    items: list[Captured] = [*wire.main_mode(0, 1, 2, 3, 4, 5), wire.datagram(0.1, informational(9), left=False)]
    events = [*watched(items, watch=watch), *quiet(watch, 1, 2)]
    (line,) = [line for line in text_of(events) if "━━" in line]
    assert "rejected after MM5" in line
    assert "why shows in whether 192.0.2.1 sends its message again" in line
    assert "likely" not in line


def test_quiet_is_a_line_for_each_verdict_with_its_time() -> None:
    wire, watch = Wire(), Watch(messages=False)
    events = [*watched([wire.datagram(0, main_mode(1))], watch=watch), *quiet(watch, 1, 30)]
    (line,) = text_of(events, -1)
    assert line.startswith("1970-01-01 00:00:2")
    assert "192.0.2.1 → 198.51.100.2 Main Mode: stalled after MM1" in line


def test_what_the_end_cuts_short_is_told_together() -> None:
    wire, watch = Wire(), Watch()
    items = [wire.datagram(n / 100, main_mode(1, (bytes([n + 1] * 8), ZERO))) for n in range(5)]
    watched(items, watch=watch)
    lines = text_of(watch.finish(SECOND))
    at = lines.index("Not decided when the watch ended:")
    text = " ".join(line.strip() for line in lines[at + 1 :])
    assert "inconclusive after MM1" in text
    assert "(5 times)" in text


def test_losses_are_owned_up_to() -> None:
    lines = text_of([Unlisted(0, 1234), Evicted(0, 10, 2), Notice(0, "eth0: it\x1b[2J went away")])
    assert lines[1].endswith("+ 1234 more messages, too many to list; all are analysed")
    assert "10 exchanges with nothing but a first message and 2 others made room" in lines[2]
    assert lines[3].endswith("eth0: it\\x1b[2J went away")


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def events(self, events: Iterable[Event]) -> None:
        self.heard += events

    def pulse(self, watch: object, source: object) -> None:
        pass

    def finish(self, watch: object, source: object) -> None:
        pass


def test_the_summary() -> None:
    source = Pipe(io.BytesIO((CAPTURES / "completed-psk.pcap").read_bytes()))
    watch, listener = Watch(), Listener()
    with Signals() as signals:
        ended = run(source, watch, [listener], Limits(), signals)
    assert [v.diagnosis.stop.outcome for v in listener.heard if isinstance(v, Verdict)] == ["completed"]
    text = LiveText(Layout()).summary(ended.summary, watch.tracker.folded())
    assert "Ended by the end of the capture after" in text
    assert "exchanges: 1 completed" in text
    assert f"{ended.summary.capture.frames} frames analysed: " in text


def test_names_of_peers_stand_in_lines_about_exchanges() -> None:
    wire, watch = Wire(), Watch()
    events = watched([wire.datagram(at, main_mode(1)) for at in (0, 4.0, 11.2)], watch=watch) + quiet(watch, 12, 100)
    names = {"192.0.2.1": "Berlin", "198.51.100.2": "Lyon"}
    for detail in (0, -1):
        lines = LiveText(Layout(detail=detail, names=names)).render(events).splitlines()
        told = [line for line in lines if "waits for" in line or "Main Mode" in line]
        assert told
        assert all("192.0.2.1 (Berlin) → 198.51.100.2 (Lyon)" in line for line in told)
