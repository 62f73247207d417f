"""The JSON report: valid, exact, and a contract with who reads it."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.exchange.tracker import MAX_OPENINGS_TOLD
from pcapdiag.knowledge.records import Status
from tests.diagnosis.scenarios import TRUTH, offer
from tests.diagnosis.scenes import SCENES, made
from tests.messages import SECOND, Wire, main_mode
from tests.report.reports import as_json, of_capture, of_items

CAPTURE = {
    "path", "frames", "ike_messages", "icmp_errors", "ip_fragments", "nat_keepalives", "esp", "other", "unreadable",
    "first_time", "last_time", "truncated",
}  # fmt: skip
EXCHANGE = {
    "id", "conversation", "mode", "initiator", "responder", "initiator_spi", "responder_spi", "outcome",
    "last_message", "first_time", "last_time", "initiator_state", "responder_state", "offered", "chosen", "messages",
    "evidence", "causes", "phase2",
}  # fmt: skip
MESSAGE = {
    "name", "from", "frames", "time", "source_port", "destination_port", "length", "payloads", "encrypted", "notifies",
}  # fmt: skip
CAUSE = {"id", "title", "status", "because", "against", "document", "checks"}


def loaded(text: str) -> dict[str, Any]:
    return json.loads(text, parse_float=Decimal)


def _check(found: dict[str, Any]) -> None:
    assert found["schema_version"] == 1
    for capture in found["captures"]:
        assert set(capture) >= CAPTURE
    for exchange in found["exchanges"]:
        assert set(exchange) >= EXCHANGE
        assert exchange["mode"] in ("main", "aggressive", "ikev2", "unknown")
        assert exchange["outcome"] in {o.value for o in Outcome}
        assert re.fullmatch("[0-9a-f]{16}", exchange["initiator_spi"])
        assert exchange["responder_spi"] is None or re.fullmatch("[0-9a-f]{16}", exchange["responder_spi"])
        for end in ("initiator", "responder"):
            assert set(exchange[end]) >= {"address", "port", "vendors"}
            assert isinstance(exchange[f"{end}_state"], list)
        for message in exchange["messages"]:
            assert set(message) >= MESSAGE
            assert message["from"] in ("initiator", "responder")
            assert message["frames"]
        ids = [item["id"] for item in exchange["evidence"]]
        for item in exchange["evidence"]:
            assert set(item) >= {"id", "kind", "text", "frames"}
            assert item["frames"]
        for cause in exchange["causes"]:
            assert set(cause) >= CAUSE
            assert cause["status"] in {s.value for s in Status}
            assert set(cause["because"]) | set(cause["against"]) <= set(ids)
            assert all(set(place) == {"state", "item"} for place in cause["document"])
            if cause["status"] in ("confirmed", "likely", "possible"):
                assert cause["checks"]
                assert all(check["do"] for check in cause["checks"])
        for quick in exchange["phase2"]:
            assert set(quick) >= {"message_id", "outcome", "frames"}


@pytest.mark.parametrize("row", TRUTH, ids=lambda r: r["capture"])
def test_contract_over_captures(row: dict[str, Any]) -> None:
    found = loaded(as_json(of_capture(row["capture"])))
    _check(found)
    assert found["captures"][0]["ike_messages"] == row["ike_messages"]


@pytest.mark.parametrize("name", SCENES)
def test_contract_over_scenes(name: str) -> None:
    _check(loaded(as_json(of_items(*made(name)))))


def test_times_are_decimal_with_nine_digits() -> None:
    for name in ("completed-psk-nanoseconds.pcapng", "mm1-no-reply.pcap"):
        report = of_capture(name)
        text = as_json(report)
        times = re.findall(r'"(?:time|first_time|last_time)":([^,}\]]+)', text)
        assert times
        assert all(re.fullmatch(r"\d+\.\d{9}", time) for time in times)
        first = report.diagnoses[0].exchange.first_time
        assert loaded(text)["exchanges"][0]["first_time"] == Decimal(first).scaleb(-9)


def test_nanoseconds_survive() -> None:
    text = as_json(of_items(Wire().main_mode(1_700_000_000.123456789, 1), 1_700_000_060))
    (exchange,) = loaded(text)["exchanges"]
    assert exchange["first_time"] == exchange["messages"][0]["time"]


def test_times_before_1970_are_numbers_too() -> None:
    items = [replace(item, time=item.time - 2 * SECOND) for item in [Wire().datagram(0.5, main_mode(1))]]
    text = as_json(of_items(items, 60))
    _check(loaded(text))
    assert "ue000" not in text
    assert loaded(text)["exchanges"][0]["first_time"] == Decimal("-1.500000000")


def test_same_input_same_octets() -> None:
    for row in TRUTH:
        assert as_json(of_capture(row["capture"])) == as_json(of_capture(row["capture"]))


def test_it_is_ascii_and_ends_with_a_newline() -> None:
    for row in TRUTH:
        text = as_json(of_capture(row["capture"]))
        assert text.isascii()
        assert text.endswith("}\n")


@pytest.mark.parametrize(
    "path", ['a"b\\c.pcap', "evil\x1b[31m\r\n.pcap", "\u202e\ue0001.000000000.pcap", "\udcff.pcap"]
)
def test_hostile_file_names(path: str) -> None:
    text = as_json(of_items(*made("silence_after_mm1"), path=path))
    assert text.isascii()
    assert "\x1b" not in text
    found = loaded(text)["captures"][0]["path"]
    assert isinstance(found, str)
    assert found == path


def test_hostile_vendor_ids() -> None:
    wire = Wire()
    hostile = [b"\x1b]0;owned\x07" + bytes(4), b'OE-Libreswan-"}]}', bytes(range(256))]
    items = [wire.datagram(0, offer(*[(13, v) for v in hostile])), wire.datagram(0.1, main_mode(2), left=False)]
    text = as_json(of_items(items, 60))
    _check(loaded(text))
    assert "\x1b" not in text


def test_no_exchange() -> None:
    found = loaded(as_json(of_capture("no-ike-arp-only.pcap")))
    assert found["exchanges"] == []
    assert found["captures"][0]["ike_messages"] == 0


def test_folded_exchanges_are_counted_with_their_ends() -> None:
    wire = Wire()
    items = [wire.datagram(n, main_mode(1, (n.to_bytes(8, "big"), bytes(8)))) for n in range(1, MAX_OPENINGS_TOLD + 4)]
    found = loaded(as_json(of_items(items, 10_000)))
    assert len(found["exchanges"]) == MAX_OPENINGS_TOLD
    assert found["dropped"]["evicted_exchanges"] == found["dropped"]["evicted_messages"] == 3
    assert found["folded"] == [
        {
            "initiator": "192.0.2.1", "responder": "198.51.100.2", "mode": "main",
            "last_message": "MM1", "outcome": None,
            "exchanges": 3, "messages": 3, "first_frame": 1, "last_frame": 3,
            "first_time": Decimal("1.000000000"), "last_time": Decimal("3.000000000"),
        }
    ]  # fmt: skip
