"""`pcapdiag live` and `pcapdiag interfaces` as a user meets them."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pcapdiag.cli.live import interfaces, live
from pcapdiag.cli.main import main
from tests import CAPTURES
from tests.lab import LEFT, RIGHT, Pair, needs, stop, until
from tests.messages import main_mode

PROGRAM = [sys.executable, "-m", "pcapdiag"]
ROOT = Path(__file__).parents[2]


def piped(name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    with (CAPTURES / name).open("rb") as capture:
        command = [*PROGRAM, "live", *arguments, "-"]
        return subprocess.run(command, stdin=capture, capture_output=True, text=True, timeout=60, check=False)


def used(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["live", *arguments])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "give either interfaces"),
        (("-i", "eth0", "-"), "give either interfaces"),
        (("-", "-w", "x.pcapng"), "tee FILE"),
        (("-", "--watch"), "--watch needs a terminal"),
        (("-", "--stop-on", "never"), "'never' is not one of"),
        (("-", "--duration", "0"), "0.0 is not in the range"),
        (("-i", "a", "-i", "b", "--engine", "tshark"), "takes one interface"),
        (("-", "--rotate-count", "0"), "0 is not in the range"),
    ],
)
def test_wrong_usage_is_exit_status_2(arguments: tuple[str, ...], says: str) -> None:
    result = used(*arguments)
    assert result.exit_code == 2
    assert says in result.output


@pytest.mark.parametrize(
    ("name", "status"),
    [("completed-psk.pcap", 0), ("mm5-psk-mismatch.pcap", 1), ("mm1-no-reply.pcap", 1), ("no-ike-arp-only.pcap", 4)],
)
def test_a_stream_has_the_exit_status_of_analyze(name: str, status: int) -> None:
    done = piped(name)
    assert done.returncode == status
    assert "Ended by the end of the capture" in done.stdout
    assert ("no IKE was seen" in done.stderr) is (status == 4)
    assert CliRunner().invoke(main, ["analyze", str(CAPTURES / name)]).exit_code == status


def test_what_is_no_capture_is_one_line_and_status_3(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"#!/bin/sh\necho no capture\n")
    with (tmp_path / "x").open("rb") as stream:
        done = subprocess.run(
            [*PROGRAM, "live", "-q", "-"], stdin=stream, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 3
    assert "not a capture file" in done.stdout
    assert "Traceback" not in done.stderr


def test_json_is_an_object_a_line() -> None:
    done = piped("mm5-udp-4500-blocked.pcap", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [e["event"] for e in events]
    assert kinds[0] == "start"
    assert events[0]["schema_version"] == 1
    assert kinds[-1] == "summary"
    assert kinds.count("message") == 10
    assert kinds.count("waiting") == 6
    (verdict,) = [e for e in events if e["event"] == "verdict"]
    assert verdict["exchange"]["outcome"] == "stalled"
    assert verdict["exchange"]["causes"][0]["id"] == "udp-4500-blocked"
    assert events[1]["message"]["name"] == "MM1"
    assert re.search(r'"time": ?\d+\.\d{9}[,}]', done.stdout)
    waiting = next(e for e in events if e["event"] == "waiting")
    assert (waiting["missing"], waiting["waits_for"]) == ("MM6", "responder")


def test_quiet_json_has_no_messages() -> None:
    done = piped("mm5-udp-4500-blocked.pcap", "--json", "-q")
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == ["start", "verdict", "summary"]


def test_quiet_is_a_line_a_verdict() -> None:
    done = piped("mm5-udp-4500-blocked.pcap", "-q")
    (line,) = done.stdout.splitlines()
    assert line.startswith("2026-11-23 09:03:3")
    assert "stalled after MM5" in line
    assert "exchanges: 1 stalled" in done.stderr


def test_sigterm_does_not_wait_for_a_client_of_the_metrics() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*PROGRAM, "live", "-q", "-", "--metrics-listen", f"127.0.0.1:{port}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert process.stdin is not None
        process.stdin.write((CAPTURES / "completed-psk.pcap").read_bytes())
        process.stdin.flush()
        assert b"watching" in process.stderr.readline()
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /met")
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=5)
    assert process.returncode == 0


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root, to capture on loopback")
@pytest.mark.parametrize("arguments", [(), ("-q",), ("--json",)])
@pytest.mark.parametrize("option", ["-w", "--metrics"])
def test_a_file_that_can_no_longer_be_written_is_a_line_on_standard_error_and_status_3(
    option: str, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "kept"
    live = [*PROGRAM, "live", "-i", "lo", "--no-drop-privileges", "--count", "40", option, str(path), *arguments]
    limited = ["bash", "-c", 'ulimit -f 1; exec "$@"', "-", *live]
    with (
        subprocess.Popen(limited, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
    ):
        assert process.stderr is not None
        assert "watching" in process.stderr.readline()
        for number in range(80):
            peer.sendto(main_mode(1, (number.to_bytes(8, "big"), bytes(8))), ("127.0.0.1", 500))
            time.sleep(0.03)
        shown, said = process.communicate(timeout=60)
    complaints = [line for line in said.splitlines() if "File too large" in line]
    assert len(complaints) == 1
    assert str(path) in complaints[0]
    assert process.returncode == 3
    assert ("File too large" in shown) is ("--json" in arguments)


def test_metrics_are_not_written_over_the_capture(tmp_path: Path) -> None:
    capture = tmp_path / "a.pcap"
    shutil.copy(CAPTURES / "completed-psk.pcap", capture)
    before = capture.read_bytes()
    for stream in ("-", str(capture)):
        with capture.open("rb") as stdin:
            command = [*PROGRAM, "live", "-q", "--metrics", str(capture), stream]
            done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 3
        assert "is not written over" in done.stderr
    assert capture.read_bytes() == before


@pytest.mark.parametrize("arguments", [("--json",), ()])
def test_a_reader_that_goes_away_is_no_fault(arguments: tuple[str, ...]) -> None:
    command = f"cat {CAPTURES}/completed-psk.pcap | {' '.join(PROGRAM)} live {' '.join(arguments)} - | head -2"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert len(done.stdout.splitlines()) == 2
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert "fault" not in done.stderr


def test_stop_on_ends_with_the_status_of_the_verdict(tmp_path: Path) -> None:
    there = os.memfd_create("capture")
    os.write(there, (CAPTURES / "mm5-psk-mismatch.pcap").read_bytes())
    os.lseek(there, 0, os.SEEK_SET)
    done = subprocess.run(
        [*PROGRAM, "live", "--stop-on", "any", "-q", "-"],
        stdin=there,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(there)
    assert done.returncode == 1
    assert "the verdict that was waited for" in done.stderr
    assert "pre-shared keys differ" in done.stdout


def test_messages_are_printed_as_they_come() -> None:
    capture = (CAPTURES / "completed-psk.pcap").read_bytes()
    process = subprocess.Popen([*PROGRAM, "live", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        at = 24
        process.stdin.write(capture[:at])
        while capture[at + 28 : at + 30] != b"\x08\0" or capture[at + 39] != 17:
            at += 16 + int.from_bytes(capture[at + 8 : at + 12], "little")
        process.stdin.write(capture[24 : at + 16 + int.from_bytes(capture[at + 8 : at + 12], "little")])
        process.stdin.flush()
        assert process.stdout.readline().startswith("── 20".encode())
        assert b"MM1 (SA, " in process.stdout.readline()
        assert process.poll() is None
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Pair("cli", tmp_path_factory.mktemp("cli")) as made:
        yield made


@needs("ip")
class TestOnInterfaces:
    """In a pair of namespaces."""

    def live(self, pair: Pair, output: Path, *arguments: str) -> "subprocess.Popen[bytes]":
        process = pair.start(pair.left, *PROGRAM, "live", "-i", "left", *arguments, output=output)
        until([output.with_suffix(".err")], b"watching left", 20)
        return process

    def send(self, pair: Pair, count: int, gap: float = 0.0) -> None:
        """Message 1, so many times, to the other end."""
        octets = main_mode(1).hex()
        lines = (
            "import socket, time",
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
            f"s.bind(('{LEFT}', 500))",
            f"for _ in range({count}): s.sendto(bytes.fromhex('{octets}'), ('{RIGHT}', 500)); time.sleep({gap})",
        )
        pair.run(pair.left, sys.executable, "-c", "\n".join(lines))

    def test_an_icmp_error_decides_at_once(self, pair: Pair, tmp_path: Path) -> None:
        output = tmp_path / "out"
        process = self.live(pair, output, "--stop-on", "stalled", "--count", "50")
        self.send(pair, 1)
        assert process.wait(10) == 1
        text = output.read_text()
        assert "ICMP port unreachable from 10.91.0.2" in text
        assert "STALLED after MM1" in text
        assert "1 packets passed" in text or "2 packets passed" in text

    def test_ctrl_c_ends_with_a_summary(self, pair: Pair, tmp_path: Path) -> None:
        output = tmp_path / "out"
        process = self.live(pair, output, "-q")
        began = time.monotonic()
        assert stop(process, signal.SIGINT) == 4
        assert time.monotonic() - began < 3
        said = output.with_suffix(".err").read_text()
        assert "Ended by Ctrl-C" in said
        assert "left: 0 packets passed the filter, the kernel dropped 0 of them" in said
        assert "no IKE was seen" in said

    def test_an_interface_that_goes_away_is_status_3(self, pair: Pair, tmp_path: Path) -> None:
        pair.run(pair.left, "ip", "link", "add", "tun9", "type", "veth", "peer", "name", "tun8")
        pair.run(pair.left, "ip", "link", "set", "tun9", "up")
        output = tmp_path / "out"
        process = pair.start(pair.left, *PROGRAM, "live", "-i", "tun9", output=output)
        until([output.with_suffix(".err")], b"watching tun9", 20)
        pair.run(pair.left, "ip", "link", "delete", "tun9")
        assert process.wait(10) == 3
        text = output.read_text()
        assert "nothing more is read from it" in text
        assert "Ended by the end of the capture" in text

    def test_a_rotating_capture_and_a_duration(self, pair: Pair, tmp_path: Path) -> None:
        output, kept = tmp_path / "out", tmp_path / "ike.pcapng"
        arguments = ("-w", str(kept), "--rotate-size", "0.002", "--rotate-count", "3", "--duration", "2", "-q")
        process = self.live(pair, output, *arguments)
        self.send(pair, 40, 0.01)
        assert process.wait(20) == 1
        assert sorted(p.name for p in tmp_path.glob("*.pcapng")) == ["ike.1.pcapng", "ike.2.pcapng", "ike.pcapng"]
        result = CliRunner().invoke(main, ["analyze", "-q", str(kept)])
        assert f"{LEFT} → {RIGHT} Main Mode: " in result.stdout

    def test_a_kill_leaves_a_file_that_can_be_read(self, pair: Pair, tmp_path: Path) -> None:
        output, kept = tmp_path / "out", tmp_path / "ike.pcapng"
        process = self.live(pair, output, "-w", str(kept))
        self.send(pair, 20, 0.01)
        until([output], b"20th time", 10)
        process.kill()
        process.wait(10)
        found = json.loads(CliRunner().invoke(main, ["analyze", "--json", str(kept)]).stdout)
        (capture,) = found["captures"]
        assert capture["ike_messages"] == 20
        assert not capture["truncated"]
        assert capture["warnings"] == []

    def test_a_file_that_cannot_be_written_is_one_line(self, pair: Pair, tmp_path: Path) -> None:
        output = tmp_path / "out"
        target = tmp_path / "no" / "ike.pcapng"
        process = pair.start(pair.left, *PROGRAM, "live", "-i", "left", "-w", str(target), output=output)
        assert process.wait(20) == 3
        (line,) = output.with_suffix(".err").read_text().splitlines()
        assert line.endswith("ike.pcapng: cannot be written: No such file or directory")

    @pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (on Debian: util-linux)")
    def test_without_permission_it_says_what_to_do(self, pair: Pair, tmp_path: Path) -> None:
        command = ["setpriv", "--reuid", "65534", "--clear-groups", *PROGRAM]
        done = subprocess.run([*command, "live", "-i", "lo"], capture_output=True, text=True, timeout=60, check=False)
        if "Permission denied" in done.stderr and not done.stdout and "pcapdiag:" not in done.stderr:
            pytest.skip("another user cannot run this interpreter here")
        assert done.returncode == 3
        (line,) = done.stderr.splitlines()
        assert line.startswith("pcapdiag: lo: may not be opened by this user.")
        listed = subprocess.run([*command, "interfaces"], capture_output=True, text=True, timeout=60, check=False)
        assert listed.returncode == 3
        assert re.search(r"^lo +cannot be opened +up, loopback$", listed.stdout, re.M)
        assert listed.stdout.count("setcap cap_net_raw+ep") == 1

    def test_interfaces(self, pair: Pair, tmp_path: Path) -> None:
        listed = pair.run(pair.left, *PROGRAM, "interfaces")
        assert re.search(r"^left +can be opened +up$", listed, re.M)
        assert re.search(r"^any +can be opened ", listed, re.M)
        found = {row["name"]: row for row in json.loads(pair.run(pair.left, *PROGRAM, "interfaces", "--json"))}
        assert found["left"]["can_be_opened"]
        assert found["left"]["problem"] is None

    @pytest.mark.skipif(shutil.which("dumpcap") is None, reason="needs dumpcap (on Debian: wireshark-common)")
    def test_the_engine_of_wireshark(self, pair: Pair, tmp_path: Path) -> None:
        output = tmp_path / "out"
        process = self.live(pair, output, "--engine", "tshark", "--stop-on", "stalled")
        time.sleep(1.5)
        self.send(pair, 1)
        assert process.wait(15) == 1
        assert "STALLED after MM1" in output.read_text()
        assert "Traceback" not in output.with_suffix(".err").read_text()

    @pytest.mark.skipif(shutil.which("dumpcap") is None, reason="needs dumpcap (on Debian: wireshark-common)")
    def test_what_dumpcap_refuses_is_one_line(self, pair: Pair, tmp_path: Path) -> None:
        output = tmp_path / "out"
        process = pair.start(pair.left, *PROGRAM, "live", "-q", "-i", "nowhere", "--engine", "tshark", output=output)
        assert process.wait(15) == 3
        (line,) = output.read_text().splitlines()
        assert "nowhere: dumpcap: " in line

    @pytest.mark.skipif(shutil.which("dumpcap") is None, reason="needs dumpcap (on Debian: wireshark-common)")
    def test_through_dumpcap_as_the_message_says(self, pair: Pair, tmp_path: Path) -> None:
        output = tmp_path / "out"
        dumpcap = ("dumpcap", "-q", "-i", "left", "-f", "udp or icmp or icmp6", "-P", "-w", "-")
        source = pair.pipe(pair.left, dumpcap, (*PROGRAM, "live", "-"), output)
        until([output.with_suffix(".err")], b"watching standard input", 20)
        until([output.with_suffix(".source")], b"Capturing on", 20)
        time.sleep(0.5)
        self.send(pair, 1)
        until([output], b"STALLED after MM1", 10)
        assert source.poll() is None
        stop(source, signal.SIGINT)


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
class TestFullScreen:
    """On a terminal that tmux gives it."""

    @pytest.fixture
    def tmux(self, tmp_path: Path) -> Iterator["Terminal"]:
        terminal = Terminal(tmp_path)
        yield terminal
        terminal.command("kill-server")

    def test_table_detail_and_back(self, tmux: "Terminal") -> None:
        captures = " ".join(str(CAPTURES / n) for n in ("mm5-psk-mismatch.pcap",))
        tmux.run(f"(cat {captures}; sleep 60) | {' '.join(PROGRAM)} live --watch -; echo status $?; sleep 60")
        screen = tmux.shows("▸ 09:03:30 10.1.0.2 → 10.2.0.2", "1 rejected", "q quit")
        assert "rejected  MM_WAIT_MSG6" in screen
        assert "1 rejected" in screen.splitlines()[0]
        assert "q quit" in screen.rstrip().splitlines()[-1]
        tmux.press("Enter")
        screen = tmux.shows("REJECTED after MM5", "━━ Exchange 1: Main Mode")
        assert "━━ Exchange 1: Main Mode" in screen
        tmux.press("NPage")
        tmux.shows("What may be the cause")
        tmux.press("Escape")
        tmux.shows("▸ 09:03:30")
        tmux.press("q")
        screen = tmux.shows("Ended by q", "exchanges: 1 rejected")
        assert "exchanges: 1 rejected" in screen

    def test_many_exchanges_scroll(self, tmux: "Terminal") -> None:
        capture = CAPTURES / "scan-main-mode.pcap"
        tmux.run(f"(cat {capture}; sleep 60) | {' '.join(PROGRAM)} live --watch -")
        screen = tmux.shows("▸")
        first = next(line for line in screen.splitlines() if "▸" in line)
        tmux.press("Down", "Down")
        time.sleep(0.5)
        rows = [line for line in tmux.screen().splitlines() if "→" in line and "Mode" not in line]
        assert len([line for line in rows if line.startswith("▸")]) <= 1
        assert first
        tmux.press("q")

    def test_ctrl_c_gives_the_terminal_back(self, tmux: "Terminal") -> None:
        tmux.run(f"(cat {CAPTURES}/completed-psk.pcap; sleep 60) | {' '.join(PROGRAM)} live --watch -; sleep 60")
        tmux.shows("completed")
        tmux.press("C-c")
        tmux.shows("Ended by Ctrl-C")


class Terminal:
    """A tmux server of the test's own, with one pane."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / "tmux")

    def command(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *arguments], capture_output=True, text=True, timeout=20, check=False
        )
        return done.stdout

    def run(self, command: str) -> None:
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
        for size in ("LINES", "COLUMNS"):  # what is not there, curses asks the terminal for
            environment.pop(size, None)
        arguments = ("-u", "-S", self._socket, "new-session", "-d", "-x", "100", "-y", "30", f"cd {ROOT}; {command}")
        subprocess.run(["tmux", *arguments], check=True, timeout=20, env=environment)

    def press(self, *keys: str) -> None:
        self.command("send-keys", *keys)

    def screen(self) -> str:
        return self.command("capture-pane", "-p")

    def shows(self, *texts: str, seconds: float = 30) -> str:
        """Wait until all of this is on the screen, which is painted in pieces."""
        end = time.monotonic() + seconds
        while not all(text in (screen := self.screen()) for text in texts):
            assert time.monotonic() < end, f"{texts!r} does not come:\n{screen}"
            time.sleep(0.1)
        return screen


