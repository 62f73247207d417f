"""Damage, the same for the same dice: what the targets are run on where no coverage leads the way."""

import struct
from collections.abc import Sequence
from random import Random

LONGEST = 16_384
"""Octets that an input may grow to."""
_INTERESTING = (
    *(0, 1, 2, 3, 4, 7, 8, 12, 16, 27, 28, 32, 127, 128, 255, 256, 4095, 65_535),
    *(1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1),
)
_PACKED = ("<H", ">H", "<I", ">I", "B")


def mutate(data: bytes, dice: Random, others: Sequence[bytes]) -> bytes:
    """One to four changes of octets, without regard to what they mean; `others` is where foreign octets come from."""
    found = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 2, 4))):
        _change(found, dice, others)
    return bytes(found[:LONGEST])


def _change(found: bytearray, dice: Random, others: Sequence[bytes]) -> None:
    size = len(found)
    kind = dice.randrange(9)
    if not size or kind == 0:
        at = dice.randint(0, size)
        found[at:at] = dice.randbytes(dice.choice((1, 2, 4, 8, 32)))
        return
    at = dice.randrange(size)
    if kind == 1:
        found[at] ^= 1 << dice.randrange(8)
    elif kind == 2:
        found[at] = dice.randrange(256)
    elif kind == 3:
        form = dice.choice(_PACKED)
        width = struct.calcsize(form)
        found[at : at + width] = struct.pack(form, dice.choice(_INTERESTING) & ((1 << 8 * width) - 1))
    elif kind == 4:
        del found[at : at + dice.choice((1, 2, 4, 8, 64))]
    elif kind == 5:
        del found[at:]
    elif kind == 6:  # a span once more, somewhere
        span = found[at : at + dice.choice((4, 8, 28, 64, 256))]
        to = dice.randrange(size)
        found[to:to] = span
    elif kind == 7:  # a span over another
        span = found[at : at + dice.choice((2, 4, 8, 16, 64))]
        to = dice.randrange(size)
        found[to : to + len(span)] = span
    else:  # a span of another input
        other = dice.choice(others)
        start = dice.randrange(len(other)) if other else 0
        found[at : at + dice.choice((0, 8, 64))] = other[start : start + dice.choice((4, 8, 28, 64, 256))]


def mutate_capture(data: bytes, dice: Random, others: Sequence[bytes]) -> bytes:
    """Changes of a pcap file: half the time of the octets, else of whole records, whose lengths are made to fit.

    Octets alone mostly break the walk over the records, and then the rest of the file is not even looked at.
    """
    records = _records(data) if dice.random() < 0.5 else None
    if not records:
        return mutate(data, dice, others)
    for _ in range(dice.choice((1, 1, 2, 3))):
        at = dice.randrange(len(records))
        time, frame = records[at]
        kind = dice.randrange(6)
        if kind < 3:
            records[at] = (time, mutate(frame, dice, others))
        elif kind == 3 and len(records) < 200:
            records.insert(dice.randint(0, len(records)), records[at])
        elif kind == 4 and len(records) > 1:
            del records[at]
        else:
            to = dice.randrange(len(records))
            records[at], records[to] = (records[to][0], frame), (time, records[to][1])
    body = (time + struct.pack("<II", len(frame), len(frame)) + frame for time, frame in records)
    return data[:24] + b"".join(body)


def _records(data: bytes) -> list[tuple[bytes, bytes]] | None:
    """Time and octets of each record of a little-endian pcap file; None of another."""
    if data[:4] not in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"):
        return None
    found = []
    at = 24
    while at + 16 <= len(data):
        (size,) = struct.unpack_from("<I", data, at + 8)
        if size > len(data) - at - 16:
            break
        found.append((data[at : at + 8], data[at + 16 : at + 16 + size]))
        at += 16 + size
    return found


def frames_of(data: bytes) -> list[bytes]:
    """The frames of a little-endian pcap file."""
    return [frame for _, frame in _records(data) or ()]


def cut(data: bytes, first: int, count: int) -> bytes:
    """A pcap file with `count` records of this one, from the one numbered `first` (from 0) on."""
    chosen = (_records(data) or [])[first : first + count]
    return data[:24] + b"".join(t + struct.pack("<II", len(f), len(f)) + f for t, f in chosen)
