"""The plate: which wells hold what, and how a well becomes pictures (the paper's figure 1b)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch

from rxrx_lib.data.images import Images
from rxrx_lib.data.metadata import CELL_TYPES, WELLS
from rxrx_lib.study.composite import LIGHTS, composite
from rxrx_lib.study.figures import WIDTH, figure_style, mark_simulated
from rxrx_lib.study.picture_sheets import PICTURE_DPI, colour_picture, small_title
from rxrx_lib.study.well_intensity import MEANS, cell_counts, well_intensities

MOST_WELLS = 5_000
"""Of the experiments that a page holds; four whole ones of the release."""
ROWS, COLUMNS = "ABCDEFGHIJKLMNOP", range(1, 25)
"""Of a 384-well plate, the outer ring included."""


class Look(NamedTuple):
    """How wells of one type are drawn, told apart by shape as well as by colour."""

    name: str
    marker: str
    colour: str
    edge: str = "#333333"
    size: float = 4.8


LOOKS = {
    "treatment": Look("treatment", "o", "#56B4E9"),
    "positive_control": Look("positive control", "D", "#E69F00", size=4.4),
    "negative_control": Look("EMPTY", "s", "#FFFFFF"),
}
UNUSED_INNER = Look("no picture", "o", "#B5B5B5", "#B5B5B5", 1.2)
UNUSED_OUTER = Look("outer, never used", "o", "none", "#C8C8C8", 4.4)


def shown_experiments(table: pd.DataFrame, most_wells: int = MOST_WELLS) -> list[str]:
    """Return the first training experiment of each cell type, then the first other ones.

    As many as fit in ``most_wells``, and always the first.
    """
    firsts = []
    experiments = table.drop_duplicates("experiment").sort_values("experiment")
    for training in (True, False):
        for cell_type in CELL_TYPES:
            chosen = (experiments["cell_type"] == cell_type) & (
                (experiments["dataset"] == "train") == training
            )
            firsts += experiments.loc[chosen, "experiment"].head(1).tolist()
    wells = table.drop_duplicates("well_id").groupby("experiment").size()
    room = wells.loc[firsts].cumsum() <= most_wells
    return [name for place, name in enumerate(firsts) if place == 0 or room.loc[name]]


def plate_wells(
    table: pd.DataFrame, images: Images, root: Path, experiments: list[str]
) -> pd.DataFrame:
    """Return the wells of whole experiments, as :func:`well_intensities` does, with ``cells``.

    ``cells`` is the number seen in all sites of the well; missing where nobody has counted.
    """
    wells = well_intensities(table, images, table["experiment"].isin(experiments).to_numpy())
    counted = cell_counts(root, table)
    cells = np.nan if counted is None else wells["well_id"].map(counted)
    return wells.assign(cells=cells)


def first_plate(wells: pd.DataFrame) -> pd.DataFrame:
    """Return the wells of the first plate, in reading order."""
    of_experiment = wells[wells["experiment"] == wells["experiment"].iloc[0]]
    first: pd.DataFrame = of_experiment[of_experiment["plate"] == of_experiment["plate"].min()]
    return first.sort_values("well", key=lambda names: names.map(WELLS.index))


def plate_numbers(plate: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers behind the figure: a row a well."""
    names = {
        column: f"{light.channel} {light.organelle}"
        for column, light in zip(MEANS, LIGHTS, strict=True)
    }
    shown = plate[["well", "well_type", "sirna", "cells", "sites", *MEANS]].rename(columns=names)
    cells = shown["cells"].map(lambda count: "not known" if np.isnan(count) else f"{count:.0f}")
    return shown.assign(cells=cells, well_type=shown["well_type"].str.replace("_", " "))


