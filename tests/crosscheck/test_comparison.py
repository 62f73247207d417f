"""Every message of every capture, value by value, against Wireshark's own dissection.

The project's captures always; those beside the checkout where they are present; and one made here, of what no real
sender says in clear. With the keys that are there, what they open as well.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pcapdiag.capture.savefile import Savefile
from pcapdiag.crosscheck.comparison import Comparison, compare, crosscheck, messages_of
from pcapdiag.crosscheck.dissection import Field, Frames, dissect
from pcapdiag.crosscheck.exceptions import KNOWN
from tests import CAPTURES, SHARED
from tests.capture.frames import ethernet, ipv4, pcap, udp
from tests.crosscheck.merged import dissect_all, missing
from tests.unsealed import UNSEALED_V1, UNSEALED_V2

NAMES = sorted(
    path
    for folder in (CAPTURES, SHARED)
    for path in folder.rglob("*")
    if path.suffix in (".pcap", ".pcapng", ".cap") and path.is_file()
)
KEYED = sorted(path for folder in (SHARED / "lab").glob("*/keys*") for path in folder.parent.glob("left.pcap"))

pytestmark = pytest.mark.skipif(missing(), reason="needs tshark, mergecap and capinfos")

DIFFERENT = {
    "g06.pcap": "another version",
    "g43.pcap": "another version",
    "g44.pcap": "payload below its header",
    "ipsec-ikev1-zero-length.pcap": "length below the header's",
    "isakmp-delete-segfault.pcap": "another version",
    "isakmp-pointer-loop.pcap": "cookie like a marker",
    "ipsec-ikev1-payload-bad-length.pcap": "payload below its header",
    "ISAKMP_sa_setup.pcap": "payload 15",
    "ikev2-id-normal.pcap": "address of another length",
    "ikev2-id-short.pcap": "address of another length",
    "ikev2pI2-segfault.pcapng": "damaged proposal",
}
"""The captures in which Wireshark shows something else, and which of the known differences explains it."""


@pytest.fixture(scope="module")
def wireshark(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Frames]:
    return dissect_all(NAMES, tmp_path_factory.mktemp("wireshark"))


def _names(found: Comparison) -> set[str]:
    return {d.known.name for d in found.differences if d.known is not None}


@pytest.mark.parametrize("path", NAMES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_captures_equal_wireshark(path: Path, wireshark: dict[Path, Frames]) -> None:
    found = compare(str(path), list(Savefile(path)), wireshark[path])
    assert found.unexplained == ()
    assert _names(found) == ({DIFFERENT[path.name]} if path.name in DIFFERENT else set())


def test_every_known_difference_is_met() -> None:
    if SHARED.is_dir():
        assert set(DIFFERENT.values()) == {k.name for k in KNOWN}


def test_messages_made_here_equal_wireshark(tmp_path: Path) -> None:
    path = tmp_path / "made.pcap"
    octets = [*UNSEALED_V1, *UNSEALED_V2]
    path.write_bytes(pcap([ethernet(ipv4(udp(each), identification=n)) for n, each in enumerate(octets, 1)]))
    ours = messages_of(Savefile(path))
    assert [message.problem for messages in ours.values() for message in messages] == [None] * len(octets)
    assert compare("made.pcap", list(Savefile(path)), dissect(path)).differences == ()


def test_captures_were_found() -> None:
    assert len(NAMES) >= 40


# --- what keys open ----------------------------------------------------------------------------------------------


def test_what_the_projects_keys_open_equals_wireshark() -> None:
    opened = 0
    for path in sorted(CAPTURES.glob("*.pcap*")):
        if path.name.startswith(("mm1-", "mm2-", "mm4-", "scan", "no-ike")):
            continue  # nothing is encrypted there
        found = crosscheck(path, [CAPTURES / "keys"])
        assert found.unexplained == (), path.name
        # The ends' keys differ, or each packet is there twice, which Wireshark takes for one sent again.
        if "psk-mismatch" not in path.name and "any-interface" not in path.name:
            assert _names(found) <= {"not opened by Wireshark"}, path.name
        opened += found.opened
    assert opened > 150


@pytest.mark.skipif(not KEYED, reason="needs the lab captures beside the checkout")
def test_what_the_labs_keys_open_equals_wireshark() -> None:
    """Notifies, identities, proxy identities and all else, with the table of each capture."""
    opened = 0
    for path in dict.fromkeys(KEYED):
        if path.parent.name.startswith(("01-", "02-", "07", "10-", "15-", "16-", "18-")):
            continue  # among the project's own
        found = crosscheck(path, [path.parent / "keys"])
        assert found.unexplained == (), path.parent.name
        opened += found.opened
    assert opened > 100


# --- what is different is said -----------------------------------------------------------------------------------


def _altered(frames: Frames, name: str, show: str, octets: str) -> Frames:
    """The dissection with every field of that name saying something else."""

    def fields(field: Field) -> Iterator[Field]:
        for inner in field.fields:
            if inner.name == name:
                yield Field(name, show, octets, ())
            else:
                yield Field(inner.name, inner.show, inner.octets, tuple(fields(inner)))

    return {
        number: [Field(m.name, m.show, m.octets, tuple(fields(m))) for m in messages]
        for number, messages in frames.items()
    }


@pytest.mark.parametrize(
    ("name", "show", "octets", "fact"),
    [
        ("ispi", "", "00" * 8, "header"),
        ("messageid", "0x1", "00000001", "header"),
        ("trans.number", "9", "09", "transforms"),
        ("ike.attr.value", "", "ffff", "attributes"),
        ("nonce", "", "00", "nonces"),
        ("vid_bytes", "", "00", "vendor IDs"),
    ],
)
def test_any_other_value_is_a_difference(name: str, show: str, octets: str, fact: str) -> None:
    path = CAPTURES / "completed-psk.pcap"
    found = compare("x", list(Savefile(path)), _altered(dissect(path), name, show, octets))
    assert found.unexplained
    assert {d.fact for d in found.unexplained} == {fact}
    assert all(d.ours != d.theirs for d in found.unexplained)


def test_a_message_that_only_one_side_sees_is_a_difference() -> None:
    path = CAPTURES / "completed-psk.pcap"
    theirs = dissect(path)
    first = min(theirs)
    del theirs[first]
    theirs[9999] = [Field("isakmp", "", "", (Field("version", "0x10", "10", ()),))]
    found = compare("x", list(Savefile(path)), theirs)
    assert [(d.frame, d.fact) for d in found.unexplained] == [(first, "messages"), (9999, "messages")]
