"""The table of a comparison: a row for each transmission and point, as a pandas DataFrame."""

from collections.abc import Iterator

import pandas as pd

from pcapdiag.compare.comparison import Comparison
from pcapdiag.compare.fates import Fate
from pcapdiag.compare.points import letter
from pcapdiag.exchange.model import Side
from pcapdiag.report.columns import Column, Kind
from pcapdiag.report.dataframes import table_of
from pcapdiag.report.rows import Row

K, C = Kind, Column
PASSAGES = (
    C("exchange", K.INTEGER, "the exchange that it belongs to"),
    C("message", K.INTEGER, "the message within it, from 1"),
    C("name", K.TEXT, 'what it is: "MM5", "IKE_AUTH request"'),
    C("sender", K.CATEGORY, "the end that sent it", categories=tuple(side.value for side in Side)),
    C("transmission", K.INTEGER, "which time it was sent, or which piece of it, from 1"),
    C("point", K.TEXT, "the capture point: A, B …"),
    C("place", K.INTEGER, "its place on the way, from 1; nothing where that is not known", optional=True),
    C("seen", K.BOOLEAN, "the point captured it"),
    C(
        "fate",
        K.CATEGORY,
        "what became of it behind the last point that saw it",
        categories=tuple(f.value for f in Fate),
    ),
    C("lost", K.BOOLEAN, "it left one point and did not come by the next"),
    C("proven", K.BOOLEAN, "of a loss: the next point was capturing then, for certain"),
    C("lost_between", K.TEXT, 'the two points: "A B"', optional=True),
    C("why", K.TEXT, "why it may not be seen, where it is not"),
    C("time", K.TIME, "when it passed, by the first point's clock", optional=True),
    C("own_time", K.TIME, "the same by the point's own clock", optional=True),
    C("since_first", K.DURATION, "since it passed the first point that saw it", optional=True),
    C("frames", K.INTEGERS, "the frames that carried it there"),
    C("source", K.TEXT, "the address that it came from, there", optional=True),
    C("source_port", K.INTEGER, "its port", optional=True),
    C("destination", K.TEXT, "the address that it went to, there", optional=True),
    C("destination_port", K.INTEGER, "its port", optional=True),
    C("ttl", K.INTEGER, "time to live, or hop limit", optional=True),
    C("ip_id", K.INTEGER, "identification of the IPv4 header", optional=True),
    C("dscp", K.INTEGER, "of the IP header; nothing for what came in fragments", optional=True),
    C("size", K.INTEGER, "octets of UDP payload"),
    C("altered", K.BOOLEAN, "its octets differ between points"),
)
"""One row for each transmission and point, by exchange and message."""


def passages(comparison: Comparison) -> pd.DataFrame:
    """See PASSAGES."""
    return table_of(PASSAGES, _rows(comparison))


def _rows(comparison: Comparison) -> Iterator[Row]:
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
