"""Savefiles: pcap and pcapng, plain or compressed, from a path or a stream.

The pcap format is that of draft-ietf-opsawg-pcap, with the nanosecond magic and the "modified" one of
Kuznetzov's Linux patches; pcapng is that of draft-ietf-opsawg-pcapng, and § without more is a section of it.
Reading is buffered and goes strictly forward, so a pipe or a compressed stream does as well as a file, and
memory does not grow with it.
"""

import os
import struct
import sys
from collections.abc import Collection, Generator, Iterator
from itertools import islice
from typing import BinaryIO, Final, cast

from pcapdiag.record import Record

from . import kinds, walker
from .datagram import MICROSECONDS, NANOSECONDS, Captured, CaptureError, CaptureSummary, EspFlow, Interface
from .link_types import NOT_READ
from .network import Network
from .protocol_names import protocol_counts
from .walker import Found, Link, Tally
from .window import Window, compression_of, decompressed

MAX_RECORD: Final = 64 << 20
"""Octets of the longest record or block that is believed."""
MAX_FRAME: Final = 256 * 1024
"""Octets of the longest pcap frame that is believed even where the file's snapshot length is less."""
MAX_INTERFACES: Final = 4096
MAX_SECTIONS: Final = 4096
"""Sections of which the times are told apart."""
MAX_WARNINGS: Final = 20
_scan_pcap = walker.scan_pcap if walker.COMPILED else walker.scan_pcap_fields
_scan_pcapng = walker.scan_pcapng if walker.COMPILED else walker.scan_pcapng_fields

_PCAP_MAGICS: Final = {
    0xA1B2C3D4: (1_000_000, 16, "IIII"),
    0xA1B23C4D: (1_000_000_000, 16, "IIII"),
    0xA1B2CD34: (1_000_000, 24, "IIII8x"),
}
"""Magic: ticks a second, octets of a record header, its layout."""
_PCAPNG_MAGIC: Final = b"\n\r\r\n"
_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_SECTION, _INTERFACE, _PACKET, _SIMPLE, _STATISTICS, _ENHANCED = 0x0A0D0D0A, 1, 2, 3, 5, 6
_NUMBERED: Final = frozenset((9, 0x204, 0x208, 0x216, 0x217, 0x221, 0x222, 0x0BAD, 0x40000BAD))
"""Blocks without a packet that Wireshark numbers as frames: journal entries, Sysdig events, custom blocks."""
_OPTION_NAME, _OPTION_DESCRIPTION, _OPTION_TSRESOL, _OPTION_TSOFFSET = 2, 3, 9, 14
_OPTION_FILTER = 11
_OPTION_STARTTIME, _OPTION_ENDTIME = 2, 3
_OPTION_IFDROP, _OPTION_OSDROP = 5, 7

YEAR: Final = 366 * 86_400 * 1_000_000_000
"""Nanoseconds; a beginning or end that is further from the packets is not believed."""
_DIRECTORY: Final = "a directory without capture files (by suffix: .pcap, .pcapng, .cap, .dmp)"
_EXPECTED: Final = "pcap, pcapng, or either in gzip, bzip2, xz or zstd is expected"
_OTHER_FORMATS: Final = {
    b"snoop\0\0\0": "a snoop file",
    b"GMBU": "a Microsoft Network Monitor file",
    b"RTSS": "a Microsoft Network Monitor 1 file",
    b"TRSNIFF": "a Sniffer file",
    b"XCP\0": "a NetXRay file",
    b"PK\x03\x04": "a zip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
}

MAX_OFFSET: Final = 1 << 62


Source = str | os.PathLike[str] | BinaryIO
"""Where a capture is read from: a name, or an open binary file."""


class Sieved(Record, frozen=True):
    """What a walk over part of a savefile left: counts, and the frames that matter. Frame numbers begin with 1 here.

    begin, stop -- offsets in the (decompressed) file, of the first record and behind the last
    ended -- the file ends there, as it should
    statistics -- of what the file itself says of when it began or ended: number of the interface, ticks, and the newest
        ticks of the interface's packets that came before in this part, or None
    count, snapped, unreadable, esp, others, flows -- as `walker.Tally` and `walker.Flows` have them
    links -- of each interface with a packet: its number; the oldest, newest and latest ticks
    frames -- number of the interface, number of the frame, ticks, octets on the wire, and those that were captured
    """

    begin: int
    stop: int
    ended: bool
    statistics: list[tuple[int, int, int | None]]
    count: int
    snapped: int
    unreadable: int
    esp: int
    others: dict[int, int]
    flows: dict[bytes, list[int]]
    links: tuple[tuple[int, int, int, int], ...]
    frames: list[tuple[int, int, int, int, bytes]]


