"""How live capture stands a flood: packets counted, packets lost, memory.

    python benchmarks/live.py replay [PACKETS]     200,000 IKE packets of real exchanges over a veth pair, at full
                                                   speed: what pcapdiag and tcpdump each receive and lose
    python benchmarks/live.py flood [COOKIES]      1,000,000 first messages, each with a cookie of its own:
                                                   resident memory meanwhile

PACE in the environment is how many packets a second are sent, at most.

Needs root, iproute2 and tcpdump. All packets stay within a pair of network namespaces that it makes and takes away.
"""

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.lab import Pair, stop, until  # noqa: E402

PROGRAM = [sys.executable, *os.environ.get("PROGRAM", "-m pcapdiag").split()]
BURST = 512


def frames_of_captures() -> list[bytes]:
    """The IKE datagrams of the project's captures, as IPv4 in Ethernet between the two ends of the pair."""
    from pcapdiag.capture.datagram import Datagram
    from pcapdiag.capture.savefile import Savefile

    found = []
    for path in sorted((ROOT / "captures").glob("*.pcap*")):
        for item in Savefile(path):
            if isinstance(item, Datagram) and ":" not in item.source and len(item.payload) < 1400:
                found.append(
                    frame(item.payload, item.source, item.source_port, item.destination, item.destination_port)
                )
    return found


def frame(payload: bytes, source: str, source_port: int, destination: str, destination_port: int) -> bytes:
    """Ethernet, IPv4 and UDP around a payload."""
    udp = struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0)
    ends = socket.inet_aton(source) + socket.inet_aton(destination)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(payload), 1, 0, 64, 17, 0) + ends
    total = sum(struct.unpack("!10H", head))
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    head = head[:10] + struct.pack("!H", checksum) + head[12:]
    return b"\xff" * 6 + b"\x02\0\0\0\0\1" + b"\x08\0" + head + udp + payload


def flood(cookies: int) -> Iterator[bytes]:
    """First messages from a thousand senders, each under a new cookie."""
    from tests.messages import ZERO, message, sa

    model = message(2, [sa()], cookies=(bytes(8), ZERO))
    for number in range(cookies):
        payload = struct.pack("!Q", number + 1) + model[8:]
        yield frame(payload, f"10.{number % 4}.{number % 250}.1", 500, "10.91.0.2", 500)


def send(number: str, kind: str) -> None:
    """Send from this namespace, as fast as it goes; print how long that took."""
    count = int(number)
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    link.bind(("left", 0))
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    if kind == "replay":
        models = frames_of_captures()
        frames = (models * (count // len(models) + 1))[:count]
    else:
        frames = list(flood(count))
    pace = float(os.environ.get("PACE", "0"))
    began = time.perf_counter()
    for place, one in enumerate(frames):
        while True:
            try:
                link.send(one)
                break
            except OSError:  # the queue is full
                time.sleep(0.0005)
        if pace and place % 64 == 0:
            ahead = place / pace - (time.perf_counter() - began)
            if ahead > 0:
                time.sleep(ahead)
    print(json.dumps({"sent": count, "seconds": time.perf_counter() - began}))


def resident(process: int) -> int:
    """Resident memory of a process in KiB."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found[1]) if found else 0


def sending(pair: Pair, count: int, kind: str, watched: int | None) -> tuple[dict[str, float], list[int]]:
    """Send, and look at the memory of a process meanwhile."""
    command = ["ip", "netns", "exec", pair.left, sys.executable, __file__, "send", str(count), kind]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    memory = []
    while process.poll() is None:
        time.sleep(0.25)
        if watched is not None:
            memory.append(resident(watched))
    assert process.stdout is not None
    return json.loads(process.stdout.read()), memory


def with_pcapdiag(pair: Pair, folder: Path, count: int, kind: str) -> dict[str, object]:
    """Watch it with pcapdiag; what it says of it."""
    output = folder / "live.json"
    process = pair.start(pair.right, *PROGRAM, "live", "-i", "right", "--json", output=output)
    until([output.with_suffix(".err")], b"watching", 10)
    idle = resident(process.pid)
    sent, memory = sending(pair, count, kind, process.pid)
    began = time.monotonic()
    time.sleep(1)
    while _busy(process.pid):
        time.sleep(0.2)
        memory.append(resident(process.pid))
    behind = time.monotonic() - began
    status = stop(process, signal.SIGINT)
    summary = json.loads(output.read_text().splitlines()[-1])
    (counts,) = summary["interfaces"]
    return {
        **sent,
        "status": status,
        "behind": behind,
        **{name: counts[name] for name in ("received", "dropped", "taken")},
        "analysed": summary["capture"]["frames"],
        "ike": summary["capture"]["ike_messages"],
        "unread": summary["unread"],
        "outcomes": summary["outcomes"],
        "evicted": summary["evicted"],
        "idle": idle,
        "memory": memory,
    }


def _busy(process: int) -> bool:
    """Whether a process is using the processor."""

    def used() -> int:
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before = used()
    time.sleep(0.5)
    return used() - before > 10


def with_tcpdump(pair: Pair, folder: Path, count: int, kind: str) -> dict[str, object]:
    """The same with tcpdump."""
    output = folder / "tcpdump.out"
    command = ("tcpdump", "-n", "-i", "right", "-w", str(folder / "tcpdump.pcap"), "udp port 500 or udp port 4500")
    process = pair.start(pair.right, *command, output=output)
    until([output.with_suffix(".err")], b"listening", 10)
    sent, _ = sending(pair, count, kind, None)
    time.sleep(1)
    stop(process, signal.SIGINT)
    said = output.with_suffix(".err").read_text()
    numbers = [int(n) for n in re.findall(r"(\d+) packets? (?:captured|received|dropped)", said)]
    return {**sent, "captured": numbers[0], "received": numbers[1], "dropped": numbers[2]}


def show(name: str, found: dict[str, object]) -> None:
    """One line of figures, and one of memory."""
    memory = found.pop("memory", [])
    rate = float(str(found["sent"])) / float(str(found.pop("seconds")))
    print(f"{name}: {rate:,.0f} packets a second; " + ", ".join(f"{key} {value}" for key, value in found.items()))
    if isinstance(memory, list) and memory:
        points = [memory[len(memory) * n // 8] // 1024 for n in range(8)] + [memory[-1] // 1024]
        print(f"  resident memory meanwhile, MiB: {', '.join(map(str, points))}; most {max(memory) // 1024}")


def main() -> None:
    """What the command line asks for."""
    kind = sys.argv[1] if len(sys.argv) > 1 else "replay"
    if kind == "send":
        send(sys.argv[2], sys.argv[3])
        return
    count = int(sys.argv[2]) if len(sys.argv) > 2 else {"replay": 200_000, "flood": 1_000_000}[kind]
    with tempfile.TemporaryDirectory() as folder, Pair("bench", Path(folder)) as pair:
        show("pcapdiag", with_pcapdiag(pair, Path(folder), count, kind))
        show("tcpdump ", with_tcpdump(pair, Path(folder), count, kind))


if __name__ == "__main__":
    main()
