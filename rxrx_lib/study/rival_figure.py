"""The figure of the cheap rivals: a dot a replicate, filled where the test sites were seen."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rxrx_lib.evaluation.intervals import t_interval
from rxrx_lib.study.figures import (
    INK,
    WIDTH,
    figure_style,
    mark_simulated,
    method_style,
    name_rows,
    wrapped,
)
from rxrx_lib.study.rival_pages import KINDS
from rxrx_lib.study.rivals import RIVALS, own_values

LINES = {"baseline": "baseline", "adabn": "AdaBN"}


def rival_figure(frame: pd.DataFrame, *, simulated: bool) -> Figure:
    """Draw the accuracy on the separated split: a panel a kind, a row a rival, a dot a replicate.

    The thick tick is the mean, the bar its 95 % t interval; dashed lines are the means of the
    baseline and of AdaBN.

    Parameters
    ----------
    frame
        As :func:`rxrx_lib.study.rivals.gather_rivals` gives it.
    simulated
        Whether to mark the figure.
    """
    rows = {
        kind: [
            name for name, each in RIVALS.items() if each.kind == kind and own_values(frame, name)
        ]
        for kind in KINDS
    }
    rows = {kind: names for kind, names in rows.items() if names}
    lines = {
        label: float(np.mean(list(found.values())))
        for name, label in LINES.items()
        if (found := own_values(frame, name))
    }
    with figure_style():
        heights = [0.8 + 0.44 * len(names) for names in rows.values()]
        figure, axes = plt.subplots(
            len(rows), 1, figsize=(WIDTH, sum(heights)), height_ratios=heights, squeeze=False
        )
        for axis, (kind, names) in zip(axes[:, 0], rows.items(), strict=True):
            _panel(axis, kind, {name: list(own_values(frame, name).values()) for name in names})
            _draw_lines(axis, lines)
        axes[-1, 0].set_xlabel("percent of test sites, batch-separated")
        return mark_simulated(figure) if simulated else figure


def _panel(axis: Axes, kind: str, found: dict[str, list[float]]) -> None:
    axis.set_xlim(0, 100)
    for row, (name, values) in enumerate(found.items()):
        style = _style(name)
        interval, colour = t_interval(values), style["color"]
        axis.plot([interval.low, interval.high], [row, row], color=colour, alpha=0.35, lw=5)
        axis.plot([interval.mean] * 2, [row - 0.28, row + 0.28], color=colour, lw=2.4)
        axis.plot(
            values,
            row + np.linspace(-0.14, 0.14, len(values)) * (len(values) > 1),
            linestyle="none",
            marker=style["marker"],
            markersize=5.5,
            markerfacecolor=colour if RIVALS[name].sees else "white",
            markeredgecolor="white" if RIVALS[name].sees else colour,
            markeredgewidth=0.6 if RIVALS[name].sees else 1.3,
        )
    name_rows(axis, [wrapped(RIVALS[name].label, 25) for name in found])
    axis.set_ylim(top=-1.25)
    axis.set_title(KINDS[kind])


def _style(name: str) -> dict[str, str]:
    """Return the colour and marker of the method whose network a rival rests on."""
    rival = RIVALS[name]
    if rival.kind == "features":
        return {"color": INK, "marker": "o"}
    return method_style(rival.network[0] or "baseline")


def _draw_lines(axis: Axes, lines: dict[str, float]) -> None:
    """Draw upright lines, the lowest named on its left and the others on their right."""
    for label, position in lines.items():
        lowest = len(lines) > 1 and position == min(lines.values())
        axis.axvline(position, color="#777777", linewidth=1, linestyle=(0, (4, 3)))
        axis.annotate(
            label,
            (position, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-3 if lowest else 3, -1),
            textcoords="offset points",
            ha="right" if lowest else "left",
            va="top",
            fontsize=8,
            color="#555555",
        )
