"""Writes the captures that the benchmark reads: seeded, so that everybody measures the same octets.

    python benchmarks/generate.py DIRECTORY [NAME...] [--scale 1.0]

| name | at scale 1 | what |
|---|---|---|
| `sparse.pcap`, `sparse.pcapng` | 2 GB | mixed bulk traffic, one frame in a thousand is IKE |
| `tagged.pcap` | 2 GB | the same behind one 802.1Q tag |
| `esp-in-udp.pcap` | 2 GB | ESP in UDP on port 4500, and hardly anything else |
| `many-flows.pcap` | 500 MB | the same with 8,000 tunnels |
| `dense.pcap` | 300 MB | nothing but IKE: a million initiator cookies |
| `dpd.pcap` | 28 MB | 100,000 DPD exchanges under one SA |
| `quick-modes.pcap` | 8 MB | 10,000 Quick Modes under one SA |
| `day-of-dpd.pcap` | 82 MB | a day of 100 tunnels that are up: DPD every 30 seconds |
| `rotated/` | 200 × 2 MB | one capture of mixed traffic with many tunnels, as a ring of files has it |

The IKE in them is that of real daemons (captures/completed-psk.pcap) under new cookies and addresses, NAT-D hashes
recomputed. The bulk is made up: the protocols and sizes of ordinary traffic, with random contents.
"""

import argparse
import hashlib
import heapq
import random
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from pcapdiag.capture.datagram import Datagram
from pcapdiag.capture.savefile import Savefile

TUNNEL = Path(__file__).parent.parent / "captures" / "completed-psk.pcap"
START = 1_700_000_000
SNAPLEN = 262_144
NAT_D = 20
DONT_FRAGMENT = 0x4000
PORT_500 = struct.pack(">H", 500)
HASHES = {20: hashlib.sha1, 32: hashlib.sha256}
UDP, TCP, ESP = 17, 6, 50
Frames = Iterator[tuple[int, bytes]]
"""Microseconds since START, and the octets of a frame."""


# -- the savefiles


