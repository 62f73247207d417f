"""The table of a comparison: a row for each transmission and point, as a pandas DataFrame."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pcapdiag.comparison.points import letter
from pcapdiag.comparison.results import Compared
from pcapdiag.report.tables.columns import PASSAGES
from pcapdiag.report.tables.dataframes import table_of
from pcapdiag.report.tables.rows import Row

if TYPE_CHECKING:
    from pandas import DataFrame


def passages(comparison: Compared) -> "DataFrame":
    """See PASSAGES."""
    return table_of(PASSAGES, _rows(comparison))


def _rows(comparison: Compared) -> Iterator[Row]:
    for diagnosis in comparison.diagnoses:
        exchange = diagnosis.exchange
        for place, step in enumerate(exchange.steps):
            for number, sent in enumerate(comparison.sent(exchange, place), 1):
                between = None
                if sent.lost_after is not None and sent.lost_before is not None:
                    between = f"{letter(sent.lost_after)} {letter(sent.lost_before)}"
                for point, p in enumerate(sent.passages):
                    seen = bool(p.frames)
                    yield (
                        exchange.id,
                        place + 1,
                        step.name,
                        step.sender.value,
                        number,
                        letter(point),
                        sent.path.index(point) + 1 if sent.path else None,
                        seen,
                        sent.fate.value,
                        sent.lost,
                        sent.proven,
                        between,
                        sent.why,
                        p.time,
                        p.own_time,
                        p.time - sent.time if p.time is not None else None,
                        tuple(f.number for f in p.frames),
                        p.source if seen else None,
                        p.source_port if seen else None,
                        p.destination if seen else None,
                        p.destination_port if seen else None,
                        p.ttl,
                        p.ip_id,
                        p.tos >> 2 if p.tos is not None else None,
                        sent.size,
                        sent.altered,
                    )
