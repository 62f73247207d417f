"""Whole captures, anonymized: the same verdict, checksums as right as before, and nothing of the original."""

import io
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pcapdiag.capture.datagram import CaptureError
from pcapdiag.carve import Carved, Carving
from pcapdiag.carve.anonymize import Anonymizer, AnonymizerKeyError
from pcapdiag.carve.compare import differences, verdict
from pcapdiag.ike.payloads import Certificate, KeyExchange, Nonce, Payload
from pcapdiag.ike.registry import PayloadType
from pcapdiag.pipeline import analyze
from tests import CAPTURES, SHARED
from tests.capture.frames import T0, A, B, Blocks, ethernet, fragments4, ipv4, isakmp, pcap, udp
from tests.carve.opened import opened
from tests.carve.test_carving import ALL
from tests.carve.test_packets import right, summed
from tests.messages import COOKIE_I, ke, message, sa

KEY = b"a key of 32 octets for the tests"
STAYS = re.compile(r"127\.|0\.0\.0\.0$|2[45]\d\.|::1$|::$")
OWN_WORDS = (b"peer",)
"""Identities that the comments hold as words of this program."""
OWN = sorted(CAPTURES.glob("*.pcap*"))
OTHERS = sorted(path for name in ("lab2", "lab3", "field") for path in (SHARED / name).rglob("*.pcap*"))
THIRD = sorted((SHARED / "third-party").rglob("*.*cap*"))


@cache
def anonymized(source: Path | bytes, key: bytes = KEY) -> tuple[bytes, Carved | None, Carving]:
    """The anonymized file of a capture, in memory; None where there is no IKE in it."""
    carving = Carving(io.BytesIO(source) if isinstance(source, bytes) else source)
    out = io.BytesIO()
    result = carving.write(out, anonymizer=Anonymizer(key)) if carving.chosen else None
    return out.getvalue(), result, carving


@pytest.mark.parametrize("path", ALL)
def test_the_verdict_is_the_same(path: Path) -> None:
    octets, result, carving = anonymized(path)
    if result is None:
        assert carving.report.ike_messages == 0
        return
    assert result.differences == ()
    before, after = carving.report.diagnoses, analyze(io.BytesIO(octets)).diagnoses
    assert [verdict(d) for d in after] == [verdict(d) for d in before]
    plain = io.BytesIO()
    carving.write(plain)
    for one, other in zip(opened(plain.getvalue()), opened(octets), strict=True):
        assert (one.time, one.wire, len(one.octets), one.link_type) == (
            other.time,
            other.wire,
            len(other.octets),
            other.link_type,
        )


def secrets_of(carving: Carving, frames: list[bytes]) -> Iterator[bytes]:
    """What may not be in the result: addresses as octets and text, identities, keys, certificates, MAC addresses."""
    for diagnosis in carving.report.diagnoses:
        e = diagnosis.exchange
        addresses = {*e.initiator.addresses, *e.responder.addresses, *(i.source for i in e.icmp_errors)}
        for address in addresses:
            if not STAYS.match(address):
                yield ip_address(address).packed
                yield address.encode()
        for name in (*e.initiator.identities, *e.responder.identities):
            yield name.split(" ", 1)[1].encode()
        for step in e.steps:
            for payload in step.message.payloads:
                yield from _octets(payload)
    for frame in frames:
        yield from (frame[:6], frame[6:12])


def _octets(payload: Payload) -> Iterator[bytes]:
    if isinstance(payload, KeyExchange | Certificate):
        yield payload.data[:24]
    elif isinstance(payload, Nonce) or payload.type in (PayloadType.HASH, PayloadType.SIG, PayloadType.AUTH):
        yield payload.body[:24]


