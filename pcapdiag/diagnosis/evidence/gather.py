"""The evidence: every fact that the wire shows of an exchange, numbered, each with the frames that show it.

A fact says what was seen, not what it means: meaning is the ranking's. Its `kind` is stable and public; the ranking
refers to it, reports print its text.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from functools import lru_cache

from msgspec.structs import replace

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.evidence import after_phase1_facts, child_sizes, path_facts, peer_facts, stop_facts
from pcapdiag.diagnosis.evidence.case import Case, Evidence, Fact
from pcapdiag.diagnosis.evidence.version_words import in_ikev2
from pcapdiag.exchange.model import Exchange, Mode
from pcapdiag.knowledge.kinds import kind_of


def tells(item: Evidence) -> bool:
    """Worth a line although no cause refers to it: it tells where one stands, or who one deals with."""
    return _any_tells(item.kinds)


@lru_cache(4096)
def _any_tells(kinds: tuple[str, ...]) -> bool:
    return any(kind_of(kind).shown for kind in kinds)


def numbered(evidence: Sequence[Evidence], cited: Container[str]) -> tuple[Evidence, ...]:
    """The evidence with new numbers: the stop, then what is worth a line, then the rest, so that a report has no gaps.

    cited -- ids, as they are now, of what causes rest on
    """
    shown = [i for n, i in enumerate(evidence) if n == 0 or i.id in cited or tells(i)]
    ids = {i.id for i in shown}
    rest = [i for i in evidence if i.id not in ids]
    return tuple(
        [
            item if item.id == f"E{number}" else replace(item, id=f"E{number}")
            for number, item in enumerate((*shown, *rest), 1)
        ]
    )


def gather(case: Case) -> tuple[Evidence, ...]:
    """Every fact of this exchange, numbered; the first is the stop itself. One that is found again is not said again.

    Raises UndeclaredKindError for a fact of a kind that `kinds` does not have.
    """
    facts: dict[tuple[str, str], Fact] = {}
    for source in SOURCES:
        for fact in source(case):
            if fact.frames:
                facts.setdefault((fact.kind, fact.text), fact)
    two = case.exchange.mode is Mode.IKEV2
    return tuple([_numbered(number, fact, two) for number, fact in enumerate(facts.values(), 1)])


def _numbered(number: int, fact: Fact, two: bool) -> Evidence:
    kinds = tuple(dict.fromkeys((fact.kind, *fact.also))) if fact.also else (fact.kind,)
    for kind in kinds:
        kind_of(kind)  # refuses what is not declared
    text = in_ikev2(fact.text) if two else fact.text
    return Evidence(f"E{number}", fact.kind, text, fact.frames, _frame_filter(fact.frames), kinds)


def _frame_filter(frames: Sequence[Frame]) -> str:
    """The frames, for Wireshark's filter line; a range where there are many."""
    if len(frames) == 1:
        return f"frame.number == {frames[0].number}"
    numbers = sorted({f.number for f in frames})
    if len(numbers) == 1:
        return f"frame.number == {numbers[0]}"
    return f"frame.number in {{{', '.join(map(str, numbers[:40]))}}}"


def exchange_filter(exchange: Exchange) -> str:
    """Wireshark's display filter for all under this exchange's cookies (SPIs), ICMP errors that quote it included."""
    field = "isakmp.ispi"
    return f"{field} == {exchange.initiator_spi.hex(':')}"


def _opened(name: str) -> Callable[[Case], Iterator[Fact]]:
    """A source of `facts_opened`, which is imported for an exchange that keys were tried on, or with a certificate."""

    def source(case: Case) -> Iterator[Fact]:
        if case.more_is_told:
            from pcapdiag.diagnosis.evidence import decrypted_facts

            found: Callable[[Case], Iterator[Fact]] = getattr(decrypted_facts, name)
            yield from found(case)

    return source


SOURCES: tuple[Callable[[Case], Iterator[Fact]], ...] = (
    stop_facts.stop,
    stop_facts.eap,
    stop_facts.silence,
    stop_facts.clear_notifies,
    _opened("notifies"),
    _opened("deletes"),
    stop_facts.sealed_refusal,
    stop_facts.mm6,
    path_facts.icmp,
    path_facts.arp,
    stop_facts.repeats,
    stop_facts.strays,
    stop_facts.implausible,
    stop_facts.one_way,
    stop_facts.lone_answer,
    stop_facts.malformed,
    path_facts.nat,
    path_facts.nat_t,
    path_facts.tcp,
    path_facts.mobike,
    path_facts.ports,
    path_facts.port_4500,
    path_facts.keepalives,
    path_facts.fragments,
    peer_facts.offer,
    peer_facts.chosen,
    peer_facts.authentication,
    peer_facts.requested_certificates,
    peer_facts.forgotten,
    _opened("keys"),
    _opened("identities"),
    _opened("authentication"),
    _opened("certificates"),
    path_facts.elsewhere,
    peer_facts.scan,
    peer_facts.probe,
    peer_facts.vendors,
    after_phase1_facts.phase2,
    after_phase1_facts.deleted_at_once,
    after_phase1_facts.children,
    _opened("quick_modes"),
    _opened("child_sas"),
    after_phase1_facts.xauth,
    _opened("xauth"),
    after_phase1_facts.dpd,
    after_phase1_facts.answered_in_clear,
    peer_facts.again,
    stop_facts.schedule,
    peer_facts.keys,
    peer_facts.weak_algorithms,
    path_facts.unmarked,
    after_phase1_facts.quick_mode_size,
    child_sizes.no_room_for_a_child,
    child_sizes.may_be_refused,
    after_phase1_facts.esp,
    after_phase1_facts.rekey,
    after_phase1_facts.ikev2_extras,
    path_facts.vantage,
)
