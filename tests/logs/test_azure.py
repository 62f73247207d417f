"""Azure's VPN gateways: records as JSON, CSV and bare lines; sessions, cookies and who began."""

import io
import json

import pytest

from pcapdiag.logs.azure import AzureReader
from pcapdiag.logs.line import LogLine
from pcapdiag.logs.lines import Lines, read
from pcapdiag.logs.log import read_log
from pcapdiag.logs.stamps import last_stamp
from tests.logs.gateway_samples import AZURE, BETWEEN, INITIATES, RESPONDS, SESSION, azure, tunnel
from tests.logs.sample import ANSWER, COOKIE, HERE, PEER

MESSAGE = f'SESSION_ID :{{{SESSION}}} {BETWEEN}[SEND][NOTIFY] Sending Notify Message - Policy Mismatch, "so" it says'


def lines(text: str) -> list[LogLine]:
    return list(read([text.encode()], Lines()))


def csv_row(*fields: str) -> str:
    return ",".join('"{}"'.format(field.replace('"', '""')) for field in fields) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"time": "2026-11-27T14:27:29.767Z", "category": "IKEDiagnosticLog",
                    "properties": {"message": MESSAGE}}),
        json.dumps({"TimeGenerated": "2026-11-27T14:27:29.767Z", "Category": "IKEDiagnosticLog", "Message": MESSAGE}),
        csv_row("2026-11-27T14:27:29.767Z", "IKEDiagnosticLog", MESSAGE, "GatewayTenantWorker_IN_0"),
        csv_row("11/27/2026, 2:27:29.767 PM", MESSAGE),
    ],
)  # fmt: skip
def test_a_record_in_each_form(text: str) -> None:
    (line,) = lines(text)
    assert (line.platform, line.text) == ("azure", MESSAGE)
    assert line.said.kind is not None
    assert line.said.kind.id == "azure/policy-mismatch"
    said = line.said
    assert (said.peer, said.peer_port, said.local, said.local_port) == (PEER, 500, HERE, 500)
    assert said.session == SESSION
    stamp = last_stamp(line.when)
    assert stamp is not None
    assert stamp.wall % (86_400 * 10**9) == (14 * 3600 + 27 * 60 + 29) * 10**9 + 767 * 10**6


def test_several_records_of_an_event_hub_in_one_line() -> None:
    records = [
        json.loads(row) for row in azure(*RESPONDS, "[RECEIVED][SA_AUTH] Received IKE AUTH message").splitlines()
    ]
    tally = Lines()
    found = list(read([json.dumps({"records": records}).encode()], tally))
    assert [line.said.told.names for line in found if line.said.told] == [
        ("IKE_SA_INIT request",), ("IKE_SA_INIT response",), ("IKE_AUTH request",),
    ]  # fmt: skip
    assert (tally.number, tally.platforms) == (1, {"azure": 3})


@pytest.mark.parametrize(("messages", "role"), [(INITIATES, "initiator"), (RESPONDS, "responder")])
def test_a_zero_cookie_says_who_began(messages: tuple[str, str], role: str) -> None:
    first, second = lines(azure(*messages))
    for line, name in ((first, "IKE_SA_INIT request"), (second, "IKE_SA_INIT response")):
        assert line.said.role == role
        assert line.said.told is not None
        assert line.said.told.names == (name,)
        assert line.said.initiator_spi.hex() == COOKIE
    assert (first.said.responder_spi, second.said.responder_spi.hex()) == (b"", ANSWER)


def test_without_cookies_the_first_of_a_session_tells_and_without_sessions_only_what_is_sent() -> None:
    first, second = lines(azure("[RECEIVED][SA_INIT]", "[SEND][SA_INIT]"))
    assert (first.said.role, second.said.role) == ("responder", "responder")
    came, sent = lines(f"{BETWEEN}[RECEIVED][SA_INIT]\n{BETWEEN}[SEND][SA_AUTH]\n")
    assert (came.said.role, sent.said.role) == ("", "")
    (line,) = lines(f"{BETWEEN}[SEND][SA_INIT]\n")
    assert line.said.role == "initiator"


def test_sessions_are_exchanges() -> None:
    other = SESSION.replace("8c", "9d")
    text = AZURE[1].text + azure(*INITIATES, session=other).replace(COOKIE, "1" * 16)
    found = read_log(io.BytesIO(text.encode())).diagnoses
    assert [d.exchange.role for d in found] == ["responder", "initiator"]


def test_tunnels_that_come_and_go() -> None:
    rows = csv_row("2026-11-27T14:27:29.767Z", "TunnelConnected", PEER)
    for text in (tunnel("TunnelConnected"), rows):
        (line,) = lines(text)
        assert line.said.kind is not None
        assert line.said.kind.id == "azure/connected"
    (line,) = lines(tunnel("TunnelDisconnected"))
    assert line.said.peer == PEER


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(
            {"time": "2026-11-27T14:27:29Z", "category": "GatewayDiagnosticLog", "properties": {"message": "x"}}
        ),
        json.dumps({"category": "AuditEvent", "message": "SESSION"}),
        '{"category": "IKEDiagnosticLog"}',
        "Error: something of another program",
        "TimeGenerated [UTC],Category,Message",
    ],
)
def test_what_is_none_of_its_records(text: str) -> None:
    assert not AzureReader().takes(text)
