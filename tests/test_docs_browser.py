"""The page that runs the program in the reader's browser: in headless Chromium, from a server of this machine.

Needs Chromium, and what `python docs/tools/browser.py` fetches (with npm); it is fetched here where it is not there.
"""

import gzip
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

import pcapdiag
from tests import CAPTURES
from tests.browser import Browser, chromium, need_chromium

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "build" / "browser"
SECONDS_TO_LOAD = 60
SECONDS_FOR_2_MB = 5.0
SCALES = {"sparse": "0.00101", "dense": "0.008"}
"""Of what benchmarks/generate.py makes, to have two megabytes of it."""
NAMES = (
    "mm5-udp-4500-blocked.pcap",
    "ikev2-authentication-failed.pcap",
    "phase2-refused.pcap",
    "completed-psk-nanoseconds.pcapng",
)


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, remembers what was asked for, and says nothing."""

    asked: ClassVar[list[str]] = []

    def log_message(self, format: str, *arguments: Any) -> None:
        type(self).asked.append(self.path)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the site, as a server of this machine has it."""
    need_chromium()
    if importlib.util.find_spec("material") is None:
        pytest.skip("needs the extra `docs`")
    if not (BUILT / "packages.zip").is_file():
        if shutil.which("npm") is None:
            pytest.skip("needs npm")
        fetched = subprocess.run([sys.executable, str(ROOT / "docs/tools/browser.py")], capture_output=True, text=True)
        if fetched.returncode:
            pytest.skip(f"cannot be fetched: {fetched.stderr[-200:]}")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-P", "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The page, with the program loaded."""
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        found.call("Page.navigate", url=f"{address}/try/index.html")
        for _ in range(SECONDS_TO_LOAD):
            if found.evaluate("new Promise(r => setTimeout(() => r(document.body.dataset.ready), 1000))"):
                break
        assert found.evaluate("document.body.dataset.ready") == "yes", (shown(found), found.complaints)
        yield found


def shown(browser: Browser) -> str:
    return str(browser.evaluate("document.getElementById('state').textContent"))


def given(browser: Browser, path: Path) -> dict[str, str]:
    """Choose a file in the page; what it says of it."""
    node = browser.call("DOM.getDocument")["root"]["nodeId"]
    field = browser.call("DOM.querySelector", nodeId=node, selector="#file")["nodeId"]
    browser.evaluate("delete document.body.dataset.report; document.getElementById('file').value = ''")
    browser.call("DOM.setFileInputFiles", files=[str(path)], nodeId=field)
    browser.wait("!document.getElementById('file').disabled")
    assert browser.evaluate("document.body.dataset.report") == path.name, shown(browser)
    found: dict[str, str] = browser.evaluate("({...document.body.dataset})")
    return found


def natively(path: Path) -> list[object]:
    """The verdicts of the program outside the browser."""
    return [
        [d.stop.outcome.value, d.tunnel.state.value, [[c.cause.id, c.status.value] for c in d.causes]]
        for d in pcapdiag.analyze(path).diagnoses
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_verdicts(browser: Browser, name: str) -> None:
    found = given(browser, CAPTURES / name)
    assert json.loads(found["verdicts"]) == natively(CAPTURES / name) != []
    assert browser.complaints == []


def test_compressed(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "mm5-psk-mismatch.pcap.gz"
    path.write_bytes(gzip.compress((CAPTURES / "mm5-psk-mismatch.pcap").read_bytes()))
    assert json.loads(given(browser, path)["verdicts"]) == natively(path) != []


def test_a_capture_that_is_dropped(browser: Browser) -> None:
    octets = list((CAPTURES / NAMES[2]).read_bytes())
    browser.evaluate(
        "delete document.body.dataset.report; (() => { const carried = new DataTransfer();"
        f"carried.items.add(new File([new Uint8Array({octets})], 'dropped.pcap'));"
        "document.getElementById('drop').dispatchEvent(new DragEvent('drop', {dataTransfer: carried})); })()"
    )
    browser.wait("document.body.dataset.report === 'dropped.pcap'")
    assert json.loads(browser.evaluate("document.body.dataset.verdicts")) == natively(CAPTURES / NAMES[2])


def test_the_same_report(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = NAMES[0]
    given(browser, CAPTURES / name)
    monkeypatch.chdir(CAPTURES)
    assert browser.evaluate("document.getElementById('report').srcdoc") == pcapdiag.analyze(name).to_html()


def test_the_report_is_alive_in_its_frame_and_cannot_reach_out(browser: Browser) -> None:
    given(browser, CAPTURES / NAMES[0])
    assert browser.evaluate("document.getElementById('report').sandbox.value") == "allow-scripts"
    assert browser.evaluate("document.getElementById('report').contentDocument") is None
    # The frame has the policy of the page as well as its own: the page lets the report's style and script pass.
    page = browser.evaluate("document.querySelector('meta[http-equiv]').content")
    report = unescape(browser.evaluate("document.getElementById('report').srcdoc"))
    hashes = re.findall(r"(?:style|script)-src ('sha256-[^']*')", report)
    assert len(hashes) == 2
    assert all(one in page for one in hashes)


def test_what_is_no_capture_is_said(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "note.pcap").write_text("this is no capture")
    node = browser.call("DOM.getDocument")["root"]["nodeId"]
    field = browser.call("DOM.querySelector", nodeId=node, selector="#file")["nodeId"]
    browser.call("DOM.setFileInputFiles", files=[str(tmp_path / "note.pcap")], nodeId=field)
    browser.wait("!document.getElementById('file').disabled")
    assert "not a" in shown(browser) or "no capture" in shown(browser)


@pytest.mark.parametrize("what", ["ike", "sparse", "dense"])
def test_two_megabytes(browser: Browser, tmp_path: Path, what: str) -> None:
    """One exchange over and over; IKE in bulk traffic, as a capture at a gateway has it; thousands of cookies."""
    path = tmp_path / f"{what}.pcap"
    if what in SCALES:
        script = ROOT / "benchmarks" / "generate.py"
        command = [sys.executable, str(script), str(tmp_path), path.name, "--scale", SCALES[what]]
        subprocess.run(command, check=True, capture_output=True)
    else:
        whole = (CAPTURES / "completed-psk.pcap").read_bytes()
        header, records = whole[:24], whole[24:]
        path.write_bytes(header + records * (2_000_000 // len(records) + 1))
    assert path.stat().st_size >= 2_000_000
    given(browser, CAPTURES / NAMES[0])  # what is loaded at the first use is loaded
    found = given(browser, path)
    assert json.loads(found["verdicts"]) == natively(path) != []
    print(f"{path.stat().st_size / 1e6:.2f} MB of {what}: {float(found['took']) / 1000:.2f} s")
    assert float(found["took"]) / 1000 < SECONDS_FOR_2_MB


def test_it_speaks_to_no_other_host(browser: Browser, address: str) -> None:
    """Neither the page nor its worker, which has the page's policy because it is made of a blob."""
    other = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(ROOT / "docs")))
    threading.Thread(target=other.serve_forever, daemon=True).start()
    elsewhere = f"http://127.0.0.1:{other.server_port}/other-host"
    ask = f"fetch({json.dumps(elsewhere)}, {{mode: 'no-cors'}}).then(() => 'reached', () => 'refused')"
    try:
        assert browser.evaluate(ask) == "refused"
        source = json.dumps(f"{ask}.then(postMessage)")
        in_a_worker = (
            f"new Promise(r => {{ const blob = new Blob([{source}], {{type: 'text/javascript'}});"
            " const w = new Worker(URL.createObjectURL(blob), {type: 'module'});"
            " w.onmessage = e => r(e.data); w.onerror = e => r('not begun'); })"
        )
        assert browser.evaluate(in_a_worker) == "refused"
    finally:
        other.shutdown()
        other.server_close()
    assert "/other-host" not in Quiet.asked
    assert all(url.startswith((address, "blob:", "data:", "about:")) or url == elsewhere for url in browser.requests)


def test_nothing_of_the_capture_is_sent(browser: Browser) -> None:
    """Once it is loaded, it asks its own server for nothing either."""
    before = len(Quiet.asked)
    given(browser, CAPTURES / NAMES[1])
    assert Quiet.asked[before:] == []
