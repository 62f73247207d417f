"""Headless Chromium for the tests, driven over a pipe with its DevTools protocol: no driver and no port.

Needs the program `chromium` (Debian's package of that name). What the page asks for is recorded.
"""

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
PATIENCE = 30.0


def need_chromium() -> None:
    """Skip where there is no browser."""
    if CHROMIUM is None:
        pytest.skip("needs chromium")


class Browser:
    """One page. `requests` are the addresses that it asked for, `complaints` what it said on its console."""

    def __init__(self, process: "subprocess.Popen[bytes]", send: int, receive: int) -> None:
        self._process, self._send, self._receive = process, send, receive
        self._numbers = itertools.count(1)
        self._buffer = b""
        self._session: str | None = None
        self.requests: list[str] = []
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """One command; its result."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._send, json.dumps(command).encode() + b"\0")
        while (answer := self._next()).get("id") != number:
            self._note(answer)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _next(self) -> Any:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._receive], [], [], max(0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            octets = os.read(self._receive, 1 << 20)
            assert octets, "the browser is gone"
            self._buffer += octets
        line, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(line)

    def _note(self, event: Any) -> None:
        method, what = event.get("method"), event.get("params")
        if method == "Network.requestWillBeSent":
            self.requests.append(what["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(what["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(what["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(str(what["args"]))
        elif method == "Page.javascriptDialogOpening":
            self.complaints.append(f"dialog: {what['message']}")

    def open(self, page: Path, *, width: int = 1400, dark: bool = False, scripts: bool = True) -> None:
        """Show a file in a window of that width."""
        self.requests, self.complaints = [], []
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.appear(width=width, dark=dark)
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=page.as_uri())
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")
        self.requests = [url for url in self.requests if url != "about:blank"]

    def appear(self, *, width: int = 1400, dark: bool = False) -> None:
        """Change the width of the window, and what the user prefers."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, which may be a promise."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until the condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not self.evaluate(condition):
            assert time.monotonic() < deadline, condition
            time.sleep(0.02)

    def press(self, key: str, *, shift: bool = False) -> None:
        """One key: "Tab", "Enter", " " …"""
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39}
        text = {"Enter": "\r", " ": " "}.get(key, "")
        how = {"key": key, "windowsVirtualKeyCode": codes.get(key, 0), "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **how)
        self.call("Input.dispatchKeyEvent", type="keyUp", **how)

    def point(self, selector: str) -> None:
        """Move the pointer onto the first element that fits."""
        place = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'});"
            "const r = e.getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2]; })()"
        )
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[1])

    def tree(self) -> Sequence[tuple[str, str]]:
        """What a screen reader is told: the role and the name of everything that is not ignored."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            (n.get("role", {}).get("value", ""), n.get("name", {}).get("value", "")) for n in nodes if not n["ignored"]
        ]

    def picture(self, file: Path, *, whole: bool = True) -> None:
        """A screenshot, of the whole page or of what the window shows."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(found["data"]))

    def pdf(self, file: Path) -> None:
        """The page as it prints."""
        found = self.call("Page.printToPDF", printBackground=False, preferCSSPageSize=True)
        file.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        """Ask it to go."""
        self._session = None
        os.write(self._send, b'{"id": 0, "method": "Browser.close"}\0')


@contextlib.contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """A browser with nothing in its profile, which goes when the block ends."""
    assert CHROMIUM is not None
    to_read, send = os.pipe()
    receive, to_write = os.pipe()

    def place() -> None:
        # The browser reads from descriptor 3 and writes to 4.
        first, second = os.dup(to_read), os.dup(to_write)
        os.dup2(first, 3)
        os.dup2(second, 4)

    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    arguments += ["--disable-background-networking", "--disable-component-update", "--hide-scrollbars"]
    process = subprocess.Popen(
        [CHROMIUM, *arguments, f"--user-data-dir={profile}", "--remote-debugging-pipe"],
        preexec_fn=place,
        close_fds=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read)
    os.close(to_write)
    try:
        browser = Browser(process, send, receive)
        yield browser
        browser.close()
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        os.close(send)
        os.close(receive)
