"""IP fragments: whole datagrams out of pieces, and what becomes of pieces that never were whole."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.capture.datagram import Datagram, FragmentLoss, Frame
from pcapdiag.capture.reassembly import MAX_DATAGRAMS, MAX_OCTETS, Fragment, Key, Reassembly
from tests.capture.frames import (
    A6,
    B6,
    SECOND,
    T0,
    A,
    B,
    ethernet,
    fragment6,
    fragments4,
    ipv4,
    ipv6,
    isakmp,
    pcap,
    read,
    u32,
    udp,
)

BODY = bytes(range(1, 151))
MESSAGE = isakmp(BODY)
WHOLE = udp(MESSAGE)  # 186 octets: three pieces of 64
PIECES = fragments4(WHOLE)
PLAIN = ethernet(ipv4(udp(isakmp()), identification=1))
LATE = (T0 + 100 * SECOND, ethernet(bytes(28), 0x0806))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_any_order(order: tuple[int, ...]) -> None:
    seen = read(pcap([PIECES[i] for i in order]))
    frames = (Frame(0, 1), Frame(0, 2), Frame(0, 3))
    whole = Datagram(Frame(0, 3), T0 + 2 * SECOND, A, 500, B, 500, MESSAGE, len(MESSAGE), 61, 7, fragments=frames)
    assert seen.captured == [whole]
    assert (seen.summary.datagrams, seen.summary.ip_fragments) == (1, 2)


def test_every_piece_captured_twice_is_one_datagram() -> None:
    doubled = [piece for piece in PIECES for _ in "12"]
    seen = read(pcap([*doubled, LATE]))
    assert [type(c) for c in seen.captured] == [Datagram]
    assert (seen.summary.datagrams, seen.summary.ip_fragments) == (1, 5)


def test_a_datagram_captured_twice_is_two() -> None:
    seen = read(pcap([*PIECES, *PIECES]))
    assert [type(c) for c in seen.captured] == [Datagram, Datagram]


def test_overlap_keeps_the_first_octets() -> None:
    first = ethernet(ipv4(WHOLE[:64], offset=0, more=True))
    second = ethernet(ipv4(b"\xee" * 16 + WHOLE[64:], offset=48))
    (found,) = read(pcap([first, second])).captured
    assert isinstance(found, Datagram)
    assert found.payload == MESSAGE


def test_ipv6_fragments() -> None:
    frames = [
        ethernet(ipv6(fragment6(WHOLE[at : at + 64], 17, at, at + 64 < len(WHOLE)), 44), 0x86DD) for at in (64, 0, 128)
    ]
    (found,) = read(pcap(frames)).captured
    assert isinstance(found, Datagram)
    assert (found.source, found.destination, found.payload, found.ip_id) == (A6, B6, MESSAGE, None)
    assert len(found.fragments) == 3


def test_ipv6_fragments_with_destination_options() -> None:
    whole = bytes((17, 0)) + b"\x01\x04" + bytes(4) + WHOLE
    frames = [
        ethernet(ipv6(fragment6(whole[at : at + 96], 60, at, at + 96 < len(whole)), 44), 0x86DD)
        for at in range(0, len(whole), 96)
    ]
    (found,) = read(pcap(frames)).captured
    assert isinstance(found, Datagram)
    assert found.payload == MESSAGE


def test_snapped_fragments_end_at_the_first_gap() -> None:
    snapped = [(T0 + n, piece[:60], len(piece)) for n, piece in enumerate(PIECES)]
    seen = read(pcap(snapped))
    (found,) = seen.captured
    assert isinstance(found, Datagram)
    assert (found.payload, found.length) == (MESSAGE[: 60 - 34 - 8], len(MESSAGE))
    assert seen.summary.snapped == 3


def test_lost_last_fragment() -> None:
    seen = read(pcap([(T0, PIECES[0]), (T0 + 5, PIECES[1]), LATE]))
    loss = FragmentLoss((Frame(0, 1), Frame(0, 2)), T0, T0, A, B, 500, 500, MESSAGE[:120], 61, 7, ((128, None),))
    assert seen.captured == [loss]
    assert (seen.summary.ip_fragments, seen.summary.other) == (2, 1)


def test_lost_middle_fragment() -> None:
    (loss,) = read(pcap([PIECES[2], PIECES[0]])).captured
    assert isinstance(loss, FragmentLoss)
    assert (loss.missing, loss.time, loss.last_time) == (((64, 128),), T0, T0 + SECOND)


def test_lost_first_fragment_counts_only_between_peers_with_ike() -> None:
    seen = read(pcap(PIECES[1:]))
    assert seen.captured == []
    assert seen.summary.protocols == {"IPv4 fragment (UDP)": 2}
    _, loss = read(pcap([*PIECES[1:], PLAIN])).captured
    assert isinstance(loss, FragmentLoss)
    assert (loss.source_port, loss.destination_port, loss.payload) == (None, None, b"")
    assert loss.missing == ((0, 64),)


def test_time_is_up_after_a_minute() -> None:
    late = (T0 + 61 * SECOND, PIECES[2])
    seen = read(pcap([(T0, PIECES[0]), (T0, PIECES[1]), late]))
    assert [type(c) for c in seen.captured] == [FragmentLoss]
    seen = read(pcap([(T0, PIECES[0]), (T0, PIECES[1]), (T0 + 59 * SECOND, PIECES[2])]))
    assert [type(c) for c in seen.captured] == [Datagram]


def test_loss_comes_when_its_time_is_up() -> None:
    seen = read(pcap([(T0, PIECES[0]), (T0 + 61 * SECOND, PLAIN), (T0 + 62 * SECOND, PIECES[0])]))
    assert [type(c) for c in seen.captured] == [FragmentLoss, Datagram, FragmentLoss]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_fragments_on_other_ports_are_other(order: tuple[int, ...]) -> None:
    media = fragments4(udp(bytes(178), 40000, 40002))
    seen = read(pcap([PLAIN, *(media[i] for i in order), LATE]))
    assert len(seen.captured) == 1
    assert seen.summary.protocols["IPv4 fragment (UDP)"] == 3


def test_isakmp_header_in_fragments_on_other_ports() -> None:
    (found,) = read(pcap(fragments4(udp(MESSAGE, 40000, 40001)))).captured
    assert isinstance(found, Datagram)
    assert found.payload == MESSAGE


def test_isakmp_header_spread_over_fragments() -> None:
    (found,) = read(pcap(fragments4(udp(MESSAGE, 40000, 40001), 16))).captured
    assert isinstance(found, Datagram)
    assert found.payload == MESSAGE


def test_udp_header_of_which_not_all_was_captured() -> None:
    seen = read(pcap([(T0, PIECES[0][:38], len(PIECES[0])), PIECES[1], PIECES[2]]))
    assert seen.captured == []


def test_esp_in_fragments() -> None:
    esp = u32(77) + bytes(150)
    summary = read(pcap([*fragments4(udp(esp, 4500, 4500)), *fragments4(esp, protocol=50)])).summary
    assert summary.esp == 2
    assert [(f.source, f.source_port, f.spi, f.packets) for f in summary.esp_flows] == [
        (A, 4500, 77, 1),
        (A, None, 77, 1),
    ]


def test_oldest_gives_way() -> None:
    frames = [ethernet(ipv4(WHOLE[:64], identification=n, more=True)) for n in range(MAX_DATAGRAMS + 3)]
    seen = read(pcap([(T0, frame) for frame in frames]))
    losses = [c for c in seen.captured if isinstance(c, FragmentLoss)]
    assert [loss.ip_id for loss in losses[:3]] == [0, 1, 2]
    assert len(losses) == len(frames)
    assert seen.summary.warnings == ("x.pcap: 3 incomplete datagrams evicted",)


def piece(identification: int, offset: int, octets: bytes, *, more: bool = True) -> Fragment:
    key = Key(b"\1\1\1\1", b"\2\2\2\2", identification, 17)
    return Fragment(key, offset, len(octets), more, octets, 64, Frame(0, 1), T0)


def test_octets_are_bounded_even_for_copies_of_one_piece() -> None:
    held = Reassembly()
    evicted = 0
    for number in range(2000):
        held.add(piece(number % 10, 8, bytes(9000)))
        evicted += len(held.evicted())
    assert evicted == 0
    for _ in range(MAX_OCTETS // 100):
        held.add(piece(3, 8, b"12345678"))
        evicted += len(held.evicted())
    assert evicted > 0


def test_datagram_that_ends_before_its_udp_header() -> None:
    options = bytes((17, 0)) + b"\x01\x04" + bytes(4)
    frames = [
        ethernet(ipv6(fragment6(options + udp(MESSAGE)[:56], 60, 0, True), 44), 0x86DD),
        ethernet(ipv6(fragment6(b"", 60, 8, False), 44), 0x86DD),
    ]
    assert read(pcap(frames)).summary.protocols == {"IPv6 fragment (IP protocol 60)": 2}


def test_one_wrong_time_far_ahead_expires_nothing() -> None:
    filler = [(T0, ethernet(bytes(1400), 0x0806)) for _ in range(400)]
    ahead = (T0 + 10**6 * SECOND, ethernet(bytes(28), 0x0806))
    seen = read(pcap([ahead, *filler, (T0, PIECES[0]), *filler, (T0, PIECES[1]), *filler, (T0, PIECES[2])]))
    assert [type(c) for c in seen.captured] == [Datagram]


@given(st.data())
def test_any_cut_and_order_gives_the_whole(data: st.DataObject) -> None:
    whole = data.draw(st.binary(min_size=1, max_size=400))
    cuts = [*sorted(data.draw(st.sets(st.integers(0, len(whole) // 8).map(lambda n: n * 8)))), len(whole)]
    spans = [(a, b) for a, b in zip([0, *cuts], cuts, strict=False) if b > a]
    order = data.draw(st.permutations(spans + data.draw(st.lists(st.sampled_from(spans), max_size=3))))
    held = Reassembly()
    missing = set(spans)
    for start, end in order:
        partial = held.add(piece(1, start, whole[start:end], more=end < len(whole)))
        missing.discard((start, end))
        assert partial is not None
        assert partial.complete() == (not missing)
        assert whole.startswith(partial.head())
        covered = {n for a, b in partial.missing() for n in range(a, len(whole) if b is None else b)}
        assert covered == {n for a, b in missing for n in range(a, b)}
    assert partial.head() == whole


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(0, 30),
            st.booleans(),
            st.binary(max_size=80),
            st.integers(0, 200),
        ),
        max_size=20,
    )
)
def test_hostile_fragments(pieces: list[tuple[int, int, bool, bytes, int]]) -> None:
    frames = []
    for number, offset, more, octets, seconds in pieces:
        data = udp(octets) if offset == 0 else octets
        packet = ipv4(data, identification=number, offset=offset * 8, more=more)
        six = ipv6(fragment6(data, 60 if number == 3 else 17, offset * 8, more), 44)
        frames += [(T0 + seconds * SECOND, ethernet(packet)), (T0, ethernet(six, 0x86DD))]
    read(pcap([PLAIN, *frames]))
