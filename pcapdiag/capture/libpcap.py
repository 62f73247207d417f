"""libpcap, as far as live capture needs it, called through ctypes.

Its own library is preferred, the one that tcpdump uses on the same machine; where there is none, the copy that the
wheel of cypcap carries. cypcap's own objects are not used: they give times as a float, which holds no nanoseconds, and
with nanoseconds asked for they take those for microseconds.

The structures are those of libpcap 1.5 and later, on systems whose `struct timeval` has two longs, or on macOS a long
and an int.
"""

import ctypes
import sys
from collections.abc import Callable, Iterator
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_ubyte, c_uint, c_uint16, c_uint32, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

from pcapdiag.record import Record

NANOSECONDS = 1
UNKNOWN_NETMASK = 0xFFFFFFFF
_ERROR_SIZE = 256
_LIBRARIES = ("libpcap.so.0.8", "libpcap.so.1", "libpcap.so", "libpcap.dylib", "/usr/lib/libpcap.A.dylib")

# Return values of pcap_activate(), pcap/pcap.h.
WARNING_PROMISC_NOT_SUPPORTED = 2
ERROR_NO_SUCH_DEVICE, ERROR_PERMISSION, ERROR_NOT_UP, ERROR_PROMISC_PERMISSION = -5, -8, -9, -11

# Flags of an interface, pcap/pcap.h.
LOOPBACK, UP, RUNNING = 1, 2, 4


class LibpcapError(Exception):
    """What libpcap said, in its own words; `code` is what its function returned."""

    def __init__(self, text: str, code: int = -1) -> None:
        super().__init__(text)
        self.code = code


class MissingLibraryError(Exception):
    """There is no libpcap."""


class _PacketHeader(ctypes.Structure):
    _fields_ = (
        ("seconds", c_long),
        ("fraction", c_int if sys.platform == "darwin" else c_long),
        ("captured", c_uint32),
        ("length", c_uint32),
    )


