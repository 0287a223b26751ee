"""The figure of training: test accuracy of each replicate and the mean, above the learning rate."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.dynamics import Curve, mean_curve, of_method
from rxrx_lib.study.figures import WIDTH, figure_style, mark_simulated, method_style

PALE = "#999999"


def dynamics_figure(
    found: Sequence[Curve],
    rates: tuple[Sequence[int], Sequence[float]],
    *,
    simulated: bool,
) -> Figure:
    """Draw a panel a method, and the learning rate that all of them share.

    Thin: a replicate each. Bold: their mean. Dashed grey: the baseline's mean, for comparison.

    Parameters
    ----------
    found
        As :func:`rxrx_lib.study.dynamics.curves` gives them.
    rates
        Epochs done, and the learning rate.
    simulated
        Whether to mark the figure.
    """
    methods = list(dict.fromkeys(curve.method for curve in found))
    rows = max(1, -(-len(methods) // 2))
    with figure_style():
        figure = plt.figure(figsize=(WIDTH, 2.05 * rows + 1.3))
        grid = figure.add_gridspec(rows + 1, 2, height_ratios=[2.05] * rows + [0.9])
        first: Axes | None = None
        for number, method in enumerate(methods):
            axis = figure.add_subplot(grid[number // 2, number % 2], sharex=first, sharey=first)
            first = first or axis
            _draw(axis, found, method)
            axis.set_ylabel("accuracy, percent")
            axis.label_outer()
        if first is not None:
            first.set_ylim(0, min(100, 1.08 * max(max(curve.accuracy) for curve in found)))
        _rates(figure.add_subplot(grid[rows, :], sharex=first), rates)
        return mark_simulated(figure) if simulated else figure


def _draw(axis: Axes, found: Sequence[Curve], method: str) -> None:
    style = method_style(method)
    baseline = of_method(found, "baseline")
    if method != "baseline" and baseline:
        axis.plot(*mean_curve(baseline), color=PALE, linestyle=(0, (4, 2)), label="baseline")
    some = of_method(found, method)
    for curve in some:
        axis.plot(curve.epochs, curve.accuracy, color=style["color"], linewidth=0.9, alpha=0.6)
    axis.plot(
        *mean_curve(some),
        linewidth=2.6,
        markersize=5,
        markeredgecolor="white",
        **style,  # type: ignore[arg-type]  # colour and marker, never a flag
    )
    axis.set_title(METHODS[method].label)


def _rates(axis: Axes, rates: tuple[Sequence[int], Sequence[float]]) -> None:
    axis.plot(*rates, color="#555555", linewidth=1.4)
    axis.set_ylim(bottom=0)
    axis.set_xlim(left=0)
    axis.set_title("Learning rate at the end of the epoch, all methods")
    axis.set_xlabel("epochs done")
