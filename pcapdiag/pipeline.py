"""The pipeline: captures in, a report out. The same for a file, a live interface and a notebook.

capture ──Datagram──▶ ike ──Message──▶ exchange ──Exchange──▶ diagnosis ──Diagnosis──▶ Report
"""

import os
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from pcapdiag.capture.datagram import Captured, CaptureError, CaptureSummary, EspFlow, FragmentLoss
from pcapdiag.capture.savefile import Savefile, Source
from pcapdiag.diagnosis.causes.platforms import given_of
from pcapdiag.diagnosis.verdict import diagnose, outcome_alone
from pcapdiag.exchange.model import Exchange
from pcapdiag.exchange.tracker import MAX_EXCHANGES, Tracker, TrackerCounts
from pcapdiag.findings import CaptureReport, Findings
from pcapdiag.record import lazy
from pcapdiag.selection import selection
from pcapdiag.units import SECOND

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from pandas import DataFrame

    from pcapdiag.capture.savefile import Sieved
    from pcapdiag.capture.sieve import Sieves
    from pcapdiag.capture.wireshark import WiresharkCapture
    from pcapdiag.ike.decryption_keys import KeyTable
    from pcapdiag.streaming.court import Court
    from pcapdiag.streaming.told import Told

Made = TypeVar("Made")
"""What a stream tells: what is made of a Told."""


class Report(Findings, frozen=True, dict=True, gc=True):
    """What `analyze` found: records, as `Findings` has them, and the same as tables (pandas DataFrames).

    What is folded has no rows in the tables.

    The tables -- `exchanges`, `messages`, `evidence`, `causes` -- are made when they are first asked for, and then
    kept: copy one before you change it. `pcapdiag.columns("messages")` says what their columns are. Each has a
    RangeIndex; the column `exchange` joins them, as in `report.causes.merge(report.exchanges, on="exchange")`, and
    `exchange` with `evidence` names a fact. Times are in UTC with nanoseconds.
    """

    def to_html(self) -> str:
        """The report as one HTML page that needs nothing else, as `--html` writes it."""
        from pcapdiag.report.html import page

        return page.render(self)

    def to_markdown(self) -> str:
        """The report for a ticket or a chat, as `--markdown` prints it."""
        from pcapdiag.report import markdown

        return markdown.render(self)

    @lazy
    def exchanges(self) -> "DataFrame":
        """A row for each exchange: how it ended, between whom, when, how much went by, and the cause that leads."""
        return self._table("exchanges")

    @lazy
    def messages(self) -> "DataFrame":
        """A row for each time that a message crossed the capture point, in order.

        A message that was sent again has a row for each `transmission`, and a packet that was recorded a second time
        one that is marked as `duplicate`: `messages[~messages.duplicate]` is what was sent. What an exchange has
        beyond the limits of what is kept is counted in `exchanges.uncounted`.
        """
        return self._table("messages")

    @lazy
    def evidence(self) -> "DataFrame":
        """A row for each fact that the wire shows of an exchange, with its frames."""
        return self._table("evidence")

    @lazy
    def causes(self) -> "DataFrame":
        """A row for each exchange and cause that was weighed for it, best first. `status` is ordered, worst first."""
        return self._table("causes")

    def _table(self, name: str) -> "DataFrame":
        from pcapdiag.report.tables.dataframes import dataframe  # and with it pandas, which takes half a second

        return dataframe(self, name)


PAUSE = 60 * SECOND
"""Nanoseconds between two captures of which the later one still goes on from the other, as the files of a ring do."""

Path = str | os.PathLike[str]

OWN, TSHARK = "own", "tshark"
"""What reads the captures: our own reader, or Wireshark's."""


