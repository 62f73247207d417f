"""Which tests need more than Python, and which take long: markers, so that either can be left out.

pytest -m "not system and not slow"     what a change is tried with first
pytest -m system                        what needs tshark, Chromium, tmux, root, strongSwan …
"""

import os

import pytest

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them; those that disturb each other go to one worker."""
    for item in items:
        name = item.nodeid.removeprefix("tests/")
        if name.startswith(SYSTEM):
            item.add_marker(pytest.mark.system)
        if name.startswith(SLOW):
            item.add_marker(pytest.mark.slow)
        group = "loopback" if name.startswith(ONE_AT_A_TIME) else name.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
