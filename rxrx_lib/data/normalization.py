"""The normalisations of tables 5 and 6: which pixels give a site's mean and standard deviation.

A pool of sites has the mean and the deviation of all its pixels taken together, as if they were one
picture. The means of the sites' own deviations, which circulate as RxRx1's "global" ones, are
smaller, up to 2.3 times over the training sites: they leave out how sites differ in brightness.
Shapes: N sites of the screen in the metadata's order, B sites of a minibatch, C channels, H = W,
G pools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from rxrx_lib.data.pixel_moments import Integers, PixelMoments
from rxrx_lib.data.png_tree import Pixels, Rows, asked_channels, asked_rows

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SCOPES = ("self", "plate", "experiment", "training")
SITES = ("all", "controls")


@dataclass(frozen=True, kw_only=True)
class Normalization:
    """One way to normalise.

    Attributes
    ----------
    scope : str
        What is pooled: nothing (`self`: each site alone), the sites of each `plate`, of each
        `experiment`, or those of the `training` side, by which all sites are then normalised.
    sites : str
        Whether `all` of these sites count, or only `controls`: positive and negative ones, as
        `well_type` tells.
    """

    scope: str
    sites: str = "all"

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise ValueError(f"scope is {self.scope!r}; choose one of {', '.join(SCOPES)}.")
        allowed = SITES[:1] if self.scope == "self" else SITES
        if self.sites not in allowed:
            raise ValueError(
                f"sites is {self.sites!r} with the scope {self.scope}; choose "
                f"{' or '.join(allowed)}."
            )


NORMALIZATIONS = {
    "training_all": Normalization(scope="training"),
    "experiment_controls": Normalization(scope="experiment", sites="controls"),
    "experiment_all": Normalization(scope="experiment"),
    "plate_controls": Normalization(scope="plate", sites="controls"),
    "plate_all": Normalization(scope="plate"),
    "self": Normalization(scope="self"),
}
"""The six of the paper, in its order."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Statistics:
    """By what each site is normalised.

    Attributes
    ----------
    mean, std : float64 (N, C)
        Mean and standard deviation (that of the population) in grey levels; equal within a pool.
    """

    mean: Floats
    std: Floats

    def of(self, rows: Rows) -> Statistics:
        """Return those of some sites, (B, C), in the order of `rows`."""
        return Statistics(mean=self.mean[rows], std=self.std[rows])


def statistics(
    moments: PixelMoments,
    table: pd.DataFrame,
    train: Rows,
    normalization: Normalization,
    channels: Sequence[int] | None = None,
) -> Statistics:
    """Return the mean and the standard deviation by which each site is normalised.

    Parameters
    ----------
    moments : PixelMoments
        Of all N sites.
    table : DataFrame (N rows)
        Metadata, in the same order. Its labels (`sirna`, `sirna_id`) are not read.
    train : rows
        The training side of the split, which the scope `training` pools. Plates and experiments
        pool all their sites, whichever side these are on: test experiments are normalised by
        their own pixels.
    normalization : Normalization
        What is pooled.
    channels : sequence of int, optional
        Some of the screen's channels, counted from 1, in the order wanted; all by default.

    Returns
    -------
    Statistics
        From integers of any size up to the last division: a pool without contrast has a standard
        deviation of exactly 0.

    Raises
    ------
    ValueError
        If a pool has no site that counts, `moments` and `table` differ in length, or rows or
        channels are asked for that the screen does not have.
    """
    if len(moments.sums) != len(table):
        raise ValueError(
            f"moments holds {len(moments.sums)} sites and table {len(table)}; expected those of "
            "one screen: load both from the same folder."
        )
    wanted = asked_channels(channels, moments.channels)
    columns = [moments.channels.index(channel) for channel in wanted]
    pool = _pools(table, normalization.scope)
    counts = _counts(table, train, normalization)
    sites = np.bincount(pool[counts], minlength=pool.max(initial=-1) + 1)
    _require_sites(sites, pool, table, normalization)
    pixels = sites.astype(object)[:, None] * moments.pixels
    sums = _summed(moments.sums[:, columns], pool, counts, len(sites))
    squares = _summed(moments.squares[:, columns], pool, counts, len(sites))
    mean = (sums / pixels).astype(np.float64)
    variance = ((pixels * squares - sums * sums) / (pixels * pixels)).astype(np.float64)
    return Statistics(mean=mean[pool], std=np.sqrt(variance)[pool])


def standardise(pixels: Pixels, mean: Floats, std: Floats) -> npt.NDArray[np.float32]:
    """Subtract the mean and divide by the standard deviation, each channel of each site.

    Parameters
    ----------
    pixels : uint8 (B, C, H, W)
        Grey levels.
    mean, std : float64 (B, C)
        The rows of `Statistics` that belong to these sites.

    Returns
    -------
    float32 (B, C, H, W)
        A channel whose pool has no contrast becomes 0.
    """
    x = pixels.astype(np.float32)
    x -= mean.astype(np.float32)[:, :, None, None]
    x *= reciprocal(std).astype(np.float32)[:, :, None, None]
    return x


def reciprocal(std: Floats) -> Floats:
    """Return 1 over each standard deviation, and 0 where there is no contrast."""
    return np.divide(1.0, std, out=np.zeros_like(std), where=std > 0)


def _pools(table: pd.DataFrame, scope: str) -> Integers:
    """Return the number of each site's pool, 0 to G - 1, (N,)."""
    if scope == "self":
        return np.arange(len(table))
    if scope == "training":
        return np.zeros(len(table), np.int64)
    keys = ["experiment", "plate"] if scope == "plate" else ["experiment"]
    return np.asarray(table.groupby(keys).ngroup(), np.int64)


def _counts(table: pd.DataFrame, train: Rows, normalization: Normalization) -> Flags:
    """Tell of each site whether its pixels count in its pool, (N,)."""
    counts = np.full(len(table), normalization.scope != "training")
    if normalization.scope == "training":
        counts[asked_rows(train, len(table))] = True
    if normalization.sites == "controls":
        counts &= (table["well_type"] != "treatment").to_numpy(bool)
    return counts


def _require_sites(
    sites: Integers, pool: Integers, table: pd.DataFrame, normalization: Normalization
) -> None:
    """Refuse a pool of which no site counts; `sites` (G,) says how many do."""
    empty = np.flatnonzero(sites == 0)
    if not empty.size:
        return
    row = table.iloc[np.flatnonzero(pool == empty[0])[0]]
    name = {
        "plate": f"plate {row['plate']} of experiment {row['experiment']}",
        "experiment": f"experiment {row['experiment']}",
    }.get(normalization.scope, "the training side")
    what, remedy = "site", "choose a split with training sites"
    if normalization.sites == "controls":
        what, remedy = "control", "normalise by all of its sites, or leave it out of metadata.csv"
    raise ValueError(f"{name} has no {what}; expected at least one: {remedy}.")


def _summed(values: Integers, pool: Integers, counts: Flags, pools: int) -> npt.NDArray[np.object_]:
    """Add up the values (N, C) that count, pool by pool: integers of Python, (G, C)."""
    total = np.zeros((pools, values.shape[1]), np.int64)
    np.add.at(total, pool[counts], values[counts])
    return total.astype(object)
