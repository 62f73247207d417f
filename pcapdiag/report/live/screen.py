"""A full-screen table of the exchanges on watch, with a detail view of each.

`View` is what is shown and what keys do to it, in lines of text; `Screen` puts that on a terminal with curses.
"""

import contextlib
import curses
import time
from collections import deque
from collections.abc import Callable, Sequence
from time import gmtime, strftime

from pcapdiag.capture.source import Source
from pcapdiag.diagnosis.grouping import Group
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Mode
from pcapdiag.live.events import Event, Notice, Row, Verdict
from pcapdiag.live.session import Watch
from pcapdiag.report.phrases import headline, leading_cause
from pcapdiag.report.terminal.layout import MAX_WIDTH, Layout
from pcapdiag.report.terminal.text import block
from pcapdiag.report.wording import clock, safe

REFRESH = 0.5
"""Seconds between two drawings where nobody presses a key."""
NEWS = 4
"""Lines of what happened last."""
LEAST_WIDTH = 60
HELP = "↑↓ choose   Enter detail   q quit"
HELP_DETAIL = "↑↓ scroll   Esc back   q quit"
_SHORT_MODES = {Mode.MAIN: "Main", Mode.AGGRESSIVE: "Aggressive", Mode.IKEV2: "IKEv2", Mode.UNKNOWN: "phase 2"}
_SHORT_NAMES = {"INFORMATIONAL": "INFO", "CREATE_CHILD_SA": "CHILD_SA"}
"""Messages whose names are wider than their column."""
_AT = 12
_OUTCOME = 30
_WITH_MODE = 76
"""Columns from which on there is room for the mode."""
_WIDE = 120
"""Columns from which on there is room for the tunnel and the cause."""
MOST_TOLD = 4096
"""Exchanges of which it is remembered what was told."""
_STYLES = {
    "completed": "good",
    "stalled": "bad",
    "rejected": "bad",
    "superseded": "middling",
    "inconclusive": "middling",
    "open": "middling",
}

Line = tuple[str, str]
"""A style ("", "title", "chosen", "dim", "good", "bad", "middling") and a text."""


