"""Targets of the IKE layer and of what tracks exchanges."""

import struct
from collections.abc import Iterator, Sequence
from functools import cache

from fuzz import seeds
from pcapdiag.capture.datagram import Datagram, FragmentLoss, Frame, IcmpError
from pcapdiag.diagnosis.verdict import diagnose
from pcapdiag.exchange.fragments import MAX_PIECES, FragmentCollector, piece_of
from pcapdiag.exchange.opening import open_exchange
from pcapdiag.exchange.sightings import sighting_of
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.ike import payloads, payloads_sealed
from pcapdiag.ike.decryption import UnopenedError, open_v2
from pcapdiag.ike.decryption_keys import KeyTable, KeyTableError, parse_table
from pcapdiag.ike.message import HEADER_LENGTH, parse, read_chain
from pcapdiag.ike.payloads import DecodeError
from pcapdiag.key_tables import read_tables

SECOND = 1_000_000_000


def message(data: bytes) -> None:
    """Decode everything that a message has, as if in clear and as if it had been encrypted."""
    try:
        found = parse(data)
    except DecodeError:
        return
    assert found.available + found.trailing == len(data)
    _chain(found.payloads, found.available)
    for payload in found.payloads:
        _texts(payload)
    _ = found.problem, found.vendor_ids, found.ciphertext, found.cut, found.header.exchange.label
    for proposal in found.proposals:
        for transform in proposal.transforms:
            assert all(isinstance(attribute.text, str) for attribute in transform.attributes)
    assert all(n.notify_type.name for n in found.notifications)
    piece_of(found)
    major = found.header.major
    inner, _, end = read_chain(data, HEADER_LENGTH, data[16], major, payloads_sealed.decode_sealed)
    assert end <= len(data)
    _chain(inner, len(data))
    assert all(repr(payload) for payload in inner)


def _chain(found: Sequence[payloads.Payload], octets: int) -> None:
    """The payloads hold no more than the message does."""
    assert sum(len(payload.body) for payload in found) <= octets


def _texts(payload: payloads.Payload) -> None:
    assert payload.type.label
    if isinstance(payload, payloads.Identification):
        assert payload.text.isascii()
        assert payload.text.isprintable()


# --- fragments -------------------------------------------------------------------------------------------------


def _split(data: bytes) -> Iterator[bytes]:
    """Pieces of the input, the length of each (two octets) in front."""
    at = 0
    while at + 2 <= len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        yield data[at + 2 : at + 2 + size]
        at += 2 + size


def join(pieces: Sequence[bytes]) -> bytes:
    """The input that gives these pieces."""
    return b"".join(struct.pack("!H", len(piece)) + piece for piece in pieces)


def _datagram(octets: bytes, number: int, left: bool = True, time: int = 0, port: int = 500) -> Datagram:
    ends = ("192.0.2.1", "198.51.100.2") if left else ("198.51.100.2", "192.0.2.1")
    return Datagram(Frame(0, number), time, ends[0], port, ends[1], port, octets, len(octets), 64, number)


def fragments(data: bytes) -> None:
    """Pieces of messages in any order; what comes out whole is not longer than they were."""
    collector = FragmentCollector()
    for number, octets in enumerate(_split(data), 1):
        try:
            found = parse(octets)
        except DecodeError:
            continue
        piece = piece_of(found)
        if piece is None:
            continue
        whole = collector.add(True, found, piece, sighting_of(_datagram(octets, number, time=number * SECOND)))
        if whole is not None:
            assert not whole.missing
            assert len(whole.octets) <= len(data)
        assert len(collector._held) <= MAX_PIECES
    for rest in collector.incomplete():
        assert rest.missing
        assert rest.sightings


@cache
def fragments_seeds() -> Sequence[bytes]:
    """The messages of the captures that are pieces, a few at a time."""
    pieces = [octets for octets in seeds.messages() if piece_of(parse(octets)) is not None]
    return tuple(join(pieces[n : n + 4]) for n in range(0, len(pieces), 2))


# --- decryption ------------------------------------------------------------------------------------------------


