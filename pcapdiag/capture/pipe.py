"""A capture that another program is writing: `tcpdump -U -w - | …`, `ssh host tcpdump …`, a named pipe.

Reading blocks, and only reading knows when something has come: so it has a thread of its own, which hands over what it
read. Its clock is that of the capture: the time of the last item, and what has passed since it came.
"""

import contextlib
import io
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Collection, Sequence
from typing import Any, BinaryIO, cast

from pcapdiag.capture.datagram import Captured, CaptureError, CaptureSummary
from pcapdiag.capture.savefile import Savefile
from pcapdiag.capture.source import InterfaceCounts, readable

MAX_WAITING = 20_000
"""Items that may wait for their analysis; beyond it the pipe fills, and whoever writes it has to wait."""


MOMENT = 0.2
"""Seconds that are given to the reader to end, when it is told to."""


class _Interruptible(io.RawIOBase):
    """A pipe or socket that ends when octets come on another descriptor: nothing else ends a read that waits."""

    def __init__(self, stream: BinaryIO, stop: int) -> None:
        self.name = getattr(stream, "name", "stream")
        self._read: Any = getattr(stream, "read1", stream.read)
        self._waits_for = [stream.fileno(), stop]
        # What is buffered may hold something already, that its descriptor knows nothing of.
        self._buffered = hasattr(stream, "peek")

    def readable(self) -> bool:
        """Say that it is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Wait for octets and take them; none when it is over."""
        if not self._buffered and self._waits_for[1] in readable(self._waits_for):
            return 0
        self._buffered = False
        octets = self._read(len(buffer)) or b""
        buffer[: len(octets)] = octets
        return len(octets)


def _flows(stream: object) -> bool:
    """Whether it is a pipe or a socket: something that can be waited for."""
    try:
        return (
            hasattr(stream, "read") and not cast(BinaryIO, stream).seekable() and cast(BinaryIO, stream).fileno() >= 0
        )
    except (AttributeError, OSError, ValueError):
        return False


class Pipe:
    """A capture stream as a Source (see `source`)."""

    def __init__(self, path: str | BinaryIO, *, ports: Collection[int] = (), name: str | None = None) -> None:
        """path -- "-" for standard input, the name of a pipe, or an open binary file; name -- what it is called."""
        self._stop, self._end = os.pipe()
        stream: Any = sys.stdin.buffer if path == "-" else path
        name = name or ("standard input" if path == "-" else None)
        self._savefile = Savefile(
            cast(BinaryIO, _Interruptible(stream, self._stop)) if _flows(stream) else path, ports=ports, name=name
        )
        self.names: tuple[str, ...] = (self._savefile.summary().path,)
        self.notices: list[str] = []
        self.over = self.failed = False
        self._waiting: deque[Captured] = deque()
        self._room = threading.Semaphore(MAX_WAITING)
        self._there, self._tell = os.pipe()
        os.set_blocking(self._tell, False)
        os.set_blocking(self._there, False)
        self._ended = threading.Event()
        self._closed = self._released = False
        self._last_hand = threading.Lock()
        self._fault: str | None = None
        self._time = time.time_ns()
        self._came = time.monotonic_ns()
        self._thread = threading.Thread(target=self._read, name="capture", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for item in self._savefile:
                self._room.acquire()
                if self._closed:
                    return
                self._waiting.append(item)
                self._signal()
        except CaptureError as error:
            self._fault = str(error)
        except (OSError, ValueError) as error:
            # The stream was closed under our hands.
            self._fault = f"{self.names[0]}: {error}"
        except Exception as error:
            # Nobody hears of what is raised in this thread.
            self._fault = f"{self.names[0]}: fault in pcapdiag itself: {type(error).__name__}: {error}"
        finally:
            self._ended.set()
            self._signal()
            if self._closed:
                self._release()

    def _signal(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._tell, b"\0")

    @property
    def backlog(self) -> int:
        """Items that wait for their analysis."""
        return len(self._waiting)

    def wait(self, seconds: float, wakes: Sequence[int]) -> None:
        """See Source."""
        if not self._waiting and not self._ended.is_set():
            readable([self._there, *wakes], seconds)

    def gather(self) -> None:
        """See Source."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._there, 65_536)
        if self._ended.is_set() and not self._waiting and not self.over:
            self.over = True
            if self._fault is not None:
                self.failed = True
                self.notices.append(self._fault)
            self.notices += self.summary().warnings

    def take(self, limit: int) -> list[Captured]:
        """See Source."""
        found = []
        while self._waiting and limit:
            limit -= 1
            found.append(self._waiting.popleft())
            self._room.release()
        if found:
            self._time, self._came = found[-1].time, time.monotonic_ns()
        return found

    def now(self) -> int:
        """See Source."""
        if self.over:
            # What the stream holds is all: whatever time has passed since, nobody was listening.
            return self.summary().last_time or self._time
        return self._time + time.monotonic_ns() - self._came

    def finish(self) -> list[Captured]:
        """See Source. The stream's own end has done it already; what still waits then is not looked at any more."""
        return []

    def summary(self) -> CaptureSummary:
        """See Source."""
        while True:
            # The reader may add to a table that is just being gone through.
            with contextlib.suppress(RuntimeError):
                return self._savefile.summary()

    def counts(self) -> tuple[InterfaceCounts, ...]:
        """See Source. What was lost in front of the pipe only its writer knows."""
        frames = self.summary().frames
        return (InterfaceCounts(self.names[0], frames, None, None, frames),)

    def close(self) -> None:
        """See Source. A thread that waits for the other end of a named pipe lets go of it when something comes."""
        if self._closed:
            return
        self._closed = True
        self._room.release()
        with self._last_hand:
            if not self._released:
                os.write(self._end, b"\0")
        self._thread.join(MOMENT)
        if not self._thread.is_alive():
            self._release()

    def _release(self) -> None:
        """Let go of the descriptors: the last of the two threads does."""
        with self._last_hand:
            if not self._released:
                self._released = True
                for descriptor in (self._there, self._tell, self._stop, self._end):
                    os.close(descriptor)


FILTER = "udp or icmp or icmp6 or tcp port 4500"
"""What dumpcap is asked for: later fragments have no ports, and ICMP errors say why. It brings more than what this
program filters by itself, such as ESP in UDP."""


class ThroughDumpcap(Pipe):
    """A live interface through dumpcap, which may capture where this program may not."""

    def __init__(self, interface: str, *, ports: Collection[int] = (), snaplen: int = 65_535) -> None:
        """Raises CaptureError where there is no dumpcap."""
        from pcapdiag.capture.wireshark import Dumpcap, WiresharkMissingError

        try:
            self._dumpcap = Dumpcap(interface, FILTER, snaplen)
        except WiresharkMissingError as error:
            raise CaptureError(str(error)) from None
        self._ended_well = False
        super().__init__(self._dumpcap.stream, ports=ports, name=interface)

    def gather(self) -> None:
        """See Source. Where dumpcap ended by itself, it says why better than the stream that it left."""
        super().gather()
        if self.over and not self._ended_well:
            self._ended_well = True
            complaint = self._dumpcap.close()
            if complaint is not None:
                self.failed = True
                self.notices[:] = [f"{self.names[0]}: dumpcap: {complaint}"]

    def close(self) -> None:
        """See Source."""
        super().close()
        self._dumpcap.stop()
        if not self._thread.is_alive() and not self._ended_well:
            self._ended_well = True
            self._dumpcap.close()
