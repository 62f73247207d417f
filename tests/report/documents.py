"""The JSON documents that the program prints, as tests make them of real captures and logs, and their schemas."""

import io
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from referencing import Registry, Resource

import pcapdiag
from pcapdiag.capture.pipe import Pipe
from pcapdiag.live.loop import Ending, Limits, run
from pcapdiag.live.session import Watch
from pcapdiag.logs.log import read_log
from pcapdiag.report import compare_json, json_report, log_json
from pcapdiag.report.live import ndjson
from pcapdiag.report.live.output import JsonOutput
from pcapdiag.report.stream_ndjson import summary_line, told_line

FOLDER = Path(__file__).parents[2] / "docs" / "schema"
SCHEMAS: dict[str, Any] = {
    path.name.partition(".")[0]: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("*.schema.json"))
}
"""By the document that they are of."""
REGISTRY: Registry[Any] = Registry().with_resources(
    [(schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values()]
)


def report(*paths: Path, **how: Any) -> Any:
    """What `analyze --json` prints."""
    return json.loads("".join(json_report.render(pcapdiag.analyze(list(paths), **how))))


def stream_lines(*paths: Path, **how: Any) -> list[str]:
    """What `analyze --ndjson` prints."""
    found = pcapdiag.stream(list(paths), **how)
    lines = [told_line(told, several=len(paths) > 1) for told in found]
    return [*lines, summary_line(found.captures, found.errors, found.counts, found.peers, found.others)]


def live_lines(path: Path) -> list[str]:
    """What `live --json - < path` prints."""
    out = io.StringIO()
    source, ending = Pipe(str(path)), Ending()
    try:
        ended = run(source, Watch(), [JsonOutput(out, True, source.names)], Limits(), ending)
    finally:
        source.close()
        ending.close()
    return [*out.getvalue().splitlines(), ndjson.summary(ended.summary)]


def comparison(*paths: Any, **how: Any) -> Any:
    """What `compare --json` prints."""
    return json.loads("".join(compare_json.render(pcapdiag.compare(*paths, **how))))


def log(*logs: Any) -> Any:
    """What `log --json` prints."""
    return json.loads("".join(log_json.render(read_log(logs))))


@cache
def _validator(name: str, part: str) -> Any:
    schema = {"$ref": f"{SCHEMAS[name]['$id']}{part}"}
    return jsonschema.Draft202012Validator(schema, registry=REGISTRY)


def faults(name: str, document: Any) -> list[str]:
    """Why the document does not fit its schema; of lines, which begin with one of several schemas, why not that one."""
    part = ""
    if name == "live" and document.get("event") in SCHEMAS["live"]["$defs"]:
        part = f"#/$defs/{document['event']}"
    elif name == "ndjson":
        part = "#/$defs/summary" if "summary" in document else "#/$defs/exchange"
    return [f"{e.json_path}: {e.message[:200]}" for e in _validator(name, part).iter_errors(document)]


def _resolved(name: str, schema: Any) -> tuple[str, Any]:
    """A reference followed, one step: in which document it leads, and what stands there."""
    home, _, part = schema["$ref"].rpartition("#/$defs/")
    name = home.split(":")[2] if home else name
    return name, SCHEMAS[name]["$defs"][part]


def _places(value: Any, schema: Any, name: str) -> Iterator[tuple[int, str]]:
    """Each field of a schema that a document has, by the object schema that it stands in."""
    if "$ref" in schema:
        home, inner = _resolved(name, schema)
        yield from _places(value, inner, home)
    for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _places(value, one, name)
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in schema.get("properties", {}):
                yield id(schema), key
                yield from _places(inner, schema["properties"][key], name)
    elif isinstance(value, list) and "items" in schema:
        for inner in value:
            yield from _places(inner, schema["items"], name)


def _objects(schema: Any) -> Iterator[Any]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for inner in schema.values():
            yield from _objects(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _objects(inner)


def unseen(name: str, documents: Iterable[Any]) -> list[str]:
    """Fields that the schema names and none of these documents has."""
    seen = {place for document in documents for place in _places(document, SCHEMAS[name], name)}
    return [key for one in _objects(SCHEMAS[name]) for key in one["properties"] if (id(one), key) not in seen]
