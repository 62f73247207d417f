"""The overview of a fleet as text, as JSON, as an HTML page, and for Prometheus' textfile collector."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from html import escape

import msgspec

from pcapdiag.fleet.peers import Overview, Peer
from pcapdiag.report.wording import safe

SCHEMA_VERSION = 1
Names = Mapping[str, str]
"""What addresses are called."""


def named(conversation: str, names: Names) -> str:
    """Two ends, each with its name where it has one."""
    return " ↔ ".join(f"{names[a]} ({a})" if a in names else a for a in conversation.split(" "))


def when(time: int | None) -> str:
    """A point in time for people; nothing for none."""
    return datetime.fromtimestamp(time // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M UTC") if time else "never"


# --- text --------------------------------------------------------------------------------------------------------


def text(found: Overview, names: Names) -> str:
    """What fails first; then what changed; then what is weak."""
    gateways = {peer.gateway for peer in found.peers}
    exchanges = sum(peer.exchanges for peer in found.peers)
    days = f"{found.days[0]} to {found.days[-1]}" if found.days else "no day"
    lines = [
        f"{len(found.peers):,} peers at {len(gateways):,} gateways, {exchanges:,} exchanges, {days} (UTC)",
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
        f"  fails since {when(peer.since)}, {peer.streak:,} times; worked last: {when(peer.ok_time)}",
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
    return time / 1_000_000_000 if time is not None else None


# --- Prometheus --------------------------------------------------------------------------------------------------


def prometheus(found: Overview, names: Names) -> str:
    """Gauges for node_exporter's textfile collector, or anything that reads this format."""
    lines: list[str] = []

    def family(name: str, says: str, value: Callable[[Peer], float | None]) -> None:
        lines.extend((f"# HELP {name} {says}", f"# TYPE {name} gauge"))
        for peer in found.peers:
            number = value(peer)
            if number is not None:
                lines.append(
                    f"{name}{{{_labels(peer, names)}}} {number:g}" if number < 1e6 else _long(peer, name, number)
                )

    def _long(peer: Peer, name: str, number: float) -> str:
        return f"{name}{{{_labels(peer, names)}}} {number:.0f}"

    family("pcapdiag_fleet_peer_fails", "Whether the last exchange led to no tunnel.", lambda p: float(p.fails))
    family("pcapdiag_fleet_peer_failures", "Exchanges that failed since it last worked.", lambda p: float(p.streak))
    family("pcapdiag_fleet_peer_fails_since_seconds", "When it began to fail, Unix time.", lambda p: _seconds(p.since))
    family("pcapdiag_fleet_peer_exchanges", "Exchanges in the data set.", lambda p: float(p.exchanges))
    return "\n".join(lines) + "\n"


def _labels(peer: Peer, names: Names) -> str:
    values = {
        "gateway": peer.gateway,
        "peers": peer.conversation,
        "name": ", ".join(names[a] for a in peer.conversation.split(" ") if a in names),
        "cause": peer.cause or "",
    }
    return ",".join(f'{key}="{_escaped(value)}"' for key, value in values.items())


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


# --- HTML --------------------------------------------------------------------------------------------------------

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; }
@media (prefers-color-scheme: dark) { body { background: #16181c; color: #e6e6e6; } }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .3em .7em; vertical-align: top; }
tr { border-bottom: 1px solid #8884; } .fails { fill: #c0392b; } .works { fill: #2e7d4f; }
svg text { fill: currentColor; font-size: 12px; }
"""


def page(found: Overview, names: Names) -> str:
    """A page that needs nothing else."""
    exchanges = sum(peer.exchanges for peer in found.peers)
    body = [
        "<h1>VPN peers of the fleet</h1>",
        f"<p>{len(found.peers):,} peers, {exchanges:,} exchanges; {len(found.failing):,} peers fail now.</p>",
        _plot(found),
        "<h2>Peers that fail</h2>",
        _table(
            ("Gateway", "Peers", "Since", "Times", "Worked last", "Where it stops", "Likely"),
            [
                (
                    p.gateway, named(p.conversation, names), when(p.since), f"{p.streak:,}", when(p.ok_time), p.reason,
                    ", ".join(p.causes) or "not known",
                )
                for p in found.failing
            ],
        ),
        "<h2>Since the run before</h2>",
        _table(
            ("Gateway", "Peers", "What", "Detail"),
            [(c.gateway, named(c.conversation, names), c.what, c.text) for c in found.changes],
        ),
        "<h2>Chosen although weak or deprecated</h2>",
        _table(("Algorithm", "Exchanges"), [(name, f"{count:,}") for name, count in found.weak.items()]),
        "<h2>Not read, or not to the end</h2>",
        _table(("What",), [(error,) for error in found.errors]),
    ]  # fmt: skip
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
    head += "<title>VPN peers</title>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>\n'


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return "<p>Nothing.</p>"
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    lines = ["".join(f"<td>{escape(safe(cell))}</td>" for cell in row) for row in rows]
    return f"<table><thead><tr>{top}</tr></thead><tbody><tr>{'</tr><tr>'.join(lines)}</tr></tbody></table>"


def _plot(found: Overview) -> str:
    """Of each gateway how many peers fail, and how many work."""
    gateways: dict[str, list[int]] = {}
    for peer in found.peers:
        gateways.setdefault(peer.gateway, [0, 0])[peer.fails] += 1
    most = max((sum(counts) for counts in gateways.values()), default=1)
    rows = []
    for place, (gateway, (works, fails)) in enumerate(sorted(gateways.items(), key=lambda row: -row[1][1])[:40]):
        y, bad, good = 22 * place, 500 * fails / most, 500 * works / most
        rows.append(
            f'<text x="0" y="{y + 14}">{escape(safe(gateway))}</text>'
            f'<rect class="fails" x="200" y="{y}" width="{bad:.1f}" height="18"/>'
            f'<rect class="works" x="{200 + bad:.1f}" y="{y}" width="{good:.1f}" height="18"/>'
            f'<text x="{208 + bad + good:.1f}" y="{y + 14}">{fails} of {works + fails} fail</text>'
        )
    title = "Peers that fail, and that work, by gateway"
    return f'<svg role="img" aria-label="{title}" viewBox="0 0 860 {22 * len(rows) or 1}">{"".join(rows)}</svg>'
