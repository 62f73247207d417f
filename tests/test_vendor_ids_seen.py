"""Every vendor ID in the captures beside the checkout is named, but for those that no public source names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import pcapdiag
from pcapdiag.exchange.model import Exchange, Side
from pcapdiag.ike.vendor_ids import VendorId
from tests import SHARED

FOLDERS = ("third-party", "field", "faults", "lab", "lab2", "lab3")
SUFFIXES = (".pcap", ".pcapng", ".cap")

NAMELESS = {
    "a9b9b1034f7e50a2513b47b100bb85a9": "sent by a Palo Alto firewall by its MAC address; no source says of what",
    "c6f57ac398f493208145b7581e878983": "sent by the gateway of an NCP client; not in any public table",
    "85817703c6e320d2ae5a4dd02056c6d7": "sent by the gateway of an NCP client; not in any public table",
    "4a2f06cd8a7e33507380d9f139c217cf": "in a rebuilt capture, in the place of Cisco IOS's: random octets",
    "000000000000000000000000": "a test input of libreswan with the ID wiped out",
}
IOS = bytes.fromhex("f5c7a71d00010000")
"""What the first half of Cisco IOS's ID and the sender's cookie differ by (version 1.0.0, as the ASA's log calls it).

Measured on four routers in three captures. So it is another ID in every exchange, which no table can list.
"""

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the captures beside the checkout")


def captures(folder: str) -> list[Path]:
    return sorted(p for p in (SHARED / folder).rglob("*") if p.suffix in SUFFIXES)


def of_ios(exchange: Exchange, side: Side, data: bytes) -> bool:
    cookie = exchange.initiator_spi if side is Side.INITIATOR else exchange.responder_spi
    return cookie is not None and len(data) == 16 and bytes(a ^ b for a, b in zip(data, cookie, strict=False)) == IOS


def unnamed(path: Path) -> Iterator[tuple[Exchange, Side, VendorId]]:
    for diagnosis in pcapdiag.analyze(path).diagnoses:
        for step in diagnosis.exchange.steps:
            for vendor_id in step.vendor_ids:
                if vendor_id.name.startswith("unknown"):
                    yield diagnosis.exchange, step.sender, vendor_id


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_vendor_id_is_named(folder: str) -> None:
    found = {
        (v.name, str(path.relative_to(SHARED)))
        for path in captures(folder)
        for exchange, side, v in unnamed(path)
        if v.data.hex() not in NAMELESS and not of_ios(exchange, side, v.data)
    }
    assert sorted(found) == []


def test_those_without_a_name_occur_and_have_none() -> None:
    seen = {v.data.hex() for folder in FOLDERS[:2] for path in captures(folder) for _, _, v in unnamed(path)}
    assert set(NAMELESS) <= seen
