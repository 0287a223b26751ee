"""Figures of Tables 2, 4, 5 and 6: what AdaBN adds row by row, and how few experiments train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rxrx_lib.data.metadata import CELL_TYPES
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import paper
from rxrx_lib.study.ablations import COMPARED, Accuracies
from rxrx_lib.study.claims import signed
from rxrx_lib.study.contrasts import difference
from rxrx_lib.study.figures import (
    WIDTH,
    figure_style,
    label_lines,
    mark_simulated,
    method_style,
    name_rows,
    wrapped,
)

ROW_HEIGHT = 0.5
"""Inches a row."""
LABEL_LETTERS = 25
MARGIN = 4.0
"""Percentage points left free beside the outermost dots."""


def gap_figure(
    found: Accuracies,
    labels: Mapping[str, str],
    lines: Mapping[str, float],
    *,
    simulated: bool,
) -> Figure:
    """Draw both methods' accuracy in each row, joined by a bar: what AdaBN adds.

    Parameters
    ----------
    found
        Accuracies by row and method, in percent. The large dot is the mean over replicates; where
        there are several, each is a small dot.
    labels
        Rows in their order, and what they are called; those without a run are left out.
    lines
        Name to position of a reference line.
    simulated
        Whether to mark the figure.
    """
    rows = [row for row in labels if any((row, method) in found for method in COMPARED)]
    with figure_style():
        figure, axis = plt.subplots(figsize=(WIDTH, 1.1 + ROW_HEIGHT * len(rows)))
        for place, row in enumerate(rows):
            _row(axis, place, {name: found[row, name] for name in COMPARED if (row, name) in found})
        for position in lines.values():
            axis.axvline(position, color="#777777", linewidth=1, linestyle=(0, (4, 3)))
        name_rows(axis, [wrapped(labels[row], LABEL_LETTERS) for row in rows])
        axis.set_ylim(top=-0.9)
        axis.set_xlim(*_ends([*lines.values(), *_all(found)]))
        label_lines(axis, lines)
        axis.annotate(
            "gap,\npoints", (1.03, 1.0), xycoords="axes fraction", va="bottom", fontsize=8
        )
        axis.set_xlabel("accuracy on unseen experiments, percent of sites")
        handles, names = axis.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=8.5)
        return mark_simulated(figure) if simulated else figure


def learning_figure(curves: pd.DataFrame, *, simulated: bool) -> Figure:
    """Draw the test accuracy over the training, a panel a cell type, a line a run.

    Parameters
    ----------
    curves
        As :func:`rxrx_lib.study.few_experiments.learning_curves` gives them.
    simulated
        Whether to mark the figure.
    """
    names = [name for name in CELL_TYPES if name in set(curves["cell_type"])]
    rows = max(1, (len(names) + 1) // 2)
    with figure_style():
        size = (WIDTH, 0.8 + 1.7 * rows)
        figure, grid = plt.subplots(rows, 2, figsize=size, sharex=True, sharey=True, squeeze=False)
        for axis, name in zip_longest(grid.flat, names):
            if name is None:
                axis.set_axis_off()
                continue
            of_cell_type = curves[curves["cell_type"] == name]
            for (method, _), run in of_cell_type.groupby(["method", "replicate"], sort=False):
                style = method_style(str(method))
                axis.plot(run["steps"], run["accuracy"], markersize=3.5, lw=1.2, **style)
            axis.set_title(paper.CELL_TYPES[name])
        for axis in grid[-1]:
            axis.set_xlabel("optimiser steps")
        for axis in grid[:, 0]:
            axis.set_ylabel("percent of test sites")
        handles = [
            Line2D([], [], label=METHODS[method].label, **method_style(method))  # type: ignore[arg-type]
            for method in METHODS
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8.5)
        return mark_simulated(figure) if simulated else figure


def _row(axis: Axes, place: int, values: Mapping[str, Mapping[str, float]]) -> None:
    means = {method: float(np.mean(list(each.values()))) for method, each in values.items()}
    gap = difference(values.get("adabn"), values.get("baseline"))
    if gap is not None:
        axis.plot(list(means.values()), [place] * 2, color="#C4C4C4", lw=5, zorder=1)
        axis.annotate(
            signed(gap.mean),
            (1.03, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=9,
        )
    for method, each in values.items():
        style = method_style(method)
        axis.plot(
            [means[method]],
            [place],
            linestyle="none",
            markersize=8,
            markeredgecolor="white",
            label=METHODS[method].label if place == 0 else None,
            **style,  # type: ignore[arg-type]  # colour and marker, never a flag
        )
        if len(each) > 1:
            axis.plot(
                list(each.values()),
                np.full(len(each), place + 0.27),
                linestyle="none",
                markersize=3.5,
                alpha=0.6,
                **style,  # type: ignore[arg-type]
            )


def _all(found: Accuracies) -> list[float]:
    return [value for values in found.values() for value in values.values()]


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Return where the axis begins and ends, within 0 to 100."""
    low, high = min(values, default=0.0), max(values, default=100.0)
    return max(0.0, low - MARGIN), min(100.0, high + MARGIN)