class Savefile:
    """One capture file, read once from front to back.

    Iterating yields Datagram, IcmpError and FragmentLoss in the order of capture, and raises CaptureError for
    what is no capture at all. A fault further on raises nothing: reading stops there, and `summary` tells.
    """

    def __init__(
        self,
        path: Source,
        *,
        capture: int = 0,
        ports: Collection[int] = (),
        name: str | None = None,
        sieved: Iterator[Sieved | None] | None = None,
        network: Network | None = None,
        max_decompressed: int | None = None,
    ) -> None:
        """Take a path, "-" for standard input, or an object to `read` octets from; nothing is opened yet.

        capture -- the index that the frames carry; ports -- IKE ports besides 500 and 4500, used like 500
        name -- what messages and the summary call it; the path by default
        sieved -- what `sieve` found in the parts of this file, in order; it is taken as far as it fits together
        network -- what takes the frames that matter; by default what makes records of them
        max_decompressed -- octets that a compressed file may become; by default see `window.FREE`

        `interfaces` are those of the section that is being read, in the order of their numbers.
        """
        self.interfaces: list[Interface] = []
        self._path = path
        self._name = name or _name(path)
        self._network = network if network is not None else Network(capture, frozenset(ports), Tally())
        self._tally = self._network.tally
        self._found = Found()
        self._sieved = sieved
        self._max_decompressed = max_decompressed
        self._flowing = False
        self._stream: BinaryIO | None = None
        self._elsewhere = self._came = 0  # octets that others read, and that came out of a stream
        self._until = MAX_OFFSET
        self._opened = False
        self._format = ""
        self._truncated = False
        self._warnings: list[str] = []
        self._muted = 0
        self._links: list[Link] = []
        self._first: int | None = None
        self._last: int | None = None
        self._watched: list[tuple[int, int]] = []
        self._dropped: dict[tuple[int, int, int], int] = {}
        self._filters: dict[str, None] = {}

    def __iter__(self) -> Iterator[Captured]:
        """Read to the end, once. Raises CaptureError where the file cannot be opened or is no capture."""
        for batch in self.batches():
            yield from batch

    def batches(self) -> Iterator[list[Captured]]:
        """Do as the iteration does, in lists of what was read at a time; a list is good until the next one."""
        if self._opened:
            raise RuntimeError("a savefile is read once")
        self._opened = True
        stream, owned = self._open()
        self._stream = stream
        self._flowing = not (hasattr(stream, "seekable") and stream.seekable())
        try:
            window, compression = self._decompressed(stream)
            records = self._start(window, compression)
            ready = self._network.ready
            for _ in records:
                self._came = window.place
                yield ready
                ready.clear()
            if window.fault:
                self._damaged(window.fault)
            self._network.finish()
            yield ready
            ready.clear()
        finally:
            if owned:
                stream.close()

    def check(self) -> None:
        """Read no further than the head of the file, and nothing else ever: raises CaptureError for no capture."""
        self._opened = True
        stream, owned = self._open()
        try:
            self._start(*self._decompressed(stream))
        finally:
            if owned:
                stream.close()

    @property
    def done(self) -> int:
        """Octets of the file that have been read, as they are in the file; of a stream, those that have come."""
        if self._stream is None or self._stream.closed:
            return self._elsewhere
        return max(self._elsewhere, self._came if self._flowing else self._stream.tell())

    @property
    def esp_flows(self) -> tuple[EspFlow, ...]:
        """Return who has sent ESP, or AH, to whom so far."""
        self._tally.flows.settle()
        return self._network.esp_flows()

    def summary(self) -> CaptureSummary:
        """Return what has been read so far; final once the iteration is over."""
        tally = self._tally
        tally.settle()
        protocols = protocol_counts(tally)
        watched = [*self._watched, *self._section_times()]
        return CaptureSummary(
            path=self._name,
            format=self._format,
            frames=tally.frames,
            datagrams=tally.datagrams,
            icmp_errors=tally.icmp_errors,
            ip_fragments=tally.ip_fragments,
            nat_keepalives=tally.nat_keepalives,
            esp=tally.esp,
            other=sum(protocols.values()),
            unreadable=tally.unreadable,
            snapped=tally.snapped,
            first_time=min((first for first, _ in watched), default=None),
            last_time=max((last for _, last in watched), default=None),
            truncated=self._truncated,
            warnings=tuple(self._all_warnings()),
            protocols=protocols,
            esp_flows=self._network.esp_flows(),
            watched=tuple(watched),
            dropped=sum(self._dropped.values()),
            filters=tuple(self._filters),
            unanswered=self._network.asked.unanswered(),
        )

    # -- what the summary is made of

    def _section_times(self) -> list[tuple[int, int]]:
        """First and last time of the section that is being read; empty where it has none."""
        first, last = self._first, self._last
        for link in self._links:
            if link.seen:
                first = _least(first, link.nanoseconds(link.oldest))
                last = _greatest(last, link.nanoseconds(link.newest))
        return [(first, last)] if first is not None and last is not None else []

    def _all_warnings(self) -> Iterator[str]:
        yield from self._warnings
        if self._muted:
            yield f"{self._name}: {self._muted} more warnings of this kind"
        unsupported = self._network.unsupported
        for link_type, (number, frames) in islice(unsupported.items(), MAX_WARNINGS):
            known = NOT_READ.get(link_type)
            label = f"link type {link_type}" + (f" ({known})" if known else "")
            yield f"{self._name}: frame {number}: {label} is not supported; {frames} frames of it skipped"
        if len(unsupported) > MAX_WARNINGS:
            rest = sum(frames for _, frames in islice(unsupported.values(), MAX_WARNINGS, None))
            kinds_of = len(unsupported) - MAX_WARNINGS
            yield f"{self._name}: {kinds_of} more link types are not supported; {rest} frames of them skipped"
        if self._network.evicted:
            yield f"{self._name}: {self._network.evicted} incomplete datagrams evicted"
        streams = self._network.streams
        if streams is not None and streams.evicted:
            yield f"{self._name}: {streams.evicted} TCP streams evicted"
        if streams is not None and streams.gaps:
            yield f"{self._name}: {streams.gaps} gaps in TCP streams: messages in them are missing"
        if self._tally.flows.overflow:
            yield f"{self._name}: {self._tally.flows.overflow} ESP packets of further flows are not listed"

    def _warn(self, reason: str, number: int) -> None:
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings.append(f"{self._name}: frame {number}: {reason}")
        else:
            self._muted += 1

    def _damaged(self, reason: str) -> None:
        """Note a fault in front of the next frame. The first one that stops the reading says it all."""
        self._truncated = True
        self._warn(reason, self._tally.frames + 1)

    # -- opening

    def _open(self) -> tuple[BinaryIO, bool]:
        """Return the stream, and whether it is ours to close."""
        if not isinstance(self._path, str | os.PathLike):
            return self._path, False
        if self._path == "-":
            return sys.stdin.buffer, False
        try:
            # Unbuffered: the window is the buffer.
            return cast(BinaryIO, open(self._path, "rb", buffering=0)), True
        except FileNotFoundError:
            reason = "no such file"
        except IsADirectoryError:
            reason = _DIRECTORY
        except PermissionError:
            # Windows does not tell the two apart.
            reason = _DIRECTORY if os.name == "nt" and os.path.isdir(self._path) else "permission denied"
        except (OSError, ValueError) as fault:
            reason = getattr(fault, "strerror", None) or str(fault)
        raise CaptureError(f"{self._name}: {reason}")

    def _decompressed(self, stream: BinaryIO) -> tuple[Window, str]:
        """Return the capture's own octets, and what they were compressed with ("" for not)."""
        window = Window(stream)
        window.need(8)
        if window.fault is None and window.end == 0:
            raise CaptureError(f"{self._name}: empty file")
        compression, decompress = compression_of(window.buffer[: window.end])
        if decompress is not None:
            try:
                window = decompressed(window.buffer[: window.end], stream, decompress, self._max_decompressed)
            except ImportError:
                raise CaptureError(f"{self._name}: reading {compression} needs the zstandard package") from None
            window.need(8)
        if window.fault is not None and window.end < 8:
            raise CaptureError(f"{self._name}: {window.fault}")
        if window.end == 0:
            raise CaptureError(f"{self._name}: empty file")
        return window, compression

    def _start(self, window: Window, compression: str) -> Iterator[None]:
        """Read the file header, and return the iteration over its records."""
        suffix = f" in {compression}" if compression else ""
        head = window.buffer[: window.end]
        if head[:4] == _PCAPNG_MAGIC:
            self._format = "pcapng" + suffix
            return self._pcapng(window)
        for order in "<>":
            kind = _PCAP_MAGICS.get(struct.unpack_from(order + "I", head)[0]) if len(head) >= 4 else None
            if kind:
                self._format = "pcap" + suffix
                return self._pcap(window, order, kind)
        for magic, what in _OTHER_FORMATS.items():
            if head.startswith(magic):
                raise CaptureError(f"{self._name}: {what} is not supported; {_EXPECTED}")
        dots = " …" if len(head) > 4 else ""
        starts = f"starts with {head[:4].hex(' ')}{dots}{suffix}"
        raise CaptureError(f"{self._name}: not a capture file ({starts}); {_EXPECTED}")

    def _packets_begin(self, window: Window, link: Link) -> Generator[None, None, bool]:
        """At the first packet: take what was read elsewhere. Returns whether that was all there is."""
        place = window.place
        for part in self._sieved or ():
            if part is None or part.begin != place:
                break
            self._take_part(part)
            place = self._elsewhere = part.stop
            yield
            if part.ended:
                return True
        self._sieved = None
        if place != window.place:
            window.jump(place)
        return False

    def _take_part(self, part: Sieved) -> None:
        """Take over what was counted elsewhere, and the frames that matter."""
        tally, before = self._tally, self._tally.frames
        for identifier, ticks, newest in part.statistics:
            link = self._links[identifier]
            if link.seen:
                newest = _greatest(newest, link.newest)
            self._widen(link, ticks, newest)
        for identifier, oldest, newest, latest in part.links:
            self._links[identifier].passed(oldest, newest, latest)
        for identifier, number, ticks, size, octets in part.frames:
            self._place(octets, 0, len(octets), size, self._links[identifier], ticks, before + number)
        tally.frames += part.count
        tally.snapped += part.snapped
        tally.unreadable += part.unreadable
        tally.esp += part.esp
        for key, frames in part.others.items():
            tally.count_other(key, frames)
        for flow, (packets, first, last, first_time, last_time) in part.flows.items():
            tally.flows.add(flow, packets, before + first, before + last, first_time, last_time)

    # -- pcap

    def _pcap(self, window: Window, order: str, kind: tuple[int, int, str]) -> Iterator[None]:
        """Read records, and stop where the buffer ends: then what is `ready` is to be taken."""
        if not window.need(24):
            raise CaptureError(f"{self._name}: the file ends within the pcap header")
        snaplen, link_type = struct.unpack_from(order + "II", window.buffer, 16)
        per_second, header, layout = kind
        # The upper bits tell of a frame check sequence; what is behind the IP packet does not matter here.
        link = Link(link_type & 0xFFFF, order, header, layout)
        link.ticks = per_second
        link.set_resolution(1_000_000_000 // per_second, 1, 0)
        link.limit = min(max(snaplen or MAX_RECORD, MAX_FRAME), MAX_RECORD)
        self._links.append(link)
        resolution = NANOSECONDS if per_second == 1_000_000_000 else MICROSECONDS
        self.interfaces.append(Interface("", link.type, snaplen, resolution))
        window.position = 24
        found, network = self._found, self._network
        if (yield from self._packets_begin(window, link)):
            return
        captured = struct.Struct(order + "8xI").unpack_from
        size = header
        while window.place < self._until:
            before = window.position
            stopped = network.run(_scan_pcap, window.buffer, before, window.edge(self._until, size), link, found)
            window.position = found.position
            if stopped == kinds.DAMAGED:
                (length,) = captured(window.buffer, window.position)
                self._damaged(f"a record of {length} octets cannot be true; reading stops here")
                return
            self._expire(link)
            yield
            left = window.end - window.position
            size = header + captured(window.buffer, window.position)[0] if left >= header else header
            if self._until != MAX_OFFSET and window.position > before:
                continue
            # A length that cannot be true is not read up to, but brought before the walker.
            if not window.more(size if size <= header + link.limit else header + link.reach):
                break
        if window.position < window.end and not window.fault and window.place < self._until:
            self._damaged("the file ends in the middle of the record")

    def _expire(self, link: Link) -> None:
        """Of what flows in, say what is lost when its time is up, not only when the next frame comes."""
        if self._flowing and link.seen:
            self._network.expire(link.nanoseconds(link.latest))

    # -- pcapng

    def _pcapng(self, window: Window) -> Iterator[None]:
        """Read blocks; the walker takes runs of packets of one interface, the rest is read one by one."""
        found, network = self._found, self._network
        section = _Section(self, window)
        size = 0
        begun = False
        while window.place < self._until:
            link = section.link
            if link is not None:
                if not begun:
                    begun = True
                    if (yield from self._packets_begin(window, link)):
                        return
                before = window.position
                stopped = network.run(_scan_pcapng, window.buffer, before, window.edge(self._until, size), link, found)
                window.position = found.position
                size = section.size()
                if self._until != MAX_OFFSET and window.position > before:
                    continue
                if stopped == kinds.MORE:
                    self._expire(link)
                    yield  # before more is waited for: a pipe may have none for long
                    if window.more(1):
                        continue
            if not section.block():
                return
            yield

    def packet(self, buffer: bytes, start: int, captured: int, original: int, link: Link, ticks: int) -> None:
        """Take in a packet that the walker does not read by itself."""
        tally = self._tally
        tally.frames += 1
        tally.snapped += original > captured
        self._place(buffer, start, start + captured, max(original, captured), link, ticks, tally.frames)

    def statistic(self, link: Link, ticks: int) -> None:
        """Take in what a file says of when the capture on an interface began, or ended."""
        self._widen(link, ticks, link.newest if link.seen else None)

    def drops(self, interface: int, option: int, packets: int) -> None:
        """Take in what a file says of packets that were dropped: the latest count for each interface holds."""
        self._dropped[len(self._watched), interface, option] = packets

    def filtered(self, expression: str) -> None:
        """Take in the capture filter that an interface had."""
        if len(self._filters) < MAX_WARNINGS:
            self._filters.setdefault(expression)

    def _widen(self, link: Link, ticks: int, newest: int | None) -> None:
        """Reach over such a time as well; `newest` -- ticks, of the interface's packets before."""
        time = _near_packets(link, ticks, newest)
        if time is not None:
            self._first, self._last = _least(self._first, time), _greatest(self._last, time)

    def _place(self, buffer: bytes, start: int, stop: int, size: int, link: Link, ticks: int, number: int) -> None:
        """Say where frame `number`, of `size` octets on the wire, belongs."""
        found, tally = self._found, self._tally
        found.start, found.stop, found.ticks = start, stop, ticks
        found.wire = start + size
        kind = walker.locate(buffer, start, stop, link.type, self._network.ports, found)
        if kind == kinds.OTHER:
            tally.count_other(found.key)
        elif kind == kinds.UNREADABLE:
            tally.unreadable += 1
        else:
            self._network.take(kind, buffer, found, link, number)


class _Section:
    """The blocks of a pcapng file around its packets: sections, interfaces, statistics.

    link -- the interface whose packets are being read
    """

    def __init__(self, savefile: Savefile, window: Window) -> None:
        self.link: Link | None = None
        self._savefile = savefile
        self._window = window
        self._order = ""
        if not (window.need(12) and window.need(min(self._length(self._byte_order()), MAX_RECORD))):
            raise CaptureError(f"{savefile._name}: the file ends within the pcapng section header")
        if not self.block():
            raise CaptureError(f"{savefile._name}: the pcapng section header is damaged")

    def _byte_order(self) -> str:
        at = self._window.position
        magic = self._window.buffer[at + 8 : at + 12]
        if magic not in _ORDERS:
            raise CaptureError(f"{self._savefile._name}: the pcapng section header is damaged")
        return _ORDERS[magic]

    def _length(self, order: str) -> int:
        return cast(int, struct.unpack_from(order + "I", self._window.buffer, self._window.position + 4)[0])

    def size(self) -> int:
        """Return the octets of the next block, as far as that can be told already, else 0."""
        window = self._window
        if window.end - window.position < 8:
            return 0
        return cast(int, struct.unpack_from(self._order + "4xI", window.buffer, window.position)[0])

    def block(self) -> bool:
        """Read one block; False where the file ends, or nothing after this point can be trusted."""
        window, file = self._window, self._savefile
        if not window.need(12):
            if window.position < window.end and not window.fault:
                file._damaged("the file ends in the middle of a block")
            return False
        at = window.position
        order = self._order
        if window.buffer[at : at + 4] == _PCAPNG_MAGIC:
            order = _ORDERS.get(window.buffer[at + 8 : at + 12], "")
        if not order:
            return self._stop("a section header with a byte order of its own invention")
        kind, length = struct.unpack_from(order + "II", window.buffer, at)
        if length < 12 or length & 3 or length > MAX_RECORD:
            return self._stop(f"a block of {length} octets cannot be true; reading stops here")
        if not window.need(length):
            if not window.fault:
                file._damaged("the file ends in the middle of a block")
            return False
        at = window.position
        if struct.unpack_from(order + "I", window.buffer, at + length - 4)[0] != length:
            return self._stop("a block's two lengths differ; reading stops here")
        self._order = order
        return self._read(kind, at, length)

    def _stop(self, reason: str) -> bool:
        self._savefile._damaged(reason)
        return False

    def _read(self, kind: int, at: int, length: int) -> bool:
        """Read a block that is wholly there, and step over it unless it is the walker's."""
        if kind == _SECTION:
            if length < 28 or struct.unpack_from(self._order + "H", self._window.buffer, at + 12)[0] != 1:
                return self._stop("a section header of an unknown version; reading stops here")
            self._new_section()
        elif kind == _INTERFACE:
            self._interface(at, length)
        elif kind == _ENHANCED:
            if self._enhanced(at, length):
                return True
        elif kind in (_SIMPLE, _PACKET):
            self._old_packet(kind, at, length)
        elif kind == _STATISTICS and length >= 24:
            self._statistics(at, length)
        elif kind in _NUMBERED:
            file = self._savefile
            file._tally.frames += 1
            file._tally.count_other(kinds.KEY_BLOCK + min(kind, 0xFFFF))
        self._window.position = at + length
        return True

    def _new_section(self) -> None:
        """Forget the interfaces, but not their times."""
        file = self._savefile
        watched = file._section_times()
        if watched and len(file._watched) >= MAX_SECTIONS:
            # Of more sections, it is not told any more what lay between them.
            (first, last), (before, after) = watched[0], file._watched.pop()
            watched = [(min(first, before), max(last, after))]
        file._watched += watched
        file._first = file._last = None
        file._links.clear()
        file.interfaces.clear()
        self.link = None

    def _interface(self, at: int, length: int) -> None:
        """§4.2. Without if_tsresol the ticks are microseconds."""
        links = self._savefile._links
        if length < 20 or len(links) >= MAX_INTERFACES:
            return
        link_type, snaplen = struct.unpack_from(self._order + "HxxI", self._window.buffer, at + 8)
        link = Link(link_type, self._order, 28, "IIIIIII", len(links))
        link.snaplen = snaplen
        resolution, offset, texts = MICROSECONDS, 0, {_OPTION_NAME: "", _OPTION_DESCRIPTION: ""}
        for code, value in self._options(at + 16, at + length - 4):
            if code in texts:
                texts[code] = value.rstrip(b"\0").decode("utf-8", "replace")
            elif code == _OPTION_FILTER and value[:1] == b"\0":  # §4.2: an expression of libpcap, and no program
                self._savefile.filtered(value[1:].rstrip(b"\0").decode("utf-8", "replace"))
            elif code == _OPTION_TSRESOL and len(value) == 1:
                resolution = value[0]
                exponent = value[0] & 0x7F
                if value[0] & 0x80:
                    link.set_resolution(1_000_000_000, 1 << exponent, link.offset)
                else:
                    link.set_resolution(10 ** max(9 - exponent, 0), 10 ** max(exponent - 9, 0), link.offset)
            elif code == _OPTION_TSOFFSET and len(value) == 8:
                (offset,) = struct.unpack(self._order + "q", value)
                link.set_resolution(link.multiply, link.divide, offset * 1_000_000_000)
        links.append(link)
        name, description = texts.values()
        self._savefile.interfaces.append(Interface(name, link_type, snaplen, resolution, offset, description))

    def _enhanced(self, at: int, length: int) -> bool:
        """§4.3. Whether the walker can read it: its interface is known, its lengths agree."""
        links = self._savefile._links
        if length >= 32:
            interface, captured = struct.unpack_from(self._order + "8xI8xI", self._window.buffer, at)
            if interface < len(links) and captured <= length - 32:
                self.link = links[interface]
                return True
        self._bad_packet()
        return False

    def _old_packet(self, kind: int, at: int, length: int) -> None:
        """§4.4 and appendix A. A Simple Packet Block has no time: that of the packet before it is taken."""
        links, buffer = self._savefile._links, self._window.buffer
        head = 12 if kind == _SIMPLE else 28
        interface = ticks = captured = 0
        if length >= head + 4:
            if kind == _SIMPLE:
                (original,) = struct.unpack_from(self._order + "8xI", buffer, at)
            else:
                interface, _, high, low, captured, original = struct.unpack_from(self._order + "8xHHIIII", buffer, at)
                ticks = high << 32 | low
        if length < head + 4 or interface >= len(links) or captured > length - head - 4:
            self._bad_packet()
            return
        link = links[interface]
        if kind == _SIMPLE:
            captured = min(original, link.snaplen or original, length - head - 4)
            ticks = link.latest
        else:
            link.passed(ticks, ticks, ticks)
        self._savefile.packet(buffer, at + head, captured, original, link, ticks)

    def _bad_packet(self) -> None:
        """Count a packet that cannot be read, in a block that can be stepped over: it has its number."""
        self._savefile._damaged("a packet block that contradicts itself was skipped")
        self._savefile._tally.frames += 1
        self._savefile._tally.unreadable += 1

    def _statistics(self, at: int, length: int) -> None:
        """§4.6: when the capture on an interface began and ended, and what was dropped."""
        file = self._savefile
        (interface,) = struct.unpack_from(self._order + "8xI", self._window.buffer, at)
        if interface >= len(file._links):
            return
        for code, value in self._options(at + 20, at + length - 4):
            if code in (_OPTION_STARTTIME, _OPTION_ENDTIME) and len(value) == 8:
                high, low = struct.unpack(self._order + "II", value)
                file.statistic(file._links[interface], high << 32 | low)
            elif code in (_OPTION_IFDROP, _OPTION_OSDROP) and len(value) == 8:
                (packets,) = struct.unpack(self._order + "Q", value)
                file.drops(interface, code, packets)

    def _options(self, at: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """§3.5; ends at the first option that does not fit."""
        buffer = self._window.buffer
        while at + 4 <= stop:
            code, size = struct.unpack_from(self._order + "HH", buffer, at)
            at += 4
            if code == 0 or at + size > stop:
                return
            yield code, buffer[at : at + size]
            at += size + 3 & ~3


def _near_packets(link: Link, ticks: int, newest: int | None) -> int | None:
    """The time that a statistics block means, in nanoseconds; None where that cannot be.

    dumpcap writes microseconds there, whatever resolution the interface has: the packets tell.
    """
    for time in (link.nanoseconds(ticks), ticks * 1000 + link.offset):
        if newest is None or abs(time - link.nanoseconds(newest)) < YEAR:
            return time
    return None


def ticks_of(buffer: bytes, position: int, link: Link, form: str) -> int:
    """Return the time of the record whose header is at `position`, in ticks; `form` is the summary's format."""
    order = "<" if link.little else ">"
    if form.startswith("pcapng"):
        high, low = struct.unpack_from(order + "12xII", buffer, position)
        return cast(int, high << 32 | low)
    seconds, fraction = struct.unpack_from(order + "II", buffer, position)
    return cast(int, seconds * link.ticks + fraction)


def _name(path: Source) -> str:
    if isinstance(path, str | os.PathLike):
        return "standard input" if path == "-" else os.fspath(path)
    return str(getattr(path, "name", "stream"))


def _least(one: int | None, other: int) -> int:
    return other if one is None or other < one else one


def _greatest(one: int | None, other: int) -> int:
    return other if one is None or other > one else one
