"""Real tunnels that are watched live: strongSwan at both ends, in namespaces of our own.

All four run at once, with retransmissions after 1.0, 1.4 and 1.96 s and none after that, so that half a minute is
enough for the longest; the other tests of this folder use it.
"""

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.lab import CHARON, RIGHT, Pair, missing, stop, until

ABSENT = missing("ip", "tcpdump", "nft", "swanctl", str(CHARON))
LASTS = 24.0
"""Seconds until the longest is decided."""

PROGRAM = (sys.executable, "-m", "pcapdiag")
SCENARIOS = {
    "completed": {"outcome": "completed"},
    "psk": {"outcome": "rejected", "secret": "another", "cause": "psk-mismatch", "missing": "MM6"},
    "blocked": {
        "outcome": "stalled",
        "connection": "encap = yes",
        "rule": "udp dport 4500",
        "cause": "udp-4500-blocked",
        "missing": "MM6",
    },
    "silent": {"outcome": "stalled", "rule": "udp dport 500", "cause": "udp-500-blocked", "missing": "MM2"},
}


class Watched:
    """One tunnel, what was said of it live, and what was captured beside."""

    def __init__(self, name: str, pair: Pair, folder: Path) -> None:
        self.scenario = SCENARIOS[name]
        self.pair = pair
        self.text, self.lines, self.piped = (folder / f"{name}-{kind}.out" for kind in ("text", "json", "pipe"))
        self.kept, self.dumped = folder / f"{name}-kept.pcapng", folder / f"{name}-dumped.pcap"
        self.statuses: dict[str, int] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """The watchers: as text, as JSON that keeps the packets, and through a pipe from tcpdump."""
        left = self.pair.left
        self.processes["text"] = self.pair.start(left, *PROGRAM, "live", "-i", "left", output=self.text)
        keeping = ("live", "-i", "left", "--json", "-w", str(self.kept))
        self.processes["json"] = self.pair.start(left, *PROGRAM, *keeping, output=self.lines)
        dump = ("tcpdump", "-U", "--immediate-mode", "-n", "-i", "left", "-w", str(self.dumped))
        self.processes["tcpdump"] = self.pair.start(left, *dump, output=self.dumped.with_suffix(".out"))
        dump = ("tcpdump", "-U", "-n", "-i", "left", "-w", "-")
        self.processes["pipe"] = self.pair.pipe(left, dump, (*PROGRAM, "live", "-q", "-"), self.piped)
        until([self.text.with_suffix(".err"), self.lines.with_suffix(".err")], b"watching left", 20)
        until([self.dumped.with_suffix(".err"), self.piped.with_suffix(".source")], b"listening on left", 20)

    def begin(self) -> None:
        mine = self.pair.daemon(self.pair.left, str(self.scenario.get("connection", "")), "the key")
        if self.scenario.get("rule"):
            self.pair.drop(self.pair.right, str(self.scenario["rule"]))
        secret = str(self.scenario.get("secret", "the key"))
        other = self.pair.daemon(self.pair.right, str(self.scenario.get("connection", "")), secret)
        mine.ready()
        other.ready()
        mine.initiate()

    def end(self) -> None:
        """A last packet that is no IKE tells tcpdump's capture how long it went on."""
        sending = f"import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('{RIGHT}', 9))"
        self.pair.run(self.pair.left, sys.executable, "-c", sending)
        for name, number in (("text", signal.SIGINT), ("json", signal.SIGTERM)):
            self.statuses[name] = stop(self.processes[name], number)
        for name in ("tcpdump", "pipe"):
            stop(self.processes[name], signal.SIGTERM)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines.read_text().splitlines()]

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        return [e for e in self.events if e["event"] == "verdict"]


class Begun:
    """The four tunnels, running."""

    def __init__(self, folder: Path) -> None:
        self._stack = contextlib.ExitStack()
        self.tunnels: dict[str, Watched] = {}
        self._ended = False
        try:
            for name in SCENARIOS:
                self.tunnels[name] = Watched(name, self._stack.enter_context(Pair(name, folder)), folder)
            for tunnel in self.tunnels.values():
                tunnel.start()
            for tunnel in self.tunnels.values():
                tunnel.begin()
        except BaseException:
            self.close()
            raise
        self._since = time.monotonic()

    def end(self) -> dict[str, Watched]:
        """Wait until all are decided, and end what watches them."""
        if not self._ended:
            self._ended = True
            time.sleep(max(self._since + LASTS - time.monotonic(), 0))
            for tunnel in self.tunnels.values():
                tunnel.end()
        return self.tunnels

    def close(self) -> None:
        """Take everything away."""
        self._stack.close()
