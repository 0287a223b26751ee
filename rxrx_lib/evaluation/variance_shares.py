"""How much of a variance lies between rows, how much between columns, and how sure that is.

Shapes: S rows (siRNAs), E columns (experiments), which differ from layer to layer (cell type).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit  # scipy.stats takes ten times as long to import

from rxrx_lib.evaluation.intervals import Interval

Layers = Sequence[npt.NDArray[np.float64]]


class Shares(NamedTuple):
    """Parts of a variance, which add up to one."""

    columns: float
    rows: float
    rest: float


def variance_shares(layers: Layers) -> Shares:
    """Split the variance within layers into rows, columns and the rest.

    Each layer is a complete two-way table with one value a cell. Rows, columns and the rest are
    random effects; their variances are estimated from mean squares that are pooled over layers,
    and none is taken to be less than zero. Differences between layers do not count.

    Parameters
    ----------
    layers
        Arrays (S, E), the same S ≥ 2 in each, E ≥ 2 in at least one.

    Raises
    ------
    ValueError
        If the shapes do not allow it, or nothing varies.
    """
    rows = {len(layer) for layer in layers}
    widths = [layer.shape[1] for layer in layers]
    if len(rows) != 1 or min(rows) < 2 or max(widths) < 2:
        raise ValueError(
            f"layers have shapes {[layer.shape for layer in layers]}; "
            "expected the same two or more rows in each, and two or more columns in one of them"
        )
    (height,) = rows
    squares = np.array([_sums_of_squares(layer) for layer in layers]).sum(axis=0)
    free = sum(width - 1 for width in widths)
    between_columns, between_rows, rest = squares / (
        free,
        len(layers) * (height - 1),
        free * (height - 1),
    )
    variances = np.maximum(
        [
            (between_columns - rest) / height,
            (between_rows - rest) / (sum(widths) / len(widths)),
            rest,
        ],
        0.0,
    )
    if not variances.sum() > 0:
        raise ValueError("nothing varies; expected values that differ")
    return Shares(*(variances / variances.sum()).tolist())


def column_share_interval(layers: Layers, level: float = 0.95) -> Interval:
    """Return the columns' share with a jackknife t interval over columns.

    Each column of each layer is left out once, in layers that have two or more. The rows are taken
    as they are.

    Returns
    -------
    Interval
        Cut to 0 … 1; its n is the number of columns. Both ends are nan if leaving a column out
        leaves no layer with two.
    """
    share = variance_shares(layers).columns
    columns = sum(layer.shape[1] for layer in layers)
    variance, free = 0.0, 0
    for place, layer in enumerate(layers):
        width = layer.shape[1]
        if width < 2:
            continue
        others = [each for k, each in enumerate(layers) if k != place]
        left = [[*others, np.delete(layer, column, axis=1)] for column in range(width)]
        if max(each.shape[1] for each in left[0]) < 2:
            return Interval(share, float("nan"), float("nan"), columns)
        shares = np.array([variance_shares(each).columns for each in left])
        variance += (width - 1) / width * float(((shares - shares.mean()) ** 2).sum())
        free += width - 1
    half = float(stdtrit(free, 0.5 + level / 2)) * variance**0.5
    return Interval(share, max(0.0, share - half), min(1.0, share + half), columns)


def _sums_of_squares(layer: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the sums of squares of columns, rows and the rest."""
    centred = layer - layer.mean()
    columns, rows = centred.mean(axis=0), centred.mean(axis=1)
    rest = centred - columns - rows[:, np.newaxis]
    return (
        float((columns**2).sum() * len(rows)),
        float((rows**2).sum() * len(columns)),
        float((rest**2).sum()),
    )
