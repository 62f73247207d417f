"""`--psk-file` as a user meets it: what wrong words prove, and what nothing can be tried on."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pcapdiag.cli.main import main
from tests import CAPTURES

REFUSED = "aggressive-psk-mismatch.pcap"


def run(name: str, keys: Path | None = None) -> Result:
    given = ["--psk-file", str(keys)] if keys is not None else []
    return CliRunner().invoke(main, ["analyze", str(CAPTURES / name), *given])


def words(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "words"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", [REFUSED, "aggressive-completed.pcap"])
def test_wrong_words_confirm_nothing(name: str, tmp_path: Path) -> None:
    result = run(name, words(tmp_path, "wrong\nalso wrong\n"))
    told = " ".join(result.stdout.split())
    assert "HASH_R was made with none of the given pre-shared keys" in told
    assert "onfirmed" not in told
    assert result.stderr == ""
    assert result.exit_code == run(name).exit_code


def test_an_empty_file_is_said(tmp_path: Path) -> None:
    result = run(REFUSED, words(tmp_path, "\n\n"))
    assert "words: no pre-shared key in it; one a line is expected" in result.stderr


@pytest.mark.parametrize("name", ["mm5-psk-mismatch.pcap", "ikev2-authentication-failed.pcap", "mm1-no-reply.pcap"])
def test_a_capture_without_aggressive_mode_is_said(name: str, tmp_path: Path) -> None:
    result = run(name, words(tmp_path, "wrong\n"))
    assert "nothing here to hold the keys against" in result.stderr


def test_aggressive_mode_suggests_it(tmp_path: Path) -> None:
    assert "--psk-file FILE" in run(REFUSED).stdout
    assert "--psk-file FILE" not in run(REFUSED, words(tmp_path, "wrong\n")).stdout
    assert "--psk-file FILE" not in run("mm5-psk-mismatch.pcap").stdout
