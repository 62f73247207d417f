"""From octets to records: formats found by looking, lines joined, hostile octets."""

import io
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.logs.line import LogLine
from pcapdiag.logs.lines import MAX_SHAPES, READERS, Lines, blocks, read
from pcapdiag.logs.log import read_log
from pcapdiag.logs.marks import MAX_LINE
from tests.logs.sample import Sample
from tests.logs.samples import ASA, SAMPLES, STRONGSWAN, decode


def records(octets: bytes) -> tuple[list[LogLine], Lines]:
    lines = Lines()
    return list(read([octets], lines)), lines


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.platform}: {s.name}")
def test_every_line_of_a_sample_is_of_its_format_and_known(sample: Sample) -> None:
    _, lines = records(sample.text.encode())
    assert lines.platforms == {sample.platform: len(sample.text.splitlines())}
    assert lines.other == 0
    assert [shape.text for shape in lines.shapes] == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.platform}: {s.name}")
def test_crumbs_make_no_difference(sample: Sample) -> None:
    octets = sample.text.encode()
    whole, _ = records(octets)
    lines = Lines()
    assert list(read([octets[n : n + 7] for n in range(0, len(octets), 7)], lines)) == whole


def test_several_formats_in_one_file() -> None:
    rows = zip(ASA[0].text.splitlines(), STRONGSWAN[0].text.splitlines(), strict=False)
    text = "".join(f"{one}\n{other}\n" for one, other in rows)
    _, lines = records(text.encode())
    assert set(lines.platforms) == {"asa", "strongswan"}
    assert lines.other == 0
    report = read_log(io.BytesIO((ASA[0].text + STRONGSWAN[1].text).encode()))
    assert [d.exchange.platform for d in report.diagnoses] == ["asa", "strongswan"]


def test_a_console_wraps_at_80_columns() -> None:
    line = f"Apr 01 11:38:51 [IKEv1]: IP = 192.0.2.1, {decode('SENDING', 'SA (1) + VENDOR (13) + VENDOR (13)', 168)}"
    wrapped = "\n".join(line[n : n + 80] for n in range(0, len(line), 80)) + "\n"
    # What a terminal cuts in the middle of a word stays cut; here the cut is at a space or the text is put together.
    (one,), lines = records(wrapped.encode())
    assert lines.wrapped == 2
    assert one.rows == 3
    assert one.said.told is not None


def test_octets_that_a_console_wrapped_are_one_message() -> None:
    digits = ("60e4660a4071c32a" + "0" * 16 + "01100200" + "0" * 8 + "0000001c").upper() + "00" * 200
    line = f"ike 0: in {digits}"
    wrapped = "\n".join(line[n : n + 80] for n in range(0, len(line), 80)) + "\n"
    (one,), _ = records(wrapped.encode())
    assert one.said.octets == bytes.fromhex(digits)
    assert one.said.initiator_spi.hex() == "60e4660a4071c32a"


def test_a_page_that_was_copied_has_several_lines_on_one() -> None:
    text = " ".join(ASA[1].text.splitlines())
    _, lines = records(text.encode())
    assert lines.platforms == {"asa": len(ASA[1].text.splitlines())}
    assert lines.number == 1


def test_newest_first() -> None:
    forward = read_log(io.BytesIO(STRONGSWAN[1].text.encode()))
    rows = STRONGSWAN[1].text.splitlines()
    backward = read_log(io.BytesIO(("\n".join(reversed(rows)) + "\n").encode()))
    assert backward.logs[0].newest_first
    assert not forward.logs[0].newest_first
    (one,), (other,) = forward.diagnoses, backward.diagnoses
    assert (one.outcome, one.states, [c.cause.id for c in one.causes]) == (
        other.outcome,
        other.states,
        [c.cause.id for c in other.causes],
    )
    total = len(rows)
    assert [m.lines[0] for m in one.exchange.messages] == [total + 1 - m.lines[0] for m in other.exchange.messages]


