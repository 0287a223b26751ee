"""Figures made for people: every replicate a dot, every simulated figure marked as such."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rxrx_lib.data.metadata import CELL_TYPES
from rxrx_lib.evaluation.intervals import t_interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.negative_controls import CONTROL_TITLES
from rxrx_lib.study.tables import Cell

STYLE = Path(__file__).with_name("rxrx.mplstyle")

# After Okabe and Ito, told apart by colour-blind readers too; and by marker.
STYLES = (
    {"color": "#0072B2", "marker": "o"},
    {"color": "#D55E00", "marker": "s"},
    {"color": "#009E73", "marker": "^"},
    {"color": "#AA4499", "marker": "D"},
    {"color": "#E69F00", "marker": "v"},
    {"color": "#56B4E9", "marker": "P"},
    {"color": "#000000", "marker": "X"},
)
WIDTH = 4.6
"""Inches: a phone shows so much without shrinking letters beyond reading."""
INK = "#444444"
"""Of dots that belong to no method."""
LABEL_ROOM = 0.2
"""Share of an axis within which two reference lines share one label."""


class Panel(NamedTuple):
    """One metric of several methods."""

    title: str
    values: Mapping[str, Sequence[float]]
    """Method to its replicates' values, in percent."""
    lines: Mapping[str, float] = {}
    """Name to the position of a reference line."""


def method_style(method: str) -> dict[str, str]:
    """Return the colour and marker that a method has in every figure, by its place in the list."""
    return STYLES[list(METHODS).index(method) % len(STYLES)]


def figure_style() -> AbstractContextManager[None]:
    """Use the book's style inside a ``with`` block."""
    return plt.style.context(STYLE)


def replicate_panels(panels: Sequence[Panel], *, simulated: bool) -> Figure:
    """Draw one row of dots a method, one panel a metric, panels below one another.

    The thick tick is the mean, the bar its 95 % t interval over replicates.
    """
    with figure_style():
        heights = [0.8 + 0.34 * len(panel.values) for panel in panels]
        figure, axes = plt.subplots(
            len(panels), 1, figsize=(WIDTH, sum(heights)), height_ratios=heights, squeeze=False
        )
        for axis, panel in zip(axes[:, 0], panels, strict=True):
            axis.set_xlim(0, 100)
            _dots(axis, panel)
        axes[-1, 0].set_xlabel("percent of sites")
        return mark_simulated(figure) if simulated else figure


def difference_panels(panels: Sequence[Panel], *, simulated: bool) -> Figure:
    """Draw paired differences from the baseline the same way, with the zero line."""
    with figure_style():
        heights = [0.6 + 0.34 * len(panel.values) for panel in panels]
        figure, axes = plt.subplots(
            len(panels),
            1,
            figsize=(WIDTH, sum(heights)),
            height_ratios=heights,
            squeeze=False,
            sharex=True,
        )
        for axis, panel in zip(axes[:, 0], panels, strict=True):
            axis.axvline(0, color="#333333", linewidth=1)
            _dots(axis, panel)
        axes[-1, 0].set_xlabel("percentage points more than the baseline")
        return mark_simulated(figure) if simulated else figure


def experiment_differences(table: pd.DataFrame, method: str, *, simulated: bool) -> Figure:
    """Draw a method's difference from the baseline in each test experiment, a dot a replicate.

    No means: in simulated replicates, experiments of one name are different experiments.

    Parameters
    ----------
    table
        As :func:`rxrx_lib.study.tables.per_experiment` gives it for the method.
    method
        Whose colour and marker the dots have.
    simulated
        Whether to mark the figure.
    """
    with figure_style():
        place = table["cell_type"].map(CELL_TYPES.index)
        order = table.assign(place=place).drop_duplicates("experiment")
        order = order.sort_values(["place", "experiment"])
        names, cell_types = list(order["experiment"]), list(order["cell_type"])
        figure, axis = plt.subplots(figsize=(WIDTH, 0.9 + 0.24 * len(names)))
        axis.axvline(0, color="#333333", linewidth=1)
        for row, name in enumerate(names):
            if row and cell_types[row] != cell_types[row - 1]:
                axis.axhline(row - 0.5, color="#BBBBBB", linewidth=0.8)
            _replicates(axis, row, table.loc[table["experiment"] == name, "difference"], method)
        name_rows(axis, names)
        axis.set_title(f"{METHODS[method].label} minus baseline, batch-separated")
        axis.set_xlabel("percentage points more than the baseline")
        return mark_simulated(figure) if simulated else figure


