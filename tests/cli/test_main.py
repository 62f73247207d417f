"""The command line as a user meets it: exit status, what goes where, bad input."""

import gzip
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pcapdiag.capture.walker import COMPILED
from pcapdiag.cli.main import main
from pcapdiag.version import VERSION
from tests import CAPTURES

STALLED = str(CAPTURES / "mm5-udp-4500-blocked.pcap")
COMPLETED = str(CAPTURES / "completed-psk.pcap")


def run(*arguments: str, stdin: bytes = b"") -> Result:
    result = CliRunner().invoke(main, list(arguments), input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_version_says_how_frames_are_walked_over() -> None:
    how = "compiled" if COMPILED else "interpreted"
    assert run("--version").stdout == f"pcapdiag {VERSION} (walker {how})\n"


def test_report_of_a_stalled_exchange() -> None:
    result = run("analyze", STALLED)
    assert result.exit_code == 1
    assert "STALLED" in result.stdout
    assert "MM_WAIT_MSG6" in result.stdout
    assert "sent again 5×" in result.stdout
    assert "✗ MM6 from the responder was not seen" in result.stdout
    assert result.stderr == ""
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_completed_exchange_exits_0() -> None:
    result = run("analyze", COMPLETED)
    assert result.exit_code == 0
    assert "COMPLETED" in result.stdout


def test_one_line_each() -> None:
    result = run("analyze", "-q", STALLED)
    (line,) = result.stdout.splitlines()
    assert line.startswith("10.1.0.2 → 10.2.0.2 Main Mode: stalled after MM5; initiator MM_WAIT_MSG6")


def test_json_has_the_contract_of_the_design() -> None:
    result = run("analyze", "--json", STALLED)
    found = json.loads(result.stdout)
    assert found["schema_version"] == 1
    (capture,) = found["captures"]
    counts = ("ike_messages", "not_ike", "icmp_errors", "ip_fragments", "nat_keepalives", "esp", "other", "unreadable")
    assert capture["frames"] == sum(capture[name] for name in counts)
    (exchange,) = found["exchanges"]
    assert exchange["mode"] == "main"
    assert exchange["initiator"]["address"] == "10.1.0.2"
    assert exchange["initiator_spi"] == "18df72268ae4a10e"
    last = exchange["messages"][-1]
    assert (last["name"], last["from"], last["frames"]) == ("MM5", "initiator", [7, 8, 11, 12, 14, 19])
    assert (last["source_port"], last["encrypted"], last["retransmissions"]) == (4500, True, 5)
    assert exchange["chosen"]["attributes"]["ENCRYPTION"] == "AES-CBC"


def test_times_keep_every_digit() -> None:
    result = run("analyze", "--json", str(CAPTURES / "completed-psk-nanoseconds.pcapng"))
    found = re.search(r'"time":[0-9]+\.([0-9]+)', result.stdout)
    assert found is not None
    assert len(found[1]) == 9
    assert not found[1].endswith("000")


def test_standard_input() -> None:
    result = run("analyze", "-", stdin=Path(STALLED).read_bytes())
    assert result.exit_code == 1
    assert "MM_WAIT_MSG6" in result.stdout


def test_several_captures_and_one_that_is_missing() -> None:
    result = run("analyze", COMPLETED, "nowhere.pcap", STALLED)
    assert result.exit_code == 3
    assert result.stderr.strip() == "pcapdiag: nowhere.pcap: no such file"
    assert "COMPLETED" in result.stdout
    assert "STALLED" in result.stdout


def test_filters() -> None:
    both = str(CAPTURES / "completed-both-initiate.pcap")
    assert len(run("analyze", "-q", both).stdout.splitlines()) == 2
    assert len(run("analyze", "-q", "--spi", "8332", both).stdout.splitlines()) == 1
    assert run("analyze", "--peer", "192.0.2.9", both).exit_code == 4


# --- bad input: one line, and what was read is still reported --------------------------------------------------


def _file(folder: Path, name: str, octets: bytes) -> str:
    path = folder / name
    path.write_bytes(octets)
    return str(path)


@pytest.mark.parametrize(
    ("name", "octets", "reason"),
    [
        ("empty.pcap", b"", "empty file"),
        ("notes.txt", b"# notes\nnothing to see\n", "not a capture file"),
        ("short.pcap", b"\xd4\xc3\xb2\xa1\x02\x00", "ends within the pcap header"),
    ],
)
def test_not_a_capture(tmp_path: Path, name: str, octets: bytes, reason: str) -> None:
    result = run("analyze", _file(tmp_path, name, octets))
    assert result.exit_code == 3
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert name in line
    assert reason in line


def test_missing_file_and_directory(tmp_path: Path) -> None:
    assert run("analyze", str(tmp_path / "nope.pcap")).stderr.endswith("nope.pcap: no such file\n")
    result = run("analyze", str(tmp_path))
    assert result.exit_code == 3
    assert result.stderr.endswith(": a directory without capture files (by suffix: .pcap, .pcapng, .cap, .dmp)\n")


def test_no_permission(tmp_path: Path) -> None:
    run("analyze", COMPLETED)  # whatever has to be imported is, before root is given up
    tmp_path.parent.parent.chmod(0o755)
    tmp_path.parent.chmod(0o755)
    tmp_path.chmod(0o755)
    path = Path(_file(tmp_path, "secret.pcap", Path(STALLED).read_bytes()))
    path.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)  # root may read everything
        result = run("analyze", str(path))
    finally:
        os.seteuid(user)
    assert result.exit_code == 3
    assert result.stderr == f"pcapdiag: {path}: permission denied\n"