@pytest.mark.parametrize("path", [*ALL, *OTHERS], ids=lambda path: "/".join(path.parts[-3:]))
def test_nothing_of_the_original_is_in_it(path: Path) -> None:
    octets, result, carving = anonymized(path)
    if result is None:
        return
    link = opened(octets)[0].link_type
    frames = [f.octets for f in opened(path) if f.octets[12:14] in (b"\x08\0", b"\x86\xdd") and link == 1]
    for secret in {s for s in secrets_of(carving, frames) if len(s) >= 4 and any(s) and set(s) != {255}}:
        found = re.search(rb"(?<![0-9.:a-f])" + re.escape(secret) + rb"(?![0-9.:a-f])", octets)
        if secret in OWN_WORDS and found:
            assert not any(secret in frame.octets for frame in opened(octets))
            continue
        assert not found if secret.isascii() else secret not in octets, secret
    for name in (path.name, str(path.parent)):
        assert name.encode() not in octets


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
@pytest.mark.parametrize(
    "name",
    [
        "completed-nat",
        "completed-certificates-ip-fragments",
        "completed-ipv6",
        "mm1-port-unreachable",
        "completed-vlan",
    ],
)
def test_tshark_finds_the_checksums_as_right_as_before(name: str, tmp_path: Path) -> None:
    octets, _, carving = anonymized(CAPTURES / f"{name}.pcap")
    plain = io.BytesIO()
    carving.write(plain)

    def statuses(written: bytes) -> list[str]:
        path = tmp_path / "x.pcapng"
        path.write_bytes(written)
        layers = ("ip", "udp", "tcp", "icmp", "icmpv6")
        checks = [word for layer in layers[:3] for word in ("-o", f"{layer}.check_checksum:TRUE")]
        fields = [word for layer in layers for word in ("-e", f"{layer}.checksum.status")]
        command = ["tshark", "-r", str(path), *checks, "-T", "fields", "-e", "frame.number", *fields]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    found = statuses(octets)
    assert found == statuses(plain.getvalue())
    assert any("1" in line.split("\t")[1:] for line in found)


@pytest.mark.skipif(not THIRD, reason="the public captures are not beside the checkout")
def test_public_captures_give_the_same_verdict_or_it_is_said() -> None:
    carved = 0
    for path in THIRD:
        try:
            octets, result, carving = anonymized(path)
        except CaptureError:
            continue
        if result is not None:
            carved += 1
            after = analyze(io.BytesIO(octets)).diagnoses
            assert tuple(differences(carving.report.diagnoses, after)) == result.differences
            if path.name == "arkime_synthetic.pcap":
                continue  # its times jump by years, back and forth: when it ended depends on what is left of it
            for line in result.differences:
                assert "certificate" in line, (path, line)
                assert any("certificates" in note for note in result.notes)
    assert carved > 20


def test_the_comments_are_those_of_the_result() -> None:
    octets, result, _ = anonymized(CAPTURES / "mm5-udp-4500-blocked.pcap")
    frames = opened(octets)
    assert result is not None
    assert frames[0].comments[0] == "frame 3 of capture 1"
    said = [c for frame in frames for c in frame.comments]
    assert any(c.startswith("likely: UDP 4500 is filtered on the path") for c in said)
    (diagnosis,) = analyze(io.BytesIO(octets)).diagnoses
    assert any(diagnosis.exchange.initiator.address in c for c in said)
    assert result.notes[0].startswith("1 NAT-D hash is of an address that is not in the capture")


def test_one_key_maps_alike_and_another_does_not() -> None:
    path = CAPTURES / "completed-psk.pcap"
    assert anonymized(path)[0] == anonymized.__wrapped__(path)[0]
    assert anonymized(path)[0] != anonymized(path, b"k" * 16)[0]
    out = [io.BytesIO(), io.BytesIO()]
    for stream in out:
        Carving(path).write(stream, anonymizer=Anonymizer())
    assert out[0].getvalue() != out[1].getvalue()
    with pytest.raises(AnonymizerKeyError, match="15 octets, 16 are the least"):
        Anonymizer(b"k" * 15)


