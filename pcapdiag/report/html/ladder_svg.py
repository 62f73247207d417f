"""The ladder of an exchange as SVG: text that can be selected, colours from the style sheet around it.

It holds no ids and no references, so that any number of them can stand on one page, and no style attributes, which a
content security policy would forbid. Widths of texts are estimated, generously, as no font is known here.
"""

from collections.abc import Iterable, Sequence
from html import escape
from unicodedata import east_asian_width

from pcapdiag.capture.datagram import Frame
from pcapdiag.capture.icmp import icmp_name
from pcapdiag.diagnosis.evidence.case import Evidence
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Exchange, Side, Step
from pcapdiag.report.ladder import Bounce, Fold, Missing, Row, Rung, cited, marks_of, rows, short_name
from pcapdiag.report.wording import MODE_NAMES, frame_list, frame_number, offset, payload_summary, safe, seconds

WIDTH = 690
_FRAME, _TIME = 42, 120
"""Right edges of the columns with frame numbers and times."""
_X = {Side.INITIATOR: 176, Side.RESPONDER: 530}
"""The two lifelines."""
_MIDDLE = (_X[Side.INITIATOR] + _X[Side.RESPONDER]) // 2
_MARKS, _MARK_WIDTH, _MARK_STEP, _MOST_MARKS = 578, 32, 36, 3
_HEAD = 62
_ROOM = _X[Side.RESPONDER] - _X[Side.INITIATOR] - 28
_LINE = 15
_MOST_LINES = 3
"""Lines of small print under one message; it ends in an ellipsis where there would be more."""

_SHUT = "M-3.5 -1v-2a3.5 3.5 0 0 1 7 0v2h1v6h-9v-6z M-2 -1h4v-2a2 2 0 0 0 -4 0z"
_OPEN = "M-3.5 -1v-3a3.5 3.5 0 0 1 7 0h-1.5a2 2 0 0 0 -4 0v3h6.5v6h-9v-6z"


def ladder_svg(exchange: Exchange, diagnosis: Diagnosis | None = None, *, several: bool = False) -> str:
    """The drawing, whole. With a diagnosis: evidence marks, NAT, the capture point, and the message that is missing.

    several -- there are several captures: frames are named with the capture's number
    """
    found = rows(exchange, diagnosis)
    drawing = _Drawing(exchange, diagnosis, several)
    body = "".join(drawing.row(row) for row in found)
    head = drawing.head()
    title = f"Ladder of exchange {exchange.id}: {MODE_NAMES[exchange.mode]}, {_ends(exchange)}"
    told = " ".join(_sentence(row, exchange, several) for row in found)
    return (
        f'<svg class="ladder" role="img" aria-label="{_text(title)}" viewBox="0 0 {WIDTH} {drawing.height + 8}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{_text(title)}</title><desc>{_text(told)}</desc>{head}{body}</svg>'
    )


