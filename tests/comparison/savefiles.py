"""Savefiles taken apart and put together again: cut, thinned, snapped, by another clock, as a NAT leaves them."""

import random
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from tests import CAPTURES, SHARED

LEFT, RIGHT = CAPTURES / "mm4-lost-initiator-side.pcap", CAPTURES / "mm4-lost-responder-side.pcap"
LAB = SHARED / "lab"


class Record(NamedTuple):
    """One frame: time in microseconds, octets on the wire, octets."""

    time: int
    wire: int
    octets: bytes


def read(path: Path) -> list[Record]:
    """The records of a little-endian pcap file with microseconds."""
    octets, place, found = path.read_bytes(), 24, []
    while place + 16 <= len(octets):
        seconds, micro, size, wire = struct.unpack_from("<IIII", octets, place)
        found.append(Record(seconds * 1_000_000 + micro, wire, octets[place + 16 : place + 16 + size]))
        place += 16 + size
    return found


def write(path: Path, records: Iterable[Record]) -> Path:
    """Write them, as Ethernet."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
    rows = (struct.pack("<IIII", *divmod(r.time, 1_000_000), len(r.octets), r.wire) + r.octets for r in records)
    path.write_bytes(head + b"".join(rows))
    return path


def snapped(records: Iterable[Record], size: int) -> list[Record]:
    return [r._replace(octets=r.octets[:size]) for r in records]


def shifted(records: Iterable[Record], seconds: float, drift: float = 0.0) -> list[Record]:
    rows = list(records)
    start = rows[0].time
    return [r._replace(time=r.time + round(seconds * 1e6 + (r.time - start) * drift)) for r in rows]


def thinned(records: Iterable[Record], share: float, seed: int) -> list[Record]:
    chance = random.Random(seed)
    return [r for r in records if chance.random() >= share]


def edited(records: Iterable[Record], change: Callable[[bytearray], None]) -> list[Record]:
    """The same with every whole IPv4 packet changed behind its Ethernet header."""
    found = []
    for r in records:
        if r.octets[12:14] == b"\x08\x00":
            ip = bytearray(r.octets[14:])
            change(ip)
            r = r._replace(octets=r.octets[:14] + bytes(ip))
        found.append(r)
    return found


def without_identification(ip: bytearray) -> None:
    ip[4:6] = b"\0\0"


def translated(was: bytes, now: bytes) -> Callable[[bytearray], None]:
    """What a NAT does to an address."""

    def change(ip: bytearray) -> None:
        for at in (12, 16):
            if bytes(ip[at : at + 4]) == was:
                ip[at : at + 4] = now

    return change
