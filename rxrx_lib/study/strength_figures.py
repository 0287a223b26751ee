"""Figures of the batch effect's strength and of its parts."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.components import ALL, ARMS, REVERSING, ROWS, UNCORRECTED, Losses
from rxrx_lib.study.figures import (
    INK,
    WIDTH,
    figure_style,
    mark_simulated,
    method_style,
    name_rows,
    wrapped,
)
from rxrx_lib.study.strength import Curves, factors_of

LABEL_LETTERS = 22
ROW_HEIGHT = 0.46
"""Inches a row."""


def strength_figure(
    panels: Mapping[str, tuple[Curves, Mapping[str, float]]], *, simulated: bool
) -> Figure:
    """Draw a panel a quantity, a line a method: its mean at each factor.

    Where there are several replicates, each is a small dot.

    Parameters
    ----------
    panels
        Title to the curves in percent, and to the reference lines, name to position.
    simulated
        Whether to mark the figure.
    """
    with figure_style():
        size = (WIDTH, 0.9 + 2.3 * len(panels))
        figure, axes = plt.subplots(len(panels), 1, figsize=size, sharex=True, squeeze=False)
        for axis, (title, (found, lines)) in zip(axes[:, 0], panels.items(), strict=True):
            for method in METHODS:
                _curve(axis, found, method)
            for name, position in lines.items():
                _reference(axis, name, position)
            axis.set_title(title)
            axis.set_ylabel("percent of sites")
            axis.set_ylim(0, 103)
            axis.set_xticks(factors_of(found))
        axes[-1, 0].set_xlabel("factor on all technical effects (0: none, 1: calibrated)")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8.5)
        return mark_simulated(figure) if simulated else figure


def component_figure(lost: Losses, *, simulated: bool) -> Figure:
    """Draw what each technical effect costs each arm, a row an effect.

    The large dot is the mean over replicates; where there are several, each is a small dot.

    Parameters
    ----------
    lost
        As :func:`rxrx_lib.study.components.losses` gives them.
    simulated
        Whether to mark the figure.
    """
    rows = [row for row in ROWS if row in lost]
    arms = [name for name in ARMS | REVERSING if any(name in lost[row] for row in rows)]
    with figure_style():
        figure, axis = plt.subplots(figsize=(WIDTH, 1.5 + ROW_HEIGHT * len(rows)))
        axis.axvline(0, color="#333333", linewidth=1)
        for place, row in enumerate(rows):
            if row == ALL:
                axis.axhline(place - 0.5, color="#BBBBBB", linewidth=0.8)
            for up, name in zip(_offsets(len(arms)), arms, strict=True):
                if name in lost[row]:
                    _losses(axis, place + up, list(lost[row][name].values()), name)
        name_rows(axis, [wrapped(ROWS[row], LABEL_LETTERS) for row in rows])
        axis.set_xlabel("points of accuracy lost to the effect")
        handles = [
            Line2D([], [], linestyle="none", label=(ARMS | REVERSING)[name].label, **_style(name))  # type: ignore[arg-type]  # colour and marker, never a flag
            for name in arms
        ]
        figure.legend(
            handles=handles,
            loc="outside lower center",
            fontsize=8.5,
            title="Against the effect stands",
            title_fontsize=8.5,
        )
        return mark_simulated(figure) if simulated else figure


def _curve(axis: Axes, found: Curves, method: str) -> None:
    factors = [factor for factor in factors_of(found) if (method, factor) in found]
    if not factors:
        return
    style = method_style(method)
    means = [float(np.mean(list(found[method, factor].values()))) for factor in factors]
    axis.plot(factors, means, label=METHODS[method].label, markersize=6, **style)  # type: ignore[arg-type]
    for factor in factors:
        values = list(found[method, factor].values())
        if len(values) > 1:
            axis.plot(
                [factor] * len(values),
                values,
                linestyle="none",
                markersize=3.5,
                alpha=0.45,
                **style,  # type: ignore[arg-type]
            )


def _reference(axis: Axes, name: str, position: float) -> None:
    axis.axhline(position, color="#777777", linewidth=1, linestyle=(0, (4, 3)))
    axis.annotate(
        name,
        (0.0, position),
        xycoords=("axes fraction", "data"),
        xytext=(3, -3),
        textcoords="offset points",
        va="top",
        fontsize=8,
        color="#555555",
    )


def _losses(axis: Axes, place: float, values: list[float], arm: str) -> None:
    style = _style(arm)
    mean = float(np.mean(values))
    axis.plot([0, mean], [place, place], color=style["color"], linewidth=1.6, alpha=0.45)
    axis.plot(
        [mean],
        [place],
        linestyle="none",
        markersize=6.5,
        markeredgecolor="white",
        markeredgewidth=0.6,
        **style,  # type: ignore[arg-type]
    )
    if len(values) > 1:
        axis.plot(
            values,
            [place] * len(values),
            linestyle="none",
            markersize=3,
            alpha=0.6,
            **style,  # type: ignore[arg-type]
        )


def _style(arm: str) -> dict[str, str]:
    """Return a method's colour and marker; what has no correction at all is grey."""
    return {"color": INK, "marker": "X"} if arm == UNCORRECTED else method_style(arm)


def _offsets(n: int) -> list[float]:
    """Return where in a row of height 1 each arm lies, from the top."""
    return [float(each) for each in np.linspace(-0.25, 0.25, n)] if n > 1 else [0.0] * n
