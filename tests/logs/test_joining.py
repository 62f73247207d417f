"""Logs beside captures: every line about a message at its frame, clocks and zones derived, nothing joined by hope."""

import io
import json
from pathlib import Path
from time import gmtime, strftime

import pytest
from click.testing import CliRunner

import pcapdiag
from pcapdiag.cli.main import main
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Side, Sighting, Step
from pcapdiag.logs.joining import JoinedLog, join_log

ROOT = Path(__file__).parents[2]
CAPTURES = ROOT / "captures"
LAB = ROOT.parent / "shared" / "captures" / "lab2"
RUNS = sorted(path.name for path in LAB.iterdir() if (path / "left.log").exists()) if LAB.is_dir() else []
HOUR = 3600 * 10**9
ASA_NAMES = {"VID": "VENDOR (13)", "SA": "SA (1)", "KE": "KE (4)", "NONCE": "NONCE (10)", "N": "NOTIFY (11)"}


def sent(diagnoses: tuple[Diagnosis, ...]) -> list[tuple[Diagnosis, Step, Sighting]]:
    rows = [(d, step, one) for d in diagnoses for step in d.exchange.steps for one in step.sent]
    return sorted(rows, key=lambda row: row[2].time)


def asa_log(diagnoses: tuple[Diagnosis, ...], side: Side, shift: int = 0, year: bool = False) -> str:
    """The log of an ASA at that end: whole seconds, no zone, no year, no cookies."""
    rows = []
    for d, step, one in sent(diagnoses):
        if step.number is None:
            continue
        form = "%b %d %Y %H:%M:%S" if year else "%b %d %H:%M:%S"
        when = strftime(form, gmtime((one.time + shift) // 10**9))
        peer = d.exchange.peer(side.other).address
        verb = "RECEIVED" if step.sender is not side else "SENDING" if one is step.first else "RESENDING"
        if step.encrypted:
            payloads = "ID (5) + HASH (8)"
        else:
            payloads = " + ".join(ASA_NAMES.get(p.type.label, "VENDOR (13)") for p in step.payloads)
        length = step.message.header.length
        rows.append(
            f"{when} [IKEv1]: IP = {peer}, IKE_DECODE {verb} Message (msgid=0) with payloads : HDR + {payloads} + "
            f"NONE (0) total length : {length}\n"
        )
    return "".join(rows)


def fortigate_log(diagnoses: tuple[Diagnosis, ...], side: Side, shift: int = 0) -> str:
    """The debug of a FortiGate at that end: whole messages."""
    rows = []
    for _, step, one in sent(diagnoses):
        time = one.time + shift
        when = f"{strftime('%Y-%m-%d %H:%M:%S', gmtime(time // 10**9))}.{time % 10**9 // 1000:06d}"
        verb = "out" if step.sender is side else "in"
        rows.append(f"{when} ike 0: {verb} {step.message.octets.hex().upper()}\n")
    return "".join(rows)


def joined(log: str, diagnoses: tuple[Diagnosis, ...], **how: object) -> tuple[JoinedLog, tuple[Diagnosis, ...]]:
    return join_log(io.BytesIO(log.encode()), diagnoses, name="end.log", **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("capture", ["mm5-psk-mismatch.pcap", "completed-psk.pcap", "mm4-lost-initiator-side.pcap"])
@pytest.mark.parametrize("hours", [0, 2, -5, 5.75])
def test_an_asa_beside_a_capture(capture: str, hours: float) -> None:
    diagnoses = pcapdiag.analyze(CAPTURES / capture).diagnoses
    text = asa_log(diagnoses, Side.INITIATOR, round(hours * HOUR) + 1_300_000_000)
    log, _ = joined(text, diagnoses)
    assert log.problem == ""
    assert len(log.joined) == log.telling == text.count("\n")
    assert log.address == diagnoses[0].exchange.initiator.address
    assert log.clock is not None
    assert log.clock.zone == hours * 3600
    assert log.clock.low <= -round(hours * HOUR) - 1_300_000_000 <= log.clock.high
    rows = [(step.name, one.frame) for _, step, one in sent(diagnoses) if step.number is not None]
    assert [(line.name, line.frame) for line in log.joined] == rows
    assert {line.how for line in log.joined} == {"near"}


def test_octets_join_exactly_whatever_the_clock_shows() -> None:
    diagnoses = pcapdiag.analyze(CAPTURES / "mm5-psk-mismatch.pcap").diagnoses
    for shift in (0, 3 * HOUR, 400 * 24 * HOUR):
        log, _ = joined(fortigate_log(diagnoses, Side.RESPONDER, shift), diagnoses, at="10.2.0.2")
        assert len(log.joined) == log.telling == len(sent(diagnoses))
        assert {line.how for line in log.joined} == {"exact"}
        assert [line.frame for line in log.joined] == [one.frame for _, _, one in sent(diagnoses)]


@pytest.mark.parametrize("days", [1, -1, 30])
def test_a_log_of_another_day_is_not_joined(days: int) -> None:
    diagnoses = pcapdiag.analyze(CAPTURES / "mm5-psk-mismatch.pcap").diagnoses
    log, after = joined(asa_log(diagnoses, Side.INITIATOR, days * 24 * HOUR, year=True), diagnoses)
    assert log.joined == ()
    assert "of another time" in log.problem
    assert "nothing is joined" in log.problem
    assert after == diagnoses


def test_a_log_of_another_hour_is_no_zone() -> None:
    diagnoses = pcapdiag.analyze(CAPTURES / "mm5-psk-mismatch.pcap").diagnoses
    log, _ = joined(asa_log(diagnoses, Side.INITIATOR, HOUR + 420 * 10**9), diagnoses)
    assert log.joined == ()
    assert "of another time" in log.problem


def test_a_log_of_somebody_else() -> None:
    diagnoses = pcapdiag.analyze(CAPTURES / "mm5-psk-mismatch.pcap").diagnoses
    text = asa_log(diagnoses, Side.INITIATOR).replace("10.2.0.2", "203.0.113.9")
    log, after = joined(text, diagnoses)
    assert (log.joined, log.address, after) == ((), "", diagnoses)
    assert "none of the ends" in log.problem
    assert joined("hello\n", diagnoses)[0].problem


@pytest.mark.parametrize(
    ("said", "platform"), [(None, "asa"), ("responder=fortigate", "asa"), ("initiator=fortigate", "fortigate")]
)
def test_a_log_tells_what_its_end_is_where_the_user_does_not(said: str | None, platform: str) -> None:
    diagnoses = pcapdiag.analyze(CAPTURES / "mm5-psk-mismatch.pcap", platforms=[said] if said else ()).diagnoses
    _, (found, *_) = joined(asa_log(diagnoses, Side.INITIATOR), diagnoses)
    assert found.platform(Side.INITIATOR).possible == (platform,)
    assert found.platform(Side.INITIATOR).certain


def test_the_end_that_knows_confirms() -> None:
    diagnoses = pcapdiag.analyze(CAPTURES / "mm1-no-proposal-chosen.pcap").diagnoses
    assert diagnoses[0].causes[0].status.value == "likely"
    text = asa_log(diagnoses, Side.RESPONDER)
    when = text[:15]
    peer = diagnoses[0].exchange.initiator.address
    text += f"{when} [IKEv1]: IP = {peer}, All SA proposals found unacceptable\n"
    log, (found, *_) = joined(text, diagnoses, at=diagnoses[0].exchange.responder.address)
    assert log.joined
    cause = found.causes[0]
    assert (cause.cause.id, cause.status.value) == ("phase1-policy-mismatch", "confirmed")
    item = next(i for i in found.evidence if i.source == "log")
    assert item.id in cause.because
    number = text.count("\n")
    assert item.lines == (f"end.log:{number}",)
    assert f"[end.log:{number}: “" in item.text
    assert item.frames


def test_log_and_wire_contradict() -> None:
    diagnoses = pcapdiag.analyze(CAPTURES / "mm5-psk-mismatch.pcap").diagnoses
    text = asa_log(diagnoses, Side.INITIATOR)
    text += f"{text.splitlines()[-1][:15]} [IKEv1]: Group = 10.2.0.2, IP = 10.2.0.2, PHASE 1 COMPLETED\n"
    _, (found, *_) = joined(text, diagnoses)
    assert any(item.kind == "log-contradicts" for item in found.evidence)
    assert found.stop == diagnoses[0].stop


@pytest.mark.parametrize("end", ["left", "right"])
@pytest.mark.parametrize("run", RUNS)
def test_the_lab(run: str, end: str) -> None:
    """Real logs at both ends: a line about a message stands at a frame of that message, milliseconds away."""
    report = pcapdiag.analyze(LAB / run / f"{end}.pcap")
    log, _ = join_log(LAB / run / f"{end}.log", report.diagnoses)
    assert log.problem == ""
    assert log.clock is not None
    assert log.clock.zone == 0
    assert len(log.joined) >= 0.75 * log.telling
    names = {
        (d.exchange.id, frame): step.name
        for d in report.diagnoses
        for step in d.exchange.steps
        for one in step.sent
        for frame in one.frames
    }
    for line in log.joined:
        assert names[line.exchange, line.frame] == line.name
        assert line.apart is None or abs(line.apart) < 50_000_000


def stamped(diagnosis: Diagnosis, text: str, after: int = 1, shift: int = 0) -> str:
    """A line of kmd, seconds after the last message."""
    last = max(one.time for step in diagnosis.exchange.steps for one in step.sent)
    when = strftime("%Y-%m-%dT%H:%M:%S", gmtime((last + shift) // 10**9 + after))
    return f"<27>1 {when}.000Z gw kmd 9812 - - {text}\n"


def kmd_tail(here: str, peer: str, role: str) -> str:
    return (
        f". IKE Version: 2, VPN: v Gateway: g, Local: {here}/500, Remote: {peer}/500, Local IKE-ID: {here}, Remote "
        f"IKE-ID: {peer}, VR-ID: 0, Role: {role}"
    )


REFUSED = "ikev2-authentication-failed.pcap"
FAILED = "IKE negotiation failed with error: Authentication failed"


def azure_log(diagnoses: tuple[Diagnosis, ...], side: Side, shift: int = 0) -> str:
    """IKEDiagnosticLog at that end, with the cookies of IKE_SA_INIT."""
    rows = []
    for d, step, one in sent(diagnoses):
        tag = {"IKE_SA_INIT": "SA_INIT", "IKE_AUTH": "SA_AUTH"}.get(step.name.split()[0])
        if tag is None:
            continue
        here, there = d.exchange.peer(side).address, d.exchange.peer(side.other).address
        header = step.message.header
        cookies = f" iCookie 0x{header.initiator_spi.hex()} rCookie 0x{header.responder_spi.hex()}"
        message = (
            f"SESSION_ID :{{8cb5875d-4c80-434b-8702-d78ac5b3{d.exchange.id:04x}}} Remote {there}:500: Local "
            f"{here}:500: [{'SEND' if step.sender is side else 'RECEIVED'}][{tag}]{cookies if tag == 'SA_INIT' else ''}"
        )
        time = one.time + shift
        when = f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(time // 10**9))}.{time % 10**9 // 10**6:03d}Z"
        record = {"time": when, "category": "IKEDiagnosticLog", "properties": {"message": message}}
        rows.append(json.dumps(record) + "\n")
    return "".join(rows)


@pytest.mark.parametrize("side", [Side.INITIATOR, Side.RESPONDER])
@pytest.mark.parametrize("capture", [REFUSED, "ikev2-completed.pcap"])
def test_an_azure_gateway_beside_a_capture(capture: str, side: Side) -> None:
    diagnoses = pcapdiag.analyze(CAPTURES / capture).diagnoses
    text = azure_log(diagnoses, side)
    log, _ = joined(text, diagnoses)
    assert log.problem == ""
    assert log.address == diagnoses[0].exchange.peer(side).address
    assert len(log.joined) == log.telling == text.count("\n")
    rows = [(step.name, one.frame) for _, step, one in sent(diagnoses) if step.name.startswith("IKE_")]
    assert [(line.name, line.frame) for line in log.joined] == rows
    assert "exact" in {line.how for line in log.joined}


def test_what_azure_knows_beside_a_capture() -> None:
    diagnoses = pcapdiag.analyze(CAPTURES / "ikev2-esp-proposal-refused.pcap").diagnoses
    text = azure_log(diagnoses, Side.RESPONDER) + "IkeCleanupQMNegotiation called with error 13868 and flags a\n"
    _, (found, *_) = joined(text, diagnoses)
    assert (found.causes[0].cause.id, found.causes[0].status.value) == ("phase2-proposal-mismatch", "confirmed")


@pytest.mark.parametrize(("side", "role"), [(Side.INITIATOR, "Initiator"), (Side.RESPONDER, "Responder")])
def test_a_log_of_outcomes_meets_the_exchange_of_its_ends_and_time(side: Side, role: str) -> None:
    diagnoses = pcapdiag.analyze(CAPTURES / REFUSED).diagnoses
    e = diagnoses[0].exchange
    here, peer = e.peer(side).address, e.peer(side.other).address
    log, (found, *_) = joined(stamped(diagnoses[0], FAILED + kmd_tail(here, peer, role)), diagnoses)
    assert (log.problem, log.address, log.joined) == ("", here, ())
    assert [exchange for _, exchange in log.diagnoses] == [e.id]
    item = next(item for item in found.evidence if item.source == "log")
    assert item.lines == ("end.log:1",)
    assert item.frames
    assert item.id in next(cause for cause in found.causes if cause.cause.id == "psk-mismatch").because
    assert found.platform(side).possible == ("juniper",)


@pytest.mark.parametrize(
    ("after", "shift", "role", "other"),
    [
        (900, 0, "Responder", ""),  # too late, in a zone that the stamp names
        (1, 30 * 24 * HOUR, "Responder", ""),  # another day
        (1, 0, "Initiator", ""),  # this end did not begin
        (1, 0, "Responder", "203.0.113.9"),  # another peer
    ],
)
def test_a_log_of_outcomes_of_something_else_is_not_joined(after: int, shift: int, role: str, other: str) -> None:
    diagnoses = pcapdiag.analyze(CAPTURES / REFUSED).diagnoses
    e = diagnoses[0].exchange
    here, peer = e.responder.address, other or e.initiator.address
    text = stamped(diagnoses[0], FAILED + kmd_tail(here, peer, role), after, shift)
    log, unchanged = joined(text, diagnoses)
    assert "none of its lines is about a message" in log.problem
    assert unchanged == diagnoses


def test_of_two_exchanges_that_fit_neither_is_taken_and_cookies_single_one_out() -> None:
    diagnoses = pcapdiag.analyze(CAPTURES / "ikev2-completed.pcap").diagnoses
    assert len(diagnoses) == 2
    e = diagnoses[1].exchange
    here, peer = e.responder.address, e.initiator.address
    done = "IKE negotiation successfully completed" + kmd_tail(here, peer, "Responder")
    log, _ = joined(stamped(diagnoses[1], done), diagnoses)
    assert log.problem
    event = (
        "1,2026/11/23 10:00:00,0097,SYSTEM,vpn,0,2026/11/23 10:00:00,,ikev2-nego-ike-succ,gw,0,0,general,informational,"
        f'"IKEv2 IKE SA negotiation is succeeded as responder, non-rekey. Established SA: {here}[500]-{peer}[500] '
        f'SPI:{e.initiator_spi.hex()}:{e.responder_spi.hex()} lifetime 28800 Sec.",18249042,0x0\n'
    )
    log, _ = joined(event, diagnoses)
    assert (log.problem, log.address) == ("", here)
    assert [exchange for _, exchange in log.diagnoses] == [e.id]


def test_what_an_aws_tunnel_knows_beside_a_capture() -> None:
    diagnoses = pcapdiag.analyze(CAPTURES / REFUSED).diagnoses
    e = diagnoses[0].exchange
    last = max(one.time for step in e.steps for one in step.sent)
    record = {
        "event_timestamp": last // 10**9 + 1,
        "details": f"AWS tunnel detected a pre-shared key mismatch with cgw: {e.initiator.address}",
        "ike_phase1_state": "down",
        "ike_phase2_state": "down",
    }
    log, (found, *_) = joined(json.dumps(record), diagnoses)
    assert log.address == e.responder.address
    assert (found.causes[0].cause.id, found.causes[0].status.value) == ("psk-mismatch", "confirmed")
    assert "end.log:1" in next(item for item in found.evidence if item.source == "log").text


def run_cli(*arguments: str) -> object:
    return CliRunner().invoke(main, ["analyze", *arguments])


def test_the_command(tmp_path: Path) -> None:
    capture = CAPTURES / "mm5-psk-mismatch.pcap"
    diagnoses = pcapdiag.analyze(capture).diagnoses
    path = tmp_path / "asa.log"
    path.write_text(asa_log(diagnoses, Side.INITIATOR, 2 * HOUR))
    result = CliRunner().invoke(main, ["analyze", str(capture), "--log", str(path)])
    assert result.exit_code == 1
    assert "━━ asa.log, the log of 10.1.0.2 ━" in result.stdout
    assert "Its clock shows UTC+02:00 (derived)" in result.stdout
    found = json.loads(CliRunner().invoke(main, ["analyze", "--json", str(capture), "--log", str(path)]).stdout)
    (log,) = found["logs"]
    assert log["clock"]["zone"] == 7200
    assert [line["line"] for line in log["joined"]] == list(range(1, log["telling"] + 1))
    for zone, shown in (("+02:00", "(given)"), ("Europe/Helsinki", "(given)")):
        result = CliRunner().invoke(main, ["analyze", str(capture), "--log", str(path), "--log-tz", zone])
        assert shown in result.stdout, result.output
    wrong = CliRunner().invoke(main, ["analyze", str(capture), "--log", str(path), "--log-tz", "UTC"])
    assert "of another time" in wrong.stderr
    for bad in (
        ["--log-tz", "Mars/Olympus"],
        ["--log-at", "203.0.113.1"],
        ["--log-at", "10.1.0.2", "--log-at", "10.2.0.2"],
    ):
        assert CliRunner().invoke(main, ["analyze", str(capture), "--log", str(path), *bad]).exit_code == 2
    absent = CliRunner().invoke(main, ["analyze", str(capture), "--log", str(tmp_path / "absent")])
    assert absent.exit_code == 3


def test_a_log_of_outcomes_beside_a_capture() -> None:
    log = str(CAPTURES.parent / "docs" / "samples" / "srx.log")

    def shown(name: str) -> str:
        return " ".join(CliRunner().invoke(main, ["analyze", str(CAPTURES / name), "--log", log]).stdout.split())

    own, other = shown("ikev2-networks-refused.pcap"), shown("mm5-psk-mismatch.pcap")
    assert "confirmed The networks of the two ends do not mirror each other" in own
    assert own.endswith("It tells of no messages; what it says of an exchange stands with that exchange.")
    assert "srx.log:2" not in other, "IKEv1, of the same ends in the same minute"
    assert "mirror each other" not in other
