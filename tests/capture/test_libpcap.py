"""The binding to libpcap: programs that are joined, and what it says of devices."""

import pytest

from pcapdiag.capture import libpcap
from pcapdiag.capture.libpcap import Filter, Handle, LibpcapError, MissingLibraryError, alternatives

try:
    libpcap.version()
except MissingLibraryError:
    pytest.skip("needs libpcap (on Debian: libpcap0.8)", allow_module_level=True)

ARP = bytes(12) + b"\x08\x06" + bytes(46)
IPV6 = bytes(12) + b"\x86\xdd\x60" + bytes(60)
OTHER = bytes(12) + b"\x88\xcc" + bytes(46)


def test_it_says_what_it_is() -> None:
    assert libpcap.version().startswith("libpcap version 1.")


def test_joined_programs_let_through_what_any_does() -> None:
    handle = Handle.dead(1)
    joined = Filter(alternatives([handle.compile("arp"), handle.compile("ip6"), handle.compile("tcp port 1")]))
    assert [joined.passes(frame) for frame in (ARP, IPV6, OTHER)] == [True, True, False]
    assert not Filter(alternatives([handle.compile("tcp port 1")])).passes(ARP)


def test_an_expression_that_is_none_is_an_error_in_its_own_words() -> None:
    with pytest.raises(LibpcapError, match="syntax error"):
        Handle.dead(1).compile("and or")


def test_devices_are_listed() -> None:
    assert "lo" in {device.name for device in libpcap.devices()}


def test_without_a_library_there_is_an_error_to_catch(monkeypatch: pytest.MonkeyPatch) -> None:
    libpcap._library.cache_clear()
    monkeypatch.setattr(libpcap, "_candidates", lambda: iter(()))
    with pytest.raises(MissingLibraryError):
        libpcap.devices()


def test_the_copy_of_cypcap_serves_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cypcap", reason="cypcap has no wheel for this platform")
    libpcap._library.cache_clear()
    monkeypatch.setattr(libpcap, "_LIBRARIES", ())
    assert libpcap.version().startswith("libpcap version 1.")
    assert Filter(Handle.dead(1).compile("arp")).passes(ARP)
    libpcap._library.cache_clear()
