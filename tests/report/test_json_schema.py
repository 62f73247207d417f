"""The published JSON Schemas: every document fits its own, which names every field and knows no others.

That of `fleet report` is held in tests/fleet/test_report.py, where there are data sets.
"""

import io
import json
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace

import pcapdiag
from pcapdiag.live.events import Evicted, Notice, Unlisted
from pcapdiag.logs.joining import join_log
from pcapdiag.report import json_report
from pcapdiag.report.live import ndjson
from tests import CAPTURES, SHARED
from tests.comparison.savefiles import LEFT, RIGHT, read, shifted, write
from tests.logs.samples import SAMPLES, Sample
from tests.report.documents import SCHEMAS, comparison, faults, live_lines, log, report, stream_lines, unseen

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.name for path in CAPTURES.glob("*.pcap*"))
MORE = sorted(SHARED.rglob("*.pcap*")) if SHARED.is_dir() else []
COMPLETED = CAPTURES / "completed-psk.pcap"
FRAGMENTS = CAPTURES / "completed-certificates-ip-fragments.pcap"
WITH_ESP = CAPTURES / "completed-nat.pcap"
MM2 = CAPTURES / "mm2-lost-initiator-side.pcap", CAPTURES / "mm2-lost-responder-side.pcap"
PAIRS = [
    MM2,
    (LEFT, RIGHT),
    *((left, right) for left in MORE if left.stem == "left" and (right := left.with_stem("right")).exists()),
]
LOGS = [*sorted((ROOT / "docs/samples").glob("*.log")), *(sorted(SHARED.parent.rglob("*.log")) if MORE else ())]
WITH_KEYS = ("phase2-refused.pcap", "ikev2-completed.pcap", "mm6-identity-refused.pcap")
needs_more = pytest.mark.skipif(not MORE, reason="needs the captures beside the checkout")


@cache
def document(*names: str, **how: Any) -> Any:
    return report(*(CAPTURES / name for name in names), **how)


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$id"] == f"urn:pcapdiag:{name}:{json_report.SCHEMA_VERSION}"


def test_there_is_one_for_each_document() -> None:
    assert set(SCHEMAS) == {"report", "ndjson", "compare", "log", "live", "fleet"}


# --- analyze --json --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_report_fits(name: str) -> None:
    assert faults("report", document(name)) == []


@needs_more
@pytest.mark.slow
@pytest.mark.parametrize("part", range(16))
def test_reports_and_lines_of_all_captures_at_hand_fit(part: int) -> None:
    for path in MORE[part::16]:
        assert faults("report", report(path)) == [], path
        for line in stream_lines(path):
            assert faults("ndjson", json.loads(line)) == [], path


@pytest.mark.parametrize("name", WITH_KEYS)
def test_with_keys(name: str) -> None:
    pytest.importorskip("cryptography")
    assert faults("report", document(name, keys=CAPTURES / "keys")) == []


def test_with_an_end_that_is_mine() -> None:
    assert faults("report", document("mm4-lost-initiator-side.pcap", local="10.1.0.2")) == []


def test_of_several() -> None:
    assert faults("report", document("completed-psk.pcap", "mm1-no-reply.pcap", "ikev2-completed.pcap")) == []


def beside_a_log() -> Any:
    found = pcapdiag.analyze(CAPTURES / "mm1-no-proposal-chosen.pcap")
    octets = (ROOT / "docs/samples/mm1-refused.log").read_bytes()
    joined, diagnoses = join_log(io.BytesIO(octets), found.diagnoses, name="asa.log")
    return json.loads("".join(json_report.render(replace(found, diagnoses=diagnoses), [joined])))


def test_beside_a_log() -> None:
    assert faults("report", beside_a_log()) == []


def folded() -> Any:
    return document("mm1-no-reply.pcap", "scan-main-mode.pcap", max_exchanges=1)


def test_folded() -> None:
    assert faults("report", folded()) == []


def test_every_field_of_the_schema_is_in_some_report() -> None:
    """A field that no report has would be a promise that nothing keeps."""
    pytest.importorskip("cryptography")
    reports = [document(name) for name in NAMES]
    reports += [document(name, keys=CAPTURES / "keys") for name in NAMES]
    reports += [document("completed-psk.pcap", "mm1-no-reply.pcap"), beside_a_log(), folded()]
    assert unseen("report", reports) == []


# --- analyze --ndjson ------------------------------------------------------------------------------------------------


@cache
def lines_of(name: str) -> list[Any]:
    return [json.loads(line) for line in stream_lines(CAPTURES / name)]


@pytest.mark.parametrize("name", NAMES)
def test_every_line_of_a_stream_fits(name: str) -> None:
    for line in lines_of(name):
        assert faults("ndjson", line) == []


def test_lines_with_keys_and_of_several_captures_fit() -> None:
    pytest.importorskip("cryptography")
    for line in stream_lines(*(CAPTURES / name for name in WITH_KEYS), keys=CAPTURES / "keys"):
        assert faults("ndjson", json.loads(line)) == []


def test_every_field_is_in_some_line() -> None:
    assert unseen("ndjson", chain.from_iterable(lines_of(name) for name in NAMES)) == []


