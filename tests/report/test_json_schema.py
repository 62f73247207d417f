"""The published JSON Schema of the report: every report fits it, and it names every field and knows no others."""

import io
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import pcapdiag
from pcapdiag.logs.joining import join_log
from pcapdiag.report import json_report
from tests import CAPTURES

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs/schema/report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
NAMES = sorted(path.name for path in CAPTURES.glob("*.pcap*"))


@cache
def document(*names: str, **how: Any) -> Any:
    return json.loads("".join(json_report.render(pcapdiag.analyze([CAPTURES / name for name in names], **how))))


def faults(report: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in VALIDATOR.iter_errors(report)]


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema_version"]["const"] == json_report.SCHEMA_VERSION


@pytest.mark.parametrize("name", NAMES)
def test_every_report_fits(name: str) -> None:
    assert faults(document(name)) == []


@pytest.mark.parametrize("name", ["phase2-refused.pcap", "ikev2-completed.pcap", "mm6-identity-refused.pcap"])
def test_with_keys(name: str) -> None:
    pytest.importorskip("cryptography")
    assert faults(document(name, keys=CAPTURES / "keys")) == []


def test_with_an_end_that_is_mine() -> None:
    assert faults(document("mm4-lost-initiator-side.pcap", local="10.1.0.2")) == []


def test_of_several() -> None:
    assert faults(document("completed-psk.pcap", "mm1-no-reply.pcap", "ikev2-completed.pcap")) == []


def beside_a_log() -> Any:
    report = pcapdiag.analyze(CAPTURES / "mm1-no-proposal-chosen.pcap")
    octets = (ROOT / "docs/samples/mm1-refused.log").read_bytes()
    log, diagnoses = join_log(io.BytesIO(octets), report.diagnoses, name="asa.log")
    from msgspec.structs import replace

    return json.loads("".join(json_report.render(replace(report, diagnoses=diagnoses), [log])))


def test_beside_a_log() -> None:
    assert faults(beside_a_log()) == []


def folded() -> Any:
    report = pcapdiag.analyze(
        [CAPTURES / name for name in ("mm1-no-reply.pcap", "scan-main-mode.pcap")], max_exchanges=1
    )
    return json.loads("".join(json_report.render(report)))


def test_folded() -> None:
    assert faults(folded()) == []


def places(value: Any, schema: Any) -> Iterator[tuple[int, str]]:
    """Each field of the schema that a document has, by the object schema that it stands in."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    for one in schema.get("anyOf", ()):
        yield from places(value, one)
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in schema.get("properties", {}):
                yield id(schema), key
                yield from places(inner, schema["properties"][key])
    elif isinstance(value, list) and "items" in schema:
        for inner in value:
            yield from places(inner, schema["items"])


def objects(schema: Any) -> Iterator[Any]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for inner in schema.values():
            yield from objects(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from objects(inner)


def test_every_field_of_the_schema_is_in_some_report() -> None:
    """A field that no report has would be a promise that nothing keeps."""
    pytest.importorskip("cryptography")
    reports = [document(name) for name in NAMES]
    reports += [document(name, keys=CAPTURES / "keys") for name in NAMES]
    reports += [document("completed-psk.pcap", "mm1-no-reply.pcap"), beside_a_log(), folded()]
    seen = {place for report in reports for place in places(report, SCHEMA)}
    missing = [key for one in objects(SCHEMA) for key in one["properties"] if (id(one), key) not in seen]
    assert missing == []


def test_a_field_that_it_does_not_have_does_not_fit() -> None:
    report = json.loads(json.dumps(document("mm1-no-reply.pcap")))
    report["exchanges"][0]["new"] = 1
    assert faults(report) != []
