"""Facts about the path: IKE on UDP 4500 without its marker, and IKE in TCP."""

from dataclasses import replace

from tests.diagnosis.scenarios import fact, floated, kinds, only
from tests.messages import Wire, main_mode


def test_no_marker_on_4500() -> None:
    wire = Wire()
    bare = [wire.datagram(t, main_mode(5), ports=(4500, 4500)) for t in (1, 5)]
    item = fact(only([*wire.main_mode(0, 1, 2, 3, 4), *bare]), "no-marker")
    assert item.text.startswith("MM5 goes to UDP port 4500 without the four zero octets")
    assert [f.number for f in item.frames] == [1, 2]


def test_marker_where_it_belongs() -> None:
    wire = Wire()
    items = wire.main_mode(0, 1, 2, 3, 4)
    assert "no-marker" not in kinds(only([*items, floated(wire, 1, main_mode(5))]))
    assert "no-marker" not in kinds(only([*items, wire.datagram(1, main_mode(5))]))


def test_one_port_of_4500_is_enough() -> None:
    wire = Wire()
    item = wire.datagram(1, main_mode(5), ports=(31000, 4500))
    assert "no-marker" in kinds(only([*wire.main_mode(0, 1, 2, 3, 4), item]))


def test_tcp() -> None:
    wire = Wire()
    ports = {True: (40000, 4500), False: (4500, 40000)}
    items = [
        replace(d, transport="tcp", source_port=ports[n % 2 == 0][0], destination_port=ports[n % 2 == 0][1])
        for n, d in enumerate(wire.main_mode(0, 1, 2, 3))
    ]
    found = only(items)
    item = fact(found, "ike-over-tcp")
    assert "port 4500" in item.text
    assert [f.number for f in item.frames] == [1]
    assert "no-marker" not in kinds(found)  # in TCP there is a length in its place


def test_udp_is_no_tcp() -> None:
    assert "ike-over-tcp" not in kinds(only(Wire().main_mode(0, 1, 2)))
