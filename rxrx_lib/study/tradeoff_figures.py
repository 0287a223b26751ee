"""The figure of the reversal's trade-off: accuracy against what tells the experiment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.figures import WIDTH, figure_style, label_lines, mark_simulated, method_style
from rxrx_lib.study.reversal_tradeoff import READINGS, Point

ACCURACY = "accuracy_held_out"
NEAR = 0.07
"""Share of an axis that two labels need."""


def tradeoff_panels(
    curves: Mapping[str, Sequence[Point]], lines: Mapping[str, float], *, simulated: bool
) -> Figure:
    """Draw one panel a reading of the experiment; each curve joins a method's coefficients.

    Parameters
    ----------
    curves
        As :func:`rxrx_lib.study.reversal_tradeoff.curves` gives them.
    lines
        As :func:`rxrx_lib.study.reversal_tradeoff.reference_lines` gives them.
    simulated
        Whether to mark the figure.
    """
    with figure_style():
        figure, axes = plt.subplots(len(READINGS), 1, figsize=(WIDTH, 6.6), sharex=True)
        for axis, (reading, label) in zip(axes, READINGS.items(), strict=True):
            for method, points in curves.items():
                _curve(axis, method, reading, points)
            axis.set_xlim(0, _end(curves, *READINGS))
            axis.set_ylim(0, _end(curves, ACCURACY))
            for method, points in curves.items():
                _name_coefficients(axis, method, reading, points)
            _reference(axis, lines)
            axis.set_title(f"Experiment read by the {label}".replace("the fresh", "a fresh"))
            axis.set_ylabel("accuracy, held-out, percent")
        axes[-1].set_xlabel("percent of sites whose experiment is named")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8.5)
        return mark_simulated(figure) if simulated else figure


def _end(curves: Mapping[str, Sequence[Point]], *quantities: str) -> float:
    """Return where an axis from zero ends, with room for the last label."""
    values = [
        value
        for points in curves.values()
        for point in points
        for quantity in quantities
        for value in point.values[quantity].values()
    ]
    return min(100.0, 10.0 * math.ceil((max(values, default=90.0) + 6) / 10))


def _curve(axis: Axes, method: str, reading: str, points: Sequence[Point]) -> None:
    style = method_style(method)
    x = [point.mean(reading) for point in points]
    y = [point.mean(ACCURACY) for point in points]
    axis.plot(x, y, label=METHODS[method].label, markersize=6, **style)  # type: ignore[arg-type]
    for point, across, up in zip(points, x, y, strict=True):
        if len(point.values[ACCURACY]) > 1:
            replicates = point.values[ACCURACY]
            axis.plot(
                [point.values[reading][name] for name in replicates],
                list(replicates.values()),
                linestyle="none",
                markersize=3.5,
                alpha=0.45,
                **style,  # type: ignore[arg-type]
            )
        if point.coefficient == 0:  # the method without reversal
            axis.plot([across], [up], marker=style["marker"], color="white", markersize=2.5)


def _name_coefficients(axis: Axes, method: str, reading: str, points: Sequence[Point]) -> None:
    """Write the coefficients beside the points; neighbours too close for two labels share one."""
    for some in _close_together(points, reading, axis.get_xlim()[1], axis.get_ylim()[1]):
        left = min(point.mean(reading) for point in some)
        top = max(point.mean(ACCURACY) for point in some)
        axis.annotate(
            ", ".join(f"{point.coefficient:g}" for point in some),
            (left, top),
            xytext=(4, 6),
            textcoords="offset points",
            fontsize=8,
            color=method_style(method)["color"],
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )


def _close_together(
    points: Sequence[Point], reading: str, wide: float, high: float
) -> list[list[Point]]:
    """Cut the curve where a point lies clear of the first one of its group."""
    groups: list[list[Point]] = []
    for point in points:
        first = groups[-1][0] if groups else point
        across = abs(point.mean(reading) - first.mean(reading)) / wide
        up = abs(point.mean(ACCURACY) - first.mean(ACCURACY)) / high
        if groups and across < NEAR and up < NEAR:
            groups[-1].append(point)
        else:
            groups.append([point])
    return groups


def _reference(axis: Axes, lines: Mapping[str, float]) -> None:
    """Draw what constant answers reach: upright lines for experiments, a level one for siRNAs."""
    upright = {name: lines[name] for name in ("1/E", "cell type") if name in lines}
    dashes: dict[str, Any] = {"color": "#777777", "linewidth": 1, "linestyle": (0, (4, 3))}
    for position in upright.values():
        axis.axvline(position, **dashes)
    label_lines(axis, upright)
    common = lines.get("most common class")
    if common is not None:
        axis.axhline(common, **dashes)
        axis.annotate(
            "most common class",
            (1.0, common),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 3),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color="#555555",
        )