class View:
    """What is shown: a table, or the detail of one exchange."""

    def __init__(self) -> None:
        self._chosen: int | None = None  # the id of an exchange
        self._place = self._top = 0
        self._detail = False
        self._scroll = 0
        self._news: deque[str] = deque(maxlen=NEWS)
        self._told: dict[int, str] = {}  # the tunnel and the cause, by the id of the exchange
        self.wants_to_quit = False

    def note(self, events: Sequence[Event]) -> None:
        """Remember what happened last."""
        for event in events:
            if isinstance(event, Verdict):
                self._news.append(f"{clock(event.time)} {headline(event.diagnosis, not event.settles_at)}")
                self._remember(event.diagnosis)
            elif isinstance(event, Notice):
                self._news.append(f"{clock(event.time)} {safe(event.text)}")

    def _remember(self, diagnosis: Diagnosis) -> None:
        """Keep how the tunnel stands, and the leading cause; of the exchanges that were told last."""
        self._told.pop(diagnosis.exchange.id, None)
        if len(self._told) >= MOST_TOLD:
            del self._told[next(iter(self._told))]
        cause = leading_cause(diagnosis)
        self._told[diagnosis.exchange.id] = f"tunnel {diagnosis.tunnel.state}{f'; {cause}' if cause else ''}"

    def press(self, key: str, height: int) -> None:
        """A key: "up", "down", "page up", "page down", "home", "enter", "escape", or the letter."""
        page = max(height - NEWS - 6, 1)
        steps = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -page, "page down": page, "home": -1_000_000}
        if key == "q":
            self.wants_to_quit = True
        elif key == "escape":
            self._detail = False
        elif key == "enter":
            self._detail, self._scroll = self._chosen is not None, 0
        elif key in steps and self._detail:
            self._scroll = max(self._scroll + steps[key], 0)
        elif key in steps:
            self._place, self._chosen = max(self._place + steps[key], 0), None

    def lines(self, watch: Watch, source: Source, width: int, height: int) -> list[Line]:
        """The whole screen, a line for each row of the terminal."""
        head = [("title", _head(watch, source)), ("dim", _counts(source))]
        foot = [("dim", HELP_DETAIL if self._detail else HELP)]
        if not self._detail:
            foot = [("dim", "─" * width), *(("", line) for line in self._news), *foot]
        room = max(height - len(head) - len(foot), 1)
        body = self._detail_lines(watch, width, room) if self._detail else self._table(watch, width, room)
        body += [("", "")] * (room - len(body))
        return [(style, text[:width]) for style, text in (*head, *body[:room], *foot)][:height]

    def _table(self, watch: Watch, width: int, room: int) -> list[Line]:
        total = watch.totals().watched
        shown = max(room - 1, 1)
        self._place = min(self._place, max(total - 1, 0))
        self._top = min(self._top, self._place)
        self._top = max(self._top, self._place - shown + 1)
        rows = watch.rows(self._top, shown)
        wide = width >= _WIDE
        ends = max(20, min(34 if wide else 44, width - 62))
        mode = width >= _WITH_MODE
        between = "initiator → responder" if ends > 20 else "from → to"
        head = f"  {'last':<8} {between:<{ends}} {'mode       ' if mode else ''}"
        title = f"{head}{'at':<{_AT}} {'outcome':<{_OUTCOME}}"
        found: list[Line] = [("title", f"{title} tunnel and cause" if wide else title.rstrip())]
        for number, row in enumerate(rows, self._top):
            # The table moves as messages come: what was chosen by the keys stays chosen while it is on the screen.
            if self._chosen is None and number == self._place:
                self._chosen = row.exchange.id
            style = "chosen" if row.exchange.id == self._chosen else _STYLES.get(row.outcome, "")
            text = _row(row, ends, row.exchange.id == self._chosen, mode)
            if wide and (told := self._told.get(row.exchange.id)):
                text = f"{text:<{len(title)}} {told}"
            found.append((style, text))
        if not rows:
            found.append(("dim", "  no IKE yet"))
        elif total > len(rows):
            self._follow(rows)
        return found

    def _follow(self, rows: Sequence[Row]) -> None:
        """Where the chosen one has gone off the screen, the place of the cursor is what counts."""
        if all(row.exchange.id != self._chosen for row in rows):
            self._chosen = rows[min(self._place - self._top, len(rows) - 1)].exchange.id

    def _detail_lines(self, watch: Watch, width: int, room: int) -> list[Line]:
        diagnosis = watch.diagnosis(self._chosen) if self._chosen is not None else None
        if diagnosis is None:
            return [("dim", "  This exchange is no longer on watch.")]
        layout = Layout(max(min(width, MAX_WIDTH), LEAST_WIDTH))
        text = list(block(Group((diagnosis,), 1, 1), layout, set()))
        self._scroll = min(self._scroll, max(len(text) - room, 0))
        return [("", line) for line in text[self._scroll : self._scroll + room]]


def _head(watch: Watch, source: Source) -> str:
    outcomes = watch.totals().outcomes
    parts = ", ".join(f"{n} {name}" for name, n in sorted(outcomes.items(), key=lambda x: -x[1]))
    names = safe(", ".join(source.names)) + (" (ended)" if source.over else "")
    return f"pcapdiag  {names}   {strftime('%H:%M:%S', gmtime())} UTC   {parts or 'no IKE yet'}"


def _counts(source: Source) -> str:
    counts = source.counts()
    received = sum(c.received or 0 for c in counts)
    dropped = sum(c.dropped or 0 for c in counts)
    waiting = f", {source.backlog} wait" if source.backlog else ""
    return f"{received} packets, {dropped} dropped{waiting}"


