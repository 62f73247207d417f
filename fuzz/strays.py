"""Puts what anybody can send into real captures, and loses, doubles and swaps packets of them: no verdict may be false.

`python -m fuzz.strays --seconds 600` draws anew each time, prints its seed, and writes a capture for each kind of
failure; the exit status is then 1. `--seed N` draws the same again. What must hold:

strays    from an address of neither end change no outcome, one from an end's own address makes no success of a failure
          and (but for what RFC 2408 lets a clear message end) no failure of a success; none of them confirms a cause
changes   a packet that is lost, doubled or swapped with its neighbour makes no success of a failure, and no refusal and
          no confirmed cause of a tunnel that carried traffic; one that is recorded twice changes nothing
"""

import io
import json
import struct
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random

import click
import dpkt

from fuzz import stray_packets as packets
from fuzz.seeds import CAPTURES, ROOT
from fuzz.stray_packets import End, Named
from pcapdiag.capture.datagram import Datagram
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Mode
from pcapdiag.ike.message import ZERO_SPI
from pcapdiag.knowledge.records import Status
from pcapdiag.pipeline import Report, analyze
from pcapdiag.record import Record

THIRD = {4: ("203.0.113.66", "198.51.100.200"), 6: ("2001:db8:66::66", "2001:db8:77::77")}
"""Addresses of neither end."""
BESIDE = ROOT.parent / "shared" / "captures"
"""More labelled captures, where they lie beside the checkout."""
MILLISECOND, SECOND = 1_000_000, 1_000_000_000
FAILED = (Outcome.STALLED, Outcome.REJECTED, Outcome.INCONCLUSIVE)
WORKED = (Outcome.COMPLETED, Outcome.SUPERSEDED)
PATH = {
    "fragments-dropped", "no-ike-listener", "path-loss", "peer-unreachable", "udp-4500-blocked", "udp-500-blocked",
}  # fmt: skip
"""Causes by which messages do not arrive: lost packets may make them likely."""
LARGEST = 400
"""Frames of a capture that is taken; larger ones cost too much for what they add."""

Frame = tuple[int, bytes]
"""When (nanoseconds), and the octets."""


# --- captures, and what is said of them ------------------------------------------------------------------------


class Said(Record, frozen=True):
    """What a report says of one exchange."""

    outcome: Outcome
    statuses: dict[str, Status]
    both: bool
    carried: bool
    reason: str

    def standing(self, *statuses: Status) -> set[str]:
        """The causes that stand so."""
        return {cause for cause, status in self.statuses.items() if status in statuses}


Key = tuple[bytes, str, str, str]


class Scene(Record, frozen=True):
    """A capture as it is: its frames, which of them are IKE, and what is said of it.

    link -- link type; head -- octets before the IP header of its frames
    sent -- for each frame that is one IKE message, the datagram; diagnoses -- of the exchanges, by their cookie
    """

    name: str
    link: int
    head: int
    frames: tuple[Frame, ...]
    sent: dict[int, Datagram]
    diagnoses: tuple[Diagnosis, ...]
    said: dict[Key, Said]


class Variant(Record, frozen=True):
    """A changed capture. what -- how, in words; kind -- which property holds; about -- the exchange it is aimed at."""

    scene: Scene
    kind: str
    what: str
    frames: tuple[Frame, ...]
    about: Key | None = None


class Failure(Record, frozen=True):
    """A property that does not hold; `rule` and `family` say of which kind it is."""

    rule: str
    family: str
    detail: str
    variant: Variant


def written(link: int, frames: Iterable[Frame]) -> bytes:
    """A pcap file with nanoseconds."""
    rows = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, link)]
    for at, octets in frames:
        rows.append(struct.pack("<IIII", *divmod(at, SECOND), len(octets), len(octets)) + octets)
    return b"".join(rows)


def reported(link: int, frames: Iterable[Frame]) -> Report:
    """What is said of these frames."""
    return analyze(io.BytesIO(written(link, frames)))


