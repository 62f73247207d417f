"""AWS Site-to-Site VPN: records as CloudWatch, CSV and the command line have them."""

import io
import json

import pytest

from pcapdiag.logs.aws import AwsReader
from pcapdiag.logs.line import LogLine
from pcapdiag.logs.log import read_log
from pcapdiag.logs.stamps import last_stamp
from tests.logs.gateway_samples import AWS, aws
from tests.logs.sample import PEER

PSK = f"AWS tunnel detected a pre-shared key mismatch with cgw: {PEER}"
STREAM = "vpn-id-0abc1234def567890-198.51.100.2-CGW1"


def read(text: str) -> LogLine:
    line = AwsReader().read(1, text)
    assert line is not None
    return line


@pytest.mark.parametrize("before", ["", f"2022-09-01T15:12:11+00:00 {STREAM} "])
def test_a_record_however_it_was_fetched(before: str) -> None:
    (plain,) = aws((PSK, "Down", "down")).splitlines()
    quoted = plain.replace('"', '""')
    escaped = json.dumps(plain)[1:-1]
    for text in (plain, f'2022-09-01 15:12:11.000,"{quoted}"', f'"message": "{escaped}",'):
        line = read(f"{before}{text}")
        assert line.said.kind is not None
        assert line.said.kind.id == "aws/psk"
        assert line.said.peer == PEER
        assert line.text == f"{PSK} [ike_phase1_state: down, ike_phase2_state: down]"
        stamp = last_stamp(line.when)
        assert stamp is not None
        assert (stamp.text, stamp.zone) == ("2022-09-01T15:12:11.000Z".replace("T", " ").replace("11", "10"), 0)


def test_the_stream_has_the_connection_and_the_tunnel() -> None:
    line = read(f"{STREAM} {aws(('AWS tunnel received DELETE for IKE_SA from CGW', 'down', 'down'))}")
    assert (line.said.connection, line.said.local) == ("vpn-0abc1234def567890", "198.51.100.2")


def test_an_epoch_is_in_utc() -> None:
    record = {"event_timestamp": 1662045131, "details": PSK, "ike_phase1_state": "down", "ike_phase2_state": "down"}
    stamp = last_stamp(read(json.dumps(record)).when)
    assert stamp is not None
    assert (stamp.text, stamp.zone) == ("2022-09-01T15:12:11Z", 0)


@pytest.mark.parametrize(
    ("details", "one", "kind"),
    [
        ("No Proposal Match Found by AWS", "down", "no-proposal"),
        ("No Proposal Match Found by AWS", "established", "no-proposal-phase2"),
        ('No Proposal Match Found. Notifying with "No proposal chosen"', "negotiating", "notifying"),
        ('No Proposal Match Found. Notifying with "No proposal chosen"', "established", "notifying-phase2"),
        ("AWS tunnel is doing what nobody wrote down", "established", "states-up"),
        ("AWS tunnel is doing what nobody wrote down", "down", "states"),
        ("AWS tunnel DPD timed out after 3 retransmits", "established", "dead-v2"),
    ],
)
def test_the_states_say_which_phase_it_is(details: str, one: str, kind: str) -> None:
    (text,) = aws((details, one, "established" if kind in ("states-up", "dead-v2") else "down")).splitlines()
    found = read(text).said.kind
    assert found is not None
    assert found.id == f"aws/{kind}"


@pytest.mark.parametrize(
    ("details", "direction", "name"),
    [
        ("AWS tunnel processed request (id=7) for CREATE_CHILD_SA", "received", "CREATE_CHILD_SA request"),
        ("AWS tunnel is sending response (id=7) for CREATE_CHILD_SA", "sent", "CREATE_CHILD_SA response"),
        ("AWS tunnel is sending request (id=7) for CREATE_CHILD_SA", "sent", "CREATE_CHILD_SA request"),
        ("AWS tunnel processed response (id=7) for CREATE_CHILD_SA", "received", "CREATE_CHILD_SA response"),
    ],
)
def test_messages(details: str, direction: str, name: str) -> None:
    (text,) = aws((details, "established", "established")).splitlines()
    said = read(text).said
    assert said.told is not None
    assert (said.told.direction, said.told.names, said.message_id) == (direction, (name,), 7)


def test_records_of_bgp_are_none_of_these() -> None:
    record = {"resource_id": "vpn-0abc1234def567890", "type": "BGPStatus", "status": "DOWN", "message": "x"}
    assert not AwsReader().takes(json.dumps(record))


def test_two_tunnels_in_one_log_are_two() -> None:
    other = "203.0.113.9"
    text = AWS[1].text + AWS[1].text.replace(PEER, other)
    assert [d.exchange.peer for d in read_log(io.BytesIO(text.encode())).diagnoses] == [PEER, other]
