"""What holds of any part and any damage of a capture: a report, no traceback, and never more than the wire shows."""

import gzip
import lzma
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pcapdiag.capture.datagram import Captured, CaptureError, Datagram
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.pipeline import analyze
from tests import CAPTURES
from tests.diagnosis.scenarios import TRUTH, captured, diagnosed_until
from tests.report.reports import as_json, as_text, of_capture

NAMES = [r["capture"] for r in TRUTH]
STOPPED = [r["capture"] for r in TRUTH if r.get("outcome") and "completed" not in r["outcome"]]
USUAL = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
GOOD = (Outcome.COMPLETED, Outcome.PARTIAL)
FIRST_BLOCK = 256
"""Octets that a file may lack before it is none: the header of pcap, or the section header block of pcapng."""


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


@cache
def octets(name: str) -> bytes:
    return (CAPTURES / name).read_bytes()


@cache
def stages(name: str) -> dict[bytes, int]:
    """The last Main Mode message under each initiator cookie of the capture as it is."""
    return {d.exchange.initiator_spi: d.exchange.last_message or 0 for d in diagnosed_until(*captured(name))}


def reported(data: bytes, suffix: str) -> tuple[Diagnosis, ...]:
    """The whole way, from the octets of a savefile to every report. Raises nothing but CaptureError."""
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(data)
        file.flush()
        report = analyze(file.name)
    as_json(report)
    as_text(report, detail=1)
    return report.diagnoses


# --- parts -----------------------------------------------------------------------------------------------------


@USUAL
@given(st.sampled_from(NAMES), st.data())
def test_any_prefix_of_the_octets_gives_a_report(name: str, data: st.DataObject) -> None:
    whole = octets(name)
    count = data.draw(st.integers(0, len(whole)))
    try:
        found = reported(whole[:count], Path(name).suffix)
    except CaptureError:
        assert count < FIRST_BLOCK
        return
    for diagnosis in found:
        assert (diagnosis.exchange.last_message or 0) <= stages(name)[diagnosis.exchange.initiator_spi]


def test_any_prefix_of_the_items_gives_a_verdict() -> None:
    for name in NAMES:
        items, _ = captured(name)
        for count in range(len(items) + 1):
            for found in diagnosed_until(items[:count]):
                assert (found.exchange.last_message or 0) <= stages(name)[found.exchange.initiator_spi]
                assert found.evidence


@USUAL
@given(st.sampled_from(NAMES), st.data())
def test_any_selection_of_the_items_gives_a_verdict(name: str, data: st.DataObject) -> None:
    items, end = captured(name)
    kept = [item for item in items if data.draw(st.booleans())]
    for found in diagnosed_until(kept, end):
        assert found.evidence
        assert all(item.frames for item in found.evidence)


# --- damage ----------------------------------------------------------------------------------------------------

HEADER = range(8, 28)
"""Of the ISAKMP header: all behind the initiator cookie. These octets alone say which message it is (a sealed message
of the initiator is message 5, an SA beside a responder cookie message 2), so a flipped bit makes another one of it."""


def _headers(name: str) -> set[int]:
    """Where in the file the octets behind the initiator cookie of every ISAKMP header are."""
    whole = octets(name)
    found = set()
    for spi in {d.exchange.initiator_spi for d in diagnosed_until(*captured(name))}:
        at = whole.find(spi)
        while at >= 0:
            found.update(at + n for n in HEADER)
            at = whole.find(spi, at + 1)
    return found


@settings(USUAL, max_examples=250)
@given(st.sampled_from(NAMES), st.data())
def test_flipped_bits_never_raise(name: str, data: st.DataObject) -> None:
    damaged = bytearray(octets(name))
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        reported(bytes(damaged), Path(name).suffix)
    except CaptureError:
        return


@settings(USUAL, max_examples=200)
@given(st.sampled_from(STOPPED), st.data())
def test_flipped_bits_outside_the_headers_never_yield_a_later_stage(name: str, data: st.DataObject) -> None:
    damaged = bytearray(octets(name))
    safe = sorted(set(range(len(damaged))) - _headers(name))
    damaged[data.draw(st.sampled_from(safe))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = reported(bytes(damaged), Path(name).suffix)
    except CaptureError:
        return
    for diagnosis in found:
        if diagnosis.exchange.initiator_spi in stages(name):
            assert (diagnosis.exchange.last_message or 0) <= stages(name)[diagnosis.exchange.initiator_spi]


# --- order and repetition --------------------------------------------------------------------------------------


def _shuffled(items: Sequence[Captured], dice: random.Random) -> list[Captured]:
    """Each item recorded a few microseconds earlier or later, some of them twice, in the order of the new times."""
    found = []
    for item in items:
        for n in range(dice.choice((1, 1, 2))):
            found.append(replace(item, time=item.time + dice.randrange(5_000) + n * 1_000))
    return sorted(found, key=lambda i: i.time)


@USUAL
@given(st.sampled_from(STOPPED), st.integers(0, 2**32))
def test_shuffled_and_doubled_failures_stay_failures(name: str, seed: int) -> None:
    items, end = captured(name)
    before = {d.exchange.initiator_spi: d for d in diagnosed_until(items, end)}
    for found in diagnosed_until(_shuffled(items, random.Random(seed)), end):
        was = before[found.exchange.initiator_spi]
        assert (found.stop.outcome in GOOD) == (was.stop.outcome in GOOD)
        assert found.exchange.last_message == was.exchange.last_message
        assert (found.stop.initiator_state, found.stop.responder_state) == (
            was.stop.initiator_state,
            was.stop.responder_state,
        )


@USUAL
@given(st.sampled_from(STOPPED), st.integers(0, 2**32))
def test_any_order_whatsoever_never_makes_a_failure_good(name: str, seed: int) -> None:
    items, end = captured(name)
    datagrams = [i for i in items if isinstance(i, Datagram)]
    random.Random(seed).shuffle(datagrams)
    for found in diagnosed_until(datagrams, end):
        assert found.stop.outcome is not Outcome.COMPLETED


def test_same_input_gives_the_same_octets() -> None:
    for name in NAMES:
        assert as_json(of_capture(name)) == as_json(of_capture(name))
        assert as_text(of_capture(name)) == as_text(of_capture(name))


@pytest.mark.parametrize("options", [["--json"], ["-v"]], ids=" ".join)
def test_same_input_gives_the_same_octets_in_any_process(options: list[str]) -> None:
    files = [str(CAPTURES / name) for name in NAMES[::3]]
    outputs = set()
    for seed, jobs in (("0", "1"), ("1", "2"), ("4242", "3")):
        command = [sys.executable, "-m", "pcapdiag", "analyze", *options, "-j", jobs, *files]
        done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed}, timeout=120)
        assert done.returncode == 1
        outputs.add((done.stdout, done.stderr))
    assert len(outputs) == 1


@settings(USUAL, max_examples=40)
@given(st.sampled_from(NAMES), st.sampled_from((gzip.compress, lzma.compress, zstd)), st.data())
def test_any_prefix_of_a_compressed_capture_gives_a_report(
    name: str, compress: Callable[[bytes], bytes], data: st.DataObject
) -> None:
    whole = compress(octets(name))
    count = data.draw(st.integers(0, len(whole)))
    try:
        found = reported(whole[:count], ".pcap")
    except CaptureError:
        return
    for diagnosis in found:
        assert (diagnosis.exchange.last_message or 0) <= stages(name)[diagnosis.exchange.initiator_spi]
