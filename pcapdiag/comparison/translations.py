"""What is changed between two points: addresses and ports (NAT), the routers between, DF, fragments, traffic class."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from pcapdiag.capture.datagram import Frame
from pcapdiag.comparison.fates import Passage, Transmission
from pcapdiag.record import Record

MAX_CHANGES = 200
MAX_FRAMES = 40


class Change(Record, frozen=True):
    """One thing that is changed on the way from one point to the next.

    kind -- "source", "destination", "routers", "dscp", "df", "fragments", "octets"
    before, after -- what it was and what it became; of routers how many are between, in `after`
    packets -- how many show it; frames -- of some of them
    """

    first: int
    then: int
    kind: str
    before: str
    after: str
    packets: int
    frames: tuple[Frame, ...]


def changes(transmissions: Sequence[Transmission]) -> tuple[Change, ...]:
    """What is changed, each once, in the order of first sight."""
    found: dict[tuple[int, int, str, str, str], list[Transmission]] = {}
    for sent in transmissions:
        seen = [p for p in sent.path if sent.passages[p].frames]
        for one, other in pairwise(seen):
            for kind, before, after in _between(sent.passages[one], sent.passages[other]):
                key = (one, other, kind, before, after)
                if key in found or len(found) < MAX_CHANGES:
                    found.setdefault(key, []).append(sent)
            if sent.altered:
                found.setdefault((one, other, "octets", "", ""), []).append(sent)
    return tuple(
        Change(*key, len(sent), tuple(f for t in sent[:10] for f in t.frames)[:MAX_FRAMES])
        for key, sent in found.items()
    )


def _between(here: Passage, there: Passage) -> Iterator[tuple[str, str, str]]:
    for kind, one, other in (
        ("source", (here.source, here.source_port), (there.source, there.source_port)),
        ("destination", (here.destination, here.destination_port), (there.destination, there.destination_port)),
    ):
        if one != other:
            yield kind, f"{one[0]} port {one[1]}", f"{other[0]} port {other[1]}"
    if here.ttl is not None and there.ttl is not None:
        yield "routers", "", str(here.ttl - there.ttl)
    if here.tos is not None and there.tos is not None and here.tos >> 2 != there.tos >> 2:
        yield "dscp", str(here.tos >> 2), str(there.tos >> 2)
    if here.unfragmented is not None and there.unfragmented is not None and here.unfragmented != there.unfragmented:
        yield "df", _set(here.unfragmented), _set(there.unfragmented)
    if len(here.frames) != len(there.frames):
        yield "fragments", str(len(here.frames)), str(len(there.frames))


def _set(flag: bool) -> str:
    return "set" if flag else "clear"
