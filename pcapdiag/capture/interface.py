"""Live network interfaces: one or several, and `any`.

Frames come through libpcap in the kernel's own ring buffer, filtered there (`bpf`). They are drained first and decoded
later: what waits for its analysis waits in our memory, where there is room, and not in the ring.
"""

import selectors
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from operator import itemgetter

from pcapdiag.capture import bpf, kinds, libpcap, walker
from pcapdiag.capture.datagram import Captured, CaptureError, CaptureSummary
from pcapdiag.capture.libpcap import Handle, LibpcapError, MissingLibraryError, Packet
from pcapdiag.capture.network import Network
from pcapdiag.capture.protocol_names import protocol_counts
from pcapdiag.capture.source import InterfaceCounts
from pcapdiag.capture.walker import Found, Link, Tally
from pcapdiag.record import Record

SNAPLEN = 65_535
"""Whole messages: no IP packet is longer."""
DELAY = 10
"""Milliseconds that the kernel may collect packets before it hands them over. A buffer in its immediate mode reserves
the longest frame for each packet, and so holds a hundredth of what it does in this one."""
BUFFER = 64 << 20
"""Octets of the kernel's rings, of all interfaces together: half a second of a gigabit of IKE."""
LEAST_BUFFER = 8 << 20
MAX_BACKLOG = 128 << 20
"""Octets of frames that wait for their analysis; beyond it the kernel's ring fills, and what that drops is counted."""
OVERHEAD = 200
"""Octets that a waiting frame takes beside its own."""
GATHERED = 20_000
"""Packets that are read from an interface before the others have their turn."""
SETTLED = 5 * DELAY * 1_000_000
"""Nanoseconds: what was captured longer ago than this has been handed over, if the ring was just found empty."""


class _Opened:
    """An interface that is being read, and the last that was heard of it."""

    def __init__(self, name: str, handle: Handle) -> None:
        self.name = name
        self.handle = handle
        # Times come in nanoseconds; a record has no header here, so its layout does not matter.
        self.link = Link(handle.link_type, "<", 16, "IIII")
        self.link.set_resolution(1, 1, 0)
        self.descriptor = handle.descriptor
        self.counts = libpcap.Counts()
        self.taken = 0
        self.gone = False


