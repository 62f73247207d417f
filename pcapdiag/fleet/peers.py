"""What a data set says of each peer at each gateway: since when it fails, how often, where it stops, why."""

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from pyarrow import parquet

from pcapdiag.fleet.places import Store
from pcapdiag.fleet.work import Manifest, manifest_of

SNAPSHOTS = "runs"
"""Where the state of the peers stands as it was after each run that changed something."""
COLUMNS = (
    "exchange", "revision", "conversation", "initiator", "responder", "outcome", "completed", "tunnel", "missing",
    "reason", "top_cause", "top_status", "first_time", "initiator_vendors", "responder_vendors",
)  # fmt: skip
TUNNEL_COLUMNS = ("exchange", "revision", "text", "weak")
FAILED = ("one-way", "no-child", "lost", "down")
"""States of a tunnel that is not there."""


class Peer(msgspec.Struct):
    """Two ends at a gateway, by all exchanges of these.

    exchanges, failed -- how many, and those after which the tunnel was not there; outcomes -- how they ended
    ok_time, last_time -- of the latest exchange that worked, and of the latest of all (nanoseconds), None for none
    since -- when the first of those began that failed since it last worked; None where it works
    stopped, reason, causes -- of those: the message that is missing, what is said of the last, and how often which
        cause came first
    software -- what the ends are by their vendor IDs; weak -- algorithms that were chosen although they are weak
    """

    gateway: str
    conversation: str
    exchanges: int = 0
    failed: int = 0
    outcomes: dict[str, int] = {}
    ok_time: int | None = None
    last_time: int | None = None
    since: int | None = None
    streak: int = 0
    stopped: str | None = None
    state: str = "unknown"
    reason: str = ""
    causes: dict[str, int] = {}
    software: list[str] = []
    weak: list[str] = []

    @property
    def fails(self) -> bool:
        """Its last exchange led to no tunnel."""
        return self.since is not None

    @property
    def cause(self) -> str | None:
        """The cause that came first most often since it fails."""
        return max(self.causes, key=lambda name: (self.causes[name], name)) if self.causes else None

    def add(self, row: dict[str, Any], time: int) -> None:
        """One more exchange; they come in the order of their times."""
        self.exchanges += 1
        self.outcomes[row["outcome"]] = self.outcomes.get(row["outcome"], 0) + 1
        self.last_time = time
        vendors = (row["initiator_vendors"], row["responder_vendors"])
        named = list(dict.fromkeys(name for text in vendors if text for name in text.split("; ")))
        self.software = named or self.software
        if row["tunnel"] in FAILED:
            self.failed += 1
            self._fails(row, time)
        elif row["tunnel"] == "up" or row["completed"]:
            self.ok_time, self.since, self.stopped, self.reason, self.streak = time, None, None, "", 0
            self.causes = {}
            self.state = row["tunnel"]

    def _fails(self, row: dict[str, Any], time: int) -> None:
        # What another exchange made good a moment later is no failure of the peer.
        if row["outcome"] == "superseded":
            return
        self.since = self.since if self.since is not None else time
        self.streak += 1
        self.stopped, self.reason, self.state = row["missing"], row["reason"], row["tunnel"]
        if row["top_cause"]:
            self.causes[row["top_cause"]] = self.causes.get(row["top_cause"], 0) + 1


class Change(msgspec.Struct, frozen=True):
    """What is otherwise than after the run before.

    what -- "began to fail", "mended", "another cause", "other software", "new"; text -- a sentence
    """

    gateway: str
    conversation: str
    what: str
    text: str


class Overview(msgspec.Struct):
    """All peers, those that fail first, the longest first; what changed; how many exchanges of which algorithms."""

    peers: list[Peer]
    changes: list[Change]
    weak: dict[str, int]
    errors: list[str]
    days: list[str]

    @property
    def failing(self) -> list[Peer]:
        """Those whose last exchange led to no tunnel."""
        return [peer for peer in self.peers if peer.fails]


def manifests_of(store: Store) -> list[Manifest]:
    """What has been done, by gateway and day."""
    found = [manifest_of(store, name) for name in store.names("manifests") if name.endswith(".json")]
    return sorted((m for m in found if m is not None), key=lambda m: (m.gateway, m.day))


