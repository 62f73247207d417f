import contextlib
import os
import stat
import threading
from pathlib import Path

import pytest

from pcapdiag.output import OutputError, written


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_stands_whole_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / "report"
    with written(path) as file:
        file.write(b"half")
        assert not path.exists()
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report"]


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_what_fails_leaves_the_file_that_was_there(tmp_path: Path, fault: type[BaseException]) -> None:
    path = tmp_path / "report"
    path.write_bytes(b"before")
    with contextlib.ExitStack() as stack:
        stack.enter_context(pytest.raises(fault))
        stack.enter_context(written(path)).write(b"half")
        raise fault
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report"]


def test_modes(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        for name, private, expected in [("public", False, 0o644), ("private", True, 0o600)]:
            with written(tmp_path / name, private=private):
                pass
            assert mode(tmp_path / name) == expected
        (tmp_path / "public").chmod(0o640)
        with written(tmp_path / "public"):
            pass
        assert mode(tmp_path / "public") == 0o640
        with written(tmp_path / "public", private=True):
            pass
        assert mode(tmp_path / "public") == 0o600
    finally:
        os.umask(mask)


def test_an_input_is_not_written_over_by_any_name(tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    capture.write_bytes(b"precious")
    os.link(capture, tmp_path / "other")
    (tmp_path / "link").symlink_to(capture)
    with capture.open("rb") as opened:
        for name in ("capture", "other", "link"):
            for source in (capture, str(capture), opened):
                with (
                    pytest.raises(OutputError, match=f"{name}: is one of the files"),
                    written(tmp_path / name, inputs=["-", source]),
                ):
                    pass
    assert capture.read_bytes() == b"precious"


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "place")
    with written(tmp_path / "link") as file:
        file.write(b"there")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "place").read_bytes() == b"there"


def test_a_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with written(pipe) as file:
        file.write(b"through")
    reader.join()
    assert read == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_why_not_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file or directory") as missing, written(tmp_path / "no" / "report"):
        pass
    assert "\n" not in str(missing.value)
    with pytest.raises(OutputError, match="Is a directory"), written(tmp_path):
        pass


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line() -> None:
    with (
        pytest.raises(OutputError, match="/dev/full: cannot be written: No space left on device"),
        written("/dev/full") as file,
    ):
        file.write(b"x")