class _Drawing:
    """Puts one row under the other. `height` is how far down it came."""

    def __init__(self, exchange: Exchange, diagnosis: Diagnosis | None, several: bool) -> None:
        evidence: Sequence[Evidence] = diagnosis.evidence if diagnosis is not None else ()
        self._exchange, self._several = exchange, several
        self._start = exchange.first_time
        self._evidence = marks_of(evidence)
        self._marked = cited(diagnosis.causes) if diagnosis is not None else set()
        self._kinds = {kind for item in evidence for kind in item.kinds}
        self.height = _HEAD

    def head(self) -> str:
        """The ends and their lifelines; NAT and the capture point where they show. Called when the rows are drawn."""
        parts = [_label(_FRAME, 44, "frame", "small", "end"), _label(_TIME, 44, "time, s", "small", "end")]
        for side, x in _X.items():
            name = self._exchange.peer(side).address
            role = side.value + ("" if self._exchange.roles_certain else " (inferred)")
            if f"vantage-{side}" in self._kinds:
                role += " · captured here"
            anchor, at = ("middle", x) if x + _width(name, 13) / 2 < WIDTH else ("end", WIDTH - 2)
            parts.append(_label(at, 18, role, "small", anchor))
            parts.append(_label(at, 37, _clipped(name, 310, 13), "name", anchor))
            parts.append(f'<path class="life" d="M{x} 46V{self.height + 4}"/>')
            if f"nat-{side}" in self._kinds:
                at = x + (34 if side is Side.INITIATOR else -34)
                parts.append(f'<path class="nat" d="M{at} 58V{self.height + 4}"/>')
                parts.append(_label(at, 55, "NAT", "small", "middle"))
        return "".join(parts)

    def row(self, row: Row) -> str:
        """One row, under those before it."""
        if isinstance(row, Rung):
            return self._rung(row)
        if isinstance(row, Fold):
            return self._fold(row)
        if isinstance(row, Bounce):
            return self._bounce(row)
        return self._missing(row)

    def _rung(self, rung: Rung) -> str:
        step, y = rung.step, self.height + 28
        name, rest = short_name(step), payload_summary(step) + lost_pieces(step)
        room = _ROOM - _width(f"{name} ", 13)
        said = f'<tspan class="name">{_text(name)}</tspan> {_text(_clipped(rest, room, 13))}'
        parts = [
            f"<title>{_text(f'{name} {rest}')}</title>",
            *self._gutter(y, step.first.frame, step.first.time),
            f'<text class="label" x="{_MIDDLE}" y="{y - 10}" text-anchor="middle">{said}</text>',
            _arrow(step.sender, y, echoed=len(step.sent) > 1 or bool(rung.rest)),
        ]
        if step.encrypted:
            parts.append(f'<circle class="ground" cx="{_MIDDLE}" cy="{y}" r="8"/>')
            shape = _SHUT if step.opened is None else _OPEN
            parts.append(f'<path class="lock" transform="translate({_MIDDLE} {y})" d="{shape}"/>')
        if rung.ports is not None:
            near, far = rung.ports
            parts.append(_label(_X[Side.INITIATOR] - 8, y + 4, str(near), "port", "end"))
            parts.append(_label(_X[Side.RESPONDER] + 8, y + 4, str(far), "port"))
        self.height = y + 10
        parts += self._small(_small_print(rung, self._several))
        return self._group("rung", step.sender.value, rung.frames, y, parts)

    def _fold(self, fold: Fold) -> str:
        y = self.height + 6
        counts = ", ".join(f"{count} {label}" for label, count in fold.counts.items())
        left = _X[Side.INITIATOR] + 10
        until = fold.steps[-1].last.time - self._start
        parts = [
            *self._gutter(y + 15, fold.frames[0], fold.steps[0].first.time),
            f'<rect class="fold" x="{left}" y="{y}" width="{_ROOM + 8}" height="22" rx="11"/>',
            _label(_MIDDLE, y + 15, _clipped(f"⋮ {counts}, not drawn one by one", _ROOM, 12), "", "middle"),
        ]
        self.height = y + 26
        parts += self._small(f"until {offset(until)} s, {frame_list(fold.frames, 8, several=self._several)}")
        return self._group("folded", "", fold.frames, y + 11, parts)

    def _bounce(self, bounce: Bounce) -> str:
        first = bounce.errors[0]
        version = "ICMPv6" if first.version == 6 else "ICMP"
        labels, y = self._labels(f"! {version} {icmp_name(first)} from {first.source}")
        target = _X[bounce.towards]
        begin = _MIDDLE if bounce.source is None or bounce.source is bounce.towards else _X[bounce.source]
        tip = 7 if begin > target else -7
        parts = [
            *labels,
            *self._gutter(y, first.frame, first.time),
            f'<path class="wire" d="M{begin} {y}H{target + tip}"/>{_head(target, y, tip)}',
        ]
        if begin == _MIDDLE:
            parts.append(f'<path class="router" d="M{begin} {y - 5}l5 5l-5 5l-5 -5z"/>')
        self.height = y + 10
        if len(bounce.errors) > 1:
            more = ", ".join(offset(e.time - self._start) for e in bounce.errors[1:7])
            tail = f" and {len(bounce.errors) - 7} more" if len(bounce.errors) > 7 else ""
            frames = frame_list(bounce.frames[1:], several=self._several)
            parts += self._small(f"and {len(bounce.errors) - 1}× more: {more}{tail} ({frames})")
        return self._group("icmp", "", bounce.frames, y, parts)

    def _missing(self, missing: Missing) -> str:
        labels, y = self._labels(f"✗ {missing.text}")
        begin, end = _X[missing.sender], _X[missing.sender.other]
        self.height = y + 12
        parts = [
            *labels,
            f'<path class="wire" d="M{begin} {y}H{end}"/>',
            f'<circle class="ground" cx="{_MIDDLE}" cy="{y}" r="8"/>',
            f'<path class="cross" d="M{_MIDDLE - 4} {y - 4}l8 8m0 -8l-8 8"/>',
        ]
        return f'<g class="missing">{"".join(parts)}</g>'

    def _labels(self, text: str) -> tuple[list[str], int]:
        """What stands above a line that is no message, in as many lines as it takes; and where the line is."""
        lines = _lines(text, _ROOM, 13)
        top = self.height + 18
        y = top + _LINE * (len(lines) - 1) + 10
        return [_label(_MIDDLE, top + _LINE * n, line, "label", "middle") for n, line in enumerate(lines)], y

    def _gutter(self, y: int, frame: Frame, time: int) -> list[str]:
        return [
            _label(
                _FRAME,
                y + 4,
                frame_number(frame, several=self._several),
                "number",
                "end",
            ),
            _label(_TIME, y + 4, offset(time - self._start), "number", "end"),
        ]

    def _small(self, text: str) -> list[str]:
        """Small print under a row, in as many lines as it takes."""
        parts = []
        for line in _lines(text, _ROOM, 11) if text else ():
            parts.append(_label(_X[Side.INITIATOR] + 14, self.height + 9, line, "small"))
            self.height += _LINE
        self.height += 4 if parts else 0
        return parts

    def _group(self, kind: str, side: str, frames: Iterable[Frame], y: int, parts: Iterable[str]) -> str:
        """The parts of a row, with the evidence that is about it: all of it for highlighting, the cited as marks."""
        about = list(dict.fromkeys(i for f in frames for i in self._evidence.get(f, ())))
        data = f' data-evidence="{_text(" ".join(about))}"' if about else ""
        marks = [i for i in about if i in self._marked]
        shown = marks if len(marks) <= _MOST_MARKS else [*marks[: _MOST_MARKS - 1], f"+{len(marks) - _MOST_MARKS + 1}"]
        pills = "".join(_mark(mark, n, y) for n, mark in enumerate(shown))
        return f'<g class="{kind} {side}"{data}>{"".join(parts)}{pills}</g>'