def write_pcap(file: BinaryIO, frames: Frames, start: int = START) -> None:
    """One capture in the pcap format with microseconds; they count from `start`, Unix seconds."""
    file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, 1))
    pack = struct.Struct("<IIII").pack
    for time, frame in frames:
        size = len(frame)
        file.write(pack(start + time // 1_000_000, time % 1_000_000, size, size) + frame)


def write_pcapng(file: BinaryIO, frames: Frames) -> None:
    """One capture in the pcapng format: one section, one interface, Enhanced Packet Blocks."""
    file.write(struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28))
    file.write(struct.pack("<IIHHII", 1, 20, 1, 0, SNAPLEN, 20))
    pack = struct.Struct("<IIIIIII").pack
    tail = struct.Struct("<I").pack
    for time, frame in frames:
        ticks, size = START * 1_000_000 + time, len(frame)
        padding = -size % 4
        length = 32 + size + padding
        file.write(
            pack(6, length, 0, ticks >> 32, ticks & 0xFFFFFFFF, size, size) + frame + bytes(padding) + tail(length)
        )


# -- frames


def ethernet(packet: bytes, ethertype: int = 0x0800) -> bytes:
    """An Ethernet frame."""
    return bytes.fromhex("00005e00530100005e005302") + struct.pack(">H", ethertype) + packet


def tagged(frames: Frames, vlan: int = 100) -> Frames:
    """The same frames behind an 802.1Q tag."""
    tag = struct.pack(">HH", 0x8100, vlan)
    for time, frame in frames:
        yield time, frame[:12] + tag + frame[12:]


def ipv4(
    protocol: int,
    source: bytes,
    destination: bytes,
    data: bytes,
    identification: int,
    ttl: int = 63,
    fragment: int = DONT_FRAGMENT,
) -> bytes:
    """An IPv4 packet, its header checksum right; fragment -- flags and offset as they stand in the header."""
    words = (0x4500, 20 + len(data), identification, fragment, ttl << 8 | protocol)
    words += struct.unpack(">4H", source + destination)
    return struct.pack(">10H", *words[:5], checksum(words), *words[5:]) + data


def checksum(words: Iterable[int]) -> int:
    """The Internet checksum of 16-bit words (RFC 1071)."""
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def udp(source: int, destination: int, data: bytes) -> bytes:
    """A UDP datagram without a checksum, as RFC 768 allows."""
    return struct.pack(">HHHH", source, destination, 8 + len(data), 0) + data


def tcp(source: int, destination: int, sequence: int, data: bytes) -> bytes:
    """A TCP segment."""
    return struct.pack(">HHIIBBHHH", source, destination, sequence, 1, 0x50, 0x10, 502, 0, 0) + data


# -- bulk


def bulk(chance: random.Random, kinds: int = 4_000) -> list[bytes]:
    """Frames of ordinary traffic, to be repeated: 800 octets in the mean."""
    noise = chance.randbytes(1 << 20)
    return [_ordinary(chance, noise) for _ in range(kinds)]


def _ordinary(chance: random.Random, noise: bytes) -> bytes:
    def data(size: int) -> bytes:
        at = chance.randrange(len(noise) - size)
        return noise[at : at + size]

    client, server = chance.randrange(32768, 61000), chance.choice((443, 443, 443, 80, 22, 445, 3389, 5432))
    ports = (client, server) if chance.random() < 0.4 else (server, client)
    source, destination = b"\x0a\x01" + chance.randbytes(2), b"\x0a\x02" + chance.randbytes(2)
    what = chance.random()
    if what < 0.15:  # IPv6, mostly TCP
        segment = tcp(*ports, chance.getrandbits(32), data(chance.choice((0, 0, 500, 1420, 1420))))
        prefix = bytes.fromhex("20010db8") + bytes(10)
        header = struct.pack(">IHBB", 0x60000000, len(segment), TCP, 62)
        packet = header + prefix + source[:2] + prefix + destination[:2] + segment
        return ethernet(packet, 0x86DD)
    if what < 0.30:
        protocol, body = UDP, _ordinary_udp(chance, data, client)
    elif what < 0.34:
        protocol, body = ESP, data(chance.choice((104, 1000, 1416)))
    elif what < 0.36:
        return ethernet(bytes(46), 0x0806)
    elif what < 0.37:
        protocol, body = 1, b"\x08\0\0\0" + data(60)
    else:
        size = 0 if chance.random() < 0.33 else chance.choice((120, 600, 1448, 1448, 1448, 1448))
        protocol, body = TCP, tcp(*ports, chance.getrandbits(32), data(size))
    return ethernet(ipv4(protocol, source, destination, body, chance.getrandbits(16)))


def _ordinary_udp(chance: random.Random, data: Callable[[int], bytes], client: int) -> bytes:
    port, size = chance.choice(((443, 1250), (443, 1250), (443, 60), (53, 120), (16_500, 172), (51_820, 1400)))
    return udp(*((client, port) if chance.random() < 0.4 else (port, client)), data(size))


# -- IKE


class Tunnel:
    """A completed Main Mode with its Quick Mode, to be spoken again by other peers."""

    def __init__(self, path: Path = TUNNEL) -> None:
        """Read the exchange out of a capture."""
        datagrams = [item for item in Savefile(path) if isinstance(item, Datagram)]
        first = datagrams[0]
        self.messages = [(d.source == first.source, d.time - first.time, d.payload) for d in datagrams[:9]]

    def spoken(self, initiator: bytes, responder: bytes, cookies: bytes, number: int, upto: int) -> Frames:
        """Its first `upto` messages between these addresses; times are microseconds since its beginning."""
        for place, (forth, time, payload) in enumerate(self.messages[:upto]):
            ends = (initiator, responder) if forth else (responder, initiator)
            spis = cookies if place else cookies[:8] + bytes(8)
            message = spis + with_nat_d(payload, cookies, *(end + PORT_500 for end in ends))[16:]
            packet = ipv4(UDP, *ends, udp(500, 500, message), number + place & 0xFFFF)
            yield time // 1000, ethernet(packet)


def payloads(message: bytes) -> Iterator[tuple[int, int, int]]:
    """The chain of a message in clear (RFC 2408 §3.2): the type of each payload, and where its body begins and ends."""
    kind, at = message[16], 28
    while kind:
        size = int.from_bytes(message[at + 2 : at + 4], "big")
        yield kind, at + 4, at + size
        kind, at = message[at], at + size


def with_nat_d(message: bytes, cookies: bytes, source: bytes, destination: bytes) -> bytes:
    """The message with its NAT-D hashes (RFC 3947 §3.2) made for these ends: addresses, each with its port behind.

    Of SHA-1 and SHA2-256, which have different lengths, the one that was negotiated.
    """
    if message[19] & 1:
        return message
    ends = iter((destination, source))
    octets = bytearray(message)
    for kind, begin, end in payloads(message):
        if kind == NAT_D:
            octets[begin:end] = HASHES[end - begin](cookies + next(ends)).digest()
    return bytes(octets)


# -- the captures


def sparse(size: int, seed: int = 1) -> Frames:
    """Mixed bulk traffic in which one frame in a thousand is IKE."""
    chance = random.Random(seed)
    frames, tunnel = bulk(chance), Tunnel()
    time = written = number = 0
    pending: list[tuple[int, bytes]] = []
    while written < size:
        number += 1
        time += chance.randrange(8)
        if number % 1000 == 0:
            if not pending:
                cookies = chance.randbytes(16)
                ends = (b"\xc0\0\x02" + chance.randbytes(1), b"\xc6\x33\x64" + chance.randbytes(1))
                pending = list(tunnel.spoken(*ends, cookies, number, 9))
            frame = pending.pop(0)[1]
        else:
            frame = chance.choice(frames)
        written += len(frame) + 16
        yield time, frame


def esp_in_udp(size: int, seed: int = 2, tunnels: int = 300) -> Frames:
    """Tunnels that are up behind NAT: ESP in UDP (RFC 3948), keep-alives, one IKE message in 100,000."""
    chance = random.Random(seed)
    noise = chance.randbytes(1 << 20)
    flows = [
        (b"\xc0\0\x02" + chance.randbytes(1), b"\xc6\x33\x64\x01", chance.randrange(1024, 65535), chance.randbytes(4))
        for _ in range(tunnels)
    ]
    frames = []
    for number in range(max(4_000, 2 * tunnels)):
        near, far, port, spi = chance.choice(flows)
        body = spi + struct.pack(">I", number) + noise[number : number + chance.choice((80, 500, 1384, 1384, 1384))]
        ends = (near, far, udp(port, 4500, body)) if number % 2 else (far, near, udp(4500, port, body))
        frames.append(ethernet(ipv4(UDP, *ends, number & 0xFFFF)))
    near, far, port, _ = flows[0]
    frames[-1] = ethernet(ipv4(UDP, near, far, udp(port, 4500, b"\xff"), 1))
    tunnel = Tunnel()
    time = written = number = 0
    pending: list[tuple[int, bytes]] = []
    while written < size:
        number += 1
        time += chance.randrange(8)
        frame = chance.choice(frames)
        if number % 100_000 == 1:
            pending = pending or list(tunnel.spoken(near, far, chance.randbytes(16), number, 9))
            frame = pending.pop(0)[1]
        written += len(frame) + 16
        yield time, frame


def dense(size: int, seed: int = 3) -> Frames:
    """Nothing but IKE, a million cookies in 300 MB.

    Of ten thousand initiators 8,999 get no answer, a thousand get message 2 and stop there, one completes.
    """
    chance = random.Random(seed)
    tunnel = Tunnel()
    time = number = 0
    for _ in range(size // 300):  # cookies
        what = chance.random()
        upto = 9 if what < 0.0001 else 2 if what < 0.1001 else 1
        ends = (b"\xc0\0" + chance.randbytes(2), b"\xc6\x33\x64" + bytes((chance.randrange(4),)))
        time += chance.randrange(2_000)
        number += upto
        for after, frame in tunnel.spoken(*ends, chance.randbytes(16), number, upto):
            yield time + after, frame


MESSAGE_1, MESSAGE_2, MESSAGE_3 = (32, 264, True), (32, 264, False), (32, 56, True)
"""Quick Mode: exchange type, octets that are encrypted, and whether the initiator sends it."""
R_U_THERE, ACK = (5, 56, True), (5, 56, False)


def under_one_sa(
    rounds: int, every: int, round_: Iterable[tuple[int, int, bool]], same_id: bool, seed: int = 5
) -> Frames:
    """A tunnel that comes up, then so many rounds of messages, one `every` so many microseconds."""
    chance = random.Random(seed)
    cookies = chance.randbytes(16)
    ends = (b"\xc0\0" + struct.pack(">H", seed & 0xFFFF), b"\xc6\x33\x64\x01")
    begin = chance.randrange(every)
    for time, frame in Tunnel().spoken(*ends, cookies, seed, 9):
        yield begin + time, frame
    for number in range(rounds):
        time, message_id = begin + every * (number + 1), chance.getrandbits(32)
        for place, (kind, size, forth) in enumerate(round_):
            message_id = message_id if same_id else chance.getrandbits(32)
            header = bytes((8, 0x10, kind, 1)) + struct.pack(">II", message_id, 28 + size)
            segment = udp(500, 500, cookies + header + chance.randbytes(size))
            source, destination = ends if forth else reversed(ends)
            yield time + 20_000 * place, ethernet(ipv4(UDP, source, destination, segment, number & 0xFFFF))


def day_of_dpd(tunnels: int) -> Frames:
    """A day in which nothing happens."""
    every, day = 30_000_000, 86_400_000_000
    rounds = day // every
    return heapq.merge(
        *(under_one_sa(rounds, every, (R_U_THERE, ACK), same_id=False, seed=1_000 + n) for n in range(tunnels))
    )


def generate(directory: Path, names: list[str], scale: float) -> None:
    """Write the captures of these names; what is there already stays."""
    directory.mkdir(parents=True, exist_ok=True)
    size = int(2_000_000_000 * scale)
    makers = {
        "sparse.pcap": (write_pcap, lambda: sparse(size)),
        "sparse.pcapng": (write_pcapng, lambda: sparse(size)),
        "tagged.pcap": (write_pcap, lambda: tagged(sparse(size))),
        "esp-in-udp.pcap": (write_pcap, lambda: esp_in_udp(size)),
        "many-flows.pcap": (write_pcap, lambda: esp_in_udp(size // 4, tunnels=8_000)),
        "dense.pcap": (write_pcap, lambda: dense(int(300_000_000 * scale))),
        "dpd.pcap": (
            write_pcap,
            lambda: under_one_sa(int(100_000 * scale), 800_000, (R_U_THERE, ACK), same_id=False),
        ),
        "quick-modes.pcap": (
            write_pcap,
            lambda: under_one_sa(int(10_000 * scale), 8_000_000, (MESSAGE_1, MESSAGE_2, MESSAGE_3), same_id=True),
        ),
        "day-of-dpd.pcap": (write_pcap, lambda: day_of_dpd(max(int(100 * scale), 1))),
    }
    for name, (write, frames) in makers.items():
        target = directory / name
        if name in names and not target.exists():
            with target.open("wb", buffering=1 << 20) as file:
                write(file, frames())
    if "rotated" in names and not (directory / "rotated").exists():
        _rotated(directory / "rotated", int(400_000_000 * scale))


def _rotated(directory: Path, size: int, files: int = 200) -> None:
    """One capture over `files` files, cut wherever the size says so: exchanges cross the boundaries."""
    directory.mkdir()
    frames = sparse(size, seed=4)
    for number in range(files):
        with (directory / f"ring_{number + 1:05}_20231114.pcap").open("wb") as file:
            write_pcap(file, _share(frames, size // files if number < files - 1 else size))


def _share(frames: Frames, size: int) -> Frames:
    """The next frames, until there are `size` octets of them."""
    written = 0
    for time, frame in frames:
        yield time, frame
        written += len(frame) + 16
        if written >= size:
            return


NAMES = (
    "sparse.pcap", "sparse.pcapng", "tagged.pcap", "esp-in-udp.pcap", "many-flows.pcap", "dense.pcap",
    "dpd.pcap", "quick-modes.pcap", "day-of-dpd.pcap", "rotated",
)  # fmt: skip


def main() -> None:
    """Run from the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("directory", type=Path)
    options.add_argument("names", nargs="*", default=list(NAMES), metavar="NAME", help="all of them by default")
    options.add_argument("--scale", type=float, default=1.0)
    given = options.parse_args()
    generate(given.directory, given.names, given.scale)


if __name__ == "__main__":
    main()
