"""How experiments differ in brightness: a dot an experiment, shares of variance, neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from rxrx_lib.data.images import Images
from rxrx_lib.data.metadata import CELL_TYPES, UNLABELLED
from rxrx_lib.evaluation.neighbours import nearest_agreement
from rxrx_lib.evaluation.variance_shares import Layers, column_share_interval, variance_shares
from rxrx_lib.study.claims import PERCENT
from rxrx_lib.study.composite import LIGHTS
from rxrx_lib.study.figures import INK, WIDTH, figure_style, mark_simulated
from rxrx_lib.study.well_intensity import MEANS, well_intensities

MOST_SIRNAS = 32
"""Read in each experiment, so that the release's pictures are looked at in seconds."""
DARKEST = 0.1
"""Grey levels; a darker mean is taken for this one, since black has no logarithm."""


def sampled_wells(table: pd.DataFrame, images: Images) -> pd.DataFrame:
    """Return the wells of the same treatments in every experiment, with their mean grey levels.

    At most :data:`MOST_SIRNAS` treatments, evenly spaced by class, of those that have exactly one
    well in each experiment.

    Raises
    ------
    ValueError
        If there are not two such treatments.
    """
    treated = table[(table["well_type"] == "treatment") & (table["sirna_id"] != UNLABELLED)]
    wells = treated.drop_duplicates("well_id").groupby(["sirna_id", "experiment"]).size()
    square = wells.unstack(fill_value=0)
    common = square.index[(square == 1).all(axis=1)]
    if len(common) < 2:
        raise ValueError(
            f"{len(common)} treatments have one labelled well in each experiment; expected two or "
            "more: use metadata with labels, or a whole screen."
        )
    places = np.linspace(0, len(common) - 1, min(MOST_SIRNAS, len(common))).round().astype(int)
    wanted = table["well_id"].isin(treated["well_id"]) & table["sirna_id"].isin(common[places])
    return well_intensities(table, images, wanted.to_numpy())


def experiment_means(wells: pd.DataFrame) -> pd.DataFrame:
    """Return each experiment's mean grey level in each channel, in the order of cell types."""
    keys = ["cell_type", "experiment", "dataset"]
    means = wells.groupby(keys)[list(MEANS)].mean().reset_index()
    order = means["cell_type"].map(CELL_TYPES.index)
    return means.iloc[np.lexsort((means["experiment"], order))].reset_index(drop=True)


def brightness_strips(means: pd.DataFrame, *, simulated: bool) -> Figure:
    """Draw each experiment as a dot, one panel a channel, one row a cell type.

    Parameters
    ----------
    means
        As :func:`experiment_means` gives them.
    simulated
        Whether to mark the figure.
    """
    cell_types = list(dict.fromkeys(means["cell_type"]))
    with figure_style():
        figure, axes = plt.subplots(
            3, 2, figsize=(WIDTH, 1.2 + 0.75 * len(cell_types)), sharey=True
        )
        for axis, light, column in zip(axes.flat, LIGHTS, MEANS, strict=True):
            for row, cell_type in enumerate(cell_types):
                some = means[means["cell_type"] == cell_type]
                for training, filling, offset in ((True, "white", -0.16), (False, INK, 0.16)):
                    values = some.loc[(some["dataset"] == "train") == training, column]
                    axis.plot(
                        np.maximum(values, DARKEST),
                        [row + offset] * len(values),
                        linestyle="none",
                        marker="o",
                        markersize=4.5,
                        color=INK,
                        markerfacecolor=filling,
                        markeredgewidth=0.8,
                    )
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter(FuncFormatter(lambda level, _: f"{level:g}"))
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.set_title(f"{light.channel} {light.organelle}")
        axes[0, 0].set_yticks(range(len(cell_types)), cell_types)
        axes[0, 0].set_ylim(len(cell_types) - 0.4, -0.6)
        figure.supxlabel("mean grey level of an experiment (0 to 255, logarithmic)", fontsize=9)
        return mark_simulated(figure) if simulated else figure


def share_panel(wells: pd.DataFrame) -> pd.DataFrame:
    """Return, channel by channel, what shares of the variance lie where, in words."""
    rows = []
    for light, layers in zip(LIGHTS, _layers(wells), strict=True):
        shares, interval = variance_shares(layers), column_share_interval(layers)
        ends = f"{_percent(interval.low)} to {_percent(interval.high)}"
        rows.append(
            [
                f"{light.channel} {light.organelle}",
                _percent(shares.columns) + ("" if np.isnan(interval.low) else f" ({ends})"),
                _percent(shares.rows),
                _percent(shares.rest),
            ]
        )
    names = ["channel", "experiments", "siRNAs", "rest"]
    return pd.DataFrame(rows, columns=names)


def share_claims(wells: pd.DataFrame) -> list[str]:
    """Say how much of the variance of log brightness lies between experiments, and how spread."""
    shares = [variance_shares(layers) for layers in _layers(wells)]
    between = [share.columns for share in shares]
    low, high = int(np.argmin(between)), int(np.argmax(between))
    more = sum(share.columns > share.rows for share in shares)
    return [
        "Of the variance of log mean grey level between wells of one cell type, "
        f"{_percent(between[low])}{PERCENT} ({LIGHTS[low].organelle}) to "
        f"{_percent(between[high])}{PERCENT} ({LIGHTS[high].organelle}) lies between experiments: "
        f"{wells['experiment'].nunique()} experiments, the same {wells['sirna'].nunique()} siRNAs "
        f"in each, {len(wells):,} wells.",
        f"In {more} of {len(shares)} channels more of it lies between experiments than between "
        "siRNAs.",
        _spread_claim(wells),
    ]


def neighbour_claims(wells: pd.DataFrame) -> list[str]:
    """Say, by cell type, what a well and its nearest neighbour in brightness have in common."""
    lines = []
    for cell_type in (name for name in CELL_TYPES if name in set(wells["cell_type"])):
        some = wells[wells["cell_type"] == cell_type]
        features = _logs(some[list(MEANS)].to_numpy())
        words = []
        for what, column in (("experiment", "experiment"), ("siRNA", "sirna")):
            found = nearest_agreement(features, some[column].to_numpy(dtype=object))
            words.append(
                f"the same {what} in {_percent(found.share)}{PERCENT} "
                f"(by chance {_percent(found.chance)}{PERCENT})"
            )
        lines.append(f"{cell_type}, {len(some):,} wells: {' and '.join(words)}.")
    return lines


def _spread_claim(wells: pd.DataFrame) -> str:
    means = experiment_means(wells)
    parts = []
    for cell_type, some in means.groupby("cell_type", sort=False):
        if len(some) > 1:
            spread = _logs(some[list(MEANS)].to_numpy()).std(axis=0, ddof=1)
            parts.append(f"{np.exp(np.median(spread)):.2f} ({cell_type}, {len(some)} experiments)")
    return (
        "One standard deviation between experiments is a factor in brightness of "
        f"{', '.join(parts)}; median over channels."
    )


def _layers(wells: pd.DataFrame) -> Sequence[Layers]:
    """Return for each channel one table of siRNAs by experiments a cell type, of logarithms."""
    return [
        [
            _logs(some.pivot(index="sirna", columns="experiment", values=column).to_numpy())
            for _, some in wells.groupby("cell_type", sort=False)
        ]
        for column in MEANS
    ]


def _logs(levels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.log(np.maximum(levels, DARKEST)), dtype=np.float64)


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"
