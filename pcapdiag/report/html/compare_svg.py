"""The ladder of a comparison as SVG: a lifeline for each point, arrows that end where a packet was last seen.

As `ladder_svg`: text that can be selected, no ids, no references, no style attributes; the classes are its own.
"""

from html import escape
from itertools import pairwise

from pcapdiag.capture.icmp import icmp_name
from pcapdiag.comparison.fates import Fate
from pcapdiag.comparison.points import letter
from pcapdiag.comparison.results import Compared
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Side
from pcapdiag.report.compare_rows import Arrow, fate_text, frames_at, order, rows
from pcapdiag.report.html.ladder_svg import clipped_text
from pcapdiag.report.html.markup import source
from pcapdiag.report.wording import MODE_NAMES, frame_list, offset, safe

WIDTH = 690
_LEFT, _RIGHT = 130, 640
_TIME = 84
_HEAD = 66
_ROW = 34


def render(comparison: Compared, exchange: int | None = None) -> str:
    """The ladder of an exchange, the first by default, with the style that it needs within. Raises ValueError."""
    for diagnosis in comparison.diagnoses:
        if exchange is None or diagnosis.exchange.id == exchange:
            style = f"<style><![CDATA[{source('parts.css')}]]></style>"
            drawn = ladder(comparison, diagnosis).replace('class="ladder"', 'class="pcapdiag ladder"', 1)
            return drawn.replace("<title>", f"{style}<title>", 1)
    raise ValueError(f"no exchange {exchange}")


def ladder(comparison: Compared, diagnosis: Diagnosis) -> str:
    """The drawing."""
    exchange = diagnosis.exchange
    points = order(comparison, exchange)
    step = (_RIGHT - _LEFT) / max(len(points) - 1, 1)
    x = {p: round(_LEFT + step * place) for place, p in enumerate(points)}
    found, left = rows(comparison, diagnosis)
    body, told, y = [], [], _HEAD
    for row in found:
        y += _ROW
        if isinstance(row, Arrow):
            body.append(_arrow(row, points, x, y, exchange.first_time))
            told.append(_sentence(row, exchange.first_time))
            if row.after:
                y += 16
                body.append(_label(_LEFT + 8, y + 2, clipped_text(row.after, _RIGHT - _LEFT - 16, 11), "small"))
        else:
            first = row.errors[0]
            words = f"! ICMP {icmp_name(first)} from {first.source}"
            words += f", {frame_list((e.frame for e in row.errors), several=True)}"
            body.append(_label(_TIME, y, offset(first.time - exchange.first_time), "number", "end"))
            body.append(f'<g class="icmp">{_label(_LEFT + 8, y, words, "label")}</g>')
            told.append(words + ".")
    if left:
        y += 22
        body.append(_label(_LEFT + 8, y, f"{left} more packets are not drawn.", "small"))
    height = y + 22
    head = []
    for place, p in enumerate(points):
        role = "initiator's side" if place == 0 else "responder's side" if place == len(points) - 1 else "between"
        head.append(_label(x[p], 20, letter(p), "name", "middle"))
        head.append(_label(x[p], 38, role, "small", "middle"))
        head.append(f'<path class="life" d="M{x[p]} 46V{height - 6}"/>')
    for one, other in pairwise(points):
        if any({c.first, c.then} == {one, other} and c.kind in ("source", "destination") for c in comparison.changes):
            middle = (x[one] + x[other]) // 2
            head.append(
                f'<path class="nat" d="M{middle} 58V{height - 6}"/>{_label(middle, 54, "NAT", "small", "middle")}'
            )
    ends = f"{exchange.initiator.address} → {exchange.responder.address}"
    title = _text(f"Exchange {exchange.id} at {len(points)} points: {MODE_NAMES[exchange.mode]}, {ends}")
    return (
        f'<svg class="ladder" role="img" aria-label="{title}" viewBox="0 0 {WIDTH} {height}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{title}</title><desc>{_text(" ".join(told))}</desc>'
        f"{''.join(head)}{''.join(body)}</svg>"
    )


def _arrow(row: Arrow, points: tuple[int, ...], x: dict[int, int], y: int, start: int) -> str:
    sent = row.sent
    to_right = row.step.sender is Side.INITIATOR
    way = points if to_right else points[::-1]
    seen = [p for p in way if sent.passages[p].frames]
    first, last = way.index(seen[0]), way.index(seen[-1])
    sign = 1 if to_right else -1
    begin, end = x[seen[0]], x[seen[-1]]
    parts = [_label(_TIME, y + 4, offset(sent.time - start), "number", "end")]
    stop = end
    lost = last + 1 < len(way) and sent.fate is not Fate.ARRIVED
    if lost:
        stop = round(end + (x[way[last + 1]] - end) * 0.72)
    if first > 0 and begin == end and not lost:
        begin = x[way[first - 1]]  # it came from beyond a point that did not capture it
    parts.append(f'<path class="wire" d="M{begin} {y}H{stop if lost else stop - 7 * sign}"/>')
    if lost and sent.fate is Fate.LOST:
        parts.append(f'<path class="cross" d="M{stop - 5} {y - 5}l10 10m0 -10l-10 10"/>')
    elif lost:
        parts.append(_label(stop + 6 * sign, y + 5, "?", "name", "middle"))
    else:
        parts.append(f'<path class="tip" d="M{stop} {y}l{-10 * sign} -5v10z"/>')
    target = way[min(last + 1, len(way) - 1)] if lost else seen[-1]
    middle = (begin + x[target]) // 2
    label = clipped_text(row.label, abs(x[target] - begin) - 40, 13)
    parts.append(_label(middle, y - 7, label, "label", "middle"))
    for p in seen:
        anchor, at = ("end", x[p] - 6) if p == points[0] else ("start", x[p] + 6)
        parts.append(_label(at, y + 4, frames_at(sent, p), "number", anchor))
    kind = "missing" if sent.lost else "packet"
    hint = f"<title>{_text(f'{row.label}: {fate_text(sent)}')}</title>"
    return f'<g class="{kind} {row.step.sender.value}">{hint}{"".join(parts)}</g>'


def _sentence(row: Arrow, start: int) -> str:
    after = offset(row.sent.time - start)
    frames = frame_list(row.sent.frames, several=True)
    more = f"; {row.after}" if row.after else ""
    return f"At {after} s {row.label} from the {row.step.sender}: {fate_text(row.sent)}, {frames}{more}."


def _label(x: int, y: int, text: str, kind: str, anchor: str = "start") -> str:
    at = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{kind}" x="{x}" y="{y}"{at}>{_text(text)}</text>'


def _text(text: str) -> str:
    return escape(safe(text))