def test_unknown_lines_are_folded_by_shape() -> None:
    text = "".join(f"05[IKE] frobnicated {n} widgets\n" for n in range(4219))
    _, lines = records(text.encode())
    (shape,) = lines.shapes
    assert (shape.text, shape.number, shape.count) == ("frobnicated 0 widgets", 1, 4219)
    many = "".join(f"05[IKE] {'z' * (n % 97)} {'yx' * (n // 97)}\n" for n in range(MAX_SHAPES * 2))
    _, lines = records(many.encode())
    assert len(lines.shapes) == MAX_SHAPES
    assert lines.unlisted > 0


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\n\n\n",
        b"\x00" * 1000,
        b"\xff\xfe" + "05[IKE] received NO_PROPOSAL_CHOSEN error notify\n".encode("utf-16-le"),
        b"\xef\xbb\xbf05[IKE] received NO_PROPOSAL_CHOSEN error notify",
        b"05[IKE] \x1b[31m received NO_PROPOSAL_CHOSEN error notify \xff\xc0\x80\r\n",
        b"ike 0: in zzzz\n" + b"0" * 100_000 + b"\n",
        b"| *received 12 bytes from ::1:500 on lo ::1:500\n|   zz zz\n",
        "05[IKE] ‮ received NO_PROPOSAL_CHOSEN error notify\n".encode(),
        b'{"message": "x", "group": "IKE", "thread": [[[[[[]]]]]]}\n',
        b'{"message":' + b"[" * 5000,
    ],
)
def test_hostile_octets(octets: bytes) -> None:
    records(octets)
    for newline in (b"\n", b"\r\n"):
        records(octets * 3 + newline + octets)


def test_utf16_and_marks_are_read() -> None:
    line = "05[IKE] received NO_PROPOSAL_CHOSEN error notify\n"
    for octets in (line.encode("utf-16"), line.encode("utf-8-sig"), line.replace("\n", "\r\n").encode()):
        _, lines = records(octets)
        assert [kind.kind for kind in lines.kinds] == ["strongswan/received-no-proposal-chosen-error-notify"]


def test_a_line_without_end_is_bounded() -> None:
    def stream() -> Iterator[bytes]:
        yield b"05[IKE] "
        for _ in range(200):
            yield b"x" * 1_000_000
        yield b"\n05[IKE] received NO_PROPOSAL_CHOSEN error notify\n"

    tracemalloc.start()
    lines = Lines()
    began = time.monotonic()
    assert len(list(read(stream(), lines))) == 1
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20_000_000
    assert time.monotonic() - began < 30
    assert lines.cut == 1
    assert lines.number == 2


@given(st.binary(max_size=2000))
def test_any_octets_are_read(octets: bytes) -> None:
    _, lines = records(octets)
    assert lines.number >= sum(lines.platforms.values()) or lines.number >= 0
    plain = octets[:2] not in (b"\xff\xfe", b"\xfe\xff")
    assert not plain or b"".join(blocks([octets])) == octets.removeprefix(b"\xef\xbb\xbf")


PIECES = sorted({row for sample in SAMPLES for row in sample.text.splitlines()})


@given(st.lists(st.sampled_from(PIECES), max_size=30), st.randoms())
def test_lines_in_any_order_cut_anywhere(rows: list[str], dice: object) -> None:
    from random import Random

    assert isinstance(dice, Random)
    text = "\n".join(row[: dice.randrange(len(row) + 1)] if dice.random() < 0.3 else row for row in rows)
    report = read_log(io.BytesIO(text.encode()))
    for d in report.diagnoses:
        assert d.exchange.first_line <= d.exchange.last_line <= max(1, len(rows)) or report.logs[0].newest_first
        assert d.reason
    again = read_log(io.BytesIO(text.encode()))
    assert [d.reason for d in again.diagnoses] == [d.reason for d in report.diagnoses]


def test_every_reader_bounds_a_line() -> None:
    for reader in READERS:
        one = reader()
        for text in ("x" * MAX_LINE, '"' * MAX_LINE, "[IKE" * 60_000, "ike 0:" * 40_000, ": " * 100_000):
            began = time.monotonic()
            if one.takes(text):
                one.read(1, text)
            one.goes_on(text, text, text, 1)
            assert time.monotonic() - began < 2, (reader, text[:10])


def test_what_begins_anew_is_never_only_counted() -> None:
    start = "00[DMN] Starting IKE charon daemon (strongSwan 5.9.8, Linux 6.1, x86_64)\n"
    life = start + "05[CFG] loaded nothing\n" + STRONGSWAN[0].text
    report = read_log(io.BytesIO((life * 5).encode()))
    assert len(report.diagnoses) == 5 * len(read_log(io.BytesIO(life.encode())).diagnoses)


def test_a_line_that_is_not_understood_is_first_and_last_all_the_same() -> None:
    stamps = "Apr 23 10:00:01", "Apr 23 10:00:02"
    text = "".join(f"{when} gw charon: 05[IKE] nobody has seen this {when[-1]}\n" for when in stamps)
    (log,) = read_log(io.BytesIO(text.encode())).logs
    assert (log.first_when, log.last_when) == tuple(f"{when} gw charon: " for when in stamps)
