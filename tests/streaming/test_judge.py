"""What is told exchange by exchange is what a reading that keeps everything says."""

import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pcapdiag.capture.datagram import Captured, CaptureError, Datagram, EspFlow
from pcapdiag.capture.savefile import Savefile
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.pipeline import analyze, made_of_stream, stream
from pcapdiag.report.stream_ndjson import told_line
from pcapdiag.streaming import judge as judging
from pcapdiag.streaming.court import Court, Rules
from pcapdiag.streaming.judge import HORIZON, Judge
from pcapdiag.streaming.told import Told, changes, verdict_of
from pcapdiag.units import SECOND
from tests.capture.test_arp import arp
from tests.comparison.savefiles import Record, read, write

ROOT = Path(__file__).parents[2]
CAPTURES = sorted(path for path in (ROOT / "captures").iterdir() if ".pcap" in path.name)


def last_of(told: Iterable[Told]) -> dict[int, Told]:
    """What was told last of each exchange; the revisions count up."""
    found: dict[int, Told] = {}
    for one in told:
        number = one.diagnosis.exchange.id
        assert one.revision == (found[number].revision + 1 if number in found else 1)
        found[number] = one
    return found


def assert_equal(told: dict[int, Told], path: Any) -> None:
    report = analyze(path)
    assert report.folded == ()
    assert told.keys() == {d.exchange.id for d in report.diagnoses}
    for diagnosis in report.diagnoses:
        last = told[diagnosis.exchange.id].diagnosis
        assert changes(verdict_of(last), verdict_of(diagnosis)) == (), diagnosis.stop
        assert last.exchange == diagnosis.exchange


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_verdicts_of_the_lab(path: Path) -> None:
    assert_equal(last_of(stream(path)), path)


def test_an_address_that_never_answers_arp_shows_at_the_end_and_corrects(tmp_path: Path) -> None:
    ike = [r for r in read(ROOT / "captures" / "mm1-no-reply.pcap") if r.octets[12:14] == b"\x08\x00"]
    responder = str(ip_address(ike[0].octets[30:34]))
    last = ike[-1].time + 2 * HORIZON // 1000
    asked = [Record(last + n * 1_000_000, 60, arp("10.1.0.1", responder)) for n in range(3)]
    path = write(tmp_path / "arp.pcap", [*ike, *asked])
    told = last_of(stream(path))
    assert_equal(told, path)
    assert "arp-unanswered" in {item.kind for item in told[1].diagnosis.evidence}
    with ProcessPoolExecutor(2) as executor:
        assert list(made_of_stream(path, line_of, executor=executor)) == list(made_of_stream(path, line_of))


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gateway")
    maker = ROOT / "benchmarks" / "gateway_day.py"
    environment = os.environ | {"PYTHONPATH": str(maker.parent)}
    subprocess.run([sys.executable, "-P", maker, folder], check=True, env=environment, timeout=60)
    return folder / "gateway-day.pcap"


def test_verdicts_of_a_day_with_deletes_hours_later_and_peers_that_come_back(day: Path) -> None:
    reading = stream(day)
    told = last_of(reading)
    assert_equal(told, day)
    assert any(one.revision > 1 and not one.corrects for one in told.values())
    assert any("causes" in one.corrects for one in told.values())
    assert sum(sum(outcomes.values()) for outcomes in reading.peers.values()) == len(told)
    assert not reading.well


def test_with_room_for_few_all_are_told_and_their_verdicts_are_the_same(
    day: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "MAX_OPEN", 8)
    monkeypatch.setattr(judging, "MAX_RECENT", 4)
    assert_equal(last_of(stream(day)), day)


def test_several_captures_at_once_are_one() -> None:
    paths = CAPTURES[:12]
    assert_equal(last_of(stream(paths)), paths)


