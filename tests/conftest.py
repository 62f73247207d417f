"""Which tests need more than Python, and which take long: markers, so that either can be left out.

pytest -m "not system and not slow"     what a change is tried with first
pytest -m system                        what needs tshark, Chromium, tmux, root, strongSwan …
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

try:
    import fcntl
except ImportError:  # Windows, where none of these tests runs
    fcntl = None  # type: ignore[assignment]

os.environ["PCAPDIAG_CONFIG"] = ""  # whoever runs them may have settings

SYSTEM = (
    "capture/test_wireshark.py",
    "carve/test_anonymize.py::test_tshark",
    "cli/test_crosscheck.py",
    "cli/test_live.py",
    "crosscheck/",
    "capture/test_interface.py",
    "capture/test_savefile.py::test_real_captures_as_tshark",
    "cli/test_main.py::test_engine_tshark",
    "ike/test_registry.py::test_agrees_with_wireshark",
    "live/test_load.py",
    "live/test_privileges.py",
    "live/test_sniffer.py",
    "live/test_tunnels.py",
    "report/test_page_in_browser.py",
    "test_docs_browser.py",
    "test_hostile_output.py::test_the_full_screen",
)
"""Beginnings of the names of tests that run other programs, or capture."""
SLOW = (
    "test_benchmarks.py",
    "test_bounds.py",
    "test_docs.py",
    "test_docs_browser.py",
    "test_fuzz.py",
    "test_gateway_day.py",
    "test_notebooks.py",
    "test_wheel.py",
)
"""And of those that take seconds each."""
ONE_AT_A_TIME = ("capture/test_interface.py", "cli/test_live.py", "live/")
"""Those that capture on the loopback interface, or make network namespaces: they would be in each other's way."""


LOCK = Path(tempfile.gettempdir()) / "pcapdiag-tests.lock"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark it."""
    name = item.nodeid.removeprefix("tests/")
    if name.startswith(SYSTEM):
        item.add_marker(pytest.mark.system)
    if name.startswith(SLOW):
        item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module", autouse=True)
def alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """No two processes have tests of `ONE_AT_A_TIME` at once, of this run or of another on the same machine."""
    if fcntl is None or not request.node.nodeid.removeprefix("tests/").startswith(ONE_AT_A_TIME):
        yield
        return
    with open(LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