def said_of(report: Report) -> dict[Key, Said]:
    """What is said of each exchange, by the initiator's cookie, the version and the two addresses."""
    found: dict[Key, Said] = {}
    for diagnosis in report.diagnoses:
        found.setdefault(_key(diagnosis), _said(diagnosis))
    return found


def _key(diagnosis: Diagnosis) -> Key:
    e = diagnosis.exchange
    return e.initiator_spi, "2" if e.mode is Mode.IKEV2 else "1", *e.conversation


def _said(diagnosis: Diagnosis) -> Said:
    e = diagnosis.exchange
    kinds = {kind for item in diagnosis.evidence for kind in item.kinds}
    return Said(
        outcome=diagnosis.stop.outcome,
        statuses={c.cause.id: c.status for c in diagnosis.causes},
        both=len({s.sender for s in e.steps}) == 2,
        carried="esp-both-ways" in kinds or any(p.outcome is Outcome.COMPLETED for p in diagnosis.phase2),
        reason=diagnosis.stop.reason,
    )


def _frames(path: Path) -> tuple[int, list[Frame]]:
    with path.open("rb") as file:
        reader = dpkt.pcap.UniversalReader(file)
        link = int(reader.datalink())
        return link, [(round(float(at) * 1e6) * 1000, bytes(octets)) for at, octets in reader]


def _head(link: int, octets: bytes) -> int | None:
    """Octets before the IP header, of the link types that the captures have."""
    if link == 1:
        at = 12
        while octets[at : at + 2] in (b"\x81\x00", b"\x88\xa8"):
            at += 4
        return at + 2 if octets[at : at + 2] in (b"\x08\x00", b"\x86\xdd") else None
    return {113: 16, 276: 20, 101: 0, 12: 0}.get(link)


@cache
def scene(path: Path) -> Scene | None:
    """The capture as a scene; None where nothing can be put into it."""
    try:
        link, frames = _frames(path)
    except (ValueError, dpkt.UnpackError):
        return None
    if not frames or len(frames) > LARGEST:
        return None
    sent: dict[int, Datagram] = {}

    def witness(item: object, number: int | None) -> None:
        if isinstance(item, Datagram) and number is not None and not item.fragments and item.transport == "udp":
            sent[item.frame.number - 1] = item

    report = analyze(io.BytesIO(written(link, frames)), witness=witness)
    head = _head(link, frames[next(iter(sent))][1]) if sent else None
    if head is None or not report.diagnoses:
        return None
    return Scene(path.name, link, head, tuple(frames), sent, report.diagnoses, said_of(report))


def scenes(folders: Sequence[Path]) -> list[Scene]:
    """The labelled captures in these folders."""
    found = []
    for folder in folders:
        for row in json.loads((folder / "truth.json").read_text(encoding="utf-8")):
            made = scene(folder / row["capture"]) if (folder / row["capture"]).is_file() else None
            if made is not None:
                found.append(replaced_name(made, row["capture"]))
    return found


def replaced_name(made: Scene, name: str) -> Scene:
    """The same under the name that the labels have."""
    return Scene(name, made.link, made.head, made.frames, made.sent, made.diagnoses, made.said)


def default_folders() -> list[Path]:
    """The project's captures, and those beside the checkout."""
    return [f for f in (CAPTURES, *(BESIDE / name for name in ("lab", "lab2", "lab3"))) if (f / "truth.json").is_file()]


# --- strays ----------------------------------------------------------------------------------------------------


def stray(made: Scene, dice: Random) -> Variant | None:
    """The capture with one or two strays aimed at one of its exchanges."""
    target = dice.choice(made.diagnoses)
    first = {t.frame.number - 1 for step in target.exchange.steps for t in step.sent}
    places = [n for n, d in made.sent.items() if n in first and _is_of(d, target)]
    if not places:
        return None
    frames = list(made.frames)
    who = dice.choice(("third", "third", "initiator", "responder"))
    count = dice.choice((1, 1, 2)) if who == "third" else 1
    # From the last one on, so that the places of the others stay.
    chosen = sorted(((dice.choice(places), dice.random() < 0.5) for _ in range(count)), key=_from_behind)
    told: list[str] = []
    for place, before in chosen:
        name, octets = _forged(made, target, place, who, before, dice)
        _put(frames, place, before, made.frames[place][1][: made.head] + octets, dice)
        label = target.exchange.steps and _name_at(target, place)
        told.append(f"{name} {'before' if before else 'after'} {label} (frame {place + 1})")
    kind = "stray-third" if who == "third" else f"stray-{who}"
    if any("about this packet" in name for name in told):
        kind += "-error" if len({place for place, _ in chosen}) == 1 else "-errors"
    return Variant(made, kind, f"{who}: {'; '.join(reversed(told))}", tuple(frames), _key(target))


