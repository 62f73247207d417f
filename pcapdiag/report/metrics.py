"""How a watch stands, in Prometheus' text format: as a file for the node exporter, or to be fetched over HTTP.

The number of series is bounded: peers by the watch (MAX_PEERS conversations, then "other"), the other labels by what
they can be.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import AF_INET6

from pcapdiag.capture.datagram import CaptureError
from pcapdiag.capture.source import Source
from pcapdiag.live.events import Event
from pcapdiag.live.session import Watch
from pcapdiag.output import OutputError, Path, written

INTERVAL = 15.0
"""Seconds between two writings of a file."""
FRESH = 1.0
"""Seconds that what is fetched may be old."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[dict[str, str], int | float]


def render(watch: Watch, source: Source, began: float) -> str:
    """All series. began -- when the watch did, in Unix seconds."""
    return "".join(
        line
        for name, kind, text, samples in _series(watch, source, began)
        for line in _family(name, kind, text, samples)
    )


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    full = f"pcapdiag_{name}"
    yield f"# HELP {full} {text}\n# TYPE {full} {kind}\n"
    for labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(content)}"' for label, content in labels.items())
        yield f"{full}{{{inside}}} {value}\n" if inside else f"{full} {value}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


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


class MetricsFile:
    """A file that is replaced as a whole, every INTERVAL seconds and at the end."""

    def __init__(self, path: Path, inputs: Iterable[object] = ()) -> None:
        """inputs -- files that are not to be written over. Raises CaptureError where the file cannot be written."""
        self._path = path
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
        except OutputError as error:
            if not self._told:
                self._told = True
                source.notices.append(str(error))

    def finish(self, watch: Watch, source: Source) -> None:
        """Write the last state."""
        self._next = 0.0
        self.pulse(watch, source)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET /metrics with what the server has at hand."""

    timeout = 5

    def do_GET(self) -> None:
        """See above."""
        assert isinstance(self.server, _Server)
        found = self.path.split("?")[0] == "/metrics"
        body = self.server.text.encode() if found else b"see /metrics\n"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: standard error is for what matters."""


class _Server(HTTPServer):
    text = ""
    request_queue_size = 16

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no fault of ours."""


class _Server6(_Server):
    address_family = AF_INET6


class MetricsServer:
    """Serves the metrics over HTTP, one request at a time; five seconds each at most."""

    def __init__(self, listen: str) -> None:
        """listen -- ADDRESS:PORT, [ADDRESS]:PORT for IPv6, or :PORT for this machine only.

        Raises CaptureError where that is no address, or taken.
        """
        host, _, port = listen.rpartition(":")
        host = host.strip("[]") or "127.0.0.1"
        try:
            server = _Server6 if ":" in host else _Server
            self._server = server((host, int(port)), _Handler)
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
            self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
            self._thread.start()

    def finish(self, watch: Watch, source: Source) -> None:
        """Stop to listen."""
        if self._thread is not None:
            self._server.shutdown()
        self._server.server_close()