def test_names_of_interfaces_and_other_blocks_do_not_come_along() -> None:
    blocks = Blocks("<")
    named = blocks.option(2, b"wan-of-customer") + blocks.option(3, b"customer")
    comment = blocks.option(1, b"customer") + blocks.option(0, b"")
    frame = ethernet(ipv4(udp(isakmp())))
    capture = blocks.section() + blocks.interface(1, 0, named) + blocks.block(4, b"names of customer")
    capture += blocks.block(10, b"secrets of customer") + blocks.packet(frame, T0 // 1000) + comment
    octets, _, _ = anonymized(capture[: -len(comment)])
    assert b"customer" not in octets


SECRET = b"vpn.example.com"
CLEAR = message(4, [sa(), *ke(), (5, b"\2\0\0\0" + SECRET * 8), (13, b"v" * 40)], cookies=(COOKIE_I, bytes(8)))


def fragmented(*, drop: int | None = None, size: int = 64) -> bytes:
    """Aggressive Mode message 1 in clear, in IP fragments with a right UDP checksum, and another one behind it."""
    whole = summed(ipv4(udp(CLEAR), identification=7))[20:]
    pieces = fragments4(whole, size)
    pieces = [p for n, p in enumerate(pieces) if n != drop]
    frames = [*pieces, ethernet(ipv4(udp(isakmp()), identification=8))]
    return pcap([(T0 + n * 1_000_000, frame) for n, frame in enumerate(frames)])


def test_a_message_in_fragments_is_changed_as_one() -> None:
    octets, result, _ = anonymized(fragmented())
    assert result is not None
    assert result.differences == ()
    frames = [f.octets for f in opened(octets)]
    assert all(SECRET[:8] not in f for f in frames)
    payload = b"".join(f[34:] for f in frames[:-1])
    alone = opened(anonymized(pcap([ethernet(ipv4(udp(CLEAR)))]))[0])[0].octets
    assert payload[8:] == alone[42:]
    packet = frames[0][14:24] + b"\0\0" + frames[0][26:34] + payload
    assert right(packet[:2] + len(packet).to_bytes(2, "big") + packet[4:6] + b"\0\0" + packet[8:])[1]


@pytest.mark.parametrize("drop", range(5))
def test_of_a_message_that_is_not_whole_nothing_is_left_either(drop: int) -> None:
    octets, result, carving = anonymized(fragmented(drop=drop))
    assert result is not None
    assert result.differences == ()
    frames = [f.octets for f in opened(octets)]
    assert len(frames) == len(opened(fragmented(drop=drop)))
    assert all(SECRET[:8] not in f for f in frames)
    assert [d.stop.outcome for d in carving.report.diagnoses] == [
        d.stop.outcome for d in analyze(io.BytesIO(octets)).diagnoses
    ]


def test_fragments_that_were_recorded_twice_are_changed_alike() -> None:
    pieces = fragments4(udp(CLEAR), 128)
    twice = [piece for piece in pieces for _ in range(2)]
    octets, result, _ = anonymized(pcap([(T0 + n * 1000, p) for n, p in enumerate(twice)]))
    assert result is not None
    frames = [f.octets for f in opened(octets)]
    assert len(frames) == len(twice)
    assert frames[::2] == frames[1::2]


def test_a_nat_that_the_capture_saw_from_both_sides_still_shows() -> None:
    path = CAPTURES / "completed-nat.pcap"
    kinds = {e.kind for d in analyze(io.BytesIO(anonymized(path)[0])).diagnoses for e in d.evidence}
    assert kinds & {"nat-initiator", "nat"}
    before = {e.kind for d in analyze(path).diagnoses for e in d.evidence}
    assert kinds == before


def test_two_ends_that_are_the_same_stay_so() -> None:
    octets, _, _ = anonymized(pcap([ethernet(ipv4(udp(isakmp()), source=A, destination=B)) for _ in range(3)]))
    assert len({f.octets for f in opened(octets)}) == 1


mutations = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(OWN), mutations, st.integers(0, 1 << 20))
def test_damaged_captures_are_carved_or_refused(path: Path, changes: list[tuple[int, int]], cut: int) -> None:
    """What is read is written, in plain and anonymized, whatever the octets say."""
    octets = bytearray(path.read_bytes()[:20_000])
    for place, value in changes:
        octets[24 + place % (len(octets) - 24)] = value
    octets = octets[: 24 + cut % len(octets)]
    try:
        carving = Carving(io.BytesIO(bytes(octets)))
    except CaptureError:
        return
    if carving.chosen:
        plain, new = io.BytesIO(), io.BytesIO()
        result = carving.write(plain)
        assert result.written == carving.write(new, anonymizer=Anonymizer(KEY)).written
        assert [len(f.octets) for f in opened(plain.getvalue())] == [len(f.octets) for f in opened(new.getvalue())]
        again = analyze(io.BytesIO(plain.getvalue()))
        # The end is not believed where a damaged time puts it years away from the packets.
        if again.captures[0].summary.last_time == carving.report.captures[0].summary.last_time:
            assert list(differences(carving.chosen, again.diagnoses)) == []
