"""The day of a gateway that benchmarks/gateway_day.py makes: its packets are right, and what is said of it is true."""

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import dpkt
import pytest

from pcapdiag.diagnosis.evidence.nat import nat_view
from pcapdiag.pipeline import Report, analyze

MAKER = Path(__file__).parents[1] / "benchmarks" / "gateway_day.py"


def make(folder: Path, *options: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(MAKER.parent), "PYTHONHASHSEED": str(len(options))}
    subprocess.run([sys.executable, "-P", MAKER, folder, *options], check=True, env=environment, timeout=60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("gateway")
    make(made)
    return made


@pytest.fixture(scope="module")
def truth(folder: Path) -> Any:
    return json.loads((folder / "gateway-day.json").read_text())


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    return analyze(folder / "gateway-day.pcap")


def test_the_same_seed_gives_the_same_octets_and_another_one_others(folder: Path, tmp_path: Path) -> None:
    make(tmp_path / "again", "--seed", "1")
    make(tmp_path / "other", "--seed", "2")
    capture = (folder / "gateway-day.pcap").read_bytes()
    assert len(capture) < 6_000_000
    assert (tmp_path / "again" / "gateway-day.pcap").read_bytes() == capture
    assert (tmp_path / "again" / "gateway-day.json").read_bytes() == (folder / "gateway-day.json").read_bytes()
    assert (tmp_path / "other" / "gateway-day.pcap").read_bytes() != capture


def test_every_checksum_is_right(folder: Path) -> None:
    seen: Counter[str] = Counter()
    first = b""
    with (folder / "gateway-day.pcap").open("rb") as file:
        for _, octets in dpkt.pcap.Reader(file):
            packet = octets[14:]
            assert dpkt.in_cksum(packet[:20]) == 0
            size = int.from_bytes(packet[2:4], "big")
            assert size == len(packet)
            data = packet[20:]
            if packet[9] == 1:
                assert dpkt.in_cksum(data) == 0
                quoted = data[8:]
                assert dpkt.in_cksum(quoted[:20]) == 0
                assert quoted[12:16] == packet[16:20]
                seen["ICMP"] += 1
                continue
            offset = int.from_bytes(packet[6:8], "big") & 0x1FFF
            if packet[6] & 0x20:
                assert offset == 0
                first = data
                continue
            if offset:  # the second of two, right behind the first
                assert 8 * offset == len(first)
                data = first + data
            pseudo = packet[12:20] + b"\0\x11" + data[4:6]
            assert int.from_bytes(data[4:6], "big") == len(data)
            assert dpkt.in_cksum(pseudo + data) == 0
            seen["in two" if offset else "whole"] += 1
    assert seen["whole"] > 10_000
    assert seen["ICMP"] > 200
    assert seen["in two"] > 150


def test_nat_d_hashes_show_nat_where_there_is_nat_and_nowhere_else(report: Report, truth: Any) -> None:
    behind = {t["peer"] for t in truth["tunnels"] if "NAT" in t["kind"]}
    assert len(behind) == 24
    looked = {peer_of(d.exchange, truth) for d in report.diagnoses if nat_view(d.exchange) is not None}
    for diagnosis in report.diagnoses:
        view = nat_view(diagnosis.exchange)
        if view is not None and peer_of(diagnosis.exchange, truth) in behind:
            assert view.initiator is not None
            assert view.initiator.translated
            assert view.responder is not None
            assert not view.responder.translated
        elif view is not None:
            assert view.none
    assert behind < looked
    assert len(looked) == 99  # all tunnels but the one of which message 1 alone was seen


def peer_of(exchange: Any, truth: Any) -> str:
    (peer,) = {exchange.initiator.address, exchange.responder.address} - {truth["gateway"]}
    return str(peer)


def test_what_is_said_of_each_exchange_is_what_was_made(report: Report, truth: Any) -> None:
    assert report.folded == ()
    said = {d.exchange.initiator_spi.hex(): d for d in report.diagnoses}
    assert said.keys() == {made["initiator_spi"] for made in truth["exchanges"]}
    for made in truth["exchanges"]:
        diagnosis = said[made["initiator_spi"]]
        assert peer_of(diagnosis.exchange, truth) == made["peer"]
        assert (diagnosis.stop.before or diagnosis.stop.outcome).value == made["outcome"], made
        first = diagnosis.causes[0].cause.id if diagnosis.causes else None
        assert first in (made["causes"] or [None]), made
        assert abs(diagnosis.exchange.first_time / 1e9 - made["time"]) < 0.1


def test_there_are_a_hundred_tunnels_and_twenty_three_have_trouble(truth: Any) -> None:
    peers = [t["peer"] for t in truth["tunnels"]]
    assert len(set(peers)) == len(peers) == 100
    assert {e["peer"] for e in truth["exchanges"]} == {*peers, "192.0.2.201", "192.0.2.202"}
    troubled = {e["peer"] for e in truth["exchanges"] if e["incident"]} & set(peers)
    assert troubled == {p for i in truth["incidents"] for p in i["peers"]} & set(peers)
    assert len(troubled) == 23


def test_incidents_keep_to_their_times(truth: Any) -> None:
    for incident in truth["incidents"]:
        times = [e["time"] for e in truth["exchanges"] if e["incident"] == incident["id"]]
        assert times
        if incident["id"] != "flapping":  # whose first exchange comes up well
            assert incident["begin"] <= min(times)
        assert max(times) <= incident["end"]
        assert {e["peer"] for e in truth["exchanges"] if e["incident"] == incident["id"]} == set(incident["peers"])


def test_retransmissions_keep_to_the_schedule_that_the_daemons_had(report: Report) -> None:
    repeated = [s for d in report.diagnoses for s in d.exchange.steps if len(s.sent) > 4]
    assert len(repeated) > 500
    for step in repeated:
        gaps = [(b - a) / 1e9 for a, b in pairwise(step.times)]
        assert gaps == pytest.approx([4.0, 7.2, 12.96, 23.3, 42.0][: len(gaps)], rel=0.01)


def test_another_gateway_has_another_day_without_what_is_left_out(folder: Path, truth: Any, tmp_path: Path) -> None:
    make(tmp_path, "--gateway", "198.51.100.2", "--day", "1", "--without", "wrong-key", "flapping", "scanner-a")
    other = json.loads((tmp_path / "gateway-day.json").read_text())
    assert (other["gateway"], other["start"]) == ("198.51.100.2", truth["start"] + 86_400)
    left_out = {i["id"] for i in truth["incidents"]} - {i["id"] for i in other["incidents"]}
    assert left_out == {"wrong-key", "flapping", "scanner-a"}
    assert "192.0.2.201" not in {e["peer"] for e in other["exchanges"]}
    well = [e for e in other["exchanges"] if e["peer"] in ("203.0.113.49", "203.0.113.27")]
    assert well
    assert {e["outcome"] for e in well} == {"completed"}
    found = analyze(tmp_path / "gateway-day.pcap")
    assert all("198.51.100.2" in d.exchange.conversation for d in found.diagnoses)
    assert {f"{int(d.exchange.first_time // 1e9 - other['start']) // 86_400}" for d in found.diagnoses} == {"0"}
