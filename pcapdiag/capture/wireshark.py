"""The same stream out of Wireshark: tshark, through pyshark, reads the file and takes its layers off.

What is left of each frame, its innermost IP packet, goes through our own reader as a frame of raw IP. So every format
and encapsulation that Wireshark knows can be read, and what is found in it is the same as without: an ICMP error
stays what it is, fragments are put together here, and a message is told from ESP by our own rules.

pyshark runs in a thread of its own with an event loop of its own, so that it works where a loop is running already (a
notebook) and never touches the child watchers that newer Pythons no longer have. It is asked for the octets of frames
and little else, and no packet is kept.

A live interface comes out of dumpcap, which has the privileges that this program does not need then.
"""

import asyncio
import os
import queue
import shutil
import struct
import subprocess
import tempfile
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import IO, Any, BinaryIO, cast

from msgspec.structs import replace

from .datagram import Captured, CaptureError, CaptureSummary, Datagram, EspFlow, FragmentLoss, Frame, IcmpError
from .savefile import Savefile

WAITING = 256
"""Frames that are read ahead of their analysis."""
SECONDS_TO_END = 5
"""How long tshark may take to end once it has said all."""
MOMENT = 0.3
"""Seconds that dumpcap may take to end by itself, once its stream has."""
SNAPLEN = 262_144
INSTALL = "apt-get install tshark, brew install wireshark, or https://www.wireshark.org/download.html"
_RAW_IP = 101
_IKE_PORT, _NAT_T_PORT, _CISCO_PORT = 500, 4500, 10000
_HEADER = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, SNAPLEN, _RAW_IP)


class WiresharkMissingError(Exception):
    """Something of Wireshark, or pyshark, is not installed. The text says what to do."""

    def __init__(self, what: str) -> None:
        how = "pip install pyshark" if what == "pyshark" else INSTALL
        super().__init__(f"this needs {what}, which is not installed: {how}")


def find_tool(name: str) -> str:
    """Where a program of Wireshark is. Raises WiresharkMissingError."""
    found = shutil.which(name)
    if found is None:
        raise WiresharkMissingError(name)
    return found


def display_filter(ports: Collection[int]) -> str:
    """What tshark hands on: what the reader would look at, and not the bulk of other traffic.

    ports -- of IKE, beside 500 and 4500. IKE on any other port is told by the version in its header, with the marker
    of RFC 3948 in front or without.
    """
    known = ", ".join(map(str, sorted({_IKE_PORT, _NAT_T_PORT, *ports})))
    headers = (f"udp.payload[{at}:1] == {version}" for at in (17, 21) for version in ("10", "20"))
    return " || ".join(
        (
            f"udp.port in {{{known}}}",
            *headers,
            "icmp.type in {3, 4, 5, 11, 12}",
            "icmpv6.type in {1, 2, 3, 4}",
            "ip.flags.mf == 1",
            "ip.frag_offset > 0",
            "ipv6.fraghdr",
            f"tcp.port in {{{_NAT_T_PORT}, {_CISCO_PORT}}}",
            "esp",
            "ah",
        )
    )


