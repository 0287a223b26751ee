"""Which units train, so that every class and every experiment keeps its share up to rounding."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pandas as pd

Counts = npt.NDArray[np.int64]


def choose(
    units: pd.DataFrame, share: Fraction, by_site: bool, control: bool, draw: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Choose which units train, for the treatments or for the controls of one cell type.

    Parameters
    ----------
    units : DataFrame (n rows)
        One row a unit, with its `sirna_id` and `experiment`.
    share : Fraction
        The training side's share.
    by_site : bool
        Whether each (class, experiment) keeps a unit in training.
    control : bool
        Whether each (class, experiment) of several units keeps one on either side.
    draw : Generator
        Decides among equals.

    Returns
    -------
    bool (n,)
    """
    pair = units.groupby(["sirna_id", "experiment"]).ngroup().to_numpy()
    sizes = np.bincount(pair)
    first = np.unique(pair, return_index=True)[1]
    _, classes = np.unique(units["sirna_id"].to_numpy()[first], return_inverse=True)
    _, experiments = np.unique(units["experiment"].to_numpy(str)[first], return_inverse=True)
    low, high = _limits(sizes, share, by_site, control and 0 < share < 1)
    quota = _balanced(sizes, low, high, share, [classes, experiments], draw.random(len(sizes)))
    order = np.lexsort((draw.random(len(units)), pair))
    place = np.empty(len(units), dtype=np.int64)
    place[order] = np.arange(len(units)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return place < quota[pair]


def _limits(
    sizes: Counts, share: Fraction, keep_training: bool, keep_both: bool
) -> tuple[Counts, Counts]:
    """Return the fewest and the most training units that each (class, experiment) may give."""
    low, high = _rounded_share(sizes, share)
    if keep_both:
        several = sizes >= 2
        low[several] = np.clip(low[several], 1, sizes[several] - 1)
        high[several] = np.clip(high[several], 1, sizes[several] - 1)
    if keep_training:
        low = np.maximum(low, 1)
    return low, np.maximum(low, high)


def _rounded_share(sizes: Counts, share: Fraction) -> tuple[Counts, Counts]:
    """Return `sizes` × `share`, rounded down and rounded up, without floating point."""
    return (
        sizes * share.numerator // share.denominator,
        -(-sizes * share.numerator // share.denominator),
    )


def _balanced(
    sizes: Counts,
    low: Counts,
    high: Counts,
    share: Fraction,
    margins: list[Counts],
    cost: npt.NDArray[np.float64],
) -> Counts:
    """Round `sizes` × `share` between `low` and `high` so that each margin is rounded too.

    A transport problem: its constraint matrix is totally unimodular, so the cheapest solution is
    whole-numbered, and with random costs it is one random solution, the same for every solver.
    A margin misses its rounded share only where the limits leave no other way (a large price).
    """
    # Here, since every page would pay for them, and few make a split.
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, eye_array, hstack, vstack

    pairs = np.arange(len(sizes))
    sums = vstack([csr_array((np.ones(len(sizes)), (group, pairs))) for group in margins])
    totals = np.concatenate([np.bincount(group, sizes).astype(np.int64) for group in margins])
    fewest, most = _rounded_share(totals, share)
    missing = eye_array(len(totals))
    solution = milp(
        np.concatenate([cost, np.full(2 * len(totals), float(len(sizes)))]),
        constraints=LinearConstraint(hstack([sums, missing, -missing]).tocsr(), fewest, most),
        bounds=Bounds(
            np.concatenate([low, np.zeros(2 * len(totals))]),
            np.concatenate([high, np.full(2 * len(totals), np.inf)]),
        ),
    )
    assert solution.success, solution.message
    quota: Counts = np.rint(solution.x[: len(sizes)]).astype(np.int64)
    assert np.abs(solution.x[: len(sizes)] - quota).max() < 1e-6, "the solution is no vertex"
    return quota
