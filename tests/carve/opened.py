"""Reads savefiles as simply as can be, to hold against what the program writes."""

import struct
from pathlib import Path
from typing import NamedTuple

PADDING = 4


class Opened(NamedTuple):
    """A frame: time in nanoseconds, octets on the wire, those captured, comments, link type, snap length, interface."""

    time: int
    wire: int
    octets: bytes
    comments: list[str]
    link_type: int
    snaplen: int
    name: str


def options(octets: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at + 4 <= len(octets):
        code, size = struct.unpack_from("<HH", octets, at)
        found.append((code, octets[at + 4 : at + 4 + size]))
        at += 4 + size + -size % PADDING
    return found


def opened(source: Path | bytes) -> list[Opened]:
    """Every frame of a little-endian pcap or pcapng file with decimal resolutions."""
    octets = source if isinstance(source, bytes) else source.read_bytes()
    return list(_blocks(octets)) if octets[:4] == b"\n\r\r\n" else list(_records(octets))


def _records(octets: bytes) -> list[Opened]:
    magic, snaplen, link_type = struct.unpack_from("<I12xII", octets)
    scale = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[magic]
    found, at = [], 24
    while at < len(octets):
        seconds, fraction, captured, wire = struct.unpack_from("<IIII", octets, at)
        at += 16
        time = seconds * 1_000_000_000 + fraction * scale
        found.append(Opened(time, wire, octets[at : at + captured], [], link_type, snaplen, ""))
        at += captured
    return found


def _blocks(octets: bytes) -> list[Opened]:
    found: list[Opened] = []
    interfaces: list[tuple[int, int, int, str]] = []
    at = 0
    while at < len(octets):
        kind, length = struct.unpack_from("<II", octets, at)
        assert octets[at + length - 4 : at + length] == octets[at + 4 : at + 8]
        body = octets[at + 8 : at + length - 4]
        if kind == 0x0A0D0D0A:
            interfaces = []
        elif kind == 1:
            link_type, snaplen = struct.unpack_from("<HxxI", body)
            said = dict(options(body[8:]))
            scale = 10 ** (9 - said.get(9, b"\x06")[0])
            interfaces.append((link_type, snaplen, scale, said.get(2, b"").decode()))
        elif kind == 6:
            interface, high, low, captured, wire = struct.unpack_from("<IIIII", body)
            link_type, snaplen, scale, name = interfaces[interface]
            rest = options(body[20 + captured + -captured % PADDING :])
            comments = [value.decode() for code, value in rest if code == 1]
            time = (high << 32 | low) * scale
            found.append(Opened(time, wire, body[20 : 20 + captured], comments, link_type, snaplen, name))
        at += length
    return found


def section_comments(octets: bytes) -> list[str]:
    """The comments at the head of a pcapng file."""
    (length,) = struct.unpack_from("<I", octets, 4)
    return [value.decode() for code, value in options(octets[24 : length - 4]) if code == 1]
