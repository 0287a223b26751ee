"""Figures and sentences of the simulator's chapter: pictures, truth, realism."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rxrx_lib.data.images import Images
from rxrx_lib.study.figures import INK, WIDTH, figure_style, mark_simulated, wrapped

CHANNELS = ("1 nuclei", "2 ER", "3 actin", "4 nucleoli, RNA", "5 mitochondria", "6 Golgi")
SHOWN_EXPERIMENTS = 4
SHOWN_SIRNAS = 4


def channel_sheet(table: pd.DataFrame, images: Images, *, simulated: bool) -> Figure:
    """Draw one untreated site of each cell type in all six channels, each stretched by itself."""
    rows = _first_rows(table, table["well_type"] == "negative_control", "cell_type")
    pictures = images.read(list(rows.values()))
    with figure_style():
        figure, axes = plt.subplots(
            len(CHANNELS), len(rows), figsize=(WIDTH, 0.3 + 1.02 * len(CHANNELS)), squeeze=False
        )
        for column, (cell_type, site) in enumerate(zip(rows, pictures, strict=True)):
            for channel, picture in enumerate(site):
                low, high = np.percentile(picture, (1, 99.7))
                picture_tile(axes[channel, column], picture, low, high, simulated=simulated)
            axes[0, column].set_title(cell_type, fontsize=9, loc="center", fontweight="normal")
        for axis, name in zip(axes[:, 0], CHANNELS, strict=True):
            axis.set_ylabel(wrapped(name, 12), fontsize=8)
        return mark_simulated(figure) if simulated else figure


def experiment_sheet(
    table: pd.DataFrame, images: Images, *, simulated: bool, channel: int = 2
) -> Figure:
    """Draw a few siRNAs in a few experiments of one cell type, on one grey scale."""
    cell_type = table["cell_type"].iloc[0]
    chosen = table[(table["cell_type"] == cell_type) & (table["site"] == 1)]
    experiments = sorted(chosen["experiment"].unique())[:SHOWN_EXPERIMENTS]
    sirnas = sorted(chosen.loc[chosen["well_type"] == "treatment", "sirna"].unique())
    with figure_style():
        figure, axes = plt.subplots(
            len(experiments),
            min(SHOWN_SIRNAS, len(sirnas)),
            figsize=(WIDTH, 0.3 + 1.08 * len(experiments)),
            squeeze=False,
        )
        wanted = [
            (table["experiment"] == experiment) & (table["sirna"] == sirna) & (table["site"] == 1)
            for experiment in experiments
            for sirna in sirnas[:SHOWN_SIRNAS]
        ]
        rows = [int(np.flatnonzero(there.to_numpy())[0]) for there in wanted]
        pictures = images.read(rows, channels=[channel])[:, 0]
        low, high = np.percentile(pictures, (1, 99.7))
        for axis, picture in zip(axes.flat, pictures, strict=True):
            picture_tile(axis, picture, low, high, simulated=simulated)
        for axis, sirna in zip(axes[0], sirnas, strict=False):
            axis.set_title(sirna, fontsize=9, loc="center", fontweight="normal")
        for axis, experiment in zip(axes[:, 0], experiments, strict=True):
            axis.set_ylabel(experiment, fontsize=8)
        return mark_simulated(figure) if simulated else figure


def effects_table(truth: Mapping[str, Any]) -> pd.DataFrame:
    """Return each experiment's technical effects, one number an effect.

    Effects of several channels are given as their mean, gains and gammas as their geometric mean.
    """
    rows = []
    for name, effects in truth["experiments"].items():
        rows.append(
            {
                "experiment": name,
                "cell type": effects["cell_type"],
                "strength": effects["strength"],
                "gain": _geometric_mean(effects["gain"]),
                "background": _geometric_mean(effects["background"]),
                "gamma": _geometric_mean(effects["gamma"]),
                "blur": float(np.mean(effects["blur"])),
                "haze": effects["haze"],
                "noise": effects["noise"],
                "density": float(np.exp(effects["density"])),
                "knock-down": effects["knockdown"],
            }
        )
    return pd.DataFrame(rows)


def strength_dots(truth: Mapping[str, Any], table: pd.DataFrame, *, simulated: bool) -> Figure:
    """Draw the strength of every experiment's technical effects, one row a cell type."""
    side = table.drop_duplicates("experiment").set_index("experiment")["dataset"]
    effects = effects_table(truth)
    with figure_style():
        cell_types = list(dict.fromkeys(effects["cell type"]))
        figure, axis = plt.subplots(figsize=(WIDTH, 0.9 + 0.4 * len(cell_types)))
        for row in effects.to_dict("records"):
            axis.plot(
                [row["strength"]],
                [cell_types.index(row["cell type"])],
                marker="o",
                color=INK,
                markersize=8,
                markerfacecolor=INK if side[row["experiment"]] == "test" else "white",
            )
        _rows(axis, cell_types)
        axis.set_xlim(left=0)
        axis.set_xlabel("strength of technical effects (0: none)")
        return mark_simulated(figure) if simulated else figure


