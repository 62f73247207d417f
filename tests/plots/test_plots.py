"""What holds for every plot: pyplot is left alone where it can be, times are UTC, and without matplotlib one line."""

import subprocess
import sys
from collections.abc import Callable

import matplotlib as mpl
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from msgspec.structs import replace

from pcapdiag import plots
from pcapdiag.pipeline import Report
from tests.messages import Wire, main_mode
from tests.plots.canvas import drawn, openings
from tests.report.reports import of_capture, of_items

PLOTS: list[Callable[..., Axes]] = [getattr(plots, name) for name in plots.__all__]


@pytest.mark.parametrize("plot", PLOTS)
def test_nothing_of_pyplot_is_touched_where_axes_are_given(plot: Callable[..., Axes]) -> None:
    before = (pyplot.get_fignums(), dict(mpl.rcParams))
    drawn(lambda ax: plot(of_capture("mm5-lost.pcap"), ax))
    assert (pyplot.get_fignums(), dict(mpl.rcParams)) == before


@pytest.mark.parametrize("plot", PLOTS)
def test_without_axes_pyplot_makes_a_figure(plot: Callable[..., Axes]) -> None:
    pyplot.switch_backend("agg")
    ax = plot(of_capture("mm5-lost.pcap"))
    assert ax.figure.number in pyplot.get_fignums()
    pyplot.close(ax.figure)


@pytest.mark.parametrize("plot", [plots.timeline, plots.outcomes_by_peer])
def test_times_are_utc_whatever_the_settings_are(plot: Callable[..., Axes]) -> None:
    with mpl.rc_context({"timezone": "Asia/Tokyo"}):
        ax = drawn(lambda ax: plot(of_capture("mm5-lost.pcap"), ax))
        ax.figure.canvas.draw()
        assert ax.get_xlabel() == "UTC"
        assert any(t.get_text().startswith("09:0") for t in ax.get_xticklabels())


@pytest.mark.parametrize("plot", PLOTS)
def test_a_diagnosis_and_a_list_of_them_do_as_well(plot: Callable[..., Axes]) -> None:
    report = of_capture("mm5-lost.pcap")
    one = drawn(lambda ax: plot(report.diagnoses[0], ax)).get_title(loc="left")
    assert one == drawn(lambda ax: plot(report, ax)).get_title(loc="left")
    if plot is not plots.ladder:
        assert one == drawn(lambda ax: plot(list(report.diagnoses), ax)).get_title(loc="left")


@pytest.fixture(scope="module")
def flood() -> Report:
    """A thousand exchanges that are told, each five times over, and a thousand that are only counted."""
    report = of_items(openings(Wire(), range(0, 10_000, 5)), 20_000)
    assert [len(report.diagnoses), *(f.exchanges for f in report.folded)] == [1_000, 1_000]
    return replace(report, diagnoses=report.diagnoses * 5)


@pytest.mark.parametrize("plot", PLOTS)
def test_thousands_of_exchanges_are_drawn_with_few_artists(flood: Report, plot: Callable[..., Axes]) -> None:
    ax = drawn(lambda ax: plot(flood, ax))
    assert len(ax.get_children()) < 300
    title = ax.get_title(loc="left")
    if plot in (plots.timeline, plots.outcomes_by_peer):
        assert "5,000 exchanges" in title
        assert "1,000 exchanges more are only counted" in title
    if plot is plots.gaps:
        assert "5,000 messages from 1 sender" in title


def test_the_same_report_gives_the_same_picture() -> None:
    def octets() -> bytes:
        figure = Figure(figsize=(6, 4))
        canvas = FigureCanvasAgg(figure)
        plots.timeline(of_items([*Wire().main_mode(0, 1), Wire().datagram(9, main_mode(1))], 100), figure.subplots())
        canvas.draw()
        return bytes(canvas.buffer_rgba())

    assert octets() == octets()


def test_without_matplotlib_one_line_says_what_to_install() -> None:
    code = (
        "import sys\n"
        "sys.modules['matplotlib'] = None\n"
        "try:\n import pcapdiag.plots\n"
        "except ImportError as error:\n print(error)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "plots need matplotlib, which is not installed: pip install 'pcapdiag[notebook]'\n"
