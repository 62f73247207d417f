"""How a watch stands, in Prometheus' text format: as a file for the node exporter, or to be fetched over HTTP.

The number of series is bounded: peers by the watch (MAX_PEERS conversations, then "other"), the other labels by what
they can be.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6, SHUT_RDWR, socket
from socketserver import TCPServer
from typing import Any

from pcapdiag.capture.datagram import CaptureError
from pcapdiag.capture.source import Source
from pcapdiag.live.events import Event
from pcapdiag.live.session import Watch
from pcapdiag.output import OutputError, Path, written
from pcapdiag.report.wording import safe

INTERVAL = 15.0
"""Seconds between two writings of a file."""
FRESH = 1.0
"""Seconds that what is fetched may be old."""
DEADLINE = 5.0
"""Seconds that a client has for its whole request, and to take the answer."""
MAX_CLIENTS = 16
"""Clients that are served at a time; a thread for each."""
POLL = 0.25
"""Seconds between two looks at what is over."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[dict[str, str], int | float]


def render(watch: Watch, source: Source, began: float) -> str:
    """All series. began -- when the watch did, in Unix seconds."""
    return "".join(
        line
        for name, kind, text, samples in _series(watch, source, began)
        for line in family(name, kind, text, samples)
    )


def family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    """The lines of a family of series, in the text format of Prometheus."""
    full = f"pcapdiag_{name}"
    yield f"# HELP {full} {text}\n# TYPE {full} {kind}\n"
    for labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(content)}"' for label, content in labels.items())
        yield f"{full}{{{inside}}} {value}\n" if inside else f"{full} {value}\n"


def _escaped(text: str) -> str:
    """As the format has it. What could act in a terminal is spelled: the file is looked at with `cat`."""
    return safe(text).replace("\\", "\\\\").replace('"', '\\"')


def _series(watch: Watch, source: Source, began: float) -> Iterator[tuple[str, str, str, list[Sample]]]:
    totals, counts, capture = watch.totals(), watch.tracker.counts, source.summary()
    yield "start_time_seconds", "gauge", "When the watch began.", [({}, round(began, 3))]
    yield "messages_total", "counter", "IKE messages analysed.", [({}, counts.messages)]
    yield "icmp_errors_total", "counter", "ICMP errors that quote IKE.", [({}, capture.icmp_errors)]
    yield (
        "exchanges",
        "gauge",
        "Exchanges so far, by what was last said of them; open: nothing yet.",
        [({"outcome": outcome}, n) for outcome, n in sorted(totals.outcomes.items())],
    )
    yield (
        "states",
        "gauge",
        "Exchanges on watch that were told, by the most probable state of each end.",
        [({"end": end, "state": state}, n) for (end, state), n in sorted(totals.states.items())],
    )
    yield (
        "verdicts_total",
        "counter",
        "Verdicts given, by the two peers; a verdict that changes counts again.",
        [({"peers": peers, "outcome": outcome}, n) for (peers, outcome), n in sorted(totals.peers.items())],
    )
    yield "watched", "gauge", "Exchanges on watch.", [({}, totals.watched)]
    evicted = [({"kind": "opening"}, totals.evicted_openings), ({"kind": "exchange"}, totals.evicted_exchanges)]
    yield "evicted_total", "counter", "Exchanges that made room for newer ones and were only counted.", list(evicted)
    yield "unlisted_total", "counter", "Messages analysed and not told one by one.", [({}, totals.unlisted)]
    yield "backlog", "gauge", "Frames that wait for their analysis.", [({}, source.backlog)]
    interfaces = source.counts()
    yield (
        "packets_received_total",
        "counter",
        "Packets that passed the kernel's filter, those dropped included.",
        [({"interface": i.name}, i.received) for i in interfaces if i.received is not None],
    )
    dropped: list[Sample] = []
    for one in interfaces:
        for by, number in (("kernel", one.dropped), ("interface", one.interface_dropped)):
            if number is not None:
                dropped.append(({"interface": one.name, "by": by}, number))
    yield "packets_dropped_total", "counter", "Packets lost before the analysis.", dropped


def notice(source: Source, text: str) -> None:
    """Tell it as what the watch tells."""
    source.notices.append(text)


