"""The evidence: every fact that the wire shows of an exchange, numbered, each with the frames that show it.

A fact says what was seen, not what it means: meaning is the ranking's. Its `kind` is stable and public; the ranking
refers to it, reports print its text.
"""

from collections.abc import Callable, Container, Iterator, Sequence

from msgspec.structs import replace

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis import child_room, facts_after, facts_path, facts_peers, facts_stop
from pcapdiag.diagnosis.case import Case, Evidence, Fact
from pcapdiag.diagnosis.versions import in_ikev2
from pcapdiag.exchange.model import Exchange, Mode

TELLING = (
    "answers-to-another-port",
    "begins-on",
    "certificate-doubt",
    "certificate-fault",
    "certificate-of",
    "child-",
    "compare-",
    "completed",
    "cookie",
    "ends-keys",
    "esp",
    "address-changed",
    "back-on-500",
    "identity-not",
    "ike-",
    "implausible",
    "keys-",
    "malformed",
    "mobike",
    "nat",
    "one-direction",
    "opened-",
    "other-group",
    "phase1-again",
    "psk-",
    "quick-mode-chosen",
    "quick-mode-no-pfs",
    "quick-mode-pfs",
    "repeating",
    "schedule",
    "several-chosen",
    "stray",
    "v2-delete",
    "vantage",
    "weak",
    "xauth-status",
    "xauth-user",
)
"""How the kinds begin that are worth a line although no cause refers to them."""


def tells(item: Evidence) -> bool:
    """Worth a line although no cause refers to it: it tells where one stands, or who one deals with."""
    return any(kind == "no-nat" or kind.startswith(TELLING) for kind in item.kinds)


def numbered(evidence: Sequence[Evidence], cited: Container[str]) -> tuple[Evidence, ...]:
    """The evidence with new numbers: the stop, then what is worth a line, then the rest, so that a report has no gaps.

    cited -- ids, as they are now, of what causes rest on
    """
    shown = [i for n, i in enumerate(evidence) if n == 0 or i.id in cited or tells(i)]
    ids = {i.id for i in shown}
    rest = [i for i in evidence if i.id not in ids]
    return tuple(replace(item, id=f"E{number}") for number, item in enumerate((*shown, *rest), 1))


def gather(case: Case) -> tuple[Evidence, ...]:
    """Every fact of this exchange, numbered; the first is the stop itself. The same text is not said twice."""
    facts: dict[str, list[Fact]] = {}
    two = case.exchange.mode is Mode.IKEV2
    for source in SOURCES:
        for fact in source(case):
            if fact.frames:
                facts.setdefault(in_ikev2(fact.text) if two else fact.text, []).append(fact)
    return tuple(
        Evidence(f"E{number}", alike[0].kind, text, alike[0].frames, _frame_filter(alike[0].frames), _kinds(alike))
        for number, (text, alike) in enumerate(facts.items(), 1)
    )


def _kinds(facts: Sequence[Fact]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f.kind for f in facts))


def _frame_filter(frames: Sequence[Frame]) -> str:
    """The frames, for Wireshark's filter line; a range where there are many."""
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
            from pcapdiag.diagnosis import facts_opened

            found: Callable[[Case], Iterator[Fact]] = getattr(facts_opened, name)
            yield from found(case)

    return source


SOURCES: tuple[Callable[[Case], Iterator[Fact]], ...] = (
    facts_stop.stop,
    facts_stop.silence,
    facts_stop.clear_notifies,
    _opened("notifies"),
    _opened("deletes"),
    facts_stop.sealed_refusal,
    facts_stop.mm6,
    facts_path.icmp,
    facts_stop.repeats,
    facts_stop.strays,
    facts_stop.implausible,
    facts_stop.one_way,
    facts_stop.lone_answer,
    facts_stop.malformed,
    facts_path.nat,
    facts_path.nat_t,
    facts_path.tcp,
    facts_path.mobike,
    facts_path.ports,
    facts_path.port_4500,
    facts_path.keepalives,
    facts_path.fragments,
    facts_peers.offer,
    facts_peers.chosen,
    facts_peers.authentication,
    facts_peers.requested_certificates,
    facts_peers.forgotten,
    _opened("keys"),
    _opened("identities"),
    _opened("authentication"),
    _opened("certificates"),
    facts_path.elsewhere,
    facts_peers.scan,
    facts_peers.probe,
    facts_peers.vendors,
    facts_after.phase2,
    facts_after.children,
    _opened("quick_modes"),
    _opened("child_sas"),
    facts_after.xauth,
    _opened("xauth"),
    facts_after.dpd,
    facts_peers.again,
    facts_stop.schedule,
    facts_peers.keys,
    facts_peers.weak_algorithms,
    facts_path.unmarked,
    facts_after.quick_mode_size,
    child_room.no_room_for_a_child,
    facts_after.esp,
    facts_after.rekey,
    facts_after.ikev2_extras,
    facts_path.vantage,
)
