"""The command: what it prints, and its exit status."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pcapdiag.cli.compare import compare
from pcapdiag.cli.main import main
from tests import CAPTURES
from tests.comparison.savefiles import LEFT, RIGHT


def run(*arguments: object) -> Result:
    return CliRunner().invoke(compare, [str(a) for a in arguments])


def test_the_ladder_has_a_column_for_each_point_and_lost_arrows() -> None:
    result = run(LEFT, RIGHT)
    assert result.exit_code == 1
    assert "B's clock is" in result.output
    ladder = [line for line in result.output.splitlines() if "MM4" in line and "✗" in line]
    assert len(ladder) >= 4
    assert all(line.rstrip().endswith("lost") for line in ladder)
    assert "initiator MM_WAIT_MSG4, responder MM_WAIT_MSG5" in result.output
    assert all(len(line) <= 80 for line in result.output.splitlines() if "tcpdump" not in line)


def test_json() -> None:
    document = json.loads(run(LEFT, RIGHT, "--json").output)
    assert [c["point"] for c in document["captures"]] == ["A", "B"]


def test_what_was_captured_at_both_ends_is_not_asked_for_again() -> None:
    assert "tcpdump" not in run(LEFT, RIGHT).output


def test_advice_is_for_an_end_as_that_of_analyze_is() -> None:
    output = run(LEFT, RIGHT, "--local", "10.1.0.2", "--platform", "10.1.0.2=asa").output
    assert "At 10.1.0.2 (initiator, Cisco ASA or FTD):" in output
    assert "To the administrator of 10.2.0.2" in output
    assert "Captures at several points, of 2026-11-23" in output
    assert "a capture on your side" not in output
    assert run(LEFT, RIGHT, "--platform", "gateway=asa").exit_code == 2


def test_one_line() -> None:
    assert len(run(LEFT, RIGHT, "-q").output.splitlines()) == 1


def test_markdown_html_and_svg(tmp_path: Path) -> None:
    page, picture = tmp_path / "page.html", tmp_path / "ladder.svg"
    result = run(LEFT, RIGHT, "--markdown", "--html", page, "--svg", picture)
    assert result.exit_code == 1
    assert "```text" in result.output
    assert "<svg" in page.read_text()
    assert picture.read_text().startswith("<svg")


def test_a_completed_exchange_is_status_0() -> None:
    path = CAPTURES / "completed-psk.pcap"
    assert run(path, path).exit_code == 0


def test_different_failures_are_status_3() -> None:
    result = run(LEFT, CAPTURES / "completed-ipv6.pcap")
    assert result.exit_code == 3
    assert "different failures" in result.output


@pytest.mark.parametrize("arguments", [(LEFT,), (), (LEFT, RIGHT, "--json", "--markdown")])
def test_wrong_usage(arguments: tuple[object, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_nothing_is_written_over_a_capture(tmp_path: Path) -> None:
    copy = tmp_path / "copy.pcap"
    copy.write_bytes(LEFT.read_bytes())
    assert run(copy, RIGHT, "--html", copy).exit_code == 3
    assert copy.read_bytes() == LEFT.read_bytes()


def test_analyze_says_that_captures_are_of_one_failure() -> None:
    both = CliRunner().invoke(main, ["analyze", "-q", str(LEFT), str(RIGHT)])
    assert "pcapdiag compare" in both.output
    path = str(CAPTURES / "completed-psk.pcap")
    twice = CliRunner().invoke(main, ["analyze", "-q", path, path])
    assert "pcapdiag compare" not in twice.output


def test_the_packets_of_all_points_in_one_file(tmp_path: Path) -> None:
    output = tmp_path / "both.pcapng"
    result = run(LEFT, RIGHT, "-q", "--carve", output)
    assert result.exit_code == 1
    assert "frames of 2 points" in result.stderr
    assert output.read_bytes()[:4] == b"\n\r\r\n"


def test_what_came_through_a_pipe_cannot_be_carved(tmp_path: Path) -> None:
    arguments = ["-", str(RIGHT), "-q", "--carve", str(tmp_path / "both.pcapng")]
    result = CliRunner().invoke(compare, arguments, input=LEFT.read_bytes())
    assert result.exit_code == 3
    assert "read a second time" in result.stderr
