"""Writes a day of a gateway with a hundred tunnels, and beside it what was wrong with which of them, and when.

    python benchmarks/gateway_day.py DIRECTORY [--seed 1] [--gateway 198.51.100.1] [--day 0] [--without INCIDENT ...]

`gateway-day.pcap` is what a capture at the gateway with the filter of the README would hold, without ESP: made of what
real daemons said (captures/: strongSwan, one Libreswan, ike-scan), spoken again by `replay.py` between other ends. The
retransmissions are theirs too: strongSwan's defaults. The tunnels, the times and the faults are made up; `--without`
leaves some of these out, so that a fleet has gateways and days that differ.
`gateway-day.json` is the truth: the tunnels, the incidents, and every exchange by its initiator's cookie. The same seed
gives the same octets.
"""

import argparse
import json
import random
from collections.abc import Callable, Collection, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

from generate import Frames, write_pcap
from replay import End, Recording, Spoken, Way

CAPTURES = Path(__file__).parent.parent / "captures"
START = 1_795_392_000  # 2026-11-23 00:00:00 UTC
SECOND = 1_000_000
MINUTE, HOUR = 60 * SECOND, 3_600 * SECOND
DAY = 24 * HOUR
LAST_BEGIN = DAY - 5 * MINUTE  # what begins later would be cut in the middle
GIVES_UP = round(165.1 * SECOND)  # behind the first try of a message: 4 s × (1.8⁶ − 1) / 0.8, strongSwan's defaults
LIFE = 4 * HOUR  # strongSwan asks for a tenth more, the 15,840 s that stand in its proposals
GATEWAY = "198.51.100.1"


class Kind(NamedTuple):
    """How a tunnel is set up: what it says when all is well.

    recording -- of captures/; upto -- its messages that bring the tunnel up; deletes -- and those that take it down
    """

    name: str
    recording: str
    upto: int
    deletes: tuple[int, ...] = ()


PSK = Kind("Main Mode, pre-shared key", "completed-psk", 9, (13, 14))
NAT = Kind("Main Mode, pre-shared key, behind NAT", "completed-nat", 9, (17, 18))
CERTIFICATES = Kind("Main Mode, certificates", "completed-certificates-ip-fragments", 9, (9, 10))
IKE_FRAGMENTS = Kind("Main Mode, certificates, IKE fragments", "completed-certificates-ike-fragments", 11, (11, 12))
XAUTH = Kind("Main Mode, XAuth", "completed-xauth", 15, (15, 16))
AGGRESSIVE = Kind("Aggressive Mode, pre-shared key", "aggressive-completed", 7, (7, 8))
IKEV2 = Kind("IKEv2, pre-shared key", "ikev2-completed", 6)

TUNNELS = (
    (PSK, "203.0.113.10", 20, True),
    (PSK, "203.0.113.30", 20, False),
    (NAT, "192.0.2.16", 12, False),  # one provider
    (NAT, "203.0.113.60", 12, False),
    (CERTIFICATES, "203.0.113.80", 5, False),
    (CERTIFICATES, "203.0.113.85", 5, True),
    (IKE_FRAGMENTS, "203.0.113.90", 4, False),
    (IKEV2, "203.0.113.100", 12, True),
    (IKEV2, "203.0.113.112", 6, False),
    (AGGRESSIVE, "203.0.113.120", 2, False),
    (XAUTH, "203.0.113.124", 2, False),
)
"""Kind, first address, how many, and whether the gateway is the initiator."""


class Fault(NamedTuple):
    """What goes wrong with a tunnel, or comes from a stranger.

    begin, end -- microseconds of the day; every -- between the beginnings of two tries
    recording -- what is said then; upto -- its items that reach the gateway, None: all
    outcome, causes -- what a report has to say of each try, and what may stand first among its causes: what follows
        from the wire, which is not always what was wrong
    """

    id: str
    what: str
    peers: tuple[str, ...]
    begin: int
    end: int
    every: int
    recording: str
    outcome: str
    causes: tuple[str, ...]
    upto: int | None = None


def _clock(hours: int, minutes: int = 0) -> int:
    return hours * HOUR + minutes * MINUTE


