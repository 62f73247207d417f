"""Root is given up once the interfaces are open, and everything still works: on the loopback interface, for real."""

import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pcapdiag.live import privileges
from pcapdiag.live.privileges import Identity, PrivilegeError
from tests.messages import main_mode

needs_root = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0, reason="takes root and the loopback interface of Linux"
)
NOBODY = 65_534
SUDO = {"SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY)}
LATE = 30.0
"""Seconds that a busy machine may take for what takes one."""


# --- who to become ---------------------------------------------------------------------------------------------


def test_without_root_there_is_nobody_to_become(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("SUDO_UID", "1000")
    assert privileges.chosen(None) is None
    with pytest.raises(PrivilegeError, match=r"^only root can become nobody$"):
        privileges.chosen("nobody")


@pytest.mark.parametrize("caller", ["", "0", "-5", "x", "1; id"])
def test_root_stays_root_where_no_user_called_sudo(caller: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_UID", caller)
    assert privileges.chosen(None) is None
    assert privileges.chosen("root") is None


def test_who_called_sudo_is_become(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name, value in SUDO.items():
        monkeypatch.setenv(name, value)
    found = privileges.chosen(None)
    assert found is not None
    assert (found.name, found.uid, found.groups[0]) == ("nobody", NOBODY, NOBODY)
    assert 0 not in found.groups


def test_a_caller_without_an_entry_has_the_group_that_sudo_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_UID", "40404")
    monkeypatch.setenv("SUDO_GID", "40405")
    assert privileges.chosen(None) == Identity("40404", 40_404, (40_405,))


def test_an_unknown_user() -> None:
    with pytest.raises(PrivilegeError, match=r"^there is no user no-such-user$"):
        privileges.chosen("no-such-user")


# --- for real --------------------------------------------------------------------------------------------------


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that nobody else can look into; pytest's own are closed to him."""
    found = Path(tempfile.mkdtemp(prefix="pcapdiag-"))
    os.chown(found, NOBODY, NOBODY)
    yield found
    shutil.rmtree(found)


@contextmanager
def watching(*options: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "pcapdiag", "live", "-i", "lo", *options]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SUDO_UID": "", **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def begun(process: "subprocess.Popen[str]") -> None:
    """Wait until it watches."""
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("pcapdiag: watching lo"), line


def rights(pid: int) -> list[dict[str, str]]:
    """What /proc says of each thread."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
        found.append({name: " ".join(value.split()) for name, value in fields.items()})
    return found


def speak(count: int = 1, fill: int = 0) -> None:
    """Message 1 of so many exchanges, over the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for n in range(count):
            octets = bytes([fill, n, 1, 1, 1, 1, 1, 1]) + main_mode(1)[8:]
            sender.sendto(octets, ("127.0.0.1", 500))


def waited(process: "subprocess.Popen[str]", ends: str) -> str:
    assert process.stdout is not None
    said = ""
    while ends not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def ended(process: "subprocess.Popen[str]") -> tuple[str, str]:
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=LATE)


def powerless(pid: int, uid: int = NOBODY) -> None:
    for thread in rights(pid):
        assert thread["Uid"] == " ".join([str(uid)] * 4)
        assert thread["Gid"] == " ".join([str(uid)] * 4)
        assert "0" not in thread["Groups"].split()
        for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            assert int(thread[kind], 16) == 0, kind


@needs_root
def test_under_sudo_everything_but_the_opening_is_done_as_the_caller(folder: Path) -> None:
    capture, metrics = folder / "ike.pcapng", folder / "metrics.prom"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["-w", str(capture), "--rotate-size", "0.001", "--rotate-count", "3", "--metrics", str(metrics)]
    with watching(*options, "--metrics-listen", f"127.0.0.1:{port}", **SUDO) as process:
        begun(process)
        speak()
        waited(process, "MM1")
        powerless(process.pid)
        for fill in range(1, 6):
            speak(8, fill)
            time.sleep(0.1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=LATE) as answer:
            assert b"pcapdiag_messages_total" in answer.read()
        powerless(process.pid)
        said, complaints = ended(process)
    assert complaints == ""
    assert "Ended by Ctrl-C" in said
    assert "STALLED" in said or "INCONCLUSIVE" in said or "waits" in said or "inconclusive" in said.lower()
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["ike.1.pcapng", "ike.2.pcapng", "ike.pcapng", "metrics.prom"]
    for path in folder.iterdir():
        assert path.stat().st_uid == NOBODY
    assert {(folder / name).stat().st_mode & 0o777 for name in files[:3]} == {0o600}
    assert "pcapdiag_messages_total 41" in metrics.read_text()


@needs_root
def test_the_verdict_comes_out_of_an_installation_that_the_user_cannot_read(folder: Path) -> None:
    # Whatever is loaded late must have been loaded before; this fails where something was forgotten.
    with watching("--stop-on", "any", "--json", "--user", "nobody") as process:
        begun(process)
        speak()
        waited(process, '"message"')
        powerless(process.pid)
        said, _ = ended(process)
    assert '"verdict"' in said
    assert '"summary"' in said


@needs_root
def test_a_directory_that_the_user_may_not_write_to_is_told_at_once(folder: Path) -> None:
    os.chown(folder, 0, 0)
    for option in ("-w", "--metrics"):
        with watching(option, str(folder / "file"), **SUDO) as process:
            _, complaint = process.communicate(timeout=LATE)
        assert process.returncode == 3
        assert re.fullmatch(
            r"pcapdiag: \S+/file: cannot be written: Permission denied "
            r"\(as nobody, whom `live` became; --no-drop-privileges keeps root\)\n",
            complaint,
        )
    assert list(folder.iterdir()) == []


@needs_root
@pytest.mark.parametrize("options", [{}, {"SUDO_UID": "0"}])
def test_root_itself_stays_root(options: dict[str, str]) -> None:
    with watching(**options) as process:
        begun(process)
        assert {thread["Uid"] for thread in rights(process.pid)} == {"0 0 0 0"}


@needs_root
def test_root_is_kept_where_that_is_asked_for() -> None:
    with watching("--no-drop-privileges", **SUDO) as process:
        begun(process)
        assert {thread["Uid"] for thread in rights(process.pid)} == {"0 0 0 0"}


@needs_root
def test_an_unknown_user_is_told_before_anything_else(folder: Path) -> None:
    with watching("--user", "no-such-user", "-w", str(folder / "file")) as process:
        _, complaint = process.communicate(timeout=LATE)
    assert complaint == "pcapdiag: there is no user no-such-user\n"
    assert process.returncode == 3
    assert list(folder.iterdir()) == []


@needs_root
def test_the_full_screen_gives_root_up_too() -> None:
    pid, descriptor = pty.fork()
    if pid == 0:
        environment = {**os.environ, **SUDO, "TERM": "xterm"}
        os.execve(sys.executable, [sys.executable, "-m", "pcapdiag", "live", "-i", "lo", "--watch"], environment)
    try:
        shown = b""
        until = time.monotonic() + LATE
        while b"quit" not in shown and time.monotonic() < until:
            shown += os.read(descriptor, 65_536)
        powerless(pid)
        os.write(descriptor, b"q")
        while time.monotonic() < until:
            try:
                shown += os.read(descriptor, 65_536)
            except OSError:
                break
    finally:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(descriptor)
    assert status == 4  # no IKE
    assert b"Traceback" not in shown


@needs_root
def test_a_stream_is_read_without_root() -> None:
    from tests import CAPTURES

    command = [sys.executable, "-m", "pcapdiag", "live", "-q", "-"]
    with (CAPTURES / "mm1-no-reply.pcap").open("rb") as stream:
        done = subprocess.run(command, stdin=stream, capture_output=True, env={**os.environ, **SUDO}, timeout=LATE)
    assert done.returncode == 1
    assert b"stalled" in done.stdout.lower()


@needs_root
def test_a_user_with_capabilities_loses_them() -> None:
    script = (
        "from pcapdiag.live import privileges; privileges._drop_capabilities(); print(open('/proc/self/status').read())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=LATE, check=True)
    assert re.search(r"^CapEff:\s+0+$", done.stdout, re.MULTILINE)
    assert re.search(r"^CapPrm:\s+0+$", done.stdout, re.MULTILINE)


@needs_root
def test_what_did_not_go_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "setgroups", lambda groups: None)
    monkeypatch.setattr(os, "setresgid", lambda *ids: None)
    monkeypatch.setattr(os, "setresuid", lambda *ids: None)
    monkeypatch.setattr(privileges, "_drop_capabilities", lambda: None)
    with pytest.raises(PrivilegeError, match=r"^root's rights did not go when this process became nobody$"):
        privileges.drop(Identity("nobody", NOBODY, (NOBODY,)))
