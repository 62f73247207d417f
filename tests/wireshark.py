"""Wireshark's dissection of captures: for each frame its IKE messages, as the tree that Wireshark shows.

PDML keeps what other outputs of tshark lose: which attribute belongs to which transform, and the octets of each field.
"""

import shutil
import subprocess
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from xml.etree import ElementTree

from pcapdiag.record import Record

TOOLS = ("tshark", "mergecap", "capinfos")
_SHOWN = "isakmp && !icmp && !icmpv6"  # a message that an ICMP error quotes was not sent there
_PIECES = "ip.flags.mf == 1 || ip.frag_offset > 0 || ipv6.fraghdr || tcp || isakmp.frag.packetid || isakmp.frag.number"


class Field(Record, frozen=True):
    """A field of the tree.

    name -- without "isakmp."; show -- as Wireshark prints it; octets -- hexadecimal, as they stand in the packet
    """

    name: str
    show: str
    octets: str
    fields: tuple["Field", ...]

    def all(self, name: str) -> list["Field"]:
        """The fields right below this one that have the name."""
        return [field for field in self.fields if field.name == name]

    def one(self, name: str) -> "Field | None":
        """The first of them."""
        return next(iter(self.all(name)), None)

    def number(self, name: str) -> int | None:
        """Its value, where there is such a field."""
        field = self.one(name)
        return int(field.show, 0) if field and field.show else None

    def data(self, name: str) -> str:
        """Its octets, "" where there is no such field."""
        field = self.one(name)
        return field.octets if field else ""

    def under(self, *kinds: int) -> list["Field"]:
        """The payloads (proposals, transforms) of these types right below this field."""
        return [field for field in self.all("typepayload") if int(field.show) in kinds]


Frames = dict[int, list[Field]]
"""Frame number to the messages in the frame."""


def missing() -> bool:
    """Whether Wireshark's programs are not installed."""
    return any(shutil.which(tool) is None for tool in TOOLS)


def dissect(paths: Sequence[Path], scratch: Path) -> dict[Path, Frames]:
    """Every message of every capture.

    To start Wireshark takes longer than to read a capture, so one run reads them all, put behind each other. The
    exceptions are captures in which Wireshark keeps pieces that wait for others: they would meet those of the next.
    """
    merged = scratch / "merged.pcapng"
    counts = _frame_counts(paths)
    _run("mergecap", "-a", "-w", str(merged), *map(str, paths))
    ends = list(accumulate(counts))
    assert _frame_counts([merged]) == ends[-1:]
    begins = [end - count for end, count in zip(ends, counts, strict=True)]

    found: dict[Path, Frames] = {path: {} for path in paths}
    for number, messages in _messages(merged).items():
        place = bisect_right(ends, number - 1)
        found[paths[place]][number - begins[place]] = messages
    pieces = _run("tshark", "-n", "-r", str(merged), "-Y", _PIECES, "-T", "fields", "-e", "frame.number")
    for place in {bisect_right(ends, int(number) - 1) for number in pieces.split()}:
        found[paths[place]] = _messages(paths[place])
    return found


def _run(*command: str) -> str:
    # The exit status says nothing: it is not 0 for a capture that is cut, which is read up to there all the same.
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _frame_counts(paths: Sequence[Path]) -> list[int]:
    rows = [line.split("\t") for line in _run("capinfos", "-T", "-r", "-c", *map(str, paths)).splitlines()]
    counts = {row[0]: int(row[1]) for row in rows}
    return [counts[str(path)] for path in paths]


def _messages(path: Path) -> Frames:
    document = _run("tshark", "-n", "-r", str(path), "-Y", _SHOWN, "-T", "pdml", "-J", "isakmp")
    return dict(_packets(document)) if document else {}


def _packets(document: str) -> Iterator[tuple[int, list[Field]]]:
    for packet in ElementTree.fromstring(document):
        number = packet.find("proto[@name='geninfo']/field[@name='num']")
        assert number is not None
        # A message that Wireshark put together out of pieces stands below the last piece, and is not found here.
        yield int(number.get("show", "")), [_field(proto) for proto in packet.findall("proto[@name='isakmp']")]


def _field(element: ElementTree.Element) -> Field:
    return Field(
        name=element.get("name", "").removeprefix("isakmp."),
        show=element.get("show", ""),
        # Of a field that is some bits of an octet, `value` is those bits.
        octets=element.get("unmaskedvalue", element.get("value", "")),
        fields=tuple(_field(child) for child in element),
    )
