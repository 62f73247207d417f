"""Wireshark's dissection of a capture: for each frame its IKE messages, as the tree that Wireshark shows.

PDML keeps what other outputs of tshark lose: which attribute belongs to which transform, and the octets of each field.
tshark runs with a configuration directory of its own, so that no profile changes what it shows.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from pcapdiag.capture.datagram import CaptureError
from pcapdiag.capture.wireshark import find_tool
from pcapdiag.record import Record

SHOWN = "isakmp && !icmp && !icmpv6"
"""What is dissected: a message that an ICMP error quotes was not sent there."""


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


def dissect(path: str | os.PathLike[str], profile: Callable[[Path], object] | None = None) -> Frames:
    """Every message of a capture.

    profile -- writes what Wireshark keeps its keys in into the directory that it is given

    Raises WiresharkMissingError, and CaptureError for what tshark cannot read. A cut capture is read up to the cut.
    """
    tshark = find_tool("tshark")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
        if profile is not None:
            profile(Path(folder))
        command = [tshark, "-n", "-r", os.fspath(path), "-Y", SHOWN, "-T", "pdml", "-J", "isakmp"]
        environment = {**os.environ, "WIRESHARK_CONFIG_DIR": folder}
        # The exit status says nothing: it is not 0 for a capture that is cut, which is read up to there all the same.
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment) as process:
            assert process.stdout is not None
            try:
                found = dict(_packets(process.stdout))
            except ElementTree.ParseError:
                found = None
            finally:
                process.stdout.close()
        errors.seek(0)
        said = [line for line in errors.read().decode("utf-8", "replace").splitlines() if line.startswith("tshark:")]
    if found is None or (process.returncode and not found and said):
        reason = said[0].removeprefix("tshark: ") if said else "tshark gives no dissection of it"
        raise CaptureError(f"{os.fspath(path)}: {reason}")
    return found


def _packets(stream: IO[bytes]) -> Iterator[tuple[int, list[Field]]]:
    root: ElementTree.Element | None = None
    for event, element in ElementTree.iterparse(stream, events=("start", "end")):
        if root is None:
            root = element
        if event == "end" and element.tag == "packet":
            number = element.find("proto[@name='geninfo']/field[@name='num']")
            assert number is not None
            # A message that Wireshark put together out of pieces stands below the last piece, and is not found here.
            yield int(number.get("show", "")), [_field(proto) for proto in element.findall("proto[@name='isakmp']")]
            root.clear()


def _field(element: ElementTree.Element) -> Field:
    return Field(
        name=element.get("name", "").removeprefix("isakmp."),
        show=element.get("show", ""),
        # Of a field that is some bits of an octet, `value` is those bits.
        octets=element.get("unmaskedvalue", element.get("value", "")),
        fields=tuple(_field(child) for child in element),
    )