def analyze(
    paths: Source | Iterable[Source],
    *,
    ports: Collection[int] = (),
    peer: str | None = None,
    spi: str | None = None,
    psks: Collection[bytes] = (),
    keys: Path | Iterable[Path] = (),
    platforms: Iterable[str] | dict[str, str] = (),
    local: str | Iterable[str] | None = None,
    engine: str = OWN,
    max_exchanges: int = MAX_EXCHANGES,
    max_decompressed: int | None = None,
    executor: "Executor | None" = None,
    progress: Callable[[int, int], None] | None = None,
    witness: Callable[[Captured, int | None], None] | None = None,
) -> Report:
    """Read captures and diagnose every IKE exchange in them.

    paths -- one savefile or several (pcap or pcapng, compressed or not): names, also of directories and with wildcards,
        or binary files that are open for reading; "-" is standard input. Several files are read in the order of
        their first packets, so that exchanges go on from one to the next
    ports -- UDP ports where IKE is spoken, beside 500 and 4500
    psks -- pre-shared keys to hold against the hashes of Aggressive Mode; they appear in no report
    keys -- tables of keys as Wireshark keeps them, or its profile directories, to open encrypted messages with; no
        key and no password that is found inside appears in a report
    platforms -- what the ends are, for advice in their own commands: `{"192.0.2.1": "asa", "responder": "fortigate"}`,
        or "END=NAME" each; an end is an address, "initiator" or "responder"
    local -- the addresses of your own devices: advice is for these, and `Diagnosis.request` is what to ask at the other
        end
    engine -- "own", or "tshark" for formats and encapsulations that only Wireshark knows (it needs pyshark and tshark)
    max_decompressed -- octets that a compressed capture may become; by default a GB, and any size up to 100 times that
        of the file. Reading stops there, as at any damage
    executor -- walks over parts of large files, and over several files, at a time: any executor whose workers can open
        the files by the same names. The report is the same with and without.
    progress -- called every now and then with the octets that were read, and those that there are
    witness -- called with each item of the captures, and the id of the exchange that it belongs to, None for none
    peer -- only exchanges with this address, or one of this network ("10.2.0.0/16")
    spi -- only exchanges of which a cookie (SPI) begins with these hexadecimal digits

    Raises CaptureError when none of the captures can be read; where some can, the others are named in `errors`.
    Raises SelectionError for a peer or an SPI that cannot be one.
    Raises PlatformError for a platform that is not known, and for an end that is no address.
    Raises KeyTableError for a table that cannot be read, CryptographyMissingError where the ciphers are not installed,
    WiresharkMissingError where the engine is not.
    """
    given = given_of(platforms, local)
    asked = selection(peer, spi)
    table = _table(keys)
    sources = sources_of(paths)
    sizes = [_size(source) for source in sources] if progress is not None else []
    tracker = Tracker(max_exchanges, judge=outcome_alone)
    captures: list[CaptureReport] = []
    errors: list[str] = []
    sieves = _sieves(executor if engine == OWN else None, sources, ports, max_decompressed)
    for index, path in enumerate(sources):
        before = (tracker.counts.messages, tracker.counts.not_ike)
        sieved = sieves.of(index) if sieves is not None else None
        savefile = _opened(engine, path, len(captures), ports, sieved, max_decompressed)
        try:
            for batch in savefile.batches():
                for item in batch:
                    number = tracker.feed(item)
                    if witness is not None:
                        witness(item, number)
                if progress is not None:
                    progress(sum(sizes[:index]) + savefile.done, sum(sizes))
        except CaptureError as error:
            errors.append(str(error))
            continue
        counts = tracker.counts
        captures.append(CaptureReport(savefile.summary(), counts.messages - before[0], counts.not_ike - before[1]))
    if sieves is not None:
        sieves.close()
    if errors and not captures:
        raise CaptureError(*errors)
    ends = _ends([c.summary for c in captures])
    keepalives = tuple(tracker.keepalives.values())
    exchanges = list(tracker.exchanges())
    if table is not None:
        from pcapdiag.exchange.opening import open_exchange

        exchanges = [open_exchange(exchange, table) for exchange in exchanges]
    diagnoses = diagnose(
        exchanges,
        ends[-1],
        gaps=ends[:-1],
        keepalives=keepalives,
        esp=[flow for c in captures for flow in c.summary.esp_flows],
        unanswered=[one for c in captures for one in c.summary.unanswered],
        keys=list(psks),
        given=given,
    )
    return Report(
        captures=tuple(captures),
        errors=tuple(errors),
        diagnoses=tuple(d for d in diagnoses if asked.has(d.exchange)),
        keepalives=keepalives,
        counts=tracker.counts,
        folded=tuple(f for f in tracker.folded() if asked.has_address(f.initiator, f.responder)),
    )


