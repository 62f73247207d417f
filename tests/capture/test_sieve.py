"""Captures sieved in parts are the same as captures read in order."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapdiag.capture import sieve
from pcapdiag.capture.datagram import Captured, CaptureSummary
from pcapdiag.capture.savefile import Savefile
from pcapdiag.capture.sieve import Sieves
from tests import CAPTURES, SHARED
from tests.capture.frames import T0, Blocks, ethernet, ipv4, isakmp, pcap, udp

FILES = sorted(CAPTURES.glob("*.pcap*")) + sorted(
    p for p in SHARED.rglob("*") if p.suffix in (".pcap", ".pcapng", ".cap", ".gz", ".dmp")
)


class Here(Executor):
    """Does what it is given at once."""

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        done: Future[object] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


@pytest.fixture(params=[256, 1024, 5000], ids=lambda size: f"parts of {size}")
def part(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sieve, "PART", request.param)
    return int(request.param)


def in_order(path: Path) -> tuple[list[Captured], CaptureSummary]:
    savefile = Savefile(path)
    return list(savefile), savefile.summary()


def in_parts(path: Path, executor: Executor) -> tuple[list[Captured], CaptureSummary]:
    savefile = Savefile(path, sieved=Sieves(executor, [path], ()).of(0))
    return list(savefile), savefile.summary()


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_every_capture_in_parts_is_the_same(path: Path, part: int) -> None:
    assert in_parts(path, Here()) == in_order(path)


def mixed(count: int) -> list[bytes]:
    """Frames of which every seventh is IKE; sizes and contents differ."""
    ike = ethernet(ipv4(udp(isakmp(bytes(40)))))
    return [
        ike if n % 7 == 0 else ethernet(ipv4(bytes((n * k) % 251 for k in range(20 + n % 90)), 6)) for n in range(count)
    ]


def as_pcap(frames: list[bytes], order: str) -> bytes:
    return pcap([(T0 + n * 1000, frame) for n, frame in enumerate(frames)], order=order)


def as_pcapng(frames: list[bytes], order: str) -> bytes:
    blocks = Blocks(order)
    packets = b"".join(blocks.packet(frame, T0 // 1000 + n) for n, frame in enumerate(frames))
    return blocks.section() + blocks.interface() + packets + blocks.statistics(0, T0 // 1000 - 5, T0 // 1000 + 9000)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("build", [as_pcap, as_pcapng])
def test_parts_are_really_taken(
    build: Callable[[list[bytes], str], bytes], order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sieve, "PART", 4000)
    path = tmp_path / "x.pcap"
    path.write_bytes(build(mixed(600), order))
    parts = list(Sieves(Here(), [path], ()).of(0))
    assert len(parts) > 10
    assert all(part is not None for part in parts)
    ends = [part.stop for part in parts if part]
    assert [part.begin for part in parts if part][1:] == ends[:-1]
    assert sum(part.count for part in parts if part) == 600
    assert in_parts(path, Here()) == in_order(path)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from((as_pcap, as_pcapng)), st.sampled_from("<>"))
def test_damage_is_found_where_it_is(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    build: Callable[[list[bytes], str], bytes],
    order: str,
) -> None:
    octets = bytearray(build(mixed(120), order))
    for _ in range(data.draw(st.integers(0, 3))):
        octets[data.draw(st.integers(48, len(octets) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "x.pcap"
    path.write_bytes(bytes(octets[: data.draw(st.integers(100, len(octets)))]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sieve, "PART", data.draw(st.integers(300, 6000)))
        assert in_parts(path, Here()) == in_order(path)


def test_a_section_or_interface_within_is_read_in_order(part: int, tmp_path: Path) -> None:
    blocks, other = Blocks("<"), Blocks(">")
    frames = mixed(40)
    packets = [blocks.packet(frame, T0 // 1000 + n) for n, frame in enumerate(frames)]
    second = [blocks.packet(frame, T0 // 1000 + 50 + n, interface=1) for n, frame in enumerate(frames)]
    third = [other.packet(frame, T0 // 1000 + 100 + n) for n, frame in enumerate(frames)]
    path = tmp_path / "x.pcapng"
    path.write_bytes(
        b"".join(
            (
                *(blocks.section(), blocks.interface(), *packets),
                *(blocks.interface(101), *second),
                *(other.section(), other.interface(), *third, other.simple(frames[0])),
            )
        )
    )
    assert in_parts(path, Here()) == in_order(path)


def test_the_packets_of_other_parts_tell_what_statistics_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sieve, "PART", 4000)
    blocks = Blocks("<")
    interface = blocks.interface(options=blocks.option(9, b"\x09"))  # nanoseconds; dumpcap's statistics are not
    packets = [blocks.packet(frame, T0 + n, interface=n < 5) for n, frame in enumerate(mixed(200))]
    ends = [blocks.statistics(n, T0 // 1000 - 5, T0 // 1000 + 9000) for n in (0, 1)]
    path = tmp_path / "x.pcapng"
    path.write_bytes(b"".join((blocks.section(), interface, interface, *packets, *ends)))
    assert all(Sieves(Here(), [path], ()).of(0))
    _, summary = in_parts(path, Here())
    assert (summary.first_time, summary.last_time) == (T0 - 5000, T0 + 9_000_000)
    assert in_parts(path, Here()) == in_order(path)


def test_what_comes_before_the_first_packet_is_counted_once(part: int, tmp_path: Path) -> None:
    blocks = Blocks("<")
    packets = [blocks.packet(frame, T0 // 1000 + n) for n, frame in enumerate(mixed(100))]
    path = tmp_path / "x.pcapng"
    path.write_bytes(b"".join((blocks.section(), blocks.interface(), blocks.block(9, bytes(20)), *packets)))
    _, summary = in_parts(path, Here())
    assert summary.frames == 101
    assert in_parts(path, Here()) == in_order(path)


def test_esp_in_and_beside_a_tunnel_is_one_flow(part: int, tmp_path: Path) -> None:
    esp = ipv4(b"\x11\x22\x33\x44" + bytes(20), 50)
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap([ethernet(frame) for frame in (esp, ipv4(esp, 4), esp)]))
    _, summary = in_parts(path, Here())
    (flow,) = summary.esp_flows
    assert (flow.packets, flow.first_frame.number, flow.last_frame.number) == (3, 1, 3)
    assert in_parts(path, Here()) == in_order(path)


def test_nothing_but_ike_is_read_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sieve, "MAX_SIEVED", 2000)
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap([ethernet(ipv4(udp(isakmp(bytes(n))))) for n in range(100)]))
    assert list(Sieves(Here(), [path], ()).of(0)) == [None]
    assert in_parts(path, Here()) == in_order(path)


@pytest.fixture(params=[ThreadPoolExecutor, ProcessPoolExecutor])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with request.param(2) as found:
        yield found


def test_any_executor_does(executor: Executor) -> None:
    paths = [p for p in FILES if p.parent == CAPTURES]
    sieves = Sieves(executor, [*paths, "-", CAPTURES / "none"], ())
    for number, path in enumerate(paths):
        savefile = Savefile(path, sieved=sieves.of(number))
        assert (list(savefile), savefile.summary()) == in_order(path)
    assert list(sieves.of(len(paths))) == []
    sieves.close()


def test_files_that_are_not_asked_for_are_passed_over() -> None:
    paths = [CAPTURES / "completed-psk.pcap", CAPTURES / "completed-nat.pcap", CAPTURES / "mm1-no-reply.pcap"]
    sieves = Sieves(Here(), paths, ())
    next(sieves.of(0))
    (found,) = sieves.of(2)
    assert found is not None
    assert found.count == in_order(paths[2])[1].frames