class _Instruction(ctypes.Structure):
    _fields_ = (("code", c_uint16), ("if_true", c_ubyte), ("if_false", c_ubyte), ("k", c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", c_uint), ("instructions", POINTER(_Instruction)))


class _Statistics(ctypes.Structure):
    _fields_ = (("received", c_uint), ("dropped", c_uint), ("interface_dropped", c_uint))


class _Interface(ctypes.Structure):
    pass


_Interface._fields_ = (
    ("next", POINTER(_Interface)),
    ("name", c_char_p),
    ("description", c_char_p),
    ("addresses", c_void_p),
    ("flags", c_uint32),
)

_Callback = ctypes.CFUNCTYPE(None, c_void_p, POINTER(_PacketHeader), c_void_p)
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "pcap_lib_version": (c_char_p, ()),
    "pcap_create": (c_void_p, (c_char_p, c_char_p)),
    "pcap_set_snaplen": (c_int, (c_void_p, c_int)),
    "pcap_set_promisc": (c_int, (c_void_p, c_int)),
    "pcap_set_timeout": (c_int, (c_void_p, c_int)),
    "pcap_set_buffer_size": (c_int, (c_void_p, c_int)),
    "pcap_set_tstamp_precision": (c_int, (c_void_p, c_int)),
    "pcap_get_tstamp_precision": (c_int, (c_void_p,)),
    "pcap_activate": (c_int, (c_void_p,)),
    "pcap_geterr": (c_char_p, (c_void_p,)),
    "pcap_statustostr": (c_char_p, (c_int,)),
    "pcap_datalink": (c_int, (c_void_p,)),
    "pcap_snapshot": (c_int, (c_void_p,)),
    "pcap_open_dead": (c_void_p, (c_int, c_int)),
    "pcap_compile": (c_int, (c_void_p, POINTER(_Program), c_char_p, c_int, c_uint32)),
    "pcap_setfilter": (c_int, (c_void_p, POINTER(_Program))),
    "pcap_freecode": (None, (POINTER(_Program),)),
    "pcap_offline_filter": (c_int, (POINTER(_Program), POINTER(_PacketHeader), c_char_p)),
    "pcap_setnonblock": (c_int, (c_void_p, c_int, c_char_p)),
    "pcap_get_selectable_fd": (c_int, (c_void_p,)),
    "pcap_dispatch": (c_int, (c_void_p, c_int, _Callback, c_void_p)),
    "pcap_stats": (c_int, (c_void_p, POINTER(_Statistics))),
    "pcap_close": (None, (c_void_p,)),
    "pcap_findalldevs": (c_int, (POINTER(POINTER(_Interface)), c_char_p)),
    "pcap_freealldevs": (None, (POINTER(_Interface),)),
}


@cache
def _library() -> Any:
    """The library with its functions declared. Raises MissingLibraryError."""
    found = next(_candidates(), None)
    if found is None:
        raise MissingLibraryError
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


def _candidates() -> Iterator[ctypes.CDLL]:
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        if hasattr(library, "pcap_set_tstamp_precision"):
            yield library
    try:
        import cypcap
    except ImportError:
        return
    for path in sorted(Path(cypcap.__file__).parents[1].glob("cypcap.libs/libpcap*")):
        yield ctypes.CDLL(str(path))


def version() -> str:
    """What the library calls itself."""
    return str(_library().pcap_lib_version().decode())


# --- filters ---------------------------------------------------------------------------------------------------

Instruction = tuple[int, int, int, int]
"""Code, jump where true, jump where false, operand."""
_RETURN, _JUMP = 0x06, 0x05
MAX_INSTRUCTIONS = 4096
"""BPF_MAXINSNS of the kernel."""


def alternatives(programs: list[list[Instruction]]) -> list[Instruction]:
    """One program that lets through what any of these do: where one says no, the next is asked.

    A filter expression cannot say that: behind a word like `vlan` all offsets are moved, in what follows an `or` too.
    """
    joined: list[Instruction] = []
    for number, program in enumerate(programs):
        last = number == len(programs) - 1
        for place, (code, if_true, if_false, k) in enumerate(program):
            if code == _RETURN and k == 0 and not last:
                joined.append((_JUMP, 0, 0, len(program) - place - 1))
            else:
                joined.append((code, if_true, if_false, k))
    return joined


def _program(instructions: list[Instruction]) -> _Program:
    array = (_Instruction * len(instructions))(*(_Instruction(*i) for i in instructions))
    return _Program(len(instructions), ctypes.cast(array, POINTER(_Instruction)))


class Filter:
    """A filter program that can be tried on frames without an interface."""

    def __init__(self, instructions: list[Instruction]) -> None:
        self._program = _program(instructions)

    def passes(self, frame: bytes) -> bool:
        """Whether it lets this frame through."""
        header = _PacketHeader(0, 0, len(frame), len(frame))
        return bool(_library().pcap_offline_filter(byref(self._program), byref(header), frame))


# --- handles ---------------------------------------------------------------------------------------------------


class Counts(Record, frozen=True):
    """What the kernel says of one interface, in packets since it was opened.

    received -- that passed the filter, those dropped included
    dropped -- of them, for want of room in the buffer
    interface_dropped -- by the interface or its driver, before any filter; where the system tells
    """

    received: int = 0
    dropped: int = 0
    interface_dropped: int = 0


Packet = tuple[int, int, bytes, int]
"""Nanoseconds since the Unix epoch, octets on the wire, octets captured, and the tag of the handle."""


class Handle:
    """One libpcap handle. Raises LibpcapError for what libpcap refuses, MissingLibraryError where there is none."""

    def __init__(self, pointer: int) -> None:
        self._library = _library()
        self._pointer = c_void_p(pointer)
        self._open = True
        self._got: list[Packet] = []
        self._tag = 0
        self._to_nanoseconds = 1000
        self._callback = _Callback(self._packet)

    @classmethod
    def dead(cls, link_type: int, snaplen: int = 262_144) -> "Handle":
        """A handle that only compiles."""
        return cls(_library().pcap_open_dead(link_type, snaplen))

    @classmethod
    def live(cls, name: str, *, snaplen: int, promiscuous: bool, delay: int, buffer: int, tag: int = 0) -> "Handle":
        """Open an interface, not blocking.

        tag -- what its packets carry, so that it is known which handle they came from
        delay -- milliseconds after which the kernel hands over what it has; buffer -- octets it may hold until then
        """
        library = _library()
        error = ctypes.create_string_buffer(_ERROR_SIZE)
        pointer = library.pcap_create(name.encode(), error)
        if not pointer:
            raise LibpcapError(_text(error.value))
        handle = cls(pointer)
        handle._tag = tag
        try:
            library.pcap_set_snaplen(pointer, snaplen)
            library.pcap_set_promisc(pointer, int(promiscuous))
            library.pcap_set_timeout(pointer, delay)
            library.pcap_set_buffer_size(pointer, buffer)
            library.pcap_set_tstamp_precision(pointer, NANOSECONDS)
            status = library.pcap_activate(pointer)
            if status < 0:
                said = _text(library.pcap_geterr(pointer)) or _text(library.pcap_statustostr(status))
                raise LibpcapError(said, status)
            if library.pcap_get_tstamp_precision(pointer) == NANOSECONDS:
                handle._to_nanoseconds = 1
            if library.pcap_setnonblock(pointer, 1, error) < 0:
                raise LibpcapError(_text(error.value))
        except BaseException:
            handle.close()
            raise
        return handle

    @property
    def link_type(self) -> int:
        """As the link-type registry numbers it."""
        kind = int(self._library.pcap_datalink(self._pointer))
        return {12: 101, 14: 101}.get(kind, kind)

    @property
    def snaplen(self) -> int:
        """Octets of a frame that are captured."""
        return int(self._library.pcap_snapshot(self._pointer))

    @property
    def descriptor(self) -> int:
        """What to wait on until there is something to read."""
        return int(self._library.pcap_get_selectable_fd(self._pointer))

    def compile(self, expression: str) -> list[Instruction]:
        """Compile a filter expression (pcap-filter(7)) for this link type."""
        program = _Program()
        if self._library.pcap_compile(self._pointer, byref(program), expression.encode(), 1, UNKNOWN_NETMASK) < 0:
            raise LibpcapError(_text(self._library.pcap_geterr(self._pointer)))
        found = program.instructions[: program.length]
        instructions = [(i.code, i.if_true, i.if_false, i.k) for i in found]
        self._library.pcap_freecode(byref(program))
        return instructions

    def set_filter(self, instructions: list[Instruction]) -> None:
        """Have the kernel hand over only what passes."""
        program = _program(instructions)
        if self._library.pcap_setfilter(self._pointer, byref(program)) < 0:
            raise LibpcapError(_text(self._library.pcap_geterr(self._pointer)))

    def read(self, limit: int) -> list[Packet]:
        """What has arrived, at most about `limit` packets; empty where nothing has. Raises LibpcapError."""
        code = self._library.pcap_dispatch(self._pointer, limit, self._callback, None)
        got, self._got = self._got, []
        if code < 0:
            raise LibpcapError(_text(self._library.pcap_geterr(self._pointer)), code)
        return got

    def _packet(self, _: Any, header: Callable[..., Any], data: int) -> None:
        found: Any = header.contents  # type: ignore[attr-defined]
        time = found.seconds * 1_000_000_000 + found.fraction * self._to_nanoseconds
        self._got.append((time, found.length, ctypes.string_at(data, found.captured), self._tag))

    def counts(self) -> Counts:
        """What the kernel counted so far. Raises LibpcapError where the interface is gone."""
        found = _Statistics()
        if self._library.pcap_stats(self._pointer, byref(found)) < 0:
            raise LibpcapError(_text(self._library.pcap_geterr(self._pointer)))
        return Counts(found.received, found.dropped, found.interface_dropped)

    def close(self) -> None:
        """Let go of the interface; harmless the second time."""
        if self._open:
            self._open = False
            self._library.pcap_close(self._pointer)


class Device(Record, frozen=True):
    """An interface that libpcap knows of."""

    name: str
    description: str
    flags: int


def devices() -> list[Device]:
    """Every interface, those that may not be opened included. Raises LibpcapError, MissingLibraryError."""
    library = _library()
    head = POINTER(_Interface)()
    error = ctypes.create_string_buffer(_ERROR_SIZE)
    if library.pcap_findalldevs(byref(head), error) < 0:
        raise LibpcapError(_text(error.value))
    found = []
    at = head
    while at:
        one = at.contents
        found.append(Device(_text(one.name), _text(one.description), one.flags))
        at = one.next
    library.pcap_freealldevs(head)
    return found


def _text(octets: bytes | None) -> str:
    return (octets or b"").decode("utf-8", "replace").strip()
