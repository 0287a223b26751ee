"""Figure 7 drawn: distributions of cosines, a row a method, within and across experiments."""

from __future__ import annotations

import math
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.figures import WIDTH, figure_style, mark_simulated, method_style
from rxrx_lib.study.similarity import BINS, SHOWN, values
from rxrx_lib.study.similarity_pages import densities

MOST_BINS = 50
"""Of the visible part of an axis; more, and a few hundred pairs would draw a comb."""
DIFFERENT = "#777777"
PANELS = {
    "within": {
        "different_within": "different siRNAs",
        "same_within": "same siRNA",
        "same_within_other_wells": "same siRNA, other wells",
    },
    "across": {"different_across": "different siRNAs", "same_across": "same siRNA"},
}
"""Panel to its curves and what they are called."""


def similarity_figure(results: pd.DataFrame, *, simulated: bool) -> Figure:
    """Draw each method's cosines of same and of different siRNAs, within and across experiments.

    A thick line is the mean over replicates, each replicate a thin one.

    Parameters
    ----------
    results
        As :func:`rxrx_lib.study.similarity.gather_similarity` gives them.
    simulated
        Whether to mark the figure.
    """
    curves = densities(results, merged_bins(results))
    with figure_style():
        figure, axes = plt.subplots(
            len(SHOWN), len(PANELS), figsize=(WIDTH, 4.4), sharex=True, sharey="row"
        )
        for row, method in enumerate(SHOWN):
            for axis, panel in zip(axes[row], PANELS, strict=True):
                _panel(axis, curves, results, method, panel)
            axes[row, 0].set_ylabel(f"{METHODS[method].label}\npercent of pairs")
        for axis, panel in zip(axes[0], PANELS, strict=True):
            axis.set_title(f"{panel.capitalize()} experiments")
        for axis in axes[-1]:
            axis.set_xlabel("cosine")
        _legend(figure)
        return mark_simulated(figure) if simulated else figure


def merged_bins(results: pd.DataFrame) -> int:
    """Return how many kept bins the figure draws as one: as few as `MOST_BINS` allow."""
    lowest = densities(results)["from"].min()
    visible = (1 - lowest) / (2 / BINS)
    wanted = math.ceil(visible / MOST_BINS)
    return next(merged for merged in range(wanted, BINS + 1) if BINS % merged == 0)


def _panel(
    axis: Axes, curves: pd.DataFrame, results: pd.DataFrame, method: str, panel: str
) -> None:
    some = curves[curves["method"] == method]
    for name, label in PANELS[panel].items():
        drawn = some[some["distribution"] == name]
        drawn = drawn[drawn.groupby("replicate")["pairs"].transform("sum") > 0]
        style = _style(method, label)
        for _, replicate in drawn.groupby("replicate"):
            _steps(axis, replicate, alpha=0.35, linewidth=0.6, **style)
        if len(drawn):
            mean = drawn.groupby(["from", "to"])[["percent"]].mean().reset_index()
            _steps(axis, mean, alpha=0.9, linewidth=1.8, **style)
            if label != "same siRNA, other wells":
                axis.fill_between(
                    mean["from"],
                    mean["percent"],
                    step="post",
                    color=style["color"],
                    alpha=0.15,
                    lw=0,
                )
    axis.set_ylim(bottom=0)
    _numbers(axis, results, method, panel)


def _legend(figure: Figure) -> None:
    """Name the curves; a line beside a name has the colours of both rows."""
    names = list(PANELS["within"].values())
    handles: list[Any] = [
        tuple(Line2D([], [], linewidth=2, **_style(method, name)) for method in SHOWN)
        for name in names
    ]
    figure.legend(
        handles,
        names,
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.3)},
        loc="outside lower center",
        ncols=3,
        fontsize=8,
        handlelength=3,
        columnspacing=1.2,
    )


def _style(method: str, name: str) -> dict[str, Any]:
    """Return the colour and the dashes of a curve."""
    dashes = (0, (2, 1)) if name == "same siRNA, other wells" else "-"
    colour = DIFFERENT if name == "different siRNAs" else method_style(method)["color"]
    return {"color": colour, "linestyle": dashes}


def _steps(axis: Axes, curve: pd.DataFrame, **style: Any) -> None:
    edges = [*curve["from"], curve["to"].iloc[-1]]
    axis.stairs(curve["percent"], edges, baseline=None, **style)


def _numbers(axis: Axes, results: pd.DataFrame, method: str, panel: str) -> None:
    """Write KS and Wasserstein of the panel, means over replicates."""
    lines = []
    for name, measure in (("KS", "ks"), ("W", "wasserstein")):
        found = values(results, method, f"{measure}_{panel}")
        if found:
            lines.append(f"{name} {sum(found.values()) / len(found):.2f}")
    axis.annotate(
        "\n".join(lines) or "no pairs",
        (0.04, 0.96),
        xycoords="axes fraction",
        va="top",
        fontsize=8.5,
        color="#333333",
    )
