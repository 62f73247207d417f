"""Nothing that a peer or a file name says acts: in a terminal, in JSON, in metrics, in what goes to standard error.

Through the real commands, on a terminal as well; `fuzz` has the same for what the dice make of it.
"""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from fuzz.report_targets import is_json, shows_nothing_hostile
from pcapdiag.pipeline import analyze
from tests.capture.frames import A, B, ethernet, ipv4, pcap, udp
from tests.messages import COOKIE_I, COOKIE_R, ZERO, ke, main_mode, message, notify, sa
from tests.report.reports import as_json, as_text

PROGRAM = [sys.executable, "-m", "pcapdiag"]
ACTS = (
    "\x1b]0;title\x07"
    "\x1b]52;c;cm0gLXJmIH4=\x07"
    "\x1b]8;;http://example.net\x1b\\link\x1b]8;;\x1b\\"
    "\x1b[2J\x1b[H\x1b[31m\x9b31m\x90q\x9c"
    "\nforged line\r\x08\x7f\x00\x0b"
    "\u202egnp\u2066\u200b\u200d\u2028\u2029\ufeff\U000e0041"
    "<script>alert(1)</script>&\"'=cmd|' /C calc'!A0 %s {0}"
)
"""Titles, the clipboard, links, colours, C1 controls, lines, direction marks, invisible characters, markup, formula."""
OCTETS = ACTS.encode()[:250] + b"\xed\xa0\x80\xff\xfe\xc0\x80\x9b31m"
NAME = ACTS.replace("/", "\u2215").replace("\0", "")[:60] + "\udcff.pcap"
"""A file name of the same, with an octet that is no UTF-8."""
_CLEARED = re.compile(r"\x1b\[K|\r")


def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, ACTS[:60].replace("\0", "")),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "\u202e\x1b]0;o\x07"),
        ]
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2021, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("\x1b]0;san\x07")]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


def hostile() -> bytes:
    """Aggressive Mode, Main Mode and IKEv2 with such octets wherever there is room for them."""
    der = certificate()
    name = x509.load_der_x509_certificate(der).subject.public_bytes()
    vendor = [
        (13, OCTETS),
        (13, b"OE-Libreswan-\x1b]0;v\x07"),
        (13, b"strongSwan \x9b31m\n"),
        (13, b"\x1b[31mFRAGMENT"),
    ]
    said = [notify(14, OCTETS, OCTETS), notify(24, data=OCTETS), (11, b"\0\0\0\x01\x01\x00\xff\xff" + OCTETS)]
    frames = []
    for n, identity in enumerate(
        (b"\x02\0\0\0" + OCTETS, b"\x03\0\0\0" + OCTETS, b"\x0b\0\0\0" + OCTETS, b"\x09\0\0\0" + name)
    ):
        cookies = (bytes([65 + n] * 8), bytes([97 + n] * 8))
        first = [sa(), *ke(), (5, identity), *vendor, (7, b"\x04" + name), *said]
        second = [sa(), *ke(), (5, identity), (6, b"\x04" + der), *vendor, (8, bytes(20)), *said]
        frames.append((True, message(4, first, cookies=(cookies[0], ZERO))))
        frames.append((False, message(4, second, cookies=cookies)))
        frames.append((True, message(4, [(8, bytes(20)), *said], cookies=cookies)))
    frames += [(True, main_mode(1)), (False, message(5, [notify(14, data=OCTETS)], cookies=(COOKIE_I, COOKIE_R)))]
    init = message(
        34, [(33, b""), (43, OCTETS), (41, b"\0\0\x40\x04" + OCTETS)], version=0x20, flags=8, cookies=(b"Z" * 8, ZERO)
    )
    frames.append((True, init))
    frames.append(
        (False, message(34, [(41, b"\0\0\0\x0e" + OCTETS)], version=0x20, flags=32, cookies=(b"Z" * 8, ZERO)))
    )
    made = []
    for number, (left, octets) in enumerate(frames):
        ends = {"source": A, "destination": B} if left else {"source": B, "destination": A}
        made.append((1_700_000_000_000_000_000 + number * 10**9, ethernet(ipv4(udp(octets), **ends)), None))  # type: ignore[arg-type]
    return pcap([frame for _, frame, _ in made])


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / NAME
    path.write_bytes(hostile())
    return path


# --- in process ------------------------------------------------------------------------------------------------


def test_every_report_of_a_hostile_capture(capture: Path) -> None:
    report = analyze(capture)
    assert len(report.diagnoses) == 6
    for detail in (-1, 0, 1):
        shows_nothing_hostile(as_text(report, colour=True, detail=detail))
    text = as_text(report, detail=1)
    assert r"FQDN \x1b]0;title\x07\x1b]52;c;cm0gLXJmIH4=\x07" in text.replace("\n", "").replace("  ", "")
    found = as_json(report)
    is_json(found)
    assert json.loads(found)["captures"][0]["path"].encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def test_certificates_and_names_in_them(capture: Path) -> None:
    report = analyze(capture)
    evidence = " ".join(e.text for d in report.diagnoses for e in d.evidence)
    assert "2020" in evidence or "expired" in evidence  # the certificate was read
    shows_nothing_hostile(evidence)


# --- the real commands -----------------------------------------------------------------------------------------


