"""Logs beside a capture, for a terminal: whose each is, how its clock stands, and its lines at the messages."""

from collections.abc import Iterator, Sequence

from pcapdiag.logs.clock import Clock
from pcapdiag.logs.joining import JoinedLog
from pcapdiag.report.terminal.layout import Layout, wrapped
from pcapdiag.report.wording import frame_number, safe

_SHOWN = 24


def render(logs: Sequence[JoinedLog], layout: Layout) -> str:
    """A section for each log, to stand behind the report on the capture."""
    lines: list[str] = []
    for log in logs:
        lines += ("", *_log(log, layout))
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _log(log: JoinedLog, layout: Layout) -> Iterator[str]:
    title = f"━━ {safe(log.name)}, the log of {log.address or 'an end that does not show'} "
    yield layout.paint(title + "━" * max(0, layout.width - len(title)), bold=True)
    yield from wrapped(f"  {_stand(log)}.", layout, 2)
    if log.problem:
        yield from wrapped(f"  {log.problem[0].upper()}{log.problem[1:]}.", layout, 2)
    if log.clock is not None and log.joined:
        yield from wrapped(f"  {clock_text(log.clock)}", layout, 2)
    shown = log.joined if layout.detail > 0 else log.joined[:_SHOWN]
    for line in shown:
        mark = "=" if line.how == "exact" else "≈"
        quote = safe(" ".join(line.text.split()))
        head = f"  {frame_number(line.frame, several=layout.several):>7} {mark} {line.name:<20} "
        row = f"{head}{safe(log.name)}:{line.number}  {quote}"
        yield row if len(row) <= layout.width else f"{row[: layout.width - 1]}…"
    if len(log.joined) > len(shown):
        yield f"          and {len(log.joined) - len(shown)} more (-v shows all)"
    loose = [d for d, exchange in log.diagnoses if exchange is None]
    if loose:
        text = f"{len(loose)} exchanges of the log are not in the capture"
        yield from wrapped(f"  {text}: `pcapdiag log {safe(log.name)}` has them.", layout, 2)


def _stand(log: JoinedLog) -> str:
    if not log.telling:
        met = any(exchange is not None for _, exchange in log.diagnoses)
        return "It tells of no messages" + ("; what it says of an exchange stands with that exchange" if met else "")
    text = f"{len(log.joined)} of {log.telling} lines about messages stand at a message of the capture"
    if log.joined:
        exact = sum(line.how == "exact" for line in log.joined)
        near = len(log.joined) - exact
        text += f": {exact} exactly (octets, cookies or message IDs), {near} by direction, length, name and time"
    return text


def clock_text(clock: Clock) -> str:
    """How a log's clock stands to the capture's."""
    wide = (clock.high - clock.low) / 2e9
    zone = clock.zone
    pairs = f"{clock.pairs} messages agree" if clock.pairs != 1 else "one message says so"
    if zone is None:
        away = f"{clock.offset / 1e9:+.3f} s from the capture's, ± {wide:.3f} s"
        return f"Its clock is {away} ({pairs}); that is no zone."
    name = f"UTC{zone // 3600:+03d}:{abs(zone) % 3600 // 60:02d}" if zone else "UTC"
    error = clock.error / 1e9
    stands = "right"
    if abs(error) > wide:
        stands = f"{abs(error):.3f} s {'behind' if error > 0 else 'ahead of'} the capture's"
    given = "given" if clock.given else "derived"
    return f"Its clock shows {name} ({given}) and is {stands}, ± {wide:.3f} s ({pairs})."
