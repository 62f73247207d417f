"""Logs beside the captures of `pcapdiag analyze`."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from pcapdiag.cli.exit_codes import Exit
from pcapdiag.units import SECOND

if TYPE_CHECKING:
    from pcapdiag.logs.joining import JoinedLog
    from pcapdiag.pipeline import Report


def with_logs(
    report: "Report", logs: Sequence[str], at: Sequence[str], zone: str | None, max_decompressed: int | None = None
) -> "tuple[Report, tuple[JoinedLog, ...]]":
    """The report with what the logs say; ends the program with a line where one cannot be read."""
    from pcapdiag.cli.reading import warn
    from pcapdiag.logs.joining import join_log
    from pcapdiag.logs.log import names_of

    if len(at) > len(logs):
        raise click.UsageError("there are more --log-at than --log")
    known = {a for d in report.diagnoses for end in (d.exchange.initiator, d.exchange.responder) for a in end.addresses}
    for address in at:
        if address not in known:
            raise click.UsageError(f"--log-at {address}: no exchange of the captures has that address")
    seconds = _zone(zone, report) if zone is not None else None
    joined: list[JoinedLog] = []
    diagnoses = report.diagnoses
    for place, (path, name) in enumerate(zip(logs, names_of(logs), strict=True)):
        try:
            own = at[place] if place < len(at) else None
            log, diagnoses = join_log(
                path, diagnoses, name=name, at=own, zone=seconds, max_decompressed=max_decompressed
            )
        except OSError as error:
            warn([f"{path}: {error.strerror or error}"])
            sys.exit(Exit.UNREADABLE)
        joined.append(log)
        if log.fault:
            warn([f"{path}: {log.fault}; what came before is reported"])
        if log.problem:
            warn([f"{name}: {log.problem}"])
    return replace(report, diagnoses=diagnoses), tuple(joined)


def _zone(text: str, report: "Report") -> int:
    """Seconds east of UTC of a zone, by its name at the time of the captures, or as +02:00."""
    import re
    from datetime import UTC, datetime

    match = re.fullmatch(r"([+-])(\d{1,2}):?(\d\d)?", text)
    if match is not None:
        seconds = int(match[2]) * 3600 + int(match[3] or 0) * 60
        return -seconds if match[1] == "-" else seconds
    if text.upper() in ("UTC", "GMT", "Z"):
        return 0
    from zoneinfo import ZoneInfo

    first = min((d.exchange.first_time for d in report.diagnoses), default=0)
    try:
        offset = datetime.fromtimestamp(max(first, 0) // SECOND, UTC).astimezone(ZoneInfo(text)).utcoffset()
    except (KeyError, ValueError, OSError):
        raise click.UsageError(f"--log-tz {text}: no such zone; Europe/Berlin, +02:00 or UTC") from None
    return int(offset.total_seconds()) if offset is not None else 0
