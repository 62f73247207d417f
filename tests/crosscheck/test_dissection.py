"""Running tshark: what is missing or cannot be read is said in one line."""

import shutil
from pathlib import Path

import pytest

from pcapdiag.capture.datagram import CaptureError
from pcapdiag.capture.wireshark import WiresharkMissingError
from pcapdiag.crosscheck.dissection import dissect
from tests import CAPTURES
from tests.crosscheck.merged import missing

needs_tshark = pytest.mark.skipif(missing(), reason="needs tshark")


def test_without_tshark_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(WiresharkMissingError, match="apt-get install tshark"):
        dissect(CAPTURES / "completed-psk.pcap")


@needs_tshark
def test_no_capture(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="absent"):
        dissect(tmp_path / "absent")
    with pytest.raises(CaptureError, match="isn't a capture file"):
        dissect(CAPTURES / "README.md")


@needs_tshark
def test_a_cut_capture_is_read_up_to_there(tmp_path: Path) -> None:
    whole = (CAPTURES / "completed-psk.pcap").read_bytes()
    path = tmp_path / "cut.pcap"
    path.write_bytes(whole[:-30])
    theirs = dissect(path)
    assert theirs
    assert len(theirs) == len(dissect(CAPTURES / "completed-psk.pcap")) - 1
