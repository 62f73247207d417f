"""Times `pcapdiag.read_log` on logs of a given size, and prints MB/s and memory as Markdown.

    python benchmarks/logs.py [MEGABYTES [KIND...]]

MB/s are those of the clock, and of processor time; kinds are syslog, asa and charon, all without.

The logs are written to a temporary directory, one after the other, and removed again: a gateway's syslog with a line of
IKE in fifty, an ASA at debug level that sees one negotiation after another, and charon at level 2. Each is read in a
process of its own, out of the page cache.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

READ = "import sys, pcapdiag; report = pcapdiag.read_log(sys.argv[1]); print(len(report.diagnoses))"

_OTHER = (
    "{when} gw kernel: [{n}.123456] FW-DROP IN=eth0 OUT= SRC=203.0.113.{b} DST=198.51.100.2 LEN=60 "
    "TOS=0x00 PREC=0x00 TTL=53 ID={n} DF PROTO=TCP SPT={n} DPT=443 WINDOW=64240 RES=0x00 SYN URGP=0",
    "{when} gw sshd[{n}]: Connection closed by 203.0.113.{b} port {n} [preauth]",
    "{when} gw named[812]: client @0x7f1234 203.0.113.{b}#{n} (www.example.com): query: www.example.com IN A +E(0)K",
)


def _when(number: int) -> str:
    day, hour = 1 + number // 8_640_000 % 28, number // 360_000 % 24
    return f"Apr {day:02d} {hour:02d}:{number // 6000 % 60:02d}:{number // 100 % 60:02d}"


def syslog() -> Iterator[str]:
    """A gateway's syslog: one line in fifty is charon's."""
    number = 0
    while True:
        number += 1
        if number % 50:
            yield _OTHER[number % 3].format(when=_when(number), n=number % 65_536, b=number % 251)
        else:
            yield f"{_when(number)} gw charon: 05[IKE] <vpn|{number // 5000}> sending DPD request"


def asa() -> Iterator[str]:
    """An ASA at debug level: Main Mode again and again, with two hundred peers."""
    lines = (
        "IKE Initiator: New Phase 1, Intf inside, IKE Peer {p} local Proxy Address 10.0.0.0, remote Proxy Address "
        "10.9.0.0, Crypto map (outside_map)",
        "constructing ISAKMP SA payload",
        "constructing Fragmentation VID + extended capabilities payload",
        "IKE_DECODE SENDING Message (msgid=0) with payloads : HDR + SA (1) + VENDOR (13) + NONE (0) total length : 168",
        "IKE_DECODE RECEIVED Message (msgid=0) with payloads : HDR + SA (1) + NONE (0) total length : 117",
        "processing SA payload",
        "Oakley proposal is acceptable",
        "processing VID payload",
        "constructing ke payload",
        "constructing nonce payload",
        "Send IOS VID",
        "IKE_DECODE SENDING Message (msgid=0) with payloads : HDR + KE (4) + NONCE (10) + NONE (0) total length : 256",
        "IKE_DECODE RECEIVED Message (msgid=0) with payloads : HDR + KE (4) + NONCE (10) + NONE (0) total length : 228",
        "processing ke payload",
        "processing nonce payload",
        "Generating keys for Initiator...",
        "constructing hash payload",
        "IKE_DECODE SENDING Message (msgid=0) with payloads : HDR + ID (5) + HASH (8) + NONE (0) total length : 84",
        "IKE_DECODE RECEIVED Message (msgid=0) with payloads : HDR + ID (5) + HASH (8) + NONE (0) total length : 64",
        "processing hash payload",
        "PHASE 1 COMPLETED",
    )
    number = 0
    while True:
        number += 1
        peer = f"203.0.113.{number % 200}"
        for line in lines:
            yield f"{_when(number * 10)} [IKEv1 DEBUG]: Group = {peer}, IP = {peer}, {line.format(p=peer)}"


def charon() -> Iterator[str]:
    """Charon at level 2, most of whose lines are about the fields of messages."""
    number = 0
    while True:
        number += 1
        for rule in range(200):
            yield f"2026-11-27T12:27:29.{rule:03d} 05[ENC] <vpn|{number}>   parsing rule {rule % 20} RESERVED_BIT"
        yield f"2026-11-27T12:27:29.999 05[ENC] <vpn|{number}> parsed ID_PROT request 0 [ SA V V V ]"


def write(path: Path, lines: Callable[[], Iterator[str]], octets: int) -> None:
    """Fill a file."""
    with path.open("w") as file:
        done = 0
        chunk: list[str] = []
        for line in lines():
            chunk.append(line)
            done += len(line) + 1
            if len(chunk) == 10_000:
                file.write("\n".join(chunk) + "\n")
                chunk = []
                if done >= octets:
                    return


def measure(path: Path) -> tuple[float, float, int]:
    """Seconds that a process takes to read it, those of a processor, and the most that it has in memory, in MiB."""
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", READ, str(path)], stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


def main() -> None:
    """Measure each log, and print a row for it."""
    size = int(sys.argv[1]) * 1_000_000 if len(sys.argv) > 1 else 1_000_000_000
    wanted = sys.argv[2:]
    print("| log | MB | s | MB/s | MB/s of processor time | MiB |\n|---|---|---|---|---|---|", flush=True)
    for name, lines in (("syslog, a line in 50 of IKE", syslog), ("ASA debug", asa), ("charon, level 2", charon)):
        if wanted and lines.__name__ not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "log")
            write(path, lines, size)
            octets = path.stat().st_size
            seconds, processor, memory = measure(path)
            rate, own = octets / 1e6 / seconds, octets / 1e6 / processor
            print(f"| {name} | {octets / 1e6:.0f} | {seconds:.1f} | {rate:.0f} | {own:.0f} | {memory} |", flush=True)


if __name__ == "__main__":
    main()
