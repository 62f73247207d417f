"""Captures out of logs: the messages that went into a log come out of it, between the same ends."""

import io
from collections.abc import Callable
from pathlib import Path
from time import gmtime, strftime

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import pcapdiag
from pcapdiag.cli.main import main
from pcapdiag.exchange.model import Side
from pcapdiag.logs.lines import Lines, read
from pcapdiag.logs.packets import Packet, Packets, frame, write
from tests.logs.test_joining import CAPTURES, fortigate_log, sent


def debug_of(path: Path, side: Side) -> str:
    """What a FortiGate at that end prints, the ends before what comes and behind what goes."""
    rows = []
    for _, step, one in sent(pcapdiag.analyze(path).diagnoses):
        when = f"{strftime('%Y-%m-%d %H:%M:%S', gmtime(one.time // 10**9))}.{one.time % 10**9 // 1000:06d}"
        octets = step.message.octets
        a, b = f"{one.source}:{one.source_port}", f"{one.destination}:{one.destination_port}"
        if step.sender is side:
            rows.append(f"{when} ike 0:x:7: out {octets.hex().upper()}")
            rows.append(f"{when} ike 0:x:7: sent IKE msg (x): {a}->{b}, len={len(octets)}, id=0/0")
        else:
            rows.append(f"{when} ike 0: comes {a}->{b},ifindex=4....")
            rows.append(f"{when} ike 0: in {octets.hex().upper()}")
    return "".join(f"{row}\n" for row in rows)


@pytest.mark.parametrize("side", [Side.INITIATOR, Side.RESPONDER])
@pytest.mark.parametrize(
    "capture", ["mm5-psk-mismatch.pcap", "completed-nat.pcap", "ikev2-completed.pcap", "completed-ipv6.pcap"]
)
def test_the_capture_is_judged_as_the_first(capture: str, side: Side, tmp_path: Path) -> None:
    path = CAPTURES / capture
    (tmp_path / "f.log").write_text(debug_of(path, side))
    result = CliRunner().invoke(main, ["log", str(tmp_path / "f.log"), "--to-pcap", str(tmp_path / "o.pcapng")])
    assert result.exit_code == 0, result.output
    before, after = pcapdiag.analyze(path), pcapdiag.analyze(tmp_path / "o.pcapng")
    first, second = sent(before.diagnoses), sent(after.diagnoses)
    assert [(s.message.octets, o.source, o.source_port, o.destination, o.time // 1000) for _, s, o in first] == [
        (s.message.octets, o.source, o.source_port, o.destination, o.time // 1000) for _, s, o in second
    ]
    assert [d.stop.outcome for d in before.diagnoses] == [d.stop.outcome for d in after.diagnoses]
    assert [[c.cause.id for c in d.causes[:1]] for d in before.diagnoses] == [
        [c.cause.id for c in d.causes[:1]] for d in after.diagnoses
    ]
    assert f"{len(first)} messages are written" in result.stderr


def test_messages_without_ends_are_left_out(tmp_path: Path) -> None:
    text = fortigate_log(pcapdiag.analyze(CAPTURES / "mm5-psk-mismatch.pcap").diagnoses, Side.INITIATOR)
    (tmp_path / "f.log").write_text(text)
    out = tmp_path / "o.pcapng"
    result = CliRunner().invoke(main, ["log", str(tmp_path / "f.log"), "--to-pcap", str(out)])
    assert result.exit_code == 4
    assert "not between which addresses" in result.stderr
    assert not out.exists()
    both = CliRunner().invoke(main, ["log", str(tmp_path / "f.log"), "a", "--to-pcap", str(out)])
    assert both.exit_code == 2
    own = CliRunner().invoke(main, ["log", str(tmp_path / "f.log"), "--to-pcap", str(tmp_path / "f.log")])
    assert own.exit_code == 3
    assert (tmp_path / "f.log").read_text() == text
    assert CliRunner().invoke(main, ["log", str(tmp_path / "none"), "--to-pcap", str(out)]).exit_code == 3


ENDS = st.one_of(st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)), st.tuples(*[st.ip_addresses(v=6)] * 2))


