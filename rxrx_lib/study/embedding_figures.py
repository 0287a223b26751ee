"""The figures of the chapter on embeddings: a dot an experiment, a row a correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rxrx_lib.data.metadata import CELL_TYPES
from rxrx_lib.evaluation.corrections import CORRECTIONS
from rxrx_lib.evaluation.intervals import t_interval
from rxrx_lib.study.embedding_pages import LABELS, PROBES, title
from rxrx_lib.study.embeddings import MEASURES, Measured, Source
from rxrx_lib.study.figures import INK, WIDTH, figure_style, label_lines, mark_simulated, wrapped


class DotPanel(NamedTuple):
    """One measure, or one cell type of it."""

    title: str
    results: pd.DataFrame
    """Rows of `Measured.results` with this measure."""
    lines: Mapping[str, float]
    """Name to the position of a reference line, in percent."""


def probe_figure(measured: Measured) -> Figure:
    """Draw what the probes read, one panel a probe.

    Parameters
    ----------
    measured
        As `embeddings.measure` gives it; a simulated file marks the figure.
    """
    results = measured.results
    panels = [
        DotPanel(MEASURES[name], results[results["measure"] == name], measured.lines[name])
        for name in PROBES
    ]
    return _figure(panels, measured.source, 100.0)


def neighbour_figure(measured: Measured) -> Figure:
    """Draw the accuracy of nearest neighbours, one panel a cell type, on one scale."""
    chance = measured.lines["neighbours"]
    neighbours = measured.results[measured.results["measure"] == "neighbours"]
    panels = [
        DotPanel(
            cell_type,
            neighbours[neighbours["cell_type"] == cell_type],
            {f"chance {chance[cell_type]:.2g} %": chance[cell_type]},
        )
        for cell_type in CELL_TYPES
        if cell_type in chance
    ]
    most = float(neighbours["percent"].max())
    return _figure(panels, measured.source, min(100.0, max(1.1 * most, 2 * chance["all"])))


def _figure(panels: Sequence[DotPanel], source: Source, right: float) -> Figure:
    with figure_style():
        heights = [0.75 + 0.5 * len(CORRECTIONS)] * len(panels)
        figure, axes = plt.subplots(
            len(panels), 1, figsize=(WIDTH, 0.4 + sum(heights)), squeeze=False
        )
        for axis, panel in zip(axes[:, 0], panels, strict=True):
            axis.set_xlim(-0.02 * right, 1.02 * right)
            _draw(axis, panel)
        axes[-1, 0].set_xlabel("percent of an experiment's sites")
        figure.suptitle(wrapped(title(source), 64), fontsize=9, x=0.01, ha="left")
        return mark_simulated(figure) if source.simulated else figure


def _draw(axis: Axes, panel: DotPanel) -> None:
    for position in panel.lines.values():
        axis.axvline(position, color="#777777", linewidth=1, linestyle=(0, (4, 3)))
    for row, correction in enumerate(CORRECTIONS):
        some = panel.results[panel.results["correction"] == correction]
        found = t_interval(some["percent"].to_numpy())
        axis.plot([found.low, found.high], [row, row], color=INK, alpha=0.3, linewidth=7)
        axis.plot([found.mean] * 2, [row - 0.3, row + 0.3], color=INK, linewidth=2.4)
        places = row + (np.linspace(-0.22, 0.22, len(some)) if len(some) > 1 else np.zeros(1))
        for side, face in (("train", "white"), ("test", INK)):
            chosen = (some["dataset"] == side).to_numpy()
            axis.plot(
                some["percent"].to_numpy()[chosen],
                places[chosen],
                linestyle="none",
                marker="o",
                markersize=4,
                color=INK,
                markerfacecolor=face,
                markeredgewidth=0.7,
            )
    axis.set_yticks(range(len(CORRECTIONS)), [wrapped(LABELS[name], 14) for name in CORRECTIONS])
    axis.set_ylim(len(CORRECTIONS) - 0.45, -1.0)
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0)
    axis.set_title(panel.title)
    label_lines(axis, panel.lines)