class WiresharkCapture:
    """A capture file that tshark reads. As a Savefile: iterate it once for what it holds, then ask for its summary.

    Raises WiresharkMissingError where tshark, capinfos or pyshark is missing, CaptureError for what tshark cannot read.
    A file that is cut or damaged further on is read up to there, and the summary says so.
    """

    def __init__(
        self, path: str | os.PathLike[str] | BinaryIO, *, capture: int = 0, ports: Collection[int] = ()
    ) -> None:
        self._path = path
        self._name = "standard input" if path == "-" else _name(path)
        self._ports = tuple(ports)
        self._capture = capture
        self._numbers: list[int] = []
        self._reader: Savefile | None = None
        self._properties = _Properties(0, None, None, None)
        self._fault: str | None = None

    def __iter__(self) -> Iterator[Captured]:
        """Read to the end, once."""
        if self._reader is not None:
            raise RuntimeError("a capture is read once")
        tools = find_tool("tshark"), find_tool("capinfos")
        try:
            import pyshark  # noqa: F401
        except ImportError:
            raise WiresharkMissingError("pyshark") from None
        with _as_file(self._path) as path:
            self._properties = _properties(tools[1], path, self._name)
            thread = _Reading(path, tools[0], display_filter(self._ports))
            stream = _Records(thread, self._numbers)
            self._reader = Savefile(cast(BinaryIO, stream), capture=self._capture, ports=self._ports, name=self._name)
            try:
                for item in self._reader:
                    yield self._renumbered(item)
            finally:
                thread.stop()
            self._fault = thread.fault

    def batches(self) -> Iterator[list[Captured]]:
        """The same in lists, of one item each: tshark is what takes the time."""
        for item in self:
            yield [item]

    @property
    def done(self) -> int:
        """Octets of the file that have been read, told by the frames."""
        frames = self._properties.frames
        if not self._numbers or not frames or not isinstance(self._path, str | os.PathLike) or self._path == "-":
            return 0
        return os.path.getsize(self._path) * min(self._numbers[-1], frames) // frames

    def summary(self) -> CaptureSummary:
        """What has been read; final once the iteration is over. Frames that tshark did not hand on count as other."""
        assert self._reader is not None
        read, whole = self._reader.summary(), self._properties
        frames = max(whole.frames, self._numbers[-1] if self._numbers else 0)
        rest = frames - read.frames
        protocols = dict(read.protocols)
        if rest:
            protocols["not IKE, by tshark's filter"] = rest
        warnings = [] if whole.fault is None else [f"{self._name}: {whole.fault}"]
        if self._fault is not None and not warnings:
            warnings.append(f"{self._name}: tshark stopped: {self._fault}")
        return replace(
            read,
            format="as tshark reads it",
            frames=frames,
            other=read.other + rest,
            protocols=protocols,
            first_time=whole.first_time if whole.first_time is not None else read.first_time,
            last_time=whole.last_time if whole.last_time is not None else read.last_time,
            watched=(),  # capinfos knows nothing of sections
            truncated=bool(warnings),
            warnings=(*warnings, *(w for w in read.warnings)),
            esp_flows=tuple(self._flow(flow) for flow in read.esp_flows),
        )

    # -- the numbers that the frames have in the file, in the place of those within what tshark handed on

    def _frame(self, frame: Frame) -> Frame:
        return Frame(frame.capture, self._numbers[frame.number - 1])

    def _frames(self, frames: Sequence[Frame]) -> tuple[Frame, ...]:
        return tuple(self._frame(frame) for frame in frames)

    def _flow(self, flow: EspFlow) -> EspFlow:
        return replace(flow, first_frame=self._frame(flow.first_frame), last_frame=self._frame(flow.last_frame))

    def _renumbered(self, item: Captured) -> Captured:
        if isinstance(item, FragmentLoss):
            return replace(item, frames=self._frames(item.frames))
        if isinstance(item, IcmpError):
            return replace(item, frame=self._frame(item.frame), quoted=self._datagram(item.quoted))
        return self._datagram(item)

    def _datagram(self, datagram: Datagram) -> Datagram:
        fragments = self._frames(datagram.fragments)
        return replace(datagram, frame=self._frame(datagram.frame), fragments=fragments)


def _name(path: str | os.PathLike[str] | BinaryIO) -> str:
    if isinstance(path, str | os.PathLike):
        return os.fspath(path)
    return str(getattr(path, "name", "a stream"))


class _as_file:  # noqa: N801 -- used as a function
    """The capture under a name, as tshark wants it: a stream is copied to a temporary file."""

    def __init__(self, path: str | os.PathLike[str] | BinaryIO) -> None:
        self._path = path
        self._copy: Any = None

    def __enter__(self) -> str:
        if isinstance(self._path, str | os.PathLike) and self._path != "-":
            return os.fspath(self._path)
        import sys

        source = sys.stdin.buffer if isinstance(self._path, str | os.PathLike) else self._path
        self._copy = tempfile.NamedTemporaryFile()
        shutil.copyfileobj(source, self._copy)
        self._copy.flush()
        return str(self._copy.name)

    def __exit__(self, *_: object) -> None:
        if self._copy is not None:
            self._copy.close()


# --- what capinfos says of the file ------------------------------------------------------------------------------


class _Properties:
    """Frames, when the first and the last of them were captured (nanoseconds), and what is wrong with the file."""

    def __init__(self, frames: int, first: int | None, last: int | None, fault: str | None) -> None:
        self.frames, self.first_time, self.last_time, self.fault = frames, first, last, fault


def _properties(capinfos: str, path: str, name: str) -> _Properties:
    """How many frames there are, of which tshark hands on a few, and when the file ends: silence is judged by that."""
    command = [capinfos, "-T", "-r", "-m", "-c", "-a", "-e", "-S", path]
    found = subprocess.run(command, capture_output=True, check=False)
    lines = found.stderr.decode("utf-8", "replace").splitlines()
    said = [line.removeprefix("capinfos: ").removeprefix(f'The file "{path}" ') for line in lines]
    row = found.stdout.decode("utf-8", "replace").strip().rsplit(",", 3)
    if len(row) != 4 or not row[1].isdigit():
        reason = said[0] if said else "tshark cannot read it"
        raise CaptureError(f"{name}: {reason.replace(path, name).rstrip('.')}")
    fault = next((line for line in said if "appears" in line), said[0]) if found.returncode and said else None
    fault = fault.replace(path, name).rstrip(".") if fault else None
    return _Properties(int(row[1]), nanoseconds(row[2]), nanoseconds(row[3]), fault)


