"""What comes out of compressed captures, and how much of it is too much."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable

import pytest
import zstandard

from fuzz.attacks import MEGABYTE, gzip_bomb, xz_bomb, xz_dictionary, zstd_bomb
from pcapdiag.capture import window
from pcapdiag.capture.datagram import CaptureError, CaptureSummary
from pcapdiag.capture.savefile import Savefile
from tests import CAPTURES

DATA = (CAPTURES / "completed-psk.pcap").read_bytes()
BOMBS = {"gzip": gzip_bomb, "xz": xz_bomb, "zstd": zstd_bomb}


def summary(octets: bytes, **options: int) -> CaptureSummary:
    file = Savefile(io.BytesIO(octets), name="f", **options)  # type: ignore[arg-type]
    list(file)
    return file.summary()


def made(write: Callable[[io.BytesIO, int], None], count: int) -> bytes:
    found = io.BytesIO()
    write(found, count)
    return found.getvalue()


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_read_as_far_as_it_may_become(
    bomb: Callable[[io.BytesIO, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "FREE", 10 * MEGABYTE)
    octets = made(bomb, 80)  # in xz and gzip this has more than a hundredth of 10 MB
    found = summary(octets)
    assert found.truncated
    (warning,) = found.warnings
    assert "it decompresses to more than 0.01049 GB and 100 times its size" in warning
    assert "--max-decompressed allows more" in warning
    assert 140 < found.frames <= max(len(octets) * 110 // 65_536, 170)
    more = summary(octets, max_decompressed=81 * MEGABYTE)
    assert not more.truncated
    assert more.frames == 80 * MEGABYTE // (65_520 + 16)


def test_a_limit_that_is_given_holds_for_everything() -> None:
    found = summary(gzip.compress(DATA, mtime=0), max_decompressed=1_000)
    assert found.truncated
    assert "more than the 1e-06 GB that --max-decompressed allows" in found.warnings[0]


def test_what_compresses_as_captures_do_may_be_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "FREE", 100)
    assert not summary(gzip.compress(DATA, mtime=0)).truncated


@pytest.mark.parametrize("padding", [0, 4, 400_000])
def test_xz_streams_that_follow_on_each_other(padding: int) -> None:
    parts = [lzma.compress(DATA[:1000]), lzma.compress(b""), lzma.compress(DATA[1000:])]
    octets = bytes(padding).join(parts) + bytes(padding)
    assert summary(octets).frames == summary(DATA).frames


def test_xz_that_asks_for_too_much_memory_is_refused() -> None:
    assert summary(made(xz_dictionary, 64)).frames == 16
    found = Savefile(io.BytesIO(made(xz_dictionary, 512)), name="f")
    with pytest.raises(CaptureError, match=r"^f: the compressed data ask for too much memory; decompress it"):
        list(found)


def test_zstd_that_asks_for_too_much_memory_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=30, strategy=1)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    octets = packer.compress(DATA) + packer.flush()
    with pytest.raises(CaptureError, match="ask for too much memory"):
        list(Savefile(io.BytesIO(octets), name="f"))


def test_cut_xz_says_so() -> None:
    found = summary(lzma.compress(DATA)[:-40])
    assert found.truncated
    assert "the compressed data end too early" in found.warnings[0]


def test_cut_zstd_says_so() -> None:
    pack = zstandard.ZstdCompressor().compress
    found = summary(pack(DATA[:1000]) + pack(DATA[1000:])[:-40])
    assert found.truncated
    assert "the compressed data end too early" in found.warnings[0]


def test_zstd_frames_that_follow_on_each_other() -> None:
    parts = [zstandard.ZstdCompressor().compress(part) for part in (DATA[:1000], b"", DATA[1000:])]
    skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc"
    assert summary(skippable.join([b"", *parts, b""])).frames == summary(DATA).frames


def test_bzip2() -> None:
    octets = bz2.compress(DATA[:1000]) + bz2.compress(b"") + bz2.compress(DATA[1000:])
    found = summary(octets)
    assert (found.format, found.frames, found.truncated) == ("pcap in bzip2", summary(DATA).frames, False)
    cut = summary(octets[:-40])
    assert "the compressed data end too early" in cut.warnings[0]
    with pytest.raises(CaptureError, match=r"^f: the compressed data are damaged: Invalid data stream"):
        list(Savefile(io.BytesIO(bz2.compress(DATA)[:60] + bytes(range(200))), name="f"))
