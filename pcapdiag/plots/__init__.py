"""Plots of what was found, with matplotlib: `pip install '.[notebook]'` brings it.

    from pcapdiag import analyze, plots

    report = analyze("capture.pcapng")
    plots.ladder(report.diagnoses[0])     # the messages of an exchange, and what did not come
    plots.timeline(report)                # a conversation over time: exchanges, retransmissions, outcomes
    plots.gaps(report)                    # when messages were sent again, beside the schedules of known senders
    plots.outcomes_by_peer(report)        # which peers fail, and when

Each takes an `Axes` as `ax`, and nothing of pyplot is touched then; without one pyplot makes a figure. Each returns the
Axes. Times are UTC. Outcomes differ by marker and hatch as well as by colour, so they are told apart in grey and by the
colour-blind. What is aggregated, not drawn, or only counted by the report stands in the title.
"""

try:
    import matplotlib as matplotlib
except ImportError:
    raise ImportError("plots need matplotlib, which is not installed: pip install 'pcapdiag[notebook]'") from None

from pcapdiag.plots.gaps import gaps
from pcapdiag.plots.ladder import ladder
from pcapdiag.plots.peers import outcomes_by_peer
from pcapdiag.plots.timeline import timeline

__all__ = ["gaps", "ladder", "outcomes_by_peer", "timeline"]
