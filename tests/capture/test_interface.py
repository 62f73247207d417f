"""Live interfaces, in network namespaces that the tests make: what is read, what is refused, what goes away."""

import contextlib
import ctypes
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pcapdiag.capture.datagram import Captured, CaptureError, Datagram
from pcapdiag.capture.interface import Interfaces, interfaces
from tests.capture.test_bpf import IKE, PASS, STOP, WRAPPED, ethernet
from tests.lab import LEFT, RIGHT, Pair, needs

pytestmark = needs("ip")

CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def within(namespace: str) -> Iterator[None]:
    """This thread is in that network namespace meanwhile: what is opened in it stays there."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        assert libc.setns(there, CLONE_NEWNET) == 0
        yield
    finally:
        assert libc.setns(home, CLONE_NEWNET) == 0
        os.close(there)
        os.close(home)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Pair("iface", tmp_path_factory.mktemp("lab")) as made:
        yield made


def opened(pair: Pair, *names: str, promiscuous: bool = False, tunnels: bool = False) -> Interfaces:
    with within(pair.right):
        return Interfaces(names, promiscuous=promiscuous, tunnels=tunnels, buffer=8 << 20)


def send(pair: Pair, *frames: bytes) -> None:
    with within(pair.left), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.bind(("left", 0))
        for frame in frames:
            link.send(frame.ljust(60, b"\0"))


def items_of(source: Interfaces, count: int, seconds: float = 5) -> list[Captured]:
    """What arrives until there are so many, and whatever else comes with them."""
    wake, tell = os.pipe()
    found: list[Captured] = []
    until = time.monotonic() + seconds
    while len(found) < count:
        assert time.monotonic() < until, f"{len(found)} of {count} items"
        source.wait(0.2, [wake])
        source.gather()
        found += source.take(1000)
    os.close(wake)
    os.close(tell)
    return found


def broadcast(packet: bytes) -> bytes:
    return b"\xff" * 6 + ethernet(packet)[6:]


def test_datagrams_arrive_at_once_with_nanoseconds(pair: Pair) -> None:
    source = opened(pair, "right")
    try:
        before = time.time_ns()
        send(pair, broadcast(PASS["UDP 500"]))
        (item,) = items_of(source, 1)
        took = time.time_ns() - before
        assert isinstance(item, Datagram)
        assert item.payload == IKE
        assert before - 1_000_000 <= item.time <= time.time_ns()
        assert took < 300_000_000
        send(pair, *[broadcast(PASS["UDP 500"])] * 20)
        times = [i.time for i in items_of(source, 20) if isinstance(i, Datagram)]
        assert any(t % 1000 for t in times), "the times have no nanoseconds"
    finally:
        source.close()


def test_the_kernel_filters_and_the_counts_add_up(pair: Pair) -> None:
    source = opened(pair, "right")
    try:
        wanted = [broadcast(p) for p in PASS.values()]
        send(pair, *[broadcast(p) for p in STOP.values()] * 10, *wanted)
        time.sleep(0.3)
        items_of(source, 8)
        source.gather()
        source.take(1000)
        (counts,) = source.counts()
        assert counts.received == len(wanted) == counts.taken
        assert counts.dropped == 0
        summary = source.summary()
        assert summary.frames == len(wanted)
        parts = (summary.datagrams, summary.icmp_errors, summary.ip_fragments, summary.nat_keepalives)
        assert summary.frames == sum(parts) + summary.esp + summary.other + summary.unreadable
    finally:
        source.close()


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_within_tags_and_labels(pair: Pair, wrapping: str) -> None:
    source = opened(pair, "right")
    try:
        frame = WRAPPED[wrapping](PASS["4500 with a marker"])
        send(pair, b"\xff" * 6 + frame[6:])
        (item,) = items_of(source, 1)
        assert isinstance(item, Datagram)
        assert item.payload == bytes(4) + IKE
    finally:
        source.close()


def test_tunnels_when_asked_for(pair: Pair) -> None:
    source = opened(pair, "right", tunnels=True)
    try:
        send(pair, broadcast(STOP["GRE"]))
        (item,) = items_of(source, 1)
        assert isinstance(item, Datagram)
    finally:
        source.close()


def test_several_interfaces_and_any(pair: Pair) -> None:
    for names in (("right", "lo"), ("any",)):
        source = opened(pair, *names)
        try:
            send(pair, broadcast(PASS["UDP 500"]))
            with within(pair.right), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as local:
                local.sendto(IKE, ("127.0.0.1", 500))
            sources: set[str] = set()
            for _ in range(10):  # an ICMP error comes on lo as well, and `any` shows what passes there twice
                sources |= {i.source for i in items_of(source, 1, seconds=1) if isinstance(i, Datagram)}
                if len(sources) == 2:
                    break
            assert sources == {"10.0.0.1", "127.0.0.1"}
            assert source.names == names
        finally:
            source.close()


def test_promiscuous_only_when_asked_for(pair: Pair) -> None:
    def flags() -> int:
        return int(pair.run(pair.right, "cat", "/sys/class/net/right/flags"), 16)

    def is_promiscuous() -> bool:
        return "promiscuity 1" in pair.run(pair.right, "ip", "-d", "link", "show", "right")

    source = opened(pair, "right")
    assert not is_promiscuous()
    source.close()
    source = opened(pair, "right", promiscuous=True)
    assert is_promiscuous()
    source.close()
    assert flags() & 1


def test_whole_messages_whatever_their_length(pair: Pair) -> None:
    source = opened(pair, "right")
    try:
        with within(pair.left), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            payload = IKE + bytes(9000)
            sender.sendto(payload, (RIGHT, 500))
        found = items_of(source, 1)
        assert [i.payload for i in found if isinstance(i, Datagram) and i.source == LEFT] == [payload]
        assert source.summary().ip_fragments >= 6
    finally:
        source.close()


def test_an_interface_that_goes_away_ends_it_and_the_others_go_on(pair: Pair) -> None:
    pair.run(pair.right, "ip", "link", "add", "gone", "type", "veth", "peer", "name", "other")
    pair.run(pair.right, "ip", "link", "set", "gone", "up")
    source = opened(pair, "gone", "right")
    try:
        pair.run(pair.right, "ip", "link", "delete", "gone")
        wake, tell = os.pipe()
        until = time.monotonic() + 5
        while not source.notices:
            assert time.monotonic() < until
            source.wait(0.2, [wake])
            source.gather()
        (notice,) = source.notices
        assert notice.startswith("gone: ")
        assert "nothing more is read from it" in notice
        assert not source.over
        send(pair, broadcast(PASS["UDP 500"]))
        assert len(items_of(source, 1)) == 1
        assert [c.name for c in source.counts()] == ["gone", "right"]
        os.close(wake)
        os.close(tell)
    finally:
        source.close()


def test_an_interface_that_is_alone_and_goes_away_is_a_failure(pair: Pair) -> None:
    pair.run(pair.right, "ip", "link", "add", "gone", "type", "veth", "peer", "name", "other")
    pair.run(pair.right, "ip", "link", "set", "gone", "up")
    source = opened(pair, "gone")
    pair.run(pair.right, "ip", "link", "delete", "gone")
    wake, tell = os.pipe()
    until = time.monotonic() + 5
    while not source.over:
        assert time.monotonic() < until
        source.wait(0.2, [wake])
        source.gather()
    assert source.failed
    source.close()
    os.close(wake)
    os.close(tell)


def test_an_interface_that_goes_down_and_up_again_is_read_on(pair: Pair) -> None:
    source = opened(pair, "right")
    try:
        pair.run(pair.right, "ip", "link", "set", "right", "down")
        time.sleep(0.1)
        source.gather()
        pair.run(pair.right, "ip", "link", "set", "right", "up")
        time.sleep(0.1)
        send(pair, broadcast(PASS["UDP 500"]))
        assert len(items_of(source, 1)) == 1
        assert not source.over
    finally:
        source.close()


def test_what_the_kernel_drops_is_counted(pair: Pair) -> None:
    source = opened(pair, "right")
    try:
        send(pair, *[broadcast(PASS["UDP 500"])] * 60_000)
        items_of(source, 1000)
        while source.backlog:
            source.take(10_000)
        source.gather()
        source.take(100_000)
        (counts,) = source.counts()
        assert counts.dropped
        assert counts.received == 60_000 == counts.dropped + counts.taken
    finally:
        source.close()


def test_frames_have_the_numbers_of_what_is_kept(pair: Pair) -> None:
    source = opened(pair, "right", tunnels=True)
    kept: list[bytes] = []
    source.keep = lambda time, wire, octets, place: kept.append(octets)
    try:
        send(pair, broadcast(PASS["UDP 500"]), ethernet(STOP["GRE"][:30]), broadcast(PASS["a keep-alive"]))
        found = [i for i in items_of(source, 2) if isinstance(i, Datagram)]
        assert [i.frame.number for i in found] == [1, 2]
        assert len(kept) == 2
    finally:
        source.close()


def test_no_such_interface_is_one_line(pair: Pair) -> None:
    with pytest.raises(CaptureError) as caught:
        opened(pair, "nowhere")
    assert str(caught.value) == "nowhere: no such interface (pcapdiag interfaces lists them)"


def test_one_that_cannot_be_opened_leaves_none_open(pair: Pair) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(CaptureError):
        opened(pair, "right", "nowhere")
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_interface_that_is_down_says_how_to_raise_it(pair: Pair) -> None:
    pair.run(pair.right, "ip", "link", "add", "idle", "type", "veth", "peer", "name", "other")
    with pytest.raises(CaptureError, match=r"idle: the interface is not up \(ip link set idle up\)"):
        opened(pair, "idle")
    with within(pair.right):
        found = {one.name: one for one in interfaces()}
    assert found["right"].problem is None
    assert found["idle"].problem == "the interface is not up (ip link set idle up)"
    assert (found["lo"].loopback, found["lo"].up) == (True, True)


def test_without_permission_there_is_one_line_that_says_what_to_do(pair: Pair, tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setuid(65534)
            try:
                Interfaces(["lo"])
            except CaptureError as error:
                says = str(error)
                wanted = ("lo: may not be opened", "sudo", "setcap cap_net_raw+ep /", "dumpcap", "pcapdiag live -")
                status = 0 if all(w in says for w in wanted) and "\n" not in says else 2
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