def negative_control_panels(cells: Sequence[Cell], *, simulated: bool) -> Figure:
    """Draw the negative controls' accuracies against what is luck.

    Parameters
    ----------
    cells
        As :func:`rxrx_lib.study.negative_controls.negative_control_cells` gives them.
    simulated
        Whether to mark the figure.
    """
    panels = []
    for control in dict.fromkeys(cell.row for cell in cells):
        found = {c.column: list(c.replicates.values()) for c in cells if c.row == control}
        line = found.pop("luck_line")
        panels.append(Panel(CONTROL_TITLES[control], found, {"by luck": sum(line) / len(line)}))
    return replicate_panels(panels, simulated=simulated)


def mark_simulated(figure: Figure) -> Figure:
    """Write SIMULATED over the figure's right upper corner."""
    figure.text(
        0.995,
        1 + 0.08 / figure.get_figheight(),  # clear of titles that reach the upper edge
        "SIMULATED",
        ha="right",
        va="bottom",
        fontsize=8.5,
        fontweight="bold",
        color="white",
        bbox={"boxstyle": "round,pad=0.3", "facecolor": "#8A1C1C", "edgecolor": "none"},
    )
    return figure


def _dots(axis: Axes, panel: Panel) -> None:
    for position in panel.lines.values():
        axis.axvline(position, color="#777777", linewidth=1, linestyle=(0, (4, 3)))
    for row, (method, values) in enumerate(panel.values.items()):
        draw_row(axis, row, values, method)
    name_rows(axis, [wrapped(METHODS[method].label, 18) for method in panel.values])
    if panel.lines:
        axis.set_ylim(top=-1.25)
        label_lines(axis, panel.lines)
    axis.set_title(panel.title)


def draw_row(axis: Axes, row: int, values: Sequence[float], method: str) -> None:
    """Draw a row's replicates in a method's style, their mean and its 95 % t interval."""
    interval, colour = t_interval(values), method_style(method)["color"]
    axis.plot([interval.low, interval.high], [row, row], color=colour, alpha=0.35, lw=5)
    axis.plot([interval.mean] * 2, [row - 0.28, row + 0.28], color=colour, lw=2.4)
    _replicates(axis, row, values, method)


def label_lines(axis: Axes, lines: Mapping[str, float]) -> None:
    """Name upright lines at the upper edge; lines too close for two labels share one."""
    left, right = axis.get_xlim()
    shared: list[tuple[str, float]] = []
    for name, position in sorted(lines.items(), key=lambda line: line[1]):
        if shared and position - shared[-1][1] < LABEL_ROOM * (right - left):
            name = f"{shared.pop()[0]}, {name}"
        shared.append((name, position))
    for name, position in shared:
        axis.annotate(
            name,
            (position, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, -1),
            textcoords="offset points",
            va="top",
            fontsize=8,
            color="#555555",
        )


def _replicates(axis: Axes, row: int, values: Sequence[float], method: str) -> None:
    axis.plot(
        values,
        row + _spread(len(values)),
        linestyle="none",
        markersize=5.5,
        markeredgecolor="white",
        markeredgewidth=0.6,
        **method_style(method),  # type: ignore[arg-type]  # colour and marker, never a flag
    )


def wrapped(words: str, width: int) -> str:
    """Break a label into lines of so many letters."""
    return "\n".join(textwrap.wrap(words, width))


def _spread(n: int) -> npt.NDArray[np.float64]:
    """Return small vertical offsets, so that equal replicates do not hide one another."""
    return np.linspace(-0.14, 0.14, n) if n > 1 else np.zeros(n)


def name_rows(axis: Axes, names: Sequence[str]) -> None:
    """Name rows 0, 1, … from the top, and leave room for each."""
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0)