FAULTS = (
    Fault(
        "provider-4500", "a provider filters UDP 4500", tuple(f"192.0.2.{n}" for n in range(16, 28)),
        _clock(3, 10), _clock(4, 10), GIVES_UP, "mm5-udp-4500-blocked", "stalled", ("udp-4500-blocked",), upto=4,
    ),
    Fault(
        "wrong-key", "the peer has another pre-shared key", ("203.0.113.49",),
        0, DAY, 5 * MINUTE, "mm5-psk-mismatch", "rejected", ("psk-mismatch",),
    ),
    Fault(
        "certificate", "the peer's certificate expired at 14:00", ("203.0.113.84",),
        _clock(14), DAY, 5 * MINUTE, "mm5-certificate-expired", "rejected",
        ("certificate-rejected", "identity-mismatch"),
    ),
    Fault(
        "proposals", "the peer's phase 1 policy was changed at 10:30, and back at 16:45", ("203.0.113.23",),
        _clock(10, 30), _clock(16, 45), 5 * MINUTE, "mm1-no-proposal-chosen", "rejected", ("phase1-policy-mismatch",),
    ),
    Fault(
        "offline", "the peer is switched off", ("203.0.113.18",),
        0, DAY, GIVES_UP, "mm1-no-reply", "stalled", ("udp-500-blocked", "peer-unreachable"),
    ),
    Fault(
        "line-down", "the peer's line is down", ("203.0.113.12",),
        _clock(18), _clock(19, 30), GIVES_UP, "mm1-host-unreachable", "stalled", ("peer-unreachable",),
    ),
    Fault(
        "fragments", "a new firewall on the way drops IP fragments from 12:00 on", ("203.0.113.88",),
        _clock(12), DAY, 15 * MINUTE, "mm5-fragments-dropped", "stalled", ("fragments-dropped",),
    ),
    Fault(
        "ikev2-key", "the gateway has a mistyped pre-shared key from 08:00 to 09:15", ("203.0.113.104",),
        _clock(8), _clock(9, 15), 5 * MINUTE, "ikev2-authentication-failed", "rejected",
        ("psk-mismatch", "identity-mismatch"),
    ),
    Fault(
        "phase-2", "the peer's ESP proposals were changed at 15:30", ("203.0.113.25",),
        _clock(15, 30), DAY, 15 * MINUTE, "phase2-refused", "completed",
        ("phase2-proposal-mismatch", "phase2-selector-mismatch", "pfs-mismatch"),
    ),
    Fault(
        "one-way", "the way from the gateway to the peer loses message 4", ("203.0.113.35",),
        _clock(20), _clock(20, 40), GIVES_UP, "mm4-lost-responder-side", "stalled", ("path-loss",),
    ),
    Fault(
        "child-sa", "the peer, a Libreswan, cannot set up the Child SA, and says so where only keys can read it",
        ("203.0.113.111",), 0, DAY, 8 * HOUR, "ikev2-libreswan-child-refused", "completed",
        ("phase2-proposal-mismatch", "phase2-selector-mismatch"),
    ),
    Fault(
        "scanner-a", "a scanner", ("192.0.2.201",),
        _clock(2, 41), _clock(2, 42), HOUR, "scan-main-mode", "stalled", ("scanner",),
    ),
    Fault(
        "scanner-b", "a scanner that comes back", ("192.0.2.202",),
        _clock(0, 17), DAY, 4 * HOUR, "scan-main-mode", "stalled", ("scanner",),
    ),
)  # fmt: skip
FLAPPING, FLAPS_ID = "203.0.113.27", "flapping"
FLAPS = (_clock(6, 12), _clock(9, 3), _clock(11, 47), _clock(13, 20), _clock(17, 5), _clock(21, 2))
"""When the daemon of that peer dies; it is back four minutes later."""


class Tunnel(NamedTuple):
    """A tunnel of the gateway; far -- the peer."""

    kind: Kind
    far: End
    gateway_initiates: bool
    way: Way

    @property
    def peer(self) -> str:
        """The address by which the gateway knows it."""
        return str(IPv4Address(self.far.outside))