def _from_behind(row: tuple[int, bool]) -> tuple[int, bool]:
    return -row[0], row[1]


def _is_of(found: Datagram, target: Diagnosis) -> bool:
    return _isakmp(found)[:8] == target.exchange.initiator_spi


def _isakmp(found: Datagram) -> bytes:
    return found.payload[4:] if found.payload[:4] == packets.MARKER else found.payload


def _name_at(target: Diagnosis, place: int) -> str:
    for step in target.exchange.steps:
        if any(f.number == place + 1 for f in step.frames):
            return step.name
    return "a duplicate"


def _put(frames: list[Frame], place: int, before: bool, octets: bytes, dice: Random) -> None:
    """A frame right before or behind that one, or in the middle of the silence next to it."""
    at = frames[place][0]
    around = frames[place - 1][0] if before and place else at
    if not before:
        around = frames[place + 1][0] if place + 1 < len(frames) else at + 2 * MILLISECOND
    gap = abs(around - at)
    distance = min(gap // 2, MILLISECOND) if dice.random() < 0.7 else gap // 2
    frames.insert(place if before else place + 1, (at - distance if before else at + distance, octets))


def _forged(made: Scene, target: Diagnosis, place: int, who: str, before: bool, dice: Random) -> Named:
    e, near = target.exchange, made.sent[place]
    from_initiator = near.source in e.initiator.addresses
    ends = [End(near.source, near.source_port), End(near.destination, near.destination_port)]
    initiator, responder = ends if from_initiator else reversed(ends)
    third = End(dice.choice(THIRD[6 if ":" in near.source else 4]), dice.choice((500, initiator.port, responder.port)))
    if not before and dice.random() < 0.4:
        return _icmp(made, place, who, (initiator, responder, third), dice)
    if who == "third":
        source, destination = third, dice.choice((initiator, responder))
    else:
        source, destination = (initiator, responder) if who == "initiator" else (responder, initiator)
    # Nobody knows a cookie before it went by.
    seen = [octets for n in sorted(made.sent) if n < place + (not before) for octets in [_isakmp(made.sent[n])]]
    own = [o for o in seen if o[:8] == e.initiator_spi]
    spi = next((o[8:16] for o in own if o[8:16] != ZERO_SPI), None) or dice.randbytes(8)
    initiator_spi = e.initiator_spi if own else dice.randbytes(8)
    cookies, which = dice.choice(
        (
            *(3 * [((initiator_spi, spi), "right cookies")]),
            ((initiator_spi, dice.randbytes(8)), "a wrong cookie"),
            ((initiator_spi, ZERO_SPI), "no responder's cookie"),
            ((dice.randbytes(8), dice.randbytes(8)), "wrong cookies"),
        )
    )
    make: Callable[[packets.Cookies, Random], Iterable[Named]] = packets.of_ikev1
    if (e.mode is Mode.IKEV2) is (dice.random() < 0.95):
        make = packets.of_ikev2
    name, octets = dice.choice(list(make(cookies, dice)))
    if own and who == "third" and dice.random() < 0.2:
        name, octets = "a message once more", dice.choice(own)
    ttl = dice.choice((64, near.ttl, 61))
    where = f"to {'the responder' if destination is responder else 'the initiator'}, {which}"
    return f"{name} {where}", packets.datagram(source, destination, octets, ttl, dice.randrange(1, 65_536))


def _icmp(made: Scene, place: int, who: str, ends: tuple[End, End, End], dice: Random) -> Named:
    """An ICMP error that quotes this packet, or another flow between its ends."""
    initiator, responder, third = ends
    near = made.frames[place][1][made.head :]
    source = {"third": third, "initiator": initiator, "responder": responder}[who].address
    numbers = dice.choice(packets.ERRORS_V6 if ":" in source else packets.ERRORS_V4)
    about = "this packet"
    if dice.random() < 0.6:
        header = 40 if near[0] >> 4 == 6 else 20
        quoted = near[: header + dice.choice((8, 36, len(near)))]
    else:
        ports = dice.choice(packets.OTHER_FLOWS)
        one, other = (initiator, responder) if dice.random() < 0.5 else (responder, initiator)
        about = f"ports {ports[0]} to {ports[1]}"
        body = dice.randbytes(dice.choice((0, 20, 60)))
        quoted = packets.packet(
            one.address, other.address, packets.UDP, struct.pack(">HHHH", *ports, 8 + len(body), 0) + body, 60, 7
        )
    name = f"ICMP {numbers[0]}/{numbers[1]} about {about}"
    return name, packets.error(source, quoted, numbers, dice.randrange(1, 65_536))


# --- packets lost, doubled, swapped ----------------------------------------------------------------------------


def change(made: Scene, dice: Random) -> Variant | None:
    """The capture with a packet or two lost, one doubled, or two neighbours swapped."""
    return dice.choice((_dropped, _dropped, _swapped, _doubled, _sent_again))(made, dice)


def _dropped(made: Scene, dice: Random) -> Variant | None:
    places = set(dice.sample(range(len(made.frames)), min(dice.choice((1, 2)), len(made.frames) - 1)))
    return _without(made, places)


def _without(made: Scene, places: set[int]) -> Variant:
    kept = tuple(f for n, f in enumerate(made.frames) if n not in places)
    names = ", ".join(str(n + 1) for n in sorted(places))
    # The capture goes on as long as it did: it is the packets that are lost.
    last = made.frames[-1]
    if len(made.frames) - 1 in places:
        kept = (*kept, (last[0], last[1][: made.head] + packets.packet(*_QUIET[_version(made)], 17, _NOTHING, 64, 9)))
    return Variant(made, "dropped", f"without frame {names} ({_names(made, places)})", kept)


_QUIET = {4: ("192.0.2.240", "192.0.2.241"), 6: ("2001:db8:f::1", "2001:db8:f::2")}
_NOTHING = struct.pack(">HHHH", 9, 9, 8, 0)


def _version(made: Scene) -> int:
    return made.frames[next(iter(made.sent))][1][made.head] >> 4


def _names(made: Scene, places: Iterable[int]) -> str:
    found = []
    for place in sorted(places):
        named = next(
            (_name_at(d, place) for d in made.diagnoses if place in made.sent and _is_of(made.sent[place], d)), ""
        )
        found.append(named or "no IKE")
    return ", ".join(found)


def _swapped(made: Scene, dice: Random) -> Variant | None:
    times = [at for at, _ in made.frames]
    places = [n for n in range(len(times) - 1) if times[n + 1] - times[n] <= SECOND // 2]
    return _with_swapped(made, dice.choice(places)) if places else None


def _with_swapped(made: Scene, place: int) -> Variant:
    frames = list(made.frames)
    one, other = frames[place], frames[place + 1]
    frames[place], frames[place + 1] = (one[0], other[1]), (other[0], one[1])
    what = f"frames {place + 1} and {place + 2} swapped ({_names(made, (place, place + 1))})"
    return Variant(made, "swapped", what, tuple(frames))


def _doubled(made: Scene, dice: Random) -> Variant:
    return _with_double(made, dice.randrange(len(made.frames)), dice)


def _with_double(made: Scene, place: int, dice: Random) -> Variant:
    """One frame recorded twice, as a mirror port does."""
    at, octets = made.frames[place]
    frames = [*made.frames[: place + 1], (at + dice.choice((1000, 20_000)), octets), *made.frames[place + 1 :]]
    frames.sort(key=lambda f: f[0])
    return Variant(made, "doubled", f"frame {place + 1} ({_names(made, (place,))}) recorded twice", tuple(frames))


def _sent_again(made: Scene, dice: Random) -> Variant | None:
    """One message sent again, with an IP identification of its own, before anything else happens."""
    place = dice.choice(list(made.sent))
    at, octets = made.frames[place]
    if octets[made.head] >> 4 != 4:
        return None
    after = made.frames[place + 1][0] if place + 1 < len(made.frames) else at + SECOND
    number = struct.pack(">H", dice.randrange(1, 65_536))
    copy = octets[: made.head + 4] + number + octets[made.head + 6 :]
    frames = list(made.frames)
    frames.insert(place + 1, (at + min((after - at) // 2, SECOND), copy))
    return Variant(made, "sent-again", f"frame {place + 1} ({_names(made, (place,))}) sent again", tuple(frames))


# --- what must hold --------------------------------------------------------------------------------------------


def failures(variant: Variant) -> list[Failure]:
    """The properties that do not hold for this capture."""
    try:
        now = said_of(reported(variant.scene.link, variant.frames))
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        detail = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
        return [Failure("crash", detail, str(error), variant)]
    found = []
    for key, before in variant.scene.said.items():
        after = now.get(key)
        if after is not None:
            found += list(_judged(variant, key, before, after))
        elif variant.kind.startswith("stray"):
            ends = ", ".join("-".join(other[1:]) for other in now if other[0] == key[0])
            found.append(Failure(f"{variant.kind}: its ends are others", f"{key[1]}", f"{key[2:]} to {ends}", variant))
    return found


def _judged(variant: Variant, key: Key, before: Said, after: Said) -> Iterator[Failure]:
    turn = f"{before.outcome} to {after.outcome}"

    def failed(rule: str, family: str, detail: str = "") -> Failure:
        about = f"{key[0].hex()} IKEv{key[1]}: {turn}; {after.reason} {detail}"
        return Failure(rule, family, about, variant)

    if _only_keys_tell(variant, before, after):
        return
    if before.outcome in FAILED and after.outcome in WORKED:
        yield failed(f"{variant.kind}: a failure became a success", turn)
    new = after.standing(Status.CONFIRMED) - before.standing(Status.CONFIRMED)
    if variant.kind.startswith("stray"):
        if before.outcome is Outcome.COMPLETED and after.outcome is not Outcome.COMPLETED:
            yield failed(f"{variant.kind}: a success became a failure", turn)
        elif before.outcome in FAILED and after.outcome is not before.outcome and _no_other_failure(variant, turn):
            yield failed(f"{variant.kind}: another failure", turn)
        if new and not variant.kind.endswith("-errors"):
            yield failed(f"{variant.kind}: confirmed", ", ".join(sorted(new)))
    elif variant.kind == "doubled":
        if (before.outcome, before.statuses) != (after.outcome, after.statuses):
            yield failed("doubled: something else is said", turn, _difference(before, after))
    elif before.outcome is Outcome.COMPLETED:
        if after.outcome is Outcome.COMPLETED and before.both and not after.both:
            yield failed(f"{variant.kind}: completed by one end's messages alone", turn)
        if before.carried and after.outcome is Outcome.REJECTED:
            yield failed(f"{variant.kind}: rejected although it carried traffic", turn)
        if before.carried and new:
            yield failed(f"{variant.kind}: confirmed although it carried traffic", ", ".join(sorted(new)))
        lost = PATH & (after.standing(Status.LIKELY) - before.standing(Status.LIKELY, Status.CONFIRMED))
        if before.carried and lost:
            yield failed(f"{variant.kind}: a path cause likely although it carried traffic", ", ".join(sorted(lost)))
        if variant.kind == "sent-again" and after.outcome is not Outcome.COMPLETED:
            yield failed("sent-again: no success any more", turn)
    elif variant.kind == "sent-again" and new:
        yield failed("sent-again: confirmed", ", ".join(sorted(new)))


def _only_keys_tell(variant: Variant, before: Said, after: Said) -> bool:
    """Whether the stray is, but for its keys, what an end may send there: no rule can tell it from the real one.

    With an end's own address and both cookies, an IKE_AUTH of the right size, or an INFORMATIONAL right behind it, is
    the answer that was due, one more round of EAP, or a refusal of the answer (RFC 7296 §1.2, §2.16, §2.21.2). In IKEv1
    an encrypted Informational right behind message 6 is its refusal (RFC 2409 §5.7), and a notify or a delete in clear
    ends phase 1 where nothing goes on behind it (RFC 2408 §3.14, §3.15).
    """
    if variant.kind not in ("stray-initiator", "stray-responder") or "right cookies" not in variant.what:
        return False
    name = variant.what.split(": ")[1]
    if before.outcome is Outcome.COMPLETED:
        in_clear = name.startswith(("notify", "delete")) and "nothing followed" in before.reason
        return in_clear or name.startswith(("IKE_AUTH of", "INFORMATIONAL of", "informational of"))
    return name.startswith("IKE_AUTH of") and variant.kind == "stray-responder" and after.outcome is Outcome.COMPLETED


def _no_other_failure(variant: Variant, turn: str) -> bool:
    """Whether a failure has to stay the one that it was: from an end's own address, and with an error, it need not."""
    return variant.kind == "stray-third" or (
        variant.kind.startswith("stray-third-error") and turn != f"{Outcome.INCONCLUSIVE} to {Outcome.STALLED}"
    )


def _difference(before: Said, after: Said) -> str:
    names = {*before.statuses, *after.statuses}
    rows = {n: (before.statuses.get(n), after.statuses.get(n)) for n in names}
    return "; ".join(f"{n}: {a} to {b}" for n, (a, b) in sorted(rows.items()) if a is not b)


# --- the command -----------------------------------------------------------------------------------------------


def drawn(made: Sequence[Scene], dice: Random) -> Variant | None:
    """A variant of one of these captures: strays twice as often as changes."""
    return (stray if dice.random() < 0.66 else change)(dice.choice(made), dice)


@click.command(help=__doc__)
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--seed", type=int, help="Draw the same again; else drawn anew each time, and printed.")
@click.option("--findings", type=click.Path(path_type=Path), default=Path("fuzz-findings"), show_default=True)
@click.option(
    "--captures", type=click.Path(path_type=Path, exists=True), multiple=True, help="Folders with truth.json."
)
def main(seconds: float, seed: int | None, findings: Path, captures: tuple[Path, ...]) -> None:
    """See the module."""
    seed = int(time.time_ns() % 1_000_000_007) if seed is None else seed
    made = scenes(captures or default_folders())
    click.echo(f"seed {seed}, {len(made)} captures")
    counts: Counter[tuple[str, str]] = Counter()
    tried: Counter[str] = Counter()
    dice = Random(seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        variant = drawn(made, dice)
        if variant is None:
            continue
        tried[variant.kind] += 1
        for failure in failures(variant):
            kind = (failure.rule, failure.family)
            counts[kind] += 1
            if counts[kind] <= KEPT:
                click.echo(f"{failure.rule} ({failure.family}): {keep(failure, findings, counts[kind])}")
                click.echo(f"    {variant.scene.name}: {variant.what}\n    {failure.detail}")
    click.echo(", ".join(f"{n} {kind}" for kind, n in sorted(tried.items())))
    for (rule, family), count in counts.most_common():
        click.echo(f"{count:6} {rule} ({family})")
    sys.exit(1 if counts else 0)


KEPT = 3
"""Captures that are kept of one kind of failure."""


def keep(failure: Failure, findings: Path, number: int) -> Path:
    """Write the capture that shows it."""
    findings.mkdir(parents=True, exist_ok=True)
    words = "".join(c if c.isalnum() else "-" for c in f"{failure.rule}-{failure.family}")
    path = findings / f"strays-{words.lower()}-{number}.pcap"
    path.write_bytes(written(failure.variant.scene.link, failure.variant.frames))
    return path


if __name__ == "__main__":
    main()
