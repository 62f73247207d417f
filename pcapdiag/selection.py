"""Which exchanges are asked for: by an address or a network, and by the beginning of a cookie."""

from collections.abc import Callable

from pcapdiag.exchange.model import Exchange
from pcapdiag.record import Record


class SelectionError(ValueError):
    """What was asked for is no address, no network, or no hexadecimal digits; one line."""


class Selection(Record, frozen=True):
    """The exchanges with an end in `addresses`, under a cookie (SPI) that begins with `digits`; None asks for all."""

    addresses: Callable[[str], bool] | None
    digits: str | None

    def has_address(self, *addresses: str | None) -> bool:
        """Whether one of these is asked for; None is an address that is not known, and may be."""
        return self.addresses is None or any(a is None or self.addresses(a) for a in addresses)

    def has(self, exchange: Exchange) -> bool:
        """Whether an exchange is asked for."""
        if not self.has_address(*exchange.initiator.addresses, *exchange.responder.addresses):
            return False
        cookies = (exchange.initiator_spi, exchange.responder_spi or b"")
        return self.digits is None or any(cookie.hex().startswith(self.digits) for cookie in cookies)


def selection(peer: str | None, spi: str | None) -> Selection:
    """What is asked for.

    peer -- an address, or a network as 10.2.0.0/16 or 2001:db8::/32
    spi -- hexadecimal digits, with colons between them or 0x in front or without

    Raises SelectionError for what is neither.
    """
    return Selection(None if peer is None else _addresses(peer), None if spi is None else _digits(spi))


def _addresses(peer: str) -> Callable[[str], bool]:
    from ipaddress import ip_address, ip_network

    try:
        if "/" not in peer:
            return str(ip_address(peer.strip())).__eq__
        network = ip_network(peer.strip(), strict=False)
    except ValueError:
        raise SelectionError(f"{peer!r} is no address, and no network as 10.2.0.0/16") from None

    def within(address: str) -> bool:
        return ip_address(address) in network

    return within


def _digits(spi: str) -> str:
    digits = spi.strip().lower().removeprefix("0x").replace(":", "")
    if not digits or len(digits) > 16 or not set(digits) <= set("0123456789abcdef"):
        raise SelectionError(f"{spi!r} is not the beginning of a cookie (SPI): up to 16 hexadecimal digits")
    return digits
