"""Juniper SRX: syslog in both forms, structured data, the trace; ends, VPN and who began."""

import io

import pytest

from pcapdiag.logs.juniper import JuniperReader
from pcapdiag.logs.line import LogLine
from pcapdiag.logs.lines import Lines, read
from pcapdiag.logs.log import read_log
from pcapdiag.logs.stamps import last_stamp
from tests.logs.gateway_samples import DONE, FAILED, JUNIPER, tail
from tests.logs.sample import HERE, PEER

TIMED_OUT = f"{FAILED}Timed out{tail(1)}"


def one(text: str) -> LogLine:
    """The line, by whichever reader takes it first."""
    (line,) = read([text.encode()], Lines())
    return line


@pytest.mark.parametrize(
    ("head", "wall"),
    [
        ("Aug  3 10:18:44  srx1 kmd[14162]: ", "Aug  3 10:18:44"),
        ("Aug  3 10:18:44 srx1 (FPC Slot 0, PIC Slot 1) SPC0_PIC1 kmd[377]: ", "Aug  3 10:18:44"),
        ("Aug  3 10:18:44 srx1 iked[377]: ", "Aug  3 10:18:44"),
        ("<27>1 2023-07-04T12:22:36.461+10:00 gw kmd 9812 - - ", "2023-07-04T12:22:36.461+10:00"),
        ("<27>1 2023-05-04T15:19:33.984+10:00 gw kmd 9159 asd2 - ", "2023-05-04T15:19:33.984+10:00"),
        ("<27>1 2023-05-04T15:19:33.984+10:00 gw iked 9159 - - ", "2023-05-04T15:19:33.984+10:00"),
    ],
)
def test_heads(head: str, wall: str) -> None:
    line = one(f"{head}{TIMED_OUT}\n")
    assert (line.platform, line.text) == ("juniper", TIMED_OUT)
    stamp = last_stamp(line.when)
    assert stamp is not None
    assert stamp.text == wall
    said = line.said
    assert (said.local, said.local_port, said.peer, said.peer_port) == (HERE, 500, PEER, 500)
    assert (said.role, said.connection) == ("initiator", "vpn-1")


def test_structured_data_has_both_ends() -> None:
    line = one(
        "<30>1 2023-05-04T15:27:30.846+10:00 gw kmd 8961 KMD_PM_SA_ESTABLISHED [junos@2636.1.1.1.2.39 "
        f'local-address="{HERE}" remote-address="{PEER}" local-initiator="ipv4({HERE})" argument1="outbound"] \n'
    )
    assert line.said.kind is not None
    assert line.said.kind.id == "juniper/sa-established"
    assert (line.said.local, line.said.peer) == (HERE, PEER)


@pytest.mark.parametrize(
    ("text", "kind", "peer"),
    [
        (f"Phase-1 [responder] done for local=ipv4(udp:500,[0..3]={HERE}) remote=ipv4(udp:500,[0..3]={PEER})",
         "phase1-done", PEER),
        (f"KMD_VPN_PV_PHASE2: IKE Phase-2 Failure: Quick mode - no proposal [spi=0x0, src_ip={HERE}, dst_ip={PEER}]",
         "phase2-failure", PEER),
        (f"KMD_VPN_DOWN_ALARM_USER: VPN v from {PEER} is down. Local-ip: {HERE}, gateway name: g, vpn name: v, Reason: "
         "Tunnel configuration is deleted. Corresponding IKE/IPSec SAs are deleted", "down-configuration", PEER),
        (f"{FAILED}SA unusable{tail()}", "sa-unusable", PEER),
        (f"{FAILED}Something new{tail()}", "failed", PEER),
    ],
)  # fmt: skip
def test_what_lines_say(text: str, kind: str, peer: str) -> None:
    said = one(f"Aug  3 10:18:44 srx1 kmd[1]: {text}\n").said
    assert said.kind is not None
    assert (said.kind.id, said.peer) == (f"juniper/{kind}", peer)


@pytest.mark.parametrize("version", [1, 2])
def test_the_version_of_ike_is_told(version: int) -> None:
    text = f"Aug  3 10:18:44 srx1 kmd[1]: {FAILED}Timed out{tail(version)}\n"
    (d,) = read_log(io.BytesIO(text.encode())).diagnoses
    assert d.exchange.mode == ("ikev2" if version == 2 else "unknown")


@pytest.mark.parametrize(
    "text",
    [
        "<158>1 2023-05-04T15:21:01.102+10:00 gw kernel - - - FW: gr-0/0/0.14 A udp 127.0.0.1 192.0.2.1 1 1",
        "<30>1 2023-05-09T23:03:52.466+10:00 gw mib2d 8956 SNMP_TRAP_LINK_UP [junos@2636 interface-name=\"st0.60\"]",
        "Jan  1 00:00:00 host kmdshell[1]: hello",
        "a <-> b",
    ],
)  # fmt: skip
def test_what_is_not_of_ike(text: str) -> None:
    assert not JuniperReader().takes(text)


def test_each_try_is_an_exchange() -> None:
    rows = [f"Aug  3 10:{minute}:01 srx1 kmd[1]: {TIMED_OUT}\n" for minute in (10, 15, 20)]
    report = read_log(io.BytesIO("".join(rows).encode()))
    assert [d.outcome.value for d in report.diagnoses] == ["stalled"] * 3


def test_two_peers_in_one_log_are_two() -> None:
    text = JUNIPER[1].text + JUNIPER[1].text.replace(PEER, "203.0.113.9") + f"Aug  3 10:19:44 srx1 kmd[1]: {DONE}\n"
    found = read_log(io.BytesIO(text.encode())).diagnoses
    assert {d.exchange.peer for d in found} == {PEER, "203.0.113.9"}