def test_cut_file_is_reported_up_to_the_cut(tmp_path: Path) -> None:
    whole = Path(STALLED).read_bytes()
    result = run("analyze", _file(tmp_path, "cut.pcap", whole[:1500]))
    assert result.exit_code == 1
    assert "MM" in result.stdout
    (line,) = result.stderr.splitlines()
    assert "cut.pcap: frame " in line


def test_compressed_and_cut(tmp_path: Path) -> None:
    packed = gzip.compress(Path(STALLED).read_bytes(), mtime=0)
    result = run("analyze", _file(tmp_path, "cut.pcap.gz", packed[: len(packed) - 40]))
    assert result.exit_code in (1, 4)
    assert "cut.pcap.gz" in result.stderr


def test_unknown_link_type(tmp_path: Path) -> None:
    octets = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 147) + struct.pack("<IIII", 1, 0, 4, 4) + b"abcd"
    result = run("analyze", _file(tmp_path, "user0.pcap", octets))
    assert result.exit_code == 4
    assert "link type 147" in result.stderr
    assert "1 unreadable" in result.stderr


def test_no_ike_says_what_was_there() -> None:
    result = run("analyze", str(CAPTURES / "no-ike-arp-only.pcap"))
    assert result.exit_code == 4
    assert result.stdout == ""
    assert "no IKE in 12 frames; there is: 12 ARP" in result.stderr


def test_pcapng_without_packets(tmp_path: Path) -> None:
    header = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    interface = struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20)
    result = run("analyze", _file(tmp_path, "empty.pcapng", header + interface))
    assert result.exit_code == 4
    assert "no frames at all" in result.stderr


def test_hostile_file_name(tmp_path: Path) -> None:
    result = run("analyze", str(tmp_path / "a\x1b[31mred.pcap"))
    assert "\x1b" not in result.stderr
    assert "\\x1b[31mred.pcap" in result.stderr


@pytest.mark.parametrize(
    "command", [["analyze", STALLED], ["explain", "MM_WAIT_MSG6"], ["explain", "silence-after-mm5"]]
)
def test_the_locale_c_gets_plain_signs(command: list[str]) -> None:
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONIOENCODING", "PYTHONUTF8")}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pcapdiag", *command], capture_output=True, env={**env, "LC_ALL": "C"}, check=False
    )
    assert b"MM_WAIT_MSG6" in done.stdout or b"psk-mismatch" in done.stdout
    assert b"\\u" not in done.stdout
    done.stdout.decode("ascii")


@pytest.mark.parametrize("command", [["analyze", STALLED], ["explain", "MM_WAIT_MSG6"]])
def test_output_that_cannot_carry_the_signs(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pcapdiag", *command],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        check=False,
    )
    assert done.stderr == b""
    assert b"MM_WAIT_MSG6" in done.stdout
    done.stdout.decode("ascii")


def test_closed_pipe_is_no_traceback() -> None:
    command = f"{sys.executable} -m pcapdiag analyze {STALLED} | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