def test_keys_open_what_is_told() -> None:
    path = ROOT / "captures" / "completed-psk.pcap"
    (told,) = stream(path, keys=ROOT / "captures" / "keys")
    (diagnosis,) = analyze(path, keys=ROOT / "captures" / "keys").diagnoses
    assert any(step.opened for step in told.diagnosis.exchange.steps)
    assert verdict_of(told.diagnosis) == verdict_of(diagnosis)


def items_of(name: str, begin: int = 0, cookie: int = 0) -> list[Captured]:
    """What a capture holds, so much later, under cookies that differ by so much."""
    found: list[Captured] = []
    for item in Savefile(ROOT / "captures" / name):
        assert isinstance(item, Datagram)
        payload = item.payload
        if cookie:
            payload = bytes((payload[0] ^ cookie,)) + payload[1:]
        found.append(replace(item, time=item.time + begin, payload=payload))
    return found


def test_a_late_packet_that_changes_a_verdict_gives_a_correction() -> None:
    judge = Judge(Court(Rules(made=lambda told: told)))
    whole = items_of("completed-psk.pcap")
    early, late = whole[:3], items_of("completed-psk.pcap", 2 * HORIZON)[3:9]
    clock = items_of("ikev2-completed.pcap", HORIZON + 60 * SECOND)
    assert clock[0].time - early[-1].time > HORIZON if isinstance(clock[0], Datagram) else False
    told: list[Told] = []
    for item in early:
        told += judge.feed(item)
    assert told == []
    shift = early[-1].time + HORIZON + 60 * SECOND - clock[0].time if isinstance(clock[0], Datagram) else 0
    for item in clock:
        assert isinstance(item, Datagram)
        told += judge.feed(replace(item, time=item.time + shift))
    (first,) = told
    assert first.diagnosis.stop.outcome is Outcome.STALLED
    assert first.revision == 1
    for item in late:
        told += judge.feed(item)
    again = last_of((*told, *judge.finish(late[-1].time)))[first.diagnosis.exchange.id]
    assert again.diagnosis.stop.outcome is Outcome.COMPLETED
    assert again.revision == 2
    assert {"outcome", "tunnel"} <= set(again.corrects)
    assert again.since == early[-1].frame  # type: ignore[union-attr]
    judge.close()


def line_of(told: Told) -> str:
    return told_line(told, several=False)


def test_other_processes_judge_the_same_octet_for_octet(day: Path) -> None:
    alone = list(made_of_stream(day, line_of))
    with ProcessPoolExecutor(2) as executor:
        assert list(made_of_stream(day, line_of, executor=executor)) == alone


def test_esp_that_begins_late_and_goes_one_way_changes_what_was_told() -> None:
    flows: list[EspFlow] = []
    judge = Judge(Court(Rules(made=lambda told: told)), lambda: flows)
    told: list[Told] = []
    tunnel = [item for item in items_of("completed-psk.pcap") if isinstance(item, Datagram)]
    begun = tunnel[0].time
    for item in tunnel:
        told += judge.feed(item)
    for item in items_of("mm1-no-reply.pcap"):
        assert isinstance(item, Datagram)
        told += judge.feed(replace(item, time=begun + 2 * HORIZON))
    assert [one.diagnosis.tunnel.state.value for one in told] == ["up"]
    late, frame = begun + 3 * HORIZON, tunnel[-1].frame
    flows.append(EspFlow("10.1.0.2", "10.2.0.2", None, None, 1, 6, frame, frame, late, late + 60 * SECOND))
    told += judge.finish(late + 60 * SECOND)
    again = last_of(told)[told[0].diagnosis.exchange.id]
    assert again.diagnosis.tunnel.state.value == "one-way"
    assert "tunnel" in again.corrects
    judge.close()


def test_nothing_that_can_be_read_raises_at_the_end() -> None:
    with pytest.raises(CaptureError):
        list(stream(ROOT / "no-such-file.pcap"))


def test_closing_early_leaves_nothing_open() -> None:
    reading = stream(CAPTURES[0])
    next(reading)
    reading.close()
    with pytest.raises(StopIteration):
        next(reading)
