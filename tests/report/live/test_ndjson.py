"""What a watch tells programs: one object a line, whatever happened."""

import json
from typing import Any

from pcapdiag.capture.datagram import IcmpError
from pcapdiag.live.events import Event, Evicted, Notice, Unlisted
from pcapdiag.live.session import Watch
from pcapdiag.report.live import ndjson
from tests.live.test_session import quiet, watched
from tests.messages import LEFT, RIGHT, Wire, main_mode


def objects(events: list[Event], messages: bool = True) -> list[dict[str, Any]]:
    text = ndjson.render(events, messages)
    assert text.isascii()
    return [json.loads(line) for line in text.splitlines()]


def test_every_event_has_its_name_and_its_time() -> None:
    wire, watch = Wire(), Watch()
    first = wire.datagram(1.5, main_mode(1))
    events = watched([first, IcmpError(first.frame, first.time, RIGHT, LEFT, 4, 3, 3, None, first)], watch=watch)
    events += quiet(watch, 2, 3)
    events += [Unlisted(7, 3), Evicted(8, 1, 2), Notice(9, "eth0: it went away")]
    found = objects(events)
    assert [e["event"] for e in found] == ["message", "icmp_error", "verdict", "unlisted", "evicted", "notice"]
    message, error, verdict, unlisted, evicted, notice = found
    assert (message["time"], message["sent"], message["duplicate"]) == (1.5, 1, False)
    assert (message["message"]["name"], message["source"], message["destination_port"]) == ("MM1", LEFT, 500)
    assert (error["from"], error["type"], error["code"], error["exchange"]) == (RIGHT, 3, 3, 1)
    assert (verdict["before"], verdict["attempt"], verdict["last"], verdict["settles_at"]) == (None, 1, False, None)
    assert verdict["exchange"]["outcome"] == "stalled"
    assert (unlisted["messages"], evicted["openings"], evicted["exchanges"]) == (3, 1, 2)
    assert notice["text"] == "eth0: it went away"


def test_waiting_says_what_the_schedule_lets_expect() -> None:
    wire, watch = Wire(), Watch()
    watched([wire.datagram(at, main_mode(1)) for at in (0, 4.0, 11.2)], watch=watch)
    (waiting,) = [e for e in objects(quiet(watch, 12, 15)) if e["event"] == "waiting"]
    assert (waiting["missing"], waiting["waits_for"], waiting["repeated"], waiting["sent"]) == (
        "MM2",
        "responder",
        "MM1",
        3,
    )
    assert waiting["due"] == 24.16
    assert waiting["decided_at"] > 24.16
    assert waiting["schedule"].startswith("strongSwan")
    assert not waiting["final"]


def test_quiet_leaves_out_what_is_about_single_messages() -> None:
    wire, watch = Wire(), Watch()
    events = [*watched([wire.datagram(0, main_mode(1))], watch=watch), *quiet(watch, 1, 30)]
    assert [e["event"] for e in objects(events, messages=False)] == ["verdict"]


def test_the_first_line() -> None:
    first = json.loads(ndjson.start(["eth0", "any"], 1_500_000_000))
    assert first == {"event": "start", "time": 1.5, "schema_version": 1, "sources": ["eth0", "any"]}
