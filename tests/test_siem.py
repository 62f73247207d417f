"""docs/siem: what jq makes of pcapdiag's lines is legal ECS and OCSF, and holds every value of every line.

Field names, types and allowed values are those of elastic/ecs (generated/ecs/ecs_flat.yml, 8.17) and of
ocsf/ocsf-schema (events/network/tunnel_activity.json, events/base_event.json and the objects they name, 1.8.0).
"""

import ipaddress
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from pcapdiag.pipeline import analyze
from pcapdiag.report import json_report
from tests import CAPTURES
from tests.report.documents import live_lines, stream_lines

pytestmark = pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
PROGRAMS = Path(__file__).parents[1] / "docs" / "siem"
NAMES = sorted(path.name for path in CAPTURES.glob("*.pcap*"))
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{9})Z")


def mapped(name: str, lines: list[str]) -> list[Any]:
    """What the program of this name makes of the lines."""
    command = ["jq", "-cR", "-L", str(PROGRAMS), f'include "{name}"; {name}']
    text = "".join(f"{line.rstrip()}\n" for line in lines)
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    return [json.loads(line, parse_float=Decimal) for line in run.stdout.splitlines()]


def restored(value: Any) -> Any:
    """The same with times as the numbers that they were."""
    if isinstance(value, dict):
        return {key: restored(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [restored(inner) for inner in value]
    found = _STAMP.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    return Decimal(f"{int(datetime.fromisoformat(f'{found[1]}+00:00').timestamp())}{found[2]}")


@cache
def lines() -> list[str]:
    return [line.rstrip() for name in NAMES for line in stream_lines(CAPTURES / name)]


@cache
def made(name: str) -> list[Any]:
    return mapped(name, lines())


def exact(line: str) -> Any:
    return json.loads(line, parse_float=Decimal)


@pytest.mark.parametrize(("name", "place"), [("ecs", ()), ("ocsf", ("unmapped",))])
def test_every_value_of_every_line_is_there(name: str, place: tuple[str, ...]) -> None:
    found = made(name)
    assert len(found) == len(lines())
    for line, document in zip(lines(), found, strict=True):
        record = document[place[0]]["pcapdiag"] if place else document["pcapdiag"]
        source = exact(line)
        assert restored(record) == (source if "summary" in source else {"exchange": source})


@pytest.mark.parametrize("name", ["ecs", "ocsf"])
def test_the_lines_of_the_report_can_be_given_too(name: str) -> None:
    pieces = "".join(json_report.render(analyze(CAPTURES / "completed-psk-nanoseconds.pcapng")))
    found = [d["pcapdiag"] if name == "ecs" else d["unmapped"]["pcapdiag"] for d in mapped(name, pieces.splitlines())]
    document = exact(pieces)
    assert [restored(record["exchange"]) for record in found[1:]] == document.pop("exchanges")
    assert restored(found[0]["summary"]) == document


@pytest.mark.parametrize("name", ["ecs", "ocsf"])
def test_the_events_of_a_watch_can_be_given_too(name: str) -> None:
    events = live_lines(CAPTURES / "mm5-udp-4500-blocked.pcap")
    found = mapped(name, events)
    records = [restored(d["pcapdiag"] if name == "ecs" else d["unmapped"]["pcapdiag"]) for d in found]
    assert records == [exact(event) for event in events]
    verdicts = [d for d in found if (d["event"]["kind"], "source" in d) == ("event", True)] if name == "ecs" else None
    assert verdicts is None or len(verdicts) == sum('"event":"verdict"' in event for event in events)


def test_text_that_looks_like_a_time_stays_text() -> None:
    source = json.loads(next(line for line in lines() if '"outcome"' in line), parse_float=str)
    source["reason"] = '"time":1.000000000,"times":[1.000000000] 1.000000000'
    source["last_time"] = source["first_time"] = "TIME"
    line = json.dumps(source).replace('"TIME"', "1795424519.123456789").replace(": ", ":").replace(", ", ",")
    (document,) = mapped("ecs", [line])
    assert document["pcapdiag"]["exchange"]["reason"] == json.loads(line)["reason"]
    assert document["@timestamp"] == "2026-11-23T09:01:59.123456789Z"


@pytest.mark.parametrize(
    ("time", "stamp"),
    [
        ("0.000000001", "1970-01-01T00:00:00.000000001Z"),
        ("253402300799.999999999", "9999-12-31T23:59:59.999999999Z"),
        ("253402300800.000000000", "253402300800.000000000"),
        ("-1.500000000", "-1.500000000"),
    ],
)
def test_times_at_the_bounds_of_calendars(time: str, stamp: str) -> None:
    (document,) = mapped("ecs", [f'{{"event":"notice","time":{time},"text":"x"}}'])
    assert document["pcapdiag"]["time"] == document["@timestamp"] == stamp
    (event,) = mapped("ocsf", [f'{{"event":"notice","time":{time},"text":"x"}}'])
    assert event["time"] == int((Decimal(time) * 1000).to_integral_value("ROUND_FLOOR"))


# --- ECS -------------------------------------------------------------------------------------------------------------


def date(value: Any) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value[:19] + "Z") is not None


def address(value: Any) -> bool:
    return ipaddress.ip_address(value) is not None


def text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def number(value: Any) -> bool:
    return isinstance(value, int) and value >= 0


ECS = {
    "@timestamp": date, "message": text, "ecs.version": text, "event.kind": {"event", "metric"},
    "event.category": {"network"}, "event.type": {"connection", "start", "denied", "end", "info"},
    "event.outcome": {"success", "failure", "unknown"}, "event.action": text, "event.reason": text, "event.id": text,
    "event.sequence": number, "event.start": date, "event.end": date, "event.module": text, "event.dataset": text,
    "event.provider": text, "source.ip": address, "source.address": text, "source.port": number,
    "destination.ip": address, "destination.address": text, "destination.port": number, "related.ip": address,
    "network.protocol": {"ike"}, "network.transport": {"udp", "tcp"}, "network.type": {"ipv4", "ipv6"},
    "rule.id": text, "rule.name": text, "rule.category": {"confirmed", "likely"}, "rule.description": text,
    "rule.ruleset": text, "observer.vendor": text, "observer.product": text, "observer.type": text,
}  # fmt: skip
"""The fields of ECS that are used, and what may stand in them; event.category, event.type and related.ip are lists."""
LISTS = {"event.category", "event.type", "related.ip"}
REQUIRED = {"@timestamp", "ecs.version", "event.kind", "event.category", "event.type", "event.outcome", "message"}
OF_EXCHANGES = {"source.ip", "destination.ip", "event.id", "event.sequence", "event.start", "event.end", "network.type"}


def fields(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from fields(inner, f"{prefix}{key}.")
        else:
            yield prefix + key, inner


def test_documents_are_legal_ecs() -> None:
    seen = set()
    for document in made("ecs"):
        record = document.pop("pcapdiag")
        found = dict(fields(document))
        document["pcapdiag"] = record
        assert found.keys() >= (REQUIRED | OF_EXCHANGES if "exchange" in record else REQUIRED)
        assert found.keys() <= ECS.keys()
        for name, value in found.items():
            assert isinstance(value, list) is (name in LISTS), name
            legal = ECS[name]
            for one in value if name in LISTS else [value]:
                assert one in legal if isinstance(legal, set) else legal(one), (name, one)
        seen |= found.keys()
    assert seen == ECS.keys()


def test_how_it_went_in_ecs() -> None:
    rows = [d for d in made("ecs") if "exchange" in d["pcapdiag"]]
    for row in rows:
        exchange = row["pcapdiag"]["exchange"]
        if exchange["tunnel"]["state"] == "up":
            assert row["event"]["outcome"] == "success"
        if exchange["tunnel"]["state"] in ("down", "lost", "no-child", "one-way"):
            assert row["event"]["outcome"] == "failure"
        assert ("denied" in row["event"]["type"]) is (exchange["outcome"] == "rejected")
        leads = [c["id"] for c in exchange["causes"][:1] if c["status"] in ("confirmed", "likely")]
        assert [row["rule"]["id"]] if "rule" in row else leads == []
    assert {row["event"]["outcome"] for row in rows} == {"success", "failure", "unknown"}
    assert any("rule" in row for row in rows)


# --- OCSF ------------------------------------------------------------------------------------------------------------

CLASSES = {4014: (4, {0: "Unknown", 1: "Open", 2: "Close", 3: "Renew"}), 0: (0, {0: "Unknown"})}
"""Classes that are used, each with its category and its activities; 99 is any other, with a name of its own."""
STATUS = {0: "Unknown", 1: "Success", 2: "Failure"}
SEVERITY = {1: "Informational", 3: "Medium"}
ATTRIBUTES = {
    "activity_id", "activity_name", "app_protocol_name", "category_name", "category_uid", "class_name", "class_uid",
    "connection_info", "dst_endpoint", "message", "metadata", "protocol_name", "session", "severity", "severity_id",
    "src_endpoint", "status", "status_code", "status_detail", "status_id", "time", "type_name", "type_uid", "unmapped",
}  # fmt: skip


def test_events_are_legal_ocsf() -> None:
    for event in made("ocsf"):
        assert event.keys() <= ATTRIBUTES
        category, activities = CLASSES[event["class_uid"]]
        assert event["category_uid"] == category
        assert event["activity_id"] == 99 or event["activity_name"] == activities[event["activity_id"]]
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert event["status"] == STATUS[event["status_id"]]
        assert event["severity"] == SEVERITY[event["severity_id"]]
        assert isinstance(event["time"], int)
        assert event["metadata"]["version"] == "1.8.0"
        assert event["metadata"]["product"]["name"] == "pcapdiag"
        assert text(event["message"])


def test_an_exchange_is_a_tunnel_activity() -> None:
    events = [e for e in made("ocsf") if "exchange" in e["unmapped"]["pcapdiag"]]
    assert {e["class_uid"] for e in events} == {4014}
    assert {e["activity_id"] for e in events} == {1}
    assert {e["status_id"] for e in events} == {0, 1, 2}
    for event in events:
        exchange = event["unmapped"]["pcapdiag"]["exchange"]
        assert event["time"] == int(restored(exchange["first_time"]) * 1000)
        for name, end in (("src_endpoint", "initiator"), ("dst_endpoint", "responder")):
            assert event[name] == {"ip": exchange[end]["address"], "port": exchange[end]["port"]}
        info = event["connection_info"]
        assert info["direction_id"] == 0
        assert (info["protocol_name"], info["protocol_num"]) in (("udp", 17), ("tcp", 6))
        assert info["protocol_ver_id"] == ipaddress.ip_address(exchange["initiator"]["address"]).version
    assert {e["connection_info"]["protocol_ver_id"] for e in events} == {4, 6}


def test_whose_end_is_mine_tells_the_direction() -> None:
    path = CAPTURES / "mm5-psk-mismatch.pcap"
    told = chain(stream_lines(path, local="10.1.0.2")[:1], stream_lines(path, local="10.2.0.2")[:1])
    assert [event["connection_info"]["direction_id"] for event in mapped("ocsf", list(told))] == [2, 1]


def test_what_began_before_the_capture_neither_opens_nor_starts() -> None:
    source = json.loads(lines()[0], parse_float=str) | {"outcome": "partial"}
    (document,), (event,) = mapped("ecs", [json.dumps(source)]), mapped("ocsf", [json.dumps(source)])
    assert document["event"]["type"] == ["connection", "info"]
    assert (event["activity_id"], event["type_uid"]) == (0, 401400)
