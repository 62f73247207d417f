"""Palo Alto: events of the system log in each form, and ikemgr.log."""

import io

import pytest

from pcapdiag.logs.line import LogLine
from pcapdiag.logs.lines import Lines, read
from pcapdiag.logs.log import read_log
from pcapdiag.logs.paloalto import PaloaltoReader
from pcapdiag.logs.stamps import last_stamp
from tests.logs.gateway_samples import ENDS, ikemgr, paloalto, started
from tests.logs.sample import ANSWER, COOKIE, HERE, PEER, ZERO

EVENT, DESCRIPTION = started("responder")
WHOLE = f"{EVENT} gw-hq: {DESCRIPTION}"


def one(text: str) -> LogLine:
    """The line, by whichever reader takes it first."""
    (line,) = read([text.encode()], Lines())
    return line


@pytest.mark.parametrize(
    "text",
    [
        paloalto((EVENT, DESCRIPTION)),
        f"1,2019/11/09 19:53:01,0097,SYSTEM,vpn,0,2019/11/09 19:53:01,,{EVENT},gw-hq,0,0,general,informational,"
        f'"{DESCRIPTION}",182,0x0\n',
        f"2019/11/09 19:53:01 info     vpn            gw-hq  {EVENT} 0  {DESCRIPTION}\n",
        f"Nov  9 19:53:01 fw CEF:0|Palo Alto Networks|PAN-OS|9.0.1|vpn|SYSTEM|3|rt=Nov 09 2019 19:53:01 GMT "
        f"fname=gw-hq msg={DESCRIPTION} externalId=182 cat={EVENT}\n",
    ],
)
def test_an_event_in_each_form(text: str) -> None:
    line = one(text)
    assert (line.platform, line.text) == ("paloalto", WHOLE)
    said = line.said
    assert said.kind is not None
    assert said.kind.id == "paloalto/v2-started"
    assert (said.local, said.local_port, said.peer, said.peer_port) == (HERE, 500, PEER, 500)
    assert (said.initiator_spi.hex(), said.responder_spi.hex()) == (COOKIE, ANSWER)
    assert (said.role, said.connection) == ("responder", "gw-hq")
    stamp = last_stamp(line.when)
    assert stamp is not None
    assert stamp.wall % (86_400 * 10**9) == (19 * 3600 + 53 * 60 + 1) * 10**9


def test_doubled_quotes_and_commas_in_a_description() -> None:
    line = PaloaltoReader().read(1, paloalto(("ike-generic-event", 'it said ""no"", twice, to peer 192.0.2.1')))
    assert line is not None
    assert line.text == 'ike-generic-event gw-hq: it said "no", twice, to peer 192.0.2.1'


@pytest.mark.parametrize(
    "head",
    [
        "2019-11-09 19:53:01 [PROTO_ERR]: ",
        "2019-11-09 19:53:01.123 -0800  [PERR]: {    1:     }: ",
        "2019-11-09 19:53:01 [INFO]: ",
    ],
)
def test_ikemgr(head: str) -> None:
    line = one(f"{head}{HERE}[500] - {PEER}[500]:0x1f0a6d0:received notify type TS_UNACCEPTABLE\n")
    assert line.platform == "paloalto"
    assert line.said.kind is not None
    assert line.said.kind.id == "paloalto/notify-ts"
    assert (line.said.local, line.said.peer) == (HERE, PEER)


def test_the_ends_on_a_line_of_their_own_go_with_the_one_before() -> None:
    text = (
        "2019-11-09 19:53:01 [INFO]: ====> IKEv2 IKE SA NEGOTIATION SUCCEEDED AS INITIATOR <====\n"
        f"====> Established SA: {ENDS} SPI:{COOKIE}:{ANSWER} <====\n"
    )
    line = one(text)
    assert (line.rows, line.said.peer, line.said.role) == (2, PEER, "initiator")
    assert line.said.kind is not None
    assert line.said.kind.id == "paloalto/v2-succeeded"


@pytest.mark.parametrize(
    "text",
    [
        "2019-11-09 19:53:01 [INFO]: the web server is up",
        "2023-01-13 11:39:21 [PROTO_ERR]: ikev1.c:1433:isakmp_ph1resend(): phase1 negotiation failed due to time up",
        "1,2019/11/09 19:53:01,0097,SYSTEM,general,0,2019/11/09 19:53:01,,general,,0,0,general,informational,x",
        "1,2019/11/09 19:53:01,0097,SYSTEM,vpn,0",
        "Nov  9 19:53:01 host openvpn[1]: a vpn is up",
    ],
)
def test_what_is_not_of_it(text: str) -> None:
    assert not PaloaltoReader().takes(text)


def test_a_zero_cookie_of_the_responder_says_where_it_stopped() -> None:
    for mode, state in (("main", "MM_WAIT_MSG2"), ("aggressive", "AM_WAIT_MSG2")):
        text = f"IKE phase-1 negotiation is failed as initiator, {mode} mode. Failed SA: {ENDS} cookie:{COOKIE}:"
        (d,) = read_log(io.BytesIO(paloalto(("x", f"{text}{ZERO} due to timeout.")).encode())).diagnoses
        assert d.states == (state,)
        (d,) = read_log(io.BytesIO(paloalto(("x", f"{text}{ANSWER} due to timeout.")).encode())).diagnoses
        assert d.states == ()


def test_an_event_without_ends_goes_with_its_gateway() -> None:
    other = started("responder")[1].replace(PEER, "203.0.113.9").replace(COOKIE, "1" * 16)
    text = (
        paloalto((EVENT, DESCRIPTION))
        + paloalto((EVENT, other), about="gw-2")
        + paloalto(("ike-generic-event", "no proposal chosen."))
    )
    found = {d.exchange.peer: d.outcome.value for d in read_log(io.BytesIO(text.encode())).diagnoses}
    assert found[PEER] == "rejected"
    assert found["203.0.113.9"] != "rejected"


def test_the_role_in_phase_2_is_not_that_of_phase_1() -> None:
    line = one(ikemgr("IKEv2 child SA negotiation is succeeded as initiator, non-rekey."))
    assert line.said.role == ""