def _mark(name: str, place: int, y: int) -> str:
    left = _MARKS + place * _MARK_STEP
    box = f'<rect x="{left}" y="{y - 9}" width="{_MARK_WIDTH}" height="18" rx="9"/>'
    return f'<g class="mark">{box}{_label(left + _MARK_WIDTH // 2, y + 4, name, "", "middle")}</g>'


def _arrow(sender: Side, y: int, *, echoed: bool) -> str:
    """From one lifeline to the other; a fainter one under it where it was sent more than once."""
    begin, end = _X[sender], _X[sender.other]
    tip = 7 if begin > end else -7
    echo = f'<path class="echo" d="M{begin} {y + 4}H{end + tip}"/>' if echoed else ""
    return f'{echo}<path class="wire" d="M{begin} {y}H{end + tip}"/>{_head(end, y, tip)}'


def _head(x: int, y: int, tip: int) -> str:
    return f'<path class="tip" d="M{x} {y}l{tip + tip // 2} -5v10z"/>'


def _label(x: int, y: int, text: str, kind: str, anchor: str = "start") -> str:
    name = f' class="{kind}"' if kind else ""
    at = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text{name} x="{x}" y="{y}"{at}>{_text(text)}</text>'


# --- words -----------------------------------------------------------------------------------------------------


