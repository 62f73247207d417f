"""A watch as an iterator: the same events as `live`, in any thread and loop, and nothing left when it is left early."""

import asyncio
import gc
import os
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from pcapdiag.capture.datagram import CaptureError
from pcapdiag.capture.pipe import Pipe
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.live.events import Event, Notice, Seen, Verdict
from pcapdiag.live.loop import Limits, Signals, run
from pcapdiag.live.session import Watch
from pcapdiag.live.sniffer import Sniffer, sniff
from tests import CAPTURES
from tests.capture.test_bpf import IKE
from tests.capture.test_interface import within
from tests.lab import RIGHT, Pair, needs
from tests.live.test_loop import Listener

COMPLETED, STALLED = CAPTURES / "completed-psk.pcap", CAPTURES / "mm5-udp-4500-blocked.pcap"


def left_open() -> tuple[int, int]:
    """Descriptors and threads of this process."""
    return len(os.listdir("/proc/self/fd")), threading.active_count()


def is_more(before: tuple[int, int]) -> bool:
    """Whether there are more of them than before. Those that other tests left may end meanwhile."""
    return any(now > then for now, then in zip(left_open(), before, strict=True))


def settled(before: tuple[int, int]) -> None:
    """Wait until there are no more of them than before."""
    until = time.monotonic() + 10
    while is_more(before):
        assert time.monotonic() < until, f"{before} before, {left_open()} now"
        gc.collect()
        time.sleep(0.01)


def as_live_tells(path: Path) -> list[Event]:
    heard = Listener()
    with path.open("rb") as stream, Signals() as signals:
        pipe = Pipe(stream)
        run(pipe, Watch(esp=lambda: pipe.summary().esp_flows), [heard], Limits(), signals)
        pipe.close()
    return heard.heard


@pytest.fixture
def ends() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """A pipe with a whole exchange in it, that stays open."""
    there, here = os.pipe()
    with os.fdopen(there, "rb", buffering=0) as reading, os.fdopen(here, "wb", buffering=0) as writing:
        writing.write(COMPLETED.read_bytes())
        yield reading, writing


@pytest.mark.parametrize("path", [COMPLETED, STALLED], ids=lambda path: path.stem)
def test_the_events_are_those_of_live(path: Path) -> None:
    expected = as_live_tells(path)

    async def within_a_loop() -> list[Event]:
        with path.open("rb") as stream:
            return [event async for event in sniff(stream)]

    before = left_open()
    with path.open("rb") as stream:
        sniffer = sniff(stream)
        found = list(sniffer)
        assert not stream.closed
    assert found == expected
    assert sniffer.summary is not None
    assert sniffer.summary.reason == "the capture ended"
    assert sniffer.summary.counts.messages == len([e for e in found if isinstance(e, Seen)])
    assert asyncio.run(within_a_loop()) == expected
    settled(before)


def test_in_many_threads_at_a_time() -> None:
    def watched(_: int) -> list[Event]:
        with COMPLETED.open("rb") as stream:
            return list(sniff(stream))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(watched, range(8)))
    assert found == [as_live_tells(COMPLETED)] * 8


def test_what_another_program_writes() -> None:
    with subprocess.Popen(["cat", COMPLETED], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with sniff(process.stdout, stop_on="any") as sniffer:
            assert [event for event in sniffer if isinstance(event, Verdict)]
    assert sniffer.verdict is not None
    assert sniffer.verdict.diagnosis.stop.outcome is Outcome.COMPLETED


def test_a_named_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = left_open()
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(COMPLETED.read_bytes(),))
    writer.start()
    assert list(sniff(tmp_path / "pipe")) == as_live_tells(COMPLETED)
    writer.join()
    settled(before)


