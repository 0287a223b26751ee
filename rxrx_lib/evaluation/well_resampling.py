"""How far an accuracy depends on which test wells there happened to be."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rxrx_lib.evaluation.columns import columns


def resampled_accuracy(
    correct: ArrayLike,
    well: ArrayLike,
    experiment: ArrayLike,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Accuracy with the test wells drawn anew, with replacement, within each experiment.

    A bootstrap: the trained network stays as it is, and so does the number of wells of every
    experiment. Sites of a well are drawn together, since they share what the well is like. What it
    leaves out is training again and other experiments, which only replicates can show.

    Parameters
    ----------
    correct
        Whether each test site was named correctly, (N,).
    well, experiment
        The site's well and experiment, (N,). A well's name may be used again in another
        experiment.
    draws
        How many times the wells are drawn, >= 1.
    seed
        Of the draws, >= 0. With the same seed, an experiment with the same wells has the same
        draws, whatever stands beside it: the accuracies of two methods on the same test wells are
        paired, draw by draw, and can be subtracted.

    Returns
    -------
    array
        (draws,), percent.

    Raises
    ------
    ValueError
        For arrays that are empty or differ in length, and for no draws.

    Examples
    --------
    >>> resampled_accuracy([1, 0, 1, 0], ["a", "a", "b", "b"], ["X"] * 4, draws=2).tolist()
    [50.0, 50.0]
    """
    if draws < 1:
        raise ValueError(f"draws is {draws}, expected at least 1")
    right, wells, experiments = columns(correct=correct, well=well, experiment=experiment)
    right_of_draws, sites_of_draws = np.zeros(draws), np.zeros(draws)
    for name in np.unique(experiments):
        rows = experiments == name
        names, well_of_site = np.unique(wells[rows], return_inverse=True)
        sites = np.bincount(well_of_site)
        rights = np.bincount(well_of_site, weights=right[rows].astype(bool))
        times = _times_drawn(names.size, draws, (seed, *_key(str(name), names)))
        right_of_draws += times @ rights
        sites_of_draws += times @ sites
    return 100.0 * right_of_draws / sites_of_draws


def percentile_interval(values: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Return the ends between which the middle share of the draws lies.

    Parameters
    ----------
    values
        One value a draw, (draws,).
    level
        The share, between 0 and 1, both excluded.

    Raises
    ------
    ValueError
        For no draws, and for a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a confidence level between 0 and 1")
    (drawn,) = columns(values=values)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@lru_cache(maxsize=64)
def _times_drawn(wells: int, draws: int, key: tuple[int, ...]) -> NDArray[np.float64]:
    """Return how often each draw has each well, (draws, wells): runs on the same wells share it."""
    generator = np.random.default_rng(key)
    return generator.multinomial(wells, np.full(wells, 1 / wells), size=draws).astype(float)


def _key(experiment: str, wells: NDArray[np.str_]) -> list[int]:
    """Return numbers that are the same for the same wells of the same experiment."""
    text = "\n".join([experiment, *map(str, wells)])
    numbers: list[int] = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint32).tolist()
    return numbers
