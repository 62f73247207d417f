"""Which exchanges are asked for: addresses, networks and the beginnings of cookies; nonsense is refused."""

import pytest

from pcapdiag.pipeline import analyze
from pcapdiag.selection import SelectionError, selection
from tests import CAPTURES

STALLED = CAPTURES / "mm5-udp-4500-blocked.pcap"


@pytest.mark.parametrize("peer", ["10.2.0.2", "10.1.0.2", "10.2.0.0/16", "10.2.0.9/16", "0.0.0.0/0", None])
@pytest.mark.parametrize("spi", ["18df", "18:DF:72", "0xff2619817c525626", None])
def test_what_is_asked_for_is_found(peer: str | None, spi: str | None) -> None:
    assert len(analyze(STALLED, peer=peer, spi=spi).diagnoses) == 1


@pytest.mark.parametrize(("peer", "spi"), [("10.2.0.1", None), ("10.3.0.0/16", None), ("::/0", None), (None, "8df7")])
def test_what_is_not_there_is_not_found(peer: str | None, spi: str | None) -> None:
    assert analyze(STALLED, peer=peer, spi=spi).diagnoses == ()


@pytest.mark.parametrize("peer", ["", "nonsense", "10.2.0", "10.2.0.0/33", "gw.example"])
def test_what_is_no_address_is_refused(peer: str) -> None:
    with pytest.raises(SelectionError, match=r"is no address, and no network as 10\.2\.0\.0/16"):
        selection(peer, None)


@pytest.mark.parametrize("spi", ["", "xyz", "0x", "18df72268ae4a10e0"])
def test_what_is_no_spi_is_refused(spi: str) -> None:
    with pytest.raises(SelectionError, match="up to 16 hexadecimal digits"):
        selection(None, spi)


def test_an_address_that_is_not_known_may_be_the_one() -> None:
    assert selection("10.2.0.2", None).has_address(None, "10.9.9.9")
    assert not selection("10.2.0.2", None).has_address("10.9.9.9")
