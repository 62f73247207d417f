"""The configuration file: what it may say, what wins over it, and what is said of a wrong one."""

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pcapdiag.cli.config_file import EXAMPLE, KEYS, ConfigError, read
from pcapdiag.cli.main import main
from pcapdiag.cli.settings import place
from tests import CAPTURES

STALLED = str(CAPTURES / "mm5-udp-4500-blocked.pcap")
HERE, THERE = "10.1.0.2", "10.2.0.2"


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that is in force; a test writes it."""
    path = tmp_path / "settings.toml"
    monkeypatch.setenv("PCAPDIAG_CONFIG", str(path))
    return path


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PCAPDIAG_CONFIG")
    monkeypatch.setenv("HOME", "/home/eve")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert place() == "/home/eve/.config/pcapdiag/config.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "not/absolute")
    assert place() == "/home/eve/.config/pcapdiag/config.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/etc/eve")
    assert place() == "/etc/eve/pcapdiag/config.toml"
    monkeypatch.setenv("PCAPDIAG_CONFIG", "/x.toml")
    assert place() == "/x.toml"
    monkeypatch.setenv("PCAPDIAG_CONFIG", "")
    assert place() == ""


def test_it_is_found_in_its_usual_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PCAPDIAG_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert f"{tmp_path}/pcapdiag/config.toml (not there" in run("config").stdout
    (tmp_path / "pcapdiag").mkdir()
    (tmp_path / "pcapdiag" / "config.toml").write_text(f'[names]\n"{HERE}" = "Berlin"\n')
    assert f"{HERE} (Berlin)" in run("analyze", STALLED).stdout
    assert f"names      {HERE} = Berlin  (file)" in run("config").stdout


def test_the_example_is_right_and_complete(file: Path) -> None:
    file.write_text(run("config", "--example").stdout)
    assert set(tomllib.loads(EXAMPLE)) == set(KEYS)
    assert read(str(file)).names["192.0.2.1"] == "Berlin"
    assert run("analyze", STALLED).exit_code == 1


def test_names_stand_beside_addresses_in_the_text_alone(file: Path) -> None:
    file.write_text(f'[names]\n"{HERE}" = "Berlin"\n"{THERE}" = "Lyon"\n')
    report = run("analyze", STALLED).stdout
    assert f"Exchange 1: Main Mode, {HERE} (Berlin) → {THERE} (Lyon) ━" in report
    assert f"  initiator  {HERE} (Berlin)" in report
    assert max(map(len, report.splitlines())) <= 80
    assert f"{HERE} (Berlin)" in run("compare", STALLED, STALLED).stdout
    as_json = json.loads(run("analyze", "--json", STALLED).stdout)
    assert as_json["exchanges"][0]["initiator"]["address"] == HERE
    assert "Berlin" not in json.dumps(as_json)


@pytest.mark.parametrize("command", [("analyze", "-q", STALLED), ("compare", "-q", STALLED, STALLED)])
def test_names_stand_in_the_lines_of_exchanges_too(file: Path, command: tuple[str, ...]) -> None:
    file.write_text("")
    plain = run(*command).stdout
    assert f"{HERE} → {THERE} " in plain
    file.write_text(f'[names]\n"{HERE}" = "Berlin"\n"{THERE}" = "Lyon"\n')
    named = plain.replace(f"{HERE} → {THERE}", f"{HERE} (Berlin) → {THERE} (Lyon)")
    assert run(*command).stdout == named


def test_names_stand_in_the_first_page_of_many_exchanges(file: Path) -> None:
    file.write_text(f'[names]\n"{HERE}" = "Berlin"\n"{THERE}" = "Lyon"\n')
    names = ("mm1-no-reply", "phase2-refused", "peer-lost", "aggressive-completed", "completed-xauth")
    first = run("analyze", *(str(CAPTURES / f"{name}.pcap") for name in names)).stdout
    failing, others = first.partition("What fails")[2], first.partition("The others, a line each")[2]
    for part in (failing.partition("━━")[0], others):
        assert f"{HERE} (Berlin) → {THERE} (Lyon)" in " ".join(part.split())


def test_an_address_may_be_written_in_any_way(file: Path) -> None:
    file.write_text('[names]\n"2001:DB8:0::1" = "Oslo"\n')
    assert read(str(file)).names == {"2001:db8::1": "Oslo"}


def test_an_editor_may_have_marked_it_as_unicode(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfports = [4501]\r\n")
    assert read(str(file)).ports == [4501]


def test_local_and_platforms_are_as_on_the_command_line(file: Path) -> None:
    file.touch()
    given = run("analyze", "--local", HERE, "--platform", f"{THERE}=fortigate", STALLED).stdout
    file.write_text(f'local = "{HERE}"\n[platforms]\n"{THERE}" = "fortigate"\n')
    assert run("analyze", STALLED).stdout == given
    assert "What to ask at the other end" in given


def test_the_command_line_wins(file: Path) -> None:
    file.write_text(f'local = "{HERE}"\ncolor = "always"\nwidth = 100\n[platforms]\n"{THERE}" = "fortigate"\n')
    report = run("analyze", "--color", "never", "--width", "80", "--local", THERE, STALLED).stdout
    assert "\x1b" not in report
    assert max(len(line) for line in report.splitlines() if "diagnose" not in line) <= 80  # commands are not broken
    assert f"To the administrator of {HERE}" in report
    assert "\x1b" in run("explain", "MM4").stdout
    assert "\x1b" not in run("explain", "--color", "never", "MM4").stdout


def test_of_platforms_it_wins_end_by_end(file: Path) -> None:
    def platforms(*options: str) -> list[list[str]]:
        (exchange,) = json.loads(run("analyze", "--json", *options, STALLED).stdout)["exchanges"]
        return [exchange[end]["platforms"] for end in ("initiator", "responder")]

    file.write_text(f'[platforms]\n"{HERE}" = "asa"\n"{THERE}" = "fortigate"\n')
    assert platforms() == [["asa"], ["fortigate"]]
    assert platforms("--platform", f"{HERE}=huawei") == [["huawei"], ["fortigate"]]
    assert platforms("--platform", "initiator=huawei")[0] == ["huawei"]


def test_ports(file: Path) -> None:
    file.write_text("ports = [4501]\n")
    for command in (["analyze"], ["messages"], ["carve", "-o", "-"], ["compare", STALLED]):
        assert run(*command, STALLED).exit_code in (0, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 1", "colour: no such setting; there are local, ports, color, width, platforms, names"),
        ('color = "pink"', "color: 'pink' is none of auto, always, never"),
        ("ports = [0]", "ports: 0 is not 1 to 65535"),
        ('ports = [500, "a"]', "ports[1]: expected a whole number, got a text in quotes"),
        ("width = 5", "width: 5 is not 60 to 400"),
        ('width = "wide"', "width: expected a whole number, got a text in quotes"),
        ("local = [1]", "local[0]: expected a text in quotes, got a whole number"),
        ("local = true", "local: expected a list, got true or false"),
        ('local = "gateway"', "local: 'gateway' is not an address"),
        ('[platforms]\nx = "asa"', "platforms: 'x' is not an address"),
        ('[platforms]\ninitiator = "vax"', "platforms: no platform 'vax': one of asa, ios, strongswan"),
        ("platforms = 1", "platforms: expected a table, got a whole number"),
        ('[names]\nx = "Berlin"', "names: 'x' is not an address"),
        ('[names]\n"192.0.2.1" = 1', "names: expected a text in quotes, got a whole number"),
        ('[names]\n"192.0.2.1" = ""', "names: '', of 192.0.2.1, is empty or does not print"),
        ('[names]\n"192.0.2.1" = "\\u202eb"', "names: '\\u202eb', of 192.0.2.1, is empty or does not print"),
        ("# x\na =\nb = 1", "line 2, column 4: Invalid value"),
        ("# \udcff", "line 1: not UTF-8"),
        (f"local = {'[' * 9000}", ""),
    ],
)
def test_a_wrong_file_is_one_line(file: Path, text: str, said: str) -> None:
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    for command in (["analyze", STALLED], ["live", "-"], ["explain"], ["config"]):
        result = run(*command)
        assert result.exit_code == 2
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith(f"pcapdiag: {file}: {said}")


def test_a_file_that_cannot_be_read(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("analyze", STALLED).stderr == (
        f"pcapdiag: {file}: No such file or directory, and PCAPDIAG_CONFIG names it\n"
    )
    monkeypatch.setenv("PCAPDIAG_CONFIG", str(tmp_path))
    assert run("config").stderr.startswith(f"pcapdiag: {tmp_path}: Is a directory")
    file.write_bytes(b"#" * (1 << 20))
    with pytest.raises(ConfigError, match="more than the 1 MiB"):
        read("/dev/zero")


@pytest.mark.parametrize(
    "arguments", [["analyze", "--help"], ["--help"], ["completion", "bash"], ["man", "live"], ["config", "--example"]]
)
def test_help_needs_no_right_file(file: Path, arguments: list[str]) -> None:
    file.write_text("wrong")
    assert run(*arguments).exit_code == 0


def test_what_is_in_force(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('color = "auto"\nports = [4501, 4502]\n')
    monkeypatch.setenv("NO_COLOR", "1")
    assert run("config").stdout.splitlines() == [
        f"file       {file} (PCAPDIAG_CONFIG names it)",
        "local      none  (default)",
        "ports      4501, 4502  (file)",
        "color      auto  (file; NO_COLOR turns it off)",
        "width      that of the terminal, 80 to 110  (default)",
        "platforms  none  (default)",
        "names      none  (default)",
    ]
    told = json.loads(run("config", "--json").stdout)
    assert (told["file"], told["read"]) == (str(file), True)
    assert told["settings"]["ports"] == {"value": [4501, 4502], "from": "file"}
    monkeypatch.setenv("PCAPDIAG_CONFIG", "")
    assert run("config").stdout.startswith("file       none: PCAPDIAG_CONFIG is empty\n")
