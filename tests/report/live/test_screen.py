"""The full screen without a terminal: what it shows, and what keys do. (tests/cli/test_live.py has it on one.)"""

import pytest

pytest.importorskip("curses", reason="this Python has no curses")

from pcapdiag.live.events import Notice
from pcapdiag.live.session import Watch
from pcapdiag.report.live.screen import View
from tests.live.test_loop import Given
from tests.live.test_session import quiet, watched
from tests.messages import ZERO, Wire, informational, main_mode

WIDTH, HEIGHT = 100, 24


def screen(view: View, watch: Watch, height: int = HEIGHT, width: int = WIDTH) -> list[str]:
    lines = view.lines(watch, Given(), width, height)
    assert len(lines) == height
    assert all(len(text) <= width for _, text in lines)
    return [text for _, text in lines]


def chosen(lines: list[str]) -> str:
    (line,) = [line for line in lines if line.startswith("▸")]
    return line


def many(count: int) -> Watch:
    """A watch with so many initiators, each of which began a second after the one before."""
    wire, watch = Wire(), Watch(messages=False)
    for number in range(count):
        cookies = ((number + 1).to_bytes(8, "big"), ZERO)
        watched([wire.datagram(number, main_mode(1, cookies), source=f"10.0.0.{number}")], watch=watch)
    return watch


def test_an_empty_watch() -> None:
    lines = screen(View(), Watch())
    assert "no IKE yet" in lines[0]
    assert lines[-1].endswith("q quit")


def test_the_table_has_what_was_heard_of_last_first() -> None:
    lines = screen(View(), many(5))
    rows = [line for line in lines if "10.0.0." in line]
    assert [row.split("10.0.0.")[1].split()[0] for row in rows] == ["4", "3", "2", "1", "0"]
    assert rows[0].startswith("▸ 00:00:04 10.0.0.4 → 198.51.100.2")
    assert "Main       MM1          open  waits for MM2" in rows[0]


def test_keys_choose_and_scroll() -> None:
    view, watch = View(), many(60)
    assert "10.0.0.59 " in chosen(screen(view, watch))
    for _ in range(3):
        view.press("down", HEIGHT)
    assert "10.0.0.56 " in chosen(screen(view, watch))
    view.press("up", HEIGHT)
    assert "10.0.0.57 " in chosen(screen(view, watch))
    for _ in range(40):
        view.press("j", HEIGHT)
        screen(view, watch)
    assert "10.0.0.17 " in chosen(screen(view, watch))
    view.press("page down", HEIGHT)
    view.press("page down", HEIGHT)
    assert "10.0.0.0 " in chosen(screen(view, watch))
    view.press("home", HEIGHT)
    assert "10.0.0.59 " in chosen(screen(view, watch))


def test_the_detail_is_the_report() -> None:
    view, watch = View(), Watch(messages=False)
    wire = Wire()
    view.note([*watched(wire.main_mode(0, 1, 2, 3), watch=watch), *quiet(watch, 1, 30)])
    lines = screen(view, watch)
    assert any("stalled after MM3" in line for line in lines[-6:])
    view.press("enter", HEIGHT)
    lines = screen(view, watch)
    assert lines[2].startswith("━━ Exchange 1: Main Mode")
    assert lines[3].startswith("STALLED after MM3")
    view.press("page down", HEIGHT)
    assert screen(view, watch)[2] != lines[2]
    view.press("home", HEIGHT)
    assert screen(view, watch)[2] == lines[2]
    view.press("escape", HEIGHT)
    assert "▸" in "".join(screen(view, watch))


def test_an_exchange_that_is_put_aside_says_so() -> None:
    view, watch = View(), many(1)
    quiet(watch, 1, 30)
    screen(view, watch)
    view.press("enter", HEIGHT)
    quiet(watch, 31, 700)
    assert "no longer on watch" in "".join(screen(view, watch))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (10, 4), (60, 8), (300, 80)])
@pytest.mark.parametrize("keys", [(), ("enter",)])
def test_any_size_of_terminal(width: int, height: int, keys: tuple[str, ...]) -> None:
    view, watch = View(), many(30)
    screen(view, watch)
    for key in keys:
        view.press(key, height)
    screen(view, watch, height, width)


def test_keys_that_mean_nothing_do_nothing() -> None:
    view, watch = View(), many(3)
    before = screen(view, watch)
    for key in ("", "x", "enter?", "f1"):
        view.press(key, HEIGHT)
    assert screen(view, watch)[1:] == before[1:]
    assert not view.wants_to_quit
    view.press("q", HEIGHT)
    assert view.wants_to_quit


def test_what_is_shown_cannot_act_in_the_terminal() -> None:
    view = View()
    view.note([Notice(0, "eth0\x1b[2J: gone")])
    assert any("eth0\\x1b[2J: gone" in line for line in screen(view, Watch()))


def test_wide_terminals_have_the_tunnel_and_the_cause_in_a_column() -> None:
    view, watch = View(), Watch(messages=False)
    view.note([*watched(Wire().main_mode(0, 1, 2, 3), watch=watch), *quiet(watch, 1, 30)])
    title, row = screen(view, watch, width=140)[2:4]
    assert title.index("tunnel and cause") == row.index("tunnel down; ")
    assert "tunnel" not in screen(view, watch, width=100)[3]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_a_long_name_of_a_message_does_not_move_the_columns(width: int) -> None:
    view, watch, wire = View(), Watch(messages=False), Wire()
    watched([wire.datagram(0, informational(14))], watch=watch)
    watched([wire.datagram(1, main_mode(1, (bytes(7) + b"1", ZERO)))], watch=watch)
    title, *rows = screen(view, watch, width=width)[2:5]
    assert "INFO " in rows[1]
    assert "INFORMATIONAL" not in rows[1]
    assert [row.index("open") if "open" in row else title.index("outcome") for row in rows] == [
        title.index("outcome")
    ] * 2