class Interfaces:
    """Live interfaces as a Source (see `source`).

    links -- for each interface in turn: its name, its link type, and its snap length
    keep -- called with every frame that holds, or may hold a part of, what is analysed: when it came (nanoseconds), its
        octets on the wire, those that were captured, and the place of its interface; None for nobody
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        ports: Collection[int] = (),
        promiscuous: bool = False,
        tunnels: bool = False,
        buffer: int = BUFFER,
        max_backlog: int = MAX_BACKLOG,
    ) -> None:
        """Open them all, or none: raises CaptureError with one line that says what to do."""
        self.names = tuple(dict.fromkeys(names))
        self.notices: list[str] = []
        self.over = self.failed = False
        self.keep: Callable[[int, int, bytes, int], None] | None = None
        wanted = (frozenset(ports) | {kinds.IKE_PORT}) - {kinds.NAT_T_PORT}
        self._tally, self._found = Tally(), Found()
        self._network = Network(0, frozenset(ports), self._tally)
        self._number = 0
        self._waiting: deque[Packet] = deque()
        self._octets = 0
        self._max_backlog = max_backlog
        self._first: int | None = None
        self._last: int | None = None
        self._opened: list[_Opened] = []
        self._selector = selectors.DefaultSelector()
        self._wakes: set[int] = set()
        try:
            share = max(buffer // len(self.names), LEAST_BUFFER)
            for place, name in enumerate(self.names):
                self._opened.append(_open(name, wanted, promiscuous, tunnels, share, place))
        except BaseException:
            self.close()
            raise
        for place, one in enumerate(self._opened):
            self._selector.register(one.descriptor, selectors.EVENT_READ, place)

    @property
    def links(self) -> tuple[tuple[str, int, int], ...]:
        """Name, link type and snap length of each interface, in its place."""
        return tuple((one.name, one.link.type, SNAPLEN) for one in self._opened)

    @property
    def backlog(self) -> int:
        """Frames that wait for their analysis."""
        return len(self._waiting)

    def wait(self, seconds: float, wakes: Sequence[int]) -> None:
        """See Source."""
        for wake in wakes:
            if wake not in self._wakes:
                self._selector.register(wake, selectors.EVENT_READ, -1)
                self._wakes.add(wake)
        self._selector.select(seconds)

    def gather(self) -> None:
        """See Source. Where several interfaces are read, what came meanwhile is put into the order of its times."""
        came: list[Packet] = []
        for one in self._opened:
            if one.gone or self._octets > self._max_backlog:
                continue
            try:
                packets = one.handle.read(GATHERED)
            except LibpcapError as error:
                self._lost(one, str(error))
                continue
            one.taken += len(packets)
            came += packets
            self._octets += sum([len(packet[2]) for packet in packets]) + OVERHEAD * len(packets)
        if len(self._opened) > 1:
            came.sort(key=itemgetter(0))
        self._waiting += came

    def _lost(self, one: _Opened, reason: str) -> None:
        """An interface cannot be read any more: the others go on."""
        one.gone = True
        self._selector.unregister(one.descriptor)
        self._count(one)
        self.notices.append(f"{one.name}: {reason}; nothing more is read from it")
        if all(other.gone for other in self._opened):
            self.over = self.failed = True

    def take(self, limit: int) -> list[Captured]:
        """See Source."""
        ready = self._network.ready
        waiting = self._waiting
        while waiting and limit:
            limit -= 1
            packet = waiting.popleft()
            self._octets -= len(packet[2]) + OVERHEAD
            self._frame(*packet)
        if self._last is not None:
            self._network.expire(max(self._last, 0 if waiting else self.now()))
        found = list(ready)
        ready.clear()
        return found

    def _frame(self, time: int, wire: int, octets: bytes, place: int) -> None:
        """Number the frames that are kept, so that a number means the same in a file that has these."""
        found, tally = self._found, self._tally
        if self._first is None:
            self._first = time
        if self._last is None or time > self._last:
            self._last = time
        tally.frames += 1
        tally.snapped += wire > len(octets)
        found.start, found.stop, found.wire = 0, len(octets), max(wire, len(octets))
        link = self._opened[place].link
        kind = walker.locate(octets, 0, len(octets), link.type, self._network.ports, found)
        if kind == kinds.OTHER:
            tally.count_other(found.key)
        elif kind == kinds.UNREADABLE:
            tally.unreadable += 1
        else:
            before = _of_interest(tally)
            found.ticks = time
            self._network.take(kind, octets, found, link, self._number + 1)
            if kind == kinds.STREAM or _of_interest(tally) != before:
                self._number += 1
                if self.keep is not None:
                    self.keep(time, wire, octets, place)

    def now(self) -> int:
        """See Source: the machine's clock, less the time that a packet may be on its way to us."""
        return time.time_ns() - SETTLED

    def finish(self) -> list[Captured]:
        """See Source."""
        self._network.finish()
        found = list(self._network.ready)
        self._network.ready.clear()
        return found

    def summary(self) -> CaptureSummary:
        """See Source."""
        tally = self._tally
        tally.settle()
        protocols = protocol_counts(tally)
        return CaptureSummary(
            path=", ".join(self.names),
            format="live",
            frames=tally.frames,
            datagrams=tally.datagrams,
            icmp_errors=tally.icmp_errors,
            ip_fragments=tally.ip_fragments,
            nat_keepalives=tally.nat_keepalives,
            esp=tally.esp,
            other=sum(protocols.values()),
            unreadable=tally.unreadable,
            snapped=tally.snapped,
            first_time=self._first,
            last_time=self._last,
            truncated=False,
            protocols=protocols,
        )

    def counts(self) -> tuple[InterfaceCounts, ...]:
        """See Source."""
        for one in self._opened:
            self._count(one)
        return tuple(
            InterfaceCounts(one.name, one.counts.received, one.counts.dropped, one.counts.interface_dropped, one.taken)
            for one in self._opened
        )

    def _count(self, one: _Opened) -> None:
        try:
            one.counts = one.handle.counts()
        except LibpcapError:
            return  # it is gone: what was last known of it stands

    def close(self) -> None:
        """See Source."""
        self._selector.close()
        for one in self._opened:
            one.handle.close()


