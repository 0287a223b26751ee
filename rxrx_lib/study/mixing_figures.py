"""The figures of mixing: test sites in a plane, coloured by experiment; purity by cell type."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rxrx_lib.evaluation.experiment_purity import NEIGHBOURS
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.claims import PERCENT
from rxrx_lib.study.figures import WIDTH, Panel, figure_style, mark_simulated, replicate_panels
from rxrx_lib.study.mixing import ENDINGS, Layout, purity_cells

# Tol's muted scheme, told apart by colour-blind readers; no method has one of these colours.
EXPERIMENT_COLOURS = (
    "#CC6677",
    "#332288",
    "#DDCC77",
    "#117733",
    "#88CCEE",
    "#882255",
    "#44AA99",
    "#999933",
)
EXPERIMENT_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
MOST_DRAWN_AS_SHAPES = 4000
"""Points of a panel beyond which they are drawn as a picture: an SVG of shapes grows large."""


def plane_figure(found: Sequence[Layout], *, simulated: bool) -> Figure:
    """Draw a panel a method: each test site a point, its colour and shape the experiment's.

    Parameters
    ----------
    found
        As :func:`rxrx_lib.study.mixing.layouts` gives them. A method that is not among them has a
        panel that says so.
    simulated
        Whether to mark the figure.
    """
    by_method = {layout.method: layout for layout in found}
    names = sorted({str(name) for layout in found for name in layout.experiment})
    with figure_style():
        rows = -(-len(METHODS) // 2)
        figure, axes = plt.subplots(rows, 2, figsize=(WIDTH, 2.35 * rows + 0.75), squeeze=False)
        for axis in axes.flat:
            axis.set(xticks=[], yticks=[])
            axis.grid(visible=False)
        for axis in axes.flat[len(METHODS) :]:
            axis.set_visible(False)
        for axis, (method, record) in zip(axes.flat, METHODS.items(), strict=False):
            axis.set_title(record.label)
            if method in by_method:
                _draw(axis, by_method[method], names)
            else:
                axis.text(0.5, 0.5, "no embeddings kept", ha="center", transform=axis.transAxes)
        handles, labels = axes.flat[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=3, fontsize=8, markerscale=2
        )
        return mark_simulated(figure) if simulated else figure


def _draw(axis: Axes, layout: Layout, names: Sequence[str]) -> None:
    """Draw the sites in an order that hides no experiment behind another, and the purity."""
    order = np.random.default_rng(0).permutation(len(layout.plane))
    slices = np.array_split(order, 4)  # in turns, so that no experiment lies on top of all
    for turn, rows in enumerate(slices):
        for number, name in enumerate(names):
            chosen = rows[layout.experiment[rows] == name]
            axis.plot(
                *layout.plane[chosen].T,
                linestyle="none",
                marker=EXPERIMENT_MARKERS[number % len(EXPERIMENT_MARKERS)],
                color=EXPERIMENT_COLOURS[number % len(EXPERIMENT_COLOURS)],
                markersize=3,
                markeredgewidth=0.25,
                markeredgecolor="#222222",
                rasterized=len(layout.plane) > MOST_DRAWN_AS_SHAPES,
                label=name if turn == 0 else None,
            )
    if np.isfinite(layout.purity):
        axis.set_xlabel(
            f"purity {layout.purity:.1f}{PERCENT}, by luck {layout.chance:.1f}{PERCENT}"
        )


def purity_panels(results: pd.DataFrame) -> list[Panel]:
    """Return a panel a cell type: every replicate of every method, and what luck gives."""
    by_place = {(cell.row, cell.column): cell for cell in purity_cells(results)}
    panels = []
    for name, end in ENDINGS.items():
        found = {method: by_place.get((method, f"purity{end}")) for method in METHODS}
        values = {m: list(cell.replicates.values()) for m, cell in found.items() if cell}
        if values:
            luck = by_place[next(iter(values)), f"chance{end}"].value
            panels.append(Panel(name, values, {"by luck": luck}))
    return panels


def purity_figure(panels: Sequence[Panel], *, simulated: bool) -> Figure:
    """Draw every replicate's purity, one panel a cell type; without any, say so."""
    if panels:
        figure = replicate_panels(panels, simulated=simulated)
        figure.axes[-1].set_xlabel(f"percent of the {NEIGHBOURS} nearest neighbours")
        return figure
    with figure_style():
        figure, axis = plt.subplots(figsize=(WIDTH, 0.8))
        axis.axis("off")
        axis.text(0, 0.5, "No cell type has several test experiments here.", va="center")
        return mark_simulated(figure) if simulated else figure
