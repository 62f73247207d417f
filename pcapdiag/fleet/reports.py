"""The overview of a fleet as text, as JSON, as an HTML page, and for Prometheus' textfile collector."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from pcapdiag.fleet.peers import Overview, Peer
from pcapdiag.record import Record
from pcapdiag.report.html.markup import policy, style, template
from pcapdiag.report.live.metrics import Sample, family
from pcapdiag.report.wording import counted, safe
from pcapdiag.units import SECOND
from pcapdiag.version import VERSION

SCHEMA_VERSION = 1
Names = Mapping[str, str]
"""What addresses are called."""


def named(conversation: str, names: Names) -> str:
    """Two ends, each with its name where it has one."""
    return " ↔ ".join(f"{names[a]} ({a})" if a in names else a for a in conversation.split(" "))


def when(time: int | None) -> str:
    """A point in time for people; nothing for none."""
    return datetime.fromtimestamp(time // SECOND, UTC).strftime("%Y-%m-%d %H:%M UTC") if time else "never"


# --- text --------------------------------------------------------------------------------------------------------


def text(found: Overview, names: Names) -> str:
    """What fails first; then what changed; then what is weak."""
    gateways = {peer.gateway for peer in found.peers}
    exchanges = sum(peer.exchanges for peer in found.peers)
    days = f"{found.days[0]} to {found.days[-1]}" if found.days else "no day"
    lines = [
        f"{counted(len(found.peers), 'peer')} at {counted(len(gateways), 'gateway')}, "
        f"{counted(exchanges, 'exchange')}, {days} (UTC)",
        f"{len(found.failing):,} of them fail now",
    ]
    for peer in found.failing:
        lines += ["", *_failing(peer, names)]
    if found.changes:
        lines += ["", "Since the run before"]
        lines += [f"  {c.what:15} {c.gateway}: {named(c.conversation, names)}: {c.text}" for c in found.changes]
    if found.weak:
        lines += ["", "Chosen although weak or deprecated"]
        lines += [f"  {count:>9,} exchanges  {name}" for name, count in found.weak.items()]
    if found.errors:
        lines += ["", "Not read, or not to the end", *(f"  {error}" for error in found.errors)]
    return "".join(f"{safe(line)}\n" for line in lines)


def _failing(peer: Peer, names: Names) -> list[str]:
    causes = ", ".join(f"{name} ({count}×)" for name, count in sorted(peer.causes.items(), key=lambda row: -row[1]))
    return [
        f"{peer.gateway}: {named(peer.conversation, names)}",
        f"  fails since {when(peer.since)}, {counted(peer.streak, 'time')}; worked last: {when(peer.ok_time)}",
        f"  {peer.state}{f', {peer.stopped} is missing' if peer.stopped else ''}: {peer.reason}",
        f"  likely: {causes or 'nothing that is known'}",
    ]


# --- JSON --------------------------------------------------------------------------------------------------------


def as_json(found: Overview, names: Names) -> str:
    """One document. A contract: fields are added, never renamed; times are Unix seconds."""
    peers = [
        {
            "gateway": p.gateway,
            "conversation": p.conversation,
            "names": {a: names[a] for a in p.conversation.split(" ") if a in names},
            "fails": p.fails,
            "since": _seconds(p.since),
            "times": p.streak,
            "worked_last": _seconds(p.ok_time),
            "seen_last": _seconds(p.last_time),
            "tunnel": p.state,
            "missing": p.stopped,
            "reason": p.reason,
            "causes": p.causes,
            "exchanges": p.exchanges,
            "failed": p.failed,
            "outcomes": p.outcomes,
            "software": p.software,
            "weak": p.weak,
        }
        for p in found.peers
    ]
    document = {
        "schema_version": SCHEMA_VERSION,
        "days": found.days,
        "peers": peers,
        "changes": found.changes,
        "weak": found.weak,
        "errors": [safe(error) for error in found.errors],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"


def _seconds(time: int | None) -> float | None:
    return time / SECOND if time is not None else None


# --- Prometheus --------------------------------------------------------------------------------------------------


def prometheus(found: Overview, names: Names) -> str:
    """Gauges for node_exporter's textfile collector, or anything that reads this format."""

    def series(value: Callable[[Peer], int | float | None]) -> list[Sample]:
        told = ((_labels(peer, names), value(peer)) for peer in found.peers)
        return [(labels, number) for labels, number in told if number is not None]

    families: tuple[tuple[str, str, Callable[[Peer], int | float | None]], ...] = (
        ("peer_fails", "Whether the last exchange led to no tunnel.", lambda p: int(p.fails)),
        ("peer_failures", "Exchanges that failed since it last worked.", lambda p: p.streak),
        ("peer_fails_since_seconds", "When it began to fail, Unix time.", lambda p: _seconds(p.since)),
        ("peer_exchanges", "Exchanges in the data set.", lambda p: p.exchanges),
    )
    return "".join(
        line for name, says, value in families for line in family(f"fleet_{name}", "gauge", says, series(value))
    )