class Stream(Generic[Made]):
    """The exchanges of captures, each told when it is judged: an iterator, of Told by default, that is read once.

    What is known of the captures as a whole is there when it is at its end: `captures`, `errors`, `counts`, and
    `peers`, how often which outcome was, by the two peers, of all exchanges.
    """

    def __init__(
        self,
        sources: list[Source],
        opened: "Callable[[int, Source], Savefile | WiresharkCapture]",
        court: "Court",
        progress: Callable[[int, int], None] | None = None,
        window: tuple[int, int] | None = None,
    ) -> None:
        """Read these; window -- what was captured from the first of these times on, before the second, is heeded."""
        from pcapdiag.streaming.judge import Judge

        self.captures: list[CaptureReport] = []
        self.errors: list[str] = []
        self._judge = Judge(court, self.esp)
        self._reading: Savefile | WiresharkCapture | None = None
        self._names: list[str] = []
        self._window = window
        self._told = self._tell(sources, opened, progress)

    def __iter__(self) -> Iterator[Made]:
        """The iterator that it is."""
        return self

    def __next__(self) -> Made:
        """The next exchange that is told. Raises CaptureError, at the end, where none of the captures can be read."""
        return next(self._told)

    def close(self) -> None:
        """Stop reading, and let go of the disk."""
        self._told.close()
        self._judge.close()

    @property
    def names(self) -> list[str]:
        """What the captures are called that are read so far, by the index that frames have."""
        return self._names

    @property
    def counts(self) -> TrackerCounts:
        """What became of the messages so far."""
        return self._judge.tracker.counts

    @property
    def peers(self) -> dict[tuple[str, str], dict[str, int]]:
        """How the exchanges between any two peers ended, those that were told so far; see `others`."""
        return {pair: dict(talk.outcomes) for pair, talk in self._judge.talks.items() if talk.outcomes}

    @property
    def others(self) -> dict[str, int]:
        """The same of peers that are too many to name."""
        return dict(self._judge.dropped_talks)

    @property
    def well(self) -> bool:
        """Whether every exchange that was told has a tunnel that works, or may have one."""
        dropped_well = self._judge.dropped_talks.keys() <= {"completed", "partial"}
        return dropped_well and not any(talk.unwell for talk in self._judge.talks.values())

    def esp(self) -> list[EspFlow]:
        """The flows of ESP and AH so far."""
        flows = [flow for c in self.captures for flow in c.summary.esp_flows]
        if isinstance(self._reading, Savefile):
            flows += self._reading.esp_flows
        return flows

    def _tell(
        self,
        sources: list[Source],
        opened: "Callable[[int, Source], Savefile | WiresharkCapture]",
        progress: Callable[[int, int], None] | None,
    ) -> Generator[Made, None, None]:
        try:
            yield from self._read(sources, opened, progress)
        finally:
            self._judge.close()

    def _read(
        self,
        sources: list[Source],
        opened: "Callable[[int, Source], Savefile | WiresharkCapture]",
        progress: Callable[[int, int], None] | None,
    ) -> Iterator[Made]:
        sizes = [_size(source) for source in sources] if progress is not None else []
        judge = self._judge
        for index, source in enumerate(sources):
            before = (judge.tracker.counts.messages, judge.tracker.counts.not_ike)
            savefile = self._reading = opened(len(self.captures), source)
            begun = not self.captures
            self._names[len(self.captures) :] = [savefile.summary().path]
            try:
                for batch in savefile.batches():
                    for item in batch:
                        if self._window is not None and not self._window[0] <= _time(item) < self._window[1]:
                            continue
                        if not begun:
                            begun = True
                            self._note_gap(item)
                        yield from judge.feed(item)
                    if progress is not None:
                        progress(sum(sizes[:index]) + savefile.done, sum(sizes))
            except CaptureError as error:
                self.errors.append(str(error))
                continue
            finally:
                self._reading = None
            counts = judge.tracker.counts
            summary = savefile.summary()
            self.captures.append(CaptureReport(summary, counts.messages - before[0], counts.not_ike - before[1]))
        if self.errors and not self.captures:
            raise CaptureError(*self.errors)
        end = _ends([c.summary for c in self.captures])[-1]
        unanswered = [one for c in self.captures for one in c.summary.unanswered]
        yield from judge.finish(end if self._window is None else min(end, self._window[1]), unanswered)

    def _note_gap(self, item: Captured) -> None:
        """Tell the judge where the captures so far ended, if this one does not go on from them."""
        end = _ends([c.summary for c in self.captures])[-1]
        if _time(item) - end > PAUSE:
            self._judge.gap(end)