# --- compare --json --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0].parent.name}/{pair[0].stem}")
def test_every_comparison_fits(pair: tuple[Path, Path]) -> None:
    assert faults("compare", comparison(*pair)) == []


def with_a_clock_that_was_set(folder: Path) -> Any:
    rows = read(COMPLETED)
    half = len(rows) // 2
    return comparison(COMPLETED, write(folder / "set.pcap", rows[:half] + shifted(rows[half:], 40.0)))


def with_a_packet_that_was_not_captured(folder: Path) -> Any:
    rows = read(COMPLETED)
    return comparison(COMPLETED, write(folder / "missed.pcap", rows[:2] + rows[3:]))


def with_a_fragment_that_was_lost(folder: Path) -> Any:
    rows = read(FRAGMENTS)
    first = next(n for n, row in enumerate(rows) if row.octets[20] & 0x20)  # "more fragments" of IPv4
    return comparison(FRAGMENTS, write(folder / "part.pcap", rows[:first] + rows[first + 1 :]))


def of_a_ring(folder: Path) -> Any:
    ring = folder / "ring"
    ring.mkdir()
    rows = read(COMPLETED)
    for number, part in enumerate((rows[: len(rows) // 2], rows[len(rows) // 2 :])):
        write(ring / f"{number}.pcap", part)
    return comparison(COMPLETED, ring)


def test_every_field_is_in_some_comparison(tmp_path: Path) -> None:
    made = (with_a_clock_that_was_set, with_a_packet_that_was_not_captured, with_a_fragment_that_was_lost, of_a_ring)
    found = [make(tmp_path) for make in made] + [comparison(WITH_ESP, WITH_ESP)]
    for one in found:
        assert faults("compare", one) == []
    assert unseen("compare", found) == []


# --- log --json ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", LOGS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_log_fits(path: Path) -> None:
    assert faults("log", log(path)) == []


@cache
def sampled(sample: Sample) -> Any:
    return log(io.BytesIO(sample.text.encode()))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.platform}: {s.name}")
def test_every_sample_of_a_log_fits(sample: Sample) -> None:
    assert faults("log", sampled(sample)) == []


def test_every_field_is_in_some_log() -> None:
    unknown = log(io.BytesIO(b"Nov 23 09:02:01 gw charon: 07[IKE] a line that is in no table\n"))
    assert faults("log", unknown) == []
    assert unseen("log", [unknown, *(sampled(sample) for sample in SAMPLES)]) == []


# --- live --json -----------------------------------------------------------------------------------------------------


def events_of(path: Path) -> Iterator[Any]:
    return (json.loads(line) for line in live_lines(path))


@pytest.mark.parametrize("name", NAMES)
def test_every_event_fits(name: str) -> None:
    for event in events_of(CAPTURES / name):
        assert faults("live", event) == []


@needs_more
@pytest.mark.slow
@pytest.mark.parametrize("part", range(16))
def test_events_of_all_captures_at_hand_fit(part: int) -> None:
    for path in MORE[part::16]:
        for event in events_of(path):
            assert faults("live", event) == [], path


def test_every_field_is_in_some_event() -> None:
    rare = ndjson.render([Unlisted(7, 3), Evicted(8, 1, 2), Notice(9, "eth0: it went away")])
    events = [json.loads(line) for line in rare.splitlines()]
    for event in events:
        assert faults("live", event) == []
    names = ("mm1-port-unreachable.pcap", "mm5-udp-4500-blocked.pcap", "completed-psk.pcap")
    events += chain.from_iterable(events_of(CAPTURES / name) for name in names)
    assert unseen("live", events) == []


# --- what does not fit -----------------------------------------------------------------------------------------------


def objects_of(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document whose fields a schema names."""
    if isinstance(value, dict):
        yield value
        for key, inner in value.items():
            if key not in ("protocols", "attributes", "outcomes", "other_peers", "platforms"):
                yield from objects_of(inner)
    elif isinstance(value, list):
        for inner in value[:2]:
            yield from objects_of(inner)


def examples() -> list[tuple[str, Any]]:
    stream = lines_of("mm5-psk-mismatch.pcap")
    events = {event["event"]: event for event in events_of(CAPTURES / "mm1-no-reply.pcap")}
    return [
        ("report", document("mm5-psk-mismatch.pcap")),
        ("ndjson", stream[0]),
        ("ndjson", stream[-1]),
        ("compare", comparison(*PAIRS[0])),
        ("log", sampled(SAMPLES[0])),
        *(("live", event) for event in events.values()),
    ]


def test_a_field_that_a_schema_does_not_have_does_not_fit_wherever_it_stands() -> None:
    for name, example in examples():
        assert faults(name, example) == []
        places = list(objects_of(example))
        for place in (places[0], *places[1::7], places[-1]):
            place["new"] = 1
            assert faults(name, example) != [], (name, sorted(place))
            del place["new"]


def test_a_line_that_is_no_event_does_not_fit() -> None:
    assert faults("live", {"event": "nothing", "time": 1.0}) != []
    assert faults("ndjson", {"id": 1}) != []