def nanoseconds(seconds: str) -> int | None:
    """Seconds since the Unix epoch, as Wireshark's programs write them, in nanoseconds; None for anything else."""
    whole, _, fraction = seconds.strip().strip('"').partition(".")
    try:
        number = int(whole)
        rest = int(fraction[:9].ljust(9, "0")) if fraction else 0
    except ValueError:
        return None
    return number * 1_000_000_000 + (-rest if whole.startswith("-") else rest)


# --- pyshark in its own thread -----------------------------------------------------------------------------------


class _Packet:
    """One frame: its number, its time (nanoseconds), octets that it had on the wire behind the link layers, and the
    innermost IP packet as far as captured; nothing where there is none."""

    __slots__ = ("number", "octets", "time", "wire")

    def __init__(self, number: int, time: int, wire: int, octets: bytes) -> None:
        self.number, self.time, self.wire, self.octets = number, time, wire, octets


class _Reading:
    """The thread: pyshark fills `packets`, None at the end; `fault` says what ended it early."""

    def __init__(self, path: str, tshark: str, shown: str) -> None:
        self.packets: queue.Queue[_Packet | None] = queue.Queue(WAITING)
        self.fault: str | None = None
        self._path, self._tshark, self._shown = path, tshark, shown
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pyshark", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let tshark go, wherever it is."""
        self._stopped.set()
        while self._thread.is_alive():
            with suppress(queue.Empty):
                self.packets.get(timeout=0.05)
        self._thread.join()

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        try:
            asyncio.set_event_loop(loop)
            loop.run_until_complete(self._read(loop))
        except Exception as error:
            # pyshark raises what it likes for a file that is cut; what came before it counts all the same.
            if not self._stopped.is_set():
                self.fault = _one_line(error)
        finally:
            asyncio.set_event_loop(None)
            loop.close()
            self._put(None)

    async def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        import pyshark

        capture = pyshark.FileCapture(
            self._path,
            display_filter=self._shown,
            keep_packets=False,
            tshark_path=self._tshark,
            use_json=True,
            include_raw=True,
            eventloop=loop,
            custom_parameters=["-J", "frame udp"],
        )

        def take(packet: Any) -> None:
            if self._stopped.is_set():
                raise pyshark.capture.capture.StopCapture
            self._put(_packet(packet))

        try:
            await capture.packets_from_tshark(take, close_tshark=False)
            # Before it is closed: to kill a process that is just ending makes asyncio complain of an unknown child.
            for process in tuple(capture._running_processes) if not self._stopped.is_set() else ():
                await asyncio.wait_for(process.wait(), SECONDS_TO_END)
        finally:
            try:
                await capture.close_async()
            finally:
                # What pyshark leaves behind where it complains would be closed again, on a loop that is gone.
                capture._running_processes.clear()
                await asyncio.gather(*capture._stderr_handling_tasks, return_exceptions=True)

    def _put(self, packet: _Packet | None) -> None:
        while True:
            try:
                self.packets.put(packet, timeout=0.1)
                return
            except queue.Full:
                if self._stopped.is_set():
                    return


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    last = next((line for line in lines if line.startswith("Last error line:")), lines[0] if lines else "")
    return last.removeprefix("Last error line:").strip() or type(error).__name__


def _packet(packet: Any) -> _Packet:
    """What is needed of a packet of pyshark's: the JSON of tshark, with the octets of each layer."""
    octets = {layer.layer_name: _values(layer) for layer in packet.layers if layer.layer_name.endswith("_raw")}
    frame = bytes.fromhex(octets["frame_raw"][0]) if octets.get("frame_raw") else b""
    time = nanoseconds(str(packet.sniff_timestamp)) or 0
    at = _ip_header(frame, [*octets.get("ip_raw", ()), *octets.get("ipv6_raw", ())], _before_ah(packet))
    if at is not None:
        return _Packet(int(packet.number), time, max(int(packet.length) - at, len(frame) - at), frame[at:])
    rebuilt = _rebuilt(packet, octets)
    return _Packet(int(packet.number), time, len(rebuilt), rebuilt)


