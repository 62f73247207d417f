"""One line by itself: the message of the exchange that it is about, and what that leaves this end in."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from pcapdiag.cli.main import main
from pcapdiag.knowledge.loading import load
from pcapdiag.knowledge.log_lines import LineKind
from pcapdiag.logs.explaining import decode, distinctive, entries
from pcapdiag.logs.lines import Lines, read
from tests.logs.sample import PEER
from tests.logs.samples import SAMPLES
from tests.logs.samples import decode as decoded_line

DOCUMENT = Path(__file__).parents[2].parent / "shared" / "seeds"


@pytest.mark.parametrize(
    ("line", "names", "states"),
    [
        (decoded_line("SENDING", "SA (1) + VENDOR (13)", 168), ["MM1", "MM2"], ["MM_WAIT_MSG2", "MM_WAIT_MSG3"]),
        (decoded_line("RECEIVED", "SA (1) + VENDOR (13)", 117), ["MM1", "MM2"], []),
        (decoded_line("SENDING", "KE (4) + NONCE (10)", 256), ["MM3", "MM4"], ["MM_WAIT_MSG4", "MM_WAIT_MSG5"]),
        (decoded_line("SENDING", "ID (5) + HASH (8)", 84), ["MM5", "MM6"], ["MM_WAIT_MSG6", "MM_ACTIVE"]),
        (decoded_line("RECEIVED", "NOTIFY (11)", 56, "ce4a3ffe"), ["Informational"], []),
        (
            decoded_line("SENDING", "HASH (8) + SA (1) + NONCE (10)", 200, "6abd3691"),
            ["QM1", "QM2"],
            [],
        ),
        (decoded_line("SENDING", "SA (1) + KE (4) + NONCE (10) + ID (5)", 400), ["AM1"], ["AM_WAIT_MSG2"]),
        (decoded_line("SENDING", "HASH (8) + ATTR (14)", 70, "1234"), ["Transaction"], []),
    ],
)
def test_what_an_asa_decodes(line: str, names: list[str], states: list[str]) -> None:
    found = decode(f"Apr 01 11:38:52 [IKEv1]: IP = {PEER}, {line}")
    assert found is not None
    assert [name for name, _ in found.readings] == names
    assert list(found.states) == states


@pytest.mark.parametrize(
    ("line", "name", "states", "role"),
    [
        ("16[ENC] parsed QUICK_MODE request 316948142 [ HASH SA No ID ID ]", "QM1", (), ""),
        ("16[ENC] generating ID_PROT request 0 [ SA V V V ]", "MM1", ("MM_WAIT_MSG2",), "initiator"),
        ("16[ENC] generating ID_PROT response 0 [ KE No NAT-D NAT-D ]", "MM4", ("MM_WAIT_MSG5",), "responder"),
        ("16[ENC] parsed ID_PROT response 0 [ ID HASH ]", "MM6", ("MM_ACTIVE",), "initiator"),
        ("16[ENC] generating IKE_AUTH response 1 [ N(AUTH_FAILED) ]", "IKE_AUTH response", (), "responder"),
        (f"ISAKMP:(0): sending packet to {PEER} my_port 500 peer_port 500 (I) MM_SA_SETUP",
         "MM3", ("MM_WAIT_MSG4",), "initiator"),
        (f"ISAKMP (0): received packet from {PEER} dport 500 sport 500 Global (R) MM_NO_STATE", "MM1", (), "responder"),
        ('"branch" #1: STATE_MAIN_I3: sent MI3, expecting MR3', "MM5", ("MM_WAIT_MSG6",), "initiator"),
        ("spi=0x60e4660a4071c32a: send IKE_SA_INIT req 0 peer 192.0.2.1:500 local 198.51.100.2:500, 462 bytes",
         "IKE_SA_INIT request", (), "initiator"),
        ("ike 0:branch:7: sent IKE msg (ident_i2send): 198.51.100.2:500->192.0.2.1:500, len=396",
         "MM3", ("MM_WAIT_MSG4",), "initiator"),
    ],
)  # fmt: skip
def test_other_formats(line: str, name: str, states: tuple[str, ...], role: str) -> None:
    found = decode(line)
    assert found is not None
    assert [reading for reading, _ in found.readings] == [name]
    assert found.states == states
    assert found.role == role


@pytest.mark.parametrize("topic", ["MM_KEY_EXCH", "mm key exch", f"{PEER}  198.51.100.2  MM_KEY_EXCH  1002 ACTIVE"])
def test_a_state_of_ios_has_both_ends(topic: str) -> None:
    found = entries(load(), topic)
    assert [getattr(entry, "id", "") for entry in found] == ["MM_WAIT_MSG6", "MM_WAIT_MSG5"]
    result = CliRunner().invoke(main, ["explain", topic])
    assert result.exit_code == 0
    assert "━━ MM_WAIT_MSG6, the initiator" in result.stdout
    assert "━━ MM_WAIT_MSG5, the responder" in result.stdout


def explained(topic: str) -> LineKind:
    (entry,) = entries(load(), topic)
    assert isinstance(entry, LineKind)
    return entry


def test_lines_that_mislead() -> None:
    repeated = explained('"branch" #1: retransmitting in response to duplicate packet; already STATE_MAIN_R3')
    assert "message 6 did not arrive" in repeated.meaning
    assert repeated.causes[0] == "path-loss"
    assert "psk-mismatch" in repeated.against
    ignored = explained('"branch" #1: STATE_PARENT_I1: received unauthenticated v2N_NO_PROPOSAL_CHOSEN - ignored')
    assert ignored.causes[0] == "phase1-policy-mismatch"
    assert ignored.knows == "peer"
    assert "are not a lost packet" in ignored.meaning
    keyless = explained(f"05[IKE] no shared key found for '198.51.100.2'[198.51.100.2] - '{PEER}'[{PEER}]")
    assert "Either end can" in keyless.meaning


def test_what_is_not_known_shows_what_tells_it_from_others() -> None:
    line = f"Jan 1 00:00:00 [IKEv1]: Group = {PEER}, IP = {PEER}, Frobnication of the widget failed"
    assert distinctive(line) == "Frobnication of the widget failed"
    assert distinctive("2026-01-01T00:00:00 05[IKE] <vpn|7> frobnicated") == "frobnicated"
    assert distinctive("no log at all") == "no log at all"
    result = CliRunner().invoke(main, ["explain", line])
    assert result.exit_code == 2
    assert result.stderr.startswith("pcapdiag: `Frobnication of the widget failed` is not known (a line of ASA's); ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("line", ["", "\x00", "x" * 100_000, "[IKEv1]: ", '"', "ike 0:", "00[IKE] ", "ISAKMP:(0): "])
def test_any_line(line: str) -> None:
    decode(line)
    assert len(distinctive(line)) <= 16_384


def test_a_reading_with_a_long_name_keeps_to_its_column() -> None:
    line = "SESSION_ID :{1-2} Remote 192.0.2.1:500: Local 192.0.2.2:500: [SEND][SA_AUTH]"
    shown = CliRunner().invoke(main, ["explain", line]).stdout
    assert "\n  if it is     IKE_AUTH request: the answer is due\n" in shown


def test_json() -> None:
    import json

    line = f"Apr 01 11:38:52 [IKEv1]: IP = {PEER}, {decoded_line('SENDING', 'ID (5) + HASH (8)', 84)}"
    (entry,) = json.loads(CliRunner().invoke(main, ["explain", "--json", line]).stdout)["entries"]
    assert entry["message"] == {
        "names": ["MM5", "MM6"],
        "direction": "sent",
        "payloads": ["ID", "HASH"],
        "length": 84,
        "encrypted": True,
        "again": False,
    }
    assert entry["states"] == ["MM_WAIT_MSG6", "MM_ACTIVE"]
    assert entry["contains"]


def test_every_line_of_every_sample_is_explained() -> None:
    base = load()
    for sample in SAMPLES:
        for row in sample.text.splitlines():
            assert entries(base, row), row


@pytest.mark.skipif(not DOCUMENT.is_dir(), reason="the source document is not here")
def test_the_64_lines_of_the_document() -> None:
    text = "".join(path.read_text() for path in sorted(DOCUMENT.iterdir()))
    lines = Lines()
    for _ in read([text.encode()], lines):
        pass
    assert lines.platforms == {"asa": 64}
    assert lines.unknown == 0
    pieces = re.split(r"(?<=\S) (?=[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \[IKEv)|\n", text)
    debug = [piece for piece in pieces if re.search(r"\[IKEv1|%ASA-\d", piece)]
    assert len(debug) == 64
    base = load()
    for line in debug:
        assert entries(base, line), line
