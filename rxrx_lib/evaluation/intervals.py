"""What a few replicates say: the mean with its t interval, and paired differences."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit  # scipy.stats takes ten times as long to import

Replicate = TypeVar("Replicate", bound=Hashable)


class Interval(NamedTuple):
    """A mean over replicates with its confidence interval, in the unit of the values."""

    mean: float
    """Mean; nan where there is no value."""
    low: float
    """Lower end; nan with fewer than two values."""
    high: float
    """Upper end; nan with fewer than two values."""
    n: int
    """Number of replicates."""


def t_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Mean and two-sided Student t interval of independent replicates.

    Parameters
    ----------
    values
        One value a replicate, (n,), finite. For a comparison of methods: the paired differences.
    level
        Confidence level, between 0 and 1, both excluded.

    Returns
    -------
    Interval
        ``mean``, ``low``, ``high`` and ``n``. With one value the ends are nan: it says nothing of
        its own spread.

    Raises
    ------
    ValueError
        For values that are not finite or not one-dimensional, and for a level outside (0, 1).

    Examples
    --------
    >>> mean, low, high, n = t_interval([9.0, 10.0, 11.0])
    >>> round(low, 2), round(high, 2)
    (7.52, 12.48)
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a confidence level between 0 and 1")
    replicates = np.asarray(values, dtype=np.float64)
    if replicates.ndim != 1 or not np.isfinite(replicates).all():
        raise ValueError(f"values is {replicates.tolist()}, expected one finite value a replicate")
    n = replicates.size
    mean = float(replicates.mean()) if n else float("nan")
    if n < 2:
        return Interval(mean, float("nan"), float("nan"), n)
    half = float(stdtrit(n - 1, (1 + level) / 2) * replicates.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def paired_differences(
    a: Mapping[Replicate, float], b: Mapping[Replicate, float]
) -> dict[Replicate, float]:
    """Differences a - b, replicate by replicate.

    A replicate is a pair (screen seed, training seed), the same for every method, so that what a
    screen makes hard for both cancels.

    Parameters
    ----------
    a, b
        Value of each replicate; both must name the same replicates.

    Returns
    -------
    dict
        ``a[replicate] - b[replicate]`` in the order of ``a``.

    Raises
    ------
    ValueError
        Where there is no replicate, or one that only ``a`` or only ``b`` has.

    Examples
    --------
    >>> paired_differences({10: 62.0, 11: 60.0}, {11: 59.0, 10: 60.0})
    {10: 2.0, 11: 1.0}
    """
    alone = {"a": a.keys() - b.keys(), "b": b.keys() - a.keys()}
    for name, replicates in alone.items():
        if replicates:
            listed = ", ".join(sorted(map(str, replicates)))
            raise ValueError(
                f"only {name} has replicate {listed}: a difference is paired, expected the same "
                "replicates in both; run what is missing or leave it out of both"
            )
    if not a:
        raise ValueError("a and b hold no replicate, expected at least one in common")
    return {replicate: float(value) - float(b[replicate]) for replicate, value in a.items()}