def realism_claims(compared: pd.DataFrame) -> list[str]:
    """Say how many statistics lie within their tolerance, and which do not."""
    passed = int(compared["passes"].sum())
    lines = [f"{passed} of {len(compared)} statistics lie within their tolerance."]
    for statistic, some in compared.groupby("statistic", sort=False):
        failed = some[~some["passes"]]
        if len(failed):
            where = ", ".join(_where(row) for row in failed.to_dict("records"))
            lines.append(f"Outside, {statistic}: {where} ({len(failed)} of {len(some)}).")
    return lines


def realism_dots(compared: pd.DataFrame, *, simulated: bool) -> Figure:
    """Draw every statistic's deviation from the real value, in units of its tolerance."""
    with figure_style():
        statistics = list(dict.fromkeys(compared["statistic"]))
        figure, axis = plt.subplots(figsize=(WIDTH, 1.0 + 0.4 * len(statistics)))
        axis.axvspan(-1, 1, color="#009E73", alpha=0.12, linewidth=0)
        axis.axvline(0, color="#333333", linewidth=1)
        deviation = (compared["simulated"] - compared["real"]) / compared["tolerance"]
        for row, statistic in enumerate(statistics):
            chosen = (compared["statistic"] == statistic).to_numpy()
            for passes, colour in ((True, "#00684C"), (False, "#B3401C")):
                some = deviation[chosen & (compared["passes"].to_numpy() == passes)]
                axis.plot(
                    some,
                    row + np.linspace(-0.2, 0.2, len(some)),
                    linestyle="none",
                    marker="o" if passes else "X",
                    markersize=5,
                    color=colour,
                    markeredgecolor="white",
                    markeredgewidth=0.5,
                )
        _rows(axis, [wrapped(statistic, 24) for statistic in statistics])
        axis.set_xlabel("(simulated − real) / tolerance")
        return mark_simulated(figure) if simulated else figure


def _first_rows(table: pd.DataFrame, wanted: pd.Series[bool], column: str) -> dict[str, int]:
    """Return the first wanted row position of each value of a column."""
    positions = np.flatnonzero(wanted.to_numpy())
    chosen = table.iloc[positions].assign(row=positions).drop_duplicates(column)
    return dict(zip(chosen[column], chosen["row"], strict=True))


def picture_tile(
    axis: Axes, picture: npt.NDArray[np.uint8], low: float, high: float, *, simulated: bool
) -> None:
    """Show a picture; a simulated one carries its own mark, so that no crop of the sheet is RxRx1.

    The mark lies on the figure alone: what a network sees are the arrays.
    """
    axis.imshow(picture, cmap="gray", vmin=low, vmax=max(high, low + 1), interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)
    if simulated:
        axis.text(
            0.97,
            0.04,
            "SIMULATED",
            transform=axis.transAxes,
            ha="right",
            fontsize=5,
            color="white",
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "#8A1C1CB0", "edgecolor": "none"},
        )


def _rows(axis: Axes, names: Sequence[str]) -> None:
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")


def _where(row: Mapping[Any, Any]) -> str:
    place = str(row["cell_type"])
    return f"{place} w{row['channel']}" if row["channel"] else place


def _geometric_mean(factors: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(factors))))