def test_the_systemd_unit_uses_options_that_exist() -> None:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "contrib" / "pcapdiag-live@.service")
    program, command, *arguments = unit["Service"]["ExecStart"].split()
    assert program.endswith("/bin/pcapdiag")
    assert command == live.name
    known = {name for option in live.params for name in option.opts}
    assert {a for a in arguments if a.startswith("-")} <= known
    assert unit["Service"]["SuccessExitStatus"] == "1 4"
    assert unit["Service"]["AmbientCapabilities"] == "CAP_NET_RAW"
    assert unit["Service"]["SystemCallFilter"] == "capset"  # the last word on it


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (on Debian: systemd)")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    text = (ROOT / "contrib" / "pcapdiag-live@.service").read_text()
    unit = tmp_path / "pcapdiag-live@eth0.service"
    unit.write_text(text.replace("/opt/pcapdiag/bin/pcapdiag", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60, check=False)
    mine = [line for line in done.stderr.splitlines() if "pcapdiag-live@" in line and "man pcap-filter" not in line]
    assert not mine


def test_help_says_what_there_is() -> None:
    for command in (live, interfaces):
        result = CliRunner().invoke(main, [str(command.name), "--help"])
        assert result.exit_code == 0
    assert "--stop-on" in CliRunner().invoke(main, ["live", "--help"]).output
