"""`explain --debug`: what to turn on at every platform whose logs are read."""

import json

import pytest
from click.testing import CliRunner

from pcapdiag.cli.main import main
from pcapdiag.logs.debugging import DEBUGGING, PLATFORMS, Debugging, debugging_of
from pcapdiag.logs.lines import READERS
from pcapdiag.report.terminal import explain
from pcapdiag.report.terminal.layout import Layout


def test_every_format_that_is_read_has_its_debug() -> None:
    assert set(PLATFORMS) == {reader.platform for reader in READERS}
    with pytest.raises(ValueError, match="tuple"):
        debugging_of("vax")


@pytest.mark.parametrize("entry", DEBUGGING, ids=lambda entry: entry.platform)
def test_it_says_how_to_turn_it_off(entry: Debugging) -> None:
    assert entry.on
    assert entry.off
    assert entry.source
    text = explain.render_debugging(entry, Layout(80))
    assert max(map(len, text.splitlines())) <= 80
    for command in (*entry.before, *entry.peer, *entry.on, *entry.off):
        assert command in text
    assert ("keys may stand" in text) is entry.secrets


def test_the_command() -> None:
    result = CliRunner().invoke(main, ["explain", "--debug", "fortigate"])
    assert result.exit_code == 0
    assert "diagnose vpn ike log filter rem-addr4 ADDRESS" in result.output
    found = json.loads(CliRunner().invoke(main, ["explain", "--debug", "asa", "--json"]).output)
    assert found["debugging"]["peer"] == ["debug crypto condition peer ADDRESS"]
    for wrong in (["--debug", "vax"], ["--debug", "asa", "MM6"]):
        assert CliRunner().invoke(main, ["explain", *wrong]).exit_code == 2
