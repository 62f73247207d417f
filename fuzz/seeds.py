"""What the targets begin with: pieces of the labelled captures, taken when they are asked for."""

import struct
from functools import cache
from pathlib import Path

from fuzz.mutation import cut, frames_of
from pcapdiag.capture.datagram import Datagram
from pcapdiag.capture.savefile import Savefile
from pcapdiag.ike.nat_traversal import strip_marker

ROOT = Path(__file__).parents[1]
CAPTURES = ROOT / "captures"
KEYS = CAPTURES / "keys"
REGRESSIONS = Path(__file__).parent / "regressions"


@cache
def captures() -> tuple[bytes, ...]:
    """The files as they are."""
    return tuple(path.read_bytes() for path in sorted(CAPTURES.glob("*.pcap*")))


@cache
def short_captures() -> tuple[bytes, ...]:
    """At most ten frames of each: how it begins, and a part of its middle; pcapng whole where it is short."""
    found = []
    for data in captures():
        count = len(frames_of(data))
        if not count:
            found.append(data)
        found += [cut(data, first, 10) for first in range(0, min(count, 30), 10)]
    return tuple(found)


@cache
def messages() -> tuple[bytes, ...]:
    """Every different IKE message, without the marker of RFC 3948."""
    found: dict[bytes, None] = {}
    for path in sorted(CAPTURES.glob("*.pcap*")):
        for item in Savefile(path):
            if isinstance(item, Datagram) and len(item.payload) >= 28:
                found.setdefault(strip_marker(item.payload)[0])
    return tuple(found)


@cache
def frames() -> tuple[bytes, ...]:
    """Every different frame, its link type (two octets) in front."""
    found: dict[bytes, None] = {}
    for data in captures():
        for frame in frames_of(data):
            found.setdefault(struct.pack(">H", data[20] | data[21] << 8) + frame)
    return tuple(found)


def regressions(name: str) -> dict[str, bytes]:
    """What once was a finding of this target, by the name of the file."""
    folder = REGRESSIONS / name
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*"))} if folder.is_dir() else {}