def _of_interest(tally: Tally) -> tuple[int, int, int, int]:
    return tally.datagrams, tally.icmp_errors, tally.ip_fragments, tally.nat_keepalives


def _open(name: str, ports: frozenset[int], promiscuous: bool, tunnels: bool, buffer: int, tag: int) -> _Opened:
    try:
        handle = Handle.live(name, snaplen=SNAPLEN, promiscuous=promiscuous, delay=DELAY, buffer=buffer, tag=tag)
    except MissingLibraryError:
        raise CaptureError(MISSING) from None
    except (LibpcapError, ValueError) as error:
        raise CaptureError(_refused(name, error)) from None
    try:
        handle.set_filter(bpf.program(handle, ports, tunnels))
        return _Opened(name, handle)
    except LibpcapError as error:
        handle.close()
        raise CaptureError(f"{name}: IKE cannot be filtered out of its frames: {error}") from None


MISSING = (
    "live capture needs libpcap, and there is none: install it (Debian, Ubuntu: apt-get install libpcap0.8; "
    "Fedora: dnf install libpcap; Alpine: apk add libpcap), or pip install 'pcapdiag[live]'"
)
PERMISSION = (
    "may not be opened by this user. Do one of these: run it with sudo; or let this Python capture: "
    "sudo setcap cap_net_raw+ep {python} (any program that it runs may then); or, in dumpcap's group (wireshark): "
    "dumpcap -q -i {name} -f 'udp or icmp or icmp6' -P -w - | pcapdiag live -"
)


def _refused(name: str, error: Exception) -> str:
    """One line: what is wrong with the interface, and what to do."""
    code = error.code if isinstance(error, LibpcapError) else 0
    if code in (libpcap.ERROR_PERMISSION, libpcap.ERROR_PROMISC_PERMISSION):
        return f"{name}: {PERMISSION.format(python=_interpreter(), name=name)}"
    if code == libpcap.ERROR_NO_SUCH_DEVICE:
        return f"{name}: no such interface (pcapdiag interfaces lists them)"
    if code == libpcap.ERROR_NOT_UP:
        return f"{name}: the interface is not up (ip link set {name} up)"
    return f"{name}: {error}"


def _interpreter() -> str:
    """The file that has to have the capability: not a link to it, as there is one in a virtual environment."""
    import os
    import sys

    return os.path.realpath(sys.executable)


class Listed(Record, frozen=True):
    """An interface, and whether it can be opened now.

    problem -- why not, one line; None where it can
    """

    name: str
    description: str
    up: bool
    running: bool
    loopback: bool
    problem: str | None


def interfaces() -> list[Listed]:
    """Every interface, each tried. Raises CaptureError where there is no libpcap or it lists none."""
    try:
        found = libpcap.devices()
    except MissingLibraryError:
        raise CaptureError(MISSING) from None
    except LibpcapError as error:
        raise CaptureError(f"the interfaces cannot be listed: {error}") from None
    return [
        Listed(
            device.name,
            device.description,
            bool(device.flags & libpcap.UP),
            bool(device.flags & libpcap.RUNNING),
            bool(device.flags & libpcap.LOOPBACK),
            _problem(device.name),
        )
        for device in found
    ]


def _problem(name: str) -> str | None:
    try:
        _open(name, frozenset((kinds.IKE_PORT,)), False, False, 1 << 20, 0).handle.close()
    except CaptureError as error:
        return str(error).removeprefix(f"{name}: ")
    return None