def _labels(peer: Peer, names: Names) -> dict[str, str]:
    return {
        "gateway": peer.gateway,
        "peers": peer.conversation,
        "name": ", ".join(names[a] for a in peer.conversation.split(" ") if a in names),
        "cause": peer.cause or "",
    }


# --- HTML --------------------------------------------------------------------------------------------------------


class _Bar(Record, frozen=True):
    """One gateway in the plot; bad, good -- how long the two parts are."""

    gateway: str
    fails: int
    peers: int
    bad: float
    good: float


MOST_BARS = 40


def page(found: Overview, names: Names) -> str:
    """A page that needs nothing else."""
    from markupsafe import Markup

    css = style()
    exchanges = sum(peer.exchanges for peer in found.peers)
    return template("fleet_page.html").render(
        title="VPN peers of the fleet – pcapdiag",
        policy=policy(css),
        style=Markup(css),
        lead=f"{counted(len(found.peers), 'peer')}, {counted(exchanges, 'exchange')}; "
        f"{counted(len(found.failing), 'peer fails', 'peers fail')} now.",
        bars=_bars(found),
        tables=_tables(found, names),
        version=VERSION,
    )


def _tables(found: Overview, names: Names) -> list[tuple[str, tuple[str, ...], Sequence[tuple[str, ...]]]]:
    """Each with its heading and its columns."""
    failing = [
        (
            p.gateway, named(p.conversation, names), when(p.since), f"{p.streak:,}", when(p.ok_time), p.reason or "",
            ", ".join(p.causes) or "not known",
        )
        for p in found.failing
    ]  # fmt: skip
    changes = [(c.gateway, named(c.conversation, names), c.what, c.text) for c in found.changes]
    return [
        ("Peers that fail", ("Gateway", "Peers", "Since", "Times", "Worked last", "Where it stops", "Likely"), failing),
        ("Since the run before", ("Gateway", "Peers", "What", "Detail"), changes),
        (
            "Chosen although weak or deprecated",
            ("Algorithm", "Exchanges"),
            [(name, f"{count:,}") for name, count in found.weak.items()],
        ),
        ("Not read, or not to the end", ("What",), [(error,) for error in found.errors]),
    ]


def _bars(found: Overview) -> list[_Bar]:
    """Of each gateway how many peers fail, and how many work; those with most failures first."""
    gateways: dict[str, list[int]] = {}
    for peer in found.peers:
        gateways.setdefault(peer.gateway, [0, 0])[peer.fails] += 1
    most = max((sum(counts) for counts in gateways.values()), default=1)
    return [
        _Bar(gateway, fails, works + fails, round(500 * fails / most, 1), round(500 * works / most, 1))
        for gateway, (works, fails) in sorted(gateways.items(), key=lambda row: -row[1][1])[:MOST_BARS]
    ]
