"""Real drawing for the tests, with Agg and without pyplot, and what was drawn."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pcapdiag.capture.datagram import Datagram
from pcapdiag.pipeline import Report
from tests.messages import ZERO, Wire, main_mode
from tests.report.reports import of_items


def drawn(plot: Callable[[Axes], Axes]) -> Axes:
    """The Axes that the plot was drawn on, with Agg."""
    figure = Figure(figsize=(9, 6), dpi=40)
    canvas = FigureCanvasAgg(figure)
    ax = figure.subplots()
    assert plot(ax) is ax
    canvas.draw()
    assert np.asarray(canvas.buffer_rgba())[..., :3].min() < 128  # something dark is on it
    return ax


def texts(ax: Axes) -> list[str]:
    """Every text on it but those of the axes themselves."""
    return [t.get_text() for t in ax.texts if t.get_text()]


def labels(ax: Axes) -> list[str]:
    """The texts of the legend."""
    legend = ax.get_legend()
    return [t.get_text() for t in legend.get_texts()] if legend is not None else []


def rows_of(ax: Axes) -> list[str]:
    """The texts of the y axis, top row first where it is inverted."""
    return [t.get_text() for t in ax.get_yticklabels()]


def day(seconds: float) -> float:
    """A time (seconds since the Unix epoch) as matplotlib counts it by default."""
    return pytest.approx(seconds / 86_400, abs=1e-9)  # type: ignore[no-any-return]


def openings(wire: Wire, times: Sequence[float], first: int = 0, source: str | None = None) -> list[Datagram]:
    """First messages that get no answer, each under cookies of its own and sent twice, four seconds apart."""
    found = []
    for number, time in enumerate(times, first):
        octets = main_mode(1, ((number + 1).to_bytes(8, "big"), ZERO))
        found += [wire.datagram(time, octets, source=source), wire.datagram(time + 4, octets, source=source)]
    return sorted(found, key=lambda d: d.time)


def empty() -> Report:
    """A report without any exchange."""
    return of_items([], 60)