class Said(NamedTuple):
    """One exchange of the day; fault -- of what it is part, None where all is well."""

    time: int
    tunnel: Tunnel
    cookies: bytes
    frames: list[tuple[int, bytes]]
    outcome: str
    causes: tuple[str, ...]
    fault: str | None


class Day:
    """The day, tunnel by tunnel. Each has its own chance, so that a change to one leaves the others as they are."""

    def __init__(self, seed: int, gateway: str = GATEWAY, without: Collection[str] = ()) -> None:
        self._seed = seed
        self.faults = [fault for fault in FAULTS if fault.id not in without]
        self.flapping = None if FLAPS_ID in without else FLAPPING
        self._recordings: dict[str, Recording] = {}
        self._gateway = End(IPv4Address(gateway).packed, IPv4Address(gateway).packed)
        self.tunnels = [
            self._tunnel(kind, str(IPv4Address(first) + number), initiates)
            for kind, first, count, initiates in TUNNELS
            for number in range(count)
        ]

    def _chance(self, *about: str) -> random.Random:
        return random.Random(" ".join((str(self._seed), *about)))

    def _tunnel(self, kind: Kind, address: str, gateway_initiates: bool) -> Tunnel:
        chance = self._chance("tunnel", address)
        outside = IPv4Address(address).packed
        far = End(outside, outside)
        if kind is NAT:
            inside = IPv4Address("192.168.0.10") + 256 * chance.randrange(256)
            far = End(inside.packed, outside, {p: chance.randrange(1024, 65536) for p in (500, 4500)})
        router = outside[:3] + bytes((1,))
        return Tunnel(
            kind, far, gateway_initiates, Way(chance.randrange(3_000, 60_000), chance.randrange(6, 16), router)
        )

    def exchanges(self) -> Iterator[Said]:
        """Every exchange, tunnel by tunnel, strangers last."""
        faults = {peer: fault for fault in self.faults for peer in fault.peers}
        for tunnel in self.tunnels:
            chance = self._chance("day", tunnel.peer)
            fault = faults.get(tunnel.peer)
            if tunnel.peer == self.flapping:
                yield from self._flapping(tunnel, chance)
            elif fault is None:
                yield from self._well(tunnel, chance, chance.randrange(LIFE), DAY)
            else:
                if fault.begin:
                    yield from self._well(tunnel, chance, chance.randrange(min(fault.begin, LIFE)), fault.begin)
                yield from self._faulty(tunnel, chance, fault)
                if fault.end < DAY:
                    yield from self._well(tunnel, chance, fault.end + chance.randrange(2 * MINUTE), DAY)
        known = {tunnel.peer for tunnel in self.tunnels}
        for fault in self.faults:
            for peer in fault.peers:
                if peer not in known:
                    yield from self._faulty(self._tunnel(PSK, peer, False), self._chance("day", peer), fault)

    def _well(self, tunnel: Tunnel, chance: random.Random, begin: int, end: int) -> Iterator[Said]:
        """The tunnel comes up, and anew before the ISAKMP SA has lived the time that is negotiated."""
        while begin < min(end, LAST_BEGIN):
            life = LIFE - chance.randrange(LIFE // 10)
            # An SA that is up when the fault comes is never taken down properly.
            deleted = tunnel.kind.deletes if begin + life < end or end == DAY else ()
            yield self._up(tunnel, chance, begin, life, deleted)
            begin += life

    def _up(self, tunnel: Tunnel, chance: random.Random, begin: int, life: int, deletes: tuple[int, ...]) -> Said:
        def keep(place: int) -> bool:
            return place < tunnel.kind.upto or place in deletes

        def when(place: int, time: int) -> int:
            return life + 200_000 + place if place in tunnel.kind.deletes else time

        return self._said(tunnel, chance, begin, tunnel.kind.recording, "completed", (), None, keep, when)

    def _faulty(self, tunnel: Tunnel, chance: random.Random, fault: Fault) -> Iterator[Said]:
        """One try after the other until the fault is gone."""
        begin = fault.begin + chance.randrange(2 * MINUTE if len(fault.peers) > 1 else 20 * SECOND)
        while begin < min(fault.end, LAST_BEGIN):
            yield self._said(
                tunnel, chance, begin, fault.recording, fault.outcome, fault.causes, fault.id,
                lambda place: fault.upto is None or place < fault.upto,
            )  # fmt: skip
            begin += fault.every + chance.randrange(200_000)

    def _flapping(self, tunnel: Tunnel, chance: random.Random) -> Iterator[Said]:
        """The tunnel is up; the peer's daemon dies, DPD finds nobody there, nor does a new try; then it is up again."""
        begin = chance.randrange(HOUR)
        for dies in FLAPS:
            probes = dies - begin
            yield self._said(
                tunnel, chance, begin, "peer-lost", "completed", ("peer-lost",), FLAPS_ID,
                when=lambda place, time, probes=probes: time + probes if place >= 9 else time,
            )  # fmt: skip
            yield self._said(
                tunnel, chance, dies + 16 * SECOND, "mm1-port-unreachable", "stalled", ("no-ike-listener",), FLAPS_ID
            )
            begin = dies + 4 * MINUTE + chance.randrange(10 * SECOND)
        yield from self._well(tunnel, chance, begin, DAY)

    def _said(
        self,
        tunnel: Tunnel,
        chance: random.Random,
        begin: int,
        recording: str,
        outcome: str,
        causes: tuple[str, ...],
        fault: str | None,
        keep: Callable[[int], bool] = lambda _: True,
        when: Callable[[int, int], int] = lambda _, time: time,
    ) -> Said:
        if recording not in self._recordings:
            self._recordings[recording] = Recording(CAPTURES / f"{recording}.pcap")
        ends = (self._gateway, tunnel.far) if tunnel.gateway_initiates else (tunnel.far, self._gateway)
        spoken = Spoken(
            self._recordings[recording], *ends,
            at_initiator=tunnel.gateway_initiates, way=tunnel.way, chance=chance, keep=keep, when=when,
        )  # fmt: skip
        frames = [(begin + time, frame) for time, frame in spoken.frames]
        return Said(begin, tunnel, spoken.cookies, frames, outcome, causes, fault)


def generate(
    directory: Path, seed: int = 1, gateway: str = GATEWAY, number: int = 0, without: Collection[str] = ()
) -> dict[str, object]:
    """Write the capture and the truth of day `number`, from 0, into that directory; returns the truth."""
    day, start = Day(seed, gateway, without), START + number * (DAY // SECOND)
    said = sorted(day.exchanges(), key=lambda exchange: exchange.time)
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "gateway-day.pcap").open("wb") as file:
        write_pcap(file, _frames(said), start)
    truth: dict[str, object] = {
        "gateway": gateway,
        "start": start,
        "tunnels": [
            {"peer": t.peer, "kind": t.kind.name, "initiator": "gateway" if t.gateway_initiates else "peer"}
            for t in day.tunnels
        ],
        "incidents": [
            *(
                {"id": f.id, "what": f.what, "peers": f.peers, "begin": start + f.begin // SECOND,
                 "end": start + f.end // SECOND}
                for f in day.faults
            ),
            *(
                {"id": FLAPS_ID, "what": "the peer's daemon dies and comes back", "peers": [peer],
                 "begin": start + FLAPS[0] // SECOND, "end": start + (FLAPS[-1] + 4 * MINUTE) // SECOND}
                for peer in (day.flapping,) if peer is not None
            ),
        ],
        "exchanges": [
            {"time": start + s.time / SECOND, "peer": s.tunnel.peer, "initiator_spi": s.cookies[:8].hex(),
             "outcome": s.outcome, "causes": s.causes, "incident": s.fault}
            for s in said
        ],
    }  # fmt: skip
    (directory / "gateway-day.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return truth


def _frames(said: list[Said]) -> Frames:
    frames = sorted((frame for s in said for frame in s.frames), key=lambda frame: frame[0])
    return (frame for frame in frames if frame[0] < DAY)


def main() -> None:
    """Run from the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("directory", type=Path)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--gateway", default=GATEWAY, help="its address")
    options.add_argument("--day", type=int, default=0, help="days after the first")
    options.add_argument("--without", nargs="+", default=(), choices=[*(f.id for f in FAULTS), FLAPS_ID])
    given = options.parse_args()
    generate(given.directory, given.seed, given.gateway, given.day, given.without)


if __name__ == "__main__":
    main()
