"""What the walker reads of a link type, the anonymizer edits: both know the rows of the table, and no other."""

import pytest

from pcapdiag.capture import walker
from pcapdiag.capture.datagram import Datagram
from pcapdiag.capture.kinds import UNKNOWN_LINK
from pcapdiag.capture.link_types import LINK_LAYERS, NOT_READ
from pcapdiag.capture.walker import Found, port_table
from tests.capture.frames import pcap
from tests.capture.test_tunnels import PPP_LINKS
from tests.capture.test_walker import LINKS, only
from tests.carve.test_packets import edited, mapped

FRAMES = dict((*LINKS.values(), *PPP_LINKS.values()))
"""A frame of each link type that holds an IKE message."""


def located(link_type: int, frame: bytes) -> int:
    found = Found()
    found.wire = len(frame)
    return walker.locate(frame, 0, len(frame), link_type, port_table(()), found)


def test_every_row_has_a_frame_to_be_tried_with() -> None:
    assert FRAMES.keys() == LINK_LAYERS.keys()


def test_no_type_is_read_and_not_read() -> None:
    assert not LINK_LAYERS.keys() & NOT_READ.keys()


@pytest.mark.parametrize("link_type", LINK_LAYERS)
def test_every_row_is_walked_and_edited(link_type: int) -> None:
    frame = FRAMES[link_type]
    found = only(pcap([frame], link_type))
    assert isinstance(found, Datagram)
    anonymized = edited(frame, link_type)
    assert mapped(found.source) in anonymized
    again = only(pcap([anonymized], link_type))
    assert isinstance(again, Datagram)
    assert again.payload[16:] == found.payload[16:]


@pytest.mark.parametrize("link_type", sorted({*range(300), *NOT_READ} - LINK_LAYERS.keys()))
def test_what_is_no_row_is_neither(link_type: int) -> None:
    frame = FRAMES[1]
    assert located(link_type, frame) == UNKNOWN_LINK
    assert edited(frame, link_type) == bytes(len(frame))
