"""Every message of every capture, field by field, against Wireshark's own dissection.

The project's captures always; those beside the checkout where they are present.
"""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from pcapdiag.capture.datagram import Datagram, FragmentLoss
from pcapdiag.capture.savefile import Savefile
from pcapdiag.ike.message import Header, parse
from pcapdiag.ike.nat_traversal import KEEPALIVE
from pcapdiag.ike.payloads import DecodeError
from tests import CAPTURES, SHARED

FIELDS = ("ispi", "rspi", "nextpayload", "exchangetype", "flags", "messageid", "length", "version")
NAMES = sorted(
    path
    for folder in (CAPTURES, SHARED)
    for path in folder.rglob("*")
    if path.suffix in (".pcap", ".pcapng", ".cap") and path.is_file()
)
WIRESHARK_IS_OTHERWISE = {
    # A length of zero: Wireshark shows no ISAKMP at all.
    "ipsec-ikev1-zero-length.pcap": {1},
    # Version 11.14: Wireshark shows a header all the same, for us this is not IKE (and counted as such).
    "isakmp-delete-segfault.pcap": {1},
    # An initiator cookie of zero: Wireshark takes its first half for the marker of RFC 3948, on port 500.
    "isakmp-pointer-loop.pcap": {1},
}

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")


def _wireshark(path: Path) -> dict[int, list[str]]:
    """Frame number to the header fields of its first ISAKMP message."""
    command = ["tshark", "-r", str(path), "-Y", "isakmp && !icmp && !icmpv6", "-T", "fields", "-E", "occurrence=f"]
    # Fragments of IKE are put together by Wireshark, which then shows two headers: the piece's is the first.
    command += ["-e", "frame.number"] + [argument for name in FIELDS for argument in ("-e", f"isakmp.{name}")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return {int(row[0]): row[1:] for row in rows if row[1]}


def _ours(header: Header, declared: bool) -> list[str]:
    return [
        header.initiator_spi.hex(),
        header.responder_spi.hex(),
        str(header.next_payload),
        str(header.exchange_type),
        f"0x{header.flags:02x}",
        f"0x{header.message_id:08x}",
        # Wireshark shows no length where the frame was snapped short of the message.
        str(header.length) if declared else "",
        f"0x{header.version:02x}",
    ]


def _messages(path: Path) -> dict[int, Header]:
    found: dict[int, Header] = {}
    for item in Savefile(path):
        if isinstance(item, Datagram) and item.payload != KEEPALIVE:
            payload = item.payload
            marked = payload.startswith(bytes(4)) and 4500 in (item.source_port, item.destination_port)
            try:
                found[item.frame.number] = parse(payload[4:] if marked else payload).header
            except DecodeError:
                continue
        elif isinstance(item, FragmentLoss):
            # Wireshark shows a lone first fragment as if it were whole.
            with suppress(DecodeError):
                found[item.frames[0].number] = parse(item.payload).header
    return found


@pytest.mark.parametrize("path", NAMES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_headers_equal_wireshark(path: Path) -> None:
    theirs = _wireshark(path)
    ours = _messages(path)
    skip = WIRESHARK_IS_OTHERWISE.get(path.name, set())
    assert {n for n in ours if n not in skip} == {n for n in theirs if n not in skip}
    for number, row in theirs.items():
        if number in ours and number not in skip:
            assert _ours(ours[number], bool(row[6])) == row, f"frame {number}"


def test_captures_were_found() -> None:
    assert len(NAMES) >= 40