def map_notes(wells: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """Say which experiments the interactive map holds, and where its numbers come from."""
    held, every = wells["experiment"].nunique(), table["experiment"].nunique()
    counted = not wells["cells"].isna().any()
    return [
        f"The map holds {held} of {every} experiments: the first training and the first test "
        f"experiment of each cell type, as far as they fit; {len(wells):,} wells.",
        "Intensity is the mean grey level, 0 to 255, over all sites of the well.",
        "The number of cells is the simulator's own count over all sites of the well."
        if counted
        else "The number of cells is not known: the release does not give it.",
    ]


def plate_figure(
    plate: pd.DataFrame, table: pd.DataFrame, images: Images, *, simulated: bool
) -> Figure:
    """Draw a plate, and the sites of its last treatment, nearest to them, as composites.

    Parameters
    ----------
    plate
        As :func:`first_plate` gives it.
    table, images
        The screen's sites and pictures.
    simulated
        Whether to mark the figure and each picture.
    """
    treated = plate[plate["well_type"] == "treatment"]
    well = (treated if len(treated) else plate).iloc[-1]
    rows = np.flatnonzero((table["well_id"] == well["well_id"]).to_numpy())
    with figure_style():
        figure = plt.figure(figsize=(WIDTH, 5.0), dpi=PICTURE_DPI)
        places = figure.add_gridspec(2, 3, height_ratios=(2.9, 1.6))
        axis = figure.add_subplot(places[0, :])
        _draw_wells(axis, plate, well["well"])
        small_title(axis, f"{well['experiment']}, plate {well['plate']}", 9)
        for place, (row, site) in enumerate(zip(rows, images.read(rows), strict=True)):
            below = figure.add_subplot(places[1, place])
            colour_picture(below, composite(site), simulated=simulated)
            below.set_xlabel(f"{well['well']}, site {table['site'].iloc[row]}", fontsize=8)
            _connect(figure, axis, below, well["well"])
        _legend(figure.add_subplot(places[1, 2]), plate)
        return mark_simulated(figure) if simulated else figure


def _draw_wells(axis: Axes, plate: pd.DataFrame, ringed: str) -> None:
    every = [(column, row) for row in range(len(ROWS)) for column in COLUMNS]
    inner = [_place(well) for well in WELLS]
    outer = sorted(set(every) - set(inner))
    _scatter(axis, outer, UNUSED_OUTER)
    _scatter(axis, inner, UNUSED_INNER)
    for kind, look in LOOKS.items():
        places = [_place(well) for well in plate.loc[plate["well_type"] == kind, "well"]]
        if places:
            _scatter(axis, places, look)
    axis.plot(*_place(ringed), "o", markersize=9, fillstyle="none", color="black", mew=1.4)
    axis.set(xlim=(0.3, 24.7), ylim=(15.6, -0.6), aspect="equal")
    axis.set_xticks(COLUMNS[::2], [str(column) for column in COLUMNS[::2]], fontsize=7)
    axis.set_yticks(range(len(ROWS)), list(ROWS), fontsize=7)
    axis.grid(visible=False)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set(visible=True, color="#999999")


def _legend(axis: Axes, plate: pd.DataFrame) -> None:
    """Name the signs, with the number of wells of each on this plate."""
    numbers = plate["well_type"].value_counts()
    lines = [(look, f"{look.name}: {numbers.get(kind, 0)}") for kind, look in LOOKS.items()]
    lines += [
        (UNUSED_INNER, f"{UNUSED_INNER.name}: {len(WELLS) - len(plate)}"),
        (UNUSED_OUTER, UNUSED_OUTER.name),
    ]
    for row, (look, words) in enumerate(lines):
        _scatter(axis, [(0.0, row)], look)
        axis.text(0.12, row, words, va="center", fontsize=8)
    axis.set(xlim=(-0.1, 1.2), ylim=(4.8, -0.8))
    axis.axis("off")


def _scatter(axis: Axes, places: Sequence[tuple[float, float]], look: Look) -> None:
    x, y = np.transpose(places)
    axis.plot(
        x,
        y,
        linestyle="none",
        marker=look.marker,
        markersize=look.size,
        markerfacecolor=look.colour,
        markeredgecolor=look.edge,
        markeredgewidth=0.6,
    )


def _connect(figure: Figure, plate: Axes, picture: Axes, well: str) -> None:
    line = ConnectionPatch(
        _place(well),
        (0.5, 1.0),
        coordsA=plate.transData,
        coordsB=picture.transAxes,
        color="#333333",
        lw=0.7,
        shrinkA=5,
        shrinkB=1,
    )
    line.set_in_layout(False)
    figure.add_artist(line)


def _place(well: str) -> tuple[int, int]:
    """Return a well's column and row on the plate, such as (2, 1) for B02."""
    return int(well[1:]), ROWS.index(well[0])