def _row(row: Row, ends: int, chosen: bool, with_mode: bool) -> str:
    e, stop = row.exchange, row.stop
    between = f"{e.initiator.address} → {e.responder.address}"
    between = between if len(between) <= ends else f"{between[: ends - 1]}…"
    name = next((s.name for s in reversed(e.steps) if s.number), e.steps[-1].name).split()[0]
    at = _SHORT_NAMES.get(name.upper(), name)[:_AT]
    state = (stop.initiator_state or stop.responder_state or ("",))[0]
    waits = f"  waits for {stop.missing}" if row.outcome == "open" and stop.missing else f"  {state}"
    mark = "▸" if chosen else " "
    mode = f"{_SHORT_MODES[e.mode]:<10} " if with_mode else ""
    return f"{mark} {clock(row.last)} {between:<{ends}} {mode}{at:<{_AT}} {row.outcome}{waits}"


_KEYS = {
    curses.KEY_UP: "up",
    curses.KEY_DOWN: "down",
    curses.KEY_PPAGE: "page up",
    curses.KEY_NPAGE: "page down",
    curses.KEY_HOME: "home",
    curses.KEY_ENTER: "enter",
    10: "enter",
    13: "enter",
    27: "escape",
    curses.KEY_LEFT: "escape",
}


class Screen:
    """The view on a terminal, until finish(). Use it as a context: the terminal is left as it was."""

    def __init__(self, quit_: Callable[[], None]) -> None:
        """quit_ -- called when the user wants to leave."""
        self.view = View()
        self._quit = quit_
        self._window: curses.window | None = None
        self._styles: dict[str, int] = {}
        self._drawn = 0.0

    def __enter__(self) -> "Screen":
        """Take the terminal. Raises curses.error where it is none that curses knows."""
        self._window = curses.initscr()
        curses.noecho()
        curses.cbreak()
        self._window.keypad(True)
        self._window.nodelay(True)
        # Escape stands for itself: what follows a key's escape comes within milliseconds.
        curses.set_escdelay(25)
        with contextlib.suppress(curses.error):
            curses.curs_set(0)
        self._prepare_styles()
        return self

    def _prepare_styles(self) -> None:
        self._styles = {"title": curses.A_BOLD, "chosen": curses.A_REVERSE, "dim": curses.A_DIM}
        if not curses.has_colors():
            return
        curses.start_color()
        curses.use_default_colors()
        colours = {"good": curses.COLOR_GREEN, "bad": curses.COLOR_RED, "middling": curses.COLOR_YELLOW}
        for number, (style, colour) in enumerate(colours.items(), 1):
            curses.init_pair(number, colour, -1)
            self._styles[style] = curses.color_pair(number)

    def __exit__(self, *_: object) -> None:
        """Give the terminal back."""
        if self._window is not None:
            self._window.keypad(False)
            curses.nocbreak()
            curses.echo()
            curses.endwin()
            self._window = None

    def events(self, events: Sequence[Event]) -> None:
        """See Observer."""
        self.view.note(events)

    def pulse(self, watch: Watch, source: Source) -> None:
        """See Observer."""
        if self._window is None:
            return
        height, width = self._window.getmaxyx()
        pressed = False
        while (code := self._window.getch()) != -1:
            pressed = True
            if code == curses.KEY_RESIZE:
                height, width = self._window.getmaxyx()
                continue
            name = _KEYS.get(code) or (chr(code) if 0 < code < 128 else "")
            self.view.press(name, height)
        if self.view.wants_to_quit:
            self._quit()
        now = time.monotonic()
        if pressed or now - self._drawn >= REFRESH:
            self._drawn = now
            self._draw(self.view.lines(watch, source, width, height), width)

    def _draw(self, lines: Sequence[Line], width: int) -> None:
        assert self._window is not None
        self._window.erase()
        for number, (style, text) in enumerate(lines):
            # Writing into the last cell of a terminal is an error to curses, although it is done.
            with contextlib.suppress(curses.error):
                self._window.addnstr(number, 0, text, width, self._styles.get(style, 0))
        self._window.refresh()

    def finish(self, watch: Watch, source: Source) -> None:
        """See Observer."""
