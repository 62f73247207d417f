"""Comparing: every message of a capture, fact by fact, ours and Wireshark's."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from pcapdiag.capture.datagram import Captured, Datagram, FragmentLoss
from pcapdiag.capture.savefile import Savefile
from pcapdiag.crosscheck.dissection import Field, Frames, dissect
from pcapdiag.crosscheck.exceptions import KnownDifference, known_difference
from pcapdiag.crosscheck.facts import FACTS, SEALED_FACTS, Fact, header, shown_header
from pcapdiag.exchange.fragments import FragmentCollector
from pcapdiag.exchange.model import Step
from pcapdiag.exchange.opening import open_exchange
from pcapdiag.exchange.sightings import sighting_of
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.ike.decryption_keys import KeyTable
from pcapdiag.ike.message import Message, parse
from pcapdiag.ike.nat_traversal import KEEPALIVE, NAT_T_PORT
from pcapdiag.ike.payloads import DecodeError, Fragment
from pcapdiag.record import Record

Messages = dict[int, list[Message]]
"""Frame number to the messages that the frame holds, or completes."""


class Difference(Record, frozen=True):
    """One fact that differs.

    frame -- as both number it; fact -- its name; ours, theirs -- both values, printable
    known -- the known difference that explains it, if one does
    """

    frame: int
    fact: str
    ours: str
    theirs: str
    known: KnownDifference | None


class Comparison(Record, frozen=True):
    """What came of one capture.

    messages, opened -- how many were compared, and how many of them as keys show them; facts -- how many values
    """

    path: str
    messages: int
    opened: int
    facts: int
    differences: tuple[Difference, ...]

    @property
    def unexplained(self) -> tuple[Difference, ...]:
        """The differences that no known one explains."""
        return tuple(d for d in self.differences if d.known is None)


Paths = Sequence[str | os.PathLike[str]]


def crosscheck(path: str | os.PathLike[str], keys: Paths = ()) -> Comparison:
    """Compare what we read in a capture with what tshark shows, message by message.

    keys -- tables or profile directories, for both

    Raises CaptureError where either cannot read it, WiresharkMissingError without tshark, KeyTableError and
    CryptographyMissingError for the keys.
    """
    from pcapdiag.ike.decryption import need_cryptography
    from pcapdiag.key_tables import read_tables, write_profile

    table = None
    if keys:
        need_cryptography()
        table = read_tables(keys)
    items = list(Savefile(path))
    theirs = dissect(path, (lambda folder: write_profile(keys, folder)) if keys else None)
    return compare(os.fspath(path), items, theirs, table)


def compare(path: str, items: Sequence[Captured], theirs: Frames, table: KeyTable | None = None) -> Comparison:
    """Compare what a capture yields with a dissection of it."""
    ours = messages_of(items)
    rows = [*_messages(ours, theirs), *_reassembled(items, theirs)]
    opened = [(step, node) for step, node in _opened(items, theirs, table)] if table is not None else []
    for step, node in opened:
        rows += _opened_facts(step, node)
    return Comparison(
        path,
        messages=sum(map(len, ours.values())),
        opened=len(opened),
        facts=len(rows),
        differences=tuple(row for row in rows if row is not None),
    )


def messages_of(items: Iterable[Captured]) -> Messages:
    """The messages by frame, as Wireshark shows them."""
    found: Messages = {}
    for item in items:
        if isinstance(item, Datagram) and item.payload != KEEPALIVE:
            number, octets = item.frame.number, _without_marker(item)
        elif isinstance(item, FragmentLoss):
            # Wireshark shows a lone first fragment as if it were whole.
            number, octets = item.frames[0].number, item.payload
        else:
            continue
        with suppress(DecodeError):
            found.setdefault(number, []).append(parse(octets))
    return {number: messages for number, messages in found.items() if messages}


def _without_marker(datagram: Datagram) -> bytes:
    ports = (datagram.source_port, datagram.destination_port)
    marked = datagram.payload.startswith(bytes(4)) and (NAT_T_PORT in ports or datagram.transport == "tcp")
    return datagram.payload[4:] if marked else datagram.payload


Row = Difference | None
"""One fact that was compared: None where both say the same."""


def _messages(ours: Messages, theirs: Frames) -> Iterator[Row]:
    for frame in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(frame, []), theirs.get(frame, [])
        if len(here) != len(there):
            message = next(iter(here), None)
            known = known_difference("messages", message, next(iter(there), None))
            yield Difference(frame, "messages", f"{len(here)} messages", f"{len(there)} messages", known)
        for message, shown in zip(here, there, strict=False):
            yield _row(frame, "header", header(message), shown_header(shown), message, shown)
            for fact, (read, look) in FACTS.items():
                # Of a message that the capture does not hold whole, Wireshark shows the header alone.
                yield _row(frame, fact, [] if message.cut else read(message.payloads), look(shown), message, shown)


def _row(
    frame: int, fact: str, mine: Fact, its: Fact, message: Message | None, shown: Field | None, opened: bool = False
) -> Row:
    if mine == its:
        return None
    return Difference(frame, fact, str(mine), str(its), known_difference(fact, message, shown, opened))


# --- messages out of fragments -----------------------------------------------------------------------------------


def _reassembled(items: Iterable[Captured], theirs: Frames) -> Iterator[Row]:
    """The headers of the messages that a payload 132 completed."""
    ours = dict(_completed(items))
    shown = {
        frame: whole
        for frame, there in theirs.items()
        for message in there
        for piece in message.under(132)
        for whole in piece.all("isakmp")
    }
    for frame in sorted(ours.keys() | shown.keys()):
        mine = header(ours[frame]) if frame in ours else []
        its = shown_header(shown[frame]) if frame in shown else []
        yield _row(frame, "header", mine, its, ours.get(frame), shown.get(frame))


def _completed(items: Iterable[Captured]) -> Iterator[tuple[int, Message]]:
    collectors: dict[tuple[str, bytes], FragmentCollector] = {}
    for item in items:
        if not isinstance(item, Datagram):
            continue
        with suppress(DecodeError):
            piece_message = parse(_without_marker(item))
            for piece in piece_message.payloads:
                if not isinstance(piece, Fragment):
                    continue
                sender = (item.source, piece_message.header.initiator_spi)
                collector = collectors.setdefault(sender, FragmentCollector())
                whole = collector.add(True, piece_message, piece, sighting_of(item))
                if whole:
                    yield item.frame.number, whole.message


# --- what keys open ----------------------------------------------------------------------------------------------


def _opened(items: Iterable[Captured], theirs: Frames, table: KeyTable) -> Iterator[tuple[Step, Field | None]]:
    """Each message that keys opened, and what Wireshark has of it where it was sent first.

    Only there: Wireshark takes a message that is sent again for the next of its chain.
    """
    tracker = Tracker()
    for item in items:
        tracker.feed(item)
    for exchange in tracker.exchanges():
        for step in open_exchange(exchange, table).steps:
            if step.opened is None:
                continue
            messages = theirs.get(step.first.frame.number, [])
            spi = step.message.header.initiator_spi.hex()
            own = next((m for m in messages if m.data("ispi") == spi), None)
            yield step, _inside(own) if own is not None else None


def _inside(message: Field) -> Field | None:
    """Where Wireshark shows what is inside, below a message."""
    for piece in message.under(132):
        for whole in piece.all("isakmp"):
            return whole.one("enc.data")
    for sealed in message.under(46):
        decrypted = sealed.one("enc.decrypted")
        return decrypted.one("enc.contained") or decrypted if decrypted is not None else None
    for piece in message.under(53):
        return piece
    return message.one("enc.data")


def _opened_facts(step: Step, shown: Field | None) -> Iterator[Row]:
    assert step.opened is not None
    frame, payloads = step.first.frame.number, step.opened.payloads
    if not payloads and (shown is None or shown.one("typepayload") is None):
        return
    if shown is None or shown.one("typepayload") is None:
        known = known_difference("decryption", step.message, shown, opened=True)
        yield Difference(frame, "decryption", f"{len(payloads)} payloads", "nothing opened", known)
        return
    for fact, (read, look) in SEALED_FACTS.items():
        yield _row(frame, fact, read(payloads), look(shown), step.message, shown, opened=True)