def _values(layer: Any) -> list[str]:
    """The octets of the layers of a name: `[hex, position, length, …]` for one, a list of such for several."""
    found = []
    for each in (layer, *layer.duplicate_layers):
        value = getattr(each, "value", None)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str):
            found.append(value)
    return found


def _before_ah(packet: Any) -> int | None:
    """How many IP headers come before an Authentication Header (RFC 4302); None where there is none.

    What it carries may be a packet with addresses of its own: the flow is between those of the header before it.
    """
    names = str(getattr(packet.frame_info, "protocols", "")).split(":")
    return sum(name in ("ip", "ipv6") for name in names[: names.index("ah")]) if "ah" in names else None


def _ip_header(frame: bytes, headers: Sequence[str], number: int | None) -> int | None:
    """Where in the frame the innermost IP header is, of those that Wireshark found; not one that ICMP quotes.

    number -- of the one to take instead, from 1
    """
    places = []
    for header in headers:
        with suppress(ValueError):
            at = frame.find(bytes.fromhex(header))
            if at >= 0:
                places.append(at)
    places.sort()
    return places[number - 1 if number and number <= len(places) else -1] if places else None


def _rebuilt(packet: Any, octets: dict[str, list[str]]) -> bytes:
    """The IP packet where Wireshark put it together from several frames or decompressed it: header, UDP, payload."""
    headers = octets.get("ip_raw") or octets.get("ipv6_raw")
    udp = next((layer for layer in packet.layers if layer.layer_name == "udp"), None)
    if not headers or not octets.get("udp_raw") or udp is None:
        return b""
    try:
        payload = udp.get_field("payload_raw")
        payload_octets = bytes.fromhex(payload[0] if isinstance(payload, list) else str(payload.value))
        return bytes.fromhex(headers[-1]) + bytes.fromhex(octets["udp_raw"][-1])[:8] + payload_octets
    except (AttributeError, IndexError, TypeError, ValueError):
        return b""


class _Records:
    """A pcap file of raw IP, made of what the thread reads while it is read. `numbers` takes those of the frames."""

    def __init__(self, thread: _Reading, numbers: list[int]) -> None:
        self._thread = thread
        self._numbers = numbers
        self._buffer = bytearray(_HEADER)
        self._over = False

    def read(self, size: int = -1) -> bytes:
        """At least an octet of what is there, b"" at the end."""
        while not self._buffer and not self._over:
            packet = self._thread.packets.get()
            if packet is None:
                self._over = True
                break
            if packet.octets:
                self._numbers.append(packet.number)
                self._buffer += _record(packet)
        size = len(self._buffer) if size < 0 else size
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found


def _record(packet: _Packet) -> bytes:
    seconds, rest = divmod(max(packet.time, 0), 1_000_000_000)
    head = struct.pack("<IIII", seconds & 0xFFFFFFFF, rest, len(packet.octets), packet.wire)
    return head + packet.octets


# --- live --------------------------------------------------------------------------------------------------------


class Dumpcap:
    """A live interface through dumpcap, which may capture where this program may not.

    stream -- a pcapng file that grows, to be read as any other; it ends when dumpcap does
    """

    def __init__(self, interface: str, capture_filter: str = "", snaplen: int = 0) -> None:
        """Start it. Raises WiresharkMissingError without dumpcap; what it says of the interface comes with `close`."""
        command = [find_tool("dumpcap"), "-q", "-i", interface, "-w", "-"]
        if capture_filter:
            command += ["-f", capture_filter]
        if snaplen:
            command += ["-s", str(snaplen)]
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 -- closed in close()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._errors)
        assert self._process.stdout is not None
        self._stopped = False
        self.stream: BinaryIO = cast(BinaryIO, self._process.stdout)

    def stop(self) -> None:
        """Ask it to end; what it has captured is still in the stream, which then ends too. From any thread."""
        if self._process.poll() is None:
            self._stopped = True
            self._process.terminate()

    def close(self) -> str | None:
        """Stop it and let go of the stream; what it complained of, in a line, where it ended by itself and not well."""
        with suppress(subprocess.TimeoutExpired):
            # The stream may have ended a moment before the process does.
            self._process.wait(0 if self._stopped else MOMENT)
        self.stop()
        self.stream.close()
        status = self._process.wait()
        self._errors.seek(0)
        said = [line.strip() for line in self._errors.read().decode("utf-8", "replace").splitlines() if line.strip()]
        self._errors.close()
        if self._stopped or not status:
            return None
        told = [line.removeprefix("dumpcap: ") for line in said if line.startswith("dumpcap: ")]
        return (told or said or [f"dumpcap ended with status {status}"])[0]
