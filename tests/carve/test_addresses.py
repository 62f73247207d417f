"""Addresses: prefixes stay prefixes, and what kind of address it is stays visible."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcapdiag.carve.addresses import EMBEDDED, SPECIAL, WHOLE, AddressMap

KEY = bytes(range(32))
MAP = AddressMap(KEY)
v4 = st.integers(0, 2**32 - 1).map(lambda n: IPv4Address(n))
v6 = st.integers(0, 2**128 - 1).map(lambda n: IPv6Address(n)) | st.integers(0, 2**125 - 1).map(
    lambda n: IPv6Address(1 << 125 | n)
)
private = st.sampled_from(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]).flatmap(
    lambda net: st.integers(0, ip_network(net).num_addresses - 1).map(lambda n: ip_network(net)[n])
)


def mapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    return ip_address(MAP.octets(address.packed))


def shared(one: IPv4Address | IPv6Address, other: IPv4Address | IPv6Address) -> int:
    """Leading bits that two addresses have in common."""
    return one.max_prefixlen - (int(one) ^ int(other)).bit_length()


@pytest.mark.parametrize(
    ("address", "new"),
    [
        # What was mapped once is mapped so for ever: files that were sent in stay comparable under a kept key.
        ("10.1.0.2", "10.11.33.142"),
        ("203.0.113.7", "168.229.145.169"),
        ("2001:db8::1", "2789:a64d:8e4b:d5b1:552f:84c8:32b8:8117"),
    ],
)
def test_vectors(address: str, new: str) -> None:
    assert MAP.text(address) == new


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "ff02::1"])
def test_what_stays(address: str) -> None:
    assert MAP.text(address) == address


@given(v4.filter(lambda address: kind(address) is None), st.integers(16, 31), st.integers(0, 2**16 - 1))
def test_two_public_addresses_share_as_many_bits_as_before(address: IPv4Address, bits: int, rest: int) -> None:
    other = IPv4Address(int(address) >> (32 - bits) << (32 - bits) | rest & (1 << (32 - bits)) - 1)
    assert shared(mapped(address), mapped(other)) == shared(address, other)


@given(private, private)
def test_two_private_addresses_share_as_many_bits_as_before(one: IPv4Address, other: IPv4Address) -> None:
    assert shared(mapped(one), mapped(other)) == shared(one, other)


@given(v6, st.integers(0, 127), st.integers(0, 2**128 - 1))
def test_of_ipv6_as_well(address: IPv6Address, bits: int, rest: int) -> None:
    low = (1 << (128 - bits)) - 1
    other = IPv6Address(int(address) & ~low | rest & low)
    kinds = {kind(address), kind(other)}
    if len(kinds) == 1 and not kinds & {WHOLE, EMBEDDED}:
        least = {None: 16}.get(kinds.pop(), 0)
        assert shared(mapped(address), mapped(other)) == shared(address, other) or shared(address, other) < least


def kind(address: IPv4Address | IPv6Address) -> object:
    return next((k.network for k in SPECIAL if k.network.version == address.version and address in k.network), None)


@given(v4 | private | v6)
def test_the_kind_stays_and_no_two_become_one(address: IPv4Address | IPv6Address) -> None:
    assert kind(mapped(address)) == kind(address)
    neighbour = ip_address(address.packed[:-1] + bytes((address.packed[-1] ^ 1,)))
    assert mapped(neighbour) != mapped(address)


def test_addresses_within_addresses() -> None:
    inner = MAP.text("203.0.113.7")
    assert MAP.text("::ffff:203.0.113.7") == f"::ffff:{inner}"
    assert MAP.octets(ip_address("64:ff9b::cb00:7107").packed)[12:] == ip_address(inner).packed


def test_another_key_is_another_map() -> None:
    assert AddressMap(b"k" * 32).text("10.1.0.2") != MAP.text("10.1.0.2")
    assert AddressMap(KEY).text("10.1.0.2") == MAP.text("10.1.0.2")
