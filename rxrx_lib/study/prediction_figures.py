"""The figure of what a prediction is normalised by: a panel for each method's weights."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.figures import (
    WIDTH,
    draw_row,
    figure_style,
    label_lines,
    mark_simulated,
    name_rows,
    wrapped,
)
from rxrx_lib.study.prediction_statistics import ALL, WAYS, values


def statistics_figure(results: pd.DataFrame, *, simulated: bool) -> Figure:
    """Draw the accuracy on treatments, a row a way of normalising, a dot a replicate.

    The thick tick is the mean, the bar its 95 % t interval over replicates; the dashed line is 1/K.

    Parameters
    ----------
    results
        As :func:`rxrx_lib.study.results.gather_predictions` gives them.
    simulated
        Whether to mark the figure.
    """
    chance = {"1/K": float(results["chance_accuracy"].mean())}
    with figure_style():
        heights = [0.8 + 0.4 * len(words) for words in WAYS.values()]
        figure, axes = plt.subplots(
            len(WAYS), 1, figsize=(WIDTH, sum(heights)), height_ratios=heights, squeeze=False
        )
        for axis, method in zip(axes[:, 0], WAYS, strict=True):
            axis.set_xlim(0, 100)
            axis.axvline(chance["1/K"], color="#777777", linewidth=1, linestyle=(0, (4, 3)))
            rows = [way for way in ALL if way.method == method]
            for row, way in enumerate(rows):
                found = list(values(results, way, "accuracy_treatments").values())
                draw_row(axis, row, found, method)
            name_rows(axis, [wrapped(way.label, 20) for way in rows])
            axis.set_ylim(top=-1.25)
            label_lines(axis, chance)
            axis.set_title(f"{METHODS[method].label}'s weights, batch-separated")
        axes[-1, 0].set_xlabel("percent of the treatments' test sites")
        return mark_simulated(figure) if simulated else figure