def overview(store: Store) -> Overview:
    """What the data set says now, and what changed since the run before the last one."""
    manifests = manifests_of(store)
    peers: dict[tuple[str, str], Peer] = {}
    weak: Counter[str] = Counter()
    for manifest in manifests:
        tunnels = {(t["exchange"], t["revision"]): t for t in _rows(store, manifest, "tunnels", TUNNEL_COLUMNS)}
        for row in _exchanges(store, manifest):
            key = (manifest.gateway, row["conversation"])
            peer = peers.setdefault(key, Peer(*key))
            tunnel = tunnels[row["exchange"], row["revision"]]
            peer.add({**row, "reason": tunnel["text"] if row["completed"] else row["reason"]}, row["first_time"] or 0)
            names = tunnel["weak"].split("; ") if tunnel["weak"] else []
            peer.weak = names or peer.weak
            weak.update(names)
    ordered = sorted(peers.values(), key=lambda p: (not p.fails, p.since or 0, p.gateway, p.conversation))
    before, now = _last_two(store)
    return Overview(
        peers=ordered,
        changes=changes(before, now),
        weak=dict(weak.most_common()),
        errors=list(dict.fromkeys(error for m in manifests for error in m.errors)),
        days=sorted({m.day for m in manifests if m.exchanges}),
    )


def remember(store: Store) -> None:
    """Keep the state of the peers as it is after this run; called when something was done."""
    number = len(store.names(SNAPSHOTS)) + 1
    peers = overview(store).peers
    store.write(f"{SNAPSHOTS}/{number:06}.json", msgspec.json.encode(peers))


def changes(before: Iterable[Peer], now: Iterable[Peer]) -> list[Change]:
    """What is otherwise now. Without anything before nothing is."""
    old = {(p.gateway, p.conversation): p for p in before}
    return [change for p in now for change in _changes(old.get((p.gateway, p.conversation)), p)] if old else []


def _changes(old: Peer | None, new: Peer) -> Iterator[Change]:
    def said(what: str, text: str) -> Change:
        return Change(new.gateway, new.conversation, what, text)

    if old is None:
        yield said("new", "It was not seen before.")
        if not new.fails:
            return
    if new.fails and (old is None or not old.fails):
        yield said("began to fail", f"{new.reason} Likely: {new.cause}." if new.cause else new.reason)
    elif old is not None and old.fails and not new.fails:
        yield said("mended", f"It works again; it was {old.cause or old.stopped or 'not known why'}.")
    elif old is not None and new.fails and old.cause != new.cause:
        yield said("another cause", f"{new.cause or 'none that is known'}, before: {old.cause or 'none'}.")
    if old is not None and old.software and new.software and old.software != new.software:
        yield said("other software", f"{', '.join(new.software)}; before: {', '.join(old.software)}.")


def _last_two(store: Store) -> tuple[list[Peer], list[Peer]]:
    found = [store.read(name) for name in store.names(SNAPSHOTS)[-2:]]
    states = [msgspec.json.decode(octets, type=list[Peer]) for octets in found if octets is not None]
    return (states[0], states[1]) if len(states) == 2 else ([], [])


def _exchanges(store: Store, manifest: Manifest) -> list[dict[str, Any]]:
    """The rows of a task, of each exchange the last that was told, in the order of their times."""
    last: dict[int, dict[str, Any]] = {}
    for row in _rows(store, manifest, "exchanges", COLUMNS):
        known = last.get(row["exchange"])
        if known is None or known["revision"] < row["revision"]:
            last[row["exchange"]] = row
    return sorted(last.values(), key=lambda row: (row["first_time"] or 0, row["exchange"]))


def _rows(store: Store, manifest: Manifest, table: str, columns: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Rows of a table, with times as nanoseconds."""
    octets = store.read(manifest.files[table]) if table in manifest.files else None
    if octets is None:
        return
    file = parquet.ParquetFile(io.BytesIO(octets))
    for batch in file.iter_batches(columns=list(columns)):
        values = {}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            values[name] = (column.cast("int64") if name == "first_time" else column).to_pylist()
        names = list(values)
        for cells in zip(*values.values(), strict=True):
            yield dict(zip(names, cells, strict=True))
