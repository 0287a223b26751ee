"""Whether embeddings mix experiments: how many of a site's nearest neighbours are from its own.

Similarity is the cosine. Shapes: N rows (sites), D embedding, k neighbours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rxrx_lib.evaluation.columns import columns
from rxrx_lib.evaluation.cross_experiment import BLOCK_ENTRIES, unit_rows

NEIGHBOURS = 15
"""Neighbours of a site that are looked at unless asked otherwise: as many as UMAP looks at."""


def neighbour_purity(
    values: NDArray[Any], experiment: ArrayLike, *, k: int = NEIGHBOURS
) -> NDArray[np.float64]:
    """Give each row's share of its own experiment among its k nearest other rows.

    Low is mixed, 1 is apart; `purity_chance` is what neighbours drawn at random reach. Rows that
    are equally near where the k-th place is given away share the places that are left, so that the
    order of the rows has no say.

    Parameters
    ----------
    values
        Embeddings (N, D), finite. A row of zeros has the similarity 0 to every other.
    experiment
        Of each row, (N,).
    k
        How many neighbours, 1 to N - 1.

    Returns
    -------
    float64 (N,)
        0 to 1. Similarities are computed in float32.

    Raises
    ------
    ValueError
        For shapes that do not match, no rows, values that are not finite, one experiment only,
        and another k.

    Examples
    --------
    >>> x = np.array([[1, 0], [1, 0.1], [3, 0.2], [0, 1]])
    >>> neighbour_purity(x, ["A", "A", "B", "B"], k=1).tolist()
    [0.0, 0.0, 0.0, 0.0]
    >>> neighbour_purity(x, ["A", "B", "A", "B"], k=2).tolist()
    [0.5, 0.0, 0.5, 0.5]
    """
    codes = _codes(experiment)
    if values.ndim != 2 or values.shape[:1] != codes.shape:
        raise ValueError(f"values has shape {values.shape}, expected ({codes.size}, D)")
    if not np.isfinite(values).all():
        raise ValueError("values holds a value that is not finite")
    if not 1 <= k < codes.size:
        raise ValueError(f"k is {k}, expected 1 to {codes.size - 1}, one less than there are rows")
    unit = unit_rows(values)
    block = max(1, BLOCK_ENTRIES // len(unit))
    purity = np.empty(codes.size)
    for first in range(0, codes.size, block):
        rows = np.arange(first, min(first + block, codes.size))
        similarity = unit[rows] @ unit.T
        similarity[np.arange(rows.size), rows] = -np.inf  # nobody is a neighbour of its own
        purity[rows] = _own_share(similarity, codes[rows, np.newaxis] == codes, k)
    return purity


def purity_chance(experiment: ArrayLike) -> float:
    """Give the mean purity of neighbours that are drawn at random among the other rows.

    Parameters
    ----------
    experiment
        Of each row, (N,).

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    ValueError
        For no rows, and for one experiment only.

    Examples
    --------
    Each of the four rows meets one of its own among three others:

    >>> round(purity_chance(["A", "A", "B", "B"]), 3)
    0.333
    """
    sizes = np.bincount(_codes(experiment))
    rows = int(sizes.sum())
    return float((sizes * (sizes - 1)).sum() / (rows * (rows - 1)))


def _codes(experiment: ArrayLike) -> NDArray[np.intp]:
    (names,) = columns(experiment=experiment)
    found, codes = np.unique(names, return_inverse=True)
    if found.size < 2:
        raise ValueError(
            f"experiment holds {found[0]} only, expected two or more: within one experiment "
            "every neighbour is of the same; leave it out"
        )
    return codes


def _own_share(
    similarity: NDArray[np.float32], own: NDArray[np.bool_], k: int
) -> NDArray[np.float64]:
    """Give the own rows' share of the k most similar ones, by row of (n, N)."""
    last = np.partition(similarity, -k, axis=1)[:, -k, np.newaxis]
    nearer, level = similarity > last, similarity == last
    left = k - nearer.sum(axis=1)
    own_level = (own & level).sum(axis=1) / level.sum(axis=1)
    share: NDArray[np.float64] = ((own & nearer).sum(axis=1) + left * own_level) / k
    return share
