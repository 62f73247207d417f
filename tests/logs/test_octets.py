"""The octets of a log: compressed or not, whatever the name; damaged ones are read as far as they go."""

import bz2
import gzip
import io
import json
import lzma
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from click.testing import CliRunner

from pcapdiag.capture import window
from pcapdiag.cli.main import main
from pcapdiag.key_tables import KeyTableError, read_tables
from pcapdiag.logs.log import LogError, read_log
from pcapdiag.logs.octets import Octets
from tests.logs.samples import ASA, STRONGSWAN

TEXT = ASA[0].text.encode()
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
KEYS = b"ike 0:branch:7: ISAKMP SA 86534562d1e9ce53/375f4506d2ea114e key 16:00112233445566778899aabbccddeeff\n"


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_a_compressed_log_is_read_as_it_was(pack: Callable[[bytes], bytes]) -> None:
    plain, packed = read_log(io.BytesIO(TEXT)), read_log(io.BytesIO(pack(TEXT)))
    assert packed.diagnoses == plain.diagnoses
    assert packed.logs == plain.logs
    assert packed.logs[0].octets == len(TEXT)


@pytest.mark.parametrize("name", PACKERS)
def test_what_it_is_compressed_with_is_known(name: str) -> None:
    stream = Octets(io.BytesIO(PACKERS[name](TEXT)))
    assert (b"".join(stream), stream.compression, stream.fault) == (TEXT, name, "")
    stream = Octets(io.BytesIO(TEXT))
    assert (b"".join(stream), stream.compression, stream.fault) == (TEXT, "", "")


@pytest.mark.parametrize("name", PACKERS)
def test_damaged_octets_are_read_as_far_as_they_go(name: str, tmp_path: Path) -> None:
    pack = PACKERS[name]
    # Two streams that follow on each other; the second is cut, or damaged.
    for number, (last, why) in enumerate(
        ((pack(TEXT)[:-30], "the compressed data end too early"), (b"BZh91AY&" + bytes(range(99)), "damaged"))
    ):
        path = tmp_path / f"log{number}"
        path.write_bytes(pack(TEXT) + last)
        report = read_log(path)
        assert report.logs[0].lines >= len(TEXT.splitlines())
        assert report.diagnoses
        if number == 0 or name in ("bzip2", "gzip"):  # what follows a stream of xz or zstd is read as one of those
            assert why in report.logs[0].fault or "Not a gzipped file" in report.logs[0].fault
        result = CliRunner().invoke(main, ["log", str(path)])
        (warning,) = [row for row in result.stderr.splitlines() if "compressed data" in row]
        assert warning == f"pcapdiag: {path}: {report.logs[0].fault}; what came before is reported"
        assert "not read to its end" in " ".join(result.stdout.split())
        assert json.loads(CliRunner().invoke(main, ["log", "--json", str(path)]).stdout)["logs"][0]["fault"]


def test_octets_of_which_nothing_can_be_read() -> None:
    for octets in (b"\x1f\x8b\x08\0\0\0\0\0", gzip.compress(TEXT)[:10], lzma.compress(TEXT)[:12]):
        with pytest.raises(LogError, match=r"^log: the compressed data end too early$"):
            read_log(io.BytesIO(octets))


def test_a_log_that_becomes_too_large_is_read_up_to_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    octets = zstandard.ZstdCompressor().compress(TEXT + b"x" * 40_000_000)
    monkeypatch.setattr(window, "FREE", 1_000_000)
    stream = Octets(io.BytesIO(octets))
    assert sum(map(len, stream)) < 10_000_000
    assert "1000 times its size" in stream.fault
    assert read_log(io.BytesIO(octets), max_decompressed=len(TEXT) + 1).diagnoses
    assert read_log(io.BytesIO(octets), max_decompressed=50_000_000).logs[0].fault == ""


def test_a_rotated_set_of_logs(tmp_path: Path) -> None:
    (tmp_path / "ipsec.log.1").write_bytes(TEXT)
    (tmp_path / "ipsec.log.2").write_bytes(gzip.compress(STRONGSWAN[0].text.encode()))
    (tmp_path / "ipsec.log.3.xz").write_bytes(lzma.compress(ASA[1].text.encode()))
    report = read_log(sorted(tmp_path.iterdir()))
    assert [log.name for log in report.logs] == ["ipsec.log.1", "ipsec.log.2", "ipsec.log.3.xz"]
    assert [d.exchange.source for d in report.diagnoses] == [log.name for log in report.logs]


def test_standard_input() -> None:
    command = [sys.executable, "-m", "pcapdiag", "log", "--json", "-"]
    done = subprocess.run(command, input=bz2.compress(TEXT), capture_output=True, check=False)
    assert len(json.loads(done.stdout)["exchanges"]) == 1


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_keys_in_a_compressed_log(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "debug"
    path.write_bytes(pack(KEYS))
    assert len(read_tables([path]).v1) == 1
    path.write_bytes(pack(b"86534562d1e9ce53,00112233445566778899aabbccddeeff\n"))
    assert len(read_tables([path]).v1) == 1
    path.write_bytes(pack(KEYS)[:-30])
    with pytest.raises(KeyTableError, match=r"debug: the compressed data end too early"):
        read_tables([path])
