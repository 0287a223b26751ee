"""Sheets of colour pictures, after the paper's figures 1c, 2, 3 and 4."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rxrx_lib.data.images import Images
from rxrx_lib.study.composite import LIGHTS, Light, Picture, coloured, composite
from rxrx_lib.study.figures import WIDTH, figure_style, mark_simulated
from rxrx_lib.study.screen_figures import picture_tile
from rxrx_lib.study.site_choice import Grid

PICTURE_DPI = 160
"""More than a point of the page has, since screens show several pixels to a point."""
SMOOTHED_BELOW = 128
"""Pixels: smaller pictures are enlarged smoothly, larger ones are shrunk without aliasing."""


def composite_sheet(grid: Grid, images: Images, *, simulated: bool) -> Figure:
    """Draw the grid's sites as composites, all on the one fixed scale.

    Parameters
    ----------
    grid
        Which sites.
    images
        Of the screen.
    simulated
        Whether to mark the figure and each picture.
    """
    rows, columns = len(grid.sites), len(grid.column_names)
    size = (WIDTH - 0.3) / columns
    with figure_style():
        figure, axes = plt.subplots(
            rows,
            columns,
            figsize=(WIDTH, 0.25 + size * rows),
            squeeze=False,
            dpi=PICTURE_DPI,
        )
        for line, sites in zip(axes, grid.sites, strict=True):
            for axis, site in zip(line, images.read(sites), strict=True):
                colour_picture(axis, composite(site), simulated=simulated)
        for axis, name in zip(axes[0], grid.column_names, strict=True):
            small_title(axis, name, 8 if columns < 5 else 7)
        for axis, name in zip(axes[:, 0], grid.row_names, strict=True):
            axis.set_ylabel(name, fontsize=8, parse_math=False)
        return mark_simulated(figure) if simulated else figure


def composite_and_channels(row: int, images: Images, *, simulated: bool) -> Figure:
    """Draw one site as composite, and beside it each channel in its colour.

    The composite is on the fixed scale; each single channel is stretched to its own range, since
    some would be all but black.
    """
    site = images.read([row])[0]
    with figure_style():
        figure = plt.figure(figsize=(WIDTH, 2.3), dpi=PICTURE_DPI)
        places = figure.add_gridspec(2, 4, width_ratios=(2.13, 1, 1, 1))
        whole = figure.add_subplot(places[:, 0])
        colour_picture(whole, composite(site), simulated=simulated)
        small_title(whole, "all six", 8)
        for place, (light, picture) in enumerate(zip(LIGHTS, site, strict=True)):
            axis = figure.add_subplot(places[place // 3, 1 + place % 3])
            colour_picture(axis, coloured(_stretched(picture, light), light), simulated=simulated)
            small_title(axis, f"{light.channel} {light.organelle}", 7)
        return mark_simulated(figure) if simulated else figure


def field_sheet(fields: Mapping[str, Picture], *, simulated: bool) -> Figure:
    """Draw named fields, each (6, H, W), as composites large enough to see single cells."""
    rows = -(-len(fields) // 2)
    with figure_style():
        figure, axes = plt.subplots(
            rows, 2, figsize=(WIDTH, 0.25 + 0.5 * WIDTH * rows), squeeze=False, dpi=PICTURE_DPI
        )
        for axis in axes.flat[len(fields) :]:
            axis.set_axis_off()
        for axis, (name, field) in zip(axes.flat, fields.items(), strict=False):
            colour_picture(axis, composite(field), simulated=simulated)
            small_title(axis, name, 9)
        return mark_simulated(figure) if simulated else figure


def sites_shown(grid: Grid, table: pd.DataFrame, images: Images) -> pd.DataFrame:
    """Return which sites a sheet shows, and each one's mean grey level in each channel."""
    rows = [row for line in grid.sites for row in line]
    return describe_sites(rows, table, images)


def describe_sites(rows: list[int], table: pd.DataFrame, images: Images) -> pd.DataFrame:
    """Return sites by name, siRNA and cell type, with each channel's mean grey level."""
    chosen = table.iloc[rows][["site_id", "sirna", "cell_type"]].reset_index(drop=True)
    means = images.read(rows).mean(axis=(2, 3))
    names = [f"{light.channel} {light.organelle}" for light in LIGHTS]
    return chosen.join(pd.DataFrame(np.round(means, 2), columns=names))


def colour_picture(axis: Axes, picture: Picture, *, simulated: bool) -> None:
    """Show a colour picture, with the mark of a simulated one."""
    picture_tile(axis, picture, 0, 255, simulated=simulated)
    smooth = "bicubic" if len(picture) < SMOOTHED_BELOW else "antialiased"
    axis.images[-1].set_interpolation(smooth)


def small_title(axis: Axes, name: str, size: float) -> None:
    """Name a picture above it; the name is shown as it is, whatever signs it holds."""
    axis.set_title(name, fontsize=size, loc="center", fontweight="normal", parse_math=False)


def _stretched(picture: Picture, light: Light) -> npt.NDArray[np.float64]:
    """Spread a channel over its range up to the white point."""
    low, high = np.percentile(picture, (1, 99.7))
    share = (picture - low) / max(high - low, 1.0)
    return np.asarray(np.clip(share, 0, 1) * light.white_point)