def _small_print(rung: Rung, several: bool) -> str:
    """What is to say of a message that was sent, or recorded, more than once."""
    step = rung.step
    parts = []
    again = step.sent[1:]
    if again:
        times = ", ".join(offset(s.time - step.first.time) for s in again[:6])
        count = len(again) + step.uncounted
        more = f" and {count - 6} more" if count > 6 else ""
        parts.append(
            f"sent again {count}×: {times}{more} ({frame_list((f for s in again for f in s.frames), several=several)})"
        )
    if step.duplicates:
        parts.append(f"recorded twice ({frame_list((f for s in step.duplicates for f in s.frames), several=several)})")
    if len(step.first.frames) > 1:
        parts.append(f"in {len(step.first.frames)} fragments ({frame_list(step.first.frames, several=several)})")
    if rung.rest:
        frames = frame_list((f for s in rung.rest for f in s.frames), several=several)
        parts.append(f"{len(rung.rest)} more like it, each its own message ({frames})")
    return "; ".join(parts)


def lost_pieces(step: Step) -> str:
    """Which of its fragments are not in the capture, for the end of a line; empty for a whole message."""
    if step.whole:
        return ""
    return f" (fragments missing: {', '.join(map(str, step.missing))})" if step.missing else " (IP fragments missing)"


def _sentence(row: Row, exchange: Exchange, several: bool) -> str:
    """A row in words, for those who do not see it."""
    if isinstance(row, Missing):
        return f"{row.text}."
    if isinstance(row, Fold):
        counts = ", ".join(f"{count} {label}" for label, count in row.counts.items())
        return f"Then {counts} messages, {frame_list(row.frames, several=several)}."
    if isinstance(row, Bounce):
        first = row.errors[0]
        after = seconds(first.time - exchange.first_time)
        return f"After {after} ICMP {icmp_name(first)} from {first.source}, {frame_list(row.frames, several=several)}."
    step = row.step
    small = _small_print(row, several)
    after = seconds(step.first.time - exchange.first_time)
    return (
        f"After {after} {step.name} from the {step.sender}: {payload_summary(step)}{lost_pieces(step)}, "
        f"{frame_list(step.first.frames, several=several)}{', ' + small if small else ''}."
    )


def _ends(exchange: Exchange) -> str:
    return f"initiator {exchange.initiator.address}, responder {exchange.responder.address}"


def _text(text: str) -> str:
    return escape(safe(text))


def _width(text: str, size: int) -> float:
    """What a text takes at most in a sans-serif font of that size, in pixels."""
    return size * sum(_share(c) for c in text)


def _share(character: str) -> float:
    if character in "il.,:;'|!()[]fjt ":
        return 0.36
    if character.isupper() or character in "mw×…+–—%@":
        return 0.72
    return 1.05 if east_asian_width(character) in "WF" else 0.6


def _clipped(text: str, room: float, size: int) -> str:
    """The text, cut with an ellipsis where it would take more room than there is."""
    if _width(text, size) <= room:
        return text
    taken, kept = _width("…", size), 0
    for character in text:
        taken += size * _share(character)
        if taken > room:
            break
        kept += 1
    return text[:kept].rstrip(" ,") + "…"


def clipped_text(text: str, room: float, size: int) -> str:
    """The text, cut where it would take more pixels than there is room for in that size."""
    return _clipped(text, room, size)


def _lines(text: str, room: float, size: int) -> list[str]:
    """The text in lines of that width; what goes beyond the last of them is cut."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and _width(longer, size) > room:
            lines.append(line)
            line = word
        else:
            line = longer
    lines.append(line)
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], " ".join(lines[_MOST_LINES - 1 :])]
    return [_clipped(line, room, size) for line in lines]
