"""`pcapdiag log` as a user meets it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pcapdiag.cli.main import main
from tests.logs.samples import ASA, FORTIGATE, SAMPLES, STRONGSWAN
from tests.report.test_log_markdown import ASA as POLICIES_DIFFER


def run(*arguments: str, stdin: bytes = b"") -> Result:
    result = CliRunner().invoke(main, ["log", *arguments], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_evidence_cites_lines(tmp_path: Path) -> None:
    log = tmp_path / "asa.log"
    log.write_text(ASA[7].text)
    result = run(str(log))
    assert result.exit_code == 1
    assert "COMPLETED; phase 1 is up, and no tunnel: phase 2 failed" in result.stdout
    number = next(n for n, row in enumerate(ASA[7].text.splitlines(), 1) if "torn down" in row)
    assert f"(asa.log:{number})" in result.stdout
    assert "confirmed    The networks of the two ends do not mirror each other" in result.stdout
    assert all(len(row) <= 80 or row.startswith("       ") for row in result.stdout.splitlines())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.platform}: {s.name}")
def test_exit_status_and_json(sample: object, tmp_path: Path) -> None:
    from tests.logs.sample import Sample

    assert isinstance(sample, Sample)
    well = sample.outcome == "completed" and sample.tunnel in ("up", "unknown")
    result = run("--json", "-", stdin=sample.text.encode())
    assert result.exit_code == (0 if well else 1)
    found = json.loads(result.stdout)
    assert found["schema_version"] == 1
    (exchange,) = found["exchanges"]
    assert (exchange["outcome"], exchange["tunnel"]["state"]) == (sample.outcome, sample.tunnel)
    for item in exchange["evidence"]:
        assert item["cited"] == [f"standard input:{n}" for n in item["lines"]]
    assert run("-q", "-", stdin=sample.text.encode()).stdout.count("\n") == 3
    assert run("-v", "-", stdin=sample.text.encode()).exit_code == result.exit_code


def test_nothing_to_tell(tmp_path: Path) -> None:
    assert run("-", stdin=b"").exit_code == 4
    result = run("-", stdin=b"Jan  1 00:00:00 host sshd[1]: hello\n")
    assert result.exit_code == 4
    assert "none of 1 lines is of a format that is known" in result.stderr
    assert run(str(tmp_path / "absent")).exit_code == 3
    log = tmp_path / "one.log"
    log.write_text(ASA[0].text)
    partly = run(str(log), str(tmp_path / "absent"))
    assert partly.exit_code == 3
    assert "COMPLETED" in partly.stdout
    assert run("--peer", "203.0.113.9", str(log)).exit_code == 4
    assert run().exit_code == 2


def test_several_logs(tmp_path: Path) -> None:
    one, other = tmp_path / "left.log", tmp_path / "right.log"
    one.write_text(STRONGSWAN[1].text)
    other.write_text(FORTIGATE[1].text)
    found = json.loads(run("--json", str(one), str(other)).stdout)
    assert [e["source"] for e in found["exchanges"]] == ["left.log", "right.log"]


def test_hostile_text_does_nothing_to_a_terminal() -> None:
    log = b"05[IKE] <\x1b[31mvpn|7> initiating Main Mode IKE_SA \x1b]0;x\x07vpn[7] to 192.0.2.1\n"
    log += b"05[IKE] \x9b31m\xe2\x80\xae new\n"
    for arguments in (["-"], ["-v", "-"], ["-q", "-"], ["--json", "-"]):
        result = run(*arguments, stdin=log)
        assert all(row.isprintable() for row in result.stdout.split("\n")), arguments


def test_a_flood_is_folded() -> None:
    text = "".join(
        ASA[6].text.replace("Apr 01 11:38", f"Apr 01 {hour:02d}:{minute:02d}")
        for hour in range(10)
        for minute in range(0, 60, 5)
    )
    result = run("-", stdin=text.encode())
    assert result.exit_code == 1
    assert "120 exchanges with 1 peer: 120 stalled" in result.stdout
    assert result.stdout.count("━━ Exchange") == 1
    assert "The others" in result.stdout


def test_markdown_and_a_page(tmp_path: Path) -> None:
    log = tmp_path / "asa.log"
    log.write_bytes(POLICIES_DIFFER)
    page = tmp_path / "asa.html"
    result = CliRunner().invoke(main, ["log", "--markdown", "--html", str(page), str(log)])
    assert result.exit_code == 1
    assert "**What may be the cause**" in result.output
    assert "phase1-policy-mismatch" in page.read_text()


def test_a_page_is_not_written_over_a_log(tmp_path: Path) -> None:
    log = tmp_path / "asa.log"
    log.write_bytes(POLICIES_DIFFER)
    result = CliRunner().invoke(main, ["log", "--html", str(log), str(log)])
    assert result.exit_code == 3
    assert log.read_bytes() == POLICIES_DIFFER