def test_fault_of_the_program_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("\x1b[31mred")

    monkeypatch.setattr("pcapdiag.pipeline.analyze", broken)
    result = run("analyze", STALLED)
    assert result.exit_code == 70
    (line,) = result.stderr.splitlines()
    assert line.startswith("pcapdiag: fault in pcapdiag itself: KeyError:")
    assert "\x1b" not in line


def test_usage_error_exits_2() -> None:
    assert run("analyze").exit_code == 2
    assert run("analyze", "--port", "0", COMPLETED).exit_code == 2


def test_module_and_import_set() -> None:
    """`python -m pcapdiag` works, and an analysis of a plain capture imports nothing slow."""
    code = (
        "import sys; sys.argv = ['pcapdiag', 'analyze', '-q', sys.argv[1]]\n"
        "import runpy\n"
        "try: runpy.run_module('pcapdiag', run_name='__main__')\n"
        "except SystemExit as end: status = end.code\n"
        "slow = {'pandas', 'numpy', 'pyshark', 'dpkt', 'rich', 'matplotlib', 'cypcap'} & set(sys.modules)\n"
        "print(status, sorted(slow))"
    )
    done = subprocess.run([sys.executable, "-c", code, STALLED], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "1 []"


def test_same_input_gives_the_same_output_under_any_hash_seed() -> None:
    name = str(CAPTURES / "completed-any-interface.pcap")
    command = [sys.executable, "-P", "-m", "pcapdiag", "analyze", "--json", name]
    outputs = {
        subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1


# --- keys --------------------------------------------------------------------------------------------------------

KEYS = str(CAPTURES / "keys")
REFUSED = str(CAPTURES / "phase2-refused.pcap")


def test_keys_open_messages() -> None:
    result = run("analyze", "--keys", KEYS, REFUSED)
    assert "Likely: the phase 2 proposals of the two ends do not match" in " ".join(result.stdout.split())
    assert "192.168.1.0/24 ↔ 192.168.2.0/24" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_keys_in_json() -> None:
    found = json.loads(run("analyze", "--json", "--keys", KEYS, REFUSED).stdout)
    messages = {m["name"]: m for m in found["exchanges"][0]["messages"]}
    assert messages["MM1"]["decrypted"] is False
    assert messages["MM5"]["decrypted"] is True
    assert messages["MM5"]["payloads"] == ["ID", "HASH"]
    assert messages["QM1"]["identities"][0]["text"] == "192.168.1.0/24"
    assert messages["Informational"]["notifies"] == ["NO_PROPOSAL_CHOSEN"]


def test_no_key_and_no_password_is_in_any_report(tmp_path: Path) -> None:
    rows = Path(KEYS, "ikev1_decryption_table").read_text().splitlines()
    secrets = [line.split(",")[1] for line in rows if not line.startswith("#")] + ["s3cret"]
    for capture in ("xauth-wrong-password.pcap", "mm5-psk-mismatch.pcap", "completed-psk.pcap"):
        for options in ([], ["-v"], ["-q"], ["--json"]):
            result = run("analyze", *options, "--keys", KEYS, str(CAPTURES / capture))
            for secret in secrets:
                assert secret not in result.stdout + result.stderr
                assert secret[:16] not in result.stdout + result.stderr


def test_keys_that_cannot_be_read(tmp_path: Path) -> None:
    table = tmp_path / "ikev1_decryption_table"
    table.write_text("01e21441b7f6b075,not-a-key\n")
    for given, says in ((str(table), "line 1: the key"), (str(tmp_path / "none"), "no such file")):
        result = run("analyze", "--keys", given, COMPLETED)
        assert result.exit_code == 3
        assert says in result.stderr
        assert "not-a-key" not in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_keys_without_the_package_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    result = run("analyze", "--keys", KEYS, COMPLETED)
    assert result.exit_code == 3
    assert "pip install cryptography" in result.stderr


def test_without_keys_nothing_of_it_is_imported() -> None:
    script = (
        "import sys; from click.testing import CliRunner; from pcapdiag.cli.main import main; "
        f"CliRunner().invoke(main, ['analyze', {COMPLETED!r}]); "
        "print([m for m in sys.modules if 'cryptography' in m or 'decryption' in m or 'sealed' in m or 'pyshark' in m])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# --- another engine ----------------------------------------------------------------------------------------------


def test_tshark_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = run("analyze", "--engine", "tshark", COMPLETED)
    assert result.exit_code == 3
    assert "apt-get install tshark" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
def test_engine_tshark() -> None:
    result = run("analyze", "-q", "--engine", "tshark", COMPLETED)
    assert result.stdout == run("analyze", "-q", COMPLETED).stdout
    assert result.exit_code == 0


# --- other reports ---------------------------------------------------------------------------------------------


def test_html_is_written_beside_the_normal_report(tmp_path: Path) -> None:
    plain, page = run("analyze", STALLED), tmp_path / "report.html"
    result = run("analyze", "--html", str(page), STALLED)
    assert (result.stdout, result.stderr, result.exit_code) == (plain.stdout, "", 1)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert run("analyze", "--html", "-", STALLED).stdout == text
    both = run("analyze", "--json", "--html", str(page), COMPLETED)
    assert json.loads(both.stdout)["exchanges"]
    assert "COMPLETED" not in both.stdout
    assert "completed-psk.pcap" in page.read_text(encoding="utf-8")


def test_html_is_for_its_owner_where_keys_opened_what_is_in_it(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    run("analyze", "--html", str(page), "--keys", str(CAPTURES / "keys"), COMPLETED)
    assert page.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("command", [("analyze",), ("messages",), ("crosscheck",), ("carve", "-o", "out")])
def test_a_name_with_line_ends_is_on_one_line(command: tuple[str, ...], tmp_path: Path) -> None:
    name = "no\nsuch\x0b\x85\u2028file"
    result = run(*command, str(tmp_path / name), str(tmp_path / "other"))
    assert result.exit_code == 3
    assert result.stderr.splitlines() == [
        f"pcapdiag: {tmp_path}/no\\x0asuch\\x0b\\x85\\x2028file: no such file",
        f"pcapdiag: {tmp_path}/other: no such file",
    ]


READ = {
    "analyze": ("analyze", "{}"),
    "messages": ("messages", "{}"),
    "carve": ("carve", "-o", "out.pcapng", "{}"),
    "live": ("live", "--engine", "libpcap", "{}"),
    "keys": ("analyze", "--keys", "{}", COMPLETED),
    "pre-shared keys": ("analyze", "--psk-file", "{}", COMPLETED),
    "key": ("carve", "-o", "out.pcapng", "--anonymize-key", "{}", COMPLETED),
}


@pytest.mark.parametrize("arguments", READ.values(), ids=READ)
def test_what_is_missing_and_what_may_not_be_read_are_the_same_fault(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "input"
    said = []
    for there in (False, True):
        if there:
            path.write_bytes(b"x")
            opened = open

            def refuse(name: object, *rest: object, opened: Any = opened, **named: object) -> object:
                if str(name) == str(path):
                    raise PermissionError(13, "Permission denied")
                return opened(name, *rest, **named)

            monkeypatch.setattr("builtins.open", refuse)
            monkeypatch.setattr("io.open", refuse)
            monkeypatch.setattr("os.access", lambda *_: False)
        result = run(*(word.format(path) for word in arguments))
        assert result.exit_code == 3
        said.append((result.stderr + result.stdout).lower())
    assert "input: no such file" in said[0]
    assert "input: permission denied" in said[1]


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no /dev/zero here")
@pytest.mark.parametrize("option", ["--psk-file", "--keys", "--anonymize-key"])
def test_a_file_of_keys_without_end(option: str, tmp_path: Path) -> None:
    command = ["carve", "-o", str(tmp_path / "out")] if option == "--anonymize-key" else ["analyze"]
    result = run(*command, option, "/dev/zero", COMPLETED)
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert "/dev/zero: " in result.stderr


def test_html_is_not_written_over_what_is_read(tmp_path: Path) -> None:
    shutil.copy(STALLED, tmp_path / "a.pcap")
    shutil.copy(COMPLETED, tmp_path / "b.pcap")
    shutil.copytree(CAPTURES / "keys", tmp_path / "keys")
    before = (tmp_path / "a.pcap").read_bytes()
    for target, arguments in (
        ("a.pcap", (str(tmp_path / "a.pcap"),)),
        ("a.pcap", (str(tmp_path),)),
        ("keys/ikev1_decryption_table", (str(tmp_path / "a.pcap"), "--keys", str(tmp_path / "keys"))),
    ):
        result = run("analyze", "--html", str(tmp_path / target), *arguments)
        assert result.exit_code == 3
        assert result.stderr.count("\n") == 1
        assert "is not written over" in result.stderr
        assert "Exchange 1" in result.stdout
    assert (tmp_path / "a.pcap").read_bytes() == before


def test_html_is_not_written_over_what_standard_input_is(tmp_path: Path) -> None:
    shutil.copy(STALLED, tmp_path / "a.pcap")
    for command in (["analyze", "-q", "-", "--html", "a.pcap"], ["messages", "-", "-o", "a.pcap"]):
        with (tmp_path / "a.pcap").open("rb") as capture:
            program = [sys.executable, "-m", "pcapdiag", *command]
            done = subprocess.run(program, stdin=capture, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 3
        assert "is not written over" in done.stderr
    assert (tmp_path / "a.pcap").read_bytes() == Path(STALLED).read_bytes()


def test_html_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    result = run("analyze", "--html", str(tmp_path / "no" / "report.html"), STALLED)
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert "cannot be written" in result.stderr
    assert "STALLED" in result.stdout


def test_html_of_a_capture_without_ike_says_so(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    result = run("analyze", "--html", str(page), str(CAPTURES / "no-ike-arp-only.pcap"))
    assert result.exit_code == 4
    assert "no IKE in 12 frames" in page.read_text(encoding="utf-8")


def test_markdown_takes_the_place_of_the_normal_report() -> None:
    result = run("analyze", "--markdown", STALLED)
    assert result.exit_code == 1
    assert "### Exchange 1: Main Mode, 10.1.0.2 → 10.2.0.2\n" in result.stdout
    assert "━━" not in result.stdout


@pytest.mark.parametrize(
    "options", [("--json", "--markdown"), ("--json", "--html", "-"), ("--markdown", "--html", "-")]
)
def test_only_one_report_is_printed(options: tuple[str, ...]) -> None:
    result = run("analyze", *options, STALLED)
    assert result.exit_code == 2
    assert "only one of them can" in result.stderr


# --- which end is mine, and what it is -------------------------------------------------------------------------


def test_local_and_platform() -> None:
    capture = str(CAPTURES / "ikev2-authentication-failed.pcap")
    result = run(
        "analyze", capture, "--local", "10.1.0.2", "--platform", "10.1.0.2=fortios", "--platform", "responder=asa"
    )
    assert result.exit_code == 1
    checks, request = result.stdout.split("What to ask at the other end")
    assert "At 10.1.0.2 (initiator, FortiGate): " in checks
    assert "At 10.2.0.2" not in checks
    assert "To the administrator of 10.2.0.2\n" in request
    assert "debug crypto ikev2 protocol 127" in request
    assert "to end it: undebug all" in request


def test_local_and_platform_in_json() -> None:
    capture = str(CAPTURES / "ikev2-authentication-failed.pcap")
    (found,) = json.loads(
        run("analyze", "--json", capture, "--local", "10.2.0.2", "--platform", "responder=asa").stdout
    )["exchanges"]
    assert (found["responder"]["platforms"], found["responder"]["platform_basis"]) == (["asa"], "given")
    assert (found["responder"]["mine"], found["initiator"]["mine"]) == (True, False)
    assert found["request"].startswith("To the administrator of 10.1.0.2\n")
    checks = [check for cause in found["causes"] for check in cause["checks"]]
    assert {check["end"] for check in checks} <= {"responder", "path"}
    debugs = [check for check in checks if check["does"] == "debug"]
    assert debugs
    assert all(check["undo"] and check["source"] for check in debugs)


@pytest.mark.parametrize("arguments", [("--platform", "asa"), ("--platform", "initiator=pix"), ("--local", "here")])
def test_ends_that_cannot_be_understood(arguments: tuple[str, str]) -> None:
    result = run("analyze", str(CAPTURES / "mm1-no-reply.pcap"), *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_a_capture_in_place_of_a_command_is_told_the_command() -> None:
    result = run(str(STALLED))
    assert result.exit_code == 2
    assert f"is a file, no command: pcapdiag analyze {STALLED}" in result.stderr
