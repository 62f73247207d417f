"""Writes what a large gateway hears in a day: real tunnels by the thousand, a fifth of their peers in trouble.

    python benchmarks/tunnels.py FILE [--exchanges 20000] [--seed 1]

Every exchange is one of captures/, spoken again by `replay.py` between other ends: complete ones in Main Mode,
Aggressive Mode and IKEv2, behind NAT, with certificates in fragments, with rekeys and DPD; stalled and refused ones.
A peer has twenty of them: one that works renews its SA all day, one that does not tries every few minutes. So ten times
the exchanges are ten times the peers, in the same day. The same seed gives the same octets.
"""

import argparse
import heapq
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from generate import Frames, write_pcap
from replay import End, Recording, Spoken, Way

CAPTURES = Path(__file__).parent.parent / "captures"
START = 1_795_392_000  # 2026-11-23 00:00:00 UTC
SECOND = 1_000_000
DAY = 86_400 * SECOND
EACH = 20
"""Exchanges of a peer."""
RETRY = 300 * SECOND
"""Between two tries of a peer that does not get through, and a part of it more."""
GATEWAY = bytes((198, 51, 100, 1))


class Kind(NamedTuple):
    """How a tunnel goes.

    recording -- of captures/; share -- of a hundred peers; works -- it is set up for hours
    nat -- the peer is behind one, and begins; near -- the gateway begins: an ICMP error comes to who is there
    """

    recording: str
    share: int
    works: bool = True
    nat: bool = False
    near: bool = False


KINDS = (
    Kind("completed-psk", 24),
    Kind("completed-nat", 12, nat=True),
    Kind("completed-certificates-ip-fragments", 5),
    Kind("completed-certificates-ike-fragments", 4),
    Kind("completed-rekey", 5),
    Kind("completed-xauth", 3),
    Kind("aggressive-completed", 3),
    Kind("ikev2-completed", 16),
    Kind("ikev2-certificates-fragments", 4),
    Kind("peer-lost", 4, works=False),
    Kind("mm1-no-reply", 3, works=False),
    Kind("mm1-port-unreachable", 1, works=False, near=True),
    Kind("mm1-no-proposal-chosen", 3, works=False),
    Kind("mm4-lost-responder-side", 1, works=False),
    Kind("mm5-udp-4500-blocked", 3, works=False, nat=True),
    Kind("mm5-psk-mismatch", 3, works=False),
    Kind("mm6-identity-refused", 1, works=False),
    Kind("phase2-refused", 2, works=False),
    Kind("ikev2-authentication-failed", 2, works=False),
    Kind("ikev2-networks-refused", 1, works=False),
)


class Planned(NamedTuple):
    """An exchange that is to be spoken: when it begins, and by which peer, from 0."""

    begin: int
    peer: int


class Mix:
    """The peers and what they say."""

    def __init__(self, exchanges: int, seed: int = 1) -> None:
        """Plan so many exchanges."""
        self._seed = seed
        chance = random.Random(f"{seed}/plan")
        peers = -(-exchanges // EACH)
        places = [kind for kind in KINDS for _ in range(kind.share)]
        self._kinds = [places[number * 37 % len(places)] for number in range(peers)]
        self._recordings = {kind.recording: Recording(CAPTURES / f"{kind.recording}.pcap") for kind in KINDS}
        planned: list[Planned] = []
        for peer, kind in enumerate(self._kinds):
            pause = DAY // (EACH + 1) if kind.works else RETRY
            # Peers that work renew at any time of the day; they would begin together after a power cut.
            begin = chance.randrange(pause if kind.works else DAY - EACH * (pause + pause // 20))
            for number in range(min(EACH, exchanges - peer * EACH)):
                planned.append(Planned(begin + number * pause + chance.randrange(pause // 20), peer))
        self._planned = sorted(planned)

    def frames(self) -> Frames:
        """Every frame, in order. What is held is what is being said."""
        pending: list[tuple[int, int, bytes]] = []
        number = 0
        for plan in self._planned:
            while pending and pending[0][0] < plan.begin:
                time, _, frame = heapq.heappop(pending)
                yield time, frame
            for time, frame in self._spoken(plan):
                number += 1
                heapq.heappush(pending, (plan.begin + time, number, frame))
        while pending:
            time, _, frame = heapq.heappop(pending)
            yield time, frame

    def _spoken(self, plan: Planned) -> Iterator[tuple[int, bytes]]:
        kind = self._kinds[plan.peer]
        settled = random.Random(f"{self._seed}/{plan.peer}")
        outside = (0x0B000000 + plan.peer * 3 + 1).to_bytes(4, "big")
        own = bytes((192, 168)) + settled.randbytes(2) if kind.nat else outside
        ports = {500: settled.randrange(1024, 65_000), 4500: settled.randrange(1024, 65_000)} if kind.nat else {}
        way = Way(settled.randrange(3_000, 60_000), settled.randrange(6, 16), bytes((11, 255, 255, 1)))
        peer, gateway = End(own, outside, ports), End(GATEWAY, GATEWAY)
        begins = kind.near or (not kind.nat and settled.random() < 0.5)
        chance = random.Random(f"{self._seed}/{plan.peer}/{plan.begin}")
        ends = (gateway, peer) if begins else (peer, gateway)
        recording = self._recordings[kind.recording]
        return iter(Spoken(recording, *ends, at_initiator=begins, way=way, chance=chance).frames)


def generate(target: Path, exchanges: int, seed: int = 1) -> None:
    """Write the capture."""
    with target.open("wb", buffering=1 << 20) as file:
        write_pcap(file, Mix(exchanges, seed).frames(), START)


def main() -> None:
    """Run from the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("file", type=Path)
    options.add_argument("--exchanges", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    generate(given.file, given.exchanges, given.seed)


if __name__ == "__main__":
    main()
