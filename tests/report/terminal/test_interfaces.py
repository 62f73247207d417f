"""The list of interfaces."""

import json

from pcapdiag.capture.interface import Listed
from pcapdiag.report.terminal.interfaces import as_lines, as_object


def listed(name: str, problem: str | None = None, up: bool = True) -> Listed:
    return Listed(name, "the \x1b outside" if name == "eth0" else "", up, up, name == "lo", problem)


def test_a_line_for_each() -> None:
    lines = list(as_lines([listed("eth0"), listed("lo"), listed("eth10", "the interface is not up", up=False)]))
    assert lines == [
        "eth0   can be opened      up  (the \\x1b outside)",
        "lo     can be opened      up, loopback",
        "eth10  cannot be opened   down",
        "eth10: the interface is not up",
    ]


def test_a_problem_that_several_have_is_told_once() -> None:
    refused = "may not be opened: dumpcap -q -i {} -w - | pcapdiag live -"
    found = [listed(name, refused.format(name)) for name in ("eth0", "eth1")]
    assert list(as_lines(found))[2:] == ["eth0, eth1: may not be opened: dumpcap -q -i IFACE -w - | pcapdiag live -"]


def test_as_json() -> None:
    (text,) = as_object([listed("eth0", "no")])
    (row,) = json.loads(text)
    assert (row["name"], row["can_be_opened"], row["problem"], row["up"]) == ("eth0", False, "no", True)
