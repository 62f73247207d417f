"""`pcapdiag explain` as a user meets it."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

from pcapdiag.cli.main import main
from pcapdiag.knowledge.kinds import KINDS

PASTED = (
    "Apr 01 15:11:47 [IKEv1]: Group = 1.2.3.4, IP = 1.2.3.4, Received an un-encrypted PAYLOAD_MALFORMED notify "
    "message, dropping"
)


def run(*arguments: str, stdin: bytes = b"", colour: bool = False) -> Result:
    result = CliRunner().invoke(main, ["explain", *arguments], input=stdin, color=colour)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize(
    ("topic", "heading"),
    [
        (["MM_WAIT_MSG6"], "MM_WAIT_MSG6, the initiator"),
        (["mm_wait_msg6"], "MM_WAIT_MSG6, the initiator"),
        (["mm", "wait", "msg6"], "MM_WAIT_MSG6, the initiator"),
        (["MM_KEY_EXCH"], "MM_WAIT_MSG6, the initiator"),
        (["MM4"], "MM_WAIT_MSG4, the initiator"),
        (["am3"], "AM_WAIT_MSG3, the responder"),
        (["psk-mismatch"], "psk-mismatch"),
        (["NO_PROPOSAL_CHOSEN"], "NO_PROPOSAL_CHOSEN (14), IKEv1"),
        (["no-proposal-chosen"], "NO_PROPOSAL_CHOSEN (14), IKEv1"),
        (["invalid", "id", "information"], "INVALID_ID_INFORMATION (18), IKEv1"),
        (["24"], "AUTHENTICATION_FAILED (24), IKEv1"),
        ([PASTED], "Log line, ASA"),
        (PASTED.split(), "Log line, ASA"),
    ],
)
def test_topics(topic: list[str], heading: str) -> None:
    result = run(*topic)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"━━ {heading} ━")
    assert result.stderr == ""
    assert all(len(line) <= 80 or "<" in line for line in result.stdout.splitlines())


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_every_kind_of_evidence(kind: str) -> None:
    result = run(kind)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"━━ Evidence: {kind} ━")
    assert all(len(line) <= 80 for line in result.stdout.splitlines())


def test_a_kind_of_a_family() -> None:
    told = run("silence-after-mm5").stdout
    assert "One of silence-after-*" in told
    assert "psk-mismatch" in told
    assert "udp-500-blocked" not in told
    assert told.index("likely") < told.index("possible") < told.index("unlikely")
    found = json.loads(run("notify-no-proposal-chosen", "--json").stdout)["entries"][0]
    assert (found["kind"], found["family"]) == ("evidence", "notify-*")
    assert "phase1-policy-mismatch" in {rule["cause"] for rule in found["rules"]}


@pytest.mark.parametrize("topic", ["nat-t", "notify-nonsense", "silence-after-lunch"])
def test_no_kind_that_a_report_can_have(topic: str) -> None:
    result = run(topic)
    assert result.exit_code == 2
    assert "is not known" in result.stderr


def test_no_topic_lists_states_and_causes() -> None:
    result = run()
    assert result.exit_code == 0
    assert "\nMM_WAIT_MSG6 " in result.stdout
    assert "\nscanner " in result.stdout


def test_platform() -> None:
    result = run("psk-mismatch", "--platform", "strongswan")
    assert "swanctl --load-creds" in result.stdout
    assert "more system:running-config" not in result.stdout
    assert run("psk-mismatch", "--platform", "any").exit_code == 2


def test_json() -> None:
    (cause,) = json.loads(run("psk-mismatch", "--json").stdout)["entries"]
    assert (cause["kind"], cause["id"]) == ("cause", "psk-mismatch")
    assert [n["version"] for n in json.loads(run("24", "--json").stdout)["entries"]] == [1, 2]
    assert {e["kind"] for e in json.loads(run("--json").stdout)["entries"]} == {"state", "cause"}


def test_width_and_colour() -> None:
    assert max(map(len, run("COOKIE", "--width", "60").stdout.splitlines())) == 60
    assert "\x1b[" in run("MM3", "--color", "always").stdout
    assert "\x1b[" not in run("MM3").stdout
    assert "\x1b[" not in run("MM3", "--color", "never", colour=True).stdout


@pytest.mark.parametrize(
    ("topic", "line"),
    [
        ("mm_wait_msg7", "pcapdiag: `mm_wait_msg7` is not known; nearest: MM_WAIT_MSG6, "),
        ("psk-mismach", "pcapdiag: `psk-mismach` is not known; nearest: psk-mismatch"),
        ("zzzzzz", "pcapdiag: `zzzzzz` is not known; `pcapdiag explain` lists what there is"),
        ("9" * 5000, f"pcapdiag: `{'9' * 60}…` is not known; "),
        ("a\x1b[31mred\nnext", "pcapdiag: `a\\x1b[31mred next` is not known; "),
        ("\u202e\udcff", "pcapdiag: `\\x202e\\xdcff` is not known; "),
        ("", "pcapdiag: `` is not known; "),
    ],
)
def test_unknown_topic(topic: str, line: str) -> None:
    result = run(topic)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1
    assert result.stderr.strip().isprintable()


def test_log_on_standard_input() -> None:
    log = f"{PASTED}\r\nhello\n\nworld\n{PASTED}\n   State   : MM_WAIT_MSG6\n"
    result = run("-", stdin=log.encode())
    assert result.exit_code == 0
    assert "━━ line 1, 2 times: Log line, ASA ━" in result.stdout
    assert "━━ line 6: MM_WAIT_MSG6, the initiator ━" in result.stdout
    assert "\n2 lines were not recognised.\n" in result.stdout
    assert result.stderr == ""
    found = json.loads(run("-", "--json", stdin=log.encode()).stdout)
    assert ([e["line"] for e in found["entries"]], found["unknown_lines"]) == ([1, 6], 2)


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (b"", "standard input is empty"),
        (b"\n \n", "standard input is empty"),
        (b"one\n", "the line on standard input is not known"),
        (b"one\ntwo\n", "none of the 2 lines on standard input is known"),
    ],
)
def test_log_without_a_known_line(log: bytes, message: str) -> None:
    result = run("-", stdin=log)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"pcapdiag: {message}\n")


def test_hostile_log() -> None:
    octets = bytes(range(256)) + b"\x1b]0;x\x07 QM FSM error \x1b[2J\xff\xfe\xc2\x9b\xe2\x80\xae" + b"z" * 200_000
    result = run("-", stdin=octets, colour=True)
    assert result.exit_code == 0
    assert not [c for c in result.stdout if not c.isprintable() and c != "\n"]
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_nothing_else_imports_it() -> None:
    """The other commands pay neither for the report nor for the knowledge base."""
    code = (
        "import sys\n"
        "from pcapdiag.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in sys.modules if m.startswith('pcapdiag.') and ('causes' in m or '.report' in m)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert " explain " in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