def _time(item: Captured) -> int:
    return item.last_time if isinstance(item, FragmentLoss) else item.time


class _Making(Generic[Made]):
    """Makes something of what is told, of exchanges that are asked for. It goes to other processes."""

    def __init__(self, made: "Callable[[Told], Made]", peer: str | None, spi: str | None) -> None:
        selection(peer, spi)  # says what is wrong with them
        self._made, self._peer, self._spi = made, peer, spi

    def __call__(self, told: "Told") -> Made | None:
        """None for what is not asked for."""
        if (self._peer or self._spi) and not selection(self._peer, self._spi).has(told.diagnosis.exchange):
            return None
        return self._made(told)


def _as_it_is(told: "Told") -> "Told":
    return told


def stream(
    paths: Source | Iterable[Source],
    *,
    ports: Collection[int] = (),
    peer: str | None = None,
    spi: str | None = None,
    psks: Collection[bytes] = (),
    keys: Path | Iterable[Path] = (),
    platforms: Iterable[str] | dict[str, str] = (),
    local: str | Iterable[str] | None = None,
    engine: str = OWN,
    max_decompressed: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> "Stream[Told]":
    """Read captures and tell each exchange when it is judged, in memory that does not grow with them.

        for told in pcapdiag.stream("ring/"):
            print(told.diagnosis.exchange.initiator.address, told.diagnosis.stop.outcome)

    An exchange is told when it has been quiet for as long as the rules look ahead, five minutes by the time of the
    capture; DPD under an SA that is up does not count as going on. It is told again, with a higher `revision`, where
    more came for it, and where the rest of the capture makes its verdict another one: `corrects` says which part of it.
    The last that is told of each is what `analyze` says, but for what sentences count, as how often a peer tried until
    then, and for messages of DPD, of which fewer are kept. What was told is kept on disk, in a temporary file, until
    the end.

    The arguments, and what is raised, are those of `analyze`.
    """
    return made_of_stream(
        paths,
        _as_it_is,
        ports=ports,
        peer=peer,
        spi=spi,
        psks=psks,
        keys=keys,
        platforms=platforms,
        local=local,
        engine=engine,
        max_decompressed=max_decompressed,
        progress=progress,
    )


def made_of_stream(
    paths: Source | Iterable[Source],
    made: "Callable[[Told], Made]",
    *,
    ports: Collection[int] = (),
    peer: str | None = None,
    spi: str | None = None,
    psks: Collection[bytes] = (),
    keys: Path | Iterable[Path] = (),
    platforms: Iterable[str] | dict[str, str] = (),
    local: str | Iterable[str] | None = None,
    engine: str = OWN,
    max_decompressed: int | None = None,
    executor: "Executor | None" = None,
    progress: Callable[[int, int], None] | None = None,
) -> Stream[Made]:
    """As `stream`, with what is made of each that is told in its place: where it is judged, which may be elsewhere.

    made -- with an executor, a function that other processes can import, or an object of a class that they can
    executor -- judges conversations; what comes out is the same with and without
    """
    from pcapdiag.streaming.court import Court, Courts, Rules

    table = _table(keys)
    rules = Rules(
        made=_Making(made, peer, spi),
        opened=_Opener(table) if table is not None else None,
        keys=tuple(psks),
        given=given_of(platforms, local),
    )

    def opened(capture: int, source: Source) -> "Savefile | WiresharkCapture":
        return _opened(engine, source, capture, ports, None, max_decompressed)

    court = Court(rules) if executor is None else Courts(rules, executor)
    return Stream(sources_of(paths), opened, court, progress)


class _Opener:
    """Opens the encrypted messages of exchanges. It goes to other processes."""

    def __init__(self, table: "KeyTable") -> None:
        self._table = table

    def __call__(self, exchange: Exchange) -> Exchange:
        """The same, opened where there is a key."""
        from pcapdiag.exchange.opening import open_exchange

        return open_exchange(exchange, self._table)


def _ends(summaries: Iterable[CaptureSummary]) -> list[int]:
    """When capturing ended, in order: once, or more often where the captures do not go on from one another.

    The sections of a pcapng file are captures of their own here.
    """
    found: list[int] = []
    times: list[tuple[int, int]] = []
    for s in summaries:
        if s.watched:
            times += s.watched
        elif s.first_time is not None and s.last_time is not None:
            times.append((s.first_time, s.last_time))
    for first, last in sorted(times):
        if found and first - found[-1] <= PAUSE:
            found[-1] = max(found[-1], last)
        else:
            found.append(last)
    return found or [0]


def _sieves(
    executor: "Executor | None", sources: list[Source], ports: Collection[int], max_decompressed: int | None
) -> "Sieves | None":
    if executor is None:
        return None
    from pcapdiag.capture.sieve import Sieves  # and with it concurrent.futures

    return Sieves(executor, sources, ports, max_decompressed)


def _opened(
    engine: str,
    path: Source,
    capture: int,
    ports: Collection[int],
    sieved: "Iterator[Sieved | None] | None",
    max_decompressed: int | None,
) -> "Savefile | WiresharkCapture":
    """The capture as the engine reads it. Nothing of Wireshark is imported where it is not asked for."""
    if engine == OWN:
        return Savefile(path, capture=capture, ports=ports, sieved=sieved, max_decompressed=max_decompressed)
    if engine != TSHARK:
        raise ValueError(f"no engine {engine!r}: {OWN!r} or {TSHARK!r}")
    from pcapdiag.capture.wireshark import WiresharkCapture

    return WiresharkCapture(path, capture=capture, ports=ports)


def _table(paths: Path | Iterable[Path]) -> "KeyTable | None":
    """The keys to open messages with; None where none are given."""
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not given:
        return None
    from pcapdiag.ike.decryption import need_cryptography
    from pcapdiag.key_tables import read_tables

    need_cryptography()
    return read_tables(given)


def sources_of(paths: Source | Iterable[Source]) -> list[Source]:
    """The files that are meant, in the order of their first packets."""
    # An open file is iterable too, over its lines.
    alone = isinstance(paths, str | os.PathLike) or hasattr(paths, "read")
    sources = [cast(Source, paths)] if alone else list(cast(Iterable[Source], paths))
    if len(sources) == 1 and (not isinstance(sources[0], str | os.PathLike) or os.path.isfile(sources[0])):
        return sources
    from pcapdiag.capture.files import expand

    return expand(sources)


def _size(source: Source) -> int:
    """The octets of a file; 0 of what has no end yet."""
    try:
        return os.path.getsize(source) if isinstance(source, str | os.PathLike) else 0
    except OSError:
        return 0