class MetricsFile:
    """A file that is replaced as a whole, every INTERVAL seconds and at the end."""

    def __init__(self, path: Path, inputs: Iterable[object] = (), tell: Callable[[Source, str], None] = notice) -> None:
        """inputs -- files that are not to be written over; tell -- says that it can no longer be written, once.

        `problem` is why that was so the last time, or None. Raises CaptureError where it cannot be written at all.
        """
        self.problem: str | None = None
        self._path = path
        self._tell = tell
        self._began = time.time()
        self._next = 0.0
        self._told = False
        try:
            self._write("", inputs)
        except OutputError as error:
            raise CaptureError(str(error)) from None

    def _write(self, text: str, inputs: Iterable[object] = ()) -> None:
        with written(self._path, inputs=inputs) as file:
            file.write(text.encode())

    def events(self, events: Sequence[Event]) -> None:
        """See Observer."""

    def pulse(self, watch: Watch, source: Source) -> None:
        """See Observer."""
        now = time.monotonic()
        if now < self._next and not source.over:
            return
        self._next = now + INTERVAL
        try:
            self._write(render(watch, source, self._began))
            self.problem = None
        except OutputError as error:
            self.problem = str(error)
            if not self._told:
                self._told = True
                self._tell(source, self.problem)

    def finish(self, watch: Watch, source: Source) -> None:
        """Write the last state."""
        self._next = 0.0
        self.pulse(watch, source)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET /metrics with what the server has at hand, once a connection."""

    def do_GET(self) -> None:
        """See above."""
        assert isinstance(self.server, _Server)
        found = self.path.split("?")[0] == "/metrics"
        body = self.server.text.encode() if found else b"see /metrics\n"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 -- the name is that of http.server

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: standard error is for what matters."""


class _Server(ThreadingHTTPServer):
    """A thread for each client, none of which is waited for: neither by the others nor at the end.

    A client has DEADLINE seconds for all of its request and for taking the answer. Of more than MAX_CLIENTS the one
    that has been there longest makes room: a scrape takes milliseconds, so it is one that only waits.
    """

    text = ""
    request_queue_size = 128
    allow_reuse_port = False
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int]) -> None:
        self._clients: OrderedDict[socket, float] = OrderedDict()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin to serve a client."""
        with self._lock:
            self._clients[request] = time.monotonic() + DEADLINE
            if len(self._clients) > MAX_CLIENTS:
                _hang_up(self._clients.popitem(last=False)[0])
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """A client was served, or went away."""
        with self._lock:
            self._clients.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Hang up on those whose time is over; called every POLL seconds."""
        now = time.monotonic()
        with self._lock:
            while self._clients and next(iter(self._clients.values())) < now:
                _hang_up(self._clients.popitem(last=False)[0])

    def server_bind(self) -> None:
        """Bind. The base asks the name service what this host is called, which can take its time."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no fault of ours, and threads that cannot be had are no reason to end."""


def _hang_up(client: socket) -> None:
    """Wake the thread that waits for it: it finds the connection at its end."""
    with suppress(OSError):
        client.shutdown(SHUT_RDWR)


class _Server6(_Server):
    address_family = AF_INET6


class MetricsServer:
    """Serves the metrics over HTTP, to MAX_CLIENTS at a time."""

    def __init__(self, listen: str) -> None:
        """listen -- ADDRESS:PORT, [ADDRESS]:PORT for IPv6, or :PORT for this machine only.

        Raises CaptureError where that is no address, or taken.
        """
        host, _, port = listen.rpartition(":")
        host = host.strip("[]") or "127.0.0.1"
        try:
            server = _Server6 if ":" in host else _Server
            self._server = server((host, int(port)))
        except (OSError, ValueError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "not ADDRESS:PORT"
            raise CaptureError(f"{listen}: metrics cannot be served there: {reason}") from None
        self._began = time.time()
        self._next = 0.0
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def events(self, events: Sequence[Event]) -> None:
        """See Observer."""

    def pulse(self, watch: Watch, source: Source) -> None:
        """See Observer."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + FRESH
            self._server.text = render(watch, source, self._began)
        if self._thread is None:
            # Only now: a thread has capabilities of its own, and those of this one have been given up meanwhile.
            serve = partial(self._server.serve_forever, POLL)
            self._thread = threading.Thread(target=serve, name="metrics", daemon=True)
            self._thread.start()

    def finish(self, watch: Watch, source: Source) -> None:
        """Stop to listen, within POLL seconds; clients that are being served are not waited for."""
        if self._thread is not None:
            self._server.shutdown()
        self._server.server_close()