@cache
def _keys() -> KeyTable:
    return read_tables([seeds.KEYS])


def decryption(data: bytes) -> None:
    """Messages of one exchange with the keys of the captures: what opens and what does not, and no more."""
    tracker = Tracker()
    for number, octets in enumerate(_split(data), 1):
        tracker.feed(_datagram(octets, number, number % 2 == 1, number * SECOND))
    for exchange in tracker.exchanges():
        opened = open_exchange(exchange, _keys())
        assert len(opened.steps) == len(exchange.steps)
        for step in opened.steps:
            if step.opened is not None:
                assert sum(len(p.body) for p in step.opened.payloads) <= len(data)
    first = next(_split(data), b"")
    try:
        sealed = parse(first)
    except DecodeError:
        return
    for row, key in enumerate(_keys().v2):
        try:
            open_v2([sealed], key, row)
        except UnopenedError as error:
            assert str(error)


@cache
def decryption_seeds() -> Sequence[bytes]:
    """The first messages of each exchange of the captures, as far as there are keys."""
    by_cookie: dict[bytes, list[bytes]] = {}
    for octets in seeds.messages():
        by_cookie.setdefault(octets[:8], []).append(octets)
    return tuple(join(found[:8]) for found in by_cookie.values())


def key_table(data: bytes) -> None:
    """A table of keys gives rows or one line that says what is wrong, and never shows a key."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        found = parse_table(text, "fuzz")
    except KeyTableError as error:
        assert "\n" not in str(error)
        return
    assert found.rows <= text.count("\n") + text.count("\r") + len(text.splitlines()) + 1
    repr(found)


@cache
def key_table_seeds() -> Sequence[bytes]:
    """The tables of the captures."""
    return tuple(path.read_bytes() for path in sorted(seeds.KEYS.glob("ikev*")))


# --- tracker ---------------------------------------------------------------------------------------------------


def tracker_items(data: bytes) -> Iterator[Datagram | IcmpError | FragmentLoss]:
    """Datagrams, errors that quote them and losses: two octets of each piece say which, from whom, and when."""
    time = 1_700_000_000 * SECOND
    for number, piece in enumerate(_split(data), 1):
        if len(piece) < 2:
            continue
        how, wait, octets = piece[0], piece[1], piece[2:]
        time += wait * wait * 1_000_000
        port = 4500 if how & 2 else 500
        datagram = _datagram(octets, number, not how & 1, time, port)
        if how & 12 == 12:
            yield IcmpError(datagram.frame, time, "203.0.113.9", datagram.source, 4, 3, how >> 4, None, datagram)
        elif how & 12 == 8:
            yield FragmentLoss(
                (datagram.frame,),
                time,
                time,
                datagram.source,
                datagram.destination,
                port,
                port,
                octets,
                64,
                number,
                ((8, None),),
            )
        else:
            yield datagram


def tracker(data: bytes) -> None:
    """Any items, in a tracker that has room for three exchanges: nothing is lost uncounted, and all is diagnosed."""
    found = Tracker(3, 2)
    fed = last = 0
    for item in tracker_items(data):
        fed += isinstance(item, Datagram)
        found.feed(item)
        last = max(last, item.time)
    exchanges = list(found.exchanges())
    assert len(exchanges) <= 6
    keepalives = sum(flow.packets for flow in found.keepalives.values())
    assert found.counts.messages + found.counts.not_ike + keepalives == fed
    for diagnosis in diagnose(exchanges, last, keepalives=tuple(found.keepalives.values())):
        assert diagnosis.evidence or not diagnosis.exchange.steps
        assert all(item.frames for item in diagnosis.evidence)


@cache
def tracker_seeds() -> Sequence[bytes]:
    """The messages of each exchange of the captures, from one end and the other in turn."""
    by_cookie: dict[bytes, list[bytes]] = {}
    for octets in seeds.messages():
        found = by_cookie.setdefault(octets[:8], [])
        found.append(bytes((len(found) % 2, 40)) + octets)
    return tuple(join(found[:10]) for found in by_cookie.values())