@given(ENDS, st.sampled_from([(500, 500), (4500, 4500), (1024, 4500), (500, 1)]), st.binary(max_size=90))
def test_headers_are_right(ends: tuple[object, object], ports: tuple[int, int], octets: bytes) -> None:
    packet = frame(Packet(0, str(ends[0]), ports[0], str(ends[1]), ports[1], octets, 1))
    four = packet[0] >> 4 == 4
    at = 20 if four else 40
    data = (bytes(4) if 4500 in ports else b"") + octets
    assert packet[at + 8 :] == data
    assert int.from_bytes(packet[at + 4 : at + 6], "big") == 8 + len(data)
    if four:
        assert int.from_bytes(packet[2:4], "big") == len(packet)
        assert sum(int.from_bytes(packet[n : n + 2], "big") for n in range(0, 20, 2)) % 0xFFFF == 0
    else:
        pseudo = packet[8:40] + (8 + len(data)).to_bytes(4, "big") + b"\0\0\0\x11" + packet[40:]
        pseudo += bytes(len(pseudo) & 1)
        assert sum(int.from_bytes(pseudo[n : n + 2], "big") for n in range(0, len(pseudo), 2)) % 0xFFFF == 0


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_hostile_logs_end_in_a_capture(rows: list[bytes]) -> None:
    text = b"\n".join(b"ike 0: in " + row.hex().encode() + b"\n" + row for row in rows)
    stream = io.BytesIO()
    written = write(stream, "x", read([text], Lines()))
    assert written.packets == 0
    packets = Packets()
    assert [*packets.feed(read([text], Lines())), *packets.close()] == []


def racoon_debug(path: Path, side: Side) -> str:
    """What racoon prints at debug level: a dump is a line of its own, and has the marker where one was sent."""
    rows = []
    for _, step, one in sent(pcapdiag.analyze(path).diagnoses):
        when = strftime("%Y-%m-%d %H:%M:%S", gmtime(one.time // 10**9))
        octets = step.message.octets
        a, b = f"{one.source}[{one.source_port}]", f"{one.destination}[{one.destination_port}]"
        if step.sender is side:
            octets = bytes(4) * one.marked + octets
            rows += [f"{when}: DEBUG: sockname {a}", f"{when}: DEBUG: send packet from {a}"]
            rows.append(f"{when}: DEBUG: 1 times of {len(octets)} bytes message will be sent to {b}")
        else:
            rows.append(f"{when}: DEBUG: {len(octets)} bytes message received from {a} to {b}")
        rows.append(f"{when}: DEBUG: ")
        rows += [octets[at : at + 32].hex(" ", -4) for at in range(0, len(octets), 32)]
        rows.append("")
    return "".join(f"{row}\n" for row in rows)


def pluto_debug(path: Path, side: Side) -> str:
    """What pluto prints with debugging: dumps of 16 octets a line."""
    rows = []
    for _, step, one in sent(pcapdiag.analyze(path).diagnoses):
        when = f"{strftime('%b %d %H:%M:%S', gmtime(one.time // 10**9))}.{one.time % 10**9 // 1000:06d}"
        octets = step.message.octets
        a, b = f"{one.source}:{one.source_port}", f"{one.destination}:{one.destination_port}"
        if step.sender is side:
            octets = bytes(4) * one.marked + octets
            rows.append(
                f"{when}: | sending {len(octets)} bytes for STATE_X through eth0 from {a} to {b} using UDP (for #1)"
            )
        else:
            rows.append(f"{when}: | *received {len(octets)} bytes from {a} on eth0 {b} using UDP")
        for at in range(0, len(octets), 16):
            piece = octets[at : at + 16].hex(" ").split()
            dump = "  ".join(" ".join(piece[n : n + 4]) for n in range(0, len(piece), 4))
            rows.append(f"{when}: |   {dump}   ................")
    return "".join(f"{row}\n" for row in rows)


@pytest.mark.parametrize("side", [Side.INITIATOR, Side.RESPONDER])
@pytest.mark.parametrize("debug", [racoon_debug, pluto_debug])
@pytest.mark.parametrize("capture", ["mm5-psk-mismatch.pcap", "completed-nat.pcap", "ikev2-completed.pcap"])
def test_dumps_of_racoon_and_pluto(capture: str, debug: Callable[[Path, Side], str], side: Side) -> None:
    path = CAPTURES / capture
    packets = Packets()
    found = [*packets.feed(read([debug(path, side).encode()], Lines())), *packets.close()]
    assert [(p.octets, p.source, p.source_port, p.destination, p.destination_port) for p in found] == [
        (s.message.octets, o.source, o.source_port, o.destination, o.destination_port)
        for _, s, o in sent(pcapdiag.analyze(path).diagnoses)
    ]
