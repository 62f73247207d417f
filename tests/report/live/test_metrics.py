"""Metrics: right figures, a bounded number of series, and a file or an answer that is always whole."""

import contextlib
import io
import re
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from pcapdiag.capture.datagram import CaptureError
from pcapdiag.capture.pipe import Pipe
from pcapdiag.live import totals
from pcapdiag.live.session import Watch
from pcapdiag.report.live import metrics
from pcapdiag.report.live.metrics import MetricsFile, MetricsServer, render
from tests import CAPTURES
from tests.messages import SECOND, ZERO, Wire, main_mode


@pytest.fixture
def source() -> Pipe:
    return Pipe(io.BytesIO((CAPTURES / "completed-psk.pcap").read_bytes()))


def values(text: str) -> dict[str, float]:
    """Series to values; every line is what the format has."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.match(r"# (HELP|TYPE) pcapdiag_[a-z_]+ \S", line), line
            continue
        match = re.fullmatch(r'(pcapdiag_[a-z_]+(?:\{[a-z]+="[^"\n]*"(?:,[a-z]+="[^"\n]*")*\})?) ([0-9.e+]+)', line)
        assert match, line
        assert match[1] not in found, "a series stands twice"
        found[match[1]] = float(match[2])
    return found


def stalled(count: int) -> Watch:
    """A watch that has called the exchanges of so many initiators stalled."""
    wire, watch = Wire(), Watch(messages=False)
    for number in range(count):
        cookies = ((number + 1).to_bytes(8, "big"), ZERO)
        watch.feed(wire.datagram(0, main_mode(1, cookies), source=f"10.0.{number // 250}.{number % 250}"))
        watch.feed(wire.datagram(8, main_mode(1, cookies), source=f"10.0.{number // 250}.{number % 250}"))
        watch._settled = 0
    watch.finish(60 * SECOND)
    return watch


def test_exchanges_by_outcome_state_and_peer(source: Pipe) -> None:
    found = values(render(stalled(2), source, 1000.5))
    assert found["pcapdiag_start_time_seconds"] == 1000.5
    assert found["pcapdiag_messages_total"] == 4
    assert found['pcapdiag_exchanges{outcome="stalled"}'] == 2
    assert found['pcapdiag_states{end="initiator",state="MM_WAIT_MSG2"}'] == 2
    assert found['pcapdiag_verdicts_total{peers="10.0.0.0 198.51.100.2",outcome="stalled"}'] == 1
    assert found["pcapdiag_watched"] == 2


def test_the_number_of_series_is_bounded(source: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "MAX_PEERS", 5)
    found = values(render(stalled(60), source, 0))
    verdicts = {name: n for name, n in found.items() if name.startswith("pcapdiag_verdicts_total")}
    assert len(verdicts) == 6
    assert verdicts['pcapdiag_verdicts_total{peers="other",outcome="stalled"}'] == 55


def test_the_file_is_replaced_as_a_whole(source: Pipe, tmp_path: Path) -> None:
    path = tmp_path / "ike.prom"
    metrics = MetricsFile(path)
    metrics.pulse(Watch(), source)
    first = path.read_text()
    assert values(first)["pcapdiag_messages_total"] == 0
    metrics.pulse(stalled(1), source)
    assert path.read_text() == first, "it is not written again so soon"
    metrics.finish(stalled(1), source)
    assert values(path.read_text())["pcapdiag_messages_total"] == 2
    assert [p.name for p in tmp_path.iterdir()] == ["ike.prom"]


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="cannot be written: No such file"):
        MetricsFile(tmp_path / "no" / "ike.prom")


def test_a_file_that_can_no_longer_be_written_is_told_once(source: Pipe, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    metrics = MetricsFile(folder / "ike.prom")
    (folder / "ike.prom").unlink()
    folder.rmdir()
    metrics.pulse(Watch(), source)
    metrics.finish(Watch(), source)
    assert len(source.notices) == 1


@pytest.mark.parametrize("listen", [":0", "127.0.0.1:0", "[::1]:0"])
def test_over_http(source: Pipe, listen: str) -> None:
    server = MetricsServer(listen)
    try:
        server.pulse(stalled(1), source)
        host = "[::1]" if "::" in listen else "127.0.0.1"
        with urllib.request.urlopen(f"http://{host}:{server.port}/metrics", timeout=5) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert values(answer.read().decode())["pcapdiag_messages_total"] == 2
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://{host}:{server.port}/", timeout=5)
    finally:
        began = time.monotonic()
        server.finish(Watch(), source)
    assert time.monotonic() - began < 2


def scraped(server: MetricsServer) -> float:
    """Seconds that a scrape takes."""
    began = time.monotonic()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=20) as answer:
        assert "pcapdiag_messages_total" in values(answer.read().decode())
    return time.monotonic() - began


@pytest.mark.parametrize("idle", [1, 50, 200])
def test_nobody_waits_for_clients_that_say_nothing(source: Pipe, idle: int) -> None:
    server = MetricsServer(":0")
    with contextlib.ExitStack() as stack:
        server.pulse(Watch(), source)
        for _ in range(idle):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
        assert scraped(server) < 2
        began = time.monotonic()
        server.finish(Watch(), source)
        assert time.monotonic() - began < 2


def test_a_request_has_to_be_done_in_its_time(source: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """An octet now and then is not enough, and neither is taking the answer in crumbs."""
    monkeypatch.setattr(metrics, "DEADLINE", 0.8)
    server = MetricsServer(":0")
    try:
        server.pulse(Watch(), source)
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            began = time.monotonic()
            with contextlib.suppress(OSError):
                for octet in b"GET /metrics HTTP/1.1\r\n" * 40:
                    client.sendall(bytes([octet]))
                    time.sleep(0.1)
                    if time.monotonic() - began > 10:
                        break
            assert time.monotonic() - began < 5
        server._server.text = "x" * (64 << 20)
        server._next = time.monotonic() + 60
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            time.sleep(3)
            size = 0
            with contextlib.suppress(OSError):
                while piece := client.recv(1 << 20):
                    size += len(piece)
            assert size < 64 << 20
    finally:
        server.finish(Watch(), source)


def test_head(source: Pipe) -> None:
    server = MetricsServer(":0")
    try:
        server.pulse(Watch(), source)
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(b"HEAD /metrics HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(65_536), b""))
        assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\n")
    finally:
        server.finish(Watch(), source)


def test_a_name_cannot_act_in_a_terminal() -> None:
    """Linux takes such names of interfaces; \udc80 is how an octet that is no UTF-8 comes out of a file name."""
    octets = (CAPTURES / "completed-psk.pcap").read_bytes()
    text = render(Watch(), Pipe(io.BytesIO(octets), name='a\x1b[2J"\n\x9b\\\u202e\udc80'), 0)
    assert all(c.isprintable() for line in text.split("\n") for c in line)
    text.encode()
    assert 'interface="a\\\\x1b[2J\\"\\\\x0a\\\\x9b\\\\\\\\x202e\\\\xdc80"' in text


@pytest.mark.parametrize(("listen", "says"), [("nonsense", "not ADDRESS:PORT"), ("127.0.0.1:99999", "ADDRESS:PORT")])
def test_an_address_that_is_none_is_one_line(listen: str, says: str) -> None:
    with pytest.raises(CaptureError, match=says):
        MetricsServer(listen)


def test_an_address_that_is_taken_is_one_line(source: Pipe) -> None:
    server = MetricsServer(":0")
    try:
        with pytest.raises(CaptureError, match="in use"):
            MetricsServer(f":{server.port}")
    finally:
        server.finish(Watch(), source)