def on_a_terminal(command: list[str | bytes], stdin: int | None = None) -> str:
    """What the command writes to a terminal, to both of its outputs."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}
    process = subprocess.Popen(command, stdin=stdin or follower, stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    shown = io.BytesIO()
    while True:
        try:
            piece = os.read(leader, 65_536)
        except OSError:
            break
        if not piece:
            break
        shown.write(piece)
    process.wait(timeout=60)
    os.close(leader)
    return shown.getvalue().decode()


def harmless(shown: str) -> None:
    assert shown
    assert "Traceback" not in shown
    shows_nothing_hostile(_CLEARED.sub("", shown))


@pytest.mark.parametrize("options", [["-v"], ["-q"], ["--json"], ["--color", "always"]], ids=" ".join)
def test_analyze_on_a_terminal(options: list[str], capture: Path) -> None:
    harmless(on_a_terminal([*PROGRAM, "analyze", *options, os.fsencode(capture)]))


@pytest.mark.parametrize("form", ["text", "csv", "ndjson"])
def test_messages_on_a_terminal(form: str, capture: Path) -> None:
    harmless(on_a_terminal([*PROGRAM, "messages", "-v", "--format", form, os.fsencode(capture)]))


def test_a_formula_is_text_in_csv(capture: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "messages", "--format", "csv", os.fsencode(capture)], capture_output=True, timeout=60
    )
    for row in csv.reader(io.StringIO(done.stdout.decode())):
        assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for cell in row)


@pytest.mark.parametrize("options", [[], ["-q"], ["--json"]], ids=" ".join)
def test_live_on_a_terminal(options: list[str], capture: Path) -> None:
    with capture.open("rb") as stream:
        harmless(on_a_terminal([*PROGRAM, "live", *options, "-"], stream.fileno()))


def wrong(folder: Path) -> Iterator[list[str | bytes]]:
    """Uses of hostile names and words that end in a message."""
    name = os.fsencode(folder / NAME)
    words = os.fsencode(NAME)
    good = os.fsencode(folder / "good.pcap")
    yield ["analyze", name]
    yield ["analyze", words]
    yield ["analyze", name + b"*"]
    yield ["analyze", "--keys", name, good]
    yield ["analyze", "--psk-file", name, good]
    yield ["analyze", "--peer", words, good]
    yield ["analyze", "--spi", words, good]
    yield ["analyze", "--engine", words, good]
    yield ["analyze", b"--" + words]
    yield ["analyze", "--port", words, good]
    yield [words]
    yield ["explain", words]
    yield ["live", name]
    yield ["live", "-i", words]
    yield ["live", "-i", "lo", "-w", name + b"/x"]
    yield ["live", "-i", "lo", "--metrics", name + b"/x"]
    yield ["live", "-i", "lo", "--metrics-listen", words]
    yield ["live", "-i", "lo", "--user", words]
    yield ["live", "-i", "lo", "--stop-on", words]


@pytest.mark.parametrize("number", range(19))
def test_error_messages_about_hostile_names(number: int, tmp_path: Path) -> None:
    (tmp_path / "good.pcap").write_bytes(hostile())
    arguments = list(wrong(tmp_path))[number]
    harmless(on_a_terminal([*PROGRAM, *arguments]))


def test_a_damaged_capture_of_a_hostile_name(tmp_path: Path) -> None:
    for octets in (b"", b"\x1b]0;x\x07 is no capture", hostile()[:-9], b"\n\r\r\n" + bytes(20)):
        (tmp_path / NAME).write_bytes(octets)
        harmless(on_a_terminal([*PROGRAM, "analyze", os.fsencode(tmp_path / NAME)]))


def test_tables_of_keys_with_hostile_rows(tmp_path: Path) -> None:
    (tmp_path / "good.pcap").write_bytes(hostile())
    (tmp_path / "ikev1_decryption_table").write_bytes(OCTETS + b",\x1b[31m\n")
    shown = on_a_terminal([*PROGRAM, "analyze", "--keys", str(tmp_path), str(tmp_path / "good.pcap")])
    harmless(shown)


def test_the_full_screen_shows_names_as_text(capture: Path) -> None:
    """Curses writes escapes of its own; none of the hostile ones may be among them."""
    pid, descriptor = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", LC_ALL="C.UTF-8", LINES="50", COLUMNS="150")
        script = (
            "import sys, os; fifo = os.open(sys.argv.pop(1).encode('utf-8', 'surrogateescape'), os.O_RDONLY);"
            "os.dup2(fifo, 0); from pcapdiag.__main__ import run; run()"
        )
        os.execv(sys.executable, [sys.executable, "-c", script, os.fsencode(capture), "live", "--watch", "-"])
    shown = b""
    os.set_blocking(descriptor, True)
    quit_at = 0
    try:
        while True:
            shown += os.read(descriptor, 65_536)
            if quit_at == 0 and b"(ended)" in shown:
                os.write(descriptor, b"\r")
                quit_at = len(shown)
            elif quit_at and len(shown) > quit_at:
                os.write(descriptor, b"q")
    except OSError:
        pass
    os.waitpid(pid, 0)
    os.close(descriptor)
    assert b"192.0.2.1" in shown
    for sequence in (b"\x1b]", b"\x1b_", b"\x1bP", b"\xe2\x80\xae", b"\xc2\x9b", b"\x07"):
        assert sequence not in shown
