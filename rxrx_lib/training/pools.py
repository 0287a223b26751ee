"""Which sites give the statistics that a prediction is normalised by.

All are of the site's own experiment, and chosen by design alone (experiment, plate, kind of well):
no siRNA is read.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

Rows = npt.NDArray[np.int64]

STATISTICS = {
    "training": "the running statistics of training; nothing of the test experiments",
    "experiment": "the whole experiment, in one pass: groups reach deeper layers normalised each "
    "by its own statistics, as in training",
    "experiment_exact": "the whole experiment, one pass a layer, so that groups play no part",
    "plate": "the site's plate of the experiment",
    "controls": "the experiment's control wells, positive and EMPTY",
    "empty": "the experiment's EMPTY wells",
    "minibatch": "the group of sites that happen to be predicted together",
}
"""What a prediction can be normalised by, and what that is."""

FEWEST_SITES = 8
"""Of fewer sites statistics are noise: in the neck, where a site is one value, the standard
deviation of 8 is wrong by a quarter, 1/sqrt(2 · 8)."""


class Pool(NamedTuple):
    """Sites that are predicted, and those that they are normalised by."""

    asked: Rows
    members: Rows
    """Empty for the statistics of training."""


def pools(
    table: pd.DataFrame, experiment: str, wanted: Rows, statistics: str, group_size: int
) -> list[Pool]:
    """Return what is predicted of an experiment, and by which of its sites it is normalised.

    Parameters
    ----------
    table
        The metadata.
    experiment
        Whose sites.
    wanted
        Row positions that are to be predicted, of any experiment.
    statistics
        A key of :data:`STATISTICS`.
    group_size
        Sites a ``minibatch``.

    Returns
    -------
    list of Pool
        Each wanted site of the experiment is asked for once, in the order of the sites' names.

    Raises
    ------
    ValueError
        If a ``minibatch`` would hold one site alone.
    """
    whole = sites_in_order(table, experiment)
    asked = whole[np.isin(whole, wanted)]
    kind = table["well_type"].to_numpy(dtype=str)[whole]
    if statistics == "training":
        return [Pool(asked, whole[:0])]
    if statistics == "minibatch":
        if len(asked) == 1:
            raise ValueError(
                f"experiment {experiment} has 1 site to be predicted; statistics minibatch need at "
                "least 2, so choose others or leave the experiment out of metadata.csv."
            )
        return [Pool(group, group) for group in equal_groups(asked, group_size)]
    if statistics == "plate":
        plate = table["plate"].to_numpy()
        each = [whole[plate[whole] == name] for name in np.unique(plate[whole])]
        found = [Pool(asked[np.isin(asked, members)], members) for members in each]
        return [pool for pool in found if len(pool.asked)]
    members = {"controls": kind != "treatment", "empty": kind == "negative_control"}
    return [Pool(asked, whole[members.get(statistics, np.full(len(whole), True))])]


def require_one_experiment(pool: Pool, experiments: npt.NDArray[np.str_]) -> None:
    """Make sure that a site is normalised by sites of its own experiment.

    Parameters
    ----------
    pool
        The sites.
    experiments
        The experiment of each row of the table.

    Raises
    ------
    ValueError
        If a site of another experiment is among them.
    """
    names = np.unique(experiments[np.concatenate(pool)])
    if len(names) > 1:
        raise ValueError(
            f"a pool of sites holds some of experiment {names[0]} and some of {names[1]}; "
            "statistics are those of one experiment: give the sites of one."
        )


def require_known(statistics: str) -> None:
    """Make sure that this is a key of :data:`STATISTICS`.

    Raises
    ------
    ValueError
        If it is not; the sentence lists those there are.
    """
    if statistics not in STATISTICS:
        raise ValueError(f"statistics is {statistics!r}; choose one of {', '.join(STATISTICS)}.")


def require_statistics(table: pd.DataFrame, statistics: str) -> None:
    """Make sure, before hours of training, that its network can predict in this way.

    Raises
    ------
    ValueError
        If ``statistics`` is not known, or an experiment has fewer than two of the sites that it is
        to be normalised by, whose variance says nothing.

    Warns
    -----
    UserWarning
        If they are fewer than :data:`FEWEST_SITES` somewhere.
    """
    require_known(statistics)
    if statistics in ("training", "minibatch"):
        return
    everything = np.arange(len(table))
    sizes = {
        name: min(len(pool.members) for pool in pools(table, name, everything, statistics, 2))
        for name in sorted(table["experiment"].unique())
    }
    name = min(sizes, key=lambda each: sizes[each])
    there = {"controls": "control ", "empty": "EMPTY "}.get(statistics, "")
    where = f"experiment {name} has {sizes[name]} {there}site{'s' if sizes[name] != 1 else ''}"
    where += " on one of its plates" if statistics == "plate" else ""
    if sizes[name] < 2:
        raise ValueError(
            f"{where}; statistics {statistics} need at least 2, so leave the experiment out of "
            "metadata.csv or choose a method with statistics training."
        )
    if sizes[name] < FEWEST_SITES:
        few = sum(size < FEWEST_SITES for size in sizes.values())
        warnings.warn(
            f"{where}, and so few or less than {FEWEST_SITES} have {few} of {len(sizes)} "
            f"experiments; statistics {statistics} of so few sites are noisy.",
            stacklevel=2,
        )


def sites_in_order(table: pd.DataFrame, experiment: str) -> Rows:
    """Return the row positions of an experiment's sites, in the order of their names."""
    rows = np.flatnonzero((table["experiment"] == experiment).to_numpy())
    return rows[np.argsort(table["site_id"].to_numpy(dtype=str)[rows])]


def equal_groups(rows: Rows, group_size: int) -> Sequence[Rows]:
    """Cut rows, in order, into groups of about ``group_size`` that differ by one site at most.

    Of two or more rows no group holds a single one, which the neck could not normalise.
    """
    groups = min(round(len(rows) / group_size), len(rows) // 2)
    return np.array_split(rows, max(1, groups))