def test_in_a_process_with_many_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3000:
        pytest.skip("this user may not open 3000 files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3000), hard))
    others = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        with subprocess.Popen(["cat", COMPLETED], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.fileno() > 1024
            assert list(sniff(process.stdout)) == as_live_tells(COMPLETED)
    finally:
        for descriptor in others:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_limits() -> None:
    with COMPLETED.open("rb") as stream:
        sniffer = sniff(stream, count=3)
        assert len([e for e in sniffer if isinstance(e, Seen)]) == 3
        assert sniffer.summary is not None
        assert sniffer.summary.reason == "3 messages"
    for stop_on in ("stalled", Outcome.STALLED, [Outcome.STALLED, "rejected"], "any"):
        with STALLED.open("rb") as stream, sniff(stream, stop_on=stop_on, messages=False) as sniffer:
            assert [event for event in sniffer if isinstance(event, Verdict)]
            assert sniffer.verdict is not None
    there, here = os.pipe()
    with os.fdopen(there, "rb", buffering=0) as stream:
        began = time.monotonic()
        assert list(sniff(stream, duration=0.2)) == []
        assert 0.2 <= time.monotonic() - began < 10
    os.close(here)


def test_no_signal_is_caught(ends: tuple[BinaryIO, BinaryIO]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with sniff(ends[0]) as sniffer:
        next(sniffer)
        assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_ctrl_c_reaches_whoever_waits() -> None:
    there, here = os.pipe()
    with os.fdopen(there, "rb", buffering=0) as stream:
        sniffer = sniff(stream)
        threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt), sniffer:
            next(sniffer)
    os.close(here)
    assert sniffer.summary is not None
    assert sniffer.summary.reason == "closed"


@pytest.mark.parametrize("how", ["with", "close", "forgotten"])
def test_leaving_early_lets_go_of_everything(ends: tuple[BinaryIO, BinaryIO], how: str) -> None:
    before = left_open()
    if how == "with":
        with sniff(ends[0]) as sniffer:
            next(sniffer)
        assert list(sniffer) == []
    elif how == "close":
        sniffer = sniff(ends[0])
        next(sniffer)
        sniffer.close()
        sniffer.close()
        assert not is_more(before)
    else:
        for _ in sniff(ends[0]):
            break
    settled(before)


def test_a_second_loop_goes_on_where_the_first_ended(ends: tuple[BinaryIO, BinaryIO]) -> None:
    with COMPLETED.open("rb") as stream:
        sniffer = sniff(stream)
        found: list[Event] = []
        for event in sniffer:
            found.append(event)
            if len(found) == 4:
                break
        assert found + list(sniffer) == as_live_tells(COMPLETED)


def test_a_slow_reader_holds_it_up_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pcapdiag.live.sniffer.MAX_UNREAD", 2)
    expected = as_live_tells(COMPLETED)
    with COMPLETED.open("rb") as stream, sniff(stream) as sniffer:
        time.sleep(0.1)
        assert len(sniffer._feed.unread) < len(expected)
        assert list(sniffer) == expected
    with COMPLETED.open("rb") as stream, sniff(stream) as sniffer:
        next(sniffer)  # and then nobody reads: it must end all the same


def test_the_loop_is_not_kept_waiting_and_a_timeout_loses_nothing(ends: tuple[BinaryIO, BinaryIO]) -> None:
    async def main() -> tuple[list[Event], float, int]:
        late = 0.0

        async def tick() -> None:
            nonlocal late
            while True:
                began = time.monotonic()
                await asyncio.sleep(0.01)
                late = max(late, time.monotonic() - began - 0.01)

        ticking = asyncio.create_task(tick())
        found: list[Event] = []
        timeouts = 0
        async with sniff(ends[0], duration=1) as sniffer:
            while True:
                try:
                    found.append(await asyncio.wait_for(anext(sniffer), 0.02))
                except TimeoutError:
                    timeouts += 1
                    assert len(sniffer._feed.waiters) <= 1
                except StopAsyncIteration:
                    break
        ticking.cancel()
        return found, late, timeouts

    found, late, timeouts = asyncio.run(main())
    seen = [e.frame for e in as_live_tells(COMPLETED) if isinstance(e, Seen)]
    assert [e.frame for e in found if isinstance(e, Seen)] == seen
    assert timeouts > 5
    assert late < 0.9


def test_a_task_that_is_cancelled_lets_go(ends: tuple[BinaryIO, BinaryIO]) -> None:
    async def main() -> None:
        async def watch() -> None:
            async for _ in sniff(ends[0]):
                pass

        before = left_open()
        task = asyncio.create_task(watch())
        await asyncio.sleep(0.3)
        assert is_more(before)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        del task
        await asyncio.to_thread(lambda: None)
        until = time.monotonic() + 10
        while left_open()[0] > before[0]:
            assert time.monotonic() < until
            gc.collect()
            await asyncio.sleep(0.01)

    asyncio.run(main())


def test_what_is_no_capture_is_told() -> None:
    there, here = os.pipe()
    os.write(here, b"nothing that is a capture")
    os.close(here)
    with os.fdopen(there, "rb", buffering=0) as stream:
        sniffer = sniff(stream)
        (notice,) = sniffer
    assert isinstance(notice, Notice)
    assert "not a capture file" in notice.text
    assert sniffer.summary is not None
    assert sniffer.summary.failed


def test_a_fault_of_the_watch_is_raised_where_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[Event]:
        raise RuntimeError("made for the test")

    monkeypatch.setattr(Watch, "feed", broken)
    with COMPLETED.open("rb") as stream, pytest.raises(RuntimeError, match="made for the test"):
        list(sniff(stream))


def test_arguments_that_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="no interface"):
        sniff([])
    with pytest.raises(ValueError, match="no engine"):
        sniff("lo", engine="own")
    with pytest.raises(ValueError, match="about interfaces"):
        sniff("-", tunnels=True)

    async def asynchronous() -> None:
        sniff(cast(BinaryIO, asyncio.StreamReader()))

    with pytest.raises(ValueError, match="asyncio stream"):
        asyncio.run(asynchronous())
    with pytest.raises(ValueError, match="one interface"):
        sniff(["lo", "eth0"], engine="tshark")
    with pytest.raises(ValueError, match="nonsense"):
        sniff("lo", stop_on="nonsense")


# --- interfaces -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Pair("sniff", tmp_path_factory.mktemp("lab")) as made:
        yield made


def on(pair: Pair, *names: str, duration: float | None = None, promiscuous: bool = False) -> Sniffer:
    with within(pair.right):
        return sniff(names, duration=duration, promiscuous=promiscuous)


def send(pair: Pair, count: int = 1) -> None:
    with within(pair.left), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            sender.sendto(IKE, (RIGHT, 500))


@needs("ip")
def test_an_interface(pair: Pair) -> None:
    before = left_open()
    with on(pair, "right") as sniffer:
        assert sniffer.names == ("right",)
        began = time.time_ns()
        send(pair)
        seen = next(e for e in sniffer if isinstance(e, Seen))
        assert seen.destination == RIGHT
        assert abs(seen.time - began) < 2_000_000_000
    assert not is_more(before)
    assert sniffer.summary is not None
    assert sniffer.summary.interfaces[0].received
    with pytest.raises(CaptureError, match="no such interface"):
        on(pair, "nowhere")
    assert not is_more(before)


@needs("ip")
def test_interfaces_within_a_running_loop(pair: Pair) -> None:
    async def main() -> list[Event]:
        async with on(pair, "right", "lo", duration=3) as sniffer:
            await asyncio.to_thread(send, pair, 3)
            found: list[Event] = []
            async for event in sniffer:
                found.append(event)
                if len([e for e in found if isinstance(e, Seen)]) == 3:
                    break
            began = time.monotonic()
        assert time.monotonic() - began < 5, "closing took long"
        return found

    before = left_open()
    found = asyncio.run(main())
    assert {e.destination for e in found if isinstance(e, Seen)} == {RIGHT}
    settled(before)


@needs("ip")
def test_promiscuity_ends_with_the_iteration(pair: Pair) -> None:
    def is_promiscuous() -> bool:
        return "promiscuity 1" in pair.run(pair.right, "ip", "-d", "link", "show", "right")

    sniffer = on(pair, "right", promiscuous=True)
    assert is_promiscuous()
    del sniffer
    until = time.monotonic() + 10
    while is_promiscuous():
        assert time.monotonic() < until


@needs("ip", "dumpcap")
def test_through_dumpcap(pair: Pair) -> None:
    before = left_open()
    with within(pair.right):
        sniffer = sniff("right", engine="tshark", duration=20)
    with sniffer:
        until = time.monotonic() + 15
        while not sniffer._feed.unread:  # dumpcap takes a moment to begin
            assert time.monotonic() < until
            send(pair)
            time.sleep(0.1)
        assert next(e for e in sniffer if isinstance(e, Seen)).destination == RIGHT
    settled(before)
